//! Whose packets count: forgeries, cookies, truncation, and servers that know no EDNS.

use std::time::Duration;

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::opt::EdnsOption;
use nss_registrar_check::{Config, Outcome, Transport, Trust, Unknown};

use crate::internet::{Asked, Delivery, config, name, record};
use crate::walk::{DELEGATED, check, outcome, tree};

/// An OPT record with a cookie.
fn cookie(cookie: [u8; 16]) -> Edns {
    let mut edns = Edns::new();
    edns.options_mut().insert(EdnsOption::Unknown(10, cookie.to_vec()));
    edns
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
    assert_eq!(internet.asked.len(), 4, "the forgeries were passed over");
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
