//! Whether octets are well-formed RDATA of a type, field by field.

use core::fmt;
use core::ops::Range;

use super::{Field, Kind, svcb};
use crate::{Name, NameError, RType, rdata};

/// Whether `rdata` is well-formed, uncompressed RDATA of `rtype`; anything is, for a type without a row in the table.
///
/// # Errors
///
/// The first field that is not as its RFC says, with the offset of the octet.
pub fn check(rtype: RType, rdata: &[u8]) -> Result<(), RdataError> {
    let mut fields = Fields::new(rtype, rdata);
    fields.try_for_each(|part| part.map(drop))?;
    if let Some((name, sizes)) = digest_size(rtype, rdata)
        && !sizes.contains(&fields.last_size)
    {
        let kind = RdataErrorKind::DigestSize { expected: sizes.start, found: fields.last_size };
        return Err(RdataError { field: name, offset: rdata.len() - fields.last_size, kind });
    }
    Ok(())
}

/// The fields of `rdata` from the first to the last, each with its place; an error ends the iteration.
///
/// Yields nothing for a type without a row in the table.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rdata: &'a [u8],
    fields: &'static [Field],
    at: usize,
    has_row: bool,
    last_size: usize,
}

impl<'a> Fields<'a> {
    /// Starts before the first field.
    pub fn new(rtype: RType, rdata: &'a [u8]) -> Fields<'a> {
        let info = rdata::info(rtype);
        Fields { rdata, fields: info.map_or(&[], |info| info.fields), at: 0, has_row: info.is_some(), last_size: 0 }
    }
}

impl Iterator for Fields<'_> {
    type Item = Result<(&'static Field, Range<usize>), RdataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some((field, rest)) = self.fields.split_first() else {
            if self.has_row && self.at < self.rdata.len() {
                let error = RdataError { field: "end", offset: self.at, kind: RdataErrorKind::Trailing };
                self.at = self.rdata.len();
                return Some(Err(error));
            }
            return None;
        };
        match extent(field.kind, self.rdata, self.at) {
            Ok(size) => {
                let start = self.at;
                self.at += size;
                self.fields = rest;
                self.last_size = size;
                Some(Ok((field, start..self.at)))
            }
            Err((offset, kind)) => {
                (self.fields, self.has_row) = (&[], false);
                Some(Err(RdataError { field: field.name, offset, kind }))
            }
        }
    }
}

/// Why octets are not RDATA of their type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RdataError {
    /// The name of the field, as in [`Field::name`]; `end` for octets after the last field.
    pub field: &'static str,
    /// Offset within the RDATA at which the mistake stands.
    pub offset: usize,
    /// What the mistake is.
    pub kind: RdataErrorKind,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RdataErrorKind {
    /// The RDATA ends within the field.
    Truncated,
    /// Octets follow the last field.
    Trailing,
    /// A domain name that is none.
    Name(NameError),
    /// The field has to hold something, but is empty.
    Empty,
    /// A digest whose size is not the one of its algorithm; sizes in octets.
    DigestSize {
        /// The size that the algorithm has, or the least that any has.
        expected: usize,
        /// The size of the field.
        found: usize,
    },
    /// A value that the field's RFC rules out; the text says which and cites the RFC.
    Value(&'static str),
}

impl fmt::Display for RdataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {} of the RDATA: {}", self.field, self.offset, self.kind)
    }
}

impl fmt::Display for RdataErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RdataErrorKind::Truncated => f.write_str("the RDATA ends within the field"),
            RdataErrorKind::Trailing => f.write_str("octets follow the last field"),
            RdataErrorKind::Name(error) => fmt::Display::fmt(error, f),
            RdataErrorKind::Empty => f.write_str("the field is empty, but has to hold something"),
            RdataErrorKind::DigestSize { expected, found } => {
                write!(f, "a digest of {found} octets where its algorithm gives {expected}")
            }
            RdataErrorKind::Value(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for RdataError {}

/// Offset and kind of a mistake within a field.
pub(super) type Fault = (usize, RdataErrorKind);

/// How many octets the field at `at` takes when it is well-formed.
pub(super) fn extent(kind: Kind, rdata: &[u8], at: usize) -> Result<usize, Fault> {
    let rest = rdata.get(at..).unwrap_or_default();
    match kind {
        Kind::Name(_) => name(rdata, at),
        Kind::Names => {
            let mut end = at;
            while end < rdata.len() {
                end += name(rdata, end)?;
            }
            Ok(end - at)
        }
        Kind::U8 | Kind::Code8(_) => fixed(rdata, at, 1),
        Kind::U16 | Kind::Type | Kind::Code16(_) => fixed(rdata, at, 2),
        Kind::U32 | Kind::Period | Kind::Time | Kind::Ipv4 => fixed(rdata, at, 4),
        Kind::Eui48 => fixed(rdata, at, 6),
        Kind::NodeNumber | Kind::Eui64 | Kind::Ilnp64 => fixed(rdata, at, 8),
        Kind::Ipv6 => fixed(rdata, at, 16),
        Kind::String | Kind::Salt => counted(rdata, at),
        Kind::OptionalString => {
            if rest.is_empty() {
                return Ok(0);
            }
            counted(rdata, at)
        }
        Kind::Strings => {
            let mut end = at + counted(rdata, at)?;
            while end < rdata.len() {
                end += counted(rdata, end)?;
            }
            Ok(end - at)
        }
        Kind::Tag => {
            let size = counted_some(rdata, at)?;
            match rest[1..size].iter().position(|octet| !octet.is_ascii_alphanumeric()) {
                None => Ok(size),
                Some(i) => Err(value(at + 1 + i, "a tag holds ASCII letters and digits only (RFC 8659 §4.1)")),
            }
        }
        Kind::HashedOwner => counted_some(rdata, at),
        Kind::Base64OrNoKey if rest.is_empty() && !has_no_key_flags(rdata) => {
            Err(value(at, "there is no key, and flags below 49152 do not say so (RFC 2535 §3.1.2)"))
        }
        Kind::Text | Kind::Base64OrNoKey | Kind::Base64OrNothing | Kind::Base64OrDash => Ok(rest.len()),
        Kind::Base64 | Kind::Hex | Kind::Nsap => some(rest, at),
        Kind::TypeBitmap => type_bitmap(rest, at),
        Kind::NxtBitmap => nxt_bitmap(rest, at),
        Kind::Location => location(rdata, at),
        Kind::AddressPrefixes => address_prefixes(rdata, at),
        Kind::Services => {
            fixed(rdata, at, 1)?;
            if rest.len() > 1 + PORT_BITMAP_SIZE_MAX {
                return Err(value(
                    at + 1 + PORT_BITMAP_SIZE_MAX,
                    "the bitmap goes beyond port 65535 (RFC 1035 §3.4.2)",
                ));
            }
            Ok(rest.len())
        }
        Kind::SvcParams => svcb::check(rest).map_err(|(offset, kind)| (at + offset, kind)).map(|()| rest.len()),
        Kind::AtmAddress => {
            fixed(rdata, at, 2)?;
            match rest[1..].iter().position(|octet| !octet.is_ascii_digit()) {
                Some(i) if rest[0] == ATM_E164 => Err(value(at + 1 + i, "an E.164 address holds decimal digits only")),
                _ => Ok(rest.len()),
            }
        }
        Kind::A6 => a6(rdata, at),
        Kind::Gateway => {
            let gateway_type = *rdata.get(1).ok_or((rdata.len(), RdataErrorKind::Truncated))?;
            gateway(gateway_type, rdata, at)
        }
        Kind::Relay => {
            fixed(rdata, at, 1)?;
            gateway(rest[0] & RELAY_TYPE_BITS, rdata, at + 1).map(|size| size + 1)
        }
        Kind::Hip => {
            fixed(rdata, at, 4)?;
            let (hit, key) = (usize::from(rest[0]), usize::from(u16::from_be_bytes([rest[2], rest[3]])));
            if hit == 0 || key == 0 {
                return Err((at, RdataErrorKind::Empty));
            }
            fixed(rdata, at, 4 + hit + key)
        }
    }
}

/// The prefix length and address octets of the A6 field at `at`, whose name starts behind them.
pub(super) fn a6_prefix(rdata: &[u8], at: usize) -> Result<(u8, usize), Fault> {
    let prefix = *rdata.get(at).ok_or((at, RdataErrorKind::Truncated))?;
    if prefix > 128 {
        return Err(value(at, "a prefix length over 128 (RFC 2874 §3.1)"));
    }
    Ok((prefix, 16 - usize::from(prefix / 8)))
}

/// Whether the flags of a KEY record, its first field, say that it has no key.
fn has_no_key_flags(rdata: &[u8]) -> bool {
    rdata.first().is_some_and(|flags| flags >> 6 == 0b11)
}

/// The bits of a relay octet that are the type; the one left is the discovery bit (RFC 8777 §4.2).
pub(super) const RELAY_TYPE_BITS: u8 = 0x7f;

/// The format octet of an ATM address that is an E.164 number (ATM Forum af-dans-0152.000 §5).
pub(super) const ATM_E164: u8 = 1;

/// One bit for each of the 65536 ports.
const PORT_BITMAP_SIZE_MAX: usize = 8192;

fn value(offset: usize, what: &'static str) -> Fault {
    (offset, RdataErrorKind::Value(what))
}

fn fixed(rdata: &[u8], at: usize, size: usize) -> Result<usize, Fault> {
    if rdata.len() < at + size { Err((rdata.len(), RdataErrorKind::Truncated)) } else { Ok(size) }
}

/// A length octet and what it counts.
fn counted(rdata: &[u8], at: usize) -> Result<usize, Fault> {
    let length = *rdata.get(at).ok_or((at, RdataErrorKind::Truncated))?;
    fixed(rdata, at, 1 + usize::from(length))
}

fn counted_some(rdata: &[u8], at: usize) -> Result<usize, Fault> {
    match counted(rdata, at)? {
        1 => Err((at, RdataErrorKind::Empty)),
        size => Ok(size),
    }
}

fn some(rest: &[u8], at: usize) -> Result<usize, Fault> {
    if rest.is_empty() { Err((at, RdataErrorKind::Empty)) } else { Ok(rest.len()) }
}

fn name(rdata: &[u8], at: usize) -> Result<usize, Fault> {
    match Name::from_wire(rdata.get(at..).unwrap_or_default()) {
        Ok((name, _)) => Ok(name.wire_len()),
        Err(NameError::Truncated) => Err((rdata.len(), RdataErrorKind::Truncated)),
        Err(error) => Err((at, RdataErrorKind::Name(error))),
    }
}

fn type_bitmap(rest: &[u8], at: usize) -> Result<usize, Fault> {
    let mut left = rest;
    let mut lowest_window = 0;
    while let [window, tail @ ..] = left {
        let offset = at + rest.len() - left.len();
        let &[length, ref tail @ ..] = tail else { return Err((at + rest.len(), RdataErrorKind::Truncated)) };
        if u16::from(*window) < lowest_window {
            return Err(value(offset, "window blocks out of order (RFC 4034 §4.1.2)"));
        }
        let length = usize::from(length);
        if length == 0 || length > 32 {
            return Err(value(offset + 1, "a window block has 1 to 32 octets (RFC 4034 §4.1.2)"));
        }
        let (bits, tail) = tail.split_at_checked(length).ok_or((at + rest.len(), RdataErrorKind::Truncated))?;
        if bits.last() == Some(&0) {
            return Err(value(offset + 1 + length, "a window block ends in a zero octet (RFC 4034 §4.1.2)"));
        }
        lowest_window = u16::from(*window) + 1;
        left = tail;
    }
    Ok(rest.len())
}

fn nxt_bitmap(bits: &[u8], at: usize) -> Result<usize, Fault> {
    match bits {
        [] => Ok(0),
        [first, ..] if first & 0x80 != 0 => {
            Err(value(at, "the bit of type 0 is set, a format never defined (RFC 2535 §5.2)"))
        }
        [.., 0] => Err(value(at + bits.len() - 1, "the bitmap ends in a zero octet (RFC 2535 §5.2)")),
        _ if bits.len() > 16 => Err(value(at + 16, "the bitmap goes beyond type 127 (RFC 2535 §5.2)")),
        _ => Ok(bits.len()),
    }
}

fn location(rdata: &[u8], at: usize) -> Result<usize, Fault> {
    fixed(rdata, at, 16)?;
    let rest = &rdata[at..];
    if rest[0] != 0 {
        return Err(value(at, "a version other than 0 (RFC 1876 §2)"));
    }
    for (i, &size) in rest[1..4].iter().enumerate() {
        if size >> 4 > 9 || size & 0xf > 9 {
            return Err(value(at + 1 + i, "a size or precision with a digit over 9 (RFC 1876 §2)"));
        }
    }
    // Thousandths of a second of arc on either side of the equator or the prime meridian.
    for (offset, limit) in [(4, 90 * 3_600_000), (8, 180 * 3_600_000)] {
        let angle = u32::from_be_bytes([rest[offset], rest[offset + 1], rest[offset + 2], rest[offset + 3]]);
        if angle.abs_diff(1 << 31) > limit {
            return Err(value(at + offset, "a latitude over 90 or a longitude over 180 degrees (RFC 1876 §2)"));
        }
    }
    Ok(16)
}

fn address_prefixes(rdata: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start;
    while at < rdata.len() {
        fixed(rdata, at, 4)?;
        let (family, prefix) = (u16::from_be_bytes([rdata[at], rdata[at + 1]]), rdata[at + 2]);
        let length = usize::from(rdata[at + 3] & 0x7f);
        fixed(rdata, at, 4 + length)?;
        let (prefix_max, length_max) = match family {
            1 => (32, 4),
            2 => (128, 16),
            // No RFC limits the addresses of other families.
            _ => (u8::MAX, usize::MAX),
        };
        if prefix > prefix_max || length > length_max {
            return Err(value(at + 2, "a prefix longer than an address of its family (RFC 3123 §4)"));
        }
        if length > 0 && rdata[at + 3 + length] == 0 {
            return Err(value(at + 3 + length, "an address part that ends in a zero octet (RFC 3123 §4)"));
        }
        at += 4 + length;
    }
    Ok(at - start)
}

fn a6(rdata: &[u8], at: usize) -> Result<usize, Fault> {
    let (prefix, octets) = a6_prefix(rdata, at)?;
    fixed(rdata, at, 1 + octets)?;
    // The address starts with the octet that the prefix ends in; the prefix's bits of it are zero.
    if octets > 0 && u16::from(rdata[at + 1]) >> (8 - prefix % 8) != 0 {
        return Err(value(at + 1, "address bits within the prefix are not zero (RFC 2874 §3.1.1)"));
    }
    let size = 1 + octets;
    if prefix == 0 { Ok(size) } else { Ok(size + name(rdata, at + size)?) }
}

fn gateway(gateway_type: u8, rdata: &[u8], at: usize) -> Result<usize, Fault> {
    match gateway_type {
        0 => Ok(0),
        1 => fixed(rdata, at, 4),
        2 => fixed(rdata, at, 16),
        3 => name(rdata, at),
        _ => Err(value(at, "a gateway or relay type other than 0 to 3 (RFC 4025 §2.3, RFC 8777 §4.2.3)")),
    }
}

/// The sizes that the digest at the end of `rdata` may have, where its algorithm is one with a known size.
fn digest_size(rtype: RType, rdata: &[u8]) -> Option<(&'static str, Range<usize>)> {
    let exactly = |size| size..size + 1;
    match rtype {
        RType::DS | RType::CDS | RType::DLV | RType::TA => Some((
            "digest",
            exactly(match rdata.get(3)? {
                1 => 20,
                2 | 3 => 32,
                4 => 48,
                _ => return None,
            }),
        )),
        RType::SSHFP => Some((
            "fingerprint",
            exactly(match rdata.get(1)? {
                1 => 20,
                2 => 32,
                _ => return None,
            }),
        )),
        RType::ZONEMD => Some((
            "digest",
            match rdata.get(5)? {
                1 => exactly(48),
                2 => exactly(64),
                // RFC 8976 §2.2.4: no digest is shorter than 12 octets.
                _ => 12..usize::MAX,
            },
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    /// `what` is empty for RDATA that has to be accepted, else the start of the complaint.
    fn is(rtype: RType, rdata: &[u8], what: &str) {
        let result = check(rtype, rdata).map_err(|error| error.to_string());
        match (&result, what) {
            (Ok(()), "") => {}
            (Err(error), what) if !what.is_empty() && error.starts_with(what) => {}
            _ => panic!("{rtype} {rdata:02x?}: {result:?}, not {what:?}"),
        }
    }

    #[test]
    fn fields_fill_the_rdata_to_the_last_octet() {
        is(RType::A, &[192, 0, 2, 1], "");
        is(RType::A, &[192, 0, 2], "address at octet 3 of the RDATA: the RDATA ends");
        is(RType::A, &[192, 0, 2, 1, 9], "end at octet 4 of the RDATA: octets follow");
        is(RType::MX, b"\x00\x0a\x02mx\x00", "");
        is(RType::MX, b"\x00\x0a\x02mx", "exchange at octet 5");
        is(RType::MX, b"\x00\x0a\x02mx\xc0\x0c", "exchange at octet 2 of the RDATA: a label of a reserved type");
        is(RType::TXT, b"", "text at octet 0");
        is(RType::TXT, b"\x00", "");
        is(RType::TXT, b"\x02a", "text at octet 2");
        is(RType::NULL, b"", "");
        is(RType(65280), b"anything", "");
    }

    #[test]
    fn a_bitmap_has_its_windows_in_order_and_no_zero_octet_at_its_end() {
        let bitmap = |octets: &[u8], what| is(RType::NSEC, &[&[0][..], octets].concat(), what);
        bitmap(&[0, 1, 0x40], "");
        bitmap(&[0, 1, 0x40, 1, 1, 0x40], "");
        bitmap(&[], "");
        bitmap(&[1, 1, 0x40, 0, 1, 0x40], "types at octet 4 of the RDATA: window blocks out of order");
        bitmap(&[0, 1, 0x40, 0, 1, 0x40], "types at octet 4 of the RDATA: window blocks out of order");
        bitmap(&[0, 0], "types at octet 2 of the RDATA: a window block has 1 to 32");
        bitmap(&[0, 2, 0x40, 0], "types at octet 4 of the RDATA: a window block ends in a zero");
        bitmap(&[0, 2, 0x40], "types at octet 4 of the RDATA: the RDATA ends");
        bitmap(&[255, 1, 1, 0], "types at octet 5");
    }

    #[test]
    fn digests_have_the_size_of_their_algorithm() {
        let ds = |digest_type, size| [&[0, 1, 8, digest_type][..], &[7].repeat(size)].concat();
        is(RType::DS, &ds(1, 20), "");
        is(RType::DS, &ds(2, 32), "");
        is(RType::DS, &ds(4, 48), "");
        is(RType::DS, &ds(2, 31), "digest at octet 4 of the RDATA: a digest of 31 octets where its algorithm gives 32");
        is(RType::DS, &ds(99, 1), "");
        is(RType::DS, &ds(99, 0), "digest at octet 4 of the RDATA: the field is empty");
        is(RType::CDS, &[0, 0, 0, 0, 0], "");
        is(RType::SSHFP, &[&[4, 2][..], &[7].repeat(32)].concat(), "");
        is(RType::SSHFP, &[4, 2, 7], "fingerprint");
        is(RType::ZONEMD, &[&[0, 0, 0, 1, 1, 1][..], &[7].repeat(48)].concat(), "");
        is(RType::ZONEMD, &[&[0, 0, 0, 1, 1, 9][..], &[7].repeat(11)].concat(), "digest");
    }

    #[test]
    fn a_key_is_there_unless_its_flags_say_that_there_is_none() {
        is(RType::KEY, b"\xc0\x00\x03\x05", "");
        is(RType::KEY, b"\xff\xff\x03\x05", "");
        is(RType::KEY, b"\xc0\x00\x03\x05key", "");
        is(RType::KEY, b"\x00\x00\x03\x05key", "");
        for flags in [b"\x00\x00", b"\x40\x00", b"\x80\x00", b"\xbf\xff"] {
            let error = "public key at octet 4 of the RDATA: there is no key, and flags below 49152 do not say so";
            is(RType::KEY, &[&flags[..], b"\x03\x05"].concat(), error);
        }
    }

    #[test]
    fn gateways_are_what_their_type_says() {
        is(RType::IPSECKEY, b"\x0a\x00\x02key", "");
        is(RType::IPSECKEY, b"\x0a\x01\x02\xc0\x00\x02\x01", "");
        is(RType::IPSECKEY, b"\x0a\x01\x02\xc0\x00\x02", "gateway at octet 6");
        is(RType::IPSECKEY, b"\x0a\x03\x02\x01g\x00key", "");
        is(RType::IPSECKEY, b"\x0a\x04\x02", "gateway at octet 3 of the RDATA: a gateway or relay type");
        is(RType::AMTRELAY, b"\x0a\x80", "");
        is(RType::AMTRELAY, b"\x0a\x83\x01g\x00", "");
        is(RType::AMTRELAY, b"\x0a\x81\xc0\x00\x02", "relay");
        is(RType::AMTRELAY, b"\x0a\x84", "relay");
    }

    #[test]
    fn an_a6_name_stands_only_behind_a_prefix() {
        let address: Vec<u8> = [0x20, 0x01, 0x0d, 0xb8].into_iter().chain([0; 12]).collect();
        is(RType::A6, &[&[0], &address[..]].concat(), "");
        is(RType::A6, &[&[0], &address[..], &[0]].concat(), "end at octet 17");
        is(RType::A6, &[&[64], &address[8..], b"\x01p\x00"].concat(), "");
        is(RType::A6, &[&[64], &address[8..]].concat(), "address at octet 9");
        is(RType::A6, b"\x80\x01p\x00", "");
        is(RType::A6, b"\x81\x01p\x00", "address at octet 0 of the RDATA: a prefix length over 128");
        is(RType::A6, b"\x7f\x01\x01p\x00", "");
        is(RType::A6, b"\x7f\x02\x01p\x00", "address at octet 1 of the RDATA: address bits within the prefix");
    }

    #[test]
    fn museum_types_are_checked_too() {
        is(RType::ISDN, b"\x03150", "");
        is(RType::ISDN, b"\x03150\x01a", "");
        is(RType::CAA, b"\x00\x05issueca.example", "");
        is(RType::CAA, b"\x00\x05is-ueca.example", "tag at octet 4");
        is(RType::CAA, b"\x00\x00ca.example", "tag at octet 1");
        is(RType::URI, b"\x00\x01\x00\x01", "");
        is(RType::URI, b"\x00\x01\x00", "weight at octet 3");
        is(RType::APL, b"", "");
        is(RType::APL, &[0, 1, 8, 1, 10], "");
        is(RType::APL, &[0, 1, 33, 1, 10], "address prefixes at octet 2");
        is(RType::APL, &[0, 1, 8, 2, 10, 0], "address prefixes at octet 5");
        is(RType::APL, &[0, 3, 200, 1, 10], "");
        is(RType::ATMA, b"\x01358400", "");
        is(RType::ATMA, b"\x01+358", "address at octet 1");
        is(RType::HIP, b"\x01\x02\x00\x01HK\x03rvs\x00\x00", "");
        is(RType::HIP, b"\x00\x02\x00\x01K", "host identity");
        is(RType::NXT, b"\x00\x40", "");
        is(RType::NXT, b"\x00\x80", "types");
        is(RType::WKS, &[&[192, 0, 2, 1, 6][..], &[1].repeat(8192)].concat(), "");
        is(RType::WKS, &[&[192, 0, 2, 1, 6][..], &[1].repeat(8193)].concat(), "services");
        let mut loc = [0, 0x12, 0x16, 0x13, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0x98, 0x96, 0x80];
        is(RType::LOC, &loc, "");
        loc[1] = 0xa0;
        is(RType::LOC, &loc, "location at octet 1");
        loc[1] = 0x12;
        loc[4] = 0;
        is(RType::LOC, &loc, "location at octet 4");
    }
}
