//! DNS zones as lookup tables, and the answers of an authoritative name server: a packet in, a packet out, no I/O.
#![forbid(unsafe_code)]

mod additional;
mod answer;
mod arena;
pub mod builder;
pub mod catalog;
mod check;
mod cookie;
pub mod finding;
mod lookup;
pub mod policy;
pub mod respond;
mod suffixes;
pub mod transfer;
pub mod zone;

pub use arena::{NodeKind, RRset};
pub use builder::ZoneBuilder;
pub use catalog::{Catalog, View};
pub use cookie::CookieSecrets;
pub use finding::{Finding, FindingKind, Severity};
pub use policy::{Peer, Policy, Transport};
pub use respond::{Outcome, Reply, ReplyKind};
pub use suffixes::HashSeed;
pub use transfer::{Messages, Transfer};
pub use zone::Zone;
