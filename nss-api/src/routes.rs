//! The calls of the public API: which there are, and who answers them.
//!
//! | call | what it does | answers |
//! | --- | --- | --- |
//! | `POST /v1/zone?domain=D` | checks and publishes the zone file in the body | 200 400 401 403 408 409 412 413 415 429 502 503 507 |
//! | `PUT /v1/zones/D` | the same, the domain in the path | the same |
//! | `GET /v1/zones/D` | the text as uploaded | 200 304 400 404 502 503 |
//! | `DELETE /v1/zones/D` | withdraws the zone | 200 400 401 403 404 409 412 429 502 503 507 |
//! | `GET /v1/zones/D/status` | how a hosted zone stands with its parent, and who may change it | 200 400 404 502 503 |
//! | `GET /v1/delegation?domain=D` | what the parent says about any domain, and what to enter at the registrar | 200 400 401 502 503 |
//! | `POST /v1/keys` | makes a zone key and says what to enter at the registrar for it | 200 503 |
//! | `GET /healthz` | whether the name server behind answers | 200 502 503 |
//! | `GET /` | these lines | 200 |
//!
//! Beside these any call answers 400 (a parameter that it does not know, no `Host`, a proxy that does not say for whom it asks), 414 (a query
//! that is too long), 429 (too many requests), 500 (a bug) and 501 (a transfer coding that nobody knows); other paths are 404, other methods 405.
//!
//! Why it is like this:
//!
//! - *The zone file is the interface.* It is what owners have, what every tool writes, and what they get back, octet for
//!   octet. There is no call for single records: a zone changes as a whole, or not at all.
//! - *One `curl` line is a complete client.* Text goes in, text comes out, and any body type that `curl` sends is taken.
//!   Programs ask for `application/json` and get the same facts, errors as RFC 9457 problems.
//! - *`POST` with a parameter beside `PUT` with a path.* The first is the oldest call and stays as it is; the second says
//!   the same in the words of HTTP, with `If-Match` and `If-None-Match` against lost updates.
//! - *Whoever has the key may delete.* Deleting takes the same proof as uploading, and a domain that is no longer delegated
//!   here cannot be deleted by a stranger.
//! - *No accounts.* A key in `Authorization: Bearer` is all there is, and what it opens stands at the parent or was
//!   pinned by the first upload; a signed zone may prove itself ([`ownership`](crate::ownership)).
//! - *The status code says whose turn it is*: 400 mend the file, 401 send the key, 403 mend the delegation, 503 wait for us or the parent.
//!   "Could not find out" is never a no.
//!
//! The version is in the path; within `v1` answers gain members and never lose any.

use http::Method;

/// Octets of a path at most: the longest is a domain with every octet escaped, below `/v1/zones/`.
const PATH_SIZE_MAX: usize = crate::query::QUERY_SIZE_MAX;

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'p> {
    /// `/`
    Root,
    /// `/healthz`
    Health,
    /// `/v1/zone`
    Zone,
    /// `/v1/keys`
    Keys,
    /// `/v1/delegation`
    Delegation,
    /// `/v1/zones/{domain}`, the segment still escaped.
    ZoneOf(&'p str),
    /// `/v1/zones/{domain}/status`, the segment still escaped.
    StatusOf(&'p str),
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call<'p> {
    Help,
    Health,
    NewKey,
    /// The domain stands in the query.
    Delegation,
    Status(&'p str),
    /// The domain stands in the query.
    Upload,
    UploadTo(&'p str),
    Download(&'p str),
    Delete(&'p str),
    /// `OPTIONS`: the methods of a place.
    Methods(&'static str),
}

/// Why a request is no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCall {
    /// Nothing stands at this path.
    Path,
    /// The path knows these methods only.
    Method(&'static str),
}

impl<'p> Place<'p> {
    fn find(path: &'p str) -> Option<Place<'p>> {
        if path.len() > PATH_SIZE_MAX {
            return None;
        }
        match path {
            "/" | "*" => Some(Place::Root),
            "/healthz" => Some(Place::Health),
            "/v1/zone" => Some(Place::Zone),
            "/v1/keys" => Some(Place::Keys),
            "/v1/delegation" => Some(Place::Delegation),
            _ => {
                let rest = path.strip_prefix("/v1/zones/")?;
                let (segment, place) = match rest.strip_suffix("/status") {
                    Some(segment) => (segment, Place::StatusOf(segment)),
                    None => (rest, Place::ZoneOf(rest)),
                };
                (!segment.is_empty() && !segment.contains('/')).then_some(place)
            }
        }
    }

    fn methods(self) -> &'static str {
        match self {
            Place::Root | Place::Health | Place::Delegation | Place::StatusOf(_) => "GET, HEAD, OPTIONS",
            Place::Zone | Place::Keys => "POST, OPTIONS",
            Place::ZoneOf(_) => "GET, HEAD, PUT, DELETE, OPTIONS",
        }
    }
}

impl<'p> Call<'p> {
    /// The call of a method at a path. `HEAD` is `GET`, whose body the connection leaves out.
    pub(crate) fn find(method: &Method, path: &'p str) -> Result<Call<'p>, NoCall> {
        let place = Place::find(path).ok_or(NoCall::Path)?;
        let is_get = matches!(*method, Method::GET | Method::HEAD);
        match place {
            _ if *method == Method::OPTIONS => Ok(Call::Methods(place.methods())),
            Place::Root if is_get => Ok(Call::Help),
            Place::Health if is_get => Ok(Call::Health),
            Place::Zone if *method == Method::POST => Ok(Call::Upload),
            Place::Keys if *method == Method::POST => Ok(Call::NewKey),
            Place::Delegation if is_get => Ok(Call::Delegation),
            Place::StatusOf(domain) if is_get => Ok(Call::Status(domain)),
            Place::ZoneOf(domain) if is_get => Ok(Call::Download(domain)),
            Place::ZoneOf(domain) if *method == Method::PUT => Ok(Call::UploadTo(domain)),
            Place::ZoneOf(domain) if *method == Method::DELETE => Ok(Call::Delete(domain)),
            Place::Root
            | Place::Health
            | Place::Zone
            | Place::Keys
            | Place::Delegation
            | Place::ZoneOf(_)
            | Place::StatusOf(_) => Err(NoCall::Method(place.methods())),
        }
    }
}

/// The answer of `GET /`; the names of our name servers follow it.
pub(crate) const HELP: &str = "\
Namespace Server: hosts the zone of your domain.

1. At your registrar, enter the name servers below as those of your domain.
2. Send the zone file; its own NS records name the same servers:

   curl --data-binary @example.com.zone 'https://HOST/v1/zone?domain=example.com'

3. Keep the key that the answer shows, and send it with every change:

   curl -H 'Authorization: Bearer nss1_...' --data-binary @example.com.zone 'https://HOST/v1/zone?domain=example.com'

Better still: make the key first with POST /v1/keys, and enter the name servers with its label.
A zone that is signed, and whose DS record is at your registrar, needs no key.

POST   /v1/zone?domain=example.com   check and publish a zone file
PUT    /v1/zones/example.com         the same
GET    /v1/zones/example.com         the zone file as it was uploaded
DELETE /v1/zones/example.com         withdraw the zone
GET    /v1/zones/example.com/status  how the zone stands, and who may change it
GET    /v1/delegation?domain=example.com   what the parent zone says, and what to enter at the registrar
POST   /v1/keys                      make a key for your domain

With ?dry_run=true everything is checked and nothing is changed.
With the header \"Accept: application/json\" answers are JSON.

Name servers:
";

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'p>(method: &str, path: &'p str) -> Result<Call<'p>, NoCall> {
        Call::find(&method.parse().unwrap(), path)
    }

    #[test]
    fn every_call_of_the_table_is_found() {
        assert_eq!(find("POST", "/v1/zone"), Ok(Call::Upload));
        assert_eq!(find("PUT", "/v1/zones/example.com"), Ok(Call::UploadTo("example.com")));
        assert_eq!(find("GET", "/v1/zones/example.com"), Ok(Call::Download("example.com")));
        assert_eq!(find("HEAD", "/v1/zones/%65"), Ok(Call::Download("%65")));
        assert_eq!(find("DELETE", "/v1/zones/example.com"), Ok(Call::Delete("example.com")));
        assert_eq!(find("POST", "/v1/keys"), Ok(Call::NewKey));
        assert_eq!(find("GET", "/v1/delegation"), Ok(Call::Delegation));
        assert_eq!(find("GET", "/v1/zones/example.com/status"), Ok(Call::Status("example.com")));
        assert_eq!(find("GET", "/healthz"), Ok(Call::Health));
        assert_eq!(find("GET", "/"), Ok(Call::Help));
    }

    #[test]
    fn other_methods_are_told_the_right_ones() {
        assert_eq!(find("GET", "/v1/zone"), Err(NoCall::Method("POST, OPTIONS")));
        assert_eq!(find("PUT", "/v1/zones/a.b/status"), Err(NoCall::Method("GET, HEAD, OPTIONS")));
        assert_eq!(find("POST", "/v1/delegation"), Err(NoCall::Method("GET, HEAD, OPTIONS")));
        assert_eq!(find("GET", "/v1/keys"), Err(NoCall::Method("POST, OPTIONS")));
        assert_eq!(find("PATCH", "/v1/zones/a.b"), Err(NoCall::Method("GET, HEAD, PUT, DELETE, OPTIONS")));
        assert_eq!(find("BREW", "/"), Err(NoCall::Method("GET, HEAD, OPTIONS")));
        assert_eq!(find("OPTIONS", "/v1/zone"), Ok(Call::Methods("POST, OPTIONS")));
        assert_eq!(find("OPTIONS", "*"), Ok(Call::Methods("GET, HEAD, OPTIONS")));
    }

    #[test]
    fn nothing_stands_at_other_paths() {
        let long = format!("/v1/zones/{}", "a".repeat(PATH_SIZE_MAX));
        for path in [
            "",
            "/v1",
            "/v1/",
            "/v1/zone/",
            "/v1/zones",
            "/v1/zones/",
            "/v1/zones/a/b",
            "/V1/zone",
            "//",
            "/v1/zones//status",
            "/v1/zones/a/b/status",
            "/v1/delegation/",
            &long,
        ] {
            assert_eq!(find("GET", path), Err(NoCall::Path), "{path}");
        }
    }
}
