//! DNS cookies (RFC 7873, RFC 9018) of servers that share secrets, and secrets that are rolled over.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use nssd::config::Config;
use nssd::server::Server;

use crate::harness::*;

const A: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
const B: &str = "445536bcd2513298075a5d379663c962";

const COOKIE: u16 = 10;

fn write_secrets(directory: &Path, text: &str) {
    let path = directory.join("secrets");
    // Replaced in one step, as an operator's tool does.
    let new = directory.join("secrets.new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::rename(new, path).unwrap();
}

async fn start(secrets: &str) -> TestServer {
    let directory = tempfile::tempdir().unwrap();
    write_secrets(directory.path(), secrets);
    TestServer::start_in(directory, "cookie_secret_file = \"secrets\"\n").await
}

/// The cookie that a client without one gets.
fn learn(server: SocketAddr) -> Vec<u8> {
    let mut question = query("www.example.com.", RecordType::A);
    add_option(&mut question, COOKIE, b"client!!");
    let cookie = option(&exchange(server, &question), COOKIE).unwrap();
    assert!(cookie.len() == 24 && cookie.starts_with(b"client!!"));
    cookie
}

/// Whether the server believes a cookie, asked about nothing else (RFC 7873 §5.4).
fn believes(server: SocketAddr, cookie: &[u8]) -> bool {
    let mut question = query("www.example.com.", RecordType::A);
    question.queries.clear();
    add_option(&mut question, COOKIE, cookie);
    let answer = exchange(server, &question);
    let fresh = option(&answer, COOKIE).unwrap();
    assert!(fresh.len() == 24 && fresh.starts_with(b"client!!"), "there is always a cookie to go on with");
    match answer.metadata.response_code {
        ResponseCode::NoError => true,
        // The high bits of BADCOOKIE, 23, stand in the OPT record; the reader puts both together.
        code if u16::from(code) == 23 => false,
        code => panic!("{code}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_with_the_same_secret_believe_each_others_cookies_and_strangers_do_not() {
    let (one, other, stranger) = (start(A).await, start(&format!("# the same\n{A}\n")).await, start(B).await);
    let random = TestServer::start("").await;
    let cookie = learn(one.v4());
    assert!(believes(one.v4(), &cookie) && believes(other.v4(), &cookie));
    assert!(!believes(stranger.v4(), &cookie) && !believes(random.v4(), &cookie));
    // Bound to the client's address.
    assert!(!believes(one.v6(), &cookie) && believes(other.v6(), &learn(one.v6())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rolled_over_without_a_restart_or_a_cookie_that_is_lost() {
    let server = start(A).await;
    let old = learn(server.v4());
    let tcp_believes = |cookie: &[u8]| {
        let mut tcp = Tcp::connect(server.v4());
        let mut question = query("www.example.com.", RecordType::A);
        question.queries.clear();
        add_option(&mut question, COOKIE, cookie);
        tcp.send(&question);
        tcp.receive().unwrap().metadata.response_code == ResponseCode::NoError
    };
    let reload = async |text: String| {
        write_secrets(server.directory.path(), &text);
        server.client.reload().await.unwrap().notes
    };
    // Staged: the old secret still makes the cookies.
    assert!(reload(format!("{A}\n{B}\n")).await.is_empty());
    assert!(believes(server.v4(), &old) && tcp_believes(&old));
    let staged = learn(server.v4());
    // Rolled: both count, the new one makes them.
    assert!(reload(format!("{B}\n{A}\n")).await.is_empty());
    assert!(believes(server.v4(), &old) && believes(server.v4(), &staged) && tcp_believes(&old));
    let new = learn(server.v4());
    // Over: who comes with the old cookie gets another one.
    assert!(reload(B.to_owned()).await.is_empty());
    assert!(!believes(server.v4(), &old) && !believes(server.v4(), &staged) && !tcp_believes(&old));
    assert!(believes(server.v4(), &new) && tcp_believes(&new));
    let mut question = query("www.example.com.", RecordType::A);
    add_option(&mut question, COOKIE, &old);
    let answer = exchange(server.v4(), &question);
    assert_eq!(answer.metadata.response_code, ResponseCode::Refused, "an answer as without a cookie");
    assert!(believes(server.v4(), &option(&answer, COOKIE).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_keeps_the_secrets_before_and_says_so() {
    let server = start(A).await;
    let cookie = learn(server.v4());
    for (text, complaint) in
        [("", "holds no secret"), ("# one\nsecret", "line 2: "), (&A[1..], "32 hexadecimal digits")]
    {
        write_secrets(server.directory.path(), text);
        let notes = server.client.reload().await.unwrap().notes;
        assert!(notes.len() == 1 && notes[0].contains(complaint) && notes[0].contains("stay in force"), "{notes:?}");
        assert!(!notes[0].contains(&A[1..]), "{notes:?}");
        assert!(believes(server.v4(), &cookie));
    }
    write_secrets(server.directory.path(), B);
    std::fs::set_permissions(server.path("secrets"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let notes = server.client.reload().await.unwrap().notes;
    assert!(notes[0].contains("open to every user"), "{notes:?}");
    assert!(believes(server.v4(), &cookie));
    std::fs::remove_file(server.path("secrets")).unwrap();
    let notes = server.client.reload().await.unwrap().notes;
    assert!(notes[0].contains("cannot be read"), "{notes:?}");
    assert!(believes(server.v4(), &cookie));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_secrets_that_can_be_used_there_is_no_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_config(directory.path(), "[\"127.0.0.1:0\"]", "cookie_secret_file = \"secrets\"\n");
    let error = || async { Server::start(Config::read(&path).unwrap()).await.unwrap_err().to_string() };
    assert!(error().await.contains("secrets cannot be read: "), "{}", error().await);
    write_secrets(directory.path(), &format!("{A}\nx\n"));
    assert!(error().await.contains("line 2: "), "{}", error().await);
    write_secrets(directory.path(), A);
    Server::start(Config::read(&path).unwrap()).await.unwrap().stop().await;
}
