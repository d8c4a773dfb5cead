//! What a refused request is told: a problem of RFC 9457, as JSON or as text that reads well in a terminal.

use std::fmt::Write;
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use nssd::control::Finding;
use serde::Serialize;

use crate::accept::Form;
use crate::key::{Key, reveal};

/// The diagnostics that one answer lists. A person mends a zone a screen at a time; the rest is counted.
pub const DIAGNOSTICS_MAX: usize = 100;

/// A refused request: what is wrong, where, and what to do.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Parts>);

/// On the heap, so that a result that may be a problem stays small.
#[derive(Clone, Debug, Serialize)]
struct Parts {
    /// A URI that names the kind of problem; always `about:blank`, the kind being told by `status` and `code`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status code's own phrase, as `about:blank` asks for.
    title: &'static str,
    #[serde(serialize_with = "status_number")]
    status: StatusCode,
    /// A stable word for programs.
    code: &'static str,
    /// Sentences for people.
    detail: String,
    /// What is wrong in the zone, in the order of its lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<Finding>,
    /// Diagnostics beyond [`DIAGNOSTICS_MAX`], which are counted only.
    #[serde(skip_serializing_if = "is_zero")]
    diagnostics_left_out: u64,
    /// Lines below the detail: who was asked and what they said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<String>,
    /// The key that was made for the caller, who sees it this once.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "reveal")]
    key: Option<Key>,
    #[serde(skip)]
    retry_after: Option<Duration>,
    #[serde(skip)]
    allow: Option<&'static str>,
    /// Whether a key would have helped.
    #[serde(skip)]
    wants_key: bool,
    #[serde(skip)]
    ends_connection: bool,
    /// The text form is the detail and nothing else, not even a line end.
    #[serde(skip)]
    bare: bool,
}

impl Problem {
    /// A problem with a stable `code` for programs and sentences for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem(Box::new(Parts {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            code,
            detail: detail.into(),
            diagnostics: Vec::new(),
            diagnostics_left_out: 0,
            evidence: Vec::new(),
            key: None,
            retry_after: None,
            allow: None,
            wants_key: false,
            ends_connection: false,
            bare: false,
        }))
    }

    /// Adds what is wrong in the zone; beyond [`DIAGNOSTICS_MAX`] it is counted only.
    #[must_use]
    pub fn with_diagnostics(mut self, mut diagnostics: Vec<Finding>, left_out: u64) -> Problem {
        self.0.diagnostics_left_out = left_out + diagnostics.len().saturating_sub(DIAGNOSTICS_MAX) as u64;
        diagnostics.truncate(DIAGNOSTICS_MAX);
        self.0.diagnostics = diagnostics;
        self
    }

    /// Adds who was asked and what they said, one sentence each.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Vec<String>) -> Problem {
        self.0.evidence = evidence;
        self
    }

    /// Adds the key that was made for the caller and may count by now; no cache is to keep the answer then.
    #[must_use]
    pub fn with_key(mut self, key: Option<Key>) -> Problem {
        self.0.key = key;
        self
    }

    /// Says when to try again, at least a second from now.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        self.0.retry_after = Some(wait);
        self
    }

    /// Names the methods that would have been right.
    #[must_use]
    pub fn allow(mut self, methods: &'static str) -> Problem {
        self.0.allow = Some(methods);
        self
    }

    /// Says that a key has to be sent, as 401 has to (RFC 9110 §11.6.1).
    #[must_use]
    pub fn authenticate(mut self) -> Problem {
        self.0.wants_key = true;
        self
    }

    /// Closes the connection after the answer, as must be done when the request's body is not read to its end.
    #[must_use]
    pub fn end_connection(mut self) -> Problem {
        self.0.ends_connection = true;
        self
    }

    /// Makes the text form the detail alone, without a line end.
    #[must_use]
    pub fn bare(mut self) -> Problem {
        self.0.bare = true;
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable word for programs.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The sentences for people.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The whole answer.
    pub fn into_response(self, form: Form) -> Response<String> {
        let (media_type, body) = match form {
            Form::Text => (TEXT, self.text()),
            Form::Json => (PROBLEM_JSON, to_json(&self)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        if let Some(wait) = self.0.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if let Some(methods) = self.0.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if self.0.key.is_some() {
            headers.insert(CACHE_CONTROL, NO_STORE);
        }
        if self.0.wants_key {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"zones\""));
        }
        if self.0.ends_connection {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn text(&self) -> String {
        let mut text = self.0.detail.clone();
        if self.0.bare {
            return text;
        }
        text.push('\n');
        if let Some(key) = &self.0.key {
            let _ = writeln!(text, "  {}", key.reveal());
        }
        for line in &self.0.evidence {
            let _ = writeln!(text, "  {line}");
        }
        for diagnostic in &self.0.diagnostics {
            text.push('\n');
            write_finding(&mut text, diagnostic);
        }
        if self.0.diagnostics_left_out > 0 {
            let _ = writeln!(text, "\nand {} more", self.0.diagnostics_left_out);
        }
        text
    }
}

/// Writes one finding as text, over several lines when it has an excerpt.
pub(crate) fn write_finding(text: &mut String, finding: &Finding) {
    let _ = write!(text, "{finding}");
    // A report names its reference itself.
    if let (Some(reference), None) = (&finding.reference, &finding.report) {
        let _ = write!(text, " ({reference})");
    }
    text.push('\n');
}

/// In every response with a key: neither a browser nor a proxy is to keep it (RFC 9111 §5.2.2.5).
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The media type of text answers.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
/// The media type of JSON answers that are no problems.
pub(crate) const JSON: &str = "application/json";
/// The media type of problems in JSON (RFC 9457 §3).
const PROBLEM_JSON: &str = "application/problem+json";

/// Serializes what this crate defines, which cannot fail: no maps with odd keys, no foreign types.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("own types serialize");
    text.push('\n');
    text
}

/// `Retry-After` in seconds, rounded up and never 0.
fn whole_seconds(wait: Duration) -> u64 {
    let up = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + up).max(1)
}

fn status_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use nssd::control::Severity;

    use super::*;

    fn finding(line: u32) -> Finding {
        Finding {
            code: Some("Z0301".into()),
            line: Some(line),
            column: Some(5),
            reference: Some("RFC 1035 §5.2".into()),
            ..Finding::new(Severity::Error, "there are two SOA records")
        }
    }

    fn bad_zone() -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad-zone", "example.com: 1 error")
    }

    #[test]
    fn a_problem_in_text_reads_well_in_a_terminal() {
        let reported = Finding { report: Some("line 9: what?\n  | @ SOA\n  |   ^\n".into()), ..finding(9) };
        let response = bad_zone().with_diagnostics(vec![finding(3), reported], 7).into_response(Form::Text);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
        let lines: Vec<&str> = response.body().lines().collect();
        let expected = [
            "example.com: 1 error",
            "",
            "line 3, column 5: there are two SOA records [Z0301] (RFC 1035 §5.2)",
            "",
            "line 9: what?",
            "  | @ SOA",
            "  |   ^",
            "",
            "and 7 more",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_problem_in_json_has_the_members_of_rfc_9457() {
        let response = bad_zone().with_diagnostics(vec![finding(3)], 0).into_response(Form::Json);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let json: serde_json::Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "about:blank", "title": "Bad Request", "status": 400, "code": "bad-zone",
                "detail": "example.com: 1 error",
                "diagnostics": [{
                    "code": "Z0301", "line": 3, "column": 5, "severity": "error", "message": "there are two SOA records",
                    "reference": "RFC 1035 §5.2",
                }],
            })
        );
    }

    #[test]
    fn diagnostics_beyond_the_limit_are_counted() {
        let many = (1..=DIAGNOSTICS_MAX as u32 + 1).map(finding).collect();
        let problem = bad_zone().with_diagnostics(many, 2);
        assert_eq!((problem.0.diagnostics.len(), problem.0.diagnostics_left_out), (DIAGNOSTICS_MAX, 3));
    }

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        for (wait, header) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (30_000, "30")] {
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "busy");
            let response = problem.retry_after(Duration::from_millis(wait)).into_response(Form::Text);
            assert_eq!(response.headers()[RETRY_AFTER], header, "{wait} ms");
        }
    }
}
