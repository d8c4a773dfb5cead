//! The memory of a zone: one piece, in which everything is found from the header at its start.
//!
//! ```text
//! small zone   header | slots of the hash table (8 each) | nodes … | order: each node, canonical (4 each) | denial
//! large zone   header | nodes … | order | slots | denial
//! ```
//!
//! Among many small zones each part that stands elsewhere is one more wait for memory, so that the table stands beside the
//! header there. A large zone is written front to back where it stays, and its header and the nodes next to it are in the
//! cache anyway. Offsets of nodes count from [`Places::arena_at`], as if the nodes stood next to the header.

use std::sync::Arc;

use nss_wire::Class;

use crate::arena::read_u32;
use crate::denial::DenialKind;
use crate::suffixes::HashSeed;

/// The octets of a zone, shared by all who use it.
///
/// A large zone is not copied to have its length and its counters beside it.
#[derive(Clone)]
pub(crate) enum Memory {
    Small(Arc<[u8]>),
    Large(Arc<Large>),
}

/// The octets of a large zone.
pub(crate) struct Large(Box<[u8]>);

impl Memory {
    /// Takes a zone over, whose table stands where [`Places::new`] says for so many octets.
    pub(crate) fn new(octets: Vec<u8>) -> Memory {
        if is_small(octets.len()) {
            Memory::Small(octets.into())
        } else {
            Memory::Large(Arc::new(Large(octets.into_boxed_slice())))
        }
    }

    #[inline(always)]
    pub(crate) fn octets(&self) -> &[u8] {
        match self {
            Memory::Small(octets) => octets,
            Memory::Large(large) => &large.0,
        }
    }

    /// The same octets at another place, if the zone is small.
    pub(crate) fn moved(self) -> Memory {
        match self {
            Memory::Small(octets) => Memory::Small(Arc::from(&*octets)),
            Memory::Large(large) => Memory::Large(large),
        }
    }
}

/// Whether the table of a zone of so many octets stands in front of its nodes.
fn is_small(size: usize) -> bool {
    size < SMALL_MAX
}

/// Octets of a small zone; the gaps between larger ones are small beside them, and their tables are more than a few cache lines.
const SMALL_MAX: usize = 64 << 10;

/// What stands at the start of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) seed: HashSeed,
    pub(crate) apex: u32,
    pub(crate) slot_count: u32,
    pub(crate) places: Places,
    pub(crate) class: Class,
    pub(crate) apex_labels: u8,
    pub(crate) is_signed: bool,
    pub(crate) denial: DenialKind,
    pub(crate) node_count: u32,
    pub(crate) record_count: u32,
    pub(crate) serial: u32,
    pub(crate) negative_ttl: u32,
}

/// Where the parts of a zone stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// What offsets of nodes count from.
    pub(crate) arena_at: u32,
    /// The slots of the hash table.
    pub(crate) table_at: u32,
    /// The offsets of the nodes in canonical order.
    pub(crate) order_at: u32,
    /// What denies names, up to the end.
    pub(crate) denial_at: u32,
}

impl Places {
    /// Where the parts of a zone go whose header and nodes have `nodes_end` octets, and how many octets all have.
    pub(crate) fn new(nodes_end: usize, nodes: usize, slots: usize, denial: usize) -> (Places, usize) {
        let places = |arena_at: usize, order_at: usize, table_at: usize, denial_at: usize| Places {
            // The builder accepts no zone of more octets.
            arena_at: arena_at as u32,
            table_at: table_at as u32,
            order_at: order_at as u32,
            denial_at: denial_at as u32,
        };
        let nodes_end = nodes_end.next_multiple_of(4);
        let (order, table) = (4 * nodes, 8 * slots);
        let end = table + nodes_end + order + denial;
        if is_small(end) {
            let order_at = table + nodes_end;
            return (places(table, order_at, HEADER_SIZE, order_at + order), end);
        }
        // Slots do not straddle cache lines if they stand at multiples of their size.
        let table_at = (nodes_end + order).next_multiple_of(8);
        (places(0, nodes_end, table_at, table_at + table), table_at + table + denial)
    }

    /// Whether the table stands in front of the nodes.
    pub(crate) fn has_table_first(self) -> bool {
        self.arena_at > 0
    }
}

impl Header {
    /// Reads the header of a zone.
    #[inline(always)]
    pub(crate) fn read(header: &[u8; HEADER_SIZE]) -> Header {
        let number = |at: usize| read_u32(header, at);
        Header {
            seed: HashSeed::new(u64::from(number(8)) | u64::from(number(12)) << 32),
            apex: number(16),
            slot_count: number(20),
            places: Places { arena_at: number(24), table_at: number(28), order_at: number(44), denial_at: number(36) },
            class: Class(u16::from_le_bytes([header[4], header[5]])),
            apex_labels: header[6],
            is_signed: header[7] & SIGNED > 0,
            denial: DenialKind::from_octet(header[7] & !SIGNED),
            node_count: number(48),
            record_count: number(52),
            serial: number(40),
            negative_ttl: number(32),
        }
    }

    /// Whether octets are a header of this layout.
    pub(crate) fn is_at(octets: &[u8; HEADER_SIZE]) -> bool {
        octets.starts_with(&MAGIC)
    }

    pub(crate) fn to_octets(self) -> [u8; HEADER_SIZE] {
        let Header { seed, places, class: Class(class), apex_labels, is_signed, denial, .. } = self;
        let [class, class2] = class.to_le_bytes();
        let signed = if is_signed { SIGNED } else { 0 };
        let mut octets = [0; HEADER_SIZE];
        octets[..4].copy_from_slice(&MAGIC);
        octets[4..8].copy_from_slice(&[class, class2, apex_labels, signed | denial as u8]);
        octets[8..16].copy_from_slice(&seed.number().to_le_bytes());
        // What questions need comes first.
        let numbers = [
            self.apex,
            self.slot_count,
            places.arena_at,
            places.table_at,
            self.negative_ttl,
            places.denial_at,
            self.serial,
            places.order_at,
            self.node_count,
            self.record_count,
        ];
        for (place, number) in octets[16..].chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        octets
    }
}

/// First octets of every zone; the last is the version of the layout.
const MAGIC: [u8; 4] = *b"NSZ\x04";

/// Octets of the header.
pub(crate) const HEADER_SIZE: usize = 56;

/// Set beside the kind of denial in a zone with DNSKEY records.
const SIGNED: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = Header {
            seed: HashSeed::new(0x0102_0304_0506_0708),
            apex: 56,
            slot_count: 5,
            places: Places { arena_at: 40, table_at: 56, order_at: 500, denial_at: 512 },
            class: Class(0x0304),
            apex_labels: 127,
            is_signed: true,
            denial: DenialKind::Nsec3,
            node_count: 3,
            record_count: 8,
            serial: u32::MAX,
            negative_ttl: 300,
        };
        assert_eq!(Header::read(&header.to_octets()), header);
        let unsigned = Header { is_signed: false, denial: DenialKind::None, ..header };
        assert_eq!(Header::read(&unsigned.to_octets()), unsigned);
    }

    #[test]
    fn the_parts_of_a_zone_stand_one_behind_the_other() {
        let small = SMALL_MAX - 8 * 5 - 4 * 3;
        for (nodes_end, nodes, slots, denial, is_small) in [
            (57, 0, 1, 0, true),
            (301, 3, 5, 7, true),
            (small - 4, 3, 5, 3, true),
            (small - 4, 3, 5, 4, false),
            (small, 3, 5, 0, false),
            (70_001, 7, 11, 13, false),
        ] {
            let (places, end) = Places::new(nodes_end, nodes, slots, denial);
            let Places { arena_at, table_at, order_at, denial_at } = places;
            let [arena_at, table_at, order_at, denial_at] =
                [arena_at, table_at, order_at, denial_at].map(|place| place as usize);
            assert!(table_at.is_multiple_of(8) && order_at.is_multiple_of(4));
            assert_eq!((denial_at + denial, places.has_table_first(), self::is_small(end)), (end, is_small, is_small));
            let nodes_at = (arena_at + HEADER_SIZE, arena_at + nodes_end);
            let mut parts =
                [nodes_at, (order_at, order_at + 4 * nodes), (table_at, table_at + 8 * slots), (denial_at, end)];
            parts.sort_unstable();
            assert!(parts[0].0 == HEADER_SIZE && parts.is_sorted_by(|before, part| part.0 - before.1 < 8), "{parts:?}");
        }
    }

    #[test]
    fn a_zone_among_many_takes_a_pointer_and_a_length() {
        assert_eq!(size_of::<Memory>(), 16);
    }
}
