//! The checker on real sockets: servers on loopback addresses, all on one free port.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nss_registrar_check::{
    AddressPolicy, CacheConfig, Checker, Config, DsRecords, Findings, Ours, Outcome, Security, Transport, Unknown,
    Verdict,
};
use nss_wire::NameBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::internet::{Internet, anchor};
use crate::signer::Denial;

/// A root and a TLD, and example.com delegated; `tld` are the TLD's addresses.
pub(crate) fn tree(root: &[&str], tld: &[&str]) -> Internet {
    let mut internet = Internet::default();
    let mut delegation = String::new();
    for (i, address) in tld.iter().enumerate() {
        delegation += &format!("com. NS ns{i}.nic.com.\n ns{i}.nic.com. A {address}\n");
    }
    internet.zone(".", root, &delegation).zone("com.", tld, "example.com. NS ns.example.net.");
    internet
}

/// An internet on sockets.
pub(crate) struct Net {
    pub(crate) internet: Arc<Mutex<Internet>>,
    port: u16,
}

impl Net {
    pub(crate) async fn start(internet: Internet) -> Net {
        let port = free_port(&internet.addresses());
        Net::start_on(internet, port).await
    }

    /// Has to be called on the runtime that is to run the servers.
    pub(crate) async fn start_on(internet: Internet, port: u16) -> Net {
        let addresses = internet.addresses();
        let internet = Arc::new(Mutex::new(internet));
        for address in addresses {
            let at = SocketAddr::new(address, port);
            tokio::spawn(serve_udp(UdpSocket::bind(at).await.unwrap(), Arc::clone(&internet)));
            tokio::spawn(serve_tcp(TcpListener::bind(at).await.unwrap(), Arc::clone(&internet)));
        }
        Net { internet, port }
    }

    /// The same with servers at such a distance, over UDP alone.
    pub(crate) async fn start_far(internet: Internet, distance: Duration) -> Net {
        let addresses = internet.addresses();
        let port = free_port(&addresses);
        let internet = Arc::new(Mutex::new(internet));
        for address in addresses {
            let socket = UdpSocket::bind(SocketAddr::new(address, port)).await.unwrap();
            tokio::spawn(serve_late(socket, Arc::clone(&internet), distance));
        }
        Net { internet, port }
    }

    pub(crate) fn config(&self, root_hints: &[&str]) -> Config {
        Config {
            root_hints: root_hints.iter().map(|text| text.parse().unwrap()).collect(),
            port: self.port,
            trust_anchors: Vec::new(),
            addresses: AddressPolicy::PublicAndLoopback,
            ..Config::default()
        }
    }

    pub(crate) fn asked(&self) -> usize {
        self.internet.lock().unwrap().asked.len()
    }
}

/// A port that is free on all addresses, over UDP and TCP.
pub(crate) fn free_port(addresses: &[IpAddr]) -> u16 {
    loop {
        let port = std::net::UdpSocket::bind((addresses[0], 0)).unwrap().local_addr().unwrap().port();
        let is_free = |&address| {
            let at = SocketAddr::new(address, port);
            std::net::UdpSocket::bind(at).is_ok() && std::net::TcpListener::bind(at).is_ok()
        };
        if addresses.iter().all(is_free) {
            return port;
        }
    }
}

async fn serve_udp(socket: UdpSocket, internet: Arc<Mutex<Internet>>) {
    let mut buffer = [0; 2048];
    while let Ok((size, client)) = socket.recv_from(&mut buffer).await {
        let server = socket.local_addr().unwrap();
        let replies = internet.lock().unwrap().receive(server, Transport::Udp, &buffer[..size]);
        for reply in replies {
            socket.send_to(&reply.what.unwrap(), client).await.unwrap();
        }
    }
}

/// Answers so long after it was asked, in which others may come first.
pub(crate) async fn serve_late(socket: UdpSocket, internet: Arc<Mutex<Internet>>, distance: Duration) {
    let socket = Arc::new(socket);
    let mut buffer = [0; 2048];
    while let Ok((size, client)) = socket.recv_from(&mut buffer).await {
        let server = socket.local_addr().unwrap();
        let replies = internet.lock().unwrap().receive(server, Transport::Udp, &buffer[..size]);
        for reply in replies {
            let socket = Arc::clone(&socket);
            tokio::spawn(async move {
                tokio::time::sleep(distance).await;
                let _ = socket.send_to(&reply.what.unwrap(), client).await;
            });
        }
    }
}

pub(crate) async fn serve_tcp(listener: TcpListener, internet: Arc<Mutex<Internet>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let size = stream.read_u16().await.unwrap();
        let mut packet = vec![0; usize::from(size)];
        stream.read_exact(&mut packet).await.unwrap();
        let server = listener.local_addr().unwrap();
        let replies = internet.lock().unwrap().receive(server, Transport::Tcp, &packet);
        for reply in replies {
            let reply = reply.what.unwrap();
            stream.write_all(&[&(reply.len() as u16).to_be_bytes()[..], &reply].concat()).await.unwrap();
        }
    }
}

pub(crate) fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

pub(crate) fn is_delegated(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Delegated { .. })
}

#[tokio::test]
async fn a_delegation_is_found_over_udp_and_remembered() {
    let net = Net::start(tree(&["127.1.0.1"], &["127.1.0.2", "127.1.0.3"])).await;
    let checker = Checker::new(net.config(&["127.1.0.1"]));
    let ours = Ours::all(&[name("ns.example.net")]);
    let (a, b) = (name("example.com"), name("EXAMPLE.com"));
    let (first, second) = tokio::join!(checker.check(a.as_name(), &ours), checker.check(b.as_name(), &ours));
    assert!(is_delegated(&first) && is_delegated(&second), "{first}\n{}", first.evidence());
    assert_eq!(net.asked(), 3, "both checks share one walk");

    let other = Ours::all(&[name("ns.example.org")]);
    assert!(!is_delegated(&checker.check(a.as_name(), &other).await), "the same findings, other name servers");
    assert_eq!(net.asked(), 3);

    // The servers of com. are known by now.
    let verdict = checker.check(name("other.com").as_name(), &ours).await;
    assert!(matches!(verdict, Verdict::NotDelegated { .. }), "{verdict}");
    assert_eq!(verdict.evidence().known_zone, Some(name("com")));
    assert_eq!(net.asked(), 5);

    checker.forget(a.as_name());
    assert!(is_delegated(&checker.check(a.as_name(), &ours).await));
    assert_eq!(net.asked(), 7);
}

#[tokio::test]
async fn who_does_not_want_ds_records_has_the_findings_of_who_did() {
    let net = Net::start(tree(&["127.1.9.1"], &["127.1.9.2", "127.1.9.3"])).await;
    let checker = Checker::new(net.config(&["127.1.9.1"]));
    let ds = |findings: &Findings| match &findings.outcome {
        Outcome::Delegation(delegation) => delegation.ds.clone(),
        other => panic!("{other:?}"),
    };
    let domain = name("example.com");
    assert_eq!(ds(&*checker.findings(domain.as_name()).await), DsRecords::Unasked);
    assert_eq!(net.asked(), 3);
    assert_eq!(ds(&*checker.findings_with_ds(domain.as_name()).await), DsRecords::Absent);
    assert_eq!(net.asked(), 7, "the servers of com. and then both once more, for DS");
    assert_eq!(ds(&*checker.findings(domain.as_name()).await), DsRecords::Absent);
    assert_eq!(net.asked(), 7);
    checker.forget(domain.as_name());
    assert_eq!(ds(&*checker.findings(domain.as_name()).await), DsRecords::Unasked);
}

#[tokio::test]
async fn keys_are_asked_for_once_and_known_for_all_domains_below() {
    let mut internet = tree(&["127.1.10.1"], &["127.1.10.2", "127.1.10.3"]);
    internet
        .zone("com.", &[], "other.com. NS ns.example.net.")
        .zone(".", &[], "org. NS a.nic.org.\n org. NS b.nic.org.")
        .zone(".", &[], "a.nic.org. A 127.1.10.2\n b.nic.org. A 127.1.10.3")
        .zone("org.", &["127.1.10.2", "127.1.10.3"], "example.org. NS ns.example.net.");
    let anchor = anchor(&internet.sign(".", Denial::Nsec));
    internet.sign("com.", Denial::Nsec);
    internet.sign("org.", Denial::Nsec3 { opt_out: true, iterations: 0 });
    [".", "com.", "org."].iter().for_each(|apex| internet.sign_for_now(apex));
    let net = Net::start(internet).await;
    let checker = Checker::new(Config { trust_anchors: vec![anchor], ..net.config(&["127.1.10.1"]) });
    let mut asked = 0;
    for (domain, queries) in [("example.com", 5), ("other.com", 2), ("example.org", 4), ("nothing.org", 2)] {
        let findings = checker.findings(name(domain).as_name()).await;
        match &findings.outcome {
            Outcome::Delegation(delegation) => assert_eq!(delegation.security, Security::Secure),
            Outcome::NotDelegated(_) => assert_eq!(domain, "nothing.org"),
            Outcome::Unknown(reason) => panic!("{reason}\n{}", findings.evidence),
        }
        assert_eq!(net.asked() - asked, queries, "{domain}\n{}", findings.evidence);
        asked = net.asked();
    }
}

#[tokio::test]
async fn keys_are_not_believed_longer_than_their_signatures() {
    let mut internet = tree(&["127.1.11.1"], &["127.1.11.2", "127.1.11.3"]);
    let anchor = anchor(&internet.sign(".", Denial::Nsec));
    internet.sign("com.", Denial::Nsec);
    internet.sign_for_now(".");
    internet.sign_for_now("com.");
    // The last second of them: what hangs from them is not kept.
    internet.signer(".").expiration -= 3600;
    let net = Net::start(internet).await;
    let checker = Checker::new(Config { trust_anchors: vec![anchor], ..net.config(&["127.1.11.1"]) });
    for domain in ["a.com", "b.com"] {
        let findings = checker.findings(name(domain).as_name()).await;
        assert_eq!(findings.evidence.known_zone, None, "{}", findings.evidence);
    }
}

#[tokio::test]
async fn what_was_found_out_ends_with_its_ttl() {
    let net = Net::start(tree(&["127.1.1.1"], &["127.1.1.2", "127.1.1.3"])).await;
    let cache = CacheConfig { delegated_ttl: Duration::ZERO, zone_ttl: Duration::ZERO, ..CacheConfig::default() };
    let checker = Checker::new(Config { cache, ..net.config(&["127.1.1.1"]) });
    for round in 1..=3 {
        checker.findings(name("example.com").as_name()).await;
        assert_eq!(net.asked(), 3 * round);
    }
}

#[tokio::test]
async fn a_parent_without_cookies_is_asked_over_tcp() {
    let mut internet = tree(&["127.1.2.1"], &["127.1.2.2", "127.1.2.3"]);
    for server in ["127.1.2.1", "127.1.2.2", "127.1.2.3"] {
        internet.lie(server, |_, reply| reply.edns = None);
    }
    let net = Net::start(internet).await;
    let findings = Checker::new(net.config(&["127.1.2.1"])).findings(name("example.com").as_name()).await;
    assert!(matches!(findings.outcome, Outcome::Delegation(_)), "{}", findings.evidence);
    let transports = findings.evidence.steps.iter().map(|step| step.transport);
    assert_eq!(transports.filter(|&transport| transport == Transport::Tcp).count(), 3);
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_unreachable_at_once() {
    let net = Net::start(tree(&["127.1.3.1"], &["127.1.3.2"])).await;
    let config = net.config(&["127.1.3.9", "127.1.3.8"]);
    let timeout = config.limits.timeout;
    let started = std::time::Instant::now();
    let findings = Checker::new(config).findings(name("example.com").as_name()).await;
    assert_eq!(findings.outcome, Outcome::Unknown(Unknown::NoAnswer { zone: name(".") }));
    assert!(started.elapsed() < timeout, "{}", findings.evidence);
}

#[tokio::test]
async fn a_check_that_is_dropped_leaves_the_next_one_to_walk() {
    let net = Net::start(tree(&["127.1.4.1"], &["127.1.4.2", "127.1.4.3"])).await;
    let checker = Checker::new(net.config(&["127.1.4.1"]));
    let domain = name("example.com");
    // Polled once: the query is out, and no server has had the thread to answer.
    tokio::select! {
        biased;
        findings = checker.findings(domain.as_name()) => panic!("it ended at once: {:?}", findings.outcome),
        () = std::future::ready(()) => {}
    }
    assert!(matches!(checker.findings(domain.as_name()).await.outcome, Outcome::Delegation(_)));
}

/// Polls once: the query is out, and no server has had the thread to answer.
async fn begin<T>(future: &mut (impl Future<Output = T> + Unpin)) {
    tokio::select! {
        biased;
        _ = future => panic!("it ended at once"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn who_walks_on_for_a_check_that_was_dropped_finds_out_what_that_one_wanted() {
    let net = Net::start(tree(&["127.1.13.1"], &["127.1.13.2", "127.1.13.3"])).await;
    let checker = Checker::new(net.config(&["127.1.13.1"]));
    let domain = name("example.com");
    let mut dropped = Box::pin(checker.findings_with_ds(domain.as_name()));
    begin(&mut dropped).await;
    let mut modest = Box::pin(checker.findings(domain.as_name()));
    begin(&mut modest).await;
    let mut wanting = Box::pin(checker.findings_with_ds(domain.as_name()));
    begin(&mut wanting).await;
    drop(dropped);
    let (modest, wanting) = tokio::join!(modest, wanting);
    assert_eq!(modest, wanting);
    match &wanting.outcome {
        Outcome::Delegation(delegation) => assert_eq!(delegation.ds, DsRecords::Absent, "{}", wanting.evidence),
        other => panic!("{other:?}\n{}", wanting.evidence),
    }
}

#[tokio::test]
async fn what_is_forgotten_while_it_is_found_out_is_asked_again() {
    let net = Net::start(tree(&["127.1.14.1"], &["127.1.14.2", "127.1.14.3"])).await;
    let checker = Checker::new(net.config(&["127.1.14.1"]));
    let domain = name("example.com");
    let mut early = Box::pin(checker.findings(domain.as_name()));
    begin(&mut early).await;
    checker.forget(domain.as_name());
    early.await;
    let asked = net.asked();
    checker.findings(domain.as_name()).await;
    assert!(net.asked() > asked);
    // And then it is known.
    let asked = net.asked();
    checker.findings(domain.as_name()).await;
    assert_eq!(net.asked(), asked);
}

/// Lets so much time pass at one moment.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_delegation_is_known_for_a_minute_and_one_to_others_for_ten_seconds() {
    let net = Net::start(tree(&["127.1.15.1"], &["127.1.15.2", "127.1.15.3"])).await;
    let checker = Checker::new(net.config(&["127.1.15.1"]));
    let domain = name("example.com");
    let [ours, others] = ["ns.example.net", "ns.example.org"].map(|server| Ours::all(&[name(server)]));
    // How many queries a check takes after so many seconds.
    let check = async |seconds: u64, ours: &Ours| {
        pass(Duration::from_secs(seconds)).await;
        let asked = net.asked();
        let verdict = checker.check(domain.as_name(), ours).await;
        assert!(!matches!(verdict, Verdict::Unknown { .. }), "{verdict}\n{}", verdict.evidence());
        (net.asked() - asked, is_delegated(&verdict))
    };
    assert_eq!(check(0, &ours).await, (3, true));
    assert_eq!(check(59, &ours).await, (0, true));
    assert_eq!(check(1, &ours).await, (2, true));
    checker.forget(domain.as_name());
    // A "no" is one whoever it is for.
    assert_eq!(check(0, &others).await, (2, false));
    assert_eq!(check(9, &others).await, (0, false));
    assert_eq!(check(0, &ours).await, (0, true));
    assert_eq!(check(1, &others).await, (2, false));
    checker.forget(domain.as_name());
    // And is none that is older than that, though it was found out for somebody to whom it was a "yes".
    assert_eq!(check(0, &ours).await, (2, true));
    assert_eq!(check(30, &ours).await, (0, true));
    assert_eq!(check(0, &others).await, (2, false));
}

#[tokio::test]
async fn a_doubt_shortens_what_is_known_and_says_whether_that_was_too_long() {
    let net = Net::start(tree(&["127.1.16.1"], &["127.1.16.2", "127.1.16.3"])).await;
    let checker = Checker::new(net.config(&["127.1.16.1"]));
    let domain = name("example.com");
    assert!(!checker.doubt(domain.as_name()), "nothing is known");
    checker.findings_with_ds(domain.as_name()).await;
    let asked = net.asked();
    assert!(!checker.doubt(domain.as_name()));
    pass(Duration::from_secs(9)).await;
    checker.findings(domain.as_name()).await;
    assert_eq!(net.asked(), asked);
    pass(Duration::from_secs(1)).await;
    checker.findings(domain.as_name()).await;
    assert_eq!(net.asked(), asked + 2);
    pass(Duration::from_secs(20)).await;
    assert!(checker.doubt(domain.as_name()));
}
