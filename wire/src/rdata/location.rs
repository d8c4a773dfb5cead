//! LOC: a place on Earth (RFC 1876).
//!
//! ```text
//!   0         1       2        3        4 .. 8     8 .. 12     12 .. 16
//! +---------+-------+--------+--------+----------+-----------+----------+
//! | version | size  | horiz. | vert.  | latitude | longitude | altitude |
//! |    0    | b*10^e cm, nibbles each | 1/1000 s of arc, 2^31 + | cm + 10^7 |
//! +---------+-------+--------+--------+----------+-----------+----------+
//! ```

use core::fmt;

/// The 16 octets of a LOC record's RDATA, well-formed; printed with all eight parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Location(pub(super) [u8; 16]);

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |i: usize| u32::from_be_bytes([self.0[i], self.0[i + 1], self.0[i + 2], self.0[i + 3]]);
        angle(f, at(4), 'N', 'S')?;
        angle(f, at(8), 'E', 'W')?;
        let altitude = i64::from(at(12)) - ALTITUDE_BASE_CM;
        let sign = if altitude < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}m", altitude.unsigned_abs() / 100, altitude.unsigned_abs() % 100)?;
        for size in &self.0[1..4] {
            let cm = u64::from(size >> 4) * 10u64.pow(u32::from(size & 0xf));
            write!(f, " {}.{:02}m", cm / 100, cm % 100)?;
        }
        Ok(())
    }
}

/// Altitudes count from 100 000 m below the reference spheroid (RFC 1876 §2).
const ALTITUDE_BASE_CM: i64 = 10_000_000;

fn angle(f: &mut fmt::Formatter<'_>, angle: u32, positive: char, negative: char) -> fmt::Result {
    let side = if angle >= 1 << 31 { positive } else { negative };
    let ms = angle.abs_diff(1 << 31);
    let (degrees, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    write!(f, "{degrees} {minutes} {}.{:03} {side} ", ms / 1000 % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn all_eight_parts_are_printed() {
        let octets = [0, 0x12, 0x16, 0x13, 0x89, 0x17, 0x2d, 0xd0, 0x70, 0xbe, 0x15, 0xf0, 0, 0x98, 0x8d, 0x20];
        let text = "42 21 54.000 N 71 6 18.000 W -24.00m 1.00m 10000.00m 10.00m";
        assert_eq!(Location(octets).to_string(), text);
        let lowest = [0, 0, 0x99, 0x10, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Location(lowest).to_string(), "0 0 0.000 N 0 0 0.000 E -100000.00m 0.00m 90000000.00m 0.01m");
    }
}
