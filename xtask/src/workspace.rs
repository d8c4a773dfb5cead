//! The workspace on disk, and the cargo that builds it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Context, Failure, Outcome};

/// The folder of the root `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("this package is one folder below the root").to_owned()
}

/// The cargo that runs this program, started in the root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command to its end with our own standard streams; anything but success is a failure.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let shown = show(command);
    let status = command.status().context(format_args!("cannot start `{shown}`"))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{shown}` ended with {status}"))) }
}

/// Runs a command to its end and returns its standard output; on failure, its words are in the error.
pub(crate) fn output(command: &mut Command) -> Outcome<Vec<u8>> {
    let shown = show(command);
    let output = command.stdin(Stdio::null()).output().context(format_args!("cannot start `{shown}`"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("`{shown}` ended with {}: {}", output.status, words.trim())))
}

fn show(command: &Command) -> String {
    let mut shown = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}

/// How a program is compiled.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// The two daemons, freshly built.
#[derive(Clone, Debug)]
pub(crate) struct Daemons {
    pub(crate) nssd: PathBuf,
    pub(crate) nss_api: PathBuf,
}

impl Daemons {
    /// Builds both and asks cargo where it put them.
    pub(crate) fn build(profile: Profile) -> Outcome<Daemons> {
        let messages = build(&["nssd", "nss-api"], profile)?;
        Ok(Daemons { nssd: executable(&messages, "nssd")?, nss_api: executable(&messages, "nss-api")? })
    }
}

/// Builds the program of a package and asks cargo where it put it.
pub(crate) fn build_program(package: &str, profile: Profile) -> Outcome<PathBuf> {
    executable(&build(&[package], profile)?, package)
}

/// Builds packages; what cargo tells about it, one JSON object a line.
fn build(packages: &[&str], profile: Profile) -> Outcome<String> {
    let mut command = cargo();
    command.args(["build", "--locked", "--message-format=json-render-diagnostics", "--bins"]);
    for package in packages {
        command.args(["--package", package]);
    }
    match profile {
        Profile::Dev => {}
        Profile::Release => {
            command.arg("--release");
        }
    }
    command.stderr(Stdio::inherit());
    Ok(String::from_utf8_lossy(&output(&mut command)?).into_owned())
}

fn executable(messages: &str, name: &str) -> Outcome<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| Failure::new(format!("cargo built no executable named {name}")))
}
/// This program, even if cargo has put another one in its place since it started.
pub(crate) fn this_program() -> PathBuf {
    format!("/proc/{}/exe", std::process::id()).into()
}
