//! EDNS(0): what the OPT record in the additional section says (RFC 6891).
//!
//! ```text
//! +------+-----------+-----------------+--------------------------------------+--------+---------
//! | root | type  41  | class           | TTL                                  | length | options
//! |  0   |   OPT     | UDP payload size| rcode 11..4 | version |DO|CO| 0      |        | code, length, octets
//! +------+-----------+-----------------+--------------------------------------+--------+---------
//! ```

use core::fmt;

use super::{MessageRecord, Section};

/// The content of an OPT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns<'a> {
    /// The UDP payload that the sender can take, in octets; below 512 means 512 (RFC 6891 §6.2.3).
    pub udp_payload_size: u16,
    /// The high eight bits of the response code.
    pub rcode_high: u8,
    /// The version; a server answers one above 0 with BADVERS.
    pub version: u8,
    /// DO and the other flags.
    pub flags: EdnsFlags,
    /// Well-formed options, one after the other.
    options: &'a [u8],
}

impl<'a> Edns<'a> {
    /// Reads an OPT record.
    ///
    /// # Errors
    ///
    /// An owner that is not the root, a place outside the additional section, or options that do not fill the RDATA.
    /// The options of a version other than 0 are not looked at: RFC 6891 §6.1.3 wants BADVERS for it, whatever follows.
    pub fn read(record: &MessageRecord<'a>) -> Result<Edns<'a>, EdnsError> {
        if record.section != Section::Additional {
            return Err(EdnsError::Section);
        }
        if !record.owner.is_root() {
            return Err(EdnsError::Owner);
        }
        let [rcode_high, version, flags @ ..] = record.ttl.to_be_bytes();
        let options = if version == 0 { record.raw_rdata() } else { &[] };
        let mut walk = Options { rest: options };
        walk.by_ref().for_each(drop);
        if !walk.rest.is_empty() {
            return Err(EdnsError::Options);
        }
        Ok(Edns {
            udp_payload_size: record.class.0,
            rcode_high,
            version,
            flags: EdnsFlags(u16::from_be_bytes(flags)),
            options,
        })
    }

    /// The options in the order in which they stand.
    pub fn options(&self) -> Options<'a> {
        Options { rest: self.options }
    }

    /// The value of the first option with this code.
    pub fn option(&self, code: OptionCode) -> Option<&'a [u8]> {
        self.options().find(|option| option.0 == code).map(|option| option.1)
    }
}

/// The flags of EDNS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EdnsFlags(pub u16);

impl EdnsFlags {
    /// DO: the sender wants DNSSEC records (RFC 3225).
    pub const DO: EdnsFlags = EdnsFlags(0x8000);
    /// CO: the sender understands compact denial of existence with NXDOMAIN (RFC 9824 §5.1).
    pub const CO: EdnsFlags = EdnsFlags(0x4000);

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: EdnsFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// The same with the flags of `other` set.
    #[must_use]
    pub const fn with(self, other: EdnsFlags) -> EdnsFlags {
        EdnsFlags(self.0 | other.0)
    }
}

/// The code of an EDNS option (IANA registry "DNS EDNS0 Option Codes (OPT)").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionCode(pub u16);

impl OptionCode {
    /// The server's identifier (RFC 5001).
    pub const NSID: OptionCode = OptionCode(3);
    /// The client's network (RFC 7871).
    pub const CLIENT_SUBNET: OptionCode = OptionCode(8);
    /// When the zone goes stale in a secondary (RFC 7314).
    pub const EXPIRE: OptionCode = OptionCode(9);
    /// DNS cookies (RFC 7873).
    pub const COOKIE: OptionCode = OptionCode(10);
    /// How long a TCP connection may stay idle (RFC 7828).
    pub const TCP_KEEPALIVE: OptionCode = OptionCode(11);
    /// Octets that hide the size (RFC 7830).
    pub const PADDING: OptionCode = OptionCode(12);
    /// More on why there is no better answer (RFC 8914).
    pub const EXTENDED_ERROR: OptionCode = OptionCode(15);
    /// Where errors are reported to (RFC 9567).
    pub const REPORT_CHANNEL: OptionCode = OptionCode(18);
    /// The version of the zone that the answer is from (RFC 9660).
    pub const ZONEVERSION: OptionCode = OptionCode(19);
}

/// The code in an [`OptionCode::EXTENDED_ERROR`] option (IANA registry "Extended DNS Error Codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedError(pub u16);

impl ExtendedError {
    /// The server may not answer this client (RFC 8914 §4.19).
    pub const PROHIBITED: ExtendedError = ExtendedError(18);
    /// The server is not authoritative for the name in the question (RFC 8914 §4.21).
    pub const NOT_AUTHORITATIVE: ExtendedError = ExtendedError(20);
    /// The operation or the query is not supported (RFC 8914 §4.22).
    pub const NOT_SUPPORTED: ExtendedError = ExtendedError(21);
}

/// The options of an OPT record: code and octets; stops where they are broken.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Options<'a> {
    type Item = (OptionCode, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[code, code_low, size, size_low], tail) = self.rest.split_first_chunk()?;
        let (octets, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes([size, size_low])))?;
        self.rest = tail;
        Some((OptionCode(u16::from_be_bytes([code, code_low])), octets))
    }
}

/// What RFC 6891 wants answered with FORMERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EdnsError {
    /// More than one OPT record.
    Second,
    /// An OPT record whose owner is not the root.
    Owner,
    /// An OPT record outside the additional section.
    Section,
    /// Options that do not fill the RDATA to its end.
    Options,
}

impl fmt::Display for EdnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EdnsError::Second => "more than one OPT record (RFC 6891 §6.1.1)",
            EdnsError::Owner => "an OPT record whose owner is not the root (RFC 6891 §6.1.2)",
            EdnsError::Section => "an OPT record outside the additional section (RFC 6891 §6.1.1)",
            EdnsError::Options => "EDNS options that do not fill the RDATA to its end (RFC 6891 §6.1.2)",
        })
    }
}

impl core::error::Error for EdnsError {}
