//! What earlier checks found out, for a short time and to a maximum.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

/// A bounded map whose entries end. Times are counted from any moment, the same for all calls.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// What ends first comes first; the numbers tell apart what ends at one moment.
    ends: BTreeMap<End, K>,
    inserted: u64,
    entries_max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    end: End,
}

/// When an entry ends, and its number.
type End = (Duration, u64);

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    pub(crate) fn new(entries_max: usize) -> Cache<K, V> {
        Cache { entries: HashMap::new(), ends: BTreeMap::new(), inserted: 0, entries_max }
    }

    pub(crate) fn get(&self, key: &K, now: Duration) -> Option<V> {
        self.entries.get(key).filter(|entry| entry.end.0 > now).map(|entry| entry.value.clone())
    }

    /// Keeps `value` for `ttl`; what has ended is dropped, and when the cache is full, what ends first makes room.
    pub(crate) fn insert(&mut self, key: K, value: V, now: Duration, ttl: Duration) {
        if self.entries_max == 0 {
            return;
        }
        self.remove(&key);
        while let Some((&end, first)) = self.ends.first_key_value()
            && (end.0 <= now || self.entries.len() >= self.entries_max)
        {
            self.entries.remove(first);
            self.ends.remove(&end);
        }
        let end = (now + ttl, self.inserted);
        self.inserted += 1;
        self.ends.insert(end, key.clone());
        self.entries.insert(key, Entry { value, end });
    }

    /// Has the entry end no later than at `latest`.
    pub(crate) fn shorten(&mut self, key: &K, latest: Duration) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.end.0 > latest) else { return };
        let end = (latest, entry.end.1);
        if let Some(key) = self.ends.remove(&entry.end) {
            self.ends.insert(end, key);
        }
        entry.end = end;
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.ends.remove(&entry.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    #[test]
    fn an_entry_ends_at_its_ttl() {
        let start = Duration::from_secs(1);
        let mut cache = Cache::new(2);
        cache.insert("a", 1, start, TTL);
        assert_eq!(cache.get(&"a", start + TTL - Duration::from_nanos(1)), Some(1));
        assert_eq!(cache.get(&"a", start + TTL), None);
    }

    #[test]
    fn a_full_cache_drops_what_ended_and_then_what_ends_first() {
        let start = Duration::from_secs(1);
        let mut cache = Cache::new(2);
        cache.insert("a", 1, start, TTL * 2);
        cache.insert("b", 2, start, TTL);
        cache.insert("c", 3, start, TTL * 3);
        let kept = |cache: &Cache<&str, i32>| ["a", "b", "c", "d"].map(|key| cache.get(&key, start).is_some());
        assert_eq!(kept(&cache), [true, false, true, false]);
        cache.insert("d", 4, start + TTL * 2, TTL);
        assert_eq!(kept(&cache), [false, false, true, true]);
    }

    #[test]
    fn what_has_ended_is_dropped_with_the_next_that_comes_though_there_is_room() {
        let start = Duration::ZERO;
        let mut cache = Cache::new(100);
        cache.insert("a", 1, start, TTL);
        cache.insert("a", 2, start, TTL * 3);
        cache.insert("b", 3, start, TTL);
        cache.insert("c", 4, start, TTL);
        cache.remove(&"c");
        assert_eq!((cache.entries.len(), cache.ends.len()), (2, 2));
        cache.insert("d", 5, start + TTL, TTL);
        assert_eq!((cache.entries.len(), cache.ends.len()), (2, 2));
        assert_eq!(cache.get(&"a", start + TTL), Some(2));
    }

    #[test]
    fn an_entry_can_be_made_to_end_earlier_and_never_later() {
        let start = Duration::ZERO;
        let mut cache = Cache::new(2);
        cache.insert("a", 1, start, TTL * 2);
        cache.insert("b", 2, start, TTL);
        cache.shorten(&"a", TTL / 2);
        cache.shorten(&"b", TTL * 2);
        cache.shorten(&"c", TTL);
        assert_eq!((cache.get(&"a", TTL / 2), cache.get(&"b", TTL / 2), cache.get(&"b", TTL)), (None, Some(2), None));
        cache.insert("d", 4, start, TTL);
        assert_eq!((cache.get(&"a", start), cache.get(&"b", start)), (None, Some(2)), "what ends first makes room");
    }

    #[test]
    fn a_cache_of_nothing_keeps_nothing() {
        let mut cache = Cache::new(0);
        cache.insert("a", 1, Duration::ZERO, TTL);
        assert_eq!(cache.get(&"a", Duration::ZERO), None);
    }
}
