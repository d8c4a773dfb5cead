//! Names in messages, whose ends may be pointers to earlier names (RFC 1035 §4.1.4).

use core::fmt;

use super::HEADER_SIZE;
use crate::name::{LABEL_COUNT_MAX, LABEL_SIZE_MAX, NAME_SIZE_MAX};
use crate::{Name, NameBuf, NameError};

/// A name that was found well-formed where it stands in a message, compressed or not.
#[derive(Clone, Copy)]
pub struct CompressedName<'a> {
    message: &'a [u8],
    at: usize,
    wire_len: usize,
}

impl<'a> CompressedName<'a> {
    /// Reads the name at offset `at`; returns it and the offset of what follows it there.
    ///
    /// Each pointer has to point before the octets read so far, so that no message can make a loop, and there may
    /// be no more pointers than a name has labels at most, so that a chain of pointers costs no more than a name.
    ///
    /// # Errors
    ///
    /// As [`Name::from_wire`], and a pointer that does not point backwards or points into the header.
    pub fn read(message: &'a [u8], at: usize) -> Result<(CompressedName<'a>, usize), NameError> {
        let mut here = at;
        let mut run_start = at;
        let mut next = None;
        let mut wire_len = 0;
        let mut pointers_left = LABEL_COUNT_MAX;
        loop {
            let length = *message.get(here).ok_or(NameError::Truncated)?;
            if usize::from(length) <= LABEL_SIZE_MAX {
                let size = 1 + usize::from(length);
                wire_len += size;
                here += size;
                if wire_len > NAME_SIZE_MAX {
                    return Err(NameError::NameTooLong);
                }
                if length == 0 {
                    return Ok((CompressedName { message, at, wire_len }, next.unwrap_or(here)));
                }
            } else if length >= POINTER {
                let low = *message.get(here + 1).ok_or(NameError::Truncated)?;
                let target = usize::from(length & !POINTER) << 8 | usize::from(low);
                if target >= run_start || target < HEADER_SIZE || pointers_left == 0 {
                    return Err(NameError::Pointer);
                }
                next = next.or(Some(here + 2));
                pointers_left -= 1;
                (here, run_start) = (target, target);
            } else {
                return Err(NameError::LabelType);
            }
        }
    }

    /// Octets of the uncompressed wire form.
    pub fn wire_len(self) -> usize {
        self.wire_len
    }

    /// Whether this is the root, `.`.
    pub fn is_root(self) -> bool {
        self.wire_len == 1
    }

    /// The labels from the leftmost on, the root label left out.
    pub fn labels(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let CompressedName { message, mut at, .. } = self;
        core::iter::from_fn(move || {
            // `read` has followed the same path and found its end.
            loop {
                match *message.get(at)? {
                    0 => return None,
                    pointer @ POINTER.. => {
                        at = usize::from(pointer & !POINTER) << 8 | usize::from(*message.get(at + 1)?);
                    }
                    length => {
                        let end = at + 1 + usize::from(length);
                        let label = message.get(at + 1..end)?;
                        at = end;
                        return Some(label);
                    }
                }
            }
        })
    }

    /// The name where it stands in the message when no pointer is in it, which needs no copy.
    pub fn as_name(self) -> Option<Name<'a>> {
        let octets = self.message.get(self.at..self.at + self.wire_len)?;
        Name::from_wire_exact(octets).ok()
    }

    /// An owned, uncompressed copy in the same letter case.
    pub fn to_buf(self) -> NameBuf {
        let mut builder = crate::NameBuilder::new();
        for label in self.labels() {
            builder.push_label(label).expect("the length of the whole name was checked when it was read");
        }
        builder.finish()
    }
}

impl PartialEq<Name<'_>> for CompressedName<'_> {
    /// Whether both are the same name; ASCII letters in either case are equal (RFC 4343).
    fn eq(&self, other: &Name<'_>) -> bool {
        self.wire_len == other.wire_len() && self.labels().zip(other.labels()).all(|(a, b)| a.eq_ignore_ascii_case(b))
    }
}

impl fmt::Display for CompressedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_buf(), f)
    }
}

impl fmt::Debug for CompressedName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The two high bits that tell a pointer from the length of a label.
pub(super) const POINTER: u8 = 0xc0;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    /// The name at the end of a message made of twelve octets, `before` and `octets`, and how many of those it takes.
    fn read(before: &[u8], octets: &[u8]) -> Result<(NameBuf, usize), NameError> {
        let message = [&[0; 12], before, octets].concat();
        let at = 12 + before.len();
        CompressedName::read(&message, at).map(|(name, next)| (name.to_buf(), next - at))
    }

    #[test]
    fn pointers_lead_backwards_only() {
        let name = |text: &str| text.parse::<NameBuf>().unwrap();
        assert_eq!(read(b"", b"\x01a\x00rest"), Ok((name("a."), 3)));
        assert_eq!(read(b"\x01b\x00", b"\x01a\xc0\x0crest"), Ok((name("a.b."), 4)));
        assert_eq!(read(b"\x01b\x00\xc0\x0c", b"\x01a\xc0\x0f"), Ok((name("a.b."), 4)));
        assert_eq!(read(b"", b"\xc0\x0c"), Err(NameError::Pointer));
        assert_eq!(read(b"", b"\x01a\xc0\x0c"), Err(NameError::Pointer));
        assert_eq!(read(b"", b"\xc0\x0e\x00"), Err(NameError::Pointer));
        assert_eq!(read(b"\x01b\x00", b"\xc0\x0b"), Err(NameError::Pointer));
        assert_eq!(read(b"\x01b\xc0\x0f", b"\xc0\x0c"), Err(NameError::Pointer));
        assert_eq!(read(b"", b"\xc0"), Err(NameError::Truncated));
        assert_eq!(read(b"", b"\x02a"), Err(NameError::Truncated));
        assert_eq!(read(b"", b"\x40a\x00"), Err(NameError::LabelType));
        assert_eq!(read(b"", b"\x80a\x00"), Err(NameError::LabelType));
    }

    #[test]
    fn a_name_put_together_by_pointers_has_255_octets_at_most() {
        let long: Vec<u8> = [&[63][..], &[b'x'; 63]].concat().repeat(3).into_iter().chain([0]).collect();
        let with = |size: usize| [&[size as u8][..], &[b'y'; 63][..size], &[0xc0, 12]].concat();
        assert_eq!(read(&long, &with(61)).map(|(name, _)| name.as_name().wire_len()), Ok(255));
        assert_eq!(read(&long, &with(62)), Err(NameError::NameTooLong));
    }

    #[test]
    fn a_chain_of_pointers_ends_after_as_many_as_a_name_has_labels() {
        let chain = |count: u8| -> Vec<u8> {
            (0..count).fold(b"\x01a\x00\x00".to_vec(), |mut octets, i| {
                octets.extend([0xc0, if i == 0 { 12 } else { 14 + 2 * i }]);
                octets
            })
        };
        assert!(read(&chain(100), b"\xc0\xd6").is_ok());
        let octets = chain(119);
        let last = octets.len() as u8 + 10;
        assert!(read(&octets, &[0xc0, last]).is_ok());
        // Chains longer than 255 octets of pointers need both octets of an offset.
        let mut octets = b"\x01a\x00\x00".to_vec();
        let mut target = 12u16;
        for _ in 0..127 {
            octets.extend((0xc000 | target).to_be_bytes());
            target = 12 + octets.len() as u16 - 2;
        }
        assert_eq!(read(&octets, &(0xc000 | target).to_be_bytes()), Err(NameError::Pointer));
        assert!(read(&octets[..octets.len() - 2], &(0xc000 | (target - 2)).to_be_bytes()).is_ok());
    }

    #[test]
    fn a_name_without_pointer_is_borrowed() {
        let message = b"............\x01a\x00\x01b\xc0\x0c";
        let (plain, _) = CompressedName::read(message, 12).unwrap();
        let (compressed, _) = CompressedName::read(message, 15).unwrap();
        assert_eq!(plain.as_name().map(|name| name.to_string()), Some("a.".to_string()));
        assert_eq!(compressed.as_name(), None);
        assert!(compressed == "B.A".parse::<NameBuf>().unwrap().as_name());
        assert!(compressed != "a.b".parse::<NameBuf>().unwrap().as_name());
    }
}
