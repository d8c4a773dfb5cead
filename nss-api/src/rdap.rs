//! A second opinion about a domain: what its registry says of the registration, over RDAP (RFC 9082, RFC 9083).
//!
//! It can only say no. A domain that is about to be deleted takes no first upload, and the key that was pinned to a domain
//! before it was registered anew is not its owner's. What a registry does not say, or fails to say, changes nothing:
//! what the parent's name servers say is what counts. That *we* have no turn to ask it is no word of the registry's, or whoever uses up
//! the turns would open what it closes: then the owner comes back later.
//!
//! A void pin opens nothing by itself either, or a registry that gets its dates wrong would hand all zones below it to
//! whoever is fastest: the new owner enters the label of a key at the registrar, which goes before any pin.

mod bootstrap;
mod fetch;
mod object;
mod settings;
#[cfg(test)]
mod tests;
mod turns;
mod url;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::bootstrap::{Bootstrap, Servers};
use self::fetch::{Fetched, Fetcher};
pub(crate) use self::object::Registration;
pub use self::settings::Settings;
use self::turns::Turns;
use self::url::HttpsUrl;
use crate::config::milliseconds;
use crate::domain::Domain;
use crate::ownership::Grant;
use crate::problem::Problem;
use crate::time::utc;

/// Asks registries.
pub(crate) struct Rdap {
    fetcher: Fetcher,
    servers: Servers,
    bootstrap: Option<Bootstrap>,
    known: Mutex<HashMap<String, Known>>,
    turns: Turns,
    /// Questions on their way for owners.
    asks_of_owners: Semaphore,
    asks_of_anybody: Semaphore,
    time_max: Duration,
    ttl: Duration,
}

/// What is known of a registration.
#[derive(Clone, Debug)]
pub(crate) enum Opinion {
    Registered(Arc<Registration>),
    /// Nothing, for this reason.
    None(Arc<str>),
    /// Nobody was asked, for want of a turn, and there may be one after this time.
    Unasked(Duration),
}

/// An opinion that is remembered.
#[derive(Clone, Debug)]
struct Known {
    opinion: Opinion,
    /// When the registry said it.
    heard: Instant,
    /// Until when nobody asks again.
    ends: Instant,
}

/// For whom a registry is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// Who may change a zone, as far as the parent and the pin say.
    Owner,
    /// Anybody, who looks at a page or claims a domain: never so much that owners find no turn.
    Anybody,
}

/// Why there is no answer.
#[derive(Debug)]
enum Failure {
    /// Nobody was asked; perhaps after this time.
    NoTurn(Duration),
    /// Who was asked did not answer, for this reason.
    Failed(String),
}

impl From<String> for Failure {
    fn from(reason: String) -> Failure {
        Failure::Failed(reason)
    }
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
            bootstrap: settings.bootstrap.clone().map(Bootstrap::at),
            known: Mutex::default(),
            turns: Turns::new(Duration::from_secs(1) / settings.queries_per_second.get()),
            asks_of_owners: Semaphore::new(ASKS_OF_OWNERS_MAX),
            asks_of_anybody: Semaphore::new(ASKS_OF_ANYBODY_MAX),
            time_max: milliseconds(settings.time_ms),
            ttl: Duration::from_secs(settings.cache_s.get().into()),
        }))
    }

    /// What the registry says of a domain, asked or remembered.
    async fn look(&self, domain: &Domain, asker: Asker) -> Opinion {
        let name = domain.as_str();
        // What is below a registered domain is its owner's business, and the registry knows nothing of it.
        if psl::domain(name.as_bytes()).is_none_or(|registered| registered.as_bytes() != name.as_bytes()) {
            return Opinion::None("it is no registered domain itself".into());
        }
        let now = Instant::now();
        let known = lock(&self.known).get(name).cloned();
        if let Some(known) = known.as_ref().filter(|known| known.ends > now) {
            return known.opinion.clone();
        }
        let asked = self.ask(name, asker).await;
        // What it said before is better than nothing: who was registered anew then has been so since.
        let before =
            known.filter(|known| matches!(known.opinion, Opinion::Registered(_)) && now < known.heard + STALE_MAX);
        let known = match (asked, before) {
            (Ok(Some(registration)), _) => {
                Known { opinion: Opinion::Registered(Arc::new(registration)), heard: now, ends: now + self.ttl }
            }
            (Ok(None), _) => {
                let opinion = Opinion::None("the registry knows nothing of it".into());
                Known { opinion, heard: now, ends: now + self.ttl.min(NOT_FOUND_TTL) }
            }
            // The next one who asks may have a turn.
            (Err(Failure::NoTurn(_)), Some(before)) => return before.opinion,
            (Err(Failure::NoTurn(wait)), None) => return Opinion::Unasked(wait),
            (Err(Failure::Failed(reason)), before) => {
                tracing::debug!(domain = name, reason, "no second opinion");
                let (opinion, heard) = match before {
                    Some(before) => (before.opinion, before.heard),
                    None => (Opinion::None(reason.into()), now),
                };
                Known { opinion, heard, ends: now + FAILURE_TTL }
            }
        };
        let opinion = known.opinion.clone();
        let mut all = lock(&self.known);
        make_room(&mut all, KNOWN_MAX, |known| known.ends);
        all.insert(name.to_owned(), known);
        opinion
    }

    async fn ask(&self, domain: &str, asker: Asker) -> Result<Option<Registration>, Failure> {
        let (asks, patience) = match asker {
            // Not long, for an upload waits as well.
            Asker::Owner => (&self.asks_of_owners, self.time_max / 2),
            // Only for a turn that is there nearly at once: who stands in no row has nobody stand behind.
            Asker::Anybody => (&self.asks_of_anybody, self.time_max / 8),
        };
        let _ask = asks.try_acquire().map_err(|_| Failure::NoTurn(self.time_max))?;
        let base = match (self.servers.find(domain), &self.bootstrap) {
            (Some(url), _) => url.clone(),
            (None, Some(bootstrap)) => {
                let servers = bootstrap.servers(&self.fetcher, self.time_max / 2).await?;
                servers.find(domain).cloned().ok_or_else(unknown_server)?
            }
            (None, None) => return Err(unknown_server().into()),
        };
        let wait = self.turns.take(&base, patience).map_err(Failure::NoTurn)?;
        tokio::time::sleep(wait).await;
        let got = timeout(self.time_max, self.fetcher.get(&base.of_domain(domain), OBJECT_SIZE_MAX)).await;
        match got.map_err(|_| "the registry took too long".to_owned())?? {
            Fetched::NotFound => Ok(None),
            Fetched::Json(json) => Ok(Some(Registration::read(&json, domain, now())?)),
        }
    }

    /// Says no where the registry's word stands against a grant.
    pub(crate) async fn check(&self, domain: &Domain, grant: Grant, pinned_at: Option<u64>) -> Result<(), Problem> {
        let asker = match grant {
            // Who is named at the registrar needs no second opinion, and where nobody is asked it does not count.
            Grant::Open | Grant::Keyed(_) | Grant::Ds => return Ok(()),
            Grant::First | Grant::Pinned(_) => Asker::Owner,
            Grant::Pending(_) => Asker::Anybody,
        };
        let registration = match self.look(domain, asker).await {
            Opinion::Registered(registration) => registration,
            Opinion::None(_) => return Ok(()),
            Opinion::Unasked(wait) => return Err(unasked(domain, wait)),
        };
        match grant {
            Grant::Open | Grant::Keyed(_) | Grant::Ds => Ok(()),
            Grant::First | Grant::Pending(_) => match registration.holds.first() {
                None => Ok(()),
                Some(hold) => Err(on_hold(domain, hold)),
            },
            Grant::Pinned(_) => {
                let Some(pinned_at) = pinned_at else { return Ok(()) };
                match registration.anew_after(pinned_at) {
                    None => Ok(()),
                    Some(registered_at) => Err(void(domain, registered_at, pinned_at)),
                }
            }
        }
    }

    /// What there is to say about a hosted domain, one sentence each.
    pub(crate) async fn sentences(&self, domain: &Domain, pinned_at: Option<u64>) -> Vec<String> {
        let registration = match self.look(domain, Asker::Anybody).await {
            Opinion::Registered(registration) => registration,
            Opinion::None(reason) => return vec![format!("nothing is known of the registration: {reason}")],
            Opinion::Unasked(_) => {
                return vec![
                    "nothing is known of the registration: the registry is being asked too often, try again later"
                        .into(),
                ];
            }
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

fn unasked(domain: &Domain, wait: Duration) -> Problem {
    let detail = format!(
        "the registry of {domain} has to be asked about this, and is being asked too often at this moment; nothing was changed, try again \
         in some seconds"
    );
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).retry_after(wait)
}

fn unknown_server() -> String {
    "no RDAP server is known for it".into()
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

/// How long it is believed that a registry knows nothing of a domain: one that was just registered.
const NOT_FOUND_TTL: Duration = Duration::from_secs(300);

/// How long nobody asks again after a failure.
const FAILURE_TTL: Duration = Duration::from_secs(60);

/// How long what a registry said is used while it fails, or while nobody has a turn to ask it: registries are down for hours.
const STALE_MAX: Duration = Duration::from_secs(86_400);

/// Registrations that are remembered, a few hundred octets each.
const KNOWN_MAX: usize = 8_192;

/// Questions on their way at one time for owners.
const ASKS_OF_OWNERS_MAX: usize = 32;

/// And beside these for anybody.
const ASKS_OF_ANYBODY_MAX: usize = 8;

/// Seconds by which a registration has to be later than a pin: time zones and clocks, and nobody registers a domain anew within
/// a day, which is kept back for a month at least (ICANN's redemption grace period).
const MARGIN: u64 = 86_400;
