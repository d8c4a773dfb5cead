//! TCP: messages behind their length, several under way on one connection (RFC 7766), and zone transfers.
//!
//! Every connection is bounded in memory and time: it holds one message that arrives and about one reply that
//! leaves, and ends when neither makes progress. When all places are taken the connection that was quiet the
//! longest makes room.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use nss_authority::{Messages, Outcome, Transfer};
use nss_wire::message::{HEADER_SIZE, MESSAGE_SIZE_MAX, Rcode};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use crate::answer::{Authorities, append};
use crate::config::{TcpConfig, TransferConfig};
use crate::counters::TcpCounters;
use crate::prefix::masked;
use crate::server::stopped;

/// Binds one address.
///
/// # Errors
///
/// An address that can't be bound, or one that another server listens on.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Without it an address can't be bound again while old connections linger; it does not let two servers share one.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct TcpServer {
    pub(crate) authorities: Authorities,
    pub(crate) counters: TcpCounters,
    /// Who may transfer; a reload may change it.
    pub(crate) transfer: RwLock<TransferConfig>,
    idle_timeout: Duration,
    connections: Connections,
    transfers: Semaphore,
}

impl TcpServer {
    pub(crate) fn new(authorities: Authorities, config: &TcpConfig, transfer: TransferConfig) -> TcpServer {
        TcpServer {
            authorities,
            counters: TcpCounters::default(),
            transfer: RwLock::new(transfer),
            idle_timeout: config.idle_timeout(),
            connections: Connections {
                open: Mutex::default(),
                most: config.connections_max,
                most_per_client: config.connections_per_client_max(),
                started: Instant::now(),
            },
            transfers: Semaphore::new(TRANSFERS_MAX),
        }
    }

    /// Accepts connections until `stop` says true, and closes them then.
    pub(crate) async fn serve(self: Arc<TcpServer>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stopped(&mut stop) => break,
            };
            while tasks.try_join_next().is_some() {}
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_about_one_connection(error.kind()) => continue,
                Err(error) => {
                    // No file descriptors left, most likely.
                    tracing::warn!(%error, "cannot accept a TCP connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            self.counters.accepted.fetch_add(1, Relaxed);
            let admitted = self.connections.admit(peer.ip().to_canonical());
            self.counters.shed.fetch_add(admitted.shed, Relaxed);
            let Some(place) = admitted.place else { continue };
            self.counters.connections.store(self.connections.count(), Relaxed);
            let server = self.clone();
            tasks.spawn(async move {
                let connection = Connection { stream, peer: peer.ip(), place: &place, server: &server };
                // The reason does not matter: the connection is over.
                let _ = tokio::select! {
                    result = connection.run() => result,
                    () = place.close.notified() => Ok(()),
                };
                server.connections.leave(&place);
                server.counters.connections.store(server.connections.count(), Relaxed);
            });
        }
        tasks.shutdown().await;
    }
}

struct Connection<'s> {
    stream: TcpStream,
    peer: IpAddr,
    place: &'s Place,
    server: &'s TcpServer,
}

impl Connection<'_> {
    async fn run(mut self) -> io::Result<()> {
        // Small replies are written whole; waiting for more to send would only delay them.
        self.stream.set_nodelay(true)?;
        let mut input = BytesMut::new();
        let mut output = Vec::new();
        loop {
            while let Some(message) = take_message(&mut input) {
                self.place.touch(&self.server.connections);
                if message.len() < HEADER_SIZE {
                    // Not DNS; whoever sends this will not send anything better.
                    return Ok(());
                }
                if let Some(transfer) = self.answer(&message, &mut output) {
                    self.flush(&mut output).await?;
                    self.transfer(transfer).await?;
                }
                if output.len() >= OUTPUT_SIZE_MAX {
                    self.flush(&mut output).await?;
                }
            }
            self.flush(&mut output).await?;
            // One deadline for a whole message: who sends it octet by octet gains no time.
            let whole = async {
                while !has_message(&input) {
                    input.reserve(READ_SIZE);
                    if self.stream.read_buf(&mut input).await? == 0 {
                        return Ok(false);
                    }
                }
                Ok::<_, io::Error>(true)
            };
            match tokio::time::timeout(self.server.idle_timeout, whole).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) | Err(_) => return Ok(()),
                Ok(Err(error)) => return Err(error),
            }
        }
    }

    /// Appends the reply to `output`, unless it is a transfer that has to be streamed.
    fn answer(&self, request: &[u8], output: &mut Vec<u8>) -> Option<Transfer> {
        let counters = &self.server.counters;
        counters.queries.fetch_add(1, Relaxed);
        // Unwind safe: the authority in use is dropped, and a reply is only appended whole.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.server.authorities.answer_tcp(request, self.peer, output)));
        match outcome {
            Ok(Outcome::Reply(reply)) => {
                counters.answers.fetch_add(1, Relaxed);
                counters.count_rcode(reply.rcode);
                None
            }
            Ok(Outcome::Silent) => {
                counters.silent.fetch_add(1, Relaxed);
                None
            }
            Ok(Outcome::Transfer(transfer)) if self.may_transfer() => Some(transfer),
            Ok(Outcome::Transfer(transfer)) => {
                counters.answers.fetch_add(1, Relaxed);
                counters.transfers_refused.fetch_add(1, Relaxed);
                counters.count_rcode(Rcode::REFUSED);
                tracing::debug!(zone = %transfer.zone().apex(), client = %self.peer, "transfer refused");
                let mut reply = [0; REFUSAL_SIZE_MAX];
                let len = transfer.refuse(&mut reply);
                append(&reply[..len], output);
                None
            }
            Err(_) => {
                counters.panics.fetch_add(1, Relaxed);
                None
            }
        }
    }

    fn may_transfer(&self) -> bool {
        let transfer = self.server.transfer.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        transfer.allows(self.peer)
    }

    async fn transfer(&mut self, transfer: Transfer) -> io::Result<()> {
        // Waiting longer than the client does helps nobody.
        let permit = tokio::time::timeout(self.server.idle_timeout, self.server.transfers.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(io::ErrorKind::TimedOut.into()) };
        let apex = transfer.zone().apex().to_buf();
        let mut messages = Messages::new(transfer);
        let mut buffer = vec![0; 2 + MESSAGE_SIZE_MAX];
        let mut octets = 0;
        while let Some(len) = messages.next(&mut buffer[2..]) {
            let prefix = u16::try_from(len).map_err(|_| io::ErrorKind::InvalidData)?;
            buffer[..2].copy_from_slice(&prefix.to_be_bytes());
            self.write(&buffer[..2 + len]).await?;
            octets += len;
        }
        self.server.counters.transfers.fetch_add(1, Relaxed);
        tracing::info!(zone = %apex, client = %self.peer, octets, "zone transferred");
        Ok(())
    }

    async fn flush(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if !output.is_empty() {
            self.write(output).await?;
            output.clear();
            // Quiet connections hold no memory for replies.
            output.shrink_to(0);
        }
        Ok(())
    }

    /// Writes all of `octets`; each part of them has to get out in time.
    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        match tokio::time::timeout(self.server.idle_timeout, self.stream.write_all(octets)).await {
            Ok(result) => result?,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
        self.place.touch(&self.server.connections);
        Ok(())
    }
}

/// The open connections.
#[derive(Debug)]
struct Connections {
    open: Mutex<Open>,
    most: usize,
    most_per_client: usize,
    started: Instant,
}

#[derive(Debug, Default)]
struct Open {
    last_id: u64,
    places: HashMap<u64, Arc<Place>>,
    per_client: HashMap<IpAddr, usize>,
}

/// The place of one connection among all.
#[derive(Debug)]
struct Place {
    id: u64,
    client: IpAddr,
    /// When it last did something, in milliseconds.
    active_ms: AtomicU64,
    /// Told to make room.
    close: Notify,
}

/// What [`Connections::admit`] decided.
struct Admitted {
    place: Option<Arc<Place>>,
    /// Connections that have to make room, this one included when it got no place.
    shed: u64,
}

impl Connections {
    /// Finds a place for a connection, at the expense of the one that was quiet the longest if need be.
    fn admit(&self, peer: IpAddr) -> Admitted {
        let client = client_of(peer);
        let mut open = self.lock();
        let of_client = open.per_client.get(&client).copied().unwrap_or(0);
        let mut shed = 0;
        if of_client >= self.most_per_client || open.places.len() >= self.most {
            // Who has too many makes room itself.
            let is_candidate = |place: &Place| of_client < self.most_per_client || place.client == client;
            let quietest = open.places.values().filter(|place| is_candidate(place));
            let quietest = quietest.min_by_key(|place| (place.active_ms.load(Relaxed), place.id)).cloned();
            shed = 1;
            match quietest {
                Some(place) => {
                    open.remove(&place);
                    place.close.notify_one();
                }
                None => return Admitted { place: None, shed },
            }
        }
        open.last_id += 1;
        let place = Arc::new(Place { id: open.last_id, client, active_ms: AtomicU64::new(0), close: Notify::new() });
        place.touch(self);
        open.places.insert(place.id, place.clone());
        *open.per_client.entry(client).or_default() += 1;
        Admitted { place: Some(place), shed }
    }

    fn leave(&self, place: &Place) {
        self.lock().remove(place);
    }

    fn count(&self) -> u64 {
        self.lock().places.len() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Open {
    /// Frees a place, unless it made room already.
    fn remove(&mut self, place: &Place) {
        if self.places.remove(&place.id).is_none() {
            return;
        }
        if let Some(count) = self.per_client.get_mut(&place.client) {
            *count -= 1;
            if *count == 0 {
                self.per_client.remove(&place.client);
            }
        }
    }
}

impl Place {
    fn touch(&self, connections: &Connections) {
        self.active_ms.store(connections.started.elapsed().as_millis() as u64, Relaxed);
    }
}

/// Connections that may wait to be accepted; the system has a limit of its own (`net.core.somaxconn`).
const BACKLOG: i32 = 1024;

/// Octets of replies that are gathered before they are written: one of the largest.
const OUTPUT_SIZE_MAX: usize = MESSAGE_SIZE_MAX;

/// Octets of a refused transfer: a header and a question.
const REFUSAL_SIZE_MAX: usize = 512;

/// Octets that a read makes room for: some pipelined queries.
const READ_SIZE: usize = 2048;

/// Transfers at the same time: each holds a buffer, and keeps the zone it sends in memory even when it is replaced.
const TRANSFERS_MAX: usize = 64;

/// Time to wait when the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What counts as one client: an IPv6 host has at least a /64 to itself.
fn client_of(peer: IpAddr) -> IpAddr {
    if peer.is_ipv4() { peer } else { masked(peer, 64).unwrap_or(peer) }
}

fn is_about_one_connection(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted)
}

fn has_message(input: &[u8]) -> bool {
    matches!(*input, [high, low, ..] if input.len() - 2 >= usize::from(u16::from_be_bytes([high, low])))
}

/// Takes the first message off `input`, if all of it is there.
fn take_message(input: &mut BytesMut) -> Option<BytesMut> {
    if !has_message(input) {
        return None;
    }
    let len = input.get_u16();
    Some(input.split_to(len.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(most: usize, most_per_client: usize) -> Connections {
        Connections { open: Mutex::default(), most, most_per_client, started: Instant::now() }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn messages_are_taken_off_one_by_one_and_only_whole() {
        let mut input = BytesMut::from(&b"\0\x02ab\0\0\0\x03xy"[..]);
        assert_eq!(take_message(&mut input).unwrap(), b"ab"[..]);
        assert_eq!(take_message(&mut input).unwrap(), b""[..]);
        assert!(take_message(&mut input).is_none());
        input.extend_from_slice(b"z");
        assert_eq!(take_message(&mut input).unwrap(), b"xyz"[..]);
        assert!(take_message(&mut input).is_none() && input.is_empty());
    }

    #[test]
    fn the_quietest_connection_makes_room() {
        let all = connections(2, 2);
        let first = all.admit(ip("192.0.2.1")).place.unwrap();
        let second = all.admit(ip("192.0.2.2")).place.unwrap();
        first.active_ms.store(20, Relaxed);
        second.active_ms.store(10, Relaxed);
        let admitted = all.admit(ip("192.0.2.3"));
        assert_eq!((admitted.shed, all.count()), (1, 2));
        let open = all.lock();
        assert!(open.places.contains_key(&first.id) && !open.places.contains_key(&second.id));
    }

    #[test]
    fn a_client_with_too_many_connections_makes_room_itself() {
        let all = connections(10, 1);
        let other = all.admit(ip("192.0.2.1")).place.unwrap();
        other.active_ms.store(0, Relaxed);
        // Both addresses are of one /64.
        let old = all.admit(ip("2001:db8::1")).place.unwrap();
        let new = all.admit(ip("2001:db8::2")).place.unwrap();
        let open = all.lock();
        assert!(open.places.contains_key(&other.id) && open.places.contains_key(&new.id));
        assert!(!open.places.contains_key(&old.id));
        drop(open);
        all.leave(&old);
        all.leave(&new);
        all.leave(&other);
        assert!(all.lock().per_client.is_empty() && all.count() == 0);
    }
}
