//! What vouches for the keys of a zone: the trust anchors at the root, and DS records below.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use nss_wire::{Name, RType};

use super::keys::{self, Key, Keys};
use super::records::RRset;
use super::{Budget, Fault, Limit};
use crate::config::Limits;

/// A key of the root that is believed without proof, as the RDATA of a DS record.
///
/// Its text is that of a DS record: `20326 8 2 E06D44B8…`, the key's tag, its algorithm, the type of the digest, the digest.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustAnchor {
    rdata: Vec<u8>,
}

/// Why a text is no trust anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorError {
    what: &'static str,
}

impl FromStr for TrustAnchor {
    type Err = AnchorError;

    fn from_str(text: &str) -> Result<TrustAnchor, AnchorError> {
        let error = |what| AnchorError { what };
        let mut words = text.split_ascii_whitespace();
        let mut number = |what| words.next().ok_or(error(what));
        let tag: u16 = number("the tag")?.parse().map_err(|_| error("the tag"))?;
        let algorithm: u8 = number("the algorithm")?.parse().map_err(|_| error("the algorithm"))?;
        let digest_type: u8 = number("the digest type")?.parse().map_err(|_| error("the digest type"))?;
        let digits: Vec<u8> = words.flat_map(str::bytes).collect();
        let digit = |octet: u8| char::from(octet).to_digit(16).map(|digit| digit as u8);
        let (pairs, rest) = digits.as_chunks::<2>();
        let octets = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?));
        let digest = octets.collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty()).ok_or(error("the digest"))?;
        let size = DigestType::of(digest_type).ok_or(error("the digest type"))?.algorithm().output_len();
        if digest.len() != size {
            return Err(error("the digest"));
        }
        if !keys::is_supported(algorithm) {
            return Err(error("the algorithm"));
        }
        Ok(TrustAnchor { rdata: [&tag.to_be_bytes()[..], &[algorithm, digest_type], &digest].concat() })
    }
}

impl fmt::Display for TrustAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [high, low, algorithm, digest_type, digest @ ..] = &self.rdata[..] else { return Ok(()) };
        write!(f, "{} {algorithm} {digest_type} ", u16::from_be_bytes([*high, *low]))?;
        digest.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

impl fmt::Debug for TrustAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustAnchor({self})")
    }
}

impl fmt::Display for AnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is wrong; write the trust anchor as a DS record: tag, algorithm, digest type, digest", self.what)
    }
}

impl std::error::Error for AnchorError {}

/// The keys of the public root that IANA publishes at data.iana.org/root-anchors.
pub(crate) fn public_root() -> Vec<TrustAnchor> {
    let anchors = IANA.map(|text| text.parse());
    anchors.into_iter().map(|anchor| anchor.expect("a test parses them")).collect()
}

/// The key in use since 2018, and the one that is to follow it.
const IANA: [&str; 2] = [
    "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    "38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
];

/// DS records that vouch for a zone's keys, those of them that can be used.
#[derive(Debug)]
pub(crate) struct Entry {
    /// RDATA.
    ds: Vec<Vec<u8>>,
    /// Who names the keys, as a clause with a verb.
    pub(super) source: String,
    /// Until when they may be believed, in seconds since 1970.
    pub(crate) ends: u64,
}

impl Entry {
    /// `None` when none of the records is of an algorithm and a digest that are known here: what is below then counts as
    /// not signed (RFC 4035 §5.2, RFC 6840 §5.2).
    pub(super) fn new(ds: &[Vec<u8>], source: String, ends: u64) -> Option<Entry> {
        let usable = ds.iter().filter_map(|rdata| match rdata[..] {
            [_, _, algorithm, digest_type, ..] if keys::is_supported(algorithm) => {
                Some((DigestType::of(digest_type)?, rdata))
            }
            _ => None,
        });
        let usable: Vec<(DigestType, &Vec<u8>)> = usable.collect();
        // RFC 4509 §3: who finds a better digest does not look at SHA-1.
        let has_better = usable.iter().any(|(digest_type, _)| *digest_type != DigestType::Sha1);
        let ds = usable.into_iter().filter(|(digest_type, _)| !has_better || *digest_type != DigestType::Sha1);
        let ds: Vec<Vec<u8>> = ds.map(|(_, rdata)| rdata.clone()).collect();
        (!ds.is_empty()).then_some(Entry { ds, source, ends })
    }

    pub(super) fn of_anchors(anchors: &[TrustAnchor], now: u64) -> Option<Entry> {
        let ds: Vec<Vec<u8>> = anchors.iter().map(|anchor| anchor.rdata.clone()).collect();
        Entry::new(&ds, "the trust anchors name".to_owned(), now + ANCHOR_TTL)
    }

    /// The keys in `set`, the DNSKEY records of `zone`, which one of them that is vouched for has to have signed.
    pub(super) fn verify(
        &self,
        set: &RRset,
        zone: Name<'_>,
        now: u64,
        limits: &Limits,
        budget: &mut Budget,
    ) -> Result<Keys, Fault> {
        debug_assert_eq!(set.rtype, RType::DNSKEY);
        if set.rdatas.len() > limits.dnskeys_max {
            return Err(Fault::Bogus(format!("{zone} has more DNSKEY records than are looked at")));
        }
        let keys: Vec<Key> = set.rdatas.iter().filter_map(|rdata| Key::read(rdata)).collect();
        let mut entries = Vec::new();
        for key in &keys {
            if self.vouches_for(key, zone, budget)? {
                entries.push(key);
            }
        }
        if entries.is_empty() {
            return Err(Fault::Bogus(format!("{zone} has none of the keys that {}", self.source)));
        }
        let ends = keys::verify(&entries, set, zone, now, budget)?.min(self.ends);
        Ok(Keys { keys, ends })
    }

    fn vouches_for(&self, key: &Key, zone: Name<'_>, budget: &mut Budget) -> Result<bool, Limit> {
        for ds in &self.ds {
            let [high, low, algorithm, digest_type, ref expected @ ..] = ds[..] else { continue };
            let is_named = (u16::from_be_bytes([high, low]), algorithm) == (key.tag, key.algorithm);
            let Some(digest_type) = DigestType::of(digest_type).filter(|_| is_named) else { continue };
            let signed = [zone.to_lowercase().as_name().as_wire(), &key.rdata].concat();
            budget.hash(signed.len())?;
            if digest::digest(digest_type.algorithm(), &signed).as_ref() == expected {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The digests of DS records that can be computed here (RFC 3658 §2.1.2, RFC 4509, RFC 6605 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DigestType {
    Sha1,
    Sha256,
    Sha384,
}

impl DigestType {
    fn of(number: u8) -> Option<DigestType> {
        match number {
            1 => Some(DigestType::Sha1),
            2 => Some(DigestType::Sha256),
            4 => Some(DigestType::Sha384),
            _ => None,
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            DigestType::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            DigestType::Sha256 => &digest::SHA256,
            DigestType::Sha384 => &digest::SHA384,
        }
    }
}

/// How long what hangs from an anchor is believed at most: a day, as a cache does with the longest TTLs.
const ANCHOR_TTL: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_root_has_two_anchors() {
        assert_eq!(public_root().iter().map(ToString::to_string).collect::<Vec<_>>(), IANA);
    }

    #[test]
    fn a_trust_anchor_is_written_as_a_ds_record() {
        let digest = "ab".repeat(32);
        let read = |text: String| text.parse::<TrustAnchor>().map_err(|error| error.to_string());
        assert!(read(format!("1 13 2 {digest}")).is_ok());
        assert!(read(format!("1 13 2 {} {}", &digest[..30], &digest[30..])).is_ok());
        for (text, wrong) in [
            (String::new(), "the tag"),
            (format!("65536 13 2 {digest}"), "the tag"),
            (format!("1 12 2 {digest}"), "the algorithm"),
            (format!("1 13 3 {digest}"), "the digest type"),
            (format!("1 13 2 {digest}ab"), "the digest"),
            (format!("1 13 2 {}", &digest[1..]), "the digest"),
            (format!("1 13 2 {}g", &digest[1..]), "the digest"),
        ] {
            assert!(read(text.clone()).unwrap_err().starts_with(&format!("{wrong} is wrong")), "{text}");
        }
    }

    #[test]
    fn ds_records_that_nothing_here_can_use_are_no_entry() {
        let ds = |algorithm: u8, digest_type: u8| [&[0, 1, algorithm, digest_type][..], &[7; 32]].concat();
        let usable = |ds: &[Vec<u8>]| Entry::new(ds, String::new(), 0).map(|entry| entry.ds.len());
        assert_eq!(usable(&[]), None);
        assert_eq!(usable(&[ds(16, 2), ds(13, 3), vec![0, 1]]), None);
        assert_eq!(usable(&[ds(16, 2), ds(13, 2)]), Some(1));
        assert_eq!(usable(&[ds(13, 1)]), Some(1));
        assert_eq!(usable(&[ds(13, 1), ds(8, 2)]), Some(1), "SHA-1 beside something better");
    }
}
