//! The records that deny names, complete and with one mistake: an NSEC chain, and the NSEC3 chain of RFC 5155 appendix A.

mod story;

use nss_authority::DenialFault;
use nss_wire::{NameBuf, RType};

/// What is found in a zone, as owners and sentences.
fn faults(zone: &str) -> Vec<String> {
    let (zone, _) = story::build(zone).unwrap_or_else(|findings| panic!("{findings:?}"));
    let mut faults = Vec::new();
    zone.check_denial(|DenialFault { owner, kind }| faults.push(format!("{owner} {kind}")));
    faults
}

/// The zone with its chain is right, and with something else in the place of a part of it has the faults.
#[track_caller]
fn check(zone: &str, part: &str, instead: &str, expected: &[&str]) {
    assert!(zone.contains(part), "{zone}");
    assert_eq!(faults(&zone.replacen(part, instead, 1)), expected, "{part} -> {instead}");
}

/// A list of types below 64 in one window.
fn bitmap(types: &[RType]) -> String {
    let mut octets = [0u8; 8];
    types.iter().for_each(|rtype| octets[usize::from(rtype.0 / 8)] |= 0x80 >> (rtype.0 % 8));
    match octets.iter().rposition(|&octet| octet > 0) {
        None => String::new(),
        Some(last) => {
            let hex: String = octets[..=last].iter().map(|octet| format!("{octet:02x}")).collect();
            format!("00{:02x}{hex}", last + 1)
        }
    }
}

const NSEC_ZONE: &str = r"
    example.         SOA    ns1.example. host.example. 1 3600 300 3600000 3600
    example.         NS     ns1.example.
    example.         DNSKEY \# 5 0101030d00
    a.b.example.     A      192.0.2.1
    cut.example.     NS     ns.cut.example.
    cut.example.     A      192.0.2.2
    ns.cut.example.  A      192.0.2.3
    ns1.example.     A      192.0.2.4
";

fn nsec_zone() -> String {
    let chain: [(&str, &[RType], &str); 4] = [
        ("example.", &[RType::SOA, RType::NS, RType::DNSKEY, RType::NSEC], "a.b.example."),
        ("a.b.example.", &[RType::A, RType::NSEC], "cut.example."),
        ("cut.example.", &[RType::NS, RType::NSEC], "ns1.example."),
        ("ns1.example.", &[RType::A, RType::NSEC], "example."),
    ];
    let records = chain.map(|(owner, types, next)| {
        let next: NameBuf = next.parse().unwrap();
        let next: String = next.as_name().as_wire().iter().map(|octet| format!("{octet:02x}")).collect();
        let rdata = next + &bitmap(types);
        format!(r"{owner} NSEC \# {} {rdata}", rdata.len() / 2)
    });
    NSEC_ZONE.to_owned() + &records.join("\n")
}

#[test]
fn an_nsec_chain_leads_through_all_names_and_lists_their_types() {
    let zone = nsec_zone();
    assert_eq!(faults(&zone), [""; 0]);
    let name = |name: &str| format!("{name}.example. A 192.0.2.9\nexample. NS");
    let next = "a.b.example. the NSEC record leads to cut.example., where the next name is b2.example.";
    check(&zone, "example.         NS", &name("b2"), &[next, "b2.example. the name has no NSEC record"]);
    let last = "ns1.example. the NSEC record leads to example., where the next name is zz.example.";
    check(&zone, "example.         NS", &name("zz"), &[last, "zz.example. the name has no NSEC record"]);
    let gone = "example. the NSEC record leads to a.b.example., where the next name is cut.example.";
    let without: String =
        zone.lines().filter(|line| !line.trim().starts_with("a.b.")).map(|l| format!("{l}\n")).collect();
    assert_eq!(faults(&without), [gone]);
    let lacks = "ns1.example. the NSEC record does not list AAAA, which the name has";
    check(&zone, "ns1.example.     A ", "ns1.example. AAAA 2001:db8::1\nns1.example. A ", &[lacks]);
    let has = "ns1.example. the NSEC record lists A, which the name does not have";
    check(&zone, "ns1.example.     A      192.0.2.4", "ns1.example. AAAA 2001:db8::1", &[has]);
    let two = "ns1.example. the name has several NSEC records";
    check(&zone, "ns1.example. NSEC", "ns1.example. NSEC \\# 1 00\nns1.example. NSEC", &[two]);
    let names: String =
        zone.lines().filter(|line| !line.contains("NSEC \\#")).map(|line| format!("{line}\n")).collect();
    let nothing = "example. the zone is signed and has no NSEC records, nor NSEC3 records with an NSEC3PARAM record";
    assert_eq!(faults(&names), [nothing]);
    check(&names, "DNSKEY", "TYPE65280", &[]);
}

/// Of RFC 5155 appendix A, without signatures.
const NSEC3_ZONE: &str = r"
    example.         SOA    ns1.example. bugs.x.w.example. 1 3600 300 3600000 3600
    example.         NS     ns1.example.
    example.         MX     1 xx.example.
    example.         DNSKEY \# 5 0101030d00
    example.         NSEC3PARAM \# 9 0100000c04aabbccdd
    a.example.       NS     ns1.a.example.
    a.example.       DS     57855 5 1 00000000000000000000000000000000000000ff
    ns1.a.example.   A      192.0.2.5
    ai.example.      A      192.0.2.9
    c.example.       NS     ns1.c.example.
    ns1.c.example.   A      192.0.2.7
    ns1.example.     A      192.0.2.1
    ns2.example.     A      192.0.2.2
    *.w.example.     MX     1 ai.example.
    x.w.example.     MX     1 xx.example.
    x.y.w.example.   MX     1 xx.example.
    xx.example.      A      192.0.2.10
";

/// c.example is opted out.
fn nsec3_zone() -> String {
    const APEX: &[RType] = &[RType::SOA, RType::NS, RType::MX, RType::DNSKEY, RType::NSEC3PARAM];
    let chain: [(&str, &[RType]); 11] = [
        ("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", APEX),
        ("2t7b4g4vsa5smi47k61mv5bv1a22bojr", &[RType::A]),
        ("2vptu5timamqttgl4luu9kg21e0aor3s", &[RType::MX]),
        ("35mthgpgcu1qg68fab165klnsnk3dpvl", &[RType::NS, RType::DS]),
        ("b4um86eghhds6nea196smvmlo4ors995", &[RType::MX]),
        ("gjeqe526plbf1g8mklp59enfd789njgi", &[RType::A]),
        ("ji6neoaepv8b5o6k4ev33abha8ht9fgc", &[]),
        ("k8udemvp1j2f7eg6jebps17vp3n8i58h", &[]),
        ("q04jkcevqvmu85r014c7dkba38o0ji5r", &[RType::A]),
        ("r53bq7cc2uvmubfu5ocmm6pers9tk9en", &[RType::MX]),
        ("t644ebqk9bibcna874givr6joj62mlhv", &[RType::A]),
    ];
    let mut zone = NSEC3_ZONE.to_owned();
    for (n, (owner, types)) in chain.iter().enumerate() {
        let rdata = format!("0101000c04aabbccdd14{}{}", hex(chain[(n + 1) % chain.len()].0), bitmap(types));
        zone += &format!("{owner}.example. NSEC3 \\# {} {rdata}\n", rdata.len() / 2);
    }
    zone
}

/// From base32hex to hexadecimal digits.
fn hex(text: &str) -> String {
    let bits: String = text.chars().map(|digit| format!("{:05b}", digit.to_digit(32).unwrap())).collect();
    let digit = |nibble: &[u8]| u8::from_str_radix(std::str::from_utf8(nibble).unwrap(), 2).unwrap();
    bits.as_bytes().chunks(4).map(|nibble| format!("{:x}", digit(nibble))).collect()
}

#[test]
fn an_nsec3_chain_has_all_names_but_those_that_opt_out_leaves_out() {
    let zone = nsec3_zone();
    assert_eq!(faults(&zone), [""; 0]);
    let missing = |name: &str| format!("{name}.example. no NSEC3 record has the name's hash");
    check(&zone, "ai.example.  ", "new.example. A 192.0.2.1\nai.example. ", &[&missing("new")]);
    // Unsigned delegations are left out, with the empty non-terminals above them; signed ones are not.
    check(&zone, "ai.example.  ", "d.e.example. NS ns.example.net.\nai.example. ", &[]);
    let signed =
        "d.e.example. NS ns.example.net.\nd.e.example. DS 1 5 1 00000000000000000000000000000000000000ff\nai.example. ";
    check(&zone, "ai.example.  ", signed, &[&missing("d.e"), &missing("e")]);
    let closed = zone.replace("0101000c04", "0100000c04");
    assert_eq!(faults(&closed), [missing("c")]);
    let nothing = "gjeqe526plbf1g8mklp59enfd789njgi.example. the NSEC3 record has the hash of no name in the zone";
    check(&zone, "ai.example.      A      192.0.2.9", "", &[nothing]);
    let lists = "xx.example. the NSEC3 record does not list TXT, which the name has";
    check(&zone, "xx.example.      A", "xx.example. TXT \\# 2 0178\nxx.example. A", &[lists]);
    let lost: String = zone.lines().filter(|line| !line.starts_with("q04jk")).map(|line| format!("{line}\n")).collect();
    let next = "k8udemvp1j2f7eg6jebps17vp3n8i58h.example. the NSEC3 record does not lead to the next hash of the zone";
    assert_eq!(faults(&lost), [missing("ns2").as_str(), next]);
    let flags = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. the NSEC3 record has flags other than opt-out";
    check(&zone, "0101000c04", "0103000c04", &[flags]);
}
