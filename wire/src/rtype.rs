//! Record types and classes: 16-bit numbers with mnemonics (IANA registry "Domain Name System Parameters").

use core::fmt;
use core::str::FromStr;

/// The type of a resource record or question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RType(pub u16);

/// The class of a resource record or question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(pub u16);

macro_rules! numbers {
    ($number:ident, $generic:literal, $($name:ident = $value:literal, $mnemonic:literal;)*) => {
        impl $number {
            $(
                #[doc = concat!("`", $mnemonic, "`, number ", stringify!($value), ".")]
                pub const $name: $number = $number($value);
            )*

            /// The registered mnemonic, in upper case; `None` for a number without one.
            pub fn mnemonic(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($mnemonic),)*
                    _ => None,
                }
            }

            /// Every number that has a mnemonic, in ascending order.
            pub const REGISTERED: &'static [$number] = &[$($number($value)),*];
        }

        impl fmt::Display for $number {
            /// The mnemonic, or the generic form of RFC 3597 §5.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.mnemonic() {
                    Some(mnemonic) => f.pad(mnemonic),
                    None => write!(f, concat!($generic, "{}"), self.0),
                }
            }
        }

        impl fmt::Debug for $number {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $number {
            type Err = UnknownMnemonic;

            /// Reads a mnemonic or the generic form of RFC 3597 §5, in any letter case.
            fn from_str(text: &str) -> Result<$number, UnknownMnemonic> {
                $(if text.eq_ignore_ascii_case($mnemonic) {
                    return Ok($number($value));
                })*
                generic(text, $generic).map($number).ok_or(UnknownMnemonic)
            }
        }
    };
}

numbers! {
    RType, "TYPE",
    A = 1, "A";
    NS = 2, "NS";
    MD = 3, "MD";
    MF = 4, "MF";
    CNAME = 5, "CNAME";
    SOA = 6, "SOA";
    MB = 7, "MB";
    MG = 8, "MG";
    MR = 9, "MR";
    NULL = 10, "NULL";
    WKS = 11, "WKS";
    PTR = 12, "PTR";
    HINFO = 13, "HINFO";
    MINFO = 14, "MINFO";
    MX = 15, "MX";
    TXT = 16, "TXT";
    RP = 17, "RP";
    AFSDB = 18, "AFSDB";
    X25 = 19, "X25";
    ISDN = 20, "ISDN";
    RT = 21, "RT";
    NSAP = 22, "NSAP";
    NSAP_PTR = 23, "NSAP-PTR";
    SIG = 24, "SIG";
    KEY = 25, "KEY";
    PX = 26, "PX";
    GPOS = 27, "GPOS";
    AAAA = 28, "AAAA";
    LOC = 29, "LOC";
    NXT = 30, "NXT";
    EID = 31, "EID";
    NIMLOC = 32, "NIMLOC";
    SRV = 33, "SRV";
    ATMA = 34, "ATMA";
    NAPTR = 35, "NAPTR";
    KX = 36, "KX";
    CERT = 37, "CERT";
    A6 = 38, "A6";
    DNAME = 39, "DNAME";
    SINK = 40, "SINK";
    OPT = 41, "OPT";
    APL = 42, "APL";
    DS = 43, "DS";
    SSHFP = 44, "SSHFP";
    IPSECKEY = 45, "IPSECKEY";
    RRSIG = 46, "RRSIG";
    NSEC = 47, "NSEC";
    DNSKEY = 48, "DNSKEY";
    DHCID = 49, "DHCID";
    NSEC3 = 50, "NSEC3";
    NSEC3PARAM = 51, "NSEC3PARAM";
    TLSA = 52, "TLSA";
    SMIMEA = 53, "SMIMEA";
    HIP = 55, "HIP";
    NINFO = 56, "NINFO";
    RKEY = 57, "RKEY";
    TALINK = 58, "TALINK";
    CDS = 59, "CDS";
    CDNSKEY = 60, "CDNSKEY";
    OPENPGPKEY = 61, "OPENPGPKEY";
    CSYNC = 62, "CSYNC";
    ZONEMD = 63, "ZONEMD";
    SVCB = 64, "SVCB";
    HTTPS = 65, "HTTPS";
    DSYNC = 66, "DSYNC";
    HHIT = 67, "HHIT";
    BRID = 68, "BRID";
    SPF = 99, "SPF";
    UINFO = 100, "UINFO";
    UID = 101, "UID";
    GID = 102, "GID";
    UNSPEC = 103, "UNSPEC";
    NID = 104, "NID";
    L32 = 105, "L32";
    L64 = 106, "L64";
    LP = 107, "LP";
    EUI48 = 108, "EUI48";
    EUI64 = 109, "EUI64";
    NXNAME = 128, "NXNAME";
    TKEY = 249, "TKEY";
    TSIG = 250, "TSIG";
    IXFR = 251, "IXFR";
    AXFR = 252, "AXFR";
    MAILB = 253, "MAILB";
    MAILA = 254, "MAILA";
    ANY = 255, "ANY";
    URI = 256, "URI";
    CAA = 257, "CAA";
    AVC = 258, "AVC";
    DOA = 259, "DOA";
    AMTRELAY = 260, "AMTRELAY";
    RESINFO = 261, "RESINFO";
    WALLET = 262, "WALLET";
    CLA = 263, "CLA";
    IPN = 264, "IPN";
    TA = 32768, "TA";
    DLV = 32769, "DLV";
}

numbers! {
    Class, "CLASS",
    IN = 1, "IN";
    CH = 3, "CH";
    HS = 4, "HS";
    NONE = 254, "NONE";
    ANY = 255, "ANY";
}

impl RType {
    /// Whether the type may only stand in questions or is a pseudo type, so that no zone can hold it (RFC 6895 §3.1).
    ///
    /// These are OPT and NXNAME, and the types 249 to 255: TKEY, TSIG, IXFR, AXFR, MAILB, MAILA and ANY.
    pub fn is_meta(self) -> bool {
        matches!(self.0, 41 | 128 | 249..=255)
    }
}

/// The text is neither a known mnemonic nor `TYPEnnn` or `CLASSnnn` with a number up to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMnemonic;

impl fmt::Display for UnknownMnemonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such mnemonic; a type or class without one is written TYPEnnn or CLASSnnn (RFC 3597 §5)")
    }
}

impl core::error::Error for UnknownMnemonic {}

/// The number after `prefix`, which may stand in any letter case.
fn generic(text: &str, prefix: &str) -> Option<u16> {
    let digits = text.get(prefix.len()..)?;
    let is_number = digits.bytes().all(|octet| octet.is_ascii_digit());
    (text.is_char_boundary(prefix.len()) && text[..prefix.len()].eq_ignore_ascii_case(prefix) && is_number)
        .then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn every_mnemonic_is_read_back_in_any_case() {
        for &rtype in RType::REGISTERED {
            assert_eq!(rtype.to_string().parse(), Ok(rtype));
            assert_eq!(rtype.to_string().to_lowercase().parse(), Ok(rtype));
        }
    }

    #[test]
    fn numbers_without_a_mnemonic_are_generic() {
        assert_eq!(RType(65280).to_string(), "TYPE65280");
        assert_eq!("type65280".parse(), Ok(RType(65280)));
        assert_eq!("TYPE1".parse(), Ok(RType::A));
        assert_eq!("CLASS32".parse(), Ok(Class(32)));
        for text in ["TYPE", "TYPE+1", "TYPE65536", "TYPE-1", "BOGUS", "", "é", "TYP\u{e9}1"] {
            assert_eq!(text.parse::<RType>(), Err(UnknownMnemonic), "{text}");
        }
    }
}
