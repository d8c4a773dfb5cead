//! Signs zone files with BIND's tools, an independent signer.

use std::path::Path;
use std::process::Command;

use super::zones::{Signing, Zone};
use crate::failure::{Context, Outcome};
use crate::packages::require;

/// Puts the signed zone in the place of the zone file at `path`; says whether it could be signed.
///
/// The signer refuses zones that some servers load, such as those with several DNAME records at one name.
pub(super) fn sign(zone: &Zone, signing: Signing, path: &Path, folder: &Path) -> Outcome<bool> {
    let keys = folder.join(&zone.name);
    std::fs::create_dir_all(&keys).context(keys.display())?;
    let mut keygen = Command::new(require("dnssec-keygen")?);
    keygen.arg("-q").arg("-K").arg(&keys).args(["-a", "ECDSAP256SHA256", "-f", "KSK", &zone.name]);
    if !succeeds(&mut keygen)? {
        return Ok(false);
    }
    let signed = keys.join("signed");
    let mut signer = Command::new(require("dnssec-signzone")?);
    // One key signs all, and nobody needs the set of DS records for the parent.
    signer.arg("-K").arg(&keys).args(["-q", "-S", "-z", "-P", "-o", &zone.name, "-d"]).arg(&keys);
    match signing {
        Signing::Nsec => {}
        Signing::Nsec3 => drop(signer.args(["-3", "-", "-H", "0"])),
        Signing::OptOut => drop(signer.args(["-3", "-", "-H", "0", "-A"])),
    }
    signer.arg("-f").arg(&signed).arg(path);
    if !succeeds(&mut signer)? {
        return Ok(false);
    }
    std::fs::rename(&signed, path).context(path.display())?;
    Ok(true)
}

fn succeeds(command: &mut Command) -> Outcome<bool> {
    let output = command.output().context(format_args!("cannot run {}", command.get_program().display()))?;
    Ok(output.status.success())
}
