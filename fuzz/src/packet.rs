//! Requests to a name server with several zones.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{DNSClass, Record, RecordType};
use nss_authority::transfer::Wanted;
use nss_authority::{
    Catalog, CookieSecrets, HashSeed, Messages, Outcome, Peer, Policy, Reply, Transfer, Transport, View,
};
use nss_wire::message::{Flags, HEADER_SIZE, Header, MESSAGE_SIZE_MAX, Reader};
use nss_wire::{Class, NameBuf};

use crate::model;

/// Any request gets one answer that can be read, of allowed size, or none; a transfer comes to its end; a question is
/// answered as the model has it.
pub fn packet(request: &[u8]) {
    model::agrees(request);
    for policy in policies() {
        let udp = ask(request, Transport::Udp, policy);
        let tcp = ask(request, Transport::Tcp, policy);
        let tls = ask(request, Transport::Tls, policy);
        let is_request = request.len() >= HEADER_SIZE && request[2] & 0x80 == 0;
        let are_answered = [&udp, &tcp, &tls].map(Option::is_some);
        assert_eq!(are_answered, [is_request; 3], "requests are answered, and nothing else");
        if let (Some(Answered::Reply(tcp)), Some(Answered::Reply(tls))) = (&tcp, &tls) {
            assert_eq!((&tcp.answers, &tcp.authorities), (&tls.answers, &tls.authorities), "streams say the same");
        }
        if let (Some(Answered::Reply(udp)), Some(Answered::Reply(tcp))) = (udp, tcp) {
            assert_eq!(udp.metadata.response_code, tcp.metadata.response_code);
            if !udp.metadata.truncation {
                assert_eq!((udp.answers, udp.authorities), (tcp.answers, tcp.authorities), "UDP has all that TCP has");
            }
        }
    }
}

enum Answered {
    Reply(Message),
    Transfer,
}

fn ask(request: &[u8], transport: Transport, policy: &Policy) -> Option<Answered> {
    let peer = Peer { transport, address: IpAddr::from([192, 0, 2, 53]) };
    let mut out = vec![0; MESSAGE_SIZE_MAX];
    let mut view = catalog().view();
    let first = match view.respond(request, &peer, policy, &mut out) {
        Outcome::Reply(reply) => out[..reply.len].to_vec(),
        Outcome::Silent | Outcome::Transfer(_) => Vec::new(),
    };
    // The second answer is the same, or has its addresses in another order.
    match view.respond(request, &peer, policy, &mut out) {
        Outcome::Silent => None,
        Outcome::Reply(reply) => {
            let size_max = match transport {
                Transport::Udp => udp_size_max(request, policy),
                Transport::Tcp | Transport::Tls => MESSAGE_SIZE_MAX,
            };
            let (mut first, mut second) = (first, out[..reply.len].to_vec());
            if policy.rotate {
                first.sort_unstable();
                second.sort_unstable();
            }
            assert!(first == second, "an answer depends on what was asked before");
            if reply.is_for_everybody {
                assert!(second[2..] == answer_to_somebody_else(&mut view, request, transport, policy));
            }
            assert!(reply.len <= size_max, "an answer of {} octets, {size_max} are allowed", reply.len);
            Some(Answered::Reply(check_reply(request, &out[..reply.len], &reply, transport)))
        }
        Outcome::Transfer(transfer) => {
            assert_ne!(transport, Transport::Udp, "zones are transferred over streams");
            check_transfer(request, transfer);
            let Outcome::Reply(reply) = view.refuse_transfer(request, &peer, policy, &mut out) else {
                panic!("a request for a transfer gets no answer")
            };
            let refusal = check_reply(request, &out[..reply.len], &reply, transport);
            assert_eq!(refusal.metadata.response_code, ResponseCode::Refused);
            Some(Answered::Transfer)
        }
    }
}

/// The answer, behind its ID, to the same request with another ID from another address.
fn answer_to_somebody_else(view: &mut View, request: &[u8], transport: Transport, policy: &Policy) -> Vec<u8> {
    let peer = Peer { transport, address: IpAddr::from([198, 51, 100, 1]) };
    let mut request = request.to_vec();
    request[..2].iter_mut().for_each(|octet| *octet ^= 0xa5);
    let mut out = vec![0; MESSAGE_SIZE_MAX];
    match view.respond(&request, &peer, policy, &mut out) {
        Outcome::Reply(reply) => out[2..reply.len].to_vec(),
        Outcome::Silent | Outcome::Transfer(_) => panic!("an answer for everybody is one for somebody else"),
    }
}

/// What the asker can take (RFC 6891 §6.2.3); who breaks the rules of EDNS gets what everybody can take, or less than
/// the server's own limit.
fn udp_size_max(request: &[u8], policy: &Policy) -> usize {
    match Reader::new(request).map(Reader::edns) {
        Ok(Ok(Some(edns))) => edns.udp_payload_size.min(policy.udp_payload_size_max).max(512).into(),
        Ok(Ok(None)) => 512,
        _ => policy.udp_payload_size_max.max(512).into(),
    }
}

fn check_reply(request: &[u8], answer: &[u8], reply: &Reply, transport: Transport) -> Message {
    let asked = Header::read(request).expect("only requests are answered");
    let header = Header::read(answer).expect("an answer has a header");
    assert!(header.flags.contains(Flags::QR) && header.id == asked.id);
    assert_eq!(header.flags.opcode(), asked.flags.opcode());
    assert_eq!(header.flags.contains(Flags::RD), asked.flags.contains(Flags::RD));
    assert_eq!(header.flags.0 & 0x00f0, 0, "no recursion, nothing validated (RFC 1035 §4.1.1, RFC 4035 §3.1.6)");
    assert_eq!(header.flags.contains(Flags::TC), reply.is_truncated);
    assert!(transport == Transport::Udp || !reply.is_truncated, "these zones' answers fit into a message");
    let message = Message::from_vec(answer).expect("hickory-proto reads the answer");
    assert_eq!(u16::from(message.metadata.response_code), reply.rcode.0);
    if let Ok(Ok(edns)) = Reader::new(request).map(Reader::edns) {
        assert_eq!(edns.is_some(), message.edns.is_some(), "OPT answers OPT (RFC 6891 §6.1.1)");
    }
    for record in &message.answers {
        let owner = record.name.to_string().to_ascii_lowercase();
        if record.dns_class == DNSClass::CH {
            assert!(["id.server.", "hostname.bind.", "version.server.", "version.bind."].contains(&owner.as_str()));
            continue;
        }
        assert!(ZONES.iter().any(|(apex, _)| owner.ends_with(apex)), "{owner} is in no zone of ours");
    }
    message
}

/// All messages, which start and end with the SOA record and have every other record between (RFC 5936 §2.2).
fn check_transfer(request: &[u8], transfer: Transfer) {
    let mut out = vec![0; MESSAGE_SIZE_MAX];
    let (zone, wanted) = (transfer.zone().clone(), transfer.wanted());
    let mut messages = Messages::new(transfer);
    let (mut records, mut soas) = (0, 0);
    let mut last: Option<Record> = None;
    while let Some(len) = messages.next(&mut out) {
        assert_eq!(out[..2], request[..2]);
        let message = Message::from_vec(&out[..len]).expect("hickory-proto reads the transfer");
        assert!(message.metadata.authoritative && !message.answers.is_empty());
        assert!(records > 0 || message.answers[0].record_type() == RecordType::SOA);
        records += message.answers.len();
        soas += message.answers.iter().filter(|record| record.record_type() == RecordType::SOA).count();
        last = message.answers.last().cloned();
    }
    assert!(last.is_some_and(|last| last.record_type() == RecordType::SOA));
    let is_whole = (records, soas) == (zone.record_count() + 1, 2);
    let is_current = (records, soas) == (1, 1) && matches!(wanted, Wanted::Since(_));
    assert!(is_whole || is_current, "{records} records with {soas} SOA of {}", zone.record_count());
}

/// Without anything that can be left out, and with everything.
fn policies() -> &'static [Policy; 2] {
    static POLICIES: OnceLock<[Policy; 2]> = OnceLock::new();
    POLICIES.get_or_init(|| {
        let full = Policy {
            now: 1_700_000_000,
            udp_payload_size_max: 4096,
            nsid: Some(vec![b'n'; nss_authority::policy::NSID_SIZE_MAX].into()),
            identity: Some(vec![b'i'; nss_authority::policy::TEXT_SIZE_MAX].into()),
            rotate: true,
            version: Some(Box::from(&b"v"[..])),
            cookies: CookieSecrets::new(&[[1; 16], [2; 16]]),
            stream_idle_timeout: Some(u16::MAX),
        };
        [Policy::default(), full]
    })
}

fn catalog() -> &'static Arc<Catalog> {
    static CATALOG: OnceLock<Arc<Catalog>> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
        for (apex, text) in ZONES {
            let apex: NameBuf = apex.parse().expect("a name");
            let mut builder = catalog.zone_builder(apex.as_name(), Class::IN);
            let options = nss_zonefile::Options::for_zone(apex.as_name());
            for (record, position) in nss_zonefile::read(text.as_bytes(), &options).expect("a zone") {
                builder.add(record.as_record(), position.line);
            }
            catalog.publish(builder.build().expect("a zone").0);
        }
        catalog
    })
}

/// A parent with records of every behaviour, its child, a signed zone, and one whose RRsets fill a message. The
/// signatures are made up: they are only carried.
const ZONES: [(&str, &str); 4] = [
    (
        "example.",
        "$TTL 300
@ SOA ns host 1 2 3 4 5
@ NS ns
@ MX 10 ns
ns A 192.0.2.1
*.w TXT any
a CNAME b
b CNAME a
c CNAME c1
c1 CNAME c2
c2 CNAME x.w
d DNAME w
s CNAME ns.sub
sub NS ns.sub
sub DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
ns.sub A 192.0.2.2
far NS ns1.far
far NS ns2.far
$GENERATE 1-60 ns1.far A 192.0.2.$
$GENERATE 1-60 ns2.far AAAA 2001:db8::$
e.m.p.ty A 192.0.2.3
",
    ),
    ("sub.example.", "$TTL 300\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.2\n*.*.star A 192.0.2.3\n"),
    (
        "signed.example.",
        "$TTL 300
@ SOA ns host 4294967295 2 3 4 5
@ RRSIG SOA 13 2 300 20300101000000 20200101000000 1 @ AAAA
@ NS ns
@ RRSIG NS 13 2 300 20300101000000 20200101000000 1 @ AAAA
@ DNSKEY 257 3 13 AAAA
@ RRSIG DNSKEY 13 2 300 20300101000000 20200101000000 1 @ AAAA
@ NSEC ns NS SOA RRSIG NSEC DNSKEY
@ RRSIG NSEC 13 2 300 20300101000000 20200101000000 1 @ AAAA
@ NSEC3PARAM 1 0 0 -
ns A 192.0.2.1
ns RRSIG A 13 3 300 20300101000000 20200101000000 1 @ AAAA
ns NSEC *.w A RRSIG NSEC
*.w TXT any
*.w RRSIG TXT 13 3 300 20300101000000 20200101000000 1 @ AAAA
alias CNAME ns
alias RRSIG CNAME 13 3 300 20300101000000 20200101000000 1 @ AAAA
orphan RRSIG A 13 3 300 20300101000000 20200101000000 1 @ AAAA
0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM NSEC3 1 1 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS SOA RRSIG
",
    ),
    (
        "large.example.",
        "$TTL 300
@ SOA ns host 1 2 3 4 5
@ NS ns
ns A 192.0.2.1
$GENERATE 1-2200 many AAAA 2001:db8::$
$GENERATE 1-1000 text TXT 0123456789012345678901234567890123456789$
$GENERATE 1-300 mx MX $ a-name-that-is-not-all-that-short.mail$.large
",
    ),
];
