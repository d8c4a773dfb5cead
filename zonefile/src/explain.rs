//! What was probably meant: mistakes that people really make, told by the text that is wrong.
//!
//! The reader says what it expected. Here the text that it found is looked at once more, only when there is something
//! to tell, so that reading stays as fast as it is.

use core::net::{Ipv4Addr, Ipv6Addr};

use nss_wire::{RType, Rule};

use crate::error::{ErrorKind, FieldError};
use crate::record;
use crate::report::Excerpt;
use crate::rules;

/// A rule that says more than that of the error's kind.
pub(crate) struct Narrower {
    pub(crate) rule: &'static Rule,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// The narrower rule that `kind` at this text breaks, if it is one of the common mistakes.
pub(crate) fn narrower(kind: &ErrorKind, excerpt: &Excerpt) -> Option<Narrower> {
    let is_about_a_word = matches!(
        kind,
        ErrorKind::Field { .. } | ErrorKind::UnknownType | ErrorKind::BadTtl | ErrorKind::ExtraField { .. }
    ) || matches!(kind, ErrorKind::Quoted | ErrorKind::Name(_) | ErrorKind::UnknownDirective);
    // A blank that is none makes one word of two, and what is missed then stands behind it.
    let is_about_the_head = matches!(kind, ErrorKind::UnknownType | ErrorKind::BadTtl | ErrorKind::MissingType);
    let before = excerpt.before().filter(|_| is_about_the_head || *kind == ErrorKind::Quoted).unwrap_or_default();
    let found = pasted(&excerpt.found).filter(|_| is_about_a_word).or_else(|| pasted(before.as_bytes()));
    if let Some((character, plain)) = found {
        return Some(Narrower {
            rule: &rules::PASTED_CHARACTER,
            message: format!("the character U+{:04X}, which was probably pasted from a web page", u32::from(character)),
            help: format!("write {plain} instead"),
        });
    }
    match kind {
        ErrorKind::UnknownType | ErrorKind::BadTtl | ErrorKind::Quoted | ErrorKind::MissingType => entry(kind, excerpt),
        ErrorKind::Field { rtype, error: FieldError::Form { expected }, .. } if expected.starts_with("an IPv") => {
            address(*rtype, excerpt)
        }
        ErrorKind::Generated { kind, .. } => narrower(kind, excerpt),
        _ => None,
    }
}

/// What to write instead, where only the text shows it.
pub(crate) fn help(kind: &ErrorKind, excerpt: &Excerpt) -> Option<String> {
    let found = str::from_utf8(&excerpt.found).ok()?;
    match kind {
        ErrorKind::ControlCharacter { octet: 0 } if excerpt.looks_like_utf_16() => {
            Some("the file looks as if it were in UTF-16: save it as UTF-8".to_owned())
        }
        ErrorKind::Field { error: FieldError::StringTooLong, .. } => split_string(found),
        ErrorKind::BadTtl if found.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.') => Some(
            "a TTL is a whole number; an address stands behind the type: put A before it".to_owned(),
        ),
        ErrorKind::UnknownType if found == "@" => {
            Some("a name stands at the very start of its line, without a blank before it".to_owned())
        }
        ErrorKind::UnknownType => {
            let upper = found.to_ascii_uppercase();
            let near = RType::REGISTERED.iter().filter_map(|rtype| rtype.mnemonic()).find(|it| is_near(it, &upper))?;
            Some(format!("is {near} meant? A type without a mnemonic is written TYPEnnn (RFC 3597 §5)"))
        }
        ErrorKind::ExtraField { rtype: RType::A | RType::AAAA } => {
            Some("each address has a record of its own, on a line of its own".to_owned())
        }
        ErrorKind::ExtraField { .. } => Some("remove it, or begin a new line before it".to_owned()),
        ErrorKind::MissingField { rtype: RType::MX, .. } => {
            Some("MX data is a preference and a host, such as \"10 mail.example.com.\"".to_owned())
        }
        ErrorKind::MissingField { rtype: RType::SRV, .. } => {
            Some("SRV data is priority, weight, port and host, such as \"0 5 5060 sip.example.com.\"".to_owned())
        }
        ErrorKind::MissingField { rtype: RType::SOA, .. } => Some(
            "SOA data is: primary server, mailbox, serial, refresh, retry, expire, minimum; a line that goes on needs ( before its end"
                .to_owned(),
        ),
        ErrorKind::Field { rtype: RType::MX, error: FieldError::Number { .. }, .. } => {
            Some("the preference stands before the host, such as \"10 mail.example.com.\"".to_owned())
        }
        _ => None,
    }
}

/// The text that says how the data of a type is written.
pub(crate) fn reference(kind: &ErrorKind) -> &'static str {
    let rtype = match kind {
        ErrorKind::MissingField { rtype, .. }
        | ErrorKind::ExtraField { rtype }
        | ErrorKind::Field { rtype, .. }
        | ErrorKind::Rdata { rtype, .. }
        | ErrorKind::GenericRdata { rtype, .. } => *rtype,
        ErrorKind::Generated { kind, .. } => return reference(kind),
        _ => return "",
    };
    match rtype {
        RType::A => "RFC 1035 §3.4.1",
        RType::AAAA => "RFC 3596 §2.4",
        RType::CNAME => "RFC 1035 §3.3.1",
        RType::HINFO => "RFC 1035 §3.3.2",
        RType::MX => "RFC 1035 §3.3.9",
        RType::NS => "RFC 1035 §3.3.11",
        RType::PTR => "RFC 1035 §3.3.12",
        RType::SOA => "RFC 1035 §3.3.13",
        RType::TXT => "RFC 1035 §3.3.14",
        RType::LOC => "RFC 1876 §3",
        RType::SRV => "RFC 2782",
        RType::NAPTR => "RFC 3403 §4.1",
        RType::APL => "RFC 3123 §5",
        RType::CERT => "RFC 4398 §2.2",
        RType::DNAME => "RFC 6672 §2.1",
        RType::DS | RType::CDS => "RFC 4034 §5.3",
        RType::DNSKEY | RType::CDNSKEY => "RFC 4034 §2.2",
        RType::RRSIG => "RFC 4034 §3.2",
        RType::NSEC => "RFC 4034 §4.2",
        RType::NSEC3 => "RFC 5155 §3.3",
        RType::NSEC3PARAM => "RFC 5155 §4.3",
        RType::SSHFP => "RFC 4255 §3.2",
        RType::IPSECKEY => "RFC 4025 §3.1",
        RType::TLSA => "RFC 6698 §2.2",
        RType::SMIMEA => "RFC 8162 §2",
        RType::OPENPGPKEY => "RFC 7929 §2.3",
        RType::CSYNC => "RFC 7477 §2.1.2",
        RType::ZONEMD => "RFC 8976 §2.3",
        RType::SVCB | RType::HTTPS => "RFC 9460 §2.1",
        RType::URI => "RFC 7553 §4",
        RType::CAA => "RFC 8659 §4.1.1",
        RType::HIP => "RFC 8005 §6",
        _ => "",
    }
}

/// How to write a string of more than 255 octets as several.
fn split_string(found: &str) -> Option<String> {
    let text = found.trim_matches('"');
    // An escape must not be cut; who writes them into long texts can split by hand.
    if text.contains('\\') || found.len() > SPLIT_MAX {
        return None;
    }
    let mut pieces: Vec<String> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut at = rest.len().min(255);
        while !rest.is_char_boundary(at) {
            at -= 1;
        }
        pieces.push(format!("\"{}\"", &rest[..at]));
        rest = &rest[at..];
    }
    Some(format!("write it as several strings, which are read as one text:\n( {} )", pieces.join("\n  ")))
}

/// The octets of a string for which the split is written out.
const SPLIT_MAX: usize = 2000;

/// Mistakes in what stands before the data.
fn entry(kind: &ErrorKind, excerpt: &Excerpt) -> Option<Narrower> {
    let found = str::from_utf8(&excerpt.found).ok()?;
    let before = excerpt.before()?;
    let mut words = before.split_whitespace();
    let first = words.next();
    if let Some(first) = first
        && words.next().is_none()
        && before.starts_with(first)
        && *kind != ErrorKind::MissingType
        && is_mnemonic(first)
    {
        return Some(Narrower {
            rule: &rules::LOST_INDENT,
            message: format!("the line starts with {first}, which is taken for the name that the record belongs to"),
            help: "start the line with a blank to go on with the name above, or with the name".to_owned(),
        });
    }
    // `MissingType` points behind the last word, which then may be type and data in one.
    let word = match kind {
        ErrorKind::MissingType => before.split_whitespace().next_back()?,
        ErrorKind::UnknownType => found,
        _ => return None,
    };
    let (rtype, data) = run_together(word)?;
    Some(Narrower {
        rule: &rules::MISSING_BLANK,
        message: format!("no blank between {rtype} and its data in \"{}\"", word.escape_debug()),
        help: format!("write {rtype} {data}"),
    })
}

/// A type and an address that stand together for want of a blank, which some editors eat with the tabs.
fn run_together(word: &str) -> Option<(&str, &str)> {
    let is_address = |text: &str| text.parse::<Ipv4Addr>().is_ok() || text.parse::<Ipv6Addr>().is_ok();
    let mut ends = (1..word.len()).filter(|&at| word.is_char_boundary(at));
    ends.find_map(|at| {
        let (head, data) = word.split_at(at);
        let type_at = if head.to_ascii_uppercase().ends_with("AAAA") { at.checked_sub(4)? } else { at - 1 };
        let rtype = head.get(type_at..)?;
        (matches!(rtype, "A" | "AAAA" | "a" | "aaaa") && is_address(data)).then_some((rtype, data))
    })
}

/// What stands where an address should.
fn address(rtype: RType, excerpt: &Excerpt) -> Option<Narrower> {
    let found = str::from_utf8(&excerpt.found).ok()?;
    match rtype {
        RType::AAAA if found.parse::<Ipv4Addr>().is_ok() => Some(Narrower {
            rule: &rules::IPV4_IN_AAAA,
            message: format!("{found} is an IPv4 address, and AAAA is for IPv6"),
            help: format!("write A {found}"),
        }),
        RType::A if found.parse::<Ipv6Addr>().is_ok() => Some(Narrower {
            rule: &rules::IPV6_IN_A,
            message: format!("{found} is an IPv6 address, and A is for IPv4"),
            help: format!("write AAAA {found}"),
        }),
        RType::A | RType::AAAA if is_host(found) => Some(Narrower {
            rule: &rules::NAME_AS_ADDRESS,
            message: format!("\"{found}\" is a name, and {rtype} wants an address"),
            help: format!(
                "write the address of that host, or, at a name with no other records, CNAME {}.",
                found.trim_end_matches('.')
            ),
        }),
        _ => None,
    }
}

/// Letters somewhere in the last label, and otherwise what host names are made of.
fn is_host(text: &str) -> bool {
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    text.contains('.')
        && last.len() > 1
        && last.bytes().all(|octet| octet.is_ascii_alphabetic())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_'))
}

/// A type in capital letters, as people write types and hardly ever hosts.
fn is_mnemonic(word: &str) -> bool {
    let is_capital = word.bytes().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit());
    is_capital && record::rtype(word.as_bytes()).is_some()
}

/// Whether one letter more, less or otherwise, or two swapped, makes one word of the other.
fn is_near(one: &str, other: &str) -> bool {
    let (a, b) = (one.as_bytes(), other.as_bytes());
    if a.len().abs_diff(b.len()) > 1 || a.len() < 2 || b.len() < 2 || b.len() > 12 {
        return false;
    }
    let shorter = a.len().min(b.len());
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let rest = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count().min(shorter - start);
    if a.len() != b.len() {
        return start + rest == shorter;
    }
    let is_swap = start + rest + 2 == shorter && a[start] == b[start + 1] && a[start + 1] == b[start];
    start + rest + 1 >= shorter || is_swap
}

/// The first character that word processors put in the place of a plain one, and that plain one in words.
pub(crate) fn pasted(text: &[u8]) -> Option<(char, &'static str)> {
    let characters = text.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
    characters.filter_map(|character| Some((character, plain(character)?))).next()
}

/// What stands for a typographic character in plain text, in words.
pub(crate) fn plain(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{2033}' | '\u{ab}' | '\u{bb}' => "a plain \"",
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' => "a plain '",
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => "a plain blank",
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => "nothing",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "a plain -",
        '\u{ff0e}' | '\u{3002}' => "a plain .",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::{Options, read};

    /// The code, message and help of the only mistake in a text.
    #[track_caller]
    fn check(text: &str, code: &str, help: &str) {
        let options =
            Options { origin: Some("example.com".parse().unwrap()), default_ttl: Some(60), ..Options::default() };
        let errors = read(text.as_bytes(), &options).unwrap_err();
        let diagnostic = errors[0].diagnostic();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(diagnostic.rule.code.to_string(), code, "{diagnostic}");
        assert!(diagnostic.to_string().contains(help), "{diagnostic}");
        assert_eq!(errors[0].rule(), diagnostic.rule);
    }

    #[test]
    fn an_address_of_the_other_family_has_the_other_type() {
        check("a AAAA 192.0.2.1\n", "Z0047", "write A 192.0.2.1");
        check("a A 2001:db8::1\n", "Z0048", "write AAAA 2001:db8::1");
        check("a A 192.0.2.256\n", "Z0050", "192.0.2.1");
        check("a A www.example.net.\n", "Z0049", "CNAME www.example.net.");
        check("a A www\n", "Z0050", "192.0.2.1");
    }

    #[test]
    fn a_blank_that_an_editor_ate_is_missed_where_it_was() {
        check("wwwA192.0.2.1\n", "Z0034", "write A 192.0.2.1");
        check("www AAAA2001:db8::1\n", "Z0034", "write AAAA 2001:db8::1");
        check("MX mail 10\n", "Z0035", "start the line with a blank");
        check("NS ns1.example.net.\n", "Z0035", "NS");
        check("A 192.0.2.1\n", "Z0035", "start the line with a blank");
        check("www FOO 192.0.2.1\n", "Z0025", "TYPEnnn");
        check("www CNMAE x\n", "Z0025", "is CNAME meant?");
        check("www AAA ::1\n", "Z0025", "is AAAA meant?");
    }

    /// Whatever a field consists of, the mark is at the part of it that is wrong.
    #[test]
    fn a_mark_points_into_the_field() {
        for (data, marked) in [
            ("HTTPS 1 . alpn=h2 port=x", "x"),
            ("HTTPS 1 . ipv4hint=192.0.2.1,192.0.2.256", "192.0.2.256"),
            ("HTTPS 1 . mandatory=alpn,color alpn=h2", "color alpn=h2"),
            ("NSEC a A FOO TXT", "FOO"),
            ("DNSKEY 257 3 13 AAAA BB*B", "*B"),
            ("DS 1 13 2 abcg", "g"),
            ("LOC 51 30 12.748 N 0 61 0 W 0m", "61"),
            ("SOA ns host 1 1d 2x 4w 1h", "2x"),
            ("CAA 0 is-sue \"x\"", "is-sue"),
            ("SRV 0 0 65536 a", "65536"),
            ("TXT a\\256", "\\256"),
            ("APL 1:192.0.2.0/33", "1:192.0.2.0/33"),
        ] {
            let text = format!("$TTL 1\na.example. {data}\n");
            let options = Options { origin: Some("example.com".parse().unwrap()), ..Options::default() };
            let errors = read(text.as_bytes(), &options).unwrap_err();
            let span = errors[0].span.clone();
            assert!(marked.starts_with(&text[span.clone()]) && !span.is_empty(), "{data}: {}", &text[span]);
        }
    }

    #[test]
    fn characters_of_web_pages_are_named() {
        check("b\u{a0}A 192.0.2.1\n", "Z0010", "write a plain blank instead");
        check("a A\u{a0}192.0.2.1\n", "Z0010", "U+00A0");
        check("a A 192.0.2.1\u{200b}\n", "Z0010", "write nothing instead");
    }

    #[test]
    fn a_text_in_utf_16_without_a_mark_is_seen_through() {
        let text: String = "a A 192.0.2.1".chars().flat_map(|character| [character, '\0']).collect();
        check(&text, "Z0003", "looks as if it were in UTF-16");
        check("a A 192.0.2.1\0\n", "Z0003", "three decimal digits");
    }

    #[test]
    fn a_long_text_is_shown_in_pieces() {
        let text = format!("a TXT \"{}\"\n", "x".repeat(300));
        check(&text, "Z0044", &format!("( \"{}\"\n            \"{}\" )", "x".repeat(255), "x".repeat(45)));
    }
}
