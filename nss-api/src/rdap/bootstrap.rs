//! Which RDAP server knows a domain: the longest entry that the domain is below (RFC 9224 §4).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::time::timeout;

use super::fetch::{Fetched, Fetcher};
use super::url::HttpsUrl;

/// The bootstrap file, read again once a day.
pub(super) struct Bootstrap {
    /// A path, or an https URL.
    place: String,
    read: tokio::sync::Mutex<Option<Said>>,
}

/// What the file said the last time.
struct Said {
    servers: Result<Arc<Servers>, String>,
    /// Until when that counts.
    ends: Instant,
}

impl Bootstrap {
    pub(super) fn at(place: String) -> Bootstrap {
        Bootstrap { place, read: tokio::sync::Mutex::new(None) }
    }

    /// What it says; a file that does not come within `patience` is as one that is not there.
    ///
    /// # Errors
    ///
    /// A sentence about why it cannot be read, and never could.
    pub(super) async fn servers(&self, fetcher: &Fetcher, patience: Duration) -> Result<Arc<Servers>, String> {
        let mut said = self.read.lock().await;
        if let Some(Said { servers, ends }) = &*said
            && *ends > Instant::now()
        {
            return servers.clone();
        }
        let read = timeout(patience, self.read(fetcher)).await;
        let read = read.unwrap_or_else(|_| Err(format!("{}: it took too long", self.place)));
        let (servers, ttl) = match (read, &*said) {
            (Ok(servers), _) => (Ok(Arc::new(servers)), TTL),
            // Yesterday's is as good as today's nearly always.
            (Err(error), Some(Said { servers: Ok(servers), .. })) => {
                tracing::warn!(error, "the RDAP bootstrap file cannot be read again");
                (Ok(Arc::clone(servers)), FAILURE_TTL)
            }
            (Err(error), Some(Said { servers: Err(_), .. }) | None) => {
                tracing::warn!(error, "the RDAP bootstrap file cannot be read");
                (Err(error), FAILURE_TTL)
            }
        };
        *said = Some(Said { servers: servers.clone(), ends: Instant::now() + ttl });
        servers
    }

    async fn read(&self, fetcher: &Fetcher) -> Result<Servers, String> {
        let place = &self.place;
        let json = match HttpsUrl::parse(place) {
            Ok(url) => match fetcher.get(&url, SIZE_MAX).await? {
                Fetched::Json(json) => json.to_vec(),
                Fetched::NotFound => return Err(format!("{place} is not there")),
            },
            Err(_) => {
                let metadata = tokio::fs::metadata(place).await.map_err(|error| format!("{place}: {error}"))?;
                if metadata.len() > SIZE_MAX as u64 {
                    return Err(format!("{place} has more than {SIZE_MAX} octets"));
                }
                tokio::fs::read(place).await.map_err(|error| format!("{place}: {error}"))?
            }
        };
        Servers::read(&json).map_err(|error| format!("{place}: {error}"))
    }

    /// Has been read a day ago, and said this.
    #[cfg(test)]
    pub(super) async fn set(&self, servers: Servers) {
        *self.read.lock().await = Some(Said { servers: Ok(Arc::new(servers)), ends: Instant::now() });
    }
}

/// Octets of the file, which has some 60,000.
const SIZE_MAX: usize = 1 << 20;

/// How long it is believed.
const TTL: Duration = Duration::from_secs(86_400);

/// How long nobody reads again after a failure.
const FAILURE_TTL: Duration = Duration::from_secs(60);

/// Base URLs by domain, in A-labels and lower case without the final dot.
#[derive(Clone, Debug, Default)]
pub(super) struct Servers(BTreeMap<String, HttpsUrl>);

#[derive(Deserialize)]
struct Registry {
    services: Vec<Vec<Vec<String>>>,
}

impl Servers {
    /// Takes what is no https URL for none.
    pub(super) fn of<'s>(entries: impl IntoIterator<Item = (&'s String, &'s String)>) -> Servers {
        let entry = |(domain, url): (&String, &String)| {
            Some((domain.trim_matches('.').to_ascii_lowercase(), HttpsUrl::parse(url).ok()?))
        };
        Servers(entries.into_iter().filter_map(entry).collect())
    }

    /// Reads the registry's file.
    ///
    /// # Errors
    ///
    /// A sentence about what is wrong with it.
    pub(super) fn read(json: &[u8]) -> Result<Servers, String> {
        let registry: Registry =
            serde_json::from_slice(json).map_err(|error| format!("it is no bootstrap file of RFC 9224: {error}"))?;
        let mut servers = BTreeMap::new();
        for service in registry.services {
            let [domains, urls] = &service[..] else { continue };
            let Some(url) = urls.iter().find_map(|url| HttpsUrl::parse(url).ok()) else { continue };
            let domains = domains.iter().map(|domain| domain.trim_matches('.').to_ascii_lowercase());
            servers.extend(domains.map(|domain| (domain, url.clone())));
        }
        if servers.is_empty() {
            return Err("it has no server".into());
        }
        Ok(Servers(servers))
    }

    /// The server that knows `domain`.
    pub(super) fn find(&self, domain: &str) -> Option<&HttpsUrl> {
        let mut at = domain;
        loop {
            if let Some(url) = self.0.get(at) {
                return Some(url);
            }
            at = at.split_once('.')?.1;
        }
    }

    pub(super) fn urls(&self) -> impl Iterator<Item = &HttpsUrl> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_entry_of_the_bootstrap_file_wins() {
        let json = br#"{"version":"1.0","publication":"2026-01-01T00:00:00Z","services":[
            [["com","NET"],["http://old.example/","https://rdap.example/com/"]],
            [["co.uk"],["https://rdap.example/couk/"]],[["uk"],["https://rdap.example/uk/"]],
            [["org"],["http://only.example/"]],[["odd"]]]}"#;
        let servers = Servers::read(json).unwrap();
        let path = |domain: &str| servers.find(domain).map(|url| url.path.clone());
        assert_eq!(path("example.com").as_deref(), Some("/com/"));
        assert_eq!(path("example.net").as_deref(), Some("/com/"));
        assert_eq!(path("example.co.uk").as_deref(), Some("/couk/"));
        assert_eq!(path("example.uk").as_deref(), Some("/uk/"));
        assert_eq!(path("example.org"), None, "https only");
        assert_eq!(path("example.test"), None);
        for json in [&b"{}"[..], b"", br#"{"services":[]}"#, br#"{"services":[[["com"],["ftp://a/"]]]}"#] {
            assert!(Servers::read(json).is_err());
        }
    }
}
