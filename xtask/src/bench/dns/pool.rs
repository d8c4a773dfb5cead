//! The queries of a workload: packets that lack nothing but an id, and what the replies to them must be.

use nss_wire::{Name, RType};

use crate::client::{Edns, Query};

/// Queries in the order in which they are sent; after the last one comes the first one again.
#[derive(Default)]
pub(in crate::bench) struct Pool {
    octets: Vec<u8>,
    queries: Vec<Place>,
}

/// Where a packet is, and what it must bring.
#[derive(Clone, Copy)]
struct Place {
    at: u32,
    len: u16,
    question_len: u16,
    expected: Expected,
}

/// What a reply must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Expected {
    /// This many records in the answer section, from the authority.
    Records(u8),
    NoData,
    NxDomain,
    Referral,
    Refused,
}

/// One packet of the pool.
#[derive(Clone, Copy)]
pub(in crate::bench) struct Prepared<'p> {
    /// The query with id 0.
    pub(in crate::bench) packet: &'p [u8],
    pub(in crate::bench) expected: Expected,
    pub(super) question_len: usize,
}

/// Who replies, and so what counts as right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Replier {
    Server,
    /// Sends the query back with the QR bit set.
    Echo,
}

impl Pool {
    pub(in crate::bench) fn push(&mut self, qname: Name<'_>, qtype: RType, edns: Option<Edns>, expected: Expected) {
        let packet = Query { id: 0, edns, ..Query::new(qname, qtype) }.to_wire();
        self.queries.push(Place {
            at: u32::try_from(self.octets.len()).expect("a pool has less than 4 GiB"),
            len: u16::try_from(packet.len()).expect("a query is a name and an OPT record"),
            question_len: u16::try_from(qname.wire_len() + 4).expect("a name has 255 octets at most"),
            expected,
        });
        self.octets.extend(packet);
    }

    pub(in crate::bench) fn len(&self) -> usize {
        self.queries.len()
    }

    /// The `i`-th query.
    pub(in crate::bench) fn get(&self, i: usize) -> Prepared<'_> {
        let Place { at, len, question_len, expected } = self.queries[i];
        let packet = &self.octets[at as usize..][..usize::from(len)];
        Prepared { packet, expected, question_len: usize::from(question_len) }
    }

    pub(in crate::bench) fn iter(&self) -> impl Iterator<Item = Prepared<'_>> {
        (0..self.len()).map(|i| self.get(i))
    }
}

impl Prepared<'_> {
    /// The packet with an id.
    pub(in crate::bench) fn with_id(self, id: u16) -> Vec<u8> {
        let mut packet = self.packet.to_vec();
        packet[..2].copy_from_slice(&id.to_be_bytes());
        packet
    }

    /// The packet with an id, and with the name's letters in upper and lower case as the bits of a number say, so that a server takes it
    /// for another question to which the answer is the same.
    pub(super) fn with_case(self, number: usize) -> Vec<u8> {
        let mut packet = self.with_id(number as u16);
        let name = &mut packet[HEADER_SIZE..HEADER_SIZE + self.question_len - QUESTION_END_SIZE];
        // Lengths are no letters: a label has 63 octets at most.
        let letters = name.iter_mut().filter(|octet| octet.is_ascii_alphabetic());
        letters.zip(0..usize::BITS).for_each(|(letter, bit)| *letter ^= ((number >> bit & 1) as u8) << 5);
        packet
    }

    /// Whether `reply`, whose id is right, is what it must be: the question, the flags, and how many records it has.
    pub(in crate::bench) fn is_answered_by(self, reply: &[u8], replier: Replier) -> bool {
        let question = HEADER_SIZE..HEADER_SIZE + self.question_len;
        if reply.get(question.clone()) != self.packet.get(question) || reply[2] & QR == 0 {
            return false;
        }
        let (authoritative, truncated, rcode) = (reply[2] & AA != 0, reply[2] & TC != 0, reply[3] & 15);
        let count = |at: usize| u16::from_be_bytes([reply[at], reply[at + 1]]);
        let (answers, authorities) = (count(6), count(8));
        let fits = match self.expected {
            _ if replier == Replier::Echo => return true,
            Expected::Records(records) => (rcode, answers, authoritative) == (0, u16::from(records), true),
            Expected::NoData => (rcode, answers, authoritative) == (0, 0, true) && authorities > 0,
            Expected::NxDomain => (rcode, answers, authoritative) == (3, 0, true) && authorities > 0,
            Expected::Referral => (rcode, answers, authoritative) == (0, 0, false) && authorities > 0,
            Expected::Refused => (rcode, answers) == (5, 0),
        };
        fits && !truncated
    }

    /// The type that is asked for.
    pub(super) fn qtype(self) -> RType {
        let end = HEADER_SIZE + self.question_len;
        RType(u16::from_be_bytes([self.packet[end - 4], self.packet[end - 3]]))
    }

    /// What was asked and what came, for a person.
    pub(in crate::bench) fn complaint(self, reply: &[u8]) -> String {
        let qname = Name::from_wire(&self.packet[HEADER_SIZE..]).map_or_else(|_| String::new(), |(n, _)| n.to_string());
        let qtype = self.qtype();
        let header: Vec<String> = reply.iter().take(HEADER_SIZE).map(|octet| format!("{octet:02x}")).collect();
        format!("{qname} {qtype} should bring {:?}, but a reply has the header {}", self.expected, header.join(" "))
    }
}

pub(super) const HEADER_SIZE: usize = 12;

/// Octets of type and class behind the name of a question.
const QUESTION_END_SIZE: usize = 4;

/// Flags in the third octet of the header (RFC 1035 §4.1.1).
pub(super) const QR: u8 = 0x80;
const AA: u8 = 0x04;
const TC: u8 = 0x02;

#[cfg(test)]
mod tests {
    use nss_wire::NameBuf;

    use super::*;

    /// A reply made of a query by its header alone.
    fn reply(query: Prepared<'_>, flags: [u8; 2], counts: [u8; 2]) -> Vec<u8> {
        let mut reply = query.packet.to_vec();
        reply[2..4].copy_from_slice(&flags);
        (reply[7], reply[9]) = (counts[0], counts[1]);
        reply
    }

    #[test]
    fn a_reply_is_held_to_what_its_query_must_bring() {
        let apex: NameBuf = "example.com".parse().unwrap();
        for (expected, flags, counts) in [
            (Expected::Records(2), [0x84, 0], [2, 0]),
            (Expected::NoData, [0x84, 0], [0, 1]),
            (Expected::NxDomain, [0x84, 3], [0, 1]),
            (Expected::Referral, [0x80, 0], [0, 2]),
            (Expected::Refused, [0x80, 5], [0, 0]),
        ] {
            let mut pool = Pool::default();
            pool.push(apex.as_name(), RType::A, None, expected);
            let query = pool.get(0);
            let fits = |flags, counts| query.is_answered_by(&reply(query, flags, counts), Replier::Server);
            assert!(fits(flags, counts), "{expected:?}");
            assert!(!fits([flags[0] & !QR, flags[1]], counts), "{expected:?}: a query is no reply");
            assert!(!fits([flags[0] | TC, flags[1]], counts), "{expected:?}: truncated");
            assert!(!fits([flags[0], 2], counts), "{expected:?}: SERVFAIL");
            assert!(!fits(flags, [1, counts[1]]), "{expected:?}: another number of records");
            let mut other = reply(query, flags, counts);
            other[HEADER_SIZE + 1] = b'x';
            assert!(!query.is_answered_by(&other, Replier::Server), "{expected:?}: another question");
            assert!(!query.is_answered_by(&other[..HEADER_SIZE], Replier::Server), "{expected:?}: cut short");
            assert!(query.complaint(&other).contains("example.com. A"));
        }
    }

    #[test]
    fn a_question_is_asked_in_as_many_ways_as_its_letters_have() {
        let apex: NameBuf = "a1-b.c".parse().unwrap();
        let mut pool = Pool::default();
        pool.push(apex.as_name(), RType::A, None, Expected::Records(1));
        let query = pool.get(0);
        let name = |number| query.with_case(number)[HEADER_SIZE..][..7].to_vec();
        assert_eq!([0, 1, 6, 8].map(name), [b"\x04a1-b\x01c", b"\x04A1-b\x01c", b"\x04a1-B\x01C", b"\x04a1-b\x01c"]);
        let packet = query.with_case(0x1234);
        assert_eq!((&packet[..2], packet.len()), (&[0x12, 0x34][..], query.packet.len()));
    }

    #[test]
    fn an_echo_counts_for_the_floor_alone() {
        let apex: NameBuf = "example.com".parse().unwrap();
        let mut pool = Pool::default();
        pool.push(apex.as_name(), RType::A, None, Expected::NxDomain);
        let echo = reply(pool.get(0), [QR, 0], [0, 0]);
        assert!(pool.get(0).is_answered_by(&echo, Replier::Echo));
        assert!(!pool.get(0).is_answered_by(&echo, Replier::Server));
    }
}
