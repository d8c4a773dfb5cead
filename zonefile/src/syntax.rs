//! The pieces of zone text with nothing left out: words, strings, parentheses, comments and line ends.
//!
//! The lexer of the reader drops what has no meaning, and is made for speed. Whoever wants to put a text in order, or
//! to point at a word of a record that was read long ago, reads that part of the text here. For text that the reader
//! accepts both see the same words; for other text this one still gives pieces, so that it never fails.

use core::ops::Range;

use memchr::memchr2;
use nss_wire::Class;

/// One piece of a text; blanks are what is between pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: PieceKind,
    /// The octets of the text, quotes and semicolon included.
    pub(crate) span: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceKind {
    Word,
    Quoted,
    Open,
    Close,
    Comment,
    LineEnd,
}

/// Pushes the pieces of the entry that starts at `from`, a line start, with its last line end; returns where it ends.
pub(crate) fn entry(text: &[u8], from: usize, pieces: &mut Vec<Piece>) -> usize {
    let (mut at, mut is_open) = (from, false);
    while let Some(&octet) = text.get(at) {
        let start = at;
        let kind = match octet {
            b' ' | b'\t' => {
                at += 1;
                continue;
            }
            b'\r' | b'\n' => {
                at += if text[at..].starts_with(b"\r\n") { 2 } else { 1 };
                PieceKind::LineEnd
            }
            b'(' | b')' => {
                at += 1;
                is_open = octet == b'(';
                if is_open { PieceKind::Open } else { PieceKind::Close }
            }
            b';' => {
                at = line_end(text, at);
                PieceKind::Comment
            }
            b'"' => {
                at = quoted_end(text, at);
                PieceKind::Quoted
            }
            _ => {
                at = word_end(text, at);
                PieceKind::Word
            }
        };
        pieces.push(Piece { kind, span: start..at });
        if kind == PieceKind::LineEnd && !is_open {
            break;
        }
    }
    at
}

/// The end of the line that `at` is in, its line end left out.
pub(crate) fn line_end(text: &[u8], at: usize) -> usize {
    memchr2(b'\n', b'\r', &text[at..]).map_or(text.len(), |length| at + length)
}

fn quoted_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match text.get(at) {
            None | Some(b'\r' | b'\n') => return at.min(text.len()),
            Some(b'"') => return at + 1,
            Some(b'\\') if !matches!(text.get(at + 1), None | Some(b'\r' | b'\n')) => at += 2,
            Some(_) => at += 1,
        }
    }
}

fn word_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        match text.get(at) {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b';' | b'"') => return at,
            Some(b'\\') if !matches!(text.get(at + 1), None | Some(b'\r' | b'\n')) => at += 2,
            Some(_) => at += 1,
        }
    }
}

/// What the words of an entry are, by their indices among its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The entry's words and strings.
    pub(crate) words: Vec<Piece>,
    /// The entry is a directive; of directives only `$GENERATE` has the rest.
    pub(crate) is_directive: bool,
    pub(crate) owner: Option<usize>,
    pub(crate) ttl: Option<usize>,
    pub(crate) class: Option<usize>,
    pub(crate) rtype: Option<usize>,
}

impl Outline {
    /// The outline of the entry whose pieces are given and which starts at `from`.
    pub(crate) fn new(text: &[u8], from: usize, pieces: &[Piece]) -> Outline {
        let is_word = |piece: &&Piece| matches!(piece.kind, PieceKind::Word | PieceKind::Quoted);
        let words: Vec<Piece> = pieces.iter().filter(is_word).cloned().collect();
        let mut outline = Outline { words, ..Outline::default() };
        let Some(first) = outline.words.first() else { return outline };
        let word = |n: usize| outline.words.get(n).map(|piece| &text[piece.span.clone()]);
        let is_indented = matches!(text.get(from), Some(b' ' | b'\t'));
        let mut next = 0;
        if text[first.span.clone()].starts_with(b"$") && first.span.start == from {
            outline.is_directive = true;
            if !word(0).is_some_and(|it| it.eq_ignore_ascii_case(b"$GENERATE")) {
                return outline;
            }
            (outline.owner, next) = (Some(2), 3);
        } else if !is_indented {
            (outline.owner, next) = (Some(0), 1);
        }
        while let Some(text) = word(next) {
            if text.first().is_some_and(u8::is_ascii_digit) {
                outline.ttl = Some(next);
            } else if is_class(text) {
                outline.class = Some(next);
            } else {
                outline.rtype = Some(next);
                break;
            }
            next += 1;
        }
        outline
    }

    /// The index of the first word of the data.
    pub(crate) fn data(&self) -> usize {
        self.rtype.map_or(self.words.len(), |rtype| rtype + 1)
    }
}

pub(crate) fn is_class(text: &[u8]) -> bool {
    // ANY is a type, too, and as a class stands in questions only.
    !text.eq_ignore_ascii_case(b"ANY") && str::from_utf8(text).is_ok_and(|text| text.parse::<Class>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(PieceKind, &str)> {
        let mut pieces = Vec::new();
        let end = entry(text.as_bytes(), 0, &mut pieces);
        assert!(end <= text.len());
        pieces.into_iter().map(|piece| (piece.kind, &text[piece.span])).collect()
    }

    #[test]
    fn an_entry_has_all_its_pieces() {
        use PieceKind::{Close, Comment, LineEnd, Open, Quoted, Word};
        let text = "a\\ b TXT(\"x;\\\"\" ; c\r\n y) ;d\nnext";
        assert_eq!(
            pieces(text),
            [
                (Word, "a\\ b"),
                (Word, "TXT"),
                (Open, "("),
                (Quoted, "\"x;\\\"\""),
                (Comment, "; c"),
                (LineEnd, "\r\n"),
                (Word, "y"),
                (Close, ")"),
                (Comment, ";d"),
                (LineEnd, "\n"),
            ]
        );
        assert_eq!(pieces("\"a\nb"), [(Quoted, "\"a"), (LineEnd, "\n")]);
        assert_eq!(pieces("a\\"), [(Word, "a\\")]);
    }

    #[test]
    fn an_outline_knows_the_fields_of_an_entry() {
        let outline = |text: &str| {
            let mut pieces = Vec::new();
            entry(text.as_bytes(), 0, &mut pieces);
            let it = Outline::new(text.as_bytes(), 0, &pieces);
            (it.owner, it.ttl, it.class, it.rtype, it.data())
        };
        assert_eq!(outline("a IN 60 A x"), (Some(0), Some(2), Some(1), Some(3), 4));
        assert_eq!(outline(" A x"), (None, None, None, Some(0), 1));
        assert_eq!(outline("A A x"), (Some(0), None, None, Some(1), 2));
        assert_eq!(outline("$GENERATE 1-2 a$ IN A 192.0.2.$"), (Some(2), None, Some(3), Some(4), 5));
        assert_eq!(outline("$TTL 5"), (None, None, None, None, 2));
        assert_eq!(outline(""), (None, None, None, None, 0));
    }
}
