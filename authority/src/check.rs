//! The checks that make a zone a zone: what a name may hold, and where its records lead.
//!
//! Errors are what the RFCs forbid and no server could answer sensibly; what others serve is served here too, with a warning.

use nss_wire::{Name, NameBuf, RType};

use crate::arena::{Node, NodeKind, RECORD_HEADER_SIZE};
use crate::builder::{Staged, StagedRecords};
use crate::finding::{FindingKind, Findings, RRSET_SIZE_MAX};
use crate::lookup::InTable;

/// Negative answers should be cached for an hour or so, and hardly for more than a day (RFC 2308 §5).
const NEGATIVE_TTL_USUAL_MAX: u32 = 86_400;

/// The checks of one name's records.
pub(crate) struct NodeCheck<'a> {
    pub(crate) staged: &'a StagedRecords,
    pub(crate) owner: &'a NameBuf,
    pub(crate) kind: NodeKind,
    /// What occludes the name.
    pub(crate) cut: Option<Cut>,
    /// Its records without signatures, by type.
    pub(crate) data: &'a [u32],
    pub(crate) findings: &'a mut Findings,
}

/// A delegation or DNAME record above a name.
pub(crate) struct Cut {
    pub(crate) owner: NameBuf,
    pub(crate) is_dname: bool,
}

impl NodeCheck<'_> {
    pub(crate) fn run(mut self) {
        let staged = self.staged;
        self.cname();
        self.dname();
        self.soa();
        self.ttls();
        if self.owner.as_name().is_wildcard() {
            self.first(RType::NS, FindingKind::WildcardNs);
            self.first(RType::DNAME, FindingKind::WildcardDname);
        }
        match self.kind {
            NodeKind::Apex => {
                self.first(RType::DS, FindingKind::DsAtApex);
                if !self.has(RType::NS) {
                    self.findings.push(FindingKind::NoNs, self.owner, 0);
                }
            }
            NodeKind::Ordinary | NodeKind::EmptyNonTerminal | NodeKind::Dname => {
                self.first(RType::DS, FindingKind::DsWithoutNs);
            }
            NodeKind::Delegation => {
                // Addresses may be glue, the others of these are the parent's (RFC 4035 §2.3, §2.4).
                let is_parents = |rtype| matches!(rtype, RType::NS | RType::DS | RType::NSEC | RType::A | RType::AAAA);
                for record in first_of_each_type(staged, self.data).filter(|record| !is_parents(record.rtype)) {
                    self.findings.push(FindingKind::BelongsToChild(record.rtype), self.owner, record.line);
                }
            }
            NodeKind::Occluded => self.occluded(),
        }
    }

    fn has(&self, rtype: RType) -> bool {
        self.data.iter().any(|&i| self.staged.record(i).rtype == rtype)
    }

    /// Notes `kind` at the first record of a type, if there is one.
    fn first(&mut self, rtype: RType, kind: FindingKind) {
        if let Some(&i) = self.data.iter().find(|&&i| self.staged.record(i).rtype == rtype) {
            self.findings.push(kind, self.owner, self.staged.record(i).line);
        }
    }

    /// Notes `kind` at each record of a type but the first.
    fn all_but_first(&mut self, rtype: RType, kind: &FindingKind) {
        for &i in self.data.iter().filter(|&&i| self.staged.record(i).rtype == rtype).skip(1) {
            self.findings.push(kind.clone(), self.owner, self.staged.record(i).line);
        }
    }

    fn cname(&mut self) {
        if !self.has(RType::CNAME) {
            return;
        }
        // RFC 4035 §2.5 lets a signed zone have NSEC, and KEY for secure update, beside a CNAME record.
        let is_other = |rtype| !matches!(rtype, RType::CNAME | RType::NSEC | RType::KEY);
        if let Some(&i) = self.data.iter().find(|&&i| is_other(self.staged.record(i).rtype)) {
            let record = self.staged.record(i);
            self.findings.push(FindingKind::CnameAndOther { other: record.rtype }, self.owner, record.line);
        }
        self.all_but_first(RType::CNAME, &FindingKind::SeveralCnames);
    }

    fn dname(&mut self) {
        self.all_but_first(RType::DNAME, &FindingKind::SeveralDnames);
        if self.has(RType::NS) && self.kind != NodeKind::Apex {
            self.first(RType::DNAME, FindingKind::DnameAndNs);
        }
    }

    fn soa(&mut self) {
        if self.kind != NodeKind::Apex {
            return self.first(RType::SOA, FindingKind::SoaBelowApex);
        }
        self.all_but_first(RType::SOA, &FindingKind::SeveralSoas);
        let Some(&i) = self.data.iter().find(|&&i| self.staged.record(i).rtype == RType::SOA) else {
            return self.findings.push(FindingKind::NoSoa, self.owner, 0);
        };
        let record = self.staged.record(i);
        let seconds = crate::zone::soa_minimum(self.staged.rdata(record)).min(record.ttl);
        if seconds > NEGATIVE_TTL_USUAL_MAX {
            self.findings.push(FindingKind::LongNegativeTtl { seconds }, self.owner, record.line);
        }
    }

    fn ttls(&mut self) {
        for set in self.data.chunk_by(|&a, &b| self.staged.record(a).rtype == self.staged.record(b).rtype) {
            let records = || set.iter().map(|&i| self.staged.record(i));
            let lowest = records().map(|record| record.ttl).min().unwrap_or(0);
            if let Some(record) = records().find(|record| record.ttl != lowest) {
                self.findings.push(FindingKind::TtlsDiffer { rtype: record.rtype, lowest }, self.owner, record.line);
            }
        }
    }

    fn occluded(&mut self) {
        let Some(Cut { owner: cut, is_dname }) = self.cut.take() else { return };
        let kept = |rtype| match is_dname {
            // The owners of NSEC3 records of a signed apex with a DNAME stand below it (RFC 5155 §3).
            true => rtype == RType::NSEC3,
            false => matches!(rtype, RType::A | RType::AAAA),
        };
        for record in first_of_each_type(self.staged, self.data).filter(|record| !kept(record.rtype)) {
            let cut = Box::new(cut.clone());
            let kind = match is_dname {
                true => FindingKind::DataBelowDname { dname: cut },
                false => FindingKind::BelowCut { rtype: record.rtype, cut },
            };
            self.findings.push(kind, self.owner, record.line);
        }
    }
}

fn first_of_each_type<'a>(staged: &'a StagedRecords, data: &'a [u32]) -> impl Iterator<Item = &'a Staged> {
    let sets = data.chunk_by(|&a, &b| staged.record(a).rtype == staged.record(b).rtype);
    sets.map(|set| staged.record(set[0]))
}

/// Whether records of one owner and type fit into a message.
pub(crate) fn sizes(staged: &StagedRecords, rtype: RType, set: &[u32], owner: Name<'_>, findings: &mut Findings) {
    let Some(&first) = set.first() else { return };
    // The owner is a compression pointer to the question.
    let size: usize = set.iter().map(|&i| 2 + RECORD_HEADER_SIZE + staged.rdata(staged.record(i)).len()).sum();
    let question = owner.wire_len() + 4;
    if size + question > RRSET_SIZE_MAX {
        findings.push(FindingKind::RRsetTooLarge { rtype, size }, &owner.to_buf(), staged.record(first).line);
    }
}

/// Where a record leads: the node to take additional records from, after the checks on it.
pub(crate) fn target<'z>(
    record: &Staged,
    record_owner: Name<'_>,
    node: Node<'z>,
    target: Name<'_>,
    found: InTable<'z>,
    findings: &mut Findings,
) -> Option<Node<'z>> {
    let rtype = record.rtype;
    let boxed = || Box::new(target.to_buf());
    let mut warn = |kind| findings.push(kind, &record_owner.to_buf(), record.line);
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
