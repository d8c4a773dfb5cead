//! Signed zones from the root down: what is proven, what is provably not signed, and what somebody made of it.

use hickory_proto::op::Message;
use hickory_proto::rr::{Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use nss_registrar_check::{Config, Delegation, DsRecords, Findings, NotDelegated, Outcome, Security, Unknown, Wanted};

use crate::internet::{Asked, Internet, NOW, anchor, config, hex, name};
use crate::signer::{Denial, opaque};

pub(crate) const ROOT: &str = "192.0.2.1";
pub(crate) const SERVERS: [&str; 2] = ["192.0.2.11", "192.0.2.12"];

pub(crate) const NSEC3: Denial = Denial::Nsec3 { opt_out: false, iterations: 1 };
pub(crate) const OPT_OUT: Denial = Denial::Nsec3 { opt_out: true, iterations: 0 };

/// A root and com., which delegates signed.com. with DS records and plain.com. without, not yet signed themselves.
pub(crate) fn unsigned_tree() -> Internet {
    let mut internet = Internet::default();
    let com = "com. NS a.nic.com.\n com. NS b.nic.com.\n a.nic.com. A 192.0.2.11\n b.nic.com. A 192.0.2.12";
    internet.zone(".", &[ROOT], com).zone("com.", &SERVERS, com).zone(
        "com.",
        &[],
        "signed.com. NS ns.example.net.
         signed.com. DS 00010d02bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
         plain.com. NS ns.example.net.
         other.com. A 192.0.2.80
         a.b.ent.com. A 192.0.2.80
         alias.com. CNAME other.com.
         moved.com. DNAME other.com.",
    );
    internet
}

/// The same, signed; and a configuration with the trust anchor.
pub(crate) fn tree(denial: Denial) -> (Internet, Config) {
    let mut internet = unsigned_tree();
    let anchor = internet.sign(".", Denial::Nsec);
    internet.sign("com.", denial);
    (internet, anchored(&anchor))
}

pub(crate) fn anchored(ds: &[u8]) -> Config {
    Config { trust_anchors: vec![anchor(ds)], ..config(&[ROOT]) }
}

pub(crate) fn delegation(findings: &Findings) -> &Delegation {
    match &findings.outcome {
        Outcome::Delegation(delegation) => delegation,
        other => panic!("{other:?}\n{}", findings.evidence),
    }
}

/// What is known of the DS records of a delegation.
pub(crate) fn ds(internet: &mut Internet, domain: &str, config: &Config) -> (DsRecords, Security) {
    let findings = internet.walk(domain, config.clone());
    let delegation = delegation(&findings);
    (delegation.ds.clone(), delegation.security)
}

pub(crate) fn present() -> DsRecords {
    DsRecords::Present(vec![hex(&format!("00010d02{}", "bb".repeat(32)))])
}

/// The zone that is to blame, and why.
pub(crate) fn blame(internet: &mut Internet, domain: &str, config: &Config) -> (String, String) {
    let findings = internet.walk(domain, config.clone());
    let Outcome::Unknown(Unknown::Bogus { zone, what }) = &findings.outcome else {
        panic!("{:?}\n{}", findings.outcome, findings.evidence)
    };
    assert!(findings.evidence.to_string().contains(&format!("not proven: {what}")), "{}", findings.evidence);
    (zone.to_string(), what.clone())
}

pub(crate) fn is(rtype: RecordType) -> impl Fn(&Record) -> bool {
    move |record| record.record_type() == rtype
}

/// Both servers of com. lie so.
pub(crate) fn com_lies(internet: &mut Internet, lie: impl FnMut(&Asked, &mut Message) + Clone + Send + 'static) {
    for server in SERVERS {
        internet.lie(server, lie.clone());
    }
}

#[test]
fn ds_records_that_are_signed_from_the_anchor_down_are_secure() {
    for denial in [Denial::Nsec, NSEC3, OPT_OUT] {
        let (mut internet, config) = tree(denial);
        assert_eq!(ds(&mut internet, "signed.com", &config), (present(), Security::Secure));
        assert_eq!(internet.asked.len(), 5, "keys and a referral of the root, keys of com., both its servers");
    }
}

#[test]
fn that_there_are_no_ds_records_is_proven_by_nsec_nsec3_and_opt_out_without_a_further_query() {
    for denial in [Denial::Nsec, NSEC3, OPT_OUT] {
        let (mut internet, config) = tree(denial);
        assert_eq!(ds(&mut internet, "plain.com", &config), (DsRecords::Absent, Security::Secure));
        assert_eq!(internet.asked.len(), 5);
    }
}

#[test]
fn that_a_name_is_not_delegated_is_proven() {
    for denial in [Denial::Nsec, NSEC3, OPT_OUT] {
        let (mut internet, config) = tree(denial);
        for domain in ["other.com", "ent.com", "b.ent.com", "nothing.com", "a.b.nothing.com", "a.other.com"] {
            let findings = internet.walk(domain, config.clone());
            assert!(matches!(findings.outcome, Outcome::NotDelegated(_)), "{domain}\n{}", findings.evidence);
        }
        for domain in ["alias.com", "www.moved.com"] {
            let findings = internet.walk(domain, config.clone());
            assert!(matches!(findings.outcome, Outcome::NotDelegated(_)), "{domain}\n{}", findings.evidence);
        }
    }
}

#[test]
fn below_a_zone_that_is_provably_not_signed_nothing_is_proven_and_all_is_as_before() {
    let mut internet = unsigned_tree();
    let anchor = internet.sign(".", Denial::Nsec);
    let config = anchored(&anchor);
    assert_eq!(ds(&mut internet, "signed.com", &config), (DsRecords::Unasked, Security::Insecure));
    assert_eq!(internet.asked.len(), 4);
    let findings = internet.walk_for(Wanted::NameServersAndDs, "signed.com", config.clone());
    assert_eq!(delegation(&findings).ds, present());
    assert_eq!(delegation(&findings).security, Security::Insecure);
    let findings = internet.walk("nothing.com", config);
    assert!(matches!(findings.outcome, Outcome::NotDelegated(_)), "{}", findings.evidence);
}

#[test]
fn without_trust_anchors_nobody_looks_at_signatures() {
    let (mut internet, config) = tree(Denial::Nsec);
    internet.signer("com.").expiration = NOW - 1;
    let config = Config { trust_anchors: Vec::new(), ..config };
    assert_eq!(ds(&mut internet, "signed.com", &config), (DsRecords::Unasked, Security::Unchecked));
    assert!(internet.asked.iter().all(|asked| !asked.message.edns.as_ref().unwrap().flags().dnssec_ok));
}

#[test]
fn ds_records_that_a_referral_leaves_out_are_asked_for_with_their_signatures() {
    let (mut internet, config) = tree(Denial::Nsec);
    for server in [ROOT, SERVERS[0], SERVERS[1]] {
        internet.lie(server, |asked, reply| {
            if asked.qtype == RecordType::NS && !reply.metadata.authoritative {
                reply.authorities.retain(is(RecordType::NS));
            }
        });
    }
    assert_eq!(ds(&mut internet, "signed.com", &config), (present(), Security::Secure));
    assert_eq!(internet.asked.len(), 8, "three times DS");
    assert_eq!(ds(&mut internet, "plain.com", &config), (DsRecords::Absent, Security::Secure));
}

#[test]
fn signatures_count_from_their_inception_to_their_expiration() {
    for (inception, expiration, expected) in [
        (NOW, NOW + 100, None),
        (NOW - 100, NOW + 1, None),
        (NOW - 100, NOW - 1, Some("expired 0 h ago")),
        (NOW - 100_000, NOW - 7200, Some("expired 2 h ago")),
        (NOW + 100, NOW + 200, Some("is not valid yet")),
    ] {
        for apex in [".", "com."] {
            let (mut internet, config) = tree(Denial::Nsec);
            (internet.signer(apex).inception, internet.signer(apex).expiration) = (inception, expiration);
            match expected {
                None => assert_eq!(ds(&mut internet, "signed.com", &config).1, Security::Secure),
                Some(expected) => {
                    let (zone, what) = blame(&mut internet, "signed.com", &config);
                    assert_eq!(zone, apex);
                    assert!(what.contains(expected), "{what}");
                }
            }
        }
    }
}

#[test]
fn keys_that_nothing_here_verifies_leave_what_is_below_insecure() {
    let mut internet = unsigned_tree();
    let anchor = internet.sign(".", Denial::Nsec);
    // An algorithm and a digest that nobody has registered.
    internet.zone(".", &[], &format!("com. DS 0001c802{}\n com. DS 00010dc8aa", "aa".repeat(32)));
    internet.sign("com.", Denial::Nsec);
    let config = anchored(&anchor);
    let own = internet.signer("com.").ds();
    internet.records(".").retain(|(_, data)| data.to_bytes().unwrap() != own);
    assert_eq!(ds(&mut internet, "signed.com", &config), (DsRecords::Unasked, Security::Insecure));
    // Beside one that is verified here they change nothing.
    internet.records(".").push((name("com."), opaque(RecordType::DS, own)));
    assert_eq!(ds(&mut internet, "signed.com", &config), (present(), Security::Secure));
}

#[test]
fn a_zone_that_hashes_its_names_too_often_counts_as_not_signed() {
    let max = Config::default().limits.nsec3_iterations_max;
    for (iterations, expected) in [(max, Security::Secure), (max + 1, Security::Insecure)] {
        let (mut internet, config) = tree(Denial::Nsec3 { opt_out: false, iterations });
        assert_eq!(ds(&mut internet, "plain.com", &config), (DsRecords::Absent, expected), "{iterations}");
        assert_eq!(ds(&mut internet, "signed.com", &config), (present(), Security::Secure), "{iterations}");
    }
}

#[test]
fn a_zone_that_is_served_beside_its_signed_parent_is_entered_by_its_ds_records() {
    let (mut internet, config) = tree(Denial::Nsec);
    internet
        .zone("com.", &[], "co.com. NS a.nic.com.\n co.com. NS b.nic.com.")
        .zone("co.com.", &SERVERS, "co.com. NS a.nic.com.\n co.com. NS b.nic.com.\n example.co.com. NS ns.example.net.")
        .zone("co.com.", &[], &format!("example.co.com. DS 00010d02{}", "bb".repeat(32)));
    internet.sign("co.com.", NSEC3);
    assert_eq!(ds(&mut internet, "example.co.com", &config), (present(), Security::Secure));
}

#[test]
fn a_zone_that_its_signed_parent_serves_and_does_not_delegate_is_not_delegated() {
    for denial in [Denial::Nsec, NSEC3] {
        let (mut internet, config) = tree(denial);
        internet.zone("other.com.", &SERVERS, "other.com. NS ns.example.net.");
        let findings = internet.walk("other.com", config.clone());
        let expected = NotDelegated::NoCut { parent: "com".parse().unwrap() };
        assert_eq!(findings.outcome, Outcome::NotDelegated(expected), "\n{}", findings.evidence);
        // One that it does delegate is hidden, signed or not.
        internet.zone("plain.com.", &SERVERS, "plain.com. NS ns.example.net.");
        let findings = internet.walk("plain.com", config);
        assert!(matches!(findings.outcome, Outcome::Unknown(Unknown::Hidden { .. })), "\n{}", findings.evidence);
    }
}
