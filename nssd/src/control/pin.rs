//! What is stored with a zone of the key that may change it.

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

use http::HeaderName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A hash of the key that a zone is pinned to; 64 hexadecimal digits in text.
///
/// How it is made is the business of who sets it: the daemon only keeps and compares it. `==` takes the same time
/// wherever two pins differ.
#[derive(Clone, Copy, Eq)]
pub struct Pin([u8; 32]);

/// What an upload has to do with the pin of its zone, in the same commit as the zone's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PinChange {
    /// What the pin has to be for anything to happen; the outer `None` is anything.
    pub expected: Option<Option<Pin>>,
    /// What it becomes; `None` leaves it.
    pub set: Option<Pin>,
}

impl Pin {
    /// The pin of no key: a zone that has it is changed by a better proof alone.
    pub const NOBODY: Pin = Pin([0; 32]);
}

impl From<[u8; 32]> for Pin {
    fn from(hash: [u8; 32]) -> Pin {
        Pin(hash)
    }
}

impl Pin {
    /// The hash.
    pub fn as_octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Pin {
    fn eq(&self, other: &Pin) -> bool {
        self.difference(other) == 0
    }
}

impl Pin {
    /// The bits in which any of the octets differ. To know them all octets have to be looked at, whatever the first ones are; a crate for these
    /// two lines would have to be kept, too.
    fn difference(&self, other: &Pin) -> u8 {
        self.0.iter().zip(&other.0).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

/// Says what the pin has to be: its digits, or [`PIN_NONE`].
pub(super) const PIN_MATCH: HeaderName = HeaderName::from_static("pin-match");

/// Says what the pin becomes.
pub(super) const PIN_SET: HeaderName = HeaderName::from_static("pin-set");

/// No pin at all.
pub(super) const PIN_NONE: &str = "none";

/// A text that is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPin;

impl fmt::Display for NotAPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pin has 64 hexadecimal digits")
    }
}

impl std::error::Error for NotAPin {}

impl FromStr for Pin {
    type Err = NotAPin;

    fn from_str(text: &str) -> Result<Pin, NotAPin> {
        let digits = text.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(NotAPin);
        }
        let value = |digit: u8| char::from(digit).to_digit(16).ok_or(NotAPin);
        for (octet, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *octet = (value(pair[0])? << 4 | value(pair[1])?) as u8;
        }
        Ok(Pin(hash))
    }
}

impl Serialize for Pin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pin, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_written_and_read_in_hexadecimal() {
        let pin = Pin::from(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(pin.to_string().parse(), Ok(pin));
        assert_eq!(pin.to_string().to_uppercase().parse(), Ok(pin));
        assert_eq!(serde_json::from_str::<Pin>(&serde_json::to_string(&pin).unwrap()).unwrap(), pin);
        for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"ä".repeat(32)] {
            assert_eq!(text.parse::<Pin>(), Err(NotAPin), "{text}");
        }
    }

    #[test]
    fn pins_differ_wherever_they_differ() {
        let pin = Pin::from([0; 32]);
        for at in 0..256 {
            let mut other = [0; 32];
            other[at / 8] = 1 << (at % 8);
            assert_ne!(pin, Pin::from(other));
        }
        assert_eq!(pin, Pin::from([0; 32]));
    }

    #[test]
    fn the_octets_behind_one_that_differs_are_looked_at_too() {
        // A comparison that ended at the first difference would not know of the others; how long it takes no test can tell for sure.
        let pin = Pin::from([0; 32]);
        for at in 1..32 {
            let mut other = [0; 32];
            (other[0], other[at]) = (0b01, 0b10);
            assert_eq!(pin.difference(&Pin::from(other)), 0b11, "octet {at}");
        }
    }
}
