//! NSD, Knot DNS and BIND as the parent: two servers of a TLD on loopback, and what the checker makes of them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nss_registrar_check::{
    AddressPolicy, Checker, Config, DsRecords, Findings, HiddenDelegation, NameServer, NotDelegated, Ours, Outcome,
    Required, Security, Transport, Unknown, Verdict,
};
use nss_wire::NameBuf;
use tempfile::TempDir;

use crate::checker::{Net, free_port};
use crate::internet::{Internet, anchor};
use crate::signer::Denial;

#[test]
fn nsd_as_the_parent() {
    check_peer(Peer::Nsd, Signing::None);
}

#[test]
fn knot_as_the_parent() {
    check_peer(Peer::Knot, Signing::None);
}

#[test]
fn bind_as_the_parent() {
    check_peer(Peer::Bind, Signing::None);
}

#[test]
fn nsd_as_the_signed_parent() {
    check_peer(Peer::Nsd, Signing::Nsec3);
    check_peer(Peer::Nsd, Signing::OptOut);
}

#[test]
fn knot_as_the_signed_parent() {
    check_peer(Peer::Knot, Signing::OptOut);
    check_peer(Peer::Knot, Signing::Nsec);
}

#[test]
fn bind_as_the_signed_parent() {
    check_peer(Peer::Bind, Signing::Nsec);
    check_peer(Peer::Bind, Signing::Nsec3);
}

/// Signatures that ended years ago, and keys that the root's DS record is not of.
#[test]
fn parents_whose_signatures_are_not_good_are_not_believed() {
    for peer in [Peer::Nsd, Peer::Knot, Peer::Bind] {
        let bogus = |tree: &Tree, expected: &str| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (root, config) = tree.signed_root();
            let _root = runtime.block_on(Net::start_on(root, tree.port));
            let checker = Checker::new(config);
            for domain in ["shop.example", "signed.example", "plain.example", "nothing.example"] {
                let findings = runtime.block_on(checker.findings(name(domain).as_name()));
                let Outcome::Unknown(Unknown::Bogus { zone, what }) = &findings.outcome else {
                    panic!("{peer:?} {domain}: {:?}\n{}", findings.outcome, findings.evidence)
                };
                assert!(zone.to_string() == "example." && what.contains(expected), "{peer:?}: {zone} {what}");
            }
        };
        let Some(tree) = Tree::start(peer, Signing::Expired) else { return };
        bogus(&tree, "expired");
        let Some(mut tree) = Tree::start(peer, Signing::Nsec3) else { return };
        let last = tree.ds.pop().unwrap();
        tree.ds.push(if last == '0' { '1' } else { '0' });
        bogus(&tree, "has none of the keys that the DS records in . name");
    }
}

/// How the zone of the peer is signed, by BIND's tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signing {
    None,
    Nsec,
    Nsec3,
    OptOut,
    /// With NSEC, and years ago.
    Expired,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Nsd,
    Knot,
    Bind,
}

/// A parent says the same whether it is signed or not; what it says of DS records is proven then.
fn check_peer(peer: Peer, signing: Signing) {
    let Some(tree) = Tree::start(peer, signing) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (root, config) = match signing {
        Signing::None => (tree.root(), tree.config()),
        Signing::Nsec | Signing::Nsec3 | Signing::OptOut | Signing::Expired => tree.signed_root(),
    };
    let _root = runtime.block_on(Net::start_on(root, tree.port));
    let checker = Checker::new(config.clone());
    let ask = |domain: &str| runtime.block_on(checker.findings(name(domain).as_name()));
    let says = |domain: &str, expected: &str| {
        let findings = ask(domain);
        assert_eq!(sentence(&findings), expected, "{peer:?}\n{}", findings.evidence);
    };

    says("shop.example", "example. delegates shop.example. to ns1.example.net., ns2.example.net.");
    says("cut.deep.example", "example. delegates cut.deep.example. to ns1.example.net.");
    says("alias.example", "no: the name is an alias by the CNAME record of alias.example.");
    says("x.moved.example", "no: the name is an alias by the DNAME record of moved.example.");
    says("x.roam.example", "no: the name is an alias by the CNAME record of x.roam.example.");
    for domain in ["plain.example", "deep.example", "x.wild.example"] {
        says(domain, "no: the name is part of the zone example., which has no NS records for it");
    }
    for domain in ["nothing.example", "a.b.nothing.example", "x.plain.example"] {
        says(domain, "no: there is no such name in example.");
    }

    let split = ask("split.example");
    let is_open = matches!(split.outcome, Outcome::Unknown(Unknown::Disagreement { .. }));
    assert!(is_open, "{peer:?}\n{}", split.evidence);
    let lame = ask("x.lame.example");
    let expected = Outcome::Unknown(Unknown::NoAnswer { zone: name("lame.example") });
    assert_eq!(lame.outcome, expected, "{peer:?}\n{}", lame.evidence);

    // The child's own servers may be lame; the delegation stands all the same. Some parents add the sibling glue.
    let lame = ask("lame.example");
    let Outcome::Delegation(delegation) = &lame.outcome else { panic!("{peer:?}\n{}", lame.evidence) };
    let servers: Vec<String> = delegation.name_servers.iter().map(|server| server.name.to_string()).collect();
    assert_eq!(servers, ["a.nic.example.", "b.nic.example."], "{peer:?}");

    let crowd = ask("crowd.example");
    let Outcome::Delegation(delegation) = &crowd.outcome else { panic!("{peer:?}\n{}", crowd.evidence) };
    assert_eq!(delegation.name_servers.len(), CROWD);
    assert!(crowd.evidence.steps.iter().any(|step| step.transport == Transport::Tcp), "the set does not fit into UDP");

    // Of a zone that is not signed the servers have the records all the same, and a DS query finds them.
    let ds = |domain: &str| {
        let findings = runtime.block_on(checker.findings_with_ds(name(domain).as_name()));
        let Outcome::Delegation(delegation) = &findings.outcome else { panic!("{peer:?}\n{}", findings.evidence) };
        let expected = match signing {
            Signing::None => Security::Unchecked,
            Signing::Nsec | Signing::Nsec3 | Signing::OptOut | Signing::Expired => Security::Secure,
        };
        assert_eq!(delegation.security, expected, "{peer:?} {signing:?}");
        delegation.ds.clone()
    };
    assert_eq!(
        ds("signed.example"),
        DsRecords::Present(vec![
            [&[0, 1, 13, 2][..], &[0xab; 32]].concat(),
            [&[0xff, 0xff, 13, 2][..], &[0xcd; 32]].concat()
        ])
    );
    assert_eq!(ds("shop.example"), DsRecords::Absent, "{peer:?}");
    assert_eq!(ds("crowd.example"), DsRecords::Absent, "{peer:?}");

    let both = ask("both.example");
    assert_eq!(both.outcome, Outcome::Unknown(Unknown::Hidden { parent: name("example") }), "{}", both.evidence);
    let trusting = Checker::new(Config { hidden: HiddenDelegation::TrustApex, ..config.clone() });
    let both = runtime.block_on(trusting.findings(name("both.example").as_name()));
    assert_eq!(sentence(&both), "example. delegates both.example. to ns1.example.net.", "{}", both.evidence);

    let glue_of = |address: &str| {
        let server = NameServer { name: name("ns.glue.example"), addresses: vec![address.parse().unwrap()] };
        ask("glue.example").judge(&Ours { name_servers: vec![server], required: Required::All })
    };
    assert!(matches!(glue_of("192.0.2.53"), Verdict::Delegated { .. }), "{peer:?}: {}", glue_of("192.0.2.53"));
    let wrong = glue_of("192.0.2.54");
    assert!(matches!(wrong, Verdict::NotDelegated { reason: NotDelegated::Glue { .. }, .. }), "{peer:?}: {wrong}");
}

fn sentence(findings: &Findings) -> String {
    match &findings.outcome {
        Outcome::Delegation(delegation) => delegation.to_string(),
        Outcome::NotDelegated(reason) => format!("no: {reason}"),
        Outcome::Unknown(reason) => format!("unknown: {reason}"),
    }
}

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

/// Two servers of example., stopped when dropped.
struct Tree {
    port: u16,
    addresses: [IpAddr; 2],
    root: Ipv4Addr,
    /// Lines of the root zone, when example. is signed.
    ds: String,
    /// Before the directory, so that they are gone when it goes.
    _servers: [Server; 2],
    _directory: TempDir,
}

impl Tree {
    /// `None` when the peer is not installed.
    fn start(peer: Peer, signing: Signing) -> Option<Tree> {
        let binary = peer.binary()?;
        let directory = tempfile::tempdir().unwrap();
        let ds = match signing {
            Signing::None => String::new(),
            Signing::Nsec | Signing::Nsec3 | Signing::OptOut | Signing::Expired => make_key(directory.path())?,
        };
        let addresses = peer.addresses();
        let root = Ipv4Addr::new(127, 2, 0, 1 + peer as u8);
        let port = free_port(&[addresses[0], addresses[1], IpAddr::V4(root)]);
        let both_zone = "$TTL 3600\nboth.example. SOA ns1.example.net. h.example. 1 3600 600 86400 300\n\
             both.example. NS ns1.example.net.\n";
        let servers = [("a", addresses[0], "ns1.example.net."), ("b", addresses[1], "ns2.example.net.")];
        let servers = servers.map(|(label, address, split)| {
            let directory = directory.path().join(label);
            fs::create_dir(&directory).unwrap();
            let zones = [("example.", tld_zone(addresses, split)), ("both.example.", both_zone.to_owned())];
            let zones = zones.map(|(apex, text)| {
                let file = directory.join(format!("{apex}zone"));
                fs::write(&file, text).unwrap();
                if apex == "example." {
                    sign(signing, directory.parent().unwrap(), &file);
                }
                (apex, file)
            });
            Server::start(peer, &binary, &directory, SocketAddr::new(address, port), &zones)
        });
        servers.iter().for_each(|server| server.wait_until_it_serves("example."));
        Some(Tree { port, addresses, root, ds, _servers: servers, _directory: directory })
    }

    /// The root, which delegates example. to the peer's two servers.
    fn root(&self) -> Internet {
        let [a, b] = self.addresses.map(address_record);
        let mut internet = Internet::default();
        internet.zone(
            ".",
            &[&self.root.to_string()],
            &format!(
                "example. NS a.nic.example.\n example. NS b.nic.example.\n a.nic.example. {a}\n b.nic.example. {b}\n{}",
                self.ds
            ),
        );
        internet
    }

    /// The root, signed, and a configuration with its trust anchor.
    fn signed_root(&self) -> (Internet, Config) {
        let mut root = self.root();
        let anchor = anchor(&root.sign(".", Denial::Nsec));
        root.sign_for_now(".");
        (root, Config { trust_anchors: vec![anchor], ..self.config() })
    }

    fn config(&self) -> Config {
        Config {
            root_hints: vec![IpAddr::V4(self.root)],
            port: self.port,
            trust_anchors: Vec::new(),
            addresses: AddressPolicy::PublicAndLoopback,
            ..Config::default()
        }
    }
}

fn address_record(address: IpAddr) -> String {
    format!("{} {address}", if address.is_ipv4() { "A" } else { "AAAA" })
}

/// The zone example., as one of its servers has it.
fn tld_zone(addresses: [IpAddr; 2], split: &str) -> String {
    let [a, b] = addresses.map(address_record);
    let [ab, cd] = ["ab", "cd"].map(|octet| octet.repeat(32));
    let crowd: String = (0..CROWD)
        .map(|i| format!("crowd NS ns-{i}.a-name-server-with-a-long-name.and-yet-another-label-{i}.example.net.\n"))
        .collect();
    format!(
        "$TTL 3600\n$ORIGIN example.\n@ SOA a.nic hostmaster 1 3600 600 86400 300\n@ NS a.nic\n@ NS b.nic\n\
         a.nic {a}\nb.nic {b}\n\
         shop NS ns1.example.net.\nshop NS ns2.example.net.\n\
         cut.deep NS ns1.example.net.\n\
         signed NS ns1.example.net.\nsigned DS 65535 13 2 {cd}\nsigned DS 1 13 2 {ab}\n\
         plain A 192.0.2.80\n*.wild A 192.0.2.80\n*.roam CNAME plain\n\
         alias CNAME plain\nmoved DNAME shop\n\
         split NS {split}\n\
         lame NS a.nic\nlame NS b.nic\n\
         both NS ns1.example.net.\n\
         glue NS ns.glue\nns.glue A 192.0.2.53\n{crowd}"
    )
}

/// Name servers of crowd.example., more than 1232 octets of them.
const CROWD: usize = 30;

/// Makes the key of example. in `keys`; returns the DS record for the root, `None` when there is no signer.
fn make_key(keys: &Path) -> Option<String> {
    find("dnssec-signzone", "bind9-utils")?;
    let mut keygen = Command::new(find("dnssec-keygen", "bind9-utils")?);
    run(keygen.arg("-q").arg("-K").arg(keys).args(["-a", "ECDSAP256SHA256", "-f", "KSK", "example."]));
    let files = fs::read_dir(keys).unwrap().map(|entry| entry.unwrap().path());
    let key = files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "key")).unwrap();
    let text = run(Command::new(find("dnssec-dsfromkey", "bind9-utils")?).args(["-2"]).arg(key));
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["example.", "IN", "DS", tag, algorithm, digest_type, digest @ ..] = &words[..] else { panic!("{text}") };
    let [tag, algorithm, digest_type] = [tag, algorithm, digest_type].map(|word| word.parse::<u16>().unwrap());
    Some(format!("example. DS {tag:04x}{algorithm:02x}{digest_type:02x}{}", digest.concat()))
}

/// Signs the zone file with the key in `keys`, in place.
fn sign(signing: Signing, keys: &Path, file: &Path) {
    let options: &[&str] = match signing {
        Signing::None => return,
        Signing::Nsec => &[],
        Signing::Nsec3 => &["-3", "abcd", "-H", "3"],
        Signing::OptOut => &["-3", "-", "-H", "0", "-A"],
        Signing::Expired => &["-s", "20200101000000", "-e", "20200201000000"],
    };
    let mut signer = Command::new(find("dnssec-signzone", "bind9-utils").unwrap());
    signer.arg("-K").arg(keys).args(["-q", "-S", "-z", "-P", "-o", "example.", "-d"]).arg(keys).args(options);
    run(signer.arg("-f").arg(file).arg(file));
}

/// What the command prints, if it ends with success.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

struct Server {
    process: Child,
    at: SocketAddr,
    directory: PathBuf,
}

impl Server {
    fn start(peer: Peer, binary: &Path, directory: &Path, at: SocketAddr, zones: &[(&str, PathBuf)]) -> Server {
        let config = directory.join("server.conf");
        fs::write(&config, peer.config(directory, at, zones)).unwrap();
        let log = fs::File::create(directory.join("output")).unwrap();
        let mut command = Command::new(binary);
        match peer {
            Peer::Nsd => command.arg("-d").arg("-c").arg(&config),
            Peer::Knot => command.arg("-c").arg(&config),
            Peer::Bind => command.args(["-g", "-n", "1", "-c"]).arg(&config),
        };
        command.current_dir(directory).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Server { process: command.spawn().unwrap(), at, directory: directory.to_owned() }
    }

    /// Asks for the SOA record until it comes.
    fn wait_until_it_serves(&self, apex: &str) {
        let mut message = Message::query();
        message.add_query(Query::query(Name::from_ascii(apex).unwrap(), RecordType::SOA));
        let query = message.to_vec().unwrap();
        let started = Instant::now();
        while started.elapsed() < START_TIME_MAX {
            let from = if self.at.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
            let socket = UdpSocket::bind(from).unwrap();
            socket.connect(self.at).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            let mut buffer = [0; 1500];
            let reply = socket.send(&query).and_then(|_| socket.recv(&mut buffer));
            match reply.map(|size| Message::from_vec(&buffer[..size])) {
                Ok(Ok(reply)) if reply.metadata.authoritative && !reply.answers.is_empty() => return,
                // An error comes at once when nobody listens yet: give the processor to the one who should.
                _ => std::thread::yield_now(),
            }
        }
        let output = fs::read_to_string(self.directory.join("output")).unwrap_or_default();
        panic!("{} does not serve {apex}:\n{output}", self.at);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, because NSD has processes of its own to stop.
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        let _ = kill(pid, Signal::SIGTERM);
        let started = Instant::now();
        while started.elapsed() < STOP_TIME_MAX {
            match self.process.try_wait() {
                Ok(None) => std::thread::yield_now(),
                Ok(Some(_)) | Err(_) => return,
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a program is; `None` skips the test, which CI must not do.
fn find(program: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = directories.map(|directory| directory.join(program)).find(|file| file.is_file());
    if found.is_none() {
        let advice = format!("{program} is not installed; on Debian: apt-get install {package}");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{advice}");
        eprintln!("skipped: {advice}");
    }
    found
}

impl Peer {
    /// Where the program is; `None` skips the test.
    fn binary(self) -> Option<PathBuf> {
        let (program, package) = match self {
            Peer::Nsd => ("nsd", "nsd"),
            Peer::Knot => ("knotd", "knot"),
            Peer::Bind => ("named", "bind9"),
        };
        find(program, package)
    }

    /// Where its two servers listen. BIND listens on addresses of interfaces only, and loopback has these two.
    fn addresses(self) -> [IpAddr; 2] {
        match self {
            Peer::Nsd => [2, 3].map(|host| IpAddr::V4(Ipv4Addr::new(127, 2, 1, host))),
            Peer::Knot => [2, 3].map(|host| IpAddr::V4(Ipv4Addr::new(127, 2, 2, host))),
            Peer::Bind => [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
        }
    }

    fn config(self, directory: &Path, at: SocketAddr, zones: &[(&str, PathBuf)]) -> String {
        let (directory, address, port) = (directory.display(), at.ip(), at.port());
        let (v4, v6) = match address {
            IpAddr::V4(v4) => (v4.to_string(), "none".to_owned()),
            IpAddr::V6(v6) => ("none".to_owned(), v6.to_string()),
        };
        let mut config = match self {
            Peer::Nsd => format!(
                "server:\n  ip-address: {address}@{port}\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  \
                 pidfile: \"\"\n  database: \"\"\n  zonesdir: \"{directory}\"\n  xfrdir: \"{directory}\"\n  \
                 xfrdfile: \"{directory}/xfrd.state\"\n  zonelistfile: \"{directory}/zone.list\"\n  \
                 answer-cookie: yes\n  cookie-secret: \"000102030405060708090a0b0c0d0e0f\"\n\
                 remote-control:\n  control-enable: no\n"
            ),
            Peer::Knot => format!(
                "server:\n  listen: {address}@{port}\n  rundir: {directory}\n  udp-workers: 1\n  tcp-workers: 1\n  \
                 background-workers: 1\ncontrol:\n  listen: {directory}/control\ndatabase:\n  storage: {directory}\n\
                 log:\n  - target: stderr\n    any: warning\nzone:\n"
            ),
            Peer::Bind => format!(
                "options {{\n  directory \"{directory}\";\n  listen-on port {port} {{ {v4}; }};\n  \
                 listen-on-v6 port {port} {{ {v6}; }};\n  pid-file none;\n  session-keyfile none;\n  lock-file none;\n  \
                 recursion no;\n  notify no;\n  dnssec-validation no;\n  empty-zones-enable no;\n}};\ncontrols {{ }};\n"
            ),
        };
        for (apex, file) in zones {
            let file = file.display();
            config += &match self {
                Peer::Nsd => format!("zone:\n  name: \"{apex}\"\n  zonefile: \"{file}\"\n"),
                Peer::Knot => format!("  - domain: {apex}\n    file: {file}\n"),
                Peer::Bind => format!("zone \"{apex}\" {{ type primary; file \"{file}\"; }};\n"),
            };
        }
        config
    }
}

/// A busy machine takes a few seconds to start three servers.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// As long as the slowest of them takes to write its journals.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);
