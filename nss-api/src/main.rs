//! The daemon `nss-api`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use nix::sys::signal::{SigSet, Signal};
use nss_api::command::Arguments;

fn main() -> ExitCode {
    // Whoever started this may have blocked them, and a blocked signal is inherited but never delivered.
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    if let Err(error) = signals.thread_unblock() {
        eprintln!("nss-api: cannot unblock the signals that stop it: {error}");
    }
    match Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("nss-api: {failure}");
            failure.exit_code()
        }
    }
}
