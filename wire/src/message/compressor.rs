//! Which names stand where in a message that is being written, so that later names can point to them.

use super::compressed::POINTER;
use crate::name::LABEL_COUNT_MAX;

/// The names written so far, as a tree of labels with the root at its root; fixed size, kept for the next message.
///
/// Each label written at an offset that a pointer can hold is one entry: its offset and the entry of the label to its right.
/// A hash over both finds an entry among the others in one or two steps.
#[derive(Clone)]
pub struct Compressor {
    len: u8,
    entries: [Entry; ENTRY_COUNT_MAX],
    /// The entry last put into each bucket, or [`NONE`].
    heads: [u8; BUCKET_COUNT],
}

/// Which earlier name a name may share its end with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// One that is equal when the case of letters is left aside, as names are compared (RFC 4343 §4.1): the shortest messages.
    #[default]
    IgnoreCase,
    /// One that is equal octet for octet, so that a secondary gets the names as they are in the zone (RFC 5936 §3.4).
    KeepCase,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Offset of the label's length octet in the message.
    offset: u16,
    /// The entry of the label to the right, or [`NONE`] for the root.
    parent: u8,
    /// The entry that was in the bucket before, or [`NONE`].
    next: u8,
    bucket: u8,
}

/// Labels that are remembered per message. An answer with 13 name servers and their addresses has about 20; a transfer's
/// messages compress less well beyond this number, but their names mostly end alike.
const ENTRY_COUNT_MAX: usize = 128;

/// Buckets of the hash; a power of two.
const BUCKET_COUNT: usize = 64;

/// No entry.
const NONE: u8 = 0xff;

/// The offsets that fit into a pointer's 14 bits (RFC 1035 §4.1.4).
const OFFSET_MAX: usize = 0x3fff;

/// Where the labels of a name start, found once and used for looking up and for remembering.
pub(super) struct LabelStarts {
    starts: [u8; LABEL_COUNT_MAX],
    len: usize,
    /// Octets of the whole name.
    pub(super) wire_len: usize,
}

impl LabelStarts {
    /// Finds the labels of the uncompressed name at the start of `wire`; `None` when there is no such name.
    pub(super) fn find(wire: &[u8]) -> Option<LabelStarts> {
        let mut found = LabelStarts { starts: [0; LABEL_COUNT_MAX], len: 0, wire_len: 0 };
        let mut at = 0;
        loop {
            let length = *wire.get(at)?;
            if length == 0 {
                found.wire_len = at + 1;
                return (at < 255).then_some(found);
            }
            if length >= 64 {
                return None;
            }
            // More labels than a name can have do not fit.
            *found.starts.get_mut(found.len)? = at as u8;
            found.len += 1;
            at += 1 + usize::from(length);
        }
    }
}

/// How a name is to be written: so many of its octets, then a pointer or the root label.
pub(super) struct Match {
    /// Octets of the labels that stand nowhere yet.
    pub(super) prefix: usize,
    /// The pointer to the rest; `None` where only the root is left.
    pub(super) pointer: Option<u16>,
    /// Labels in the prefix.
    labels: usize,
    entry: u8,
}

impl Compressor {
    /// A compressor that knows no name.
    pub const fn new() -> Compressor {
        let entry = Entry { offset: 0, parent: NONE, next: NONE, bucket: 0 };
        Compressor { len: 0, entries: [entry; ENTRY_COUNT_MAX], heads: [NONE; BUCKET_COUNT] }
    }

    /// Forgets everything, for another message.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.heads = [NONE; BUCKET_COUNT];
    }

    /// How much is known, to be handed to [`Compressor::forget_since`].
    pub(super) fn level(&self) -> u8 {
        self.len
    }

    /// Forgets the names that were remembered after `level` was taken.
    pub(super) fn forget_since(&mut self, level: u8) {
        while self.len > level {
            self.len -= 1;
            let entry = self.entries[usize::from(self.len)];
            self.heads[usize::from(entry.bucket) % BUCKET_COUNT] = entry.next;
        }
    }

    /// Finds the longest end of a name that stands in `message` already.
    pub(super) fn find(&self, message: &[u8], wire: &[u8], labels: &LabelStarts, compression: Compression) -> Match {
        let mut entry = NONE;
        let mut left = labels.len;
        while left > 0 {
            let start = usize::from(labels.starts[left - 1]);
            match self.child(message, entry, label_at(wire, start), compression) {
                Some(child) => (entry, left) = (child, left - 1),
                None => break,
            }
        }
        let prefix = if left == labels.len { labels.wire_len - 1 } else { usize::from(labels.starts[left]) };
        let pointer = (entry != NONE).then(|| u16::from(POINTER) << 8 | self.entries[usize::from(entry)].offset);
        Match { prefix, pointer, labels: left, entry }
    }

    /// Remembers the labels of a name's prefix, which was written at `offset`.
    pub(super) fn remember(&mut self, wire: &[u8], labels: &LabelStarts, found: &Match, offset: usize) {
        let mut parent = found.entry;
        for &start in labels.starts[..found.labels].iter().rev() {
            let start = usize::from(start);
            // The names to the left would hang on one that is not known.
            if offset + start > OFFSET_MAX || usize::from(self.len) >= ENTRY_COUNT_MAX {
                return;
            }
            let bucket = bucket(parent, label_at(wire, start));
            let next = core::mem::replace(&mut self.heads[usize::from(bucket) % BUCKET_COUNT], self.len);
            self.entries[usize::from(self.len)] = Entry { offset: (offset + start) as u16, parent, next, bucket };
            parent = self.len;
            self.len += 1;
        }
    }

    /// The entry of `label` (with its length octet) to the left of `parent`.
    fn child(&self, message: &[u8], parent: u8, label: &[u8], compression: Compression) -> Option<u8> {
        // Length octets are at most 63 and so never a letter: they differ or are equal in every case.
        let is_equal = |octets: &[u8]| match compression {
            Compression::IgnoreCase => octets.eq_ignore_ascii_case(label),
            Compression::KeepCase => octets == label,
        };
        let mut candidate = self.heads[usize::from(bucket(parent, label)) % BUCKET_COUNT];
        while candidate != NONE {
            let entry = self.entries.get(usize::from(candidate))?;
            let offset = usize::from(entry.offset);
            if entry.parent == parent && message.get(offset..offset + label.len()).is_some_and(is_equal) {
                return Some(candidate);
            }
            candidate = entry.next;
        }
        None
    }
}

impl Default for Compressor {
    fn default() -> Compressor {
        Compressor::new()
    }
}

impl core::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Compressor({} labels)", self.len)
    }
}

/// The label at `start`, its length octet in front.
fn label_at(wire: &[u8], start: usize) -> &[u8] {
    let tail = wire.get(start..).unwrap_or_default();
    let size = tail.first().map_or(0, |&length| 1 + usize::from(length));
    tail.get(..size).unwrap_or_default()
}

/// The bucket for a label and what is to its right: length, first and last octet tell most labels apart.
fn bucket(parent: u8, label: &[u8]) -> u8 {
    let [length, first, ..] = *label else { return 0 };
    let last = label[label.len() - 1];
    // Setting one bit folds the case of letters, and some other octets together, which costs a comparison only.
    let hash = parent.wrapping_mul(7)
        ^ length.wrapping_mul(29)
        ^ (first | 0x20).wrapping_mul(5)
        ^ (last | 0x20).wrapping_mul(11);
    hash % BUCKET_COUNT as u8
}
