//! Zones come, change and go, and the answers with them.

use std::net::{SocketAddr, UdpSocket};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{DNSClass, RecordType};
use nssd::config::Config;
use nssd::control::{Change, Client};
use nssd::server::Server;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_is_answered_over_udp_and_tcp_and_both_families_as_soon_as_it_is_acknowledged() {
    let server = TestServer::start("").await;
    assert_eq!(ask(server.v4(), "www.example.com.", RecordType::A).metadata.response_code, ResponseCode::Refused);
    let status = server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    assert_eq!((status.change, status.serial, status.records), (Change::Created, 1, 4));
    for address in [server.v4(), server.v6()] {
        let answer = ask(address, "www.example.com.", RecordType::A);
        assert!(answer.metadata.authoritative);
        assert_eq!(data(&answer), ["192.0.2.1"]);
        let mut tcp = Tcp::connect(address);
        tcp.send(&query("www.example.com.", RecordType::A));
        assert_eq!(data(&tcp.receive().unwrap()), ["192.0.2.1"]);
    }
    let counters = server.server.status().counters;
    assert!(counters.udp_queries >= 3 && counters.tcp_queries == 2, "{counters:?}");
    assert!(counters.rcodes["NOERROR"] >= 4 && counters.rcodes["REFUSED"] >= 1, "{counters:?}");
    server.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_behind_an_acknowledgement_sees_the_change() {
    let server = TestServer::start("").await;
    for serial in 1..=50 {
        let address = format!("192.0.2.{serial}");
        server.put("example.com", &zone(serial, &address)).await.unwrap();
        for listen in [server.v4(), server.v6()] {
            assert_eq!(data(&ask(listen, "www.example.com.", RecordType::A)), [address.as_str()]);
        }
    }
    server.delete("example.com").await.unwrap();
    assert_eq!(ask(server.v4(), "www.example.com.", RecordType::A).metadata.response_code, ResponseCode::Refused);
    assert!(server.client.list_zones(None, 10).await.unwrap().zones.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_zone_answers_for_itself_and_its_parent_again_when_it_is_gone() {
    let server = TestServer::start("").await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    server.put("www.example.com", &format!("{}@ A 192.0.2.2\n", zone(1, "192.0.2.3"))).await.unwrap();
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.2"]);
    server.delete("www.example.com").await.unwrap();
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_wildcard_address_replies_come_from_the_address_that_was_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_config(directory.path(), "[\"0.0.0.0:0\", \"[::]:0\"]", "");
    let server = Server::start(Config::read(&path).unwrap()).await.unwrap();
    let client = Client::new(server.control_socket());
    put(&client, "example.com", &zone(1, "192.0.2.1")).await.unwrap();
    let [v4, v6] = [server.addresses()[0].port(), server.addresses()[1].port()];
    for address in [format!("127.0.0.1:{v4}"), format!("127.0.0.7:{v4}"), format!("[::1]:{v6}")] {
        // `ask` insists that the answer comes from where the question went.
        let address: SocketAddr = address.parse().unwrap();
        assert_eq!(data(&ask(address, "www.example.com.", RecordType::A)), ["192.0.2.1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_gets_no_answer_and_does_no_harm() {
    let server = TestServer::start("").await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut response = query("www.example.com.", RecordType::A);
    response.metadata.message_type = hickory_proto::op::MessageType::Response;
    let mut sent = 0;
    for datagram in [vec![], vec![0; 11], vec![0xff; 4000], vec![0; 5000], response.to_vec().unwrap()] {
        socket.send_to(&datagram, server.v4()).unwrap();
        sent += 1;
    }
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.1"]);
    wait_until("all datagrams to be counted", || server.server.status().counters.udp_queries > sent);
    let counters = server.server.status().counters;
    assert_eq!((counters.panics, counters.silent), (0, sent), "{counters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_request_gets_a_short_error_and_costs_no_more() {
    let server = TestServer::start("").await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let header = |counts: [u16; 4]| [&b"\x12\x34\0\0"[..], &counts.map(u16::to_be_bytes).concat()].concat();
    let question = b"\x07example\x03com\0\0\x01\0\x01";
    let record = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\0";
    let opt = b"\0\0\x29\x04\xd0\0\0\0\0\0\0";
    for (what, counts, rest) in [
        ("a name that points to itself", [1, 0, 0, 0], b"\xc0\x0c\0\x01\0\x01".to_vec()),
        (
            "two that point to each other",
            [1, 0, 0, 1],
            [&question[..], b"\xc0\x1f\xc0\x1d\0\x01\0\x01\0\0\0\0\0\0"].concat(),
        ),
        (
            "a name of 256 octets",
            [1, 0, 0, 0],
            [&[&[63][..], &[b'a'; 63]].concat().repeat(4)[..], b"\0\0\x01\0\x01"].concat(),
        ),
        ("records that are not there", [1, 65535, 65535, 65535], [&question[..], &record.repeat(90)].concat()),
        ("two OPT records", [1, 0, 0, 2], [&question[..], opt, opt].concat()),
        ("two questions", [2, 0, 0, 0], question.repeat(2)),
        ("octets behind the end", [1, 0, 0, 0], [&question[..], b"x"].concat()),
        ("a question cut off", [1, 0, 0, 0], question[..15].to_vec()),
    ] {
        socket.send_to(&[header(counts), rest].concat(), server.v4()).unwrap();
        let mut buffer = [0; 4096];
        let len = socket.recv(&mut buffer).unwrap();
        assert_eq!((&buffer[..2], buffer[2] & 0x80, buffer[3] & 0xf), (&b"\x12\x34"[..], 0x80, 1), "{what}");
        assert!(len <= 12 + question.len() + opt.len(), "{what}: {len} octets");
    }
    assert_eq!(server.server.status().counters.panics, 0);
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configured_identifier_and_cookies_are_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_config(directory.path(), "[\"127.0.0.1:0\"]", "nsid = \"here\"\ncookies = true\n");
    let server = Server::start(Config::read(&path).unwrap()).await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // SOA of the root with an OPT record that has an empty NSID option and a client cookie of 8 octets.
    let mut request = b"\x12\x34\0\0\0\x01\0\0\0\0\0\x01\0\0\x06\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\x10".to_vec();
    request.extend(b"\0\x03\0\0\0\x0a\0\x08\x01\x02\x03\x04\x05\x06\x07\x08");
    socket.send_to(&request, server.addresses()[0]).unwrap();
    let mut buffer = [0; 512];
    let len = socket.recv(&mut buffer).unwrap();
    let answer = &buffer[..len];
    let contains = |part: &[u8]| answer.windows(part.len()).any(|window| window == part);
    assert!(contains(b"\0\x03\0\x04here"), "{answer:?}");
    assert!(contains(b"\0\x0a\0\x18\x01\x02\x03\x04\x05\x06\x07\x08\x01"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_tells_of_itself_what_the_configuration_says_and_nothing_unless_it_does() {
    let told = |server: &TestServer, name| {
        let mut question = query(name, RecordType::TXT);
        question.queries[0].set_query_class(DNSClass::CH);
        let answer = exchange(server.v4(), &question);
        (answer.metadata.response_code, data(&answer))
    };
    let server = TestServer::start("identity = \"ns1.example.net\"\nversion = \"1\"\n").await;
    assert_eq!(told(&server, "id.server."), (ResponseCode::NoError, vec!["ns1.example.net".to_owned()]));
    assert_eq!(told(&server, "version.bind."), (ResponseCode::NoError, vec!["1".to_owned()]));
    let server = TestServer::start("").await;
    assert_eq!(told(&server, "id.server."), (ResponseCode::Refused, vec![]));
    assert_eq!(told(&server, "version.bind."), (ResponseCode::Refused, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_does_not_take_over_addresses_or_state() {
    let first = TestServer::start("").await;
    let directory = tempfile::tempdir().unwrap();
    let path = write_config(directory.path(), &format!("[\"{}\"]", first.v4()), "");
    let error = Server::start(Config::read(&path).unwrap()).await.unwrap_err().to_string();
    assert!(error.contains(&first.v4().to_string()) && error.contains("another server has it"), "{error}");
    let error = Server::start(Config::read(&first.path("nssd.toml")).unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("is nssd running already?"), "{error}");
    assert_eq!(first.client.status().await.unwrap().zones, 0);
}
