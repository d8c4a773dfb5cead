//! Clients that are slow, greedy or both.

use std::time::{Duration, Instant};

use crate::ownership::{bearer, key};
use crate::pending::carrying;
use crate::support::{Api, Connection, PATIENCE};
use crate::tree::Tree;

const UPLOAD: &str = "/v1/zone?domain=example.com";
const UPLOAD_HEAD: &str = "POST /v1/zone?domain=example.com HTTP/1.1\r\nHost: localhost\r\n";

/// Sends an octet every 20 ms until the server answers or closes.
fn trickle(connection: &mut Connection, octet: u8) {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if !connection.try_send(&[octet]) || connection.is_readable_within(Duration::from_millis(20)) {
            return;
        }
    }
    panic!("the server let a client trickle for {:?}", start.elapsed());
}

#[test]
fn a_header_that_does_not_end_ends_the_connection() {
    let api = Api::alone("[timeouts]\nheader_ms = 500\n");
    let mut silent = api.connect();
    silent.send(b"GET / HTTP/1.1\r\nHost: ");
    assert_eq!(String::from_utf8(silent.until_closed()).unwrap(), "");
    let mut slow = api.connect();
    slow.send(b"GET / HTTP/1.1\r\nX: ");
    trickle(&mut slow, b'a');
}

#[test]
fn a_connection_without_a_request_is_closed() {
    let api = Api::alone("[timeouts]\nheader_ms = 200\n");
    assert!(api.connect().until_closed().is_empty());
}

#[test]
fn an_idle_connection_is_closed_sooner_than_a_slow_header() {
    let api = Api::alone("[timeouts]\nheader_ms = 600_000\nidle_ms = 200\n");
    let mut connection = api.connect();
    connection.call("GET", "/", &[], b"").expect(200, &[]);
    assert!(connection.until_closed().is_empty());
}

#[test]
fn a_body_that_does_not_end_is_answered_with_408() {
    let api = Api::alone("[timeouts]\nbody_ms = 200\n");
    let mut silent = api.connect();
    silent.send(format!("{UPLOAD_HEAD}Content-Length: 100\r\n\r\n@ SOA").as_bytes());
    let reply = silent.reply("POST");
    reply.expect(408, &["0.2 s", "nothing was changed"]);
    assert_eq!(reply.header("connection"), Some("close"));
    let mut slow = api.connect();
    slow.send(format!("{UPLOAD_HEAD}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
    slow.send(b"fffff\r\n");
    trickle(&mut slow, b';');
    slow.reply("POST").expect(408, &[]);
}

#[test]
fn a_body_of_a_gigabyte_is_refused_before_it_is_sent() {
    let api = Api::alone("");
    let mut connection = api.connect();
    connection.send(format!("{UPLOAD_HEAD}Expect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n").as_bytes());
    let reply = connection.reply("POST");
    reply.expect(413, &["16777216 octets"]);
    assert_eq!(reply.header("connection"), Some("close"));
}

#[test]
fn a_client_that_sends_a_gigabyte_all_the_same_still_reads_why_not() {
    let api = Api::alone("[limits]\nbody_size_max = 100_000\n");
    for head in ["Content-Length: 1073741824\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n40000000\r\n"] {
        let mut connection = api.connect();
        connection.send(format!("{UPLOAD_HEAD}{head}").as_bytes());
        let mut sent = 0;
        let piece = [b';'; 65536];
        // The server takes a bounded part of it and then no more.
        while !connection.is_readable_within(Duration::from_micros(1)) && connection.try_send(&piece) {
            sent += piece.len();
            assert!(sent < 1 << 30, "the server took a gigabyte");
        }
        connection.reply("POST").expect(413, &["100000 octets"]);
    }
}

#[test]
fn a_body_may_be_as_large_as_the_limit_and_no_larger() {
    let api = Api::alone("[limits]\nbody_size_max = 1000\n");
    api.call("POST", "/v1/zone?domain=example.com", &[], &[b'\n'; 1000]).expect(400, &["no NS records"]);
    api.call("POST", "/v1/zone?domain=example.com", &[], &[b'\n'; 1001]).expect(413, &[]);
    let chunked = |size: usize| {
        let mut connection = api.connect();
        connection.send(format!("{UPLOAD_HEAD}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
        connection.send(format!("{size:x}\r\n{}\r\n0\r\n\r\n", "\n".repeat(size)).as_bytes());
        connection.reply("POST").status
    };
    assert_eq!((chunked(1000), chunked(1001)), (400, 413));
}

#[test]
fn connections_are_limited_for_each_client_and_for_all() {
    let api = Api::alone("[limits]\nconnections_per_client_max = 2\n");
    let mut held = [api.connect(), api.connect()];
    for connection in &mut held {
        connection.call("GET", "/", &[], b"").expect(200, &[]);
    }
    let refused = api.connect().reply("GET");
    refused.expect(429, &["from your address or network"]);
    assert!(refused.header("retry-after").is_some());
    drop(held);
    while api.connect().try_call("GET", "/").is_none_or(|reply| reply.status != 200) {}

    let api = Api::alone("[limits]\nconnections_max = 1\n");
    let mut held = api.connect();
    held.send(format!("{UPLOAD_HEAD}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n").as_bytes());
    assert_eq!(held.reply("POST").status, 100);
    api.connect().reply("GET").expect(503, &["too many connections"]);
    held.send(b"\n");
    held.reply("POST").expect(400, &["no NS records"]);
}

#[test]
fn connections_that_say_nothing_keep_nobody_out() {
    // Without the rule the test would wait for the timeouts and fail.
    let api = Api::alone("[limits]\nconnections_max = 3\n[timeouts]\nheader_ms = 600_000\nidle_ms = 600_000\n");
    let silent = api.connect();
    let mut half = api.connect();
    half.send(b"GET / HTTP/1.1\r\nHost: ");
    let mut busy = api.connect();
    busy.send(format!("{UPLOAD_HEAD}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n").as_bytes());
    assert_eq!(busy.reply("POST").status, 100);
    let mut polite = Vec::new();
    for _ in 0..2 {
        let mut connection = api.connect();
        connection.call("GET", "/", &[], b"").expect(200, &[]);
        polite.push(connection);
    }
    assert!(silent.until_closed().is_empty() && half.until_closed().is_empty());
    busy.send(b"\n");
    busy.reply("POST").expect(400, &["no NS records"]);
}

#[test]
fn a_client_that_hangs_up_in_the_middle_harms_nobody() {
    let api = Api::alone("");
    for part in ["GET", "GET / HTTP/1.1\r\n", &format!("{UPLOAD_HEAD}Content-Length: 100\r\n\r\nabc")] {
        let mut connection = api.connect();
        connection.send(part.as_bytes());
    }
    api.call("GET", "/", &[], b"").expect(200, &[]);
}

#[test]
fn requests_sent_in_one_go_are_answered_in_order() {
    let api = Api::alone("");
    let mut connection = api.connect();
    connection.send(
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    assert_eq!(
        [connection.reply("GET").status, connection.reply("GET").status, connection.reply("HEAD").status],
        [200, 404, 200]
    );
}

#[test]
fn a_stopped_server_finishes_what_it_began() {
    let api = Api::alone("");
    let mut idle = api.connect();
    idle.call("GET", "/", &[], b"").expect(200, &[]);
    let mut busy = api.connect();
    busy.send(format!("{UPLOAD_HEAD}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n").as_bytes());
    // The interim response shows that the request is being answered when the stop comes.
    assert_eq!(busy.reply("POST").status, 100);
    let stopped = std::thread::spawn(move || api.stop());
    assert!(idle.until_closed().is_empty());
    busy.send(b"\n");
    busy.reply("POST").expect(400, &["no NS records"]);
    stopped.join().unwrap();
}

/// The tests are the proxy, and so may say where their clients are.
const PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]\n";

/// One client in each of the networks of one /48.
fn of_one_site(n: usize) -> String {
    format!("X-Forwarded-For: 2001:db8:5:{:x}::1", n << 8)
}

#[test]
fn a_site_with_256_networks_uploads_as_often_as_a_site_may() {
    let api = Api::alone(&format!("{PROXY}[quotas]\nuploads_per_site_per_minute = 5\n"));
    let start = Instant::now();
    let replies: Vec<u16> = (0..256).map(|n| api.call("POST", UPLOAD, &[&of_one_site(n)], b"").status).collect();
    let admitted = replies.iter().filter(|&&status| status == 400).count();
    // One is there again after twelve seconds.
    assert!((5..=6 + start.elapsed().as_secs() as usize / 12).contains(&admitted), "{admitted}");
    assert!(replies.iter().all(|status| matches!(status, 400 | 429)), "{replies:?}");
    api.call("POST", UPLOAD, &["X-Forwarded-For: 2001:db8:6::1"], b"").expect(400, &["no NS records"]);
    api.call("POST", UPLOAD, &["X-Forwarded-For: 192.0.2.1"], b"").expect(400, &["no NS records"]);
}

#[test]
fn a_site_with_256_networks_claims_as_many_domains_as_a_site_may() {
    let tree = Tree::start("");
    let api = tree.api(&format!("{PROXY}[pending]\nzones_per_site_max = 3\n"));
    let key = key();
    let claim = |n: usize, from: &str| {
        api.call("PUT", &format!("/v1/zones/z{n}.com"), &[&bearer(&key), from], carrying(1, &key).as_bytes())
    };
    for n in 0..12 {
        match n {
            0..3 => claim(n, &of_one_site(n)).expect(200, &["it is pending"]),
            _ => claim(n, &of_one_site(n)).expect(429, &["from the networks around this one there are 3"]),
        };
    }
    claim(12, "X-Forwarded-For: 2001:db8:6::1").expect(200, &["it is pending"]);
    claim(13, "X-Forwarded-For: 192.0.2.1").expect(200, &["it is pending"]);
}

#[test]
fn clients_of_a_trusted_proxy_have_quotas_of_their_own_and_cannot_choose_whose() {
    let api = Api::alone(&format!("{PROXY}[quotas]\nuploads_per_network_per_minute = 1\n"));
    let upload = |fields: &[&str]| api.call("POST", UPLOAD, fields, b"").status;
    assert_eq!(upload(&["X-Forwarded-For: 198.51.100.1"]), 400);
    assert_eq!(upload(&["X-Forwarded-For: 198.51.100.2"]), 429);
    assert_eq!(upload(&["X-Forwarded-For: 203.0.113.1"]), 400);
    // What the client wrote itself stands before what the proxy saw, in one field or in several.
    assert_eq!(upload(&["X-Forwarded-For: 192.0.2.1, 198.51.100.1"]), 429);
    assert_eq!(upload(&["X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 198.51.100.1"]), 429);
    assert_eq!(upload(&["Forwarded: for=192.0.2.1", "X-Forwarded-For: 198.51.100.1"]), 429);
    assert_eq!(upload(&["X-Forwarded-For: 192.0.2.1"]), 400, "nobody has used that up");
    // And what the proxy asks for itself.
    assert_eq!(upload(&[]), 400);
    assert_eq!(upload(&[]), 429);
    let odd = api.call("POST", UPLOAD, &["X-Forwarded-For: 192.0.2.99, unknown"], b"");
    odd.expect(400, &["X-Forwarded-For", "tell the operator"]);
}

#[test]
fn requests_for_clients_are_counted_for_each_of_them_and_connections_of_a_proxy_are_not() {
    let api = Api::alone(&format!("requests_per_second = 3\n{PROXY}[limits]\nconnections_per_client_max = 1\n"));
    let ask = |n: u32| api.call("GET", "/", &[&format!("X-Forwarded-For: 198.51.100.{n}")], b"").status;
    assert!((0..100).all(|n| ask(n) == 200));
    assert!((0..1000).any(|_| ask(200) == 429));
    let held = [(); 3].map(|()| {
        let mut connection = api.connect();
        connection.call("GET", "/", &["X-Forwarded-For: 203.0.113.7"], b"").expect(200, &[]);
        connection
    });
    drop(held);
}

#[test]
fn nobody_but_a_trusted_proxy_says_for_whom_it_asks() {
    for trusted in ["", "trusted_proxies = [\"192.0.2.80\", \"2001:db8::/32\"]\n"] {
        let api = Api::alone(&format!("{trusted}[quotas]\nuploads_per_network_per_minute = 1\n"));
        let upload = |field: &str| api.call("POST", UPLOAD, &[field], b"").status;
        assert_eq!(upload("X-Forwarded-For: 198.51.100.1"), 400);
        assert_eq!(upload("X-Forwarded-For: 203.0.113.1"), 429);
        assert_eq!(upload("X-Forwarded-For: rubbish"), 429);
        assert_eq!(upload("X-Forwarded-For: 192.0.2.80"), 429);
    }
}
