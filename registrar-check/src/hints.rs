//! The root hints: where a walk begins when it knows nothing (RFC 9609).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The root servers and their addresses, as IANA's `named.root` lists them.
pub const ROOT_SERVERS: [(&str, Ipv4Addr, Ipv6Addr); 13] = [
    ("a.root-servers.net.", Ipv4Addr::new(198, 41, 0, 4), Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30)),
    ("b.root-servers.net.", Ipv4Addr::new(170, 247, 170, 2), Ipv6Addr::new(0x2801, 0x1b8, 0x10, 0, 0, 0, 0, 0xb)),
    ("c.root-servers.net.", Ipv4Addr::new(192, 33, 4, 12), Ipv6Addr::new(0x2001, 0x500, 2, 0, 0, 0, 0, 0xc)),
    ("d.root-servers.net.", Ipv4Addr::new(199, 7, 91, 13), Ipv6Addr::new(0x2001, 0x500, 0x2d, 0, 0, 0, 0, 0xd)),
    ("e.root-servers.net.", Ipv4Addr::new(192, 203, 230, 10), Ipv6Addr::new(0x2001, 0x500, 0xa8, 0, 0, 0, 0, 0xe)),
    ("f.root-servers.net.", Ipv4Addr::new(192, 5, 5, 241), Ipv6Addr::new(0x2001, 0x500, 0x2f, 0, 0, 0, 0, 0xf)),
    ("g.root-servers.net.", Ipv4Addr::new(192, 112, 36, 4), Ipv6Addr::new(0x2001, 0x500, 0x12, 0, 0, 0, 0, 0xd0d)),
    ("h.root-servers.net.", Ipv4Addr::new(198, 97, 190, 53), Ipv6Addr::new(0x2001, 0x500, 1, 0, 0, 0, 0, 0x53)),
    ("i.root-servers.net.", Ipv4Addr::new(192, 36, 148, 17), Ipv6Addr::new(0x2001, 0x7fe, 0, 0, 0, 0, 0, 0x53)),
    ("j.root-servers.net.", Ipv4Addr::new(192, 58, 128, 30), Ipv6Addr::new(0x2001, 0x503, 0xc27, 0, 0, 0, 2, 0x30)),
    ("k.root-servers.net.", Ipv4Addr::new(193, 0, 14, 129), Ipv6Addr::new(0x2001, 0x7fd, 0, 0, 0, 0, 0, 1)),
    ("l.root-servers.net.", Ipv4Addr::new(199, 7, 83, 42), Ipv6Addr::new(0x2001, 0x500, 0x9f, 0, 0, 0, 0, 0x42)),
    ("m.root-servers.net.", Ipv4Addr::new(202, 12, 27, 33), Ipv6Addr::new(0x2001, 0xdc3, 0, 0, 0, 0, 0, 0x35)),
];

/// The 26 addresses of [`ROOT_SERVERS`], the default of [`Config::root_hints`](crate::Config::root_hints).
pub fn root_hints() -> Vec<IpAddr> {
    ROOT_SERVERS.iter().flat_map(|&(_, v4, v6)| [IpAddr::V4(v4), IpAddr::V6(v6)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AddressPolicy;

    #[test]
    fn the_hints_are_26_public_addresses() {
        let hints = root_hints();
        assert_eq!(hints.len(), 26);
        assert!(hints.iter().all(|&address| AddressPolicy::Public.permits(address)));
    }
}
