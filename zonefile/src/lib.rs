//! Zone files (RFC 1035 §5) to records and back, with every mistake of a file explained.
//!
//! ```
//! use nss_zonefile::{Options, Reader};
//!
//! let text = b"$ORIGIN example.
//! $TTL 1h
//! @    SOA  ns hostmaster 1 1d 2h 4w 1h
//!      NS   ns
//! ns   A    192.0.2.1
//! www  AAAA 2001:db8::g
//! ftp  B    192.0.2.2
//! ";
//! let mut reader = Reader::new(text, &Options::default());
//! let (mut records, mut errors) = (Vec::new(), Vec::new());
//! while let Some(result) = reader.next() {
//!     match result {
//!         Ok(entry) => records.push(entry.record.to_string()),
//!         Err(error) => errors.push(error),
//!     }
//! }
//! assert_eq!(records[2], "ns.example. 3600 IN A 192.0.2.1");
//! assert_eq!(errors.len(), 2);
//! assert_eq!(
//!     errors[0].report().to_string(),
//!     "\
//! error[Z0050]: AAAA address: expected an IPv6 address such as 2001:db8::1, found \"2001:db8::g\"
//!  --> line 6, column 11
//!   |
//! 6 | www  AAAA 2001:db8::g
//!   |           ^^^^^^^^^^^
//!   = note: see RFC 3596 §2.4
//! "
//! );
//! ```
//!
//! [`Reader`] lends one record at a time out of its own buffers; [`read()`] collects them. The text comes in as
//! octets, included texts through a closure ([`Reader::with_includes`]); the crate opens no file itself. Text that is
//! too large to be held comes in pieces ([`StreamReader`]). Plain lines are read on a fast path with the CPU's vector
//! instructions, all others by the grammar; `docs/zone-format.md` says how, and how fast.
//!
//! [`Linter`] finds what can be read and was hardly meant, [`format()`] puts a text in order and keeps its comments,
//! [`Writer`] makes text of records again. Every mistake has a code, see [`rules`] and `docs/diagnostics.md`. The
//! grammar, and where name servers differ about it, is written down in `docs/zone-format.md`.
#![forbid(unsafe_code)]

mod diagnostic;
mod directive;
mod error;
mod explain;
mod format;
mod generate;
mod lexer;
pub mod limits;
mod lines;
mod lint;
mod name;
mod number;
mod plain;
mod rdata;
mod reader;
mod record;
mod report;
pub mod rules;
mod stream;
mod syntax;
mod tokens;
mod writer;

pub use diagnostic::{Diagnostic, Label};
pub use error::{Error, ErrorKind, FieldError};
pub use format::format;
pub use limits::Limits;
pub use lines::{Lines, Part};
pub use lint::{LINTS_MAX, LintOptions, Linter, Lints};
pub use rdata::time::time;
pub use reader::{Entry, Inclusion, Options, Position, Reader, read};
pub use report::{Colours, Report};
pub use stream::StreamReader;
pub use writer::Writer;
