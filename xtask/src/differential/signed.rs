//! Signed zones, as they are and with one change, through the verifiers of BIND, ldns and Knot and ours.
//!
//! What all of them accept we accept, what all refuse we refuse. BIND signs the zones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::sign::sign;
use super::zones::{self, Denial, Signer, Signing, Zone};
use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::Folder;
use crate::workspace::Daemons;

/// How many signed zones are compared.
#[derive(Args, Clone, Debug)]
pub(super) struct Options {
    /// Repeats an earlier run; a fresh one is drawn and printed otherwise
    #[arg(long)]
    seed: Option<u64>,
    /// Signed zones, nearly all with a change, that all verifiers look at
    #[arg(long, default_value_t = 2_000)]
    zones: usize,
    /// Disagreements printed in full
    #[arg(long, default_value_t = 20)]
    reports: usize,
}

impl Options {
    /// The share of CI, where a change waits for it.
    pub(super) fn small() -> Options {
        Options { seed: Some(7), zones: 300, reports: 20 }
    }
}

/// Compares zones, nearly all with a change; fails if a verdict of all peers is not ours.
pub(super) fn run(options: &Options, daemons: &Daemons) -> Outcome {
    let Options { seed, zones: count, reports } = *options;
    let seed = seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("seed {seed} (cargo xtask differential signed --seed {seed} --zones {count})");
    let start = Instant::now();
    let folder = Folder::new("signed")?;
    let verifiers = Verifiers::find(daemons, folder.folder("zone")?.join("zone"))?;
    let mut tally = Tally::default();
    let mut bases = Vec::new();
    for (zone, signing) in zones::generate(seed, count.div_ceil(CHANGES_MIN)).into_iter().zip(SIGNINGS.iter().cycle()) {
        bases.extend(base(&zone, signing, &verifiers, &folder)?);
    }
    for (index, (name, base)) in bases.iter().enumerate() {
        let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(104_729).wrapping_add(index as u64));
        let verdicts = verifiers.judge(name, base)?;
        // Some peers also refuse what they only warn of elsewhere, such as a name server without an address.
        if verdicts.peers != [true; 3] {
            tally.unfit += 1;
            continue;
        }
        tally.count(name, "unchanged", "", &verdicts);
        for _ in 0..count / bases.len() {
            let (change, lines) = changed(&mut rng, base);
            let verdicts = verifiers.judge(name, &lines)?;
            let difference = difference(base, &lines);
            tally.count(name, change, &difference, &verdicts);
        }
    }
    tally.print(start, reports);
    if tally.unfit * 2 > bases.len() {
        return Err(Failure::new(
            "more than half of the signed zones is refused by a peer: the generator must avoid them",
        ));
    }
    match tally.problems.len() {
        0 => Ok(()),
        problems => Err(Failure::new(format!("{problems} signed zones get another verdict than all peers give"))),
    }
}

const SIGNINGS: [Signing; 3] = [
    Signing { signer: Signer::Bind, denial: Denial::Nsec },
    Signing { signer: Signer::Bind, denial: Denial::Nsec3 { iterations: 0, salt: "", opt_out: false } },
    Signing { signer: Signer::Bind, denial: Denial::Nsec3 { iterations: 0, salt: "", opt_out: true } },
];

/// Changed zones for each zone that is signed, about.
const CHANGES_MIN: usize = 20;

/// The lines of a signed zone, one record each; `None` if the signer refuses it or we do not load it.
fn base(
    zone: &Zone,
    signing: &Signing,
    verifiers: &Verifiers,
    folder: &Folder,
) -> Outcome<Option<(String, Vec<String>)>> {
    let path = folder.folder("bases")?.join(&zone.name);
    std::fs::write(&path, zone.text()).context(path.display())?;
    if !sign(&zone.name, signing, &path, &folder.folder("keys")?)? {
        return Ok(None);
    }
    let mut print = Command::new(&verifiers.ours);
    print.args(["check-zone", "--quiet", "--print", "--origin", &zone.name]).arg(&path);
    let output = print.stderr(Stdio::piped()).output().context("cannot run nssd")?;
    let text = String::from_utf8(output.stdout).context("nssd prints ASCII")?;
    if text.is_empty() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("nssd refuses {}, which BIND has signed:\n{words}", zone.name)));
    }
    Ok(Some((zone.name.clone(), text.lines().map(str::to_owned).collect())))
}

/// The zone with something changed, and what.
fn changed(rng: &mut StdRng, base: &[String]) -> (&'static str, Vec<String>) {
    loop {
        let mut lines = base.to_vec();
        let what = change(rng, &mut lines);
        // Without any key a zone is not signed, which is as good as any zone below a parent without DS records; nssd only warns of it,
        // and verifiers are told that it is.
        let has_key = !places(&lines, &["DNSKEY"]).is_empty();
        if let Some(what) = what.filter(|_| has_key) {
            return (what, lines);
        }
    }
}

/// Changes something, and says what; `None` if nothing came of it.
fn change(rng: &mut StdRng, lines: &mut Vec<String>) -> Option<&'static str> {
    let before = lines.clone();
    let at = rng.random_range(0..lines.len());
    let fields: Vec<String> = lines[at].split(' ').map(str::to_owned).collect();
    let (owner, rtype) = (fields[0].clone(), fields[3].clone());
    let apex = lines[0].split(' ').next()?.to_owned();
    let new = ["new", "*", "x.y", "a.b.c.d", "zz", "www", "0"].choose(rng)?;
    let what = match rng.random_range(0..11) {
        0 if rtype != "SOA" => {
            lines.remove(at);
            "a record is gone"
        }
        1 if owner != apex => {
            lines.retain(|line| !line.starts_with(&format!("{owner} ")));
            "a name is gone"
        }
        2 => {
            lines.push(format!("{new}.{apex} 60 IN A 192.0.2.9"));
            "a name is new"
        }
        3 => {
            lines.push(format!("{new}.{apex} 60 IN NS ns.example.net."));
            "a delegation is new"
        }
        4 => {
            lines.push(format!("{owner} 60 IN TYPE65400 \\# 1 00"));
            "a type is new"
        }
        5 => {
            let prefix = format!("{owner} ");
            for line in lines.iter_mut().filter(|line| line.starts_with(&prefix)) {
                line.replace_range(..owner.len(), &owner.to_ascii_uppercase());
            }
            "an owner is in capital letters"
        }
        6 => {
            let places: Vec<usize> = places(lines, &["RRSIG"]);
            let (one, other) = (*places.choose(rng)?, *places.choose(rng)?);
            let signature = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
            let (first, second) = (signature(&lines[one]), signature(&lines[other]));
            lines[one] = lines[one].replace(&first, &second);
            "a signature is that of another record"
        }
        7 => {
            let place = *places(lines, &["NSEC", "NSEC3"]).choose(rng)?;
            match rng.random_bool(0.5) {
                true => lines[place].push_str(" TYPE65500"),
                false => drop(lines[place].rfind(' ').map(|end| lines[place].truncate(end))),
            }
            "a list of types is another"
        }
        8 => {
            let place = *places(lines, &["A", "AAAA", "TXT", "MX", "DS", "DNSKEY", "CNAME"]).choose(rng)?;
            change_character(rng, &mut lines[place])?;
            "data is another"
        }
        _ => {
            let place = *places(lines, &["RRSIG"]).choose(rng)?;
            lines[place] = change_signature(rng, &lines[place])?;
            "a field of a signature is another"
        }
    };
    (*lines != before).then_some(what)
}

/// Where records of some types stand.
fn places(lines: &[String], types: &[&str]) -> Vec<usize> {
    let is_one = |line: &String| line.split(' ').nth(3).is_some_and(|rtype| types.contains(&rtype));
    (0..lines.len()).filter(|&place| is_one(&lines[place])).collect()
}

fn change_signature(rng: &mut StdRng, line: &str) -> Option<String> {
    let mut fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let number = |field: &str| field.parse::<u32>().unwrap_or_default();
    match rng.random_range(5..13) {
        5 => fields[5] = ["8", "15", "16"].choose(rng)?.to_string(),
        6 => fields[6] = number(&fields[6]).wrapping_add_signed(*[-1, 1].choose(rng)?).min(255).to_string(),
        7 => fields[7] = (number(&fields[7]) + 1).to_string(),
        8 => fields[8] = ["20200101000000", "20240101000000", "20800101000000"].choose(rng)?.to_string(),
        9 => fields[9] = ["20200101000000", "20800101000000"].choose(rng)?.to_string(),
        10 => fields[10] = (number(&fields[10]) ^ 1).to_string(),
        11 => fields[11] = format!("x.{}", fields[11]),
        _ => change_character(rng, &mut fields[12])?,
    }
    Some(fields.join(" "))
}

/// Replaces a letter or digit of the last word by one like it.
fn change_character(rng: &mut StdRng, line: &mut String) -> Option<()> {
    let start = line.rfind(' ').map_or(0, |end| end + 1);
    let at = rng.random_range(start..line.len());
    let choices: &[&str] = if line.as_bytes()[at].is_ascii_digit() { &["1", "2", "3"] } else { &["a", "b", "c"] };
    let is_changeable = line.as_bytes()[at].is_ascii_alphanumeric();
    is_changeable.then_some(())?;
    line.replace_range(at..=at, choices.choose(rng)?);
    Some(())
}

fn difference(base: &[String], changed: &[String]) -> String {
    let only = |some: &[String], others: &[String], sign: char| {
        let alone = some.iter().filter(|line| !others.contains(line)).take(4);
        alone.map(|line| format!("  {sign} {line}\n")).collect::<String>()
    };
    only(base, changed, '-') + &only(changed, base, '+')
}

/// The programs that say whether a signed zone is right.
struct Verifiers {
    bind: PathBuf,
    ldns: PathBuf,
    knot: PathBuf,
    ours: PathBuf,
    zone: PathBuf,
}

/// What they say of one zone.
struct Verdicts {
    /// BIND, ldns, Knot.
    peers: [bool; 3],
    ours: bool,
    words: String,
}

impl Verifiers {
    fn find(daemons: &Daemons, zone: PathBuf) -> Outcome<Verifiers> {
        let (bind, ldns, knot) = (require("dnssec-verify")?, require("ldns-verify-zone")?, require("kzonecheck")?);
        Ok(Verifiers { bind, ldns, knot, ours: daemons.nssd.clone(), zone })
    }

    fn judge(&self, name: &str, lines: &[String]) -> Outcome<Verdicts> {
        std::fs::write(&self.zone, lines.join("\n") + "\n").context(self.zone.display())?;
        let run = |program: &Path, arguments: &[&str]| -> Outcome<(bool, String)> {
            let output = Command::new(program).args(arguments).arg(&self.zone).output().context(program.display())?;
            Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
        };
        // The zones have one key for all.
        let (bind, _) = run(&self.bind, &["-q", "-z", "-o", name])?;
        let (ldns, _) = run(&self.ldns, &[])?;
        let (knot, _) = run(&self.knot, &["-d", "on", "-o", name])?;
        let (ours, words) = run(&self.ours, &["check-zone", "--quiet", "--origin", name])?;
        Ok(Verdicts { peers: [bind, ldns, knot], ours, words })
    }
}

#[derive(Default)]
struct Tally {
    all_accept: usize,
    all_refuse: usize,
    /// How often the peers differ, and how often each is like us then.
    differ: usize,
    like: [usize; 3],
    unfit: usize,
    by_change: BTreeMap<&'static str, usize>,
    problems: Vec<String>,
}

impl Tally {
    fn count(&mut self, name: &str, change: &'static str, difference: &str, verdicts: &Verdicts) {
        *self.by_change.entry(change).or_default() += 1;
        let Verdicts { peers, ours, words } = verdicts;
        match peers {
            [true, true, true] => self.all_accept += 1,
            [false, false, false] => self.all_refuse += 1,
            _ => {
                self.differ += 1;
                self.like.iter_mut().zip(peers).for_each(|(count, peer)| *count += usize::from(peer == ours));
                return;
            }
        }
        if peers[0] != *ours {
            let who =
                if *ours { "all peers refuse it, nssd accepts it" } else { "all peers accept it, nssd refuses it" };
            self.problems.push(format!("{name}, {change}: {who}\n{difference}{words}"));
        }
    }

    fn print(&self, start: Instant, reports: usize) {
        for problem in self.problems.iter().take(reports) {
            println!("--- {problem}---");
        }
        let count: usize = self.by_change.values().sum();
        println!(
            "signed zones             {count:>8}   in {:.1} s; {} more not fit for a peer",
            start.elapsed().as_secs_f64(),
            self.unfit
        );
        println!("all verifiers accept     {:>8}", self.all_accept);
        println!("all verifiers refuse     {:>8}", self.all_refuse);
        println!("we differ from all       {:>8}", self.problems.len());
        let [bind, ldns, knot] = self.like;
        println!("verifiers differ         {:>8}   nssd like BIND {bind}, ldns {ldns}, Knot {knot}", self.differ);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_zone_is_changed_in_many_ways_and_keeps_a_key() {
        let lines = [
            "example. 60 IN SOA ns.example. host.example. 1 2 3 4 5",
            "example. 60 IN RRSIG SOA 13 1 60 20560101000000 20260101000000 1 example. abc",
            "example. 60 IN DNSKEY 257 3 13 abc",
            "example. 60 IN NSEC www.example. SOA RRSIG NSEC DNSKEY",
            "www.example. 60 IN A 192.0.2.1",
        ];
        let base = lines.map(str::to_owned);
        let mut rng = StdRng::seed_from_u64(7);
        let mut ways = std::collections::BTreeSet::new();
        for _ in 0..2000 {
            let (what, lines) = changed(&mut rng, &base);
            assert_ne!(lines, base, "{what}");
            assert!(lines.iter().any(|line| line.contains(" DNSKEY 257 ")), "{what}");
            ways.insert(what);
        }
        assert!(ways.len() >= 8, "{ways:?}");
    }
}
