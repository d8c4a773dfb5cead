//! Whether an operator's own setup is right: a real tree with the operator's zone on real servers, seen by the program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::tree::{NameServer, parent_zone};

/// An operator's zone, its delegation and its servers.
struct Operator {
    /// What `net.` has of `example.net.`
    delegation: String,
    /// The records of `example.net.`, behind its SOA record.
    zone: String,
    /// The same on the second server, where it is a daemon with another version.
    zone_b: Option<String>,
    /// A zone that was uploaded to the first server.
    uploaded: Option<&'static str>,
    /// The last octets of the addresses that our server listens on.
    hosts: Vec<u8>,
    /// Those of the root servers that the program is told of.
    hints: [u8; 2],
    /// Lines of the configuration of nss-api.
    config: String,
}

/// The address of a host of the tree in which these words are filled in.
const A: &str = "{5}";
const B: &str = "{6}";

impl Operator {
    /// As it should be: glue, wildcards, both families where this machine has both.
    fn right() -> Operator {
        let (mut glue, mut zone) = (String::new(), String::new());
        for (name, address) in [("ns1", A), ("ns2", B)] {
            glue.push_str(&format!("example NS {name}.dns.example\n{name}.dns.example A {address}\n"));
            zone.push_str(&format!("@ NS {name}.dns\n{name}.dns A {address}\n*.{name}.dns A {address}\n"));
            if has_ipv6() {
                glue.push_str(&format!("{name}.dns.example AAAA ::1\n"));
                zone.push_str(&format!("{name}.dns AAAA ::1\n*.{name}.dns AAAA ::1\n"));
            }
        }
        Operator {
            delegation: glue,
            zone,
            zone_b: None,
            uploaded: None,
            hosts: vec![5, 6],
            hints: [1, 2],
            config: String::new(),
        }
    }

    /// Starts it all and has the program look at it.
    fn check(&self, arguments: &[&str]) -> Seen {
        static TREES: AtomicU8 = AtomicU8::new(201);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let process = (std::process::id() % 200) as u8 + 20;
        let tree = TREES.fetch_add(1, Ordering::Relaxed);
        let address = |host: u8| IpAddr::V4(Ipv4Addr::new(127, process, tree, host));
        let fill = |text: &str| {
            (1..=9).fold(text.to_owned(), |text, n| text.replace(&format!("{{{n}}}"), &address(n).to_string()))
        };
        let soa = |serial: u32| format!("$TTL 60\n@ SOA ns1.dns hostmaster {serial} 1800 900 604800 60\n");
        let root = fill(
            "$TTL 60\n. SOA a.root. hostmaster.root. 1 1800 900 604800 60\n. NS a.root.\n. NS b.root.\na.root. A {1}\n\
             b.root. A {2}\nnet. NS a.net.\nnet. NS b.net.\na.net. A {3}\nb.net. A {4}\n",
        );
        let net = parent_zone(address(3), address(4), &fill(&self.delegation));
        let example = soa(1) + &fill(&self.zone);
        for _ in 0..50 {
            let port = UdpSocket::bind((address(1), 0)).unwrap().local_addr().unwrap().port();
            let start = |hosts: &[u8], zone: (&str, &str)| {
                let mut listen: Vec<SocketAddr> = hosts.iter().map(|&host| (address(host), port).into()).collect();
                if hosts.contains(&5) && has_ipv6() {
                    listen.push((Ipv6Addr::LOCALHOST, port).into());
                }
                NameServer::start(&runtime, &listen, &[zone], nssd::clock::Clock::default())
            };
            let Some(above) = start(&[1, 2], (".", &root)) else { continue };
            let Some(net) = start(&[3, 4], ("net", &net)) else { continue };
            let Some(ours) = start(&self.hosts, ("example.net", &example)) else { continue };
            let other = self.zone_b.as_ref().map(|zone| start(&[6], ("example.net", &(soa(2) + &fill(zone)))));
            let other = match other {
                Some(None) => continue,
                Some(Some(other)) => Some(other),
                None => None,
            };
            if let Some(apex) = self.uploaded {
                let text = format!("{}@ NS ns1.dns.example.net.\n", soa(1));
                let client = nssd::control::Client::new(ours.control_socket());
                let apex: nss_wire::NameBuf = apex.parse().unwrap();
                let put = nssd::control::PutOptions::default();
                runtime.block_on(client.put_zone(apex.as_name(), text.into(), &put)).unwrap();
            }
            let directory = tempfile::tempdir().unwrap();
            let control_socket = match self.config.contains("control_socket") {
                true => String::new(),
                false => format!("control_socket = {:?}", ours.control_socket()),
            };
            let config = format!(
                "name_servers = [\"ns1.dns.example.net\", \"ns2.dns.example.net\"]\n{control_socket}\n{}\n[parent]\n\
                 root_hints = [\"{}\", \"{}\"]\ndns_port = {port}\nallow_private_addresses = true\n",
                self.config,
                address(self.hints[0]),
                address(self.hints[1])
            );
            let path = directory.path().join("nss-api.toml");
            std::fs::write(&path, config).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_nss-api"));
            command.arg("check-setup").arg("--config").arg(&path).args(arguments.iter().map(|text| fill(text)));
            let output = command.stdin(Stdio::null()).output().unwrap();
            return Seen {
                output,
                address: fill(A),
                other: fill(B),
                _servers: (above, net, ours, other),
                _directory: directory,
                _runtime: runtime,
            };
        }
        panic!("no free port");
    }
}

/// What the program said, and everything that has to live that long.
struct Seen {
    output: Output,
    address: String,
    other: String,
    _servers: (NameServer, NameServer, NameServer, Option<NameServer>),
    _directory: TempDir,
    _runtime: Runtime,
}

impl Seen {
    fn text(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }

    /// Fails unless it ended with `code` and a line begins with `start` and has all `words`.
    #[track_caller]
    fn expect(&self, code: i32, start: &str, words: &[&str]) -> &Seen {
        let text = self.text();
        let errors = String::from_utf8_lossy(&self.output.stderr);
        let is_meant = |line: &str| line.starts_with(start) && words.iter().all(|word| line.contains(word));
        assert!(text.lines().any(is_meant), "no line {start:?} with {words:?} in:\n{text}{errors}");
        assert_eq!(self.output.status.code(), Some(code), "{text}{errors}");
        self
    }
}

/// Whether this machine has the IPv6 loopback address.
fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn a_right_setup_has_nothing_wrong() {
    let seen = Operator::right().check(&[]);
    seen.expect(0, "ok      example.net.: net. delegates example.net. to", &[])
        .expect(0, "ok      ns1.dns.example.net.: has the address", &[&seen.address])
        .expect(0, "ok      ns2.dns.example.net.: the glue in net. is right", &[])
        .expect(0, "ok      ns2.dns.example.net.: names with the label of a key in front have the address", &[])
        .expect(0, &format!("ok      {}: answers for example.net. over UDP and TCP with serial 1", seen.other), &[])
        .expect(0, "ok      clock: it differs by", &[]);
    assert!(!seen.text().contains("wrong   "), "{}", seen.text());
    assert_eq!(seen.text().contains("has no IPv6 address"), !has_ipv6());
    let json = Operator::right().check(&["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.text()).unwrap();
    assert!(["ok", "advice"].contains(&json["verdict"].as_str().unwrap()), "{json}");
    assert!(json["findings"].as_array().unwrap().iter().any(|finding| finding["about"] == "ns1.dns.example.net."));
}

#[test]
fn a_name_without_a_wildcard_is_wrong_unless_nobody_needs_labels() {
    let mut operator = Operator::right();
    operator.zone =
        operator.zone.lines().filter(|line| !line.starts_with("*.ns2.dns")).map(|line| format!("{line}\n")).collect();
    let words = ["names with the label of a key in front have no address", "add *.ns2.dns.example.net. A"];
    operator.check(&[]).expect(1, "wrong   ns2.dns.example.net.:", &words).expect(
        1,
        "ok      ns1.dns.example.net.:",
        &["label"],
    );
    operator.config = "ownership = \"open\"".into();
    operator.check(&[]).expect(0, "advice  ns2.dns.example.net.:", &words);
}

#[test]
fn glue_that_differs_from_the_zone_is_wrong_and_glue_that_lacks_is_wrong_too() {
    let mut operator = Operator::right();
    operator.delegation = operator.delegation.replace("ns2.dns.example A {6}", "ns2.dns.example A {7}");
    operator
        .check(&[])
        .expect(1, "wrong   ns2.dns.example.net.: the glue in net. has 127.", &["which the zone does not have"])
        .expect(1, "wrong   127.", &["does not answer over UDP"]);
    operator.delegation = operator
        .delegation
        .lines()
        .filter(|line| !line.starts_with("ns2.dns"))
        .map(|line| format!("{line}\n"))
        .collect();
    operator.check(&[]).expect(1, "wrong   ns2.dns.example.net.: net. has no glue for it", &["at the registrar"]);
}

#[test]
fn a_silent_server_is_wrong_and_hides_nothing_of_the_others() {
    let mut operator = Operator::right();
    operator.hosts = vec![5];
    let seen = operator.check(&[]);
    seen.expect(1, &format!("wrong   {}: does not answer over UDP", seen.other), &["firewall"])
        .expect(1, &format!("wrong   {}: does not answer over TCP", seen.other), &[])
        .expect(1, &format!("ok      {}: answers for example.net.", seen.address), &[])
        .expect(1, "ok      ns1.dns.example.net.: the glue", &[]);
}

#[test]
fn servers_with_different_versions_are_wrong() {
    let mut operator = Operator::right();
    operator.hosts = vec![5];
    operator.zone_b = Some(operator.zone.clone());
    let seen = operator.check(&[]);
    seen.expect(
        1,
        "wrong   example.net.: its servers have different versions: serial 1 at",
        &["serial 2 at", &seen.other],
    );
}

#[test]
fn a_server_that_does_not_serve_what_was_uploaded_is_wrong() {
    let mut operator = Operator::right();
    operator.uploaded = Some("example.com");
    let seen = operator.check(&[]);
    seen.expect(0, &format!("ok      {}: answers for example.net.", seen.other), &[]);
    operator.hosts = vec![5];
    // The other server has the operator's zone, in the same version, and nothing else.
    operator.zone_b = Some(operator.zone.clone());
    let seen = operator.check(&[]);
    seen.expect(
        1,
        &format!("wrong   {}: does not answer for example.com., which was uploaded here", seen.other),
        &["transfer"],
    );
}

#[test]
fn addresses_that_nobody_outside_reaches_are_wrong() {
    let mut operator = Operator::right();
    let (from, to) = ("ns2.dns A {6}", "ns2.dns A 224.0.0.6");
    assert!(operator.zone.contains(from));
    operator.zone = operator.zone.replace(from, to);
    operator.check(&[]).expect(1, "wrong   ns2.dns.example.net.: nobody outside can reach 224.0.0.6", &[]);
}

#[test]
fn a_missing_family_is_advice_for_ipv6_and_wrong_for_ipv4() {
    let mut operator = Operator::right();
    let without = |text: &str, word: &str| -> String {
        text.lines().filter(|line| !line.contains(word)).map(|line| format!("{line}\n")).collect()
    };
    operator.zone = without(&operator.zone, " AAAA ");
    operator.delegation = without(&operator.delegation, " AAAA ");
    operator.check(&[]).expect(0, "advice  ns1.dns.example.net.: has no IPv6 address", &["AAAA record", "glue"]);
    if has_ipv6() {
        let mut operator = Operator::right();
        operator.zone = without(&operator.zone, "ns2.dns A ");
        operator.delegation = without(&operator.delegation, "ns2.dns.example A ");
        operator.check(&[]).expect(1, "wrong   ns2.dns.example.net.: has no IPv4 address", &[]);
    }
}

#[test]
fn addresses_that_are_not_ours_are_wrong_when_ours_were_named() {
    let operator = Operator::right();
    let seen = operator.check(&["--address", A, "--address", "::1"]);
    seen.expect(1, "wrong   ns2.dns.example.net.: has addresses that were not named as ours:", &[&seen.other]);
    operator.check(&["--address", A, "--address", B, "--address", "::1"]).expect(
        0,
        "ok      ns2.dns.example.net.:",
        &[],
    );
}

#[test]
fn a_zone_that_nobody_delegates_is_wrong() {
    let mut operator = Operator::right();
    operator.delegation = String::new();
    operator.check(&[]).expect(1, "wrong   ns1.dns.example.net.: it is in no zone:", &["net."]);
}

#[test]
fn what_could_not_be_found_out_is_neither_right_nor_wrong_and_hides_nothing_that_is_wrong() {
    let mut operator = Operator::right();
    operator.hints = [8, 9];
    operator.check(&[]).expect(2, "unknown ns1.dns.example.net.: its zone could not be found", &["from this machine"]);
    operator.config = "control_socket = \"/nonexistent/control.sock\"".into();
    let seen = operator.check(&[]);
    seen.expect(1, "wrong   /nonexistent/control.sock: cannot connect", &["start it"]);
    seen.expect(1, "unknown ns1.dns.example.net.:", &[]);
}
