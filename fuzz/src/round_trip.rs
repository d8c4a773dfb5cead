//! Messages that are read and written again.

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::{self, RData};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use nss_wire::message::{
    Compression, Compressor, EdnsFlags, Flags, Full, MESSAGE_SIZE_MAX, OptionCode, Question, Rcode, Reader, Section,
    Writer,
};
use nss_wire::{Class, NameBuf, NameBuilder, RType, RecordBuf, rdata};

/// A message that can be read says the same after it was written again, and hickory-proto understands the same, too,
/// where it takes the message at all.
pub fn round_trip(octets: &[u8]) {
    let Some(content) = Content::read(octets) else { return };
    for compression in [Compression::KeepCase, Compression::IgnoreCase] {
        // Names that were compressed may be too many to be written without.
        let Ok(written) = content.write(compression) else { continue };
        let again = Content::read(&written).expect("what was written can be read");
        content.assert_same(&again, compression);
        if let Ok(theirs) = Message::from_vec(octets) {
            content.assert_understood(&theirs, Compression::KeepCase);
            match Message::from_vec(&written) {
                Ok(theirs) => content.assert_understood(&theirs, compression),
                // What they take for pointers leads elsewhere now.
                Err(error) => assert!(theirs.all_sections().any(follows_pointers), "they read ours, too: {error}"),
            }
        }
    }
}

/// All that a message says.
struct Content {
    id: u16,
    /// Without the response code.
    flags: Flags,
    rcode: Rcode,
    question: Option<(NameBuf, RType, Class)>,
    /// All but OPT.
    records: Vec<(Section, RecordBuf)>,
    edns: Option<Extension>,
}

/// What an OPT record says.
#[derive(Debug, PartialEq)]
struct Extension {
    udp_payload_size: u16,
    flags: EdnsFlags,
    options: Vec<(OptionCode, Vec<u8>)>,
}

impl Content {
    /// `None` for what is no message, and for what no writer makes: several questions (RFC 9619), another version of
    /// EDNS.
    fn read(octets: &[u8]) -> Option<Content> {
        let mut reader = Reader::new(octets).ok()?;
        let header = reader.header();
        let edns = reader.clone().edns().ok()?;
        if header.question_count > 1 || edns.is_some_and(|edns| edns.version != 0) {
            return None;
        }
        let question =
            reader.question().ok()?.map(|question| (question.qname.to_buf(), question.qtype, question.qclass));
        let mut records = Vec::new();
        while let Some(record) = reader.record().ok()? {
            if record.rtype == RType::OPT {
                continue;
            }
            let mut rdata = Vec::new();
            record.rdata(&mut rdata).ok()?;
            let (rtype, class, ttl) = (record.rtype, record.class, record.ttl);
            records.push((record.section, RecordBuf { owner: record.owner.to_buf(), rtype, class, ttl, rdata }));
        }
        Some(Content {
            id: header.id,
            flags: header.flags.with_rcode(Rcode::NOERROR),
            rcode: Rcode::from_parts(header.flags, edns.map_or(0, |edns| edns.rcode_high)),
            question,
            records,
            edns: edns.map(|edns| Extension {
                udp_payload_size: edns.udp_payload_size,
                flags: edns.flags,
                options: edns.options().map(|(code, octets)| (code, octets.to_vec())).collect(),
            }),
        })
    }

    fn write(&self, compression: Compression) -> Result<Vec<u8>, Full> {
        let (mut buffer, mut compressor) = (vec![0; MESSAGE_SIZE_MAX], Compressor::new());
        let mut writer = Writer::new(&mut buffer, MESSAGE_SIZE_MAX, &mut compressor)?;
        (writer.id, writer.flags, writer.rcode, writer.compression) = (self.id, self.flags, self.rcode, compression);
        if let Some((qname, qtype, qclass)) = &self.question {
            writer.question(Question { qname: qname.as_name(), qtype: *qtype, qclass: *qclass })?;
        }
        for (section, record) in &self.records {
            let RecordBuf { owner, rtype, class, ttl, rdata } = record;
            writer.record(*section, owner.as_name(), *rtype, *class, *ttl, rdata)?;
        }
        if let Some(Extension { udp_payload_size, flags, options }) = &self.edns {
            let options: Vec<_> = options.iter().map(|(code, octets)| (*code, &octets[..])).collect();
            writer.opt(*udp_payload_size, *flags, &options)?;
        }
        let size = writer.finish();
        buffer.truncate(size);
        Ok(buffer)
    }

    fn assert_same(&self, other: &Content, compression: Compression) {
        assert_eq!((self.id, self.flags, self.rcode), (other.id, other.flags, other.rcode));
        assert_eq!((&self.question, &self.edns), (&other.question, &other.edns));
        assert_eq!(self.records.len(), other.records.len());
        for ((section, record), (other_section, other)) in self.records.iter().zip(&other.records) {
            assert_eq!((section, record.class, record.ttl), (other_section, other.class, other.ttl));
            assert_same_name(&record.owner, &other.owner, compression);
            assert_same_rdata(record, other.rtype, &other.rdata, compression);
        }
    }

    /// Compares all that the other implementation keeps of a message.
    fn assert_understood(&self, theirs: &Message, compression: Compression) {
        let data = &theirs.metadata;
        let flags = [
            (Flags::QR, data.message_type == MessageType::Response),
            (Flags::AA, data.authoritative),
            (Flags::TC, data.truncation),
            (Flags::RD, data.recursion_desired),
            (Flags::RA, data.recursion_available),
            (Flags::AD, data.authentic_data),
            (Flags::CD, data.checking_disabled),
        ];
        for (flag, is_set) in flags {
            assert_eq!(self.flags.contains(flag), is_set, "{flag:?}");
        }
        assert_eq!((self.id, self.flags.opcode().0), (data.id, u8::from(data.op_code)));
        assert_eq!(self.rcode.0, u16::from(data.response_code));
        let question = theirs.queries.first().map(|query| (&query.name, query.query_type, query.query_class));
        assert_eq!(self.question.is_some(), question.is_some());
        if let (Some((qname, qtype, qclass)), Some((name, rtype, class))) = (&self.question, question) {
            assert_same_name(qname, &name_of(name), compression);
            assert_eq!((qtype.0, qclass.0), (rtype.into(), class.into()));
        }
        let sections = [&theirs.answers, &theirs.authorities, &theirs.additionals];
        for (section, theirs) in Section::ALL.into_iter().zip(sections) {
            let ours: Vec<_> = self.records.iter().filter(|(of, _)| *of == section).map(|(_, record)| record).collect();
            assert_eq!(ours.len(), theirs.len(), "{section:?}");
            for (record, theirs) in ours.into_iter().zip(theirs) {
                assert_same_name(&record.owner, &name_of(&theirs.name), compression);
                assert_eq!(record.rtype.0, u16::from(theirs.record_type()));
                assert_eq!((record.class.0, record.ttl), (theirs.dns_class.into(), theirs.ttl));
                // They leave names in types that they do not know as they stand.
                let is_verbatim = matches!(theirs.data, RData::Unknown { .. } | RData::Update0(_));
                if !is_verbatim && !follows_pointers(theirs) {
                    assert_same_rdata(record, record.rtype, &octets_of(&theirs.data), compression);
                }
            }
        }
        assert_eq!(self.edns.is_some(), theirs.edns.is_some());
    }
}

/// Whether they follow pointers in the data, where names may not be compressed (RFC 3597 §4, RFC 8945 §4.2).
fn follows_pointers(record: &rr::Record) -> bool {
    matches!(record.data, RData::TSIG(_) | RData::ANAME(_))
}

/// A pointer may lead to a name that was written in another letter case, unless the case is kept.
fn assert_same_name(a: &NameBuf, b: &NameBuf, compression: Compression) {
    match compression {
        Compression::KeepCase => assert_eq!(a.as_name().as_wire(), b.as_name().as_wire()),
        Compression::IgnoreCase => assert_eq!(a, b),
    }
}

fn assert_same_rdata(record: &RecordBuf, rtype: RType, octets: &[u8], compression: Compression) {
    assert_eq!(record.rtype, rtype);
    match compression {
        Compression::KeepCase => assert_eq!(record.rdata, octets, "{record}"),
        Compression::IgnoreCase => {
            assert!(rdata::compare(rtype, &record.rdata, octets).is_eq(), "{record} {octets:02x?}");
        }
    }
}

fn name_of(theirs: &rr::Name) -> NameBuf {
    let mut builder = NameBuilder::new();
    theirs.iter().for_each(|label| builder.push_label(label).expect("their name is a name"));
    builder.finish()
}

fn octets_of(theirs: &RData) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    theirs.emit(&mut encoder).expect("what was read can be written");
    octets
}
