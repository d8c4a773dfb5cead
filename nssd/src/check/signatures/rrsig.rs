//! One signature: what its fields say, and what it is a signature of.

use nss_authority::RRset;
use nss_wire::{Class, Name, rdata};

/// The RDATA of an RRSIG record (RFC 4034 §3.1).
#[derive(Clone, Copy)]
pub(super) struct Rrsig<'z> {
    pub(super) rdata: &'z [u8],
    pub(super) algorithm: u8,
    pub(super) labels: u8,
    pub(super) original_ttl: u32,
    expiration: u32,
    inception: u32,
    pub(super) tag: u16,
    pub(super) signer: Name<'z>,
    pub(super) signature: &'z [u8],
}

/// Where a moment stands to the time that a signature is valid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    /// It begins after so many seconds.
    Before(u32),
    /// It ends after so many seconds.
    During(u32),
    /// It has ended so many seconds ago.
    After(u32),
}

impl<'z> Rrsig<'z> {
    /// `None` if the RDATA is broken, which that of a zone is not.
    pub(super) fn read(rdata: &'z [u8]) -> Option<Rrsig<'z>> {
        let (fields, rest) = rdata.split_first_chunk::<FIELDS_SIZE>()?;
        let &[_, _, algorithm, labels, o, o2, o3, o4, e, e2, e3, e4, i, i2, i3, i4, t, t2] = fields;
        let (signer, signature) = Name::from_wire(rest).ok()?;
        Some(Rrsig {
            rdata,
            algorithm,
            labels,
            original_ttl: u32::from_be_bytes([o, o2, o3, o4]),
            expiration: u32::from_be_bytes([e, e2, e3, e4]),
            inception: u32::from_be_bytes([i, i2, i3, i4]),
            tag: u16::from_be_bytes([t, t2]),
            signer,
            signature,
        })
    }

    /// Times are compared as serials are (RFC 4034 §3.1.5), and both ends count (RFC 4035 §5.3.1).
    pub(super) fn validity(&self, now: u32) -> Validity {
        let since = |time: u32| now.wrapping_sub(time) as i32;
        match (since(self.expiration), since(self.inception)) {
            (past @ 1.., _) => Validity::After(past.unsigned_abs()),
            (_, to_come @ ..0) => Validity::Before(to_come.unsigned_abs()),
            (left, 0..) => Validity::During(left.unsigned_abs()),
        }
    }

    /// Writes what is signed (RFC 4034 §3.1.8.1): the fields before the signature and the records in canonical form.
    pub(super) fn write_message(&self, owner: Name<'_>, rrset: RRset<'_>, message: &mut Vec<u8>) {
        message.clear();
        message.extend_from_slice(&self.rdata[..FIELDS_SIZE]);
        message.extend_from_slice(self.signer.to_lowercase().as_name().as_wire());
        let owner = owner.to_lowercase();
        for rdata in rrset.rdatas() {
            message.extend_from_slice(owner.as_name().as_wire());
            message.extend_from_slice(&rrset.rtype().0.to_be_bytes());
            message.extend_from_slice(&Class::IN.0.to_be_bytes());
            message.extend_from_slice(&self.original_ttl.to_be_bytes());
            message.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
            let start = message.len();
            message.extend_from_slice(rdata);
            rdata::canonicalize(rrset.rtype(), &mut message[start..]);
        }
    }
}

/// Octets before the signer's name.
const FIELDS_SIZE: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4034_section_3_1_5_times_go_around() {
        let rdata = |inception: u32, expiration: u32| {
            [&[0; 8][..], &expiration.to_be_bytes(), &inception.to_be_bytes(), &[0, 0, 0]].concat()
        };
        for (inception, expiration, now, expected) in [
            (100, 200, 99, Validity::Before(1)),
            (100, 200, 100, Validity::During(100)),
            (100, 200, 200, Validity::During(0)),
            (100, 200, 201, Validity::After(1)),
            (u32::MAX - 9, 20, 10, Validity::During(10)),
            (u32::MAX - 9, 20, u32::MAX - 10, Validity::Before(1)),
            (u32::MAX - 9, 20, 21, Validity::After(1)),
            (200, 100, 150, Validity::After(50)),
        ] {
            let rdata = rdata(inception, expiration);
            assert_eq!(Rrsig::read(&rdata).unwrap().validity(now), expected, "{inception} {expiration} {now}");
        }
    }
}
