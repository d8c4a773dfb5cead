//! What a server does for every packet: read the question, compare and hash names, write the answer.

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nss_wire::message::{Compressor, EdnsFlags, Flags, Owner, Reader, Section, Writer};
use nss_wire::{Class, Name, NameBuf, RType};

fn name(text: &str) -> NameBuf {
    text.parse().expect("a name")
}

fn names(c: &mut Criterion) {
    let (a, b) = (name("www.Department.example.com"), name("WWW.department.example.com"));
    let (a, b) = (a.as_name(), b.as_name());
    let hasher = RandomState::new();
    let mut group = c.benchmark_group("name");
    group.bench_function("from_wire", |bench| bench.iter(|| Name::from_wire(black_box(a.as_wire()))));
    group.bench_function("eq", |bench| bench.iter(|| black_box(a) == black_box(b)));
    group.bench_function("cmp", |bench| bench.iter(|| black_box(a).cmp(&black_box(b))));
    group.bench_function("hash", |bench| bench.iter(|| hasher.hash_one(black_box(a))));
    group.bench_function("to_lowercase", |bench| bench.iter(|| black_box(a).to_lowercase().as_name().wire_len()));
    group.bench_function("is_at_or_below", |bench| {
        let apex = name("example.com");
        bench.iter(|| black_box(a).is_at_or_below(black_box(apex.as_name())));
    });
    group.finish();
}

fn messages(c: &mut Criterion) {
    let qname = name("www.example.com");
    let question = [qname.as_name().as_wire(), &[0, 1, 0, 1]].concat();
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    query.extend(&question);
    query.extend([0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 0]);
    let servers = ["ns1.example.com", "ns2.example.com", "ns3.example.com", "ns4.example.com"].map(name);
    let apex = name("example.com");

    let mut group = c.benchmark_group("message");
    group.throughput(Throughput::Elements(1));
    group.bench_function("read a query", |bench| {
        bench.iter(|| {
            let mut reader = Reader::new(black_box(&query)).expect("a message");
            let question = reader.question().expect("a question");
            (question.map(|question| question.qtype), reader.edns().map(|edns| edns.is_some()))
        });
    });
    let (mut buffer, mut compressor) = ([0; 1232], Compressor::new());
    group.bench_function("write an address", |bench| {
        bench.iter(|| {
            let mut writer = Writer::new(&mut buffer, 1232, &mut compressor).expect("room");
            writer.flags = Flags::QR.with(Flags::AA);
            writer.question_octets(black_box(&question)).expect("room");
            writer
                .record(Section::Answer, Owner::Question, RType::A, Class::IN, 300, black_box(&[192, 0, 2, 1]))
                .expect("room");
            writer.opt(1232, EdnsFlags::DO, &[]).expect("room");
            writer.finish()
        });
    });
    group.bench_function("write a referral", |bench| {
        bench.iter(|| {
            let mut writer = Writer::new(&mut buffer, 1232, &mut compressor).expect("room");
            writer.flags = Flags::QR;
            writer.question_octets(black_box(&question)).expect("room");
            let targets = servers.iter().map(|server| server.as_name().as_wire());
            writer.rrset(Section::Authority, apex.as_name(), RType::NS, Class::IN, 300, targets).expect("room");
            for server in &servers {
                writer
                    .record(Section::Additional, server.as_name(), RType::A, Class::IN, 300, &[192, 0, 2, 1])
                    .expect("room");
            }
            writer.opt(1232, EdnsFlags::DO, &[]).expect("room");
            writer.finish()
        });
    });
    group.finish();
}

criterion_group!(benches, names, messages);
criterion_main!(benches);
