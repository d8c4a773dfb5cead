//! What is written anywhere while keys come and go: a front as a process, a name server and its parents in this one, all of them at
//! the most talkative level.

#[path = "front/signer.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod signer;
#[path = "front/support.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod support;
#[path = "front/tree.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod tree;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nss_api::key::Key;
use nss_wire::NameBuf;

use crate::support::{Connection, Reply};
use crate::tree::{OURS, Tree};

const ZONE: &str = "/v1/zones/example.com";

/// All that this process logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn plain() -> String {
    OURS.map(|server| format!("example NS {server}\n")).concat()
}

fn keyed(key: &Key) -> String {
    OURS.map(|server| format!("example NS {}.{server}\n", key.label())).concat()
}

fn zone(serial: u32, names: [String; 2]) -> String {
    let [a, b] = names;
    format!("$TTL 300\n@ SOA {a} hostmaster {serial} 1800 900 604800 300\n@ NS {a}\n@ NS {b}\n")
}

/// A front of its own process, and all that it logs.
struct Front {
    address: SocketAddr,
    daemon: std::process::Child,
    log: std::thread::JoinHandle<String>,
}

impl Front {
    fn start(tree: &Tree, directory: &Path) -> Front {
        let config = directory.join("nss-api.toml");
        let log = "[log]\nlevel = \"trace\"\nformat = \"json\"\n";
        std::fs::write(&config, format!("listen = [\"127.0.0.1:0\"]\n{}{log}", tree.config(""))).unwrap();
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_nss-api"))
            .args(["serve", "--config", config.to_str().unwrap()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, serving) = std::sync::mpsc::channel();
        let stderr = daemon.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut all = String::new();
            for line in BufReader::new(stderr).lines().map(Result::unwrap) {
                if line.contains("\"serving\"") {
                    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                    let listen = line["fields"]["listen"].as_str().unwrap().trim_matches(['[', ']']).to_owned();
                    sender.send(listen.parse().unwrap()).unwrap();
                }
                all.push_str(&line);
                all.push('\n');
            }
            all
        });
        Front { address: serving.recv().unwrap(), daemon, log }
    }

    fn call(&self, method: &str, target: &str, key: Option<&str>, body: &str) -> Reply {
        let header = key.map(|key| format!("Authorization: Bearer {key}"));
        let headers: Vec<&str> = header.iter().map(String::as_str).collect();
        Connection::to(self.address).call(method, target, &headers, body.as_bytes())
    }

    /// Stops it, and gives back its log.
    fn stop(mut self) -> String {
        kill(Pid::from_raw(self.daemon.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        assert!(self.daemon.wait().unwrap().success());
        self.log.join().unwrap()
    }
}

fn key_in(reply: &Reply) -> Key {
    let mut words = reply.text().split_whitespace();
    words.find_map(|word| word.parse().ok()).expect("the answer has a key")
}

/// The 160 bits that a key's digits stand for.
fn secret(key: &Key) -> Vec<u8> {
    let digit = |octet: u8| match octet {
        b'a'..=b'z' => octet - b'a',
        _ => octet - b'2' + 26,
    };
    let bits =
        key.reveal().bytes().skip(5).take(32).flat_map(|octet| (0..5).rev().map(move |at| digit(octet) >> at & 1));
    let bits: Vec<u8> = bits.collect();
    bits.chunks(8).map(|bits| bits.iter().fold(0, |octet, bit| octet << 1 | bit)).collect()
}

fn contains(octets: &[u8], what: &[u8]) -> bool {
    octets.windows(what.len()).any(|window| window.eq_ignore_ascii_case(what))
}

/// Whether a part of a key that says much of it is there, in whatever form.
fn tells(octets: &[u8], key: &Key) -> bool {
    let secret = secret(key);
    let in_hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
    // Half of the digits are 80 bits: nobody meets them by chance.
    let halves = [&key.reveal()[5..21], &key.reveal()[21..37]];
    halves.iter().any(|half| contains(octets, half.as_bytes()))
        || contains(octets, in_hex.as_bytes())
        || octets.windows(secret.len()).any(|window| window == secret)
}

/// The files below a directory, with what is in them.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            of if of.is_dir() => all.extend(files(&entry.path())),
            of if of.is_file() => all.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap())),
            // The control socket.
            _ => {}
        }
    }
    all
}

#[test]
fn keys_stand_in_no_log_and_in_no_file() {
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    lines.try_init().unwrap();
    let tree = Tree::start(&plain());
    let directory = tempfile::tempdir().unwrap();
    let plain_zone = |serial| zone(serial, OURS.map(str::to_owned));

    let front = Front::start(&tree, directory.path());
    let first = front.call("PUT", ZONE, None, &plain_zone(1));
    let pinned = key_in(first.expect(200, &["this key was made for the domain"]));
    front.call("PUT", ZONE, Some(pinned.reveal()), &plain_zone(2)).expect(200, &["replaced"]);
    let wrong = Key::generate().unwrap();
    front.call("PUT", ZONE, Some(wrong.reveal()), &plain_zone(3)).expect(403, &["not the key"]);
    front.call("DELETE", ZONE, Some(wrong.reveal()), "").expect(403, &["not the key"]);
    // One digit of another key, and one character too few.
    let mistyped = Key::generate().unwrap();
    let last = mistyped.reveal().len() - 1;
    let other = if mistyped.reveal().ends_with('a') { "b" } else { "a" };
    for text in [format!("{}{other}", &mistyped.reveal()[..last]), mistyped.reveal()[..last].to_owned()] {
        front.call("PUT", ZONE, Some(&text), &plain_zone(3)).expect(401, &["nothing was changed"]);
        front.call("GET", "/v1/delegation?domain=example.com", Some(&text), "").expect(401, &[]);
    }
    // In a place where it does not belong: the answer goes to who sent it, and nothing else is told.
    let misplaced = Key::generate().unwrap();
    front.call("GET", &format!("/v1/zones/{}", misplaced.reveal()), None, "").expect(400, &[]);
    front.call("POST", &format!("/v1/zone?domain=example.com&key={}", misplaced.reveal()), None, "").expect(400, &[]);
    let made = key_in(front.call("POST", "/v1/keys", None, "").expect(200, &[]));
    let names = OURS.map(|server| format!("{}.{server}", made.label()));
    front.call("PUT", "/v1/zones/other.com", Some(made.reveal()), &zone(1, names)).expect(200, &["it is pending"]);
    let mut logs = front.stop();

    // A roll-over, and the domain goes back to the plain names with the new key.
    tree.delegate(&keyed(&made));
    let front = Front::start(&tree, directory.path());
    front.call("PUT", ZONE, Some(pinned.reveal()), &plain_zone(3)).expect(403, &["not the key"]);
    front.call("PUT", ZONE, Some(made.reveal()), &plain_zone(3)).expect(200, &["replaced"]);
    front.call("GET", "/v1/zones/example.com/status", Some(made.reveal()), "").expect(200, &[]);
    logs.push_str(&front.stop());
    tree.delegate(&plain());
    let front = Front::start(&tree, directory.path());
    front.call("PUT", ZONE, Some(made.reveal()), &plain_zone(4)).expect(200, &["replaced"]);
    front.call("DELETE", ZONE, Some(made.reveal()), "").expect(200, &["withdrawn"]);
    logs.push_str(&front.stop());

    let apex: NameBuf = "example.com".parse().unwrap();
    let pin = made.pin(apex.as_name()).to_string();
    let pin: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&pin[at..at + 2], 16).unwrap()).collect();
    let state = tree.control_socket().parent().unwrap().to_owned();
    let stopped = tree.stop_ours();
    let files = files(&state);
    let own_log = log.0.lock().unwrap().clone();

    // What is looked through is what was written: the pin is stored, and the logs are those of what was done.
    assert!(files.iter().any(|(_, octets)| octets.windows(pin.len()).any(|window| window == pin)), "the pin is stored");
    assert!(logs.contains("\"TRACE\"") && logs.contains("\"upload\"") && logs.contains("\"key-wrong\""), "{logs}");
    assert!(contains(&own_log, b"example.com"), "{}", String::from_utf8_lossy(&own_log));
    assert!(tells(pinned.reveal().to_uppercase().as_bytes(), &pinned) && tells(&secret(&pinned), &pinned));
    assert!(!tells(wrong.reveal().as_bytes(), &pinned));

    for (what, key) in
        [("pinned", &pinned), ("wrong", &wrong), ("mistyped", &mistyped), ("misplaced", &misplaced), ("made", &made)]
    {
        assert!(!tells(logs.as_bytes(), key), "the {what} key is in the front's log:\n{logs}");
        assert!(!tells(&own_log, key), "the {what} key is in the name server's log");
        for (path, octets) in &files {
            assert!(!tells(octets, key), "the {what} key is in {path}");
        }
    }
    drop(stopped);
}
