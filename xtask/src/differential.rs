//! `cargo xtask differential`: the same questions, zone files and signed zones for NSD, Knot, BIND and nssd; every difference
//! is explained by a text, or shrunk to what shows it.

mod answer;
mod answers;
mod compare;
mod edns;
mod explanations;
mod files;
mod fleet;
mod hosted;
#[cfg(test)]
mod planted;
mod programs;
mod proof;
mod queries;
mod raw;
mod rdata;
mod report;
mod shrink;
mod sign;
mod signed;
mod site;
mod text;
mod tls;
mod verdict;
mod zones;

pub(crate) use answer::{Answer, Rr};
use clap::{Args, Subcommand};

use crate::failure::Outcome;
use crate::packages;
use crate::workspace::{Daemons, Profile};

/// What `cargo xtask differential` is asked to do: answers, if no other part is named.
#[derive(Args, Debug)]
#[group(skip)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    answers: answers::Options,
}

#[derive(Subcommand, Debug)]
enum Part {
    /// Zone files, half of them broken, through the checkers of all
    Files(files::Options),
    /// Signed zones, nearly all with a change, through the verifiers of all
    Signed(signed::Options),
    /// Odd queries and DNS cookies, with everything on that can be switched on
    Edns(edns::Options),
    /// nssd over TLS, asked by kdig
    Tls,
}

/// Compares; fails if there is a difference that is not explained.
pub(crate) fn run(options: &Options) -> Outcome {
    packages::install_missing()?;
    let daemons = Daemons::build(Profile::Dev)?;
    match &options.part {
        None => answers::run(&options.answers, &daemons),
        Some(Part::Files(files)) => files::run(files, &daemons),
        Some(Part::Signed(signed)) => signed::run(signed, &daemons),
        Some(Part::Edns(edns)) => edns::run(edns, &daemons),
        Some(Part::Tls) => tls::run(&daemons),
    }
}

/// A share of everything, for CI.
pub(crate) fn run_small() -> Outcome {
    packages::install_missing()?;
    let daemons = Daemons::build(Profile::Dev)?;
    // All parts run even if the first one fails: each tells something by itself.
    let answers = answers::run(&answers::Options::small(), &daemons);
    let files = files::run(&files::Options::small(), &daemons);
    let signed = signed::run(&signed::Options::small(), &daemons);
    let edns = edns::run(&edns::Options::small(), &daemons);
    answers.and(files).and(signed).and(edns).and(tls::run(&daemons))
}
