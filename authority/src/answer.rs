//! The algorithm of RFC 1034 §4.3.2, as later RFCs leave it, within one zone.

use nss_wire::message::writer::Owner;
use nss_wire::message::{Flags, Full, Rcode, Section, Writer};
use nss_wire::{Class, Name, NameBuf, RType};

use crate::additional::{self, ADDRESSES};
use crate::arena::{Node, NodeKind};
use crate::denial::{Claim, Proofs};
use crate::lookup::Found;
use crate::respond::ReplyKind;
use crate::rrset::RRset;
use crate::suffixes::{NameHasher, Suffixes};
use crate::zone::Opened;

/// Aliases that are followed for one question; resolvers give up at about as many (RFC 1034 §5.2.2 asks for a limit).
pub(crate) const CHAIN_MAX: usize = 16;

/// The answer to one question, being written.
pub(crate) struct Answer<'a, 'b> {
    pub(crate) zone: Opened<'a>,
    /// With the zone's seed.
    pub(crate) hasher: &'a NameHasher,
    pub(crate) writer: &'a mut Writer<'b>,
    /// Of the name that is being looked up.
    pub(crate) suffixes: &'a mut Suffixes,
    /// The names that aliases led to, one after the other; room for [`CHAIN_MAX`], and empty at first.
    pub(crate) chain: &'a mut Vec<NameBuf>,
    /// Whether the asker wants RRSIG records (RFC 3225).
    pub(crate) with_signatures: bool,
    /// What the proofs are that belong into the answer; empty at first.
    pub(crate) proofs: &'a mut Proofs,
}

/// What to do after a step of the algorithm.
enum Step {
    /// Look up the last name of the chain.
    Follow,
    /// The answer is complete.
    Done(ReplyKind),
}

impl<'a> Answer<'a, '_> {
    /// Writes the records and sets AA, TC and the response code; says what kind of answer it became, and how many labels
    /// of the name it is about.
    ///
    /// The name stands at or below the apex.
    pub(crate) fn run(mut self, qname: Name<'_>, qtype: RType) -> (ReplyKind, u8) {
        // The name in the question is ours, unless it turns out to be below a cut.
        self.writer.flags = self.writer.flags.with(Flags::AA);
        // Wherever aliases lead, it is the question's own name that they start from.
        let mut found = self.zone.find(self.suffixes);
        let subject_labels = self.subject_labels(found);
        loop {
            match self.step(found, qname, qtype) {
                Ok(Step::Follow) => found = self.zone.find(self.suffixes),
                Ok(Step::Done(kind)) => return (kind, subject_labels),
                Err(Full) => {
                    self.writer.flags = self.writer.flags.with(Flags::TC);
                    return (ReplyKind::Answer, subject_labels);
                }
            }
        }
    }

    /// What [`Reply::subject_labels`](crate::Reply::subject_labels) says of a name that was found so.
    fn subject_labels(&self, found: Found<'_>) -> u8 {
        let labels = match found {
            Found::Exact(_) => self.suffixes.label_count(),
            Found::BelowCut(node) | Found::Redirected(node) => node.owner().label_count(),
            Found::Wildcard(node) => node.owner().label_count() - 1,
            Found::Missing(_) => self.zone.apex_labels(),
        };
        labels as u8
    }

    /// Writes what there is about the name that the chain has come to. [`Full`] means that something necessary has no
    /// room.
    fn step(&mut self, found: Found<'a>, qname: Name<'_>, qtype: RType) -> Result<Step, Full> {
        match found {
            // RFC 4035 §3.1.4.1: at a cut, DS alone is the parent's.
            Found::Exact(node) if node.kind() == NodeKind::Delegation && qtype != RType::DS => self.referral(node),
            Found::Exact(node) => {
                let claim = Claim::NoType { labels: self.suffixes.label_count(), node: node.offset() };
                self.data(node, None, claim, qname, qtype)
            }
            Found::Wildcard(node) => {
                // The parent of the wildcard is the closest encloser (RFC 4592 §3.3.1).
                let encloser = node.owner().label_count() - 1;
                let missing = Claim::NoTypeAtWildcard { encloser, wildcard: node.offset() };
                self.data(node, Some(Claim::Expanded { encloser }), missing, qname, qtype)
            }
            Found::BelowCut(cut) => self.referral(cut),
            Found::Redirected(node) => self.redirect(node, qname, qtype),
            Found::Missing(encloser) => {
                // RFC 6604 §3: the code is about the last name of the chain.
                self.writer.rcode = Rcode::NXDOMAIN;
                self.negative(ReplyKind::NxDomain, Claim::NoName { encloser: encloser.owner().label_count() })
            }
        }
    }

    /// The name exists, or a wildcard stands for it (RFC 1034 §4.3.2 steps 3a and 3c, RFC 4592 §3.3).
    ///
    /// `expanded` is to be proved where the node's records are used, `missing` where it has none.
    fn data(
        &mut self,
        node: Node<'a>,
        expanded: Option<Claim>,
        missing: Claim,
        qname: Name<'_>,
        qtype: RType,
    ) -> Result<Step, Full> {
        match qtype {
            RType::ANY => return self.any(node, expanded, missing, qname),
            RType::RRSIG => return self.signatures(node, expanded, missing, qname),
            _ => {}
        }
        if let Some(rrset) = node.rrset(qtype) {
            // A DNAME may lead to its own owner, and an answer has each RRset once (RFC 2181 §5).
            if qtype != RType::DNAME || !self.has_redirected(node.owner(), qname) {
                self.necessary(Section::Answer, rrset)?;
            }
            self.end(expanded)?;
            self.additional(rrset, node);
            return Ok(Step::Done(ReplyKind::Answer));
        }
        match node.rrset(RType::CNAME) {
            Some(rrset) => {
                self.necessary(Section::Answer, rrset)?;
                self.prove(expanded);
                let target = rrset.rdatas().next().and_then(|rdata| Name::from_wire(rdata).ok());
                let (target, _) = target.expect("the builder checks CNAME records");
                self.follow(target, qname)
            }
            None => self.negative(ReplyKind::NoData, missing),
        }
    }

    /// Remembers what is to be proved.
    fn prove(&mut self, claim: impl Into<Option<Claim>>) {
        if self.with_signatures
            && let Some(claim) = claim.into()
        {
            self.zone.denier().prove(claim, self.suffixes, self.proofs);
        }
    }

    /// Ends the answer section, and writes the proofs of what led to it.
    fn end(&mut self, claim: Option<Claim>) -> Result<(), Full> {
        self.prove(claim);
        self.write_proofs()
    }

    /// Writes all proofs; only in the authority section, since aliases may have led to some of them.
    fn write_proofs(&mut self) -> Result<(), Full> {
        let rtype = self.zone.denier().rtype();
        for i in 0..self.proofs.nodes().len() {
            let node = self.zone.node_at_offset(self.proofs.nodes()[i]);
            if let Some(rrset) = node.rrset(rtype) {
                self.put(Section::Authority, Owner::Name(node.owner()), rrset)?;
            }
        }
        Ok(())
    }

    /// ANY gets one RRset (RFC 8482 §4.1): an alias, or the smallest, so that asking for all has no point.
    fn any(&mut self, node: Node<'a>, expanded: Option<Claim>, missing: Claim, qname: Name<'_>) -> Result<Step, Full> {
        // Records of DNSSEC are last: whoever asks for ANY does not mean them.
        let cost = |rrset: &RRset<'_>| match rrset.rtype() {
            RType::CNAME => (0, 0),
            RType::NSEC | RType::NSEC3 | RType::NSEC3PARAM => (2, rrset.wire_size()),
            _ => (1, rrset.wire_size()),
        };
        match node.rrsets().filter(|rrset| !rrset.is_empty()).min_by_key(cost) {
            Some(rrset) => {
                self.necessary(Section::Answer, rrset)?;
                self.end(expanded)?;
                Ok(Step::Done(ReplyKind::Answer))
            }
            None => self.signatures(node, expanded, missing, qname),
        }
    }

    /// RRSIG is as costly as ANY and gets the signatures of one RRset (RFC 8482 §7).
    fn signatures(
        &mut self,
        node: Node<'a>,
        expanded: Option<Claim>,
        missing: Claim,
        qname: Name<'_>,
    ) -> Result<Step, Full> {
        // Those of a DNAME record that has led here are in the answer with it.
        let has_dname = self.with_signatures && self.has_redirected(node.owner(), qname);
        let is_there = |rrset: &RRset<'_>| has_dname && rrset.rtype() == RType::DNAME;
        let signed = node.rrsets().filter(|rrset| rrset.signature_count() > 0);
        let Some(rrset) = signed.min_by_key(|rrset| (is_there(rrset), rrset.signature_count())) else {
            return self.negative(ReplyKind::NoData, missing);
        };
        if is_there(&rrset) {
            self.end(expanded)?;
            return Ok(Step::Done(ReplyKind::Answer));
        }
        let mark = self.writer.mark();
        let written = write_signatures(self.writer, Section::Answer, current(self.chain), self.zone.class(), rrset);
        if written.is_err() {
            self.writer.rollback(mark);
        }
        written?;
        self.end(expanded)?;
        Ok(Step::Done(ReplyKind::Answer))
    }

    /// The name stands below the owner of a DNAME record (RFC 6672 §3.2).
    fn redirect(&mut self, node: Node<'a>, qname: Name<'_>, qtype: RType) -> Result<Step, Full> {
        let rrset = node.rrset(RType::DNAME).expect("this node has a DNAME record");
        let target = rrset.rdatas().next().and_then(|rdata| Name::from_wire(rdata).ok());
        let (target, _) = target.expect("the builder checks DNAME records");
        let owner = node.owner();
        let name = self.chain.last().map_or(qname, NameBuf::as_name);
        // A chain may come through the same DNAME again.
        if !self.has_redirected(owner, qname) {
            put(self.writer, Section::Answer, Owner::Name(owner), rrset, self.zone.class(), self.with_signatures)?;
        }
        // The name is below the owner, so all that can go wrong is its length (RFC 6672 §2.2).
        let Ok(moved) = name.with_suffix_replaced(owner, target) else {
            self.writer.rcode = Rcode::YXDOMAIN;
            self.write_proofs()?;
            return Ok(Step::Done(ReplyKind::Error));
        };
        let (class, ttl) = (self.zone.class(), rrset.ttl());
        let cname = moved.as_name().as_wire();
        self.writer.record(Section::Answer, current(self.chain), RType::CNAME, class, ttl, cname)?;
        // Whoever asks for the alias itself has it (RFC 1034 §4.3.2 step 3a).
        if matches!(qtype, RType::CNAME | RType::ANY) {
            self.write_proofs()?;
            return Ok(Step::Done(ReplyKind::Answer));
        }
        self.follow(moved.as_name(), qname)
    }

    /// Whether the DNAME record of an owner has redirected a name before the current one, and so is in the answer.
    fn has_redirected(&self, owner: Name<'_>, qname: Name<'_>) -> bool {
        self.chain.split_last().is_some_and(|(_, before)| {
            qname.is_below(owner) || before.iter().any(|name| name.as_name().is_below(owner))
        })
    }

    /// Goes on with the name that an alias leads to, if it is in this zone.
    ///
    /// Other zones may be another owner's, who must not be able to put words into this one's mouth.
    fn follow(&mut self, target: Name<'_>, qname: Name<'_>) -> Result<Step, Full> {
        let is_loop = target == qname || self.chain.iter().any(|name| name.as_name() == target);
        if is_loop || self.chain.len() == CHAIN_MAX || !target.is_at_or_below(self.zone.apex_node().owner()) {
            self.write_proofs()?;
            return Ok(Step::Done(ReplyKind::Answer));
        }
        self.chain.push(target.to_buf());
        self.suffixes.set(target, self.hasher);
        Ok(Step::Follow)
    }

    /// NODATA and NXDOMAIN: the SOA record, with the TTL that the answer may be cached for (RFC 2308 §3, §5).
    fn negative(&mut self, kind: ReplyKind, claim: Claim) -> Result<Step, Full> {
        let apex = self.zone.apex_node();
        let rrset = self.zone.soa_rrset();
        let mark = self.writer.mark();
        let (owner, class, ttl) = (Owner::Name(apex.owner()), self.zone.class(), self.zone.negative_ttl());
        self.writer.rrset(Section::Authority, owner, RType::SOA, class, ttl, rrset.rdatas())?;
        // RFC 4034 §3: signatures have the TTL of what they cover.
        for signature in rrset.signatures().take_while(|_| self.with_signatures) {
            let ttl = ttl.min(rrset.signature_ttl());
            if let Err(full) = self.writer.record(Section::Authority, owner, RType::RRSIG, class, ttl, signature) {
                self.writer.rollback(mark);
                return Err(full);
            }
        }
        self.end(Some(claim))?;
        Ok(Step::Done(kind))
    }

    /// The name stands at or below a cut: whom to ask instead (RFC 1034 §4.3.2 step 3b).
    fn referral(&mut self, cut: Node<'a>) -> Result<Step, Full> {
        if self.chain.is_empty() {
            self.writer.flags = self.writer.flags.without(Flags::AA);
        }
        let owner = Owner::Name(cut.owner());
        let rrset = cut.rrset(RType::NS).expect("a delegation has NS records");
        self.put(Section::Authority, owner, rrset)?;
        // RFC 4035 §3.1.4 is about signed zones; from others nobody can believe DS records.
        if self.with_signatures && self.zone.is_signed() {
            match cut.rrset(RType::DS) {
                Some(ds) => self.put(Section::Authority, owner, ds)?,
                None => self.prove(Claim::NoType { labels: cut.owner().label_count(), node: cut.offset() }),
            }
        }
        self.write_proofs()?;
        // RFC 9471 §3.1: without all glue of in-domain servers the answer is truncated.
        self.glue(cut, rrset, Glue::InDomain)?;
        // RFC 9471 §3.2: that of sibling servers may be left out.
        let _ = self.glue(cut, rrset, Glue::Sibling);
        Ok(Step::Done(ReplyKind::Referral))
    }

    fn glue(&mut self, cut: Node<'a>, servers: RRset<'a>, wanted: Glue) -> Result<(), Full> {
        for (rdata, offset) in servers.rdatas().zip(servers.targets()) {
            if offset == 0 {
                continue;
            }
            let node = self.zone.node_at_offset(offset);
            let is_in_domain = offset == cut.offset() || node.cut().is_some_and(|above| above.offset() == cut.offset());
            let kind = if is_in_domain { Glue::InDomain } else { Glue::Sibling };
            let Ok((server, _)) = Name::from_wire(rdata) else { continue };
            if kind == wanted {
                for rrset in ADDRESSES.iter().filter_map(|&rtype| node.rrset(rtype)) {
                    self.put(Section::Additional, Owner::Name(server), rrset)?;
                }
            }
        }
        Ok(())
    }

    /// What helps whoever gets `rrset`, as far as there is room (RFC 1034 §4.3.2 step 6, RFC 2181 §9).
    fn additional(&mut self, rrset: RRset<'a>, node: Node<'a>) {
        for (rdata, offset) in rrset.rdatas().zip(rrset.targets()) {
            if offset == 0 {
                continue;
            }
            let Some(target) = additional::target(rrset.rtype(), rdata) else { continue };
            let target_node = self.zone.node_at_offset(offset);
            for &rtype in target.types {
                let is_answer = offset == node.offset() && rtype == rrset.rtype();
                let Some(found) = target_node.rrset(rtype).filter(|_| !is_answer) else { continue };
                let owner = target.name.map_or(current(self.chain), Owner::Name);
                if put(self.writer, Section::Additional, owner, found, self.zone.class(), self.with_signatures).is_err()
                {
                    return;
                }
            }
        }
    }

    /// Writes an RRset of the name that the chain has come to.
    fn necessary(&mut self, section: Section, rrset: RRset<'_>) -> Result<(), Full> {
        put(self.writer, section, current(self.chain), rrset, self.zone.class(), self.with_signatures)
    }

    fn put(&mut self, section: Section, owner: Owner<'_>, rrset: RRset<'_>) -> Result<(), Full> {
        put(self.writer, section, owner, rrset, self.zone.class(), self.with_signatures)
    }
}

/// Which glue of a delegation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Glue {
    /// Of servers at or below the cut.
    InDomain,
    /// Of servers elsewhere in the zone or below another cut of it.
    Sibling,
}

/// The owner of the records about the name that the chain has come to.
fn current(chain: &[NameBuf]) -> Owner<'_> {
    chain.last().map_or(Owner::Question, |name| Owner::Name(name.as_name()))
}

/// Writes an RRset, and its signatures if they are wanted, or nothing of them.
fn put(
    writer: &mut Writer<'_>,
    section: Section,
    owner: Owner<'_>,
    rrset: RRset<'_>,
    class: Class,
    with_signatures: bool,
) -> Result<(), Full> {
    let mark = writer.mark();
    writer.rrset(section, owner, rrset.rtype(), class, rrset.ttl(), rrset.rdatas())?;
    if with_signatures && let Err(full) = write_signatures(writer, section, owner, class, rrset) {
        writer.rollback(mark);
        return Err(full);
    }
    Ok(())
}

fn write_signatures(
    writer: &mut Writer<'_>,
    section: Section,
    owner: Owner<'_>,
    class: Class,
    rrset: RRset<'_>,
) -> Result<(), Full> {
    for signature in rrset.signatures() {
        writer.record(section, owner, RType::RRSIG, class, rrset.signature_ttl(), signature)?;
    }
    Ok(())
}
