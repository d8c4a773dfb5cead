//! The domain names within RDATA, and what depends on them: canonical form and canonical order.

use core::cmp::Ordering;

use super::check::{RELAY_TYPE_BITS, a6_prefix, extent};
use super::{Field, Kind, NameRule};
use crate::{Name, RType, rdata};

/// One domain name within RDATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamePart<'a> {
    /// Offset of the name's first octet within the RDATA.
    pub offset: usize,
    /// The name itself.
    pub name: Name<'a>,
    /// What may be done with it.
    pub rule: NameRule,
}

/// The names within uncompressed RDATA, in order; ends early where the RDATA is broken.
pub fn names(rtype: RType, rdata: &[u8]) -> impl Iterator<Item = NamePart<'_>> {
    let mut walk = Walk::new(rtype);
    core::iter::from_fn(move || {
        let (offset, len, rule) = walk.next(rdata)?;
        let name = Name::from_wire_exact(rdata.get(offset..offset + len)?).ok()?;
        Some(NamePart { offset, name, rule })
    })
}

/// Puts uncompressed RDATA into canonical form in place: its names in lower case where RFC 4034 §6.2 says so.
///
/// RFC 6840 §5.1 corrects the list there: the name in an NSEC record keeps its letter case.
pub fn canonicalize(rtype: RType, rdata: &mut [u8]) {
    let mut walk = Walk::new(rtype);
    while let Some((offset, len, rule)) = walk.next(rdata) {
        if rule.is_lowercased() {
            // Length octets are at most 63 and so never a letter.
            rdata[offset..offset + len].make_ascii_lowercase();
        }
    }
}

/// Compares the canonical forms of two records' RDATA as strings of octets (RFC 4034 §6.3); equal means: one record twice.
pub fn compare(rtype: RType, a: &[u8], b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    // Most records have no capital letter: then the octets are compared as they are.
    match a.iter().zip(b).position(|(a, b)| a != b) {
        Some(at) if !a[..=at].iter().any(u8::is_ascii_uppercase) && !b[at].is_ascii_uppercase() => a[at].cmp(&b[at]),
        _ => canonical_octets(rtype, a).cmp(canonical_octets(rtype, b)),
    }
}

/// The octets of the canonical form, one by one, without a copy.
pub fn canonical_octets(rtype: RType, rdata: &[u8]) -> impl Iterator<Item = u8> {
    let mut walk = Walk::new(rtype);
    let mut next_name = walk.next(rdata);
    rdata.iter().enumerate().map(move |(i, &octet)| {
        while let Some((offset, len, rule)) = next_name
            && i >= offset
        {
            if i < offset + len {
                return if rule.is_lowercased() { octet.to_ascii_lowercase() } else { octet };
            }
            next_name = walk.next(rdata);
        }
        octet
    })
}

/// A walk over the fields that stops at each name; does not borrow the RDATA, so that it may be changed on the way.
struct Walk {
    fields: &'static [Field],
    at: usize,
}

impl Walk {
    fn new(rtype: RType) -> Walk {
        Walk { fields: rdata::info(rtype).map_or(&[], |info| info.fields), at: 0 }
    }

    /// Offset, length and rule of the next name.
    fn next(&mut self, rdata: &[u8]) -> Option<(usize, usize, NameRule)> {
        while let Some((field, rest)) = self.fields.split_first() {
            let start = self.at;
            if field.kind == Kind::Names {
                let len = extent(Kind::Name(NameRule::Verbatim), rdata, start).ok()?;
                self.at += len;
                return Some((start, len, NameRule::Verbatim));
            }
            let end = start + extent(field.kind, rdata, start).ok()?;
            (self.at, self.fields) = (end, rest);
            let (offset, rule) = match field.kind {
                Kind::Name(rule) => (start, rule),
                Kind::A6 => match a6_prefix(rdata, start) {
                    Ok((1.., octets)) => (start + 1 + octets, NameRule::Lowercase),
                    _ => continue,
                },
                Kind::Gateway if rdata.get(1) == Some(&3) => (start, NameRule::Verbatim),
                Kind::Relay if rdata[start] & RELAY_TYPE_BITS == 3 => (start + 1, NameRule::Verbatim),
                _ => continue,
            };
            return Some((offset, end - offset, rule));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    fn finds(rtype: RType, rdata: &[u8], expected: &[(usize, &str)]) {
        let found: Vec<_> = names(rtype, rdata).map(|part| (part.offset, part.name.to_string())).collect();
        let expected: Vec<_> = expected.iter().map(|&(offset, name)| (offset, name.to_string())).collect();
        assert_eq!(found, expected, "{rtype}");
    }

    #[test]
    fn names_are_found_wherever_a_type_hides_them() {
        finds(RType::A, &[192, 0, 2, 1], &[]);
        finds(RType::MX, b"\x00\x0a\x02mx\x00", &[(2, "mx.")]);
        finds(RType::SOA, b"\x01m\x00\x01r\x0012345678901234567890", &[(0, "m."), (3, "r.")]);
        finds(RType::HIP, b"\x01\x02\x00\x01HK\x01a\x00\x01b\x00", &[(6, "a."), (9, "b.")]);
        finds(RType::IPSECKEY, b"\x0a\x03\x02\x01g\x00key", &[(3, "g.")]);
        finds(RType::IPSECKEY, b"\x0a\x00\x02\x01g\x00key", &[]);
        finds(RType::AMTRELAY, b"\x0a\x83\x01g\x00", &[(2, "g.")]);
        finds(RType::A6, b"\x7f\x01\x01p\x00", &[(2, "p.")]);
        finds(RType::MX, b"\x00\x0a\xc0\x0c", &[]);
    }

    #[test]
    fn canonical_form_folds_the_types_of_rfc_4034_and_no_others() {
        let is = |rtype, rdata: &[u8], canonical: &[u8]| {
            let mut octets = rdata.to_vec();
            canonicalize(rtype, &mut octets);
            assert_eq!(octets, canonical, "{rtype}");
            assert_eq!(canonical_octets(rtype, rdata).collect::<Vec<_>>(), canonical, "{rtype}");
        };
        is(RType::MX, b"A\x0a\x02MX\x00", b"A\x0a\x02mx\x00");
        is(RType::MINFO, b"\x01A\x00\x01B\x00", b"\x01a\x00\x01b\x00");
        is(RType::NSEC, b"\x01A\x00\x00\x01\x41", b"\x01A\x00\x00\x01\x41");
        is(RType::SVCB, b"\x00\x01\x01A\x00", b"\x00\x01\x01A\x00");
        is(RType::TXT, b"\x01A", b"\x01A");
        is(RType::NAPTR, b"\x00\x01\x00\x01\x01U\x01E\x00\x01R\x00", b"\x00\x01\x00\x01\x01U\x01E\x00\x01r\x00");
        is(RType(65280), b"\x01A\x00", b"\x01A\x00");
    }

    #[test]
    fn order_is_that_of_the_canonical_octets() {
        assert_eq!(compare(RType::NS, b"\x01A\x00", b"\x01a\x00"), Ordering::Equal);
        assert_eq!(compare(RType::NS, b"\x01a\x00", b"\x01B\x00"), Ordering::Less);
        assert_eq!(compare(RType::TXT, b"\x01a", b"\x01B"), Ordering::Greater);
        assert_eq!(compare(RType::A, &[10, 0, 0, 1], &[9, 0, 0, 1]), Ordering::Greater);
        assert_eq!(compare(RType::NULL, b"", b"\x00"), Ordering::Less);
    }
}
