//! Is the operator's own setup right? Looked at as the world sees it: from the root hints to the names of our servers.
//!
//! Owners enter our names, with the labels of their keys in front, and everything rests on those: that they are delegated,
//! have glue, a wildcard, addresses in both families that answer over UDP and TCP, and that all servers say the same.

mod finding;
mod judge;
mod probe;
mod question;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use nss_registrar_check::Checker;
use nss_wire::{NameBuf, RType};
use nssd::control::{Client as ZoneServer, Source};
use tokio::task::JoinSet;

pub use self::finding::{Finding, Level, Report};
use self::judge::{Sight, clock, networks};
use self::probe::{Probe, Questions};
use self::question::ask;
use self::world::{Cut, Lost, World};
use crate::config::{Config, Ownership, milliseconds};
use crate::key::Key;
use crate::parents::checker_config;

/// Looks at everything; `addresses` are those that the operator calls ours, and may be left out.
pub async fn check(config: &Config, addresses: &[IpAddr]) -> Report {
    let mut findings = Vec::new();
    let local = Local::look(config).await;
    findings.push(local.finding);
    let checks = checker_config(config);
    let world = World { policy: checks.addresses, port: checks.port, checker: Checker::new(checks) };

    // Most operators have all names in one zone; each zone is looked at once.
    let mut zones = BTreeMap::<NameBuf, (Cut, Vec<NameBuf>)>::new();
    for name in &config.name_servers {
        match world.cut_above(name.as_name()).await {
            Ok(cut) => {
                let zone = cut.delegation.zone.clone();
                zones.entry(zone).or_insert_with(|| (cut, Vec::new())).1.push(name.clone());
            }
            Err(Lost::Nowhere(reason)) => {
                let remedy = "enter the zone that it is in at a registrar, with the name servers that serve it";
                findings.push(Finding::wrong(name, format!("it is in no zone: {reason}"), remedy));
            }
            Err(Lost::Unknown(reason)) => {
                let remedy =
                    "see whether name servers on the Internet can be asked from this machine, over UDP and TCP";
                findings.push(Finding::unknown(name, format!("its zone could not be found: {reason}"), remedy));
            }
        }
    }
    let mut all = BTreeSet::new();
    let mut clocks = Vec::new();
    for (cut, ours) in zones.values() {
        let probes = probe(&world, cut, ours, local.hosted.as_ref()).await;
        let sight = Sight {
            cut,
            ours,
            probes: &probes,
            addresses,
            policy: world.policy,
            needs_labels: config.ownership != Ownership::Open,
            hosted: local.hosted.as_ref(),
        };
        findings.extend(sight.findings());
        for host in probes.iter().flat_map(|probe| &probe.hosts).filter(|(name, _)| ours.contains(name)) {
            all.extend(&host.1.plain);
        }
        for server in cut.parent_servers.iter().take(CLOCKS_MAX) {
            let asked = ask(*server, cut.delegation.parent.as_name(), RType::SOA).await;
            clocks.extend(asked.ok().and_then(|reply| reply.cookie_time));
        }
    }
    if config.name_servers.len() < 2 {
        let says = "there is one name server, and most registries want two";
        findings.push(Finding::advice("name_servers", says, "add another one"));
    }
    if !all.is_empty() {
        findings.push(networks(&all));
    }
    if let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) {
        findings.push(clock(now.as_secs(), &clocks, local.newest_upload));
    }
    Report { findings }
}

/// Asks all addresses of the zone's servers, and of our names in it, at one time.
async fn probe(world: &World, cut: &Cut, ours: &[NameBuf], hosted: Option<&NameBuf>) -> Vec<Probe> {
    let delegation = &cut.delegation;
    let mut hosts: BTreeSet<NameBuf> = ours.iter().cloned().collect();
    let mut addresses = BTreeSet::new();
    for server in &delegation.name_servers {
        addresses.extend(world.server_addresses(server.name.as_name(), &server.addresses, 0).await);
        if server.name.as_name().is_at_or_below(delegation.zone.as_name()) {
            hosts.insert(server.name.clone());
        }
    }
    let below = |host: &NameBuf| {
        let label = Key::generate().map(|key| key.label().to_string()).ok()?;
        format!("{label}.{host}").parse().ok()
    };
    let hosts = hosts.into_iter().filter_map(|host| Some((host.clone(), below(&host)?))).collect();
    let questions = Questions { zone: delegation.zone.clone(), hosts, hosted: hosted.cloned() };
    let mut probes = probe_all(world, &addresses, &questions).await;
    let known = |probes: &[Probe]| probes.iter().map(|probe| probe.address).collect::<BTreeSet<_>>();
    // A name of ours may have an address that its parent does not know.
    let answers = probes.iter().flat_map(|probe| probe.hosts.values());
    let mut others: BTreeSet<IpAddr> = answers.flat_map(|host| host.plain.iter().copied()).collect();
    others.retain(|address| !known(&probes).contains(address) && world.policy.permits(*address));
    probes.extend(probe_all(world, &others, &questions).await);
    probes.sort_by_key(|probe| probe.address);
    probes
}

async fn probe_all(world: &World, addresses: &BTreeSet<IpAddr>, questions: &Questions) -> Vec<Probe> {
    let mut asked = JoinSet::new();
    for &address in addresses.iter().take(ADDRESSES_MAX) {
        let (port, questions) = (world.port, questions.clone());
        asked.spawn(async move { Probe::of(address, port, &questions).await });
    }
    asked.join_all().await
}

/// What the nssd beside us says.
struct Local {
    finding: Finding,
    /// A zone that was uploaded.
    hosted: Option<NameBuf>,
    newest_upload: Option<u64>,
}

impl Local {
    async fn look(config: &Config) -> Local {
        let server = ZoneServer::new(&config.control_socket).with_timeout(milliseconds(config.timeouts.control_ms));
        let about = config.control_socket.display();
        let status = match server.status().await {
            Ok(status) => status,
            Err(error) => {
                let remedy = "start it, and let this user into the group of its control socket";
                let finding = Finding::wrong(&about, error.to_string(), remedy);
                return Local { finding, hosted: None, newest_upload: None };
            }
        };
        let listen: Vec<SocketAddr> = status.listen.iter().filter_map(|text| text.parse().ok()).collect();
        let is_local = !listen.is_empty() && listen.iter().all(|address| address.ip().is_loopback());
        let zones = status.zones;
        let finding = match is_local && !config.parent.allow_private_addresses {
            true => Finding::wrong(
                &about,
                "nssd answers on loopback only, where nobody reaches it",
                "write server.listen = [\"0.0.0.0\", \"::\"] into its configuration",
            ),
            false => Finding::ok(
                &about,
                format!("nssd {} answers on {} and serves {zones} zones", status.version, status.listen.join(", ")),
            ),
        };
        let list = server.list_zones(None, ZONES_LOOKED_AT).await.map(|list| list.zones).unwrap_or_default();
        let uploads = || list.iter().filter(|zone| zone.source == Source::Upload);
        Local {
            finding,
            hosted: uploads().next().and_then(|zone| zone.zone.parse().ok()),
            newest_upload: uploads().filter_map(|zone| zone.uploaded_at).max(),
        }
    }
}

/// Addresses of a zone's servers that are asked: thirteen names with both families, and as many that the parent does not know.
const ADDRESSES_MAX: usize = 52;

/// Servers of a parent zone that are asked for the time.
const CLOCKS_MAX: usize = 4;

/// Hosted zones among which one is looked for that was uploaded.
const ZONES_LOOKED_AT: usize = 1000;
