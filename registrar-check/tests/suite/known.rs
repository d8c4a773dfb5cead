//! What walks know from those before them, and what they do not ask again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use nss_registrar_check::{Config, Evidence, KnownZones, Outcome, Said, Unknown, Wanted};
use nss_wire::NameBuf;

use crate::internet::{Delivery, Internet, NOW, anchor, config};
use crate::signer::Denial;

const SERVERS: [&str; 2] = ["192.0.2.11", "192.0.2.12"];

fn tree() -> Internet {
    let mut internet = Internet::default();
    let com = "com. NS a.nic.com.\n com. NS b.nic.com.\n a.nic.com. A 192.0.2.11\n b.nic.com. A 192.0.2.12";
    internet.zone(".", &["192.0.2.1"], com).zone(
        "com.",
        &SERVERS,
        "a.com. NS ns.example.net.
         b.com. NS ns.example.net.
         sub.com. NS ns1.sub.com.
         ns1.sub.com. A 192.0.2.21",
    );
    internet
}

/// A checker without sockets.
struct Walks {
    internet: Internet,
    known: KnownZones,
    now: Duration,
}

impl Walks {
    fn new(internet: Internet, config: Config) -> Walks {
        Walks { internet, known: KnownZones::new(Arc::new(config)), now: Duration::from_secs(1) }
    }

    /// The outcome of a check, how many queries it took, and what it saw.
    fn check(&mut self, domain: &str) -> (Outcome, usize, Evidence) {
        let domain: NameBuf = domain.parse().unwrap();
        let asked = self.internet.asked.len();
        let unix_time = NOW + self.now.as_secs();
        let mut walk = self.known.walk(domain.as_name(), Wanted::NameServers, unix_time, [7; 32], self.now);
        self.now += self.internet.drive(&mut walk);
        self.known.learn(&walk, self.now);
        let findings = walk.findings().unwrap();
        (findings.outcome.clone(), self.internet.asked.len() - asked, findings.evidence.clone())
    }

    fn is_asked(&mut self, domain: &str) -> bool {
        self.check(domain).1 > 0
    }
}

#[test]
fn a_zone_that_nobody_answers_for_is_not_asked_again_for_a_while_and_longer_each_time() {
    let mut internet = tree();
    internet.silent(SERVERS[0]).silent(SERVERS[1]);
    let config = config(&["192.0.2.1"]);
    let (first, longest) = (config.cache.silent_ttl, config.cache.silent_ttl_max);
    let mut walks = Walks::new(internet, config);
    let (outcome, asked, evidence) = walks.check("a.com");
    assert!(matches!(outcome, Outcome::Unknown(Unknown::NoAnswer { .. })) && asked > 0, "{outcome:?}");
    let mut pause = first;
    for _ in 0..7 {
        // Whatever the domain; and whoever asks is told what was seen, and not for whom.
        let (again, asked, seen) = walks.check("b.com");
        assert_eq!((&again, asked), (&outcome, 0));
        let silent = |evidence: &Evidence| {
            let steps = evidence.steps.iter().filter(|step| step.said == Said::Timeout);
            steps.map(|step| step.server).collect::<Vec<_>>()
        };
        assert_eq!(silent(&seen).len(), silent(&evidence).len(), "{seen}");
        assert!(!seen.to_string().contains("a.com") && seen.to_string().contains("for com., com. NS"), "{seen}");
        walks.now += pause - Duration::from_secs(1);
        assert!(!walks.is_asked("a.com"), "{pause:?}");
        walks.now += Duration::from_secs(1);
        assert!(walks.is_asked("a.com"), "{pause:?}");
        pause = (pause * 2).min(longest);
    }
    assert_eq!(pause, longest);
}

#[test]
fn a_zone_whose_servers_answer_again_is_as_any_other() {
    let mut internet = tree();
    internet.silent(SERVERS[0]).silent(SERVERS[1]);
    let mut walks = Walks::new(internet, config(&["192.0.2.1"]));
    walks.check("a.com");
    walks.internet = tree();
    assert!(!walks.is_asked("a.com"));
    walks.now += Duration::from_secs(10);
    assert!(matches!(walks.check("a.com").0, Outcome::Delegation(_)));
    let (outcome, asked, _) = walks.check("b.com");
    assert!(matches!(outcome, Outcome::Delegation(_)));
    assert_eq!(asked, 2);
}

#[test]
fn servers_that_answer_what_is_no_use_are_asked_again_about_other_names() {
    for rcode in [ResponseCode::ServFail, ResponseCode::Refused] {
        let mut internet = tree();
        for server in SERVERS {
            internet.lie(server, move |_, reply| reply.metadata.response_code = rcode);
        }
        let mut walks = Walks::new(internet, config(&["192.0.2.1"]));
        assert!(matches!(walks.check("a.com").0, Outcome::Unknown(_)));
        assert!(walks.is_asked("b.com"));
    }
}

#[test]
fn only_what_a_server_does_is_its_silence_and_not_what_fails_on_our_side() {
    use io::ErrorKind::*;
    for (kind, is_asked) in [
        (ConnectionRefused, false),
        (ConnectionReset, false),
        (HostUnreachable, false),
        (NetworkUnreachable, true),
        (ResourceBusy, true),
        (FileTooLarge, true),
        (PermissionDenied, true),
        (Other, true),
    ] {
        let mut internet = tree();
        for server in SERVERS {
            internet.fault(server, move |asked, reply| {
                vec![Delivery { what: Err(io::Error::from(kind).kind()), ..Delivery::of(asked, &reply) }]
            });
        }
        let mut walks = Walks::new(internet, config(&["192.0.2.1"]));
        assert!(matches!(walks.check("a.com").0, Outcome::Unknown(_)), "{kind}");
        assert_eq!(walks.is_asked("b.com"), is_asked, "{kind}");
    }
}

#[test]
fn the_silence_of_the_root_is_our_own_networks_and_not_remembered() {
    let mut internet = tree();
    internet.silent("192.0.2.1");
    let mut walks = Walks::new(internet, config(&["192.0.2.1"]));
    assert!(matches!(walks.check("a.com").0, Outcome::Unknown(Unknown::NoAnswer { .. })));
    assert!(walks.is_asked("b.com"));
}

#[test]
fn keys_are_believed_until_their_signatures_end_however_long_it_took_to_learn_them() {
    let mut internet = tree();
    let anchor = anchor(&internet.sign(".", Denial::Nsec));
    internet.sign("com.", Denial::Nsec);
    // Walks begin at the first second, and it takes three more until the keys of com. are there.
    internet.signer("com.").expiration = NOW + 6;
    for server in SERVERS {
        internet.fault(server, |asked, reply| {
            vec![Delivery { after: Duration::from_secs(1), ..Delivery::of(asked, &reply) }]
        });
    }
    let mut walks = Walks::new(internet, Config { trust_anchors: vec![anchor], ..config(&["192.0.2.1"]) });
    assert!(matches!(walks.check("a.com").0, Outcome::Delegation(_)));
    assert_eq!(walks.check("b.com").2.known_zone, Some("com".parse().unwrap()));
    walks.now = Duration::from_secs(7);
    assert_ne!(walks.check("c.com").2.known_zone, Some("com".parse().unwrap()), "they have ended");
}

#[test]
fn what_fails_in_one_zone_does_not_make_those_above_forgotten() {
    let mut internet = tree();
    internet.silent("192.0.2.21");
    let mut walks = Walks::new(internet, config(&["192.0.2.1"]));
    assert_eq!(walks.check("a.com").1, 3);
    assert!(matches!(walks.check("x.sub.com").0, Outcome::Unknown(Unknown::NoAnswer { .. })));
    let (_, asked, evidence) = walks.check("b.com");
    assert_eq!((asked, evidence.known_zone), (2, Some("com".parse().unwrap())));
}
