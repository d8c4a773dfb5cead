//! What is kept of what a walk saw: little, whatever hostile servers send.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::NS;
use hickory_proto::rr::{RData, Record};
use nss_registrar_check::{Config, Evidence, Limits, NameServer, Outcome, Said};

use crate::internet::{Asked, Delivery, config, name, record};
use crate::walk::{outcome, tree};

/// Octets of evidence, those of its lists included.
fn size(evidence: &Evidence) -> usize {
    let of_servers = |servers: &[NameServer]| {
        let addresses: usize = servers.iter().map(|server| server.addresses.len() * size_of::<IpAddr>()).sum();
        size_of_val(servers) + addresses
    };
    let of_records = |records: &[Vec<u8>]| size_of_val(records) + records.iter().map(Vec::len).sum::<usize>();
    let lists = evidence.steps.iter().map(|step| match &step.said {
        Said::Referral { name_servers, ds, .. } => of_servers(name_servers) + of_records(ds),
        Said::Apex { name_servers, .. } => of_servers(name_servers),
        Said::Addresses(addresses) => size_of_val(&addresses[..]),
        Said::Ds(records) => of_records(records),
        _ => 0,
    });
    size_of_val(&evidence.steps[..]) + lists.sum::<usize>()
}

#[test]
fn the_evidence_of_the_longest_walk_is_bounded() {
    let limits = Limits { referrals_max: 100, timeout: Duration::from_millis(50), ..Limits::default() };
    let config = Config { limits, ..config(&["192.0.2.1"]) };
    let mut internet = tree();
    // Every label leads to one more zone with as many servers as may be and their glue, and with as many DS records.
    let hostile = move |asked: &Asked, mut reply: Message| {
        reply.metadata.response_code = ResponseCode::NoError;
        reply.answers.clear();
        let qname = asked.qname.to_lowercase();
        reply.authorities.clear();
        for i in 0..limits.name_servers_max {
            let server = name(&format!("ns{i}.{qname}"));
            reply.add_authority(Record::from_rdata(qname.clone(), 1, RData::NS(NS(server.clone()))));
            for last in 0..limits.addresses_per_server_max {
                let address = record(&format!("x. A 192.0.2.{}", 21 - last)).1;
                reply.add_additional(Record::from_rdata(server.clone(), 1, address));
            }
        }
        for i in 0..limits.ds_records_max {
            let ds = format!("x. DS {i:04x}0d02{}", "ab".repeat(limits.ds_size_max - 4));
            reply.add_authority(Record::from_rdata(qname.clone(), 1, record(&ds).1));
        }
        vec![Delivery::of(asked, &reply)]
    };
    for server in ["192.0.2.18", "192.0.2.19", "192.0.2.20", "192.0.2.21"] {
        internet.fault(server, hostile);
    }
    let findings = internet.walk(&("x.".repeat(100) + "net"), config);
    assert!(matches!(findings.outcome, Outcome::Unknown(_)), "{}", outcome(&findings));
    assert!(findings.evidence.steps.len() > limits.queries_max * 9 / 10, "{}", findings.evidence.steps.len());
    let (size, text) = (size(&findings.evidence), findings.evidence.to_string());
    assert!(size < 192 * 1024, "{size}");
    assert!(text.contains(&format!(" and {} more", limits.name_servers_max - 8)), "{text}");
    assert!(text.contains(&format!(" is delegated to {} name servers\n", limits.name_servers_max)), "{text}");
}

#[test]
fn the_name_servers_of_the_domain_itself_are_kept_to_the_last() {
    let limit = Limits::default().name_servers_max;
    let mut internet = tree();
    let servers: String = (0..limit).map(|i| format!("big.com. NS ns{i}.example.net.\n")).collect();
    internet.zone("com.", &[], &servers);
    let findings = internet.walk("big.com", config(&["192.0.2.1"]));
    for step in findings.evidence.steps.iter().rev().take(2) {
        let Said::Referral { name_servers, others, .. } = &step.said else { panic!("{step}") };
        assert_eq!((name_servers.len(), *others), (limit, 0));
    }
}
