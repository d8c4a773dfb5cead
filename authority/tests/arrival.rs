//! Records make the same zone in whatever order they come.

mod story;

use nss_authority::{Finding, HashSeed, Zone, ZoneBuilder};
use nss_wire::{Class, RecordBuf};
use proptest::prelude::*;

/// Zones with names above and below each other, of several types and many records.
const ZONE: &str = "
    example.             SOA   ns.example. host.example. 1 3600 900 604800 300
    example.             NS    ns.example.
    example.             NS    ns.sub.example.
    example.             MX    10 mail.example.
    example.             MX    20 a.wild.example.
    ns.example.      60  A     192.0.2.1
    ns.example.      90  A     192.0.2.2
    ns.example.      60  A     192.0.2.3
    ns.example.          AAAA  2001:db8::1
    *.wild.example.      A     192.0.2.9
    deep.er.and.deep.er.example. TXT hello
    deep.er.and.deep.er.example. TXT hello
    deep.er.and.deep.er.example. 5 TXT hello
    sub.example.         NS    ns.sub.example.
    sub.example.         NS    lame.sub.example.
    sub.example.         TXT   occluded
    ns.sub.example.      A     192.0.2.4
    x.y.sub.example.     TXT   occluded
    moved.example.       DNAME other.example.
    Www.example.         CNAME web.example.
    www.example.         CNAME web.example.
    a.example.       30  MX    10 nowhere.example.
    a.example.       20  MX    20 mail.example.
    a.example.       10  MX    30 mail.example.
    \\001.example.       A     192.0.2.5
    mail.example.        A     192.0.2.6
";

fn build(records: &[(u32, RecordBuf)]) -> Result<(Zone, Vec<Finding>), Vec<Finding>> {
    let apex = "example.".parse::<nss_wire::NameBuf>().unwrap();
    let mut builder = ZoneBuilder::new(apex.as_name(), Class::IN).with_seed(HashSeed::new(7));
    for (line, record) in records {
        builder.add(record.as_record(), *line);
    }
    builder.build()
}

fn all(zone: &Zone) -> Vec<String> {
    zone.records().map(|record| record.to_string().to_lowercase()).collect()
}

proptest! {
    #[test]
    fn the_order_of_arrival_changes_neither_the_zone_nor_what_is_found(
        shuffled in Just(story::records(ZONE)).prop_shuffle(),
    ) {
        let (sorted, findings) = build(&story::records(ZONE)).unwrap();
        let (zone, shuffled_findings) = build(&shuffled).unwrap();
        prop_assert_eq!(all(&zone), all(&sorted));
        let count = (zone.record_count(), zone.name_count());
        prop_assert_eq!(count, (sorted.record_count(), sorted.name_count()));
        let text = |findings: &[Finding]| {
            let mut text: Vec<String> = findings.iter().map(|finding| finding.to_string().to_lowercase()).collect();
            text.sort();
            text
        };
        prop_assert_eq!(text(&shuffled_findings), text(&findings));
        // Every name is found by its hash, wherever its node has gone.
        for record in zone.records() {
            prop_assert!(zone.node_kind(record.owner).is_some(), "{}", record.owner);
        }
    }
}

#[test]
fn records_that_are_scattered_take_no_more_memory_than_others() {
    let mut records = story::records(ZONE);
    for i in 0..500 {
        records.push((100 + i, story::record(&format!("host{i}.example. A 192.0.2.1"))));
        records.push((700 + i, story::record(&format!("host{i}.example. TXT hello"))));
    }
    let (together, _) = build(&records).unwrap();
    let (a, b): (Vec<_>, Vec<_>) = records.into_iter().partition(|(line, _)| *line < 700);
    let (scattered, _) = build(&[a, b].concat()).unwrap();
    assert_eq!(all(&scattered), all(&together));
    assert!(scattered.memory_size() <= together.memory_size());
}

#[test]
fn each_of_many_scattered_rrsets_with_odd_ttls_is_told_once() {
    let apex = "example. SOA ns.other. host.other. 1 3600 900 604800 300\nexample. NS ns.other.";
    let mut records = story::records(apex);
    for (round, ttls) in [[60, 90], [30, 90]].into_iter().enumerate() {
        for i in 0..100 {
            for (n, ttl) in ttls.into_iter().enumerate() {
                let line = format!("host{i}.example. {ttl} A 192.0.2.{}", 2 * round + n);
                records.push((records.len() as u32 + 1, story::record(&line)));
            }
        }
    }
    let (zone, findings) = build(&records).unwrap();
    assert_eq!(findings.len(), 100, "{findings:?}");
    // The first record by its data has 60, and the lowest is 30.
    assert!(findings.iter().enumerate().all(|(i, finding)| finding.line == Some(3 + 2 * i as u32)), "{findings:?}");
    assert!(zone.records().filter(|record| record.rtype == nss_wire::RType::A).all(|record| record.ttl == 30));
}

#[test]
fn a_packed_zone_is_the_same_zone() {
    let large: String = (0..5000).map(|i| format!("h{i}.example. TXT some-text-that-takes-room\n")).collect();
    for text in [ZONE.to_owned(), format!("{ZONE}{large}")] {
        let (zone, packed) = (story::build(&text).unwrap().0, story::build(&text).unwrap().0.packed());
        assert_eq!(all(&zone), all(&packed));
        assert_eq!((zone.memory_size(), zone.serial()), (packed.memory_size(), packed.serial()));
    }
}
