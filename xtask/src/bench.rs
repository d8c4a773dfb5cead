//! `cargo xtask bench`: figures beside those of the peers, from one run on one machine.

mod api;
mod attack;
mod check;
mod connections;
mod dns;
mod measured;
mod registry;
mod rounds;
mod upload;
mod walk;
mod zonefile;

use std::ffi::OsString;
use std::net::SocketAddr;

use clap::Subcommand;
use nss_authority::Catalog;
use nss_wire::{Class, NameBuf};

use crate::failure::{Context, Failure, Outcome};
use crate::packages;
use crate::workspace::Profile;

/// What is measured.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Bench {
    /// Speed and memory of nssd beside NSD and Knot: one small zone, very many, a registry's, signed ones
    Dns(dns::Options),
    /// What a polite client still gets while nssd, NSD and Knot are attacked, and what that costs them
    Attack(attack::Options),
    /// What `dns` measures the floor with
    #[command(hide = true)]
    Echo { address: SocketAddr },
    /// Time and memory that checking one large zone file takes, beside the checkers of NSD, Knot and BIND
    Check(check::Options),
    /// What `check` measures a program with
    #[command(hide = true)]
    Measured {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
    /// Memory of nssd with many idle connections over TCP and TLS
    Connections(connections::Options),
    /// Instructions in user space for each kind of answer, and what they are spent on; fails if one is over its budget
    Instructions(dns::instructions::Options),
    /// What an answer takes besides the sockets, among many zones and in a large one, with and without the look ahead at a batch
    Ahead(dns::ahead::Options),
    /// Uploads a second, durable and checked at the parent, and what one costs both daemons
    Api(api::Options),
    /// Queries of a day in which very many hosted domains are checked at their parents, in virtual time
    Rounds(rounds::Options),
    /// Time from an upload to the first correct answer, parent check included
    Upload(upload::Options),
    /// What the check at the parent costs beyond its round trips, and a thousand of them at one time
    Walk(walk::Options),
    /// Megabytes per second of CPU time that zone text is read at, beside other readers in Rust
    Zonefile(zonefile::Options),
}

/// Measures and prints a table in Markdown.
pub(crate) fn run(bench: &Bench) -> Outcome {
    match bench {
        Bench::Dns(options) => packages::install_missing().and_then(|()| dns::run(options)),
        Bench::Attack(options) => packages::install_missing().and_then(|()| attack::run(options)),
        Bench::Echo { address } => dns::echo::run(*address),
        Bench::Check(options) => packages::install_missing().and_then(|()| check::run(options)),
        Bench::Measured { command } => measured::run(command),
        Bench::Connections(options) => connections::run(options, Profile::Release),
        Bench::Instructions(options) => packages::install_missing().and_then(|()| dns::instructions::run(options)),
        Bench::Ahead(options) => dns::ahead::run(options),
        Bench::Api(options) => api::run(options, Profile::Release),
        Bench::Rounds(options) => rounds::run(options),
        Bench::Upload(options) => upload::run(options),
        Bench::Walk(options) => packages::install_missing().and_then(|()| walk::run(options)),
        Bench::Zonefile(options) => zonefile::run(options),
    }
}

/// Counts instructions, which are the same on any machine.
pub(crate) fn run_instructions() -> Outcome {
    dns::instructions::run(&dns::instructions::Options::default())
}

/// All of `dns`, `ahead`, `attack`, `check`, `walk`, `connections` and `api`, made so small that it says nothing but whether it works.
pub(crate) fn run_small() -> Outcome {
    dns::run(&dns::Options::small())?;
    dns::ahead::run(&dns::ahead::Options::small())?;
    attack::run(&attack::Options::small())?;
    check::run_small()?;
    walk::run(&walk::Options::small())?;
    connections::run(&connections::Options::small(), Profile::Dev)?;
    api::run(&api::Options::small(), Profile::Dev)
}

/// Serves a zone.
fn publish(catalog: &Catalog, apex: &str, text: &str) -> Outcome {
    let name: NameBuf = apex.parse().context(apex)?;
    let mut builder = catalog.zone_builder(name.as_name(), Class::IN);
    let options = nss_zonefile::Options::for_zone(name.as_name());
    let records = nss_zonefile::read(text.as_bytes(), &options);
    let records = records.map_err(|_| Failure::new(format!("{apex} is no zone file")))?;
    for (record, position) in records {
        builder.add(record.as_record(), position.line);
    }
    let (zone, _) = builder.build().map_err(|_| Failure::new(format!("{apex} is no zone")))?;
    catalog.publish(zone.packed());
    Ok(())
}

/// The middle one; of an even number the upper one.
fn median(values: &mut [f64]) -> f64 {
    percentile(values, 50)
}

/// The value that `percent` of all are below.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or(f64::NAN)
}

/// One line about kernel and processor.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("Linux {}, {}, {cores} cores.", kernel.trim(), model.map_or("unknown processor", |(_, model)| model))
}

/// The first word that looks like 1.2 or 1.2.3, whatever hangs on it.
fn version(told: &str) -> Option<String> {
    told.split_whitespace().find_map(|word| {
        let word = word.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
        let number = word[..end].trim_end_matches('.');
        number.contains('.').then(|| number.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred() {
        let mut values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(
            (median(&mut values), percentile(&mut values, 99), percentile(&mut values, 100)),
            (50.0, 99.0, 99.0)
        );
        assert!(median(&mut []).is_nan());
    }

    #[test]
    fn versions_are_found_in_what_programs_tell() {
        for (told, expected) in [
            ("NSD version 4.6.1\nWritten by NLnet Labs.", "4.6.1"),
            ("knotd (Knot DNS), version 3.2.6", "3.2.6"),
            ("BIND 9.18.49-1~deb12u3-Debian (Extended Support Version) <id:>", "9.18.49"),
            ("Dnsmasq version 2.90  Copyright (c) 2000-2024 Simon Kelley", "2.90"),
            ("nssd 0.1.0", "0.1.0"),
            ("Usage: nsd-checkzone [-p] <zone>\nVersion 4.6.1. Report bugs to <nsd-bugs@nlnetlabs.nl>.", "4.6.1"),
            ("9.18.49-1~deb12u3-Debian", "9.18.49"),
        ] {
            assert_eq!(version(told).as_deref(), Some(expected));
        }
        assert_eq!(version("version unknown, 2024."), None);
    }
}
