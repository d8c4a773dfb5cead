//! Makes the zones and the query of a disagreement as small as they can be with the disagreement still there.
//!
//! The records are reduced by delta debugging (Zeller and Hildebrandt, 2002): halves, quarters and ever smaller parts are
//! left out as long as the oracle says that nothing is lost. The oracle may be anything that can be asked again and again.

use std::time::{Duration, Instant};

use nss_wire::{Class, Name, NameBuf};

use super::zones::{Denial, Signer, Signing, Zone};
use crate::client::{Flags, Query, Transport};

/// What shows a disagreement.
#[derive(Clone, Debug)]
pub(crate) struct Specimen {
    /// The zone under test is the first.
    pub(crate) zones: Vec<Zone>,
    pub(crate) query: Query,
}

impl Specimen {
    pub(crate) fn record_count(&self) -> usize {
        self.zones.iter().map(|zone| zone.lines.len()).sum()
    }
}

/// Where shrinking ends at the latest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) tries: usize,
    pub(crate) time: Duration,
}

/// Reduces a specimen; `still_differs` says whether a smaller one shows the same.
pub(crate) fn shrink(
    specimen: Specimen,
    budget: Budget,
    still_differs: impl FnMut(&Specimen) -> bool,
) -> (Specimen, usize) {
    let mut shrinker = Shrinker { best: specimen, tries: 0, budget, start: Instant::now(), still_differs };
    shrinker.zones();
    shrinker.query();
    shrinker.signing();
    shrinker.records();
    // With fewer records there is often less to ask for, and then fewer zones are needed.
    shrinker.query();
    shrinker.zones();
    (shrinker.best, shrinker.tries)
}

struct Shrinker<F> {
    best: Specimen,
    tries: usize,
    budget: Budget,
    start: Instant,
    still_differs: F,
}

impl<F: FnMut(&Specimen) -> bool> Shrinker<F> {
    /// Takes over a smaller specimen if it shows the same.
    fn attempt(&mut self, candidate: Specimen) -> bool {
        if self.tries >= self.budget.tries || self.start.elapsed() >= self.budget.time {
            return false;
        }
        self.tries += 1;
        let differs = (self.still_differs)(&candidate);
        if differs {
            self.best = candidate;
        }
        differs
    }

    /// Leaves out zones besides the first.
    fn zones(&mut self) {
        let zones = self.best.zones.clone();
        let (first, others) = zones.split_first().expect("the zone under test is there");
        let query = self.best.query.clone();
        let with = |kept: &[Zone]| Specimen {
            zones: std::iter::once(first).chain(kept).cloned().collect(),
            query: query.clone(),
        };
        minimise(others.to_vec(), |kept| self.attempt(with(kept)));
    }

    /// Simplifies the query, one property after the other, until none can be simpler.
    fn query(&mut self) {
        loop {
            let simpler = simpler_queries(&self.best.query);
            let zones = self.best.zones.clone();
            let taken = simpler.into_iter().any(|query| self.attempt(Specimen { zones: zones.clone(), query }));
            if !taken {
                return;
            }
        }
    }

    /// Signs less, or in a plainer way.
    fn signing(&mut self) {
        for index in 0..self.best.zones.len() {
            while let Some(signing) = self.best.zones[index].signing.clone() {
                let taken = simpler_signings(&signing).into_iter().any(|signing| {
                    let mut candidate = self.best.clone();
                    candidate.zones[index].signing = signing;
                    self.attempt(candidate)
                });
                if !taken {
                    break;
                }
            }
        }
    }

    /// Leaves out records; without the SOA record, which stands first, and a name server there is no zone to try.
    fn records(&mut self) {
        for index in 0..self.best.zones.len() {
            let lines = self.best.zones[index].lines.clone();
            let Some((soa, lines)) = lines.split_first() else { continue };
            let template = self.best.clone();
            let apex = template.zones[index].apex.clone();
            let is_server = |line: &String| {
                let mut words = line.split(' ');
                words.next().and_then(|owner| owner.parse().ok()).is_some_and(|owner: NameBuf| owner == apex)
                    && words.nth(2) == Some("NS")
            };
            minimise(lines.to_vec(), |kept| {
                if !kept.iter().any(is_server) {
                    return false;
                }
                let mut candidate = template.clone();
                candidate.zones[index].lines = std::iter::once(soa).chain(kept).cloned().collect();
                self.attempt(candidate)
            });
        }
    }
}

/// Leaves out as many items as `is_enough` allows: none at first, then halves, quarters and so on to single ones.
fn minimise<T: Clone>(mut items: Vec<T>, mut is_enough: impl FnMut(&[T]) -> bool) -> Vec<T> {
    if items.is_empty() || is_enough(&[]) {
        return Vec::new();
    }
    let mut parts = 2;
    while items.len() > 1 {
        let size = items.len().div_ceil(parts);
        let without = (0..items.len()).step_by(size).find_map(|first| {
            let kept = [&items[..first], &items[items.len().min(first + size)..]].concat();
            is_enough(&kept).then_some(kept)
        });
        match without {
            Some(kept) => {
                items = kept;
                parts = (parts - 1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(items.len()),
        }
    }
    items
}

/// The query with one property less each, the heaviest first.
fn simpler_queries(query: &Query) -> Vec<Query> {
    let mut simpler = Vec::new();
    let mut offer = |differs: bool, change: fn(&mut Query)| {
        if differs {
            let mut candidate = query.clone();
            change(&mut candidate);
            simpler.push(candidate);
        }
    };
    offer(query.edns.is_some(), |query| query.edns = None);
    offer(query.transport == Transport::Tcp, |query| query.transport = Transport::Udp);
    offer(query.flags != Flags::default(), |query| query.flags = Flags::default());
    offer(query.qclass != Class::IN, |query| query.qclass = Class::IN);
    offer(query.edns.is_some_and(|edns| edns.dnssec_ok), |query| {
        query.edns.iter_mut().for_each(|edns| edns.dnssec_ok = false);
    });
    offer(query.edns.is_some_and(|edns| edns.version != 0), |query| {
        query.edns.iter_mut().for_each(|edns| edns.version = 0);
    });
    offer(query.edns.is_some_and(|edns| edns.payload_size != PLAIN_SIZE), |query| {
        query.edns.iter_mut().for_each(|edns| edns.payload_size = PLAIN_SIZE);
    });
    offer(query.qname.as_name().as_wire().iter().any(u8::is_ascii_uppercase), |query| {
        query.qname = query.qname.as_name().to_lowercase();
    });
    offer(!query.qname.as_name().is_root(), |query| {
        query.qname = query.qname.as_name().parent().map_or(query.qname.clone(), Name::to_buf);
    });
    simpler
}

/// The payload size that the servers themselves are given.
const PLAIN_SIZE: u16 = 1232;

/// Ways to sign that say less about the cause.
fn simpler_signings(signing: &Signing) -> Vec<Option<Signing>> {
    let with = |denial: Denial| Some(Signing { denial, ..signing.clone() });
    let mut simpler = vec![None];
    match &signing.denial {
        Denial::Nsec => {}
        Denial::Nsec3 { iterations, salt, opt_out } => {
            simpler.push(with(Denial::Nsec));
            if *opt_out {
                simpler.push(with(Denial::Nsec3 { iterations: *iterations, salt, opt_out: false }));
            }
            if *iterations > 0 || !salt.is_empty() {
                simpler.push(with(Denial::Nsec3 { iterations: 0, salt: "", opt_out: *opt_out }));
            }
        }
    }
    if signing.signer != Signer::Bind {
        simpler.push(Some(Signing { signer: Signer::Bind, ..signing.clone() }));
    }
    simpler
}

#[cfg(test)]
mod tests {
    use nss_wire::RType;

    use super::super::zones::generate;
    use super::*;
    use crate::client::Edns;

    const BUDGET: Budget = Budget { tries: 1000, time: Duration::from_secs(60) };

    fn specimen() -> Specimen {
        let mut zones = generate(11, 4);
        let needle = |name: &str| format!("{name}.example. 60 IN TXT \"needle\"");
        for (index, zone) in zones.iter_mut().enumerate() {
            zone.lines.insert(zone.lines.len() / 2, needle(&index.to_string()));
            zone.lines.push("again.example. 60 IN TXT \"needle\"".to_owned());
            let denial = Denial::Nsec3 { iterations: 5, salt: "AB", opt_out: true };
            zone.signing = Some(Signing { signer: Signer::Ldns, denial });
        }
        let qname: NameBuf = "WWW.example".parse().unwrap();
        let edns = Some(Edns { payload_size: 700, version: 1, dnssec_ok: true });
        let flags = Flags { recursion_desired: true, authentic_data: true, checking_disabled: true };
        let query = Query { edns, flags, transport: Transport::Tcp, ..Query::new(qname.as_name(), RType::TXT) };
        Specimen { zones, query }
    }

    fn has(specimen: &Specimen, needle: &str) -> bool {
        specimen.zones.iter().flat_map(|zone| &zone.lines).any(|line| line.starts_with(needle))
    }

    #[test]
    fn only_what_the_disagreement_needs_is_left() {
        let (small, _) = shrink(specimen(), BUDGET, |candidate| {
            has(candidate, "0.example.") && has(candidate, "again.example.") && has(candidate, "2.example.")
        });
        let counts: Vec<usize> = small.zones.iter().map(|zone| zone.lines.len()).collect();
        assert_eq!(
            (small.zones.len(), counts.iter().sum::<usize>()),
            (2, 4 + 3),
            "SOA and NS records and three others"
        );
        assert!(small.zones.iter().all(|zone| zone.signing.is_none()));
        assert!(small.query.edns.is_none() && small.query.flags == Flags::default());
        assert_eq!((small.query.transport, small.query.qname.to_string()), (Transport::Udp, ".".to_owned()));
    }

    #[test]
    fn what_the_disagreement_depends_on_stays() {
        let (small, _) = shrink(specimen(), BUDGET, |candidate| {
            let opt_out = |signing: &Signing| matches!(signing.denial, Denial::Nsec3 { opt_out: true, .. });
            candidate.zones[0].signing.as_ref().is_some_and(opt_out)
                && candidate.query.transport == Transport::Tcp
                && candidate.query.edns.is_some_and(|edns| edns.dnssec_ok)
        });
        assert_eq!(small.record_count(), 2, "the SOA and an NS record of one zone");
        let denial = Denial::Nsec3 { iterations: 0, salt: "", opt_out: true };
        assert_eq!(small.zones[0].signing, Some(Signing { signer: Signer::Bind, denial }));
        let edns = small.query.edns.unwrap();
        assert_eq!((edns.payload_size, edns.version, edns.dnssec_ok), (PLAIN_SIZE, 0, true));
    }

    #[test]
    fn the_tries_are_bounded_and_the_result_still_differs() {
        let mut asked = 0;
        let budget = Budget { tries: 7, ..BUDGET };
        let (small, tries) = shrink(specimen(), budget, |candidate| {
            asked += 1;
            has(candidate, "3.example.")
        });
        assert_eq!((tries, asked), (7, 7));
        assert!(has(&small, "3.example."));
    }

    #[test]
    fn nothing_is_lost_when_nothing_may_be() {
        let before = specimen();
        let (after, _) = shrink(before.clone(), BUDGET, |_| false);
        assert_eq!(after.record_count(), before.record_count());
    }

    #[test]
    fn parts_that_are_needed_together_stay_together() {
        let kept = minimise((0..100).collect(), |kept| [3, 50, 99].iter().all(|wanted| kept.contains(wanted)));
        assert_eq!(kept, [3, 50, 99]);
        assert!(minimise(vec![1, 2], |_| true).is_empty());
    }
}
