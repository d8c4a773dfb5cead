//! Puts a zone text in order, comments and all.
//!
//! The text is formatted, not the records: relative names stay relative, `$ORIGIN`, `$TTL` and comments stay where
//! they are, and so does the order of the records. Only blanks, blank lines, the letter case of types and classes, the
//! order of TTL and class, and parentheses that hold nothing together are changed.

use core::ops::Range;

use nss_wire::Name;

use crate::error::Error;
use crate::limits::Limits;
use crate::reader::{self, Options, Reader};
use crate::syntax::{self, Outline, Piece, PieceKind};

/// Puts a text in order: fields in columns, one blank line at most between groups of records, comments kept.
///
/// The result has the same records as the text, and formatting it again changes nothing. Lines end as the first line of
/// the text does. Records that follow one another without a blank line or a comment line between them share their
/// columns.
///
/// # Errors
///
/// The mistakes of a text that cannot be read: what was meant there is not known, so that nothing is changed.
/// `$INCLUDE` is no mistake; the included text is not looked at.
///
/// ```
/// let text = b"$TTL 1h\n@ in ns ns ; the first\nns\ta 192.0.2.1";
/// let formatted = nss_zonefile::format(text).unwrap();
/// assert_eq!(
///     String::from_utf8(formatted).unwrap(),
///     "$TTL 1h\n@        IN NS   ns  ; the first\nns          A    192.0.2.1\n"
/// );
/// ```
pub fn format(text: &[u8]) -> Result<Vec<u8>, Vec<Error>> {
    mistakes(text)?;
    let mut formatter = Formatter { text, end: line_end_of(text), out: Vec::new(), block: Vec::new(), is_parted: true };
    let mut at = 0;
    while at < text.len() {
        let mut pieces = Vec::new();
        let next = syntax::entry(text, at, &mut pieces);
        formatter.entry(at, pieces);
        at = next;
    }
    formatter.flush();
    // A blank line at the end parts nothing.
    let end = formatter.end;
    while formatter.out.ends_with(&[end, end].concat()) {
        formatter.out.truncate(formatter.out.len() - end.len());
    }
    // At the start of a file the octets of a name may mean something else.
    if reader::mark(&formatter.out).is_some() {
        formatter.out.splice(..0, end.iter().copied());
    }
    Ok(formatter.out)
}

/// Reads the text to see that it can be read.
fn mistakes(text: &[u8]) -> Result<(), Vec<Error>> {
    // What relative names are completed with does not matter, and the root makes none of them too long; what a record
    // counts on may stand in another file.
    let origin = Some(Name::ROOT.to_buf());
    let limits = Limits { includes_max: u32::MAX, ..Limits::default() };
    let options = Options { origin, default_ttl: Some(0), limits, ..Options::default() };
    let mut reader = Reader::new(text, &options).with_includes(|_| Ok(Vec::new().into()));
    let mut errors = Vec::new();
    while let Some(result) = reader.next() {
        errors.extend(result.err());
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn line_end_of(text: &[u8]) -> &'static [u8] {
    let first = syntax::line_end(text, 0);
    if text[first..].starts_with(b"\r\n") { b"\r\n" } else { b"\n" }
}

struct Formatter<'t> {
    text: &'t [u8],
    end: &'static [u8],
    out: Vec<u8>,
    /// The records of a group, whose columns are not known before its end.
    block: Vec<Row>,
    /// Whether a blank line, or nothing, stands at the end of `out`.
    is_parted: bool,
}

/// A record in the making.
struct Row {
    owner: Vec<u8>,
    ttl: Vec<u8>,
    class: Vec<u8>,
    rtype: Vec<u8>,
    /// The lines of what stands behind the type.
    lines: Vec<Line>,
}

/// One line of data and its comment.
#[derive(Default)]
struct Line {
    words: Vec<u8>,
    comment: Vec<u8>,
    /// Where the last word ends in the text, to see what stands directly beside it.
    last_end: usize,
}

impl Line {
    fn push(&mut self, word: &[u8], is_glued: bool) {
        if !self.words.is_empty() && !is_glued {
            self.words.push(b' ');
        }
        self.words.extend_from_slice(word);
    }
}

impl Formatter<'_> {
    fn piece(&self, span: &Range<usize>) -> &[u8] {
        &self.text[span.clone()]
    }

    fn entry(&mut self, from: usize, mut pieces: Vec<Piece>) {
        if pieces.last().is_some_and(|last| last.kind == PieceKind::LineEnd) {
            pieces.pop();
        }
        match &pieces[..] {
            [] => {
                self.flush();
                if !self.is_parted {
                    self.out.extend_from_slice(self.end);
                    self.is_parted = true;
                }
            }
            [Piece { kind: PieceKind::Comment, span }] => {
                self.flush();
                let indent: &[u8] = if span.start == from { b"" } else { b"        " };
                let line = [indent, self.piece(span).trim_ascii_end()].concat();
                self.line(&line);
            }
            _ => match self.row(from, &pieces) {
                Some(row) => self.block.push(row),
                None => {
                    self.flush();
                    self.other(&pieces, from);
                }
            },
        }
    }

    /// Directives, and records whose parentheses are where nobody puts them.
    fn other(&mut self, pieces: &[Piece], from: usize) {
        let is_one_line = pieces.iter().all(|piece| !matches!(piece.kind, PieceKind::LineEnd | PieceKind::Open));
        if !is_one_line || self.text[from] != b'$' {
            let end = pieces.last().map_or(from, |piece| piece.span.end);
            let lines: Vec<u8> = self.text[from..end].to_vec();
            for line in lines.split(|&octet| octet == b'\n') {
                self.line(&line[..trimmed(line)]);
            }
            return;
        }
        let mut line = Vec::new();
        let mut last_end = usize::MAX;
        for (n, piece) in pieces.iter().enumerate() {
            match piece.kind {
                _ if n == 0 => {}
                PieceKind::Comment => line.extend_from_slice(b"  "),
                _ if piece.span.start == last_end => {}
                _ => line.push(b' '),
            }
            last_end = piece.span.end;
            match n {
                0 => line.extend(self.piece(&piece.span).to_ascii_uppercase()),
                _ => {
                    let piece = self.piece(&piece.span);
                    line.extend_from_slice(&piece[..trimmed(piece)]);
                }
            }
        }
        self.line(&line);
    }

    fn line(&mut self, line: &[u8]) {
        self.out.extend_from_slice(line);
        self.out.extend_from_slice(self.end);
        self.is_parted = false;
    }

    /// The fields of a record; `None` for what is none, or is written as records hardly are.
    fn row(&self, from: usize, pieces: &[Piece]) -> Option<Row> {
        let outline = Outline::new(self.text, from, pieces);
        let rtype = outline.words.get(outline.rtype.filter(|_| !outline.is_directive)?)?;
        let field = |n: Option<usize>| n.map(|n| self.piece(&outline.words[n].span).to_vec()).unwrap_or_default();
        let head = pieces.iter().position(|piece| piece == rtype)?;
        // A parenthesis before the type, or two words of the head without a blank between them.
        if pieces[..head].iter().any(|piece| piece.kind != PieceKind::Word) {
            return None;
        }
        let data = &pieces[head + 1..];
        let is_held = data.iter().any(|piece| piece.kind == PieceKind::LineEnd);
        let mut lines = vec![Line { last_end: usize::MAX, ..Line::default() }];
        for piece in data {
            let line = lines.last_mut()?;
            let text = self.piece(&piece.span);
            match piece.kind {
                PieceKind::Word | PieceKind::Quoted => {
                    line.push(text, piece.span.start == line.last_end);
                    line.last_end = piece.span.end;
                }
                PieceKind::Open | PieceKind::Close if is_held => {
                    line.push(text, false);
                    line.last_end = usize::MAX;
                }
                PieceKind::Open | PieceKind::Close => line.last_end = usize::MAX,
                PieceKind::Comment => line.comment = text.trim_ascii_end().to_vec(),
                PieceKind::LineEnd => lines.push(Line { last_end: usize::MAX, ..Line::default() }),
            }
        }
        // Blank lines within parentheses say nothing.
        let mut n = 0;
        lines.retain(|line| {
            n += 1;
            n == 1 || !line.words.is_empty() || !line.comment.is_empty()
        });
        let upper = |mut word: Vec<u8>| {
            word.make_ascii_uppercase();
            word
        };
        Some(Row {
            owner: field(outline.owner),
            ttl: field(outline.ttl),
            class: upper(field(outline.class)),
            rtype: upper(field(outline.rtype)),
            lines,
        })
    }

    /// Writes the records that share their columns.
    fn flush(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.is_empty() {
            return;
        }
        let column = |field: fn(&Row) -> &Vec<u8>, least: usize, most: usize| {
            let widths = block.iter().map(|row| width(field(row))).filter(|&width| width <= most);
            widths.max().unwrap_or(0).max(least)
        };
        let owners = column(|row| &row.owner, OWNER_WIDTH_MIN, OWNER_WIDTH_MAX);
        let (ttls, classes) = (column(|row| &row.ttl, 0, 10), column(|row| &row.class, 0, 10));
        let types = column(|row| &row.rtype, TYPE_WIDTH_MIN, 10);
        for row in &block {
            let mut head = Vec::new();
            for (field, width) in [(&row.owner, owners), (&row.ttl, ttls), (&row.class, classes), (&row.rtype, types)] {
                if width > 0 || !field.is_empty() {
                    pad(&mut head, field, width);
                    head.push(b' ');
                }
            }
            let indent = vec![
                b' ';
                owners
                    + 1
                    + types
                    + 1
                    + [ttls, classes].iter().filter(|&&it| it > 0).map(|it| it + 1).sum::<usize>()
            ];
            let held = row.lines.iter().skip(1).filter(|line| !line.comment.is_empty()).map(|line| width(&line.words));
            let held = held.filter(|&width| width <= COMMENT_COLUMN_MAX).max().unwrap_or(0);
            for (n, line) in row.lines.iter().enumerate() {
                let mut text = if n == 0 { head.clone() } else { indent.clone() };
                match (line.comment.is_empty(), n) {
                    (true, _) => text.extend_from_slice(&line.words),
                    (false, 0) => {
                        text.extend_from_slice(&line.words);
                        text.extend_from_slice(b"  ");
                    }
                    (false, _) if line.words.is_empty() => {}
                    (false, _) => {
                        pad(&mut text, &line.words, held);
                        text.push(b' ');
                    }
                }
                text.extend_from_slice(&line.comment);
                let kept = trimmed(&text);
                self.line(&text[..kept]);
            }
        }
    }
}

/// The length without blanks at the end, of which an escaped one is none.
fn trimmed(text: &[u8]) -> usize {
    let kept = text.trim_ascii_end().len();
    if kept < text.len() && text[..kept].ends_with(b"\\") { kept + 1 } else { kept }
}

fn pad(out: &mut Vec<u8>, field: &[u8], to: usize) {
    out.extend_from_slice(field);
    out.resize(out.len() + to.saturating_sub(width(field)), b' ');
}

/// Columns on a terminal, more or less: characters.
fn width(text: &[u8]) -> usize {
    text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len()).sum()
}

/// Names of hosts mostly fit, and a group without names is seen to be indented.
const OWNER_WIDTH_MIN: usize = 8;

/// Owners that are longer do not push the columns of the others away.
const OWNER_WIDTH_MAX: usize = 24;

/// `AAAA` and `CNAME` stand under one another without a jump where there are only shorter ones.
const TYPE_WIDTH_MIN: usize = 4;

/// Comments behind longer data do not push away those of the other lines.
const COMMENT_COLUMN_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Formats, checks that the records are the same and that formatting again changes nothing.
    #[track_caller]
    fn formatted(text: &[u8]) -> Option<Vec<u8>> {
        let once = format(text).ok()?;
        let options =
            Options { origin: Some("example.com".parse().unwrap()), default_ttl: Some(1), ..Options::default() };
        let records =
            |text: &[u8]| crate::read(text, &options).map(|all| all.into_iter().map(|it| it.0).collect::<Vec<_>>());
        let (before, after) = (records(text), records(&once));
        let shown = String::from_utf8_lossy(&once);
        assert_eq!(before.as_ref().ok(), after.as_ref().ok(), "{shown}");
        assert_eq!(String::from_utf8_lossy(&format(&once).unwrap()), shown);
        Some(once)
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(String::from_utf8(formatted(text.as_bytes()).unwrap()).unwrap(), expected);
    }

    #[test]
    fn a_long_name_is_not_too_long_for_another_zone() {
        let label = "x".repeat(61);
        let text = format!("{label}.{label}.{label}.{label} 60 A 192.0.2.1\n");
        let formatted = format(text.as_bytes()).unwrap();
        assert!(text.split_ascii_whitespace().eq(str::from_utf8(&formatted).unwrap().split_ascii_whitespace()));
    }

    #[test]
    fn a_name_does_not_become_the_mark_of_an_encoding() {
        for name in [&b"\xfe\xff"[..], b"\xff\xfe", b"\xef\xbb\xbf"] {
            let text = [b"\n\n", name, b" 60 A 192.0.2.1\n"].concat();
            let formatted = format(&text).unwrap();
            assert!(formatted.starts_with(&[b"\n", name].concat()), "{formatted:?}");
            assert_eq!(format(&formatted).unwrap(), formatted);
        }
    }

    #[test]
    fn fields_stand_in_columns_and_comments_stay() {
        check(
            "; head  \n\n\n$ttl  3600 ;one hour\n@ in soa ns hostmaster (1 ; serial\n 2 3\t; refresh, retry\n\n;expire\n4 5)\n in NS ns\n  300 IN MX (10 mail) ; mail\n\n\na.rather.long.name.of.more.letters 60 A 192.0.2.1\nb AAAA 2001:db8::1\n\n",
            "\
; head

$TTL 3600  ;one hour
@            IN SOA  ns hostmaster ( 1  ; serial
                     2 3 ; refresh, retry
                     ;expire
                     4 5 )
             IN NS   ns
         300 IN MX   10 mail  ; mail

a.rather.long.name.of.more.letters 60 A    192.0.2.1
b           AAAA 2001:db8::1
",
        );
    }

    #[test]
    fn what_is_glued_stays_so_and_what_is_not_does_not_become_so() {
        check("a HTTPS 1 . alpn=\"h2\"  port=53\n", "a        HTTPS 1 . alpn=\"h2\" port=53\n");
        check("a TXT \"b\"\"c\" (d)e\n", "a        TXT  \"b\"\"c\" d e\n");
        check("a 1d1d1d1d1d1d A 192.0.2.1\n", "a        1d1d1d1d1d1d A    192.0.2.1\n");
        check("a TXT b\\ \n", "a        TXT  b\\ \n");
    }

    #[test]
    fn what_is_written_oddly_stays_as_it_is() {
        check("a ( A \n 192.0.2.1 )\nb A 192.0.2.1\n", "a ( A\n 192.0.2.1 )\nb        A    192.0.2.1\n");
        check("$ORIGIN a\\ \n", "$ORIGIN a\\ \n");
        check("$GENERATE 1-3 h$  A 192.0.2.$\n", "$GENERATE 1-3 h$ A 192.0.2.$\n");
        check("   ; indented\na A 192.0.2.1", "        ; indented\na        A    192.0.2.1\n");
    }

    #[test]
    fn lines_end_as_the_first_one_does() {
        check("a A 192.0.2.1\r\nb A 192.0.2.2\n", "a        A    192.0.2.1\r\nb        A    192.0.2.2\r\n");
        check("", "");
        check("\n\n", "");
    }

    #[test]
    fn a_text_with_mistakes_is_refused() {
        assert_eq!(format(b"a A 192.0.2.256\n").unwrap_err().len(), 1);
        assert!(format(b"$INCLUDE other.zone\na A 192.0.2.1\n").is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn records_stay_and_formatting_again_changes_nothing(
            lines in prop::collection::vec("([a-c@]|\\\\ )?[ \t]{1,2}(60 |1d1d1d1d1d1d )?(IN |CLASS1 )?[ (]?TXT[ (]{1,2}[a-c\" ;\\\\)(]{1,6}[)]?(; [^\n\r]{0,3})?(\r?\n|\n[ \t]?)", 0..6)
        ) {
            formatted(lines.concat().as_bytes());
        }

        #[test]
        fn other_texts_survive(text in "[a(;)\" \n\r\t\\\\$A1é]{0,30}") {
            formatted(text.as_bytes());
        }
    }
}
