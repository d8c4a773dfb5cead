//! A zone, immutable, with the tables that find its names.

use core::fmt;

use hashbrown::HashTable;
use nss_wire::{Class, Name, RType, Record};

use crate::arena::{APEX_AT, Node, NodeKind, RRset, RecordPart, read_u32};
use crate::lookup::{self, Found, InTable};
use crate::suffixes::{HashSeed, Suffixes};

/// One version of a zone, checked and ready to answer from.
///
/// [`ZoneBuilder`](crate::ZoneBuilder) makes it and nothing changes it.
pub struct Zone {
    /// Nodes and RRsets, then the offsets of the nodes in canonical order.
    arena: Box<[u8]>,
    /// Offsets of nodes by the hash of their owners.
    table: HashTable<u32>,
    order_at: u32,
    node_count: usize,
    record_count: usize,
    apex_labels: usize,
    seed: HashSeed,
    class: Class,
    serial: u32,
    negative_ttl: u32,
    is_signed: bool,
}

impl Zone {
    /// Puts the parts together that the builder made; the apex has one SOA record.
    pub(crate) fn assemble(
        arena: Box<[u8]>,
        order_at: u32,
        node_count: usize,
        table: HashTable<u32>,
        class: Class,
        seed: HashSeed,
        record_count: usize,
    ) -> Zone {
        let apex = Node::at(&arena, APEX_AT);
        let apex_labels = apex.owner().label_count();
        let soa = soa_of(apex);
        let (serial, minimum, ttl) = (soa_serial(soa.rdata()), soa_minimum(soa.rdata()), soa.ttl());
        // RFC 2308 §5: a negative answer lives as long as the smaller of the two.
        let negative_ttl = ttl.min(minimum);
        let is_signed = apex.rrset(RType::DNSKEY).is_some();
        Zone {
            arena,
            table,
            order_at,
            node_count,
            record_count,
            apex_labels,
            seed,
            class,
            serial,
            negative_ttl,
            is_signed,
        }
    }

    /// The name at the top.
    pub fn apex(&self) -> Name<'_> {
        self.apex_node().owner()
    }

    /// Nearly always [`Class::IN`].
    pub fn class(&self) -> Class {
        self.class
    }

    /// The serial of the SOA record.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// The SOA record.
    pub fn soa(&self) -> Record<'_> {
        self.view(self.apex(), soa_of(self.apex_node()))
    }

    /// Seconds that a negative answer may be cached: the smaller of the SOA record's TTL and MINIMUM (RFC 2308 §5).
    pub fn negative_ttl(&self) -> u32 {
        self.negative_ttl
    }

    /// Whether the zone comes with DNSSEC: it has DNSKEY records at its apex (RFC 4035 §2.1).
    pub fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// Records, each counted once.
    pub fn record_count(&self) -> usize {
        self.record_count
    }

    /// Names with records, and empty non-terminals.
    pub fn name_count(&self) -> usize {
        self.node_count
    }

    /// Octets of memory that the zone takes.
    pub fn memory_size(&self) -> usize {
        size_of::<Zone>() + self.arena.len() + self.table.allocation_size()
    }

    /// All records: the SOA record, then the others by owner in canonical order, by type and by data.
    ///
    /// Signatures follow what they cover.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.node_count).flat_map(move |i| {
            let node = self.node(i);
            let owner = node.owner();
            let parts = node.rrsets().flat_map(|rrset| rrset.records().chain(rrset.signatures()));
            parts.map(move |part| self.view(owner, part))
        })
    }

    /// The RRset of an owner and type, at a zone cut and below it too; wildcards and aliases are not followed.
    pub fn rrset(&self, owner: Name<'_>, rtype: RType) -> Option<RRset<'_>> {
        self.node_at(owner)?.rrset(rtype)
    }

    /// What a name is in this zone; `None` if there is nothing at it or below it.
    pub fn node_kind(&self, owner: Name<'_>) -> Option<NodeKind> {
        self.node_at(owner).map(Node::kind)
    }

    fn node_at(&self, owner: Name<'_>) -> Option<Node<'_>> {
        if !owner.is_at_or_below(self.apex()) {
            return None;
        }
        let mut suffixes = Suffixes::new();
        suffixes.set(owner, &self.seed.hasher());
        match lookup::in_table(&self.arena, &self.table, &suffixes, self.apex_labels) {
            InTable::Exact(node) => Some(node),
            InTable::Below(_) => None,
        }
    }

    /// Where a name at or below the apex stands; `suffixes` are hashed with [`Zone::seed`].
    pub(crate) fn find(&self, suffixes: &Suffixes) -> Found<'_> {
        lookup::find(&self.arena, &self.table, suffixes, self.apex_labels)
    }

    pub(crate) fn seed(&self) -> HashSeed {
        self.seed
    }

    pub(crate) fn apex_labels(&self) -> usize {
        self.apex_labels
    }

    pub(crate) fn apex_node(&self) -> Node<'_> {
        Node::at(&self.arena, APEX_AT)
    }

    /// The node at an offset that a target holds.
    pub(crate) fn node_at_offset(&self, offset: u32) -> Node<'_> {
        Node::at(&self.arena, offset)
    }

    /// The node at a position of the canonical order, less than [`Zone::name_count`].
    pub(crate) fn node(&self, position: usize) -> Node<'_> {
        Node::at(&self.arena, read_u32(&self.arena, self.order_at as usize + 4 * position))
    }

    fn view<'z>(&self, owner: Name<'z>, part: RecordPart<'z>) -> Record<'z> {
        Record { owner, rtype: part.rtype(), class: self.class, ttl: part.ttl(), rdata: part.rdata() }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({} {}, serial {}, {} records)", self.apex(), self.class, self.serial, self.record_count)
    }
}

fn soa_of(apex: Node<'_>) -> RecordPart<'_> {
    let soa = apex.rrset(RType::SOA).and_then(|rrset| rrset.records().next());
    soa.expect("the builder makes no zone without a SOA record")
}

/// The SERIAL field of SOA RDATA (RFC 1035 §3.3.13): the first of the five numbers at the end.
pub(crate) fn soa_serial(rdata: &[u8]) -> u32 {
    number_from_end(rdata, 20)
}

/// The MINIMUM field of SOA RDATA, the last number.
pub(crate) fn soa_minimum(rdata: &[u8]) -> u32 {
    number_from_end(rdata, 4)
}

fn number_from_end(rdata: &[u8], distance: usize) -> u32 {
    let start = rdata.len().saturating_sub(distance);
    rdata.get(start..start + 4).map_or(0, |octets| u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]))
}
