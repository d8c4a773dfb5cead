//! Who may change a zone: pins that change with the zone or not at all, and what the zone above says.

use nssd::control::{
    Change, Check, CheckAction, CheckReport, CheckVerdict, Cut, DsSet, Enclosing, Pending, PendingClaim, Pin,
    PinChange, Precondition, ProblemCode, PutOptions, ZoneStatus,
};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::harness::*;

fn pin(octet: u8) -> Pin {
    Pin::from([octet; 32])
}

/// Uploads a zone on condition that its pin is `expected`, and sets it.
async fn put(
    server: &TestServer,
    text: &str,
    expected: Option<Option<Pin>>,
    set: Option<Pin>,
) -> Result<ZoneStatus, nssd::control::ClientError> {
    let options = PutOptions { pin: PinChange { expected, set }, ..PutOptions::default() };
    server.client.put_zone(name("example.com").as_name(), text.to_owned().into(), &options).await
}

async fn pin_of(server: &TestServer) -> Option<Pin> {
    server.client.claim(name("Example.com").as_name()).await.unwrap().pin
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_changes_with_its_zone_or_not_at_all() {
    let server = TestServer::start("").await;
    assert_eq!(pin_of(&server).await, None);
    put(&server, &zone(1, "192.0.2.1"), Some(None), Some(pin(1))).await.unwrap();
    assert_eq!(pin_of(&server).await, Some(pin(1)));
    for (expected, set) in [(Some(None), Some(pin(2))), (Some(Some(pin(2))), None), (Some(Some(pin(3))), Some(pin(3)))]
    {
        let refused = problem(put(&server, &zone(2, "192.0.2.2"), expected, set).await);
        assert_eq!((refused.code, refused.status), (ProblemCode::PinChanged, 409));
    }
    // A text that makes no zone changes no pin either.
    problem(put(&server, "www A", Some(Some(pin(1))), Some(pin(2))).await);
    assert_eq!(pin_of(&server).await, Some(pin(1)));
    assert_eq!(server.client.zone_status(name("example.com").as_name()).await.unwrap().serial, 1);
    put(&server, &zone(2, "192.0.2.2"), Some(Some(pin(1))), None).await.unwrap();
    assert_eq!(pin_of(&server).await, Some(pin(1)));
    // The text is the same, and the pin is not: that is a change, too.
    let status = put(&server, &zone(2, "192.0.2.2"), None, Some(pin(4))).await.unwrap();
    assert_eq!((status.change, pin_of(&server).await), (Change::Unchanged, Some(pin(4))));
    let dry = PutOptions {
        dry_run: true,
        pin: PinChange { expected: Some(Some(pin(4))), set: Some(pin(5)) },
        ..PutOptions::default()
    };
    server.client.put_zone(name("example.com").as_name(), zone(3, "192.0.2.3").into(), &dry).await.unwrap();
    assert_eq!(pin_of(&server).await, Some(pin(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_zone_keeps_its_pin() {
    let server = TestServer::start("").await;
    let apex = name("example.com");
    put(&server, &zone(1, "192.0.2.1"), Some(None), Some(pin(1))).await.unwrap();
    let delete = async |expected| {
        let change = PinChange { expected: Some(expected), set: None };
        server.client.delete_zone(apex.as_name(), &Precondition::None, &change).await
    };
    assert_eq!(problem(delete(None).await).code, ProblemCode::PinChanged);
    assert_eq!(problem(delete(Some(pin(2))).await).code, ProblemCode::PinChanged);
    delete(Some(pin(1))).await.unwrap();
    assert_eq!(pin_of(&server).await, Some(pin(1)));
    assert_eq!(
        problem(put(&server, &zone(2, "192.0.2.2"), Some(None), Some(pin(2))).await).code,
        ProblemCode::PinChanged
    );
    put(&server, &zone(2, "192.0.2.2"), Some(Some(pin(1))), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_pin_a_zone_at_once_one_wins() {
    let server = TestServer::start("").await;
    let upload = |n: u8| {
        let (client, text) = (server.client.clone(), zone(n.into(), &format!("192.0.2.{n}")));
        let pin = PinChange { expected: Some(None), set: Some(pin(n)) };
        let options = PutOptions { pin, ..PutOptions::default() };
        tokio::spawn(async move { client.put_zone(name("example.com").as_name(), text.into(), &options).await })
    };
    let running: Vec<_> = (1..=16).map(upload).collect();
    let mut results = Vec::new();
    for upload in running {
        results.push(upload.await.unwrap());
    }
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 15));
    assert!(lost.into_iter().all(|refused| problem(refused).code == ProblemCode::PinChanged));
    // The text that is served and the pin are of one upload.
    let serial = won[0].as_ref().unwrap().serial;
    assert_eq!(pin_of(&server).await, Some(pin(serial as u8)));
    assert_eq!(server.client.zone_status(name("example.com").as_name()).await.unwrap().serial, serial);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_above_says_whether_it_delegates_a_name() {
    let server = TestServer::start("").await;
    let enclosing = async |text: &str| server.client.claim(name(text).as_name()).await.unwrap().enclosing;
    assert_eq!(enclosing("example.com").await, None);
    let text = zone(1, "192.0.2.1")
        + "sub NS NS1.example.net.\nsub NS ns2.example.net.\nbelow.sub NS ns\nalias DNAME example.org.\n";
    server.put("example.com", &text).await.unwrap();
    let within = |cut: Option<&str>| {
        let name_servers = vec!["ns1.example.net.".to_owned(), "ns2.example.net.".to_owned()];
        let cut = cut.map(|owner| Cut { owner: owner.to_owned(), name_servers, ds: DsSet::default() });
        Some(Enclosing { zone: "example.com.".to_owned(), cut })
    };
    assert_eq!(enclosing("example.com").await, None, "the zone itself is not above itself");
    for name in ["www.example.com", "nothing.example.com", "a.b.nothing.example.com", "x.alias.example.com"] {
        assert_eq!(enclosing(name).await, within(None), "{name}");
    }
    for name in ["sub.example.com", "SUB.example.com", "deep.sub.example.com", "below.sub.example.com"] {
        assert_eq!(enclosing(name).await, within(Some("sub.example.com.")), "{name}");
    }
}

/// A check at `at` that found the zone delegated elsewhere, parked since then if it says so.
fn check(at: u64, parked_since: Option<u64>) -> Check {
    Check {
        checked_at: at,
        verdict: CheckVerdict::NotDelegated,
        adrift_since: Some(at),
        parked_since,
        next_check_at: at + 100,
        evidence: vec!["somebody said so".to_owned()],
    }
}

async fn report(
    server: &TestServer,
    etag: &str,
    follows: Option<u64>,
    check: Check,
    action: CheckAction,
) -> Result<(), nssd::control::ClientError> {
    let report = CheckReport { etag: Some(etag.to_owned()), follows, check, action };
    server.client.report_check(name("example.com").as_name(), &report).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_is_due_for_a_check_until_one_is_written_down() {
    let server = TestServer::start("").await;
    let etag = put(&server, &zone(1, "192.0.2.1"), None, None).await.unwrap().etag.unwrap();
    let now = 10_000_000_000;
    let due = async |now, uploaded_before| server.client.due_checks(now, uploaded_before, 10).await.unwrap().zones;
    assert!(due(now, 0).await.is_empty(), "it was uploaded a moment ago");
    let first = due(now, now).await;
    assert_eq!(
        (first.len(), first[0].zone.as_str(), &first[0].etag, &first[0].last),
        (1, "example.com.", &Some(etag.clone()), &None)
    );
    report(&server, &etag, None, check(now, None), CheckAction::Keep).await.unwrap();
    assert!(due(now + 99, now + 99).await.is_empty());
    assert_eq!(due(now + 100, 0).await[0].last, Some(check(now, None)));
    assert_eq!(server.client.claim(name("example.com").as_name()).await.unwrap().check, Some(check(now, None)));
    // Somebody who checked at the same moment comes too late, and so does a check of a version that is gone.
    for (etag, follows) in [(&etag[..], None), (&etag[..], Some(now + 1)), ("\"999\"", Some(now))] {
        let refused = problem(report(&server, etag, follows, check(now + 100, None), CheckAction::Purge).await);
        assert_eq!(refused.status, 412, "{etag} {follows:?}");
    }
    put(&server, &zone(2, "192.0.2.2"), None, None).await.unwrap();
    assert_eq!(server.client.claim(name("example.com").as_name()).await.unwrap().check, None);
    assert_eq!(problem(report(&server, &etag, Some(now), check(now + 100, None), CheckAction::Park).await).status, 412);
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_zone_is_kept_and_not_served_until_it_is_uploaded_again() {
    let server = TestServer::start("").await;
    let etag = put(&server, &zone(1, "192.0.2.1"), None, Some(pin(1))).await.unwrap().etag.unwrap();
    report(&server, &etag, None, check(5, Some(5)), CheckAction::Park).await.unwrap();
    let rcode = |server: &TestServer| ask(server.v4(), "www.example.com.", RecordType::A).metadata.response_code;
    assert_eq!(rcode(&server), ResponseCode::Refused);
    let refused = problem(server.client.zone_status(name("example.com").as_name()).await);
    assert!(refused.status == 404 && refused.detail.contains("parked"), "{refused}");
    assert_eq!(server.client.status().await.unwrap().zones, 0);
    let TestServer { server, directory, .. } = server;
    server.stop().await;

    let server = TestServer::start_in(directory, "").await;
    assert_eq!(rcode(&server), ResponseCode::Refused, "parked over a restart");
    assert!(server.client.status().await.unwrap().broken.is_empty());
    assert_eq!(
        &server.client.get_zone(name("example.com").as_name()).await.unwrap().text[..],
        zone(1, "192.0.2.1").as_bytes()
    );
    assert_eq!(pin_of(&server).await, Some(pin(1)));
    let again = put(&server, &zone(1, "192.0.2.1"), Some(Some(pin(1))), None).await.unwrap();
    assert_eq!(again.change, Change::Created);
    assert_eq!(rcode(&server), ResponseCode::NoError);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_purged_zone_nothing_is_left() {
    let server = TestServer::start("").await;
    let etag = put(&server, &zone(1, "192.0.2.1"), None, Some(pin(1))).await.unwrap().etag.unwrap();
    report(&server, &etag, None, check(5, Some(5)), CheckAction::Park).await.unwrap();
    report(&server, &etag, Some(5), check(6, Some(5)), CheckAction::Purge).await.unwrap();
    let claim = server.client.claim(name("example.com").as_name()).await.unwrap();
    assert_eq!((claim.pin, claim.check), (None, None));
    assert_eq!(problem(server.client.get_zone(name("example.com").as_name()).await).status, 404);
    assert!(server.client.due_checks(u64::MAX, u64::MAX, 10).await.unwrap().zones.is_empty());
    // A generation is never used twice.
    let later = put(&server, &zone(1, "192.0.2.1"), Some(None), Some(pin(2))).await.unwrap().etag.unwrap();
    assert_ne!(later, etag);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pin_of_a_withdrawn_zone_is_due_for_checks_too_and_goes_with_the_delegation() {
    let server = TestServer::start("").await;
    put(&server, &zone(1, "192.0.2.1"), None, Some(pin(1))).await.unwrap();
    server.put("unpinned.example", &zone(1, "192.0.2.1")).await.unwrap();
    server.delete("example.com").await.unwrap();
    server.delete("unpinned.example").await.unwrap();
    let now = 10_000_000_000;
    let due = async |server: &TestServer, now| server.client.due_checks(now, now, 10).await.unwrap().zones;
    assert!(server.client.due_checks(now, 0, 10).await.unwrap().zones.is_empty(), "it was withdrawn a moment ago");
    let first = due(&server, now).await;
    assert_eq!(
        (first.len(), first[0].zone.as_str(), &first[0].etag, &first[0].last),
        (1, "example.com.", &None, &None)
    );
    let report = async |server: &TestServer, follows, at, action| {
        let report = CheckReport { etag: None, follows, check: check(at, None), action };
        server.client.report_check(name("example.com").as_name(), &report).await
    };
    report(&server, None, now, CheckAction::Keep).await.unwrap();
    assert!(due(&server, now).await.is_empty());
    assert_eq!(problem(report(&server, None, now, CheckAction::Purge).await).status, 412);
    let TestServer { server: stopped, directory, .. } = server;
    stopped.stop().await;

    let server = TestServer::start_in(directory, "").await;
    assert!(due(&server, now).await.is_empty(), "what was found is known after a restart");
    assert_eq!(due(&server, now + 100).await[0].last, Some(check(now, None)));
    report(&server, Some(now), now + 100, CheckAction::Purge).await.unwrap();
    assert_eq!(pin_of(&server).await, None);
    assert!(due(&server, u64::MAX).await.is_empty());
    // Once the zone is back, it is the zone that is due.
    put(&server, &zone(1, "192.0.2.1"), Some(None), Some(pin(2))).await.unwrap();
    server.delete("example.com").await.unwrap();
    put(&server, &zone(2, "192.0.2.1"), None, None).await.unwrap();
    let again = due(&server, now).await;
    assert_eq!((again.len(), again[0].etag.is_some()), (1, true));
}

const A1: &str = include_str!("../signatures/owner/a1.zone");
const A2: &str = include_str!("../signatures/owner/a2.zone");
const A3: &str = include_str!("../signatures/owner/a3.zone");
const B4: &str = include_str!("../signatures/owner/b4.zone");

/// The DS record of the key that signs the first three.
const DS_A: &str = "2b680d0286c3e680b487614adcd71b6ceac812acf22035909e3edd60b29bf6ec65e083c5";

/// Uploads a zone that the DS record has to prove, and locks it.
async fn prove(server: &TestServer, text: &str, dry_run: bool) -> Result<ZoneStatus, nssd::control::ClientError> {
    let pin = PinChange { expected: None, set: Some(Pin::NOBODY) };
    let options = PutOptions { dry_run, pin, ds: Some(DS_A.parse().unwrap()), ..PutOptions::default() };
    server.client.put_zone(name("example.com").as_name(), text.to_owned().into(), &options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_ds_records_prove_goes_in_with_a_newer_serial_alone() {
    let server = TestServer::start("").await;
    prove(&server, A2, true).await.unwrap();
    assert_eq!(pin_of(&server).await, None, "a dry run changes nothing");
    prove(&server, A2, false).await.unwrap();
    assert_eq!(pin_of(&server).await, Some(Pin::NOBODY));
    for (text, code) in [
        (A1, ProblemCode::SerialNotNewer),
        (B4, ProblemCode::NotProved),
        (&zone(9, "192.0.2.9")[..], ProblemCode::NotProved),
    ] {
        for dry_run in [true, false] {
            assert_eq!(problem(prove(&server, text, dry_run).await).code, code);
        }
    }
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.2"]);
    // The very text that is there says nothing about whose key is pinned.
    put(&server, A2, None, Some(pin(1))).await.unwrap();
    assert_eq!(prove(&server, A2, false).await.unwrap().change, Change::Unchanged);
    assert_eq!(pin_of(&server).await, Some(pin(1)));
    // A key may go back, and a stranger still not send what was there since.
    put(&server, A3, None, None).await.unwrap();
    put(&server, A1, None, None).await.unwrap();
    put(&server, &zone(1, "192.0.2.1"), None, None).await.unwrap();
    for text in [A1, A2, A3] {
        assert_eq!(problem(prove(&server, text, false).await).code, ProblemCode::SerialNotNewer);
    }
    server.delete("example.com").await.unwrap();
    let TestServer { server, directory, .. } = server;
    server.stop().await;
    let server = TestServer::start_in(directory, "").await;
    assert_eq!(problem(prove(&server, A3, false).await).code, ProblemCode::SerialNotNewer, "withdrawn, and restarted");
    prove(&server, include_str!("../signatures/owner/a9.zone"), false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_signed_zones_at_once_the_newest_stays() {
    let server = TestServer::start("").await;
    let texts = [A3, A1, include_str!("../signatures/owner/a9.zone"), A2];
    let upload = |n: usize| {
        let client = server.client.clone();
        let options = PutOptions { ds: Some(DS_A.parse().unwrap()), ..PutOptions::default() };
        tokio::spawn(async move { client.put_zone(name("example.com").as_name(), texts[n % 4].into(), &options).await })
    };
    let running: Vec<_> = (0..16).map(upload).collect();
    for upload in running {
        match upload.await.unwrap() {
            Ok(status) => assert!(matches!(status.serial, 1..=3 | 9)),
            refused => assert_eq!(problem(refused).code, ProblemCode::SerialNotNewer),
        }
    }
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.9"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_that_others_signed_is_not_in_the_way_of_who_proves_a_zone() {
    let server = TestServer::start("").await;
    // Whoever was first had a zone with a serial of their own, and signed it, too.
    put(&server, B4, Some(None), Some(pin(6))).await.unwrap();
    prove(&server, A2, false).await.unwrap();
    assert_eq!(pin_of(&server).await, Some(Pin::NOBODY));
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_again_ends_what_checks_have_found() {
    let server = TestServer::start("").await;
    let etag = put(&server, &zone(1, "192.0.2.1"), None, Some(pin(1))).await.unwrap().etag.unwrap();
    report(&server, &etag, None, check(5, None), CheckAction::Keep).await.unwrap();
    let again = put(&server, &zone(1, "192.0.2.1"), Some(Some(pin(1))), None).await.unwrap();
    assert_eq!((again.change, again.etag.as_deref()), (Change::Unchanged, Some(&etag[..])));
    assert_eq!(server.client.claim(name("example.com").as_name()).await.unwrap().check, None);
    // Whoever has asked the parent before and comes too late.
    let late = report(&server, &etag, Some(5), check(6, Some(6)), CheckAction::Park).await;
    assert_eq!(problem(late).status, 412);
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.1"]);
    report(&server, &etag, None, check(7, None), CheckAction::Keep).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_while_it_was_a_claim_is_old_once_it_is_a_zone() {
    let server = TestServer::start("").await;
    let apex = name("example.com");
    let pending = Pending {
        pin: pin(1),
        label: "k-1".into(),
        network: "n".into(),
        site: None,
        since: 1,
        until: 9_999_999_999,
        check_at: 1,
        is_contested: false,
    };
    let claim = PendingClaim { pending, zones_max: 9, zones_per_network_max: 9, zones_per_site_max: None };
    let options = PutOptions { pending: Some(claim.clone()), ..PutOptions::default() };
    let etag = server.client.put_zone(apex.as_name(), A2.into(), &options).await.unwrap().etag.unwrap();
    report(&server, &etag, None, check(5, None), CheckAction::Activate).await.unwrap();
    for text in [A1, A2] {
        // As it is served; and a copy of it after the owner has gone on.
        if text == A2 {
            put(&server, &zone(9, "192.0.2.9"), None, None).await.unwrap();
        }
        assert_eq!(problem(prove(&server, text, false).await).code, ProblemCode::SerialNotNewer);
    }
    // The same where no check, but an upload with the claim's key makes it a zone.
    let options = PutOptions { pending: Some(claim), ..PutOptions::default() };
    let apex = name("example.com");
    let server = TestServer::start("").await;
    server.client.put_zone(apex.as_name(), A2.into(), &options).await.unwrap();
    put(&server, &zone(9, "192.0.2.9"), None, Some(pin(1))).await.unwrap();
    assert_eq!(problem(prove(&server, A2, false).await).code, ProblemCode::SerialNotNewer);
    // A claim of somebody else's says nothing.
    let server = TestServer::start("").await;
    server.client.put_zone(apex.as_name(), A3.into(), &options).await.unwrap();
    prove(&server, A2, false).await.unwrap();
}
