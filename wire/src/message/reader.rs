//! Walks over a message: header, questions, records.

use core::fmt;
use core::ops::Range;

use alloc::vec::Vec;

use super::{CompressedName, Edns, EdnsError, HEADER_SIZE, Header, Question, Section};
use crate::rdata::{self, RdataError};
use crate::{Class, Name, NameError, RType};

/// A walk over the octets of one message; trusts nothing and never allocates.
///
/// Clone it to go back to a place.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    message: &'a [u8],
    header: Header,
    at: usize,
    questions_left: u16,
    section: Section,
    records_left: u16,
}

impl<'a> Reader<'a> {
    /// Starts behind the header.
    ///
    /// # Errors
    ///
    /// A message of less than twelve octets: nothing is known of it, not even whom to answer.
    pub fn new(message: &'a [u8]) -> Result<Reader<'a>, MessageError> {
        let header = Header::read(message).ok_or(MessageError::Truncated)?;
        Ok(Reader {
            message,
            header,
            at: HEADER_SIZE,
            questions_left: header.question_count,
            section: Section::Answer,
            records_left: header.record_count(Section::Answer),
        })
    }

    /// The header.
    pub fn header(&self) -> Header {
        self.header
    }

    /// The whole message.
    pub fn message(&self) -> &'a [u8] {
        self.message
    }

    /// Offset of what is read next.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next question; `None` after the last.
    ///
    /// Its name may not be compressed: nothing stands before the first question, and there is no other (RFC 9619).
    ///
    /// # Errors
    ///
    /// A broken name, or the end of the message within the question.
    pub fn question(&mut self) -> Result<Option<Question<'a>>, MessageError> {
        if self.questions_left == 0 {
            return Ok(None);
        }
        let (qname, rest) = Name::from_wire(self.message.get(self.at..).unwrap_or_default())?;
        let &[t, ype, c, lass] = rest.first_chunk().ok_or(MessageError::Truncated)?;
        self.questions_left -= 1;
        self.at += qname.wire_len() + 4;
        Ok(Some(Question {
            qname,
            qtype: RType(u16::from_be_bytes([t, ype])),
            qclass: Class(u16::from_be_bytes([c, lass])),
        }))
    }

    /// The next record of any section; `None` after the last. Questions not read yet are passed over.
    ///
    /// # Errors
    ///
    /// A broken owner, or the end of the message within the record. The RDATA is not looked at.
    pub fn record(&mut self) -> Result<Option<MessageRecord<'a>>, MessageError> {
        while self.question()?.is_some() {}
        while self.records_left == 0 {
            self.section = match self.section {
                Section::Answer => Section::Authority,
                Section::Authority => Section::Additional,
                Section::Additional => return Ok(None),
            };
            self.records_left = self.header.record_count(self.section);
        }
        let (owner, start) = CompressedName::read(self.message, self.at)?;
        let tail = self.message.get(start..).unwrap_or_default();
        let &[t, ype, c, lass, ttl @ .., size, size_low] = tail.first_chunk::<10>().ok_or(MessageError::Truncated)?;
        let [t3, t2, t1, t0] = ttl;
        let rdata_start = start + 10;
        let rdata_end = rdata_start + usize::from(u16::from_be_bytes([size, size_low]));
        if rdata_end > self.message.len() {
            return Err(MessageError::Truncated);
        }
        self.records_left -= 1;
        self.at = rdata_end;
        Ok(Some(MessageRecord {
            message: self.message,
            section: self.section,
            owner,
            rtype: RType(u16::from_be_bytes([t, ype])),
            class: Class(u16::from_be_bytes([c, lass])),
            ttl: u32::from_be_bytes([t3, t2, t1, t0]),
            rdata_range: rdata_start..rdata_end,
        }))
    }

    /// The octets behind the last record; empty for a message as it should be. Read all records first.
    pub fn trailing(&self) -> &'a [u8] {
        self.message.get(self.at..).unwrap_or_default()
    }

    /// Reads all that is left, and returns the OPT record among it.
    ///
    /// # Errors
    ///
    /// What [`Reader::record`] refuses, and what RFC 6891 wants answered with FORMERR: a second OPT, one whose owner is
    /// not the root, one outside the additional section, one with broken options.
    pub fn edns(mut self) -> Result<Option<Edns<'a>>, MessageError> {
        let mut edns = None;
        while let Some(record) = self.record()? {
            if record.rtype == RType::OPT {
                if edns.is_some() {
                    return Err(EdnsError::Second.into());
                }
                edns = Some(Edns::read(&record)?);
            }
        }
        Ok(edns)
    }
}

/// A record where it stands in a message.
#[derive(Clone, Debug)]
pub struct MessageRecord<'a> {
    message: &'a [u8],
    /// The section that the record stands in.
    pub section: Section,
    /// The name that the record belongs to.
    pub owner: CompressedName<'a>,
    /// What the RDATA means.
    pub rtype: RType,
    /// The class; in OPT the UDP payload size.
    pub class: Class,
    /// Time to live in seconds, as it stands there, at times above 2^31 - 1 (RFC 2181 §8); in OPT flags.
    pub ttl: u32,
    rdata_range: Range<usize>,
}

impl<'a> MessageRecord<'a> {
    /// The RDATA as it stands in the message; names in it may be compressed.
    pub fn raw_rdata(&self) -> &'a [u8] {
        self.message.get(self.rdata_range.clone()).unwrap_or_default()
    }

    /// Appends the RDATA to `out`, well-formed and with no compressed name in it.
    ///
    /// # Errors
    ///
    /// RDATA that is not as its type wants it; `out` is as before then.
    pub fn rdata(&self, out: &mut Vec<u8>) -> Result<(), RdataError> {
        rdata::decompress(self.rtype, self.message, self.rdata_range.clone(), out)
    }
}

/// Why octets are not a DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// The message ends within its header, a question or a record.
    Truncated,
    /// A name is broken.
    Name(NameError),
    /// EDNS is used in a way that RFC 6891 forbids.
    Edns(EdnsError),
}

impl From<NameError> for MessageError {
    fn from(error: NameError) -> MessageError {
        MessageError::Name(error)
    }
}

impl From<EdnsError> for MessageError {
    fn from(error: EdnsError) -> MessageError {
        MessageError::Edns(error)
    }
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageError::Truncated => f.write_str("the message ends within its header, a question or a record"),
            MessageError::Name(error) => fmt::Display::fmt(error, f),
            MessageError::Edns(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for MessageError {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x07Example\x00\x00\x01\x00\x01\
        \x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x06\x00\x03\x00\x02ns";

    #[test]
    fn a_query_is_read_to_its_end() {
        let mut reader = Reader::new(QUERY).unwrap();
        let question = reader.question().unwrap().unwrap();
        assert_eq!(question.qname.to_string(), "Example.");
        assert_eq!((question.qtype, question.qclass), (RType::A, Class::IN));
        assert_eq!(reader.question(), Ok(None));
        let edns = reader.clone().edns().unwrap().unwrap();
        assert_eq!((edns.udp_payload_size, edns.version), (1232, 0));
        assert!(edns.flags.contains(crate::message::EdnsFlags::DO));
        assert_eq!(edns.option(crate::message::OptionCode::NSID), Some(&b"ns"[..]));
        let record = reader.record().unwrap().unwrap();
        assert_eq!((record.section, record.rtype), (Section::Additional, RType::OPT));
        assert!(reader.record().unwrap().is_none() && reader.trailing().is_empty());
    }

    #[test]
    fn a_message_cut_short_anywhere_is_refused() {
        for size in 0..QUERY.len() {
            let end = Reader::new(&QUERY[..size]).and_then(Reader::edns);
            assert!(matches!(end, Err(MessageError::Truncated | MessageError::Name(NameError::Truncated))), "{size}");
        }
    }

    #[test]
    fn edns_is_refused_where_rfc_6891_wants_it_refused() {
        let edns = |counts: [u8; 3], records: &[u8]| {
            let header = [&[0; 7][..], &[counts[0], 0, counts[1], 0, counts[2]]].concat();
            let message = [&header[..], records].concat();
            Reader::new(&message).unwrap().edns().map(|edns| edns.map(|edns| edns.version))
        };
        let opt = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
        let refused = |error| Err(MessageError::Edns(error));
        assert_eq!(edns([0, 0, 0], b""), Ok(None));
        assert_eq!(edns([0, 0, 1], opt), Ok(Some(0)));
        assert_eq!(edns([0, 0, 2], &opt.repeat(2)), refused(EdnsError::Second));
        assert_eq!(edns([0, 1, 0], opt), refused(EdnsError::Section));
        assert_eq!(edns([0, 0, 1], b"\x01a\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"), refused(EdnsError::Owner));
        assert_eq!(
            edns([0, 0, 1], b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x03\x00\x03\x00"),
            refused(EdnsError::Options)
        );
        assert_eq!(
            edns([0, 0, 1], b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x04\x00\x03\x00\x01"),
            refused(EdnsError::Options)
        );
        // The options of a later version may be of any form.
        assert_eq!(edns([0, 0, 1], b"\x00\x00\x29\x04\xd0\x00\x07\x00\x00\x00\x03\x00\x03\x00"), Ok(Some(7)));
    }

    #[test]
    fn records_are_counted_by_section() {
        let message = b"\x00\x00\x84\x00\x00\x01\x00\x01\x00\x00\x00\x01\x01q\x00\x00\x02\x00\x01\
            \xc0\x0c\x00\x02\x00\x01\x00\x00\x00\x05\x00\x04\x01n\xc0\x0c\
            \xc0\x1f\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\xc0\x00\x02\x01tail";
        let mut reader = Reader::new(message).unwrap();
        let ns = reader.record().unwrap().unwrap();
        let mut rdata = Vec::new();
        ns.rdata(&mut rdata).unwrap();
        assert_eq!(
            (ns.section, ns.owner.to_string(), &rdata[..]),
            (Section::Answer, "q.".into(), &b"\x01n\x01q\x00"[..])
        );
        let a = reader.record().unwrap().unwrap();
        assert_eq!(
            (a.section, a.owner.to_string(), a.raw_rdata()),
            (Section::Additional, "n.q.".into(), &[192, 0, 2, 1][..])
        );
        assert!(reader.record().unwrap().is_none());
        assert_eq!(reader.trailing(), b"tail");
    }
}
