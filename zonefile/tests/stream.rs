//! Text that comes in pieces is read as text that comes as a whole, wherever the pieces end.

use std::ops::Range;

use nss_wire::{NameBuf, RecordBuf};
use nss_zonefile::{Error, ErrorKind, Limits, Options, Position, Reader, StreamReader};
use proptest::prelude::*;

/// Something of everything, with mistakes, and entries that are too long for the limit of these tests.
const ZONE: &str = "\
\u{feff}$ORIGIN example.
$TTL 1h
@ IN SOA ns hostmaster (
  1 ; serial
  1d 2h 4w 1h )\r
  NS ns\r\n  MX 10 mail.example.
ns 3600 IN A 192.0.2.1
ns 3600 IN AAAA 2001:db8::1 ; a comment that goes on and on, far beyond what an entry may have .......................
a.example. 3600 IN NS ns1.b.example.
txt TXT \"a \\\"b\\\" ; c\" d\\;e \\# \\065
long TXT \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" x
blanks A                                                                                                       192.0.2.1
e BOGUS x
tail A 192.0.2.1                                                                                               ; x
open ( A
 192.0.2.1
; more

 of it, and of it, and of it, and of it, and of it, and of it, and of it, and of it, and of it, and of it, and of
 it
next A 192.0.2.256
quote TXT \"a
$GENERATE 1-9/3 h${1,2,x} A 192.0.2.25$
$INCLUDE other.zone sub
$INCLUDE missing
last A 192.0.2.1 192.0.2.2
ds DS 1 13 2 0123456789abcdef0123456789abcdef 01234567
  89abcdef0123456789abcdef
end ( A";

fn options() -> Options {
    let limits = Limits { entry_size_max: 100, errors_max: 12, ..Limits::default() };
    Options { origin: Some("example".parse::<NameBuf>().unwrap()), limits, ..Options::default() }
}

#[derive(Debug, PartialEq)]
enum Event {
    Record(Box<RecordBuf>, Vec<u8>, Position),
    /// Kind, text, line, column and place of a mistake; not the line that it shows, of which not all may have come.
    Mistake(ErrorKind, u32, u32, u32, Range<usize>),
}

fn event(result: Result<nss_zonefile::Entry<'_>, Error>) -> Event {
    match result {
        Ok(entry) => {
            Event::Record(Box::new(entry.record.to_buf()), entry.record.owner.as_wire().to_vec(), entry.position)
        }
        Err(Error { kind, file, line, column, span, .. }) => {
            let span = match kind {
                // Where the token ends that makes the entry too long may not be known yet.
                ErrorKind::EntryTooLong { .. } => span.start..span.start,
                ErrorKind::TooManyErrors { .. } => 0..0,
                _ => span,
            };
            Event::Mistake(kind, file, line, column, span)
        }
    }
}

fn included(path: &str) -> Result<std::borrow::Cow<'static, [u8]>, String> {
    match path {
        "missing" => Err("no such file".into()),
        _ => Ok(b"a 1 A 192.0.2.1\nb 1 A (".as_slice().into()),
    }
}

fn of_whole(text: &[u8]) -> Vec<Event> {
    let options = options();
    let mut reader = Reader::new(text, &options).with_includes(|inclusion| included(inclusion.path));
    let mut events = Vec::new();
    while let Some(result) = reader.next() {
        events.push(event(result));
    }
    events
}

fn of_pieces<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Event> {
    let mut reader = StreamReader::new(&options()).with_includes(|inclusion| included(inclusion.path));
    let mut events = Vec::new();
    for piece in pieces {
        reader.feed(piece);
        while let Some(result) = reader.next() {
            events.push(event(result));
        }
    }
    let mut reader = reader.finish();
    while let Some(result) = reader.next() {
        events.push(event(result));
    }
    events
}

fn check<'p>(text: &[u8], pieces: impl IntoIterator<Item = &'p [u8]>) {
    let (pieces, whole) = (of_pieces(pieces), of_whole(text));
    for (ours, theirs) in pieces.iter().zip(&whole) {
        assert_eq!(ours, theirs, "in {}", text.escape_ascii());
    }
    assert_eq!(pieces.len(), whole.len(), "in {}", text.escape_ascii());
}

#[test]
fn the_zone_has_records_and_mistakes_of_many_kinds() {
    let events = of_whole(ZONE.as_bytes());
    assert!(events.iter().filter(|event| matches!(event, Event::Record(..))).count() >= 8);
    assert!(events.iter().filter(|event| matches!(event, Event::Mistake(..))).count() > 9);
}

#[test]
fn a_text_in_two_pieces_is_the_same_wherever_it_is_cut() {
    let text = ZONE.as_bytes();
    for at in 0..=text.len() {
        let (first, second) = text.split_at(at);
        check(text, [first, second]);
        check(first, first.chunks(7));
    }
}

#[test]
fn a_text_in_pieces_of_one_size_is_the_same_for_each_size() {
    let text = ZONE.replace('\n', "\r\n");
    let long = format!("{}\n{}", ZONE.repeat(3), "a 3600 IN NS b.example.\n".repeat(50));
    for size in 1..300 {
        check(ZONE.as_bytes(), ZONE.as_bytes().chunks(size));
        check(text.as_bytes(), text.as_bytes().chunks(size));
        check(long.as_bytes(), long.as_bytes().chunks(size));
    }
}

#[test]
fn what_is_hopeless_is_given_up_in_pieces_too() {
    for text in ["a ( b\n".repeat(100), "a B\n".repeat(30_000), "(".repeat(10_000), "\"a ".repeat(3000)] {
        check(text.as_bytes(), text.as_bytes().chunks(1000));
    }
}

#[test]
fn nothing_of_a_text_in_utf_16_is_read_whatever_comes_later() {
    for mark in [b"\xff\xfe", b"\xfe\xff"] {
        let text = [&mark[..], b"a 1 A 192.0.2.1\nb B x\n\x01\n", &b"c 1 A 192.0.2.1\n".repeat(20)].concat();
        assert_eq!(of_whole(&text).len(), 1);
        for size in 1..text.len() {
            check(&text, text.chunks(size));
        }
    }
}

#[test]
fn an_entry_that_never_ends_is_not_kept() {
    for (unit, expected) in [
        ("x", "line 1, column 1: "),
        ("x ", "line 1, column 101: "),
        ("( ", "line 1, column 1: "),
        ("\" ", "line 1, column 101: "),
    ] {
        let mut reader = StreamReader::new(&options());
        let piece = unit.repeat(1000);
        let mut mistakes = Vec::new();
        for _ in 0..100 {
            reader.feed(piece.as_bytes());
            while let Some(result) = reader.next() {
                mistakes.push(result.unwrap_err());
            }
        }
        reader.feed(b"\na 1 A 192.0.2.1\n");
        let mut reader = reader.finish();
        assert!(reader.next().is_some_and(|result| result.is_ok_and(|entry| entry.position.line == 2)), "{unit}");
        assert!(reader.next().is_none());
        assert_eq!(mistakes.len(), 1, "{unit}");
        assert!(mistakes[0].to_string().starts_with(expected), "{}", mistakes[0]);
    }
}

proptest! {
    #[test]
    fn any_text_in_any_pieces(
        text in prop_oneof![
            "[ \\t\\r\\n\"\\\\();$@.#0-9a-cAINS\u{0}é-]{0,400}",
            "((a|b|@|) (1 |)(IN |)(A 192.0.2.1|NS b|TXT \"x y\"|TXT \\(|\\)|;x{0,120}|x{0,120}| {0,120}|\\( ;x{0,120})(\n|\r\n|\r| )){0,12}",
        ],
        sizes in prop::collection::vec(prop_oneof![1usize..8, 1usize..200], 1..40),
    ) {
        let text = text.as_bytes();
        let (mut pieces, mut rest) = (Vec::new(), text);
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        check(text, pieces);
    }

    #[test]
    fn a_zone_with_octets_changed_in_any_pieces(
        changes in prop::collection::vec((0..ZONE.len(), prop_oneof![any::<u8>(), prop::sample::select(b" \r\n;()\"\\".to_vec())]), 0..8),
        size in 1usize..150,
    ) {
        let mut text = ZONE.as_bytes().to_vec();
        for (at, octet) in changes {
            text[at] = octet;
        }
        check(&text, text.chunks(size));
    }
}
