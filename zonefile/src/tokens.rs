//! The tokens of one entry as the input of nom parsers.

use core::ops::Range;

use nom::IResult;
use nom::error::ParseError;

use crate::error::ErrorKind;
use crate::lexer::Token;

/// What is left of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens<'a> {
    /// The text from the start of the entry on, at least to the end of its last token.
    text: &'a [u8],
    list: &'a [Token],
    /// Behind the last token that was read: where a token that is missing should have stood.
    end: u32,
}

/// One token and its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexeme<'a> {
    /// Without the quotes of a quoted string, escapes as they stand.
    pub(crate) text: &'a [u8],
    /// Offset of `text` from the start of the entry.
    pub(crate) text_start: u32,
    pub(crate) token: Token,
}

/// A mistake in an entry; offsets count from the start of the entry.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Boxed, so that results of what nearly always succeeds stay small.
    pub(crate) kind: Box<ErrorKind>,
}

impl Fault {
    /// An error that no other alternative can mend.
    pub(crate) fn failure(start: u32, end: u32, kind: ErrorKind) -> nom::Err<Fault> {
        nom::Err::Failure(Fault { start, end, kind: Box::new(kind) })
    }
}

/// The result of a parser over tokens.
pub(crate) type Parsed<'a, T> = IResult<Tokens<'a>, T, Fault>;

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a [u8], list: &'a [Token]) -> Tokens<'a> {
        Tokens { text, list, end: list.first().map_or(0, |token| token.start) }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.list.is_empty()
    }

    /// The first token, not yet taken.
    pub(crate) fn peek(self) -> Option<Lexeme<'a>> {
        self.list.first().map(|&token| self.lexeme(token))
    }

    /// The first token and the tokens behind it.
    #[inline]
    pub(crate) fn split_first(self) -> Option<(Tokens<'a>, Lexeme<'a>)> {
        let (&token, list) = self.list.split_first()?;
        Some((Tokens { text: self.text, list, end: token.end }, self.lexeme(token)))
    }

    /// The text from the first to the last token, and where it starts.
    pub(crate) fn extent(self) -> Range<u32> {
        match (self.list.first(), self.list.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => self.end..self.end,
        }
    }

    /// The next token, or the fault `missing` at the place where it should stand.
    #[inline]
    pub(crate) fn expect(self, missing: impl FnOnce() -> ErrorKind) -> Parsed<'a, Lexeme<'a>> {
        self.split_first().ok_or_else(|| Fault::failure(self.end, self.end, missing()))
    }

    /// The next token as `read` understands it, or an error that leaves the token to other alternatives.
    pub(crate) fn map<T>(
        self,
        read: impl FnOnce(Lexeme<'a>) -> Option<T>,
        otherwise: impl FnOnce() -> ErrorKind,
    ) -> Parsed<'a, T> {
        let (start, end) = self.peek().map_or((self.end, self.end), |lexeme| (lexeme.token.start, lexeme.token.end));
        let read = self.split_first().and_then(|(rest, lexeme)| Some((rest, read(lexeme)?)));
        read.ok_or_else(|| nom::Err::Error(Fault { start, end, kind: Box::new(otherwise()) }))
    }

    /// The fault `extra` at the first token, if one is left.
    pub(crate) fn expect_end(self, extra: impl FnOnce() -> ErrorKind) -> Parsed<'a, ()> {
        match self.peek() {
            None => Ok((self, ())),
            Some(lexeme) => Err(lexeme.refuse(extra())),
        }
    }

    fn lexeme(self, token: Token) -> Lexeme<'a> {
        let quote = u32::from(token.is_quoted);
        let range = (token.start + quote) as usize..(token.end - quote) as usize;
        Lexeme { text: self.text.get(range).unwrap_or_default(), text_start: token.start + quote, token }
    }
}

impl Lexeme<'_> {
    /// The whole token is wrong.
    pub(crate) fn refuse(self, kind: ErrorKind) -> nom::Err<Fault> {
        Fault::failure(self.token.start, self.token.end, kind)
    }

    /// The token is wrong from the octet at `at` of its text on.
    pub(crate) fn refuse_from(self, at: usize, kind: ErrorKind) -> nom::Err<Fault> {
        // A token is shorter than 4 GiB, and so are offsets in it.
        let (start, end) = (self.text_start + at as u32, self.text_start + self.text.len() as u32);
        Fault::failure(start, end.max(start), kind)
    }
}

impl ParseError<Tokens<'_>> for Fault {
    /// What nom's own combinators report: the entry does not go on as it should.
    fn from_error_kind(input: Tokens<'_>, _: nom::error::ErrorKind) -> Fault {
        let (start, end) = input.peek().map_or((input.end, input.end), |it| (it.token.start, it.token.end));
        Fault { start, end, kind: Box::new(ErrorKind::UnexpectedToken) }
    }

    fn append(_: Tokens<'_>, _: nom::error::ErrorKind, other: Fault) -> Fault {
        other
    }
}

/// The fault of a parser that never asks for more input.
pub(crate) fn fault(error: nom::Err<Fault>) -> Fault {
    match error {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => fault,
        nom::Err::Incomplete(_) => Fault { start: 0, end: 0, kind: Box::new(ErrorKind::UnexpectedToken) },
    }
}
