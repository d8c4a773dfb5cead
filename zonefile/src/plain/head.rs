//! TTL, class and type of a record.

use nss_wire::{Class, RType};

use super::digits::decimal;
use super::line::{Line, key};

/// What stands between owner and RDATA.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// The TTL, when one is written.
    pub(super) ttl: Option<u32>,
    pub(super) rtype: RType,
}

/// Heads that were read lately: a zone of a million records has half a dozen of them, written in the same octets
/// again and again.
#[derive(Debug)]
pub(super) struct Heads {
    known: [Known; KNOWN_MAX],
    count: usize,
    /// The one that the next new one takes the place of.
    oldest: usize,
}

/// The types of a signed zone with two TTLs.
const KNOWN_MAX: usize = 8;

/// The octets of a known head at most: `172800 IN NSEC3` and a blank.
const HEAD_SIZE_MAX: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Known {
    /// The text with the blanks behind it.
    text: u128,
    /// All bits of the octets that the text takes.
    mask: u128,
    size: u32,
    head: Head,
}

impl Heads {
    pub(super) fn new() -> Heads {
        let none = Known { text: 0, mask: 0, size: 0, head: Head { ttl: None, rtype: RType(0) } };
        Heads { known: [none; KNOWN_MAX], count: 0, oldest: 0 }
    }

    /// Reads the head that stands at the line's next word, and goes on behind it; the class has to be `class`.
    #[inline(always)]
    pub(super) fn read(&mut self, line: &mut Line<'_>, class: Class) -> Option<Head> {
        let text = u128::from_le_bytes(*line.block().first_chunk()?);
        for known in self.known.iter().take(self.count) {
            if text & known.mask == known.text {
                let mut behind = *line;
                // One blank more makes it another head.
                if behind.pass_known(known.size).is_none() {
                    break;
                }
                *line = behind;
                return Some(known.head);
            }
        }
        let (head, behind) = self.learn(*line, text, class)?;
        *line = behind;
        Some(head)
    }

    #[inline(never)]
    fn learn<'a>(&mut self, mut line: Line<'a>, text: u128, class: Class) -> Option<(Head, Line<'a>)> {
        let start = line.at();
        let head = read(&mut line, class)?;
        let size = line.at() - start;
        // Without a blank behind it `NS` would be known, and the start of `NSEC` taken for it.
        let is_closed = matches!(line.text[line.at() - 1], b' ' | b'\t');
        if is_closed && size <= HEAD_SIZE_MAX {
            let mask = u128::MAX >> (128 - 8 * size);
            let place = if self.count < KNOWN_MAX { self.count } else { self.oldest };
            self.known[place] = Known { text: text & mask, mask, size: size as u32, head };
            self.count = self.count.max(place + 1);
            self.oldest = (place + 1) % KNOWN_MAX;
        }
        Some((head, line))
    }
}

/// TTL and class in any order, each at most once, and the type.
fn read(line: &mut Line<'_>, expected: Class) -> Option<Head> {
    let (mut ttl, mut has_class) = (None, false);
    loop {
        let word = line.word()?;
        if word.block[0].is_ascii_digit() {
            // Eight digits are less than the largest TTL.
            if ttl.replace(decimal(word)?).is_some() {
                return None;
            }
            continue;
        }
        let word = word.key()?;
        if word != const { key("IN") } {
            return Some(Head { ttl, rtype: rtype(word)? });
        }
        if has_class || expected != Class::IN {
            return None;
        }
        has_class = true;
    }
}

macro_rules! rtypes {
    ($word:expr, $($rtype:ident),*) => {{
        $(if $word == const { key(stringify!($rtype)) } { return Some(RType::$rtype); })*
        None
    }};
}

/// The types that are read from plain lines.
fn rtype(word: u64) -> Option<RType> {
    rtypes!(word, NS, A, AAAA, DS, RRSIG, NSEC3, NSEC, MX, CNAME, TXT, SRV, PTR, DNSKEY, CAA, CDNSKEY, CDS, DNAME)
}

/// The types that lists of types have, with those whose records are not read from plain lines.
pub(super) fn listed_rtype(word: u64) -> Option<RType> {
    rtype(word).or_else(|| rtypes!(word, SOA, TLSA, SVCB, HTTPS, SSHFP, NAPTR, LOC, HINFO, CSYNC, ZONEMD))
}
