//! Where words end and dots stand among 64 octets, found with the CPU's vector instructions.

use nss_wire::name::BLOCK_SIZE;
use wide::i8x16;

/// Bit `i` of each mask speaks of octet `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// What no plain word has in it: blanks, line ends and controls, `;`, `\`, everything up to `)`, and from DEL on.
    ///
    /// Some of that may stand in words (`!`, `#`, and octets from 128 on), but hardly ever does.
    pub(super) ends: u64,
    /// Dots, which part the labels of names and the numbers of addresses.
    pub(super) dots: u64,
}

impl Marks {
    #[inline(always)]
    pub(super) fn of(block: &[u8; BLOCK_SIZE]) -> Marks {
        let mut marks = Marks { ends: 0, dots: 0 };
        for (i, octets) in lanes(block).into_iter().enumerate() {
            let is = |octet: u8| octets.simd_eq(i8x16::splat(octet as i8));
            // One more than DEL and all behind it is a negative number, or zero.
            let outside = (octets + i8x16::splat(1)).simd_lt(i8x16::splat(b')' as i8 + 2));
            marks.ends |= bits(outside | is(b';') | is(b'\\')) << (16 * i);
            marks.dots |= bits(is(b'.')) << (16 * i);
        }
        marks
    }
}

/// Where spaces and tabs stand.
#[inline(always)]
pub(super) fn blanks(block: &[u8; BLOCK_SIZE]) -> u64 {
    places_of(b' ', block) | places_of(b'\t', block)
}

/// Where `octet` stands.
#[inline(always)]
pub(super) fn places_of(octet: u8, block: &[u8; BLOCK_SIZE]) -> u64 {
    let octet = i8x16::splat(octet as i8);
    let [a, b, c, d] = lanes(block).map(|octets| bits(octets.simd_eq(octet)));
    a | b << 16 | c << 32 | d << 48
}

#[inline(always)]
fn bits(lane: i8x16) -> u64 {
    u64::from(lane.to_bitmask())
}

#[inline(always)]
fn lanes(block: &[u8; BLOCK_SIZE]) -> [i8x16; 4] {
    core::array::from_fn(|i| {
        let octets: [u8; 16] = *block[16 * i..].first_chunk().expect("a block has four lanes");
        i8x16::new(octets.map(|octet| octet as i8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_octet_is_marked_as_what_it_is() {
        for octet in 0..=255u8 {
            for at in 0..BLOCK_SIZE {
                let mut block = [b'x'; BLOCK_SIZE];
                block[at] = octet;
                let bit = |is: bool| u64::from(is) << at;
                let is_end = octet <= b')' || b";\\".contains(&octet) || octet >= 0x7f;
                let expected = Marks { ends: bit(is_end), dots: bit(octet == b'.') };
                assert_eq!(Marks::of(&block), expected, "{octet} at {at}");
                assert_eq!(blanks(&block), bit(octet == b' ' || octet == b'\t'));
                assert_eq!(places_of(b'x', &block), !bit(octet != b'x'));
            }
        }
    }
}
