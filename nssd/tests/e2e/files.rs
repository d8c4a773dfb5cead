//! The operator's zone files.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use nssd::control::{Change, ProblemCode, Source};

use crate::harness::*;

const DIRECTORY: &str = "[[zone_directory]]\npath = \"zones\"\n";

fn directory_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("zones")).unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join("zones").join(name), text).unwrap();
    }
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_served_from_the_start_and_changes_at_a_reload() {
    let directory = directory_with(&[
        ("example.com.zone", &zone(1, "192.0.2.1")),
        ("example.org.zone", &zone(1, "192.0.2.2")),
        ("notes.txt", "not a zone"),
        (".#example.net.zone", "an editor's"),
    ]);
    std::fs::write(directory.path().join("net"), zone(1, "192.0.2.3")).unwrap();
    let more = format!("{DIRECTORY}[[zone]]\nname = \"example.net\"\nfile = \"net\"\n");
    let server = TestServer::start_in(directory, &more).await;
    for (qname, address) in
        [("www.example.com.", "192.0.2.1"), ("www.example.org.", "192.0.2.2"), ("www.example.net.", "192.0.2.3")]
    {
        assert_eq!(data(&ask(server.v4(), qname, RecordType::A)), [address]);
    }
    let status = server.client.zone_status(name("example.com").as_name()).await.unwrap();
    assert!(matches!(&status.source, Source::File(path) if path.ends_with("zones/example.com.zone")), "{status:?}");

    std::fs::write(server.path("zones/example.com.zone"), zone(2, "192.0.2.11")).unwrap();
    std::fs::remove_file(server.path("zones/example.org.zone")).unwrap();
    std::fs::write(server.path("zones/0\\04725.example.zone"), zone(1, "192.0.2.4")).unwrap();
    let report = server.client.reload().await.unwrap();
    assert_eq!(report.created, ["0/25.example."]);
    assert_eq!(report.replaced, ["example.com."]);
    assert_eq!(report.withdrawn, ["example.org."]);
    assert_eq!((report.unchanged, report.broken.len(), report.notes.len()), (1, 0, 0), "{report:?}");
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.11"]);
    assert_eq!(server.client.zone_status(name("0/25.example").as_name()).await.unwrap().serial, 1);
    let gone = ask(server.v4(), "www.example.org.", RecordType::A);
    assert_eq!(gone.metadata.response_code, ResponseCode::Refused);
    let report = server.client.reload().await.unwrap();
    assert_eq!((report.unchanged, report.created.len(), report.replaced.len()), (3, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_keeps_the_zone_before_and_says_so_until_it_is_mended() {
    let directory = directory_with(&[
        ("example.com.zone", &zone(1, "192.0.2.1")),
        ("never.example.zone", "@ A\n"),
        ("a..b.zone", &zone(1, "192.0.2.1")),
    ]);
    let server = TestServer::start_in(directory, DIRECTORY).await;
    let broken = server.client.status().await.unwrap().broken;
    assert_eq!(
        broken.iter().map(|zone| (zone.zone.as_str(), zone.still_served)).collect::<Vec<_>>(),
        [("never.example.", false)]
    );

    std::fs::write(server.path("zones/example.com.zone"), "@ SOA what\n").unwrap();
    for _ in 0..2 {
        let report = server.client.reload().await.unwrap();
        let mut broken: Vec<_> = report.broken.iter().map(|zone| (zone.zone.as_str(), zone.still_served)).collect();
        broken.sort();
        assert_eq!(broken, [("a..b.zone", false), ("example.com.", true), ("never.example.", false)]);
        assert!(report.broken.iter().any(|zone| zone.reason.contains("line 1")), "{report:?}");
        // Who asks about the zone may be anybody: what stands in the file, and where it is, is the operator's.
        let status = problem(server.client.zone_status(name("never.example").as_name()).await);
        assert_eq!(
            (status.status, status.detail.as_str()),
            (404, "never.example. is known, but not served: the operator's file makes no zone")
        );
        assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.1"]);
    }
    let status = server.client.zone_status(name("example.com").as_name()).await.unwrap();
    assert!(status.serial == 1 && status.stale.unwrap().contains("line 1"));

    std::fs::write(server.path("zones/example.com.zone"), zone(2, "192.0.2.2")).unwrap();
    let report = server.client.reload().await.unwrap();
    assert_eq!(report.replaced, ["example.com."]);
    let status = server.client.zone_status(name("example.com").as_name()).await.unwrap();
    assert_eq!((status.serial, status.stale), (2, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_read_withdraws_nothing() {
    let directory = directory_with(&[("example.com.zone", &zone(1, "192.0.2.1"))]);
    let server = TestServer::start_in(directory, DIRECTORY).await;
    std::fs::rename(server.path("zones"), server.path("elsewhere")).unwrap();
    let report = server.client.reload().await.unwrap();
    assert!(report.withdrawn.is_empty() && report.notes[0].contains("cannot be read"), "{report:?}");
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.1"]);
    std::fs::rename(server.path("elsewhere"), server.path("zones")).unwrap();
    assert_eq!(server.client.reload().await.unwrap().unchanged, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_file_goes_before_an_upload_and_the_upload_comes_back() {
    let server = TestServer::start_in(directory_with(&[]), DIRECTORY).await;
    let uploaded = server.put("example.com", &zone(1, "192.0.2.1")).await.unwrap();
    std::fs::write(server.path("zones/example.com.zone"), zone(7, "192.0.2.7")).unwrap();
    assert_eq!(server.client.reload().await.unwrap().replaced, ["example.com."]);
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.7"]);

    let refused = problem(server.put("example.com", &zone(8, "192.0.2.8")).await);
    assert_eq!((refused.code, refused.status), (ProblemCode::Conflict, 409));
    assert!(refused.detail.contains("zones/example.com.zone"), "{refused}");
    assert_eq!(problem(server.delete("example.com").await).code, ProblemCode::Conflict);
    let served = server.client.get_zone(name("example.com").as_name()).await.unwrap();
    assert!(String::from_utf8_lossy(&served.text).contains("www.example.com. 3600 IN A 192.0.2.7"));

    std::fs::remove_file(server.path("zones/example.com.zone")).unwrap();
    assert_eq!(server.client.reload().await.unwrap().withdrawn, ["example.com."]);
    assert_eq!(data(&ask(server.v4(), "www.example.com.", RecordType::A)), ["192.0.2.1"]);
    let status = server.client.zone_status(name("example.com").as_name()).await.unwrap();
    assert_eq!((status.source, status.etag), (Source::Upload, uploaded.etag));
    assert_eq!(server.put("example.com", &zone(8, "192.0.2.8")).await.unwrap().change, Change::Replaced);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_included_file_belongs_to_the_zone() {
    let text = format!("{}$INCLUDE hosts\n", zone(1, "192.0.2.1"));
    let directory = directory_with(&[("example.com.zone", &text), ("hosts", "mail A 192.0.2.25\n")]);
    let server = TestServer::start_in(directory, DIRECTORY).await;
    assert_eq!(data(&ask(server.v4(), "mail.example.com.", RecordType::A)), ["192.0.2.25"]);
    std::fs::write(server.path("zones/hosts"), "mail A 192.0.2.26\n").unwrap();
    assert_eq!(server.client.reload().await.unwrap().replaced, ["example.com."]);
    assert_eq!(data(&ask(server.v4(), "mail.example.com.", RecordType::A)), ["192.0.2.26"]);
    // Strangers include nothing.
    let refused = problem(server.put("example.org", &format!("{}$INCLUDE /etc/passwd\n", zone(1, "192.0.2.1"))).await);
    assert_eq!(refused.code, ProblemCode::InvalidZone);
    assert!(!refused.to_string().contains("root:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_reads_the_configuration_again_and_a_broken_one_changes_nothing() {
    let directory = directory_with(&[("example.com.zone", &zone(1, "192.0.2.1"))]);
    std::fs::write(directory.path().join("net"), zone(1, "192.0.2.3")).unwrap();
    let server = TestServer::start_in(directory, DIRECTORY).await;
    let transfer = || {
        let mut tcp = Tcp::connect(server.v4());
        tcp.send(&query("example.com.", RecordType::AXFR));
        tcp.receive().unwrap().metadata.response_code
    };
    assert_eq!(transfer(), ResponseCode::Refused);

    let more = "[transfer]\nallow = [\"127.0.0.0/8\"]\n[[zone]]\nname = \"example.net\"\nfile = \"net\"\n";
    server.write_config(more);
    let report = server.client.reload().await.unwrap();
    assert_eq!((report.created, report.withdrawn), (vec!["example.net.".to_owned()], vec!["example.com.".to_owned()]));

    server.write_config(&format!("{DIRECTORY}[transfer]\nallow = [\"127.0.0.0/8\"]\n[tcp]\nidle_timeout_ms = 500\n"));
    let report = server.client.reload().await.unwrap();
    assert!(report.notes[0].contains("[tcp] has changed"), "{report:?}");
    assert_eq!(transfer(), ResponseCode::NoError);

    server.write_config("[sever]\n");
    let report = server.client.reload().await.unwrap();
    assert!(report.notes[0].contains("the configuration is broken") && report.withdrawn.is_empty(), "{report:?}");
    assert_eq!(transfer(), ResponseCode::NoError);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_served_told_from_its_successor_and_explained_like_a_small_one() {
    // More than is read as a whole; the include stands where the pieces have long begun.
    let large = |serial: u32, last: &str| {
        let mut text = zone(serial, "192.0.2.1");
        for i in 0..60_000 {
            text += &format!("host{i} A 192.0.2.{}\n", i % 256);
        }
        text + "$INCLUDE more\n" + last
    };
    let directory = directory_with(&[("example.com.zone", &large(1, "")), ("more", "more A 192.0.2.2\n")]);
    let server = TestServer::start_in(directory, DIRECTORY).await;
    for (qname, address) in [("host59999.example.com.", "192.0.2.95"), ("more.example.com.", "192.0.2.2")] {
        assert_eq!(data(&ask(server.v4(), qname, RecordType::A)), [address]);
    }
    assert_eq!(server.client.reload().await.unwrap().unchanged, 1);

    // A change of the included file counts, and so does one at the end of the large one.
    std::fs::write(server.path("zones/more"), "more A 192.0.2.3\n").unwrap();
    assert_eq!(server.client.reload().await.unwrap().replaced, ["example.com."]);
    assert_eq!(data(&ask(server.v4(), "more.example.com.", RecordType::A)), ["192.0.2.3"]);
    std::fs::write(server.path("zones/example.com.zone"), large(2, "odd A 192.0.2.4\nodd A 192.0.2.4\n")).unwrap();
    assert_eq!(server.client.reload().await.unwrap().replaced, ["example.com."]);
    let status = server.client.zone_status(name("example.com").as_name()).await.unwrap();
    assert_eq!((status.serial, status.findings.len()), (2, 1));
    assert_eq!(status.findings[0].line, Some(60_008), "{status:?}");

    std::fs::write(server.path("zones/example.com.zone"), large(3, "bad A 192.0.2.400\n")).unwrap();
    let report = server.client.reload().await.unwrap();
    assert!(report.broken[0].reason.contains("192.0.2.400") && report.broken[0].still_served, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_served_though_nobody_would_believe_its_signatures_and_such_an_upload_is_refused() {
    let signed = include_str!("../signatures/nsec.zone");
    let wrong = signed.replace("A 192.0.2.1", "A 192.0.2.2");
    let directory = directory_with(&[("example.com.zone", &wrong)]);
    let server = TestServer::start_in(directory, DIRECTORY).await;
    assert_eq!(data(&ask(server.v4(), "ns.example.com.", RecordType::A)), ["192.0.2.2"]);
    let changed = wrong.replace("A 192.0.2.2", "A 192.0.2.3");
    std::fs::write(server.path("zones/example.com.zone"), changed).unwrap();
    assert_eq!(server.client.reload().await.unwrap().replaced, ["example.com."]);
    assert_eq!(data(&ask(server.v4(), "ns.example.com.", RecordType::A)), ["192.0.2.3"]);

    std::fs::remove_file(server.path("zones/example.com.zone")).unwrap();
    server.client.reload().await.unwrap();
    let refused = problem(server.put("example.com", &wrong).await);
    assert_eq!(refused.code, ProblemCode::InvalidZone);
    assert_eq!((refused.findings[0].code.as_deref(), refused.findings[0].line), (Some("Z0428"), Some(19)));
    assert_eq!(server.put("example.com", signed).await.unwrap().findings, []);
    assert_eq!(data(&ask(server.v4(), "ns.example.com.", RecordType::A)), ["192.0.2.1"]);
}
