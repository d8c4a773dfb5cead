//! RDATA from text: one parser per kind of field of the table in `nss_wire::rdata`.

use nss_wire::rdata::{self, Field, Kind, Mnemonics, RdataError};
use nss_wire::{Name, RType};

use crate::error::{ErrorKind, FieldError};
use crate::name;
use crate::number::{decimal, period};
use crate::record;
use crate::tokens::{Fault, Lexeme, Parsed, Tokens};

pub(crate) mod address;
mod encoding;
mod gateway;
mod location;
mod strings;
mod svcb;
pub(crate) mod time;
mod types;

/// The octets that RDATA can have: its length field has 16 bits (RFC 1035 §3.2.1).
const RDATA_SIZE_MAX: usize = 65_535;

/// Reads RDATA to the end of the entry and puts its wire form into `out`, which has to be empty.
pub(crate) fn read<'a>(
    rtype: RType,
    tokens: Tokens<'a>,
    origin: Option<Name<'_>>,
    out: &mut Vec<u8>,
) -> Parsed<'a, ()> {
    let is_generic = tokens.peek().is_some_and(|first| first.text == b"\\#" && !first.token.is_quoted);
    let rest = match rdata::info(rtype) {
        _ if is_generic => encoding::generic(rtype, tokens, out)?,
        Some(info) => {
            let mut rest = tokens;
            for field in info.fields {
                rest = Rdata { rtype, field, origin, out }.field(rest)?.0;
            }
            rest
        }
        None => return Err(generic_expected(rtype, tokens)),
    };
    if out.len() > RDATA_SIZE_MAX {
        return Err(whole(tokens, ErrorKind::RdataTooLong));
    }
    rest.expect_end(|| ErrorKind::ExtraField { rtype })?;
    if is_generic || !is_right_by_its_fields(rtype) {
        rdata::check(rtype, out).map_err(|error| complaint(rtype, tokens, origin, is_generic, error))?;
    }
    Ok((rest, ()))
}

/// Whether right fields make right RDATA, so that nothing is left to be checked.
fn is_right_by_its_fields(rtype: RType) -> bool {
    matches!(
        rtype,
        RType::A
            | RType::NS
            | RType::CNAME
            | RType::SOA
            | RType::PTR
            | RType::MX
            | RType::TXT
            | RType::AAAA
            | RType::SRV
            | RType::RRSIG
            | RType::NSEC
            | RType::DNSKEY
            | RType::NSEC3
            | RType::NSEC3PARAM
    )
}

/// What is wrong with RDATA as a whole, at the field of the text that it comes from.
fn complaint(
    rtype: RType,
    tokens: Tokens<'_>,
    origin: Option<Name<'_>>,
    is_generic: bool,
    error: RdataError,
) -> nom::Err<Fault> {
    if is_generic {
        return whole(tokens, ErrorKind::GenericRdata { rtype, error });
    }
    // Only for the message: read the fields once more up to the one that is wrong.
    let mut at = tokens;
    let mut out = Vec::new();
    for field in rdata::info(rtype).map_or(&[][..], |info| info.fields) {
        match (Rdata { rtype, field, origin, out: &mut out }).field(at) {
            Ok((rest, ())) if field.name != error.field => at = rest,
            _ => break,
        }
    }
    let kind = ErrorKind::Rdata { rtype, error };
    match at.peek() {
        Some(lexeme) => lexeme.refuse(kind),
        None => whole(at, kind),
    }
}

fn whole(tokens: Tokens<'_>, kind: ErrorKind) -> nom::Err<Fault> {
    let extent = tokens.extent();
    Fault::failure(extent.start, extent.end, kind)
}

fn generic_expected(rtype: RType, tokens: Tokens<'_>) -> nom::Err<Fault> {
    match tokens.expect(|| ErrorKind::GenericExpected { rtype }) {
        Ok((_, lexeme)) => lexeme.refuse(ErrorKind::GenericExpected { rtype }),
        Err(fault) => fault,
    }
}

/// One field that is to be read, and where its octets go.
struct Rdata<'r> {
    rtype: RType,
    field: &'static Field,
    origin: Option<Name<'r>>,
    /// The RDATA up to the field.
    out: &'r mut Vec<u8>,
}

impl Rdata<'_> {
    /// Reads the field from the start of `i`.
    fn field<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        match self.field.kind {
            Kind::Name(_) => self.name(i),
            Kind::Names => self.repeated(i, Rdata::name),
            Kind::U8 => self.number::<1>(i),
            Kind::U16 => self.number::<2>(i),
            Kind::U32 => self.number::<4>(i),
            Kind::NodeNumber => self.node_number(i),
            Kind::Period => self.word(
                i,
                |text| Some(period(text)?.to_be_bytes()),
                "seconds such as 3600, or a period such as 1h30m",
            ),
            Kind::Time => self.word(i, |text| Some(time::time(text)?.to_be_bytes()), time::EXPECTED),
            Kind::Type => {
                self.word(i, |text| Some(record::rtype(text)?.0.to_be_bytes()), "a record type such as A or TYPE65280")
            }
            Kind::Code8(mnemonics) => self.code(i, mnemonics, 255, |code| [code as u8]),
            Kind::Code16(mnemonics) => self.code(i, mnemonics, 65_535, u16::to_be_bytes),
            Kind::Ipv4 => self.word(i, address::ipv4, address::IPV4_EXPECTED),
            Kind::Ipv6 => self.word(i, address::ipv6, address::IPV6_EXPECTED),
            Kind::String => self.string(i),
            Kind::OptionalString if i.is_empty() => Ok((i, ())),
            Kind::OptionalString => self.string(i),
            Kind::Strings => self.strings(i),
            Kind::Tag => self.tag(i),
            Kind::Text => self.text(i),
            Kind::Base64 => self.base64(i),
            Kind::Base64OrNothing | Kind::Base64OrNoKey if i.is_empty() => Ok((i, ())),
            Kind::Base64OrNothing | Kind::Base64OrNoKey => self.base64(i),
            Kind::Base64OrDash => self.base64_or_dash(i),
            Kind::Hex => self.hex(i),
            Kind::Salt => self.salt(i),
            Kind::HashedOwner => self.hashed_owner(i),
            Kind::TypeBitmap => self.type_bitmap(i),
            Kind::NxtBitmap => self.nxt_bitmap(i),
            Kind::Location => self.location(i),
            Kind::AddressPrefixes => self.repeated(i, Rdata::address_prefix),
            Kind::Services => self.services(i),
            Kind::SvcParams => self.svc_params(i),
            Kind::Eui48 => self.word(i, address::eui::<6>, "six octets as in 00-00-5e-00-53-2a"),
            Kind::Eui64 => self.word(i, address::eui::<8>, "eight octets as in 00-00-5e-ef-10-00-00-2a"),
            Kind::Ilnp64 => self.word(i, address::ilnp64, "four groups of hexadecimal digits as in 14:4fff:ff20:ee64"),
            Kind::Nsap => self.nsap(i),
            Kind::AtmAddress => self.atm_address(i),
            Kind::A6 => self.a6(i),
            Kind::Gateway => {
                let gateway_type = self.out.get(1).copied().unwrap_or(0);
                self.gateway(i, gateway_type)
            }
            Kind::Relay => self.relay(i),
            Kind::Hip => self.hip(i),
        }
    }

    /// `item` again and again while tokens are left.
    fn repeated<'a>(
        &mut self,
        i: Tokens<'a>,
        mut item: impl FnMut(&mut Self, Tokens<'a>) -> Parsed<'a, ()>,
    ) -> Parsed<'a, ()> {
        let mut rest = i;
        while !rest.is_empty() {
            (rest, ()) = item(self, rest)?;
        }
        Ok((rest, ()))
    }

    /// The next token, quoted or not.
    fn any<'a>(&self, i: Tokens<'a>) -> Parsed<'a, Lexeme<'a>> {
        i.expect(|| self.missing())
    }

    /// The next token, which may not be quoted.
    fn plain<'a>(&self, i: Tokens<'a>) -> Parsed<'a, Lexeme<'a>> {
        let (rest, lexeme) = self.any(i)?;
        if lexeme.token.is_quoted {
            return Err(lexeme.refuse(self.wrong(FieldError::Quoted)));
        }
        Ok((rest, lexeme))
    }

    /// A token that `read` makes octets of.
    fn word<'a, const N: usize>(
        &mut self,
        i: Tokens<'a>,
        read: impl FnOnce(&[u8]) -> Option<[u8; N]>,
        expected: &'static str,
    ) -> Parsed<'a, ()> {
        let (rest, lexeme) = self.plain(i)?;
        let octets = read(lexeme.text).ok_or_else(|| self.refuse(lexeme, expected))?;
        self.out.extend_from_slice(&octets);
        Ok((rest, ()))
    }

    fn name<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let (rest, lexeme) = self.plain(i)?;
        name::read(lexeme.text, self.origin, self.out)
            .map_err(|fault| lexeme.refuse_from(fault.at(), self.wrong(fault.into())))?;
        Ok((rest, ()))
    }

    /// A decimal number of N octets.
    fn number<'a, const N: usize>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let max = (1 << (8 * N)) - 1;
        let (rest, lexeme) = self.plain(i)?;
        let number = decimal(lexeme.text, max).ok_or_else(|| lexeme.refuse(self.wrong(FieldError::Number { max })))?;
        self.out.extend_from_slice(&number.to_be_bytes()[8 - N..]);
        Ok((rest, ()))
    }

    /// 64 bits in decimal, or their halves parted by a dot.
    fn node_number<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let read = |text: &[u8]| {
            let number = match text.iter().position(|&octet| octet == b'.') {
                None => decimal(text, u64::MAX)?,
                Some(dot) => {
                    let half = |text| decimal(text, u64::from(u32::MAX));
                    half(&text[..dot])? << 32 | half(&text[dot + 1..])?
                }
            };
            Some(number.to_be_bytes())
        };
        self.word(i, read, "a number of 64 bits such as 4294967297, or its halves as in 1.1")
    }

    /// A number, or a mnemonic of the registry.
    fn code<'a, const N: usize>(
        &mut self,
        i: Tokens<'a>,
        mnemonics: &'static Mnemonics,
        max: u64,
        encode: impl FnOnce(u16) -> [u8; N],
    ) -> Parsed<'a, ()> {
        let (rest, lexeme) = self.plain(i)?;
        let number = decimal(lexeme.text, max).map(|number| number as u16);
        let code = number.or_else(|| mnemonics.number(lexeme.text));
        let code = code.ok_or_else(|| lexeme.refuse(self.wrong(FieldError::Code(mnemonics))))?;
        self.out.extend_from_slice(&encode(code));
        Ok((rest, ()))
    }

    fn missing(&self) -> ErrorKind {
        ErrorKind::MissingField { rtype: self.rtype, field: self.field.name }
    }

    fn wrong(&self, error: FieldError) -> ErrorKind {
        ErrorKind::Field { rtype: self.rtype, field: self.field.name, error }
    }

    /// The whole token is not `expected`.
    fn refuse(&self, lexeme: Lexeme<'_>, expected: &'static str) -> nom::Err<Fault> {
        lexeme.refuse(self.wrong(FieldError::Form { expected }))
    }

    /// From the octet at `at` on the token is not `expected`.
    fn refuse_from(&self, lexeme: Lexeme<'_>, at: usize, expected: &'static str) -> nom::Err<Fault> {
        lexeme.refuse_from(at, self.wrong(FieldError::Form { expected }))
    }
}

#[cfg(test)]
mod tests;
