//! `cargo xtask fuzz`: runs the targets of `fuzz/` under libFuzzer, starting from the committed corpus.

use std::process::Command;

use clap::Args;

use crate::failure::{Context, Failure, Outcome};
use crate::packages::find;
use crate::workspace::{cargo, root, run as run_command};

/// What `cargo xtask fuzz` is asked to do.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// One target; all of them, one after the other, otherwise
    target: Option<String>,
    /// Time for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// The version that this was written for.
const CARGO_FUZZ: &str = "0.13.2";

/// libFuzzer stops at an input that takes longer: all targets are linear, so this means a hang.
const INPUT_SECONDS_MAX: u32 = 10;

/// Inputs worth trying: a message has at most 65,535 octets.
const INPUT_SIZE_MAX: u32 = 65_535;

/// Fuzzes; a crash is a failure, and its input stays in `fuzz/artifacts`.
pub(crate) fn run(options: &Options) -> Outcome {
    let known = targets()?;
    let targets = match &options.target {
        None => known,
        Some(target) if known.contains(target) => vec![target.clone()],
        Some(target) => return Err(Failure::new(format!("no target {target}: there are {}", known.join(", ")))),
    };
    install()?;
    for target in targets {
        println!("== {target}, {} s ==", options.seconds);
        // What is found while fuzzing goes to a folder of its own; the committed corpus changes by hand only.
        let found = root().join("target/fuzz-corpus").join(&target);
        std::fs::create_dir_all(&found).context(found.display())?;
        // Without a sanitizer stable Rust will do: the crates forbid unsafe code. RUSTC_BOOTSTRAP lets it take the
        // coverage flags of cargo-fuzz.
        let mut command = cargo();
        // What link-time optimisation gains in speed it costs in building, for each target anew.
        command.envs([("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")]);
        command.env("RUSTC_BOOTSTRAP", "1").args(["fuzz", "run", "--sanitizer", "none", "--features", "libfuzzer"]);
        command.arg(&target).arg(&found).arg(root().join("fuzz/corpus").join(&target)).arg("--");
        command.arg(format!("-max_total_time={}", options.seconds));
        command.args([format!("-timeout={INPUT_SECONDS_MAX}"), format!("-max_len={INPUT_SIZE_MAX}")]);
        run_command(command.arg("-print_final_stats=1"))?;
    }
    Ok(())
}

/// Every file in `fuzz/fuzz_targets` is one.
fn targets() -> Outcome<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(&folder).context(folder.display())? {
        let path = entry.context(folder.display())?.path();
        targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

fn install() -> Outcome {
    let home = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let there = find("cargo-fuzz").is_some() || home.is_some_and(|home| home.join("bin/cargo-fuzz").is_file());
    if there || Command::new("cargo-fuzz").arg("--version").output().is_ok() {
        return Ok(());
    }
    println!("installing cargo-fuzz {CARGO_FUZZ}");
    run_command(cargo().args(["install", "--locked", "cargo-fuzz", "--version", CARGO_FUZZ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_corpus() {
        let targets = targets().unwrap();
        assert!(targets.len() >= 4);
        for target in targets {
            let corpus = root().join("fuzz/corpus").join(&target);
            assert!(std::fs::read_dir(&corpus).is_ok_and(|mut files| files.next().is_some()), "{target} has no corpus");
        }
    }
}
