//! A client's TCP stream that notices when the client stops taking or giving, and closes without losing the answer.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// How long a closed stream waits for the client to close, too; nginx's `lingering_timeout`.
const LINGER: Duration = Duration::from_secs(5);

/// The octets thrown away meanwhile at most, so that a fast sender cannot keep us busy for all of [`LINGER`].
const LINGER_SIZE_MAX: usize = 64 << 20;

/// Octets thrown away by one call.
const SCRATCH_SIZE: usize = 8192;

/// A TCP stream with a limit on how long a write may stall, and a lingering close.
///
/// When an answer is sent before the request's body was read, closing at once would make the kernel send a reset, and
/// the client would see that instead of the answer. So the close sends FIN first and then, unless all requests were read
/// to their ends, reads for a while what the client still has under way.
pub(crate) struct ClientStream {
    stream: TcpStream,
    activity: Arc<Activity>,
    write_timeout: Duration,
    /// Runs while a write makes no progress.
    stalled: Option<Pin<Box<Sleep>>>,
    closing: Closing,
}

enum Closing {
    Open,
    Lingering { until: Pin<Box<Sleep>>, octets: usize },
    Closed,
}

impl ClientStream {
    pub(crate) fn new(stream: TcpStream, activity: Arc<Activity>, write_timeout: Duration) -> ClientStream {
        ClientStream { stream, activity, write_timeout, stalled: None, closing: Closing::Open }
    }

    /// Turns a write that waits for the client into an error once it has waited too long.
    fn watch_write<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            self.activity.wrote();
            return result;
        }
        self.activity.stalled();
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take the answer")))
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.activity.read();
        }
        result
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, octets);
        this.watch_write(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.watch_write(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.closing {
                Closing::Open => {
                    ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                    this.closing = if this.activity.is_settled() {
                        Closing::Closed
                    } else {
                        Closing::Lingering { until: Box::pin(sleep(LINGER)), octets: 0 }
                    };
                }
                Closing::Lingering { until, octets } => {
                    let mut scratch = [0; SCRATCH_SIZE];
                    let mut buffer = ReadBuf::new(&mut scratch);
                    let over = until.as_mut().poll(cx).is_ready() || *octets > LINGER_SIZE_MAX;
                    let ended = over
                        || match Pin::new(&mut this.stream).poll_read(cx, &mut buffer) {
                            Poll::Pending => return Poll::Pending,
                            Poll::Ready(Err(_)) => true,
                            Poll::Ready(Ok(())) => buffer.filled().is_empty(),
                        };
                    *octets += buffer.filled().len();
                    if ended {
                        this.closing = Closing::Closed;
                    }
                }
                Closing::Closed => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// What goes on at a connection, as its idle timer and those who look for a place need to know it.
pub(crate) struct Activity(Mutex<State>);

struct State {
    /// Requests whose answers are being made.
    in_flight: usize,
    has_served: bool,
    /// Whether all octets that came belong to requests that were read to their ends and answered.
    is_settled: bool,
    last_read: Instant,
    last_write: Instant,
    is_stalled: bool,
    /// Somebody else has the connection's place.
    is_evicted: bool,
}

impl Activity {
    pub(crate) fn new() -> Activity {
        let now = Instant::now();
        Activity(Mutex::new(State {
            in_flight: 0,
            has_served: false,
            is_settled: false,
            last_read: now,
            last_write: now,
            is_stalled: false,
            is_evicted: false,
        }))
    }

    /// A request begins; it lasts until the guard is dropped. `None` when the connection has no place any more.
    pub(crate) fn request(self: &Arc<Activity>) -> Option<InFlight> {
        self.with(|state| {
            if state.is_evicted {
                return None;
            }
            state.in_flight += 1;
            Some(InFlight(Arc::clone(self)))
        })
    }

    /// Takes the connection's place away, unless a request is being answered; whether that could be done.
    pub(crate) fn evict(&self) -> bool {
        self.with(|state| {
            state.is_evicted |= state.in_flight == 0;
            state.is_evicted
        })
    }

    fn is_settled(&self) -> bool {
        self.with(|state| state.is_settled)
    }

    /// Since when the connection waits for a further request; `None` while it does something, and before its first
    /// request, when the header timeout counts.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        self.with(|state| {
            let answered = state.has_served && state.in_flight == 0 && !state.is_stalled;
            // Octets after the last answer are a request that has begun: the header timeout counts again.
            (answered && state.last_read <= state.last_write).then_some(state.last_write)
        })
    }

    /// Since when no octet came or went; `None` while a request is being answered.
    pub(crate) fn quiet_since(&self) -> Option<Instant> {
        self.with(|state| (state.in_flight == 0).then_some(state.last_read.max(state.last_write)))
    }

    fn read(&self) {
        self.with(|state| (state.last_read, state.is_settled) = (Instant::now(), false));
    }

    fn wrote(&self) {
        self.with(|state| (state.last_write, state.is_stalled) = (Instant::now(), false));
    }

    fn stalled(&self) {
        self.with(|state| state.is_stalled = true);
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A request that is being answered.
pub(crate) struct InFlight(Arc<Activity>);

impl InFlight {
    /// The request was read to its end and has its answer.
    pub(crate) fn settle(self) {
        self.0.with(|state| state.is_settled = true);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.in_flight -= 1;
            state.has_served = true;
        });
    }
}
