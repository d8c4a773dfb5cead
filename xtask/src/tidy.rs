//! `cargo xtask tidy`: the invariants of ARCHITECTURE.md that no compiler checks.
//!
//! Each rule is a function from [`Tree`], the parts of the repository it looks at, to complaints.

mod crates;
mod layout;
mod source;

use std::fmt;
use std::path::Path;

use crate::failure::{Context, Failure, Outcome};
use crate::workspace::{Daemons, Profile, cargo, output, root, run as run_command};

/// What the rules look at.
#[derive(Default)]
struct Tree {
    /// Folders at the top, those that start with a dot left out.
    folders: Vec<String>,
    /// Every Rust, TOML, Markdown and shell file.
    files: Vec<File>,
    packages: Vec<Package>,
}

/// A text file and its path below the root, parted by slashes.
struct File {
    path: String,
    text: String,
}

/// A member of the workspace and what it depends on.
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    kind: DependencyKind,
    features: Vec<String>,
    default_features: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DependencyKind {
    Normal,
    Development,
}

/// A rule that does not hold, and where.
#[derive(Debug)]
struct Complaint(String);

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A rule's name and the rule.
type Rule = (&'static str, fn(&Tree) -> Vec<Complaint>);

const RULES: &[Rule] = &[
    ("crates depend only downwards", crates::edges),
    ("pure crates use few other crates", crates::pure_dependencies),
    ("pure crates do no input or output", source::purity),
    ("unsafe code stands in one file", source::unsafe_code),
    ("crates forbid unsafe code", source::forbids_unsafe),
    ("nothing is left to be done in the code", source::leftovers),
    ("libraries open with documentation", source::library_docs),
    ("examples are short", source::examples),
    ("the daemons' main.rs is thin", source::thin_mains),
    ("the top level is what the design says", layout::top_level),
    ("there are no shell scripts", layout::shell_scripts),
    ("links between documents lead somewhere", layout::links),
    ("the tests that docs/ownership.md names are there", layout::named_tests),
    ("TOML files are TOML", layout::toml_files),
];

/// Checks every rule and has the daemons read their sample configurations.
pub(crate) fn run() -> Outcome {
    let tree = Tree::read(&root())?;
    let mut count = 0;
    for (name, rule) in RULES {
        let complaints = rule(&tree);
        println!("{} {name}", if complaints.is_empty() { "ok    " } else { "BROKEN" });
        for complaint in &complaints {
            println!("         {complaint}");
        }
        count += complaints.len();
    }
    if count > 0 {
        return Err(Failure::new(format!("{count} places break the rules of ARCHITECTURE.md listed above")));
    }
    sample_configurations()
}

/// The samples in `config/` must suit the daemons they are for.
fn sample_configurations() -> Outcome {
    let daemons = Daemons::build(Profile::Dev)?;
    for (daemon, sample) in [(&daemons.nssd, "config/nssd.toml"), (&daemons.nss_api, "config/nss-api.toml")] {
        let mut command = std::process::Command::new(daemon);
        run_command(command.current_dir(root()).args(["check-config", sample]))?;
        println!("ok     {sample} is a valid configuration");
    }
    Ok(())
}

impl Tree {
    fn read(root: &Path) -> Outcome<Tree> {
        let mut tree = Tree { packages: packages()?, ..Tree::default() };
        for entry in std::fs::read_dir(root).context(root.display())? {
            let entry = entry.context(root.display())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What starts with a dot belongs to git, editors and CI; `target` and `result` are made by cargo and nix.
            if name.starts_with('.') || name == "target" || name == "result" {
                continue;
            }
            if entry.path().is_dir() {
                tree.folders.push(name.clone());
            }
            tree.add(&entry.path(), &name)?;
        }
        tree.folders.sort();
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn add(&mut self, place: &Path, path: &str) -> Outcome {
        if place.is_dir() {
            for entry in std::fs::read_dir(place).context(path)? {
                let entry = entry.context(path)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name != "target" && name != "corpus" && name != "artifacts" {
                    self.add(&entry.path(), &format!("{path}/{name}"))?;
                }
            }
        } else if [".rs", ".toml", ".md", ".sh"].iter().any(|end| path.ends_with(end)) {
            self.files.push(File { path: path.to_owned(), text: std::fs::read_to_string(place).context(path)? });
        }
        Ok(())
    }

    fn rust_files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// The members of the workspace as cargo sees them.
fn packages() -> Outcome<Vec<Package>> {
    let text = output(cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: serde_json::Value = serde_json::from_slice(&text).context("cargo metadata")?;
    let mut packages = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let mut dependencies = Vec::new();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            dependencies.push(Dependency {
                name: dependency["name"].as_str().unwrap_or_default().to_owned(),
                kind: match dependency["kind"].as_str() {
                    Some("dev") => DependencyKind::Development,
                    _ => DependencyKind::Normal,
                },
                features: dependency["features"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|feature| feature.as_str().map(str::to_owned))
                    .collect(),
                default_features: dependency["uses_default_features"].as_bool().unwrap_or(true),
            });
        }
        packages.push(Package { name: package["name"].as_str().unwrap_or_default().to_owned(), dependencies });
    }
    Ok(packages)
}

#[cfg(test)]
fn tree_of(path: &str, text: &str) -> Tree {
    Tree { files: vec![File { path: path.to_owned(), text: text.to_owned() }], ..Tree::default() }
}

#[cfg(test)]
fn assert_complains(complaints: &[Complaint], word: &str) {
    assert!(complaints.iter().any(|complaint| complaint.0.contains(word)), "no complaint names {word}: {complaints:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_read_with_its_members() {
        let tree = Tree::read(&root()).unwrap();
        assert!(tree.file("wire/src/lib.rs").is_some() && tree.file("Cargo.toml").is_some());
        assert!(tree.packages.iter().any(|package| package.name == "nss-wire" && package.dependencies.len() > 1));
        assert!(tree.folders.contains(&"xtask".to_owned()));
    }
}
