//! One request in, one response out: limits, routing, and what every response has in common.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use nss_wire::NameBuf;
use nssd::control::Client as ZoneServer;
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};

use crate::accept::Form;
use crate::body::{self, BodyReader, Memory};
use crate::config::{Config, Ownership, milliseconds};
use crate::connection::Permit;
use crate::domain::Domain;
use crate::key::{Key, reveal};
use crate::new_key::NewKey;
use crate::problem::{JSON, NO_STORE, Problem, TEXT, to_json};
use crate::proxies::{Proxies, Unreadable};
use crate::query::{self, Options, QueryError};
use crate::rate::RateLimits;
use crate::rdap::Rdap;
use crate::rounds::Rounds;
use crate::routes::{Call, HELP, NoCall};
use crate::time::utc;
use crate::upload::{Gate, Upload, no_randomness, preconditions};
use crate::zone_server;

/// Where a browser's request comes from, in its own words (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Names the mode in every response of a server that is not for the public.
const MODE: HeaderName = HeaderName::from_static("namespace-server-mode");

/// Texts that are fetched from the name server at one time, before their memory is counted; a fetch takes milliseconds.
const DOWNLOADS_MAX: usize = 16;

/// Answers requests; one for all connections.
pub(crate) struct Front {
    gate: Gate,
    zone_server: ZoneServer,
    proxies: Proxies,
    public_names: Vec<NameBuf>,
    rates: RateLimits,
    bodies: BodyReader,
    memory: Memory,
    downloads: Semaphore,
    help: String,
    mode: Option<HeaderValue>,
}

/// Who sent a request; as long as it lives, the connection counts as open and the server as serving.
#[derive(Clone)]
pub(crate) struct Caller {
    /// Whose request it is: not a trusted proxy's that brought it, once the request was looked at.
    pub(crate) address: IpAddr,
    pub(crate) _permit: Arc<Permit>,
    pub(crate) _serving: mpsc::Sender<()>,
}

impl Front {
    /// # Errors
    ///
    /// Certificates of RDAP servers that cannot be read.
    pub(crate) fn new(config: Config) -> Result<Front, String> {
        let rdap = Rdap::new(&config.rdap)?;
        let zone_server =
            ZoneServer::new(&config.control_socket).with_timeout(milliseconds(config.timeouts.control_ms));
        let memory = Memory::new(config.limits.body_memory_max.get());
        let bodies =
            BodyReader::new(config.limits.body_size_max.get(), milliseconds(config.timeouts.body_ms), memory.clone());
        let names: String = config.name_servers.iter().map(|name| format!("  {name}\n")).collect();
        Ok(Front {
            zone_server: zone_server.clone(),
            proxies: Proxies::new(&config.trusted_proxies),
            public_names: config.public_names.clone(),
            rates: RateLimits::new(config.requests_per_second, config.requests_per_second_total),
            bodies,
            memory,
            downloads: Semaphore::new(DOWNLOADS_MAX),
            help: format!("{HELP}{names}"),
            mode: mode(&config).map(HeaderValue::from_static),
            gate: Gate::new(config, zone_server, rdap),
        })
    }

    /// The operator's own reverse proxies.
    pub(crate) fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// The rounds that this server makes, if it makes any.
    pub(crate) fn rounds(&self) -> Option<Rounds> {
        self.gate.rounds()
    }

    /// Answers one request, whatever happens.
    pub(crate) async fn answer(self: Arc<Front>, request: Request<Incoming>, caller: Caller) -> Response<Full<Bytes>> {
        let form = Form::negotiate(request.headers());
        let front = Arc::clone(&self);
        let result = on_its_own(async move { front.dispatch(request, caller, form).await }).await;
        let response = result.unwrap_or_else(|problem| problem.into_response(form).map(Bytes::from));
        self.finish(response)
    }

    async fn dispatch(
        &self,
        request: Request<Incoming>,
        mut caller: Caller,
        form: Form,
    ) -> Result<Response<Bytes>, Problem> {
        let (head, body) = request.into_parts();
        let has_body = body::has_body(&body);
        // What is refused before its body was read leaves that body on the connection.
        let end_if_unread = |problem: Problem| if has_body { problem.end_connection() } else { problem };
        let client = self.proxies.client_of(caller.address, &head.headers);
        caller.address = client.unwrap_or(caller.address);
        self.rates.admit(caller.address).map_err(|wait| end_if_unread(too_many_requests(wait)))?;
        client.map_err(|unreadable| end_if_unread(bad_forwarding(unreadable)))?;
        check_host(&head).map_err(end_if_unread)?;
        body::check_coding(&head.headers).map_err(Problem::end_connection)?;
        let call = Call::find(&head.method, head.uri.path()).map_err(not_a_call);
        let is_change = matches!(call, Ok(Call::Upload | Call::UploadTo(_) | Call::Delete(_)));
        if is_change {
            // Before the body is read, and before anybody is asked.
            self.gate.admit_client(caller.address).map_err(end_if_unread)?;
        }
        let query = head.uri.query().unwrap_or_default();
        let refused = |error: QueryError| end_if_unread(bad_query(&error));
        match call.map_err(end_if_unread)? {
            Call::Methods(methods) => Ok(no_content(methods)),
            Call::Help => {
                query::parse_nothing(query).map_err(refused)?;
                Ok(text_response(TEXT, self.help.clone()))
            }
            Call::Health => {
                query::parse_nothing(query).map_err(refused)?;
                self.health().await
            }
            Call::Delegation => {
                let domain = query::parse_domain(query).map_err(refused)?;
                let key = self.gate.presented_key(&head.headers).map_err(end_if_unread)?;
                let standing =
                    self.gate.standing(&domain, key.as_ref(), caller.address).await.map_err(end_if_unread)?;
                Ok(in_form(form, || standing.text(), &standing))
            }
            Call::Status(segment) => {
                let domain = query::parse_segment(segment).map_err(refused)?;
                query::parse_nothing(query).map_err(refused)?;
                let hosted = self.gate.hosted(&domain, caller.address).await.map_err(end_if_unread)?;
                Ok(in_form(form, || hosted.text(), &hosted))
            }
            Call::NewKey => {
                query::parse_nothing(query).map_err(refused)?;
                self.new_key(form).map_err(end_if_unread)
            }
            _ if is_change && is_cross_site(&head.headers, &self.public_names) => Err(end_if_unread(cross_site())),
            Call::Upload => {
                let query = query::parse_query(query).map_err(refused)?;
                self.upload(&query.domain, query.options, &head.headers, body, &caller, form).await
            }
            Call::UploadTo(segment) => {
                let domain = query::parse_segment(segment).map_err(refused)?;
                let options = query::parse_options(query).map_err(refused)?;
                self.upload(&domain, options, &head.headers, body, &caller, form).await
            }
            Call::Download(segment) => {
                let domain = query::parse_segment(segment).map_err(refused)?;
                query::parse_nothing(query).map_err(refused)?;
                self.download(&domain, &head.headers).await
            }
            Call::Delete(segment) => {
                let domain = query::parse_segment(segment).map_err(refused)?;
                let options = query::parse_options(query).map_err(refused)?;
                let precondition = preconditions(&head.headers).map_err(end_if_unread)?;
                let key = self.gate.presented_key(&head.headers).map_err(end_if_unread)?;
                let deleted = self.gate.delete(&domain, options, &precondition, key.as_ref(), caller.address).await;
                self.log("delete", &domain, &caller, deleted.as_ref().err());
                Ok(self.change_response(form, &deleted.map_err(end_if_unread)?))
            }
        }
    }

    async fn health(&self) -> Result<Response<Bytes>, Problem> {
        match self.zone_server.status().await {
            Ok(_) => Ok(text_response(TEXT, "ok\n".into())),
            Err(error) => Err(zone_server::problem(&error)),
        }
    }

    fn new_key(&self, form: Form) -> Result<Response<Bytes>, Problem> {
        let key = Key::generate().map_err(|error| no_randomness(&error))?;
        let made = NewKey::new(&key, self.gate.name_servers());
        let mut response = in_form(form, || made.text(), &made);
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        Ok(response)
    }

    async fn upload(
        &self,
        domain: &Domain,
        options: Options,
        headers: &HeaderMap,
        body: Incoming,
        caller: &Caller,
        form: Form,
    ) -> Result<Response<Bytes>, Problem> {
        let uploaded = async {
            let end = Problem::end_connection;
            self.gate.check_domain(domain).map_err(end)?;
            let body_type = body::check_type(headers).map_err(end)?;
            let precondition = preconditions(headers).map_err(end)?;
            let key = self.gate.presented_key(headers).map_err(end)?;
            let text = self.bodies.read(headers, body).await?;
            let upload = Upload { text, body_type, key, client: caller.address };
            self.gate.upload(domain, options, precondition, upload).await
        }
        .await;
        self.log(if options.dry_run { "dry run" } else { "upload" }, domain, caller, uploaded.as_ref().err());
        Ok(self.change_response(form, &uploaded?))
    }

    async fn download(&self, domain: &Domain, headers: &HeaderMap) -> Result<Response<Bytes>, Problem> {
        let turn = self.downloads.acquire().await;
        let zone = self.zone_server.get_zone(domain.name()).await.map_err(|error| zone_server::problem(&error))?;
        // A zone from the operator's files has no version, and is the operator's to show.
        let Some(etag) = zone.etag else { return Err(zone_server::not_found(domain)) };
        let is_known = headers.get_all(IF_NONE_MATCH).iter().any(|tags| names_version(tags, &etag));
        let mut response = if is_known {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            let mut response = Response::new(self.memory.count(zone.text)?);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(nssd::control::MEDIA_TYPE_ZONE));
            response
        };
        drop(turn);
        insert_etag(&mut response, &etag);
        Ok(response)
    }

    fn change_response(&self, form: Form, change: &Changed) -> Response<Bytes> {
        let mut response = match form {
            Form::Text => {
                let mut text = change.text();
                if let Some(mode) = self.mode.as_ref().and_then(|mode| mode.to_str().ok()) {
                    text.push_str(&format!("mode of this server: {mode}\n"));
                }
                text_response(TEXT, text)
            }
            Form::Json => text_response(JSON, to_json(change)),
        };
        if let Some(etag) = &change.etag {
            insert_etag(&mut response, etag);
        }
        if change.key.is_some() {
            response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        }
        response
    }

    /// Adds what every response has.
    fn finish(&self, response: Response<Bytes>) -> Response<Full<Bytes>> {
        let mut response = response.map(Full::new);
        let status = response.status();
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
        if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            let (name, value) = body::no_codings();
            headers.insert(name, value);
        }
        if let Some(mode) = &self.mode {
            headers.insert(MODE, mode.clone());
        }
        response
    }

    fn log(&self, call: &'static str, domain: &Domain, caller: &Caller, refused: Option<&Problem>) {
        let client = caller.address;
        match refused {
            None => tracing::info!(call, %domain, %client, "done"),
            Some(problem) => {
                let (status, code) = (problem.status().as_u16(), problem.code());
                tracing::info!(call, %domain, %client, status, code, "refused");
            }
        }
    }
}

/// What a change did, for whoever asked for it.
#[derive(Debug, Serialize)]
pub(crate) struct Changed {
    /// The domain in A-labels.
    pub(crate) domain: String,
    pub(crate) serial: u32,
    pub(crate) records: u64,
    pub(crate) change: What,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) etag: Option<String>,
    /// By what the caller may do this.
    pub(crate) proof: Proof,
    /// Until when the zone is served unless the parent delegates it here by the key's label, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pending_until: Option<u64>,
    /// What to enter at the registrar for that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) enter: Vec<String>,
    /// The key that was made for the caller, who sees it this once.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "reveal")]
    pub(crate) key: Option<Key>,
    /// Warnings.
    pub(crate) diagnostics: Vec<nssd::control::Finding>,
}

/// What happened to a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Created,
    Replaced,
    Unchanged,
    Withdrawn,
    /// A dry run: all checks passed.
    Checked,
}

/// By what a caller may change a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proof {
    /// Nobody is asked for one.
    Open,
    /// The parent names the key.
    Keyed,
    /// The key is the pinned one.
    Pinned,
    /// No key was pinned before; the caller's is now, unless it was a dry run.
    First,
    /// The parent's DS records prove the zone.
    Ds,
    /// None yet: the zone is served for a while before its delegation.
    Pending,
}

impl Changed {
    fn text(&self) -> String {
        let Changed { domain, serial, records, .. } = self;
        let records = match records {
            1 => "1 record".to_owned(),
            n => format!("{n} records"),
        };
        let mut text = match self.change {
            What::Created => format!("{domain}: published with serial {serial}, {records}\n"),
            What::Replaced => format!("{domain}: replaced, now serial {serial}, {records}\n"),
            What::Unchanged => format!("{domain}: unchanged, serial {serial}, {records}\n"),
            What::Withdrawn => format!("{domain}: withdrawn, it had serial {serial}, {records}\n"),
            What::Checked => format!("{domain}: all checks passed, serial {serial}, {records}; nothing was changed\n"),
        };
        for finding in &self.diagnostics {
            crate::problem::write_finding(&mut text, finding);
        }
        match (self.proof, self.change, &self.key) {
            (_, _, Some(key)) => {
                text.push_str("\nthis key was made for the domain, and every change from now on needs it:\n  ");
                text.push_str(key.reveal());
                text.push_str("\nkeep it: it is shown this once; send it as Authorization: Bearer nss1_…\n");
            }
            (Proof::First, What::Checked, None) => {
                text.push_str("no key is pinned to the domain yet: the first upload pins the one it is sent with\n");
            }
            (Proof::First, _, None) => {
                text.push_str("the key you sent is pinned to the domain: every change from now on needs it\n");
            }
            (Proof::Ds, _, None) => {
                text.push_str("the DS records at the parent prove the zone: no key is pinned, and the next one is to have a newer serial\n");
            }
            (Proof::Pending, What::Withdrawn, None) | (Proof::Open | Proof::Keyed | Proof::Pinned, _, None) => {}
            (Proof::Pending, _, None) => {
                let until = self.pending_until.map(utc).unwrap_or_default();
                text.push_str(&format!(
                    "it is pending: served until {until}, and after that only if its parent delegates it by the label of your key\n\
                     at the domain's registrar, enter these name servers:\n"
                ));
                for name in &self.enter {
                    text.push_str(&format!("  {name}\n"));
                }
            }
        }
        text
    }
}

fn mode(config: &Config) -> Option<&'static str> {
    match config.ownership {
        Ownership::Pinned | Ownership::Keyed => None,
        Ownership::Open if config.delegation_check => Some("open, delegation checked"),
        Ownership::Open => Some("open, delegation not checked"),
    }
}

/// Runs a request as a task: a panic costs that request alone, and a client that hangs up leaves no work half done.
async fn on_its_own<F>(request: F) -> Result<Response<Bytes>, Problem>
where
    F: Future<Output = Result<Response<Bytes>, Problem>> + Send + 'static,
{
    tokio::spawn(request).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request panicked");
        Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "bug",
            "this request met a bug in the server; whether a zone was changed can be seen with GET",
        ))
    })
}

/// HTTP/1.1 wants exactly one `Host` (RFC 9112 §3.2); proxies that see another one than we do are how requests get smuggled.
fn check_host(head: &Parts) -> Result<(), Problem> {
    let hosts = head.headers.get_all(HOST).iter().count();
    let is_right = hosts == 1 || (hosts == 0 && head.version == Version::HTTP_10);
    if is_right {
        return Ok(());
    }
    let detail = format!("the request has {hosts} Host header fields, and needs one");
    Err(Problem::new(StatusCode::BAD_REQUEST, "bad-host", detail))
}

/// Whether a web page of somebody else has a browser send this request.
///
/// A server in a private network would otherwise be open to every page that somebody in that network looks at. That a page has
/// the name by which we are called is not enough: whoever made it can bind that name to our address a moment later.
fn is_cross_site(headers: &HeaderMap, public_names: &[NameBuf]) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(&HOST).unwrap_or_default();
    let is_foreign = |origin: &str| origin.split_once("://").is_none_or(|(_, of)| !of.eq_ignore_ascii_case(host));
    let is_sent_by_another = |site: &str| !matches!(site, "same-origin" | "none");
    match (text(&ORIGIN), text(&SEC_FETCH_SITE)) {
        // Browsers say one or the other with every change.
        (None, None) => false,
        (origin, site) => {
            origin.is_some_and(is_foreign) || site.is_some_and(is_sent_by_another) || !is_our_host(host, public_names)
        }
    }
}

/// Whether a host, with or without a port, is ours and cannot be made to be: an address, the machine itself, or a name that the
/// operator wrote down.
fn is_our_host(host: &str, public_names: &[NameBuf]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    if address.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    name.parse::<NameBuf>().is_ok_and(|name| public_names.contains(&name))
}

fn cross_site() -> Problem {
    let detail = "web pages of other sites may not change zones, nor may those of a name that is not in public_names; send the request \
                  with curl";
    Problem::new(StatusCode::FORBIDDEN, "cross-site", detail)
}

fn bad_forwarding(Unreadable: Unreadable) -> Problem {
    let detail = "X-Forwarded-For of the proxy in front of this server ends with no address, so that nobody knows whose request it is; \
                  nothing was changed, tell the operator";
    Problem::new(StatusCode::BAD_REQUEST, "bad-forwarding", detail)
}

fn too_many_requests(wait: Duration) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "too many requests; slow down").retry_after(wait)
}

fn not_a_call(no_call: NoCall) -> Problem {
    match no_call {
        NoCall::Path => Problem::new(StatusCode::NOT_FOUND, "no-such-path", "nothing is here; GET / shows the calls"),
        NoCall::Method(methods) => Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            format!("this path knows the methods {methods}; GET / shows the calls"),
        )
        .allow(methods),
    }
}

fn bad_query(error: &QueryError) -> Problem {
    let status = match error {
        QueryError::TooLong => StatusCode::URI_TOO_LONG,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, "bad-parameter", error.to_string())
}

fn no_content(methods: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn text_response(media_type: &'static str, text: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// An answer as text or as JSON.
fn in_form<T: Serialize>(form: Form, text: impl FnOnce() -> String, value: &T) -> Response<Bytes> {
    match form {
        Form::Text => text_response(TEXT, text()),
        Form::Json => text_response(JSON, to_json(value)),
    }
}

fn insert_etag(response: &mut Response<Bytes>, etag: &str) {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(ETAG, value);
    }
}

/// Whether a field of `If-None-Match` names `etag`, by the weak comparison of RFC 9110 §8.8.3.2.
fn names_version(tags: &HeaderValue, etag: &str) -> bool {
    let Ok(tags) = tags.to_str() else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[tokio::test]
    async fn a_panic_costs_one_request() {
        let problem = on_its_own(async { panic!("as if there were a bug") }).await.unwrap_err();
        assert_eq!((problem.status(), problem.code()), (StatusCode::INTERNAL_SERVER_ERROR, "bug"));
    }

    #[test]
    fn pages_of_other_sites_are_told_from_our_own_and_from_programs() {
        let names: [NameBuf; 1] = ["dns.example.net".parse().unwrap()];
        let is_refused = |fields: &[(HeaderName, &'static str)]| is_cross_site(&headers(fields), &names);
        let host = (HOST, "dns.example.net:12601");
        for fields in [
            &[host.clone()][..],
            &[host.clone(), (ORIGIN, "http://DNS.example.net:12601"), (SEC_FETCH_SITE, "same-origin")],
            &[host.clone(), (SEC_FETCH_SITE, "none")],
            &[(HOST, "DNS.example.net."), (ORIGIN, "https://dns.example.net.")],
            &[(HOST, "192.0.2.1:12601"), (ORIGIN, "http://192.0.2.1:12601")],
            &[(HOST, "[2001:db8::1]:12601"), (ORIGIN, "http://[2001:db8::1]:12601")],
            &[(HOST, "[::1]"), (ORIGIN, "http://[::1]")],
            &[(HOST, "localhost:12601"), (ORIGIN, "http://localhost:12601")],
            &[(HOST, "whatever.example")],
        ] {
            assert!(!is_refused(fields), "{fields:?}");
        }
        for fields in [
            &[host.clone(), (ORIGIN, "https://www.example.org")][..],
            &[host.clone(), (ORIGIN, "http://dns.example.net")],
            &[host.clone(), (ORIGIN, "null")],
            &[host.clone(), (SEC_FETCH_SITE, "cross-site")],
            &[host.clone(), (SEC_FETCH_SITE, "same-site")],
            // A name that was bound to our address after the page came from elsewhere.
            &[(HOST, "rebound.example:12601"), (ORIGIN, "http://rebound.example:12601")],
            &[(HOST, "rebound.example:12601"), (SEC_FETCH_SITE, "same-origin")],
            &[(HOST, "www.dns.example.net"), (ORIGIN, "http://www.dns.example.net")],
            &[(HOST, "127.0.0.1.rebound.example"), (ORIGIN, "http://127.0.0.1.rebound.example")],
            &[(HOST, "localhost.rebound.example"), (ORIGIN, "http://localhost.rebound.example")],
            &[(HOST, "2130706433"), (ORIGIN, "http://2130706433")],
            &[(HOST, ""), (ORIGIN, "http://")],
        ] {
            assert!(is_refused(fields), "{fields:?}");
        }
    }

    #[test]
    fn a_version_is_known_by_any_of_its_tags() {
        for tags in ["\"1\"", "W/\"1\"", "\"0\", \"1\"", "*"] {
            assert!(names_version(&HeaderValue::from_static(tags), "\"1\""), "{tags}");
        }
        assert!(!names_version(&HeaderValue::from_static("\"2\", 1"), "\"1\""));
    }
}
