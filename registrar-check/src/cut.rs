//! A cut on the way to the domain: what single servers of the zone above it show, and what they show together.

use std::net::{IpAddr, SocketAddr};

use nss_wire::NameBuf;

use crate::dnssec::Chain;
use crate::evidence::NameServer;
use crate::opinion::{Opinion, is_same_host};
use crate::verdict::Unknown;

/// A cut as one server shows it.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    pub(crate) server: SocketAddr,
    pub(crate) server_name: Option<NameBuf>,
    pub(crate) zone: NameBuf,
    /// In canonical order.
    pub(crate) name_servers: Vec<NameServer>,
    /// What is proven of the zone below.
    pub(crate) chain: Chain,
}

/// A cut that is followed.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) zone: NameBuf,
    pub(crate) name_servers: Vec<NameServer>,
    pub(crate) chain: Chain,
}

impl Sighting {
    /// Whether both show the same NS set at the same name.
    fn agrees<'s>(&'s self, other: &'s Sighting) -> bool {
        let names = |sighting: &'s Sighting| sighting.name_servers.iter().map(|server| &server.name);
        self.zone == other.zone && names(self).eq(names(other))
    }
}

/// Takes a sighting in the place of what the same host showed before.
pub(crate) fn hold(sightings: &mut Vec<Sighting>, sighting: Sighting) {
    sightings
        .retain(|other| !is_same_host((other.server, &other.server_name), (sighting.server, &sighting.server_name)));
    sightings.push(sighting);
}

/// How many show the same, of the cut that most of them show.
pub(crate) fn most_alike(sightings: &[Sighting]) -> usize {
    sightings.iter().map(|sighting| alike(sightings, sighting).count()).max().unwrap_or(0)
}

/// The cut that as many servers as needed show alike, with the addresses that as many give.
///
/// `None` as well when no server of the zone could be found by these: what one server alone says of an address that only the
/// parent can tell is what it would say to lead the walk astray.
pub(crate) fn agreed(sightings: &[Sighting], needed: usize) -> Option<Cut> {
    sightings.iter().find_map(|first| {
        let group: Vec<&Sighting> = alike(sightings, first).collect();
        if group.len() < needed {
            return None;
        }
        let given = |at: usize, address: &IpAddr| {
            group.iter().filter(|other| other.name_servers[at].addresses.contains(address)).count()
        };
        let mut name_servers = first.name_servers.clone();
        for (at, server) in name_servers.iter_mut().enumerate() {
            let all = group.iter().flat_map(|other| &other.name_servers[at].addresses);
            server.addresses = all.filter(|address| given(at, address) >= needed).copied().collect();
            server.addresses.sort();
            server.addresses.dedup();
        }
        let can_be_found = |server: &NameServer| {
            !server.addresses.is_empty() || !server.name.as_name().is_at_or_below(first.zone.as_name())
        };
        let had_addresses =
            group.iter().any(|other| other.name_servers.iter().any(|server| !server.addresses.is_empty()));
        if had_addresses && !name_servers.iter().any(can_be_found) {
            return None;
        }
        // Who shows that the zone below is signed is right, whatever others prove that was true once.
        let signed = group.iter().find(|other| matches!(other.chain, Chain::Entry(_) | Chain::Secure(_)));
        let chain = signed.unwrap_or(&first).chain.clone();
        Some(Cut { zone: first.zone.clone(), name_servers, chain })
    })
}

/// Why no cut was agreed on, when nobody else can be asked and somebody showed one; `None` when nobody did.
pub(crate) fn failed(zone: &NameBuf, sightings: &[Sighting], opinions: &[Opinion], needed: usize) -> Option<Unknown> {
    let (first, others) = sightings.split_first()?;
    let zone = zone.clone();
    let other = others.iter().find(|other| !other.agrees(first)).map(|other| other.server);
    let other = other.or(opinions.first().map(|opinion| opinion.server));
    // Those that agree on the names alone do not on the addresses.
    let other = other.or(others.first().map(|other| other.server).filter(|_| sightings.len() >= needed));
    Some(match other {
        Some(other) => Unknown::Disagreement { parent: zone, servers: [first.server, other] },
        None => Unknown::TooFewServers { parent: zone, answered: sightings.len(), needed },
    })
}

/// Those that show the same as `first`, itself included.
fn alike<'s>(sightings: &'s [Sighting], first: &'s Sighting) -> impl Iterator<Item = &'s Sighting> {
    sightings.iter().filter(|other| other.agrees(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That the server `at` of com. shows co.com. with these servers, each with its addresses.
    fn sighting(at: u8, server_name: Option<&str>, servers: &[&str]) -> Sighting {
        let server = |text: &&str| {
            let mut words = text.split(' ');
            let name = words.next().unwrap().parse().unwrap();
            NameServer { name, addresses: words.map(|word| word.parse().unwrap()).collect() }
        };
        Sighting {
            server: SocketAddr::from(([192, 0, 2, at], 53)),
            server_name: server_name.map(|text| text.parse().unwrap()),
            zone: "co.com".parse().unwrap(),
            name_servers: servers.iter().map(server).collect(),
            chain: Chain::Unchecked,
        }
    }

    fn addresses(sightings: &[Sighting], needed: usize) -> Option<Vec<Vec<String>>> {
        let cut = agreed(sightings, needed)?;
        let of = |server: &NameServer| server.addresses.iter().map(ToString::to_string).collect();
        Some(cut.name_servers.iter().map(of).collect())
    }

    #[test]
    fn as_many_as_are_needed_have_to_show_the_same_name_servers() {
        let right = |at| sighting(at, None, &["a.nic.com 192.0.2.11"]);
        let wrong = |at| sighting(at, None, &["ns.evil.example"]);
        assert!(agreed(&[right(1)], 1).is_some());
        assert!(agreed(&[right(1)], 2).is_none());
        assert!(agreed(&[wrong(2), right(1)], 2).is_none());
        assert_eq!(most_alike(&[wrong(2), right(1)]), 1);
        assert_eq!(addresses(&[wrong(2), right(1), right(3)], 2), Some(vec![vec!["192.0.2.11".to_owned()]]));
        assert_eq!(most_alike(&[wrong(2), right(1), right(3)]), 2);
    }

    #[test]
    fn addresses_count_that_as_many_give() {
        let full = sighting(1, None, &["ns1.co.com 192.0.2.21 192.0.2.22", "ns2.co.com 192.0.2.23"]);
        let less = sighting(2, None, &["ns1.co.com 192.0.2.21", "ns2.co.com"]);
        let lie = sighting(3, None, &["ns1.co.com 192.0.2.66", "ns2.co.com 192.0.2.66"]);
        let kept = Some(vec![vec!["192.0.2.21".to_owned()], Vec::new()]);
        assert_eq!(addresses(&[full.clone(), less.clone()], 2), kept);
        assert_eq!(addresses(&[full.clone(), lie.clone()], 2), None, "nothing is left to ask");
        assert_eq!(addresses(&[full, lie, less], 2), kept);
        // Names elsewhere can be looked up.
        let [honest, lie] = [(1, "192.0.2.21"), (2, "192.0.2.66")]
            .map(|(at, address)| sighting(at, None, &[&*format!("ns.example.net {address}")]));
        assert_eq!(addresses(&[honest, lie], 2), Some(vec![Vec::new()]));
    }

    #[test]
    fn two_addresses_of_one_host_are_one_voice() {
        let mut sightings = Vec::new();
        for at in [1, 2] {
            hold(&mut sightings, sighting(at, Some("a.nic.com"), &["a.nic.com 192.0.2.11"]));
        }
        assert_eq!(sightings.len(), 1);
        hold(&mut sightings, sighting(3, Some("b.nic.com"), &["a.nic.com 192.0.2.11"]));
        assert_eq!(most_alike(&sightings), 2);
    }
}
