//! The command line: what can be said.
//!
//! It stands apart from what is done ([`command`](crate::command)), so that manual pages can be made of it without the daemon.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

/// The command line as clap sees it.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Public HTTP front of the Namespace Server: takes zone files, checks them at the parent zone, and has nssd serve them.
#[derive(Debug, Parser)]
#[command(name = "nss-api", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until SIGTERM or SIGINT; running requests are then finished
    Serve {
        /// Configuration file, in which name_servers has to be set
        #[arg(long, short, value_name = "FILE", default_value = CONFIG_PATH)]
        config: PathBuf,
    },
    /// Check a configuration file
    CheckConfig {
        /// Configuration file
        #[arg(value_name = "FILE", default_value = CONFIG_PATH)]
        file: PathBuf,
    },
    /// Look at our own name servers as the world sees them: zone, glue, wildcards, both address families
    ///
    /// One line for each finding: ok, advice, unknown or wrong, and what to do. Run it where name servers on the Internet can be
    /// asked, and nssd is beside it.
    CheckSetup {
        /// Configuration file, in which name_servers has to be set
        #[arg(long, short, value_name = "FILE", default_value = CONFIG_PATH)]
        config: PathBuf,
        /// An address of our name servers; when given, name servers with other addresses are wrong
        #[arg(long, short, value_name = "ADDRESS")]
        address: Vec<IpAddr>,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make a zone key, or tell the label of one, without a server
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and print it with its label; nothing else keeps it
    New {
        /// A name server of the service: what to enter at the registrar for it is printed, too
        #[arg(long, short, value_name = "NAME")]
        name_server: Vec<String>,
    },
    /// Print the label of the key in a file, or on standard input
    ///
    /// Keys are not taken from the command line, which other users of the machine can see.
    Label {
        /// File that holds the key alone; standard input when absent
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// A name server of the service: what to enter at the registrar for it is printed, too
        #[arg(long, short, value_name = "NAME")]
        name_server: Vec<String>,
    },
}

/// Where the configuration is, unless the command line says otherwise.
const CONFIG_PATH: &str = "/etc/nssd/nss-api.toml";

const EXIT_CODES: &str = "Exit codes: 0 success; 2 wrong command line; 3 broken configuration; 4 cannot start, or cannot listen; 5 no usable key. \
                          Of check-setup: 0 nothing is wrong; 1 something is; 2 something could not be found out.";
