//! Character strings and longer texts (RFC 1035 §5.1).

use nss_wire::name::unescape;

use super::Rdata;
use crate::error::FieldError;
use crate::tokens::{Lexeme, Parsed, Tokens};

/// The octets of a character string, its length octet left out (RFC 1035 §3.3).
pub(super) const STRING_SIZE_MAX: usize = 255;

impl Rdata<'_> {
    /// A character string, in quotes or not.
    pub(super) fn string<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (rest, lexeme) = self.any(i)?;
        let start = self.out.len();
        self.out.push(0);
        self.octets(lexeme)?;
        let size = self.out.len() - start - 1;
        if size > STRING_SIZE_MAX {
            return Err(lexeme.refuse(self.wrong(FieldError::StringTooLong)));
        }
        self.out[start] = size as u8;
        Ok((rest, ()))
    }

    /// One or several character strings to the end.
    pub(super) fn strings<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (rest, ()) = self.string(i)?;
        self.repeated(rest, Rdata::string)
    }

    /// A word of letters and digits with a length octet.
    pub(super) fn tag<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (rest, lexeme) = self.plain(i)?;
        let is_tag = lexeme.text.len() <= STRING_SIZE_MAX && lexeme.text.iter().all(u8::is_ascii_alphanumeric);
        if !is_tag {
            return Err(self.refuse(lexeme, "up to 255 letters and digits such as issue"));
        }
        self.out.push(lexeme.text.len() as u8);
        self.out.extend_from_slice(lexeme.text);
        Ok((rest, ()))
    }

    /// The octets of one token, without a length octet.
    pub(super) fn text<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (rest, lexeme) = self.any(i)?;
        self.octets(lexeme)?;
        Ok((rest, ()))
    }

    /// The octets that a token stands for.
    fn octets(&mut self, lexeme: Lexeme<'_>) -> Result<(), nom::Err<crate::tokens::Fault>> {
        append_unescaped(lexeme.text, self.out).map_err(|at| lexeme.refuse_from(at, self.wrong(FieldError::Escape)))
    }
}

/// Appends the octets that `text` stands for; the error is the offset of a broken escape.
pub(super) fn append_unescaped(text: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        at += plain;
        if at == text.len() {
            return Ok(());
        }
        let (octet, size) = unescape(&text[at..]).ok_or(at)?;
        out.push(octet);
        at += size;
    }
}
