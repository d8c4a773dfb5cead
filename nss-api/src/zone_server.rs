//! What to tell a client when `nssd`, behind the control socket, refuses a call or is not there.

use std::time::Duration;

use http::StatusCode;
use nssd::control::{ClientError, ProblemCode};

use crate::domain::Domain;
use crate::problem::Problem;

/// When to try again while `nssd` is not there: a restart takes a second or two.
const RETRY_RESTART: Duration = Duration::from_secs(5);

/// When to try again after the disk was full: a person has to do something.
const RETRY_STORAGE: Duration = Duration::from_secs(300);

/// When to try again when there are too many claims: they end after some days, and some of them every hour.
const RETRY_PENDING: Duration = Duration::from_secs(3600);

/// The problem of our client that `error` is.
pub(crate) fn problem(error: &ClientError) -> Problem {
    match error {
        ClientError::Unreachable { .. } => {
            tracing::error!(%error, "nssd is not there");
            unavailable("the name server cannot be reached; nothing was changed, try again in some seconds")
        }
        ClientError::Interrupted(_) => {
            tracing::error!(%error, "nssd did not finish a call");
            unavailable("the name server did not confirm in time: the zone may or may not be changed; send it again")
        }
        ClientError::Refused(refused) => of_refusal(refused),
        // The enum is open: what is neither of the above is an answer that makes no sense.
        ClientError::Protocol(_) | _ => {
            tracing::error!(%error, "nssd's answer is not understood");
            bad_gateway()
        }
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
            let detail = "somebody else pinned a key to this zone, or replaced it, at the same moment; nothing was changed, \
                          send it again with the key of the zone";
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
        ProblemCode::StorageFull => {
            tracing::error!(detail, "nssd's disk is full");
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
