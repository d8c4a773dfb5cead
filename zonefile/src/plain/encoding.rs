//! Digests and keys: hexadecimal digits, Base64 and base32hex, which find their own end.

use super::digits::{NO_HEX, hex};
use super::line::Word;

/// Decodes hexadecimal digits from `at` on, in one piece; returns where they end and how many octets they gave.
///
/// `None` for an odd number of digits, and when `out` is too small.
#[inline]
pub(super) fn hex_octets(text: &[u8], at: usize, out: &mut [u8]) -> Option<(usize, usize)> {
    let digits = text.get(at..)?;
    let mut size = 0;
    for (pair, octet) in digits.chunks_exact(2).zip(out.iter_mut()) {
        let (high, low) = (hex(pair[0]), hex(pair[1]));
        if (high | low) & 0xf0 != 0 {
            break;
        }
        *octet = high << 4 | low;
        size += 1;
    }
    let end = 2 * size;
    // A digit that follows is half of a pair, or the first that found no room.
    (hex(*digits.get(end)?) == NO_HEX).then_some((at + end, size))
}

/// Decodes Base64 from `at` on, in one piece with its padding; returns where it ends and how many octets it gave.
///
/// Gives `None` at everything that is not as it should be, and when `out` is too small.
#[inline]
pub(super) fn base64_octets(text: &[u8], at: usize, out: &mut [u8]) -> Option<(usize, usize)> {
    let (mut at, mut size) = (at, 0);
    loop {
        let group: &[u8; 4] = text.get(at..)?.first_chunk()?;
        let [a, b, c, d] = group.map(|octet| BASE64[usize::from(octet)]);
        if (a | b | c | d) & NO_BASE64 == 0 {
            let bits = u32::from(a) << 26 | u32::from(b) << 20 | u32::from(c) << 14 | u32::from(d) << 8;
            // The fourth octet is overwritten by the next group.
            *out.get_mut(size..)?.first_chunk_mut()? = bits.to_be_bytes();
            (at, size) = (at + 4, size + 3);
            continue;
        }
        // Another group that is no whole one ends the piece: with padding, or before it.
        if a == NO_DIGIT {
            return Some((at, size));
        }
        let bits = u32::from(a) << 10 | u32::from(b) << 4 | u32::from(c & 0x3f) >> 2;
        let kept = match (a | b | c, &group[2..]) {
            (0..NO_BASE64, [_, b'=']) if c & 3 == 0 => 2,
            (_, b"==") if (a | b) & NO_BASE64 == 0 && b & 15 == 0 => 1,
            _ => return None,
        };
        let octets = (bits as u16).to_be_bytes();
        out.get_mut(size..size + kept)?.copy_from_slice(&octets[..kept]);
        (at, size) = (at + 4, size + kept);
        // Nothing of Base64 follows padding.
        return (BASE64[usize::from(*text.get(at)?)] == NO_DIGIT && text[at] != b'=').then_some((at, size));
    }
}

/// A hash in base32hex without padding.
#[inline]
pub(super) fn base32hex_octets(word: Word<'_>, out: &mut [u8]) -> Option<usize> {
    let (mut bits, mut count, mut size) = (0u32, 0, 0);
    for &octet in &word.block[..word.len] {
        bits = bits << 5 | char::from(octet).to_digit(32)?;
        count += 5;
        if count >= 8 {
            count -= 8;
            *out.get_mut(size)? = (bits >> count) as u8;
            size += 1;
            bits &= (1 << count) - 1;
        }
    }
    (count < 5 && bits == 0 && size > 0).then_some(size)
}

/// The bit that values of no digit have.
const NO_BASE64: u8 = 0x80;

/// The value of an octet that is no digit.
const NO_DIGIT: u8 = 0xff;

static BASE64: [u8; 256] = {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < digits.len() {
        values[digits[value] as usize] = value as u8;
        value += 1;
    }
    values
};
