//! The fast path: records on one line with nothing unusual in it.
//!
//! Nearly all lines of nearly all zones are words with blanks between them: no parentheses or escapes, quotes only
//! around the strings of TXT and CAA, one of a dozen types, and no mistake. Such a line is read here, by hand, 64 octets at a time. Everything else, mistakes
//! above all, gives `None` and has changed nothing, so that the grammar reads the line as if nobody had looked at it
//! before. What this path reads, the grammar reads too, and the same out of it; the tests hold that.

use memchr::memchr2;
use nss_wire::name::NAME_SIZE_MAX;
use nss_wire::{Name, NameBuf, RType};

use self::digits::{decimal, decimal_u8, decimal_u16};
use self::head::{Head, Heads, listed_rtype};
use self::line::{Line, Word};
use crate::record::Context;

mod digits;
mod encoding;
mod head;
mod line;
mod marks;

/// A record that was read from a plain line; its owner is the context's.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) rtype: RType,
    pub(crate) ttl: u32,
    rdata: Box<[u8; RDATA_ROOM]>,
    size: usize,
    /// Where an owner is put together, before it is known whether it is one.
    owner: Box<NameBuf>,
    heads: Heads,
}

/// The octets of RDATA that a plain line can have: an RSA key of 4,096 bits or a signature made with one, a name, and
/// room to write names and digits in larger pieces than needed. Lines with more are left to the grammar.
const RDATA_ROOM: usize = 1024;

impl Plain {
    pub(crate) fn new() -> Plain {
        let owner = Box::new(Name::ROOT.to_buf());
        Plain { rtype: RType(0), ttl: 0, rdata: Box::new([0; RDATA_ROOM]), size: 0, owner, heads: Heads::new() }
    }

    pub(crate) fn rdata(&self) -> &[u8] {
        &self.rdata[..self.size]
    }

    /// Reads the entry at `at`, which is a line start; returns the next line start.
    ///
    /// `None` when the line is not plain, longer than `size_max`, or too near to the end of the text.
    #[inline(never)]
    pub(crate) fn read(&mut self, text: &[u8], at: usize, size_max: usize, context: &mut Context) -> Option<usize> {
        let mut line = Line::new(text, at)?;
        let origin = context.origin.as_ref().map(NameBuf::as_name);
        let is_indented = line.pass_indent()?;
        if is_indented {
            context.owner.as_ref()?;
        } else {
            let word = line.word()?;
            owner(word, origin, &mut self.owner)?;
        }

        let Head { ttl, rtype } = self.heads.read(&mut line, context.class)?;
        let rdata = Rdata { line, origin, out: &mut self.rdata, size: 0 };
        let (at_end, size) = rdata.read(rtype)?;
        let next = line_end(text, at_end)?;
        if next - at > size_max {
            return None;
        }
        self.size = size;
        self.rtype = rtype;
        self.ttl = ttl.or(context.default_ttl).or(context.last_ttl)?;
        if ttl.is_some() {
            context.last_ttl = ttl;
        }
        if !is_indented {
            match &mut context.owner {
                Some(owner) => core::mem::swap(owner, &mut self.owner),
                None => context.owner = Some(self.owner.clone()),
            }
        }
        Some(next)
    }
}

#[inline(always)]
fn owner(word: Word<'_>, origin: Option<Name<'_>>, owner: &mut NameBuf) -> Option<()> {
    if let Some(name) = word.name()
        && !word.is(b'@')
    {
        return owner.assign(name, origin);
    }
    let name = if word.is(b'.') {
        Name::ROOT
    } else if word.is(b'@') {
        origin?
    } else {
        return None;
    };
    *owner = name.to_buf();
    Some(())
}

/// The line start behind a line of which nothing but a comment is left.
#[inline(always)]
fn line_end(text: &[u8], at: usize) -> Option<usize> {
    let at = match *text.get(at)? {
        b'\n' => return Some(at + 1),
        b';' => at + memchr2(b'\n', b'\r', &text[at..])?,
        _ => at,
    };
    match text.get(at..)? {
        [b'\n', ..] => Some(at + 1),
        [b'\r', b'\n', ..] => Some(at + 2),
        _ => None,
    }
}

/// RDATA that is being read.
struct Rdata<'a, 'r> {
    line: Line<'a>,
    origin: Option<Name<'r>>,
    out: &'r mut [u8; RDATA_ROOM],
    size: usize,
}

impl Rdata<'_, '_> {
    /// Reads all fields; returns where the line goes on behind the last, and the size of the RDATA.
    #[inline(always)]
    fn read(mut self, rtype: RType) -> Option<(usize, usize)> {
        match rtype {
            RType::NS | RType::CNAME | RType::PTR | RType::DNAME => self.name()?,
            RType::A => {
                let address = digits::ipv4(self.line.word()?)?;
                self.push(&address)?;
            }
            RType::AAAA => {
                let address = digits::ipv6(self.line.word()?)?;
                self.push(&address)?;
            }
            _ => return self.read_more(rtype),
        }
        Some((self.line.at(), self.size))
    }

    #[inline(never)]
    fn read_more(mut self, rtype: RType) -> Option<(usize, usize)> {
        let at_end = match rtype {
            RType::DS | RType::CDS => self.delegation_signer()?,
            RType::RRSIG => self.signature()?,
            RType::DNSKEY | RType::CDNSKEY => {
                self.number_u16()?;
                self.number_u8()?;
                self.number_u8()?;
                self.base64()?
            }
            RType::NSEC => {
                self.name()?;
                self.types()?
            }
            RType::NSEC3 => self.hashed_denial()?,
            RType::MX => {
                self.number_u16()?;
                self.name()?;
                self.line.at()
            }
            RType::SRV => {
                self.number_u16()?;
                self.number_u16()?;
                self.number_u16()?;
                self.name()?;
                self.line.at()
            }
            RType::TXT => self.strings()?,
            RType::CAA => self.authorization()?,
            _ => return None,
        };
        Some((at_end, self.size))
    }

    fn delegation_signer(&mut self) -> Option<usize> {
        self.number_u16()?;
        self.number_u8()?;
        self.number_u8()?;
        let expected = match self.out[self.size - 1] {
            1 => 20,
            2 | 3 => 32,
            4 => 48,
            _ => return None,
        };
        let start = self.size;
        let mut at = self.line.at();
        while self.size - start < expected {
            let (end, size) = encoding::hex_octets(self.line.text, at, self.out.get_mut(self.size..)?)?;
            if size == 0 {
                return None;
            }
            self.size += size;
            at = pass_blanks(self.line.text, end);
        }
        // Another digit would be part of the digest.
        (self.size - start == expected).then_some(at)
    }

    fn signature(&mut self) -> Option<usize> {
        let covered = listed_rtype(self.line.word()?.key()?)?;
        self.push(&covered.0.to_be_bytes())?;
        self.number_u8()?;
        self.number_u8()?;
        let ttl = decimal(self.line.word()?)?;
        self.push(&ttl.to_be_bytes())?;
        for _ in 0..2 {
            let time = digits::time(self.line.word()?)?;
            self.push(&time.to_be_bytes())?;
        }
        self.number_u16()?;
        self.name()?;
        self.base64()
    }

    fn hashed_denial(&mut self) -> Option<usize> {
        self.number_u8()?;
        self.number_u8()?;
        self.number_u16()?;
        let salt = self.line.word()?;
        if salt.is(b'-') {
            self.push(&[0])?;
        } else {
            let (end, size) = encoding::hex_octets(&salt.block[..], 0, self.out.get_mut(self.size + 1..)?)?;
            if end != salt.len {
                return None;
            }
            self.push_size(size)?;
        }
        let hash = self.line.word()?;
        let size = encoding::base32hex_octets(hash, self.out.get_mut(self.size + 1..)?)?;
        self.push_size(size)?;
        self.types()
    }

    /// Base64 to the end of the line; pieces but the last hold whole groups.
    fn base64(&mut self) -> Option<usize> {
        let mut at = self.line.at();
        loop {
            let (end, size) = encoding::base64_octets(self.line.text, at, self.out.get_mut(self.size..)?)?;
            if size == 0 {
                return None;
            }
            self.size += size;
            at = pass_blanks(self.line.text, end);
            match self.line.text.get(at)? {
                b'\n' | b'\r' | b';' => return Some(at),
                // Behind padding there may be nothing more.
                _ if size % 3 != 0 || end == at => return None,
                _ => {}
            }
        }
    }

    /// One or more character strings in quotes.
    fn strings(&mut self) -> Option<usize> {
        let mut at = self.line.at();
        loop {
            let string = quoted(self.line.text, at)?;
            self.push(&[u8::try_from(string.len()).ok()?])?;
            self.push_octets(string)?;
            at = pass_blanks(self.line.text, at + string.len() + 2);
            match self.line.text.get(at)? {
                b'\n' | b'\r' | b';' => return Some(at),
                _ => {}
            }
        }
    }

    /// Flags, a tag, and a value in quotes (RFC 8659 §4.1).
    fn authorization(&mut self) -> Option<usize> {
        self.number_u8()?;
        let tag = self.line.word()?;
        let letters = &tag.block[..tag.len];
        if !letters.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        self.push(&[tag.len as u8])?;
        self.push_octets(letters)?;
        let at = self.line.at();
        let value = quoted(self.line.text, at)?;
        self.push_octets(value)?;
        Some(pass_blanks(self.line.text, at + value.len() + 2))
    }

    /// A list of types, all of the first window (RFC 4034 §4.1.2).
    fn types(&mut self) -> Option<usize> {
        let mut bits = [0u8; 32];
        while !matches!(self.line.text.get(self.line.at())?, b'\n' | b'\r' | b';') {
            let number = listed_rtype(self.line.word()?.key()?)?.0;
            *bits.get_mut(usize::from(number / 8))? |= 0x80 >> (number % 8);
        }
        let size = bits.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
        if size > 0 {
            self.push(&[0, size as u8])?;
            self.push(&bits)?;
            self.size = self.size - bits.len() + size;
        }
        Some(self.line.at())
    }

    #[inline(always)]
    fn name(&mut self) -> Option<()> {
        let word = self.line.word()?;
        let Some(name) = word.name() else {
            return if word.is(b'.') { self.push(&[0]) } else { None };
        };
        if word.is(b'@') {
            return self.push_origin();
        }
        self.size += name.write(self.out.get_mut(self.size..)?.first_chunk_mut()?);
        if name.is_absolute() {
            return Some(());
        }
        let start = self.size - (word.len + 1);
        self.push_origin()?;
        (self.size - start <= NAME_SIZE_MAX).then_some(())
    }

    #[inline(always)]
    fn push_origin(&mut self) -> Option<()> {
        let origin = self.origin?.as_wire();
        self.out.get_mut(self.size..)?.get_mut(..origin.len())?.copy_from_slice(origin);
        self.size += origin.len();
        Some(())
    }

    #[inline(always)]
    fn number_u8(&mut self) -> Option<()> {
        let number = decimal_u8(self.line.word()?)?;
        self.push(&[number])
    }

    #[inline(always)]
    fn number_u16(&mut self) -> Option<()> {
        let number = decimal_u16(self.line.word()?)?;
        self.push(&number.to_be_bytes())
    }

    #[inline(always)]
    fn push<const N: usize>(&mut self, octets: &[u8; N]) -> Option<()> {
        *self.out.get_mut(self.size..)?.first_chunk_mut()? = *octets;
        self.size += N;
        Some(())
    }

    fn push_octets(&mut self, octets: &[u8]) -> Option<()> {
        self.out.get_mut(self.size..)?.get_mut(..octets.len())?.copy_from_slice(octets);
        self.size += octets.len();
        Some(())
    }

    /// A length octet before `size` octets that are there already.
    fn push_size(&mut self, size: usize) -> Option<()> {
        self.push(&[u8::try_from(size).ok()?])?;
        self.size += size;
        Some(())
    }
}

/// What stands in the quotes that open at `at`; `None` where there are none on this line, and when anything in them has
/// to be looked at: an escape, or a control character other than a tab.
fn quoted(text: &[u8], at: usize) -> Option<&[u8]> {
    let inner = text.get(at..)?.strip_prefix(b"\"")?;
    // Longer ones are rare, and so the room for RDATA ends a search through text without quotes.
    let inner = &inner[..inner.len().min(RDATA_ROOM)];
    let string = &inner[..memchr2(b'"', b'\\', inner)?];
    let is_plain = |octet: &u8| *octet >= b' ' && *octet != 0x7f || *octet == b'\t';
    (inner[string.len()] == b'"' && string.iter().all(is_plain)).then_some(string)
}

/// The first octet from `at` on that is no blank.
#[inline(always)]
fn pass_blanks(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t') = text.get(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests;
