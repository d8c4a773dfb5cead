//! `cargo xtask fuzz`: runs the targets of `fuzz/` under libFuzzer, starting from the committed corpus.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::failure::{Context, Failure, Outcome};
use crate::packages::find;
use crate::process::Folder;
use crate::workspace::{cargo, root, run as run_command};

/// What `cargo xtask fuzz` is asked to do.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// One target; all of them, one after the other, otherwise
    target: Option<String>,
    /// Time for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Fuzz nothing; take into the committed corpus what was found and reaches code that the corpus does not
    #[arg(long, conflicts_with = "seconds")]
    minimise: bool,
}

/// The version that this was written for.
const CARGO_FUZZ: &str = "0.13.2";

/// libFuzzer stops at an input that takes longer: all targets are linear, so this means a hang.
const INPUT_SECONDS_MAX: u32 = 10;

/// Inputs worth trying: a message has at most 65,535 octets.
const INPUT_SIZE_MAX: u32 = 65_535;

/// Inputs that are committed: larger ones are slow to replay and nobody reads them.
const COMMITTED_SIZE_MAX: u64 = 4096;

/// Fuzzes, or minimises the corpora; a crash is a failure, and its input stays in `fuzz/artifacts`.
pub(crate) fn run(options: &Options) -> Outcome {
    let known = targets()?;
    let targets = match &options.target {
        None => known,
        Some(target) if known.contains(target) => vec![target.clone()],
        Some(target) => return Err(Failure::new(format!("no target {target}: there are {}", known.join(", ")))),
    };
    install()?;
    for target in targets {
        if options.minimise {
            minimise(&target)?;
        } else {
            fuzz(&target, options.seconds)?;
        }
    }
    Ok(())
}

fn fuzz(target: &str, seconds: u32) -> Outcome {
    println!("== {target}, {seconds} s ==");
    // What is found while fuzzing goes to a folder of its own; the committed corpus changes by `--minimise` and by hand.
    let found = found(target);
    std::fs::create_dir_all(&found).context(found.display())?;
    let mut command = libfuzzer(target, &[&found, &committed(target)]);
    command.arg(format!("-max_total_time={seconds}"));
    command.args([format!("-timeout={INPUT_SECONDS_MAX}"), format!("-max_len={INPUT_SIZE_MAX}")]);
    run_command(command.arg("-print_final_stats=1"))
}

/// Keeps the inputs that somebody named, and of all others a few that reach together all code that any of them reaches.
fn minimise(target: &str) -> Outcome {
    println!("== {target} ==");
    let folder = Folder::new("corpus")?;
    let (chosen, pool) = (folder.folder("chosen")?, folder.folder("pool")?);
    let committed = committed(target);
    for path in files(&committed)? {
        copy(&path, if is_found(&path) { &pool } else { &chosen })?;
    }
    let found = found(target);
    for path in if found.is_dir() { files(&found)? } else { Vec::new() } {
        if std::fs::metadata(&path).context(path.display())?.len() <= COMMITTED_SIZE_MAX {
            copy(&path, &pool)?;
        }
    }
    // `cargo fuzz cmin` would not keep the names, and takes more files. Without counters an input is new by the code that
    // it reaches, not by how often.
    run_command(libfuzzer(target, &[&chosen, &pool]).args(["-set_cover_merge=1", "-use_counters=0"]))?;
    let count = replace(&committed, &chosen)?;
    println!("fuzz/corpus/{target} has {count} inputs now");
    Ok(())
}

/// Starts a target on its folders of inputs; arguments of libFuzzer may follow.
fn libfuzzer(target: &str, folders: &[&Path]) -> Command {
    // Without a sanitizer stable Rust will do: the crates forbid unsafe code. RUSTC_BOOTSTRAP lets it take the
    // coverage flags of cargo-fuzz.
    let mut command = cargo();
    // What link-time optimisation gains in speed it costs in building, for each target anew.
    command.envs([("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")]);
    command.env("RUSTC_BOOTSTRAP", "1").args(["fuzz", "run", "--sanitizer", "none", "--features", "libfuzzer"]);
    command.arg(target).args(folders).arg("--");
    command
}

fn committed(target: &str) -> PathBuf {
    root().join("fuzz/corpus").join(target)
}

fn found(target: &str) -> PathBuf {
    root().join("target/fuzz-corpus").join(target)
}

/// Whether libFuzzer named the input, by its SHA-1.
fn is_found(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.len() == 40 && name.iter().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
}

/// Makes `committed` have the inputs of `chosen` and no others; how many.
fn replace(committed: &Path, chosen: &Path) -> Outcome<usize> {
    let chosen = files(chosen)?;
    let names: BTreeSet<_> = chosen.iter().filter_map(|path| path.file_name()).collect();
    for path in files(committed)? {
        if path.file_name().is_none_or(|name| !names.contains(name)) {
            std::fs::remove_file(&path).context(path.display())?;
        }
    }
    chosen.iter().try_for_each(|path| copy(path, committed))?;
    Ok(chosen.len())
}

fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).context(folder.display())?;
    entries.map(|entry| Ok(entry.context(folder.display())?.path())).collect()
}

fn copy(file: &Path, folder: &Path) -> Outcome {
    let copied = std::fs::copy(file, folder.join(file.file_name().unwrap_or_default()));
    copied.map(drop).context(file.display())
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
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
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
            assert!(files(&committed(&target)).is_ok_and(|files| !files.is_empty()), "{target} has no corpus");
        }
    }

    #[test]
    fn the_committed_inputs_are_the_chosen_ones() {
        let folder = Folder::new("test").unwrap();
        let (committed, chosen) = (folder.folder("committed").unwrap(), folder.folder("chosen").unwrap());
        let [old, new] = ["0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"];
        for (folder, name) in [(&committed, "paren"), (&committed, old), (&chosen, "paren"), (&chosen, new)] {
            std::fs::write(folder.join(name), name).unwrap();
        }
        assert_eq!(replace(&committed, &chosen).unwrap(), 2);
        let mut left = files(&committed).unwrap();
        left.sort();
        assert_eq!(left, [committed.join(new), committed.join("paren")]);
        assert_eq!(left.iter().map(|path| is_found(path)).collect::<Vec<_>>(), [true, false]);
    }
}
