//! The library's answers held against a model that looks through all records for every question.

mod answer;
mod reply;
mod zone;

use std::fmt;
use std::sync::Arc;

use answer::Expected;
use nss_authority::{Catalog, HashSeed, Outcome, Peer, Policy, Transport, ZoneBuilder};
use nss_wire::name::NAME_SIZE_MAX;
use nss_wire::{Class, NameBuf, RType};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use reply::{Manner, Reply};
use zone::{Data, Name, Record, Zone};

/// Names that zones are made for: above each other, beside each other, and the root.
const APEXES: &[&str] = &[".", "example.", "a.example.", "b.a.example.", "*.example."];
/// Few, so that names collide; one in two letter cases, and one so long that DNAME leads beyond the longest names.
const LABELS: &[&str] = &["a", "A", "b", "*", "ns", LONG];
const LONG: &str = "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll";
const QTYPES: &[RType] = &[
    RType::A,
    RType::A,
    RType::AAAA,
    RType::NS,
    RType::CNAME,
    RType::DNAME,
    RType::MX,
    RType::SRV,
    RType::HTTPS,
    RType::SVCB,
    RType::NAPTR,
    RType::TXT,
    RType::DS,
    RType::SOA,
    RType::DNSKEY,
    RType::RRSIG,
    RType::ANY,
    RType(65280),
];

const MANNERS: &[Manner] = &[
    Manner { transport: Transport::Udp, edns: None },
    Manner { transport: Transport::Udp, edns: Some((512, false)) },
    Manner { transport: Transport::Udp, edns: Some((700, true)) },
    Manner { transport: Transport::Udp, edns: Some((1232, true)) },
    Manner { transport: Transport::Udp, edns: Some((4096, false)) },
    Manner { transport: Transport::Tcp, edns: None },
    Manner { transport: Transport::Tcp, edns: Some((512, true)) },
];

fn labels(most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(select(LABELS).prop_map(str::to_owned), 0..=most)
}

/// A name in the zone mostly; `Err` is outside of it or in another zone.
type Target = Result<Vec<String>, Name>;

fn target() -> impl Strategy<Value = Target> {
    const OUT: &[&str] = &["out.test.", "a.example.", "b.a.example.", "ns.b.a.example.", "."];
    prop_oneof![6 => labels(2).prop_map(Ok), 1 => select(OUT).prop_map(|text| Err(Name::new(text)))]
}

/// One of the names in a SOA record: mostly just below the apex, where questions are asked, too.
fn soa_name() -> impl Strategy<Value = Name> {
    const NAMES: &[&[&str]] =
        &[&["ns"], &["NS"], &["host"], &["a"], &["ns", "b"], &[], &["ns", "out", "test", OUTSIDE]];
    select(NAMES).prop_map(|labels| Name(labels.iter().map(|label| (*label).to_owned()).collect()))
}

/// Records that the zones get as far as they have a place for them.
fn records() -> impl Strategy<Value = (Vec<String>, u32, Vec<u8>, Target, usize)> {
    let ttl = select(&[3600, 3600, 3600, 60][..]);
    let numbers = prop_oneof![8 => (0..4_u8).prop_map(|n| vec![n]), 1 => Just((0..25).collect())];
    (labels(2), ttl, numbers, target(), 0..=GLUED)
}

/// The kind of wish for a delegation with more glue than has room in small datagrams.
const GLUED: usize = 18;
const GLUE_COUNT: u8 = 40;

fn data(kind: usize, n: u8, target: Name) -> Data {
    match kind {
        0..=2 => Data::A(n),
        3 => Data::Aaaa(n),
        4..=6 => Data::Ns(target),
        7..=8 => Data::Cname(target),
        9 => Data::Dname(if n == 0 { [LONG; 3].iter().fold(target, |name, label| name.child(label)) } else { target }),
        10 => Data::Mx(n, target),
        11 => Data::Srv(n, target),
        12 => Data::Service([RType::HTTPS, RType::SVCB][usize::from(n) % 2], n / 2, target),
        13 => Data::Naptr(["a", "s", ""][usize::from(n) % 3], target),
        14 => Data::Txt(n % 4 * 80),
        15 => Data::Ds(n),
        16 => Data::Rrsig(QTYPES[usize::from(n) % 7], n % 4),
        _ => Data::Rrsig([RType::NS, RType::SOA, RType::CNAME, RType::A][usize::from(n) % 4], 1),
    }
}

fn zone() -> impl Strategy<Value = Zone> {
    let soa = (select(&[60, 3600][..]), select(&[30, 300, 7200][..]), any::<bool>(), soa_name(), soa_name());
    (Just(Name::new("")), soa, prop::collection::vec(records(), 0..16)).prop_map(|(apex, soa, wishes)| {
        let (ttl, minimum, is_signed, server, mailbox) = soa;
        let record = |data| Record { owner: apex.clone(), ttl, data };
        let mut zone = Zone {
            apex: apex.clone(),
            records: vec![record(Data::Soa { minimum, server, mailbox }), record(Data::Ns(Name::new("ns.out.test.")))],
        };
        if is_signed {
            zone.records.extend([record(Data::Dnskey), record(Data::Rrsig(RType::SOA, 1))]);
        }
        for (owner, ttl, numbers, target, kind) in wishes {
            // Names are below the root until the zone is put where it belongs.
            let target = target.map_or_else(|outside| outside.child(OUTSIDE), Name);
            if kind == GLUED {
                let owner = Name(owner);
                let server = owner.child("ns");
                let glue = (0..GLUE_COUNT).map(|n| Record { owner: server.clone(), ttl, data: Data::A(n) });
                zone.records.push(Record { owner, ttl, data: Data::Ns(server.clone()) });
                zone.records.extend(glue);
                continue;
            }
            for n in numbers {
                zone.records.push(Record { owner: Name(owner.clone()), ttl, data: data(kind, n, target.clone()) });
            }
        }
        zone
    })
}

/// Marks a name that stays where it is when its zone moves.
const OUTSIDE: &str = "outside";

/// A catalog: up to four zones.
fn world() -> impl Strategy<Value = Vec<Zone>> {
    let zones = prop::collection::vec(zone(), APEXES.len());
    (subsequence(APEXES, 1..=4), zones).prop_map(|(apexes, zones)| {
        apexes.into_iter().zip(zones).map(|(apex, zone)| placed(&Name::new(apex), zone)).collect()
    })
}

/// The zone at another apex, of the records that it has a place for.
fn placed(apex: &Name, zone: Zone) -> Zone {
    let below = |name: &Name| match name.0.iter().position(|label| label == OUTSIDE) {
        Some(at) => Name([&name.0[..at], &name.0[at + 1..]].concat()),
        None => Name([&name.0[..], &apex.0].concat()),
    };
    let mut placed = Zone { apex: apex.clone(), records: Vec::new() };
    for (i, Record { owner, ttl, data }) in zone.records.into_iter().enumerate() {
        let data = match data {
            // The first name server of the apex is the one record whose target is given in full.
            Data::Ns(target) if i == 1 => Data::Ns(target),
            Data::Ns(target) => Data::Ns(below(&target)),
            Data::Soa { minimum, server, mailbox } => {
                Data::Soa { minimum, server: below(&server), mailbox: below(&mailbox) }
            }
            Data::Cname(target) => Data::Cname(below(&target)),
            Data::Dname(target) => Data::Dname(below(&target)),
            Data::Mx(n, target) => Data::Mx(n, below(&target)),
            Data::Srv(n, target) => Data::Srv(n, below(&target)),
            Data::Service(rtype, n, target) => Data::Service(rtype, n, below(&target)),
            Data::Naptr(flag, target) => Data::Naptr(flag, below(&target)),
            other => other,
        };
        let record = Record { owner: below(&owner), ttl, data };
        let is_name_too_long = matches!(record.data, Data::Dname(_)) && record.data.wire().len() > NAME_SIZE_MAX;
        if !is_name_too_long && placed.has_place_for(&record) {
            placed.records.push(record);
        }
    }
    placed
}

/// A question: labels before a name that the zones mention, and a type.
#[derive(Clone)]
struct Asked {
    labels: Vec<String>,
    name: Index,
    up: usize,
    qtype: RType,
}

fn asked() -> impl Strategy<Value = Asked> {
    (labels(2), any::<Index>(), 0..2_usize, select(QTYPES)).prop_map(|(labels, name, up, qtype)| Asked {
        labels,
        name,
        up,
        qtype,
    })
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {} {}", self.labels.join("."), self.name, self.up, self.qtype)
    }
}

impl Asked {
    fn qname(&self, zones: &[Zone]) -> Name {
        let target = |data: &Data| match data {
            Data::Ns(name) | Data::Cname(name) | Data::Dname(name) | Data::Mx(_, name) => Some(name.clone()),
            _ => None,
        };
        let records = || zones.iter().flat_map(|zone| &zone.records);
        let names = records().map(|record| record.owner.clone());
        let names: Vec<Name> = names.chain(records().filter_map(|record| target(&record.data))).collect();
        let mut name = self.name.get(&names).clone();
        if self.up == 1 && !name.0.is_empty() {
            name = name.parent();
        }
        let name = Name([&self.labels[..], &name.0].concat());
        if name.wire().len() > NAME_SIZE_MAX { self.name.get(&names).clone() } else { name }
    }
}

fn publish(zones: &[Zone]) -> Arc<Catalog> {
    let catalog = Arc::new(Catalog::new(HashSeed::new(0x5eed)));
    for (i, zone) in zones.iter().enumerate() {
        let apex: NameBuf = zone.apex.to_string().parse().unwrap();
        // One zone has a seed of its own, as zones have that were not built for this catalog.
        let builder = ZoneBuilder::new(apex.as_name(), Class::IN);
        let mut builder = if i == 1 { builder } else { builder.with_seed(catalog.seed()) };
        for record in &zone.records {
            let owner: NameBuf = record.owner.to_string().parse().unwrap();
            let (rtype, rdata) = (record.data.rtype(), record.data.wire());
            let (class, ttl) = (Class::IN, record.ttl);
            builder.add(nss_wire::Record { owner: owner.as_name(), rtype, class, ttl, rdata: &rdata }, 0);
        }
        let (zone, _) = builder.build().unwrap_or_else(|findings| panic!("{}", findings[0]));
        catalog.publish(zone);
    }
    catalog
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_the_one_that_a_linear_scan_finds(
        zones in world(),
        questions in prop::collection::vec(asked(), 1..32),
    ) {
        let catalog = publish(&zones);
        // Zones of another seed are answered from by the general way alone.
        let general = Arc::new(Catalog::new(HashSeed::new(1)));
        catalog.zones().for_each(|zone| drop(general.publish(zone)));
        let (mut view, mut general) = (catalog.view(), general.view());
        let mut general_out = vec![0; 65535];
        let policy = Policy { udp_payload_size_max: 4096, ..Policy::default() };
        let mut out = vec![0; 65535];
        for (question, manner) in questions.iter().flat_map(|question| MANNERS.iter().map(move |m| (question, m))) {
            let (qname, qtype) = (question.qname(&zones), question.qtype);
            let wants_signatures = manner.edns.is_some_and(|(_, is_do)| is_do);
            let expected: Expected = answer::respond(&zones, &qname, qtype, wants_signatures);
            let peer = Peer { transport: manner.transport, address: [192, 0, 2, 53].into() };
            let request = manner.request(&qname, qtype);
            let outcome = view.respond(&request, &peer, &policy, &mut out);
            let Outcome::Reply(reply) = outcome else { panic!("{outcome:?}") };
            let Outcome::Reply(other) = general.respond(&request, &peer, &policy, &mut general_out) else { panic!() };
            // Only the short way says of a reply that everybody gets it.
            let other = nss_authority::Reply { is_for_everybody: reply.is_for_everybody, ..other };
            prop_assert_eq!(
                (reply, &out[..reply.len]), (other, &general_out[..other.len]), "{} {} {:?}", qname, qtype, manner
            );
            let reply = Reply::read(&out[..reply.len], reply.rcode);
            let what_is_wrong = reply.differs_from(&expected, &qname, manner);
            prop_assert!(
                what_is_wrong.is_none(),
                "{}\n{qname} {qtype} {manner:?}\nexpected {expected:#?}\nfound {reply:#?}\nin {zones:#?}",
                what_is_wrong.unwrap()
            );
        }
    }
}
