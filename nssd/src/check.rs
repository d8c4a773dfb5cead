//! From text to a zone that can be served, or to everything that is wrong with it.
//!
//! The linter on the command line, the dry run, the upload and the start of the daemon all come through here, and
//! so does `nss-api`: what one of them accepts the others accept.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;

use nss_authority::{FindingKind, HashSeed, Zone, ZoneBuilder};
use nss_wire::rule::Code;
use nss_wire::{Class, Name, NameBuf, RType, Rule};
use nss_zonefile::{Diagnostic, Entry, Label, LintOptions, Linter, Options, Part, Reader, StreamReader, Writer};

pub(crate) use self::proof::is_of;
pub use self::proof::{Gap, Signed, Unproved};
pub use self::signatures::SignatureOptions;
use self::signatures::{Fault, Faults};
pub(crate) use self::stream::{TEXT_SIZE_KEPT, accept};
use self::texts::{Places, Texts};
use crate::control::{FINDINGS_MAX, Finding, Problem, ProblemCode, Severity};

mod proof;
mod signatures;
mod stream;
mod texts;

/// The rules of this crate: Z0400 and on, for what only who serves the zone can know.
pub mod rules {
    nss_wire::rules! {
        SERIAL_NOT_GREATER = 400 "serial-not-greater", Warning, "RFC 1982 §3.2", "a changed zone whose serial does not grow";

        NOT_SIGNED = 420 "not-signed", Error, "RFC 4035 §2.2", "keys and no signatures";
        NO_ZONE_KEY = 421 "no-zone-key", Error, "RFC 4034 §2.1.1, RFC 5011 §2.1", "no key that can sign the zone";
        TOO_MANY_KEYS = 422 "too-many-keys", Error, "CVE-2023-50387", "more keys of one tag than resolvers try";
        MISSING_SIGNATURE = 423 "missing-signature", Error, "RFC 4035 §2.2", "records without a signature";
        UNFIT_SIGNATURE = 424 "unfit-signature", Error, "RFC 4035 §5.3.1", "a signature of another name";
        SIGNATURE_WITHOUT_KEY = 425 "signature-without-key", Error, "RFC 4035 §5.3.1", "a signature by a key that is not there";
        EXPIRED_SIGNATURE = 426 "expired-signature", Error, "RFC 4035 §5.3.1", "a signature whose time is over";
        SIGNATURE_NOT_YET_VALID = 427 "signature-not-yet-valid", Error, "RFC 4035 §5.3.1", "a signature whose time has not come";
        WRONG_SIGNATURE = 428 "wrong-signature", Error, "RFC 4035 §5.3.3", "a signature that is not of these records";
        BROKEN_CHAIN = 429 "broken-chain", Error, "RFC 4035 §2.3, RFC 5155 §7.1", "NSEC or NSEC3 records that are not those of the names";
        DENIED_TYPES = 430 "denied-types", Error, "RFC 4034 §4.1.2, RFC 5155 §3.2.1", "NSEC or NSEC3 records that are not those of the types";

        EXPIRES_SOON = 440 "expires-soon", Warning, "RFC 4035 §5.3.1", "signatures whose time is over in some days";
        INCOMPLETE_ALGORITHM = 441 "incomplete-algorithm", Warning, "RFC 4035 §2.2, RFC 6840 §5.11", "records that not all algorithms sign";
        UNKNOWN_ALGORITHM = 442 "unknown-algorithm", Warning, "RFC 4035 §5.3.3", "signatures that are not verified here";
        WEAK_ALGORITHM = 443 "weak-algorithm", Warning, "RFC 8624 §3.1, RFC 9905 §2", "a key of an algorithm that no longer counts";
        WEAK_KEY = 444 "weak-key", Warning, "NIST SP 800-57 part 1 §5.6.1", "an RSA key of less than 2048 bits";
        ORIGINAL_TTL = 445 "original-ttl", Warning, "RFC 4034 §3.1.4", "a TTL other than the one that was signed";
        NO_KEY_SIGNING_KEY = 446 "no-key-signing-key", Warning, "RFC 4034 §2.1.1", "keys that none of those for the parent signs";
        NO_DNSKEY = 447 "no-dnskey", Warning, "RFC 4035 §2.1", "signatures and no keys";
        SAMPLED_SIGNATURES = 448 "sampled-signatures", Warning, "a limit of this server", "more signatures than were verified";
        CDS_OF_NO_KEY = 449 "cds-of-no-key", Warning, "RFC 7344 §4.1", "CDS or CDNSKEY records of none of the keys";
    }
}

/// All rules that a zone is checked by, by code.
pub fn all_rules() -> impl Iterator<Item = &'static Rule> {
    nss_zonefile::rules::ALL.iter().chain(nss_authority::rules::ALL).chain(rules::ALL).copied()
}

/// The rule of a code such as `Z0123` or of a name such as `no-soa`.
pub fn rule(word: &str) -> Option<&'static Rule> {
    let code: Option<Code> = word.parse().ok();
    all_rules().find(|rule| Some(rule.code) == code || rule.name == word)
}

/// A text that makes a zone.
#[derive(Debug)]
pub struct Accepted {
    /// The zone.
    pub zone: Zone,
    /// Warnings, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// Warnings beyond those.
    pub findings_left_out: u64,
    /// What its signatures show, if it is signed and they were looked at.
    pub signed: Option<Signed>,
}

/// A text that makes no zone.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Errors, and behind them warnings, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub findings_left_out: u64,
    /// How many errors there are, those that are not listed included.
    pub errors: u64,
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
        match self.errors.saturating_sub(1) {
            0 => {}
            1 => text.push_str("; and 1 more error"),
            n => write!(text, "; and {n} more errors").expect("writing to a String does not fail"),
        }
        text
    }

    /// The same as an answer on the control socket.
    pub fn problem(self) -> Problem {
        let detail = match self.errors {
            1 => "the text does not make a zone: it has 1 error".to_owned(),
            n => format!("the text does not make a zone: it has {n} errors"),
        };
        let Rejected { findings, findings_left_out, .. } = self;
        Problem { findings, findings_left_out, ..Problem::new(ProblemCode::InvalidZone, detail) }
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
    diagnose(apex, text, Method { include, seed, lints: None, signatures: None }).into_result()
}

/// How a text is checked.
pub struct Method<'i> {
    /// What becomes of `$INCLUDE`.
    pub include: Include<'i>,
    /// How the names are hashed, for a zone that is to be served; `None` draws a seed for a zone that is only checked.
    pub seed: Option<HashSeed>,
    /// Whether the text is also looked through for what can be read and was hardly meant. It takes some time, and what
    /// it finds never keeps a zone from being served.
    pub lints: Option<LintOptions>,
    /// Whether a zone that is signed is also checked as a resolver would that validates it. It takes long, and a zone that fails
    /// can be served all the same, as one is whose signatures have expired since it was loaded.
    pub signatures: Option<SignatureOptions>,
}

/// What there is to say about a text, and the zone if it makes one.
#[derive(Debug)]
pub struct Diagnosis {
    /// The zone.
    pub zone: Option<Zone>,
    /// Errors, and behind them warnings, each in the order of the text and as many as their limits allow: those of
    /// [`nss_zonefile::Limits`], [`nss_authority::finding::FINDINGS_MAX`] and [`nss_zonefile::LINTS_MAX`].
    pub diagnostics: Vec<Diagnostic>,
    /// Errors beyond the limits.
    pub errors_left_out: u64,
    /// Warnings beyond the limits.
    pub warnings_left_out: u64,
    /// Whether the text could be read without error and the apex has no NS records.
    pub lacks_ns: bool,
    /// What the signatures of the zone show, if it is signed and they were looked at.
    pub signed: Option<Signed>,
}

impl Diagnosis {
    /// That of a text about which there is nothing to say.
    pub(crate) fn without_findings(zone: Zone) -> Diagnosis {
        let zone = Some(zone);
        Diagnosis {
            zone,
            diagnostics: Vec::new(),
            errors_left_out: 0,
            warnings_left_out: 0,
            lacks_ns: false,
            signed: None,
        }
    }

    /// The same as what can be sent to others, at most [`FINDINGS_MAX`] findings.
    ///
    /// # Errors
    ///
    /// The text makes no zone.
    pub fn into_result(self) -> Result<Accepted, Rejected> {
        let Diagnosis { zone, diagnostics, errors_left_out, warnings_left_out, lacks_ns, signed } = self;
        let findings: Vec<Finding> = diagnostics.iter().take(FINDINGS_MAX).map(Finding::from).collect();
        let beyond = (diagnostics.len() - findings.len()) as u64;
        let findings_left_out = beyond + errors_left_out + warnings_left_out;
        match zone {
            Some(zone) => Ok(Accepted { zone, findings, findings_left_out, signed }),
            None => {
                let is_error = |it: &&Diagnostic| it.severity == nss_wire::Severity::Error;
                let errors = diagnostics.iter().filter(is_error).count() as u64 + errors_left_out;
                Err(Rejected { findings, findings_left_out, errors, lacks_ns })
            }
        }
    }
}

/// Reads `text`, builds the zone at `apex` from it, and says all there is to say about both.
///
/// Whether the records make a zone, and whether they were meant so, is only looked at when all of them could be read.
pub fn diagnose(apex: Name<'_>, text: &[u8], method: Method<'_>) -> Diagnosis {
    let Method { include, seed, lints, signatures } = method;
    let mut builder = ZoneBuilder::new(apex, Class::IN).with_seed(seed.unwrap_or_else(random_seed));
    let texts = Texts::new(text);
    let mut reader = Reader::new(text, &Options::for_zone(apex));
    if let Include::Read(read) = include {
        reader = reader.with_includes(|inclusion| Ok(texts.add(inclusion.path, read(inclusion.path)?).into()));
    }
    let mut places = texts.places();
    let mut linter = lints.map(|options| Linter::new(apex, options));
    let mut told = Told::default();
    while let Some(entry) = reader.next() {
        match entry {
            Ok(entry) => {
                builder.add(entry.record, places.record_line(entry.position));
                if let Some(linter) = &mut linter {
                    linter.record(entry.record, entry.position, places.lines(entry.position.file));
                }
            }
            Err(error) => told.unreadable(&error),
        }
    }
    if told.has_errors() {
        return told.finish(None, false);
    }
    if let Some(mut linter) = linter {
        for lines in places.all() {
            linter.text(lines);
        }
        told.lints(linter.finish(|name, rtype| builder.has(name, rtype)));
    }
    let (zone, findings) = match builder.build() {
        Ok((zone, findings)) => (Some(zone), findings),
        Err(findings) => (None, findings),
    };
    let lacks_ns = findings.iter().any(|finding| matches!(finding.kind, FindingKind::NoNs));
    for finding in findings {
        let related = finding.related_line.and_then(|line| places.label(line, part(&finding)));
        let place = finding.line.and_then(|line| places.label(line, part(&finding)));
        told.finding(&finding, place, related);
    }
    let mut signed = None;
    if let (Some(zone), Some(options)) = (&zone, &signatures) {
        let (faults, shown) = signatures::check(zone, options);
        signed = shown;
        if !faults.is_empty() {
            told.faults(&faults, &lines_of(apex, &texts, &mut places, &faults), &mut places);
        }
    }
    let zone = zone.filter(|_| !told.has_errors());
    Diagnosis { signed, ..told.finish(zone, lacks_ns) }
}

/// The lines of the records that faults are about, 0 where there is none: the text is read again for them, so that nothing has
/// to be kept of records about which there is nothing to say.
fn lines_of(apex: Name<'_>, texts: &Texts<'_>, places: &mut Places<'_>, faults: &Faults) -> Vec<u32> {
    let mut lines = vec![0; faults.iter().count()];
    let mut wanted: HashMap<NameBuf, Vec<(usize, &Fault)>> = HashMap::new();
    for (n, fault) in faults.iter().enumerate() {
        wanted.entry(fault.owner.clone()).or_default().push((n, fault));
    }
    let mut included = texts.included_texts();
    let mut reader = Reader::new(texts.text(), &Options::for_zone(apex))
        .with_includes(move |_| included.next().map(Cow::Borrowed).ok_or_else(String::new));
    while let Some(entry) = reader.next() {
        let Ok(Entry { record, position, .. }) = entry else { continue };
        for &(n, fault) in wanted.get(&record.owner.to_buf()).into_iter().flatten() {
            if lines[n] == 0 && fault.is_about(record) {
                lines[n] = places.record_line(position);
            }
        }
    }
    lines
}

/// A seed that whoever wrote the text cannot know, or they could choose names that all have one hash.
fn random_seed() -> HashSeed {
    HashSeed::new(RandomState::new().build_hasher().finish())
}

/// The part of the record that a finding is about.
fn part(finding: &nss_authority::Finding) -> Part {
    match finding.kind.field() {
        nss_authority::Field::Owner => Part::Owner,
        nss_authority::Field::Ttl => Part::Ttl,
        nss_authority::Field::Type => Part::Type,
        nss_authority::Field::Data => Part::Data,
        nss_authority::Field::Word(n) => Part::Field(n),
    }
}

/// What is said about a text, while it is checked.
#[derive(Default)]
struct Told {
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    errors_left_out: u64,
    warnings_left_out: u64,
}

impl Told {
    fn has_errors(&self) -> bool {
        !self.errors.is_empty() || self.errors_left_out > 0
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        match diagnostic.severity {
            nss_wire::Severity::Error => self.errors.push(diagnostic),
            nss_wire::Severity::Warning => self.warnings.push(diagnostic),
        }
    }

    fn unreadable(&mut self, error: &nss_zonefile::Error) {
        match error.kind {
            nss_zonefile::ErrorKind::TooManyErrors { more, .. } => self.errors_left_out += more,
            _ => self.push(error.diagnostic()),
        }
    }

    fn lints(&mut self, lints: nss_zonefile::Lints) {
        self.warnings_left_out += lints.left_out;
        for diagnostic in lints.diagnostics {
            self.push(diagnostic);
        }
    }

    fn finding(&mut self, finding: &nss_authority::Finding, place: Option<Label>, related: Option<Label>) {
        let Some(rule) = finding.kind.rule() else {
            let FindingKind::LeftOut { count } = finding.kind else { return };
            match finding.severity {
                nss_wire::Severity::Error => self.errors_left_out += count as u64,
                nss_wire::Severity::Warning => self.warnings_left_out += count as u64,
            }
            return;
        };
        if is_consequence(rule) && self.warnings.iter().any(|other| explains(other, place.as_ref())) {
            return;
        }
        // What is wrong and what to do are parted by a semicolon.
        let sentence = finding.kind.to_string();
        let (what, help) = sentence.split_once("; ").map_or((&*sentence, None), |(what, help)| (what, Some(help)));
        let mut diagnostic = Diagnostic::new(rule, format!("{}: {what}", finding.owner));
        diagnostic.reference = finding.kind.reference();
        diagnostic.help = help.map(str::to_owned);
        diagnostic.place = place;
        let note = match finding.kind {
            FindingKind::CnameAndOther { .. } => "the CNAME record",
            FindingKind::TtlsDiffer { .. } => "the lowest one",
            _ => "the first one",
        };
        diagnostic.related.extend(related.map(|label| label.with_note(note)));
        self.push(diagnostic);
    }

    /// What is wrong or odd in signatures, with the lines of the records that it is about.
    fn faults(&mut self, faults: &Faults, lines: &[u32], places: &mut Places<'_>) {
        for (fault, &line) in faults.iter().zip(lines) {
            let mut diagnostic = Diagnostic::new(fault.rule, format!("{}: {}", fault.owner, fault.message));
            diagnostic.help = (!fault.help.is_empty()).then(|| fault.help.to_owned());
            diagnostic.place = Some(line).filter(|&line| line > 0).and_then(|line| places.label(line, fault.part));
            self.push(diagnostic);
        }
        self.errors_left_out += faults.left_out(nss_wire::Severity::Error);
        self.warnings_left_out += faults.left_out(nss_wire::Severity::Warning);
    }

    fn finish(mut self, zone: Option<Zone>, lacks_ns: bool) -> Diagnosis {
        self.errors.sort_by_key(Diagnostic::order);
        self.warnings.sort_by_key(Diagnostic::order);
        let Told { errors: mut diagnostics, warnings, errors_left_out, warnings_left_out } = self;
        diagnostics.extend(warnings);
        Diagnosis { zone, diagnostics, errors_left_out, warnings_left_out, lacks_ns, signed: None }
    }
}

/// Rules that a name is caught by which only is what it is because of another mistake.
fn is_consequence(rule: &Rule) -> bool {
    *rule == nss_authority::rules::MISSING_ADDRESS || *rule == nss_authority::rules::MISSING_GLUE
}

/// Whether the diagnostic says why the name at a place is not the one that was meant.
fn explains(diagnostic: &Diagnostic, place: Option<&Label>) -> bool {
    use nss_zonefile::rules::{ADDRESS_AS_NAME, MISSING_FINAL_DOT, REPEATED_ORIGIN, URL_AS_NAME};
    let is_reason = [&MISSING_FINAL_DOT, &REPEATED_ORIGIN, &ADDRESS_AS_NAME, &URL_AS_NAME].contains(&diagnostic.rule);
    let line = |label: &Label| (label.file, label.line);
    is_reason && diagnostic.place.as_ref().map(line) == place.map(line)
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Finding {
        let Diagnostic { rule, severity, message, reference, place, help, .. } = diagnostic;
        let severity = match severity {
            nss_wire::Severity::Error => Severity::Error,
            nss_wire::Severity::Warning => Severity::Warning,
        };
        let place = place.as_ref();
        Finding {
            code: Some(rule.code.to_string()),
            name: Some(rule.name.to_owned()),
            file: place.and_then(|place| place.file_name.as_deref()).map(str::to_owned),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            start: place.map(|place| place.span.start as u64),
            end: place.map(|place| place.span.end as u64),
            help: help.clone(),
            reference: (!reference.is_empty()).then(|| (*reference).to_owned()),
            report: Some(diagnostic.to_string()),
            ..Finding::new(severity, message.as_str())
        }
    }
}

/// The owner of the first SOA record of `text`, which is the apex of the zone; `None` when there is none that can
/// be read.
///
/// # Errors
///
/// What reading the text says.
pub fn apex_of(mut text: impl io::Read, origin: Option<NameBuf>) -> io::Result<Option<NameBuf>> {
    let is_soa = |entry: &Entry<'_>| entry.record.rtype == RType::SOA;
    let mut reader = StreamReader::new(&Options { origin, ..Options::default() });
    let mut piece = vec![0; APEX_PIECE_SIZE];
    loop {
        let size = text.read(&mut piece)?;
        if size == 0 {
            break;
        }
        reader.feed(&piece[..size]);
        while let Some(entry) = reader.next() {
            if let Ok(entry) = entry
                && is_soa(&entry)
            {
                return Ok(Some(entry.record.owner.to_buf()));
            }
        }
    }
    let mut reader = reader.finish();
    while let Some(entry) = reader.next() {
        if let Ok(entry) = entry
            && is_soa(&entry)
        {
            return Ok(Some(entry.record.owner.to_buf()));
        }
    }
    Ok(None)
}

/// Octets that are read at once to find the apex: its SOA record mostly is the first.
const APEX_PIECE_SIZE: usize = 1 << 14;

/// The zone as text: the SOA record, then the others in canonical order, one a line, everything written out.
pub fn canonical_text(zone: &Zone) -> String {
    let mut text = String::new();
    for record in zone.records() {
        writeln!(text, "{record}").expect("writing to a String does not fail");
    }
    text
}

/// The zone as a person would write it: names relative to the apex, in columns, in canonical order.
pub fn pretty_text(zone: &Zone) -> String {
    // The TTL that most records have, so that it is written once.
    let mut ttls: BTreeMap<u32, usize> = BTreeMap::new();
    for record in zone.records() {
        *ttls.entry(record.ttl).or_default() += 1;
    }
    let ttl = ttls.into_iter().max_by_key(|(_, count)| *count).map_or(0, |(ttl, _)| ttl);
    let mut writer = Writer::pretty(String::new(), zone.apex(), ttl).expect("writing to a String does not fail");
    for record in zone.records() {
        writer.write(record).expect("writing to a String does not fail");
    }
    let text = writer.into_inner();
    // What was written can be read, so that it can be put in order.
    nss_zonefile::format(text.as_bytes()).ok().and_then(|text| String::from_utf8(text).ok()).unwrap_or(text)
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
    fn a_zone_is_printed_as_a_person_would_write_it() {
        let accepted = check(apex().as_name(), format!("{ZONE}www.ns A 192.0.2.2\n").as_bytes()).unwrap();
        let text = pretty_text(&accepted.zone);
        assert!(text.starts_with("$ORIGIN example.com.\n$TTL 1h\n@        SOA  ns hostmaster (\n"), "{text}");
        assert!(text.ends_with("         NS   ns\nns       A    192.0.2.1\nwww.ns   A    192.0.2.2\n"), "{text}");
        let again = check(apex().as_name(), text.as_bytes()).unwrap();
        assert_eq!(canonical_text(&again.zone), canonical_text(&accepted.zone));
    }

    #[test]
    fn all_mistakes_of_a_text_are_told_with_their_places() {
        let rejected = refused("$TTL 3600\n@ SOA ns hostmaster 1 2 3 4 5\nwww A 192.0.2.256\nx AAAAA ::1\n");
        assert_eq!(rejected.findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [Some(3), Some(4)]);
        assert_eq!((rejected.errors, rejected.lacks_ns), (2, false));
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
        assert!(rejected.errors >= 10_000);
        assert!(serde_json::to_vec(&rejected.problem()).unwrap().len() < 100_000);
    }

    #[test]
    fn the_apex_is_where_the_soa_record_is() {
        let found = |text: &str, origin| apex_of(text.as_bytes(), origin).unwrap();
        assert_eq!(found("$TTL 1\nexample.com. SOA a. b. 1 2 3 4 5\n", None), Some(apex()));
        assert_eq!(found("$TTL 1\n@ SOA a. b. 1 2 3 4 5\n", None), None);
        assert_eq!(found("$TTL 1\n@ SOA a. b. 1 2 3 4 5", Some(apex())), Some(apex()));
        let comments = "; licence\n".repeat(APEX_PIECE_SIZE);
        assert_eq!(found(&(comments + "example.com. 1 SOA a. b. 1 2 3 4 5\n"), None), Some(apex()));
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
