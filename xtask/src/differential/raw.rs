//! The raw format of `named-compilezone`: a zone as BIND holds it, RDATA in wire form.
//!
//! ```text
//! header   format 2 | version 1 | time | flags | serial of the source | time of the last transfer      (4 octets each)
//! RRset    size (4) | class (2) | type (2) | type covered (2) | TTL (4) | records (4) | owner size (2) | owner
//! record   size (2) | RDATA
//! ```

use nss_wire::{Class, Name, RType, RecordBuf};

/// The records of a zone; `None` when the octets are not the raw format.
pub(super) fn records(octets: &[u8]) -> Option<Vec<RecordBuf>> {
    let mut rest = octets;
    if (number(&mut rest, 4)?, number(&mut rest, 4)?) != (2, 1) {
        return None;
    }
    take(&mut rest, HEADER_SIZE - 8)?;
    let mut records = Vec::new();
    while !rest.is_empty() {
        // The size counts itself.
        let size = number(&mut rest, 4)?.checked_sub(4)?;
        let mut rrset = take(&mut rest, size)?;
        let class = Class(number(&mut rrset, 2)? as u16);
        let rtype = RType(number(&mut rrset, 2)? as u16);
        let _covered = number(&mut rrset, 2)?;
        let ttl = u32::try_from(number(&mut rrset, 4)?).ok()?;
        let count = number(&mut rrset, 4)?;
        let size = number(&mut rrset, 2)?;
        let (owner, behind) = Name::from_wire(take(&mut rrset, size)?).ok()?;
        if !behind.is_empty() {
            return None;
        }
        for _ in 0..count {
            let size = number(&mut rrset, 2)?;
            let rdata = take(&mut rrset, size)?.to_vec();
            records.push(RecordBuf { owner: owner.to_buf(), rtype, class, ttl, rdata });
        }
        if !rrset.is_empty() {
            return None;
        }
    }
    Some(records)
}

const HEADER_SIZE: usize = 24;

fn take<'a>(rest: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (octets, behind) = rest.split_at_checked(size)?;
    *rest = behind;
    Some(octets)
}

fn number(rest: &mut &[u8], size: usize) -> Option<usize> {
    take(rest, size).map(|octets| octets.iter().fold(0, |number, octet| number << 8 | usize::from(*octet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_and_anything_cut_short_or_left_over_is_not() {
        let mut octets = [&[0, 0, 0, 2, 0, 0, 0, 1][..], &[0; 16]].concat();
        octets.extend([0, 0, 0, 35, 0, 1, 0, 1, 0, 0, 0, 0, 0, 60, 0, 0, 0, 2, 0, 3, 1, b'a', 0]);
        octets.extend([0, 4, 192, 0, 2, 1, 0, 4, 192, 0, 2, 2]);
        let read =
            |octets: &[u8]| records(octets).map(|records| records.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(read(&octets).unwrap(), ["a. 60 IN A 192.0.2.1", "a. 60 IN A 192.0.2.2"]);
        for size in (0..24).chain(25..octets.len()) {
            assert_eq!(read(&octets[..size]), None, "{size}");
        }
        octets.extend([0; 4]);
        assert_eq!(read(&octets), None);
    }
}
