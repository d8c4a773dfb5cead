//! The same servers under dnsperf, which others measure with. It costs more than the servers do, and so hides most of
//! what is between them.

use std::path::PathBuf;
use std::process::Command;

use super::contestant::Contestant;
use super::family::Cores;
use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::Folder;
use crate::workspace::output;

/// The program and its queries.
pub(super) struct Dnsperf {
    program: PathBuf,
    taskset: PathBuf,
    queries: PathBuf,
    seconds: u64,
}

/// What one round brought.
pub(super) struct Report {
    /// Answers in a second.
    pub(super) rate: f64,
    /// Answers of the round.
    pub(super) answers: f64,
}

impl Dnsperf {
    /// `example.com A`, for this many seconds a round.
    pub(super) fn new(folder: &Folder, seconds: u64) -> Outcome<Dnsperf> {
        let queries = folder.path().join("queries");
        std::fs::write(&queries, "example.com A\n").context(queries.display())?;
        Ok(Dnsperf { program: require("dnsperf")?, taskset: require("taskset")?, queries, seconds })
    }

    pub(super) fn run(&self, contestant: &Contestant, cores: Cores) -> Outcome<Report> {
        let address = contestant.address;
        let mut command = Command::new(&self.taskset);
        command.args(["--cpu-list", &cores.load.to_string()]).arg(&self.program).arg("-d").arg(&self.queries);
        command.args(["-s", &address.ip().to_string(), "-p", &address.port().to_string()]);
        command.args(["-l", &self.seconds.to_string(), "-c", "10", "-q", "200", "-T", "1"]);
        let report = String::from_utf8_lossy(&output(&mut command)?).into_owned();
        let figure = |label: &str| figure(&report, label);
        Ok(Report { rate: figure("Queries per second:")?, answers: figure("Queries completed:")? })
    }
}

/// The number behind a label of dnsperf's report.
fn figure(report: &str, label: &str) -> Outcome<f64> {
    let line = report.lines().find_map(|line| line.trim().strip_prefix(label));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| Failure::new(format!("dnsperf printed no `{label}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_dnsperf_is_read() {
        let report = "Statistics:\n\n  Queries sent:         100\n  Queries completed:    99 (99.00%)\n  Queries per second:   1234.5\n";
        assert_eq!(figure(report, "Queries completed:").unwrap(), 99.0);
        assert_eq!(figure(report, "Queries per second:").unwrap(), 1234.5);
        assert!(figure(report, "Queries lost:").is_err());
    }
}
