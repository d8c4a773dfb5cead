//! Whose zone it is, told by what stands at the parent and by keys: real daemons, a real tree, real attackers.
//!
//! A front remembers a delegation for a minute. Where a test changes one and is not about that, it goes on with a front of its own.

use nss_api::key::Key;
use nss_wire::RType;

use crate::life::{DAY, now, until};
use crate::relay::{Answer, Relay};
use crate::support::{Api, Reply};
use crate::tree::{Deafness, OURS, Tree};

pub(crate) const ZONE: &str = "/v1/zones/example.com";
pub(crate) const NOERROR: u16 = 0;
pub(crate) const REFUSED: u16 = 5;

/// `name` delegated to the plain names of our servers.
pub(crate) fn plain(name: &str) -> String {
    OURS.iter().map(|server| format!("{name} NS {server}\n")).collect()
}

/// `name` delegated to the names with the labels of `keys`.
pub(crate) fn keyed(name: &str, keys: &[&Key]) -> String {
    let names = keys.iter().flat_map(|key| OURS.iter().map(move |server| format!("{}.{server}", key.label())));
    names.map(|server| format!("{name} NS {server}\n")).collect()
}

pub(crate) fn key() -> Key {
    Key::generate().unwrap()
}

pub(crate) fn bearer(key: &Key) -> String {
    format!("Authorization: Bearer {}", key.reveal())
}

pub(crate) fn zone(serial: u32) -> String {
    let [a, b] = OURS;
    format!("$TTL 300\n@ SOA {a} hostmaster {serial} 1800 900 604800 300\n@ NS {a}\n@ NS {b}\nwww A 192.0.2.{serial}\n")
}

/// Uploads the zone with `serial`, with a key or without.
pub(crate) fn put(api: &Api, serial: u32, key: Option<&Key>) -> Reply {
    put_to(api, ZONE, serial, key)
}

pub(crate) fn put_to(api: &Api, target: &str, serial: u32, key: Option<&Key>) -> Reply {
    let header = key.map(bearer);
    let headers: Vec<&str> = header.iter().map(String::as_str).collect();
    api.call("PUT", target, &headers, zone(serial).as_bytes())
}

pub(crate) fn served(tree: &Tree) -> Vec<String> {
    tree.ours.ask("www.example.com", RType::A).data
}

/// The key that a first upload was given.
pub(crate) fn given(reply: &Reply) -> Key {
    reply.expect(200, &["this key was made for the domain", "shown this once"]);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let line = reply.text().lines().map(str::trim).find(|line| line.starts_with("nss1_")).unwrap();
    line.parse().unwrap()
}

#[test]
fn a_live_zone_is_not_overwritten_without_its_key() {
    let tree = Tree::start(&plain("example"));
    let api = tree.api("");
    let owner = given(&put(&api, 1, None));
    for (stranger, status, words) in [(None, 401, "changed with its key only"), (Some(key()), 403, "not the key of")] {
        let refused = put(&api, 2, stranger.as_ref());
        refused.expect(status, &[words, "nothing was changed", "POST /v1/keys", "registrar"]);
        assert_eq!(refused.header("www-authenticate"), (status == 401).then_some("Bearer realm=\"zones\""));
        assert!(!refused.text().contains(owner.reveal()));
        let header = stranger.as_ref().map(bearer);
        let headers: Vec<&str> = header.iter().map(String::as_str).collect();
        assert_eq!(api.call("DELETE", ZONE, &headers, b"").status, status);
    }
    assert_eq!(served(&tree), ["192.0.2.1"]);
    put(&api, 2, Some(&owner)).expect(200, &["replaced"]);
    assert_eq!(served(&tree), ["192.0.2.2"]);
    api.call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(200, &["withdrawn"]);
    assert_eq!(tree.ours.ask("www.example.com", RType::A).rcode, REFUSED);
}

#[test]
fn a_key_that_comes_with_the_first_upload_is_pinned_and_not_made_anew() {
    let tree = Tree::start(&plain("example"));
    let api = tree.api("");
    let owner = key();
    let first = put(&api, 1, Some(&owner));
    first.expect(200, &["published", "the key you sent is pinned"]);
    assert!(!first.text().contains("nss1_"));
    put(&api, 2, None).expect(401, &[]);
    put(&api, 2, Some(&owner)).expect(200, &[]);
    let json = api.call("PUT", ZONE, &["Accept: application/json", &bearer(&owner)], zone(3).as_bytes()).json();
    assert_eq!((&json["proof"], &json["key"]), (&"pinned".into(), &serde_json::Value::Null));
    let refused = api.call("PUT", ZONE, &["Accept: application/json"], zone(3).as_bytes());
    assert_eq!((refused.status, &refused.json()["code"]), (401, &"key-missing".into()));
}

#[test]
fn a_dry_run_pins_nothing() {
    let tree = Tree::start(&plain("example"));
    let api = tree.api("");
    let dry = put_to(&api, "/v1/zones/example.com?dry_run=true", 1, None);
    dry.expect(200, &["no key is pinned to the domain yet"]);
    assert!(!dry.text().contains("nss1_"));
    put_to(&api, "/v1/zones/example.com?dry_run=true", 1, Some(&key())).expect(200, &[]);
    given(&put(&api, 1, None));
}

#[test]
fn an_upload_that_fails_pins_nothing() {
    let tree = Tree::start(&plain("example"));
    let api = tree.api("");
    let refused = api.call("PUT", ZONE, &["If-Match: *", &bearer(&key())], zone(1).as_bytes());
    refused.expect(412, &[]);
    api.call("PUT", ZONE, &[&bearer(&key())], b"@ A\n").expect(400, &[]);
    given(&put(&api, 1, None));
}

#[test]
fn the_race_before_the_first_upload_has_one_winner() {
    let tree = Tree::start(&plain("example"));
    let api = tree.api("");
    let keys: Vec<Key> = (0..6).map(|_| key()).collect();
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let uploads: Vec<_> = keys
            .iter()
            .zip(1..)
            .map(|(key, serial)| {
                scope.spawn({
                    let api = &api;
                    move || put(api, serial, Some(key))
                })
            })
            .collect();
        uploads.into_iter().map(|upload| upload.join().unwrap()).collect()
    });
    let winners: Vec<usize> = (0..6).filter(|&n| replies[n].status == 200).collect();
    assert_eq!(winners.len(), 1, "{replies:?}");
    // Who came between the look at the pin and the commit is told so; who came later has the wrong key.
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 403 | 409)), "{replies:?}");
    let winner = winners[0];
    assert_eq!(served(&tree), [format!("192.0.2.{}", winner + 1)]);
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(put(&api, 9, Some(key)).status, if n == winner { 200 } else { 403 });
    }
}

/// A front that reaches our name server through a relay only.
fn behind(tree: &Tree, relay: &Relay) -> Api {
    let [direct, relayed] = [tree.control_socket(), relay.socket()].map(|socket| format!("{socket:?}"));
    Api::start(&tree.config("").replace(&direct, &relayed))
}

#[test]
fn who_loses_the_race_is_told_so_and_what_an_owner_does_then() {
    let tree = Tree::start(&plain("example"));
    let (held, at_commit) = std::sync::mpsc::channel();
    let (go, gone) = std::sync::mpsc::channel();
    let gone = std::sync::Arc::new(std::sync::Mutex::new(gone));
    let relay = Relay::start(tree.control_socket(), move || {
        held.send(()).unwrap();
        gone.lock().unwrap().recv().unwrap();
        Answer::Passed
    });
    let (slow, fast) = (behind(&tree, &relay), tree.api(""));
    let (owner, squatter) = (key(), key());
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| put(&slow, 1, Some(&owner)));
        // The pin was looked at, and there was none.
        at_commit.recv().unwrap();
        put(&fast, 6, Some(&squatter)).expect(200, &["the key you sent is pinned"]);
        go.send(()).unwrap();
        let overtaken = upload.join().unwrap();
        overtaken.expect(
            409,
            &["somebody else pinned a key", "nothing was changed", "POST /v1/keys", "its label at the registrar"],
        );
    });
    assert_eq!(served(&tree), ["192.0.2.6"]);
    tree.delegate(&keyed("example", &[&owner]));
    put(&tree.api(""), 1, Some(&owner)).expect(200, &["replaced"]);

    // The same of a change with a key that was replaced meanwhile.
    tree.delegate(&plain("example"));
    std::thread::scope(|scope| {
        let slow = behind(&tree, &relay);
        let headers = ["Accept: application/json".to_owned(), bearer(&owner)];
        let upload = scope.spawn(move || {
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            slow.call("PUT", ZONE, &headers, zone(2).as_bytes())
        });
        at_commit.recv().unwrap();
        let other = key();
        tree.delegate(&keyed("example", &[&other]));
        put(&tree.api(""), 3, Some(&other)).expect(200, &["replaced"]);
        go.send(()).unwrap();
        let overtaken = upload.join().unwrap();
        assert_eq!((overtaken.status, &overtaken.json()["code"]), (409, &"overtaken".into()));
    });
    assert_eq!(served(&tree), ["192.0.2.3"]);
}

#[test]
fn a_key_that_may_be_pinned_is_shown_although_nobody_confirmed() {
    const UNCERTAIN: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 80\r\n\r\n\
                             {\"status\":503,\"title\":\"\",\"code\":\"uncertain\",\"detail\":\"the disk was not flushed\"}";
    for lost in [Answer::Lost, Answer::Replaced(UNCERTAIN)] {
        let tree = Tree::start(&plain("example"));
        let relay = Relay::start(tree.control_socket(), move || lost);
        let api = behind(&tree, &relay);
        let unconfirmed = put(&api, 1, None);
        unconfirmed.expect(
            503,
            &["may or may not have been changed", "keep the key", "send the zone again with it", "/status"],
        );
        assert_eq!(unconfirmed.header("cache-control"), Some("no-store"));
        assert!(unconfirmed.header("retry-after").is_some());
        let line = unconfirmed.text().lines().map(str::trim).find(|line| line.starts_with("nss1_")).unwrap();
        let owner: Key = line.parse().unwrap();
        // It was done, and the key is what opens it.
        assert_eq!(served(&tree), ["192.0.2.1"]);
        put(&tree.api(""), 2, None).expect(401, &[]);
        put(&tree.api(""), 2, Some(&owner)).expect(200, &["replaced"]);

        // Who has a key already is shown none, nor is who only tries.
        let with_key = api.call("PUT", ZONE, &["Accept: application/json", &bearer(&owner)], zone(3).as_bytes());
        let problem = with_key.json();
        assert_eq!(
            (with_key.status, &problem["code"], &problem["key"]),
            (503, &"uncertain".into(), &serde_json::Value::Null)
        );
        assert!(!with_key.text().contains("nss1_"));
    }
    // In JSON it is a member.
    let tree = Tree::start(&plain("example"));
    let relay = Relay::start(tree.control_socket(), || Answer::Lost);
    let problem = behind(&tree, &relay).call("PUT", ZONE, &["Accept: application/json"], zone(1).as_bytes()).json();
    assert_eq!((&problem["status"], &problem["code"]), (&503.into(), &"uncertain".into()));
    let owner: Key = problem["key"].as_str().unwrap().parse().unwrap();
    put(&tree.api(""), 1, Some(&owner)).expect(200, &["unchanged"]);
}

#[test]
fn the_label_at_the_parent_is_the_account() {
    let owner = key();
    let tree = Tree::start(&keyed("example", &[&owner]));
    let api = tree.api("");
    let refused = put(&api, 1, None);
    refused.expect(401, &["changed with its key only", &owner.label().to_string(), "com. delegates example.com. to"]);
    let stranger = key();
    put(&api, 1, Some(&stranger)).expect(403, &["not the key of", &stranger.label().to_string()]);
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED);
    put(&api, 1, Some(&owner)).expect(200, &["published"]);
    let json = api.call("PUT", ZONE, &["Accept: application/json", &bearer(&owner)], zone(2).as_bytes());
    assert_eq!((json.status, &json.json()["proof"]), (200, &"keyed".into()));
    // The zone's own NS set may name the servers with the label, too.
    let named = OURS
        .iter()
        .fold(zone(3), |text, server| text.replace(&format!("NS {server}"), &format!("NS {}.{server}", owner.label())));
    api.call("PUT", ZONE, &[&bearer(&owner)], named.as_bytes()).expect(200, &[]);
    assert_eq!(tree.ours.ask("example.com", RType::NS).data.len(), 2);
}

#[test]
fn a_key_is_rolled_over_and_the_old_one_revoked_at_the_registrar() {
    let (old, new) = (key(), key());
    let tree = Tree::start(&keyed("example", &[&old]));
    let api = tree.api("");
    put(&api, 1, Some(&old)).expect(200, &[]);
    put(&api, 2, Some(&new)).expect(403, &[]);
    tree.delegate(&keyed("example", &[&old, &new]));
    let both = tree.api("");
    put(&both, 3, Some(&new)).expect(200, &[]);
    put(&both, 4, Some(&old)).expect(200, &[]);
    tree.delegate(&keyed("example", &[&new]));
    let rolled = tree.api("");
    put(&rolled, 5, Some(&old)).expect(403, &["not the key of"]);
    put(&rolled, 5, Some(&new)).expect(200, &[]);
    assert_eq!(served(&tree), ["192.0.2.5"]);
}

#[test]
fn a_change_at_the_registrar_is_seen_when_what_is_known_is_too_old_and_not_before() {
    assert_eq!(nss_api::config::Config::default().parent.cache_s.get(), 60, "a minute at the latest");
    let [old, new] = [key(), key()];
    let tree = Tree::start(&keyed("example", &[&old]));
    let (slow, quick) = (tree.api_that_remembers(3600), tree.api_that_remembers(1));
    for api in [&slow, &quick] {
        put(api, 1, Some(&old)).expect(200, &[]);
    }
    put(&quick, 2, Some(&new)).expect(403, &[]);
    // The roll-over, by which the old key is revoked.
    tree.delegate(&keyed("example", &[&new]));
    until(|| put(&quick, 2, Some(&new)).status == 200);
    put(&quick, 3, Some(&old)).expect(403, &["not the key of"]);
    put(&slow, 3, Some(&old)).expect(200, &[]);
    // Who would be refused is not by what is known from more than ten seconds ago, however long a "yes" counts.
    until(|| put(&slow, 4, Some(&new)).status == 200);
    // The domain moves away. What is known of that is too old a second later as well.
    tree.delegate("example NS ns.example.org.\n");
    until(|| put(&quick, 4, Some(&new)).status == 403);
    put(&quick, 4, Some(&new)).expect(403, &["not delegated"]);
    put(&slow, 5, Some(&new)).expect(200, &[]);
    tree.delegate(&plain("example"));
    until(|| put(&quick, 5, Some(&new)).status == 200);
    put(&quick, 6, Some(&old)).expect(403, &["whose first upload pinned another one"]);
}

#[test]
fn two_keys_on_one_domain_are_two_people() {
    let [one, two] = [key(), key()];
    // Each of them on one of our servers: together they cover both.
    let delegation = format!("example NS {}.{}\nexample NS {}.{}\n", one.label(), OURS[0], two.label(), OURS[1]);
    let tree = Tree::start(&delegation);
    let api = tree.api("");
    put(&api, 1, Some(&one)).expect(200, &[]);
    put(&api, 2, Some(&two)).expect(200, &[]);
    put(&api, 3, Some(&key())).expect(403, &[]);
    put(&api, 3, None).expect(401, &[]);
    put(&api, 3, Some(&one)).expect(200, &[]);
}

#[test]
fn who_lost_a_key_enters_another_one_at_the_registrar() {
    let tree = Tree::start(&plain("example"));
    let api = tree.api("");
    drop(given(&put(&api, 1, None)));
    put(&api, 2, None).expect(401, &["who has lost it"]);
    let again = key();
    put(&api, 2, Some(&again)).expect(403, &[]);
    tree.delegate(&keyed("example", &[&again]));
    put(&tree.api(""), 2, Some(&again)).expect(200, &["replaced"]);
    // Back at the plain names the key stays the pinned one.
    tree.delegate(&plain("example"));
    let back = tree.api("");
    put(&back, 3, None).expect(401, &[]);
    put(&back, 3, Some(&again)).expect(200, &[]);
}

#[test]
fn a_squatter_who_pinned_first_is_driven_out_by_a_label() {
    let tree = Tree::start(&plain("example"));
    let api = tree.api("");
    let (squatter, owner) = (key(), key());
    put(&api, 6, Some(&squatter)).expect(200, &[]);
    put(&api, 1, Some(&owner)).expect(403, &["somebody else was first", "enters its names at the registrar"]);
    tree.delegate(&keyed("example", &[&owner]));
    let taken_back = tree.api("");
    put(&taken_back, 7, Some(&squatter)).expect(403, &[]);
    put(&taken_back, 1, Some(&owner)).expect(200, &["replaced"]);
    assert_eq!(served(&tree), ["192.0.2.1"]);
    tree.delegate(&plain("example"));
    let later = tree.api("");
    put(&later, 7, Some(&squatter)).expect(403, &[]);
    put(&later, 2, Some(&owner)).expect(200, &[]);
}

#[test]
fn a_domain_that_is_sold_is_the_buyers_with_the_first_label() {
    let (seller, buyer) = (key(), key());
    let tree = Tree::start(&keyed("example", &[&seller]));
    put(&tree.api(""), 1, Some(&seller)).expect(200, &[]);
    tree.delegate(&keyed("example", &[&buyer]));
    let sold = tree.api("");
    put(&sold, 2, Some(&seller)).expect(403, &[]);
    assert_eq!(sold.call("DELETE", ZONE, &[&bearer(&seller)], b"").status, 403);
    put(&sold, 2, Some(&buyer)).expect(200, &[]);
}

#[test]
fn a_domain_that_moves_away_cannot_be_changed_and_is_its_owners_when_it_returns() {
    let tree = Tree::start(&plain("example"));
    let owner = given(&put(&tree.api(""), 1, None));
    tree.delegate("example NS ns.example.org.\n");
    let away = tree.api("");
    for key in [None, Some(&owner)] {
        put(&away, 2, key).expect(403, &["not delegated to our name servers"]);
    }
    tree.delegate(&plain("example"));
    let back = tree.api("");
    put(&back, 2, None).expect(401, &[]);
    put(&back, 2, Some(&key())).expect(403, &[]);
    put(&back, 2, Some(&owner)).expect(200, &["replaced"]);
}

#[test]
fn a_withdrawn_zone_keeps_its_pin_while_the_parent_still_points_here() {
    let tree = Tree::start(&plain("example"));
    let api = tree.api("");
    let owner = given(&put(&api, 1, None));
    api.call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(200, &[]);
    put(&api, 2, None).expect(401, &[]);
    put(&api, 2, Some(&key())).expect(403, &[]);
    let tree = tree.stop_ours().restart();
    put(&api, 2, Some(&key())).expect(403, &[]);
    put(&api, 2, Some(&owner)).expect(200, &["published"]);
    drop(tree);
}

#[test]
fn look_alike_labels_are_no_keys() {
    let owner = key();
    let label = owner.label().to_string();
    let [a, b] = OURS;
    let mistyped = &label[..33];
    let names = |first: &str, second: &str| format!("example NS {first}\nexample NS {second}\n");
    for (what, delegation) in [
        (
            "below somebody else's name",
            names(&format!("{label}.ns1.example.org."), &format!("{label}.ns2.example.org.")),
        ),
        ("too short", names(&format!("{mistyped}.{a}"), &format!("{mistyped}.{b}"))),
        ("not directly in front", names(&format!("{label}.www.{a}"), &format!("{label}.www.{b}"))),
        ("behind another label", names(&format!("www.{label}.{a}"), &format!("www.{label}.{b}"))),
        (
            "in front of a part of our name",
            names(&format!("{label}.dns.example.net."), &format!("{label}.example.net.")),
        ),
    ] {
        let tree = Tree::start(&delegation);
        put(&tree.api(""), 1, Some(&owner)).expect(403, &["not delegated to our name servers"]);
        assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED, "{what}");
    }
    let tree = Tree::start(&names(&format!("{mistyped}.{a}"), &format!("{mistyped}.{b}")));
    put(&tree.api(""), 1, Some(&owner)).expect(403, &[&format!("{mistyped}.{a} has no label of a key"), "32 letters"]);
    // Beside the plain names such a label is no key either: the domain is pinned as others are.
    let tree = Tree::start(&(plain("example") + &names(&format!("{label}.www.{a}"), &format!("{mistyped}.{b}"))));
    let api = tree.api("");
    given(&put(&api, 1, None));
    put(&api, 2, Some(&owner)).expect(403, &[]);
    // Letter case and the final dot are no difference.
    let upper = label.to_uppercase();
    let tree = Tree::start(&names(&format!("{upper}.{}", a.to_uppercase()), &format!("{upper}.{b}")));
    put(&tree.api(""), 1, Some(&owner)).expect(200, &[]);
}

#[test]
fn mistyped_keys_are_told_apart_from_wrong_ones() {
    let owner = key();
    let tree = Tree::start(&keyed("example", &[&owner]));
    let api = tree.api("");
    let send = |text: &str| api.call("PUT", ZONE, &[&format!("Authorization: Bearer {text}")], zone(1).as_bytes());
    let text = owner.reveal();
    let wrong = if text.as_bytes()[8] == b'a' { 'b' } else { 'a' };
    let mistyped = format!("{}{wrong}{}", &text[..8], &text[9..]);
    for (sent, words) in [
        (mistyped.as_str(), "mistyped"),
        (&text[..40], "40 characters and should have 41"),
        (&text.replacen("nss1_", "nss1_0", 1), "typed for o"),
        ("secret", "begins with nss1_"),
    ] {
        let refused = send(sent);
        refused.expect(401, &[words, "nothing was changed"]);
        assert!(!refused.text().contains(&text[10..]), "{}", refused.text());
    }
    let basic = api.call("PUT", ZONE, &["Authorization: Basic YTpi"], zone(1).as_bytes());
    basic.expect(401, &["Authorization: Bearer"]);
    send(&text.to_uppercase()).expect(200, &[]);
}

#[test]
fn a_strict_server_takes_keyed_domains_only() {
    let owner = key();
    let tree = Tree::start(&(plain("example") + &keyed("keyed", &[&owner])));
    let api = tree.api("ownership = \"keyed\"\n");
    put(&api, 1, None).expect(403, &["name servers name a key", "POST /v1/keys"]);
    let refused = put(&api, 1, Some(&owner));
    refused.expect(403, &[&format!("  {}.{}", owner.label(), OURS[0])]);
    put_to(&api, "/v1/zones/keyed.com", 1, Some(&owner)).expect(200, &[]);
    put_to(&api, "/v1/zones/keyed.com", 2, None).expect(401, &[]);
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED);
}

#[test]
fn an_open_server_asks_nobody_for_a_key_and_leaves_pins_alone() {
    let tree = Tree::start(&plain("example"));
    let owner = given(&put(&tree.api(""), 1, None));
    let open = tree.api("ownership = \"open\"\n");
    let reply = put(&open, 2, None);
    reply.expect(200, &["mode of this server: open"]);
    assert!(!reply.text().contains("nss1_"));
    let closed = tree.api("");
    put(&closed, 3, None).expect(401, &[]);
    put(&closed, 3, Some(&owner)).expect(200, &[]);
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, NOERROR);
}

#[test]
fn a_parent_that_cannot_be_asked_is_no_reason_to_believe_or_to_refuse_a_key() {
    const STATUS: &str = "/v1/zones/example.com/status";
    for how in [Deafness::Refusing, Deafness::Silent] {
        let owner = key();
        let mut tree = Tree::start(&keyed("example", &[&owner]));
        put(&tree.api(""), 1, Some(&owner)).expect(200, &[]);
        tree.stop_com(how);
        let impatient = "[timeouts]\nparent_check_ms = 1000\n";
        let api = tree.api(impatient);
        for key in [Some(&owner), None] {
            let header = key.map(bearer);
            let headers: Vec<&str> = header.iter().map(String::as_str).collect();
            for refused in [put(&api, 2, key), api.call("DELETE", ZONE, &headers, b"")] {
                refused.expect(503, &["could not find out", "nothing was changed", "name server"]);
                assert!(refused.header("retry-after").is_some());
            }
        }
        api.call("GET", STATUS, &[], b"").expect(200, &["example.com: unknown, serial 1", "is not known", "com. NS"]);
        for days in [2, 10, 60] {
            assert_eq!(tree.round_with(impatient, now() + days * DAY), 1, "{how:?}");
            assert_eq!(served(&tree), ["192.0.2.1"], "{how:?}");
        }
        tree.resume_com();
        put(&tree.api(""), 2, Some(&owner)).expect(200, &["replaced"]);
        assert_eq!(served(&tree), ["192.0.2.2"]);
        tree.api("").call("DELETE", ZONE, &[&bearer(&owner)], b"").expect(200, &["withdrawn"]);
    }
}

#[test]
fn a_subdomain_of_a_hosted_zone_is_somebody_elses_only_when_that_zone_delegates_it() {
    let (owner, tenant) = (key(), key());
    let tree = Tree::start(&keyed("example", &[&owner]));
    let target = "/v1/zones/sub.example.com";
    let parent = |api: &Api, serial: u32, records: &str| {
        api.call("PUT", ZONE, &[&bearer(&owner)], (zone(serial) + records).as_bytes()).expect(200, &[]);
    };
    let api = tree.api("");
    parent(&api, 1, "sub TXT \"here\"\n");
    // Shadowing: a stranger would answer for a part of the owner's zone.
    for domain in ["sub.example.com", "www.example.com", "new.example.com", "a.b.example.com"] {
        let refused = put_to(&api, &format!("/v1/zones/{domain}"), 1, Some(&tenant));
        refused.expect(403, &["not delegated to our name servers", "example.com."]);
    }
    assert_eq!(tree.ours.ask("sub.example.com", RType::TXT).data.len(), 1);
    // The owner's own cut makes it the tenant's, whom nobody but the tenant's key then opens.
    parent(&api, 2, &keyed("sub", &[&tenant]));
    let cut = tree.api("");
    put_to(&cut, target, 1, Some(&owner)).expect(403, &["not the key of"]);
    put_to(&cut, target, 1, None).expect(401, &[]);
    put_to(&cut, target, 1, Some(&tenant)).expect(200, &["published"]);
    assert_eq!(tree.ours.ask("www.sub.example.com", RType::A).data, ["192.0.2.1"]);
}

#[test]
fn a_parent_and_its_child_are_both_hosted_here_and_both_change() {
    let (owner, tenant) = (key(), key());
    let tree = Tree::start(&keyed("example", &[&owner]));
    let api = tree.api("");
    let parent = |api: &Api, serial: u32, records: &str| {
        api.call("PUT", ZONE, &[&bearer(&owner)], (zone(serial) + records).as_bytes()).expect(200, &[]);
    };
    let target = "/v1/zones/sub.example.com";
    parent(&api, 1, &keyed("sub", &[&tenant]));
    put_to(&api, target, 1, Some(&tenant)).expect(200, &["published"]);
    // From now on our servers answer for the child from the child, and the cut is no longer to be seen from outside.
    let both = tree.api("");
    put_to(&both, target, 2, Some(&tenant)).expect(200, &["replaced"]);
    put_to(&both, target, 3, Some(&owner)).expect(403, &["not the key of"]);
    put_to(&both, target, 3, None).expect(401, &[]);
    parent(&both, 2, &keyed("sub", &[&tenant]));
    // A zone within a zone within a zone.
    let deep = key();
    let middle = zone(3) + &keyed("deep", &[&deep]);
    both.call("PUT", target, &[&bearer(&tenant)], middle.as_bytes()).expect(200, &[]);
    for serial in 1..3 {
        put_to(&tree.api(""), "/v1/zones/deep.sub.example.com", serial, Some(&deep)).expect(200, &[]);
    }
    // The owner of the parent takes the name back: with another key first, then altogether.
    parent(&both, 3, &keyed("sub", &[&owner]));
    let other = tree.api("");
    put_to(&other, target, 4, Some(&tenant)).expect(403, &["not the key of"]);
    put_to(&other, target, 4, Some(&owner)).expect(200, &[]);
    parent(&other, 4, "other.sub TXT \"ours again\"\n");
    let refused = put_to(&tree.api(""), target, 5, Some(&owner));
    refused.expect(403, &["not delegated to our name servers", "served here, as its own parent says"]);
    parent(&other, 5, "");
    put_to(&tree.api(""), target, 5, Some(&owner)).expect(403, &["there is no such name in example.com."]);
}

#[test]
fn a_stored_parent_that_moved_away_speaks_for_nobody() {
    let (owner, tenant) = (key(), key());
    let tree = Tree::start(&keyed("example", &[&owner]));
    let api = tree.api("");
    let parent = zone(1) + &keyed("sub", &[&tenant]);
    api.call("PUT", ZONE, &[&bearer(&owner)], parent.as_bytes()).expect(200, &[]);
    let target = "/v1/zones/sub.example.com";
    put_to(&api, target, 1, Some(&tenant)).expect(200, &[]);
    // Its servers are somebody else's now, who happen to sit at our addresses: what we have stored is not theirs.
    let [a, b] = tree.our_addresses();
    tree.delegate(&format!("example NS a.example\nexample NS b.example\na.example A {a}\nb.example A {b}\n"));
    put_to(&tree.api(""), target, 2, Some(&tenant)).expect(503, &["hides the delegation", "nothing was changed"]);
    tree.delegate("example NS ns.example.org.\n");
    let refused = put_to(&tree.api(""), target, 2, Some(&tenant));
    assert!(matches!(refused.status, 403 | 503), "{}", refused.text());
    assert_eq!(tree.ours.ask("www.sub.example.com", RType::A).data, ["192.0.2.1"]);
}

#[test]
fn a_wildcard_with_ns_records_delegates_nothing() {
    let owner = key();
    let tree = Tree::start(&keyed("example", &[&owner]));
    let api = tree.api("");
    let parent = zone(1) + &plain("*.open");
    api.call("PUT", ZONE, &[&bearer(&owner)], parent.as_bytes()).expect(200, &[]);
    let refused = put_to(&tree.api(""), "/v1/zones/any.open.example.com", 1, Some(&key()));
    assert_eq!(refused.status, 403, "{}", refused.text());
}

#[test]
fn a_delegation_that_only_some_of_the_parents_servers_have_is_waited_for() {
    let owner = key();
    for (at_a, at_b) in [
        (keyed("example", &[&owner]), "example NS ns.example.org.\n".to_owned()),
        (keyed("example", &[&owner]), String::new()),
        (keyed("example", &[&owner]), keyed("example", &[&key()])),
    ] {
        let tree = Tree::start_split(&at_a, &at_b);
        let refused = put(&tree.api(""), 1, Some(&owner));
        refused.expect(503, &["disagree", "a change may be on its way", "nothing was changed"]);
        assert!(refused.header("retry-after").is_some());
    }
}

#[test]
fn names_that_nobody_may_host_are_refused_whatever_key_comes_with_them() {
    let tree = Tree::start("");
    let api = tree.api("");
    for (domain, word) in [
        ("co.uk", "public suffix"),
        ("com", "two labels"),
        ("shop.test", "RFC 6761"),
        ("1.10.in-addr.arpa", "RFC 6761"),
        ("dns.example.net", "operator"),
        ("example.net", "operator"),
        ("k-x.ns1.dns.example.net", "operator"),
    ] {
        put_to(&api, &format!("/v1/zones/{domain}"), 1, Some(&key())).expect(400, &[word]);
    }
}

#[test]
fn what_the_parent_says_is_told_before_anything_is_uploaded() {
    let owner = key();
    let (a, label) = (OURS[0], owner.label().to_string());
    let half = format!("half NS {a}\nhalf NS k-short.{}\n", OURS[1]);
    let tree = Tree::start(&(plain("example") + &keyed("keyed", &[&owner]) + "other NS ns.example.org.\n" + &half));
    let api = tree.api("");
    let ask =
        |domain: &str, headers: &[&str]| api.call("GET", &format!("/v1/delegation?domain={domain}"), headers, b"");
    ask("example.com", &[]).expect(
        200,
        &[
            "example.com is delegated to our name servers\n",
            "until the first upload pins a key",
            "\nwho was asked 20",
            "Z:\n  from the root hints\n",
        ],
    );
    ask("keyed.com", &[]).expect(200, &["who has the key with this label\n", &format!("  {label}\n")]);
    let other = ask("other.com", &[]);
    other.expect(
        200,
        &["other.com is not delegated", "com. delegates other.com. to ns.example.org.", "nobody", "registrar"],
    );
    other.expect(200, &[&format!("missing there:\n  {a}\n"), &format!("registrar:\n  {a}\n")]);
    // Whoever presents a key is told the names with its label.
    ask("other.com", &[&bearer(&owner)]).expect(200, &[&format!("registrar:\n  {label}.{a}\n")]);
    ask("half.com", &[])
        .expect(200, &[&format!("missing there:\n  {}\n", OURS[1]), "no key has such a label", "  k-short."]);
    ask("nothing.com", &[]).expect(200, &["there is no such name in com."]);
    let json = ask("keyed.com", &["Accept: application/json"]).json();
    assert_eq!((&json["state"], &json["owner"]), (&"delegated".into(), &"label".into()));
    assert_eq!((&json["labels"], &json["missing"]), (&serde_json::json!([label]), &serde_json::json!([])));
    assert!(json["evidence"].as_array().unwrap().len() > 2);
    let json = ask("other.com", &["Accept: application/json"]).json();
    assert_eq!(
        (&json["state"], &json["owner"], &json["missing"]),
        (&"not_delegated".into(), &"nobody".into(), &serde_json::json!(OURS))
    );
    ask("co.uk", &[]).expect(400, &["public suffix"]);
    api.call("GET", "/v1/delegation", &[], b"").expect(400, &["domain parameter is missing"]);
    let strict = tree.api("ownership = \"keyed\"\n");
    strict.call("GET", "/v1/delegation?domain=example.com", &[], b"").expect(200, &["nobody, as things stand"]);
}

#[test]
fn how_a_zone_stands_is_told_with_its_evidence() {
    let tree = Tree::start(&plain("example"));
    let api = tree.api("");
    let target = "/v1/zones/example.com/status";
    api.call("GET", target, &[], b"").expect(404, &["not hosted here"]);
    let owner = given(&put(&api, 1, None));
    let status = api.call("GET", target, &[], b"");
    status.expect(
        200,
        &["example.com: active, serial 1, 4 records\n", "the key that its first upload pinned", "who was asked"],
    );
    assert!(!status.text().contains(owner.reveal()) && !status.text().contains(owner.label().as_str()));
    tree.delegate("example NS ns.example.org.\n");
    let json = tree.api("").call("GET", target, &["Accept: application/json"], b"").json();
    assert_eq!((&json["state"], &json["check"]["owner"]), (&"adrift".into(), &"nobody".into()));
    assert!(json["uploaded_at"].as_u64() > Some(0) && json["etag"].is_string());
    let (uploaded, next) = (json["uploaded_at"].as_u64().unwrap(), json["next_check_at"].as_u64().unwrap());
    assert!((24 * 3600 * 9 / 10..=24 * 3600 * 11 / 10 + 1).contains(&(next - uploaded)), "{}", next - uploaded);
    assert!(json["check"]["parent_says"].as_str().unwrap().contains("com. delegates example.com. to ns.example.org."));
    let file = Tree::start_with(&plain("example"), &[("example.com", &zone(1))]);
    file.api("").call("GET", target, &[], b"").expect(404, &[]);
    let open = tree.api("ownership = \"open\"\ndelegation_check = false\n");
    open.call("GET", target, &[], b"").expect(200, &["active", "anybody"]);
    let json = open.call("GET", target, &["Accept: application/json"], b"").json();
    assert!(json["next_check_at"].is_null() && json["last_check"].is_null(), "nobody makes rounds here: {json}");
}

#[test]
fn a_domain_is_changed_so_often_and_strangers_cannot_use_that_up() {
    let owner = key();
    let tree = Tree::start(&(keyed("example", &[&owner]) + &keyed("other", &[&owner])));
    let quotas = "[quotas]\nuploads_per_domain_per_minute = 1000\nuploads_per_domain_per_day = 3\nuploads_per_network_per_minute = 1000\n";
    let api = tree.api(quotas);
    for _ in 0..10 {
        put(&api, 1, Some(&key())).expect(403, &[]);
        put(&api, 1, None).expect(401, &[]);
        put_to(&api, "/v1/zones/example.com?dry_run=true", 1, Some(&owner)).expect(200, &[]);
    }
    for serial in 1..4 {
        put(&api, serial, Some(&owner)).expect(200, &[]);
    }
    let refused = put(&api, 4, Some(&owner));
    refused.expect(429, &["example.com was changed too often", "nothing was changed"]);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(api.call("DELETE", ZONE, &[&bearer(&owner)], b"").status, 429);
    put_to(&api, "/v1/zones/other.com", 1, Some(&owner)).expect(200, &[]);
    assert_eq!(served(&tree), ["192.0.2.3"]);
}

#[test]
fn a_network_uploads_so_often_whatever_it_uploads() {
    let owner = key();
    let tree = Tree::start(&keyed("example", &[&owner]));
    let api = tree.api("[quotas]\nuploads_per_network_per_minute = 1\n");
    api.call("PUT", "/v1/zones/co.uk", &[], b"").expect(400, &[]);
    for headers in [&[][..], &["X-Forwarded-For: 198.51.100.1", "Forwarded: for=198.51.100.1"]] {
        let refused = api.call("PUT", ZONE, headers, zone(2).as_bytes());
        refused.expect(429, &["from your network"]);
        assert!(refused.header("retry-after").is_some());
    }
    assert_eq!(put(&api, 1, Some(&owner)).status, 429);
    // Reading and asking are no uploads.
    api.call("GET", ZONE, &[], b"").expect(404, &[]);
    api.call("GET", "/v1/delegation?domain=example.com", &[], b"").expect(200, &[]);
}

#[test]
fn a_delegation_that_changes_during_a_slow_upload_counts_as_it_is_at_the_end() {
    let (seller, buyer) = (key(), key());
    let tree = Tree::start(&keyed("example", &[&seller]));
    let api = tree.api("");
    let text = zone(1);
    let (first, second) = text.split_at(text.len() / 2);
    let mut connection = api.connect();
    let head = format!("PUT {ZONE} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(&seller));
    connection.send(format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", text.len()).as_bytes());
    // The server is at the body now.
    assert_eq!(connection.reply("PUT").status, 100);
    connection.send(first.as_bytes());
    tree.delegate(&keyed("example", &[&buyer]));
    connection.send(second.as_bytes());
    connection.reply("PUT").expect(403, &["not the key of"]);
    put(&api, 1, Some(&buyer)).expect(200, &["published"]);
}

#[test]
fn fronts_keep_nothing_so_that_any_of_them_knows_what_all_know() {
    let tree = Tree::start(&plain("example"));
    let fronts = [tree.api(""), tree.api(""), tree.api("")];
    let owner = given(&put(&fronts[0], 1, None));
    for (front, serial) in fronts.iter().zip(2..) {
        put(front, serial, None).expect(401, &[]);
        put(front, serial, Some(&key())).expect(403, &[]);
        put(front, serial, Some(&owner)).expect(200, &[]);
    }
    let [first, ..] = fronts;
    first.stop();
    put(&tree.api(""), 9, Some(&owner)).expect(200, &[]);
}
