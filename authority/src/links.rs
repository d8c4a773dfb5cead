//! Where names in RDATA end in a pointer instead of being written to their end, found when the zone is built.
//!
//! The RRset that an answer starts with stands right behind the question, whose name is its owner or ends with it. So where
//! the names of its records find their ends again (RFC 1035 §4.1.4) is known beforehand, counted from the end of the
//! question:
//!
//! ```text
//! question                        | RRset
//! 3www 7example 3com 0 type class | pointer type class TTL RDLENGTH  2ns → 7example …
//!      ↑ -16                        ↑ 0                              ↑ 12
//! ```

use nss_wire::message::{COMPRESSED_LABELS_MAX, CompressibleNames};
use nss_wire::{Name, RType};

/// How one name is written: so many of its octets, then a pointer, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Octets that are written out; all of the name where there is no pointer.
    pub(crate) kept: u8,
    /// Where the pointer leads to, counted from the end of the question; [`NOWHERE`] without a pointer.
    to: i16,
}

/// Octets of a link in an arena.
pub(crate) const LINK_SIZE: usize = 3;

/// Records of an RRset that gets links: as many as name servers of a well-served domain. Larger RRsets are rare, and a
/// message has other ways to write them.
pub(crate) const LINKED_MAX: usize = 13;

const NOWHERE: i16 = i16::MIN;

/// Octets of type and class behind the name of a question.
const QUESTION_END_SIZE: usize = 4;

/// Octets of a record before its RDATA, the owner being a pointer.
const RECORD_START_SIZE: usize = 12;

impl Link {
    pub(crate) fn from_octets([kept, to, to2]: [u8; LINK_SIZE]) -> Link {
        Link { kept, to: i16::from_le_bytes([to, to2]) }
    }

    fn to_octets(self) -> [u8; LINK_SIZE] {
        let [to, to2] = self.to.to_le_bytes();
        [self.kept, to, to2]
    }

    #[inline]
    pub(crate) fn has_pointer(self) -> bool {
        self.to != NOWHERE
    }

    /// The pointer in a message whose question ends at `base`.
    #[inline]
    pub(crate) fn pointer(self, base: u16) -> Option<u16> {
        self.has_pointer().then(|| POINTER_BITS | base.wrapping_add_signed(self.to))
    }

    /// Whether the pointer leads to a name of so many octets at the end of the question's.
    #[inline]
    pub(crate) fn leads_to_owner(self, owner_size: usize) -> bool {
        usize::from(self.to.unsigned_abs()) == QUESTION_END_SIZE + owner_size && self.to < 0
    }
}

/// Two high bits that tell a pointer from a label.
pub(crate) const POINTER_BITS: u16 = 0xc000;

/// Finds the links of an RRset and puts them into `octets` as they stand in an arena; nothing where a type has no names that are
/// compressed, there are too many records, or a name has more labels than compressors look at.
pub(crate) fn find<'r>(
    owner: Name<'r>,
    rtype: RType,
    rdatas: impl ExactSizeIterator<Item = &'r [u8]>,
    octets: &mut Vec<u8>,
) {
    octets.clear();
    let names = CompressibleNames::of(rtype);
    if names.count == 0 || rdatas.len() > LINKED_MAX {
        return;
    }
    let owner_size = owner.wire_len();
    let at = -((QUESTION_END_SIZE + owner_size) as i16);
    let mut known = KnownNames::new(Known { wire: owner.as_wire(), at, kept: owner_size - 1 });
    let mut at = 0;
    for rdata in rdatas {
        at += RECORD_START_SIZE + names.skip;
        let mut rest = rdata.get(names.skip..).unwrap_or_default();
        for _ in 0..names.count {
            // RDATA was checked before, so that the names are there.
            let Ok((name, behind)) = Name::from_wire(rest) else { return octets.clear() };
            rest = behind;
            if name.label_count() > COMPRESSED_LABELS_MAX {
                return octets.clear();
            }
            let link = link(name.as_wire(), known.iter());
            let kept = usize::from(link.kept);
            if kept > 0 {
                known.push(Known { wire: name.as_wire(), at: at as i16, kept });
            }
            at += if link.has_pointer() { kept + 2 } else { kept };
            octets.extend(link.to_octets());
        }
        at += rest.len();
    }
}

/// The names that are in the message already; of few records, as nearly all have, they stand here.
struct KnownNames<'n> {
    first: [Known<'n>; KNOWN_FEW],
    count: usize,
    more: Vec<Known<'n>>,
}

impl<'n> KnownNames<'n> {
    fn new(owner: Known<'n>) -> KnownNames<'n> {
        KnownNames { first: [owner; KNOWN_FEW], count: 1, more: Vec::new() }
    }

    fn push(&mut self, name: Known<'n>) {
        match self.first.get_mut(self.count) {
            Some(place) => *place = name,
            None => self.more.push(name),
        }
        self.count += 1;
    }

    fn iter(&self) -> impl Iterator<Item = &Known<'n>> {
        self.first.iter().take(self.count).chain(&self.more)
    }
}

/// The owner and the name servers of most zones.
const KNOWN_FEW: usize = 5;

/// A name that is in the message already.
#[derive(Clone, Copy)]
struct Known<'n> {
    wire: &'n [u8],
    /// Where it stands, counted from the end of the question.
    at: i16,
    /// Octets of it that are written out, and so can be pointed to.
    kept: usize,
}

/// The longest end that a name shares with one before it.
fn link<'k, 'n: 'k>(wire: &[u8], known: impl Iterator<Item = &'k Known<'n>>) -> Link {
    let mut best = Link { kept: wire.len() as u8, to: NOWHERE };
    let mut best_size = ROOT_SIZE;
    for other in known {
        let size = shared_size(wire, other.wire);
        let start = other.wire.len() - size;
        if size > best_size && start < other.kept {
            best_size = size;
            best = Link { kept: (wire.len() - size) as u8, to: other.at + start as i16 };
        }
    }
    best
}

/// Octets of the root label, which no pointer saves.
const ROOT_SIZE: usize = 1;

/// Octets of the longest name that both names end with (RFC 4343 §4.1: in any case).
fn shared_size(a: &[u8], b: &[u8]) -> usize {
    let is_start = |name: &[u8], wanted: usize| {
        let mut at = 0;
        while at < wanted {
            at += 1 + usize::from(name[at]);
        }
        at == wanted
    };
    let mut start = 0;
    while a[start] > 0 {
        let rest = &a[start..];
        if let Some(other) = b.len().checked_sub(rest.len())
            && b[other..].eq_ignore_ascii_case(rest)
            && is_start(b, other)
        {
            return rest.len();
        }
        start += 1 + usize::from(a[start]);
    }
    ROOT_SIZE
}

#[cfg(test)]
mod tests {
    use nss_wire::NameBuf;
    use nss_wire::message::{Compressor, HEADER_SIZE, Question, Section, Writer};
    use nss_wire::{Class, rdata};
    use proptest::prelude::*;

    use super::*;

    fn found<'r>(owner: Name<'r>, rtype: RType, rdatas: impl ExactSizeIterator<Item = &'r [u8]>) -> Vec<u8> {
        let mut octets = vec![7];
        find(owner, rtype, rdatas, &mut octets);
        octets
    }

    /// The RDATA as the writer of messages compresses it, and as the links do.
    fn both(owner: &NameBuf, rtype: RType, rdatas: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
        let (mut buffer, mut compressor) = ([0; 4096], Compressor::new());
        let mut writer = Writer::new(&mut buffer, 4096, &mut compressor).unwrap();
        writer.question(Question { qname: owner.as_name(), qtype: rtype, qclass: Class::IN }).unwrap();
        let base = writer.len();
        let rdatas = || rdatas.iter().map(Vec::as_slice);
        writer.rrset(Section::Answer, owner.as_name(), rtype, Class::IN, 1, rdatas()).unwrap();
        let size = writer.finish();
        let theirs = buffer[base..size].to_vec();

        let links = found(owner.as_name(), rtype, rdatas());
        let mut links = links.as_chunks().0.iter().copied().map(Link::from_octets);
        let names = CompressibleNames::of(rtype);
        let mut ours = Vec::new();
        for rdata in rdatas() {
            ours.extend([0xc0, HEADER_SIZE as u8]);
            ours.extend(rtype.0.to_be_bytes());
            ours.extend([0, 1, 0, 0, 0, 1, 0, 0]);
            let start = ours.len();
            let (skipped, mut rest) = rdata.split_at(names.skip);
            ours.extend(skipped);
            for _ in 0..names.count {
                let (name, behind) = Name::from_wire(rest).unwrap();
                rest = behind;
                let link = links.next().unwrap();
                ours.extend(&name.as_wire()[..usize::from(link.kept)]);
                ours.extend(link.pointer(base as u16).map(u16::to_be_bytes).into_iter().flatten());
            }
            ours.extend(rest);
            let size = (ours.len() - start) as u16;
            ours[start - 2..start].copy_from_slice(&size.to_be_bytes());
        }
        (theirs, ours)
    }

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    #[test]
    fn a_label_that_looks_like_the_end_of_another_name_is_none() {
        // In the wire form of the one the other is found, but in the middle of a label.
        let inside = NameBuf::from_presentation(b"x\\003com\\000y.", Name::ROOT).unwrap();
        assert_eq!(shared_size(name("com.").as_name().as_wire(), inside.as_name().as_wire()), 1);
        let inside = NameBuf::from_presentation(b"x\\003com.", Name::ROOT).unwrap();
        assert_eq!(shared_size(name("com.").as_name().as_wire(), inside.as_name().as_wire()), 1);
    }

    #[test]
    fn many_records_and_types_without_names_have_no_links() {
        let servers: Vec<Vec<u8>> =
            (0..=LINKED_MAX).map(|i| name(&format!("ns{i}.example.")).as_name().as_wire().to_vec()).collect();
        let links =
            |rtype, count: usize| found(name("example.").as_name(), rtype, servers[..count].iter().map(Vec::as_slice));
        assert_eq!(links(RType::NS, LINKED_MAX).len(), LINKED_MAX * LINK_SIZE);
        assert_eq!(links(RType::NS, LINKED_MAX + 1), []);
        assert_eq!(links(RType::TXT, 1), []);
    }

    proptest! {
        /// The links are what the writer does while the message is written.
        #[test]
        fn links_are_what_the_writer_finds(
            owner in "([abAB]{1,2}\\.){1,4}",
            names in prop::collection::vec("([abAB]{1,2}\\.){1,4}|\\.", 1..8),
            kind in 0usize..4,
        ) {
            let rtype = [RType::NS, RType::MX, RType::PTR, RType::SOA][kind];
            let wire = |text: &str| name(text).as_name().as_wire().to_vec();
            let rdatas: Vec<Vec<u8>> = match rtype {
                RType::SOA => vec![[wire(&names[0]), wire(&names[names.len() - 1]), vec![7; 20]].concat()],
                RType::MX => names.iter().map(|text| [vec![0, 1], wire(text)].concat()).collect(),
                _ => names.iter().map(|text| wire(text)).collect(),
            };
            prop_assert!(rdatas.iter().all(|rdata| rdata::check(rtype, rdata).is_ok()));
            let (theirs, ours) = both(&name(&owner), rtype, &rdatas);
            prop_assert_eq!(theirs, ours);
        }
    }
}
