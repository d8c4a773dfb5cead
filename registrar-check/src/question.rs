//! One question as a packet, and whether a packet is its answer.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query as MessageQuery};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name as ProtoName, RecordType};
use nss_wire::{Name, NameBuf, NameBuilder, RType};
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use crate::config::UDP_PAYLOAD_SIZE;

/// A query that a [`Walk`](crate::Walk) wants to have sent.
#[derive(Clone, Debug)]
pub struct Query {
    /// What the answer, or its absence, is reported under.
    pub token: Token,
    /// Where to send it.
    pub server: SocketAddr,
    /// How to send it.
    pub transport: Transport,
    /// The message, without the length in front of it that TCP wants.
    ///
    /// Over UDP it has to leave from a port of its own that nobody can guess, and only packets from `server` count.
    pub packet: Vec<u8>,
    /// How long the answer is waited for, the opening of a TCP connection included: from when the query was handed out, or
    /// from when it was [`sent`](crate::Walk::sent), if that is said.
    pub timeout: Duration,
}

/// Names one query within one walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub(crate) u32);

/// What carries a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram each way.
    Udp,
    /// A connection for one query (RFC 7766).
    Tcp,
}

/// What was asked, as it went out.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) id: u16,
    /// The name in the random letter case it was asked in.
    pub(crate) qname: NameBuf,
    pub(crate) qtype: RType,
    /// `None`: asked without EDNS.
    pub(crate) cookie: Option<ClientCookie>,
    /// Whether DNSSEC records are asked for, which needs EDNS (RFC 3225).
    pub(crate) dnssec: Dnssec,
}

/// Whether a question has the DO bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dnssec {
    Asked,
    NotAsked,
}

/// The client's half of a cookie (RFC 7873 §4.1).
pub(crate) type ClientCookie = [u8; 8];

/// How a packet relates to a question.
pub(crate) enum Fit {
    /// It is the answer.
    Answer(Box<Message>),
    /// It has our id and question, but cannot be read further.
    Garbled,
    /// It differs from the answer in the letter case of the name only: the server folds case, or somebody guesses.
    OtherCase,
    /// It is not the answer to this question; the answer may still come.
    Stray,
}

impl Question {
    /// Asks for `qname` in random letter case, with a random id.
    pub(crate) fn new(
        qname: Name<'_>,
        qtype: RType,
        cookie: Option<ClientCookie>,
        dnssec: Dnssec,
        rng: &mut StdRng,
    ) -> Question {
        Question { id: rng.random(), qname: random_case(qname, rng), qtype, cookie, dnssec }
    }

    /// The message; `server_cookie` is what this server gave us before.
    pub(crate) fn packet(&self, server_cookie: &[u8]) -> Vec<u8> {
        let mut message = Message::new(self.id, MessageType::Query, OpCode::Query);
        let name = ProtoName::from_labels(self.qname.as_name().labels()).expect("the labels of a name make a name");
        message.add_query(MessageQuery::query(name, RecordType::from(self.qtype.0)));
        if let Some(client) = self.cookie {
            let mut edns = Edns::new();
            edns.set_max_payload(UDP_PAYLOAD_SIZE);
            edns.set_dnssec_ok(self.dnssec == Dnssec::Asked);
            edns.options_mut().insert(EdnsOption::Unknown(COOKIE, [&client[..], server_cookie].concat()));
            message.set_edns(edns);
        }
        message.to_vec().expect("one question and one option fit into a message")
    }

    /// Whether `packet` answers this question.
    pub(crate) fn fit(&self, packet: &[u8], transport: Transport) -> Fit {
        let Some((header, body)) = packet.split_at_checked(HEADER_SIZE) else { return Fit::Stray };
        let is_response = header[2] & 0x80 != 0;
        let opcode = header[2] & 0x78;
        if header[..2] != self.id.to_be_bytes() || !is_response || opcode != 0 {
            return Fit::Stray;
        }
        let expected = self.wire();
        match (&header[4..6], body.get(..expected.len())) {
            ([0, 1], Some(question)) if question == expected => {}
            // Letter case is no proof that is needed once a connection stands.
            ([0, 1], Some(question)) if question.eq_ignore_ascii_case(&expected) => match transport {
                Transport::Udp => return Fit::OtherCase,
                Transport::Tcp => {}
            },
            // Errors of servers that could not read the question may come without it (RFC 1035 §4.1.1, FORMERR).
            ([0, 0], _) if !matches!(header[3] & 0x0f, 0 | 3) => {}
            _ => return Fit::Stray,
        }
        let Ok(message) = Message::from_vec(packet) else { return Fit::Garbled };
        match (self.cookie, cookie_of(&message)) {
            // A cookie that is not ours: RFC 7873 §5.3 wants the packet discarded.
            (Some(client), Some(cookie)) if !cookie.starts_with(&client) => Fit::Stray,
            _ => Fit::Answer(Box::new(message)),
        }
    }

    /// Name, type and class as they stand in the message.
    fn wire(&self) -> Vec<u8> {
        [self.qname.as_name().as_wire(), &self.qtype.0.to_be_bytes(), &CLASS_IN.to_be_bytes()].concat()
    }
}

/// The cookie in a reply, client's and server's half, when there is one of a valid length (RFC 7873 §5.3).
pub(crate) fn cookie_of(message: &Message) -> Option<&[u8]> {
    match message.edns.as_ref()?.option(EdnsCode::Cookie)? {
        EdnsOption::Unknown(_, cookie) if matches!(cookie.len(), 8 | 16..=40) => Some(cookie),
        _ => None,
    }
}

/// The same name with each letter in upper or lower case by chance ("0x20").
fn random_case(name: Name<'_>, rng: &mut StdRng) -> NameBuf {
    let mut builder = NameBuilder::new();
    for label in name.labels() {
        let mut bits = rng.next_u64();
        let mixed: Vec<u8> = label
            .iter()
            .map(|octet| {
                bits = bits.rotate_right(1);
                if bits & 1 == 0 { octet.to_ascii_lowercase() } else { octet.to_ascii_uppercase() }
            })
            .collect();
        builder.push_label(&mixed).expect("a label of a name stays a label in another letter case");
    }
    builder.finish()
}

/// Octets of a message's header (RFC 1035 §4.1.1).
const HEADER_SIZE: usize = 12;

/// The EDNS option code of cookies (RFC 7873 §4).
const COOKIE: u16 = 10;

/// The Internet class.
const CLASS_IN: u16 = 1;

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn question() -> Question {
        let name: NameBuf = "www.example.com".parse().unwrap();
        Question::new(name.as_name(), RType::NS, Some([7; 8]), Dnssec::NotAsked, &mut StdRng::seed_from_u64(1))
    }

    fn answer(question: &Question) -> Vec<u8> {
        let mut packet = question.packet(&[]);
        packet[2] |= 0x80;
        packet
    }

    #[test]
    fn the_echo_of_id_question_and_cookie_is_the_answer() {
        let question = question();
        assert!(matches!(question.fit(&answer(&question), Transport::Udp), Fit::Answer(_)));
    }

    #[test]
    fn another_id_question_or_cookie_is_a_stray() {
        let question = question();
        let stray = |edit: fn(&mut Vec<u8>)| {
            let mut packet = answer(&question);
            edit(&mut packet);
            matches!(question.fit(&packet, Transport::Udp), Fit::Stray)
        };
        assert!(stray(|packet| packet[0] ^= 1));
        assert!(stray(|packet| packet[2] &= 0x7f));
        assert!(stray(|packet| packet[2] |= 0x28));
        assert!(stray(|packet| packet[13] = b'x'));
        assert!(stray(|packet| *packet.last_mut().unwrap() ^= 1));
        assert!(stray(|packet| packet.truncate(11)));
        assert!(stray(|packet| packet.truncate(20)));
        assert!(stray(|packet| packet.clear()));
    }

    #[test]
    fn another_letter_case_counts_over_tcp_only() {
        let question = question();
        let mut packet = answer(&question);
        packet[13..16].iter_mut().for_each(|octet| *octet ^= 0x20);
        assert!(matches!(question.fit(&packet, Transport::Udp), Fit::OtherCase));
        assert!(matches!(question.fit(&packet, Transport::Tcp), Fit::Answer(_)));
    }

    #[test]
    fn an_error_may_come_without_the_question_but_a_no_may_not() {
        let question = question();
        let header = |rcode: u8| {
            let mut packet = answer(&question)[..12].to_vec();
            packet[3] = rcode;
            packet[4..].fill(0);
            packet
        };
        assert!(matches!(question.fit(&header(1), Transport::Udp), Fit::Answer(_)));
        assert!(matches!(question.fit(&header(0), Transport::Udp), Fit::Stray));
        assert!(matches!(question.fit(&header(3), Transport::Udp), Fit::Stray));
    }

    #[test]
    fn letters_are_asked_in_random_case_and_all_octets_stay() {
        let name: NameBuf = "abcdefghijklmnopqrstuvwxyz-0123456789\\255.Example".parse().unwrap();
        let mut rng = StdRng::seed_from_u64(2);
        let cased: Vec<NameBuf> = (0..8).map(|_| random_case(name.as_name(), &mut rng)).collect();
        assert!(cased.iter().all(|other| *other == name));
        assert!(cased.windows(2).all(|pair| pair[0].as_name().as_wire() != pair[1].as_name().as_wire()));
    }
}
