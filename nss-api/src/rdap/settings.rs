//! Whether and where registrations are looked up: `[rdap]` of the configuration.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::Deserialize;

use super::url::HttpsUrl;

/// Whether and where registrations are looked up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Settings {
    /// Whether anybody is asked at all.
    pub enabled: bool,
    /// The registry of RDAP servers (RFC 9224): a file, or an https URL that is read once a day.
    pub bootstrap: Option<String>,
    /// Base URLs of RDAP servers by the domain below which they are asked; they go before `bootstrap`.
    pub servers: BTreeMap<String, String>,
    /// Certificates that RDAP servers' ones have to be signed by, in PEM; absent for those that browsers trust.
    pub ca_file: Option<PathBuf>,
    /// For one registration, redirects included.
    pub time_ms: NonZeroU32,
    /// To any one RDAP server.
    pub queries_per_second: NonZeroU32,
    /// Seconds for which an answer is believed.
    pub cache_s: NonZeroU32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            enabled: false,
            bootstrap: None,
            servers: BTreeMap::new(),
            ca_file: None,
            // An upload waits for it, and goes on without it.
            time_ms: const { NonZeroU32::new(3_000).unwrap() },
            // Registries answer some with 429 beyond ten.
            queries_per_second: const { NonZeroU32::new(5).unwrap() },
            // Registrations change by the day.
            cache_s: const { NonZeroU32::new(3_600).unwrap() },
        }
    }
}

impl Settings {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    ///
    /// A sentence that says what to write instead.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.enabled && self.bootstrap.is_none() && self.servers.is_empty() {
            return Err("rdap.enabled needs to know whom to ask: set rdap.bootstrap = \
                        \"https://data.iana.org/rdap/dns.json\", or rdap.servers"
                .into());
        }
        if let Some(bootstrap) = self.bootstrap.as_ref().filter(|text| text.contains("://")) {
            HttpsUrl::parse(bootstrap).map_err(|error| format!("rdap.bootstrap: {error}"))?;
        }
        if self.servers.len() > SERVERS_MAX {
            return Err(format!("rdap.servers has {} entries, {SERVERS_MAX} are the most", self.servers.len()));
        }
        for (domain, url) in &self.servers {
            HttpsUrl::parse(url).map_err(|error| format!("rdap.servers.{domain}: {error}"))?;
        }
        Ok(())
    }
}

/// Entries at most: there are some 1,500 top-level domains.
const SERVERS_MAX: usize = 5_000;
