//! How many requests a second are served, over all clients and for each of them.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::network::{CLIENTS_PER_SITE, Network};

/// The clients told apart. Beyond that many busy ones, some share a limit by chance; 16,384 cells take 1.5 MB, whatever
/// clients do, where a map keyed by address would grow with every address an attacker has.
const CELLS: usize = 16_384;

/// The sites told apart, likewise.
const SITE_CELLS: usize = 4_096;

/// Meters requests: each client's own, those of each /48 of IPv6, and all together. A second's worth may come at once.
pub struct RateLimits {
    clock: DefaultClock,
    total: DefaultDirectRateLimiter,
    clients: Box<[DefaultDirectRateLimiter]>,
    sites: Box<[DefaultDirectRateLimiter]>,
    /// Keyed at random, so that nobody can choose an address that shares a cell with a victim's.
    hasher: RandomState,
}

impl RateLimits {
    /// Limits in requests a second; a site has as much as [`CLIENTS_PER_SITE`] clients.
    pub fn new(per_client: NonZeroU32, total: NonZeroU32) -> RateLimits {
        let of_site = per_client.saturating_mul(CLIENTS_PER_SITE);
        let cells = |n: usize, rate| (0..n).map(|_| RateLimiter::direct(Quota::per_second(rate))).collect();
        RateLimits {
            clock: DefaultClock::default(),
            total: RateLimiter::direct(Quota::per_second(total)),
            clients: cells(CELLS, per_client),
            sites: cells(SITE_CELLS, of_site),
            hasher: RandomState::new(),
        }
    }

    /// Counts one request from `address`.
    ///
    /// # Errors
    ///
    /// How long to wait, when the client, its site or all clients together have had their share.
    pub fn admit(&self, address: IpAddr) -> Result<(), Duration> {
        let cell = |network, of: usize| (self.hasher.hash_one(network) as usize) % of;
        let own = self.clients.get(cell(Network::host(address), CELLS));
        let site = Network::site(address).and_then(|site| self.sites.get(cell(site, SITE_CELLS)));
        // From narrow to wide: what is refused in a network must not count against its neighbours, nor against everybody.
        for limit in own.into_iter().chain(site).chain([&self.total]) {
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

    fn client(text: &str) -> IpAddr {
        text.parse().unwrap()
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

    #[test]
    fn a_site_has_four_clients_worth_however_many_hosts_it_has() {
        let limits = limits(10, 100_000);
        let start = std::time::Instant::now();
        let host = |n: u32| client(&format!("2001:db8:5:{n:x}::1"));
        let admitted = (0..2000).filter(|&n| limits.admit(host(n)).is_ok()).count();
        // What comes back while the loop runs.
        assert!((40..=41 + start.elapsed().as_millis() as usize / 25).contains(&admitted), "{admitted}");
        assert_eq!(limits.admit(client("2001:db8:6::1")), Ok(()));
        let of_ipv4 = (0..200).filter(|n| limits.admit(client(&format!("192.0.2.{n}"))).is_ok()).count();
        assert!(of_ipv4 > 150, "there are no sites in IPv4: {of_ipv4}");
    }
}
