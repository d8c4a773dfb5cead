//! The program as an operator meets it: arguments, exit codes, signals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const NAMES: &str = "name_servers = [\"ns1.dns.example.net\"]\n";

fn nss_api(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nss-api")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn write(directory: &Path, text: &str) -> String {
    let path = directory.join("nss-api.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_configuration_is_checked_without_serving() {
    let directory = tempfile::tempdir().unwrap();
    let good = nss_api(&["check-config", &write(directory.path(), NAMES)]);
    assert!(good.status.success());
    assert!(String::from_utf8(good.stdout).unwrap().contains("can be used"));
    let bad = nss_api(&["check-config", &write(directory.path(), &format!("{NAMES}listn = 1\n"))]);
    assert_eq!(bad.status.code(), Some(3));
    let error = String::from_utf8(bad.stderr).unwrap();
    assert!(error.starts_with("nss-api: /") && error.contains("line 2, column 1"), "{error}");
}

#[test]
fn nothing_is_served_without_name_servers() {
    let directory = tempfile::tempdir().unwrap();
    let refused = nss_api(&["serve", "--config", &write(directory.path(), "")]);
    assert_eq!(refused.status.code(), Some(3));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("name_servers = ["), "{error}");
    assert_eq!(nss_api(&["serve", "--config", "/nonexistent/a.toml"]).status.code(), Some(3));
    assert_eq!(nss_api(&["dance"]).status.code(), Some(2));
}

#[test]
fn keys_are_made_and_their_labels_told_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let made = nss_api(&["key", "new", "--name-server", "ns1.dns.example.net"]);
    assert!(made.status.success());
    let text = String::from_utf8(made.stdout).unwrap();
    let word = |first: &str| text.lines().find_map(|line| line.strip_prefix(first)).unwrap().trim().to_owned();
    let (key, label) = (word("key"), word("label"));
    assert!(text.contains(&format!("  {label}.ns1.dns.example.net.\n")), "{text}");

    let file = write(directory.path(), &format!("\n  {} \n", key.to_uppercase()));
    let told = nss_api(&["key", "label", &file]);
    assert_eq!((told.status.code(), String::from_utf8(told.stdout).unwrap()), (Some(0), format!("{label}\n")));
    let mut child = Command::new(env!("CARGO_BIN_EXE_nss-api"))
        .args(["key", "label"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{key}\n").as_bytes()).unwrap();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), format!("{label}\n"));

    let mistyped = write(directory.path(), &format!("nss1_{}", &key[6..]));
    for (arguments, word) in [
        (&["key", "label", &mistyped][..], "40 characters and should have 41"),
        (&["key", "label", "/nonexistent/key"], "/nonexistent/key"),
        (&["key", "label"], "begins with nss1_"),
    ] {
        let refused = nss_api(arguments);
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(5) && error.contains(word), "{error}");
        assert!(!error.contains(&key[6..]), "{error}");
    }
}

#[test]
fn a_taken_address_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused =
        nss_api(&["serve", "--config", &write(directory.path(), &format!("{NAMES}listen = [\"{address}\"]\n"))]);
    assert_eq!(refused.status.code(), Some(4));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains(&format!("cannot listen on {address}: ")), "{error}");
}

#[test]
fn sigterm_and_sigint_end_it_well() {
    let directory = tempfile::tempdir().unwrap();
    let config = write(
        directory.path(),
        &format!(
            "{NAMES}listen = [\"127.0.0.1:0\"]\nownership = \"open\"\ndelegation_check = false\n[log]\nformat = \"json\"\n"
        ),
    );
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_nss-api"))
            .args(["serve", "--config", &config])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(daemon.stderr.take().unwrap()).lines().map(Result::unwrap);
        let warning = log.find(|line| line.contains("WARN")).unwrap();
        assert!(warning.contains("anybody may overwrite any zone"), "{warning}");
        let line = log.find(|line| line.contains("\"serving\"")).unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let listen = line["fields"]["listen"].as_str().unwrap();
        let address = listen.trim_matches(['[', ']']);

        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");

        kill(Pid::from_raw(daemon.id().try_into().unwrap()), signal).unwrap();
        assert!(daemon.wait().unwrap().success());
    }
}
