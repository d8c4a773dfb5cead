//! `cargo xtask iana`: our tables of types, classes, keys and codes beside those of others, who copied them from IANA.
//!
//! The registries themselves are on the network; what others made of them is in the programs that `ci` installs and in
//! crates that are built anyway. Programs tell their types when they print NSEC records that list all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use domain::base::iana as other;
use hickory_proto::op::{OpCode, ResponseCode};
use hickory_proto::rr::rdata::svcb::SvcParamKey;
use hickory_proto::rr::{DNSClass, RecordType};
use nss_wire::message::{Opcode, Rcode};
use nss_wire::rdata::mnemonic::{ALGORITHM, CERTIFICATE, DIGEST, Mnemonics};
use nss_wire::rdata::svcb::SvcKey;
use nss_wire::{Class, RType};

use crate::failure::{Context, Failure, Outcome};
use crate::packages::{self, require};
use crate::process::Folder;
use crate::workspace::output;

/// Compares all tables; fails if two sources know something that we do not, or agree on another name for it.
pub(crate) fn run() -> Outcome {
    packages::install_missing()?;
    let mut mistakes = Vec::new();
    for registry in registries()? {
        let report = registry.report();
        println!("{}", report.text);
        mistakes.extend(report.mistakes);
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Failure::new(mistakes.join("; "))) }
}

/// Numbers and their mnemonics.
type Table = BTreeMap<u16, String>;

/// One registry, and what we and others know of it.
struct Registry {
    what: &'static str,
    ours: Table,
    sources: Vec<(&'static str, Table)>,
}

#[derive(Default)]
struct Report {
    text: String,
    /// What must not be: one sentence each.
    mistakes: Vec<String>,
}

impl Registry {
    fn report(&self) -> Report {
        let Registry { what, ours, sources } = self;
        let mut report = Report::default();
        let sizes = sources.iter().map(|(source, table)| format!(", {source} {}", table.len())).collect::<String>();
        let _ = write!(report.text, "{what}: {} of ours{sizes}", ours.len());
        let numbers: BTreeSet<u16> =
            sources.iter().flat_map(|(_, table)| table.keys()).chain(ours.keys()).copied().collect();
        for number in numbers {
            let theirs: Vec<(&str, &str)> =
                sources.iter().filter_map(|(source, table)| Some((*source, table.get(&number)?.as_str()))).collect();
            let listed =
                theirs.iter().map(|(source, name)| format!("{name} ({source})")).collect::<Vec<_>>().join(", ");
            let sentence = match ours.get(&number) {
                Some(name) if theirs.is_empty() => format!("{number} {name}: only ours"),
                Some(name) if theirs.iter().any(|(_, other)| folded(other) == folded(name)) => continue,
                Some(name) => format!("{number} {name}: {listed}"),
                None => format!("{number}: not ours, {listed}"),
            };
            let is_mistake = theirs.len() >= 2;
            let _ = write!(report.text, "\n  {}{sentence}", if is_mistake { "WRONG " } else { "" });
            if is_mistake {
                report.mistakes.push(format!("{what} {sentence}"));
            }
        }
        report
    }
}

/// Crates spell the mnemonics of codes as Rust spells names.
fn folded(mnemonic: &str) -> String {
    mnemonic.chars().filter(char::is_ascii_alphanumeric).map(|it| it.to_ascii_uppercase()).collect()
}

fn registries() -> Outcome<Vec<Registry>> {
    let folder = Folder::new("iana")?;
    let printed = Printed::new(folder.path())?;
    let types = Registry {
        what: "RR types",
        ours: table(0..=u16::MAX, |number| RType(number).mnemonic()),
        sources: vec![
            ("domain", table(0..=u16::MAX, |number| other::Rtype::from_int(number).to_mnemonic_str())),
            ("hickory-proto", table(0..=u16::MAX, |number| Some(<&str>::from(RecordType::from(number))))),
            ("BIND", printed.types(Printer::Bind)?),
            ("NSD", printed.types(Printer::Nsd)?),
            ("ldns", printed.types(Printer::Ldns)?),
        ],
    };
    let classes = Registry {
        what: "classes",
        ours: table(0..=u16::MAX, |number| Class(number).mnemonic()),
        sources: vec![
            ("domain", table(0..=u16::MAX, |number| other::Class::from_int(number).to_mnemonic_str())),
            ("hickory-proto", table(0..=u16::MAX, |number| Some(<&str>::from(DNSClass::from(number))))),
        ],
    };
    let keys = Registry {
        what: "SVCB parameter keys",
        ours: table(0..=u16::MAX, |number| SvcKey(number).mnemonic()),
        sources: vec![
            ("domain", table(0..=u16::MAX, |number| other::SvcParamKey::from_int(number).to_mnemonic_str())),
            ("hickory-proto", table(0..=u16::MAX, |number| Some(SvcParamKey::from(number).to_string()))),
            ("BIND", printed.keys()?),
        ],
    };
    let opcodes = Registry {
        what: "opcodes",
        ours: table(0..=15, |number| Some(Opcode(number as u8).to_string())),
        sources: vec![
            ("domain", table(0..=15, |number| other::Opcode::from_int(number as u8).to_mnemonic_str())),
            ("hickory-proto", table(0..=15, |number| Some(format!("{:?}", OpCode::from_u8(number as u8))))),
        ],
    };
    let rcodes = Registry {
        what: "RCODEs",
        ours: table(0..=4095, |number| Some(Rcode(number).to_string())),
        sources: vec![
            ("domain", table(0..=4095, |number| Some(other::OptRcode::masked_from_int(number).to_string()))),
            ("domain, TSIG", table(0..=4095, |number| other::TsigRcode::from_int(number).to_mnemonic_str())),
            (
                "hickory-proto",
                table(0..=4095, |number| Some(format!("{:?}", <ResponseCode as From<u16>>::from(number)))),
            ),
        ],
    };
    let certificates = printed.certificates()?;
    let algorithms = Registry {
        what: "DNSSEC algorithms",
        ours: of_mnemonics(&ALGORITHM),
        sources: vec![
            ("domain", table(0..=255, |number| other::SecurityAlgorithm::from_int(number as u8).to_mnemonic_str())),
            ("BIND", certificates.algorithms),
        ],
    };
    let digests = Registry {
        what: "DS digest types",
        ours: of_mnemonics(&DIGEST),
        sources: vec![(
            "domain",
            table(0..=255, |number| other::DigestAlgorithm::from_int(number as u8).to_mnemonic_str()),
        )],
    };
    let certificates =
        Registry { what: "CERT types", ours: of_mnemonics(&CERTIFICATE), sources: vec![("BIND", certificates.types)] };
    Ok(vec![types, classes, keys, opcodes, rcodes, algorithms, digests, certificates])
}

fn of_mnemonics(mnemonics: &Mnemonics) -> Table {
    mnemonics.entries.iter().map(|(number, mnemonic)| (*number, (*mnemonic).to_owned())).collect()
}

/// The numbers that have a mnemonic; what is printed for those without one is not counted.
fn table<S: Into<String>>(numbers: impl Iterator<Item = u16>, mnemonic: impl Fn(u16) -> Option<S>) -> Table {
    let known = |number| {
        let mnemonic: String = mnemonic(number)?.into();
        (!is_generic(&mnemonic, number)).then_some((number, mnemonic))
    };
    numbers.filter_map(known).collect()
}

/// `TYPE65280`, `key9`, `Unknown(9)` and the like.
fn is_generic(mnemonic: &str, number: u16) -> bool {
    const WORDS: [&str; 7] = ["TYPE", "CLASS", "KEY", "OPCODE", "RCODE", "UNKNOWN", ""];
    let folded = folded(mnemonic);
    folded == "UNKNOWN" || WORDS.iter().any(|word| folded == format!("{word}{number}"))
}

/// A program that prints a zone.
#[derive(Clone, Copy)]
enum Printer {
    Bind,
    Nsd,
    Ldns,
}

/// A zone that makes programs tell what they know.
struct Printed<'a> {
    folder: &'a Path,
}

/// The mnemonics in CERT records.
struct Certificates {
    types: Table,
    algorithms: Table,
}

impl<'a> Printed<'a> {
    fn new(folder: &'a Path) -> Outcome<Printed<'a>> {
        Ok(Printed { folder })
    }

    /// Has a program print the zone with these records, one line each; returns the RDATA of the type by owner.
    fn print(&self, printer: Printer, records: &str, rtype: &str) -> Outcome<BTreeMap<String, String>> {
        let file = self.folder.join("zone");
        let text = format!("$TTL 60\n$ORIGIN {APEX}\n@ SOA ns ns 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n{records}");
        std::fs::write(&file, text).context(file.display())?;
        let mut command = match printer {
            Printer::Bind => {
                let mut command = Command::new(require("named-compilezone")?);
                command.args(["-q", "-i", "local", "-k", "ignore", "-s", "full", "-o", "-", APEX]).arg(&file);
                command
            }
            Printer::Nsd => {
                let mut command = Command::new(require("nsd-checkzone")?);
                command.args(["-p", APEX]).arg(&file);
                command
            }
            Printer::Ldns => {
                let mut command = Command::new(require("ldns-read-zone")?);
                command.arg(&file);
                command
            }
        };
        let printed = String::from_utf8_lossy(&output(&mut command)?).into_owned();
        let middle = format!("IN {rtype} ");
        let line = |line: &str| {
            let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
            let (head, data) = words.split_once(&middle)?;
            // NSD prints owners relative to the apex.
            Some((head.split(['.', ' ']).next()?.to_owned(), data.to_owned()))
        };
        Ok(printed.lines().filter_map(line).collect())
    }

    /// All types, as the NSEC records of 256 names list them (RFC 4034 §4.1.2 has a window for each).
    fn types(&self, printer: Printer) -> Outcome<Table> {
        let numbers = |window: u16| (window * 256..=window * 256 + 255).filter(|&number| number != 0);
        let record = |window| {
            let types = numbers(window).map(|number| format!(" TYPE{number}")).collect::<String>();
            format!("w{window} NSEC ns{types}\n")
        };
        let printed = self.print(printer, &(0..256).map(record).collect::<String>(), "NSEC")?;
        let mut known = Table::new();
        for window in 0..256 {
            let data = printed.get(&format!("w{window}")).map_or("", String::as_str);
            // ldns prints the bit of type 0 whether it is set or not.
            let types: Vec<&str> = data.split(' ').skip(1).filter(|rtype| *rtype != "TYPE0").collect();
            if types.len() != numbers(window).count() {
                return Err(Failure::new(format!("a peer printed {} types of window {window}", types.len())));
            }
            let all = numbers(window).zip(types).filter(|(number, rtype)| !is_generic(rtype, *number));
            known.extend(all.map(|(number, rtype)| (number, rtype.to_owned())));
        }
        Ok(known)
    }

    /// The parameter keys of SVCB records; a key with a rule for its value that we do not know fails the whole zone.
    fn keys(&self) -> Outcome<Table> {
        let value = |number| match SvcKey(number) {
            SvcKey::MANDATORY => "mandatory=alpn alpn=h2".to_owned(),
            SvcKey::ALPN => "alpn=h2".to_owned(),
            SvcKey::NO_DEFAULT_ALPN => "alpn=h2 no-default-alpn".to_owned(),
            SvcKey::PORT => "port=53".to_owned(),
            SvcKey::IPV4HINT => "ipv4hint=192.0.2.1".to_owned(),
            SvcKey::ECH => "ech=AQID".to_owned(),
            SvcKey::IPV6HINT => "ipv6hint=2001:db8::1".to_owned(),
            SvcKey::DOHPATH => "key7=/q{?dns}".to_owned(),
            SvcKey(number) => format!("key{number}"),
        };
        // Registered are small numbers; the last one stands for all that are not.
        let numbers = || (0..=255).chain([65_280]);
        let record = |number| format!("k{number} SVCB 1 . {}\n", value(number));
        let printed = self.print(Printer::Bind, &numbers().map(record).collect::<String>(), "SVCB")?;
        let name = |number: u16| {
            let data = printed.get(&format!("k{number}"))?;
            // Keys ascend, so that `mandatory` is the first and any other of two the last.
            let mut params = data.split(' ').skip(2);
            let param = if number == 0 { params.next() } else { params.last() };
            Some(param?.split('=').next()?.to_owned())
        };
        Ok(table(numbers(), name))
    }

    fn certificates(&self) -> Outcome<Certificates> {
        let record = |number: u16| format!("c{number} CERT {number} 0 {number} AQID\n");
        let printed = self.print(Printer::Bind, &(0..256).map(record).collect::<String>(), "CERT")?;
        let word = |number: u16, index| {
            let data = printed.get(&format!("c{number}"))?;
            Some(data.split(' ').nth(index)?.to_owned())
        };
        Ok(Certificates {
            types: table(0..=255, |number| word(number, 0)),
            algorithms: table(0..=255, |number| word(number, 2)),
        })
    }
}

/// The apex of the zones that are printed.
const APEX: &str = "example.";

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ours: &[(u16, &str)], sources: &[&[(u16, &str)]]) -> Report {
        let table = |entries: &[(u16, &str)]| entries.iter().map(|&(number, name)| (number, name.to_owned())).collect();
        let sources = sources.iter().map(|entries| ("peer", table(entries))).collect();
        Registry { what: "codes", ours: table(ours), sources }.report()
    }

    #[test]
    fn what_two_know_and_we_do_not_is_a_mistake() {
        let both = report(&[(1, "A")], &[&[(1, "A"), (2, "NS")], &[(2, "NS")]]);
        assert_eq!(both.mistakes, ["codes 2: not ours, NS (peer), NS (peer)"]);
        let one = report(&[(1, "A")], &[&[(1, "A"), (2, "NS")], &[]]);
        assert!(one.mistakes.is_empty() && one.text.contains("2: not ours, NS (peer)"), "{}", one.text);
    }

    #[test]
    fn another_name_or_number_than_two_know_is_a_mistake() {
        assert_eq!(report(&[(1, "B")], &[&[(1, "A")], &[(1, "A")]]).mistakes.len(), 1);
        assert_eq!(report(&[(2, "A")], &[&[(1, "A")], &[(1, "A")]]).mistakes.len(), 1);
        assert!(report(&[(1, "B")], &[&[(1, "A")], &[]]).mistakes.is_empty());
    }

    #[test]
    fn one_spelling_of_two_is_enough_and_what_only_we_have_is_listed() {
        let report = report(
            &[(16, "BADVERS"), (5, "REFUSED"), (6, "DSO")],
            &[&[(16, "BADSIG"), (5, "Refused")], &[(16, "BADVERS")]],
        );
        assert!(report.mistakes.is_empty());
        assert!(report.text.ends_with("\n  6 DSO: only ours"), "{}", report.text);
    }

    #[test]
    fn numbers_without_a_mnemonic_are_not_known() {
        for text in ["TYPE9", "key9", "unknown9", "Unknown(9)", "Unknown", "UNKNOWN", "RCODE9", "9"] {
            assert!(is_generic(text, 9), "{text}");
        }
        assert!(!is_generic("L64", 64) && !is_generic("X25", 25));
    }
}
