//! What single servers of the parent say about the domain, and what they say together.

use std::net::SocketAddr;

use nss_wire::{Name, NameBuf, RType};

use crate::config::{Config, HiddenDelegation};
use crate::evidence::NameServer;
use crate::verdict::{Delegation, NotDelegated, Outcome, Unknown};

/// What one server of the parent says about the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opinion {
    pub(crate) server: SocketAddr,
    pub(crate) server_name: Option<NameBuf>,
    pub(crate) view: View,
}

/// What the zone looks like at the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a few values a check")]
pub(crate) enum View {
    /// A cut, with this NS set in canonical order.
    Cut(Vec<NameServer>),
    /// No cut.
    NoCut,
    /// No such name.
    NoSuchName,
    /// An alias.
    Alias { owner: NameBuf, rtype: RType },
    /// Cannot be seen: the server answers from the child, whose apex has this NS set.
    Hidden(Vec<NameServer>),
}

impl View {
    /// Whether both say the same; glue may differ, as servers may leave some out (RFC 9471 §3).
    fn agrees(&self, other: &View) -> bool {
        match (self, other) {
            (View::Cut(ours) | View::Hidden(ours), View::Cut(theirs) | View::Hidden(theirs)) => {
                ours.iter().map(|server| &server.name).eq(theirs.iter().map(|server| &server.name))
            }
            (View::NoCut, View::NoCut) | (View::NoSuchName, View::NoSuchName) => true,
            (View::Alias { owner: a, rtype: b }, View::Alias { owner: c, rtype: d }) => (a, b) == (c, d),
            (View::Cut(_) | View::Hidden(_) | View::NoCut | View::NoSuchName | View::Alias { .. }, _) => false,
        }
    }

    fn is_hidden(&self) -> bool {
        matches!(self, View::Hidden(_))
    }
}

/// How many opinions show the parent's own view.
pub(crate) fn count(opinions: &[Opinion]) -> usize {
    opinions.iter().filter(|opinion| !opinion.view.is_hidden()).count()
}

/// What the opinions say together; `None` while there are too few.
pub(crate) fn decide(opinions: &[Opinion], zone: Name<'_>, parent: Name<'_>, config: &Config) -> Option<Outcome> {
    let seen: Vec<&Opinion> = opinions.iter().filter(|opinion| !opinion.view.is_hidden()).collect();
    (seen.len() >= config.servers_min.max(1)).then(|| agree(&seen, zone, parent))
}

/// What is left to say when nobody else can be asked.
pub(crate) fn decide_at_last(opinions: &[Opinion], zone: Name<'_>, parent: Name<'_>, config: &Config) -> Outcome {
    let is_hidden = opinions.iter().any(|opinion| opinion.view.is_hidden());
    let needed = config.servers_min.max(1);
    let unknown = match config.hidden {
        HiddenDelegation::TrustApex if opinions.len() >= needed => {
            return agree(&opinions.iter().collect::<Vec<_>>(), zone, parent);
        }
        HiddenDelegation::Unknown if is_hidden => Unknown::Hidden { parent: parent.to_buf() },
        HiddenDelegation::Unknown | HiddenDelegation::TrustApex if opinions.is_empty() => {
            Unknown::NoAnswer { zone: parent.to_buf() }
        }
        HiddenDelegation::Unknown | HiddenDelegation::TrustApex => {
            Unknown::TooFewServers { parent: parent.to_buf(), answered: opinions.len(), needed }
        }
    };
    Outcome::Unknown(unknown)
}

/// `opinions` is not empty.
fn agree(opinions: &[&Opinion], zone: Name<'_>, parent: Name<'_>) -> Outcome {
    let parent = parent.to_buf();
    let (first, others) = opinions.split_first().expect("at least one server has an opinion");
    if let Some(other) = others.iter().find(|other| !other.view.agrees(&first.view)) {
        return Outcome::Unknown(Unknown::Disagreement { parent, servers: [first.server, other.server] });
    }
    Outcome::NotDelegated(match &first.view {
        View::Cut(name_servers) | View::Hidden(name_servers) => {
            let mut name_servers = name_servers.clone();
            others.iter().for_each(|other| add_glue(&mut name_servers, &other.view));
            return Outcome::Delegation(Delegation { zone: zone.to_buf(), parent, name_servers });
        }
        View::NoCut => NotDelegated::NoCut { parent },
        View::NoSuchName => NotDelegated::NoSuchName { parent },
        View::Alias { owner, rtype } => NotDelegated::Alias { owner: owner.clone(), rtype: *rtype },
    })
}

/// Adds the addresses that another server gave.
fn add_glue(name_servers: &mut [NameServer], view: &View) {
    let (View::Cut(others) | View::Hidden(others)) = view else { return };
    for (server, other) in name_servers.iter_mut().zip(others) {
        server.addresses.extend(&other.addresses);
        server.addresses.sort();
        server.addresses.dedup();
    }
}
