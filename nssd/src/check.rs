//! From text to a zone that can be served, or to everything that is wrong with it.
//!
//! The linter on the command line, the dry run, the upload and the start of the daemon all come through here, and
//! so does `nss-api`: what one of them accepts the others accept.

use std::borrow::Cow;
use std::fmt::Write;

use nss_authority::{FindingKind, HashSeed, Zone, ZoneBuilder};
use nss_wire::{Class, Name, NameBuf, RType};
use nss_zonefile::{Options, Reader};

use crate::control::{FINDINGS_MAX, Finding, Problem, ProblemCode, Severity};

/// A text that makes a zone.
#[derive(Debug)]
pub struct Accepted {
    /// The zone.
    pub zone: Zone,
    /// Warnings, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// Warnings beyond those.
    pub findings_left_out: u64,
}

/// A text that makes no zone.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Errors, and behind them warnings, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub findings_left_out: u64,
    /// Whether the text could be read without error and the apex has no NS records.
    pub lacks_ns: bool,
}

impl Rejected {
    /// The first error, and how many more there are.
    pub fn summary(&self) -> String {
        let mut text = match self.findings.first() {
            Some(finding) => Finding { report: None, ..finding.clone() }.to_string(),
            None => "the text makes no zone".to_owned(),
        };
        match self.errors().saturating_sub(1) {
            0 => {}
            1 => text.push_str("; and 1 more error"),
            n => write!(text, "; and {n} more errors").expect("writing to a String does not fail"),
        }
        text
    }

    /// The same as an answer on the control socket.
    pub fn problem(self) -> Problem {
        let detail = match self.errors() {
            1 => "the text does not make a zone: it has 1 error".to_owned(),
            n => format!("the text does not make a zone: it has {n} errors"),
        };
        let Rejected { findings, findings_left_out, .. } = self;
        Problem { findings, findings_left_out, ..Problem::new(ProblemCode::InvalidZone, detail) }
    }

    /// How many errors there are.
    ///
    /// Errors come first, so that what was left out of a list without warnings is errors.
    pub fn errors(&self) -> u64 {
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        if errors == self.findings.len() { errors as u64 + self.findings_left_out } else { errors as u64 }
    }
}

/// What becomes of `$INCLUDE`.
pub enum Include<'i> {
    /// It is an error. The only choice for texts of strangers.
    Refuse,
    /// The text comes from a function that is given the name as written; its error is a sentence for the author.
    Read(&'i mut dyn FnMut(&str) -> Result<Vec<u8>, String>),
}

/// Reads `text` and builds the zone at `apex` from it, `$INCLUDE` refused.
///
/// Meant for checking: a zone that is to be served is built with the seed of its catalog, see [`check_with`].
///
/// # Errors
///
/// All that is wrong with the text. Whether the records make a zone is only looked at when all of them could be read.
pub fn check(apex: Name<'_>, text: &[u8]) -> Result<Accepted, Rejected> {
    check_with(apex, text, Include::Refuse, None)
}

/// As [`check`], with the choice of what `$INCLUDE` does and of how the zone's names are hashed.
///
/// # Errors
///
/// As [`check`].
pub fn check_with(
    apex: Name<'_>,
    text: &[u8],
    include: Include<'_>,
    seed: Option<HashSeed>,
) -> Result<Accepted, Rejected> {
    let mut builder = ZoneBuilder::new(apex, Class::IN);
    if let Some(seed) = seed {
        builder = builder.with_seed(seed);
    }
    let mut reader = Reader::new(text, &Options::for_zone(apex));
    if let Include::Read(read) = include {
        reader = reader.with_includes(|inclusion| read(inclusion.path).map(Cow::Owned));
    }
    let mut errors = Findings::default();
    while let Some(entry) = reader.next() {
        match entry {
            Ok(entry) => {
                // Lines of included texts would be taken for lines of this one.
                let line = if entry.position.file == 0 { entry.position.line } else { 0 };
                builder.add(entry.record, line);
            }
            Err(error) => errors.push_unreadable(&error),
        }
    }
    if !errors.list.is_empty() {
        return Err(Rejected { findings: errors.list, findings_left_out: errors.left_out, lacks_ns: false });
    }
    match builder.build() {
        Ok((zone, findings)) => {
            let findings = Findings::from(findings);
            Ok(Accepted { zone, findings: findings.list, findings_left_out: findings.left_out })
        }
        Err(findings) => {
            let lacks_ns = findings.iter().any(|finding| matches!(finding.kind, FindingKind::NoNs));
            let findings = Findings::from(findings);
            Err(Rejected { findings: findings.list, findings_left_out: findings.left_out, lacks_ns })
        }
    }
}

/// The owner of the first SOA record of `text`, which is the apex of the zone; `None` when there is none that can
/// be read.
pub fn apex_of(text: &[u8], origin: Option<NameBuf>) -> Option<NameBuf> {
    let mut reader = Reader::new(text, &Options { origin, ..Options::default() });
    while let Some(entry) = reader.next() {
        if let Ok(entry) = entry
            && entry.record.rtype == RType::SOA
        {
            return Some(entry.record.owner.to_buf());
        }
    }
    None
}

/// The zone as text: the SOA record, then the others in canonical order, one a line, everything written out.
pub fn canonical_text(zone: &Zone) -> String {
    let mut text = String::new();
    for record in zone.records() {
        writeln!(text, "{record}").expect("writing to a String does not fail");
    }
    text
}

/// Findings up to [`FINDINGS_MAX`], and how many more there were.
#[derive(Default)]
struct Findings {
    list: Vec<Finding>,
    left_out: u64,
}

impl Findings {
    fn push(&mut self, finding: Finding) {
        if self.list.len() < FINDINGS_MAX {
            self.list.push(finding);
        } else {
            self.left_out += 1;
        }
    }

    fn push_unreadable(&mut self, error: &nss_zonefile::Error) {
        if let nss_zonefile::ErrorKind::TooManyErrors { more, .. } = error.kind {
            self.left_out += more;
            return;
        }
        let is_included = error.file_name.is_some();
        let whole = error.to_string();
        let place = format!("line {}, column {}: ", error.line, error.column);
        self.push(Finding {
            severity: Severity::Error,
            line: (!is_included).then_some(error.line),
            column: (!is_included).then_some(error.column),
            message: whole.strip_prefix(&place).unwrap_or(&whole).to_owned(),
            reference: None,
            report: Some(error.report().to_string()),
        });
    }
}

impl From<Vec<nss_authority::Finding>> for Findings {
    fn from(all: Vec<nss_authority::Finding>) -> Findings {
        let mut findings = Findings::default();
        for finding in all {
            if let FindingKind::LeftOut { count } = finding.kind {
                findings.left_out += count as u64;
                continue;
            }
            findings.push(Finding {
                severity: match finding.severity {
                    nss_authority::Severity::Error => Severity::Error,
                    nss_authority::Severity::Warning => Severity::Warning,
                },
                line: finding.line,
                column: None,
                message: format!("{}: {}", finding.owner, finding.kind),
                reference: Some(finding.kind.reference().to_owned()),
                report: None,
            });
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apex() -> NameBuf {
        "example.com".parse().unwrap()
    }

    fn refused(text: &str) -> Rejected {
        check(apex().as_name(), text.as_bytes()).unwrap_err()
    }

    const ZONE: &str = "$TTL 3600\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";

    #[test]
    fn a_text_becomes_a_zone_and_the_zone_a_text_that_becomes_the_same_zone() {
        let accepted = check(apex().as_name(), ZONE.as_bytes()).unwrap();
        assert_eq!((accepted.zone.serial(), accepted.zone.record_count()), (1, 3));
        let text = canonical_text(&accepted.zone);
        assert!(
            text.starts_with("example.com. 3600 IN SOA ns.example.com. hostmaster.example.com. 1 2 3 4 5\n"),
            "{text}"
        );
        let again = check(Name::ROOT, text.as_bytes()).unwrap_err();
        assert!(!again.findings.is_empty(), "the apex is part of what a zone is");
        let again = check(apex().as_name(), text.as_bytes()).unwrap();
        assert_eq!(canonical_text(&again.zone), text);
    }

    #[test]
    fn all_mistakes_of_a_text_are_told_with_their_places() {
        let rejected = refused("$TTL 3600\n@ SOA ns hostmaster 1 2 3 4 5\nwww A 192.0.2.256\nx AAAAA ::1\n");
        assert_eq!(rejected.findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [Some(3), Some(4)]);
        assert_eq!((rejected.errors(), rejected.lacks_ns), (2, false));
        let report = rejected.findings[0].report.as_ref().unwrap();
        assert!(report.contains("www A 192.0.2.256\n") && report.contains("^^^^^^^^^^^"), "{report}");
        assert!(!rejected.findings[0].message.starts_with("line"), "{}", rejected.findings[0].message);
        assert!(rejected.summary().ends_with("; and 1 more error"), "{}", rejected.summary());
    }

    #[test]
    fn a_zone_without_ns_records_is_told_from_other_mistakes() {
        let rejected = refused("$TTL 3600\n@ SOA ns hostmaster 1 2 3 4 5\nns A 192.0.2.1\n");
        assert!(rejected.lacks_ns);
        assert!(rejected.findings[0].reference.is_some());
    }

    #[test]
    fn a_text_with_a_million_errors_has_a_short_answer() {
        let rejected = refused(&"?\n".repeat(1_000_000));
        assert_eq!(rejected.findings.len(), FINDINGS_MAX);
        assert!(rejected.errors() >= 10_000);
        assert!(serde_json::to_vec(&rejected.problem()).unwrap().len() < 100_000);
    }

    #[test]
    fn the_apex_is_where_the_soa_record_is() {
        assert_eq!(apex_of(b"$TTL 1\nexample.com. SOA a. b. 1 2 3 4 5\n", None), Some(apex()));
        assert_eq!(apex_of(b"$TTL 1\n@ SOA a. b. 1 2 3 4 5\n", None), None);
        assert_eq!(apex_of(b"$TTL 1\n@ SOA a. b. 1 2 3 4 5\n", Some(apex())), Some(apex()));
    }

    #[test]
    fn included_texts_come_from_whom_the_caller_says() {
        let text = format!("{ZONE}$INCLUDE more\n");
        let refused = check(apex().as_name(), text.as_bytes()).unwrap_err();
        assert_eq!(refused.findings[0].line, Some(5));
        let mut read = |name: &str| match name {
            "more" => Ok(b"www A 192.0.2.2\n".to_vec()),
            other => Err(format!("there is no {other}")),
        };
        let accepted = check_with(apex().as_name(), text.as_bytes(), Include::Read(&mut read), None).unwrap();
        assert_eq!(accepted.zone.record_count(), 4);
    }
}
