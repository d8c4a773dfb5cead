//! What one run of a program costs.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure, Outcome};

/// Time and memory of a program, from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Cost {
    pub(super) wall_seconds: f64,
    /// Of all its threads, in user space and in the kernel.
    pub(super) cpu_seconds: f64,
    /// Most memory that was resident at once, in octets; shared pages are in it.
    pub(super) peak_memory: u64,
}

/// Runs a program to its end; what it writes goes to the file `log`.
///
/// The kernel tells of the most memory among all children that have ended so far. So a process of its own has this one
/// child and no other.
///
/// # Errors
/// The program cannot be started, or ends with anything but success; with the last of what it wrote.
pub(super) fn measure(program: &Path, arguments: &[&OsStr], log: &Path) -> Outcome<Cost> {
    let this = crate::workspace::this_program();
    let mut command = Command::new(this);
    command.args(["bench", "measured", "--"]).arg(program).args(arguments).stdin(Stdio::null());
    command.stderr(File::create(log).context(log.display())?);
    let output = command.output().context("cannot start this program again")?;
    if output.status.success() {
        return serde_json::from_slice(&output.stdout).context(program.display());
    }
    let words = std::fs::read(log).context(log.display())?;
    let words = &words[words.len().saturating_sub(WORDS_MAX)..];
    Err(Failure::new(format!("{}: {}", program.display(), String::from_utf8_lossy(words).trim())))
}

/// Runs the one program of this process and prints its cost as JSON.
pub(super) fn run(command: &[OsString]) -> Outcome {
    let [program, arguments @ ..] = command else { return Err(Failure::new("name a program to measure")) };
    let shown = program.to_string_lossy();
    let begin = Instant::now();
    let mut child = Command::new(program).args(arguments).stdout(std::io::stderr()).spawn().context(&shown)?;
    let status = child.wait().context(&shown)?;
    let wall_seconds = begin.elapsed().as_secs_f64();
    if !status.success() {
        return Err(Failure::new(format!("{shown} ended with {status}")));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context(&shown)?;
    let cost = Cost {
        wall_seconds,
        cpu_seconds: seconds(usage.user_time()) + seconds(usage.system_time()),
        // Linux counts it in KiB.
        peak_memory: u64::try_from(usage.max_rss()).unwrap_or(0) << 10,
    };
    println!("{}", serde_json::to_string(&cost).context(&shown)?);
    Ok(())
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// The end of what a program wrote, as far as it is shown.
const WORDS_MAX: usize = 2000;
