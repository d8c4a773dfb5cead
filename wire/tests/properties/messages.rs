//! Messages against an independent implementation in both directions, and hostile octets.

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{self, DNSClass, RData, RecordType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

use nss_wire::message::{
    Compression, Compressor, EdnsFlags, Flags, Full, Header, MessageError, OptionCode, Owner, Question, Rcode, Reader,
    Section, Writer,
};
use nss_wire::{Class, NameBuf, RType, rdata};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::generator;

/// What a message says, its names written out.
#[derive(Clone, Debug, PartialEq)]
struct Content {
    question: Option<(NameBuf, RType)>,
    records: Vec<(Section, NameBuf, RType, Class, u32, Vec<u8>)>,
}

/// A message as a server sends them: types with names in them, owners that have ends in common.
fn content() -> impl Strategy<Value = Content> {
    let types = vec![RType::A, RType::NS, RType::SOA, RType::MX, RType::CNAME, RType::TXT, RType::SRV, RType::DNAME];
    let rdata = select(types).prop_flat_map(|rtype| (Just(rtype), generator::rdata_of(rtype)));
    let record = (select(&Section::ALL[..]), generator::name(), rdata, 0..=0x7fff_ffffu32)
        .prop_map(|(section, owner, (rtype, octets), ttl)| (section, owner, rtype, Class::IN, ttl, octets));
    (generator::name(), vec(record, 0..20)).prop_map(|(qname, mut records)| {
        records.sort_by_key(|record| record.0);
        Content { question: Some((qname, RType::A)), records }
    })
}

fn write(content: &Content, size_max: usize) -> Result<Vec<u8>, Full> {
    write_with(Compression::IgnoreCase, content, size_max)
}

fn write_with(compression: Compression, content: &Content, size_max: usize) -> Result<Vec<u8>, Full> {
    let (mut buffer, mut compressor) = (vec![0xee; size_max + 100], Compressor::new());
    let mut writer = Writer::new(&mut buffer, size_max, &mut compressor)?;
    writer.id = 4711;
    writer.compression = compression;
    writer.flags = Flags::QR.with(Flags::AA);
    if let Some((qname, qtype)) = &content.question {
        writer.question(Question { qname: qname.as_name(), qtype: *qtype, qclass: Class::IN })?;
    }
    let same = |a: &NameBuf, b: &NameBuf| match compression {
        Compression::IgnoreCase => a == b,
        Compression::KeepCase => a.as_name().as_wire() == b.as_name().as_wire(),
    };
    for (section, owner, rtype, class, ttl, octets) in &content.records {
        let is_question = content.question.as_ref().is_some_and(|(qname, _)| same(qname, owner));

        let owner = if is_question { Owner::Question } else { Owner::Name(owner.as_name()) };
        writer.record(*section, owner, *rtype, *class, *ttl, octets)?;
    }
    let size = writer.finish();
    assert!(size <= size_max && buffer[size_max..].iter().all(|&octet| octet == 0xee));
    buffer.truncate(size);
    Ok(buffer)
}

/// The content of a message, or `None` when any of it is not as it should be.
fn read(message: &[u8]) -> Result<Option<Content>, MessageError> {
    let mut reader = Reader::new(message)?;
    let question = reader.question()?.map(|question| (question.qname.to_buf(), question.qtype));
    let mut records = Vec::new();
    let mut is_whole = reader.question()?.is_none();
    while let Some(record) = reader.record()? {
        let mut octets = Vec::new();
        is_whole &= record.rdata(&mut octets).is_ok();
        assert_eq!(record.owner.to_buf().as_name().wire_len(), record.owner.wire_len());
        assert!(record.owner == record.owner.to_buf().as_name());
        records.push((record.section, record.owner.to_buf(), record.rtype, record.class, record.ttl, octets));
    }
    let _ = Reader::new(message)?.edns();
    Ok(is_whole.then_some(Content { question, records }))
}

/// Both the same, but for the case of letters in names: a pointer may lead to a name that was written in another.
fn assert_same(a: &Content, b: &Content) {
    assert_eq!(a.question, b.question);
    assert_eq!(a.records.len(), b.records.len());
    for (x, y) in a.records.iter().zip(&b.records) {
        assert_eq!((x.0, &x.1, x.2, x.3, x.4), (y.0, &y.1, y.2, y.3, y.4));
        assert!(rdata::compare(x.2, &x.5, &y.5).is_eq(), "{} {:02x?} {:02x?}", x.2, x.5, y.5);
    }
}

fn their_name(name: &NameBuf) -> rr::Name {
    rr::Name::from_labels(name.as_name().labels()).unwrap()
}

/// The content of a message as the other implementation understands it.
fn their_content(message: &Message) -> Content {
    let name = |name: &rr::Name| {
        let mut builder = nss_wire::NameBuilder::new();
        name.iter().for_each(|label| builder.push_label(label).unwrap());
        builder.finish()
    };
    let question = message.queries.first().map(|query| (name(&query.name), RType(query.query_type.into())));
    let sections = [&message.answers, &message.authorities, &message.additionals];
    let records = Section::ALL.into_iter().zip(sections).flat_map(|(section, records)| {
        records.iter().map(move |record| {
            let mut octets = Vec::new();
            let mut encoder = BinEncoder::new(&mut octets);
            encoder.set_name_encoding(NameEncoding::Uncompressed);
            record.data.emit(&mut encoder).unwrap();
            let class = Class(record.dns_class.into());
            (section, name(&record.name), RType(record.record_type().into()), class, record.ttl, octets)
        })
    });
    Content { question, records: records.collect() }
}

proptest! {
    #[test]
    fn what_is_written_is_read_by_both(content in content()) {
        let message = write(&content, 65535).unwrap();
        assert_same(&read(&message).unwrap().unwrap(), &content);
        let theirs = Message::from_vec(&message).unwrap();
        prop_assert_eq!(theirs.metadata.id, 4711);
        prop_assert!(theirs.metadata.authoritative && theirs.metadata.message_type == MessageType::Response);
        assert_same(&their_content(&theirs), &content);
    }

    #[test]
    fn a_transfer_keeps_the_case_of_every_letter(content in content()) {
        let message = write_with(Compression::KeepCase, &content, 65535).unwrap();
        let read = read(&message).unwrap().unwrap();
        prop_assert_eq!(&read, &content);
        for (x, y) in read.records.iter().zip(&content.records) {
            prop_assert_eq!(x.1.as_name().as_wire(), y.1.as_name().as_wire());
        }
    }

    #[test]
    fn what_they_write_is_read(content in content()) {
        let mut message = Message::new(4711, MessageType::Response, OpCode::Query);
        let (qname, qtype) = content.question.clone().unwrap();
        message.add_query(Query::query(their_name(&qname), RecordType::from(qtype.0)));
        for (section, owner, rtype, _, ttl, octets) in &content.records {
            // They compress names in types they know; the octets of others are copied.
            let ours = write(&Content { question: None, records: vec![(Section::Answer, NameBuf::from(nss_wire::Name::ROOT), *rtype, Class::IN, 0, octets.clone())] }, 65535).unwrap();
            let data = Message::from_vec(&ours).unwrap().answers.remove(0).data;
            let data = match data {
                RData::Unknown { code, .. } => RData::Unknown { code, rdata: NULL::with(octets.clone()) },
                data => data,
            };
            let mut record = rr::Record::from_rdata(their_name(owner), *ttl, data);
            record.dns_class = DNSClass::IN;
            match section {
                Section::Answer => message.add_answer(record),
                Section::Authority => message.add_authority(record),
                Section::Additional => message.add_additional(record),
            };
        }
        let octets = message.to_vec().unwrap();
        assert_same(&read(&octets).unwrap().unwrap(), &content);
    }

    #[test]
    fn no_size_limit_is_passed(content in content(), size_max in 0..600usize) {
        if let Ok(message) = write(&content, size_max) {
            prop_assert_eq!(write(&content, 65535), Ok(message));
        }
    }

    #[test]
    fn a_full_message_is_as_if_the_record_had_never_come(content in content(), size_max in 12..600usize) {
        let (mut buffer, mut compressor) = (vec![0; size_max], Compressor::new());
        let mut writer = Writer::new(&mut buffer, size_max, &mut compressor).unwrap();
        let mut kept = Content { question: None, records: Vec::new() };
        for record in &content.records {
            let (section, owner, rtype, class, ttl, octets) = record;
            let mark = writer.mark();
            if writer.record(*section, owner.as_name(), *rtype, *class, *ttl, octets).is_ok() {
                // What does not end in an even octet is taken back.
                if writer.len().is_multiple_of(2) { kept.records.push(record.clone()) } else { writer.rollback(mark) }
            }
        }
        let size = writer.finish();
        prop_assert_eq!(&buffer[..size][12..], &write(&kept, 65535).unwrap()[12..]);
        assert_same(&read(&buffer[..size]).unwrap().unwrap(), &kept);
    }

    #[test]
    fn hostile_octets_do_no_harm(
        content in content(),
        changes in vec((any::<Index>(), any::<u8>()), 0..8),
        cut in any::<Option<Index>>(),
        noise in vec(prop_oneof![Just(0), Just(1), Just(0xc0), Just(12), any::<u8>()], 0..200),
    ) {
        let mut message = write(&content, 65535).unwrap();
        for (at, octet) in changes {
            *at.get_mut(&mut message) = octet;
        }
        if let Some(cut) = cut {
            message.truncate(cut.index(message.len() + 1));
        }
        for octets in [message, noise] {
            // What is accepted says the same after it was written again.
            if let Ok(Some(content)) = read(&octets) {
                let again = write(&content, 65535).unwrap();
                assert_same(&read(&again).unwrap().unwrap(), &content);
            }
        }
    }

    #[test]
    fn edns_is_the_same_for_both(size in any::<u16>(), flags in any::<u16>(), rcode in 0..4096u16, nsid in vec(any::<u8>(), 0..50)) {
        let (mut buffer, mut compressor) = ([0; 512], Compressor::new());
        let mut writer = Writer::new(&mut buffer, 512, &mut compressor).unwrap();
        writer.rcode = Rcode(rcode);
        writer.opt(size, EdnsFlags(flags), &[(OptionCode::NSID, &nsid), (OptionCode(65001), b"")]).unwrap();
        let size_written = writer.finish();
        let message = &buffer[..size_written];
        let ours = Reader::new(message).unwrap().edns().unwrap().unwrap();
        prop_assert_eq!((ours.udp_payload_size, ours.flags, ours.version), (size, EdnsFlags(flags), 0));
        prop_assert_eq!(Rcode::from_parts(Header::read(message).unwrap().flags, ours.rcode_high), Rcode(rcode));
        prop_assert_eq!(ours.options().collect::<Vec<_>>(), [(OptionCode::NSID, &nsid[..]), (OptionCode(65001), b"")]);
        let theirs = Message::from_vec(message).unwrap();
        let edns = theirs.edns.clone().unwrap();
        // They raise sizes below 512 themselves.
        prop_assert_eq!(edns.max_payload(), size.max(512));
        prop_assert_eq!(edns.flags().dnssec_ok, flags & 0x8000 != 0);
        prop_assert_eq!(u16::from(theirs.metadata.response_code), rcode);
        let again = theirs.to_bytes().unwrap();
        let again = Reader::new(&again).unwrap().edns().unwrap().unwrap();
        prop_assert_eq!(again.option(OptionCode::NSID), Some(&nsid[..]));
    }
}
