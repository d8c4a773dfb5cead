//! How often one name server is asked, and how much at one time, over all walks of a checker.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Says when a server may be asked next. Times are counted from any moment, the same for all calls.
#[derive(Debug)]
pub(crate) struct Pace {
    /// For each address, or for some that share a cell by chance, when it may be asked next: microseconds.
    cells: Box<[AtomicU64]>,
    /// For the same addresses, how many more queries may wait for an answer.
    seats: Box<[Semaphore]>,
    /// Microseconds between two queries.
    interval: u64,
    /// Microseconds that a query may be early, so that a few walks at one moment need not wait.
    burst: u64,
    /// Keyed at random, so that nobody can choose an address that shares a cell with a busy server's.
    hasher: RandomState,
}

impl Pace {
    /// Queries to one server are at least `interval` apart, and no more than `outstanding_max` wait for an answer.
    pub(crate) fn new(interval: Duration, outstanding_max: usize) -> Pace {
        let seats = outstanding_max.clamp(1, Semaphore::MAX_PERMITS);
        let interval = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        Pace {
            cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect(),
            seats: (0..CELLS).map(|_| Semaphore::new(seats)).collect(),
            interval,
            burst: BURST.as_micros() as u64,
            hasher: RandomState::new(),
        }
    }

    /// How long to wait before a query to `server`, for which the turn is taken; `None` when that would be too long.
    pub(crate) fn turn(&self, server: IpAddr, now: Duration, patience: Duration) -> Option<Duration> {
        let now = now.as_micros() as u64;
        let latest = now.saturating_add(patience.as_micros() as u64);
        let cell = self.cells.get(self.cell(server))?;
        // A server that was not asked for a while may be asked some times at once.
        let at = |next: u64| next.max(now.saturating_sub(self.burst));
        let taken = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
            (at(next) <= latest).then(|| at(next).saturating_add(self.interval))
        });
        taken.ok().map(|next| Duration::from_micros(at(next).saturating_sub(now)))
    }

    /// Waits until one query more may be outstanding at `server`, which it is until the permit is dropped.
    pub(crate) async fn seat(&self, server: IpAddr) -> Option<SemaphorePermit<'_>> {
        self.seats.get(self.cell(server))?.acquire().await.ok()
    }

    fn cell(&self, server: IpAddr) -> usize {
        self.hasher.hash_one(server) as usize % CELLS
    }
}

/// Servers told apart: all of the root and of the largest top-level domains, a hundred times over.
const CELLS: usize = 8192;

/// What may come at once is as much as otherwise in this time.
const BURST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1000);
    const PATIENCE: Duration = Duration::from_millis(500);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn queries_to_one_server_are_spread_and_others_do_not_wait() {
        let pace = Pace::new(Duration::from_millis(10), 1);
        let server = ip("192.0.2.1");
        let waits: Vec<Duration> = std::iter::from_fn(|| pace.turn(server, START, PATIENCE)).collect();
        // A tenth of a second's worth at once, and then one in 10 ms until half a second is over.
        assert_eq!(waits.len(), 10 + 51, "{waits:?}");
        assert!(waits[..11].iter().all(Duration::is_zero), "{waits:?}");
        assert_eq!((waits[11], waits[60]), (Duration::from_millis(10), Duration::from_millis(500)));
        assert_eq!(pace.turn(ip("192.0.2.2"), START, PATIENCE), Some(Duration::ZERO));
        assert_eq!(pace.turn(server, START + Duration::from_millis(10), PATIENCE), Some(PATIENCE));
        assert_eq!(pace.turn(server, START + Duration::from_secs(2), PATIENCE), Some(Duration::ZERO));
    }

    #[test]
    fn no_second_has_more_queries_than_the_limit_and_the_burst() {
        let pace = Pace::new(Duration::from_millis(10), 1);
        let server = ip("2001:db8::1");
        let mut sent = Vec::new();
        for millisecond in 0..3000 {
            let now = START + Duration::from_millis(millisecond);
            if let Some(wait) = pace.turn(server, now, PATIENCE) {
                sent.push(now + wait);
            }
        }
        for &from in &sent {
            let within = sent.iter().filter(|&&at| at >= from && at < from + Duration::from_secs(1)).count();
            assert!(within <= 111, "{within}");
        }
        assert!(sent.len() > 300, "{}", sent.len());
    }
}
