//! Times as people and registries write them (RFC 3339), in seconds since 1970.

/// A time as RFC 3339 writes it.
pub(crate) fn utc(seconds_since_1970: u64) -> String {
    let (days, second) = (seconds_since_1970 / 86_400, seconds_since_1970 % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A time of RFC 3339 §5.6 in seconds since 1970; fractions of a second are left out.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let octets = text.as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<u64> {
        let digits = octets.get(range)?;
        digits.iter().try_fold(0, |n, digit| digit.is_ascii_digit().then(|| n * 10 + u64::from(digit - b'0')))
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let is_in_place = |at: usize, wanted: &[u8]| octets.get(at).is_some_and(|octet| wanted.contains(octet));
    let is_shaped = is_in_place(4, b"-")
        && is_in_place(7, b"-")
        && is_in_place(10, b"Tt ")
        && is_in_place(13, b":")
        && is_in_place(16, b":");
    let is_sane = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_shaped || !is_sane || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = octets.get(19..)?;
    let fraction = match rest.strip_prefix(b".") {
        Some(digits) => 1 + digits.iter().take_while(|digit| digit.is_ascii_digit()).count(),
        None => 0,
    };
    let offset: i64 = match &octets[19 + fraction..] {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (number(20 + fraction..22 + fraction)?, number(23 + fraction..25 + fraction)?);
            let size = i64::try_from(hours * 3600 + minutes * 60).ok()?;
            if *sign == b'+' { size } else { -size }
        }
        _ => return None,
    };
    let days = days(year, month, day)?;
    u64::try_from(i64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok()? - offset).ok()
}

/// The date so many days after 1970-01-01: year, month, day.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + MARCH_0;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    (era * 400 + year, month, day)
}

/// The days from 1970-01-01 to a date; `None` before it.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    days.checked_sub(MARCH_0)
}

/// Years that begin in March have their leap day at the end: this is the first of March of the year 0, so many days before 1970.
const MARCH_0: u64 = 719_468;

/// Days of 400 years.
const ERA: u64 = 146_097;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_as_people_read_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }

    #[test]
    fn times_are_those_of_rfc_3339() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T23:59:59z", Some(951_868_799)),
            ("2026-11-28T20:00:00+02:00", Some(1_795_888_800)),
            ("2026-11-28T18:00:00.5-00:00", Some(1_795_888_800)),
            ("2026-11-28T18:00:00", None),
            ("2026-11-28", None),
            ("2026-13-28T18:00:00Z", None),
            ("2026-11-28T24:00:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("1970-01-01T00:00:00+01:00", None),
            ("2026-11-28T18:00:00+0200", None),
            ("ü026-11-28T18:00:00Z", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_time_is_read_as_it_was_written(at in 0_u64..253_402_300_800) {
            prop_assert_eq!(seconds(&utc(at)), Some(at));
        }

        #[test]
        fn any_text_is_a_time_or_is_none(text in "[-0-9TZ:.+ü]{0,30}") {
            let _ = seconds(&text);
        }
    }
}
