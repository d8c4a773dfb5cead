//! Zone files as people and programs write them, and mistakes in them.

use std::fmt::{self, Write as _};
use std::ops::{Deref, DerefMut};

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::rdata;
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

    /// Whether there is a `$GENERATE` entry.
    pub(super) fn generates(&self) -> bool {
        String::from_utf8_lossy(&self.zone).contains("\n$GENERATE ")
    }

    /// Whether there is a CR without LF.
    pub(super) fn has_lone_cr(&self) -> bool {
        let has = |octets: &[u8]| String::from_utf8_lossy(octets).replace("\r\n", "").contains('\r');
        has(&self.zone) || has(&self.included)
    }

    /// The same with a newline at the end of each line and nothing else.
    pub(super) fn with_unix_line_ends(&self) -> Text {
        let unix = |octets: &[u8]| {
            let lines = String::from_utf8_lossy(octets).replace("\r\n", "\n").replace('\r', "\n");
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

/// Whether a text may have what some peers refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quirks {
    None,
    /// One: with two, all peers might refuse the text, each for another reason.
    Some,
}

/// What texts are written with: chance, and how much may still be strange.
pub(super) struct Pen<'r> {
    rng: &'r mut StdRng,
    quirks: Quirks,
}

impl<'r> Pen<'r> {
    pub(super) fn new(rng: &'r mut StdRng, quirks: Quirks) -> Pen<'r> {
        Pen { rng, quirks }
    }

    pub(super) fn one<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        list.choose(self.rng).expect("lists of choices are not empty")
    }

    /// Whether to write here what some peers refuse.
    pub(super) fn quirk(&mut self) -> bool {
        let is_wanted = self.quirks == Quirks::Some && self.random_bool(0.1);
        if is_wanted {
            self.quirks = Quirks::None;
        }
        is_wanted
    }
}

impl Deref for Pen<'_> {
    type Target = StdRng;

    fn deref(&self) -> &StdRng {
        self.rng
    }
}

impl DerefMut for Pen<'_> {
    fn deref_mut(&mut self) -> &mut StdRng {
        self.rng
    }
}

/// A valid zone file that uses the whole syntax.
pub(super) fn generate(rng: &mut StdRng, quirks: Quirks) -> Text {
    let pen = &mut Pen::new(rng, quirks);
    let mut zone = String::new();
    if pen.random_bool(0.8) {
        let _ = writeln!(zone, "$TTL {}", ttl(pen));
    }
    let soa =
        if pen.random_bool(0.5) { "( 2026112201 ; serial\n\t\t1h 15M\n  1w 300 )" } else { "1 7200 3600 1209600 300" };
    // The first record says its TTL, so that files without $TTL have one.
    let _ =
        writeln!(zone, "@ 3600 IN SOA ns hostmaster {soa}\n\tIN NS ns\n\tIN NS ns2.example.net.\nns 300 A 192.0.2.1");
    let mut included = String::new();
    let may_generate = quirks == Quirks::Some && pen.random_bool(0.2);
    if may_generate {
        // BIND alone knows it, so that there is no need for anything else strange.
        pen.quirks = Quirks::None;
    }
    for _ in 0..pen.random_range(3..=15) {
        match pen.random_range(0..60) {
            0 if included.is_empty() => {
                // Behind it the owner may be that before it or, for NSD, the last one in it.
                let _ = writeln!(zone, "{} 300 A 192.0.2.7", owner(pen));
                (0..pen.random_range(1..4)).for_each(|_| entry(pen, &mut included));
                let _ = writeln!(included, "{} 300 A 192.0.2.8", owner(pen));
                // NSD takes quotes for a part of the name, and no relative origin.
                let quote = if pen.quirk() { "\"" } else { "" };
                let origin = if pen.quirk() { " sub" } else { pen.one(&["", " sub.example.com.", " ; c"]) };
                let _ = writeln!(zone, "$INCLUDE {quote}{}{quote}{origin}", Text::INCLUDED);
                if pen.random_bool(0.3) {
                    let _ = writeln!(zone, "  300 IN TYPE65501 \\# 0");
                }
            }
            1..6 if may_generate => generate_entry(pen, &mut zone),
            _ => entry(pen, &mut zone),
        }
    }
    for text in [&mut zone, &mut included] {
        // Knot takes CR LF behind comments only.
        if pen.quirk() {
            *text = text.replace('\n', "\r\n");
        }
        // BIND takes no directive without a line end.
        let last_is_directive = text.lines().last().is_some_and(|line| line.starts_with('$'));
        if pen.random_bool(0.15) && (!last_is_directive || pen.quirk()) {
            text.truncate(text.trim_end().len());
        }
    }
    Text { zone: zone.into_bytes(), included: included.into_bytes() }
}

fn entry(pen: &mut Pen<'_>, text: &mut String) {
    let _ = match pen.random_range(0..20) {
        0 => directive(pen, text, |pen| format!("$TTL {}", ttl(pen))),
        // NSD and Knot want it absolute.
        1 if pen.quirk() => writeln!(text, "$ORIGIN o{}", pen.random_range(0..9)),
        1 => directive(pen, text, |pen| format!("$ORIGIN o{}.{APEX}.", pen.random_range(0..9))),
        2 => writeln!(text, "; a comment with \"quotes\" and (parentheses\n\n   \t"),
        _ => {
            let owner = owner(pen);
            let middle = middle(pen);
            let comment = pen.one(&[" ; c", ";c", "\t", "", "", "", ""]);
            let data = if pen.random_bool(0.5) { rdata(pen) } else { rdata::record(pen) };
            // BIND has none of these at a wildcard.
            let rtype = data.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            let is_exact = ["NS", "NSEC3", "TYPE2", "TYPE50"].contains(&rtype.as_str());
            let owner = if is_exact { owner.replace('*', "w") } else { owner };
            match pen.random_range(0..25) {
                // BIND alone nests parentheses.
                _ if pen.quirk() && !data.contains('(') => writeln!(text, "{owner} ( {middle} ( {data} ) ){comment}"),
                0 if !data.contains('(') => writeln!(text, "{owner} ( {middle}\n {data} ){comment}"),
                1 => writeln!(text, "{owner} ({middle}) {data}{comment}"),
                _ => writeln!(text, "{owner} {middle} {data}{comment}"),
            }
        }
    };
}

/// A directive, now and then between a record and another one with the same owner.
fn directive(pen: &mut Pen<'_>, text: &mut String, line: impl FnOnce(&mut Pen<'_>) -> String) -> fmt::Result {
    let is_between = pen.random_bool(0.3);
    if is_between {
        writeln!(text, "{} 300 IN A 192.0.2.7", owner(pen))?;
    }
    writeln!(text, "{}", line(pen))?;
    if is_between {
        writeln!(text, "\t{} TXT \"behind\"", ttl(pen))?;
    }
    Ok(())
}

/// TTL and class in both orders, either or none of them.
fn middle(pen: &mut Pen<'_>) -> String {
    // Knot does not know the number.
    let class = if pen.quirk() { "CLASS1" } else { pen.one(&["IN", "in", "In"]) };
    match pen.random_range(0..7) {
        0 => format!("{} {class}", ttl(pen)),
        1 => format!("{class} {}", ttl(pen)),
        2 => ttl(pen),
        3 => format!("{}\t{class}\t", ttl(pen)),
        4 => class.to_owned(),
        _ => String::new(),
    }
}

/// A `$GENERATE` entry, most of them valid.
fn generate_entry(pen: &mut Pen<'_>, text: &mut String) {
    let start = pen.random_range(0..20);
    let range = match pen.random_range(0..4) {
        0 => format!("{start}-{start}"),
        1 => format!("{start}-{}/{}", start + 20, pen.random_range(1..9)),
        _ => format!("{start}-{}", start + pen.random_range(1..5)),
    };
    let number = |pen: &mut Pen<'_>| {
        let offset = pen.random_range(0..300);
        let width = pen.random_range(0..6);
        match pen.random_range(0..8) {
            0 => format!("${{{offset}}}"),
            1 => format!("${{{offset},{width}}}"),
            2 => format!("${{{offset},{width},d}}"),
            3 => {
                format!("${{{offset},{width},{}}}", pen.one(&["o", "x", "X"]))
            }
            // An even width ends in a dot, which makes a name absolute.
            4 => format!("${{{offset},{},{}}}", width | 1, pen.one(&["n", "N"])),
            5 => format!("${{-{start},{width}}}"),
            _ => "$".to_owned(),
        }
    };
    let owner = format!("g{}-{}", pen.random_range(0..1_000_000), number(pen));
    let data = match pen.random_range(0..9) {
        0 => format!("CNAME {}.t.example.net.", number(pen)),
        1 => format!("PTR h{}", number(pen)),
        2 => format!("TXT n{}", number(pen)),
        3 => format!("TXT \"{}\"", number(pen)),
        4 => "AAAA 2001:db8::${0,4,x}".to_owned(),
        5 => "MX \"10 m$\"".to_owned(),
        6 => "TXT a\\$b".to_owned(),
        7 => format!("CNAME {0}.{0}", number(pen)),
        _ => "A 192.0.2.$".to_owned(),
    };
    let _ = writeln!(text, "$GENERATE {range} {owner} {} {data}", middle(pen));
}

/// A name that no other record has by chance, so that any type may follow; relative or absolute, some with escapes.
fn owner(pen: &mut Pen<'_>) -> String {
    let label = pen.one(&LABELS).replace('*', "w");
    let number: u32 = pen.random_range(0..1_000_000);
    match pen.random_range(0..14) {
        0 => format!("{label}{number}.{APEX}."),
        1 => format!("*.{label}{number}"),
        2 => format!("{label}\\.{number}"),
        3 => format!("\\097{label}{number}"),
        4 => format!("_{label}._tcp.{number}"),
        5 => format!("{}.{label}{number}", "x".repeat(63)),
        6 => format!("\\$TTL{number}"),
        7 => format!("\\@{number}"),
        8 => format!("\\{:03}{number}", pen.random::<u8>()),
        9 => format!("a\\;b\\\"c\\\\d\\(\\){number}"),
        10 => format!("{number}"),
        11 => format!("IN.{number}"),
        _ => format!("{label}{number}"),
    }
}

/// A TTL in digits or units.
pub(super) fn ttl(pen: &mut Pen<'_>) -> String {
    let n = pen.random_range(0..100);
    match pen.random_range(0..10) {
        0 => format!("{n}m"),
        1 => format!("1D{n}H"),
        2 => format!("1w2d3h4M{n}s"),
        3 => format!("{n}S"),
        4 => format!("00{n}"),
        5 if n < 3 => "2147483647".to_owned(),
        _ => format!("{}", n * 60),
    }
}

/// Type and data of a valid record.
fn rdata(pen: &mut Pen<'_>) -> String {
    let n: u32 = pen.random_range(0..256);
    let m: u32 = pen.random_range(0..65536);
    match pen.random_range(0..15) {
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
        11 => format!("DNAME d{n}.example.net."),
        12 => format!("TXT {}", "\"x\" ".repeat(pen.random_range(1..40))),
        13 => format!("TLSA 3 1 1 ( {} {} )", "cd".repeat(16), "ef".repeat(16)),
        _ => format!("TYPE{} \\# 0", 65280 + n % 200),
    }
}

/// What is put where it does not belong.
const MARKS: [&str; 40] = [
    "( (",
    ") )",
    "\\#",
    "\\# 0",
    "1h30",
    "1h2",
    "2147483648",
    "CLASS1",
    "TYPE1",
    "\"\"",
    "\\",
    "\r",
    "\\\n",
    "$ORIGIN",
    "$TTL 0",
    "$INCLUDE missing.zone",
    "\u{e9}",
    "*.",
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
const WRONG: [&str; 61] = [
    "( a A 192.0.2.1 )",
    "a ( ( A ) 192.0.2.1 )",
    "a A (192.0.2.1",
    "$ORIGIN",
    "$ORIGIN a b",
    "$ORIGIN a..b",
    "$TTL",
    "$TTL 1x",
    "$TTL 4294967296",
    "$INCLUDE",
    "$INCLUDE missing.zone",
    "$INCLUDE beside.zone a b",
    "a IN 300 IN A 192.0.2.1",
    "a 300 300 A 192.0.2.1",
    "a 1h30 A 192.0.2.1",
    "a -1 A 192.0.2.1",
    "a TYPE1 192.0.2.1",
    "a A \\# 4 c00002",
    "a A \\# 4 c000020",
    "a TYPE65536 \\# 0",
    "a TYPE0 \\# 0",
    "a OPT \\# 0",
    "a TXT \"x\"y",
    "a TXT \\256",
    "a TXT \\",
    "a NSEC3 1 0 0 - 0p9m A",
    "a RRSIG A 13 2 60 20261301000000 20260101000000 1 . AQID",
    "a RRSIG A 13 2 60 20260101000000 20260101000000 1 . AQI",
    "a NAPTR 1 1 \"S\" x",
    "a URI 1 1 x",
    "a APL 1:192.0.2.0/33",
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
    let pen = &mut Pen::new(rng, Quirks::None);
    let is_beside = !text.included.is_empty() && pen.random_bool(0.3);
    let text = if is_beside { &mut text.included } else { &mut text.zone };
    let mut lines: Vec<String> = String::from_utf8_lossy(text).split_inclusive('\n').map(str::to_owned).collect();
    let line = pen.random_range(0..lines.len());
    let place = pen.random_range(0..text.len());
    match pen.random_range(0..9) {
        0 => drop(text.remove(place)),
        1 | 2 => drop(text.splice(place..place, pen.one(&MARKS).bytes())),
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
                let token = pen.random_range(0..tokens.len());
                if pen.random_bool(0.5) {
                    tokens.remove(token);
                } else {
                    tokens[token] = *pen.one(&MARKS);
                }
            }
            lines[line] = tokens.join(" ") + "\n";
            *text = lines.concat().into_bytes();
        }
        _ => {
            // BIND never ends on a file that includes itself.
            let wrong = pen
                .one(&WRONG)
                .replace("$INCLUDE beside.zone", if is_beside { "$INCLUDE" } else { "$INCLUDE beside.zone" });
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
        let text = |seed| generate(&mut StdRng::seed_from_u64(seed), Quirks::Some);
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn a_mutation_changes_most_files() {
        let changed = (0..100).filter(|seed| {
            let mut rng = StdRng::seed_from_u64(*seed);
            let valid = generate(&mut rng, Quirks::None);
            let mut mutated = valid.clone();
            mutate(&mut rng, &mut mutated);
            valid != mutated
        });
        assert!(changed.count() > 80);
    }
}
