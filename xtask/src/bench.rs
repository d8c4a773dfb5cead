//! `cargo xtask bench`: figures beside those of the peers, from one run on one machine.

mod dns;
mod upload;
mod zonefile;

use std::net::SocketAddr;

use clap::Subcommand;

use crate::failure::Outcome;
use crate::packages;

/// What is measured.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Bench {
    /// Speed and memory of nssd beside NSD and Knot: one small zone, very many, a registry's, a signed one
    Dns(dns::Options),
    /// What `dns` measures the floor with
    #[command(hide = true)]
    Echo { address: SocketAddr },
    /// Time from an upload to the first correct answer, parent check included
    Upload(upload::Options),
    /// Megabytes per second of CPU time that zone text is read at, beside other readers in Rust
    Zonefile(zonefile::Options),
}

/// Measures and prints a table in Markdown.
pub(crate) fn run(bench: &Bench) -> Outcome {
    match bench {
        Bench::Dns(options) => packages::install_missing().and_then(|()| dns::run(options)),
        Bench::Echo { address } => dns::echo::run(*address),
        Bench::Upload(options) => upload::run(options),
        Bench::Zonefile(options) => zonefile::run(options),
    }
}

/// All of `dns`, made so small that it says nothing about speed and whether it works.
pub(crate) fn run_small() -> Outcome {
    dns::run(&dns::Options::small())
}

/// The middle one; of an even number the upper one.
fn median(values: &mut [f64]) -> f64 {
    percentile(values, 50)
}

/// The value that `percent` of all are below.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred() {
        let mut values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(
            (median(&mut values), percentile(&mut values, 99), percentile(&mut values, 100)),
            (50.0, 99.0, 99.0)
        );
        assert!(median(&mut []).is_nan());
    }
}
