//! Years in the life of domains, on real daemons, by a clock that the tests hold.

use std::time::{SystemTime, UNIX_EPOCH};

use nss_wire::RType;

use crate::ds::{A1, A2, A3, A9, AB3, B4, DS_A, DS_B, send};
use crate::ownership::{NOERROR, REFUSED, ZONE, bearer, given, key, keyed, plain, put, served};
use crate::support::Api;
use crate::tree::{Deafness, OURS, Tree};

pub(crate) const DAY: u64 = 86_400;
const STATUS: &str = "/v1/zones/example.com/status";

/// Seconds since 1970, as the daemons have it.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Two days from now, when everything that was uploaded in a test is due.
fn start() -> u64 {
    now() + 2 * DAY
}

fn rcode(tree: &Tree) -> u16 {
    tree.ours.ask("www.example.com", RType::A).rcode
}

fn state(api: &Api) -> String {
    let status = api.call("GET", STATUS, &["Accept: application/json"], b"");
    assert_eq!(status.status, 200, "{}", status.text());
    status.json()["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_zone_whose_parent_points_elsewhere_is_adrift_then_parked_then_gone() {
    let tree = Tree::start(&plain("example"));
    let owner = given(&put(&tree.api(""), 1, None));
    let mut now = start();
    assert_eq!(tree.round(now), 1);
    assert_eq!(tree.round(now), 0, "a zone is due once a day");
    assert_eq!(state(&tree.api("")), "active");

    tree.delegate("example NS ns.example.org.\n");
    for _ in 0..6 {
        now += 2 * DAY;
        assert_eq!(tree.round(now), 1);
        if rcode(&tree) == REFUSED {
            break;
        }
        let api = tree.api("");
        assert_eq!(state(&api), "adrift");
        api.call("GET", STATUS, &[], b"").expect(200, &["delegated elsewhere since", "ns.example.org."]);
    }
    let away = now - start();
    assert!((7 * DAY..12 * DAY).contains(&away), "{away}");
    let api = tree.api("");
    assert_eq!(state(&api), "parked");
    api.call("GET", STATUS, &[], b"").expect(200, &["parked, not served; upload it again", "parked since 20"]);
    api.call("GET", ZONE, &[], b"").expect(200, &["192.0.2.1"]);
    put(&api, 2, Some(&owner)).expect(403, &["not delegated"]);

    now += 29 * DAY;
    assert_eq!(tree.round(now), 1);
    assert_eq!(tree.api("").call("GET", ZONE, &[], b"").status, 200);
    now += 2 * DAY;
    assert_eq!(tree.round(now), 1);
    tree.api("").call("GET", ZONE, &[], b"").expect(404, &[]);
    assert_eq!(tree.round(now + 100 * DAY), 0);
    // The next owner finds nothing of the last one, not even the pin.
    tree.delegate(&plain("example"));
    let next = given(&put(&tree.api(""), 3, None));
    put(&tree.api(""), 4, Some(&owner)).expect(403, &[]);
    put(&tree.api(""), 4, Some(&next)).expect(200, &[]);
}

#[test]
fn a_zone_that_resolvers_are_still_sent_to_by_one_name_is_not_parked() {
    // With the label of a key, and with a name that is no key's: our wildcard answers for it, too.
    let names = [OURS[0].to_owned(), format!("{}.{}", key().label(), OURS[1]), format!("old.label.{}", OURS[0])];
    for name in names {
        let tree = Tree::start(&plain("example"));
        let owner = given(&put(&tree.api(""), 1, None));
        tree.delegate(&format!("example NS ns.example.org.\nexample NS {name}\n"));
        let now = start();
        for days in [0, 8, 45] {
            assert_eq!(tree.round(now + days * DAY), 1);
            assert_eq!((rcode(&tree), state(&tree.api("")).as_str()), (NOERROR, "partly"), "{name}, {days}");
        }
        let api = tree.api("");
        let told = api.call("GET", STATUS, &[], b"");
        told.expect(200, &["example.com: partly, serial 1", "it stays served", "missing there:\n  ns"]);
        let json = api.call("GET", STATUS, &["Accept: application/json"], b"").json();
        assert_eq!(json["last_check"]["verdict"], "partly");
        // A change takes all of them.
        put(&api, 2, Some(&owner)).expect(403, &["not delegated to our name servers"]);
        tree.delegate("example NS ns.example.org.\n");
        for days in [47, 55] {
            tree.round(now + days * DAY);
        }
        assert_eq!(rcode(&tree), REFUSED, "nobody is sent here any more");
    }
}

#[test]
fn another_name_server_of_the_operators_parks_nobody() {
    let tree = Tree::start(&plain("example"));
    given(&put(&tree.api(""), 1, None));
    let more = format!("name_servers = [{:?}, {:?}, \"ns3.dns.example.net\"]", OURS[0], OURS[1]);
    let now = start();
    for days in [0, 8, 45] {
        assert_eq!(tree.round_with(&more, now + days * DAY), 1);
        assert_eq!(rcode(&tree), NOERROR);
    }
    let status = tree.api(&more).call("GET", STATUS, &[], b"");
    status.expect(200, &["example.com: partly", "missing there:\n  ns3.dns.example.net."]);
}

#[test]
fn the_pin_of_a_withdrawn_zone_is_kept_while_one_name_of_ours_is_at_the_parent() {
    let tree = Tree::start(&plain("example"));
    let owner = given(&put(&tree.api(""), 1, None));
    tree.api("").call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(200, &["withdrawn"]);
    tree.delegate(&format!("example NS ns.example.org.\nexample NS {}\n", OURS[0]));
    for days in [0, 8, 45] {
        assert_eq!(tree.round(start() + days * DAY), 1);
    }
    tree.delegate(&plain("example"));
    put(&tree.api(""), 2, None).expect(401, &[]);
}

#[test]
fn a_parked_zone_is_served_again_by_its_owners_upload_and_not_by_itself() {
    let tree = Tree::start(&plain("example"));
    let owner = given(&put(&tree.api(""), 1, None));
    let now = start();
    tree.delegate("example NS ns.example.org.\n");
    tree.round(now);
    tree.round(now + 8 * DAY);
    assert_eq!(rcode(&tree), REFUSED);
    tree.delegate(&plain("example"));
    assert_eq!(tree.round(now + 10 * DAY), 1);
    assert_eq!((rcode(&tree), state(&tree.api("")).as_str()), (REFUSED, "parked"));
    put(&tree.api(""), 1, Some(&key())).expect(403, &[]);
    put(&tree.api(""), 1, None).expect(401, &[]);
    // The very text that is stored already.
    put(&tree.api(""), 1, Some(&owner)).expect(200, &["published"]);
    assert_eq!((served(&tree), state(&tree.api("")).as_str()), (vec!["192.0.2.1".to_owned()], "active"));
}

#[test]
fn a_parked_zone_is_withdrawn_by_its_key() {
    let tree = Tree::start(&plain("example"));
    let owner = given(&put(&tree.api(""), 7, None));
    let now = start();
    tree.delegate("example NS ns.example.org.\n");
    tree.round(now);
    tree.round(now + 8 * DAY);
    assert_eq!(rcode(&tree), REFUSED);
    tree.api("").call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(403, &["not delegated"]);
    tree.delegate(&plain("example"));
    let api = tree.api("");
    api.call("DELETE", ZONE, &[], b"").expect(401, &[]);
    api.call("DELETE", ZONE, &[&bearer(&key())], b"").expect(403, &[]);
    let dry = api.call("DELETE", &format!("{ZONE}?dry_run=true"), &[&bearer(&owner)], b"");
    dry.expect(200, &["nothing was changed", "serial 7, 4 records"]);
    api.call("GET", ZONE, &[], b"").expect(200, &[]);
    api.call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(200, &["withdrawn, it had serial 7, 4 records"]);
    api.call("GET", ZONE, &[], b"").expect(404, &[]);
    api.call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(404, &[]);
    put(&api, 8, None).expect(401, &[]);
    put(&api, 8, Some(&owner)).expect(200, &["published"]);
}

#[test]
fn what_the_last_check_found_is_shown_with_its_time_when_nobody_can_be_asked_now() {
    let mut tree = Tree::start(&plain("example"));
    let owner = given(&put(&tree.api(""), 1, None));
    tree.delegate("example NS ns.example.org.\n");
    let now = 2_000_000_000;
    tree.round(now);
    let com = tree.com_addresses();
    tree.stop_com(Deafness::Refusing);
    let api = tree.api("");
    let told = api.call("GET", STATUS, &[], b"");
    told.expect(200, &["example.com: unknown, serial 1", "could not find out"]);
    let (live, kept) = told.text().split_once("\nwhat the last check found 2033-05-18T03:33:20Z:\n").unwrap();
    assert!(kept.starts_with("  com. delegates example.com. to ns.example.org.; that lacks ns1."), "{kept}");
    for server in com {
        assert!(
            kept.contains(&format!("  {server} (")) && kept.contains(".com.) for com., example.com. NS, "),
            "{server} {kept}"
        );
    }
    assert!(live.contains("\nwho was asked 20") && !live.contains("ns.example.org."), "{live}");
    let json = api.call("GET", STATUS, &["Accept: application/json"], b"").json();
    let last = &json["last_check"];
    assert_eq!((&last["checked_at"], &last["verdict"]), (&now.into(), &"not_delegated".into()));
    assert!(last["evidence"][0].as_str().unwrap().contains("to ns.example.org."), "{last}");
    assert!(last["evidence"].as_array().unwrap().len() >= 4, "the verdict, a root server and two of com.: {last}");
    let before = crate::life::now() - json["check"]["checked_at"].as_u64().unwrap();
    assert!(before <= 60, "what it shows now is a minute old at most");
    assert_eq!(json["check"]["state"], "unknown");
    // Of a zone that its owner withdrew there is the pin, and the checks go on.
    tree.resume_com();
    tree.delegate(&plain("example"));
    tree.api("").call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(200, &["withdrawn"]);
    tree.round(now + DAY);
    let told = tree.api("").call("GET", STATUS, &[], b"");
    told.expect(200, &["example.com: withdrawn, not served", "its first upload pinned", "what the last check found"]);
    let json = tree.api("").call("GET", STATUS, &["Accept: application/json"], b"").json();
    assert_eq!((&json["state"], &json["last_check"]["verdict"]), (&"withdrawn".into(), &"delegated".into()));
}

#[test]
fn who_comes_back_within_the_week_was_never_away() {
    let tree = Tree::start(&plain("example"));
    given(&put(&tree.api(""), 1, None));
    let now = start();
    for away in [0, 10, 20] {
        tree.delegate("example NS ns.example.org.\n");
        tree.round(now + away * DAY);
        tree.round(now + (away + 5) * DAY);
        tree.delegate(&plain("example"));
        tree.round(now + (away + 8) * DAY);
        assert_eq!((rcode(&tree), state(&tree.api("")).as_str()), (NOERROR, "active"));
    }
}

#[test]
fn a_parent_that_does_not_answer_parks_nobody() {
    let mut tree = Tree::start(&plain("example"));
    given(&put(&tree.api(""), 1, None));
    tree.delegate("example NS ns.example.org.\n");
    let now = start();
    tree.round(now);
    tree.stop_com(Deafness::Refusing);
    for day in 2..20 {
        assert_eq!(tree.round(now + day * DAY), 1);
        assert_eq!(rcode(&tree), NOERROR);
    }
    tree.resume_com();
    // It was adrift all the time, as is known now that the parent can be asked again.
    assert_eq!(tree.round(now + 20 * DAY), 1);
    assert_eq!(rcode(&tree), REFUSED);
}

#[test]
fn an_upload_during_a_round_is_not_parked_by_it() {
    let tree = Tree::start(&plain("example"));
    let owner = given(&put(&tree.api(""), 1, None));
    let now = start();
    tree.delegate("example NS ns.example.org.\n");
    tree.round(now);
    tree.delegate(&plain("example"));
    put(&tree.api(""), 2, Some(&owner)).expect(200, &[]);
    // What was written down of the version before is not held against this one.
    tree.delegate("example NS ns.example.org.\n");
    tree.round(now + 30 * DAY);
    assert_eq!(rcode(&tree), NOERROR);
    tree.round(now + 38 * DAY);
    assert_eq!(rcode(&tree), REFUSED);
}

#[test]
fn a_keyed_domain_goes_through_its_whole_life() {
    let [first, second, third] = [key(), key(), key()];
    let tree = Tree::start(&keyed("example", &[&first]));
    let mut now = start();
    put(&tree.api(""), 1, Some(&first)).expect(200, &["published"]);
    put(&tree.api(""), 2, Some(&first)).expect(200, &["replaced"]);
    // Roll-over.
    tree.delegate(&keyed("example", &[&first, &second]));
    put(&tree.api(""), 3, Some(&second)).expect(200, &[]);
    tree.delegate(&keyed("example", &[&second]));
    put(&tree.api(""), 4, Some(&first)).expect(403, &[]);
    tree.round(now);
    // Loss and recovery: the third key has never been seen before.
    tree.delegate(&keyed("example", &[&third]));
    put(&tree.api(""), 4, Some(&third)).expect(200, &[]);
    put(&tree.api(""), 5, Some(&second)).expect(403, &[]);
    // Away, and back in time.
    tree.delegate("example NS ns.example.org.\n");
    now += 5 * DAY;
    tree.round(now);
    put(&tree.api(""), 5, Some(&third)).expect(403, &["not delegated"]);
    assert_eq!(served(&tree), ["192.0.2.4"]);
    tree.delegate(&keyed("example", &[&third]));
    put(&tree.api(""), 5, Some(&third)).expect(200, &["replaced"]);
    // Away for good.
    tree.delegate("example NS ns.example.org.\n");
    for days in [5, 13, 45] {
        tree.round(now + days * DAY);
    }
    tree.api("").call("GET", ZONE, &[&bearer(&third)], b"").expect(404, &[]);
    assert_eq!(rcode(&tree), REFUSED);
}

#[test]
fn a_pinned_domain_goes_through_its_whole_life() {
    let tree = Tree::start("");
    let mut now = start();
    put(&tree.api(""), 1, None).expect(403, &["there is no such name"]);
    tree.delegate(&plain("example"));
    let first = given(&put(&tree.api(""), 1, None));
    put(&tree.api(""), 2, Some(&first)).expect(200, &["replaced"]);
    put(&tree.api(""), 3, None).expect(401, &[]);
    put(&tree.api(""), 3, Some(&key())).expect(403, &[]);
    assert_eq!((tree.round(now), state(&tree.api("")).as_str()), (1, "active"));
    // Another key in place of the pinned one: through the registrar, and the plain names again afterwards. So with one that was lost.
    let second = key();
    tree.delegate(&keyed("example", &[&second]));
    put(&tree.api(""), 3, Some(&second)).expect(200, &[]);
    tree.delegate(&plain("example"));
    put(&tree.api(""), 4, Some(&first)).expect(403, &[]);
    put(&tree.api(""), 4, Some(&second)).expect(200, &[]);
    // Withdrawn for a day, and nobody's meanwhile but the owner's.
    tree.api("").call("DELETE", ZONE, &[&bearer(&second)], b"").expect(200, &["withdrawn"]);
    now += 2 * DAY;
    assert_eq!((tree.round(now), rcode(&tree)), (1, REFUSED));
    put(&tree.api(""), 5, Some(&first)).expect(403, &[]);
    put(&tree.api(""), 5, Some(&second)).expect(200, &["published"]);
    // Away, and back in time.
    tree.delegate("example NS ns.example.org.\n");
    now += 2 * DAY;
    tree.round(now);
    put(&tree.api(""), 6, Some(&second)).expect(403, &["not delegated"]);
    assert_eq!((served(&tree), state(&tree.api("")).as_str()), (vec!["192.0.2.5".to_owned()], "adrift"));
    tree.delegate(&plain("example"));
    now += 2 * DAY;
    tree.round(now);
    assert_eq!(state(&tree.api("")), "active");
    // Sold: the buyer enters a label, and may have the plain names again.
    let buyer = key();
    tree.delegate(&keyed("example", &[&buyer]));
    put(&tree.api(""), 6, Some(&second)).expect(403, &[]);
    put(&tree.api(""), 6, Some(&buyer)).expect(200, &[]);
    tree.delegate(&plain("example"));
    put(&tree.api(""), 7, Some(&second)).expect(403, &[]);
    // Away for longer than a week, and back: parked until the owner sends it again.
    tree.delegate("example NS ns.example.org.\n");
    for _ in 0..2 {
        now += 8 * DAY;
        tree.round(now);
    }
    tree.delegate(&plain("example"));
    now += 2 * DAY;
    tree.round(now);
    assert_eq!((rcode(&tree), state(&tree.api("")).as_str()), (REFUSED, "parked"));
    put(&tree.api(""), 7, Some(&second)).expect(403, &[]);
    put(&tree.api(""), 7, Some(&buyer)).expect(200, &["published"]);
    // Away for good.
    tree.delegate("example NS ns.example.org.\n");
    for days in [2, 10, 42] {
        tree.round(now + days * DAY);
    }
    tree.api("").call("GET", ZONE, &[], b"").expect(404, &[]);
    assert_eq!((rcode(&tree), tree.round(now + 400 * DAY)), (REFUSED, 0));
    tree.delegate(&plain("example"));
    given(&put(&tree.api(""), 1, None));
}

#[test]
fn a_domain_that_ds_records_prove_goes_through_its_whole_life() {
    let tree = Tree::start(&(plain("example") + DS_A));
    let mut now = start();
    let send = |text| send(&tree.api(""), text, None);
    send(A1).expect(200, &["published"]);
    send(A2).expect(200, &["replaced"]);
    send(A1).expect(403, &["is not newer than 2"]);
    put(&tree.api(""), 3, Some(&key())).expect(403, &[]);
    assert_eq!((tree.round(now), state(&tree.api("")).as_str()), (1, "active"));
    // Roll-over: the DS record of the next key beside that of the old one, both sign, and the old one goes.
    send(B4).expect(403, &["none of them is of a key"]);
    tree.delegate(&(plain("example") + DS_A + DS_B));
    send(AB3).expect(200, &[]);
    tree.delegate(&(plain("example") + DS_B));
    send(A9).expect(403, &["none of them is of a key"]);
    send(B4).expect(200, &["replaced"]);
    // Lost or leaked: the registrar takes the DS record of another key, as it would for resolvers. Here it is the first one again.
    tree.delegate(&(plain("example") + DS_A));
    for old in [A3, AB3] {
        send(old).expect(403, &["is not newer than 3"]);
    }
    send(A9).expect(200, &["replaced"]);
    // Away, and back in time.
    tree.delegate("example NS ns.example.org.\n");
    now += 5 * DAY;
    tree.round(now);
    send(A9).expect(403, &["not delegated"]);
    assert_eq!((served(&tree), state(&tree.api("")).as_str()), (vec!["192.0.2.9".to_owned()], "adrift"));
    tree.delegate(&(plain("example") + DS_A));
    now += 2 * DAY;
    tree.round(now);
    assert_eq!(state(&tree.api("")), "active");
    send(A9).expect(200, &["unchanged"]);
    // No longer signed: nothing opens the zone that is not at the registrar, and a label there does.
    let owner = key();
    tree.delegate(&plain("example"));
    put(&tree.api(""), 10, Some(&owner)).expect(403, &["its parent's DS records prove"]);
    tree.delegate(&keyed("example", &[&owner]));
    put(&tree.api(""), 10, Some(&owner)).expect(200, &["replaced"]);
    tree.delegate(&plain("example"));
    put(&tree.api(""), 11, Some(&owner)).expect(200, &["replaced"]);
    // Signed again; the old copies are still old.
    tree.delegate(&(plain("example") + DS_A));
    send(A9).expect(403, &["is not newer than 9"]);
    // Away for good: not even the serials are left.
    tree.delegate("example NS ns.example.org.\n");
    for days in [2, 10, 42] {
        tree.round(now + days * DAY);
    }
    tree.api("").call("GET", ZONE, &[], b"").expect(404, &[]);
    assert_eq!(rcode(&tree), REFUSED);
    tree.delegate(&(plain("example") + DS_A));
    send(A1).expect(200, &["published"]);
}

#[test]
fn the_pin_of_a_withdrawn_zone_is_forgotten_when_the_parent_points_elsewhere() {
    let tree = Tree::start(&plain("example"));
    let owner = given(&put(&tree.api(""), 1, None));
    tree.api("").call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(200, &[]);
    let now = start();
    assert_eq!(tree.round(now), 1);
    put(&tree.api(""), 1, Some(&key())).expect(403, &[]);
    tree.delegate("example NS ns.example.org.\n");
    assert_eq!((tree.round(now + 2 * DAY), tree.round(now + 10 * DAY)), (1, 1));
    assert_eq!(tree.round(now + 100 * DAY), 0);
    tree.delegate(&plain("example"));
    given(&put(&tree.api(""), 1, None));
}
