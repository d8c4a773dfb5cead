//! What does the parent zone delegate, and to whom?
//!
//! A service that hosts zones has to know whether the owner of a domain chose it. The owner says so in one place: the
//! NS records in the parent zone. This crate walks from the root hints to that zone, asks at least two of its own
//! servers, and says *delegated*, *not delegated* or *could not find out*, together with who was asked and what they
//! said. No recursive resolver takes part.
//!
//! [`Checker`] does it with tokio's sockets; [`Walk`] is the same without I/O, for other runtimes and for tests:
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use nss_registrar_check::{AddressPolicy, Config, NameServer, Ours, Verdict, Walk, Wanted};
//! use nss_wire::NameBuf;
//!
//! // A root server that delegates "example." to "ns.example.net.", whatever it is asked.
//! fn root_server(query: &[u8]) -> Vec<u8> {
//!     let question_end = query.len() - 11 - 12; // an OPT record with a client cookie stands behind it
//!     let mut reply = query[..question_end].to_vec();
//!     reply[2] |= 0x80; // QR: a response
//!     reply[9] = 1; // one record in the authority section, at the question's name: NS, IN, TTL 1 h
//!     reply.extend(b"\xc0\x0c\0\x02\0\x01\0\0\x0e\x10\0\x10\x02ns\x07example\x03net\0");
//!     reply.extend(&query[question_end..]); // the same OPT record: the cookie comes back
//!     reply
//! }
//!
//! let config = Config {
//!     root_hints: vec!["192.0.2.1".parse()?, "192.0.2.2".parse()?],
//!     addresses: AddressPolicy::AnyUnicast,
//!     trust_anchors: Vec::new(), // this root is not signed
//!     ..Config::default()
//! };
//! let domain: NameBuf = "example.".parse()?;
//! let mut walk = Walk::new(Arc::new(config), domain.as_name(), Wanted::NameServers, 1_800_000_000, [7; 32]);
//! let mut now = Duration::ZERO;
//! while let Some(query) = walk.next_query(now) {
//!     now += Duration::from_millis(20);
//!     walk.answer(query.token, query.server, &root_server(&query.packet), now);
//! }
//!
//! let findings = walk.findings().expect("two servers were asked and agree");
//! let verdict = findings.judge(&Ours::all(&["ns.example.net".parse()?]));
//! assert!(matches!(verdict, Verdict::Delegated { .. }));
//! assert_eq!(verdict.to_string(), ". delegates example. to ns.example.net.");
//! println!("{}", verdict.evidence());
//!
//! let verdict = findings.judge(&Ours::all(&["ns.example.org".parse()?]));
//! assert!(matches!(verdict, Verdict::NotDelegated { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What counts as a delegation
//!
//! - A referral whose NS records stand at the name, from a server of the zone directly above it. To find that zone,
//!   each zone on the way is asked one label further (RFC 9156), so that no cut stays unseen.
//! - A name that the zone has without a cut at it is part of that zone and *not delegated*, whoever serves the zone.
//!   Names that do not exist and aliases are not delegated either.
//! - All servers that count have to agree on the NS set; glue of our names below the cut has to be ours.
//! - A cut on the way is followed when as many servers of the zone above it show the same NS set, and to addresses that as many give;
//!   a zone that has fewer servers than that has its own word for it.
//! - A server that serves the child as well answers from there and hides the delegation. Others of the parent's servers
//!   then decide; when there are none, the check could not find out ([`HiddenDelegation`]).
//! - The DS records beside it ([`DsRecords`]) have to be the same at as many servers, for who wants them ([`Wanted`]).
//!   When these disagree about them, the NS set stands and the DS records could not be found out.
//! - Where the zones on the way are signed, what they say of a cut has to be proven from the trust anchors down
//!   ([`Config::trust_anchors`]): its DS records, that there are none, that there is no cut. The NS set is not signed at
//!   the parent's side, so [`Security::Secure`] is about the DS records. What is not proven could not be found out.
//! - Timeouts, errors, lame servers and disagreement are "could not find out", never "no".
//!
//! # What hostile servers can do
//!
//! Whoever runs a zone on the way can make the check of names *below it* end as they like, which they could anyway. They
//! cannot make it ask addresses inside your network ([`AddressPolicy`]), run long ([`Limits`]) or believe anything about
//! names outside their zone. One of several servers of a zone cannot do that by itself: what it says alone is not believed.
//! Somebody who is not on the path cannot answer in a server's place ([`Trust`]).
//!
//! What rests on the word of one server all the same: the addresses of name servers that come without glue, which are looked up, and
//! everything below a zone that has one server only. A name server with an address of each family is one server; the root
//! hints are addresses without names, so that there each address counts.
#![forbid(unsafe_code)]

mod address;
mod cache;
mod checker;
mod config;
mod cut;
mod descent;
mod dnssec;
mod evidence;
mod hints;
mod known;
mod opinion;
mod pace;
mod question;
mod reply;
mod verdict;
mod walk;

pub use address::AddressPolicy;
pub use checker::Checker;
pub use config::{CacheConfig, Config, HiddenDelegation, Limits, Trust, UDP_PAYLOAD_SIZE, Wanted};
pub use dnssec::{AnchorError, Security, TrustAnchor};
pub use evidence::{Evidence, Lame, NameServer, Said, Step};
pub use hints::{ROOT_SERVERS, root_hints};
pub use known::KnownZones;
pub use question::{Query, Token, Transport};
pub use verdict::{Delegation, DsRecords, Findings, NotDelegated, Ours, Outcome, Required, Unknown, Verdict};
pub use walk::{Heard, Walk};
