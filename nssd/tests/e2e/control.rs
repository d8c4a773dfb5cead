//! The control socket, through the typed client and as `curl` would use it.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use hickory_proto::rr::RecordType;
use nssd::control::{
    Change, ClientError, PinChange, Precondition, ProblemCode, PutOptions, Severity, ZONE_TEXT_SIZE_MAX,
};

use crate::harness::*;

/// Sends `request` as it is and returns the whole answer.
fn raw(server: &TestServer, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(server.server.control_socket()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn call(server: &TestServer, method: &str, path: &str, headers: &str) -> String {
    raw(server, format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_is_added_read_replaced_listed_and_deleted() {
    let server = TestServer::start("").await;
    let first = format!("; kept octet for octet\r\n{}", zone(1, "192.0.2.1"));
    let created = server.put("Example.COM", &first).await.unwrap();
    assert_eq!((created.zone.as_str(), created.change), ("example.com.", Change::Created));
    let text = server.client.get_zone(name("example.com").as_name()).await.unwrap();
    assert_eq!((&text.text[..], &text.etag), (first.as_bytes(), &created.etag));

    let replaced = server.put("example.com", &zone(2, "192.0.2.2")).await.unwrap();
    assert_eq!((replaced.change, replaced.serial), (Change::Replaced, 2));
    assert!(replaced.generation > created.generation && replaced.findings.is_empty());
    let status = server.client.zone_status(name("example.com").as_name()).await.unwrap();
    assert_eq!((status.change, &status.etag), (Change::None, &replaced.etag));

    let totals = server.client.status().await.unwrap();
    assert_eq!((totals.zones, totals.zones_uploaded, totals.generation), (1, 1, replaced.generation));
    assert!(totals.memory_bytes > 0);

    assert_eq!(server.delete("example.com").await.unwrap().change, Change::Withdrawn);
    assert_eq!(problem(server.delete("example.com").await).code, ProblemCode::NotFound);
    assert_eq!(problem(server.client.get_zone(name("example.com").as_name()).await).status, 404);
    assert_eq!(server.client.status().await.unwrap().zones, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_makes_no_zone_is_refused_and_the_zone_before_goes_on() {
    let server = TestServer::start("").await;
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    let refused = problem(server.put("example.com", "$TTL 1\n@ SOA a b 1 2 3 4 5\nwww A 192.0.2\n").await);
    assert_eq!((refused.code, refused.status), (ProblemCode::InvalidZone, 400));
    assert_eq!((refused.findings[0].line, refused.findings[0].severity), (Some(3), Severity::Error));
    assert!(refused.findings[0].report.as_ref().unwrap().contains("^^^^^^^"), "{refused}");
    let refused = problem(server.put("example.com", "\0\u{1}\u{2}binary").await);
    assert_eq!(refused.code, ProblemCode::InvalidZone);
    let refused = problem(server.put("example.com", "").await);
    assert_eq!(refused.code, ProblemCode::InvalidZone);
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.1"]);
    assert_eq!(server.client.zone_status(name("example.com").as_name()).await.unwrap().serial, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_everything_and_changes_nothing() {
    let server = TestServer::start("").await;
    let dry = PutOptions { dry_run: true, ..PutOptions::default() };
    let apex = name("example.com");
    let status = server.client.put_zone(apex.as_name(), zone(3, "192.0.2.1").into(), &dry).await.unwrap();
    assert_eq!((status.serial, status.records, status.change), (3, 4, Change::None));
    assert_eq!(problem(server.client.zone_status(apex.as_name()).await).status, 404);
    let refused = problem(server.client.put_zone(apex.as_name(), "www A".into(), &dry).await);
    assert_eq!(refused.code, ProblemCode::InvalidZone);
    assert_eq!(server.client.status().await.unwrap().generation, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_again_writes_nothing_and_an_old_serial_is_worth_a_warning() {
    let server = TestServer::start("").await;
    let created = server.put("example.com", &zone(5, "192.0.2.1")).await.unwrap();
    let again = server.put("example.com", &zone(5, "192.0.2.1")).await.unwrap();
    assert_eq!((again.change, again.generation), (Change::Unchanged, created.generation));
    for serial in [5, 4] {
        let changed = server.put("example.com", &zone(serial, "192.0.2.2")).await.unwrap();
        assert_eq!(changed.change, Change::Replaced);
        assert_eq!(changed.findings[0].severity, Severity::Warning);
        assert!(changed.findings[0].message.contains("serial"), "{:?}", changed.findings);
    }
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_overtaken_is_told_so() {
    let server = TestServer::start("").await;
    let apex = name("example.com");
    let put = async |precondition: Precondition, serial: u32| {
        let options = PutOptions { precondition, ..PutOptions::default() };
        server.client.put_zone(apex.as_name(), zone(serial, "192.0.2.1").into(), &options).await
    };
    assert_eq!(problem(put(Precondition::Exists, 1).await).code, ProblemCode::PreconditionFailed);
    let first = put(Precondition::Absent, 1).await.unwrap();
    assert_eq!(problem(put(Precondition::Absent, 2).await).code, ProblemCode::PreconditionFailed);
    let seen = Precondition::Version(first.etag.unwrap());
    let second = put(seen.clone(), 2).await.unwrap();
    assert_eq!(problem(put(seen.clone(), 3).await).status, 412);
    assert_eq!(problem(server.client.delete_zone(apex.as_name(), &seen, &PinChange::default()).await).status, 412);
    let seen = Precondition::Version(second.etag.unwrap());
    server.client.delete_zone(apex.as_name(), &seen, &PinChange::default()).await.unwrap();
    // A version number is never used twice, not even for a zone that was away.
    let third = put(Precondition::Absent, 1).await.unwrap();
    assert!(third.generation > second.generation);
    assert_eq!(problem(put(seen, 4).await).status, 412);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_at_the_same_time_end_in_one_of_them_and_all_are_acknowledged() {
    let server = TestServer::start("").await;
    let mut uploads = tokio::task::JoinSet::new();
    for i in 1..=200_u32 {
        let client = server.client.clone();
        // Some zones of their own, and many versions of one.
        let zone_name = if i % 4 == 0 { format!("z{i}.example") } else { "example.com".to_owned() };
        uploads.spawn(async move { (i, put(&client, &zone_name, &zone(i, &format!("192.0.2.{i}"))).await.unwrap()) });
    }
    let mut generations = Vec::new();
    let mut last = (0, 0);
    while let Some(done) = uploads.join_next().await {
        let (i, status) = done.unwrap();
        generations.push(status.generation);
        if i % 4 != 0 {
            last = last.max((status.generation, i));
        }
    }
    generations.sort();
    assert_eq!(generations, (1..=200).collect::<Vec<_>>());
    let address = format!("192.0.2.{}", last.1);
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), [address.as_str()]);
    let text = server.client.get_zone(name("example.com").as_name()).await.unwrap();
    assert!(String::from_utf8_lossy(&text.text).contains(&address), "stored is what is served");
    assert_eq!(server.client.status().await.unwrap().zones, 51);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_comes_in_pages() {
    let server = TestServer::start("").await;
    for i in 0..25 {
        server.put(&format!("z{i:02}.example"), &zone(1, "192.0.2.1")).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = server.client.list_zones(after.as_deref(), 10).await.unwrap();
        seen.extend(page.zones.into_iter().map(|zone| zone.zone));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, (0..25).map(|i| format!("z{i:02}.example.")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_make_no_sense_get_a_problem_that_says_why() {
    let server = TestServer::start("").await;
    for (method, path, headers, status, detail) in [
        ("GET", "/", "", 404, "no such call"),
        ("GET", "/v2/status", "", 404, "no such call"),
        ("GET", "/v1/zones/", "", 400, "not a domain name"),
        ("GET", "/v1/zones/a..b", "", 400, "not a domain name"),
        ("GET", "/v1/zones/%zz", "", 400, "hexadecimal"),
        ("GET", "/v1/zones/%ff", "", 400, "UTF-8"),
        ("GET", "/v1/zones/example.com/../status", "", 404, "no such call"),
        ("GET", "/v1/zones?limit=0", "", 400, "limit has to be"),
        ("GET", "/v1/zones?limit=1001", "", 400, "limit has to be"),
        ("GET", "/v1/zones?page=1", "", 400, "no parameter"),
        ("GET", "/v1/zones?after=a..b", "", 400, "not a domain name"),
        ("POST", "/v1/status", "", 405, "this path takes GET"),
        ("GET", "/v1/reload", "", 405, "this path takes POST"),
        ("PATCH", "/v1/zones/example.com", "", 405, "this path takes GET, PUT, DELETE"),
        ("PUT", "/v1/zones/example.com?dry_run=maybe", "", 400, "true or false"),
        ("PUT", "/v1/zones/example.com?dryrun=true", "", 400, "no parameter"),
        ("DELETE", "/v1/zones/example.com", "If-Match: 7\r\n", 400, "entity tag"),
        ("DELETE", "/v1/zones/example.com", "", 404, "not hosted here"),
        (
            "PUT",
            "/v1/zones/example.com",
            "Content-Length: 1000000000\r\n",
            413,
            "serve a zone of this size from a file",
        ),
    ] {
        let answer = call(&server, method, path, headers);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {answer}");
        assert!(answer.contains("\r\ncontent-type: application/problem+json\r\n"), "{method} {path}: {answer}");
        assert!(answer.contains(detail), "{method} {path}: {answer}");
    }
    let answer = call(&server, "POST", "/v1/zones/example.com", "");
    assert!(answer.contains("\r\nallow: GET, PUT, DELETE\r\n"), "{answer}");
    for rubbish in [&b"rubbish\r\n\r\n"[..], b"\0\x01\x02", b"GET /v1/status\r\n\r\n"] {
        let answer = raw(&server, rubbish);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let long = format!("/v1/zones/{}", "x".repeat(100_000));
    assert!(server.client.status().await.is_ok());
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call(&server, "GET", &long, "")));
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 4")));
    assert_eq!(server.client.status().await.unwrap().zones, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_cut_off_at_the_limit() {
    let server = TestServer::start("").await;
    let mut stream = UnixStream::connect(server.server.control_socket()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"PUT /v1/zones/example.com HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let mut chunk = b"100000\r\n".to_vec();
    chunk.extend(vec![b';'; 0x10_0000]);
    chunk.extend(b"\r\n");
    let mut sent = 0;
    while stream.write_all(&chunk).is_ok() {
        sent += chunk.len();
        assert!(sent < 2 * ZONE_TEXT_SIZE_MAX, "never cut off");
    }
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_refuses_a_text_that_is_too_long_before_it_sends_it() {
    let server = TestServer::start("").await;
    let apex = name("example.com");
    let text = vec![b';'; ZONE_TEXT_SIZE_MAX + 1];
    let refused = problem(server.client.put_zone(apex.as_name(), text.into(), &PutOptions::default()).await);
    assert_eq!(refused.code, ProblemCode::TooLarge);
    let mut text = zone(1, "192.0.2.1").into_bytes();
    text.resize(ZONE_TEXT_SIZE_MAX, b'\n');
    let status = server.client.put_zone(apex.as_name(), text.into(), &PutOptions::default()).await.unwrap();
    assert_eq!(status.records, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_for_its_owner_and_group_and_gone_after_the_stop() {
    let server = TestServer::start("").await;
    let path = server.server.control_socket().to_owned();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let TestServer { server, client, .. } = server;
    server.stop().await;
    assert!(!path.exists());
    assert!(matches!(client.status().await, Err(ClientError::Unreachable { .. })));
}

/// A zone that takes 0.7 MiB, most of it comments.
fn large_zone(serial: u32) -> String {
    format!("{}{}", zone(serial, "192.0.2.1"), "; filling\n".repeat((700 << 10) / 10))
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_take_no_more_than_they_may_and_what_is_there_is_kept() {
    let server = TestServer::start("uploads_size_max = 1048576\n").await;
    server.put("example.com", &large_zone(1)).await.unwrap();
    let refused = problem(server.put("example.net", &large_zone(1)).await);
    assert_eq!((refused.code, refused.status), (ProblemCode::StorageFull, 507));
    assert!(refused.detail.contains("uploads_size_max"), "{refused}");
    let dry_run = PutOptions { dry_run: true, ..PutOptions::default() };
    let dry = server.client.put_zone(name("example.net").as_name(), large_zone(1).into(), &dry_run).await;
    assert_eq!(problem(dry).code, ProblemCode::StorageFull);
    server.put("example.com", &large_zone(2)).await.unwrap();
    let status = server.client.status().await.unwrap();
    assert_eq!((status.uploads, status.uploads_max, status.uploads_size_max), (1, 1_000_000, 1 << 20));
    assert!((700 << 10..800 << 10).contains(&status.uploads_size), "{}", status.uploads_size);
    // A restart with less room loses nothing; only what grows is refused.
    let TestServer { server, directory, .. } = server;
    server.stop().await;
    let server = TestServer::start_in(directory, "uploads_size_max = 1000\nuploads_max = 1\n").await;
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.1"]);
    assert_eq!(problem(server.put("example.com", &(large_zone(3) + "more A 192.0.2.9\n")).await).status, 507);
    server.put("example.com", &zone(3, "192.0.2.3")).await.unwrap();
    assert!(problem(server.put("example.net", &zone(1, "192.0.2.1")).await).detail.contains("uploads_max"));
    server.delete("example.com").await.unwrap();
    assert_eq!(server.client.status().await.unwrap().uploads_size, 0);
    server.put("example.net", &zone(1, "192.0.2.1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_uploads_at_once_as_many_go_in_as_there_is_room_for() {
    let server = TestServer::start("uploads_max = 5\n").await;
    let uploads = (0..12).map(|n| {
        let client = server.client.clone();
        tokio::spawn(async move { put(&client, &format!("z{n}.example"), &zone(1, "192.0.2.1")).await })
    });
    let mut accepted = 0;
    for upload in uploads.collect::<Vec<_>>() {
        match upload.await.unwrap() {
            Ok(_) => accepted += 1,
            refused => assert_eq!(problem(refused).code, ProblemCode::StorageFull),
        }
    }
    assert_eq!((accepted, server.client.status().await.unwrap().uploads), (5, 5));
}
