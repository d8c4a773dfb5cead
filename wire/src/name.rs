//! Domain names in wire form (RFC 1035 §3.1), compared as RFC 4343 says and ordered as RFC 4034 §6.1 says.
//!
//! A [`Name`] is a `Copy` view over octets that are known to be a whole, uncompressed name; a [`NameBuf`]
//! owns its octets in place. Neither can hold anything that is not a name.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

mod plain;

pub use plain::{BLOCK_SIZE, PlainText};

/// The octets of a name at most, its length octets and the root label included (RFC 1035 §2.3.4).
pub const NAME_SIZE_MAX: usize = 255;

/// The octets of a label at most, its length octet left out (RFC 1035 §2.3.4).
pub const LABEL_SIZE_MAX: usize = 63;

/// The labels of a name at most, the root label left out: 127 labels of one octet fill 254 of 255 octets.
pub const LABEL_COUNT_MAX: usize = 127;

/// A domain name borrowed from its uncompressed wire form.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    /// Labels with their length octets, the root label last.
    wire: &'a [u8],
}

impl<'a> Name<'a> {
    /// The root, `.`.
    pub const ROOT: Name<'static> = Name { wire: &[0] };

    /// Reads the uncompressed name at the start of `bytes`; returns it and what follows.
    ///
    /// # Errors
    ///
    /// A compression pointer or reserved label type, a name over 255 octets, or the end of `bytes` within the name.
    pub fn from_wire(bytes: &'a [u8]) -> Result<(Name<'a>, &'a [u8]), NameError> {
        let mut at = 0;
        loop {
            let length = usize::from(*bytes.get(at).ok_or(NameError::Truncated)?);
            if length > LABEL_SIZE_MAX {
                return Err(NameError::LabelType);
            }
            at += 1 + length;
            if at > NAME_SIZE_MAX {
                return Err(NameError::NameTooLong);
            }
            if length == 0 {
                let (wire, rest) = bytes.split_at(at);
                return Ok((Name { wire }, rest));
            }
        }
    }

    /// Reads `bytes` as one uncompressed name and nothing else.
    ///
    /// # Errors
    ///
    /// As [`Name::from_wire`], and octets after the root label.
    pub fn from_wire_exact(bytes: &'a [u8]) -> Result<Name<'a>, NameError> {
        match Name::from_wire(bytes)? {
            (name, []) => Ok(name),
            _ => Err(NameError::TrailingOctets),
        }
    }

    /// The uncompressed wire form, in the letter case it came in.
    pub fn as_wire(self) -> &'a [u8] {
        self.wire
    }

    /// Octets of the wire form: 1 for the root, at most 255.
    pub fn wire_len(self) -> usize {
        self.wire.len()
    }

    /// Labels without the root label: 0 for the root.
    pub fn label_count(self) -> usize {
        self.labels().count()
    }

    /// The labels from the leftmost on, the root label left out.
    pub fn labels(self) -> Labels<'a> {
        Labels { rest: self.wire }
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(self) -> Option<Name<'a>> {
        let length = usize::from(self.wire[0]);
        (length > 0).then(|| Name { wire: &self.wire[1 + length..] })
    }

    /// The last `labels` labels as a name, the root for 0; `None` when the name has fewer.
    pub fn suffix(self, labels: usize) -> Option<Name<'a>> {
        let mut name = self;
        for _ in 0..self.label_count().checked_sub(labels)? {
            name = name.parent()?;
        }
        Some(name)
    }

    /// Whether this is the root, `.`.
    pub fn is_root(self) -> bool {
        self.wire.len() == 1
    }

    /// Whether the leftmost label is the single octet `*` (RFC 4592 §2.1.1).
    pub fn is_wildcard(self) -> bool {
        self.wire.starts_with(b"\x01*")
    }

    /// Whether this name is `ancestor` or stands below it.
    pub fn is_at_or_below(self, ancestor: Name<'_>) -> bool {
        let Some(start) = self.wire.len().checked_sub(ancestor.wire.len()) else { return false };
        // The octets may agree by chance in the middle of a label: the suffix has to start at a label.
        let mut at = 0;
        while at < start {
            at += 1 + usize::from(self.wire[at]);
        }
        at == start && self.wire[start..].eq_ignore_ascii_case(ancestor.wire)
    }

    /// Whether this name stands below `ancestor` and is not `ancestor` itself.
    pub fn is_below(self, ancestor: Name<'_>) -> bool {
        self.wire.len() > ancestor.wire.len() && self.is_at_or_below(ancestor)
    }

    /// How many labels both names share, counted from the root.
    pub fn common_labels(self, other: Name<'_>) -> usize {
        let (mut longer, mut shorter) = (self, Name { wire: other.wire });
        let (mut n, m) = (longer.label_count(), shorter.label_count());
        if n < m {
            core::mem::swap(&mut longer, &mut shorter);
        }
        let mut shared = n.min(m);
        n = n.max(m);
        while n > shared {
            longer = longer.parent().expect("a name with labels left has a parent");
            n -= 1;
        }
        // Walk both names down to the root; each differing label makes all labels to its left not shared.
        let mut left = shared;
        for (a, b) in longer.labels().zip(shorter.labels()) {
            left -= 1;
            if !a.eq_ignore_ascii_case(b) {
                shared = left;
            }
        }
        shared
    }

    /// An owned copy in the same letter case.
    pub fn to_buf(self) -> NameBuf {
        let mut wire = [0; NAME_SIZE_MAX];
        wire[..self.wire.len()].copy_from_slice(self.wire);
        NameBuf { len: self.wire.len() as u8, wire }
    }

    /// An owned copy with ASCII letters in lower case, the canonical form of RFC 4034 §6.2.
    pub fn to_lowercase(self) -> NameBuf {
        let mut name = self.to_buf();
        // Length octets are at most 63 and so never a letter.
        name.wire[..self.wire.len()].make_ascii_lowercase();
        name
    }

    /// The name with its suffix `old` replaced by `new`, as a DNAME record does (RFC 6672 §2.2).
    ///
    /// # Errors
    ///
    /// [`NameError::NotBelow`] when the name is not at or below `old`, [`NameError::NameTooLong`] when the result is.
    pub fn with_suffix_replaced(self, old: Name<'_>, new: Name<'_>) -> Result<NameBuf, NameError> {
        if !self.is_at_or_below(old) {
            return Err(NameError::NotBelow);
        }
        let prefix = &self.wire[..self.wire.len() - old.wire.len()];
        let len = prefix.len() + new.wire.len();
        if len > NAME_SIZE_MAX {
            return Err(NameError::NameTooLong);
        }
        let mut wire = [0; NAME_SIZE_MAX];
        wire[..prefix.len()].copy_from_slice(prefix);
        wire[prefix.len()..len].copy_from_slice(new.wire);
        Ok(NameBuf { len: len as u8, wire })
    }
}

impl PartialEq<Name<'_>> for Name<'_> {
    fn eq(&self, other: &Name<'_>) -> bool {
        self.wire.eq_ignore_ascii_case(other.wire)
    }
}

impl Eq for Name<'_> {}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A name ends where its root label is, so that no length is needed to tell names apart.
        for octets in self.wire.chunks(8) {
            state.write_u64(first_octets(octets));
        }
    }
}

impl PartialOrd for Name<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name<'_> {
    /// Canonical order: label by label from the root, ASCII case folded, a shorter name first (RFC 4034 §6.1).
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = ([0; LABEL_COUNT_MAX], [0; LABEL_COUNT_MAX]);
        let (n, m) = (label_starts(self.wire, &mut a), label_starts(other.wire, &mut b));
        for (&i, &j) in a[..n].iter().rev().zip(b[..m].iter().rev()) {
            let order = cmp_labels(label_at(self.wire, i), label_at(other.wire, j));
            if order.is_ne() {
                return order;
            }
        }
        n.cmp(&m)
    }
}

impl fmt::Display for Name<'_> {
    /// Presentation form with the final dot; dots and special characters escaped, other octets as `\DDD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        if self.is_root() {
            return f.write_char('.');
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => write!(f, "\\{}", char::from(octet))?,
                    0x21..=0x7e => f.write_char(char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_char('.')?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The labels of a name, leftmost first.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, rest) = self.rest.split_first()?;
        if length == 0 {
            return None;
        }
        let (label, rest) = rest.split_at(usize::from(length));
        self.rest = rest;
        Some(label)
    }
}

/// A domain name that owns its octets, 256 octets in place.
#[derive(Clone)]
pub struct NameBuf {
    len: u8,
    wire: [u8; NAME_SIZE_MAX],
}

impl NameBuf {
    /// The name as a view.
    pub fn as_name(&self) -> Name<'_> {
        Name { wire: &self.wire[..usize::from(self.len)] }
    }

    /// Reads presentation form; what does not end in a dot is completed with `origin` (RFC 1035 §5.1).
    ///
    /// `@` alone is `origin`. The error's number is the offset in `text` at which the mistake stands.
    ///
    /// # Errors
    ///
    /// An empty label, a label or name that is too long, or a broken `\` escape.
    pub fn from_presentation(text: &[u8], origin: Name<'_>) -> Result<NameBuf, (NameError, usize)> {
        match text {
            b"@" => Ok(origin.to_buf()),
            _ => NameBuf::read(text, origin),
        }
    }

    /// As [`NameBuf::from_presentation`], but `@` is a label like any other.
    fn read(text: &[u8], origin: Name<'_>) -> Result<NameBuf, (NameError, usize)> {
        match text {
            b"." => return Ok(Name::ROOT.to_buf()),
            b"" => return Err((NameError::Empty, 0)),
            _ => {}
        }
        let mut builder = NameBuilder::new();
        let mut label = [0; LABEL_SIZE_MAX];
        let (mut len, mut at, mut label_at) = (0, 0, 0);
        while at < text.len() {
            let start = at;
            let octet = match text[at] {
                b'.' => {
                    builder.push_label(&label[..len]).map_err(|error| (error, label_at))?;
                    (len, at) = (0, at + 1);
                    label_at = at;
                    continue;
                }
                b'\\' => {
                    let (octet, size) = unescape(&text[at..]).ok_or((NameError::Escape, at))?;
                    at += size;
                    octet
                }
                octet => {
                    at += 1;
                    octet
                }
            };
            *label.get_mut(len).ok_or((NameError::LabelTooLong, start))? = octet;
            len += 1;
        }
        if len == 0 {
            return Ok(builder.finish());
        }
        builder.push_label(&label[..len]).map_err(|error| (error, label_at))?;
        builder.append(origin).map_err(|error| (error, label_at))
    }
}

impl FromStr for NameBuf {
    type Err = NameError;

    /// Reads an absolute name in presentation form; the final dot may be left out.
    fn from_str(text: &str) -> Result<NameBuf, NameError> {
        NameBuf::read(text.as_bytes(), Name::ROOT).map_err(|(error, _)| error)
    }
}

impl<'a> From<Name<'a>> for NameBuf {
    fn from(name: Name<'a>) -> NameBuf {
        name.to_buf()
    }
}

impl PartialEq for NameBuf {
    fn eq(&self, other: &NameBuf) -> bool {
        self.as_name() == other.as_name()
    }
}

impl Eq for NameBuf {}

impl Hash for NameBuf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_name().hash(state);
    }
}

impl PartialOrd for NameBuf {
    fn partial_cmp(&self, other: &NameBuf) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NameBuf {
    fn cmp(&self, other: &NameBuf) -> Ordering {
        self.as_name().cmp(&other.as_name())
    }
}

impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_name(), f)
    }
}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_name(), f)
    }
}

/// Puts a name together label by label, leftmost first.
#[derive(Clone)]
pub struct NameBuilder {
    len: usize,
    wire: [u8; NAME_SIZE_MAX],
}

impl NameBuilder {
    /// A builder without labels; finished at once it gives the root.
    pub fn new() -> NameBuilder {
        NameBuilder { len: 0, wire: [0; NAME_SIZE_MAX] }
    }

    /// Adds one label to the right.
    ///
    /// # Errors
    ///
    /// A label that is empty or over 63 octets, or a name that would pass 255 octets; nothing is added then.
    pub fn push_label(&mut self, label: &[u8]) -> Result<(), NameError> {
        if label.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        if label.len() > LABEL_SIZE_MAX {
            return Err(NameError::LabelTooLong);
        }
        let end = self.len + 1 + label.len();
        // One octet stays free for the root label.
        if end >= NAME_SIZE_MAX {
            return Err(NameError::NameTooLong);
        }
        self.wire[self.len] = label.len() as u8;
        self.wire[self.len + 1..end].copy_from_slice(label);
        self.len = end;
        Ok(())
    }

    /// Completes the name with `suffix`.
    ///
    /// # Errors
    ///
    /// A name over 255 octets.
    pub fn append(mut self, suffix: Name<'_>) -> Result<NameBuf, NameError> {
        let end = self.len + suffix.wire.len();
        if end > NAME_SIZE_MAX {
            return Err(NameError::NameTooLong);
        }
        self.wire[self.len..end].copy_from_slice(suffix.wire);
        Ok(NameBuf { len: end as u8, wire: self.wire })
    }

    /// Completes the name with the root label.
    pub fn finish(mut self) -> NameBuf {
        self.wire[self.len] = 0;
        NameBuf { len: self.len as u8 + 1, wire: self.wire }
    }
}

impl Default for NameBuilder {
    fn default() -> NameBuilder {
        NameBuilder::new()
    }
}

impl fmt::Debug for NameBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.clone().finish(), f)
    }
}

/// Why octets or text are not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The octets end within the name.
    Truncated,
    /// A label whose first two bits are not 00: a pointer where none may be, or a reserved type.
    LabelType,
    /// A compression pointer that does not point backwards, points into the header, or is one of too many.
    Pointer,
    /// A label of more than 63 octets.
    LabelTooLong,
    /// A name of more than 255 octets.
    NameTooLong,
    /// Two dots in a row, or a dot at the start.
    EmptyLabel,
    /// No characters at all.
    Empty,
    /// A `\` that is followed by neither one character nor three digits up to 255.
    Escape,
    /// Octets after the root label.
    TrailingOctets,
    /// The name does not stand below the one it was said to stand below.
    NotBelow,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameError::Truncated => "the message ends within a name",
            NameError::LabelType => "a label of a reserved type, or a compression pointer where none may be",
            NameError::Pointer => "a compression pointer does not point to an earlier name (RFC 1035 §4.1.4)",
            NameError::LabelTooLong => "a label is longer than 63 octets (RFC 1035 §2.3.4)",
            NameError::NameTooLong => "the name is longer than 255 octets (RFC 1035 §2.3.4)",
            NameError::EmptyLabel => "the name has an empty label: two dots in a row, or a dot at the start",
            NameError::Empty => "the name is empty; the root is written \".\"",
            NameError::Escape => {
                "\"\\\" has to be followed by one character or by three digits up to 255 (RFC 1035 §5.1)"
            }
            NameError::TrailingOctets => "octets follow the end of the name",
            NameError::NotBelow => "the name is not below the suffix that was to be replaced",
        })
    }
}

impl core::error::Error for NameError {}

/// The octet that the escape at the start of `text` stands for, and the characters it takes (RFC 1035 §5.1).
///
/// `None` when `text` does not start with a whole `\X` or `\DDD`.
pub fn unescape(text: &[u8]) -> Option<(u8, usize)> {
    match *text {
        [b'\\', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => {
            let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            Some((u8::try_from(value).ok()?, 4))
        }
        [b'\\', b'0'..=b'9', ..] => None,
        [b'\\', octet, ..] => Some((octet, 2)),
        _ => None,
    }
}

/// Writes the offset of each label's length octet to `starts`; returns how many there are.
fn label_starts(wire: &[u8], starts: &mut [u8; LABEL_COUNT_MAX]) -> usize {
    let (mut at, mut n) = (0, 0);
    while wire[at] != 0 {
        starts[n] = at as u8;
        n += 1;
        at += 1 + usize::from(wire[at]);
    }
    n
}

fn label_at(wire: &[u8], start: u8) -> &[u8] {
    let start = usize::from(start);
    &wire[start + 1..start + 1 + usize::from(wire[start])]
}

/// Compares labels as octet strings, ASCII case folded, eight octets at a time.
fn cmp_labels(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        // A label that ends within the eight octets is filled up with zeros: where those make a difference the shorter
        // label is the lesser, and where they make none the lengths decide.
        let order = first_octets(a).cmp(&first_octets(b));
        if order.is_ne() || a.len() <= 8 || b.len() <= 8 {
            return order.then(a.len().cmp(&b.len()));
        }
        (a, b) = (&a[8..], &b[8..]);
    }
}

/// The first eight octets in lower case as a number, the first octet in its highest place; zeros where there are fewer.
#[inline]
fn first_octets(octets: &[u8]) -> u64 {
    fold_case(match *octets {
        [a, b, c, d, e, f, g, h, ..] => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        // Read from both sides, the octets in the middle twice.
        [a, b, c, d, ..] => {
            let last = octets.last_chunk().map_or(0, |&last| u32::from_be_bytes(last));
            u64::from(u32::from_be_bytes([a, b, c, d])) << 32 | u64::from(last) << (8 * (8 - octets.len()))
        }
        [a, b, c] => u64::from_be_bytes([a, b, c, 0, 0, 0, 0, 0]),
        [a, b] => u64::from_be_bytes([a, b, 0, 0, 0, 0, 0, 0]),
        [a] => u64::from_be_bytes([a, 0, 0, 0, 0, 0, 0, 0]),
        [] => 0,
    })
}

/// Eight octets with their ASCII capital letters turned into small ones.
#[inline]
fn fold_case(octets: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // In each octet the highest bit tells whether the other seven are above `Z`, and whether they are at or above `A`.
    let low_bits = octets & (0x7f * ONES);
    let above_z = low_bits + (0x7f - b'Z' as u64) * ONES;
    let from_a = low_bits + (0x80 - b'A' as u64) * ONES;
    let is_capital = (from_a ^ above_z) & !octets & (0x80 * ONES);
    // Capital and small letters differ in the bit two places below the highest.
    octets | is_capital >> 2
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    #[test]
    fn text_and_wire_form_mean_the_same_name() {
        for (text, wire) in [
            (".", &b"\0"[..]),
            ("example.", b"\x07example\0"),
            ("a\\.b.c.", b"\x03a.b\x01c\0"),
            ("\\000\\255\\032.", b"\x03\0\xff \0"),
            ("\\@.", b"\x01@\0"),
        ] {
            assert_eq!(name(text).as_name().as_wire(), wire, "{text}");
            assert_eq!(Name::from_wire_exact(wire).unwrap().to_string(), text);
        }
        assert_eq!(name("@").as_name().as_wire(), b"\x01@\0");
    }

    #[test]
    fn a_relative_name_is_completed_with_the_origin() {
        let origin = name("example.org");
        let read = |text: &str| NameBuf::from_presentation(text.as_bytes(), origin.as_name());
        assert_eq!(read("www"), Ok(name("www.example.org")));
        assert_eq!(read("www."), Ok(name("www")));
        assert_eq!(read("@"), Ok(name("example.org")));
        assert_eq!(read("www\\."), Ok(name("www\\..example.org")));
    }

    #[test]
    fn a_mistake_in_a_name_is_reported_where_it_stands() {
        let refused = |text: &str| NameBuf::from_presentation(text.as_bytes(), Name::ROOT).unwrap_err();
        assert_eq!(refused(""), (NameError::Empty, 0));
        assert_eq!(refused(".a"), (NameError::EmptyLabel, 0));
        assert_eq!(refused("a..b"), (NameError::EmptyLabel, 2));
        assert_eq!(refused("a\\25.b"), (NameError::Escape, 1));
        assert_eq!(refused("a\\256"), (NameError::Escape, 1));
        assert_eq!(refused("a\\"), (NameError::Escape, 1));
        assert_eq!(refused(&"x".repeat(64)), (NameError::LabelTooLong, 63));
    }

    #[test]
    fn labels_end_at_63_octets_and_names_at_255() {
        assert!("x".repeat(63).parse::<NameBuf>().is_ok());
        let longest = [63, 63, 63, 61].map(|n| "x".repeat(n)).join(".");
        assert_eq!(name(&longest).as_name().wire_len(), NAME_SIZE_MAX);
        assert_eq!((longest.clone() + "x").parse::<NameBuf>(), Err(NameError::NameTooLong));
        assert_eq!((String::from("y.") + &longest).parse::<NameBuf>(), Err(NameError::NameTooLong));
        let most_labels = "x.".repeat(LABEL_COUNT_MAX);
        assert_eq!(name(&most_labels).as_name().label_count(), LABEL_COUNT_MAX);
        assert_eq!((most_labels + "x").parse::<NameBuf>(), Err(NameError::NameTooLong));
    }

    #[test]
    fn wire_form_is_refused_at_the_octet_where_it_breaks() {
        assert_eq!(Name::from_wire(b"\x01a"), Err(NameError::Truncated));
        assert_eq!(Name::from_wire(b"\x02a"), Err(NameError::Truncated));
        assert_eq!(Name::from_wire(b"\xc0\x0c"), Err(NameError::LabelType));
        assert_eq!(Name::from_wire(b"\x40a"), Err(NameError::LabelType));
        assert_eq!(Name::from_wire_exact(b"\0\0"), Err(NameError::TrailingOctets));
        assert_eq!(Name::from_wire(b"\x01a\0bc").map(|(_, rest)| rest), Ok(&b"bc"[..]));
    }

    #[test]
    fn canonical_order_is_the_example_of_rfc_4034_section_6_1() {
        let sorted = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ]
        .map(name);
        assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn letter_case_does_not_part_names_but_label_borders_do() {
        assert_eq!(name("WWW.Example"), name("www.example"));
        assert!(name("www.EXAMPLE").as_name().is_below(name("example").as_name()));
        assert!(!name("example").as_name().is_below(name("example").as_name()));
        assert!(!name("myexample").as_name().is_at_or_below(name("example").as_name()));
        // The octets of "b." stand at the end of the single label "a\\001b".
        assert!(!name("a\\001b").as_name().is_at_or_below(name("b").as_name()));
        assert_eq!(name("a.x.example").as_name().common_labels(name("b.a.x.Example").as_name()), 3);
        assert_eq!(name("a.x.example").as_name().common_labels(name("a.y.example").as_name()), 1);
        assert_eq!(name("a.x").as_name().common_labels(Name::ROOT), 0);
    }

    #[test]
    fn a_dname_moves_the_prefix_below_its_target() {
        let moved = |n: &str, old: &str, new: &str| {
            name(n).as_name().with_suffix_replaced(name(old).as_name(), name(new).as_name())
        };
        assert_eq!(moved("a.b.old.example", "OLD.example", "new.test"), Ok(name("a.b.new.test")));
        assert_eq!(moved("a.example", "b.example", "c."), Err(NameError::NotBelow));
        let long = ["x".repeat(63), "x".repeat(63), "x".repeat(63)].join(".");
        assert_eq!(moved(&(long.clone() + ".a"), "a", &long), Err(NameError::NameTooLong));
    }

    #[test]
    fn suffixes_count_labels_from_the_root() {
        let n = name("a.b.c");
        assert_eq!(n.as_name().suffix(0), Some(Name::ROOT));
        assert_eq!(n.as_name().suffix(2).map(Name::to_buf), Some(name("b.c")));
        assert_eq!(n.as_name().suffix(4), None);
    }
}
