//! All that is asked of one address of a zone's name servers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use nss_wire::{Name, NameBuf, RType};

use super::question::{Reply, Silence, Transport, ask, ask_over};

/// What one address says.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) address: IpAddr,
    /// About the SOA record of the zone, over UDP and over TCP.
    pub(super) udp: Result<Reply, Silence>,
    pub(super) tcp: Result<Reply, Silence>,
    /// The zone's own NS set.
    pub(super) name_servers: Vec<NameBuf>,
    /// The addresses of each host that was asked about.
    pub(super) hosts: BTreeMap<NameBuf, Host>,
    /// About the SOA record of a zone that was uploaded here.
    pub(super) hosted: Option<Result<Reply, Silence>>,
}

/// The addresses of a host, and of a name with a key's label in front of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) plain: BTreeSet<IpAddr>,
    pub(super) below: BTreeSet<IpAddr>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Questions {
    pub(super) zone: NameBuf,
    /// Hosts in the zone, each with a name below it that nobody has ever asked about.
    pub(super) hosts: Vec<(NameBuf, NameBuf)>,
    pub(super) hosted: Option<NameBuf>,
}

impl Probe {
    /// Whether it answers for the zone.
    pub(super) fn is_authoritative(&self) -> bool {
        [&self.udp, &self.tcp].into_iter().flatten().any(|reply| reply.is_authoritative && reply.serial.is_some())
    }

    /// Asks `address` everything, one after the other, as a polite client does.
    pub(super) async fn of(address: IpAddr, port: u16, questions: &Questions) -> Probe {
        let server = SocketAddr::new(address, port);
        let zone = questions.zone.as_name();
        let udp = ask_over(server, zone, RType::SOA, Transport::Udp).await;
        let tcp = ask_over(server, zone, RType::SOA, Transport::Tcp).await;
        let mut probe = Probe { address, udp, tcp, name_servers: Vec::new(), hosts: BTreeMap::new(), hosted: None };
        if !probe.is_authoritative() {
            return probe;
        }
        if let Ok(reply) = ask(server, zone, RType::NS).await {
            probe.name_servers = reply.name_servers;
        }
        for (host, below) in &questions.hosts {
            let (plain, below) = (addresses(server, host.as_name()).await, addresses(server, below.as_name()).await);
            probe.hosts.insert(host.clone(), Host { plain, below });
        }
        if let Some(hosted) = &questions.hosted {
            probe.hosted = Some(ask(server, hosted.as_name(), RType::SOA).await);
        }
        probe
    }
}

/// The addresses that `server` knows of a name itself; what it was told by others does not count.
async fn addresses(server: SocketAddr, name: Name<'_>) -> BTreeSet<IpAddr> {
    let (v4, v6) = (ask(server, name, RType::A).await, ask(server, name, RType::AAAA).await);
    [v4, v6].into_iter().flatten().filter(|reply| reply.is_authoritative).flat_map(|reply| reply.addresses).collect()
}
