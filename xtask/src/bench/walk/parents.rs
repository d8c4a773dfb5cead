//! The servers of the root and of com., in this process, at a distance.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nss_authority::{Catalog, CookieSecrets, HashSeed, Outcome as Answered, Peer, Policy, Transport};
use nss_registrar_check::TrustAnchor;

use crate::bench::publish;
use crate::client::free_port;
use crate::failure::{Context, Outcome};
use crate::packages::require;
use crate::process::Folder;
use crate::workspace::output;

/// The third octet of the addresses of a zone's servers.
pub(super) const ROOT: u8 = 0;
const COM: u8 = 1;

/// The addresses of a zone's thirteen servers.
pub(super) fn addresses(zone: u8) -> impl Iterator<Item = IpAddr> {
    (1..=13).map(move |server| IpAddr::V4(Ipv4Addr::new(127, 54, zone, server)))
}

/// All servers, which stop when this is dropped.
pub(super) struct Parents {
    pub(super) port: u16,
    pub(super) anchor: TrustAnchor,
    counts: Vec<Arc<Count>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// What servers have counted.
pub(super) struct Seen {
    pub(super) queries: usize,
    /// At the server that was asked most.
    pub(super) queries_max: usize,
    /// At the server where most waited for their answers at one time.
    pub(super) outstanding_max: usize,
}

#[derive(Default)]
struct Count {
    queries: AtomicUsize,
    outstanding: AtomicUsize,
    outstanding_max: AtomicUsize,
}

impl Parents {
    /// Servers `rtt` away, of which those of com. delegate so many domains, every second one with DS records.
    pub(super) fn start(rtt: Duration, domains: usize) -> Outcome<Parents> {
        let folder = Folder::new("walk")?;
        let (com, ds) = sign(folder.path(), "com.", &com(domains))?;
        let (root, anchor) = sign(folder.path(), ".", &(root() + &ds))?;
        let anchor = anchor.split_once(" DS ").map(|(_, rdata)| rdata.trim()).unwrap_or_default();
        let anchor = anchor.parse().context(anchor)?;
        let all: Vec<IpAddr> = addresses(ROOT).chain(addresses(COM)).collect();
        let mut parents = Parents {
            port: free_port(&all)?,
            anchor,
            counts: Vec::new(),
            is_over: Arc::default(),
            threads: Vec::new(),
        };
        for (zone, apex, text) in [(ROOT, ".", root), (COM, "com.", com)] {
            let catalog = catalog(apex, &text)?;
            for address in addresses(zone) {
                parents.serve(SocketAddr::new(address, parents.port), &catalog, rtt)?;
            }
        }
        Ok(parents)
    }

    /// Two threads: one that answers, and one that keeps the answers until their time.
    fn serve(&mut self, address: SocketAddr, catalog: &Arc<Catalog>, rtt: Duration) -> Outcome {
        let socket = UdpSocket::bind(address).context(address)?;
        let sender = socket.try_clone().context(address)?;
        let (queue, answers) = channel();
        let (count, is_over, catalog) = (Arc::new(Count::default()), self.is_over.clone(), catalog.clone());
        self.counts.push(count.clone());
        let counted = count.clone();
        self.threads.push(std::thread::spawn(move || answer(&socket, &catalog, rtt, &count, &queue, &is_over)));
        self.threads.push(std::thread::spawn(move || send(&sender, &answers, &counted)));
        Ok(())
    }

    /// Counts from nothing.
    pub(super) fn reset(&self) {
        for count in &self.counts {
            count.queries.store(0, Ordering::Relaxed);
            count.outstanding_max.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn seen(&self) -> Seen {
        let queries = self.counts.iter().map(|count| count.queries.load(Ordering::Relaxed));
        let outstanding = self.counts.iter().map(|count| count.outstanding_max.load(Ordering::Relaxed));
        Seen {
            queries: queries.clone().sum(),
            queries_max: queries.max().unwrap_or(0),
            outstanding_max: outstanding.max().unwrap_or(0),
        }
    }
}

impl Drop for Parents {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Ok(socket) = UdpSocket::bind("127.0.0.1:0") {
            for address in addresses(ROOT).chain(addresses(COM)) {
                let _ = socket.send_to(&[0], (address, self.port));
            }
        }
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

struct Answer {
    due: Instant,
    to: SocketAddr,
    packet: Vec<u8>,
}

fn answer(
    socket: &UdpSocket,
    catalog: &Arc<Catalog>,
    rtt: Duration,
    count: &Count,
    queue: &Sender<Answer>,
    is_over: &AtomicBool,
) {
    let mut view = catalog.view();
    let policy = Policy { cookies: CookieSecrets::new(&[[7; 16]]), ..Policy::default() };
    let (mut request, mut reply) = ([0; 512], [0; 1232]);
    while let Ok((size, to)) = socket.recv_from(&mut request)
        && !is_over.load(Ordering::Relaxed)
    {
        let due = Instant::now() + rtt;
        let peer = Peer { transport: Transport::Udp, address: to.ip() };
        let Answered::Reply(answer) = view.respond(&request[..size], &peer, &policy, &mut reply) else { continue };
        count.queries.fetch_add(1, Ordering::Relaxed);
        let outstanding = count.outstanding.fetch_add(1, Ordering::Relaxed) + 1;
        count.outstanding_max.fetch_max(outstanding, Ordering::Relaxed);
        if queue.send(Answer { due, to, packet: reply[..answer.len].to_vec() }).is_err() {
            return;
        }
    }
}

/// All answers of a server take the same time, so that they are due one after the other.
fn send(socket: &UdpSocket, answers: &Receiver<Answer>, count: &Count) {
    while let Ok(Answer { due, to, packet }) = answers.recv() {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        count.outstanding.fetch_sub(1, Ordering::Relaxed);
        // Who asked may be gone.
        let _ = socket.send_to(&packet, to);
    }
}

fn catalog(apex: &str, text: &str) -> Outcome<Arc<Catalog>> {
    let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
    publish(&catalog, apex, text)?;
    Ok(catalog)
}

/// Signs a zone by one fresh key; returns it and the DS record of the key.
fn sign(folder: &Path, apex: &str, text: &str) -> Outcome<(String, String)> {
    let keys = folder.join(format!("keys-{apex}"));
    std::fs::create_dir(&keys).context(keys.display())?;
    let (unsigned, signed) = (keys.join("unsigned"), keys.join("signed"));
    std::fs::write(&unsigned, text).context(unsigned.display())?;
    let mut keygen = Command::new(require("dnssec-keygen")?);
    let key = output(keygen.current_dir(&keys).args(["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", apex]))?;
    let key = String::from_utf8_lossy(&key).trim().to_owned();
    let mut signer = Command::new(require("dnssec-signzone")?);
    signer.current_dir(&keys).args(["-q", "-P", "-S", "-z", "-3", "-", "-H", "0", "-A", "-o", apex, "-f"]);
    output(signer.arg(&signed).arg(&unsigned))?;
    let mut dsfromkey = Command::new(require("dnssec-dsfromkey")?);
    let ds = output(dsfromkey.current_dir(&keys).args(["-2", &key]))?;
    let text = std::fs::read_to_string(&signed).context(signed.display())?;
    Ok((text, String::from_utf8_lossy(&ds).into_owned()))
}

fn root() -> String {
    let mut text = "$TTL 86400\n. SOA a.root.example. hostmaster.example. 1 1800 900 604800 86400\n".to_owned();
    servers(&mut text, ".", "root.example.", ROOT);
    servers(&mut text, "com.", "nic.com.", COM);
    text
}

fn com(domains: usize) -> String {
    let mut text = "$TTL 86400\ncom. SOA s1.nic.com. hostmaster.example. 1 1800 900 604800 900\n".to_owned();
    servers(&mut text, "com.", "nic.com.", COM);
    for index in 0..domains {
        let _ = write!(text, "d{index}.com. NS ns1.example.net.\nd{index}.com. NS ns2.example.net.\n");
        if index % 2 == 0 {
            let _ = writeln!(text, "d{index}.com. DS 1 13 2 {}", "ab".repeat(32));
        }
    }
    text
}

fn servers(text: &mut String, apex: &str, names: &str, zone: u8) {
    for (index, address) in addresses(zone).enumerate() {
        let _ = write!(text, "{apex} NS s{index}.{names}\ns{index}.{names} A {address}\n");
    }
}
