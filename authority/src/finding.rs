//! What is wrong or odd in a zone, with the line of its source and the RFC that says so.

use core::fmt;

use nss_wire::rdata::RdataError;
use nss_wire::{Class, NameBuf, RType};

/// The findings of one severity that are kept; whoever has to repair more than this needs another tool than a list.
pub const FINDINGS_MAX: usize = 1000;

/// One thing to know about a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the zone can be served nevertheless.
    pub severity: Severity,
    /// What was found.
    pub kind: FindingKind,
    /// The line of the record it was found at, as [`ZoneBuilder::add`](crate::ZoneBuilder::add) was told.
    pub line: Option<u32>,
    /// The name it was found at.
    pub owner: NameBuf,
}

/// Whether a zone with the finding can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The zone is refused.
    Error,
    /// The zone is served, but probably not as its author meant.
    Warning,
}

/// What can be wrong or odd in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// Error: the apex has no SOA record.
    NoSoa,
    /// Error: the apex has more than one SOA record.
    SeveralSoas,
    /// Error: a SOA record stands below the apex.
    SoaBelowApex,
    /// Error: the apex has no NS record.
    NoNs,
    /// Error: a record's owner is not in the zone.
    OutsideZone {
        /// The apex of the zone.
        apex: Box<NameBuf>,
    },
    /// Error: a record has another class than the zone.
    ClassMismatch {
        /// The class of the record.
        found: Class,
        /// The class of the zone.
        expected: Class,
    },
    /// Error: a type that can only stand in a message.
    MetaType(RType),
    /// Error: RDATA that is not what its type demands.
    Rdata(RType, RdataError),
    /// Error: a CNAME record beside records of another type.
    CnameAndOther {
        /// The other type.
        other: RType,
    },
    /// Error: several CNAME records at one name.
    SeveralCnames,
    /// Error: several DNAME records at one name.
    SeveralDnames,
    /// Error: a DNAME record beside NS records below the apex.
    DnameAndNs,
    /// Error: a record below the owner of a DNAME record.
    DataBelowDname {
        /// The owner of the DNAME record.
        dname: Box<NameBuf>,
    },
    /// Error: an RRset, or the signatures of one, that no message can hold.
    RRsetTooLarge {
        /// The type of the RRset.
        rtype: RType,
        /// Octets that it takes in a message.
        size: usize,
    },
    /// Error: more records than a zone may have.
    TooManyRecords {
        /// The limit.
        limit: usize,
    },
    /// Error: more octets than a zone may have.
    ZoneTooLarge {
        /// The limit.
        limit: usize,
    },
    /// Error: NSEC3 with more iterations than this server computes for every question.
    Nsec3Iterations {
        /// What the zone asks for.
        iterations: u16,
        /// What it may ask for.
        limit: u16,
    },
    /// Warning: one record twice; it is served once.
    Duplicate(RType),
    /// Warning: the TTLs within an RRset differ; the lowest is used for all.
    TtlsDiffer {
        /// The type of the RRset.
        rtype: RType,
        /// The TTL in use, in seconds.
        lowest: u32,
    },
    /// Warning: a TTL over 2^31 - 1, which counts as 0.
    TtlOutOfRange {
        /// The TTL in seconds.
        found: u32,
    },
    /// Warning: a name server at or below the name that it serves, without an address in the zone.
    MissingGlue {
        /// The name server.
        target: Box<NameBuf>,
    },
    /// Warning: a record leads to a name in the zone that has no address.
    MissingAddress {
        /// The type of the record.
        rtype: RType,
        /// The name that it leads to.
        target: Box<NameBuf>,
    },
    /// Warning: a record leads to a name with a CNAME record.
    TargetIsCname {
        /// The type of the record.
        rtype: RType,
        /// The name that it leads to.
        target: Box<NameBuf>,
    },
    /// Warning: a DS record at a name without NS records.
    DsWithoutNs,
    /// Warning: a DS record at the apex, where nobody looks for it.
    DsAtApex,
    /// Warning: at a zone cut, a record which belongs into the child; it is not served.
    BelongsToChild(RType),
    /// Warning: a record below a zone cut; it is not served, or only as glue.
    BelowCut {
        /// The type of the record.
        rtype: RType,
        /// The zone cut.
        cut: Box<NameBuf>,
    },
    /// Warning: NS records at a wildcard.
    WildcardNs,
    /// Warning: a DNAME record at a wildcard.
    WildcardDname,
    /// Warning: negative answers may be cached for longer than a day.
    LongNegativeTtl {
        /// The time in seconds.
        seconds: u32,
    },
    /// More findings of the severity than [`FINDINGS_MAX`].
    LeftOut {
        /// How many are not listed.
        count: usize,
    },
}

impl FindingKind {
    /// Whether a zone with it can be served; `None` for [`FindingKind::LeftOut`], which stands for findings of either kind.
    pub fn severity(&self) -> Option<Severity> {
        match self {
            FindingKind::NoSoa
            | FindingKind::SeveralSoas
            | FindingKind::SoaBelowApex
            | FindingKind::NoNs
            | FindingKind::OutsideZone { .. }
            | FindingKind::ClassMismatch { .. }
            | FindingKind::MetaType(_)
            | FindingKind::Rdata(..)
            | FindingKind::CnameAndOther { .. }
            | FindingKind::SeveralCnames
            | FindingKind::SeveralDnames
            | FindingKind::DnameAndNs
            | FindingKind::DataBelowDname { .. }
            | FindingKind::RRsetTooLarge { .. }
            | FindingKind::TooManyRecords { .. }
            | FindingKind::ZoneTooLarge { .. }
            | FindingKind::Nsec3Iterations { .. } => Some(Severity::Error),
            FindingKind::Duplicate(_)
            | FindingKind::TtlsDiffer { .. }
            | FindingKind::TtlOutOfRange { .. }
            | FindingKind::MissingGlue { .. }
            | FindingKind::MissingAddress { .. }
            | FindingKind::TargetIsCname { .. }
            | FindingKind::DsWithoutNs
            | FindingKind::DsAtApex
            | FindingKind::BelongsToChild(_)
            | FindingKind::BelowCut { .. }
            | FindingKind::WildcardNs
            | FindingKind::WildcardDname
            | FindingKind::LongNegativeTtl { .. } => Some(Severity::Warning),
            FindingKind::LeftOut { .. } => None,
        }
    }

    /// The text that decides, such as `RFC 1035 §5.2`; for limits of this program, what they follow from.
    pub fn reference(&self) -> &'static str {
        match self {
            FindingKind::NoSoa | FindingKind::SeveralSoas | FindingKind::ClassMismatch { .. } => "RFC 1035 §5.2",
            FindingKind::SoaBelowApex => "RFC 1034 §4.2.1",
            FindingKind::NoNs => "RFC 1034 §4.2.1",
            FindingKind::OutsideZone { .. } => "RFC 1035 §5.2",
            FindingKind::MetaType(_) => "RFC 6895 §3.1",
            FindingKind::Rdata(..) => "RFC 1035 §3.2.1",
            FindingKind::CnameAndOther { .. } => "RFC 2181 §10.1, RFC 4035 §2.5",
            FindingKind::SeveralCnames => "RFC 2181 §10.1",
            FindingKind::SeveralDnames | FindingKind::DataBelowDname { .. } => "RFC 6672 §2.4",
            FindingKind::DnameAndNs => "RFC 6672 §2.3",
            FindingKind::RRsetTooLarge { .. } => "RFC 1035 §4.2.2",
            FindingKind::TooManyRecords { .. } | FindingKind::ZoneTooLarge { .. } => "a limit of this server",
            FindingKind::Nsec3Iterations { .. } => "RFC 9276 §3.1",
            FindingKind::Duplicate(_) => "RFC 2181 §5",
            FindingKind::TtlsDiffer { .. } => "RFC 2181 §5.2",
            FindingKind::TtlOutOfRange { .. } => "RFC 2181 §8",
            FindingKind::MissingGlue { .. } => "RFC 1034 §4.2.1, RFC 9471 §2.1",
            FindingKind::MissingAddress { .. } => "RFC 1912 §2.4",
            FindingKind::TargetIsCname { rtype: RType::SRV, .. } => "RFC 2782",
            FindingKind::TargetIsCname { .. } => "RFC 2181 §10.3",
            FindingKind::DsWithoutNs | FindingKind::DsAtApex => "RFC 4035 §2.4",
            FindingKind::BelongsToChild(_) | FindingKind::BelowCut { .. } => "RFC 1034 §4.2.1",
            FindingKind::WildcardNs => "RFC 4592 §4.2",
            FindingKind::WildcardDname => "RFC 4592 §4.4",
            FindingKind::LongNegativeTtl { .. } => "RFC 2308 §5",
            FindingKind::LeftOut { .. } => "a limit of this server",
        }
    }
}

impl fmt::Display for FindingKind {
    /// What is wrong and what to do, without the reference.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FindingKind::NoSoa => f.write_str("no SOA record at the apex; add one"),
            FindingKind::SeveralSoas => f.write_str("a second, different SOA record; keep one of them"),
            FindingKind::SoaBelowApex => {
                f.write_str("a SOA record below the apex; remove it, or make a zone of its own of this name")
            }
            FindingKind::NoNs => f.write_str("no NS records at the apex; add one for each name server of the zone"),
            FindingKind::OutsideZone { apex } => {
                write!(f, "the name is not in the zone {apex}; remove the record, or end relative names without a dot")
            }
            FindingKind::ClassMismatch { found, expected } => {
                write!(f, "a record of class {found} in a zone of class {expected}; remove it or change its class")
            }
            FindingKind::MetaType(rtype) => write!(f, "{rtype} can only stand in messages; remove the record"),
            FindingKind::Rdata(rtype, error) => write!(f, "the {rtype} record's data is broken: {error}"),
            FindingKind::CnameAndOther { other } => {
                write!(
                    f,
                    "a CNAME record beside {other}; a name with a CNAME record can have no other data: keep one of them"
                )
            }
            FindingKind::SeveralCnames => {
                f.write_str("a second CNAME record; a name has one at most: keep one of them")
            }
            FindingKind::SeveralDnames => {
                f.write_str("a second DNAME record; a name has one at most: keep one of them")
            }
            FindingKind::DnameAndNs => {
                f.write_str("a DNAME record at a zone cut; keep either it or the NS records of this name")
            }
            FindingKind::DataBelowDname { dname } => {
                write!(
                    f,
                    "the DNAME record at {dname} redirects this name, so it can't have records; remove them or the DNAME"
                )
            }
            FindingKind::RRsetTooLarge { rtype, size } => write!(
                f,
                "the {rtype} records need {size} octets in a message, which has room for {RRSET_SIZE_MAX}; spread them over more names"
            ),
            FindingKind::TooManyRecords { limit } => {
                write!(f, "the zone has more than {limit} records; split it with delegations")
            }
            FindingKind::ZoneTooLarge { limit } => {
                write!(f, "the zone has more than {limit} octets; split it with delegations")
            }
            FindingKind::Nsec3Iterations { iterations, limit } => write!(
                f,
                "NSEC3 with {iterations} iterations, of which this server computes {limit} at most; sign the zone with none"
            ),
            FindingKind::Duplicate(rtype) => write!(f, "the {rtype} record stands here twice; remove one of them"),
            FindingKind::TtlsDiffer { rtype, lowest } => {
                write!(f, "the TTLs of the {rtype} records differ and {lowest} is used; give them one TTL")
            }
            FindingKind::TtlOutOfRange { found } => {
                write!(f, "the TTL {found} is over 2147483647 and counts as 0; lower it")
            }
            FindingKind::MissingGlue { target } => {
                write!(
                    f,
                    "the name server {target} can't be reached without its address; add an A or AAAA record for it"
                )
            }
            FindingKind::MissingAddress { rtype, target } => {
                write!(f, "the {rtype} record leads to {target}, which has no address; add an A or AAAA record for it")
            }
            FindingKind::TargetIsCname { rtype, target } => {
                write!(
                    f,
                    "the {rtype} record leads to {target}, which is a CNAME; name the host that the CNAME leads to"
                )
            }
            FindingKind::DsWithoutNs => {
                f.write_str("a DS record without a delegation; add the NS records of the child")
            }
            FindingKind::DsAtApex => f.write_str("a DS record at the apex; it belongs into the parent zone: move it"),
            FindingKind::BelongsToChild(rtype) => {
                write!(f, "{rtype} at a zone cut is not served; it belongs into the child zone: move it")
            }
            FindingKind::BelowCut { rtype, cut } => {
                write!(f, "{rtype} below the zone cut {cut} is not served; it belongs into the child zone: move it")
            }
            FindingKind::WildcardNs => f.write_str(
                "NS records at a wildcard delegate nothing but the name * itself; write out the delegations",
            ),
            FindingKind::WildcardDname => f.write_str(
                "a DNAME record at a wildcard redirects nothing but names below * itself; write out the names",
            ),
            FindingKind::LongNegativeTtl { seconds } => {
                write!(
                    f,
                    "missing names are cached as missing for {seconds} seconds; set the SOA MINIMUM to 3600 or less"
                )
            }
            FindingKind::LeftOut { count } => {
                write!(f, "{count} more like these are not listed; repair those above first")
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let FindingKind::LeftOut { .. } = self.kind {
            return write!(f, "{}", self.kind);
        }
        write!(f, "{}: {} ({})", self.owner, self.kind, self.kind.reference())
    }
}

/// Octets for the records of one RRset: a message over TCP has 65535, less its header of 12 (RFC 1035 §4.2.2).
///
/// The question takes its part of it too.
pub const RRSET_SIZE_MAX: usize = 65535 - 12;

/// Findings under way, capped.
#[derive(Default)]
pub(crate) struct Findings {
    errors: Kept,
    warnings: Kept,
}

#[derive(Default)]
struct Kept {
    list: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    /// Notes a finding at `owner`; `line` is 0 if it isn't known.
    pub(crate) fn push(&mut self, kind: FindingKind, owner: &NameBuf, line: u32) {
        let severity = kind.severity().expect("left-out findings are only made at the end");
        let kept = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if kept.list.len() < FINDINGS_MAX {
            kept.list.push(Finding { severity, kind, line: (line > 0).then_some(line), owner: owner.clone() });
        } else {
            kept.left_out += 1;
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.list.is_empty()
    }

    /// Errors first, each severity by line.
    pub(crate) fn finish(self, apex: &NameBuf) -> Vec<Finding> {
        let mut all = Vec::new();
        for (severity, mut kept) in [(Severity::Error, self.errors), (Severity::Warning, self.warnings)] {
            kept.list.sort_by_key(|finding| finding.line);
            all.append(&mut kept.list);
            if kept.left_out > 0 {
                let kind = FindingKind::LeftOut { count: kept.left_out };
                all.push(Finding { severity, kind, line: None, owner: apex.clone() });
            }
        }
        all
    }
}
