//! The octets of a zone: nodes and RRsets behind 32-bit offsets, in canonical order.
//!
//! ```text
//! arena   magic (4) | nodes … | order: offset of each node (4 each)
//! node    kind (1) | RRsets (2) | link (4) | owner name | RRsets …
//! RRset   type (2) | records (2) | their octets (2) | signatures (2) | their octets (2)
//!         | records … | signatures … | targets (4 each record, of some types only)
//! record  type (2) | class (2) | TTL (4) | RDLENGTH (2) | RDATA        as in a message, behind its owner
//! ```
//!
//! The numbers of records are in network byte order because messages want them so; all others are little-endian.
//! Nothing in it depends on where it stands in memory. Offset 0 means "none", the magic standing there.

use core::fmt;

use nss_wire::{Name, RType};

use crate::additional;

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
        match octet {
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
    pub(crate) fn at(arena: &'z [u8], offset: u32) -> Node<'z> {
        Node { arena, at: offset as usize }
    }

    pub(crate) fn offset(self) -> u32 {
        self.at as u32
    }

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
    pub(crate) fn is_owned_by(self, wire: &[u8]) -> bool {
        // Two names that agree over the length of one of them are equal: its root label ends both.
        let start = self.at + OWNER_AT;
        self.arena.get(start..start + wire.len()).is_some_and(|owner| owner.eq_ignore_ascii_case(wire))
    }

    /// The owner in the letter case in which the zone has it.
    pub(crate) fn owner(self) -> Name<'z> {
        let bytes = &self.arena[self.at + OWNER_AT..];
        Name::from_wire(bytes).expect("owners were names when the zone was built").0
    }

    /// The RRsets, ordered by type, the SOA first.
    pub(crate) fn rrsets(self) -> RRsets<'z> {
        let owner = self.at + OWNER_AT;
        let mut at = owner;
        while self.arena[at] > 0 {
            at += 1 + usize::from(self.arena[at]);
        }
        RRsets { arena: self.arena, at: at + 1, left: read_u16(self.arena, self.at + RRSETS_AT) }
    }

    pub(crate) fn rrset(self, rtype: RType) -> Option<RRset<'z>> {
        self.rrsets().find(|rrset| rrset.rtype == rtype)
    }
}

/// The RRsets of a node.
pub(crate) struct RRsets<'z> {
    arena: &'z [u8],
    at: usize,
    left: u16,
}

impl<'z> Iterator for RRsets<'z> {
    type Item = RRset<'z>;

    fn next(&mut self) -> Option<RRset<'z>> {
        self.left = self.left.checked_sub(1)?;
        let number = |i: usize| read_u16(self.arena, self.at + 2 * i);
        let (rtype, count, size) = (RType(number(0)), number(1), usize::from(number(2)));
        let (signature_count, signatures_size) = (number(3), usize::from(number(4)));
        let rest = &self.arena[self.at + RRSET_HEADER_SIZE..];
        let (records, rest) = rest.split_at(size);
        let (signatures, rest) = rest.split_at(signatures_size);
        let targets_size = if additional::has_targets(rtype) { 4 * usize::from(count) } else { 0 };
        self.at += RRSET_HEADER_SIZE + size + signatures_size + targets_size;
        Some(RRset { rtype, count, records, signature_count, signatures, targets: &rest[..targets_size] })
    }
}

/// The records of one owner and type, as they stand in a message behind their owner, with the RRSIG records that cover them.
#[derive(Clone, Copy)]
pub struct RRset<'z> {
    /// The type of all records.
    pub(crate) rtype: RType,
    count: u16,
    records: &'z [u8],
    signature_count: u16,
    signatures: &'z [u8],
    targets: &'z [u8],
}

impl<'z> RRset<'z> {
    /// The type of the records; RRSIG for signatures that cover nothing.
    pub fn rtype(self) -> RType {
        self.rtype
    }

    /// How many records there are, signatures not counted.
    pub fn len(self) -> usize {
        usize::from(self.count)
    }

    /// Whether there are only signatures, of records that the zone does not have.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Time to live in seconds; 0 if there is no record.
    pub fn ttl(self) -> u32 {
        self.records().next().map_or(0, |record| record.ttl())
    }

    /// The RDATA of the records in canonical order (RFC 4034 §6.3).
    pub fn rdatas(self) -> impl Iterator<Item = &'z [u8]> {
        self.records().map(|record| record.rdata())
    }

    /// Octets of the records in a message, each owner being a compression pointer.
    pub(crate) fn wire_size(self) -> usize {
        self.records.len() + 2 * self.len()
    }

    pub(crate) fn records(self) -> RecordParts<'z> {
        RecordParts { rest: self.records }
    }

    pub(crate) fn signatures(self) -> RecordParts<'z> {
        RecordParts { rest: self.signatures }
    }

    pub(crate) fn signature_count(self) -> usize {
        usize::from(self.signature_count)
    }

    /// For each record the node that its target leads to, 0 for none; empty for types without targets.
    pub(crate) fn targets(self) -> impl Iterator<Item = u32> + Clone {
        self.targets.chunks_exact(4).map(|chunk| read_u32(chunk, 0))
    }
}

impl fmt::Debug for RRset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.count, self.rtype)
    }
}

/// Records one after the other.
#[derive(Clone)]
pub(crate) struct RecordParts<'z> {
    rest: &'z [u8],
}

impl<'z> Iterator for RecordParts<'z> {
    type Item = RecordPart<'z>;

    fn next(&mut self) -> Option<RecordPart<'z>> {
        if self.rest.is_empty() {
            return None;
        }
        let rdata_size = usize::from(u16::from_be_bytes([self.rest[8], self.rest[9]]));
        let (wire, rest) = self.rest.split_at(RECORD_HEADER_SIZE + rdata_size);
        self.rest = rest;
        Some(RecordPart { wire })
    }
}

/// A record without its owner.
#[derive(Clone, Copy)]
pub(crate) struct RecordPart<'z> {
    /// Type, class, TTL, RDLENGTH and RDATA.
    pub(crate) wire: &'z [u8],
}

impl<'z> RecordPart<'z> {
    pub(crate) fn rtype(self) -> RType {
        RType(u16::from_be_bytes([self.wire[0], self.wire[1]]))
    }

    pub(crate) fn ttl(self) -> u32 {
        u32::from_be_bytes([self.wire[4], self.wire[5], self.wire[6], self.wire[7]])
    }

    pub(crate) fn rdata(self) -> &'z [u8] {
        &self.wire[RECORD_HEADER_SIZE..]
    }
}

/// Writes an arena front to back.
pub(crate) struct Writer {
    bytes: Vec<u8>,
    /// Offsets of the nodes so far.
    order: Vec<u32>,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Writer {
        let mut writer = Writer { bytes: Vec::with_capacity(bytes), order: Vec::new() };
        writer.bytes.extend_from_slice(&MAGIC);
        writer
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }

    /// Starts a node; its RRsets follow.
    pub(crate) fn begin_node(&mut self, kind: NodeKind, rrset_count: u16, link: u32, owner: &[u8]) -> u32 {
        let offset = self.bytes.len() as u32;
        self.order.push(offset);
        self.bytes.push(kind.to_octet());
        self.bytes.extend_from_slice(&rrset_count.to_le_bytes());
        self.bytes.extend_from_slice(&link.to_le_bytes());
        self.bytes.extend_from_slice(owner);
        offset
    }

    /// Starts an RRset; [`Writer::record`] for its records and then its signatures, then [`Writer::end_rrset`].
    pub(crate) fn begin_rrset(&mut self, rtype: RType, count: u16, signature_count: u16) -> RRsetAt {
        let start = self.bytes.len();
        for number in [rtype.0, count, 0, signature_count, 0] {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
        RRsetAt { start }
    }

    pub(crate) fn record(&mut self, rtype: RType, class: nss_wire::Class, ttl: u32, rdata: &[u8]) {
        self.bytes.extend_from_slice(&rtype.0.to_be_bytes());
        self.bytes.extend_from_slice(&class.0.to_be_bytes());
        self.bytes.extend_from_slice(&ttl.to_be_bytes());
        self.bytes.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(rdata);
    }

    /// Where the signatures of an RRset start.
    pub(crate) fn end_records(&mut self, at: &RRsetAt) -> usize {
        let size = self.bytes.len() - at.start - RRSET_HEADER_SIZE;
        self.bytes[at.start + 4..at.start + 6].copy_from_slice(&(size as u16).to_le_bytes());
        self.bytes.len()
    }

    /// Ends an RRset and leaves room for `targets` targets; returns where the first of them stands.
    pub(crate) fn end_rrset(&mut self, at: &RRsetAt, signatures_start: usize, targets: usize) -> u32 {
        let size = self.bytes.len() - signatures_start;
        self.bytes[at.start + 8..at.start + 10].copy_from_slice(&(size as u16).to_le_bytes());
        let first = self.bytes.len() as u32;
        self.bytes.resize(self.bytes.len() + 4 * targets, 0);
        first
    }

    /// Sets the wildcard child of a node.
    pub(crate) fn set_wildcard(&mut self, node: u32, wildcard: u32) {
        self.set_target(node + LINK_AT as u32, wildcard);
    }

    /// Sets the target at `at`, which [`Writer::end_rrset`] gave.
    pub(crate) fn set_target(&mut self, at: u32, node: u32) {
        self.bytes[at as usize..at as usize + 4].copy_from_slice(&node.to_le_bytes());
    }

    /// The arena, and where the order of its nodes starts.
    pub(crate) fn finish(mut self) -> (Box<[u8]>, u32) {
        let order_at = self.bytes.len() as u32;
        self.bytes.reserve_exact(4 * self.order.len());
        for offset in self.order {
            self.bytes.extend_from_slice(&offset.to_le_bytes());
        }
        (self.bytes.into_boxed_slice(), order_at)
    }
}

/// An RRset that is being written.
pub(crate) struct RRsetAt {
    start: usize,
}

pub(crate) fn read_u16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// First octets of every arena; the last is the version of the layout.
const MAGIC: [u8; 4] = *b"NSZ\x01";
/// Where the node of the apex stands.
pub(crate) const APEX_AT: u32 = MAGIC.len() as u32;
const RRSETS_AT: usize = 1;
const LINK_AT: usize = 3;
const OWNER_AT: usize = 7;
const RRSET_HEADER_SIZE: usize = 10;
/// Type, class, TTL and RDLENGTH.
pub(crate) const RECORD_HEADER_SIZE: usize = 10;
/// Octets of a node without its owner and RRsets, and its place in the order.
pub(crate) const NODE_OVERHEAD: usize = OWNER_AT + 4;
/// Octets of an RRset without its records and targets.
pub(crate) const RRSET_OVERHEAD: usize = RRSET_HEADER_SIZE;
