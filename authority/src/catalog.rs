//! All zones that are served at one moment, and the view that a worker has of them.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use nss_wire::name::LABEL_COUNT_MAX;
use nss_wire::{Class, Name};

use crate::builder::ZoneBuilder;
use crate::respond::Scratch;
use crate::suffixes::{HashSeed, NameHasher, Suffixes};
use crate::zone::Zone;

/// Parts that the zones are spread over; publishing a zone copies the list of one part.
///
/// Among a million zones that are 250 pointers, which takes microseconds; a view keeps 24 octets for each part.
pub const SHARD_COUNT: usize = 4096;

/// The zones in service, shared by all threads.
///
/// A zone is replaced as a whole, by one swap of a pointer. Whoever reads never waits, and keeps what it reads.
pub struct Catalog {
    hasher: NameHasher,
    shards: Box<[ArcSwap<Shard>]>,
    /// How often each part has changed, told after the change.
    versions: Box<[AtomicU32]>,
    /// How many zones have an apex of so many labels.
    depths: Box<[AtomicU32; LABEL_COUNT_MAX + 1]>,
    /// A bit for each depth that has a zone, low half first.
    depths_in_use: [AtomicU64; 2],
    /// Octets of memory that all zones take.
    memory_size: AtomicUsize,
}

/// The zones of one part, by the hashes of their apexes: open addressing, and never without a free slot.
#[derive(Clone)]
struct Shard {
    slots: Arc<[Option<Slot>]>,
}

#[derive(Clone)]
pub(crate) struct Slot {
    /// Not zero, which leaves room for [`None`].
    hash: NonZeroU64,
    zone: Zone,
}

impl Catalog {
    /// A catalog without zones.
    pub fn new(seed: HashSeed) -> Catalog {
        let empty = Arc::new(Shard::new(Vec::new()));
        Catalog {
            hasher: seed.hasher(),
            shards: (0..SHARD_COUNT).map(|_| ArcSwap::new(empty.clone())).collect(),
            versions: (0..SHARD_COUNT).map(|_| AtomicU32::new(0)).collect(),
            depths: Box::new(std::array::from_fn(|_| AtomicU32::new(0))),
            depths_in_use: [AtomicU64::new(0), AtomicU64::new(0)],
            memory_size: AtomicUsize::new(0),
        }
    }

    /// The seed that zones should be built with.
    pub fn seed(&self) -> HashSeed {
        self.hasher.seed()
    }

    /// A builder with the catalog's seed.
    pub fn zone_builder(&self, apex: Name<'_>, class: Class) -> ZoneBuilder {
        ZoneBuilder::new(apex, class).with_seed(self.seed())
    }

    /// Serves a zone from now on; returns the zone of the same apex that it replaces.
    ///
    /// There is one zone for an apex, whatever the class.
    #[expect(clippy::needless_pass_by_value, reason = "the catalog becomes an owner of the zone")]
    pub fn publish(&self, zone: Zone) -> Option<Zone> {
        let labels = zone.apex().label_count();
        let hash = self.hasher.name(zone.apex());
        // Announced before and taken back after: a reader may look in vain, but never overlooks a zone.
        self.enter(labels);
        let replaced = self.change(hash, zone.apex(), Some(&zone));
        if replaced.is_some() {
            self.leave(labels);
        }
        replaced
    }

    /// Serves the zone no more, and returns it.
    pub fn withdraw(&self, apex: Name<'_>) -> Option<Zone> {
        let hash = self.hasher.name(apex);
        let withdrawn = self.change(hash, apex, None);
        if withdrawn.is_some() {
            self.leave(apex.label_count());
        }
        withdrawn
    }

    /// The zone with this apex.
    pub fn get(&self, apex: Name<'_>) -> Option<Zone> {
        let hash = self.hasher.name(apex);
        let shard = self.shards[shard_of(hash)].load();
        let apex = apex.to_lowercase();
        let at = find(&shard.slots, hash, || apex.as_name().as_wire())?;
        zone_in(&shard.slots, at).cloned()
    }

    /// How many zones are served.
    pub fn len(&self) -> usize {
        self.depths.iter().map(|count| count.load(Ordering::Relaxed) as usize).sum()
    }

    /// Octets of memory that the zones in service take.
    pub fn memory_size(&self) -> usize {
        self.memory_size.load(Ordering::Relaxed)
    }

    /// Whether no zone is served.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All zones in no order; zones published or withdrawn meanwhile may be in it or not.
    pub fn zones(&self) -> impl Iterator<Item = Zone> {
        self.shards.iter().flat_map(|shard| {
            let zones: Vec<Zone> = shard.load().slots.iter().flatten().map(|slot| slot.zone.clone()).collect();
            zones
        })
    }

    /// What one thread needs to answer.
    ///
    /// Made in the thread that uses it, it never allocates again; in another thread it does so once, when that thread
    /// first sees a change of the catalog.
    pub fn view(self: &Arc<Self>) -> View {
        View { catalog: self.clone(), zones: Zones::new(self), scratch: Scratch::new() }
    }

    /// Swaps in a copy of the part that `hash` belongs to, with `zone` or nothing for `apex`; returns what was there.
    fn change(&self, hash: u64, apex: Name<'_>, zone: Option<&Zone>) -> Option<Zone> {
        let i = shard_of(hash);
        let mut replaced = None;
        // Another writer may be faster; then the change is made again, to a copy of what that one left.
        self.shards[i].rcu(|shard| {
            let is_other = |slot: &&Slot| slot.hash != key(hash) || slot.zone.apex() != apex;
            let (kept, old): (Vec<&Slot>, Vec<&Slot>) = shard.slots.iter().flatten().partition(is_other);
            replaced = old.first().map(|slot| slot.zone.clone());
            let new = zone.map(|zone| Slot { hash: key(hash), zone: zone.clone() });
            Shard::new(kept.into_iter().cloned().chain(new).collect())
        });
        self.versions[i].fetch_add(1, Ordering::Release);
        self.memory_size.fetch_add(zone.map_or(0, |zone| zone.memory_size()), Ordering::Relaxed);
        self.memory_size.fetch_sub(replaced.as_ref().map_or(0, |zone| zone.memory_size()), Ordering::Relaxed);
        replaced
    }

    fn enter(&self, labels: usize) {
        // The bit is never cleared: a depth that was in use once costs one probe for each query.
        self.depths[labels].fetch_add(1, Ordering::Relaxed);
        self.depths_in_use[labels / 64].fetch_or(1 << (labels % 64), Ordering::Release);
    }

    fn leave(&self, labels: usize) {
        self.depths[labels].fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Catalog({} zones)", self.len())
    }
}

impl Shard {
    fn new(all: Vec<Slot>) -> Shard {
        let count = if all.is_empty() { 0 } else { all.len() + all.len() / 2 + 1 };
        let mut slots: Vec<Option<Slot>> = vec![None; count];
        for slot in all {
            let mut at = first(slot.hash.get(), count);
            while slots[at].is_some() {
                at = next(at, count);
            }
            slots[at] = Some(slot);
        }
        Shard { slots: slots.into() }
    }
}

/// The slot of the zone whose apex has this hash and lower-case wire form.
#[inline(always)]
fn find<'n>(slots: &[Option<Slot>], hash: u64, apex: impl Fn() -> &'n [u8]) -> Option<usize> {
    let hash = key(hash);
    let mut at = first(hash.get(), slots.len());
    loop {
        let slot = slots.get(at)?.as_ref()?;
        if slot.hash == hash && slot.zone.open().apex_node().is_owned_by(apex()) {
            return Some(at);
        }
        at = next(at, slots.len());
    }
}

#[inline]
fn zone_in(slots: &[Option<Slot>], at: usize) -> Option<&Zone> {
    slots.get(at)?.as_ref().map(|slot| &slot.zone)
}

/// A hash as slots have it: one bit less does not make it worse.
#[inline]
fn key(hash: u64) -> NonZeroU64 {
    NonZeroU64::MIN | hash
}

/// Where the search for a hash starts. The lower half of the hash: the upper one chooses the part.
#[inline]
fn first(hash: u64, slots: usize) -> usize {
    ((u64::from(hash as u32) * slots as u64) >> 32) as usize
}

#[inline]
fn next(at: usize, slots: usize) -> usize {
    if at + 1 == slots { 0 } else { at + 1 }
}

/// One thread's way to the zones of a catalog, and the memory it answers with.
///
/// It sees each change of the catalog with the next query. Until then it keeps what it saw before, which
/// [`View::refresh`] lets go.
pub struct View {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) zones: Zones,
    pub(crate) scratch: Scratch,
}

impl View {
    /// Looks at all parts of the catalog, so that zones which nobody asks for any more can be freed.
    ///
    /// Once a second, or before a long idle time, is often enough.
    pub fn refresh(&mut self) {
        for i in 0..SHARD_COUNT {
            self.zones.slots(&self.catalog, i);
        }
    }

    /// The catalog that is looked at.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View of {:?}", self.catalog)
    }
}

/// The zones as one thread saw them last.
pub(crate) struct Zones {
    seen: Box<[Seen]>,
}

/// Where a zone was found.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The labels of its apex.
    pub(crate) labels: usize,
    part: usize,
    slot: usize,
}

/// A part of the catalog and its version.
pub(crate) struct Seen {
    version: u32,
    /// Not behind a pointer to them, for which each question would wait.
    slots: Arc<[Option<Slot>]>,
}

impl Zones {
    fn new(catalog: &Catalog) -> Zones {
        Zones { seen: (0..SHARD_COUNT).map(|i| catalog.see(i)).collect() }
    }

    /// The zone with the deepest apex among the suffixes of at most `labels` labels.
    #[inline]
    pub(crate) fn deepest(&mut self, catalog: &Catalog, suffixes: &Suffixes, labels: usize) -> Option<Place> {
        let [low, high] = &catalog.depths_in_use;
        if labels >= 64 {
            let depths = high.load(Ordering::Acquire);
            if let Some(place) = self.deepest_of(catalog, suffixes, depths & (u64::MAX >> (127 - labels)), 64) {
                return Some(place);
            }
        }
        let depths = low.load(Ordering::Acquire);
        self.deepest_of(catalog, suffixes, depths & (u64::MAX >> (63 - labels.min(63))), 0)
    }

    /// The same among the depths of one number, whose lowest bit is that of `first` labels.
    #[inline(always)]
    fn deepest_of(&mut self, catalog: &Catalog, suffixes: &Suffixes, depths: u64, first: usize) -> Option<Place> {
        let mut left = depths;
        while left != 0 {
            let bit = 63 - left.leading_zeros();
            left ^= 1 << bit;
            let labels = first + bit as usize;
            let hash = suffixes.hash(labels);
            let part = shard_of(hash);
            if let Some(slot) = find(self.slots(catalog, part), hash, || suffixes.wire(labels)) {
                return Some(Place { labels, part, slot });
            }
        }
        None
    }

    /// The zone that the last [`Zones::deepest`] has found; a place from an earlier search may be another's by now.
    #[inline(always)]
    pub(crate) fn get(&self, place: &Place) -> Option<&Zone> {
        zone_in(&self.seen[place.part].slots, place.slot)
    }

    /// Where a zone with that hash stands, as it was seen last; whether it is the right one is for others to see.
    #[inline]
    pub(crate) fn with_hash(&self, hash: u64) -> Option<(usize, usize)> {
        let (part, hash) = (shard_of(hash), key(hash));
        let slots = &self.seen[part].slots;
        let mut at = first(hash.get(), slots.len());
        while slots.get(at)?.as_ref()?.hash != hash {
            at = next(at, slots.len());
        }
        Some((part, at))
    }

    /// The zone at such a place.
    #[inline]
    pub(crate) fn at(&self, (part, slot): (usize, usize)) -> Option<&Zone> {
        zone_in(&self.seen[part].slots, slot)
    }

    /// What is known of the part of the catalog that a hash belongs to.
    #[inline]
    pub(crate) fn seen(&self, hash: u64) -> &Seen {
        &self.seen[shard_of(hash)]
    }

    /// The slot where the search for a hash starts, of the catalog as it is now.
    #[inline]
    pub(crate) fn first_slot(&mut self, catalog: &Catalog, hash: u64) -> Option<&Option<Slot>> {
        let slots = self.slots(catalog, shard_of(hash));
        slots.get(first(key(hash).get(), slots.len()))
    }

    /// A part of the catalog as it is now.
    #[inline]
    fn slots(&mut self, catalog: &Catalog, i: usize) -> &[Option<Slot>] {
        if catalog.versions[i].load(Ordering::Acquire) != self.seen[i].version {
            self.seen[i] = catalog.see(i);
        }
        &self.seen[i].slots
    }
}

impl Catalog {
    /// A bit for each number of labels that an apex has, or had.
    pub(crate) fn depths(&self) -> u128 {
        let [low, high] = &self.depths_in_use;
        u128::from(low.load(Ordering::Relaxed)) | u128::from(high.load(Ordering::Relaxed)) << 64
    }

    pub(crate) fn hasher(&self) -> &NameHasher {
        &self.hasher
    }

    fn see(&self, i: usize) -> Seen {
        // The version first: if the part changes in between, it is looked at once more.
        let version = self.versions[i].load(Ordering::Acquire);
        Seen { version, slots: self.shards[i].load().slots.clone() }
    }
}

/// The upper half of the hash.
#[inline]
fn shard_of(hash: u64) -> usize {
    (hash >> 32) as usize % SHARD_COUNT
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use nss_wire::message::Rcode;
    use nss_wire::{NameBuf, RType, Record};

    use super::*;
    use crate::{Outcome, Peer, Policy, Transport};

    const DEPTH: usize = 40;

    fn zone(catalog: &Catalog, apex: &NameBuf) -> Zone {
        let mut builder = catalog.zone_builder(apex.as_name(), Class::IN);
        for (rtype, rdata) in [(RType::SOA, &[0; 22][..]), (RType::NS, b"\x02ns\x05other\0")] {
            builder.add(Record { owner: apex.as_name(), rtype, class: Class::IN, ttl: 3600, rdata }, 0);
        }
        builder.build().expect("a zone with SOA and NS records at its apex").0
    }

    #[test]
    fn a_zone_withdrawn_while_the_parent_of_a_ds_question_is_searched_for_is_refused() {
        let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
        let part = |name: &NameBuf| shard_of(catalog.hasher().name(name.as_name()));
        let parent: NameBuf = "example.".parse().unwrap();
        // The search for the parent ends at the part of the catalog that the child is in, and so sees it change; it is
        // long, because there are zones with as many labels as each name on the way.
        let way = "x.".repeat(DEPTH);
        let mut names = (0..).map(|i| format!("c{i}.{way}example.").parse::<NameBuf>().unwrap());
        let child = names.find(|name| part(name) == part(&parent)).unwrap();
        for labels in 1..=DEPTH + 1 {
            catalog.publish(zone(&catalog, &"other.".repeat(labels).parse().unwrap()));
        }
        let zone = zone(&catalog, &child);

        let question = [child.as_name().as_wire(), &[0, 43, 0, 1]].concat();
        let request = [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], &question[..]].concat();
        let peer = Peer { transport: Transport::Udp, address: [192, 0, 2, 53].into() };
        let (mut view, policy, mut out) = (catalog.view(), Policy::default(), [0; 512]);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    catalog.publish(zone.clone());
                    catalog.withdraw(child.as_name());
                }
                is_over.store(true, Ordering::Relaxed);
            });
            while !is_over.load(Ordering::Relaxed) {
                let Outcome::Reply(reply) = view.respond(&request, &peer, &policy, &mut out) else { panic!("silence") };
                assert!(matches!(reply.rcode, Rcode::NOERROR | Rcode::REFUSED), "{}", reply.rcode);
            }
        });
    }
}
