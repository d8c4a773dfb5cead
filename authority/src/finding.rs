//! What is wrong or odd in a zone, with the line of its source and the RFC that says so.

use core::fmt;

pub use nss_wire::Severity;
use nss_wire::rdata::RdataError;
use nss_wire::{Class, NameBuf, RType, Rule};

use crate::rules;

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
    /// The line of another record that is part of it, such as the first of two.
    pub related_line: Option<u32>,
    /// The name it was found at.
    pub owner: NameBuf,
}

/// The part of a record that a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The name that the record belongs to.
    Owner,
    /// The TTL.
    Ttl,
    /// The type.
    Type,
    /// All of the data.
    Data,
    /// One word of the data, counted from 0.
    Word(usize),
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
    /// Error: more types at one name than it may have.
    TooManyTypes {
        /// The limit.
        limit: usize,
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
    /// Error: names of so many labels that with the empty non-terminals above them the zone has more octets than it may have.
    DeepNames {
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
    /// Error: NSEC3 with more iterations than this server computes for so many names.
    Nsec3Work {
        /// How many names the zone has.
        names: usize,
        /// The iterations that the zone asks for.
        iterations: u16,
        /// What the one times the other may be.
        limit: usize,
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
    /// Error: a CNAME record at the apex, beside the SOA and NS records that have to be there.
    CnameAtApex,
    /// Warning: a name without records that has names below it, so that the wildcard beside it doesn't cover it.
    ShadowedWildcard {
        /// The wildcard.
        wildcard: Box<NameBuf>,
    },
    /// More findings of the severity than [`FINDINGS_MAX`].
    LeftOut {
        /// How many are not listed.
        count: usize,
    },
}

impl FindingKind {
    /// The rule that is broken; `None` for [`FindingKind::LeftOut`], which stands for findings of many rules.
    pub fn rule(&self) -> Option<&'static Rule> {
        Some(match self {
            FindingKind::NoSoa => &rules::NO_SOA,
            FindingKind::SeveralSoas => &rules::SEVERAL_SOAS,
            FindingKind::SoaBelowApex => &rules::SOA_BELOW_APEX,
            FindingKind::NoNs => &rules::NO_NS,
            FindingKind::OutsideZone { .. } => &rules::OUTSIDE_ZONE,
            FindingKind::ClassMismatch { .. } => &rules::CLASS_MISMATCH,
            FindingKind::MetaType(_) => &rules::META_TYPE,
            FindingKind::Rdata(..) => &rules::MALFORMED_RDATA,
            FindingKind::CnameAndOther { .. } => &rules::CNAME_AND_OTHER,
            FindingKind::SeveralCnames => &rules::SEVERAL_CNAMES,
            FindingKind::SeveralDnames => &rules::SEVERAL_DNAMES,
            FindingKind::DnameAndNs => &rules::DNAME_AND_NS,
            FindingKind::DataBelowDname { .. } => &rules::DATA_BELOW_DNAME,
            FindingKind::RRsetTooLarge { .. } => &rules::RRSET_TOO_LARGE,
            FindingKind::TooManyTypes { .. } => &rules::TOO_MANY_TYPES,
            FindingKind::TooManyRecords { .. } => &rules::TOO_MANY_RECORDS,
            FindingKind::ZoneTooLarge { .. } => &rules::ZONE_TOO_LARGE,
            FindingKind::DeepNames { .. } => &rules::DEEP_NAMES,
            FindingKind::CnameAtApex => &rules::CNAME_AT_APEX,
            FindingKind::Nsec3Iterations { .. } => &rules::NSEC3_ITERATIONS,
            FindingKind::Nsec3Work { .. } => &rules::NSEC3_WORK,
            FindingKind::Duplicate(_) => &rules::DUPLICATE,
            FindingKind::TtlsDiffer { .. } => &rules::TTLS_DIFFER,
            FindingKind::TtlOutOfRange { .. } => &rules::TTL_OUT_OF_RANGE,
            FindingKind::MissingGlue { .. } => &rules::MISSING_GLUE,
            FindingKind::MissingAddress { .. } => &rules::MISSING_ADDRESS,
            FindingKind::TargetIsCname { .. } => &rules::TARGET_IS_CNAME,
            FindingKind::DsWithoutNs => &rules::DS_WITHOUT_NS,
            FindingKind::DsAtApex => &rules::DS_AT_APEX,
            FindingKind::BelongsToChild(_) => &rules::BELONGS_TO_CHILD,
            FindingKind::BelowCut { .. } => &rules::BELOW_CUT,
            FindingKind::WildcardNs => &rules::WILDCARD_NS,
            FindingKind::WildcardDname => &rules::WILDCARD_DNAME,
            FindingKind::LongNegativeTtl { .. } => &rules::LONG_NEGATIVE_TTL,
            FindingKind::ShadowedWildcard { .. } => &rules::SHADOWED_WILDCARD,
            FindingKind::LeftOut { .. } => return None,
        })
    }

    /// Whether a zone with it can be served; `None` for [`FindingKind::LeftOut`], which stands for findings of either kind.
    pub fn severity(&self) -> Option<Severity> {
        self.rule().map(|rule| rule.severity)
    }

    /// The part of the record that it is about.
    pub fn field(&self) -> Field {
        match self {
            FindingKind::NoSoa
            | FindingKind::NoNs
            | FindingKind::OutsideZone { .. }
            | FindingKind::DataBelowDname { .. }
            | FindingKind::RRsetTooLarge { .. }
            | FindingKind::TooManyTypes { .. }
            | FindingKind::TooManyRecords { .. }
            | FindingKind::ZoneTooLarge { .. }
            | FindingKind::DeepNames { .. }
            | FindingKind::BelowCut { .. }
            | FindingKind::WildcardNs
            | FindingKind::WildcardDname
            | FindingKind::ShadowedWildcard { .. }
            | FindingKind::LeftOut { .. } => Field::Owner,
            FindingKind::SeveralSoas
            | FindingKind::SoaBelowApex
            | FindingKind::ClassMismatch { .. }
            | FindingKind::MetaType(_)
            | FindingKind::CnameAndOther { .. }
            | FindingKind::SeveralCnames
            | FindingKind::SeveralDnames
            | FindingKind::DnameAndNs
            | FindingKind::CnameAtApex
            | FindingKind::DsWithoutNs
            | FindingKind::DsAtApex
            | FindingKind::BelongsToChild(_) => Field::Type,
            FindingKind::TtlsDiffer { .. } | FindingKind::TtlOutOfRange { .. } => Field::Ttl,
            FindingKind::Rdata(..) | FindingKind::Duplicate(_) => Field::Data,
            FindingKind::MissingGlue { .. } => Field::Word(0),
            FindingKind::MissingAddress { rtype, .. } | FindingKind::TargetIsCname { rtype, .. } => match *rtype {
                RType::NS => Field::Word(0),
                RType::SRV => Field::Word(3),
                // A number, then the host: MX, KX, AFSDB, RT.
                _ => Field::Word(1),
            },
            FindingKind::LongNegativeTtl { .. } => Field::Word(6),
            FindingKind::Nsec3Iterations { .. } | FindingKind::Nsec3Work { .. } => Field::Word(2),
        }
    }

    /// The text that decides, such as `RFC 1035 §5.2`; for limits of this program, what they follow from.
    pub fn reference(&self) -> &'static str {
        match self {
            FindingKind::TargetIsCname { rtype: RType::SRV, .. } => "RFC 2782",
            kind => kind.rule().map_or("a limit of this server", |rule| rule.reference),
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
            FindingKind::TooManyTypes { limit } => {
                write!(f, "records and signatures of more than {limit} types stand here; remove those of some types")
            }
            FindingKind::TooManyRecords { limit } => {
                write!(f, "the zone has more than {limit} records; split it with delegations")
            }
            FindingKind::ZoneTooLarge { limit } => {
                write!(f, "the zone has more than {limit} octets; split it with delegations")
            }
            FindingKind::DeepNames { limit } => write!(
                f,
                "with the names between this one and its ancestors, and those of others like it, the zone has more than {limit} octets; \
                 use names of fewer labels"
            ),
            FindingKind::Nsec3Iterations { iterations, limit } => write!(
                f,
                "NSEC3 with {iterations} iterations, of which this server computes {limit} at most; sign the zone with none"
            ),
            FindingKind::Nsec3Work { names, iterations, limit } => write!(
                f,
                "NSEC3 with {iterations} iterations for {names} names, where this server computes {limit} in all at most; sign the zone with none"
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
            FindingKind::CnameAtApex => f.write_str(
                "a CNAME record at the apex, which has SOA and NS records and so can't be an alias; copy the addresses of the target here",
            ),
            FindingKind::ShadowedWildcard { wildcard } => write!(
                f,
                "the name exists because there are names below it, so that {wildcard} does not cover it; give it the wildcard's records too"
            ),
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
        self.push_related(kind, owner, line, 0);
    }

    /// As [`Findings::push`], with the line of another record that is part of it.
    pub(crate) fn push_related(&mut self, kind: FindingKind, owner: &NameBuf, line: u32, related_line: u32) {
        let severity = kind.severity().expect("left-out findings are only made at the end");
        let kept = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if kept.list.len() < FINDINGS_MAX {
            let known = |line: u32| (line > 0).then_some(line);
            let related_line = known(related_line).filter(|&related| related != line);
            kept.list.push(Finding { severity, kind, line: known(line), related_line, owner: owner.clone() });
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
                all.push(Finding { severity, kind, line: None, related_line: None, owner: apex.clone() });
            }
        }
        all
    }
}
