//! Service parameters of SVCB and HTTPS: `key`, `key=value` or `key="value"` (RFC 9460 §2.1, Appendix A).

use nss_wire::rdata::svcb::{SvcKey, SvcValue};

use super::address::{ipv4, ipv6};
use super::encoding::Base64Decoder;
use super::strings::append_unescaped;
use super::{RDATA_SIZE_MAX, Rdata};
use crate::error::FieldError;
use crate::number::decimal;
use crate::tokens::{Fault, Lexeme, Parsed, Tokens};

/// One parameter: its key, where its octets stand in the RDATA, and its text.
struct Param<'a> {
    key: SvcKey,
    start: usize,
    lexeme: Lexeme<'a>,
}

impl Rdata<'_> {
    /// Parameters in any order to the end; the wire form has them in the order of their keys.
    pub(super) fn svc_params<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let start = self.out.len();
        let mut rest = i;
        let mut last: Option<SvcKey> = None;
        let mut is_sorted = true;
        while !rest.is_empty() && self.out.len() <= RDATA_SIZE_MAX {
            let (tail, param) = self.svc_param(rest)?;
            if last == Some(param.key) {
                return Err(self.refuse(param.lexeme, TWICE));
            }
            is_sorted &= last < Some(param.key);
            last = Some(param.key);
            rest = tail;
        }
        if !is_sorted {
            self.sort(i, start)?;
        }
        Ok((rest, ()))
    }

    /// Puts the parameters from `start` on, which were read from `i`, in the order of their keys.
    fn sort(&mut self, i: Tokens<'_>, start: usize) -> Result<(), nom::Err<Fault>> {
        let unsorted = self.out.split_off(start);
        let mut params: Vec<Param<'_>> = Vec::new();
        let (mut rest, mut at) = (i, 0);
        while at < unsorted.len() {
            let (tail, param) = self.svc_param(rest)?;
            params.push(Param { start: at, ..param });
            at += self.out.len() - start;
            self.out.truncate(start);
            rest = tail;
        }
        params.sort_by_key(|param| param.key);
        if let Some(pair) = params.windows(2).find(|pair| pair[0].key == pair[1].key) {
            return Err(self.refuse(pair[1].lexeme, TWICE));
        }
        for param in &params {
            let length = u16::from_be_bytes([unsorted[param.start + 2], unsorted[param.start + 3]]);
            self.out.extend_from_slice(&unsorted[param.start..param.start + 4 + usize::from(length)]);
        }
        Ok(())
    }

    fn svc_param<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, Param<'a>> {
        let (mut rest, lexeme) = self.plain(i)?;
        let equals = lexeme.text.iter().position(|&octet| octet == b'=');
        let word = &lexeme.text[..equals.unwrap_or(lexeme.text.len())];
        let key: SvcKey = core::str::from_utf8(word)
            .ok()
            .and_then(|key| key.parse().ok())
            .ok_or_else(|| self.refuse(lexeme, "a service parameter such as alpn=h2, port=8443 or key65280=text"))?;

        let start = self.out.len();
        self.out.extend_from_slice(&key.0.to_be_bytes());
        self.out.extend_from_slice(&[0, 0]);
        if let Some(equals) = equals {
            let mut value = Value { lexeme, text: &lexeme.text[equals + 1..], at: equals + 1 };
            if let Some((tail, quoted)) = rest.split_first()
                && quoted.token.is_glued
            {
                if !value.text.is_empty() || !quoted.token.is_quoted {
                    return Err(self.refuse(quoted, "the value either wholly in quotes or without any"));
                }
                value = Value { lexeme: quoted, text: quoted.text, at: 0 };
                rest = tail;
            }
            // RFC 9460 §2.1: behind keyNNNNN stand the octets of the wire form, also for a key that has a name.
            let form = if word.starts_with(b"key") { SvcValue::Opaque } else { key.value() };
            self.svc_value(form, value)?;
        } else if !matches!(key.value(), SvcValue::Nothing | SvcValue::Opaque | SvcValue::PathSegments) {
            return Err(self.refuse(lexeme, "= and a value behind this key"));
        }
        let size = self.out.len() - start - 4;
        let Ok(length) = u16::try_from(size) else {
            return Err(self.refuse(lexeme, "a value of up to 65535 octets"));
        };
        self.out[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok((rest, Param { key, start, lexeme }))
    }

    fn svc_value(&mut self, form: SvcValue, value: Value<'_>) -> Result<(), nom::Err<Fault>> {
        match form {
            SvcValue::Opaque | SvcValue::Utf8 => self.svc_text(value),
            SvcValue::StringList => self.svc_strings(value),
            SvcValue::PathSegments | SvcValue::Nothing if value.text.is_empty() => Ok(()),
            SvcValue::PathSegments => self.svc_strings(value),
            SvcValue::Nothing => Err(self.refuse(value.lexeme, "no value, and no = behind this key")),
            SvcValue::U16 => self.svc_item(value, value.text, 0, number, "a number from 0 to 65535"),
            SvcValue::U16List => self.svc_list(value, number, "numbers from 0 to 65535 parted by commas"),
            SvcValue::Ipv4List => self.svc_list(value, ipv4, "IPv4 addresses parted by commas"),
            SvcValue::Ipv6List => self.svc_list(value, ipv6, "IPv6 addresses parted by commas"),
            SvcValue::Keys => {
                let start = self.out.len();
                let key = |text: &[u8]| {
                    let key: SvcKey = core::str::from_utf8(text).ok()?.parse().ok()?;
                    Some(key.0.to_be_bytes())
                };
                self.svc_list(value, key, "keys such as alpn parted by commas")?;
                // Text may have the keys in any order, the wire form has them ascending (RFC 9460 §8).
                self.out[start..].as_chunks_mut::<2>().0.sort_unstable();
                Ok(())
            }
            SvcValue::Base64 => {
                let mut decoder = Base64Decoder::new(self.out);
                let is_right = decoder.push(value.text).is_ok() && decoder.is_whole();
                if is_right { Ok(()) } else { Err(self.wrong_value(value, 0, "Base64 in one piece")) }
            }
        }
    }

    fn svc_text(&mut self, value: Value<'_>) -> Result<(), nom::Err<Fault>> {
        append_unescaped(value.text, self.out)
            .map_err(|at| value.lexeme.refuse_from(value.at + at, self.wrong(FieldError::Escape)))
    }

    /// Items parted by commas, without escapes.
    fn svc_list<const N: usize>(
        &mut self,
        value: Value<'_>,
        read: impl Fn(&[u8]) -> Option<[u8; N]>,
        expected: &'static str,
    ) -> Result<(), nom::Err<Fault>> {
        let mut at = 0;
        for item in value.text.split(|&octet| octet == b',') {
            self.svc_item(value, item, at, &read, expected)?;
            at += item.len() + 1;
        }
        Ok(())
    }

    fn svc_item<const N: usize>(
        &mut self,
        value: Value<'_>,
        item: &[u8],
        at: usize,
        read: impl Fn(&[u8]) -> Option<[u8; N]>,
        expected: &'static str,
    ) -> Result<(), nom::Err<Fault>> {
        let octets = read(item).ok_or_else(|| self.wrong_value(value, at, expected))?;
        self.out.extend_from_slice(&octets);
        Ok(())
    }

    /// Strings parted by commas, each with a length octet.
    ///
    /// Within a string a comma is `\,` and a backslash `\\`, and that after the escapes of RFC 1035 are taken out, so
    /// that the file has two backslashes before such a comma (RFC 9460 Appendix A.1).
    fn svc_strings(&mut self, value: Value<'_>) -> Result<(), nom::Err<Fault>> {
        let expected = "strings of 1 to 255 octets parted by commas";
        let mut item = self.out.len();
        self.out.push(0);
        self.svc_text(value)?;
        // The list takes no more room than its text, so that it is made in place: a length for each comma.
        let (mut read, mut write) = (item + 1, item + 1);
        loop {
            let octet = self.out.get(read).copied();
            read += 1;
            match octet {
                None | Some(b',') => {
                    let size = u8::try_from(write - item - 1).ok().filter(|&size| size > 0);
                    self.out[item] = size.ok_or_else(|| self.wrong_value(value, 0, expected))?;
                    if octet.is_none() {
                        self.out.truncate(write);
                        return Ok(());
                    }
                    item = write;
                }
                Some(b'\\') => {
                    let escaped = self.out.get(read).copied();
                    self.out[write] = escaped.ok_or_else(|| self.wrong_value(value, 0, expected))?;
                    read += 1;
                }
                Some(octet) => self.out[write] = octet,
            }
            write += 1;
        }
    }

    fn wrong_value(&self, value: Value<'_>, at: usize, expected: &'static str) -> nom::Err<Fault> {
        self.refuse_from(value.lexeme, value.at + at, expected)
    }
}

const TWICE: &str = "each service parameter only once";

/// The value of a parameter, within the token that it stands in.
#[derive(Clone, Copy)]
struct Value<'a> {
    lexeme: Lexeme<'a>,
    text: &'a [u8],
    /// Offset of `text` in the text of the token.
    at: usize,
}

fn number(text: &[u8]) -> Option<[u8; 2]> {
    decimal(text, 65_535).map(|number| (number as u16).to_be_bytes())
}
