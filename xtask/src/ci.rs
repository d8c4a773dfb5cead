//! `cargo xtask ci`: everything a change must pass, in the order in which mistakes are cheapest to find.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};
use crate::workspace::{cargo, run};
use crate::{bench, demo, differential, iana, packages, tidy};

/// One heading of the run.
struct Step {
    name: &'static str,
    work: fn() -> Outcome,
}

const STEPS: &[Step] = &[
    Step { name: "packages and components", work: install },
    Step { name: "fmt", work: || run(cargo().args(["fmt", "--all", "--check"])) },
    Step { name: "clippy", work: clippy },
    Step { name: "docs", work: docs },
    Step { name: "tests", work: || run(cargo().args(["test", "--workspace", "--locked"])) },
    Step { name: "tidy", work: tidy::run },
    Step { name: "iana", work: iana::run },
    Step { name: "differential, small", work: differential::run_small },
    Step { name: "bench, small", work: bench::run_small },
    Step { name: "bench, instructions", work: bench::run_instructions },
    Step { name: "demo", work: || demo::run(true) },
];

/// Runs all steps; the first one that fails ends the run.
pub(crate) fn run_all() -> Outcome {
    let start = Instant::now();
    let mut lines = Vec::new();
    let mut failure = None;
    for step in STEPS {
        if failure.is_some() {
            lines.push(format!("not run  {}", step.name));
            continue;
        }
        println!("\n== {} ==", step.name);
        let begin = Instant::now();
        let result = (step.work)();
        let time = seconds(begin.elapsed());
        match result {
            Ok(()) => lines.push(format!("passed   {} ({time})", step.name)),
            Err(error) => {
                println!("{}: {error}", step.name);
                lines.push(format!("FAILED   {} ({time})", step.name));
                failure = Some(Failure::new(format!("step `{}` failed: {error}", step.name)));
            }
        }
        println!("== {}: {time} ==", step.name);
    }
    println!("\n{}\ntotal {}", lines.join("\n"), seconds(start.elapsed()));
    let failed = usize::from(failure.is_some());
    println!("{} passed, {failed} failed", lines.iter().filter(|line| line.starts_with("passed")).count());
    failure.map_or(Ok(()), Err)
}

fn install() -> Outcome {
    packages::install_missing()?;
    for (component, arguments) in [("rustfmt", ["fmt", "--version"]), ("clippy", ["clippy", "--version"])] {
        if run(cargo().args(arguments)).is_err() {
            run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

fn clippy() -> Outcome {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))
}

fn docs() -> Outcome {
    let mut command = cargo();
    command.args(["doc", "--workspace", "--no-deps", "--locked"]);
    run(command.env("RUSTDOCFLAGS", "--deny warnings"))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
