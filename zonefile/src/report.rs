//! A mistake as several lines for people: the line of the file with a mark below.

use core::fmt;
use core::ops::Range;

use memchr::{memchr2, memrchr2};

use crate::error::Error;

/// Shows an [`Error`] with the line that it stands in.
///
/// ```text
/// line 3, column 7: A address: expected an IPv4 address such as 192.0.2.1, found "192.0.2.256"
///   |
/// 3 | www A 192.0.2.256
///   |       ^^^^^^^^^^^
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub(crate) error: &'a Error,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Excerpt { text, mark } = &self.error.excerpt;
        let line = self.error.line.to_string();
        let (indent, bar) = (text[..mark.start].chars().count(), text[mark.clone()].chars().count().max(1));
        writeln!(f, "{}", self.error)?;
        writeln!(f, "{:width$} |", "", width = line.len())?;
        writeln!(f, "{line} | {text}")?;
        write!(f, "{:width$} | {:indent$}{:^<bar$}", "", "", "", width = line.len())?;
        if let Some(help) = self.error.kind.help() {
            write!(f, "\n{:width$} = {help}", "", width = line.len())?;
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
}

impl Excerpt {
    /// Cuts the excerpt around `span` out of `text`, and finds its column; `line_start` is at or before the line.
    pub(crate) fn new(text: &[u8], span: Range<usize>) -> (Excerpt, u32) {
        let start = span.start.min(text.len());
        let line_start = memrchr2(b'\n', b'\r', &text[..start]).map_or(0, |at| at + 1);
        let line_end = memchr2(b'\n', b'\r', &text[start..]).map_or(text.len(), |at| start + at);
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
        (Excerpt { text: shown.trim_end().into(), mark }.fitted(), column)
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
}
