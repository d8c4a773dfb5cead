//! What a check may do and how much of it: the settings of walks and of the checker.

use std::net::IpAddr;
use std::time::Duration;

use crate::address::AddressPolicy;
use crate::dnssec::{self, TrustAnchor};
use crate::hints;

/// Settings of a check.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses of the root servers; the default is the public root.
    pub root_hints: Vec<IpAddr>,
    /// The keys of the root that signatures are verified from; the default is the public root's, which another root has to
    /// replace. Without any, no signature is looked at.
    pub trust_anchors: Vec<TrustAnchor>,
    /// The port that every name server is asked on, 53 by default.
    pub port: u16,
    /// Which addresses may be asked, those of the root hints included.
    pub addresses: AddressPolicy,
    /// How many servers of the parent zone have to say the same; 2 by default, at least 1. Two addresses of one name are one
    /// server. Of a zone on the way as many have to show the cut below it, or all where it has fewer.
    ///
    /// A parent with fewer servers than this gives [`Unknown::TooFewServers`](crate::Unknown::TooFewServers).
    pub servers_min: usize,
    /// What makes an answer count.
    pub trust: Trust,
    /// What to make of a parent whose servers all serve the child zone as well.
    pub hidden: HiddenDelegation,
    /// The least time between two queries of one checker to any one address, 10 ms by default; some may come at once
    /// after a pause. Zero for no bound.
    ///
    /// A query whose turn would come too late is not sent, and other servers are asked instead.
    pub query_interval: Duration,
    /// Queries of one checker that wait for an answer of any one address at one time: at least 1, and 16 by default, with
    /// which a server 150 ms away still answers 100 of them in a second. Others are not sent before.
    pub outstanding_max: usize,
    /// The bounds of one walk.
    pub limits: Limits,
    /// How long answers are kept and how many checks run at once.
    pub cache: CacheConfig,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            root_hints: hints::root_hints(),
            trust_anchors: dnssec::public_root(),
            port: 53,
            addresses: AddressPolicy::default(),
            servers_min: 2,
            trust: Trust::default(),
            hidden: HiddenDelegation::default(),
            query_interval: Duration::from_millis(10),
            outstanding_max: 16,
            limits: Limits::default(),
            cache: CacheConfig::default(),
        }
    }
}

/// Which answers count, beyond those from the address that was asked with the id and the question asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// An answer over UDP counts when it carries our cookie (RFC 7873); without, the question is asked again over TCP.
    ///
    /// Nobody who cannot read the packets can then make up an answer.
    #[default]
    CookieOrTcp,
    /// An answer over UDP counts when id, port and the letter case of the question match.
    ///
    /// For parents that are not reachable over TCP; an attacker who sends many packets has a small chance.
    MatchingUdp,
}

/// What the parent's NS set is taken to be when none of its servers shows it.
///
/// A server that serves both the parent and the child answers from the child. The delegation itself, on which the
/// decision rests, then stays unseen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HiddenDelegation {
    /// The check could not find out.
    #[default]
    Unknown,
    /// The NS set at the child's apex, as the parent's servers give it, stands in for the delegation.
    ///
    /// Safe where the operator of the parent's servers decides who may add a zone to them.
    TrustApex,
}

/// What a check is to find out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// The NS set; DS records only where they come with it.
    #[default]
    NameServers,
    /// The NS set and the DS records.
    ///
    /// Costs a query more at each server that does not send them with the referral.
    NameServersAndDs,
}

/// The bounds of one walk. Each has a default that public zones stay well below.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Queries sent, retries and address look-ups included.
    ///
    /// A delegation from a TLD takes about six; a name in ip6.arpa up to 34 and its servers' addresses.
    pub queries_max: usize,
    /// Time for the whole walk: below the 30 s after which HTTP clients and proxies commonly give up.
    pub time_max: Duration,
    /// How long one answer is waited for; twice as long at the second try.
    ///
    /// Long enough for a path around the world (0.3 s) and a handshake before it.
    pub timeout: Duration,
    /// How often an address that did not answer is asked again, after all others were asked.
    pub retries_max: u8,
    /// Referrals followed for one name; public trees have at most five, ip6.arpa a few more.
    pub referrals_max: usize,
    /// How many look-ups of a name server's addresses may be nested: to ask about `a` we need `b`, for that `c`.
    pub lookup_depth_max: u8,
    /// Name servers whose addresses are looked up in one walk.
    pub lookups_max: usize,
    /// Name servers in one NS set; a reply with more is not used. The largest public sets have 13 to 20.
    pub name_servers_max: usize,
    /// DS records in one set, which is not used when it has more: registries take six to twelve of a domain.
    pub ds_records_max: usize,
    /// Octets of one DS record, likewise: four and the longest digest of those registered, of 48 octets (RFC 6605 §2),
    /// with room for one of 64.
    pub ds_size_max: usize,
    /// DNSKEY records of one zone, which is not believed when it has more: in the midst of a roll-over of two algorithms
    /// there are eight.
    pub dnskeys_max: usize,
    /// How often a zone may hash its names for NSEC3; one that does so more often counts as not signed, as with most
    /// resolvers (RFC 9276 §3.2).
    pub nsec3_iterations_max: u16,
    /// Signatures verified: twice those of a name in ip6.arpa where every label is a zone's, 20 ms of a processor.
    pub verifications_max: usize,
    /// Octets that are hashed for signatures, for NSEC3 and for DS records: six times those of a name in ip6.arpa whose zone hashes
    /// as often as it may, some 15 ms of a processor.
    pub hashed_octets_max: usize,
    /// Addresses kept for one name server; more than this is one family's worth of anycast.
    pub addresses_per_server_max: usize,
    /// Addresses asked in one zone before it counts as unreachable.
    pub addresses_per_zone_max: usize,
    /// Octets of a reply over TCP: twice the size of the largest NS set that is accepted.
    pub response_size_max: usize,
    /// Packets to one query that are not its answer, before the query moves to TCP: so many are an attack.
    pub strays_max: u8,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            queries_max: 100,
            time_max: Duration::from_secs(10),
            timeout: Duration::from_millis(1200),
            retries_max: 1,
            referrals_max: 20,
            lookup_depth_max: 3,
            lookups_max: 12,
            name_servers_max: 32,
            ds_records_max: 16,
            ds_size_max: 68,
            dnskeys_max: 32,
            nsec3_iterations_max: 150,
            verifications_max: 128,
            hashed_octets_max: 4 << 20,
            addresses_per_server_max: 4,
            addresses_per_zone_max: 12,
            response_size_max: 32 * 1024,
            strays_max: 8,
        }
    }
}

/// How long a [`Checker`](crate::Checker) keeps what it found out, and how much.
#[derive(Clone, Copy, Debug)]
pub struct CacheConfig {
    /// How long a delegation is believed: an owner who moves away should not wait longer for a new check. One that makes for a "no"
    /// is believed as such ([`Checker::doubt`](crate::Checker::doubt)).
    pub delegated_ttl: Duration,
    /// How long "no delegation" is believed: somebody who just entered the name servers tries again soon.
    pub not_delegated_ttl: Duration,
    /// How long "could not find out" is kept, so that a retry loop does not become a load on the parent.
    pub unknown_ttl: Duration,
    /// Names kept; each takes about 10 KiB with its evidence, and up to 180 KiB where hostile servers make the walk long.
    pub names_max: usize,
    /// How long the servers of a zone are believed: far less than the two days of TLD delegations.
    pub zone_ttl: Duration,
    /// Zones whose servers are kept; each takes about 5 KiB, and up to 80 KiB with as many servers and as large keys as are accepted.
    pub zones_max: usize,
    /// How long a zone, other than the root, of which too few servers answered is not asked again, whatever the domain; twice as long each time that
    /// it is found so again.
    pub silent_ttl: Duration,
    /// The longest of these times: RFC 9520 §3.2 has at most five minutes.
    pub silent_ttl_max: Duration,
    /// Such zones kept, each with its evidence as names are.
    pub silent_max: usize,
    /// Walks at one time; each has up to `servers_min` sockets open, and one for each of the look-ups that it waits for. More wait
    /// for their turn.
    pub walks_max: usize,
}

impl Default for CacheConfig {
    fn default() -> CacheConfig {
        CacheConfig {
            delegated_ttl: Duration::from_secs(60),
            not_delegated_ttl: Duration::from_secs(10),
            unknown_ttl: Duration::from_secs(2),
            names_max: 1024,
            zone_ttl: Duration::from_secs(300),
            zones_max: 1024,
            silent_ttl: Duration::from_secs(10),
            silent_ttl_max: Duration::from_secs(300),
            silent_max: 256,
            walks_max: 64,
        }
    }
}

/// Octets of a UDP reply that servers are told to keep to: no fragments on any path (RFC 9715).
pub const UDP_PAYLOAD_SIZE: u16 = 1232;
