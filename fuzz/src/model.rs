//! Answers beside those of the model in the tests of nss-authority, which looks through all records for every question.

#[path = "../../authority/tests/model/answer.rs"]
mod answer;
#[path = "../../authority/tests/model/reply.rs"]
mod reply;
#[path = "../../authority/tests/model/zone.rs"]
#[allow(dead_code, reason = "the tests of nss-authority also make zones by chance")]
mod zone;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use nss_authority::{Catalog, HashSeed, Outcome, Peer, Policy, Transport};
use nss_wire::message::{EdnsFlags, MESSAGE_SIZE_MAX, Opcode, Reader};
use nss_wire::{Class, NameBuf, RType};
use reply::{Manner, Reply};
use zone::{Data, Name, Record, Zone};

/// The question of a request is answered as the model has it, whatever else stands in the request.
pub(crate) fn agrees(request: &[u8]) {
    let Some(Question { qname, qtype, edns }) = question(request) else { return };
    let (zones, catalog) = world();
    for transport in [Transport::Udp, Transport::Tcp] {
        let manner = Manner { transport, edns };
        let request = manner.request(&qname, qtype);
        let peer = Peer { transport, address: IpAddr::from([192, 0, 2, 53]) };
        let policy = Policy { udp_payload_size_max: 4096, ..Policy::default() };
        let mut out = vec![0; MESSAGE_SIZE_MAX];
        let outcome = catalog.view().respond(&request, &peer, &policy, &mut out);
        let Outcome::Reply(answered) = outcome else { panic!("{qname} {qtype} {manner:?}: {outcome:?}") };
        let expected = answer::respond(zones, &qname, qtype, edns.is_some_and(|(_, is_do)| is_do));
        let reply = Reply::read(&out[..answered.len], answered.rcode);
        let what_is_wrong = reply.differs_from(&expected, &qname, &manner);
        assert!(
            what_is_wrong.is_none(),
            "{what_is_wrong:?} of {qname} {qtype} {manner:?}: {expected:?}, found {reply:?}"
        );
    }
}

struct Question {
    qname: Name,
    qtype: RType,
    /// As [`Manner`] has it.
    edns: Option<(u16, bool)>,
}

/// What is asked, if the model knows such questions: of class IN, for data, about a name of plain letters.
fn question(request: &[u8]) -> Option<Question> {
    let reader = Reader::new(request).ok()?;
    let (opcode, edns) = (reader.header().flags.opcode(), reader.edns().ok()?);
    let mut reader = Reader::new(request).ok()?;
    let question = reader.question().ok()??;
    let (qname, qtype) = (question.qname.to_buf(), question.qtype);
    let is_plain = qname.as_name().labels().flatten().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'*');
    // Neither data nor ANY (RFC 6895 §3.1).
    let is_meta = qtype.0 == 0 || qtype == RType::OPT || (128..=254).contains(&qtype.0);
    if opcode != Opcode::QUERY || question.qclass != Class::IN || !is_plain || is_meta {
        return None;
    }
    let edns = edns.map(|edns| (edns.udp_payload_size.clamp(512, 4096), edns.flags.contains(EdnsFlags::DO)));
    Some(Question { qname: Name::new(&qname.to_string()), qtype, edns })
}

/// A parent, its child, and a zone with signatures, as the model and as the library have them.
fn world() -> &'static (Vec<Zone>, Arc<Catalog>) {
    static WORLD: OnceLock<(Vec<Zone>, Arc<Catalog>)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let zones = vec![
            zone("example.", &parent()),
            zone("sub.example.", &[("*", Data::A(3)), ("*.*.star", Data::A(4))]),
            zone("signed.example.", &signed()),
        ];
        let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
        for zone in &zones {
            let apex: NameBuf = zone.apex.to_string().parse().expect("a name");
            let mut builder = catalog.zone_builder(apex.as_name(), Class::IN);
            for Record { owner, ttl, data } in &zone.records {
                let owner: NameBuf = owner.to_string().parse().expect("a name");
                let (rtype, rdata) = (data.rtype(), data.wire());
                builder.add(
                    nss_wire::Record { owner: owner.as_name(), rtype, class: Class::IN, ttl: *ttl, rdata: &rdata },
                    0,
                );
            }
            catalog.publish(builder.build().expect("a zone").0);
        }
        (zones, catalog)
    })
}

/// Every kind of node; names are in the zone unless they end in a dot.
fn parent() -> Vec<(&'static str, Data)> {
    let to = |name: &str| Name::new(&format!("{name}.example."));
    let mut records = vec![
        ("", Data::Mx(10, to("ns"))),
        ("ns", Data::A(1)),
        ("ns", Data::Aaaa(1)),
        ("*.w", Data::Txt(20)),
        ("*.w", Data::Srv(1, to("ns"))),
        ("*.c", Data::Cname(to("x.w"))),
        ("a", Data::Cname(to("b"))),
        ("b", Data::Cname(to("a"))),
        ("d", Data::Dname(to("w"))),
        ("e", Data::Dname(to("e.e"))),
        ("out", Data::Cname(Name::new("www.test."))),
        ("s", Data::Cname(to("ns.sub"))),
        ("sub", Data::Ns(to("ns.sub"))),
        ("sub", Data::Ds(1)),
        ("ns.sub", Data::A(2)),
        ("x.sub", Data::Txt(9)),
        ("far", Data::Ns(to("ns.far"))),
        ("far", Data::Ns(to("ns.sub"))),
        ("deep.er.ent", Data::A(5)),
        ("https", Data::Service(RType::HTTPS, 1, to("ns"))),
        ("naptr", Data::Naptr("s", to("x.w"))),
    ];
    records.extend((0..60).map(|n| ("ns.far", Data::A(n))));
    records.extend((0..40).map(|n| ("many", Data::Aaaa(n))));
    records
}

fn signed() -> Vec<(&'static str, Data)> {
    vec![
        ("", Data::Dnskey),
        ("", Data::Rrsig(RType::SOA, 1)),
        ("", Data::Rrsig(RType::NS, 1)),
        ("www", Data::A(1)),
        ("www", Data::Rrsig(RType::A, 1)),
        ("*.w", Data::Txt(9)),
        ("*.w", Data::Rrsig(RType::TXT, 1)),
        ("alias", Data::Cname(Name::new("www.signed.example."))),
        ("alias", Data::Rrsig(RType::CNAME, 1)),
        ("orphan", Data::Rrsig(RType::A, 1)),
    ]
}

/// A zone with SOA and NS records and these.
fn zone(apex: &str, records: &[(&str, Data)]) -> Zone {
    let apex = Name::new(apex);
    let soa = Data::Soa { minimum: 60, server: apex.child("ns"), mailbox: apex.child("host") };
    let own = [("", soa), ("", Data::Ns(apex.child("ns")))];
    let record = |(owner, data): &(&str, Data)| {
        let owner =
            Name(owner.split('.').filter(|label| !label.is_empty()).map(str::to_owned).chain(apex.0.clone()).collect());
        Record { owner, ttl: 300, data: data.clone() }
    };
    Zone { records: own.iter().chain(records).map(record).collect(), apex }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_type_is_answered_as_the_model_has_it() {
        let (zones, _) = world();
        let mut owners: Vec<Name> = Vec::new();
        for record in zones.iter().flat_map(|zone| &zone.records) {
            if !owners.contains(&record.owner) {
                owners.push(record.owner.clone());
            }
        }
        let mut count = 0;
        for name in owners.into_iter().flat_map(|owner| [owner.child("x"), owner.child("*"), owner]) {
            for qtype in [1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 39, 43, 46, 48, 65, 255, 999] {
                let edns = [None, Some((512, false)), Some((1232, true))][count % 3];
                let request = Manner { transport: Transport::Udp, edns }.request(&name, RType(qtype));
                assert!(question(&request).is_some());
                agrees(&request);
                count += 1;
            }
        }
        assert!(count > 1000, "{count}");
    }

    #[test]
    fn requests_that_the_model_does_not_know_are_passed_over() {
        let manner = Manner { transport: Transport::Udp, edns: None };
        let with = |qtype| manner.request(&Name::new("www.example."), RType(qtype));
        assert!(question(&with(1)).is_some());
        assert!(question(&with(252)).is_none(), "AXFR");
        let mut notify = with(6);
        notify[2] = 4 << 3;
        assert!(question(&notify).is_none());
        assert!(question(&with(1)[..20]).is_none());
    }
}
