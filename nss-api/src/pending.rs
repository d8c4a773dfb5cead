//! Zones that are served before the parent delegates them here.
//!
//! ```text
//!  an upload with a key whose label             the parent names the label
//!  is in the zone's own NS set     ──> pending ──────────────────────────────> active, pinned to that key
//!                                         │ │
//!                   another key claims it │ │ 72 hours; or the parent points here, and not by that label
//!                                         v v
//!             contested, not served, 72 hours ──> (gone)
//! ```
//!
//! Some registries delegate a domain only once its new name servers answer for it. That nobody has proved to own it must not matter, so a
//! pending zone is one that nobody is sent to: as soon as the parent names any server of ours without the claimant's label, the
//! claim is over. Whoever proves to own the name goes before it at any time, and it pins nothing.

use std::net::IpAddr;

use nss_registrar_check::{Delegation, NotDelegated, Outcome, Verdict};
use nss_wire::NameBuf;
use nssd::control::{self, Check, CheckAction, CheckVerdict, PendingClaim, jittered};

use crate::config::{Config, Pending};
use crate::domain::Domain;
use crate::key::{Key, Label};
use crate::lifecycle::Step;
use crate::network::Network;
use crate::new_key::keyed_names;
use crate::ownership::label_before;
use crate::parents::Sight;
use crate::zone_text::ZoneWord;

/// What the parent's word means for a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// The parent delegates the name here by the claimant's label.
    Named,
    /// It delegates it elsewhere, or not at all, and could delegate it here tomorrow.
    Open,
    /// Somebody else is meant, or nobody ever: the parent names a server of ours without that label, or has the name itself.
    Closed,
    /// It could not be found out.
    Unknown,
}

impl Prospect {
    /// For the claim of the key with `label`.
    pub(crate) fn of(sight: &Sight, label: Label, ours: &[NameBuf]) -> Prospect {
        match &sight.findings.outcome {
            Outcome::Unknown(_) => Prospect::Unknown,
            Outcome::NotDelegated(NotDelegated::NoSuchName { parent }) => {
                // A registry delegates the names directly below its own: no name far below anything waits for that.
                match sight.findings.domain.as_name().parent() == Some(parent.as_name()) {
                    true => Prospect::Open,
                    false => Prospect::Closed,
                }
            }
            Outcome::NotDelegated(_) => Prospect::Closed,
            Outcome::Delegation(delegation) => match sight.verdict() {
                Verdict::Delegated { .. } if sight.entered.labels.contains(&label) => Prospect::Named,
                _ if points_here_for_others(delegation, label, ours) => Prospect::Closed,
                _ => Prospect::Open,
            },
        }
    }
}

/// Whether resolvers are sent to us already, and not by this label: then what is served matters.
fn points_here_for_others(delegation: &Delegation, label: Label, ours: &[NameBuf]) -> bool {
    delegation.name_servers.iter().map(|server| server.name.as_name()).any(|name| {
        let is_ours = ours.iter().any(|our| name.is_at_or_below(our.as_name()));
        is_ours && !ours.iter().any(|our| label_before(name, our.as_name()) == Some(label))
    })
}

/// Whether an upload may be served before its parent delegates it here.
pub(crate) enum Early<'k> {
    /// By the claim of this key, as far as the parent has nothing against it.
    Claim(&'k Key),
    /// Not as it is; what would have to be otherwise, in a sentence or none.
    No(Option<String>),
}

impl<'k> Early<'k> {
    /// For a zone file of `size` octets that says `word`, and came with a key or without.
    pub(crate) fn of(
        domain: &Domain,
        word: &ZoneWord,
        key: Option<&'k Key>,
        size: usize,
        config: &Config,
    ) -> Early<'k> {
        let Pending { hours, zones_max, size_max, .. } = config.pending;
        // Who makes no rounds would never end it. And registries ask for it: below what they register, resolvers may come here by a
        // delegation above that nobody has seen.
        if zones_max == 0 || !config.makes_rounds() || !domain.is_registered() {
            return Early::No(None);
        }
        let Some(key) = key else { return Early::No(None) };
        if !word.labels.contains(&key.label()) {
            let names = keyed_names(key.label(), &config.name_servers);
            let names: String = names.iter().map(|name| format!("  {name}\n")).collect();
            return Early::No(Some(format!(
                "if your registry wants our servers to answer before that, name them in the zone's own NS records with the label of your \
                 key, and it is served for {hours} hours:\n{names}"
            )));
        }
        if size > size_max {
            let reason =
                format!("it cannot be served before that: the file has {size} octets, {size_max} are the most then\n");
            return Early::No(Some(reason));
        }
        Early::Claim(key)
    }
}

/// Why a claim is not served whose prospect is closed.
pub(crate) const CLOSED: &str = "it cannot be served before that: the parent names a server of ours already and not by the label of \
                                 your key, or would not delegate such a name\n";

/// The claim that an upload with `key` from `client` makes.
pub(crate) fn claim(domain: &Domain, key: &Key, client: IpAddr, config: &Config) -> PendingClaim {
    let now = config.clock.now();
    let Pending { hours, recheck_minutes, zones_max, zones_per_network_max, zones_per_site_max, .. } = config.pending;
    let pending = control::Pending {
        pin: key.pin(domain.name()),
        label: key.label().to_string(),
        network: Network::household(client).word(),
        site: Network::site(client).map(Network::word),
        since: now,
        until: now + u64::from(hours.get()) * HOUR,
        check_at: now + u64::from(recheck_minutes.get()) * MINUTE,
        is_contested: false,
    };
    PendingClaim { pending, zones_max, zones_per_network_max, zones_per_site_max: Some(zones_per_site_max) }
}

/// The next step of a claim, now that its parent said what it did.
pub(crate) fn step(
    domain: &NameBuf,
    pending: &control::Pending,
    prospect: Prospect,
    verdict: CheckVerdict,
    evidence: Vec<String>,
    now: u64,
    periods: &Pending,
) -> Step {
    let action = match prospect {
        _ if pending.is_contested && now >= pending.until => CheckAction::Purge,
        _ if pending.is_contested => CheckAction::Keep,
        Prospect::Named => CheckAction::Activate,
        Prospect::Closed => CheckAction::Purge,
        Prospect::Open if now >= pending.until => CheckAction::Purge,
        // It may be delegated here by now.
        Prospect::Unknown if now >= pending.until + UNKNOWN_GRACE => CheckAction::Purge,
        Prospect::Open | Prospect::Unknown => CheckAction::Keep,
    };
    let pause = u64::from(periods.recheck_minutes.get()) * MINUTE;
    let next_check_at = now + jittered(pause, &domain.as_name().to_lowercase().to_string(), now);
    let check = Check { checked_at: now, verdict, adrift_since: None, parked_since: None, next_check_at, evidence };
    Step { check, action }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// How much longer a claim stands whose parent could not be asked at its end: as long as servers are down at most.
const UNKNOWN_GRACE: u64 = 24 * HOUR;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nss_registrar_check::{DsRecords, Evidence, Findings, NameServer, Security, Unknown};

    use super::*;
    use crate::ownership::Entered;

    const OURS: [&str; 2] = ["ns1.dns.example.net", "ns2.dns.example.net"];

    fn names(texts: &[&str]) -> Vec<NameBuf> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn prospect(outcome: Outcome, label: Label) -> Prospect {
        let ours = names(&OURS);
        let entered = match &outcome {
            Outcome::Delegation(delegation) => Entered::read(delegation, &ours),
            Outcome::NotDelegated(_) | Outcome::Unknown(_) => Entered::none(&ours),
        };
        let findings = Findings { domain: "example.com".parse().unwrap(), outcome, evidence: Evidence::default() };
        Prospect::of(&Sight { findings: Arc::new(findings), entered, own_word: None }, label, &ours)
    }

    fn delegated(to: &[String], label: Label) -> Prospect {
        let server = |name: &String| NameServer { name: name.parse().unwrap(), addresses: Vec::new() };
        let name_servers = to.iter().map(server).collect();
        let (zone, parent) = ("example.com".parse().unwrap(), "com".parse().unwrap());
        let (ds, security) = (DsRecords::Unasked, Security::Unchecked);
        prospect(Outcome::Delegation(Delegation { zone, parent, name_servers, ds, security }), label)
    }

    #[test]
    fn a_name_of_ours_at_the_parent_without_the_claimants_label_ends_a_claim() {
        let [mine, other] = [(); 2].map(|()| Key::generate().unwrap().label());
        let [one, two] = OURS;
        let elsewhere = "ns.example.org".to_owned();
        let with = |label: Label, server: &str| format!("{label}.{server}");
        for (to, expected) in [
            (vec![elsewhere.clone()], Prospect::Open),
            (vec![elsewhere.clone(), with(mine, one)], Prospect::Open),
            (vec![with(mine, one), with(mine, two)], Prospect::Named),
            (vec![with(mine, one), with(other, two)], Prospect::Named),
            (vec![with(mine, one), two.to_owned()], Prospect::Named),
            (vec![one.to_owned(), two.to_owned()], Prospect::Closed),
            (vec![with(other, one), with(other, two)], Prospect::Closed),
            // Half of the queries come here, and the claimant is not who they are meant for.
            (vec![elsewhere.clone(), one.to_owned()], Prospect::Closed),
            (vec![elsewhere.clone(), with(other, one)], Prospect::Closed),
            (vec![elsewhere.clone(), with(mine, one), two.to_owned() + ".x"], Prospect::Open),
            (vec![elsewhere.clone(), format!("www.{one}")], Prospect::Closed),
            (vec![elsewhere, with(mine, one).to_uppercase()], Prospect::Open),
        ] {
            assert_eq!(delegated(&to, mine), expected, "{to:?}");
        }
    }

    #[test]
    fn what_is_not_delegated_is_open_directly_below_the_zone_that_would_do_it() {
        let label = Key::generate().unwrap().label();
        let [com, root] = ["com", "."].map(|parent| parent.parse::<NameBuf>().unwrap());
        let no_name = |parent: &NameBuf| Outcome::NotDelegated(NotDelegated::NoSuchName { parent: parent.clone() });
        assert_eq!(prospect(no_name(&com), label), Prospect::Open);
        assert_eq!(prospect(no_name(&root), label), Prospect::Closed);
        let no_cut = Outcome::NotDelegated(NotDelegated::NoCut { parent: com.clone() });
        assert_eq!(prospect(no_cut, label), Prospect::Closed);
        assert_eq!(prospect(Outcome::Unknown(Unknown::NoAnswer { zone: com }), label), Prospect::Unknown);
    }

    #[test]
    fn a_claim_ends_by_the_clock_or_the_parents_word() {
        let domain: NameBuf = "example.com".parse().unwrap();
        let config = Config::from_toml("name_servers = [\"ns1.dns.example.net\"]\n").unwrap();
        let key = Key::generate().unwrap();
        let PendingClaim { mut pending, .. } =
            claim(&Domain::parse("example.com").unwrap(), &key, IpAddr::from([192, 0, 2, 1]), &config);
        assert_eq!((pending.until - pending.since, pending.check_at - pending.since), (72 * HOUR, 10 * MINUTE));
        let (before, end) = (pending.until - 1, pending.until);
        let act = |pending: &control::Pending, prospect, now| {
            let step = step(&domain, pending, prospect, CheckVerdict::Unknown, Vec::new(), now, &config.pending);
            assert!((9 * MINUTE..=11 * MINUTE + 1).contains(&(step.check.next_check_at - now)));
            step.action
        };
        for (prospect, now, action) in [
            (Prospect::Named, before, CheckAction::Activate),
            (Prospect::Named, end + 100 * HOUR, CheckAction::Activate),
            (Prospect::Open, before, CheckAction::Keep),
            (Prospect::Open, end, CheckAction::Purge),
            (Prospect::Closed, before, CheckAction::Purge),
            (Prospect::Unknown, end, CheckAction::Keep),
            (Prospect::Unknown, end + UNKNOWN_GRACE, CheckAction::Purge),
        ] {
            assert_eq!(act(&pending, prospect, now), action, "{prospect:?} {now}");
        }
        pending.is_contested = true;
        for prospect in [Prospect::Named, Prospect::Open, Prospect::Closed, Prospect::Unknown] {
            assert_eq!(act(&pending, prospect, before), CheckAction::Keep);
            assert_eq!(act(&pending, prospect, end), CheckAction::Purge);
        }
    }
}
