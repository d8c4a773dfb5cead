//! A small internet on loopback: root and TLD servers, and the service itself, all as the daemons that operators run.
//!
//! ```text
//! 127.53.0.1            nssd   the root zone
//! 127.53.0.2 and .3     nssd   com. and gg.
//! 127.0.0.1             nssd   the hosted zones, at first only elk.gg with the names of our servers
//! 127.0.0.1 (HTTP)   nss-api   uploads, checked at the servers above
//! ```
//!
//! Parent and child are different servers: one that held both would answer for the child itself and hide the delegation.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nss_wire::{NameBuf, RType};

use crate::client::{Client, Query, free_port, is_free, rcode};
use crate::failure::{Context, Outcome};
use crate::process::{Folder, Process};
use crate::workspace::Daemons;

const ROOT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 53, 0, 1));
const TLD: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(127, 53, 0, 2)), IpAddr::V4(Ipv4Addr::new(127, 53, 0, 3))];
const HOSTING: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The ports of the service when nothing else has them.
const DNS_PORT: u16 = 5300;
const HTTP_PORT: u16 = 12601;

/// Each daemon is up within milliseconds; a busy machine may need longer.
const START_TIME: Duration = Duration::from_secs(20);

/// The names that owners enter at their registrar.
pub(crate) const NAME_SERVERS: [&str; 2] = ["ns1.elk.gg", "ns2.elk.gg"];

/// A domain and whom it is delegated to.
pub(crate) struct Delegation {
    pub(crate) domain: String,
    pub(crate) to: To,
}

/// Whom a domain is delegated to.
pub(crate) enum To {
    /// [`NAME_SERVERS`].
    Us,
    /// The same with the label of a key in front.
    UsWithLabel(String),
    Elsewhere,
}

/// All of it, running.
pub(crate) struct Tree {
    /// The hosting server, UDP and TCP.
    pub(crate) dns: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) root: SocketAddr,
    pub(crate) tld: SocketAddr,
    pub(crate) folder: Folder,
    /// In the order of their start: root, TLD, hosting, front.
    processes: Vec<Process>,
}

impl Tree {
    /// Writes zones and configurations, starts the daemons and waits until each one answers.
    ///
    /// All delegations are of domains directly below `com.`.
    pub(crate) fn start(daemons: &Daemons, delegations: &[Delegation]) -> Outcome<Tree> {
        let folder = Folder::new("tree")?;
        let addresses = [ROOT, TLD[0], TLD[1], HOSTING];
        let usual = addresses.iter().all(|address| is_free(SocketAddr::new(*address, DNS_PORT)));
        let port = if usual { DNS_PORT } else { free_port(&addresses)? };
        let dns = SocketAddr::new(HOSTING, port);
        let http_port = if is_free(SocketAddr::new(HOSTING, HTTP_PORT)) { HTTP_PORT } else { free_port(&[HOSTING])? };
        let http = SocketAddr::new(HOSTING, http_port);
        let mut tree = Tree {
            dns,
            http,
            root: SocketAddr::new(ROOT, port),
            tld: SocketAddr::new(TLD[0], port),
            folder,
            processes: Vec::new(),
        };
        let (com, gg) = (com(delegations), gg());
        tree.serve(daemons, "root", &[ROOT], port, &[("root.zone", ".", &root())])?;
        tree.serve(daemons, "tld", &TLD, port, &[("com.zone", "com", &com), ("gg.zone", "gg", &gg)])?;
        let state = tree.serve(daemons, "hosting", &[HOSTING], port, &[("elk.gg.zone", "elk.gg", &elk())])?;
        tree.start_front(daemons, &state)?;
        Ok(tree)
    }

    /// The process of the nssd that hosts.
    pub(crate) fn hosting(&self) -> u32 {
        self.processes[2].id()
    }

    /// The process of nss-api.
    pub(crate) fn front(&self) -> u32 {
        self.processes[3].id()
    }

    /// Starts one nssd with zones of its own; returns its folder.
    fn serve(
        &mut self,
        daemons: &Daemons,
        name: &str,
        addresses: &[IpAddr],
        port: u16,
        zones: &[(&str, &str, &str)],
    ) -> Outcome<PathBuf> {
        let state = self.folder.folder(name)?;
        let listen: Vec<String> = addresses.iter().map(|ip| format!("\"{}\"", SocketAddr::new(*ip, port))).collect();
        let mut config = format!(
            "[server]\nlisten = [{}]\nstate_directory = \"{state}\"\ncontrol_socket = \"{state}/control.sock\"\n",
            listen.join(", "),
            state = state.display()
        );
        for (file, zone, text) in zones {
            let path = state.join(file);
            std::fs::write(&path, text).context(path.display())?;
            let _ = write!(config, "\n[[zone]]\nname = \"{zone}\"\nfile = \"{}\"\n", path.display());
        }
        let path = state.join("nssd.toml");
        std::fs::write(&path, config).context(path.display())?;
        let mut command = Command::new(&daemons.nssd);
        command.arg("serve").arg("--config").arg(&path);
        let mut process = Process::start(&format!("nssd ({name})"), &mut command, &state.join("log"))?;
        for address in addresses {
            let mut client = Client::new(SocketAddr::new(*address, port))?;
            for (_, zone, _) in zones {
                let apex: NameBuf = zone.parse().context(zone)?;
                let query = Query::new(apex.as_name(), RType::SOA);
                process.wait_until(START_TIME, || client.ask(&query).is_some_and(|reply| rcode(&reply) == Some(0)))?;
            }
        }
        self.processes.push(process);
        Ok(state)
    }

    fn start_front(&mut self, daemons: &Daemons, hosting: &Path) -> Outcome {
        let state = self.folder.folder("front")?;
        let config = format!(
            "listen = [\"{}\"]
control_socket = \"{}/control.sock\"
name_servers = [\"{}\", \"{}\"]
requests_per_second = 10000
requests_per_second_total = 10000

[parent]
root_hints = [\"{ROOT}\"]
dns_port = {}
allow_private_addresses = true
queries_per_second = 100000

[quotas]
uploads_per_domain_per_minute = 100000
uploads_per_domain_per_day = 1000000
uploads_per_network_per_minute = 1000000
uploads_per_second = 100000
",
            self.http,
            hosting.display(),
            NAME_SERVERS[0],
            NAME_SERVERS[1],
            self.dns.port()
        );
        let path = state.join("nss-api.toml");
        std::fs::write(&path, config).context(path.display())?;
        let mut command = Command::new(&daemons.nss_api);
        command.arg("serve").arg("--config").arg(&path);
        let mut process = Process::start("nss-api", &mut command, &state.join("log"))?;
        process.wait_until(START_TIME, || TcpStream::connect(self.http).is_ok())?;
        self.processes.push(process);
        Ok(())
    }
}

fn root() -> String {
    let mut text = "$TTL 86400
. SOA a.root.example. hostmaster.example. 1 1800 900 604800 86400
. NS a.root.example.
a.root.example. A 127.53.0.1
"
    .to_owned();
    for tld in ["com", "gg"] {
        for (server, address) in ["a", "b"].iter().zip(TLD) {
            let _ = write!(text, "{tld}. NS {server}.nic.{tld}.\n{server}.nic.{tld}. A {address}\n");
        }
    }
    text
}

/// A TLD's apex and its servers.
fn tld(name: &str) -> String {
    let mut text = format!("$TTL 86400\n{name}. SOA a.nic.{name}. hostmaster.example. 1 1800 900 604800 900\n");
    for (server, address) in ["a", "b"].iter().zip(TLD) {
        let _ = write!(text, "{name}. NS {server}.nic.{name}.\n{server}.nic.{name}. A {address}\n");
    }
    text
}

fn com(delegations: &[Delegation]) -> String {
    let mut text = tld("com");
    for Delegation { domain, to } in delegations {
        for server in NAME_SERVERS {
            let _ = match to {
                To::Us => writeln!(text, "{domain}. NS {server}."),
                To::UsWithLabel(label) => writeln!(text, "{domain}. NS {label}.{server}."),
                To::Elsewhere => writeln!(text, "{domain}. NS {}.", server.replace("elk", "elsewhere")),
            };
        }
    }
    text
}

fn gg() -> String {
    let mut text = tld("gg");
    for server in NAME_SERVERS {
        let _ = write!(text, "elk.gg. NS {server}.\n{server}. A {HOSTING}\n");
    }
    text
}

/// The zone of our own name servers, whose wildcards stand for the names with the labels of keys.
fn elk() -> String {
    let mut text = "$TTL 3600\nelk.gg. SOA ns1.elk.gg. hostmaster.elk.gg. 1 7200 3600 1209600 300\n".to_owned();
    for server in NAME_SERVERS {
        let _ = write!(text, "elk.gg. NS {server}.\n{server}. A {HOSTING}\n*.{server}. A {HOSTING}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use nss_zonefile::{Options, read};

    use super::*;

    #[test]
    fn every_zone_of_the_tree_is_a_zone_file() {
        let delegations = [Delegation { domain: "example.com".to_owned(), to: To::Us }];
        for (apex, text) in [(".", root()), ("com", com(&delegations)), ("gg", gg()), ("elk.gg", elk())] {
            let apex: NameBuf = apex.parse().unwrap();
            let records = read(text.as_bytes(), &Options::for_zone(apex.as_name())).unwrap();
            assert!(records.iter().any(|(record, _)| record.rtype == RType::SOA && record.owner == apex));
        }
    }
}
