//! Diagnostics for people: the lines of the file with marks below, as rustc shows them.

use core::fmt;
use core::ops::Range;

use memchr::{memchr2, memrchr2};
use nss_wire::Severity;

use crate::diagnostic::{Diagnostic, Label, severity_word};

/// Shows a [`Diagnostic`] with the lines that it is about.
///
/// ```text
/// error[Z0050]: A address: expected an IPv4 address such as 192.0.2.1, found "192.0.2.256"
///  --> example.com.zone:3:7
///   |
/// 3 | www A 192.0.2.256
///   |       ^^^^^^^^^^^
///   = note: see RFC 1035 §3.4.1
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    diagnostic: Diagnostic,
    colours: Colours,
}

/// Whether a report is coloured; who prints it knows whether a terminal reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// Plain text.
    #[default]
    No,
    /// With the escape sequences of ECMA-48 that every terminal knows.
    Yes,
}

impl Report {
    pub(crate) fn new(diagnostic: Diagnostic) -> Report {
        Report { diagnostic, colours: Colours::No }
    }

    /// The same report with or without colours.
    #[must_use]
    pub fn with_colours(self, colours: Colours) -> Report {
        Report { colours, ..self }
    }

    /// The start of a colour, or nothing.
    fn start(&self, colour: &'static str) -> &'static str {
        match self.colours {
            Colours::No => "",
            Colours::Yes => colour,
        }
    }

    fn write_label(&self, f: &mut fmt::Formatter<'_>, label: &Label, width: usize, mark: char) -> fmt::Result {
        let Excerpt { text, mark: marked, .. } = &label.excerpt;
        let (indent, bar) = (text[..marked.start].chars().count(), text[marked.clone()].chars().count().max(1));
        let colour = if mark == '-' { BLUE } else { self.colour() };
        let (blue, colour, end) = (self.start(BLUE), self.start(colour), self.start(END));
        let line = label.line;
        writeln!(f, "{blue}{line:width$} |{end} {text}")?;
        write!(f, "{blue}{:width$} |{end} {:indent$}{colour}", "", "")?;
        for _ in 0..bar {
            write!(f, "{mark}")?;
        }
        let gap = if label.note.is_empty() { "" } else { " " };
        writeln!(f, "{gap}{}{end}", label.note)
    }

    fn colour(&self) -> &'static str {
        match self.diagnostic.severity {
            Severity::Error => RED,
            Severity::Warning => YELLOW,
        }
    }
}

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BLUE: &str = "\x1b[1;34m";
const END: &str = "\x1b[0m";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { rule, severity, message, reference, place, related, help } = &self.diagnostic;
        let (bold, blue, end) = (self.start(BOLD), self.start(BLUE), self.start(END));
        let colour = self.start(self.colour());
        write!(f, "{colour}{}[{}]{end}{bold}: {message}{end}", severity_word(*severity), rule.code)?;
        let mut width = 1;
        if let Some(place) = place {
            let mut labels: Vec<(&Label, char)> = vec![(place, '^')];
            labels.extend(related.iter().map(|label| (label, '-')));
            width = labels.iter().map(|(label, _)| label.line.to_string().len()).max().unwrap_or(1);
            write!(f, "\n{:width$}{blue}-->{end} ", "")?;
            match &place.file_name {
                Some(name) => writeln!(f, "{}:{}:{}", name.escape_debug(), place.line, place.column)?,
                None => writeln!(f, "line {}, column {}", place.line, place.column)?,
            }
            writeln!(f, "{blue}{:width$} |{end}", "")?;
            // Those in other files stand behind, under the names of their files.
            labels.sort_by_key(|(label, _)| (label.file != place.file, label.file, label.line, label.column));
            let mut last: Option<&Label> = None;
            for (label, mark) in labels {
                match last {
                    Some(last) if last.file != label.file => {
                        let name = label.file_name.as_deref().unwrap_or("the including text");
                        writeln!(f, "{:width$}{blue}:::{end} {}:{}", "", name.escape_debug(), label.line)?;
                    }
                    Some(last) if last.line + 1 < label.line => writeln!(f, "{blue}...{end}")?,
                    _ => {}
                }
                self.write_label(f, label, width, mark)?;
                last = Some(label);
            }
        } else {
            f.write_str("\n")?;
        }
        if let Some(help) = help {
            writeln!(f, "{:width$} {blue}={end} {bold}help{end}: {}", "", help.replace('\n', "\n          "))?;
        }
        if !reference.is_empty() && !message.contains(*reference) {
            writeln!(f, "{:width$} {blue}={end} {bold}note{end}: see {reference}", "")?;
        }
        Ok(())
    }
}

/// A line of a text, or the part of it around a mistake, made fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// One character per column: tabs are blanks; controls and what is no UTF-8 are U+FFFD.
    text: Box<str>,
    /// The octets of `text` that are wrong.
    mark: Range<usize>,
    /// The octets as they are, at most [`FOUND_MAX`] of them, to guess from what was meant.
    pub(crate) found: Box<[u8]>,
}

impl Excerpt {
    /// Cuts the excerpt around `span` out of `text`, and finds its column; `line_start` is at or before the line.
    pub(crate) fn new(text: &[u8], span: Range<usize>) -> (Excerpt, u32) {
        let start = span.start.min(text.len());
        let line_start = memrchr2(b'\n', b'\r', &text[..start]).map_or(0, |at| at + 1);
        // A comment may be as long as the text, and there may be many findings in its line.
        let near = text.len().min(start + FOUND_MAX + 4);
        let line_end = memchr2(b'\n', b'\r', &text[start..near]).map_or(near, |at| start + at);
        let end = span.end.clamp(start, line_end);

        let column = 1 + characters(&text[line_start..start]);
        let from = boundary(text, line_start.max(start.saturating_sub(BEFORE_MAX))).min(start);
        let to = boundary(text, line_end.min(start + AFTER_MAX)).clamp(start, line_end);
        let marked_end = end.min(to);

        let mut shown = String::new();
        if from > line_start {
            shown.push('…');
        }
        push_fit(&mut shown, &text[from..start]);
        let mark_start = shown.len();
        push_fit(&mut shown, &text[start..marked_end]);
        let mark = mark_start..shown.len();
        push_fit(&mut shown, &text[marked_end..to]);
        if to < line_end {
            shown.push('…');
        }
        let column = u32::try_from(column).unwrap_or(u32::MAX);
        let found = text[start..end.min(start + FOUND_MAX)].into();
        (Excerpt { text: shown.trim_end().into(), mark, found }.fitted(), column)
    }

    /// Whether every other character is none, as in text with two octets for each.
    pub(crate) fn looks_like_utf_16(&self) -> bool {
        let (all, odd) = (self.text.chars().count(), self.text.matches('\u{fffd}').count());
        odd >= 3 && odd * 2 >= all.saturating_sub(3)
    }

    /// The line before the mistake, unless it is cut.
    pub(crate) fn before(&self) -> Option<&str> {
        let before = &self.text[..self.mark.start];
        (!before.starts_with('…')).then_some(before)
    }

    /// What is wrong, as it is shown.
    pub(crate) fn marked(&self) -> &str {
        &self.text[self.mark.clone()]
    }

    /// Trailing blanks are not shown, so that a mark behind them moves to the end.
    fn fitted(mut self) -> Excerpt {
        let len = self.text.len();
        self.mark = self.mark.start.min(len)..self.mark.end.min(len);
        self
    }
}

/// The octets shown before a mistake; with those behind it a line of the report stays below 120 columns.
const BEFORE_MAX: usize = 50;

/// The octets shown from the start of a mistake on.
const AFTER_MAX: usize = 60;

/// The octets of a mistake that are kept: a DKIM key of 4096 bits has 700 digits.
const FOUND_MAX: usize = 4096;

/// The characters of `text`; each octet that belongs to no UTF-8 character counts as one.
fn characters(text: &[u8]) -> usize {
    text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + usize::from(!chunk.invalid().is_empty())).sum()
}

/// The first offset from `at` on that is not within a UTF-8 character.
fn boundary(text: &[u8], at: usize) -> usize {
    let is_within = |octet: &&u8| (0x80..0xc0).contains(*octet);
    // No character has more than three continuation octets.
    at + text[at..].iter().take(3).take_while(is_within).count()
}

/// Appends `text` in such a way that a terminal shows it as it is, in one column a character.
fn push_fit(shown: &mut String, text: &[u8]) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            shown.push(match character {
                '\t' => ' ',
                // Control characters, and those that turn the direction of writing, could fake what is shown.
                '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
                _ if character.is_control() => '\u{fffd}',
                _ => character,
            });
        }
        if !chunk.invalid().is_empty() {
            shown.push('\u{fffd}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Column, shown line, shown mistake.
    fn excerpt(text: &[u8], span: Range<usize>) -> (u32, String, String) {
        let (excerpt, column) = Excerpt::new(text, span);
        (column, excerpt.text.to_string(), excerpt.marked().to_string())
    }

    #[test]
    fn the_line_of_the_mistake_is_cut_out_of_the_text() {
        assert_eq!(excerpt(b"ab\ncd ef\ngh", 6..8), (4, "cd ef".into(), "ef".into()));
        assert_eq!(excerpt(b"ab\r\ncd ef\r\ngh", 7..9), (4, "cd ef".into(), "ef".into()));
        assert_eq!(excerpt(b"ab\ncd\nef", 3..8), (1, "cd".into(), "cd".into()));
        assert_eq!(excerpt(b"ab", 2..2), (3, "ab".into(), String::new()));
        assert_eq!(excerpt(b"", 5..9), (1, String::new(), String::new()));
    }

    #[test]
    fn a_column_is_a_character() {
        assert_eq!(excerpt("\té ü x".as_bytes(), 7..8), (6, " é ü x".into(), "x".into()));
        assert_eq!(excerpt(b"\xff\xfe x", 3..4), (4, "\u{fffd}\u{fffd} x".into(), "x".into()));
    }

    #[test]
    fn what_could_deceive_a_terminal_is_replaced() {
        let (_, shown, _) = excerpt("a\u{1b}[2Jb\u{202e}c".as_bytes(), 0..1);
        assert_eq!(shown, "a\u{fffd}[2Jb\u{fffd}c");
    }

    #[test]
    fn long_lines_are_cut_on_both_sides() {
        let text = "é".repeat(500);
        let (column, shown, marked) = excerpt(text.as_bytes(), 400..402);
        assert_eq!((column, marked.as_str()), (201, "é"));
        assert!(shown.starts_with("…é") && shown.ends_with("é…") && shown.chars().count() < 120, "{shown}");
    }

    #[test]
    fn marks_of_several_places_stand_in_the_order_of_the_text() {
        let lines = crate::Lines::new(b"a A 192.0.2.1\nb A 192.0.2.2\n\nc A 192.0.2.3\n");
        let mut other = crate::Lines::of_included(b"d TXT x\n", 1, "other");
        let rule = &crate::rules::NO_TTL;
        let diagnostic = Diagnostic {
            place: Some(lines.label_at(4, 29..30).with_note("this one")),
            related: vec![
                other.label(1, crate::Part::Type).unwrap(),
                lines.label_at(1, 2..3).with_note("the first one"),
                lines.label_at(2, 16..17),
            ],
            help: Some("one\ntwo".into()),
            ..Diagnostic::new(rule, "so it is")
        };
        assert_eq!(
            diagnostic.to_string(),
            "\
error[Z0032]: so it is
 --> line 4, column 1
  |
1 | a A 192.0.2.1
  |   - the first one
2 | b A 192.0.2.2
  |   -
...
4 | c A 192.0.2.3
  | ^ this one
 ::: other:1
1 | d TXT x
  |   ---
  = help: one
          two
  = note: see RFC 2308 §4
"
        );
    }

    #[test]
    fn colours_change_nothing_but_the_colour() {
        let lines = crate::Lines::new(b"a A 192.0.2.1\n");
        let place = Some(lines.label_at(1, 0..1));
        let diagnostic = Diagnostic { place, ..Diagnostic::new(&crate::rules::SPF_TYPE, "so it is") };
        let coloured = diagnostic.report().with_colours(Colours::Yes).to_string();
        assert!(coloured.starts_with("\x1b[1;33mwarning[Z0211]\x1b[0m\x1b[1m: so it is\x1b[0m\n"), "{coloured:?}");
        let plain = [BOLD, RED, YELLOW, BLUE, END].iter().fold(coloured, |text, colour| text.replace(colour, ""));
        assert_eq!(plain, diagnostic.to_string());
    }
}
