//! A zone as a sequence of messages: AXFR (RFC 5936), and IXFR answered with the whole zone (RFC 1995).

use std::fmt;

use nss_wire::message::writer::Owner;
use nss_wire::message::{
    Compressor, EdnsFlags, Flags, Full, Header, MESSAGE_SIZE_MAX, Question, Rcode, Section, Writer,
};
use nss_wire::name::NAME_SIZE_MAX;
use nss_wire::{RType, Record};

use crate::respond::OPT_SIZE;
use crate::zone::Zone;

/// A request for a zone over a stream.
///
/// Nothing has been decided about it: the caller knows which addresses may transfer which zones, and either streams
/// [`Messages`] or answers with [`View::refuse_transfer`](crate::View::refuse_transfer).
pub struct Transfer {
    zone: Zone,
    wanted: Wanted,
    id: u16,
    flags: Flags,
    /// Payload size and flags of the OPT record to send, if there is one to send.
    edns: Option<(u16, EdnsFlags)>,
    question: [u8; NAME_SIZE_MAX + 4],
    question_size: usize,
}

/// What a transfer request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// AXFR: the zone.
    Whole,
    /// IXFR: what has changed since the version with this serial.
    Since(u32),
}

impl Wanted {
    /// What a question of type `qtype` wants, if it is about a transfer; the response code if nobody can know.
    pub(crate) fn new(qtype: RType, ixfr_serial: Option<u32>) -> Result<Option<Wanted>, Rcode> {
        match qtype {
            RType::AXFR => Ok(Some(Wanted::Whole)),
            // RFC 1995 §3: the serial stands in the authority section.
            RType::IXFR => ixfr_serial.map(|serial| Some(Wanted::Since(serial))).ok_or(Rcode::FORMERR),
            // Obsolete since 1987, and never more than an idea (RFC 1035 §3.2.3).
            RType::MAILA | RType::MAILB => Err(Rcode::NOTIMP),
            // Types of RRs in the additional section, and of nothing else (RFC 6891, RFC 8945, RFC 2930, RFC 9824 §3.4).
            RType::OPT | RType::TSIG | RType::TKEY | RType::NXNAME => Err(Rcode::FORMERR),
            _ => Ok(None),
        }
    }
}

impl Transfer {
    pub(crate) fn new(
        zone: Zone,
        wanted: Wanted,
        header: Header,
        question: Question<'_>,
        edns: Option<(u16, EdnsFlags)>,
    ) -> Transfer {
        let Question { qname, qtype, .. } = question;
        let mut question = [0; NAME_SIZE_MAX + 4];
        let size = qname.wire_len();
        question[..size].copy_from_slice(qname.as_wire());
        question[size..size + 2].copy_from_slice(&qtype.0.to_be_bytes());
        question[size + 2..size + 4].copy_from_slice(&zone.class().0.to_be_bytes());
        let flags = Flags(header.flags.0 & Flags::RD.0).with(Flags::QR);
        Transfer { zone, wanted, id: header.id, flags, edns, question, question_size: size + 4 }
    }

    /// The zone, in the version that was served when the request came.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether the whole zone is asked for, or what is new.
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    fn open<'b>(&self, out: &'b mut [u8], compressor: &'b mut Compressor) -> Result<Writer<'b>, Full> {
        let mut writer = Writer::new(out, MESSAGE_SIZE_MAX, compressor)?;
        writer.id = self.id;
        writer.flags = self.flags;
        writer.question_octets(&self.question[..self.question_size])?;
        Ok(writer)
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transfer({:?} of {:?})", self.wanted, self.zone)
    }
}

/// The messages of a transfer, made one by one as the stream takes them.
///
/// The SOA record is the first record and the last; in between are all others in canonical order. A peer that has the
/// zone's serial or a later one gets the SOA record alone (RFC 1995 §2).
pub struct Messages {
    transfer: Transfer,
    compressor: Compressor,
    place: Place,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    FirstSoa,
    /// A record by its node's position in the zone and its own number within the node.
    Record {
        node: usize,
        number: usize,
    },
    LastSoa,
    End,
}

impl Messages {
    /// The messages that answer a request.
    pub fn new(transfer: Transfer) -> Messages {
        Messages { transfer, compressor: Compressor::new(), place: Place::FirstSoa }
    }

    /// The request that is answered.
    pub fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// Writes the next message to the start of `out`, without the length that goes before it in a stream.
    ///
    /// Returns its octets, or `None` after the last. `out` should have 65535 octets: a message is as long as it allows,
    /// and an `out` with no room for a record ends the transfer early, which the peer takes as an error.
    pub fn next(&mut self, out: &mut [u8]) -> Option<usize> {
        if self.place == Place::End {
            return None;
        }
        let Messages { transfer, compressor, place } = self;
        let zone = &transfer.zone;
        let mut writer = transfer.open(out, compressor).ok()?;
        writer.flags = writer.flags.with(Flags::AA);
        let start = *place;
        // RFC 5936 §2.2.5: OPT in the first message answers that of the request.
        let edns = transfer.edns.filter(|_| start == Place::FirstSoa);
        if edns.is_some() {
            writer.reserve(OPT_SIZE).ok()?;
        }
        if *place == Place::FirstSoa {
            write_soa(&mut writer, zone).ok()?;
            *place = if is_current(transfer) { Place::End } else { Place::Record { node: 0, number: 1 } };
        }
        while let Place::Record { node: position, number } = *place {
            if position == zone.name_count() {
                *place = Place::LastSoa;
                break;
            }
            let node = zone.node(position);
            let mut written = number;
            let all = zone.records_of(node).skip(number).try_for_each(|record| {
                write(&mut writer, record)?;
                written += 1;
                Ok::<(), Full>(())
            });
            match all {
                Ok(()) => *place = Place::Record { node: position + 1, number: 0 },
                Err(Full) => {
                    *place = Place::Record { node: position, number: written };
                    break;
                }
            }
        }
        if *place == Place::LastSoa && write_soa(&mut writer, zone).is_ok() {
            *place = Place::End;
        }
        if *place == start {
            *place = Place::End;
            return None;
        }
        if let Some((payload_size, flags)) = edns {
            writer.opt(payload_size, flags, &[]).ok()?;
        }
        Some(writer.finish())
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Messages({:?} at {:?})", self.transfer, self.place)
    }
}

/// Whether the asker has the version already (RFC 1995 §2), by serial number arithmetic (RFC 1982 §3.2).
fn is_current(transfer: &Transfer) -> bool {
    match transfer.wanted {
        Wanted::Whole => false,
        Wanted::Since(serial) => serial.wrapping_sub(transfer.zone.serial()) < 1 << 31,
    }
}

fn write_soa(writer: &mut Writer<'_>, zone: &Zone) -> Result<(), Full> {
    write(writer, zone.soa())
}

fn write(writer: &mut Writer<'_>, record: Record<'_>) -> Result<(), Full> {
    let Record { owner, rtype, class, ttl, rdata } = record;
    writer.record(Section::Answer, Owner::Name(owner), rtype, class, ttl, rdata)
}
