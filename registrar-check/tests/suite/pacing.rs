//! How often and how much the checker asks on real sockets, and what comes of a query that had to wait.

use std::sync::Arc;
use std::time::Duration;

use nss_registrar_check::{CacheConfig, Checker, Config, Limits, Ours, Outcome, Unknown, Verdict};
use nss_wire::NameBuf;

use crate::checker::{Net, is_delegated, name, tree};

#[tokio::test]
async fn no_server_is_asked_more_often_than_it_should_be() {
    let net = Net::start(tree(&["127.1.7.1"], &["127.1.7.2", "127.1.7.3"])).await;
    let config = Config { query_interval: Duration::from_secs(3600), ..net.config(&["127.1.7.1"]) };
    let checker = Checker::new(config);
    let ours = Ours::all(&[name("ns.example.net")]);
    assert!(is_delegated(&checker.check(name("example.com").as_name(), &ours).await));
    assert_eq!(net.asked(), 3);
    // What is known is known; another name would need its servers again within the hour.
    assert!(is_delegated(&checker.check(name("example.com").as_name(), &ours).await));
    let verdict = checker.check(name("other.com").as_name(), &ours).await;
    assert!(matches!(verdict, Verdict::Unknown { .. }), "never a no: {verdict}");
    assert!(verdict.evidence().to_string().contains("not asked: it was asked too often"), "{}", verdict.evidence());
    assert_eq!(net.asked(), 3);
}

#[tokio::test]
async fn no_server_has_more_to_answer_at_one_time_than_it_should() {
    let mut internet = tree(&["127.1.12.1"], &["127.1.12.2", "127.1.12.3"]);
    // Nobody answers for com., so that all that is sent there stays outstanding.
    internet.silent("127.1.12.2").silent("127.1.12.3");
    let net = Net::start(internet).await;
    let limits = Limits { time_max: Duration::from_secs(1), ..Limits::default() };
    let config = Config {
        limits,
        outstanding_max: 3,
        query_interval: Duration::ZERO,
        servers_min: 1,
        ..net.config(&["127.1.12.1"])
    };
    let checker = Arc::new(Checker::new(config));
    let names: Vec<NameBuf> = (0..20).map(|n| name(&format!("d{n}.com"))).collect();
    let checks: Vec<_> = names
        .into_iter()
        .map(|domain| {
            let checker = Arc::clone(&checker);
            tokio::spawn(async move { checker.findings(domain.as_name()).await })
        })
        .collect();
    for check in checks {
        assert!(matches!(check.await.unwrap().outcome, Outcome::Unknown(_)));
    }
    let asked = |server: &str| {
        let internet = net.internet.lock().unwrap();
        internet.asked.iter().filter(|asked| asked.server.ip().to_string() == server).count()
    };
    // The walks end before a query to com. does.
    assert_eq!((asked("127.1.12.2"), asked("127.1.12.3")), (3, 3));
}

#[tokio::test]
async fn many_checks_at_once_wait_for_their_turn_at_the_parents_servers() {
    let net = Net::start(tree(&["127.1.8.1"], &["127.1.8.2", "127.1.8.3"])).await;
    let config = Config { query_interval: Duration::from_millis(2), ..net.config(&["127.1.8.1"]) };
    let checker = Arc::new(Checker::new(config));
    let checks: Vec<_> = (0..100)
        .map(|n| {
            let checker = Arc::clone(&checker);
            tokio::spawn(async move { checker.findings(name(&format!("d{n}.com")).as_name()).await })
        })
        .collect();
    for check in checks {
        let findings = check.await.unwrap();
        assert!(matches!(findings.outcome, Outcome::NotDelegated(_)), "{:?}\n{}", findings.outcome, findings.evidence);
    }
}

#[tokio::test]
async fn checks_beyond_the_maximum_wait_for_their_turn_and_not_for_ever() {
    let mut internet = tree(&["127.1.5.1"], &["127.1.5.2", "127.1.5.3"]);
    internet.silent("127.1.5.1");
    let net = Net::start(internet).await;
    let limits = Limits { time_max: Duration::from_millis(100), ..Limits::default() };
    let cache = CacheConfig { walks_max: 1, ..CacheConfig::default() };
    let checker = Checker::new(Config { limits, cache, ..net.config(&["127.1.5.1"]) });
    let (a, b, c) = (name("a.com"), name("b.com"), name("c.com"));
    let (a, b, c) =
        tokio::join!(checker.findings(a.as_name()), checker.findings(b.as_name()), checker.findings(c.as_name()));
    let outcomes = [a, b, c].map(|findings| findings.outcome.clone());
    assert_eq!(outcomes[0], Outcome::Unknown(Unknown::Time));
    assert_eq!(outcomes[2], Outcome::Unknown(Unknown::Busy));
}

#[tokio::test]
async fn the_time_of_a_query_begins_when_it_is_sent() {
    let mut internet = tree(&["127.1.17.1"], &["127.1.17.2", "127.1.17.3"]);
    internet.zone("com.", &[], "other.com. NS ns.example.net.");
    let net = Net::start_far(internet, Duration::from_millis(1500)).await;
    let limits = Limits { timeout: Duration::from_secs(2), retries_max: 0, ..Limits::default() };
    // The second check waits for some 0.8 s, so that its answers come 2.3 s after it wanted to ask.
    let config = Config { limits, query_interval: Duration::from_millis(900), ..net.config(&["127.1.17.1"]) };
    let checker = Checker::new(config);
    checker.findings(name("warm.com").as_name()).await;
    let (a, b) = (name("example.com"), name("other.com"));
    let (a, b) = tokio::join!(checker.findings(a.as_name()), checker.findings(b.as_name()));
    for findings in [a, b] {
        assert!(matches!(findings.outcome, Outcome::Delegation(_)), "{:?}\n{}", findings.outcome, findings.evidence);
    }
}
