//! A delegation tree on loopback, all of it real: name servers of the root, of `com.`, and ours behind the front.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use nss_api::config::Config;
use nss_api::rounds::Rounds;
use nss_wire::{NameBuf, RType};
use nssd::clock::Clock;
use nssd::server::Server;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::signer::{Signatures, Signer};
use crate::support::{Api, PATIENCE};

/// Our name servers, as every zone here has to name them.
pub(crate) const OURS: [&str; 2] = ["ns1.dns.example.net.", "ns2.dns.example.net."];

/// The name servers of the root, of `com.` and `net.`, and ours, which also serve `example.net.` with their own names.
pub(crate) struct Tree {
    pub(crate) root: NameServer,
    pub(crate) com: NameServer,
    /// The second server of `com.`, where it is a daemon of its own.
    com_b: Option<NameServer>,
    pub(crate) ours: NameServer,
    pub(crate) runtime: Runtime,
    /// The time of our server and of the fronts, in seconds since 1970; 0 for that of this machine.
    time: Arc<AtomicU64>,
    /// Sockets in the place of those of `com.`, from which nothing is read.
    silent: Vec<(UdpSocket, TcpListener)>,
    /// Who signs the root and `com.`, where they are signed.
    signer: Option<Signer>,
}

/// How servers do not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deafness {
    /// Nobody listens, and the kernel says so.
    Refusing,
    /// What arrives is lost.
    Silent,
}

impl Tree {
    /// A tree in which `com.` holds `delegations`, written as a zone file has them.
    pub(crate) fn start(delegations: &str) -> Tree {
        Tree::start_with(delegations, &[])
    }

    /// As [`Tree::start`], and `files` are zones from the operator's files on our own server: name and text.
    pub(crate) fn start_with(delegations: &str, files: &[(&str, &str)]) -> Tree {
        Tree::start_all(delegations, None, files, None)
    }

    /// A tree in which the root and `com.` are signed and the fronts know the root's key; `None` where there is nobody to sign them.
    pub(crate) fn start_signed(delegations: &str) -> Option<Tree> {
        Some(Tree::start_all(delegations, None, &[], Some(Signer::new()?)))
    }

    /// A tree in which the two servers of `com.` hold different delegations.
    pub(crate) fn start_split(at_a: &str, at_b: &str) -> Tree {
        Tree::start_all(at_a, Some(at_b), &[], None)
    }

    fn start_all(delegations: &str, at_b: Option<&str>, files: &[(&str, &str)], signer: Option<Signer>) -> Tree {
        static TREES: AtomicU8 = AtomicU8::new(1);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        // Addresses of this process and this tree alone; another program may still have the port, so it is tried again.
        let process = (std::process::id() % 200) as u8 + 20;
        let tree = TREES.fetch_add(1, Ordering::Relaxed);
        let address = |host: u8| IpAddr::V4(Ipv4Addr::new(127, process, tree, host));
        let root = format!(
            "$TTL 60\n. SOA a.root. hostmaster.root. 1 1800 900 604800 60\n. NS a.root.\n. NS b.root.\n\
             a.root. A {}\nb.root. A {}\ncom. NS a.com.\ncom. NS b.com.\na.com. A {c}\nb.com. A {d}\n\
             net. NS a.net.\nnet. NS b.net.\na.net. A {c}\nb.net. A {d}\n",
            address(1),
            address(2),
            c = address(3),
            d = address(4)
        );
        let root = match &signer {
            Some(signer) => {
                let secure = format!("{root}com. DS {}\n", signer.ds("com."));
                signer.sign(".", &secure, Signatures::Good)
            }
            None => root,
        };
        let servers = format!(
            "example NS ns1.dns.example\nexample NS ns2.dns.example\nns1.dns.example A {}\nns2.dns.example A {}\n",
            address(5),
            address(6)
        );
        let net = parent_zone(address(3), address(4), &servers);
        let example_net = format!(
            "$TTL 60\n@ SOA ns1.dns hostmaster 1 1800 900 604800 60\n@ NS ns1.dns\n@ NS ns2.dns\n\
             ns1.dns A {a}\n*.ns1.dns A {a}\nns2.dns A {b}\n*.ns2.dns A {b}\n",
            a = address(5),
            b = address(6)
        );
        let mut files = files.to_vec();
        files.push(("example.net", &example_net));
        for _ in 0..50 {
            let port = UdpSocket::bind((address(1), 0)).unwrap().local_addr().unwrap().port();
            let listen = |hosts: &[u8]| hosts.iter().map(|&host| (address(host), port).into()).collect::<Vec<_>>();
            let start = |hosts: &[u8], zones: &[(&str, &str)]| {
                NameServer::start(&runtime, &listen(hosts), zones, Clock::default())
            };
            let Some(root) = start(&[1, 2], &[(".", &root)]) else { continue };
            let com = |delegations: &str| {
                let text = parent_zone(address(3), address(4), delegations);
                signer.as_ref().map_or(text.clone(), |signer| signer.sign("com.", &text, Signatures::Good))
            };
            let (com, com_b) = match at_b {
                None => (start(&[3, 4], &[("com", &com(delegations)), ("net", &net)]), None),
                Some(at_b) => {
                    let b = start(&[4], &[("com", &com(at_b)), ("net", &net)]);
                    let Some(b) = b else { continue };
                    (start(&[3], &[("com", &com(delegations)), ("net", &net)]), Some(b))
                }
            };
            let Some(com) = com else { continue };
            let time = Arc::new(AtomicU64::new(0));
            let Some(ours) = NameServer::start(&runtime, &listen(&[5, 6]), &files, clock(&time)) else { continue };
            return Tree { root, com, com_b, ours, runtime, time, silent: Vec::new(), signer };
        }
        panic!("no free port");
    }

    /// A front that asks this tree and publishes on its server of ours.
    pub(crate) fn api(&self, more: &str) -> Api {
        let mut config = Config::from_toml(&self.config(more)).unwrap();
        config.clock = clock(&self.time);
        Api::start_with(config)
    }

    /// A front that believes a delegation for so many seconds.
    pub(crate) fn api_that_remembers(&self, seconds: u32) -> Api {
        Api::start(&format!("{}cache_s = {seconds}\n", self.config("")))
    }

    /// Has it be `now` for our server and for all fronts, those that run included.
    pub(crate) fn set_time(&self, now: u64) {
        self.time.store(now, Ordering::SeqCst);
    }

    /// Checks all zones that are due at `now`, with a front's eyes that have not seen anything yet; how many there were.
    pub(crate) fn round(&self, now: u64) -> usize {
        self.round_with("", now)
    }

    /// As [`Tree::round`], with `more` lines of configuration.
    pub(crate) fn round_with(&self, more: &str, now: u64) -> usize {
        let report = self.runtime.block_on(self.rounds(more, Clock::new(move || now)).round()).unwrap();
        assert_eq!(report.failed, 0);
        report.checked
    }

    /// Who makes rounds by `clock`, with eyes that have not seen anything yet.
    pub(crate) fn rounds(&self, more: &str, clock: Clock) -> Arc<Rounds> {
        let mut config = Config::from_toml(&self.config(more)).unwrap();
        config.clock = clock;
        Arc::new(Rounds::new(&config))
    }

    /// Has the servers of `com.` and `net.` answer nobody any more, while the root's do.
    pub(crate) fn stop_com(&mut self, how: Deafness) {
        self.com.stop(&self.runtime);
        if how == Deafness::Silent {
            let silent =
                |&address: &SocketAddr| (UdpSocket::bind(address).unwrap(), TcpListener::bind(address).unwrap());
            self.silent = self.com.listen.iter().map(silent).collect();
        }
    }

    /// Ends what [`Tree::stop_com`] began.
    pub(crate) fn resume_com(&mut self) {
        self.silent.clear();
        self.com.resume(&self.runtime);
    }

    /// The configuration of such a front.
    pub(crate) fn config(&self, more: &str) -> String {
        // Tests change more in a second than people in a day; those of the quotas set them.
        let quotas = match more.contains("[quotas]") {
            true => "",
            false => {
                "[quotas]\nuploads_per_domain_per_minute = 10000\nuploads_per_network_per_minute = 10000\n\
                 uploads_per_second = 10000\n"
            }
        };
        let names = match more.contains("name_servers =") {
            true => String::new(),
            false => format!("name_servers = {OURS:?}"),
        };
        let anchors =
            self.signer.as_ref().map_or(String::new(), |signer| format!("trust_anchors = [{:?}]\n", signer.ds(".")));
        let hints: Vec<String> = self.root.listen.iter().map(|address| format!("\"{}\"", address.ip())).collect();
        format!(
            "{names}\ncontrol_socket = {:?}\n{more}\n{quotas}[parent]\nroot_hints = [{}]\ndns_port = {}\n\
             allow_private_addresses = true\n{anchors}",
            self.control_socket(),
            hints.join(", "),
            self.root.listen[0].port()
        )
    }

    /// Where our server takes orders.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.ours.control_socket()
    }

    /// The addresses of ns1 and ns2.
    pub(crate) fn our_addresses(&self) -> [IpAddr; 2] {
        [self.ours.listen[0].ip(), self.ours.listen[1].ip()]
    }

    /// The addresses of the servers of `com.`.
    pub(crate) fn com_addresses(&self) -> [IpAddr; 2] {
        [self.com.listen[0].ip(), self.com.listen[1].ip()]
    }

    /// Changes what `com.` delegates.
    pub(crate) fn delegate(&self, delegations: &str) {
        self.delegate_with(delegations, Signatures::Good);
    }

    /// As [`Tree::delegate`]; where `com.` is signed, with such signatures.
    pub(crate) fn delegate_with(&self, delegations: &str, signatures: Signatures) {
        assert!(self.com_b.is_none(), "the two servers of com. are told different things at the start only");
        let [a, b] = [self.com.listen[0].ip(), self.com.listen[1].ip()];
        let text = parent_zone(a, b, delegations);
        let text = self.signer.as_ref().map_or(text.clone(), |signer| signer.sign("com.", &text, signatures));
        std::fs::write(self.com.zone_file("com"), text).unwrap();
        let report = self.runtime.block_on(self.com.server.as_ref().unwrap().reload());
        assert_eq!(report.replaced.len(), 1, "{report:?}");
    }

    /// Stops our server, as a crash would.
    pub(crate) fn stop_ours(self) -> StoppedTree {
        let Tree { root, com, com_b, mut ours, runtime, time, silent, signer } = self;
        ours.stop(&runtime);
        StoppedTree(Tree { root, com, com_b, ours, runtime, time, silent, signer })
    }
}

/// A tree whose server of ours is down.
pub(crate) struct StoppedTree(Tree);

impl StoppedTree {
    /// Has a zone be pinned since another time, as if years had gone by.
    pub(crate) fn pinned_at(&self, apex: &str, time: u64) {
        let table = redb::TableDefinition::<&[u8], u64>::new("pin times");
        let database = redb::Database::open(self.0.ours.directory.path().join("zones.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        let apex: NameBuf = apex.parse().unwrap();
        let before =
            transaction.open_table(table).unwrap().insert(apex.as_name().as_wire(), time).unwrap().map(|n| n.value());
        assert!(before.is_some(), "it is pinned");
        transaction.commit().unwrap();
    }

    /// Starts our server again, on what it has stored.
    pub(crate) fn restart(self) -> Tree {
        let StoppedTree(mut tree) = self;
        tree.ours.resume(&tree.runtime);
        tree
    }
}

/// A top-level domain with its two servers.
pub(crate) fn parent_zone(a: IpAddr, b: IpAddr, delegations: &str) -> String {
    format!("$TTL 60\n@ SOA a hostmaster 1 1800 900 604800 60\n@ NS a\n@ NS b\na A {a}\nb A {b}\n{delegations}\n")
}

/// The time that is held in `time`, or where that is 0 that of this machine.
fn clock(time: &Arc<AtomicU64>) -> Clock {
    let (time, machine) = (Arc::clone(time), Clock::default());
    Clock::new(move || match time.load(Ordering::SeqCst) {
        0 => machine.now(),
        now => now,
    })
}

/// One `nssd` with zones from files.
pub(crate) struct NameServer {
    /// `None` while it is stopped.
    server: Option<Server>,
    listen: Vec<SocketAddr>,
    directory: TempDir,
    clock: Clock,
}

impl NameServer {
    /// `None` when an address is taken.
    pub(crate) fn start(
        runtime: &Runtime,
        listen: &[SocketAddr],
        zones: &[(&str, &str)],
        clock: Clock,
    ) -> Option<NameServer> {
        let directory = tempfile::tempdir().unwrap();
        let mut config = String::new();
        for (n, (name, text)) in zones.iter().enumerate() {
            let file = if *name == "." { format!("{n}.zone") } else { format!("{name}.zone") };
            std::fs::write(directory.path().join(&file), text).unwrap();
            config.push_str(&format!("[[zone]]\nname = \"{name}\"\nfile = {:?}\n", directory.path().join(file)));
        }
        std::fs::write(directory.path().join("zones.toml"), config).unwrap();
        let mut server = NameServer { server: None, listen: listen.to_vec(), directory, clock };
        server.serve(runtime).then_some(server)
    }

    /// Stops it, as a crash would.
    fn stop(&mut self, runtime: &Runtime) {
        runtime.block_on(self.server.take().expect("it runs").stop());
    }

    /// Starts it again, on what it has stored.
    fn resume(&mut self, runtime: &Runtime) {
        assert!(self.serve(runtime), "the address was free a moment ago");
    }

    /// Starts it; `false` when an address is taken.
    fn serve(&mut self, runtime: &Runtime) -> bool {
        let path = self.directory.path();
        let addresses: Vec<String> = self.listen.iter().map(|address| format!("\"{address}\"")).collect();
        let config = format!(
            "[server]\nlisten = [{}]\nworkers = 1\nstate_directory = {path:?}\ncontrol_socket = {:?}\n{}",
            addresses.join(", "),
            path.join("control.sock"),
            std::fs::read_to_string(path.join("zones.toml")).unwrap()
        );
        let config = nssd::config::Config::from_toml(&config).unwrap();
        let Ok(server) = runtime.block_on(Server::start_with_clock(config, self.clock.clone())) else { return false };
        let broken = server.status().broken;
        assert!(broken.is_empty(), "{broken:?}");
        self.server = Some(server);
        true
    }

    /// Where it takes orders.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    fn zone_file(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.zone"))
    }

    /// Asks over UDP.
    pub(crate) fn ask(&self, qname: &str, qtype: RType) -> Answer {
        let socket = UdpSocket::bind((self.listen[0].ip(), 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(self.listen[0]).unwrap();
        socket.send(&query(qname, qtype)).unwrap();
        let mut reply = [0; 4096];
        let size = socket.recv(&mut reply).unwrap();
        Answer::read(&reply[..size])
    }

    /// Asks over TCP.
    pub(crate) fn ask_over_tcp(&self, qname: &str, qtype: RType) -> Answer {
        let mut stream = TcpStream::connect(self.listen[0]).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let query = query(qname, qtype);
        stream.write_all(&(query.len() as u16).to_be_bytes()).unwrap();
        stream.write_all(&query).unwrap();
        let mut size = [0; 2];
        stream.read_exact(&mut size).unwrap();
        let mut reply = vec![0; usize::from(u16::from_be_bytes(size))];
        stream.read_exact(&mut reply).unwrap();
        Answer::read(&reply)
    }
}

/// What a test looks at in a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) rcode: u16,
    pub(crate) is_authoritative: bool,
    /// The answer section in presentation form, without owner, TTL and class.
    pub(crate) data: Vec<String>,
}

impl Answer {
    fn read(reply: &[u8]) -> Answer {
        let message = hickory_proto::op::Message::from_vec(reply).unwrap();
        Answer {
            rcode: message.metadata.response_code.into(),
            is_authoritative: message.metadata.authoritative,
            data: message.answers.iter().map(|record| record.data.to_string()).collect(),
        }
    }
}

fn query(qname: &str, qtype: RType) -> Vec<u8> {
    let mut query = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0".to_vec();
    query.extend(qname.parse::<NameBuf>().unwrap().as_name().as_wire());
    query.extend(qtype.0.to_be_bytes());
    query.extend([0, 1]);
    query
}
