//! Decimal numbers, times to live and periods.

use nom::Parser;
use nom::bytes::complete::take_while1;
use nom::character::complete::{one_of, u32};
use nom::combinator::{all_consuming, map_opt};
use nom::multi::fold_many1;
use nom::sequence::pair;
use nss_wire::record::TTL_MAX;

use crate::error::ErrorKind;

/// A decimal number up to `max`, and nothing else; leading zeros are allowed, a sign is not.
pub(crate) fn decimal(text: &[u8], max: u64) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for &octet in text {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (value <= max).then_some(value)
}

/// Seconds as a decimal number, or with units as in `1w2d3h4m5s`, in any order and letter case.
///
/// With units each number has one: `1h30` could mean minutes or seconds, and is refused.
pub(crate) fn period(text: &[u8]) -> Option<u32> {
    match decimal(text, u64::from(u32::MAX)) {
        Some(seconds) => u32::try_from(seconds).ok(),
        None => with_units(text),
    }
}

fn with_units(text: &[u8]) -> Option<u32> {
    let unit = one_of("wdhmsWDHMS").map(|unit: char| match unit.to_ascii_lowercase() {
        'w' => 604_800,
        'd' => 86_400,
        'h' => 3600,
        'm' => 60,
        _ => 1,
    });
    let part = map_opt(pair(u32::<_, ()>, unit), |(number, unit): (u32, u32)| number.checked_mul(unit));
    let sum = fold_many1(part, || Some(0u32), |sum, part| sum?.checked_add(part));
    let (_, sum) = all_consuming(sum).parse(text).ok()?;
    sum
}

/// A time to live in seconds, as [`period`] reads it, up to 2^31 - 1 (RFC 2181 §8).
pub(crate) fn ttl(text: &[u8]) -> Result<u32, ErrorKind> {
    match period(text) {
        Some(seconds) if seconds <= TTL_MAX => Ok(seconds),
        Some(_) => Err(ErrorKind::TtlTooLarge),
        None => {
            let is_number =
                all_consuming(take_while1::<_, _, ()>(|octet: u8| octet.is_ascii_digit())).parse(text).is_ok();
            Err(if is_number { ErrorKind::TtlTooLarge } else { ErrorKind::BadTtl })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_a_number_of_seconds_or_has_a_unit_at_each_number() {
        for (text, seconds) in [
            ("0", 0),
            ("007", 7),
            ("2147483647", TTL_MAX),
            ("1w2d3h4m5s", 788_645),
            ("1H30M", 5400),
            ("30m1h", 5400),
            ("1d1d", 172_800),
        ] {
            assert_eq!(ttl(text.as_bytes()), Ok(seconds), "{text}");
        }
        for text in ["", "1h30", "h", "1x", "-1", "+1", "1 h", "1.5h", "99999999999w"] {
            assert_eq!(ttl(text.as_bytes()), Err(ErrorKind::BadTtl), "{text}");
        }
        for text in ["2147483648", "4294967296", "99999999999999999999", "3551w"] {
            assert_eq!(ttl(text.as_bytes()), Err(ErrorKind::TtlTooLarge), "{text}");
        }
        assert_eq!(ttl(b"3550w"), Ok(2_147_040_000));
    }

    #[test]
    fn a_number_ends_at_its_maximum() {
        assert_eq!((decimal(b"65535", 65535), decimal(b"65536", 65535)), (Some(65535), None));
        assert_eq!(decimal(b"18446744073709551615", u64::MAX), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616", u64::MAX), None);
    }
}
