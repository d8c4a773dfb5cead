//! What walks found out about zones, for the walks after them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use nss_wire::{Name, NameBuf};

use crate::cache::Cache;
use crate::config::{Config, Wanted};
use crate::evidence::{Evidence, Said, Step};
use crate::verdict::{Outcome, Unknown};
use crate::walk::{KnownZone, Walk};

/// Zones whose servers and keys are known for some minutes, and zones that nobody answered for.
///
/// [`Checker`](crate::Checker) has one; whoever drives [`Walk`]s otherwise begins them with [`walk`](KnownZones::walk) and
/// ends them with [`learn`](KnownZones::learn). Times are counted from any moment, the same for all calls.
#[derive(Debug)]
pub struct KnownZones {
    config: Arc<Config>,
    zones: Cache<NameBuf, KnownZone>,
    /// Zones of which too few servers answered.
    silent: Cache<NameBuf, Silence>,
}

/// That too few servers of a zone answered (RFC 9520).
#[derive(Clone, Debug)]
struct Silence {
    /// They are not asked before.
    until: Duration,
    /// How long that was; twice as long when it is found again.
    pause: Duration,
    unknown: Unknown,
    evidence: Evidence,
}

impl KnownZones {
    /// Nothing is known yet.
    pub fn new(config: Arc<Config>) -> KnownZones {
        let (zones_max, silent_max) = (config.cache.zones_max, config.cache.silent_max);
        KnownZones { config, zones: Cache::new(zones_max), silent: Cache::new(silent_max) }
    }

    /// A walk to the parent of `domain` from the deepest zone that is known; one that has ended, when nobody answered for a
    /// zone on the way just before.
    ///
    /// `unix_time` and `seed` are those of [`Walk::new`].
    pub fn walk(&self, domain: Name<'_>, wanted: Wanted, unix_time: u64, seed: [u8; 32], now: Duration) -> Walk {
        let mut known = None;
        let mut above = domain.parent();
        while let (Some(zone), None) = (above, &known) {
            let key = zone.to_lowercase();
            if let Some(silence) = self.silent.get(&key, now).filter(|silence| silence.until > now) {
                return Walk::ended(Arc::clone(&self.config), domain, wanted, silence.unknown, silence.evidence);
            }
            known = self.zones.get(&key, now);
            above = zone.parent();
        }
        Walk::from_zone(Arc::clone(&self.config), domain, wanted, known, unix_time, seed)
    }

    /// Keeps what a walk that has ended came through.
    pub fn learn(&mut self, walk: &Walk, now: Duration) {
        let Some(findings) = walk.findings().filter(|_| walk.has_asked()) else { return };
        match &findings.outcome {
            Outcome::Unknown(unknown) => self.learn_from_failure(unknown, &findings.evidence, walk, now),
            Outcome::Delegation(_) | Outcome::NotDelegated(_) => {
                // What was known before keeps its end: else a zone asked about often would never be looked at again.
                let is_new = |passed: &KnownZone| {
                    walk.began_at().is_none_or(|known| passed.zone.as_name().is_below(known.as_name()))
                };
                for passed in walk.zones_passed().filter(is_new) {
                    let ttl = self.config.cache.zone_ttl;
                    let left =
                        passed.chain.ends().map(|ends| Duration::from_secs(ends.saturating_sub(walk.unix_time())));
                    self.zones.insert(passed.zone.clone(), passed, now, left.map_or(ttl, |left| ttl.min(left)));
                }
            }
        }
    }

    fn learn_from_failure(&mut self, unknown: &Unknown, evidence: &Evidence, walk: &Walk, now: Duration) {
        let zone = match unknown {
            Unknown::NoAnswer { .. } | Unknown::Bogus { .. } | Unknown::TooFewServers { .. } | Unknown::Time => {
                walk.zone()
            }
            // The servers answer; it is their answers that are no use.
            Unknown::Disagreement { .. } | Unknown::Hidden { .. } | Unknown::Limit(_) | Unknown::Busy => return,
        };
        // The root's servers do not all fall silent; what is broken is our own network, and soon no longer.
        if zone.as_name().is_root() {
            return;
        }
        // The zone's servers may have moved; those of zones above it have not.
        if walk.began_at() == Some(zone) {
            self.zones.remove(zone);
        }
        let mut is_silent = false;
        for step in evidence.steps.iter().filter(|step| step.zone == *zone) {
            match presence(&step.said) {
                Presence::Silent => is_silent = true,
                Presence::There => {}
                // What a server says to one name it may not say to another.
                Presence::OfNoUse => return,
            }
        }
        if is_silent {
            self.learn_silence(zone, unknown, evidence, now);
        }
    }

    /// Silence is the zone's, whatever name was asked for.
    fn learn_silence(&mut self, zone: &NameBuf, unknown: &Unknown, evidence: &Evidence, now: Duration) {
        let (first, longest) = (self.config.cache.silent_ttl, self.config.cache.silent_ttl_max);
        let pause = self.silent.get(zone, now).map_or(first, |before| match before.until > now {
            // Another walk began before that was known.
            true => before.pause,
            false => (before.pause * 2).min(longest),
        });
        let evidence = without_domain(evidence, zone.as_name());
        let silence = Silence { until: now + pause, pause, unknown: unknown.clone(), evidence };
        // Remembered for some time after that, so that who is silent still is known as such.
        self.silent.insert(zone.clone(), silence, now, pause + longest);
    }
}

/// Evidence of the silence of a zone, for whoever asks about it next: which name below it was asked for is nobody else's business.
fn without_domain(evidence: &Evidence, zone: Name<'_>) -> Evidence {
    let steps =
        evidence.steps.iter().filter_map(|step| match (step.qname.as_name().is_below(zone), presence(&step.said)) {
            (false, _) => Some(step.clone()),
            (true, Presence::Silent) => Some(Step { qname: zone.to_buf(), ..step.clone() }),
            (true, Presence::There | Presence::OfNoUse) => None,
        });
    Evidence { known_zone: evidence.known_zone.clone(), steps: steps.collect(), ..*evidence }
}

/// What a reply, or its absence, says about a server, whatever it was asked.
enum Presence {
    Silent,
    There,
    OfNoUse,
}

fn presence(said: &Said) -> Presence {
    match said {
        Said::Timeout => Presence::Silent,
        Said::Unreachable(
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset | io::ErrorKind::HostUnreachable,
        ) => Presence::Silent,
        // What fails on our side says nothing about the server: it was asked too often and so not at all, there is no socket or no
        // network, its reply is larger than we take.
        Said::Unreachable(_) => Presence::OfNoUse,
        Said::Referral { .. } | Said::NoData | Said::NxDomain | Said::Alias { .. } | Said::Ds(_) | Said::Keys(_) => {
            Presence::There
        }
        Said::Unproven | Said::Truncated | Said::BadCookie | Said::NoEdns | Said::NotPermitted => Presence::There,
        Said::Apex { .. } | Said::Addresses(_) | Said::Bogus(_) | Said::Failed | Said::Lame(_) => Presence::OfNoUse,
        Said::Garbled(_) | Said::Strays => Presence::OfNoUse,
    }
}
