//! The command line: what is done.

use std::fmt;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use nss_wire::NameBuf;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

pub use crate::cli::Arguments;
use crate::cli::{Command, KeyCommand};
use crate::config::{Config, Log, LogFormat};
use crate::key::Key;
use crate::new_key::{self, NewKey};
use crate::server::Server;
use crate::setup::{self, Level};

impl Arguments {
    /// Does what the command line says; returns when that is done.
    ///
    /// # Errors
    ///
    /// A sentence for the terminal, and the exit code that goes with it.
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::CheckConfig { file } => {
                read(&file)?;
                println!("{}: can be used", file.display());
                Ok(())
            }
            Command::Key(KeyCommand::New { name_server }) => {
                let name_servers = names(&name_server)?;
                let key = Key::generate().map_err(no_key)?;
                print!("{}", NewKey::new(&key, &name_servers).text());
                Ok(())
            }
            Command::Key(KeyCommand::Label { file, name_server }) => {
                let name_servers = names(&name_server)?;
                let key = read_key(file.as_deref()).map_err(no_key)?;
                print!("{}", new_key::label_text(key.label(), &name_servers));
                Ok(())
            }
            Command::CheckSetup { config, address, json } => {
                let config = read(&config)?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let report = runtime.map_err(|error| cannot_start(&error))?.block_on(setup::check(&config, &address));
                print!("{}", if json { report.json() } else { report.text() });
                match report.level() {
                    Level::Ok | Level::Advice => Ok(()),
                    Level::Wrong => Err(Failure { exit: Exit::Wrong, reason: "the setup is not right".into() }),
                    Level::Unknown => Err(Failure {
                        exit: Exit::Unknown,
                        reason: "whether the setup is right could not be found out".into(),
                    }),
                }
            }
            Command::Serve { config } => {
                let config = read(&config)?;
                start_log(&config.log);
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
                let runtime = runtime.map_err(|error| cannot_start(&error))?;
                runtime.block_on(serve(config))
            }
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Of check-setup.
    Wrong = 1,
    /// Of check-setup; with other commands 2 is the command line's, and clap's.
    Unknown = 2,
    /// As nssd has them.
    Configuration = 3,
    Start = 4,
    Key = 5,
}

impl Failure {
    /// The code that the process ends with.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}

async fn serve(config: Config) -> Result<(), Failure> {
    let handler = |kind| signal(kind).map_err(|error| cannot_start(&error));
    let (mut terminate, mut interrupt) = (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    let server = Server::start(config).await.map_err(|error| cannot_start(&error))?;
    tracing::info!(listen = ?server.addresses(), "serving");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

fn read(path: &Path) -> Result<Config, Failure> {
    Config::read(path).map_err(|error| Failure { exit: Exit::Configuration, reason: error.to_string() })
}

/// The key in a file or on standard input, where spaces and line ends around it do not count.
fn read_key(file: Option<&Path>) -> Result<Key, String> {
    let mut text = String::new();
    let read = match file {
        Some(path) => File::open(path).and_then(|file| file.take(KEY_FILE_SIZE_MAX).read_to_string(&mut text)),
        None => std::io::stdin().take(KEY_FILE_SIZE_MAX).read_to_string(&mut text),
    };
    let place = file.map_or("standard input".to_owned(), |path| path.display().to_string());
    read.map_err(|error| format!("{place}: {error}"))?;
    text.trim().parse().map_err(|error| format!("{place}: {error}"))
}

fn names(texts: &[String]) -> Result<Vec<NameBuf>, Failure> {
    let name = |text: &String| {
        text.parse().map_err(|error| Failure { exit: Exit::Configuration, reason: format!("\"{text}\": {error}") })
    };
    texts.iter().map(name).collect()
}

fn no_key(reason: String) -> Failure {
    Failure { exit: Exit::Key, reason }
}

/// Octets that are read of a file that should hold a key: enough for one, and for what people leave around it.
const KEY_FILE_SIZE_MAX: u64 = 1024;

fn start_log(log: &Log) {
    // The configuration was checked with the same function.
    let filter = EnvFilter::try_new(&log.level).unwrap_or_default();
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}

fn cannot_start(error: &dyn fmt::Display) -> Failure {
    Failure { exit: Exit::Start, reason: format!("cannot start: {error}") }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_configuration_that_is_not_there_is_named() {
        let arguments = Arguments::try_parse_from(["nss-api", "check-config", "/nonexistent/a.toml"]).unwrap();
        let failure = arguments.run().unwrap_err();
        assert_eq!(failure.exit, Exit::Configuration);
        assert!(failure.to_string().starts_with("/nonexistent/a.toml: "), "{failure}");
    }
}
