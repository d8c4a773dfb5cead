//! Zones on the way to the parent: one server of theirs cannot lead a walk astray.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Record, RecordType};
use nss_registrar_check::{KnownZones, Outcome, Unknown, Wanted};
use nss_wire::NameBuf;

use crate::internet::{Asked, Internet, NOW, config, name, record, soa};
use crate::walk::outcome;

const ROOT: &str = "192.0.2.1";
const LIAR: &str = "192.0.2.12";
const EVIL: [&str; 2] = ["192.0.2.66", "192.0.2.67"];

/// A root and com. with these servers, of which one is the liar, and example.co.com, a name of com., delegated from it.
///
/// The liar's accomplices serve a co.com. that delegates example.co.com. elsewhere.
fn tree(servers: &[&str]) -> Internet {
    let mut internet = Internet::default();
    let com: String = servers
        .iter()
        .enumerate()
        .map(|(i, address)| format!("com. NS ns{i}.nic.com.\n ns{i}.nic.com. A {address}\n"))
        .collect();
    internet
        .zone(".", &[ROOT], &com)
        .zone(
            "com.",
            servers,
            "example.co.com. NS ns.example.net.\n real.com. NS ns1.real.com.\n real.com. NS ns2.real.com.",
        )
        .zone("com.", &[], "ns1.real.com. A 192.0.2.21\n ns2.real.com. A 192.0.2.22")
        .zone("real.com.", &["192.0.2.21", "192.0.2.22"], "example.real.com. NS ns.example.net.")
        .zone("co.com.", &EVIL, "example.co.com. NS ns.evil.example.");
    internet
}

/// The liar's referral: to the zone above the domain, at its accomplices.
fn refer(reply: &mut Message, zone: &str, servers: [&str; 2]) {
    reply.metadata.authoritative = false;
    reply.metadata.response_code = ResponseCode::NoError;
    reply.answers.clear();
    reply.authorities.clear();
    reply.additionals.clear();
    for (server, address) in servers.iter().zip(EVIL) {
        reply.add_authority(Record::from_rdata(name(zone), 1, record(&format!("x. NS {server}")).1));
        reply.add_additional(Record::from_rdata(name(server), 1, record(&format!("x. A {address}")).1));
    }
}

fn is_below(asked: &Asked, zone: &str) -> bool {
    asked.qtype != RecordType::DNSKEY && name(zone).zone_of(&asked.qname.to_lowercase())
}

/// What the liar says instead of the truth.
type Lie = fn(&Asked, &mut Message);

const LIES: [Lie; 4] = [
    |asked, reply| {
        if is_below(asked, "co.com.") {
            refer(reply, "co.com.", ["ns1.co.com.", "ns2.co.com."]);
        }
    },
    // Only when it is asked for the whole name, having said before that there is nothing.
    |asked, reply| {
        if asked.qname.to_lowercase() == name("co.com.") {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.authorities = vec![soa(&name("com."))];
        } else if is_below(asked, "co.com.") {
            refer(reply, "co.com.", ["ns1.co.com.", "ns2.co.com."]);
        }
    },
    |asked, reply| {
        if is_below(asked, "co.com.") {
            reply.metadata.authoritative = true;
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.answers.clear();
            reply.authorities = vec![soa(&name("com."))];
        }
    },
    |asked, reply| {
        if is_below(asked, "example.co.com.") {
            reply.authorities =
                vec![Record::from_rdata(name("example.co.com."), 1, record("x. NS ns.evil.example.").1)];
        }
    },
];

const TRUTH: &str = "com. delegates example.co.com. to ns.example.net.";

#[test]
fn one_of_two_servers_that_shows_a_cut_which_is_none_has_nobody_believe_it() {
    for lie in LIES {
        for seed in 0..16 {
            let mut internet = tree(&["192.0.2.11", LIAR]);
            internet.lie(LIAR, lie);
            let findings = internet.walk_by_chance(seed, Wanted::NameServers, "example.co.com", config(&[ROOT]));
            assert!(matches!(findings.outcome, Outcome::Unknown(_)), "{}\n{}", outcome(&findings), findings.evidence);
            assert!(internet.asked.iter().all(|asked| !EVIL.contains(&&*asked.server.ip().to_string())));
        }
    }
}

#[test]
fn two_servers_that_show_no_cut_outvote_one_that_does() {
    let servers = ["192.0.2.11", LIAR, "192.0.2.13", "192.0.2.14"];
    for lie in &LIES[..2] {
        for seed in 0..16 {
            let mut internet = tree(&servers);
            internet.lie(LIAR, *lie);
            let findings = internet.walk_by_chance(seed, Wanted::NameServers, "example.co.com", config(&[ROOT]));
            assert_eq!(outcome(&findings), TRUTH, "\n{}", findings.evidence);
        }
    }
}

#[test]
fn true_name_servers_at_false_addresses_are_not_asked() {
    for (servers, expected) in [(&["192.0.2.11", LIAR][..], None), (&["192.0.2.11", LIAR, "192.0.2.13"], Some(()))] {
        for seed in 0..16 {
            let mut internet = tree(servers);
            internet.zone("real.com.", &EVIL, "");
            internet.lie(LIAR, |asked, reply| {
                if is_below(asked, "real.com.") {
                    refer(reply, "real.com.", ["ns1.real.com.", "ns2.real.com."]);
                }
            });
            let findings = internet.walk_by_chance(seed, Wanted::NameServers, "example.real.com", config(&[ROOT]));
            match expected {
                Some(()) => assert_eq!(outcome(&findings), "real.com. delegates example.real.com. to ns.example.net."),
                None => assert!(
                    matches!(findings.outcome, Outcome::Unknown(Unknown::Disagreement { .. })),
                    "{}\n{}",
                    outcome(&findings),
                    findings.evidence
                ),
            }
            assert!(internet.asked.iter().all(|asked| !EVIL.contains(&&*asked.server.ip().to_string())));
        }
    }
}

#[test]
fn two_addresses_of_one_server_are_one_voice() {
    // The honest server is down; the liar has an address of each family.
    let mut internet = tree(&["192.0.2.11", LIAR]);
    internet.zone(".", &[], "ns1.nic.com. AAAA 2001:db8::12").zone("com.", &["2001:db8::12"], "").silent("192.0.2.11");
    for liar in [LIAR, "2001:db8::12"] {
        internet.lie(liar, LIES[3]);
    }
    for domain in ["example.co.com", "example.real.com"] {
        let findings = internet.walk(domain, config(&[ROOT]));
        let expected = Unknown::TooFewServers { parent: "com".parse().unwrap(), answered: 1, needed: 2 };
        assert_eq!(findings.outcome, Outcome::Unknown(expected), "\n{}", findings.evidence);
    }
}

#[test]
fn a_zone_with_one_server_only_has_its_word_for_the_cuts_below() {
    let mut internet = tree(&["192.0.2.11"]);
    let findings = internet.walk("example.real.com", config(&[ROOT]));
    assert_eq!(outcome(&findings), "real.com. delegates example.real.com. to ns.example.net.");
    // Whatever names it has.
    internet.zone(".", &[], "com. NS other.nic.com.\n other.nic.com. A 192.0.2.11");
    let findings = internet.walk("example.real.com", config(&[ROOT]));
    assert_eq!(outcome(&findings), "real.com. delegates example.real.com. to ns.example.net.");
}

#[test]
fn what_one_server_says_on_the_way_to_an_address_is_not_remembered_for_domains() {
    // On the way to the addresses of the servers of sub.co.com. there is a co.com. of somebody's own, with the right addresses.
    let mut internet = tree(&["192.0.2.11", "192.0.2.13"]);
    internet
        .zone("com.", &[], "sub.co.com. NS ns.hosts.co.com.\n sub.co.com. NS ns2.hosts.co.com.")
        .zone("co.com.", &[], "ns.hosts.co.com. A 192.0.2.81\n ns2.hosts.co.com. A 192.0.2.82")
        .zone("sub.co.com.", &["192.0.2.81", "192.0.2.82"], "x.sub.co.com. NS ns.example.net.");
    for server in ["192.0.2.11", "192.0.2.13"] {
        internet.lie(server, |asked, reply| {
            let is_address = matches!(asked.qtype, RecordType::A | RecordType::AAAA);
            if is_address && is_below(asked, "hosts.co.com.") {
                refer(reply, "co.com.", ["ns1.co.com.", "ns2.co.com."]);
            } else if is_below(asked, "sub.co.com.") {
                reply.additionals.clear();
            }
        });
    }
    let mut known = KnownZones::new(Arc::new(config(&[ROOT])));
    let now = Duration::from_secs(1);
    for (domain, expected) in
        [("x.sub.co.com", "sub.co.com. delegates x.sub.co.com. to ns.example.net."), ("example.co.com", TRUTH)]
    {
        let name: NameBuf = domain.parse().unwrap();
        let mut walk = known.walk(name.as_name(), Wanted::NameServers, NOW, [7; 32], now);
        internet.drive(&mut walk);
        known.learn(&walk, now);
        let findings = walk.findings().unwrap();
        assert_eq!(outcome(findings), expected, "\n{}", findings.evidence);
        assert_ne!(findings.evidence.known_zone, Some("co.com".parse().unwrap()), "{}", findings.evidence);
    }
}
