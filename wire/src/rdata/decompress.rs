//! RDATA out of a message, its compressed names written out.

use alloc::vec::Vec;
use core::ops::Range;

use super::check::{Fault, extent};
use super::{Kind, RdataError, RdataErrorKind, check};
use crate::message::CompressedName;
use crate::{NameError, RType, rdata};

/// Appends to `out` the RDATA that stands at `range` of `message`, well-formed and with no compressed name in it.
///
/// Pointers are followed in the types that RFC 3597 §4 names, and refused in all others. Unknown types are copied.
///
/// # Errors
///
/// RDATA that is not as its type wants it, or that has more than 65535 octets when its names are written out;
/// offsets are those of the octets as they stand in the message. `out` is as before then.
pub fn decompress(rtype: RType, message: &[u8], range: Range<usize>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let before = out.len();
    let result = write_out(rtype, message, range, out).and_then(|()| check(rtype, &out[before..]));
    if result.is_err() {
        out.truncate(before);
    }
    result
}

fn write_out(rtype: RType, message: &[u8], range: Range<usize>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let error = |field, (offset, kind): Fault| RdataError { field, offset, kind };
    let Some(raw) = message.get(range.clone()) else {
        return Err(error("RDATA", (message.len().saturating_sub(range.start), RdataErrorKind::Truncated)));
    };
    let before = out.len();
    let mut at = 0;
    for field in rdata::info(rtype).map_or(&[][..], |info| info.fields) {
        if let Kind::Name(rule) = field.kind
            && rule.may_hold_pointer()
        {
            let (name, size) = name(message, &range, at).map_err(|fault| error(field.name, fault))?;
            for label in name.labels() {
                // A label is at most 63 octets long.
                out.push(label.len() as u8);
                out.extend_from_slice(label);
            }
            out.push(0);
            at += size;
        } else {
            let size = extent(field.kind, raw, at).map_err(|fault| error(field.name, fault))?;
            out.extend_from_slice(&raw[at..at + size]);
            at += size;
        }
    }
    // Octets behind the last field are for `check` to refuse; for an unknown type they are all there is.
    out.extend_from_slice(&raw[at..]);
    if out.len() - before > usize::from(u16::MAX) {
        let kind = RdataErrorKind::Value("more than 65535 octets with its names written out");
        return Err(error("end", (raw.len(), kind)));
    }
    Ok(())
}

/// The name at offset `at` of the RDATA, and how many octets of the RDATA it takes.
fn name<'a>(message: &'a [u8], range: &Range<usize>, at: usize) -> Result<(CompressedName<'a>, usize), Fault> {
    let start = range.start + at;
    match CompressedName::read(message, start) {
        Ok((name, next)) if next <= range.end => Ok((name, next - start)),
        Ok(_) | Err(NameError::Truncated) => Err((range.len(), RdataErrorKind::Truncated)),
        Err(error) => Err((at, RdataErrorKind::Name(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decompresses `rdata` behind a header and the name `b.`, which stands at offset 12.
    fn of(rtype: RType, rdata: &[u8]) -> Result<Vec<u8>, RdataErrorKind> {
        let message = [&b"............\x01b\x00"[..], rdata, b"\x00beyond"].concat();
        let mut out = b"before".to_vec();
        let result = decompress(rtype, &message, 15..15 + rdata.len(), &mut out);
        assert!(result.is_ok() || out == b"before");
        result.map(|()| out.split_off(6)).map_err(|error| error.kind)
    }

    #[test]
    fn pointers_are_followed_only_in_the_types_that_may_hold_them() {
        assert_eq!(of(RType::NS, b"\x01a\xc0\x0c"), Ok(b"\x01a\x01b\x00".to_vec()));
        assert_eq!(of(RType::MX, b"\x00\x0a\xc0\x0c"), Ok(b"\x00\x0a\x01b\x00".to_vec()));
        assert_eq!(
            of(RType::SRV, b"\x00\x00\x00\x00\x00\x00\xc0\x0c"),
            Ok(b"\x00\x00\x00\x00\x00\x00\x01b\x00".to_vec())
        );
        let refused = Err(RdataErrorKind::Name(NameError::LabelType));
        assert_eq!(of(RType::DNAME, b"\xc0\x0c"), refused);
        assert_eq!(of(RType::SVCB, b"\x00\x01\xc0\x0c"), refused);
        assert_eq!(of(RType(65280), b"\xc0\x0c"), Ok(b"\xc0\x0c".to_vec()));
    }

    #[test]
    fn a_name_ends_where_the_rdata_ends() {
        assert_eq!(of(RType::NS, b"\x01a"), Err(RdataErrorKind::Truncated));
        assert_eq!(of(RType::NS, b""), Err(RdataErrorKind::Truncated));
        assert_eq!(of(RType::NS, b"\xc0\x0c\x00"), Err(RdataErrorKind::Trailing));
        assert_eq!(of(RType::A, b"\xc0\x00\x02"), Err(RdataErrorKind::Truncated));
        let mut out = Vec::new();
        assert!(decompress(RType::A, b"short", 3..9, &mut out).is_err());
        assert!(decompress(RType::A, b"short", 9..13, &mut out).is_err());
    }
}
