//! Walks over real sockets, with what earlier walks found out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nss_wire::{Name, NameBuf};
use rand::RngExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{self, Instant};

use crate::cache::Cache;
use crate::config::{Config, UDP_PAYLOAD_SIZE, Wanted};
use crate::evidence::Evidence;
use crate::known::KnownZones;
use crate::pace::Pace;
use crate::question::{Query, Token, Transport};
use crate::verdict::{Findings, Ours, Outcome, Unknown, Verdict};
use crate::walk::{Heard, Walk};

/// Checks names at their parents, over UDP and TCP.
///
/// Needs a tokio runtime with I/O and time. Checks of one name at one time share one walk, and for a short time
/// its findings ([`CacheConfig`](crate::CacheConfig)). Dropping the future of a check closes its sockets.
#[derive(Debug)]
pub struct Checker {
    config: Arc<Config>,
    walks: Semaphore,
    names: Mutex<Cache<(NameBuf, Wanted), Cell>>,
    zones: Mutex<KnownZones>,
    pace: Arc<Pace>,
    /// Where the times of the pace and of the caches are counted from.
    started: Instant,
}

/// Where findings are, or will be.
type Cell = Arc<OnceCell<Found>>;

/// Findings, and when they were found out.
#[derive(Debug)]
struct Found {
    findings: Arc<Findings>,
    at: Duration,
}

impl Checker {
    /// A checker that knows nothing yet.
    pub fn new(config: Config) -> Checker {
        let config = Arc::new(config);
        Checker {
            walks: Semaphore::new(config.cache.walks_max.clamp(1, Semaphore::MAX_PERMITS)),
            names: Mutex::new(Cache::new(config.cache.names_max)),
            zones: Mutex::new(KnownZones::new(Arc::clone(&config))),
            pace: Arc::new(Pace::new(config.query_interval, config.outstanding_max)),
            started: Instant::now(),
            config,
        }
    }

    /// Is `domain` delegated to our name servers?
    ///
    /// Ends after [`Limits::time_max`](crate::Limits::time_max), or twice that when it has to wait for its turn.
    pub async fn check(&self, domain: Name<'_>, ours: &Ours) -> Verdict {
        let verdict = self.findings(domain).await.judge(ours);
        match verdict {
            Verdict::NotDelegated { .. } if self.doubt(domain) => self.findings(domain).await.judge(ours),
            Verdict::NotDelegated { .. } | Verdict::Delegated { .. } | Verdict::Unknown { .. } => verdict,
        }
    }

    /// What does the parent say about `domain`, whoever's name servers it names?
    pub async fn findings(&self, domain: Name<'_>) -> Arc<Findings> {
        self.find(domain, Wanted::NameServers).await
    }

    /// What does the parent say about `domain`, its DS records included?
    pub async fn findings_with_ds(&self, domain: Name<'_>) -> Arc<Findings> {
        self.find(domain, Wanted::NameServersAndDs).await
    }

    async fn find(&self, domain: Name<'_>, wanted: Wanted) -> Arc<Findings> {
        let domain = domain.to_lowercase();
        let (cell, wanted) = self.cell(&domain, wanted);
        // When the caller that walks goes away, the next one that waits walks.
        let found = cell.get_or_init(|| self.find_out(&domain, wanted, &cell)).await;
        Arc::clone(&found.findings)
    }

    /// Takes note that what was found out about `domain` made for a "no", such as a delegation to others, or to names of ours
    /// that are not the caller's: it is then kept no longer than any other "no"
    /// ([`CacheConfig::not_delegated_ttl`](crate::CacheConfig::not_delegated_ttl)).
    ///
    /// Whether it was older than that already, so that asking again finds out anew. [`check`](Checker::check) does so by itself.
    pub fn doubt(&self, domain: Name<'_>) -> bool {
        let (domain, now) = (domain.to_lowercase(), self.started.elapsed());
        let mut names = lock(&self.names);
        let mut was_older = false;
        for wanted in [Wanted::NameServers, Wanted::NameServersAndDs] {
            let key = (domain.clone(), wanted);
            let cell = names.get(&key, now);
            let Some(found) = cell.as_ref().and_then(|cell| cell.get()) else { continue };
            let latest = found.at + self.config.cache.not_delegated_ttl;
            was_older |= latest <= now;
            names.shorten(&key, latest);
        }
        was_older
    }

    /// Forgets what was found out about `domain`, so that the next check asks again.
    pub fn forget(&self, domain: Name<'_>) {
        let mut names = lock(&self.names);
        for wanted in [Wanted::NameServers, Wanted::NameServersAndDs] {
            names.remove(&(domain.to_lowercase(), wanted));
        }
    }

    /// Where the findings about `domain` are, or will be; and what is found out there, which may be more than is wanted.
    fn cell(&self, domain: &NameBuf, wanted: Wanted) -> (Cell, Wanted) {
        let now = self.started.elapsed();
        let mut names = lock(&self.names);
        let more = (domain.clone(), Wanted::NameServersAndDs);
        // Who wants less may have the findings of who wanted more.
        if let (Wanted::NameServers, Some(cell)) = (wanted, names.get(&more, now)) {
            return (cell, Wanted::NameServersAndDs);
        }
        let key = (domain.clone(), wanted);
        let cell = names.get(&key, now).unwrap_or_else(|| {
            let cell = Arc::new(OnceCell::new());
            // Waiting for a turn and walking both take so long at most.
            names.insert(key, Arc::clone(&cell), now, self.config.limits.time_max * 2);
            cell
        });
        (cell, wanted)
    }

    async fn find_out(&self, domain: &NameBuf, wanted: Wanted, cell: &Cell) -> Found {
        let findings = match time::timeout(self.config.limits.time_max, self.walks.acquire()).await {
            Ok(_turn) => self.walk(domain, wanted).await,
            Err(_) => Findings {
                domain: domain.clone(),
                outcome: Outcome::Unknown(Unknown::Busy),
                evidence: Evidence::default(),
            },
        };
        let cache = &self.config.cache;
        let ttl = match &findings.outcome {
            Outcome::Delegation(_) => cache.delegated_ttl,
            Outcome::NotDelegated(_) => cache.not_delegated_ttl,
            Outcome::Unknown(_) => cache.unknown_ttl,
        };
        let (key, at) = ((domain.clone(), wanted), self.started.elapsed());
        let mut names = lock(&self.names);
        // What was forgotten meanwhile stays forgotten.
        if names.get(&key, at).is_some_and(|known| Arc::ptr_eq(&known, cell)) {
            names.insert(key, Arc::clone(cell), at, ttl);
        }
        Found { findings: Arc::new(findings), at }
    }

    async fn walk(&self, domain: &NameBuf, wanted: Wanted) -> Findings {
        let seed = rand::rng().random();
        let mut walk = lock(&self.zones).walk(domain.as_name(), wanted, unix_time(), seed, self.started.elapsed());
        let findings = self.drive(&mut walk).await;
        lock(&self.zones).learn(&walk, self.started.elapsed());
        findings
    }
}

impl Checker {
    /// Lends the walk sockets and a clock until it ends.
    async fn drive(&self, walk: &mut Walk) -> Findings {
        let response_size_max = self.config.limits.response_size_max;
        let started = Instant::now();
        let (sender, mut receiver) = mpsc::channel(EVENTS_MAX);
        // Both end with this function: what is still on its way then is given up.
        let mut exchanges = JoinSet::new();
        let mut open: Vec<(Token, AbortHandle)> = Vec::new();
        loop {
            while let Some(query) = walk.next_query(started.elapsed()) {
                let token = query.token;
                let turn = self.pace.turn(query.server.ip(), self.started.elapsed(), patience(&query));
                let exchange = exchange(query, Arc::clone(&self.pace), turn, response_size_max, sender.clone());
                open.push((token, exchanges.spawn(exchange)));
            }
            if let Some(findings) = walk.findings() {
                return findings.clone();
            }
            let deadline = walk.deadline().unwrap_or_default().saturating_sub(started.elapsed());
            let settled = match time::timeout(deadline, receiver.recv()).await {
                Ok(Some((token, Event::Sent))) => {
                    walk.sent(token, started.elapsed());
                    None
                }
                Ok(Some((token, Event::Heard(from, packet)))) => {
                    (walk.answer(token, from, &packet, started.elapsed()) == Heard::Settled).then_some(token)
                }
                Ok(Some((token, Event::Failed(error)))) => {
                    walk.failed(token, error, started.elapsed());
                    Some(token)
                }
                Ok(None) | Err(_) => {
                    walk.expire(started.elapsed());
                    None
                }
            };
            if let Some(at) = settled.and_then(|token| open.iter().position(|(other, _)| *other == token)) {
                open.swap_remove(at).1.abort();
            }
            while exchanges.try_join_next().is_some() {}
            open.retain(|(_, task)| !task.is_finished());
        }
    }
}

/// What became of a query.
enum Event {
    /// It is on its way now.
    Sent,
    /// A packet came from there.
    Heard(SocketAddr, Vec<u8>),
    /// It could not be sent, or its connection broke.
    Failed(io::ErrorKind),
}

/// Waits for the turn of one query, sends it, and reports what comes back until it is aborted or its time is over.
async fn exchange(
    query: Query,
    pace: Arc<Pace>,
    turn: Option<Duration>,
    response_size_max: usize,
    events: mpsc::Sender<(Token, Event)>,
) {
    if let Err(error) = wait_and_send(&query, &pace, turn, response_size_max, &events).await {
        // Nobody listens any more only when the walk has ended.
        let _ = events.send((query.token, Event::Failed(error.kind()))).await;
    }
}

async fn wait_and_send(
    query: &Query,
    pace: &Pace,
    turn: Option<Duration>,
    response_size_max: usize,
    events: &mpsc::Sender<(Token, Event)>,
) -> io::Result<()> {
    let wait = turn.ok_or(io::ErrorKind::ResourceBusy)?;
    if !wait.is_zero() {
        time::sleep(wait).await;
    }
    let seat = time::timeout(patience(query).saturating_sub(wait), pace.seat(query.server.ip())).await;
    let _seat = seat.map_err(|_| io::ErrorKind::ResourceBusy)?;
    let _ = events.send((query.token, Event::Sent)).await;
    time::timeout(query.timeout + GRACE, send(query, response_size_max, events)).await.unwrap_or(Ok(()))
}

/// How long a query may wait for its turn and for a seat before it is sent; its own time begins then.
fn patience(query: &Query) -> Duration {
    query.timeout / 2
}

/// Sends a query, and reports what comes back to it: one message over TCP, packets until it is aborted over UDP.
async fn send(query: &Query, response_size_max: usize, events: &mpsc::Sender<(Token, Event)>) -> io::Result<()> {
    match query.transport {
        Transport::Udp => {
            let socket = send_udp(query).await?;
            let mut buffer = vec![0; usize::from(UDP_PAYLOAD_SIZE) + 1];
            loop {
                let (size, from) = socket.recv_from(&mut buffer).await?;
                let packet = buffer.get(..size).unwrap_or_default().to_vec();
                if events.send((query.token, Event::Heard(from, packet))).await.is_err() {
                    return Ok(());
                }
            }
        }
        Transport::Tcp => {
            let packet = ask_tcp(query, response_size_max).await?;
            let _ = events.send((query.token, Event::Heard(query.server, packet))).await;
            Ok(())
        }
    }
}

/// A socket of its own for each query: the kernel picks its port at random, and being connected it hears only the
/// server.
async fn send_udp(query: &Query) -> io::Result<UdpSocket> {
    let any = match query.server.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(query.server).await?;
    socket.send(&query.packet).await?;
    Ok(socket)
}

async fn ask_tcp(query: &Query, response_size_max: usize) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(query.server).await?;
    stream.set_nodelay(true)?;
    let length = u16::try_from(query.packet.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // One segment: some servers read the length and the message in one go or not at all (RFC 7766 §8).
    stream.write_all(&[&length.to_be_bytes()[..], &query.packet].concat()).await?;
    let size = usize::from(stream.read_u16().await?);
    if size > response_size_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut packet = vec![0; size];
    stream.read_exact(&mut packet).await?;
    Ok(packet)
}

/// Seconds since 1970.
fn unix_time() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // No code that can panic runs under these locks; what they guard is whole in any case.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Packets that wait to be looked at: a flood then waits in the kernel, which drops it.
const EVENTS_MAX: usize = 32;

/// How much longer a socket stays open than the walk waits, so that the walk is the one to say that time is over.
const GRACE: Duration = Duration::from_millis(100);
