//! In which ways two replies to one query are different.
//!
//! Sections are sets, names have no letter case, and what stands in the sections of a truncated reply means nothing (RFC
//! 2181 §9). Everything else that is not the same is a difference, and each one by itself has to be explained.

use std::collections::BTreeMap;
use std::fmt;

use nss_wire::{NameBuf, RType};

use super::answer::{Answer, Reply, Rr, Section};

/// One thing that is not the same in two replies, theirs and ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    /// Whether there was a readable reply.
    Kind,
    Rcode,
    Authoritative,
    Truncated,
    /// RA, Z, AD or CD.
    Flags,
    Edns,
    Question,
    /// Records that stand more than once in a section (RFC 2181 §5).
    Repeated,
    /// A record that stands in one of the two.
    Record {
        place: Place,
        side: Side,
        rr: Rr,
    },
    /// A record that stands in both, with different TTLs.
    Ttl {
        place: Place,
        theirs: u32,
        ours: Rr,
    },
}

/// A section with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Answer,
    Authority,
    Additional,
}

/// Who has a record that the other one has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Theirs,
    Ours,
}

impl Difference {
    /// The difference without what is particular to one question: differences with one label are of one sort.
    pub(crate) fn label(&self) -> String {
        match self {
            Difference::Kind => "kind of reply".to_owned(),
            Difference::Rcode => "RCODE".to_owned(),
            Difference::Authoritative => "AA".to_owned(),
            Difference::Truncated => "TC".to_owned(),
            Difference::Flags => "RA, Z, AD, CD".to_owned(),
            Difference::Edns => "EDNS".to_owned(),
            Difference::Question => "question".to_owned(),
            Difference::Repeated => "repeated records".to_owned(),
            Difference::Record { place, side, rr } => {
                let who = match side {
                    Side::Theirs => "theirs",
                    Side::Ours => "ours",
                };
                format!("{who} has {} in {}", shown_type(rr), place.name())
            }
            Difference::Ttl { place, ours, .. } => format!("TTL of {} in {}", shown_type(ours), place.name()),
        }
    }
}

/// The type of a record, and what a signature covers.
fn shown_type(rr: &Rr) -> String {
    match rr.covered() {
        Some(covered) => format!("RRSIG {covered}"),
        None => RType(rr.rtype).to_string(),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())?;
        match self {
            Difference::Record { rr, .. } => write!(f, ": {rr}"),
            Difference::Ttl { theirs, ours, .. } => write!(f, ": {theirs}, and ours is {ours}"),
            Difference::Kind
            | Difference::Rcode
            | Difference::Authoritative
            | Difference::Truncated
            | Difference::Flags
            | Difference::Edns
            | Difference::Question
            | Difference::Repeated => Ok(()),
        }
    }
}

impl Place {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Place::Answer => "answer",
            Place::Authority => "authority",
            Place::Additional => "additional",
        }
    }

    /// The section of a reply.
    pub(crate) fn of(self, answer: &Answer) -> &Section {
        match self {
            Place::Answer => &answer.answer,
            Place::Authority => &answer.authority,
            Place::Additional => &answer.additional,
        }
    }

    pub(crate) const ALL: [Place; 3] = [Place::Answer, Place::Authority, Place::Additional];
}

/// All differences between two replies to one query.
pub(crate) fn differences(theirs: &Reply, ours: &Reply) -> Vec<Difference> {
    let (theirs, ours) = match (theirs, ours) {
        (Reply::Answer(theirs), Reply::Answer(ours)) => (theirs, ours),
        (Reply::Silence, Reply::Silence) | (Reply::Broken(_), Reply::Broken(_)) => return Vec::new(),
        _ => return vec![Difference::Kind],
    };
    let parts = [
        (Difference::Rcode, theirs.rcode == ours.rcode),
        (Difference::Authoritative, theirs.authoritative == ours.authoritative),
        (Difference::Truncated, theirs.truncated == ours.truncated),
        (Difference::Flags, theirs.other_flags == ours.other_flags),
        (Difference::Edns, theirs.edns == ours.edns),
        (Difference::Question, theirs.question == ours.question),
        (Difference::Repeated, theirs.repeated.is_empty() && ours.repeated.is_empty()),
    ];
    let mut differences: Vec<Difference> =
        parts.into_iter().filter(|(_, same)| !same).map(|(difference, _)| difference).collect();
    if !theirs.truncated && !ours.truncated {
        for place in Place::ALL {
            let (theirs, ours) = (place.of(theirs), place.of(ours));
            if theirs != ours {
                compare_section(place, theirs, ours, &mut differences);
            }
        }
    }
    differences
}

fn compare_section(place: Place, theirs: &Section, ours: &Section, differences: &mut Vec<Difference>) {
    type Key<'a> = (&'a NameBuf, u16, u16, &'a [u8]);
    fn key(rr: &Rr) -> Key<'_> {
        (&rr.owner, rr.rtype, rr.class, &rr.rdata)
    }
    let mut theirs_only: BTreeMap<Key<'_>, &Rr> = theirs.difference(ours).map(|rr| (key(rr), rr)).collect();
    for rr in ours.difference(theirs) {
        differences.push(match theirs_only.remove(&key(rr)) {
            Some(other) => Difference::Ttl { place, theirs: other.ttl, ours: rr.clone() },
            None => Difference::Record { place, side: Side::Ours, rr: rr.clone() },
        });
    }
    let theirs_only = theirs_only.into_values();
    differences.extend(theirs_only.map(|rr| Difference::Record { place, side: Side::Theirs, rr: rr.clone() }));
}

#[cfg(test)]
mod tests {
    use super::super::answer::{rr, sections};
    use super::*;

    fn check(theirs: Answer, ours: Answer) -> Vec<String> {
        let differences = differences(&Reply::Answer(theirs), &Reply::Answer(ours));
        differences.iter().map(Difference::label).collect()
    }

    #[test]
    fn replies_that_say_the_same_are_not_different() {
        let reply = sections([&[rr("www.example", RType::A)], &[rr("example", RType::NS)], &[]]);
        assert!(check(reply.clone(), reply).is_empty());
        assert!(differences(&Reply::Silence, &Reply::Silence).is_empty());
    }

    #[test]
    fn each_part_that_is_not_the_same_is_named() {
        let theirs = sections([&[rr("www.example", RType::A)], &[], &[]]);
        let mut ours = sections([&[], &[rr("example", RType::SOA)], &[]]);
        ours.rcode = 3;
        ours.authoritative = false;
        ours.other_flags = 0x10;
        assert_eq!(
            check(theirs, ours),
            ["RCODE", "AA", "RA, Z, AD, CD", "theirs has A in answer", "ours has SOA in authority"]
        );
    }

    #[test]
    fn a_ttl_is_a_difference_of_its_own() {
        let (theirs, mut ours) = (rr("www.example", RType::A), rr("www.example", RType::A));
        ours.ttl += 1;
        assert_eq!(check(sections([&[theirs], &[], &[]]), sections([&[ours], &[], &[]])), ["TTL of A in answer"]);
    }

    #[test]
    fn the_sections_of_a_truncated_reply_mean_nothing() {
        let whole = sections([&[rr("www.example", RType::A)], &[], &[]]);
        let cut = Answer { truncated: true, ..sections([&[], &[], &[]]) };
        assert_eq!(check(whole, cut.clone()), ["TC"]);
        let other = Answer { truncated: true, ..sections([&[rr("www.example", RType::A)], &[], &[]]) };
        assert!(check(other, cut).is_empty());
    }

    #[test]
    fn silence_is_no_reply() {
        let reply = Reply::Answer(sections([&[], &[], &[]]));
        assert_eq!(differences(&reply, &Reply::Silence), [Difference::Kind]);
        assert_eq!(differences(&Reply::Broken("cut short".to_owned()), &reply), [Difference::Kind]);
    }
}
