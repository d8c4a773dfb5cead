//! Project automation: `cargo xtask <task>`.
#![forbid(unsafe_code)]

mod bench;
mod ci;
mod client;
mod demo;
mod differential;
mod failure;
mod fuzz;
mod http;
mod iana;
mod man;
mod packages;
mod process;
mod servers;
mod tidy;
mod tree;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, checks, compares, measures and shows the Namespace Server.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything a change must pass; installs what it needs (as root, on Debian)
    Ci,
    /// The invariants of ARCHITECTURE.md that no compiler checks
    Tidy,
    /// Our tables of types, keys and codes beside those of others, who copied them from IANA
    Iana,
    /// Random zones, queries and zone files through NSD, Knot, BIND and nssd: every difference is explained, or shown small
    Differential(differential::Options),
    /// The whole service on loopback, shown by using it; runs until Ctrl-C
    Demo {
        /// End after the last step; fail if one went wrong
        #[arg(long)]
        once: bool,
    },
    /// Figures beside those of the peers
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Manual pages of nssd and nss-api, into target/man
    Man(man::Options),
    /// Run the fuzz targets under libFuzzer
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let result = process::clean_up_on_signals().and_then(|()| match task {
        Task::Ci => ci::run_all(),
        Task::Tidy => tidy::run(),
        Task::Iana => iana::run(),
        Task::Differential(options) => differential::run(&options),
        Task::Demo { once } => demo::run(once),
        Task::Bench(bench) => bench::run(&bench),
        Task::Man(options) => man::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
