//! The walk from the root hints to the parent of a name, without I/O: it says what to send and is told what came back.

mod queries;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use nss_wire::{Name, NameBuf, RType};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::config::{Config, Wanted};
use crate::cut;
use crate::descent::{Descent, Purpose, Server, shuffle};
use crate::dnssec::{Budget, Chain};
use crate::evidence::{Evidence, Said};
use crate::opinion::{self, View};
use crate::question::{ClientCookie, Fit, Query, Question, Token, Transport};
use crate::verdict::{Findings, NotDelegated, Outcome, Unknown};

/// One check of one name.
///
/// ```text
///   new ──> next_query ──> send it ──> answer / failed / expire ──┐
///               ^                                                 │
///               └────────── until findings() is there ────────────┘
/// ```
///
/// Times are counted from the beginning of the walk and must not go backwards. Each call that takes a time may be
/// followed by new queries, so ask [`next_query`](Walk::next_query) until it has none.
#[derive(Debug)]
pub struct Walk {
    config: Arc<Config>,
    rng: StdRng,
    domain: NameBuf,
    wanted: Wanted,
    began_at: Option<NameBuf>,
    /// Zones whose servers have addresses, by name.
    zones: BTreeMap<NameBuf, Zone>,
    /// The way to the domain first, then those to name servers.
    descents: Vec<Descent>,
    in_flight: BTreeMap<Token, InFlight>,
    ready: VecDeque<Query>,
    contacts: BTreeMap<IpAddr, Contact>,
    evidence: Evidence,
    queries: u32,
    /// Seconds since 1970 when the walk began.
    unix_time: u64,
    budget: Budget,
    /// The last reply that was not proven: the zone, and why not.
    bogus: Option<(NameBuf, String)>,
    now: Duration,
    findings: Option<Findings>,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The query is settled; its socket can be closed.
    Settled,
    /// The packet is not the answer; wait on.
    Ignored,
}

/// The servers of a zone that an earlier walk found.
#[derive(Clone, Debug)]
pub(crate) struct KnownZone {
    pub(crate) zone: NameBuf,
    pub(crate) servers: Vec<Server>,
    pub(crate) chain: Chain,
}

/// What is known of a zone.
#[derive(Clone, Debug)]
struct Zone {
    servers: Vec<Server>,
    /// `None` when the zone was passed on the way to a server's addresses, where nobody looks at signatures and one server's
    /// word is enough: that is not for walks to a domain.
    chain: Option<Chain>,
}

/// A query that waits for its answer.
#[derive(Debug)]
struct InFlight {
    descent: usize,
    /// The descent's question that it belongs to.
    question_number: u32,
    aim: Aim,
    question: Question,
    server: SocketAddr,
    server_name: Option<NameBuf>,
    zone: NameBuf,
    transport: Transport,
    sent: Duration,
    deadline: Duration,
    strays: u8,
    /// Whether this already repeats a query because of its cookie.
    repeats_cookie: bool,
}

/// What a query is to find out.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a few values a check")]
enum Aim {
    /// What the descent asks.
    Question,
    /// The DS records at this cut, which the server otherwise sees so.
    ///
    /// Of a server that answers from the child this shows, too, whether it has the name in the parent zone: only DS is
    /// answered from there (RFC 4035 §3.1.4.1).
    Ds(NameBuf, View),
}

/// What is known of an address.
#[derive(Clone, Debug)]
struct Contact {
    cookie: ClientCookie,
    server_cookie: Vec<u8>,
    transport: Transport,
    has_edns: bool,
}

impl Walk {
    /// A walk from the root hints to the parent of `domain`.
    ///
    /// `unix_time`, the seconds since 1970 now, is what the times of signatures are compared with. `seed` is where ids,
    /// letter case, cookies and the choice of servers come from: 32 octets of good randomness.
    pub fn new(config: Arc<Config>, domain: Name<'_>, wanted: Wanted, unix_time: u64, seed: [u8; 32]) -> Walk {
        Walk::from_zone(config, domain, wanted, None, unix_time, seed)
    }

    /// A walk that begins at a known zone, which has to be above `domain`.
    pub(crate) fn from_zone(
        config: Arc<Config>,
        domain: Name<'_>,
        wanted: Wanted,
        known: Option<KnownZone>,
        unix_time: u64,
        seed: [u8; 32],
    ) -> Walk {
        let mut walk = Walk {
            rng: StdRng::from_seed(seed),
            domain: domain.to_lowercase(),
            wanted,
            began_at: known.as_ref().map(|known| known.zone.clone()),
            zones: BTreeMap::new(),
            descents: Vec::new(),
            in_flight: BTreeMap::new(),
            ready: VecDeque::new(),
            contacts: BTreeMap::new(),
            evidence: Evidence {
                asked_at: unix_time,
                known_zone: known.as_ref().map(|known| known.zone.clone()).filter(|zone| !zone.as_name().is_root()),
                steps: Vec::new(),
            },
            queries: 0,
            unix_time,
            budget: Budget::new(&config.limits),
            bogus: None,
            now: Duration::ZERO,
            findings: None,
            config,
        };
        if domain.is_root() {
            walk.conclude(Outcome::NotDelegated(NotDelegated::Root));
            return walk;
        }
        let mut hints = Vec::new();
        for address in walk.config.root_hints.clone() {
            match walk.config.addresses.permits(address) {
                true => hints.push(Server::hint(address)),
                false => walk.note_not_permitted(address, None, Name::ROOT, domain, RType::NS),
            }
        }
        let chain = Some(Chain::at_root(&walk.config.trust_anchors, unix_time));
        walk.zones.insert(Name::ROOT.to_buf(), Zone { servers: hints, chain });
        if let Some(KnownZone { zone, servers, chain }) = known {
            walk.zones.insert(zone, Zone { servers, chain: Some(chain) });
        }
        let descent = walk.descent(Purpose::Delegation, walk.domain.clone(), 0);
        walk.descents.push(descent);
        walk
    }

    /// A walk that ended before it began, with what another one saw.
    pub(crate) fn ended(
        config: Arc<Config>,
        domain: Name<'_>,
        wanted: Wanted,
        unknown: Unknown,
        evidence: Evidence,
    ) -> Walk {
        let mut walk = Walk::from_zone(config, domain, wanted, None, 0, [0; 32]);
        walk.evidence = evidence;
        walk.conclude(Outcome::Unknown(unknown));
        walk
    }

    /// The next query to send, `None` when nothing is to be sent until something comes back.
    pub fn next_query(&mut self, now: Duration) -> Option<Query> {
        self.expire(now);
        if self.ready.is_empty() {
            self.advance();
        }
        match self.findings {
            Some(_) => None,
            None => self.ready.pop_front(),
        }
    }

    /// When to call [`expire`](Walk::expire) at the latest; `None` once the walk has ended.
    pub fn deadline(&self) -> Option<Duration> {
        match self.findings {
            Some(_) => None,
            None => Some(self.in_flight.values().map(|query| query.deadline).fold(self.time_max(), Duration::min)),
        }
    }

    /// Takes a packet that came from `from` on the socket or connection of the query `token`.
    pub fn answer(&mut self, token: Token, from: SocketAddr, packet: &[u8], now: Duration) -> Heard {
        self.now = self.now.max(now);
        let Some(query) = self.in_flight.get_mut(&token) else { return Heard::Ignored };
        let fit = match from == query.server {
            true => query.question.fit(packet, query.transport),
            false => Fit::Stray,
        };
        match (fit, query.transport) {
            (Fit::Answer(message), _) => self.take(token, &message, packet),
            (Fit::Garbled, Transport::Tcp) => self.give_up(token, Said::Garbled("it cannot be read")),
            // Who answers so knows the question, but not necessarily from having read it.
            (Fit::Garbled | Fit::OtherCase, Transport::Udp) => self.give_up(token, Said::Unproven),
            (Fit::Stray | Fit::OtherCase, Transport::Tcp) => {
                self.give_up(token, Said::Garbled("it is not the answer to the question"));
            }
            (Fit::Stray, Transport::Udp) => {
                query.strays += 1;
                if query.strays < self.config.limits.strays_max {
                    return Heard::Ignored;
                }
                self.give_up(token, Said::Strays);
            }
        }
        Heard::Settled
    }

    /// Takes note that the query `token` is sent only now, for who had to wait with it: its time begins again.
    pub fn sent(&mut self, token: Token, now: Duration) {
        self.now = self.now.max(now);
        if let Some(query) = self.in_flight.get_mut(&token) {
            query.deadline = self.now + query.deadline.saturating_sub(query.sent);
            query.sent = self.now;
        }
    }

    /// Takes note that the query `token` could not be sent, or that its connection broke.
    pub fn failed(&mut self, token: Token, error: io::ErrorKind, now: Duration) {
        self.now = self.now.max(now);
        self.give_up(token, Said::Unreachable(error));
    }

    /// Gives up what has been waited for long enough.
    pub fn expire(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let late = self.in_flight.iter().filter(|(_, query)| query.deadline <= self.now).map(|(&token, _)| token);
        for token in late.collect::<Vec<_>>() {
            self.give_up(token, Said::Timeout);
        }
        if self.now >= self.time_max() {
            self.conclude(Outcome::Unknown(Unknown::Time));
        }
    }

    /// What was found out, once the walk has ended.
    pub fn findings(&self) -> Option<&Findings> {
        self.findings.as_ref()
    }

    /// The zone that was known when the walk began.
    pub(crate) fn began_at(&self) -> Option<&NameBuf> {
        self.began_at.as_ref()
    }

    /// The zone whose servers the walk asked last on the way to the domain.
    pub(crate) fn zone(&self) -> &NameBuf {
        self.descents.first().map_or(&self.domain, |descent| &descent.zone)
    }

    /// The time of the last that happened to the walk, in seconds since 1970.
    pub(crate) fn unix_time(&self) -> u64 {
        self.unix_time + self.now.as_secs()
    }

    /// Whether the walk has asked anybody.
    pub(crate) fn has_asked(&self) -> bool {
        self.queries > 0
    }

    /// The zones above the domain that the walk came through, with their servers; the root only for the sake of its keys.
    pub(crate) fn zones_passed(&self) -> impl Iterator<Item = KnownZone> {
        let above = self.zones.iter().filter(|(zone, _)| self.domain.as_name().is_below(zone.as_name()));
        above.filter_map(|(zone, Zone { servers, chain })| {
            let chain = chain.clone()?;
            let is_worth_keeping = match chain {
                Chain::Unchecked | Chain::Insecure => !zone.as_name().is_root(),
                Chain::Secure(_) => true,
                // Its keys were not asked for, or not to be had.
                Chain::Entry(_) => false,
            };
            is_worth_keeping.then(|| KnownZone { zone: zone.clone(), servers: servers.clone(), chain })
        })
    }

    fn time_max(&self) -> Duration {
        self.config.limits.time_max
    }

    fn conclude(&mut self, outcome: Outcome) {
        if self.findings.is_none() {
            let mut evidence = std::mem::take(&mut self.evidence);
            evidence.steps.shrink_to_fit();
            self.findings = Some(Findings { domain: self.domain.clone(), outcome, evidence });
            self.in_flight.clear();
            self.ready.clear();
        }
    }
}

/// Whom to ask.
impl Walk {
    /// Starts all that can be started.
    fn advance(&mut self) {
        while self.findings.is_none() {
            let mut has_moved = false;
            for at in 0..self.descents.len() {
                while self.findings.is_none() && self.step(at) {
                    has_moved = true;
                }
            }
            if has_moved {
                continue;
            }
            if !self.in_flight.is_empty() {
                return;
            }
            // Everyone waits for somebody: zones whose servers are named in each other. The last one gives up.
            match self.descents.iter_mut().rfind(|descent| descent.waiting.is_some() && !descent.is_done) {
                Some(descent) if descent.purpose == Purpose::Addresses => descent.is_done = true,
                Some(descent) => descent.resume(&[]),
                None => return,
            }
        }
    }

    /// One move of one descent; whether there was one.
    fn step(&mut self, at: usize) -> bool {
        let descent = &self.descents[at];
        if descent.is_done {
            return false;
        }
        if let Some(waiting) = descent.waiting {
            let looked_up = &self.descents[waiting.descent];
            if !looked_up.is_done {
                return false;
            }
            let found = looked_up.found.clone();
            self.hand_over(at, &found);
            return true;
        }
        let shown = cut::most_alike(&descent.sightings);
        let wanted = match (descent.purpose, descent.is_at_target()) {
            (Purpose::Delegation, true) => {
                self.needed().saturating_sub(opinion::count(&descent.opinions, self.wanted).max(shown)).max(1)
            }
            // Where there probably is a cut as many are asked at once as have to show it, and elsewhere once one has.
            (Purpose::Delegation, false) if descent.is_first_question() || shown > 0 => {
                // Those who agree on the names and not on the addresses are not enough.
                self.needed_on_the_way(descent).saturating_sub(shown).max(1)
            }
            (Purpose::Delegation, false) | (Purpose::Addresses, _) => 1,
        };
        if descent.in_flight >= wanted {
            return false;
        }
        if let Some(candidate) = self.descents[at].next_address(&self.config.limits) {
            self.ask(at, candidate);
            return true;
        }
        let descent = &self.descents[at];
        if descent.in_flight > 0 && !descent.is_at_target() && descent.sightings.is_empty() {
            // What is on its way may show that nobody else has to be found.
            return false;
        }
        if let Some((server, name)) = self.descents[at].next_unknown() {
            if let Some(lookup) = self.look_up(at, name) {
                self.descents[at].wait_for(lookup, server);
            }
            return true;
        }
        if self.descents[at].in_flight > 0 {
            return false;
        }
        self.exhausted(at);
        true
    }

    /// Nobody is left to ask.
    fn exhausted(&mut self, at: usize) {
        let descent = &mut self.descents[at];
        match descent.purpose {
            Purpose::Addresses => match descent.qtype {
                RType::A => descent.ask_type(RType::AAAA),
                _ => descent.is_done = true,
            },
            Purpose::Delegation => {
                let descent = &self.descents[at];
                let needed = self.needed_on_the_way(descent);
                let outcome = match cut::failed(&descent.zone, &descent.sightings, &descent.opinions, needed) {
                    Some(unknown) => Outcome::Unknown(unknown),
                    None => opinion::decide_at_last(&descent.opinions, self.topic(at), &self.config),
                };
                let outcome = match (outcome, self.bogus.take()) {
                    (Outcome::Unknown(_), Some((zone, what))) if zone == descent.zone => {
                        Outcome::Unknown(Unknown::Bogus { zone, what })
                    }
                    (outcome, _) => outcome,
                };
                self.conclude(outcome);
            }
        }
    }

    /// The descent to the addresses of `name`; `None` when a limit forbids it.
    fn look_up(&mut self, for_descent: usize, name: NameBuf) -> Option<usize> {
        let known =
            self.descents.iter().position(|descent| descent.purpose == Purpose::Addresses && descent.target == name);
        if known.is_some() {
            return known;
        }
        let limits = &self.config.limits;
        let depth = self.descents[for_descent].depth + 1;
        if depth > limits.lookup_depth_max || self.descents.len() > limits.lookups_max {
            return None;
        }
        let descent = self.descent(Purpose::Addresses, name, depth);
        self.descents.push(descent);
        Some(self.descents.len() - 1)
    }

    /// A descent from the deepest zone above `target` whose servers are known.
    fn descent(&mut self, purpose: Purpose, target: NameBuf, depth: u8) -> Descent {
        let mut zone = match purpose {
            // The question is what the parent says, so the domain's own servers are not to be asked.
            Purpose::Delegation => target.as_name().parent().unwrap_or(Name::ROOT),
            Purpose::Addresses => target.as_name(),
        };
        let known = loop {
            match (self.zones.get(&zone.to_buf()), zone.parent()) {
                (Some(known), _) => break Some(known),
                (None, Some(parent)) => zone = parent,
                (None, None) => break None,
            }
        };
        let (mut servers, chain) = known.map_or((Vec::new(), None), |zone| (zone.servers.clone(), zone.chain.clone()));
        shuffle(&mut servers, &mut self.rng);
        let chain = match purpose {
            Purpose::Delegation => chain.unwrap_or(Chain::Insecure),
            // Whoever answers at a wrong address cannot sign.
            Purpose::Addresses => Chain::Unchecked,
        };
        let zone = zone.to_buf();
        Descent::new(purpose, target, depth, zone, servers, chain)
    }

    /// Gives a waiting descent the addresses that were looked up for it.
    fn hand_over(&mut self, at: usize, found: &[IpAddr]) {
        let (permitted, others): (Vec<IpAddr>, Vec<IpAddr>) =
            found.iter().partition(|&&address| self.config.addresses.permits(address));
        let descent = &mut self.descents[at];
        descent.resume(&permitted);
        let (zone, qname, qtype) = (descent.zone.clone(), descent.qname().to_buf(), descent.qtype);
        for address in others {
            self.note_not_permitted(address, None, zone.as_name(), qname.as_name(), qtype);
        }
    }
}
