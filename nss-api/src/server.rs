//! The running server: its sockets, its connections, and their end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::config::{Config, Ownership, milliseconds};
use crate::connection::{self, ConnectionTimeouts, Connections, turn_away};
use crate::front::{Caller, Front};
use crate::rounds::{RoundReport, Rounds};

/// Connections that the kernel keeps waiting for us; what Linux allows at most unless told otherwise is 4096.
const BACKLOG: i32 = 1024;

/// Descriptors needed beside connections: listeners, the sockets of delegation checks, files.
const OTHER_DESCRIPTORS: u64 = 1024;

/// The pause after `accept` failed for want of descriptors or memory: long enough for connections to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    /// Receives nothing, and ends once nobody who serves is left.
    served: mpsc::Receiver<()>,
    stop_timeout: Duration,
}

impl Server {
    /// Binds the sockets and begins to serve, on the runtime that this is called on.
    ///
    /// # Errors
    ///
    /// A configuration that can't be meant, and addresses that can't be bound.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        config.check().map_err(StartError::Config)?;
        // Each connection may have a call to nssd open beside it.
        raise_open_file_limit(2 * config.limits.connections_max.get() as u64 + OTHER_DESCRIPTORS);
        let listeners = bind(&config)?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>();
        let addresses = addresses.map_err(|error| StartError::Bind { address: None, error })?;
        if config.is_unchecked() {
            tracing::warn!("ownership is open and the delegation is not checked: anybody may overwrite any zone");
        } else if config.ownership == Ownership::Open {
            tracing::warn!("ownership is open: anybody may overwrite the zone of any domain that is delegated here");
        }
        let limits = &config.limits;
        let connections = Connections::new(limits.connections_max.get(), limits.connections_per_client_max.get());
        let timeouts = ConnectionTimeouts {
            header: milliseconds(config.timeouts.header_ms),
            idle: milliseconds(config.timeouts.idle_ms),
            write: milliseconds(config.timeouts.write_ms),
        };
        let stop_timeout = milliseconds(config.timeouts.stop_ms);
        let round_pause = Duration::from_secs(config.lifecycle.round_s.get().into());
        let front = Arc::new(Front::new(config).map_err(StartError::Config)?);
        let (stop, stopped) = watch::channel(false);
        if let Some(rounds) = front.rounds() {
            tokio::spawn(make_rounds(Arc::new(rounds), round_pause, stopped.clone()));
        }
        let (serving, served) = mpsc::channel(1);
        for listener in listeners {
            let acceptor = Acceptor {
                front: Arc::clone(&front),
                connections: Arc::clone(&connections),
                timeouts,
                stopped: stopped.clone(),
                serving: serving.clone(),
            };
            tokio::spawn(acceptor.run(listener));
        }
        Ok(Server { addresses, stop, served, stop_timeout })
    }

    /// The addresses that are listened on, with the ports that the system chose for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes no more connections, lets running requests end, and returns when they have, or when their time is over.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if timeout(self.stop_timeout, self.served.recv()).await.is_err() {
            tracing::warn!("stopped with requests still running");
        }
    }
}

/// Why a server did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration can't be meant.
    Config(String),
    /// An address can't be listened on.
    Bind {
        /// Which one; `None` when it is not known.
        address: Option<SocketAddr>,
        /// What the system said.
        error: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(reason) => f.write_str(reason),
            StartError::Bind { address: Some(address), error } => write!(f, "cannot listen on {address}: {error}"),
            StartError::Bind { address: None, error } => write!(f, "cannot listen: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Config(_) => None,
            StartError::Bind { error, .. } => Some(error),
        }
    }
}

/// Makes rounds until the server stops; a round that is being made then is given up, and is due again after the start.
async fn make_rounds(rounds: Arc<Rounds>, pause: Duration, mut stopped: watch::Receiver<bool>) {
    let all = async {
        // Of several servers that are started together none is always the first.
        let mut wait = pause.mul_f64(rand::random());
        loop {
            tokio::time::sleep(wait).await;
            wait = pause;
            match rounds.round().await {
                Ok(RoundReport { checked: 0, failed: 0 }) => {}
                Ok(RoundReport { checked, failed }) => tracing::info!(checked, failed, "made a round"),
                Err(error) => tracing::warn!(%error, "cannot ask which zones are due for a check"),
            }
        }
    };
    tokio::select! {
        () = all => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

/// Accepts the connections of one listener.
struct Acceptor {
    front: Arc<Front>,
    connections: Arc<Connections>,
    timeouts: ConnectionTimeouts,
    stopped: watch::Receiver<bool>,
    serving: mpsc::Sender<()>,
}

impl Acceptor {
    async fn run(mut self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.stopped.wait_for(|stopped| *stopped) => return,
            };
            match accepted {
                Ok((stream, peer)) => self.serve(stream, peer),
                // The client gave up while it waited.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        let client = (!self.front.proxies().has(peer.ip())).then(|| peer.ip());
        let permit = match self.connections.admit(client) {
            Ok(permit) => Arc::new(permit),
            Err(refused) => {
                tracing::debug!(%peer, ?refused, "connection turned away");
                return turn_away(&stream, refused);
            }
        };
        // Answers are small and sent whole: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let front = Arc::clone(&self.front);
        let serving = self.serving.clone();
        let (timeouts, stopped) = (self.timeouts, self.stopped.clone());
        tokio::spawn(async move {
            let place = Arc::clone(permit.place());
            let caller = Caller { address: peer.ip(), _permit: permit, _serving: serving };
            let answer = |request| Arc::clone(&front).answer(request, caller.clone());
            connection::serve(stream, &place, timeouts, stopped, answer).await;
        });
    }
}

/// Binds what is configured; of the default addresses, those that the machine has.
fn bind(config: &Config) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners = Vec::new();
    let mut missing = None;
    for address in config.listen_addresses() {
        match listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if config.listen.is_none() && is_family_missing(&error) => {
                tracing::warn!(%address, %error, "not listening there");
                missing = Some(StartError::Bind { address: Some(address), error });
            }
            Err(error) => return Err(StartError::Bind { address: Some(address), error }),
        }
    }
    match missing {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // So that [::] and 0.0.0.0 can be listened on side by side.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn is_family_missing(error: &io::Error) -> bool {
    let codes = [nix::errno::Errno::EAFNOSUPPORT, nix::errno::Errno::EADDRNOTAVAIL].map(|errno| errno as i32);
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Raises the soft limit of open files to what is needed, and says so when the hard one is below that.
fn raise_open_file_limit(needed: u64) {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => {
            tracing::warn!(%error, "cannot read the limit of open files");
            return;
        }
    };
    let wanted = needed.min(hard);
    if soft < wanted
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)
    {
        tracing::warn!(%error, soft, wanted, "cannot raise the limit of open files");
    }
    if hard < needed {
        tracing::warn!(hard, needed, "the limit of open files is low: raise LimitNOFILE or lower connections_max");
    }
}
