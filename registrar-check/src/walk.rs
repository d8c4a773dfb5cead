//! The walk from the root hints to the parent of a name, without I/O: it says what to send and is told what came back.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use nss_wire::{Name, NameBuf, RType};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::config::{Config, Trust, Wanted};
use crate::descent::{Candidate, Descent, Purpose, Server, shuffle};
use crate::dnssec::{Budget, Chain, Fault, Keys, Proof, Reply, Security};
use crate::evidence::{Evidence, NameServer, Said, Step};
use crate::opinion::{self, Opinion, Topic, View};
use crate::question::{ClientCookie, Dnssec, Fit, Query, Question, Token, Transport, cookie_of};
use crate::reply;
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
    /// `None` when the zone was passed on the way to a server's addresses, where nobody looks at signatures.
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
                known_zone: known.as_ref().map(|known| known.zone.clone()).filter(|zone| !zone.as_name().is_root()),
                steps: Vec::new(),
            },
            queries: 0,
            unix_time,
            budget: Budget { left: config.limits.verifications_max },
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

    /// When the walk began, in seconds since 1970.
    pub(crate) fn unix_time(&self) -> u64 {
        self.unix_time
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
            let evidence = std::mem::take(&mut self.evidence);
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
        let wanted = match (descent.purpose, descent.is_at_target()) {
            (Purpose::Delegation, true) => self.needed().saturating_sub(opinion::count(&descent.opinions, self.wanted)),
            (Purpose::Delegation, false) | (Purpose::Addresses, _) => 1,
        };
        if descent.in_flight >= wanted {
            return false;
        }
        if let Some(candidate) = self.descents[at].next_address(&self.config.limits) {
            self.ask(at, candidate);
            return true;
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
                let outcome = opinion::decide_at_last(&descent.opinions, self.topic(at), &self.config);
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

/// Queries and their answers.
impl Walk {
    fn ask(&mut self, at: usize, candidate: Candidate) {
        let contact = self.contact(candidate.address);
        let descent = &self.descents[at];
        let is_signed = matches!(descent.chain, Chain::Entry(_) | Chain::Secure(_));
        let dnssec = match (descent.purpose, self.wanted) {
            (Purpose::Delegation, Wanted::NameServersAndDs) => Dnssec::Asked,
            (Purpose::Delegation, Wanted::NameServers) if is_signed => Dnssec::Asked,
            (Purpose::Delegation, Wanted::NameServers) | (Purpose::Addresses, _) => Dnssec::NotAsked,
        };
        let query = InFlight {
            descent: at,
            question_number: descent.question,
            aim: Aim::Question,
            question: Question::new(
                descent.qname(),
                descent.qtype,
                contact.has_edns.then_some(contact.cookie),
                dnssec,
                &mut self.rng,
            ),
            server: SocketAddr::new(candidate.address, self.config.port),
            server_name: candidate.name,
            zone: descent.zone.clone(),
            transport: contact.transport,
            sent: self.now,
            deadline: self.now + self.config.limits.timeout * (1 << candidate.timeouts.min(4)),
            strays: 0,
            repeats_cookie: false,
        };
        self.send(query);
    }

    /// Asks again what `query` asked, with a new id and as the contact with the address now stands.
    fn ask_again(&mut self, query: InFlight, repeats_cookie: bool) {
        let contact = self.contact(query.server.ip());
        let question = &query.question;
        let cookie = contact.has_edns.then_some(contact.cookie);
        let question = Question::new(question.qname.as_name(), question.qtype, cookie, question.dnssec, &mut self.rng);
        let deadline = self.now + (query.deadline.saturating_sub(query.sent));
        let transport = contact.transport;
        self.send(InFlight { question, transport, repeats_cookie, sent: self.now, deadline, strays: 0, ..query });
    }

    fn send(&mut self, query: InFlight) {
        if self.queries as usize >= self.config.limits.queries_max {
            return self.conclude(Outcome::Unknown(Unknown::Limit("queries_max")));
        }
        let token = Token(self.queries);
        self.queries += 1;
        let server_cookie = self.contacts.get(&query.server.ip()).map_or(&[][..], |contact| &contact.server_cookie);
        self.ready.push_back(Query {
            token,
            server: query.server,
            transport: query.transport,
            packet: query.question.packet(server_cookie),
            timeout: query.deadline.min(self.time_max()).saturating_sub(self.now),
        });
        self.in_flight.insert(token, query);
    }

    fn contact(&mut self, address: IpAddr) -> Contact {
        let fresh =
            Contact { cookie: self.rng.random(), server_cookie: Vec::new(), transport: Transport::Udp, has_edns: true };
        self.contacts.entry(address).or_insert(fresh).clone()
    }

    /// Settles a query by a reply to it.
    fn take(&mut self, token: Token, message: &Message, packet: &[u8]) {
        let Some(query) = self.in_flight.get(&token) else { return };
        let cookie = cookie_of(message);
        if let (Some(cookie), Some(contact)) = (cookie, self.contacts.get_mut(&query.server.ip())) {
            contact.server_cookie = cookie.get(8..).unwrap_or_default().to_vec();
        }
        let is_proven = match (query.transport, self.config.trust) {
            (Transport::Tcp, _) | (Transport::Udp, Trust::MatchingUdp) => true,
            (Transport::Udp, Trust::CookieOrTcp) => cookie.is_some(),
        };
        let has_edns = query.question.cookie.is_some();
        let question = &query.question;
        let said = match (reply::rcode(message), query.transport) {
            (FORMERR | NOTIMP | BADVERS, _) if has_edns => Said::NoEdns,
            (BADCOOKIE, _) if has_edns => Said::BadCookie,
            (_, Transport::Udp) if message.metadata.truncation => Said::Truncated,
            (_, Transport::Tcp) if message.metadata.truncation => Said::Garbled("it is truncated over TCP"),
            _ if !is_proven => Said::Unproven,
            _ => reply::read(
                message,
                query.zone.as_name(),
                question.qname.as_name(),
                question.qtype,
                &self.config.limits,
            ),
        };
        match self.prove(token, packet, said) {
            Ok((said, proof)) => self.settle(token, Some(message), said, proof),
            Err(TooMuch) => self.conclude(Outcome::Unknown(Unknown::Limit("verifications_max"))),
        }
    }

    /// What the signatures of a reply prove of what it says.
    fn prove(&mut self, token: Token, packet: &[u8], mut said: Said) -> Result<(Said, Proof), TooMuch> {
        let Some(query) = self.in_flight.get(&token) else { return Ok((said, Proof::NotNeeded)) };
        let descent = &self.descents[query.descent];
        if descent.question != query.question_number {
            return Ok((said, Proof::NotNeeded));
        }
        let qname = query.question.qname.as_name().to_lowercase();
        let reply = Reply {
            packet,
            zone: query.zone.as_name(),
            qname: qname.as_name(),
            qtype: query.question.qtype,
            now: self.unix_time + self.now.as_secs(),
            limits: &self.config.limits,
        };
        match reply.prove(&mut said, &descent.chain, &mut self.budget) {
            Ok(proof) => Ok((said, proof)),
            Err(Fault::Budget) => Err(TooMuch),
            Err(Fault::Bogus(what)) => {
                self.bogus = Some((query.zone.clone(), what.clone()));
                Ok((Said::Bogus(what), Proof::NotNeeded))
            }
        }
    }

    /// Settles a query to which there is no reply that could be used.
    fn give_up(&mut self, token: Token, said: Said) {
        self.settle(token, None, said, Proof::NotNeeded);
    }

    /// Ends a query, writes down what was said, and goes where it leads.
    fn settle(&mut self, token: Token, message: Option<&Message>, said: Said, proof: Proof) {
        let Some(query) = self.in_flight.remove(&token) else { return };
        self.ready.retain(|ready| ready.token != token);
        self.evidence.steps.push(Step {
            server: query.server,
            server_name: query.server_name.clone(),
            zone: query.zone.clone(),
            qname: query.question.qname.as_name().to_lowercase(),
            qtype: query.question.qtype,
            transport: query.transport,
            latency: self.now.saturating_sub(query.sent),
            rcode: message.map(reply::rcode),
            is_authoritative: message.is_some_and(|message| message.metadata.authoritative),
            said: said.clone(),
        });
        let address = query.server.ip();
        let is_late = self.descents[query.descent].question != query.question_number;
        if is_late || self.descents[query.descent].is_done {
            return;
        }
        let contact = self.contacts.get_mut(&address);
        match (&said, contact) {
            (Said::Truncated | Said::Unproven | Said::Strays, Some(contact)) if query.transport == Transport::Udp => {
                contact.transport = Transport::Tcp;
                return self.ask_again(query, false);
            }
            (Said::NoEdns, Some(contact)) => {
                contact.has_edns = false;
                if self.config.trust == Trust::CookieOrTcp {
                    contact.transport = Transport::Tcp;
                }
                return self.ask_again(query, false);
            }
            (Said::BadCookie, Some(contact)) if !(query.repeats_cookie && query.transport == Transport::Tcp) => {
                if query.repeats_cookie {
                    contact.transport = Transport::Tcp;
                }
                return self.ask_again(query, true);
            }
            _ => {}
        }
        let descent = &mut self.descents[query.descent];
        descent.in_flight = descent.in_flight.saturating_sub(1);
        match (descent.purpose, said) {
            (_, Said::Timeout) => {
                descent.timed_out(address);
                self.without_ds(query);
            }
            (
                _,
                Said::Failed
                | Said::Lame(_)
                | Said::Garbled(_)
                | Said::Unreachable(_)
                | Said::NotPermitted
                | Said::Truncated
                | Said::Unproven
                | Said::BadCookie
                | Said::NoEdns
                | Said::Bogus(_)
                | Said::Strays,
            ) => {
                descent.give_up(address);
                self.without_ds(query);
            }
            (Purpose::Delegation, said) => self.delegation_reply(query, said, proof),
            (Purpose::Addresses, said) => self.address_reply(&query, said),
        }
    }

    /// Goes on from a usable reply on the way to the domain.
    fn delegation_reply(&mut self, query: InFlight, said: Said, proof: Proof) {
        let at = query.descent;
        let descent = &mut self.descents[at];
        let is_at_target = descent.is_at_target();
        let security = Security::of(&descent.chain, &proof);
        let below = descent.chain.below(&proof);
        let (view, ds) = match (query.aim.clone(), said) {
            // A signed parent has no cut where the server showed one, or a zone of its own.
            (Aim::Ds(cut, View::Hidden(_)), Said::NoData) if matches!(proof, Proof::NoCut) && cut == self.domain => {
                (View::NoCut, None)
            }
            (Aim::Ds(..), Said::NoData) if matches!(proof, Proof::NoCut) => {
                return descent.give_up(query.server.ip());
            }
            (Aim::Ds(cut, View::Cut(name_servers) | View::Hidden(name_servers)), Said::NoData | Said::Ds(_))
                if cut != self.domain =>
            {
                return self.enter(at, cut, &name_servers, below);
            }
            (Aim::Ds(cut, View::Hidden(_)), Said::NxDomain) if cut == self.domain => (View::NoSuchName, None),
            (Aim::Ds(_, view), Said::NoData) => (view, Some(Vec::new())),
            (Aim::Ds(_, view), Said::Ds(records)) => (view, Some(records)),
            // What it says now contradicts what it said before.
            (Aim::Ds(..), _) => return descent.give_up(query.server.ip()),
            (Aim::Question, Said::Keys(_)) => match proof {
                Proof::Keys(keys) => return self.admit(at, keys),
                _ => return descent.give_up(query.server.ip()),
            },
            (Aim::Question, Said::Referral { zone, name_servers, ds }) if zone == self.domain => {
                let view = View::Cut(name_servers);
                match (proof, self.wanted) {
                    (Proof::Ds(_) | Proof::NoDs(_), _) => (view, Some(ds)),
                    // A server may leave DS records out of a referral, and none there says nothing (RFC 4035 §3.1.4).
                    (Proof::Missing, _) => return self.ask_for_ds(query, zone, view),
                    (_, Wanted::NameServersAndDs) if ds.is_empty() => return self.ask_for_ds(query, zone, view),
                    (_, Wanted::NameServers) if ds.is_empty() => (view, None),
                    (_, Wanted::NameServers | Wanted::NameServersAndDs) => (view, Some(ds)),
                }
            }
            (Aim::Question, Said::Referral { zone, name_servers, .. }) => match proof {
                Proof::Missing => return self.ask_for_ds(query, zone, View::Cut(name_servers)),
                _ => return self.enter(at, zone, &name_servers, below),
            },
            (Aim::Question, Said::Apex { name_servers }) => {
                let zone = descent.qname().to_buf();
                if is_at_target || matches!(descent.chain, Chain::Secure(_)) {
                    return self.ask_for_ds(query, zone, View::Hidden(name_servers));
                }
                return self.enter(at, zone, &name_servers, below);
            }
            (Aim::Question, Said::NoData | Said::Alias { rtype: RType::CNAME, .. }) if !is_at_target => {
                return descent.ask_further();
            }
            // Nothing exists below a name that does not (RFC 8020), nor below a DNAME; the whole name has to say so.
            (Aim::Question, Said::NxDomain | Said::Alias { .. }) if !is_at_target => return descent.ask_for_target(),
            (Aim::Question, Said::NoData) => (View::NoCut, None),
            (Aim::Question, Said::NxDomain) => (View::NoSuchName, None),
            (Aim::Question, Said::Alias { owner, rtype }) => (View::Alias { owner, rtype }, None),
            (Aim::Question, _) => return descent.give_up(query.server.ip()),
        };
        descent.hold(Opinion { server: query.server, server_name: query.server_name, view, ds, security });
        if let Some(outcome) = opinion::decide(&self.descents[at].opinions, self.topic(at)) {
            self.conclude(outcome);
        }
    }

    /// Asks the server that was asked by `query` for the DS records at `cut`.
    fn ask_for_ds(&mut self, query: InFlight, cut: NameBuf, view: View) {
        self.descents[query.descent].in_flight += 1;
        let question = Question { qname: cut.clone(), qtype: RType::DS, ..query.question.clone() };
        self.ask_again(InFlight { aim: Aim::Ds(cut, view), question, ..query }, false);
    }

    /// Keeps what a server said of the cut, although it then did not tell the DS records.
    fn without_ds(&mut self, query: InFlight) {
        let descent = &mut self.descents[query.descent];
        let security = match descent.chain {
            Chain::Unchecked => Security::Unchecked,
            Chain::Insecure | Chain::Entry(_) => Security::Insecure,
            // Where all can be proven nothing counts that is not.
            Chain::Secure(_) => return,
        };
        let Aim::Ds(cut, view @ View::Cut(_)) = query.aim else { return };
        if cut == self.domain {
            let opinion = Opinion { server: query.server, server_name: query.server_name, view, ds: None, security };
            descent.hold(opinion);
        }
    }

    /// Goes on with the keys of the zone.
    fn admit(&mut self, at: usize, keys: Arc<Keys>) {
        let descent = &mut self.descents[at];
        descent.admit(keys);
        if let Some(zone) = self.zones.get_mut(&descent.zone) {
            zone.chain = Some(descent.chain.clone());
        }
    }

    fn topic(&self, at: usize) -> Topic<'_> {
        let parent = self.descents[at].zone.as_name();
        Topic { zone: self.domain.as_name(), parent, wanted: self.wanted, needed: self.needed() }
    }

    fn needed(&self) -> usize {
        self.config.servers_min.max(1)
    }

    /// Goes on from a usable reply on the way to a name server's addresses.
    fn address_reply(&mut self, query: &InFlight, said: Said) {
        let descent = &mut self.descents[query.descent];
        match said {
            Said::Referral { zone, name_servers, .. } => {
                self.enter(query.descent, zone, &name_servers, Chain::Unchecked);
            }
            Said::Addresses(addresses) => {
                descent.found.extend(addresses);
                descent.is_done = descent.qtype != RType::A;
                if !descent.is_done {
                    descent.ask_type(RType::AAAA);
                }
            }
            Said::NoData if descent.qtype == RType::A => descent.ask_type(RType::AAAA),
            // A name server must not be an alias (RFC 2181 §10.3), so no alias is followed.
            _ => descent.is_done = true,
        }
    }

    /// Follows a referral.
    fn enter(&mut self, at: usize, zone: NameBuf, name_servers: &[NameServer], chain: Chain) {
        let policy = self.config.addresses;
        let mut servers: Vec<Server> =
            name_servers.iter().map(|server| Server::of(zone.as_name(), server, policy)).collect();
        for server in name_servers {
            for &address in server.addresses.iter().filter(|&&address| !policy.permits(address)) {
                self.note_not_permitted(address, Some(&server.name), zone.as_name(), zone.as_name(), RType::NS);
            }
        }
        shuffle(&mut servers, &mut self.rng);
        let descent = &mut self.descents[at];
        if servers.iter().any(|server| !server.addresses.is_empty()) {
            let servers = servers.clone();
            match descent.purpose {
                Purpose::Delegation => {
                    self.zones.insert(zone.clone(), Zone { servers, chain: Some(chain.clone()) });
                }
                Purpose::Addresses => {
                    let chain = self.config.trust_anchors.is_empty().then_some(Chain::Unchecked);
                    self.zones.entry(zone.clone()).or_insert(Zone { servers, chain });
                }
            }
        }
        match (descent.enter(zone, servers, chain, &self.config.limits), descent.purpose) {
            (Ok(()), _) => {}
            (Err(_), Purpose::Addresses) => descent.is_done = true,
            (Err(_), Purpose::Delegation) => self.conclude(Outcome::Unknown(Unknown::Limit("referrals_max"))),
        }
    }

    fn note_not_permitted(
        &mut self,
        address: IpAddr,
        name: Option<&NameBuf>,
        zone: Name<'_>,
        qname: Name<'_>,
        qtype: RType,
    ) {
        let noted = self.evidence.steps.iter().filter(|step| step.said == Said::NotPermitted).count();
        if noted >= NOT_PERMITTED_NOTED_MAX {
            return;
        }
        self.evidence.steps.push(Step {
            server: SocketAddr::new(address, self.config.port),
            server_name: name.cloned(),
            zone: zone.to_buf(),
            qname: qname.to_buf(),
            qtype,
            transport: Transport::Udp,
            latency: Duration::ZERO,
            rcode: None,
            is_authoritative: false,
            said: Said::NotPermitted,
        });
    }
}

/// There are more signatures to verify than may be.
struct TooMuch;

/// Addresses that were not asked for the sake of the policy, as far as they are written down: enough to see why.
const NOT_PERMITTED_NOTED_MAX: usize = 16;

// Response codes that say what to do differently (RFC 1035 §4.1.1, RFC 6891 §9, RFC 7873 §8).
const FORMERR: u16 = 1;
const NOTIMP: u16 = 4;
const BADVERS: u16 = 16;
const BADCOOKIE: u16 = 23;
