//! Points in time, as signatures have them.

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::{all_consuming, map_opt, verify};

use crate::number::decimal;

pub(super) const EXPECTED: &str = "a time as in 20261231235959 (UTC), or seconds since 1970";

/// Seconds since 1970 modulo 2^32, from `YYYYMMDDHHmmSS` or from up to ten digits (RFC 4034 §3.2).
pub fn time(text: &[u8]) -> Option<u32> {
    if text.len() != 14 {
        return decimal(text, u64::from(u32::MAX)).map(|seconds| seconds as u32);
    }
    let digits = |size: usize| map_opt(take::<_, _, ()>(size), |digits| decimal(digits, 9999));
    let year = verify(digits(4), |year| (1970..=2106 + 136).contains(year));
    let within = |low: u64, high: u64| verify(digits(2), move |number| (low..=high).contains(number));
    let mut parts = all_consuming((year, within(1, 12), within(1, 31), within(0, 23), within(0, 59), within(0, 59)));
    let (_, (year, month, day, hour, minute, second)) = parts.parse(text).ok()?;
    if day > days_in(year, month) {
        return None;
    }
    let days = days_since_1970(year, month, day);
    // RFC 4034 §3.1.5: serial arithmetic, so that times beyond 2106 are written with the same 32 bits.
    Some((days * 86_400 + hour * 3600 + minute * 60 + second) as u32)
}

pub(crate) fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let years = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum::<u64>();
    years + (1..month).map(|month| days_in(year, month)).sum::<u64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_a_number_of_seconds() {
        assert_eq!(time(b"19700101000000"), Some(0));
        assert_eq!(time(b"20231114221320"), Some(1_700_000_000));
        assert_eq!(time(b"20240229120000"), Some(1_709_208_000));
        assert_eq!(time(b"21060207062815"), Some(u32::MAX));
        assert_eq!(time(b"21060207062816"), Some(0));
        assert_eq!(time(b"4294967295"), Some(u32::MAX));
        for text in
            ["4294967296", "20230229120000", "20231301000000", "20230100000000", "20230101240000", "2023010100000x", ""]
        {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
    }
}
