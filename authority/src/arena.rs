//! The nodes and RRsets of a zone behind 32-bit offsets.
//!
//! ```text
//! arena   room for the header | nodes …
//! node    kind (1) | octets of the owner (1) | RRsets (2) | link (4) | owner name | RRsets …
//! RRset   type (2) | records and flags (2) | TTL (4) | octets of the records (2) | records …
//!         | with SIGNED:  signatures (2) | their TTL (4) | their octets (2) | signatures …
//!         | with TARGETS: target of each record (4 each)
//!         | with LINKS:   link of each compressible name (3 each)
//! record  RDLENGTH (2) | RDATA
//! ```
//!
//! RDLENGTH is in network byte order because messages want it so; all other numbers are little-endian. Nothing in it
//! depends on where it stands in memory. Offset 0 means "none", the header standing there. Nodes stand in the order in
//! which they came, so that what was written together in a zone file is together in memory too.

use std::ops::Range;

use nss_wire::{Name, RType};

use crate::memory::{HEADER_SIZE, Header, Memory, Places};
use crate::rrset::{RRset, RRsets};
use crate::table::Slot;

/// What a name in a zone is; decided when the zone is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// The top of the zone, owner of its SOA record.
    Apex,
    /// A name with authoritative data.
    Ordinary,
    /// A name without records of its own, but with descendants (RFC 4592 §2.2.2).
    EmptyNonTerminal,
    /// The zone cut to a child: a name with an NS RRset below the apex.
    Delegation,
    /// A name below a zone cut or a DNAME record; it must not be found (RFC 2136 §7.18).
    Occluded,
    /// The owner of a DNAME record below the apex.
    Dname,
}

impl NodeKind {
    fn from_octet(octet: u8) -> NodeKind {
        match octet & KIND_BITS {
            0 => NodeKind::Apex,
            1 => NodeKind::Ordinary,
            2 => NodeKind::EmptyNonTerminal,
            3 => NodeKind::Delegation,
            4 => NodeKind::Occluded,
            _ => NodeKind::Dname,
        }
    }

    fn to_octet(self) -> u8 {
        match self {
            NodeKind::Apex => 0,
            NodeKind::Ordinary => 1,
            NodeKind::EmptyNonTerminal => 2,
            NodeKind::Delegation => 3,
            NodeKind::Occluded => 4,
            NodeKind::Dname => 5,
        }
    }
}

/// One name of a zone.
#[derive(Clone, Copy)]
pub(crate) struct Node<'z> {
    arena: &'z [u8],
    at: usize,
}

impl<'z> Node<'z> {
    /// The node at an offset that [`Writer::begin_node`] returned.
    #[inline]
    pub(crate) fn at(arena: &'z [u8], offset: u32) -> Node<'z> {
        Node { arena, at: offset as usize }
    }

    #[inline]
    pub(crate) fn offset(self) -> u32 {
        self.at as u32
    }

    #[inline(always)]
    pub(crate) fn kind(self) -> NodeKind {
        NodeKind::from_octet(self.arena[self.at])
    }

    /// The child `*`; the source of synthesis if this node is the closest encloser.
    pub(crate) fn wildcard(self) -> Option<Node<'z>> {
        match self.kind() {
            NodeKind::Occluded => None,
            NodeKind::Apex
            | NodeKind::Ordinary
            | NodeKind::EmptyNonTerminal
            | NodeKind::Delegation
            | NodeKind::Dname => self.link(),
        }
    }

    /// The delegation or DNAME owner above an occluded node.
    #[inline]
    pub(crate) fn cut(self) -> Option<Node<'z>> {
        match self.kind() {
            NodeKind::Occluded => self.link(),
            NodeKind::Apex
            | NodeKind::Ordinary
            | NodeKind::EmptyNonTerminal
            | NodeKind::Delegation
            | NodeKind::Dname => None,
        }
    }

    /// Only one of the wildcard child and the cut can matter to a node, so they share a place.
    fn link(self) -> Option<Node<'z>> {
        let offset = read_u32(self.arena, self.at + LINK_AT);
        (offset > 0).then(|| Node::at(self.arena, offset))
    }

    /// Whether this is the node of the name that `wire` is the lower-case form of.
    #[inline(always)]
    pub(crate) fn is_owned_by(self, wire: &[u8]) -> bool {
        let owner = self.owner_octets();
        match self.arena[self.at] & HAS_CAPITALS {
            0 => is_equal(owner, wire),
            _ => owner.eq_ignore_ascii_case(wire),
        }
    }

    /// The owner in the letter case in which the zone has it.
    #[inline]
    pub(crate) fn owner(self) -> Name<'z> {
        Name::from_wire(self.owner_octets()).expect("owners were names when the zone was built").0
    }

    /// The wire form of the owner, in the letter case in which the zone has it.
    #[inline(always)]
    pub(crate) fn owner_octets(self) -> &'z [u8] {
        let start = self.at + OWNER_AT;
        &self.arena[start..start + usize::from(self.arena[self.at + OWNER_SIZE_AT])]
    }

    /// The RRsets, ordered by type, the SOA first.
    #[inline(always)]
    pub(crate) fn rrsets(self) -> RRsets<'z> {
        let start = self.at + OWNER_AT + usize::from(self.arena[self.at + OWNER_SIZE_AT]);
        RRsets::new(self.arena, start, read_u16(self.arena, self.at + RRSETS_AT))
    }

    #[inline]
    pub(crate) fn rrset(self, rtype: RType) -> Option<RRset<'z>> {
        self.rrsets().find_type(rtype)
    }

    /// Whether it occludes what stands below it.
    pub(crate) fn is_cut(self) -> bool {
        match self.kind() {
            NodeKind::Delegation | NodeKind::Dname => true,
            NodeKind::Apex => self.rrset(RType::DNAME).is_some(),
            NodeKind::Ordinary | NodeKind::EmptyNonTerminal | NodeKind::Occluded => false,
        }
    }

    /// Whether another node has taken its place, while the zone is built.
    pub(crate) fn is_dead(self) -> bool {
        self.arena[self.at] & KIND_BITS == DEAD
    }

    /// Where the node behind this one starts.
    pub(crate) fn end(self) -> usize {
        let mut rrsets = self.rrsets();
        while rrsets.next().is_some() {}
        rrsets.end()
    }
}

/// Writes an arena front to back.
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Writer {
        Writer { bytes: vec![0; HEADER_SIZE] }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Starts a node; its RRsets follow, and [`Writer::set_rrset_count`] says how many there are.
    pub(crate) fn begin_node(&mut self, kind: NodeKind, owner: Name<'_>) -> u32 {
        let offset = self.bytes.len() as u32;
        let wire = owner.as_wire();
        // Length octets are no letters.
        let capitals = if wire.iter().any(u8::is_ascii_uppercase) { HAS_CAPITALS } else { 0 };
        self.bytes.extend_from_slice(&[kind.to_octet() | capitals, wire.len() as u8, 0, 0, 0, 0, 0, 0]);
        self.bytes.extend_from_slice(wire);
        offset
    }

    /// Says how many RRsets a node has.
    pub(crate) fn set_rrset_count(&mut self, node: u32, count: u16) {
        let place = node as usize + RRSETS_AT;
        self.bytes[place..place + 2].copy_from_slice(&count.to_le_bytes());
    }

    /// Starts an RRset; [`Writer::rdata`] for each record, then [`Writer::end_part`].
    pub(crate) fn begin_rrset(&mut self, rtype: RType, count: u16, ttl: u32) -> RRsetAt {
        let start = self.bytes.len();
        let ([t, t2], [c, c2], [s, s2, s3, s4]) = (rtype.0.to_le_bytes(), count.to_le_bytes(), ttl.to_le_bytes());
        self.bytes.extend_from_slice(&[t, t2, c, c2, s, s2, s3, s4, 0, 0]);
        RRsetAt { start, count, part: self.bytes.len() }
    }

    pub(crate) fn rdata(&mut self, rdata: &[u8]) {
        self.bytes.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(rdata);
    }

    /// Ends the records of an RRset, or its signatures; either have to fit into a message.
    pub(crate) fn end_part(&mut self, at: &RRsetAt) {
        let size = (self.bytes.len() - at.part) as u16;
        self.bytes[at.part - 2..at.part].copy_from_slice(&size.to_le_bytes());
    }

    /// Starts the signatures of an RRset behind its records; [`Writer::rdata`] for each, then
    /// [`Writer::end_part`].
    pub(crate) fn begin_signatures(&mut self, at: &mut RRsetAt, count: u16, ttl: u32) {
        self.set_flag(at, SIGNED);
        let ([c, c2], [s, s2, s3, s4]) = (count.to_le_bytes(), ttl.to_le_bytes());
        self.bytes.extend_from_slice(&[c, c2, s, s2, s3, s4, 0, 0]);
        at.part = self.bytes.len();
    }

    /// Leaves room for a target of each record, at the end of an RRset.
    pub(crate) fn add_targets(&mut self, at: &RRsetAt) {
        self.set_flag(at, TARGETS);
        self.bytes.resize(self.bytes.len() + 4 * usize::from(at.count), 0);
    }

    /// Adds the links of the names in the records, behind the targets.
    pub(crate) fn add_links(&mut self, at: &RRsetAt, links: &[u8]) {
        self.set_flag(at, LINKS);
        self.bytes.extend_from_slice(links);
    }

    fn set_flag(&mut self, at: &RRsetAt, flag: u16) {
        let place = at.start + 2;
        let counted = read_u16(&self.bytes, place) | flag;
        self.bytes[place..place + 2].copy_from_slice(&counted.to_le_bytes());
    }

    /// Changes what a node is.
    pub(crate) fn set_kind(&mut self, node: u32, kind: NodeKind) {
        let octet = &mut self.bytes[node as usize];
        *octet = *octet & !KIND_BITS | kind.to_octet();
    }

    /// Marks a node that another one has taken the place of.
    pub(crate) fn kill(&mut self, node: u32) {
        self.bytes[node as usize] |= DEAD;
    }

    /// Sets the cut of an occluded node, or the wildcard child of any other.
    pub(crate) fn set_link(&mut self, node: u32, to: u32) {
        self.set_u32(node as usize + LINK_AT, to);
    }

    /// What [`Writer::set_link`] has set, or 0.
    pub(crate) fn link(&self, node: u32) -> u32 {
        read_u32(&self.bytes, node as usize + LINK_AT)
    }

    /// Sets a target, whose place is four octets from the one before it.
    pub(crate) fn set_target(&mut self, place: usize, node: u32) {
        self.set_u32(place, node);
    }

    fn set_u32(&mut self, place: usize, value: u32) {
        self.bytes[place..place + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Moves octets to a lower place.
    pub(crate) fn move_down(&mut self, from: Range<usize>, to: usize) {
        self.bytes.copy_within(from, to);
    }

    /// Cuts off what stands behind `end`.
    pub(crate) fn truncate(&mut self, end: usize) {
        self.bytes.truncate(end);
    }

    /// The zone: its header, the nodes, and the tables at their places.
    pub(crate) fn finish(mut self, header: &Header, order: Vec<u32>, slots: &[Slot], denial: &[u8]) -> Memory {
        self.bytes[..HEADER_SIZE].copy_from_slice(&header.to_octets());
        let Places { arena_at, table_at, order_at, denial_at } = header.places;
        let (slots, end) = (slots.as_flattened(), denial_at as usize + denial.len());
        let offsets = order.iter().flat_map(|offset| offset.to_le_bytes());
        if header.places.has_table_first() {
            let mut all = Vec::with_capacity(end);
            all.extend_from_slice(&self.bytes[..HEADER_SIZE]);
            all.extend_from_slice(slots);
            debug_assert_eq!(all.len(), arena_at as usize + HEADER_SIZE, "the nodes stand behind the table");
            all.extend_from_slice(&self.bytes[HEADER_SIZE..]);
            all.resize(order_at as usize, 0);
            all.extend(offsets);
            all.extend_from_slice(denial);
            return Memory::new(all);
        }
        self.bytes.reserve_exact(end - self.bytes.len());
        self.bytes.resize(order_at as usize, 0);
        self.bytes.extend(offsets);
        // There may be millions, and the slots are there twice soon.
        drop(order);
        self.bytes.resize(table_at as usize, 0);
        self.bytes.extend_from_slice(slots);
        self.bytes.extend_from_slice(denial);
        Memory::new(self.bytes)
    }
}

/// An RRset that is being written.
pub(crate) struct RRsetAt {
    start: usize,
    count: u16,
    /// Where the part being written starts, behind the two octets of its size.
    part: usize,
}

/// Whether octets are equal; names are short, so that no call to compare them pays.
#[inline(always)]
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let (words, rest) = a.as_chunks::<8>();
    let (other_words, other_rest) = b.as_chunks::<8>();
    if a.len() != b.len() || words.iter().zip(other_words).any(|(a, b)| a != b) {
        return false;
    }
    match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        // The octets before the rest are looked at once more, which is one step for all of them.
        (Some(a), Some(b)) => a == b,
        _ => rest.iter().zip(other_rest).all(|(a, b)| a == b),
    }
}

#[inline]
pub(crate) fn read_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

#[inline]
pub(crate) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Where the first node stands.
pub(crate) const NODES_AT: usize = HEADER_SIZE;

const KIND_BITS: u8 = 0x07;
/// No kind, but what stands there while a zone is built if the node is not used.
const DEAD: u8 = 0x07;
/// Set in the kind of a node whose owner has a capital letter.
const HAS_CAPITALS: u8 = 0x80;
const OWNER_SIZE_AT: usize = 1;
const RRSETS_AT: usize = 2;
const LINK_AT: usize = 4;
const OWNER_AT: usize = 8;

pub(crate) const RRSET_HEADER_SIZE: usize = 10;
pub(crate) const SIGNATURES_HEADER_SIZE: usize = 8;
/// A message has room for less than 5,500 records.
pub(crate) const COUNT_BITS: u16 = 0x1fff;
pub(crate) const LINKS: u16 = 0x2000;
pub(crate) const SIGNED: u16 = 0x4000;
pub(crate) const TARGETS: u16 = 0x8000;
pub(crate) const RDLENGTH_SIZE: usize = 2;
/// Octets of a record in a message behind its owner and before its RDATA: type, class, TTL and RDLENGTH.
pub(crate) const RECORD_HEADER_SIZE: usize = 10;
/// Octets of a node without its owner and RRsets.
pub(crate) const NODE_OVERHEAD: usize = OWNER_AT;
/// Octets of an RRset besides those of its records: its own header, that of its signatures.
pub(crate) const RRSET_OVERHEAD: usize = RRSET_HEADER_SIZE + SIGNATURES_HEADER_SIZE;
