//! Finds nodes by the hash of their owners: open addressing in one array, so that a probe mostly touches one cache line.

/// A slot: the offset of a node in the low half, 32 bits of its hash in the high half; 0 if it is free.
pub(crate) type Slot = [u8; 8];

/// A table that is being filled.
#[derive(Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    len: usize,
}

/// A table that is looked into; it may stand in an arena.
#[derive(Clone, Copy)]
pub(crate) struct Slots<'t>(pub(crate) &'t [Slot]);

impl Table {
    pub(crate) fn slots(&self) -> Slots<'_> {
        Slots(&self.slots)
    }

    /// Adds a node whose owner has none yet.
    pub(crate) fn insert(&mut self, hash: u64, offset: u32) {
        if self.slots.len() < slots_for(self.len + 1) {
            self.resize(slots_for(2 * self.len + 8));
        }
        insert(&mut self.slots, slot(tag_of(hash), offset));
        self.len += 1;
    }

    /// Has the places of some hashes come into the cache together, rather than one after the other when each is needed.
    pub(crate) fn approach(&self, hashes: impl Iterator<Item = u64>) {
        let sum = hashes.fold(0, |sum, hash| sum ^ self.slots().first(hash).map_or(0, |slot| offset_of(*slot)));
        // The compiler must not leave out a sum that nobody wants.
        std::hint::black_box(sum);
    }

    /// Puts another node in the place of the one at `old`.
    pub(crate) fn replace(&mut self, hash: u64, old: u32, new: u32) {
        let slots = &mut self.slots;
        let mut at = first(tag_of(hash), slots.len());
        while offset_of(slots[at]) != old {
            at = next(at, slots.len());
        }
        slots[at] = slot(tag_of(hash), new);
    }

    /// Lets `moved` say where the node of each offset has gone.
    pub(crate) fn relocate(&mut self, moved: impl Fn(u32) -> u32) {
        for entry in self.slots.iter_mut().filter(|entry| **entry != FREE) {
            *entry = slot(tag(*entry), moved(offset_of(*entry)));
        }
    }

    /// The slots of the nodes that `is_wanted` agrees to, no more than needed.
    pub(crate) fn finish(mut self, is_wanted: impl Fn(u32) -> bool) -> Vec<Slot> {
        self.slots.iter_mut().filter(|entry| **entry != FREE && !is_wanted(offset_of(**entry))).for_each(|entry| {
            *entry = FREE;
            self.len -= 1;
        });
        // All are put in anew, so that the gaps do no harm.
        self.resize(slots_for(self.len));
        self.slots
    }

    fn resize(&mut self, count: usize) {
        let mut slots = vec![FREE; count];
        // Places are in the order of tags, so that both arrays are walked from front to back.
        for &entry in self.slots.iter().filter(|entry| **entry != FREE) {
            insert(&mut slots, entry);
        }
        self.slots = slots;
    }
}

impl<'t> Slots<'t> {
    /// The offset of the node with this hash that `is_it` agrees to.
    #[inline]
    pub(crate) fn find(self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.place(hash, is_it).map(|at| offset_of(self.0[at]))
    }

    /// The place of the slot with that node.
    #[inline]
    pub(crate) fn place(self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<usize> {
        let tag = tag_of(hash);
        let mut at = first(tag, self.0.len());
        loop {
            let entry = *self.0.get(at)?;
            if entry == FREE {
                return None;
            }
            if self::tag(entry) == tag && is_it(offset_of(entry)) {
                return Some(at);
            }
            at = next(at, self.0.len());
        }
    }

    /// The places and offsets of all nodes.
    pub(crate) fn nodes(self) -> impl Iterator<Item = (usize, u32)> {
        let used = self.0.iter().enumerate().filter(|(_, entry)| **entry != FREE);
        used.map(|(at, entry)| (at, offset_of(*entry)))
    }

    /// Where a search for the hash starts; to have it come into the cache.
    #[inline]
    pub(crate) fn first(self, hash: u64) -> Option<&'t Slot> {
        self.0.get(first(tag_of(hash), self.0.len()))
    }
}

fn insert(slots: &mut [Slot], entry: Slot) {
    let mut at = first(tag(entry), slots.len());
    while slots[at] != FREE {
        at = next(at, slots.len());
    }
    slots[at] = entry;
}

/// Slots for so many nodes: three quarters full at most, and never without a free one, which ends each search.
fn slots_for(nodes: usize) -> usize {
    nodes + nodes / 3 + 1
}

/// The upper half of a hash.
#[inline]
fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Spreads the tags over the slots, keeping their order.
#[inline]
fn first(tag: u32, slots: usize) -> usize {
    ((u64::from(tag) * slots as u64) >> 32) as usize
}

#[inline]
fn next(at: usize, slots: usize) -> usize {
    if at + 1 == slots { 0 } else { at + 1 }
}

fn slot(tag: u32, offset: u32) -> Slot {
    (u64::from(tag) << 32 | u64::from(offset)).to_le_bytes()
}

#[inline]
fn tag(entry: Slot) -> u32 {
    (u64::from_le_bytes(entry) >> 32) as u32
}

#[inline]
fn offset_of(entry: Slot) -> u32 {
    u64::from_le_bytes(entry) as u32
}

const FREE: Slot = [0; 8];

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes whose upper halves crowd the ends, so that searches go around.
    fn hash(i: u32) -> u64 {
        let tag = if i.is_multiple_of(3) { u32::MAX - i / 100 } else { i.wrapping_mul(0x9e37_79b9) };
        u64::from(tag) << 32 | u64::from(i)
    }

    #[test]
    fn what_was_put_in_is_found_and_nothing_else() {
        for count in [0, 1, 2, 3, 7, 8, 100, 5000] {
            let mut table = Table::default();
            for i in 1..=count {
                table.insert(hash(i), i);
            }
            table.relocate(|offset| offset + 10);
            if count > 2 {
                table.replace(hash(2), 12, 77_777);
            }
            let slots = table.finish(|_| true);
            assert_eq!(slots.len(), slots_for(count as usize));
            let find = |i: u32, wanted: u32| Slots(&slots).find(hash(i), |offset| offset == wanted);
            for i in 1..=count {
                let wanted = if i == 2 && count > 2 { 77_777 } else { i + 10 };
                assert_eq!(find(i, wanted), Some(wanted), "{i} of {count}");
            }
            assert_eq!(find(count + 1, count + 11), None);
        }
        assert_eq!(Slots(&[]).find(7, |_| true), None);
    }
}
