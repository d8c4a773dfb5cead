//! Project automation: `cargo xtask <task>`.
#![forbid(unsafe_code)]

mod ci;
mod client;
mod failure;
mod interop;
mod packages;
mod process;
mod servers;
mod tidy;
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
    /// Random zones and queries through NSD, Knot, BIND and nssd: where the three agree, nssd must
    Interop(interop::Options),
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let result = process::clean_up_on_signals().and_then(|()| match task {
        Task::Ci => ci::run_all(),
        Task::Tidy => tidy::run(),
        Task::Interop(options) => interop::run(&options),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
