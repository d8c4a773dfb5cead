//! The bodies of the fuzz targets: each takes any octets and asserts what must hold for all of them.
#![forbid(unsafe_code)]

use std::sync::Arc;

use hickory_proto::op::Message;
use nss_authority::{Catalog, HashSeed, Outcome, Peer, Policy, Transport};
use nss_wire::message::Reader;
use nss_wire::{Name, NameBuf};

/// The zone that [`packet`] asks for, with a wildcard, a cut, a CNAME loop and a DNAME record.
const ZONE: &str = "$ORIGIN example.\n$TTL 300\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n*.w TXT any\n\
    sub NS ns.sub\nns.sub A 192.0.2.2\na CNAME b\nb CNAME a\nd DNAME w\n";

/// Any request gets an answer that can be read, of allowed size, or none.
pub fn packet(request: &[u8]) {
    let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
    let apex: NameBuf = "example.".parse().expect("a name");
    let mut builder = catalog.zone_builder(apex.as_name(), nss_wire::Class::IN);
    let options = nss_zonefile::Options::for_zone(apex.as_name());
    for (record, position) in nss_zonefile::read(ZONE.as_bytes(), &options).expect("a zone") {
        builder.add(record.as_record(), position.line);
    }
    catalog.publish(Arc::new(builder.build().expect("a zone").0));
    let mut view = catalog.view();
    for (transport, size_max) in [(Transport::Udp, 1232), (Transport::Tcp, 65_535)] {
        let peer = Peer { transport, address: [192, 0, 2, 53].into() };
        let mut answer = vec![0; 65_535];
        let Outcome::Reply(reply) = view.respond(request, &peer, &Policy::default(), &mut answer) else { continue };
        let answer = &answer[..reply.len];
        assert!(answer.len() <= size_max, "an answer of {} octets", answer.len());
        assert!(request[2] & 0x80 == 0 && answer[2] & 0x80 != 0, "only requests are answered, and only with answers");
        assert_eq!(answer[..2], request[..2]);
        Message::from_vec(answer).expect("hickory-proto reads the answer");
    }
}

/// Any text gives records that can be written and read again, and errors within limits.
pub fn zone_text(text: &[u8]) {
    let apex: NameBuf = "example.".parse().expect("a name");
    let options = nss_zonefile::Options::for_zone(apex.as_name());
    let Ok(records) = nss_zonefile::read(text, &options) else { return };
    let mut written = String::new();
    for (record, _) in &records {
        written += &format!("{record}\n");
    }
    let again = nss_zonefile::read(written.as_bytes(), &options).expect("what was written can be read");
    assert!(records.iter().map(|(record, _)| record).eq(again.iter().map(|(record, _)| record)));
}

/// Any wire form that is a name is the same name after it was text.
pub fn name(octets: &[u8]) {
    let Ok((name, rest)) = Name::from_wire(octets) else { return };
    assert_eq!(name.wire_len() + rest.len(), octets.len());
    let text = name.to_string();
    let again: NameBuf = text.parse().expect("a name that was written can be read");
    assert_eq!(again.as_name().as_wire(), name.as_wire());
    assert!(again.as_name().cmp(&name).is_eq());
}

/// Any octets can be walked over; what can be read does not depend on the way.
pub fn message(octets: &[u8]) {
    let Ok(mut reader) = Reader::new(octets) else { return };
    let _ = reader.clone().edns();
    let mut rdata = Vec::new();
    while let Ok(Some(record)) = reader.record() {
        rdata.clear();
        if record.rdata(&mut rdata).is_ok() {
            nss_wire::rdata::check(record.rtype, &rdata).expect("what was read is well-formed");
        }
    }
}

/// A target's name and body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets by name.
pub const TARGETS: [Target; 4] = [("message", message), ("name", name), ("packet", packet), ("zone_text", zone_text)];
