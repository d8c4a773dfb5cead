//! The daily round of many hosted domains, in virtual time: how many queries it takes, and how evenly it spreads them.

use clap::Args;

use crate::failure::Outcome;
use crate::workspace::{cargo, run as run_command};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Hosted domains
    #[arg(long, default_value_t = 100_000)]
    domains: usize,
}

/// The test of the check's own suite that plays two days, with more domains than a test has time for.
pub(super) fn run(options: &Options) -> Outcome {
    let mut command = cargo();
    command.args(["test", "--quiet", "--locked", "--package", "nss-registrar-check", "--test", "suite"]);
    command.args(["--", "--nocapture", "rounds::"]);
    run_command(command.env("NSS_ROUNDS_DOMAINS", options.domains.to_string()))
}
