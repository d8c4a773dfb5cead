//! Differences of what is said not to exist, and of the proofs of that.

use nss_wire::{Name, NameBuf, RType};

use super::super::compare::{Difference, Place};
use super::super::hosted::{Found, ZoneData};
use super::super::proof::Proof;
use super::Case;
use crate::servers::Kind;

pub(super) fn nsec_of_cut(case: &Case<'_>, difference: &Difference) -> bool {
    let is_at_cut = case.found() == Some(Found::Cut(case.query.qname.clone()));
    let is_real = match difference {
        Difference::Authoritative => true,
        Difference::Record { rr, .. } => case.hosted.has(rr),
        _ => false,
    };
    case.peer == Kind::Bind && case.query.qtype == RType::NSEC && is_at_cut && is_real
}

pub(super) fn hashed_name(case: &Case<'_>, _: &Difference) -> bool {
    let qname = case.query.qname.as_name();
    let mut above = (0..=qname.label_count()).filter_map(|labels| qname.suffix(labels));
    case.peer == Kind::Nsd && above.any(|name| case.hosted.rrset(name, RType::NSEC3.0).next().is_some())
}

pub(super) fn name_of_parent(case: &Case<'_>, _: &Difference) -> bool {
    let shares = |name: &NameBuf| {
        let name = name.as_name();
        let Some((apex, zone)) = case.hosted.zone_of(name) else { return false };
        // NSD has one tree of names for all zones, so that the parent's parent counts as well.
        let above = std::iter::successors(case.hosted.zone_above(apex.as_name()), |(apex, _)| {
            case.hosted.zone_above(apex.as_name())
        });
        let above: Vec<&ZoneData> = above.map(|(_, zone)| zone).collect();
        let only_parent = |name: Name<'_>| !zone.has_name(name) && above.iter().any(|parent| parent.has_name(name));
        (apex.as_name().label_count()..=name.label_count()).filter_map(|labels| name.suffix(labels)).any(|name| {
            let wildcard = format!("*.{name}").parse::<NameBuf>();
            only_parent(name) || wildcard.is_ok_and(|wildcard| only_parent(wildcard.as_name()))
        })
    };
    case.peer == Kind::Nsd && case.chain().names.iter().any(shares)
}

pub(super) fn opted_out_encloser(case: &Case<'_>, difference: &Difference) -> bool {
    let (theirs, _) = case.sections();
    let is_unprovable = || {
        case.chain().names.iter().any(|name| {
            case.hosted.zone_of(name.as_name()).is_some_and(|(apex, zone)| {
                let proof = Proof::of_zone(apex.as_name(), zone);
                proof.matches(apex.as_name()) && !proof.matches(proof.encloser(name.as_name()))
            })
        })
    };
    let gives_nothing = theirs.authority.is_empty() && !theirs.authoritative;
    match (case.peer, difference) {
        (Kind::Knot, _) => gives_nothing && is_unprovable(),
        (Kind::Nsd, Difference::Record { place: Place::Authority, rr, .. }) => {
            rr.is_or_signs(RType::NSEC3) && case.hosted.has(rr) && is_unprovable()
        }
        _ => false,
    }
}

pub(super) fn another_proof(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Record { place: Place::Authority, rr, .. } = difference else { return false };
    let Some((apex, zone)) = case.hosted.zone_of(case.query.qname.as_name()) else { return false };
    let (proof, chain) = (Proof::new(apex.as_name(), zone, case.sections().1), case.chain());
    // Where there is the type asked for, no alias is followed.
    let has_it = |name: &NameBuf| match zone.find(apex.as_name(), name.as_name()) {
        Found::Node(source) | Found::Wildcard(source) => {
            case.query.qtype == RType::ANY || zone.has_type(source.as_name(), case.query.qtype)
        }
        Found::Cut(_) | Found::Dname(_) | Found::Nobody => false,
    };
    let followed = chain.names.iter().position(has_it).map_or(chain.names.len(), |at| at + 1);
    let mut inside = chain.names[..followed].iter().filter(|name| name.as_name().is_at_or_below(apex.as_name()));
    rr.is_denial() && case.hosted.has(rr) && inside.all(|name| proof.is_complete(name.as_name(), case.query.qtype))
}
