//! Differences of the header, of EDNS, and of what fits into a message.

use nss_wire::Class;

use super::super::answer::{Edns, Rr};
use super::super::compare::Difference;
use super::{Case, cut};
use crate::servers::Kind;

pub(super) fn room(case: &Case<'_>, difference: &Difference) -> bool {
    let (Difference::Truncated, Some((theirs, ours))) = (difference, case.whole) else { return false };
    let limit = case.size_limit();
    if case.theirs.truncated {
        return theirs.size > limit && case.ours.size <= limit;
    }
    // What the other has less is a difference of its own. We truncate for lack of glue, but not of other additional data.
    let is_glue = |rr: &Rr| cut(ours).is_some_and(|cut| rr.owner.as_name().is_at_or_below(cut.as_name()));
    let optional = ours.additional.iter().filter(|rr| !is_glue(rr));
    let optional: usize = optional.map(|rr| COMPRESSED_SIZE + rr.rdata.len()).sum();
    ours.size.saturating_sub(optional) > limit && case.theirs.size <= limit
}

/// Octets of a record whose owner stands in the message already, without its data.
const COMPRESSED_SIZE: usize = 12;

pub(super) fn extended_error(case: &Case<'_>, difference: &Difference) -> bool {
    const EDE: u16 = 15;
    let without = |edns: &Edns| {
        let mut edns = edns.clone();
        edns.options.remove(&EDE);
        edns
    };
    let (Difference::Edns, Some(theirs), Some(ours)) = (difference, &case.theirs.edns, &case.ours.edns) else {
        return false;
    };
    without(theirs) == without(ours)
}

pub(super) fn do_with_badvers(case: &Case<'_>, difference: &Difference) -> bool {
    const BADVERS: u16 = 16;
    let (Difference::Edns, Some(theirs), Some(ours)) = (difference, &case.theirs.edns, &case.ours.edns) else {
        return false;
    };
    let rcodes = (case.theirs.rcode, case.ours.rcode);
    case.peer == Kind::Nsd && rcodes == (BADVERS, BADVERS) && Edns { dnssec_ok: true, ..theirs.clone() } == *ours
}

/// Its place in the header's fourth octet.
const CD: u8 = 0x10;

pub(super) fn cd_copied(case: &Case<'_>, difference: &Difference) -> bool {
    *difference == Difference::Flags
        && case.query.flags.checking_disabled
        && case.theirs.other_flags == case.ours.other_flags | CD
}

pub(super) fn ad_copied(case: &Case<'_>, difference: &Difference) -> bool {
    const AD: u8 = 0x20;
    *difference == Difference::Flags
        && case.peer == Kind::Bind
        && case.query.flags.authentic_data
        && case.theirs.truncated
        && case.theirs.other_flags & !CD == case.ours.other_flags | AD
}

pub(super) fn another_class(case: &Case<'_>, difference: &Difference) -> bool {
    const NOTIMP: u16 = 4;
    let is_other = case.query.qclass != Class::IN;
    match difference {
        Difference::Rcode => is_other && case.peer == Kind::Bind && case.theirs.rcode == NOTIMP,
        Difference::Question => is_other && case.peer == Kind::Nsd && case.theirs.question.is_empty(),
        _ => false,
    }
}
