//! A reply without what differs between two correct servers by chance, and in what two of them differ.

use std::collections::{BTreeMap, BTreeSet};

use hickory_proto::op::Message;

use super::query::{COOKIE, KEEPALIVE, Query};

/// What came back, as hickory-proto reads it.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) rcode: u16,
    /// AA, TC, RD, RA, Z, AD, CD.
    pub(super) flags: u16,
    pub(super) has_question: bool,
    pub(super) answer: BTreeSet<String>,
    /// Version and flags.
    pub(super) edns: Option<(u8, u16)>,
    pub(super) options: BTreeMap<u16, Vec<u8>>,
}

/// A part of a reply that is compared by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aspect {
    Silence,
    Rcode,
    /// One bit of the header's.
    Flag(u16),
    Question,
    Answer,
    Edns,
    Option(u16),
}

impl Reply {
    pub(super) fn read(query: &Query, octets: &[u8]) -> Result<Reply, String> {
        let message = Message::from_vec(octets).map_err(|error| error.to_string())?;
        let flags = u16::from_be_bytes([octets[2], octets[3]]);
        if flags & 0xf800 != 0x8000 | u16::from(query.opcode) << 11 {
            return Err("QR or the opcode is not as it has to be".to_owned());
        }
        let has_question = octets[5] == 1;
        if has_question && !octets[12..].starts_with(&query.question()) {
            return Err("the question is another one".to_owned());
        }
        let mut options = BTreeMap::new();
        for (code, option) in message.edns.iter().flat_map(|edns| edns.options().as_ref()) {
            let value = Vec::<u8>::try_from(option).map_err(|error| error.to_string())?;
            if options.insert(u16::from(*code), value).is_some() {
                return Err(format!("option {code:?} is there twice"));
            }
        }
        let edns = message.edns.as_ref().map(|edns| (edns.version(), u16::from(edns.flags().dnssec_ok)));
        Ok(Reply {
            rcode: message.metadata.response_code.into(),
            flags: flags & 0x07f0,
            has_question,
            answer: message.answers.iter().map(ToString::to_string).collect(),
            edns,
            options,
        })
    }

    pub(super) fn cookie(&self) -> Option<Vec<u8>> {
        self.options.get(&COOKIE).cloned()
    }

    pub(super) fn differences(theirs: Option<&Reply>, ours: Option<&Reply>) -> Vec<Aspect> {
        let (theirs, ours) = match (theirs, ours) {
            (Some(theirs), Some(ours)) => (theirs, ours),
            (None, None) => return Vec::new(),
            _ => return vec![Aspect::Silence],
        };
        if theirs.rcode != ours.rcode {
            // All else follows from it.
            return vec![Aspect::Rcode];
        }
        let mut aspects = Vec::new();
        let mut compare = |aspect, is_same: bool| aspects.extend((!is_same).then_some(aspect));
        compare(Aspect::Question, theirs.has_question == ours.has_question);
        compare(Aspect::Answer, theirs.answer == ours.answer);
        compare(Aspect::Edns, theirs.edns == ours.edns);
        for bit in (4..11).map(|bit| 1 << bit) {
            compare(Aspect::Flag(bit), theirs.flags & bit == ours.flags & bit);
        }
        let codes: BTreeSet<u16> = theirs.options.keys().chain(ours.options.keys()).copied().collect();
        for code in codes {
            let [theirs, ours] = [theirs, ours].map(|reply| reply.options.get(&code));
            // Cookies have a time in them, and a client has no use for one server's idea of idleness more than another's.
            let is_same = match code {
                COOKIE | KEEPALIVE => theirs.map(Vec::len) == ours.map(Vec::len),
                _ => theirs == ours,
            };
            compare(Aspect::Option(code), is_same);
        }
        aspects
    }
}
