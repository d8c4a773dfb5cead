//! A packet in, a packet out: what is done with a request before and after its name is looked up.

use nss_wire::message::writer::Owner;
use nss_wire::message::{
    Compressor, Edns, EdnsError, EdnsFlags, ExtendedError, Flags, HEADER_SIZE, Header, MESSAGE_SIZE_MAX, MessageError,
    MessageRecord, Opcode, OptionCode, Question, Rcode, Reader, Section, Writer,
};
use nss_wire::name::NAME_SIZE_MAX;
use nss_wire::{Class, Name, NameBuf, RType};

use crate::ahead::{AHEAD_MAX, Ahead};
use crate::answer::{Answer, CHAIN_MAX};
use crate::catalog::View;
use crate::chaos;
use crate::cookie::{self, COOKIE_SIZE, Standing};
use crate::denial::Proofs;
use crate::policy::{NSID_SIZE_MAX, PADDING_BLOCK_SIZE, Peer, Policy, TEXT_SIZE_MAX, Transport, UDP_PAYLOAD_SIZE_MIN};
use crate::rotation::Rotation;
use crate::suffixes::Suffixes;
use crate::transfer::{Transfer, Wanted};
use crate::zone::Opened;

/// What came of a request.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation; a transfer is kept once a connection")]
pub enum Outcome {
    /// An answer to send.
    Reply(Reply),
    /// Nothing to send: not a request, or nothing of it could be read.
    Silent,
    /// A zone to send over the stream, if the peer may have it.
    Transfer(Transfer),
}

/// An answer, for sending and counting it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its octets, from the start of the buffer.
    pub len: usize,
    /// The response code.
    pub rcode: Rcode,
    /// What it says.
    pub kind: ReplyKind,
    /// How many labels of the question's name, from the right, it is about.
    ///
    /// All of them for a name that exists; those above a wildcard, of a cut, or of the owner of DNAME for names that such
    /// a one stands for; the apex for names that don't exist; none for errors. So all names that get what is really one
    /// answer have one subject, as a rate limit needs it.
    pub subject_labels: u8,
    /// Whether TC is set: something that belongs into it had no room.
    pub is_truncated: bool,
    /// Whether the request proved with a server cookie that its source address is not forged.
    pub has_valid_cookie: bool,
    /// Whether everybody who sends the same request, its ID apart, over the same transport gets the same reply, its ID apart.
    ///
    /// `false` may be said of any reply.
    pub is_for_everybody: bool,
}

/// What an answer says, as a counter or a rate limit wants to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyKind {
    /// Records that were asked for.
    Answer,
    /// The name exists, but has no such records.
    NoData,
    /// The name doesn't exist.
    NxDomain,
    /// Another zone's servers know more.
    Referral,
    /// Refused, not understood or not implemented.
    Error,
}

/// The memory that a view answers with; made once.
pub(crate) struct Scratch {
    pub(crate) suffixes: Suffixes,
    compressor: Compressor,
    chain: Vec<NameBuf>,
    pub(crate) proofs: Proofs,
    rotation: Rotation,
    pub(crate) ahead: Box<[Ahead; AHEAD_MAX]>,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch {
            suffixes: Suffixes::new(),
            compressor: Compressor::new(),
            chain: Vec::with_capacity(CHAIN_MAX),
            proofs: Proofs::default(),
            rotation: Rotation::default(),
            ahead: Box::new([Ahead::default(); AHEAD_MAX]),
        }
    }
}

impl View {
    /// Answers one request into `out`, which should have room for 65535 octets over TCP, and for
    /// [`Policy::udp_payload_size_max`] over UDP; a shorter buffer shortens the answers, and one of less than
    /// 512 octets silences them.
    ///
    /// Neither allocates, locks, waits nor panics, whatever the request.
    pub fn respond(&mut self, request: &[u8], peer: &Peer, policy: &Policy, out: &mut [u8]) -> Outcome {
        if out.len() < usize::from(UDP_PAYLOAD_SIZE_MIN) {
            return Outcome::Silent;
        }
        let outcome = match self.respond_fast(request, peer.transport, policy, out) {
            Some(reply) => Outcome::Reply(Reply { is_for_everybody: !policy.rotate, ..reply }),
            None => self.respond_to_any(request, peer, policy, out),
        };
        if policy.rotate
            && let Outcome::Reply(Reply { len, kind: ReplyKind::Answer, .. }) = outcome
        {
            self.scratch.rotation.turn(&mut out[..len]);
        }
        outcome
    }

    /// Answers a request that became an [`Outcome::Transfer`] and whose peer may not have the zone: REFUSED (RFC 5936 §2.2.1).
    ///
    /// Everything else is as for [`View::respond`].
    pub fn refuse_transfer(&mut self, request: &[u8], peer: &Peer, policy: &Policy, out: &mut [u8]) -> Outcome {
        let Some(request) = Request::accept(request, out) else { return Outcome::Silent };
        let mut envelope = Envelope::new(&request, peer, policy);
        envelope.fail(Rcode::REFUSED, Some(ExtendedError::PROHIBITED), out, &mut self.scratch.compressor)
    }

    /// Answers a request of any kind, the plain ones included.
    fn respond_to_any(&mut self, request: &[u8], peer: &Peer, policy: &Policy, out: &mut [u8]) -> Outcome {
        let Some(request) = Request::accept(request, out) else { return Outcome::Silent };
        let mut envelope = Envelope::new(&request, peer, policy);
        let question = match request.question(&envelope) {
            Ok(question) => question,
            Err(rcode) => return envelope.bare(rcode, out, &mut self.scratch.compressor),
        };
        if let Some(tsig) = &request.tsig {
            return envelope.unknown_key(tsig, policy.now, out, &mut self.scratch.compressor);
        }
        if let Some(text) = chaos::text(question, policy) {
            return envelope.text(question, text, out, &mut self.scratch.compressor);
        }
        self.answer(question, request.header, request.ixfr_serial, &mut envelope, peer.transport, out)
    }

    /// Finds the zone for a question and answers from it.
    fn answer(
        &mut self,
        question: Question<'_>,
        header: Header,
        ixfr_serial: Option<u32>,
        envelope: &mut Envelope<'_>,
        transport: Transport,
        out: &mut [u8],
    ) -> Outcome {
        let View { catalog, zones, scratch: Scratch { suffixes, compressor, chain, proofs, .. } } = self;
        let Question { qname, qtype, qclass } = question;
        suffixes.set(qname, catalog.hasher());
        let labels = suffixes.label_count();
        let wanted = match Wanted::new(qtype, ixfr_serial) {
            Ok(wanted) => wanted,
            Err(rcode) => return envelope.bare(rcode, out, compressor),
        };
        let mut place = zones.deepest(catalog, suffixes, labels);
        // RFC 4035 §3.1.4.1: DS is the parent's. Without the parent the child says that it has none.
        if qtype == RType::DS && place.is_some_and(|place| place.labels == labels) {
            let above = labels.checked_sub(1).and_then(|above| zones.deepest(catalog, suffixes, above));
            // The child is looked for again because the search for the parent may have seen it change or go.
            place = above.or_else(|| zones.deepest(catalog, suffixes, labels));
        }
        let Some((place, zone)) = place.and_then(|place| Some((place, zones.get(&place)?))) else {
            let rcode = if wanted.is_some() { Rcode::NOTAUTH } else { Rcode::REFUSED };
            return envelope.bare(rcode, out, compressor);
        };
        let opened = zone.open();
        if opened.class() != qclass {
            return envelope.bare(Rcode::REFUSED, out, compressor);
        }
        match (wanted, transport) {
            (None, _) => {}
            // RFC 5936 §2.2.1: a zone is transferred by its apex alone.
            (Some(_), _) if place.labels != labels => return envelope.bare(Rcode::NOTAUTH, out, compressor),
            (Some(wanted), Transport::Tcp | Transport::Tls) => {
                let edns = envelope.edns.map(|flags| (envelope.payload_size, flags));
                return Outcome::Transfer(Transfer::new(zone.clone(), wanted, header, question, edns));
            }
            // RFC 5936 §4.2: AXFR is for streams only.
            (Some(Wanted::Whole), Transport::Udp) => return envelope.bare(Rcode::FORMERR, out, compressor),
            // RFC 1995 §2, §4: the SOA record alone says what there is and sends the asker to TCP.
            (Some(Wanted::Since(_)), Transport::Udp) => {}
        }
        envelope.tell_version(opened);
        let own_hasher;
        let hasher = if opened.seed() == catalog.seed() {
            catalog.hasher()
        } else {
            own_hasher = opened.seed().hasher();
            suffixes.set(qname, &own_hasher);
            &own_hasher
        };
        let Some(mut writer) = envelope.open(out, compressor) else { return Outcome::Silent };
        let qtype = if wanted.is_some() { RType::SOA } else { qtype };
        chain.clear();
        proofs.clear();
        let with_signatures = envelope.wants_signatures();
        let answer = Answer { zone: opened, hasher, writer: &mut writer, suffixes, chain, with_signatures, proofs };
        let (kind, subject_labels) = answer.run(qname, qtype);
        envelope.close(writer, kind, subject_labels)
    }
}

/// What could be read of a request.
struct Request<'a> {
    header: Header,
    /// The last question, and the octets of the only one.
    question: Option<Question<'a>>,
    question_octets: &'a [u8],
    edns: Option<Edns<'a>>,
    tsig: Option<MessageRecord<'a>>,
    /// The serial in the authority section of an IXFR request (RFC 1995 §3).
    ixfr_serial: Option<u32>,
    /// Whether any of it is not as a message should be.
    is_broken: bool,
}

impl<'a> Request<'a> {
    /// Reads a message; `None` if it is met with silence.
    fn accept(message: &'a [u8], out: &[u8]) -> Option<Request<'a>> {
        let reader = Reader::new(message).ok()?;
        // An answer to an answer could go on for ever between two servers.
        let is_answer = reader.header().flags.contains(Flags::QR);
        (!is_answer && out.len() >= usize::from(UDP_PAYLOAD_SIZE_MIN)).then(|| Request::read(reader))
    }

    fn read(mut reader: Reader<'a>) -> Request<'a> {
        let header = reader.header();
        let mut request = Request {
            header,
            question: None,
            question_octets: &[],
            edns: None,
            tsig: None,
            ixfr_serial: None,
            is_broken: false,
        };
        if header.question_count == 1
            && let Ok(Some(question)) = reader.question()
        {
            request.question = Some(question);
            request.question_octets = &reader.message()[HEADER_SIZE..reader.offset()];
        }
        request.is_broken = request.records(reader).is_err();
        request
    }

    /// Reads what follows the question.
    fn records(&mut self, mut reader: Reader<'a>) -> Result<(), MessageError> {
        let mut records_left = REQUEST_RECORDS_MAX;
        while let Some(record) = reader.record()? {
            // Thousands of records whose names are pointers to pointers would be more work to read than any answer is.
            if records_left == 0 {
                return Err(MessageError::Truncated);
            }
            records_left -= 1;
            // RFC 8945 §5.1: TSIG is the last record, or the request is broken.
            if self.tsig.is_some() {
                return Err(MessageError::Truncated);
            }
            match record.rtype {
                RType::OPT if self.edns.is_some() => return Err(EdnsError::Second.into()),
                RType::OPT => self.edns = Some(Edns::read(&record)?),
                RType::TSIG if record.section == Section::Additional => self.tsig = Some(record),
                RType::SOA if record.section == Section::Authority => self.ixfr_serial = soa_serial(&record),
                _ => {}
            }
        }
        if reader.trailing().is_empty() { Ok(()) } else { Err(MessageError::Truncated) }
    }

    /// The question, or how to answer a request that has none or isn't a query.
    fn question(&self, envelope: &Envelope<'_>) -> Result<Question<'a>, Rcode> {
        // RFC 1996, RFC 2136 and RFC 8906 §3.1.4: requests of a kind that isn't implemented.
        if self.header.flags.opcode() != Opcode::QUERY {
            return Err(Rcode::NOTIMP);
        }
        if self.is_broken {
            return Err(Rcode::FORMERR);
        }
        if self.edns.is_some_and(|edns| edns.version > 0) {
            return Err(Rcode::BADVERS);
        }
        match (envelope.cookie, self.header.question_count, self.question) {
            (Cookie::Malformed, _, _) => Err(Rcode::FORMERR),
            (_, 1, Some(question)) => Ok(question),
            // RFC 7873 §5.4: without a question a request is about its cookie.
            (Cookie::Good(Standing::New | Standing::Valid, _), 0, _) => Err(Rcode::NOERROR),
            (Cookie::Good(Standing::Invalid, _), 0, _) => Err(Rcode::BADCOOKIE),
            // RFC 9619 §4: a query has one question.
            (Cookie::Absent | Cookie::Good(..), _, _) => Err(Rcode::FORMERR),
        }
    }
}

/// Records of a request at most; what has more is broken. None has a use for more than three: the SOA record of IXFR, OPT, and
/// TSIG or SIG(0). What else a client may send is passed over, but there is no need to read hundreds of it.
const REQUEST_RECORDS_MAX: usize = 16;

/// The serial of a SOA record in a message; the names before it may be compressed.
fn soa_serial(record: &MessageRecord<'_>) -> Option<u32> {
    let rdata = record.raw_rdata();
    (rdata.len() >= 20).then(|| crate::zone::soa_serial(rdata))
}

/// All of an answer but its records.
pub(crate) struct Envelope<'a> {
    id: u16,
    flags: Flags,
    question_octets: &'a [u8],
    size_max: usize,
    payload_size: u16,
    /// The flags of the OPT record to send, if there is one to send.
    edns: Option<EdnsFlags>,
    nsid: Option<&'a [u8]>,
    cookie: Cookie,
    /// The value of the keepalive option to send.
    keepalive: Option<[u8; 2]>,
    wants_zone_version: bool,
    /// The value of the zone version option to send.
    zone_version: Option<[u8; 6]>,
    /// Why there is no better answer.
    extended_error: Option<[u8; 2]>,
    is_padded: bool,
}

/// The COOKIE option of a request.
#[derive(Clone, Copy)]
enum Cookie {
    /// None, or none that the operator wants to know of.
    Absent,
    /// Of a size that RFC 7873 §5.2.2 forbids.
    Malformed,
    /// What it was worth, and what to answer.
    Good(Standing, [u8; COOKIE_SIZE]),
}

impl<'a> Envelope<'a> {
    fn new(request: &Request<'a>, peer: &Peer, policy: &'a Policy) -> Envelope<'a> {
        let (header, edns) = (request.header, request.edns);
        let option = |code| edns.and_then(|edns| edns.option(code));
        let cookie = match (&policy.cookies, option(OptionCode::COOKIE)) {
            (Some(secrets), Some(option)) => match cookie::exchange(option, peer.address, secrets, policy.now) {
                Some((standing, answer)) => Cookie::Good(standing, answer),
                None => Cookie::Malformed,
            },
            _ => Cookie::Absent,
        };
        let nsid = option(OptionCode::NSID).and(policy.nsid.as_deref());
        Envelope {
            id: header.id,
            flags: reply_flags(header.flags),
            question_octets: request.question_octets,
            size_max: size_max(edns.map(|edns| edns.udp_payload_size), peer.transport, policy),
            payload_size: payload_size(policy),
            edns: edns.map(|edns| reply_edns_flags(edns.flags)),
            nsid: nsid.map(|nsid| &nsid[..nsid.len().min(NSID_SIZE_MAX)]),
            cookie,
            keepalive: keepalive(option(OptionCode::TCP_KEEPALIVE), peer.transport, policy),
            // RFC 9660 §3.1: whatever a client may have put into it is ignored.
            wants_zone_version: option(OptionCode::ZONEVERSION).is_some(),
            zone_version: None,
            extended_error: None,
            is_padded: peer.transport == Transport::Tls && option(OptionCode::PADDING).is_some(),
        }
    }

    fn wants_signatures(&self) -> bool {
        self.edns.is_some_and(|flags| flags.contains(EdnsFlags::DO))
    }

    /// Starts the answer, with room for its end set aside.
    fn open<'b>(&self, out: &'b mut [u8], compressor: &'b mut Compressor) -> Option<Writer<'b>> {
        let mut writer = Writer::new(out, self.size_max, compressor).ok()?;
        writer.id = self.id;
        writer.flags = self.flags;
        if !self.question_octets.is_empty() {
            writer.question_octets(self.question_octets).ok()?;
        }
        if self.edns.is_some() {
            writer.reserve(self.opt_size()).ok()?;
        }
        Some(writer)
    }

    /// Ends the answer.
    fn close(&self, mut writer: Writer<'_>, kind: ReplyKind, subject_labels: u8) -> Outcome {
        self.opt(&mut writer);
        self.finish(writer, kind, subject_labels)
    }

    fn opt(&self, writer: &mut Writer<'_>) {
        let Some(flags) = self.edns else { return };
        let padding = PADDING.get(..self.padding_size(writer)).unwrap_or_default();
        let mut options: [(OptionCode, &[u8]); 6] = [(OptionCode::PADDING, padding); 6];
        let mut count = 0;
        for option in self.options().into_iter().flatten() {
            options[count] = option;
            count += 1;
        }
        // RFC 7830 §3 lets it stand anywhere; at the end its size is known.
        count += usize::from(self.is_padded);
        writer.opt(self.payload_size, flags, &options[..count]).expect("room was set aside for it");
    }

    fn finish(&self, writer: Writer<'_>, kind: ReplyKind, subject_labels: u8) -> Outcome {
        let (rcode, is_truncated) = (writer.rcode, writer.flags.contains(Flags::TC));
        let has_valid_cookie = matches!(self.cookie, Cookie::Good(Standing::Valid, _));
        let len = writer.finish();
        let is_for_everybody = false;
        Outcome::Reply(Reply { len, rcode, kind, subject_labels, is_truncated, has_valid_cookie, is_for_everybody })
    }

    /// All options but the padding.
    fn options(&self) -> [Option<(OptionCode, &[u8])>; 5] {
        let cookie = match &self.cookie {
            Cookie::Good(_, octets) => Some((OptionCode::COOKIE, &octets[..])),
            Cookie::Absent | Cookie::Malformed => None,
        };
        let keepalive = self.keepalive.as_ref().map(|octets| (OptionCode::TCP_KEEPALIVE, &octets[..]));
        let nsid = self.nsid.map(|octets| (OptionCode::NSID, octets));
        let zone_version = self.zone_version.as_ref().map(|octets| (OptionCode::ZONEVERSION, &octets[..]));
        let extended_error = self.extended_error.as_ref().map(|octets| (OptionCode::EXTENDED_ERROR, &octets[..]));
        [nsid, cookie, keepalive, zone_version, extended_error]
    }

    /// Octets of the OPT record with padding of none.
    fn opt_size(&self) -> usize {
        let options: usize = self.options().iter().flatten().map(|(_, octets)| 4 + octets.len()).sum();
        OPT_SIZE + options + if self.is_padded { 4 } else { 0 }
    }

    /// Octets of padding that make the message fill its last block, or all there is room for.
    fn padding_size(&self, writer: &Writer<'_>) -> usize {
        let size = writer.len() + self.opt_size();
        let wanted = size.next_multiple_of(PADDING_BLOCK_SIZE) - size;
        // Room was set aside for the record itself.
        if self.is_padded { wanted.min(writer.room()) } else { 0 }
    }

    /// Tells who asks for it which version of the zone the answer is from, be it a referral or an error (RFC 9660 §3.2).
    fn tell_version(&mut self, zone: Opened<'_>) {
        if self.wants_zone_version {
            let [s, e, r, ial] = zone.serial().to_be_bytes();
            self.zone_version = Some([zone.apex_labels() as u8, SOA_SERIAL, s, e, r, ial]);
        }
    }

    /// An answer without records.
    fn bare(&mut self, rcode: Rcode, out: &mut [u8], compressor: &mut Compressor) -> Outcome {
        self.fail(rcode, extended_error(rcode), out, compressor)
    }

    /// An answer without records and with a word on why.
    ///
    /// There is no text with it: a forged query must not make the answer longer than it has to be.
    fn fail(
        &mut self,
        rcode: Rcode,
        extended: Option<ExtendedError>,
        out: &mut [u8],
        compressor: &mut Compressor,
    ) -> Outcome {
        self.extended_error = extended.map(|error| error.0.to_be_bytes());
        let Some(mut writer) = self.open(out, compressor) else { return Outcome::Silent };
        writer.rcode = rcode;
        self.close(writer, ReplyKind::Error, 0)
    }

    /// The answer to a question about the server itself: a text of at most 255 octets.
    fn text(&self, question: Question<'_>, text: &[u8], out: &mut [u8], compressor: &mut Compressor) -> Outcome {
        let Some(mut writer) = self.open(out, compressor) else { return Outcome::Silent };
        let mut rdata = [0; 1 + TEXT_SIZE_MAX];
        let (length, string) = rdata[..=text.len()].split_first_mut().expect("there is room for the length");
        *length = text.len() as u8;
        string.copy_from_slice(text);
        let Question { qname, qclass, .. } = question;
        writer.flags = writer.flags.with(Flags::AA);
        // Of no use to a cache: the next query may come to another server of this address.
        let ttl = 0;
        let size = 1 + text.len();
        if writer.record(Section::Answer, Owner::Question, RType::TXT, qclass, ttl, &rdata[..size]).is_err() {
            writer.flags = writer.flags.with(Flags::TC);
        }
        self.close(writer, ReplyKind::Answer, qname.label_count() as u8)
    }

    /// The answer to a signature by a key that nobody here knows: NOTAUTH, and BADKEY in an unsigned TSIG (RFC 8945 §5.2.1).
    fn unknown_key(
        &mut self,
        tsig: &MessageRecord<'_>,
        now: u32,
        out: &mut [u8],
        compressor: &mut Compressor,
    ) -> Outcome {
        let Ok((algorithm, _)) = Name::from_wire(tsig.raw_rdata()) else {
            return self.bare(Rcode::FORMERR, out, compressor);
        };
        let Some(mut writer) = self.open(out, compressor) else { return Outcome::Silent };
        writer.rcode = Rcode::NOTAUTH;
        self.opt(&mut writer);
        let mut rdata = [0; NAME_SIZE_MAX + TSIG_NUMBERS_SIZE];
        let (name, numbers) = rdata.split_at_mut(algorithm.wire_len());
        name.copy_from_slice(algorithm.as_wire());
        // Time signed (6), fudge (2), MAC size 0 (2), original ID (2), error (2), other size 0 (2).
        numbers[2..6].copy_from_slice(&now.to_be_bytes());
        numbers[6..8].copy_from_slice(&TSIG_FUDGE.to_be_bytes());
        numbers[10..12].copy_from_slice(&self.id.to_be_bytes());
        numbers[12..14].copy_from_slice(&Rcode::BADKEY.0.to_be_bytes());
        let size = algorithm.wire_len() + TSIG_NUMBERS_SIZE;
        let owner = tsig.owner.to_buf();
        // Names too long for a small datagram: NOTAUTH alone says enough.
        let _ = writer.record(Section::Additional, owner.as_name(), RType::TSIG, Class::ANY, 0, &rdata[..size]);
        self.finish(writer, ReplyKind::Error, 0)
    }
}

/// RA, AD, CD and Z are clear: no recursion here, and nothing to validate (RFC 4035 §3.1.6).
#[inline]
pub(crate) fn reply_flags(flags: Flags) -> Flags {
    Flags(flags.0 & (OPCODE_BITS | Flags::RD.0)).with(Flags::QR)
}

/// RFC 3225 §3: DO is copied.
#[inline]
pub(crate) fn reply_edns_flags(flags: EdnsFlags) -> EdnsFlags {
    EdnsFlags(flags.0 & EdnsFlags::DO.0)
}

/// What RFC 8914 has to say besides a response code, if the code does not say it all.
///
/// The other codes are about resolvers and validators, which ask others on behalf of the client.
fn extended_error(rcode: Rcode) -> Option<ExtendedError> {
    match rcode {
        Rcode::REFUSED => Some(ExtendedError::NOT_AUTHORITATIVE),
        Rcode::NOTIMP => Some(ExtendedError::NOT_SUPPORTED),
        _ => None,
    }
}

/// What to say of an idle stream to who asked with an option as a client sends it, without a value (RFC 7828 §3.2.1).
fn keepalive(option: Option<&[u8]>, transport: Transport, policy: &Policy) -> Option<[u8; 2]> {
    match (transport, option) {
        // RFC 7828 §3.2.2: over UDP the option is ignored.
        (Transport::Udp, _) => None,
        (Transport::Tcp | Transport::Tls, option) => {
            option.filter(|value| value.is_empty()).and(policy.stream_idle_timeout).map(u16::to_be_bytes)
        }
    }
}

#[inline]
pub(crate) fn payload_size(policy: &Policy) -> u16 {
    policy.udp_payload_size_max.max(UDP_PAYLOAD_SIZE_MIN)
}

/// Octets of an answer at most; `announced` is the payload size in the OPT record of the request.
#[inline]
fn size_max(announced: Option<u16>, transport: Transport, policy: &Policy) -> usize {
    match (transport, announced) {
        (Transport::Tcp | Transport::Tls, _) => MESSAGE_SIZE_MAX,
        (Transport::Udp, Some(size)) => usize::from(size.max(UDP_PAYLOAD_SIZE_MIN).min(payload_size(policy))),
        (Transport::Udp, None) => usize::from(UDP_PAYLOAD_SIZE_MIN),
    }
}

/// The opcode's place in the flags.
const OPCODE_BITS: u16 = 0x7800;
/// The type of a zone version that is the serial of the SOA record (RFC 9660 §4).
const SOA_SERIAL: u8 = 0;
/// Octets of an OPT record without options.
pub(crate) const OPT_SIZE: usize = 11;
/// Nothing, which is what padding consists of (RFC 7830 §3).
const PADDING: [u8; PADDING_BLOCK_SIZE] = [0; PADDING_BLOCK_SIZE];
/// Octets of TSIG RDATA behind the name of the algorithm, without MAC and other data.
const TSIG_NUMBERS_SIZE: usize = 16;
/// Seconds that clocks may differ, as RFC 8945 §10 recommends.
const TSIG_FUDGE: u16 = 300;
