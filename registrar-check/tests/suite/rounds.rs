//! Checks of many domains that were uploaded at one moment, in virtual time, on their first day and on one after some weeks: most parents
//! are well, some lose packets, are slow or dead.
//!
//! `nss-api` checks each zone once a day, a tenth more or less, takes a hundred of those that are due, sixteen at one time, until none is,
//! looks again every minute, and asks again within the hour where it could not find out. That schedule is played here with the daemon's
//! own function for when the next check is due, and with walks that share what they know as those of a `Checker` do. `cargo xtask bench
//! rounds` plays it with 100,000 domains.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, NS, opt::EdnsOption};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use nss_registrar_check::{AddressPolicy, Config, KnownZones, Outcome, Query, Security, Token, Wanted};
use nss_wire::NameBuf;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use self::jitter::jittered;
use crate::internet::{NOW, anchor, name};
use crate::signer::{Denial, Signer, opaque};

/// The very file of the daemon: a dependency on it would turn the arrows between the crates round.
#[path = "../../../nssd/src/control/jitter.rs"]
#[expect(unreachable_pub, reason = "it is public where it belongs")]
mod jitter;

#[test]
fn a_round_asks_at_most_five_queries_a_domain_and_spreads_them_over_the_day() {
    let domains = std::env::var(DOMAINS_VARIABLE).map_or(DOMAINS, |text| text.parse().unwrap());
    println!(
        "\n| domains | hours after all were uploaded | checks | could not find out | queries | for each domain \
         | nine of ten in minutes | in each of these, on average | at most |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    // From the first noon on, for the first checks are about the next midnight.
    for (begin, nine_of_ten) in [(12 * HOUR, 200..400), (WEEKS * 7 * DAY, 800..1300)] {
        let mut day = Day::new(domains, begin);
        day.play();
        let queries: usize = day.sent.iter().sum();
        let each = queries as f64 / domains as f64;
        let (busy, most) = (day.busy_minutes(), *day.sent.iter().max().unwrap());
        let mean = 0.9 * queries as f64 / busy as f64;
        let (from, to) = (begin / HOUR, (begin + DAY) / HOUR);
        println!(
            "| {domains} | {from}–{to} | {} | {} | {queries} | {each:.2} | {busy} | {mean:.1} | {most} |",
            day.checks, day.unknown
        );
        assert!(day.checks >= domains * 9 / 10, "{} checks", day.checks);
        assert!(each <= 5.0, "{each}");
        // What comes by chance adds to the average with few domains: six standard deviations of walks of five queries.
        let allowed = 1.5 * mean + 6.0 * (5.0 * mean).sqrt();
        assert!((most as f64) <= allowed, "{most} in one minute, {mean} on average");
        assert!(nine_of_ten.contains(&busy), "{busy} minutes");
    }
}

/// The domains of a test that takes seconds; a variable sets another number.
const DOMAINS: usize = 3000;
const DOMAINS_VARIABLE: &str = "NSS_ROUNDS_DOMAINS";

const MINUTES: usize = 24 * 60;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// How long the domains are here when the second day is played.
const WEEKS: u64 = 8;

/// Top-level domains with more than a few domains in each; of fewer domains there are fewer, so that as many share one.
const PARENTS_MAX: usize = 200;
const DOMAINS_PER_PARENT: usize = 150;

/// As `nss-api` has them.
const CHECKS_AT_ONCE: usize = 16;
const BATCH: usize = 100;

/// How the servers of a parent are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well,
    /// Every fifth packet is lost.
    Lossy,
    /// Answers come after one and a half seconds.
    Slow,
    /// Every second server never answers.
    HalfDead,
    Dead,
}

struct Parent {
    apex: Name,
    signer: Signer,
    health: Health,
    keys: Vec<Record>,
    referral: Vec<Record>,
}

struct Day {
    /// When it begins, in seconds after all domains were uploaded.
    begin: u64,
    rng: StdRng,
    root_keys: Vec<Record>,
    parents: Vec<Parent>,
    /// The parent of each domain.
    domains: Vec<usize>,
    known: KnownZones,
    /// Queries in each minute.
    sent: Vec<usize>,
    checks: usize,
    unknown: usize,
}

impl Day {
    fn new(domains: usize, begin: u64) -> Day {
        let mut rng = StdRng::seed_from_u64(1);
        let long_lived = |apex: &Name| {
            let mut signer = Signer::new(apex, Denial::Nsec);
            signer.expiration = NOW + 30 * 86_400;
            signer
        };
        let root = long_lived(&Name::root());
        let count = (domains / DOMAINS_PER_PARENT).clamp(1, PARENTS_MAX);
        let parents: Vec<Parent> = (0..count).map(|index| Parent::new(index, long_lived, &root)).collect();
        // The first has a sixth of all domains, the tenth a sixtieth.
        let weights: Vec<f64> = (0..count).map(|index| 1.0 / (index + 1) as f64).collect();
        let all: f64 = weights.iter().sum();
        let draw = |rng: &mut StdRng| {
            let mut left = rng.random_range(0.0..all);
            weights
                .iter()
                .position(|weight| {
                    left -= weight;
                    left < 0.0
                })
                .unwrap_or(0)
        };
        let domains = (0..domains).map(|_| draw(&mut rng)).collect();
        let config = Config {
            root_hints: (1..=13).map(|server| address(ROOT, server)).collect(),
            trust_anchors: vec![anchor(&root.ds())],
            addresses: AddressPolicy::AnyUnicast,
            ..Config::default()
        };
        Day {
            begin,
            rng,
            root_keys: signed(&root, vec![Record::from_rdata(Name::root(), 86_400, root.dnskey())]),
            parents,
            domains,
            known: KnownZones::new(Arc::new(config)),
            sent: vec![0; MINUTES],
            checks: 0,
            unknown: 0,
        }
    }

    fn play(&mut self) {
        let mut due: BinaryHeap<Reverse<(u64, usize)>> =
            (0..self.domains.len()).map(|domain| Reverse((self.first_due(domain), domain))).collect();
        let mut round = Duration::ZERO;
        while round < Duration::from_secs(DAY) {
            // A batch, and what is due by then, until none is.
            let mut now = round;
            loop {
                let mut lanes: BinaryHeap<Reverse<Duration>> = (0..CHECKS_AT_ONCE).map(|_| Reverse(now)).collect();
                let (at, mut checks) = (self.begin + now.as_secs(), 0);
                while checks < BATCH
                    && let Some(&Reverse((next, domain))) = due.peek()
                    && next <= at
                {
                    due.pop();
                    checks += 1;
                    let Reverse(start) = lanes.pop().expect("as many lanes as before");
                    let (end, pause) = self.check(domain, start);
                    lanes.push(Reverse(end));
                    due.push(Reverse((at + jittered(pause, &self.name(domain), at), domain)));
                }
                now = lanes.into_iter().map(|Reverse(end)| end).max().unwrap_or(now);
                if checks == 0 {
                    break;
                }
            }
            // The next minute after the end of the round.
            round = Duration::from_secs((now.as_secs() / 60 + 1) * 60);
        }
    }

    /// When a domain is due for the first time on this day, after all its checks since the upload.
    fn first_due(&self, domain: usize) -> u64 {
        let name = self.name(domain);
        let next = |at: &u64| Some(at + jittered(DAY, &name, *at));
        std::iter::successors(next(&0), next).find(|due| *due >= self.begin).expect("it is checked for ever")
    }

    fn name(&self, domain: usize) -> String {
        format!("d{domain}.{}", self.parents[self.domains[domain]].apex)
    }

    /// In how many minutes, of those with the most, there are nine of ten queries.
    fn busy_minutes(&self) -> usize {
        let mut sent = self.sent.clone();
        sent.sort_unstable_by_key(|&n| Reverse(n));
        let all: usize = sent.iter().sum();
        let sums = sent.iter().scan(0, |sum, n| {
            *sum += n;
            Some(*sum)
        });
        sums.take_while(|sum| sum * 10 < all * 9).count() + 1
    }

    /// One check; when it ends, and after which pause the next one is due.
    fn check(&mut self, domain: usize, start: Duration) -> (Duration, u64) {
        let parent = self.domains[domain];
        let apex: NameBuf = self.name(domain).parse().unwrap();
        let seed = self.rng.random();
        let mut walk = self.known.walk(apex.as_name(), Wanted::NameServers, NOW + start.as_secs(), seed, start);
        let mut now = Duration::ZERO;
        let mut on_the_way: BTreeMap<(Duration, Token), (Query, Vec<u8>)> = BTreeMap::new();
        let findings = loop {
            while let Some(query) = walk.next_query(now) {
                let minute = (start + now).as_secs() as usize / 60;
                if let Some(sent) = self.sent.get_mut(minute) {
                    *sent += 1;
                }
                if let Some((delay, reply)) = self.ask(&query) {
                    on_the_way.insert((now + delay, query.token), (query, reply));
                }
            }
            if let Some(findings) = walk.findings() {
                break findings;
            }
            let deadline = walk.deadline().unwrap();
            match on_the_way.pop_first() {
                Some(((at, token), (query, reply))) if at < deadline => {
                    now = at;
                    walk.answer(token, query.server, &reply, now);
                }
                still => {
                    on_the_way.extend(still);
                    now = deadline;
                    walk.expire(now);
                }
            }
        };
        self.checks += 1;
        let pause = match &findings.outcome {
            Outcome::Delegation(delegation) => {
                assert_eq!(delegation.security, Security::Secure);
                assert_ne!(self.parents[parent].health, Health::Dead);
                24 * HOUR
            }
            Outcome::NotDelegated(reason) => panic!("{reason}\n{}", findings.evidence),
            Outcome::Unknown(reason) => {
                assert_ne!(self.parents[parent].health, Health::Well, "{reason}\n{}", findings.evidence);
                self.unknown += 1;
                HOUR
            }
        };
        self.known.learn(&walk, start + now);
        (start + now, pause)
    }

    /// What comes back to a query, and when.
    fn ask(&mut self, query: &Query) -> Option<(Duration, Vec<u8>)> {
        let IpAddr::V4(to) = query.server.ip() else { return None };
        let [_, high, low, server] = to.octets();
        let zone = usize::from(u16::from_be_bytes([high, low]));
        let message = Message::from_vec(&query.packet).unwrap();
        let (qname, qtype) = (message.queries[0].name().to_lowercase(), message.queries[0].query_type());
        let mut delay = Duration::from_millis(self.rng.random_range(5..100));
        let parent = self.parents.get(zone);
        match parent.map_or(Health::Well, |parent| parent.health) {
            Health::Well => {}
            Health::Lossy if self.rng.random_range(0..5) > 0 => {}
            Health::HalfDead if server % 2 == 1 => {}
            Health::Slow => delay += Duration::from_millis(1500),
            Health::Lossy | Health::HalfDead | Health::Dead => return None,
        }
        let mut reply = message;
        reply.metadata.message_type = MessageType::Response;
        reply.metadata.response_code = ResponseCode::NoError;
        if let Some(edns) = reply.edns.clone() {
            let mut echo = Edns::new();
            if let Some(EdnsOption::Unknown(code, cookie)) = edns.option(10.into()) {
                echo.options_mut().insert(EdnsOption::Unknown(*code, [&cookie[..8], &[1; 8]].concat()));
            }
            reply.set_edns(echo);
        }
        match (parent, qtype) {
            (None, RecordType::DNSKEY) => reply.add_answers(self.root_keys.clone()),
            (None, _) => {
                let parent = self.parents.iter().find(|parent| parent.apex.zone_of(&qname)).unwrap();
                for record in parent.referral.clone() {
                    match record.record_type() {
                        RecordType::A => reply.add_additional(record),
                        _ => reply.add_authority(record),
                    };
                }
                &mut reply
            }
            (Some(parent), RecordType::DNSKEY) => reply.add_answers(parent.keys.clone()),
            (Some(parent), _) => reply.add_authorities(parent.delegation(&qname)),
        };
        reply.metadata.authoritative = !reply.answers.is_empty();
        Some((delay, reply.to_vec().unwrap()))
    }
}

impl Parent {
    fn new(index: usize, signer: impl Fn(&Name) -> Signer, root: &Signer) -> Parent {
        let apex = name(&format!("tld{index}."));
        let signer = signer(&apex);
        let health = match index % 20 {
            7 => Health::Lossy,
            11 => Health::Slow,
            13 => Health::HalfDead,
            17 => Health::Dead,
            _ => Health::Well,
        };
        let servers = if index == 0 { 13 } else { 2 + (index % 5) as u8 };
        let mut referral = Vec::new();
        for server in 1..=servers {
            let target = name(&format!("ns{server}.nic.tld{index}."));
            referral.push(Record::from_rdata(apex.clone(), 172_800, RData::NS(NS(target.clone()))));
            let IpAddr::V4(at) = address(index as u16, server) else { unreachable!("addresses here are of IPv4") };
            referral.push(Record::from_rdata(target, 172_800, RData::A(A(at))));
        }
        let ds = vec![Record::from_rdata(apex.clone(), 86_400, opaque(RecordType::DS, signer.ds()))];
        referral.extend(signed(root, ds));
        let keys = signed(&signer, vec![Record::from_rdata(apex.clone(), 86_400, signer.dnskey())]);
        Parent { apex, signer, health, keys, referral }
    }

    /// A referral to our name servers, with the proof that there are no DS records.
    fn delegation(&self, domain: &Name) -> Vec<Record> {
        let ours = ["ns1.dns.example.net.", "ns2.dns.example.net."];
        let mut records: Vec<Record> =
            ours.iter().map(|ours| Record::from_rdata(domain.clone(), 3600, RData::NS(NS(name(ours))))).collect();
        // The next name is the first one below: a white lie, as signers have it that sign when asked (RFC 4470).
        let owner: NameBuf = domain.to_ascii().parse().unwrap();
        let types = [0, 6, 0x20, 0, 0, 0, 0, 3];
        let nsec = [b"\x01\0", owner.as_name().as_wire(), &types].concat();
        records.extend(signed(
            &self.signer,
            vec![Record::from_rdata(domain.clone(), 3600, opaque(RecordType::NSEC, nsec))],
        ));
        records
    }
}

/// The records of one RRset with their signature.
fn signed(signer: &Signer, mut records: Vec<Record>) -> Vec<Record> {
    let rdatas = records.iter().map(|record| record.data.to_bytes().unwrap()).collect();
    records.push(signer.signature(&records[0].name, records[0].record_type(), rdatas));
    records
}

const ROOT: u16 = u16::MAX;

/// The address of a server of a parent.
fn address(zone: u16, server: u8) -> IpAddr {
    let [high, low] = zone.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, high, low, server))
}
