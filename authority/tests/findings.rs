//! What is wrong or odd in a zone: each finding, and beside it the nearest zone without it.

mod story;

use nss_authority::{Finding, FindingKind, Severity, ZoneBuilder};
use nss_wire::{Class, NameBuf, RType, Record};
use story::{build, record};

const HEAD: &str = "
    example. SOA ns.other. host.example. 1 3600 900 604800 300
    example. NS  ns.other.";

/// The findings of a zone with `HEAD` and these records.
fn findings(records: &str) -> Vec<Finding> {
    build(&format!("{HEAD}\n{records}")).map_or_else(|errors| errors, |(_, warnings)| warnings)
}

/// Checks that a zone has this finding alone, in the line that ends with `!`, and that its neighbour has none.
#[track_caller]
fn check(severity: Severity, kind: FindingKind, records: &str, neighbour: &str) {
    let lines = format!("{HEAD}\n{records}");
    let line = lines.lines().position(|line| line.ends_with('!')).map(|i| i as u32 + 1);
    let zone = records.replace('!', "");
    // What else there is to say of a refused zone doesn't matter here.
    let mut found = findings(&zone);
    found.retain(|found| found.severity == severity);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].severity, found[0].kind.clone()), (severity, kind));
    assert_eq!(found[0].line, line, "{}", found[0]);
    assert_eq!(build(&format!("{HEAD}\n{zone}")).is_err(), severity == Severity::Error);
    assert_eq!(findings(neighbour), [], "{neighbour}");
    // Each says what to do, and which text says so.
    let text = found[0].to_string();
    assert!(text.contains(';') || text.contains(": "), "{text}");
    assert!(text.ends_with(&format!("({})", found[0].kind.reference())), "{text}");
}

#[track_caller]
fn refused(kind: FindingKind, records: &str, neighbour: &str) {
    check(Severity::Error, kind, records, neighbour);
}

#[track_caller]
fn warned(kind: FindingKind, records: &str, neighbour: &str) {
    check(Severity::Warning, kind, records, neighbour);
}

fn name(text: &str) -> Box<NameBuf> {
    Box::new(text.parse().unwrap())
}

#[test]
fn a_zone_has_one_soa_record_at_its_apex_and_ns_records() {
    let kinds = |zone: &str| -> Vec<FindingKind> {
        build(zone).map_or_else(|errors| errors, |(_, warnings)| warnings).into_iter().map(|found| found.kind).collect()
    };
    let [soa, ns] = ["example. SOA ns.other. host.other. 1 2 3 4 5\n", "example. NS ns.other.\n"];
    assert_eq!(kinds(ns), [FindingKind::NoSoa]);
    assert_eq!(kinds(soa), [FindingKind::NoNs]);
    assert_eq!(kinds("example. A 192.0.2.1"), [FindingKind::NoSoa, FindingKind::NoNs]);
    assert_eq!(kinds(&[soa, ns].concat()), []);
}

#[test]
fn a_second_soa_record_is_refused_and_one_that_is_the_same_is_a_duplicate() {
    let other = "example. SOA ns.other. host.example. 2 3600 900 604800 300";
    refused(FindingKind::SeveralSoas, &format!("{other}!"), "");
    let same = "example. SOA ns.other. host.example. 1 3600 900 604800 300";
    warned(FindingKind::Duplicate(RType::SOA), &format!("{same}!"), "");
}

#[test]
fn a_soa_record_below_the_apex_is_refused() {
    refused(FindingKind::SoaBelowApex, "a.example. SOA ns.other. host.other. 1 2 3 4 5!", "a.example. NS ns.other.");
}

#[test]
fn a_name_outside_the_zone_is_refused() {
    let outside = FindingKind::OutsideZone { apex: name("example.") };
    refused(outside.clone(), "a.test. TXT x!", "a.example. TXT x");
    refused(outside.clone(), "anexample. TXT x!", "an.example. TXT x");
    refused(outside, ". TXT x!", "EXAMPLE. TXT x");
}

#[test]
fn a_record_of_another_class_is_refused() {
    let mismatch = FindingKind::ClassMismatch { found: Class::CH, expected: Class::IN };
    refused(mismatch, "a.example. CH TXT x!", "a.example. TXT x");
}

#[test]
fn a_type_that_only_messages_have_is_refused() {
    for number in [0, 41, 128, 249, 250, 251, 252, 253, 254, 255] {
        let zone = format!(r"a.example. TYPE{number} \# 0!");
        refused(FindingKind::MetaType(RType(number)), &zone, r"a.example. TYPE65280 \# 0");
    }
}

#[test]
fn rdata_that_its_type_forbids_is_refused() {
    let found = findings(r"a.example. A \# 3 c00002");
    assert!(matches!(found[..], [Finding { kind: FindingKind::Rdata(RType::A, _), severity: Severity::Error, .. }]));
    assert_eq!(findings(r"a.example. A \# 4 c0000201"), []);
}

#[test]
fn a_cname_stands_alone_but_for_dnssec() {
    let other = |rtype| FindingKind::CnameAndOther { other: rtype };
    refused(other(RType::TXT), "a.example. CNAME b.\na.example. TXT x!", "a.example. CNAME b.\nb.example. TXT x");
    refused(FindingKind::SeveralCnames, "a.example. CNAME b.\na.example. CNAME c.!", "a.example. CNAME b.");
    assert_eq!(findings("a.example. CNAME b.\na.example. RRSIG CNAME example."), []);
    assert_eq!(findings("a.example. CNAME b.\na.example. NSEC \\# 9 0162000006400000000003"), []);
}

#[test]
fn a_dname_is_the_only_one_and_has_nothing_below() {
    refused(FindingKind::SeveralDnames, "a.example. DNAME b.\na.example. DNAME c.!", "a.example. DNAME b.");
    refused(FindingKind::DnameAndNs, "a.example. NS b.\na.example. DNAME b.!", "example. DNAME b.");
    let below = FindingKind::DataBelowDname { dname: name("a.example.") };
    refused(below, "a.example. DNAME b.\nx.a.example. TXT x!", "a.example. DNAME b.\nxa.example. TXT x");
}

#[test]
fn an_rrset_that_no_message_holds_is_refused_and_one_octet_less_is_not() {
    let apex = *name("example.");
    let kinds = |rdata_size: usize| -> Vec<FindingKind> {
        let mut builder = ZoneBuilder::new(apex.as_name(), Class::IN);
        for line in HEAD.lines().filter(|line| !line.trim().is_empty()) {
            builder.add(record(line.trim()).as_record(), 0);
        }
        let (rtype, class, rdata) = (RType(65280), Class::IN, vec![0; rdata_size]);
        builder.add(Record { owner: apex.as_name(), rtype, class, ttl: 60, rdata: &rdata }, 0);
        builder.build().map_or_else(|errors| errors, |(_, warnings)| warnings).into_iter().map(|f| f.kind).collect()
    };
    // Header, question, and what stands before RDATA.
    let room = 65535 - 12 - ("example.".len() + 1 + 4) - (2 + 10);
    assert_eq!(kinds(room), []);
    assert_eq!(kinds(room + 1), [FindingKind::RRsetTooLarge { rtype: RType(65280), size: room + 1 + 12 }]);
}

#[test]
fn one_record_twice_is_warned_of_in_any_letter_case() {
    let twice = FindingKind::Duplicate(RType::A);
    warned(twice, "a.example. A 192.0.2.1\nA.example. A 192.0.2.1!", "a.example. A 192.0.2.1\na.example. A 192.0.2.2");
    warned(
        FindingKind::Duplicate(RType::NS),
        "a.example. NS ns.test.\na.example. NS NS.test.!",
        "a.example. NS ns.test.\na.example. NS ns2.test.",
    );
}

#[test]
fn ttls_that_differ_and_ttls_out_of_range_are_warned_of() {
    let differ = FindingKind::TtlsDiffer { rtype: RType::A, lowest: 60 };
    warned(
        differ,
        "a.example. 60 A 192.0.2.1\na.example. 61 A 192.0.2.2!",
        "a.example. 60 A 192.0.2.1\na.example. 60 A 192.0.2.2\na.example. 61 TXT x",
    );
    let found = 1 << 31;
    warned(FindingKind::TtlOutOfRange { found }, "a.example. 2147483648 TXT x!", "a.example. 2147483647 TXT x");
}

#[test]
fn an_in_domain_name_server_wants_glue() {
    warned(
        FindingKind::MissingGlue { target: name("ns.a.example.") },
        "a.example. NS ns.a.example.!",
        "a.example. NS ns.a.example.\nns.a.example. AAAA 2001:db8::1",
    );
    warned(
        FindingKind::MissingGlue { target: name("a.example.") },
        "a.example. NS a.example.!",
        "a.example. NS a.example.\na.example. A 192.0.2.1",
    );
}

#[test]
fn a_host_in_the_zone_wants_an_address() {
    for data in ["NS", "MX 1", "SRV 1 2 3"] {
        let (rtype, _) = data.split_once(' ').unwrap_or((data, ""));
        let rtype: RType = rtype.parse().unwrap();
        let missing = FindingKind::MissingAddress { rtype, target: name("h.example.") };
        let with = |host: &str| format!("a.example. {data} h.example.{host}");
        warned(missing.clone(), &with("!"), &with("\nh.example. A 192.0.2.1"));
        // A name without addresses is no better than none, and a wildcard as good as the name.
        warned(missing, &with("!\nh.example. TXT x"), &with("\n*.example. A 192.0.2.1"));
        let alias = FindingKind::TargetIsCname { rtype, target: name("h.example.") };
        warned(alias, &with("!\nh.example. CNAME h2.test."), &with("\nh.example. AAAA 2001:db8::1"));
    }
    assert_eq!(findings("a.example. MX 0 .\nb.example. MX 1 h.test."), []);
}

#[test]
fn ds_belongs_to_a_delegation() {
    let ds = "DS 1 8 2 00000000000000000000000000000000000000000000000000000000000000ff";
    let delegated = format!("a.example. NS ns.test.\na.example. {ds}");
    warned(FindingKind::DsWithoutNs, &format!("a.example. {ds}!"), &delegated);
    warned(FindingKind::DsAtApex, &format!("example. {ds}!"), &delegated);
}

#[test]
fn what_stands_at_or_below_a_cut_and_is_no_glue_is_warned_of() {
    let at = "a.example. NS ns.test.\na.example. A 192.0.2.1";
    warned(FindingKind::BelongsToChild(RType::TXT), &format!("{at}\na.example. TXT x!"), at);
    let below = FindingKind::BelowCut { rtype: RType::TXT, cut: name("a.example.") };
    warned(below, &format!("{at}\nb.a.example. TXT x!"), &format!("{at}\nb.a.example. A 192.0.2.1"));
}

#[test]
fn ns_and_dname_at_a_wildcard_are_warned_of() {
    warned(FindingKind::WildcardNs, "*.example. NS ns.test.!", "a.*.example. NS ns.test.");
    warned(FindingKind::WildcardDname, "*.example. DNAME test.!", "a.*.example. DNAME test.");
}

#[test]
fn negative_answers_kept_for_more_than_a_day_are_warned_of() {
    let kinds = |ttl: u32, minimum: u32| {
        let zone = format!("example. {ttl} SOA ns.other. host.other. 1 2 3 4 {minimum}\nexample. NS ns.other.");
        build(&zone).unwrap().1.into_iter().map(|found| found.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(100_000, 86_401), [FindingKind::LongNegativeTtl { seconds: 86_401 }]);
    assert_eq!(kinds(100_000, 86_400), []);
    // The lower of the two counts (RFC 2308 §5).
    assert_eq!(kinds(86_400, 100_000), []);
}

#[test]
fn a_thousand_findings_are_listed_and_the_others_counted() {
    let outside = |count: usize| (0..count).map(|i| format!("a{i}.test. TXT x\n")).collect::<String>();
    assert_eq!(findings(&outside(1000)).len(), 1000);
    let found = findings(&outside(1002));
    assert_eq!(found.len(), 1001);
    let last = found.last().unwrap();
    assert_eq!((&last.kind, last.line, last.severity), (&FindingKind::LeftOut { count: 2 }, None, Severity::Error));
}

#[test]
fn names_that_make_many_more_names_than_they_are_are_refused() {
    // Each makes 118 empty non-terminals of its own.
    let deep =
        |count| (0..count).map(|i| format!("{}n{i}.example. A 192.0.2.1\n", "x.".repeat(119))).collect::<String>();
    refused(FindingKind::DeepNames { limit: 17 << 20 }, &deep(1500), &deep(700));
}

#[test]
fn a_name_with_signatures_of_all_types_is_refused_and_one_less_is_not() {
    let zone = |types: std::ops::RangeInclusive<u16>| {
        let apex: NameBuf = "example.com".parse().unwrap();
        let mut builder = ZoneBuilder::new(apex.as_name(), Class::IN);
        for rtype in types {
            let rdata = [&rtype.to_be_bytes()[..], &[13, 2], &[0; 14], b"\0", b"signature"].concat();
            let owner = apex.as_name();
            let record = Record { owner, rtype: RType::RRSIG, class: Class::IN, ttl: 60, rdata: &rdata };
            builder.add(record, u32::from(rtype) + 1);
        }
        builder.build().unwrap_err()
    };
    let refused = |found: &[Finding]| found.iter().any(|it| it.kind == FindingKind::TooManyTypes { limit: 65_535 });
    assert!(refused(&zone(0..=65_535)));
    assert!(!refused(&zone(1..=65_535)));
}

#[test]
fn a_cname_at_the_apex_is_told_in_its_own_words() {
    refused(FindingKind::CnameAtApex, "example. CNAME a.other.!", "a.example. CNAME a.other.");
}

#[test]
fn a_wildcard_does_not_cover_a_name_that_has_names_below_it() {
    let wildcard = "*.example. A 192.0.2.1";
    let shadowed = FindingKind::ShadowedWildcard { wildcard: name("*.example.") };
    let below = format!("{wildcard}\n_acme-challenge.www.example. TXT x!");
    warned(
        shadowed.clone(),
        &below,
        &format!("{wildcard}\nwww.example. A 192.0.2.1\n_acme-challenge.www.example. TXT x"),
    );
    assert_eq!(findings(&below.replace('!', ""))[0].owner, *name("www.example."));
    // Deep names make several, and only the one beside the wildcard is a surprise.
    warned(shadowed, &format!("{wildcard}\na.b.c.example. TXT x!"), "a.b.c.example. TXT x");
    assert_eq!(findings(&format!("{wildcard}\n_sip._tcp.example. SRV \\# 7 00000000000100")), []);
    assert_eq!(findings("*.example. TXT x\na.b.example. TXT x"), []);
}

#[test]
fn findings_about_two_records_know_both_lines() {
    let related = |records: &str| findings(records).iter().map(|it| (it.line, it.related_line)).collect::<Vec<_>>();
    assert_eq!(related("a.example. CNAME b.\na.example. TXT x"), [(Some(5), Some(4))]);
    assert_eq!(related("a.example. CNAME z.\na.example. CNAME b."), [(Some(5), Some(4))]);
    assert_eq!(related("a.example. TXT x\na.example. TXT x"), [(Some(5), Some(4))]);
    assert_eq!(related("a.example. 60 TXT x\na.example. 30 TXT y"), [(Some(4), Some(5))]);
    assert_eq!(related("example. DS \\# 0").first().and_then(|it| it.1), None);
}
