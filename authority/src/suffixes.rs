//! A name as tables look it up: its case folded once and every suffix hashed in one pass from the root.

use core::fmt;
use core::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
use nss_wire::Name;
use nss_wire::name::{LABEL_COUNT_MAX, LABEL_SIZE_MAX, NAME_SIZE_MAX};

/// The secret key of the tables; customers choose the names in them and strangers choose what is looked up.
///
/// Take it from the operating system's random source once per process. Zones built with a [`Catalog`](crate::Catalog)'s
/// own seed are found with the hashes that found the zone; zones built with another seed cost a second hashing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashSeed(u64);

impl HashSeed {
    /// A seed from 64 random bits.
    pub const fn new(random: u64) -> HashSeed {
        HashSeed(random)
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// Prepares the hashing of names.
    pub(crate) fn hasher(self) -> NameHasher {
        NameHasher { seed: self, shared: SharedSeed::from_u64(self.0) }
    }
}

impl fmt::Debug for HashSeed {
    /// Keeps the secret out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashSeed(…)")
    }
}

/// A [`HashSeed`] stretched to what the hash function wants.
pub(crate) struct NameHasher {
    seed: HashSeed,
    shared: SharedSeed,
}

impl NameHasher {
    pub(crate) fn seed(&self) -> HashSeed {
        self.seed
    }

    /// Of the root, where all hashes start.
    fn root(&self) -> u64 {
        self.seed.0
    }

    /// Of a name whose parent has the hash `parent`; `label` is in lower case.
    pub(crate) fn child(&self, parent: u64, label: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(parent, &self.shared);
        hasher.write(label);
        hasher.finish()
    }

    /// Of a whole name in any case.
    pub(crate) fn name(&self, name: Name<'_>) -> u64 {
        self.below(self.root(), name, 1)
    }

    /// Of a name whose last `known_size` octets have the hash `known`.
    pub(crate) fn below(&self, known: u64, name: Name<'_>, known_size: usize) -> u64 {
        let wire = name.as_wire();
        let mut lefts = [0u8; LABEL_COUNT_MAX];
        let (mut at, mut n) = (0, 0);
        while at + known_size < wire.len() {
            lefts[n] = at as u8;
            n += 1;
            at += 1 + usize::from(wire[at]);
        }
        let mut label = [0; LABEL_SIZE_MAX];
        lefts[..n].iter().rev().fold(known, |hash, &left| {
            let start = usize::from(left) + 1;
            let size = usize::from(wire[start - 1]);
            let label = &mut label[..size];
            label.copy_from_slice(&wire[start..start + size]);
            label.make_ascii_lowercase();
            self.child(hash, label)
        })
    }
}

/// All suffixes of one name, numbered by their labels: 0 is the root, [`Suffixes::label_count`] the name itself.
///
/// It is large and meant to be kept and set again for every query.
pub(crate) struct Suffixes {
    /// The name in lower case; behind it is room, so that eight octets can be folded at once.
    wire: [u8; NAME_SIZE_MAX.next_multiple_of(8)],
    size: usize,
    label_count: usize,
    /// Where the labels start in `wire`, from the left; the last is the root label.
    starts: [u8; LABEL_COUNT_MAX + 1],
    hashes: [u64; LABEL_COUNT_MAX + 1],
}

impl Suffixes {
    /// The suffixes of the root.
    pub(crate) fn new() -> Suffixes {
        Suffixes {
            wire: [0; NAME_SIZE_MAX.next_multiple_of(8)],
            size: 1,
            label_count: 0,
            starts: [0; LABEL_COUNT_MAX + 1],
            hashes: [0; LABEL_COUNT_MAX + 1],
        }
    }

    /// Replaces what is held by the suffixes of `name`.
    pub(crate) fn set(&mut self, name: Name<'_>, hasher: &NameHasher) {
        self.read(name.as_wire()).expect("a name is in wire form");
        self.hash_all(hasher);
    }

    /// Reads the uncompressed name at the start of `octets`, as [`Name::from_wire`] does; [`Suffixes::hash_all`] does the rest.
    #[inline]
    pub(crate) fn read(&mut self, octets: &[u8]) -> Option<()> {
        let (mut at, mut n) = (0, 0);
        loop {
            let length = *octets.get(at)?;
            self.starts[n] = at as u8;
            if length == 0 {
                break;
            }
            n += 1;
            at += 1 + usize::from(length);
            if usize::from(length) > LABEL_SIZE_MAX || at >= NAME_SIZE_MAX {
                return None;
            }
        }
        self.label_count = n;
        self.size = at + 1;
        let count = self.size.div_ceil(8);
        let (folded, _) = self.wire.as_chunks_mut::<8>();
        let (words, rest) = octets.as_chunks::<8>();
        let mut words = words.iter();
        for folded in &mut folded[..count] {
            // In a request the name is followed by other octets, which mostly fill its last word.
            *folded = match words.next() {
                Some(word) => to_lowercase(*word),
                None => to_lowercase(filled_up(rest)),
            };
        }
        Some(())
    }

    /// Hashes all suffixes.
    #[inline]
    pub(crate) fn hash_all(&mut self, hasher: &NameHasher) {
        let mut hash = hasher.root();
        self.hashes[0] = hash;
        let mut end = self.size - 1;
        for (&left, slot) in self.starts[..self.label_count].iter().rev().zip(&mut self.hashes[1..]) {
            let start = usize::from(left);
            hash = hasher.child(hash, &self.wire[start + 1..end]);
            *slot = hash;
            end = start;
        }
    }

    /// Octets of the whole name.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The label to the left of the last `labels` labels, with its length, in lower case.
    #[inline]
    pub(crate) fn label_above(&self, labels: usize) -> Option<&[u8]> {
        let left = self.label_count.checked_sub(labels + 1)?;
        self.wire.get(self.starts[left].into()..self.starts[left + 1].into())
    }

    /// Labels of the whole name.
    #[inline]
    pub(crate) fn label_count(&self) -> usize {
        self.label_count
    }

    /// The wire form of the last `labels` labels, in lower case.
    #[inline]
    pub(crate) fn wire(&self, labels: usize) -> &[u8] {
        &self.wire[usize::from(self.starts[self.label_count - labels])..self.size]
    }

    /// The hash of the last `labels` labels.
    #[inline]
    pub(crate) fn hash(&self, labels: usize) -> u64 {
        self.hashes[labels]
    }
}

/// Less than eight octets, and zeros behind them.
#[cold]
fn filled_up(octets: &[u8]) -> [u8; 8] {
    let mut word = [0; 8];
    word[..octets.len()].copy_from_slice(octets);
    word
}

/// Eight octets with ASCII letters in lower case; length octets are at most 63 and so never a letter.
#[inline]
fn to_lowercase(octets: [u8; 8]) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(octets);
    // With the top bit of each octet left out, so that no sum carries over into the next one.
    let low = word & !(0x80 * ONES);
    let at_least_a = low + (0x80 - b'A' as u64) * ONES;
    let beyond_z = low + (0x80 - b'Z' as u64 - 1) * ONES;
    let is_capital = at_least_a & !beyond_z & !word & (0x80 * ONES);
    (word | is_capital >> 2).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use nss_wire::NameBuf;

    use super::*;

    fn suffixes(text: &str) -> Suffixes {
        let mut suffixes = Suffixes::new();
        suffixes.set(text.parse::<NameBuf>().unwrap().as_name(), &HashSeed::new(7).hasher());
        suffixes
    }

    #[test]
    fn a_name_shares_the_hashes_of_its_ancestors_in_any_case() {
        let (long, short) = (suffixes("WWW.a.Example"), suffixes("a.eXAMPLE"));
        assert_eq!(long.hash(2), short.hash(2));
        assert_eq!(long.wire(2), short.wire(2));
        assert_eq!(long.wire(3), b"\x03www\x01a\x07example\0");
        assert_eq!(long.wire(0), b"\0");
        assert_eq!((long.label_count(), short.label_count()), (3, 2));
        assert_ne!(long.hash(3), long.hash(2));
        let (name, hasher): (NameBuf, _) = ("www.A.example".parse().unwrap(), HashSeed::new(7).hasher());
        assert_eq!(hasher.name(name.as_name()), long.hash(3));
        assert_eq!(hasher.below(short.hash(1), name.as_name(), b"\x07example\0".len()), long.hash(3));
    }

    #[test]
    fn ascii_letters_alone_are_folded() {
        for first in 0..=255u8 {
            let octets: [u8; 8] = std::array::from_fn(|i| first.wrapping_add((37 * i) as u8));
            assert_eq!(to_lowercase(octets), octets.map(|octet| octet.to_ascii_lowercase()));
        }
    }

    #[test]
    fn label_borders_and_seeds_change_the_hash() {
        assert_ne!(suffixes("ab.c").hash(2), suffixes("a.bc").hash(2));
        let name: NameBuf = "example".parse().unwrap();
        let hash = |seed| HashSeed::new(seed).hasher().name(name.as_name());
        assert_ne!(hash(1), hash(2));
    }

    #[test]
    fn the_longest_names_fit() {
        let most_labels = suffixes(&"x.".repeat(LABEL_COUNT_MAX));
        assert_eq!(most_labels.label_count(), LABEL_COUNT_MAX);
        assert_eq!(most_labels.wire(LABEL_COUNT_MAX).len(), NAME_SIZE_MAX);
    }
}
