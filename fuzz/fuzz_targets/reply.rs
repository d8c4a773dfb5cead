//! See `nss_fuzz::reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| nss_fuzz::reply(octets));
