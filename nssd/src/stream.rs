//! Messages over a stream, TCP or TLS: several under way on one connection (RFC 7766), and zone transfers.
//!
//! Every connection is bounded in memory and time. It holds one message that arrives and some replies that leave, ends
//! when neither makes progress, and holds no buffer while it is quiet. Messages are answered in the order in
//! which they came, since an answer takes a microsecond and there is nothing to be gained by another order; those that came
//! together are answered together, with one write.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, RwLock};
use std::task::Poll;
use std::time::Duration;

use nss_authority::{Messages, Outcome, Transfer, Transport};
use nss_wire::message::{HEADER_SIZE, MESSAGE_SIZE_MAX};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::answer::{Authorities, Desk};
use crate::config::{TcpConfig, TransferConfig};
use crate::connections::{Connections, Seat};
use crate::counters::StreamCounters;
use crate::server::stopped;

/// Octets that come in order, both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// What the answers have to be like.
    const TRANSPORT: Transport;

    /// Waits until there may be something to read.
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;
}

/// What a connection goes through before the first message.
pub(crate) trait Entrance: Send + Sync + 'static {
    /// What messages are then exchanged over.
    type Stream: Stream;

    /// Lets a connection in.
    ///
    /// # Errors
    ///
    /// It may not come in, or has not come in in time.
    fn enter(&self, stream: TcpStream, peer: IpAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// What all connections of one kind share.
#[derive(Debug)]
pub(crate) struct StreamServer<E> {
    entrance: E,
    authorities: Arc<Authorities>,
    transfers: Arc<Transfers>,
    timeouts: Timeouts,
    connections: Arc<Connections>,
    pub(crate) counters: StreamCounters,
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For beginning the next message.
    pub(crate) idle: Duration,
    /// For all of a message, or for reading what was written to it at once.
    pub(crate) io: Duration,
}

impl Timeouts {
    pub(crate) fn new(config: &TcpConfig) -> Timeouts {
        Timeouts {
            idle: Duration::from_millis(config.idle_timeout_ms),
            io: Duration::from_millis(config.io_timeout_ms),
        }
    }
}

/// Who may transfer zones, and how many do.
#[derive(Debug)]
pub(crate) struct Transfers {
    config: RwLock<TransferConfig>,
    running: Semaphore,
}

impl Transfers {
    pub(crate) fn new(config: TransferConfig) -> Transfers {
        Transfers { config: RwLock::new(config), running: Semaphore::new(TRANSFERS_MAX) }
    }

    /// Changes who may, for transfers that are asked for from now on.
    pub(crate) fn set(&self, config: TransferConfig) {
        *self.config.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = config;
    }

    fn allow(&self, client: IpAddr) -> bool {
        self.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).allows(client)
    }
}

impl<E: Entrance> StreamServer<E> {
    pub(crate) fn new(
        entrance: E,
        authorities: Arc<Authorities>,
        transfers: Arc<Transfers>,
        timeouts: Timeouts,
        connections: Arc<Connections>,
    ) -> StreamServer<E> {
        let counters = StreamCounters::default();
        StreamServer { entrance, authorities, transfers, timeouts, connections, counters }
    }

    /// Connections that are open now.
    pub(crate) fn connection_count(&self) -> usize {
        self.connections.count()
    }

    /// What connections go through before the first message.
    pub(crate) fn entrance(&self) -> &E {
        &self.entrance
    }

    /// Accepts connections until `stop` says true, and closes them then.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
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
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            self.counters.accepted.fetch_add(1, Relaxed);
            let (seat, has_shed) = self.connections.admit(peer.ip());
            self.counters.shed.fetch_add(has_shed.into(), Relaxed);
            tasks.spawn(self.clone().attend(stream, peer.ip(), seat));
        }
        tasks.shutdown().await;
    }

    /// Serves one connection to its end.
    async fn attend(self: Arc<Self>, stream: TcpStream, peer: IpAddr, seat: Seat) {
        let connection = async {
            // Replies are written whole; waiting for more to send would only delay them.
            stream.set_nodelay(true)?;
            let stream = self.entrance.enter(stream, peer).await?;
            Connection { stream, peer, seat: &seat, server: &self }.run().await
        };
        // The reason does not matter: the connection is over.
        let _ = tokio::select! {
            result = connection => result,
            () = seat.shed() => Ok(()),
        };
    }

    /// How long a connection may be idle now.
    fn idle_timeout(&self) -> Duration {
        self.connections.idle_timeout(self.timeouts.idle)
    }
}

struct Connection<'s, E: Entrance> {
    stream: E::Stream,
    peer: IpAddr,
    seat: &'s Seat,
    server: &'s StreamServer<E>,
}

/// Why no more messages are answered for now.
enum Pause {
    /// The next message is not there yet.
    Input,
    /// Enough has been written to be sent.
    Output,
    /// What comes next has to be streamed.
    Transfer(Box<Transfer>),
    /// It is not DNS that is spoken here; nothing better will come.
    NoDns,
}

impl<E: Entrance> Connection<'_, E> {
    async fn run(mut self) -> io::Result<()> {
        let mut input = Vec::new();
        let mut output = Vec::new();
        while self.arrive(&mut input).await? {
            self.seat.touch();
            let pause = loop {
                let pause = self.answer(&mut input, &mut output);
                self.flush(&mut output).await?;
                match pause {
                    Pause::Input | Pause::NoDns => break pause,
                    Pause::Output => {}
                    // Boxed, so that connections without a transfer are small.
                    Pause::Transfer(transfer) => Box::pin(self.transfer(*transfer)).await?,
                }
            };
            if matches!(pause, Pause::NoDns) {
                break;
            }
        }
        // TLS says that this is the end.
        timeout(self.server.timeouts.io, self.stream.shutdown()).await?
    }

    /// Waits for a whole message; false when the client has left or nothing comes in time.
    async fn arrive(&mut self, input: &mut Vec<u8>) -> io::Result<bool> {
        if input.is_empty() {
            // A quiet connection holds no buffer.
            *input = Vec::new();
            let begun = timeout(self.server.idle_timeout(), self.begin(input)).await;
            let Ok(Ok(1..)) = begun else { return begun.unwrap_or(Ok(0)).map(|_| false) };
        }
        if has_message(input) {
            return Ok(true);
        }
        // One deadline for a whole message: who sends it octet by octet gains no time.
        let whole = async {
            while !has_message(input) {
                input.reserve(READ_SIZE);
                if self.stream.read_buf(input).await? == 0 {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        timeout(self.server.timeouts.io, whole).await.unwrap_or(Ok(false))
    }

    /// Waits for the first octets of a message, without a buffer for them; 0 when the client has left.
    async fn begin(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            input.reserve(READ_SIZE);
            let now = {
                let mut read = pin!(self.stream.read_buf(input));
                poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await
            };
            // A stream may have been wrong about being readable, and TLS has messages of its own.
            match now {
                Poll::Ready(result) => return result,
                Poll::Pending => *input = Vec::new(),
            }
        }
    }

    /// Answers the messages of `input` into `output` until there is something to wait for.
    fn answer(&self, input: &mut Vec<u8>, output: &mut Vec<u8>) -> Pause {
        let mut desk = self.server.authorities.desk(self.server.idle_timeout());
        let mut at = 0;
        let pause = loop {
            if output.len() >= OUTPUT_SIZE_MAX {
                break Pause::Output;
            }
            let Some(message) = first_message(&input[at..]) else { break Pause::Input };
            if message.len() < HEADER_SIZE {
                break Pause::NoDns;
            }
            at += 2 + message.len();
            if let Some(transfer) = self.answer_one(&mut desk, message, output) {
                break Pause::Transfer(transfer);
            }
        };
        self.server.authorities.put_back(desk);
        input.drain(..at);
        pause
    }

    /// Appends the reply to `output`, unless it is a transfer that has to be streamed.
    fn answer_one(&self, desk: &mut Desk, request: &[u8], output: &mut Vec<u8>) -> Option<Box<Transfer>> {
        let counters = &self.server.counters;
        counters.queries.fetch_add(1, Relaxed);
        // Unwind safe: the desk is cleared, and a reply is only appended whole.
        let answer = AssertUnwindSafe(|| match desk.answer(request, self.peer, E::Stream::TRANSPORT, output) {
            Outcome::Transfer(transfer) if !self.server.transfers.allow(self.peer) => {
                counters.transfers_refused.fetch_add(1, Relaxed);
                tracing::debug!(zone = %transfer.zone().apex(), client = %self.peer, "transfer refused");
                desk.refuse_transfer(request, self.peer, E::Stream::TRANSPORT, output)
            }
            outcome => outcome,
        });
        match catch_unwind(answer) {
            Ok(Outcome::Reply(reply)) => {
                counters.answers.fetch_add(1, Relaxed);
                counters.count_rcode(reply.rcode);
                None
            }
            Ok(Outcome::Silent) => {
                counters.silent.fetch_add(1, Relaxed);
                None
            }
            Ok(Outcome::Transfer(transfer)) => Some(Box::new(transfer)),
            Err(_) => {
                counters.panics.fetch_add(1, Relaxed);
                desk.clear();
                None
            }
        }
    }

    async fn transfer(&mut self, transfer: Transfer) -> io::Result<()> {
        // Waiting longer than the client does helps nobody.
        let permit = timeout(self.server.timeouts.io, self.server.transfers.running.acquire()).await?;
        let _permit = permit.map_err(io::Error::other)?;
        let deadline = Instant::now() + TRANSFER_TIME_MAX;
        let apex = transfer.zone().apex().to_buf();
        let mut messages = Messages::new(transfer);
        let mut buffer = vec![0; 2 + MESSAGE_SIZE_MAX];
        let mut octets = 0;
        while let Some(len) = messages.next(&mut buffer[2..]) {
            let prefix = u16::try_from(len).map_err(|_| io::ErrorKind::InvalidData)?;
            buffer[..2].copy_from_slice(&prefix.to_be_bytes());
            timeout_at(deadline, self.write(&buffer[..2 + len])).await??;
            octets += len;
        }
        self.server.counters.transfers.fetch_add(1, Relaxed);
        tracing::info!(zone = %apex, client = %self.peer, octets, "zone transferred");
        Ok(())
    }

    async fn flush(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        self.write(output).await?;
        output.clear();
        // As the input: nothing is held while the connection is quiet.
        output.shrink_to(0);
        Ok(())
    }

    /// Writes all of `octets`, which has to be done in time.
    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        let all = async {
            self.stream.write_all(octets).await?;
            // TLS may have kept some of it.
            self.stream.flush().await
        };
        timeout(self.server.timeouts.io, all).await??;
        self.seat.touch();
        Ok(())
    }
}

/// Octets of replies that are gathered before they are written: one of the largest.
const OUTPUT_SIZE_MAX: usize = MESSAGE_SIZE_MAX;

/// Octets that a read makes room for: dozens of pipelined queries.
const READ_SIZE: usize = 4096;

/// Transfers at the same time: each holds a buffer, and keeps the zone it sends in memory even when it is replaced.
const TRANSFERS_MAX: usize = 64;

/// Time for one transfer, as much as BIND gives: a slow secondary can't keep an old version in memory for ever.
const TRANSFER_TIME_MAX: Duration = Duration::from_secs(2 * 3600);

/// Time to wait when the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

fn is_about_one_connection(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted)
}

/// The first message at the start of `input` without its length (RFC 1035 §4.2.2), if all of it is there.
fn first_message(input: &[u8]) -> Option<&[u8]> {
    let (length, rest) = input.split_first_chunk()?;
    rest.get(..u16::from_be_bytes(*length).into())
}

fn has_message(input: &[u8]) -> bool {
    first_message(input).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_message_is_one() {
        assert_eq!(first_message(b"\0\x02ab\0\0"), Some(&b"ab"[..]));
        assert_eq!(first_message(b"\0\0\0\x03xy"), Some(&b""[..]));
        for input in [&b"\0\x03xy"[..], b"\0\x01", b"\0", b""] {
            assert_eq!(first_message(input), None);
        }
    }
}
