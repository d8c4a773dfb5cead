//! Finds the fields of a record again by the line that it stands in.

use core::ops::Range;
use std::sync::Arc;

use memchr::{memchr, memchr2};

use crate::diagnostic::Label;
use crate::report::Excerpt;
use crate::syntax::{self, Outline};

/// A text whose lines can be looked up.
///
/// Who keeps a line number for each record, as a zone in the making does, has all that is needed to point at a field
/// of the record when there is something to say about it: the line is read again. An octet for every eight lines is
/// kept of a text, and only of that part of it that was asked for.
#[derive(Clone, Debug)]
pub struct Lines<'t> {
    text: &'t [u8],
    /// Where every [`STRIDE`]th line starts, as far as the text was looked through.
    marks: Vec<usize>,
    file: u32,
    file_name: Option<Box<str>>,
    /// The entry that was asked for last: all records of a `$GENERATE` entry, which may be long, stand in one line.
    last: Option<(u32, usize, Arc<Outline>)>,
    /// Whether the text is there, and whether something was wanted of it when it was not.
    is_kept: bool,
    is_missed: bool,
}

/// A part of a record, as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The name at the start of the line; where the line has none, the type.
    Owner,
    /// The TTL; where the record has none of its own, the type.
    Ttl,
    /// The type.
    Type,
    /// All of the data.
    Data,
    /// One word of the data, counted from 0; where there is none, all of the data.
    Field(usize),
}

const STRIDE: usize = 64;

/// The octets that typographic characters start with in UTF-8, in pairs because two are sought at once.
pub(crate) const TYPOGRAPHIC_LEADS: [(u8, u8); 2] = [(0xc2, 0xe2), (0xe3, 0xef)];

impl<'t> Lines<'t> {
    /// The lines of the text that has the number 0 and no name.
    pub fn new(text: &'t [u8]) -> Lines<'t> {
        Lines { text, marks: vec![0], file: 0, file_name: None, last: None, is_kept: true, is_missed: false }
    }

    /// The lines of an included text, by its number and name.
    pub fn of_included(text: &'t [u8], file: u32, name: &str) -> Lines<'t> {
        Lines { file, file_name: Some(name.into()), ..Lines::new(text) }
    }

    /// The lines of a text that comes in pieces, of which none is kept.
    ///
    /// There are no labels then. If a linter wants to know how something is written, [`Lines::is_missed`] tells that the
    /// text has to be looked at again, as a whole; for most texts it does not want to.
    ///
    /// ```
    /// use nss_zonefile::{Lines, Part};
    ///
    /// let mut lines = Lines::of_stream();
    /// lines.pass(b"www A 192.0.2.1\n");
    /// assert_eq!(lines.label(1, Part::Owner), None);
    /// assert!(!lines.is_missed());
    /// lines.pass("www A 192.0.2.1 ; \u{201c}".as_bytes());
    /// assert!(lines.is_missed());
    /// ```
    pub fn of_stream() -> Lines<'static> {
        Lines { is_kept: false, ..Lines::new(b"") }
    }

    /// Takes note of the next piece of a text that is not kept: some octets have to be looked at with what is around.
    pub fn pass(&mut self, piece: &[u8]) {
        let has_lead = |(one, other)| memchr2(one, other, piece).is_some();
        let may_be_typographic = !piece.is_ascii() && TYPOGRAPHIC_LEADS.into_iter().any(has_lead);
        // Where a line ends as DOS ends lines, another may not.
        self.is_missed |= may_be_typographic || memchr(b'\r', piece).is_some();
    }

    /// Whether the text is not kept and was wanted, so that something may have been overlooked.
    pub fn is_missed(&self) -> bool {
        self.is_missed
    }

    /// The text.
    pub fn text(&self) -> &'t [u8] {
        self.text
    }

    /// Whether the text is there.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// A label at a part of the record that starts in `line`; `None` when no record does.
    pub fn label(&mut self, line: u32, part: Part) -> Option<Label> {
        if !self.is_kept {
            return None;
        }
        let (from, outline) = self.outline(line)?;
        let span = outline.span(part)?;
        let line = line.saturating_add(line_ends(&self.text[from..span.start]));
        Some(self.label_at(line, span))
    }

    /// A label at some octets, which start in `line`.
    pub(crate) fn label_at(&self, line: u32, span: Range<usize>) -> Label {
        let (excerpt, column) = Excerpt::new(self.text, span.clone());
        let file_name = self.file_name.clone();
        Label { file: self.file, file_name, line, column, span, excerpt, note: String::new() }
    }

    /// The entry that starts in `line`, and where.
    pub(crate) fn outline(&mut self, line: u32) -> Option<(usize, Arc<Outline>)> {
        self.is_missed |= !self.is_kept;
        if let Some((_, from, outline)) = self.last.as_ref().filter(|(last, ..)| *last == line) {
            return Some((*from, Arc::clone(outline)));
        }
        let from = self.start(line)?;
        let mut pieces = Vec::new();
        syntax::entry(self.text, from, &mut pieces);
        let outline = Arc::new(Outline::new(self.text, from, &pieces));
        if outline.words.is_empty() {
            return None;
        }
        self.last = Some((line, from, Arc::clone(&outline)));
        Some((from, outline))
    }

    /// Where a line starts.
    fn start(&mut self, line: u32) -> Option<usize> {
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        while self.marks.len() <= index / STRIDE {
            let last = *self.marks.last()?;
            self.marks.push(self.skip(last, STRIDE)?);
        }
        let mark = self.marks[index / STRIDE];
        self.skip(mark, index % STRIDE).filter(|&start| start < self.text.len())
    }

    /// The start of the line `count` lines behind that at `from`.
    fn skip(&self, from: usize, count: usize) -> Option<usize> {
        let mut at = from;
        for _ in 0..count {
            at += memchr2(b'\n', b'\r', self.text.get(at..)?)?;
            at += if self.text[at..].starts_with(b"\r\n") { 2 } else { 1 };
        }
        Some(at)
    }
}

impl Outline {
    fn span(&self, part: Part) -> Option<Range<usize>> {
        let word = |n: Option<usize>| Some(self.words.get(n?)?.span.clone());
        let whole = || {
            let data = self.words.get(self.data()..).filter(|data| !data.is_empty())?;
            Some(data.first()?.span.start..data.last()?.span.end)
        };
        let found = match part {
            Part::Owner => word(self.owner),
            Part::Ttl => word(self.ttl),
            Part::Type => word(self.rtype),
            Part::Data => whole(),
            Part::Field(n) => word(self.data().checked_add(n)).or_else(whole),
        };
        found.or_else(|| word(self.rtype)).or_else(|| word(Some(0)))
    }
}

/// Line ends in `text`: LF, CR LF, or CR alone.
pub(crate) fn line_ends(text: &[u8]) -> u32 {
    let is_end = |&at: &usize| text[at] == b'\n' || text.get(at + 1) != Some(&b'\n');
    u32::try_from(memchr::memchr2_iter(b'\n', b'\r', text).filter(is_end).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, line: u32, part: Part) -> Option<(u32, u32, String)> {
        let label = Lines::new(text.as_bytes()).label(line, part)?;
        assert_eq!(&text[label.span.clone()], label.marked());
        Some((label.line, label.column, label.marked().to_owned()))
    }

    #[test]
    fn a_field_is_found_by_the_line_of_its_record() {
        let text = "a 60 MX 10 b\r\n  MX (\n 20\n c ) ; d\n\n$GENERATE 1-2 h$ A 192.0.2.$\n";
        assert_eq!(marked(text, 1, Part::Owner), Some((1, 1, "a".into())));
        assert_eq!(marked(text, 1, Part::Ttl), Some((1, 3, "60".into())));
        assert_eq!(marked(text, 1, Part::Field(1)), Some((1, 12, "b".into())));
        assert_eq!(marked(text, 1, Part::Field(7)), Some((1, 9, "10 b".into())));
        assert_eq!(marked(text, 2, Part::Owner), Some((2, 3, "MX".into())));
        assert_eq!(marked(text, 2, Part::Field(1)), Some((4, 2, "c".into())));
        assert_eq!(marked(text, 6, Part::Owner), Some((6, 15, "h$".into())));
        assert_eq!(marked(text, 6, Part::Data), Some((6, 20, "192.0.2.$".into())));
        for line in [0, 5, 7, 8, u32::MAX] {
            assert_eq!(marked(text, line, Part::Owner), None, "{line}");
        }
    }

    #[test]
    fn lines_are_found_in_any_order() {
        let text: String = (1..=1000).map(|line| format!("n{line} A 192.0.2.1\n")).collect();
        let mut lines = Lines::new(text.as_bytes());
        for line in [1000, 1, 64, 65, 128, 129, 999] {
            assert_eq!(lines.label(line, Part::Owner).unwrap().marked(), format!("n{line}"));
        }
        assert_eq!(lines.label(1001, Part::Owner), None);
    }
}
