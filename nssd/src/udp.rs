//! UDP: one plain thread and one socket per worker and listen address.
//!
//! The kernel spreads clients over the sockets of one address (`SO_REUSEPORT`), so that the workers share nothing.
//! A worker takes a batch of queries, answers them into buffers that it owns for life, and sends the batch.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::answer::{self, Answer, Answered, Written};
use crate::counters::WorkerCounters;
#[cfg(not(target_os = "linux"))]
use crate::datagram::{self as batch, Batch, Exchange};
#[cfg(target_os = "linux")]
use crate::mmsg::{self as batch, Batch, Exchange};
use crate::rate_limit::{Accounted, RateLimiter, Verdict};
use crate::repeats::{REPEATS_MAX, Repeats};

/// Binds the sockets of all workers to one address.
///
/// # Errors
///
/// An address that can't be bound.
pub(crate) fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<UdpSocket>> {
    let mut sockets: Vec<UdpSocket> = Vec::with_capacity(workers);
    for _ in 0..workers {
        // With port 0 the first socket decides which port it is.
        let address = sockets.first().map_or(Ok(address), UdpSocket::local_addr)?;
        sockets.push(bind_one(address)?);
    }
    Ok(sockets)
}

fn bind_one(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        // IPv4 has its own sockets.
        socket.set_only_v6(true)?;
    }
    // The system may grant less; then bursts are lost sooner, which is no reason not to serve.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_SIZE);
    let _ = socket.set_send_buffer_size(SEND_BUFFER_SIZE);
    socket.bind(&address.into())?;
    socket.set_read_timeout(Some(STOP_CHECK_INTERVAL))?;
    let socket = UdpSocket::from(socket);
    batch::prepare(&socket)?;
    Ok(socket)
}

/// One worker, before it runs.
pub(crate) struct Worker<A> {
    /// The socket of its own.
    pub(crate) socket: UdpSocket,
    /// Answers its queries.
    pub(crate) answer: A,
    /// Holds back what is too much.
    pub(crate) limiter: Option<RateLimiter>,
    /// Octets of a reply at most.
    pub(crate) reply_size_max: usize,
    /// Whether replies to one client leave together.
    pub(crate) joins_replies: bool,
    /// Its own counters.
    pub(crate) counters: Arc<WorkerCounters>,
    /// Set when it has to stop.
    pub(crate) stop: Arc<AtomicBool>,
    /// Which worker of its address this is; it is pinned to a core by that.
    pub(crate) number: usize,
}

impl<A: Answer + Send + 'static> Worker<A> {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub(crate) fn spawn(self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(format!("udp-{}", self.number)).spawn(move || self.run_always())
    }

    /// Works until it is told to stop, come what may: the kernel would go on handing queries to a socket that nobody
    /// reads from.
    fn run_always(mut self) {
        pin(self.number);
        self.answer.start_afresh();
        while !self.stop.load(Relaxed) {
            // Unwind safe: the batch is made afresh, and the answering state is too.
            if catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
                self.counters.panics.add(1);
                self.answer.start_afresh();
                std::thread::sleep(ERROR_PAUSE);
            }
        }
    }

    fn run(&mut self) {
        let mut batch = Batch::new(self.reply_size_max).with_joined_replies(self.joins_replies);
        let mut known = Known::new();
        let clock = Instant::now();
        while !self.stop.load(Relaxed) {
            let received = match batch.receive_soon(&self.socket) {
                Ok(received) => received,
                Err(error) if is_transient(error.kind()) => {
                    // A second without a query: zones that were replaced meanwhile are let go.
                    self.answer.begin_batch();
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "cannot receive from a UDP socket");
                    std::thread::sleep(ERROR_PAUSE);
                    continue;
                }
            };
            // The clock of the rate limit counts milliseconds and may wrap.
            let now_ms = clock.elapsed().as_millis() as u32;
            self.answer.begin_batch();
            self.work(&mut batch, &mut known, received, now_ms);
            let sent = batch.send(&self.socket);
            self.counters.answers.add(sent.replies);
            self.counters.send_errors.add(sent.errors);
        }
    }

    /// Answers a batch. A query that makes the code panic costs itself and nothing else.
    fn work(&mut self, batch: &mut Batch, known: &mut Known, received: usize, now_ms: u32) {
        let mut next = 0;
        known.repeats.clear();
        let mut is_new = true;
        while next < received {
            // Unwind safe: `next` has moved on before the panic, the reply is not sent, and the rest starts afresh
            // below.
            let result = catch_unwind(AssertUnwindSafe(|| {
                // A batch of one or two has little to wait for at once.
                if std::mem::take(&mut is_new) && received >= APPROACH_MIN {
                    known.repeats.look(received, |i| batch.request(i));
                    let requests = batch.requests().enumerate();
                    let new = requests.filter(|(i, _)| known.repeats.first(*i).is_none()).map(|(_, it)| it);
                    self.answer.approach(new, batch::prefetch);
                }
                while next < received {
                    let i = next;
                    next += 1;
                    self.answer_one(batch, known, i, now_ms);
                }
            }));
            if result.is_err() {
                self.counters.panics.add(1);
                self.answer.start_afresh();
            }
        }
    }

    fn answer_one(&mut self, batch: &mut Batch, known: &mut Known, i: usize, now_ms: u32) {
        if let Some((earlier, written)) = known.reply_to(i) {
            if let Some(exchange) = batch.exchange_again(i, earlier, written.len) {
                self.counters.queries.add(1);
                self.dispatch(exchange, written, now_ms);
            }
            return;
        }
        let Some(exchange) = batch.exchange(i) else { return };
        self.counters.queries.add(1);
        known.keep(i, None);
        let Answered::Reply(written) = self.answer.answer_udp(exchange.request, exchange.peer.ip(), exchange.reply)
        else {
            self.counters.silent.add(1);
            return;
        };
        if self.dispatch(exchange, written, now_ms) != Verdict::Slip {
            known.keep(i, Some(written));
        }
    }

    /// Has a reply sent, unless it is too much; what is to be truncated is so in its place.
    fn dispatch(&mut self, exchange: Exchange<'_>, written: Written, now_ms: u32) -> Verdict {
        let counters = &self.counters;
        let Written { len, rcode, kind, subject_labels, is_trusted, .. } = written;
        let verdict = match &mut self.limiter {
            Some(limiter) if !is_trusted => {
                let subject = answer::subject(&exchange.reply[..len], subject_labels);
                limiter.account(&Accounted { client: exchange.peer.ip(), kind, subject }, now_ms)
            }
            Some(_) | None => Verdict::Pass,
        };
        match verdict {
            Verdict::Pass => {
                counters.rcodes.count(rcode);
                exchange.answer(len);
            }
            Verdict::Drop => counters.rate_limited.add(1),
            Verdict::Slip => {
                counters.slipped.add(1);
                if let Some(len) = answer::truncate(&mut exchange.reply[..len]) {
                    exchange.answer(len);
                }
            }
        }
        verdict
    }
}

/// What is known of the requests of a batch.
struct Known {
    repeats: Repeats,
    /// The replies that stand in their room as they were written, and are for everybody.
    replies: [Option<Written>; REPEATS_MAX],
}

impl Known {
    fn new() -> Known {
        Known { repeats: Repeats::new(), replies: [None; REPEATS_MAX] }
    }

    /// Keeps what stands in the room of the `i`-th reply for later ones; `None` for nothing that they can have.
    fn keep(&mut self, i: usize, written: Option<Written>) {
        if let Some(place) = self.replies.get_mut(i) {
            *place = written.filter(|written| written.is_for_everybody);
        }
    }

    /// The reply to an earlier request that is the same as the `i`-th, and which one that is.
    fn reply_to(&self, i: usize) -> Option<(usize, Written)> {
        let earlier = self.repeats.first(i)?;
        Some((earlier, (*self.replies.get(earlier)?)?))
    }
}

/// Queries in a batch from which on it pays to look at all of them before the first is answered.
const APPROACH_MIN: usize = 3;

/// Wakes a worker that waits on `socket`, so that it sees that it has to stop.
pub(crate) fn wake(socket: &UdpSocket) {
    // On Linux this ends the wait although the socket has no peer and the call says so; elsewhere the receive
    // timeout does.
    let _ = SockRef::from(socket).shutdown(std::net::Shutdown::Both);
}

/// Octets of queries that may wait for a worker: of small ones, for which Linux counts 768 octets each and allows twice of this, some
/// 2700, which take 10 ms. More would be lost no later in a flood that goes on, and everybody would wait longer for an answer.
const RECEIVE_BUFFER_SIZE: usize = 1 << 20;

/// Octets of answers that may wait for the network.
const SEND_BUFFER_SIZE: usize = 4 << 20;

/// How long a worker waits for a query before it looks whether it has to stop.
const STOP_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Time to wait after an error that will not go away by itself, so that the log is not flooded.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

fn is_transient(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Binds this thread to one of the cores that the process may use.
#[cfg(target_os = "linux")]
fn pin(number: usize) {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    let this_thread = Pid::from_raw(0);
    let pinned = sched_getaffinity(this_thread).and_then(|allowed| {
        let cores: Vec<usize> = (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false)).collect();
        let Some(&core) = cores.get(number % cores.len().max(1)) else { return Ok(()) };
        let mut set = CpuSet::new();
        set.set(core)?;
        sched_setaffinity(this_thread, &set)
    });
    if let Err(error) = pinned {
        tracing::debug!(%error, "cannot pin a UDP worker to a core");
    }
}

#[cfg(not(target_os = "linux"))]
fn pin(_: usize) {}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::atomic::AtomicU64;

    use nss_authority::ReplyKind;
    use nss_wire::message::Rcode;

    use super::*;
    use crate::config::RateLimitConfig;

    /// Sends queries back, and breaks on "panic".
    struct Echo {
        recoveries: Arc<AtomicU64>,
        made: u64,
        is_for_everybody: bool,
    }

    impl Answer for Echo {
        fn begin_batch(&mut self) {}

        fn approach<'r>(&mut self, requests: impl Iterator<Item = &'r [u8]>, _: impl Fn(*const u8)) {
            assert!(requests.count() > 0);
        }

        fn answer_udp(&mut self, request: &[u8], _: IpAddr, reply: &mut [u8]) -> Answered {
            assert_ne!(request, b"panic", "on purpose");
            self.made += 1;
            if request.is_empty() {
                return Answered::Silent;
            }
            reply[..request.len()].copy_from_slice(request);
            Answered::Reply(Written {
                len: request.len(),
                rcode: Rcode::NOERROR,
                kind: ReplyKind::Answer,
                subject_labels: 0,
                is_trusted: false,
                is_for_everybody: self.is_for_everybody,
            })
        }

        fn start_afresh(&mut self) {
            self.recoveries.fetch_add(1, Relaxed);
        }
    }

    fn worker(socket: UdpSocket) -> (Worker<Echo>, Arc<AtomicU64>) {
        let recoveries = Arc::<AtomicU64>::default();
        let worker = Worker {
            socket,
            answer: Echo { recoveries: recoveries.clone(), made: 0, is_for_everybody: true },
            limiter: None,
            joins_replies: true,
            reply_size_max: 512,
            counters: Arc::default(),
            stop: Arc::default(),
            number: 0,
        };
        (worker, recoveries)
    }

    #[test]
    fn a_query_that_panics_costs_itself_and_not_the_rest_of_its_batch() {
        let server = bind_one("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // All in the buffer before the worker looks, so that they are one batch.
        for query in [&b"one"[..], b"panic", b"two", b"", b"panic", b"three"] {
            client.send_to(query, server.local_addr().unwrap()).unwrap();
        }
        let (mut worker, recoveries) = worker(server);
        let mut batch = Batch::new(512);
        let mut received = 0;
        while received < 6 {
            let n = batch.receive(&worker.socket).unwrap();
            received += n;
            worker.work(&mut batch, &mut Known::new(), n, 0);
            let sent = batch.send(&worker.socket);
            assert_eq!(sent.errors, 0);
        }
        for answer in [&b"one"[..], b"two", b"three"] {
            let mut buffer = [0; 16];
            let len = client.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], answer);
        }
        let counters = &worker.counters;
        assert_eq!((counters.queries.get(), counters.panics.get(), counters.silent.get()), (6, 2, 1));
        assert_eq!((counters.rcodes.get(Rcode::NOERROR), recoveries.load(Relaxed)), (3, 2));
    }

    /// A query for a name of one label.
    fn query(id: u16, name: &str) -> Vec<u8> {
        let [high, low] = id.to_be_bytes();
        let header = [high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        [&header[..], &[name.len() as u8], name.as_bytes(), &[0, 0, 1, 0, 1]].concat()
    }

    /// What becomes of queries that two clients send by turns: the octets that each gets, the counters, and how many replies were
    /// made.
    fn answer_in_one_batch(
        queries: &[Vec<u8>],
        is_for_everybody: bool,
        limiter: Option<RateLimiter>,
    ) -> ([Vec<Vec<u8>>; 2], [u64; 4], u64) {
        let server = bind_one("127.0.0.1:0".parse().unwrap()).unwrap();
        let clients = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        for (query, client) in queries.iter().zip(clients.iter().cycle()) {
            client.send_to(query, server.local_addr().unwrap()).unwrap();
        }
        let (mut worker, _) = worker(server);
        worker.answer.is_for_everybody = is_for_everybody;
        worker.limiter = limiter;
        let mut batch = Batch::new(512).with_joined_replies(true);
        assert_eq!(batch.receive(&worker.socket).unwrap(), queries.len(), "all were there");
        worker.work(&mut batch, &mut Known::new(), queries.len(), 0);
        batch.send(&worker.socket);
        let replies = clients.map(|client| {
            client.set_nonblocking(true).unwrap();
            let mut buffer = [0; 512];
            let mut replies: Vec<Vec<u8>> =
                std::iter::from_fn(|| client.recv(&mut buffer).ok().map(|len| buffer[..len].to_vec())).collect();
            replies.sort_unstable();
            replies
        });
        let WorkerCounters { queries, rate_limited, slipped, rcodes, .. } = &*worker.counters;
        let counts = [queries.get(), rcodes.get(Rcode::NOERROR), rate_limited.get(), slipped.get()];
        (replies, counts, worker.answer.made)
    }

    #[test]
    fn one_question_that_many_ask_at_one_time_is_answered_once_and_to_each_with_its_id() {
        let names = ["one", "two", "one", "One", "one", "two"];
        let queries: Vec<Vec<u8>> = (0..60).map(|i| query(i, names[usize::from(i) % names.len()])).collect();
        let expected = [0, 1].map(|client| queries.iter().skip(client).step_by(2).cloned().collect::<Vec<_>>());
        let (replies, counts, made) = answer_in_one_batch(&queries, true, None);
        assert_eq!((replies, counts, made), (expected.clone(), [60, 60, 0, 0], 3));
        let (replies, counts, made) = answer_in_one_batch(&queries, false, None);
        assert_eq!((replies, counts, made), (expected, [60, 60, 0, 0], 60), "not for everybody");
    }

    #[test]
    fn what_is_answered_once_for_many_is_limited_for_each() {
        let config =
            RateLimitConfig { responses_per_second: 10, slip: 3, exempt: Vec::new(), ..RateLimitConfig::default() };
        let queries: Vec<Vec<u8>> = (0..60).map(|i| query(i, if i % 7 < 5 { "one" } else { "two" })).collect();
        let [together, apart] = [true, false].map(|is_for_everybody| {
            answer_in_one_batch(&queries, is_for_everybody, RateLimiter::new(&config, 1, [1, 2]))
        });
        assert_eq!((&together.0, together.1), (&apart.0, apart.1));
        let [queries, sent, dropped, slipped] = together.1;
        assert_eq!((queries, sent + dropped + slipped), (60, 60));
        assert!(sent >= 10 && dropped > 0 && slipped > 0 && together.2 < apart.2, "{together:?}");
    }

    #[test]
    fn queries_wait_for_a_worker_by_the_hundred_and_not_by_the_ten_thousand() {
        let server = bind_one("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..20_000 {
            client.send_to(b"query", server.local_addr().unwrap()).unwrap();
        }
        server.set_nonblocking(true).unwrap();
        let waiting = std::iter::repeat_with(|| server.recv(&mut [0; 16])).take_while(Result::is_ok).count();
        assert!((100..5000).contains(&waiting), "{waiting}");
    }

    #[test]
    fn a_worker_that_waits_stops_when_it_is_told() {
        let server = bind_one("[::1]:0".parse().unwrap()).unwrap();
        let twin = server.try_clone().unwrap();
        let (worker, _) = worker(server);
        let stop = worker.stop.clone();
        let thread = worker.spawn().unwrap();
        stop.store(true, Relaxed);
        wake(&twin);
        thread.join().unwrap();
    }

    #[test]
    fn the_sockets_of_one_address_share_its_port() {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let addresses: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        assert!(addresses.iter().all(|address| *address == addresses[0] && address.port() != 0));
    }
}
