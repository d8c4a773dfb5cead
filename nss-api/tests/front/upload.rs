//! Zone files on their way in: every check switched on, real parents asked, real answers over UDP and TCP.

use std::time::Instant;

use nss_wire::RType;

use crate::support::{PATIENCE, Reply};
use crate::tree::{OURS, Tree};

/// `example.com` delegated to us.
const DELEGATED: &str = "example NS ns1.dns.example.net.\nexample NS ns2.dns.example.net.\n";

const UPLOAD: &str = "/v1/zone?domain=example.com";
const ZONE: &str = "/v1/zones/example.com";

/// Without keys, which have tests of their own.
const OPEN: &str = "ownership = \"open\"\n";

const NOERROR: u16 = 0;
const REFUSED: u16 = 5;

/// A zone that names our servers, with `records` in it.
fn zone(serial: u32, records: &str) -> String {
    let [a, b] = OURS;
    format!("$TTL 300\n@ SOA {a} hostmaster {serial} 1800 900 604800 300\n@ NS {a}\n@ NS {b}\n{records}")
}

#[test]
fn a_zone_file_goes_in_over_http_and_is_answered_over_udp_and_tcp() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    assert_eq!(tree.ours.ask("www.example.com", RType::A).rcode, REFUSED);
    let text = zone(7, "www A 192.0.2.1 ; a comment\nwww A 192.0.2.2\n");
    let reply = api.call("POST", UPLOAD, &["Content-Type: application/x-www-form-urlencoded"], text.as_bytes());
    reply.expect(200, &["example.com: published with serial 7, 5 records\n"]);
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    for answer in [tree.ours.ask("www.example.com", RType::A), tree.ours.ask_over_tcp("WWW.example.com", RType::A)] {
        let mut data = answer.data.clone();
        data.sort();
        assert_eq!(
            (answer.rcode, answer.is_authoritative, data),
            (NOERROR, true, vec!["192.0.2.1".into(), "192.0.2.2".into()])
        );
    }
    let text = zone(8, "www A 192.0.2.3\n");
    api.call("POST", UPLOAD, &[], text.as_bytes()).expect(200, &["example.com: replaced, now serial 8, 4 records\n"]);
    assert_eq!(tree.ours.ask("www.example.com", RType::A).data, ["192.0.2.3"]);
    api.call("POST", UPLOAD, &[], text.as_bytes()).expect(200, &["example.com: unchanged"]);
    api.call("GET", "/healthz", &[], b"").expect(200, &["ok"]);
}

#[test]
fn a_zone_without_ns_records_is_told_in_the_words_of_old() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    for text in ["", "\n; nothing\n", "$TTL 60\nwww A 192.0.2.1\n", "$TTL 60\n@ SOA a b 1 2 3 4 5\n"] {
        let reply = api.call("POST", UPLOAD, &[], text.as_bytes());
        assert_eq!((reply.status, reply.text()), (400, "no NS records"), "{text:?}");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    let reply = api.call("POST", UPLOAD, &["Accept: application/json"], b"");
    let problem = reply.json();
    assert_eq!(problem["code"], "no-ns-records");
    assert_has_rules(&problem["diagnostics"], &["no-soa", "no-ns"]);
}

/// Holds that findings break these rules, each with what the table of rules says of it.
fn assert_has_rules(findings: &serde_json::Value, names: &[&str]) {
    let findings = findings.as_array().unwrap();
    assert_eq!(findings.iter().map(|found| found["name"].as_str().unwrap()).collect::<Vec<_>>(), names);
    for found in findings {
        let rule = nssd::check::rule(found["name"].as_str().unwrap()).unwrap();
        assert_eq!(found["code"], rule.code.to_string());
        assert_eq!(found["reference"].as_str().unwrap_or_default(), rule.reference, "{found}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_and_where_they_are() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let text = zone(1, "www A 192.0.2.256\nok A 192.0.2.1\nmail MX ten mail\n");
    let reply = api.call("POST", UPLOAD, &[], text.as_bytes());
    reply.expect(
        400,
        &["example.com: 2 ", "nothing was changed", "line 5, column 7", "192.0.2.256", "^^^", "line 7, column 9"],
    );
    let problem = api.call("POST", UPLOAD, &["Accept: application/problem+json"], text.as_bytes()).json();
    assert_eq!(problem["code"], "bad-zone");
    assert_eq!(problem["diagnostics"].as_array().unwrap().len(), 2);
    let first = &problem["diagnostics"][0];
    assert_eq!((&first["line"], &first["column"], &first["severity"]), (&5.into(), &7.into(), &"error".into()));

    let text = zone(1, "www CNAME a.example.org.\nwww A 192.0.2.1\nother.example.org. A 192.0.2.1\n");
    let problem = api.call("POST", UPLOAD, &["Accept: application/problem+json"], text.as_bytes());
    assert_eq!(problem.status, 400);
    let diagnostics = problem.json()["diagnostics"].clone();
    let of_line = |line: u64| diagnostics.as_array().unwrap().iter().any(|found| found["line"] == line);
    assert!(of_line(7) && (of_line(5) || of_line(6)), "{diagnostics}");
    assert!(diagnostics.as_array().unwrap().iter().all(|found| found["reference"].is_string()), "{diagnostics}");
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED);
}

#[test]
fn a_file_has_to_be_the_zone_of_the_domain_it_is_sent_for() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let text = format!("$ORIGIN example.org.\n{}", zone(1, ""));
    assert_eq!(api.call("POST", UPLOAD, &[], text.as_bytes()).status, 400);
    let text = "$TTL 60\n@ NS ns1.dns.example.net.\n@ NS ns2.dns.example.net.\n";
    api.call("POST", UPLOAD, &[], text.as_bytes()).expect(400, &["SOA"]);
}

#[test]
fn a_zone_has_to_name_all_our_name_servers_itself() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let text = zone(1, "").replace("@ NS ns2.dns.example.net.\n", "@ NS ns.example.org.\n");
    api.call("POST", UPLOAD, &[], text.as_bytes()).expect(
        400,
        &["lack ns2.dns.example.net.;", "name ns.example.org., ns1.dns.example.net.", "@ IN NS ns2.dns.example.net."],
    );
    let more = zone(1, "@ NS ns.example.org.\n");
    api.call("POST", UPLOAD, &[], more.as_bytes()).expect(200, &[]);
}

#[test]
fn a_signed_zone_that_no_resolver_would_believe_is_refused() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api("");
    let signed = include_str!("../../../nssd/tests/signatures/nsec.zone");
    // Nothing is wrong with it, but that it is for other name servers.
    api.call("POST", UPLOAD, &[], signed.as_bytes()).expect(400, &["lack ns1.dns.example.net."]);
    let wrong = signed.replace("A 192.0.2.1", "A 192.0.2.2");
    let reply = api.call("POST", UPLOAD, &["Accept: application/problem+json"], wrong.as_bytes());
    assert_eq!(reply.status, 400);
    assert_has_rules(&reply.json()["diagnostics"], &["wrong-signature"]);
}

#[test]
fn a_domain_delegated_elsewhere_is_refused_with_what_to_enter() {
    let tree = Tree::start("example NS ns1.dns.example.net.\nexample NS ns.example.org.\nother NS ns.example.org.\n");
    let api = tree.api(OPEN);
    let reply = api.call("POST", UPLOAD, &[], zone(1, "").as_bytes());
    reply.expect(
        403,
        &["not delegated to our name servers", "com. delegates example.com. to", "lacks ns2.dns.example.net."],
    );
    reply.expect(
        403,
        &["enter these name servers", "  ns1.dns.example.net.\n  ns2.dns.example.net.\n", "who was asked"],
    );
    let problem = api.call("POST", "/v1/zone?domain=other.com", &["Accept: application/json"], zone(1, "").as_bytes());
    let problem = (problem.status, problem.json());
    assert_eq!((problem.0, &problem.1["code"]), (403, &"not-delegated".into()));
    assert!(!problem.1["evidence"].as_array().unwrap().is_empty());
    for domain in ["nothing.com", "a.b.nothing.com", "a.com"] {
        let target = format!("/v1/zone?domain={domain}");
        api.call("POST", &target, &[], zone(1, "").as_bytes()).expect(403, &["not delegated"]);
    }
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED);
}

#[test]
fn a_parent_that_does_not_answer_is_not_a_no() {
    let tree = Tree::start("example NS ns1.dns.example.net.\nexample NS ns2.dns.example.net.\n");
    // Nobody listens there, so the answer is a refusal by the kernel, at once.
    let nobody = "127.255.255.254";
    let api = crate::support::Api::start(&format!(
        "name_servers = {OURS:?}\ncontrol_socket = \"/nonexistent\"\n[parent]\nroot_hints = [\"{nobody}\"]\ndns_port = 1\n\
         allow_private_addresses = true\n[timeouts]\nparent_check_ms = 1000\n"
    ));
    let reply = api.call("POST", UPLOAD, &[], zone(1, "").as_bytes());
    reply.expect(503, &["could not find out", nobody, "nothing was changed"]);
    assert_eq!(reply.header("retry-after"), Some("10"));
    drop(tree);
}

#[test]
fn a_dry_run_checks_everything_and_changes_nothing() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let dry = "/v1/zone?domain=example.com&dry_run=true";
    api.call("POST", dry, &[], zone(1, "").as_bytes())
        .expect(200, &["all checks passed, serial 1", "nothing was changed"]);
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED);
    assert_eq!(api.call("GET", ZONE, &[], b"").status, 404);
    assert_eq!(api.call("POST", dry, &[], b"").status, 400);
    assert_eq!(api.call("POST", "/v1/zone?dry_run=true&domain=other.com", &[], zone(1, "").as_bytes()).status, 403);
}

#[test]
fn what_was_uploaded_is_given_back_octet_for_octet() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    api.call("GET", ZONE, &[], b"").expect(404, &["not"]);
    let text = format!("; Grüße\r\n{}", zone(1, "www\tA 192.0.2.1")).replace('\n', "\r\n");
    let stored = api.call("PUT", ZONE, &["Content-Type: text/dns"], text.as_bytes());
    stored.expect(200, &[]);
    let read = api.call("GET", "/v1/zones/EXAMPLE.com.", &[], b"");
    assert_eq!((read.status, read.text()), (200, text.as_str()));
    assert_eq!(read.header("content-type"), Some("text/dns"));
    let etag = read.header("etag").unwrap();
    assert_eq!(stored.header("etag"), Some(etag));
    let known = api.call("GET", ZONE, &[&format!("If-None-Match: \"x\", {etag}")], b"");
    assert_eq!((known.status, known.header("etag")), (304, Some(etag)));
    let head = api.call("HEAD", ZONE, &[], b"");
    assert_eq!((head.status, head.header("etag")), (200, Some(etag)));
}

#[test]
fn an_upload_can_insist_on_the_version_that_it_replaces() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let put = |serial, headers: &[&str]| api.call("PUT", ZONE, headers, zone(serial, "").as_bytes());
    put(1, &["If-Match: *"]).expect(412, &[]);
    put(1, &["If-None-Match: *"]).expect(200, &["published"]);
    put(2, &["If-None-Match: *"]).expect(412, &[]);
    let first = api.call("GET", ZONE, &[], b"").header("etag").unwrap().to_owned();
    put(2, &[&format!("If-Match: {first}")]).expect(200, &["replaced"]);
    put(3, &[&format!("If-Match: {first}")]).expect(412, &[]);
    assert_eq!(api.call("DELETE", ZONE, &[&format!("If-Match: {first}")], b"").status, 412);
    assert!(tree.ours.ask("example.com", RType::SOA).data[0].contains(" 2 1800 "));
}

#[test]
fn whoever_may_upload_may_withdraw_and_nobody_else() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    api.call("DELETE", ZONE, &[], b"").expect(404, &[]);
    api.call("PUT", ZONE, &[], zone(1, "").as_bytes()).expect(200, &[]);

    // The owner moved away: strangers can neither replace nor withdraw what is still served here.
    tree.delegate("example NS ns.example.org.\n");
    // A front of its own, because the first one still remembers the delegation for a while.
    let later = tree.api(OPEN);
    later.call("DELETE", ZONE, &[], b"").expect(403, &["not delegated"]);
    later.call("PUT", ZONE, &[], zone(2, "").as_bytes()).expect(403, &["not delegated"]);
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, NOERROR);

    tree.delegate(DELEGATED);
    let back = tree.api(OPEN);
    back.call("DELETE", "/v1/zones/example.com?dry_run=true", &[], b"").expect(200, &["nothing was changed"]);
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, NOERROR);
    back.call("DELETE", ZONE, &[], b"").expect(200, &["example.com: withdrawn, it had serial 1"]);
    assert_eq!(tree.ours.ask("example.com", RType::SOA).rcode, REFUSED);
    back.call("GET", ZONE, &[], b"").expect(404, &[]);
}

#[test]
fn the_operators_files_are_neither_shown_nor_changed() {
    let tree = Tree::start_with(DELEGATED, &[("example.com", &zone(1, "secret TXT \"of the operator\"\n"))]);
    let api = tree.api(OPEN);
    api.call("GET", ZONE, &[], b"").expect(404, &[]);
    api.call("DELETE", ZONE, &[], b"").expect(404, &[]);
    let refused = api.call("PUT", ZONE, &[], zone(2, "").as_bytes());
    refused.expect(409, &["the operator's files"]);
    assert!(!refused.text().contains('/'), "{}", refused.text());
    assert_eq!(tree.ours.ask("secret.example.com", RType::TXT).rcode, NOERROR);
}

#[test]
fn two_uploads_at_once_are_one_after_the_other() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let texts = [1, 2].map(|serial| zone(serial, &format!("a A 192.0.2.{serial}\nb A 192.0.2.{serial}\n")));
    for _ in 0..10 {
        let mut connections = [api.connect(), api.connect()];
        let replies: Vec<Reply> = std::thread::scope(|scope| {
            let uploads = connections.iter_mut().zip(&texts);
            let threads: Vec<_> = uploads
                .map(|(connection, text)| scope.spawn(|| connection.call("PUT", ZONE, &[], text.as_bytes())))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
        let kept = api.call("GET", ZONE, &[], b"").text().to_owned();
        let winner = texts.iter().position(|text| *text == kept).expect("one of the two, as a whole") + 1;
        for name in ["a.example.com", "b.example.com"] {
            assert_eq!(tree.ours.ask(name, RType::A).data, [format!("192.0.2.{winner}")]);
        }
    }
}

#[test]
fn a_name_server_that_stops_is_waited_for_and_has_kept_everything() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    api.call("PUT", ZONE, &[], zone(1, "").as_bytes()).expect(200, &[]);
    let stopped = tree.stop_ours();
    for (method, body) in [("PUT", zone(2, "")), ("GET", String::new()), ("DELETE", String::new())] {
        let reply = api.call(method, ZONE, &[], body.as_bytes());
        reply.expect(503, &["name server"]);
        assert!(reply.header("retry-after").is_some(), "{method}");
    }
    let tree = stopped.restart();
    assert_eq!(api.call("GET", ZONE, &[], b"").text(), zone(1, ""));
    api.call("PUT", ZONE, &[], zone(2, "").as_bytes()).expect(200, &["replaced"]);
    assert!(tree.ours.ask("example.com", RType::SOA).data[0].contains(" 2 1800 "));
}

#[test]
fn an_internationalised_domain_is_hosted_under_its_a_label() {
    let tree = Tree::start("xn--bcher-kva NS ns1.dns.example.net.\nxn--bcher-kva NS ns2.dns.example.net.\n");
    let api = tree.api(OPEN);
    let target = "/v1/zone?domain=B%C3%9Ccher.com";
    api.call("POST", target, &[], zone(1, "").as_bytes()).expect(200, &["xn--bcher-kva.com: published"]);
    assert_eq!(tree.ours.ask("xn--bcher-kva.com", RType::SOA).rcode, NOERROR);
}

#[test]
fn programs_get_what_happened_in_json_and_warnings_with_it() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let text = zone(1, "www 60 A 192.0.2.1\nwww 90 A 192.0.2.2\n");
    let reply = api.call("PUT", ZONE, &["Accept: application/json"], text.as_bytes());
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let json = reply.json();
    assert_eq!(
        (&json["domain"], &json["serial"], &json["change"]),
        (&"example.com".into(), &1.into(), &"created".into())
    );
    assert_eq!(json["etag"].as_str(), reply.header("etag"));
    assert_eq!(json["diagnostics"][0]["severity"], "warning");
    assert_eq!(json["diagnostics"][0]["code"], "Z0341");
    let reply = api.call("PUT", ZONE, &[], zone(2, "www 60 A 192.0.2.1\nwww 90 A 192.0.2.2\n").as_bytes());
    reply.expect(200, &["replaced", "warning[Z0341]: ", "www 90 A 192.0.2.2"]);
}

#[test]
fn an_open_server_takes_any_domain_and_says_so() {
    let tree = Tree::start("");
    let api = tree.api("ownership = \"open\"\ndelegation_check = false\n");
    let reply = api.call("POST", UPLOAD, &[], zone(1, "").as_bytes());
    reply.expect(200, &["published", "mode of this server: open, delegation not checked"]);
    assert_eq!(reply.header("namespace-server-mode"), Some("open, delegation not checked"));
    api.call("DELETE", ZONE, &[], b"").expect(200, &["delegation not checked"]);
    let checked = tree.api("ownership = \"open\"\n");
    checked.call("POST", UPLOAD, &[], zone(1, "").as_bytes()).expect(403, &[]);
}

#[test]
fn what_is_no_zone_file_is_refused_in_bounded_time_and_words() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let mut state = 1_u32;
    let garbage: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(1 << 20)
    .collect();
    let mistakes = "www A nowhere\n".repeat(1_000_000);
    let unclosed = format!("{}(", "( ".repeat(100_000));
    let utf16: Vec<u8> = zone(1, "").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (what, body, words) in [
        ("garbage", garbage.as_slice(), &["UTF-8"][..]),
        ("a million mistakes", mistakes.as_bytes(), &["nothing was changed", "and "]),
        ("parentheses", unclosed.as_bytes(), &["parenthes"]),
        ("UTF-16", &utf16, &[]),
        ("NUL", b"www A 192.0.2.1\0\n", &["line 1, column 16"]),
        ("a line of 10 MB", &[b'a'; 10_000_000], &[]),
        ("an include", zone(1, "$INCLUDE /etc/passwd\n").as_bytes(), &["$INCLUDE"]),
        ("a bomb", zone(1, "$GENERATE 0-4294967295 a$ A 192.0.2.1\n").as_bytes(), &["line 5"]),
    ] {
        let start = Instant::now();
        let reply = api.call("POST", UPLOAD, &[], body);
        reply.expect(400, words);
        assert!(reply.body.len() < 100_000, "{what}: {} octets", reply.body.len());
        // The crates are built without optimisation here; what counts is that it is no matter of minutes.
        assert!(start.elapsed().as_secs() < 30, "{what}: {:?}", start.elapsed());
        assert!(!reply.text().contains('\0') && !reply.text().contains('\u{1b}'), "{what}");
    }
    api.call("POST", UPLOAD, &[], zone(1, "").as_bytes()).expect(200, &[]);
}

#[test]
fn a_file_whose_line_breaks_curl_removed_gets_a_hint() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let text = zone(1, "www A 192.0.2.1\n").replace('\n', "");
    let form = "Content-Type: application/x-www-form-urlencoded";
    api.call("POST", UPLOAD, &[form], text.as_bytes()).expect(400, &["--data-binary"]);
}

#[test]
fn octets_that_are_no_utf_8_are_told_where_they_are() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let mut text = zone(1, "www TXT \"gr").into_bytes();
    text.extend(b"\xfc\xdfe\"\n");
    api.call("POST", UPLOAD, &[], &text).expect(400, &["error[Z0011]", "line 5, column 12", "UTF-8", "www TXT \"gr"]);
    let problem = api.call("POST", UPLOAD, &["Accept: application/json"], &text).json();
    assert_eq!(problem["code"], "not-utf-8");
    assert_has_rules(&problem["diagnostics"], &["not-utf-8"]);
}

#[test]
fn a_client_that_does_not_take_its_answer_loses_its_connection() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api("ownership = \"open\"\n[limits]\nconnections_per_client_max = 1\n[timeouts]\nwrite_ms = 200\n");
    // More than the kernel buffers on both sides.
    let text = zone(1, &format!("; {}\n", "comment ".repeat(8)).repeat(220_000));
    let mut connection = api.connect();
    connection.call("PUT", ZONE, &[], text.as_bytes()).expect(200, &[]);
    connection.send(format!("GET {ZONE} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    let start = Instant::now();
    // The only connection there may be is taken until the server gives up on it.
    while api.connect().try_call("GET", "/").is_none_or(|reply| reply.status != 200) {
        assert!(start.elapsed() < PATIENCE, "the server waits for ever");
    }
    assert!(connection.until_closed().len() < text.len());
}

#[test]
fn one_connection_serves_many_uploads() {
    let tree = Tree::start(DELEGATED);
    let api = tree.api(OPEN);
    let mut connection = api.connect();
    for serial in 1..20 {
        connection.call("PUT", ZONE, &[], zone(serial, "").as_bytes()).expect(200, &[&format!("serial {serial},")]);
    }
}
