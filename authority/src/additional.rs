//! Names in RDATA whose records belong into the additional section (RFC 1034 §4.3.2 step 6 and the types' own RFCs).

use nss_wire::{Name, RType};

/// What a record leads to.
pub(crate) struct Target<'a> {
    /// The name; `None` is the record's own owner (RFC 9460 §2.5.2).
    pub(crate) name: Option<Name<'a>>,
    /// The types that help whoever gets the record.
    pub(crate) types: &'static [RType],
}

/// Whether records of the type lead to a name.
pub(crate) fn has_targets(rtype: RType) -> bool {
    matches!(
        rtype,
        RType::NS
            | RType::MB
            | RType::MX
            | RType::AFSDB
            | RType::RT
            | RType::SRV
            | RType::NAPTR
            | RType::KX
            | RType::SVCB
            | RType::HTTPS
            | RType::LP
    )
}

/// The target of one record; `None` where its type or its data has none.
pub(crate) fn target(rtype: RType, rdata: &[u8]) -> Option<Target<'_>> {
    let (offset, types) = match rtype {
        RType::NS | RType::MB => (0, ADDRESSES),
        RType::MX | RType::AFSDB | RType::RT | RType::KX => (2, ADDRESSES),
        RType::SRV => (6, ADDRESSES),
        RType::LP => (2, LOCATORS),
        RType::SVCB | RType::HTTPS => return service_target(rtype, rdata),
        RType::NAPTR => return naptr_target(rdata),
        _ => return None,
    };
    // The root stands for "no such service" in MX (RFC 7505 §3) and SRV (RFC 2782), and is no host in the others.
    named(rdata, offset, types).filter(|target| target.name.is_some_and(|name| !name.is_root()))
}

/// SVCB and HTTPS (RFC 9460 §4.1): addresses, and in AliasMode the records of the same type at the other name.
fn service_target(rtype: RType, rdata: &[u8]) -> Option<Target<'_>> {
    let is_alias = rdata.starts_with(&[0, 0]);
    let types = match (is_alias, rtype) {
        (true, RType::HTTPS) => HTTPS_AND_ADDRESSES,
        (true, _) => SVCB_AND_ADDRESSES,
        (false, _) => ADDRESSES,
    };
    let target = named(rdata, 2, types)?;
    let is_root = target.name.is_some_and(Name::is_root);
    match (is_root, is_alias) {
        // An alias to nowhere: the service does not exist (RFC 9460 §2.5.1).
        (true, true) => None,
        (true, false) => Some(Target { name: None, types }),
        (false, _) => Some(target),
    }
}

/// NAPTR (RFC 3403 §4.1, §5): the flag says what to look up at the replacement.
fn naptr_target(rdata: &[u8]) -> Option<Target<'_>> {
    let flags_size = usize::from(*rdata.get(4)?);
    let flags = rdata.get(5..5 + flags_size)?;
    let types = match flags {
        b"a" | b"A" => ADDRESSES,
        b"s" | b"S" => &[RType::SRV],
        _ => return None,
    };
    let mut offset = 5 + flags_size;
    // Services, then the regular expression.
    for _ in 0..2 {
        offset += 1 + usize::from(*rdata.get(offset)?);
    }
    named(rdata, offset, types).filter(|target| target.name.is_some_and(|name| !name.is_root()))
}

fn named<'a>(rdata: &'a [u8], offset: usize, types: &'static [RType]) -> Option<Target<'a>> {
    let (name, _) = Name::from_wire(rdata.get(offset..)?).ok()?;
    Some(Target { name: Some(name), types })
}

/// What most types want.
pub(crate) const ADDRESSES: &[RType] = &[RType::A, RType::AAAA];
const HTTPS_AND_ADDRESSES: &[RType] = &[RType::HTTPS, RType::A, RType::AAAA];
const SVCB_AND_ADDRESSES: &[RType] = &[RType::SVCB, RType::A, RType::AAAA];
/// RFC 6742 §2.4.
const LOCATORS: &[RType] = &[RType::L64, RType::L32];
