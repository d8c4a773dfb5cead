//! See `nss_fuzz::name`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| nss_fuzz::name(octets));
