//! The internet in a map from addresses to servers, in virtual time; each server can be made to fail or to lie.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hickory_proto::op::{Edns, Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, NULL, SOA, opt::EdnsOption};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use nss_registrar_check::{AddressPolicy, Config, Findings, Heard, Query, Transport, TrustAnchor, Walk, Wanted};
use nss_wire::NameBuf;

use crate::signer::{Denial, Signer, opaque};

/// When walks begin, in seconds since 1970.
pub(crate) const NOW: u64 = 1_800_000_000;

/// Zones, who serves them, and what is wrong with whom.
#[derive(Default)]
pub(crate) struct Internet {
    zones: BTreeMap<Name, Vec<(Name, RData)>>,
    signers: BTreeMap<Name, Signer>,
    servers: BTreeMap<IpAddr, Vec<Name>>,
    faults: BTreeMap<IpAddr, Fault>,
    /// Every query in the order in which they were sent.
    pub(crate) asked: Vec<Asked>,
}

/// One query as a server sees it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) server: SocketAddr,
    pub(crate) qname: Name,
    pub(crate) qtype: RecordType,
    pub(crate) transport: Transport,
    pub(crate) message: Message,
}

/// What a server does with the reply it should give: edit it, send it late, twice, from elsewhere, or not at all.
pub(crate) type Fault = Box<dyn FnMut(&Asked, Message) -> Vec<Delivery> + Send>;

/// Something that comes back to a query.
pub(crate) struct Delivery {
    pub(crate) after: Duration,
    pub(crate) from: SocketAddr,
    pub(crate) what: Result<Vec<u8>, io::ErrorKind>,
}

impl Internet {
    /// A zone with these servers; `records` are lines of owner, type and data, all names absolute.
    pub(crate) fn zone(&mut self, apex: &str, servers: &[&str], records: &str) -> &mut Internet {
        let apex = name(apex);
        let lines = records.lines().map(str::trim).filter(|line| !line.is_empty());
        self.zones.entry(apex.clone()).or_default().extend(lines.map(record));
        for server in servers {
            self.servers.entry(server.parse().unwrap()).or_default().push(apex.clone());
        }
        self
    }

    /// Signs the zone, and gives its parent a DS record unless it is the root; returns the RDATA of that record.
    pub(crate) fn sign(&mut self, apex: &str, denial: Denial) -> Vec<u8> {
        let apex = name(apex);
        let signer = Signer::new(&apex, denial);
        let ds = signer.ds();
        self.zones.entry(apex.clone()).or_default().push((apex.clone(), signer.dnskey()));
        let parent = (1..=apex.num_labels()).map(|up| apex.trim_to(usize::from(apex.num_labels() - up)));
        if let Some(parent) = parent.into_iter().find(|parent| self.zones.contains_key(parent)) {
            self.zones.entry(parent).or_default().push((apex.clone(), opaque(RecordType::DS, ds.clone())));
        }
        self.signers.insert(apex, signer);
        ds
    }

    /// The signer of a zone.
    pub(crate) fn signer(&mut self, apex: &str) -> &mut Signer {
        self.signers.get_mut(&name(apex)).unwrap()
    }

    /// The zone's signatures are good at this moment and for an hour.
    pub(crate) fn sign_for_now(&mut self, apex: &str) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let signer = self.signer(apex);
        (signer.inception, signer.expiration) = (now - 3600, now + 3600);
    }

    /// The records of a zone.
    pub(crate) fn records(&mut self, apex: &str) -> &mut Vec<(Name, RData)> {
        self.zones.get_mut(&name(apex)).unwrap()
    }

    /// From now on the server at `address` does this.
    pub(crate) fn fault(
        &mut self,
        address: &str,
        fault: impl FnMut(&Asked, Message) -> Vec<Delivery> + Send + 'static,
    ) -> &mut Internet {
        self.faults.insert(address.parse().unwrap(), Box::new(fault));
        self
    }

    /// From now on the server at `address` edits its replies so.
    pub(crate) fn lie(
        &mut self,
        address: &str,
        mut lie: impl FnMut(&Asked, &mut Message) + Send + 'static,
    ) -> &mut Internet {
        self.fault(address, move |asked, mut reply| {
            lie(asked, &mut reply);
            vec![Delivery::of(asked, &reply)]
        })
    }

    /// Nothing that is sent to `address` is ever answered.
    pub(crate) fn silent(&mut self, address: &str) -> &mut Internet {
        self.fault(address, |_, _| Vec::new())
    }

    /// The addresses at which there is a server.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.servers.keys().copied().collect()
    }

    /// Walks from `root_hints` to the end.
    pub(crate) fn walk(&mut self, domain: &str, config: Config) -> Findings {
        self.walk_for(Wanted::NameServers, domain, config)
    }

    /// Walks from `root_hints` to the end to find out what is wanted.
    pub(crate) fn walk_for(&mut self, wanted: Wanted, domain: &str, config: Config) -> Findings {
        self.walk_by_chance(7, wanted, domain, config)
    }

    /// The same; which servers are asked is by this chance.
    pub(crate) fn walk_by_chance(&mut self, seed: u8, wanted: Wanted, domain: &str, config: Config) -> Findings {
        let domain: NameBuf = domain.parse().unwrap();
        let mut walk = Walk::new(Arc::new(config), domain.as_name(), wanted, NOW, [seed; 32]);
        self.drive(&mut walk);
        walk.findings().expect("it has ended").clone()
    }

    /// Lends the walk this internet until it ends; how long that took.
    pub(crate) fn drive(&mut self, walk: &mut Walk) -> Duration {
        let mut now = Duration::ZERO;
        let mut on_the_way: Vec<(Duration, nss_registrar_check::Token, Delivery)> = Vec::new();
        loop {
            while let Some(query) = walk.next_query(now) {
                for delivery in self.deliver(&query) {
                    on_the_way.push((now + delivery.after, query.token, delivery));
                }
            }
            if walk.findings().is_some() {
                return now;
            }
            let deadline = walk.deadline().expect("a walk that has not ended has a deadline");
            let next = on_the_way.iter().enumerate().min_by_key(|(_, (when, ..))| *when).map(|(at, _)| at);
            match next {
                Some(at) if on_the_way[at].0 < deadline => {
                    let (when, token, delivery) = on_the_way.remove(at);
                    now = now.max(when);
                    match delivery.what {
                        Ok(packet) => drop::<Heard>(walk.answer(token, delivery.from, &packet, now)),
                        Err(error) => walk.failed(token, error, now),
                    }
                }
                Some(_) | None => {
                    now = deadline;
                    walk.expire(now);
                }
            }
        }
    }

    fn deliver(&mut self, query: &Query) -> Vec<Delivery> {
        self.receive(query.server, query.transport, &query.packet)
    }

    /// What comes back when `packet` is sent to `server`.
    pub(crate) fn receive(&mut self, server: SocketAddr, transport: Transport, packet: &[u8]) -> Vec<Delivery> {
        let message = Message::from_vec(packet).expect("the walk sends well-formed queries");
        let question = message.queries[0].clone();
        let asked = Asked { server, qname: question.name().clone(), qtype: question.query_type(), transport, message };
        self.asked.push(asked.clone());
        let address = server.ip();
        let is_there = self.servers.contains_key(&address) || self.faults.contains_key(&address);
        if !is_there {
            return vec![Delivery { what: Err(io::ErrorKind::HostUnreachable), ..Delivery::silence(&asked) }];
        }
        let reply = self.reply(&asked);
        match self.faults.get_mut(&address) {
            Some(fault) => fault(&asked, reply),
            None => vec![Delivery::of(&asked, &reply)],
        }
    }

    /// What an authoritative server with the address's zones answers (RFC 1034 §4.3.2).
    fn reply(&self, asked: &Asked) -> Message {
        let (mut reply, apex) = self.unsigned_reply(asked);
        let wants_dnssec = asked.message.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
        if let Some((apex, signer)) = apex.and_then(|apex| self.signers.get_key_value(&apex)).filter(|_| wants_dnssec) {
            signer.complete(&mut reply, &asked.qname.to_lowercase(), &self.zones[apex]);
        }
        reply
    }

    /// The reply without signatures, and the zone that it is from.
    fn unsigned_reply(&self, asked: &Asked) -> (Message, Option<Name>) {
        let mut reply = asked.message.clone();
        reply.metadata.message_type = MessageType::Response;
        reply.edns = None;
        if let Some(edns) = &asked.message.edns {
            let mut echo = Edns::new();
            if let Some(EdnsOption::Unknown(code, cookie)) = edns.option(10.into()) {
                echo.options_mut().insert(EdnsOption::Unknown(*code, [&cookie[..8], &[1; 8]].concat()));
            }
            reply.set_edns(echo);
        }
        let qname = asked.qname.to_lowercase();
        let served = self.servers.get(&asked.server.ip()).into_iter().flatten();
        let enclosing =
            served.filter(|apex| apex.zone_of(&qname) && (asked.qtype != RecordType::DS || **apex != qname));
        let Some(apex) = enclosing.max_by_key(|apex| apex.num_labels()) else {
            reply.metadata.response_code = ResponseCode::Refused;
            return (reply, None);
        };
        let zone = &self.zones[apex];
        let at = |owner: &Name, rtype: RecordType| -> Vec<Record> {
            let found = zone.iter().filter(|(name, data)| name == owner && data.record_type() == rtype);
            found.map(|(name, data)| Record::from_rdata(name.clone(), 3600, data.clone())).collect()
        };
        let add_glue = |reply: &mut Message, servers: &[Record]| {
            for server in servers {
                let RData::NS(target) = &server.data else { continue };
                reply.add_additionals(at(&target.0, RecordType::A));
                reply.add_additionals(at(&target.0, RecordType::AAAA));
            }
        };
        // The names from below the apex down to the name in question.
        for labels in apex.num_labels() + 1..=qname.num_labels() {
            let owner = qname.trim_to(usize::from(labels));
            let cut = at(&owner, RecordType::NS);
            // The parent answers for DS at the cut itself (RFC 4035 §3.1.4.1).
            let is_above = owner != qname || asked.qtype != RecordType::DS;
            if is_above && !cut.is_empty() {
                add_glue(&mut reply, &cut);
                reply.add_authorities(cut);
                // RFC 4035 §3.1.4.
                if asked.message.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok) {
                    reply.add_authorities(at(&owner, RecordType::DS));
                }
                return (reply, Some(apex.clone()));
            }
            let dname = at(&owner, RecordType::Unknown(39));
            if !dname.is_empty() && owner != qname {
                reply.metadata.authoritative = true;
                reply.add_answers(dname);
                return (reply, Some(apex.clone()));
            }
        }
        reply.metadata.authoritative = true;
        let (found, cname) = (at(&qname, asked.qtype), at(&qname, RecordType::CNAME));
        if !found.is_empty() {
            add_glue(&mut reply, &found);
            reply.add_answers(found);
        } else if !cname.is_empty() {
            reply.add_answers(cname);
        } else {
            let exists = qname == *apex || zone.iter().any(|(owner, _)| qname.zone_of(owner));
            reply.metadata.response_code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
            reply.add_authority(soa(apex));
        }
        (reply, Some(apex.clone()))
    }
}

impl Delivery {
    /// The message, 10 ms later, from the server that was asked.
    pub(crate) fn of(asked: &Asked, reply: &Message) -> Delivery {
        Delivery { what: Ok(reply.to_vec().unwrap()), ..Delivery::silence(asked) }
    }

    fn silence(asked: &Asked) -> Delivery {
        Delivery { after: Duration::from_millis(10), from: asked.server, what: Ok(Vec::new()) }
    }
}

/// A configuration for this internet, whose addresses are those of documentation.
pub(crate) fn config(root_hints: &[&str]) -> Config {
    Config {
        root_hints: root_hints.iter().map(|text| text.parse().unwrap()).collect(),
        trust_anchors: Vec::new(),
        addresses: AddressPolicy::AnyUnicast,
        ..Config::default()
    }
}

/// The trust anchor that the RDATA of a DS record is.
pub(crate) fn anchor(ds: &[u8]) -> TrustAnchor {
    let digest: String = ds[4..].iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{} {} {} {digest}", u16::from_be_bytes([ds[0], ds[1]]), ds[2], ds[3]).parse().unwrap()
}

/// An absolute name.
pub(crate) fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// The SOA record of a zone.
pub(crate) fn soa(apex: &Name) -> Record {
    Record::from_rdata(apex.clone(), 3600, RData::SOA(SOA::new(name("ns."), name("hostmaster."), 1, 2, 3, 4, 5)))
}

/// A record of a line of owner, type and data.
pub(crate) fn record(line: &str) -> (Name, RData) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [owner, rtype, data] = words[..] else { panic!("owner, type and data, not {line:?}") };
    let data = match rtype {
        "NS" => RData::NS(NS(name(data))),
        "A" => RData::A(A(data.parse().unwrap())),
        "AAAA" => RData::AAAA(AAAA(data.parse().unwrap())),
        "CNAME" => RData::CNAME(CNAME(name(data))),
        // Types that hickory-proto does not know or hides behind a feature, as octets.
        "DNAME" => RData::Unknown { code: RecordType::Unknown(39), rdata: NULL::with(wire(data)) },
        "DS" => RData::Unknown { code: RecordType::DS, rdata: NULL::with(hex(data)) },
        _ => panic!("no {rtype} in this internet"),
    };
    (name(owner), data)
}

/// Octets of two hexadecimal digits each.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn wire(text: &str) -> Vec<u8> {
    text.parse::<NameBuf>().unwrap().as_name().as_wire().to_vec()
}
