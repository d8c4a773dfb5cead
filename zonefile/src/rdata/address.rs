//! Network addresses of many kinds.

use core::net::Ipv6Addr;

use nom::Parser;
use nom::bytes::complete::take_while_m_n;
use nom::character::complete::char;
use nom::combinator::{all_consuming, opt};
use nss_wire::rdata::Mnemonics;
use nss_wire::rdata::mnemonic::{PROTOCOL, SERVICE};

use super::Rdata;
use crate::error::FieldError;
use crate::number::decimal;
use crate::tokens::{Parsed, Tokens};

pub(super) const IPV4_EXPECTED: &str = "an IPv4 address such as 192.0.2.1";
pub(super) const IPV6_EXPECTED: &str = "an IPv6 address such as 2001:db8::1";

/// Four decimal numbers up to 255 without leading zeros, which some read as octal.
pub(crate) fn ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut at = 0;
    for (i, octet) in octets.iter_mut().enumerate() {
        if i > 0 {
            if text.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let start = at;
        let mut value: u16 = 0;
        while let Some(digit) = text.get(at).map(|octet| octet.wrapping_sub(b'0')).filter(|&digit| digit <= 9) {
            value = value * 10 + u16::from(digit);
            at += 1;
            if value > 255 {
                return None;
            }
        }
        let has_leading_zero = at - start > 1 && text[start] == b'0';
        if at == start || has_leading_zero {
            return None;
        }
        *octet = value as u8;
    }
    (at == text.len()).then_some(octets)
}

pub(crate) fn ipv6(text: &[u8]) -> Option<[u8; 16]> {
    let address: Ipv6Addr = core::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.octets())
}

/// N octets in pairs of hexadecimal digits with hyphens between them (RFC 7043).
pub(super) fn eui<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut octets = [0; N];
    if text.len() != 3 * N - 1 {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(text.chunks(3)) {
        if pair.get(2).is_some_and(|&octet| octet != b'-') {
            return None;
        }
        *octet = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(octets)
}

/// Four groups of one to four hexadecimal digits with colons between them (RFC 6742 §2.1.2).
pub(super) fn ilnp64(text: &[u8]) -> Option<[u8; 8]> {
    let group = || take_while_m_n::<_, _, ()>(1, 4, |octet: u8| octet.is_ascii_hexdigit());
    let colon = || char(':');
    let (_, (a, _, b, _, c, _, d)) =
        all_consuming((group(), colon(), group(), colon(), group(), colon(), group())).parse(text).ok()?;
    let mut octets = [0; 8];
    for (pair, digits) in octets.chunks_mut(2).zip([a, b, c, d]) {
        let value = digits.iter().try_fold(0, |value, &digit| Some(value << 4 | u16::from(hex_digit(digit)?)))?;
        pair.copy_from_slice(&value.to_be_bytes());
    }
    Some(octets)
}

pub(super) fn hex_digit(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).map(|digit| digit as u8)
}

impl Rdata<'_> {
    /// `[!]family:address/length` (RFC 3123 §5).
    pub(super) fn address_prefix<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let expected = "[!]family:address/length such as 1:192.0.2.0/24 or !2:2001:db8::/32";
        let (rest, lexeme) = self.plain(i)?;
        let (after_sign, sign) =
            opt(char::<_, ()>('!')).parse(lexeme.text).map_err(|_| self.refuse(lexeme, expected))?;
        let item = address_prefix(after_sign).ok_or_else(|| self.refuse(lexeme, expected))?;
        let (family, address, length) = item;
        let used = address.octets().len() - address.octets().iter().rev().take_while(|&&octet| octet == 0).count();
        let negation = if sign.is_some() { 0x80 } else { 0 };
        self.out.extend_from_slice(&[0, family, length, negation | used as u8]);
        self.out.extend_from_slice(&address.octets()[..used]);
        Ok((rest, ()))
    }

    /// A protocol and the ports or services that are offered over it (RFC 1035 §3.4.2).
    pub(super) fn services<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (mut rest, protocol) = self.plain(i)?;
        let protocol = number_or(&PROTOCOL, protocol.text, 255)
            .ok_or_else(|| protocol.refuse(self.wrong(FieldError::Code(&PROTOCOL))))?;
        self.out.push(protocol as u8);
        let bitmap = self.out.len();
        while let Some((tail, service)) = rest.split_first() {
            let port = number_or(&SERVICE, service.text, 65_535).filter(|_| !service.token.is_quoted);
            let port = usize::from(port.ok_or_else(|| service.refuse(self.wrong(FieldError::Code(&SERVICE))))?);
            let at = bitmap + port / 8;
            if self.out.len() <= at {
                self.out.resize(at + 1, 0);
            }
            self.out[at] |= 0x80 >> (port % 8);
            rest = tail;
        }
        Ok((rest, ()))
    }
}

fn number_or(mnemonics: &Mnemonics, text: &[u8], max: u64) -> Option<u16> {
    decimal(text, max).map(|number| number as u16).or_else(|| mnemonics.number(text))
}

/// An IPv4 or IPv6 address.
enum Address {
    V4([u8; 4]),
    V6([u8; 16]),
}

impl Address {
    fn octets(&self) -> &[u8] {
        match self {
            Address::V4(octets) => octets,
            Address::V6(octets) => octets,
        }
    }
}

/// Family, address and prefix length.
fn address_prefix(text: &[u8]) -> Option<(u8, Address, u8)> {
    let colon = text.iter().position(|&octet| octet == b':')?;
    let slash = text.iter().position(|&octet| octet == b'/')?;
    let (family, address, length) = (text.get(..colon)?, text.get(colon + 1..slash)?, text.get(slash + 1..)?);
    match decimal(family, 65_535)? {
        1 => Some((1, Address::V4(ipv4(address)?), decimal(length, 32)? as u8)),
        2 => Some((2, Address::V6(ipv6(address)?), decimal(length, 128)? as u8)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_ipv4_address_is_what_the_standard_library_says(text in "[0-9.]{0,16}|([0-9]{1,3}\\.){3}[0-9]{1,3}") {
            let theirs = text.parse::<Ipv4Addr>().ok().map(|address| address.octets());
            prop_assert_eq!(ipv4(text.as_bytes()), theirs);
        }
    }

    #[test]
    fn hyphens_and_colons_part_hexadecimal_groups() {
        assert_eq!(eui::<6>(b"00-00-5e-00-53-2A"), Some([0, 0, 0x5e, 0, 0x53, 0x2a]));
        for text in ["00-00-5e-00-53", "00-00-5e-00-53-2", "00:00:5e:00:53:2a", "0g-00-5e-00-53-2a"] {
            assert_eq!(eui::<6>(text.as_bytes()), None, "{text}");
        }
        assert_eq!(ilnp64(b"14:4fff:FF20:ee64"), Some([0, 0x14, 0x4f, 0xff, 0xff, 0x20, 0xee, 0x64]));
        for text in ["14:4fff:ff20", "14:4fff:ff20:ee64:1", "14:4fff:ff20:", "14444:1:1:1", "::1:1"] {
            assert_eq!(ilnp64(text.as_bytes()), None, "{text}");
        }
    }
}
