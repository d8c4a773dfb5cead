//! EDNS options, cookies, class CH, odd flags, opcodes and versions: what the peers say to them, and what we do.
//!
//! Everything that can be switched on is on in all servers. Each difference between a peer and us has to be explained.

mod explanations;
mod query;
mod reply;
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use clap::Args;
use explanations::{Case, EXPLANATIONS};
use query::Query;
use rand::SeedableRng;
use rand::rngs::StdRng;
use reply::Reply;
use server::Server;

use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::Folder;
use crate::servers::Kind;
use crate::workspace::Daemons;

/// Queries that all servers get.
const QUERIES: u16 = 3000;

/// Which odd queries are compared.
#[derive(Args, Clone, Debug)]
pub(super) struct Options {
    /// Repeats an earlier run; a fresh one is drawn and printed otherwise
    #[arg(long)]
    seed: Option<u64>,
    /// Disagreements printed in full
    #[arg(long, default_value_t = 20)]
    reports: usize,
}

impl Options {
    /// The share of CI, which is the same each time.
    pub(super) fn small() -> Options {
        Options { seed: Some(7), reports: 20 }
    }
}

/// Compares answers to odd queries, and cookies; fails if a difference has no explanation.
pub(super) fn run(options: &Options, daemons: &Daemons) -> Outcome {
    let Options { seed, reports } = *options;
    let seed = seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("seed {seed} (cargo xtask differential edns --seed {seed})");
    let folder = Folder::new("edns")?;
    std::fs::write(folder.path().join("example.com.zone"), ZONE).context("cannot write the zone")?;
    let mut servers =
        Kind::ALL.into_iter().map(|kind| Server::start(kind, &folder, daemons)).collect::<Outcome<Vec<_>>>()?;
    let cookies = servers.iter_mut().map(Server::learn_cookie).collect::<Outcome<Vec<_>>>()?;
    compare(seed, reports, &mut servers, &cookies)?;
    exchange_cookies(&mut servers, &cookies)?;
    ask_with_kdig(servers[OURS].address)
}

fn compare(seed: u64, reports: usize, servers: &mut [Server], cookies: &[Vec<u8>]) -> Outcome {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut explained: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut same, mut unexplained) = (0, Vec::new());
    for id in 0..QUERIES {
        let query = Query::random(&mut rng, id, &cookies[OURS]);
        let replies = servers.iter_mut().map(|server| server.ask(&query)).collect::<Outcome<Vec<_>>>()?;
        let mut is_same = true;
        for (kind, theirs) in Kind::PEERS.into_iter().zip(&replies) {
            for aspect in Reply::differences(theirs.as_ref(), replies[OURS].as_ref()) {
                is_same = false;
                let case =
                    Case { query: &query, peer: kind, theirs: theirs.as_ref(), ours: replies[OURS].as_ref(), aspect };
                match EXPLANATIONS.iter().find(|explanation| (explanation.applies)(&case)) {
                    Some(explanation) => *explained.entry(explanation.name).or_default() += 1,
                    None => unexplained.push(format!(
                        "--- {} differs in {aspect:?}: {query:?}\n    {}: {theirs:?}\n    nssd: {:?}",
                        kind.name(),
                        kind.name(),
                        replies[OURS]
                    )),
                }
            }
        }
        same += usize::from(is_same);
    }
    for report in unexplained.iter().take(reports) {
        println!("{report}");
    }
    println!("odd queries              {QUERIES:>8}   all four alike {same}");
    for explanation in EXPLANATIONS {
        let count = explained.get(explanation.name).copied().unwrap_or_default();
        println!("explained                {count:>8}   {}: {}", explanation.name, explanation.reference);
    }
    match unexplained.len() {
        0 => Ok(()),
        count => Err(Failure::new(format!("{count} differences in answers to odd queries are not explained"))),
    }
}

/// Every server believes the cookies that every server with the same secret made, and none with another octet.
fn exchange_cookies(servers: &mut [Server], cookies: &[Vec<u8>]) -> Outcome {
    for (maker, cookie) in Kind::ALL.into_iter().zip(cookies) {
        let mut forged = cookie.clone();
        forged[23] ^= 1;
        for taker in servers.iter_mut() {
            for (cookie, is_right) in [(cookie, true), (&forged, false)] {
                // Before the clock has moved on, a fresh cookie is the same as the one that is shown.
                taker.wait_for_another_second(cookie)?;
                if taker.believes(cookie)? != is_right {
                    let what = if is_right { "does not believe a" } else { "believes a forged" };
                    return Err(Failure::new(format!("{} {what} cookie of {}", taker.kind.name(), maker.name())));
                }
            }
        }
    }
    println!(
        "cookies                        16   of four servers with one secret are believed by each of them, forged ones are not"
    );
    Ok(())
}

/// kdig checks that the answer has its own cookie.
fn ask_with_kdig(server: SocketAddr) -> Outcome {
    let mut command = Command::new(require("kdig")?);
    command.arg(format!("@{}", server.ip())).args(["-p", &server.port().to_string()]);
    command.args(["+cookie", "+nsid", "www.example.com", "A"]);
    let output = command.output().context("cannot start kdig")?;
    let output = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for wanted in ["status: NOERROR", "COOKIE: ", "NSID: ", "192.0.2.2"] {
        if !output.contains(wanted) || output.contains("WARNING") {
            return Err(Failure::new(format!("`kdig +cookie +nsid` does not say \"{wanted}\", or warns:\n{output}")));
        }
    }
    println!("kdig +cookie +nsid       as it has to be");
    Ok(())
}

/// Our place among the servers.
const OURS: usize = 3;

const ZONE: &str = "$TTL 300
@ SOA ns host 7 2 3 4 5
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
";
