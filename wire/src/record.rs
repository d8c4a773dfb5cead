//! One resource record (RFC 1035 §3.2.1), its RDATA in uncompressed wire form.

use alloc::vec::Vec;
use core::fmt;

use crate::{Class, Name, NameBuf, RType, rdata};

/// The largest TTL, 2^31 - 1 seconds (RFC 2181 §8).
pub const TTL_MAX: u32 = 0x7fff_ffff;

/// A resource record whose owner and RDATA are borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The name that the record belongs to.
    pub owner: Name<'a>,
    /// What the RDATA means.
    pub rtype: RType,
    /// Nearly always [`Class::IN`].
    pub class: Class,
    /// Time to live in seconds.
    pub ttl: u32,
    /// The data in wire form, with no compressed name in it.
    pub rdata: &'a [u8],
}

impl Record<'_> {
    /// An owned copy.
    pub fn to_buf(self) -> RecordBuf {
        RecordBuf {
            owner: self.owner.to_buf(),
            rtype: self.rtype,
            class: self.class,
            ttl: self.ttl,
            rdata: self.rdata.to_vec(),
        }
    }
}

impl fmt::Display for Record<'_> {
    /// One line of a zone file: owner, TTL, class, type and data, parted by single spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = rdata::Presentation { rtype: self.rtype, rdata: self.rdata };
        write!(f, "{} {} {} {} {data}", self.owner, self.ttl, self.class, self.rtype)
    }
}

/// A resource record that owns its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordBuf {
    /// The name that the record belongs to.
    pub owner: NameBuf,
    /// What the RDATA means.
    pub rtype: RType,
    /// Nearly always [`Class::IN`].
    pub class: Class,
    /// Time to live in seconds.
    pub ttl: u32,
    /// The data in wire form, with no compressed name in it.
    pub rdata: Vec<u8>,
}

impl RecordBuf {
    /// The record as a view.
    pub fn as_record(&self) -> Record<'_> {
        Record { owner: self.owner.as_name(), rtype: self.rtype, class: self.class, ttl: self.ttl, rdata: &self.rdata }
    }
}

impl fmt::Display for RecordBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_record(), f)
    }
}
