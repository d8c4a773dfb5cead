//! Zones that are served before their delegation: for registries that ask first, and of no use to anybody else.

use std::sync::atomic::{AtomicU64, Ordering};

use nss_api::key::Key;
use nss_wire::{NameBuf, RType};
use nssd::clock::Clock;
use nssd::control::{Client, PutOptions};

use crate::life::{DAY, now};
use crate::ownership::{NOERROR, REFUSED, ZONE, bearer, given, key, keyed, plain, put, served, zone};
use crate::support::{Api, Reply};
use crate::tree::{Deafness, OURS, Tree};

const STATUS: &str = "/v1/zones/example.com/status";
const HOUR: u64 = 3600;

/// The zone with `serial`, whose own NS set names our servers with the label of `key`.
pub(crate) fn carrying(serial: u32, key: &Key) -> String {
    OURS.iter().fold(zone(serial), |text, server| {
        text.replace(&format!("@ NS {server}"), &format!("@ NS {}.{server}", key.label()))
    })
}

/// Uploads the zone with `serial` and the label of `key`, with that key.
pub(crate) fn claim(api: &Api, serial: u32, key: &Key) -> Reply {
    claim_of(api, "example.com", serial, key)
}

fn claim_of(api: &Api, domain: &str, serial: u32, key: &Key) -> Reply {
    api.call("PUT", &format!("/v1/zones/{domain}"), &[&bearer(key)], carrying(serial, key).as_bytes())
}

fn rcode(tree: &Tree) -> u16 {
    tree.ours.ask("www.example.com", RType::A).rcode
}

fn state(api: &Api) -> String {
    api.call("GET", STATUS, &["Accept: application/json"], b"").json()["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_zone_that_carries_its_keys_label_is_served_before_its_delegation() {
    let owner = key();
    // The domain is somebody else's to serve today, and ours once its registry has seen that we answer.
    for before in ["", "example NS ns.example.org.\n"] {
        let tree = Tree::start(before);
        let api = tree.api("");
        let first = claim(&api, 1, &owner);
        let entered = format!("\n  {}.{}\n", owner.label(), OURS[0]);
        first.expect(
            200,
            &["example.com: published with serial 1", "it is pending: served until 20", "registrar", &entered],
        );
        let answer = tree.ours.ask("example.com", RType::NS);
        assert!(answer.is_authoritative && answer.data[0].starts_with("k-"), "{answer:?}");
        let json =
            api.call("PUT", ZONE, &["Accept: application/json", &bearer(&owner)], carrying(2, &owner).as_bytes());
        let json = json.json();
        assert_eq!((&json["proof"], &json["key"]), (&"pending".into(), &serde_json::Value::Null));
        assert!(
            json["pending_until"].as_u64().unwrap() <= now() + 72 * HOUR
                && json["enter"].as_array().unwrap().len() == 2
        );
        assert_eq!((served(&tree), state(&api).as_str()), (vec!["192.0.2.2".to_owned()], "pending"));
        let told = api.call("GET", STATUS, &[], b"");
        told.expect(
            200,
            &["example.com: pending, serial 2", "before its delegation until 20", "who has the key that claims it"],
        );
        let asked = api.call("GET", "/v1/delegation?domain=example.com", &["Accept: application/json"], b"").json();
        assert_eq!((&asked["state"], &asked["owner"]), (&"not_delegated".into(), &"claimant".into()));
        assert_eq!(asked["pending"]["is_contested"], false);
        // The registry is content.
        let tree = tree.stop_ours().restart();
        tree.delegate(&keyed("example", &[&owner]));
        assert_eq!(tree.round(now() + HOUR), 1);
        assert_eq!((served(&tree), state(&tree.api("")).as_str()), (vec!["192.0.2.2".to_owned()], "active"));
        let api = tree.api("");
        put(&api, 3, Some(&key())).expect(403, &["not the key of"]);
        put(&api, 3, Some(&owner)).expect(200, &["replaced"]);
        // It is the pinned key, as if it had been active from the first.
        tree.delegate(&plain("example"));
        put(&tree.api(""), 4, None).expect(401, &[]);
        put(&tree.api(""), 4, Some(&owner)).expect(200, &[]);
    }
}

#[test]
fn an_upload_after_the_delegation_needs_no_check_to_be_active() {
    let owner = key();
    let tree = Tree::start("");
    claim(&tree.api(""), 1, &owner).expect(200, &[]);
    tree.delegate(&keyed("example", &[&owner]));
    // The very same text.
    let reply = claim(&tree.api(""), 1, &owner);
    reply.expect(200, &[]);
    assert!(!reply.text().contains("pending"), "{}", reply.text());
    assert_eq!(state(&tree.api("")), "active");
    assert_eq!((tree.round(now() + HOUR), tree.round(now() + 4 * DAY)), (0, 1), "it is due as all others are");
    assert_eq!((rcode(&tree), state(&tree.api("")).as_str()), (NOERROR, "active"));
}

#[test]
fn a_zone_without_the_label_or_the_key_is_not_served_before_its_delegation() {
    let (owner, other) = (key(), key());
    let tree = Tree::start("example NS ns.example.org.\n");
    let api = tree.api("");
    let words = ["not delegated to our name servers", "nothing was changed"];
    put(&api, 1, None).expect(403, &words);
    api.call("PUT", ZONE, &[], carrying(1, &owner).as_bytes()).expect(403, &words);
    let told = put(&api, 1, Some(&owner));
    told.expect(403, &words);
    told.expect(403, &["if your registry wants our servers to answer", &format!("  {}.{}", owner.label(), OURS[1])]);
    api.call("PUT", ZONE, &[&bearer(&other)], carrying(1, &owner).as_bytes()).expect(403, &words);
    // Below another name a label is none.
    let elsewhere = zone(1) + &format!("@ NS {}.ns.example.org.\n", owner.label());
    api.call("PUT", ZONE, &[&bearer(&owner)], elsewhere.as_bytes()).expect(403, &words);
    assert_eq!(rcode(&tree), REFUSED);
    for config in ["[pending]\nzones_max = 0\n", "[lifecycle]\nrechecks = false\n", "ownership = \"open\"\n"] {
        claim(&tree.api(config), 1, &owner).expect(403, &words);
    }
    let small = tree.api("[pending]\nsize_max = 100\n");
    claim(&small, 1, &owner).expect(403, &["cannot be served before that", "100 are the most"]);
    // Dry runs say what would be, and claim nothing.
    let dry = api.call("PUT", &format!("{ZONE}?dry_run=true"), &[&bearer(&owner)], carrying(1, &owner).as_bytes());
    dry.expect(200, &["nothing was changed", "it is pending"]);
    assert_eq!(rcode(&tree), REFUSED);
    claim(&tree.api("ownership = \"keyed\"\n"), 1, &owner).expect(200, &["it is pending"]);
}

#[test]
fn two_keys_that_claim_a_domain_keep_each_other_from_it_until_one_stands_at_the_registrar() {
    let (owner, rival) = (key(), key());
    let tree = Tree::start("");
    let api = tree.api("");
    claim(&api, 1, &owner).expect(200, &[]);
    let refused = claim(&api, 2, &rival);
    refused.expect(409, &["two keys claim example.com.", "registrar", "label of your key"]);
    assert_eq!(rcode(&tree), REFUSED);
    claim(&api, 3, &owner).expect(409, &["two keys claim example.com."]);
    let status = api.call("GET", STATUS, &[], b"");
    status.expect(200, &["example.com: contested, not served", "two keys claim it before its delegation"]);
    assert!(!status.text().contains(&owner.label().to_string()) && !status.text().contains(&rival.label().to_string()));
    // Nothing of it decides when the registrar does.
    tree.delegate(&keyed("example", &[&owner]));
    let decided = tree.api("");
    claim(&decided, 2, &rival).expect(403, &["not the key of"]);
    claim(&decided, 3, &owner).expect(200, &["published"]);
    assert_eq!((served(&tree), state(&decided).as_str()), (vec!["192.0.2.3".to_owned()], "active"));
}

#[test]
fn contested_claims_end_together_and_the_name_is_free_again() {
    let tree = Tree::start("");
    let (one, two) = (key(), key());
    let api = tree.api("");
    claim(&api, 1, &one).expect(200, &[]);
    claim(&api, 2, &two).expect(409, &[]);
    assert_eq!(tree.round(now() + 70 * HOUR), 0);
    claim(&api, 1, &one).expect(409, &[]);
    assert_eq!(tree.round(now() + 73 * HOUR), 1);
    api.call("GET", STATUS, &[], b"").expect(404, &[]);
    claim(&api, 1, &one).expect(200, &["it is pending"]);
}

#[test]
fn a_pending_zone_is_gone_after_three_days() {
    let owner = key();
    let tree = Tree::start("example NS ns.example.org.\n");
    claim(&tree.api(""), 1, &owner).expect(200, &[]);
    let start = now();
    for hours in [1, 20, 40, 71] {
        assert_eq!(tree.round(start + hours * HOUR), 1);
        assert_eq!(rcode(&tree), NOERROR, "{hours}");
    }
    assert_eq!(tree.round(start + 73 * HOUR), 1);
    assert_eq!(rcode(&tree), REFUSED);
    tree.api("").call("GET", ZONE, &[], b"").expect(404, &[]);
    assert_eq!(tree.round(start + 30 * DAY), 0);
}

#[test]
fn a_domain_that_is_delegated_by_the_plain_names_is_not_its_claimants() {
    let (squatter, owner) = (key(), key());
    let tree = Tree::start("example NS ns.example.org.\n");
    claim(&tree.api(""), 6, &squatter).expect(200, &[]);
    // The owner knows nothing of it, and changes to our plain names.
    tree.delegate(&plain("example"));
    assert_eq!(tree.round(now() + HOUR), 1);
    assert_eq!(rcode(&tree), REFUSED, "nobody is answered from what nobody proved");
    put(&tree.api(""), 1, Some(&owner)).expect(200, &["the key you sent is pinned"]);
    put(&tree.api(""), 7, Some(&squatter)).expect(403, &["not the key of"]);
    // The same without a check between: the upload ends the claim.
    let tree = Tree::start("example NS ns.example.org.\n");
    claim(&tree.api(""), 6, &squatter).expect(200, &[]);
    tree.delegate(&plain("example"));
    let pinned = given(&put(&tree.api(""), 1, None));
    claim(&tree.api(""), 7, &squatter).expect(403, &["not the key of"]);
    put(&tree.api(""), 2, Some(&pinned)).expect(200, &[]);
    assert_eq!(served(&tree), ["192.0.2.2"]);
    // With a label at the parent that is not the claimant's.
    let tree = Tree::start("");
    claim(&tree.api(""), 6, &squatter).expect(200, &[]);
    tree.delegate(&keyed("example", &[&owner]));
    assert_eq!(tree.round(now() + HOUR), 1);
    assert_eq!(rcode(&tree), REFUSED);
}

#[test]
fn a_domain_that_points_here_in_part_is_nobodys_to_claim() {
    let (squatter, owner) = (key(), key());
    let elsewhere = "example NS ns.example.org.\n";
    let half = format!("{elsewhere}example NS {}\n", OURS[0]);
    let half_keyed = format!("{elsewhere}example NS {}.{}\n", owner.label(), OURS[0]);
    for (delegation, key, status) in
        [(&half, &squatter, 403), (&half_keyed, &squatter, 403), (&half_keyed, &owner, 200)]
    {
        let tree = Tree::start(delegation);
        let reply = claim(&tree.api(""), 1, key);
        let word = if status == 403 { "names a server of ours already" } else { "it is pending" };
        reply.expect(status, &[word]);
    }
    let tree = Tree::start(elsewhere);
    claim(&tree.api(""), 1, &squatter).expect(200, &[]);
    tree.delegate(&half);
    assert_eq!(tree.round(now() + HOUR), 1);
    assert_eq!(rcode(&tree), REFUSED, "half of the queries come here now");
}

#[test]
fn a_pending_zone_shadows_no_other() {
    let (owner, tenant, squatter) = (key(), key(), key());
    let tree = Tree::start(&(keyed("example", &[&owner]) + "other NS ns.example.org.\n"));
    let api = tree.api("");
    let parent = zone(1) + "new NS ns.example.org.\nhere A 192.0.2.9\n" + &keyed("sub.new2", &[&tenant]);
    api.call("PUT", ZONE, &[&bearer(&owner)], parent.as_bytes()).expect(200, &[]);
    // What the owner has, has not, and delegates elsewhere.
    for domain in ["here.example.com", "none.example.com", "new.example.com", "new2.example.com"] {
        let reply = claim_of(&api, domain, 1, &squatter);
        assert!(matches!(reply.status, 403 | 503), "{domain}: {}", reply.text());
    }
    assert_eq!(tree.ours.ask("here.example.com", RType::A).data, ["192.0.2.9"]);
    // Nor where the domain above is elsewhere: it may come here tomorrow, and find its names taken.
    let far = Tree::start("www.example NS ns.example.org.\n");
    for domain in ["www.example.com", "none.example.com"] {
        let refused = claim_of(&far.api(""), domain, 1, &squatter);
        refused.expect(403, &[&format!("{domain} is not delegated to our name servers")]);
    }
    // A zone that is adrift is served for its owner, who may return.
    tree.delegate("example NS ns.example.org.\nother NS ns.example.org.\n");
    assert_eq!(tree.round(now() + 2 * DAY), 1);
    let refused = claim(&tree.api(""), 5, &squatter);
    refused.expect(403, &["cannot be served before that", "pinned to another key, from when it was delegated"]);
    claim(&tree.api(""), 5, &owner)
        .expect(403, &["cannot be served before that", "stored here from when it was delegated"]);
    assert_eq!(served(&tree), ["192.0.2.1"]);
    // A pending zone answers for itself alone: aliases of other tenants do not lead into it.
    claim_of(&tree.api(""), "other.com", 1, &squatter).expect(200, &[]);
    tree.delegate(&keyed("example", &[&owner]));
    let alias = zone(2) + "alias CNAME www.other.com.\n";
    tree.api("").call("PUT", ZONE, &[&bearer(&owner)], alias.as_bytes()).expect(200, &[]);
    assert_eq!(tree.ours.ask("alias.example.com", RType::A).data, ["www.other.com."]);
    assert_eq!(tree.ours.ask("www.other.com", RType::A).data, ["192.0.2.1"]);
}

#[test]
fn pending_zones_are_few_and_fewer_from_one_network() {
    let owner = key();
    let tree = Tree::start("");
    for (config, whose) in [("zones_max = 1\n", "there are 1"), ("zones_per_network_max = 1\n", "from this network")] {
        let api = tree.api(&format!("[pending]\n{config}"));
        claim(&api, 1, &owner).expect(200, &[]);
        let refused = claim_of(&api, "other.com", 1, &owner);
        refused.expect(429, &[whose, "nothing was changed", "registrar"]);
        assert!(refused.header("retry-after").is_some());
        claim(&api, 2, &owner).expect(200, &[]);
        api.call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(200, &["withdrawn"]);
    }
    assert_eq!(rcode(&tree), REFUSED);
    // What a stranger claims does not count against the domain's own quota.
    let quotas = "[quotas]\nuploads_per_domain_per_minute = 1\nuploads_per_network_per_minute = 1000\n";
    let api = tree.api(quotas);
    for serial in 1..5 {
        claim(&api, serial, &owner).expect(200, &[]);
    }
}

#[test]
fn a_delegation_that_appears_while_a_claim_is_uploaded_counts_as_it_is_at_the_end() {
    let squatter = key();
    let tree = Tree::start("example NS ns.example.org.\n");
    let api = tree.api("");
    let text = carrying(1, &squatter);
    let (first, second) = text.split_at(text.len() / 2);
    let mut connection = api.connect();
    let head = format!("PUT {ZONE} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(&squatter));
    connection.send(format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", text.len()).as_bytes());
    // The server is at the body now.
    assert_eq!(connection.reply("PUT").status, 100);
    connection.send(first.as_bytes());
    tree.delegate(&plain("example"));
    connection.send(second.as_bytes());
    // It is an upload like all others then, and pins a key as the first one does.
    connection.reply("PUT").expect(200, &["the key you sent is pinned"]);
    // Pointed here in part it would have been nobody's.
    let tree = Tree::start("example NS ns.example.org.\n");
    let api = tree.api("");
    let mut connection = api.connect();
    connection.send(format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", text.len()).as_bytes());
    assert_eq!(connection.reply("PUT").status, 100);
    connection.send(first.as_bytes());
    tree.delegate(&format!("example NS ns.example.org.\nexample NS {}\n", OURS[0]));
    connection.send(second.as_bytes());
    connection.reply("PUT").expect(403, &["names a server of ours already"]);
}

#[test]
fn a_pending_zone_is_withdrawn_by_its_key_and_no_other() {
    let owner = key();
    let tree = Tree::start("");
    let api = tree.api("");
    claim(&api, 1, &owner).expect(200, &[]);
    api.call("DELETE", ZONE, &[], b"").expect(403, &["not delegated"]);
    api.call("DELETE", ZONE, &[&bearer(&key())], b"").expect(403, &["not delegated"]);
    api.call("DELETE", &format!("{ZONE}?dry_run=true"), &[&bearer(&owner)], b"").expect(200, &["nothing was changed"]);
    assert_eq!(rcode(&tree), NOERROR);
    api.call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(200, &["withdrawn"]);
    assert_eq!(rcode(&tree), REFUSED);
    claim(&api, 1, &key()).expect(200, &["it is pending"]);
}

#[test]
fn a_parent_that_cannot_be_asked_begins_and_ends_no_claim() {
    let owner = key();
    let tree = Tree::start_split("example NS ns.example.org.\n", "");
    claim(&tree.api(""), 1, &owner).expect(503, &["could not find out", "nothing was changed"]);
    let mut tree = Tree::start("");
    claim(&tree.api(""), 1, &owner).expect(200, &[]);
    tree.stop_com(Deafness::Refusing);
    claim_of(&tree.api(""), "other.com", 1, &owner).expect(503, &["could not find out", "nothing was changed"]);
    for hours in [1, 73, 90] {
        assert_eq!(tree.round(now() + hours * HOUR), 1);
        assert_eq!(rcode(&tree), NOERROR, "it may be delegated here by now");
    }
    assert_eq!(tree.round(now() + 97 * HOUR), 1);
    assert_eq!(rcode(&tree), REFUSED);
}

#[test]
fn a_claim_that_becomes_due_during_a_long_round_does_not_wait_for_its_end() {
    const ZONES: usize = 150;
    let delegations: String = (0..ZONES).map(|n| plain(&format!("d{n}"))).collect();
    let tree = Tree::start(&delegations);
    let uploaded_at = now();
    tree.set_time(uploaded_at);
    let nssd = Client::new(tree.control_socket());
    let apex = |n: usize| format!("d{n}.com").parse::<NameBuf>().unwrap();
    for n in 0..ZONES {
        let put = tree.runtime.block_on(nssd.put_zone(apex(n).as_name(), zone(1).into(), &PutOptions::default()));
        assert_eq!(put.unwrap().serial, 1);
    }
    let begin = uploaded_at + 2 * DAY;
    tree.set_time(begin);
    claim(&tree.api("[lifecycle]\nround_s = 86400\n"), 1, &key()).expect(200, &["it is pending"]);
    // The claim is due eleven minutes later, and so long does the first batch take.
    let (calls, later) = (AtomicU64::new(0), begin + 11 * 60);
    let clock = Clock::new(move || if calls.fetch_add(1, Ordering::SeqCst) == 0 { begin } else { later });
    let report = tree.runtime.block_on(tree.rounds("", clock).round()).unwrap();
    assert_eq!((report.checked, report.failed), (ZONES + 1, 0));
    let checked_at = |name: &NameBuf| {
        let claim = tree.runtime.block_on(nssd.claim(name.as_name())).unwrap();
        claim.check.expect("it was checked").checked_at
    };
    assert_eq!(checked_at(&"example.com".parse().unwrap()), later);
    let first = (0..ZONES).filter(|&n| checked_at(&apex(n)) == begin).count();
    assert_eq!(first, 100, "as many are in a batch");
}
