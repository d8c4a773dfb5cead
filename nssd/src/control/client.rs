//! The typed client of the control socket.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use nss_wire::Name;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::ds::DS_MATCH;
use super::pending::{PENDING, PENDING_MATCH};
use super::pin::{PIN_MATCH, PIN_NONE, PIN_SET};
use super::{
    CheckReport, Claim, DsSet, DueChecks, PendingClaim, Pin, PinChange, Problem, ProblemCode, ReloadReport,
    ServerStatus, ZONE_TEXT_SIZE_MAX, ZoneList, ZoneStatus,
};

/// Calls the control socket of one daemon; cheap to clone.
///
/// Connections are kept for the next call, of clones too, and each has a task on the runtime of the call that made it. A daemon
/// that was restarted meanwhile is connected to anew.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    timeout: Duration,
    idle: Arc<Mutex<Vec<Idle>>>,
}

/// A connection between two calls.
#[derive(Debug)]
struct Idle {
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

impl Client {
    /// A client of the daemon that listens on `socket`; nothing is connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Client {
        Client { socket: socket.into(), timeout: TIMEOUT_DEFAULT, idle: Arc::default() }
    }

    /// The same client with another time limit for a whole call, 60 s unless set.
    pub fn with_timeout(self, timeout: Duration) -> Client {
        Client { timeout, ..self }
    }

    /// The path of the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Adds or replaces a zone; once it returns, the zone is on disk and every query sees it.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with the findings when the text makes no zone, when the precondition does not hold,
    /// when the operator's file has the zone, or when the store can't be written.
    pub async fn put_zone(&self, apex: Name<'_>, text: Bytes, options: &PutOptions) -> Result<ZoneStatus, ClientError> {
        if text.len() > ZONE_TEXT_SIZE_MAX {
            // The daemon would stop reading; refusing here tells the reason instead of a broken connection.
            return Err(ClientError::Refused(Box::new(Problem::new(
                ProblemCode::TooLarge,
                format!("the zone text has {} octets, {ZONE_TEXT_SIZE_MAX} are the most", text.len()),
            ))));
        }
        let query = if options.dry_run { "?dry_run=true" } else { "" };
        let request = Request::builder()
            .method(Method::PUT)
            .uri(format!("{}{query}", zone_path(apex)))
            .header(header::CONTENT_TYPE, super::MEDIA_TYPE_ZONE);
        let mut request = options.pin.add_to(options.precondition.add_to(request));
        if let Some(ds) = &options.ds {
            request = request.header(DS_MATCH, ds.to_string());
        }
        if let Some(claim) = &options.pending {
            let json = serde_json::to_string(claim).map_err(|error| ClientError::Protocol(error.to_string()))?;
            request = request.header(PENDING, json);
        }
        self.call_json(request, text).await
    }

    /// The text of a zone as it was uploaded, octet for octet.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with status 404 when there is no such zone.
    pub async fn get_zone(&self, apex: Name<'_>) -> Result<ZoneText, ClientError> {
        let (head, text) = self.call(Request::get(zone_path(apex)), Bytes::new()).await?;
        let etag = head.headers.get(header::ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        Ok(ZoneText { text, etag })
    }

    /// What is served for a zone.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with status 404 when there is no such zone.
    pub async fn zone_status(&self, apex: Name<'_>) -> Result<ZoneStatus, ClientError> {
        self.call_json(Request::get(format!("{}/status", zone_path(apex))), Bytes::new()).await
    }

    /// What decides who may change a zone, be it hosted or not.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] when the store can't be read.
    pub async fn claim(&self, apex: Name<'_>) -> Result<Claim, ClientError> {
        self.call_json(Request::get(format!("{}/claim", zone_path(apex))), Bytes::new()).await
    }

    /// Up to `limit` zones whose next check at the parent is due at `now`, or that were uploaded before
    /// `uploaded_before` and never checked; both in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unreachable`] above all.
    pub async fn due_checks(&self, now: u64, uploaded_before: u64, limit: usize) -> Result<DueChecks, ClientError> {
        let query = format!("now={now}&uploaded_before={uploaded_before}&limit={limit}");
        self.call_json(Request::get(format!("/v1/checks/due?{query}")), Bytes::new()).await
    }

    /// Writes a check at the parent down, and parks or purges the zone if the report says so.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with status 412 when the zone was uploaded or checked meanwhile.
    pub async fn report_check(&self, apex: Name<'_>, report: &CheckReport) -> Result<(), ClientError> {
        let body = serde_json::to_vec(report).map_err(|error| ClientError::Protocol(error.to_string()))?;
        let request =
            Request::put(format!("{}/check", zone_path(apex))).header(header::CONTENT_TYPE, "application/json");
        self.call(request, body.into()).await.map(drop)
    }

    /// Withdraws an uploaded zone and deletes its text; its pin stays.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] when there is no such zone, when the precondition does not hold or the pin is another
    /// one, when the operator's file has the zone, or when the store can't be written.
    pub async fn delete_zone(
        &self,
        apex: Name<'_>,
        precondition: &Precondition,
        pin: &PinChange,
    ) -> Result<ZoneStatus, ClientError> {
        let request = pin.add_to(precondition.add_to(Request::delete(zone_path(apex))));
        self.call_json(request, Bytes::new()).await
    }

    /// Withdraws a zone that is served by the claim with this pin and by nothing better.
    ///
    /// # Errors
    ///
    /// As [`Client::delete_zone`], and status 409 when there is no such claim any more.
    pub async fn delete_pending_zone(
        &self,
        apex: Name<'_>,
        precondition: &Precondition,
        claim: Pin,
    ) -> Result<ZoneStatus, ClientError> {
        let request = precondition.add_to(Request::delete(zone_path(apex))).header(PENDING_MATCH, claim.to_string());
        self.call_json(request, Bytes::new()).await
    }

    /// Up to `limit` zones whose names as text follow `after`.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unreachable`] above all.
    pub async fn list_zones(&self, after: Option<&str>, limit: usize) -> Result<ZoneList, ClientError> {
        let after = after.map_or(String::new(), |after| format!("&after={}", encode(after)));
        self.call_json(Request::get(format!("/v1/zones?limit={limit}{after}")), Bytes::new()).await
    }

    /// The daemon as a whole.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unreachable`] above all.
    pub async fn status(&self) -> Result<ServerStatus, ClientError> {
        self.call_json(Request::get("/v1/status"), Bytes::new()).await
    }

    /// Reads the operator's zone files again; returns when all of them are served or reported.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unreachable`] above all; broken files are part of the report.
    pub async fn reload(&self) -> Result<ReloadReport, ClientError> {
        self.call_json(Request::post("/v1/reload"), Bytes::new()).await
    }

    async fn call_json<T: DeserializeOwned>(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let (_, body) = self.call(request, body).await?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Protocol(error.to_string()))
    }

    async fn call(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<(http::response::Parts, Bytes), ClientError> {
        match tokio::time::timeout(self.timeout, self.call_once(request, body)).await {
            Ok(result) => result,
            Err(_) => Err(ClientError::Interrupted(format!("no answer within {} s", self.timeout.as_secs_f32()))),
        }
    }

    async fn call_once(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<(http::response::Parts, Bytes), ClientError> {
        let mut request = request
            // A Unix socket has no host; HTTP/1.1 wants the header all the same (RFC 9112 §3.2).
            .header(header::HOST, "nssd")
            .body(Full::new(body))
            .map_err(|error| ClientError::Protocol(error.to_string()))?;
        let interrupted = |error: hyper::Error| ClientError::Interrupted(error.to_string());
        loop {
            let (mut sender, is_fresh) = match self.take_idle() {
                Some(sender) => (sender, false),
                None => (self.connect().await?, true),
            };
            let ready = sender.ready().await;
            let mut failed = match ready {
                Ok(()) => match sender.try_send_request(request).await {
                    Ok(response) => {
                        let (head, body) = response.into_parts();
                        let body = Limited::new(body, RESPONSE_SIZE_MAX).collect().await;
                        let body = body.map_err(|error| ClientError::Interrupted(error.to_string()))?.to_bytes();
                        if !head.status.is_success() {
                            // The daemon may have left the rest of a body unread, and then closes the connection.
                            return Err(ClientError::Refused(Box::new(problem_of(head.status, &body))));
                        }
                        self.put_idle(sender);
                        return Ok((head, body));
                    }
                    Err(failed) => failed,
                },
                // The daemon closed it between two calls.
                Err(_) if !is_fresh => continue,
                Err(error) => return Err(interrupted(error)),
            };
            match failed.take_message() {
                // Nothing of it was sent, so that it may be sent again.
                Some(unsent) if !is_fresh => request = unsent,
                Some(_) | None => return Err(interrupted(failed.into_error())),
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let unreachable = |error: io::Error| ClientError::Unreachable { socket: self.socket.clone(), error };
        let stream = UnixStream::connect(&self.socket).await.map_err(unreachable)?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| ClientError::Interrupted(error.to_string()))?;
        // Ends when the sender is dropped, or the daemon closes it; its error is that of the call, too.
        tokio::spawn(async move { _ = connection.await });
        Ok(sender)
    }

    /// The connection that was used last: of many the others then end by themselves.
    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle();
        idle.retain(|idle| idle.since.elapsed() < IDLE_TIME_MAX && !idle.sender.is_closed());
        idle.pop().map(|idle| idle.sender)
    }

    fn put_idle(&self, sender: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }

    // A panic while the lock was held left whole connections behind.
    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn problem_of(status: StatusCode, body: &[u8]) -> Problem {
    serde_json::from_slice(body).unwrap_or_else(|_| Problem {
        status: status.as_u16(),
        title: status.canonical_reason().unwrap_or("Unknown").to_owned(),
        code: ProblemCode::Unknown,
        detail: format!("the daemon refused the call with status {status} and gave no reason"),
        findings: Vec::new(),
        findings_left_out: 0,
    })
}

/// How [`Client::put_zone`] is done.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Check everything and change nothing.
    pub dry_run: bool,
    /// What has to hold for the zone as it is now.
    pub precondition: Precondition,
    /// What has to hold for the zone's pin, and what becomes of it.
    pub pin: PinChange,
    /// The DS records that have to prove the zone to its last record; its serial has to be newer then than that of any zone of the same
    /// signers that was stored before.
    pub ds: Option<DsSet>,
    /// By which claim it is served, when its parent does not delegate it here yet.
    pub pending: Option<PendingClaim>,
}

/// What has to hold for a zone before it is changed (RFC 9110 §13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// The zone is in the version with this entity tag, quotes included.
    Version(String),
    /// The zone exists.
    Exists,
    /// The zone does not exist.
    Absent,
}

impl Precondition {
    fn add_to(&self, request: http::request::Builder) -> http::request::Builder {
        match self {
            Precondition::None => request,
            Precondition::Version(etag) => request.header(header::IF_MATCH, etag),
            Precondition::Exists => request.header(header::IF_MATCH, "*"),
            Precondition::Absent => request.header(header::IF_NONE_MATCH, "*"),
        }
    }
}

impl PinChange {
    fn add_to(&self, request: http::request::Builder) -> http::request::Builder {
        let request = match self.expected {
            None => request,
            Some(None) => request.header(PIN_MATCH, PIN_NONE),
            Some(Some(pin)) => request.header(PIN_MATCH, pin.to_string()),
        };
        match self.set {
            None => request,
            Some(pin) => request.header(PIN_SET, pin.to_string()),
        }
    }
}

/// The text of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneText {
    /// As uploaded; for a zone from a file, what is served, in canonical form.
    pub text: Bytes,
    /// The version, for [`Precondition::Version`]; absent for a zone from a file.
    pub etag: Option<String>,
}

/// Why a call did not succeed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The daemon is not there, or this process may not connect to it; nothing was sent.
    Unreachable {
        /// The path that was tried.
        socket: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The connection broke or the time was over after the call was sent; it may or may not have had effect.
    Interrupted(String),
    /// The answer is not one that this version understands.
    Protocol(String),
    /// The daemon refused the call and nothing was changed.
    Refused(Box<Problem>),
}

impl ClientError {
    /// The problem, when the daemon refused the call.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            ClientError::Refused(problem) => Some(problem),
            ClientError::Unreachable { .. } | ClientError::Interrupted(_) | ClientError::Protocol(_) => None,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Unreachable { socket, error } => {
                write!(f, "cannot connect to {}: {error}; is nssd running?", socket.display())
            }
            ClientError::Interrupted(reason) => {
                write!(f, "the call was interrupted and may or may not have had effect: {reason}")
            }
            ClientError::Protocol(reason) => write!(f, "the daemon's answer is not understood: {reason}"),
            ClientError::Refused(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Unreachable { error, .. } => Some(error),
            ClientError::Refused(problem) => Some(problem),
            ClientError::Interrupted(_) | ClientError::Protocol(_) => None,
        }
    }
}

/// Time for a whole call: a large zone takes some seconds to build, a disk some to sync.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// How long a connection is kept without a call: well below the ten seconds after which the daemon closes it, or a call could
/// meet its end on the way and nobody would know whether it had effect.
const IDLE_TIME_MAX: Duration = Duration::from_secs(2);

/// Connections kept: three programs with so many leave the daemon a quarter of its places.
const IDLE_MAX: usize = 64;

/// Octets of an answer at most: the text of a zone in canonical form is longer than the text it came from,
/// by the names and TTLs that were left out there.
const RESPONSE_SIZE_MAX: usize = 8 * ZONE_TEXT_SIZE_MAX;

fn zone_path(apex: Name<'_>) -> String {
    format!("/v1/zones/{}", encode(&apex.to_lowercase().to_string()))
}

/// Percent-encodes what may not stand in a path segment or a query value (RFC 3986 §2.3), and a lone dot, which
/// would be taken for the current directory.
fn encode(text: &str) -> String {
    if text == "." {
        return "%2E".to_owned();
    }
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            use fmt::Write;
            write!(encoded, "%{octet:02X}").expect("writing to a String does not fail");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn names_with_any_octet_fit_in_a_path() {
        let path = |text: &str| zone_path(text.parse::<nss_wire::NameBuf>().unwrap().as_name());
        assert_eq!(path("Example.COM"), "/v1/zones/example.com.");
        assert_eq!(path("."), "/v1/zones/%2E");
        assert_eq!(path("0/25.2.0.192.in-addr.arpa"), "/v1/zones/0%2F25.2.0.192.in-addr.arpa.");
        assert_eq!(path("a\\.b\\000"), "/v1/zones/a%5C.b%5C000.");
    }

    #[tokio::test]
    async fn a_socket_that_is_not_there_is_unreachable() {
        let client = Client::new("/nonexistent/control.sock");
        let error = client.status().await.unwrap_err();
        assert!(matches!(&error, ClientError::Unreachable { .. }), "{error}");
        assert!(error.to_string().starts_with("cannot connect to /nonexistent/control.sock: "), "{error}");
    }

    #[tokio::test]
    async fn a_connection_on_which_a_call_was_refused_is_not_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.read_u8().await.unwrap();
                stream.write_all(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                // Open still, and nobody reads there.
                kept.push(stream);
            }
        });
        let client = Client::new(&path).with_timeout(Duration::from_secs(60));
        for _ in 0..3 {
            let refused = client.list_zones(None, 1).await.unwrap_err();
            assert_eq!(refused.problem().map(|problem| problem.status), Some(413), "{refused}");
        }
    }

    /// Answers as many calls as `calls` says over each connection, one after the other, and then closes it.
    async fn answer(listener: tokio::net::UnixListener, calls: usize) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..calls {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(octet) => head.push(octet),
                        Err(_) => break,
                    }
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"zones\":[]}").await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn calls_share_a_connection_and_outlive_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let server = tokio::spawn(answer(listener, 3));
        let client = Client::new(&path).with_timeout(Duration::from_secs(60));
        // The daemon takes one connection at a time: a second one would wait for the end of the first.
        for _ in 0..10 {
            client.clone().list_zones(None, 1).await.unwrap();
        }
        server.abort();
        let _ = server.await;
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(client.status().await, Err(ClientError::Unreachable { .. })));
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        tokio::spawn(answer(listener, 3));
        client.list_zones(None, 1).await.unwrap();
    }
}
