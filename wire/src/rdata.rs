//! RDATA: what it is made of, type by type.

use core::fmt;

use crate::RType;

/// RDATA as zone files write it.
#[derive(Clone, Copy, Debug)]
pub struct Presentation<'a> {
    /// Decides how the octets are read.
    pub rtype: RType,
    /// Uncompressed wire form.
    pub rdata: &'a [u8],
}

impl fmt::Display for Presentation<'_> {
    /// The generic form of RFC 3597 §5.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\\# {}", self.rdata.len())?;
        for (i, octet) in self.rdata.iter().enumerate() {
            write!(f, "{}{octet:02x}", if i == 0 { " " } else { "" })?;
        }
        Ok(())
    }
}
