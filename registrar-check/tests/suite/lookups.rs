//! The addresses of name servers: looked up where a referral lacks them, and asked where they may be.

use hickory_proto::rr::Record;
use nss_registrar_check::{AddressPolicy, Config, Limits, Outcome, Said, Unknown};

use crate::internet::{Internet, config, name, record};
use crate::walk::{DELEGATED, check, outcome, tree};

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
