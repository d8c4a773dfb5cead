//! The queries of a walk: how they go out, what their answers mean, and where these lead.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;
use nss_wire::{Name, NameBuf, RType};
use rand::RngExt;

use super::{Aim, Contact, InFlight, Walk, Zone};
use crate::config::{Trust, Wanted};
use crate::cut::{self, Sighting};
use crate::descent::{Candidate, Descent, Purpose, Server, shuffle};
use crate::dnssec::{Chain, Fault, Keys, Limit, Proof, Reply, Security};
use crate::evidence::{NameServer, Said, Step};
use crate::opinion::{self, Opinion, Topic, View};
use crate::question::{Dnssec, Query, Question, Token, Transport, cookie_of};
use crate::reply;
use crate::verdict::{Outcome, Unknown};

/// Queries and their answers.
impl Walk {
    pub(super) fn ask(&mut self, at: usize, candidate: Candidate) {
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
    pub(super) fn take(&mut self, token: Token, message: &Message, packet: &[u8]) {
        let Some(query) = self.in_flight.get(&token) else { return };
        let cookie = cookie_of(message);
        if let (Some(cookie), Some(contact)) = (cookie, self.contacts.get_mut(&query.server.ip())) {
            contact.server_cookie = cookie.get(8..).unwrap_or_default().to_vec();
        }
        let is_proven = match (query.transport, self.config.trust) {
            (Transport::Tcp, _) | (Transport::Udp, Trust::MatchingUdp) => true,
            // Who was not sent a cookie has none to give back.
            (Transport::Udp, Trust::CookieOrTcp) => cookie.is_some() && query.question.cookie.is_some(),
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
            Err(Limit(limit)) => self.conclude(Outcome::Unknown(Unknown::Limit(limit))),
        }
    }

    /// What the signatures of a reply prove of what it says.
    fn prove(&mut self, token: Token, packet: &[u8], mut said: Said) -> Result<(Said, Proof), Limit> {
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
            now: self.unix_time(),
            limits: &self.config.limits,
        };
        match reply.prove(&mut said, &descent.chain, &mut self.budget) {
            Ok(proof) => Ok((said, proof)),
            Err(Fault::Budget(limit)) => Err(limit),
            Err(Fault::Bogus(what)) => {
                self.bogus = Some((query.zone.clone(), what.clone()));
                Ok((Said::Bogus(what), Proof::NotNeeded))
            }
        }
    }

    /// Settles a query to which there is no reply that could be used.
    pub(super) fn give_up(&mut self, token: Token, said: Said) {
        self.settle(token, None, said, Proof::NotNeeded);
    }

    /// Ends a query, writes down what was said, and goes where it leads.
    fn settle(&mut self, token: Token, message: Option<&Message>, said: Said, proof: Proof) {
        let Some(query) = self.in_flight.remove(&token) else { return };
        self.ready.retain(|ready| ready.token != token);
        let step = Step {
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
        };
        self.evidence.push(step, self.domain.as_name());
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
                return self.see(query, cut, name_servers, below);
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
            (Aim::Question, Said::Referral { zone, name_servers, ds, .. }) if zone == self.domain => {
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
                _ => return self.see(query, zone, name_servers, below),
            },
            (Aim::Question, Said::Apex { name_servers, .. }) => {
                let zone = descent.qname().to_buf();
                if is_at_target || matches!(descent.chain, Chain::Secure(_)) {
                    return self.ask_for_ds(query, zone, View::Hidden(name_servers));
                }
                return self.see(query, zone, name_servers, below);
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

    pub(super) fn topic(&self, at: usize) -> Topic<'_> {
        let parent = self.descents[at].zone.as_name();
        Topic { zone: self.domain.as_name(), parent, wanted: self.wanted, needed: self.needed() }
    }

    pub(super) fn needed(&self) -> usize {
        self.config.servers_min.max(1)
    }

    /// How many servers of a zone on the way have to show the same cut: all of them where there are fewer than are needed of
    /// the parent.
    pub(super) fn needed_on_the_way(&self, descent: &Descent) -> usize {
        self.needed().min(descent.hosts).max(1)
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

    /// Takes what a server shows of a cut on the way, and follows it when as many have shown it as are needed.
    fn see(&mut self, query: InFlight, zone: NameBuf, name_servers: Vec<NameServer>, chain: Chain) {
        let descent = &mut self.descents[query.descent];
        let InFlight { server, server_name, .. } = query;
        cut::hold(&mut descent.sightings, Sighting { server, server_name, zone, name_servers, chain });
        let descent = &self.descents[query.descent];
        if let Some(cut) = cut::agreed(&descent.sightings, self.needed_on_the_way(descent)) {
            self.enter(query.descent, cut.zone, &cut.name_servers, cut.chain);
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
                    self.zones.entry(zone.clone()).or_insert(Zone { servers, chain: None });
                }
            }
        }
        match (descent.enter(zone, servers, chain, &self.config.limits), descent.purpose) {
            (Ok(()), _) => {}
            (Err(_), Purpose::Addresses) => descent.is_done = true,
            (Err(_), Purpose::Delegation) => self.conclude(Outcome::Unknown(Unknown::Limit("referrals_max"))),
        }
    }

    pub(super) fn note_not_permitted(
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

/// Addresses that were not asked for the sake of the policy, as far as they are written down: enough to see why.
const NOT_PERMITTED_NOTED_MAX: usize = 16;

// Response codes that say what to do differently (RFC 1035 §4.1.1, RFC 6891 §9, RFC 7873 §8).
const FORMERR: u16 = 1;
const NOTIMP: u16 = 4;
const BADVERS: u16 = 16;
const BADCOOKIE: u16 = 23;
