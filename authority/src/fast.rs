//! The most frequent questions, read and answered in fewer steps than all others, with the same octets.
//!
//! Whatever is not plain is left to [`respond`](crate::respond) and [`answer`](crate::answer), which would also answer
//! what is answered here; a test holds that they do so octet for octet.

use nss_wire::message::{
    COMPRESSED_LABELS_MAX, CompressibleNames, EdnsFlags, ExtendedError, Flags, HEADER_SIZE, MESSAGE_SIZE_MAX,
    OptionCode, Rcode,
};
use nss_wire::{Class, Name, RType};

use crate::additional::{self, ADDRESSES};
use crate::arena::{Node, NodeKind};
use crate::catalog::View;
use crate::denial::{Claim, Denial, Proofs};
use crate::links::{LINKED_MAX, Link, POINTER_BITS};
use crate::lookup::Found;
use crate::policy::{Policy, Transport, UDP_PAYLOAD_SIZE_MIN};
use crate::respond::{Reply, ReplyKind, Scratch, payload_size, reply_edns_flags, reply_flags};
use crate::rrset::{RRset, Rdatas};
use crate::suffixes::{NameHasher, Suffixes};
use crate::zone::Opened;

impl View {
    /// Answers a query with one question of class IN and nothing else but perhaps an OPT record without options; `None` if
    /// it is anything else, or its answer is not plain.
    pub(crate) fn respond_fast(
        &mut self,
        request: &[u8],
        transport: Transport,
        policy: &Policy,
        out: &mut [u8],
    ) -> Option<Reply> {
        let View { catalog, zones, scratch: Scratch { suffixes, proofs, .. } } = self;
        let (header, rest) = request.split_first_chunk::<HEADER_SIZE>()?;
        // QR and OPCODE are zero; one question; nothing else before the additional section.
        let &[id, id2, flags, flags2, 0, 1, 0, 0, 0, 0, 0, additional_count @ (0 | 1)] = header else { return None };
        if flags & 0xf8 != 0 {
            return None;
        }
        suffixes.read(rest)?;
        let (question, opt) = rest.split_at_checked(suffixes.size() + QUESTION_END_SIZE)?;
        let &[t, ype, 0, 1] = question.last_chunk()? else { return None };
        let qtype = RType(u16::from_be_bytes([t, ype]));
        // OPT is no type to ask for, DS is the parent's, and questions for several types or whole zones have rules of their own.
        if matches!(qtype.0, 41 | 43 | 46 | 128..=255) {
            return None;
        }
        let (announced, edns) = match (additional_count, opt) {
            (0, []) => (UDP_PAYLOAD_SIZE_MIN, None),
            // The root, OPT, payload size, the high part of the response code, version 0, flags, no options.
            (1, &[0, 0, 41, size, size2, _, 0, flags, flags2, 0, 0]) => {
                let flags = reply_edns_flags(EdnsFlags(u16::from_be_bytes([flags, flags2])));
                (u16::from_be_bytes([size, size2]).max(UDP_PAYLOAD_SIZE_MIN), Some((payload_size(policy), flags)))
            }
            _ => return None,
        };
        let size_max = match transport {
            Transport::Udp => announced.min(payload_size(policy)).into(),
            Transport::Tcp | Transport::Tls => MESSAGE_SIZE_MAX,
        };
        let size = out.len().min(size_max);
        let mut octets = Octets { out: out.get_mut(..size)?, at: HEADER_SIZE };
        octets.put(question)?;
        let base = octets.at as u16;
        let flags = reply_flags(Flags(u16::from_be_bytes([flags, flags2])));
        let mut message = Message { octets, base, id: [id, id2], flags, edns, counts: [0; 3] };

        suffixes.hash_all(catalog.hasher());
        let labels = suffixes.label_count();
        let Some(place) = zones.deepest(catalog, suffixes, labels) else {
            return message.refuse();
        };
        let zone = zones.get(&place)?.open();
        if zone.class() != Class::IN || zone.seed() != catalog.seed() {
            return None;
        }
        let found = match place.labels == labels {
            true => Found::Exact(zone.apex_node()),
            false => zone.find(suffixes),
        };
        let answer = Plain { zone, suffixes, proofs, qtype, with_signatures: message.wants_signatures() };
        match found {
            Found::Exact(node) if node.kind() != NodeKind::Delegation => {
                message.flags = flags.with(Flags::AA);
                if let Some(rrset) = node.rrset(qtype) {
                    if CompressibleNames::of(qtype).count == 0 && !rrset.has_targets() {
                        message.plain_rrset(Section::Answer, QUESTION_POINTER, rrset, answer.with_signatures)?;
                        return message.finish(Rcode::NOERROR, ReplyKind::Answer, labels as u8);
                    }
                    answer.data(&mut message, node, rrset)
                } else if let Some(rrset) = node.rrset(RType::CNAME) {
                    answer.alias(&mut message, rrset, catalog.hasher())
                } else {
                    let claim = || Claim::NoType { labels, node: node.offset() };
                    answer.negative(&mut message, Rcode::NOERROR, ReplyKind::NoData, labels as u8, claim)
                }
            }
            Found::Exact(cut) | Found::BelowCut(cut) => answer.referral(&mut message, cut),
            Found::Missing(encloser) => {
                message.flags = flags.with(Flags::AA);
                let claim = || Claim::NoName { encloser: encloser.owner().label_count() };
                answer.negative(&mut message, Rcode::NXDOMAIN, ReplyKind::NxDomain, zone.apex_labels() as u8, claim)
            }
            Found::Wildcard(_) | Found::Redirected(_) => None,
        }
    }
}

/// A question and where it is answered from.
struct Plain<'z> {
    zone: Opened<'z>,
    suffixes: &'z mut Suffixes,
    proofs: &'z mut Proofs,
    qtype: RType,
    with_signatures: bool,
}

impl<'z> Plain<'z> {
    /// An answer with records of the question's name, and of names that they lead to.
    fn data(self, message: &mut Message<'_>, node: Node<'z>, rrset: RRset<'z>) -> Option<Reply> {
        let mut targets = [0; LINKED_MAX];
        message.rrset(Section::Answer, QUESTION_POINTER, rrset, rrset.ttl(), self.with_signatures, &mut targets)?;
        for ((rdata, offset), pointer) in rrset.rdatas().zip(rrset.targets()).zip(targets) {
            if offset == 0 {
                continue;
            }
            let Some(target) = additional::target(rrset.rtype(), rdata) else { continue };
            let pointer = match target.name {
                // Names that are not compressed are not pointed to either.
                Some(_) => Some(pointer).filter(|&pointer| pointer > 0)?,
                None => QUESTION_POINTER,
            };
            let target_node = self.zone.node_at_offset(offset);
            for &rtype in target.types {
                let is_answer = offset == node.offset() && rtype == rrset.rtype();
                if let Some(found) = target_node.rrset(rtype).filter(|_| !is_answer) {
                    message.plain_rrset(Section::Additional, pointer, found, self.with_signatures)?;
                }
            }
        }
        message.finish(Rcode::NOERROR, ReplyKind::Answer, self.suffixes.label_count() as u8)
    }

    /// An alias of the question's name, and the records of the name that it leads to.
    fn alias(self, message: &mut Message<'_>, cname: RRset<'z>, hasher: &NameHasher) -> Option<Reply> {
        let mut targets = [0; LINKED_MAX];
        message.rrset(Section::Answer, QUESTION_POINTER, cname, cname.ttl(), self.with_signatures, &mut targets)?;
        let subject_labels = self.suffixes.label_count() as u8;
        let (target, _) = Name::from_wire(cname.rdatas().next()?).ok()?;
        if target.is_at_or_below(self.zone.apex_node().owner()) {
            self.suffixes.set(target, hasher);
            let Found::Exact(node) = self.zone.find(self.suffixes) else { return None };
            let rrset = node.rrset(self.qtype).filter(|_| node.kind() != NodeKind::Delegation)?;
            if CompressibleNames::of(self.qtype).count > 0 || rrset.targets().next().is_some() {
                return None;
            }
            message.plain_rrset(Section::Answer, targets[0], rrset, self.with_signatures)?;
        }
        message.finish(Rcode::NOERROR, ReplyKind::Answer, subject_labels)
    }

    /// An answer with the SOA record, and what proves the claim if that is asked for.
    fn negative(
        self,
        message: &mut Message<'_>,
        rcode: Rcode,
        kind: ReplyKind,
        subject_labels: u8,
        claim: impl FnOnce() -> Claim,
    ) -> Option<Reply> {
        let (soa, ttl) = (self.zone.soa_rrset(), self.zone.negative_ttl());
        let apex_size = self.zone.apex_node().owner_octets().len();
        // The root is written, not pointed to.
        if apex_size == 1
            || self.zone.apex_labels() > COMPRESSED_LABELS_MAX
            || self.has_more_of_it(soa, apex_size, self.zone.apex_labels())
        {
            return None;
        }
        let owner = message.suffix(apex_size);
        message.rrset(Section::Authority, owner, soa, ttl, false, &mut [0; LINKED_MAX])?;
        if self.with_signatures {
            // RFC 4034 §3: signatures have the TTL of what they cover.
            message.signatures(Section::Authority, owner, soa, ttl.min(soa.signature_ttl()))?;
            self.prove(message, claim(), soa)?;
        }
        message.finish(rcode, kind, subject_labels)
    }

    /// Adds the NSEC or NSEC3 records that prove a claim; `None` if an owner may have more in common with another name in the
    /// message than with the question.
    ///
    /// `names` is what the authority section begins with.
    fn prove(self, message: &mut Message<'_>, claim: Claim, names: RRset<'z>) -> Option<()> {
        let Plain { zone, suffixes, proofs, .. } = self;
        let denier = zone.denier();
        let apex_size = zone.apex_node().owner_octets().len();
        let owner_size = match denier.denial {
            Denial::None => return Some(()),
            // What two of them share is a name that the question or the wildcard stands below, and so the question's.
            Denial::Nsec { .. } => None,
            // What two of them share is the apex, where they belong right below it.
            Denial::Nsec3 { .. } => Some(NSEC3_LABEL_SIZE + apex_size),
        };
        // To the root nothing points.
        if apex_size == 1 {
            return None;
        }
        proofs.clear();
        denier.prove(claim, suffixes, proofs);
        let longest = compressible_names(names).map(<[u8]>::len).max().unwrap_or_default();
        for &offset in proofs.nodes() {
            let node = zone.node_at_offset(offset);
            let Some(rrset) = node.rrset(denier.rtype()) else { continue };
            let owner = node.owner_octets();
            let Parted { own, last_own, labels } = Parted::new(owner, suffixes, apex_size, zone.apex_labels());
            if labels > COMPRESSED_LABELS_MAX || owner_size.is_some_and(|size| size != owner.len()) {
                return None;
            }
            let above = message.suffix(owner.len() - own.len());
            if own.is_empty() {
                message.plain_rrset(Section::Authority, above, rrset, true)?;
                continue;
            }
            if last_own.len() <= longest && compressible_names(names).any(|name| ends_with(name, last_own)) {
                return None;
            }
            message.rrset_below(Section::Authority, own, above, rrset)?;
        }
        Some(())
    }

    /// Whom to ask instead.
    fn referral(self, message: &mut Message<'_>, cut: Node<'z>) -> Option<Reply> {
        let servers = cut.rrset(RType::NS)?;
        let (owner_size, owner_labels) = (cut.owner_octets().len(), cut.owner().label_count());
        if owner_labels > COMPRESSED_LABELS_MAX || self.has_more_of_it(servers, owner_size, owner_labels) {
            return None;
        }
        let owner = message.suffix(owner_size);
        let mut targets = [0; LINKED_MAX];
        message.rrset(Section::Authority, owner, servers, servers.ttl(), self.with_signatures, &mut targets)?;
        let Plain { zone, with_signatures, .. } = self;
        if with_signatures && zone.is_signed() {
            match cut.rrset(RType::DS) {
                Some(ds) => message.plain_rrset(Section::Authority, owner, ds, true)?,
                None => self.prove(message, Claim::NoType { labels: owner_labels, node: cut.offset() }, servers)?,
            }
        }
        for is_wanted_in_domain in [true, false] {
            for (offset, pointer) in servers.targets().zip(targets).filter(|(offset, _)| *offset > 0) {
                let node = zone.node_at_offset(offset);
                let is_in_domain =
                    offset == cut.offset() || node.cut().is_some_and(|above| above.offset() == cut.offset());
                if is_in_domain != is_wanted_in_domain {
                    continue;
                }
                for rrset in ADDRESSES.iter().filter_map(|&rtype| node.rrset(rtype)) {
                    message.plain_rrset(Section::Additional, pointer, rrset, with_signatures)?;
                }
            }
        }
        message.finish(Rcode::NOERROR, ReplyKind::Referral, owner_labels as u8)
    }

    /// Whether a name in the records has more labels in common with the question's name than their owner has, so that the
    /// links don't lead to the best place.
    #[inline]
    fn has_more_of_it(&self, rrset: RRset<'_>, owner_size: usize, owner_labels: usize) -> bool {
        let Some(above) = self.suffixes.label_above(owner_labels) else { return false };
        if !rrset.links().any(|link| link.leads_to_owner(owner_size)) {
            return false;
        }
        let names = CompressibleNames::of(rrset.rtype());
        let mut links = rrset.links();
        for rdata in rrset.rdatas() {
            let mut rest = rdata.get(names.skip..).unwrap_or_default();
            for link in links.by_ref().take(names.count.into()) {
                let (kept, behind) = rest.split_at_checked(link.kept.into()).unwrap_or_default();
                if link.leads_to_owner(owner_size) && last_label(kept).eq_ignore_ascii_case(above) {
                    return true;
                }
                rest = if link.has_pointer() { behind_name(behind) } else { behind };
            }
        }
        false
    }
}

/// An owner at or below the apex, parted where it begins to be the end of the question's name.
struct Parted<'o> {
    /// The labels that only the owner has.
    own: &'o [u8],
    /// The last of these and all behind it; all of the owner if it has none of its own.
    last_own: &'o [u8],
    /// Labels of the owner.
    labels: usize,
}

impl<'o> Parted<'o> {
    #[inline]
    fn new(owner: &'o [u8], suffixes: &Suffixes, apex_size: usize, apex_labels: usize) -> Parted<'o> {
        let own_size = owner.len() - apex_size;
        let (mut at, mut labels) = (0, apex_labels);
        while at < own_size {
            at += 1 + usize::from(owner[at]);
            labels += 1;
        }
        let (mut start, mut before, mut left) = (0, 0, labels);
        while start < own_size {
            if left <= suffixes.label_count() && owner[start..].eq_ignore_ascii_case(suffixes.wire(left)) {
                break;
            }
            before = start;
            start += 1 + usize::from(owner[start]);
            left -= 1;
        }
        Parted { own: &owner[..start], last_own: &owner[before..], labels }
    }
}

/// The names in the records of an RRset that later names of the message may point to.
#[inline]
fn compressible_names<'z>(rrset: RRset<'z>) -> impl Iterator<Item = &'z [u8]> {
    let names = CompressibleNames::of(rrset.rtype());
    rrset.rdatas().flat_map(move |rdata| {
        let mut rest = rdata.get(names.skip..).unwrap_or_default();
        (0..names.count).map(move |_| {
            let behind = behind_name(rest);
            let name = &rest[..rest.len() - behind.len()];
            rest = behind;
            name
        })
    })
}

/// Whether octets end with others but for the case of letters, be it in the middle of a label.
#[inline]
fn ends_with(octets: &[u8], end: &[u8]) -> bool {
    octets.len().checked_sub(end.len()).is_some_and(|start| octets[start..].eq_ignore_ascii_case(end))
}

/// The last of some labels, with its length; nothing of none.
#[inline]
fn last_label(labels: &[u8]) -> &[u8] {
    let mut rest = labels;
    while let Some((label, behind)) = rest.first().and_then(|&length| rest.split_at_checked(1 + usize::from(length))) {
        if behind.is_empty() {
            return label;
        }
        rest = behind;
    }
    &[]
}

/// What stands behind the name of which `octets` hold the rest.
#[inline]
fn behind_name(octets: &[u8]) -> &[u8] {
    let mut rest = octets;
    while let Some((&length, behind)) = rest.split_first() {
        rest = behind.get(usize::from(length)..).unwrap_or_default();
        if length == 0 {
            break;
        }
    }
    rest
}

/// A message that is being written.
struct Message<'b> {
    octets: Octets<'b>,
    /// Where the question ends.
    base: u16,
    id: [u8; 2],
    flags: Flags,
    /// The payload size and flags of the OPT record, if there is to be one.
    edns: Option<(u16, EdnsFlags)>,
    counts: [u16; 3],
}

/// A section of a message.
#[derive(Clone, Copy)]
enum Section {
    Answer,
    Authority,
    Additional,
}

impl Message<'_> {
    #[inline]
    fn wants_signatures(&self) -> bool {
        self.edns.is_some_and(|(_, flags)| flags.contains(EdnsFlags::DO))
    }

    /// A pointer to the last octets of the question's name.
    #[inline]
    fn suffix(&self, size: usize) -> u16 {
        POINTER_BITS | (self.base - (QUESTION_END_SIZE + size) as u16)
    }

    /// Writes an RRset right behind the question, with its signatures if they are wanted, and keeps a pointer to the
    /// compressed name of each record; `None` if there is no room or the names have no links.
    #[inline]
    fn rrset(
        &mut self,
        section: Section,
        owner: u16,
        rrset: RRset<'_>,
        ttl: u32,
        with_signatures: bool,
        targets: &mut [u16; LINKED_MAX],
    ) -> Option<()> {
        let names = CompressibleNames::of(rrset.rtype());
        if names.count == 0 {
            return self.plain_rrset(section, owner, rrset, with_signatures);
        }
        if !rrset.has_links() || rrset.is_empty() {
            return None;
        }
        let start = record_start(owner, rrset.rtype(), ttl);
        let mut links = rrset.links();
        for (rdata, target) in rrset.rdatas().zip(targets) {
            self.octets.array(start)?;
            let size_at = self.octets.at;
            self.octets.array([0, 0])?;
            let (skipped, mut rest) = rdata.split_at_checked(names.skip)?;
            self.octets.put(skipped)?;
            for link in links.by_ref().take(names.count.into()) {
                rest = self.name(link, rest, target)?;
            }
            self.octets.put(rest)?;
            let size = (self.octets.at - size_at - 2) as u16;
            *self.octets.out.get_mut(size_at..)?.first_chunk_mut()? = size.to_be_bytes();
        }
        self.counts[section as usize] += rrset.len() as u16;
        if with_signatures { self.signatures(section, owner, rrset, rrset.signature_ttl()) } else { Some(()) }
    }

    /// Writes the name at the start of `rdata` as its link says; returns what stands behind it.
    #[inline]
    fn name<'r>(&mut self, link: Link, rdata: &'r [u8], target: &mut u16) -> Option<&'r [u8]> {
        let at = self.octets.at as u16;
        let (kept, behind) = rdata.split_at_checked(link.kept.into())?;
        self.octets.put(kept)?;
        let Some(pointer) = link.pointer(self.base) else {
            // To the root nothing points.
            *target = if kept.len() > 1 { POINTER_BITS | at } else { 0 };
            return Some(behind);
        };
        *target = if kept.is_empty() { pointer } else { POINTER_BITS | at };
        self.octets.array(pointer.to_be_bytes())?;
        Some(behind_name(behind))
    }

    /// Writes an RRset without names that are compressed, with its signatures if they are wanted.
    #[inline]
    fn plain_rrset(&mut self, section: Section, owner: u16, rrset: RRset<'_>, with_signatures: bool) -> Option<()> {
        if rrset.is_empty() || owner == 0 {
            return None;
        }
        self.octets.records(record_start(owner, rrset.rtype(), rrset.ttl()), rrset.rdatas())?;
        self.counts[section as usize] += rrset.len() as u16;
        if with_signatures { self.signatures(section, owner, rrset, rrset.signature_ttl()) } else { Some(()) }
    }

    /// Writes an RRset and its signatures, whose owner has some labels of its own and ends with the name that `above` points to.
    fn rrset_below(&mut self, section: Section, own: &[u8], above: u16, rrset: RRset<'_>) -> Option<()> {
        let owner = u16::try_from(self.octets.at).ok().filter(|&at| at <= !POINTER_BITS)? | POINTER_BITS;
        let mut rdatas = rrset.rdatas();
        let first = rdatas.next()?;
        self.octets.put(own)?;
        self.octets.array(record_start(above, rrset.rtype(), rrset.ttl()))?;
        self.octets.array((first.len() as u16).to_be_bytes())?;
        self.octets.put(first)?;
        self.octets.records(record_start(owner, rrset.rtype(), rrset.ttl()), rdatas)?;
        self.counts[section as usize] += rrset.len() as u16;
        self.signatures(section, owner, rrset, rrset.signature_ttl())
    }

    #[inline]
    fn signatures(&mut self, section: Section, owner: u16, rrset: RRset<'_>, ttl: u32) -> Option<()> {
        if rrset.signature_count() > 0 {
            let start = record_start(owner, RType::RRSIG, ttl);
            self.octets.records(start, rrset.signatures())?;
            self.counts[section as usize] += rrset.signature_count() as u16;
        }
        Some(())
    }

    /// Ends the answer to a question about nobody's zone, which may say so (RFC 8914 §4.21).
    fn refuse(&mut self) -> Option<Reply> {
        if let Some(start) = self.opt() {
            let ([c, ode], [e, rror]) =
                (OptionCode::EXTENDED_ERROR.0.to_be_bytes(), ExtendedError::NOT_AUTHORITATIVE.0.to_be_bytes());
            self.octets.array(start)?;
            self.octets.array([0, 6, c, ode, 0, 2, e, rror])?;
        }
        self.close(Rcode::REFUSED, ReplyKind::Error, 0)
    }

    /// Ends the message.
    #[inline]
    fn finish(&mut self, rcode: Rcode, kind: ReplyKind, subject_labels: u8) -> Option<Reply> {
        if let Some(start) = self.opt() {
            self.octets.array(start)?;
            self.octets.array([0, 0])?;
        }
        self.close(rcode, kind, subject_labels)
    }

    /// What the OPT record starts with, if there is to be one; the size of its options follows.
    #[inline]
    fn opt(&self) -> Option<[u8; 9]> {
        let (size, flags) = self.edns?;
        let ([s, ize], [f, lags]) = (size.to_be_bytes(), flags.0.to_be_bytes());
        Some([0, 0, 41, s, ize, 0, 0, f, lags])
    }

    /// Writes the header.
    #[inline]
    fn close(&mut self, rcode: Rcode, kind: ReplyKind, subject_labels: u8) -> Option<Reply> {
        let [answers, authorities, mut additionals] = self.counts;
        additionals += u16::from(self.edns.is_some());
        let ([i, d], [f, lags]) = (self.id, self.flags.with_rcode(rcode).0.to_be_bytes());
        let [[a, nswer], [n, s], [m, ore]] = [answers, authorities, additionals].map(u16::to_be_bytes);
        let Octets { out, at } = &mut self.octets;
        *out.first_chunk_mut::<HEADER_SIZE>()? = [i, d, f, lags, 0, 1, a, nswer, n, s, m, ore];
        let (is_truncated, has_valid_cookie, is_for_everybody) = (false, false, true);
        Some(Reply { len: *at, rcode, kind, subject_labels, is_truncated, has_valid_cookie, is_for_everybody })
    }
}

/// What a record of class IN starts with: a pointer to its owner, type, class and TTL.
#[inline]
fn record_start(owner: u16, rtype: RType, ttl: u32) -> [u8; 10] {
    let ([p, ointer], [t, ype], [t3, t2, t1, t0]) = (owner.to_be_bytes(), rtype.0.to_be_bytes(), ttl.to_be_bytes());
    [p, ointer, t, ype, 0, 1, t3, t2, t1, t0]
}

/// Octets being written, up to the end of the buffer.
struct Octets<'b> {
    out: &'b mut [u8],
    at: usize,
}

impl Octets<'_> {
    #[inline]
    fn put(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.at + octets.len();
        self.out.get_mut(self.at..end)?.copy_from_slice(octets);
        self.at = end;
        Some(())
    }

    /// As [`Octets::put`], without a call.
    #[inline]
    fn array<const N: usize>(&mut self, octets: [u8; N]) -> Option<()> {
        *self.out.get_mut(self.at..)?.first_chunk_mut()? = octets;
        self.at += N;
        Some(())
    }

    /// Writes records that start alike.
    #[inline]
    fn records(&mut self, start: [u8; 10], rdatas: Rdatas<'_>) -> Option<()> {
        for rdata in rdatas {
            self.array(start)?;
            self.array((rdata.len() as u16).to_be_bytes())?;
            // The data of an address: no call to copy it.
            match (rdata.first_chunk::<4>(), rdata.len()) {
                (Some(&octets), 4) => self.array(octets)?,
                _ => self.put(rdata)?,
            }
        }
        Some(())
    }
}

/// Octets of type and class behind the name of a question.
const QUESTION_END_SIZE: usize = 4;

/// Octets of the first label of an NSEC3 record's owner, with its length: a SHA-1 hash in base32hex (RFC 5155 §3).
const NSEC3_LABEL_SIZE: usize = 33;

/// A pointer to the question's name.
const QUESTION_POINTER: u16 = POINTER_BITS | HEADER_SIZE as u16;
