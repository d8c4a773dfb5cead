//! The header of a message: identifier, flags, opcode, response code and section counts (RFC 1035 §4.1.1).
//!
//! ```text
//!   0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
//! +-----------------------------------------------+
//! |                      ID                       |
//! |QR|   opcode  |AA|TC|RD|RA| 0|AD|CD|   rcode   |
//! |              QDCOUNT (questions)              |
//! |              ANCOUNT (answer)                 |
//! |              NSCOUNT (authority)              |
//! |              ARCOUNT (additional)             |
//! +-----------------------------------------------+
//! ```

use core::fmt;

use super::HEADER_SIZE;

/// The twelve octets at the start of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The number by which an asker knows its answers.
    pub id: u16,
    /// Second pair of octets: flags, opcode and the low bits of the response code.
    pub flags: Flags,
    /// QDCOUNT; a query has 1 (RFC 9619).
    pub question_count: u16,
    /// ANCOUNT, NSCOUNT and ARCOUNT, in the order of [`Section`].
    pub record_counts: [u16; 3],
}

impl Header {
    /// Reads the header at the start of `message`; `None` when that is shorter than twelve octets.
    pub fn read(message: &[u8]) -> Option<Header> {
        let octets: &[u8; HEADER_SIZE] = message.first_chunk()?;
        let at = |i: usize| u16::from_be_bytes([octets[i], octets[i + 1]]);
        Some(Header { id: at(0), flags: Flags(at(2)), question_count: at(4), record_counts: [at(6), at(8), at(10)] })
    }

    /// The wire form.
    pub fn to_wire(self) -> [u8; HEADER_SIZE] {
        let mut octets = [0; HEADER_SIZE];
        let [answer, authority, additional] = self.record_counts;
        let words = [self.id, self.flags.0, self.question_count, answer, authority, additional];
        for (pair, word) in octets.chunks_exact_mut(2).zip(words) {
            pair.copy_from_slice(&word.to_be_bytes());
        }
        octets
    }

    /// How many records a section is said to have.
    pub fn record_count(self, section: Section) -> u16 {
        self.record_counts[section as usize]
    }
}

/// A section of a message that holds records, in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// What was asked for.
    Answer = 0,
    /// Who is authoritative, or why there is nothing.
    Authority = 1,
    /// What may be of use besides, and OPT and TSIG.
    Additional = 2,
}

impl Section {
    /// All sections in their order.
    pub const ALL: [Section; 3] = [Section::Answer, Section::Authority, Section::Additional];
}

/// The second pair of octets of a message: flags, opcode and the low four bits of the response code.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// QR: the message is a response.
    pub const QR: Flags = Flags(0x8000);
    /// AA: the answer is authoritative.
    pub const AA: Flags = Flags(0x0400);
    /// TC: something was left out for want of room.
    pub const TC: Flags = Flags(0x0200);
    /// RD: recursion desired.
    pub const RD: Flags = Flags(0x0100);
    /// RA: recursion available.
    pub const RA: Flags = Flags(0x0080);
    /// AD: authenticated data (RFC 4035 §3.1.6).
    pub const AD: Flags = Flags(0x0020);
    /// CD: checking disabled (RFC 4035 §3.1.6).
    pub const CD: Flags = Flags(0x0010);

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// The same with the flags of `other` set.
    #[must_use]
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// The same with the flags of `other` cleared.
    #[must_use]
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// The kind of request.
    pub const fn opcode(self) -> Opcode {
        Opcode((self.0 >> 11 & 0xf) as u8)
    }

    /// The same with another opcode, of which the low four bits count.
    #[must_use]
    pub const fn with_opcode(self, opcode: Opcode) -> Flags {
        Flags(self.0 & !0x7800 | (opcode.0 as u16 & 0xf) << 11)
    }

    /// The response code without the bits that OPT holds.
    pub const fn rcode(self) -> Rcode {
        Rcode(self.0 & 0xf)
    }

    /// The same with the low four bits of `rcode`.
    #[must_use]
    pub const fn with_rcode(self, rcode: Rcode) -> Flags {
        Flags(self.0 & !0xf | rcode.0 & 0xf)
    }
}

impl fmt::Debug for Flags {
    /// Opcode, names of the flags that are set, response code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.opcode())?;
        let names = [
            (Flags::QR, "qr"),
            (Flags::AA, "aa"),
            (Flags::TC, "tc"),
            (Flags::RD, "rd"),
            (Flags::RA, "ra"),
            (Flags(0x40), "z"),
            (Flags::AD, "ad"),
            (Flags::CD, "cd"),
        ];
        names.into_iter().filter(|&(flag, _)| self.contains(flag)).try_for_each(|(_, name)| write!(f, " {name}"))?;
        write!(f, " {}", self.rcode())
    }
}

/// The kind of request, four bits (IANA registry "DNS OpCodes").
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Opcode(pub u8);

/// The outcome of a request, twelve bits with EDNS (IANA registry "DNS RCODEs").
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rcode(pub u16);

macro_rules! codes {
    ($code:ident, $generic:literal, $($name:ident = $value:literal, $doc:literal;)*) => {
        impl $code {
            $(
                #[doc = $doc]
                pub const $name: $code = $code($value);
            )*
        }

        impl fmt::Display for $code {
            /// The mnemonic, or the number behind a word that says what it numbers.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    $($value => f.pad(stringify!($name)),)*
                    number => write!(f, concat!($generic, "{}"), number),
                }
            }
        }

        impl fmt::Debug for $code {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

codes! {
    Opcode, "OPCODE",
    QUERY = 0, "A standard query (RFC 1035).";
    IQUERY = 1, "An inverse query, obsolete (RFC 3425).";
    STATUS = 2, "A server status request, never defined.";
    NOTIFY = 4, "A zone has changed (RFC 1996).";
    UPDATE = 5, "A dynamic update (RFC 2136).";
    DSO = 6, "A stateful operation (RFC 8490).";
}

codes! {
    Rcode, "RCODE",
    NOERROR = 0, "No error.";
    FORMERR = 1, "The request cannot be understood.";
    SERVFAIL = 2, "The server failed to do what was asked.";
    NXDOMAIN = 3, "The name does not exist.";
    NOTIMP = 4, "The kind of request is not implemented.";
    REFUSED = 5, "The server does not want to answer this.";
    YXDOMAIN = 6, "A name exists that should not, or a DNAME's target is too long (RFC 2136, RFC 6672 §2.2).";
    YXRRSET = 7, "An RRset exists that should not (RFC 2136).";
    NXRRSET = 8, "An RRset does not exist that should (RFC 2136).";
    NOTAUTH = 9, "The server is not authoritative for the zone, or does not accept the key (RFC 2136, RFC 8945).";
    NOTZONE = 10, "A name is not within the zone (RFC 2136).";
    DSOTYPENI = 11, "The DSO type is not implemented (RFC 8490).";
    BADVERS = 16, "The EDNS version is not implemented (RFC 6891); the same number is BADSIG in TSIG records.";
    BADKEY = 17, "The key is not known (RFC 8945).";
    BADTIME = 18, "The signature is out of its time window (RFC 8945).";
    BADMODE = 19, "The TKEY mode is not supported (RFC 2930).";
    BADNAME = 20, "The key name exists already (RFC 2930).";
    BADALG = 21, "The algorithm is not supported (RFC 2930).";
    BADTRUNC = 22, "The MAC was cut too short (RFC 8945).";
    BADCOOKIE = 23, "The server cookie is missing or wrong (RFC 7873).";
}

impl Rcode {
    /// The eight bits that stand in OPT.
    pub const fn high(self) -> u8 {
        (self.0 >> 4) as u8
    }

    /// The code whose low four bits stand in `flags` and whose others stand in OPT.
    pub const fn from_parts(flags: Flags, high: u8) -> Rcode {
        Rcode((high as u16) << 4 | flags.0 & 0xf)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_header_is_read_as_it_was_written() {
        let header = Header {
            id: 0x1234,
            flags: Flags::QR.with(Flags::AA).with_opcode(Opcode::NOTIFY).with_rcode(Rcode::REFUSED),
            question_count: 1,
            record_counts: [2, 3, 4],
        };
        assert_eq!(header.to_wire(), [0x12, 0x34, 0xa4, 0x05, 0, 1, 0, 2, 0, 3, 0, 4]);
        assert_eq!(Header::read(&header.to_wire()), Some(header));
        assert_eq!(Header::read(&header.to_wire()[..11]), None);
        assert_eq!(header.record_count(Section::Additional), 4);
        assert_eq!(format!("{:?}", header.flags), "NOTIFY qr aa REFUSED");
    }

    #[test]
    fn an_extended_code_has_two_halves() {
        let flags = Flags::QR.with_rcode(Rcode::BADCOOKIE);
        assert_eq!((flags.rcode(), Rcode::BADCOOKIE.high()), (Rcode::YXRRSET, 1));
        assert_eq!(Rcode::from_parts(flags, 1), Rcode::BADCOOKIE);
        assert_eq!((Rcode(3841).to_string(), Opcode(15).to_string()), ("RCODE3841".into(), "OPCODE15".into()));
    }
}
