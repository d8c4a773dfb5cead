//! What an idle connection costs: user memory of nssd with many of them open, over TCP and over TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nss_wire::{Name, RType};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{Query, free_port};
use crate::failure::{Context, Failure, Outcome};
use crate::process::{Folder, Process};
use crate::workspace::{Profile, build_program};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Connections over TCP
    #[arg(long, default_value_t = 10_000)]
    tcp: usize,
    /// Connections over TLS
    #[arg(long, default_value_t = 10_000)]
    tls: usize,
}

impl Options {
    /// So few that it says nothing but whether it works.
    pub(super) fn small() -> Options {
        Options { tcp: 100, tls: 100 }
    }
}

/// Connections that come and go before anything is measured, so that what is allocated once is there.
const WARM_UP: usize = 100;

const START_TIME: Duration = Duration::from_secs(20);
const REPLY_TIME: Duration = Duration::from_secs(20);
/// The name in the certificate.
pub(super) const SERVER_NAME: &str = "ns1.example.net";

pub(super) fn run(options: &Options, profile: Profile) -> Outcome {
    raise_open_files()?;
    let nssd = build_program("nssd", profile)?;
    println!("\n| connections | user memory of nssd, MiB | for each, octets |\n|---|--:|--:|");
    // A server of its own for each, so that neither finds memory that the other has left.
    let server = Server::start(&nssd, options.tcp + WARM_UP)?;
    measure(&server, "TCP, idle after one query", options.tcp, || open_tcp(server.tcp))?;
    let server = Server::start(&nssd, options.tls + WARM_UP)?;
    let config = Arc::new(tls_config(&server.certificate)?);
    measure(&server, "TLS 1.3, idle after one query", options.tls, || open_tls(server.tls, &config))
}

/// Lets this process, and those that it starts from now on, have as many open files as the system grants; how many.
pub(super) fn raise_open_files() -> Outcome<usize> {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit on open files")?.1;
    setrlimit(Resource::RLIMIT_NOFILE, limit, limit).context("cannot raise the limit on open files")?;
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Opens connections, keeps them, and prints what they cost.
fn measure<C>(server: &Server, title: &str, count: usize, open: impl Fn() -> Outcome<C>) -> Outcome {
    for _ in 0..WARM_UP {
        open()?;
    }
    let before = server.anonymous_memory()?;
    let connections = (0..count).map(|_| open()).collect::<Outcome<Vec<C>>>()?;
    let after = server.anonymous_memory()?;
    let each = (after.saturating_sub(before)) as f64 / connections.len().max(1) as f64;
    println!("| {count} over {title} | {:.1} | {each:.0} |", after as f64 / f64::from(1 << 20));
    Ok(())
}

fn open_tcp(server: SocketAddr) -> Outcome<TcpStream> {
    let mut stream = connect(server)?;
    ask(&mut stream)?;
    Ok(stream)
}

fn open_tls(server: SocketAddr, config: &Arc<ClientConfig>) -> Outcome<StreamOwned<ClientConnection, TcpStream>> {
    let name = SERVER_NAME.try_into().expect("the constant is a name");
    let tls = ClientConnection::new(config.clone(), name).context("TLS")?;
    let mut stream = StreamOwned::new(tls, connect(server)?);
    ask(&mut stream)?;
    Ok(stream)
}

fn connect(server: SocketAddr) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(server).context("cannot connect to nssd")?;
    stream.set_read_timeout(Some(REPLY_TIME)).context("cannot set a timeout")?;
    Ok(stream)
}

/// One question and its answer.
fn ask(stream: &mut (impl Read + Write)) -> Outcome {
    let query = Query::new(Name::ROOT, RType::SOA).to_wire();
    let framed = [&(query.len() as u16).to_be_bytes()[..], &query].concat();
    stream.write_all(&framed).context("cannot send a query")?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).context("no answer")?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer).context("half an answer")
}

pub(super) fn tls_config(certificate: &CertificateDer<'static>) -> Outcome<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).context("certificate")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().context("TLS")?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Makes a certificate and writes it and its key into `folder`, as `cert.pem` and `key.pem`.
pub(super) fn write_certificate(folder: &std::path::Path) -> Outcome<CertificateDer<'static>> {
    let made = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()]).context("cannot make a certificate")?;
    for (name, text) in [("cert.pem", made.cert.pem()), ("key.pem", made.signing_key.serialize_pem())] {
        let path = folder.join(name);
        std::fs::write(&path, text).context(path.display())?;
    }
    Ok(made.cert.der().clone())
}

/// A server without zones that takes so many connections from one client.
struct Server {
    process: Process,
    tcp: SocketAddr,
    tls: SocketAddr,
    certificate: CertificateDer<'static>,
    _folder: Folder,
}

impl Server {
    fn start(nssd: &std::path::Path, connections: usize) -> Outcome<Server> {
        let folder = Folder::new("connections")?;
        let certificate = write_certificate(folder.path())?;
        let loopback = [127, 0, 0, 1].into();
        let tcp = SocketAddr::new(loopback, free_port(&[loopback])?);
        let tls = SocketAddr::new(loopback, free_port(&[loopback])?);
        // Half of the places stay free, so that idle connections are not closed sooner.
        let most = 2 * connections;
        let limits = format!("connections_max = {most}\nconnections_per_client_max = {most}\n");
        let config = format!(
            "[server]\nlisten = [\"{tcp}\"]\nworkers = 1\nstate_directory = \"state\"\ncontrol_socket = \"control.sock\"\n
[tcp]\nidle_timeout_ms = 600000\n{limits}
[tls]\nlisten = [\"{tls}\"]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n{limits}"
        );
        let path = folder.path().join("nssd.toml");
        std::fs::write(&path, config).context(path.display())?;
        let mut command = Command::new(nssd);
        command.args(["serve", "--config"]).arg(path);
        let mut process = Process::start("nssd", &mut command, &folder.path().join("log"))?;
        process.wait_until(START_TIME, || TcpStream::connect(tls).is_ok())?;
        Ok(Server { process, tcp, tls, certificate, _folder: folder })
    }

    /// Octets of memory that are the process's own and of no file.
    fn anonymous_memory(&self) -> Outcome<u64> {
        let path = format!("/proc/{}/status", self.process.id());
        let text = std::fs::read_to_string(&path).context(&path)?;
        let kibibytes = text
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kibibytes.map(|size| size << 10).ok_or_else(|| Failure::new(format!("{path} does not tell RssAnon")))
    }
}
