//! Which names stand where in a message that is being written, so that later names can point to them.

use super::compressed::POINTER;
use crate::name::{LABEL_SIZE_MAX, NAME_SIZE_MAX};

/// The names written so far, as a tree of labels with the root at its root; fixed size, kept for the next message.
///
/// Each label written at an offset that a pointer can hold is one entry: its offset and the entry of the label to its right.
/// A hash over both finds an entry among the others in one or two steps, and the label's first octets as one number tell
/// it apart from nearly all others.
#[derive(Clone)]
pub struct Compressor {
    len: u8,
    entries: [Entry; ENTRY_COUNT_MAX],
    /// The entry last put into each bucket, or [`NONE`].
    heads: [u8; BUCKET_COUNT],
}

/// Labels of a name, from the right, that another one may share (RFC 1035 §4.1.4); what is to the left of them is always written.
///
/// A limit of [`Compressor`]: hosts and delegations have fewer, names of IPv6 addresses more (RFC 3596 §2.5).
pub const COMPRESSED_LABELS_MAX: usize = 16;

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
    /// The label's [`head`].
    head: u64,
    /// Offset of the label's length octet in the message.
    offset: u16,
    /// The entry of the label to the right, or [`NONE`] for the root.
    parent: u8,
    /// The entry that was in the bucket before, or [`NONE`].
    next: u8,
    bucket: u8,
}

/// Labels that are remembered per message. An answer with 13 name servers and their addresses has about 20; a transfer's
/// messages compress less well beyond this number, but their names mostly end alike. It also bounds what names made to fall
/// into one bucket can cost: a label is compared with all other labels at worst.
const ENTRY_COUNT_MAX: usize = 128;

/// Buckets of the hash; a power of two.
const BUCKET_COUNT: usize = 64;

/// No entry.
const NONE: u8 = 0xff;

/// The offsets that fit into a pointer's 14 bits (RFC 1035 §4.1.4).
const OFFSET_MAX: usize = 0x3fff;

/// A name whose labels are found: where each of the last sixteen starts, and its size.
///
/// Labels further left are written out. Sixteen offsets fit into one number, which needs no memory; names with more
/// labels are those of reverse IPv6 zones, whose zones' apexes mostly have less.
#[derive(Clone, Copy)]
pub(super) struct FoundName<'n> {
    /// The name and nothing behind it.
    wire: &'n [u8],
    /// The last label's offset is in the lowest octet.
    starts: u128,
    /// How many offsets are in `starts`.
    count: u8,
}

impl<'n> FoundName<'n> {
    /// Finds the uncompressed name at the start of `octets`; `None` when there is none.
    #[inline]
    pub(super) fn find(octets: &'n [u8]) -> Option<FoundName<'n>> {
        let (mut starts, mut count, mut at) = (0, 0, 0);
        loop {
            let length = usize::from(*octets.get(at)?);
            if length == 0 {
                return Some(FoundName {
                    wire: octets.get(..=at)?,
                    starts,
                    count: count.min(COMPRESSED_LABELS_MAX as u8),
                });
            }
            starts = starts << 8 | at as u128;
            count += 1;
            at += 1 + length;
            if length > LABEL_SIZE_MAX || at >= NAME_SIZE_MAX {
                return None;
            }
        }
    }

    /// The uncompressed wire form.
    #[inline]
    pub(super) fn wire(self) -> &'n [u8] {
        self.wire
    }
}

/// How a name is to be written: so many of its octets, then a pointer or the root label.
#[derive(Clone, Copy)]
pub(super) struct Match {
    /// Octets of the labels that stand nowhere yet.
    pub(super) prefix: usize,
    /// The pointer to the rest; `None` where only the root is left.
    pub(super) pointer: Option<u16>,
    entry: u8,
    /// The starts of the labels in the prefix.
    starts: u128,
    count: u8,
}

impl Match {
    /// No label of the name stands anywhere.
    #[inline]
    pub(super) fn nothing(name: FoundName<'_>) -> Match {
        let FoundName { wire, starts, count } = name;
        Match { prefix: wire.len() - 1, pointer: None, entry: NONE, starts, count }
    }
}

impl Compressor {
    /// A compressor that knows no name.
    pub const fn new() -> Compressor {
        let entry = Entry { head: 0, offset: 0, parent: NONE, next: NONE, bucket: 0 };
        Compressor { len: 0, entries: [entry; ENTRY_COUNT_MAX], heads: [NONE; BUCKET_COUNT] }
    }

    /// Forgets everything, for another message.
    #[inline]
    pub(super) fn clear(&mut self) {
        if self.len > 0 {
            self.len = 0;
            self.heads = [NONE; BUCKET_COUNT];
        }
    }

    /// How much is known, to be handed to [`Compressor::forget_since`].
    #[inline]
    pub(super) fn level(&self) -> u8 {
        self.len
    }

    /// Forgets the names that were remembered after `level` was taken.
    pub(super) fn forget_since(&mut self, level: u8) {
        while self.len > level {
            self.len -= 1;
            let entry = self.entries[usize::from(self.len) % ENTRY_COUNT_MAX];
            self.heads[usize::from(entry.bucket) % BUCKET_COUNT] = entry.next;
        }
    }

    /// Finds the longest end of a name that stands in `message` already.
    #[inline(always)]
    pub(super) fn find(&self, message: &[u8], name: FoundName<'_>, compression: Compression) -> Match {
        let Match { mut prefix, mut entry, mut starts, mut count, .. } = Match::nothing(name);
        while count > 0 {
            let start = (starts & 0xff) as usize;
            let label = name.wire.get(start..).unwrap_or_default();
            let Some(child) = self.child(message, entry, label, compression) else { break };
            (entry, prefix) = (child, start);
            (starts, count) = (starts >> 8, count - 1);
        }
        let pointer = match entry {
            NONE => None,
            _ => Some(u16::from(POINTER) << 8 | self.entries[usize::from(entry) % ENTRY_COUNT_MAX].offset),
        };
        Match { prefix, pointer, entry, starts, count }
    }

    /// Remembers the labels of a name's prefix, which was written at `offset`.
    #[inline(always)]
    pub(super) fn remember(&mut self, name: FoundName<'_>, found: Match, offset: usize) {
        let Match { mut starts, mut count, entry: mut parent, .. } = found;
        while count > 0 {
            let start = (starts & 0xff) as usize;
            // The names to the left would hang on one that is not known.
            if offset + start > OFFSET_MAX || usize::from(self.len) >= ENTRY_COUNT_MAX {
                return;
            }
            let head = head(name.wire.get(start..).unwrap_or_default());
            let bucket = bucket(parent, head);
            let next = core::mem::replace(&mut self.heads[usize::from(bucket) % BUCKET_COUNT], self.len);
            self.entries[usize::from(self.len) % ENTRY_COUNT_MAX] =
                Entry { head, offset: (offset + start) as u16, parent, next, bucket };
            parent = self.len;
            self.len += 1;
            (starts, count) = (starts >> 8, count - 1);
        }
    }

    /// The entry of the label at the start of `wire` to the left of `parent`.
    #[inline]
    fn child(&self, message: &[u8], parent: u8, wire: &[u8], compression: Compression) -> Option<u8> {
        let head = head(wire);
        let mut candidate = self.heads[usize::from(bucket(parent, head)) % BUCKET_COUNT];
        while candidate != NONE {
            let entry = &self.entries[usize::from(candidate) % ENTRY_COUNT_MAX];
            if entry.parent == parent {
                // A label of up to seven octets is all in its head.
                let is_equal = match entry.head ^ head {
                    0 if head & 0xff <= 7 => true,
                    difference if difference & !CASE_BITS == 0 => is_same_label(message, entry, wire, compression),
                    _ => false,
                };
                if is_equal {
                    return Some(candidate);
                }
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

/// The length octet and the first seven octets of the label at the start of `wire` as one number.
#[inline]
fn head(wire: &[u8]) -> u64 {
    let word = match *wire {
        [a, b, c, d, e, f, g, h, ..] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        // Less than eight octets are left: the last label and the root label. They are read from both sides, the
        // octets in the middle twice.
        [a, b, c, d, ..] => {
            let last = wire.last_chunk().map_or(0, |&last| u32::from_le_bytes(last));
            u64::from(u32::from_le_bytes([a, b, c, d])) | u64::from(last) << (8 * (wire.len() - 4))
        }
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        _ => 0,
    };
    // What follows the label does not count.
    let octets = ((word & 0xff) + 1).min(8);
    word & u64::MAX >> (64 - 8 * octets)
}

/// The bits of a head in which letters of either case differ; the lowest octet is the length.
const CASE_BITS: u64 = 0x2020_2020_2020_2000;

/// Compares whole labels, the one at the entry's offset in the message and the one at the start of `wire`.
#[inline(never)]
fn is_same_label(message: &[u8], entry: &Entry, wire: &[u8], compression: Compression) -> bool {
    let size = 1 + usize::from(wire.first().copied().unwrap_or_default());
    let offset = usize::from(entry.offset);
    match (message.get(offset..offset + size), wire.get(..size), compression) {
        // Length octets are at most 63 and so never a letter: they differ or are equal in every case.
        (Some(a), Some(b), Compression::IgnoreCase) => a.eq_ignore_ascii_case(b),
        (Some(a), Some(b), Compression::KeepCase) => a == b,
        (None, _, _) | (_, None, _) => false,
    }
}

/// The bucket for a label and what is to its right, the same for letters of either case.
#[inline]
fn bucket(parent: u8, head: u64) -> u8 {
    // The multiplier of Fibonacci hashing, 2^64 divided by the golden ratio; the highest bits are the best mixed.
    let hash = (head | CASE_BITS).wrapping_add(u64::from(parent) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> (64 - BUCKET_COUNT.trailing_zeros())) as u8
}
