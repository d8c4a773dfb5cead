//! A message read back, and compared with what it must be.

use nss_authority::Transport;
use nss_wire::RType;
use nss_wire::message::{Flags, HEADER_SIZE, Rcode, Reader, Section};

use super::answer::{Expected, Item};
use super::zone::Name;

/// How a question is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) transport: Transport,
    /// The payload size that is announced and whether DO is set, with EDNS.
    pub(crate) edns: Option<(u16, bool)>,
}

impl Manner {
    /// The message that asks so.
    pub(crate) fn request(self, qname: &Name, qtype: RType) -> Vec<u8> {
        let header = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())];
        let mut message = [&header[..], &qname.wire(), &qtype.0.to_be_bytes(), &[0, 1]].concat();
        if let Some((size, is_do)) = self.edns {
            message.extend([&[0, 0, 41][..], &size.to_be_bytes(), &[0, 0, u8::from(is_do) << 7, 0, 0, 0]].concat());
        }
        message
    }
}

/// Octets of an OPT record without options.
const OPT_SIZE: usize = 11;

#[derive(Debug)]
pub(crate) struct Reply {
    size: usize,
    rcode: Rcode,
    flags: Flags,
    /// Answer, authority, additional without OPT.
    sections: [Vec<Item>; 3],
    has_opt: bool,
}

impl Reply {
    /// Reads a message; `rcode` is what the library says of it.
    pub(crate) fn read(octets: &[u8], rcode: Rcode) -> Reply {
        hickory_proto::op::Message::from_vec(octets).expect("another library reads it too");
        let mut reader = Reader::new(octets).unwrap();
        let header = reader.header();
        assert_eq!((header.id, header.question_count), (0x1234, 1));
        let mut reply =
            Reply { size: octets.len(), rcode, flags: header.flags, sections: Default::default(), has_opt: false };
        while let Some(record) = reader.record().unwrap() {
            if record.rtype == RType::OPT {
                assert!(!reply.has_opt && record.section == Section::Additional);
                reply.has_opt = true;
                continue;
            }
            let mut rdata = Vec::new();
            record.rdata(&mut rdata).unwrap();
            let item = Item::new(&record.owner.to_string(), record.rtype, record.ttl, &rdata);
            reply.sections[record.section as usize].push(item);
        }
        assert!(reader.trailing().is_empty());
        assert_eq!(header.flags.rcode(), rcode);
        reply.sections.iter_mut().for_each(|section| section.sort());
        reply
    }

    /// What is not as it must be.
    pub(crate) fn differs_from(&self, expected: &Expected, qname: &Name, manner: &Manner) -> Option<&'static str> {
        let is_truncated = self.flags.contains(Flags::TC);
        let size_max = match (manner.transport, manner.edns) {
            (Transport::Tcp | Transport::Tls, _) => 65535,
            (Transport::Udp, None) => 512,
            (Transport::Udp, Some((size, _))) => usize::from(size),
        };
        let [answer, authority, additional] = &self.sections;
        let checks = [
            (self.flags.contains(Flags::QR.with(Flags::RD)), "QR and RD"),
            (self.flags.0 & (Flags::RA.0 | Flags::AD.0 | Flags::CD.0) == 0, "RA, AD or CD"),
            (self.flags.contains(Flags::AA) == expected.is_authoritative, "AA"),
            (self.rcode == expected.rcode || is_truncated && self.rcode == Rcode::NOERROR, "response code"),
            (self.has_opt == manner.edns.is_some(), "OPT"),
            (self.size <= size_max, "size"),
        ];
        if let Some((_, what)) = checks.into_iter().find(|(is_right, _)| !is_right) {
            return Some(what);
        }
        let answers: Vec<Vec<Item>> = match &expected.picks[..] {
            [] => vec![sorted(&expected.answer)],
            picks => picks.iter().map(|pick| sorted(&[&expected.answer[..], pick].concat())).collect(),
        };
        let authority_allowed = [&expected.authority[..], &expected.authority_allowed].concat();
        if !authority.iter().all(|item| authority_allowed.contains(item)) || !are_distinct(authority) {
            return Some("a record in the authority section");
        }
        let additional_allowed =
            [&expected.glue_allowed[..], &expected.additional_allowed, &expected.additional.concat()].concat();
        if !additional.iter().all(|item| additional_allowed.contains(item)) {
            return Some("a record in the additional section");
        }
        let lacks = |section: &[Item], items: &[Item]| items.iter().any(|item| !section.contains(item));
        if is_truncated {
            let size = |items: &[Item]| items.iter().map(Item::size).sum::<usize>();
            let pick = expected.picks.iter().map(|pick| size(pick)).max().unwrap_or(0);
            let authority = size(&expected.authority).max(size(&expected.authority_allowed));
            let necessary = size(&expected.answer) + pick + authority + size(&expected.glue_allowed);
            let opt = if self.has_opt { OPT_SIZE } else { 0 };
            if HEADER_SIZE + qname.wire().len() + 4 + necessary + opt <= size_max {
                return Some("TC although all has room");
            }
            let is_part = answers.iter().any(|whole| !lacks(whole, answer)) && are_distinct(answer);
            return (!is_part).then_some("a record in the truncated answer section");
        }
        if !answers.contains(answer) {
            return Some("the answer section");
        }
        if !are_distinct(answer) {
            return Some("a record that is twice in the answer section");
        }
        if lacks(authority, &expected.authority) {
            return Some("a missing record in the authority section");
        }
        if lacks(additional, &expected.glue) {
            return Some("missing glue");
        }
        let is_missing = |rrset: &&Vec<Item>| lacks(additional, rrset);
        let missing: Vec<&Vec<Item>> = expected.additional.iter().filter(is_missing).collect();
        let is_partial = |rrset: &&Vec<Item>| rrset.iter().any(|item| additional.contains(item));
        // Of two RRsets wanted, one may be part of the other only by being the same glue without its signatures.
        if missing.iter().copied().any(|rrset| is_partial(&rrset)) {
            return Some("an RRset in part");
        }
        let has_no_room = |rrset: &Vec<Item>| self.size + rrset.iter().map(Item::size).sum::<usize>() > size_max;
        (!missing.is_empty() && !missing.into_iter().any(has_no_room)).then_some("missing additional records")
    }
}

fn sorted(items: &[Item]) -> Vec<Item> {
    let mut items = items.to_vec();
    items.sort();
    items
}

/// Whether no record of a sorted section is in it twice.
fn are_distinct(items: &[Item]) -> bool {
    items.windows(2).all(|pair| pair[0] != pair[1])
}
