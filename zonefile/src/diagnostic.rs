//! One thing to say about a zone, with all that a person or a program needs to mend it.

use core::fmt;
use core::ops::Range;

use nss_wire::{Rule, Severity};

use crate::report::{Excerpt, Report};

/// A mistake or an oddity in a zone: what rule it breaks, where, and what to write instead.
///
/// Mistakes of the text come from [`Error::diagnostic`](crate::Error::diagnostic), oddities of the text from
/// [`Linter`](crate::Linter); who checks zones makes others of the findings of that check. `Display` is the report for
/// people, several lines without colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule.
    pub rule: &'static Rule,
    /// The rule's severity, or that which the caller gave it.
    pub severity: Severity,
    /// What is wrong, in one sentence without the place.
    pub message: String,
    /// The text that decides; the rule's, unless the case is a special one. Empty where there is none.
    pub reference: &'static str,
    /// Where; `None` for what is missing from the whole zone.
    pub place: Option<Label>,
    /// What else is part of it, such as the other one of two records.
    pub related: Vec<Label>,
    /// What to write instead.
    pub help: Option<String>,
}

/// A part of a text, and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text: 0 for the one that was given, from 1 on for included ones in the order of their inclusion.
    pub file: u32,
    /// The name of the text, if it has one.
    pub file_name: Option<Box<str>>,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1; an octet that is no UTF-8 and a tab count as one.
    pub column: u32,
    /// The octets of the text.
    pub span: Range<usize>,
    pub(crate) excerpt: Excerpt,
    /// Some words to stand beside the mark; may be empty.
    pub note: String,
}

impl Label {
    /// The same place with some words beside its mark.
    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Label {
        Label { note: note.into(), ..self }
    }

    /// The part of the text, fit for a terminal and cut when it is long.
    pub fn marked(&self) -> &str {
        self.excerpt.marked()
    }
}

impl Diagnostic {
    /// A diagnostic of a rule's severity and reference, without a place.
    pub fn new(rule: &'static Rule, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            rule,
            severity: rule.severity,
            message: message.into(),
            reference: rule.reference,
            place: None,
            related: Vec::new(),
            help: None,
        }
    }

    /// Names the text that has no name, which is the one that was given to the reader.
    pub fn name_text(&mut self, name: &str) {
        for label in self.place.iter_mut().chain(&mut self.related) {
            label.file_name.get_or_insert_with(|| name.into());
        }
    }

    /// Where it belongs in a list in the order of the text: file, line, column, code.
    pub fn order(&self) -> (u32, u32, u32, u16) {
        let (file, line, column) = self.place.as_ref().map_or((0, 0, 0), |it| (it.file, it.line, it.column));
        (file, line, column, self.rule.code.0)
    }

    /// The same for people: several lines with the text and marks below what it is about.
    pub fn report(&self) -> Report {
        Report::new(self.clone())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report().fmt(f)
    }
}

/// One flat object for programs; see `docs/diagnostics.md`.
#[cfg(feature = "serde")]
impl serde::Serialize for Diagnostic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", &self.rule.code.to_string())?;
        map.serialize_entry("name", self.rule.name)?;
        map.serialize_entry("severity", severity_word(self.severity))?;
        if let Some(place) = &self.place {
            place.entries(&mut map)?;
        }
        map.serialize_entry("message", &self.message)?;
        if let Some(help) = &self.help {
            map.serialize_entry("help", help)?;
        }
        if !self.reference.is_empty() {
            map.serialize_entry("reference", self.reference)?;
        }
        if !self.related.is_empty() {
            map.serialize_entry("related", &self.related)?;
        }
        map.serialize_entry("report", &self.to_string())?;
        map.end()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Label {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        let mut map = serializer.serialize_map(None)?;
        self.entries(&mut map)?;
        map.end()
    }
}

#[cfg(feature = "serde")]
impl Label {
    fn entries<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        if let Some(name) = &self.file_name {
            map.serialize_entry("file", name)?;
        }
        map.serialize_entry("line", &self.line)?;
        map.serialize_entry("column", &self.column)?;
        map.serialize_entry("start", &self.span.start)?;
        map.serialize_entry("end", &self.span.end)?;
        if !self.note.is_empty() {
            map.serialize_entry("label", &self.note)?;
        }
        Ok(())
    }
}

/// `error` or `warning`.
pub(crate) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}
