//! What the check at the parent costs beyond the round trips that it takes, and many checks at one time.
//!
//! Root and com. have thirteen servers each, as in the world, every one at an address of its own on loopback: a thread that takes
//! queries, answers them by `nss-authority`, and one that sends the answers when their round trip is over. They run in this process, and count
//! the queries that wait for their answers. The zones are signed by `dnssec-signzone`.

mod parents;

use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use nss_registrar_check::{AddressPolicy, Checker, Config, Findings, Outcome as Found, Security, TrustAnchor};
use nss_wire::NameBuf;
use tokio::runtime::{Builder, Runtime};

use self::parents::Parents;
use super::{machine, median, percentile};
use crate::failure::{Context, Failure, Outcome};
use crate::workspace::{Profile, build_program, run as run_command};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Walks of which each knows nothing of the one before, one after the other
    #[arg(long, default_value_t = 200)]
    walks: usize,
    /// Domains that are checked at one time
    #[arg(long, default_value_t = 1000)]
    domains: usize,
    /// Milliseconds from a query to its answer
    #[arg(long, default_value_t = 10)]
    rtt_ms: u64,
    /// Measure this program, however it was compiled, and not one that is built with optimization
    #[arg(long)]
    this_build: bool,
}

impl Options {
    pub(super) fn small() -> Options {
        Options { walks: 3, domains: 20, rtt_ms: 1, this_build: true }
    }
}

/// Whether signatures are verified.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Validation {
    Off,
    On,
}

pub(super) fn run(options: &Options) -> Outcome {
    if !options.this_build {
        let mut command = Command::new(build_program("xtask", Profile::Release)?);
        let numbers = [options.walks as u64, options.domains as u64, options.rtt_ms].map(|number| number.to_string());
        let [walks, domains, rtt_ms] = &numbers;
        command.args(["bench", "walk", "--this-build", "--walks", walks, "--domains", domains, "--rtt-ms", rtt_ms]);
        return run_command(&mut command);
    }
    let rtt = Duration::from_millis(options.rtt_ms);
    let parents = Parents::start(rtt, options.domains.max(options.walks))?;
    println!("\n{}\n", machine());
    println!("{} walks of which each begins at the root hints, round trips of {} ms\n", options.walks, options.rtt_ms);
    println!("| signatures | round trips | median, ms | p99, ms | over the round trips: median, ms | p99, ms |");
    println!("|---|--:|--:|--:|--:|--:|");
    for validation in [Validation::Off, Validation::On] {
        one_by_one(&parents, options, rtt, validation)?;
    }
    println!("\n{} domains at one time, two workers, checker as configured by default\n", options.domains);
    println!("| signatures | seconds | queries | most to one server | outstanding at one server, at most | allowed |");
    println!("|---|--:|--:|--:|--:|--:|");
    for validation in [Validation::Off, Validation::On] {
        all_at_once(&parents, options, validation)?;
    }
    Ok(())
}

fn one_by_one(parents: &Parents, options: &Options, rtt: Duration, validation: Validation) -> Outcome {
    let runtime = runtime(1)?;
    // To the root and to com., and for the keys of each before.
    let trips: u32 = match validation {
        Validation::Off => 2,
        Validation::On => 4,
    };
    let (mut all, mut over) = (Vec::new(), Vec::new());
    for index in 0..options.walks {
        let checker = Checker::new(config(parents, validation));
        let domain = domain(index)?;
        let started = Instant::now();
        let findings = runtime.block_on(checker.findings(domain.as_name()));
        let took = started.elapsed();
        hold_to(&findings, validation)?;
        all.push(took.as_secs_f64() * 1e3);
        over.push(took.saturating_sub(rtt * trips).as_secs_f64() * 1e3);
    }
    println!(
        "| {} | {trips} | {:.2} | {:.2} | {:.2} | {:.2} |",
        words(validation),
        median(&mut all),
        percentile(&mut all, 99),
        median(&mut over),
        percentile(&mut over, 99)
    );
    Ok(())
}

fn all_at_once(parents: &Parents, options: &Options, validation: Validation) -> Outcome {
    let runtime = runtime(2)?;
    let config = config(parents, validation);
    let allowed = config.outstanding_max;
    let checker = Arc::new(Checker::new(config));
    let domains: Vec<NameBuf> = (0..options.domains).map(domain).collect::<Outcome<_>>()?;
    parents.reset();
    let started = Instant::now();
    let checks: Vec<_> = domains
        .into_iter()
        .map(|domain| {
            let checker = Arc::clone(&checker);
            runtime.spawn(async move { checker.findings(domain.as_name()).await })
        })
        .collect();
    let found = runtime.block_on(async {
        let mut found = Vec::new();
        for check in checks {
            found.push(check.await);
        }
        found
    });
    let took = started.elapsed();
    for findings in found {
        hold_to(&*findings.context("a check")?, validation)?;
    }
    let seen = parents.seen();
    if seen.outstanding_max > allowed {
        return Err(Failure::new(format!("{} queries waited at one server, of {allowed}", seen.outstanding_max)));
    }
    println!(
        "| {} | {:.2} | {} | {} | {} | {allowed} |",
        words(validation),
        took.as_secs_f64(),
        seen.queries,
        seen.queries_max,
        seen.outstanding_max
    );
    Ok(())
}

/// A figure counts only of checks that found the truth.
fn hold_to(findings: &Findings, validation: Validation) -> Outcome {
    let security = match validation {
        Validation::Off => Security::Unchecked,
        Validation::On => Security::Secure,
    };
    match &findings.outcome {
        Found::Delegation(delegation) if delegation.security == security => Ok(()),
        other => Err(Failure::new(format!("{}: {other:?}\n{}", findings.domain, findings.evidence))),
    }
}

fn config(parents: &Parents, validation: Validation) -> Config {
    let trust_anchors: Vec<TrustAnchor> = match validation {
        Validation::Off => Vec::new(),
        Validation::On => vec![parents.anchor.clone()],
    };
    let root_hints: Vec<IpAddr> = parents::addresses(parents::ROOT).collect();
    Config {
        root_hints,
        port: parents.port,
        trust_anchors,
        addresses: AddressPolicy::PublicAndLoopback,
        ..Config::default()
    }
}

fn runtime(workers: usize) -> Outcome<Runtime> {
    let mut builder = if workers == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(workers).enable_all().build().context("cannot start a runtime")
}

fn domain(index: usize) -> Outcome<NameBuf> {
    format!("d{index}.com").parse().context("a domain")
}

fn words(validation: Validation) -> &'static str {
    match validation {
        Validation::Off => "not looked at",
        Validation::On => "verified",
    }
}
