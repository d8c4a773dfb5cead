//! Which addresses a walk may send a query to: delegations are written by strangers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses may be asked.
///
/// Whoever runs any zone can put any address into a referral. Without a policy that makes the walk a way to send
/// packets into the network in which it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressPolicy {
    /// Only addresses that IANA's special-purpose registries (RFC 6890) leave globally reachable; multicast is not.
    #[default]
    Public,
    /// Public addresses and loopback (127.0.0.0/8 and ::1), for tests and a tree on one machine.
    PublicAndLoopback,
    /// Every unicast address, for networks with a private root; the network then has to do the guarding.
    AnyUnicast,
}

impl AddressPolicy {
    /// Whether a query may be sent to `address`.
    pub fn permits(self, address: IpAddr) -> bool {
        let is_public = match address {
            IpAddr::V4(v4) => is_public_v4(v4),
            IpAddr::V6(v6) => is_public_v6(v6),
        };
        // The IPv4-mapped form would take an IPv6 socket to an IPv4 address that was never looked at.
        let is_mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
        match self {
            AddressPolicy::Public => is_public,
            AddressPolicy::PublicAndLoopback => is_public || address.is_loopback(),
            AddressPolicy::AnyUnicast => {
                let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
                !(address.is_unspecified() || address.is_multicast() || is_broadcast || is_mapped)
            }
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match (a, b, c) {
        // "This network", private use, loopback.
        (0 | 10 | 127, _, _) => true,
        // Shared address space of carriers (RFC 6598).
        (100, 64..=127, _) => true,
        (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // IETF protocol assignments, documentation (RFC 5737), 6to4 relays.
        (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113) | (192, 88, 99) => true,
        // Benchmarks (RFC 2544).
        (198, 18 | 19, _) => true,
        // Multicast, reserved, broadcast.
        (224..=255, _, _) => true,
        _ => false,
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3 (RFC 4291 §2.4); all else is loopback, mapped, link-local, unique local, multicast, NAT64 …
    let is_global_unicast = a & 0xe000 == 0x2000;
    let is_special = match (a, b) {
        // IETF protocol assignments (Teredo, benchmarks, ORCHID …); DNS roots live above 2001:200::.
        (0x2001, 0..=0x1ff) => true,
        // Documentation (RFC 3849, RFC 9637).
        (0x2001, 0xdb8) | (0x3fff, 0..=0xfff) => true,
        // 6to4 carries an IPv4 address that may be of any kind (RFC 3056).
        (0x2002, _) => true,
        _ => false,
    };
    is_global_unicast && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_asked_unless_configured() {
        let public = ["198.41.0.4", "9.255.255.255", "11.0.0.0", "100.63.0.1", "172.32.0.1", "2001:503:ba3e::2:30"];
        for address in public.map(|text| text.parse().unwrap()) {
            assert!(AddressPolicy::Public.permits(address), "{address}");
        }
        let special = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:198.41.0.4",
            "64:ff9b::a00:1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::fb",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2001::1",
            "3fff::1",
        ];
        for address in special.map(|text| text.parse().unwrap()) {
            assert!(!AddressPolicy::Public.permits(address), "{address}");
        }
    }

    #[test]
    fn loopback_and_private_addresses_have_to_be_asked_for() {
        let permits = |policy: AddressPolicy, text: &str| policy.permits(text.parse().unwrap());
        assert!(permits(AddressPolicy::PublicAndLoopback, "127.9.9.9"));
        assert!(permits(AddressPolicy::PublicAndLoopback, "::1"));
        assert!(!permits(AddressPolicy::PublicAndLoopback, "10.0.0.1"));
        assert!(!permits(AddressPolicy::PublicAndLoopback, "::ffff:127.0.0.1"));
        assert!(permits(AddressPolicy::AnyUnicast, "10.0.0.1"));
        assert!(permits(AddressPolicy::AnyUnicast, "192.0.2.1"));
        assert!(!permits(AddressPolicy::AnyUnicast, "224.0.0.1"));
        assert!(!permits(AddressPolicy::AnyUnicast, "255.255.255.255"));
        assert!(!permits(AddressPolicy::AnyUnicast, "::ffff:10.0.0.1"));
    }
}
