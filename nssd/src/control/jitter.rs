//! When the next check of a zone is due.

use std::hash::{DefaultHasher, Hash, Hasher};

/// From nine to eleven tenths of `pause` after `at`, when something happened to `zone`: zones that were uploaded together do not stay together.
///
/// Nobody gains by knowing it beforehand, so that it need not be random; and who shows it finds what whoever goes by it has found.
pub fn jittered(pause: u64, zone: &str, at: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (zone, at).hash(&mut hasher);
    (pause - pause / 10).saturating_add(hasher.finish() % (pause / 5 + 1))
}
