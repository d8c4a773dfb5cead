//! Which claims on names that are not delegated here are served.
//!
//! Nobody knows yet whose such a name is. So a claim is served only where no other zone could suffer: not at, above or below one that
//! is here by better right. And it yields to any such zone that comes later.

use nss_wire::NameBuf;

use super::index::{Hosted, Index, Origin, Tombstone};
use super::{Zones, key, storage_problem};
use crate::control::{Pending, PendingClaim, Problem, ProblemCode};
use crate::store::Write;

/// What an upload is to the zones that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It needs no claim.
    Proved,
    /// It is served by this claim.
    Claimed(Pending),
    /// It is the second key's that claims the name, so that neither is served.
    Contested(Pending),
}

impl Zones {
    /// Whether an upload comes in by its claim, if it is by a claim at all.
    pub(super) fn admit(&self, apex: &NameBuf, claim: Option<&PendingClaim>) -> Result<Admission, Problem> {
        let Some(claim) = claim else { return Ok(Admission::Proved) };
        let pin = self.store.pin(apex.as_name()).map_err(|error| storage_problem(&error))?;
        if pin.is_some_and(|pin| pin != claim.pending.pin) {
            let zone = key(apex.as_name());
            return Err(occupied(format!("{zone} is pinned to another key, from when it was delegated here")));
        }
        self.index().admit(apex, claim)
    }

    /// Ends claims without asking anybody: a zone that is here by better right stands at, above or below them.
    pub(super) fn end_claims(&self, apexes: &[NameBuf]) {
        if apexes.is_empty() {
            return;
        }
        let generation = self.index().generation + 1;
        let end = |apex: &NameBuf| Write::Delete { apex: apex.clone(), generation, pin: None };
        let writes: Vec<Write> = apexes.iter().map(end).collect();
        if let Err(error) = self.store.commit(&writes) {
            tracing::error!(%error, claims = apexes.len(), "claims that had to yield are still stored");
        }
        self.forget_claims(apexes);
        self.index_mut().generation = generation;
    }

    /// Serves no longer what was served by claims that are not stored any more.
    pub(super) fn forget_claims(&self, apexes: &[NameBuf]) {
        for apex in apexes {
            let zone = key(apex.as_name());
            tracing::info!(zone, "a pending zone yields to one that is delegated here");
            let mut index = self.index_mut();
            // A file of the operator's stays.
            let file = index.zones.get(zone.as_str()).filter(|hosted| hosted.file.is_some());
            let hosted = match file {
                Some(hosted) => {
                    let served = hosted.served.clone().filter(|served| served.origin == Origin::File);
                    Hosted { served, file: hosted.file.clone(), ..Hosted::default() }
                }
                None => Hosted::default(),
            };
            let is_gone = hosted.served.is_none();
            index.set_claimed(zone, hosted, None);
            drop(index);
            if is_gone {
                self.catalog.withdraw(apex.as_name());
            }
            self.bury(apex);
        }
    }

    /// Notes that nothing but the pin is left of a zone, or of a claim that was made with it, if a pin is left.
    pub(super) fn bury(&self, apex: &NameBuf) {
        let zone = key(apex.as_name());
        // A store that can't be read here was written a moment ago.
        let has_pin = self.store.pin(apex.as_name()).ok().flatten().is_some();
        let mut index = self.index_mut();
        match has_pin {
            true => index.bury(&zone, Tombstone { since: self.store.now(), checked: None }),
            false => index.unbury(&zone),
        }
    }
}

impl Index {
    fn admit(&self, apex: &NameBuf, claim: &PendingClaim) -> Result<Admission, Problem> {
        let zone = key(apex.as_name());
        if self.is_rightful(&zone) {
            return Err(occupied(format!("{zone} is stored here from when it was delegated here")));
        }
        if let Some(above) = ancestors(&zone).find(|name| self.is_rightful(name)) {
            return Err(occupied(format!("{zone} is in {above}, which is hosted here")));
        }
        // Of a withdrawn zone the delegation may well be left, and would lead resolvers to a claim below it.
        if let Some(above) = ancestors(&zone).find(|&name| self.tombstones.contains_key(name)) {
            return Err(occupied(format!("{zone} is in {above}, which was hosted here and is pinned to its key")));
        }
        // A delegation below leads resolvers here even while its zone is withdrawn or parked.
        if self.rightful_below.contains_key(zone.as_str()) {
            return Err(occupied(format!("zones below {zone} are hosted here")));
        }
        match self.pending.get(zone.as_str()) {
            Some(standing) if standing.is_contested => Err(contested(&zone)),
            Some(standing) if standing.pin == claim.pending.pin => Ok(Admission::Claimed(standing.clone())),
            Some(_) => Ok(Admission::Contested(Pending { is_contested: true, ..claim.pending.clone() })),
            None => {
                let network = &claim.pending.network;
                let of_network = self.pending.values().filter(|pending| pending.network == *network).count();
                let site = &claim.pending.site;
                let is_of_site = |pending: &&Pending| site.is_some() && pending.site == *site;
                let of_site = self.pending.values().filter(is_of_site).count();
                for (count, max, whose) in [
                    (self.pending.len(), Some(claim.zones_max), "there are"),
                    (of_network, Some(claim.zones_per_network_max), "from this network there are"),
                    (of_site, claim.zones_per_site_max, "from the networks around this one there are"),
                ] {
                    if max.is_some_and(|max| count >= max as usize) {
                        let detail = format!("{whose} {count} zones already that are not delegated here");
                        return Err(Problem::new(ProblemCode::TooManyPending, detail));
                    }
                }
                Ok(Admission::Claimed(claim.pending.clone()))
            }
        }
    }

    /// The claims at, above and below `zone`; with `at` that on the name itself, too.
    pub(super) fn claims_around(&self, zone: &str, at: At) -> Vec<NameBuf> {
        let is_around = |claimed: &str| match claimed == zone {
            true => at == At::Included,
            false => ancestors(claimed).any(|name| name == zone) || ancestors(zone).any(|name| name == claimed),
        };
        let around = self.pending.keys().filter(|claimed| is_around(claimed));
        around.filter_map(|claimed| claimed.parse().ok()).collect()
    }
}

/// Whether the name itself is among those around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Included,
    LeftOut,
}

/// The names above one, as text, from its parent to that below the root.
pub(super) fn ancestors(zone: &str) -> impl Iterator<Item = &str> {
    let mut is_escaped = false;
    let dots = zone.bytes().enumerate().filter(move |&(_, octet)| {
        let is_dot = octet == b'.' && !is_escaped;
        is_escaped = octet == b'\\' && !is_escaped;
        is_dot
    });
    dots.filter_map(|(at, _)| zone.get(at + 1..)).filter(|name| !name.is_empty())
}

pub(super) fn contested(zone: &str) -> Problem {
    Problem::new(
        ProblemCode::Contested,
        format!("two keys claim {zone}, which is not delegated here, so neither is served"),
    )
}

fn occupied(detail: String) -> Problem {
    Problem::new(ProblemCode::Occupied, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_above_one_end_below_the_root_and_escaped_dots_part_no_labels() {
        let above = |zone| ancestors(zone).collect::<Vec<_>>();
        assert_eq!(above("www.example.com."), ["example.com.", "com."]);
        assert_eq!(above("com."), [""; 0]);
        assert_eq!(above("."), [""; 0]);
        assert_eq!(above(r"a\.b.c."), ["c."]);
        assert_eq!(above(r"a\\.b.c."), ["b.c.", "c."]);
    }
}
