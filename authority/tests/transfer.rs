//! Zone transfers: AXFR (RFC 5936) and IXFR answered with the whole zone (RFC 1995).

mod story;

use nss_authority::transfer::Wanted;
use nss_authority::{Messages, Outcome, Transfer, Transport};
use nss_wire::RType;
use nss_wire::message::{EdnsFlags, Flags, OptionCode, Rcode, Reader};
use story::Story;

const EXAMPLE: &str = "
    example.       SOA   ns.other. host.example. 5 3600 900 604800 300
    example.       RRSIG SOA example.
    example.       NS    ns.other.
    b.example.     A     192.0.2.2
    B.a.example.   A     192.0.2.1
    sub.example.   NS    ns.sub.example.
    ns.sub.example. A    192.0.2.3
    sub.example.   TXT   occluded
    *.example.     TXT   wildcard";

/// A request for a transfer; IXFR has the serial that the asker knows.
fn request(name: &str, qtype: RType, serial: Option<u32>) -> Vec<u8> {
    let mut request = story::query(&name.parse().unwrap(), qtype, None);
    if let Some(serial) = serial {
        request[9] = 1;
        let numbers = [&[0, 0][..], &serial.to_be_bytes(), &[0; 16]].concat();
        request.extend([&[0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, numbers.len() as u8][..], &numbers].concat());
    }
    request
}

fn transfer(zone: &str, name: &str, qtype: RType, serial: Option<u32>) -> Transfer {
    match Story::new(&[zone]).over_tcp().send(&request(name, qtype, serial)).0 {
        Outcome::Transfer(transfer) => transfer,
        outcome => panic!("{outcome:?}"),
    }
}

/// The messages of a transfer into buffers of this size.
fn messages(transfer: Transfer, size: usize) -> Vec<Vec<u8>> {
    let mut messages = Messages::new(transfer);
    let mut out = vec![0; size];
    std::iter::from_fn(|| messages.next(&mut out).map(|size| out[..size].to_vec())).collect()
}

/// Owner and type of all records.
fn records(messages: &[Vec<u8>]) -> Vec<String> {
    let lines = messages.iter().flat_map(|message| story::render(message).split_off(1));
    lines.map(|line| line.strip_prefix("answer ").expect("all in the answer section").to_owned()).collect()
}

#[test]
fn rfc_5936_section_2_2_the_soa_is_first_and_last_and_all_records_are_in_between() {
    let messages = messages(transfer(EXAMPLE, "example.", RType::AXFR, None), 65535);
    assert_eq!(messages.len(), 1);
    assert_eq!(
        records(&messages),
        [
            "example. 3600 SOA",
            "example. RRSIG SOA",
            "example. NS ns.other.",
            "*.example. TXT \"wildcard\"",
            "B.a.example. A 192.0.2.1",
            "b.example. A 192.0.2.2",
            "sub.example. NS ns.sub.example.",
            "sub.example. TXT \"occluded\"",
            "ns.sub.example. A 192.0.2.3",
            "example. 3600 SOA",
        ]
    );
    let header = Reader::new(&messages[0]).unwrap().header();
    assert_eq!((header.id, header.flags, header.question_count), (0x1234, Flags::QR.with(Flags::AA), 1));
}

#[test]
fn rfc_5936_section_2_2_5_opt_is_in_the_first_message_if_it_was_in_the_request() {
    let many: String = (0..100).map(|i| format!("\nn{i:03}.example. TXT number{i:03}")).collect();
    let zone = format!("{EXAMPLE}{many}");
    for flags in [EdnsFlags(0), EdnsFlags::DO] {
        let wish = story::EdnsWish { payload_size: 4096, flags };
        let request = story::query(&"example.".parse().unwrap(), RType::AXFR, Some(wish));
        let Outcome::Transfer(with_edns) = Story::new(&[&zone]).over_tcp().send(&request).0 else { panic!() };
        let parts = messages(with_edns, 512);
        assert!(parts.len() > 2 && parts.iter().all(|part| part.len() <= 512));
        let edns = |part: &Vec<u8>| {
            Reader::new(part).unwrap().edns().unwrap().map(|e| (e.udp_payload_size, e.flags, e.version))
        };
        assert_eq!(edns(&parts[0]), Some((1232, flags, 0)));
        assert!(parts[1..].iter().all(|part| edns(part).is_none()));
        let without = messages(transfer(&zone, "example.", RType::AXFR, None), 512);
        assert!(without.iter().all(|part| edns(part).is_none()));
        assert_eq!(records(&parts), records(&without));
    }
}

#[test]
fn a_large_zone_goes_in_many_messages_each_record_once() {
    let many: String = (0..500).map(|i| format!("\nn{i:03}.example. TXT number{i:03}")).collect();
    let zone = format!("{EXAMPLE}{many}");
    let whole = records(&messages(transfer(&zone, "example.", RType::AXFR, None), 65535));
    assert_eq!(whole.len(), 510);
    for size in [512, 600, 4096] {
        let parts = messages(transfer(&zone, "example.", RType::AXFR, None), size);
        assert!(parts.len() > 500 * 25 / size && parts.iter().all(|part| part.len() <= size));
        assert_eq!(records(&parts), whole, "{size}");
    }
}

#[test]
fn a_name_with_more_records_than_a_message_has_room_for_is_split_between_records() {
    let many: String = (0..100).map(|i| format!("\na.example. TXT number{i:03}")).collect();
    let parts = messages(transfer(&format!("{EXAMPLE}{many}"), "example.", RType::AXFR, None), 512);
    assert_eq!(records(&parts).iter().filter(|line| line.starts_with("a.example. TXT")).count(), 100);
}

#[test]
fn a_buffer_without_room_for_a_record_ends_the_transfer_without_its_last_soa() {
    let long = format!("{EXAMPLE}\nb.example. TXT {}", "x".repeat(200));
    let parts = messages(transfer(&long, "example.", RType::AXFR, None), 150);
    assert!(!parts.is_empty());
    assert_eq!(records(&parts).iter().filter(|line| line.ends_with(" SOA") && !line.contains("RRSIG")).count(), 1);
}

#[test]
fn rfc_1995_section_2_who_has_the_serial_or_a_later_one_gets_the_soa_alone() {
    for (serial, is_current) in
        [(5, true), (6, true), (4, false), (0, false), (5 + (1 << 31) - 1, true), (5 + (1 << 31), false)]
    {
        let transfer = transfer(EXAMPLE, "example.", RType::IXFR, Some(serial));
        assert_eq!(transfer.wanted(), Wanted::Since(serial));
        let count = records(&messages(transfer, 65535)).len();
        assert_eq!(count, if is_current { 1 } else { 10 }, "{serial}");
    }
}

#[test]
fn rfc_1995_section_2_over_udp_ixfr_gets_the_soa_alone() {
    let (_, octets) = Story::new(&[EXAMPLE]).ask(&request("example.", RType::IXFR, Some(1)));
    assert_eq!(story::render(&octets), ["NOERROR aa", "answer example. 3600 SOA"]);
}

#[test]
fn rfc_1995_section_3_ixfr_without_a_serial_is_formerr() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut story = Story::new(&[EXAMPLE]);
        story.transport = transport;
        assert_eq!(story.ask(&request("example.", RType::IXFR, None)).0.rcode, Rcode::FORMERR);
    }
}

#[test]
fn rfc_9103_over_tls_a_zone_is_transferred_as_over_tcp() {
    let mut story = Story::new(&[EXAMPLE]);
    story.transport = Transport::Tls;
    assert!(matches!(story.send(&request("example.", RType::AXFR, None)).0, Outcome::Transfer(_)));
}

#[test]
fn rfc_5936_section_4_2_over_udp_axfr_is_formerr() {
    assert_eq!(Story::new(&[EXAMPLE]).ask(&request("example.", RType::AXFR, None)).0.rcode, Rcode::FORMERR);
}

#[test]
fn rfc_5936_section_2_2_1_a_name_that_is_no_apex_is_notauth() {
    for name in ["b.example.", "no.example.", "test.", "."] {
        for (qtype, serial) in [(RType::AXFR, None), (RType::IXFR, Some(1))] {
            let request = request(name, qtype, serial);
            assert_eq!(Story::new(&[EXAMPLE]).over_tcp().ask(&request).0.rcode, Rcode::NOTAUTH, "{name} {qtype}");
            assert_eq!(Story::new(&[EXAMPLE]).ask(&request).0.rcode, Rcode::NOTAUTH, "{name} {qtype}");
        }
    }
}

/// The answer to who may not have the zone.
fn refusal(request: &[u8]) -> Vec<u8> {
    let mut story = Story::new(&[EXAMPLE]).over_tcp();
    let (peer, mut out) = (story.peer(), vec![0; 512]);
    let Outcome::Reply(reply) = story.view.refuse_transfer(request, &peer, &story.policy, &mut out) else {
        panic!("no answer")
    };
    out.truncate(reply.len);
    out
}

#[test]
fn a_refusal_has_the_question_and_no_records() {
    let out = refusal(&request("example.", RType::AXFR, None));
    assert_eq!(story::render(&out), ["REFUSED"]);
    assert_eq!(Reader::new(&out).unwrap().question().unwrap().unwrap().qtype, RType::AXFR);
    assert_eq!(Reader::new(&out).unwrap().edns().unwrap(), None);
}

#[test]
fn rfc_8914_section_4_19_a_refusal_says_to_who_knows_edns_that_it_is_about_the_client() {
    let wish = story::EdnsWish { payload_size: 1232, flags: EdnsFlags(0) };
    let out = refusal(&story::query(&"example.".parse().unwrap(), RType::AXFR, Some(wish)));
    assert_eq!(story::render(&out), ["REFUSED"]);
    let edns = Reader::new(&out).unwrap().edns().unwrap().unwrap();
    assert_eq!(edns.options().collect::<Vec<_>>(), [(OptionCode::EXTENDED_ERROR, &[0, 18][..])]);
}

#[test]
fn a_transfer_keeps_the_version_that_was_served_when_it_was_asked_for() {
    let mut story = Story::new(&[EXAMPLE]).over_tcp();
    let Outcome::Transfer(transfer) = story.send(&request("example.", RType::AXFR, None)).0 else { panic!() };
    let later = EXAMPLE.replace("host.example. 5", "host.example. 6");
    story.catalog.publish(story::build(&later).unwrap().0);
    assert_eq!(transfer.zone().serial(), 5);
}
