//! How fast zone text is read on one core, beside other readers written in Rust: records built, checked, not kept.

use std::hint::black_box;
use std::path::PathBuf;

use clap::Args;
use domain::base::Name as DomainName;
use domain::zonefile::inplace::{Entry, Zonefile};
use hickory_proto::rr::Name as HickoryName;
use hickory_proto::serialize::txt::Parser;
use nix::time::{ClockId, clock_gettime};
use nss_zonefile::{Reader, StreamReader};

use super::median;
use super::registry::{self, Shuffled};
use crate::failure::{Context, Outcome};
use crate::workspace::{cargo, run as run_command};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Delegations of the zone that is made up
    #[arg(long, default_value_t = 1_000_000)]
    delegations: u32,
    /// Reads this zone file, whose apex is the root, instead of one that is made up
    #[arg(long)]
    file: Option<PathBuf>,
    /// Rounds of each reader, in turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
}

/// A reader, and what it took in each round.
struct Contestant {
    name: &'static str,
    /// It reads this part of the text, from its start on: one in so many octets.
    share: usize,
    read: Read,
    /// Megabytes for each second of CPU time, and nanoseconds for each record.
    rates: Vec<f64>,
    costs: Vec<f64>,
}

type Read = fn(&[u8]) -> Outcome<Reading>;

/// What was read once, and the seconds of CPU time it took.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    octets: usize,
    records: u64,
    seconds: f64,
}

/// Small files are read so often in a round that a round has about as many octets as these.
const ROUND_SIZE: usize = 16 << 20;

pub(super) fn run(options: &Options) -> Outcome {
    if cfg!(debug_assertions) {
        return again_in_release(options);
    }
    let text = match &options.file {
        Some(path) => std::fs::read(path).context(path.display())?,
        None => registry::zone(options.delegations, Shuffled::Lines),
    };
    let contestant = |name, share, read| Contestant { name, share, read, rates: Vec::new(), costs: Vec::new() };
    let mut contestants = [
        contestant("scan for line ends (memchr)", 1, line_ends),
        contestant("nss-zonefile", 1, ours),
        contestant("nss-zonefile, in pieces of 64 KiB", 1, in_pieces),
        contestant("nss-zonefile by the grammar alone", 4, by_grammar_alone),
        contestant("domain 0.12", 4, domain),
        contestant("hickory-proto 0.26, records kept", 50, hickory),
    ];
    for _ in 0..options.rounds {
        for contestant in &mut contestants {
            contestant.round(&text)?;
        }
    }
    print(options, &text, &mut contestants);
    run_command(std::process::Command::new("uname").arg("-srm"))
}

/// `cargo xtask` is compiled without optimisation, which would measure nothing.
fn again_in_release(options: &Options) -> Outcome {
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked", "--release", "--package", "xtask", "--", "bench", "zonefile"]);
    command.args(["--delegations", &options.delegations.to_string(), "--rounds", &options.rounds.to_string()]);
    if let Some(path) = &options.file {
        command.arg("--file").arg(std::path::absolute(path).context(path.display())?);
    }
    run_command(&mut command)
}

impl Contestant {
    fn round(&mut self, text: &[u8]) -> Outcome {
        let end = text.len() / self.share;
        let end = text[..end].iter().rposition(|&octet| octet == b'\n').map_or(text.len(), |at| at + 1);
        let (text, times) = (&text[..end], (ROUND_SIZE / self.share / end).max(1));
        let mut all = Reading::default();
        for _ in 0..times {
            let reading = (self.read)(black_box(text)).context(self.name)?;
            all.octets += reading.octets;
            all.records += reading.records;
            all.seconds += reading.seconds;
        }
        self.rates.push(all.octets as f64 / 1e6 / all.seconds);
        self.costs.push(all.seconds * 1e9 / all.records as f64);
        Ok(())
    }
}

/// Takes the time of `read`, which returns the number of records in `text`.
fn timed(text: &[u8], read: impl FnOnce() -> Outcome<u64>) -> Outcome<Reading> {
    let before = clock()?;
    let records = black_box(read()?);
    Ok(Reading { octets: text.len(), records, seconds: clock()? - before })
}

/// Seconds of CPU time of this thread.
fn clock() -> Outcome<f64> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("CPU time")?;
    Ok(time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}

fn print(options: &Options, text: &[u8], contestants: &mut [Contestant]) {
    let what = match &options.file {
        Some(path) => path.display().to_string(),
        None => format!("{} delegations", options.delegations),
    };
    println!(
        "\n{what}, {:.1} MB, one thread, median of {} rounds\n\n\
         | reader | MB per CPU second | slowest to fastest round | ns per record | of domain |\n|---|--:|--:|--:|--:|",
        text.len() as f64 / 1e6,
        options.rounds
    );
    let domain = contestants.iter_mut().find(|it| it.name.starts_with("domain")).map(|it| median(&mut it.rates));
    for Contestant { name, rates, costs, .. } in contestants {
        let (rate, cost) = (median(rates), median(costs));
        let range =
            rates.first().zip(rates.last()).map_or(String::new(), |(low, high)| format!("{low:.0} to {high:.0}"));
        let ratio = rate / domain.unwrap_or(f64::NAN);
        println!("| {name} | {rate:.0} | {range} | {cost:.1} | {ratio:.2} |");
    }
    println!();
}

fn line_ends(text: &[u8]) -> Outcome<Reading> {
    timed(text, || Ok(memchr::memchr_iter(b'\n', text).count() as u64))
}

fn ours(text: &[u8]) -> Outcome<Reading> {
    let options = root();
    timed(text, || count(Reader::new(text, &options)))
}

fn in_pieces(text: &[u8]) -> Outcome<Reading> {
    let options = root();
    timed(text, || {
        let mut reader = StreamReader::new(&options);
        let mut count = 0;
        for piece in text.chunks(1 << 16) {
            reader.feed(piece);
            while let Some(result) = reader.next() {
                black_box(result.context("zone text")?);
                count += 1;
            }
        }
        Ok(count + self::count(reader.finish())?)
    })
}

fn by_grammar_alone(text: &[u8]) -> Outcome<Reading> {
    let options = root();
    timed(text, || count(Reader::new(text, &options).by_grammar_alone()))
}

fn root() -> nss_zonefile::Options {
    nss_zonefile::Options::for_zone(nss_wire::Name::ROOT)
}

fn count(mut reader: Reader<'_>) -> Outcome<u64> {
    let mut count = 0;
    while let Some(result) = reader.next() {
        black_box(result.context("zone text")?);
        count += 1;
    }
    Ok(count)
}

fn domain(text: &[u8]) -> Outcome<Reading> {
    // It reads in place, so that it needs a copy of its own; the copying is not counted.
    let mut zone = Zonefile::with_capacity(text.len() + 1);
    zone.extend_from_slice(text);
    zone.set_origin(DomainName::root_bytes());
    timed(text, || {
        let mut count = 0;
        while let Some(entry) = zone.next_entry().context("zone text")? {
            count += u64::from(matches!(black_box(entry), Entry::Record(_)));
        }
        Ok(count)
    })
}

/// Reads lines of the types below only, as this parser knows no DNSSEC without its cryptography. There is no way to read
/// without keeping: the result is a map of all RRsets.
fn hickory(text: &[u8]) -> Outcome<Reading> {
    let text = std::str::from_utf8(text).context("zone text")?;
    let is_known = |line: &&str| ["\tNS\t", "\tA\t", "\tAAAA\t", "\tSOA\t"].iter().any(|rtype| line.contains(rtype));
    let known: String = text.split_inclusive('\n').filter(is_known).collect();
    timed(known.as_bytes(), || {
        let (_, sets) = Parser::new(&known, None, Some(HickoryName::root())).parse().context("zone text")?;
        Ok(sets.values().map(|set| set.records_without_rrsigs().count() as u64).sum())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_reads_every_record() {
        let text = registry::zone(300, Shuffled::Lines);
        let lines = line_ends(&text).unwrap().records;
        assert!(lines > 700);
        let readers: [Read; 4] = [ours, in_pieces, by_grammar_alone, domain];
        assert_eq!(readers.map(|read| read(&text).unwrap().records), [lines; 4]);
        let signers = text.windows(4).filter(|octets| octets == b"\tDS\t").count() as u64;
        assert!(signers > 10);
        assert_eq!(hickory(&text).unwrap().records, lines - signers);
    }

    #[test]
    fn a_broken_zone_is_a_failure() {
        let error = ours(b"a B\n").unwrap_err().to_string();
        assert!(error.starts_with("zone text: line 1, column 3"), "{error}");
    }
}
