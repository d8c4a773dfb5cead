//! RRsets where they stand in an arena.

use core::fmt;

use nss_wire::RType;
use nss_wire::message::CompressibleNames;

use crate::arena::{
    COUNT_BITS, LINKS, RDLENGTH_SIZE, RECORD_HEADER_SIZE, RRSET_HEADER_SIZE, SIGNATURES_HEADER_SIZE, SIGNED, TARGETS,
    read_u16, read_u32,
};
use crate::links::{LINK_SIZE, Link};

/// The RRsets of a node.
pub(crate) struct RRsets<'z> {
    arena: &'z [u8],
    at: usize,
    left: u16,
}

impl<'z> Iterator for RRsets<'z> {
    type Item = RRset<'z>;

    #[inline(always)]
    fn next(&mut self) -> Option<RRset<'z>> {
        self.left = self.left.checked_sub(1)?;
        let rrset = RRset::read(self.arena, self.at)?;
        self.at += RRSET_HEADER_SIZE + rrset.size();
        Some(rrset)
    }
}

impl<'z> RRsets<'z> {
    /// So many of them, the first of which starts at `at`.
    #[inline]
    pub(crate) fn new(arena: &'z [u8], at: usize, count: u16) -> RRsets<'z> {
        RRsets { arena, at, left: count }
    }

    /// The one of a type, if none of a later type was looked at.
    #[inline(always)]
    pub(crate) fn find_type(&mut self, rtype: RType) -> Option<RRset<'z>> {
        loop {
            let rrset = self.next()?;
            if rrset.rtype == rtype {
                return Some(rrset);
            }
            // They are in the order of types, but for the SOA record, which is the first, and signatures that cover nothing.
            if rrset.rtype > rtype && !matches!(rrset.rtype, RType::SOA | RType::RRSIG) {
                return None;
            }
        }
    }

    /// Where the next RRset starts; after the last, where the node ends.
    pub(crate) fn end(&self) -> usize {
        self.at
    }
}

/// The records of one owner and type, with the RRSIG records that cover them.
#[derive(Clone, Copy)]
pub struct RRset<'z> {
    /// The type of all records.
    pub(crate) rtype: RType,
    /// How many records, and which parts there are.
    counted: u16,
    ttl: u32,
    /// Octets of the records.
    records_size: u16,
    /// Where it starts in the arena.
    start: u32,
    /// The records, and all that stands behind them in the arena.
    octets: &'z [u8],
}

impl<'z> RRset<'z> {
    /// The RRset that starts at `start`.
    #[inline(always)]
    pub(crate) fn read(arena: &'z [u8], start: usize) -> Option<RRset<'z>> {
        let (head, octets) = arena.get(start..)?.split_first_chunk::<RRSET_HEADER_SIZE>()?;
        let &[t, t2, c, c2, ttl, ttl2, ttl3, ttl4, s, s2] = head;
        Some(RRset {
            rtype: RType(u16::from_le_bytes([t, t2])),
            counted: u16::from_le_bytes([c, c2]),
            ttl: u32::from_le_bytes([ttl, ttl2, ttl3, ttl4]),
            records_size: u16::from_le_bytes([s, s2]),
            start: start as u32,
            octets,
        })
    }

    /// Octets of all its parts.
    #[inline(always)]
    fn size(self) -> usize {
        self.links_at() + self.links_size()
    }

    /// Where the targets start, counted from the records.
    #[inline(always)]
    fn rest_at(self) -> usize {
        let at = usize::from(self.records_size);
        match self.counted & SIGNED {
            0 => at,
            _ => at + SIGNATURES_HEADER_SIZE + usize::from(read_u16(self.octets, at + 6)),
        }
    }

    #[inline(always)]
    fn links_at(self) -> usize {
        let targets = if self.counted & TARGETS > 0 { TARGET_SIZE * self.len() } else { 0 };
        self.rest_at() + targets
    }

    #[inline(always)]
    fn links_size(self) -> usize {
        match self.counted & LINKS {
            0 => 0,
            _ => LINK_SIZE * self.len() * usize::from(CompressibleNames::of(self.rtype).count),
        }
    }

    /// The type of the records; RRSIG for signatures that cover nothing.
    #[inline]
    pub fn rtype(self) -> RType {
        self.rtype
    }

    /// How many records there are, signatures not counted.
    #[inline]
    pub fn len(self) -> usize {
        usize::from(self.counted & COUNT_BITS)
    }

    /// Whether there are only signatures, of records that the zone does not have.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Time to live in seconds; 0 if there is no record.
    #[inline]
    pub fn ttl(self) -> u32 {
        self.ttl
    }

    /// The RDATA of the records in canonical order (RFC 4034 §6.3).
    #[inline]
    pub fn rdatas(self) -> Rdatas<'z> {
        Rdatas { rest: self.octets.get(..self.records_size.into()).unwrap_or_default() }
    }

    /// The RDATA of the RRSIG records that cover these records (RFC 4034 §3.1).
    #[inline]
    pub fn signatures(self) -> Rdatas<'z> {
        let start = usize::from(self.records_size) + SIGNATURES_HEADER_SIZE;
        let octets = if self.is_signed() { self.octets.get(start..self.rest_at()) } else { None };
        Rdatas { rest: octets.unwrap_or_default() }
    }

    /// The TTL of the signatures in seconds; 0 if there is none.
    #[inline]
    pub fn signature_ttl(self) -> u32 {
        if self.is_signed() { read_u32(self.octets, usize::from(self.records_size) + 2) } else { 0 }
    }

    /// How many signatures there are.
    #[inline]
    pub fn signature_count(self) -> usize {
        if self.is_signed() { read_u16(self.octets, self.records_size.into()).into() } else { 0 }
    }

    #[inline]
    fn is_signed(self) -> bool {
        self.counted & SIGNED > 0
    }

    /// Octets of the records in a message, each owner being a compression pointer.
    pub(crate) fn wire_size(self) -> usize {
        usize::from(self.records_size) + (RECORD_HEADER_SIZE + 2 - RDLENGTH_SIZE) * self.len()
    }

    /// For each record the node that its target leads to, 0 for none; empty if no record leads to a name in the zone.
    #[inline]
    pub(crate) fn targets(self) -> impl Iterator<Item = u32> + Clone + use<'z> {
        let octets = match self.counted & TARGETS {
            0 => &[],
            _ => self.octets.get(self.rest_at()..self.links_at()).unwrap_or_default(),
        };
        octets.as_chunks().0.iter().copied().map(u32::from_le_bytes)
    }

    /// Where in the arena the target of the first record stands; `None` if there are no targets.
    pub(crate) fn targets_at(self) -> Option<usize> {
        let records_at = self.start as usize + RRSET_HEADER_SIZE;
        (self.counted & TARGETS > 0).then_some(records_at + self.rest_at())
    }

    /// How the names of the records are compressed where they stand behind the question; nothing if that isn't known.
    #[inline]
    pub(crate) fn links(self) -> impl Iterator<Item = Link> + use<'z> {
        let octets = match self.counted & LINKS {
            0 => &[],
            _ => self.octets.get(self.links_at()..self.size()).unwrap_or_default(),
        };
        octets.as_chunks().0.iter().copied().map(Link::from_octets)
    }

    /// Whether a record leads to a name in the zone.
    #[inline]
    pub(crate) fn has_targets(self) -> bool {
        self.counted & TARGETS > 0
    }

    /// Whether it is known how the names are compressed.
    #[inline]
    pub(crate) fn has_links(self) -> bool {
        self.counted & LINKS > 0
    }

    /// Where in the arena the RRset starts.
    pub(crate) fn start(self) -> usize {
        self.start as usize
    }
}

impl fmt::Debug for RRset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.len(), self.rtype)
    }
}

/// Octets of a target.
const TARGET_SIZE: usize = 4;

/// The RDATA of records, one after the other.
#[derive(Clone, Debug)]
pub struct Rdatas<'z> {
    rest: &'z [u8],
}

impl<'z> Iterator for Rdatas<'z> {
    type Item = &'z [u8];

    #[inline]
    fn next(&mut self) -> Option<&'z [u8]> {
        let (&size, rest) = self.rest.split_first_chunk::<RDLENGTH_SIZE>()?;
        let (rdata, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(size)))?;
        self.rest = rest;
        Some(rdata)
    }
}
