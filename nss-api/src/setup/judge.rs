//! What is right and what is wrong with a zone that holds names of our servers, by what was seen of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use nss_registrar_check::AddressPolicy;
use nss_wire::NameBuf;
use nss_wire::message::Rcode;

use super::finding::Finding;
use super::probe::{Host, Probe};
use super::question::{Reply, Silence, Transport};
use super::world::Cut;

/// What was seen of a zone, and what is known of how it should be.
pub(super) struct Sight<'s> {
    pub(super) cut: &'s Cut,
    /// Those of our names that are in the zone.
    pub(super) ours: &'s [NameBuf],
    pub(super) probes: &'s [Probe],
    /// Addresses that the operator calls ours; empty when that was not said.
    pub(super) addresses: &'s [IpAddr],
    pub(super) policy: AddressPolicy,
    /// Whether names with labels of keys count at all.
    pub(super) needs_labels: bool,
    /// A zone that was uploaded here.
    pub(super) hosted: Option<&'s NameBuf>,
}

impl Sight<'_> {
    /// All there is to say.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![self.delegation()];
        findings.extend(self.probes.iter().flat_map(|probe| self.server(probe)));
        findings.extend(self.serials());
        findings.extend(self.own_name_servers());
        for name in self.hosts() {
            findings.extend(self.host(&name));
        }
        findings
    }

    /// Our names in the zone, and names of its servers in it: the parent gives the addresses of those.
    fn hosts(&self) -> BTreeSet<NameBuf> {
        self.probes.iter().flat_map(|probe| probe.hosts.keys().cloned()).chain(self.ours.iter().cloned()).collect()
    }

    fn delegation(&self) -> Finding {
        let delegation = &self.cut.delegation;
        if self.cut.is_hidden {
            return Finding::advice(
                &delegation.zone,
                format!("the servers of {} serve it as well, which hides the delegation", delegation.parent),
                "look at the delegation in the zone above by hand",
            );
        }
        Finding::ok(&delegation.zone, delegation.to_string())
    }

    /// Whether an address answers for the zone, over UDP and TCP, and for what was uploaded.
    fn server(&self, probe: &Probe) -> Vec<Finding> {
        let zone = &self.cut.delegation.zone;
        let mut findings = Vec::new();
        let mut serials = BTreeSet::new();
        for (transport, reply) in [(Transport::Udp, &probe.udp), (Transport::Tcp, &probe.tcp)] {
            match self.answer(probe.address, transport, reply) {
                Ok(serial) => _ = serials.insert(serial),
                Err(finding) => findings.push(finding),
            }
        }
        if let (true, Some(serial)) = (findings.is_empty(), serials.first()) {
            let says = format!("answers for {zone} over UDP and TCP with serial {serial}");
            findings.push(Finding::ok(&probe.address, says));
        }
        if let (Some(hosted), Some(reply)) = (self.hosted, &probe.hosted) {
            let is_served = reply.as_ref().is_ok_and(|reply| reply.is_authoritative && reply.serial.is_some());
            if !is_served && self.is_one_of_ours(probe.address) {
                findings.push(Finding::wrong(
                    &probe.address,
                    format!("does not answer for {hosted}, which was uploaded here"),
                    "have it run this nssd, or transfer every hosted zone from it",
                ));
            }
        }
        findings
    }

    /// Whether an address is one of a name of ours, and not of another server of the zone.
    fn is_one_of_ours(&self, address: IpAddr) -> bool {
        self.ours.iter().any(|name| self.served(name).contains(&address))
    }

    fn answer(&self, address: IpAddr, transport: Transport, reply: &Result<Reply, Silence>) -> Result<u32, Finding> {
        let zone = &self.cut.delegation.zone;
        let over = match transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        };
        match reply {
            Ok(Reply { is_authoritative: true, serial: Some(serial), .. }) => Ok(*serial),
            Ok(reply) => {
                let how =
                    if reply.rcode == Rcode::NOERROR { "without authority".into() } else { reply.rcode.to_string() };
                Err(Finding::wrong(
                    &address,
                    format!("does not answer for {zone} over {over} ({how})"),
                    format!("have the server there serve {zone}, or take the address out of the zone and its parent"),
                ))
            }
            Err(Silence::NoAnswer) => Err(Finding::wrong(
                &address,
                format!("does not answer over {over}"),
                format!("look whether nssd listens there, and whether a firewall lets {over} port 53 through"),
            )),
            Err(Silence::Garbled) => Err(Finding::wrong(
                &address,
                format!("answers over {over} with what is no DNS message"),
                "look what listens there",
            )),
            Err(Silence::NoPath) => Err(Finding::unknown(
                &address,
                format!("cannot be reached from this machine over {over}"),
                "run this where there is a way to it: resolvers may reach it all the same",
            )),
        }
    }

    fn serials(&self) -> Option<Finding> {
        let mut serials = BTreeMap::<u32, BTreeSet<IpAddr>>::new();
        for probe in self.probes {
            for reply in [&probe.udp, &probe.tcp].into_iter().flatten().filter(|reply| reply.is_authoritative) {
                if let Some(serial) = reply.serial {
                    serials.entry(serial).or_default().insert(probe.address);
                }
            }
        }
        if serials.len() < 2 {
            return None;
        }
        let list: Vec<String> = serials.iter().map(|(serial, at)| format!("{serial} at {}", list(at))).collect();
        Some(Finding::wrong(
            &self.cut.delegation.zone,
            format!("its servers have different versions: serial {}", list.join(", serial ")),
            "reload or transfer the zone where it is out of date",
        ))
    }

    /// Whether the zone names the same servers as its parent.
    fn own_name_servers(&self) -> Option<Finding> {
        let delegation = &self.cut.delegation;
        let at_parent: BTreeSet<&NameBuf> = delegation.name_servers.iter().map(|server| &server.name).collect();
        let own = self.probes.iter().find(|probe| !probe.name_servers.is_empty())?;
        let own: BTreeSet<&NameBuf> = own.name_servers.iter().collect();
        if own == at_parent {
            return None;
        }
        let names = |a: &BTreeSet<&NameBuf>, b: &BTreeSet<&NameBuf>| {
            let names: Vec<String> = a.difference(b).map(|name| name.to_string()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        Some(Finding::advice(
            &delegation.zone,
            format!(
                "its own NS records and those of {} differ: only the zone has {}, only its parent has {}",
                delegation.parent,
                names(&own, &at_parent),
                names(&at_parent, &own)
            ),
            "make both the same",
        ))
    }

    /// The addresses that the zone has of a host.
    fn served(&self, name: &NameBuf) -> BTreeSet<IpAddr> {
        self.answers(name).flat_map(|(_, host)| host.plain.iter().copied()).collect()
    }

    /// What each server that answers for the zone says of a host.
    fn answers<'h>(&'h self, name: &'h NameBuf) -> impl Iterator<Item = (IpAddr, &'h Host)> {
        self.probes.iter().filter_map(move |probe| Some((probe.address, probe.hosts.get(name)?)))
    }

    fn host(&self, name: &NameBuf) -> Vec<Finding> {
        let is_ours = self.ours.contains(name);
        let served = self.served(name);
        if self.answers(name).next().is_none() {
            let says = format!("no server of {} says what its addresses are", self.cut.delegation.zone);
            return vec![Finding::wrong(name, says, "mend those servers first, then look again")];
        }
        if served.is_empty() {
            let remedy = format!("add {name} A and {name} AAAA records to {}", self.cut.delegation.zone);
            return vec![Finding::wrong(name, "has no addresses", remedy)];
        }
        let mut findings = vec![Finding::ok(name, format!("has the address {}", list(&served)))];
        if let Some((at, host)) = self.answers(name).find(|(_, host)| host.plain != served) {
            let says = format!("has other addresses at {at}: {}", list(&host.plain));
            findings.push(Finding::wrong(name, says, "serve the same version of the zone everywhere"));
        }
        findings.extend(self.glue(name, &served));
        if is_ours {
            findings.extend(self.addresses_of_ours(name, &served));
            findings.extend(families(name, &served));
            findings.extend(self.wildcard(name, &served));
        }
        findings
    }

    fn addresses_of_ours(&self, name: &NameBuf, served: &BTreeSet<IpAddr>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let private: BTreeSet<IpAddr> =
            served.iter().copied().filter(|&address| !self.policy.permits(address)).collect();
        if !private.is_empty() {
            let says = format!("nobody outside can reach {}", list(&private));
            findings.push(Finding::wrong(name, says, "enter addresses of the Internet"));
        }
        let others: BTreeSet<IpAddr> =
            served.iter().copied().filter(|address| !self.addresses.contains(address)).collect();
        if !self.addresses.is_empty() && !others.is_empty() {
            let says = format!("has addresses that were not named as ours: {}", list(&others));
            findings.push(Finding::wrong(name, says, "remove them from the zone, or name them with --address"));
        }
        findings
    }

    /// Whether the parent gives the addresses that the zone has (RFC 9471 §3 wants those of names in the zone).
    fn glue(&self, name: &NameBuf, served: &BTreeSet<IpAddr>) -> Vec<Finding> {
        let delegation = &self.cut.delegation;
        let server = delegation.name_servers.iter().find(|server| server.name == *name);
        let Some(server) = server.filter(|_| !self.cut.is_hidden) else { return Vec::new() };
        let parent = &delegation.parent;
        let glue: BTreeSet<IpAddr> = server.addresses.iter().copied().collect();
        if glue.is_empty() {
            let says = format!("{parent} has no glue for it");
            return vec![Finding::wrong(name, says, format!("enter {} as its address at the registrar", list(served)))];
        }
        let others: BTreeSet<IpAddr> = glue.difference(served).copied().collect();
        let missing: BTreeSet<IpAddr> = served.difference(&glue).copied().collect();
        if !others.is_empty() {
            let says = format!("the glue in {parent} has {}, which the zone does not have", list(&others));
            return vec![Finding::wrong(name, says, format!("enter {} at the registrar in its place", list(served)))];
        }
        if !missing.is_empty() {
            let says = format!("the glue in {parent} lacks {}", list(&missing));
            return vec![Finding::advice(name, says, "enter that at the registrar, too")];
        }
        vec![Finding::ok(name, format!("the glue in {parent} is right"))]
    }

    /// Whether names with the label of a key in front have the same addresses.
    fn wildcard(&self, name: &NameBuf, served: &BTreeSet<IpAddr>) -> Option<Finding> {
        let below: BTreeSet<IpAddr> = self.answers(name).flat_map(|(_, host)| host.below.iter().copied()).collect();
        let lacking = self.answers(name).find(|(_, host)| host.below != *served);
        let Some((at, host)) = lacking else {
            let says = format!("names with the label of a key in front have the address {}", list(&below));
            return Some(Finding::ok(name, says));
        };
        let records: Vec<String> =
            served.iter().map(|address| format!("*.{name} {} {address}", kind(address))).collect();
        let remedy = format!("add {} to {}", records.join(" and "), self.cut.delegation.zone);
        let says = match host.below.is_empty() {
            true => format!("names with the label of a key in front have no address at {at}"),
            false => {
                format!("names with the label of a key in front have other addresses at {at}: {}", list(&host.below))
            }
        };
        Some(match self.needs_labels {
            true => Finding::wrong(name, says, remedy),
            false => Finding::advice(name, says, remedy),
        })
    }
}

/// Whether a host can be reached in both address families.
fn families(name: &NameBuf, served: &BTreeSet<IpAddr>) -> Option<Finding> {
    let has = |is_kind: fn(&IpAddr) -> bool| served.iter().any(is_kind);
    match (has(IpAddr::is_ipv4), has(IpAddr::is_ipv6)) {
        (true, true) => None,
        (true, false) => Some(Finding::advice(
            name,
            "has no IPv6 address, and resolvers without IPv4 do not reach it",
            format!("add an AAAA record of {name} and of *.{name}, and enter it at the registrar as glue"),
        )),
        (false, _) => Some(Finding::wrong(
            name,
            "has no IPv4 address, and many resolvers have no IPv6",
            format!("add an A record of {name} and of *.{name}, and enter it at the registrar as glue"),
        )),
    }
}

/// Whether all addresses of our servers would be gone with one network.
pub(super) fn networks(addresses: &BTreeSet<IpAddr>) -> Finding {
    let networks: BTreeSet<IpAddr> = addresses.iter().map(|&address| network(address)).collect();
    if networks.len() < 2 {
        return Finding::advice(
            "networks",
            "all name servers are in one network, and gone with it",
            "have one in another network and another building (RFC 2182 §3.1)",
        );
    }
    Finding::ok("networks", format!("the name servers are in {} networks", networks.len()))
}

/// What is routed as a whole: a /24 of IPv4, a /48 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & !0xff).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 80 << 80).into()),
    }
}

/// Whether this machine's clock agrees with those of others, all in seconds since 1970.
pub(super) fn clock(now: u64, others: &[u32], newest_upload: Option<u64>) -> Finding {
    const REMEDY: &str = "set it, and have NTP keep it: signatures, quotas and the checks at the parents go by it";
    if let Some(uploaded) = newest_upload.filter(|uploaded| *uploaded > now + CLOCK_DIFFERENCE_MAX) {
        return Finding::wrong("clock", format!("it is {} s before the last upload", uploaded - now), REMEDY);
    }
    // Times in cookies are modulo 2^32 (RFC 9018 §4.3): the difference is what counts.
    let mut differences: Vec<i32> = others.iter().map(|other| (now as u32).wrapping_sub(*other) as i32).collect();
    differences.sort();
    let Some(&middle) = differences.get(differences.len() / 2) else {
        let says = "no server of a parent zone told the time, so that nothing can be said of this machine's";
        return Finding::advice("clock", says, "look whether NTP keeps it");
    };
    let (size, side) = (middle.unsigned_abs(), if middle < 0 { "behind" } else { "ahead" });
    if u64::from(size) > CLOCK_DIFFERENCE_MAX {
        return Finding::wrong("clock", format!("it is {size} s {side} of the parents' name servers"), REMEDY);
    }
    Finding::ok("clock", format!("it differs by {size} s from those of {} name servers of the parents", others.len()))
}

fn kind(address: &IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}

fn list(addresses: &BTreeSet<IpAddr>) -> String {
    if addresses.is_empty() {
        return "none".to_owned();
    }
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

/// Seconds: cookies of servers that share a secret are good for five minutes into the future (RFC 9018 §4.3).
const CLOCK_DIFFERENCE_MAX: u64 = 300;

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_clock_is_right_within_five_minutes_of_most_others() {
        const NOW: u64 = 1_800_000_000;
        let at = |difference: i64| (NOW as i64 + difference) as u32;
        for (others, level) in [
            (&[0, 1, -2][..], Level::Ok),
            (&[300], Level::Ok),
            (&[301], Level::Wrong),
            (&[-301], Level::Wrong),
            (&[0, 0, 10_000], Level::Ok),
            (&[10_000, 10_000, 0], Level::Wrong),
            (&[], Level::Advice),
        ] {
            let others: Vec<u32> = others.iter().map(|&difference| at(difference)).collect();
            assert_eq!(clock(NOW, &others, Some(NOW)).level, level, "{others:?}");
        }
        assert!(clock(NOW, &[at(400)], None).says.contains("400 s behind"));
        assert!(clock(NOW, &[at(-400)], None).says.contains("400 s ahead"));
        assert_eq!(clock(NOW, &[at(0)], Some(NOW + 301)).level, Level::Wrong, "an upload in the future");
        assert_eq!(clock((1 << 32) + 5, &[u32::MAX], None).level, Level::Ok, "times in cookies begin anew in 2106");
    }

    #[test]
    fn two_networks_are_better_than_one() {
        assert_eq!(networks(&addresses(&["192.0.2.1", "192.0.2.2"])).level, Level::Advice);
        assert_eq!(networks(&addresses(&["192.0.2.1", "198.51.100.1"])).level, Level::Ok);
        assert_eq!(networks(&addresses(&["2001:db8:0:1::1", "2001:db8:0:2::1"])).level, Level::Advice);
        assert_eq!(networks(&addresses(&["2001:db8:1::1", "2001:db8:2::1"])).level, Level::Ok);
    }
}
