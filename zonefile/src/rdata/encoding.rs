//! Octets in hexadecimal digits, Base64 and base32hex, and the generic form of RFC 3597.

use nss_wire::RType;

use super::address::hex_digit;
use super::{Rdata, whole};
use crate::error::{ErrorKind, FieldError};
use crate::number::decimal;
use crate::tokens::{Fault, Lexeme, Parsed, Tokens};

/// `\# length digits`, the digits in any number of pieces (RFC 3597 §5); returns what is left, which is nothing.
pub(super) fn generic<'a>(rtype: RType, tokens: Tokens<'a>, out: &mut Vec<u8>) -> Result<Tokens<'a>, nom::Err<Fault>> {
    let missing = |field| move || ErrorKind::MissingField { rtype, field };
    let (rest, _) = tokens.expect(missing("generic data"))?;
    let (rest, length) = rest.expect(missing("length of the generic data"))?;
    let wrong = |lexeme: Lexeme<'_>, error| lexeme.refuse(ErrorKind::Field { rtype, field: "generic data", error });
    let announced = decimal(length.text, 65_535).filter(|_| !length.token.is_quoted);
    let announced = announced.ok_or_else(|| wrong(length, FieldError::Number { max: 65_535 }))? as u16;
    let digits = rest;
    let mut decoder = HexDecoder::new(out);
    let rest = each_piece(rest, |lexeme| match decoder.push(lexeme.text) {
        Ok(()) if !lexeme.token.is_quoted => Ok(()),
        Ok(()) => Err(wrong(lexeme, FieldError::Quoted)),
        Err(at) => {
            let error = FieldError::Form { expected: HEX_EXPECTED };
            Err(lexeme.refuse_from(at, ErrorKind::Field { rtype, field: "generic data", error }))
        }
    })?;
    let is_whole = decoder.is_whole();
    if usize::from(announced) != out.len() || !is_whole {
        let found = out.len() + usize::from(!is_whole);
        return Err(whole(digits, ErrorKind::GenericLength { announced, found }));
    }
    Ok(rest)
}

/// Hands all tokens that are left to `piece`.
fn each_piece<'a>(
    mut tokens: Tokens<'a>,
    mut piece: impl FnMut(Lexeme<'a>) -> Result<(), nom::Err<Fault>>,
) -> Result<Tokens<'a>, nom::Err<Fault>> {
    while let Some((rest, lexeme)) = tokens.split_first() {
        piece(lexeme)?;
        tokens = rest;
    }
    Ok(tokens)
}

impl Rdata<'_> {
    /// Hexadecimal digits to the end, in one or several pieces.
    pub(super) fn hex<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        self.plain(i)?;
        let start = self.out.len();
        let mut last = None;
        let mut out = core::mem::take(self.out);
        let mut decoder = HexDecoder::new(&mut out);
        let rest = each_piece(i, |lexeme| {
            last = Some(lexeme);
            if lexeme.token.is_quoted {
                return Err(lexeme.refuse(self.wrong(FieldError::Quoted)));
            }
            decoder.push(lexeme.text).map_err(|at| self.refuse_from(lexeme, at, HEX_EXPECTED))
        });
        let is_whole = decoder.is_whole();
        *self.out = out;
        let rest = rest?;
        match last {
            Some(last) if !is_whole => Err(self.refuse(last, "an even number of hexadecimal digits")),
            Some(last) if self.out.len() == start => Err(self.refuse(last, HEX_EXPECTED)),
            _ => Ok((rest, ())),
        }
    }

    /// Base64 to the end, in one or several pieces.
    pub(super) fn base64<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        self.plain(i)?;
        let mut last = None;
        let mut out = core::mem::take(self.out);
        let mut decoder = Base64Decoder::new(&mut out);
        let rest = each_piece(i, |lexeme| {
            last = Some(lexeme);
            if lexeme.token.is_quoted {
                return Err(lexeme.refuse(self.wrong(FieldError::Quoted)));
            }
            decoder.push(lexeme.text).map_err(|at| self.refuse_from(lexeme, at, BASE64_EXPECTED))
        });
        let is_whole = decoder.is_whole();
        *self.out = out;
        let rest = rest?;
        match last {
            Some(last) if !is_whole => Err(self.refuse(last, "Base64 that ends in a whole group of four characters")),
            _ => Ok((rest, ())),
        }
    }

    pub(super) fn base64_or_dash<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        match self.plain(i)? {
            (rest, lexeme) if lexeme.text == b"-" => Ok((rest, ())),
            _ => self.base64(i),
        }
    }

    /// Hexadecimal digits in one piece with a length octet, `-` for none.
    pub(super) fn salt<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let expected = "up to 510 hexadecimal digits, or - for none";
        let (rest, lexeme) = self.plain(i)?;
        let start = self.out.len();
        self.out.push(0);
        if lexeme.text != b"-" {
            let mut decoder = HexDecoder::new(self.out);
            let is_right = decoder.push(lexeme.text).is_ok() && decoder.is_whole();
            if !is_right || self.out.len() - start - 1 > 255 {
                return Err(self.refuse(lexeme, expected));
            }
        }
        self.out[start] = (self.out.len() - start - 1) as u8;
        Ok((rest, ()))
    }

    /// Base32hex without padding in one piece, with a length octet.
    pub(super) fn hashed_owner<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (rest, lexeme) = self.plain(i)?;
        let start = self.out.len();
        self.out.push(0);
        let is_right = append_base32hex(lexeme.text, self.out);
        let size = self.out.len() - start - 1;
        if !is_right || !(1..=255).contains(&size) {
            return Err(self.refuse(lexeme, "a hash in base32hex, the digits 0 to 9 and A to V, without padding"));
        }
        self.out[start] = size as u8;
        Ok((rest, ()))
    }

    /// Host identity algorithm, tag and key (RFC 8005 §5).
    pub(super) fn hip<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (rest, algorithm) = self.plain(i)?;
        let number = decimal(algorithm.text, 255);
        let number = number.ok_or_else(|| algorithm.refuse(self.wrong(FieldError::Number { max: 255 })))?;
        let start = self.out.len();
        self.out.extend_from_slice(&[0, number as u8, 0, 0]);

        let (rest, tag) = self.plain(rest)?;
        let mut decoder = HexDecoder::new(self.out);
        let is_right = decoder.push(tag.text).is_ok() && decoder.is_whole();
        let tag_size = self.out.len() - start - 4;
        if !is_right || !(1..=255).contains(&tag_size) {
            return Err(self.refuse(tag, "a host identity tag of 1 to 255 octets in hexadecimal digits"));
        }
        let (rest, key) = self.plain(rest)?;
        let mut decoder = Base64Decoder::new(self.out);
        let is_right = decoder.push(key.text).is_ok() && decoder.is_whole();
        let key_size = self.out.len() - start - 4 - tag_size;
        if !is_right || !(1..=65_535).contains(&key_size) {
            return Err(self.refuse(key, "a public key in Base64, in one piece"));
        }
        self.out[start] = tag_size as u8;
        self.out[start + 2..start + 4].copy_from_slice(&(key_size as u16).to_be_bytes());
        Ok((rest, ()))
    }

    /// `0x` and hexadecimal digits, with dots anywhere between octets (RFC 1706 §7).
    pub(super) fn nsap<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let expected = "0x and pairs of hexadecimal digits, with dots between as one likes";
        let (rest, lexeme) = self.plain(i)?;
        let start = self.out.len();
        let digits = lexeme.text.strip_prefix(b"0x").or_else(|| lexeme.text.strip_prefix(b"0X"));
        let is_right = digits.is_some_and(|digits| append_dotted_hex(digits, self.out));
        if !is_right || self.out.len() == start {
            return Err(self.refuse(lexeme, expected));
        }
        Ok((rest, ()))
    }

    /// `+` and the decimal digits of an E.164 number, or an address in hexadecimal digits with dots.
    pub(super) fn atm_address<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (rest, lexeme) = self.plain(i)?;
        let start = self.out.len();
        let is_right = match lexeme.text {
            [b'+', digits @ ..] => {
                self.out.push(1);
                self.out.extend_from_slice(digits);
                digits.iter().all(u8::is_ascii_digit)
            }
            digits => {
                self.out.push(0);
                // Unlike in an NSAP address, a dot stands between two octets.
                let has_stray_dot = digits.split(|&octet| octet == b'.').any(<[u8]>::is_empty);
                append_dotted_hex(digits, self.out) && !has_stray_dot
            }
        };
        if !is_right || self.out.len() == start + 1 {
            return Err(self.refuse(lexeme, "+ and the digits of a telephone number, or hexadecimal digits"));
        }
        Ok((rest, ()))
    }
}

const HEX_EXPECTED: &str = "hexadecimal digits";
const BASE64_EXPECTED: &str = "Base64: A to Z, a to z, 0 to 9, + and /, with = at the end only";

/// Pairs of hexadecimal digits with dots between; `false` when the text is something else.
fn append_dotted_hex(text: &[u8], out: &mut Vec<u8>) -> bool {
    let mut decoder = HexDecoder::new(out);
    for piece in text.split(|&octet| octet == b'.') {
        if decoder.push(piece).is_err() || !decoder.is_whole() {
            return false;
        }
    }
    true
}

/// Base32hex without padding (RFC 4648 §7); `false` when the text is something else.
fn append_base32hex(text: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut bits, mut count) = (0u32, 0);
    for &octet in text {
        let Some(digit) = char::from(octet).to_digit(32) else { return false };
        bits = bits << 5 | digit;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // Five bits or more would be a character that stands for nothing.
    count < 5 && bits == 0
}

/// Makes octets of hexadecimal digits that come in pieces.
struct HexDecoder<'o> {
    out: &'o mut Vec<u8>,
    high: Option<u8>,
}

impl<'o> HexDecoder<'o> {
    fn new(out: &'o mut Vec<u8>) -> HexDecoder<'o> {
        HexDecoder { out, high: None }
    }

    /// The error is the offset of what is no digit.
    fn push(&mut self, text: &[u8]) -> Result<(), usize> {
        for (at, &octet) in text.iter().enumerate() {
            let digit = hex_digit(octet).ok_or(at)?;
            match self.high.take() {
                None => self.high = Some(digit << 4),
                Some(high) => self.out.push(high | digit),
            }
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.high.is_none()
    }
}

/// Makes octets of Base64 that comes in pieces.
pub(super) struct Base64Decoder<'o> {
    out: &'o mut Vec<u8>,
    bits: u32,
    /// Characters of the group that is being read, padding included.
    count: u8,
    padding: u8,
    /// Whether a padded group, which has to be the last, is over.
    is_over: bool,
}

impl<'o> Base64Decoder<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Base64Decoder<'o> {
        Base64Decoder { out, bits: 0, count: 0, padding: 0, is_over: false }
    }

    /// The error is the offset of what should not stand there.
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), usize> {
        for (at, &octet) in text.iter().enumerate() {
            let value = BASE64_VALUES[usize::from(octet)];
            let is_padding = octet == b'=' && self.count >= 2;
            if self.is_over || (value == NO_DIGIT && !is_padding) || (value != NO_DIGIT && self.padding > 0) {
                return Err(at);
            }
            self.bits = self.bits << 6 | if is_padding { 0 } else { u32::from(value) };
            self.padding += u8::from(is_padding);
            self.count += 1;
            if self.count == 4 {
                let octets = self.bits.to_be_bytes();
                let (kept, dropped) = octets[1..].split_at(usize::from(3 - self.padding));
                // RFC 4648 §3.5: bits that no octet holds are zero, or two texts would mean the same octets.
                if dropped.iter().any(|&octet| octet != 0) {
                    return Err(at);
                }
                self.out.extend_from_slice(kept);
                self.is_over = self.padding > 0;
                (self.bits, self.count, self.padding) = (0, 0, 0);
            }
        }
        Ok(())
    }

    pub(super) fn is_whole(&self) -> bool {
        self.count == 0
    }
}

const NO_DIGIT: u8 = 0xff;

static BASE64_VALUES: [u8; 256] = {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < digits.len() {
        values[digits[value] as usize] = value as u8;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use nss_wire::rdata::presentation::{Base32Hex, Base64, Hex};
    use proptest::prelude::*;

    use super::*;

    fn base64(pieces: &[&str]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut decoder = Base64Decoder::new(&mut out);
        let is_right = pieces.iter().all(|piece| decoder.push(piece.as_bytes()).is_ok()) && decoder.is_whole();
        is_right.then_some(out)
    }

    fn base32hex(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        append_base32hex(text.as_bytes(), &mut out).then_some(out)
    }

    #[test]
    fn base64_has_whole_groups_and_padding_only_at_the_end() {
        assert_eq!(base64(&["Zm9v", "YmFy"]), Some(b"foobar".to_vec()));
        assert_eq!(base64(&["Zm9", "vYm", "E="]), Some(b"fooba".to_vec()));
        assert_eq!(base64(&["Zg=", "="]), Some(b"f".to_vec()));
        for pieces in [
            &["Zg"][..],
            &["Zg="],
            &["Zg==Zg=="],
            &["Zg==", "Zg=="],
            &["Z==="],
            &["===="],
            &["Zh=="],
            &["Zm9*"],
            &["Zm=v"],
        ] {
            assert_eq!(base64(pieces), None, "{pieces:?}");
        }
    }

    #[test]
    fn base32hex_ends_within_an_octet_by_zeros_only() {
        assert_eq!(base32hex("vs0fu07v"), Some(vec![0xff, 0, 0xff, 0, 0xff]));
        assert_eq!(base32hex("VS"), Some(vec![0xff]));
        for text in ["v", "vv", "vs0", "w0", "vs=="] {
            assert_eq!(base32hex(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(octets: Vec<u8>, cut in 0usize..40) {
            let text = Base64(&octets).to_string();
            let (a, b) = text.split_at(cut.min(text.len()));
            prop_assert_eq!(base64(&[a, b]), Some(octets.clone()));
            prop_assert_eq!(base32hex(&Base32Hex(&octets).to_string()), Some(octets.clone()));
            let mut out = Vec::new();
            prop_assert!(append_dotted_hex(Hex(&octets).to_string().as_bytes(), &mut out));
            prop_assert_eq!(out, octets);
        }
    }
}
