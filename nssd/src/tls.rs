//! DNS over TLS (RFC 7858), and zone transfers over TLS (RFC 9103): certificates and handshakes.
//!
//! A certificate can be replaced while the server runs. Sessions are resumed by tickets, which the clients keep, so that the
//! server keeps nothing of a session that is over.

use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{Duration, SystemTime};

use nss_authority::Transport;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::TlsConfig;
use crate::connections::Connections;
use crate::counters::HandshakeCounters;
use crate::server::{blocking, stopped};
use crate::stream::{Entrance, Stream};

/// Lets connections in that agree on keys.
///
/// There are only so many handshakes at the same time, since they cost more than anything else: when one more comes,
/// the oldest ends.
pub(crate) struct Handshakes {
    acceptor: TlsAcceptor,
    running: Arc<Connections>,
    timeout: Duration,
    pub(crate) counters: HandshakeCounters,
}

impl Handshakes {
    /// Handshakes in which the server shows `certificate`.
    ///
    /// # Errors
    ///
    /// The system has no random numbers, or the library does not know its own protocol versions.
    pub(crate) fn new(config: &TlsConfig, certificate: Arc<Certificate>) -> Result<Handshakes, rustls::Error> {
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(certificate);
        // RFC 7858 §3.1 does not ask for ALPN, RFC 9103 §7.1 does: without it a client is taken, with others it is not.
        tls.alpn_protocols = vec![b"dot".to_vec()];
        // The keys of the tickets are replaced every six hours.
        tls.ticketer = aws_lc_rs::Ticketer::new()?;
        tls.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Handshakes {
            acceptor: TlsAcceptor::from(Arc::new(tls)),
            running: Connections::new(config.handshakes_max, per_client(config.handshakes_max)),
            timeout: Duration::from_millis(config.handshake_timeout_ms),
            counters: HandshakeCounters::default(),
        })
    }

    async fn shake(&self, stream: TcpStream, peer: IpAddr) -> io::Result<TlsStream<TcpStream>> {
        let (seat, _) = self.running.admit(peer);
        let handshake = tokio::time::timeout(self.timeout, self.acceptor.accept(stream));
        tokio::select! {
            done = handshake => done?,
            () = seat.shed() => Err(io::Error::other("others need the place of this handshake")),
        }
    }
}

impl fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshakes").field("running", &self.running).finish_non_exhaustive()
    }
}

impl Entrance for Handshakes {
    type Stream = TlsStream<TcpStream>;

    async fn enter(&self, stream: TcpStream, peer: IpAddr) -> io::Result<TlsStream<TcpStream>> {
        // Boxed, so that the memory of the handshake is not a part of the connection for as long as that lasts.
        let result = Box::pin(self.shake(stream, peer)).await;
        match &result {
            Ok(stream) => {
                self.counters.done.fetch_add(1, Relaxed);
                if stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
                    self.counters.resumed.fetch_add(1, Relaxed);
                }
            }
            Err(error) => {
                self.counters.failed.fetch_add(1, Relaxed);
                tracing::debug!(client = %peer, %error, "TLS handshake failed");
            }
        }
        result
    }
}

impl Stream for TlsStream<TcpStream> {
    const TRANSPORT: Transport = Transport::Tls;

    async fn readable(&self) -> io::Result<()> {
        let (tcp, tls) = self.get_ref();
        // What has been decrypted already is not seen on the socket.
        if tls.wants_read() { tcp.readable().await } else { Ok(()) }
    }
}

/// The certificate that is shown now, with its key, and the files that both are from.
pub(crate) struct Certificate {
    files: Files,
    shown: RwLock<Arc<CertifiedKey>>,
    /// What the files were like when they were read last.
    read: Mutex<Stamp>,
}

/// The two files.
#[derive(Clone, Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// By what it is seen that files have changed: time and size of each; nothing of one that is not there.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Certificate {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    ///
    /// Files that can't be read, hold no certificate or key, or don't belong together.
    pub(crate) fn read(config: &TlsConfig) -> Result<Certificate, CertificateError> {
        let files = Files { certificate: config.certificate.clone(), key: config.key.clone() };
        let stamp = files.stamp();
        let shown = files.read()?;
        Ok(Certificate { files, shown: RwLock::new(Arc::new(shown)), read: Mutex::new(stamp) })
    }

    /// Reads the files again, whether they have changed or not.
    ///
    /// # Errors
    ///
    /// As [`Certificate::read`]; then the certificate before goes on being shown.
    pub(crate) fn read_again(&self) -> Result<(), CertificateError> {
        let mut read = self.lock();
        *read = self.files.stamp();
        let new = self.files.read()?;
        let mut shown = self.shown.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if shown.cert != new.cert {
            tracing::info!(certificate = %self.files.certificate.display(), "a new certificate is shown over TLS");
        }
        *shown = Arc::new(new);
        Ok(())
    }

    /// Reads the files again whenever they have changed, until `stop` says true.
    pub(crate) async fn watch(self: Arc<Certificate>, interval: Duration, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stopped(&mut stop) => return,
            }
            let certificate = self.clone();
            blocking(move || certificate.look()).await;
        }
    }

    fn look(&self) {
        if *self.lock() == self.files.stamp() {
            return;
        }
        if let Err(error) = self.read_again() {
            // Told once: files that stay as they are aren't read again.
            tracing::error!(%error, "the new certificate is broken; the one before goes on being shown");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stamp> {
        self.read.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl fmt::Debug for Certificate {
    /// Keeps the key out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone())
    }
}

impl Files {
    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }

    fn read(&self) -> Result<CertifiedKey, CertificateError> {
        let fail = |path: &Path, reason: String| CertificateError { path: path.to_owned(), reason };
        let read = |path: &Path| read_bounded(path).map_err(|error| fail(path, format!("cannot be read: {error}")));
        let pem = read(&self.certificate)?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| fail(&self.certificate, format!("is no PEM file: {error}")))?;
        if chain.is_empty() {
            let reason = "holds no certificate; it has to begin with -----BEGIN CERTIFICATE-----";
            return Err(fail(&self.certificate, reason.to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|error| fail(&self.key, format!("holds no private key that can be used: {error}")))?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let certificate = self.certificate.display();
                fail(&self.key, format!("is not the key of the first certificate in {certificate}"))
            }
            error => fail(&self.certificate, format!("cannot be used with {}: {error}", self.key.display())),
        })
    }
}

/// Why there is no certificate to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateError {
    /// The file that is to be changed.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for CertificateError {}

/// Octets of a file with certificates or a key at most: a chain is a few kilobytes.
const FILE_SIZE_MAX: u64 = 1 << 20;

/// Handshakes of one client at the same time, of so many of all.
fn per_client(handshakes_max: usize) -> usize {
    (handshakes_max / 8).max(4)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    std::fs::File::open(path)?.take(FILE_SIZE_MAX + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > FILE_SIZE_MAX {
        return Err(io::Error::other(format!("it is larger than {} MiB", FILE_SIZE_MAX >> 20)));
    }
    Ok(octets)
}
