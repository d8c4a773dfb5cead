//! What is remembered, what is asked for whom, and what is made of silence.

use std::net::{SocketAddr, TcpListener};

use nssd::control::Pin;

use super::*;

const PIN: Grant = Grant::Pinned(Pin::NOBODY);

/// Asks nobody but those at these addresses of loopback, for the domains below `com.` and what the bootstrap file says.
fn rdap(com: Option<SocketAddr>, bootstrap: Option<SocketAddr>) -> Rdap {
    let servers = com.map(|address| ("com".to_owned(), format!("https://{address}/")));
    let settings = Settings {
        enabled: true,
        servers: servers.into_iter().collect(),
        bootstrap: bootstrap.map(|address| format!("https://{address}/dns.json")),
        ..Settings::default()
    };
    Rdap::new(&settings).unwrap().unwrap()
}

/// Takes connections, and says nothing on any.
fn silent() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn connections(listener: &TcpListener) -> usize {
    std::iter::from_fn(|| listener.accept().ok()).count()
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// Registered so many seconds after 1970, as it was heard a while ago.
fn remember(rdap: &Rdap, name: &str, registered_at: u64, heard: Duration, ends: Duration) {
    let now = Instant::now();
    let registration = Registration { registered_at: Some(registered_at), ..Registration::default() };
    let opinion = Opinion::Registered(Arc::new(registration));
    lock(&rdap.known).insert(name.into(), Known { opinion, heard: now - heard, ends: now - ends });
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn who_uses_up_the_turns_at_a_registry_opens_nothing_that_it_closes() {
    let (listener, address) = silent();
    let mut rdap = rdap(Some(address), None);
    rdap.turns = Turns::new(24 * HOUR);
    assert_eq!(rdap.turns.take(rdap.servers.find("com").unwrap(), Duration::ZERO), Ok(Duration::ZERO));
    for grant in [PIN, Grant::First, Grant::Pending(Pin::NOBODY)] {
        let refused = rdap.check(&domain("example.com"), grant, Some(0)).await.unwrap_err();
        assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "busy"), "{grant:?}");
        assert!(refused.into_response(crate::accept::Form::Text).headers().contains_key("retry-after"));
    }
    for grant in [Grant::Keyed(Pin::NOBODY), Grant::Ds, Grant::Open] {
        assert!(rdap.check(&domain("example.com"), grant, Some(0)).await.is_ok(), "{grant:?}");
    }
    let page = rdap.sentences(&domain("example.com"), Some(0)).await;
    assert!(page[0].contains("asked too often"), "{page:?}");
    // Nor do too many questions on their way.
    let all = rdap.asks_of_owners.try_acquire_many(ASKS_OF_OWNERS_MAX as u32).unwrap();
    assert_eq!(rdap.check(&domain("example.org"), PIN, Some(0)).await.unwrap_err().code(), "busy");
    drop(all);
    assert_eq!(connections(&listener), 0);
    // What is remembered is used, for as long as it was meant to be and a day.
    remember(&rdap, "example.com", 1_000_000, 2 * HOUR, HOUR);
    assert_eq!(rdap.check(&domain("example.com"), PIN, Some(0)).await.unwrap_err().code(), "pin-void");
    assert!(rdap.check(&domain("example.com"), PIN, Some(2_000_000)).await.is_ok());
    remember(&rdap, "example.com", 1_000_000, 25 * HOUR, HOUR);
    assert_eq!(rdap.check(&domain("example.com"), PIN, Some(0)).await.unwrap_err().code(), "busy");
}

#[tokio::test]
async fn pages_and_claims_never_have_owners_wait_in_a_row() {
    let rdap = rdap(Some(silent().1), None);
    let url = rdap.servers.find("com").unwrap();
    let patience_of_anybody = rdap.time_max / 8;
    while rdap.turns.take(url, patience_of_anybody).is_ok() {}
    assert!(rdap.turns.take(url, rdap.time_max / 2).is_ok());
    // Nor do their questions take the places of those of owners.
    let _all = rdap.asks_of_anybody.try_acquire_many(ASKS_OF_ANYBODY_MAX as u32).unwrap();
    assert!(matches!(rdap.look(&domain("example.com"), Asker::Anybody).await, Opinion::Unasked(_)));
    assert_eq!(rdap.asks_of_owners.available_permits(), ASKS_OF_OWNERS_MAX);
}

#[tokio::test]
async fn what_a_registry_said_before_counts_while_it_fails() {
    // Nobody listens there any more.
    let address = silent().1;
    let rdap = rdap(Some(address), None);
    remember(&rdap, "example.com", 1_000_000, 2 * HOUR, HOUR);
    for _ in 0..2 {
        assert_eq!(rdap.check(&domain("example.com"), PIN, Some(0)).await.unwrap_err().code(), "pin-void");
    }
    assert!(lock(&rdap.known)["example.com"].ends > Instant::now(), "nobody asks again for a while");
    remember(&rdap, "example.com", 1_000_000, 25 * HOUR, HOUR);
    assert!(rdap.check(&domain("example.com"), PIN, Some(0)).await.is_ok(), "it failed, and that says nothing");
}

#[tokio::test]
async fn a_bootstrap_file_that_does_not_come_leaves_yesterdays_and_is_not_waited_for_by_everybody() {
    let (listener, address) = silent();
    let mut rdap = rdap(None, Some(address));
    rdap.time_max = Duration::from_millis(100);
    for _ in 0..3 {
        let refused = rdap.ask("example.com", Asker::Owner).await.unwrap_err();
        assert!(matches!(&refused, Failure::Failed(reason) if reason.contains("took too long")), "{refused:?}");
    }
    assert_eq!(connections(&listener), 1, "that it failed is remembered");

    let bootstrap = rdap.bootstrap.as_ref().unwrap();
    bootstrap.set(Servers::read(br#"{"services":[[["com"],["https://rdap.example/"]]]}"#).unwrap()).await;
    for _ in 0..3 {
        let servers = bootstrap.servers(&rdap.fetcher, rdap.time_max).await.unwrap();
        assert_eq!(servers.find("example.com").unwrap().host, "rdap.example");
    }
    assert_eq!(connections(&listener), 1, "it was asked for again, and once");
}

#[test]
fn a_pin_is_void_when_the_registration_is_a_day_later_and_more() {
    let registered = |registered_at| Registration { registered_at, ..Registration::default() };
    assert_eq!(registered(Some(1_000_000)).anew_after(1_000_000 - MARGIN), None);
    assert_eq!(registered(Some(1_000_001)).anew_after(1_000_000 - MARGIN), Some(1_000_001));
    assert_eq!(registered(Some(5)).anew_after(1_000_000), None);
    assert_eq!(registered(None).anew_after(0), None);
    let transferred = Registration { transferred_at: Some(u64::MAX), ..Registration::default() };
    assert_eq!(transferred.anew_after(0), None, "the same owner at another registrar");
}

#[test]
fn what_is_remembered_has_a_maximum() {
    let mut map = HashMap::new();
    let start = Instant::now() + Duration::from_secs(60);
    for n in 0..100_u32 {
        make_room(&mut map, 10, |ends| *ends);
        map.insert(n.to_string(), start + Duration::from_secs(n.into()));
    }
    assert!(map.len() == 10 && map.contains_key("99") && !map.contains_key("0"));
}
