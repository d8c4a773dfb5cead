//! Name servers on loopback with the same zones: NSD, Knot, BIND and nssd, each with a configuration of its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nss_wire::{Name, RType};

use crate::client::{Client, Query, free_port};
use crate::failure::{Context, Outcome};
use crate::packages::require;
use crate::process::{Folder, Process};

/// The slowest of them, BIND, needs a second for a thousand small zones.
const START_TIME: Duration = Duration::from_secs(60);

/// A program that answers DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nsd,
    Knot,
    Bind,
    Nssd,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Kind::Nsd, Kind::Knot, Kind::Bind, Kind::Nssd];
    /// The servers whose agreement decides.
    pub(crate) const PEERS: [Kind; 3] = [Kind::Nsd, Kind::Knot, Kind::Bind];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Nsd => "NSD",
            Kind::Knot => "Knot",
            Kind::Bind => "BIND",
            Kind::Nssd => "nssd",
        }
    }
}

/// Zone files that all servers read: `FOLDER/NAME.zone`, NAME without the final dot.
pub(crate) struct Zones {
    pub(crate) folder: PathBuf,
    pub(crate) names: Vec<String>,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
}

impl Server {
    /// Starts one on a free port of 127.0.0.1 and waits until it answers. `nssd` is the daemon's program.
    pub(crate) fn start(kind: Kind, zones: &Zones, folder: &Folder, nssd: &Path) -> Outcome<Server> {
        let loopback = [127, 0, 0, 1].into();
        let address = SocketAddr::new(loopback, free_port(&[loopback])?);
        let state = folder.folder(&format!("{}-{}", kind.name(), address.port()))?;
        let (command, text) = match kind {
            Kind::Nsd => ("nsd", nsd(zones, &state, address)),
            Kind::Knot => ("knotd", knot(zones, &state, address)),
            Kind::Bind => ("named", bind(zones, &state, address)),
            Kind::Nssd => ("nssd", self::nssd(zones, &state, address)),
        };
        let config = state.join("config");
        std::fs::write(&config, text).context(config.display())?;
        let program = if kind == Kind::Nssd { nssd.to_owned() } else { require(command)? };
        let mut command = Command::new(program);
        match kind {
            Kind::Nsd => command.arg("-d").arg("-c").arg(&config),
            Kind::Knot => command.arg("-c").arg(&config),
            Kind::Bind => command.args(["-g", "-n", "1", "-c"]).arg(&config),
            Kind::Nssd => command.arg("serve").arg("--config").arg(&config),
        };
        let process = Process::start(kind.name(), command.current_dir(&state), &state.join("log"))?;
        let mut server = Server { kind, address, process };
        let mut client = Client::new(address)?;
        // Knot and BIND answer SERVFAIL until a zone is loaded, and load zones in any order; anything else than silence
        // from here on is for the caller to judge.
        let probe = Query::new(Name::ROOT, RType::SOA);
        server.process.wait_until(START_TIME, || client.ask(&probe).is_some())?;
        Ok(server)
    }
}

fn nsd(zones: &Zones, state: &Path, address: SocketAddr) -> String {
    let (state, folder) = (state.display(), zones.folder.display());
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
  logfile: \"{state}/nsd.log\"
  tcp-count: 200
  refuse-any: no
  minimal-responses: no
  rrl-ratelimit: 0
remote-control:
  control-enable: no
",
        address.ip(),
        address.port()
    );
    for name in &zones.names {
        let _ = write!(text, "zone:\n  name: \"{name}\"\n  zonefile: \"{name}.zone\"\n");
    }
    text
}

fn knot(zones: &Zones, state: &Path, address: SocketAddr) -> String {
    let (state, folder) = (state.display(), zones.folder.display());
    let mut text = format!(
        "server:
  rundir: \"{state}\"
  listen: \"{}@{}\"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: \"{state}/knot.log\"
    any: warning
database:
  storage: \"{state}\"
template:
  - id: default
    storage: \"{folder}\"
    file: \"%s.zone\"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
zone:
",
        address.ip(),
        address.port()
    );
    for name in &zones.names {
        let _ = write!(text, "  - domain: \"{name}\"\n    file: \"{name}.zone\"\n");
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
  minimal-responses no;
  minimal-any no;
  zero-no-soa-ttl no;
  answer-cookie no;
  check-names primary ignore;
  check-integrity no;
  check-wildcard no;
  max-udp-size 1232;
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

fn nssd(zones: &Zones, state: &Path, address: SocketAddr) -> String {
    let (state, folder) = (state.display(), zones.folder.display());
    format!(
        "[server]
listen = [\"{address}\"]
workers = 1
state_directory = \"{state}\"
control_socket = \"{state}/control.sock\"
udp_payload_size_max = 1232
cookies = false

[rate_limit]
enabled = false

[[zone_directory]]
path = \"{folder}\"

[log]
level = \"info\"
format = \"text\"
"
    )
}
