//! The daemon's side of the control socket.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nss_wire::NameBuf;
use serde::Serialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::ds::DS_MATCH;
use super::pending::{PENDING, PENDING_MATCH};
use super::pin::{PIN_MATCH, PIN_NONE, PIN_SET};
use super::{
    CHECK_REPORT_SIZE_MAX, Change, CheckReport, DsSet, EVIDENCE_LINES_MAX, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX,
    MEDIA_TYPE_ZONE, PendingClaim, Pin, PinChange, Precondition, Problem, ProblemCode, PutOptions, ReloadReport,
    ServerStatus, ZONE_TEXT_SIZE_MAX,
};
use crate::server::stopped;
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

/// A bound control socket; dropping it removes the path.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    access: Access,
}

/// Who may use the socket, besides root and the daemon's own user.
#[derive(Clone, Debug)]
struct Access {
    own_uid: u32,
    /// Group of the socket file.
    gid: u32,
    uids: Vec<u32>,
}

impl ControlSocket {
    /// Binds `path` with mode 0660, and gives it to `group` when there is one.
    ///
    /// A socket that nobody listens on any more, left behind by a daemon that was killed, is replaced.
    pub(crate) fn bind(path: &Path, group: Option<&str>, uids: &[u32]) -> io::Result<ControlSocket> {
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::create_dir_all(directory)?;
        }
        remove_if_dead(path)?;
        // Between bind and chmod the file has the mode that the umask allows, and a client could slip in: so it is
        // bound under a name that nobody looks at, and moved when all is set.
        let mut hidden = path.as_os_str().to_owned();
        hidden.push(format!(".{}", std::process::id()));
        let hidden = PathBuf::from(hidden);
        let _ = fs::remove_file(&hidden);
        let listener = UnixListener::bind(&hidden)?;
        let set_up = || {
            if let Some(group) = group {
                std::os::unix::fs::chown(&hidden, None, Some(gid_of(group)?))?;
            }
            fs::set_permissions(&hidden, fs::Permissions::from_mode(0o660))?;
            fs::rename(&hidden, path)?;
            fs::metadata(path)
        };
        let gid = match set_up() {
            Ok(metadata) => metadata.gid(),
            Err(error) => {
                let _ = fs::remove_file(&hidden);
                return Err(error);
            }
        };
        let access = Access { own_uid: nix::unistd::geteuid().as_raw(), gid, uids: uids.to_vec() };
        Ok(ControlSocket { listener, path: path.to_owned(), access })
    }

    /// Serves calls until `stop` says true, and then lets those that have begun come to their end.
    pub(crate) async fn serve(self, daemon: Arc<impl Daemon>, mut stop: watch::Receiver<bool>) {
        let service = Arc::new(Service { daemon, body_budget: Semaphore::new(BODY_BUDGET_KIB) });
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            // At the limit callers wait in the backlog instead of being turned away.
            let Ok(slot) = slots.clone().acquire_owned().await else { break };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stopped(&mut stop) => break,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, _)) => {
                    let (service, access, stop) = (service.clone(), self.access.clone(), stop.clone());
                    connections.spawn(async move {
                        serve_connection(stream, service, access, stop).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // No file descriptors left, most likely; that passes when connections end.
                    tracing::warn!(%error, "cannot accept on the control socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        let drained = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(DRAIN_TIME_MAX, drained).await;
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Access {
    /// Whether the peer may use the socket, as the kernel tells its ids.
    async fn allows(&self, stream: &UnixStream) -> io::Result<bool> {
        let peer = stream.peer_cred()?;
        let (uid, gid, own_gid) = (peer.uid(), peer.gid(), self.gid);
        if self.allows_ids(uid, gid) {
            return Ok(true);
        }
        // The kernel tells only one group of a peer; the others stand in the system's user database.
        let member = tokio::task::spawn_blocking(move || is_member(uid, own_gid)).await;
        Ok(member.unwrap_or(false))
    }

    fn allows_ids(&self, uid: u32, gid: u32) -> bool {
        uid == 0 || uid == self.own_uid || gid == self.gid || self.uids.contains(&uid)
    }
}

async fn serve_connection(
    stream: UnixStream,
    service: Arc<Service<impl Daemon>>,
    access: Access,
    mut stop: watch::Receiver<bool>,
) {
    let allowed = match access.allows(&stream).await {
        Ok(allowed) => allowed,
        Err(error) => {
            tracing::warn!(%error, "a peer of the control socket has no credentials");
            false
        }
    };
    let handler = service_fn(move |request| {
        let service = service.clone();
        async move {
            let response = if allowed { service.answer(request).await } else { Err(forbidden()) };
            Ok::<_, Infallible>(response.unwrap_or_else(|problem| problem_response(&problem)))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEADER_SIZE_MAX)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), handler);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection to the control socket broke");
    }
}

struct Service<D> {
    daemon: Arc<D>,
    /// Memory for bodies that are on their way, in KiB.
    body_budget: Semaphore,
}

type Answer = Result<Response<Full<Bytes>>, Problem>;

impl<D: Daemon> Service<D> {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
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

/// Connections at the same time: `nss-api` has one per upload in progress, and keeps up to 64 for the next ones.
const CONNECTIONS_MAX: usize = 256;

/// Memory for bodies that are on their way: four of the largest, or thousands of usual ones.
const BODY_BUDGET_KIB: usize = 4 * (ZONE_TEXT_SIZE_MAX >> 10);

/// Time for the head of a request, and between two requests.
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);

/// Time without a single octet of a body: the peers are on the same machine.
const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Octets of the head of a request: a name of 255 octets, all escaped and percent-encoded, and some headers.
const HEADER_SIZE_MAX: usize = 16 << 10;

/// Time that calls have to come to their end when the daemon stops.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Time to wait when the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

fn remove_if_dead(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of this name that is no socket"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => {
            Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it; is nssd running already?"))
        }
        Err(_) => fs::remove_file(path),
    }
}

fn gid_of(group: &str) -> io::Result<u32> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    match nix::unistd::Group::from_name(group)? {
        Some(group) => Ok(group.gid.as_raw()),
        None => Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no group \"{group}\""))),
    }
}

#[cfg(not(target_vendor = "apple"))]
fn is_member(uid: u32, gid: u32) -> bool {
    let Ok(Some(user)) = nix::unistd::User::from_uid(uid.into()) else { return false };
    let Ok(name) = std::ffi::CString::new(user.name) else { return false };
    nix::unistd::getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&gid.into()))
}

#[cfg(target_vendor = "apple")]
fn is_member(_: u32, _: u32) -> bool {
    false
}

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

fn precondition_of(headers: &HeaderMap) -> Result<Precondition, Problem> {
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

fn pin_change_of(headers: &HeaderMap) -> Result<PinChange, Problem> {
    let expected = match single(headers, &PIN_MATCH)? {
        None => None,
        Some(PIN_NONE) => Some(None),
        Some(text) => Some(Some(pin_of(text)?)),
    };
    Ok(PinChange { expected, set: single(headers, &PIN_SET)?.map(pin_of).transpose()? })
}

/// The value of a header field of ours, which stands there once or not at all.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
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

fn pin_of(text: &str) -> Result<Pin, Problem> {
    text.parse().map_err(|error| bad_request(format!("\"{text}\": {error}")))
}

fn ds_of(text: &str) -> Result<DsSet, Problem> {
    text.parse().map_err(|error| bad_request(format!("{DS_MATCH}: {error}")))
}

fn claim_of(json: &str) -> Result<PendingClaim, Problem> {
    serde_json::from_str(json).map_err(|error| bad_request(format!("{PENDING}: {error}")))
}

fn bad_request(detail: impl Into<String>) -> Problem {
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

fn forbidden() -> Problem {
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

fn problem_response(problem: &Problem) -> Response<Full<Bytes>> {
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

    #[test]
    fn the_socket_is_for_root_its_owner_its_group_and_who_is_listed() {
        let access = Access { own_uid: 100, gid: 200, uids: vec![101] };
        for (uid, gid, allowed) in
            [(0, 0, true), (100, 1, true), (5, 200, true), (101, 1, true), (102, 201, false), (200, 100, false)]
        {
            assert_eq!(access.allows_ids(uid, gid), allowed, "{uid} {gid}");
        }
        assert!(!is_member(u32::MAX - 7, 200), "a user that nobody knows is in no group");
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = ControlSocket::bind(&path, None, &[]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let error = ControlSocket::bind(&path, None, &[]).unwrap_err();
        assert!(error.to_string().contains("is nssd running already?"), "{error}");
        drop(socket);
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        assert_eq!(ControlSocket::bind(&path, None, &[]).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
