//! A share for each network of what there is little of, so that one network cannot have all of it.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::network::Network;

/// Places for each network; the wide one in IPv6, or whoever has all of a /48 would have 256 shares.
pub(crate) struct Shares {
    cells: Box<[Semaphore]>,
    /// Keyed at random, so that nobody can choose a network that shares a cell with a victim's.
    hasher: RandomState,
}

impl Shares {
    /// So many places for each network.
    pub(crate) fn new(places: usize) -> Shares {
        Shares { cells: (0..CELLS).map(|_| Semaphore::new(places)).collect(), hasher: RandomState::new() }
    }

    /// Waits for a place, no longer than `patience`; `None` when there was none.
    pub(crate) async fn take(&self, client: IpAddr, patience: Duration) -> Option<SemaphorePermit<'_>> {
        let network = Network::site(client).unwrap_or_else(|| Network::household(client));
        let cell = self.cells.get((self.hasher.hash_one(network) % CELLS as u64) as usize)?;
        timeout(patience, cell.acquire()).await.ok()?.ok()
    }
}

/// 64 KiB at most; far more than the networks that have something running at one time.
const CELLS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_network_has_its_share_and_leaves_the_others_theirs() {
        let shares = Shares::new(2);
        let take = |text: &str| shares.take(text.parse().unwrap(), Duration::ZERO);
        let held = [take("2001:db8:5::1").await.unwrap(), take("2001:db8:5:ff00::1").await.unwrap()];
        assert!(take("2001:db8:5:100::1").await.is_none(), "it is one site");
        // One of a thousand others may share the cell by chance, and not all of ten.
        let mut others = 0;
        for n in 0..10 {
            others += usize::from(take(&format!("192.0.{n}.1")).await.is_some());
        }
        assert!(others >= 8, "{others}");
        drop(held);
        assert!(take("2001:db8:5:100::1").await.is_some());
    }
}
