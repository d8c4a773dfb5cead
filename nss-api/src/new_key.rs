//! What the owner of a key that was just made is told: the key, its label, and what to enter at the registrar.

use std::fmt::Write;

use nss_wire::NameBuf;
use serde::Serialize;

use crate::key::{Key, Label};

/// A key for its owner, who is shown it this once.
#[derive(Serialize)]
pub(crate) struct NewKey {
    key: String,
    label: String,
    /// What to enter at the registrar, and in the zone's own NS records.
    name_servers: Vec<String>,
}

impl NewKey {
    pub(crate) fn new(key: &Key, name_servers: &[NameBuf]) -> NewKey {
        let label = key.label();
        let keyed = keyed_names(label, name_servers);
        NewKey { key: key.reveal().to_owned(), label: label.to_string(), name_servers: keyed }
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let NewKey { key, label, name_servers } = self;
        let mut text = format!(
            "key    {key}\nlabel  {label}\n\nkeep the key: it is shown this once and stored nowhere, and whoever has it \
             may change your zone\n"
        );
        write_names(&mut text, name_servers);
        text
    }
}

/// The label of a key that its owner has already, and what to enter for it.
pub(crate) fn label_text(label: Label, name_servers: &[NameBuf]) -> String {
    let mut text = format!("{label}\n");
    write_names(&mut text, &keyed_names(label, name_servers));
    text
}

/// The name of `server` that says whose zone it is.
pub(crate) fn keyed_name(label: Label, server: &NameBuf) -> String {
    format!("{label}.{server}")
}

/// The names of all servers that say whose zone it is.
pub(crate) fn keyed_names(label: Label, name_servers: &[NameBuf]) -> Vec<String> {
    name_servers.iter().map(|server| keyed_name(label, server)).collect()
}

fn write_names(text: &mut String, names: &[String]) {
    if names.is_empty() {
        return;
    }
    text.push_str("\nat the domain's registrar, and in the zone's own NS records, enter these name servers:\n");
    for name in names {
        let _ = writeln!(text, "  {name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_sees_the_key_once_its_label_and_what_to_enter() {
        let key = Key::generate().unwrap();
        let servers: [NameBuf; 2] = ["ns1.dns.example.net", "ns2.dns.example.net"].map(|name| name.parse().unwrap());
        let text = NewKey::new(&key, &servers).text();
        assert_eq!(text.matches(key.reveal()).count(), 1);
        let label = key.label();
        assert!(text.contains(&format!("label  {label}\n")));
        assert!(text.ends_with(&format!("  {label}.ns1.dns.example.net.\n  {label}.ns2.dns.example.net.\n")), "{text}");
        assert_eq!(label_text(label, &[]), format!("{label}\n"));
        assert!(!label_text(label, &servers).contains("nss1_"));
    }
}
