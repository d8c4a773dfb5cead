//! The daemon as a process: signals, kills at any moment, and a disk that is full.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_proto::rr::{RData, RecordType};
use nssd::control::{Change, Client, ClientError, Pin, PinChange, Precondition, ProblemCode, PutOptions, ServerStatus};

use crate::harness::*;

/// A daemon that is killed when it is dropped.
struct Daemon {
    child: Child,
    client: Client,
}

impl Daemon {
    /// Starts the program itself; `before` is shell that runs first in its process.
    fn spawn(directory: &Path, before: &str) -> Daemon {
        let log = std::fs::File::options().create(true).append(true).open(directory.join("log")).unwrap();
        let child = Command::new("sh")
            .arg("-c")
            .arg(format!("{before} exec \"$0\" serve --config nssd.toml"))
            .arg(env!("CARGO_BIN_EXE_nssd"))
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Daemon { child, client: Client::new(directory.join("control.sock")) }
    }

    /// Waits until it serves.
    async fn ready(&mut self) -> ServerStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.client.status().await {
                Ok(status) => return status,
                Err(error) => {
                    assert_eq!(self.child.try_wait().unwrap(), None, "the daemon has ended");
                    assert!(Instant::now() < deadline, "not ready: {error}");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write_config(directory.path(), "[\"127.0.0.1:0\"]", "");
    directory
}

fn serial(status: &ServerStatus, zone: &str) -> u32 {
    let answer = ask(status.listen[0].parse().unwrap(), zone, RecordType::SOA);
    match &answer.answers.first().unwrap_or_else(|| panic!("{zone}: {answer}")).data {
        RData::SOA(soa) => soa.serial,
        other => panic!("{other}"),
    }
}

/// The pin that comes with the upload of this serial.
fn pin_of(serial: u32) -> Pin {
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&serial.to_be_bytes());
    Pin::from(hash)
}

/// What a zone has to be at least, and may be at most.
#[derive(Clone, Copy, Default)]
struct Expected {
    acknowledged: u32,
    tried: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_a_hundred_times_under_uploads_it_still_serves_all_it_acknowledged() {
    const ROUNDS: u32 = 100;
    const ZONES: u32 = 16;
    let directory = directory();
    let expected: Arc<Mutex<HashMap<String, Expected>>> = Arc::default();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let mut daemon = Daemon::spawn(directory.path(), "");
        let status = daemon.ready().await;
        assert!(status.broken.is_empty(), "{status:?}");
        let before = expected.lock().unwrap().clone();
        for (zone, before) in before {
            let is_served = daemon.client.zone_status(name(&zone).as_name()).await.is_ok();
            let serial = is_served.then(|| serial(&status, &format!("{zone}.")));
            let may_be_missing = before.acknowledged == 0;
            assert!(
                serial.map_or(may_be_missing, |serial| (before.acknowledged..=before.tried).contains(&serial)),
                "{zone}: {serial:?} in round {round}"
            );
            // The pin is that of the very same upload, or neither is there.
            let claim = daemon.client.claim(name(&zone).as_name()).await.unwrap();
            assert_eq!(claim.pin, serial.map(pin_of), "{zone}: {serial:?} in round {round}");
            expected.lock().unwrap().get_mut(&zone).unwrap().acknowledged = serial.unwrap_or(0);
        }
        let mut uploads = tokio::task::JoinSet::new();
        let (sender, mut first_acknowledgement) = tokio::sync::mpsc::unbounded_channel();
        for i in 0..ZONES {
            let (client, expected, sender) = (daemon.client.clone(), expected.clone(), sender.clone());
            uploads.spawn(async move {
                let zone_name = format!("z{i}.example");
                let apex = name(&zone_name);
                let mut done = 0;
                loop {
                    let serial = {
                        let mut expected = expected.lock().unwrap();
                        let expected = expected.entry(zone_name.clone()).or_default();
                        expected.tried += 1;
                        expected.tried
                    };
                    // Texts of some pages, so that a commit is many writes.
                    let filling = "; filling\n".repeat((serial as usize * 37) % 3000);
                    let text = format!("{}{filling}", zone(serial, "192.0.2.1"));
                    let pin = PinChange { expected: None, set: Some(pin_of(serial)) };
                    let options = PutOptions { pin, ..PutOptions::default() };
                    match client.put_zone(apex.as_name(), text.into(), &options).await {
                        Ok(status) => {
                            assert_eq!(status.serial, serial);
                            expected.lock().unwrap().get_mut(&zone_name).unwrap().acknowledged = serial;
                            done += 1;
                            let _ = sender.send(());
                        }
                        Err(ClientError::Unreachable { .. } | ClientError::Interrupted(_)) => return done,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        first_acknowledgement.recv().await.unwrap();
        // Another moment of the work each time.
        tokio::time::sleep(Duration::from_micros(u64::from(round) * 397 % 20_000)).await;
        daemon.child.kill().unwrap();
        daemon.child.wait().unwrap();
        while let Some(done) = uploads.join_next().await {
            acknowledged += done.unwrap();
        }
    }
    assert!(acknowledged >= ROUNDS, "{acknowledged} uploads");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_during_its_first_start_it_starts_the_next_time() {
    for round in 0..20_u64 {
        let directory = directory();
        let mut daemon = Daemon::spawn(directory.path(), "");
        // From before the store is there until it serves.
        let (mut polls, deadline) = (0, Instant::now() + PATIENCE);
        while polls < round * 50 && Instant::now() < deadline && !directory.path().join("control.sock").exists() {
            polls += u64::from(directory.path().join("state").exists());
        }
        daemon.child.kill().unwrap();
        daemon.child.wait().unwrap();
        let mut daemon = Daemon::spawn(directory.path(), "");
        assert_eq!(daemon.ready().await.zones, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_uploads_and_loses_nothing() {
    let directory = directory();
    // The shell counts in blocks of 512 octets: no file may grow beyond 4 MiB.
    let mut daemon = Daemon::spawn(directory.path(), "ulimit -f 8192;");
    daemon.ready().await;
    let text = |serial: u32| format!("{}{}", zone(serial, "192.0.2.1"), "; filling\n".repeat(50_000));
    let mut stored = 0;
    let refused = loop {
        match put(&daemon.client, &format!("z{stored}.example"), &text(1)).await {
            Ok(status) => assert_eq!(status.change, Change::Created),
            Err(error) => break error,
        }
        stored += 1;
        assert!(stored < 100, "the limit does not work");
    };
    assert!(stored >= 2, "{stored}");
    let refused = problem::<()>(Err(refused));
    assert_eq!((refused.code, refused.status), (ProblemCode::StorageFull, 507), "{refused}");
    assert!(refused.detail.contains("free space"), "{refused}");

    let status = daemon.client.status().await.unwrap();
    assert_eq!(status.zones, stored);
    for i in 0..stored {
        assert_eq!(serial(&status, &format!("z{i}.example.")), 1);
    }
    // A zone that is not stored is not served.
    let apex = name(&format!("z{stored}.example"));
    assert_eq!(problem(daemon.client.zone_status(apex.as_name()).await).code, ProblemCode::NotFound);
    // Again and again it is the same.
    for _ in 0..3 {
        assert_eq!(problem(put(&daemon.client, "more.example", &text(1)).await).code, ProblemCode::StorageFull);
    }
    let text_of_first = daemon.client.get_zone(name("z0.example").as_name()).await.unwrap().text;
    assert_eq!(text_of_first, text(1));

    // Space comes back, with a kill on top.
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let mut daemon = Daemon::spawn(directory.path(), "");
    let status = daemon.ready().await;
    assert_eq!(status.zones, stored);
    put(&daemon.client, "more.example", &text(2)).await.unwrap();
    assert_eq!(serial(&status, "more.example."), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn space_that_is_freed_can_be_used_without_a_restart() {
    let directory = directory();
    let mut daemon = Daemon::spawn(directory.path(), "ulimit -f 8192;");
    daemon.ready().await;
    let text = format!("{}{}", zone(1, "192.0.2.1"), "; filling\n".repeat(50_000));
    let mut stored = 0;
    while put(&daemon.client, &format!("z{stored}.example"), &text).await.is_ok() {
        stored += 1;
        assert!(stored < 100, "the limit does not work");
    }
    for i in 0..stored {
        let apex = name(&format!("z{i}.example"));
        daemon.client.delete_zone(apex.as_name(), &Precondition::None, &Default::default()).await.unwrap();
    }
    put(&daemon.client, "again.example", &text).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_reload_and_stop() {
    let directory = directory();
    let mut daemon = Daemon::spawn(directory.path(), "");
    let status = daemon.ready().await;
    put(&daemon.client, "example.com", &zone(1, "192.0.2.1")).await.unwrap();
    std::fs::write(directory.path().join("net"), zone(9, "192.0.2.1")).unwrap();
    write_config(directory.path(), "[\"127.0.0.1:0\"]", "[[zone]]\nname = \"example.net\"\nfile = \"net\"\n");
    daemon.signal(nix::sys::signal::Signal::SIGHUP);
    wait_until("the reload", || {
        !ask(status.listen[0].parse().unwrap(), "example.net.", RecordType::SOA).answers.is_empty()
    });
    let started = Instant::now();
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    let exit = daemon.child.wait().unwrap();
    assert!(exit.success(), "{exit}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(!directory.path().join("control.sock").exists());
    let mut daemon = Daemon::spawn(directory.path(), "");
    let status = daemon.ready().await;
    assert_eq!((serial(&status, "example.com."), serial(&status, "example.net.")), (1, 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_blocks_signals_does_not_make_it_deaf() {
    use nix::sys::signal::{SigSet, Signal};
    let directory = directory();
    let path = directory.path().to_owned();
    // A thread of its own, so that no other test's child inherits the mask.
    let spawned = std::thread::spawn(move || {
        SigSet::from_iter([Signal::SIGTERM, Signal::SIGHUP]).thread_block().unwrap();
        Daemon::spawn(&path, "")
    });
    let mut daemon = spawned.join().unwrap();
    daemon.ready().await;
    daemon.signal(Signal::SIGTERM);
    wait_until("the end", || daemon.child.try_wait().unwrap().is_some_and(|exit| exit.success()));
}

fn nssd(arguments: &[&str], directory: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_nssd"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_drives_a_running_daemon() {
    let directory = directory();
    let mut daemon = Daemon::spawn(directory.path(), "");
    daemon.ready().await;
    std::fs::write(directory.path().join("good"), zone(3, "192.0.2.1")).unwrap();
    std::fs::write(directory.path().join("bad"), "@ A\n").unwrap();
    let ctl = |arguments: &[&str]| {
        let mut all = vec!["ctl", "--config", "nssd.toml"];
        all.extend(arguments);
        nssd(&all, directory.path())
    };
    let (exit, out, _) = ctl(&["put", "example.com", "good"]);
    assert_eq!(
        (exit, out.starts_with("example.com. added: serial 3, 4 records, version \"1\"")),
        (Some(0), true),
        "{out}"
    );
    let (exit, _, err) = ctl(&["put", "example.com", "bad"]);
    assert_eq!((exit, err.contains("1 | @ A")), (Some(1), true), "{err}");
    assert_eq!(ctl(&["get", "example.com"]).1, zone(3, "192.0.2.1"));
    assert_eq!(ctl(&["list"]).1, "example.com. 3 upload\n");
    assert!(ctl(&["status"]).1.contains("zones: 1, 1 of them uploaded"));
    assert!(ctl(&["--json", "status", "example.com"]).1.contains("\"serial\": 3"));
    assert_eq!(ctl(&["put", "--new", "example.com", "good"]).0, Some(1));
    assert_eq!(ctl(&["check", "example.org", "good"]).0, Some(0));
    assert_eq!(ctl(&["reload"]).1, "unchanged: 0\n");
    assert_eq!(ctl(&["delete", "example.com"]).0, Some(0));
    assert_eq!(ctl(&["status", "example.com"]).0, Some(1));
    drop(daemon);
    assert_eq!(ctl(&["status"]).0, Some(5));
}

#[test]
fn check_zone_prints_what_is_wrong_or_the_canonical_form() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("example.com.zone", &zone(1, "192.0.2.1"));
    write("bad.example.zone", "$TTL 1\n@ SOA a b 1 2 3 4 5\nwww A 192.0.2.256\n");
    write("warned", "$TTL 1\nexample.com. SOA a. b. 1 2 3 4 5\nexample.com. NS ns.example.com.\n");
    let run = |arguments: &[&str]| nssd(arguments, directory.path());
    let (exit, out, err) = run(&["check-zone", "example.com.zone"]);
    assert_eq!(
        (exit, out.as_str(), err.as_str()),
        (Some(0), "example.com.zone: example.com. ok, serial 1, 4 records\n", "")
    );
    let (exit, out, _) = run(&["check-zone", "--print", "example.com.zone"]);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!((exit, lines.len()), (Some(0), 4));
    assert_eq!(lines[3], "www.example.com. 3600 IN A 192.0.2.1");
    let (exit, out, err) = run(&["check-zone", "bad.example.zone", "example.com.zone"]);
    assert_eq!(exit, Some(1));
    assert!(
        err.contains("3 | www A 192.0.2.256") && err.contains("^^^^^^^^^^^") && out.contains("example.com. ok"),
        "{err}"
    );
    let (exit, _, err) = run(&["check-zone", "warned"]);
    assert_eq!((exit, err.contains("warning")), (Some(0), true), "{err}");
    assert_eq!(run(&["check-zone", "--quiet", "warned"]).2, "");
    assert_eq!(run(&["check-zone", "absent"]).0, Some(4));
    assert_eq!(run(&["check-zone"]).0, Some(2));
}

#[test]
fn check_config_says_where_the_mistake_is() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("good.toml"), "[server]\nworkers = 1\n").unwrap();
    std::fs::write(directory.path().join("bad.toml"), "[server]\nworkers = 0\n").unwrap();
    assert_eq!(nssd(&["check-config", "good.toml"], directory.path()).0, Some(0));
    let (exit, _, err) = nssd(&["check-config", "bad.toml"], directory.path());
    assert_eq!(exit, Some(3));
    assert!(err.contains("bad.toml") && err.contains("line 2, column 11"), "{err}");
    assert_eq!(nssd(&["serve", "--config", "bad.toml"], directory.path()).0, Some(3));
    assert_eq!(nssd(&["check-config", "none.toml"], directory.path()).0, Some(3));
}
