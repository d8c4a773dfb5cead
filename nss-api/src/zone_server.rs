//! What to tell a client when `nssd`, behind the control socket, refuses a call or is not there.

use std::time::Duration;

use http::StatusCode;
use nssd::control::{ClientError, ProblemCode};

use crate::domain::Domain;
use crate::key::Key;
use crate::problem::Problem;

/// When to try again while `nssd` is not there: a restart takes a second or two.
const RETRY_RESTART: Duration = Duration::from_secs(5);

/// When to try again after the disk was full: a person has to do something.
const RETRY_STORAGE: Duration = Duration::from_secs(300);

/// When to try again when there are too many claims: they end after some days, and some of them every hour.
const RETRY_PENDING: Duration = Duration::from_secs(3600);

const UNCONFIRMED: &str = "the name server did not confirm in time: the zone may or may not be changed; send it again";

/// The problem of our client that `error` is.
pub(crate) fn problem(error: &ClientError) -> Problem {
    match error {
        ClientError::Unreachable { .. } => {
            tracing::error!(%error, "nssd is not there");
            unavailable("the name server cannot be reached; nothing was changed, try again in some seconds")
        }
        ClientError::Interrupted(_) => {
            tracing::error!(%error, "nssd did not finish a call");
            unavailable(UNCONFIRMED)
        }
        ClientError::Refused(refused) => of_refusal(refused),
        // The enum is open: what is neither of the above is an answer that makes no sense.
        ClientError::Protocol(_) | _ => {
            tracing::error!(%error, "nssd's answer is not understood");
            bad_gateway()
        }
    }
}

/// The problem of a client who asked for a change of `domain` that ended with `error`; `fresh` is the key that was made for it.
///
/// Where nobody knows whether the change was made, that key may be pinned by now: its owner gets it all the same.
pub(crate) fn change_problem(error: &ClientError, domain: &Domain, fresh: Option<Key>) -> Problem {
    if !is_uncertain(error) {
        return problem(error);
    }
    tracing::error!(%error, %domain, "nobody knows whether a change was made");
    let look = format!("GET /v1/zones/{domain}/status shows it");
    let detail = match &fresh {
        None => format!(
            "the name server did not confirm: {domain} may or may not have been changed\n{look}; or send it again, with the same key"
        ),
        Some(_) => format!(
            "the name server did not confirm: {domain} may or may not have been changed, and the key below, which was made for the domain, \
             is pinned to it if it was\nkeep the key, which is shown this once, and send the zone again with it, as Authorization: Bearer \
             nss1_…; {look}"
        ),
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "uncertain", detail).retry_after(RETRY_RESTART).with_key(fresh)
}

/// Whether a call may have had effect though nobody said so.
fn is_uncertain(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => false,
        ClientError::Refused(refused) => match refused.code {
            ProblemCode::BadRequest
            | ProblemCode::InvalidZone
            | ProblemCode::Forbidden
            | ProblemCode::NotFound
            | ProblemCode::MethodNotAllowed
            | ProblemCode::Timeout
            | ProblemCode::Conflict
            | ProblemCode::PinChanged
            | ProblemCode::Occupied
            | ProblemCode::Contested
            | ProblemCode::NotProved
            | ProblemCode::SerialNotNewer
            | ProblemCode::TooManyPending
            | ProblemCode::PreconditionFailed
            | ProblemCode::TooLarge
            | ProblemCode::Busy
            | ProblemCode::StorageFull
            | ProblemCode::StorageFailed => false,
            // The enum is open: what a daemon calls otherwise may mean that it does not know itself.
            ProblemCode::Uncertain | ProblemCode::Unknown | _ => true,
        },
        // Likewise.
        ClientError::Interrupted(_) | ClientError::Protocol(_) | _ => true,
    }
}

fn of_refusal(refused: &nssd::control::Problem) -> Problem {
    let detail = refused.detail.as_str();
    match refused.code {
        ProblemCode::InvalidZone => Problem::new(StatusCode::BAD_REQUEST, "bad-zone", detail)
            .with_diagnostics(refused.findings.clone(), refused.findings_left_out),
        ProblemCode::NotFound => Problem::new(StatusCode::NOT_FOUND, "no-such-zone", detail),
        ProblemCode::Conflict => {
            // The detail names a path, which is the operator's own.
            let detail = "the zone is one of the operator's files and cannot be changed here";
            Problem::new(StatusCode::CONFLICT, "conflict", detail)
        }
        ProblemCode::PinChanged => {
            let detail = "somebody else pinned a key to this zone, or replaced it, at the same moment; nothing was changed\n\
                          send it again with the key that is pinned now; if you have none and the domain is yours, make a key with POST \
                          /v1/keys and enter our name servers with its label at the registrar, which goes before any pin";
            Problem::new(StatusCode::CONFLICT, "overtaken", detail)
        }
        ProblemCode::Occupied => Problem::new(
            StatusCode::FORBIDDEN,
            "not-delegated",
            format!(
                "the parent does not delegate the domain to our name servers, and it cannot be served before that: {detail}; nothing was \
                 changed, enter our name servers with the label of your key at the domain's registrar, then send the zone again"
            ),
        ),
        ProblemCode::Contested => Problem::new(
            StatusCode::CONFLICT,
            "contested",
            format!(
                "{detail}\nwhose it is shows the registrar: enter our name servers with the label of your key there, then send the zone \
                 again; until then both claims rest"
            ),
        ),
        ProblemCode::NotProved => {
            let detail = format!("the DS records at the parent do not prove this zone: {detail}; nothing was changed");
            Problem::new(StatusCode::FORBIDDEN, "not-proved", detail)
        }
        ProblemCode::SerialNotNewer => Problem::new(
            StatusCode::FORBIDDEN,
            "serial-not-newer",
            format!(
                "the DS records at the parent prove the zone, and not that it is the present one: {detail}; nothing was changed, sign it with \
                 a newer serial (RFC 1982) and send it again, or send the key of the zone"
            ),
        ),
        ProblemCode::TooManyPending => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-pending",
            format!(
                "{detail}, and that is the most; nothing was changed, enter our name servers with the label of your key at the domain's \
                 registrar, which needs no such place, or try again later"
            ),
        )
        .retry_after(RETRY_PENDING),
        ProblemCode::PreconditionFailed => Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", detail),
        ProblemCode::TooLarge => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail),
        ProblemCode::Busy | ProblemCode::Timeout => {
            unavailable("the name server is busy; nothing was changed, try again in some seconds")
        }
        ProblemCode::Uncertain => unavailable(UNCONFIRMED),
        ProblemCode::StorageFull => {
            tracing::error!(detail, "nssd has no room for a zone");
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "storage-full", "there is no room to store the zone now")
                .retry_after(RETRY_STORAGE)
        }
        ProblemCode::StorageFailed => {
            tracing::error!(detail, "nssd's store failed");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "storage-failed", "the zone cannot be stored now")
                .retry_after(RETRY_STORAGE)
        }
        ProblemCode::Forbidden => {
            tracing::error!(detail, "nssd does not let this process use the control socket");
            unavailable("the name server cannot be reached; nothing was changed, try again in some seconds")
        }
        ProblemCode::BadRequest | ProblemCode::MethodNotAllowed | ProblemCode::Unknown | _ => {
            tracing::error!(code = ?refused.code, detail, "nssd refused a call that should be right");
            bad_gateway()
        }
    }
}

/// There is no such zone, or none that this client may know of.
pub(crate) fn not_found(domain: &Domain) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-such-zone", format!("the zone {domain} was not uploaded here"))
}

fn unavailable(detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "name-server-unavailable", detail).retry_after(RETRY_RESTART)
}

fn bad_gateway() -> Problem {
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "name-server-error",
        "the name server's answer makes no sense; whether the zone was changed can be seen with GET",
    )
}
