//! RDATA as text, in the form that zone files hold and that reads back to the same octets.

use core::fmt::{self, Write};
use core::net::{Ipv4Addr, Ipv6Addr};

use super::check::{ATM_E164, RELAY_TYPE_BITS, a6_prefix};
use super::svcb::{Strings, SvcKey, SvcParams, SvcValue};
use super::{Fields, Kind, Mnemonics, check, location};
use crate::{Name, RType, rdata};

/// RDATA as zone files write it.
///
/// Each field of several octets is one token without blanks where the grammar allows it, letters of hexadecimal digits are small.
/// RDATA that is broken, whose type has no text form, or whose text would not read back to the same octets is
/// written in the generic form of RFC 3597 §5.
#[derive(Clone, Copy, Debug)]
pub struct Presentation<'a> {
    /// Decides how the octets are read.
    pub rtype: RType,
    /// Uncompressed wire form.
    pub rdata: &'a [u8],
}

impl fmt::Display for Presentation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = || Fields::new(self.rtype, self.rdata).flatten();
        // No text at all would be read as a record that ends too early.
        let has_text = !self.rdata.is_empty()
            && rdata::info(self.rtype).is_some()
            && check(self.rtype, self.rdata).is_ok()
            && fields().all(|(field, range)| reads_back(field.kind, &self.rdata[range]));
        if !has_text {
            return Generic(self.rdata).fmt(f);
        }
        let mut line = Line { f, is_first: true };
        for (field, range) in fields() {
            write_field(&mut line, field.kind, &self.rdata[range], self.rdata)?;
        }
        Ok(())
    }
}

/// Octets in the generic form of RFC 3597 §5: `\# 4 c0000201`.
#[derive(Clone, Copy, Debug)]
pub struct Generic<'a>(pub &'a [u8]);

impl fmt::Display for Generic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\\# {}", self.0.len())?;
        if self.0.is_empty() { Ok(()) } else { write!(f, " {}", Hex(self.0)) }
    }
}

/// Octets as a character string in quotes, special characters escaped (RFC 1035 §5.1).
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        self.0.iter().try_for_each(|&octet| write_in_quotes(f, octet))?;
        f.write_char('"')
    }
}

/// Octets as hexadecimal digits without blanks.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &octet in self.0 {
            f.write_char(char::from(HEX_DIGITS[usize::from(octet >> 4)]))?;
            f.write_char(char::from(HEX_DIGITS[usize::from(octet & 0xf)]))?;
        }
        Ok(())
    }
}

/// Octets in Base64 with padding (RFC 4648 §4).
#[derive(Clone, Copy, Debug)]
pub struct Base64<'a>(pub &'a [u8]);

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.0.chunks(3) {
            let bits = group.iter().fold(0, |bits, &octet| bits << 8 | u32::from(octet)) << (8 * (3 - group.len()));
            for i in 0..4 {
                let digit = BASE64_DIGITS[(bits >> (18 - 6 * i) & 0x3f) as usize];
                f.write_char(if i <= group.len() { char::from(digit) } else { '=' })?;
            }
        }
        Ok(())
    }
}

/// Octets in base32hex without padding, letters small (RFC 4648 §7, RFC 5155 §3.3).
#[derive(Clone, Copy, Debug)]
pub struct Base32Hex<'a>(pub &'a [u8]);

impl fmt::Display for Base32Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.0.chunks(5) {
            let bits = group.iter().fold(0, |bits, &octet| bits << 8 | u64::from(octet)) << (8 * (5 - group.len()));
            for i in 0..(group.len() * 8).div_ceil(5) {
                f.write_char(char::from(BASE32HEX_DIGITS[(bits >> (35 - 5 * i) & 0x1f) as usize]))?;
            }
        }
        Ok(())
    }
}

/// Seconds since 1970 as `YYYYMMDDHHmmSS` in UTC (RFC 4034 §3.2).
#[derive(Clone, Copy, Debug)]
pub struct Time(pub u32);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / 86400, self.0 % 86400);
        // Years that start in March have the leap day last. 1970-01-01 is 719468 days after 0000-03-01; 400 years
        // are 146097 days.
        let day = days + 719_468;
        let era_day = day % 146_097;
        let era_year = (era_day - era_day / 1460 + era_day / 36_524 - era_day / 146_096) / 365;
        let year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
        let month_from_march = (5 * year_day + 2) / 153;
        let month_day = year_day - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = day / 146_097 * 400 + era_year + u32::from(month <= 2);
        write!(f, "{year:04}{month:02}{month_day:02}")?;
        write!(f, "{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)
    }
}

/// The types in window blocks, ascending (RFC 4034 §4.1.2); stops where the octets are broken.
pub fn types_in_bitmap(octets: &[u8]) -> impl Iterator<Item = RType> {
    let mut rest = octets;
    let windows = core::iter::from_fn(move || {
        let (&[window, length], tail) = rest.split_first_chunk()?;
        let (bits, tail) = tail.split_at_checked(usize::from(length).min(32))?;
        rest = tail;
        Some((window, bits))
    });
    windows.flat_map(|(window, bits)| set_bits(bits).map(move |bit| RType(u16::from(window) << 8 | bit)))
}

/// The numbers of the bits that are set, the first octet's highest bit being 0.
fn set_bits(bits: &[u8]) -> impl Iterator<Item = u16> {
    let is_set = |octet: u8, bit: u16| octet & (0x80 >> bit) != 0;
    bits.iter()
        .zip(0u16..)
        .flat_map(move |(&octet, i)| (0..8).filter(move |&bit| is_set(octet, bit)).map(move |bit| i * 8 + bit))
}

/// Whether a well-formed field's text gives the same octets again.
///
/// Where it does not, the octets are an encoding that no text stands for.
fn reads_back(kind: Kind, part: &[u8]) -> bool {
    match kind {
        // A zero octet at the end of a bitmap, and a size of zero times ten to some power, are left out by a reader.
        Kind::Services => part.len() == 1 || part.last() != Some(&0),
        Kind::Location => part[1..4].iter().all(|&size| size >> 4 != 0 || size == 0),
        // Text knows two families of addresses.
        Kind::AddressPrefixes => address_prefixes(part).all(|(family, ..)| matches!(family, 1 | 2)),
        Kind::AtmAddress => part[0] <= ATM_E164,
        Kind::SvcParams => SvcParams::new(part).all(|(key, value)| match key.value() {
            // An empty segment cannot be told from no segment at all.
            SvcValue::PathSegments => Strings::new(value).all(|segment| !segment.is_empty()),
            _ => true,
        }),
        _ => true,
    }
}

/// The items of an APL field: family, prefix, whether negated, address octets.
fn address_prefixes(part: &[u8]) -> impl Iterator<Item = (u16, u8, bool, &[u8])> {
    let mut rest = part;
    core::iter::from_fn(move || {
        let (&[family, low, prefix, length], tail) = rest.split_first_chunk()?;
        let (address, tail) = tail.split_at_checked(usize::from(length & 0x7f))?;
        rest = tail;
        Some((u16::from_be_bytes([family, low]), prefix, length & 0x80 != 0, address))
    })
}

/// A line of fields parted by single blanks.
struct Line<'f, 'g> {
    f: &'f mut fmt::Formatter<'g>,
    is_first: bool,
}

impl Line<'_, '_> {
    fn field(&mut self, value: impl fmt::Display) -> fmt::Result {
        if !self.is_first {
            self.f.write_char(' ')?;
        }
        self.is_first = false;
        write!(self.f, "{value}")
    }
}

/// Writes one field that is known to be well-formed; `rdata` is what it is part of.
fn write_field(line: &mut Line<'_, '_>, kind: Kind, part: &[u8], rdata: &[u8]) -> fmt::Result {
    match kind {
        Kind::Name(_) => write_name(line, part),
        Kind::Names => {
            let mut rest = part;
            while let Ok((name, tail)) = Name::from_wire(rest) {
                line.field(name)?;
                rest = tail;
            }
            Ok(())
        }
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::NodeNumber | Kind::Period => line.field(number(part)),
        Kind::Time => line.field(Time(number(part) as u32)),
        Kind::Type => line.field(RType(number(part) as u16)),
        Kind::Code8(mnemonics) | Kind::Code16(mnemonics) => write_code(line, mnemonics, number(part) as u16),
        Kind::Ipv4 => line.field(Ipv4Addr::from(leading(part))),
        Kind::Ipv6 => line.field(Ipv6Addr::from(leading(part))),
        Kind::String | Kind::OptionalString | Kind::Strings => {
            Strings::new(part).try_for_each(|s| line.field(Quoted(s)))
        }
        Kind::Tag => part[1..].iter().enumerate().try_for_each(|(i, &octet)| match i {
            0 => line.field(char::from(octet)),
            _ => line.f.write_char(char::from(octet)),
        }),
        Kind::Text => line.field(Quoted(part)),
        Kind::Base64OrNothing | Kind::Base64OrNoKey if part.is_empty() => Ok(()),
        Kind::Base64OrDash if part.is_empty() => line.field('-'),
        Kind::Base64 | Kind::Base64OrNothing | Kind::Base64OrNoKey | Kind::Base64OrDash => line.field(Base64(part)),
        Kind::Hex => line.field(Hex(part)),
        Kind::Salt if part.len() == 1 => line.field('-'),
        Kind::Salt => line.field(Hex(&part[1..])),
        Kind::HashedOwner => line.field(Base32Hex(&part[1..])),
        Kind::TypeBitmap => types_in_bitmap(part).try_for_each(|rtype| line.field(rtype)),
        Kind::NxtBitmap => set_bits(part).try_for_each(|bit| line.field(RType(bit))),
        Kind::Location => line.field(location::Location(leading(part))),
        Kind::AddressPrefixes => address_prefixes(part).try_for_each(|(family, prefix, is_negated, address)| {
            let sign = if is_negated { "!" } else { "" };
            match family {
                1 => line.field(format_args!("{sign}1:{}/{prefix}", Ipv4Addr::from(leading(address)))),
                _ => line.field(format_args!("{sign}{family}:{}/{prefix}", Ipv6Addr::from(leading(address)))),
            }
        }),
        Kind::Services => {
            line.field(part[0])?;
            set_bits(&part[1..]).try_for_each(|port| line.field(port))
        }
        Kind::SvcParams => SvcParams::new(part).try_for_each(|(key, value)| line.field(SvcParam(key, value))),
        Kind::Eui48 | Kind::Eui64 => part.iter().enumerate().try_for_each(|(i, octet)| match i {
            0 => line.field(format_args!("{octet:02x}")),
            _ => write!(line.f, "-{octet:02x}"),
        }),
        Kind::Ilnp64 => {
            let [a, b, c, d] = [0, 2, 4, 6].map(|at| u16::from_be_bytes([part[at], part[at + 1]]));
            line.field(format_args!("{a:04x}:{b:04x}:{c:04x}:{d:04x}"))
        }
        Kind::Nsap => line.field(format_args!("0x{}", Hex(part))),
        Kind::AtmAddress if part[0] == ATM_E164 => {
            line.field('+')?;
            part[1..].iter().try_for_each(|&digit| line.f.write_char(char::from(digit)))
        }
        Kind::AtmAddress => line.field(Hex(&part[1..])),
        Kind::A6 => {
            let Ok((prefix, octets)) = a6_prefix(part, 0) else { return Err(fmt::Error) };
            line.field(prefix)?;
            if octets > 0 {
                let mut address = [0; 16];
                address[16 - octets..].copy_from_slice(&part[1..1 + octets]);
                line.field(Ipv6Addr::from(address))?;
            }
            if prefix == 0 { Ok(()) } else { write_name(line, &part[1 + octets..]) }
        }
        Kind::Gateway => write_gateway(line, rdata[1], part),
        Kind::Relay => {
            line.field(part[0] >> 7)?;
            line.field(part[0] & RELAY_TYPE_BITS)?;
            write_gateway(line, part[0] & RELAY_TYPE_BITS, &part[1..])
        }
        Kind::Hip => {
            let (hit, key) = part[4..].split_at(usize::from(part[0]));
            line.field(part[1])?;
            line.field(Hex(hit))?;
            line.field(Base64(key))
        }
    }
}

fn write_name(line: &mut Line<'_, '_>, part: &[u8]) -> fmt::Result {
    let (name, _) = Name::from_wire(part).map_err(|_| fmt::Error)?;
    line.field(name)
}

fn write_code(line: &mut Line<'_, '_>, mnemonics: &Mnemonics, number: u16) -> fmt::Result {
    match mnemonics.mnemonic(number) {
        Some(mnemonic) if mnemonics.is_printed => line.field(mnemonic),
        _ => line.field(number),
    }
}

fn write_gateway(line: &mut Line<'_, '_>, gateway_type: u8, part: &[u8]) -> fmt::Result {
    match gateway_type {
        0 => line.field('.'),
        1 => line.field(Ipv4Addr::from(leading(part))),
        2 => line.field(Ipv6Addr::from(leading(part))),
        _ => write_name(line, part),
    }
}

/// One service parameter (RFC 9460 §2.1, Appendix A).
struct SvcParam<'a>(SvcKey, &'a [u8]);

impl fmt::Display for SvcParam<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SvcParam(key, value) = *self;
        write!(f, "{key}")?;
        if value.is_empty() {
            return Ok(());
        }
        f.write_char('=')?;
        let pairs = || value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        match key.value() {
            SvcValue::Nothing => Ok(()),
            SvcValue::Keys => write_list(f, pairs().map(SvcKey)),
            SvcValue::U16 | SvcValue::U16List => write_list(f, pairs()),
            SvcValue::Ipv4List => write_list(f, value.chunks_exact(4).map(|a| Ipv4Addr::from(leading(a)))),
            SvcValue::Ipv6List => write_list(f, value.chunks_exact(16).map(|a| Ipv6Addr::from(leading(a)))),
            SvcValue::Base64 => write!(f, "{}", Base64(value)),
            SvcValue::Utf8 | SvcValue::Opaque => write!(f, "{}", Quoted(value)),
            SvcValue::StringList | SvcValue::PathSegments => {
                f.write_char('"')?;
                for (i, item) in Strings::new(value).enumerate() {
                    if i > 0 {
                        f.write_char(',')?;
                    }
                    for &octet in item {
                        // The list's own escape is an ordinary character to the character string around it.
                        if matches!(octet, b',' | b'\\') {
                            write_in_quotes(f, b'\\')?;
                        }
                        write_in_quotes(f, octet)?;
                    }
                }
                f.write_char('"')
            }
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = impl fmt::Display>) -> fmt::Result {
    for (i, item) in items.enumerate() {
        if i > 0 {
            f.write_char(',')?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

fn write_in_quotes(f: &mut fmt::Formatter<'_>, octet: u8) -> fmt::Result {
    match octet {
        b'"' | b'\\' => {
            f.write_char('\\')?;
            f.write_char(char::from(octet))
        }
        0x20..=0x7e => f.write_char(char::from(octet)),
        _ => write!(f, "\\{octet:03}"),
    }
}

/// A number of up to eight octets.
fn number(part: &[u8]) -> u64 {
    part.iter().fold(0, |number, &octet| number << 8 | u64::from(octet))
}

/// The first octets of `part`, with zeros for those it lacks.
fn leading<const N: usize>(part: &[u8]) -> [u8; N] {
    let mut octets = [0; N];
    let size = part.len().min(N);
    octets[..size].copy_from_slice(&part[..size]);
    octets
}

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
const BASE64_DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32HEX_DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn prints(rtype: RType, rdata: &[u8], text: &str) {
        assert_eq!(Presentation { rtype, rdata }.to_string(), text, "{rtype} {rdata:02x?}");
    }

    #[test]
    fn fields_are_parted_by_one_blank() {
        prints(RType::A, &[192, 0, 2, 1], "192.0.2.1");
        prints(RType::AAAA, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "2001:db8::1");
        prints(RType::MX, b"\x00\x0a\x02mx\x07example\x00", "10 mx.example.");
        prints(
            RType::SOA,
            b"\x01m\x00\x01r\x00\x00\x00\x00\x01\x00\x00\x0e\x10\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04",
            "m. r. 1 3600 2 3 4",
        );
        prints(RType::TXT, b"\x03a\"\\\x00\x02\xc3\xa9", "\"a\\\"\\\\\" \"\" \"\\195\\169\"");
        prints(RType::CAA, b"\x80\x05issueca.example; a=\"b\"", "128 issue \"ca.example; a=\\\"b\\\"\"");
        prints(RType::DNSKEY, b"\x01\x01\x03\x0dfoob", "257 3 13 Zm9vYg==");
        prints(RType::NSEC, b"\x00\x00\x01\x40\x01\x01\x40", ". A CAA");
        prints(RType::NSEC3, b"\x01\x00\x00\x00\x00\x05\xff\x00\xff\x00\xff\x00\x01\x40", "1 0 0 - vs0fu07v A");
        prints(RType::NSEC3PARAM, b"\x01\x00\x00\x0a\x02\xab\xcd", "1 0 10 abcd");
        prints(
            RType::RRSIG,
            b"\x00\x01\x0d\x02\x00\x00\x0e\x10\x7f\xff\xff\xff\x00\x00\x00\x00\x00\x07\x00fo",
            "A 13 2 3600 20380119031407 19700101000000 7 . Zm8=",
        );
    }

    #[test]
    fn rare_types_have_their_own_form() {
        prints(RType::APL, &[0, 1, 8, 0x81, 10, 0, 2, 16, 2, 0x20, 1], "!1:10.0.0.0/8 2:2001::/16");
        prints(RType::WKS, &[192, 0, 2, 1, 6, 0, 0, 0, 0x40], "192.0.2.1 6 25");
        prints(RType::NSAP, &[0x47, 0, 5], "0x470005");
        prints(RType::ATMA, b"\x01358400", "+358400");
        prints(RType::ATMA, b"\x00\x39\x24", "3924");
        prints(RType::EUI48, &[0, 0, 0x5e, 0, 0x53, 0x2a], "00-00-5e-00-53-2a");
        prints(RType::NID, &[0, 10, 0, 0x14, 0x4f, 0xff, 0xff, 0x20, 0xee, 0x64], "10 0014:4fff:ff20:ee64");
        prints(RType::L32, &[0, 10, 10, 1, 2, 0], "10 10.1.2.0");
        prints(RType::IPSECKEY, b"\x0a\x00\x02k", "10 0 2 . aw==");
        prints(RType::IPSECKEY, b"\x0a\x03\x00\x01g\x00", "10 3 0 g.");
        prints(RType::AMTRELAY, b"\x0a\x81\xc0\x00\x02\x01", "10 1 1 192.0.2.1");
        prints(RType::AMTRELAY, b"\x0a\x00", "10 0 0 .");
        prints(RType::HIP, b"\x02\x02\x00\x01\x20\x01K\x03rvs\x00", "2 2001 Sw== rvs.");
        prints(RType::DSYNC, b"\x00\x3b\x01\x14\xeb\x01n\x00", "CDS NOTIFY 5355 n.");
        prints(RType::DOA, b"\x00\x00\x00\x01\x00\x00\x00\x02\x01\x01t", "1 2 1 \"t\" -");
        prints(RType::A6, b"\x80\x01p\x00", "128 p.");
        prints(RType::IPN, &[0, 0, 0, 1, 0, 0, 0, 2], "4294967298");
        prints(RType::NXT, b"\x00\x42", ". A SOA");
    }

    #[test]
    fn service_parameters_keep_commas_apart_from_separators() {
        let text =
            "1 . alpn=\"h2,a\\\\,b\\\\\\\\\" no-default-alpn port=443 ipv4hint=192.0.2.1,192.0.2.2 key667=\"\\255\"";
        let wire = [
            &b"\x00\x01\x00\x00\x01\x00\x08\x02h2\x04a,b\\\x00\x02\x00\x00\x00\x03\x00\x02\x01\xbb"[..],
            b"\x00\x04\x00\x08\xc0\x00\x02\x01\xc0\x00\x02\x02\x02\x9b\x00\x01\xff",
        ]
        .concat();
        prints(RType::HTTPS, &wire, text);
        prints(RType::SVCB, b"\x00\x00\x01t\x00", "0 t.");
    }

    #[test]
    fn what_has_no_text_is_generic() {
        prints(RType(65280), b"\xab\xcd", "\\# 2 abcd");
        prints(RType::NULL, b"", "\\# 0");
        prints(RType::A, b"\xc0", "\\# 1 c0");
        prints(RType::APL, b"", "\\# 0");
        prints(RType::APL, &[0, 3, 8, 0], "\\# 4 00030800");
        prints(RType::WKS, &[192, 0, 2, 1, 6, 0], "\\# 6 c00002010600");
    }

    #[test]
    fn the_calendar_knows_leap_years_and_the_last_second() {
        for (seconds, text) in [
            (951_782_400, "20000229000000"),
            (951_868_799, "20000229235959"),
            (951_868_800, "20000301000000"),
            (1_735_689_599, "20241231235959"),
            (4_107_542_399, "21000228235959"),
            (4_107_542_400, "21000301000000"),
            (u32::MAX, "21060207062815"),
        ] {
            assert_eq!(Time(seconds).to_string(), text);
        }
    }
}
