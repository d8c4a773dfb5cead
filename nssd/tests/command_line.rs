//! `nssd check-zone` and `nssd format-zone` as people and scripts use them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const ZONE: &str = "$TTL 3600\n@ SOA ns.example.net. host 1 3600 600 86400 300\n@ NS ns.example.net.\n";

/// A directory with these files, each of which starts with `ZONE`.
fn files(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, more) in files {
        fs::write(directory.path().join(name), format!("{ZONE}{more}")).unwrap();
    }
    directory
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn nssd(directory: &Path, arguments: &[&str], input: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nssd"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads no input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    Ran { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

#[test]
fn a_finding_is_shown_as_rustc_shows_errors_and_a_right_zone_is_ok() {
    let files = files(&[("example.com.zone", "@ MX 10 mail.example.net\n"), ("example.org.zone", "")]);
    let ran = nssd(files.path(), &["check-zone", "example.com.zone", "example.org.zone"], "");
    assert_eq!(
        ran.err,
        "\
warning[Z0200]: \"mail.example.net\" without a final dot is mail.example.net.example.com., where this zone has no records
 --> example.com.zone:4:9
  |
4 | @ MX 10 mail.example.net
  |         ^^^^^^^^^^^^^^^^
  = help: write mail.example.net. with a dot at its end
  = note: see RFC 1035 §5.1

example.com.zone: 1 warning
"
    );
    assert_eq!(
        ran.out,
        "example.com.zone: example.com. ok, serial 1, 3 records\nexample.org.zone: example.org. ok, serial 1, 2 records\n"
    );
    assert_eq!(ran.code, 0);
}

#[test]
fn rules_are_allowed_and_denied_by_code_and_by_name() {
    let files = files(&[("example.com.zone", "@ MX 10 mail.example.net\na_b A 192.0.2.1\n")]);
    let check = |arguments: &[&str]| {
        let ran = nssd(files.path(), &[&["check-zone", "example.com.zone"], arguments].concat(), "");
        (ran.code, ran.err.matches("error[").count(), ran.err.matches("warning[").count())
    };
    assert_eq!(check(&[]), (0, 0, 2));
    assert_eq!(check(&["--quiet"]), (0, 0, 0));
    assert_eq!(check(&["--allow", "Z0200"]), (0, 0, 1));
    assert_eq!(check(&["--allow", "missing-final-dot", "--allow", "underscore-host"]), (0, 0, 0));
    assert_eq!(check(&["--deny", "warnings"]), (1, 2, 0));
    assert_eq!(check(&["--deny", "z0208"]), (1, 1, 1));
    assert_eq!(check(&["--deny", "warnings", "--allow", "Z0208"]), (1, 1, 0));
    assert_eq!(check(&["--deny", "Z0208", "--allow", "Z0208", "--allow", "Z0200"]), (1, 1, 0));
    // No such rule; and no server can serve a zone without SOA record.
    assert_eq!(check(&["--allow", "Z9999"]), (2, 0, 0));
    assert_eq!(check(&["--allow", "no-soa"]), (2, 0, 0));
}

#[test]
fn programs_get_an_object_a_line() {
    let files = files(&[("example.com.zone", "www A 192.0.2.1\nwww CNAME a.example.net.\n")]);
    let without_soa = "$TTL 60\n@ NS ns.example.net.\n";
    let ran = nssd(files.path(), &["check-zone", "--json", "-o", "example.com", "example.com.zone", "-"], without_soa);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let objects: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2, "{objects:#?}");
    let finding = &objects[0];
    for (member, value) in [("code", "Z0308"), ("name", "cname-and-other"), ("severity", "error")] {
        assert_eq!(finding[member], value);
    }
    let place = |it: &serde_json::Value| ["line", "column", "start", "end"].map(|member| it[member].as_u64().unwrap());
    let head = ZONE.len() as u64;
    assert_eq!(place(finding), [4, 5, head + 4, head + 5]);
    assert_eq!(place(&finding["related"][0]), [5, 5, head + 20, head + 25]);
    assert_eq!(
        (&finding["file"], &finding["related"][0]["file"]),
        (&"example.com.zone".into(), &"example.com.zone".into())
    );
    assert!(finding["report"].as_str().unwrap().contains("^"));
    assert_eq!(
        (&objects[1]["code"], &objects[1]["file"], objects[1].get("line")),
        (&"Z0300".into(), &"<stdin>".into(), None)
    );
}

#[test]
fn findings_in_an_included_file_point_into_it() {
    let files = files(&[("example.com.zone", "$INCLUDE more\nlast_one A 192.0.2.3\n")]);
    fs::write(files.path().join("more"), "\na A 192.0.2.1\n\nsub NS ns.sub\nb_c A 192.0.2.2\n").unwrap();
    let ran = nssd(files.path(), &["check-zone", "example.com.zone"], "");
    let places: Vec<&str> = ran.err.lines().filter_map(|line| line.trim_start().strip_prefix("--> ")).collect();
    assert_eq!(places, ["example.com.zone:5:1", "more:4:8", "more:5:1"], "{}", ran.err);
}

#[test]
fn findings_beyond_the_limit_are_counted() {
    let files = files(&[
        ("example.com.zone", &"? A\n".repeat(150)),
        ("example.org.zone", &"a_b A 192.0.2.1\nc_d A 192.0.2.1\n".repeat(900)),
    ]);
    let ran = nssd(files.path(), &["check-zone", "example.com.zone"], "");
    assert!(ran.err.ends_with("example.com.zone: 150 errors; 50 errors of them not shown\n"), "{}", ran.err);
    let ran = nssd(files.path(), &["check-zone", "--json", "example.org.zone"], "");
    let last: serde_json::Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["code"], ran.code), (&"Z0099".into(), 0));
    assert_eq!(last["warnings_left_out"].as_u64().unwrap() + ran.out.lines().count() as u64 - 1, 1800 + 1798);
}

#[test]
fn many_files_are_told_in_their_order_and_an_unreadable_one_does_not_end_the_check() {
    let names: Vec<String> = (0..40).map(|n| format!("z{n}.example.zone")).collect();
    let files = files(&names.iter().map(|name| (name.as_str(), "")).collect::<Vec<_>>());
    let mut arguments = vec!["check-zone"];
    arguments.extend(names.iter().map(String::as_str));
    arguments.insert(20, "missing.zone");
    let ran = nssd(files.path(), &arguments, "");
    let told: Vec<&str> = ran.out.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(told, names);
    assert_eq!(ran.code, 4);
    assert!(ran.err.starts_with("nssd: missing.zone: "), "{}", ran.err);
}

#[test]
fn a_zone_is_named_by_its_soa_record_or_its_file_or_the_command_line() {
    let files = files(&[("example.com.zone", ""), ("unnamed", "")]);
    let absolute = "example.org. 1 SOA a. b. 1 2 3 4 5\nexample.org. 1 NS a.\n";
    for (arguments, input, expected) in [
        (&["example.com.zone"][..], "", "example.com.zone: example.com. ok"),
        (&["-"], absolute, "<stdin>: example.org. ok"),
        (&["-", "--origin", "example.net"], ZONE, "<stdin>: example.net. ok"),
    ] {
        let ran = nssd(files.path(), &[&["check-zone"], arguments].concat(), input);
        assert!(ran.code == 0 && ran.out.starts_with(expected), "{}{}", ran.out, ran.err);
    }
    let relative = absolute.replace("a.", "a");
    for (arguments, input) in [(["check-zone", "unnamed"], ""), (["check-zone", "-"], &relative)] {
        let ran = nssd(files.path(), &arguments, input);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        assert!(
            ran.err.contains("no SOA record whose names are all absolute; name the zone with --origin"),
            "{}",
            ran.err
        );
    }
}

#[test]
fn rules_are_listed_and_explained() {
    let files = files(&[]);
    let list = nssd(files.path(), &["check-zone", "--list"], "");
    assert!(list.out.lines().count() > 80 && list.out.contains("Z0200 missing-final-dot "), "{}", list.out);
    for word in ["Z0200", "missing-final-dot"] {
        let ran = nssd(files.path(), &["check-zone", "--explain", word], "");
        assert_eq!(ran.code, 0);
        assert!(ran.out.starts_with("Z0200 missing-final-dot\n"), "{}", ran.out);
        assert!(
            ran.out.contains("Wrong:\n\n@ NS ns1.example.net\n") && ran.out.ends_with("See RFC 1035 §5.1.\n"),
            "{}",
            ran.out
        );
        assert!(!ran.out.contains("```") && !ran.out.contains("Z0201"), "{}", ran.out);
    }
    assert_eq!(nssd(files.path(), &["check-zone", "--explain", "Z0019"], "").code, 2);
    assert_eq!(nssd(files.path(), &["check-zone"], "").code, 2);
}

#[test]
fn files_are_put_in_order_once_and_stay_so() {
    let files = files(&[("a.zone", "www\ta 192.0.2.1 ; the web\n\n\n"), ("b.zone", "www A 192.0.2.256\n")]);
    let broken = fs::read(files.path().join("b.zone")).unwrap();
    let ran = nssd(files.path(), &["format-zone", "--check", "a.zone"], "");
    assert_eq!((ran.code, ran.out.as_str()), (1, "a.zone\n"));
    let ran = nssd(files.path(), &["format-zone", "a.zone", "b.zone"], "");
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("--> b.zone:4:7") && ran.err.ends_with("b.zone: has mistakes and stays as it is\n"),
        "{}",
        ran.err
    );
    assert_eq!(fs::read(files.path().join("b.zone")).unwrap(), broken);
    let text = fs::read_to_string(files.path().join("a.zone")).unwrap();
    assert_eq!(
        text,
        "$TTL 3600\n@        SOA  ns.example.net. host 1 3600 600 86400 300\n@        NS   ns.example.net.\nwww      A    192.0.2.1  ; the web\n"
    );
    assert_eq!(nssd(files.path(), &["format-zone", "--check", "a.zone"], "").code, 0);
    let ran = nssd(files.path(), &["format-zone", "-"], " ; x\nwww  A 192.0.2.1");
    assert_eq!((ran.code, ran.out.as_str()), (0, "        ; x\nwww      A    192.0.2.1\n"));
    assert_eq!(nssd(files.path(), &["format-zone", "missing.zone"], "").code, 4);
    assert_eq!(fs::read_dir(files.path()).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn signatures_are_checked_as_at_the_time_that_is_given() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("example.com.zone"), include_str!("signatures/nsec.zone")).unwrap();
    let check = |time: &str| nssd(directory.path(), &["check-zone", "--now", time, "example.com.zone"], "");
    assert_eq!(check("20261125000000").code, 0);
    assert_eq!(check("1795564800").code, 0);
    let expired = check("20560101000001");
    assert_eq!(expired.code, 1);
    assert!(expired.err.contains("expired 1 second ago, at 20560101000000"), "{}", expired.err);
    assert!(expired.err.contains("13 errors; 3 errors of them not shown"), "{}", expired.err);
    assert_eq!(check("yesterday").code, 2);
}
