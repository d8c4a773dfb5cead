//! What an answer depends on besides the request and the zones: the peer, and what the operator wants.

use core::net::IpAddr;

use crate::cookie::CookieSecrets;

/// Who sent a request, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// How the request came.
    pub transport: Transport,
    /// The source address, which a server cookie is bound to.
    pub address: IpAddr,
}

/// How a request came and its answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram each, of limited size.
    Udp,
    /// A stream in the clear; messages up to 65535 octets.
    Tcp,
    /// A stream that nobody else can read, with answers padded for who asks for it (RFC 7830).
    Tls,
}

/// What the operator wants, and the time.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Seconds since 1970 (modulo 2^32), which cookies are dated with.
    pub now: u32,
    /// The largest answer over UDP and the payload size that is announced, in octets; less than 512 counts as 512.
    pub udp_payload_size_max: u16,
    /// What to tell who asks for the server's identifier (RFC 5001), up to [`NSID_SIZE_MAX`] octets; `None` tells nothing.
    pub nsid: Option<Box<[u8]>>,
    /// What to answer to `id.server.` and `hostname.bind.` in class CH (RFC 4892), up to [`TEXT_SIZE_MAX`] octets;
    /// `None` answers as for names of nobody's zone.
    pub identity: Option<Box<[u8]>>,
    /// The same for `version.server.` and `version.bind.`.
    pub version: Option<Box<[u8]>>,
    /// Whether the addresses of an answer, its A or AAAA records, come each time with another one first.
    pub rotate: bool,
    /// The secrets of server cookies; without them the COOKIE option is ignored.
    pub cookies: Option<CookieSecrets>,
    /// How long a stream may stay idle, in tenths of a second, told to who asks (RFC 7828); `None` tells nothing.
    pub stream_idle_timeout: Option<u16>,
}

impl Default for Policy {
    /// No cookies, no word about the server or about idle streams, nothing rotated, at the beginning of time.
    fn default() -> Policy {
        Policy {
            now: 0,
            udp_payload_size_max: UDP_PAYLOAD_SIZE_DEFAULT,
            nsid: None,
            identity: None,
            version: None,
            rotate: false,
            cookies: None,
            stream_idle_timeout: None,
        }
    }
}

/// Octets that cross nearly every path unfragmented: IPv6's least MTU of 1280 less its headers (DNS Flag Day 2020).
pub const UDP_PAYLOAD_SIZE_DEFAULT: u16 = 1232;

/// Octets of every UDP path (RFC 1035 §4.2.1); whoever announces less means this (RFC 6891 §6.2.3).
pub const UDP_PAYLOAD_SIZE_MIN: u16 = 512;

/// Answers over TLS are padded to a multiple of so many octets, as RFC 8467 §4.1 recommends.
pub const PADDING_BLOCK_SIZE: usize = 468;

/// Octets of a server identifier: with the longest question and all other options it leaves 60 octets of a small datagram.
pub const NSID_SIZE_MAX: usize = 120;

/// Octets of a text about the server: those of one string (RFC 1035 §3.3), which fits into a small datagram with all options.
pub const TEXT_SIZE_MAX: usize = 255;
