//! The parameters of a request: what stands behind the `?`, and the domain in a path.
//!
//! Strict on purpose. A parameter that is unknown, doubled or mistyped is refused rather than ignored: `?dryrun=true`
//! that publishes a zone would be worse than an error.

use std::borrow::Cow;
use std::fmt;

use crate::domain::{Domain, DomainError};

/// The octets of a query at most: a domain with every octet escaped (3 x 1012), the other parameters, and some air.
pub const QUERY_SIZE_MAX: usize = 4096;

/// The parameters of `POST /v1/zone`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadQuery {
    /// `domain=`, the zone's apex.
    pub domain: Domain,
    /// What else was asked for.
    pub options: Options,
}

/// The parameters that every call which changes a zone knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `dry_run=true`: check everything, change nothing.
    pub dry_run: bool,
}

/// Reads the query of `POST /v1/zone`, without its `?`.
///
/// # Errors
///
/// A missing, doubled, unknown or malformed parameter, and a domain that may not be hosted.
pub fn parse_query(query: &str) -> Result<UploadQuery, QueryError> {
    let parameters = Parameters::read(query, &[Key::Domain, Key::DryRun])?;
    let domain = parameters.domain.ok_or(QueryError::DomainMissing)?;
    Ok(UploadQuery { domain: Domain::parse(&domain)?, options: Options { dry_run: parameters.dry_run } })
}

/// Reads the query of a call that is about a domain and knows no other parameter, without its `?`.
///
/// # Errors
///
/// A missing, doubled, unknown or malformed parameter, and a domain that may not be hosted.
pub fn parse_domain(query: &str) -> Result<Domain, QueryError> {
    let domain = Parameters::read(query, &[Key::Domain])?.domain.ok_or(QueryError::DomainMissing)?;
    Ok(Domain::parse(&domain)?)
}

/// Reads the query of a call whose domain stands in the path, without its `?`.
///
/// # Errors
///
/// A doubled, unknown or malformed parameter.
pub fn parse_options(query: &str) -> Result<Options, QueryError> {
    let parameters = Parameters::read(query, &[Key::DryRun])?;
    Ok(Options { dry_run: parameters.dry_run })
}

/// Refuses any parameter, for calls that have none.
///
/// # Errors
///
/// A query that is not empty.
pub fn parse_nothing(query: &str) -> Result<(), QueryError> {
    Parameters::read(query, &[]).map(|_| ())
}

/// Reads a path segment as a domain.
///
/// # Errors
///
/// Broken escapes, and a domain that may not be hosted.
pub fn parse_segment(segment: &str) -> Result<Domain, QueryError> {
    if segment.len() > QUERY_SIZE_MAX {
        return Err(QueryError::TooLong);
    }
    Ok(Domain::parse(&percent_decode(segment, Plus::IsPlus)?)?)
}

/// Why a query was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryError {
    /// More octets than any sensible query has.
    TooLong,
    /// `%` without two hexadecimal digits; the number counts octets from the start of the query's part.
    Escape(usize),
    /// Escapes that decode to something else than UTF-8.
    NotUtf8,
    /// A parameter that this call does not know.
    Unknown(String),
    /// A parameter given twice.
    Doubled(&'static str),
    /// A switch that is neither `true` nor `false`.
    Switch(&'static str),
    /// No `domain` parameter.
    DomainMissing,
    /// A domain that is none, or that may not be hosted.
    Domain(DomainError),
}

impl From<DomainError> for QueryError {
    fn from(error: DomainError) -> QueryError {
        QueryError::Domain(error)
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueryError::TooLong => write!(f, "the query is longer than {QUERY_SIZE_MAX} octets"),
            QueryError::Escape(at) => {
                write!(f, "the % at offset {at} is not followed by two hexadecimal digits; a literal % is written %25")
            }
            QueryError::NotUtf8 => f.write_str("the percent escapes do not decode to UTF-8"),
            QueryError::Unknown(key) => {
                write!(f, "unknown parameter \"{key}\"; known are domain and dry_run, where they apply")
            }
            QueryError::Doubled(key) => write!(f, "the parameter {key} is given more than once"),
            QueryError::Switch(key) => write!(f, "{key} is either true or false"),
            QueryError::DomainMissing => {
                f.write_str("the domain parameter is missing; add it as in ?domain=example.com")
            }
            QueryError::Domain(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for QueryError {}

/// Every parameter there is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Domain,
    DryRun,
}

/// Parameters as they stand in a query, each at most once.
#[derive(Default)]
struct Parameters {
    domain: Option<String>,
    dry_run: bool,
}

impl Parameters {
    fn read(query: &str, known: &[Key]) -> Result<Parameters, QueryError> {
        if query.len() > QUERY_SIZE_MAX {
            return Err(QueryError::TooLong);
        }
        let mut parameters = Parameters::default();
        let mut dry_run = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = percent_decode(key, Plus::IsSpace)?;
            let value = percent_decode(value, Plus::IsSpace)?;
            let found = match &*key {
                "domain" => Key::Domain,
                "dry_run" => Key::DryRun,
                _ => return Err(QueryError::Unknown(shown(&key))),
            };
            if !known.contains(&found) {
                return Err(QueryError::Unknown(shown(&key)));
            }
            match found {
                Key::Domain if parameters.domain.is_some() => return Err(QueryError::Doubled("domain")),
                Key::Domain => parameters.domain = Some(value.into_owned()),
                Key::DryRun if dry_run.is_some() => return Err(QueryError::Doubled("dry_run")),
                Key::DryRun => match &*value {
                    "true" | "1" => dry_run = Some(true),
                    "false" | "0" => dry_run = Some(false),
                    _ => return Err(QueryError::Switch("dry_run")),
                },
            }
        }
        parameters.dry_run = dry_run.unwrap_or(false);
        Ok(parameters)
    }
}

/// What a `+` means: a space in a query (as HTML forms send it), itself in a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    IsSpace,
    IsPlus,
}

/// Undoes percent-encoding (RFC 3986 §2.1), strictly.
fn percent_decode(text: &str, plus: Plus) -> Result<Cow<'_, str>, QueryError> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let octets = text.as_bytes();
    let mut decoded = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        match octet {
            b'%' => {
                let digit = |i: usize| octets.get(at + i).and_then(|&d| char::from(d).to_digit(16));
                let (Some(high), Some(low)) = (digit(1), digit(2)) else { return Err(QueryError::Escape(at)) };
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            b'+' if plus == Plus::IsSpace => {
                decoded.push(b' ');
                at += 1;
            }
            _ => {
                decoded.push(octet);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| QueryError::NotUtf8)
}

/// A client's words as they may stand in our own: short, and without control characters.
fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        short.push('…');
    }
    short
}

/// The characters of a client's own words that an error repeats; enough to recognise a mistyped parameter.
const SHOWN_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(query: &str, why: &QueryError) {
        assert_eq!(parse_query(query).as_ref(), Err(why), "{query}");
    }

    #[test]
    fn the_domain_may_be_escaped_in_any_way() {
        for query in ["domain=example.com", "domain=%65xample%2Ecom", "&domain=example.com&", "dom%61in=EXAMPLE.COM."] {
            let read = parse_query(query).unwrap();
            assert_eq!(read.domain.as_str(), "example.com", "{query}");
            assert_eq!(read.options, Options { dry_run: false });
        }
        assert_eq!(parse_query("domain=b%C3%BCcher.example").unwrap().domain.as_str(), "xn--bcher-kva.example");
        assert_eq!(parse_query("domain=bücher.example").unwrap().domain.as_str(), "xn--bcher-kva.example");
        assert!(parse_query("dry_run=true&domain=example.com").unwrap().options.dry_run);
        assert!(!parse_query("dry_run=0&domain=example.com").unwrap().options.dry_run);
        assert_eq!(parse_segment("ex%61mple.com").unwrap().as_str(), "example.com");
    }

    #[test]
    fn what_is_missing_doubled_unknown_or_broken_is_refused() {
        refused("", &QueryError::DomainMissing);
        refused("dry_run=true", &QueryError::DomainMissing);
        refused("domain=", &QueryError::Domain(DomainError::Empty));
        refused("domain", &QueryError::Domain(DomainError::Empty));
        refused("domain=example.com&domain=example.com", &QueryError::Doubled("domain"));
        refused("domain=example.com&dry_run=true&dry_run=true", &QueryError::Doubled("dry_run"));
        refused("domain=example.com&dryrun=true", &QueryError::Unknown("dryrun".into()));
        refused("Domain=example.com", &QueryError::Unknown("Domain".into()));
        refused("domain=example.com&dry_run=yes", &QueryError::Switch("dry_run"));
        refused("domain=%", &QueryError::Escape(0));
        refused("domain=a%2", &QueryError::Escape(1));
        refused("domain=a%+1.com", &QueryError::Escape(1));
        refused("domain=%gg", &QueryError::Escape(0));
        refused("domain=%ff.com", &QueryError::NotUtf8);
        refused("domain=a%00.com", &QueryError::Domain(DomainError::Character('\0')));
        refused("domain=a+b.com", &QueryError::Domain(DomainError::Character(' ')));
        refused(&format!("domain={}", "a".repeat(QUERY_SIZE_MAX)), &QueryError::TooLong);
        assert_eq!(parse_options("domain=example.com"), Err(QueryError::Unknown("domain".into())));
        assert_eq!(parse_domain("domain=EXAMPLE.com").unwrap().as_str(), "example.com");
        assert_eq!(parse_domain(""), Err(QueryError::DomainMissing));
        assert_eq!(parse_domain("domain=example.com&dry_run=true"), Err(QueryError::Unknown("dry_run".into())));
        assert_eq!(parse_nothing("x"), Err(QueryError::Unknown("x".into())));
        assert_eq!(parse_segment("a+b.com"), Err(QueryError::Domain(DomainError::NotAName)));
    }

    #[test]
    fn an_unknown_parameter_is_repeated_short_and_harmless() {
        let Err(error) = parse_query(&format!("%1b[31m{}=1", "x".repeat(100))) else { panic!("accepted") };
        let text = error.to_string();
        assert!(text.contains("\\u{1b}[31mxxx") && text.contains('…') && !text.contains('\u{1b}'), "{text}");
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in "(?s).{0,120}") {
            let _ = (parse_query(&query), parse_options(&query), parse_segment(&query));
        }

        #[test]
        fn escaping_every_octet_changes_nothing(text in "[a-zA-Zü.-]{1,30}") {
            let escaped: String = text.bytes().map(|octet| format!("%{octet:02x}")).collect();
            prop_assert_eq!(parse_query(&format!("domain={escaped}")), parse_query(&format!("domain={text}")));
        }
    }
}
