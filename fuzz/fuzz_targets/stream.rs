//! See `nss_fuzz::stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| nss_fuzz::stream(octets));
