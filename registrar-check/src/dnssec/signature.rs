//! One signature: what its fields say, and what it is a signature of.

use std::cmp::Ordering;

use nss_wire::{Class, Name, NameBuf, RType};

use super::records::RRset;
use super::{Budget, Limit};

/// The RDATA of an RRSIG record (RFC 4034 §3.1).
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) covered: RType,
    pub(crate) algorithm: u8,
    pub(crate) labels: usize,
    pub(crate) original_ttl: u32,
    pub(crate) expiration: u32,
    inception: u32,
    pub(crate) tag: u16,
    pub(crate) signer: NameBuf,
    /// The fields before the signer's name.
    fields: [u8; FIELDS_SIZE],
    pub(crate) signature: Vec<u8>,
}

/// Where a moment stands to the time that a signature is valid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    NotYet,
    /// For so many seconds more.
    Valid(u32),
    /// It ended so many seconds ago.
    Expired(u32),
}

impl Signature {
    pub(crate) fn read(rdata: &[u8]) -> Option<Signature> {
        let (fields, rest) = rdata.split_first_chunk::<FIELDS_SIZE>()?;
        let &[covered @ .., algorithm, labels, o3, o2, o1, o0, e3, e2, e1, e0, i3, i2, i1, i0, t1, t0] = fields;
        let (signer, signature) = Name::from_wire(rest).ok()?;
        Some(Signature {
            covered: RType(u16::from_be_bytes(covered)),
            algorithm,
            labels: usize::from(labels),
            original_ttl: u32::from_be_bytes([o3, o2, o1, o0]),
            expiration: u32::from_be_bytes([e3, e2, e1, e0]),
            inception: u32::from_be_bytes([i3, i2, i1, i0]),
            tag: u16::from_be_bytes([t1, t0]),
            signer: signer.to_lowercase(),
            fields: *fields,
            signature: signature.to_vec(),
        })
    }

    /// Times are compared as serials are (RFC 4034 §3.1.5), and both ends count (RFC 4035 §5.3.1).
    pub(crate) fn validity(&self, now: u64) -> Validity {
        let since = |time: u32| (now as u32).wrapping_sub(time) as i32;
        match (since(self.expiration), since(self.inception)) {
            (past @ 1.., _) => Validity::Expired(past.unsigned_abs()),
            (_, ..0) => Validity::NotYet,
            (left, 0..) => Validity::Valid(left.unsigned_abs()),
        }
    }

    /// What is signed (RFC 4034 §3.1.8.1); `None` when the signature is of a name with more labels than the owner has.
    ///
    /// It may be as large as the reply, and costs its octets.
    pub(super) fn message(&self, rrset: &RRset, budget: &mut Budget) -> Result<Option<Vec<u8>>, Limit> {
        let owner = rrset.owner.as_name();
        let name = match self.labels.cmp(&label_count(owner)) {
            Ordering::Equal => owner.as_wire().to_vec(),
            // RFC 4035 §5.3.2: what a wildcard stands for was signed as the wildcard.
            Ordering::Less => match owner.suffix(self.labels) {
                Some(encloser) => [b"\x01*", encloser.as_wire()].concat(),
                None => return Ok(None),
            },
            Ordering::Greater => return Ok(None),
        };
        let mut message = [&self.fields[..], self.signer.as_name().as_wire()].concat();
        for rdata in &rrset.rdatas {
            message.extend_from_slice(&name);
            message.extend_from_slice(&rrset.rtype.0.to_be_bytes());
            message.extend_from_slice(&Class::IN.0.to_be_bytes());
            message.extend_from_slice(&self.original_ttl.to_be_bytes());
            message.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
            message.extend_from_slice(rdata);
        }
        budget.hash(message.len())?;
        Ok(Some(message))
    }
}

/// The labels that a signature counts: a `*` in front does not (RFC 4034 §3.1.3).
pub(crate) fn label_count(owner: Name<'_>) -> usize {
    owner.label_count() - usize::from(owner.is_wildcard())
}

/// Octets before the signer's name.
const FIELDS_SIZE: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4034_section_3_1_5_times_go_around() {
        let signature = |inception: u32, expiration: u32| {
            let rdata = [&[0; 8][..], &expiration.to_be_bytes(), &inception.to_be_bytes(), &[0, 0, 0]].concat();
            Signature::read(&rdata).unwrap()
        };
        for (inception, expiration, now, expected) in [
            (100, 200, 99, Validity::NotYet),
            (100, 200, 100, Validity::Valid(100)),
            (100, 200, 200, Validity::Valid(0)),
            (100, 200, 201, Validity::Expired(1)),
            (u32::MAX - 9, 20, 10, Validity::Valid(10)),
            (u32::MAX - 9, 20, u64::from(u32::MAX) - 10, Validity::NotYet),
            (u32::MAX - 9, 20, (1 << 32) + 21, Validity::Expired(1)),
        ] {
            assert_eq!(signature(inception, expiration).validity(now), expected, "{inception} {expiration} {now}");
        }
    }
}
