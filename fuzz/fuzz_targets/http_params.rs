//! See `nss_fuzz::http_params`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| nss_fuzz::http_params(octets));
