//! Domain names from text, straight into wire form (RFC 1035 §5.1).

use nss_wire::name::{LABEL_SIZE_MAX, NAME_SIZE_MAX, unescape};
use nss_wire::{Name, NameError};

use crate::error::{ErrorKind, FieldError};

/// Why text is not a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NameFault {
    /// Broken at this offset of the text.
    Bad(NameError, usize),
    /// Relative, or `@`, and there is no origin.
    NoOrigin,
}

impl NameFault {
    /// The offset in the text.
    pub(crate) fn at(&self) -> usize {
        match *self {
            NameFault::Bad(_, at) => at,
            NameFault::NoOrigin => 0,
        }
    }
}

impl From<NameFault> for ErrorKind {
    fn from(fault: NameFault) -> ErrorKind {
        match fault {
            NameFault::Bad(error, _) => ErrorKind::Name(error),
            NameFault::NoOrigin => ErrorKind::NoOrigin,
        }
    }
}

impl From<NameFault> for FieldError {
    fn from(fault: NameFault) -> FieldError {
        match fault {
            NameFault::Bad(error, _) => FieldError::Name(error),
            NameFault::NoOrigin => FieldError::NoOrigin,
        }
    }
}

/// Appends the wire form of the name that `text` is to `out`; a relative name is completed with `origin`.
///
/// After a fault `out` may hold part of a name.
pub(crate) fn read(text: &[u8], origin: Option<Name<'_>>, out: &mut Vec<u8>) -> Result<(), NameFault> {
    let start = out.len();
    match text {
        b"" => return Err(NameFault::Bad(NameError::Empty, 0)),
        b"." => {
            out.push(0);
            return Ok(());
        }
        b"@" => {
            out.extend_from_slice(origin.ok_or(NameFault::NoOrigin)?.as_wire());
            return Ok(());
        }
        _ => {}
    }
    match read_plain(text, out) {
        Some(Ends::Absolute) => return Ok(()),
        Some(Ends::Relative) => out.extend_from_slice(origin.ok_or(NameFault::NoOrigin)?.as_wire()),
        None => {
            out.truncate(start);
            read_any(text, origin, out)?;
        }
    }
    if out.len() - start > NAME_SIZE_MAX {
        return Err(NameFault::Bad(NameError::NameTooLong, 0));
    }
    Ok(())
}

/// How the text of a name ends.
enum Ends {
    /// With the dot of the root label.
    Absolute,
    /// With a label, and the origin is to follow.
    Relative,
}

/// Appends the labels of a name without escapes and mistakes; `None` for others, with octets left in `out`.
///
/// Text and wire form differ only in that one has a dot behind each label and the other a length before it: the text
/// is copied as a whole, and the dots made lengths.
fn read_plain(text: &[u8], out: &mut Vec<u8>) -> Option<Ends> {
    if text.len() >= NAME_SIZE_MAX {
        return None;
    }
    let start = out.len();
    out.push(0);
    out.extend_from_slice(text);
    let wire = &mut out[start..];
    let mut label = 0;
    for at in 1..wire.len() {
        match wire[at] {
            b'.' => {
                wire[label] = label_size(at - label - 1)?;
                label = at;
            }
            b'\\' => return None,
            _ => {}
        }
    }
    match wire.len() - label - 1 {
        0 => {
            wire[label] = 0;
            Some(Ends::Absolute)
        }
        size => {
            wire[label] = label_size(size)?;
            Some(Ends::Relative)
        }
    }
}

fn label_size(size: usize) -> Option<u8> {
    (1..=LABEL_SIZE_MAX).contains(&size).then_some(size as u8)
}

/// Appends a name whatever is in its text, or finds out what is wrong with it.
fn read_any(text: &[u8], origin: Option<Name<'_>>, out: &mut Vec<u8>) -> Result<(), NameFault> {
    let start = out.len();
    let mut at = 0;
    loop {
        let (label, label_at) = (out.len(), at);
        out.push(0);
        at = read_label(text, at, out)?;
        let len = out.len() - label - 1;
        if len == 0 {
            return Err(NameFault::Bad(NameError::EmptyLabel, label_at));
        }
        out[label] = label_size(len).ok_or(NameFault::Bad(NameError::LabelTooLong, label_at))?;
        if out.len() - start >= NAME_SIZE_MAX {
            return Err(NameFault::Bad(NameError::NameTooLong, 0));
        }
        if at == text.len() {
            out.extend_from_slice(origin.ok_or(NameFault::NoOrigin)?.as_wire());
            return Ok(());
        }
        // The dot.
        at += 1;
        if at == text.len() {
            out.push(0);
            return Ok(());
        }
    }
}

/// Appends the octets of the label at `at`; returns where it ends: at a dot or at the end of the text.
fn read_label(text: &[u8], mut at: usize, out: &mut Vec<u8>) -> Result<usize, NameFault> {
    loop {
        let rest = &text[at..];
        let plain = rest.iter().position(|&octet| octet == b'.' || octet == b'\\').unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        at += plain;
        if text.get(at) != Some(&b'\\') {
            return Ok(at);
        }
        let (octet, size) = unescape(&text[at..]).ok_or(NameFault::Bad(NameError::Escape, at))?;
        out.push(octet);
        at += size;
    }
}

#[cfg(test)]
mod tests {
    use nss_wire::NameBuf;
    use proptest::prelude::*;

    use super::*;

    fn ours(text: &[u8], origin: Name<'_>) -> Result<NameBuf, NameFault> {
        let mut out = Vec::new();
        read(text, Some(origin), &mut out).map(|()| Name::from_wire_exact(&out).unwrap().to_buf())
    }

    #[test]
    fn a_relative_name_needs_an_origin() {
        let mut out = Vec::new();
        assert_eq!(read(b"www", None, &mut out), Err(NameFault::NoOrigin));
        assert_eq!(read(b"@", None, &mut out), Err(NameFault::NoOrigin));
        assert_eq!(read(b"www.", None, &mut Vec::new()), Ok(()));
    }

    #[test]
    fn a_mistake_is_found_where_it_stands() {
        let origin = Name::ROOT;
        assert_eq!(ours(b"a..b", origin), Err(NameFault::Bad(NameError::EmptyLabel, 2)));
        assert_eq!(ours(b"ab\\25", origin), Err(NameFault::Bad(NameError::Escape, 2)));
        let long = [b"x.".as_slice(), &[b'y'; 64]].concat();
        assert_eq!(ours(&long, origin), Err(NameFault::Bad(NameError::LabelTooLong, 2)));
        assert!(ours(&long[..65], origin).is_ok());
    }

    proptest! {
        /// `wire` reads names too, in another way.
        #[test]
        fn reads_what_wire_reads(text in "([a-c.@\\\\]|\\\\[0-9]{3}|x{60}){0,12}", origin in "([a-z]{1,60}\\.){0,3}") {
            let origin: NameBuf = if origin.is_empty() { Name::ROOT.to_buf() } else { origin.parse().unwrap() };
            let theirs = NameBuf::from_presentation(text.as_bytes(), origin.as_name());
            prop_assert_eq!(ours(text.as_bytes(), origin.as_name()).ok(), theirs.ok());
        }
    }
}
