//! When each RDAP server may be asked next.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::url::HttpsUrl;
use super::{lock, make_room};

/// The next turns at servers, one after the other.
pub(super) struct Turns {
    next: Mutex<HashMap<String, Instant>>,
    interval: Duration,
}

impl Turns {
    pub(super) fn new(interval: Duration) -> Turns {
        Turns { next: Mutex::default(), interval }
    }

    /// Takes the next turn at `server`, and says how long it is until then.
    ///
    /// # Errors
    ///
    /// How much longer than `patience` that would be; nothing is taken.
    pub(super) fn take(&self, server: &HttpsUrl, patience: Duration) -> Result<Duration, Duration> {
        let now = Instant::now();
        let mut turns = lock(&self.next);
        make_room(&mut turns, SERVERS_MAX, |next| *next);
        let next = turns.entry(server.authority()).or_insert(now);
        let turn = (*next).max(now);
        let wait = turn - now;
        if wait > patience {
            return Err(wait - patience);
        }
        *next = turn + self.interval;
        Ok(wait)
    }
}

/// Servers whose turns are remembered: there are some hundreds.
const SERVERS_MAX: usize = 2_048;
