//! Address prefixes: who may transfer, and which clients count as one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// All addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// Whether `address` lies within; an IPv4 address mapped into IPv6 counts as IPv4 (RFC 4291 §2.5.5.2).
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.length) == Some(self.address)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or an address, which is the prefix of itself alone.
    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Address)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => length.parse().map_err(|_| PrefixError::Length { most })?,
            None => most,
        };
        match masked(address, length) {
            None => Err(PrefixError::Length { most }),
            Some(network) if network != address => Err(PrefixError::HostBits { network, length }),
            Some(_) => Ok(Prefix { address, length }),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Why text is not a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrefixError {
    /// The part before the slash is no IPv4 or IPv6 address.
    Address,
    /// The part after the slash is no number, or larger than the address is long.
    Length {
        /// Bits of the address.
        most: u8,
    },
    /// Bits are set behind the length, so that it is unclear what was meant.
    HostBits {
        /// The address without those bits.
        network: IpAddr,
        /// The length as written.
        length: u8,
    },
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrefixError::Address => f.write_str("not an address prefix; write it like 192.0.2.0/24 or 2001:db8::/32"),
            PrefixError::Length { most } => write!(f, "the length of the prefix has to be a number from 0 to {most}"),
            PrefixError::HostBits { network, length } => {
                write!(f, "bits are set behind the prefix; write {network}/{length}")
            }
        }
    }
}

impl std::error::Error for PrefixError {}

/// `address` with all bits behind the first `length` cleared; `None` when it is not that long.
pub(crate) fn masked(address: IpAddr, length: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let host = 32_u32.checked_sub(length.into())?;
            let mask = u32::MAX.checked_shl(host).unwrap_or(0);
            Some(IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask)))
        }
        IpAddr::V6(address) => {
            let host = 128_u32.checked_sub(length.into())?;
            let mask = u128::MAX.checked_shl(host).unwrap_or(0);
            Some(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_what_shares_its_bits_and_nothing_else() {
        let holds = |prefix: &str, address: &str| prefix.parse::<Prefix>().unwrap().contains(address.parse().unwrap());
        assert!(holds("192.0.2.0/24", "192.0.2.255"));
        assert!(!holds("192.0.2.0/24", "192.0.3.0"));
        assert!(holds("192.0.2.0/24", "::ffff:192.0.2.1"));
        assert!(holds("0.0.0.0/0", "198.51.100.1"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(holds("::1", "::1"));
        assert!(!holds("::1", "::2"));
        assert!(holds("2001:db8::/33", "2001:db8:7fff::1"));
        assert!(!holds("2001:db8::/33", "2001:db8:8000::1"));
    }

    #[test]
    fn a_prefix_that_is_unclear_is_refused() {
        let error = |text: &str| text.parse::<Prefix>().unwrap_err();
        assert_eq!(error("localhost"), PrefixError::Address);
        assert_eq!(error("192.0.2.0/33"), PrefixError::Length { most: 32 });
        assert_eq!(error("::/129"), PrefixError::Length { most: 128 });
        assert_eq!(error("::/-1"), PrefixError::Length { most: 128 });
        assert_eq!(error("192.0.2.1/24").to_string(), "bits are set behind the prefix; write 192.0.2.0/24");
    }
}
