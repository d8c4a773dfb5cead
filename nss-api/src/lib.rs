//! Public HTTP front of the Namespace Server: zone files in, checked at the parent zone.
#![forbid(unsafe_code)]

pub mod accept;
pub mod config;
pub mod domain;
pub mod problem;
pub mod query;
pub mod rate;
