//! The servers with everything on that there is, and one cookie secret.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::query::{BADCOOKIE, COOKIE, Edns, Query};
use super::reply::Reply;
use crate::client::{Client, free_port};
use crate::failure::{Context, Failure, Outcome};
use crate::packages::require;
use crate::process::{Folder, Process};
use crate::servers::Kind;
use crate::workspace::Daemons;

/// A name server with everything on that there is.
pub(super) struct Server {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    client: Client,
    _process: Process,
}

impl Server {
    pub(super) fn start(kind: Kind, folder: &Folder, daemons: &Daemons) -> Outcome<Server> {
        let loopback = [127, 0, 0, 1].into();
        let address = SocketAddr::new(loopback, free_port(&[loopback])?);
        let state = folder.folder(kind.name())?;
        let (config, secrets) = (state.join("config"), state.join("secrets"));
        std::fs::write(&config, configuration(kind, &state, folder.path(), address)).context(config.display())?;
        std::fs::write(&secrets, SECRET).context(secrets.display())?;
        set_private(&secrets)?;
        let mut command = match kind {
            Kind::Nsd => Command::new(require("nsd")?),
            Kind::Knot => Command::new(require("knotd")?),
            Kind::Bind => Command::new(require("named")?),
            Kind::Nssd => Command::new(&daemons.nssd),
        };
        match kind {
            Kind::Nsd => command.args(["-d", "-c"]),
            Kind::Knot => command.arg("-c"),
            Kind::Bind => command.args(["-g", "-n", "1", "-c"]),
            Kind::Nssd => command.args(["serve", "--config"]),
        };
        let mut process = Process::start(kind.name(), command.arg(&config).current_dir(&state), &state.join("log"))?;
        let mut client = Client::new(address)?;
        let probe = Query { id: 1, ..Query::plain() };
        // Knot and BIND answer SERVFAIL until the zone is loaded.
        process.wait_until(START_TIME, || {
            ask(&mut client, &probe)
                .is_some_and(|octets| Reply::read(&probe, &octets).is_ok_and(|reply| reply.rcode == 0))
        })?;
        Ok(Server { kind, address, client, _process: process })
    }

    pub(super) fn ask(&mut self, query: &Query) -> Outcome<Option<Reply>> {
        match ask(&mut self.client, query) {
            Some(octets) => Reply::read(query, &octets).map(Some).map_err(|why| {
                Failure::new(format!("the answer of {} to {query:?} is broken: {why}", self.kind.name()))
            }),
            None => Ok(None),
        }
    }

    fn with_cookie(&mut self, cookie: &[u8], has_question: bool) -> Outcome<Reply> {
        let options = vec![(COOKIE, cookie.to_vec())];
        let edns = Some(Edns { options, ..Edns::default() });
        let query = Query { id: 2, has_question, edns, ..Query::plain() };
        self.ask(&query)?.ok_or_else(|| Failure::new(format!("{} is silent about a cookie", self.kind.name())))
    }

    pub(super) fn learn_cookie(&mut self) -> Outcome<Vec<u8>> {
        let reply = self.with_cookie(b"client!!", true)?;
        reply.cookie().ok_or_else(|| Failure::new(format!("{} gives no cookie", self.kind.name())))
    }

    pub(super) fn wait_for_another_second(&mut self, cookie: &[u8]) -> Outcome {
        let client = &cookie[..8];
        while self.with_cookie(client, true)?.cookie().is_some_and(|fresh| fresh[12..16] == cookie[12..16]) {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// How it shows is each server's own.
    pub(super) fn believes(&mut self, cookie: &[u8]) -> Outcome<bool> {
        Ok(match self.kind {
            // An answer with the same cookie as long as that is young.
            Kind::Nsd => self.with_cookie(cookie, true)?.cookie().as_deref() == Some(cookie),
            Kind::Knot | Kind::Bind => self.with_cookie(cookie, true)?.rcode != BADCOOKIE,
            Kind::Nssd => self.with_cookie(cookie, false)?.rcode != BADCOOKIE,
        })
    }
}

fn ask(client: &mut Client, query: &Query) -> Option<Vec<u8>> {
    let wire = query.to_wire();
    let mut exchange = || {
        client.send(&wire, query.transport).ok()?;
        client.receive(query.id, query.transport)
    };
    // UDP may lose a packet.
    exchange().or_else(exchange)
}

fn set_private(path: &Path) -> Outcome {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).context(path.display())
}

fn configuration(kind: Kind, state: &Path, zones: &Path, address: SocketAddr) -> String {
    let (state, zones, ip, port) = (state.display(), zones.display(), address.ip(), address.port());
    match kind {
        Kind::Nsd => format!(
            "server:
  server-count: 1
  ip-address: {ip}@{port}
  username: \"\"
  chroot: \"\"
  database: \"\"
  zonesdir: \"{zones}\"
  pidfile: \"{state}/nsd.pid\"
  xfrdfile: \"{state}/xfrd.state\"
  zonelistfile: \"{state}/zone.list\"
  xfrdir: \"{state}\"
  identity: \"{TOLD}\"
  version: \"{TOLD}\"
  nsid: \"ascii_{TOLD}\"
  rrl-ratelimit: 0
  answer-cookie: yes
  cookie-secret: {SECRET}
remote-control:
  control-enable: no
zone:
  name: example.com
  zonefile: example.com.zone
"
        ),
        Kind::Knot => format!(
            "server:
  rundir: \"{state}\"
  listen: \"{ip}@{port}\"
  identity: \"{TOLD}\"
  version: \"{TOLD}\"
  nsid: \"{TOLD}\"
log:
  - target: \"{state}/knot.log\"
    any: warning
database:
  storage: \"{state}\"
mod-cookies:
  - id: all
    secret: 0x{SECRET}
template:
  - id: default
    storage: \"{zones}\"
    file: \"%s.zone\"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    global-module: mod-cookies/all
zone:
  - domain: example.com
"
        ),
        Kind::Bind => format!(
            "options {{
  directory \"{zones}\";
  listen-on port {port} {{ {ip}; }};
  listen-on-v6 {{ none; }};
  pid-file \"{state}/named.pid\";
  session-keyfile \"{state}/session.key\";
  managed-keys-directory \"{state}\";
  recursion no;
  dnssec-validation no;
  empty-zones-enable no;
  notify no;
  version \"{TOLD}\";
  hostname \"{TOLD}\";
  server-id \"{TOLD}\";
  answer-cookie yes;
  cookie-algorithm siphash24;
  cookie-secret \"{SECRET}\";
  require-server-cookie yes;
  max-udp-size 1232;
}};
controls {{ }};
zone \"example.com\" {{ type primary; file \"example.com.zone\"; }};
"
        ),
        Kind::Nssd => format!(
            "[server]
listen = [\"{address}\"]
workers = 1
state_directory = \"{state}\"
control_socket = \"{state}/control.sock\"
nsid = \"{TOLD}\"
identity = \"{TOLD}\"
version = \"{TOLD}\"
cookie_secret_file = \"{state}/secrets\"

[[zone]]
name = \"example.com\"
file = \"{zones}/example.com.zone\"
"
        ),
    }
}

/// What all servers tell of themselves.
const TOLD: &str = "interop";

/// Shared by all servers.
const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

/// The slowest machine starts a server with one zone in this time.
const START_TIME: Duration = Duration::from_secs(20);
