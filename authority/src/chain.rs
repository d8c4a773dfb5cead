//! Whether the NSEC or NSEC3 records of a zone prove all that they have to (RFC 4035 §2.3, RFC 5155 §7.1).

use core::fmt;

use nss_wire::rdata::presentation::types_in_bitmap;
use nss_wire::{Name, NameBuf, RType};

use crate::arena::{Node, NodeKind};
use crate::denial::{Denial, Nsec3Check};
use crate::suffixes::Suffixes;
use crate::zone::Zone;

/// A mistake in the records that deny names and types: some proof fails, and resolvers take the answer for a forgery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenialFault {
    /// The name that it was found at, for NSEC3 the name that has the hash where there is one.
    pub owner: NameBuf,
    /// What is wrong.
    pub kind: DenialFaultKind,
}

/// What can be wrong in the records that deny names and types.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenialFaultKind {
    /// The zone has no NSEC records, and no NSEC3 records of any of its NSEC3PARAM records.
    NothingDenies,
    /// A name lacks its NSEC record.
    NoNsec,
    /// A name has several NSEC records.
    SeveralNsecs,
    /// An NSEC record leads elsewhere than to the next name of the zone.
    NsecNext {
        /// Where it leads.
        found: Box<NameBuf>,
        /// Where it should lead.
        expected: Box<NameBuf>,
    },
    /// No NSEC3 record has the hash of a name, and none covers it with opt-out where that would do.
    NoNsec3,
    /// An NSEC3 record leads elsewhere than to the next hash of the zone.
    Nsec3Next,
    /// An NSEC3 record has the hash of no name that exists.
    Nsec3OfNothing,
    /// An NSEC3 record with flags that nobody knows, which resolvers ignore (RFC 5155 §8.2).
    Nsec3Flags,
    /// A list of types lacks one that the name has.
    TypeNotListed {
        /// The record with the list: NSEC or NSEC3.
        record: RType,
        /// The type that it lacks.
        rtype: RType,
    },
    /// A list of types has one that the name does not have.
    TypeListed {
        /// The record with the list: NSEC or NSEC3.
        record: RType,
        /// The type that is too much.
        rtype: RType,
    },
}

impl fmt::Display for DenialFaultKind {
    /// What is wrong, without what to do: the zone has to be signed again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DenialFaultKind::NothingDenies => {
                f.write_str("the zone is signed and has no NSEC records, nor NSEC3 records with an NSEC3PARAM record")
            }
            DenialFaultKind::NoNsec => f.write_str("the name has no NSEC record"),
            DenialFaultKind::SeveralNsecs => f.write_str("the name has several NSEC records"),
            DenialFaultKind::NsecNext { found, expected } => {
                write!(f, "the NSEC record leads to {found}, where the next name is {expected}")
            }
            DenialFaultKind::NoNsec3 => f.write_str("no NSEC3 record has the name's hash"),
            DenialFaultKind::Nsec3Next => f.write_str("the NSEC3 record does not lead to the next hash of the zone"),
            DenialFaultKind::Nsec3OfNothing => f.write_str("the NSEC3 record has the hash of no name in the zone"),
            DenialFaultKind::Nsec3Flags => f.write_str("the NSEC3 record has flags other than opt-out"),
            DenialFaultKind::TypeNotListed { record, rtype } => {
                write!(f, "the {record} record does not list {rtype}, which the name has")
            }
            DenialFaultKind::TypeListed { record, rtype } => {
                write!(f, "the {record} record lists {rtype}, which the name does not have")
            }
        }
    }
}

impl Zone {
    /// Tells of all that is wrong in the chain of NSEC or NSEC3 records that this zone is denied by, one fault a record or
    /// name at most; of nothing if the zone is not signed.
    ///
    /// Signatures are not looked at.
    pub fn check_denial(&self, mut tell: impl FnMut(DenialFault)) {
        let denier = self.open().denier();
        match denier.denial {
            _ if !self.is_signed() => {}
            Denial::None => {
                tell(DenialFault { owner: self.apex().to_buf(), kind: DenialFaultKind::NothingDenies });
            }
            Denial::Nsec { .. } => self.check_nsec(&mut tell),
            Denial::Nsec3 { .. } => {
                if let Some(check) = denier.nsec3_check() {
                    self.check_nsec3(&check, &mut tell);
                }
            }
        }
    }

    fn check_nsec(&self, tell: &mut dyn FnMut(DenialFault)) {
        let mut types = Vec::new();
        let mut check = |node: Node<'_>, next: Name<'_>| {
            let mut fault = |kind| tell(DenialFault { owner: node.owner().to_buf(), kind });
            let mut rdatas = node.rrset(RType::NSEC).into_iter().flat_map(|rrset| rrset.rdatas());
            let Some(rdata) = rdatas.next() else { return fault(DenialFaultKind::NoNsec) };
            if rdatas.next().is_some() {
                return fault(DenialFaultKind::SeveralNsecs);
            }
            let Ok((found, bitmap)) = Name::from_wire(rdata) else { return };
            if found != next {
                let (found, expected) = (Box::new(found.to_buf()), Box::new(next.to_buf()));
                return fault(DenialFaultKind::NsecNext { found, expected });
            }
            types_of(node, &mut types);
            if let Some(kind) = compare(RType::NSEC, &types, bitmap) {
                fault(kind);
            }
        };
        let mut previous = None;
        for node in (0..self.name_count()).map(|n| self.node(n)).filter(|node| owns_data(*node)) {
            if let Some(previous) = previous {
                check(previous, node.owner());
            }
            previous = Some(node);
        }
        if let Some(last) = previous {
            check(last, self.apex());
        }
    }

    fn check_nsec3(&self, check: &Nsec3Check<'_>, tell: &mut dyn FnMut(DenialFault)) {
        let (mut types, mut suffixes, hasher) = (Vec::new(), Suffixes::new(), self.open().seed().hasher());
        let mut used = vec![false; check.len()];
        // The last name from the end that opt-out does not leave out. What is below a name follows it.
        let mut needed: Option<Name<'_>> = None;
        for node in (0..self.name_count()).rev().map(|n| self.node(n)) {
            let owner = node.owner();
            let is_needed = match node.kind() {
                NodeKind::Occluded => continue,
                NodeKind::EmptyNonTerminal => needed.is_some_and(|needed| needed.is_below(owner)),
                _ if !owns_data(node) => continue,
                NodeKind::Delegation => node.rrset(RType::DS).is_some_and(|rrset| !rrset.is_empty()),
                NodeKind::Apex | NodeKind::Ordinary | NodeKind::Dname => true,
            };
            let mut fault = |kind| tell(DenialFault { owner: owner.to_buf(), kind });
            suffixes.set(owner, &hasher);
            let Some((link, is_match)) = check.find(&suffixes) else { continue };
            let record = check.record(link);
            if is_match {
                used[link] = true;
                types_of(node, &mut types);
                if let Some(kind) = record.and_then(|record| compare(RType::NSEC3, &types, record.bitmap)) {
                    fault(kind);
                }
            } else if is_needed || record.is_none_or(|record| record.flags & OPT_OUT == 0) {
                fault(DenialFaultKind::NoNsec3);
            }
            if is_needed || is_match {
                needed = Some(owner);
            }
        }
        for (link, is_used) in used.into_iter().enumerate() {
            let Some(node) = check.node(link) else { continue };
            let mut fault = |kind| tell(DenialFault { owner: node.owner().to_buf(), kind });
            match check.record(link) {
                _ if !is_used || node.owner().parent() != Some(self.apex()) => fault(DenialFaultKind::Nsec3OfNothing),
                Some(record) if record.flags & !OPT_OUT > 0 => fault(DenialFaultKind::Nsec3Flags),
                Some(record) if check.leads_on(link, record.next) => {}
                Some(_) | None => fault(DenialFaultKind::Nsec3Next),
            }
        }
    }
}

/// Whether there is more at a name than signatures and NSEC3 records, which are not the data of the name that they stand
/// at, and all that is not a child's.
fn owns_data(node: Node<'_>) -> bool {
    node.kind() != NodeKind::Occluded && node.rrsets().any(|rrset| !rrset.is_empty() && is_data(rrset.rtype()))
}

fn is_data(rtype: RType) -> bool {
    !matches!(rtype, RType::RRSIG | RType::NSEC3)
}

/// The types that the list of a name has to have, ascending (RFC 4034 §4.1.2, RFC 5155 §3.2.1).
fn types_of(node: Node<'_>, types: &mut Vec<RType>) {
    types.clear();
    let mut is_signed = false;
    for rrset in node.rrsets() {
        // At a cut all but these are the child's, or glue.
        let is_parents = matches!(rrset.rtype(), RType::NS | RType::DS | RType::NSEC);
        if (node.kind() == NodeKind::Delegation && !is_parents) || rrset.rtype() == RType::NSEC3 {
            continue;
        }
        is_signed |= rrset.signature_count() > 0 || rrset.rtype() == RType::RRSIG;
        if !rrset.is_empty() && is_data(rrset.rtype()) {
            types.push(rrset.rtype());
        }
    }
    if is_signed {
        types.push(RType::RRSIG);
    }
    types.sort_unstable();
}

/// The first difference between the types of a name and those that a record lists.
fn compare(record: RType, types: &[RType], bitmap: &[u8]) -> Option<DenialFaultKind> {
    let (mut types, mut listed) = (types.iter().copied().peekable(), types_in_bitmap(bitmap).peekable());
    loop {
        match (types.peek().copied(), listed.peek().copied()) {
            (None, None) => return None,
            (Some(rtype), other) if other.is_none_or(|other| rtype < other) => {
                return Some(DenialFaultKind::TypeNotListed { record, rtype });
            }
            (Some(rtype), Some(other)) if rtype == other => drop((types.next(), listed.next())),
            (_, Some(rtype)) => return Some(DenialFaultKind::TypeListed { record, rtype }),
            (Some(_), None) => return None,
        }
    }
}

/// The flag of NSEC3 records that cover unsigned delegations (RFC 5155 §3.1.2.1).
const OPT_OUT: u8 = 1;
