//! The configuration: one TOML file in which every key but `name_servers` may be left out.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nss_registrar_check::TrustAnchor;
use nss_wire::NameBuf;
use nssd::clock::Clock;
use nssd::prefix::Prefix;
use serde::{Deserialize, Deserializer};
use tracing_subscriber::EnvFilter;

use crate::key::LABEL_SIZE;
use crate::rdap;

/// Everything that can be set; unknown keys are refused with line and column.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Config {
    /// Where HTTP is spoken; `None` is loopback in both families, where a missing family is no error.
    pub listen: Option<Vec<SocketAddr>>,
    /// Reverse proxies in front of this server, whose `X-Forwarded-For` says who asks.
    #[serde(deserialize_with = "prefixes")]
    pub trusted_proxies: Vec<Prefix>,
    /// The names under which web pages of the operator's own may change zones here.
    #[serde(deserialize_with = "names")]
    pub public_names: Vec<NameBuf>,
    /// The Unix socket on which `nssd` takes orders.
    pub control_socket: PathBuf,
    /// The names that owners enter at their registrar and that a zone's own NS set must contain.
    #[serde(deserialize_with = "names")]
    pub name_servers: Vec<NameBuf>,
    /// By what an uploader may change a zone.
    pub ownership: Ownership,
    /// Whether the parent zone is asked; may be off only when `ownership` is open.
    pub delegation_check: bool,
    /// Requests a second for each client, a second's worth at once.
    pub requests_per_second: NonZeroU32,
    /// Requests a second over all clients.
    pub requests_per_second_total: NonZeroU32,
    /// How the parent zone is found and asked.
    pub parent: Parent,
    /// How many uploads and withdrawals there may be.
    pub quotas: Quotas,
    /// What becomes of zones that are no longer delegated here.
    pub lifecycle: Lifecycle,
    /// Whether registries are asked for a second opinion.
    pub rdap: rdap::Settings,
    /// Zones that are served before they are delegated here.
    pub pending: Pending,
    /// Sizes and counts.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// What is logged, and how.
    pub log: Log,
    /// The clock that zones are parked and claims end by; no key of the file.
    #[serde(skip)]
    pub clock: Clock,
}

/// By what an uploader may change a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ownership {
    /// The first upload pins a key, which later ones need; a key that the parent names goes before it.
    #[default]
    Pinned,
    /// The parent has to name a key.
    Keyed,
    /// For private networks and tests: no keys, names of our own are allowed, and the delegation check may be
    /// switched off.
    Open,
}

/// How the parent zone is found and asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Parent {
    /// Addresses of root name servers to start from; empty for those of the public root.
    pub root_hints: Vec<IpAddr>,
    /// The keys of the root, as DS records; absent for those of the public root, or for none with `root_hints`.
    #[serde(deserialize_with = "trust_anchors")]
    pub trust_anchors: Option<Vec<TrustAnchor>>,
    /// The port that all name servers are asked on.
    pub dns_port: u16,
    /// Whether name servers on private and loopback addresses are asked, as a private root needs.
    pub allow_private_addresses: bool,
    /// How many of the parent's servers have to say the same.
    pub servers_min: NonZeroUsize,
    /// Queries a second to any one name server.
    pub queries_per_second: NonZeroU32,
    /// Queries that wait for the answer of any one name server at one time.
    pub outstanding_max: NonZeroUsize,
    /// Seconds for which a delegation is believed without being asked for again.
    pub cache_s: NonZeroU32,
}

/// How many uploads and withdrawals there may be; all of a quota may come at once, and it comes back evenly.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Quotas {
    /// Of one domain in a minute, by who has its key; dry runs are not counted.
    pub uploads_per_domain_per_minute: NonZeroU32,
    /// Of one domain in a day, likewise.
    pub uploads_per_domain_per_day: NonZeroU32,
    /// From one /24 of IPv4 or /56 of IPv6 in a minute, refused ones and dry runs included.
    pub uploads_per_network_per_minute: NonZeroU32,
    /// From one /48 of IPv6 in a minute, likewise.
    pub uploads_per_site_per_minute: NonZeroU32,
    /// From everybody in a second, likewise.
    pub uploads_per_second: NonZeroU32,
}

/// What becomes of zones that are no longer delegated here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Lifecycle {
    /// Whether hosted zones are checked at their parents again and again; not where `ownership` is open.
    pub rechecks: bool,
    /// Seconds from one look at which zones are due to the next.
    pub round_s: NonZeroU32,
    /// From one check of a zone to the next, a tenth more or less.
    pub recheck_hours: NonZeroU32,
    /// Served although the parent delegates it elsewhere.
    pub adrift_days: NonZeroU32,
    /// Not served after that, but kept.
    pub parked_days: NonZeroU32,
}

/// Zones that are served before they are delegated here, as some registries want it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Pending {
    /// How long one is served.
    pub hours: NonZeroU32,
    /// From one check at its parent to the next, a tenth more or less.
    pub recheck_minutes: NonZeroU32,
    /// How many there may be at one time; 0 for none.
    pub zones_max: u32,
    /// How many of them may come from one /24 of IPv4 or /56 of IPv6.
    pub zones_per_network_max: u32,
    /// How many from one /48 of IPv6.
    pub zones_per_site_max: u32,
    /// Octets of the zone file of one.
    pub size_max: usize,
}

/// Sizes and counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of one zone file.
    pub body_size_max: NonZeroUsize,
    /// Octets of all zone files that are being received and checked at one time.
    pub body_memory_max: NonZeroUsize,
    /// Connections open at one time.
    pub connections_max: NonZeroUsize,
    /// Connections open at one time for each client.
    pub connections_per_client_max: NonZeroUsize,
    /// Zone files being parsed at one time; absent for one a core.
    pub parses_max: Option<NonZeroUsize>,
    /// Delegation checks running at one time.
    pub parent_checks_max: NonZeroUsize,
}

/// How long things may take, in milliseconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Timeouts {
    /// From the connection, or the first octet of a request, to the end of its header section.
    pub header_ms: NonZeroU32,
    /// From the end of the header section to the end of the body.
    pub body_ms: NonZeroU32,
    /// Without a request on an open connection.
    pub idle_ms: NonZeroU32,
    /// Without the client taking a single octet of an answer.
    pub write_ms: NonZeroU32,
    /// For all queries of one delegation check.
    pub parent_check_ms: NonZeroU32,
    /// For one call to `nssd`.
    pub control_ms: NonZeroU32,
    /// In a queue for a parser or a delegation check.
    pub queue_ms: NonZeroU32,
    /// For the requests that are running when the server stops.
    pub stop_ms: NonZeroU32,
}

/// What is logged, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Log {
    /// A level, or directives such as `info,nss_api=debug`.
    pub level: String,
    /// Lines for people or JSON for programs.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// A file that can't be read, and what [`Config::from_toml`] refuses.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError { place: Some(path.to_owned()), reason: error.to_string() })?;
        Config::from_toml(&text).map_err(|error| ConfigError { place: Some(path.to_owned()), ..error })
    }

    /// Reads and checks the text of a configuration.
    ///
    /// # Errors
    ///
    /// Broken TOML, unknown keys and values of the wrong type, with line and column; and settings that can't be meant.
    pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let config: Config =
            toml::from_str(text).map_err(|error| ConfigError { place: None, reason: error.to_string() })?;
        config.check().map_err(|reason| ConfigError { place: None, reason })?;
        Ok(config)
    }

    /// The addresses to listen on.
    pub fn listen_addresses(&self) -> Vec<SocketAddr> {
        self.listen.clone().unwrap_or_else(|| {
            let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            loopback.map(|address| SocketAddr::new(address, PORT_DEFAULT)).into()
        })
    }

    /// Whether anybody may upload any domain.
    pub fn is_unchecked(&self) -> bool {
        self.ownership == Ownership::Open && !self.delegation_check
    }

    /// Whether hosted zones are checked at their parents again and again.
    pub fn makes_rounds(&self) -> bool {
        self.lifecycle.rechecks && self.delegation_check && self.ownership != Ownership::Open
    }

    /// Refuses what the types allow and cannot be meant.
    ///
    /// # Errors
    ///
    /// A sentence that says what to write instead.
    pub fn check(&self) -> Result<(), String> {
        if self.name_servers.is_empty() {
            return Err("name_servers is not set: write the names that owners enter at their registrar, as in \
                        name_servers = [\"ns1.dns.example.net\", \"ns2.dns.example.net\"]"
                .into());
        }
        if self.name_servers.len() > NAME_SERVERS_MAX {
            return Err(format!("name_servers has {} names, {NAME_SERVERS_MAX} are the most", self.name_servers.len()));
        }
        for (i, name) in self.name_servers.iter().enumerate() {
            if name.as_name().label_count() < 2 || name.as_name().is_wildcard() {
                return Err(format!("name_servers: {name} is not the name of a host, such as ns1.dns.example.net"));
            }
            if name.as_name().as_wire().len() + 1 + LABEL_SIZE > NAME_SIZE_MAX {
                return Err(format!("name_servers: {name} is too long: a key's label has to fit in front of it"));
            }
            if self.name_servers.iter().skip(i + 1).any(|other| other == name) {
                return Err(format!("name_servers: {name} stands there twice"));
            }
        }
        if !self.delegation_check && self.ownership != Ownership::Open {
            return Err("delegation_check = false lets anybody overwrite any zone: it needs ownership = \"open\" \
                        beside it, and a private network or a test"
                .into());
        }
        if self.trusted_proxies.len() > TRUSTED_PROXIES_MAX {
            let count = self.trusted_proxies.len();
            return Err(format!("trusted_proxies has {count} entries, {TRUSTED_PROXIES_MAX} are the most"));
        }
        if self.public_names.len() > PUBLIC_NAMES_MAX {
            let count = self.public_names.len();
            return Err(format!("public_names has {count} names, {PUBLIC_NAMES_MAX} are the most"));
        }
        if self.listen.as_ref().is_some_and(Vec::is_empty) {
            return Err("listen is empty: write an address and a port, as in listen = [\"127.0.0.1:12601\"]".into());
        }
        if let Err(error) = EnvFilter::try_new(&self.log.level) {
            return Err(format!("log.level: {error}; write a level such as info, or info,nss_api=debug"));
        }
        if self.parent.dns_port == 0 {
            return Err("parent.dns_port is 0: name servers listen on port 53".into());
        }
        if self.parent.outstanding_max.get() > COUNT_MAX {
            return Err(format!("parent.outstanding_max is over {COUNT_MAX}"));
        }
        self.rdap.check()?;
        let limits = &self.limits;
        if limits.body_size_max.get() > nssd::control::ZONE_TEXT_SIZE_MAX {
            return Err(format!(
                "limits.body_size_max is over {}, the most that nssd takes",
                nssd::control::ZONE_TEXT_SIZE_MAX
            ));
        }
        if limits.body_memory_max < limits.body_size_max || limits.body_memory_max.get() > BODY_MEMORY_MAX {
            return Err(format!(
                "limits.body_memory_max is to be between body_size_max ({}) and {BODY_MEMORY_MAX}",
                limits.body_size_max
            ));
        }
        for (key, value) in [
            ("connections_max", limits.connections_max),
            ("connections_per_client_max", limits.connections_per_client_max),
            ("parent_checks_max", limits.parent_checks_max),
            ("parses_max", limits.parses_max.unwrap_or(NonZeroUsize::MIN)),
        ] {
            if value.get() > COUNT_MAX {
                return Err(format!("limits.{key} is over {COUNT_MAX}"));
            }
        }
        Ok(())
    }
}

impl Default for Config {
    /// Everything but `name_servers`, without which [`Config::check`] refuses it.
    fn default() -> Config {
        Config {
            listen: None,
            trusted_proxies: Vec::new(),
            public_names: Vec::new(),
            control_socket: PathBuf::from("/run/nssd/control.sock"),
            name_servers: Vec::new(),
            ownership: Ownership::Pinned,
            delegation_check: true,
            requests_per_second: const { NonZeroU32::new(100).unwrap() },
            requests_per_second_total: const { NonZeroU32::new(1000).unwrap() },
            parent: Parent::default(),
            quotas: Quotas::default(),
            lifecycle: Lifecycle::default(),
            rdap: rdap::Settings::default(),
            pending: Pending::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            log: Log::default(),
            clock: Clock::default(),
        }
    }
}

impl Default for Parent {
    fn default() -> Parent {
        Parent {
            root_hints: Vec::new(),
            trust_anchors: None,
            dns_port: 53,
            allow_private_addresses: false,
            // One that lies, or is out of date, must not decide alone.
            servers_min: const { NonZeroUsize::new(2).unwrap() },
            // The largest top-level domains have 26 addresses, the smallest four: some 50 new domains a second there.
            queries_per_second: const { NonZeroU32::new(100).unwrap() },
            // With which a server 150 ms away still answers those.
            outstanding_max: const { NonZeroUsize::new(16).unwrap() },
            // A key that was removed at the registrar counts for so long; who uploads record by record has the parent asked once.
            cache_s: const { NonZeroU32::new(60).unwrap() },
        }
    }
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas {
            // Somebody who tries things out by hand, or a certificate that needs two records.
            uploads_per_domain_per_minute: const { NonZeroU32::new(10).unwrap() },
            // One in five minutes, as a script for changing addresses has it.
            uploads_per_domain_per_day: const { NonZeroU32::new(300).unwrap() },
            // An agency that moves its customers here, one domain a second.
            uploads_per_network_per_minute: const { NonZeroU32::new(60).unwrap() },
            // Four of its 256 networks: whoever has all of them gets four a second, and neighbours seldom meet.
            uploads_per_site_per_minute: const { NonZeroU32::new(240).unwrap() },
            // A fraction of what two cores parse and store, so that answering is never short of them.
            uploads_per_second: const { NonZeroU32::new(100).unwrap() },
        }
    }
}

impl Default for Lifecycle {
    fn default() -> Lifecycle {
        Lifecycle {
            rechecks: true,
            round_s: const { NonZeroU32::new(60).unwrap() },
            recheck_hours: const { NonZeroU32::new(24).unwrap() },
            // Caches keep a delegation for up to a week (RFC 2308 §5 has a like number), and owners make mistakes.
            adrift_days: const { NonZeroU32::new(7).unwrap() },
            parked_days: const { NonZeroU32::new(30).unwrap() },
        }
    }
}

impl Default for Pending {
    fn default() -> Pending {
        Pending {
            // A registry that asks the new servers does so when the change is entered, or on the next working day.
            hours: const { NonZeroU32::new(72).unwrap() },
            // Somebody else's claim must not be served for long once the domain is delegated here by other names.
            recheck_minutes: const { NonZeroU32::new(10).unwrap() },
            // With those of size_max some 100 MB of memory, and two checks a second.
            zones_max: 1000,
            // An agency that moves its customers here; whoever has fifty networks of IPv4 fills what there is.
            zones_per_network_max: 20,
            // Three of its 256 networks; whoever has seventeen sites fills what there is.
            zones_per_site_max: 60,
            // Over a thousand records; whoever has more uploads them when the domain is delegated.
            size_max: 64 << 10,
        }
    }
}

impl Default for Limits {
    /// What a machine with 4 GB of memory and an open-file limit of 4,096 carries.
    fn default() -> Limits {
        Limits {
            // 300,000 records of 50 octets; larger zones are for the operator's own files.
            body_size_max: const { NonZeroUsize::new(16 << 20).unwrap() },
            // Sixteen of the largest at once, or thousands of usual ones.
            body_memory_max: const { NonZeroUsize::new(256 << 20).unwrap() },
            connections_max: const { NonZeroUsize::new(2048).unwrap() },
            // A browser opens six, a busy CI system some dozens.
            connections_per_client_max: const { NonZeroUsize::new(128).unwrap() },
            parses_max: None,
            // A check has as many sockets open as servers have to agree, for some round trips.
            parent_checks_max: const { NonZeroUsize::new(64).unwrap() },
        }
    }
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            header_ms: const { NonZeroU32::new(30_000).unwrap() },
            body_ms: const { NonZeroU32::new(30_000).unwrap() },
            idle_ms: const { NonZeroU32::new(10_000).unwrap() },
            write_ms: const { NonZeroU32::new(30_000).unwrap() },
            parent_check_ms: const { NonZeroU32::new(10_000).unwrap() },
            control_ms: const { NonZeroU32::new(30_000).unwrap() },
            queue_ms: const { NonZeroU32::new(5_000).unwrap() },
            stop_ms: const { NonZeroU32::new(10_000).unwrap() },
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { level: "info".into(), format: LogFormat::Text }
    }
}

/// A configuration that can't be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    place: Option<PathBuf>,
    reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.place {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(self.reason.trim_end())
    }
}

impl std::error::Error for ConfigError {}

/// Milliseconds of the configuration as a duration.
pub(crate) fn milliseconds(n: NonZeroU32) -> Duration {
    Duration::from_millis(u64::from(n.get()))
}

/// The port of the public front, unless `listen` says otherwise.
pub const PORT_DEFAULT: u16 = 12601;

/// Name servers at most: as many as fit in a referral of 512 octets, which is why the root has thirteen.
pub const NAME_SERVERS_MAX: usize = 13;

/// Reverse proxies at most: each element of `X-Forwarded-For` is compared with all of them.
pub const TRUSTED_PROXIES_MAX: usize = 64;

/// Names of web pages at most: each change by a browser is compared with all of them.
pub const PUBLIC_NAMES_MAX: usize = 64;

/// Octets of a name in wire form (RFC 1035 §2.3.4).
const NAME_SIZE_MAX: usize = 255;

/// The largest `body_memory_max`: beyond it the counter of kibibytes would not fit a 32-bit permit.
const BODY_MEMORY_MAX: usize = 1 << 40;

/// The largest of the counts; more sockets than one address has ports.
const COUNT_MAX: usize = 65_536;

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NameBuf>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let name = |text: &String| {
        let name: NameBuf = text.parse().map_err(|error| serde::de::Error::custom(format!("\"{text}\": {error}")))?;
        Ok(name.as_name().to_lowercase())
    };
    texts.iter().map(name).collect()
}

fn prefixes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Prefix>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let prefix = |text: &String| text.parse().map_err(|error| serde::de::Error::custom(format!("\"{text}\": {error}")));
    texts.iter().map(prefix).collect()
}

fn trust_anchors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<TrustAnchor>>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let anchor = |text: &String| text.parse().map_err(|error| serde::de::Error::custom(format!("\"{text}\": {error}")));
    texts.iter().map(anchor).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parents::checker_config;

    const NAMES: &str = "name_servers = [\"ns1.dns.example.net\", \"NS2.dns.example.net.\"]\n";

    fn refused(text: &str, words: &[&str]) {
        let error = Config::from_toml(text).expect_err(text).to_string();
        for word in words {
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn name_servers_are_all_that_has_to_be_said() {
        let config = Config::from_toml(NAMES).unwrap();
        assert_eq!(config.name_servers.len(), 2);
        assert_eq!(config.listen_addresses(), ["127.0.0.1:12601", "[::1]:12601"].map(|a| a.parse().unwrap()));
        assert!(config.ownership == Ownership::Pinned && config.delegation_check && !config.is_unchecked());
        assert_eq!((config.timeouts.header_ms.get(), config.timeouts.idle_ms.get()), (30_000, 10_000));
        assert_eq!(config.requests_per_second.get(), 100);
    }

    #[test]
    fn without_name_servers_the_error_says_what_to_write() {
        refused("", &["name_servers = [\"ns1.dns.example.net\""]);
        refused("name_servers = []", &["name_servers = [\"ns1.dns.example.net\""]);
    }

    #[test]
    fn the_sample_file_is_a_configuration() {
        let sample = include_str!("../../config/nss-api.toml");
        Config::from_toml(sample).unwrap();
        // Every key that the sample shows commented out is one, and its value is the default or one that is allowed.
        let all: String = sample
            .lines()
            .map(|line| line.strip_prefix("#").filter(|line| !line.starts_with(' ')).unwrap_or(line))
            .flat_map(|line| [line, "\n"])
            .collect();
        let config = Config::from_toml(&all).unwrap_or_else(|error| panic!("{error}\n{all}"));
        let defaults = Config::default();
        assert_eq!(
            format!("{:?}", config.limits),
            format!("{:?}", Limits { parses_max: config.limits.parses_max, ..defaults.limits })
        );
        assert_eq!(format!("{:?}", config.timeouts), format!("{:?}", defaults.timeouts));
        assert_eq!(format!("{:?}", config.quotas), format!("{:?}", defaults.quotas));
        assert_eq!(format!("{:?}", config.lifecycle), format!("{:?}", defaults.lifecycle));
        let fixed = rdap::Settings { bootstrap: None, servers: [].into(), ca_file: None, ..config.rdap };
        assert_eq!(format!("{fixed:?}"), format!("{:?}", defaults.rdap));
        assert_eq!(format!("{:?}", config.pending), format!("{:?}", defaults.pending));
        let trust_anchors = config.parent.trust_anchors.clone();
        assert_eq!(trust_anchors.as_ref(), Some(&nss_registrar_check::Config::default().trust_anchors));
        assert_eq!(format!("{:?}", config.parent), format!("{:?}", Parent { trust_anchors, ..defaults.parent }));
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_refused_where_they_stand() {
        refused(&format!("{NAMES}listn = []"), &["line 2, column 1", "listn"]);
        refused(&format!("{NAMES}[limits]\nbody_size = 1"), &["line 3, column 1", "body_size"]);
        refused(&format!("{NAMES}[parent]\ntrust_anchors = [\"20326 8 2\"]"), &["line 3", "as a DS record"]);
        refused(&format!("{NAMES}ownership = \"closed\""), &["line 2", "closed", "`pinned`, `keyed`, `open`"]);
        for (word, ownership) in [("pinned", Ownership::Pinned), ("keyed", Ownership::Keyed), ("open", Ownership::Open)]
        {
            let config = Config::from_toml(&format!("{NAMES}ownership = \"{word}\"")).unwrap();
            assert_eq!(config.ownership, ownership);
        }
        refused(&format!("{NAMES}requests_per_second = 0"), &["line 2"]);
        refused("name_servers = [\"a..b\"]", &["line 1", "a..b"]);
        refused(&format!("{NAMES}listen = [\"localhost\"]"), &["line 2"]);
        refused(&format!("{NAMES}trusted_proxies = [\"localhost\"]"), &["line 2", "localhost", "192.0.2.0/24"]);
        refused(&format!("{NAMES}trusted_proxies = [\"192.0.2.1/24\"]"), &["line 2", "write 192.0.2.0/24"]);
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        refused("name_servers = [\"ns1\"]", &["ns1."]);
        refused("name_servers = [\"a.example\", \"A.example.\"]", &["twice"]);
        // 219 octets, and 35 of a key's label, are as long as a name can be; 220 are too many.
        let long = |size: usize| [63, 63, 63, size].map(|n| "a".repeat(n)).join(".") + ".example";
        assert!(Config::from_toml(&format!("name_servers = [\"{}\"]", long(18))).is_ok());
        refused(&format!("name_servers = [\"{}\"]", long(19)), &["too long", "label"]);
        refused(&format!("{NAMES}listen = []"), &["listen"]);
        let names = vec!["dns.example.net"; PUBLIC_NAMES_MAX + 1];
        refused(&format!("{NAMES}public_names = {names:?}"), &["public_names has 65 names"]);
        refused(&format!("{NAMES}public_names = [\"https://dns.example.net/\", \"a..b\"]"), &["line 2", "a..b"]);
        let proxies = vec!["192.0.2.80"; TRUSTED_PROXIES_MAX + 1];
        refused(&format!("{NAMES}trusted_proxies = {proxies:?}"), &["trusted_proxies has 65 entries"]);
        refused(&format!("{NAMES}[log]\nlevel = \"a=b=c\""), &["log.level"]);
        refused(&format!("{NAMES}[limits]\nbody_size_max = 1_000_000_000"), &["body_size_max"]);
        refused(&format!("{NAMES}[limits]\nbody_memory_max = 1"), &["body_memory_max"]);
        refused(&format!("{NAMES}[limits]\nconnections_max = 1_000_000"), &["connections_max"]);
        refused(&format!("{NAMES}[parent]\noutstanding_max = 1_000_000"), &["parent.outstanding_max"]);
        refused(&format!("{NAMES}[parent]\noutstanding_max = 0"), &["line 3"]);
    }

    #[test]
    fn how_parents_are_asked_is_what_was_configured() {
        let of = |text: &str| checker_config(&Config::from_toml(&format!("{NAMES}{text}")).unwrap());
        assert_eq!((of("").outstanding_max, of("").servers_min), (16, 2));
        assert_eq!(of("").outstanding_max, nss_registrar_check::Config::default().outstanding_max);
        let asked = of("[parent]\noutstanding_max = 3\nservers_min = 4\nqueries_per_second = 50\n");
        assert_eq!((asked.outstanding_max, asked.servers_min, asked.query_interval.as_millis()), (3, 4, 20));
    }

    #[test]
    fn registries_are_asked_over_https_and_only_when_it_is_said_whom() {
        assert!(!Config::from_toml(NAMES).unwrap().rdap.enabled);
        refused(&format!("{NAMES}[rdap]\nenabled = true"), &["rdap.bootstrap", "rdap.servers"]);
        refused(&format!("{NAMES}[rdap]\nbootstrap = \"http://data.example/\""), &["rdap.bootstrap", "https://"]);
        refused(&format!("{NAMES}[rdap.servers]\ncom = \"http://rdap.example/\""), &["rdap.servers.com", "https://"]);
        let path = Config::from_toml(&format!("{NAMES}[rdap]\nenabled = true\nbootstrap = \"/etc/nssd/rdap.json\""));
        assert!(path.unwrap().rdap.enabled);
    }

    #[test]
    fn the_delegation_check_can_be_switched_off_in_open_mode_only() {
        refused(&format!("{NAMES}delegation_check = false"), &["ownership = \"open\""]);
        let open = Config::from_toml(&format!("{NAMES}ownership = \"open\"")).unwrap();
        assert!(!open.is_unchecked());
        let unchecked = Config::from_toml(&format!("{NAMES}ownership = \"open\"\ndelegation_check = false")).unwrap();
        assert!(unchecked.is_unchecked());
    }
}
