//! Zone files, valid and with one mistake, through the checkers of NSD, Knot, BIND and ours.
//!
//! What all peers accept we accept, with the records that BIND reads; what all refuse we refuse.
//!
//! Nearly all the time goes into starting programs: so there is a thread for each CPU, BIND gives its verdict and its
//! records in one run, in its raw format, and ours checks and prints many files at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use nss_wire::{RType, RecordBuf};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::raw;
use super::text::{APEX, Text, generate, mutate};
use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::Folder;
use crate::workspace::Daemons;

/// Compares `count` files, half of them with a mistake; fails if a verdict of all peers is not ours.
pub(super) fn run(seed: u64, count: usize, reports: usize, daemons: &Daemons) -> Outcome {
    let folder = Folder::new("files")?;
    let checkers = Checkers::find(daemons)?;
    let start = Instant::now();
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    let work = |worker: usize| -> Outcome {
        loop {
            let first = next.fetch_add(BATCH_SIZE, Ordering::Relaxed);
            if first >= count {
                return Ok(());
            }
            let batch = Batch::new(seed, first..count.min(first + BATCH_SIZE), folder.folder(&worker.to_string())?)?;
            let judged = batch.judge(&checkers)?;
            let mut tally = tally.lock().expect("no worker panics while it counts");
            judged.into_iter().for_each(|file| tally.count(file));
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| -> Outcome {
        let started: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        started.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;
    let tally = tally.into_inner().expect("all workers have ended");
    for (index, problem) in tally.problems.iter().take(reports) {
        println!("--- file {index} of seed {seed}: {problem}\n---");
    }
    tally.print(count, start);
    if !tally.problems.is_empty() {
        let problems = tally.problems.len();
        return Err(Failure::new(format!("{problems} zone files get another verdict than all peers give")));
    }
    Ok(())
}

/// The files that our checker gets at once: starting it is as dear as checking a dozen.
const BATCH_SIZE: usize = 50;

/// What the checkers said of one file.
struct Judged {
    index: usize,
    /// NSD, Knot, BIND.
    peers: [bool; 3],
    ours: bool,
    outcome: Judgement,
}

enum Judgement {
    Fine,
    /// Refused by all peers for reasons of their own, one of which is the line ends.
    LineEnds,
    Problem(String),
}

#[derive(Default)]
struct Tally {
    all_accept: usize,
    all_refuse: usize,
    peers_differ: usize,
    like: [usize; 3],
    line_ends: usize,
    problems: BTreeMap<usize, String>,
}

impl Tally {
    fn count(&mut self, file: Judged) {
        match file.outcome {
            Judgement::Fine => {}
            Judgement::LineEnds => self.line_ends += 1,
            Judgement::Problem(problem) => drop(self.problems.insert(file.index, problem)),
        }
        match file.peers {
            [true, true, true] => self.all_accept += 1,
            [false, false, false] => self.all_refuse += 1,
            _ => {
                self.peers_differ += 1;
                for (count, peer) in self.like.iter_mut().zip(file.peers) {
                    *count += usize::from(peer == file.ours);
                }
            }
        }
    }

    fn print(&self, count: usize, start: Instant) {
        let [nsd, knot, bind] = self.like;
        let time = start.elapsed();
        println!(
            "zone files               {count:>8}   in {:.1} s, {:.1} ms each",
            time.as_secs_f64(),
            time.as_secs_f64() * 1e3 / count.max(1) as f64
        );
        println!("all peers accept         {:>8}", self.all_accept);
        println!("all peers refuse         {:>8}", self.all_refuse);
        println!("only for the line ends   {:>8}   RFC 1035 §5.1 does not say how a line ends", self.line_ends);
        println!("we differ from all       {:>8}", self.problems.len());
        println!("peers differ             {:>8}   nssd like NSD {nsd}, Knot {knot}, BIND {bind}", self.peers_differ);
    }
}

/// Some files, each in a folder of its own so that it can have another one beside it.
struct Batch {
    folder: PathBuf,
    files: Vec<(usize, Text)>,
}

impl Batch {
    fn new(seed: u64, indices: std::ops::Range<usize>, folder: PathBuf) -> Outcome<Batch> {
        let make = |index: usize| {
            let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(7_919).wrapping_add(index as u64));
            let mut text = generate(&mut rng);
            if index % 2 == 1 {
                mutate(&mut rng, &mut text);
            }
            (index, text)
        };
        let files: Vec<(usize, Text)> = indices.map(make).collect();
        for (place, (_, text)) in files.iter().enumerate() {
            write(&folder.join(place.to_string()), text)?;
        }
        Ok(Batch { folder, files })
    }

    fn judge(self, checkers: &Checkers) -> Outcome<Vec<Judged>> {
        let places: Vec<String> = (0..self.files.len()).map(|place| place.to_string()).collect();
        let ours = checkers.ours(&self.folder, &places)?;
        let mut judged = Vec::new();
        for (((index, text), ours), place) in self.files.into_iter().zip(ours).zip(&places) {
            let folder = self.folder.join(place);
            let peers = checkers.peers(&folder)?;
            let problem = match (peers.accepted, &ours) {
                ([true, true, true], None) => Some("all peers accept it, nssd refuses it".to_owned()),
                ([false, false, false], Some(_)) if checkers.mind_line_ends(&folder, &text)? => {
                    judged.push(Judged { index, peers: peers.accepted, ours: true, outcome: Judgement::LineEnds });
                    continue;
                }
                ([false, false, false], Some(_)) => Some("all peers refuse it, nssd accepts it".to_owned()),
                ([true, true, true], Some(ours)) => difference(&peers.records()?, ours),
                _ => None,
            };
            let outcome = match problem {
                None => Judgement::Fine,
                Some(problem) => {
                    Judgement::Problem(format!("{problem}\n{}\n{text}", checkers.complaint(&self.folder, place)?))
                }
            };
            judged.push(Judged { index, peers: peers.accepted, ours: ours.is_some(), outcome });
        }
        Ok(judged)
    }
}

fn write(folder: &Path, text: &Text) -> Outcome {
    std::fs::create_dir_all(folder).context(folder.display())?;
    for (name, octets) in [(ZONE, &text.zone), (Text::INCLUDED, &text.included)] {
        let path = folder.join(name);
        std::fs::write(&path, octets).context(path.display())?;
    }
    Ok(())
}

/// The zone file in its folder.
const ZONE: &str = "zone";

/// A record with its letter case taken out of the owner, which is no part of what it says.
type Line = (String, u16, u32, Vec<u8>);

fn lines(records: &[RecordBuf]) -> BTreeSet<Line> {
    let line = |record: &RecordBuf| {
        (record.owner.to_string().to_ascii_lowercase(), record.rtype.0, record.ttl, record.rdata.clone())
    };
    records.iter().map(line).collect()
}

/// How what BIND read differs from what we read.
fn difference(theirs: &[RecordBuf], ours: &[RecordBuf]) -> Option<String> {
    let (their_lines, our_lines) = (lines(theirs), lines(ours));
    if their_lines == our_lines && theirs.len() == ours.len() {
        return None;
    }
    let only = |records: &[RecordBuf], others: &BTreeSet<Line>, who: &str| {
        let alone = records.iter().filter(|record| lines(std::slice::from_ref(*record)).is_disjoint(others));
        alone.map(|record| format!("\n  {who} only: {record}")).collect::<String>()
    };
    Some(format!(
        "the records are different: BIND {}, nssd {}{}{}",
        theirs.len(),
        ours.len(),
        only(theirs, &our_lines, "BIND"),
        only(ours, &their_lines, "nssd")
    ))
}

/// What the peers said.
struct Peers {
    /// NSD, Knot, BIND.
    accepted: [bool; 3],
    /// What BIND read, if it accepts the file.
    raw: Vec<u8>,
}

impl Peers {
    fn records(&self) -> Outcome<Vec<RecordBuf>> {
        raw::records(&self.raw).ok_or_else(|| Failure::new("named-compilezone wrote no raw zone of version 1"))
    }
}

/// The programs.
struct Checkers {
    nsd: PathBuf,
    knot: PathBuf,
    bind: PathBuf,
    ours: PathBuf,
}

impl Checkers {
    fn find(daemons: &Daemons) -> Outcome<Checkers> {
        Ok(Checkers {
            nsd: require("nsd-checkzone")?,
            knot: require("kzonecheck")?,
            bind: require("named-compilezone")?,
            ours: daemons.nssd.clone(),
        })
    }

    fn peers(&self, folder: &Path) -> Outcome<Peers> {
        let mut nsd = Command::new(&self.nsd);
        nsd.args([APEX, ZONE]);
        let mut knot = Command::new(&self.knot);
        knot.args(["-o", APEX, ZONE]);
        let mut bind = Command::new(&self.bind);
        // The checks are off that ask other servers, hold names to the rules of host names, or are stricter for
        // named-compilezone than for named-checkzone.
        bind.args(["-q", "-i", "local", "-k", "ignore", "-n", "warn", "-F", "raw", "-o", "-", APEX, ZONE]);
        // All at once: each spends most of its time starting.
        let start = |command: &mut Command, out: Stdio| {
            command.current_dir(folder).stdin(Stdio::null()).stdout(out).stderr(Stdio::null()).spawn()
        };
        let children =
            (start(&mut nsd, Stdio::null()), start(&mut knot, Stdio::null()), start(&mut bind, Stdio::piped()));
        let failed = "cannot run a zone checker";
        let bind = children.2.and_then(Child::wait_with_output).context(failed)?;
        let succeeds = |child: std::io::Result<Child>| child.and_then(|mut child| child.wait()).context(failed);
        let (nsd, knot) = (succeeds(children.0)?, succeeds(children.1)?);
        Ok(Peers { accepted: [nsd.success(), knot.success(), bind.status.success()], raw: bind.stdout })
    }

    /// What we read of the files in `places`; none where we refuse the file.
    fn ours(&self, folder: &Path, places: &[String]) -> Outcome<Vec<Option<Vec<RecordBuf>>>> {
        let output = self.check_zone(folder, places).args(["--print", "--quiet"]).output();
        let output = output.context("cannot run nssd")?;
        let code = output.status.code();
        // 1 is the verdict; anything else is a checker that broke.
        if !matches!(code, Some(0 | 1)) {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("nssd check-zone ended with {code:?} in {}: {words}", folder.display())));
        }
        let complaints = String::from_utf8_lossy(&output.stderr);
        let refused: BTreeSet<&str> =
            complaints.lines().filter_map(|line| line.split_once(&format!("/{ZONE}: "))).map(|it| it.0).collect();
        let printed = nss_zonefile::read(&output.stdout, &nss_zonefile::Options::default());
        let printed = printed.map_err(|errors| {
            let errors = errors.iter().map(|error| error.report().to_string()).collect::<String>();
            Failure::new(format!("nssd check-zone printed what cannot be read:\n{errors}"))
        })?;
        let mut zones: Vec<Vec<RecordBuf>> = Vec::new();
        for (record, _) in printed {
            // The SOA record is the first of each zone.
            if record.rtype == RType::SOA {
                zones.push(Vec::new());
            }
            zones.last_mut().ok_or_else(|| Failure::new("nssd printed a zone without SOA record"))?.push(record);
        }
        if zones.len() + refused.len() != places.len() {
            let (zones, refused) = (zones.len(), refused.len());
            return Err(Failure::new(format!("nssd printed {zones} zones and refused {refused} of {}", places.len())));
        }
        let mut zones = zones.into_iter();
        let next = |place: &String| if refused.contains(place.as_str()) { None } else { zones.next() };
        Ok(places.iter().map(next).collect())
    }

    fn check_zone(&self, folder: &Path, places: &[String]) -> Command {
        let mut command = Command::new(&self.ours);
        command.current_dir(folder).stdin(Stdio::null()).args(["check-zone", "--origin", APEX]);
        command.args(places.iter().map(|place| format!("{place}/{ZONE}")));
        command
    }

    /// Whether a peer that refuses the text would accept it with a newline at the end of each line.
    ///
    /// Knot refuses CR LF within parentheses and BIND a directive without a newline; we take both (docs/zone-format.md).
    fn mind_line_ends(&self, folder: &Path, text: &Text) -> Outcome<bool> {
        let copy = folder.join("unix");
        write(&copy, &text.with_unix_line_ends())?;
        Ok(self.peers(&copy)?.accepted.contains(&true))
    }

    /// What our own checker has to say.
    fn complaint(&self, folder: &Path, place: &str) -> Outcome<String> {
        let output = self.check_zone(folder, &[place.to_owned()]).output().context("cannot run nssd")?;
        Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }
}
