//! Servers that fail and packets that break by chance: a walk ends all the same, and never with the opposite of the truth.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use nss_registrar_check::{Findings, Outcome};
use proptest::prelude::*;

use crate::internet::{Delivery, Internet, config};

/// What may happen to one reply without anybody lying.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    None,
    Lost,
    Late,
    FromElsewhere,
    OtherId,
    CutShort(usize),
    Refused,
    ServerFailure,
    Truncated,
    Twice,
}

const SERVERS: [&str; 4] = ["192.0.2.1", "192.0.2.2", "192.0.2.11", "192.0.2.12"];

/// A root and com. with two servers each; example.com is delegated, plain.com is a name of com., none.com is nothing.
fn internet() -> Internet {
    let mut internet = Internet::default();
    let com = "com. NS a.nic.com.\n com. NS b.nic.com.\n a.nic.com. A 192.0.2.11\n b.nic.com. A 192.0.2.12";
    internet.zone(".", &SERVERS[..2], com).zone("com.", &SERVERS[2..], com).zone(
        "com.",
        &[],
        "example.com. NS ns1.example.net.\n plain.com. A 192.0.2.80\n alias.com. CNAME example.com.",
    );
    internet
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        4 => Just(Mishap::None),
        1 => Just(Mishap::Lost),
        1 => Just(Mishap::Late),
        1 => Just(Mishap::FromElsewhere),
        1 => Just(Mishap::OtherId),
        1 => (0_usize..80).prop_map(Mishap::CutShort),
        1 => Just(Mishap::Refused),
        1 => Just(Mishap::ServerFailure),
        1 => Just(Mishap::Truncated),
        1 => Just(Mishap::Twice),
    ]
}

/// Walks through an internet in which the replies of each server meet `mishaps`, one after the other.
fn walk(domain: &str, mishaps: &[Vec<Mishap>]) -> (Findings, usize) {
    let mut internet = internet();
    for (server, mishaps) in SERVERS.iter().zip(mishaps.to_vec()) {
        let mut mishaps = mishaps.into_iter().cycle();
        internet.fault(server, move |asked, mut reply| {
            let mishap = mishaps.next().unwrap_or(Mishap::None);
            match mishap {
                Mishap::Refused => reply.metadata.response_code = ResponseCode::Refused,
                Mishap::ServerFailure => reply.metadata.response_code = ResponseCode::ServFail,
                Mishap::Truncated => reply.metadata.truncation = true,
                Mishap::OtherId => reply.metadata.id ^= 1,
                _ => {}
            }
            let mut delivery = Delivery::of(asked, &reply);
            match mishap {
                Mishap::Lost => return Vec::new(),
                Mishap::Late => delivery.after = Duration::from_secs(60),
                Mishap::FromElsewhere => delivery.from = SocketAddr::new([192, 0, 2, 99].into(), 53),
                Mishap::CutShort(size) => {
                    if let Ok(packet) = &mut delivery.what {
                        packet.truncate(size);
                    }
                }
                Mishap::Twice => return vec![Delivery::of(asked, &reply), delivery],
                _ => {}
            }
            vec![delivery]
        });
    }
    let findings = internet.walk(domain, config(&SERVERS[..2]));
    (findings, internet.asked.len())
}

proptest! {
    #[test]
    fn mishaps_never_turn_a_yes_into_a_no_nor_a_no_into_a_yes(
        domain in prop::sample::select(vec!["example.com", "plain.com", "none.com", "alias.com"]),
        mishaps in prop::collection::vec(prop::collection::vec(mishap(), 1..6), 4),
    ) {
        let (findings, asked) = walk(domain, &mishaps);
        prop_assert!(asked <= config(&[]).limits.queries_max);
        match &findings.outcome {
            Outcome::Delegation(delegation) => {
                prop_assert_eq!(domain, "example.com");
                let servers: Vec<String> = delegation.name_servers.iter().map(|s| s.name.to_string()).collect();
                prop_assert_eq!(servers, ["ns1.example.net."]);
            }
            Outcome::NotDelegated(_) => prop_assert_ne!(domain, "example.com", "\n{}", findings.evidence),
            Outcome::Unknown(_) => {}
        }
    }

    #[test]
    fn packets_broken_anywhere_end_the_walk_within_its_bounds(
        domain in prop::sample::select(vec!["example.com", "plain.com"]),
        breaks in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let mut internet = internet();
        for server in SERVERS {
            let mut breaks = breaks.clone().into_iter().cycle();
            internet.fault(server, move |asked, reply| {
                let mut delivery = Delivery::of(asked, &reply);
                if let (Ok(packet), Some((at, octet))) = (&mut delivery.what, breaks.next()) {
                    let at = at.index(packet.len());
                    packet[at] = octet;
                }
                vec![delivery]
            });
        }
        let findings = internet.walk(domain, config(&SERVERS[..2]));
        prop_assert!(internet.asked.len() <= config(&[]).limits.queries_max);
        prop_assert!(!findings.evidence.steps.is_empty());
    }
}

#[test]
fn without_mishaps_the_truth_is_found() {
    let none = vec![vec![Mishap::None]; 4];
    assert!(matches!(walk("example.com", &none).0.outcome, Outcome::Delegation(_)));
    assert!(matches!(walk("plain.com", &none).0.outcome, Outcome::NotDelegated(_)));
}
