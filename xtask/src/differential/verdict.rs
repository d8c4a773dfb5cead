//! What the differences of one query amount to, and the table of all queries.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nss_wire::RType;

use super::answer::{Answer, Reply};
use super::compare::{Difference, differences};
use super::explanations::{Case, EXPLANATIONS, Explanation, HANGING, Witness};
use super::fleet::Replies;
use super::hosted::Hosted;
use super::zones::{Denial, Signing};
use crate::client::Query;
use crate::servers::Kind;

/// How ours stands to the peers' replies to one query.
#[derive(Default)]
pub(crate) struct Verdict {
    /// Names of the explanations that were needed.
    pub(crate) explained: BTreeSet<&'static str>,
    pub(crate) unexplained: Vec<(Kind, Difference)>,
}

impl Verdict {
    /// Judges all differences; `whole` are the replies over TCP, if [`wants_whole`] wanted them.
    pub(crate) fn new(query: &Query, hosted: &Hosted, replies: &Replies, whole: Option<&Replies>) -> Verdict {
        let judged = [0, 1, 2].map(|index| {
            let peer = Kind::PEERS[index];
            let (theirs, ours) = (&replies[index], &replies[OURS]);
            let whole = whole.map(|whole| (&whole[index], &whole[OURS]));
            let mut found = differences(theirs, ours);
            if let (true, Some((theirs, ours))) = (found.contains(&Difference::Truncated), whole) {
                // What one of the two left out is compared where there is room for all.
                found.extend(differences(theirs, ours));
            }
            let explain = |difference: &Difference| match theirs {
                Reply::Hung => Case::hung(hosted, query, peer),
                Reply::Answer(_) | Reply::Broken(_) | Reply::Silence => {
                    Case::new(query, hosted, peer, (theirs, ours), whole).and_then(|case| case.explain(difference))
                }
            };
            found.into_iter().map(|difference| (explain(&difference), difference)).collect::<Vec<_>>()
        });
        // Somebody else who is not wrong in this way; who hung is nobody.
        let has_witness = |accused: usize, name: &str| {
            let is_free = |other: usize| judged[other].iter().all(|(by, _)| by.is_some_and(|by| by.name != name));
            (0..judged.len()).any(|other| other != accused && replies[other] != Reply::Hung && is_free(other))
        };
        let mut verdict = Verdict::default();
        for (index, differences) in judged.iter().enumerate() {
            for (explanation, difference) in differences {
                match explanation {
                    Some(Explanation { name, witness: Witness::Nobody, .. }) => drop(verdict.explained.insert(name)),
                    Some(Explanation { name, witness: Witness::Other, .. }) if has_witness(index, name) => {
                        verdict.explained.insert(name);
                    }
                    Some(_) | None => verdict.unexplained.push((Kind::PEERS[index], difference.clone())),
                }
            }
        }
        verdict
    }

    /// The sorts of what is not explained: a peer and a label each.
    pub(crate) fn labels(&self) -> BTreeSet<String> {
        let label = |(peer, difference): &(Kind, Difference)| format!("{}: {}", peer.name(), difference.label());
        self.unexplained.iter().map(label).collect()
    }
}

/// Our place among the replies.
pub(crate) const OURS: usize = 3;

/// Whether some of the replies are truncated and others are not, so that it has to be seen what all of it is.
pub(crate) fn wants_whole(replies: &Replies) -> bool {
    let truncated = |reply: &Reply| matches!(reply, Reply::Answer(Answer { truncated: true, .. }));
    let count = replies.iter().filter(|reply| truncated(reply)).count();
    0 < count && count < replies.len()
}

/// What a question came to, judged by our reply and the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    Exact,
    NoData,
    NxDomain,
    Wildcard,
    WildcardNoData,
    Cname,
    Dname,
    Referral,
    Any,
    Truncated,
    Refused,
    Error,
    Silence,
}

impl Sort {
    pub(crate) fn new(query: &Query, hosted: &Hosted, ours: &Reply) -> Sort {
        let Reply::Answer(answer) = ours else { return Sort::Silence };
        let qname = query.qname.as_name();
        let exists = || hosted.zone_of(qname).is_some_and(|(_, zone)| zone.has_name(qname));
        let at_qname = |rtype| answer.answer.iter().any(|rr| rr.is(rtype) && rr.owner == query.qname);
        match answer.rcode {
            5 => return Sort::Refused,
            0 | 3 | 6 => {}
            _ => return Sort::Error,
        }
        if answer.truncated {
            return Sort::Truncated;
        }
        if query.qtype == RType::ANY {
            return Sort::Any;
        }
        if answer.answer.iter().any(|rr| rr.is(RType::DNAME) && qname.is_below(rr.owner.as_name())) {
            return Sort::Dname;
        }
        if at_qname(RType::CNAME) && query.qtype != RType::CNAME {
            return Sort::Cname;
        }
        let is_referral = !answer.authoritative && answer.authority.iter().any(|rr| rr.is(RType::NS));
        match (is_referral, answer.answer.is_empty(), answer.rcode) {
            (true, _, _) => Sort::Referral,
            (_, _, 3) => Sort::NxDomain,
            (_, true, _) if exists() => Sort::NoData,
            (_, true, _) => Sort::WildcardNoData,
            (_, false, _) if exists() => Sort::Exact,
            (_, false, _) => Sort::Wildcard,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Sort::Exact => "exact",
            Sort::NoData => "NODATA",
            Sort::NxDomain => "NXDOMAIN",
            Sort::Wildcard => "wildcard",
            Sort::WildcardNoData => "wildcard NODATA",
            Sort::Cname => "CNAME",
            Sort::Dname => "DNAME",
            Sort::Referral => "referral",
            Sort::Any => "ANY",
            Sort::Truncated => "truncated",
            Sort::Refused => "refused",
            Sort::Error => "other RCODE",
            Sort::Silence => "silence",
        }
    }
}

/// How a zone denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Signed {
    Not,
    Nsec,
    Nsec3,
    OptOut,
}

impl Signed {
    pub(crate) fn new(signing: Option<&Signing>) -> Signed {
        match signing.map(|signing| &signing.denial) {
            None => Signed::Not,
            Some(Denial::Nsec) => Signed::Nsec,
            Some(Denial::Nsec3 { opt_out: false, .. }) => Signed::Nsec3,
            Some(Denial::Nsec3 { opt_out: true, .. }) => Signed::OptOut,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Signed::Not => "unsigned",
            Signed::Nsec => "NSEC",
            Signed::Nsec3 => "NSEC3",
            Signed::OptOut => "opt-out",
        }
    }
}

/// Counts of all verdicts.
#[derive(Default)]
pub(crate) struct Table {
    rows: BTreeMap<(Sort, Signed), Row>,
    explained: BTreeMap<&'static str, usize>,
    unexplained: BTreeMap<String, usize>,
}

#[derive(Clone, Copy, Default)]
struct Row {
    queries: usize,
    agree: usize,
    explained: usize,
    unexplained: usize,
}

impl Row {
    fn add(&mut self, other: Row) {
        self.queries += other.queries;
        self.agree += other.agree;
        self.explained += other.explained;
        self.unexplained += other.unexplained;
    }
}

impl Table {
    pub(crate) fn count(&mut self, sort: Sort, signed: Signed, verdict: &Verdict) {
        let is_explained = verdict.unexplained.is_empty();
        let agree = is_explained && verdict.explained.is_empty();
        self.rows.entry((sort, signed)).or_default().add(Row {
            queries: 1,
            agree: usize::from(agree),
            explained: usize::from(is_explained && !agree),
            unexplained: usize::from(!is_explained),
        });
        for name in &verdict.explained {
            *self.explained.entry(name).or_default() += 1;
        }
        for label in verdict.labels() {
            *self.unexplained.entry(label).or_default() += 1;
        }
    }

    fn total(&self) -> Row {
        self.rows.values().fold(Row::default(), |mut sum, row| {
            sum.add(*row);
            sum
        })
    }

    pub(crate) fn queries(&self) -> usize {
        self.total().queries
    }

    pub(crate) fn unexplained(&self) -> usize {
        self.total().unexplained
    }
}

impl fmt::Display for Table {
    /// Markdown, so that it can be quoted as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| question | zone | queries | all agree | explained | unexplained |")?;
        writeln!(f, "|---|---|--:|--:|--:|--:|")?;
        let line = |f: &mut fmt::Formatter<'_>, sort: &str, signed: &str, row: &Row| {
            let Row { queries, agree, explained, unexplained } = row;
            writeln!(f, "| {sort} | {signed} | {queries} | {agree} | {explained} | {unexplained} |")
        };
        for ((sort, signed), row) in &self.rows {
            line(f, sort.name(), signed.name(), row)?;
        }
        line(f, "all", "", &self.total())?;
        writeln!(f, "\n| explanation | queries | text |\n|---|--:|---|")?;
        for Explanation { name, reference, .. } in EXPLANATIONS.iter().chain([&HANGING]) {
            if let Some(count) = self.explained.get(name) {
                writeln!(f, "| {name} | {count} | {reference} |")?;
            }
        }
        if !self.unexplained.is_empty() {
            writeln!(f, "\n| unexplained | queries |\n|---|--:|")?;
        }
        self.unexplained.iter().try_for_each(|(label, count)| writeln!(f, "| {label} | {count} |"))
    }
}

#[cfg(test)]
mod tests {
    use nss_wire::NameBuf;

    use super::super::answer::{rr, sections};
    use super::super::hosted::ZoneData;
    use super::*;

    /// A parent with glue in the child, and the child, which has a wildcard for that name.
    fn hosted() -> Hosted {
        let mut hosted = Hosted::default();
        let head = |apex: &str| {
            format!("{apex}. 60 IN SOA a.example. b.example. 1 2 3 4 60\n{apex}. 60 IN NS ns.sub.example.\n")
        };
        let parent = head("example") + "sub.example. 60 IN NS ns.sub.example.\nns.sub.example. 60 IN A 192.0.2.1\n";
        let child = head("sub.example") + "*.sub.example. 60 IN TXT x\n";
        for (apex, text) in [("example", parent), ("sub.example", child)] {
            let apex: NameBuf = apex.parse().unwrap();
            hosted.add(&apex, ZoneData::read(&apex, text.as_bytes()).unwrap());
        }
        hosted
    }

    /// The verdict where the first peer has no answer, and the others reply what is given.
    fn verdict(others: [Reply; 3]) -> Verdict {
        let name: NameBuf = "ns.sub.example".parse().unwrap();
        let [knot, bind, ours] = others;
        let nsd = Reply::Answer(sections([&[], &[], &[]]));
        Verdict::new(&Query::new(name.as_name(), RType::TXT), &hosted(), &[nsd, knot, bind, ours], None)
    }

    #[test]
    fn a_peer_is_wrong_only_if_another_one_says_so() {
        let right = || Reply::Answer(sections([&[rr("ns.sub.example", RType::TXT)], &[], &[]]));
        let nothing = || Reply::Answer(sections([&[], &[], &[]]));
        let one = verdict([right(), right(), right()]);
        assert_eq!(one.explained.iter().copied().collect::<Vec<_>>(), ["name that the parent has too"]);
        assert!(one.unexplained.is_empty());
        let alone = verdict([nothing(), nothing(), right()]);
        assert!(alone.explained.is_empty());
        let label = |peer| format!("{peer}: ours has TXT in answer");
        assert_eq!(alone.labels().into_iter().collect::<Vec<_>>(), ["BIND", "Knot", "NSD"].map(label));
        let hung = verdict([Reply::Hung, nothing(), right()]);
        assert!(hung.labels().contains(&label("NSD")), "who hung is no witness");
    }

    #[test]
    fn the_table_counts_each_query_once() {
        let mut table = Table::default();
        let unexplained = Verdict { unexplained: vec![(Kind::Nsd, Difference::Rcode)], ..Verdict::default() };
        table.count(Sort::Exact, Signed::Not, &Verdict::default());
        table.count(
            Sort::Exact,
            Signed::Not,
            &Verdict { explained: ["some of ANY", "CD copied"].into(), ..Verdict::default() },
        );
        table.count(Sort::NxDomain, Signed::Nsec3, &unexplained);
        assert_eq!((table.queries(), table.unexplained()), (3, 1));
        let text = table.to_string();
        for line in [
            "| exact | unsigned | 2 | 1 | 1 | 0 |",
            "| NXDOMAIN | NSEC3 | 1 | 0 | 0 | 1 |",
            "| all |  | 3 | 1 | 1 | 1 |",
            "| CD copied | 1 | RFC 4035 §3.1.6",
            "| NSD: RCODE | 1 |",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn questions_are_sorted_by_what_they_came_to() {
        let sort = |name: &str, rtype, answer: Answer| {
            let name: NameBuf = name.parse().unwrap();
            Sort::new(&Query::new(name.as_name(), rtype), &hosted(), &Reply::Answer(answer))
        };
        let empty = || sections([&[], &[], &[]]);
        let with = |name| sections([&[rr(name, RType::TXT)], &[], &[]]);
        assert_eq!(sort("sub.example", RType::TXT, with("sub.example")), Sort::Exact);
        assert_eq!(sort("x.sub.example", RType::TXT, with("x.sub.example")), Sort::Wildcard);
        assert_eq!(sort("sub.example", RType::A, empty()), Sort::NoData);
        assert_eq!(sort("x.sub.example", RType::A, empty()), Sort::WildcardNoData);
        assert_eq!(sort("x.example", RType::A, Answer { rcode: 3, ..empty() }), Sort::NxDomain);
        assert_eq!(sort("x.test", RType::A, Answer { rcode: 5, ..empty() }), Sort::Refused);
        let referral = Answer { authoritative: false, ..sections([&[], &[rr("sub.example", RType::NS)], &[]]) };
        assert_eq!(sort("sub.example", RType::A, referral), Sort::Referral);
    }
}
