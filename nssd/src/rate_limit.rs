//! Response rate limiting over UDP: the server does not become an amplifier for who forges source addresses.
//!
//! Each worker has tables of its own; nothing is shared, locked or allocated. A bucket holds the answers that one client
//! network may still get, either of one kind about one name, or all in all. The tables are as large as they are: a bucket that
//! finds no room takes the place of the neighbour that was used the least, and so a flood from many networks or for
//! many names can't take the memory, nor the bucket of who is being limited.

use std::net::IpAddr;

use nss_authority::ReplyKind;
use nss_wire::name::NAME_SIZE_MAX;
use siphasher::sip::SipHasher13;

use crate::config::RateLimitConfig;
use crate::prefix::{Prefix, masked};

/// The buckets of one worker.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    /// For a network, a kind and a name.
    answers: Table,
    /// For a network.
    networks: Table,
    hasher: SipHasher13,
    /// Answers of each kind per second, and at most so many saved up.
    rates: [u32; KINDS],
    /// Answers of all kinds together; `None`: as many as there are.
    rate_of_all: Option<u32>,
    slip: u32,
    ipv4_prefix_length: u8,
    ipv6_prefix_length: u8,
    exempt: Box<[Prefix]>,
}

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accounted<'a> {
    /// Whom it goes to.
    pub(crate) client: IpAddr,
    /// What it says.
    pub(crate) kind: ReplyKind,
    /// Wire form of the name it is about, in any case.
    pub(crate) subject: &'a [u8],
}

/// What happens to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is sent.
    Pass,
    /// It is sent empty and truncated, so that a real client asks again over TCP.
    Slip,
    /// It is not sent.
    Drop,
}

impl RateLimiter {
    /// The tables for one of `workers` workers, `None` when there is no limit.
    ///
    /// Forged queries come from all ports and so reach all workers alike; each allows its share.
    pub(crate) fn new(config: &RateLimitConfig, workers: usize, key: [u64; 2]) -> Option<RateLimiter> {
        let workers = u32::try_from(workers.max(1)).unwrap_or(u32::MAX);
        let share = |rate: u32| rate.div_ceil(workers).clamp(1, RATE_MAX);
        config.enabled.then(|| RateLimiter {
            answers: Table::new(ANSWER_BUCKETS),
            networks: Table::new(NETWORK_BUCKETS),
            hasher: SipHasher13::new_with_keys(key[0], key[1]),
            rates: [
                Some(config.responses_per_second),
                config.nodata_per_second,
                config.nxdomains_per_second,
                config.referrals_per_second,
                config.errors_per_second,
            ]
            .map(|rate| share(rate.unwrap_or(config.responses_per_second))),
            rate_of_all: (config.all_per_second > 0).then(|| share(config.all_per_second)),
            slip: config.slip,
            ipv4_prefix_length: config.ipv4_prefix_length,
            ipv6_prefix_length: config.ipv6_prefix_length,
            exempt: config.exempt.as_slice().into(),
        })
    }

    /// Counts one answer at `now_ms`, milliseconds that may wrap.
    pub(crate) fn account(&mut self, answer: &Accounted<'_>, now_ms: u32) -> Verdict {
        if self.exempt.iter().any(|prefix| prefix.contains(answer.client)) {
            return Verdict::Pass;
        }
        let key = Key::new(answer, self.network(answer.client));
        let slip = self.slip;
        let bucket = self.answers.bucket(self.hasher.hash(key.answer()), key.kind(), &self.rates, now_ms);
        if !bucket.has_answer() {
            return bucket.hold_back(slip);
        }
        if let Some(rate) = self.rate_of_all {
            let of_network = self.networks.bucket(self.hasher.hash(key.network()), 0, &[rate], now_ms);
            if !of_network.has_answer() {
                return of_network.hold_back(slip);
            }
            of_network.take();
        }
        bucket.take();
        Verdict::Pass
    }

    /// The network of a client, which is what its answers are counted by.
    fn network(&self, client: IpAddr) -> IpAddr {
        let client = client.to_canonical();
        let length = if client.is_ipv4() { self.ipv4_prefix_length } else { self.ipv6_prefix_length };
        masked(client, length).unwrap_or(client)
    }
}

/// What buckets are found by: network, kind, name in lower case.
struct Key {
    octets: [u8; NETWORK_SIZE + 1 + NAME_SIZE_MAX],
    size: usize,
}

impl Key {
    fn new(answer: &Accounted<'_>, network: IpAddr) -> Key {
        let network = match network {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let kind = match answer.kind {
            ReplyKind::Answer => 0,
            ReplyKind::NoData => 1,
            ReplyKind::NxDomain => 2,
            ReplyKind::Referral => 3,
            ReplyKind::Error => 4,
        };
        let subject = &answer.subject[..answer.subject.len().min(NAME_SIZE_MAX)];
        let size = NETWORK_SIZE + 1 + subject.len();
        let mut octets = [0; NETWORK_SIZE + 1 + NAME_SIZE_MAX];
        octets[..NETWORK_SIZE].copy_from_slice(&network.octets());
        octets[NETWORK_SIZE] = kind;
        let lower = &mut octets[NETWORK_SIZE + 1..size];
        lower.copy_from_slice(subject);
        lower.make_ascii_lowercase();
        Key { octets, size }
    }

    /// The number of the kind.
    fn kind(&self) -> u8 {
        self.octets[NETWORK_SIZE]
    }

    fn network(&self) -> &[u8] {
        &self.octets[..NETWORK_SIZE]
    }

    fn answer(&self) -> &[u8] {
        &self.octets[..self.size]
    }
}

/// Octets of an address, those of IPv4 mapped into IPv6.
const NETWORK_SIZE: usize = 16;

/// Buckets that are found by hash, each in one of [`WAYS`] places.
#[derive(Debug)]
struct Table(Box<[Set]>);

/// The places that a bucket may be in: one line of the cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Set([Bucket; WAYS]);

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// A part of the hash; 0: free.
    tag: u32,
    /// Thousandths of an answer that are left.
    credit: u32,
    /// When `credit` was right, in milliseconds of the worker's clock.
    at_ms: u32,
    /// Answers held back.
    held_back: u16,
    /// Which of the rates it has.
    kind: u8,
}

impl Table {
    fn new(buckets: usize) -> Table {
        Table(vec![Set::default(); buckets / WAYS].into_boxed_slice())
    }

    /// The bucket of a hash, with what it got until now; a full one if there was none.
    fn bucket(&mut self, hash: u64, kind: u8, rates: &[u32], now_ms: u32) -> &mut Bucket {
        let tag = hash as u32 | 1;
        let set = (hash >> 32) as usize % self.0.len();
        let ways = &mut self.0[set].0;
        let place = ways.iter().position(|bucket| bucket.tag == tag).unwrap_or_else(|| {
            let debt = |way: &usize| ways[*way].debt(rates, now_ms);
            let place = (0..WAYS).min_by_key(debt).unwrap_or(0);
            let credit = rates[usize::from(kind)] * ANSWER;
            ways[place] = Bucket { tag, credit, at_ms: now_ms, held_back: 0, kind };
            place
        });
        let bucket = &mut ways[place];
        bucket.credit = bucket.credit_at(rates[usize::from(bucket.kind)], now_ms);
        bucket.at_ms = now_ms;
        bucket
    }
}

impl Bucket {
    fn credit_at(&self, rate: u32, now_ms: u32) -> u32 {
        let elapsed_ms = u64::from(now_ms.wrapping_sub(self.at_ms));
        let credit = u64::from(self.credit) + elapsed_ms * u64::from(rate);
        // Not more than a full bucket, whose credit fits because the rate is RATE_MAX at most.
        credit.min(u64::from(rate * ANSWER)) as u32
    }

    /// What was used of it within the last second; nothing for who asked the least, or for nobody.
    fn debt(&self, rates: &[u32], now_ms: u32) -> u32 {
        let rate = rates[usize::from(self.kind)];
        if self.tag == 0 { 0 } else { rate * ANSWER - self.credit_at(rate, now_ms) }
    }

    fn has_answer(&self) -> bool {
        self.credit >= ANSWER
    }

    fn take(&mut self) {
        self.credit -= ANSWER;
    }

    fn hold_back(&mut self, slip: u32) -> Verdict {
        self.held_back = self.held_back.wrapping_add(1);
        if slip > 0 && u32::from(self.held_back).is_multiple_of(slip) { Verdict::Slip } else { Verdict::Drop }
    }
}

/// One answer, in the unit of `credit`: then the rate per second is the credit per millisecond.
const ANSWER: u32 = 1000;

/// The largest rate whose credit of one second fits in 32 bits.
const RATE_MAX: u32 = u32::MAX / ANSWER;

/// Kinds of answers.
const KINDS: usize = 5;

/// Buckets for answers: 1 MiB per worker, and more names than one network asks for too often within a second.
const ANSWER_BUCKETS: usize = 1 << 16;

/// Buckets for networks: 256 KiB per worker.
const NETWORK_BUCKETS: usize = 1 << 14;

/// Places that a bucket may be in.
const WAYS: usize = 4;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const ALL_KINDS: [ReplyKind; KINDS] =
        [ReplyKind::Answer, ReplyKind::NoData, ReplyKind::NxDomain, ReplyKind::Referral, ReplyKind::Error];

    fn config(rate: u32, slip: u32) -> RateLimitConfig {
        let exempt = Vec::new();
        RateLimitConfig { responses_per_second: rate, all_per_second: 0, slip, exempt, ..RateLimitConfig::default() }
    }

    fn limiter(rate: u32, slip: u32) -> RateLimiter {
        RateLimiter::new(&config(rate, slip), 1, [1, 2]).unwrap()
    }

    fn one(limiter: &mut RateLimiter, client: &str, kind: ReplyKind, subject: &[u8]) -> Verdict {
        limiter.account(&Accounted { client: client.parse().unwrap(), kind, subject }, 0)
    }

    fn count(limiter: &mut RateLimiter, client: &str, answers: usize, now_ms: u32, verdict: Verdict) -> usize {
        let answer = Accounted { client: client.parse().unwrap(), kind: ReplyKind::Answer, subject: b"\x01a\0" };
        (0..answers).filter(|_| limiter.account(&answer, now_ms) == verdict).count()
    }

    #[test]
    fn a_network_gets_its_rate_and_no_more() {
        let mut limiter = limiter(10, 0);
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 0, Verdict::Pass), 10);
        // The neighbour is the same network, the next network is not.
        assert_eq!(count(&mut limiter, "192.0.2.254", 100, 0, Verdict::Pass), 0);
        assert_eq!(count(&mut limiter, "::ffff:192.0.2.1", 100, 0, Verdict::Pass), 0);
        assert_eq!(count(&mut limiter, "192.0.3.1", 100, 0, Verdict::Pass), 10);
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 500, Verdict::Pass), 5);
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 60_000, Verdict::Pass), 10);
    }

    #[test]
    fn an_ipv6_network_is_a_56() {
        let mut limiter = limiter(10, 0);
        assert_eq!(count(&mut limiter, "2001:db8:0:1::1", 100, 0, Verdict::Pass), 10);
        assert_eq!(count(&mut limiter, "2001:db8:0:ff::1", 100, 0, Verdict::Pass), 0);
        assert_eq!(count(&mut limiter, "2001:db8:0:100::1", 100, 0, Verdict::Pass), 10);
    }

    #[test]
    fn networks_are_as_long_as_they_are_set() {
        let config = RateLimitConfig { ipv4_prefix_length: 32, ipv6_prefix_length: 0, ..config(10, 0) };
        let mut limiter = RateLimiter::new(&config, 1, [1, 2]).unwrap();
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 0, Verdict::Pass), 10);
        assert_eq!(count(&mut limiter, "192.0.2.2", 100, 0, Verdict::Pass), 10);
        assert_eq!(count(&mut limiter, "2001:db8::1", 100, 0, Verdict::Pass), 10);
        assert_eq!(count(&mut limiter, "fe80::1", 100, 0, Verdict::Pass), 0);
    }

    #[test]
    fn each_kind_of_answer_and_each_name_has_its_own_bucket() {
        let mut limiter = limiter(1, 0);
        for kind in ALL_KINDS {
            for name in [&b"\x01a\0"[..], b"\x01b\0", b"\x01a\x01b\0", b"\0", b""] {
                assert_eq!(one(&mut limiter, "192.0.2.1", kind, name), Verdict::Pass, "{kind:?} {name:?}");
                assert_eq!(one(&mut limiter, "192.0.2.1", kind, name), Verdict::Drop, "{kind:?} {name:?}");
            }
        }
        assert_eq!(one(&mut limiter, "192.0.2.1", ReplyKind::Answer, b"\x01A\0"), Verdict::Drop, "the same name");
    }

    #[test]
    fn each_kind_of_answer_has_its_own_rate() {
        let config = RateLimitConfig {
            nodata_per_second: Some(2),
            nxdomains_per_second: Some(3),
            referrals_per_second: Some(4),
            errors_per_second: Some(1),
            ..config(5, 0)
        };
        let mut limiter = RateLimiter::new(&config, 1, [1, 2]).unwrap();
        let passed = ALL_KINDS
            .map(|kind| (0..9).filter(|_| one(&mut limiter, "192.0.2.1", kind, b"\0") == Verdict::Pass).count());
        assert_eq!(passed, [5, 2, 3, 4, 1]);
    }

    #[test]
    fn all_answers_to_a_network_have_a_limit_of_their_own() {
        let config = RateLimitConfig { all_per_second: 7, ..config(5, 2) };
        let mut limiter = RateLimiter::new(&config, 1, [1, 2]).unwrap();
        let verdicts: Vec<_> =
            (0..11).map(|i| one(&mut limiter, "192.0.2.1", ReplyKind::Answer, &[1, b'a' + i, 0])).collect();
        assert_eq!(verdicts[..7], [Verdict::Pass; 7]);
        assert_eq!(verdicts[7..], [Verdict::Drop, Verdict::Slip, Verdict::Drop, Verdict::Slip]);
        assert_eq!(one(&mut limiter, "192.0.3.1", ReplyKind::Answer, b"\x01a\0"), Verdict::Pass);
    }

    #[test]
    fn who_is_exempt_gets_all_answers() {
        let exempt = vec!["192.0.2.0/25".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let config = RateLimitConfig { exempt, all_per_second: 1, ..config(1, 0) };
        let mut limiter = RateLimiter::new(&config, 1, [1, 2]).unwrap();
        for client in ["192.0.2.127", "::ffff:192.0.2.1", "2001:db8::1"] {
            assert_eq!(count(&mut limiter, client, 100, 0, Verdict::Pass), 100, "{client}");
        }
        assert_eq!(count(&mut limiter, "192.0.2.128", 100, 0, Verdict::Pass), 1);
    }

    #[test]
    fn every_worker_allows_its_share() {
        for (rate, workers, share) in [(10, 1, 10), (10, 4, 3), (1, 256, 1), (1_000_000, 2, 500_000)] {
            let limiter = RateLimiter::new(&config(rate, 0), workers, [1, 2]).unwrap();
            assert_eq!(limiter.rates[0], share);
        }
        assert!(RateLimiter::new(&RateLimitConfig { enabled: false, ..config(1, 0) }, 1, [1, 2]).is_none());
    }

    #[test]
    fn every_so_many_th_held_back_answer_slips() {
        assert_eq!(count(&mut limiter(1, 2), "192.0.2.1", 101, 0, Verdict::Slip), 50);
        assert_eq!(count(&mut limiter(1, 1), "192.0.2.1", 101, 0, Verdict::Slip), 100);
        assert_eq!(count(&mut limiter(1, 0), "192.0.2.1", 101, 0, Verdict::Slip), 0);
    }

    #[test]
    fn a_flood_from_everywhere_does_not_free_who_is_limited() {
        let mut limiter =
            RateLimiter::new(&RateLimitConfig { all_per_second: 10, ..config(10, 0) }, 1, [1, 2]).unwrap();
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 0, Verdict::Pass), 10);
        for i in 0..200_000_u32 {
            let client = IpAddr::from((0x0a00_0000 + (i << 8)).to_be_bytes());
            limiter.account(&Accounted { client, kind: ReplyKind::Answer, subject: b"\x01a\0" }, 0);
        }
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 0, Verdict::Pass), 0);
    }

    #[test]
    fn the_clock_of_milliseconds_may_wrap() {
        let mut limiter = limiter(10, 0);
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, u32::MAX - 100, Verdict::Pass), 10);
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 399, Verdict::Pass), 5);
    }

    /// A bucket as one would explain it: answers in thousandths, of any number, and no place that it could lose.
    struct Plain {
        credit: u128,
        at_ms: u128,
        held_back: u32,
    }

    impl Plain {
        fn refill(&mut self, rate: u32, now_ms: u128) {
            let full = u128::from(rate) * 1000;
            self.credit = full.min(self.credit + (now_ms - self.at_ms) * u128::from(rate));
            self.at_ms = now_ms;
        }

        fn hold_back(&mut self, slip: u32) -> Verdict {
            self.held_back += 1;
            if slip > 0 && self.held_back.is_multiple_of(slip) { Verdict::Slip } else { Verdict::Drop }
        }
    }

    proptest! {
        #[test]
        fn verdicts_are_those_of_plain_buckets(
            rate in 1..20_u32,
            nxdomains in prop::option::of(1..5_u32),
            all in 0..30_u32,
            slip in 0..4_u32,
            start in prop_oneof![Just(0), Just(u32::MAX - 3000)],
            answers in prop::collection::vec((0..400_u32, 0..2_u8, 0..5_usize, 0..2_u8), 1..400),
        ) {
            let config = RateLimitConfig { all_per_second: all, nxdomains_per_second: nxdomains, ..config(rate, slip) };
            let mut limiter = RateLimiter::new(&config, 1, [3, 4]).unwrap();
            let mut of_answers: HashMap<_, Plain> = HashMap::new();
            let mut of_networks: HashMap<_, Plain> = HashMap::new();
            let mut elapsed = 0;
            for (pause, network, kind, name) in answers {
                // Most answers come at once, some after a while.
                elapsed += pause.saturating_sub(300);
                let now_ms = u128::from(elapsed);
                let kind_rate = if ALL_KINDS[kind] == ReplyKind::NxDomain { nxdomains.unwrap_or(rate) } else { rate };
                let full = |rate: u32| Plain { credit: u128::from(rate) * 1000, at_ms: now_ms, held_back: 0 };
                let of_answer = of_answers.entry((network, kind, name)).or_insert_with(|| full(kind_rate));
                of_answer.refill(kind_rate, now_ms);
                let of_network = of_networks.entry(network).or_insert_with(|| full(all));
                of_network.refill(all, now_ms);
                let expected = if of_answer.credit < 1000 {
                    of_answer.hold_back(slip)
                } else if all > 0 && of_network.credit < 1000 {
                    of_network.hold_back(slip)
                } else {
                    of_answer.credit -= 1000;
                    of_network.credit = of_network.credit.saturating_sub(1000);
                    Verdict::Pass
                };
                let client = IpAddr::from([192, 0, network, 1]);
                let answer = Accounted { client, kind: ALL_KINDS[kind], subject: &[1, b'a' + name, 0] };
                prop_assert_eq!(limiter.account(&answer, start.wrapping_add(elapsed)), expected);
            }
        }
    }
}
