//! What does not exist, and the NSEC or NSEC3 records that prove it: the zones and answers of RFC 4035 and RFC 5155.
//!
//! The next names and signatures in the records are made up: a server passes them on without a look at them.

mod story;

use std::sync::Arc;

use nss_authority::{Catalog, FindingKind, HashSeed, Outcome, Reply, Severity, Transport, ZoneBuilder};
use nss_wire::message::{EdnsFlags, Reader, Section};
use nss_wire::{Class, Name, NameBuf, RType, Record};
use story::Story;

/// RFC 4035 appendix A and RFC 5155 appendix A, without what denies names.
const EXAMPLE: &str = r"
    example.         SOA    ns1.example. bugs.x.w.example. 1081539377 3600 300 3600000 3600
    example.         NS     ns1.example.
    example.         NS     ns2.example.
    example.         MX     1 xx.example.
    example.         DNSKEY \# 5 0101030d00
    a.example.       NS     ns1.a.example.
    a.example.       NS     ns2.a.example.
    a.example.       DS     57855 5 1 00000000000000000000000000000000000000ff
    ns1.a.example.   A      192.0.2.5
    ns2.a.example.   A      192.0.2.6
    ai.example.      A      192.0.2.9
    b.example.       NS     ns1.b.example.
    ns1.b.example.   A      192.0.2.7
    ns1.example.     A      192.0.2.1
    ns2.example.     A      192.0.2.2
    *.w.example.     MX     1 ai.example.
    x.w.example.     MX     1 xx.example.
    x.y.w.example.   MX     1 xx.example.
    xx.example.      A      192.0.2.10
";

fn nsec() -> String {
    let owners = [
        "example",
        "a.example",
        "ai.example",
        "b.example",
        "ns1.example",
        "ns2.example",
        "*.w.example",
        "x.w.example",
        "x.y.w.example",
        "xx.example",
    ];
    let records = owners.map(|owner| format!(r"{owner}. NSEC \# 1 00"));
    format!("{EXAMPLE}\n{}", records.join("\n"))
}

/// Owners of the records with salt aabbccdd and 12 iterations; b.example is opted out.
const NSEC3_OWNERS: [&str; 11] = [
    "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
    "2t7b4g4vsa5smi47k61mv5bv1a22bojr",
    "2vptu5timamqttgl4luu9kg21e0aor3s",
    "35mthgpgcu1qg68fab165klnsnk3dpvl",
    "b4um86eghhds6nea196smvmlo4ors995",
    "gjeqe526plbf1g8mklp59enfd789njgi",
    "ji6neoaepv8b5o6k4ev33abha8ht9fgc",
    "k8udemvp1j2f7eg6jebps17vp3n8i58h",
    "q04jkcevqvmu85r014c7dkba38o0ji5r",
    "r53bq7cc2uvmubfu5ocmm6pers9tk9en",
    "t644ebqk9bibcna874givr6joj62mlhv",
];

fn nsec3() -> String {
    let rdata = format!("0101000c04aabbccdd14{}", "00".repeat(20));
    let records = NSEC3_OWNERS.map(|owner| format!(r"{owner}.example. NSEC3 \# 30 {rdata}"));
    format!("{EXAMPLE}\nexample. NSEC3PARAM \\# 9 0100000c04aabbccdd\n{}", records.join("\n"))
}

/// Asks with DO; the code, then the owners of the records that deny, `.example.` left out and `@` for the apex.
///
/// The tables of a large zone stand elsewhere than those of a small one, and lead to the same answers.
#[track_caller]
fn check(zone: &str, question: &str, expected: &str) {
    check_one(zone, question, expected);
    let large = format!("large.xx.example. TYPE65400 \\# 40000 {}\n", "00".repeat(40_000));
    check_one(&format!("{zone}\n{large}large.{large}"), question, expected);
}

#[track_caller]
fn check_one(zone: &str, question: &str, expected: &str) {
    let mut story = Story::new(&[zone]).with_edns(1232, EdnsFlags::DO);
    let (name, rtype) = question.split_once(' ').unwrap();
    let (reply, octets) = story.ask(&story::query(&name.parse().unwrap(), rtype.parse().unwrap(), story.edns));
    let mut reader = Reader::new(&octets).unwrap();
    let mut denials = Vec::new();
    while let Some(record) = reader.record().unwrap() {
        if matches!(record.rtype, RType::NSEC | RType::NSEC3) {
            assert_eq!(record.section, Section::Authority, "{question}");
            let owner = record.owner.to_buf().to_string().to_lowercase();
            denials.push(owner.strip_suffix(".example.").unwrap_or("@").to_owned());
        }
    }
    denials.sort();
    let found = format!("{} {}", reply.rcode, denials.join(" "));
    assert_eq!(found.trim_end(), expected, "{question}");
    // Whoever does not ask for them does not get them.
    story.edns = None;
    let (_, octets) = story.ask(&story::query(&name.parse().unwrap(), rtype.parse().unwrap(), None));
    let mut reader = Reader::new(&octets).unwrap();
    while let Some(record) = reader.record().unwrap() {
        assert!(!matches!(record.rtype, RType::NSEC | RType::NSEC3), "{question}");
    }
}

#[test]
fn rfc_4035_appendix_b_2_a_name_error_denies_the_name_and_the_wildcard() {
    check(&nsec(), "ml.example. A", "NXDOMAIN @ b");
    check(&nsec(), "aa.example. A", "NXDOMAIN @ a");
    check(&nsec(), "zz.example. A", "NXDOMAIN @ xx");
    // Below the last existing name both are denied by one record, which is there once.
    check(&nsec(), "a.b.c.xx.example. A", "NXDOMAIN xx");
}

#[test]
fn rfc_4035_appendix_b_3_no_data_shows_what_the_name_has() {
    check(&nsec(), "ns1.example. MX", "NOERROR ns1");
    // An empty non-terminal has no record; the one before it shows that there is something below.
    check(&nsec(), "y.w.example. A", "NOERROR x.w");
}

#[test]
fn rfc_4035_appendix_b_4_and_5_a_referral_has_ds_or_denies_it() {
    check(&nsec(), "mc.a.example. MX", "NOERROR");
    check(&nsec(), "mc.b.example. MX", "NOERROR b");
    check(&nsec(), "b.example. DS", "NOERROR b");
}

#[test]
fn rfc_4035_appendix_b_6_and_7_a_wildcard_denies_the_name_itself() {
    check(&nsec(), "a.z.w.example. MX", "NOERROR x.y.w");
    check(&nsec(), "a.z.w.example. AAAA", "NOERROR *.w x.y.w");
    check(&nsec(), "*.w.example. MX", "NOERROR");
}

#[test]
fn rfc_4035_section_3_1_3_4_a_wildcard_without_records_is_denied_by_the_record_before_it() {
    // Something exists below `*.v`, so that it stands for names and has no type (RFC 4592 §2.2.2), nor an NSEC record.
    let zone = nsec() + "\nx.*.v.example. A 192.0.2.11\nx.*.v.example. NSEC \\# 1 00";
    check(&zone, "b.v.example. A", "NOERROR ns2 x.*.v");
    check(&zone, "*.v.example. A", "NOERROR ns2");
}

#[test]
fn rfc_4035_appendix_b_8_a_child_denies_its_own_ds() {
    check(&nsec(), "example. DS", "NOERROR @");
}

#[test]
fn rfc_5155_appendix_b_1_a_name_error_has_encloser_next_closer_and_wildcard() {
    let proof =
        "NXDOMAIN 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 35mthgpgcu1qg68fab165klnsnk3dpvl b4um86eghhds6nea196smvmlo4ors995";
    check(&nsec3(), "a.c.x.w.example. A", proof);
    check(&nsec3(), "a.c.X.w.EXAMPLE. A", proof);
}

#[test]
fn rfc_5155_appendix_b_2_no_data_shows_what_the_name_has() {
    check(&nsec3(), "ns1.example. MX", "NOERROR 2t7b4g4vsa5smi47k61mv5bv1a22bojr");
    check(&nsec3(), "y.w.example. A", "NOERROR ji6neoaepv8b5o6k4ev33abha8ht9fgc");
}

#[test]
fn rfc_5155_appendix_b_3_a_referral_out_of_the_chain_has_the_closest_provable_encloser() {
    // The RFC's delegation without DS is c.example; b.example falls into another gap.
    let zone = nsec3() + "\nc.example. NS ns1.c.example.\nns1.c.example. A 192.0.2.7";
    let proof = "NOERROR 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 35mthgpgcu1qg68fab165klnsnk3dpvl";
    check(&zone, "mc.c.example. MX", proof);
    check(&zone, "c.example. DS", proof);
    check(&zone, "mc.a.example. MX", "NOERROR");
}

#[test]
fn rfc_5155_appendix_b_4_and_5_a_wildcard_denies_the_next_closer_name() {
    check(&nsec3(), "a.z.w.example. MX", "NOERROR q04jkcevqvmu85r014c7dkba38o0ji5r");
    check(
        &nsec3(),
        "a.z.w.example. AAAA",
        "NOERROR k8udemvp1j2f7eg6jebps17vp3n8i58h q04jkcevqvmu85r014c7dkba38o0ji5r r53bq7cc2uvmubfu5ocmm6pers9tk9en",
    );
}

#[test]
fn rfc_5155_appendix_b_6_a_child_denies_its_own_ds() {
    check(&nsec3(), "example. DS", "NOERROR 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom");
}

#[test]
fn rfc_5155_section_7_2_8_the_owner_of_an_nsec3_record_is_no_name() {
    let name = format!("{}.example.", NSEC3_OWNERS[0]);
    let mut story = Story::new(&[&nsec3()]);
    for rtype in ["NSEC3", "A", "ANY"] {
        story.check(&format!("{name} {rtype}"), "NXDOMAIN aa\nauthority example. 3600 SOA");
    }
    // A transfer has it nevertheless.
    let (zone, _) = story::build(&nsec3()).unwrap();
    assert_eq!(zone.records().filter(|record| record.rtype == RType::NSEC3).count(), 11);
}

/// A signature that nobody would believe.
fn signature(owner: &str, covered: u16, ttl: u32) -> String {
    format!("{owner} {ttl} RRSIG \\# 28 {covered:04x}0d0100000e10{}076578616d706c6500ff", "00".repeat(10))
}

#[test]
fn what_is_denied_is_written_in_few_steps_as_in_many() {
    assert!(check_both_ways(&nsec3(), "example."));
    // Owners that share more with names in the SOA and NS records, or with each other, than with the question.
    let more = r"
        a.deep.example.     A  192.0.2.1
        a.deep.example.     NSEC \# 1 00
        b.c.deep.example.   A  192.0.2.1
        b.c.deep.example.   NSEC \# 1 00
        *.deep.example.     A  192.0.2.1
        *.deep.example.     NSEC \# 1 00
        Cut.deep.example.   NS ns.a.Deep.example.
        Cut.deep.example.   NSEC \# 1 00
        bugs.x.w.example.   A  192.0.2.1
        bugs.x.w.example.   NSEC \# 1 00
    ";
    assert!(check_both_ways(&nsec(), "example."));
    assert!(check_both_ways(&format!("{}\n{more}", nsec()), "example."));
    // More labels than a compressor looks at: of an owner, a cut, a mail server, and of the apex.
    let labels = "l.".repeat(20);
    let long = r"
        long.example.      A    192.0.2.1
        long.example.      NSEC \# 1 00
        cut.long.example.  NS   ns.long.example.
        cut.long.example.  NSEC \# 1 00
        far.long.example.  NS   ns.other.
        far.long.example.  NSEC \# 1 00
        xx.example.        MX   1 long.example.
        ns1.example.       MX   1 mx.long.example.
    ";
    check_both_ways(&format!("{}\n{}", nsec(), long.replace("long.", &format!("{labels}long."))), "example.");
    let elsewhere = |zone: String| zone.replace("SOA    ns1.example. bugs.x.w.example.", "SOA ns.other. host.other.");
    check_both_ways(&elsewhere(nsec()), &format!("{labels}example."));
    check_both_ways(&nsec3(), &format!("{labels}example."));
    check_both_ways(&nsec().replace(r"b.example. NSEC \# 1 00", ""), ".");
    check_both_ways(&nsec3(), ".");
    // Owners of NSEC3 records where none belong, and a SOA record that leads below one.
    let [one, other] = [NSEC3_OWNERS[0], NSEC3_OWNERS[8]].map(|owner| format!("{owner}.example."));
    let [odd, odd_too] = [NSEC3_OWNERS[0], NSEC3_OWNERS[8]].map(|owner| format!("{owner}.foo.example."));
    check_both_ways(&nsec3().replace(&one, &odd).replace(&other, &odd_too), "example.");
    check_both_ways(&nsec3().replace("SOA    ns1.example.", &format!("SOA    ns.{other}")), "example.");
}

/// Asks for names in a zone, put below another apex, and beside them, in the short way and the general one; says whether more than half
/// went the short one.
#[track_caller]
fn check_both_ways(zone: &str, apex: &str) -> bool {
    // Negative answers and their signatures live for less than the SOA record and its own.
    let mut zone = zone.replace("3600000 3600", "3600000 60");
    zone += "\nExample. 60 TYPE65400 \\# 0\nalias.example. CNAME ns1.example.\nb.example. NS ns.b.example.\n";
    for (owner, covered, ttl) in [("example.", 6, 3600), ("a.example.", 43, 3600), ("a.example.", 2, 3600)] {
        zone += &format!("{}\n", signature(owner, covered, ttl));
    }
    let denials: Vec<(String, u16)> = story::records(&zone)
        .iter()
        .filter(|(_, record)| matches!(record.rtype, RType::NSEC | RType::NSEC3))
        .map(|(_, record)| (record.owner.to_string(), record.rtype.0))
        .collect();
    for (owner, rtype) in denials {
        zone += &format!("{}\n", signature(&owner, rtype, 3600));
    }
    let below_apex = |text: &str| match apex {
        "." => text.replace(".example.", ".").replace("example.", ".").replace("Example.", "."),
        _ => text.replace("example.", apex).replace("Example.", apex),
    };
    let zone = below_apex(&zone);
    let mut names: Vec<String> = story::records(&zone).iter().map(|(_, record)| record.owner.to_string()).collect();
    names.extend(NSEC3_OWNERS.map(|owner| below_apex(&format!("{}.example.", owner.to_uppercase()))));
    let below = |above: &String| ["x", "y.x", "*"].map(|label| format!("{label}.{}", above.trim_start_matches('.')));
    names.extend(names.clone().iter().flat_map(below));
    let (mut asked, mut shortly) = (0, 0);
    for (edns, flags, transport) in [
        (512, EdnsFlags::DO, Transport::Udp),
        (1232, EdnsFlags::DO, Transport::Udp),
        (1232, EdnsFlags::default(), Transport::Udp),
        (1232, EdnsFlags::DO, Transport::Tcp),
    ] {
        let mut story = Story::new(&[&zone]).with_edns(edns, flags);
        story.transport = transport;
        // Zones of another seed are answered from by the general way alone.
        let general = Arc::new(Catalog::new(HashSeed::new(1)));
        story.catalog.zones().for_each(|zone| drop(general.publish(zone)));
        let (mut general, peer, policy) = (general.view(), story.peer(), story.policy.clone());
        let mut out = vec![0; 65535];
        for name in &names {
            for rtype in [RType::A, RType::MX, RType::NS, RType::DS, RType::NSEC3] {
                let request = story::query(&name.parse().unwrap(), rtype, story.edns);
                let Outcome::Reply(expected) = general.respond(&request, &peer, &policy, &mut out) else { panic!() };
                let (reply, octets) = story.ask(&request);
                // Only the short way says of a reply that everybody gets it.
                asked += 1;
                shortly += usize::from(reply.is_for_everybody);
                let expected = Reply { is_for_everybody: reply.is_for_everybody, ..expected };
                assert_eq!((reply, octets), (expected, out[..expected.len].to_vec()), "{name} {rtype}");
            }
        }
    }
    shortly * 2 > asked
}

#[test]
fn a_chain_of_aliases_that_wildcards_made_denies_each_of_them() {
    let zone = nsec()
        + "\n*.one.example. CNAME x.two.example.\n*.two.example. CNAME x.three.example.
        *.one.example. NSEC \\# 1 00\n*.two.example. NSEC \\# 1 00";
    check(&zone, "x.one.example. A", "NXDOMAIN *.one *.two @");
}

#[test]
fn a_zone_without_dnskey_is_not_signed_whatever_else_it_has() {
    let zone = nsec().replace("DNSKEY", "TYPE65280");
    check(&zone, "ml.example. A", "NXDOMAIN");
}

#[test]
fn rfc_9276_section_3_1_iterations_are_limited() {
    let with = |iterations: u16| story::build(&nsec3().replace("000c04", &format!("{iterations:04x}04")));
    assert!(with(150).is_ok());
    let findings = with(151).unwrap_err();
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Error));
    assert!(matches!(findings[0].kind, FindingKind::Nsec3Iterations { iterations: 151, limit: 150 }));
    assert!(findings[0].line.is_some());
}

#[test]
fn iterations_times_names_are_limited() {
    // 10,000,000 are 66,666 times 150 and some, the zone's apex counted.
    let zone = |names: usize| {
        let apex: NameBuf = "example.".parse().unwrap();
        let mut builder = ZoneBuilder::new(apex.as_name(), Class::IN);
        let mut add = |owner: Name<'_>, rtype, rdata: &[u8]| {
            builder.add(Record { owner, rtype, class: Class::IN, ttl: 60, rdata }, 0);
        };
        add(apex.as_name(), RType::SOA, &[&[0; 2][..], &[0; 20]].concat());
        add(apex.as_name(), RType::NS, &[0]);
        add(apex.as_name(), RType::DNSKEY, &[1, 1, 3, 13, 0]);
        add(apex.as_name(), RType::NSEC3PARAM, &[1, 0, 0, 150, 0]);
        for i in 1..names {
            let owner: NameBuf = format!("h{i}.example.").parse().unwrap();
            add(owner.as_name(), RType::A, &[192, 0, 2, 1]);
        }
        builder.build().map(|(_, findings)| findings)
    };
    assert_eq!(zone(66_666), Ok(Vec::new()));
    let findings = zone(66_667).unwrap_err();
    let kind = FindingKind::Nsec3Work { names: 66_667, iterations: 150, limit: 10_000_000 };
    assert_eq!((findings[0].severity, &findings[0].kind), (Severity::Error, &kind));
}
