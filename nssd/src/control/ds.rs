//! DS records, by which a zone proves itself.

use std::fmt;
use std::str::FromStr;

use http::HeaderName;
use serde::{Deserialize, Serialize};

/// The DS records that the parent of a zone has, as RDATA; at most [`DS_RECORDS_MAX`] of at most [`DS_SIZE_MAX`] octets.
///
/// In text each is a word of hexadecimal digits, parted by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DsSet(Vec<Box<[u8]>>);

impl DsSet {
    /// The records, or as many of the first as there may be; longer ones are left out, for no digest is as long.
    pub fn new<'d>(records: impl IntoIterator<Item = &'d [u8]>) -> DsSet {
        let records = records.into_iter().filter(|record| record.len() <= DS_SIZE_MAX);
        DsSet(records.take(DS_RECORDS_MAX).map(Box::from).collect())
    }

    /// The records.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|record| &**record)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for DsSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, record) in self.0.iter().enumerate() {
            f.write_str(if n == 0 { "" } else { "," })?;
            record.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
        }
        Ok(())
    }
}

/// A text that is no set of DS records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDsRecords;

impl fmt::Display for NotDsRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "DS records are up to {DS_RECORDS_MAX} words of up to {DS_SIZE_MAX} octets in hexadecimal digits, parted by commas"
        )
    }
}

impl std::error::Error for NotDsRecords {}

impl FromStr for DsSet {
    type Err = NotDsRecords;

    fn from_str(text: &str) -> Result<DsSet, NotDsRecords> {
        if text.is_empty() {
            return Ok(DsSet::default());
        }
        let value = |digit: u8| char::from(digit).to_digit(16).ok_or(NotDsRecords);
        let mut records = Vec::new();
        for word in text.split(',') {
            let (pairs, []) = word.trim().as_bytes().as_chunks::<2>() else { return Err(NotDsRecords) };
            if pairs.is_empty() || pairs.len() > DS_SIZE_MAX || records.len() == DS_RECORDS_MAX {
                return Err(NotDsRecords);
            }
            let octets = pairs.iter().map(|[high, low]| Ok((value(*high)? << 4 | value(*low)?) as u8));
            records.push(octets.collect::<Result<Box<[u8]>, _>>()?);
        }
        Ok(DsSet(records))
    }
}

impl TryFrom<String> for DsSet {
    type Error = NotDsRecords;

    fn try_from(text: String) -> Result<DsSet, NotDsRecords> {
        text.parse()
    }
}

impl From<DsSet> for String {
    fn from(set: DsSet) -> String {
        set.to_string()
    }
}

/// DS records of one zone: registries take six to twelve.
pub const DS_RECORDS_MAX: usize = 16;

/// Octets of one: a tag, two numbers and the longest digest there is, of 48 (RFC 6605 §2), with room for one of 64.
pub const DS_SIZE_MAX: usize = 68;

/// Carries the [`DsSet`] that an upload has to be proved by.
pub(super) const DS_MATCH: HeaderName = HeaderName::from_static("ds-match");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ds_records_are_written_and_read_in_hexadecimal() {
        let set = DsSet::new([&[1, 2, 13, 2, 0xab][..], &[255; DS_SIZE_MAX], &[0; DS_SIZE_MAX + 1]]);
        assert_eq!(set.iter().count(), 2);
        assert!(set.to_string().starts_with("01020d02ab,ffff"), "{set}");
        assert_eq!(set.to_string().parse(), Ok(set.clone()));
        assert_eq!(serde_json::from_str::<DsSet>(&serde_json::to_string(&set).unwrap()).unwrap(), set);
        assert_eq!("".parse(), Ok(DsSet::default()));
        let long = "00".repeat(DS_SIZE_MAX + 1);
        let many = ["00"; DS_RECORDS_MAX + 1].join(",");
        for text in ["0", "00,", ",", "0g", "ä", &long, &many] {
            assert_eq!(text.parse::<DsSet>(), Err(NotDsRecords), "{text}");
        }
        assert_eq!(many[3..].parse::<DsSet>().unwrap().iter().count(), DS_RECORDS_MAX);
    }
}
