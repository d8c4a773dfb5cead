//! Reads the records of a zone text one by one, and goes on after mistakes.

use std::borrow::Cow;
use std::ops::ControlFlow;

use memchr::{memchr2_iter, memrchr2};
use nss_wire::{Class, Name, NameBuf, RType, Record, RecordBuf};

use crate::directive::Directive;
use crate::error::{Error, ErrorKind};
use crate::generate::Generate;
use crate::lexer::{Cut, Scan, Token, pass_rest, scan};
use crate::limits::{ERRORS_COUNTED_MAX, Limits, UNCLOSED_MAX};
use crate::plain::Plain;
use crate::record::{Context, Draft};
use crate::report::Excerpt;
use crate::tokens::{Fault, Tokens, fault};

/// What a reader has to know about a zone text beyond the text.
#[derive(Clone, Debug)]
pub struct Options {
    /// The origin until the first `$ORIGIN`, normally the apex; without one names have to be absolute until then.
    pub origin: Option<NameBuf>,
    /// The class of the zone; a record of another class is an error (RFC 1035 §5.2).
    pub class: Class,
    /// The TTL in seconds of records without one, until the first `$TTL`.
    pub default_ttl: Option<u32>,
    /// How much a text may ask for.
    pub limits: Limits,
}

impl Options {
    /// Options for the zone at `apex`, class IN.
    pub fn for_zone(apex: Name<'_>) -> Options {
        Options { origin: Some(apex.to_buf()), ..Options::default() }
    }
}

impl Default for Options {
    /// No origin, class IN, no default TTL.
    fn default() -> Options {
        Options { origin: None, class: Class::IN, default_ttl: None, limits: Limits::default() }
    }
}

/// Where an entry starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The text: 0 for the one given to the reader, from 1 on for included ones in the order of their inclusion.
    pub file: u32,
    /// The line, counted from 1.
    pub line: u32,
}

/// A record and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'r> {
    /// The record; its parts live in the reader until the next one is read.
    pub record: Record<'r>,
    /// Where it stands; all records of a `$GENERATE` entry stand where that does.
    pub position: Position,
}

/// What an `$INCLUDE` entry asks for.
#[derive(Clone, Copy, Debug)]
pub struct Inclusion<'a> {
    /// The name of the file, as it is written.
    pub path: &'a str,
    /// The name of the text that includes it; `None` for the one given to the reader.
    pub from: Option<&'a str>,
}

/// Supplies included texts; the error is a sentence for the person who wrote the `$INCLUDE`.
type Supply<'t> = dyn FnMut(Inclusion<'_>) -> Result<Cow<'t, [u8]>, String> + 't;

/// Reads zone text.
///
/// A mistake does not end the reading: [`Reader::next`] goes on with the next entry, so that all mistakes of a text
/// are told at once. What is read of a text with mistakes is incomplete and should not be served.
pub struct Reader<'t> {
    /// The texts being read: the given one, and in it the included ones.
    sources: Vec<Source<'t>>,
    /// The names of the included texts so far.
    file_names: Vec<Box<str>>,
    supply: Option<Box<Supply<'t>>>,
    limits: Limits,
    context: Context,
    draft: Draft,
    plain: Plain,
    path: Path,
    tokens: Vec<Token>,
    generator: Option<Generator>,
    generated: u64,
    errors: u64,
    unclosed: u32,
    is_done: bool,
}

impl<'t> Reader<'t> {
    /// Reads `text`; `$INCLUDE` is an error.
    pub fn new(text: &'t [u8], options: &Options) -> Reader<'t> {
        let context = Context {
            origin: options.origin.clone(),
            class: options.class,
            default_ttl: options.default_ttl,
            last_ttl: None,
            owner: None,
            scratch: Vec::new(),
        };
        let source = Source::new(Cow::Borrowed(text), 0, None);
        let limits = options.limits;
        Reader {
            sources: vec![source],
            file_names: Vec::new(),
            supply: None,
            limits: Limits { entry_size_max: limits.entry_size_max.min(u32::MAX / 2), ..limits },
            context,
            draft: Draft { rtype: RType(0), ttl: 0, rdata: Vec::new() },
            plain: Plain::new(),
            path: Path::Both,
            tokens: Vec::new(),
            generator: None,
            generated: 0,
            errors: 0,
            unclosed: 0,
            is_done: false,
        }
    }

    /// Reads text of which nothing is there yet, and more may come until [`Reader::close`].
    pub(crate) fn open(options: &Options) -> Reader<'t> {
        let mut reader = Reader::new(&[], options);
        reader.sources[0].is_open = true;
        reader
    }

    /// Adds to the text, and forgets what was read of it.
    pub(crate) fn extend(&mut self, octets: &[u8]) {
        if self.is_done {
            return;
        }
        let source = &mut self.sources[0];
        // A mistake in a record that is still to be generated is shown in the text of the entry.
        let generator = self.generator.as_mut().filter(|generator| generator.file == 0);
        let mut read = generator.as_ref().map_or(source.at, |generator| generator.place.start);
        if source.base == 0 && read <= MARK_SIZE_MAX {
            // Columns of the first line count a mark before it.
            read = 0;
        }
        if let Some(generator) = generator {
            generator.place.start -= read;
        }
        source.at -= read;
        source.base += read;
        let text = source.text.to_mut();
        text.drain(..read);
        text.extend_from_slice(octets);
    }

    /// Takes the text that is there for all there is.
    pub(crate) fn close(&mut self) {
        let source = &mut self.sources[0];
        source.is_open = false;
        source.patience = 0;
    }

    /// Allows `$INCLUDE`: `supply` returns the text of a file, or why there is none.
    ///
    /// The path comes from the zone text: who supplies files from a disk has to decide which ones may be read.
    #[must_use]
    pub fn with_includes(
        mut self,
        supply: impl FnMut(Inclusion<'_>) -> Result<Cow<'t, [u8]>, String> + 't,
    ) -> Reader<'t> {
        self.supply = Some(Box::new(supply));
        self
    }

    /// Reads every entry by the grammar, and none on the fast path for plain lines.
    ///
    /// That changes nothing but the time it takes: it is what the fast path is compared with.
    #[must_use]
    pub fn by_grammar_alone(mut self) -> Reader<'t> {
        self.path = Path::GrammarAlone;
        self
    }

    /// The next record or mistake, in the order of the text; `None` at its end.
    ///
    /// # Errors
    ///
    /// A mistake in the text, or a limit that it passes. The last error may be [`ErrorKind::TooManyErrors`].
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "an entry borrows from the reader, which no Iterator allows")]
    pub fn next(&mut self) -> Option<Result<Entry<'_>, Error>> {
        match self.advance()? {
            Ok(Found::Plain(position)) => Some(Ok(self.plain_entry(position))),
            Ok(Found::Drafted(position)) => Some(Ok(self.entry(position))),
            Err(error) => Some(Err(error)),
        }
    }

    /// The name of an included text by its number, as the `$INCLUDE` entry wrote it.
    pub fn file_name(&self, file: u32) -> Option<&str> {
        let index = usize::try_from(file).ok()?.checked_sub(1)?;
        self.file_names.get(index).map(|name| &**name)
    }

    /// The record that was read last, from a plain line.
    #[inline(always)]
    fn plain_entry(&self, position: Position) -> Entry<'_> {
        let owner = self.context.owner.as_ref().expect("a record has an owner").as_name();
        let Plain { rtype, ttl, .. } = self.plain;
        Entry { record: Record { owner, rtype, class: self.context.class, ttl, rdata: self.plain.rdata() }, position }
    }

    /// The record that was read last, by the grammar.
    fn entry(&self, position: Position) -> Entry<'_> {
        let owner = self.context.owner.as_ref().expect("a record has an owner").as_name();
        let Draft { rtype, ttl, rdata } = &self.draft;
        Entry { record: Record { owner, rtype: *rtype, class: self.context.class, ttl: *ttl, rdata }, position }
    }

    /// Goes on to the next record or mistake that is to be told.
    #[inline(always)]
    pub(crate) fn advance(&mut self) -> Option<Result<Found, Error>> {
        loop {
            if let Some(position) = self.plain_record() {
                return Some(Ok(Found::Plain(position)));
            }
            if let ControlFlow::Break(result) = self.grammar_step() {
                return match result? {
                    Ok(position) => Some(Ok(Found::Drafted(position))),
                    Err(error) => Some(Err(error)),
                };
            }
        }
    }

    /// Reads the entry that comes next if it is a plain line.
    #[inline(always)]
    fn plain_record(&mut self) -> Option<Position> {
        // Beyond the limit of errors nothing but their number is of interest.
        let is_wanted = self.path == Path::Both
            && !self.is_done
            && self.generator.is_none()
            && self.errors <= u64::from(self.limits.errors_max);
        let source = self.sources.last_mut()?;
        if !is_wanted || source.ahead != Ahead::Entry || source.is_waiting() {
            return None;
        }
        // Blank lines, of which a text that is made to be costly has millions.
        while source.text.get(source.at) == Some(&b'\n') {
            source.at += 1;
            source.line = source.line.saturating_add(1);
        }
        let size_max = self.limits.entry_size_max as usize;
        source.at = self.plain.read(&source.text, source.at, size_max, &mut self.context)?;
        let line = source.line;
        source.line = line.saturating_add(1);
        Some(Position { file: source.file, line })
    }

    /// Takes a step by the grammar; goes on when there is nothing to be told.
    fn grammar_step(&mut self) -> ControlFlow<Option<Result<Position, Error>>> {
        if self.is_done {
            return ControlFlow::Break(None);
        }
        match self.step() {
            Step::Nothing => {}
            Step::Record(position) if self.errors <= u64::from(self.limits.errors_max) => {
                return ControlFlow::Break(Some(Ok(position)));
            }
            // Beyond the limit nothing but the number of errors is of interest.
            Step::Record(_) => {}
            Step::Mistake(mistake) => {
                self.errors += 1;
                let untold = self.errors.saturating_sub(u64::from(self.limits.errors_max));
                if mistake.kind == ErrorKind::UnclosedParenthesis {
                    self.unclosed += 1;
                }
                let is_hopeless = untold >= ERRORS_COUNTED_MAX || self.unclosed > UNCLOSED_MAX;
                if is_hopeless {
                    return ControlFlow::Break(self.finish(false).map(Err));
                }
                if untold == 0 {
                    return ControlFlow::Break(Some(Err(self.error(mistake))));
                }
            }
            Step::Starved => return ControlFlow::Break(None),
            Step::End => return ControlFlow::Break(self.finish(true).map(Err)),
        }
        ControlFlow::Continue(())
    }

    /// Ends the reading, with an error about the errors that were not told, if there are any.
    fn finish(&mut self, is_complete: bool) -> Option<Error> {
        self.is_done = true;
        let more = self.errors.saturating_sub(u64::from(self.limits.errors_max));
        if more == 0 && is_complete {
            return None;
        }
        let (line, at) = self.sources.last().map_or((1, 0), |source| (source.line, source.at));
        // At the start of the line, as of a last line without end not all may be there any more.
        let at = memrchr2(b'\n', b'\r', &self.text()[..at]).map_or(0, |end| end + 1);
        Some(self.error(Mistake { line, start: at, end: at, kind: ErrorKind::TooManyErrors { more, is_complete } }))
    }

    /// Reads one entry, or the next record of a `$GENERATE` entry.
    fn step(&mut self) -> Step {
        if let Some(generator) = &mut self.generator {
            let Generator { place, file, .. } = *generator;
            match generator.step(&mut self.context, &mut self.draft, &mut self.tokens, &self.limits) {
                Some(Ok(())) => return Step::Record(Position { file, line: place.line }),
                Some(Err(fault)) => {
                    self.end_generator();
                    return Step::Mistake(place.mistake(self.text(), fault));
                }
                None => self.end_generator(),
            }
        }
        let Some(source) = self.sources.last_mut() else { return Step::End };
        if let Some(step) = source.start() {
            return step;
        }
        self.tokens.clear();
        let (start, line, size_max) = (source.at, source.line, self.limits.entry_size_max);
        let scan = scan(&source.text, start, size_max, &mut self.tokens);
        let (extent, broken) = match scan {
            Scan::End if source.is_open => return Step::Starved,
            Scan::End => return self.leave(),
            Scan::Entry(extent) => (extent, None),
            Scan::Broken(extent, broken) => (extent, Some(broken)),
        };
        if source.must_wait(extent.cut, size_max) {
            return Step::Starved;
        }
        source.at = extent.next;
        source.line = line.saturating_add(extent.lines);
        if let Some(broken) = broken {
            let line = line.saturating_add(line_ends(&source.text[start..broken.start]));
            return Step::Mistake(Mistake { line, start: broken.start, end: broken.end, kind: broken.kind });
        }
        if self.tokens.is_empty() {
            return Step::Nothing;
        }
        let place = Place { start, line };
        let tokens = Tokens::new(&source.text[start..], &self.tokens);
        if source.text[start] != b'$' {
            return match self.context.record(tokens, extent.is_indented, &mut self.draft) {
                Ok(_) => Step::Record(Position { file: source.file, line }),
                Err(error) => Step::Mistake(place.mistake(&source.text, fault(error))),
            };
        }
        let carried_out = match self.context.directive(tokens) {
            Ok((_, directive)) => self.carry_out(directive, place),
            Err(error) => Err(fault(error)),
        };
        match carried_out {
            Ok(()) => Step::Nothing,
            Err(fault) => Step::Mistake(place.mistake(self.text(), fault)),
        }
    }

    /// Does what a directive says.
    fn carry_out(&mut self, directive: Directive, place: Place) -> Result<(), Fault> {
        match directive {
            Directive::Origin(origin) => self.context.origin = Some(origin),
            Directive::Ttl(seconds) => self.context.default_ttl = Some(seconds),
            Directive::Include { path, extent: (start, end), origin } => {
                self.include(path, origin).map_err(|kind| Fault { start, end, kind: Box::new(kind) })?;
            }
            Directive::Generate(generate) => {
                let records_max = self.limits.generated_records_max;
                let generated = self.generated.saturating_add(generate.cost());
                if generated > u64::from(records_max) {
                    let (start, end) = generate.range_extent;
                    return Err(Fault { start, end, kind: Box::new(ErrorKind::GenerateCount { records_max }) });
                }
                self.generated = generated;
                let file = self.sources.last().map_or(0, |source| source.file);
                let (owner, data) = (Vec::new(), Vec::new());
                let outer_owner = self.context.owner.clone();
                self.generator = Some(Generator { generate: *generate, place, file, outer_owner, owner, data });
            }
        }
        Ok(())
    }

    /// Goes on behind a `$GENERATE` entry: a line that starts with a blank has the owner above that, as in BIND.
    fn end_generator(&mut self) {
        if let Some(generator) = self.generator.take() {
            self.context.owner = generator.outer_owner;
        }
    }

    /// The text that is being read.
    fn text(&self) -> &[u8] {
        self.sources.last().map_or(&[], |source| &source.text)
    }

    /// Goes on with an included text.
    fn include(&mut self, path: Vec<u8>, origin: Option<NameBuf>) -> Result<(), ErrorKind> {
        let Limits { include_depth_max, includes_max, .. } = self.limits;
        let supply = self.supply.as_mut().ok_or(ErrorKind::IncludeRefused)?;
        if self.sources.len() > include_depth_max as usize {
            return Err(ErrorKind::IncludeDepth { depth_max: include_depth_max });
        }
        if self.file_names.len() >= includes_max as usize {
            return Err(ErrorKind::IncludeCount { includes_max });
        }
        let path = String::from_utf8(path)
            .map_err(|_| ErrorKind::IncludeFailed("the name of the file is not UTF-8".into()))?;
        let from = self.sources.last().and_then(|source| source.file.checked_sub(1));
        let from = from.and_then(|index| self.file_names.get(index as usize)).map(|name| &**name);
        let text = supply(Inclusion { path: &path, from }).map_err(|why| ErrorKind::IncludeFailed(why.into()))?;
        let outer = Outer { origin: self.context.origin.clone(), owner: self.context.owner.clone() };
        self.context.origin = origin.or(self.context.origin.take());
        self.file_names.push(path.into());
        let file = self.file_names.len() as u32;
        self.sources.push(Source::new(text, file, Some(outer)));
        Ok(())
    }

    /// Goes back from the end of an included text to the text that includes it.
    fn leave(&mut self) -> Step {
        let Some(Outer { origin, owner }) = self.sources.last_mut().and_then(|source| source.outer.take()) else {
            return Step::End;
        };
        self.sources.pop();
        // RFC 1035 §5.1: an included file does not change the origin of the file that includes it. The same goes
        // for the owner, as a line that starts with a blank means the owner above it in its own file.
        self.context.origin = origin;
        self.context.owner = owner;
        Step::Nothing
    }

    /// Puts together what is told about a mistake in the text that is being read.
    fn error(&self, mistake: Mistake) -> Error {
        let Mistake { line, start, end, kind } = mistake;
        let (text, file, base) =
            self.sources.last().map_or((&[][..], 0, 0), |source| (&*source.text, source.file, source.base));
        let (excerpt, column) = Excerpt::new(text, start..end);
        let (file_name, span) = (self.file_name(file).map(Box::from), base + start..base + end);
        Error { kind, file, file_name, line, column, span, excerpt }
    }
}

/// Reads a whole text: its records, or all its mistakes.
///
/// # Errors
///
/// The mistakes in the order of the text, at most [`Limits::errors_max`] and one that counts the others.
pub fn read(text: &[u8], options: &Options) -> Result<Vec<(RecordBuf, Position)>, Vec<Error>> {
    let mut reader = Reader::new(text, options);
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    while let Some(result) = reader.next() {
        match result {
            Ok(entry) if errors.is_empty() => records.push((entry.record.to_buf(), entry.position)),
            Ok(_) => {}
            Err(error) => {
                records = Vec::new();
                errors.push(error);
            }
        }
    }
    if errors.is_empty() { Ok(records) } else { Err(errors) }
}

/// A text that is being read.
struct Source<'t> {
    text: Cow<'t, [u8]>,
    file: u32,
    /// The start of the next entry, and its line.
    at: usize,
    line: u32,
    /// What holds again behind an included text.
    outer: Option<Outer>,
    ahead: Ahead,
    /// Whether more text may come behind this.
    is_open: bool,
    /// The octets of the whole text before those that are still here.
    base: usize,
    /// The octets that have to be there before the next entry is looked at again, when it was found incomplete.
    patience: usize,
}

/// What comes next in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ahead {
    /// The start, where editors of other systems leave marks.
    Mark,
    Entry,
    /// The rest of an entry that is too long to be waited for; the text ended there.
    Rest(Cut),
    /// Nothing that can be read, whatever is there.
    Nothing,
}

struct Outer {
    origin: Option<NameBuf>,
    owner: Option<Box<NameBuf>>,
}

impl<'t> Source<'t> {
    fn new(text: Cow<'t, [u8]>, file: u32, outer: Option<Outer>) -> Source<'t> {
        Source { text, file, at: 0, line: 1, outer, ahead: Ahead::Mark, is_open: false, base: 0, patience: 0 }
    }

    /// What comes before the next entry, if anything does.
    fn start(&mut self) -> Option<Step> {
        if self.is_waiting() {
            return Some(Step::Starved);
        }
        match self.ahead {
            Ahead::Entry => None,
            Ahead::Mark => self.begin(),
            Ahead::Rest(cut) => self.pass_rest(cut),
            Ahead::Nothing => {
                self.at = self.text.len();
                None
            }
        }
    }

    /// Passes what has come of the rest of an entry.
    fn pass_rest(&mut self, cut: Cut) -> Option<Step> {
        let (size, lines, cut) = pass_rest(&self.text[self.at..], cut);
        self.at += size;
        self.line = self.line.saturating_add(lines);
        match cut {
            Some(cut) if self.is_open => {
                self.ahead = Ahead::Rest(cut);
                return Some(Step::Starved);
            }
            // What a text that ends here has left is a line end at most.
            Some(_) => {
                self.line = self.line.saturating_add(line_ends(&self.text[self.at..]));
                self.at = self.text.len();
            }
            None => {}
        }
        self.ahead = Ahead::Entry;
        None
    }

    /// Looks for what editors of other systems write at the start of a file.
    fn begin(&mut self) -> Option<Step> {
        if self.is_open && self.text.len() < MARK_SIZE_MAX {
            return Some(Step::Starved);
        }
        self.ahead = Ahead::Entry;
        let (mark, kind) = mark(&self.text)?;
        // Nothing of a file in UTF-16 can be read, and saying it once is enough.
        if kind == ErrorKind::Utf16 {
            self.ahead = Ahead::Nothing;
        }
        self.at = mark;
        Some(Step::Mistake(Mistake { line: 1, start: 0, end: mark, kind }))
    }

    /// Whether too little has come since the next entry was found incomplete.
    #[inline(always)]
    fn is_waiting(&self) -> bool {
        self.text.len() - self.at < self.patience
    }

    /// Whether the entry that the text ends in is to be waited for; if not, what comes of it later is to be passed.
    fn must_wait(&mut self, cut: Option<Cut>, size_max: u32) -> bool {
        let (size, size_max) = (self.text.len() - self.at, size_max as usize);
        self.patience = 0;
        match cut {
            Some(cut) if self.is_open => {
                if size <= size_max || cut == Cut::LineEnd {
                    // Twice as much is waited for each time, or entries in small pieces would take forever.
                    self.patience = (2 * size).min(size_max.max(size) + 1);
                    return true;
                }
                self.ahead = Ahead::Rest(cut);
                false
            }
            _ => false,
        }
    }
}

/// The size of the mark of an encoding that a text starts with, and why it can't be read.
pub(crate) fn mark(text: &[u8]) -> Option<(usize, ErrorKind)> {
    match text {
        [0xef, 0xbb, 0xbf, ..] => Some((3, ErrorKind::ByteOrderMark)),
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => Some((2, ErrorKind::Utf16)),
        _ => None,
    }
}

/// The octets of the longest mark at the start of a text.
const MARK_SIZE_MAX: usize = 3;

/// The records of a `$GENERATE` entry that are still to come.
struct Generator {
    generate: Generate,
    /// Where the entry stands.
    place: Place,
    file: u32,
    /// The owner of the record before the entry.
    outer_owner: Option<Box<NameBuf>>,
    /// Owner and RDATA of one record, as text.
    owner: Vec<u8>,
    data: Vec<u8>,
}

impl Generator {
    /// Reads the next record; a mistake in one is in all the others too, so that it ends the entry.
    fn step(
        &mut self,
        context: &mut Context,
        draft: &mut Draft,
        tokens: &mut Vec<Token>,
        limits: &Limits,
    ) -> Option<Result<(), Fault>> {
        let value = self.generate.next(&mut self.owner, &mut self.data)?;
        let wrong = |(start, end): (u32, u32), kind: Box<ErrorKind>| {
            Some(Err(Fault { start, end, kind: Box::new(ErrorKind::Generated { value, kind }) }))
        };
        if let Err(kind) = context.set_owner(&self.owner) {
            return wrong(self.generate.owner_extent, Box::new(kind));
        }
        tokens.clear();
        match scan(&self.data, 0, limits.entry_size_max, tokens) {
            // The template came out of one entry: there is no line end in it.
            Scan::End | Scan::Entry(_) => {}
            Scan::Broken(_, broken) => return wrong(self.generate.data_extent, Box::new(broken.kind)),
        }
        match context.data(self.generate.head, Tokens::new(&self.data, tokens), draft) {
            Ok(_) => Some(Ok(())),
            Err(error) => wrong(self.generate.data_extent, fault(error).kind),
        }
    }
}

/// How entries may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    /// Plain lines on the fast path, all others by the grammar.
    Both,
    GrammarAlone,
}

/// Where the record is that was read.
#[derive(Debug)]
pub(crate) enum Found {
    /// From a plain line.
    Plain(Position),
    /// In the draft.
    Drafted(Position),
}

/// What a step of the reader gave.
enum Step {
    /// Nothing to be told: a blank line, or a directive.
    Nothing,
    /// A record, which is in the draft, and its owner in the context.
    Record(Position),
    Mistake(Mistake),
    /// There is nothing to be read until more text has come.
    Starved,
    /// The end of the text.
    End,
}

/// A mistake in the text that is being read.
struct Mistake {
    line: u32,
    start: usize,
    end: usize,
    kind: ErrorKind,
}

/// Where an entry starts.
#[derive(Clone, Copy)]
struct Place {
    start: usize,
    line: u32,
}

impl Place {
    /// A mistake in the entry, which is part of `text`.
    fn mistake(self, text: &[u8], fault: Fault) -> Mistake {
        let (start, end) = (self.start + fault.start as usize, self.start + fault.end as usize);
        let line = self.line.saturating_add(line_ends(&text[self.start..start]));
        Mistake { line, start, end, kind: *fault.kind }
    }
}

/// Line ends in `text`: LF, CR LF, or CR alone.
fn line_ends(text: &[u8]) -> u32 {
    let is_end = |&at: &usize| text[at] == b'\n' || text.get(at + 1) != Some(&b'\n');
    u32::try_from(memchr2_iter(b'\n', b'\r', text).filter(is_end).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
