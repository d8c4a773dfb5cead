//! Somebody off the path answers in the servers' place, on real sockets.
//!
//! The attacker knows the servers and the names that are checked, sends from the servers' own addresses, is always first, and has
//! even found out port and id of each query. What is left to guess is the letter case, the cookie, or both; and over TCP
//! there is nothing to answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType};
use hickory_proto::rr::rdata::NS;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{RData, Record};
use nss_registrar_check::{AddressPolicy, Checker, Config, Outcome, Transport, Trust};
use nss_wire::NameBuf;
use tokio::net::{TcpListener, UdpSocket};

use crate::checker::{free_port, serve_tcp};
use crate::internet::{Internet, name};

const ROOT: &str = "127.3.0.1";
const SERVERS: [&str; 2] = ["127.3.0.2", "127.3.0.3"];

/// A top-level domain with more letters than anybody guesses the case of.
const TLD: &str = "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz.";

/// What an attacker has guessed, and sends so many times before the server's answer.
#[derive(Clone, Copy, Debug)]
struct Guess {
    case: Case,
    cookie: Cookie,
    times: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Right,
    Lower,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cookie {
    None,
    /// One of some length, its client's half not ours.
    Wrong,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_from_off_the_path_are_never_believed() {
    let mut internet = Internet::default();
    let tld = format!("{TLD} NS a.nic.{TLD}\n{TLD} NS b.nic.{TLD}\n");
    let glue = format!("a.nic.{TLD} A {}\nb.nic.{TLD} A {}\n", SERVERS[0], SERVERS[1]);
    let delegation = format!("example.{TLD} NS ns.example.net.");
    internet.zone(".", &[ROOT], &(tld + &glue)).zone(TLD, &SERVERS, &delegation);
    let addresses = internet.addresses();
    let port = free_port(&addresses);
    let internet = Arc::new(Mutex::new(internet));
    let guess = Arc::new(Mutex::new(None));
    for address in addresses {
        let at = SocketAddr::new(address, port);
        tokio::spawn(serve_behind(UdpSocket::bind(at).await.unwrap(), Arc::clone(&internet), Arc::clone(&guess)));
        tokio::spawn(serve_tcp(TcpListener::bind(at).await.unwrap(), Arc::clone(&internet)));
    }
    let config = Config {
        root_hints: vec![ROOT.parse().unwrap()],
        port,
        trust_anchors: Vec::new(),
        addresses: AddressPolicy::PublicAndLoopback,
        ..Config::default()
    };
    // Where a cookie has to come back letter case may be known; elsewhere it is all there is, unless there is a wrong cookie.
    let guesses = [
        (Trust::CookieOrTcp, Case::Right, Cookie::None),
        (Trust::CookieOrTcp, Case::Right, Cookie::Wrong),
        (Trust::CookieOrTcp, Case::Lower, Cookie::Wrong),
        (Trust::MatchingUdp, Case::Lower, Cookie::None),
        (Trust::MatchingUdp, Case::Lower, Cookie::Wrong),
        (Trust::MatchingUdp, Case::Right, Cookie::Wrong),
    ];
    for (trust, case, cookie) in guesses {
        for times in [1, 20] {
            *guess.lock().unwrap() = Some(Guess { case, cookie, times });
            let asked = internet.lock().unwrap().asked.len();
            let domain: NameBuf = format!("example.{TLD}").parse().unwrap();
            let findings = Checker::new(Config { trust, ..config.clone() }).findings(domain.as_name()).await;
            let Outcome::Delegation(delegation) = &findings.outcome else {
                panic!("{trust:?} {case:?} {cookie:?} {times}: {:?}\n{}", findings.outcome, findings.evidence)
            };
            let servers: Vec<String> = delegation.name_servers.iter().map(|server| server.name.to_string()).collect();
            assert_eq!(servers, ["ns.example.net."], "{trust:?} {case:?} {cookie:?}\n{}", findings.evidence);
            // A wrong cookie alone is passed over, if there are few; all else is asked for over TCP.
            let is_passed_over = case == Case::Right && cookie == Cookie::Wrong && times == 1;
            let over_tcp =
                internet.lock().unwrap().asked[asked..].iter().any(|asked| asked.transport == Transport::Tcp);
            assert_eq!(over_tcp, !is_passed_over, "{trust:?} {case:?} {cookie:?} {times}\n{}", findings.evidence);
        }
    }
}

/// A server before whose answers there are always an attacker's.
async fn serve_behind(socket: UdpSocket, internet: Arc<Mutex<Internet>>, guess: Arc<Mutex<Option<Guess>>>) {
    let socket = Arc::new(socket);
    let mut buffer = [0; 2048];
    while let Ok((size, client)) = socket.recv_from(&mut buffer).await {
        let query = Message::from_vec(&buffer[..size]).unwrap();
        let guess = guess.lock().unwrap().unwrap();
        for _ in 0..guess.times {
            // The checker may have stopped to listen.
            let _ = socket.send_to(&forgery(&query, guess), client).await;
        }
        let server = socket.local_addr().unwrap();
        let replies = internet.lock().unwrap().receive(server, Transport::Udp, &buffer[..size]);
        for reply in replies {
            let socket = Arc::clone(&socket);
            tokio::spawn(async move {
                tokio::time::sleep(DISTANCE).await;
                let _ = socket.send_to(&reply.what.unwrap(), client).await;
            });
        }
    }
}

/// A referral of the name in question to somebody else's name server.
fn forgery(query: &Message, guess: Guess) -> Vec<u8> {
    let mut forged = query.clone();
    forged.metadata.message_type = MessageType::Response;
    let qname = query.queries[0].name().clone();
    if guess.case == Case::Lower {
        forged.queries[0].set_name(qname.to_lowercase());
    }
    forged.add_authority(Record::from_rdata(qname.to_lowercase(), 3600, RData::NS(NS(name("ns.evil.example.")))));
    forged.edns = match guess.cookie {
        Cookie::None => None,
        Cookie::Wrong => {
            let mut edns = Edns::new();
            edns.options_mut().insert(EdnsOption::Unknown(10, vec![7; 16]));
            Some(edns)
        }
    };
    forged.to_vec().unwrap()
}

/// From a query to its answer, so that the forgeries are there first.
const DISTANCE: Duration = Duration::from_millis(100);
