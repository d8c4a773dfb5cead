//! The keys of a zone, and what is verified with them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters, RsaPublicKeyComponents,
};
use nss_wire::Name;

use super::records::RRset;
use super::signature::{Signature, Validity, label_count};
use super::{Budget, Fault, Limit};

/// The keys that sign a zone, as its parent or the trust anchor vouches for them.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(super) keys: Vec<Key>,
    /// Until when that may be believed, in seconds since 1970.
    pub(crate) ends: u64,
}

impl Keys {
    /// Verifies a signature of `zone` over `rrset`; returns until when it may be believed, in seconds since 1970.
    pub(crate) fn verify(&self, rrset: &RRset, zone: Name<'_>, now: u64, budget: &mut Budget) -> Result<u64, Fault> {
        let keys = self.keys.iter().collect::<Vec<_>>();
        Ok(verify(&keys, rrset, zone, now, budget)?.min(self.ends))
    }
}

/// Verifies one of the signatures over `rrset` by one of `keys` (RFC 4035 §5.3).
pub(super) fn verify(
    keys: &[&Key],
    rrset: &RRset,
    zone: Name<'_>,
    now: u64,
    budget: &mut Budget,
) -> Result<u64, Fault> {
    let mut nearest = Reason::None;
    let mut attempts = 0;
    for signature in &rrset.signatures {
        let reason = match attempt(keys, rrset, signature, zone, now, &mut attempts, budget) {
            Ok(ends) => return Ok(ends),
            Err(Attempt::Budget(limit)) => return Err(Fault::Budget(limit)),
            Err(Attempt::Not(reason)) => reason,
        };
        nearest = nearest.max(reason);
    }
    let (what, owner) = (rrset.rtype, &rrset.owner);
    Err(Fault::Bogus(match nearest {
        Reason::None => format!("the {what} records of {owner} have no signature"),
        Reason::Unfit => format!("no signature of the {what} records of {owner} is by {zone} and for that name"),
        Reason::NoKey(tag) => {
            format!("the signature of the {what} records of {owner} is by a key {tag} that {zone} does not have")
        }
        Reason::NotYet => format!("the signature of the {what} records of {owner} is not valid yet"),
        Reason::Expired(seconds) => {
            format!("the signature of the {what} records of {owner} expired {} h ago", seconds / 3600)
        }
        Reason::Wrong(tag) => format!("the signature of the {what} records of {owner} by the key {tag} is wrong"),
        Reason::TooMany => format!("the first {ATTEMPTS_MAX} signatures of the {what} records of {owner} are wrong"),
    }))
}

/// Why a signature is none, the nearer to a good one the later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    None,
    Unfit,
    NoKey(u16),
    NotYet,
    Expired(u32),
    Wrong(u16),
    TooMany,
}

enum Attempt {
    Not(Reason),
    Budget(Limit),
}

impl From<Limit> for Attempt {
    fn from(limit: Limit) -> Attempt {
        Attempt::Budget(limit)
    }
}

fn attempt(
    keys: &[&Key],
    rrset: &RRset,
    signature: &Signature,
    zone: Name<'_>,
    now: u64,
    attempts: &mut usize,
    budget: &mut Budget,
) -> Result<u64, Attempt> {
    // Of these types an alias alone may come from a wildcard.
    let may_be_expanded = rrset.rtype == nss_wire::RType::CNAME;
    let labels = label_count(rrset.owner.as_name());
    let fits = signature.labels == labels || may_be_expanded && signature.labels < labels;
    if signature.signer.as_name() != zone || !rrset.owner.as_name().is_at_or_below(zone) || !fits {
        return Err(Attempt::Not(Reason::Unfit));
    }
    let left = match signature.validity(now) {
        Validity::Valid(left) => left,
        Validity::NotYet => return Err(Attempt::Not(Reason::NotYet)),
        Validity::Expired(seconds) => return Err(Attempt::Not(Reason::Expired(seconds))),
    };
    let named = keys.iter().filter(|key| (key.tag, key.algorithm) == (signature.tag, signature.algorithm));
    let mut reason = Reason::NoKey(signature.tag);
    // As large as the reply, so that nothing is done for it before a key is there that may be tried.
    let mut message = None;
    for key in named.take(SAME_TAG_MAX) {
        if *attempts == ATTEMPTS_MAX {
            return Err(Attempt::Not(Reason::TooMany));
        }
        *attempts += 1;
        budget.verify()?;
        let message: &Vec<u8> = match &mut message {
            Some(message) => message,
            none => none.insert(signature.message(rrset, budget)?.ok_or(Attempt::Not(Reason::Unfit))?),
        };
        if key.public.as_ref().is_some_and(|public| public.verify_sig(message, &signature.signature).is_ok()) {
            // RFC 4035 §5.3.3.
            return Ok(now + u64::from(left.min(rrset.ttl).min(signature.original_ttl)));
        }
        reason = Reason::Wrong(signature.tag);
    }
    Err(Attempt::Not(reason))
}

/// A DNSKEY record that may sign the zone.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) rdata: Vec<u8>,
    pub(super) tag: u16,
    pub(super) algorithm: u8,
    /// `None` when the octets are no key.
    public: Option<ParsedPublicKey>,
}

impl Key {
    /// `None` for a key that signs nothing in the zone: without the flag for that, revoked, or of another protocol
    /// (RFC 4034 §2.1, RFC 5011 §2.1).
    pub(super) fn read(rdata: &[u8]) -> Option<Key> {
        let &[high, low, PROTOCOL, algorithm, ref material @ ..] = rdata else { return None };
        let flags = u16::from_be_bytes([high, low]);
        if flags & ZONE == 0 || flags & REVOKE > 0 {
            return None;
        }
        let public = match algorithm {
            5 | 7 => rsa(material, &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
            8 => rsa(material, &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
            10 => rsa(material, &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
            13 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed(material)).ok(),
            14 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, uncompressed(material)).ok(),
            15 => ParsedPublicKey::new(&ED25519, material).ok(),
            _ => None,
        };
        Some(Key { rdata: rdata.to_vec(), tag: tag(rdata), algorithm, public })
    }
}

/// Whether signatures of an algorithm are verified here.
pub(super) fn is_supported(algorithm: u8) -> bool {
    matches!(algorithm, 5 | 7 | 8 | 10 | 13 | 14 | 15)
}

/// The tag of a key (RFC 4034 appendix B).
pub(crate) fn tag(rdata: &[u8]) -> u16 {
    let (pairs, rest) = rdata.as_chunks::<2>();
    let sum: u32 = pairs.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).sum();
    let sum = sum + rest.first().map_or(0, |&last| u32::from(last) << 8);
    (sum + (sum >> 16)) as u16
}

/// Exponent and modulus (RFC 3110 §2), the latter of a size that is verified in bounded time.
fn rsa(material: &[u8], parameters: &'static RsaParameters) -> Option<ParsedPublicKey> {
    let (size, rest) = match *material {
        [0, high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]), rest),
        [size, ref rest @ ..] => (size.into(), rest),
        [] => return None,
    };
    let (e, n) = rest.split_at_checked(size.into())?;
    // RFC 3110 §2 has no zeros in front, and resolvers do not mind them.
    let trim = |octets: &[u8]| octets.iter().take_while(|&&octet| octet == 0).count();
    let (e, n) = (&e[trim(e)..], &n[trim(n)..]);
    if e.is_empty() || n.is_empty() || n.len() > RSA_SIZE_MAX {
        return None;
    }
    RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()
}

/// A point of a curve as X9.62 has it, of which RFC 6605 §4 leaves out the first octet.
fn uncompressed(point: &[u8]) -> Vec<u8> {
    [&[4], point].concat()
}

/// Signatures of one RRset that are verified until one is good: resolvers try eight to sixteen since CVE-2023-50387.
const ATTEMPTS_MAX: usize = 8;

/// Keys of one tag and algorithm that are tried: resolvers try four since CVE-2023-50387.
const SAME_TAG_MAX: usize = 4;

/// Octets of an RSA modulus: 4096 bits, more than which no resolver has to verify (RFC 5702 §2.1).
const RSA_SIZE_MAX: usize = 512;

/// The only value of the protocol field (RFC 4034 §2.1.2).
const PROTOCOL: u8 = 3;

/// Flags: a key that signs the zone, and one that is revoked (RFC 5011 §2.1).
const ZONE: u16 = 0x0100;
const REVOKE: u16 = 0x0080;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_with_the_flag_of_the_zone_and_unless_it_is_revoked() {
        let rdata = |flags: u16, protocol: u8| [&flags.to_be_bytes()[..], &[protocol, 15], &[7; 32]].concat();
        let is_key = |flags, protocol| Key::read(&rdata(flags, protocol)).is_some();
        assert!(is_key(0x0100, 3) && is_key(0x0101, 3));
        assert!(!is_key(0x0181, 3), "revoked");
        assert!(!is_key(0x0000, 3) && !is_key(0x0100, 2));
    }

    /// A set of one record of 1000 octets with a signature by each of these tags.
    fn signed_by(tags: impl Iterator<Item = u16>) -> RRset {
        let owner: nss_wire::NameBuf = "example.com".parse().unwrap();
        let signature = |tag: u16| {
            let fields =
                [&43u16.to_be_bytes()[..], &[15, 2], &[0, 0, 1, 0], &[0, 0, 2, 0], &[0; 4], &tag.to_be_bytes()];
            Signature::read(&[&fields.concat()[..], b"\x03com\0", &[7; 64]].concat()).unwrap()
        };
        let signatures = tags.map(signature).collect();
        RRset { owner, rtype: nss_wire::RType::DS, ttl: 3600, rdatas: vec![vec![7; 1000]], signatures }
    }

    #[test]
    fn nothing_is_hashed_for_signatures_of_keys_that_are_not_there_or_beyond_those_that_are_tried() {
        let key = Key::read(&[&[1, 0, 3, 15][..], &[7; 32]].concat()).unwrap();
        let zone: nss_wire::NameBuf = "com".parse().unwrap();
        let limits = crate::config::Limits::default();
        let spent = |rrset: &RRset| {
            let mut budget = Budget::new(&limits);
            assert!(matches!(verify(&[&key], rrset, zone.as_name(), 256, &mut budget), Err(Fault::Bogus(_))));
            limits.hashed_octets_max - budget.octets
        };
        let others = signed_by((0..500).map(|tag| key.tag.wrapping_add(tag + 1)));
        assert_eq!(spent(&others), 0);
        let one = spent(&signed_by(std::iter::once(key.tag)));
        assert!(one > 1000, "{one}");
        assert_eq!(spent(&signed_by(std::iter::repeat_n(key.tag, 500))), ATTEMPTS_MAX * one);
    }

    #[test]
    fn what_is_no_key_of_its_algorithm_verifies_nothing() {
        for algorithm in [5, 8, 10, 13, 14, 15, 16, 250] {
            let key = Key::read(&[&[1, 0, 3, algorithm][..], &[0; 7]].concat()).unwrap();
            assert!(key.public.is_none(), "{algorithm}");
        }
    }
}
