//! A zone, immutable, with the tables that find its names.

use core::fmt;
use core::ops::Range;

use nss_wire::{Class, Name, RType, Record};

use crate::arena::{Node, NodeKind, read_u32};
use crate::denial::{Denial, Denier};
use crate::lookup::{self, Found, InTable, Tables};
use crate::rrset::RRset;
use crate::suffixes::{HashSeed, Suffixes};
use crate::table::Slots;

/// One version of a zone, checked and ready to answer from.
///
/// [`ZoneBuilder`](crate::ZoneBuilder) makes it and nothing changes it.
pub struct Zone {
    parts: Parts,
    serial: u32,
    negative_ttl: u32,
    is_signed: bool,
}

/// What the builder made. There are many zones, most of them small: so these are as short as their limits allow.
pub(crate) struct Parts {
    /// Nodes and RRsets, then the tables.
    pub(crate) arena: Box<[u8]>,
    /// What denies names; none in zones that are not signed.
    pub(crate) denial: Option<Box<Denial>>,
    pub(crate) seed: HashSeed,
    pub(crate) apex: u32,
    /// Where the offsets of the nodes in canonical order start.
    pub(crate) order_at: u32,
    pub(crate) node_count: u32,
    /// Where the slots of the hash table start.
    pub(crate) table_at: u32,
    pub(crate) slot_count: u32,
    pub(crate) record_count: u32,
    pub(crate) class: Class,
    pub(crate) apex_labels: u8,
}

impl Zone {
    /// Puts the parts together; the apex has one SOA record.
    pub(crate) fn assemble(parts: Parts) -> Zone {
        let apex = Node::at(&parts.arena, parts.apex);
        let soa = apex.rrset(RType::SOA).expect("the builder makes no zone without a SOA record");
        let rdata = soa.rdatas().next().unwrap_or_default();
        let (serial, minimum) = (soa_serial(rdata), soa_minimum(rdata));
        // RFC 2308 §5: a negative answer lives as long as the smaller of the two.
        let negative_ttl = soa.ttl().min(minimum);
        let is_signed = apex.rrset(RType::DNSKEY).is_some();
        Zone { parts, serial, negative_ttl, is_signed }
    }

    /// The same zone in memory of its own, if it is small: for one of very many zones that shall be kept.
    ///
    /// Builders leave memory in pieces. Where one thread packs all zones that others have built, these stand close together,
    /// and what was built with is free for the next zones or goes back to the system.
    #[must_use]
    pub fn packed(mut self) -> Zone {
        if self.parts.arena.len() < PACKED_MAX {
            self.parts.arena = Box::from(&*self.parts.arena);
        }
        self
    }

    /// The name at the top.
    pub fn apex(&self) -> Name<'_> {
        self.apex_node().owner()
    }

    /// Nearly always [`Class::IN`].
    pub fn class(&self) -> Class {
        self.parts.class
    }

    /// The serial of the SOA record.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// The SOA record.
    pub fn soa(&self) -> Record<'_> {
        let apex = self.apex_node();
        self.records_of(apex).next().expect("every zone has a SOA record, the first of its apex")
    }

    /// The SOA record and its signatures.
    #[inline]
    pub(crate) fn soa_rrset(&self) -> RRset<'_> {
        self.apex_node().rrset(RType::SOA).expect("every zone has a SOA record")
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
        self.parts.record_count as usize
    }

    /// Names with records, and empty non-terminals.
    pub fn name_count(&self) -> usize {
        self.parts.node_count as usize
    }

    /// Octets of memory that the zone takes.
    pub fn memory_size(&self) -> usize {
        size_of::<Zone>() + self.parts.arena.len()
    }

    /// All records: the SOA record, then the others by owner in canonical order, by type and by data.
    ///
    /// Signatures follow what they cover.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.name_count()).flat_map(move |i| self.records_of(self.node(i)))
    }

    /// The records of a node.
    pub(crate) fn records_of<'z>(&self, node: Node<'z>) -> impl Iterator<Item = Record<'z>> + use<'z> {
        let (owner, class) = (node.owner(), self.parts.class);
        node.rrsets().flat_map(move |rrset| {
            let (rtype, ttl, signature_ttl) = (rrset.rtype(), rrset.ttl(), rrset.signature_ttl());
            let data = rrset.rdatas().map(move |rdata| Record { owner, rtype, class, ttl, rdata });
            let signature = move |rdata| Record { owner, rtype: RType::RRSIG, class, ttl: signature_ttl, rdata };
            data.chain(rrset.signatures().map(signature))
        })
    }

    /// The RRsets of some names, each with its owner and what that is; `names` are positions in the canonical order, less
    /// than [`Zone::name_count`].
    pub fn rrsets(&self, names: Range<usize>) -> impl Iterator<Item = (Name<'_>, NodeKind, RRset<'_>)> {
        names.flat_map(move |position| {
            let node = self.node(position);
            node.rrsets().map(move |rrset| (node.owner(), node.kind(), rrset))
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
        suffixes.set(owner, &self.parts.seed.hasher());
        match lookup::in_table(self.tables(), &suffixes) {
            InTable::Exact(node) => Some(node),
            InTable::Below(_) => None,
        }
    }

    /// Where a name at or below the apex stands; `suffixes` are hashed with [`Zone::seed`].
    #[inline]
    pub(crate) fn find(&self, suffixes: &Suffixes) -> Found<'_> {
        lookup::find(self.tables(), suffixes)
    }

    /// What proves that something doesn't exist.
    pub(crate) fn denier(&self) -> Denier<'_> {
        let Tables { arena, slots, .. } = self.tables();
        Denier { arena, slots, denial: self.parts.denial.as_deref().unwrap_or(&Denial::None) }
    }

    #[inline]
    pub(crate) fn tables(&self) -> Tables<'_> {
        let Parts { arena, apex, table_at, slot_count, apex_labels, .. } = &self.parts;
        let table_at = *table_at as usize;
        let (slots, _) = arena[table_at..table_at + 8 * *slot_count as usize].as_chunks();
        Tables { arena, slots: Slots(slots), apex: *apex, apex_labels: usize::from(*apex_labels) }
    }

    #[inline]
    pub(crate) fn seed(&self) -> HashSeed {
        self.parts.seed
    }

    #[inline]
    pub(crate) fn apex_labels(&self) -> usize {
        self.parts.apex_labels.into()
    }

    #[inline]
    pub(crate) fn apex_node(&self) -> Node<'_> {
        Node::at(&self.parts.arena, self.parts.apex)
    }

    /// The node at an offset that a target holds.
    #[inline]
    pub(crate) fn node_at_offset(&self, offset: u32) -> Node<'_> {
        Node::at(&self.parts.arena, offset)
    }

    /// The node at a position of the canonical order, less than [`Zone::name_count`].
    pub(crate) fn node(&self, position: usize) -> Node<'_> {
        Node::at(&self.parts.arena, read_u32(&self.parts.arena, self.parts.order_at as usize + 4 * position))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({} {}, serial {}, {} records)", self.apex(), self.class(), self.serial, self.record_count())
    }
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

/// Octets of the zones that [`Zone::packed`] copies; the gaps between larger ones are small beside them.
const PACKED_MAX: usize = 64 << 10;
