//! Which form of an answer the client would rather have: plain text or JSON (RFC 9110 §12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

/// The forms every answer comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `text/plain`, for people with `curl`; the default.
    Text,
    /// `application/json`, and `application/problem+json` for errors (RFC 9457).
    Json,
}

impl Form {
    /// Decides by the `Accept` header fields, where quality values and the more specific range count.
    ///
    /// Plain text wins a draw, unless JSON was asked for by name and text only by a wildcard. A client that accepts
    /// neither gets text too: RFC 9110 allows it, and an error that can be read beats a second error.
    pub fn negotiate(headers: &HeaderMap) -> Form {
        let (mut text, mut json) = (Preference::default(), Preference::default());
        let fields = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in fields.flat_map(|field| field.split(',')).filter_map(Range::read).take(RANGES_MAX) {
            text.consider(&range, "text", &["plain"]);
            json.consider(&range, "application", &["json", "problem+json"]);
        }
        let by_quality = json.quality.cmp(&text.quality);
        let by_name = json.specificity.cmp(&text.specificity);
        if json.quality > 0 && by_quality.then(by_name).is_gt() { Form::Json } else { Form::Text }
    }
}

/// The media ranges of one request that are looked at; browsers send about ten.
const RANGES_MAX: usize = 64;

/// How much one form is wanted: by the most specific range that matches it.
#[derive(Clone, Copy, Default)]
struct Preference {
    specificity: u8,
    /// Thousandths.
    quality: u16,
}

impl Preference {
    fn consider(&mut self, range: &Range<'_>, kind: &str, subtypes: &[&str]) {
        let named = |subtype: &&str| range.subtype.eq_ignore_ascii_case(subtype);
        let specificity = match (range.kind, range.subtype) {
            ("*", "*") => 1,
            (of, "*") if of.eq_ignore_ascii_case(kind) => 2,
            (of, _) if of.eq_ignore_ascii_case(kind) && subtypes.iter().any(named) => 3,
            _ => return,
        };
        if specificity > self.specificity {
            *self = Preference { specificity, quality: range.quality };
        } else if specificity == self.specificity {
            self.quality = self.quality.max(range.quality);
        }
    }
}

/// One member of an `Accept` field.
struct Range<'h> {
    kind: &'h str,
    subtype: &'h str,
    quality: u16,
}

impl<'h> Range<'h> {
    /// `None` for what is malformed, which then counts as not said.
    fn read(member: &'h str) -> Option<Range<'h>> {
        let mut parts = member.split(';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let mut quality = 1000;
        for parameter in parts {
            let (key, value) = parameter.split_once('=')?;
            if key.trim().eq_ignore_ascii_case("q") {
                quality = read_quality(value.trim())?;
            }
        }
        Some(Range { kind, subtype, quality })
    }
}

/// `qvalue` of RFC 9110 §12.4.2, in thousandths.
fn read_quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, thousandths) {
        ("0", n) => Some(n),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn negotiate(fields: &[&str]) -> Form {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(ACCEPT, HeaderValue::from_str(field).unwrap());
        }
        Form::negotiate(&headers)
    }

    #[test]
    fn curl_browsers_and_silence_get_text() {
        for fields in [
            &[][..],
            &["*/*"],
            &[""],
            &["text/plain"],
            &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
            &["application/json;q=0.5, */*"],
            &["application/json;q=0, text/plain;q=0.1"],
            &["text/plain, application/json"],
            &["image/png"],
            &["application/json;q=0"],
            &["application/json;q=2"],
            &["*/*;q=0"],
        ] {
            assert_eq!(negotiate(fields), Form::Text, "{fields:?}");
        }
    }

    #[test]
    fn json_is_sent_to_those_who_would_rather_have_it() {
        for fields in [
            &["application/json"][..],
            &["application/problem+json"],
            &["APPLICATION/Problem+JSON"],
            &["application/*"],
            &["application/json, */*"],
            &["text/plain;q=0.4, application/problem+json;q=0.5"],
            &["text/plain; charset=utf-8; q=0.4", "application/json"],
            &["text/*;q=0.999, application/json;q=1.000"],
            &["*/*;q=0.1, text/plain;q=0.001"],
        ] {
            assert_eq!(negotiate(fields), Form::Json, "{fields:?}");
        }
    }

    #[test]
    fn quality_values_have_three_digits_and_end_at_one() {
        for (text, value) in [("0", 0), ("1", 1000), ("0.5", 500), ("0.001", 1), ("1.000", 1000), ("0.", 0)] {
            assert_eq!(read_quality(text), Some(value), "{text}");
        }
        for text in ["", "2", "1.001", "0.0001", "-0", "0.x", "0,5", ".5"] {
            assert_eq!(read_quality(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(field in "[ -~]{0,100}") {
            let _ = negotiate(&[&field]);
        }
    }
}
