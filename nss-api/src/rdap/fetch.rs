//! One GET from a server that may be hostile: https only, few octets, little time, few redirects, and no address inside.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use nss_registrar_check::AddressPolicy;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::url::HttpsUrl;

/// Gets what a URL stands for.
pub(super) struct Fetcher {
    tls: TlsConnector,
    /// Servers that the operator wrote down: they may be at any address and port.
    configured: Vec<HttpsUrl>,
}

/// What a server has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    Json(Bytes),
    /// 404: there is no such thing.
    NotFound,
}

impl Fetcher {
    /// Trusts what `ca_file` has, or else what browsers trust.
    pub(super) fn new(ca_file: Option<&Path>, configured: Vec<HttpsUrl>) -> Result<Fetcher, String> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let bad = |error: &dyn std::fmt::Display| format!("rdap.ca_file: {}: {error}", path.display());
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(&error))? {
                    let certificate = certificate.map_err(|error| bad(&error))?;
                    roots.add(certificate).map_err(|error| bad(&error))?;
                }
                if roots.is_empty() {
                    return Err(bad(&"there is no certificate in it"));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| format!("TLS cannot be used: {error}"))?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Fetcher { tls: TlsConnector::from(Arc::new(config)), configured })
    }

    /// Gets JSON of at most `size_max` octets; who calls it bounds the time.
    pub(super) async fn get(&self, url: &HttpsUrl, size_max: usize) -> Result<Fetched, String> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            match self.get_once(&url, size_max).await.map_err(|error| format!("{}: {error}", url.authority()))? {
                Reply::Fetched(fetched) => return Ok(fetched),
                Reply::Elsewhere(next) => url = next,
            }
        }
        Err(format!("more than {REDIRECTS_MAX} redirects, the last one to {}", url.authority()))
    }

    async fn get_once(&self, url: &HttpsUrl, size_max: usize) -> Result<Reply, String> {
        let stream = self.connect(url).await?;
        let name = ServerName::try_from(url.host.clone()).map_err(|_| "its name is none for a certificate")?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| error.to_string())?;
        let handshake = hyper::client::conn::http1::Builder::new()
            .max_buf_size(HEADER_SIZE_MAX)
            .max_headers(HEADER_COUNT_MAX)
            .handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(|error| error.to_string())?;
        // Nothing is sent along but what has to be: no cookies, no user agent, nothing of who uploads.
        let request = Request::get(&url.path)
            .header(HOST, url.authority())
            .header(ACCEPT, "application/rdap+json, application/json")
            .body(Empty::<Bytes>::new());
        let request = request.map_err(|error| error.to_string())?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let (head, body) = response.into_parts();
            match head.status {
                StatusCode::OK => {
                    check_type(&head.headers)?;
                    let body = Limited::new(body, size_max).collect().await;
                    let body = body.map_err(|error| format!("its answer of at most {size_max} octets: {error}"))?;
                    Ok(Reply::Fetched(Fetched::Json(body.to_bytes())))
                }
                StatusCode::NOT_FOUND => Ok(Reply::Fetched(Fetched::NotFound)),
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => {
                    let location = head.headers.get(LOCATION).and_then(|location| location.to_str().ok());
                    Ok(Reply::Elsewhere(url.redirected(location.ok_or("a redirect to nowhere")?)?))
                }
                status => Err(format!("it answers {status}")),
            }
        };
        let (mut exchange, mut connection) = (pin!(exchange), pin!(connection));
        tokio::select! {
            biased;
            reply = exchange.as_mut() => reply,
            // Its error is that of the exchange, too.
            _ = connection.as_mut() => exchange.await,
        }
    }

    async fn connect(&self, url: &HttpsUrl) -> Result<TcpStream, String> {
        self.connect_by(url, async |host, port| Ok(tokio::net::lookup_host((host, port)).await?.collect())).await
    }

    /// Connects to an address that was looked at, so that a name cannot mean another one a moment later.
    async fn connect_by<L>(&self, url: &HttpsUrl, look_up: L) -> Result<TcpStream, String>
    where
        L: AsyncFnOnce(&str, u16) -> std::io::Result<Vec<SocketAddr>>,
    {
        let is_configured = self.configured.iter().any(|configured| configured.is_at(url));
        if !is_configured && !url.has_usual_port() {
            return Err("only port 443 is asked".into());
        }
        let found: Vec<SocketAddr> = match url.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, url.port)],
            Err(_) => look_up(&url.host, url.port).await.map_err(|error| error.to_string())?,
        };
        let is_permitted = |to: &&SocketAddr| is_configured || AddressPolicy::Public.permits(to.ip());
        let mut last = "it has no public address".to_owned();
        for to in found.iter().filter(is_permitted).take(ADDRESSES_MAX) {
            match TcpStream::connect(to).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }
}

enum Reply {
    Fetched(Fetched),
    Elsewhere(HttpsUrl),
}

/// Only JSON as it is: no pages of captive portals, nothing that has to be unpacked.
fn check_type(headers: &HeaderMap) -> Result<(), String> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err("its answer is compressed, which was not asked for".into());
    }
    let of = headers.get(CONTENT_TYPE).and_then(|of| of.to_str().ok()).unwrap_or_default();
    let media_type = of.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/rdap+json" | "application/json" => Ok(()),
        _ => Err("its answer is no JSON".into()),
    }
}

/// Redirects followed: registries that moved, and those that send on to the registrar.
const REDIRECTS_MAX: usize = 2;

/// Addresses of one server that are tried.
const ADDRESSES_MAX: usize = 3;

/// Octets and fields of a header section; RDAP servers send some hundreds.
const HEADER_SIZE_MAX: usize = 16 << 10;
const HEADER_COUNT_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn fetcher(configured: &[&str]) -> Fetcher {
        Fetcher::new(None, configured.iter().map(|text| HttpsUrl::parse(text).unwrap()).collect()).unwrap()
    }

    #[tokio::test]
    async fn nobody_is_sent_to_an_address_inside() {
        let fetcher = fetcher(&["https://rdap.example/"]);
        for url in [
            "https://localhost/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://169.254.169.254/latest/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[64:ff9b::7f00:1]/",
        ] {
            let refused = fetcher.connect(&HttpsUrl::parse(url).unwrap()).await.unwrap_err();
            assert_eq!(refused, "it has no public address", "{url}");
        }
        let refused = fetcher.connect(&HttpsUrl::parse("https://192.0.2.1:22/").unwrap()).await.unwrap_err();
        assert_eq!(refused, "only port 443 is asked");
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_and_what_was_looked_at_is_connected_to() {
        let listeners = [(); 2].map(|()| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        });
        let [first, second] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let asked = std::cell::Cell::new(0);
        // Says something else each time, as who rebinds a name does.
        let look_up = async |host: &str, port: u16| {
            assert_eq!((host, port), ("rdap.example", 443));
            asked.set(asked.get() + 1);
            Ok(vec![if asked.get() == 1 { first } else { second }])
        };
        let url = HttpsUrl::parse("https://rdap.example/com/").unwrap();
        let stream = fetcher(&["https://rdap.example/"]).connect_by(&url, look_up).await.unwrap();
        assert_eq!((stream.peer_addr().unwrap(), asked.get()), (first, 1));
        // The same from a server that the operator did not write down.
        asked.set(0);
        assert_eq!(fetcher(&[]).connect_by(&url, look_up).await.unwrap_err(), "it has no public address");
        assert_eq!(asked.get(), 1);
        // The socket was taken by the first one's caller, and nobody came a second time.
        assert!(listeners[0].accept().is_ok() && listeners.iter().all(|listener| listener.accept().is_err()));
    }
}
