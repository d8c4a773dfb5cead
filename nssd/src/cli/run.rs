//! The command line: what is done.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use super::{Call, Cli, Command, Ctl, check_zone, format_zone};
use crate::config::{Config, ConfigError, LogConfig, LogFormat, LogLevel};
use crate::control::{
    BrokenZone, Client, ClientError, PinChange, Precondition, PutOptions, ReloadReport, Source, ZoneStatus,
};
use crate::server::Server;

/// Runs the command line of this process; returns its exit code.
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    match run(command) {
        Ok(exit) => exit.into(),
        Err(Failure { exit, message }) => {
            if !message.is_empty() {
                // Nothing can be done about a standard error that is closed.
                let _ = writeln!(io::stderr(), "nssd: {message}");
            }
            exit.into()
        }
    }
}

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All is well.
    Success = 0,
    /// A zone has errors, or the server refused what it was asked.
    Refused = 1,
    /// The command line makes no sense; clap ends so, too.
    Usage = 2,
    /// The configuration is broken.
    Config = 3,
    /// The server does not start, or a file can't be read.
    Failed = 4,
    /// The running server can't be reached.
    Unreachable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed, and how the process ends for it.
pub(super) struct Failure {
    exit: Exit,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::new(Exit::Config, error.to_string())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let exit = match &error {
            ClientError::Unreachable { .. } => Exit::Unreachable,
            ClientError::Refused(_) => Exit::Refused,
            ClientError::Interrupted(_) | ClientError::Protocol(_) => Exit::Failed,
        };
        Failure::new(exit, error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        // Whoever reads the output has seen enough, as `head` does.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::new(Exit::Success, "");
        }
        Failure::new(Exit::Failed, error.to_string())
    }
}

fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Serve { config } => {
            let config = config_from(config.as_deref())?;
            init_log(&config.log);
            unblock_signals();
            runtime(tokio::runtime::Builder::new_multi_thread())?.block_on(serve(config))
        }
        Command::CheckZone(arguments) => check_zone::run(&arguments),
        Command::FormatZone(arguments) => format_zone::run(&arguments),
        Command::CheckConfig { file } => {
            let config = Config::read(&file)?;
            let zones = config.zones.len() + config.zone_directories.len();
            print(&format!("{}: ok, {zones} zone entries\n", file.display()))?;
            Ok(Exit::Success)
        }
        Command::Ctl(ctl) => runtime(tokio::runtime::Builder::new_current_thread())?.block_on(control(ctl)),
    }
}

fn runtime(mut builder: tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, Failure> {
    Ok(builder.enable_all().build()?)
}

fn config_from(file: Option<&Path>) -> Result<Config, ConfigError> {
    file.map_or_else(|| Ok(Config::default()), Config::read)
}

async fn serve(config: Config) -> Result<Exit, Failure> {
    raise_open_file_limit();
    // Handlers first: a signal during the start must not find the default action.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    // A file at the limit of its size is an error of the write that hit it, not the end of the process.
    #[cfg(target_os = "linux")]
    let _file_size = signal(SignalKind::from_raw(libc::SIGXFSZ))?;
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return Ok(Exit::Failed);
        }
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => tokio::select! {
                _ = server.reload() => {}
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            },
        }
    }
    tracing::info!("stopping");
    tokio::select! {
        () = server.stop() => Ok(Exit::Success),
        // Whoever asks twice does not want to wait.
        _ = terminate.recv() => Ok(Exit::Failed),
        _ = interrupt.recv() => Ok(Exit::Failed),
    }
}

/// Signals that the parent has blocked, as supervisors do for themselves, stay blocked in its children.
///
/// To be called before there are other threads, which inherit them in turn.
fn unblock_signals() {
    use nix::sys::signal::{SigSet, Signal};
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    if let Err(error) = signals.thread_unblock() {
        tracing::warn!(%error, "cannot unblock signals");
    }
}

fn raise_open_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
}

fn init_log(config: &LogConfig) {
    let level = match config.level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_target(false);
    match config.format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
    // A query that panics costs itself only; logging each would let its sender fill the disk.
    static PANICS: AtomicU32 = AtomicU32::new(0);
    std::panic::set_hook(Box::new(|panic| {
        if PANICS.fetch_add(1, Ordering::Relaxed) < PANICS_LOGGED_MAX {
            let thread = std::thread::current();
            tracing::error!(thread = thread.name(), "{panic}; this is a bug of nssd");
        }
    }));
}

/// Panics that are logged; `panics` in the status counts all.
const PANICS_LOGGED_MAX: u32 = 10;

async fn control(ctl: Ctl) -> Result<Exit, Failure> {
    let socket = match ctl.socket {
        Some(socket) => socket,
        None => config_from(ctl.config.as_deref())?.server.control_socket(),
    };
    let client = Client::new(socket);
    match ctl.call {
        Call::Status { zone: Some(zone) } => {
            show_zone(&client.zone_status(zone.as_name()).await?, ctl.json)?;
        }
        Call::Status { zone: None } => {
            let status = client.status().await?;
            if ctl.json {
                print_json(&status)?;
                return Ok(Exit::Success);
            }
            let mut text = format!(
                "nssd {}, pid {}, up {} s, on {}\nzones: {}, {} of them uploaded, {} MiB\nuploads: {} of {}, {} of {} MiB\n",
                status.version,
                status.pid,
                status.uptime_seconds,
                status.listen.join(" "),
                status.zones,
                status.zones_uploaded,
                status.memory_bytes >> 20,
                status.uploads,
                status.uploads_max,
                status.uploads_size >> 20,
                status.uploads_size_max >> 20,
            );
            let counters = serde_json::to_value(&status.counters).map_err(io::Error::other)?;
            for (name, value) in counters.as_object().into_iter().flatten() {
                text.push_str(&format!("{name}: {value}\n"));
            }
            text.push_str(&broken_lines(&status.broken));
            print(&text)?;
        }
        Call::List => {
            let mut after = None;
            loop {
                let page = client.list_zones(after.as_deref(), crate::control::LIST_LIMIT_MAX).await?;
                let mut text = String::new();
                for zone in &page.zones {
                    if ctl.json {
                        text.push_str(&serde_json::to_string(zone).map_err(io::Error::other)?);
                        text.push('\n');
                    } else {
                        text.push_str(&format!("{} {} {}\n", zone.zone, zone.serial, source_name(&zone.source)));
                    }
                }
                print(&text)?;
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Call::Get { zone } => {
            let text = client.get_zone(zone.as_name()).await?.text;
            io::stdout().write_all(&text)?;
        }
        Call::Put { zone, file, if_match, new } => {
            let precondition = match (if_match, new) {
                (Some(etag), _) => Precondition::Version(etag),
                (None, true) => Precondition::Absent,
                (None, false) => Precondition::None,
            };
            let options = PutOptions { precondition, ..PutOptions::default() };
            let status = client.put_zone(zone.as_name(), read(&file)?.into(), &options).await?;
            show_zone(&status, ctl.json)?;
        }
        Call::Check { zone, file } => {
            let options = PutOptions { dry_run: true, ..PutOptions::default() };
            let status = client.put_zone(zone.as_name(), read(&file)?.into(), &options).await?;
            show_zone(&status, ctl.json)?;
        }
        Call::Delete { zone, if_match } => {
            let precondition = if_match.map_or(Precondition::None, Precondition::Version);
            show_zone(&client.delete_zone(zone.as_name(), &precondition, &PinChange::default()).await?, ctl.json)?;
        }
        Call::Reload => {
            let report = client.reload().await?;
            if ctl.json {
                print_json(&report)?;
            } else {
                print(&reload_lines(&report))?;
            }
            // Broken files are what an operator's script has to see.
            return Ok(if report.broken.is_empty() { Exit::Success } else { Exit::Refused });
        }
    }
    Ok(Exit::Success)
}

fn show_zone(zone: &ZoneStatus, is_json: bool) -> io::Result<()> {
    if is_json {
        return print_json(zone);
    }
    let change = match zone.change {
        crate::control::Change::None => "",
        crate::control::Change::Created => " added",
        crate::control::Change::Replaced => " replaced",
        crate::control::Change::Unchanged => " unchanged",
        crate::control::Change::Withdrawn => " deleted",
    };
    let mut text = format!("{}{change}: serial {}, {} records", zone.zone, zone.serial, zone.records);
    if let Some(etag) = &zone.etag {
        text.push_str(&format!(", version {etag}"));
    }
    text.push_str(&format!(", from {}\n", source_name(&zone.source)));
    if let Some(stale) = &zone.stale {
        text.push_str(&format!("a newer version is not served: {stale}\n"));
    }
    for finding in &zone.findings {
        text.push_str(&format!("{finding}\n"));
    }
    print(&text)
}

fn source_name(source: &Source) -> &str {
    match source {
        Source::Upload => "upload",
        Source::File(path) => path,
    }
}

fn broken_lines(broken: &[BrokenZone]) -> String {
    let line = |zone: &BrokenZone| {
        let state = if zone.still_served { "the version before is served" } else { "not served" };
        format!("broken: {} from {}, {state}: {}\n", zone.zone, source_name(&zone.source), zone.reason)
    };
    broken.iter().map(line).collect()
}

fn reload_lines(report: &ReloadReport) -> String {
    let mut text = String::new();
    for (what, zones, count) in [
        ("added", &report.created, report.created_count),
        ("replaced", &report.replaced, report.replaced_count),
        ("withdrawn", &report.withdrawn, report.withdrawn_count),
    ] {
        for zone in zones {
            text.push_str(&format!("{what}: {zone}\n"));
        }
        text.push_str(&rest_line(what, count, zones.len()));
    }
    text.push_str(&format!("unchanged: {}\n", report.unchanged));
    text.push_str(&broken_lines(&report.broken));
    text.push_str(&rest_line("broken", report.broken_count, report.broken.len()));
    for note in &report.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

/// How many there are beside those that were named.
fn rest_line(what: &str, count: u64, named: usize) -> String {
    match count.saturating_sub(named as u64) {
        0 => String::new(),
        rest => format!("{what}: {rest} more\n"),
    }
}

fn print_json(value: &impl serde::Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    text.push('\n');
    print(&text)
}

pub(super) fn print(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}

pub(super) fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let fail = |error: io::Error| Failure::new(Exit::Failed, format!("{}: {error}", file.display()));
    if is_stdin(file) {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text).map_err(fail)?;
        return Ok(text);
    }
    std::fs::read(file).map_err(fail)
}
