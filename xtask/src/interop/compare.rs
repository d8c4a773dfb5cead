//! When two replies mean the same, and what is decided where all peers agree.
//!
//! A reply is judged aspect by aspect. Where the three peers agree on an aspect, ours must be the same; where they
//! differ, nothing is decided and it is only counted whose side ours is on. Before that, what a server may choose
//! freely is taken away:
//!
//! - the apex NS RRset beside a positive answer (RFC 2181 §6.1 allows it, RFC 1034 §4.3.2 does not ask for it);
//! - additional data other than that of a referral: ours need only be something that a peer has, be it in this reply or
//!   when asked for it;
//! - the records for ANY: RFC 8482 §4.1 lets a server choose; ours must be some of what is there;
//! - the TTL of optional data where the peers give the RRset different ones, as its zone file did (RFC 2181 §5.2);
//! - everything in a truncated reply but its flags: a resolver discards it (RFC 2181 §9);
//! - TC, where optional data made the peers' replies longer than ours.

use std::collections::BTreeSet;

use nss_wire::{Name, NameBuf, RType};

use super::answer::{Answer, Reply, Rr, Section};
use crate::client::{Query, Transport};

/// A part of a reply that is compared by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aspect {
    /// Whether there was a readable reply.
    Kind,
    Rcode,
    Authoritative,
    Truncated,
    Edns,
    Question,
    Answer,
    Authority,
    Additional,
}

/// How ours stands to the peers'.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Wherever the peers agree, ours agrees too.
    Same,
    /// The peers differ among each other; which of them ours is like.
    PeersDiffer { aspect: Aspect, like: [bool; 3] },
    /// The peers agree and ours is different.
    Different { aspect: Aspect },
    /// The peers agree, ours is different, and an RFC says that ours is right.
    Explained { by: &'static Explanation },
}

/// A difference to all peers that is kept on purpose.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) name: &'static str,
    /// The text that decides.
    pub(crate) reference: &'static str,
    applies: Case,
}

/// The cases that [`EXPLANATIONS`] know.
#[derive(Debug, PartialEq, Eq)]
enum Case {}

/// Every difference that was looked into and kept.
pub(crate) const EXPLANATIONS: &[Explanation] = &[];

impl Case {
    fn holds(&self, _query: &Query, _aspect: Aspect, _peers: [&Answer; 3], _ours: &Answer) -> bool {
        match *self {}
    }
}

/// Judges one reply. The apex is that of the zone under test.
///
/// `witnessed` are records that the peers gave when they were asked for what [`unwitnessed`] lists: size limits hide some
/// of what is there.
pub(crate) fn judge(query: &Query, apex: Name<'_>, peers: [&Reply; 3], ours: &Reply, witnessed: &Section) -> Verdict {
    let (Some(peers), Reply::Answer(ours)) = (answers(peers), ours) else {
        let kind = |reply: &Reply| std::mem::discriminant(reply);
        let like = peers.map(|peer| kind(peer) == kind(ours));
        return match (kind(peers[0]) == kind(peers[1]) && kind(peers[1]) == kind(peers[2]), like) {
            (true, [true, true, true]) => Verdict::Same,
            (true, _) => Verdict::Different { aspect: Aspect::Kind },
            (false, like) => Verdict::PeersDiffer { aspect: Aspect::Kind, like },
        };
    };
    let verdict = judge_answers(query, apex, peers, ours, witnessed);
    if let Verdict::Different { aspect } = verdict {
        let known = EXPLANATIONS.iter().find(|known| known.applies.holds(query, aspect, peers, ours));
        return known.map_or(verdict, |by| Verdict::Explained { by });
    }
    verdict
}

/// Owners and types of our records that no peer has in its reply, to be asked for one by one.
pub(crate) fn unwitnessed(peers: [&Reply; 3], ours: &Reply) -> BTreeSet<(NameBuf, RType)> {
    let (Reply::Answer(ours), Some(peers)) = (ours, answers(peers)) else { return BTreeSet::new() };
    let union = union(peers);
    let records = ours.answer.iter().chain(&ours.additional).filter(|rr| !union.contains(*rr));
    records.map(|rr| (rr.owner.clone(), RType(rr.rtype))).collect()
}

fn answers(peers: [&Reply; 3]) -> Option<[&Answer; 3]> {
    let [nsd, knot, bind] = peers.map(|reply| match reply {
        Reply::Answer(answer) => Some(answer),
        Reply::Broken(_) | Reply::Silence => None,
    });
    Some([nsd?, knot?, bind?])
}

/// All that the peers said in any section.
fn union(peers: [&Answer; 3]) -> Section {
    peers.iter().flat_map(|peer| peer.records().cloned()).collect()
}

fn judge_answers(query: &Query, apex: Name<'_>, peers: [&Answer; 3], ours: &Answer, witnessed: &Section) -> Verdict {
    let agree = |aspect, same: fn(&Answer, &Answer) -> bool| {
        judge_aspect(aspect, peers.map(|peer| same(peer, ours)), same(peers[0], peers[1]) && same(peers[1], peers[2]))
    };
    let first = [
        agree(Aspect::Rcode, |a, b| a.rcode == b.rcode),
        agree(Aspect::Authoritative, |a, b| a.authoritative == b.authoritative),
        agree(Aspect::Edns, |a, b| a.has_edns == b.has_edns),
        agree(Aspect::Question, |a, b| a.question == b.question),
    ];
    if let Some(verdict) = first.into_iter().find(|verdict| *verdict != Verdict::Same) {
        return verdict;
    }
    if query.qtype == RType::ANY {
        return judge_any(peers, ours, witnessed);
    }
    if query.transport == Transport::Udp && (ours.truncated || peers.iter().any(|peer| peer.truncated)) {
        return agree(Aspect::Truncated, |a, b| a.truncated == b.truncated);
    }
    let authorities = peers.map(|peer| required_authority(peer, apex));
    let our_authority = required_authority(ours, apex);
    let authority = judge_aspect(
        Aspect::Authority,
        [0, 1, 2].map(|index| authorities[index] == our_authority),
        authorities[0] == authorities[1] && authorities[1] == authorities[2],
    );
    let rest =
        [agree(Aspect::Answer, |a, b| a.answer == b.answer), authority, judge_additional(peers, ours, witnessed)];
    rest.into_iter().find(|verdict| *verdict != Verdict::Same).unwrap_or(Verdict::Same)
}

fn judge_aspect(aspect: Aspect, like: [bool; 3], peers_agree: bool) -> Verdict {
    match (peers_agree, like) {
        (_, [true, true, true]) => Verdict::Same,
        (true, _) => Verdict::Different { aspect },
        (false, like) => Verdict::PeersDiffer { aspect, like },
    }
}

/// Some of what the peers have, and something if they have anything.
fn judge_any(peers: [&Answer; 3], ours: &Answer, witnessed: &Section) -> Verdict {
    // A truncated reply may lack everything, so it says nothing about what there is.
    let mut whole = peers.iter().filter(|peer| !peer.truncated);
    // NSD says over UDP that there is nothing if the RRset that it has chosen does not fit; what is real is there.
    let some = ours.truncated || !ours.answer.is_empty() || whole.all(|peer| peer.answer.is_empty());
    // RFC 8482 §4.2 lets a server make up a HINFO record.
    let real = ours.answer.iter().all(|rr| is_real(rr, peers, witnessed) || rr.is(RType::HINFO));
    if some && real { Verdict::Same } else { Verdict::Different { aspect: Aspect::Answer } }
}

/// Whether a peer has the record. Its TTL may be any if the peers do not agree on one either.
fn is_real(rr: &Rr, peers: [&Answer; 3], witnessed: &Section) -> bool {
    let all = || peers.iter().flat_map(|peer| peer.records()).chain(witnessed);
    let of_rrset = |other: &&Rr| (&other.owner, other.rtype, other.class) == (&rr.owner, rr.rtype, rr.class);
    let ttls: BTreeSet<u32> = all().filter(of_rrset).map(|other| other.ttl).collect();
    all().filter(of_rrset).any(|other| other.rdata == rr.rdata && (other.ttl == rr.ttl || ttls.len() > 1))
}

/// A referral has no answer, is not authoritative, and names the servers below the cut.
fn is_referral(answer: &Answer) -> bool {
    !answer.authoritative && answer.rcode == 0 && answer.authority.iter().any(|rr| rr.is(RType::NS))
}

/// The authority section without the NS RRset of the zone itself, which an authoritative answer may have.
fn required_authority(answer: &Answer, apex: Name<'_>) -> Section {
    // With its signatures, whose data starts with the type that they cover (RFC 4034 §3.1).
    let is_ns = |rr: &Rr| rr.is(RType::NS) || rr.is(RType::RRSIG) && rr.rdata.starts_with(&RType::NS.0.to_be_bytes());
    let optional = |rr: &Rr| answer.authoritative && is_ns(rr) && apex.is_at_or_below(rr.owner.as_name());
    // A chain that leaves this zone may end in another one, whose NS RRset is as optional.
    let chained = |rr: &Rr| answer.authoritative && is_ns(rr) && !answer.answer.is_empty();
    answer.authority.iter().filter(|rr| !optional(rr) && !chained(rr)).cloned().collect()
}

fn judge_additional(peers: [&Answer; 3], ours: &Answer, witnessed: &Section) -> Verdict {
    let [nsd, knot, bind] = peers.map(|peer| &peer.additional);
    let lacks_glue = is_referral(ours)
        && nsd.iter().any(|rr| knot.contains(rr) && bind.contains(rr) && !ours.additional.contains(rr));
    let invents = ours.additional.iter().any(|rr| !is_real(rr, peers, witnessed));
    if lacks_glue || invents { Verdict::Different { aspect: Aspect::Additional } } else { Verdict::Same }
}

#[cfg(test)]
mod tests {
    use nss_wire::NameBuf;

    use super::*;

    fn rr(owner: &str, rtype: RType) -> Rr {
        Rr { owner: owner.parse().unwrap(), rtype: rtype.0, class: 1, ttl: 60, rdata: vec![1] }
    }

    fn answer(sections: [&[Rr]; 3]) -> Answer {
        let [answer, authority, additional] = sections.map(|section| section.iter().cloned().collect());
        Answer {
            rcode: 0,
            authoritative: true,
            truncated: false,
            has_edns: false,
            question: Vec::new(),
            answer,
            authority,
            additional,
        }
    }

    fn check(qtype: RType, peers: [Answer; 3], ours: Answer) -> Verdict {
        let apex: NameBuf = "example".parse().unwrap();
        let peers = peers.map(Reply::Answer);
        let query = Query::new(apex.as_name(), qtype);
        judge(&query, apex.as_name(), [&peers[0], &peers[1], &peers[2]], &Reply::Answer(ours), &Section::new())
    }

    #[test]
    fn the_apex_servers_and_their_addresses_are_optional_beside_an_answer() {
        let a = rr("www.example", RType::A);
        let (ns, glue) = (rr("example", RType::NS), rr("ns.example", RType::A));
        let full = answer([std::slice::from_ref(&a), &[ns], &[glue]]);
        let minimal = answer([&[a], &[], &[]]);
        let peers = [full.clone(), minimal.clone(), full.clone()];
        assert_eq!(check(RType::A, peers.clone(), minimal), Verdict::Same);
        assert_eq!(check(RType::A, peers, full), Verdict::Same);
    }

    #[test]
    fn a_ttl_matters() {
        let (one, mut two) = (rr("www.example", RType::A), rr("www.example", RType::A));
        two.ttl = 61;
        let (ours, peer) = (answer([&[one], &[], &[]]), answer([&[two], &[], &[]]));
        let verdict = check(RType::A, [peer.clone(), peer.clone(), peer.clone()], ours.clone());
        assert_eq!(verdict, Verdict::Different { aspect: Aspect::Answer });
        let verdict = check(RType::A, [peer.clone(), ours.clone(), peer], ours);
        assert_eq!(verdict, Verdict::PeersDiffer { aspect: Aspect::Answer, like: [false, true, false] });
    }

    #[test]
    fn a_referral_needs_the_glue_that_all_peers_give() {
        let (ns, glue) = (rr("sub.example", RType::NS), rr("ns.sub.example", RType::A));
        let mut full = answer([&[], std::slice::from_ref(&ns), &[glue]]);
        let mut bare = answer([&[], &[ns], &[]]);
        full.authoritative = false;
        bare.authoritative = false;
        let verdict = check(RType::A, [full.clone(), full.clone(), full.clone()], bare.clone());
        assert_eq!(verdict, Verdict::Different { aspect: Aspect::Additional });
        assert_eq!(check(RType::A, [full.clone(), bare.clone(), full], bare), Verdict::Same);
    }

    #[test]
    fn additional_data_that_no_peer_knows_is_different() {
        let a = rr("www.example", RType::MX);
        let plain = answer([std::slice::from_ref(&a), &[], &[]]);
        let ours = answer([&[a], &[], &[rr("mail.example", RType::A)]]);
        let verdict = check(RType::MX, [plain.clone(), plain.clone(), plain], ours);
        assert_eq!(verdict, Verdict::Different { aspect: Aspect::Additional });
    }

    #[test]
    fn additional_data_that_a_peer_has_when_asked_is_real_if_the_ttl_is() {
        let apex: NameBuf = "example".parse().unwrap();
        let (mx, a) = (rr("www.example", RType::MX), rr("mail.example", RType::A));
        let peer = Reply::Answer(answer([std::slice::from_ref(&mx), &[], &[]]));
        let ours = Reply::Answer(answer([&[mx], &[], std::slice::from_ref(&a)]));
        let peers = [&peer, &peer, &peer];
        assert_eq!(unwitnessed(peers, &ours), BTreeSet::from([(a.owner.clone(), RType::A)]));
        let query = Query::new(apex.as_name(), RType::MX);
        let check = |ttls: &[u32]| {
            let witnessed = ttls.iter().map(|&ttl| Rr { ttl, ..a.clone() }).collect();
            judge(&query, apex.as_name(), peers, &ours, &witnessed)
        };
        assert_eq!(check(&[60]), Verdict::Same);
        assert_eq!(check(&[61]), Verdict::Different { aspect: Aspect::Additional });
        assert_eq!(check(&[61, 62]), Verdict::Same);
    }

    #[test]
    fn any_may_be_answered_in_part_but_not_with_nothing() {
        let (a, txt) = (rr("example", RType::A), rr("example", RType::TXT));
        let full = answer([&[a.clone(), txt], &[], &[]]);
        let peers = [full.clone(), full.clone(), full];
        assert_eq!(check(RType::ANY, peers.clone(), answer([&[a], &[], &[]])), Verdict::Same);
        let nothing = check(RType::ANY, peers, answer([&[], &[], &[]]));
        assert_eq!(nothing, Verdict::Different { aspect: Aspect::Answer });
    }

    #[test]
    fn what_truncated_replies_to_any_lack_may_be_there() {
        let a = rr("example", RType::A);
        let truncated = Answer { truncated: true, ..answer([&[], &[], &[]]) };
        let peers = [truncated.clone(), truncated.clone(), truncated.clone()].map(Reply::Answer);
        let ours = Reply::Answer(answer([std::slice::from_ref(&a), &[], &[]]));
        let query = Query::new(a.owner.as_name(), RType::ANY);
        let check = |witnessed| judge(&query, a.owner.as_name(), [&peers[0], &peers[1], &peers[2]], &ours, &witnessed);
        assert_eq!(check(Section::from([a.clone()])), Verdict::Same);
        assert_eq!(check(Section::new()), Verdict::Different { aspect: Aspect::Answer });
        let nothing = Reply::Answer(answer([&[], &[], &[]]));
        let check = |witnessed| judge(&query, a.owner.as_name(), [&nothing, &peers[1], &peers[2]], &ours, &witnessed);
        assert_eq!(check(Section::from([a.clone()])), Verdict::Same, "what did not fit was left out");
        assert_eq!(check(Section::new()), Verdict::Different { aspect: Aspect::Answer });
    }

    #[test]
    fn silence_where_all_peers_answer_is_different() {
        let apex: NameBuf = "example".parse().unwrap();
        let query = Query::new(apex.as_name(), RType::A);
        let peer = Reply::Answer(answer([&[], &[], &[]]));
        let verdict = judge(&query, apex.as_name(), [&peer, &peer, &peer], &Reply::Silence, &Section::new());
        assert_eq!(verdict, Verdict::Different { aspect: Aspect::Kind });
        let all_silent = [&Reply::Silence, &Reply::Silence, &Reply::Silence];
        assert_eq!(judge(&query, apex.as_name(), all_silent, &Reply::Silence, &Section::new()), Verdict::Same);
    }
}
