//! The checks that make a zone a zone: what a name may hold, and where its records lead.
//!
//! Errors are what the RFCs forbid and no server could answer sensibly; what others serve is served here too, with a warning.

use nss_wire::{Name, RType};

use crate::arena::{Node, NodeKind};
use crate::builder::RecordLines;
use crate::denial::{NSEC3_ITERATIONS_MAX, NSEC3_WORK_MAX, Nsec3Hash};
use crate::finding::{FindingKind, Findings};
use crate::lookup::InTable;
use crate::rrset::RRset;

/// Negative answers should be cached for an hour or so, and hardly for more than a day (RFC 2308 §5).
const NEGATIVE_TTL_USUAL_MAX: u32 = 86_400;

/// The checks of one name's records.
pub(crate) struct NodeCheck<'a> {
    pub(crate) node: Node<'a>,
    /// The lines of all records of the zone, in the order of the arena.
    pub(crate) lines: &'a RecordLines,
    /// Which of them is that of the node's first record.
    pub(crate) first_record: usize,
    /// How many names the zone has.
    pub(crate) names: usize,
    pub(crate) findings: &'a mut Findings,
}

/// Records and signatures of an RRset.
pub(crate) fn parts(rrset: RRset<'_>) -> usize {
    rrset.len() + rrset.signature_count()
}

impl<'a> NodeCheck<'a> {
    pub(crate) fn run(mut self) {
        let kind = self.node.kind();
        // Most names are like this, and nothing below has anything to say about them.
        let is_plain = |rrset: RRset<'_>| is_plain(kind, rrset.rtype);
        if kind != NodeKind::Apex && !self.node.owner().is_wildcard() && self.node.rrsets().all(is_plain) {
            return;
        }
        self.cname();
        self.dname();
        self.soa();
        if self.node.owner().is_wildcard() {
            self.first(RType::NS, FindingKind::WildcardNs);
            self.first(RType::DNAME, FindingKind::WildcardDname);
        }
        match kind {
            NodeKind::Apex => {
                self.first(RType::DS, FindingKind::DsAtApex);
                if !self.has(RType::NS) {
                    self.push(FindingKind::NoNs, 0);
                }
                self.iterations();
            }
            NodeKind::Ordinary | NodeKind::EmptyNonTerminal | NodeKind::Dname => {
                self.first(RType::DS, FindingKind::DsWithoutNs);
            }
            NodeKind::Delegation => {
                // Addresses may be glue, the others of these are the parent's (RFC 4035 §2.3, §2.4). A DNAME record
                // has been refused already.
                let is_glue = |rtype| matches!(rtype, RType::A | RType::AAAA);
                let is_parents =
                    |rtype| is_glue(rtype) || matches!(rtype, RType::NS | RType::DS | RType::NSEC | RType::DNAME);
                self.first_of_each_type(|rtype| (!is_parents(rtype)).then_some(FindingKind::BelongsToChild(rtype)));
            }
            NodeKind::Occluded => self.occluded(),
        }
    }

    fn push(&mut self, kind: FindingKind, line: u32) {
        self.findings.push(kind, &self.node.owner().to_buf(), line);
    }

    /// The RRsets without those of signatures alone, and the line of the first record of each.
    fn sets(&self) -> impl Iterator<Item = (RRset<'a>, &'a [u32])> + use<'a> {
        let (lines, mut record) = (self.lines, self.first_record);
        let sets = self.node.rrsets().map(move |rrset| {
            let own = lines.of_some(record, rrset.len());
            record += parts(rrset);
            (rrset, own)
        });
        sets.filter(|(rrset, _)| !rrset.is_empty())
    }

    fn set(&self, rtype: RType) -> Option<(RRset<'a>, &'a [u32])> {
        self.sets().find(|(rrset, _)| rrset.rtype == rtype)
    }

    fn has(&self, rtype: RType) -> bool {
        self.set(rtype).is_some()
    }

    /// Notes `kind` at the first record of a type, if there is one.
    fn first(&mut self, rtype: RType, kind: FindingKind) {
        if let Some((_, lines)) = self.set(rtype) {
            self.push(kind, lines.first().copied().unwrap_or(0));
        }
    }

    /// Notes what `finding` gives for the types that are here, at the first record of each.
    fn first_of_each_type(&mut self, finding: impl Fn(RType) -> Option<FindingKind>) {
        for (rrset, lines) in self.sets() {
            if let Some(kind) = finding(rrset.rtype) {
                self.push(kind, lines.first().copied().unwrap_or(0));
            }
        }
    }

    /// Notes `kind` at each record of a type but the first in the text.
    fn all_but_first(&mut self, rtype: RType, kind: &FindingKind) {
        let Some((rrset, lines)) = self.set(rtype) else { return };
        // The records are in canonical order.
        let line = |n: usize| lines.get(n).copied().unwrap_or(0);
        let first = (0..rrset.len()).min_by_key(|&n| line(n)).unwrap_or(0);
        for n in (0..rrset.len()).filter(|&n| n != first) {
            self.findings.push_related(kind.clone(), &self.node.owner().to_buf(), line(n), line(first));
        }
    }

    fn cname(&mut self) {
        let Some((_, cname)) = self.set(RType::CNAME) else { return };
        let cname = cname.first().copied().unwrap_or(0);
        if self.node.kind() == NodeKind::Apex {
            self.push(FindingKind::CnameAtApex, cname);
            return self.all_but_first(RType::CNAME, &FindingKind::SeveralCnames);
        }
        // RFC 4035 §2.5 lets a signed zone have NSEC, and KEY for secure update, beside a CNAME record.
        let is_other = |rtype| !matches!(rtype, RType::CNAME | RType::NSEC | RType::KEY);
        let other = self.sets().find(|(rrset, _)| is_other(rrset.rtype));
        if let Some((rrset, lines)) = other {
            let (kind, line) = (FindingKind::CnameAndOther { other: rrset.rtype }, lines.first().copied().unwrap_or(0));
            self.findings.push_related(kind, &self.node.owner().to_buf(), line, cname);
        }
        self.all_but_first(RType::CNAME, &FindingKind::SeveralCnames);
    }

    fn dname(&mut self) {
        self.all_but_first(RType::DNAME, &FindingKind::SeveralDnames);
        if self.node.kind() != NodeKind::Apex && self.has(RType::NS) {
            self.first(RType::DNAME, FindingKind::DnameAndNs);
        }
    }

    fn soa(&mut self) {
        if self.node.kind() != NodeKind::Apex {
            return self.first(RType::SOA, FindingKind::SoaBelowApex);
        }
        self.all_but_first(RType::SOA, &FindingKind::SeveralSoas);
        let Some((rrset, lines)) = self.set(RType::SOA) else {
            return self.push(FindingKind::NoSoa, 0);
        };
        let minimum = rrset.rdatas().next().map_or(0, crate::zone::soa_minimum);
        let seconds = minimum.min(rrset.ttl());
        if seconds > NEGATIVE_TTL_USUAL_MAX {
            self.push(FindingKind::LongNegativeTtl { seconds }, lines.first().copied().unwrap_or(0));
        }
    }

    fn iterations(&mut self) {
        let Some((rrset, lines)) = self.set(RType::NSEC3PARAM).filter(|_| self.has(RType::DNSKEY)) else { return };
        for (n, rdata) in rrset.rdatas().enumerate() {
            let Some(hash) = Nsec3Hash::read(rdata) else { continue };
            let (iterations, names) = (hash.iterations, self.names);
            let kind = if iterations > NSEC3_ITERATIONS_MAX {
                FindingKind::Nsec3Iterations { iterations, limit: NSEC3_ITERATIONS_MAX }
            } else if hash.work(names) > NSEC3_WORK_MAX {
                FindingKind::Nsec3Work { names, iterations, limit: NSEC3_WORK_MAX }
            } else {
                continue;
            };
            self.push(kind, lines.get(n).copied().unwrap_or(0));
        }
    }

    fn occluded(&mut self) {
        let Some(cut) = self.node.cut() else { return };
        let (is_dname, name) = (cut.kind() != NodeKind::Delegation, cut.owner());
        self.first_of_each_type(|rtype| {
            let is_kept = match is_dname {
                // The owners of NSEC3 records of a signed apex with a DNAME stand below it (RFC 5155 §3).
                true => rtype == RType::NSEC3,
                false => matches!(rtype, RType::A | RType::AAAA),
            };
            let cut = || Box::new(name.to_buf());
            match (is_kept, is_dname) {
                (true, _) => None,
                (false, true) => Some(FindingKind::DataBelowDname { dname: cut() }),
                (false, false) => Some(FindingKind::BelowCut { rtype, cut: cut() }),
            }
        });
    }
}

/// Notes that the empty non-terminal at `name` is not covered by the wildcard beside it, if that has addresses.
pub(crate) fn shadow(arena: &[u8], name: u32, wildcard: u32, line: u32, findings: &mut Findings) {
    let (name, wildcard) = (Node::at(arena, name), Node::at(arena, wildcard));
    let has_address = [RType::A, RType::AAAA, RType::CNAME].iter().any(|&rtype| wildcard.rrset(rtype).is_some());
    if has_address {
        let kind = FindingKind::ShadowedWildcard { wildcard: Box::new(wildcard.owner().to_buf()) };
        findings.push(kind, &name.owner().to_buf(), line);
    }
}

/// Types that may stand at any name of a kind, if no other types do.
fn is_plain(kind: NodeKind, rtype: RType) -> bool {
    match kind {
        NodeKind::Ordinary | NodeKind::EmptyNonTerminal => {
            !matches!(rtype, RType::NS | RType::SOA | RType::CNAME | RType::DNAME | RType::DS)
        }
        NodeKind::Delegation => matches!(rtype, RType::NS | RType::DS),
        NodeKind::Apex | NodeKind::Occluded | NodeKind::Dname => false,
    }
}

/// Where a record of `node`, read from `line`, leads: the node to take additional records from, after the checks on it.
pub(crate) fn target<'z>(
    rtype: RType,
    node: Node<'z>,
    target: Name<'_>,
    found: InTable<'z>,
    line: u32,
    findings: &mut Findings,
) -> Option<Node<'z>> {
    let boxed = || Box::new(target.to_buf());
    let mut warn = |kind| findings.push(kind, &node.owner().to_buf(), line);
    let has_address = |node: Node<'_>| node.rrset(RType::A).is_some() || node.rrset(RType::AAAA).is_some();
    // What occluded records say is never served, so it does not matter where they lead.
    if node.kind() == NodeKind::Occluded {
        return None;
    }
    let is_glue_type = rtype == RType::NS;
    let wants_address = matches!(rtype, RType::NS | RType::MX | RType::SRV | RType::KX | RType::AFSDB | RType::RT);
    let (host, cut) = found.host();
    if let Some(cut) = cut {
        // The addresses of hosts at or below a cut are the child's; here they can only be glue.
        let is_missing = host.is_none_or(|host| !has_address(host));
        if is_glue_type && is_missing && cut.offset() == node.offset() {
            warn(FindingKind::MissingGlue { target: boxed() });
        }
        return host.filter(|_| is_glue_type);
    }
    match host {
        Some(host) if host.rrset(RType::CNAME).is_some() => {
            if matches!(rtype, RType::NS | RType::MX | RType::SRV) {
                warn(FindingKind::TargetIsCname { rtype, target: boxed() });
            }
            None
        }
        Some(host) => {
            if wants_address && !has_address(host) {
                warn(FindingKind::MissingAddress { rtype, target: boxed() });
            }
            Some(host)
        }
        None => {
            if wants_address && !found.is_redirected() {
                warn(FindingKind::MissingAddress { rtype, target: boxed() });
            }
            None
        }
    }
}
