//! The name server daemon: sockets, store, control socket and transfers around the answer algorithm of
//! `nss-authority`.
//!
//! With only the feature `control` this crate is the types and the client of the daemon's control socket,
//! for programs that drive it; the feature `daemon`, on by default, is the daemon itself. The feature `mmsg` is
//! the batch socket calls alone, for programs that measure it.
//!
//! ```no_run
//! use nssd::control::{Client, PutOptions};
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("/run/nssd/control.sock");
//! let apex = "example.com".parse::<nss_wire::NameBuf>()?;
//! let text = std::fs::read("example.com.zone")?;
//! let zone = client.put_zone(apex.as_name(), text.into(), &PutOptions::default()).await?;
//! println!("{} is served with serial {}", zone.zone, zone.serial);
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)]

#[cfg(feature = "daemon")]
mod answer;
#[cfg(feature = "check")]
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "control")]
pub mod clock;
#[cfg(feature = "daemon")]
pub mod config;
#[cfg(feature = "daemon")]
mod connections;
#[cfg(feature = "control")]
pub mod control;
#[cfg(feature = "daemon")]
pub mod cookie_secrets;
#[cfg(feature = "daemon")]
mod counters;
#[cfg(all(feature = "daemon", any(test, not(target_os = "linux"))))]
mod datagram;
#[cfg(feature = "daemon")]
mod files;
#[cfg(all(feature = "mmsg", target_os = "linux"))]
pub mod mmsg;
#[cfg(feature = "control")]
pub mod prefix;
#[cfg(feature = "daemon")]
mod rate_limit;
#[cfg(feature = "daemon")]
mod repeats;
#[cfg(feature = "daemon")]
pub mod server;
#[cfg(feature = "daemon")]
pub mod store;
#[cfg(feature = "daemon")]
mod stream;
#[cfg(feature = "daemon")]
mod tcp;
#[cfg(feature = "daemon")]
pub mod tls;
#[cfg(any(feature = "daemon", all(feature = "mmsg", target_os = "linux")))]
mod trial;
#[cfg(feature = "daemon")]
mod udp;
#[cfg(feature = "daemon")]
mod zones;
