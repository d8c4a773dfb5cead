//! What checking one large zone file costs: `nssd check-zone` beside the checkers that come with NSD, Knot and BIND.
//!
//! Each checker is a process of its own and reads the file from the page cache. They take rounds in turn, so that what the
//! machine does meanwhile hits all of them.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use super::measured::{Cost, measure};
use super::registry::{self, Shuffled};
use super::{machine, median, version};
use crate::failure::{Context, Outcome};
use crate::packages::require;
use crate::process::Folder;
use crate::workspace::{Profile, build_program};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Delegations of the zone that is made up
    #[arg(long, default_value_t = 1_000_000)]
    delegations: u32,
    /// Shuffles the lines of that zone, so that the records of a name stand anywhere
    #[arg(long)]
    shuffled: bool,
    /// Checks this zone file instead of one that is made up
    #[arg(long, requires = "origin", conflicts_with_all = ["delegations", "shuffled"])]
    file: Option<PathBuf>,
    /// The apex of the zone in that file
    #[arg(long, value_name = "NAME", requires = "file")]
    origin: Option<String>,
    /// Rounds of each checker, in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

pub(super) fn run(options: &Options) -> Outcome {
    compare(options, Profile::Release)
}

/// A run of seconds that shows that all of it works.
pub(super) fn run_small() -> Outcome {
    println!("A zone so small that the figures say nothing about speed.\n");
    // What the tests have built will do.
    compare(&Options { delegations: 300, shuffled: false, file: None, origin: None, rounds: 1 }, Profile::Dev)
}

fn compare(options: &Options, profile: Profile) -> Outcome {
    let nssd = build_program("nssd", profile)?;
    let folder = Folder::new("bench")?;
    let (file, origin, title) = match (&options.file, &options.origin) {
        (Some(file), Some(origin)) => {
            (std::path::absolute(file).context(file.display())?, origin.clone(), file.display().to_string())
        }
        _ => {
            let file = folder.path().join("example.zone");
            let (shuffled, order) =
                if options.shuffled { (Shuffled::Lines, "lines") } else { (Shuffled::Names, "names") };
            std::fs::write(&file, registry::zone(options.delegations, shuffled)).context(file.display())?;
            (file, registry::ORIGIN.to_owned(), format!("{} delegations, {order} in random order", options.delegations))
        }
    };
    let size = std::fs::metadata(&file).context(file.display())?.len();
    let log = folder.path().join("log");

    let mut checkers = Checker::all(&nssd, &file, &origin)?;
    // Who cannot check this file ends the run here; the file is in the page cache from now on.
    for checker in &mut checkers {
        checker.run(&log)?;
    }
    let mut checkers = faster_of_each_maker(checkers);
    for round in 0..options.rounds {
        // Each one follows each other one some time.
        for turn in 0..checkers.len() {
            let i = (round + turn) % checkers.len();
            let cost = checkers[i].run(&log)?;
            eprintln!("round {} {:<32} {:.2} s", round + 1, checkers[i].title(), cost.wall_seconds);
        }
    }
    println!("{}\n\n{title}, {:.1} MB, median of {} rounds\n", machine(), size as f64 / 1e6, options.rounds);
    println!("{}", table(&mut checkers, size));
    Ok(())
}

/// A program that checks zone files.
struct Checker {
    maker: &'static str,
    name: &'static str,
    version: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    costs: Vec<Cost>,
}

impl Checker {
    /// All of them, each with all the checks that it makes unless it is told otherwise and that need no network: BIND would
    /// ask resolvers for the addresses of name servers outside the zone.
    fn all(nssd: &Path, file: &Path, origin: &str) -> Outcome<Vec<Checker>> {
        let (file, origin): (&OsStr, &OsStr) = (file.as_os_str(), origin.as_ref());
        let word = |word: &'static str| OsStr::new(word);
        let peer = |maker, name, version_flag, arguments| {
            require(name).map(|program| Checker::new(maker, name, program, version_flag, arguments))
        };
        let to_nowhere = vec![word("-i"), word("local"), word("-o"), word("/dev/null"), origin, file];
        Ok(vec![
            peer("NSD", "nsd-checkzone", "-h", vec![origin, file])?,
            peer("Knot", "kzonecheck", "-V", vec![word("-o"), origin, file])?,
            peer("BIND", "named-checkzone", "-v", vec![word("-i"), word("local"), origin, file])?,
            peer("BIND", "named-compilezone", "-v", to_nowhere)?,
            Checker::new(
                OURS,
                "check-zone",
                nssd.to_owned(),
                "--version",
                vec![word("check-zone"), word("--origin"), origin, file],
            ),
        ])
    }

    fn new(
        maker: &'static str,
        name: &'static str,
        program: PathBuf,
        version_flag: &str,
        arguments: Vec<&OsStr>,
    ) -> Checker {
        let told = Command::new(&program).arg(version_flag).output().ok();
        let told = told.map(|told| String::from_utf8_lossy(&[told.stdout, told.stderr].concat()).into_owned());
        let version = told.as_deref().and_then(version).unwrap_or_else(|| "of unknown version".to_owned());
        let arguments = arguments.into_iter().map(OsStr::to_owned).collect();
        Checker { maker, name, version, program, arguments, costs: Vec::new() }
    }

    fn title(&self) -> String {
        format!("{} {} ({})", self.maker, self.version, self.name)
    }

    /// Checks the file once.
    fn run(&mut self, log: &Path) -> Outcome<Cost> {
        let arguments: Vec<&OsStr> = self.arguments.iter().map(OsString::as_os_str).collect();
        let cost = measure(&self.program, &arguments, log)?;
        self.costs.push(cost);
        Ok(cost)
    }
}

/// Leaves one program of each maker, by the one run that each has behind it, and forgets that run.
fn faster_of_each_maker(checkers: Vec<Checker>) -> Vec<Checker> {
    let wall = |checker: &Checker| checker.costs.first().map_or(f64::INFINITY, |cost| cost.wall_seconds);
    let mut left: Vec<Checker> = Vec::new();
    for checker in checkers {
        match left.iter_mut().find(|it| it.maker == checker.maker) {
            None => left.push(checker),
            Some(other) if wall(&checker) < wall(other) => *other = checker,
            Some(_) => {}
        }
    }
    for checker in &mut left {
        checker.costs.clear();
    }
    left
}

/// Medians, and their ratios to the best of the peers in each column.
fn table(checkers: &mut [Checker], size: u64) -> String {
    let columns: [fn(&Cost) -> f64; 3] =
        [|cost| cost.wall_seconds, |cost| cost.cpu_seconds, |cost| cost.peak_memory as f64 / f64::from(1 << 20)];
    let rows: Vec<_> = checkers
        .iter()
        .map(|checker| {
            let mut sorted = columns.map(|column| checker.costs.iter().map(column).collect::<Vec<_>>());
            let medians = sorted.each_mut().map(|values| median(values));
            let [walls, ..] = sorted;
            let range = walls.first().copied().zip(walls.last().copied()).unwrap_or((f64::NAN, f64::NAN));
            (checker.title(), checker.maker != OURS, medians, range)
        })
        .collect();
    let best = |column: usize| {
        rows.iter()
            .filter(|(_, is_peer, ..)| *is_peer)
            .map(|(_, _, medians, _)| medians[column])
            .fold(f64::NAN, f64::min)
    };
    let [wall_best, cpu_best, memory_best] = [best(0), best(1), best(2)];
    let mut text = "| checker | s | ratio | fastest to slowest round | CPU s | ratio | peak, MiB | ratio | MB/s |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"
    .to_owned();
    for (title, _, [wall, cpu, memory], (fastest, slowest)) in &rows {
        let _ = writeln!(
            text,
            "| {title} | {wall:.2} | {:.2} | {fastest:.2} to {slowest:.2} | {cpu:.2} | {:.2} | {memory:.0} | {:.2} | {:.0} |",
            wall / wall_best,
            cpu / cpu_best,
            memory / memory_best,
            size as f64 / 1e6 / wall,
        );
    }
    text
}

/// Whose ratios are those to the others.
const OURS: &str = "nssd";

#[cfg(test)]
mod tests {
    use super::*;

    fn checker(maker: &'static str, name: &'static str, runs: &[(f64, f64, u64)]) -> Checker {
        let costs = runs.iter().map(|&(wall_seconds, cpu_seconds, mebibytes)| Cost {
            wall_seconds,
            cpu_seconds,
            peak_memory: mebibytes << 20,
        });
        Checker {
            maker,
            name,
            version: "1.0".to_owned(),
            program: PathBuf::new(),
            arguments: Vec::new(),
            costs: costs.collect(),
        }
    }

    #[test]
    fn the_best_of_the_peers_is_the_measure_in_each_column() {
        let mut checkers = [
            checker("NSD", "nsd-checkzone", &[(9.0, 5.0, 300), (4.0, 4.0, 300), (8.0, 4.0, 300)]),
            checker("BIND", "named-checkzone", &[(10.0, 2.0, 100), (10.0, 2.0, 400), (10.0, 2.0, 200)]),
            checker("nssd", "check-zone", &[(2.0, 1.0, 50); 3]),
        ];
        let text = table(&mut checkers, 80_000_000);
        for line in [
            "| NSD 1.0 (nsd-checkzone) | 8.00 | 1.00 | 4.00 to 9.00 | 4.00 | 2.00 | 300 | 1.50 | 10 |",
            "| BIND 1.0 (named-checkzone) | 10.00 | 1.25 | 10.00 to 10.00 | 2.00 | 1.00 | 200 | 1.00 | 8 |",
            "| nssd 1.0 (check-zone) | 2.00 | 0.25 | 2.00 to 2.00 | 1.00 | 0.50 | 50 | 0.25 | 40 |",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn of_two_programs_of_a_maker_the_faster_one_stays_without_its_first_run() {
        let checkers = vec![
            checker("NSD", "nsd-checkzone", &[(9.0, 9.0, 1)]),
            checker("BIND", "named-checkzone", &[(3.0, 3.0, 1)]),
            checker("BIND", "named-compilezone", &[(2.0, 2.0, 1)]),
        ];
        let left = faster_of_each_maker(checkers);
        let names: Vec<_> = left.iter().map(|checker| (checker.name, checker.costs.len())).collect();
        assert_eq!(names, [("nsd-checkzone", 0), ("named-compilezone", 0)]);
    }

    #[test]
    fn a_file_needs_the_name_of_its_zone() {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            options: Options,
        }
        let parse = |words: &str| Line::try_parse_from(format!("check {words}").split_whitespace());
        let read = parse("--file root.zone --origin .").unwrap().options;
        assert_eq!((read.file, read.origin.as_deref()), (Some(PathBuf::from("root.zone")), Some(".")));
        let default = parse("").unwrap().options;
        assert_eq!((default.delegations, default.rounds, default.file), (1_000_000, 5, None));
        for words in ["--file root.zone", "--origin .", "--file root.zone --origin . --delegations 3"] {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}
