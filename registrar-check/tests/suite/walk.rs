//! Walks through an internet in a map: what is delegated, what is not, and what cannot be found out.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, Record};
use nss_registrar_check::{Config, Findings, Heard, HiddenDelegation, Limits, Ours, Outcome, Unknown, Walk, Wanted};
use nss_wire::NameBuf;

use crate::internet::{Asked, Delivery, Internet, NOW, config, name, record, soa};

/// A root with two servers, a TLD with two, and example.com delegated to ns1 and ns2.example.net.
pub(crate) fn tree() -> Internet {
    let mut internet = Internet::default();
    internet
        .zone(
            ".",
            &["192.0.2.1", "192.0.2.2"],
            "com. NS a.nic.com.
             com. NS b.nic.com.
             a.nic.com. A 192.0.2.11
             b.nic.com. A 192.0.2.12
             net. NS a.nic.net.
             a.nic.net. A 192.0.2.21",
        )
        .zone(
            "com.",
            &["192.0.2.11", "192.0.2.12"],
            "com. NS a.nic.com.
             com. NS b.nic.com.
             a.nic.com. A 192.0.2.11
             b.nic.com. A 192.0.2.12
             example.com. NS ns1.example.net.
             example.com. NS ns2.example.net.
             plain.com. A 192.0.2.80
             a.b.ent.com. A 192.0.2.80
             alias.com. CNAME example.com.
             moved.com. DNAME example.com.",
        )
        .zone("net.", &["192.0.2.21"], "example.net. NS ns1.example.net.\n ns1.example.net. A 192.0.2.31");
    internet
}

/// The outcome in one sentence.
pub(crate) fn outcome(findings: &Findings) -> String {
    match &findings.outcome {
        Outcome::Delegation(delegation) => delegation.to_string(),
        Outcome::NotDelegated(reason) => format!("no: {reason}"),
        Outcome::Unknown(reason) => format!("unknown: {reason}"),
    }
}

pub(crate) fn check(internet: &mut Internet, domain: &str, expected: &str) {
    let findings = internet.walk(domain, config(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(outcome(&findings), expected, "\n{}", findings.evidence);
}

pub(crate) const DELEGATED: &str = "com. delegates example.com. to ns1.example.net., ns2.example.net.";

#[test]
fn two_servers_of_the_parent_that_agree_make_a_delegation() {
    let mut internet = tree();
    check(&mut internet, "Example.COM", DELEGATED);
    assert_eq!(internet.asked.len(), 4, "one question to each server of the root and of com.");
    let findings = internet.walk("example.com", config(&["192.0.2.1"]));
    let ours = Ours::all(&["ns1.example.net".parse().unwrap(), "ns2.example.net".parse().unwrap()]);
    assert_eq!(findings.judge(&ours).to_string(), DELEGATED);
}

#[test]
fn a_name_without_a_cut_is_not_delegated_even_if_it_has_records_or_names_below() {
    for domain in ["plain.com", "ent.com", "b.ent.com"] {
        check(&mut tree(), domain, "no: the name is part of the zone com., which has no NS records for it");
    }
    check(&mut tree(), "a.plain.com", "no: there is no such name in com.");
    check(&mut tree(), "nothing.com", "no: there is no such name in com.");
    check(&mut tree(), "x.y.z.nothing.com", "no: there is no such name in com.");
    check(&mut tree(), "nothing", "no: there is no such name in .");
    check(&mut tree(), ".", "no: the root has no parent that could delegate it");
}

#[test]
fn an_alias_is_not_delegated() {
    check(&mut tree(), "alias.com", "no: the name is an alias by the CNAME record of alias.com.");
    check(&mut tree(), "www.moved.com", "no: the name is an alias by the DNAME record of moved.com.");
    check(&mut tree(), "a.b.moved.com", "no: the name is an alias by the DNAME record of moved.com.");
}

#[test]
fn a_top_level_domain_is_asked_for_at_the_root() {
    check(&mut tree(), "com", ". delegates com. to a.nic.com. [192.0.2.11], b.nic.com. [192.0.2.12]");
}

#[test]
fn a_zone_that_is_served_beside_its_parent_is_not_walked_past() {
    let mut internet = tree();
    // co.com and com have the same servers; only co.com knows the cut at example.co.com.
    internet
        .zone("com.", &[], "co.com. NS a.nic.com.\n co.com. NS b.nic.com.\n example.co.com. NS ns.stale.example.")
        .zone(
            "co.com.",
            &["192.0.2.11", "192.0.2.12"],
            "co.com. NS a.nic.com.
             co.com. NS b.nic.com.
             example.co.com. NS ns.example.net.",
        );
    // The addresses of co.com's servers are in com.
    check(&mut internet, "example.co.com", "co.com. delegates example.co.com. to ns.example.net.");
}

#[test]
fn one_answer_is_not_enough() {
    let mut internet = tree();
    internet.silent("192.0.2.12");
    let expected = "unknown: 1 name server(s) of com. gave a usable answer, 2 have to agree; try again later";
    check(&mut internet, "example.com", expected);
    check(&mut internet, "nothing.com", expected);
    let with_one = Config { servers_min: 1, ..config(&["192.0.2.1"]) };
    assert_eq!(outcome(&internet.walk("example.com", with_one)), DELEGATED);
}

#[test]
fn silence_is_never_a_no() {
    let mut internet = tree();
    internet.silent("192.0.2.11").silent("192.0.2.12");
    check(&mut internet, "nothing.com", "unknown: no name server of com. gave a usable answer; try again later");
    let asked = |internet: &Internet, server: &str| {
        internet.asked.iter().filter(|asked| asked.server.ip().to_string() == server).count()
    };
    assert_eq!(asked(&internet, "192.0.2.11"), 2, "once again, then no more");
    let mut dark = Internet::default();
    check(&mut dark, "example.com", "unknown: no name server of . gave a usable answer; try again later");
}

#[test]
fn servers_that_disagree_leave_it_open() {
    let disagree = |lie: fn(&Asked, &mut Message)| {
        let mut internet = tree();
        internet.lie("192.0.2.12", lie);
        let findings = internet.walk("example.com", config(&["192.0.2.1"]));
        assert!(
            matches!(findings.outcome, Outcome::Unknown(Unknown::Disagreement { .. })),
            "{}\n{}",
            outcome(&findings),
            findings.evidence
        );
    };
    disagree(|_, reply| reply.authorities.truncate(1));
    disagree(|_, reply| {
        reply.authorities.push(Record::from_rdata(name("example.com."), 1, record("x. NS ns3.example.").1));
    });
    disagree(|_, reply| {
        reply.metadata.authoritative = true;
        reply.metadata.response_code = ResponseCode::NXDomain;
        reply.authorities = vec![soa(&name("com."))];
    });
}

#[test]
fn errors_and_lame_servers_leave_it_open() {
    let expected = "unknown: no name server of com. gave a usable answer; try again later";
    let lies: [fn(&Asked, &mut Message); 10] = [
        |_, reply| reply.metadata.response_code = ResponseCode::ServFail,
        |_, reply| reply.metadata.response_code = ResponseCode::Refused,
        |_, reply| reply.metadata.response_code = ResponseCode::NotImp,
        // Nothing at all, and nothing with authority.
        |_, reply| reply.authorities.clear(),
        |_, reply| {
            reply.authorities.clear();
            reply.metadata.authoritative = true;
        },
        // A "no" without authority, or from the wrong zone.
        |_, reply| reply.authorities = vec![soa(&name("com."))],
        |_, reply| {
            reply.metadata.authoritative = true;
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.authorities = vec![soa(&Name::root())];
        },
        // Referrals upwards, to the zone itself, and sideways.
        |_, reply| reply.authorities = vec![Record::from_rdata(Name::root(), 1, record("x. NS a.nic.com.").1)],
        |_, reply| reply.authorities = vec![Record::from_rdata(name("com."), 1, record("x. NS a.nic.com.").1)],
        |_, reply| reply.authorities = vec![Record::from_rdata(name("other.com."), 1, record("x. NS a.nic.com.").1)],
    ];
    for lie in lies {
        let mut internet = tree();
        internet.lie("192.0.2.11", lie).lie("192.0.2.12", lie);
        check(&mut internet, "example.com", expected);
        let mut half = tree();
        half.lie("192.0.2.11", lie);
        let findings = half.walk("example.com", config(&["192.0.2.1"]));
        assert!(matches!(findings.outcome, Outcome::Unknown(Unknown::TooFewServers { answered: 1, .. })));
    }
}

#[test]
fn an_answer_with_the_ns_records_but_without_authority_is_a_resolvers() {
    let mut internet = tree();
    for server in ["192.0.2.11", "192.0.2.12"] {
        internet.lie(server, |_, reply| reply.answers = std::mem::take(&mut reply.authorities));
    }
    check(&mut internet, "example.com", "unknown: no name server of com. gave a usable answer; try again later");
}

#[test]
fn lost_packets_are_asked_for_again() {
    let mut internet = tree();
    for server in ["192.0.2.1", "192.0.2.2", "192.0.2.11", "192.0.2.12"] {
        let mut is_first = true;
        internet.fault(server, move |asked, reply| match std::mem::replace(&mut is_first, false) {
            true => Vec::new(),
            false => vec![Delivery::of(asked, &reply)],
        });
    }
    check(&mut internet, "example.com", DELEGATED);
}

#[test]
fn a_late_answer_is_not_waited_for_beyond_the_time_of_the_walk() {
    let mut internet = tree();
    for server in ["192.0.2.1", "192.0.2.2"] {
        internet.fault(server, |asked, reply| {
            vec![Delivery { after: Duration::from_secs(60), ..Delivery::of(asked, &reply) }]
        });
    }
    check(&mut internet, "example.com", "unknown: no name server of . gave a usable answer; try again later");
    let hasty = Config {
        limits: Limits { time_max: Duration::from_secs(2), ..Limits::default() },
        ..config(&["192.0.2.1", "192.0.2.2"])
    };
    let findings = internet.walk("example.com", hasty);
    assert_eq!(findings.outcome, Outcome::Unknown(Unknown::Time));
}

#[test]
fn the_time_of_an_answer_is_counted_from_when_its_query_was_sent() {
    let mut internet = tree();
    let config = config(&["192.0.2.1"]);
    let timeout = config.limits.timeout;
    let domain: NameBuf = "example.com".parse().unwrap();
    let mut walk = Walk::new(Arc::new(config), domain.as_name(), Wanted::NameServers, NOW, [7; 32]);
    // Who sends it had to wait for half of the time, and the answer took nearly all.
    let (sent, answered) = (timeout / 2, timeout * 3 / 2 - Duration::from_millis(1));
    let query = walk.next_query(Duration::ZERO).unwrap();
    walk.sent(query.token, sent);
    assert_eq!(walk.deadline(), Some(sent + timeout));
    walk.expire(timeout);
    let reply = internet.receive(query.server, query.transport, &query.packet).remove(0).what.unwrap();
    assert_eq!(walk.answer(query.token, query.server, &reply, answered), Heard::Settled);
    while let Some(query) = walk.next_query(answered) {
        let reply = internet.receive(query.server, query.transport, &query.packet).remove(0).what.unwrap();
        walk.answer(query.token, query.server, &reply, answered);
    }
    let findings = walk.findings().unwrap();
    assert_eq!(outcome(findings), DELEGATED, "\n{}", findings.evidence);
    assert_eq!(findings.evidence.steps[0].latency, answered - sent);
}

#[test]
fn a_huge_referral_is_not_used() {
    let crowd = |count: usize| {
        let mut internet = tree();
        let servers: String = (0..count).map(|i| format!("big.com. NS ns{i}.example.net.\n")).collect();
        internet.zone("com.", &[], &servers);
        internet.walk("big.com", config(&["192.0.2.1"])).outcome
    };
    let limit = Limits::default().name_servers_max;
    assert!(matches!(crowd(limit), Outcome::Delegation(delegation) if delegation.name_servers.len() == limit));
    assert!(matches!(crowd(limit + 1), Outcome::Unknown(Unknown::NoAnswer { .. })));
}

#[test]
fn a_parent_that_serves_the_child_as_well_hides_the_delegation() {
    let child = "example.com. NS ns1.example.net.\n example.com. NS ns2.example.net.";
    let mut one = tree();
    one.zone(".", &[], "com. NS c.nic.com.\n c.nic.com. A 192.0.2.13").zone("com.", &["192.0.2.13"], "").zone(
        "example.com.",
        &["192.0.2.11"],
        child,
    );
    check(&mut one, "example.com", DELEGATED);

    let mut all = tree();
    all.zone("example.com.", &["192.0.2.11", "192.0.2.12"], child);
    let hidden = "unknown: the name servers of com. serve the name as a zone of their own, which hides the delegation";
    check(&mut all, "example.com", hidden);
    let trusting = Config { hidden: HiddenDelegation::TrustApex, ..config(&["192.0.2.1"]) };
    assert_eq!(outcome(&all.walk("example.com", trusting.clone())), DELEGATED);

    // A zone that its parent does not even name is nobody's delegation, whoever is trusted.
    let mut foundling = tree();
    foundling.zone("stray.com.", &["192.0.2.11", "192.0.2.12"], "stray.com. NS ns1.example.net.");
    check(&mut foundling, "stray.com", "no: there is no such name in com.");
    assert_eq!(outcome(&foundling.walk("stray.com", trusting)), "no: there is no such name in com.");
}

#[test]
fn the_number_of_queries_is_bounded() {
    let mut internet = tree();
    // Every label leads to one more zone, all served by the same server.
    internet.fault("192.0.2.21", |asked, mut reply| {
        reply.metadata.response_code = ResponseCode::NoError;
        reply.answers.clear();
        reply.additionals.clear();
        let server = format!("ns.{} ", asked.qname.to_lowercase());
        reply.authorities = vec![Record::from_rdata(asked.qname.clone(), 1, record(&format!("x. NS {server}")).1)];
        let (owner, address) = record(&(server + "A 192.0.2.21"));
        reply.add_additional(Record::from_rdata(owner, 1, address));
        vec![Delivery::of(asked, &reply)]
    });
    let deep = "x.".repeat(60) + "net";
    for (limits, expected) in [
        (Limits::default(), "referrals_max"),
        (Limits { referrals_max: 5, ..Limits::default() }, "referrals_max"),
        (Limits { queries_max: 5, ..Limits::default() }, "queries_max"),
    ] {
        let findings = internet.walk(&deep, Config { limits, ..config(&["192.0.2.1"]) });
        match (&findings.outcome, expected) {
            (Outcome::Unknown(Unknown::Limit(limit)), expected) => assert_eq!(*limit, expected),
            _ => panic!("{}", outcome(&findings)),
        }
        assert!(findings.evidence.steps.len() <= limits.queries_max);
    }
}
