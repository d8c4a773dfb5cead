//! Instructions that nssd spends on an answer in user space, batch calls included, and on what.
//!
//! Unlike times they are the same in each run and on a busy machine. valgrind counts them in the daemon as it is, between
//! two words to it: one before, one after some thousand queries of a kind.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use nss_wire::RType;
use socket2::SockRef;

use super::contestant::{Kind as Server, Probe, Setup};
use super::pool::{Expected, Pool, Prepared, Replier};
use super::workload::{Size, Workload};
use crate::client::free_port;
use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::{Folder, Process};
use crate::workspace::{Profile, build_program, output};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Queries of each kind that are counted
    #[arg(long, default_value_t = 8192)]
    queries: usize,
    /// Keep what callgrind wrote in this folder, to be read with callgrind_annotate
    #[arg(long)]
    keep: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options { queries: 8192, keep: None }
    }
}

/// One kind of answer.
struct Kind {
    name: &'static str,
    workload: Workload,
    expected: fn(Expected) -> bool,
    /// Whether all of a batch ask the same; otherwise no two requests in it are the same.
    is_repeated: bool,
    /// `None` for any type.
    qtype: Option<RType>,
    /// Instructions that it may take: some more than it took when that was written down. What needs more should be worth it.
    budget: u64,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "the seed's: hit at the apex",
        workload: Workload::Seed,
        expected: is_data,
        is_repeated: true,
        qtype: None,
        budget: 700,
    },
    Kind {
        name: "the same, asked by one alone",
        workload: Workload::Seed,
        expected: is_data,
        is_repeated: false,
        qtype: None,
        budget: 1_600,
    },
    Kind {
        name: "hit",
        workload: Workload::Zones,
        expected: is_data,
        is_repeated: false,
        qtype: Some(RType::A),
        budget: 1_850,
    },
    Kind {
        name: "hit, with its MX's address",
        workload: Workload::Zones,
        expected: is_data,
        is_repeated: false,
        qtype: Some(RType::MX),
        budget: 2_700,
    },
    Kind {
        name: "NODATA",
        workload: Workload::Zones,
        expected: |it| it == Expected::NoData,
        is_repeated: false,
        qtype: None,
        budget: 2_700,
    },
    Kind {
        name: "NXDOMAIN",
        workload: Workload::Zones,
        expected: |it| it == Expected::NxDomain,
        is_repeated: false,
        qtype: None,
        budget: 2_800,
    },
    Kind {
        name: "REFUSED",
        workload: Workload::Zones,
        expected: |it| it == Expected::Refused,
        is_repeated: false,
        qtype: None,
        budget: 1_250,
    },
    Kind {
        name: "referral",
        workload: Workload::Delegations,
        expected: |it| it == Expected::Referral,
        is_repeated: false,
        qtype: None,
        budget: 3_000,
    },
    Kind {
        name: "signed hit",
        workload: Workload::Signed,
        expected: is_data,
        is_repeated: false,
        qtype: None,
        budget: 2_200,
    },
    Kind {
        name: "signed NODATA, NSEC3",
        workload: Workload::Signed,
        expected: |it| it == Expected::NoData,
        is_repeated: false,
        qtype: None,
        budget: 4_400,
    },
    Kind {
        name: "signed NXDOMAIN, NSEC3",
        workload: Workload::Signed,
        expected: |it| it == Expected::NxDomain,
        is_repeated: false,
        qtype: None,
        budget: 7_900,
    },
    Kind {
        name: "signed NODATA, NSEC",
        workload: Workload::Nsec,
        expected: |it| it == Expected::NoData,
        is_repeated: false,
        qtype: None,
        budget: 4_750,
    },
    Kind {
        name: "signed NXDOMAIN, NSEC",
        workload: Workload::Nsec,
        expected: |it| it == Expected::NxDomain,
        is_repeated: false,
        qtype: None,
        budget: 6_500,
    },
];

fn is_data(expected: Expected) -> bool {
    matches!(expected, Expected::Records(_))
}

pub(crate) fn run(options: &Options) -> Outcome {
    let nssd = build_program("nssd", Profile::Release)?;
    let mut rows = Vec::new();
    for workload in Workload::ALL {
        let folder = Folder::new("instructions")?;
        let drawn = workload.draw(Size::Small);
        let zones = workload.write(&drawn, &folder.folder("zones")?)?;
        let counted = Counted::start(&nssd, &zones, &drawn.pool, &folder)?;
        for kind in KINDS.iter().filter(|kind| kind.workload == workload) {
            let spent = counted.spent_on(kind, &drawn.pool, options)?;
            eprintln!("{}: {}", kind.name, spent.total());
            rows.push((kind, spent));
        }
    }
    let table = table(&rows);
    println!("{table}");
    // Beside the daemon, where whoever keeps the artefacts of a run finds it.
    let path = nssd.with_file_name("instructions.md");
    std::fs::write(&path, &table).context(path.display())?;
    let over: Vec<String> = rows.iter().filter_map(|(kind, spent)| over_budget(kind, spent.total())).collect();
    match over.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "{}: find out with `cargo xtask bench instructions --keep FOLDER` what grew, and mend it or argue for it beside a \
             new budget, here and in docs/performance.md",
            over.join("; ")
        ))),
    }
}

fn over_budget(kind: &Kind, total: u64) -> Option<String> {
    let Kind { name, budget, .. } = kind;
    (total > *budget).then(|| format!("{name} takes {total} instructions and has a budget of {budget}"))
}

fn table(rows: &[(&Kind, Spent)]) -> String {
    let mut text = "| answer | instructions | budget |".to_owned();
    for part in Part::ALL {
        let _ = write!(text, " {} |", part.name());
    }
    text.push_str("\n|---|--:|--:|");
    text.push_str(&"--:|".repeat(Part::ALL.len()));
    for (kind, spent) in rows {
        let _ = write!(text, "\n| {} | {} | {} |", kind.name, spent.total(), kind.budget);
        for part in Part::ALL {
            let _ = write!(text, " {} |", spent.of(part));
        }
    }
    text + "\n"
}

/// nssd with its instructions being counted.
struct Counted {
    process: Process,
    address: SocketAddr,
    /// What the files that callgrind writes start with; a dot and a number follow.
    out: PathBuf,
}

impl Counted {
    fn start(nssd: &Path, zones: &crate::servers::Zones, pool: &Pool, folder: &Folder) -> Outcome<Counted> {
        let loopback = [127, 0, 0, 1].into();
        let address = SocketAddr::new(loopback, free_port(&[loopback])?);
        let state = folder.folder("state")?;
        let config = state.join("nssd.toml");
        std::fs::write(&config, Server::Nssd.config(Setup::Speed, zones, &state, address)).context(config.display())?;
        let out = state.join("callgrind");
        let mut command = Command::new(require("valgrind")?);
        command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display()));
        command.arg(nssd).arg("serve").arg("--config").arg(&config);
        let mut process = Process::start("nssd in valgrind", command.current_dir(&state), &state.join("log"))?;
        let mut probe = Probe::new(address, pool, Replier::Server)?;
        process.wait_until(START_TIME_MAX, || probe.is_over())?;
        Ok(Counted { process, address, out })
    }

    /// What an answer of a kind costs.
    fn spent_on(&self, kind: &Kind, pool: &Pool, options: &Options) -> Outcome<Spent> {
        let is_it = |query: &Prepared<'_>| {
            (kind.expected)(query.expected) && kind.qtype.is_none_or(|qtype| query.qtype() == qtype)
        };
        let queries: Vec<Prepared<'_>> = pool.iter().filter(is_it).collect();
        if queries.is_empty() {
            return Err(Failure::new(format!("no query of this workload brings {}", kind.name)));
        }
        // What is done once for each thread and zone is not what an answer costs.
        self.ask(kind, &queries, WARM_UP)?;
        self.tell(&["--zero"])?;
        self.ask(kind, &queries, options.queries)?;
        let before = self.dumps()?;
        self.tell(&["--dump"])?;
        let path = self.next_dump(&before)?;
        let text = std::fs::read_to_string(&path).context(path.display())?;
        if let Some(folder) = &options.keep {
            std::fs::create_dir_all(folder).context(folder.display())?;
            let kept = folder.join(format!("{}.callgrind", kind.name.replace(|c: char| !c.is_alphanumeric(), "-")));
            std::fs::copy(&path, &kept).context(kept.display())?;
        }
        Ok(Spent::read(&text, options.queries as u64))
    }

    /// Sends queries a few batches at a time, and holds each reply to what it must be.
    fn ask(&self, kind: &Kind, queries: &[Prepared<'_>], count: usize) -> Outcome {
        let socket = UdpSocket::bind("127.0.0.1:0").context("cannot bind a UDP socket")?;
        socket.connect(self.address).context(self.address)?;
        socket.set_read_timeout(Some(REPLY_TIME)).context(self.address)?;
        SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_SIZE).context("cannot make room for replies")?;
        let numbers: Vec<usize> = (0..count).collect();
        for burst in numbers.chunks(BURST) {
            for &number in burst {
                let query = queries[number % queries.len()];
                let packet = if kind.is_repeated { query.with_id(number as u16) } else { query.with_case(number) };
                socket.send(&packet).context("cannot send a query")?;
            }
            for _ in burst {
                let mut buffer = [0; 4096];
                let len = socket.recv(&mut buffer).context("nssd in valgrind does not answer")?;
                let id = usize::from(u16::from_be_bytes([buffer[0], buffer[1]]));
                let number = burst[0] + (id.wrapping_sub(burst[0]) & 0xffff);
                let query = queries[number % queries.len()];
                let packet = if kind.is_repeated { query.packet.to_vec() } else { query.with_case(number) };
                let query = Prepared { packet: &packet, ..query };
                if !query.is_answered_by(&buffer[..len], Replier::Server) {
                    return Err(Failure::new(query.complaint(&buffer[..len])));
                }
            }
        }
        Ok(())
    }

    fn tell(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(require("callgrind_control")?);
        output(command.args(arguments).arg(self.process.id().to_string())).map(drop)
    }

    fn dumps(&self) -> Outcome<Vec<PathBuf>> {
        let folder = self.out.parent().unwrap_or(Path::new("."));
        let entries = std::fs::read_dir(folder).context(folder.display())?;
        let paths = entries.flatten().map(|entry| entry.path());
        Ok(paths.filter(|path| path.to_string_lossy().starts_with(&format!("{}.", self.out.display()))).collect())
    }

    /// The file that is there now and was not before, once it is written to its end.
    fn next_dump(&self, before: &[PathBuf]) -> Outcome<PathBuf> {
        let start = Instant::now();
        while start.elapsed() < REPLY_TIME {
            for path in self.dumps()?.into_iter().filter(|path| !before.contains(path)) {
                if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("\ntotals:")) {
                    return Ok(path);
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(Failure::new("callgrind_control wrote no counts: is the gdbserver of valgrind switched off?"))
    }
}

/// What instructions are spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Batch,
    Worker,
    Lookup,
    Message,
    Library,
}

impl Part {
    const ALL: [Part; 5] = [Part::Batch, Part::Worker, Part::Lookup, Part::Message, Part::Library];

    fn name(self) -> &'static str {
        match self {
            Part::Batch => "batch calls",
            Part::Worker => "worker",
            Part::Lookup => "name, zone, node",
            Part::Message => "message",
            Part::Library => "libraries",
        }
    }

    /// Which part the code of a file belongs to.
    fn of(file: &str) -> Part {
        const LOOKUP: [&str; 8] = ["suffixes", "table", "lookup", "catalog", "arena", "rrset", "zone", "ahead"];
        let Some((_, file)) = file.split_once("authority/src/") else {
            return match file {
                _ if file.contains("nssd/src/mmsg") => Part::Batch,
                _ if file.contains("nssd/src/") => Part::Worker,
                _ if file.contains("foldhash") => Part::Lookup,
                _ if file.contains("wire/src/") => Part::Message,
                // The standard library's is mostly inlined into all others.
                _ => Part::Library,
            };
        };
        if LOOKUP.contains(&file.trim_end_matches(".rs")) { Part::Lookup } else { Part::Message }
    }
}

/// Instructions for one answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Spent(BTreeMap<Part, u64>);

impl Spent {
    /// Reads what callgrind wrote about so many answers (its format: "Callgrind Format Specification").
    fn read(text: &str, answers: u64) -> Spent {
        let mut files = BTreeMap::new();
        let mut part = Part::Library;
        let mut sums = BTreeMap::<Part, u64>::new();
        let mut is_of_callee = false;
        for line in text.lines() {
            if let Some((key, value)) = line.split_once('=') {
                match key {
                    "fl" | "fi" | "fe" => part = Part::of(named(&mut files, value)),
                    // A name stands where it comes first, and everywhere else its number.
                    "cfl" | "cfi" => drop(named(&mut files, value).len()),
                    "calls" => is_of_callee = true,
                    _ => {}
                }
            } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
                let cost = line.split_whitespace().nth(1).and_then(|cost| cost.parse::<u64>().ok()).unwrap_or(0);
                if !std::mem::take(&mut is_of_callee) {
                    *sums.entry(part).or_default() += cost;
                }
            }
        }
        Spent(sums.into_iter().map(|(part, sum)| (part, (sum + answers / 2) / answers)).collect())
    }

    fn of(&self, part: Part) -> u64 {
        self.0.get(&part).copied().unwrap_or(0)
    }

    fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// The name of `(7) name`, or of `(7)`, which has come with it before.
fn named<'n>(names: &'n mut BTreeMap<String, String>, value: &str) -> &'n str {
    let (number, name) = value.split_once(' ').unwrap_or((value, ""));
    if !name.is_empty() {
        names.insert(number.to_owned(), name.to_owned());
    }
    names.get(number).map_or("", String::as_str)
}

/// valgrind makes a program some fifty times slower.
const START_TIME_MAX: Duration = Duration::from_secs(120);
const REPLY_TIME: Duration = Duration::from_secs(20);

/// Queries before those that are counted.
const WARM_UP: usize = 512;

/// Queries that are sent before their replies are read: some batches, so that nearly all of those are full.
const BURST: usize = 128;

/// Octets of replies that wait to be read: for each one in a burst Linux counts some 2 KiB.
const RECEIVE_BUFFER_SIZE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::root;

    #[test]
    fn costs_go_to_the_file_that_they_are_of_and_calls_are_not_counted_twice() {
        let text = "version: 1
fl=(1) /src/nssd/src/udp.rs
fn=(1) work
10 5
+2 7
cfi=(2) /src/authority/src/fast.rs
cfn=(2) respond
calls=1 30
* 1000
fi=(3) /rustc/1/library/core/src/slice.rs
-3 4
fe=(1)
12 8
fl=(2)
fn=(2)
30 400
fi=(4) /src/authority/src/suffixes.rs
1 600
totals: 1024
";
        let spent = Spent::read(text, 2);
        let parts = Part::ALL.map(|part| spent.of(part));
        assert_eq!((parts, spent.total()), ([0, 10, 300, 200, 2], 512));
    }

    #[test]
    fn the_budgets_are_those_of_the_documentation() {
        let path = root().join("docs/performance.md");
        let text = std::fs::read_to_string(path).unwrap();
        for kind in KINDS {
            let row = text.lines().find(|line| line.starts_with(&format!("| {} |", kind.name)));
            let row = row.unwrap_or_else(|| panic!("docs/performance.md says nothing of {}", kind.name));
            let budget = row.split('|').nth(3).and_then(|cell| cell.trim().parse::<u64>().ok());
            assert_eq!(budget, Some(kind.budget), "{row}");
        }
        assert!(over_budget(&KINDS[0], KINDS[0].budget).is_none());
        assert!(over_budget(&KINDS[0], KINDS[0].budget + 1).unwrap().contains("the seed's"));
    }
}
