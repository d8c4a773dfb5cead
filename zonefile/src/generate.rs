//! `$GENERATE range owner [TTL] [class] type RDATA`: a row of records that differ in a number, as BIND reads it.
//!
//! In owner and RDATA `$` stands for the number, `${offset,width,base}` for the number plus `offset` with leading
//! zeros, `\$` for a dollar sign. RDATA is the rest of the entry; a single quoted string is taken without its quotes,
//! as BIND does.

use core::fmt::Write;

use nom::Parser;
use nom::bytes::complete::{tag, take_while};
use nom::character::complete::{char, i32, one_of, u32};
use nom::combinator::{all_consuming, opt};
use nom::sequence::{delimited, preceded};

use crate::error::ErrorKind;
use crate::limits::GENERATED_SIZE;
use crate::record::Head;
use crate::tokens::{Fault, Lexeme, Tokens};

/// A `$GENERATE` entry that is being carried out.
#[derive(Debug)]
pub(crate) struct Generate {
    /// The number of the next record; beyond `stop` when all are done.
    next: u64,
    stop: u64,
    step: u64,
    owner: Template,
    data: Template,
    pub(crate) head: Head,
    /// Where range, owner and RDATA stand, from the start of the entry.
    pub(crate) range_extent: (u32, u32),
    pub(crate) owner_extent: (u32, u32),
    pub(crate) data_extent: (u32, u32),
}

impl Generate {
    /// `data` is the rest of the entry, at least one token.
    pub(crate) fn new(
        range: Lexeme<'_>,
        owner: Lexeme<'_>,
        head: Head,
        data: Tokens<'_>,
    ) -> Result<Generate, nom::Err<Fault>> {
        let (start, stop, step) = read_range(range.text).ok_or_else(|| range.refuse(ErrorKind::GenerateRange))?;
        if owner.token.is_quoted {
            return Err(owner.refuse(ErrorKind::Quoted));
        }
        let owner_template =
            Template::new(owner.text).map_err(|at| owner.refuse_from(at, ErrorKind::GenerateModifier))?;
        let extent = data.extent();
        let refuse = |kind| Fault::failure(extent.start, extent.end, kind);
        let data_template = Template::new(&joined(data)).map_err(|_| refuse(ErrorKind::GenerateModifier))?;
        for number in [start, stop] {
            if !owner_template.can_write(number) {
                return Err(owner.refuse(ErrorKind::GenerateValue));
            }
            if !data_template.can_write(number) {
                return Err(refuse(ErrorKind::GenerateValue));
            }
        }
        Ok(Generate {
            next: start.into(),
            stop: stop.into(),
            step: step.into(),
            owner: owner_template,
            data: data_template,
            head,
            range_extent: (range.token.start, range.token.end),
            owner_extent: (owner.token.start, owner.token.end),
            data_extent: (extent.start, extent.end),
        })
    }

    /// The number of the next record, and its owner and RDATA put into the buffers; `None` when all are done.
    pub(crate) fn next(&mut self, owner: &mut Vec<u8>, data: &mut Vec<u8>) -> Option<u32> {
        if self.next > self.stop {
            return None;
        }
        // `stop` is a u32, and so is all up to it.
        let number = self.next as u32;
        self.next += self.step;
        self.owner.write(number, owner);
        self.data.write(number, data);
        Some(number)
    }

    /// What all records count for the limit: each once, and once more for each [`GENERATED_SIZE`] octets of its text.
    pub(crate) fn cost(&self) -> u64 {
        let records = if self.next > self.stop { 0 } else { (self.stop - self.next) / self.step + 1 };
        let size = self.owner.size_max() + self.data.size_max();
        records.saturating_mul(1 + (size / GENERATED_SIZE) as u64)
    }
}

/// The text of the tokens with one blank between; of a single quoted string, what is in the quotes.
fn joined(tokens: Tokens<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some((rest, only)) = tokens.split_first()
        && rest.is_empty()
        && only.token.is_quoted
    {
        // A quote within the quotes is one of the inner text.
        let mut octets = only.text.iter().copied().peekable();
        while let Some(octet) = octets.next() {
            if octet != b'\\' {
                text.push(octet);
            } else if octets.next_if_eq(&b'"').is_some() {
                text.push(b'"');
            } else {
                text.push(octet);
                text.extend(octets.next());
            }
        }
        return text;
    }
    let mut rest = tokens;
    while let Some((tail, lexeme)) = rest.split_first() {
        if !text.is_empty() && !lexeme.token.is_glued {
            text.push(b' ');
        }
        let quote: &[u8] = if lexeme.token.is_quoted { b"\"" } else { b"" };
        text.extend_from_slice(quote);
        text.extend_from_slice(lexeme.text);
        text.extend_from_slice(quote);
        rest = tail;
    }
    text
}

/// `start-stop` or `start-stop/step`.
fn read_range(text: &[u8]) -> Option<(u32, u32, u32)> {
    let number = || u32::<_, ()>;
    let mut range = all_consuming((number(), preceded(char('-'), number()), opt(preceded(char('/'), number()))));
    let (_, (start, stop, step)) = range.parse(text).ok()?;
    let step = step.unwrap_or(1);
    (start <= stop && stop <= NUMBER_MAX && step >= 1).then_some((start, stop, step))
}

/// The largest number of a range, BIND's: 2^31 - 1.
const NUMBER_MAX: u32 = 0x7fff_ffff;

/// The widest number: no label or address has more digits to fill.
const WIDTH_MAX: u32 = 255;

/// What a number has without leading zeros: eight nibbles with dots, eleven octal digits, or ten and a sign.
const NUMBER_SIZE_MAX: usize = 16;

/// Text with places for a number.
#[derive(Debug)]
struct Template {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(Vec<u8>),
    Number { offset: i32, width: u32, base: Base },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Decimal,
    Octal,
    HexLower,
    HexUpper,
    /// Hexadecimal digits from the lowest on with dots between, as names below ip6.arpa have them.
    NibbleLower,
    NibbleUpper,
}

impl Template {
    /// The error is the offset of a broken `${…}`.
    fn new(text: &[u8]) -> Result<Template, usize> {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        let mut rest = text;
        while let Some((&octet, tail)) = rest.split_first() {
            match (octet, tail) {
                // An escape stays as it is: the parsers of names and strings read it.
                (b'\\', [escaped, after @ ..]) => {
                    plain.extend_from_slice(&[b'\\', *escaped]);
                    rest = after;
                }
                // BIND's older way to write a dollar sign.
                (b'$', [b'$', after @ ..]) => {
                    plain.extend_from_slice(b"\\$");
                    rest = after;
                }
                (b'$', [b'{', ..]) => {
                    let (after, number) = modifier(tail).map_err(|_| text.len() - rest.len())?;
                    parts.push(Part::Text(core::mem::take(&mut plain)));
                    parts.push(number);
                    rest = after;
                }
                (b'$', after) => {
                    parts.push(Part::Text(core::mem::take(&mut plain)));
                    parts.push(Part::Number { offset: 0, width: 0, base: Base::Decimal });
                    rest = after;
                }
                (_, after) => {
                    plain.push(octet);
                    rest = after;
                }
            }
        }
        parts.push(Part::Text(plain));
        Ok(Template { parts })
    }

    /// Whether every base can show the number: only the decimal one can go below zero.
    fn can_write(&self, number: u32) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Number { offset, base, .. } => {
                let value = i64::from(number) + i64::from(*offset);
                value <= i64::from(NUMBER_MAX) && (value >= 0 || *base == Base::Decimal)
            }
        })
    }

    /// The octets of the longest text.
    fn size_max(&self) -> usize {
        let size = |part: &Part| match part {
            Part::Text(text) => text.len(),
            Part::Number { width, .. } => NUMBER_SIZE_MAX.max(*width as usize),
        };
        self.parts.iter().map(size).sum()
    }

    /// Puts the text for `number` into `out`, replacing what is there.
    fn write(&self, number: u32, out: &mut Vec<u8>) {
        out.clear();
        let mut digits = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Number { offset, width, base } => {
                    digits.clear();
                    base.write(i64::from(number) + i64::from(*offset), *width as usize, &mut digits);
                    out.extend_from_slice(digits.as_bytes());
                }
            }
        }
    }
}

impl Base {
    fn write(self, value: i64, width: usize, out: &mut String) {
        let written = match self {
            Base::Decimal => write!(out, "{value:0width$}"),
            Base::Octal => write!(out, "{value:0width$o}"),
            Base::HexLower => write!(out, "{value:0width$x}"),
            Base::HexUpper => write!(out, "{value:0width$X}"),
            Base::NibbleLower => return nibbles(value, width, b"0123456789abcdef", out),
            Base::NibbleUpper => return nibbles(value, width, b"0123456789ABCDEF", out),
        };
        written.expect("a String takes all text");
    }
}

/// Digits from the lowest on; `width` counts digits and dots, so that an even one ends in a dot.
fn nibbles(value: i64, width: usize, digits: &[u8; 16], out: &mut String) {
    let (mut value, mut left) = (value, width);
    loop {
        out.push(char::from(digits[(value & 0xf) as usize]));
        value >>= 4;
        left = left.saturating_sub(1);
        if left > 0 || value != 0 {
            out.push('.');
            left = left.saturating_sub(1);
        }
        if left == 0 && value == 0 {
            break;
        }
    }
}

/// `{offset}`, `{offset,width}` or `{offset,width,base}`.
fn modifier(text: &[u8]) -> nom::IResult<&[u8], Part, ()> {
    let blank = || take_while::<_, _, ()>(|octet: u8| octet == b' ');
    let width = preceded((tag(","), blank()), u32);
    let base = preceded((tag(","), blank()), one_of("doxXnN"));
    let inner = (i32, opt((width, opt(base))));
    let (rest, (offset, more)) = delimited(char('{'), inner, char('}')).parse(text)?;
    let (width, base) = more.unwrap_or((0, None));
    if width > WIDTH_MAX {
        return Err(nom::Err::Error(()));
    }
    let base = match base {
        None | Some('d') => Base::Decimal,
        Some('o') => Base::Octal,
        Some('x') => Base::HexLower,
        Some('X') => Base::HexUpper,
        Some('n') => Base::NibbleLower,
        Some(_) => Base::NibbleUpper,
    };
    Ok((rest, Part::Number { offset, width, base }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(template: &str, number: u32) -> Option<String> {
        let template = Template::new(template.as_bytes()).ok()?;
        let mut out = Vec::new();
        template.can_write(number).then(|| template.write(number, &mut out))?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_number_is_written_as_bind_writes_it() {
        for (template, number, text) in [
            ("h$", 7, "h7"),
            ("$-$", 7, "7-7"),
            ("h${10,4,x}", 1, "h000b"),
            ("${0,3,d}.${0,3,o}.${250,4,X}.${-1}", 1, "001.001.00FB.0"),
            ("h${-2}", 1, "h-1"),
            ("h${0,5,n}", 1, "h1.0.0"),
            ("${31,7,N}", 1, "0.2.0.0"),
            ("${0,4,N}x", 27, "B.1.x"),
            ("${0,0,n}", 0x1b, "b.1"),
            ("h\\$$", 1, "h\\$1"),
            ("a$$", 1, "a\\$"),
            ("\\\\$", 1, "\\\\1"),
        ] {
            assert_eq!(written(template, number).as_deref(), Some(text), "{template}");
        }
    }

    #[test]
    fn a_broken_modifier_or_a_value_out_of_range_is_refused() {
        for template in ["${", "${}", "${x}", "${0,}", "${0,1,}", "${0,1,q}", "${0,256}", "${0,1,d,1}", "${2147483648}"]
        {
            assert_eq!(Template::new(template.as_bytes()).err(), Some(0), "{template}");
        }
        assert!(written("${0,255}", 1).is_some());
        assert_eq!(written("${-2,1,x}", 1), None);
        assert_eq!(written("${-1,1,x}", 1).as_deref(), Some("0"));
        assert_eq!(written("${1}", NUMBER_MAX), None);
    }

    #[test]
    fn a_range_has_start_stop_and_step() {
        assert_eq!(read_range(b"1-3"), Some((1, 3, 1)));
        assert_eq!(read_range(b"0-0/2"), Some((0, 0, 2)));
        assert_eq!(read_range(b"0-2147483647"), Some((0, 2_147_483_647, 1)));
        for text in ["", "1", "1-", "3-1", "1-3/0", "1-3/", "-1-3", "0-2147483648", "1-3x"] {
            assert_eq!(read_range(text.as_bytes()), None, "{text}");
        }
    }
}
