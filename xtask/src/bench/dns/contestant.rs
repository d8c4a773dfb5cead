//! Who is measured, each configured as an operator would: one worker, short answers, no log of queries, and without or with
//! what protects it.

use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::family::Family;
use super::pool::{Expected, Pool, Prepared, Replier};
use super::workload::Workload;
use crate::bench::version;
use crate::client::free_port;
use crate::failure::{Context, Outcome};
use crate::packages::require;
use crate::process::{Folder, Process};
use crate::servers::Zones;

/// A program that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Kind {
    /// The floor, which answers nothing.
    Echo,
    Nsd,
    Knot,
    Bind,
    Dnsmasq,
    Nssd,
}

impl Kind {
    /// All that a workload is for, in the order of the table.
    pub(super) fn all(workload: Workload, bind: bool) -> Vec<Kind> {
        let mut kinds = vec![Kind::Echo, Kind::Nsd, Kind::Knot];
        if bind {
            kinds.push(Kind::Bind);
        }
        // It knows single names, no zones.
        if workload == Workload::Seed {
            kinds.push(Kind::Dnsmasq);
        }
        kinds.push(Kind::Nssd);
        kinds
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Echo => "bare echo",
            Kind::Nsd => "NSD",
            Kind::Knot => "Knot",
            Kind::Bind => "BIND",
            Kind::Dnsmasq => "dnsmasq",
            Kind::Nssd => "nssd",
        }
    }

    /// Whether it is one of the two that set the pace.
    pub(super) fn is_pacemaker(self) -> bool {
        matches!(self, Kind::Nsd | Kind::Knot)
    }

    pub(super) fn replier(self) -> Replier {
        match self {
            Kind::Echo => Replier::Echo,
            Kind::Nsd | Kind::Knot | Kind::Bind | Kind::Dnsmasq | Kind::Nssd => Replier::Server,
        }
    }

    fn program(self, nssd: &Path) -> Outcome<PathBuf> {
        match self {
            Kind::Echo => Ok(crate::workspace::this_program()),
            Kind::Nsd => require("nsd"),
            Kind::Knot => require("knotd"),
            Kind::Bind => require("named"),
            Kind::Dnsmasq => require("dnsmasq"),
            Kind::Nssd => Ok(nssd.to_owned()),
        }
    }

    /// The name with the version that the program tells.
    fn title(self, program: &Path) -> String {
        let flag = match self {
            Kind::Echo => return self.name().to_owned(),
            Kind::Nsd | Kind::Bind => "-v",
            Kind::Knot | Kind::Dnsmasq | Kind::Nssd => "--version",
        };
        let told = Command::new(program).arg(flag).output().ok();
        let told = told.map(|told| String::from_utf8_lossy(&[told.stdout, told.stderr].concat()).into_owned());
        match told.as_deref().and_then(version) {
            Some(version) => format!("{} {version}", self.name()),
            None => self.name().to_owned(),
        }
    }

    pub(super) fn config(self, setup: Setup<'_>, zones: &Zones, state: &Path, address: SocketAddr) -> String {
        match self {
            Kind::Echo => String::new(),
            Kind::Nsd => nsd(setup, zones, state, address),
            Kind::Knot => knot(setup, zones, state, address),
            Kind::Bind => bind(zones, state, address),
            Kind::Dnsmasq => dnsmasq(address),
            Kind::Nssd => nssd(setup, zones, state, address),
        }
    }
}

/// What NSD, Knot and nssd are configured for; the others are for speed only.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) enum Setup<'s> {
    /// Without a limit on answers.
    Speed,
    /// For the open Internet: answers are limited as each one's documentation suggests, cookies are answered, and the same
    /// number of TCP connections is let in. NSD and nssd have TLS, Knot has it from 3.4 on.
    Exposed(Tls<'s>),
}

/// Where a server answers over TLS.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Tls<'s> {
    pub(in crate::bench) address: SocketAddr,
    /// Has the certificate in `cert.pem` and its key in `key.pem`.
    pub(in crate::bench) folder: &'s Path,
}

/// A running program, ready for load.
pub(in crate::bench) struct Contestant {
    pub(in crate::bench) kind: Kind,
    /// Its name and version.
    pub(in crate::bench) title: String,
    pub(in crate::bench) address: SocketAddr,
    /// From exec to the first correct answer.
    pub(super) start_time: Duration,
    /// Most memory while it loaded the zones, in octets.
    pub(super) peak_memory: u64,
    /// Its own folder.
    pub(in crate::bench) state: PathBuf,
    process: Process,
}

impl Contestant {
    /// Starts one and waits until it answers [`PROBES`] of the workload's queries as it must. `nssd` is the daemon.
    pub(in crate::bench) fn start(
        kind: Kind,
        setup: Setup<'_>,
        zones: &Zones,
        pool: &Pool,
        folder: &Folder,
        nssd: &Path,
    ) -> Outcome<Contestant> {
        let loopback = [127, 0, 0, 1].into();
        let address = SocketAddr::new(loopback, free_port(&[loopback])?);
        let state = folder.folder(&format!("{}-{}", kind.name().replace(' ', "-"), address.port()))?;
        let config = state.join("config");
        std::fs::write(&config, kind.config(setup, zones, &state, address)).context(config.display())?;
        let program = kind.program(nssd)?;
        let title = kind.title(&program);
        let mut command = Command::new(program);
        match kind {
            Kind::Echo => command.args(["bench", "echo", &address.to_string()]),
            Kind::Nsd => command.arg("-d").arg("-c").arg(&config),
            Kind::Knot => command.arg("-c").arg(&config),
            Kind::Bind => command.args(["-g", "-n", "1", "-c"]).arg(&config),
            Kind::Dnsmasq => command.arg("-k").arg("-C").arg(&config),
            Kind::Nssd => command.arg("serve").arg("--config").arg(&config),
        };
        let mut probe = Probe::new(address, pool, kind.replier())?;
        let begin = Instant::now();
        let mut process = Process::start(&title, command.current_dir(&state), &state.join("log"))?;
        process.wait_until(START_TIME_MAX, || probe.is_over())?;
        let start_time = begin.elapsed();
        let peak_memory = Family(process.id()).peak_memory()?;
        Ok(Contestant { kind, title, address, start_time, peak_memory, state, process })
    }

    pub(in crate::bench) fn family(&self) -> Family {
        Family(self.process.id())
    }
}

/// Queries that must be answered before a server counts as started; some servers answer for zones one by one.
pub(super) struct Probe<'p> {
    socket: UdpSocket,
    left: Vec<Prepared<'p>>,
    replier: Replier,
    id: u16,
}

impl<'p> Probe<'p> {
    pub(super) fn new(address: SocketAddr, pool: &'p Pool, replier: Replier) -> Outcome<Probe<'p>> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("cannot bind a UDP socket")?;
        socket.connect(address).context(address)?;
        socket.set_read_timeout(Some(PROBE_TIME)).context(address)?;
        // A server without its zones may say REFUSED to anything, and rightly so to some of it.
        let left = pool.iter().filter(|query| query.expected != Expected::Refused).take(PROBES).collect();
        Ok(Probe { socket, left, replier, id: 0 })
    }

    /// Goes on until a query is not answered as it must be; whether there was none.
    pub(super) fn is_over(&mut self) -> bool {
        while let Some(query) = self.left.last() {
            self.id = self.id.wrapping_add(1);
            let mut buffer = [0; 4096];
            if self.socket.send(&query.with_id(self.id)).is_err() {
                return false;
            }
            let reply = loop {
                let Ok(len) = self.socket.recv(&mut buffer) else { return false };
                // A server that binds its socket early replies to everything that was asked meanwhile.
                if buffer[..len].starts_with(&self.id.to_be_bytes()) {
                    break &buffer[..len];
                }
            };
            if !query.is_answered_by(reply, self.replier) {
                return false;
            }
            self.left.pop();
        }
        true
    }
}

fn nsd(setup: Setup<'_>, zones: &Zones, state: &Path, address: SocketAddr) -> String {
    let (state, folder) = (state.display(), zones.folder.display());
    let limits = match setup {
        Setup::Speed => "  rrl-ratelimit: 0\n".to_owned(),
        // The limits that nsd.conf(5) suggests and has as defaults.
        Setup::Exposed(Tls { address: tls, folder }) => format!(
            "  rrl-ratelimit: 200
  rrl-slip: 2
  rrl-ipv4-prefix-length: 24
  answer-cookie: yes
  tcp-count: {CONNECTIONS_MAX}
  ip-address: {}@{port}
  tls-port: {port}
  tls-service-pem: \"{folder}/cert.pem\"
  tls-service-key: \"{folder}/key.pem\"
",
            tls.ip(),
            port = tls.port(),
            folder = folder.display(),
        ),
    };
    let mut text = format!(
        "server:
  server-count: 1
  ip-address: {}@{}
  username: \"\"
  chroot: \"\"
  database: \"\"
  zonesdir: \"{folder}\"
  pidfile: \"{state}/nsd.pid\"
  xfrdfile: \"{state}/xfrd.state\"
  zonelistfile: \"{state}/zone.list\"
  xfrdir: \"{state}\"
  minimal-responses: yes
{limits}remote-control:
  control-enable: no
pattern:
  name: \"hosted\"
  zonefile: \"%s.zone\"
",
        address.ip(),
        address.port()
    );
    for name in &zones.names {
        let _ = write!(text, "zone:\n  name: \"{name}\"\n  include-pattern: \"hosted\"\n");
    }
    text
}

fn knot(setup: Setup<'_>, zones: &Zones, state: &Path, address: SocketAddr) -> String {
    let (state, folder) = (state.display(), zones.folder.display());
    let (connections, modules, global) = match setup {
        Setup::Speed => (String::new(), "", ""),
        // The example of the module's documentation. Cookies come first, so that who has one is not limited.
        Setup::Exposed(_) => (
            format!("  tcp-max-clients: {CONNECTIONS_MAX}\n"),
            "mod-cookies:
  - id: default
mod-rrl:
  - id: default
    rate-limit: 200
    slip: 2
",
            "    global-module: [mod-cookies/default, mod-rrl/default]\n",
        ),
    };
    let mut text = format!(
        "server:
  rundir: \"{state}\"
  listen: \"{}@{}\"
  udp-workers: 1
{connections}log:
  - target: stderr
    any: warning
{modules}database:
  storage: \"{state}\"
template:
  - id: default
    storage: \"{folder}\"
    file: \"%s.zone\"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
{global}zone:
",
        address.ip(),
        address.port()
    );
    for name in &zones.names {
        let _ = writeln!(text, "  - domain: \"{name}\"");
    }
    text
}

fn bind(zones: &Zones, state: &Path, address: SocketAddr) -> String {
    let (state, folder) = (state.display(), zones.folder.display());
    let mut text = format!(
        "options {{
  directory \"{state}\";
  listen-on port {port} {{ {address}; }};
  listen-on-v6 {{ none; }};
  pid-file \"{state}/named.pid\";
  session-keyfile \"{state}/session.key\";
  managed-keys-directory \"{state}\";
  recursion no;
  allow-query {{ any; }};
  notify no;
  dnssec-validation no;
  empty-zones-enable no;
  minimal-responses yes;
  check-integrity no;
  querylog no;
}};
controls {{ }};
",
        port = address.port(),
        address = address.ip(),
    );
    for name in &zones.names {
        let _ = writeln!(text, "zone \"{name}\" {{ type primary; file \"{folder}/{name}.zone\"; }};");
    }
    text
}

/// The name of the seed alone.
fn dnsmasq(address: SocketAddr) -> String {
    format!(
        "port={}
listen-address={}
bind-interfaces
no-resolv
no-hosts
pid-file=
user=root
local=/example.com/
local-ttl=3600
host-record=example.com,192.0.2.1
",
        address.port(),
        address.ip()
    )
}

fn nssd(setup: Setup<'_>, zones: &Zones, state: &Path, address: SocketAddr) -> String {
    let (state, folder) = (state.display(), zones.folder.display());
    let limits = match setup {
        Setup::Speed => "\n[rate_limit]\nenabled = false\n".to_owned(),
        // All defaults, but that here loopback is the Internet.
        Setup::Exposed(Tls { address: tls, folder }) => {
            let folder = folder.display();
            format!(
                "
[rate_limit]
exempt = []

[tcp]
connections_max = {CONNECTIONS_MAX}

[tls]
listen = [\"{tls}\"]
certificate = \"{folder}/cert.pem\"
key = \"{folder}/key.pem\"
"
            )
        }
    };
    format!(
        "[server]
listen = [\"{address}\"]
workers = 1
state_directory = \"{state}\"
control_socket = \"{state}/control.sock\"
{limits}
[[zone_directory]]
path = \"{folder}\"

[log]
level = \"warn\"
"
    )
}

/// TCP connections that an exposed server lets in: nssd's default.
const CONNECTIONS_MAX: usize = 1024;

/// The slowest of them, on a busy machine, with a hundred thousand zones.
const START_TIME_MAX: Duration = Duration::from_secs(300);

/// Enough that among 100,000 zones some of the last ones are asked for.
const PROBES: usize = 64;

/// A server that is loading may not answer; it is asked again after this time.
const PROBE_TIME: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use nss_wire::{NameBuf, RType};

    use super::*;

    #[test]
    fn a_server_that_replies_late_to_first_probes_has_started() {
        let mut pool = Pool::default();
        let apex: NameBuf = "example.com".parse().unwrap();
        pool.push(apex.as_name(), RType::A, None, Expected::Records(1));
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut probe = Probe::new(server.local_addr().unwrap(), &pool, Replier::Echo).unwrap();
        assert!(!probe.is_over() && !probe.is_over(), "nobody has replied");
        // Until the probe is over it replies to whatever is waiting, the oldest first.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = [0; 512];
                while let Ok((len, from)) = server.recv_from(&mut buffer)
                    && len > 1
                {
                    buffer[2] |= 0x80;
                    server.send_to(&buffer[..len], from).unwrap();
                }
            });
            while !probe.is_over() {}
            probe.socket.send(b".").unwrap();
        });
    }
}
