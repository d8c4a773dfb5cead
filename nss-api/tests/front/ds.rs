//! Zones that prove themselves by the DS records at the parent, and copies of them in the hands of others.

use nss_wire::RType;

use crate::life::{DAY, now};
use crate::ownership::{NOERROR, REFUSED, ZONE, bearer, given, key, keyed, plain, put, served, zone};
use crate::support::{Api, Reply};
use crate::tree::Tree;

/// Zones signed by the keys A and B, each with the serial in its name, and `www` at 192.0.2.<serial>; valid until 2056.
pub(crate) const A1: &str = include_str!("../../../nssd/tests/signatures/owner/a1.zone");
pub(crate) const A2: &str = include_str!("../../../nssd/tests/signatures/owner/a2.zone");
pub(crate) const A3: &str = include_str!("../../../nssd/tests/signatures/owner/a3.zone");
pub(crate) const A9: &str = include_str!("../../../nssd/tests/signatures/owner/a9.zone");
pub(crate) const B4: &str = include_str!("../../../nssd/tests/signatures/owner/b4.zone");
/// By both keys, with the serial 3.
pub(crate) const AB3: &str = include_str!("../../../nssd/tests/signatures/owner/ab3.zone");
/// Signed by E: valid until 2056, in January of 2026 alone, and in 2055.
const E2: &str = include_str!("../../../nssd/tests/signatures/owner/e2.zone");
const E3: &str = include_str!("../../../nssd/tests/signatures/owner/e3.zone");
const E4: &str = include_str!("../../../nssd/tests/signatures/owner/e4.zone");
/// By A, with a delegation that nobody signs.
const CUT3: &str = include_str!("../../../nssd/tests/signatures/owner/cut3.zone");

/// DS records of the two keys, in the parent's zone.
pub(crate) const DS_A: &str =
    "example DS 11112 13 2 86C3E680B487614ADCD71B6CEAC812ACF22035909E3EDD60B29BF6EC65E083C5\n";
pub(crate) const DS_B: &str =
    "example DS 29937 13 2 7CD7DF920B2C770149DB624FB3FA1347DACEF0C4BDDC38E0D38F576C6C4E1D80\n";
const DS_E: &str = "example DS 49645 13 2 FA9AFEB5FF67B9CE466F4004D61CEA6EE12770A440EC3D8E615441D53C8B020C\n";
const DS_A_SHA_1: &str = "example DS 11112 13 1 CDFC073071C3CCABD1042B4E91C37F1B38CE8DA8\n";

pub(crate) fn send(api: &Api, text: &str, key: Option<&nss_api::key::Key>) -> Reply {
    let header = key.map(bearer);
    let headers: Vec<&str> = header.iter().map(String::as_str).collect();
    api.call("PUT", ZONE, &headers, text.as_bytes())
}

#[test]
fn a_zone_that_the_parents_ds_records_prove_needs_no_key() {
    let tree = Tree::start(&(plain("example") + DS_A));
    let api = tree.api("");
    let asked = api.call("GET", "/v1/delegation?domain=example.com", &[], b"");
    asked.expect(
        200,
        &["until the first upload pins a key\nor who signs it", "DS records at the parent:\n  11112 13 2 86C3"],
    );
    let first = send(&api, A1, None);
    first.expect(200, &["published with serial 1", "the DS records at the parent prove the zone", "newer serial"]);
    assert!(!first.text().contains("nss1_"));
    let json = api.call("PUT", ZONE, &["Accept: application/json"], A2.as_bytes()).json();
    assert_eq!(
        (&json["proof"], &json["key"], &json["change"]),
        (&"ds".into(), &serde_json::Value::Null, &"replaced".into())
    );
    assert_eq!(served(&tree), ["192.0.2.2"]);
    let asked = api.call("GET", "/v1/delegation?domain=example.com", &["Accept: application/json"], b"").json();
    assert_eq!((&asked["owner"], asked["ds"].as_array().unwrap().len()), (&"ds".into(), 1));
    // Nobody's key opens it, and no zone that the records do not prove.
    for key in [None, Some(&key())] {
        put(&api, 7, key).expect(403, &["its parent's DS records prove", "nothing was changed", "label of a key"]);
        send(&api, B4, key).expect(403, &["do not prove this zone: none of them is of a key"]);
        let headers: Vec<String> = key.map(bearer).into_iter().collect();
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        api.call("DELETE", ZONE, &headers, b"").expect(403, &["its parent's DS records prove"]);
    }
    let tree = tree.stop_ours().restart();
    assert_eq!(served(&tree), ["192.0.2.2"]);
    send(&tree.api("ownership = \"keyed\"\n"), A3, None).expect(200, &["replaced"]);
    put(&tree.api("ownership = \"keyed\"\n"), 7, None).expect(403, &["name servers name a key"]);
}

#[test]
fn an_old_signed_zone_is_no_proof_for_whoever_has_a_copy() {
    let tree = Tree::start(&(plain("example") + DS_A));
    let api = tree.api("");
    for text in [A1, A3] {
        send(&api, text, None).expect(200, &[]);
    }
    let thief = key();
    for text in [A1, A2] {
        for key in [None, Some(&thief)] {
            let refused = send(&api, text, key);
            refused.expect(403, &["is not newer than 3", "nothing was changed", "newer serial"]);
        }
    }
    // What is served can be had from here, octet for octet: to send it again changes nothing, and pins nothing.
    let copy = api.call("GET", ZONE, &[], b"").body;
    for key in [None, Some(&thief)] {
        send(&api, std::str::from_utf8(&copy).unwrap(), key).expect(200, &["unchanged"]);
    }
    put(&api, 7, Some(&thief)).expect(403, &[]);
    assert_eq!(served(&tree), ["192.0.2.3"]);
    // A newer one that somebody has from another name server of the owner's is what the owner signed, whoever sends it; and that is all.
    send(&api, A9, Some(&thief)).expect(200, &["replaced"]);
    put(&api, 7, Some(&thief)).expect(403, &["its parent's DS records prove"]);
}

#[test]
fn a_zone_that_was_withdrawn_or_parked_is_not_brought_back_by_a_copy() {
    let owner = key();
    let tree = Tree::start(&(plain("example") + DS_A));
    let api = tree.api("");
    send(&api, A1, Some(&owner)).expect(200, &["the key you sent is pinned"]);
    send(&api, A3, Some(&owner)).expect(200, &[]);
    // The owner may go back with the key.
    send(&api, A2, Some(&owner)).expect(200, &["replaced"]);
    send(&api, A3, None).expect(403, &["is not newer than 3"]);
    api.call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(200, &["withdrawn"]);
    let tree = tree.stop_ours().restart();
    for text in [A1, A2, A3] {
        send(&api, text, None).expect(403, &["is not newer than 3"]);
    }
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED);
    send(&api, A9, None).expect(200, &["published"]);
    // Parked, it waits for something newer than what it was.
    tree.delegate("example NS ns.example.org.\n");
    for days in [2, 10] {
        tree.round(now() + days * DAY);
    }
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED);
    tree.delegate(&(plain("example") + DS_A));
    send(&tree.api(""), A9, None).expect(403, &["is not newer than 9"]);
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED);
}

#[test]
fn what_is_unsigned_expired_or_changed_is_proved_by_no_ds_record() {
    let tree = Tree::start(&(plain("example") + DS_A + DS_E));
    let api = tree.api("");
    let owner = given(&put(&api, 1, None));
    send(&api, E3, None).expect(400, &["the signature of the SOA records expired"]);
    send(&api, &A3.replace("192.0.2.3", "192.0.2.66"), None).expect(400, &["wrong"]);
    let added = format!("{A3}\nmail.example.com. 300 IN A 192.0.2.66\n");
    send(&api, &added, None).expect(400, &["no signature"]);
    let unsigned: String = A3.replace("RRSIG\tA 13 3 300", "RRSIG\tTXT 13 3 300");
    assert_ne!(unsigned, A3);
    send(&api, &unsigned, None).expect(400, &["no signature"]);
    // Delegations and their addresses have no signature of the zone's: whoever has a copy may have changed them.
    send(&api, CUT3, None).expect(401, &["do not prove this zone", "nobody signs the NS records of sub.example.com."]);
    send(&api, CUT3, Some(&key())).expect(403, &["nobody signs the NS records of sub.example.com."]);
    put(&api, 2, None).expect(401, &["first upload pinned"]);
    assert_eq!(served(&tree), ["192.0.2.1"]);
    send(&api, CUT3, Some(&owner)).expect(200, &["replaced"]);
}

#[test]
fn a_zone_is_proved_while_its_signatures_are_valid_and_not_before_or_after() {
    let tree = Tree::start(&(plain("example") + DS_E));
    for ownership in ["", "ownership = \"keyed\"\n"] {
        let api = tree.api(ownership);
        for (text, word) in [(E3, "expired"), (E4, "is valid from 20550101000000 on")] {
            for key in [None, Some(&key())] {
                let refused = send(&api, text, key);
                refused.expect(400, &["the signature of the SOA records", word, "nothing was changed"]);
                // By the time alone: the signatures are those of the records and of the key.
                assert!(!refused.text().contains("wrong"), "{}", refused.text());
            }
        }
    }
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED);
    send(&tree.api(""), E2, None).expect(200, &["the DS records at the parent prove the zone"]);
    send(&tree.api(""), E3, None).expect(400, &["expired"]);
    assert_eq!(served(&tree), ["192.0.2.2"]);
}

#[test]
fn copies_of_a_signed_zone_do_not_use_up_the_domains_quota() {
    let tree = Tree::start(&(plain("example") + DS_A));
    let quotas = "[quotas]\nuploads_per_domain_per_minute = 1000\nuploads_per_domain_per_day = 3\nuploads_per_network_per_minute = 1000\n";
    let api = tree.api(quotas);
    send(&api, A2, None).expect(200, &["published"]);
    for _ in 0..5 {
        send(&api, A1, None).expect(403, &["is not newer than 2"]);
        send(&api, A2, None).expect(200, &["unchanged"]);
    }
    send(&api, A3, None).expect(200, &["replaced"]);
    send(&api, A9, None).expect(200, &["replaced"]);
    send(&api, A9, None).expect(429, &["example.com was changed too often"]);
}

#[test]
fn a_squatter_who_pinned_first_is_driven_out_by_a_signed_zone() {
    let tree = Tree::start(&(plain("example") + DS_A));
    let api = tree.api("");
    let squatter = key();
    // With a signed zone even, and a serial that the owner's signer will not reach.
    send(&api, B4, Some(&squatter)).expect(200, &["the key you sent is pinned"]);
    put(&api, 6, Some(&squatter)).expect(200, &[]);
    send(&api, A1, None).expect(200, &["replaced"]);
    assert_eq!(served(&tree), ["192.0.2.1"]);
    put(&api, 7, Some(&squatter)).expect(403, &["its parent's DS records prove"]);
    send(&api, B4, Some(&squatter)).expect(403, &[]);
}

#[test]
fn a_ds_record_counts_as_the_parents_servers_agree_on_it_and_not_by_sha_1() {
    let both = plain("example") + DS_A;
    let tree = Tree::start_split(&both, &(plain("example") + DS_B));
    let owner = given(&put(&tree.api(""), 1, None));
    let refused = send(&tree.api(""), A2, None);
    refused.expect(503, &["could not find out which DS records", "nothing was changed"]);
    assert!(refused.header("retry-after").is_some());
    // Who has the key needs no DS record.
    send(&tree.api(""), A2, Some(&owner)).expect(200, &[]);
    let tree = Tree::start(&(plain("example") + DS_A_SHA_1));
    given(&put(&tree.api(""), 1, None));
    send(&tree.api(""), A2, None).expect(401, &["such as SHA-1"]);
    // Records that are gone count no longer, and those of another domain never did.
    tree.delegate(&(plain("example") + &DS_A.replace("example DS", "other DS") + &plain("other")));
    send(&tree.api(""), A2, None).expect(401, &[]);
}

#[test]
fn a_label_at_the_parent_goes_before_ds_records() {
    let owner = key();
    let tree = Tree::start(&(keyed("example", &[&owner]) + DS_A));
    let api = tree.api("");
    send(&api, A1, None).expect(401, &["changed with its key only"]);
    send(&api, A1, Some(&key())).expect(403, &["not the key of"]);
    send(&api, A1, Some(&owner)).expect(200, &["published"]);
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, NOERROR);
    // When the label is removed, the DS records are enough.
    tree.delegate(&(plain("example") + DS_A));
    send(&tree.api(""), A2, None).expect(200, &["the DS records at the parent prove the zone"]);
}

#[test]
fn ds_records_of_a_child_count_where_its_parent_is_hosted_here_too() {
    const SUB: [&str; 2] = [
        include_str!("../../../nssd/tests/signatures/owner/sub1.zone"),
        include_str!("../../../nssd/tests/signatures/owner/sub2.zone"),
    ];
    const DS: &str = "sub DS 51135 13 2 79FDCEE72974335A21C757BF2216B9C6F7E8DAE3C57E1A289B0BFC0A32A4F616\n";
    let owner = key();
    let tree = Tree::start(&keyed("example", &[&owner]));
    let parent = |serial, ds: &str| {
        let text = zone(serial) + &plain("sub") + ds;
        tree.api("").call("PUT", ZONE, &[&bearer(&owner)], text.as_bytes()).expect(200, &[]);
    };
    let send = |text: &str| tree.api("").call("PUT", "/v1/zones/sub.example.com", &[], text.as_bytes());
    parent(1, DS);
    send(SUB[0]).expect(200, &["the DS records at the parent prove the zone"]);
    // From now on our servers answer for the child from the child, and the records are read from the parent's zone as it is stored here.
    send(SUB[0]).expect(200, &["unchanged"]);
    parent(2, &DS_B.replace("example", "sub"));
    send(SUB[1]).expect(403, &["none of them is of a key"]);
    parent(3, "");
    send(SUB[1]).expect(403, &["its parent's DS records prove"]);
    parent(4, DS);
    send(SUB[1]).expect(200, &["replaced"]);
}
