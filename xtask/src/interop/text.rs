//! Zone files as people and programs write them, and mistakes in them.

use std::fmt::{self, Write as _};

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::zones::LABELS;

/// The apex of every generated file.
pub(super) const APEX: &str = "example.com";

/// A zone file and the one beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) zone: Vec<u8>,
    /// What `$INCLUDE` finds under [`Text::INCLUDED`].
    pub(super) included: Vec<u8>,
}

impl Text {
    /// The name of the included file.
    pub(super) const INCLUDED: &str = "beside.zone";

    /// The same with a newline at the end of each line and nothing else.
    pub(super) fn with_unix_line_ends(&self) -> Text {
        let unix = |octets: &[u8]| {
            let lines = String::from_utf8_lossy(octets).replace("\r\n", "\n");
            format!("{}\n", lines.trim_end_matches('\n')).into_bytes()
        };
        Text { zone: unix(&self.zone), included: unix(&self.included) }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.zone))?;
        if !self.included.is_empty() {
            write!(f, "\n--- {}:\n{}", Text::INCLUDED, String::from_utf8_lossy(&self.included))?;
        }
        Ok(())
    }
}

/// A valid zone file that uses the whole syntax.
pub(super) fn generate(rng: &mut StdRng) -> Text {
    let mut text = String::new();
    if rng.random_bool(0.8) {
        let _ = writeln!(text, "$TTL {}", ttl(rng));
    }
    let soa =
        if rng.random_bool(0.5) { "( 2026112201 ; serial\n\t\t1h 15M\n  1w 300 )" } else { "1 7200 3600 1209600 300" };
    // The first record says its TTL, so that files without $TTL have one.
    let _ =
        writeln!(text, "@ 3600 IN SOA ns hostmaster {soa}\n\tIN NS ns\n\tIN NS ns2.example.net.\nns 300 A 192.0.2.1");
    for _ in 0..rng.random_range(3..=15) {
        entry(rng, &mut text);
    }
    if rng.random_bool(0.15) {
        text = text.replace('\n', "\r\n");
    }
    if rng.random_bool(0.15) {
        text.truncate(text.trim_end().len());
    }
    Text { zone: text.into_bytes(), included: Vec::new() }
}

fn entry(rng: &mut StdRng, text: &mut String) {
    let _ = match rng.random_range(0..20) {
        0 => writeln!(text, "$TTL {}", ttl(rng)),
        1 => writeln!(text, "$ORIGIN o{}.{APEX}.", rng.random_range(0..9)),
        2 => writeln!(text, "; a comment with \"quotes\" and (parentheses\n\n   \t"),
        _ => {
            let owner = owner(rng);
            let middle = match rng.random_range(0..4) {
                0 => format!("{} IN", ttl(rng)),
                1 => format!("IN {}", ttl(rng)),
                2 => ttl(rng),
                _ => format!("{} in\t", ttl(rng)),
            };
            let comment = if rng.random_bool(0.2) { " ; c" } else { "" };
            writeln!(text, "{owner} {middle} {}{comment}", rdata(rng))
        }
    };
}

/// A name that no other record has by chance, so that any type may follow; relative or absolute, some with escapes.
fn owner(rng: &mut StdRng) -> String {
    let label = LABELS.choose(rng).expect("not empty").replace('*', "w");
    let number: u32 = rng.random_range(0..1_000_000);
    match rng.random_range(0..8) {
        0 => format!("{label}{number}.{APEX}."),
        1 => format!("*.{label}{number}"),
        2 => format!("{label}\\.{number}"),
        3 => format!("\\097{label}{number}"),
        4 => format!("_{label}._tcp.{number}"),
        5 => format!("{}.{label}{number}", "x".repeat(63)),
        _ => format!("{label}{number}"),
    }
}

/// A TTL in digits or units.
fn ttl(rng: &mut StdRng) -> String {
    let n = rng.random_range(0..100);
    match rng.random_range(0..4) {
        0 => format!("{n}m"),
        1 => format!("1D{n}H"),
        _ => format!("{}", n * 60),
    }
}

/// Type and data of a valid record.
fn rdata(rng: &mut StdRng) -> String {
    let n: u32 = rng.random_range(0..256);
    let m: u32 = rng.random_range(0..65536);
    match rng.random_range(0..25) {
        0 => format!("A 192.0.2.{n}"),
        1 => format!("AAAA 2001:db8::{m:x}"),
        2 => format!("MX {m} mail.example.net."),
        3 => format!("TXT \"quoted {n}\" plain \"\" \"es\\\"c\\\\aped\\{n:03}\""),
        4 => "TXT ( \"a\" ; comment\n  \"b;c\"\n ) \"d\"".to_owned(),
        5 => format!("CNAME t{n}.example.net."),
        6 => format!("SRV {n} 0 {m} host.example.net."),
        7 => format!("CAA {} issue \"ca.example; k={n}\"", if n < 128 { 0 } else { 128 }),
        8 => format!("TYPE{} \\# 3 0102 {n:02x}", 65280 + n % 200),
        9 => "A \\# 4 C0000201".to_owned(),
        10 => format!("PTR p{n}"),
        11 => format!("HINFO \"cpu {n}\" os"),
        12 => format!("NAPTR {n} {m} \"S\" \"SIP+D2U\" \"!^.*$!sip:x@example!\" ."),
        13 => format!("SSHFP 4 2 {}", "ab".repeat(32)),
        14 => format!("TLSA 3 1 1 ( {} {} )", "cd".repeat(16), "ef".repeat(16)),
        15 => format!("DNAME d{n}.example.net."),
        16 => format!("LOC 52 22 23.000 N 4 53 32.000 E {n}.00m 0m 10000m 10m"),
        17 => format!("RP admin{n} txt{n}"),
        18 => format!("AFSDB 1 db{n}"),
        19 => format!("SVCB 1 svc{n} alpn=\"h2,h3\" port={m}"),
        20 => format!("HTTPS 0 alias{n}.example.net."),
        21 => format!("URI 10 1 \"https://example.net/{n}\""),
        22 => format!("TXT {}", "\"x\" ".repeat(rng.random_range(1..40))),
        23 => format!("OPENPGPKEY {}", "AQID".repeat(5)),
        _ => format!("EUI48 00-00-5e-00-53-{n:02x}"),
    }
}

/// What is put where it does not belong.
const MARKS: [&str; 22] = [
    "\"",
    "(",
    ")",
    "\\",
    ";",
    "$",
    "@",
    "\\256",
    "\\12",
    " A",
    "4294967296",
    "-1",
    ".",
    "..",
    "\n",
    "\u{feff}",
    "IN",
    "CH",
    "\0",
    "$TTL x",
    "$UNKNOWN y",
    "\t",
];

/// Lines that are wrong, or that some may find wrong.
const WRONG: [&str; 30] = [
    "ns CNAME other.example.net.",
    "out.example.org. A 192.0.2.1",
    "a A 192.0.2.256",
    "a A 192.0.2",
    "a AAAA 2001:db8:::1",
    "a AAAA 2001:db8::1::2",
    "a MX mail",
    "a MX 65536 mail",
    "a TXT",
    "a TXT \"open",
    "a TYPE65280 \\# 2 01",
    "a A \\# 3 010203",
    "a CH A 192.0.2.1",
    "a NOSUCHTYPE 1",
    "a SRV 0 0 53",
    "a CAA 0 issue",
    "a..b A 192.0.2.1",
    "a SVCB 1 . alpn=h2 alpn=h3",
    "a SVCB 1 . mandatory=alpn",
    "a TLSA 3 1 1 xyz",
    "a TTL A 192.0.2.1",
    "@ SOA ns hostmaster 2 1 1 1 1",
    "@ CNAME x",
    "x63------------------------------------------------------------x A 192.0.2.1",
    "a LOC 91 0 0 N 0 0 0 E 0m",
    "a DS 1 8 2 00",
    "a EUI48 00-00-5e-00-53",
    "a ) A 192.0.2.1",
    "a A 192.0.2.1 extra",
    "a 99999999999 A 192.0.2.1",
];

/// Makes one mistake, or what looks like one.
pub(super) fn mutate(rng: &mut StdRng, text: &mut Text) {
    let text = &mut text.zone;
    let mut lines: Vec<String> = String::from_utf8_lossy(text).split_inclusive('\n').map(str::to_owned).collect();
    let line = rng.random_range(0..lines.len());
    let place = rng.random_range(0..text.len());
    match rng.random_range(0..9) {
        0 => drop(text.remove(place)),
        1 | 2 => drop(text.splice(place..place, MARKS.choose(rng).expect("not empty").bytes())),
        3 => text.truncate(place),
        // Twice the same line is a duplicate, or a second SOA.
        4 => text.extend([b"\n", lines[line].as_bytes()].concat()),
        5 => {
            lines.remove(line);
            *text = lines.concat().into_bytes();
        }
        6 => {
            let mut tokens: Vec<&str> = lines[line].split_whitespace().collect();
            if tokens.len() > 1 {
                let token = rng.random_range(0..tokens.len());
                if rng.random_bool(0.5) {
                    tokens.remove(token);
                } else {
                    tokens[token] = MARKS.choose(rng).expect("not empty");
                }
            }
            lines[line] = tokens.join(" ") + "\n";
            *text = lines.concat().into_bytes();
        }
        _ => {
            let wrong = WRONG.choose(rng).expect("not empty");
            text.extend(format!("\n{wrong}\n").bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_seed_decides() {
        let text = |seed| generate(&mut StdRng::seed_from_u64(seed));
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn a_mutation_changes_most_files() {
        let changed = (0..100).filter(|seed| {
            let mut rng = StdRng::seed_from_u64(*seed);
            let valid = generate(&mut rng);
            let mut mutated = valid.clone();
            mutate(&mut rng, &mut mutated);
            valid != mutated
        });
        assert!(changed.count() > 80);
    }
}
