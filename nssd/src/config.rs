//! The configuration: one TOML file, read once, immutable afterwards.
//!
//! Every key may be left out, and so may the file. A key that is not known, or a value that makes no sense, is
//! refused with its line and column.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nss_wire::NameBuf;
use serde::{Deserialize, Deserializer, de};

use crate::prefix::Prefix;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[rate_limit]`
    pub rate_limit: RateLimitConfig,
    /// `[tcp]`
    pub tcp: TcpConfig,
    /// `[tls]`; absent: no TLS.
    pub tls: Option<TlsConfig>,
    /// `[transfer]`
    pub transfer: TransferConfig,
    /// `[[zone]]`
    #[serde(rename = "zone")]
    pub zones: Vec<ZoneConfig>,
    /// `[[zone_directory]]`
    #[serde(rename = "zone_directory")]
    pub zone_directories: Vec<ZoneDirectoryConfig>,
    /// `[log]`
    pub log: LogConfig,
    /// The file all this was read from; a reload reads it again.
    #[serde(skip)]
    pub path: Option<PathBuf>,
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// Relative paths in it are relative to the directory that it is in.
    ///
    /// # Errors
    ///
    /// A file that can't be read, is no TOML, has an unknown key, or a value that makes no sense.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let fail = |reason: String| ConfigError { path: Some(path.to_owned()), reason };
        let text = read_bounded(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
        let mut config = Config::from_toml(&text).map_err(|error| fail(error.reason))?;
        config.path = Some(path.to_owned());
        let base = path.parent().unwrap_or(Path::new(""));
        let server = &mut config.server;
        let paths = [&mut server.state_directory, &mut server.control_socket, &mut server.cookie_secret_file];
        for path in paths.into_iter().flatten() {
            *path = base.join(&path);
        }
        for path in config.tls.iter_mut().flat_map(|tls| [&mut tls.certificate, &mut tls.key]) {
            *path = base.join(&path);
        }
        for zone in &mut config.zones {
            zone.file = base.join(&zone.file);
        }
        for directory in &mut config.zone_directories {
            directory.path = base.join(&directory.path);
        }
        Ok(config)
    }

    /// Reads and checks a configuration; relative paths stay as they are.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text)
            .map_err(|error| ConfigError { path: None, reason: error.to_string().trim_end().to_owned() })?;
        config.check()?;
        Ok(config)
    }

    /// What no single value shows.
    fn check(&self) -> Result<(), ConfigError> {
        let fail = |reason: String| Err(ConfigError { path: None, reason });
        let mut names: Vec<_> = self.zones.iter().map(|zone| &zone.name).collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return fail(format!("two [[zone]] entries are named \"{}\"; remove one of them", pair[0]));
        }
        if let Some(listen) = &self.server.listen {
            if listen.is_empty() {
                return fail("server.listen is empty; name at least one address, or leave the key out".to_owned());
            }
            check_once("server.listen", listen)?;
        }
        if let Some(tls) = &self.tls {
            if tls.listen.is_empty() {
                return fail("tls.listen is empty; name at least one address, or leave [tls] out".to_owned());
            }
            check_once("tls.listen", &tls.listen)?;
            let all = self.server.listen.iter().flatten().chain(&tls.listen).copied().collect::<Vec<_>>();
            check_once("server.listen and tls.listen together", &all)?;
        }
        Ok(())
    }
}

/// No address may be there twice. Port 0 takes any free port, and so may be.
fn check_once(key: &str, listen: &[ListenAddress]) -> Result<(), ConfigError> {
    for (i, address) in listen.iter().enumerate() {
        if address.0.port() != 0 && listen[..i].contains(address) {
            let reason = format!("{key} names {} twice; remove one of them", address.0);
            return Err(ConfigError { path: None, reason });
        }
    }
    Ok(())
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// UDP and TCP addresses to answer on; port 53 when none is written. [`LISTEN_DEFAULT`] when absent.
    pub listen: Option<Vec<ListenAddress>>,
    /// UDP threads per listen address, 1 to 256. When absent: the number of cores.
    #[serde(deserialize_with = "workers")]
    pub workers: Option<usize>,
    /// Directory of the store, created when it is not there.
    pub state_directory: Option<PathBuf>,
    /// Path of the control socket.
    pub control_socket: Option<PathBuf>,
    /// Group that the control socket is given to, by name or number, so that its members may use it.
    pub control_group: Option<String>,
    /// User ids that may use the control socket, besides root, the daemon's own user, and the socket's group.
    pub control_uids: Vec<u32>,
    /// Answer to a query for the name server's identifier (RFC 5001), at most 120 octets; absent: none.
    #[serde(deserialize_with = "nsid")]
    pub nsid: Option<String>,
    /// Answer to `id.server` and `hostname.bind` in class CH (RFC 4892), at most 255 octets; absent: REFUSED.
    #[serde(deserialize_with = "chaos_text")]
    pub identity: Option<String>,
    /// Answer to `version.server` and `version.bind` in class CH, at most 255 octets; absent: REFUSED.
    #[serde(deserialize_with = "chaos_text")]
    pub version: Option<String>,
    /// Whether DNS cookies are answered (RFC 7873, RFC 9018).
    pub cookies: bool,
    /// File with the secrets of the DNS cookies, the same on all servers behind one address; absent: one that is random
    /// at start.
    pub cookie_secret_file: Option<PathBuf>,
    /// Whether the addresses of an answer come each time with another one first.
    pub rotate: bool,
    /// Whether UDP answers to one client leave together where the system can cut them (Linux, `UDP_SEGMENT`).
    pub join_replies: bool,
    /// Octets of a UDP answer at most, 512 to 4096.
    #[serde(deserialize_with = "udp_payload_size_max")]
    pub udp_payload_size_max: u16,
    /// Zones that may be uploaded, 0 to 1000000000.
    #[serde(deserialize_with = "uploads_max")]
    pub uploads_max: u64,
    /// Octets that uploaded zones may take, their tables in memory and their texts on disk together, 0 to 2^50.
    #[serde(deserialize_with = "uploads_size_max")]
    pub uploads_size_max: u64,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig {
            listen: None,
            workers: None,
            state_directory: None,
            control_socket: None,
            control_group: None,
            control_uids: Vec::new(),
            nsid: None,
            identity: None,
            version: None,
            cookies: true,
            cookie_secret_file: None,
            rotate: false,
            join_replies: true,
            // What passes every path of the Internet without fragments: DNS Flag Day 2020, RFC 9715 §3.1.
            udp_payload_size_max: 1232,
            // As many as there is room for below of the smallest kind, with what is kept beside each in memory.
            uploads_max: 1_000_000,
            // What the smallest usual server, of 2 GiB, has besides the system and what is on its way. Of zones of ten records some half a
            // million fit.
            uploads_size_max: 1 << 30,
        }
    }
}

impl ServerConfig {
    /// Where the store is: the key, or what systemd set, or the usual place for the user.
    pub fn state_directory(&self) -> PathBuf {
        let from_env = || first_of("STATE_DIRECTORY");
        self.state_directory.clone().or_else(from_env).unwrap_or_else(|| {
            if nix::unistd::geteuid().is_root() {
                return PathBuf::from("/var/lib/nssd");
            }
            let home = || first_of("HOME").map(|home| home.join(".local/state"));
            first_of("XDG_STATE_HOME").or_else(home).unwrap_or_default().join("nssd")
        })
    }

    /// Where the control socket is: the key, or what systemd set, or the usual place for the user.
    pub fn control_socket(&self) -> PathBuf {
        let from_env = || first_of("RUNTIME_DIRECTORY").map(|directory| directory.join("control.sock"));
        self.control_socket.clone().or_else(from_env).unwrap_or_else(|| {
            if nix::unistd::geteuid().is_root() {
                return PathBuf::from("/run/nssd/control.sock");
            }
            match first_of("XDG_RUNTIME_DIR") {
                Some(directory) => directory.join("nssd/control.sock"),
                None => self.state_directory().join("control.sock"),
            }
        })
    }
}

/// `[rate_limit]`: answers over UDP per client network, so that the server is no amplifier.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitConfig {
    /// Whether there is a limit at all.
    pub enabled: bool,
    /// Answers with records per second about one name to one network, 1 to 1000000.
    #[serde(deserialize_with = "per_second")]
    pub responses_per_second: u32,
    /// The same for names that have no such records. When absent: as `responses_per_second`, and so for all below.
    #[serde(deserialize_with = "some_per_second")]
    pub nodata_per_second: Option<u32>,
    /// Answers per second that names of one zone do not exist.
    #[serde(deserialize_with = "some_per_second")]
    pub nxdomains_per_second: Option<u32>,
    /// Referrals per second to the servers of one delegation.
    #[serde(deserialize_with = "some_per_second")]
    pub referrals_per_second: Option<u32>,
    /// Errors per second, whatever was asked for.
    #[serde(deserialize_with = "some_per_second")]
    pub errors_per_second: Option<u32>,
    /// Answers per second of all kinds and about all names, 0 to 1000000; 0: no limit.
    #[serde(deserialize_with = "all_per_second")]
    pub all_per_second: u32,
    /// Each so many-th held back answer goes out empty and truncated, 0 to 10; 0: none does.
    #[serde(deserialize_with = "slip")]
    pub slip: u32,
    /// Bits of an IPv4 address that make a network, 0 to 32.
    #[serde(deserialize_with = "ipv4_prefix_length")]
    pub ipv4_prefix_length: u8,
    /// Bits of an IPv6 address that make a network, 0 to 128.
    #[serde(deserialize_with = "ipv6_prefix_length")]
    pub ipv6_prefix_length: u8,
    /// Who is not limited.
    #[serde(deserialize_with = "prefixes")]
    pub exempt: Vec<Prefix>,
}

impl Default for RateLimitConfig {
    fn default() -> RateLimitConfig {
        RateLimitConfig {
            enabled: true,
            // NSD's and Knot's. No resolver that has a cache asks for one name that often.
            responses_per_second: 200,
            nodata_per_second: None,
            nxdomains_per_second: None,
            referrals_per_second: None,
            errors_per_second: None,
            // 20 Mbit/s of the largest answers to who is flooded. Only the largest resolvers ask for more.
            all_per_second: 2000,
            slip: 2,
            // As BIND and Knot.
            ipv4_prefix_length: 24,
            ipv6_prefix_length: 56,
            // Nobody on the network can send from these.
            exempt: ["127.0.0.0/8", "::1/128"].map(|prefix| prefix.parse().expect("these are prefixes")).into(),
        }
    }
}

/// `[tcp]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TcpConfig {
    /// Connections open at the same time, 1 to 100000.
    #[serde(deserialize_with = "connections_max")]
    pub connections_max: usize,
    /// Connections open at the same time to one address, 1 to 100000. When absent: an eighth of the former, 4 at least.
    #[serde(deserialize_with = "connections_per_client_max")]
    pub connections_per_client_max: Option<usize>,
    /// Milliseconds without a query after which a connection is closed, 100 to 600000; less when most places are taken.
    #[serde(deserialize_with = "timeout_ms")]
    pub idle_timeout_ms: u64,
    /// Milliseconds for a message from its first octet to its last, and for taking what is written at once, 100 to
    /// 600000.
    #[serde(deserialize_with = "timeout_ms")]
    pub io_timeout_ms: u64,
}

impl TcpConfig {
    /// Connections open at the same time to one address.
    pub fn connections_per_client_max(&self) -> usize {
        per_client(self.connections_per_client_max, self.connections_max)
    }
}

/// Of so many connections one client may have as many as are set, or an eighth, and 4 at least.
fn per_client(set: Option<usize>, connections_max: usize) -> usize {
    set.unwrap_or((connections_max / 8).max(4))
}

impl Default for TcpConfig {
    fn default() -> TcpConfig {
        // "Of the order of a few seconds" (RFC 7766 §6.2.3); 10 s is what resolvers that reuse connections count on.
        TcpConfig {
            connections_max: 1024,
            connections_per_client_max: None,
            idle_timeout_ms: 10_000,
            io_timeout_ms: 10_000,
        }
    }
}

/// `[tls]`: DNS over TLS; the timeouts are those of `[tcp]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Addresses to answer on; port 853 when none is written.
    #[serde(deserialize_with = "tls_listen")]
    pub listen: Vec<ListenAddress>,
    /// The certificate and those that it is signed by, in PEM, its own first.
    pub certificate: PathBuf,
    /// The private key of the certificate, in PEM.
    pub key: PathBuf,
    /// Connections open at the same time, 1 to 100000.
    #[serde(default = "tls_connections_max", deserialize_with = "connections_max")]
    pub connections_max: usize,
    /// Connections open at the same time to one address, 1 to 100000. When absent: an eighth of the former, 4 at least.
    #[serde(default, deserialize_with = "connections_per_client_max")]
    pub connections_per_client_max: Option<usize>,
    /// Handshakes at the same time, 1 to 100000; a client may have an eighth of them, and 4 at least.
    #[serde(default = "handshakes_max", deserialize_with = "connections_max")]
    pub handshakes_max: usize,
    /// Milliseconds for a handshake, 100 to 600000.
    #[serde(default = "handshake_timeout_ms", deserialize_with = "timeout_ms")]
    pub handshake_timeout_ms: u64,
    /// Seconds between looks whether the files have changed, 1 to 86400; 0: only a reload looks.
    #[serde(default = "watch_interval_s", deserialize_with = "watch_interval_s_in_range")]
    pub watch_interval_s: u64,
}

impl TlsConfig {
    /// Connections open at the same time to one address.
    pub fn connections_per_client_max(&self) -> usize {
        per_client(self.connections_per_client_max, self.connections_max)
    }
}

fn tls_connections_max() -> usize {
    TcpConfig::default().connections_max
}

/// Each costs some 20 kB and a signature.
fn handshakes_max() -> usize {
    256
}

/// A handshake is two round trips, and three with TLS 1.2.
fn handshake_timeout_ms() -> u64 {
    5000
}

/// Certificates are replaced days before they expire.
fn watch_interval_s() -> u64 {
    60
}

/// `[transfer]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransferConfig {
    /// Who may transfer zones (AXFR, IXFR); nobody when absent.
    #[serde(deserialize_with = "prefixes")]
    pub allow: Vec<Prefix>,
}

impl TransferConfig {
    /// Whether `address` may transfer zones.
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|prefix| prefix.contains(address))
    }
}

/// `[[zone]]`: a zone from a file of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneConfig {
    /// The apex.
    #[serde(deserialize_with = "name")]
    pub name: NameBuf,
    /// The zone file.
    pub file: PathBuf,
}

/// `[[zone_directory]]`: every file `NAME.zone` in it is the zone NAME.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneDirectoryConfig {
    /// The directory; directories in it are not looked into.
    pub path: PathBuf,
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What is worth a line.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// What keeps the daemon from its work.
    Error,
    /// What somebody should look at.
    Warn,
    /// Starts, stops, and changes of zones.
    #[default]
    Info,
    /// Each call and connection.
    Debug,
    /// All there is.
    Trace,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// An address to answer on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

impl ListenAddress {
    /// Reads an address, with `port` unless there is one.
    fn parse(text: &str, port: u16) -> Result<ListenAddress, &'static str> {
        if let Ok(address) = text.parse() {
            return Ok(ListenAddress(address));
        }
        let address: IpAddr = text.parse().map_err(|_| {
            "not an address; write it like \"192.0.2.1\", \"192.0.2.1:53\", \"2001:db8::1\" or \"[2001:db8::1]:53\""
        })?;
        Ok(ListenAddress((address, port).into()))
    }
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<ListenAddress, &'static str> {
        ListenAddress::parse(text, PORT_DEFAULT)
    }
}

impl<'de> Deserialize<'de> for ListenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ListenAddress, D::Error> {
        from_text(deserializer)
    }
}

/// Answered on when `server.listen` is absent: loopback only, and a port that needs no privilege, so that a
/// server that was started without a configuration serves nobody by accident.
pub const LISTEN_DEFAULT: [&str; 2] = ["127.0.0.1:5300", "[::1]:5300"];

/// The port of a listen address without one (RFC 1035 §4.2).
const PORT_DEFAULT: u16 = 53;

/// The port of an address for TLS without one (RFC 7858 §3.1).
const TLS_PORT_DEFAULT: u16 = 853;

/// Octets of a configuration file at most: a hundred thousand `[[zone]]` entries fit.
const CONFIG_SIZE_MAX: u64 = 16 << 20;

/// Octets of an NSID at most, as the answers have room for it.
const NSID_SIZE_MAX: usize = nss_authority::policy::NSID_SIZE_MAX;

/// Octets of a text about the server at most: a string has no more (RFC 1035 §3.3).
const TEXT_SIZE_MAX: usize = nss_authority::policy::TEXT_SIZE_MAX;

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, when there is one.
    pub path: Option<PathBuf>,
    /// What is wrong, with line and column where there is one.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ConfigError {}

fn read_bounded(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(CONFIG_SIZE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_SIZE_MAX {
        return Err(io::Error::other(format!("it is larger than {} MiB", CONFIG_SIZE_MAX >> 20)));
    }
    Ok(text)
}

/// The first path of a variable that may hold several parted by colons, as systemd writes it.
fn first_of(variable: &str) -> Option<PathBuf> {
    let value = std::env::var_os(variable)?;
    std::env::split_paths(&value).next().filter(|path| path.is_absolute())
}

fn from_text<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NameBuf, D::Error> {
    from_text(deserializer)
}

fn prefixes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Prefix>, D::Error> {
    struct Text(Prefix);
    impl<'de> Deserialize<'de> for Text {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
            from_text(deserializer).map(Text)
        }
    }
    Ok(Vec::<Text>::deserialize(deserializer)?.into_iter().map(|Text(prefix)| prefix).collect())
}

fn tls_listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ListenAddress>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| ListenAddress::parse(text, TLS_PORT_DEFAULT).map_err(de::Error::custom)).collect()
}

fn nsid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() || text.len() > NSID_SIZE_MAX {
        return Err(de::Error::custom(format!("an NSID has 1 to {NSID_SIZE_MAX} octets, this one {}", text.len())));
    }
    Ok(Some(text))
}

fn chaos_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() || text.len() > TEXT_SIZE_MAX {
        let size = text.len();
        return Err(de::Error::custom(format!("such a text has 1 to {TEXT_SIZE_MAX} octets, this one {size}")));
    }
    Ok(Some(text))
}

/// A whole number within `range`.
fn number<'de, D: Deserializer<'de>>(deserializer: D, range: std::ops::RangeInclusive<u64>) -> Result<u64, D::Error> {
    let number = i64::deserialize(deserializer)?;
    match u64::try_from(number) {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(de::Error::custom(format!("{number} is not a number from {} to {}", range.start(), range.end()))),
    }
}

fn workers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    number(deserializer, 1..=256).map(|n| Some(n as usize))
}

fn udp_payload_size_max<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    number(deserializer, 512..=4096).map(|n| n as u16)
}

fn uploads_max<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    number(deserializer, 0..=1_000_000_000)
}

fn uploads_size_max<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    number(deserializer, 0..=1 << 50)
}

fn per_second<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    number(deserializer, 1..=1_000_000).map(|n| n as u32)
}

fn some_per_second<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    per_second(deserializer).map(Some)
}

fn all_per_second<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    number(deserializer, 0..=1_000_000).map(|n| n as u32)
}

fn ipv4_prefix_length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    number(deserializer, 0..=32).map(|n| n as u8)
}

fn ipv6_prefix_length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    number(deserializer, 0..=128).map(|n| n as u8)
}

fn slip<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    number(deserializer, 0..=10).map(|n| n as u32)
}

fn connections_max<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    number(deserializer, 1..=100_000).map(|n| n as usize)
}

fn connections_per_client_max<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    connections_max(deserializer).map(Some)
}

fn watch_interval_s_in_range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    number(deserializer, 0..=86_400)
}

fn timeout_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    number(deserializer, 100..=600_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Config::from_toml(text).unwrap_err().to_string()
    }

    #[test]
    fn the_sample_is_a_configuration_and_it_and_the_manual_show_every_key() {
        let text = include_str!("../../config/nssd.toml");
        let manual = include_str!("../../docs/nssd.md");
        let config = Config::from_toml(text).unwrap();
        assert!(config.server.listen.is_some() && config.zones.len() == 1);
        for key in [
            "listen",
            "workers",
            "state_directory",
            "control_socket",
            "control_group",
            "control_uids",
            "nsid",
            "identity",
            "version",
            "cookies",
            "cookie_secret_file",
            "rotate",
            "join_replies",
            "udp_payload_size_max",
            "uploads_max",
            "uploads_size_max",
            "enabled",
            "responses_per_second",
            "nodata_per_second",
            "nxdomains_per_second",
            "referrals_per_second",
            "errors_per_second",
            "all_per_second",
            "slip",
            "ipv4_prefix_length",
            "ipv6_prefix_length",
            "exempt",
            "connections_max",
            "connections_per_client_max",
            "idle_timeout_ms",
            "io_timeout_ms",
            "certificate",
            "key",
            "handshakes_max",
            "handshake_timeout_ms",
            "watch_interval_s",
            "allow",
            "name",
            "file",
            "path",
            "level",
            "format",
        ] {
            let is_key = |line: &str| line.trim_start_matches('#').trim_start().starts_with(&format!("{key} ="));
            assert!(text.lines().any(is_key), "{key}");
            let is_in_manual = |name: &str| manual.contains(&format!("| `{name}` |"));
            assert!(
                is_in_manual(key)
                    || ["zone.name", "zone.file", "zone_directory.path"]
                        .into_iter()
                        .any(|name| name.ends_with(key) && is_in_manual(name)),
                "{key}"
            );
        }
    }

    #[test]
    fn what_the_sample_leaves_out_is_right_as_well() {
        let text = include_str!("../../config/nssd.toml");
        let is_left_out = |line: &&str| line.strip_prefix('#').is_some_and(|line| !line.starts_with(' '));
        let left_out = text.lines().filter(is_left_out).count();
        let text: String = text
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line)))
            .filter(|line| !line.starts_with(' '))
            .collect();
        let config = Config::from_toml(&text).unwrap();
        let tls = config.tls.unwrap();
        assert_eq!(tls.listen, [ListenAddress("192.0.2.1:853".parse().unwrap()), "[2001:db8::1]:853".parse().unwrap()]);
        assert_eq!((left_out, tls.connections_per_client_max()), (12, 128));
    }

    #[test]
    fn nothing_has_to_be_set() {
        let config = Config::from_toml("").unwrap();
        assert!(config.server.cookies && config.rate_limit.enabled && config.transfer.allow.is_empty());
        assert_eq!(config.tcp.connections_per_client_max(), 128);
    }

    #[test]
    fn a_key_that_is_not_known_is_refused_with_its_place_and_what_could_be_meant() {
        let error = refused("[server]\nlisen = []\n");
        assert!(error.contains("line 2, column 1") && error.contains("`listen`"), "{error}");
        let error = refused("[[zone]]\nname = \"example.com\"\n");
        assert!(error.contains("missing field `file`"), "{error}");
    }

    #[test]
    fn a_value_that_makes_no_sense_is_refused_with_its_place_and_what_to_write() {
        for (text, place, advice) in [
            ("[server]\nworkers = 0\n", "line 2, column 11", "a number from 1 to 256"),
            ("[server]\nlisten = [\"localhost\"]\n", "line 2, column 10", "write it like \"192.0.2.1\""),
            ("[server]\ncookie_secret = \"abc\"\n", "line 2, column 1", "`cookie_secret_file`"),
            ("[server]\nudp_payload_size_max = 511\n", "line 2, column 24", "a number from 512 to 4096"),
            ("[server]\nidentity = \"\"\n", "line 2, column 12", "1 to 255 octets"),
            ("[rate_limit]\nresponses_per_second = 0\n", "line 2, column 24", "a number from 1 to 1000000"),
            ("[rate_limit]\nipv4_prefix_length = 33\n", "line 2, column 22", "a number from 0 to 32"),
            ("[rate_limit]\nexempt = [\"localhost\"]\n", "line 2, column 10", "write it like 192.0.2.0/24"),
            ("[transfer]\nallow = [\"192.0.2.1/24\"]\n", "line 2, column 9", "write 192.0.2.0/24"),
            ("[[zone]]\nname = \"a..b\"\nfile = \"f\"\n", "line 2, column 8", "two dots in a row"),
            ("[tcp]\nidle_timeout_ms = -1\n", "line 2, column 19", "a number from 100"),
            ("[tls]\nlisten = [\"::1\"]\ncertificate = \"c\"\n", "line 1, column 1", "missing field `key`"),
            ("[tls]\nwatch_interval_s = 86401\n", "line 2, column 20", "a number from 0 to 86400"),
            ("[tls]\nlisten = [\"dns.example\"]\n", "line 2, column 10", "write it like \"192.0.2.1\""),
            ("[log]\nlevel = \"loud\"\n", "line 2, column 9", "`error`"),
        ] {
            let error = refused(text);
            assert!(error.contains(place) && error.contains(advice), "{text}: {error}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let twice = "[[zone]]\nname = \"example.com\"\nfile = \"a\"\n[[zone]]\nname = \"EXAMPLE.com.\"\nfile = \"b\"\n";
        assert!(refused(twice).contains("two [[zone]] entries"), "{}", refused(twice));
        assert!(refused("[server]\nlisten = []\n").contains("server.listen is empty"));
        assert!(refused("[server]\nlisten = [\"::1\", \"[::1]:53\"]\n").contains("twice"));
        assert!(Config::from_toml("[server]\nlisten = [\"[::1]:0\", \"[::1]:0\"]\n").is_ok());
        let tls = |listen: &str| format!("[tls]\nlisten = [{listen}]\ncertificate = \"c\"\nkey = \"k\"\n");
        assert!(refused(&tls("")).contains("tls.listen is empty"));
        assert!(refused(&tls("\"::1\", \"[::1]:853\"")).contains("tls.listen names [::1]:853 twice"));
        let both = format!("[server]\nlisten = [\"[::1]:853\"]\n{}", tls("\"::1\""));
        assert!(refused(&both).contains("[::1]:853 twice"));
    }

    #[test]
    fn relative_paths_start_at_the_configuration_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nssd.toml");
        let server = "[server]\ncookie_secret_file = \"secrets\"\n";
        let tls = "[tls]\nlisten = [\"::1\"]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\n";
        let zone = "[[zone]]\nname = \"example.com\"\nfile = \"zones/example.com\"\n";
        std::fs::write(&path, format!("{server}{tls}{zone}")).unwrap();
        let config = Config::read(&path).unwrap();
        assert_eq!(config.server.cookie_secret_file, Some(directory.path().join("secrets")));
        let tls = config.tls.unwrap();
        assert_eq!((tls.certificate, tls.key), (directory.path().join("c.pem"), "/k.pem".into()));
        assert_eq!(config.zones[0].file, directory.path().join("zones/example.com"));
        let missing = Config::read(&directory.path().join("none.toml")).unwrap_err().to_string();
        assert!(missing.contains("none.toml: cannot be read: "), "{missing}");
    }
}
