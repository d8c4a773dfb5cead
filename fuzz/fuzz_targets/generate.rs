//! See `nss_fuzz::generate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| nss_fuzz::generate(octets));
