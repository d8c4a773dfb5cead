//! Who a request is from when it came through the operator's reverse proxy.
//!
//! A proxy writes the address that it was connected from behind what `X-Forwarded-For` had already, and that may be anything: it is
//! the client's. So the field is read from its end, only when a trusted proxy sent it, and only up to the first address that is no
//! trusted proxy's. `Forwarded` (RFC 7239) is not read: one field that a proxy forgets to clear is enough.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use nssd::prefix::Prefix;

/// Written by proxies: the addresses that a request came from, the nearest last.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The operator's own reverse proxies.
#[derive(Clone, Debug)]
pub(crate) struct Proxies(Vec<Prefix>);

/// A trusted proxy's `X-Forwarded-For` that names no address where it has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Proxies {
    pub(crate) fn new(trusted: &[Prefix]) -> Proxies {
        Proxies(trusted.to_vec())
    }

    /// Whether this is the address of one of them.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|prefix| prefix.contains(address))
    }

    /// Whose request it is that came from `peer`; a proxy that names nobody asks for itself.
    ///
    /// # Errors
    ///
    /// A field that cannot be read: nobody is counted in its stead, or all who come that way would be.
    pub(crate) fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Unreadable> {
        let mut client = peer;
        // Several fields are one list, in their order (RFC 9110 §5.3).
        for field in headers.get_all(X_FORWARDED_FOR).iter().rev() {
            // Octets that are no text come from clients; what counts of them is that they are no address.
            for element in field.as_bytes().rsplit(|&octet| octet == b',') {
                if !self.has(client) {
                    return Ok(client);
                }
                let text = std::str::from_utf8(element).map_err(|_| Unreadable)?.trim();
                let address: IpAddr = text.parse().map_err(|_| Unreadable)?;
                client = address.to_canonical();
            }
        }
        Ok(client)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(trusted: &[&str], peer: &str, fields: &[&'static str]) -> Result<String, Unreadable> {
        let trusted: Vec<Prefix> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(field.as_bytes()).unwrap());
        }
        Proxies::new(&trusted).client_of(peer.parse().unwrap(), &headers).map(|address| address.to_string())
    }

    #[test]
    fn a_trusted_proxy_says_who_asks_and_nobody_else_does() {
        let of =
            |peer: &str, fields: &[&'static str]| client(&["192.0.2.80", "2001:db8:80::/48"], peer, fields).unwrap();
        assert_eq!(of("192.0.2.80", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(of("2001:db8:80::1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(of("192.0.2.80", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(of("192.0.2.80", &[]), "192.0.2.80");
        for peer in ["192.0.2.81", "2001:db8::80"] {
            assert_eq!(of(peer, &["198.51.100.1"]), peer);
            assert_eq!(of(peer, &["rubbish"]), peer);
        }
        assert_eq!(client(&[], "127.0.0.1", &["198.51.100.1"]).unwrap(), "127.0.0.1");
    }

    #[test]
    fn what_a_client_wrote_before_it_came_to_the_proxy_does_not_count() {
        let of = |fields: &[&'static str]| client(&["192.0.2.80", "192.0.2.81"], "192.0.2.80", fields).unwrap();
        assert_eq!(of(&["203.0.113.9, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(of(&["203.0.113.9", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(of(&["rubbish, \u{fc},, 198.51.100.1"]), "198.51.100.1");
        // Through both proxies, the outer one first.
        assert_eq!(of(&["203.0.113.9, 198.51.100.1,192.0.2.81"]), "198.51.100.1");
        assert_eq!(of(&["203.0.113.9, 198.51.100.1", "192.0.2.81"]), "198.51.100.1");
        // Who names the proxies themselves comes no further than what they saw.
        assert_eq!(of(&["203.0.113.9, 192.0.2.81, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(of(&["192.0.2.81, 192.0.2.80"]), "192.0.2.81");
    }

    #[test]
    fn what_the_proxy_itself_wrote_has_to_be_an_address() {
        for field in
            ["", "unknown", "198.51.100.1:1234", "203.0.113.9, _hidden", "203.0.113.9,", "\u{fc}", "[2001:db8::1]"]
        {
            assert_eq!(client(&["192.0.2.80"], "192.0.2.80", &[field]), Err(Unreadable), "{field}");
        }
    }
}
