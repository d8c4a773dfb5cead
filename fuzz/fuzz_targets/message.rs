//! See `nss_fuzz::message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| nss_fuzz::message(octets));
