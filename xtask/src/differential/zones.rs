//! Random zones in which everything meets: few labels, so that wildcards, empty non-terminals, cuts, aliases collide.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use nss_wire::{Name, NameBuf, RType};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// A zone and what queries about it are made of.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    /// Without the final dot.
    pub(crate) name: String,
    pub(crate) apex: NameBuf,
    /// Its records, each a line that needs no other; the SOA record is the first.
    pub(crate) lines: Vec<String>,
    /// Owners and targets, in no order.
    pub(crate) names: Vec<NameBuf>,
    /// What owners are put together of, and queries about them.
    pub(crate) labels: Vec<&'static str>,
    /// How the zone is signed before it is served.
    pub(crate) signing: Option<Signing>,
}

impl Zone {
    /// The zone file before it is signed.
    pub(crate) fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }
}

/// Who signs a zone, and how the names that it does not have are denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signing {
    pub(crate) signer: Signer,
    pub(crate) denial: Denial,
}

/// The programs that sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// `dnssec-signzone`.
    Bind,
    /// `kzonesign`.
    Knot,
    /// `ldns-signzone`.
    Ldns,
}

/// The records that deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    Nsec,
    Nsec3 {
        iterations: u16,
        /// Octets in hexadecimal, or nothing.
        salt: &'static str,
        /// Leaves out delegations without DS (RFC 5155 §6).
        opt_out: bool,
    },
}

/// Labels of all zones; `*` makes wildcards, the capital letters test that case does not matter.
pub(crate) const LABELS: [&str; 7] = ["a", "b", "C", "*", "ns", "www", "x"];

/// Labels of some zones, with octets that a host name cannot have, a dot and a quote among them.
///
/// Backslashes are not: NSD 4.6 takes a dot behind an escaped one for a part of the label.
const ODD_LABELS: [&str; 6] = ["\\000", "a\\.b", "\\255X", "\\\"q", "W\\032w", "_tcp"];

/// The most owners of a zone besides its apex: enough for collisions, small enough to read in a report.
const OWNERS_MAX: usize = 18;

const TTLS: [u32; 6] = [0, 60, 300, 3600, 7200, 86400];

/// Makes `count` zones; the same seed gives the same zones.
///
/// About every fifth zone comes with another one below a cut of it, so that a server holds both sides of a delegation.
pub(crate) fn generate(seed: u64, count: usize) -> Vec<Zone> {
    let mut zones: Vec<Zone> = Vec::with_capacity(count);
    let mut child: Option<NameBuf> = None;
    for index in 0..count {
        let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(index as u64));
        let apex = match child.take() {
            Some(cut) => cut,
            None => format!("z{index}.{}example", if rng.random_bool(0.3) { "deep.er." } else { "" })
                .parse()
                .expect("valid"),
        };
        let mut plan = Plan::new(apex.clone(), count, rng);
        plan.fill();
        if plan.rng.random_bool(0.2) {
            let cuts: Vec<&NameBuf> =
                plan.nodes.iter().filter(|(_, kind)| **kind == Kind::Cut).map(|(name, _)| name).collect();
            let cut = cuts.choose(&mut plan.rng).map(|cut| cut.as_name().to_lowercase());
            child = cut.filter(|cut| is_file_name(cut) && zones.iter().all(|zone| zone.apex != *cut));
        }
        let signing = signing(&mut plan.rng);
        let name = apex.to_string().trim_end_matches('.').to_ascii_lowercase();
        let Plan { lines, targets, labels, .. } = plan;
        zones.push(Zone { name, apex, lines, names: targets.into_iter().collect(), labels, signing });
    }
    zones
}

/// Apexes name files and stand in configurations of four syntaxes, so that they are kept plain.
fn is_file_name(apex: &NameBuf) -> bool {
    apex.as_name().labels().flatten().all(|octet| octet.is_ascii_alphanumeric())
}

fn signing(rng: &mut StdRng) -> Option<Signing> {
    let signer = *[Signer::Bind, Signer::Knot, Signer::Ldns].choose(rng).expect("not empty");
    let iterations = *[0, 0, 1, 5].choose(rng).expect("not empty");
    let salt = *["", "", "AB", "00112233445566778899"].choose(rng).expect("not empty");
    let denial = match rng.random_range(0..4) {
        0 => return None,
        1 => Denial::Nsec,
        2 => Denial::Nsec3 { iterations, salt, opt_out: false },
        _ => Denial::Nsec3 { iterations, salt, opt_out: true },
    };
    Some(Signing { signer, denial })
}

/// What an owner is for. Combinations that a peer refuses to load are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Cname,
    Dname,
    Cut,
}

/// A zone in the making.
struct Plan {
    apex: NameBuf,
    /// Zones of this run, as targets in another zone.
    count: usize,
    rng: StdRng,
    nodes: BTreeMap<NameBuf, Kind>,
    targets: BTreeSet<NameBuf>,
    labels: Vec<&'static str>,
    lines: Vec<String>,
}

impl Plan {
    fn new(apex: NameBuf, count: usize, mut rng: StdRng) -> Plan {
        let targets = BTreeSet::from([apex.clone()]);
        let mut labels = LABELS.to_vec();
        if rng.random_bool(0.4) {
            labels.extend(ODD_LABELS.sample(&mut rng, 2));
        }
        Plan { apex, count, rng, nodes: BTreeMap::new(), targets, labels, lines: Vec::new() }
    }

    fn fill(&mut self) {
        let (ttl, minimum) = (self.ttl(), self.ttl());
        let apex = self.apex.clone();
        let serial = self.rng.random_range(1..u32::MAX);
        self.line(&apex, ttl, "SOA", &format!("ns.example. hostmaster.example. {serial} 7200 3600 1209600 {minimum}"));
        // A DNAME at the apex leaves no room for other names (RFC 6672 §2.4).
        if self.rng.random_bool(0.04) {
            let (target, ttl) = (self.target(), self.ttl());
            self.line(&apex, ttl, "NS", "ns.example.net.");
            self.line(&apex, ttl, "DNAME", &target);
            return;
        }
        self.servers(&apex);
        self.data(&apex);
        for _ in 0..self.rng.random_range(3..=OWNERS_MAX) {
            let owner = self.owner();
            self.node(&owner);
        }
    }

    /// A name of one to three labels below the apex.
    fn owner(&mut self) -> NameBuf {
        let mut text = String::new();
        for _ in 0..self.rng.random_range(1..=3) {
            let _ = write!(text, "{}.", self.labels.choose(&mut self.rng).expect("not empty"));
        }
        format!("{text}{}", self.apex).parse().expect("short labels")
    }

    /// Gives an owner its records, if it can have any.
    fn node(&mut self, owner: &NameBuf) {
        if self.nodes.contains_key(owner) || *owner == self.apex {
            return;
        }
        let inside = |kind| self.nodes.iter().any(|(name, k)| *k == kind && owner.as_name().is_below(name.as_name()));
        // No peer but BIND loads names below a DNAME.
        if inside(Kind::Dname) {
            return;
        }
        let has_below = self.nodes.keys().any(|name| name.as_name().is_below(owner.as_name()));
        let wild = owner.as_name().labels().any(|label| label == b"*");
        let occluded = inside(Kind::Cut);
        let kind = match self.rng.random_range(0..100) {
            0..=17 => Kind::Cname,
            // Wildcards that alias or delegate subtrees have no agreed meaning (RFC 4592 §4.2, §4.4).
            18..=25 if !has_below && !wild && !occluded => Kind::Dname,
            26..=47 if !wild && !occluded => Kind::Cut,
            _ => Kind::Data,
        };
        self.nodes.insert(owner.clone(), kind);
        self.targets.insert(owner.clone());
        let ttl = self.ttl();
        match kind {
            Kind::Data => self.data(owner),
            Kind::Cname => {
                let target = self.target();
                self.line(owner, ttl, "CNAME", &target);
            }
            Kind::Dname => {
                let target = self.target();
                self.line(owner, ttl, "DNAME", &target);
                if self.rng.random_bool(0.3) {
                    self.data(owner);
                }
            }
            Kind::Cut => {
                self.servers(owner);
                if self.rng.random_bool(0.3) {
                    self.line(
                        owner,
                        ttl,
                        "DS",
                        "12345 13 2 49FD46E6C4B45C55D4AC69CBD3CD34AC1AFE51DE2C6F3A0E5A4C1D2E3F405162",
                    );
                }
                // Data at a cut besides NS and DS is occluded (RFC 2136 §7.18).
                if self.rng.random_bool(0.2) {
                    self.line(owner, ttl, "TXT", "\"occluded\"");
                }
            }
        }
    }

    /// One to three name servers: in-domain ones with glue, in the zone, or elsewhere.
    fn servers(&mut self, owner: &NameBuf) {
        let (ttl, count) = (self.ttl(), self.rng.random_range(1..=3));
        let mut seen = BTreeSet::new();
        for index in 0..count {
            let at_apex = *owner == self.apex;
            let server = match self.rng.random_range(0..5) {
                0 | 1 => format!("ns{index}.{owner}"),
                2 if !at_apex => format!("ns{index}.{}", self.apex),
                3 if !at_apex => self.sibling(owner),
                _ => format!("ns{}.example.net.", self.rng.random_range(1..4)),
            };
            if !seen.insert(server.clone()) {
                continue;
            }
            self.line(owner, ttl, "NS", &server);
            let host: NameBuf = server.parse().expect("short labels");
            let in_zone = host.as_name().is_at_or_below(self.apex.as_name());
            let taken = self.nodes.contains_key(&host);
            let below_dname = self.nodes.iter().any(|(n, k)| *k == Kind::Dname && host.as_name().is_below(n.as_name()));
            // A zone without addresses of its own servers is refused; one without glue below a cut is merely lame.
            let wanted = at_apex || self.rng.random_bool(0.85);
            if in_zone && !taken && !below_dname && wanted {
                self.nodes.insert(host.clone(), Kind::Data);
                self.addresses(&host);
            }
        }
    }

    /// A server below another cut, whose address is sibling glue (RFC 9471 §2.2), or elsewhere if there is no other cut.
    fn sibling(&mut self, owner: &NameBuf) -> String {
        let cuts: Vec<&NameBuf> = self
            .nodes
            .iter()
            .filter(|(name, kind)| **kind == Kind::Cut && *name != owner)
            .map(|(name, _)| name)
            .collect();
        cuts.choose(&mut self.rng).map_or("ns9.example.net.".to_owned(), |cut| format!("ns0.{cut}"))
    }

    fn addresses(&mut self, owner: &NameBuf) {
        self.targets.insert(owner.clone());
        let ttl = self.ttl();
        for _ in 0..self.rng.random_range(1..=2) {
            let address = format!("192.0.2.{}", self.rng.random_range(0..=255));
            self.line(owner, ttl, "A", &address);
        }
        if self.rng.random_bool(0.6) {
            let ttl = self.ttl();
            let address = format!("2001:db8::{:x}", self.rng.random_range(1..=0xffff));
            self.line(owner, ttl, "AAAA", &address);
        }
    }

    /// One to four RRsets of any kind.
    fn data(&mut self, owner: &NameBuf) {
        let mut types = BTreeSet::new();
        for _ in 0..self.rng.random_range(1..=4) {
            types.insert(self.rng.random_range(0..16));
        }
        for kind in types {
            let ttl = self.ttl();
            // Large RRsets meet the limits of a UDP message.
            let many = if self.rng.random_bool(0.06) { 30 } else { self.rng.random_range(1..=3) };
            // Knot may hang at large sets of names; few of them are enough to see that the others do not.
            let names = if many > 8 && !self.rng.random_bool(0.02) { 8 } else { many };
            match kind {
                0..=3 => self.addresses(owner),
                4 | 5 => self.many(owner, ttl, "MX", names, |plan, n| format!("{n} {}", plan.target())),
                6 => self.many(owner, ttl, "SRV", names, |plan, n| format!("{n} 0 53 {}", plan.target())),
                7 | 8 => self.many(owner, ttl, "TXT", many, |plan, n| {
                    format!("\"{n} {}\"", "long ".repeat(plan.rng.random_range(0..45)))
                }),
                9 => self.many(owner, ttl, "PTR", names, |plan, _| plan.target()),
                10 => self.many(owner, ttl, "CAA", many, |_, n| format!("0 issue \"ca{n}.example\"")),
                11 => self.many(owner, ttl, "TYPE65280", many, |_, n| format!("\\# 4 0102{n:04x}")),
                12 => {
                    self.many(owner, ttl, "NAPTR", names, |plan, n| {
                        format!("{n} 1 \"S\" \"x\" \"\" {}", plan.target())
                    });
                }
                13 => self.many(owner, ttl, "HINFO", many, |_, n| format!("\"cpu{n}\" \"os\"")),
                14 => self.many(owner, ttl, "TLSA", many, |_, n| format!("3 1 1 {:064x}", n + 1)),
                _ => self.many(owner, ttl, "SVCB", names, |plan, n| format!("{} {} port=53", n + 1, plan.target())),
            }
        }
    }

    fn many(&mut self, owner: &NameBuf, ttl: u32, rtype: &str, count: usize, rdata: fn(&mut Plan, usize) -> String) {
        let mut seen = BTreeSet::new();
        for index in 0..count {
            let data = rdata(self, index);
            if seen.insert(data.clone()) {
                self.line(owner, ttl, rtype, &data);
            }
        }
    }

    /// Something to point at: most often a name of this zone, there or not.
    fn target(&mut self) -> String {
        let known: Vec<&NameBuf> = self.nodes.keys().collect();
        let target = match self.rng.random_range(0..10) {
            0..=3 if !known.is_empty() => (*known.choose(&mut self.rng).expect("not empty")).clone(),
            0..=6 => self.owner(),
            7 => format!("{}.z{}.example", LABELS[0], self.rng.random_range(0..self.count)).parse().expect("valid"),
            8 => "elsewhere.example.net".parse().expect("valid"),
            _ => self.apex.clone(),
        };
        self.targets.insert(target.clone());
        target.to_string()
    }

    fn ttl(&mut self) -> u32 {
        *TTLS.choose(&mut self.rng).expect("not empty")
    }

    fn line(&mut self, owner: &NameBuf, ttl: u32, rtype: &str, rdata: &str) {
        self.lines.push(format!("{owner} {ttl} IN {rtype} {rdata}"));
    }
}

/// The types that queries ask for, common ones more than once.
pub(crate) const QTYPES: [RType; 37] = [
    RType::A,
    RType::A,
    RType::A,
    RType::A,
    RType::AAAA,
    RType::AAAA,
    RType::NS,
    RType::NS,
    RType::SOA,
    RType::MX,
    RType::MX,
    RType::TXT,
    RType::TXT,
    RType::CNAME,
    RType::CNAME,
    RType::DNAME,
    RType::DS,
    RType::DS,
    RType::SRV,
    RType::PTR,
    RType::CAA,
    RType::NAPTR,
    RType::HINFO,
    RType::TLSA,
    RType::SVCB,
    RType::ANY,
    RType::ANY,
    RType::RRSIG,
    RType::NSEC,
    RType::NSEC3,
    RType::DNSKEY,
    RType::NSEC3PARAM,
    RType::CDS,
    RType(65280),
    RType(65281),
    RType(3),
    RType(99),
];

/// Whether a name is worth asking: no longer than a name may be with another label in front.
pub(crate) fn has_room(name: Name<'_>) -> bool {
    name.wire_len() < 200
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        let texts = |seed| generate(seed, 20).into_iter().map(|zone| zone.text()).collect::<Vec<_>>();
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }

    #[test]
    fn zones_have_different_apexes_and_some_lie_below_another() {
        let zones = generate(7, 200);
        let apexes: BTreeSet<&NameBuf> = zones.iter().map(|zone| &zone.apex).collect();
        assert_eq!(apexes.len(), 200);
        let below = |zone: &Zone| apexes.iter().any(|apex| zone.apex.as_name().is_below(apex.as_name()));
        assert!(zones.iter().any(below));
    }
}
