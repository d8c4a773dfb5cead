//! Sorts the nodes of an arena by the canonical order of their owners (RFC 4034 §6.1), without memory for whole keys.

use nss_wire::Name;
use nss_wire::name::LABEL_COUNT_MAX;

use crate::arena::Node;

/// The offset of a node, and before it the first of the keys that it is sorted by, in halves to leave no gap.
pub(crate) type Keyed = (Key, u32);

pub(crate) type Key = [u32; 2];

/// Sorts nodes that all stand at or below `apex` by the canonical order of their owners.
pub(crate) fn canonical(arena: &[u8], nodes: &mut [Keyed], apex: Name<'_>, both: Both) {
    let sorter = Sorter { arena, apex };
    if nodes.len() < MANY {
        return sorter.sort(nodes, 0);
    }
    let (low, high) = parted(nodes);
    both(&mut || sorter.sort(low, 0), &mut || sorter.sort(high, 0));
}

/// Does two pieces of work, one after the other or both at once, and returns when both are done.
///
/// This crate starts no threads; with a function that does, large zones are built in less time. See
/// [`ZoneBuilder::with_both`](crate::ZoneBuilder::with_both).
pub type Both = fn(&mut (dyn FnMut() + Send), &mut (dyn FnMut() + Send));

/// Two halves, about, of which the first has all the lower keys.
fn parted(nodes: &mut [Keyed]) -> (&mut [Keyed], &mut [Keyed]) {
    let middle = nodes.len() / 2;
    let mut end = middle;
    if nodes.is_sorted_by_key(|(key, _)| *key) {
        end = nodes.partition_point(|(key, _)| *key < nodes[middle].0);
    } else {
        let (low, (key, _), _) = nodes.select_nth_unstable_by_key(middle, |(key, _)| *key);
        // Nodes of one key must not be parted.
        for at in (0..middle).rev().filter(|&at| low[at].0 == *key).collect::<Vec<_>>() {
            end -= 1;
            low.swap(at, end);
        }
    }
    nodes.split_at_mut(end)
}

/// What an owner at or below an apex of so many octets is sorted by first.
pub(crate) fn first_key(owner: &[u8], apex_size: usize) -> Key {
    key(owner, apex_size, 0)
}

struct Sorter<'a> {
    arena: &'a [u8],
    apex: Name<'a>,
}

impl Sorter<'_> {
    /// Sorts by the keys of `depth`, and what they do not tell apart by those of the next.
    fn sort(&self, keyed: &mut [Keyed], depth: usize) {
        // Zone files are mostly sorted already, or nearly.
        if !keyed.is_sorted_by_key(|(key, _)| *key) {
            keyed.sort_unstable_by_key(|(key, _)| *key);
        }
        let (mut start, mut near) = (0, 0);
        while start < keyed.len() {
            if start >= near {
                near = keyed.len().min(start + AHEAD);
                self.approach(&keyed[start..near]);
            }
            let first = keyed[start].0;
            let count = keyed[start..].iter().take_while(|(key, _)| *key == first).count();
            self.sort_same(&mut keyed[start..start + count], depth);
            start += count;
        }
    }

    /// Sorts nodes that their keys up to `depth` do not tell apart.
    fn sort_same(&self, same: &mut [Keyed], depth: usize) {
        if same.len() < 2 {
            return;
        }
        if same.len() <= SMALL {
            return same.sort_unstable_by(|(_, a), (_, b)| self.owner(*a).cmp(&self.owner(*b)));
        }
        for (next, offset) in same.iter_mut() {
            *next = key(self.owner(*offset).as_wire(), self.apex.wire_len(), depth + 1);
        }
        self.sort(same, depth + 1);
    }

    /// Has nodes that keys do not tell apart come into the cache together, rather than when each is needed.
    fn approach(&self, keyed: &[Keyed]) {
        let same = keyed.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        let octets = same.flatten().map(|&(_, offset)| self.arena[offset as usize]);
        // The compiler must not leave out a sum that nobody wants.
        std::hint::black_box(octets.fold(0, |sum, octet| sum ^ octet));
    }

    fn owner(&self, offset: u32) -> Name<'_> {
        Node::at(self.arena, offset).owner()
    }
}

/// The `depth`-th eight octets of a string that sorts as the owner does in canonical order.
///
/// In the string the labels go from the right, those of the apex left out, in lower case, and each is ended by an
/// octet that sorts before all octets of labels. Behind its end are more of those.
fn key(owner: &[u8], apex_size: usize, depth: usize) -> Key {
    let mut starts = [0u8; LABEL_COUNT_MAX];
    let (mut count, mut at) = (0, 0);
    while at < owner.len() - apex_size {
        starts[count] = at as u8;
        count += 1;
        at += 1 + usize::from(owner[at]);
    }
    let mut key = KeyPart { octets: [LABEL_END; 8], skip: 8 * depth, len: 0 };
    for &start in starts[..count].iter().rev() {
        let start = usize::from(start);
        for octet in &owner[start + 1..start + 1 + usize::from(owner[start])] {
            match octet.to_ascii_lowercase() {
                // Two octets for each of the two lowest keep their order, and the end of a label below both.
                low @ (0 | 1) => {
                    key.push(1);
                    key.push(1 + low);
                }
                octet => key.push(octet),
            }
        }
        key.push(LABEL_END);
        if key.len == 8 {
            break;
        }
    }
    let key = u64::from_be_bytes(key.octets);
    [(key >> 32) as u32, key as u32]
}

/// Eight octets out of a longer string.
struct KeyPart {
    octets: [u8; 8],
    /// Octets of the string that go before.
    skip: usize,
    len: usize,
}

impl KeyPart {
    #[inline]
    fn push(&mut self, octet: u8) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.len < 8 {
            self.octets[self.len] = octet;
            self.len += 1;
        }
    }
}

/// Nodes that are approached at once: about as many as a core can wait for.
const AHEAD: usize = 32;

/// So many nodes are sorted in two halves.
const MANY: usize = 1 << 16;

/// So many names are compared with each other rather than given further keys.
const SMALL: usize = 8;

const LABEL_END: u8 = 0;

#[cfg(test)]
mod tests {
    use nss_wire::NameBuf;

    use super::*;
    use crate::arena::{NodeKind, Writer};

    #[test]
    fn many_names_are_sorted_as_few_are() {
        // Half of them have one first key, which is that of the middle.
        let names = |i: usize| match i % 2 {
            0 => format!("long-common-beginning-{:07}.example.", i.wrapping_mul(7919) % (4 * MANY)),
            _ => format!("{}{i:07}.example.", if i % 4 == 1 { 'a' } else { 'z' }),
        };
        for sorts_before in [false, true] {
            let mut names: Vec<NameBuf> = (0..2 * MANY).map(|i| names(i).parse().unwrap()).collect();
            if sorts_before {
                names.sort();
            }
            let (mut writer, apex): (_, NameBuf) = (Writer::new(), "example.".parse().unwrap());
            let node = |name: &NameBuf| {
                let key = first_key(name.as_name().as_wire(), apex.as_name().wire_len());
                (key, writer.begin_node(NodeKind::Ordinary, name.as_name()))
            };
            let mut nodes: Vec<Keyed> = names.iter().map(node).collect();
            let both: Both = |one, other| {
                std::thread::scope(|scope| {
                    scope.spawn(one);
                    other();
                });
            };
            canonical(writer.bytes(), &mut nodes, apex.as_name(), both);
            names.sort();
            let owner = |&(_, offset): &Keyed| Node::at(writer.bytes(), offset).owner();
            assert!(nodes.iter().map(owner).eq(names.iter().map(NameBuf::as_name)));
        }
    }

    #[test]
    fn names_are_sorted_as_rfc_4034_section_6_1_says() {
        let mut names: Vec<NameBuf> = Vec::new();
        for text in ["example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.", "zABC.a.EXAMPLE.", "z.example."] {
            names.push(text.parse().unwrap());
        }
        names.push("\\001.z.example.".parse().unwrap());
        names.push("*.z.example.".parse().unwrap());
        names.push("\\200.z.example.".parse().unwrap());
        names.push("\\000.z.example.".parse().unwrap());
        names.push("\\001\\000.z.example.".parse().unwrap());
        // Long common beginnings, more of them than are compared one by one.
        for i in 0..50 {
            names.push(format!("customer-number-{:05}.a-very-long-label.example.", (i * 37) % 50).parse().unwrap());
            names.push(format!("n{i}.customer-number-{:05}.a-very-long-label.example.", i % 7).parse().unwrap());
        }
        let mut writer = Writer::new();
        let (mut nodes, apex): (_, NameBuf) = (Vec::new(), "example.".parse().unwrap());
        for name in names.iter().rev() {
            let key = first_key(name.as_name().as_wire(), apex.as_name().wire_len());
            nodes.push((key, writer.begin_node(NodeKind::Ordinary, name.as_name())));
        }
        names.sort_by(|a, b| a.as_name().cmp(&b.as_name()));
        canonical(writer.bytes(), &mut nodes, apex.as_name(), |one, other| (one(), other()).0);
        let owner = |&(_, offset): &Keyed| Node::at(writer.bytes(), offset).owner().to_buf();
        let found: Vec<NameBuf> = nodes.iter().map(owner).collect();
        assert_eq!(found, names);
    }
}
