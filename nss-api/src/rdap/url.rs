//! URLs of RDAP servers, as far as they may be: https, a host, a port, a path.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

/// Where to ask; never with a user, and never anything but https.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct HttpsUrl {
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query.
    pub(super) path: String,
}

impl HttpsUrl {
    /// Reads an absolute URL.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<HttpsUrl, String> {
        if text.len() > URL_SIZE_MAX {
            return Err(format!("a URL of more than {URL_SIZE_MAX} characters"));
        }
        let uri: Uri = text.parse().map_err(|error| format!("\"{text}\" is no URL: {error}"))?;
        let authority = uri.authority().ok_or_else(|| format!("\"{text}\" is no absolute URL; begin with https://"))?;
        if uri.scheme_str() != Some("https") {
            return Err(format!("\"{text}\" does not begin with https://"));
        }
        if authority.as_str().contains('@') {
            return Err(format!("\"{text}\" has a user in it"));
        }
        Ok(HttpsUrl {
            host: authority.host().trim_matches(['[', ']']).to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(PORT),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// What a `Location` means, which may be a path at the same host (RFC 9110 §10.2.2).
    pub(super) fn redirected(&self, location: &str) -> Result<HttpsUrl, String> {
        match location.starts_with('/') && !location.starts_with("//") {
            true => HttpsUrl::parse(&format!("https://{}{location}", self.authority())),
            false => HttpsUrl::parse(location),
        }
    }

    /// The URL of a domain's registration below this base URL (RFC 9082 §3.1.3).
    pub(super) fn of_domain(&self, domain: &str) -> HttpsUrl {
        HttpsUrl { path: format!("{}/domain/{domain}", self.path.trim_end_matches('/')), ..self.clone() }
    }

    /// Host and port, as in `Host`.
    pub(super) fn authority(&self) -> String {
        let host = match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(v6)) => format!("[{v6}]"),
            Ok(IpAddr::V4(_)) | Err(_) => self.host.clone(),
        };
        if self.port == PORT { host } else { format!("{host}:{}", self.port) }
    }

    /// Whether both are one server.
    pub(super) fn is_at(&self, other: &HttpsUrl) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }

    pub(super) fn has_usual_port(&self) -> bool {
        self.port == PORT
    }
}

impl fmt::Debug for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority(), self.path)
    }
}

/// The port of https.
const PORT: u16 = 443;

/// Characters of a URL at most: a name of 253, and a base URL that nobody would write longer.
const URL_SIZE_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_without_a_user_is_a_url() {
        let url = HttpsUrl::parse("https://RDAP.example:8443/com/v1/").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("rdap.example", 8443, "/com/v1/"));
        assert_eq!(format!("{:?}", url.of_domain("a.com")), "https://rdap.example:8443/com/v1/domain/a.com");
        assert_eq!(HttpsUrl::parse("https://[::1]/").unwrap().authority(), "[::1]");
        for text in [
            "http://rdap.example/",
            "//rdap.example/",
            "/path",
            "https:///x",
            "https://a@b/",
            "ftp://a/",
            "",
            "file:///etc/passwd",
        ] {
            assert!(HttpsUrl::parse(text).is_err(), "{text}");
        }
        assert!(HttpsUrl::parse(&format!("https://a/{}", "x".repeat(URL_SIZE_MAX))).is_err());
    }

    #[test]
    fn a_redirect_is_absolute_or_a_path_at_the_same_host() {
        let url = HttpsUrl::parse("https://rdap.example:8443/com/").unwrap();
        assert_eq!(format!("{:?}", url.redirected("/x?y").unwrap()), "https://rdap.example:8443/x?y");
        assert_eq!(url.redirected("https://other.example/x").unwrap().host, "other.example");
        for location in ["//other.example/x", "http://other.example/", "x", ""] {
            assert!(url.redirected(location).is_err(), "{location}");
        }
    }
}
