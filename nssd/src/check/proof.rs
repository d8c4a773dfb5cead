//! Whether the DS records that a parent zone has prove a signed zone, to its last record.
//!
//! A resolver that validates believes each RRset by itself. Here it is the zone as a whole that is to be its owner's work: what nobody
//! signed, somebody else may have changed. So nothing in it may be unsigned, every signature is verified, and none may be wrong, not even beside a
//! good one; and TTLs are those that were signed.

use std::fmt;

use aws_lc_rs::digest::{self, SHA256, SHA384};
use nss_wire::{Name, NameBuf, RType};

use super::signatures::{is_weak, tag};

/// What the signatures of a zone show about who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub(super) apex: NameBuf,
    pub(super) entry_keys: Vec<Box<[u8]>>,
    pub(super) gap: Option<Gap>,
}

/// What of a signed zone is not known to be its signer's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gap {
    /// Records that nobody signs (RFC 4035 §2.2): name servers of delegated names without DS, their addresses, or what is below a DNAME.
    Unsigned {
        /// Their owner.
        owner: Box<NameBuf>,
        /// Their type.
        rtype: RType,
    },
    /// NSEC3 records that leave out unsigned delegations (RFC 5155 §6), which may have been removed.
    OptOut,
    /// RRsets without a signature that was verified, with an algorithm that counts: there are too many, or none of ours.
    NotVerified {
        /// How many.
        rrsets: u64,
    },
    /// Records, or their signatures, with another TTL than was signed (RFC 4034 §3, §3.1.4): resolvers take the signed one at most, and who does not
    /// validate keeps them as long as somebody may have written.
    OtherTtl {
        /// Their owner.
        owner: Box<NameBuf>,
        /// Their type.
        rtype: RType,
    },
    /// A signature beside good ones that is none, or one that covers nothing: it is in the way of who verifies, and anybody may have added it.
    StraySignature {
        /// Its owner.
        owner: Box<NameBuf>,
        /// What it covers; RRSIG if there is nothing of that type.
        rtype: RType,
    },
}

/// Why DS records do not prove a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unproved {
    /// The zone is not signed.
    NotSigned,
    /// All DS records have a digest or an algorithm that does not count here.
    Unsupported,
    /// None of the keys that sign the zone's DNSKEY records has one of the DS records.
    OtherKeys,
    /// The keys are right, and not all of the zone is signed by them.
    Gap(Gap),
}

impl Signed {
    /// The RDATA of the DNSKEY records whose keys sign all of them, with good signatures of algorithms that count.
    pub fn entry_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.entry_keys.iter().map(|key| &**key)
    }

    /// Whether the zone is proved by DS records, which are given as RDATA.
    ///
    /// # Errors
    ///
    /// Why it is not, in words for its owner.
    pub fn prove<'d>(&self, ds: impl IntoIterator<Item = &'d [u8]>) -> Result<(), Unproved> {
        let mut counting = ds.into_iter().filter(|ds| counts(ds)).peekable();
        if counting.peek().is_none() {
            return Err(Unproved::Unsupported);
        }
        if !counting.any(|ds| self.entry_keys().any(|key| is_of(ds, self.apex.as_name(), key))) {
            return Err(Unproved::OtherKeys);
        }
        self.gap.clone().map_or(Ok(()), |gap| Err(Unproved::Gap(gap)))
    }
}

/// Whether a DS record is one that counts: SHA-1 can be forged for two keys at once (RFC 9905), and what nobody verifies proves nothing.
fn counts(ds: &[u8]) -> bool {
    let &[_, _, algorithm, digest_type, ref digest @ ..] = ds else { return false };
    let is_whole = match digest_type {
        SHA_256 => digest.len() == 32,
        SHA_384 => digest.len() == 48,
        _ => false,
    };
    is_whole && !is_weak(algorithm)
}

/// Whether a DS record is that of a key of the zone at `apex` (RFC 4034 §5.1.4), both given as RDATA.
pub(crate) fn is_of(ds: &[u8], apex: Name<'_>, key: &[u8]) -> bool {
    let (&[high, low, algorithm, digest_type, ref expected @ ..], Some(&key_algorithm)) = (ds, key.get(3)) else {
        return false;
    };
    if u16::from_be_bytes([high, low]) != tag(key) || algorithm != key_algorithm {
        return false;
    }
    let mut context = digest::Context::new(match digest_type {
        SHA_256 => &SHA256,
        SHA_384 => &SHA384,
        _ => return false,
    });
    context.update(apex.to_lowercase().as_name().as_wire());
    context.update(key);
    context.finish().as_ref() == expected
}

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unproved::NotSigned => f.write_str("the zone is not signed"),
            Unproved::Unsupported => f.write_str("they are of algorithms or digests that do not count, such as SHA-1"),
            Unproved::OtherKeys => f.write_str("none of them is of a key that signs the zone's DNSKEY records"),
            Unproved::Gap(Gap::Unsigned { owner, rtype }) => {
                write!(f, "they prove what is signed, and nobody signs the {rtype} records of {owner}")
            }
            Unproved::Gap(Gap::OptOut) => f.write_str(
                "they prove what is signed, and the zone's NSEC3 records leave out unsigned delegations (opt-out)",
            ),
            Unproved::Gap(Gap::OtherTtl { owner, rtype }) => {
                write!(f, "the {rtype} records of {owner}, or their signatures, have another TTL than was signed")
            }
            Unproved::Gap(Gap::StraySignature { owner, rtype: RType::RRSIG }) => {
                write!(f, "a signature of {owner} covers records that are not there")
            }
            Unproved::Gap(Gap::StraySignature { owner, rtype }) => {
                write!(
                    f,
                    "one of the signatures of the {rtype} records of {owner} is not good; remove it, or sign again"
                )
            }
            Unproved::Gap(Gap::NotVerified { rrsets }) => {
                write!(
                    f,
                    "the signatures of {rrsets} RRsets are too many to verify, or of algorithms that do not count"
                )
            }
        }
    }
}

/// Digest types (RFC 4509, RFC 6605).
const SHA_256: u8 = 2;
const SHA_384: u8 = 4;
