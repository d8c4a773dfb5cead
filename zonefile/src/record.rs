//! The grammar of a record entry: `[owner] [TTL] [class] type RDATA`, TTL and class in any order (RFC 1035 §5.1).

use nss_wire::{Class, Name, NameBuf, RType};

use crate::error::ErrorKind;
use crate::name::{self, NameFault};
use crate::number;
use crate::rdata;
use crate::tokens::{Fault, Lexeme, Parsed, Tokens};

/// What entries say about those that follow.
#[derive(Debug)]
pub(crate) struct Context {
    /// Completes relative names.
    pub(crate) origin: Option<NameBuf>,
    /// The only class that records may have.
    pub(crate) class: Class,
    /// What `$TTL` said last, or the SOA record's minimum where neither it nor anything before it has a TTL.
    pub(crate) default_ttl: Option<u32>,
    /// The last TTL that stood in a record.
    pub(crate) last_ttl: Option<u32>,
    /// The owner of the last record; none before the first. Boxed, so that it can change places with another.
    pub(crate) owner: Option<Box<NameBuf>>,
    /// Where a name is put together.
    pub(crate) scratch: Vec<u8>,
}

/// A record in the making; its owner is the context's.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) rtype: RType,
    pub(crate) ttl: u32,
    pub(crate) rdata: Vec<u8>,
}

/// TTL, class and type of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) ttl: Option<u32>,
    pub(crate) rtype: RType,
}

impl Context {
    pub(crate) fn origin(&self) -> Option<Name<'_>> {
        self.origin.as_ref().map(NameBuf::as_name)
    }

    /// A name of its own, relative to the origin.
    pub(crate) fn name(&self, lexeme: Lexeme<'_>) -> Result<NameBuf, nom::Err<Fault>> {
        if lexeme.token.is_quoted {
            return Err(lexeme.refuse(ErrorKind::Quoted));
        }
        let mut wire = Vec::new();
        name::read(lexeme.text, self.origin(), &mut wire)
            .map_err(|fault| lexeme.refuse_from(fault.at(), fault.into()))?;
        Ok(Name::from_wire_exact(&wire).expect("name::read writes names").to_buf())
    }

    /// Reads the entry of a record into `draft`, and its owner into the context.
    pub(crate) fn record<'a>(&mut self, tokens: Tokens<'a>, is_indented: bool, draft: &mut Draft) -> Parsed<'a, ()> {
        let tokens = if is_indented { self.last_owner(tokens)? } else { self.owner(tokens)? };
        let (tokens, head) = self.head(tokens)?;
        self.data(head, tokens, draft)
    }

    /// Takes the owner of an entry that does not start with a blank.
    fn owner<'a>(&mut self, tokens: Tokens<'a>) -> Result<Tokens<'a>, nom::Err<Fault>> {
        let (tokens, lexeme) = tokens.expect(|| ErrorKind::NoOwner)?;
        if lexeme.token.is_quoted {
            return Err(lexeme.refuse(ErrorKind::Quoted));
        }
        self.set_owner_or(lexeme.text).map_err(|fault| lexeme.refuse_from(fault.at(), fault.into()))?;
        Ok(tokens)
    }

    /// Makes the name that `text` is the owner of the next record.
    pub(crate) fn set_owner(&mut self, text: &[u8]) -> Result<(), ErrorKind> {
        self.set_owner_or(text).map_err(ErrorKind::from)
    }

    fn set_owner_or(&mut self, text: &[u8]) -> Result<(), NameFault> {
        let Context { origin, owner, scratch, .. } = self;
        scratch.clear();
        let read = name::read(text, origin.as_ref().map(NameBuf::as_name), scratch);
        if let Err(fault) = &read {
            // Entries that count on this owner, or on an origin, must not be reported for the want of one.
            scratch.clear();
            scratch.push(0);
            if *fault == NameFault::NoOrigin {
                *origin = Some(Name::ROOT.to_buf());
            }
        }
        let name = Name::from_wire_exact(scratch).expect("name::read writes names").to_buf();
        match owner {
            Some(owner) => **owner = name,
            None => *owner = Some(Box::new(name)),
        }
        read
    }

    fn last_owner<'a>(&mut self, tokens: Tokens<'a>) -> Result<Tokens<'a>, nom::Err<Fault>> {
        if self.owner.is_none() {
            self.owner = Some(Box::new(Name::ROOT.to_buf()));
            let start = tokens.extent().start;
            return Err(Fault::failure(start, start, ErrorKind::NoOwner));
        }
        Ok(tokens)
    }

    /// TTL, class and type, of which only the type has to be there.
    pub(crate) fn head<'a>(&mut self, mut tokens: Tokens<'a>) -> Parsed<'a, Head> {
        let (mut ttl, mut has_class) = (None, false);
        loop {
            let (rest, lexeme) = tokens.expect(|| ErrorKind::MissingType)?;
            tokens = rest;
            if lexeme.token.is_quoted {
                return Err(lexeme.refuse(ErrorKind::Quoted));
            }
            if lexeme.text.first().is_some_and(u8::is_ascii_digit) {
                let seconds = number::ttl(lexeme.text).map_err(|kind| {
                    // A record without a TTL behind this one must not be reported for it.
                    self.last_ttl.get_or_insert(0);
                    lexeme.refuse(kind)
                })?;
                if ttl.replace(seconds).is_some() {
                    return Err(lexeme.refuse(ErrorKind::TtlTwice));
                }
                self.last_ttl = Some(seconds);
            } else if let Some(class) = class(lexeme.text) {
                if has_class {
                    return Err(lexeme.refuse(ErrorKind::ClassTwice));
                }
                if class != self.class {
                    return Err(lexeme.refuse(ErrorKind::ClassMismatch { expected: self.class }));
                }
                has_class = true;
            } else {
                let rtype = rtype(lexeme.text).ok_or_else(|| lexeme.refuse(ErrorKind::UnknownType))?;
                if rtype.is_meta() || rtype == RType(0) {
                    return Err(lexeme.refuse(ErrorKind::MetaType(rtype)));
                }
                return Ok((tokens, Head { ttl, rtype }));
            }
        }
    }

    /// RDATA to the end of the entry, and the TTL that the record has.
    pub(crate) fn data<'a>(&mut self, head: Head, tokens: Tokens<'a>, draft: &mut Draft) -> Parsed<'a, ()> {
        draft.rtype = head.rtype;
        draft.rdata.clear();
        let (rest, ()) = rdata::read(head.rtype, tokens, self.origin(), &mut draft.rdata)?;
        draft.ttl = match head.ttl.or(self.default_ttl).or(self.last_ttl) {
            Some(seconds) => seconds,
            None => self.first_ttl(head.rtype, tokens, &draft.rdata)?,
        };
        Ok((rest, ()))
    }

    /// The TTL of a record before which no TTL is known: an SOA record's minimum (RFC 1035 §3.3.13), which
    /// then is the default of the records behind it too.
    fn first_ttl(&mut self, rtype: RType, tokens: Tokens<'_>, rdata: &[u8]) -> Result<u32, nom::Err<Fault>> {
        if let (RType::SOA, Some(minimum)) = (rtype, rdata.last_chunk()) {
            let seconds = u32::from_be_bytes(*minimum).min(nss_wire::record::TTL_MAX);
            self.default_ttl = Some(seconds);
            return Ok(seconds);
        }
        // One such error is enough.
        self.last_ttl = Some(0);
        let start = tokens.extent().start;
        Err(Fault::failure(start, start, ErrorKind::NoTtl))
    }
}

/// A class by its mnemonic or as `CLASSnnn`; the classes of questions and updates are none here.
fn class(text: &[u8]) -> Option<Class> {
    match text.len() {
        2 if text.eq_ignore_ascii_case(b"IN") => Some(Class::IN),
        2 if text.eq_ignore_ascii_case(b"CH") => Some(Class::CH),
        2 if text.eq_ignore_ascii_case(b"HS") => Some(Class::HS),
        6.. if text[..5].eq_ignore_ascii_case(b"CLASS") => core::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// A type by its mnemonic or as `TYPEnnn`.
pub(crate) fn rtype(text: &[u8]) -> Option<RType> {
    // The types that nearly all records have are not searched in the long list.
    let mut upper = [0; 8];
    if let Some(upper) = upper.get_mut(..text.len()) {
        upper.copy_from_slice(text);
        upper.make_ascii_uppercase();
        match &*upper {
            b"A" => return Some(RType::A),
            b"NS" => return Some(RType::NS),
            b"AAAA" => return Some(RType::AAAA),
            b"DS" => return Some(RType::DS),
            b"RRSIG" => return Some(RType::RRSIG),
            b"NSEC" => return Some(RType::NSEC),
            b"NSEC3" => return Some(RType::NSEC3),
            b"CNAME" => return Some(RType::CNAME),
            b"MX" => return Some(RType::MX),
            b"TXT" => return Some(RType::TXT),
            b"SRV" => return Some(RType::SRV),
            b"PTR" => return Some(RType::PTR),
            b"SOA" => return Some(RType::SOA),
            b"DNSKEY" => return Some(RType::DNSKEY),
            b"CAA" => return Some(RType::CAA),
            b"TLSA" => return Some(RType::TLSA),
            b"HTTPS" => return Some(RType::HTTPS),
            _ => {}
        }
    }
    core::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_classes_are_read_in_any_case() {
        for &number in RType::REGISTERED {
            assert_eq!(rtype(number.to_string().as_bytes()), Some(number));
            assert_eq!(rtype(number.to_string().to_lowercase().as_bytes()), Some(number));
        }
        assert_eq!(rtype(b"type65280"), Some(RType(65280)));
        assert_eq!((rtype(b""), rtype(b"TYPE65536"), rtype(b"\xff")), (None, None, None));
        assert_eq!(
            (class(b"in"), class(b"class3"), class(b"CLASS"), class(b"A")),
            (Some(Class::IN), Some(Class::CH), None, None)
        );
    }
}
