//! The DS records of a delegation: with the referral, asked for, disputed, or not to be had.

use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{RData, Record, RecordType};
use nss_registrar_check::{
    Config, Delegation, DsRecords, Findings, HiddenDelegation, Limits, Outcome, Said, Transport, Unknown, Wanted,
};

use crate::internet::{Asked, Delivery, Internet, config, hex, name};

const SERVERS: [&str; 2] = ["192.0.2.11", "192.0.2.12"];

/// Two DS records, not in canonical order.
const SIGNED: &str = "signed.com. NS ns.example.net.\n signed.com. DS ff000d02aa\n signed.com. DS 00010d02bb";

/// A root and com. with two servers, which delegates plain.com. and signed.com.
fn tree() -> Internet {
    let mut internet = Internet::default();
    let com = "com. NS a.nic.com.\n com. NS b.nic.com.\n a.nic.com. A 192.0.2.11\n b.nic.com. A 192.0.2.12";
    internet.zone(".", &["192.0.2.1"], com).zone("com.", &SERVERS, com).zone(
        "com.",
        &[],
        "plain.com. NS ns.example.net.\n other.com. A 192.0.2.80",
    );
    internet.zone("com.", &[], SIGNED);
    internet
}

fn present() -> DsRecords {
    DsRecords::Present(vec![hex("00010d02bb"), hex("ff000d02aa")])
}

fn delegation(findings: &Findings) -> &Delegation {
    match &findings.outcome {
        Outcome::Delegation(delegation) => delegation,
        other => panic!("{other:?}\n{}", findings.evidence),
    }
}

fn walk_with(internet: &mut Internet, domain: &str, config: Config) -> DsRecords {
    let findings = internet.walk_for(Wanted::NameServersAndDs, domain, config);
    let delegation = delegation(&findings);
    assert_eq!(delegation.name_servers.len(), 1);
    delegation.ds.clone()
}

fn walk(internet: &mut Internet, domain: &str) -> DsRecords {
    walk_with(internet, domain, config(&["192.0.2.1"]))
}

fn asked_for_ds(internet: &Internet) -> usize {
    internet.asked.iter().filter(|asked| asked.qtype == RecordType::DS).count()
}

/// A server that leaves DS records out of its referrals.
fn careless(asked: &Asked, reply: &mut Message) {
    if asked.qtype != RecordType::DS {
        reply.authorities.retain(|record| record.record_type() != RecordType::DS);
    }
}

#[test]
fn ds_records_that_come_with_the_referral_cost_no_further_query() {
    let mut internet = tree();
    assert_eq!(walk(&mut internet, "signed.com"), present());
    assert_eq!(internet.asked.len(), 3);
    let findings = internet.walk_for(Wanted::NameServersAndDs, "signed.com", config(&["192.0.2.1"]));
    let evidence = findings.evidence.to_string();
    assert!(evidence.contains("delegated to ns.example.net., with DS of key 1, 65280\n"), "{evidence}");
}

#[test]
fn ds_records_that_a_server_leaves_out_are_asked_of_it() {
    let mut internet = tree();
    internet.lie(SERVERS[0], careless);
    assert_eq!(walk(&mut internet, "signed.com"), present());
    assert_eq!((internet.asked.len(), asked_for_ds(&internet)), (4, 1));
}

#[test]
fn that_there_are_none_is_asked_of_each_server() {
    let mut internet = tree();
    assert_eq!(walk(&mut internet, "plain.com"), DsRecords::Absent);
    assert_eq!((internet.asked.len(), asked_for_ds(&internet)), (5, 2));
}

#[test]
fn who_does_not_want_ds_records_asks_nothing_more_for_them() {
    let mut internet = tree();
    for domain in ["signed.com", "plain.com"] {
        let findings = internet.walk(domain, config(&["192.0.2.1"]));
        assert_eq!(delegation(&findings).ds, DsRecords::Unasked);
    }
    assert_eq!((internet.asked.len(), asked_for_ds(&internet)), (6, 0));
}

#[test]
fn a_name_that_is_not_delegated_is_not_asked_about_its_ds_records() {
    let mut internet = tree();
    let findings = internet.walk_for(Wanted::NameServersAndDs, "other.com", config(&["192.0.2.1"]));
    assert!(matches!(findings.outcome, Outcome::NotDelegated(_)), "{}", findings.evidence);
    assert_eq!(asked_for_ds(&internet), 0);
}

#[test]
fn servers_that_disagree_about_ds_records_leave_these_open_and_the_name_servers_not() {
    let lies: [fn(&Asked, &mut Message); 3] = [
        // One too many, one too few, none.
        |_, reply| {
            let forged = RData::Unknown { code: RecordType::DS, rdata: NULL::with(hex("12340d02cc")) };
            reply.authorities.push(Record::from_rdata(name("signed.com."), 1, forged));
        },
        |_, reply| {
            let last = reply.authorities.iter().rposition(|record| record.record_type() == RecordType::DS);
            last.map(|at| reply.authorities.remove(at));
        },
        |asked, reply| {
            careless(asked, reply);
            if asked.qtype == RecordType::DS {
                reply.answers.clear();
                reply.add_authority(crate::internet::soa(&name("com.")));
            }
        },
    ];
    for lie in lies {
        let mut internet = tree();
        internet.lie(SERVERS[1], lie);
        let ds = walk(&mut internet, "signed.com");
        assert!(matches!(ds, DsRecords::Unknown(Unknown::Disagreement { .. })), "{ds:?}");
        // Who does not want to know is not bothered with it.
        let findings = internet.walk("signed.com", config(&["192.0.2.1"]));
        assert_eq!(delegation(&findings).ds, DsRecords::Unasked);
    }
}

#[test]
fn ds_records_that_one_server_alone_tells_are_not_enough() {
    let faults: [fn(&Asked, Message) -> Vec<Delivery>; 4] = [
        |_, _| Vec::new(),
        |asked, mut reply| {
            reply.metadata.response_code = ResponseCode::ServFail;
            vec![Delivery::of(asked, &reply)]
        },
        // Without authority, or from the child.
        |asked, mut reply| {
            reply.metadata.authoritative = false;
            vec![Delivery::of(asked, &reply)]
        },
        |asked, mut reply| {
            reply.answers.clear();
            reply.add_authority(crate::internet::soa(&name("signed.com.")));
            vec![Delivery::of(asked, &reply)]
        },
    ];
    let expected =
        DsRecords::Unknown(Unknown::TooFewServers { parent: "com".parse().unwrap(), answered: 1, needed: 2 });
    for fault in faults {
        let break_one = |internet: &mut Internet| {
            internet.fault(SERVERS[1], move |asked, mut reply| {
                careless(asked, &mut reply);
                match asked.qtype {
                    RecordType::DS => fault(asked, reply),
                    _ => vec![Delivery::of(asked, &reply)],
                }
            });
        };
        let mut internet = tree();
        break_one(&mut internet);
        assert_eq!(walk(&mut internet, "signed.com"), expected);

        let mut with_third = tree();
        break_one(&mut with_third);
        with_third.zone(".", &[], "com. NS c.nic.com.\n c.nic.com. A 192.0.2.13").zone("com.", &["192.0.2.13"], "");
        assert_eq!(walk(&mut with_third, "signed.com"), present());
    }
}

#[test]
fn a_ds_query_that_is_lost_is_asked_again() {
    let mut internet = tree();
    for server in SERVERS {
        let mut is_first = true;
        internet.fault(server, move |asked, reply| match asked.qtype {
            RecordType::DS if std::mem::replace(&mut is_first, false) => Vec::new(),
            _ => vec![Delivery::of(asked, &reply)],
        });
    }
    assert_eq!(walk(&mut internet, "plain.com"), DsRecords::Absent);
}

#[test]
fn ds_records_are_handed_out_up_to_the_limits_and_no_further() {
    let limits = Limits::default();
    let with_records = |count: usize, size: usize| {
        let mut internet = tree();
        let ds = (0..count).map(|i| format!("big.com. DS {i:04x}0d02{}\n", "ab".repeat(size - 4)));
        internet.zone("com.", &[], &("big.com. NS ns.example.net.\n".to_owned() + &ds.collect::<String>()));
        let findings = internet.walk_for(Wanted::NameServersAndDs, "big.com", config(&["192.0.2.1"]));
        let is_told = findings.evidence.steps.iter().any(|step| matches!(step.said, Said::Garbled(_)));
        (delegation(&findings).ds.clone(), is_told)
    };
    let (ds, _) = with_records(limits.ds_records_max, limits.ds_size_max);
    assert!(matches!(&ds, DsRecords::Present(records) if records.len() == limits.ds_records_max), "{ds:?}");
    for (count, size) in [(limits.ds_records_max + 1, 36), (1, limits.ds_size_max + 1)] {
        let (ds, is_told) = with_records(count, size);
        assert!(matches!(ds, DsRecords::Unknown(Unknown::TooFewServers { answered: 0, .. })), "{ds:?}");
        assert!(is_told, "the evidence says that the set is too large");
    }
}

#[test]
fn repeated_ds_records_do_not_crowd_out_others() {
    let limits = Limits::default();
    for (copies, is_read) in [(limits.ds_records_max * 2 - 1, true), (limits.ds_records_max * 2, false)] {
        let mut internet = tree();
        let copies = "big.com. DS 00010d02bb\n".repeat(copies);
        internet.zone("com.", &[], &format!("big.com. NS ns.example.net.\n{copies}big.com. DS 00020d02cc"));
        match walk(&mut internet, "big.com") {
            DsRecords::Present(records) => assert!(is_read && records.len() == 2, "{records:?}"),
            other => assert!(!is_read && matches!(other, DsRecords::Unknown(_)), "{other:?}"),
        }
    }
}

#[test]
fn ds_records_of_another_name_are_not_taken_for_the_domains() {
    let mut internet = tree();
    for server in SERVERS {
        internet.lie(server, |asked, reply| {
            if asked.qtype != RecordType::DS {
                let forged = RData::Unknown { code: RecordType::DS, rdata: NULL::with(hex("12340d02cc")) };
                reply.authorities.push(Record::from_rdata(name("signed.com."), 1, forged));
            }
        });
    }
    assert_eq!(walk(&mut internet, "plain.com"), DsRecords::Absent);
}

#[test]
fn a_ds_answer_without_proof_of_its_origin_is_asked_for_over_tcp() {
    let mut internet = tree();
    for server in SERVERS {
        internet.fault(server, |asked, mut reply| {
            let truth = Delivery::of(asked, &reply);
            if asked.transport == Transport::Tcp || asked.qtype != RecordType::DS {
                return vec![truth];
            }
            // The forger has guessed id and port, and is first.
            let forged = RData::Unknown { code: RecordType::DS, rdata: NULL::with(hex("12340d02cc")) };
            reply.answers = vec![Record::from_rdata(asked.qname.clone(), 1, forged)];
            reply.authorities.clear();
            reply.edns = None;
            vec![Delivery { after: Duration::from_millis(1), ..Delivery::of(asked, &reply) }, truth]
        });
    }
    assert_eq!(walk(&mut internet, "plain.com"), DsRecords::Absent);
}

#[test]
fn where_the_childs_apex_stands_in_for_the_delegation_the_parents_ds_records_are_handed_out() {
    let mut internet = tree();
    internet.zone("signed.com.", &SERVERS, "signed.com. NS ns.example.net.");
    let trusting = Config { hidden: HiddenDelegation::TrustApex, ..config(&["192.0.2.1"]) };
    assert_eq!(walk_with(&mut internet, "signed.com", trusting), present());
}
