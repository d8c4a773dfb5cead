//! Requests that are not plain questions: RFC 8906, RFC 9619, and what must be met with silence.

mod story;

use nss_authority::Outcome;
use nss_wire::message::{Flags, Opcode, Rcode, Reader};
use nss_wire::{Class, RType};
use story::Story;

const EXAMPLE: &str = "
    example.      SOA ns.other. host.example. 1 3600 900 604800 300
    example.      NS  ns.other.
    a.example.    A   192.0.2.1";

const QUESTION: &[u8] = b"\x01a\x07example\0\0\x01\0\x01";

/// A message with these flags, counts and octets.
fn message(flags: Flags, counts: [u8; 4], body: &[u8]) -> Vec<u8> {
    let counts = counts.map(|count| [0, count]).concat();
    [&[0x12, 0x34][..], &flags.0.to_be_bytes(), &counts, body].concat()
}

fn rcode(request: &[u8]) -> Rcode {
    Story::new(&[EXAMPLE]).ask(request).0.rcode
}

#[test]
fn rfc_9619_section_4_a_query_has_one_question() {
    assert_eq!(rcode(&message(Flags(0), [1, 0, 0, 0], QUESTION)), Rcode::NOERROR);
    assert_eq!(rcode(&message(Flags(0), [0, 0, 0, 0], b"")), Rcode::FORMERR);
    assert_eq!(rcode(&message(Flags(0), [2, 0, 0, 0], &QUESTION.repeat(2))), Rcode::FORMERR);
    // A count that nothing stands behind.
    assert_eq!(rcode(&message(Flags(0), [2, 0, 0, 0], QUESTION)), Rcode::FORMERR);
    assert_eq!(rcode(&message(Flags(0), [1, 0, 0, 0], b"")), Rcode::FORMERR);
}

#[test]
fn octets_after_the_last_record_are_formerr() {
    assert_eq!(rcode(&message(Flags(0), [1, 0, 0, 0], &[QUESTION, b"x"].concat())), Rcode::FORMERR);
}

#[test]
fn a_request_with_more_records_than_any_needs_is_formerr() {
    let record = b"\x01b\0\0\x10\0\x01\0\0\0\0\0\0";
    let opt = b"\0\0\x29\x04\xd0\0\0\0\0\0\0";
    for section in 1..4 {
        let ask = |records: u8| {
            let mut counts = [1, 0, 0, 1];
            counts[section] += records;
            rcode(&message(Flags(0), counts, &[QUESTION, &record.repeat(records.into()), opt].concat()))
        };
        assert_eq!([ask(0), ask(15), ask(16), ask(200)], [0, 0, 1, 1].map(Rcode), "section {section}");
    }
}

#[test]
fn rfc_8906_section_3_1_4_an_unknown_opcode_is_notimp_with_the_question_and_the_opcode() {
    for opcode in [1, 2, 3, 4, 5, 6, 15] {
        let flags = Flags::RD.with_opcode(Opcode(opcode));
        let (reply, octets) = Story::new(&[EXAMPLE]).ask(&message(flags, [1, 0, 0, 0], QUESTION));
        let header = Reader::new(&octets).unwrap().header();
        assert_eq!((reply.rcode, header.flags), (Rcode::NOTIMP, flags.with(Flags::QR).with_rcode(Rcode::NOTIMP)));
        assert_eq!(&octets[12..], QUESTION);
    }
}

#[test]
fn rfc_8906_section_3_1_2_types_that_nobody_knows_are_nodata_and_those_of_messages_are_refused() {
    let ask = |rtype: RType| {
        let request = story::query(&"a.example.".parse().unwrap(), rtype, None);
        story::render(&Story::new(&[EXAMPLE]).ask(&request).1)
    };
    for rtype in [RType(0), RType(1000), RType(65280), RType(65535)] {
        assert_eq!(ask(rtype), ["NOERROR aa", "authority example. 300 SOA"], "{rtype}");
    }
    for rtype in [RType::OPT, RType::TSIG, RType::TKEY] {
        assert_eq!(ask(rtype), ["FORMERR"], "{rtype}");
    }
    for rtype in [RType::MAILA, RType::MAILB] {
        assert_eq!(ask(rtype), ["NOTIMP"], "{rtype}");
    }
}

#[test]
fn a_class_that_the_zone_is_not_of_is_refused() {
    for class in [Class::CH, Class::HS, Class::NONE, Class::ANY, Class(0), Class(1000)] {
        let question = [&b"\x01a\x07example\0\0\x01"[..], &class.0.to_be_bytes()].concat();
        assert_eq!(rcode(&message(Flags(0), [1, 0, 0, 0], &question)), Rcode::REFUSED, "{class}");
    }
}

#[test]
fn a_zone_of_another_class_is_asked_in_its_class() {
    let zone = "
        bind.         CH SOA ns.other. host.other. 1 3600 900 604800 300
        bind.         CH NS  ns.other.
        version.bind. CH TXT none-of-yours";
    let records = story::records(zone);
    let mut story = Story::new(&[]);
    let mut builder = story.catalog.zone_builder(records[0].1.owner.as_name(), Class::CH);
    records.iter().for_each(|(line, record)| builder.add(record.as_record(), *line));
    story.catalog.publish(builder.build().unwrap().0);
    let question = b"\x07version\x04bind\0\0\x10\0\x03";
    assert_eq!(story.ask(&message(Flags(0), [1, 0, 0, 0], question)).0.rcode, Rcode::NOERROR);
    story.check("version.bind. TXT", "REFUSED");
}

#[test]
fn an_answer_and_what_is_no_message_are_met_with_silence() {
    let mut story = Story::new(&[EXAMPLE]);
    let answer = message(Flags::QR, [1, 0, 0, 0], QUESTION);
    let question = message(Flags(0), [1, 0, 0, 0], QUESTION);
    for request in [&answer[..], &answer[..12], &question[..11], b""] {
        assert!(matches!(story.send(request).0, Outcome::Silent), "{request:?}");
    }
    // A header alone can be answered.
    assert_eq!(story.ask(&question[..12]).0.rcode, Rcode::FORMERR);
}

#[test]
fn a_buffer_without_room_for_the_least_answer_silences_it() {
    let mut story = Story::new(&[EXAMPLE]);
    let (peer, question) = (story.peer(), message(Flags(0), [1, 0, 0, 0], QUESTION));
    let mut is_silent =
        |size| matches!(story.view.respond(&question, &peer, &story.policy, &mut vec![0; size]), Outcome::Silent);
    assert!(is_silent(511) && !is_silent(512));
}

#[test]
fn rfc_1035_section_4_1_1_rd_is_copied_and_other_flags_are_not() {
    let asked = Flags::RD.with(Flags::AA).with(Flags::TC).with(Flags::RA).with(Flags::AD).with(Flags::CD);
    let (_, octets) = Story::new(&[EXAMPLE]).ask(&message(asked, [1, 0, 0, 0], QUESTION));
    assert_eq!(Reader::new(&octets).unwrap().header().flags, Flags::QR.with(Flags::AA).with(Flags::RD));
}

#[test]
fn rfc_4035_section_3_1_6_ad_and_cd_are_clear_whatever_was_asked_and_signed() {
    let signed = format!("{EXAMPLE}\nexample. DNSKEY \\# 5 0101030d00\na.example. RRSIG A example.");
    for (zone, signatures) in [(EXAMPLE, 0), (&signed, 1)] {
        let mut story = Story::new(&[zone]);
        for bits in [Flags(0), Flags::AD, Flags::CD, Flags::AD.with(Flags::CD)] {
            for (opt, dnssec_ok) in
                [(&b""[..], false), (b"\0\0\x29\x04\xd0\0\0\0\0\0\0", false), (b"\0\0\x29\x04\xd0\0\0\x80\0\0\0", true)]
            {
                let request = message(bits, [1, 0, 0, u8::from(!opt.is_empty())], &[QUESTION, opt].concat());
                let (_, octets) = story.ask(&request);
                let header = Reader::new(&octets).unwrap().header();
                assert_eq!(header.flags, Flags::QR.with(Flags::AA), "{bits:?}");
                assert_eq!(header.record_counts[0], 1 + if dnssec_ok { signatures } else { 0 });
            }
        }
    }
}

#[test]
fn rfc_8945_section_5_2_1_a_key_that_nobody_knows_is_notauth_and_badkey() {
    let mac = [&[0; 6][..], &[1, 44, 0, 16], &[9; 16], &[0x12, 0x34, 0, 0, 0, 0]].concat();
    let rdata = [&b"\x0bhmac-sha256\0"[..], &mac].concat();
    let tsig = [&b"\x03key\0"[..], &[0, 250, 0, 255, 0, 0, 0, 0, 0, rdata.len() as u8], &rdata].concat();
    let (reply, octets) = Story::new(&[EXAMPLE]).ask(&message(Flags(0), [1, 0, 0, 1], &[QUESTION, &tsig].concat()));
    assert_eq!(reply.rcode, Rcode::NOTAUTH);
    let record = Reader::new(&octets).unwrap().record().unwrap().unwrap();
    assert_eq!((record.rtype, record.owner.to_string()), (RType::TSIG, "key.".into()));
    let rdata = record.raw_rdata();
    // No MAC, the original id, BADKEY, nothing else.
    assert_eq!(rdata[rdata.len() - 8..], [0, 0, 0x12, 0x34, 0, 17, 0, 0]);
    // Anything behind the TSIG record breaks the request (§5.1).
    let behind = [QUESTION, &tsig, &tsig].concat();
    assert_eq!(rcode(&message(Flags(0), [1, 0, 0, 2], &behind)), Rcode::FORMERR);
}
