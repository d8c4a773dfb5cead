//! DNS zones as lookup tables, and the answers of an authoritative name server: a packet in, a packet out, no I/O.
//!
//! ```
//! use std::sync::Arc;
//! use nss_authority::{Catalog, HashSeed, Outcome, Peer, Policy, Transport};
//! use nss_wire::{Class, NameBuf, RType, Record};
//!
//! let apex: NameBuf = "example.".parse()?;
//! let name = apex.as_name();
//! let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
//! let mut builder = catalog.zone_builder(name, Class::IN);
//! let soa = b"\x02ns\x05other\0\x04host\x05other\0\0\0\0\x01\0\0\x0e\x10\0\0\x03\x84\0\x09\x3a\x80\0\0\x01\x2c";
//! for (rtype, rdata) in [(RType::SOA, &soa[..]), (RType::NS, b"\x02ns\x05other\0"), (RType::A, &[192, 0, 2, 1])] {
//!     builder.add(Record { owner: name, rtype, class: Class::IN, ttl: 3600, rdata }, 0);
//! }
//! let (zone, warnings) = builder.build().expect("a zone with SOA and NS records at its apex");
//! assert!(warnings.is_empty());
//! catalog.publish(zone);
//!
//! let query = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x07example\0\0\x01\0\x01";
//! let peer = Peer { transport: Transport::Udp, address: [192, 0, 2, 53].into() };
//! let mut answer = [0; 1232];
//! let outcome = catalog.view().respond(query, &peer, &Policy::default(), &mut answer);
//! let Outcome::Reply(reply) = outcome else { panic!("a query is answered") };
//! assert!(answer[..reply.len].ends_with(&[192, 0, 2, 1]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod additional;
pub mod ahead;
mod answer;
mod arena;
mod build;
pub mod builder;
pub mod catalog;
pub mod chain;
mod chaos;
mod check;
pub mod cookie;
pub mod denial;
mod fast;
pub mod finding;
mod links;
mod lookup;
mod memory;
mod order;
pub mod policy;
pub mod respond;
mod rotation;
mod rrset;
pub mod rules;
mod suffixes;
mod table;
pub mod transfer;
pub mod zone;

pub use arena::NodeKind;
pub use builder::ZoneBuilder;
pub use catalog::{Catalog, View};
pub use chain::{DenialFault, DenialFaultKind};
pub use cookie::CookieSecrets;
pub use finding::{Field, Finding, FindingKind, Severity};
pub use order::Both;
pub use policy::{Peer, Policy, Transport};
pub use respond::{Outcome, Reply, ReplyKind};
pub use rrset::RRset;
pub use suffixes::HashSeed;
pub use transfer::{Messages, Transfer};
pub use zone::Zone;
