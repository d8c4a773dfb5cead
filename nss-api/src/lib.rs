//! Public HTTP front of the Namespace Server: zone files in, checked at the parent zone.
//!
//! It keeps nothing but quotas and what it heard a moment ago: what it decides by is the configuration, the request, the parent's answer and the name server
//! behind the control socket. Run as many of it as you like.
//!
//! With only the feature `cli` this crate is the definition of the command line; the feature `daemon`, on by default, is the rest.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use nss_api::{config::Config, server::Server};
//!
//! let config = Config::from_toml("name_servers = [\"ns1.dns.example.net\", \"ns2.dns.example.net\"]")?;
//! let server = Server::start(config).await?;
//! println!("listening on {:?}", server.addresses());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "daemon")]
pub mod accept;
#[cfg(feature = "daemon")]
mod body;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "daemon")]
pub mod command;
#[cfg(feature = "daemon")]
pub mod config;
#[cfg(feature = "daemon")]
mod connection;
#[cfg(feature = "daemon")]
pub mod domain;
#[cfg(feature = "daemon")]
mod front;
#[cfg(feature = "daemon")]
pub mod key;
#[cfg(feature = "daemon")]
mod lifecycle;
#[cfg(feature = "daemon")]
pub mod network;
#[cfg(feature = "daemon")]
mod new_key;
#[cfg(feature = "daemon")]
mod ownership;
#[cfg(feature = "daemon")]
mod parents;
#[cfg(feature = "daemon")]
mod pending;
#[cfg(feature = "daemon")]
pub mod problem;
#[cfg(feature = "daemon")]
mod proxies;
#[cfg(feature = "daemon")]
pub mod query;
#[cfg(feature = "daemon")]
pub mod quota;
#[cfg(feature = "daemon")]
pub mod rate;
#[cfg(feature = "daemon")]
pub mod rdap;
#[cfg(feature = "daemon")]
pub mod rounds;
#[cfg(feature = "daemon")]
mod routes;
#[cfg(feature = "daemon")]
pub mod server;
#[cfg(feature = "daemon")]
pub mod setup;
#[cfg(feature = "daemon")]
mod share;
#[cfg(feature = "daemon")]
mod standing;
#[cfg(feature = "daemon")]
mod stream;
#[cfg(feature = "daemon")]
mod time;
#[cfg(feature = "daemon")]
mod upload;
#[cfg(feature = "daemon")]
mod zone_server;
#[cfg(feature = "daemon")]
mod zone_text;
