//! The few members of a domain's registration that say something here (RFC 9083 §5.3).

use serde::Deserialize;

use crate::time::seconds;

/// What a registry says of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registration {
    /// The status values that keep a domain from being used, in the registry's words.
    pub(crate) holds: Vec<String>,
    /// When it was registered, or registered again; in seconds since 1970, and so the next two.
    pub(crate) registered_at: Option<u64>,
    /// When it last went to another registrar.
    pub(crate) transferred_at: Option<u64>,
    /// When the registration ends.
    pub(crate) expires_at: Option<u64>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "objectClassName")]
    class: String,
    #[serde(rename = "ldhName")]
    name: String,
    #[serde(default)]
    status: Vec<String>,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "eventAction")]
    action: String,
    #[serde(rename = "eventDate")]
    date: String,
}

impl Registration {
    /// Reads the answer to a question about `domain`, which is in A-labels without the final dot.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong with it.
    pub(super) fn read(json: &[u8], domain: &str, now: u64) -> Result<Registration, String> {
        check_depth(json)?;
        let object: Object = serde_json::from_slice(json).map_err(|error| format!("it is no RDAP object: {error}"))?;
        if object.class != "domain" || !object.name.trim_end_matches('.').eq_ignore_ascii_case(domain) {
            return Err("it is about something else".into());
        }
        let is_hold = |status: &&String| {
            // Registries write both "pending delete" (RFC 8056) and "pendingDelete" (RFC 5731).
            let words: String = status.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).collect();
            HOLDS.iter().any(|hold| words.eq_ignore_ascii_case(hold))
        };
        let latest = |actions: &[&str]| {
            let events = object.events.iter().filter(|event| actions.contains(&event.action.as_str()));
            events.filter_map(|event| seconds(&event.date)).max()
        };
        // Nothing has happened in the future: such an answer is wrong or lies.
        let past = |time: &u64| *time <= now;
        Ok(Registration {
            holds: object.status.iter().filter(is_hold).take(HOLDS.len()).cloned().collect(),
            registered_at: latest(&["registration", "reregistration"]).filter(past),
            transferred_at: latest(&["transfer"]).filter(past),
            expires_at: latest(&["expiration"]),
        })
    }
}

/// Refuses what is nested deeper than any RDAP object, before anything is made of it.
fn check_depth(json: &[u8]) -> Result<(), String> {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for octet in json {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(format!("it is nested more than {DEPTH_MAX} deep"));
        }
    }
    Ok(())
}

/// Status values with which a domain is on its way out, or is not to be used.
const HOLDS: [&str; 4] = ["pendingdelete", "redemptionperiod", "clienthold", "serverhold"];

/// Levels of objects and arrays; entities with contacts in them have about ten.
const DEPTH_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn read(json: &str) -> Result<Registration, String> {
        Registration::read(json.as_bytes(), "example.com", NOW)
    }

    #[test]
    fn status_and_events_are_read_in_both_spellings() {
        let registration = read(
            r#"{"objectClassName":"domain","ldhName":"EXAMPLE.com.","status":["active","pending delete","clientHold"],
            "events":[{"eventAction":"registration","eventDate":"2020-01-02T03:04:05Z"},
            {"eventAction":"reregistration","eventDate":"2021-01-02T03:04:05.678+01:00"},
            {"eventAction":"transfer","eventDate":"yesterday"},{"eventAction":"expiration","eventDate":"2099-01-01T00:00:00Z"}],
            "entities":[{"vcardArray":["vcard",[["version",{},"text","4.0"]]]}]}"#,
        );
        let registration = registration.unwrap();
        assert_eq!(registration.holds, ["pending delete", "clientHold"]);
        assert_eq!((registration.registered_at, registration.transferred_at), (Some(1_609_553_045), None));
        assert_eq!(registration.expires_at, Some(4_070_908_800));
    }

    #[test]
    fn what_is_about_something_else_or_is_no_object_says_nothing() {
        for json in [
            r#"{"objectClassName":"domain","ldhName":"example.org"}"#,
            r#"{"objectClassName":"domain","ldhName":"www.example.com"}"#,
            r#"{"objectClassName":"nameserver","ldhName":"example.com"}"#,
            r#"{"objectClassName":"domain"}"#,
            r#"{"objectClassName":"domain","ldhName":"example.com","status":"active"}"#,
            "[]",
            "",
            "{",
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        let future = r#"{"objectClassName":"domain","ldhName":"example.com","events":
            [{"eventAction":"registration","eventDate":"2030-01-02T03:04:05Z"}]}"#;
        assert_eq!(read(future).unwrap().registered_at, None, "nothing has happened in the future");
    }

    #[test]
    fn depth_ends_at_32_and_brackets_in_texts_do_not_count() {
        let nested = |depth: usize| {
            format!(
                r#"{{"objectClassName":"domain","ldhName":"example.com","x":{}{}}}"#,
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        assert!(read(&nested(32)).is_ok());
        assert!(read(&nested(33)).unwrap_err().contains("nested"));
        let text = format!(r#"{{"objectClassName":"domain","ldhName":"example.com","x":"\"{}"}}"#, "[".repeat(100));
        assert!(read(&text).is_ok());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(json in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Registration::read(&json, "example.com", NOW);
        }
    }
}
