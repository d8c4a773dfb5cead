//! The RRsets of a reply with their signatures, as octets in canonical form.

use std::collections::BTreeMap;

use nss_wire::message::{Reader, Section};
use nss_wire::{Class, Name, NameBuf, RType, rdata};

use super::signature::{Signature, label_count};

/// What a reply has in its answer and authority sections of the types that matter here.
#[derive(Debug, Default)]
pub(crate) struct Records {
    rrsets: BTreeMap<(NameBuf, u16), RRset>,
}

/// The records of one owner and type.
#[derive(Debug)]
pub(crate) struct RRset {
    /// In lower case.
    pub(crate) owner: NameBuf,
    pub(crate) rtype: RType,
    /// The least of the records.
    pub(crate) ttl: u32,
    /// In canonical form and order (RFC 4034 §6), each once.
    pub(crate) rdatas: Vec<Vec<u8>>,
    pub(crate) signatures: Vec<Signature>,
}

impl RRset {
    /// Labels of the name below which the wildcard stands that the records are of, as a signature says.
    pub(crate) fn wildcard_encloser(&self) -> Option<usize> {
        let labels = self.signatures.iter().map(|signature| signature.labels).min()?;
        (labels < label_count(self.owner.as_name())).then_some(labels)
    }
}

impl Records {
    /// `None` when the answer and authority sections cannot be read to their end: another reader may have found more in
    /// them, which then is not what is proven.
    ///
    /// DS and DNSKEY records are taken as they are. Of the other types a record that is not as its type wants it is left out.
    pub(crate) fn read(packet: &[u8]) -> Option<Records> {
        let mut records = Records::default();
        let mut reader = Reader::new(packet).ok()?;
        while let Some(record) = reader.record().ok()? {
            if record.section == Section::Additional {
                break;
            }
            if record.class != Class::IN {
                continue;
            }
            let mut data = Vec::new();
            let owner = record.owner.to_buf().as_name().to_lowercase();
            match record.rtype {
                RType::RRSIG if record.rdata(&mut data).is_ok() => {
                    if let Some(signature) = Signature::read(&data) {
                        records.rrset(owner, signature.covered, record.ttl).signatures.push(signature);
                    }
                }
                // Nothing in them is a name, so that every form is canonical, those that make no sense included.
                RType::DS | RType::DNSKEY => {
                    records.rrset(owner, record.rtype, record.ttl).rdatas.push(record.raw_rdata().to_vec());
                }
                RType::NSEC | RType::NSEC3 | RType::CNAME | RType::DNAME if record.rdata(&mut data).is_ok() => {
                    rdata::canonicalize(record.rtype, &mut data);
                    records.rrset(owner, record.rtype, record.ttl).rdatas.push(data);
                }
                _ => {}
            }
        }
        records.rrsets.retain(|_, rrset| !rrset.rdatas.is_empty());
        for rrset in records.rrsets.values_mut() {
            rrset.rdatas.sort();
            rrset.rdatas.dedup();
        }
        Some(records)
    }

    pub(crate) fn get(&self, owner: Name<'_>, rtype: RType) -> Option<&RRset> {
        self.rrsets.get(&(owner.to_lowercase(), rtype.0))
    }

    /// Those of one type.
    pub(crate) fn of_type(&self, rtype: RType) -> impl Iterator<Item = &RRset> {
        self.rrsets.values().filter(move |rrset| rrset.rtype == rtype)
    }

    fn rrset(&mut self, owner: NameBuf, rtype: RType, ttl: u32) -> &mut RRset {
        let rrset = self.rrsets.entry((owner.clone(), rtype.0)).or_insert_with(|| RRset {
            owner,
            rtype,
            ttl,
            rdatas: Vec::new(),
            signatures: Vec::new(),
        });
        rrset.ttl = rrset.ttl.min(ttl);
        rrset
    }
}
