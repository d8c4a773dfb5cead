//! nssd beside NSD, Knot and others, and above the floor that the kernel sets: servers on one core, load on another.
//!
//! All servers of a workload are up at once and take rounds in turn, so that what the machine does meanwhile hits all of
//! them. Ratios within a table hold; absolute figures are those of the machine.

pub(crate) mod ahead;
pub(in crate::bench) mod contestant;
mod dnsperf;
pub(crate) mod echo;
pub(in crate::bench) mod family;
pub(crate) mod instructions;
mod load;
pub(in crate::bench) mod pool;
mod table;
pub(in crate::bench) mod workload;

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use nss_wire::RType;

use super::machine;
use crate::client::{Client, Transport};
use crate::differential::{Answer, Rr};
use crate::failure::{Context, Failure, Outcome};
use crate::process::Folder;
use crate::workspace::{Profile, build_program};
use contestant::{Contestant, Kind, Setup};
use dnsperf::Dnsperf;
use family::Cores;
use load::{Load, Tally};
use pool::{Expected, Pool, Replier};
use table::{Rounds, Row};
use workload::{Size, Workload};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Keep to these workloads; all of them otherwise
    #[arg(long, value_enum, value_delimiter = ',')]
    workload: Vec<Workload>,
    /// How much of them
    #[arg(long, value_enum, default_value_t = Size::Full)]
    size: Size,
    /// Rounds of each server, in turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Length of a round
    #[arg(long, default_value_t = 2000)]
    round_ms: u64,
    /// Sockets that the queries come from, 10 to 200: with 200 no two that are outstanding come from one, as those of resolvers
    #[arg(long, default_value_t = load::SOCKETS, value_parser = clap::value_parser!(u8).range(10..=200))]
    sockets: u8,
    /// Measure BIND too, which takes long to start
    #[arg(long)]
    bind: bool,
    /// Also run dnsperf against the servers of the seed
    #[arg(long)]
    dnsperf: bool,
    /// Another build of nssd, measured in the same rounds: the one before a change, say
    #[arg(long, value_name = "PROGRAM")]
    beside: Option<PathBuf>,
}

impl Options {
    /// A run of seconds that shows that all of it works, and nothing else.
    pub(crate) fn small() -> Options {
        Options {
            workload: Vec::new(),
            size: Size::Small,
            rounds: 2,
            round_ms: 100,
            sockets: load::SOCKETS,
            bind: true,
            dnsperf: true,
            beside: None,
        }
    }

    fn workloads(&self) -> Vec<Workload> {
        if self.workload.is_empty() { Workload::ALL.to_vec() } else { self.workload.clone() }
    }

    fn round_time(&self) -> Duration {
        Duration::from_millis(self.round_ms)
    }
}

pub(super) fn run(options: &Options) -> Outcome {
    let profile = match options.size {
        Size::Full => Profile::Release,
        // For seeing that it works, what the tests have built will do.
        Size::Small => Profile::Dev,
    };
    if cfg!(debug_assertions) && options.size == Size::Full {
        return run_optimised();
    }
    let nssd = build_program("nssd", profile)?;
    let cores = Cores::of_this_machine()?;
    println!("{}\n", machine());
    if options.size == Size::Small {
        println!("Small size: the figures say that the bench works, and nothing about speed.\n");
    }
    for workload in options.workloads() {
        measure(workload, options, &nssd, cores)?;
    }
    Ok(())
}

/// Goes on as this program built with optimisation: a slow generator would hide what servers can do.
pub(super) fn run_optimised() -> Outcome {
    let program = build_program("xtask", Profile::Release)?;
    let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).exec();
    Err(error).context("cannot start the optimised build of this program")
}

/// Takes one workload from the drawing of its zones to its table.
fn measure(workload: Workload, options: &Options, nssd: &Path, cores: Cores) -> Outcome {
    let folder = Folder::new("bench")?;
    let drawn = workload.draw(options.size);
    eprintln!("{}", drawn.title);
    let zones = workload.write(&drawn, &folder.folder("zones")?)?;
    let mut contestants = Vec::new();
    let beside = options.beside.as_deref().map(|program| (Kind::Nssd, program));
    let programs = Kind::all(workload, options.bind).into_iter().map(|kind| (kind, nssd)).chain(beside);
    for (kind, program) in programs {
        let mut contestant = Contestant::start(kind, Setup::Speed, &zones, &drawn.pool, &folder, program)?;
        if program != nssd {
            contestant.title.push_str(", the other build");
        }
        eprintln!("{} started after {:.2} s", contestant.title, contestant.start_time.as_secs_f64());
        contestants.push(contestant);
    }
    let notes = compare(&contestants, &drawn.pool)?;
    for contestant in &contestants {
        contestant.family().pin(cores.servers)?;
    }

    let mut results: Vec<(Rounds, Tally)> = contestants.iter().map(|_| Default::default()).collect();
    for round in 0..options.rounds {
        // Each one begins a round some time, and follows both of its neighbours by turns.
        for turn in 0..contestants.len() {
            let step = if round % 2 == 0 { turn } else { contestants.len() - turn };
            let i = (round + step) % contestants.len();
            let (tally, cost) = one_round(&contestants[i], &drawn.pool, round, options, cores)?;
            tally.check(&contestants[i].title)?;
            let rate = tally.answers as f64 / tally.time.as_secs_f64();
            eprintln!("round {} {:<14} {rate:>8.0} queries/s {cost:.2} us each", round + 1, contestants[i].title);
            results[i].0.add(rate, cost);
            results[i].1.add(tally);
        }
    }
    println!("### {}\n", drawn.title);
    println!(
        "Median of {} rounds of {} ms; queries from {} sockets.\n",
        options.rounds, options.round_ms, options.sockets
    );
    let mut rows = Vec::new();
    for (contestant, (rounds, tally)) in contestants.iter().zip(&mut results) {
        rows.push(row(contestant, rounds, tally)?);
    }
    println!("{}", table::table(&rows));
    for (contestant, (_, tally)) in contestants.iter().zip(&results).filter(|(_, (_, tally))| tally.lost > 0) {
        println!("{} left {} of {} queries unanswered.\n", contestant.title, tally.lost, tally.lost + tally.answers);
    }
    for note in notes {
        println!("{note}\n");
    }
    if options.dnsperf && workload == Workload::Seed {
        measure_with_dnsperf(&contestants, options, &folder, cores)?;
    }
    Ok(())
}

fn row(contestant: &Contestant, rounds: &mut Rounds, tally: &Tally) -> Outcome<Row> {
    let (rate, cost) = rounds.medians();
    Ok(Row {
        title: contestant.title.clone(),
        is_pacemaker: contestant.kind.is_pacemaker(),
        rate,
        cost,
        memory: contestant.family().proportional_memory()?,
        peak: contestant.peak_memory,
        start: contestant.start_time,
        reply_size: tally.octets as f64 / tally.answers as f64,
    })
}

/// Loads one server; what came back, and microseconds of CPU time for each answer.
fn one_round(
    contestant: &Contestant,
    pool: &Pool,
    round: usize,
    options: &Options,
    cores: Cores,
) -> Outcome<(Tally, f64)> {
    // A thread of its own, so that its core is not inherited by anything that is started later.
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            family::pin_this_thread(cores.load)?;
            // All servers get the same queries in the same round.
            let mut load =
                Load::new(contestant.address, options.sockets, pool, contestant.kind.replier(), round * ROUND_STRIDE)?;
            // The others have used the core's caches, and the machine's, since this one's last round: a server in operation has its own zones
            // there.
            load.run(options.round_time() / WARM_UP_SHARE)?;
            let before = contestant.family().cpu_time_us()?;
            let tally = load.run(options.round_time())?;
            let after = contestant.family().cpu_time_us()?;
            let cost = (after - before) / tally.answers as f64;
            Ok((tally, cost))
        });
        load.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Holds a sample of the answers of all servers against each other, record by record; what a reader should know.
///
/// # Errors
/// A server is silent, or two of them differ in an answer section or a referral.
fn compare(contestants: &[Contestant], pool: &Pool) -> Outcome<Vec<String>> {
    let mut notes = Vec::new();
    let mut first: Option<(&Contestant, Sample)> = None;
    for contestant in contestants.iter().filter(|contestant| contestant.kind.replier() == Replier::Server) {
        let sample = sample(contestant, pool)?;
        match &first {
            None => first = Some((contestant, sample)),
            Some((other, reference)) => {
                let pairs = reference.records.iter().zip(&sample.records);
                if let Some((i, _)) = pairs.enumerate().find(|(_, (theirs, ours))| theirs != ours) {
                    return Err(Failure::new(format!(
                        "{} and {} differ: {:?} is not {:?}",
                        other.title, contestant.title, reference.records[i], sample.records[i]
                    )));
                }
                if sample.proofs < reference.proofs {
                    notes.push(format!(
                        "Not like with like: {} sends {} records of denial where {} sends {}.",
                        contestant.title, sample.proofs, other.title, reference.proofs
                    ));
                }
            }
        }
    }
    Ok(notes)
}

/// Some of a server's replies.
struct Sample {
    /// What all servers must send: the answer section, or the cut's NS RRset.
    records: Vec<BTreeSet<Rr>>,
    /// NSEC3 records of all negative answers.
    proofs: usize,
}

fn sample(contestant: &Contestant, pool: &Pool) -> Outcome<Sample> {
    let mut sample = Sample { records: Vec::new(), proofs: 0 };
    let mut client = Client::new(contestant.address)?;
    for (id, query) in (0..SAMPLE_SIZE).zip(pool.iter()) {
        let packet = query.with_id(id);
        let fail = |what: String| Failure::new(format!("{}: {what}", contestant.title));
        client.send(&packet, Transport::Udp).context(&contestant.title)?;
        let reply = client.receive(id, Transport::Udp).ok_or_else(|| fail("no reply to a first query".to_owned()))?;
        if !query.is_answered_by(&reply, Replier::Server) {
            return Err(fail(query.complaint(&reply)));
        }
        let answer = Answer::read(&packet, &reply).map_err(fail)?;
        sample.proofs += answer.authority.iter().filter(|rr| rr.rtype == RType::NSEC3.0).count();
        let records = match query.expected {
            Expected::Referral => answer.authority.into_iter().filter(|rr| rr.rtype == RType::NS.0).collect(),
            Expected::Records(_) | Expected::NoData | Expected::NxDomain | Expected::Refused => answer.answer,
        };
        sample.records.push(records);
    }
    Ok(sample)
}

fn measure_with_dnsperf(contestants: &[Contestant], options: &Options, folder: &Folder, cores: Cores) -> Outcome {
    let dnsperf = Dnsperf::new(folder, options.round_time().as_secs().max(1))?;
    let mut results: Vec<Rounds> = contestants.iter().map(|_| Rounds::default()).collect();
    for _ in 0..options.rounds.min(DNSPERF_ROUNDS_MAX) {
        for (contestant, rounds) in contestants.iter().zip(&mut results) {
            let before = contestant.family().cpu_time_us()?;
            let report = dnsperf.run(contestant, cores)?;
            let after = contestant.family().cpu_time_us()?;
            rounds.add(report.rate, (after - before) / report.answers);
        }
    }
    let rows: Vec<_> = contestants
        .iter()
        .zip(&mut results)
        .map(|(contestant, rounds)| (contestant.title.clone(), contestant.kind.is_pacemaker(), rounds.medians()))
        .collect();
    println!("### seed, with dnsperf\n\n{}", table::dnsperf_table(&rows));
    Ok(())
}

/// A round begins with half of its length that is not measured: enough for every server to have seen every zone again.
const WARM_UP_SHARE: u32 = 2;

/// Queries between the first ones of two rounds; prime, so that rounds differ whatever the size of the pool.
const ROUND_STRIDE: usize = 70_001;

/// Queries whose answers are compared record by record: every kind of a workload is among them many times.
const SAMPLE_SIZE: u16 = 300;

/// dnsperf tells nothing that more rounds would make clearer.
const DNSPERF_ROUNDS_MAX: usize = 3;
