//! What the calls on the control socket do.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use nss_wire::NameBuf;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::ds::DS_MATCH;
use super::headers::{claim_of, ds_of, pin_change_of, pin_of, precondition_of, single};
use super::pending::{PENDING, PENDING_MATCH};
use super::{
    CHECK_REPORT_SIZE_MAX, Change, CheckReport, EVIDENCE_LINES_MAX, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX,
    MEDIA_TYPE_ZONE, Problem, ProblemCode, PutOptions, ReloadReport, ServerStatus, ZONE_TEXT_SIZE_MAX,
};
use crate::zones::Zones;

/// What the calls are carried out on.
pub(crate) trait Daemon: Send + Sync + 'static {
    /// The hosted zones.
    fn zones(&self) -> &Arc<Zones>;
    /// Everything about the daemon.
    fn status(&self) -> ServerStatus;
    /// Reads the operator's files again.
    fn reload(&self) -> impl Future<Output = ReloadReport> + Send;
}

pub(super) struct Service<D> {
    daemon: Arc<D>,
    /// Memory for bodies that are on their way, in KiB.
    body_budget: Semaphore,
}

pub(super) type Answer = Result<Response<Full<Bytes>>, Problem>;

impl<D: Daemon> Service<D> {
    pub(super) fn new(daemon: Arc<D>) -> Service<D> {
        Service { daemon, body_budget: Semaphore::new(BODY_BUDGET_KIB) }
    }

    /// Carries a call out.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments.as_slice() {
            ["v1", "status"] => match method {
                Method::GET => Ok(json(StatusCode::OK, &self.daemon.status())),
                _ => Err(method_not_allowed("GET")),
            },
            ["v1", "reload"] => match method {
                Method::POST => Ok(json(StatusCode::OK, &self.daemon.reload().await)),
                _ => Err(method_not_allowed("POST")),
            },
            ["v1", "zones"] => match method {
                Method::GET => self.list(request.uri().query()),
                _ => Err(method_not_allowed("GET")),
            },
            ["v1", "zones", apex] => {
                let apex = apex_of(apex)?;
                match method {
                    Method::GET => self.get(apex).await,
                    Method::PUT => self.put(apex, request).await,
                    Method::DELETE => {
                        let precondition = precondition_of(request.headers())?;
                        let pin = pin_change_of(request.headers())?;
                        let claim = single(request.headers(), &PENDING_MATCH)?.map(pin_of).transpose()?;
                        let status = self.daemon.zones().delete(apex, precondition, pin, claim).await?;
                        Ok(json(StatusCode::OK, &status))
                    }
                    _ => Err(method_not_allowed("GET, PUT, DELETE")),
                }
            }
            ["v1", "zones", apex, "status"] => match method {
                Method::GET => {
                    let status = self.daemon.zones().status(apex_of(apex)?.as_name())?;
                    let etag = status.etag.clone();
                    Ok(with_etag(json(StatusCode::OK, &status), etag))
                }
                _ => Err(method_not_allowed("GET")),
            },
            ["v1", "zones", apex, "check"] => match method {
                Method::PUT => self.report_check(apex_of(apex)?, request).await,
                _ => Err(method_not_allowed("PUT")),
            },
            ["v1", "checks", "due"] => match method {
                Method::GET => self.due_checks(request.uri().query()).await,
                _ => Err(method_not_allowed("GET")),
            },
            ["v1", "zones", apex, "claim"] => match method {
                Method::GET => {
                    let (zones, apex) = (self.daemon.zones().clone(), apex_of(apex)?);
                    let claim = tokio::task::spawn_blocking(move || zones.claim(apex.as_name())).await;
                    let claim = claim.map_err(|_| Problem::new(ProblemCode::Unknown, "reading the claim failed"))??;
                    Ok(json(StatusCode::OK, &claim))
                }
                _ => Err(method_not_allowed("GET")),
            },
            _ => Err(Problem::new(
                ProblemCode::NotFound,
                "no such call; there are /v1/status, /v1/reload, /v1/zones, /v1/zones/{apex}, /v1/zones/{apex}/status, \
                 /v1/zones/{apex}/claim, /v1/zones/{apex}/check and /v1/checks/due",
            )),
        }
    }

    fn list(&self, query: Option<&str>) -> Answer {
        let (mut after, mut limit) = (None, LIST_LIMIT_DEFAULT);
        for (key, value) in pairs(query)? {
            match key.as_str() {
                "after" => after = Some(name_of(&value)?.as_name().to_lowercase().to_string()),
                "limit" => {
                    limit = value.parse().ok().filter(|n| (1..=LIST_LIMIT_MAX).contains(n)).ok_or_else(|| {
                        bad_request(format!("limit has to be a number from 1 to {LIST_LIMIT_MAX}, not \"{value}\""))
                    })?;
                }
                _ => return Err(unknown_parameter(&key, "after and limit")),
            }
        }
        Ok(json(StatusCode::OK, &self.daemon.zones().list(after.as_deref(), limit)))
    }

    async fn due_checks(&self, query: Option<&str>) -> Answer {
        let (mut now, mut uploaded_before, mut limit) = (0, 0, LIST_LIMIT_DEFAULT as u64);
        for (key, value) in pairs(query)? {
            let number =
                value.parse().map_err(|_| bad_request(format!("{key} has to be a number, not \"{value}\"")))?;
            match key.as_str() {
                "now" => now = number,
                "uploaded_before" => uploaded_before = number,
                "limit" => limit = number,
                _ => return Err(unknown_parameter(&key, "now, uploaded_before and limit")),
            }
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).clamp(1, LIST_LIMIT_MAX);
        let zones = self.daemon.zones().clone();
        let due = tokio::task::spawn_blocking(move || zones.due_checks(now, uploaded_before, limit)).await;
        let due = due.map_err(|_| Problem::new(ProblemCode::Unknown, "reading the checks failed"))??;
        Ok(json(StatusCode::OK, &due))
    }

    async fn report_check(&self, apex: NameBuf, request: Request<Incoming>) -> Answer {
        let too_long = |problem: Problem| match problem.code {
            ProblemCode::TooLarge => bad_request(format!("a report has {CHECK_REPORT_SIZE_MAX} octets at most")),
            _ => problem,
        };
        let body = collect(request.into_body(), CHECK_REPORT_SIZE_MAX).await.map_err(too_long)?;
        let report: CheckReport = serde_json::from_slice(&body).map_err(|error| bad_request(error.to_string()))?;
        if report.check.evidence.len() > EVIDENCE_LINES_MAX {
            return Err(bad_request(format!("more than {EVIDENCE_LINES_MAX} lines of evidence")));
        }
        self.daemon.zones().report_check(apex, report).await?;
        let mut response = Response::new(Full::new(Bytes::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    async fn get(&self, apex: NameBuf) -> Answer {
        let zones = self.daemon.zones().clone();
        let text = tokio::task::spawn_blocking(move || zones.text(apex.as_name())).await;
        let (text, etag) = text.map_err(|_| Problem::new(ProblemCode::Unknown, "reading the zone failed"))??;
        let mut response = Response::new(Full::new(text));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE_ZONE));
        Ok(with_etag(response, etag))
    }

    async fn put(&self, apex: NameBuf, request: Request<Incoming>) -> Answer {
        let mut dry_run = false;
        for (key, value) in pairs(request.uri().query())? {
            dry_run = match (key.as_str(), value.as_str()) {
                ("dry_run", "true") => true,
                ("dry_run", "false") => false,
                ("dry_run", _) => return Err(bad_request(format!("dry_run is true or false, not \"{value}\""))),
                _ => return Err(unknown_parameter(&key, "dry_run")),
            };
        }
        let precondition = precondition_of(request.headers())?;
        let pin = pin_change_of(request.headers())?;
        let pending = single(request.headers(), &PENDING)?.map(claim_of).transpose()?;
        let ds = single(request.headers(), &DS_MATCH)?.map(ds_of).transpose()?;
        let options = PutOptions { dry_run, precondition, pin, ds, pending };
        let declared = request.body().size_hint().upper();
        let budget = match declared {
            Some(octets) if octets > ZONE_TEXT_SIZE_MAX as u64 => return Err(too_large()),
            Some(octets) => octets,
            None => ZONE_TEXT_SIZE_MAX as u64,
        };
        let permits = u32::try_from(budget.div_ceil(1024)).map_err(|_| too_large())?;
        let permit = self.body_budget.acquire_many(permits).await;
        let text = collect(request.into_body(), ZONE_TEXT_SIZE_MAX).await?;
        let status = self.daemon.zones().put(apex, text, options).await?;
        drop(permit);
        let code = if status.change == Change::Created { StatusCode::CREATED } else { StatusCode::OK };
        let etag = status.etag.clone();
        Ok(with_etag(json(code, &status), etag))
    }
}

/// The whole body, unless it is too long or too slow.
async fn collect(mut body: Incoming, size_max: usize) -> Result<Bytes, Problem> {
    let slow =
        |_| Problem::new(ProblemCode::Timeout, format!("no more of the body came for {} s", BODY_PAUSE_MAX.as_secs()));
    let mut text = BytesMut::new();
    while let Some(frame) = tokio::time::timeout(BODY_PAUSE_MAX, body.frame()).await.map_err(slow)? {
        let frame = frame.map_err(|error| bad_request(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if text.len() + data.len() > size_max {
            return Err(too_large());
        }
        text.extend_from_slice(&data);
    }
    Ok(text.freeze())
}

/// Memory for bodies that are on their way: four of the largest, or thousands of usual ones.
const BODY_BUDGET_KIB: usize = 4 * (ZONE_TEXT_SIZE_MAX >> 10);

/// Time without a single octet of a body: the peers are on the same machine.
const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);

fn apex_of(segment: &str) -> Result<NameBuf, Problem> {
    name_of(&decode(segment)?)
}

fn name_of(text: &str) -> Result<NameBuf, Problem> {
    text.parse().map_err(|error| bad_request(format!("\"{text}\" is not a domain name: {error}")))
}

/// The query's parameters.
fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let pairs = query.unwrap_or("").split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        })
        .collect()
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn decode(text: &str) -> Result<String, Problem> {
    let mut octets = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(octet) = octets.next() {
        if octet != b'%' {
            decoded.push(octet);
            continue;
        }
        let digit = |octet: Option<u8>| char::from(octet?).to_digit(16);
        let (Some(high), Some(low)) = (digit(octets.next()), digit(octets.next())) else {
            return Err(bad_request(format!("in \"{text}\" a % is not followed by two hexadecimal digits")));
        };
        decoded.push((high * 16 + low) as u8);
    }
    String::from_utf8(decoded).map_err(|_| bad_request(format!("\"{text}\" is not UTF-8")))
}

pub(super) fn bad_request(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemCode::BadRequest, detail)
}

fn unknown_parameter(key: &str, known: &str) -> Problem {
    bad_request(format!("there is no parameter \"{key}\" here; there is {known}"))
}

fn method_not_allowed(allowed: &str) -> Problem {
    Problem::new(ProblemCode::MethodNotAllowed, format!("this path takes {allowed}"))
}

fn too_large() -> Problem {
    Problem::new(
        ProblemCode::TooLarge,
        format!("the zone text has more than {ZONE_TEXT_SIZE_MAX} octets; serve a zone of this size from a file"),
    )
}

pub(super) fn forbidden() -> Problem {
    Problem::new(
        ProblemCode::Forbidden,
        "this user may not use the control socket; join its group, or have server.control_uids list your user id",
    )
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let mut body = serde_json::to_vec(value).expect("the control types have string keys only");
    body.push(b'\n');
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn problem_response(problem: &Problem) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, problem);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Problem::MEDIA_TYPE));
    if problem.code == ProblemCode::MethodNotAllowed
        && let Some(allowed) = problem.detail.strip_prefix("this path takes ")
        && let Ok(allowed) = HeaderValue::from_str(allowed)
    {
        headers.insert(header::ALLOW, allowed);
    }
    if problem.code == ProblemCode::Busy {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn with_etag(mut response: Response<Full<Bytes>>, etag: Option<String>) -> Response<Full<Bytes>> {
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone_or_refused() {
        assert_eq!(decode("%2E").unwrap(), ".");
        assert_eq!(decode("0%2f25.example").unwrap(), "0/25.example");
        assert_eq!(decode("%").unwrap_err().status, 400);
        assert_eq!(decode("%2").unwrap_err().status, 400);
        assert_eq!(decode("%+1").unwrap_err().status, 400);
        assert_eq!(decode("%ff").unwrap_err().status, 400);
    }
}
