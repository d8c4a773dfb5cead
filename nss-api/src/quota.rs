//! How many uploads there may be: for each domain, for each network, and all in all.
//!
//! A domain's quota counts only what its owner asked for, after the key was looked at: else anybody could use it up. What
//! strangers ask for counts for their network, before anything else is done for them.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Quotas as Config;
use crate::network::Network;

/// The quotas of one server; times are counted from any moment, the same for all calls.
pub struct Quotas {
    domain_minute: Table,
    domain_day: Table,
    network: Table,
    site: Table,
    total: Table,
    /// Keyed at random, so that nobody can choose a domain or network that shares a cell with a victim's.
    hasher: RandomState,
}

/// Which quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// Of the domain, in a minute or a day.
    Domain,
    /// Of the caller's network, narrow or wide.
    Network,
    /// Of everybody.
    Total,
}

impl Quotas {
    /// Quotas that nothing was taken of yet.
    pub fn new(config: &Config) -> Quotas {
        let day = Duration::from_secs(86_400);
        let minute = Duration::from_secs(60);
        Quotas {
            domain_minute: Table::new(DOMAIN_CELLS, config.uploads_per_domain_per_minute, minute),
            domain_day: Table::new(DOMAIN_CELLS, config.uploads_per_domain_per_day, day),
            network: Table::new(NETWORK_CELLS, config.uploads_per_network_per_minute, minute),
            site: Table::new(NETWORK_CELLS, config.uploads_per_site_per_minute, minute),
            total: Table::new(1, config.uploads_per_second, Duration::from_secs(1)),
            hasher: RandomState::new(),
        }
    }

    /// Counts a request for a change that came from `client`, whatever becomes of it.
    ///
    /// # Errors
    ///
    /// Which quota is used up, and for how long.
    pub fn admit_client(&self, client: IpAddr, now: Duration) -> Result<(), (Exceeded, Duration)> {
        // From narrow to wide: what is refused in a network must not count against its neighbours, nor against everybody.
        let refused = |wait| (Exceeded::Network, wait);
        self.network.take(self.hash(Network::household(client)), now).map_err(refused)?;
        if let Some(site) = Network::site(client) {
            self.site.take(self.hash(site), now).map_err(refused)?;
        }
        self.total.take(0, now).map_err(|wait| (Exceeded::Total, wait))
    }

    /// Counts a change of `domain` that its owner asked for.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn admit_domain(&self, domain: &str, now: Duration) -> Result<(), (Exceeded, Duration)> {
        let hash = self.hash(domain);
        let taken = self.domain_minute.take(hash, now).and_then(|()| self.domain_day.take(hash, now));
        taken.map_err(|wait| (Exceeded::Domain, wait))
    }

    /// Whether a change of `domain` could be counted; nothing is.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn check_domain(&self, domain: &str, now: Duration) -> Result<(), (Exceeded, Duration)> {
        let hash = self.hash(domain);
        let left = self.domain_minute.look(hash, now).and_then(|()| self.domain_day.look(hash, now));
        left.map_err(|wait| (Exceeded::Domain, wait))
    }

    fn hash(&self, value: impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }
}

/// Cells that some keys share by chance: bounded, where a map would grow with every key that an attacker has.
///
/// Each cell holds the moment at which all that was taken would be there again, in microseconds (the generic cell
/// rate algorithm): the whole quota may be taken at once, and comes back evenly.
struct Table {
    cells: Box<[AtomicU64]>,
    /// Microseconds until one is there again.
    interval: u64,
    /// Microseconds until all are.
    period: u64,
}

impl Table {
    fn new(cells: usize, quota: NonZeroU32, period: Duration) -> Table {
        let period = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        let interval = (period / u64::from(quota.get())).max(1);
        Table { cells: (0..cells).map(|_| AtomicU64::new(0)).collect(), interval, period }
    }

    /// Takes one, or says how long until there is one.
    fn take(&self, hash: u64, now: Duration) -> Result<(), Duration> {
        let Some(cell) = self.cell(hash) else { return Ok(()) };
        let taken = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| self.after(full_at, now).ok());
        taken.map(drop).map_err(|full_at| self.after(full_at, now).err().unwrap_or_default())
    }

    /// Says how long until there is one, unless there is one now.
    fn look(&self, hash: u64, now: Duration) -> Result<(), Duration> {
        let Some(cell) = self.cell(hash) else { return Ok(()) };
        self.after(cell.load(Ordering::Relaxed), now).map(drop)
    }

    fn cell(&self, hash: u64) -> Option<&AtomicU64> {
        self.cells.get((hash % self.cells.len() as u64) as usize)
    }

    /// What a cell holds once one more is taken, or how long until that can be.
    fn after(&self, full_at: u64, now: Duration) -> Result<u64, Duration> {
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let full_at = full_at.max(now).saturating_add(self.interval);
        let latest = now.saturating_add(self.period);
        if full_at <= latest { Ok(full_at) } else { Err(Duration::from_micros(full_at - latest)) }
    }
}

/// Half a megabyte each; the domains of 100,000 owners who upload twice a day stay far from the quota of the cell
/// that some of them share.
const DOMAIN_CELLS: usize = 65_536;

/// An eighth of a megabyte each; beyond that many busy networks, or sites, some share a quota.
const NETWORK_CELLS: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1_000_000);

    fn quotas() -> Quotas {
        Quotas::new(&Config::default())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_domain_has_ten_changes_a_minute_which_come_back_one_by_one() {
        let quotas = quotas();
        for _ in 0..10 {
            assert_eq!(quotas.admit_domain("example.com", START), Ok(()));
        }
        let six = Duration::from_secs(6);
        assert_eq!(quotas.admit_domain("example.com", START), Err((Exceeded::Domain, six)));
        assert_eq!(
            quotas.admit_domain("example.com", START + six - Duration::from_micros(1)).map_err(|e| e.0),
            Err(Exceeded::Domain)
        );
        assert_eq!(quotas.admit_domain("example.com", START + six), Ok(()));
        assert!(quotas.admit_domain("example.com", START + six).is_err());
        assert_eq!(quotas.admit_domain("example.org", START), Ok(()));
    }

    #[test]
    fn a_domain_has_three_hundred_changes_a_day() {
        let quotas = quotas();
        let minute = Duration::from_secs(6);
        // As fast as the quota of a minute allows: some come back meanwhile, one in 288 s.
        let taken = (0..).take_while(|&n| quotas.admit_domain("example.com", START + minute * n).is_ok()).count();
        assert!((300..=310).contains(&taken), "{taken}");
        let (_, wait) = quotas.admit_domain("example.com", START + minute * taken as u32).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(288), "{wait:?}");
        let next_day = START + Duration::from_secs(2 * 86_400);
        assert_eq!(quotas.admit_domain("example.com", next_day), Ok(()));
    }

    #[test]
    fn a_network_has_sixty_a_minute_with_all_its_addresses() {
        let quotas = quotas();
        for n in 0..60 {
            assert_eq!(quotas.admit_client(address(&format!("192.0.2.{n}")), START), Ok(()));
        }
        let refused = quotas.admit_client(address("192.0.2.99"), START);
        assert_eq!(refused, Err((Exceeded::Network, Duration::from_secs(1))));
        assert_eq!(quotas.admit_client(address("192.0.3.1"), START), Ok(()));
        assert_eq!(quotas.admit_client(address("192.0.2.99"), START + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn all_networks_together_have_a_hundred_a_second() {
        let quotas = quotas();
        let mut refused = 0;
        for n in 0..120 {
            match quotas.admit_client(address(&format!("198.51.{n}.1")), START) {
                Ok(()) => {}
                Err((exceeded, wait)) => {
                    assert_eq!(exceeded, Exceeded::Total);
                    assert!(wait <= Duration::from_millis(10), "{wait:?}");
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 20);
        assert_eq!(quotas.admit_client(address("198.51.1.1"), START + Duration::from_millis(10)), Ok(()));
    }

    #[test]
    fn a_site_of_ipv6_has_four_networks_worth_however_many_it_has() {
        let quotas = quotas();
        // A tick is enough for the quota of all to be there again.
        let at = |n: u32| START + Duration::from_millis(10) * n;
        let from = |n: u32| address(&format!("2001:db8:5:{:x}00::1", n % 256));
        let taken = (0..1024).filter(|&n| quotas.admit_client(from(n), at(n)).is_ok()).count();
        // 240 at once, and 41 that came back within the ten seconds.
        assert_eq!(taken, 240 + 40);
        assert_eq!(quotas.admit_client(from(0), at(1024)).map_err(|refused| refused.0), Err(Exceeded::Network));
        assert_eq!(quotas.admit_client(address("2001:db8:6::1"), at(1024)), Ok(()));
        assert_eq!(quotas.admit_client(address("192.0.2.1"), at(1024)), Ok(()));
    }

    #[test]
    fn what_many_take_at_once_is_no_more_than_the_quota() {
        let quotas = quotas();
        let taken: usize = std::thread::scope(|scope| {
            let take = || (0..20).filter(|_| quotas.admit_domain("example.com", START).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 10);
    }
}
