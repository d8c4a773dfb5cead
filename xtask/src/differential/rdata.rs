//! Text of valid RDATA of every type of the table, written by other rules than our own writer's.

use std::fmt::Write as _;

use nss_wire::rdata::table::ROWS;
use nss_wire::rdata::{Kind, Mnemonics, TypeInfo, info};
use nss_wire::{NameBuf, RType};
use nss_zonefile::Options;
use rand::RngExt;

use super::text::{APEX, Pen, ttl};

/// Types that NSD, Knot and BIND all know by name; what has another type is read by some of them alone.
const COMMON: [RType; 44] = [
    RType::A,
    RType::NS,
    RType::CNAME,
    RType::PTR,
    RType::HINFO,
    RType::MINFO,
    RType::MX,
    RType::TXT,
    RType::RP,
    RType::AFSDB,
    RType::RT,
    RType::KEY,
    RType::AAAA,
    RType::LOC,
    RType::SRV,
    RType::NAPTR,
    RType::KX,
    RType::CERT,
    RType::DNAME,
    RType::APL,
    RType::SSHFP,
    RType::IPSECKEY,
    RType::RRSIG,
    RType::NSEC,
    RType::DNSKEY,
    RType::DHCID,
    RType::NSEC3,
    RType::NSEC3PARAM,
    RType::TLSA,
    RType::SMIMEA,
    RType::CDS,
    RType::CDNSKEY,
    RType::OPENPGPKEY,
    RType::CSYNC,
    RType::SVCB,
    RType::HTTPS,
    RType::SPF,
    RType::NID,
    RType::L32,
    RType::L64,
    RType::EUI48,
    RType::EUI64,
    RType::URI,
    RType::CAA,
];

/// A type that all peers know, or once in a while any that BIND knows.
pub(super) fn rtype(pen: &mut Pen<'_>) -> RType {
    if !pen.quirk() {
        return *pen.one(&COMMON);
    }
    loop {
        let row = pen.one(ROWS);
        if ![RType::SOA, RType::CLA, RType::IPN].contains(&row.rtype) {
            return row.rtype;
        }
    }
}

/// The type as it stands in a record: by name in any letter case, or by number.
pub(super) fn type_word(pen: &mut Pen<'_>, rtype: RType) -> String {
    match pen.random_range(0..10) {
        0 => format!("TYPE{}", rtype.0),
        1 => rtype.to_string().to_ascii_lowercase(),
        _ => rtype.to_string(),
    }
}

/// Type and RDATA of a record, the RDATA by its fields or in the generic form of RFC 3597 §5.
pub(super) fn record(pen: &mut Pen<'_>) -> String {
    let rtype = rtype(pen);
    let row = info(rtype).expect("all types of the list have a row");
    let data = fields(pen, row);
    if pen.random_bool(0.1)
        && let Some(octets) = wire(rtype, &data)
    {
        return format!("{} {}", type_word(pen, rtype), generic(pen, &octets));
    }
    // RFC 3597 §5 has the generic form alone behind TYPEnnn; many servers read the other one, too.
    format!("{} {data}", if pen.random_bool(0.1) { rtype.to_string().to_lowercase() } else { rtype.to_string() })
}

/// The octets of a text of ours, for the generic form: BIND has to find in them what we found.
fn wire(rtype: RType, data: &str) -> Option<Vec<u8>> {
    let apex: NameBuf = APEX.parse().expect("a name");
    let text = format!("@ 1 {rtype} {data}\n");
    let records = nss_zonefile::read(text.as_bytes(), &Options::for_zone(apex.as_name())).ok()?;
    Some(records.into_iter().next()?.0.rdata)
}

fn generic(pen: &mut Pen<'_>, octets: &[u8]) -> String {
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("\\# {} {}", octets.len(), pieces(pen, &digits, 2))
}

/// The fields of a record with blanks, and now and then lines, between them.
pub(super) fn fields(pen: &mut Pen<'_>, row: &TypeInfo) -> String {
    let words = match row.rtype {
        RType::IPSECKEY => {
            let (gateway_type, gateway) = gateway(pen);
            format!("10 {gateway_type} 2 {gateway} {}", base64(pen, 1, 40))
        }
        RType::RRSIG | RType::SIG => format!(
            // BIND wants the signer to have no more labels than are signed.
            "{} 13 3 {} {} {} {} {} {}",
            pen.one(&["A", "NS", "TXT", "TYPE65280"]),
            number(pen, 0, 100_000),
            time(pen, 2020..=2030),
            time(pen, 2000..=2019),
            number(pen, 0, 65_535),
            pen.one(&["example.com.", "@", "a.\\120.example.", "Example.NET."]),
            base64(pen, 64, 64)
        ),
        // Knot wants addresses of name servers in the zone.
        RType::NS => format!("ns{}.Example.net.", pen.random::<u8>()),
        RType::DNSKEY | RType::CDNSKEY | RType::KEY | RType::RKEY => {
            // BIND wants RKEY without flags.
            let flags = if row.rtype == RType::RKEY { "0" } else { pen.one(&["256", "257"]) };
            format!("{flags} 3 {} {}", pen.one(&["13", "ECDSAP256SHA256"]), base64(pen, 64, 64))
        }
        RType::DS | RType::CDS | RType::DLV | RType::TA => {
            let (digest, size) = *pen.one(&[(1, 20), (2, 32), (4, 48)]);
            format!("{} {} {digest} {}", number(pen, 0, 65_535), number(pen, 8, 8), hex(pen, size, size))
        }
        RType::SSHFP => {
            let (kind, size) = *pen.one(&[(1, 20), (2, 32)]);
            format!("{} {kind} {}", number(pen, 1, 4), hex(pen, size, size))
        }
        RType::ZONEMD => format!("1 1 1 {}", hex(pen, 48, 48)),
        RType::CERT => format!(
            "{} 0 {} {}",
            pen.one(&["1", "PKIX", "253", "URI"]),
            pen.one(&["0", "8", "RSASHA256"]),
            base64(pen, 1, 40)
        ),
        RType::NSEC3 => format!(
            "1 {} {} {} {}{}",
            number(pen, 0, 1),
            number(pen, 0, 50),
            salt(pen),
            "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
            types(pen, 65_535)
        ),
        RType::NSEC3PARAM => format!("1 0 {} {}", number(pen, 0, 50), salt(pen)),
        RType::CSYNC => format!("{} {}{}", number(pen, 0, u32::MAX), number(pen, 0, 3), types(pen, 65_535)),
        RType::EUI48 => format!("00-00-5e-00-53-{:02x}", pen.random::<u8>()),
        RType::NAPTR => {
            let flag = pen.one(&["\"S\"", "\"A\"", "\"U\"", "\"\"", "s"]);
            let (expression, target) = *pen.one(&[("\"!^.*$!sip:x@example!\"", "."), ("\"\"", "t.example.net.")]);
            format!("{} {} {flag} \"SIP+D2U\" {expression} {target}", number(pen, 0, 65_535), number(pen, 0, 9))
        }
        RType::CAA => format!(
            "{} {} {}",
            pen.one(&["0", "128"]),
            pen.one(&["issue", "issuewild", "iodef", "tbs"]),
            pen.one(&["\"ca.example; k=v\"", "\";\"", "ca.example", "\"mailto:a@example.net\""])
        ),
        RType::GPOS => "10.5 -20.25 100".to_owned(),
        RType::X25 => "\"311061700956\"".to_owned(),
        _ => row.fields.iter().map(|field| self::field(pen, field.kind)).collect::<Vec<_>>().join(" "),
    };
    spread(pen, words.trim_end())
}

/// A value for a field by its kind, where that is all there is to know.
fn field(pen: &mut Pen<'_>, kind: Kind) -> String {
    match kind {
        Kind::Name(_) => name(pen),
        Kind::Names => (0..pen.random_range(0..3)).map(|_| name(pen)).collect::<Vec<_>>().join(" "),
        Kind::U8 => number(pen, 0, 255),
        Kind::U16 => number(pen, 0, 65_535),
        Kind::U32 => number(pen, 0, u32::MAX),
        Kind::NodeNumber => pen.random::<u64>().to_string(),
        Kind::Period => ttl(pen),
        Kind::Time => time(pen, 1971..=2100),
        Kind::Type => "CDS".to_owned(),
        Kind::Code8(mnemonics) | Kind::Code16(mnemonics) => code(pen, mnemonics),
        Kind::Ipv4 => format!("192.0.2.{}", pen.random::<u8>()),
        Kind::Ipv6 => ipv6(pen),
        Kind::String => string(pen),
        Kind::OptionalString => (0..pen.random_range(0..2)).map(|_| string(pen)).collect(),
        Kind::Strings => (0..pen.random_range(1..5)).map(|_| string(pen)).collect::<Vec<_>>().join(" "),
        Kind::Tag => "issue".to_owned(),
        Kind::Text => format!("\"https://example.net/{}\"", pen.random::<u8>()),
        Kind::Base64 => base64(pen, 1, 40),
        Kind::Base64OrNothing | Kind::Base64OrNoKey => base64(pen, 1, 40),
        Kind::Base64OrDash => pen.one(&["-", "AQID"]).to_string(),
        Kind::Hex => hex(pen, 1, 40),
        Kind::Salt => salt(pen),
        Kind::HashedOwner => "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom".to_owned(),
        Kind::TypeBitmap => types(pen, 65_535),
        Kind::NxtBitmap => types(pen, 127),
        Kind::Location => location(pen),
        Kind::AddressPrefixes => prefixes(pen),
        Kind::Services => "6 25 53 80".to_owned(),
        Kind::SvcParams => svc_params(pen),
        Kind::Eui48 => "00-00-5e-00-53-2a".to_owned(),
        Kind::Eui64 => format!("00-00-5E-ef-10-00-00-{:02x}", pen.random::<u8>()),
        // Knot wants four digits in each group.
        Kind::Ilnp64 if pen.quirk() => format!("2001:db8:0:{:x}", pen.random::<u16>()),
        Kind::Ilnp64 => format!("2001:0DB8:{:04x}:{:04x}", pen.random::<u16>(), pen.random::<u16>()),
        Kind::Nsap => "0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00".to_owned(),
        Kind::AtmAddress => "39.246f.00.0e7c9c.0312.0001.0001.000012345678.00".to_owned(),
        Kind::A6 => pen.one(&["0 2001:db8::1", "64 ::1 net.example.com."]).to_string(),
        Kind::Gateway => gateway(pen).1,
        Kind::Relay => {
            let (relay_type, relay) = gateway(pen);
            format!("{} {relay_type} {relay}", number(pen, 0, 1))
        }
        Kind::Hip => format!("2 200100107B1A74DF365639CC39F1D578 {}", base64_word(pen, 8, 40)),
    }
}

/// Now and then in parentheses, over several lines, with comments.
fn spread(pen: &mut Pen<'_>, words: &str) -> String {
    // Quoted blanks must stay as they are, so that only texts without quotes are taken apart.
    if words.contains('"') || words.contains('\\') {
        return match pen.random_range(0..6) {
            0 => format!("( {words} )"),
            1 => format!("(\n\t{words}\n )"),
            _ => words.to_owned(),
        };
    }
    let tokens: Vec<&str> = words.split(' ').filter(|token| !token.is_empty()).collect();
    match pen.random_range(0..10) {
        0 => format!("({})", tokens.join(" ")),
        1 => format!("( {}\n)", tokens.join(" ; \"(a comment\n\t")),
        2 => format!("{} (\n  {} ) ; end", tokens[0], tokens[1..].join("\n\n  ")),
        3 => tokens.iter().map(|token| format!("({token})")).collect::<Vec<_>>().join(" "),
        4 => tokens.join("\t \t"),
        _ => tokens.join(" "),
    }
}

fn number(pen: &mut Pen<'_>, low: u32, high: u32) -> String {
    match pen.random_range(0..12) {
        0 => low.to_string(),
        1 => high.to_string(),
        2 => format!("0{}", pen.random_range(low..=high)),
        _ => pen.random_range(low..=high).to_string(),
    }
}

fn code(pen: &mut Pen<'_>, mnemonics: &Mnemonics) -> String {
    let (number, mnemonic) = *pen.one(mnemonics.entries);
    if pen.random_bool(0.3) && !mnemonic.contains(' ') { mnemonic.to_owned() } else { number.to_string() }
}

/// A name in RDATA: absolute, relative, the origin or the root, some with escapes.
pub(super) fn name(pen: &mut Pen<'_>) -> String {
    let n: u8 = pen.random();
    match pen.random_range(0..12) {
        0 => "@".to_owned(),
        1 => format!("h{n}"),
        2 => format!("\\{n:03}x.example.net."),
        3 => format!("a\\.b{n}.example.net."),
        4 => format!("\\@{n}\\;\\(\\).example.net."),
        5 => format!("{}.{}.example.net.", "y".repeat(63), "z".repeat(62)),
        6 => format!("Upper{n}.EXAMPLE.net."),
        7 => format!("_u{n}-.example.net."),
        _ => format!("t{n}.example.net."),
    }
}

fn ipv6(pen: &mut Pen<'_>) -> String {
    let n: u16 = pen.random();
    match pen.random_range(0..7) {
        0 => format!("2001:0db8:0000:0000:0000:0000:0000:{n:04X}"),
        1 => "::".to_owned(),
        2 => format!("::ffff:192.0.2.{}", n % 256),
        3 => format!("2001:db8:1:2:3:4:5:{n:x}"),
        4 => format!("::{n:x}"),
        5 => "2001:db8::".to_owned(),
        _ => format!("2001:db8::{n:x}"),
    }
}

/// A character string, quoted or not, with what has to be escaped.
fn string(pen: &mut Pen<'_>) -> String {
    let n: u8 = pen.random();
    // NSD takes neither @ nor a word that starts with a dollar sign.
    if pen.quirk() {
        return pen.one(&["@", "$ORIGIN"]).to_string();
    }
    match pen.random_range(0..12) {
        0 => format!("plain{n}"),
        1 => "\"\"".to_owned(),
        2 => format!("\"\\{n:03}\""),
        3 => format!("es\\caped\\{n:03}"),
        4 => "\"a \\\"b\\\" ; (c) \\\\\"".to_owned(),
        5 => "\\\"".to_owned(),
        6 => "a\\;b\\ c".to_owned(),
        7 => format!("\"{}\"", "x".repeat(255)),
        8 => "\"v=spf1 include:_spf.example.net ~all\"".to_owned(),
        9 => "\"tab\there\"".to_owned(),
        10 => "\"k=rsa; p=MIGf\"".to_owned(),
        _ => format!("\"quoted {n}\""),
    }
}

fn octets(pen: &mut Pen<'_>, low: usize, high: usize) -> Vec<u8> {
    (0..pen.random_range(low..=high)).map(|_| pen.random()).collect()
}

/// Cut into pieces here and there, at multiples of `unit` as all peers want it.
fn pieces(pen: &mut Pen<'_>, digits: &str, unit: usize) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % unit == 0 && pen.random_bool(0.05) {
            text.push(' ');
        }
        text.push(if pen.random_bool(0.5) && unit == 2 { digit.to_ascii_uppercase() } else { digit });
    }
    text
}

fn hex(pen: &mut Pen<'_>, low: usize, high: usize) -> String {
    let digits: String = octets(pen, low, high).iter().map(|octet| format!("{octet:02x}")).collect();
    pieces(pen, &digits, 2)
}

fn salt(pen: &mut Pen<'_>) -> String {
    pen.one(&["-", "ab", "AABBccdd"]).to_string()
}

fn base64(pen: &mut Pen<'_>, low: usize, high: usize) -> String {
    let word = base64_word(pen, low, high);
    pieces(pen, &word, 4)
}

fn base64_word(pen: &mut Pen<'_>, low: usize, high: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets(pen, low, high).chunks(3) {
        let bits = group.iter().fold(0u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// BIND refuses signatures that expire before their inception, and NSD times that are numbers.
fn time(pen: &mut Pen<'_>, years: std::ops::RangeInclusive<u32>) -> String {
    if pen.quirk() {
        return pen.random_range(1_600_000_000..1_900_000_000_u32).to_string();
    }
    let year = pen.random_range(years);
    let mut part = |low: u32, high: u32| pen.random_range(low..=high);
    format!("{year:04}{:02}{:02}{:02}{:02}{:02}", part(1, 12), part(1, 28), part(0, 23), part(0, 59), part(0, 59))
}

/// A list of types, each with a blank before it.
fn types(pen: &mut Pen<'_>, number_max: u16) -> String {
    const LIST: [u16; 12] = [1, 2, 5, 6, 15, 16, 28, 46, 47, 257, 1234, 65_280];
    let mut text = String::new();
    for _ in 0..pen.random_range(1..8) {
        let number = *pen.one(&LIST);
        if number <= number_max {
            let rtype = RType(number);
            let _ = if pen.random_bool(0.2) { write!(text, " TYPE{number}") } else { write!(text, " {rtype}") };
        }
    }
    text
}

fn location(pen: &mut Pen<'_>) -> String {
    pen.one(&[
        "52 N 4 E 0m",
        "52 22 N 4 53 E -2.00m",
        "52 22 23.000 N 4 53 32.000 E 2.00m 0m 10000m 10m",
        "90 0 0 S 180 0 0 W 42849672.95m 90000000.00m",
        "42 21 54 N 71 06 18 W -24m 30m",
        "0 0 0.001 N 0 0 0.999 E -100000m 1m 1m 1m",
    ])
    .to_string()
}

fn prefixes(pen: &mut Pen<'_>) -> String {
    pen.one(&["1:192.0.2.0/24", "!1:192.0.2.1/32 2:2001:db8::/32", "1:0.0.0.0/0 !2:::/0", "2:ff00::/8"]).to_string()
}

fn gateway(pen: &mut Pen<'_>) -> (u8, String) {
    match pen.random_range(0..4) {
        0 => (0, ".".to_owned()),
        1 => (1, "192.0.2.1".to_owned()),
        2 => (2, ipv6(pen)),
        _ => (3, "gw.example.net.".to_owned()),
    }
}

fn svc_params(pen: &mut Pen<'_>) -> String {
    let all = [
        "alpn=h2",
        "alpn=\"h2,h3\"",
        "port=8443",
        "ipv4hint=192.0.2.1,192.0.2.2",
        "ipv6hint=\"2001:db8::1\"",
        "ech=AQID",
        "key65280=abc",
        "key65281=\"a b\"",
        "key65282",
        "mandatory=alpn alpn=h2",
        "no-default-alpn alpn=h2",
    ];
    let mut params: Vec<&str> = Vec::new();
    for _ in 0..pen.random_range(0..4) {
        let param = *pen.one(&all);
        let key = |param: &str| param.split(['=', ' ']).next().map(str::to_owned);
        let has_alpn = |param: &str| param.contains("alpn");
        if params.iter().all(|other| key(other) != key(param) && !(has_alpn(other) && has_alpn(param))) {
            params.push(param);
        }
    }
    params.join(" ")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::text::Quirks;
    use super::*;

    #[test]
    fn rdata_of_every_type_is_valid() {
        let apex: NameBuf = APEX.parse().unwrap();
        for row in ROWS {
            for seed in 0..50 {
                let mut rng = StdRng::seed_from_u64(seed);
                let text = format!("@ 1 {} {}\n", row.rtype, fields(&mut Pen::new(&mut rng, Quirks::Some), row));
                if let Err(errors) = nss_zonefile::read(text.as_bytes(), &Options::for_zone(apex.as_name())) {
                    panic!("{}\n{text}", errors[0].report());
                }
            }
        }
    }

    #[test]
    fn base64_is_padded() {
        for seed in 0..20 {
            let mut rng = StdRng::seed_from_u64(seed);
            assert_eq!(base64_word(&mut Pen::new(&mut rng, Quirks::None), 1, 9).len() % 4, 0);
        }
    }
}
