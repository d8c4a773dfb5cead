//! How many requests a second are served, over all clients and for each of them.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::network::Network;

/// The clients told apart. Beyond that many busy ones, some share a limit by chance; 16,384 cells take 1.5 MB, whatever
/// clients do, where a map keyed by address would grow with every address an attacker has.
const CELLS: usize = 16_384;

/// Meters requests: each client's own, and all together. A second's worth may come at once.
pub struct RateLimits {
    clock: DefaultClock,
    total: DefaultDirectRateLimiter,
    cells: Box<[DefaultDirectRateLimiter]>,
    /// Keyed at random, so that nobody can choose an address that shares a cell with a victim's.
    hasher: RandomState,
}

impl RateLimits {
    /// Limits in requests a second.
    pub fn new(per_client: NonZeroU32, total: NonZeroU32) -> RateLimits {
        RateLimits {
            clock: DefaultClock::default(),
            total: RateLimiter::direct(Quota::per_second(total)),
            cells: (0..CELLS).map(|_| RateLimiter::direct(Quota::per_second(per_client))).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Counts one request of `client`.
    ///
    /// # Errors
    ///
    /// How long to wait, when the client or all clients together have had their share.
    pub fn admit(&self, client: Network) -> Result<(), Duration> {
        let cell = (self.hasher.hash_one(client) as usize) % CELLS;
        let Some(own) = self.cells.get(cell) else { return Ok(()) };
        // The client's own limit comes first: what it refuses must not count against everybody.
        for limit in [own, &self.total] {
            if let Err(refused) = limit.check() {
                return Err(refused.wait_time_from(self.clock.now()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Network {
        Network::host(text.parse().unwrap())
    }

    fn limits(per_client: u32, total: u32) -> RateLimits {
        RateLimits::new(NonZeroU32::new(per_client).unwrap(), NonZeroU32::new(total).unwrap())
    }

    #[test]
    fn a_client_that_had_its_share_waits_and_others_do_not() {
        let limits = limits(3, 1000);
        let busy = client("192.0.2.1");
        // A share that refills while the loop runs makes it longer, never endless.
        let wait = (0..100_000).find_map(|_| limits.admit(busy).err()).expect("three a second are fewer than 100,000");
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(limits.admit(client("192.0.2.2")), Ok(()));
    }

    #[test]
    fn all_clients_together_have_a_share_too() {
        let limits = limits(1000, 5);
        let refused = (0..200).filter(|n| limits.admit(client(&format!("192.0.2.{n}"))).is_err()).count();
        assert!(refused > 100, "{refused}");
    }
}
