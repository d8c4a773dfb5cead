//! The addresses of an answer, each time with another one first.
//!
//! It is done to the finished answer, so that whoever wrote it need not know of it: addresses are as long as each other,
//! and no name in a message points into one, so that they can change places within their records.

use nss_wire::RType;
use nss_wire::message::HEADER_SIZE;

/// Whose turn it is.
///
/// The types count apart: a client that always asks for both would else get every second order only.
#[derive(Debug, Default)]
pub(crate) struct Rotation {
    a: u32,
    aaaa: u32,
}

impl Rotation {
    /// Moves the addresses in the answer section of a message on by one more place than the last time.
    pub(crate) fn turn(&mut self, message: &mut [u8]) {
        // What has no addresses, or is no answer as this server writes it, stays as it is.
        let _ = self.turn_addresses(message);
    }

    fn turn_addresses(&mut self, message: &mut [u8]) -> Option<()> {
        let &[_, _, _, _, 0, 1, count, count2, ..] = &*message else { return None };
        let mut left = usize::from(u16::from_be_bytes([count, count2]));
        let mut at = behind_name(message, HEADER_SIZE)? + 4;
        // Aliases come first, signatures last.
        let (first, turn) = loop {
            left = left.checked_sub(1)?;
            let record = Found::read(message, at)?;
            match record.rtype {
                RType::A => break (record, &mut self.a),
                RType::AAAA => break (record, &mut self.aaaa),
                _ => at = record.end(),
            }
        };
        // The owners of all but the first are pointers to that of the first.
        let size = first.size;
        let mut places = Places { first: first.rdata_at, second: first.end() + RECORD_SIZE, size, count: 1 };
        while left > 0 && Found::read(message, places.end()).is_some_and(|record| record.is_next_of(&first, &places)) {
            places.count += 1;
            left -= 1;
        }
        let distance = *turn as usize % places.count;
        *turn = turn.wrapping_add(1);
        places.rotate(message, distance);
        Some(())
    }
}

/// A record in a message.
struct Found {
    rtype: RType,
    rdata_at: usize,
    size: usize,
}

impl Found {
    fn read(message: &[u8], at: usize) -> Option<Found> {
        let behind = behind_name(message, at)?;
        let &[t, ype, _, _, _, _, _, _, size, size2] = message.get(behind..)?.first_chunk()?;
        let size = usize::from(u16::from_be_bytes([size, size2]));
        Some(Found { rtype: RType(u16::from_be_bytes([t, ype])), rdata_at: behind + 10, size })
    }

    fn end(&self) -> usize {
        self.rdata_at + self.size
    }

    fn is_next_of(&self, first: &Found, places: &Places) -> bool {
        (self.rtype, self.size, self.rdata_at) == (first.rtype, first.size, places.end() + RECORD_SIZE)
    }
}

/// Where the data of an RRset stands.
struct Places {
    first: usize,
    second: usize,
    size: usize,
    count: usize,
}

impl Places {
    fn at(&self, index: usize) -> usize {
        match index {
            0 => self.first,
            _ => self.second + (index - 1) * (self.size + RECORD_SIZE),
        }
    }

    /// Where the record behind the last one starts.
    fn end(&self) -> usize {
        self.at(self.count - 1) + self.size
    }

    /// Brings the data that stands so many places behind the first to the first.
    fn rotate(&self, message: &mut [u8], distance: usize) {
        if distance == 0 {
            return;
        }
        self.reverse(message, 0, distance);
        self.reverse(message, distance, self.count);
        self.reverse(message, 0, self.count);
    }

    fn reverse(&self, message: &mut [u8], mut start: usize, mut end: usize) {
        while start + 1 < end {
            end -= 1;
            let (front, back) = message.split_at_mut(self.at(end));
            front[self.at(start)..][..self.size].swap_with_slice(&mut back[..self.size]);
            start += 1;
        }
    }
}

/// Where a name ends that starts there.
fn behind_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            // A compression pointer (RFC 1035 §4.1.4).
            0xc0.. => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

/// Octets of a record before its data, the owner being a pointer.
const RECORD_SIZE: usize = 12;
