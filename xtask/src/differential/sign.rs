//! Signs zone files with the tools of BIND, Knot and ldns, three independent signers.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::zones::{Denial, Signer, Signing};
use crate::failure::{Context, Outcome};
use crate::packages::require;

/// Puts the signed zone in the place of the zone file at `path`; says whether it could be signed.
///
/// The signers refuse zones that some servers load, such as those with several DNAME records at one name. Keys are made
/// for each zone and stay in `folder`.
pub(super) fn sign(zone: &str, signing: &Signing, path: &Path, folder: &Path) -> Outcome<bool> {
    let keys = folder.join(zone);
    std::fs::create_dir_all(&keys).context(keys.display())?;
    let signed = match signing.signer {
        Signer::Bind => bind(zone, &signing.denial, path, &keys)?,
        Signer::Knot => knot(zone, &signing.denial, path, &keys)?,
        Signer::Ldns => ldns(zone, &signing.denial, path, &keys)?,
    };
    let Some(signed) = signed else { return Ok(false) };
    std::fs::rename(&signed, path).context(path.display())?;
    Ok(true)
}

/// One key signs all, and nobody needs the set of DS records for the parent.
fn bind(zone: &str, denial: &Denial, path: &Path, keys: &Path) -> Outcome<Option<PathBuf>> {
    let mut keygen = Command::new(require("dnssec-keygen")?);
    keygen.arg("-q").arg("-K").arg(keys).args(["-a", "ECDSAP256SHA256", "-f", "KSK", zone]);
    if output(&mut keygen)?.is_none() {
        return Ok(None);
    }
    let signed = keys.join("signed");
    let mut signer = Command::new(require("dnssec-signzone")?);
    signer.arg("-K").arg(keys).args(["-q", "-S", "-z", "-P", "-o", zone, "-d"]).arg(keys);
    match denial {
        Denial::Nsec => {}
        Denial::Nsec3 { iterations, salt, opt_out } => {
            let salt = if salt.is_empty() { "-" } else { salt };
            signer.args(["-3", salt, "-H", &iterations.to_string()]);
            if *opt_out {
                signer.arg("-A");
            }
        }
    }
    signer.arg("-f").arg(&signed).arg(path);
    Ok(output(&mut signer)?.map(|_| signed))
}

fn knot(zone: &str, denial: &Denial, path: &Path, keys: &Path) -> Outcome<Option<PathBuf>> {
    let mut config = format!(
        "database:
  storage: \"{keys}\"
policy:
  - id: default
    algorithm: ecdsap256sha256
    single-type-signing: on
    ksk-lifetime: 0
",
        keys = keys.display()
    );
    if let Denial::Nsec3 { iterations, salt, opt_out } = denial {
        let (opt_out, size) = (if *opt_out { "on" } else { "off" }, salt.len() / 2);
        config.push_str(&format!(
            "    nsec3: on\n    nsec3-iterations: {iterations}\n    nsec3-opt-out: {opt_out}\n    nsec3-salt-length: {size}\n"
        ));
    }
    let (folder, file) = (path.parent().unwrap_or(Path::new(".")), path.file_name().unwrap_or_default());
    config.push_str(&format!(
        "zone:
  - domain: \"{zone}\"
    storage: \"{folder}\"
    file: \"{file}\"
    dnssec-signing: on
    dnssec-policy: default
    journal-content: none
    zonefile-load: whole
",
        folder = folder.display(),
        file = file.display()
    ));
    let config_path = keys.join("config");
    std::fs::write(&config_path, config).context(config_path.display())?;
    if let Denial::Nsec3 { salt, .. } = denial
        && !salt.is_empty()
    {
        let mut manager = Command::new(require("keymgr")?);
        manager.arg("-c").arg(&config_path).args([zone, "nsec3-salt", salt]);
        if output(&mut manager)?.is_none() {
            return Ok(None);
        }
    }
    let signed = keys.join("signed");
    std::fs::create_dir_all(&signed).context(signed.display())?;
    let mut signer = Command::new(require("kzonesign")?);
    signer.arg("-c").arg(&config_path).arg("-o").arg(&signed).arg(zone);
    Ok(output(&mut signer)?.map(|_| signed.join(file)))
}

fn ldns(zone: &str, denial: &Denial, path: &Path, keys: &Path) -> Outcome<Option<PathBuf>> {
    let mut keygen = Command::new(require("ldns-keygen")?);
    keygen.current_dir(keys).args(["-a", "ECDSAP256SHA256", "-k", zone]);
    // It says under which name it has put the key.
    let Some(key) = output(&mut keygen)? else { return Ok(None) };
    let signed = keys.join("signed");
    let mut signer = Command::new(require("ldns-signzone")?);
    signer.current_dir(keys).args(["-o", zone, "-f"]).arg(&signed);
    if let Denial::Nsec3 { iterations, salt, opt_out } = denial {
        signer.args(["-n", "-t", &iterations.to_string()]);
        if !salt.is_empty() {
            signer.args(["-s", salt]);
        }
        if *opt_out {
            signer.arg("-p");
        }
    }
    signer.arg(path).arg(key.trim());
    Ok(output(&mut signer)?.map(|_| signed))
}

/// What a program says, if it ends with success.
fn output(command: &mut Command) -> Outcome<Option<String>> {
    let output = command.output().context(format_args!("cannot run {}", command.get_program().display()))?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned()))
}
