//! See `nss_fuzz::zone_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| nss_fuzz::zone_text(octets));
