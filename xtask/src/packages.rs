//! Debian packages that the tasks need, installed without starting the services in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Context, Failure, Outcome};
use crate::workspace::run;

/// A program and the Debian package that brings it.
struct Tool {
    program: &'static str,
    package: &'static str,
}

/// Everything that `ci`, `iana`, `differential` and `bench` start; each of them installs what is missing.
const TOOLS: &[Tool] = &[
    Tool { program: "nsd", package: "nsd" },
    Tool { program: "nsd-checkzone", package: "nsd" },
    Tool { program: "knotd", package: "knot" },
    Tool { program: "kzonecheck", package: "knot-dnssecutils" },
    Tool { program: "kzonesign", package: "knot-dnssecutils" },
    Tool { program: "keymgr", package: "knot" },
    Tool { program: "kdig", package: "knot-dnsutils" },
    Tool { program: "named", package: "bind9" },
    Tool { program: "named-checkzone", package: "bind9-utils" },
    Tool { program: "named-compilezone", package: "bind9-utils" },
    Tool { program: "dnssec-dsfromkey", package: "bind9-utils" },
    Tool { program: "dnssec-keygen", package: "bind9-utils" },
    Tool { program: "dnssec-signzone", package: "bind9-utils" },
    Tool { program: "dnssec-verify", package: "bind9-utils" },
    Tool { program: "dnsmasq", package: "dnsmasq-base" },
    Tool { program: "dig", package: "bind9-dnsutils" },
    Tool { program: "dnsperf", package: "dnsperf" },
    Tool { program: "drill", package: "ldnsutils" },
    Tool { program: "ldns-read-zone", package: "ldnsutils" },
    Tool { program: "ldns-keygen", package: "ldnsutils" },
    Tool { program: "ldns-signzone", package: "ldnsutils" },
    Tool { program: "ldns-verify-zone", package: "ldnsutils" },
    Tool { program: "curl", package: "curl" },
    Tool { program: "valgrind", package: "valgrind" },
    Tool { program: "callgrind_control", package: "valgrind" },
];

/// Where Debian puts programs, some of it outside the search path of ordinary users.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Finds a program in `PATH` and in the folders of the system.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// Finds a program, or says which package to install.
pub(crate) fn require(program: &str) -> Outcome<PathBuf> {
    find(program).ok_or_else(|| {
        let package = TOOLS.iter().find(|tool| tool.program == program).map_or(program, |tool| tool.package);
        Failure::new(format!(
            "{program} is not installed: run `apt-get install {package}`, or `cargo xtask ci` as root"
        ))
    })
}

/// Installs what is missing of [`TOOLS`]; needs root and Debian's apt for that.
pub(crate) fn install_missing() -> Outcome {
    let mut missing: Vec<&str> =
        TOOLS.iter().filter(|tool| find(tool.program).is_none()).map(|tool| tool.package).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(" ");
    if !nix::unistd::geteuid().is_root() {
        return Err(Failure::new(format!(
            "these packages are missing and only root can install them: run `sudo apt-get install {wanted}` and try again"
        )));
    }
    println!("installing {wanted}");
    let _policy = ServicePolicy::refuse_starts()?;
    run(apt().arg("update"))?;
    run(apt().args(["install", "--yes", "--no-install-recommends"]).args(&missing))?;
    match TOOLS.iter().find(|tool| find(tool.program).is_none()) {
        None => Ok(()),
        Some(tool) => Err(Failure::new(format!("package {} brought no program named {}", tool.package, tool.program))),
    }
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Keeps packages from starting their services: the hook that invoke-rc.d(8) asks, present while this lives.
struct ServicePolicy {
    created: bool,
}

impl ServicePolicy {
    const PATH: &str = "/usr/sbin/policy-rc.d";
    /// 101 is "action forbidden by policy".
    const SCRIPT: &str = "#!/bin/sh\nexit 101\n";

    /// A policy that is already there belongs to somebody else and stays as it is.
    fn refuse_starts() -> Outcome<ServicePolicy> {
        if Path::new(Self::PATH).exists() {
            return Ok(ServicePolicy { created: false });
        }
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(Self::PATH, Self::SCRIPT).context(Self::PATH)?;
        let policy = ServicePolicy { created: true };
        std::fs::set_permissions(Self::PATH, std::fs::Permissions::from_mode(0o755)).context(Self::PATH)?;
        Ok(policy)
    }
}

impl Drop for ServicePolicy {
    fn drop(&mut self) {
        if self.created {
            // Nothing useful is left to do about an error here; the next run reports the file.
            let _ = std::fs::remove_file(Self::PATH);
        }
    }
}
