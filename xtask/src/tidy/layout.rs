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
    use super::super::{assert_complains, tree_of};
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
    fn broken_toml_is_reported() {
        assert_complains(&toml_files(&tree_of("config/nssd.toml", "listen = [")), "config/nssd.toml");
        assert!(toml_files(&tree_of("config/nssd.toml", "listen = []")).is_empty());
    }

    #[test]
    fn a_shell_script_is_reported() {
        assert_complains(&shell_scripts(&tree_of("packaging/run.sh", "")), "run.sh");
    }
}
