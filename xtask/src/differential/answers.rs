//! Random zones and queries: every difference between the answers of the four servers is explained, or shrunk and shown.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use nss_wire::RType;

use super::fleet::{Fleet, Loaded};
use super::hosted::Hosted;
use super::programs::{Installed, Programs};
use super::queries;
use super::report::{Shown, ask, report};
use super::shrink::{Budget, Specimen};
use super::site::Site;
use super::verdict::{OURS, Signed, Sort, Table, Verdict};
use super::zones::{self, Zone};
use crate::client::Query;
use crate::failure::{Failure, Outcome};
use crate::workspace::Daemons;

/// How many answers are compared.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Repeats an earlier run; a fresh one is drawn and printed otherwise
    #[arg(long)]
    seed: Option<u64>,
    /// Rounds, each with zones of its own
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Zones that all servers hold in a round
    #[arg(long, default_value_t = 200)]
    zones: usize,
    /// Queries of the whole run
    #[arg(long, default_value_t = 100_000)]
    queries: usize,
    /// Sorts of disagreements that are shrunk and printed
    #[arg(long, default_value_t = 5)]
    reports: usize,
    /// Seconds for shrinking each of them; 0 shows it as it was found
    #[arg(long, default_value_t = 60)]
    shrink_seconds: u64,
    /// Keep to one zone of each round, by its name without the final dot
    #[arg(long)]
    zone: Option<String>,
}

impl Options {
    /// The share of CI, where a change waits for it.
    pub(crate) fn small() -> Options {
        Options { seed: Some(7), rounds: 1, zones: 60, queries: 20_000, reports: 5, shrink_seconds: 60, zone: None }
    }

    /// For shrinking one disagreement, if that is wanted.
    fn budget(&self) -> Option<Budget> {
        let time = Duration::from_secs(self.shrink_seconds);
        Some(Budget { tries: SHRINK_TRIES_MAX, time }).filter(|_| self.shrink_seconds > 0)
    }
}

/// Compares answers; fails if there is a disagreement that is not explained.
pub(crate) fn run(options: &Options, daemons: &Daemons) -> Outcome {
    let seed = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let Options { rounds, zones, queries, .. } = options;
    println!(
        "seed {seed} (cargo xtask differential --seed {seed} --rounds {rounds} --zones {zones} --queries {queries})"
    );
    compare(seed, options, &Installed { nssd: daemons.nssd.clone() })?.conclude()
}

fn compare<'a>(seed: u64, options: &'a Options, programs: &'a dyn Programs) -> Outcome<Run<'a>> {
    let mut run = Run {
        options,
        programs,
        start: Instant::now(),
        table: Table::default(),
        zones: 0,
        refused: Vec::new(),
        found: BTreeMap::new(),
    };
    for round in 0..options.rounds {
        run.round(round, seed.wrapping_add(round as u64))?;
    }
    Ok(run)
}

/// Delta debugging of a hundred records takes fewer, and each starts four servers.
const SHRINK_TRIES_MAX: usize = 300;

/// All zones load in less on a busy machine, and refused ones are few.
const LOAD_TIME: Duration = Duration::from_secs(2);

/// Queries that are sent before their replies are judged: IDs have 16 bits, and memory holds all replies.
const BATCH_SIZE: usize = 2000;

struct Run<'a> {
    options: &'a Options,
    programs: &'a dyn Programs,
    start: Instant,
    table: Table,
    zones: usize,
    refused: Vec<String>,
    /// The first disagreement of each label.
    found: BTreeMap<String, Found>,
}

/// A disagreement as it was met.
struct Found {
    zones: Rc<[Zone]>,
    /// Place of the zone that was asked about.
    at: usize,
    query: Query,
    /// The query and what each server answered.
    shown: String,
}

impl Found {
    fn specimen(&self) -> Specimen {
        let mut zones = self.zones.to_vec();
        zones.swap(0, self.at);
        Specimen { zones, query: self.query.clone() }
    }
}

impl Run<'_> {
    fn round(&mut self, round: usize, seed: u64) -> Outcome {
        let start = Instant::now();
        let mut zones = zones::generate(seed, self.options.zones);
        // A zone that a server does not hold is not compared, and no chain may lead into it: the others go on without.
        let mut fleet = loop {
            let site = Site::new(&zones, self.programs)?;
            site.refused.iter().for_each(|index| zones[*index].signing = None);
            let mut fleet = Fleet::start(site, self.programs)?;
            let refused = self.refused(&zones, &mut fleet)?;
            if refused.is_empty() {
                break fleet;
            }
            fleet.stop()?;
            zones.retain(|zone| !refused.contains(&zone.name));
        };
        let signed = zones.iter().filter(|zone| zone.signing.is_some()).count();
        let prepared = start.elapsed().as_secs_f64();
        let before = self.table.queries();
        let Options { queries, rounds, .. } = self.options;
        let wanted = queries / rounds + usize::from(round < queries % rounds);
        let each = wanted.div_ceil(zones.len().max(1));
        zones.iter_mut().for_each(|zone| add_hashed_names(zone, &fleet.site.hosted));
        let zones: Rc<[Zone]> = zones.into();
        for at in 0..zones.len() {
            let share = each.min(wanted.saturating_sub(self.table.queries() - before));
            if self.options.zone.as_ref().is_none_or(|name| *name == zones[at].name) {
                self.zone(seed, &zones, at, share, &mut fleet)?;
            }
        }
        self.zones += zones.len();
        println!(
            "round {round}: {} zones, {signed} signed, ready after {prepared:.1} s; {} queries, {} unexplained, {:.1} s",
            zones.len(),
            self.table.queries() - before,
            self.table.unexplained(),
            start.elapsed().as_secs_f64()
        );
        fleet.stop()
    }

    /// Prints the table and the disagreements; fails if there are any.
    fn conclude(self) -> Outcome {
        println!("\n{}", self.table);
        let (queries, zones) = (self.table.queries(), self.zones);
        let (time, refused) = (self.start.elapsed().as_secs_f64(), self.refused.len());
        println!("{queries} queries about {zones} zones in {time:.0} s; {refused} zones refused by a peer");
        self.refused.iter().take(3).for_each(|line| println!("    {line}"));
        for (label, found) in self.found.iter().take(self.options.reports) {
            println!("\n--- unexplained, {label}: {}", found.shown);
            if let Some(budget) = self.options.budget() {
                println!("{}", report(label, found.specimen(), budget, self.programs)?);
            }
        }
        let unexplained = self.table.unexplained();
        if unexplained > 0 {
            return Err(Failure::new(format!(
                "{unexplained} of {queries} queries have a difference that no text explains"
            )));
        }
        if self.options.zone.is_none() && zones * 10 < self.options.zones * self.options.rounds * 9 {
            return Err(Failure::new(
                "more than a tenth of the zones is refused by a peer: the generator must avoid them",
            ));
        }
        Ok(())
    }

    /// Names of the zones that not all servers hold.
    fn refused(&mut self, zones: &[Zone], fleet: &mut Fleet<'_>) -> Outcome<Vec<String>> {
        let mut refused = Vec::new();
        for zone in zones {
            match fleet.loaded(&zone.apex, LOAD_TIME)? {
                Loaded::Everywhere => continue,
                Loaded::RefusedBy(peers) => self.refused.push(format!("{}: refused by {peers}", zone.name)),
                Loaded::NotByUs => {
                    let (name, text) = (&zone.name, zone.text());
                    return Err(Failure::new(format!("all peers load this zone {name}, nssd does not:\n{text}")));
                }
            }
            refused.push(zone.name.clone());
        }
        Ok(refused)
    }

    fn zone(&mut self, seed: u64, zones: &Rc<[Zone]>, at: usize, count: usize, fleet: &mut Fleet<'_>) -> Outcome {
        let signed = Signed::new(zones[at].signing.as_ref());
        let mut queries = queries::generate(seed, &zones[at], count);
        for batch in queries.chunks_mut(BATCH_SIZE) {
            let asked = ask(fleet, batch)?;
            let hosted = &fleet.site.hosted;
            for (query, (replies, whole)) in batch.iter().zip(&asked) {
                let verdict = Verdict::new(query, hosted, replies, whole.as_ref());
                self.table.count(Sort::new(query, hosted, &replies[OURS]), signed, &verdict);
                for label in verdict.labels() {
                    self.found.entry(label).or_insert_with(|| {
                        let shown = format!("zone {}, {}", zones[at].name, Shown { query, replies, verdict: &verdict });
                        Found { zones: zones.clone(), at, query: query.clone(), shown }
                    });
                }
            }
        }
        Ok(())
    }
}

/// The hashed owner names of a zone can be asked for too (RFC 5155 §7.2.8).
fn add_hashed_names(zone: &mut Zone, hosted: &Hosted) {
    let data = hosted.zone(zone.apex.as_name());
    let hashed = data.into_iter().flat_map(|data| data.records()).filter(|rr| rr.is(RType::NSEC3));
    zone.names.extend(hashed.take(2).map(|rr| rr.owner.clone()));
}

#[cfg(test)]
mod tests {
    use super::super::planted::{Planted, Wrong};
    use super::super::report::minimal;
    use super::*;

    const OPTIONS: Options =
        Options { seed: None, rounds: 2, zones: 12, queries: 3000, reports: 0, shrink_seconds: 30, zone: None };

    #[test]
    fn servers_that_do_the_same_agree() {
        let programs = Planted { wrong: Wrong::Nobody };
        let run = compare(1, &OPTIONS, &programs).unwrap();
        assert_eq!((run.table.queries(), run.zones, run.table.unexplained()), (3000, 24, 0));
        assert!(run.found.is_empty());
        run.conclude().unwrap();
    }

    #[test]
    fn a_server_with_one_record_less_is_found_and_the_zone_shrunk_to_that_record() {
        let programs = Planted { wrong: Wrong::LosesType(RType::HINFO) };
        let run = compare(1, &OPTIONS, &programs).unwrap();
        let label = "Knot: theirs has HINFO in answer";
        let specimen = run.found[label].specimen();
        assert!(specimen.zones.len() == 12 && specimen.record_count() > 100);
        let (small, _) = minimal(label, specimen, OPTIONS.budget().unwrap(), &programs);
        let types = |line: &String| line.split(' ').nth(3).map(str::to_owned);
        let types: Vec<_> = small.zones.iter().flat_map(|zone| &zone.lines).filter_map(types).collect();
        assert_eq!(types, ["SOA", "NS", "HINFO"]);
        assert_eq!((small.query.qtype, small.query.edns.is_none()), (RType::HINFO, true));
        let shown = report(label, small, OPTIONS.budget().unwrap(), &programs).unwrap();
        let words = ["HINFO \"", "kdig @SERVER '", "' IN HINFO +nordflag +noedns +ignore", "  nssd\n", label];
        assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
        let error = run.conclude().unwrap_err().to_string();
        assert!(error.contains("of 3000 queries have a difference that no text explains"), "{error}");
    }

    #[test]
    fn a_server_that_sets_a_flag_it_must_not_is_found() {
        let programs = Planted { wrong: Wrong::SetsAuthenticData };
        let run = compare(2, &OPTIONS, &programs).unwrap();
        assert_eq!(run.table.unexplained(), 3000);
        assert_eq!(run.found.keys().next().unwrap(), "BIND: RA, Z, AD, CD");
    }
}
