//! Response rate limiting over UDP: the server does not become an amplifier for who forges source addresses.
//!
//! Each worker has a table of its own; nothing is shared and nothing is locked. An entry is a bucket of answers
//! for one client network and one kind of answer. The table is as large as it is: a network that finds no room takes
//! the place of the neighbour that asked the least, and so a flood from many networks can't take the memory,
//! nor the bucket of a network that is being limited.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::config::RateLimitConfig;
use crate::prefix::masked;

/// The buckets of one worker.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    buckets: Box<[Bucket]>,
    key: [u64; 2],
    /// Answers per second for one bucket, and at most so many saved up.
    rate: u32,
    slip: u32,
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

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Hash of network and kind; 0: free.
    tag: u64,
    /// Thousandths of an answer that are left.
    credit: u32,
    /// When `credit` was right, in milliseconds of the worker's clock.
    at_ms: u32,
    /// Answers held back.
    held_back: u32,
}

impl RateLimiter {
    /// A table for one of `workers` workers, `None` when there is no limit.
    ///
    /// Forged queries come from all ports and so reach all workers alike; each allows its share.
    pub(crate) fn new(config: &RateLimitConfig, workers: usize, key: [u64; 2]) -> Option<RateLimiter> {
        let workers = u32::try_from(workers.max(1)).unwrap_or(u32::MAX);
        config.enabled.then(|| RateLimiter {
            buckets: vec![Bucket::default(); BUCKETS].into_boxed_slice(),
            key,
            rate: config.responses_per_second.div_ceil(workers).clamp(1, RATE_MAX),
            slip: config.slip,
        })
    }

    /// Counts one answer of `kind` to `client` at `now_ms`.
    pub(crate) fn account(&mut self, client: IpAddr, kind: u8, now_ms: u32) -> Verdict {
        let (rate, slip) = (self.rate, self.slip);
        let bucket = self.bucket(client, kind, now_ms);
        bucket.refill(rate, now_ms);
        if bucket.credit >= ANSWER {
            bucket.credit -= ANSWER;
            return Verdict::Pass;
        }
        bucket.held_back = bucket.held_back.wrapping_add(1);
        if slip > 0 && bucket.held_back.is_multiple_of(slip) { Verdict::Slip } else { Verdict::Drop }
    }

    fn bucket(&mut self, client: IpAddr, kind: u8, now_ms: u32) -> &mut Bucket {
        let mut hasher = SipHasher13::new_with_keys(self.key[0], self.key[1]);
        match network(client) {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
        hasher.write_u8(kind);
        let hash = hasher.finish();
        let tag = hash | 1;
        let set = (hash >> 32) as usize % (BUCKETS / WAYS) * WAYS;
        let rate = self.rate;
        let ways = &mut self.buckets[set..set + WAYS];
        let place = ways.iter().position(|bucket| bucket.tag == tag).unwrap_or_else(|| {
            // The fullest bucket belongs to who asked the least, or to nobody.
            let credit = |bucket: &Bucket| {
                let mut bucket = *bucket;
                bucket.refill(rate, now_ms);
                if bucket.tag == 0 { u32::MAX } else { bucket.credit }
            };
            let place = (0..WAYS).max_by_key(|&way| credit(&ways[way])).unwrap_or(0);
            ways[place] = Bucket { tag, credit: rate * ANSWER, at_ms: now_ms, held_back: 0 };
            place
        });
        &mut ways[place]
    }
}

impl Bucket {
    fn refill(&mut self, rate: u32, now_ms: u32) {
        let elapsed_ms = u64::from(now_ms.wrapping_sub(self.at_ms));
        let credit = u64::from(self.credit) + elapsed_ms * u64::from(rate);
        self.credit = u32::try_from(credit.min(u64::from(rate) * u64::from(ANSWER))).unwrap_or(u32::MAX);
        self.at_ms = now_ms;
    }
}

/// One answer, in the unit of `credit`: then the rate per second is the credit per millisecond.
const ANSWER: u32 = 1000;

/// The largest rate whose credit of one second fits in 32 bits.
const RATE_MAX: u32 = u32::MAX / ANSWER;

/// Buckets of a table: 1.5 MiB per worker, and more networks than ask one server within a second.
const BUCKETS: usize = 1 << 16;

/// Places that a bucket may be in.
const WAYS: usize = 4;

/// What counts as one client: the networks that BIND and Knot take for one, /24 and /56.
fn network(client: IpAddr) -> IpAddr {
    let client = client.to_canonical();
    masked(client, if client.is_ipv4() { 24 } else { 56 }).unwrap_or(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(rate: u32, slip: u32) -> RateLimiter {
        let config = RateLimitConfig { enabled: true, responses_per_second: rate, slip };
        RateLimiter::new(&config, 1, [1, 2]).unwrap()
    }

    fn count(limiter: &mut RateLimiter, client: &str, answers: usize, now_ms: u32, verdict: Verdict) -> usize {
        let client = client.parse().unwrap();
        (0..answers).filter(|_| limiter.account(client, 0, now_ms) == verdict).count()
    }

    #[test]
    fn a_network_gets_its_rate_and_no_more() {
        let mut limiter = limiter(10, 0);
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 0, Verdict::Pass), 10);
        // The neighbour is the same network, the next network is not.
        assert_eq!(count(&mut limiter, "192.0.2.254", 100, 0, Verdict::Pass), 0);
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
    fn each_kind_of_answer_has_its_own_bucket() {
        let mut limiter = limiter(1, 0);
        let client = "192.0.2.1".parse().unwrap();
        assert_eq!(limiter.account(client, 0, 0), Verdict::Pass);
        assert_eq!(limiter.account(client, 0, 0), Verdict::Drop);
        assert_eq!(limiter.account(client, 1, 0), Verdict::Pass);
    }

    #[test]
    fn every_so_many_th_held_back_answer_slips() {
        assert_eq!(count(&mut limiter(1, 2), "192.0.2.1", 101, 0, Verdict::Slip), 50);
        assert_eq!(count(&mut limiter(1, 1), "192.0.2.1", 101, 0, Verdict::Slip), 100);
        assert_eq!(count(&mut limiter(1, 0), "192.0.2.1", 101, 0, Verdict::Slip), 0);
    }

    #[test]
    fn a_flood_from_everywhere_does_not_free_who_is_limited() {
        let mut limiter = limiter(10, 0);
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 0, Verdict::Pass), 10);
        for i in 0..200_000_u32 {
            limiter.account(IpAddr::from((0x0a00_0000 + (i << 8)).to_be_bytes()), 0, 0);
        }
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 0, Verdict::Pass), 0);
    }

    #[test]
    fn the_clock_of_milliseconds_may_wrap() {
        let mut limiter = limiter(10, 0);
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, u32::MAX - 100, Verdict::Pass), 10);
        assert_eq!(count(&mut limiter, "192.0.2.1", 100, 399, Verdict::Pass), 5);
    }
}
