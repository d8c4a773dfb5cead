//! Differences of records: which of those that may be given are, and how often, and with which TTL.

use nss_wire::{Name, NameBuf, RType};

use super::super::answer::Rr;
use super::super::compare::{Difference, Place, Side};
use super::{Case, cut};
use crate::servers::Kind;

pub(super) fn some_of_any(case: &Case<'_>, difference: &Difference) -> bool {
    case.query.qtype == RType::ANY && some_of(case, difference)
}

pub(super) fn some_of_rrsig(case: &Case<'_>, difference: &Difference) -> bool {
    case.query.qtype == RType::RRSIG && some_of(case, difference)
}

/// Both have something, and it is real.
fn some_of(case: &Case<'_>, difference: &Difference) -> bool {
    let (theirs, ours) = case.sections();
    let Difference::Record { place: Place::Answer, rr, .. } = difference else { return false };
    !theirs.answer.is_empty() && !ours.answer.is_empty() && case.hosted.has(rr)
}

pub(super) fn ttls(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Ttl { theirs, ours, .. } = difference else { return false };
    case.hosted
        .ttls(ours)
        .iter()
        .any(|written| written.len() > 1 && written.first() == Some(&ours.ttl) && written.contains(theirs))
}

pub(super) fn repeated(case: &Case<'_>, difference: &Difference) -> bool {
    let (_, ours) = case.sections();
    *difference == Difference::Repeated && ours.repeated.is_empty() && case.ours.repeated.is_empty()
}

pub(super) fn apex_servers(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Record { place: Place::Authority, side: Side::Theirs, rr } = difference else { return false };
    let is_apex = case.hosted.zone(rr.owner.as_name()).is_some();
    let (theirs, _) = case.sections();
    theirs.authoritative && !theirs.answer.is_empty() && is_apex && rr.is_or_signs(RType::NS) && case.hosted.has(rr)
}

pub(super) fn glue_from_wildcard(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Record { place: Place::Additional, side: Side::Theirs, rr } = difference else { return false };
    let is_below = |cut: &NameBuf| rr.owner.as_name().is_at_or_below(cut.as_name());
    let is_owner = case.hosted.rrset(rr.owner.as_name(), rr.rtype).next().is_some();
    let does = matches!(case.peer, Kind::Nsd | Kind::Knot);
    does && cut(case.sections().1).is_some_and(is_below) && !is_owner && case.hosted.has(rr)
}

pub(super) fn no_room_for_glue(case: &Case<'_>, difference: &Difference) -> bool {
    // Whole replies, so that what was left out can be seen.
    let (_, ours) = case.sections();
    let Some(cut) = cut(ours) else { return false };
    let is_glue = |rr: &Rr| rr.owner.as_name().is_at_or_below(cut.as_name());
    let servers = ours.authority.iter().filter(|rr| rr.is(RType::NS));
    // They give up at the first RRset without room, be it one that they need not give.
    let useful = servers.filter_map(|rr| Name::from_wire_exact(&rr.rdata).ok()).flat_map(|server| {
        let rrsets = [RType::A, RType::AAAA, RType::RRSIG].map(|rtype| case.hosted.rrset(server, rtype.0));
        let missing = rrsets.into_iter().flatten().filter(|rr| !case.theirs.additional.contains(*rr));
        missing.map(|rr| rr.owner.as_name().wire_len() + 10 + rr.rdata.len())
    });
    let is_left_out = match difference {
        Difference::Truncated => case.ours.truncated,
        Difference::Record { place: Place::Additional, side: Side::Ours, rr } => is_glue(rr),
        _ => false,
    };
    let leaves_out = matches!(case.peer, Kind::Nsd | Kind::Bind) && !case.theirs.truncated;
    leaves_out && is_left_out && case.theirs.size + useful.sum::<usize>() > case.size_limit()
}

pub(super) fn sibling_glue(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Record { place: Place::Additional, rr, .. } = difference else { return false };
    let is_sibling = |cut: &NameBuf| !rr.owner.as_name().is_at_or_below(cut.as_name());
    cut(case.sections().1).is_some_and(is_sibling) && case.hosted.has(rr) && is_useful(case, difference)
}

pub(super) fn additional(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Record { place: Place::Additional, rr, .. } = difference else { return false };
    case.sections().1.authoritative && case.hosted.has(rr) && is_useful(case, difference)
}

/// Whether a record of one of the replies names the owner of an additional record, or what the owner is for.
fn is_useful(case: &Case<'_>, difference: &Difference) -> bool {
    let Difference::Record { place: Place::Additional, rr, .. } = difference else { return false };
    let (theirs, ours) = case.sections();
    // What names it may be in the other reply alone, for lack of room.
    let is_named = |name: Name<'_>| {
        let lower = name.to_lowercase();
        let wire = lower.as_name().as_wire();
        let mut others = theirs.records().chain(ours.records());
        others.any(|other| other.rdata.windows(wire.len()).any(|octets| octets == wire))
    };
    let owner = rr.owner.as_name();
    let is_parent_named = || owner.parent().is_some_and(is_named);
    // The root as target of a service binding is its owner (RFC 9460 §2.5.2).
    is_named(owner)
        || ours.answer.iter().any(|other| other.owner == rr.owner)
        || match case.peer {
            // The keys of a mail server's certificate (RFC 7672 §3).
            Kind::Bind if rr.is_or_signs(RType::TLSA) => owner.parent().and_then(Name::parent).is_some_and(is_named),
            // The target of a target.
            Kind::Bind => case.hosted.is_alias_for(owner),
            // Proofs that a wildcard stands for a target, and the wildcard itself.
            Kind::Knot => rr.is_denial() || owner.is_wildcard() && is_parent_named(),
            // Where a wildcard stands for a target, labels in the middle of its name get lost.
            Kind::Nsd => {
                let lower = owner.to_lowercase();
                let (label, parent) =
                    lower.as_name().as_wire().split_at(1 + owner.labels().next().map_or(0, <[u8]>::len));
                let has = |octets: &[u8], part: &[u8]| octets.windows(part.len()).any(|octets| octets == part);
                let is_longer = |rdata: &[u8]| {
                    let starts = rdata.windows(label.len()).position(|octets| octets == label);
                    starts.is_some_and(|at| has(&rdata[at + label.len()..], parent))
                };
                theirs.answer.iter().any(|other| is_longer(&other.rdata))
            }
            Kind::Nssd => false,
        }
}
