//! The way down the tree to one name, zone by zone: whom to ask next, and where a reply leads.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use nss_wire::{Name, NameBuf, RType};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::address::AddressPolicy;
use crate::config::Limits;
use crate::cut::Sighting;
use crate::dnssec::{Chain, Keys};
use crate::evidence::NameServer;
use crate::opinion::{Opinion, is_same_host};

/// One name being walked to.
#[derive(Debug)]
pub(crate) struct Descent {
    pub(crate) purpose: Purpose,
    /// The name walked to: the domain, or a name server.
    pub(crate) target: NameBuf,
    /// Nested look-ups above this one; 0 for the domain.
    pub(crate) depth: u8,
    /// The zone whose servers are being asked.
    pub(crate) zone: NameBuf,
    /// What is known of its signatures.
    pub(crate) chain: Chain,
    servers: Vec<Server>,
    /// How many servers the zone had that could be asked when it was entered.
    pub(crate) hosts: usize,
    pub(crate) qtype: RType,
    /// Labels of `target` that are asked for.
    ///
    /// On the way to the domain each zone is asked one label further (RFC 9156), so that no cut stays unseen, not
    /// even between zones that the same servers serve.
    labels: usize,
    /// Counts the questions, so that a late reply to an earlier one is known as such.
    pub(crate) question: u32,
    /// Addresses asked the present question: settled, or on their way.
    asked: Vec<IpAddr>,
    /// Addresses asked anything in this zone.
    standing: BTreeMap<IpAddr, Standing>,
    pub(crate) in_flight: usize,
    /// The look-up that has to end before more addresses are known, and the server it is for.
    pub(crate) waiting: Option<Waiting>,
    referrals: usize,
    pub(crate) opinions: Vec<Opinion>,
    /// The cuts above the target that servers showed when they were asked the present question.
    pub(crate) sightings: Vec<Sighting>,
    /// Addresses found, when that is the purpose.
    pub(crate) found: Vec<IpAddr>,
    pub(crate) is_done: bool,
}

/// What a descent is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What does the parent say about the domain?
    Delegation,
    /// Which addresses has a name server?
    Addresses,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// Index of the descent that is waited for.
    pub(crate) descent: usize,
    /// Index of the server that gets the addresses.
    server: usize,
}

/// A server of the zone that is being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// `None` for a root hint.
    pub(crate) name: Option<NameBuf>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Whether its addresses may still be looked up.
    may_look_up: bool,
}

/// How an address has behaved in this zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It let us wait so many times.
    Waited(u8),
    /// It cannot be reached or gives no usable answers.
    Useless,
}

/// An address to ask.
pub(crate) struct Candidate {
    pub(crate) address: IpAddr,
    pub(crate) name: Option<NameBuf>,
    /// How often it let us wait before.
    pub(crate) timeouts: u8,
}

/// A referral too many.
pub(crate) struct TooDeep;

impl Descent {
    /// A descent that begins at `zone`, which has to be at or above `target`.
    pub(crate) fn new(
        purpose: Purpose,
        target: NameBuf,
        depth: u8,
        zone: NameBuf,
        servers: Vec<Server>,
        chain: Chain,
    ) -> Descent {
        let mut descent = Descent {
            purpose,
            target,
            depth,
            zone: zone.clone(),
            chain: Chain::Unchecked,
            servers: Vec::new(),
            hosts: 0,
            qtype: RType::A,
            labels: 0,
            question: 0,
            asked: Vec::new(),
            standing: BTreeMap::new(),
            in_flight: 0,
            waiting: None,
            referrals: 0,
            opinions: Vec::new(),
            sightings: Vec::new(),
            found: Vec::new(),
            is_done: false,
        };
        descent.begin(zone, servers, chain);
        descent
    }

    /// The name in question.
    pub(crate) fn qname(&self) -> Name<'_> {
        self.target.as_name().suffix(self.labels).expect("no more labels are asked for than the name has")
    }

    /// Whether the question is about the target itself.
    pub(crate) fn is_at_target(&self) -> bool {
        self.labels == self.target.as_name().label_count()
    }

    /// Follows a referral to `zone`, which is below the present one.
    pub(crate) fn enter(
        &mut self,
        zone: NameBuf,
        servers: Vec<Server>,
        chain: Chain,
        limits: &Limits,
    ) -> Result<(), TooDeep> {
        self.referrals += 1;
        if self.referrals > limits.referrals_max {
            return Err(TooDeep);
        }
        self.begin(zone, servers, chain);
        Ok(())
    }

    fn begin(&mut self, zone: NameBuf, servers: Vec<Server>, chain: Chain) {
        let target_labels = self.target.as_name().label_count();
        let zone_labels = zone.as_name().label_count();
        (self.labels, self.qtype) = match (self.purpose, &chain) {
            (Purpose::Delegation, Chain::Entry(_)) => (zone_labels, RType::DNSKEY),
            (Purpose::Delegation, _) => (target_labels.min(zone_labels + 1), RType::NS),
            (Purpose::Addresses, _) => (target_labels, RType::A),
        };
        self.chain = chain;
        self.zone = zone;
        self.hosts = hosts(&servers);
        self.servers = servers;
        self.standing.clear();
        self.opinions.clear();
        self.waiting = None;
        self.next_question();
    }

    /// Takes the keys of the zone, and asks its servers what the descent is for.
    pub(crate) fn admit(&mut self, keys: Arc<Keys>) {
        self.chain = Chain::Secure(keys);
        self.qtype = RType::NS;
        self.ask_further();
    }

    /// Asks the same servers one label further.
    pub(crate) fn ask_further(&mut self) {
        self.labels += 1;
        self.next_question();
    }

    /// Asks the same servers for the whole name.
    pub(crate) fn ask_for_target(&mut self) {
        self.labels = self.target.as_name().label_count();
        self.next_question();
    }

    /// Asks the same servers for another type.
    pub(crate) fn ask_type(&mut self, qtype: RType) {
        self.qtype = qtype;
        self.next_question();
    }

    fn next_question(&mut self) {
        self.question += 1;
        self.asked.clear();
        self.sightings.clear();
        self.in_flight = 0;
    }

    /// The address to ask next, marked as asked: servers that gave no opinion before others, then those that never let us wait.
    pub(crate) fn next_address(&mut self, limits: &Limits) -> Option<Candidate> {
        let all = self.servers.iter().enumerate().flat_map(|(order, server)| {
            server.addresses.iter().enumerate().map(move |(rank, &address)| (order, rank, address))
        });
        let usable = all.filter_map(|(order, rank, address)| {
            let is_known = self.standing.contains_key(&address);
            let may_be_asked = is_known || self.standing.len() < limits.addresses_per_zone_max;
            let timeouts = match self.standing.get(&address) {
                Some(Standing::Useless) => return None,
                Some(&Standing::Waited(times)) => times,
                None => 0,
            };
            if self.asked.contains(&address) || timeouts > limits.retries_max || !may_be_asked {
                return None;
            }
            let name = &self.servers[order].name;
            let mut spoken = self.opinions.iter().map(|opinion| &opinion.server_name);
            let mut shown = self.sightings.iter().map(|sighting| &sighting.server_name);
            let has_spoken = name.is_some() && (spoken.any(|other| other == name) || shown.any(|other| other == name));
            Some(((timeouts, has_spoken, rank, order), address))
        });
        let ((timeouts, _, _, order), address) = usable.min()?;
        self.asked.push(address);
        self.standing.entry(address).or_insert(Standing::Waited(timeouts));
        self.in_flight += 1;
        Some(Candidate { address, name: self.servers[order].name.clone(), timeouts })
    }

    /// The next server whose addresses are not known and may be looked up.
    pub(crate) fn next_unknown(&mut self) -> Option<(usize, NameBuf)> {
        let (at, server) = self.servers.iter_mut().enumerate().find(|(_, server)| server.may_look_up)?;
        server.may_look_up = false;
        Some((at, server.name.clone()?))
    }

    /// Waits for the look-up of the addresses of the server at `server`.
    pub(crate) fn wait_for(&mut self, descent: usize, server: usize) {
        self.waiting = Some(Waiting { descent, server });
    }

    /// Takes the addresses that were waited for.
    pub(crate) fn resume(&mut self, addresses: &[IpAddr]) {
        let Some(waiting) = self.waiting.take() else { return };
        if let Some(server) = self.servers.get_mut(waiting.server) {
            server.addresses = addresses.to_vec();
        }
    }

    /// Whether the question is the first that the zone's servers are asked on the way.
    pub(crate) fn is_first_question(&self) -> bool {
        self.qtype == RType::NS && self.labels == self.zone.as_name().label_count() + 1
    }

    /// Takes an opinion in the place of what the same server said before.
    pub(crate) fn hold(&mut self, opinion: Opinion) {
        self.opinions
            .retain(|other| !is_same_host((other.server, &other.server_name), (opinion.server, &opinion.server_name)));
        self.opinions.push(opinion);
    }

    /// The address let us wait in vain: it is asked again when nobody else is left.
    pub(crate) fn timed_out(&mut self, address: IpAddr) {
        self.asked.retain(|&asked| asked != address);
        let times = match self.standing.get(&address) {
            Some(&Standing::Waited(times)) => Standing::Waited(times.saturating_add(1)),
            Some(Standing::Useless) => Standing::Useless,
            None => Standing::Waited(1),
        };
        self.standing.insert(address, times);
    }

    /// The address is not asked again in this zone.
    pub(crate) fn give_up(&mut self, address: IpAddr) {
        self.standing.insert(address, Standing::Useless);
    }
}

impl Server {
    /// A root hint.
    pub(crate) fn hint(address: IpAddr) -> Server {
        Server { name: None, addresses: vec![address], may_look_up: false }
    }

    /// A server of `zone` as a referral names it.
    pub(crate) fn of(zone: Name<'_>, server: &NameServer, policy: AddressPolicy) -> Server {
        let addresses = server.addresses.iter().copied().filter(|&address| policy.permits(address));
        // A name below its own zone can be found with glue only (RFC 9471 §2).
        let may_look_up = server.addresses.is_empty() && !server.name.as_name().is_at_or_below(zone);
        let mut addresses: Vec<IpAddr> = addresses.collect();
        // Hosts without IPv6 are more frequent than hosts without IPv4; both fail at once and cost little.
        addresses.sort_by_key(IpAddr::is_ipv6);
        Server { name: Some(server.name.clone()), addresses, may_look_up }
    }
}

/// How many servers there are to ask: names at one address are one.
fn hosts(servers: &[Server]) -> usize {
    let known = servers.iter().filter(|server| !server.addresses.is_empty()).count();
    let unknown = servers.iter().filter(|server| server.addresses.is_empty() && server.may_look_up).count();
    let addresses: BTreeSet<IpAddr> = servers.iter().flat_map(|server| server.addresses.iter().copied()).collect();
    known.min(addresses.len()) + unknown
}

/// Spreads the load over the servers; IPv4 hints first, for they are all of rank 0.
pub(crate) fn shuffle(servers: &mut [Server], rng: &mut StdRng) {
    servers.shuffle(rng);
    servers.sort_by_key(|server| server.addresses.first().is_some_and(IpAddr::is_ipv6));
}
