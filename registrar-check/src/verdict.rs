//! What the parent says about a name, and what that means for our name servers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use nss_wire::{Name, NameBuf, RType};

use crate::dnssec::Security;
use crate::evidence::{Evidence, NameServer, write_list};

/// Is the name delegated to us?
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one value a check, matched by callers")]
pub enum Verdict {
    /// The parent delegates the name, and to our name servers.
    Delegated {
        /// The delegation as the parent's servers give it.
        delegation: Delegation,
        /// Who said so.
        evidence: Evidence,
    },
    /// The parent's servers agree, and it is not so.
    NotDelegated {
        /// Why not.
        reason: NotDelegated,
        /// Who said so.
        evidence: Evidence,
    },
    /// It could not be found out. This is never a "no".
    Unknown {
        /// Why.
        reason: Unknown,
        /// Who was asked.
        evidence: Evidence,
    },
}

impl Verdict {
    /// Who was asked and what they said.
    pub fn evidence(&self) -> &Evidence {
        match self {
            Verdict::Delegated { evidence, .. }
            | Verdict::NotDelegated { evidence, .. }
            | Verdict::Unknown { evidence, .. } => evidence,
        }
    }
}

impl fmt::Display for Verdict {
    /// One sentence; the evidence is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Delegated { delegation, .. } => write!(f, "{delegation}"),
            Verdict::NotDelegated { reason, .. } => write!(f, "{reason}"),
            Verdict::Unknown { reason, .. } => write!(f, "could not find out: {reason}"),
        }
    }
}

/// A delegation as the parent's servers give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The delegated name.
    pub zone: NameBuf,
    /// The zone that holds the delegation.
    pub parent: NameBuf,
    /// The NS set in canonical order, each with the glue that any of the parent's servers gave.
    pub name_servers: Vec<NameServer>,
    /// The DS records beside it.
    pub ds: DsRecords,
    /// How far the DS records, or that there are none, are proven.
    pub security: Security,
}

/// The DS records that the parent has for a delegation (RFC 4034 §5).
///
/// They are found by the same rules as the NS set: as many servers as [`Config::servers_min`](crate::Config::servers_min)
/// have to say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "one value a check, matched by callers")]
pub enum DsRecords {
    /// Nobody wanted to know ([`Wanted`](crate::Wanted)), and not all servers sent them with the NS set.
    Unasked,
    /// There are none.
    Absent,
    /// Their RDATA in canonical order.
    Present(Vec<Vec<u8>>),
    /// The servers agree on the NS set, and which DS records there are could not be found out. This is not "none".
    Unknown(Unknown),
}

impl Delegation {
    /// Whether `name` is in the NS set.
    pub fn has(&self, name: Name<'_>) -> bool {
        self.name_servers.iter().any(|server| server.name.as_name() == name)
    }
}

impl fmt::Display for Delegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} delegates {} to ", self.parent, self.zone)?;
        write_list(f, &self.name_servers)
    }
}

/// Our name servers, which a delegation is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// The names, each with the addresses that glue has to agree with; without addresses any glue is right.
    ///
    /// Glue is looked at for names at or below the delegated name only: elsewhere it is not the delegation's.
    pub name_servers: Vec<NameServer>,
    /// How many of them the parent has to name.
    pub required: Required,
}

impl Ours {
    /// All of these have to be in the parent's NS set.
    pub fn all(names: &[NameBuf]) -> Ours {
        Ours { name_servers: without_addresses(names), required: Required::All }
    }

    /// At least one of these has to be in the parent's NS set.
    pub fn any(names: &[NameBuf]) -> Ours {
        Ours { name_servers: without_addresses(names), required: Required::Any }
    }
}

fn without_addresses(names: &[NameBuf]) -> Vec<NameServer> {
    names.iter().map(|name| NameServer { name: name.clone(), addresses: Vec::new() }).collect()
}

/// How many of our name servers the parent has to name. Others may always stand beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Required {
    /// Every one.
    #[default]
    All,
    /// At least one.
    Any,
}

/// Why a name is not delegated to us.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "one value a check, matched by callers")]
pub enum NotDelegated {
    /// The root has no parent.
    Root,
    /// The name does not exist in the zone that would delegate it.
    NoSuchName {
        /// The enclosing zone.
        parent: NameBuf,
    },
    /// The name is part of the enclosing zone: it exists there, but there is no cut at it.
    NoCut {
        /// The enclosing zone.
        parent: NameBuf,
    },
    /// The name is an alias by a CNAME at it or a DNAME above it.
    Alias {
        /// Where the record stands.
        owner: NameBuf,
        /// CNAME or DNAME.
        rtype: RType,
    },
    /// It is delegated, but not to all (or, as configured, not to any) of our name servers.
    Elsewhere {
        /// Ours that the parent does not name.
        missing: Vec<NameBuf>,
        /// Ours that the parent names.
        present: Vec<NameBuf>,
        /// What the parent has.
        delegation: Delegation,
    },
    /// It is delegated to us, but the glue of one of our names is missing or wrong.
    Glue {
        /// Our name below the delegated name.
        name: NameBuf,
        /// The addresses that are not ours; empty when there is no glue at all.
        wrong: Vec<IpAddr>,
        /// What the parent has.
        delegation: Delegation,
    },
}

impl fmt::Display for NotDelegated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotDelegated::Root => f.write_str("the root has no parent that could delegate it"),
            NotDelegated::NoSuchName { parent } => write!(f, "there is no such name in {parent}"),
            NotDelegated::NoCut { parent } => {
                write!(f, "the name is part of the zone {parent}, which has no NS records for it")
            }
            NotDelegated::Alias { owner, rtype } => write!(f, "the name is an alias by the {rtype} record of {owner}"),
            NotDelegated::Elsewhere { missing, delegation, .. } => {
                write!(f, "{delegation}; that lacks ")?;
                write_list(f, missing)
            }
            NotDelegated::Glue { name, wrong, delegation } if wrong.is_empty() => {
                write!(f, "{delegation}; {} gives no address for {name}", delegation.parent)
            }
            NotDelegated::Glue { name, wrong, delegation } => {
                write!(f, "{delegation}; the addresses of {name} there are not ours: ")?;
                write_list(f, wrong)
            }
        }
    }
}

/// Why it could not be found out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknown {
    /// No server of this zone, which is on the way to the name, gave a usable answer.
    NoAnswer {
        /// The zone.
        zone: NameBuf,
    },
    /// Fewer servers of the parent, or of a zone on the way to it, gave a usable answer than
    /// [`Config::servers_min`](crate::Config::servers_min).
    TooFewServers {
        /// The zone.
        parent: NameBuf,
        /// How many answered.
        answered: usize,
        /// How many are needed.
        needed: usize,
    },
    /// The servers of the parent, or of a zone on the way to it, say different things.
    Disagreement {
        /// The zone.
        parent: NameBuf,
        /// The first two that differ.
        servers: [SocketAddr; 2],
    },
    /// The servers of the parent serve the child as well and answer from it, so the delegation cannot be seen.
    Hidden {
        /// The parent zone.
        parent: NameBuf,
    },
    /// A zone on the way is signed, and what its servers say is not proven by signatures.
    Bogus {
        /// The zone.
        zone: NameBuf,
        /// What is missing or wrong, as the last of the servers showed it.
        what: String,
    },
    /// The walk was longer than a limit allows.
    Limit(&'static str),
    /// The walk took longer than [`Limits::time_max`](crate::Limits::time_max).
    Time,
    /// Too many checks ran at once ([`CacheConfig::walks_max`](crate::CacheConfig::walks_max)).
    Busy,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown::NoAnswer { zone } => write!(f, "no name server of {zone} gave a usable answer; try again later"),
            Unknown::TooFewServers { parent, answered, needed } => write!(
                f,
                "{answered} name server(s) of {parent} gave a usable answer, {needed} have to agree; try again later"
            ),
            Unknown::Disagreement { parent, servers: [a, b] } => write!(
                f,
                "the name servers of {parent} disagree ({} and {}); a change may be on its way, try again later",
                a.ip(),
                b.ip()
            ),
            Unknown::Hidden { parent } => write!(
                f,
                "the name servers of {parent} serve the name as a zone of their own, which hides the delegation"
            ),
            Unknown::Bogus { zone, what } => {
                write!(f, "the DNSSEC signatures of {zone} do not prove what its name servers say: {what}")
            }
            Unknown::Limit(limit) => write!(f, "the walk to the parent needs more than {limit} allows"),
            Unknown::Busy => f.write_str("too many checks at once; try again later"),
            Unknown::Time => f.write_str("the name servers on the way took too long; try again later"),
        }
    }
}

/// What a walk found out, whoever's name servers it is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The name in question.
    pub domain: NameBuf,
    /// What the parent says.
    pub outcome: Outcome,
    /// Who was asked and what they said.
    pub evidence: Evidence,
}

/// What the parent says about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one value a check, matched by callers")]
pub enum Outcome {
    /// It is delegated, to whomever.
    Delegation(Delegation),
    /// It is not delegated at all.
    NotDelegated(NotDelegated),
    /// It could not be found out.
    Unknown(Unknown),
}

impl Findings {
    /// Compares the delegation with our name servers.
    pub fn judge(&self, ours: &Ours) -> Verdict {
        let evidence = self.evidence.clone();
        match &self.outcome {
            Outcome::Unknown(reason) => Verdict::Unknown { reason: reason.clone(), evidence },
            Outcome::NotDelegated(reason) => Verdict::NotDelegated { reason: reason.clone(), evidence },
            Outcome::Delegation(delegation) => match objection(delegation, ours) {
                Some(reason) => Verdict::NotDelegated { reason, evidence },
                None => Verdict::Delegated { delegation: delegation.clone(), evidence },
            },
        }
    }
}

/// What is wrong with `delegation` from our point of view.
fn objection(delegation: &Delegation, ours: &Ours) -> Option<NotDelegated> {
    let names = ours.name_servers.iter().map(|server| server.name.clone());
    let (present, missing): (Vec<NameBuf>, Vec<NameBuf>) = names.partition(|name| delegation.has(name.as_name()));
    let is_ours = match ours.required {
        // Without names of ours there is nothing that a delegation could be to.
        Required::All => missing.is_empty() && !present.is_empty(),
        Required::Any => !present.is_empty(),
    };
    if !is_ours {
        return Some(NotDelegated::Elsewhere { missing, present, delegation: delegation.clone() });
    }
    ours.name_servers.iter().find_map(|our| {
        let theirs = delegation.name_servers.iter().find(|server| server.name == our.name)?;
        let is_in_domain = our.name.as_name().is_at_or_below(delegation.zone.as_name());
        if our.addresses.is_empty() || !is_in_domain {
            return None;
        }
        // An address too few only loses a path; an address that is not ours sends queries to somebody else.
        let wrong = theirs.addresses.iter().copied().filter(|address| !our.addresses.contains(address));
        let wrong: Vec<IpAddr> = wrong.collect();
        let is_right = wrong.is_empty() && !theirs.addresses.is_empty();
        (!is_right).then(|| NotDelegated::Glue { name: our.name.clone(), wrong, delegation: delegation.clone() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<NameBuf> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn server(text: &str) -> NameServer {
        let mut words = text.split(' ');
        let name = words.next().unwrap().parse().unwrap();
        NameServer { name, addresses: words.map(|word| word.parse().unwrap()).collect() }
    }

    /// The verdict on example.com delegated to `theirs`.
    fn judge(theirs: &[&str], ours: &Ours) -> Verdict {
        let delegation = Delegation {
            zone: "example.com".parse().unwrap(),
            parent: "com".parse().unwrap(),
            name_servers: theirs.iter().map(|text| server(text)).collect(),
            ds: DsRecords::Unasked,
            security: Security::Unchecked,
        };
        let outcome = Outcome::Delegation(delegation);
        Findings { domain: "example.com".parse().unwrap(), outcome, evidence: Evidence::default() }.judge(ours)
    }

    fn is_delegated(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Delegated { .. })
    }

    #[test]
    fn all_or_any_of_our_names_have_to_be_there_and_others_may_be() {
        let two = names(&["ns1.example.net", "ns2.example.net"]);
        assert!(is_delegated(&judge(&["NS2.example.net", "ns1.example.net", "ns.example.org"], &Ours::all(&two))));
        assert!(is_delegated(&judge(&["ns2.example.net", "ns.example.org"], &Ours::any(&two))));
        assert!(!is_delegated(&judge(&["ns.example.org"], &Ours::any(&two))));
        match judge(&["ns2.example.net", "ns.example.org"], &Ours::all(&two)) {
            Verdict::NotDelegated { reason: NotDelegated::Elsewhere { missing, present, .. }, .. } => {
                assert_eq!((missing, present), (names(&["ns1.example.net"]), names(&["ns2.example.net"])));
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn nothing_is_delegated_to_nobody() {
        assert!(!is_delegated(&judge(&["ns.example.org"], &Ours::all(&[]))));
        assert!(!is_delegated(&judge(&["ns.example.org"], &Ours::any(&[]))));
    }

    #[test]
    fn glue_of_names_below_the_cut_has_to_be_ours() {
        let ours = |text: &str| Ours { name_servers: vec![server(text)], required: Required::All };
        let below = ours("ns.example.com 192.0.2.1 2001:db8::1");
        assert!(is_delegated(&judge(&["ns.example.com 192.0.2.1"], &below)));
        assert!(is_delegated(&judge(&["ns.example.com 192.0.2.1 2001:db8::1"], &below)));
        for theirs in ["ns.example.com", "ns.example.com 192.0.2.1 192.0.2.9", "ns.example.com 2001:db8::9"] {
            let verdict = judge(&[theirs], &below);
            assert!(matches!(verdict, Verdict::NotDelegated { reason: NotDelegated::Glue { .. }, .. }), "{theirs}");
        }
        assert!(is_delegated(&judge(&["ns.example.net 192.0.2.9"], &ours("ns.example.net 192.0.2.1"))));
        assert!(is_delegated(&judge(&["ns.example.com 192.0.2.9"], &ours("ns.example.com"))));
    }
}
