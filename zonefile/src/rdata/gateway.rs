//! Fields whose form depends on a number before them: IPSECKEY's gateway, AMTRELAY's relay, A6.

use super::Rdata;
use super::address::{IPV4_EXPECTED, IPV6_EXPECTED, ipv4, ipv6};
use crate::error::FieldError;
use crate::number::decimal;
use crate::tokens::{Parsed, Tokens};

impl Rdata<'_> {
    /// Nothing, an address or a name, as the type says (RFC 4025 §2.5, RFC 8777 §4.2.4).
    pub(super) fn gateway<'a>(&mut self, i: Tokens<'a>, gateway_type: u8) -> Parsed<'a, ()> {
        match gateway_type {
            0 => self.word(i, |text| (text == b".").then_some([]), "a dot, as type 0 stands for none"),
            1 => self.word(i, ipv4, IPV4_EXPECTED),
            2 => self.word(i, ipv6, IPV6_EXPECTED),
            3 => self.name(i),
            _ => {
                let (_, lexeme) = self.plain(i)?;
                Err(self.refuse(lexeme, "a type from 0 to 3 before this field"))
            }
        }
    }

    /// Discovery bit, relay type and relay (RFC 8777 §4.3.1).
    pub(super) fn relay<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (rest, discovery) = self.plain(i)?;
        let is_optional = decimal(discovery.text, 1);
        let is_optional = is_optional.ok_or_else(|| discovery.refuse(self.wrong(FieldError::Number { max: 1 })))?;
        let (rest, relay_type) = self.plain(rest)?;
        let number = decimal(relay_type.text, 3);
        let number = number.ok_or_else(|| relay_type.refuse(self.wrong(FieldError::Number { max: 3 })))? as u8;
        self.out.push((is_optional as u8) << 7 | number);
        self.gateway(rest, number)
    }

    /// A prefix length, the address bits behind the prefix, and the name that the prefix comes from (RFC 2874 §3.1).
    pub(super) fn a6<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (mut rest, lexeme) = self.plain(i)?;
        let prefix = decimal(lexeme.text, 128);
        let prefix = prefix.ok_or_else(|| lexeme.refuse(self.wrong(FieldError::Number { max: 128 })))? as u8;
        self.out.push(prefix);
        if prefix < 128 {
            let (tail, lexeme) = self.plain(rest)?;
            let address = ipv6(lexeme.text).ok_or_else(|| self.refuse(lexeme, IPV6_EXPECTED))?;
            if u128::from_be_bytes(address).leading_zeros() < u32::from(prefix) {
                return Err(self.refuse(lexeme, "an address whose bits within the prefix are zero"));
            }
            self.out.extend_from_slice(&address[usize::from(prefix / 8)..]);
            rest = tail;
        }
        if prefix == 0 { Ok((rest, ())) } else { self.name(rest) }
    }
}
