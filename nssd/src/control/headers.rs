//! What the header fields of a call say.

use http::{HeaderMap, HeaderName, header};

use super::ds::DS_MATCH;
use super::pending::PENDING;
use super::pin::{PIN_MATCH, PIN_NONE, PIN_SET};
use super::service::bad_request;
use super::{DsSet, PendingClaim, Pin, PinChange, Precondition, Problem};

pub(super) fn precondition_of(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let value = |name: HeaderName| {
        headers
            .get(&name)
            .map(|value| value.to_str().map_err(|_| bad_request(format!("{name} is not ASCII"))))
            .transpose()
    };
    match (value(header::IF_MATCH)?.map(str::trim), value(header::IF_NONE_MATCH)?.map(str::trim)) {
        (None, None) => Ok(Precondition::None),
        (Some("*"), None) => Ok(Precondition::Exists),
        (Some(etag), None) if etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"') && !etag.contains(',') => {
            Ok(Precondition::Version(etag.to_owned()))
        }
        (None, Some("*")) => Ok(Precondition::Absent),
        _ => Err(bad_request(
            "send If-Match with * or one entity tag in double quotes, or If-None-Match with *, and not both",
        )),
    }
}

pub(super) fn pin_change_of(headers: &HeaderMap) -> Result<PinChange, Problem> {
    let expected = match single(headers, &PIN_MATCH)? {
        None => None,
        Some(PIN_NONE) => Some(None),
        Some(text) => Some(Some(pin_of(text)?)),
    };
    Ok(PinChange { expected, set: single(headers, &PIN_SET)?.map(pin_of).transpose()? })
}

/// The value of a header field of ours, which stands there once or not at all.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(bad_request(format!("{name} is not ASCII"))),
        },
        (Some(_), Some(_)) => Err(bad_request(format!("{name} stands there twice"))),
    }
}

pub(super) fn pin_of(text: &str) -> Result<Pin, Problem> {
    text.parse().map_err(|error| bad_request(format!("\"{text}\": {error}")))
}

pub(super) fn ds_of(text: &str) -> Result<DsSet, Problem> {
    text.parse().map_err(|error| bad_request(format!("{DS_MATCH}: {error}")))
}

pub(super) fn claim_of(json: &str) -> Result<PendingClaim, Problem> {
    serde_json::from_str(json).map_err(|error| bad_request(format!("{PENDING}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precondition_is_understood_or_refused_but_never_ignored() {
        let read = |pairs: &[(&'static str, &str)]| {
            let headers = pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect();
            precondition_of(&headers).map_err(|problem| problem.status)
        };
        assert_eq!(read(&[]), Ok(Precondition::None));
        assert_eq!(read(&[("if-match", "\"7\"")]), Ok(Precondition::Version("\"7\"".into())));
        assert_eq!(read(&[("if-match", "*")]), Ok(Precondition::Exists));
        assert_eq!(read(&[("if-none-match", "*")]), Ok(Precondition::Absent));
        assert_eq!(read(&[("if-match", "7")]), Err(400));
        assert_eq!(read(&[("if-match", "\"7\", \"8\"")]), Err(400));
        assert_eq!(read(&[("if-none-match", "\"7\"")]), Err(400));
        assert_eq!(read(&[("if-match", "*"), ("if-none-match", "*")]), Err(400));
    }

    #[test]
    fn a_pin_to_match_or_to_set_is_understood_or_refused() {
        let read = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            pin_change_of(&headers).map_err(|problem| problem.status)
        };
        let (pin, digits) = (Pin::from([7; 32]), "07".repeat(32));
        assert_eq!(read(&[]), Ok(PinChange::default()));
        assert_eq!(read(&[("pin-match", "none")]), Ok(PinChange { expected: Some(None), set: None }));
        assert_eq!(
            read(&[("pin-match", &digits), ("pin-set", &digits)]),
            Ok(PinChange { expected: Some(Some(pin)), set: Some(pin) })
        );
        assert_eq!(read(&[("pin-match", "")]), Err(400));
        assert_eq!(read(&[("pin-set", "none")]), Err(400));
        assert_eq!(read(&[("pin-set", &digits), ("pin-set", &digits)]), Err(400));
    }
}
