//! See `nss_fuzz::packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| nss_fuzz::packet(octets));
