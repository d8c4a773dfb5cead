//! `nssd check-zone`: what is wrong or odd in zone files, explained.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use nss_authority::Zone;
use nss_wire::{Code, NameBuf, Rule, Severity};
use nss_zonefile::{Colours, Diagnostic, LintOptions};

use super::progress::Progress;
use super::run::{Exit, Failure, is_stdin, print, read};
use super::{CheckZone, PrintStyle};
use crate::check::{self, Diagnosis, Include, Method, SignatureOptions, TEXT_SIZE_KEPT};

/// Findings of one file that are shown to people; programs get all that the limits of the check let through.
const SHOWN_MAX: usize = 100;

/// The explanations of all rules, which are the documentation too.
const DIAGNOSTICS: &str = include_str!("../../../docs/diagnostics.md");

pub(super) fn run(arguments: &CheckZone) -> Result<Exit, Failure> {
    if arguments.list {
        return list();
    }
    if let Some(word) = &arguments.explain {
        return explain(word);
    }
    let levels = Levels::new(&arguments.allow, &arguments.deny)?;
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
    let now = match &arguments.now {
        None => clock,
        Some(text) => Some(nss_zonefile::time(text.as_bytes()).map(u64::from).ok_or_else(|| {
            let message = format!("{text} is no time: write it as 20261231235959 (UTC), or in seconds since 1970");
            Failure::new(Exit::Usage, message)
        })?),
    };
    // Files that are checked at once share the cores.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let signatures = now.map(|now| SignatureOptions::of_file(now, cores.div_ceil(arguments.files.len().max(1))));
    let has_terminal = io::stderr().is_terminal();
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || !has_terminal;
    let colours = if is_plain { Colours::No } else { Colours::Yes };
    let job = Job { arguments, levels, now, signatures, colours };
    let is_output_shown = io::stdout().is_terminal();
    let mut progress = Progress::new(arguments.files.len());
    progress.show(0)?;
    let mut exit = Exit::Success;
    in_order(
        &arguments.files,
        |file| job.check(file),
        |done, outcome| {
            match outcome {
                Ok(checked) => {
                    if !checked.report.is_empty() || (is_output_shown && !checked.output.is_empty()) {
                        progress.clear()?;
                    }
                    io::stderr().write_all(checked.report.as_bytes())?;
                    print(&checked.output)?;
                    if !checked.is_right && exit == Exit::Success {
                        exit = Exit::Refused;
                    }
                }
                // The other files are checked all the same.
                Err(message) => {
                    progress.clear()?;
                    writeln!(io::stderr(), "nssd: {message}")?;
                    exit = Exit::Failed;
                }
            }
            progress.show(done)
        },
    )?;
    progress.clear()?;
    Ok(exit)
}

/// Works on all items at once, as far as there are cores, and hands over the results in the order of the items.
fn in_order<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(usize, R) -> io::Result<()>,
) -> io::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (sender, results) = mpsc::sync_channel(threads.max(1));
        for _ in 0..threads {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(n) else { return };
                    // Nobody takes results any more when one could not be written.
                    if sender.send((n, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut waiting, mut wanted) = (BTreeMap::new(), 0);
        for (n, result) in results {
            waiting.insert(n, result);
            while let Some(result) = waiting.remove(&wanted) {
                wanted += 1;
                take(wanted, result)?;
            }
        }
        Ok(())
    })
}

/// What every file is checked by.
struct Job<'a> {
    arguments: &'a CheckZone,
    levels: Levels,
    now: Option<u64>,
    signatures: Option<SignatureOptions>,
    colours: Colours,
}

/// What is checked.
enum Text {
    Kept(Vec<u8>),
    /// A file that is read in pieces, and again as a whole if there is something to say about it.
    Large(File),
}

impl Text {
    fn open(file: &Path) -> Result<Text, String> {
        if !is_stdin(file) {
            let metadata = std::fs::metadata(file).map_err(failed(file))?;
            // A pipe can be read once only.
            if metadata.is_file() && metadata.len() > TEXT_SIZE_KEPT {
                return File::open(file).map(Text::Large).map_err(failed(file));
            }
        }
        read(file).map(Text::Kept).map_err(|failure| failure.message)
    }
}

fn failed(file: &Path) -> impl Fn(io::Error) -> String {
    move |error| format!("{}: {error}", file.display())
}

/// What there is to print about one file.
struct Checked {
    /// For people, on standard error.
    report: String,
    /// On standard output.
    output: String,
    is_right: bool,
}

impl Job<'_> {
    fn check(&self, file: &Path) -> Result<Checked, String> {
        let name = if is_stdin(file) { "<stdin>".to_owned() } else { file.display().to_string() };
        let text = Text::open(file)?;
        let Some(apex) = self.apex(file, &text)? else {
            let reason = "the text has no SOA record whose names are all absolute; name the zone with --origin";
            let report = format!("{name}: {reason}\n");
            return Ok(Checked { report, output: String::new(), is_right: false });
        };
        let mut diagnosis = self.diagnose(file, text, &apex)?;
        for diagnostic in &mut diagnosis.diagnostics {
            diagnostic.name_text(&name);
        }
        self.levels.apply(&mut diagnosis);
        // People read from the top of a file to its end.
        diagnosis.diagnostics.sort_by_key(Diagnostic::order);
        if self.arguments.quiet {
            diagnosis.diagnostics.retain(|it| it.severity == Severity::Error);
            diagnosis.warnings_left_out = 0;
        }
        let errors = diagnosis.diagnostics.iter().filter(|it| it.severity == Severity::Error).count() as u64;
        let is_right = errors + diagnosis.errors_left_out == 0;
        let report = if self.arguments.json { String::new() } else { self.report(&name, &diagnosis) };
        let output = match (&diagnosis.zone, self.arguments.print) {
            _ if self.arguments.json => json(&name, &diagnosis)?,
            (Some(zone), Some(PrintStyle::Canonical)) => check::canonical_text(zone),
            (Some(zone), Some(PrintStyle::Pretty)) => check::pretty_text(zone),
            (Some(zone), None) if is_right => ok(&name, zone),
            (Some(_) | None, _) => String::new(),
        };
        Ok(Checked { report, output, is_right })
    }

    fn diagnose(&self, file: &Path, text: Text, apex: &NameBuf) -> Result<Diagnosis, String> {
        let directory = if is_stdin(file) { Path::new("") } else { file.parent().unwrap_or(Path::new("")) };
        let mut include = |name: &str| {
            let path = directory.join(name);
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let (lints, signatures) = (Some(LintOptions { now: self.now }), self.signatures.clone());
        let text = match text {
            Text::Kept(text) => text,
            Text::Large(mut large) => {
                let signatures = signatures.clone();
                let method = Method { include: Include::Read(&mut include), seed: None, lints, signatures };
                if let Some(zone) = check::accept(apex.as_name(), &mut large, method).map_err(failed(file))? {
                    return Ok(Diagnosis::without_findings(zone));
                }
                // There is something to say about it, for which the text is needed.
                std::fs::read(file).map_err(failed(file))?
            }
        };
        let method = Method { include: Include::Read(&mut include), seed: None, lints, signatures };
        Ok(check::diagnose(apex.as_name(), &text, method))
    }

    fn apex(&self, file: &Path, text: &Text) -> Result<Option<NameBuf>, String> {
        if let Some(origin) = &self.arguments.origin {
            return Ok(Some(origin.clone()));
        }
        let found = match text {
            Text::Kept(text) => check::apex_of(&text[..], None),
            Text::Large(_) => File::open(file).and_then(|text| check::apex_of(text, None)),
        };
        let from_file_name = || file.file_name()?.to_str()?.strip_suffix(".zone")?.parse::<NameBuf>().ok();
        Ok(found.map_err(failed(file))?.or_else(from_file_name))
    }

    fn report(&self, name: &str, diagnosis: &Diagnosis) -> String {
        let mut report = String::new();
        for diagnostic in diagnosis.diagnostics.iter().take(SHOWN_MAX) {
            let _ = writeln!(report, "{}", diagnostic.report().with_colours(self.colours));
        }
        let (mut errors, mut warnings) = (diagnosis.errors_left_out, diagnosis.warnings_left_out);
        let (mut errors_hidden, mut warnings_hidden) = (errors, warnings);
        for (n, diagnostic) in diagnosis.diagnostics.iter().enumerate() {
            let is_hidden = u64::from(n >= SHOWN_MAX);
            let (all, hidden) = match diagnostic.severity {
                Severity::Error => (&mut errors, &mut errors_hidden),
                Severity::Warning => (&mut warnings, &mut warnings_hidden),
            };
            *all += 1;
            *hidden += is_hidden;
        }
        if errors + warnings > 0 {
            let _ = write!(report, "{name}: {}", count(errors, warnings));
            if errors_hidden + warnings_hidden > 0 {
                let _ = write!(report, "; {} of them not shown", count(errors_hidden, warnings_hidden));
            }
            report.push('\n');
        }
        report
    }
}

fn ok(name: &str, zone: &Zone) -> String {
    format!("{name}: {} ok, serial {}, {} records\n", zone.apex(), zone.serial(), zone.record_count())
}

/// `2 errors, 1 warning`.
fn count(errors: u64, warnings: u64) -> String {
    let count = |n: u64, word: &str| match n {
        0 => None,
        1 => Some(format!("1 {word}")),
        n => Some(format!("{n} {word}s")),
    };
    [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// One object a line; the last one tells of what was left out.
fn json(name: &str, diagnosis: &Diagnosis) -> Result<String, String> {
    let mut lines = String::new();
    for diagnostic in &diagnosis.diagnostics {
        let object = match &diagnostic.place {
            Some(_) => serde_json::to_string(diagnostic),
            // What is about the whole zone has no place that would name the file.
            None => serde_json::to_value(diagnostic).map(|mut object| {
                object["file"] = name.into();
                object.to_string()
            }),
        };
        let _ = writeln!(lines, "{}", object.map_err(|error| error.to_string())?);
    }
    let (errors, warnings) = (diagnosis.errors_left_out, diagnosis.warnings_left_out);
    if errors + warnings > 0 {
        let rule = &nss_zonefile::rules::TOO_MANY_ERRORS;
        let object = serde_json::json!({
            "code": rule.code.to_string(),
            "name": rule.name,
            "severity": if errors > 0 { "error" } else { "warning" },
            "file": name,
            "message": format!("and {} more", count(errors, warnings)),
            "errors_left_out": errors,
            "warnings_left_out": warnings,
        });
        let _ = writeln!(lines, "{object}");
    }
    Ok(lines)
}

/// Which warnings are errors, and which are nothing.
#[derive(Debug, Default)]
struct Levels {
    allowed: Vec<Code>,
    denied: Vec<Code>,
    denies_warnings: bool,
}

impl Levels {
    fn new(allow: &[String], deny: &[String]) -> Result<Levels, Failure> {
        let mut levels = Levels::default();
        for word in allow {
            let rule = rule(word)?;
            if rule.severity == Severity::Error {
                let message = format!("{} ({}) is an error, and errors cannot be allowed", rule.code, rule.name);
                return Err(Failure::new(Exit::Usage, message));
            }
            levels.allowed.push(rule.code);
        }
        for word in deny {
            match word.as_str() {
                "warnings" => levels.denies_warnings = true,
                word => levels.denied.push(rule(word)?.code),
            }
        }
        Ok(levels)
    }

    fn apply(&self, diagnosis: &mut Diagnosis) {
        diagnosis.diagnostics.retain_mut(|diagnostic| {
            let code = &diagnostic.rule.code;
            let is_denied = self.denied.contains(code);
            let is_allowed = self.allowed.contains(code) && !is_denied;
            if is_denied || (self.denies_warnings && !is_allowed) {
                diagnostic.severity = Severity::Error;
            }
            !is_allowed
        });
        if self.denies_warnings {
            diagnosis.errors_left_out += std::mem::take(&mut diagnosis.warnings_left_out);
        }
    }
}

fn rule(word: &str) -> Result<&'static Rule, Failure> {
    check::rule(word).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("there is no rule {word}; `nssd check-zone --list` shows them all"))
    })
}

fn list() -> Result<Exit, Failure> {
    let mut text = String::new();
    for rule in check::all_rules() {
        let severity = match rule.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = writeln!(text, "{} {:<22} {severity:<8} {}", rule.code, rule.name, rule.summary);
    }
    print(&text)?;
    Ok(Exit::Success)
}

fn explain(word: &str) -> Result<Exit, Failure> {
    let rule = rule(word)?;
    let heading = format!("### {} {}\n", rule.code, rule.name);
    let section = DIAGNOSTICS.split_once(&heading).map_or("", |(_, behind)| behind);
    let end = section.find("\n#").unwrap_or(section.len());
    let mut text = format!("{} {}\n", rule.code, rule.name);
    for line in section[..end].lines() {
        match line {
            "```zone wrong" => text.push_str("Wrong:\n\n"),
            "```zone right" => text.push_str("Right:\n\n"),
            "```" => {}
            line => {
                let _ = writeln!(text, "{line}");
            }
        }
    }
    if !rule.reference.is_empty() {
        let _ = write!(text, "\nSee {}.\n", rule.reference);
    }
    print(&text)?;
    Ok(Exit::Success)
}
