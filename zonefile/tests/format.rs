//! The tests that docs/zone-format.md names exist, in the files that it names.

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
fn every_test_that_the_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("../docs/zone-format.md")).unwrap();
    let (mut named, mut missing) = (0, Vec::new());
    for (number, line) in document.lines().enumerate() {
        let mut file = "src/reader/tests.rs".to_owned();
        for span in spans(line) {
            if span.ends_with(".rs") {
                file = span.strip_prefix("zonefile/").map_or_else(|| format!("src/{span}"), str::to_owned);
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
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(named > 60, "{named} tests are named");
}
