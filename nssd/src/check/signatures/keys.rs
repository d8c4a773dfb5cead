//! The keys of a zone, and what is verified with them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RsaParameters, RsaPublicKeyComponents,
};
use nss_wire::rdata::mnemonic::ALGORITHM;

/// The keys that may sign the zone: with the flag for that, not revoked, and of the one protocol (RFC 4034 §2.1, RFC 5011 §2.1).
#[derive(Default)]
pub(super) struct Keys<'z> {
    /// By tag and algorithm.
    keys: Vec<Key<'z>>,
    /// Each once.
    algorithms: Vec<u8>,
}

impl<'z> Keys<'z> {
    pub(super) fn read(rdatas: impl Iterator<Item = &'z [u8]>) -> Keys<'z> {
        let mut keys: Vec<Key<'z>> = rdatas.filter_map(Key::read).collect();
        keys.sort_by_key(Key::id);
        let mut algorithms: Vec<u8> = keys.iter().map(|key| key.algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        Keys { keys, algorithms }
    }

    pub(super) fn all(&self) -> &[Key<'z>] {
        &self.keys
    }

    pub(super) fn algorithms(&self) -> &[u8] {
        &self.algorithms
    }

    /// The keys that a signature may be of.
    pub(super) fn of(&self, tag: u16, algorithm: u8) -> &[Key<'z>] {
        let start = self.keys.partition_point(|key| key.id() < (tag, algorithm));
        let end = self.keys.partition_point(|key| key.id() <= (tag, algorithm));
        &self.keys[start..end]
    }

    /// Whether a key has the flag of those that the parent zone points to (RFC 4034 §2.1.1).
    pub(super) fn have_entry_point(&self) -> bool {
        self.keys.iter().any(|key| key.is_entry_point)
    }
}

/// A DNSKEY record.
pub(super) struct Key<'z> {
    pub(super) rdata: &'z [u8],
    pub(super) tag: u16,
    pub(super) algorithm: u8,
    pub(super) is_entry_point: bool,
    /// Bits of an RSA modulus.
    pub(super) rsa_size: Option<usize>,
    verifier: Verifier,
}

enum Verifier {
    Ready(Box<ParsedPublicKey>),
    /// No key of its algorithm.
    Broken,
    /// Nothing that we can verify with.
    Unsupported,
}

/// What comes of a signature and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Wrong,
    /// Of an algorithm or a size that is not verified here.
    Unknown,
}

impl<'z> Key<'z> {
    /// `None` for a key that signs nothing in the zone.
    fn read(rdata: &'z [u8]) -> Option<Key<'z>> {
        let &[high, low, PROTOCOL, algorithm, ref material @ ..] = rdata else { return None };
        let flags = u16::from_be_bytes([high, low]);
        if flags & ZONE == 0 || flags & REVOKE > 0 {
            return None;
        }
        let rsa = rsa_parameters(algorithm).map(|parameters| (parameters, rsa_components(material)));
        let rsa_size = rsa.and_then(|(_, components)| components.map(|it| bits(it.n)));
        let parsed = match (algorithm, rsa) {
            (_, Some((_, Some(components)))) if !RSA_SIZES.contains(&bits(components.n)) => None,
            (_, Some((parameters, Some(components)))) => Some(components.to_parsed_public_key(parameters).ok()),
            (_, Some((_, None))) => Some(None),
            (13, None) => Some(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed(material)).ok()),
            (14, None) => Some(ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, uncompressed(material)).ok()),
            (15, None) => Some(ParsedPublicKey::new(&ED25519, material).ok()),
            (_, None) => None,
        };
        let verifier = match parsed {
            Some(Some(key)) => Verifier::Ready(Box::new(key)),
            Some(None) => Verifier::Broken,
            None => Verifier::Unsupported,
        };
        let is_entry_point = flags & ENTRY_POINT > 0;
        Some(Key { rdata, tag: tag(rdata), algorithm, is_entry_point, rsa_size, verifier })
    }

    fn id(&self) -> (u16, u8) {
        (self.tag, self.algorithm)
    }

    pub(super) fn is_supported(&self) -> bool {
        !matches!(self.verifier, Verifier::Unsupported)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Verdict {
        match &self.verifier {
            Verifier::Ready(key) if key.verify_sig(message, signature).is_ok() => Verdict::Good,
            Verifier::Ready(_) | Verifier::Broken => Verdict::Wrong,
            Verifier::Unsupported => Verdict::Unknown,
        }
    }
}

/// An algorithm as people know it, such as `ECDSAP256SHA256 (13)`.
pub(super) fn algorithm_words(algorithm: u8) -> String {
    match ALGORITHM.mnemonic(algorithm.into()) {
        Some(mnemonic) => format!("{mnemonic} ({algorithm})"),
        None => format!("algorithm {algorithm}"),
    }
}

/// Whether signatures of an algorithm count for nothing with many resolvers, or with all (RFC 8624 §3.1, RFC 9905 §2).
pub(in crate::check) fn is_weak(algorithm: u8) -> bool {
    matches!(algorithm, 1 | 3 | 5 | 6 | 7 | 12)
}

/// The tag of a key (RFC 4034 appendix B).
pub(in crate::check) fn tag(rdata: &[u8]) -> u16 {
    let (pairs, rest) = rdata.as_chunks::<2>();
    let sum: u32 = pairs.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).sum();
    let sum = sum + rest.first().map_or(0, |&last| u32::from(last) << 8);
    (sum + (sum >> 16)) as u16
}

fn rsa_parameters(algorithm: u8) -> Option<&'static RsaParameters> {
    match algorithm {
        5 | 7 => Some(&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
        8 => Some(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        10 => Some(&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        _ => None,
    }
}

/// Exponent and modulus (RFC 3110 §2).
fn rsa_components(material: &[u8]) -> Option<RsaPublicKeyComponents<&[u8]>> {
    let (size, rest) = match *material {
        [0, high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]), rest),
        [size, ref rest @ ..] => (size.into(), rest),
        [] => return None,
    };
    let (e, n) = rest.split_at_checked(size.into())?;
    // RFC 3110 §2 has no zeros in front, and resolvers do not mind them.
    let trim = |octets: &'_ [u8]| octets.iter().take_while(|&&octet| octet == 0).count();
    let (e, n) = (&e[trim(e)..], &n[trim(n)..]);
    (!e.is_empty() && !n.is_empty()).then_some(RsaPublicKeyComponents { n, e })
}

fn bits(n: &[u8]) -> usize {
    8 * n.len() - n.first().map_or(0, |octet| octet.leading_zeros() as usize)
}

/// A point of a curve as X9.62 has it, of which RFC 6605 §4 leaves out the first octet.
fn uncompressed(point: &[u8]) -> Vec<u8> {
    [&[4], point].concat()
}

/// Bits of an RSA key: what is shorter no library verifies any more, what is longer no resolver has to (RFC 5702 §2.1).
const RSA_SIZES: std::ops::RangeInclusive<usize> = 1024..=4096;

/// The only value of the protocol field (RFC 4034 §2.1.2).
const PROTOCOL: u8 = 3;
/// Flags: a key that signs the zone, one that is revoked (RFC 5011 §2.1), and one that the parent zone points to.
const ZONE: u16 = 0x0100;
const REVOKE: u16 = 0x0080;
const ENTRY_POINT: u16 = 0x0001;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4034_appendix_b_the_tag_is_a_sum() {
        assert_eq!(tag(&[1, 1, 3, 13, 0]), 0x0101 + 0x030d);
        assert_eq!(tag(&[0xff, 0xff, 0xff, 0xff]), 0xffff);
        assert_eq!(tag(&[0xff, 0xff, 0, 2, 1]), 0x0102);
    }

    #[test]
    fn a_key_signs_with_the_flag_of_the_zone_and_unless_it_is_revoked() {
        let key = |rdata: &[u8]| Key::read(rdata).map(|key| (key.is_entry_point, key.is_supported()));
        let material = [7; 32];
        let rdata = |flags: u16, protocol: u8, algorithm: u8| {
            [&flags.to_be_bytes()[..], &[protocol, algorithm], &material].concat()
        };
        assert_eq!(key(&rdata(0x0100, 3, 15)), Some((false, true)));
        assert_eq!(key(&rdata(0x0101, 3, 15)), Some((true, true)));
        assert_eq!(key(&rdata(0x0101, 3, 16)), Some((true, false)), "Ed448");
        assert_eq!(key(&rdata(0x0181, 3, 15)), None, "revoked");
        assert_eq!(key(&rdata(0x0000, 3, 15)), None);
        assert_eq!(key(&rdata(0x0100, 2, 15)), None);
    }

    #[test]
    fn an_rsa_key_has_an_exponent_behind_its_size_and_a_modulus() {
        let size = |material: &[u8]| rsa_components(material).map(|it| (it.e.len(), bits(it.n)));
        assert_eq!(size(&[3, 1, 0, 1, 0x80, 0]), Some((3, 16)));
        assert_eq!(size(&[0, 0, 3, 1, 0, 1, 0x7f, 0]), Some((3, 15)));
        assert_eq!(size(&[3, 0, 0, 3, 0, 1]), Some((1, 1)), "zeros in front");
        for broken in [&[][..], &[0, 0], &[3, 1, 0], &[3, 1, 0, 1], &[0, 0, 0, 1]] {
            assert_eq!(size(broken), None, "{broken:?}");
        }
    }
}
