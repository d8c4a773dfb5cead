//! The daemon as a whole: everything that runs, from start to stop.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nss_authority::{Catalog, HashSeed};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::answer::{self, Authorities, Authority};
use crate::clock::Clock;
use crate::config::{Config, LISTEN_DEFAULT, ListenAddress, TlsConfig};
use crate::connections::Connections;
use crate::control::service::Daemon;
use crate::control::socket::ControlSocket;
use crate::control::{FINDINGS_MAX, ReloadReport, ServerStatus};
use crate::cookie_secrets::{CookieSecretsError, SharedSecrets};
use crate::counters::{self, WorkerCounters};
use crate::files::ZoneFiles;
use crate::rate_limit::RateLimiter;
use crate::store::{Store, StoreError};
use crate::stream::{StreamServer, Timeouts, Transfers};
use crate::tcp::{self, InTheClear};
use crate::tls::{Certificate, CertificateError, Handshakes};
use crate::udp;
use crate::zones::{Room, Zones};

/// A running server.
///
/// Dropped without [`Server::stop`], it stops as well, but nobody knows when.
#[derive(Debug)]
pub struct Server {
    inner: Arc<Inner>,
    addresses: Vec<SocketAddr>,
    tls_addresses: Vec<SocketAddr>,
    control_socket: PathBuf,
    stop: watch::Sender<bool>,
    stop_udp: Arc<AtomicBool>,
    udp_sockets: Vec<UdpSocket>,
    threads: Vec<JoinHandle<()>>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Opens the store, binds all sockets, and answers once all zones are loaded.
    ///
    /// Has to be called within a tokio runtime, which then does the work for TCP and the control socket.
    ///
    /// # Errors
    ///
    /// A store that can't be opened, or an address or path that can't be bound. Zones that are
    /// broken are no error: they are logged and part of the status.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        Server::start_with_clock(config, Clock::default()).await
    }

    /// As [`Server::start`]; uploads, pins and checks of signatures have their times from `clock`.
    ///
    /// # Errors
    ///
    /// As [`Server::start`].
    pub async fn start_with_clock(config: Config, clock: Clock) -> Result<Server, StartError> {
        let workers = worker_count(&config);
        let secrets = {
            let config = config.server.clone();
            blocking(move || SharedSecrets::read(&config, rand::random())).await
        };
        let secrets = Arc::new(secrets.map_err(StartError::CookieSecrets)?);
        let directory = config.server.state_directory();
        let store = blocking(move || Store::open(&directory)).await.map_err(StartError::Store)?.with_clock(clock);
        let bound = bind_all(&config, workers)?;
        let tls_listeners = bind_tls(&config)?;
        let control_path = config.server.control_socket();
        let group = config.server.control_group.as_deref();
        let control = ControlSocket::bind(&control_path, group, &config.server.control_uids)
            .map_err(|error| StartError::Control { path: control_path.clone(), error })?;

        let seed = HashSeed::new(rand::random());
        let catalog = Arc::new(Catalog::new(seed));
        let loaded = {
            let catalog = catalog.clone();
            let room = Room { zones_max: config.server.uploads_max, size_max: config.server.uploads_size_max };
            blocking(move || Zones::start(catalog, store, room)).await
        };
        let (zones, publisher) = loaded.map_err(StartError::Store)?;
        let policy = answer::policy(&config.server);
        let authorities = Arc::new(Authorities::new(catalog.clone(), policy.clone(), secrets.clone()));
        let transfers = Arc::new(Transfers::new(config.transfer.clone()));
        let timeouts = Timeouts::new(&config.tcp);
        let connections = Connections::new(config.tcp.connections_max, config.tcp.connections_per_client_max());
        let tcp = StreamServer::new(InTheClear, authorities.clone(), transfers.clone(), timeouts, connections);
        let tcp = Arc::new(tcp);
        let tls = match &config.tls {
            Some(config) => Some(Tls::new(config, authorities.clone(), transfers.clone(), timeouts)?),
            None => None,
        };
        let addresses: Vec<SocketAddr> = bound.iter().map(|bound| bound.address).collect();
        let tls_addresses: Vec<SocketAddr> = tls_listeners.iter().map(|(address, _)| *address).collect();
        let mut inner = Inner {
            zones,
            files: Arc::new(ZoneFiles::new(seed, [rand::random(), rand::random()])),
            tcp: tcp.clone(),
            tls: tls.clone(),
            transfers,
            secrets: secrets.clone(),
            workers: Vec::new(),
            addresses: addresses.clone(),
            tls_addresses: tls_addresses.clone(),
            started: Instant::now(),
            config: Mutex::new(config.clone()),
        };
        {
            let (files, zones, config) = (inner.files.clone(), inner.zones.clone(), config.clone());
            blocking(move || files.reload(&zones, &config)).await;
        }

        let (stop, stopping) = watch::channel(false);
        let stop_udp = Arc::new(AtomicBool::new(false));
        let (mut threads, mut udp_sockets, mut tasks) = (vec![publisher], Vec::new(), JoinSet::new());
        for Bound { sockets, listener, .. } in bound {
            for (number, socket) in sockets.into_iter().enumerate() {
                let counters = Arc::new(WorkerCounters::default());
                inner.workers.push(counters.clone());
                udp_sockets.push(socket.try_clone().map_err(StartError::Thread)?);
                let worker = udp::Worker {
                    socket,
                    answer: Authority::new(&catalog, policy.clone(), secrets.clone()),
                    limiter: RateLimiter::new(&config.rate_limit, workers, rand::random()),
                    joins_replies: config.server.join_replies,
                    reply_size_max: usize::from(policy.udp_payload_size_max.max(512)),
                    counters,
                    stop: stop_udp.clone(),
                    number,
                };
                threads.push(worker.spawn().map_err(StartError::Thread)?);
            }
            tasks.spawn(tcp.clone().serve(listener, stopping.clone()));
        }
        if let (Some(tls), Some(config)) = (tls, &config.tls) {
            for (_, listener) in tls_listeners {
                tasks.spawn(tls.server.clone().serve(listener, stopping.clone()));
            }
            if let 1.. = config.watch_interval_s {
                tasks.spawn(tls.certificate.watch(Duration::from_secs(config.watch_interval_s), stopping.clone()));
            }
        }
        let inner = Arc::new(inner);
        tasks.spawn(control.serve(inner.clone(), stopping.clone()));
        tasks.spawn(rest_every_second(authorities, stopping));
        let totals = inner.zones.totals();
        tracing::info!(
            zones = totals.zones, listen = ?addresses, tls = ?tls_addresses, control = %control_path.display(),
            "serving"
        );
        let control_socket = control_path;
        Ok(Server { inner, addresses, tls_addresses, control_socket, stop, stop_udp, udp_sockets, threads, tasks })
    }

    /// The addresses that are answered on over UDP and TCP, with the ports that port 0 became.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The addresses that are answered on over TLS, with the ports that port 0 became.
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.tls_addresses
    }

    /// The path of the control socket.
    pub fn control_socket(&self) -> &Path {
        &self.control_socket
    }

    /// What `GET /v1/status` tells.
    pub fn status(&self) -> ServerStatus {
        self.inner.status()
    }

    /// Reads the configuration's zones, the operator's files, the cookie secrets and the certificate again, as
    /// `POST /v1/reload` and SIGHUP do.
    pub async fn reload(&self) -> ReloadReport {
        self.inner.reload().await
    }

    /// Stops serving: calls and replies in progress come to their end, everything is closed.
    pub async fn stop(mut self) {
        self.begin_stop();
        while self.tasks.join_next().await.is_some() {}
        let threads = std::mem::take(&mut self.threads);
        // The publisher ends when nobody can give it work any more.
        drop(self);
        blocking(move || {
            for thread in threads {
                // A worker catches the panics of queries; any other was logged by the panic hook.
                let _ = thread.join();
            }
        })
        .await;
        tracing::info!("stopped");
    }

    fn begin_stop(&self) {
        self.inner.files.stop();
        self.stop.send_replace(true);
        self.stop_udp.store(true, Ordering::Relaxed);
        for socket in &self.udp_sockets {
            udp::wake(socket);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.begin_stop();
    }
}

/// What the control socket works on.
#[derive(Debug)]
struct Inner {
    zones: Arc<Zones>,
    files: Arc<ZoneFiles>,
    tcp: Arc<StreamServer<InTheClear>>,
    tls: Option<Tls>,
    transfers: Arc<Transfers>,
    secrets: Arc<SharedSecrets>,
    workers: Vec<Arc<WorkerCounters>>,
    addresses: Vec<SocketAddr>,
    tls_addresses: Vec<SocketAddr>,
    started: Instant,
    /// As it was read last; a reload replaces it.
    config: Mutex<Config>,
}

impl Daemon for Inner {
    fn zones(&self) -> &Arc<Zones> {
        &self.zones
    }

    fn status(&self) -> ServerStatus {
        let (totals, room) = (self.zones.totals(), self.zones.room());
        let mut counters = counters::sum(self.workers.iter().map(Arc::as_ref));
        counters.add_tcp(&self.tcp.counters, self.tcp.connection_count());
        if let Some(Tls { server: tls, .. }) = &self.tls {
            counters.add_tls(&tls.counters, &tls.entrance().counters, tls.connection_count());
        }
        ServerStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs(),
            listen: self.addresses.iter().map(SocketAddr::to_string).collect(),
            listen_tls: self.tls_addresses.iter().map(SocketAddr::to_string).collect(),
            zones: totals.zones,
            zones_uploaded: totals.zones_uploaded,
            memory_bytes: totals.memory_bytes,
            uploads: totals.uploads.zones,
            uploads_max: room.zones_max,
            uploads_size: totals.uploads.size,
            uploads_size_max: room.size_max,
            generation: totals.generation,
            broken: self.zones.broken(FINDINGS_MAX),
            counters,
        }
    }

    async fn reload(&self) -> ReloadReport {
        let before = self.lock_config().clone();
        let (files, zones, secrets) = (self.files.clone(), self.zones.clone(), self.secrets.clone());
        let certificate = self.tls.as_ref().map(|tls| tls.certificate.clone());
        let (report, config) = blocking(move || {
            let (config, mut notes) = read_again(before);
            if let Some(Err(error)) = certificate.map(|certificate| certificate.read_again()) {
                tracing::error!(%error, "the new certificate is broken; the one before goes on being shown");
                notes.push(format!("the certificate is broken and the one before goes on being shown: {error}"));
            }
            if let Err(error) = secrets.read_again() {
                tracing::error!(%error, "the new cookie secrets are broken; those before stay in force");
                notes.push(format!("the cookie secrets are broken and those before stay in force: {error}"));
            }
            let mut report = files.reload(&zones, &config);
            notes.append(&mut report.notes);
            (ReloadReport { notes, ..report }, config)
        })
        .await;
        self.transfers.set(config.transfer.clone());
        *self.lock_config() = config;
        tracing::info!(
            created = report.created_count,
            replaced = report.replaced_count,
            withdrawn = report.withdrawn_count,
            unchanged = report.unchanged,
            broken = report.broken_count,
            notes = report.notes.len(),
            "reloaded"
        );
        report
    }
}

impl Inner {
    fn lock_config(&self) -> std::sync::MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What serves TLS.
#[derive(Clone, Debug)]
struct Tls {
    server: Arc<StreamServer<Handshakes>>,
    certificate: Arc<Certificate>,
}

impl Tls {
    fn new(
        config: &TlsConfig,
        authorities: Arc<Authorities>,
        transfers: Arc<Transfers>,
        timeouts: Timeouts,
    ) -> Result<Tls, StartError> {
        let certificate = Arc::new(Certificate::read(config).map_err(StartError::Certificate)?);
        let handshakes =
            Handshakes::new(config, certificate.clone()).map_err(|error| StartError::Tls(io::Error::other(error)))?;
        let connections = Connections::new(config.connections_max, config.connections_per_client_max());
        let server = StreamServer::new(handshakes, authorities, transfers, timeouts, connections);
        Ok(Tls { server: Arc::new(server), certificate })
    }
}

/// The configuration as its file says now, as far as it can be changed while the server runs.
fn read_again(before: Config) -> (Config, Vec<String>) {
    let Some(path) = &before.path else { return (before, Vec::new()) };
    match Config::read(path) {
        Ok(after) => {
            let mut notes = Vec::new();
            let Config { server, rate_limit, tcp, tls, transfer, zones, zone_directories, log, path } = after;
            for (section, is_same) in [
                ("[server]", server == before.server),
                ("[rate_limit]", rate_limit == before.rate_limit),
                ("[tcp]", tcp == before.tcp),
                ("[tls]", tls == before.tls),
                ("[log]", log == before.log),
            ] {
                if !is_same {
                    notes.push(format!("{section} has changed, which takes effect with the next start"));
                }
            }
            (Config { transfer, zones, zone_directories, path, ..before }, notes)
        }
        Err(error) => {
            tracing::error!(%error, "the configuration is broken; the one before stays in force");
            let note = format!("the configuration is broken and the one before stays in force: {error}");
            (before, vec![note])
        }
    }
}

/// One listen address with everything bound to it.
struct Bound {
    address: SocketAddr,
    sockets: Vec<UdpSocket>,
    listener: TcpListener,
}

fn bind_all(config: &Config, workers: usize) -> Result<Vec<Bound>, StartError> {
    if let Some(listen) = &config.server.listen {
        return listen.iter().map(|address| bind(address.0, workers)).collect();
    }
    let mut all = Vec::new();
    let mut first_error = None;
    for address in LISTEN_DEFAULT {
        let address = address.parse().expect("the constant holds addresses");
        match bind(address, workers) {
            Ok(bound) => all.push(bound),
            // A host need not have both families, and nobody asked for this address.
            Err(StartError::Bind { error, .. })
                if matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported) =>
            {
                tracing::warn!(%address, %error, "not listening on this default address");
                first_error.get_or_insert(StartError::Bind { address, error });
            }
            Err(error) => return Err(error),
        }
    }
    match first_error {
        Some(error) if all.is_empty() => Err(error),
        _ => Ok(all),
    }
}

fn bind_tls(config: &Config) -> Result<Vec<(SocketAddr, TcpListener)>, StartError> {
    let listen = config.tls.iter().flat_map(|tls| &tls.listen);
    let bind = |address: SocketAddr| {
        let listener = tcp::bind(address)?;
        Ok((listener.local_addr()?, listener))
    };
    listen.map(|&ListenAddress(address)| bind(address).map_err(|error| StartError::Bind { address, error })).collect()
}

fn bind(address: SocketAddr, workers: usize) -> Result<Bound, StartError> {
    let mut attempts = PORT_ATTEMPTS;
    loop {
        let bound = tcp::bind(address).and_then(|listener| {
            // TCP first: it is not shared, and so tells when another server has the address.
            let address = listener.local_addr()?;
            Ok(Bound { address, sockets: udp::bind(address, workers)?, listener })
        });
        match bound {
            Ok(bound) => return Ok(bound),
            // A free port of TCP may be taken for UDP.
            Err(error) if address.port() == 0 && attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => {
                attempts -= 1;
            }
            Err(error) => return Err(StartError::Bind { address, error }),
        }
    }
}

/// Tries to find a port that is free for both UDP and TCP.
const PORT_ATTEMPTS: usize = 16;

fn worker_count(config: &Config) -> usize {
    // Elsewhere the kernel gives all clients to one of the sockets of an address.
    if !cfg!(target_os = "linux") {
        return 1;
    }
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    config.server.workers.unwrap_or_else(cores)
}

/// Lets go of replaced zones that nobody asks for over streams.
async fn rest_every_second(authorities: Arc<Authorities>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = ticks.tick() => authorities.rest(),
            () = stopped(&mut stop) => return,
        }
    }
}

/// Waits until the server stops.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A server that was dropped stops, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Runs `work` on a thread where it may block; a panic goes on here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Why a server does not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The store can't be opened.
    Store(StoreError),
    /// An address can't be bound.
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The control socket can't be bound.
    Control {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There are no secrets to make DNS cookies with.
    CookieSecrets(CookieSecretsError),
    /// There is no certificate to show over TLS.
    Certificate(CertificateError),
    /// The TLS library does not start.
    Tls(io::Error),
    /// The system has no thread or file descriptor left.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Store(error) => write!(f, "the store {error}"),
            StartError::Bind { address, error } => {
                write!(f, "cannot listen on {address}: {error}")?;
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE")
                    }
                    io::ErrorKind::AddrInUse => {
                        f.write_str("; another server has it, choose another in server.listen or tls.listen")
                    }
                    io::ErrorKind::AddrNotAvailable => f.write_str("; this machine has no such address"),
                    _ => Ok(()),
                }
            }
            StartError::Control { path, error } => {
                write!(f, "cannot bind the control socket {}: {error}", path.display())?;
                match error.kind() {
                    io::ErrorKind::PermissionDenied => f.write_str("; choose another path in server.control_socket"),
                    _ => Ok(()),
                }
            }
            StartError::CookieSecrets(error) => error.fmt(f),
            StartError::Certificate(error) => error.fmt(f),
            StartError::Tls(error) => write!(f, "TLS does not start: {error}"),
            StartError::Thread(error) => write!(f, "cannot start a worker: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Store(error) => Some(error),
            StartError::CookieSecrets(error) => Some(error),
            StartError::Certificate(error) => Some(error),
            StartError::Bind { error, .. }
            | StartError::Control { error, .. }
            | StartError::Tls(error)
            | StartError::Thread(error) => Some(error),
        }
    }
}
