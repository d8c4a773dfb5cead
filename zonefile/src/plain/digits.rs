//! Numbers, times and addresses out of words, eight octets at a time and with few branches.
//!
//! Everything here reads part of what the parsers in `rdata` read, and the same out of it; `None` is not a mistake
//! in the text but leaves it to them.

use nss_wire::name::BLOCK_SIZE;

use super::line::Word;
use super::marks::places_of;
use crate::rdata::time::days_in;

/// A decimal number of up to eight digits.
#[inline(always)]
pub(super) fn decimal(word: Word<'_>) -> Option<u32> {
    if word.len > 8 {
        return None;
    }
    decimal_8(word.head(), word.len as u32)
}

/// A decimal number up to 65,535.
#[inline(always)]
pub(super) fn decimal_u16(word: Word<'_>) -> Option<u16> {
    u16::try_from(decimal(word)?).ok()
}

/// A decimal number up to 255.
#[inline(always)]
pub(super) fn decimal_u8(word: Word<'_>) -> Option<u8> {
    u8::try_from(decimal(word)?).ok()
}

/// The first `len` of eight digits, from 1 to 8, the first one in the lowest octet.
#[inline(always)]
fn decimal_8(digits: u64, len: u32) -> Option<u32> {
    // The digits go to the top; the octets below them become zeros, which count as leading ones.
    let x = (digits ^ splat(b'0')) << (64 - 8 * len);
    if ((x.wrapping_add(splat(0x7f - 9))) | x) & splat(0x80) != 0 {
        return None;
    }
    // Neighbours are added up: digits to pairs, pairs to fours, fours to the number.
    let x = x.wrapping_mul(10).wrapping_add(x >> 8) & 0x00ff_00ff_00ff_00ff;
    let x = x.wrapping_mul(100).wrapping_add(x >> 16) & 0x0000_ffff_0000_ffff;
    Some(x.wrapping_mul(10_000).wrapping_add(x >> 32) as u32)
}

const fn splat(octet: u8) -> u64 {
    u64::from_le_bytes([octet; 8])
}

/// `YYYYMMDDHHmmSS` as seconds since 1970 modulo 2^32 (RFC 4034 §3.2).
#[inline]
pub(super) fn time(word: Word<'_>) -> Option<u32> {
    if word.len != 14 {
        return None;
    }
    let date = decimal_8(word.head(), 8)?;
    let rest: &[u8; 8] = word.block[8..].first_chunk()?;
    let clock = decimal_8(u64::from_le_bytes(*rest), 6)?;
    let (year, month, day) = (u64::from(date / 10_000), u64::from(date / 100 % 100), u64::from(date % 100));
    let (hour, minute, second) = (u64::from(clock / 10_000), u64::from(clock / 100 % 100), u64::from(clock % 100));
    let is_right = (1970..=2106 + 136).contains(&year) && (1..=12).contains(&month) && hour < 24;
    if !is_right || minute > 59 || second > 59 || day == 0 || day > days_in(year, month) {
        return None;
    }
    // Days of years that start in March, so that the leap day is the last one.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - DAYS_BEFORE_1970;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second) as u32)
}

/// From the 1st of March of the year 0 to the 1st of January 1970.
const DAYS_BEFORE_1970: u64 = 719_468;

/// Four numbers up to 255 without leading zeros.
#[inline(always)]
pub(super) fn ipv4(word: Word<'_>) -> Option<[u8; 4]> {
    let len = word.len as u32;
    let dots = word.dots & ((1 << len) - 1);
    let first = dots.trailing_zeros();
    let dots = dots & dots.wrapping_sub(1);
    let second = dots.trailing_zeros();
    let dots = dots & dots.wrapping_sub(1);
    let third = dots.trailing_zeros();
    if dots == 0 || dots & (dots - 1) != 0 || len > 15 {
        return None;
    }
    let (mut wrong, mut is_wrong, mut octets) = (0, false, [0; 4]);
    let ends = [(0, first), (first + 1, second), (second + 1, third), (third + 1, len)];
    for (octet, (start, end)) in octets.iter_mut().zip(ends) {
        let size = end - start;
        let text: &[u8; 4] = word.block[start as usize & 15..].first_chunk()?;
        // The digits go to the top, and at least one octet below them becomes zero.
        let x = (u32::from_le_bytes(*text) ^ 0x3030_3030).wrapping_shl(32u32.wrapping_sub(8 * size));
        let value = (x >> 24) + 10 * (x >> 16 & 0xff) + 100 * (x >> 8 & 0xff);
        wrong |= x.wrapping_add(0x7676_7676) | x;
        is_wrong |= size.wrapping_sub(1) > 2 || value > 255 || value < LEAST[size as usize % 4];
        *octet = value as u8;
    }
    (wrong & 0x8080_8080 == 0 && !is_wrong).then_some(octets)
}

/// The least number that takes so many digits without a leading zero.
const LEAST: [u32; 4] = [0, 0, 10, 100];

/// Groups of hexadecimal digits with colons between them, and one gap at most (RFC 4291 §2.2); without the form that
/// ends in an IPv4 address.
#[inline]
pub(super) fn ipv6(word: Word<'_>) -> Option<[u8; 16]> {
    if word.len > 39 {
        return None;
    }
    let mut colons = places_of(b':', word.block) & ((1 << word.len) - 1);
    let gaps = colons & colons << 1;
    // No gap or one; a colon at either end is part of it.
    let last = 1u64 << (word.len - 1);
    if gaps & gaps.wrapping_sub(1) != 0
        || (colons & 1 != 0 && gaps & 2 == 0)
        || (colons & last != 0 && gaps & last == 0)
    {
        return None;
    }
    // The end of a last group counts as a colon too.
    if colons & last == 0 {
        colons |= last << 1;
    }
    let (mut groups, mut count, mut gap_at, mut start, mut wrong) = ([0u16; 8], 0, None, 0, 0);
    while colons != 0 {
        let end = colons.trailing_zeros();
        colons &= colons - 1;
        if end > start {
            let (group, error) = hex_group(word.block, start, end - start)?;
            *groups.get_mut(count)? = group;
            wrong |= error;
            count += 1;
        }
        if gaps & 1 << (end + 1) != 0 {
            gap_at = Some(count);
        }
        start = end + 1;
    }
    let missing = 8 - count;
    match gap_at {
        // A gap stands for one group at least.
        Some(at) if missing > 0 => {
            groups.copy_within(at..count, at + missing);
            groups[at..at + missing].fill(0);
        }
        None if missing == 0 => {}
        _ => return None,
    }
    if wrong != 0 {
        return None;
    }
    let mut octets = [0; 16];
    for (pair, group) in octets.chunks_exact_mut(2).zip(groups) {
        pair.copy_from_slice(&group.to_be_bytes());
    }
    Some(octets)
}

/// One to four hexadecimal digits; the second number is not zero when there are others among them.
#[inline(always)]
fn hex_group(block: &[u8; BLOCK_SIZE], start: u32, len: u32) -> Option<(u16, u8)> {
    if len > 4 {
        return None;
    }
    let text: &[u8; 4] = block.get(start as usize..)?.first_chunk()?;
    let zeros = u32::from_le_bytes([b'0'; 4]);
    let digits = (u32::from_le_bytes(*text) ^ zeros) << (32 - 8 * len) ^ zeros;
    let [a, b, c, d] = digits.to_le_bytes().map(hex);
    let group = u16::from(a) << 12 | u16::from(b) << 8 | u16::from(c) << 4 | u16::from(d);
    Some((group, (a | b | c | d) & 0xf0))
}

/// The value of a hexadecimal digit, [`NO_HEX`] for other octets.
#[inline(always)]
pub(super) fn hex(octet: u8) -> u8 {
    HEX[usize::from(octet)]
}

/// No digit has a bit of the upper four.
pub(super) const NO_HEX: u8 = 0xff;

static HEX: [u8; 256] = {
    let mut values = [NO_HEX; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value as usize];
        values[digit as usize] = value;
        values[digit.to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text as a word with other digits and dots behind it.
    fn with_word<T>(text: &str, read: impl FnOnce(Word<'_>) -> T) -> T {
        let mut block = *b"0.1:2f 3.4:5e.6:7d.8:9c.0:1b 0.1:2f 3.4:5e.6:7d.8:9c.0:1b 0.1:2f 3.";
        let mut exact = [0; BLOCK_SIZE];
        block[..text.len()].copy_from_slice(text.as_bytes());
        exact.copy_from_slice(&block[..BLOCK_SIZE]);
        read(Word { block: &exact, len: text.len(), dots: places_of(b'.', &exact) })
    }

    #[test]
    fn numbers_of_up_to_eight_digits_are_read() {
        for (text, number) in
            [("0", Some(0)), ("00000007", Some(7)), ("99999999", Some(99_999_999)), ("123456789", None)]
        {
            assert_eq!(with_word(text, decimal), number, "{text}");
        }
        assert_eq!((with_word("65535", decimal_u16), with_word("65536", decimal_u16)), (Some(65535), None));
        assert_eq!((with_word("255", decimal_u8), with_word("256", decimal_u8)), (Some(255), None));
    }

    proptest! {
        #[test]
        fn a_number_is_what_the_slow_path_reads(text in "[0-9]{1,9}|[0-9a:/ -]{1,9}") {
            let theirs = crate::number::decimal(text.as_bytes(), u64::MAX).filter(|_| text.len() <= 8);
            prop_assert_eq!(with_word(&text, decimal).map(u64::from), theirs);
        }

        #[test]
        fn a_time_is_what_the_slow_path_reads(
            text in "(19[67][0-9]|2[0-9]{3})(0[0-9]|1[0-3])([0-3][0-9])([0-2][0-9])([0-6][0-9])([0-6][0-9])|[0-9:a]{14}"
        ) {
            prop_assert_eq!(with_word(&text, time), crate::rdata::time::time(text.as_bytes()));
        }

        #[test]
        fn an_ipv4_address_is_what_the_slow_path_reads(
            text in "[0-9.]{1,17}|([0-9]{1,3}\\.){3}[0-9]{1,4}|((0|[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-5]{2})\\.){3}[0-9]{1,2}|[0-9a/:.]{7,15}"
        ) {
            prop_assert_eq!(with_word(&text, ipv4), crate::rdata::address::ipv4(text.as_bytes()), "{}", text);
        }

        #[test]
        fn an_ipv6_address_is_what_the_slow_path_reads(
            text in "[0-9a-fA-F:]{1,40}|([0-9a-f]{1,4}:){7}[0-9a-f]{1,5}|([0-9a-f]{1,4}:){0,6}(:[0-9a-f]{1,4}){0,8}|[0-9a-f:.g]{1,30}|::|:{1,3}([0-9a-f]:?){0,8}|([0-9a-f]:){1,8}:?"
        ) {
            prop_assume!(!text.is_empty());
            // The form with an IPv4 address at its end is left to the slow path.
            let theirs = crate::rdata::address::ipv6(text.as_bytes()).filter(|_| !text.contains('.'));
            prop_assert_eq!(with_word(&text, ipv6), theirs, "{}", text);
        }
    }
}
