//! DNS messages: header, question, and records in their sections (RFC 1035 §4), EDNS(0) (RFC 6891).
//!
//! [`Reader`] walks over the octets of a message, [`Writer`] puts one together in a buffer of the caller; neither allocates.

pub mod compressed;
pub mod compressor;
pub mod edns;
pub mod header;
pub mod reader;
pub mod writer;

pub use compressed::CompressedName;
pub use compressor::{COMPRESSED_LABELS_MAX, Compression, Compressor};
pub use edns::{Edns, EdnsError, EdnsFlags, ExtendedError, OptionCode, Options};
pub use header::{Flags, Header, Opcode, Rcode, Section};
pub use reader::{MessageError, MessageRecord, Reader};
pub use writer::{CompressibleNames, Full, Mark, Owner, Writer};

use crate::{Class, Name, RType};

/// The octets of a message at most: TCP counts them in 16 bits (RFC 1035 §4.2.2), and UDP holds less.
pub const MESSAGE_SIZE_MAX: usize = 65535;

/// The octets of every message's header (RFC 1035 §4.1.1).
pub const HEADER_SIZE: usize = 12;

/// What is asked (RFC 1035 §4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// The name asked for, in the letter case of the message.
    pub qname: Name<'a>,
    /// The type asked for, or one of the types that only stand in questions.
    pub qtype: RType,
    /// The class asked for.
    pub qclass: Class,
}
