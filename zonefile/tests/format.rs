//! Every line of the tables in docs/zone-format.md names a test, and the tests that it names exist where it says.

use std::fs;
use std::path::Path;

/// The text between backquotes, one after the other.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Names of tests have at least two underscores and nothing but lower case, digits and underscores; nothing else has.
fn is_test(span: &str) -> bool {
    let is_word = span.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_');
    is_word && span.matches('_').count() >= 2 && !span.ends_with("_max")
}

#[test]
fn every_line_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("../docs/zone-format.md")).unwrap();
    let (mut named, mut missing) = (0, Vec::new());
    let mut wants_tests = false;
    for (number, line) in document.lines().enumerate() {
        let is_row = line.starts_with('|');
        wants_tests = is_row && (wants_tests || line.ends_with("| test |"));
        let before = named;
        let mut file = "src/reader/tests.rs".to_owned();
        for span in spans(line) {
            if span.ends_with(".rs") {
                file = match span.split_once('/') {
                    Some(("zonefile", path)) => path.to_owned(),
                    Some(("authority" | "nssd", _)) => format!("../{span}"),
                    _ => format!("src/{span}"),
                };
            }
            // Some names are short.
            let is_short = line.ends_with(&format!("`{span}` |")) && !span.contains(['.', ' ']);
            if !is_test(span) && !is_short {
                continue;
            }
            named += 1;
            let source = fs::read_to_string(root.join(&file)).unwrap_or_default();
            if !source.contains(&format!("fn {span}()")) {
                missing.push(format!("line {}: no {span} in zonefile/{file}", number + 1));
            }
        }
        let is_head = line.ends_with("| test |") || line.starts_with("|-");
        if wants_tests && !is_head && named == before {
            missing.push(format!("line {}: names no test", number + 1));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(named > 70, "{named} tests are named");
}
