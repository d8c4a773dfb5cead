//! RDATA: what it is made of, type by type.
//!
//! One static table says of every type with a presentation format which [`Field`]s its RDATA consists of. Checking,
//! printing, canonical form, reading from messages and the zone-file parser all walk that table, so that a type is
//! added in one line of [`table`]. The table speaks of class IN; the few types that other classes define
//! differently (`A` in class CH) have to be written in the generic form of RFC 3597 there.

use crate::RType;

pub mod check;
mod decompress;
mod location;
pub mod mnemonic;
pub mod names;
pub mod presentation;
pub mod svcb;
pub mod table;

pub use check::{Fields, RdataError, RdataErrorKind, check};
pub use decompress::decompress;
pub use mnemonic::Mnemonics;
pub use names::{NamePart, canonical_octets, canonicalize, compare, names};
pub use presentation::{Generic, Presentation};
pub use table::info;

/// One record type: its RDATA as a row of fields.
#[derive(Debug)]
pub struct TypeInfo {
    /// The type that the row is about.
    pub rtype: RType,
    /// The fields in the order of the presentation format; together they cover the RDATA from its first octet to its last.
    pub fields: &'static [Field],
}

/// One field of a type's RDATA.
#[derive(Debug)]
pub struct Field {
    /// What the field's RFC calls it, in words for an error message: `preference`, `original TTL`.
    pub name: &'static str,
    /// How it is written in wire form and in text.
    pub kind: Kind,
}

/// How one field is encoded, in wire form and in presentation form.
///
/// Numbers are in network byte order. *To the end* means that the field reaches to the end of the RDATA and, in text,
/// to the end of the entry. The enum is exhaustive on purpose: whoever reads or writes text has to know every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A domain name.
    Name(NameRule),
    /// No, one or several domain names to the end, all under [`NameRule::Verbatim`] (HIP's rendezvous servers).
    Names,
    /// One octet; a decimal number.
    U8,
    /// Two octets; a decimal number.
    U16,
    /// Four octets; a decimal number.
    U32,
    /// Eight octets; a decimal number, or two of 32 bits parted by a dot (IPN, draft-johnson-dns-ipn-cla-07 §3.1).
    NodeNumber,
    /// Four octets, seconds; a decimal number, in zone files also with units as in `1h30m`.
    Period,
    /// Four octets, seconds since 1970 modulo 2^32; `YYYYMMDDHHmmSS`, or ten digits at most as a number (RFC 4034 §3.2).
    Time,
    /// Two octets, a record type; mnemonic or `TYPEnnn`.
    Type,
    /// One octet; a decimal number or one of the mnemonics.
    Code8(&'static Mnemonics),
    /// Two octets; a decimal number or one of the mnemonics.
    Code16(&'static Mnemonics),
    /// Four octets; an IPv4 address (L32's locator too is written like one).
    Ipv4,
    /// Sixteen octets; an IPv6 address.
    Ipv6,
    /// A character string: a length octet and as many octets (RFC 1035 §3.3).
    String,
    /// A character string, or nothing where the RDATA ends before it (ISDN's subaddress).
    OptionalString,
    /// One or several character strings to the end.
    Strings,
    /// A length octet and 1 to 255 ASCII letters or digits; written without quotes (CAA's tag, RFC 8659 §4.1).
    Tag,
    /// Octets without a length to the end; written as one quoted string, which may hold more than 255 octets (CAA's value).
    ///
    /// An empty one is taken for URI too, although RFC 7553 §4.4 rules it out: zones have it, and other servers load them.
    Text,
    /// One or more octets to the end; Base64 in one or several pieces (RFC 4648 §4).
    Base64,
    /// No, one or several octets to the end; Base64, and nothing at all when there are none (IPSECKEY, SINK).
    Base64OrNothing,
    /// As [`Base64OrNothing`](Kind::Base64OrNothing), but none only if the first two bits of the RDATA are set: KEY's flags
    /// for "no key" (RFC 2535 §3.1.2).
    Base64OrNoKey,
    /// No, one or several octets to the end; Base64, and `-` when there are none (DOA).
    Base64OrDash,
    /// One or more octets to the end; hexadecimal digits in one or several pieces.
    Hex,
    /// A length octet and as many octets; hexadecimal digits in one piece, `-` when empty (NSEC3's salt, RFC 5155 §3.3).
    Salt,
    /// A length octet and 1 to 255 octets; base32hex without padding in one piece (NSEC3's next hashed owner name).
    HashedOwner,
    /// Window blocks of record types to the end; a list of types, possibly empty (RFC 4034 §4.1.2).
    TypeBitmap,
    /// A bitmap of the types 1 to 127 without windows to the end; a list of types (NXT, RFC 2535 §5.2).
    NxtBitmap,
    /// Sixteen octets; a place on Earth as `d [m [s]] N|S d [m [s]] E|W alt[m] [size[m] [hp[m] [vp[m]]]]` (RFC 1876 §3).
    Location,
    /// Address prefixes to the end; `[!]family:address/length` several times or not at all (RFC 3123 §5).
    AddressPrefixes,
    /// An IP protocol (one octet) and a bitmap of ports to the end; the protocol and a list of ports (WKS, RFC 1035 §3.4.2).
    Services,
    /// A key's parameters to the end; `key=value` several times or not at all (RFC 9460 §2.1).
    SvcParams,
    /// Six octets; `00-00-5e-00-53-2a` (RFC 7043 §3.2).
    Eui48,
    /// Eight octets; `00-00-5e-ef-10-00-00-2a` (RFC 7043 §4.2).
    Eui64,
    /// Eight octets; four groups of 1 to 4 hexadecimal digits parted by colons (RFC 6742 §2.1.2).
    Ilnp64,
    /// One or more octets to the end; `0x` and hexadecimal digits with dots anywhere between octets (RFC 1706 §7).
    Nsap,
    /// A format octet and an address to the end; `+` and digits for E.164, else hexadecimal digits with dots (ATMA).
    AtmAddress,
    /// A prefix length, the address bits behind the prefix, and a name when the prefix is not empty (RFC 2874 §3.1).
    A6,
    /// What the gateway type, the octet at offset 1 of the RDATA, says: nothing (`.`), IPv4, IPv6 or a name (RFC 4025 §2.5).
    Gateway,
    /// One octet of discovery bit and relay type, then the relay; `0|1 type relay` with relay as [`Kind::Gateway`] (RFC 8777 §4).
    Relay,
    /// Lengths, algorithm, HIT and public key; `algorithm hit-in-hex key-in-base64`, each in one piece (RFC 8005 §5, §6).
    Hip,
}

/// What may be done with a domain name within RDATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// Compressed when sent and read, lower case in canonical form: the types of RFC 1035 (RFC 3597 §4).
    Compress,
    /// Never compressed when sent, but pointers are followed when read; lower case in canonical form (RFC 3597 §4).
    Tolerate,
    /// Never compressed; lower case in canonical form (RFC 4034 §6.2, RFC 6840 §5.1).
    Lowercase,
    /// Never compressed, and the letter case stays in canonical form too (RFC 3597 §7).
    Verbatim,
}

impl NameRule {
    /// Whether a sender may compress the name.
    pub const fn is_compressible(self) -> bool {
        match self {
            NameRule::Compress => true,
            NameRule::Tolerate | NameRule::Lowercase | NameRule::Verbatim => false,
        }
    }

    /// Whether a reader follows compression pointers in the name.
    pub const fn may_hold_pointer(self) -> bool {
        match self {
            NameRule::Compress | NameRule::Tolerate => true,
            NameRule::Lowercase | NameRule::Verbatim => false,
        }
    }

    /// Whether the canonical form has the name in lower case.
    pub const fn is_lowercased(self) -> bool {
        match self {
            NameRule::Compress | NameRule::Tolerate | NameRule::Lowercase => true,
            NameRule::Verbatim => false,
        }
    }
}
