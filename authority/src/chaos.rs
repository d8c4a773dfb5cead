//! What a server tells of itself in class CH (RFC 4892): who it is, and what it runs.

use nss_wire::message::Question;
use nss_wire::{Class, Name, RType};

use crate::policy::{Policy, TEXT_SIZE_MAX};

/// The text to answer a question with; `None` if it is another kind of question, or the operator tells nothing.
pub(crate) fn text<'p>(question: Question<'_>, policy: &'p Policy) -> Option<&'p [u8]> {
    let Question { qname, qtype, qclass } = question;
    if qclass != Class::CH || !matches!(qtype, RType::TXT | RType::ANY) {
        return None;
    }
    let is = |names: [&[u8]; 2]| names.iter().any(|wire| Name::from_wire(wire).is_ok_and(|(name, _)| name == qname));
    let text = if is(IDENTITY) {
        policy.identity.as_deref()
    } else if is(VERSION) {
        policy.version.as_deref()
    } else {
        None
    };
    text.map(|text| &text[..text.len().min(TEXT_SIZE_MAX)])
}

/// `id.server.`, and the name that BIND gave it (RFC 4892 §2).
const IDENTITY: [&[u8]; 2] = [b"\x02id\x06server\0", b"\x08hostname\x04bind\0"];
/// The same of its version; NSD and Knot answer to both names as well.
const VERSION: [&[u8]; 2] = [b"\x07version\x06server\0", b"\x07version\x04bind\0"];
