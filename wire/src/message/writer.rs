//! Puts a message together in a buffer of the caller.

use core::fmt;

use super::compressed::POINTER;
use super::compressor::{FoundName, Match};
use super::{
    Compression, Compressor, EdnsFlags, Flags, HEADER_SIZE, Header, MESSAGE_SIZE_MAX, OptionCode, Question, Rcode,
    Section,
};
use crate::{Class, Name, RType};

/// A message in the making.
///
/// Every call that adds something either adds all of it or nothing, so that a caller may go on after [`Full`]: set
/// [`Flags::TC`], or leave out what was only of use. Nothing is written beyond the buffer or the size limit, and
/// nothing is allocated. [`Writer::finish`] writes the header.
#[derive(Debug)]
pub struct Writer<'b> {
    /// Cut to the size limit.
    buffer: &'b mut [u8],
    compressor: &'b mut Compressor,
    /// The identifier.
    pub id: u16,
    /// Flags and opcode; the response code in it is overwritten by `rcode`.
    pub flags: Flags,
    /// The response code; one above 15 needs an OPT record to stand in.
    pub rcode: Rcode,
    /// Whether names that differ in the case of letters share octets.
    pub compression: Compression,
    at: usize,
    reserved: usize,
    section: Section,
    question_count: u16,
    /// Whether the name of the question is not in the compressor yet; most answers never need it there.
    is_question_pending: bool,
    record_counts: [u16; 3],
    opt_at: Option<usize>,
}

/// The owner of a record that is written.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// A name, which is compressed.
    Name(Name<'a>),
    /// The name of the question, which [`Writer::question`] or [`Writer::question_octets`] has written.
    Question,
}

impl<'a> From<Name<'a>> for Owner<'a> {
    fn from(name: Name<'a>) -> Owner<'a> {
        Owner::Name(name)
    }
}

/// A state of a [`Writer`] that it can be put back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    at: usize,
    section: Section,
    question_count: u16,
    record_counts: [u16; 3],
    opt_at: Option<usize>,
    is_question_pending: bool,
    compressor_level: u8,
}

/// There is no room for this in the message; the message is as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room is left in the message: leave records out or raise its size limit")
    }
}

impl core::error::Error for Full {}

impl<'b> Writer<'b> {
    /// Starts a message of at most `size_max` octets, nor more than `buffer` or 65535.
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no room for the header.
    pub fn new(buffer: &'b mut [u8], size_max: usize, compressor: &'b mut Compressor) -> Result<Writer<'b>, Full> {
        let size = buffer.len().min(size_max).min(MESSAGE_SIZE_MAX);
        if size < HEADER_SIZE {
            return Err(Full);
        }
        compressor.clear();
        Ok(Writer {
            buffer: &mut buffer[..size],
            compressor,
            id: 0,
            flags: Flags::default(),
            rcode: Rcode::NOERROR,
            compression: Compression::default(),
            at: HEADER_SIZE,
            reserved: 0,
            section: Section::Answer,
            question_count: 0,
            is_question_pending: false,
            record_counts: [0; 3],
            opt_at: None,
        })
    }

    /// Octets written so far, the header included.
    pub fn len(&self) -> usize {
        self.at
    }

    /// Whether nothing but room for the header is there yet.
    pub fn is_empty(&self) -> bool {
        self.at == HEADER_SIZE
    }

    /// Octets that can still be written, those set aside by [`Writer::reserve`] left out.
    pub fn room(&self) -> usize {
        self.buffer.len() - self.reserved - self.at
    }

    /// Records written to a section so far, OPT included.
    pub fn record_count(&self, section: Section) -> u16 {
        self.record_counts[section as usize]
    }

    /// Sets `octets` aside for [`Writer::opt`], so that records cannot use them up.
    ///
    /// # Errors
    ///
    /// [`Full`] when there are not as many left.
    pub fn reserve(&mut self, octets: usize) -> Result<(), Full> {
        if octets > self.room() {
            return Err(Full);
        }
        self.reserved += octets;
        Ok(())
    }

    /// The present state, to come back to.
    pub fn mark(&self) -> Mark {
        Mark {
            at: self.at,
            section: self.section,
            question_count: self.question_count,
            record_counts: self.record_counts,
            opt_at: self.opt_at,
            is_question_pending: self.is_question_pending,
            compressor_level: self.compressor.level(),
        }
    }

    /// Takes back everything that was written after `mark` was taken from this writer.
    pub fn rollback(&mut self, mark: Mark) {
        self.at = mark.at;
        self.section = mark.section;
        self.question_count = mark.question_count;
        self.record_counts = mark.record_counts;
        self.opt_at = mark.opt_at;
        self.is_question_pending = mark.is_question_pending;
        self.compressor.forget_since(mark.compressor_level);
    }

    /// Adds a question; only before the first record.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn question(&mut self, question: Question<'_>) -> Result<(), Full> {
        let [t, ype] = question.qtype.0.to_be_bytes();
        let [c, lass] = question.qclass.0.to_be_bytes();
        self.all_or_nothing(|writer| {
            writer.name(question.qname.as_wire())?;
            writer.array([t, ype, c, lass])?;
            writer.question_count += 1;
            Ok(())
        })
    }

    /// Adds the question of a request as it stands there, name, type and class; only before anything else.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn question_octets(&mut self, octets: &[u8]) -> Result<(), Full> {
        debug_assert!(self.is_empty(), "the question of a request comes first");
        self.octets(octets)?;
        self.question_count += 1;
        self.is_question_pending = true;
        Ok(())
    }

    /// Adds one record; a name in its RDATA is compressed if its type is of RFC 1035 (RFC 3597 §4).
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn record<'a>(
        &mut self,
        section: Section,
        owner: impl Into<Owner<'a>>,
        rtype: RType,
        class: Class,
        ttl: u32,
        rdata: &[u8],
    ) -> Result<(), Full> {
        self.rrset(section, owner, rtype, class, ttl, [rdata])
    }

    /// Adds the records of an RRset, one for each RDATA, or none of them.
    ///
    /// RDATA is uncompressed wire form. Sections come in their order.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn rrset<'a, 'r>(
        &mut self,
        section: Section,
        owner: impl Into<Owner<'a>>,
        rtype: RType,
        class: Class,
        ttl: u32,
        rdatas: impl IntoIterator<Item = &'r [u8]>,
    ) -> Result<(), Full> {
        debug_assert!(section >= self.section, "sections are written in their order");
        let names = CompressibleNames::of(rtype);
        let [t, ype] = rtype.0.to_be_bytes();
        let [c, lass] = class.0.to_be_bytes();
        let [t3, t2, t1, t0] = ttl.to_be_bytes();
        let owner = owner.into();
        self.all_or_nothing(|writer| {
            writer.section = section;
            // All records but the first point to the owner of the first, if its offset fits into a pointer.
            let (mut pointer, owner) = match owner {
                Owner::Question => (Some(QUESTION_POINTER), Name::ROOT),
                Owner::Name(name) => (None, name),
            };
            let mut count = writer.record_counts[section as usize];
            for rdata in rdatas {
                let [size, size_low] = u16::try_from(rdata.len()).map_err(|_| Full)?.to_be_bytes();
                match pointer {
                    Some(pointer) => {
                        let [p, ointer] = pointer.to_be_bytes();
                        writer.array([p, ointer, t, ype, c, lass, t3, t2, t1, t0, size, size_low])?;
                    }
                    None => {
                        pointer = writer.name(owner.as_wire())?;
                        writer.array([t, ype, c, lass, t3, t2, t1, t0, size, size_low])?;
                    }
                }
                match names.count {
                    0 => writer.octets(rdata)?,
                    _ => writer.rdata_with_names(rdata, names)?,
                }
                count = count.checked_add(1).ok_or(Full)?;
            }
            writer.record_counts[section as usize] = count;
            Ok(())
        })
    }

    /// Adds the OPT record (RFC 6891); may use the octets set aside by [`Writer::reserve`]. Once a message.
    ///
    /// The high bits of the response code are filled in by [`Writer::finish`]; the version is 0.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn opt(
        &mut self,
        udp_payload_size: u16,
        flags: EdnsFlags,
        options: &[(OptionCode, &[u8])],
    ) -> Result<(), Full> {
        debug_assert!(self.opt_at.is_none(), "a message has one OPT record");
        let reserved = core::mem::take(&mut self.reserved);
        let result = self.all_or_nothing(|writer| {
            let at = writer.at;
            let [o, pt] = RType::OPT.0.to_be_bytes();
            let [size, size_low] = udp_payload_size.to_be_bytes();
            let [flag, flag_low] = flags.0.to_be_bytes();
            writer.array([0, o, pt, size, size_low, 0, 0, flag, flag_low])?;
            writer.counted(|writer| {
                for (code, octets) in options {
                    writer.array(code.0.to_be_bytes())?;
                    writer.counted(|writer| writer.octets(octets))?;
                }
                Ok(())
            })?;
            writer.section = Section::Additional;
            writer.record_counts[Section::Additional as usize] += 1;
            writer.opt_at = Some(at);
            Ok(())
        });
        if result.is_err() {
            self.reserved = reserved;
        }
        result
    }

    /// Writes the header; returns the octets of the message, which stands at the start of the buffer.
    ///
    /// A response code above 15 in a message without OPT cannot be expressed; it becomes SERVFAIL, not its low bits.
    pub fn finish(self) -> usize {
        let rcode = match self.opt_at {
            Some(at) => {
                self.buffer[at + OPT_RCODE_OFFSET] = self.rcode.high();
                self.rcode
            }
            None if self.rcode.high() != 0 => Rcode::SERVFAIL,
            None => self.rcode,
        };
        let header = Header {
            id: self.id,
            flags: self.flags.with_rcode(rcode),
            question_count: self.question_count,
            record_counts: self.record_counts,
        };
        self.buffer[..HEADER_SIZE].copy_from_slice(&header.to_wire());
        self.at
    }

    fn all_or_nothing(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Full>) -> Result<(), Full> {
        let mark = self.mark();
        let result = write(self);
        if result.is_err() {
            self.rollback(mark);
        }
        result
    }

    #[inline]
    fn octets(&mut self, octets: &[u8]) -> Result<(), Full> {
        let limit = self.buffer.len() - self.reserved;
        let room = self.buffer.get_mut(self.at..limit).ok_or(Full)?;
        room.get_mut(..octets.len()).ok_or(Full)?.copy_from_slice(octets);
        self.at += octets.len();
        Ok(())
    }

    /// As [`Writer::octets`], without a call to copy them.
    #[inline]
    fn array<const N: usize>(&mut self, octets: [u8; N]) -> Result<(), Full> {
        let limit = self.buffer.len() - self.reserved;
        let room = self.buffer.get_mut(self.at..limit).ok_or(Full)?;
        *room.first_chunk_mut().ok_or(Full)? = octets;
        self.at += N;
        Ok(())
    }

    /// Writes what `write` writes, behind the number of its octets in two octets.
    fn counted(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Full>) -> Result<(), Full> {
        let at = self.at;
        self.array([0, 0])?;
        write(self)?;
        self.count_octets_since(at + 2)
    }

    /// Writes the number of octets from `start` on into the two octets before `start`.
    #[inline]
    fn count_octets_since(&mut self, start: usize) -> Result<(), Full> {
        let size = u16::try_from(self.at - start).map_err(|_| Full)?;
        self.buffer[start - 2..start].copy_from_slice(&size.to_be_bytes());
        Ok(())
    }

    /// Writes RDATA, and corrects its size, which stands before it.
    fn rdata_with_names(&mut self, rdata: &[u8], names: CompressibleNames) -> Result<(), Full> {
        let start = self.at;
        let (skipped, mut rest) = rdata.split_at_checked(names.skip).unwrap_or((rdata, &[]));
        self.octets(skipped)?;
        for _ in 0..names.count {
            let Some(name) = FoundName::find(rest) else { break };
            self.found_name(name)?;
            rest = rest.get(name.wire().len()..).unwrap_or_default();
        }
        // What is left behind the names; or all of it, where there is no name although the type wants one.
        self.octets(rest)?;
        self.count_octets_since(start)
    }

    /// Writes a name, compressed; returns a pointer to it, if its offset fits into one.
    fn name(&mut self, wire: &[u8]) -> Result<Option<u16>, Full> {
        match FoundName::find(wire) {
            Some(name) => self.found_name(name),
            None => self.octets(wire).map(|()| None),
        }
    }

    fn found_name(&mut self, name: FoundName<'_>) -> Result<Option<u16>, Full> {
        if self.is_question_pending {
            self.remember_question();
        }
        let at = self.at;
        let found = self.compressor.find(self.buffer, name, self.compression);
        if found.prefix > 0 {
            self.octets(&name.wire()[..found.prefix])?;
        }
        match found.pointer {
            Some(pointer) => self.array(pointer.to_be_bytes())?,
            None => self.array([0])?,
        }
        if found.prefix == 0 {
            return Ok(found.pointer);
        }
        self.compressor.remember(name, found, at);
        Ok(u16::try_from(at).ok().filter(|&at| at < 0x4000).map(|at| u16::from(POINTER) << 8 | at))
    }

    #[cold]
    fn remember_question(&mut self) {
        self.is_question_pending = false;
        let question = self.buffer.get(HEADER_SIZE..self.at).unwrap_or_default();
        if let Some(name) = FoundName::find(question) {
            self.compressor.remember(name, Match::nothing(name), HEADER_SIZE);
        }
    }
}

/// Where the RDATA of a type has names that are compressed: those that RFC 1035 knew (RFC 3597 §4).
///
/// All of these types are of one shape, so that no walk over the table of types is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressibleNames {
    /// Octets before the first name.
    pub skip: usize,
    /// Names, one behind the other; 0 for types whose names are never compressed.
    pub count: u8,
}

impl CompressibleNames {
    /// Those of a type.
    #[inline]
    pub fn of(rtype: RType) -> CompressibleNames {
        let (skip, count) = match rtype {
            RType::NS | RType::CNAME | RType::PTR | RType::MD | RType::MF | RType::MB | RType::MG | RType::MR => (0, 1),
            RType::SOA | RType::MINFO => (0, 2),
            RType::MX => (2, 1),
            _ => (0, 0),
        };
        CompressibleNames { skip, count }
    }
}

/// A pointer to the name of the first question, which follows the header.
const QUESTION_POINTER: u16 = (POINTER as u16) << 8 | HEADER_SIZE as u16;

/// Offset within OPT of the response code's high bits: behind the root, type and class.
const OPT_RCODE_OFFSET: usize = 5;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::NameBuf;
    use crate::message::Reader;
    use crate::rdata;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    /// The octets behind the header of a message that `write` makes within `size_max` octets.
    fn written(size_max: usize, write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>) -> Result<Vec<u8>, Full> {
        let mut buffer = [0xee; 512];
        let mut compressor = Compressor::new();
        let mut writer = Writer::new(&mut buffer, size_max, &mut compressor)?;
        write(&mut writer)?;
        let size = writer.finish();
        assert!(size <= size_max && buffer[size_max.min(512)..].iter().all(|&octet| octet == 0xee));
        Ok(buffer[HEADER_SIZE..size].to_vec())
    }

    #[test]
    fn names_point_to_the_longest_end_that_was_written() {
        let message = written(512, |writer| {
            let qname = name("www.Example.com");
            writer.question(Question { qname: qname.as_name(), qtype: RType::A, qclass: Class::IN })?;
            writer.record(Section::Answer, Owner::Question, RType::A, Class::IN, 5, &[192, 0, 2, 1])?;
            let ns = name("ns.EXAMPLE.com");
            writer.record(
                Section::Authority,
                name("example.COM").as_name(),
                RType::NS,
                Class::IN,
                5,
                ns.as_name().as_wire(),
            )?;
            writer.record(Section::Additional, ns.as_name(), RType::A, Class::IN, 5, &[192, 0, 2, 2])
        });
        let expected: &[&[u8]] = &[
            b"\x03www\x07Example\x03com\x00\x00\x01\x00\x01",
            b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\xc0\x00\x02\x01",
            b"\xc0\x10\x00\x02\x00\x01\x00\x00\x00\x05\x00\x05\x02ns\xc0\x10",
            b"\xc0\x3d\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\xc0\x00\x02\x02",
        ];
        assert_eq!(message, Ok(expected.concat()));
    }

    #[test]
    fn only_the_types_of_rfc_1035_are_compressed() {
        let target = b"\x01t\x07example\x00";
        let rdata_of = |rtype: RType, rdata: &[u8]| {
            let owner = name("example");
            written(512, |writer| writer.record(Section::Answer, owner.as_name(), rtype, Class::IN, 0, rdata)).unwrap()
                [9 + 10..]
                .to_vec()
        };
        assert_eq!(rdata_of(RType::CNAME, target), b"\x01t\xc0\x0c");
        assert_eq!(rdata_of(RType::MX, &[&[0, 10], &target[..]].concat()), b"\x00\x0a\x01t\xc0\x0c");
        assert_eq!(rdata_of(RType::MINFO, &[target, &target[..]].concat()), b"\x01t\xc0\x0c\xc0\x1f");
        for (rtype, front) in [(RType::SRV, 6), (RType::DNAME, 0), (RType::SVCB, 2), (RType::RP, 0), (RType(65280), 0)]
        {
            let rdata = [&[0].repeat(front), &target[..]].concat();
            assert_eq!(rdata_of(rtype, &rdata), rdata);
        }
        // A name that is none is written as it is, not dropped.
        assert_eq!(rdata_of(RType::NS, b"\x40"), b"\x40");
        assert_eq!(rdata_of(RType::MX, b"\x00"), b"\x00");
    }

    #[test]
    fn the_shape_of_compressible_rdata_agrees_with_the_table_of_types() {
        for row in rdata::table::ROWS {
            let names = CompressibleNames::of(row.rtype);
            let is_name =
                |field: &&rdata::Field| matches!(field.kind, rdata::Kind::Name(rule) if rule.is_compressible());
            assert_eq!(row.fields.iter().filter(is_name).count(), usize::from(names.count), "{}", row.rtype);
        }
        for (rtype, skip) in [(RType::MX, 2), (RType::SOA, 0), (RType::NS, 0)] {
            assert_eq!(CompressibleNames::of(rtype).skip, skip);
        }
    }

    #[test]
    fn an_rrset_is_written_whole_or_not_at_all() {
        let addresses: [&[u8]; 2] = [&[192, 0, 2, 1], &[192, 0, 2, 2]];
        let owner = name("a.example");
        // The header, the owner and the first record's rest, a pointer and the second's.
        let size = HEADER_SIZE + 11 + 14 + 2 + 14;
        let write =
            |writer: &mut Writer<'_>| writer.rrset(Section::Answer, owner.as_name(), RType::A, Class::IN, 0, addresses);
        assert_eq!(written(size, write).map(|octets| octets.len()), Ok(size - HEADER_SIZE));
        for size_max in HEADER_SIZE..size {
            let octets = written(size_max, |writer| {
                assert_eq!(write(writer), Err(Full));
                assert_eq!((writer.len(), writer.record_count(Section::Answer)), (HEADER_SIZE, 0));
                // Nothing may point to the owner that was taken back.
                assert_eq!(writer.name(name("example").as_name().as_wire()).is_ok(), size_max >= HEADER_SIZE + 9);
                Ok(())
            });
            assert!(octets.unwrap().iter().all(|&octet| octet < 0xc0));
        }
    }

    #[test]
    fn a_mark_takes_names_and_counts_back() {
        let (a, b) = (name("a.example"), name("b.example"));
        let octets = written(512, |writer| {
            writer.record(Section::Answer, a.as_name(), RType::A, Class::IN, 0, &[192, 0, 2, 1])?;
            let mark = writer.mark();
            writer.record(Section::Authority, b.as_name(), RType::TXT, Class::IN, 0, b"\x00")?;
            writer.rollback(mark);
            assert_eq!(writer.record_count(Section::Authority), 0);
            writer.record(Section::Answer, b.as_name(), RType::A, Class::IN, 0, &[192, 0, 2, 2])
        })
        .unwrap();
        assert_eq!(octets[25..29], *b"\x01b\xc0\x0e");
    }

    #[test]
    fn reserved_room_is_for_opt_alone() {
        let owner = name("a");
        let write = |size_max| {
            written(size_max, |writer| {
                writer.reserve(OPT_SIZE)?;
                let record = writer.record(Section::Answer, owner.as_name(), RType::A, Class::IN, 0, &[192, 0, 2, 1]);
                assert_eq!(record.is_ok(), writer.len() > HEADER_SIZE);
                writer.rcode = Rcode::BADVERS;
                writer.opt(1232, EdnsFlags::DO, &[(OptionCode::NSID, b"ns")])
            })
        };
        const OPT_SIZE: usize = 11 + 4 + 2;
        let opt = b"\x00\x00\x29\x04\xd0\x01\x00\x80\x00\x00\x06\x00\x03\x00\x02ns";
        assert_eq!(write(HEADER_SIZE + OPT_SIZE - 1), Err(Full));
        assert_eq!(write(HEADER_SIZE + OPT_SIZE + 16), Ok(opt.to_vec()));
        assert_eq!(write(HEADER_SIZE + OPT_SIZE + 17).map(|octets| octets.len()), Ok(OPT_SIZE + 17));
    }

    #[test]
    fn an_extended_code_without_opt_is_a_failure_and_not_its_low_bits() {
        let rcode = |rcode, with_opt: bool| {
            let (mut buffer, mut compressor) = ([0; 512], Compressor::new());
            let mut writer = Writer::new(&mut buffer, 512, &mut compressor).unwrap();
            if with_opt {
                writer.opt(1232, EdnsFlags::default(), &[]).unwrap();
            }
            writer.rcode = rcode;
            let size = writer.finish();
            let reader = Reader::new(&buffer[..size]).unwrap();
            let flags = reader.header().flags;
            Rcode::from_parts(flags, reader.edns().unwrap().map_or(0, |edns| edns.rcode_high))
        };
        assert_eq!(rcode(Rcode::BADVERS, true), Rcode::BADVERS);
        assert_eq!(rcode(Rcode::BADVERS, false), Rcode::SERVFAIL);
        assert_eq!(rcode(Rcode::REFUSED, false), Rcode::REFUSED);
    }

    #[test]
    fn names_beyond_a_pointers_reach_are_written_out() {
        let mut buffer = alloc::vec![0; MESSAGE_SIZE_MAX + 1];
        let mut compressor = Compressor::new();
        let mut writer = Writer::new(&mut buffer, usize::MAX, &mut compressor).unwrap();
        let owner = name("far.example");
        let txt = [255].repeat(256);
        while writer.len() <= 0x4000 {
            writer.record(Section::Answer, Name::ROOT, RType::TXT, Class::IN, 0, &txt).unwrap();
        }
        let at = writer.len();
        let twice: [&[u8]; 2] = [b"\x00", b"\x00"];
        writer.rrset(Section::Answer, owner.as_name(), RType::TXT, Class::IN, 0, twice).unwrap();
        while writer.record(Section::Answer, Name::ROOT, RType::TXT, Class::IN, 0, &txt).is_ok() {}
        let size = writer.finish();
        assert!(size <= MESSAGE_SIZE_MAX && size + 256 + 11 > MESSAGE_SIZE_MAX);
        let octets = owner.as_name().as_wire();
        assert!(buffer[at..].starts_with(octets) && buffer[at + octets.len() + 11..].starts_with(octets));
    }
}
