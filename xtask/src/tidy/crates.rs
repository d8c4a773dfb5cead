//! Which crate may depend on which: the arrows of ARCHITECTURE.md.

use super::{Complaint, DependencyKind, Tree};

/// Each member and the members it may use, directly.
const EDGES: &[(&str, &[&str])] = &[
    ("nss-wire", &[]),
    ("nss-zonefile", &["nss-wire"]),
    ("nss-authority", &["nss-wire"]),
    ("nss-registrar-check", &["nss-wire"]),
    ("nssd", &["nss-wire", "nss-zonefile", "nss-authority"]),
    ("nss-api", &["nss-wire", "nss-zonefile", "nss-authority", "nss-registrar-check", "nssd"]),
    ("xtask", &["nss-wire", "nss-zonefile", "nss-authority", "nss-registrar-check", "nssd", "nss-api"]),
    ("nss-fuzz", &["nss-wire", "nss-zonefile", "nss-authority", "nss-registrar-check", "nss-api", "nssd"]),
];

/// The crates without input and output, and the foreign crates they may use.
const PURE: &[(&str, &[&str])] = &[
    ("nss-wire", &[]),
    ("nss-zonefile", &["nom", "memchr", "serde", "wide"]),
    ("nss-authority", &["arc-swap", "hashbrown", "foldhash", "sha1", "siphasher"]),
];

fn allowed<'t>(table: &[(&str, &'t [&'t str])], name: &str) -> Option<&'t [&'t str]> {
    table.iter().find(|(member, _)| *member == name).map(|(_, others)| *others)
}

/// Everything that `name` reaches by the arrows.
fn reaches(name: &str, target: &str) -> bool {
    allowed(EDGES, name).unwrap_or_default().iter().any(|next| *next == target || reaches(next, target))
}

/// Programs follow the arrows exactly; tests may look sideways (a test of `authority` reads zone text) but never up.
pub(super) fn edges(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for package in &tree.packages {
        let Some(below) = allowed(EDGES, &package.name) else {
            complaints.push(Complaint(format!("{} is no member that the design knows", package.name)));
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            if allowed(EDGES, name).is_none() {
                continue;
            }
            match dependency.kind {
                DependencyKind::Normal if !below.contains(&name) => {
                    complaints.push(Complaint(format!("{} must not depend on {name}", package.name)));
                }
                DependencyKind::Development if reaches(name, &package.name) => {
                    complaints.push(Complaint(format!("tests of {} must not depend on {name} above it", package.name)));
                }
                DependencyKind::Normal | DependencyKind::Development => {}
            }
            let daemon = dependency.default_features || dependency.features.iter().any(|feature| feature == "daemon");
            // The fuzz targets read the daemon's configuration, too, and nothing is made of them.
            let is_program = dependency.kind == DependencyKind::Normal && package.name != "nss-fuzz";
            if name == "nssd" && is_program && daemon {
                complaints.push(Complaint(format!("{} must use nssd without its `daemon` feature", package.name)));
            }
        }
    }
    complaints
}

/// A crate that does no input or output cannot get it from another crate either.
pub(super) fn pure_dependencies(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for package in &tree.packages {
        let Some(foreign) = allowed(PURE, &package.name) else { continue };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let known = foreign.contains(&name) || allowed(EDGES, name).is_some();
            if dependency.kind == DependencyKind::Normal && !known {
                complaints.push(Complaint(format!("{} must not depend on {name}", package.name)));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::super::{Dependency, Package, assert_complains};
    use super::*;

    fn tree(package: &str, name: &str, kind: DependencyKind) -> Tree {
        let dependency = Dependency { name: name.to_owned(), kind, features: Vec::new(), default_features: true };
        let package = Package { name: package.to_owned(), dependencies: vec![dependency] };
        Tree { packages: vec![package], ..Tree::default() }
    }

    #[test]
    fn zonefile_and_authority_do_not_know_each_other() {
        assert_complains(&edges(&tree("nss-authority", "nss-zonefile", DependencyKind::Normal)), "nss-zonefile");
        assert!(edges(&tree("nss-authority", "nss-zonefile", DependencyKind::Development)).is_empty());
        assert!(edges(&tree("nss-authority", "nss-wire", DependencyKind::Normal)).is_empty());
    }

    #[test]
    fn not_even_a_test_looks_up() {
        assert_complains(&edges(&tree("nss-wire", "nss-authority", DependencyKind::Development)), "nss-authority");
        assert_complains(&edges(&tree("nss-wire", "nssd", DependencyKind::Development)), "nssd");
    }

    #[test]
    fn the_front_gets_the_control_types_without_the_daemon() {
        assert_complains(&edges(&tree("nss-api", "nssd", DependencyKind::Normal)), "daemon");
    }

    #[test]
    fn an_unknown_member_is_reported() {
        assert_complains(&edges(&tree("nss-extra", "serde", DependencyKind::Normal)), "nss-extra");
    }

    #[test]
    fn a_pure_crate_gets_no_runtime() {
        assert_complains(&pure_dependencies(&tree("nss-authority", "tokio", DependencyKind::Normal)), "tokio");
        assert!(pure_dependencies(&tree("nss-authority", "tokio", DependencyKind::Development)).is_empty());
        assert!(pure_dependencies(&tree("nss-authority", "foldhash", DependencyKind::Normal)).is_empty());
    }
}
