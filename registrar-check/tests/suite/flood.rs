//! Somebody off the path floods a checker with guesses, on real sockets.
//!
//! The attacker knows the servers and the names that are checked, and sends from the servers' own addresses, as whoever may
//! forge a source address can. It sees no packet: port, id, letter case and cookie are left to guess.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::NS;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{RData, Record, RecordType};
use nss_registrar_check::{AddressPolicy, Checker, Config, Findings, Limits, Outcome, Trust};
use nss_wire::NameBuf;
use rand::RngExt;
use tokio::net::TcpListener;

use crate::checker::{free_port, serve_late, serve_tcp};
use crate::internet::{Internet, name};

const ROOT: &str = "127.3.0.1";
const SERVERS: [&str; 2] = ["127.3.0.2", "127.3.0.3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_from_off_the_path_are_never_believed() {
    let mut internet = Internet::default();
    let com = "com. NS a.nic.com.\n com. NS b.nic.com.\n a.nic.com. A 127.3.0.2\n b.nic.com. A 127.3.0.3";
    internet.zone(".", &[ROOT], com).zone("com.", &SERVERS, "example.com. NS ns.example.net.");
    let addresses = internet.addresses();
    let port = free_port(&addresses);
    let internet = Arc::new(Mutex::new(internet));
    let mut sockets = Vec::new();
    for address in addresses {
        let at = SocketAddr::new(address, port);
        let socket = UdpSocket::bind(at).unwrap();
        socket.set_nonblocking(true).unwrap();
        sockets.push(socket.try_clone().unwrap());
        tokio::spawn(serve_late(tokio::net::UdpSocket::from_std(socket).unwrap(), Arc::clone(&internet), DISTANCE));
        tokio::spawn(serve_tcp(TcpListener::bind(at).await.unwrap(), Arc::clone(&internet)));
    }
    // A socket as the checker has them: what reaches it reaches those.
    let witness = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    witness.connect((SERVERS[0], port)).unwrap();
    witness.set_read_timeout(Some(WITNESS_TIME_MAX)).unwrap();

    let flood = Flood::start(sockets);
    assert!(witness.recv(&mut [0; 1500]).is_ok(), "the flood reaches the ports of this host");
    let config = Config {
        root_hints: vec![ROOT.parse().unwrap()],
        port,
        trust_anchors: Vec::new(),
        addresses: AddressPolicy::PublicAndLoopback,
        query_interval: Duration::ZERO,
        limits: Limits { timeout: DISTANCE * 3, ..Limits::default() },
        ..Config::default()
    };
    // With cookies, and where id, port and letter case are all there is.
    for trust in [Trust::CookieOrTcp, Trust::MatchingUdp] {
        let before = flood.sent.load(Ordering::Relaxed);
        // As many that know nothing of each other, so that as many ports are open for one name.
        let checks = (0..CHECKERS).map(|_| {
            let checker = Checker::new(Config { trust, ..config.clone() });
            let domain: NameBuf = "example.com".parse().unwrap();
            tokio::spawn(async move { checker.findings(domain.as_name()).await })
        });
        for check in checks.collect::<Vec<_>>() {
            hold_to_truth(&check.await.unwrap());
        }
        assert!(flood.sent.load(Ordering::Relaxed) > before, "the flood goes on all the time");
    }
}

/// The truth, or that it could not be found out.
fn hold_to_truth(findings: &Findings) {
    match &findings.outcome {
        Outcome::Delegation(delegation) => {
            let servers: Vec<String> = delegation.name_servers.iter().map(|server| server.name.to_string()).collect();
            assert_eq!(servers, ["ns.example.net."], "\n{}", findings.evidence);
        }
        Outcome::NotDelegated(reason) => panic!("{reason}\n{}", findings.evidence),
        Outcome::Unknown(_) => {}
    }
}

/// A thread that sends guesses until this is dropped.
struct Flood {
    sent: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Flood {
    /// `sockets` send from the servers' addresses, and nothing is read from them here.
    fn start(sockets: Vec<UdpSocket>) -> Flood {
        let (sent, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let forged = forgeries();
        let (count, over) = (Arc::clone(&sent), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            let mut rng = rand::rng();
            for port in PORTS.cycle() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                for socket in &sockets {
                    let mut packet = forged[rng.random_range(..forged.len())].clone();
                    packet[..2].copy_from_slice(&rng.random::<[u8; 2]>());
                    // A full buffer drops the packet, as a network would.
                    let _ = socket.send_to(&packet, (IpAddr::V4(Ipv4Addr::LOCALHOST), port));
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Flood { sent, is_over, thread: Some(thread) }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Referrals to somebody else's name server, with a cookie and without, as the servers of com. and of the root give them.
fn forgeries() -> [Vec<u8>; 3] {
    let forge = |cut: &str, cookie: Option<[u8; 16]>| {
        let mut message = Message::new(0, MessageType::Response, OpCode::Query);
        message.add_query(Query::query(name(cut), RecordType::NS));
        message.add_authority(Record::from_rdata(name(cut), 3600, RData::NS(NS(name("ns.evil.example.")))));
        if let Some(cookie) = cookie {
            let mut edns = Edns::new();
            edns.options_mut().insert(EdnsOption::Unknown(10, cookie.to_vec()));
            message.set_edns(edns);
        }
        message.to_vec().unwrap()
    };
    [forge("example.com.", None), forge("example.com.", Some([7; 16])), forge("com.", None)]
}

/// Checks at one time.
const CHECKERS: usize = 16;

/// From a query to its answer.
const DISTANCE: Duration = Duration::from_millis(500);

/// The flood goes through all ports in less than a second.
const WITNESS_TIME_MAX: Duration = Duration::from_secs(60);

/// The ports that Linux gives to who does not ask for one; each is tried in its turn.
const PORTS: std::ops::RangeInclusive<u16> = 32768..=60999;
