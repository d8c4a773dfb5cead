//! Zone text: the parts of it that make more of it, and text that comes in pieces.

use std::borrow::Cow;

use nss_wire::{Name, NameBuf, RecordBuf};
use nss_zonefile::{Entry, Error, ErrorKind, Limits, Options, Position, Reader, StreamReader};

/// Texts that include each other, in any nesting: it ends within the limits, and every mistake is in the text it names.
///
/// The input is parted by octets 0 into texts; `$INCLUDE 0` to `$INCLUDE 9` are the texts from the second on.
pub fn includes(input: &[u8]) {
    let texts: Vec<&[u8]> = input.split(|&octet| octet == 0).take(11).collect();
    let limits = Limits { include_depth_max: 3, includes_max: 20, generated_records_max: 100, ..Limits::default() };
    let options = Options { limits, ..options() };
    let number = |path: &str| path.parse::<usize>().ok().filter(|number| *number < 10);
    let text_of = |path: &str| number(path).and_then(|number| texts.get(number + 1).copied());
    let supply = move |path: &str| text_of(path).map(Cow::Borrowed).ok_or_else(|| "no such text".to_owned());
    let whole = |reader: Reader<'_>| {
        let mut reader = reader;
        let (mut events, mut deepest) = (Vec::new(), 0);
        while let Some(result) = reader.next() {
            let error = result.as_ref().err().cloned();
            events.push(Event::from(result));
            if let Some(error) = error {
                let path = error.file_name.as_deref();
                assert_eq!(path, reader.file_name(error.file), "a mistake names the text it is in");
                let text = path.map_or(Some(texts[0]), text_of).expect("a text that was supplied");
                assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{error:?}");
                deepest = deepest.max(error.file);
            }
        }
        assert!(reader.file_name(limits.includes_max + 1).is_none(), "more texts than the limit allows");
        assert!(deepest <= limits.includes_max);
        events
    };
    let both = whole(Reader::new(texts[0], &options).with_includes(move |inclusion| supply(inclusion.path)));
    let grammar = Reader::new(texts[0], &options).by_grammar_alone();
    assert_eq!(both, whole(grammar.with_includes(move |inclusion| supply(inclusion.path))));
}

/// A `$GENERATE` entry gives no more records than its range has and the limits allow, each as if it stood there.
pub fn generate(input: &[u8]) {
    let limits = Limits { generated_records_max: 200, ..Limits::default() };
    let options = Options { limits, ..options() };
    // What is behind `$GENERATE` up to the line end; other lines belong to other targets.
    let line: Vec<u8> = input.iter().copied().take_while(|octet| !matches!(octet, b'\n' | b'\r')).collect();
    let text = [b"before 1 A 192.0.2.1\n$GENERATE ", line.as_slice(), b"\n 2 A 192.0.2.2\n"].concat();
    let mut reader = Reader::new(&text, &options);
    let (mut records, mut mistakes) = (Vec::new(), 0);
    while let Some(result) = reader.next() {
        match result {
            Ok(entry) => records.push((entry.record.to_buf(), entry.position.line)),
            Err(_) => mistakes += 1,
        }
    }
    assert!(mistakes <= 2, "a mistake in a generated record is told once");
    let generated = records.iter().filter(|(_, line)| *line == 2).count();
    assert!(generated <= 200);
    // Unless the line goes on in parentheses or quotes, the owner above it holds behind it.
    if let Some((last, 3)) = records.last() {
        assert_eq!(last.owner.as_name(), "before.example".parse::<NameBuf>().expect("a name").as_name());
    }
    for (record, _) in records {
        let written = format!("{record}\n");
        let again =
            nss_zonefile::read(written.as_bytes(), &options).expect("what was generated can be written and read");
        assert_eq!(again[0].0, record);
    }
}

/// Text in pieces is read as the whole text. The first octets are the sizes of the pieces, as many as the very first says.
pub fn stream(input: &[u8]) {
    let Some((&count, rest)) = input.split_first() else { return };
    let (sizes, text) = rest.split_at(usize::from(count % 16).min(rest.len()));
    let limits = Limits { entry_size_max: 100, errors_max: 12, generated_records_max: 50, ..Limits::default() };
    let options = Options { limits, ..options() };
    let mut reader = Reader::new(text, &options);
    let mut whole = Vec::new();
    while let Some(result) = reader.next() {
        whole.push(Event::from(result));
    }
    let mut reader = StreamReader::new(&options);
    let (mut events, mut left) = (Vec::new(), text);
    for size in sizes.iter().cycle().map(|&size| usize::from(size)).take(text.len()) {
        let (piece, behind) = left.split_at(size.min(left.len()));
        reader.feed(piece);
        while let Some(result) = reader.next() {
            events.push(Event::from(result));
        }
        left = behind;
    }
    reader.feed(left);
    let mut reader = reader.finish();
    while let Some(result) = reader.next() {
        events.push(Event::from(result));
    }
    assert_eq!(events, whole);
}

fn options() -> Options {
    let apex: NameBuf = "example.".parse().expect("a name");
    Options::for_zone(apex.as_name())
}

/// What a reader said.
#[derive(Debug, PartialEq)]
enum Event {
    /// A record, its owner in its letter case, and where it stands.
    Record(Box<RecordBuf>, Vec<u8>, Position),
    /// A mistake, and where it is: not the line that is shown, of which not all may have come yet.
    Mistake(ErrorKind, u32, u32, u32, std::ops::Range<usize>),
}

impl From<Result<Entry<'_>, Error>> for Event {
    fn from(result: Result<Entry<'_>, Error>) -> Event {
        match result {
            Ok(entry) => {
                let owner: Name<'_> = entry.record.owner;
                Event::Record(Box::new(entry.record.to_buf()), owner.as_wire().to_vec(), entry.position)
            }
            Err(Error { kind, file, line, column, span, .. }) => {
                match kind {
                    // Where the token ends that makes the entry too long may not be known yet.
                    ErrorKind::EntryTooLong { .. } => Event::Mistake(kind, file, line, column, span.start..span.start),
                    // Nor where an entry ends behind which reading was given up.
                    ErrorKind::TooManyErrors { .. } => Event::Mistake(kind, file, 0, 0, 0..0),
                    _ => Event::Mistake(kind, file, line, column, span),
                }
            }
        }
    }
}
