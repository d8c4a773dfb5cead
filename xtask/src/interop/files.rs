//! Zone files, valid and with one mistake, through the checkers of NSD, Knot, BIND and ours.
//!
//! What all peers accept we accept, with the records that BIND reads; what all refuse we refuse.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::text::{APEX, generate, mutate};
use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::Folder;
use crate::workspace::Daemons;

/// What the four checkers said of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdicts {
    /// NSD, Knot, BIND.
    peers: [bool; 3],
    ours: bool,
}

/// Compares `count` files, half of them with a mistake; fails if a verdict of all peers is not ours.
pub(super) fn run(seed: u64, count: usize, reports: usize, daemons: &Daemons) -> Outcome {
    let checkers = Checkers::find(daemons)?;
    let folder = Folder::new("files")?;
    let start = Instant::now();
    let mut tally = Tally::default();
    for index in 0..count {
        let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(7_919).wrapping_add(index as u64));
        let mut text = generate(&mut rng);
        if index % 2 == 1 {
            mutate(&mut rng, &mut text);
        }
        let path = folder.path().join("zone");
        std::fs::write(&path, &text).context(path.display())?;
        let verdicts = checkers.ask(&path)?;
        let problem = match (verdicts.peers, verdicts.ours) {
            ([true, true, true], false) => Some("all peers accept it, nssd refuses it".to_owned()),
            ([false, false, false], true) if checkers.mind_line_ends(&path, &text)? => {
                tally.line_ends += 1;
                None
            }
            ([false, false, false], true) => Some("all peers refuse it, nssd accepts it".to_owned()),
            ([true, true, true], true) => checkers.difference(&path)?,
            _ => None,
        };
        tally.count(verdicts, problem.is_some());
        if let Some(problem) = problem
            && tally.problems <= reports
        {
            let text = String::from_utf8_lossy(&text);
            println!("--- file {index} of seed {seed}: {problem}\n{}\n{text}\n---", checkers.complaint(&path)?);
        }
    }
    tally.print(count, start);
    if tally.problems > 0 {
        return Err(Failure::new(format!("{} zone files get another verdict than all peers give", tally.problems)));
    }
    Ok(())
}

#[derive(Default)]
struct Tally {
    all_accept: usize,
    all_refuse: usize,
    peers_differ: usize,
    like: [usize; 3],
    /// Refused by all peers for reasons of their own, one of which is the line ends.
    line_ends: usize,
    problems: usize,
}

impl Tally {
    fn count(&mut self, verdicts: Verdicts, is_problem: bool) {
        self.problems += usize::from(is_problem);
        match verdicts.peers {
            [true, true, true] => self.all_accept += 1,
            [false, false, false] => self.all_refuse += 1,
            _ => {
                self.peers_differ += 1;
                for (count, peer) in self.like.iter_mut().zip(verdicts.peers) {
                    *count += usize::from(peer == verdicts.ours);
                }
            }
        }
    }

    fn print(&self, count: usize, start: Instant) {
        let [nsd, knot, bind] = self.like;
        println!("zone files               {count:>8}   in {:.1} s", start.elapsed().as_secs_f64());
        println!("all peers accept         {:>8}", self.all_accept);
        println!("all peers refuse         {:>8}", self.all_refuse);
        println!("only for the line ends   {:>8}   RFC 1035 §5.1 does not say how a line ends", self.line_ends);
        println!("we differ from all       {:>8}", self.problems);
        println!("peers differ             {:>8}   nssd like NSD {nsd}, Knot {knot}, BIND {bind}", self.peers_differ);
    }
}

/// The programs.
struct Checkers {
    nsd: PathBuf,
    knot: PathBuf,
    bind: PathBuf,
    bind_print: PathBuf,
    ours: PathBuf,
}

impl Checkers {
    fn find(daemons: &Daemons) -> Outcome<Checkers> {
        Ok(Checkers {
            nsd: require("nsd-checkzone")?,
            knot: require("kzonecheck")?,
            bind: require("named-checkzone")?,
            bind_print: require("named-compilezone")?,
            ours: daemons.nssd.clone(),
        })
    }

    fn ask(&self, zone: &Path) -> Outcome<Verdicts> {
        let mut nsd = Command::new(&self.nsd);
        nsd.arg(APEX).arg(zone);
        let mut knot = Command::new(&self.knot);
        knot.args(["-o", APEX]).arg(zone);
        let mut bind = bind_options(&self.bind);
        bind.arg(APEX).arg(zone);
        // All at once: each spends most of its time starting.
        let children = [nsd, knot, bind, self.ours(zone)]
            .map(|mut command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn());
        let mut accepted = [false; 4];
        for (child, accepted) in children.into_iter().zip(&mut accepted) {
            let status = child.and_then(|mut child| child.wait()).context("cannot run a zone checker")?;
            *accepted = status.success();
        }
        let [nsd, knot, bind, ours] = accepted;
        // 1 is the verdict; anything else is a checker that broke.
        let code = if ours { Some(0) } else { self.ours(zone).output().context("cannot run nssd")?.status.code() };
        if !ours && code != Some(1) {
            let words = self.complaint(zone)?;
            return Err(Failure::new(format!("nssd check-zone ended with {code:?}: {words}")));
        }
        Ok(Verdicts { peers: [nsd, knot, bind], ours })
    }

    /// Whether a peer that refuses the text would accept it with a newline at the end of each line.
    ///
    /// Knot refuses CR LF within parentheses and BIND a directive without a newline; we take both (docs/zone-format.md).
    fn mind_line_ends(&self, zone: &Path, text: &[u8]) -> Outcome<bool> {
        let copy = zone.with_extension("unix");
        let lines = String::from_utf8_lossy(text).replace("\r\n", "\n");
        std::fs::write(&copy, format!("{}\n", lines.trim_end_matches('\n'))).context(copy.display())?;
        Ok(self.ask(&copy)?.peers.contains(&true))
    }

    fn ours(&self, zone: &Path) -> Command {
        let mut command = Command::new(&self.ours);
        command.args(["check-zone", "--origin", APEX]).arg(zone);
        command
    }

    /// What our own checker has to say.
    fn complaint(&self, zone: &Path) -> Outcome<String> {
        let output = self.ours(zone).output().context("cannot run nssd")?;
        Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }

    /// Has BIND print the file and our print of the file: both must be the same.
    fn difference(&self, zone: &Path) -> Outcome<Option<String>> {
        let printed = self.ours(zone).args(["--print", "--quiet"]).output().context("cannot run nssd")?;
        let copy = zone.with_extension("printed");
        std::fs::write(&copy, &printed.stdout).context(copy.display())?;
        let (theirs, ours) = (self.canonical(zone)?, self.canonical(&copy)?);
        if theirs == ours {
            return Ok(None);
        }
        let only = |a: &[String], b: &[String], who: &str| {
            a.iter().filter(|line| !b.contains(line)).map(|line| format!("\n  {who}: {line}")).collect::<String>()
        };
        let differences = only(&theirs, &ours, "BIND only") + &only(&ours, &theirs, "nssd only");
        Ok(Some(format!("the records are different{differences}")))
    }

    fn canonical(&self, zone: &Path) -> Outcome<Vec<String>> {
        let mut command = bind_options(&self.bind_print);
        command.args(["-q", "-s", "full", "-o", "-", APEX]).arg(zone);
        let output = command.output().context("cannot run named-compilezone")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        Ok(lines)
    }
}

/// BIND with the checks off that ask other servers or hold names to the rules of host names.
fn bind_options(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["-i", "local", "-k", "ignore"]);
    command
}
