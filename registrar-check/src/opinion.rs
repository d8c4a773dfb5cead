//! What single servers of the parent say about the domain, and what they say together.

use std::net::SocketAddr;

use nss_wire::{Name, NameBuf, RType};

use crate::config::{Config, HiddenDelegation, Wanted};
use crate::dnssec::Security;
use crate::evidence::NameServer;
use crate::verdict::{Delegation, DsRecords, NotDelegated, Outcome, Unknown};

/// What one server of the parent says about the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opinion {
    pub(crate) server: SocketAddr,
    pub(crate) server_name: Option<NameBuf>,
    pub(crate) view: View,
    /// The DS records beside a cut; `None` when the server did not tell.
    pub(crate) ds: Option<Vec<Vec<u8>>>,
    /// How far these are proven.
    pub(crate) security: Security,
}

impl Opinion {
    /// Whether the server told all that is wanted of it.
    fn is_complete(&self, wanted: Wanted) -> bool {
        match (&self.view, wanted) {
            (View::Cut(_) | View::Hidden(_), Wanted::NameServersAndDs) => self.ds.is_some(),
            (View::Cut(_) | View::Hidden(_), Wanted::NameServers) => true,
            (View::NoCut | View::NoSuchName | View::Alias { .. }, _) => true,
        }
    }
}

/// Whether two addresses are those of one server, as far as their names tell: whoever runs it speaks once.
pub(crate) fn is_same_host(a: (SocketAddr, &Option<NameBuf>), b: (SocketAddr, &Option<NameBuf>)) -> bool {
    a.0 == b.0 || a.1.is_some() && a.1 == b.1
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

/// What the opinions are about, and how many of them are needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Topic<'a> {
    pub(crate) zone: Name<'a>,
    pub(crate) parent: Name<'a>,
    pub(crate) wanted: Wanted,
    pub(crate) needed: usize,
}

/// How many opinions show the parent's own view and all that is wanted of it.
pub(crate) fn count(opinions: &[Opinion], wanted: Wanted) -> usize {
    seen(opinions).filter(|opinion| opinion.is_complete(wanted)).count()
}

/// What the opinions say together; `None` while there are too few.
pub(crate) fn decide(opinions: &[Opinion], topic: Topic<'_>) -> Option<Outcome> {
    (count(opinions, topic.wanted) >= topic.needed).then(|| agree(&seen(opinions).collect::<Vec<_>>(), topic))
}

/// What is left to say when nobody else can be asked.
pub(crate) fn decide_at_last(opinions: &[Opinion], topic: Topic<'_>, config: &Config) -> Outcome {
    let Topic { parent, needed, .. } = topic;
    let seen: Vec<&Opinion> = seen(opinions).collect();
    if seen.len() >= needed {
        return agree(&seen, topic);
    }
    let is_hidden = seen.len() < opinions.len();
    let unknown = match config.hidden {
        HiddenDelegation::TrustApex if opinions.len() >= needed => {
            return agree(&opinions.iter().collect::<Vec<_>>(), topic);
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

/// Those that show the parent's own view.
fn seen(opinions: &[Opinion]) -> impl Iterator<Item = &Opinion> {
    opinions.iter().filter(|opinion| !opinion.view.is_hidden())
}

/// `opinions` is not empty.
fn agree(opinions: &[&Opinion], topic: Topic<'_>) -> Outcome {
    let parent = topic.parent.to_buf();
    let (first, others) = opinions.split_first().expect("at least one server has an opinion");
    if let Some(other) = others.iter().find(|other| !other.view.agrees(&first.view)) {
        return Outcome::Unknown(Unknown::Disagreement { parent, servers: [first.server, other.server] });
    }
    Outcome::NotDelegated(match &first.view {
        View::Cut(name_servers) | View::Hidden(name_servers) => {
            let mut name_servers = name_servers.clone();
            others.iter().for_each(|other| add_glue(&mut name_servers, &other.view));
            let ds = agree_on_ds(opinions, topic);
            let security = others.iter().map(|other| other.security).fold(first.security, Security::min);
            return Outcome::Delegation(Delegation { zone: topic.zone.to_buf(), parent, name_servers, ds, security });
        }
        View::NoCut => NotDelegated::NoCut { parent },
        View::NoSuchName => NotDelegated::NoSuchName { parent },
        View::Alias { owner, rtype } => NotDelegated::Alias { owner: owner.clone(), rtype: *rtype },
    })
}

/// The DS records that all have who told them; that they differ leaves the NS set, on which all agree, as it is.
fn agree_on_ds(opinions: &[&Opinion], topic: Topic<'_>) -> DsRecords {
    let mut told = opinions.iter().filter_map(|opinion| Some((opinion.server, opinion.ds.as_ref()?)));
    let answered = told.clone().count();
    let parent = topic.parent.to_buf();
    let unknown = match told.next() {
        Some((server, first)) if answered >= topic.needed => match told.find(|(_, other)| *other != first) {
            None if first.is_empty() => return DsRecords::Absent,
            None => return DsRecords::Present(first.clone()),
            Some((other, _)) => Unknown::Disagreement { parent, servers: [server, other] },
        },
        Some(_) | None => Unknown::TooFewServers { parent, answered, needed: topic.needed },
    };
    match topic.wanted {
        Wanted::NameServers => DsRecords::Unasked,
        Wanted::NameServersAndDs => DsRecords::Unknown(unknown),
    }
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
