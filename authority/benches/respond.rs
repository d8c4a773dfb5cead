//! How fast a question is answered: each kind of answer from a small zone, hits in a large zone and among many zones.

use std::fmt::Write;
use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nss_authority::{Catalog, HashSeed, Outcome, Peer, Policy, Transport};
use nss_wire::{Class, NameBuf, RType, Record};

const SMALL: &str = "
    ns.example.        A     192.0.2.1
    ns.example.        AAAA  2001:db8::1
    www.example.       A     192.0.2.2
    *.wild.example.    A     192.0.2.3
    sub.example.       NS    ns1.sub.example.
    sub.example.       NS    ns2.sub.example.
    ns1.sub.example.   A     192.0.2.4
    ns2.sub.example.   A     192.0.2.5
    alias.example.     CNAME www.example.
    one.example.       CNAME two.example.
    two.example.       CNAME three.example.
    three.example.     CNAME www.example.
";

const QUESTIONS: &[(&str, &str, RType)] = &[
    ("hit", "www.example.", RType::A),
    ("NODATA", "www.example.", RType::AAAA),
    ("NXDOMAIN", "no.such.name.example.", RType::A),
    ("wildcard", "any.wild.example.", RType::A),
    ("referral", "www.sub.example.", RType::A),
    ("CNAME", "alias.example.", RType::A),
    ("CNAME chain of three", "one.example.", RType::A),
    ("REFUSED", "www.test.", RType::A),
];

/// Names of the large zone, and zones of the large catalog.
const COUNT: u32 = 100_000;
/// Odd, so that neighbours in time are none in memory.
const STRIDE: u32 = 7919;

/// Publishes a zone with SOA and NS records at its apex and those of `text`: owner, type and data in each line.
fn publish(catalog: &Catalog, apex: &str, text: &str) {
    let apex: NameBuf = apex.parse().unwrap();
    let mut builder = catalog.zone_builder(apex.as_name(), Class::IN);
    let mut add = |owner: &NameBuf, rtype, rdata: &[u8]| {
        builder.add(Record { owner: owner.as_name(), rtype, class: Class::IN, ttl: 3600, rdata }, 0);
    };
    add(
        &apex,
        RType::SOA,
        b"\x02ns\x05other\0\x04host\x05other\0\0\0\0\x01\0\0\x0e\x10\0\0\x03\x84\0\x09\x3a\x80\0\0\x01\x2c",
    );
    add(&apex, RType::NS, b"\x02ns\x05other\0");
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let rtype: RType = words[1].parse().unwrap();
        let rdata = match rtype {
            RType::A => words[2].parse::<Ipv4Addr>().unwrap().octets().to_vec(),
            RType::AAAA => words[2].parse::<Ipv6Addr>().unwrap().octets().to_vec(),
            _ => words[2].parse::<NameBuf>().unwrap().as_name().as_wire().to_vec(),
        };
        add(&words[0].parse().unwrap(), rtype, &rdata);
    }
    let (zone, _) = builder.build().unwrap_or_else(|findings| panic!("{}", findings[0]));
    catalog.publish(zone);
}

/// A query as most resolvers send it, with EDNS.
fn query(name: &str, rtype: RType) -> Vec<u8> {
    let name: NameBuf = name.parse().unwrap();
    let header = [0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    [&header[..], name.as_name().as_wire(), &rtype.0.to_be_bytes(), &[0, 1], &opt].concat()
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("respond");
    group.throughput(Throughput::Elements(1));
    let policy = Policy::default();
    let peer = Peer { transport: Transport::Udp, address: [192, 0, 2, 53].into() };
    let mut out = vec![0; 1232];

    let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
    publish(&catalog, "example.", SMALL);
    let mut view = catalog.view();
    for &(kind, name, rtype) in QUESTIONS {
        let request = query(name, rtype);
        group.bench_function(format!("small zone/{kind}"), |bencher| {
            bencher.iter(|| answer_size(&view.respond(black_box(&request), &peer, &policy, &mut out)));
        });
    }

    let mut text = String::new();
    for i in 0..COUNT {
        writeln!(text, "h{i}.large. A 192.0.2.{}", i % 256).unwrap();
    }
    publish(&catalog, "large.", &text);
    let requests: Vec<Vec<u8>> = (0..COUNT).map(|i| query(&format!("h{i}.large."), RType::A)).collect();
    let mut i = 0;
    group.bench_function(format!("zone of {COUNT} names/hit"), |bencher| {
        bencher.iter(|| {
            i = (i + STRIDE) % COUNT;
            answer_size(&view.respond(black_box(&requests[i as usize]), &peer, &policy, &mut out))
        });
    });

    let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
    for i in 0..COUNT {
        publish(&catalog, &format!("z{i}.test."), &format!("www.z{i}.test. A 192.0.2.1"));
    }
    let mut view = catalog.view();
    let requests: Vec<Vec<u8>> = (0..COUNT).map(|i| query(&format!("www.z{i}.test."), RType::A)).collect();
    group.bench_function(format!("{COUNT} zones/hit"), |bencher| {
        bencher.iter(|| {
            i = (i + STRIDE) % COUNT;
            answer_size(&view.respond(black_box(&requests[i as usize]), &peer, &policy, &mut out))
        });
    });
    group.finish();
}

/// What an answer is measured by; there is always one.
fn answer_size(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Reply(reply) => reply.len,
        Outcome::Silent | Outcome::Transfer(_) => panic!("no answer but {outcome:?}"),
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
