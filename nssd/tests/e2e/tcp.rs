//! TCP: pipelining, slow and greedy clients, and zone transfers.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn queries_sent_at_once_are_all_answered() {
    let server = TestServer::start("").await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    let queries: Vec<_> = (0..500).map(|_| query("www.example.com.", RecordType::A)).collect();
    let mut tcp = Tcp::connect(server.v6());
    let octets: Vec<u8> = queries.iter().flat_map(framed).collect();
    // Cut where no message ends.
    let (first, second) = octets.split_at(octets.len() / 2 + 1);
    tcp.stream.write_all(first).unwrap();
    tcp.stream.write_all(second).unwrap();
    let mut ids: Vec<u16> = queries.iter().map(|query| query.metadata.id).collect();
    for _ in &queries {
        let answer = tcp.receive().unwrap();
        assert_eq!(data(&answer), ["192.0.2.1"]);
        let i = ids.iter().position(|id| *id == answer.metadata.id).unwrap();
        ids.swap_remove(i);
    }
    assert!(ids.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_silent_slow_or_talks_no_dns_is_hung_up_on() {
    let server = TestServer::start("[tcp]\nidle_timeout_ms = 100\nio_timeout_ms = 100\n").await;
    let started = Instant::now();
    let mut silent = Tcp::connect(server.v4());
    let mut half = Tcp::connect(server.v4());
    half.stream.write_all(b"\0\x20\x12").unwrap();
    assert!(silent.receive().is_none() && half.receive().is_none());
    assert!(started.elapsed() < PATIENCE);
    let mut http = Tcp::connect(server.v4());
    // "GE" is the length of a message that never comes.
    http.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(http.receive().is_none());
    // Too short, empty, all but the last octet of the longest, and half-closed within a message.
    let longest = [&b"\xff\xff"[..], &[0; 65_534]].concat();
    for octets in [&b"\0\x01x"[..], b"\0\0", b"\0\0\0\0", b"\xff\xff", &longest] {
        let mut odd = Tcp::connect(server.v4());
        odd.stream.write_all(octets).unwrap();
        assert!(odd.receive().is_none());
    }
    let mut half_closed = Tcp::connect(server.v4());
    half_closed.stream.write_all(b"\0\x20\x12").unwrap();
    half_closed.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(half_closed.receive().is_none());
    wait_until("all connections to be closed", || server.server.status().counters.tcp_connections == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_message_octet_by_octet_gains_no_time() {
    let server = TestServer::start("[tcp]\nio_timeout_ms = 200\n").await;
    let mut tcp = Tcp::connect(server.v4());
    tcp.stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let started = Instant::now();
    let octets = framed(&query("www.example.com.", RecordType::A));
    let mut sent = 0;
    loop {
        // The last octet never goes out.
        if sent < octets.len() - 1 && tcp.stream.write_all(&octets[sent..=sent]).is_ok() {
            sent += 1;
        }
        match tcp.stream.read(&mut [0; 1]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            _ => break,
        }
        assert!(started.elapsed() < PATIENCE, "never hung up on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_the_answers_is_hung_up_on() {
    let server = TestServer::start("[tcp]\nio_timeout_ms = 200\n").await;
    let many: String = (0..1000).map(|i| format!("big TXT \"{i:0200}\"\n")).collect();
    server.put("example.com", &format!("{}{many}", zone(1, "192.0.2.1"))).await.unwrap_err();
    let many: String = (0..300).map(|i| format!("big TXT \"{i:0200}\"\n")).collect();
    server.put("example.com", &format!("{}{many}", zone(1, "192.0.2.1"))).await.unwrap();
    let mut tcp = Tcp::connect(server.v4());
    let octets = framed(&query("big.example.com.", RecordType::TXT));
    // Each query asks for 64 KB; the buffers on the way hold some megabytes.
    let started = Instant::now();
    while tcp.stream.write_all(&octets).is_ok() {
        assert!(started.elapsed() < PATIENCE, "never hung up on");
        if server.server.status().counters.tcp_connections == 0 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_places_are_taken_the_quietest_connection_makes_room() {
    let server = TestServer::start("[tcp]\nconnections_max = 8\nconnections_per_client_max = 8\n").await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    let mut connections: Vec<_> = (0..8).map(|_| Tcp::connect(server.v4())).collect();
    wait_until("eight connections", || server.server.status().counters.tcp_connections == 8);
    // The first one becomes active, so that the second is the quietest.
    connections[0].send(&query("www.example.com.", RecordType::A));
    connections[0].receive().unwrap();
    let mut ninth = Tcp::connect(server.v4());
    ninth.send(&query("www.example.com.", RecordType::A));
    assert_eq!(data(&ninth.receive().unwrap()), ["192.0.2.1"]);
    assert!(connections[1].receive().is_none());
    connections[0].send(&query("www.example.com.", RecordType::A));
    assert!(connections[0].receive().is_some());
    // A connection is counted until its task has ended, which is a moment after the client has seen its end.
    wait_until("eight connections again", || server.server.status().counters.tcp_connections == 8);
    assert_eq!(server.server.status().counters.tcp_shed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_messages_pass_both_ways() {
    let server = TestServer::start("").await;
    let many: String = (0..300).map(|i| format!("big TXT \"{i:0200}\"\n")).collect();
    server.put("example.com", &format!("{}{many}", zone(1, "192.0.2.1"))).await.unwrap();
    let mut tcp = Tcp::connect(server.v4());
    let mut longest = query("big.example.com.", RecordType::TXT);
    // Padding makes it 65535 octets.
    let room = 65_535 - longest.to_vec().unwrap().len() - 11 - 4;
    add_option(&mut longest, 12, &vec![0; room]);
    assert_eq!(framed(&longest).len(), 2 + 65_535);
    for _ in 0..3 {
        tcp.send(&longest);
        let answer = tcp.receive().unwrap();
        assert_eq!((answer.answers.len(), answer.metadata.truncation), (300, false));
        assert!(answer.to_vec().unwrap().len() > 60_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_told_how_long_the_connection_may_be_idle_and_less_when_places_are_scarce() {
    let limits = "[tcp]\nconnections_max = 10\nconnections_per_client_max = 10\nidle_timeout_ms = 20000\n";
    let server = TestServer::start(limits).await;
    let mut ask = query("example.com.", RecordType::SOA);
    add_option(&mut ask, KEEPALIVE, &[]);
    let mut tcp = Tcp::connect(server.v4());
    let mut timeout = || {
        tcp.send(&ask);
        option(&tcp.receive().unwrap(), KEEPALIVE)
    };
    assert_eq!(timeout(), Some(200_u16.to_be_bytes().to_vec()));
    let others: Vec<_> = (0..8).map(|_| Tcp::connect(server.v4())).collect();
    wait_until("nine connections", || server.server.status().counters.tcp_connections == 9);
    // A tenth, and of the rest as much as of the scarce half is free, which is a fifth.
    assert_eq!(timeout(), Some(56_u16.to_be_bytes().to_vec()));
    drop(others);
    wait_until("one connection", || server.server.status().counters.tcp_connections == 1);
    assert_eq!(timeout(), Some(200_u16.to_be_bytes().to_vec()));
    // Nobody else is told, and over UDP nobody.
    let mut plain = Tcp::connect(server.v4());
    plain.send(&query("example.com.", RecordType::SOA));
    assert_eq!(option(&plain.receive().unwrap(), KEEPALIVE), None);
    let udp = exchange(server.v4(), &ask);
    assert!(udp.edns.is_some() && option(&udp, KEEPALIVE).is_none());
}

/// The code of the option for the idle timeout (RFC 7828 §3.1).
const KEEPALIVE: u16 = 11;

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_sent_before_a_connection_that_talks_no_dns_any_more_is_closed() {
    let server = TestServer::start("").await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    let mut tcp = Tcp::connect(server.v4());
    let query = framed(&query("www.example.com.", RecordType::A));
    tcp.stream.write_all(&[&query[..], &query, b"\0\x01x"].concat()).unwrap();
    assert_eq!(data(&tcp.receive().unwrap()), ["192.0.2.1"]);
    assert_eq!(data(&tcp.receive().unwrap()), ["192.0.2.1"]);
    assert!(tcp.receive().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_that_there_are_no_more_queries_still_gets_all_answers() {
    let server = TestServer::start("").await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    let mut tcp = Tcp::connect(server.v4());
    tcp.stream.write_all(&framed(&query("www.example.com.", RecordType::A)).repeat(100)).unwrap();
    tcp.stream.shutdown(std::net::Shutdown::Write).unwrap();
    for _ in 0..100 {
        assert_eq!(data(&tcp.receive().unwrap()), ["192.0.2.1"]);
    }
    assert!(tcp.receive().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_is_transferred_to_who_may_have_it() {
    let server = TestServer::start("[transfer]\nallow = [\"127.0.0.1\"]\n").await;
    let many: String = (0..20_000).map(|i| format!("h{i} A 10.{}.{}.1\n", i / 256, i % 256)).collect();
    server.put("example.com", &format!("{}{many}", zone(7, "192.0.2.1"))).await.unwrap();

    let mut tcp = Tcp::connect(server.v4());
    tcp.send(&query("example.com.", RecordType::AXFR));
    // Another query on the same connection waits for its turn.
    tcp.send(&query("www.example.com.", RecordType::A));
    let (mut records, mut soas, mut messages) = (0, 0, 0);
    while soas < 2 {
        let message = tcp.receive().unwrap();
        assert_eq!(message.metadata.response_code, ResponseCode::NoError);
        messages += 1;
        records += message.answers.len();
        soas += message.answers.iter().filter(|record| record.record_type() == RecordType::SOA).count();
    }
    assert_eq!(records, 20_004 + 1, "the SOA record comes twice");
    assert!(messages > 1);
    assert_eq!(data(&tcp.receive().unwrap()), ["192.0.2.1"]);
    wait_until("the transfer to be counted", || server.server.status().counters.transfers == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_is_not_transferred_to_who_may_not_have_it() {
    let server = TestServer::start("[transfer]\nallow = [\"192.0.2.0/24\", \"127.0.0.2\"]\n").await;
    server.put("example.com", &zone(7, "192.0.2.1")).await.unwrap();
    for address in [server.v4(), server.v6()] {
        let mut tcp = Tcp::connect(address);
        let mut incremental = query("example.com.", RecordType::IXFR);
        // What the client has already (RFC 1995 §3).
        let soa = SOA::new(Name::root(), Name::root(), 6, 0, 0, 0, 0);
        incremental.add_authority(Record::from_rdata(Name::from_ascii("example.com.").unwrap(), 0, RData::SOA(soa)));
        let mut with_edns = query("example.com.", RecordType::AXFR);
        add_option(&mut with_edns, 10, b"client!!");
        for request in [query("example.com.", RecordType::AXFR), incremental, with_edns] {
            tcp.send(&request);
            let answer = tcp.receive().unwrap();
            assert_eq!(answer.metadata.response_code, ResponseCode::Refused);
            assert!(answer.answers.is_empty());
            // "Prohibited" (RFC 8914 §4.19), and a cookie as in any other answer.
            assert_eq!(option(&answer, 15), request.edns.is_some().then(|| vec![0, 18]));
            assert_eq!(option(&answer, 10).is_some(), request.edns.is_some());
        }
        // The connection goes on.
        tcp.send(&query("www.example.com.", RecordType::A));
        assert_eq!(data(&tcp.receive().unwrap()), ["192.0.2.1"]);
    }
    let counters = server.server.status().counters;
    assert_eq!((counters.transfers, counters.transfers_refused), (0, 6));
    // By default nobody may.
    let server = TestServer::start("").await;
    server.put("example.com", &zone(7, "192.0.2.1")).await.unwrap();
    let mut tcp = Tcp::connect(server.v4());
    tcp.send(&query("example.com.", RecordType::AXFR));
    assert_eq!(tcp.receive().unwrap().metadata.response_code, ResponseCode::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_does_not_wait_for_idle_clients() {
    let server = TestServer::start("").await;
    let mut idle = Tcp::connect(server.v4());
    wait_until("the connection", || server.server.status().counters.tcp_connections == 1);
    let started = Instant::now();
    server.server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(idle.receive().is_none());
}
