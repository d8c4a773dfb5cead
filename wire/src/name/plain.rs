//! Names out of text that holds no escape, when somebody else has found the dots already.

use super::{LABEL_SIZE_MAX, NAME_SIZE_MAX, Name, NameBuf};

/// The octets of text that are looked at together.
pub const BLOCK_SIZE: usize = 64;

/// The text of a name of at most [`LABEL_SIZE_MAX`] octets in all, and where its labels end.
///
/// Octets in a label may have any value, so that whatever the mask of the dots says, a name comes out. Whether the
/// text has escapes, or is `.` or `@`, is for the caller to find out.
#[derive(Clone, Copy, Debug)]
pub struct PlainText<'a> {
    block: &'a [u8; BLOCK_SIZE],
    /// From 1 to 63.
    len: usize,
    /// Bit `i` for a dot at `block[i]`: none at the start, none behind another, none from `len` on.
    dots: u64,
}

impl<'a> PlainText<'a> {
    /// The first `len` octets of `block`; bit `i` of `dots` says that `block[i]` is a dot.
    ///
    /// `None` when a label is empty, or `len` is not from 1 to 63: then no label can be longer than it may.
    #[inline(always)]
    pub fn new(block: &'a [u8; BLOCK_SIZE], len: usize, dots: u64) -> Option<PlainText<'a>> {
        if !(1..=LABEL_SIZE_MAX).contains(&len) {
            return None;
        }
        let dots = dots & ((1 << len) - 1);
        (dots & (dots << 1 | 1) == 0).then_some(PlainText { block, len, dots })
    }

    /// Whether the text ends in a dot, so that no origin completes it.
    #[inline(always)]
    pub fn is_absolute(self) -> bool {
        self.dots >> (self.len - 1) != 0
    }

    /// Writes the labels, of an absolute name the root label too; returns how many octets of `out` they take.
    ///
    /// The octets of `out` behind them have no meaning.
    #[inline(always)]
    pub fn write(self, out: &mut [u8; BLOCK_SIZE + 1]) -> usize {
        // Text and wire form differ only in that one has a dot behind each label and the other a length before it.
        // The end counts as one more dot, which behind a last dot gives the length 0 of the root label.
        out[1..].copy_from_slice(self.block);
        let mut ends = self.dots | 1 << self.len;
        let mut label = 0;
        let mut next = |ends: &mut u64| {
            // When no end is left, what is written lies behind the name, where nothing has a meaning.
            let end = (*ends | 1 << 63).trailing_zeros() as usize;
            out[label] = (end as u8).wrapping_sub(label as u8);
            label = end + 1;
            *ends &= ends.wrapping_sub(1);
        };
        // Names have few labels: always to do a few costs less than to guess wrong how many there are.
        for _ in 0..4 {
            next(&mut ends);
        }
        while ends != 0 {
            next(&mut ends);
        }
        self.len + 1
    }
}

impl NameBuf {
    /// Makes this the name that `text` is, completed with `origin` when it is relative.
    ///
    /// `None`, and nothing is changed, when there is no origin or the name would be longer than 255 octets.
    #[inline(always)]
    pub fn assign(&mut self, text: PlainText<'_>, origin: Option<Name<'_>>) -> Option<()> {
        if text.is_absolute() {
            self.len = text.write(self.head()) as u8;
            return Some(());
        }
        let origin = origin?.wire;
        let len = text.len + 1 + origin.len();
        if len > NAME_SIZE_MAX {
            return None;
        }
        let size = text.write(self.head());
        self.wire[size..len].copy_from_slice(origin);
        self.len = len as u8;
        Some(())
    }

    #[inline(always)]
    fn head(&mut self) -> &mut [u8; BLOCK_SIZE + 1] {
        self.wire.first_chunk_mut().expect("a name has room for 255 octets")
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// The name that the text is, read from a block with other octets behind it.
    fn assigned(text: &[u8], origin: Option<Name<'_>>) -> Option<NameBuf> {
        let mut block = [b'.'; BLOCK_SIZE];
        block.get_mut(..text.len())?.copy_from_slice(text);
        let dots = block.iter().rev().fold(0, |dots, &octet| dots << 1 | u64::from(octet == b'.'));
        let mut name = Name::ROOT.to_buf();
        name.assign(PlainText::new(&block, text.len(), dots)?, origin)?;
        Some(name)
    }

    #[test]
    fn text_of_up_to_63_octets_is_read() {
        let longest: Vec<u8> = b"abcdefg.".repeat(8)[..63].to_vec();
        assert_eq!(assigned(&longest, Some(Name::ROOT)), NameBuf::from_presentation(&longest, Name::ROOT).ok());
        assert!(assigned(&[b'x'; 63], Some(Name::ROOT)).is_some());
        assert_eq!((assigned(&[b'x'; 64], Some(Name::ROOT)), assigned(b"", Some(Name::ROOT))), (None, None));
    }

    #[test]
    fn a_name_ends_at_255_octets() {
        let origin = NameBuf::from_presentation(&b"abcdefg.".repeat(24), Name::ROOT).unwrap();
        assert_eq!(origin.as_name().wire_len(), 193);
        assert_eq!(assigned(&[b'x'; 61], Some(origin.as_name())).unwrap().as_name().wire_len(), 255);
        assert_eq!(assigned(&[b'x'; 62], Some(origin.as_name())), None);
    }

    proptest! {
        #[test]
        fn plain_text_is_the_name_that_presentation_form_is(text in "[a-c.]{1,63}|([a-z]{1,4}\\.){1,12}", has_origin: bool) {
            let origin: NameBuf = "example".parse().unwrap();
            let theirs = NameBuf::from_presentation(text.as_bytes(), origin.as_name()).ok();
            // The root is for the caller, and without an origin a relative name is none.
            let theirs = theirs.filter(|_| text != "." && (has_origin || text.ends_with('.')));
            let ours = assigned(text.as_bytes(), has_origin.then_some(origin.as_name()));
            prop_assert_eq!(ours.as_ref().map(|it| it.as_name().as_wire()), theirs.as_ref().map(|it| it.as_name().as_wire()));
        }

        /// Whatever the mask says, what comes out is a name.
        #[test]
        fn any_mask_gives_a_name(block: [u8; 64], len in 0usize..70, dots: u64) {
            let mut name = Name::ROOT.to_buf();
            if let Some(text) = PlainText::new(&block, len, dots) {
                name.assign(text, Some(Name::ROOT)).unwrap();
            }
            prop_assert!(Name::from_wire_exact(name.as_name().as_wire()).is_ok());
        }
    }
}
