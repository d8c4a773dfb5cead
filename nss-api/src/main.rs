//! The daemon `nss-api`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use nss_api::command::Arguments;

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("nss-api: {failure}");
            failure.exit_code()
        }
    }
}
