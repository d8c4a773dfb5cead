//! `docs/diagnostics.md` tells the truth: it has every rule, and its examples break the rules that they say.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use nss_wire::{Code, NameBuf, Severity};
use nss_zonefile::LintOptions;
use nssd::check::{self, Include, Method, SignatureOptions};

const DOCUMENT: &str = include_str!("../../docs/diagnostics.md");

/// What stands before an example that is no whole file.
const HEAD: &str = "$TTL 3600\n@ SOA ns.example.net. host 1 3600 600 86400 300\n@ NS ns.example.net.\n";

/// Rules without examples: no zone file of a reasonable size breaks them, as a signed one is none, or no daemon that reads
/// files minds.
const WITHOUT_EXAMPLES: &[u16] = &[
    11, 21, 33, 99, 305, 306, 307, 314, 315, 318, 319, 320, 342, 400, 421, 422, 423, 424, 425, 426, 427, 428, 429, 430,
    440, 441, 442, 443, 444, 445, 446, 448, 449,
];

#[derive(Debug, Default)]
struct Section {
    name: String,
    text: String,
    wrong: Option<String>,
    right: Option<String>,
}

fn sections() -> BTreeMap<u16, Section> {
    let mut sections: BTreeMap<u16, Section> = BTreeMap::new();
    for part in DOCUMENT.split("\n### ").skip(1) {
        let (heading, body) = part.split_once('\n').unwrap();
        let (code, name) = heading.split_once(' ').unwrap();
        let code: Code = code.parse().unwrap_or_else(|_| panic!("{heading}"));
        let example = |word: &str| {
            let (_, behind) = body.split_once(&format!("```zone {word}\n"))?;
            Some(behind.split_once("```").unwrap().0.to_owned())
        };
        let section =
            Section { name: name.to_owned(), text: body.to_owned(), wrong: example("wrong"), right: example("right") };
        assert!(sections.insert(code.0, section).is_none(), "{heading} is there twice");
    }
    sections
}

/// The octets that an example stands for.
fn octets(example: &str) -> Vec<u8> {
    let is_whole = example.starts_with("; a whole file\n");
    let mut text = if is_whole { String::new() } else { HEAD.to_owned() };
    let mut rest = example;
    while let Some((before, behind)) = rest.split_once('⟨') {
        let (inside, behind) = behind.split_once('⟩').unwrap();
        text.push_str(before);
        match inside {
            "NUL" => text.push('\0'),
            "CR" => text.push('\r'),
            "BOM" => text.insert(0, '\u{feff}'),
            "UTF-16" => text.insert(0, '\u{fffe}'),
            times => {
                let (count, what) = times.split_once('×').unwrap();
                text.push_str(&what.replace('⏎', "\n").repeat(count.parse().unwrap()));
            }
        }
        rest = behind;
    }
    text.push_str(rest);
    match text.strip_prefix('\u{fffe}') {
        Some(text) => iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        None => text.into_bytes(),
    }
}

/// The codes of what an example breaks.
fn codes(code: u16, example: &str) -> BTreeSet<u16> {
    let apex: NameBuf = "example.com".parse().unwrap();
    let mut read = |name: &str| match name {
        "self.zone" => Ok(b"$INCLUDE self.zone\n".to_vec()),
        "empty.zone" => Ok(Vec::new()),
        other => Err(format!("{other}: no such file")),
    };
    let include = if code == 63 { Include::Refuse } else { Include::Read(&mut read) };
    // 2026-11-25.
    let lints = Some(LintOptions { now: Some(1_795_564_800) });
    let signatures = Some(SignatureOptions::of_file(1_795_564_800, 1));
    let method = Method { include, seed: None, lints, signatures };
    let diagnosis = check::diagnose(apex.as_name(), &octets(example), method);
    for diagnostic in &diagnosis.diagnostics {
        let report = diagnostic.to_string();
        let severity = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
        assert!(report.starts_with(&format!("{severity}[{}]: ", diagnostic.rule.code)), "{report}");
        // All but what is about the whole zone has a place.
        let has_place = !["no-soa", "no-ns"].contains(&diagnostic.rule.name);
        assert_eq!(diagnostic.place.is_some(), has_place, "{report}");
        assert_eq!(diagnosis.zone.is_none(), diagnosis.diagnostics[0].severity == Severity::Error, "{report}");
    }
    diagnosis.diagnostics.iter().map(|it| it.rule.code.0).collect()
}

#[test]
fn a_wrong_example_breaks_its_rule_alone_and_a_right_one_breaks_none() {
    let mut failures = Vec::new();
    for (code, Section { name, wrong, right, .. }) in sections() {
        let (Some(wrong), Some(right)) = (wrong, right) else {
            assert!(WITHOUT_EXAMPLES.contains(&code), "{name} has no example");
            continue;
        };
        for (example, expected) in [(wrong, BTreeSet::from([code])), (right, BTreeSet::new())] {
            let found = codes(code, &example);
            if found != expected {
                failures.push(format!("{name} should break {expected:?} and breaks {found:?}:\n{example}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_rule_is_documented_under_its_code_and_name() {
    let sections = sections();
    for rule in check::all_rules() {
        let section =
            sections.get(&rule.code.0).unwrap_or_else(|| panic!("{} {} has no section", rule.code, rule.name));
        assert_eq!(section.name, rule.name);
        let kind = if rule.severity == Severity::Error { "An error" } else { "A warning" };
        assert!(section.text.trim_start().starts_with(&format!("{kind}: {}", rule.summary)), "{}", section.text);
    }
    assert_eq!(sections.len(), check::all_rules().count());
}

#[test]
fn codes_and_names_are_used_once_and_in_order() {
    let codes: Vec<u16> = check::all_rules().map(|rule| rule.code.0).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    let names: BTreeSet<&str> = check::all_rules().map(|rule| rule.name).collect();
    assert_eq!(names.len(), codes.len());
    for rule in check::all_rules() {
        assert!(rule.name.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-'));
        assert_eq!(check::rule(rule.name), Some(rule));
        assert_eq!(check::rule(&rule.code.to_string()), Some(rule));
    }
}
