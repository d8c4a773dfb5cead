//! A second opinion about a domain: what its registry says of the registration, over RDAP (RFC 9082, RFC 9083).
//!
//! It can only say no. A domain that is about to be deleted takes no first upload, and the key that was pinned to a domain
//! before it was registered anew is not its owner's. What a registry does not say, or cannot be asked about, changes nothing:
//! what the parent's name servers say is what counts.
//!
//! A void pin opens nothing by itself either, or a registry that gets its dates wrong would hand all zones below it to
//! whoever is fastest: the new owner enters the label of a key at the registrar, which goes before any pin.

mod bootstrap;
mod fetch;
mod object;
mod settings;
mod url;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::bootstrap::Servers;
use self::fetch::{Fetched, Fetcher};
pub(crate) use self::object::Registration;
pub use self::settings::Settings;
use self::url::HttpsUrl;
use crate::config::milliseconds;
use crate::domain::Domain;
use crate::ownership::Grant;
use crate::problem::Problem;
use crate::standing::utc;

/// Asks registries.
pub(crate) struct Rdap {
    fetcher: Fetcher,
    servers: Servers,
    bootstrap: Option<String>,
    /// What the bootstrap file said, and until when that counts.
    bootstrapped: tokio::sync::Mutex<Option<(Arc<Servers>, Instant)>>,
    known: Mutex<HashMap<String, (Opinion, Instant)>>,
    /// When each server may be asked next.
    turns: Mutex<HashMap<String, Instant>>,
    asks: Semaphore,
    time_max: Duration,
    interval: Duration,
    ttl: Duration,
}

/// What is known of a registration.
#[derive(Clone, Debug)]
pub(crate) enum Opinion {
    Registered(Arc<Registration>),
    /// Nothing, for this reason.
    None(Arc<str>),
}

impl Rdap {
    /// `None` when nobody is to be asked.
    ///
    /// # Errors
    ///
    /// Certificates that cannot be read.
    pub(crate) fn new(settings: &Settings) -> Result<Option<Rdap>, String> {
        if !settings.enabled {
            return Ok(None);
        }
        let servers = Servers::of(&settings.servers);
        let mut configured: Vec<HttpsUrl> = servers.urls().cloned().collect();
        configured.extend(settings.bootstrap.iter().filter_map(|text| HttpsUrl::parse(text).ok()));
        Ok(Some(Rdap {
            fetcher: Fetcher::new(settings.ca_file.as_deref(), configured)?,
            servers,
            bootstrap: settings.bootstrap.clone(),
            bootstrapped: tokio::sync::Mutex::new(None),
            known: Mutex::default(),
            turns: Mutex::default(),
            asks: Semaphore::new(ASKS_MAX),
            time_max: milliseconds(settings.time_ms),
            interval: Duration::from_secs(1) / settings.queries_per_second.get(),
            ttl: Duration::from_secs(settings.cache_s.get().into()),
        }))
    }

    /// What the registry says of a domain, asked or remembered.
    pub(crate) async fn look(&self, domain: &Domain) -> Opinion {
        let name = domain.as_str();
        // What is below a registered domain is its owner's business, and the registry knows nothing of it.
        if psl::domain(name.as_bytes()).is_none_or(|registered| registered.as_bytes() != name.as_bytes()) {
            return Opinion::None("it is no registered domain itself".into());
        }
        let now = Instant::now();
        if let Some((opinion, _)) = lock(&self.known).get(name).filter(|(_, ends)| *ends > now) {
            return opinion.clone();
        }
        let asked = timeout(self.time_max, self.ask(name)).await;
        let (opinion, ttl) = match asked.unwrap_or_else(|_| Err("the registry took too long".into())) {
            Ok(Some(registration)) => (Opinion::Registered(Arc::new(registration)), self.ttl),
            Ok(None) => (Opinion::None("the registry knows nothing of it".into()), self.ttl.min(NOT_FOUND_TTL)),
            Err(reason) => {
                tracing::debug!(domain = name, reason, "no second opinion");
                (Opinion::None(reason.into()), FAILURE_TTL)
            }
        };
        let mut known = lock(&self.known);
        make_room(&mut known, KNOWN_MAX, |(_, ends)| *ends);
        known.insert(name.to_owned(), (opinion.clone(), now + ttl));
        opinion
    }

    async fn ask(&self, domain: &str) -> Result<Option<Registration>, String> {
        let _turn = self.asks.try_acquire().map_err(|_| "too many registries are being asked")?;
        let base = match self.servers.find(domain) {
            Some(url) => url.clone(),
            None => {
                let servers = self.bootstrapped().await?;
                servers.find(domain).cloned().ok_or("no RDAP server is known for it")?
            }
        };
        self.wait_for_turn(&base).await?;
        match self.fetcher.get(&base.of_domain(domain), OBJECT_SIZE_MAX).await? {
            Fetched::NotFound => Ok(None),
            Fetched::Json(json) => Registration::read(&json, domain, now()).map(Some),
        }
    }

    /// The servers of the bootstrap file, read again once a day.
    async fn bootstrapped(&self) -> Result<Arc<Servers>, String> {
        let Some(place) = &self.bootstrap else { return Err("no RDAP server is known for it".into()) };
        let mut known = self.bootstrapped.lock().await;
        if let Some((servers, ends)) = &*known
            && *ends > Instant::now()
        {
            return Ok(Arc::clone(servers));
        }
        let read = async {
            let json = match HttpsUrl::parse(place) {
                Ok(url) => match self.fetcher.get(&url, BOOTSTRAP_SIZE_MAX).await? {
                    Fetched::Json(json) => json.to_vec(),
                    Fetched::NotFound => return Err(format!("{place} is not there")),
                },
                Err(_) => {
                    let metadata = tokio::fs::metadata(place).await.map_err(|error| format!("{place}: {error}"))?;
                    if metadata.len() > BOOTSTRAP_SIZE_MAX as u64 {
                        return Err(format!("{place} has more than {BOOTSTRAP_SIZE_MAX} octets"));
                    }
                    tokio::fs::read(place).await.map_err(|error| format!("{place}: {error}"))?
                }
            };
            Servers::read(&json).map_err(|error| format!("{place}: {error}"))
        };
        match (read.await, &*known) {
            (Ok(servers), _) => {
                let servers = Arc::new(servers);
                *known = Some((Arc::clone(&servers), Instant::now() + BOOTSTRAP_TTL));
                Ok(servers)
            }
            // Yesterday's is as good as today's nearly always.
            (Err(error), Some((servers, _))) => {
                tracing::warn!(error, "the RDAP bootstrap file cannot be read again");
                let servers = Arc::clone(servers);
                *known = Some((Arc::clone(&servers), Instant::now() + FAILURE_TTL));
                Ok(servers)
            }
            (Err(error), None) => {
                tracing::warn!(error, "the RDAP bootstrap file cannot be read");
                Err(error)
            }
        }
    }

    /// Waits until `server` may be asked; not long, for an upload waits as well.
    async fn wait_for_turn(&self, server: &HttpsUrl) -> Result<(), String> {
        let now = Instant::now();
        let wait = {
            let mut turns = lock(&self.turns);
            make_room(&mut turns, TURNS_MAX, |next| *next);
            let next = turns.entry(server.authority()).or_insert(now);
            let turn = (*next).max(now);
            if turn - now > self.time_max / 2 {
                return Err("the registry is asked too often".into());
            }
            *next = turn + self.interval;
            turn - now
        };
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Says no where the registry's word stands against a grant.
    pub(crate) async fn check(&self, domain: &Domain, grant: Grant, pinned_at: Option<u64>) -> Result<(), Problem> {
        match grant {
            // Who is named at the registrar needs no second opinion, and where nobody is asked it does not count.
            Grant::Open | Grant::Keyed(_) | Grant::Ds => Ok(()),
            Grant::First | Grant::Pending(_) => match self.look(domain).await {
                Opinion::Registered(registration) => match registration.holds.first() {
                    None => Ok(()),
                    Some(hold) => Err(on_hold(domain, hold)),
                },
                Opinion::None(_) => Ok(()),
            },
            Grant::Pinned(_) => match (self.look(domain).await, pinned_at) {
                (Opinion::Registered(registration), Some(pinned_at)) => match registration.anew_after(pinned_at) {
                    None => Ok(()),
                    Some(registered_at) => Err(void(domain, registered_at, pinned_at)),
                },
                (Opinion::Registered(_) | Opinion::None(_), _) => Ok(()),
            },
        }
    }

    /// What there is to say about a hosted domain, one sentence each.
    pub(crate) async fn sentences(&self, domain: &Domain, pinned_at: Option<u64>) -> Vec<String> {
        let registration = match self.look(domain).await {
            Opinion::Registered(registration) => registration,
            Opinion::None(reason) => return vec![format!("nothing is known of the registration: {reason}")],
        };
        let mut sentences: Vec<String> =
            registration.holds.iter().map(|hold| format!("the registration is in status {hold}")).collect();
        for (what, when) in [
            ("registered", registration.registered_at),
            ("last moved to another registrar", registration.transferred_at),
            ("ends", registration.expires_at),
        ] {
            sentences.extend(when.map(|when| format!("{what} {}", utc(when))));
        }
        if pinned_at.and_then(|pinned_at| registration.anew_after(pinned_at)).is_some() {
            sentences.push("it was registered anew after its key was pinned, and the pinned key does not count".into());
        }
        sentences
    }
}

impl Registration {
    /// When the domain was registered, if that is after the key was pinned: then somebody else had it before.
    fn anew_after(&self, pinned_at: u64) -> Option<u64> {
        self.registered_at.filter(|registered_at| *registered_at > pinned_at.saturating_add(MARGIN))
    }
}

fn on_hold(domain: &Domain, hold: &str) -> Problem {
    let detail = format!(
        "the registry says that {domain} is in status {hold}; nothing was changed\na domain that is about to be deleted, or is \
         on hold, takes no first upload: settle it with the registrar, or enter names with the label of a key there"
    );
    Problem::new(StatusCode::FORBIDDEN, "registration-on-hold", detail)
}

fn void(domain: &Domain, registered_at: u64, pinned_at: u64) -> Problem {
    let detail = format!(
        "the registry says that {domain} was registered {}, after its key was pinned {}: that key is of an owner before, and \
         does not count; nothing was changed\nmake a key with POST /v1/keys and enter the names with its label at the \
         registrar",
        utc(registered_at),
        utc(pinned_at)
    );
    Problem::new(StatusCode::FORBIDDEN, "pin-void", detail)
}

/// Removes what ends first until there is room for one more.
fn make_room<V>(map: &mut HashMap<String, V>, max: usize, ends: impl Fn(&V) -> Instant) {
    if map.len() < max {
        return;
    }
    let now = Instant::now();
    map.retain(|_, value| ends(value) > now);
    if map.len() >= max
        && let Some(first) = map.iter().min_by_key(|(_, value)| ends(value)).map(|(key, _)| key.clone())
    {
        map.remove(&first);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Octets of a registration: with all contacts some have 20,000.
const OBJECT_SIZE_MAX: usize = 256 << 10;

/// Octets of the bootstrap file, which has some 60,000.
const BOOTSTRAP_SIZE_MAX: usize = 1 << 20;

/// How long the bootstrap file is believed.
const BOOTSTRAP_TTL: Duration = Duration::from_secs(86_400);

/// How long it is believed that a registry knows nothing of a domain: one that was just registered.
const NOT_FOUND_TTL: Duration = Duration::from_secs(300);

/// How long nobody asks again after a failure.
const FAILURE_TTL: Duration = Duration::from_secs(60);

/// Registrations that are remembered, a few hundred octets each.
const KNOWN_MAX: usize = 8_192;

/// Servers whose turns are remembered: there are some hundreds.
const TURNS_MAX: usize = 2_048;

/// Questions on their way at one time.
const ASKS_MAX: usize = 32;

/// Seconds by which a registration has to be later than a pin: time zones and clocks, and nobody registers a domain anew within
/// a day, which is kept back for a month at least (ICANN's redemption grace period).
const MARGIN: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_void_when_the_registration_is_a_day_later_and_more() {
        let registered = |registered_at| Registration { registered_at, ..Registration::default() };
        assert_eq!(registered(Some(1_000_000)).anew_after(1_000_000 - MARGIN), None);
        assert_eq!(registered(Some(1_000_001)).anew_after(1_000_000 - MARGIN), Some(1_000_001));
        assert_eq!(registered(Some(5)).anew_after(1_000_000), None);
        assert_eq!(registered(None).anew_after(0), None);
        let transferred = Registration { transferred_at: Some(u64::MAX), ..Registration::default() };
        assert_eq!(transferred.anew_after(0), None, "the same owner at another registrar");
    }

    #[test]
    fn what_is_remembered_has_a_maximum() {
        let mut map = HashMap::new();
        let start = Instant::now() + Duration::from_secs(60);
        for n in 0..100_u32 {
            make_room(&mut map, 10, |ends| *ends);
            map.insert(n.to_string(), start + Duration::from_secs(n.into()));
        }
        assert!(map.len() == 10 && map.contains_key("99") && !map.contains_key("0"));
    }
}
