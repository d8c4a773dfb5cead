//! How fast zone text is read, records built and nothing kept; a scan for line ends is the machine's yardstick.

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nss_zonefile::{Options, Reader};

/// Delegations as a registry writes them: absolute names, two or three name servers, some glue.
fn delegations(count: u32) -> String {
    let mut text = String::from("$TTL 86400\nexample. IN SOA a.nic.example. hostmaster.nic.example. 1 2 3 4 5\n");
    for i in 0..count {
        // Odd factor, so that neighbours have little in common.
        let label = i.wrapping_mul(2_654_435_769);
        writeln!(text, "d{label:08x}.example.\t3600\tIN\tNS\tns1.host{:03}.example.", i % 997).unwrap();
        writeln!(text, "d{label:08x}.example.\t3600\tIN\tNS\tns2.d{label:08x}.example.").unwrap();
        writeln!(text, "ns2.d{label:08x}.example.\t3600\tIN\tA\t192.0.2.{}", i % 256).unwrap();
    }
    text
}

/// What people write by hand: relative names, blank owners, comments, texts.
fn hosts(count: u32) -> String {
    let mut text = String::from("$ORIGIN example.\n$TTL 1h\n@ SOA ns hostmaster ( 1 1d 2h 4w 1h )\n");
    for i in 0..count {
        writeln!(text, "host{i:06}      IN  A     192.0.2.{} ; rack {}", i % 256, i % 41).unwrap();
        writeln!(text, "                    AAAA  2001:db8::{:x}", i % 65_536).unwrap();
        writeln!(text, "                    MX    10 mail{}", i % 7).unwrap();
        writeln!(text, "                    TXT   \"v=spf1 mx -all\" \"id={i}\"").unwrap();
    }
    text
}

/// Signed delegations: DS, RRSIG and NSEC3.
fn signed(count: u32) -> String {
    let mut text = String::from("$TTL 3600\n");
    let signature = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYg==";
    for i in 0..count {
        let digest = format!("{i:08x}").repeat(8);
        writeln!(text, "d{i:08x}.example. 3600 IN DS {} 13 2 {digest}", i % 65_536).unwrap();
        writeln!(
            text,
            "d{i:08x}.example. 3600 IN RRSIG DS 13 2 3600 20260131000000 20260101000000 {} example. {signature}",
            i % 65_536
        )
        .unwrap();
        writeln!(text, "{i:032}.example. 3600 IN NSEC3 1 1 0 - {:032} NS DS RRSIG", i + 1).unwrap();
    }
    text
}

fn read(text: &[u8]) -> usize {
    let mut reader = Reader::new(text, &Options::default());
    let mut octets = 0;
    while let Some(entry) = reader.next() {
        octets += black_box(entry.expect("the text is right").record).rdata.len();
    }
    octets
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    for (name, text) in [("delegations", delegations(20_000)), ("hosts", hosts(20_000)), ("signed", signed(10_000))] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::new("records", name), text.as_bytes(), |bencher, text| {
            bencher.iter(|| read(text));
        });
        group.bench_with_input(BenchmarkId::new("line ends", name), text.as_bytes(), |bencher, text| {
            bencher.iter(|| memchr::memchr_iter(b'\n', text).count());
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
