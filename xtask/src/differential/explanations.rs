//! Every difference between a peer and us that was looked into, and the text that allows or decides it.
//!
//! An explanation says as narrowly as it can when it holds: of which peer, for which questions, and with what in the zone.

mod aliases;
mod denial;
mod header;
mod records;

use nss_wire::{Name, NameBuf, RType};

use super::answer::{Answer, Reply};
use super::compare::Difference;
use super::hosted::{Chain, Found, Hosted};
use crate::client::{Query, Transport};
use crate::servers::Kind;

/// Why a difference is no mistake of ours.
pub(crate) struct Explanation {
    pub(crate) name: &'static str,
    /// The text that decides.
    pub(crate) reference: &'static str,
    applies: fn(&Case<'_>, &Difference) -> bool,
    pub(crate) witness: Witness,
}

/// Who has to say the same as we do for an explanation to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    /// What both say is allowed.
    Nobody,
    /// The peer is wrong, so there has to be another one that is not wrong in this way.
    Other,
}

/// What a peer and we answered to one query.
pub(crate) struct Case<'a> {
    query: &'a Query,
    hosted: &'a Hosted,
    peer: Kind,
    theirs: &'a Answer,
    ours: &'a Answer,
    /// Theirs and ours over TCP, asked for when only some replies are truncated.
    whole: Option<(&'a Answer, &'a Answer)>,
}

impl<'a> Case<'a> {
    /// None if one of the two did not answer, which nothing explains.
    pub(crate) fn new(
        query: &'a Query,
        hosted: &'a Hosted,
        peer: Kind,
        (theirs, ours): (&'a Reply, &'a Reply),
        whole: Option<(&'a Reply, &'a Reply)>,
    ) -> Option<Case<'a>> {
        fn answers<'a>(pair: (&'a Reply, &'a Reply)) -> Option<(&'a Answer, &'a Answer)> {
            match pair {
                (Reply::Answer(theirs), Reply::Answer(ours)) => Some((theirs, ours)),
                _ => None,
            }
        }
        let (theirs, ours) = answers((theirs, ours))?;
        Some(Case { query, hosted, peer, theirs, ours, whole: whole.and_then(answers) })
    }

    /// What explains that a peer hung.
    pub(crate) fn hung(hosted: &Hosted, query: &Query, peer: Kind) -> Option<&'static Explanation> {
        let is_large = |name: &NameBuf| {
            let Some((apex, zone)) = hosted.zone_of(name.as_name()) else { return false };
            match zone.find(apex.as_name(), name.as_name()) {
                Found::Node(source) | Found::Wildcard(source) => {
                    zone.rrset(source.as_name(), query.qtype.0).len() > NAMES_OF_KNOT_MAX
                }
                Found::Cut(_) | Found::Dname(_) | Found::Nobody => false,
            }
        };
        let is_it = hosted.chain(query.qname.as_name()).names.iter().any(is_large);
        Some(&HANGING).filter(|_| peer == Kind::Knot && is_it)
    }

    /// The first explanation that fits a difference.
    pub(crate) fn explain(&self, difference: &Difference) -> Option<&'static Explanation> {
        EXPLANATIONS.iter().find(|explanation| (explanation.applies)(self, difference))
    }

    /// What the zone of the question has for its name.
    fn found(&self) -> Option<Found> {
        let name = self.query.qname.as_name();
        let (apex, zone) = self.hosted.zone_of(name)?;
        Some(zone.find(apex.as_name(), name))
    }

    /// Octets that the asker takes over UDP; servers here send no more than 1232.
    fn size_limit(&self) -> usize {
        match (self.query.transport, self.query.edns) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            (Transport::Udp, None) => 512,
            (Transport::Udp, Some(edns)) => edns.payload_size.clamp(512, 1232).into(),
        }
    }

    /// The name of the question and those that it is an alias for.
    fn chain(&self) -> Chain {
        self.hosted.chain(self.query.qname.as_name())
    }

    /// The apex of the zone that a name is in.
    fn apex(&self, name: Name<'_>) -> Option<&'a NameBuf> {
        self.hosted.zone_of(name).map(|(apex, _)| apex)
    }

    /// The answers to compare what stands in sections: over TCP if they had to be asked for again.
    fn sections(&self) -> (&'a Answer, &'a Answer) {
        self.whole.unwrap_or((self.theirs, self.ours))
    }
}

/// For who has no answer, and so is no witness.
pub(crate) static HANGING: Explanation = Explanation {
    name: "several names in an RRset",
    reference: "RFC 1034 §4.3.2 step 6 has the answer sent; Knot 3.2 may stop answering anything at one over UDP, and is started again",
    applies: |_, _| false,
    witness: Witness::Nobody,
};

/// Knot has not been seen to hang at fewer.
const NAMES_OF_KNOT_MAX: usize = 2;

/// All of them, the narrow ones before the wide ones.
pub(crate) static EXPLANATIONS: &[Explanation] = &[
    Explanation {
        name: "truncated for lack of room",
        reference: "RFC 2181 §9: names are compressed more or less well, and what is optional is left out or not",
        applies: header::room,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "extended error",
        reference: "RFC 8914 §2: the option may be in any reply",
        applies: header::extended_error,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "DO with BADVERS",
        reference: "RFC 3225 §3 has DO copied into the reply; NSD clears it",
        applies: header::do_with_badvers,
        witness: Witness::Other,
    },
    Explanation {
        name: "CD copied",
        reference: "RFC 4035 §3.1.6: an authoritative reply should have CD clear",
        applies: header::cd_copied,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "AD in a truncated reply",
        reference: "RFC 4035 §3.1.6: AD is set only if all data is authentic; BIND copies it",
        applies: header::ad_copied,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "another class",
        reference: "RFC 1035 §4.1.1 leaves open how a class without zones is refused",
        applies: header::another_class,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "endless aliases",
        reference: "RFC 1034 §3.6.2 has a loop signalled as an error and leaves open by whom: BIND does, the others stop sooner or later",
        applies: aliases::endless_aliases,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "many aliases",
        reference: "RFC 1034 §3.6.2 sets no limit; Knot stops after five, BIND after eleven, NSD at a DNAME met again",
        applies: aliases::many_aliases,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "some of ANY",
        reference: "RFC 8482 §4.1: one or more of the RRsets at the name",
        applies: records::some_of_any,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "ANY below a DNAME",
        reference: "RFC 8482 §4.1: one or more of the RRsets; NSD and Knot go on to the target",
        applies: aliases::any_below_dname,
        witness: Witness::Other,
    },
    Explanation {
        name: "some of RRSIG",
        reference: "RFC 8482 §7: RRSIG is treated as ANY is",
        applies: records::some_of_rrsig,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "NSEC of a cut asked for",
        reference: "RFC 4035 §3.1.4.1 lets DS alone pass by the referral of RFC 1034 §4.3.2 step 3b; BIND lets NSEC too",
        applies: denial::nsec_of_cut,
        witness: Witness::Other,
    },
    Explanation {
        name: "NSEC or NSEC3 of an alias asked for",
        reference: "RFC 1034 §4.3.2 step 3a: an alias without such records is followed; BIND and Knot stop for NSEC, NSD for NSEC3",
        applies: aliases::denial_of_alias,
        witness: Witness::Other,
    },
    Explanation {
        name: "RRSIG of an alias asked for",
        reference: "RFC 8482 §7: RRSIG is treated as ANY is, which an alias matches (RFC 1034 §3.6.2); NSD follows",
        applies: aliases::rrsig_of_alias,
        witness: Witness::Other,
    },
    Explanation {
        name: "hashed name asked for",
        reference: "RFC 5155 §7.2.8: the owner of an NSEC3 record is no name of the zone, and a wildcard stands for it; not so with NSD",
        applies: denial::hashed_name,
        witness: Witness::Other,
    },
    Explanation {
        name: "referral behind an alias",
        reference: "RFC 1034 §4.3.2 step 3a goes back to step 1 and so to step 3b; BIND gives the alias alone",
        applies: aliases::referral_behind_alias,
        witness: Witness::Other,
    },
    Explanation {
        name: "glue from a wildcard",
        reference: "RFC 4592 §3.3: a wildcard answers where a name is looked for and not found, which glue is not; NSD and Knot use it",
        applies: records::glue_from_wildcard,
        witness: Witness::Other,
    },
    Explanation {
        name: "no room for glue",
        reference: "RFC 9471 §3.1 wants TC then; NSD and BIND leave glue out",
        applies: records::no_room_for_glue,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "no NSEC3 record for the encloser",
        reference: "RFC 5155 §7.2.1: opt-out may leave it out, then one above it is the closest that can be proved; Knot gives nothing, NSD others",
        applies: denial::opted_out_encloser,
        witness: Witness::Other,
    },
    Explanation {
        name: "name that the parent has too",
        reference: "RFC 1034 §4.2: zones are separate; to NSD a name or wildcard exists in a child for which the parent has glue or occluded data",
        applies: denial::name_of_parent,
        witness: Witness::Other,
    },
    Explanation {
        name: "chain into another zone",
        reference: "RFC 1034 §4.3.2 step 3a lets NSD go on in any zone that it has; RFC 5452 §6: only data of the zone asked counts",
        applies: aliases::chain_into_another_zone,
        witness: Witness::Other,
    },
    Explanation {
        name: "another proof",
        reference: "RFC 4035 §3.1.3, RFC 5155 §7.2: ours proves all that has to be proved, theirs has more or something else",
        applies: denial::another_proof,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "TTLs of one RRset",
        reference: "RFC 2181 §5.2: different ones in the zone file are the lowest of them; the peers take the first or all",
        applies: records::ttls,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "repeated records",
        reference: "RFC 2181 §5: a record is in an RRset once; Knot gives some addresses twice, NSD what a loop leads to again",
        applies: records::repeated,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "apex NS RRset beside an answer",
        reference: "RFC 1034 §4.3.2 does not ask for it, RFC 2181 §5.4.1 allows it",
        applies: records::apex_servers,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "sibling glue",
        reference: "RFC 9471 §3.2: may be left out of a referral",
        applies: records::sibling_glue,
        witness: Witness::Nobody,
    },
    Explanation {
        name: "additional data",
        reference: "RFC 1034 §4.3.2 step 6: what may be useful is the server's choice",
        applies: records::additional,
        witness: Witness::Nobody,
    },
];

/// The cut that our reply refers to, be it behind aliases: we give no other NS records in the authority section.
fn cut(ours: &Answer) -> Option<&NameBuf> {
    ours.authority.iter().find(|rr| rr.is(RType::NS)).map(|rr| &rr.owner)
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Edns, Section, sections};
    use super::super::compare::differences;
    use nss_wire::RType;

    use super::super::hosted::ZoneData;
    use super::*;
    use crate::client::Flags;

    const ZONE: &str = "example. 300 IN SOA ns.example. host.example. 1 2 3 4 60
example. 300 IN NS ns.example.
ns.example. 300 IN A 192.0.2.1
www.example. 300 IN A 192.0.2.2
www.example. 60 IN A 192.0.2.3
www.example. 300 IN TXT x
alias.example. 300 IN CNAME www.example.
loop.example. 300 IN CNAME loop.example.
away.example. 300 IN CNAME www.other.
old.example. 300 IN DNAME example.
sub.example. 300 IN NS ns.sub.example.
sub.example. 300 IN NS ns.example.
ns.sub.example. 300 IN A 192.0.2.4
";

    const OTHER: &str = "other. 300 IN SOA ns.example. host.example. 1 2 3 4 60
other. 300 IN NS ns.example.
www.other. 300 IN A 192.0.2.5
";

    fn hosted(zones: &[(&str, &str)]) -> Hosted {
        let mut hosted = Hosted::default();
        for (apex, text) in zones {
            let apex: NameBuf = apex.parse().unwrap();
            hosted.add(&apex, ZoneData::read(&apex, text.as_bytes()).unwrap());
        }
        hosted
    }

    /// A reply with the records of zone lines in the three sections.
    fn reply(lines: [&str; 3]) -> Answer {
        let apex: NameBuf = "example".parse().unwrap();
        let [answer, authority, additional] = lines.map(|text| -> Section {
            ZoneData::read(&apex, format!("{text}\n").as_bytes()).unwrap().records().cloned().collect()
        });
        Answer { answer, authority, additional, ..sections([&[], &[], &[]]) }
    }

    fn query(question: &str) -> Query {
        let (name, rtype) = question.split_once(' ').unwrap();
        let name: NameBuf = name.parse().unwrap();
        Query::new(name.as_name(), rtype.parse().unwrap())
    }

    /// What explains the differences, one after the other; a dash for what is not explained.
    #[track_caller]
    fn check(peer: Kind, query: &Query, theirs: &Answer, ours: &Answer, expected: &[&str]) {
        check_in(&hosted(&[("example", ZONE), ("other", OTHER)]), peer, query, [theirs, ours], expected);
    }

    #[track_caller]
    fn check_in(hosted: &Hosted, peer: Kind, query: &Query, [theirs, ours]: [&Answer; 2], expected: &[&str]) {
        let (theirs, ours) = (Reply::Answer(theirs.clone()), Reply::Answer(ours.clone()));
        let case = Case::new(query, hosted, peer, (&theirs, &ours), None).unwrap();
        let differences = differences(&theirs, &ours);
        let explained: Vec<&str> =
            differences.iter().map(|difference| case.explain(difference).map_or("-", |it| it.name)).collect();
        assert_eq!(explained, expected, "{differences:?}");
    }

    const EMPTY: [&str; 3] = ["", "", ""];

    #[test]
    fn flags_are_explained_only_as_copies() {
        let mut asked = query("www.example TXT");
        let (mut theirs, ours) = (reply(EMPTY), reply(EMPTY));
        theirs.other_flags = 0x10;
        check(Kind::Bind, &asked, &theirs, &ours, &["-"]);
        asked.flags = Flags { checking_disabled: true, ..Flags::default() };
        check(Kind::Bind, &asked, &theirs, &ours, &["CD copied"]);
        check(Kind::Bind, &asked, &ours, &theirs, &["-"]);
        theirs.other_flags = 0x20;
        check(Kind::Bind, &asked, &theirs, &ours, &["-"]);
    }

    #[test]
    fn of_edns_a_peer_may_have_the_extended_error_more() {
        let asked = query("www.example TXT");
        let edns = Edns { version: 0, payload_size: 1232, dnssec_ok: true, options: [].into() };
        let with = |edns: &Edns| Answer { edns: Some(edns.clone()), ..reply(EMPTY) };
        let options = |code| with(&Edns { options: [code].into(), ..edns.clone() });
        check(Kind::Nsd, &asked, &options(15), &with(&edns), &["extended error"]);
        check(Kind::Nsd, &asked, &options(3), &with(&edns), &["-"]);
        let mut theirs = with(&Edns { dnssec_ok: false, ..edns.clone() });
        check(Kind::Nsd, &asked, &theirs, &with(&edns), &["-"]);
        theirs.rcode = 16;
        check(Kind::Nsd, &asked, &theirs, &Answer { rcode: 16, ..with(&edns) }, &["DO with BADVERS"]);
        check(Kind::Knot, &asked, &theirs, &Answer { rcode: 16, ..with(&edns) }, &["-"]);
    }

    #[test]
    fn any_is_some_of_what_is_there_and_not_nothing_and_not_invented() {
        let asked = query("www.example ANY");
        let txt = reply(["www.example. 300 IN TXT x", "", ""]);
        let a = reply(["www.example. 60 IN A 192.0.2.3", "", ""]);
        check(Kind::Bind, &asked, &txt, &a, &["some of ANY"; 2]);
        check(Kind::Bind, &asked, &txt, &reply(EMPTY), &["-"]);
        let invented = reply(["www.example. 300 IN TXT y", "", ""]);
        check(Kind::Bind, &asked, &txt, &invented, &["-", "some of ANY"]);
        check(Kind::Bind, &query("www.example TXT"), &txt, &a, &["-"; 2]);
    }

    #[test]
    fn of_the_ttls_in_the_zone_file_ours_is_the_lowest() {
        let asked = query("www.example A");
        let with = |ttl: u32| reply([&format!("www.example. {ttl} IN A 192.0.2.2"), "", ""]);
        check(Kind::Bind, &asked, &with(300), &with(60), &["TTLs of one RRset"]);
        check(Kind::Bind, &asked, &with(60), &with(300), &["-"]);
        check(Kind::Bind, &asked, &with(299), &with(60), &["-"]);
        // What the parent has of the name, and must not answer with, is another RRset.
        let child = "www.example. 60 IN A 192.0.2.1\nwww.example. 300 IN A 192.0.2.2";
        let zones = hosted(&[("example", "www.example. 0 IN A 192.0.2.2"), ("www.example", child)]);
        check_in(&zones, Kind::Knot, &asked, [&with(300), &with(60)], &["TTLs of one RRset"]);
        check_in(&zones, Kind::Knot, &asked, [&with(300), &with(0)], &["-"]);
    }

    #[test]
    fn to_nsd_a_name_exists_if_any_zone_above_has_it() {
        let asked = query("a.b.c.example AAAA");
        let missing = Answer { rcode: 3, ..reply(EMPTY) };
        for above in ["a.b.c.example. 300 IN A 192.0.2.1", "*.b.c.example. 300 IN A 192.0.2.1"] {
            let zones = hosted(&[("example", above), ("c.example", ""), ("b.c.example", "")]);
            check_in(&zones, Kind::Nsd, &asked, [&reply(EMPTY), &missing], &["name that the parent has too"]);
            check_in(&zones, Kind::Knot, &asked, [&reply(EMPTY), &missing], &["-"]);
        }
        let zones = hosted(&[("example", "a.example. 300 IN A 192.0.2.1"), ("b.c.example", "")]);
        check_in(&zones, Kind::Nsd, &asked, [&reply(EMPTY), &missing], &["-"]);
    }

    #[test]
    fn additional_data_is_real_and_about_what_is_there() {
        let asked = query("example NS");
        let ns = "example. 300 IN NS ns.example.";
        let with = |additional: &str| reply([ns, "", additional]);
        check(Kind::Nsd, &asked, &with("ns.example. 300 IN A 192.0.2.1"), &with(""), &["additional data"]);
        check(Kind::Nsd, &asked, &with(""), &with("ns.example. 300 IN A 192.0.2.1"), &["additional data"]);
        check(Kind::Nsd, &asked, &with(""), &with("ns.example. 300 IN A 192.0.2.9"), &["-"]);
        check(Kind::Nsd, &asked, &with(""), &with("www.example. 300 IN TXT x"), &["-"]);
    }

    #[test]
    fn a_referral_needs_the_glue_below_the_cut_and_no_other() {
        let asked = query("www.sub.example A");
        let servers = "sub.example. 300 IN NS ns.sub.example.\nsub.example. 300 IN NS ns.example.";
        let with = |additional: &str| Answer { authoritative: false, ..reply(["", servers, additional]) };
        let (glue, sibling) = ("ns.sub.example. 300 IN A 192.0.2.4", "ns.example. 300 IN A 192.0.2.1");
        check(Kind::Nsd, &asked, &with(sibling), &with(""), &["sibling glue"]);
        check(Kind::Nsd, &asked, &with(glue), &with(""), &["-"]);
        check(Kind::Nsd, &asked, &with(""), &with(glue), &["-"]);
        // There is room for it.
        assert!(with("").size < 400);
        let full = Answer { size: 500, ..with("") };
        check(Kind::Nsd, &asked, &full, &with(glue), &["no room for glue"]);
        check(Kind::Knot, &asked, &full, &with(glue), &["-"]);
    }

    #[test]
    fn aliases_that_never_end_may_be_an_error_and_others_may_not() {
        let alias = |name: &str| reply([&format!("{name}.example. 300 IN CNAME {name}.example."), "", ""]);
        let failed = |name| Answer { rcode: 2, ..alias(name) };
        check(Kind::Bind, &query("loop.example A"), &failed("loop"), &alias("loop"), &["endless aliases"]);
        check(Kind::Nsd, &query("loop.example A"), &failed("loop"), &alias("loop"), &["-"]);
        check(Kind::Bind, &query("alias.example A"), &failed("alias"), &alias("alias"), &["-"]);
    }

    #[test]
    fn only_nsd_goes_on_in_another_zone_and_only_with_what_is_there() {
        let asked = query("away.example A");
        let alias = "away.example. 300 IN CNAME www.other.";
        let ours = reply([alias, "", ""]);
        let mut theirs = ours.clone();
        let other = ZoneData::read(&"other".parse().unwrap(), OTHER.as_bytes()).unwrap();
        theirs.answer.extend(other.records().filter(|rr| rr.is(RType::A)).cloned());
        check(Kind::Nsd, &asked, &theirs, &ours, &["chain into another zone"]);
        check(Kind::Knot, &asked, &theirs, &ours, &["-"]);
        check(Kind::Nsd, &query("alias.example A"), &theirs, &ours, &["-"]);
    }

    #[test]
    fn an_apex_ns_rrset_is_the_peers_to_add() {
        let asked = query("www.example TXT");
        let with = |authority: &str| reply(["www.example. 300 IN TXT x", authority, ""]);
        let ns = with("example. 300 IN NS ns.example.");
        check(Kind::Nsd, &asked, &ns, &with(""), &["apex NS RRset beside an answer"]);
        check(Kind::Nsd, &asked, &with(""), &ns, &["-"]);
    }
}
