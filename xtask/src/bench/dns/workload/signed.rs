//! A signed zone: P-256 (RFC 6605) and NSEC, or NSEC3 without salt and further iterations (RFC 9276 §3.1), asked with the DO bit.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use nss_wire::RType;
use rand::RngExt;
use rand::rngs::StdRng;

use super::{Drawn, Size, ZoneText, edns, label, name};
use crate::bench::dns::pool::{Expected, Pool};
use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::Folder;
use crate::workspace::output;

const APEX: &str = "signed.example";

/// What tells that a name does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Denial {
    Nsec,
    Nsec3,
}

pub(super) fn draw(rng: &mut StdRng, size: Size, denial: Denial) -> Drawn {
    let count = size.pick(100_000, 200);
    let mut text = "$TTL 3600
@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300
@ IN NS ns1
@ IN NS ns2
ns1 IN A 192.0.2.53
ns2 IN A 192.0.2.54
"
    .to_owned();
    let mut names = Vec::with_capacity(count);
    for index in 0..count {
        let label = label(rng, index);
        let (low, high) = (rng.random_range(1..255), rng.random_range(0..256));
        let _ = writeln!(text, "{label} IN A 198.18.{high}.{low}");
        names.push(label);
    }
    let mut pool = Pool::default();
    for _ in 0..size.queries() {
        let owner = &names[rng.random_range(0..names.len())];
        let (label, qtype, expected) = match rng.random_range(0..100) {
            // The address and its signature.
            0..70 => (owner.clone(), RType::A, Expected::Records(2)),
            70..75 => (owner.clone(), RType::AAAA, Expected::NoData),
            // No index is that high.
            _ => (label(rng, count), RType::A, Expected::NxDomain),
        };
        pool.push(name(&format!("{label}.{APEX}")).as_name(), qtype, edns(true), expected);
    }
    let (workload, how) = match denial {
        Denial::Nsec => ("nsec", "NSEC"),
        Denial::Nsec3 => ("signed", "NSEC3 without salt"),
    };
    let title = format!("{workload}: {count} names, P-256, {how}, DO set; 70 % positive, 5 % NODATA, 25 % NXDOMAIN");
    Drawn { title, zones: vec![ZoneText { name: APEX.to_owned(), text }], pool }
}

/// Signs a zone with fresh keys, which nobody keeps.
pub(in crate::bench) fn write(zone: &ZoneText, path: &Path, denial: Denial) -> Outcome {
    let folder = Folder::new("keys")?;
    let unsigned = folder.path().join("unsigned");
    std::fs::write(&unsigned, &zone.text).context(unsigned.display())?;
    let keygen = require("dnssec-keygen")?;
    for flags in [&[][..], &["-f", "KSK"]] {
        let mut command = Command::new(&keygen);
        command.current_dir(folder.path()).args(["-q", "-a", "ECDSAP256SHA256"]).args(flags).arg(&zone.name);
        output(&mut command)?;
    }
    let mut command = Command::new(require("dnssec-signzone")?);
    // No check of the signatures afterwards, which would take as long as they did.
    command.current_dir(folder.path()).args(["-q", "-P", "-S"]);
    if denial == Denial::Nsec3 {
        command.args(["-3", "-", "-H", "0"]);
    }
    command.args(["-o", &zone.name, "-f"]);
    output(command.arg(path).arg(&unsigned))?;
    if path.is_file() { Ok(()) } else { Err(Failure::new("dnssec-signzone wrote no zone")) }
}
