//! Public HTTP front of the Namespace Server: zone files in, checked at the parent zone.
#![forbid(unsafe_code)]

pub mod domain;
pub mod query;
