//! A reply as hickory-proto, the independent reader, understands it: sections are sets, names are folded.

use std::collections::BTreeSet;
use std::fmt;

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder, NameEncoding};
use nss_wire::{Class, Name, NameBuf, RType, Record};

/// What a server did with a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Answer(Answer),
    /// Bytes came that are no reply to the query, and why.
    Broken(String),
    Silence,
    /// The server stopped answering anything at this query.
    Hung,
}

/// A reply without everything that differs between two correct servers by chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Extended, 12 bits (RFC 6891 §6.1.3).
    pub(crate) rcode: u16,
    pub(crate) authoritative: bool,
    pub(crate) truncated: bool,
    /// RA, Z, AD and CD, in their places of the header's fourth octet.
    pub(crate) other_flags: u8,
    pub(crate) edns: Option<Edns>,
    /// The question section octet for octet, its case included; empty if there is none.
    pub(crate) question: Vec<u8>,
    pub(crate) answer: Section,
    pub(crate) authority: Section,
    pub(crate) additional: Section,
    /// Records that stand more than once in their section.
    pub(crate) repeated: Section,
    /// Octets of the message.
    pub(crate) size: usize,
}

/// The OPT record of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edns {
    pub(crate) version: u8,
    pub(crate) payload_size: u16,
    pub(crate) dnssec_ok: bool,
    /// The codes of its options.
    pub(crate) options: BTreeSet<u16>,
}

/// The records of one section; their order means nothing.
pub(crate) type Section = BTreeSet<Rr>;

/// A record with its names in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rr {
    pub(crate) owner: NameBuf,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    pub(crate) rdata: Vec<u8>,
}

impl Reply {
    /// Reads what came back; `query` is what was sent.
    pub(crate) fn read(query: &[u8], reply: Option<&[u8]>) -> Reply {
        let Some(reply) = reply else { return Reply::Silence };
        match Answer::read(query, reply) {
            Ok(answer) => Reply::Answer(answer),
            Err(why) => Reply::Broken(why),
        }
    }
}

impl Answer {
    /// Reads a reply to `query`; an error is what is wrong with it.
    pub(crate) fn read(query: &[u8], reply: &[u8]) -> Result<Answer, String> {
        let mut decoder = BinDecoder::new(reply);
        let message = Message::read(&mut decoder).map_err(|error| error.to_string())?;
        if !decoder.is_empty() {
            return Err(format!("{} octets stand after the last record", decoder.len()));
        }
        if message.metadata.message_type != MessageType::Response {
            return Err("the QR bit is not set".to_owned());
        }
        if reply[..2] != query[..2] || (reply[2] ^ query[2]) & 0x79 != 0 {
            return Err("ID, OPCODE or RD differ from the query's".to_owned());
        }
        let question = match u16::from_be_bytes([reply[4], reply[5]]) {
            0 => Vec::new(),
            1 => {
                let (_, rest) = Name::from_wire(&reply[12..]).map_err(|error| format!("question: {error}"))?;
                let end = reply.len() - rest.len() + 4;
                reply.get(12..end).ok_or("the question is cut short")?.to_vec()
            }
            count => return Err(format!("{count} questions")),
        };
        let mut repeated = Section::new();
        Ok(Answer {
            rcode: message.metadata.response_code.into(),
            authoritative: message.metadata.authoritative,
            truncated: message.metadata.truncation,
            other_flags: reply[3] & 0xf0,
            edns: message.edns.as_ref().map(|edns| Edns {
                version: edns.version(),
                payload_size: edns.max_payload(),
                dnssec_ok: edns.flags().dnssec_ok,
                options: edns.options().as_ref().iter().map(|(code, _)| u16::from(*code)).collect(),
            }),
            question,
            answer: section(&message.answers, &mut repeated)?,
            authority: section(&message.authorities, &mut repeated)?,
            additional: section(&message.additionals, &mut repeated)?,
            repeated,
            size: reply.len(),
        })
    }

    /// The records of all sections.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Rr> {
        self.answer.iter().chain(&self.authority).chain(&self.additional)
    }
}

fn section(records: &[rr::Record], repeated: &mut Section) -> Result<Section, String> {
    let mut section = Section::new();
    for record in records {
        let rr = Rr::read(record)?;
        if let Some(twice) = section.replace(rr) {
            repeated.insert(twice);
        }
    }
    Ok(section)
}

impl Rr {
    /// A record in wire form, nothing compressed, as the replies have it.
    pub(crate) fn from_wire(wire: &[u8]) -> Result<Rr, String> {
        let record = rr::Record::read(&mut BinDecoder::new(wire)).map_err(|error| error.to_string())?;
        Rr::read(&record)
    }

    fn read(record: &rr::Record) -> Result<Rr, String> {
        let mut wire = Vec::new();
        let mut encoder = BinEncoder::new(&mut wire);
        encoder.set_canonical_form(true);
        encoder.set_name_encoding(NameEncoding::UncompressedLowercase);
        record.emit(&mut encoder).map_err(|error| error.to_string())?;
        let (owner, rest) = Name::from_wire(&wire).map_err(|error| error.to_string())?;
        let [t0, t1, c0, c1, ttl @ .., _, _] = rest.get(..10).ok_or("a record is cut short")? else {
            return Err("a record is cut short".to_owned());
        };
        let mut rdata = rest.get(10..).unwrap_or_default().to_vec();
        // The names in these have no letter case either, whatever their canonical form is.
        match RType(record.record_type().into()) {
            RType::DNAME => rdata.make_ascii_lowercase(),
            RType::SVCB | RType::HTTPS => {
                let size =
                    rdata.get(2..).and_then(|rest| Name::from_wire(rest).ok()).map_or(0, |(name, _)| name.wire_len());
                rdata[2..2 + size].make_ascii_lowercase();
            }
            _ => {}
        }
        Ok(Rr {
            owner: owner.to_lowercase(),
            rtype: u16::from_be_bytes([*t0, *t1]),
            class: u16::from_be_bytes([*c0, *c1]),
            ttl: ttl.try_into().map(u32::from_be_bytes).map_err(|_| "a record is cut short")?,
            rdata,
        })
    }

    pub(crate) fn is(&self, rtype: RType) -> bool {
        self.rtype == rtype.0
    }

    /// What a signature covers: its data starts with that (RFC 4034 §3.1).
    pub(crate) fn covered(&self) -> Option<RType> {
        let covered = self.rdata.first_chunk().map(|octets| RType(u16::from_be_bytes(*octets)));
        covered.filter(|_| self.is(RType::RRSIG))
    }

    /// Whether it is an NSEC or NSEC3 record, or the signature of one.
    pub(crate) fn is_denial(&self) -> bool {
        self.is_or_signs(RType::NSEC) || self.is_or_signs(RType::NSEC3)
    }

    /// Whether it is of a type or a signature that covers the type.
    pub(crate) fn is_or_signs(&self, rtype: RType) -> bool {
        self.is(rtype) || self.covered() == Some(rtype)
    }
}

impl fmt::Display for Rr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = Record {
            owner: self.owner.as_name(),
            rtype: RType(self.rtype),
            class: Class(self.class),
            ttl: self.ttl,
            rdata: &self.rdata,
        };
        fmt::Display::fmt(&record, f)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = match self {
            Reply::Answer(answer) => answer,
            Reply::Broken(why) => return write!(f, "    broken: {why}"),
            Reply::Silence => return f.write_str("    silence"),
            Reply::Hung => return f.write_str("    silence from here on"),
        };
        write!(f, "    {} octets, rcode {}", answer.size, answer.rcode)?;
        if answer.question.is_empty() {
            f.write_str(" no question")?;
        }
        let bit = |bit| answer.other_flags & bit != 0;
        let flags = [
            (answer.authoritative, "aa"),
            (answer.truncated, "tc"),
            (bit(0x80), "ra"),
            (bit(0x40), "z"),
            (bit(0x20), "ad"),
            (bit(0x10), "cd"),
        ];
        for (_, name) in flags.into_iter().filter(|(set, _)| *set) {
            write!(f, " {name}")?;
        }
        if let Some(Edns { version, payload_size, dnssec_ok, options }) = &answer.edns {
            write!(f, " edns{version} size {payload_size}{}", if *dnssec_ok { " do" } else { "" })?;
            if !options.is_empty() {
                write!(f, " options {options:?}")?;
            }
        }
        let sections =
            [("answer", &answer.answer), ("authority", &answer.authority), ("additional", &answer.additional)];
        for (name, section) in sections {
            for rr in section {
                write!(f, "\n    {name:<10} {rr}")?;
            }
        }
        Ok(())
    }
}

/// A record for tests.
#[cfg(test)]
pub(crate) fn rr(owner: &str, rtype: RType) -> Rr {
    Rr { owner: owner.parse().unwrap(), rtype: rtype.0, class: 1, ttl: 60, rdata: vec![1] }
}

/// An authoritative answer for tests, of its three sections.
#[cfg(test)]
pub(crate) fn sections(sections: [&[Rr]; 3]) -> Answer {
    let [answer, authority, additional] = sections.map(|section| section.iter().cloned().collect());
    Answer {
        rcode: 0,
        authoritative: true,
        truncated: false,
        other_flags: 0,
        edns: None,
        question: Vec::new(),
        answer,
        authority,
        additional,
        repeated: Section::new(),
        size: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(flags: u16, counts: [u16; 4], body: &[u8]) -> Vec<u8> {
        let mut wire = vec![0, 7];
        wire.extend(flags.to_be_bytes());
        wire.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
        wire.extend(body);
        wire
    }

    const QUERY: [u8; 17] = [0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 15, 0, 1];

    #[test]
    fn names_are_folded_and_uncompressed() {
        let body = b"\x01A\0\0\x0f\0\x01\xc0\x0c\0\x0f\0\x01\0\0\0\x3c\0\x06\0\x0a\x01M\xc0\x0c";
        let Reply::Answer(answer) = Reply::read(&QUERY, Some(&reply(0x8400, [1, 1, 0, 0], body))) else { panic!() };
        assert_eq!(answer.question, b"\x01A\0\0\x0f\0\x01");
        assert_eq!(answer.answer.first().unwrap().to_string().to_lowercase(), "a. 60 in mx 10 m.a.");
        assert!(answer.authoritative && !answer.truncated && answer.edns.is_none());
    }

    #[test]
    fn octets_behind_the_message_and_queries_are_no_reply() {
        let body = b"\0\0\x0f\0\x01";
        assert!(matches!(Reply::read(&QUERY, Some(&reply(0x8400, [1, 0, 0, 0], body))), Reply::Answer(_)));
        assert!(matches!(Reply::read(&QUERY, Some(&reply(0x0400, [1, 0, 0, 0], body))), Reply::Broken(_)));
        assert!(matches!(
            Reply::read(&QUERY, Some(&reply(0x8400, [1, 0, 0, 0], &[body, &b"\0"[..]].concat()))),
            Reply::Broken(_)
        ));
        assert_eq!(Reply::read(&QUERY, None), Reply::Silence);
    }
}
