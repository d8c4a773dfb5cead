//! NSD, Knot and nssd side by side: the server on one core, dnsperf on another, rounds in turn.

use std::path::Path;
use std::process::Command;

use clap::Args;
use nss_wire::{NameBuf, RType};

use super::median;
use crate::client::{Client, Query, rcode};
use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::Folder;
use crate::servers::{Kind, Server, Zones};
use crate::workspace::{Daemons, Profile, output, run as run_command};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Rounds of each server, in turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Length of a round
    #[arg(long, default_value_t = 3)]
    seconds: u32,
}

/// The zone of the workload; every server answers with this one address.
const ZONE: &str = "$TTL 3600
@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300
@ IN NS ns1
@ IN NS ns2
@ IN A 192.0.2.1
ns1 IN A 192.0.2.53
ns2 IN A 192.0.2.54
";

/// The server's core, and the generator's.
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";

struct Contestant {
    server: Server,
    rates: Vec<f64>,
    /// Microseconds of CPU time for each answer.
    costs: Vec<f64>,
    reply_size: usize,
}

pub(super) fn run(options: &Options) -> Outcome {
    let daemons = Daemons::build(Profile::Release)?;
    let (dnsperf, taskset) = (require("dnsperf")?, require("taskset")?);
    let folder = Folder::new("bench")?;
    let zones = Zones { folder: folder.folder("zones")?, names: vec!["example.com".to_owned()] };
    let zone = zones.folder.join("example.com.zone");
    std::fs::write(&zone, ZONE).context(zone.display())?;
    let queries = folder.path().join("queries");
    std::fs::write(&queries, "example.com A\n").context(queries.display())?;

    let mut contestants = Vec::new();
    for kind in [Kind::Nsd, Kind::Knot, Kind::Nssd] {
        let mut server = Server::start(kind, &zones, &folder, &daemons.nssd)?;
        let reply_size = first_answer(&mut server)?;
        for process in family(server.process.id()) {
            let mut command = Command::new(&taskset);
            command.args(["--all-tasks", "--cpu-list", "--pid", SERVER_CORE, &process.to_string()]);
            output(&mut command)?;
        }
        contestants.push(Contestant { server, rates: Vec::new(), costs: Vec::new(), reply_size });
    }
    for round in 1..=options.rounds {
        for contestant in &mut contestants {
            let address = contestant.server.address;
            let before = cpu_time(contestant.server.process.id())?;
            let mut command = Command::new(&taskset);
            command.args(["--cpu-list", LOAD_CORE]).arg(&dnsperf).arg("-d").arg(&queries);
            command.args(["-s", &address.ip().to_string(), "-p", &address.port().to_string()]);
            command.args(["-l", &options.seconds.to_string(), "-c", "10", "-q", "200", "-T", "1"]);
            let report = String::from_utf8_lossy(&output(&mut command)?).into_owned();
            let figure = |label: &str| figure(&report, label);
            let (rate, completed) = (figure("Queries per second:")?, figure("Queries completed:")?);
            let cost = (cpu_time(contestant.server.process.id())? - before) / completed;
            println!("round {round} {:<5} {rate:>9.0} queries/s, {cost:.2} us each", contestant.server.kind.name());
            contestant.rates.push(rate);
            contestant.costs.push(cost);
        }
    }
    print(options, &mut contestants);
    run_command(Command::new("uname").arg("-srm"))
}

fn print(options: &Options, contestants: &mut [Contestant]) {
    println!(
        "\n`example.com A` with dnsperf, server and generator on one core each, median of {} rounds of {} s\n",
        options.rounds, options.seconds
    );
    println!("| server | queries/s | of NSD | CPU us per answer | reply, octets |\n|---|--:|--:|--:|--:|");
    let mut first = None;
    for contestant in contestants {
        let (rate, cost) = (median(&mut contestant.rates), median(&mut contestant.costs));
        let ratio = rate / *first.get_or_insert(rate);
        let (name, size) = (contestant.server.kind.name(), contestant.reply_size);
        println!("| {name} | {rate:.0} | {ratio:.2} | {cost:.2} | {size} |");
    }
    println!();
}

/// Waits until the zone is served; how large the reply is.
fn first_answer(server: &mut Server) -> Outcome<usize> {
    let apex: NameBuf = "example.com".parse().context("example.com")?;
    let query = Query::new(apex.as_name(), RType::A);
    let mut client = Client::new(server.address)?;
    let mut size = 0;
    server.process.wait_until(std::time::Duration::from_secs(10), || match client.ask(&query) {
        Some(reply) if rcode(&reply) == Some(0) => {
            size = reply.len();
            true
        }
        _ => false,
    })?;
    Ok(size)
}

/// A process and its children: NSD answers in a child of a child.
fn family(first: u32) -> Vec<u32> {
    let mut family = vec![first];
    let mut next = 0;
    while let Some(process) = family.get(next) {
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
        family.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        next += 1;
    }
    family
}

/// CPU time of all threads of a process and its children, in microseconds.
fn cpu_time(first: u32) -> Outcome<f64> {
    let mut nanoseconds = 0.0;
    for process in family(first) {
        let folder = format!("/proc/{process}/task");
        for thread in std::fs::read_dir(Path::new(&folder)).context(&folder)? {
            let path = thread.context(&folder)?.path().join("schedstat");
            // A thread may end between the listing and the look at it.
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            nanoseconds += text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap_or_default();
        }
    }
    Ok(nanoseconds / 1000.0)
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

    #[test]
    fn our_own_cpu_time_grows() {
        let before = cpu_time(std::process::id()).unwrap();
        let mut sum = 0u64;
        // Other tests' threads end meanwhile and take their time with them, so any change will do.
        while cpu_time(std::process::id()).unwrap() == before {
            sum = sum.wrapping_add(1);
        }
        assert!(family(std::process::id()).contains(&std::process::id()) && sum < u64::MAX);
    }
}
