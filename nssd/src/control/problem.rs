//! Why a call was refused (RFC 9457).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A refused call, sent as `application/problem+json`.
///
/// The type is always `about:blank`, and so left out; [`ProblemCode`] is what programs decide by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status code.
    pub status: u16,
    /// The HTTP reason phrase.
    pub title: String,
    /// What went wrong.
    #[serde(default)]
    pub code: ProblemCode,
    /// One sentence for people: what is wrong and what to do.
    pub detail: String,
    /// What is wrong with the zone, in the order of the text; at most [`super::FINDINGS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Findings that were left out to keep the answer short.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub findings_left_out: u64,
}

impl Problem {
    /// Media type of a problem.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A problem with the status that belongs to `code`, and no findings.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Problem {
        let status = code.status();
        let title = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        Problem {
            status,
            title: title.unwrap_or("Unknown").to_owned(),
            code,
            detail: detail.into(),
            findings: Vec::new(),
            findings_left_out: 0,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        for finding in &self.findings {
            write!(f, "\n{finding}")?;
        }
        match self.findings_left_out {
            0 => Ok(()),
            n => write!(f, "\nand {n} more"),
        }
    }
}

impl std::error::Error for Problem {}

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemCode {
    /// The path, query, header or body is not what the call wants.
    BadRequest,
    /// The text does not make a zone; the findings say why.
    InvalidZone,
    /// The peer of the socket may not use it.
    Forbidden,
    /// No such path, or no such zone.
    NotFound,
    /// The path is right and the method is not.
    MethodNotAllowed,
    /// The body did not arrive in time.
    Timeout,
    /// The zone belongs to the operator's files.
    Conflict,
    /// `Pin-Match` or `Pending-Match` does not hold.
    PinChanged,
    /// A zone that is not delegated here cannot be served at this name: another zone has it, or stands above or below it.
    Occupied,
    /// Two keys claim a name that is not delegated here, and so neither is served.
    Contested,
    /// The DS records of `Ds-Match` do not prove the zone.
    NotProved,
    /// They do, but the zone's serial is not newer than that of a zone of the same signers that was stored before.
    SerialNotNewer,
    /// There are as many claims on names that are not delegated here as there may be, from one network or in all.
    TooManyPending,
    /// `If-Match` or `If-None-Match` does not hold.
    PreconditionFailed,
    /// The body is larger than [`super::ZONE_TEXT_SIZE_MAX`].
    TooLarge,
    /// The daemon is stopping, and has changed nothing; try again.
    Busy,
    /// The daemon stopped, or met a bug, while the call was being carried out: it may or may not have had effect. Look at the zone, or make the
    /// call again.
    Uncertain,
    /// The disk that holds the store is full, or uploads take as much as they may; nothing was changed.
    StorageFull,
    /// The store can't be written or read; nothing was changed.
    StorageFailed,
    /// A code that this version does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl ProblemCode {
    /// The HTTP status code that goes with it.
    pub fn status(self) -> u16 {
        match self {
            ProblemCode::BadRequest | ProblemCode::InvalidZone => 400,
            ProblemCode::Forbidden => 403,
            ProblemCode::NotFound => 404,
            ProblemCode::MethodNotAllowed => 405,
            ProblemCode::Timeout => 408,
            ProblemCode::Conflict
            | ProblemCode::PinChanged
            | ProblemCode::Occupied
            | ProblemCode::Contested
            | ProblemCode::NotProved
            | ProblemCode::SerialNotNewer => 409,
            ProblemCode::PreconditionFailed => 412,
            ProblemCode::TooLarge => 413,
            ProblemCode::TooManyPending => 429,
            ProblemCode::Busy | ProblemCode::Uncertain => 503,
            ProblemCode::StorageFull => 507,
            ProblemCode::StorageFailed | ProblemCode::Unknown => 500,
        }
    }
}

/// One thing about a zone's text, an error or a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether it keeps the zone from being served.
    pub severity: Severity,
    /// Code of the rule, such as `Z0050`; `docs/diagnostics.md` explains each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Name of the rule, such as `bad-address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of the included file that it is about; absent for the text itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of the text, from 1; absent when it is about something that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// Offset of the first octet of the text that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// Offset behind the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
    /// What is wrong, in one sentence without the place.
    pub message: String,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The standard that says so, such as `RFC 1035 §5.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The same for people: the line with a caret below the place, and what to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
}

impl Finding {
    /// A finding about the zone as a whole.
    pub fn new(severity: Severity, message: impl Into<String>) -> Finding {
        Finding {
            severity,
            code: None,
            name: None,
            file: None,
            line: None,
            column: None,
            start: None,
            end: None,
            message: message.into(),
            help: None,
            reference: None,
            report: None,
        }
    }
}

impl Finding {
    /// Octets of memory that it takes.
    #[cfg(feature = "daemon")]
    pub(crate) fn memory_size(&self) -> usize {
        let Finding { code, name, file, message, help, reference, report, .. } = self;
        let texts = [code, name, file, help, reference, report].into_iter().flatten().chain([message]);
        size_of::<Finding>() + texts.map(String::capacity).sum::<usize>()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(report) = &self.report {
            return f.write_str(report.trim_end());
        }
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            if let Some(column) = self.column {
                write!(f, ", column {column}")?;
            }
            f.write_str(": ")?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)?;
        match &self.code {
            Some(code) => write!(f, " [{code}]"),
            None => Ok(()),
        }
    }
}

/// Whether a finding keeps a zone from being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The zone is not served.
    Error,
    /// The zone is served, but its owner would probably like to know.
    Warning,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_newer_daemon_is_still_a_problem() {
        let problem: Problem =
            serde_json::from_str(r#"{"status":418,"title":"x","code":"teapot","detail":"short","new":1}"#).unwrap();
        assert_eq!((problem.code, problem.status), (ProblemCode::Unknown, 418));
    }

    #[test]
    fn a_problem_is_a_sentence_and_its_findings_a_line_each() {
        let mut problem = Problem::new(ProblemCode::InvalidZone, "the zone has 3 errors");
        let finding = Finding::new(Severity::Error, "no such type \"AAAAA\"");
        problem.findings.push(Finding { line: Some(4), column: Some(2), code: Some("Z0025".into()), ..finding });
        problem.findings_left_out = 2;
        assert_eq!((problem.status, problem.title.as_str()), (400, "Bad Request"));
        assert_eq!(
            problem.to_string(),
            "the zone has 3 errors\nline 4, column 2: no such type \"AAAAA\" [Z0025]\nand 2 more"
        );
    }
}
