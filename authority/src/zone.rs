//! A zone, immutable, with the tables that find its names.

use core::fmt;
use core::ops::Range;

use nss_wire::{Class, Name, RType, Record};

use crate::arena::{Node, NodeKind, read_u32};
use crate::denial::{Denial, Denier};
use crate::lookup::{self, Found, InTable, Tables};
use crate::memory::{HEADER_SIZE, Header, Memory, Places};
use crate::rrset::RRset;
use crate::suffixes::{HashSeed, Suffixes};
use crate::table::Slots;

/// One version of a zone, checked and ready to answer from.
///
/// [`ZoneBuilder`](crate::ZoneBuilder) makes it and nothing changes it. A clone is the same zone, and costs no more than a counter.
#[derive(Clone)]
pub struct Zone {
    memory: Memory,
}

impl Zone {
    /// A zone in its memory, as [`Writer::finish`](crate::arena::Writer::finish) makes it.
    pub(crate) fn new(memory: Memory) -> Zone {
        Zone { memory }
    }

    /// The same zone in memory of its own, if it is small: for one of very many zones that shall be kept.
    ///
    /// Builders leave memory in pieces. Where one thread packs all zones that others have built, these stand close together,
    /// and what was built with is free for the next zones or goes back to the system.
    #[must_use]
    pub fn packed(self) -> Zone {
        Zone::new(self.memory.moved())
    }

    /// Finds its parts.
    #[inline(always)]
    pub(crate) fn open(&self) -> Opened<'_> {
        Opened::new(self.memory.octets())
    }

    #[inline(always)]
    fn header(&self) -> Header {
        self.open().header()
    }

    /// The name at the top.
    pub fn apex(&self) -> Name<'_> {
        self.open().apex_node().owner()
    }

    /// Nearly always [`Class::IN`].
    pub fn class(&self) -> Class {
        self.header().class
    }

    /// The serial of the SOA record.
    pub fn serial(&self) -> u32 {
        self.header().serial
    }

    /// The SOA record.
    pub fn soa(&self) -> Record<'_> {
        self.records_of(self.open().apex_node()).next().expect("every zone has a SOA record, the first of its apex")
    }

    /// Seconds that a negative answer may be cached: the smaller of the SOA record's TTL and MINIMUM (RFC 2308 §5).
    pub fn negative_ttl(&self) -> u32 {
        self.header().negative_ttl
    }

    /// Whether the zone comes with DNSSEC: it has DNSKEY records at its apex (RFC 4035 §2.1).
    pub fn is_signed(&self) -> bool {
        self.header().is_signed
    }

    /// Records, each counted once.
    pub fn record_count(&self) -> usize {
        self.header().record_count as usize
    }

    /// Names with records, and empty non-terminals.
    pub fn name_count(&self) -> usize {
        self.header().node_count as usize
    }

    /// Octets of memory that the zone takes, the handle included and its counters left out.
    pub fn memory_size(&self) -> usize {
        size_of::<Zone>() + self.memory.octets().len()
    }

    /// All records: the SOA record, then the others by owner in canonical order, by type and by data.
    ///
    /// Signatures follow what they cover.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.name_count()).flat_map(move |i| self.records_of(self.node(i)))
    }

    /// The records of a node.
    pub(crate) fn records_of<'z>(&self, node: Node<'z>) -> impl Iterator<Item = Record<'z>> + use<'z> {
        let (owner, class) = (node.owner(), self.class());
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
        let zone = self.open();
        suffixes.set(owner, &zone.seed().hasher());
        match lookup::in_table(zone.tables(), &suffixes) {
            InTable::Exact(node) => Some(node),
            InTable::Below(_) => None,
        }
    }

    /// All of it; what an answer needs first stands at the start.
    #[inline]
    pub(crate) fn octets(&self) -> &[u8] {
        self.memory.octets()
    }

    /// The node at a position of the canonical order, less than [`Zone::name_count`].
    pub(crate) fn node(&self, position: usize) -> Node<'_> {
        let zone = self.open();
        zone.node_at_offset(read_u32(zone.octets, zone.header().places.order_at as usize + 4 * position))
    }
}

/// A zone whose parts have been found, for as long as a question is answered from it.
#[derive(Clone, Copy)]
pub(crate) struct Opened<'z> {
    octets: &'z [u8],
    header: &'z [u8; HEADER_SIZE],
    /// What offsets of nodes count in.
    arena: &'z [u8],
}

impl<'z> Opened<'z> {
    #[inline(always)]
    fn new(octets: &'z [u8]) -> Opened<'z> {
        let header = octets.first_chunk().expect("a zone starts with its header");
        debug_assert!(Header::is_at(header), "a zone starts with its header");
        let arena_at = Header::read(header).places.arena_at as usize;
        Opened { octets, header, arena: &octets[arena_at..] }
    }

    #[inline(always)]
    fn header(self) -> Header {
        Header::read(self.header)
    }

    #[inline(always)]
    pub(crate) fn seed(self) -> HashSeed {
        self.header().seed
    }

    #[inline(always)]
    pub(crate) fn class(self) -> Class {
        self.header().class
    }

    #[inline(always)]
    pub(crate) fn serial(self) -> u32 {
        self.header().serial
    }

    #[inline(always)]
    pub(crate) fn negative_ttl(self) -> u32 {
        self.header().negative_ttl
    }

    #[inline(always)]
    pub(crate) fn is_signed(self) -> bool {
        self.header().is_signed
    }

    #[inline(always)]
    pub(crate) fn apex_labels(self) -> usize {
        self.header().apex_labels.into()
    }

    #[inline(always)]
    pub(crate) fn apex_node(self) -> Node<'z> {
        self.node_at_offset(self.header().apex)
    }

    /// The SOA record and its signatures.
    #[inline]
    pub(crate) fn soa_rrset(self) -> RRset<'z> {
        self.apex_node().rrset(RType::SOA).expect("every zone has a SOA record")
    }

    /// The node at an offset that a target holds.
    #[inline(always)]
    pub(crate) fn node_at_offset(self, offset: u32) -> Node<'z> {
        Node::at(self.arena, offset)
    }

    /// Where a name at or below the apex stands; `suffixes` are hashed with [`Opened::seed`].
    #[inline]
    pub(crate) fn find(self, suffixes: &Suffixes) -> Found<'z> {
        lookup::find(self.tables(), suffixes)
    }

    #[inline]
    pub(crate) fn tables(self) -> Tables<'z> {
        let Header { apex, slot_count, places: Places { table_at, .. }, apex_labels, .. } = self.header();
        let table_at = table_at as usize;
        let (slots, _) = self.octets[table_at..table_at + 8 * slot_count as usize].as_chunks();
        Tables { arena: self.arena, slots: Slots(slots), apex, apex_labels: apex_labels.into() }
    }

    /// What proves that something doesn't exist.
    pub(crate) fn denier(self) -> Denier<'z> {
        let Tables { arena, slots, .. } = self.tables();
        let Header { denial, places, .. } = self.header();
        let apex_size = self.apex_node().owner_octets().len();
        Denier { arena, slots, apex_size, denial: Denial::read(denial, &self.octets[places.denial_at as usize..]) }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({} {}, serial {}, {} records)", self.apex(), self.class(), self.serial(), self.record_count())
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
