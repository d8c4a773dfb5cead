//! Rules about which files there are, and about files that are not Rust.

use super::{Complaint, Tree};

/// The house: every folder at the top.
const FOLDERS: [&str; 11] = [
    "authority",
    "config",
    "docs",
    "fuzz",
    "nss-api",
    "nssd",
    "packaging",
    "registrar-check",
    "wire",
    "xtask",
    "zonefile",
];
/// Folders that packaging may leave out of a source archive.
const OPTIONAL: [&str; 1] = ["nix"];

pub(super) fn top_level(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for folder in tree.folders.iter().filter(|folder| !FOLDERS.contains(&folder.as_str())) {
        complaints.push(Complaint(format!("{folder}/ has no place in the design")));
    }
    for folder in FOLDERS.iter().filter(|folder| !OPTIONAL.contains(folder)) {
        if !tree.folders.iter().any(|there| there == folder) {
            complaints.push(Complaint(format!("{folder}/ is missing")));
        }
    }
    complaints
}

/// Automation is Rust in `xtask`, which a compiler checks.
pub(super) fn shell_scripts(tree: &Tree) -> Vec<Complaint> {
    let scripts = tree.files.iter().filter(|file| file.path.ends_with(".sh"));
    scripts.map(|file| Complaint(format!("{} belongs into xtask", file.path))).collect()
}

pub(super) fn links(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for target in link_targets(&file.text) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let resolved = resolve(&file.path, path);
            let there = tree.file(&resolved).is_some()
                || tree.folders.contains(&resolved)
                || crate::workspace::root().join(&resolved).exists();
            if !there {
                complaints.push(Complaint(format!("{}: link to {target}, which is not there", file.path)));
            }
        }
    }
    complaints
}

/// What a document says that a test shows, a test shows: each name in backticks that reads like a test's is one.
pub(super) fn named_tests(tree: &Tree) -> Vec<Complaint> {
    let Some(document) = tree.file(CLAIMS) else { return Vec::new() };
    let is_there = |name: &str| {
        let function = format!("fn {name}(");
        tree.rust_files().any(|file| file.text.contains(&function))
    };
    let missing = test_names(&document.text).into_iter().filter(|name| !is_there(name));
    missing.map(|name| Complaint(format!("{CLAIMS} names the test {name}, which is not there"))).collect()
}

/// The document whose every claim has a test.
const CLAIMS: &str = "docs/ownership.md";

/// Words of at least four parts in backticks, outside of code blocks: no setting and no code of ours has that many.
fn test_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let is_name =
                |word: &&str| word.split('_').count() > 3 && word.chars().all(|c| c == '_' || c.is_alphanumeric());
            names.extend(line.split('`').skip(1).step_by(2).filter(is_name));
        }
    }
    names
}

/// The targets of `[text](target)`, outside of code.
fn link_targets(text: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            // Every second piece between backticks is code.
            for piece in line.split('`').step_by(2) {
                let ends = piece.split("](").skip(1);
                targets.extend(ends.filter_map(|end| end.split(')').next()));
            }
        }
    }
    targets
}

/// A path that is relative to the folder of `from`, made relative to the root.
fn resolve(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

pub(super) fn toml_files(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".toml")) {
        if let Err(error) = file.text.parse::<toml::Table>() {
            complaints.push(Complaint(format!("{}: {error}", file.path)));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::super::{File, assert_complains, tree_of};
    use super::*;

    #[test]
    fn a_folder_that_the_design_does_not_know_is_reported() {
        let folders = FOLDERS.iter().map(|folder| (*folder).to_owned());
        let house = Tree { folders: folders.clone().collect(), ..Tree::default() };
        assert!(top_level(&house).is_empty());
        let extra = Tree { folders: folders.clone().chain(["scripts".to_owned()]).collect(), ..Tree::default() };
        assert_complains(&top_level(&extra), "scripts");
        let fewer = Tree { folders: folders.skip(1).collect(), ..Tree::default() };
        assert_complains(&top_level(&fewer), "authority");
    }

    #[test]
    fn a_dead_link_is_reported_and_code_is_no_link() {
        assert_complains(&links(&tree_of("docs/a.md", "see [b](../nowhere.md)")), "nowhere.md");
        assert!(links(&tree_of("docs/a.md", "[x](https://example.com/) [y](#here) `[z](none.md)`")).is_empty());
        assert!(links(&tree_of("docs/a.md", "```\n[z](none.md)\n```\n[self](a.md#top)")).is_empty());
    }

    #[test]
    fn a_test_that_a_document_promises_has_to_be_there() {
        let document = |text: &str| File { path: CLAIMS.to_owned(), text: text.to_owned() };
        let test = || File { path: "a.rs".to_owned(), text: "#[test]\nfn it_is_there_now() {}\n".to_owned() };
        let tree = |text: &str| Tree { files: vec![document(text), test()], ..Tree::default() };
        assert!(named_tests(&tree("| x | `it_is_there_now` | `body_size_max` |")).is_empty());
        assert_complains(&named_tests(&tree("so (`it_is_there_now`, `it_is_not_there`)")), "it_is_not_there");
        assert_complains(&named_tests(&tree("`it_is_there_no`")), "it_is_there_no");
        assert_eq!(test_names("```\n`a_b_c_d`\n```\n`k_e_y_s/`"), Vec::<&str>::new());
    }

    #[test]
    fn broken_toml_is_reported() {
        assert_complains(&toml_files(&tree_of("config/nssd.toml", "listen = [")), "config/nssd.toml");
        assert!(toml_files(&tree_of("config/nssd.toml", "listen = []")).is_empty());
    }

    #[test]
    fn a_shell_script_is_reported() {
        assert_complains(&shell_scripts(&tree_of("packaging/run.sh", "")), "run.sh");
    }
}
