//! Zones, questions and answers as text, for tests that read like a conversation with a name server.
#![allow(dead_code, reason = "each test program uses its part of it")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use nss_authority::{Catalog, Finding, HashSeed, Outcome, Peer, Policy, Reply, Transport, View, Zone, ZoneBuilder};
use nss_wire::message::{Edns, EdnsFlags, Flags, Rcode, Reader};
use nss_wire::{Class, NameBuf, RType, Record, RecordBuf};

/// A name server with some zones.
pub(crate) struct Story {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) view: View,
    pub(crate) policy: Policy,
    pub(crate) transport: Transport,
    /// Sent with each question.
    pub(crate) edns: Option<EdnsWish>,
}

#[derive(Clone, Copy)]
pub(crate) struct EdnsWish {
    pub(crate) payload_size: u16,
    pub(crate) flags: EdnsFlags,
}

impl Story {
    /// Serves zones; the first owner of each text is its apex.
    pub(crate) fn new(zones: &[&str]) -> Story {
        let catalog = Arc::new(Catalog::new(HashSeed::new(0x5eed)));
        for text in zones {
            let (zone, _) = build(text).unwrap_or_else(|findings| panic!("{findings:?}"));
            assert!(catalog.publish(zone).is_none());
        }
        let view = catalog.view();
        Story { catalog, view, policy: Policy::default(), transport: Transport::Udp, edns: None }
    }

    pub(crate) fn over_tcp(mut self) -> Story {
        self.transport = Transport::Tcp;
        self
    }

    pub(crate) fn with_edns(mut self, payload_size: u16, flags: EdnsFlags) -> Story {
        self.edns = Some(EdnsWish { payload_size, flags });
        self
    }

    /// Asks `question`, a name and a type, and compares the answer with `expected`: a line of code and flags, then
    /// the records in any order, each behind the name of its section.
    #[track_caller]
    pub(crate) fn check(&mut self, question: &str, expected: &str) {
        let (name, rtype) = question.split_once(' ').expect("a name and a type");
        let request = query(&name.parse().unwrap(), rtype.parse().unwrap(), self.edns);
        let (_, octets) = self.ask(&request);
        let mut expected: Vec<String> =
            expected.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
        let mut found = render(&octets);
        expected[1..].sort();
        found[1..].sort();
        assert!(expected == found, "{question}\nexpected {expected:#?}\nfound {found:#?}");
    }

    /// Asks `question` and renders the answer.
    #[track_caller]
    pub(crate) fn lines(&mut self, question: &str) -> Vec<String> {
        let (name, rtype) = question.split_once(' ').expect("a name and a type");
        let request = query(&name.parse().unwrap(), rtype.parse().unwrap(), self.edns);
        render(&self.ask(&request).1)
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer { transport: self.transport, address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53)) }
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, request: &[u8]) -> (Reply, Vec<u8>) {
        match self.send(request) {
            (Outcome::Reply(reply), octets) => (reply, octets),
            (outcome, _) => panic!("no answer but {outcome:?}"),
        }
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> (Outcome, Vec<u8>) {
        let mut out = vec![0; 65535];
        let peer = self.peer();
        let outcome = self.view.respond(request, &peer, &self.policy, &mut out);
        let size = match &outcome {
            Outcome::Reply(reply) => reply.len,
            Outcome::Silent | Outcome::Transfer(_) => 0,
        };
        out.truncate(size);
        (outcome, out)
    }
}

/// Builds the zone of a text.
pub(crate) fn build(text: &str) -> Result<(Zone, Vec<Finding>), Vec<Finding>> {
    let records = records(text);
    let apex = records[0].1.owner.clone();
    let mut builder = ZoneBuilder::new(apex.as_name(), Class::IN).with_seed(HashSeed::new(0x5eed));
    for (line, record) in &records {
        builder.add(record.as_record(), *line);
    }
    builder.build()
}

/// The records of a text with their line numbers: `owner [TTL] type data` on each line, all names absolute.
pub(crate) fn records(text: &str) -> Vec<(u32, RecordBuf)> {
    let lines = text.lines().enumerate().map(|(i, line)| (i as u32 + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(';')).map(|(i, line)| (i, record(line))).collect()
}

pub(crate) fn record(line: &str) -> RecordBuf {
    let mut words = line.split_whitespace().peekable();
    let owner = words.next().unwrap().parse().unwrap_or_else(|error| panic!("{line}: {error}"));
    let ttl = words.peek().unwrap().parse().ok();
    if ttl.is_some() {
        words.next();
    }
    let mut class = Class::IN;
    if *words.peek().unwrap() == "CH" {
        words.next();
        class = Class::CH;
    }
    let rtype: RType = words.next().unwrap().parse().unwrap();
    let words: Vec<&str> = words.collect();
    let rdata = rdata(rtype, &words);
    RecordBuf { owner, rtype, class, ttl: ttl.unwrap_or(3600), rdata }
}

fn rdata(rtype: RType, words: &[&str]) -> Vec<u8> {
    let name = |word: &str| word.parse::<NameBuf>().unwrap().as_name().as_wire().to_vec();
    let short = |word: &str| word.parse::<u16>().unwrap().to_be_bytes().to_vec();
    let long = |word: &str| word.parse::<u32>().unwrap().to_be_bytes().to_vec();
    let string = |word: &str| [&[word.len() as u8], word.as_bytes()].concat();
    let hex = |word: &str| -> Vec<u8> {
        (0..word.len()).step_by(2).map(|i| u8::from_str_radix(&word[i..i + 2], 16).unwrap()).collect()
    };
    match (rtype, words) {
        (_, [r"\#", _, digits @ ..]) => hex(&digits.concat()),
        (RType::A, [address]) => address.parse::<Ipv4Addr>().unwrap().octets().to_vec(),
        (RType::AAAA, [address]) => address.parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec(),
        (RType::NS | RType::CNAME | RType::DNAME | RType::PTR, [target]) => name(target),
        (RType::MX | RType::KX | RType::AFSDB | RType::RT, [preference, target]) => {
            [short(preference), name(target)].concat()
        }
        (RType::SRV, [priority, weight, port, target]) => {
            [short(priority), short(weight), short(port), name(target)].concat()
        }
        (RType::SVCB | RType::HTTPS, [priority, target]) => [short(priority), name(target)].concat(),
        (RType::NAPTR, [order, preference, flags, services, regexp, target]) => {
            let strings = [flags, services, regexp].map(|word| string(word.trim_matches('"'))).concat();
            [short(order), short(preference), strings, name(target)].concat()
        }
        (RType::TXT, strings) => strings.iter().flat_map(|word| string(word.trim_matches('"'))).collect(),
        (RType::DS, [tag, algorithm, digest, digits]) => {
            [short(tag), vec![algorithm.parse().unwrap(), digest.parse().unwrap()], hex(digits)].concat()
        }
        (RType::RRSIG, [covered, signer]) => {
            let covered: RType = covered.parse().unwrap();
            let fixed = [8, 2, 0, 0, 14, 16, 0, 0, 0, 2, 0, 0, 0, 1, 0, 7];
            [&covered.0.to_be_bytes()[..], &fixed, &name(signer), b"sig"].concat()
        }
        (RType::SOA, [mname, rname, serial, refresh, retry, expire, minimum]) => {
            let numbers = [serial, refresh, retry, expire, minimum].map(|word| long(word)).concat();
            [name(mname), name(rname), numbers].concat()
        }
        _ => panic!("no reader for {rtype} {words:?}"),
    }
}

/// A query as most resolvers send it, with RD clear.
pub(crate) fn query(name: &NameBuf, rtype: RType, edns: Option<EdnsWish>) -> Vec<u8> {
    let additional = u8::from(edns.is_some());
    let mut message = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, additional];
    message.extend_from_slice(name.as_name().as_wire());
    message.extend_from_slice(&rtype.0.to_be_bytes());
    message.extend_from_slice(&Class::IN.0.to_be_bytes());
    if let Some(EdnsWish { payload_size, flags }) = edns {
        message.extend_from_slice(&[0, 0, 41]);
        message.extend_from_slice(&payload_size.to_be_bytes());
        message.extend_from_slice(&[0, 0]);
        message.extend_from_slice(&flags.0.to_be_bytes());
        message.extend_from_slice(&[0, 0]);
    }
    message
}

/// A message as lines: code and flags, then one for each record.
pub(crate) fn render(octets: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(octets).unwrap();
    let header = reader.header();
    let edns: Option<Edns<'_>> = reader.clone().edns().unwrap();
    let rcode = Rcode::from_parts(header.flags, edns.map_or(0, |edns| edns.rcode_high));
    let mut first = rcode.to_string();
    for (flag, name) in [
        (Flags::AA, " aa"),
        (Flags::TC, " tc"),
        (Flags::RD, " rd"),
        (Flags::RA, " ra"),
        (Flags::AD, " ad"),
        (Flags::CD, " cd"),
    ] {
        if header.flags.contains(flag) {
            first.push_str(name);
        }
    }
    assert!(header.flags.contains(Flags::QR));
    let mut lines = vec![first];
    while let Some(record) = reader.record().unwrap() {
        if record.rtype == RType::OPT {
            continue;
        }
        let section = format!("{:?}", record.section).to_lowercase();
        let mut rdata = Vec::new();
        record.rdata(&mut rdata).unwrap();
        let owner = record.owner.to_buf();
        let (rtype, class, ttl) = (record.rtype, record.class, record.ttl);
        let text = Record { owner: owner.as_name(), rtype, class, ttl, rdata: &rdata }.to_string();
        let mut words: Vec<&str> = text.split(' ').collect();
        // The TTL matters where it says how long a negative answer holds, the other numbers of the SOA don't.
        match rtype {
            RType::SOA => words.truncate(4),
            RType::RRSIG => {
                words.drain(5..);
                words.remove(1);
            }
            _ => drop(words.remove(1)),
        }
        words.retain(|&word| word != "IN");
        lines.push(format!("{section} {}", words.join(" ")));
    }
    assert!(reader.trailing().is_empty());
    lines
}
