//! Which RDAP server knows a domain: the longest entry that the domain is below (RFC 9224 §4).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::url::HttpsUrl;

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
