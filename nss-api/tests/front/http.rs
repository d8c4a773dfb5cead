//! Requests that are wrong before any zone is looked at: methods, paths, parameters, types.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;

use crate::support::Api;

const UPLOAD: &str = "/v1/zone?domain=example.com";

#[test]
fn the_first_page_says_what_to_do() {
    let api = Api::alone("");
    let page = api.call("GET", "/", &[], b"");
    page.expect(200, &["--data-binary", "  ns1.dns.example.net.\n  ns2.dns.example.net.\n"]);
    assert_eq!(page.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let head = api.call("HEAD", "/", &[], b"");
    assert_eq!((head.status, head.header("content-length")), (200, page.header("content-length")));
    let http10 = {
        let mut connection = api.connect();
        connection.send(b"GET / HTTP/1.0\r\n\r\n");
        connection.until_closed()
    };
    assert!(String::from_utf8(http10).unwrap().starts_with("HTTP/1.0 200"));
}

#[test]
fn a_key_comes_with_its_label_and_what_to_enter_at_the_registrar() {
    let api = Api::alone("");
    let made = api.call("POST", "/v1/keys", &[], b"");
    made.expect(200, &["key    nss1_", "label  k-", "registrar"]);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let json = api.call("POST", "/v1/keys", &["Accept: application/json"], b"");
    assert_eq!((json.status, json.header("cache-control")), (200, Some("no-store")));
    let json = json.json();
    let key: nss_api::key::Key = json["key"].as_str().unwrap().parse().unwrap();
    let label = json["label"].as_str().unwrap();
    assert_eq!(key.label().as_str(), label);
    let names = ["ns1", "ns2"].map(|server| format!("{label}.{server}.dns.example.net."));
    assert_eq!(json["name_servers"], serde_json::json!(names));
    assert!(!made.text().contains(key.reveal()), "each key is made once");
    api.call("POST", "/v1/keys?domain=example.com", &[], b"").expect(400, &["unknown parameter"]);
    assert_eq!(api.call("GET", "/", &[], b"").header("cache-control"), Some("no-cache"));
}

#[test]
fn other_methods_are_refused_with_the_right_ones() {
    let api = Api::alone("");
    for (method, target, allowed) in [
        ("GET", UPLOAD, "POST, OPTIONS"),
        ("HEAD", UPLOAD, "POST, OPTIONS"),
        ("PUT", UPLOAD, "POST, OPTIONS"),
        ("POST", "/v1/zones/example.com", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("PATCH", "/v1/zones/example.com", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("GET", "/v1/keys", "POST, OPTIONS"),
        ("TRACE", "/", "GET, HEAD, OPTIONS"),
        ("BREW", "/healthz", "GET, HEAD, OPTIONS"),
        ("DELETE", "/", "GET, HEAD, OPTIONS"),
    ] {
        let reply = api.call(method, target, &[], b"");
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allowed)), "{method} {target}");
    }
    let options = api.call("OPTIONS", "*", &[], b"");
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
}

#[test]
fn nothing_is_found_at_other_paths() {
    let api = Api::alone("");
    for target in
        ["/v1", "/v1/zone/", "/v1/zones", "/v1/zones/", "/v1/zones/a/b", "/V1/zone", "//", "/%2e%2e/etc/passwd"]
    {
        api.call("GET", target, &[], b"").expect(404, &["GET / shows the calls"]);
    }
}

#[test]
fn parameters_are_read_strictly() {
    let api = Api::alone("");
    for (target, words) in [
        ("/v1/zone", "domain=example.com"),
        ("/v1/zone?", "domain=example.com"),
        ("/v1/zone?domain=", "empty"),
        ("/v1/zone?domain=example.com&domain=example.org", "more than once"),
        ("/v1/zone?domain=example.com&dryrun=true", "unknown parameter \"dryrun\""),
        ("/v1/zone?domain=example.com&dry_run=maybe", "either true or false"),
        ("/v1/zone?domain=exa%mple.com", "offset 3"),
        ("/v1/zone?domain=%ff%fe.com", "UTF-8"),
        ("/v1/zone?domain=example%00.com", "U+0000"),
        ("/v1/zone?domain=exa%0d%0ample.com", "U+000D"),
        ("/v1/zone?domain=com", "two labels"),
        ("/v1/zone?domain=co.uk", "public suffix"),
        ("/v1/zone?domain=shop.test", "RFC 6761"),
        ("/v1/zone?domain=192.0.2.1", "IP address"),
        ("/v1/zone?domain=dns.example.net", "operator's"),
        ("/v1/zone?domain=ns1.dns.example.net", "operator's"),
    ] {
        api.call("POST", target, &[], b"").expect(400, &[words]);
    }
    api.call("GET", "/?a=b", &[], b"").expect(400, &["unknown parameter"]);
    api.call("PUT", "/v1/zones/com", &[], b"").expect(400, &["two labels"]);
    api.call("PUT", "/v1/zones/example.com?domain=example.com", &[], b"").expect(400, &["unknown parameter"]);
    api.call("GET", "/v1/zones/%zz", &[], b"").expect(400, &["offset 0"]);
    api.call("POST", &format!("/v1/zone?domain={}", "a".repeat(5000)), &[], b"").expect(414, &["4096"]);
}

#[test]
fn an_absurdly_long_target_or_header_is_refused_and_the_server_goes_on() {
    let api = Api::alone("");
    let mut connection = api.connect();
    let target = format!("/v1/zone?domain={}", "a".repeat(1 << 20));
    assert!(matches!(connection.call("POST", &target, &[], b"").status, 414 | 431));
    let mut connection = api.connect();
    assert_eq!(connection.call("GET", "/", &[&format!("X: {}", "a".repeat(1 << 20))], b"").status, 431);
    let many: Vec<String> = (0..1000).map(|n| format!("X{n}: y")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(api.connect().call("GET", "/", &many, b"").status, 431);
    api.call("GET", "/", &[], b"").expect(200, &[]);
}

#[test]
fn bodies_of_other_types_are_refused() {
    let api = Api::alone("");
    for (header, words) in [
        ("Content-Type: application/json", "text/dns"),
        ("Content-Type: multipart/form-data; boundary=x", "--data-binary"),
        ("Content-Type: text/dns; charset=utf-16", "UTF-8"),
        ("Content-Encoding: gzip", "compressed"),
    ] {
        let reply = api.call("POST", UPLOAD, &[header], b"x");
        reply.expect(415, &[words]);
        assert_eq!(reply.header("accept-encoding"), Some("identity"));
    }
}

#[test]
fn preconditions_that_make_no_sense_are_refused() {
    let api = Api::alone("");
    for headers in [
        &["If-Match: x"][..],
        &["If-Match: W/\"1\""],
        &["If-Match: \"1\", \"2\""],
        &["If-Match: \"1,2\""],
        &["If-Match: \"\""],
        &["If-Match: \"1\"", "If-Match: \"2\""],
        &["If-None-Match: \"1\""],
        &["If-Match: *", "If-None-Match: *"],
    ] {
        api.call("PUT", "/v1/zones/example.com", headers, b"x").expect(400, &["If-Match with one entity tag"]);
        api.call("DELETE", "/v1/zones/example.com", headers, b"").expect(400, &["If-Match with one entity tag"]);
    }
}

#[test]
fn programs_get_problems_in_json() {
    let api = Api::alone("");
    let reply = api.call("POST", "/v1/zone", &["Accept: application/problem+json"], b"");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    assert_eq!((&problem["status"], &problem["code"]), (&400.into(), &"bad-parameter".into()));
    assert_eq!((&problem["type"], &problem["title"]), (&"about:blank".into(), &"Bad Request".into()));
    let reply = api.call("POST", "/v1/zone", &["Accept: application/json;q=0.1, text/plain"], b"");
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn a_request_has_one_host() {
    let api = Api::alone("");
    for octets in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"] {
        let mut connection = api.connect();
        connection.send(octets);
        connection.reply("GET").expect(400, &["needs one"]);
    }
}

#[test]
fn web_pages_of_other_sites_change_nothing() {
    let api = Api::alone("ownership = \"open\"\ndelegation_check = false\n");
    for (method, target) in [("POST", UPLOAD), ("PUT", "/v1/zones/example.com"), ("DELETE", "/v1/zones/example.com")] {
        api.call(method, target, &["Origin: https://www.example.org"], b"x").expect(403, &["other sites"]);
    }
    api.call("GET", "/", &["Origin: https://www.example.org"], b"").expect(200, &[]);
}

#[test]
fn a_page_whose_name_was_bound_to_our_address_changes_nothing() {
    let open = "ownership = \"open\"\ndelegation_check = false\n";
    let api = Api::alone(&format!("{open}public_names = [\"dns.example.net\"]\n"));
    let change = |host: &str, fields: &str| {
        let mut connection = api.connect();
        let head = format!("PUT /v1/zones/example.com HTTP/1.1\r\nHost: {host}\r\n{fields}Content-Length: 1\r\n\r\nx");
        connection.send(head.as_bytes());
        connection.reply("PUT")
    };
    for fields in ["Origin: http://rebound.example:12601\r\n", "Sec-Fetch-Site: same-origin\r\n"] {
        change("rebound.example:12601", fields).expect(403, &["public_names", "curl"]);
    }
    // A page of the operator's own, one that came from the address itself, and curl, which lies as it likes.
    change("dns.example.net", "Origin: https://dns.example.net\r\n").expect(400, &["in the zone file"]);
    let address = api.address.to_string();
    change(&address, &format!("Origin: http://{address}\r\n")).expect(400, &["in the zone file"]);
    change("rebound.example:12601", "").expect(400, &["in the zone file"]);
}

#[test]
fn what_is_no_http_gets_no_more_than_an_error() {
    let api = Api::alone("");
    for octets in [
        &b"\0\0\0\0\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /v1/zone?domain=example.com HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ] {
        let mut connection = api.connect();
        connection.send(octets);
        let answer = connection.until_closed();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{octets:?}: {answer}");
    }
    api.call("GET", "/", &[], b"").expect(200, &[]);
}

#[test]
fn no_request_hides_in_the_body_of_another() {
    let api = Api::alone("");
    let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    for (fields, status) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "400"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "400"),
        ("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", "400"),
        ("Transfer-Encoding: gzip, chunked\r\n", "501"),
        ("Transfer-Encoding: chunked, chunked\r\n", "501"),
    ] {
        let mut connection = api.connect();
        connection.send(format!("POST {UPLOAD} HTTP/1.1\r\nHost: x\r\n{fields}\r\n0\r\n\r\n{hidden}").as_bytes());
        let answer = String::from_utf8(connection.until_closed()).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{fields}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{fields}: {answer}");
    }
}

#[test]
fn a_target_means_the_same_with_and_without_the_servers_name() {
    let api = Api::alone("");
    for (target, status) in [("/", 200), ("/nothing", 404), ("/v1/zones/com", 400), ("/healthz", 503)] {
        assert_eq!(api.call("GET", target, &[], b"").status, status, "{target}");
        assert_eq!(api.call("GET", &format!("http://dns.example.net{target}"), &[], b"").status, status, "{target}");
    }
}

#[test]
fn escapes_are_undone_once_and_make_no_path_or_parameter() {
    let api = Api::alone("");
    for segment in ["..%2f..%2fetc%2fpasswd", "example.com%2Fstatus", "example.com%3Fdry_run", "example%252ecom"] {
        api.call("GET", &format!("/v1/zones/{segment}"), &[], b"").expect(400, &["not a domain name"]);
    }
    api.call("GET", "/v1/zones/example%c0%aecom", &[], b"").expect(400, &["UTF-8"]);
    api.call("POST", "/v1/zone?domain=example.com&d%6fmain=example.org", &[], b"").expect(400, &["more than once"]);
    api.call("POST", "/v1/zone?domain=example.com;domain=example.org", &[], b"").expect(400, &["not a domain name"]);
    api.call("POST", "/v1/zone?domain=example.com%26domain=example.org", &[], b"").expect(400, &["not a domain name"]);
}

#[test]
fn an_upload_in_the_words_of_http_1_0_has_a_length_or_no_body() {
    let api = Api::alone("");
    for (fields, words) in [
        ("", "no NS records"),
        ("Content-Length: 4\r\n", "1 error in the zone file"),
        ("Transfer-Encoding: chunked\r\n", ""),
    ] {
        let mut connection = api.connect();
        connection.send(format!("POST {UPLOAD} HTTP/1.0\r\n{fields}\r\n@ NS").as_bytes());
        let answer = String::from_utf8(connection.until_closed()).unwrap();
        assert!(answer.contains(" 400 Bad Request\r\n") && answer.contains(words), "{fields}: {answer}");
    }
}

#[test]
fn requests_beyond_the_rate_are_told_when_to_come_back() {
    let api = Api::alone("requests_per_second = 5\n");
    let refused = (0..1000).map(|_| api.call("GET", "/", &[], b"")).find(|reply| reply.status != 200).unwrap();
    refused.expect(429, &["slow down"]);
    assert_eq!(refused.header("retry-after"), Some("1"));
}

#[test]
fn a_name_server_that_is_not_there_is_our_fault_and_passes() {
    let api = Api::alone("");
    for (method, target) in [("GET", "/healthz"), ("GET", "/v1/zones/example.com"), ("DELETE", "/v1/zones/example.com")]
    {
        let reply = api.call(method, target, &[], b"");
        reply.expect(503, &["cannot be reached"]);
        assert_eq!(reply.header("retry-after"), Some("5"), "{method} {target}");
    }
}

#[test]
fn what_the_name_server_cannot_do_is_told_without_its_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    let api = Api::start(&format!("name_servers = [\"ns1.dns.example.net\"]\ncontrol_socket = {socket:?}\n"));
    let name_server = UnixListener::bind(&socket).unwrap();
    let problem = |status: u16, code: &str| {
        let body = format!("{{\"status\":{status},\"title\":\"\",\"code\":\"{code}\",\"detail\":\"/secret/path\"}}");
        format!("HTTP/1.1 {status} No\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    for (answer, status, retry_after) in [
        (problem(507, "storage_full"), 507, Some("300")),
        (problem(503, "storage_failed"), 503, Some("300")),
        (problem(503, "busy"), 503, Some("5")),
        (problem(403, "forbidden"), 503, Some("5")),
        (problem(418, "teapot"), 502, None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwhat".to_owned(), 502, None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{".to_owned(), 503, Some("5")),
        ("rubbish".to_owned(), 503, Some("5")),
        (String::new(), 503, Some("5")),
    ] {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = name_server.accept().unwrap();
                let request = BufReader::new(stream.try_clone().unwrap()).lines();
                request.map(Result::unwrap).take_while(|line| !line.is_empty()).for_each(drop);
                stream.write_all(answer.as_bytes()).unwrap();
            });
            let reply = api.call("GET", "/healthz", &[], b"");
            assert_eq!((reply.status, reply.header("retry-after")), (status, retry_after), "{answer}");
            assert!(!reply.text().contains("secret"), "{}", reply.text());
        });
    }
}

#[test]
fn an_unchecked_server_says_so_in_every_response() {
    let api = Api::alone("ownership = \"open\"\ndelegation_check = false\n");
    for (method, target) in [("GET", "/"), ("GET", "/x"), ("POST", "/v1/zone"), ("PUT", "/"), ("OPTIONS", "/")] {
        let reply = api.call(method, target, &[], b"");
        assert_eq!(reply.header("namespace-server-mode"), Some("open, delegation not checked"), "{method} {target}");
    }
    assert_eq!(Api::alone("").call("GET", "/", &[], b"").header("namespace-server-mode"), None);
}
