//! A disagreement for a person to look at: shrunk, with the zone files, the query, and what each server answers.

use std::fmt;
use std::time::Duration;

use super::fleet::{Fleet, Loaded, Replies, over_tcp};
use super::programs::Programs;
use super::shrink::{Budget, Specimen, shrink};
use super::site::Site;
use super::verdict::{Verdict, wants_whole};
use super::zones::{Denial, Signer, Zone};
use crate::client::{Flags, Query, Transport};
use crate::failure::{Failure, Outcome};
use crate::servers::Kind;

/// Shrinks a specimen and shows it: the zone files, the query for kdig, and what each server answers.
pub(crate) fn report(label: &str, specimen: Specimen, budget: Budget, programs: &dyn Programs) -> Outcome<String> {
    let before = specimen.record_count();
    let (small, tries) = minimal(label, specimen, budget, programs);
    let (verdict, replies) = show(&small, programs)?;
    let mut text = format!("{before} records shrunk to {} in {tries} tries\n", small.record_count());
    for zone in &small.zones {
        text.push_str(&format!("; {}.zone, {}\n{}", zone.name, Signature(zone), zone.text()));
    }
    text.push_str(&Shown { query: &small.query, replies: &replies, verdict: &verdict }.to_string());
    Ok(text)
}

/// A specimen as small as it can be while it shows a disagreement of the same label.
pub(crate) fn minimal(label: &str, specimen: Specimen, budget: Budget, programs: &dyn Programs) -> (Specimen, usize) {
    // What cannot be tried, because a signer or a server refuses it, shows nothing.
    shrink(specimen, budget, |candidate| {
        show(candidate, programs).is_ok_and(|(verdict, _)| verdict.labels().contains(label))
    })
}

/// Hosts the zones of a specimen and asks its query.
fn show(specimen: &Specimen, programs: &dyn Programs) -> Outcome<(Verdict, Replies)> {
    let site = Site::new(&specimen.zones, programs)?;
    if !site.refused.is_empty() {
        return Err(Failure::new("a signer refuses a zone"));
    }
    let mut fleet = Fleet::start(site, programs)?;
    for zone in &specimen.zones {
        if fleet.loaded(&zone.apex, LOAD_TIME)? != Loaded::Everywhere {
            return Err(Failure::new(format!("not all servers load {}", zone.name)));
        }
    }
    let mut queries = [specimen.query.clone()];
    let (replies, whole) = ask(&mut fleet, &mut queries)?.pop().ok_or_else(|| Failure::new("nothing was asked"))?;
    let verdict = Verdict::new(&queries[0], &fleet.site.hosted, &replies, whole.as_ref());
    fleet.stop()?;
    Ok((verdict, replies))
}

/// Asks all; with each query's replies come those over TCP, if they are needed to judge it.
pub(crate) fn ask(fleet: &mut Fleet<'_>, queries: &mut [Query]) -> Outcome<Vec<(Replies, Option<Replies>)>> {
    let replies = fleet.ask(queries)?;
    let wanted = |replies: &Replies| wants_whole(replies);
    let mut again: Vec<Query> =
        queries.iter().zip(&replies).filter(|(_, replies)| wanted(replies)).map(|(query, _)| over_tcp(query)).collect();
    let mut whole = fleet.ask(&mut again)?.into_iter();
    Ok(replies
        .into_iter()
        .map(|replies| {
            let whole = if wanted(&replies) { whole.next() } else { None };
            (replies, whole)
        })
        .collect())
}

/// A few zones load at once, and many of those that are tried are refused.
const LOAD_TIME: Duration = Duration::from_millis(500);

/// A query, what each server answered, and what is not explained of it.
pub(crate) struct Shown<'a> {
    pub(crate) query: &'a Query,
    pub(crate) replies: &'a Replies,
    pub(crate) verdict: &'a Verdict,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", KdigLine(self.query))?;
        for (kind, reply) in Kind::ALL.iter().zip(self.replies) {
            write!(f, "\n  {}\n{reply}", kind.name())?;
        }
        self.verdict
            .unexplained
            .iter()
            .try_for_each(|(peer, difference)| write!(f, "\n  {}: {difference}", peer.name()))
    }
}

/// How a zone was signed, in words.
struct Signature<'a>(&'a Zone);

impl fmt::Display for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(signing) = &self.0.signing else { return f.write_str("not signed") };
        let signer = match signing.signer {
            Signer::Bind => "dnssec-signzone",
            Signer::Knot => "kzonesign",
            Signer::Ldns => "ldns-signzone",
        };
        match &signing.denial {
            Denial::Nsec => write!(f, "to be signed by {signer} with NSEC"),
            Denial::Nsec3 { iterations, salt, opt_out } => {
                let (salt, opt_out) =
                    (if salt.is_empty() { "-" } else { salt }, if *opt_out { ", opt-out" } else { "" });
                write!(f, "to be signed by {signer} with NSEC3, {iterations} iterations, salt {salt}{opt_out}")
            }
        }
    }
}

/// A query as kdig takes it.
struct KdigLine<'a>(&'a Query);

impl fmt::Display for KdigLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Query { qname, qtype, qclass, flags, edns, transport, .. } = self.0;
        write!(f, "kdig @SERVER '{qname}' {qclass} {qtype}")?;
        let Flags { recursion_desired, authentic_data, checking_disabled } = *flags;
        for (set, option) in
            [(!recursion_desired, "+nordflag"), (authentic_data, "+adflag"), (checking_disabled, "+cdflag")]
        {
            if set {
                write!(f, " {option}")?;
            }
        }
        match edns {
            None => f.write_str(" +noedns")?,
            Some(edns) => {
                write!(f, " +edns={} +bufsize={}", edns.version, edns.payload_size)?;
                if edns.dnssec_ok {
                    f.write_str(" +dnssec")?;
                }
            }
        }
        match transport {
            Transport::Udp => f.write_str(" +ignore"),
            Transport::Tcp => f.write_str(" +tcp"),
        }
    }
}
