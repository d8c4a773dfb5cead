//! Zones that are served before their parents delegate them: where they may be, what ends them, and what never does.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use nssd::control::{
    Check, CheckAction, CheckReport, CheckVerdict, ClientError, Pending, PendingClaim, Pin, PinChange, Precondition,
    ProblemCode, PutOptions, ZoneStatus,
};

use crate::harness::*;

const SINCE: u64 = 2_000_000_000;
const UNTIL: u64 = SINCE + 72 * 3600;

fn pin(octet: u8) -> Pin {
    Pin::from([octet; 32])
}

/// The claim of the key with this number, from the network with the same one.
fn claim(key: u8) -> PendingClaim {
    let pending = Pending {
        pin: pin(key),
        label: format!("k-{key}"),
        network: format!("n{key}"),
        site: None,
        since: SINCE,
        until: UNTIL,
        check_at: SINCE + 600,
        is_contested: false,
    };
    PendingClaim { pending, zones_max: 10, zones_per_network_max: 3, zones_per_site_max: Some(5) }
}

async fn claim_zone(
    server: &TestServer,
    zone: &str,
    text: &str,
    claim: PendingClaim,
) -> Result<ZoneStatus, ClientError> {
    let options = PutOptions { pending: Some(claim), ..PutOptions::default() };
    server.client.put_zone(name(zone).as_name(), text.to_owned().into(), &options).await
}

async fn standing(server: &TestServer, zone: &str) -> Option<Pending> {
    server.client.claim(name(zone).as_name()).await.unwrap().pending
}

async fn report(server: &TestServer, etag: Option<String>, action: CheckAction) -> Result<(), ClientError> {
    let check = Check {
        checked_at: SINCE,
        verdict: CheckVerdict::Delegated,
        adrift_since: None,
        parked_since: None,
        next_check_at: SINCE + 1200,
        evidence: Vec::new(),
    };
    let report = CheckReport { etag, follows: None, check, action };
    server.client.report_check(name("example.com").as_name(), &report).await
}

fn rcode(server: &TestServer, qname: &str) -> ResponseCode {
    ask(server.v4(), qname, RecordType::A).metadata.response_code
}

fn www(server: &TestServer) -> Vec<String> {
    data(&ask(server.v4(), "www.example.com.", RecordType::A))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_zone_is_served_and_stays_its_claimants_over_a_restart() {
    let server = TestServer::start("").await;
    let status = claim_zone(&server, "example.com", &zone(1, "192.0.2.1"), claim(1)).await.unwrap();
    assert_eq!(status.pending_until, Some(UNTIL));
    assert_eq!(www(&server), ["192.0.2.1"]);
    let TestServer { server, directory, .. } = server;
    server.stop().await;
    let server = TestServer::start_in(directory, "").await;
    assert_eq!(www(&server), ["192.0.2.1"]);
    assert_eq!(standing(&server, "example.com").await, Some(claim(1).pending));
    // A claim pins nothing, and a later upload by it does not make it longer.
    assert_eq!(server.client.claim(name("example.com").as_name()).await.unwrap().pin, None);
    let mut later = claim(1);
    later.pending.until += 1000;
    let status = claim_zone(&server, "example.com", &zone(2, "192.0.2.2"), later.clone()).await.unwrap();
    assert_eq!((status.pending_until, www(&server)), (Some(UNTIL), vec!["192.0.2.2".to_owned()]));
    // A dry run claims nothing.
    let options = PutOptions { dry_run: true, pending: Some(later), ..PutOptions::default() };
    let dry = server.client.put_zone(name("example.org").as_name(), zone(1, "192.0.2.1").into(), &options).await;
    assert!(dry.unwrap().pending_until.is_some());
    assert_eq!(standing(&server, "example.org").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_keys_that_claim_a_name_neither_is_served() {
    let server = TestServer::start("").await;
    claim_zone(&server, "example.com", &zone(1, "192.0.2.1"), claim(1)).await.unwrap();
    let options = PutOptions { dry_run: true, pending: Some(claim(2)), ..PutOptions::default() };
    let apex = name("example.com");
    let dry = server.client.put_zone(apex.as_name(), zone(2, "192.0.2.2").into(), &options).await;
    assert_eq!(problem(dry).code, ProblemCode::Contested);
    assert_eq!(www(&server), ["192.0.2.1"], "a dry run contests nothing");
    for key in [2, 1, 2, 3] {
        let refused = problem(claim_zone(&server, "example.com", &zone(2, "192.0.2.2"), claim(key)).await);
        assert_eq!((refused.code, refused.status), (ProblemCode::Contested, 409));
        assert_eq!(rcode(&server, "www.example.com."), ResponseCode::Refused);
    }
    let TestServer { server, directory, .. } = server;
    server.stop().await;
    let server = TestServer::start_in(directory, "").await;
    assert_eq!(rcode(&server, "www.example.com."), ResponseCode::Refused, "contested over a restart");
    assert!(standing(&server, "example.com").await.unwrap().is_contested);
    // The end is due when the time is over, and then the name is anybody's.
    assert!(server.client.due_checks(UNTIL - 1, UNTIL, 10).await.unwrap().zones.is_empty());
    let due = server.client.due_checks(UNTIL, UNTIL, 10).await.unwrap().zones;
    assert!(due.len() == 1 && due[0].etag.is_none() && due[0].pending.as_ref().unwrap().is_contested);
    assert_eq!(problem(report(&server, None, CheckAction::Activate).await).status, 412);
    report(&server, None, CheckAction::Purge).await.unwrap();
    claim_zone(&server, "example.com", &zone(3, "192.0.2.3"), claim(3)).await.unwrap();
    // Whoever proves that the name is theirs has nothing to do with claims.
    claim_zone(&server, "example.com", &zone(1, "192.0.2.1"), claim(4)).await.unwrap_err();
    server.put("example.com", &zone(4, "192.0.2.4")).await.unwrap();
    assert_eq!((www(&server), standing(&server, "example.com").await), (vec!["192.0.2.4".to_owned()], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_refused_at_above_and_below_a_zone_that_is_here_by_right() {
    let server = TestServer::start("").await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    server.put("deep.sub.example.net", &zone(1, "192.0.2.1")).await.unwrap();
    for zone_name in ["example.com", "a.example.com", "b.a.example.com", "sub.example.net", "example.net"] {
        let refused = problem(claim_zone(&server, zone_name, &zone(2, "192.0.2.2"), claim(1)).await);
        assert_eq!((refused.code, refused.status), (ProblemCode::Occupied, 409), "{zone_name}");
    }
    assert_eq!(www(&server), ["192.0.2.1"]);
    claim_zone(&server, "anexample.com", &zone(1, "192.0.2.1"), claim(1)).await.unwrap();
    claim_zone(&server, "other.example.net", &zone(1, "192.0.2.1"), claim(1)).await.unwrap();
    // What is left of a zone that was withdrawn, its pin, is as good as the zone.
    let set = PutOptions { pin: PinChange { expected: None, set: Some(pin(9)) }, ..PutOptions::default() };
    server.client.put_zone(name("example.com").as_name(), zone(2, "192.0.2.2").into(), &set).await.unwrap();
    server.delete("example.com").await.unwrap();
    let refused = problem(claim_zone(&server, "example.com", &zone(3, "192.0.2.3"), claim(1)).await);
    assert_eq!(refused.code, ProblemCode::Occupied);
    claim_zone(&server, "example.com", &zone(3, "192.0.2.3"), claim(9)).await.unwrap();
    // Its delegation may well still be there, and would lead resolvers into a claim above it.
    server.client.put_zone(name("deep.sub.example.net").as_name(), zone(2, "192.0.2.1").into(), &set).await.unwrap();
    server.delete("deep.sub.example.net").await.unwrap();
    let TestServer { server, directory, .. } = server;
    server.stop().await;
    let server = TestServer::start_in(directory, "").await;
    let refused = problem(claim_zone(&server, "sub.example.net", &zone(1, "192.0.2.1"), claim(2)).await);
    assert_eq!(refused.code, ProblemCode::Occupied);
    let check = Check {
        checked_at: SINCE,
        verdict: CheckVerdict::NotDelegated,
        adrift_since: None,
        parked_since: None,
        next_check_at: SINCE + 1,
        evidence: Vec::new(),
    };
    let gone = CheckReport { etag: None, follows: None, check, action: CheckAction::Purge };
    server.client.report_check(name("deep.sub.example.net").as_name(), &gone).await.unwrap();
    claim_zone(&server, "sub.example.net", &zone(1, "192.0.2.1"), claim(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_yield_to_zones_that_come_above_at_or_below_them() {
    let server = TestServer::start("").await;
    let claimed = ["a.example.com", "example.com", "c.b.example.com"];
    for (key, zone_name) in claimed.iter().enumerate() {
        claim_zone(&server, zone_name, &zone(1, "192.0.2.1"), claim(key as u8)).await.unwrap();
    }
    claim_zone(&server, "example.net", &zone(1, "192.0.2.1"), claim(9)).await.unwrap();
    server.put("b.example.com", &zone(1, "192.0.2.7")).await.unwrap();
    assert_eq!(standing(&server, "c.b.example.com").await, None, "below it");
    assert_eq!(standing(&server, "example.com").await, None, "above it");
    assert!(standing(&server, "a.example.com").await.is_some() && standing(&server, "example.net").await.is_some());
    assert_eq!(rcode(&server, "www.example.com."), ResponseCode::Refused);
    assert_eq!(data(&ask(server.v4(), "www.b.example.com.", RecordType::A)), ["192.0.2.7"]);
    // The same goes for the operator's files, and nothing of it comes back after a restart.
    std::fs::write(server.path("example.net.zone"), zone(1, "192.0.2.8")).unwrap();
    server.write_config("[[zone]]\nname = \"example.net\"\nfile = \"example.net.zone\"\n");
    assert_eq!(server.client.reload().await.unwrap().broken, []);
    assert_eq!(standing(&server, "example.net").await, None);
    let TestServer { server, directory, .. } = server;
    server.stop().await;
    let server = TestServer::start_in(directory, "").await;
    assert_eq!(rcode(&server, "www.example.com."), ResponseCode::Refused);
    assert_eq!(rcode(&server, "www.example.net."), ResponseCode::Refused, "the file is configured no longer");
    assert!(standing(&server, "a.example.com").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_zone_says_nothing_about_names_below_it() {
    let server = TestServer::start("").await;
    let text = zone(1, "192.0.2.1") + "sub NS ns1.example.net.\n";
    server.put("com", &(zone(1, "192.0.2.1") + "a.b NS ns1.example.net.\n")).await.unwrap();
    let enclosing = async |text: &str| server.client.claim(name(text).as_name()).await.unwrap().enclosing;
    assert!(enclosing("a.b.com").await.unwrap().cut.is_some());
    assert_eq!(problem(claim_zone(&server, "b.com", &text, claim(1)).await).code, ProblemCode::Occupied);
    claim_zone(&server, "example.org", &text, claim(1)).await.unwrap();
    assert_eq!(enclosing("sub.example.org").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_counted_for_each_network_and_in_all() {
    let server = TestServer::start("").await;
    for n in 0..3 {
        claim_zone(&server, &format!("z{n}.example"), &zone(1, "192.0.2.1"), claim(1)).await.unwrap();
    }
    let refused = problem(claim_zone(&server, "z3.example", &zone(1, "192.0.2.1"), claim(1)).await);
    assert_eq!((refused.code, refused.status), (ProblemCode::TooManyPending, 429));
    // Changing what is claimed already is always possible.
    claim_zone(&server, "z0.example", &zone(2, "192.0.2.1"), claim(1)).await.unwrap();
    let uploads = (3..12).map(|n| {
        let (client, claim) = (server.client.clone(), claim(n));
        tokio::spawn(async move {
            let options = PutOptions { pending: Some(claim), ..PutOptions::default() };
            let apex = name(&format!("z{n}.example"));
            client.put_zone(apex.as_name(), zone(1, "192.0.2.1").into(), &options).await.is_ok()
        })
    });
    let mut accepted = 0;
    for upload in uploads.collect::<Vec<_>>() {
        accepted += usize::from(upload.await.unwrap());
    }
    assert_eq!(accepted, 7, "ten in all, though many come at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_counted_for_each_site_whatever_network_of_it_they_are_from() {
    let server = TestServer::start("").await;
    let of_site = |n: u8, site: &str| {
        let mut claim = claim(n);
        claim.pending.site = Some(site.to_owned());
        claim
    };
    for n in 0..5 {
        claim_zone(&server, &format!("z{n}.example"), &zone(1, "192.0.2.1"), of_site(n, "a")).await.unwrap();
    }
    let refused = problem(claim_zone(&server, "z5.example", &zone(1, "192.0.2.1"), of_site(5, "a")).await);
    assert_eq!((refused.code, refused.status), (ProblemCode::TooManyPending, 429));
    claim_zone(&server, "z5.example", &zone(1, "192.0.2.1"), of_site(5, "b")).await.unwrap();
    claim_zone(&server, "z6.example", &zone(1, "192.0.2.1"), claim(6)).await.unwrap();
    // It is remembered with the claim.
    let TestServer { server, directory, .. } = server;
    server.stop().await;
    let server = TestServer::start_in(directory, "").await;
    assert_eq!(standing(&server, "z0.example").await.unwrap().site.as_deref(), Some("a"));
    let refused = problem(claim_zone(&server, "z7.example", &zone(1, "192.0.2.1"), of_site(7, "a")).await);
    assert_eq!(refused.code, ProblemCode::TooManyPending);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_becomes_a_zone_like_others_or_ends_with_a_check() {
    let server = TestServer::start("").await;
    let etag = claim_zone(&server, "example.com", &zone(1, "192.0.2.1"), claim(1)).await.unwrap().etag;
    claim_zone(&server, "sub.example.com", &zone(1, "192.0.2.1"), claim(2)).await.unwrap();
    let due = async |now| server.client.due_checks(now, 0, 10).await.unwrap().zones;
    assert!(due(SINCE + 599).await.is_empty());
    let first = due(SINCE + 600).await;
    assert_eq!((first.len(), &first[0].pending, &first[0].etag), (2, &Some(claim(1).pending), &etag));
    report(&server, etag.clone(), CheckAction::Activate).await.unwrap();
    let after = server.client.claim(name("example.com").as_name()).await.unwrap();
    assert_eq!((after.pin, after.pending), (Some(pin(1)), None));
    assert_eq!(standing(&server, "sub.example.com").await, None, "it was below");
    assert_eq!(server.client.zone_status(name("example.com").as_name()).await.unwrap().pending_until, None);
    assert_eq!(problem(report(&server, etag, CheckAction::Activate).await).status, 412);
    assert_eq!(www(&server), ["192.0.2.1"]);
    let refused = problem(claim_zone(&server, "example.com", &zone(2, "192.0.2.2"), claim(1)).await);
    assert_eq!(refused.code, ProblemCode::Occupied);
    let TestServer { server, directory, .. } = server;
    server.stop().await;
    let server = TestServer::start_in(directory, "").await;
    assert_eq!((www(&server), standing(&server, "example.com").await), (vec!["192.0.2.1".to_owned()], None));

    let etag = claim_zone(&server, "example.org", &zone(1, "192.0.2.1"), claim(3)).await.unwrap().etag;
    let check = Check {
        checked_at: SINCE,
        verdict: CheckVerdict::NotDelegated,
        adrift_since: None,
        parked_since: None,
        next_check_at: SINCE + 1,
        evidence: Vec::new(),
    };
    let purge = CheckReport { etag, follows: None, check, action: CheckAction::Purge };
    server.client.report_check(name("example.org").as_name(), &purge).await.unwrap();
    assert_eq!(standing(&server, "example.org").await, None);
    assert_eq!(rcode(&server, "www.example.org."), ResponseCode::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_withdrawn_by_its_own_key_alone() {
    let server = TestServer::start("").await;
    let apex = name("example.com");
    claim_zone(&server, "example.com", &zone(1, "192.0.2.1"), claim(1)).await.unwrap();
    let withdraw = async |key| server.client.delete_pending_zone(apex.as_name(), &Precondition::None, pin(key)).await;
    assert_eq!(problem(withdraw(2).await).code, ProblemCode::PinChanged);
    assert_eq!(www(&server), ["192.0.2.1"]);
    withdraw(1).await.unwrap();
    assert_eq!(
        (rcode(&server, "www.example.com."), standing(&server, "example.com").await),
        (ResponseCode::Refused, None)
    );
    server.put("example.com", &zone(2, "192.0.2.2")).await.unwrap();
    assert_eq!(problem(withdraw(1).await).code, ProblemCode::PinChanged);
    assert_eq!(www(&server), ["192.0.2.2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_ends_leaves_the_pin_that_was_there_before() {
    let server = TestServer::start("").await;
    let apex = name("example.com");
    let pinned = |set| PutOptions { pin: PinChange { expected: Some(None), set }, ..PutOptions::default() };
    server.client.put_zone(apex.as_name(), zone(1, "192.0.2.1").into(), &pinned(Some(pin(9)))).await.unwrap();
    server.delete("example.com").await.unwrap();
    let before = server.client.claim(apex.as_name()).await.unwrap();
    assert_eq!(before.pin, Some(pin(9)));
    let stranger = async || {
        let refused = problem(claim_zone(&server, "example.com", &zone(1, "192.0.2.5"), claim(5)).await);
        assert_eq!(refused.code, ProblemCode::Occupied);
        let put = server.client.put_zone(apex.as_name(), zone(1, "192.0.2.5").into(), &pinned(Some(pin(5)))).await;
        assert_eq!(problem(put).code, ProblemCode::PinChanged);
        let after = server.client.claim(apex.as_name()).await.unwrap();
        assert_eq!((after.pin, after.pinned_at, after.pending), (Some(pin(9)), before.pinned_at, None));
        // What is left is due for checks again, and gone only with the delegation.
        let due = server.client.due_checks(u64::MAX, u64::MAX, 10).await.unwrap().zones;
        assert!(due.iter().any(|due| due.zone == "example.com." && due.etag.is_none()), "{due:?}");
    };
    // By a check.
    let etag = claim_zone(&server, "example.com", &zone(2, "192.0.2.9"), claim(9)).await.unwrap().etag;
    report(&server, etag, CheckAction::Purge).await.unwrap();
    assert_eq!(rcode(&server, "www.example.com."), ResponseCode::Refused);
    stranger().await;
    // By a zone that comes below.
    claim_zone(&server, "example.com", &zone(3, "192.0.2.9"), claim(9)).await.unwrap();
    server.put("sub.example.com", &zone(1, "192.0.2.1")).await.unwrap();
    stranger().await;
    server.delete("sub.example.com").await.unwrap();
    // Nobody comes in below it, where its delegation may lead resolvers.
    let below = claim_zone(&server, "sub.example.com", &zone(1, "192.0.2.7"), claim(7)).await;
    assert_eq!(problem(below).code, ProblemCode::Occupied);
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_checked_before_zones_that_wait_longer() {
    let server = TestServer::start("").await;
    for zone_name in ["a.example", "b.example"] {
        server.put(zone_name, &zone(1, "192.0.2.1")).await.unwrap();
    }
    claim_zone(&server, "example.com", &zone(1, "192.0.2.1"), claim(1)).await.unwrap();
    let due = async |limit| {
        let due = server.client.due_checks(SINCE + 600, SINCE + 600, limit).await.unwrap().zones;
        due.into_iter().map(|due| due.zone).collect::<Vec<_>>()
    };
    assert_eq!(due(1).await, ["example.com."]);
    assert_eq!(due(10).await, ["example.com.", "a.example.", "b.example."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_was_checked_by_a_clock_that_was_ahead_is_due() {
    const YEAR: u64 = 365 * 86_400;
    let server = TestServer::start("").await;
    let etag = server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap().etag;
    report(&server, etag, CheckAction::Keep).await.unwrap();
    let due = async |now| server.client.due_checks(now, now - 86_400, 10).await.unwrap().zones;
    assert!(due(SINCE).await.is_empty());
    assert_eq!(due(SINCE - YEAR).await.len(), 1);
}
