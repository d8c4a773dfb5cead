//! Whether what a zone's servers say of a cut is signed from the trust anchor down (RFC 4035 §5).
//!
//! Nothing here asks anybody: replies, keys and the time come in as arguments. The NS set at the parent's side of a cut is
//! never signed (RFC 4035 §2.2); its DS records are, and that there are none.

mod anchor;
mod denial;
mod keys;
mod records;
mod signature;

use std::fmt;
use std::sync::Arc;

use nss_wire::{Name, RType};

pub use self::anchor::{AnchorError, TrustAnchor};
pub(crate) use self::anchor::{Entry, public_root};
use self::denial::Denial;
pub(crate) use self::keys::{Keys, tag as key_tag};
pub(crate) use self::records::Records;
use crate::config::Limits;
use crate::evidence::Said;

/// What is known of the signatures of a zone.
#[derive(Clone, Debug)]
pub(crate) enum Chain {
    /// There is no trust anchor, so nobody looks.
    Unchecked,
    /// A zone above is not signed, as it proves itself, or by nothing that is verified here.
    Insecure,
    /// One of these keys has to sign the zone's keys, which are not known yet.
    Entry(Arc<Entry>),
    /// The zone is signed by these keys.
    Secure(Arc<Keys>),
}

impl Chain {
    /// The chain at the root.
    pub(crate) fn at_root(anchors: &[TrustAnchor], now: u64) -> Chain {
        match anchors {
            [] => Chain::Unchecked,
            _ => Entry::of_anchors(anchors, now).map_or(Chain::Insecure, |entry| Chain::Entry(Arc::new(entry))),
        }
    }

    /// The chain below a cut, of what the parent has proven of its DS records.
    pub(crate) fn below(&self, proof: &Proof) -> Chain {
        match (self, proof) {
            (Chain::Unchecked, _) => Chain::Unchecked,
            (_, Proof::Ds(entry)) => entry.clone().map_or(Chain::Insecure, Chain::Entry),
            (_, _) => Chain::Insecure,
        }
    }

    /// Until when this may be believed, in seconds since 1970; `None` where nothing limits it.
    pub(crate) fn ends(&self) -> Option<u64> {
        match self {
            Chain::Unchecked | Chain::Insecure => None,
            Chain::Entry(entry) => Some(entry.ends),
            Chain::Secure(keys) => Some(keys.ends),
        }
    }
}

/// What the signatures of one reply prove.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// Nothing, and nothing has to be proven: the zone is not signed, or nobody looks.
    NotNeeded,
    /// Nothing, and a question for DS records may bring the proof.
    Missing,
    /// The zone's keys.
    Keys(Arc<Keys>),
    /// The DS records at the cut, of which none may be of an algorithm that is verified here.
    Ds(Option<Arc<Entry>>),
    /// That there are no DS records at the cut; or, below too many iterations, nothing.
    NoDs(Denied),
    /// That there is no cut.
    NoCut,
}

/// What a denial is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It is proven.
    Proven,
    /// The zone hashes its names more often than is looked at, so that it counts as not signed (RFC 9276 §3.2).
    TooManyIterations,
}

/// Why a reply is not believed although it may be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What is missing or wrong.
    Bogus(String),
    /// The walk has verified or hashed as much as it may.
    Budget(Limit),
}

/// The name of the limit of [`Limits`] that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) &'static str);

impl From<Limit> for Fault {
    fn from(limit: Limit) -> Fault {
        Fault::Budget(limit)
    }
}

/// How much may still be verified and hashed.
///
/// Whoever runs a zone can have more to verify than anybody should for one question (CVE-2023-50387), and more to hash
/// (CVE-2023-50868).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    signatures: usize,
    octets: usize,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Budget {
        Budget { signatures: limits.verifications_max, octets: limits.hashed_octets_max }
    }

    /// Spends one signature.
    fn verify(&mut self) -> Result<(), Limit> {
        self.signatures = self.signatures.checked_sub(1).ok_or(Limit("verifications_max"))?;
        Ok(())
    }

    /// Spends so many octets.
    fn hash(&mut self, octets: usize) -> Result<(), Limit> {
        self.octets = self.octets.checked_sub(octets).ok_or(Limit("hashed_octets_max"))?;
        Ok(())
    }
}

/// One reply of a server of `zone`, to be looked at.
pub(crate) struct Reply<'a> {
    pub(crate) packet: &'a [u8],
    pub(crate) zone: Name<'a>,
    pub(crate) qname: Name<'a>,
    pub(crate) qtype: RType,
    /// Seconds since 1970.
    pub(crate) now: u64,
    pub(crate) limits: &'a Limits,
}

impl Reply<'_> {
    /// What the reply proves, which means `said`; DS records in it become those that are signed.
    pub(crate) fn prove(&self, said: &mut Said, chain: &Chain, budget: &mut Budget) -> Result<Proof, Fault> {
        let keys = match chain {
            Chain::Unchecked | Chain::Insecure => return Ok(Proof::NotNeeded),
            Chain::Entry(entry) => return self.keys(said, entry, budget),
            Chain::Secure(keys) => keys,
        };
        let records = self.records()?;
        match said {
            Said::Referral { zone, ds, .. } => {
                let cut = zone.clone();
                if records.get(cut.as_name(), RType::DS).is_some() {
                    return self.ds(&records, cut.as_name(), ds, keys, budget);
                }
                if !ds.is_empty() {
                    return Err(self.bogus(format_args!("the DS records of {cut} cannot be read")));
                }
                match self.denial(&records, keys, budget)?.about(cut.as_name(), budget)?.ds() {
                    Some(denied) => Ok(Proof::NoDs(denied)),
                    None => Ok(Proof::Missing),
                }
            }
            Said::Ds(ds) => self.ds(&records, self.qname, ds, keys, budget),
            Said::NoData if self.qtype == RType::DS => {
                let denial = self.denial(&records, keys, budget)?;
                let about = denial.about(self.qname, budget)?;
                match about.ds() {
                    Some(denied) => Ok(Proof::NoDs(denied)),
                    None if about.has_no_cut() => Ok(Proof::NoCut),
                    None => Err(self.bogus(format_args!("nothing proves that {} has no DS records", self.qname))),
                }
            }
            Said::NoData | Said::NxDomain => {
                match self.denial(&records, keys, budget)?.about(self.qname, budget)?.has_no_cut() {
                    true => Ok(Proof::NoCut),
                    false => Err(self.bogus(format_args!("nothing proves that there is no cut at {}", self.qname))),
                }
            }
            Said::Alias { owner, rtype } => {
                let Some(set) = records.get(owner.as_name(), *rtype) else {
                    return Err(self.bogus(format_args!("the {rtype} record of {owner} cannot be read")));
                };
                keys.verify(set, self.zone, self.now, budget)?;
                // A wildcard's record is one for names that do not exist (RFC 4035 §5.3.4).
                if let Some(encloser) = set.wildcard_encloser()
                    && !self.denial(&records, keys, budget)?.name_below(encloser, self.qname, budget)?
                {
                    return Err(self.bogus(format_args!("nothing proves that a wildcard stands for {}", self.qname)));
                }
                Ok(Proof::NoCut)
            }
            _ => Ok(Proof::NotNeeded),
        }
    }

    fn keys(&self, said: &Said, entry: &Entry, budget: &mut Budget) -> Result<Proof, Fault> {
        let records = self.records()?;
        match (said, records.get(self.zone, RType::DNSKEY)) {
            (Said::Keys(_), Some(set)) => {
                let keys = entry.verify(set, self.zone, self.now, self.limits, budget)?;
                Ok(Proof::Keys(Arc::new(keys)))
            }
            (Said::Keys(_) | Said::NoData | Said::NxDomain | Said::Alias { .. } | Said::Referral { .. }, _) => {
                Err(self.bogus(format_args!("it has none of the keys that {}", entry.source)))
            }
            _ => Ok(Proof::NotNeeded),
        }
    }

    fn records(&self) -> Result<Records, Fault> {
        Records::read(self.packet).ok_or_else(|| self.bogus(format_args!("the reply cannot be read to its end")))
    }

    fn ds(
        &self,
        records: &Records,
        cut: Name<'_>,
        ds: &mut Vec<Vec<u8>>,
        keys: &Keys,
        budget: &mut Budget,
    ) -> Result<Proof, Fault> {
        let Some(set) = records.get(cut, RType::DS) else {
            return Err(self.bogus(format_args!("the DS records of {cut} cannot be read")));
        };
        let is_large = set.rdatas.iter().any(|rdata| rdata.len() > self.limits.ds_size_max);
        if is_large || set.rdatas.len() > self.limits.ds_records_max {
            return Err(self.bogus(format_args!("{cut} has more or larger DS records than are looked at")));
        }
        let ends = keys.verify(set, self.zone, self.now, budget)?;
        ds.clone_from(&set.rdatas);
        let source = format!("the DS records in {} name", self.zone);
        Ok(Proof::Ds(Entry::new(&set.rdatas, source, ends).map(Arc::new)))
    }

    fn denial<'r>(&self, records: &'r Records, keys: &Keys, budget: &mut Budget) -> Result<Denial<'r>, Fault> {
        Denial::read(records, self.zone, keys, self.now, self.limits.nsec3_iterations_max, budget)
    }

    fn bogus(&self, what: fmt::Arguments<'_>) -> Fault {
        Fault::Bogus(what.to_string())
    }
}

/// How far a delegation's DS records, or that there are none, are proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Security {
    /// There is no trust anchor ([`Config::trust_anchors`](crate::Config::trust_anchors)), so nobody looked.
    Unchecked,
    /// The parent, or a zone above it, is provably not signed by anything that is verified here.
    Insecure,
    /// Signed from the trust anchor down to the parent. The NS set is not: nothing signs it at the parent's side.
    Secure,
}

impl Security {
    /// Of a zone of this chain.
    pub(crate) fn of(chain: &Chain, proof: &Proof) -> Security {
        match (chain, proof) {
            (Chain::Unchecked, _) => Security::Unchecked,
            (Chain::Secure(_), Proof::Ds(_) | Proof::NoDs(Denied::Proven)) => Security::Secure,
            (Chain::Secure(_) | Chain::Insecure | Chain::Entry(_), _) => Security::Insecure,
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Security::Unchecked => "unchecked",
            Security::Insecure => "insecure",
            Security::Secure => "secure",
        })
    }
}
