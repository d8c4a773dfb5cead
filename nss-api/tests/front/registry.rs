//! What a registry says over RDAP, good and hostile: a real https server on loopback, and what the front makes of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use nss_api::key::Key;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

use crate::ds::{A1, DS_A, send};
use crate::ownership::{given, key, keyed, plain, put, served};
use crate::pending::claim;
use crate::support::{Api, PATIENCE};
use crate::tree::Tree;

/// How a registry answers.
#[derive(Clone)]
enum Mood {
    /// Status 200, this type, this body.
    Says(&'static str, String),
    NotFound,
    /// Redirects to this location; `{}` is the path that was asked for.
    Redirects(String),
    /// Never ends its answer, as long as somebody reads.
    Endless,
    /// Takes the question and says nothing.
    Silent,
    /// Says that it is about to be deleted, and that the answer is compressed.
    Compressed,
}

/// A registry on loopback.
struct Registry {
    address: SocketAddr,
    directory: TempDir,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

const RDAP: &str = "application/rdap+json";

impl Registry {
    fn start(mood: Mood) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), made.cert.pem()).unwrap();
        let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let certificate: CertificateDer<'static> = made.cert.der().clone();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], secret).unwrap());
        let mood = Arc::new(Mutex::new(mood));
        let (asked, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (mood, asked, stop) = (Arc::clone(&mood), Arc::clone(&asked), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut callers = Vec::new();
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let (Ok(stream), config) = (stream, Arc::clone(&config)) else { continue };
                    let (mood, asked) = (Arc::clone(&mood), Arc::clone(&asked));
                    callers.push(std::thread::spawn(move || drop(answer(stream, config, &mood, &asked))));
                }
                callers.into_iter().for_each(|caller| caller.join().unwrap());
            })
        };
        Registry { address, directory, mood, asked, stop, thread: Some(thread) }
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Lines of the configuration of a front that asks it about `com.`
    fn config(&self) -> String {
        format!(
            "[rdap]\nenabled = true\nca_file = {:?}\ntime_ms = 60_000\nqueries_per_second = 1000\n[rdap.servers]\n\
             com = \"https://{}/com/\"\n",
            self.directory.path().join("ca.pem"),
            self.address
        )
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        // Ends when all that was asked has its answer, or its caller is gone.
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

fn answer(
    stream: TcpStream,
    config: Arc<rustls::ServerConfig>,
    mood: &Mutex<Mood>,
    asked: &AtomicUsize,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let connection = rustls::ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = rustls::StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(!head.to_ascii_lowercase().contains("cookie") && !head.contains("nss1_"), "{head}");
    asked.fetch_add(1, Ordering::SeqCst);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let mood = mood.lock().unwrap().clone();
    match mood {
        Mood::Says(of, body) => {
            let body = body.replace("{path}", &path);
            let size = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {of}\r\nSet-Cookie: a=b\r\nContent-Length: {size}\r\n\r\n{body}"
            )?;
        }
        Mood::NotFound => write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?,
        Mood::Redirects(to) => {
            let to = to.replace("{}", &path);
            write!(stream, "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")?;
        }
        Mood::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {RDAP}\r\n\r\n{{\"x\":\"")?;
            loop {
                stream.write_all(&[b'a'; 65536])?;
            }
        }
        // Until the caller is gone.
        Mood::Silent => drop(stream.read(&mut [0])?),
        Mood::Compressed => {
            let body = object("example.com", &["pending delete"], &[]);
            let size = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {RDAP}\r\nContent-Encoding: gzip\r\nContent-Length: {size}\r\n\r\n{body}"
            )?;
        }
    }
    stream.flush()
}

/// A registration as RFC 9083 has it.
fn object(name: &str, status: &[&str], events: &[(&str, &str)]) -> String {
    let events: Vec<_> =
        events.iter().map(|(action, date)| serde_json::json!({ "eventAction": action, "eventDate": date })).collect();
    serde_json::json!({
        "rdapConformance": ["rdap_level_0"],
        "objectClassName": "domain",
        "ldhName": name,
        "status": status,
        "events": events,
        "entities": [{ "objectClassName": "entity", "roles": ["registrar"] }],
    })
    .to_string()
}

fn about_to_be_deleted() -> Mood {
    Mood::Says(RDAP, object("EXAMPLE.COM", &["active", "pending delete"], &[]))
}

/// A front that believes what parents say for no longer than the test that began with it.
fn front(tree: &Tree, registry: &Registry) -> Api {
    tree.api(&registry.config())
}

#[test]
fn a_domain_that_is_about_to_be_deleted_takes_no_first_upload() {
    let registry = Registry::start(about_to_be_deleted());
    let tree = Tree::start(&plain("example"));
    let api = front(&tree, &registry);
    let refused = put(&api, 1, Some(&key()));
    refused.expect(403, &["in status pending delete", "nothing was changed", "registrar"]);
    let json =
        api.call("PUT", crate::ownership::ZONE, &["Accept: application/json"], crate::ownership::zone(1).as_bytes());
    assert_eq!(json.json()["code"], "registration-on-hold");
    assert_eq!(registry.asked(), 1, "what was heard is remembered");

    // Who is named at the registrar needs no second opinion.
    let owner = key();
    tree.delegate(&keyed("example", &[&owner]));
    put(&front(&tree, &registry), 1, Some(&owner)).expect(200, &["published"]);
    assert_eq!((registry.asked(), served(&tree)), (1, vec!["192.0.2.1".to_owned()]));
}

#[test]
fn a_domain_that_is_about_to_be_deleted_takes_no_claim_and_what_ds_records_prove() {
    let registry = Registry::start(about_to_be_deleted());
    let tree = Tree::start("example NS ns.example.org.\n");
    claim(&front(&tree, &registry), 1, &key()).expect(403, &["in status pending delete", "nothing was changed"]);
    assert_eq!(registry.asked(), 1);
    tree.delegate(&(plain("example") + DS_A));
    send(&front(&tree, &registry), A1, None).expect(200, &["published"]);
    assert_eq!(registry.asked(), 1, "who has a DS record at the registrar needs no second opinion");
}

#[test]
fn a_registration_in_order_takes_uploads_and_its_status_page_tells_of_it() {
    let events = [("registration", "2020-01-02T03:04:05Z"), ("expiration", "2099-01-02T03:04:05Z")];
    let registry = Registry::start(Mood::Says(RDAP, object("example.com", &["active"], &events)));
    let tree = Tree::start(&plain("example"));
    let api = front(&tree, &registry);
    let owner = given(&put(&api, 1, None));
    put(&api, 2, Some(&owner)).expect(200, &["replaced"]);
    let page = api.call("GET", "/v1/zones/example.com/status", &[], b"");
    page.expect(200, &["what the registry says:", "registered 2020-01-02T03:04:05Z", "ends 2099-01-02T03:04:05Z"]);

    registry.is(Mood::Says(RDAP, object("example.com", &["clientHold"], &events)));
    let api = front(&tree, &registry);
    put(&api, 3, Some(&owner)).expect(200, &["replaced"]);
    api.call("GET", "/v1/zones/example.com/status", &[], b"")
        .expect(200, &["the registration is in status clientHold"]);
    let page = api.call("GET", "/v1/zones/example.com/status", &["Accept: application/json"], b"").json();
    assert!(page["check"]["registration"][0].as_str().unwrap().contains("clientHold"), "{page}");
}

#[test]
fn a_key_pinned_before_a_domain_was_registered_anew_does_not_count() {
    let events = [("registration", "2025-01-02T03:04:05Z"), ("transfer", "2026-01-02T03:04:05Z")];
    let registry = Registry::start(Mood::Says(RDAP, object("example.com", &["active"], &events)));
    let mut tree = Tree::start(&plain("example"));
    let owner: Key = given(&put(&front(&tree, &registry), 1, None));
    // 2025-06-01, after the registration; a transfer is the same owner's, at another registrar.
    let stopped = tree.stop_ours();
    stopped.pinned_at("example.com", 1_748_736_000);
    tree = stopped.restart();
    put(&front(&tree, &registry), 2, Some(&owner)).expect(200, &["replaced"]);

    // 2024-06-01, before it.
    let stopped = tree.stop_ours();
    stopped.pinned_at("example.com", 1_717_200_000);
    tree = stopped.restart();
    let api = front(&tree, &registry);
    put(&api, 3, Some(&owner)).expect(403, &["registered 2025-01-02", "does not count", "POST /v1/keys"]);
    let code = api.call(
        "PUT",
        crate::ownership::ZONE,
        &["Accept: application/json", &crate::ownership::bearer(&owner)],
        crate::ownership::zone(3).as_bytes(),
    );
    assert_eq!(code.json()["code"], "pin-void");
    // Nor does it open the zone to whoever is next.
    put(&api, 3, Some(&key())).expect(403, &["not the key"]);
    put(&api, 3, None).expect(401, &[]);
    assert_eq!(served(&tree), ["192.0.2.2"]);
    let page = api.call("GET", "/v1/zones/example.com/status", &[], b"");
    page.expect(200, &["registered anew after its key was pinned"]);

    let buyer = key();
    tree.delegate(&keyed("example", &[&buyer]));
    put(&front(&tree, &registry), 3, Some(&buyer)).expect(200, &["replaced"]);
    tree.delegate(&plain("example"));
    // The buyer's key is pinned now, and later than the registration.
    put(&front(&tree, &registry), 4, Some(&buyer)).expect(200, &["replaced"]);
}

#[test]
fn who_looks_at_many_pages_makes_no_void_key_valid() {
    let events = [("registration", "2025-01-02T03:04:05Z")];
    let registry = Registry::start(Mood::Says(RDAP, object("example.com", &["active"], &events)));
    let others: Vec<String> = (0..6).map(|n| format!("other{n}")).collect();
    let delegations = others.iter().fold(plain("example"), |all, other| all + &plain(other));
    let mut tree = Tree::start(&delegations);
    let without = tree.api("");
    let owner = given(&put(&without, 1, None));
    for other in &others {
        given(&crate::ownership::put_to(&without, &format!("/v1/zones/{other}.com"), 1, None));
    }
    // 2024-06-01, before the registration.
    let stopped = tree.stop_ours();
    stopped.pinned_at("example.com", 1_717_200_000);
    tree = stopped.restart();
    let few = registry.config().replace("queries_per_second = 1000", "queries_per_second = 1");
    let api = tree.api(&few.replace("time_ms = 60_000", "time_ms = 6_000"));
    std::thread::scope(|scope| {
        let (sender, pages) = std::sync::mpsc::channel();
        for other in &others {
            let (api, sender) = (&api, sender.clone());
            scope.spawn(move || {
                let page = api.call("GET", &format!("/v1/zones/{other}.com/status"), &[], b"");
                // Nobody waits for the last of them.
                let _ = sender.send(page.expect(200, &[]).text().contains("asked too often"));
            });
        }
        drop(sender);
        assert!(pages.iter().any(|has_no_turn| has_no_turn), "there were more pages than turns");
        let refused = put(&api, 2, Some(&owner));
        assert!(matches!(refused.status, 403 | 503), "{}", refused.text());
    });
    // There is always a turn for an owner.
    put(&api, 2, Some(&owner)).expect(403, &["registered 2025-01-02", "does not count"]);
    assert_eq!(served(&tree), ["192.0.2.1"]);
}

#[test]
fn a_registry_that_fails_or_lies_changes_nothing() {
    let inside = TcpListener::bind("127.0.0.1:0").unwrap();
    inside.set_nonblocking(true).unwrap();
    let inside_port = inside.local_addr().unwrap().port();
    let deep = format!(
        r#"{{"objectClassName":"domain","ldhName":"example.com","status":["pending delete"],"x":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let large = format!(
        r#"{{"objectClassName":"domain","ldhName":"example.com","status":["pending delete"],"x":"{}"}}"#,
        "a".repeat(300_000)
    );
    let deleted = object("example.com", &["pending delete"], &[]);
    let tree = Tree::start(&plain("example"));
    for (what, mood) in [
        ("404", Mood::NotFound),
        ("a redirect to itself", Mood::Redirects("{}".into())),
        ("a redirect to an address inside", Mood::Redirects(format!("https://127.0.0.1:{inside_port}/"))),
        ("a redirect to a name of an address inside", Mood::Redirects(format!("https://localhost:{inside_port}/"))),
        ("a redirect to an address inside, usual port", Mood::Redirects("https://127.0.0.1/".into())),
        ("a redirect to a service of the cloud", Mood::Redirects("https://169.254.169.254/latest/".into())),
        ("a redirect to http", Mood::Redirects(format!("http://127.0.0.1:{inside_port}/"))),
        ("a redirect to a file", Mood::Redirects("file:///etc/passwd".into())),
        ("a redirect to nowhere", Mood::Redirects(String::new())),
        ("an endless answer", Mood::Endless),
        ("a deep answer", Mood::Says(RDAP, deep)),
        ("a large answer", Mood::Says(RDAP, large)),
        ("another domain", Mood::Says(RDAP, object("example.org", &["pending delete"], &[]))),
        ("a domain below", Mood::Says(RDAP, object("www.example.com", &["pending delete"], &[]))),
        ("another type", Mood::Says("text/html", deleted.clone())),
        ("what is no JSON", Mood::Says(RDAP, deleted[1..].to_owned())),
        ("compression", Mood::Compressed),
    ] {
        let registry = Registry::start(mood);
        let api = front(&tree, &registry);
        let dry = crate::ownership::put_to(&api, "/v1/zones/example.com?dry_run=true", 1, None);
        assert_eq!(dry.status, 200, "{what}: {}", dry.text());
        assert!((1..=3).contains(&registry.asked()), "{what}: asked {} times", registry.asked());
        assert!(inside.accept().is_err(), "{what}: somebody connected");
    }
    // One that says nothing is waited for no longer than it was told.
    let registry = Registry::start(Mood::Silent);
    let api = tree.api(&registry.config().replace("time_ms = 60_000", "time_ms = 200"));
    given(&put(&api, 1, None));
    assert_eq!(registry.asked(), 1);
}

#[test]
fn a_redirect_within_a_registry_is_followed() {
    let registry = Registry::start(Mood::NotFound);
    let target = Registry::start(about_to_be_deleted());
    let tree = Tree::start(&plain("example"));
    // Both are the operator's own words, and both have certificates that count.
    let certificates = ["ca.pem"; 2]
        .iter()
        .zip([&registry, &target])
        .map(|(file, of)| std::fs::read_to_string(of.directory.path().join(file)).unwrap());
    std::fs::write(registry.directory.path().join("ca.pem"), certificates.collect::<String>()).unwrap();
    registry.is(Mood::Redirects(format!("https://{}{{}}", target.address)));
    let config = format!("{}net = \"https://{}/\"\n", registry.config(), target.address);
    put(&tree.api(&config), 1, None).expect(403, &["in status pending delete"]);
    assert_eq!((registry.asked(), target.asked()), (1, 1));
}

#[test]
fn a_registry_with_a_strange_certificate_is_not_believed() {
    let (registry, other) = (Registry::start(about_to_be_deleted()), Registry::start(Mood::NotFound));
    let tree = Tree::start(&plain("example"));
    std::fs::copy(other.directory.path().join("ca.pem"), registry.directory.path().join("ca.pem")).unwrap();
    given(&put(&front(&tree, &registry), 1, None));
    assert_eq!(registry.asked(), 0);
}

#[test]
fn registries_are_found_in_the_bootstrap_file_and_never_inside() {
    let registry = Registry::start(Mood::Says("application/json", String::new()));
    // The file and the object in one: the server says the same whatever it is asked.
    let both = format!(
        r#"{{"version":"1.0","services":[[["com"],["https://{}/"]]],"objectClassName":"domain","ldhName":"example.com","status":["redemption period"]}}"#,
        registry.address
    );
    registry.is(Mood::Says("application/json", both.clone()));
    let tree = Tree::start(&plain("example"));
    let ca = registry.directory.path().join("ca.pem");
    let config = |bootstrap: &str| {
        format!("[rdap]\nenabled = true\nca_file = {ca:?}\ntime_ms = 60_000\nbootstrap = {bootstrap:?}\n")
    };
    let url = format!("https://{}/dns.json", registry.address);
    put(&tree.api(&config(&url)), 1, None).expect(403, &["in status redemption period"]);
    assert_eq!(registry.asked(), 2);
    // In a file that the operator did not write word for word, an address inside is nobody's.
    let file = registry.directory.path().join("dns.json");
    std::fs::write(&file, both).unwrap();
    given(&put(&tree.api(&config(file.to_str().unwrap())), 1, None));
    assert_eq!(registry.asked(), 2);
}
