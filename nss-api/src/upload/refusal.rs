//! What is told to who sent a zone that does not go in, and is nobody else's word.

use std::time::Duration;

use http::StatusCode;
use nss_wire::NameBuf;

use crate::body::BodyType;
use crate::domain::Domain;
use crate::ownership::Entered;
use crate::parents::Sight;
use crate::problem::Problem;
use crate::quota::Exceeded;
use crate::zone_text::NotAZone;

/// When to ask again what a parent could not tell: its own cache of failures is shorter.
const RETRY_PARENT: Duration = Duration::from_secs(10);

/// The text is no zone, or none of our name servers.
pub(super) fn bad_zone(domain: &Domain, refused: NotAZone, body_type: BodyType) -> Problem {
    let bad = |code, detail: String| Problem::new(StatusCode::BAD_REQUEST, code, detail);
    match refused {
        // These very words, without a line end, are what callers have always compared with.
        NotAZone::NoNameServers { findings, left_out } => {
            bad("no-ns-records", "no NS records".into()).bare().with_diagnostics(findings, left_out)
        }
        NotAZone::NotUtf8(finding) => {
            let detail = format!("{domain}: the zone file is no UTF-8; nothing was changed");
            bad("not-utf-8", detail).with_diagnostics(vec![*finding], 0)
        }
        NotAZone::Findings { findings, left_out, errors, is_one_line } => {
            let errors = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
            let mut detail = format!("{domain}: {errors} in the zone file; nothing was changed");
            if is_one_line && body_type == BodyType::Form {
                detail.push_str("\nthe file has no line breaks: curl -d removes them, --data-binary @FILE keeps them");
            }
            bad("bad-zone", detail).with_diagnostics(findings, left_out)
        }
        NotAZone::NameServersMissing { missing, present } => {
            let list = |names: &[String]| names.join(", ");
            let detail = format!(
                "the NS records of {domain} lack {}; nothing was changed\nthey name {}; add our name servers, as in\n\n\
                 @ IN NS {}",
                list(&missing),
                list(&present),
                missing.first().map_or("", String::as_str)
            );
            bad("name-servers-missing", detail)
        }
    }
}

/// The text met a mistake of ours.
pub(super) fn bug() -> Problem {
    let detail = "this zone file met a bug in the server; nothing was changed";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail)
}

/// There was no turn for something within this time.
pub(super) fn busy(what: &str, waited: Duration) -> Problem {
    let detail = format!("{what}; nothing was changed, try again in some seconds");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).retry_after(waited)
}

/// The domain is not delegated to us; `early` says what would have to be otherwise for it to be served before that.
pub(super) fn not_delegated(domain: &Domain, sight: &Sight, ours: &[NameBuf], early: &str) -> Problem {
    let (reason, odd) = (sight.sentence(), odd_names(&sight.entered));
    let ours: String = ours.iter().map(|name| format!("  {name}\n")).collect();
    let detail = format!(
        "{domain} is not delegated to our name servers; nothing was changed\nwhat its parent zone says: {reason}\n{odd}\
         at the domain's registrar, enter these name servers, then send the zone again:\n{ours}{early}\
         who was asked:"
    );
    Problem::new(StatusCode::FORBIDDEN, "not-delegated", detail).with_evidence(sight.evidence())
}

/// Names below ours that are no key's, with what is wrong with them.
fn odd_names(entered: &Entered) -> String {
    entered.odd.iter().map(|name| format!("{name} has no label of a key: {LABEL_FORM}\n")).collect()
}

/// What a label looks like, for who mistyped one.
const LABEL_FORM: &str = "one is k- and 32 letters or digits, directly in front of a name server";

/// Where the domain is delegated to could not be found out.
pub(super) fn unknown(domain: &Domain, reason: &str) -> Problem {
    let detail = format!("could not find out where {domain} is delegated to; nothing was changed\n{reason}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "delegation-unknown", detail).retry_after(RETRY_PARENT)
}

/// Which DS records the domain has could not be found out, and the zone needs to be proved by them.
pub(super) fn ds_unknown(domain: &Domain, reason: &str) -> Problem {
    let detail = format!(
        "could not find out which DS records {domain} has at its parent, and nothing else allows this; nothing was changed\n{reason}"
    );
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "delegation-unknown", detail).retry_after(RETRY_PARENT)
}

/// A quota is used up.
pub(super) fn too_many_uploads((exceeded, wait): (Exceeded, Duration), domain: Option<&Domain>) -> Problem {
    let whose = match (exceeded, domain) {
        (Exceeded::Domain, Some(domain)) => format!("{domain} was changed too often"),
        (Exceeded::Domain, None) => "the domain was changed too often".to_owned(),
        (Exceeded::Network, _) => "too many uploads from your network".to_owned(),
        (Exceeded::Total, _) => "too many uploads at this moment".to_owned(),
    };
    let detail = format!("{whose}; nothing was changed, try again in {} s", wait.as_secs() + 1);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-uploads", detail).retry_after(wait)
}

/// The system gives no random numbers.
pub(crate) fn no_randomness(error: &str) -> Problem {
    tracing::error!(error, "cannot make a key");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-randomness", "no key can be made now; tell the operator")
}
