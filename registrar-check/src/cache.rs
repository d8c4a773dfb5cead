//! What earlier checks found out, for a short time and to a maximum.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// A bounded map whose entries end. Times are counted from any moment, the same for all calls.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    entries: HashMap<K, Entry<V>>,
    entries_max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    ends: Duration,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    pub(crate) fn new(entries_max: usize) -> Cache<K, V> {
        Cache { entries: HashMap::new(), entries_max }
    }

    pub(crate) fn get(&self, key: &K, now: Duration) -> Option<V> {
        self.entries.get(key).filter(|entry| entry.ends > now).map(|entry| entry.value.clone())
    }

    /// Keeps `value` for `ttl`; when the cache is full, what ends first makes room.
    pub(crate) fn insert(&mut self, key: K, value: V, now: Duration, ttl: Duration) {
        if self.entries_max == 0 {
            return;
        }
        if self.entries.len() >= self.entries_max && !self.entries.contains_key(&key) {
            self.entries.retain(|_, entry| entry.ends > now);
        }
        if self.entries.len() >= self.entries_max && !self.entries.contains_key(&key) {
            let first = self.entries.iter().min_by_key(|(_, entry)| entry.ends).map(|(key, _)| key.clone());
            first.and_then(|key| self.entries.remove(&key));
        }
        self.entries.insert(key, Entry { value, ends: now + ttl });
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.entries.remove(key);
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
    fn a_cache_of_nothing_keeps_nothing() {
        let mut cache = Cache::new(0);
        cache.insert("a", 1, Duration::ZERO, TTL);
        assert_eq!(cache.get(&"a", Duration::ZERO), None);
    }
}
