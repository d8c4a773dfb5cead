//! Zone files, valid and with one mistake, through the checkers of NSD, Knot, BIND and ours.
//!
//! What all peers accept we accept, with the records that BIND reads; what all refuse we refuse. `$GENERATE`, which is
//! BIND's own, is compared with BIND alone.
//!
//! Nearly all the time goes into starting programs: so there is a thread for each CPU, BIND gives its verdict and its
//! records in one run, in its raw format, and ours checks and prints many files at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use nss_wire::{RType, RecordBuf};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::raw;
use super::text::{APEX, Quirks, Text, generate, mutate};
use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::Folder;
use crate::workspace::Daemons;

/// How many zone files are compared.
#[derive(Args, Clone, Debug)]
pub(super) struct Options {
    /// Repeats an earlier run; a fresh one is drawn and printed otherwise
    #[arg(long)]
    seed: Option<u64>,
    /// Zone files, half of them broken, that all checkers read
    #[arg(long, default_value_t = 10_000)]
    files: usize,
    /// Disagreements printed in full
    #[arg(long, default_value_t = 20)]
    reports: usize,
}

impl Options {
    /// The share of CI, where a change waits for it.
    pub(super) fn small() -> Options {
        Options { seed: Some(7), files: 300, reports: 20 }
    }
}

/// Compares files, half of them with a mistake; fails if a verdict of all peers is not ours.
pub(super) fn run(options: &Options, daemons: &Daemons) -> Outcome {
    let Options { seed, files: count, reports } = *options;
    let seed = seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("seed {seed} (cargo xtask differential files --seed {seed} --files {count})");
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
    Explained(&'static Explanation),
    Problem(String),
}

impl Judgement {
    fn problem(problem: &str) -> Judgement {
        Judgement::Problem(problem.to_owned())
    }
}

/// A difference to all peers that is kept on purpose.
#[derive(Debug, PartialEq, Eq)]
struct Explanation {
    name: &'static str,
    /// The text that decides.
    reference: &'static str,
}

/// Refused by all peers for reasons of their own, one of which is the line ends.
static LINE_ENDS: Explanation = Explanation {
    name: "only for the line ends",
    reference: "RFC 1035 §5.1 does not say how a line ends: Knot takes CR LF behind comments only, BIND no directive without line end",
};

/// A CR without LF within a comment.
static LONE_CR: Explanation = Explanation {
    name: "a comment ends at a CR alone",
    reference: "RFC 1035 §5.1 has the rest of the line ignored; the peers go on to the next LF and lose records",
};

/// Known by what we say of the text.
static LARGE_TTL: (Explanation, &str) = (
    Explanation {
        name: "a TTL from 2^31 on",
        reference: "RFC 2181 §8 has the bit zero; BIND takes 0, NSD the default, Knot the number",
    },
    "the TTL exceeds 2147483647",
);

/// Known by our warning.
static NO_ADDRESS: (Explanation, &str) = (
    Explanation {
        name: "a name server without address",
        reference: "nssd warns (RFC 1912 §2.4), BIND and Knot refuse, and NSD refuses for another reason",
    },
    "which has no address",
);

/// The records of an RRset have different TTLs.
static LOWEST_TTL: Explanation = Explanation {
    name: "the lowest TTL of an RRset",
    reference: "RFC 2181 §5.2 has it taken for all; BIND takes the first",
};

#[derive(Default)]
struct Tally {
    all_accept: usize,
    all_refuse: usize,
    peers_differ: usize,
    like: [usize; 3],
    explained: BTreeMap<&'static str, (usize, &'static str)>,
    problems: BTreeMap<usize, String>,
}

impl Tally {
    fn count(&mut self, file: Judged) {
        match file.outcome {
            Judgement::Fine => {}
            Judgement::Explained(Explanation { name, reference }) => {
                self.explained.entry(name).or_insert((0, reference)).0 += 1;
            }
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
        for (name, (count, reference)) in &self.explained {
            println!("explained                {count:>8}   {name}: {reference}");
        }
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
            // Of four files two have a mistake, and one has something that not all peers take.
            let quirks = if index % 4 == 2 { Quirks::Some } else { Quirks::None };
            let mut text = generate(&mut rng, quirks);
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
            let is_broken = index % 2 == 1;
            let outcome = match (peers.accepted, &ours) {
                // NSD and Knot know no $GENERATE, so that with a mistake elsewhere nothing can be said of the file.
                _ if text.generates() && is_broken => Judgement::Fine,
                ([_, _, true], None) if text.generates() => Judgement::problem("BIND accepts it, nssd refuses it"),
                ([_, _, false], Some(_)) if text.generates() => Judgement::problem("BIND refuses it, nssd accepts it"),
                ([_, _, true], Some(ours)) if text.generates() => compare(&peers.records()?, ours),
                ([true, true, true], None) if checkers.mind_lone_cr(&self.folder, place, &text)? => {
                    Judgement::Explained(&LONE_CR)
                }
                ([true, true, true], None) => Judgement::problem("all peers accept it, nssd refuses it"),
                ([true, true, true], Some(ours)) => match compare(&peers.records()?, ours) {
                    Judgement::Problem(_) if checkers.mind_lone_cr(&self.folder, place, &text)? => {
                        Judgement::Explained(&LONE_CR)
                    }
                    outcome => outcome,
                },
                ([false, false, false], Some(_)) if checkers.mind_line_ends(&folder, &text)? => {
                    Judgement::Explained(&LINE_ENDS)
                }
                ([false, false, false], Some(_)) => Judgement::problem("all peers refuse it, nssd accepts it"),
                _ => Judgement::Fine,
            };
            let outcome = match outcome {
                Judgement::Problem(problem) => {
                    let words = checkers.complaint(&self.folder, place)?;
                    // A difference in the records of a text that all accept is never explained by words.
                    let by_words = match (peers.accepted, &ours) {
                        (_, None) if words.contains(LARGE_TTL.1) => Some(&LARGE_TTL.0),
                        ([false, false, false], Some(_)) if words.contains(NO_ADDRESS.1) => Some(&NO_ADDRESS.0),
                        _ => None,
                    };
                    match by_words {
                        Some(explanation) => Judgement::Explained(explanation),
                        None => Judgement::Problem(format!("{problem}\n{words}\n{text}")),
                    }
                }
                outcome => outcome,
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

/// A record without TTL, and its owner without letter case.
type Line = (String, u16, Vec<u8>);

fn line(record: &RecordBuf) -> Line {
    (record.owner.to_string().to_ascii_lowercase(), record.rtype.0, record.rdata.clone())
}

/// What BIND read beside what we read.
fn compare(theirs: &[RecordBuf], ours: &[RecordBuf]) -> Judgement {
    let ttls = |records: &[RecordBuf]| -> BTreeMap<Line, u32> {
        records.iter().map(|record| (line(record), record.ttl)).collect()
    };
    let (their_ttls, our_ttls) = (ttls(theirs), ttls(ours));
    if theirs.len() == ours.len() && their_ttls.keys().eq(our_ttls.keys()) {
        let mut pairs = their_ttls.values().zip(our_ttls.values());
        if pairs.clone().all(|(theirs, ours)| theirs == ours) {
            return Judgement::Fine;
        }
        // A TTL that is misread would now and then be the higher one.
        if pairs.all(|(theirs, ours)| ours <= theirs) {
            return Judgement::Explained(&LOWEST_TTL);
        }
    }
    let only = |records: &[RecordBuf], others: &BTreeMap<Line, u32>, who: &str| {
        let alone = records.iter().filter(|record| others.get(&line(record)) != Some(&record.ttl));
        alone.map(|record| format!("\n  {who} only: {record}")).collect::<String>()
    };
    let (theirs_only, ours_only) = (only(theirs, &our_ttls, "BIND"), only(ours, &their_ttls, "nssd"));
    let counts = format!("BIND {}, nssd {}", theirs.len(), ours.len());
    Judgement::Problem(format!("the records are different: {counts}{theirs_only}{ours_only}"))
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

/// Far more than a checker takes on a busy machine; one that takes longer hangs and has no verdict.
const CHECKER_TIME_MAX: Duration = Duration::from_secs(10);

/// How often checkers are asked whether they have ended.
const POLL_INTERVAL: Duration = Duration::from_micros(500);

/// Whether a program ends with success, and in time: BIND 9.18 never ends on a file that includes itself.
fn accepts(mut child: Child, start: Instant) -> std::io::Result<bool> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if start.elapsed() > CHECKER_TIME_MAX {
            child.kill()?;
            return child.wait().map(|_| false);
        }
        std::thread::sleep(POLL_INTERVAL);
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
        let path = folder.join("raw");
        let raw = File::create(&path).context(path.display())?;
        let outputs = [Stdio::null(), Stdio::null(), Stdio::from(raw)];
        let start = Instant::now();
        let children = [nsd, knot, bind].into_iter().zip(outputs).map(|(mut command, output)| {
            command.current_dir(folder).stdin(Stdio::null()).stdout(output).stderr(Stdio::null()).spawn()
        });
        let children: Vec<_> = children.collect();
        let mut accepted = [false; 3];
        for (child, accepted) in children.into_iter().zip(&mut accepted) {
            *accepted = child.and_then(|child| accepts(child, start)).context("cannot run a zone checker")?;
        }
        Ok(Peers { accepted, raw: std::fs::read(&path).context(path.display())? })
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
    /// Knot takes CR LF behind comments only and BIND no directive without a newline; we take both (docs/zone-format.md).
    fn mind_line_ends(&self, folder: &Path, text: &Text) -> Outcome<bool> {
        let copy = folder.join("unix");
        write(&copy, &text.with_unix_line_ends())?;
        Ok(self.peers(&copy)?.accepted.contains(&true))
    }

    /// Whether a difference is gone with LF where CR stands alone: all refuse the text, or the records are the same.
    fn mind_lone_cr(&self, folder: &Path, place: &str, text: &Text) -> Outcome<bool> {
        if !text.has_lone_cr() {
            return Ok(false);
        }
        let copy = format!("{place}/unix");
        write(&folder.join(&copy), &text.with_unix_line_ends())?;
        let (peers, ours) = (self.peers(&folder.join(&copy))?, self.ours(folder, &[copy])?);
        Ok(match (peers.accepted, ours.first()) {
            ([_, _, true], Some(Some(ours))) => !matches!(compare(&peers.records()?, ours), Judgement::Problem(_)),
            (accepted, Some(None)) => accepted != [true; 3],
            _ => false,
        })
    }

    /// What our own checker has to say.
    fn complaint(&self, folder: &Path, place: &str) -> Outcome<String> {
        let output = self.check_zone(folder, &[place.to_owned()]).output().context("cannot run nssd")?;
        Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<RecordBuf> {
        let read = nss_zonefile::read(text.as_bytes(), &nss_zonefile::Options::default()).unwrap();
        read.into_iter().map(|(record, _)| record).collect()
    }

    #[test]
    fn records_are_the_same_but_for_the_letter_case_of_owners() {
        let compared = |theirs, ours| compare(&records(theirs), &records(ours));
        assert!(matches!(compared("a. 1 NS B.\n", "A. 1 NS B.\n"), Judgement::Fine));
        assert!(matches!(compared("a. 1 NS B.\n", "a. 1 NS b.\n"), Judgement::Problem(_)));
        assert!(matches!(compared("a. 1 NS b.\n", "a. 1 NS b.\na. 1 NS c.\n"), Judgement::Problem(_)));
        assert!(matches!(compared("a. 1 NS b.\na. 1 NS c.\n", "a. 1 NS b.\n"), Judgement::Problem(_)));
        assert!(matches!(compared("a. 1 NS b.\n", "a. 2 NS b.\n"), Judgement::Problem(_)));
        let Judgement::Explained(explanation) = compared("a. 2 NS b.\na. 2 NS c.\n", "a. 1 NS b.\na. 1 NS c.\n") else {
            panic!("the lowest TTL is the RRset's")
        };
        assert_eq!(explanation, &LOWEST_TTL);
    }
}
