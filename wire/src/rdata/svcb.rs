//! Service parameters of SVCB and HTTPS records (RFC 9460 §2.2, IANA registry "DNS SVCB Service Parameter Keys").

use core::fmt;
use core::str::FromStr;

use super::RdataErrorKind;
use super::check::Fault;

/// A service parameter key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SvcKey(pub u16);

/// How the value of a service parameter is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SvcValue {
    /// Keys in strictly ascending order; their names parted by commas (RFC 9460 §8).
    Keys,
    /// One or more character strings that are not empty, parted by commas in text (RFC 9460 Appendix A.1).
    StringList,
    /// As [`SvcValue::StringList`], but the list may be empty (docpath: the empty path).
    PathSegments,
    /// Nothing, and no `=` in text.
    Nothing,
    /// Two octets; a decimal number.
    U16,
    /// One or more 16-bit numbers, no number twice, parted by commas.
    U16List,
    /// One or more IPv4 addresses, parted by commas.
    Ipv4List,
    /// One or more IPv6 addresses, parted by commas.
    Ipv6List,
    /// Octets; Base64 in one piece.
    Base64,
    /// UTF-8 text that is not empty, a character string in zone files (dohpath, RFC 9461 §5).
    Utf8,
    /// Octets, a character string in zone files; `=` is left out when there are none.
    Opaque,
}

macro_rules! keys {
    ($($name:ident = $number:literal, $mnemonic:literal, $value:ident;)*) => {
        impl SvcKey {
            $(
                #[doc = concat!("`", $mnemonic, "`, key ", stringify!($number), ".")]
                pub const $name: SvcKey = SvcKey($number);
            )*

            /// The registered name; `None` for a key that is written `keyNNNNN`.
            pub fn mnemonic(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($mnemonic),)*
                    _ => None,
                }
            }

            /// How the key's value is encoded.
            pub fn value(self) -> SvcValue {
                match self.0 {
                    $($number => SvcValue::$value,)*
                    _ => SvcValue::Opaque,
                }
            }
        }

        impl FromStr for SvcKey {
            type Err = UnknownKey;

            /// Reads a registered name or `keyNNNNN` without leading zeros, in lower case (RFC 9460 §2.1).
            fn from_str(text: &str) -> Result<SvcKey, UnknownKey> {
                match text {
                    $($mnemonic => return Ok(SvcKey($number)),)*
                    _ => {}
                }
                let digits = text.strip_prefix("key").ok_or(UnknownKey)?;
                if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) || digits.starts_with('+') {
                    return Err(UnknownKey);
                }
                digits.parse().map(SvcKey).map_err(|_| UnknownKey)
            }
        }
    };
}

keys! {
    MANDATORY = 0, "mandatory", Keys;
    ALPN = 1, "alpn", StringList;
    NO_DEFAULT_ALPN = 2, "no-default-alpn", Nothing;
    PORT = 3, "port", U16;
    IPV4HINT = 4, "ipv4hint", Ipv4List;
    ECH = 5, "ech", Base64;
    IPV6HINT = 6, "ipv6hint", Ipv6List;
    DOHPATH = 7, "dohpath", Utf8;
    OHTTP = 8, "ohttp", Nothing;
    TLS_SUPPORTED_GROUPS = 9, "tls-supported-groups", U16List;
    DOCPATH = 10, "docpath", PathSegments;
    PVD = 11, "pvd", Opaque;
    OOTS = 12, "oots", Opaque;
}

impl SvcKey {
    /// The key that is reserved and will never mean anything (RFC 9460 §14.3.2); records that hold it are taken as they are.
    pub const INVALID: SvcKey = SvcKey(65535);
}

impl fmt::Display for SvcKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.pad(mnemonic),
            None => write!(f, "key{}", self.0),
        }
    }
}

/// The text is neither a registered service parameter key nor `keyNNNNN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKey;

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such service parameter key; one without a name is written keyNNNNN (RFC 9460 §2.1)")
    }
}

impl core::error::Error for UnknownKey {}

/// The parameters in wire form, one after the other; stops where the octets are broken.
#[derive(Clone, Debug)]
pub struct SvcParams<'a> {
    rest: &'a [u8],
}

impl<'a> SvcParams<'a> {
    /// Starts before the first of the parameters, which fill `octets`.
    pub fn new(octets: &'a [u8]) -> SvcParams<'a> {
        SvcParams { rest: octets }
    }
}

impl<'a> Iterator for SvcParams<'a> {
    type Item = (SvcKey, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[k, ey, len, gth], rest) = self.rest.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([len, gth])))?;
        self.rest = rest;
        Some((SvcKey(u16::from_be_bytes([k, ey])), value))
    }
}

/// Whether `octets` are well-formed parameters: keys ascending, each value as its key wants it, RFC 9460 §2.2 and §7.
pub(super) fn check(octets: &[u8]) -> Result<(), Fault> {
    let fault = |offset, what| Err((offset, RdataErrorKind::Value(what)));
    let mut params = SvcParams::new(octets);
    let mut last = None;
    loop {
        let at = octets.len() - params.rest.len();
        let Some((key, value)) = params.next() else {
            return if params.rest.is_empty() { Ok(()) } else { Err((octets.len(), RdataErrorKind::Truncated)) };
        };
        if last >= Some(key) {
            return fault(at, "service parameter keys have to ascend, none twice (RFC 9460 §2.2)");
        }
        if key == SvcKey::NO_DEFAULT_ALPN && last != Some(SvcKey::ALPN) {
            return fault(at, "no-default-alpn needs alpn beside it (RFC 9460 §7.1.1)");
        }
        if let Some(what) = complaint(key, value, octets) {
            return fault(at + 4, what);
        }
        last = Some(key);
    }
}

/// What is wrong with a value; `all` are the parameters of the whole record.
fn complaint(key: SvcKey, value: &[u8], all: &[u8]) -> Option<&'static str> {
    let numbers = || value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    match key.value() {
        SvcValue::Keys => {
            let listed = numbers().map(SvcKey);
            if value.is_empty() || !value.len().is_multiple_of(2) {
                return Some("mandatory lists one or more keys of two octets (RFC 9460 §8)");
            }
            if !listed.clone().is_sorted_by(|a, b| a < b) || listed.clone().any(|key| key == SvcKey::MANDATORY) {
                return Some("mandatory lists keys in ascending order, none twice and not itself (RFC 9460 §8)");
            }
            // Both lists ascend, so that one pass over the parameters finds all keys.
            let mut present = SvcParams::new(all).map(|(key, _)| key);
            (!listed.into_iter().all(|key| present.any(|other| other == key)))
                .then_some("mandatory lists a key that the record does not have (RFC 9460 §8)")
        }
        SvcValue::StringList => {
            let mut items = Strings::new(value);
            let is_whole = items.by_ref().all(|item| !item.is_empty()) && items.rest.is_empty();
            (value.is_empty() || !is_whole)
                .then_some("a list of one or more strings of 1 to 255 octets (RFC 9460 §7.1.1)")
        }
        SvcValue::PathSegments => {
            let mut items = Strings::new(value);
            items.by_ref().for_each(drop);
            (!items.rest.is_empty()).then_some("a list of strings with a length octet each (RFC 9953 §3)")
        }
        SvcValue::Nothing => (!value.is_empty()).then_some("this key has no value (RFC 9460 §7.1.1, RFC 9540 §4)"),
        SvcValue::U16 => (value.len() != 2).then_some("the port has two octets (RFC 9460 §7.2)"),
        SvcValue::U16List => {
            // One bit for each of the 65536 numbers.
            let mut seen = [0u64; 1024];
            let mut is_twice = |number: u16| {
                let (word, bit) = (&mut seen[usize::from(number >> 6)], 1 << (number & 63));
                let is_set = *word & bit != 0;
                *word |= bit;
                is_set
            };
            (value.is_empty() || !value.len().is_multiple_of(2) || numbers().any(&mut is_twice)).then_some(
                "a list of one or more numbers of two octets, none twice (draft-ietf-tls-key-share-prediction §4)",
            )
        }
        SvcValue::Ipv4List => (value.is_empty() || !value.len().is_multiple_of(4))
            .then_some("a list of one or more IPv4 addresses (RFC 9460 §7.3)"),
        SvcValue::Ipv6List => (value.is_empty() || !value.len().is_multiple_of(16))
            .then_some("a list of one or more IPv6 addresses (RFC 9460 §7.3)"),
        SvcValue::Base64 => value.is_empty().then_some("an ECH configuration list is not empty (RFC 9848 §3)"),
        SvcValue::Utf8 => (value.is_empty() || core::str::from_utf8(value).is_err())
            .then_some("the path of a DoH server is UTF-8 and not empty (RFC 9461 §5)"),
        SvcValue::Opaque => None,
    }
}

/// Strings with a length octet each; stops where the octets are broken.
pub(super) struct Strings<'a> {
    rest: &'a [u8],
}

impl<'a> Strings<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Strings<'a> {
        Strings { rest: octets }
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, rest) = self.rest.split_first()?;
        let (string, rest) = rest.split_at_checked(usize::from(length))?;
        self.rest = rest;
        Some(string)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn params(list: &[(u16, &[u8])]) -> Vec<u8> {
        let mut octets = Vec::new();
        for (key, value) in list {
            octets.extend(key.to_be_bytes());
            octets.extend((value.len() as u16).to_be_bytes());
            octets.extend(*value);
        }
        octets
    }

    #[test]
    fn keys_ascend_and_values_are_as_their_key_wants_them() {
        let good: &[&[(u16, &[u8])]] = &[
            &[],
            &[(1, b"\x02h2"), (2, b""), (3, b"\x01\xbb"), (4, &[192, 0, 2, 1]), (5, b"ech"), (6, &[0; 16])],
            &[(0, &[0, 1, 0, 3]), (1, b"\x02h2"), (3, b"\x01\xbb")],
            &[(7, "/q{?dns}".as_bytes()), (8, b""), (9, &[0, 29, 0, 23]), (10, b""), (11, b""), (12, b"x")],
            &[(10, b"\x03dns\x01q"), (65280, b"\xff"), (65535, b"")],
        ];
        for list in good {
            assert_eq!(check(&params(list)), Ok(()), "{list:?}");
        }
        let bad: &[&[(u16, &[u8])]] = &[
            &[(3, b"\x01\xbb"), (1, b"\x02h2")],
            &[(3, b"\x01\xbb"), (3, b"\x01\xbb")],
            &[(2, b"")],
            &[(0, b"")],
            &[(0, &[0, 1])],
            &[(0, &[0, 0])],
            &[(0, &[0, 3, 0, 1]), (1, b"\x02h2"), (3, b"\x01\xbb")],
            &[(1, b"")],
            &[(1, b"\x00")],
            &[(1, b"\x03h2")],
            &[(1, b"\x02h2"), (2, b"x")],
            &[(3, b"\x01")],
            &[(4, &[192, 0, 2])],
            &[(4, b"")],
            &[(5, b"")],
            &[(6, &[0; 17])],
            &[(7, b"\xff")],
            &[(9, &[0, 29, 0, 29])],
            &[(10, b"\x04dns")],
        ];
        for list in bad {
            assert!(check(&params(list)).is_err(), "{list:?}");
        }
        assert_eq!(check(b"\x00\x03\x00"), Err((3, RdataErrorKind::Truncated)));
    }

    #[test]
    fn a_key_has_one_spelling() {
        assert_eq!("alpn".parse(), Ok(SvcKey::ALPN));
        assert_eq!("key1".parse(), Ok(SvcKey::ALPN));
        assert_eq!("key65280".parse(), Ok(SvcKey(65280)));
        for text in ["ALPN", "key", "key01", "key65536", "key+1", "Key1", ""] {
            assert_eq!(text.parse::<SvcKey>(), Err(UnknownKey), "{text}");
        }
    }
}
