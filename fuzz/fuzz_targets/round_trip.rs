//! See `nss_fuzz::round_trip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| nss_fuzz::round_trip(octets));
