//! DNS over TLS: handshakes, certificates that change, who is hung up on, and zone transfers.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use nssd::config::Config;
use nssd::server::Server;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion, version,
};

use crate::harness::*;

/// Writes a new certificate and its key to `cert.pem` and `key.pem`.
fn write_certificate(directory: &Path) -> CertificateDer<'static> {
    let CertifiedKey::<KeyPair> { cert, signing_key } = generate_simple_self_signed([SERVER_NAME.to_owned()]).unwrap();
    std::fs::write(directory.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

const SERVER_NAME: &str = "ns1.example.net";

/// A server with TLS, with `more` of its section and `others` behind it.
async fn start(more: &str, others: &str) -> (TestServer, CertificateDer<'static>) {
    let directory = tempfile::tempdir().unwrap();
    let certificate = write_certificate(directory.path());
    let server = TestServer::start_in(directory, &section(more, others)).await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    (server, certificate)
}

fn section(more: &str, others: &str) -> String {
    format!("[tls]\nlisten = [\"127.0.0.1:0\"]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n{more}{others}")
}

/// What a client wants: the certificate that it trusts, its version of TLS, its protocols.
fn client(
    certificate: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    alpn: &[&str],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

fn modern(certificate: &CertificateDer<'static>) -> Arc<ClientConfig> {
    client(certificate, &version::TLS13, &["dot"])
}

struct Tls {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl Tls {
    /// Connects and comes to the end of the handshake.
    fn connect(server: SocketAddr, config: &Arc<ClientConfig>) -> Result<Tls, std::io::Error> {
        let mut tcp = Tcp::connect(server).stream;
        let mut tls = ClientConnection::new(config.clone(), SERVER_NAME.try_into().unwrap()).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(Tls { stream: StreamOwned::new(tls, tcp) })
    }

    fn send(&mut self, message: &Message) {
        self.stream.write_all(&framed(message)).unwrap();
        self.stream.flush().unwrap();
    }

    fn receive(&mut self) -> Option<Message> {
        receive(&mut self.stream)
    }

    fn ask_for_www(&mut self) -> Vec<String> {
        self.send(&query("www.example.com.", RecordType::A));
        data(&self.receive().unwrap())
    }
}

impl TestServer {
    fn tls(&self) -> SocketAddr {
        self.server.tls_addresses()[0]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_answered_over_both_versions_of_tls_one_by_one_and_many_at_once() {
    let (server, certificate) = start("", "").await;
    for (supported, expected) in
        [(&version::TLS13, ProtocolVersion::TLSv1_3), (&version::TLS12, ProtocolVersion::TLSv1_2)]
    {
        let mut tls = Tls::connect(server.tls(), &client(&certificate, supported, &["dot"])).unwrap();
        assert_eq!(tls.stream.conn.protocol_version(), Some(expected));
        assert_eq!(tls.stream.conn.alpn_protocol(), Some(&b"dot"[..]));
        assert_eq!(tls.ask_for_www(), ["192.0.2.1"]);
        let queries = framed(&query("www.example.com.", RecordType::A)).repeat(1000);
        tls.stream.write_all(&queries).unwrap();
        for _ in 0..1000 {
            assert_eq!(data(&tls.receive().unwrap()), ["192.0.2.1"]);
        }
    }
    let counters = server.server.status().counters;
    assert_eq!((counters.tls_handshakes, counters.tls_queries, counters.tls_answers), (2, 2002, 2002));
    assert_eq!((counters.tls_accepted, counters.tcp_accepted, counters.tls_handshakes_failed), (2, 0, 0));
    assert_eq!(server.client.status().await.unwrap().listen_tls, [server.tls().to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_leave_alpn_out_but_not_want_something_else() {
    let (server, certificate) = start("", "").await;
    let mut tls = Tls::connect(server.tls(), &client(&certificate, &version::TLS12, &[])).unwrap();
    assert_eq!(tls.ask_for_www(), ["192.0.2.1"]);
    let mut tls = Tls::connect(server.tls(), &client(&certificate, &version::TLS13, &["h2", "dot"])).unwrap();
    assert_eq!(tls.ask_for_www(), ["192.0.2.1"]);
    assert!(Tls::connect(server.tls(), &client(&certificate, &version::TLS13, &["h2"])).is_err());
    wait_until("the failure to be counted", || server.server.status().counters.tls_handshakes_failed == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_padded_for_who_pads_and_idle_timeouts_are_told() {
    let (server, certificate) = start("", "[tcp]\nidle_timeout_ms = 20000\n").await;
    let mut tls = Tls::connect(server.tls(), &modern(&certificate)).unwrap();
    let mut padded = query("www.example.com.", RecordType::A);
    add_option(&mut padded, 12, &[0; 77]);
    add_option(&mut padded, 11, &[]);
    tls.send(&padded);
    let answer = tls.receive().unwrap();
    assert_eq!((data(&answer), answer.to_vec().unwrap().len()), (vec!["192.0.2.1".to_owned()], 468));
    assert_eq!(option(&answer, 11), Some(vec![0, 200]));
    // The same in the clear.
    let mut tcp = Tcp::connect(server.v4());
    tcp.send(&padded);
    assert_eq!(option(&tcp.receive().unwrap(), 12), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_answers_pass_and_who_does_not_read_them_is_hung_up_on() {
    let (server, certificate) = start("", "[tcp]\nio_timeout_ms = 500\n").await;
    let many: String = (0..300).map(|i| format!("big TXT \"{i:0200}\"\n")).collect();
    server.put("example.com", &format!("{}{many}", zone(2, "192.0.2.1"))).await.unwrap();
    let mut tls = Tls::connect(server.tls(), &modern(&certificate)).unwrap();
    let big = query("big.example.com.", RecordType::TXT);
    for _ in 0..10 {
        tls.send(&big);
        assert_eq!(tls.receive().unwrap().answers.len(), 300);
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    while tls.stream.write_all(&framed(&big)).is_ok() && server.server.status().counters.tls_connections > 0 {
        assert!(std::time::Instant::now() < deadline, "never hung up on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_resumed_with_a_ticket() {
    let (server, certificate) = start("", "").await;
    for version in [&version::TLS13, &version::TLS12] {
        let config = client(&certificate, version, &["dot"]);
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let mut tls = Tls::connect(server.tls(), &config).unwrap();
            kinds.push(tls.stream.conn.handshake_kind().unwrap());
            // With TLS 1.3 the tickets come with the first answer.
            assert_eq!(tls.ask_for_www(), ["192.0.2.1"]);
        }
        assert_ne!(kinds[0], HandshakeKind::Resumed);
        assert_eq!(kinds[1..], [HandshakeKind::Resumed; 2]);
    }
    let counters = server.server.status().counters;
    assert_eq!((counters.tls_handshakes, counters.tls_resumed), (6, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_shows_a_new_certificate_and_a_broken_one_changes_nothing() {
    let (server, old) = start("watch_interval_s = 0\n", "").await;
    let mut open = Tls::connect(server.tls(), &modern(&old)).unwrap();
    let new = write_certificate(server.directory.path());
    assert!(Tls::connect(server.tls(), &modern(&old)).is_ok(), "nobody has reloaded yet");
    let report = server.client.reload().await.unwrap();
    assert!(report.notes.is_empty(), "{report:?}");
    assert!(Tls::connect(server.tls(), &modern(&old)).is_err(), "the old one is not shown any more");
    assert_eq!(Tls::connect(server.tls(), &modern(&new)).unwrap().ask_for_www(), ["192.0.2.1"]);
    // Connections from before go on.
    assert_eq!(open.ask_for_www(), ["192.0.2.1"]);

    let key = std::fs::read(server.path("key.pem")).unwrap();
    let certificate = std::fs::read(server.path("cert.pem")).unwrap();
    write_certificate(server.directory.path());
    let another_key = std::fs::read(server.path("key.pem")).unwrap();
    for (certificate, key, complaint) in [
        (&b"no PEM"[..], &key[..], "holds no certificate"),
        (&certificate, b"no PEM", "holds no private key"),
        (&certificate, &another_key, "is not the key of the first certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key, "cannot be used"),
    ] {
        std::fs::write(server.path("cert.pem"), certificate).unwrap();
        std::fs::write(server.path("key.pem"), key).unwrap();
        let report = server.client.reload().await.unwrap();
        assert!(report.notes.len() == 1 && report.notes[0].contains(complaint), "{complaint}: {report:?}");
        assert_eq!(Tls::connect(server.tls(), &modern(&new)).unwrap().ask_for_www(), ["192.0.2.1"]);
    }
    std::fs::remove_file(server.path("cert.pem")).unwrap();
    let report = server.client.reload().await.unwrap();
    assert!(report.notes[0].contains("cannot be read"), "{report:?}");
    assert!(Tls::connect(server.tls(), &modern(&new)).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_certificate_is_seen_without_a_reload_once_it_is_whole() {
    let (server, old) = start("watch_interval_s = 1\n", "").await;
    std::fs::write(server.path("cert.pem"), "half of it").unwrap();
    assert!(Tls::connect(server.tls(), &modern(&old)).is_ok());
    let new = write_certificate(server.directory.path());
    wait_until("the new certificate", || Tls::connect(server.tls(), &modern(&new)).is_ok());
    assert!(Tls::connect(server.tls(), &modern(&old)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_come_to_the_end_of_the_handshake_is_hung_up_on() {
    let (server, certificate) = start("handshake_timeout_ms = 300\n", "").await;
    let hello = {
        let mut tls = ClientConnection::new(modern(&certificate), SERVER_NAME.try_into().unwrap()).unwrap();
        let mut hello = Vec::new();
        tls.write_tls(&mut hello).unwrap();
        hello
    };
    let question = framed(&query("www.example.com.", RecordType::A));
    // Silent; cut off within the first message; that alone; DNS in the clear; HTTP; the largest record and more.
    let large = [&[22, 3, 1, 0x40, 0][..], &[1, 0xff, 0xff, 0xff], &[0; 0x8000]].concat();
    for octets in [&b""[..], &hello[..hello.len() / 2], &hello, &question, b"GET / HTTP/1.1\r\n\r\n", &large] {
        let before = server.server.status().counters.tls_handshakes_failed;
        let mut tcp = Tcp::connect(server.tls());
        let _ = tcp.stream.write_all(octets);
        let mut rest = Vec::new();
        match tcp.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        wait_until("the failure to be counted", || server.server.status().counters.tls_handshakes_failed > before);
    }
    // Gone before the end.
    let mut tcp = Tcp::connect(server.tls());
    tcp.stream.write_all(&hello[..10]).unwrap();
    drop(tcp);
    wait_until("the last failure", || server.server.status().counters.tls_handshakes_failed == 7);
    let counters = server.server.status().counters;
    assert_eq!((counters.tls_queries, counters.tls_handshakes), (0, 0));
    wait_until("all connections to be closed", || server.server.status().counters.tls_connections == 0);
    assert_eq!(Tls::connect(server.tls(), &modern(&certificate)).unwrap().ask_for_www(), ["192.0.2.1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_on_the_port_for_dns_in_the_clear_gets_no_handshake() {
    let (server, certificate) = start("", "[tcp]\nio_timeout_ms = 200\n").await;
    assert!(Tls::connect(server.v4(), &modern(&certificate)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_do_not_end_make_room_for_others() {
    let (server, certificate) = start("handshakes_max = 4\nhandshake_timeout_ms = 600000\n", "").await;
    let mut silent: Vec<_> = (0..4).map(|_| Tcp::connect(server.tls())).collect();
    // The handshakes of the four may begin behind that of the first other client, which then is the one to go.
    wait_until("a handshake to make room", || {
        let Ok(mut tls) = Tls::connect(server.tls(), &modern(&certificate)) else { return false };
        let is_sent = tls.stream.write_all(&framed(&query("www.example.com.", RecordType::A))).is_ok();
        let is_answered = is_sent && tls.receive().is_some_and(|answer| data(&answer) == ["192.0.2.1"]);
        is_answered && server.server.status().counters.tls_handshakes_failed > 0
    });
    let is_closed = |tcp: &mut Tcp| {
        tcp.stream.set_nonblocking(true).unwrap();
        match tcp.stream.read(&mut [0]) {
            Ok(octets) => octets == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    };
    wait_until("one to be closed", || silent.iter_mut().any(is_closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_places_are_taken_the_quietest_connection_makes_room() {
    let (server, certificate) = start("connections_max = 4\n", "").await;
    let config = modern(&certificate);
    let mut connections: Vec<_> = (0..4).map(|_| Tls::connect(server.tls(), &config).unwrap()).collect();
    assert_eq!(connections[0].ask_for_www(), ["192.0.2.1"]);
    assert_eq!(Tls::connect(server.tls(), &config).unwrap().ask_for_www(), ["192.0.2.1"]);
    assert!(connections[1].receive().is_none());
    assert_eq!(connections[0].ask_for_www(), ["192.0.2.1"]);
    assert_eq!(server.server.status().counters.tls_shed, 1);
    // TCP in the clear has places of its own.
    let mut tcp = Tcp::connect(server.v4());
    tcp.send(&query("www.example.com.", RecordType::A));
    assert!(tcp.receive().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_with_a_word() {
    let (server, certificate) = start("", "[tcp]\nidle_timeout_ms = 200\n").await;
    let mut tls = Tls::connect(server.tls(), &modern(&certificate)).unwrap();
    // Without close_notify this were an error (RFC 8446 §6.1).
    assert_eq!(tls.stream.read(&mut [0]).unwrap(), 0);
    // After half a message, too.
    let (server, certificate) = start("", "[tcp]\nio_timeout_ms = 200\n").await;
    let mut tls = Tls::connect(server.tls(), &modern(&certificate)).unwrap();
    tls.stream.write_all(b"\0").unwrap();
    assert_eq!(tls.stream.read(&mut [0]).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_is_transferred_over_tls_to_who_may_have_it() {
    let many: String = (0..20_000).map(|i| format!("h{i} A 10.{}.{}.1\n", i / 256, i % 256)).collect();
    for (allow, is_allowed) in [("127.0.0.1", true), ("192.0.2.1", false)] {
        let (server, certificate) = start("", &format!("[transfer]\nallow = [\"{allow}\"]\n")).await;
        server.put("example.com", &format!("{}{many}", zone(7, "192.0.2.1"))).await.unwrap();
        let mut tls = Tls::connect(server.tls(), &modern(&certificate)).unwrap();
        tls.send(&query("example.com.", RecordType::AXFR));
        if is_allowed {
            let (mut records, mut soas) = (0, 0);
            while soas < 2 {
                let message = tls.receive().unwrap();
                records += message.answers.len();
                soas += message.answers.iter().filter(|record| record.record_type() == RecordType::SOA).count();
            }
            assert_eq!(records, 20_004 + 1, "the SOA record comes twice");
        } else {
            assert_eq!(tls.receive().unwrap().metadata.response_code, ResponseCode::Refused);
        }
        assert_eq!(tls.ask_for_www(), ["192.0.2.1"]);
        wait_until("the transfer to be counted", || {
            let counters = server.server.status().counters;
            (counters.transfers, counters.transfers_refused) == (is_allowed.into(), (!is_allowed).into())
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_that_can_be_used_there_is_no_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_config(directory.path(), "[\"127.0.0.1:0\"]", &section("", ""));
    let error = Server::start(Config::read(&path).unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("cert.pem cannot be read"), "{error}");
    write_certificate(directory.path());
    let certificate = std::fs::read(directory.path().join("cert.pem")).unwrap();
    write_certificate(directory.path());
    std::fs::write(directory.path().join("cert.pem"), certificate).unwrap();
    let error = Server::start(Config::read(&path).unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("key.pem is not the key of the first certificate in"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_does_not_wait_for_handshakes_and_idle_clients() {
    let (server, certificate) = start("handshake_timeout_ms = 600000\n", "").await;
    let _silent = Tcp::connect(server.tls());
    let mut idle = Tls::connect(server.tls(), &modern(&certificate)).unwrap();
    wait_until("the connections", || server.server.status().counters.tls_connections == 2);
    server.server.stop().await;
    assert!(idle.receive().is_none());
}
