//! Differences of where an alias leads to, and how far it is followed.

use nss_wire::RType;

use super::super::answer::{Answer, Rr};
use super::super::compare::{Difference, Place, Side};
use super::super::hosted::Found;
use super::{Case, cut};
use crate::servers::Kind;

const SERVFAIL: u16 = 2;

pub(super) fn endless_aliases(case: &Case<'_>, difference: &Difference) -> bool {
    !case.chain().ends
        && match difference {
            Difference::Rcode => case.peer == Kind::Bind && case.theirs.rcode == SERVFAIL,
            Difference::Truncated => true,
            Difference::Record { place: Place::Answer, rr, .. } => is_alias(rr),
            _ => false,
        }
}

fn is_alias(rr: &Rr) -> bool {
    rr.is_or_signs(RType::CNAME) || rr.is_or_signs(RType::DNAME)
}

pub(super) fn many_aliases(case: &Case<'_>, _: &Difference) -> bool {
    let (theirs, ours) = case.sections();
    let aliases = |answer: &Answer| answer.answer.iter().filter(|rr| rr.is(RType::CNAME)).count();
    let dnames = ours.answer.iter().filter(|rr| rr.is(RType::DNAME)).count();
    let stops = match case.peer {
        Kind::Knot => aliases(theirs) >= 5,
        Kind::Nsd => dnames > 0 && aliases(ours) > dnames,
        Kind::Bind => aliases(theirs) >= 11 && theirs.rcode == SERVFAIL,
        Kind::Nssd => false,
    };
    stops && theirs.answer.len() < ours.answer.len() && theirs.answer.is_subset(&ours.answer)
}

pub(super) fn any_below_dname(case: &Case<'_>, _: &Difference) -> bool {
    let follows = matches!(case.peer, Kind::Nsd | Kind::Knot);
    case.query.qtype == RType::ANY && follows && matches!(case.found(), Some(Found::Dname(_)))
}

pub(super) fn denial_of_alias(case: &Case<'_>, _: &Difference) -> bool {
    let stops = match case.peer {
        Kind::Bind | Kind::Knot => case.query.qtype == RType::NSEC,
        Kind::Nsd => case.query.qtype == RType::NSEC3,
        Kind::Nssd => false,
    };
    let (theirs, ours) = case.sections();
    let goes_on = ours.answer.iter().any(|rr| rr.is(RType::CNAME) && !theirs.answer.contains(rr));
    let has_denial = theirs.answer.iter().any(|rr| rr.is(case.query.qtype));
    stops && goes_on && !has_denial && theirs.answer.is_subset(&ours.answer)
}

pub(super) fn rrsig_of_alias(case: &Case<'_>, _: &Difference) -> bool {
    let (theirs, ours) = case.sections();
    let follows = theirs.answer.iter().any(|rr| rr.is(RType::CNAME) && !ours.answer.contains(rr));
    let is_asked = case.peer == Kind::Nsd && case.query.qtype == RType::RRSIG;
    is_asked && follows && ours.answer.is_subset(&theirs.answer)
}

pub(super) fn referral_behind_alias(case: &Case<'_>, difference: &Difference) -> bool {
    let (theirs, ours) = case.sections();
    let chain = case.chain();
    let refers = cut(ours).is_some_and(|cut| chain.end().is_at_or_below(cut.as_name()));
    let is_of_referral = match difference {
        Difference::Record { place: Place::Authority | Place::Additional, side: Side::Ours, rr } => case.hosted.has(rr),
        Difference::Truncated => true,
        _ => false,
    };
    let does_not = !theirs.authority.iter().any(|rr| rr.is(RType::NS));
    case.peer == Kind::Bind && chain.has_alias() && does_not && refers && is_of_referral
}

pub(super) fn chain_into_another_zone(case: &Case<'_>, difference: &Difference) -> bool {
    let qname = case.query.qname.as_name();
    let chain = case.chain();
    let end = chain.end();
    // The parent has the DS record of a child's apex.
    let parent = || end.parent().and_then(|parent| case.apex(parent));
    let is_ds_of_apex = case.query.qtype == RType::DS && case.hosted.zone(end).is_some();
    let other = if is_ds_of_apex { parent() } else { case.apex(end) };
    case.peer == Kind::Nsd
        && chain.has_alias()
        && other != case.apex(qname)
        && match difference {
            Difference::Rcode => true,
            Difference::Record { rr, .. } => case.hosted.has(rr) || rr.is(RType::CNAME),
            Difference::Ttl { ours, .. } => case.hosted.has(ours),
            _ => false,
        }
}
