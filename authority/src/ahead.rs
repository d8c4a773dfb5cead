//! Looks ahead at a batch of requests, so that what their answers need comes into the cache all at once.
//!
//! Among many zones, or in a large one, most of the time of an answer is spent on waiting for memory: for the slot of the
//! zone, the zone, the slot of the name, the node, each of which says where the next one is. A core can wait for many at
//! once, but only if it knows of them. So the requests of a batch take each of these steps together.

use std::hint::black_box;

use nss_wire::message::HEADER_SIZE;

use crate::catalog::{Catalog, View, Zones};
use crate::suffixes::Suffixes;

/// Requests that are looked at together; a core waits for a few dozen places at most.
pub const AHEAD_MAX: usize = 64;

/// Octets of zones that come into the cache by themselves, being asked for all the time: about a core's own cache.
const MEMORY_SMALL: usize = 1 << 20;

/// Suffixes of a name that are followed, from the name itself on: those that hosts and delegations have.
const SUFFIXES_MAX: usize = 3;

/// How far a request has come.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ahead {
    /// The hashes of the last suffixes, the whole name first.
    hashes: [u64; SUFFIXES_MAX],
    labels: usize,
    /// Where its zone stands, if there is one.
    zone: Option<(usize, usize)>,
    /// The nodes of the suffixes.
    nodes: [u32; SUFFIXES_MAX],
}

impl View {
    /// Prepares for the requests of a batch, of which [`AHEAD_MAX`] count; their answers do not depend on it.
    ///
    /// It pays for catalogs that are larger than a core's cache, and does nothing for others.
    pub fn approach<'r>(&mut self, requests: impl Iterator<Item = &'r [u8]>) {
        let View { catalog, zones, scratch } = self;
        if catalog.memory_size() < MEMORY_SMALL {
            return;
        }
        let ahead = &mut scratch.ahead;
        let mut count = 0;
        for (request, ahead) in requests.zip(ahead.iter_mut()) {
            if request.get(HEADER_SIZE..).and_then(|octets| scratch.suffixes.read(octets)).is_some() {
                scratch.suffixes.hash_all(catalog.hasher());
                *ahead = Ahead::at(&scratch.suffixes);
            } else {
                *ahead = Ahead::default();
            }
            count += 1;
        }
        let ahead = &mut ahead[..count];
        // Each of these loops is short, so that a core is in many of its turns at once.
        for ahead in &*ahead {
            zones.touch_parts(catalog, ahead);
        }
        for ahead in &*ahead {
            zones.touch_slots(catalog, ahead);
        }
        for ahead in &mut *ahead {
            ahead.zone = zones.place_of(catalog, ahead);
            black_box(ahead.zone.and_then(|place| zones.at(place)).map_or(0, |zone| zone.apex_labels()));
        }
        for ahead in &mut *ahead {
            let Some(zone) = ahead.zone.and_then(|place| zones.at(place)) else { continue };
            let slots = zone.tables().slots;
            black_box(ahead.hashes.iter().fold(0, |sum, hash| sum ^ slots.first(*hash).unwrap_or(0)));
        }
        for ahead in &mut *ahead {
            let Some(zone) = ahead.zone.and_then(|place| zones.at(place)) else { continue };
            let tables = zone.tables();
            ahead.nodes = ahead.hashes.map(|hash| tables.slots.find(hash, |_| true).unwrap_or(tables.apex));
            let octet = |at: u32| tables.arena.get(at as usize).copied().unwrap_or(0);
            // A node and its records are longer than a cache line.
            black_box(ahead.nodes.iter().fold(0, |sum, &node| sum ^ octet(node) ^ octet(node + CACHE_LINE_SIZE)));
        }
    }
}

const CACHE_LINE_SIZE: u32 = 64;

impl Ahead {
    fn at(suffixes: &Suffixes) -> Ahead {
        let labels = suffixes.label_count();
        let hashes = std::array::from_fn(|up| suffixes.hash(labels.saturating_sub(up)));
        Ahead { hashes, labels, ..Ahead::default() }
    }

    /// The hashes that an apex in use may have, the deepest first.
    fn apexes(&self, catalog: &Catalog) -> impl Iterator<Item = u64> {
        let (depths, labels) = (catalog.depths(), self.labels);
        let hashes = self.hashes.into_iter().enumerate();
        hashes.filter_map(move |(up, hash)| {
            labels.checked_sub(up).filter(|labels| depths >> labels & 1 == 1).map(|_| hash)
        })
    }
}

impl Zones {
    /// Touches the parts of the catalog that may hold a request's zone.
    fn touch_parts(&mut self, catalog: &Catalog, ahead: &Ahead) {
        for hash in ahead.apexes(catalog) {
            black_box(self.part_size(catalog, hash));
        }
    }

    /// Touches the slots where the search for its zone starts.
    fn touch_slots(&mut self, catalog: &Catalog, ahead: &Ahead) {
        for hash in ahead.apexes(catalog) {
            black_box(self.first_of(catalog, hash));
        }
    }

    /// Where the zone of a request stands, as far as the hashes of apexes tell.
    fn place_of(&self, catalog: &Catalog, ahead: &Ahead) -> Option<(usize, usize)> {
        ahead.apexes(catalog).find_map(|hash| self.with_hash(hash))
    }
}
