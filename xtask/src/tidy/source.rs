//! Rules about the text of Rust files.

use super::{Complaint, File, Tree};

/// Folders of the crates without input and output.
const PURE: [&str; 3] = ["wire/src/", "zonefile/src/", "authority/src/"];
/// Libraries that stand on their own for other programs.
const LIBRARIES: [&str; 4] = ["wire", "zonefile", "authority", "registrar-check"];
const MEMBERS: [&str; 8] = ["wire", "zonefile", "authority", "registrar-check", "nssd", "nss-api", "xtask", "fuzz"];
/// Parts of `std` that touch the world, and crates that do.
const WORLDLY: [&str; 7] = ["net", "fs", "time", "thread", "process", "env", "io"];
const RUNTIMES: [&str; 3] = ["tokio", "tracing", "log"];
/// The one file that may hold unsafe code: the batch socket calls.
const UNSAFE_FILE: &str = "nssd/src/mmsg.rs";
/// A program that a stranger starts from is read at a glance.
const EXAMPLE_LINES_MAX: usize = 40;
/// Logic belongs to the library, where tests start the same code.
const MAIN_LINES_MAX: usize = 60;

/// The lines of a file that are code: no comments, and nothing from the unit tests at its end on.
fn code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let lines = file.text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.take_while(|(_, line)| *line != "#[cfg(test)]").filter(|(_, line)| !line.starts_with("//"))
}

/// Whether `word` stands in `line` with no letter, digit or underscore beside it.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(part) && !line[at + word.len()..].chars().next().is_some_and(part)
    })
}

pub(super) fn purity(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in tree.rust_files().filter(|file| PURE.iter().any(|folder| file.path.starts_with(folder))) {
        for (number, line) in code(file) {
            let mut complain = |what: &str| complaints.push(Complaint(format!("{}:{number}: uses {what}", file.path)));
            for module in WORLDLY {
                let path = format!("std::{module}");
                let grouped = line.strip_prefix("use std::{").is_some_and(|group| has_word(group, module));
                if has_word(line, &path) || grouped {
                    complain(&path);
                }
            }
            for runtime in
                RUNTIMES.iter().filter(|runtime| has_word(line, runtime) && line.contains(&format!("{runtime}::")))
            {
                complain(runtime);
            }
        }
    }
    complaints
}

/// A test that counts allocations needs a global allocator, whose trait is unsafe; nothing else outside the one file does.
pub(super) fn unsafe_code(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in tree.rust_files().filter(|file| file.path != UNSAFE_FILE) {
        let counts_allocations = (file.path.contains("/tests/") || file.path.contains("/benches/"))
            && file.text.contains("unsafe impl GlobalAlloc for");
        // The rules themselves have to spell the word.
        if counts_allocations || file.path.starts_with("xtask/src/tidy/") {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            if ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait"]
                .iter()
                .any(|form| line.contains(form))
            {
                complaints.push(Complaint(format!("{}:{}: unsafe code outside {UNSAFE_FILE}", file.path, number + 1)));
            }
        }
    }
    complaints
}

pub(super) fn forbids_unsafe(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for member in MEMBERS {
        for root in ["lib.rs", "main.rs"] {
            let path = format!("{member}/src/{root}");
            let Some(file) = tree.file(&path) else { continue };
            // `forbid` cannot be lifted for one file, so the library that holds it denies.
            let wanted = if path == "nssd/src/lib.rs" { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
            if !file.text.contains(wanted) {
                complaints.push(Complaint(format!("{path}: lacks {wanted}")));
            }
        }
    }
    complaints
}

pub(super) fn leftovers(tree: &Tree) -> Vec<Complaint> {
    // Written in halves, so that this file does not complain about itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!("), concat!("unimple", "mented!(")];
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| !file.path.ends_with(".sh")) {
        for (number, line) in file.text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                complaints.push(Complaint(format!("{}:{}: {mark}", file.path, number + 1)));
            }
        }
    }
    complaints
}

/// The first screen of a library tells what it is for; those for other programs start with one that runs.
pub(super) fn library_docs(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for member in MEMBERS {
        let path = format!("{member}/src/lib.rs");
        let Some(file) = tree.file(&path) else { continue };
        let docs: Vec<&str> = file.text.lines().take_while(|line| line.starts_with("//!")).collect();
        if docs.is_empty() {
            complaints.push(Complaint(format!("{path}: opens without documentation")));
        }
        if LIBRARIES.contains(&member) && !docs.iter().any(|line| line.trim() == "//! ```") {
            complaints.push(Complaint(format!("{path}: opens without a program that runs")));
        }
    }
    complaints
}

pub(super) fn examples(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for member in LIBRARIES.iter().filter(|member| tree.folders.iter().any(|folder| folder == *member)) {
        if !tree.rust_files().any(|file| file.path.starts_with(&format!("{member}/examples/"))) {
            complaints.push(Complaint(format!("{member}/examples/ has no program to start from")));
        }
    }
    for file in tree.rust_files().filter(|file| file.path.contains("/examples/")) {
        let lines = file.text.lines().count();
        if lines >= EXAMPLE_LINES_MAX {
            complaints.push(Complaint(format!("{}: {lines} lines, want fewer than {EXAMPLE_LINES_MAX}", file.path)));
        }
    }
    complaints
}

pub(super) fn thin_mains(tree: &Tree) -> Vec<Complaint> {
    let mains = ["nssd/src/main.rs", "nss-api/src/main.rs"].iter().filter_map(|path| tree.file(path));
    mains
        .filter(|file| file.text.lines().count() >= MAIN_LINES_MAX)
        .map(|file| Complaint(format!("{}: want fewer than {MAIN_LINES_MAX} lines", file.path)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{assert_complains, tree_of};
    use super::*;

    #[test]
    fn a_socket_in_a_pure_crate_is_found_however_it_is_imported() {
        for line in ["use std::net::UdpSocket;", "use std::{fmt, net};", "let t = std::time::Instant::now();"] {
            assert_complains(&purity(&tree_of("authority/src/lookup.rs", line)), "std::");
        }
        assert_complains(&purity(&tree_of("zonefile/src/reader.rs", "tracing::info!(\"x\");")), "tracing");
    }

    #[test]
    fn comments_tests_and_other_crates_may_name_sockets() {
        assert!(purity(&tree_of("wire/src/name.rs", "// std::net is elsewhere\nuse core::net::IpAddr;")).is_empty());
        assert!(purity(&tree_of("wire/src/name.rs", "#[cfg(test)]\nmod tests { use std::thread; }")).is_empty());
        assert!(purity(&tree_of("nssd/src/udp.rs", "use std::net::UdpSocket;")).is_empty());
    }

    #[test]
    fn unsafe_code_is_found_outside_its_file() {
        assert_complains(&unsafe_code(&tree_of("nssd/src/udp.rs", "let n = unsafe { recv() };")), "udp.rs:1");
        assert!(unsafe_code(&tree_of("nssd/src/mmsg.rs", "let n = unsafe { recv() };")).is_empty());
        assert!(unsafe_code(&tree_of("nssd/src/udp.rs", "// no unsafe { } here")).is_empty());
    }

    #[test]
    fn only_a_test_with_an_allocator_may_be_unsafe() {
        let text = "unsafe impl GlobalAlloc for Counting {}";
        assert!(unsafe_code(&tree_of("authority/tests/allocation.rs", text)).is_empty());
        assert_complains(&unsafe_code(&tree_of("authority/src/lookup.rs", text)), "lookup.rs");
    }

    #[test]
    fn a_crate_root_must_forbid_unsafe_code() {
        assert_complains(&forbids_unsafe(&tree_of("wire/src/lib.rs", "//! Names.")), "forbid");
        assert_complains(&forbids_unsafe(&tree_of("nssd/src/lib.rs", "//! Daemon.")), "deny");
        assert!(forbids_unsafe(&tree_of("wire/src/lib.rs", "#![forbid(unsafe_code)]")).is_empty());
    }

    #[test]
    fn unfinished_code_is_found() {
        assert_complains(&leftovers(&tree_of("wire/src/name.rs", concat!("to", "do!()"))), "name.rs:1");
        assert_complains(&leftovers(&tree_of("README.md", concat!("x\nFIX", "ME"))), "README.md:2");
        assert!(leftovers(&tree_of("wire/src/name.rs", "let mastodon = 1;")).is_empty());
    }

    #[test]
    fn a_library_opens_with_a_program() {
        assert_complains(&library_docs(&tree_of("wire/src/lib.rs", "//! Names.")), "program");
        assert_complains(&library_docs(&tree_of("xtask/src/lib.rs", "fn main() {}")), "documentation");
        assert!(library_docs(&tree_of("wire/src/lib.rs", "//! Names.\n//! ```\n//! ```")).is_empty());
    }

    #[test]
    fn an_example_of_40_lines_is_too_long() {
        assert_complains(&examples(&tree_of("wire/examples/name.rs", &"x\n".repeat(40))), "40");
        assert!(examples(&tree_of("wire/examples/name.rs", &"x\n".repeat(39))).is_empty());
        let mut tree = tree_of("wire/src/lib.rs", "");
        tree.folders.push("wire".to_owned());
        assert_complains(&examples(&tree), "no program");
    }

    #[test]
    fn a_main_of_60_lines_is_too_thick() {
        assert_complains(&thin_mains(&tree_of("nssd/src/main.rs", &"x\n".repeat(60))), "main.rs");
        assert!(thin_mains(&tree_of("nssd/src/main.rs", &"x\n".repeat(59))).is_empty());
    }
}
