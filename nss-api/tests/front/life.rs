//! Years in the life of domains, on real daemons, by a clock that the tests hold.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nss_api::key::Key;
use nss_wire::{NameBuf, RType};
use nssd::control::{Client, PutOptions};

use crate::ds::{A1, A2, A3, A9, AB3, B4, DS_A, DS_B, send};
use crate::ownership::{NOERROR, REFUSED, ZONE, bearer, given, key, keyed, plain, put, put_to, served};
use crate::support::{Api, PATIENCE, Reply};
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

/// Three domains on one tree, and the day it is there.
struct Town {
    tree: Tree,
    began_at: u64,
}

/// How a domain of each kind is hosted.
const KEYED: &str = "keyed.com";
const PINNED: &str = "pinned.com";
const SIGNED: &str = "example.com";
const ALL: [&str; 3] = [KEYED, PINNED, SIGNED];

/// A front whose own rounds would begin some days later: they are made when the test says so.
const NO_ROUNDS: &str = "[lifecycle]\nround_s = 4000000000\n";

impl Town {
    fn new() -> Town {
        let (tree, began_at) = (Tree::start(""), now());
        tree.set_time(began_at);
        Town { tree, began_at }
    }

    /// Checks what is due on that day, which all clocks show from now on; how many zones that were.
    fn round_on_day(&self, day: u64) -> usize {
        let now = self.began_at + day * DAY;
        self.tree.set_time(now);
        self.tree.round(now)
    }

    /// Has `com.` delegate the three domains, and a front be there that has seen nothing else.
    fn delegate(&self, keyed: &str, pinned: &str, signed: &str) -> Api {
        self.tree.delegate(&format!("{keyed}{pinned}{signed}"));
        self.tree.api(NO_ROUNDS)
    }

    fn delegate_elsewhere(&self) -> Api {
        let [keyed, pinned, signed] = ["keyed", "pinned", "example"].map(|name| format!("{name} NS ns.example.org.\n"));
        self.delegate(&keyed, &pinned, &signed)
    }

    /// What is served of the three.
    fn served(&self) -> [Option<String>; 3] {
        ALL.map(|domain| self.tree.ours.ask(&format!("www.{domain}"), RType::A).data.first().cloned())
    }

    fn states(&self) -> [String; 3] {
        let api = self.tree.api(NO_ROUNDS);
        ALL.map(|domain| {
            let status = api.call("GET", &format!("/v1/zones/{domain}/status"), &["Accept: application/json"], b"");
            status.json()["state"].as_str().unwrap_or("gone").to_owned()
        })
    }
}

fn upload(api: &Api, domain: &str, serial: u32, key: Option<&Key>) -> Reply {
    put_to(api, &format!("/v1/zones/{domain}"), serial, key)
}

fn at(hosts: [u8; 3]) -> [Option<String>; 3] {
    hosts.map(|host| Some(format!("192.0.2.{host}")))
}

#[test]
fn a_keyed_a_pinned_and_a_signed_domain_live_their_whole_lives_side_by_side() {
    let town = Town::new();
    let [k1, k2, k3, p2, p3, label, buyer, stranger] = [(); 8].map(|()| key());
    let keyed_by = |keys: &[&Key]| keyed("keyed", keys);
    let pinned_plain = plain("pinned");
    let signed_by = |ds: &str| plain("example") + ds;

    // Nobody delegates them here yet.
    let api = town.tree.api(NO_ROUNDS);
    for domain in ALL {
        upload(&api, domain, 1, Some(&k1)).expect(403, &["there is no such name"]);
    }
    // The first uploads, and changes by those who may.
    let api = town.delegate(&keyed_by(&[&k1]), &pinned_plain, &signed_by(DS_A));
    upload(&api, KEYED, 1, None).expect(401, &[]);
    upload(&api, KEYED, 1, Some(&k1)).expect(200, &["published"]);
    let p1 = given(&upload(&api, PINNED, 1, None));
    send(&api, A1, None).expect(200, &["published"]);
    upload(&api, KEYED, 2, Some(&k1)).expect(200, &["replaced"]);
    upload(&api, PINNED, 2, Some(&p1)).expect(200, &["replaced"]);
    send(&api, A2, None).expect(200, &["replaced"]);
    for domain in ALL {
        assert!(matches!(upload(&api, domain, 9, None).status, 401 | 403), "{domain}");
        upload(&api, domain, 9, Some(&stranger)).expect(403, &[]);
    }
    send(&api, A1, None).expect(403, &["is not newer than 2"]);
    assert_eq!((town.round_on_day(2), town.states()), (3, [(); 3].map(|()| "active".to_owned())));

    // Roll-over: both at first, then the next one alone.
    let api = town.delegate(&keyed_by(&[&k1, &k2]), &keyed("pinned", &[&p2]), &signed_by(&format!("{DS_A}{DS_B}")));
    upload(&api, KEYED, 3, Some(&k2)).expect(200, &[]);
    upload(&api, KEYED, 4, Some(&k1)).expect(200, &[]);
    upload(&api, PINNED, 3, Some(&p2)).expect(200, &[]);
    send(&api, AB3, None).expect(200, &[]);
    let api = town.delegate(&keyed_by(&[&k2]), &pinned_plain, &signed_by(DS_B));
    upload(&api, KEYED, 5, Some(&k1)).expect(403, &[]);
    upload(&api, KEYED, 5, Some(&k2)).expect(200, &[]);
    upload(&api, PINNED, 5, Some(&p1)).expect(403, &[]);
    upload(&api, PINNED, 5, Some(&p2)).expect(200, &[]);
    send(&api, A9, None).expect(403, &["none of them is of a key"]);
    send(&api, B4, None).expect(200, &["replaced"]);
    assert_eq!((town.round_on_day(4), town.served()), (3, at([5, 5, 4])));

    // Loss or a leak, and recovery at the registrar: the keys there have never been seen before, or long ago.
    let api = town.delegate(&keyed_by(&[&k3]), &keyed("pinned", &[&p3]), &signed_by(DS_A));
    upload(&api, KEYED, 6, Some(&k2)).expect(403, &[]);
    upload(&api, KEYED, 6, Some(&k3)).expect(200, &[]);
    upload(&api, PINNED, 6, Some(&p2)).expect(403, &[]);
    upload(&api, PINNED, 6, Some(&p3)).expect(200, &[]);
    for old in [A3, AB3] {
        send(&api, old, None).expect(403, &["is not newer than 3"]);
    }
    send(&api, A9, None).expect(200, &["replaced"]);
    let home = || town.delegate(&keyed_by(&[&k3]), &pinned_plain, &signed_by(DS_A));
    drop(home());

    // Away, and back within the week.
    let api = town.delegate_elsewhere();
    assert_eq!((town.round_on_day(6), town.states()), (3, [(); 3].map(|()| "adrift".to_owned())));
    for (domain, key) in [(KEYED, &k3), (PINNED, &p3), (SIGNED, &stranger)] {
        upload(&api, domain, 7, Some(key)).expect(403, &["not delegated"]);
    }
    send(&api, A9, None).expect(403, &["not delegated"]);
    assert_eq!(town.served(), at([6, 6, 9]));
    drop(home());
    assert_eq!((town.round_on_day(8), town.states()), (3, [(); 3].map(|()| "active".to_owned())));

    // Away for longer: parked, and not served again by the return alone, but by who was the owner before.
    drop(town.delegate_elsewhere());
    assert_eq!((town.round_on_day(10), town.served()), (3, at([6, 6, 9])));
    assert_eq!((town.round_on_day(18), town.served()), (3, [None, None, None]));
    let api = home();
    assert_eq!((town.round_on_day(20), town.served()), (3, [None, None, None]));
    assert_eq!(town.states(), [(); 3].map(|()| "parked".to_owned()));
    for (domain, key) in [(KEYED, &k2), (PINNED, &p2), (SIGNED, &stranger)] {
        upload(&api, domain, 7, Some(key)).expect(403, &[]);
    }
    upload(&api, KEYED, 6, Some(&k3)).expect(200, &["published"]);
    upload(&api, PINNED, 6, Some(&p3)).expect(200, &["published"]);
    // Anybody has a copy of that one. Its owner has signed nothing newer, and enters a label instead.
    send(&api, A9, None).expect(403, &["is not newer than 9"]);
    let api = town.delegate(&keyed_by(&[&k3]), &pinned_plain, &keyed("example", &[&label]));
    upload(&api, SIGNED, 10, Some(&label)).expect(200, &["published"]);
    assert_eq!((town.round_on_day(22), town.served()), (3, at([6, 6, 10])));

    // Withdrawn for some days, and nobody's meanwhile but the owners'.
    for (domain, key) in [(KEYED, &k3), (PINNED, &p3), (SIGNED, &label)] {
        api.call("DELETE", &format!("/v1/zones/{domain}"), &[&bearer(key)], b"").expect(200, &["withdrawn"]);
    }
    assert_eq!((town.round_on_day(24), town.served()), (3, [None, None, None]));
    assert_eq!(town.states(), [(); 3].map(|()| "withdrawn".to_owned()));
    for (domain, key) in [(KEYED, &k3), (PINNED, &p3), (SIGNED, &label)] {
        upload(&api, domain, 11, Some(&stranger)).expect(403, &[]);
        upload(&api, domain, 11, Some(key)).expect(200, &["published"]);
    }

    // Sold: the buyer enters a label, and may have the plain names again.
    let api = town.delegate(&keyed_by(&[&buyer]), &keyed("pinned", &[&buyer]), &keyed("example", &[&buyer]));
    for (domain, seller) in [(KEYED, &k3), (PINNED, &p3), (SIGNED, &label)] {
        upload(&api, domain, 12, Some(seller)).expect(403, &[]);
        upload(&api, domain, 12, Some(&buyer)).expect(200, &["replaced"]);
    }
    let api = town.delegate(&keyed_by(&[&buyer]), &pinned_plain, &plain("example"));
    for (domain, seller) in [(KEYED, &k3), (PINNED, &p3), (SIGNED, &label)] {
        upload(&api, domain, 13, Some(seller)).expect(403, &[]);
        upload(&api, domain, 13, Some(&buyer)).expect(200, &["replaced"]);
    }

    // Away for good, through a restart of the name server: first not served, then gone.
    drop(town.delegate_elsewhere());
    assert_eq!((town.round_on_day(26), town.served()), (3, at([13, 13, 13])));
    let town = Town { tree: town.tree.stop_ours().restart(), ..town };
    assert_eq!((town.round_on_day(34), town.served()), (3, [None, None, None]));
    assert_eq!(town.round_on_day(60), 3);
    assert_eq!(town.states(), [(); 3].map(|()| "parked".to_owned()));
    assert_eq!((town.round_on_day(66), town.states()), (3, [(); 3].map(|()| "gone".to_owned())));
    assert_eq!(town.round_on_day(400), 0);
    // The next owners find nothing of the last ones: no text, no pin, no serial.
    let api = town.delegate(&keyed("keyed", &[&stranger]), &plain("pinned"), &(plain("example") + DS_A));
    upload(&api, KEYED, 1, Some(&stranger)).expect(200, &["published"]);
    given(&upload(&api, PINNED, 1, None));
    send(&api, A1, None).expect(200, &["published"]);
    assert_eq!(town.served(), at([1, 1, 1]));
}

#[test]
fn the_daemon_makes_its_rounds_by_itself_and_by_the_periods_that_are_configured() {
    let tree = Tree::start(&plain("example"));
    let uploaded_at = now();
    tree.set_time(uploaded_at);
    given(&put(&tree.api("[lifecycle]\nrechecks = false\n"), 1, None));
    tree.delegate("example NS ns.example.org.\n");
    let nssd = Client::new(tree.control_socket());
    let checked_at = || {
        let apex: NameBuf = "example.com".parse().unwrap();
        tree.runtime.block_on(nssd.claim(apex.as_name())).unwrap().check.map(|check| check.checked_at)
    };
    let _api = tree.api("[lifecycle]\nround_s = 1\nrecheck_hours = 10\nadrift_days = 2\nparked_days = 3\n");
    // Ten hours, a tenth more or less.
    let first = uploaded_at + 12 * 3600;
    tree.set_time(first);
    until(|| checked_at() == Some(first));
    assert_eq!(served(&tree), ["192.0.2.1"]);
    let almost = first + 2 * DAY - 1;
    tree.set_time(almost);
    until(|| checked_at() == Some(almost));
    assert_eq!(served(&tree), ["192.0.2.1"]);
    let parked = almost + 12 * 3600;
    tree.set_time(parked);
    until(|| rcode(&tree) == REFUSED);
    assert_eq!(checked_at(), Some(parked));
    let kept = parked + 3 * DAY - 1;
    tree.set_time(kept);
    until(|| checked_at() == Some(kept));
    tree.set_time(kept + 12 * 3600);
    until(|| checked_at().is_none());
    tree.api("").call("GET", ZONE, &[], b"").expect(404, &[]);
}

#[test]
fn zones_that_were_uploaded_at_one_moment_have_their_first_checks_all_over_the_hours_about_a_day_later() {
    const ZONES: usize = 40;
    let delegations: String = (0..ZONES).map(|n| plain(&format!("d{n}"))).collect();
    let tree = Tree::start(&delegations);
    let uploaded_at = now();
    tree.set_time(uploaded_at);
    let nssd = Client::new(tree.control_socket());
    for n in 0..ZONES {
        let apex = format!("d{n}.com").parse::<NameBuf>().unwrap();
        let (text, options) = (crate::ownership::zone(1), PutOptions::default());
        tree.runtime.block_on(nssd.put_zone(apex.as_name(), text.into(), &options)).unwrap();
    }
    let day = 24 * 3600;
    let checked = [day * 9 / 10 - 1, day * 19 / 20, day, day * 21 / 20, day * 11 / 10 + 1]
        .map(|after| tree.round(uploaded_at + after));
    assert!(checked[0] == 0 && checked[1..].iter().all(|&n| n > 0), "{checked:?}");
    assert!(checked.iter().sum::<usize>() >= ZONES, "{checked:?}");
    // It is checked when it is said to be.
    let tree = Tree::start(&plain("example"));
    given(&put(&tree.api(""), 1, None));
    let status = tree.api("").call("GET", STATUS, &["Accept: application/json"], b"").json();
    let next = status["next_check_at"].as_u64().unwrap();
    assert_eq!((tree.round(next - 1), tree.round(next)), (0, 1));
}

/// Waits until it is so.
pub(crate) fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
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
