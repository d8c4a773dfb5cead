//! Response rate limiting: who is held back, who never is, and how a real client comes to its answer.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;

use crate::harness::*;

/// A client with one port, whose queries all reach the same worker.
struct Client {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Client {
    fn new(server: SocketAddr) -> Client {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        Client { socket, server }
    }

    fn ask(&self, query: &Message) -> Message {
        exchange_from(&self.socket, self.server, query)
    }
}

/// A zone with two addresses and a server that gives each network one answer a second, as each worker counts.
async fn start(more: &str) -> TestServer {
    let server = TestServer::start(&format!("[rate_limit]\nresponses_per_second = 1\n{more}")).await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    server
}

/// More than any limit here allows in the time that they take.
const MANY: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_client_that_is_limited_comes_back_over_tcp_or_with_a_cookie() {
    let server = start("slip = 1\nexempt = []\n").await;
    let client = Client::new(server.v4());
    let mut www = query("www.example.com.", RecordType::A);
    add_option(&mut www, COOKIE, b"client!!");
    let answers: Vec<Message> = (0..MANY).map(|_| client.ask(&www)).collect();
    assert_eq!(data(&answers[0]), ["192.0.2.1"]);
    let truncated = answers.iter().filter(|answer| answer.metadata.truncation).count();
    assert!(truncated > 0);
    for answer in answers.iter().filter(|answer| answer.metadata.truncation) {
        assert!(answer.answers.is_empty() && option(answer, COOKIE).is_some_and(|cookie| cookie.len() == 24));
    }
    let counters = server.server.status().counters;
    assert_eq!((counters.slipped, counters.rate_limited), (truncated as u64, 0));

    let mut tcp = Tcp::connect(server.v4());
    for _ in 0..MANY {
        tcp.send(&www);
        assert_eq!(data(&tcp.receive().unwrap()), ["192.0.2.1"]);
    }
    let cookie = option(answers.last().unwrap(), COOKIE).unwrap();
    let mut trusted = query("www.example.com.", RecordType::A);
    add_option(&mut trusted, COOKIE, &cookie);
    for _ in 0..MANY {
        assert_eq!(data(&client.ask(&trusted)), ["192.0.2.1"]);
    }
    assert_eq!(server.server.status().counters.slipped, truncated as u64);
    // Somebody else's cookie is worth nothing.
    let mut forged = query("www.example.com.", RecordType::A);
    add_option(&mut forged, COOKIE, &[&cookie[..16], &[0; 8]].concat());
    assert!((0..MANY).any(|_| client.ask(&forged).metadata.truncation));
}

/// The code of the option for cookies (RFC 7873 §4).
const COOKIE: u16 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_back_is_not_sent_and_counted() {
    let server = start("slip = 0\nexempt = []\n").await;
    let client = Client::new(server.v4());
    let www = query("www.example.com.", RecordType::A).to_vec().unwrap();
    wait_until("answers to be held back", || {
        (0..100).for_each(|_| assert!(client.socket.send_to(&www, client.server).is_ok()));
        server.server.status().counters.rate_limited > 100
    });
    wait_until("every query to be accounted for", || {
        let counters = server.server.status().counters;
        counters.udp_queries == counters.udp_answers + counters.rate_limited
    });
    let counters = server.server.status().counters;
    assert_eq!((counters.slipped, counters.rcodes["NOERROR"]), (0, counters.udp_answers));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_exempt_gets_every_answer_and_loopback_is_unless_said_otherwise() {
    let server = start("slip = 1\n").await;
    let client = Client::new(server.v4());
    for _ in 0..MANY {
        assert_eq!(data(&client.ask(&query("www.example.com.", RecordType::A))), ["192.0.2.1"]);
    }
    let server = start("slip = 1\nexempt = [\"192.0.2.0/24\"]\n").await;
    let client = Client::new(server.v4());
    assert!((0..MANY).any(|_| client.ask(&query("www.example.com.", RecordType::A)).metadata.truncation));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_do_not_exist_count_as_one_and_those_that_do_count_apart() {
    let server = start("slip = 1\nexempt = []\nall_per_second = 0\n").await;
    let hosts: String = (0..MANY).map(|i| format!("h{i} A 192.0.2.2\n")).collect();
    let wildcard = "*.wild A 192.0.2.3\nsub NS ns.sub\nns.sub A 192.0.2.4\n";
    server.put("example.com", &format!("{}{hosts}{wildcard}", zone(2, "192.0.2.1"))).await.unwrap();
    let client = Client::new(server.v4());
    let truncated = |name: &dyn Fn(usize) -> String| {
        (0..MANY).filter(|&i| client.ask(&query(&name(i), RecordType::A)).metadata.truncation).count()
    };
    assert_eq!(truncated(&|i| format!("h{i}.example.com.")), 0);
    assert!(truncated(&|i| format!("no{i}.example.com.")) > 0);
    assert!(truncated(&|i| format!("a{i}.wild.example.com.")) > 0);
    assert!(truncated(&|i| format!("a{i}.sub.example.com.")) > 0);
    assert!(truncated(&|i| format!("{i}.not.here.")) > 0);
    // Other kinds of answers and other names are not held back for it.
    assert_eq!(data(&client.ask(&query("www.example.com.", RecordType::A))), ["192.0.2.1"]);
    let refused = client.ask(&query("not.here.", RecordType::A));
    assert_eq!(refused.metadata.response_code, ResponseCode::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_answers_to_a_network_are_limited_together() {
    let server = start("slip = 1\nexempt = []\nall_per_second = 20\n").await;
    let hosts: String = (0..MANY).map(|i| format!("h{i} A 192.0.2.2\n")).collect();
    server.put("example.com", &format!("{}{hosts}", zone(2, "192.0.2.1"))).await.unwrap();
    let client = Client::new(server.v4());
    let answers: Vec<Message> =
        (0..MANY).map(|i| client.ask(&query(&format!("h{i}.example.com."), RecordType::A))).collect();
    // Two workers, each of which allows ten.
    assert!(answers[..10].iter().all(|answer| !answer.metadata.truncation));
    assert!(answers.iter().any(|answer| answer.metadata.truncation));
}
