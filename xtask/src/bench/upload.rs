//! From `POST /v1/zone` to the first correct answer, with the parent check on and the tree above it on loopback.

use std::time::{Duration, Instant};

use clap::Args;
use nss_wire::{NameBuf, RType};

use super::{median, percentile};
use crate::client::{Client, Query};
use crate::differential::Answer;
use crate::failure::{Context, Failure, Outcome};
use crate::http::post;
use crate::tree::{Delegation, NAME_SERVERS, To, Tree};
use crate::workspace::{Daemons, Profile};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Domains that are uploaded, one after the other
    #[arg(long, default_value_t = 200)]
    domains: usize,
}

/// An answer that takes longer never comes.
const ANSWER_TIME: Duration = Duration::from_secs(10);

pub(super) fn run(options: &Options) -> Outcome {
    let daemons = Daemons::build(Profile::Release)?;
    let domain = |index: usize| format!("d{index}.com");
    let delegations: Vec<Delegation> =
        (0..options.domains).map(|index| Delegation { domain: domain(index), to: To::Us }).collect();
    let tree = Tree::start(&daemons, &delegations)?;
    let mut client = Client::new(tree.dns)?;
    let (mut accepted, mut answered) = (Vec::new(), Vec::new());
    for index in 0..options.domains {
        let (domain, address) = (domain(index), format!("192.0.2.{}", index % 256));
        let zone = zone(&domain, &address);
        let start = Instant::now();
        let response = post(tree.http, &format!("/v1/zone?domain={domain}"), None, zone.as_bytes())?;
        if response.status != 200 {
            return Err(Failure::new(format!("{domain}: {} {}", response.status, response.body.trim())));
        }
        accepted.push(start.elapsed().as_secs_f64() * 1000.0);
        wait_for_answer(&mut client, &domain, &address)?;
        answered.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    println!("\n{} domains, each uploaded once, parent check included, tree on loopback\n", options.domains);
    println!("| milliseconds | median | p99 | most |\n|---|--:|--:|--:|");
    for (name, times) in [("upload to 200", &mut accepted), ("upload to first correct answer", &mut answered)] {
        println!("| {name} | {:.2} | {:.2} | {:.2} |", median(times), percentile(times, 99), percentile(times, 100));
    }
    Ok(())
}

fn zone(domain: &str, address: &str) -> String {
    let [ns1, ns2] = NAME_SERVERS;
    format!(
        "$ORIGIN {domain}.
$TTL 3600
@ SOA {ns1}. hostmaster.{domain}. 1 7200 3600 1209600 300
@ NS {ns1}.
@ NS {ns2}.
@ A {address}
www A {address}
@ MX 10 mail
mail A 192.0.2.25
@ TXT \"v=spf1 mx -all\"
"
    )
}

fn wait_for_answer(client: &mut Client, domain: &str, address: &str) -> Outcome {
    let qname: NameBuf = format!("www.{domain}").parse().context(domain)?;
    let query = Query::new(qname.as_name(), RType::A);
    let wire = query.to_wire();
    let start = Instant::now();
    while start.elapsed() < ANSWER_TIME {
        let answer = client.ask(&query).and_then(|reply| Answer::read(&wire, &reply).ok());
        if answer.is_some_and(|answer| answer.answer.iter().any(|rr| rr.to_string().ends_with(address))) {
            return Ok(());
        }
    }
    Err(Failure::new(format!("{domain} was accepted and is not answered")))
}
