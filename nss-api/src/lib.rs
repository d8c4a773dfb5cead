//! Public HTTP front of the Namespace Server: zone files in, checked at the parent zone.
//!
//! It keeps no state: what it decides by is the configuration, the request, the parent's answer and the name server
//! behind the control socket. Run as many of it as you like.
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

pub mod accept;
mod body;
pub mod command;
pub mod config;
mod connection;
pub mod domain;
mod front;
pub mod problem;
pub mod query;
pub mod rate;
mod routes;
pub mod server;
mod stream;
mod upload;
mod zone_server;
mod zone_text;
