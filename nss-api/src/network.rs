//! Which callers count as one: all whose addresses share their first bits.

use std::net::IpAddr;
use std::num::NonZeroU32;

/// A site may do as much as so many of its clients: enough for an office, and a quarter or less of what there is for all.
pub const CLIENTS_PER_SITE: NonZeroU32 = NonZeroU32::new(4).unwrap();

/// Callers counted together. Networks of different kinds are not compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(u64);

impl Network {
    /// One host: an IPv4 address, or the /64 of an IPv6 address, which one host can have all to itself.
    pub fn host(address: IpAddr) -> Network {
        Network::of(address, 32, 64)
    }

    /// A /24 of IPv4, a /56 of IPv6, which one household or one rented server has to itself.
    pub fn household(address: IpAddr) -> Network {
        Network::of(address, 24, 56)
    }

    /// A /48 of IPv6, which tunnel brokers and many providers give to whoever asks (RFC 6177 §2); there is none in IPv4.
    pub fn site(address: IpAddr) -> Option<Network> {
        address.to_canonical().is_ipv6().then(|| Network::of(address, 32, 48))
    }

    /// The first bits of an address, so many in either family.
    fn of(address: IpAddr, of_ipv4: u32, of_ipv6: u32) -> Network {
        match address.to_canonical() {
            // Nothing that is routed begins with 16 zero bits (RFC 4291 §2.4), so the families stay apart.
            IpAddr::V4(v4) => Network(u64::from(v4.to_bits() >> (32 - of_ipv4))),
            IpAddr::V6(v6) => Network((v6.to_bits() >> (128 - of_ipv6)) as u64),
        }
    }

    /// One word for each network of a kind.
    pub(crate) fn word(self) -> String {
        format!("{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_is_one_client_with_all_its_ipv6_addresses() {
        let host = |text: &str| Network::host(address(text));
        assert_eq!(host("2001:db8::1"), host("2001:db8::2"));
        assert_ne!(host("2001:db8:0:1::1"), host("2001:db8::1"));
        assert_eq!(host("::ffff:192.0.2.1"), host("192.0.2.1"));
        assert_ne!(host("192.0.2.1"), host("192.0.2.2"));
    }

    #[test]
    fn networks_are_as_large_as_one_caller_has_them() {
        let network = |text: &str| Network::household(address(text));
        assert_eq!(network("192.0.2.1"), network("192.0.2.255"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.7"));
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
        assert_eq!(network("2001:db8:0:ff::1"), network("2001:db8::2"));
        assert_ne!(network("2001:db8:0:100::1"), network("2001:db8::1"));
        let site = |text: &str| Network::site(address(text));
        assert_eq!(site("2001:db8:0:ffff::1"), site("2001:db8::2"));
        assert_ne!(site("2001:db8:1::1"), site("2001:db8::1"));
        assert_eq!((site("192.0.2.1"), site("::ffff:192.0.2.1")), (None, None));
    }
}
