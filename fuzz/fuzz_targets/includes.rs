//! See `nss_fuzz::includes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| nss_fuzz::includes(octets));
