//! Walks through an internet in a map: what is delegated, what is not, and what cannot be found out.

use std::time::Duration;

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Name, Record};
use nss_registrar_check::{
    AddressPolicy, Config, Findings, HiddenDelegation, Limits, Ours, Outcome, Said, Transport, Trust, Unknown,
};

use crate::internet::{Asked, Delivery, Internet, config, name, record, soa};

/// A root with two servers, a TLD with two, and example.com delegated to ns1 and ns2.example.net.
fn tree() -> Internet {
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
fn outcome(findings: &Findings) -> String {
    match &findings.outcome {
        Outcome::Delegation(delegation) => delegation.to_string(),
        Outcome::NotDelegated(reason) => format!("no: {reason}"),
        Outcome::Unknown(reason) => format!("unknown: {reason}"),
    }
}

fn check(internet: &mut Internet, domain: &str, expected: &str) {
    let findings = internet.walk(domain, config(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(outcome(&findings), expected, "\n{}", findings.evidence);
}

const DELEGATED: &str = "com. delegates example.com. to ns1.example.net., ns2.example.net.";

/// An OPT record with a cookie.
fn cookie(cookie: [u8; 16]) -> Edns {
    let mut edns = Edns::new();
    edns.options_mut().insert(EdnsOption::Unknown(10, cookie.to_vec()));
    edns
}

#[test]
fn two_servers_of_the_parent_that_agree_make_a_delegation() {
    let mut internet = tree();
    check(&mut internet, "Example.COM", DELEGATED);
    assert_eq!(internet.asked.len(), 3, "one question to the root, one to each server of com.");
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
fn forged_packets_are_not_believed() {
    let forge = |reply: &Message| {
        let mut forged = reply.clone();
        forged.authorities = vec![Record::from_rdata(name("example.com."), 1, record("x. NS ns.evil.example.").1)];
        forged
    };
    let before =
        |asked: &Asked, forged: Message| Delivery { after: Duration::from_millis(1), ..Delivery::of(asked, &forged) };
    let mut internet = tree();
    for server in ["192.0.2.11", "192.0.2.12"] {
        internet.fault(server, move |asked, reply| {
            let mut wrong_id = forge(&reply);
            wrong_id.metadata.id = wrong_id.metadata.id.wrapping_add(1);
            let mut wrong_name = forge(&reply);
            wrong_name.queries[0].set_name(name("example.org."));
            let mut wrong_cookie = forge(&reply);
            wrong_cookie.edns = Some(cookie([9; 16]));
            let elsewhere = Delivery { from: "192.0.2.66:53".parse().unwrap(), ..before(asked, forge(&reply)) };
            let garbage = Delivery { what: Ok(vec![0xff; 40]), ..before(asked, forge(&reply)) };
            let mut all = vec![elsewhere, garbage];
            all.extend([wrong_id, wrong_name, wrong_cookie].map(|forged| before(asked, forged)));
            all.push(Delivery::of(asked, &reply));
            all
        });
    }
    check(&mut internet, "example.com", DELEGATED);
    assert_eq!(internet.asked.len(), 3, "the forgeries were passed over");
}

#[test]
fn an_answer_without_proof_of_its_origin_is_asked_for_over_tcp() {
    // Without cookie, in another letter case, or after a flood: the forger is heard first, over UDP.
    let forgeries: [fn(&Asked, &Message) -> Vec<Message>; 3] = [
        |_, forged| {
            let mut forged = forged.clone();
            forged.edns = None;
            vec![forged]
        },
        |asked, forged| {
            let mut forged = forged.clone();
            forged.queries[0].set_name(asked.qname.to_lowercase());
            vec![forged]
        },
        |_, forged| {
            let ids = (0..100).map(|id| {
                let mut forged = forged.clone();
                forged.metadata.id = id;
                forged
            });
            ids.collect()
        },
    ];
    for forgery in forgeries {
        let mut internet = tree();
        for server in ["192.0.2.11", "192.0.2.12"] {
            internet.fault(server, move |asked, reply| {
                if asked.transport == Transport::Tcp {
                    return vec![Delivery::of(asked, &reply)];
                }
                let mut forged = reply.clone();
                forged.authorities = vec![Record::from_rdata(name("example.com."), 1, record("x. NS ns.evil.").1)];
                forgery(asked, &forged).iter().map(|forged| Delivery::of(asked, forged)).collect()
            });
        }
        check(&mut internet, "example.com", DELEGATED);
        let over_tcp = internet.asked.iter().filter(|asked| asked.transport == Transport::Tcp).count();
        assert_eq!(over_tcp, 2);
    }
}

#[test]
fn servers_without_cookies_are_believed_over_udp_when_configured() {
    let mut internet = tree();
    for server in ["192.0.2.1", "192.0.2.11", "192.0.2.12"] {
        internet.lie(server, |_, reply| reply.edns = None);
    }
    let trusting = Config { trust: Trust::MatchingUdp, ..config(&["192.0.2.1"]) };
    assert_eq!(outcome(&internet.walk("example.com", trusting)), DELEGATED);
    assert!(internet.asked.iter().all(|asked| asked.transport == Transport::Udp));
}

#[test]
fn a_truncated_answer_is_asked_for_over_tcp() {
    let truncate = |asked: &Asked, reply: &mut Message| {
        if asked.transport == Transport::Udp {
            reply.metadata.truncation = true;
            reply.authorities.truncate(1);
        }
    };
    let mut internet = tree();
    internet.lie("192.0.2.11", truncate).lie("192.0.2.12", truncate);
    check(&mut internet, "example.com", DELEGATED);
    internet.lie("192.0.2.11", |_, reply| reply.metadata.truncation = true);
    let findings = internet.walk("example.com", config(&["192.0.2.1"]));
    assert!(matches!(findings.outcome, Outcome::Unknown(Unknown::TooFewServers { .. })));
}

#[test]
fn servers_without_edns_are_asked_without() {
    for rcode in [ResponseCode::FormErr, ResponseCode::NotImp, ResponseCode::BADVERS] {
        let mut internet = tree();
        for server in ["192.0.2.11", "192.0.2.12"] {
            internet.lie(server, move |asked, reply| {
                reply.edns = (rcode == ResponseCode::BADVERS).then(Edns::new);
                if asked.message.edns.is_some() {
                    reply.metadata.response_code = rcode;
                    reply.authorities.clear();
                }
            });
        }
        check(&mut internet, "example.com", DELEGATED);
    }
}

#[test]
fn a_server_that_wants_its_cookie_back_gets_it() {
    let mut internet = tree();
    for server in ["192.0.2.11", "192.0.2.12"] {
        internet.lie(server, |asked, reply| {
            let sent = asked.message.edns.as_ref().and_then(|edns| edns.option(10.into()));
            let Some(EdnsOption::Unknown(_, sent)) = sent else { panic!("a query without cookie") };
            if sent.len() != 16 || sent[8..] != [1; 8] {
                reply.authorities.clear();
                reply.metadata.response_code = ResponseCode::BADCOOKIE;
            }
        });
    }
    check(&mut internet, "example.com", DELEGATED);
    internet.lie("192.0.2.11", |_, reply| reply.metadata.response_code = ResponseCode::BADCOOKIE);
    let findings = internet.walk("example.com", config(&["192.0.2.1"]));
    assert!(matches!(findings.outcome, Outcome::Unknown(Unknown::TooFewServers { .. })));
}

#[test]
fn addresses_of_name_servers_in_other_zones_are_looked_up() {
    let mut internet = tree();
    internet
        .zone("com.", &[], "sub.com. NS ns1.example.net.\n sub.com. NS ns6.example.net.")
        .zone(
            "example.net.",
            &["192.0.2.31"],
            "example.net. NS ns1.example.net.
             ns1.example.net. A 192.0.2.31
             ns6.example.net. AAAA 2001:db8::31",
        )
        .zone("sub.com.", &["192.0.2.31", "2001:db8::31"], "deep.sub.com. NS ns.example.org.");
    check(&mut internet, "deep.sub.com", "sub.com. delegates deep.sub.com. to ns.example.org.");
}

#[test]
fn zones_whose_servers_are_named_in_each_other_are_given_up() {
    let mut internet = tree();
    internet.zone("com.", &[], "a.com. NS ns.b.com.\n b.com. NS ns.a.com.\n own.com. NS ns.own.com.").zone(
        "a.com.",
        &[],
        "",
    );
    check(&mut internet, "x.a.com", "unknown: no name server of a.com. gave a usable answer; try again later");
    check(&mut internet, "x.own.com", "unknown: no name server of own.com. gave a usable answer; try again later");
    // That such a zone is delegated can be seen all the same.
    check(&mut internet, "a.com", "com. delegates a.com. to ns.b.com.");
}

#[test]
fn a_name_server_that_is_an_alias_is_not_followed() {
    let mut internet = tree();
    internet.zone("com.", &[], "sub.com. NS ns.example.net.").zone(
        "example.net.",
        &["192.0.2.31"],
        "ns.example.net. CNAME ns1.example.net.\n ns1.example.net. A 192.0.2.31",
    );
    check(&mut internet, "x.sub.com", "unknown: no name server of sub.com. gave a usable answer; try again later");
}

#[test]
fn glue_from_outside_the_zone_is_not_used() {
    let mut internet = tree();
    internet
        .zone("com.", &[], "sub.com. NS ns.example.net.\n sub.com. NS ns2.example.net.")
        .zone("example.net.", &["192.0.2.31"], "ns.example.net. A 192.0.2.31\n ns2.example.net. A 192.0.2.31")
        .zone("sub.com.", &["192.0.2.31"], "x.sub.com. NS ns.example.org.");
    for server in ["192.0.2.11", "192.0.2.12"] {
        internet.lie(server, |asked, reply| {
            if asked.qname.to_lowercase() == name("sub.com.") {
                let (owner, data) = record("ns.example.net. A 192.0.2.66");
                reply.add_additional(Record::from_rdata(owner, 1, data));
            }
        });
    }
    let with_one = Config { servers_min: 1, ..config(&["192.0.2.1"]) };
    assert_eq!(outcome(&internet.walk("x.sub.com", with_one)), "sub.com. delegates x.sub.com. to ns.example.org.");
    assert!(internet.asked.iter().all(|asked| asked.server.ip().to_string() != "192.0.2.66"));
}

#[test]
fn addresses_that_are_not_public_are_not_asked() {
    let mut internet = Internet::default();
    internet.zone(
        ".",
        &["198.41.0.4"],
        "com. NS a.nic.com.
         a.nic.com. A 127.0.0.1
         net. NS a.nic.net.
         a.nic.net. A 10.0.0.1
         a.nic.net. AAAA ::ffff:10.0.0.1",
    );
    let public = Config { addresses: AddressPolicy::Public, ..config(&["198.41.0.4", "192.168.0.1"]) };
    for domain in ["example.com", "example.net"] {
        let findings = internet.walk(domain, public.clone());
        assert!(matches!(findings.outcome, Outcome::Unknown(Unknown::NoAnswer { .. })));
        assert!(findings.evidence.steps.iter().any(|step| step.said == Said::NotPermitted));
    }
    assert!(internet.asked.iter().all(|asked| asked.server.ip().to_string() == "198.41.0.4"));
}

#[test]
fn unreachable_and_ipv6_only_servers_are_passed_over() {
    let mut internet = tree();
    internet
        .zone(".", &[], "org. NS a.nic.org.\n org. NS b.nic.org.\n org. NS c.nic.org.")
        .zone(
            ".",
            &[],
            "a.nic.org. A 192.0.2.99
             a.nic.org. AAAA 2001:db8::1
             b.nic.org. AAAA 2001:db8::2
             c.nic.org. A 192.0.2.98",
        )
        .zone("org.", &["2001:db8::1", "2001:db8::2"], "example.org. NS ns.example.net.");
    check(&mut internet, "example.org", "org. delegates example.org. to ns.example.net.");
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

#[test]
fn the_number_of_name_servers_whose_addresses_are_looked_up_is_bounded() {
    let mut internet = Internet::default();
    internet
        .zone(
            ".",
            &["192.0.2.1"],
            "com. NS ns1.nic.net.
             com. NS ns2.nic.net.
             net. NS a.net.
             a.net. A 192.0.2.21",
        )
        .zone("net.", &["192.0.2.21"], "ns1.nic.net. A 192.0.2.11\n ns2.nic.net. A 192.0.2.12")
        .zone(
            "com.",
            &["192.0.2.11", "192.0.2.12"],
            "example.com. NS ns1.example.net.\n example.com. NS ns2.example.net.",
        );
    // Two servers have to agree, and the root gives the addresses of neither.
    for (lookups_max, expected) in [
        (2, DELEGATED),
        (1, "unknown: 1 name server(s) of com. gave a usable answer, 2 have to agree; try again later"),
        (0, "unknown: no name server of com. gave a usable answer; try again later"),
    ] {
        let limits = Limits { lookups_max, ..Limits::default() };
        let findings = internet.walk("example.com", Config { limits, ..config(&["192.0.2.1"]) });
        assert_eq!(outcome(&findings), expected, "{lookups_max}\n{}", findings.evidence);
    }
}

#[test]
fn look_ups_for_look_ups_are_nested_only_so_deep() {
    let mut internet = Internet::default();
    // Whom to ask about com. is known in one., whom about that in two., and whom about that in three.
    internet
        .zone(
            ".",
            &["192.0.2.1"],
            "com. NS ns.one.
             one. NS ns.two.
             two. NS ns.three.
             three. NS a.three.
             a.three. A 192.0.2.33",
        )
        .zone("three.", &["192.0.2.33"], "ns.three. A 192.0.2.32")
        .zone("two.", &["192.0.2.32"], "ns.two. A 192.0.2.31")
        .zone("one.", &["192.0.2.31"], "ns.one. A 192.0.2.11")
        .zone("com.", &["192.0.2.11"], "example.com. NS ns1.example.net.\n example.com. NS ns2.example.net.");
    let unknown = "unknown: no name server of com. gave a usable answer; try again later";
    for (lookup_depth_max, expected) in [(3, DELEGATED), (2, unknown), (0, unknown)] {
        let limits = Limits { lookup_depth_max, ..Limits::default() };
        let findings = internet.walk("example.com", Config { limits, servers_min: 1, ..config(&["192.0.2.1"]) });
        assert_eq!(outcome(&findings), expected, "{lookup_depth_max}\n{}", findings.evidence);
    }
}
