//! The most frequent questions, read and answered in fewer steps than all others, with the same octets.
//!
//! Whatever is not plain is left to [`respond`](crate::respond) and [`answer`](crate::answer), which would also answer
//! what is answered here; a test holds that they do so octet for octet.

use nss_wire::message::{EdnsFlags, Flags, HEADER_SIZE, Header, Question, Rcode, Writer};
use nss_wire::{Class, Name, RType};

use crate::additional;
use crate::arena::{NodeKind, RRset, Rdatas};
use crate::lookup::Found;
use crate::respond::{Reply, ReplyKind};
use crate::suffixes::Suffixes;
use crate::zone::Zone;

/// A query with one question of class IN and nothing else but perhaps an OPT record without options.
pub(crate) struct PlainQuery<'a> {
    pub(crate) id: u16,
    pub(crate) flags: Flags,
    pub(crate) question: Question<'a>,
    pub(crate) question_octets: &'a [u8],
    /// What the OPT record says.
    pub(crate) edns: Option<PlainEdns>,
}

/// An OPT record of version 0 without options.
#[derive(Clone, Copy)]
pub(crate) struct PlainEdns {
    pub(crate) udp_payload_size: u16,
    pub(crate) flags: EdnsFlags,
}

impl<'a> PlainQuery<'a> {
    /// Reads a request; `None` if it is anything else.
    #[inline]
    pub(crate) fn read(request: &'a [u8]) -> Option<PlainQuery<'a>> {
        let (header, rest) = request.split_first_chunk::<HEADER_SIZE>()?;
        // QR and OPCODE are zero; one question; nothing else before the additional section.
        let &[id, id2, flags, flags2, 0, 1, 0, 0, 0, 0, 0, additional_count @ (0 | 1)] = header else { return None };
        if flags & 0xf8 != 0 {
            return None;
        }
        let (qname, behind) = Name::from_wire(rest).ok()?;
        let (&[t, ype, 0, 1], behind) = behind.split_first_chunk::<4>()? else { return None };
        let edns = match (additional_count, behind) {
            (0, []) => None,
            // The root, OPT, payload size, the high part of the response code, version 0, flags, no options.
            (1, &[0, 0, 41, size, size2, _, 0, flags, flags2, 0, 0]) => Some(PlainEdns {
                udp_payload_size: u16::from_be_bytes([size, size2]),
                flags: EdnsFlags(u16::from_be_bytes([flags, flags2])),
            }),
            _ => return None,
        };
        Some(PlainQuery {
            id: u16::from_be_bytes([id, id2]),
            flags: Flags(u16::from_be_bytes([flags, flags2])),
            question: Question { qname, qtype: RType(u16::from_be_bytes([t, ype])), qclass: Class::IN },
            question_octets: &rest[..qname.wire_len() + 4],
            edns,
        })
    }
}

impl PlainQuery<'_> {
    /// The header of the request.
    pub(crate) fn header(&self) -> Header {
        let additional = u16::from(self.edns.is_some());
        Header { id: self.id, flags: self.flags, question_count: 1, record_counts: [0, 0, additional] }
    }
}

/// What there is to tell of an answer.
#[derive(Clone, Copy)]
struct Summary {
    rcode: Rcode,
    kind: ReplyKind,
    subject_labels: u8,
}

/// What goes around the records of an answer.
pub(crate) struct Frame<'a> {
    pub(crate) id: u16,
    /// All flags but AA.
    pub(crate) flags: Flags,
    pub(crate) question_octets: &'a [u8],
    pub(crate) size_max: usize,
    /// The payload size and flags of the OPT record, if there is to be one.
    pub(crate) edns: Option<(u16, EdnsFlags)>,
}

impl Frame<'_> {
    fn wants_signatures(&self) -> bool {
        self.edns.is_some_and(|(_, flags)| flags.contains(EdnsFlags::DO))
    }

    /// Answers a question for a name of the zone, which `suffixes` hold; `None` if it is not plain or has no room.
    #[inline]
    pub(crate) fn answer(&self, zone: &Zone, suffixes: &Suffixes, qtype: RType, out: &mut [u8]) -> Option<Reply> {
        // DS is the parent's, and questions for several types or whole zones have rules of their own.
        if matches!(qtype.0, 43 | 46 | 128..=255) || zone.class() != Class::IN {
            return None;
        }
        let labels = suffixes.label_count();
        let (rcode, kind, subject_labels) = match zone.find(suffixes) {
            Found::Exact(node) if node.kind() != NodeKind::Delegation => {
                if let Some(rrset) = node.rrset(qtype) {
                    return self.data(rrset, qtype, labels as u8, out);
                }
                if node.rrset(RType::CNAME).is_some() {
                    return None;
                }
                (Rcode::NOERROR, ReplyKind::NoData, labels)
            }
            Found::Missing(_) => (Rcode::NXDOMAIN, ReplyKind::NxDomain, zone.apex_labels()),
            Found::Exact(_) | Found::Wildcard(_) | Found::BelowCut(_) | Found::Redirected(_) => return None,
        };
        let soa = zone.soa_rrset();
        // Signatures, and proofs that there is nothing.
        if self.wants_signatures() && (zone.is_signed() || soa.signature_count() > 0) {
            return None;
        }
        self.negative(zone, soa, Summary { rcode, kind, subject_labels: subject_labels as u8 }, out)
    }

    /// An answer with records of the question's name.
    fn data(&self, rrset: RRset<'_>, qtype: RType, subject_labels: u8, out: &mut [u8]) -> Option<Reply> {
        if rrset.is_empty() || additional::has_targets(qtype) || Writer::compresses(qtype) {
            return None;
        }
        let mut writer = self.open(out)?;
        let [t, ype] = qtype.0.to_be_bytes();
        let [t3, t2, t1, t0] = rrset.ttl().to_be_bytes();
        // A pointer to the question, the type, IN, the TTL.
        writer.records(&[POINTER, HEADER_SIZE as u8, t, ype, 0, 1, t3, t2, t1, t0], rrset.rdatas())?;
        let mut count = rrset.len();
        if self.wants_signatures() && rrset.signature_count() > 0 {
            let [t, ype] = RType::RRSIG.0.to_be_bytes();
            let [t3, t2, t1, t0] = rrset.signature_ttl().to_be_bytes();
            writer.records(&[POINTER, HEADER_SIZE as u8, t, ype, 0, 1, t3, t2, t1, t0], rrset.signatures())?;
            count += rrset.signature_count();
        }
        let summary = Summary { rcode: Rcode::NOERROR, kind: ReplyKind::Answer, subject_labels };
        self.close(writer, summary, [count as u16, 0])
    }

    /// An answer with the SOA record alone.
    fn negative(&self, zone: &Zone, soa: RRset<'_>, summary: Summary, out: &mut [u8]) -> Option<Reply> {
        let soa = soa.rdatas().next()?;
        let apex = zone.apex_node().owner_octets();
        let (mname, rest) = one_label_below(soa, apex)?;
        let (rname, numbers) = one_label_below(rest, apex)?;
        // The apex ends the name in the question. If there is more to point to, the writer knows.
        let above = self.question_octets.len().checked_sub(4 + apex.len())?;
        let (above, apex_at) = (&self.question_octets[..above], HEADER_SIZE + above);
        let is_known =
            |label: &[u8]| above.len().checked_sub(label.len()).is_some_and(|start| is_same(&above[start..], label));
        if is_same(mname, rname) || is_known(mname) || is_known(rname) {
            return None;
        }
        let [p, ointer] = (u16::from(POINTER) << 8 | apex_at as u16).to_be_bytes();
        let [t3, t2, t1, t0] = zone.negative_ttl().to_be_bytes();
        let mut writer = self.open(out)?;
        let size = mname.len() + rname.len() + 4 + numbers.len();
        writer.array([p, ointer, 0, 6, 0, 1, t3, t2, t1, t0, 0, size as u8])?;
        for label in [mname, rname] {
            writer.put(label)?;
            writer.array([p, ointer])?;
        }
        writer.array(*numbers.first_chunk::<SOA_NUMBERS_SIZE>()?)?;
        self.close(writer, summary, [0, 1])
    }

    /// Starts an answer behind its header.
    #[inline]
    fn open<'b>(&self, out: &'b mut [u8]) -> Option<Octets<'b>> {
        let size = out.len().min(self.size_max);
        let mut writer = Octets { out: out.get_mut(..size)?, at: HEADER_SIZE };
        writer.put(self.question_octets)?;
        Some(writer)
    }

    /// Ends an answer with so many records in the answer and authority sections.
    #[inline]
    fn close(&self, mut writer: Octets<'_>, summary: Summary, counts: [u16; 2]) -> Option<Reply> {
        let Summary { rcode, kind, subject_labels } = summary;
        let mut additional = 0;
        if let Some((size, flags)) = self.edns {
            let ([s, ize], [f, lags]) = (size.to_be_bytes(), flags.0.to_be_bytes());
            writer.array([0, 0, 41, s, ize, 0, 0, f, lags, 0, 0])?;
            additional = 1;
        }
        let ([i, d], [f, lags]) = (self.id.to_be_bytes(), self.flags.with(Flags::AA).with_rcode(rcode).0.to_be_bytes());
        let [[a, nswer], [n, s]] = counts.map(u16::to_be_bytes);
        let Octets { out, at: len } = writer;
        *out.first_chunk_mut::<HEADER_SIZE>()? = [i, d, f, lags, 0, 1, a, nswer, n, s, 0, additional];
        Some(Reply { len, rcode, kind, subject_labels, is_truncated: false, has_valid_cookie: false })
    }
}

/// The first label of the name at the start of `rdata`, with its length, if all behind it is the apex; and what follows.
#[inline]
fn one_label_below<'z>(rdata: &'z [u8], apex: &[u8]) -> Option<(&'z [u8], &'z [u8])> {
    let length = usize::from(*rdata.first()?);
    let (label, rest) = rdata.split_at_checked(1 + length)?;
    let (name, rest) = rest.split_at_checked(apex.len())?;
    // The root has nothing that a pointer would save.
    (length > 0 && apex.len() > 1 && is_same(name, apex)).then_some((label, rest))
}

/// Whether names or labels are the same (RFC 4343); most that are have the same case.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a == b || a.eq_ignore_ascii_case(b)
}

/// Octets being written, up to the end of the buffer.
struct Octets<'b> {
    out: &'b mut [u8],
    at: usize,
}

impl Octets<'_> {
    #[inline]
    fn put(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.at + octets.len();
        let place = self.out.get_mut(self.at..end)?;
        // The data of an address: no call to copy it.
        match (octets.first_chunk::<4>(), octets.len()) {
            (Some(octets), 4) => *place.first_chunk_mut()? = *octets,
            _ => place.copy_from_slice(octets),
        }
        self.at = end;
        Some(())
    }

    /// As [`Octets::put`], without a call.
    #[inline]
    fn array<const N: usize>(&mut self, octets: [u8; N]) -> Option<()> {
        *self.out.get_mut(self.at..)?.first_chunk_mut()? = octets;
        self.at += N;
        Some(())
    }

    /// Writes records that start alike.
    #[inline]
    fn records(&mut self, start: &[u8; 10], rdatas: Rdatas<'_>) -> Option<()> {
        for rdata in rdatas {
            let [size, size2] = (rdata.len() as u16).to_be_bytes();
            let &[p, ointer, t, ype, c, lass, t3, t2, t1, t0] = start;
            self.array([p, ointer, t, ype, c, lass, t3, t2, t1, t0, size, size2])?;
            self.put(rdata)?;
        }
        Some(())
    }
}

/// The upper bits of a compression pointer (RFC 1035 §4.1.4).
const POINTER: u8 = 0xc0;
/// Octets of the five numbers in SOA RDATA.
const SOA_NUMBERS_SIZE: usize = 20;
