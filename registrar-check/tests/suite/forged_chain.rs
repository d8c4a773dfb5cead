//! What somebody on the path, or a server of the parent, may make of a signed tree: nothing that is believed.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use nss_registrar_check::{Config, DsRecords, Outcome, Security, Unknown, Wanted};
use proptest::prelude::*;

use crate::chain::{NSEC3, OPT_OUT, ROOT, SERVERS, blame, com_lies, ds, is, present, tree, unsigned_tree};
use crate::internet::{Asked, Delivery, Internet, hex, name};
use crate::signer::{Denial, Signer, opaque};

/// What somebody may do to a reply.
type Lie = fn(&Asked, &mut Message);

#[test]
fn a_broken_chain_is_could_not_find_out_and_says_where_it_broke() {
    let lies: [(&str, Lie, &str); 8] = [
        (
            "signed.com",
            |_, reply| {
                for record in reply.authorities.iter_mut().filter(|record| is(RecordType::DS)(record)) {
                    record.data = opaque(RecordType::DS, hex(&format!("00010d02{}", "cc".repeat(32))));
                }
            },
            "is wrong",
        ),
        (
            "signed.com",
            |_, reply| {
                let forged = opaque(RecordType::DS, hex(&format!("00020d02{}", "cc".repeat(32))));
                if reply.authorities.iter().any(is(RecordType::DS)) {
                    reply.authorities.push(Record::from_rdata(name("signed.com."), 1, forged));
                }
            },
            "is wrong",
        ),
        (
            "signed.com",
            |_, reply| reply.authorities.retain(|record| !is(RecordType::RRSIG)(record)),
            "the DS records of signed.com. have no signature",
        ),
        // As if there were none, without proof.
        (
            "signed.com",
            |asked, reply| match asked.qtype {
                RecordType::NS => reply.authorities.retain(is(RecordType::NS)),
                RecordType::DS => {
                    reply.answers.clear();
                    reply.authorities = vec![crate::internet::soa(&name("com."))];
                }
                _ => {}
            },
            "nothing proves that signed.com. has no DS records",
        ),
        (
            "plain.com",
            |_, reply| reply.authorities.retain(|record| !is(RecordType::RRSIG)(record)),
            "nothing proves that plain.com. has no DS records",
        ),
        ("signed.com", |_, reply| reply.answers.retain(|record| !is(RecordType::RRSIG)(record)), "have no signature"),
        (
            "signed.com",
            |asked, reply| {
                if asked.qtype == RecordType::DNSKEY {
                    let other = Signer::new(&name("com."), Denial::Nsec);
                    reply.answers = vec![Record::from_rdata(name("com."), 3600, other.dnskey())];
                    reply.answers.extend(other.signatures(&reply.answers, |_| true));
                }
            },
            "com. has none of the keys that the DS records in . name",
        ),
        (
            "signed.com",
            |asked, reply| {
                if asked.qtype == RecordType::DNSKEY {
                    reply.answers.clear();
                    reply.authorities = vec![crate::internet::soa(&name("com."))];
                }
            },
            "it has none of the keys that the DS records in . name",
        ),
    ];
    for (domain, lie, expected) in lies {
        for denial in [Denial::Nsec, NSEC3, OPT_OUT] {
            let (mut internet, config) = tree(denial);
            com_lies(&mut internet, lie);
            let (zone, what) = blame(&mut internet, domain, &config);
            assert_eq!(zone, "com.", "{what}");
            assert!(what.contains(expected), "{what}");
            // One honest server more, and the truth is found.
            let (mut internet, config) = tree(denial);
            internet.zone(".", &[], "com. NS c.nic.com.\n c.nic.com. A 192.0.2.13").zone("com.", &["192.0.2.13"], "");
            internet.lie(SERVERS[0], lie);
            let expected = if domain == "plain.com" { DsRecords::Absent } else { present() };
            assert_eq!(ds(&mut internet, domain, &config), (expected, Security::Secure));
        }
    }
}

#[test]
fn a_no_that_is_not_proven_is_none() {
    for denial in [Denial::Nsec, NSEC3, OPT_OUT] {
        for domain in ["nothing.com", "other.com"] {
            let (mut internet, config) = tree(denial);
            com_lies(&mut internet, |asked, reply| {
                if asked.qtype != RecordType::DNSKEY {
                    reply.authorities.retain(is(RecordType::SOA));
                }
            });
            let (zone, what) = blame(&mut internet, domain, &config);
            assert_eq!((&*zone, what), ("com.", format!("nothing proves that there is no cut at {domain}.")));
        }
    }
    // The owner is said to have an alias, or nothing at all, in the place of a delegation.
    let lies: [fn(&mut Message); 2] = [
        |reply| {
            reply.metadata.authoritative = true;
            reply.answers = vec![Record::from_rdata(name("signed.com."), 1, crate::internet::record("x. CNAME y.").1)];
            reply.authorities.clear();
        },
        |reply| {
            reply.metadata.authoritative = true;
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.authorities = vec![crate::internet::soa(&name("com."))];
        },
    ];
    for lie in lies {
        let (mut internet, config) = tree(Denial::Nsec);
        com_lies(&mut internet, move |asked, reply| {
            if asked.qtype == RecordType::NS {
                lie(reply);
            }
        });
        assert_eq!(blame(&mut internet, "signed.com", &config).0, "com.");
    }
}

#[test]
fn another_root_than_the_trust_anchors_is_not_believed() {
    let (mut internet, config) = tree(Denial::Nsec);
    let public = Config { trust_anchors: Config::default().trust_anchors, ..config };
    let (zone, what) = blame(&mut internet, "signed.com", &public);
    assert_eq!((&*zone, &*what), (".", ". has none of the keys that the trust anchors name"));
    // Not even when the zones below it are not signed at all.
    let (zone, _) = blame(&mut unsigned_tree(), "signed.com", &public);
    assert_eq!(zone, ".");
}

/// Replies that were true once, or of another name, or of another zone.
#[test]
fn denials_of_something_else_prove_nothing() {
    for denial in [Denial::Nsec, NSEC3] {
        // The referral of plain.com., whose denial is good, with the name replaced.
        let (mut internet, config) = tree(denial);
        internet.zone("com.", &[], "unsigned.com. NS ns.example.net.");
        let other = internet.receive(
            format!("{}:53", SERVERS[0]).parse().unwrap(),
            nss_registrar_check::Transport::Udp,
            &dnssec_query("plain.com.", RecordType::DS),
        );
        let other = Message::from_vec(other[0].what.as_ref().unwrap()).unwrap().authorities;
        com_lies(&mut internet, move |asked, reply| {
            if asked.qname.to_lowercase() == name("signed.com.") {
                match asked.qtype {
                    RecordType::DS => {
                        reply.answers.clear();
                        reply.authorities = other.clone();
                    }
                    _ => {
                        reply.authorities.retain(is(RecordType::NS));
                        reply.authorities.extend(other.iter().filter(|record| !is(RecordType::SOA)(record)).cloned());
                    }
                }
            }
        });
        let (zone, what) = blame(&mut internet, "signed.com", &config);
        assert_eq!((&*zone, &*what), ("com.", "nothing proves that signed.com. has no DS records"));
    }

    // The child denies its own DS records, by a key of its own or by one of the same tag and zone.
    let (mut internet, config) = tree(Denial::Nsec);
    com_lies(&mut internet, |asked, reply| {
        if asked.qname.to_lowercase() == name("signed.com.") {
            let child = Signer::new(&name("signed.com."), Denial::Nsec);
            let nsec = [&wire("com.")[..], &[0, 1, 0x22]].concat();
            let nsec = Record::from_rdata(name("signed.com."), 3600, opaque(RecordType::NSEC, nsec));
            let signature = child.signature(&nsec.name, RecordType::NSEC, vec![nsec.data.to_bytes().unwrap()]);
            if asked.qtype == RecordType::DS {
                reply.answers.clear();
                reply.authorities = vec![crate::internet::soa(&name("com."))];
            } else {
                reply.authorities.retain(is(RecordType::NS));
            }
            reply.authorities.extend([nsec, signature]);
        }
    });
    assert_eq!(blame(&mut internet, "signed.com", &config).0, "com.");
}

#[test]
fn the_alias_of_a_wildcard_is_not_one_of_a_name_that_exists() {
    let (mut internet, config) = tree(Denial::Nsec);
    let cname = crate::internet::record("x. CNAME other.com.").1;
    let mut signature =
        internet.signer("com.").signature(&name("*.com."), RecordType::CNAME, vec![cname.to_bytes().unwrap()]);
    signature.name = name("signed.com.");
    com_lies(&mut internet, move |asked, reply| {
        if asked.qtype == RecordType::NS {
            reply.metadata.authoritative = true;
            reply.answers = vec![Record::from_rdata(name("signed.com."), 3600, cname.clone()), signature.clone()];
            reply.authorities.clear();
        }
    });
    let (zone, what) = blame(&mut internet, "signed.com", &config);
    assert_eq!((&*zone, &*what), ("com.", "nothing proves that a wildcard stands for signed.com."));
}

fn wire(text: &str) -> Vec<u8> {
    text.parse::<nss_wire::NameBuf>().unwrap().as_name().as_wire().to_vec()
}

fn dnssec_query(qname: &str, qtype: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.add_query(hickory_proto::op::Query::query(name(qname), qtype));
    let mut edns = hickory_proto::op::Edns::new();
    edns.set_dnssec_ok(true);
    message.set_edns(edns);
    message.to_vec().unwrap()
}

#[test]
fn more_signatures_and_keys_than_anybody_needs_are_not_verified() {
    // Wrong signatures by the right key in front of the right one.
    let with_wrong = |count: usize| {
        let (mut internet, config) = tree(Denial::Nsec);
        com_lies(&mut internet, move |_, reply| {
            let right = reply.authorities.iter().position(is(RecordType::RRSIG));
            let Some(right) = right.map(|at| reply.authorities[at].clone()) else { return };
            let octets = right.data.to_bytes().unwrap();
            for i in 0..count {
                let mut wrong = octets.clone();
                *wrong.last_mut().unwrap() ^= 1 + i as u8;
                let wrong = Record::from_rdata(right.name.clone(), 3600, opaque(RecordType::RRSIG, wrong));
                reply.authorities.insert(0, wrong);
            }
        });
        internet.walk("signed.com", config).outcome
    };
    assert!(matches!(with_wrong(7), Outcome::Delegation(_)));
    assert!(matches!(with_wrong(8), Outcome::Unknown(Unknown::Bogus { .. })));

    // A zone may have so many keys, and a walk may verify so many signatures.
    let max = Config::default().limits.dnskeys_max;
    for (keys, is_good) in [(max, true), (max + 1, false)] {
        let (mut internet, config) = tree(Denial::Nsec);
        for i in 1..keys {
            let key = opaque(RecordType::DNSKEY, [&[1, 1, 3, 250][..], &(i as u16).to_be_bytes()].concat());
            internet.records("com.").push((name("com."), key));
        }
        let outcome = internet.walk("signed.com", config).outcome;
        assert_eq!(matches!(outcome, Outcome::Delegation(_)), is_good, "{keys}: {outcome:?}");
    }
    // Sets of several NSEC records prove nothing, so that nobody looks at their signatures.
    let (mut internet, config) = tree(Denial::Nsec);
    com_lies(&mut internet, |_, reply| {
        let Some(at) = reply.authorities.iter().position(is(RecordType::RRSIG)) else { return };
        let mut wrong = reply.authorities[at].data.to_bytes().unwrap();
        wrong[..4].copy_from_slice(&[0, 47, 13, 2]);
        for owner in (0..8).map(|i| name(&format!("a{i}.com."))) {
            let mut push = |rtype, rdata| {
                reply.authorities.insert(0, Record::from_rdata(owner.clone(), 3600, opaque(rtype, rdata)));
            };
            (0..2).for_each(|i| push(RecordType::NSEC, [&wire("z.com."), &[0, 1, i + 1][..]].concat()));
            (0..8).for_each(|i| push(RecordType::RRSIG, [&wrong[..], &[i]].concat()));
        }
    });
    assert_eq!(ds(&mut internet, "plain.com", &config), (DsRecords::Absent, Security::Secure));

    // A DS set that is too large is refused for that, whoever has signed it.
    let max = config.limits.ds_records_max;
    let (mut internet, config) = tree(Denial::Nsec);
    com_lies(&mut internet, move |_, reply| {
        for i in 0..=max * usize::from(reply.authorities.iter().any(is(RecordType::DS))) {
            let ds = opaque(RecordType::DS, [&(i as u16).to_be_bytes()[..], &[13, 2], &[7; 32]].concat());
            reply.authorities.push(Record::from_rdata(name("signed.com."), 3600, ds));
        }
    });
    let (_, what) = blame(&mut internet, "signed.com", &config);
    assert_eq!(what, "signed.com. has more or larger DS records than are looked at");

    for (verifications_max, is_good) in [(5, true), (4, false)] {
        let (mut internet, mut config) = tree(Denial::Nsec);
        config.limits.verifications_max = verifications_max;
        match internet.walk("signed.com", config).outcome {
            Outcome::Delegation(_) => assert!(is_good),
            Outcome::Unknown(Unknown::Limit("verifications_max")) => assert!(!is_good),
            other => panic!("{other:?}"),
        }
    }
}

/// Both servers of com. add to the true referral of plain.com. what `forge` makes of it.
fn plain_with(denial: Denial, forge: fn(&mut Message) -> Vec<u8>) -> (Internet, Config) {
    let (mut internet, config) = tree(denial);
    for server in SERVERS {
        internet.fault(server, move |asked, mut reply| {
            let honest = Delivery::of(asked, &reply);
            match asked.qtype {
                RecordType::NS => vec![Delivery { what: Ok(forge(&mut reply)), ..honest }],
                _ => vec![honest],
            }
        });
    }
    (internet, config)
}

fn add_ds(reply: &mut Message, rdata: &str) {
    reply.add_authority(Record::from_rdata(name("plain.com."), 1, opaque(RecordType::DS, hex(rdata))));
}

#[test]
fn ds_records_that_nobody_signed_are_not_believed_beside_the_proof_that_there_are_none() {
    let forgeries: [fn(&mut Message) -> Vec<u8>; 4] = [
        |reply| {
            add_ds(reply, &format!("00010d02{}", "cc".repeat(32)));
            reply.to_vec().unwrap()
        },
        // A digest one octet too short, and nothing but one octet.
        |reply| {
            add_ds(reply, &format!("00010d02{}", "cc".repeat(31)));
            reply.to_vec().unwrap()
        },
        |reply| {
            add_ds(reply, "07");
            reply.to_vec().unwrap()
        },
        // Behind a record whose owner points into the header, where some find a root and others nothing.
        |reply| {
            let marker = [0xff, 0x00, 0x00, 0x01];
            reply.add_authority(Record::from_rdata(name("."), 1, opaque(RecordType::Unknown(0xff00), vec![7])));
            add_ds(reply, &format!("00010d02{}", "cc".repeat(32)));
            let mut packet = reply.to_vec().unwrap();
            let at = packet.windows(5).position(|window| window[0] == 0 && window[1..] == marker).unwrap();
            packet.splice(at..=at, [0xc0, 0x04]);
            let read = Message::from_vec(&packet).unwrap();
            assert!(read.authorities.iter().any(is(RecordType::DS)), "hickory-proto reads on");
            packet
        },
    ];
    for denial in [Denial::Nsec, NSEC3, OPT_OUT] {
        for (number, forge) in forgeries.into_iter().enumerate() {
            for wanted in [Wanted::NameServers, Wanted::NameServersAndDs] {
                let (mut internet, config) = plain_with(denial, forge);
                let findings = internet.walk_for(wanted, "plain.com", config);
                let Outcome::Unknown(Unknown::Bogus { zone, .. }) = &findings.outcome else {
                    panic!("{denial:?} {number}: {:?}\n{}", findings.outcome, findings.evidence)
                };
                assert_eq!(zone.to_string(), "com.");
            }
        }
        // As they are, they prove what they should.
        let (mut internet, config) = plain_with(denial, |reply| reply.to_vec().unwrap());
        assert_eq!(ds(&mut internet, "plain.com", &config), (DsRecords::Absent, Security::Secure));
    }
}

#[test]
fn ds_records_of_a_form_of_their_own_are_handed_out_when_they_are_signed() {
    let (mut internet, config) = tree(NSEC3);
    let odd = hex(&format!("00010d02{}", "cc".repeat(31)));
    internet.records("com.").push((name("signed.com."), opaque(RecordType::DS, odd.clone())));
    let (DsRecords::Present(records), security) = ds(&mut internet, "signed.com", &config) else { panic!("none") };
    assert!(records.contains(&odd) && records.len() == 2, "{records:?}");
    assert_eq!(security, Security::Secure);
}

proptest! {
    /// Whoever changes replies of a signed parent, on the path and with the cookie, has no other DS records believed.
    #[test]
    fn broken_packets_never_make_other_ds_records_secure(
        domain in prop::sample::select(vec!["signed.com", "plain.com"]),
        denial in prop::sample::select(vec![Denial::Nsec, NSEC3, OPT_OUT]),
        breaks in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let (mut internet, config) = tree(denial);
        for server in [ROOT, SERVERS[0], SERVERS[1]] {
            let mut breaks = breaks.clone().into_iter().cycle();
            internet.fault(server, move |asked, reply| {
                let mut delivery = Delivery::of(asked, &reply);
                if let (Ok(packet), Some((at, octet))) = (&mut delivery.what, breaks.next()) {
                    let at = 12 + at.index(packet.len() - 12);
                    packet[at] = octet;
                }
                vec![delivery]
            });
        }
        let findings = internet.walk(domain, config);
        if let Outcome::Delegation(delegation) = &findings.outcome {
            let expected = if domain == "plain.com" { DsRecords::Absent } else { present() };
            prop_assert_eq!(&delegation.ds, &expected, "\n{}", findings.evidence);
            prop_assert_eq!(delegation.security, Security::Secure);
        }
    }
}
