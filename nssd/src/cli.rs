//! The command line: what can be said.
//!
//! It stands apart from what is done ([`main`]), so that manual pages can be made of it without the daemon.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};
use nss_wire::NameBuf;

#[cfg(feature = "daemon")]
mod check_zone;
#[cfg(feature = "daemon")]
mod format_zone;
#[cfg(feature = "daemon")]
mod progress;
#[cfg(feature = "daemon")]
mod run;

#[cfg(feature = "daemon")]
pub use run::main;

/// The command line as clap sees it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Authoritative name server.
#[derive(Debug, Parser)]
#[command(name = "nssd", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve DNS until SIGTERM or SIGINT; SIGHUP reloads the operator's zones
    Serve {
        /// Configuration file; without one nssd listens on loopback, port 5300
        #[arg(long, short, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Check zone files as the server would, and explain everything that is wrong or odd in them
    CheckZone(CheckZone),
    /// Put zone files in order: fields in columns, comments kept, records unchanged
    FormatZone(FormatZone),
    /// Check a configuration file
    CheckConfig {
        /// Configuration file
        #[arg(value_name = "FILE", default_value = CONFIG_DEFAULT)]
        file: PathBuf,
    },
    /// Ask or tell the running server something
    Ctl(Ctl),
}

#[derive(Debug, Args)]
#[command(after_help = CHECK_ZONE_HELP, group = clap::ArgGroup::new("what").required(true).multiple(false))]
struct CheckZone {
    /// Zone files; - is standard input
    #[arg(group = "what", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// List all rules and end
    #[arg(long, group = "what")]
    list: bool,
    /// Explain a rule, with a wrong and a right example, and end
    #[arg(long, group = "what", value_name = "RULE")]
    explain: Option<String>,
    /// Apex of the zone; by default the owner of the SOA record if its names are absolute, or NAME for a file NAME.zone
    #[arg(long, short, value_name = "NAME")]
    origin: Option<NameBuf>,
    /// Print one JSON object a line for each finding, on standard output
    #[arg(long, conflicts_with = "print")]
    json: bool,
    /// Say nothing about a rule; can be given several times
    #[arg(long, value_name = "RULE")]
    allow: Vec<String>,
    /// Make a warning an error, or all of them with `warnings`; can be given several times
    #[arg(long, value_name = "RULE|warnings")]
    deny: Vec<String>,
    /// Print the zone: one record a line with everything written out, or as a person would write it
    #[arg(long, short, value_name = "STYLE", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "canonical")]
    print: Option<PrintStyle>,
    /// Time that serials and signatures are checked at, as YYYYMMDDHHmmSS in UTC or in seconds since 1970; by default now
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Say nothing about warnings
    #[arg(long, short)]
    quiet: bool,
}

/// How a zone is printed.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PrintStyle {
    /// One record a line, everything written out, in canonical order
    Canonical,
    /// Names relative to the apex, in columns, the SOA record with comments
    Pretty,
}

const CHECK_ZONE_HELP: &str = "A RULE is a code such as Z0200 or a name such as missing-final-dot. A rule that is denied by \
    its code or name is denied; else one that is allowed is allowed; else `--deny warnings` counts. Errors cannot be allowed.\n\n\
    Exit codes: 0 all files make zones and nothing denied was found; 1 a file makes no zone, or has what is denied; 2 wrong command \
    line; 4 a file cannot be read.";

#[derive(Debug, Args)]
#[command(after_help = FORMAT_ZONE_HELP)]
struct FormatZone {
    /// Zone files; - is standard input, which is written to standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write nothing, and name the files that are not in order
    #[arg(long)]
    check: bool,
}

const FORMAT_ZONE_HELP: &str = "Comments, relative names, directives and the order of records stay; a file with mistakes is left as \
    it is.\n\nExit codes: 0 all files are in order now, with --check were so before; 1 a file has mistakes, or with --check is not \
    in order; 2 wrong command line; 4 a file cannot be read or written.";

#[derive(Debug, Args)]
struct Ctl {
    /// Control socket; by default that of the configuration, or the usual place for this user
    #[arg(long, short, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
    /// Configuration file that names the socket
    #[arg(long, short, value_name = "FILE", global = true, conflicts_with = "socket")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    call: Call,
}

#[derive(Debug, Subcommand)]
enum Call {
    /// Tell how the server is, or one zone
    Status {
        /// Apex of the zone
        zone: Option<NameBuf>,
    },
    /// List all zones
    List,
    /// Print a zone as it was uploaded
    Get {
        /// Apex of the zone
        zone: NameBuf,
    },
    /// Add or replace a zone
    Put {
        /// Apex of the zone
        zone: NameBuf,
        /// Zone file; - is standard input
        file: PathBuf,
        /// Replace only the version with this entity tag, quotes included
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
        /// Never replace a zone
        #[arg(long, conflicts_with = "if_match")]
        new: bool,
    },
    /// Have the server check a zone without changing anything
    Check {
        /// Apex of the zone
        zone: NameBuf,
        /// Zone file; - is standard input
        file: PathBuf,
    },
    /// Withdraw an uploaded zone and delete its text
    Delete {
        /// Apex of the zone
        zone: NameBuf,
        /// Delete only the version with this entity tag, quotes included
        #[arg(long, value_name = "ETAG")]
        if_match: Option<String>,
    },
    /// Read the operator's zone files again
    Reload,
}

const EXIT_CODES: &str = "Exit codes: 0 success; 1 a zone has errors, or the server refused; 2 wrong command line; \
    3 broken configuration; 4 cannot start, or cannot read a file; 5 the running server cannot be reached.";

/// What `check-config` checks when no file is named.
const CONFIG_DEFAULT: &str = "/etc/nssd/nssd.toml";
