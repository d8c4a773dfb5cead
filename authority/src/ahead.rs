//! Looks ahead at a batch of requests, so that what their answers need comes into the cache all at once.
//!
//! Among many zones, or in a large one, most of the time of an answer is spent on waiting for memory: for the slot of the
//! zone, the zone, the slot of the name, the node, each of which says where the next one is. A core can wait for many at
//! once, but only if it knows of them. So the requests of a batch take each of these steps together.

use std::ptr::from_ref;

use nss_wire::message::HEADER_SIZE;

use crate::catalog::{Catalog, View};
use crate::suffixes::Suffixes;
use crate::zone::Zone;

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
    /// Where its zone stands, if it has one of which more is needed than was asked for with it.
    zone: Option<(usize, usize)>,
}

impl View {
    /// Prepares for the requests of a batch, of which [`AHEAD_MAX`] count; their answers do not depend on it.
    ///
    /// `prefetch` is called with the addresses of what most answers need, and has the processor fetch their cache lines
    /// without waiting for them, as `core::arch::x86_64::_mm_prefetch` does.
    ///
    /// It pays for catalogs that are larger than a core's cache, and does nothing for others.
    pub fn approach<'r>(&mut self, requests: impl Iterator<Item = &'r [u8]>, prefetch: impl Fn(*const u8)) {
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
            ahead.apexes(catalog).for_each(|hash| prefetch(from_ref(zones.seen(hash)).cast()));
        }
        for ahead in &*ahead {
            for hash in ahead.apexes(catalog) {
                zones.first_slot(catalog, hash).into_iter().for_each(|slot| prefetch(from_ref(slot).cast()));
            }
        }
        let mut has_long = false;
        for ahead in &mut *ahead {
            let place = ahead.apexes(catalog).find_map(|hash| zones.with_hash(hash));
            let Some(octets) = place.and_then(|place| zones.at(place)).map(Zone::octets) else { continue };
            octets.iter().step_by(CACHE_LINE_SIZE).take(SHORT_SIZE / CACHE_LINE_SIZE).for_each(|octet| prefetch(octet));
            ahead.zone = place.filter(|_| octets.len() > SHORT_SIZE);
            has_long |= ahead.zone.is_some();
        }
        if !has_long {
            return;
        }
        for ahead in &*ahead {
            let Some(zone) = ahead.zone.and_then(|place| zones.at(place)) else { continue };
            let slots = zone.open().tables().slots;
            ahead.hashes.iter().filter_map(|&hash| slots.first(hash)).for_each(|slot| prefetch(from_ref(slot).cast()));
        }
        for ahead in &*ahead {
            let Some(zone) = ahead.zone.and_then(|place| zones.at(place)) else { continue };
            let tables = zone.open().tables();
            for &hash in &ahead.hashes {
                let node = tables.slots.find(hash, |_| true).unwrap_or(tables.apex);
                // A node and its records are longer than a cache line.
                let octets = tables.arena.get(node as usize..).unwrap_or_default();
                octets.iter().step_by(CACHE_LINE_SIZE).take(2).for_each(|octet| prefetch(octet));
            }
        }
    }
}

/// Octets of a zone that come into the cache, which is sooner done than to find out what is needed of them. The last line may be missing:
/// what stands at the end, the order of the names, is for transfers.
const SHORT_SIZE: usize = 10 * CACHE_LINE_SIZE;

const CACHE_LINE_SIZE: usize = 64;

impl Ahead {
    fn at(suffixes: &Suffixes) -> Ahead {
        let labels = suffixes.label_count();
        let hashes = std::array::from_fn(|up| suffixes.hash(labels.saturating_sub(up)));
        Ahead { hashes, labels, zone: None }
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
