//! Zones of the root and of `com.` that are signed, by BIND's tools, as well or as badly as a test wants them.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The keys of the root and of `com.`.
pub(crate) struct Signer {
    keys: TempDir,
    names: [(&'static str, String); 2],
}

/// How good the signatures of a zone are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signatures {
    /// Valid from an hour ago, for a month.
    Good,
    /// All ended years ago.
    Expired,
    /// All but those of the keys are of something else.
    Wrong,
}

impl Signer {
    /// Makes the keys; `None` where there is no `dnssec-signzone`, which skips the test.
    pub(crate) fn new() -> Option<Signer> {
        for program in ["dnssec-signzone", "dnssec-keygen", "dnssec-dsfromkey"] {
            find(program)?;
        }
        let keys = tempfile::tempdir().unwrap();
        let names = [".", "com."].map(|apex| {
            let mut keygen = Command::new(find("dnssec-keygen").unwrap());
            let name = run(keygen.current_dir(&keys).args(["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", apex]));
            (apex, name.trim().to_owned())
        });
        Some(Signer { keys, names })
    }

    /// The DS record of a zone's key, without owner, class and type.
    pub(crate) fn ds(&self, apex: &str) -> String {
        let (_, key) = self.names.iter().find(|(of, _)| *of == apex).unwrap();
        let text = run(Command::new(find("dnssec-dsfromkey").unwrap()).current_dir(&self.keys).args(["-2", key]));
        text.split_once(" DS ").unwrap().1.trim().to_owned()
    }

    /// The zone with its signatures.
    pub(crate) fn sign(&self, apex: &str, text: &str, signatures: Signatures) -> String {
        let (unsigned, signed) = (self.keys.path().join("unsigned"), self.keys.path().join("signed"));
        std::fs::write(&unsigned, text).unwrap();
        let mut signer = Command::new(find("dnssec-signzone").unwrap());
        signer.current_dir(&self.keys).args(["-q", "-P", "-S", "-z", "-O", "full", "-o", apex, "-f"]);
        signer.arg(&signed);
        match signatures {
            Signatures::Good | Signatures::Wrong => {}
            Signatures::Expired => drop(signer.args(["-s", "20200101000000", "-e", "20200201000000"])),
        }
        run(signer.arg(&unsigned));
        let text = std::fs::read_to_string(&signed).unwrap();
        match signatures {
            Signatures::Good | Signatures::Expired => text,
            Signatures::Wrong => text.lines().map(|line| with_another_signature(line) + "\n").collect(),
        }
    }
}

/// A line of a zone file, where it is an RRSIG of no DNSKEY with two octets of the signature changed.
fn with_another_signature(line: &str) -> String {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    // Behind owner, TTL, class and type stand seven fields and the signer (RFC 4034 §3.2).
    let [_, _, _, "RRSIG", covered, _, _, _, _, _, _, _, signature, ..] = words[..] else { return line.to_owned() };
    if covered == "DNSKEY" {
        return line.to_owned();
    }
    let other = if signature.starts_with("AA") { "BB" } else { "AA" };
    line.replace(signature, &format!("{other}{}", &signature[2..]))
}

/// What the command prints, if it ends with success.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Where a program is; `None` skips the test, which CI must not do.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = directories.map(|directory| directory.join(program)).find(|file| file.is_file());
    if found.is_none() {
        let advice = format!("{program} is not installed; on Debian: apt-get install bind9-utils");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{advice}");
        eprintln!("skipped: {advice}");
    }
    found
}
