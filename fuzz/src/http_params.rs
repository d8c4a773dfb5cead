//! What stands behind the `?` of a request to the public front, and the domain in its path.

use idna::uts46::{AsciiDenyList, Hyphens, Uts46};
use nss_api::domain::Domain;
use nss_api::query::{Options, parse_nothing, parse_options, parse_query, parse_segment};
use nss_wire::NameBuf;

/// Any query is read or refused in printable words; a domain that is read could be delegated to somebody, and is read
/// as itself however it is escaped.
pub fn http_params(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    match parse_query(text) {
        Ok(query) => {
            assert_could_be_delegated(&query.domain);
            let options = query.options;
            let plain = format!("dry_run={}&domain={}", options.dry_run, query.domain);
            assert_eq!(parse_query(&plain), Ok(query), "{plain}");
            assert!(parse_nothing(text).is_err(), "a domain is something");
        }
        Err(error) => assert_printable(&error.to_string()),
    }
    match parse_segment(text) {
        Ok(domain) => assert_could_be_delegated(&domain),
        Err(error) => assert_printable(&error.to_string()),
    }
    if parse_options(text).is_ok() {
        assert!(parse_query(text).is_err(), "without a domain there is nothing to upload");
    }
    if parse_nothing(text).is_ok() {
        assert_eq!(parse_options(text), Ok(Options::default()));
    }
}

fn assert_could_be_delegated(domain: &Domain) {
    let text = domain.as_str();
    let labels: Vec<&str> = text.split('.').collect();
    let is_plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'-' | b'_');
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    assert!(text.len() <= 253 && labels.len() >= 2 && labels.iter().all(is_label), "{text}");
    assert!(!labels.last().is_some_and(|tld| tld.bytes().all(|octet| octet.is_ascii_digit())), "{text}");
    assert_eq!(text.parse::<NameBuf>().expect("a domain is a name").as_name(), domain.name());

    let suffix = psl::suffix(text.as_bytes()).expect("every name has a suffix");
    let is_registrys = suffix == text && suffix.typ() != Some(psl::Type::Private);
    assert!(!is_registrys, "{text} is a public suffix");

    let (unicode, result) = Uts46::new().to_unicode(text.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
    assert!(result.is_ok(), "{text} has an A-label that is none: {unicode}");
    let escaped: String = text.bytes().map(|octet| format!("%{octet:02X}")).collect();
    for again in [text, &format!("{text}."), &text.to_ascii_uppercase(), &unicode, &escaped] {
        assert_eq!(parse_segment(again).as_ref(), Ok(domain), "{again}");
    }
}

/// A refusal repeats some of the client's words, but neither many of them nor what a terminal would obey.
fn assert_printable(words: &str) {
    assert!(words.len() < 1000 && !words.chars().any(char::is_control), "{words:?}");
}
