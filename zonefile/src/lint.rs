//! What can be read and was hardly meant: oddities that only show where the text and its records are seen together.

use core::hash::{Hash, Hasher};
use core::net::Ipv6Addr;
use std::collections::{BTreeMap, HashSet};
use std::hash::DefaultHasher;
use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memchr2, memchr2_iter, memrchr2};
use nss_wire::rdata::{self, Kind};
use nss_wire::{Name, NameBuf, RType, Record, Rule};

use crate::diagnostic::{Diagnostic, Label};
use crate::explain;
use crate::lines::{Lines, Part, TYPOGRAPHIC_LEADS, line_ends};
use crate::reader::Position;
use crate::rules;
use crate::syntax::{self, Piece, PieceKind};

/// What a linter has to know beyond the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct LintOptions {
    /// The time, in seconds since 1970; without it no serial is compared with the date.
    pub now: Option<u64>,
}

/// What a linter has found.
#[derive(Clone, Debug, Default)]
pub struct Lints {
    /// In the order of the text, at most [`LINTS_MAX`].
    pub diagnostics: Vec<Diagnostic>,
    /// What was found beyond those.
    pub left_out: u64,
}

/// The oddities that are told of one text: as many as findings of a zone.
pub const LINTS_MAX: usize = 1000;

/// Looks at the records of a zone as they are read, and at the text behind those that look odd.
///
/// ```
/// use nss_wire::NameBuf;
/// use nss_zonefile::{LintOptions, Linter, Lines, Options, Reader};
///
/// let text = b"$TTL 1h\n@ NS ns1.elk.gg\n";
/// let apex: NameBuf = "example.com".parse()?;
/// let (mut linter, mut lines) = (Linter::new(apex.as_name(), LintOptions::default()), Lines::new(text));
/// let mut reader = Reader::new(text, &Options::for_zone(apex.as_name()));
/// while let Some(entry) = reader.next() {
///     let entry = entry?;
///     linter.record(entry.record, entry.position, &mut lines);
/// }
/// linter.text(&lines);
/// let lints = linter.finish(|_, _| false);
/// assert_eq!(lints.diagnostics[0].rule.name, "missing-final-dot");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Linter {
    apex: NameBuf,
    options: LintOptions,
    found: Lints,
    last_owner: Vec<u8>,
    last_position: Option<Position>,
    /// Names that seem to lack their final dot, if nothing stands there.
    dotless: Vec<(NameBuf, Diagnostic)>,
    /// Where SPF records stand, by the hash of their owner.
    spf: BTreeMap<u64, Option<Label>>,
}

impl Linter {
    /// A linter for the zone at `apex`.
    pub fn new(apex: Name<'_>, options: LintOptions) -> Linter {
        Linter {
            apex: apex.to_buf(),
            options,
            found: Lints::default(),
            last_owner: Vec::new(),
            last_position: None,
            dotless: Vec::new(),
            spf: BTreeMap::new(),
        }
    }

    /// Looks at a record; `lines` is the text that it stands in.
    pub fn record(&mut self, record: Record<'_>, position: Position, lines: &mut Lines<'_>) {
        let is_new = self.last_owner != record.owner.as_wire();
        if is_new {
            self.last_owner.clear();
            self.last_owner.extend_from_slice(record.owner.as_wire());
        }
        // Of the records of one $GENERATE entry only the first is looked at: what is said of it goes for all.
        if self.last_position.replace(position) == Some(position) {
            return;
        }
        let mut at = At { linter: self, record, line: position.line, lines };
        if is_new {
            at.owner();
        }
        match record.rtype {
            RType::A | RType::AAAA => at.host_owner(),
            RType::TXT => at.txt(),
            RType::SPF => at.spf_type(),
            RType::SOA => at.soa(),
            _ => {}
        }
        at.names();
    }

    /// Looks at a text as a whole, once for each file.
    pub fn text(&mut self, lines: &Lines<'_>) {
        self.line_ends(lines);
        self.characters(lines);
    }

    /// All that was found, in the order of the text.
    ///
    /// `has` says whether the zone has a record at a name, of one type if there is one: it is asked where a name seems
    /// to lack its final dot, for where something stands nothing is lacking.
    pub fn finish(mut self, mut has: impl FnMut(Name<'_>, Option<RType>) -> bool) -> Lints {
        for (name, diagnostic) in std::mem::take(&mut self.dotless) {
            if !self.is_there(name.as_name(), &mut has) {
                self.push(diagnostic);
            }
        }
        self.found.diagnostics.sort_by_key(Diagnostic::order);
        self.found
    }

    /// Whether anything was found so far; of names that seem to lack their final dot only [`Linter::finish`] knows.
    pub fn has_found(&self) -> bool {
        !self.found.diagnostics.is_empty() || self.found.left_out > 0
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if self.found.diagnostics.len() < LINTS_MAX {
            self.found.diagnostics.push(diagnostic);
        } else {
            self.found.left_out += 1;
        }
    }

    /// Whether the zone says something about the name: a record of its own, a wildcard or a zone cut above it.
    fn is_there(&self, name: Name<'_>, has: &mut impl FnMut(Name<'_>, Option<RType>) -> bool) -> bool {
        if has(name, None) {
            return true;
        }
        let apex = self.apex.as_name();
        let mut above = name.parent();
        // A wildcard at the apex covers whatever a forgotten dot makes, and so says nothing about what was meant.
        while let Some(ancestor) = above
            && ancestor.is_below(apex)
        {
            let wildcard = [b"\x01*", ancestor.as_wire()].concat();
            let is_covered = Name::from_wire_exact(&wildcard).is_ok_and(|wildcard| has(wildcard, None));
            if is_covered || has(ancestor, Some(RType::NS)) {
                return true;
            }
            above = ancestor.parent();
        }
        false
    }

    /// CR LF in some lines and LF in others, which is the mark of a text put together from two.
    fn line_ends(&mut self, lines: &Lines<'_>) {
        let text = lines.text();
        // Nearly all files have one kind, and nearly all of them LF.
        if memchr(b'\r', text).is_none() {
            return;
        }
        let (mut dos, mut unix) = ((0usize, None), (0usize, None));
        for at in memchr_iter(b'\n', text) {
            let is_dos = at > 0 && text[at - 1] == b'\r';
            let (count, first) = if is_dos { &mut dos } else { &mut unix };
            *count += 1;
            first.get_or_insert(at);
        }
        let (Some(first_dos), Some(first_unix)) = (dos.1, unix.1) else { return };
        let (at, words) = if dos.0 <= unix.0 {
            (first_dos - 1, "the first line that ends as DOS ends lines, in CR LF")
        } else {
            (first_unix, "the first line that ends in LF alone")
        };
        let message = format!("{} lines end in CR LF and {} in LF", dos.0, unix.0);
        let place = lines.label_at(1 + line_ends(&text[..at]), at..at).with_note(words);
        let help = "give all lines one kind of end, for some programs read the CR as a part of the data".to_owned();
        let (place, help) = (Some(place), Some(help));
        self.push(Diagnostic { place, help, ..Diagnostic::new(&rules::MIXED_LINE_ENDS, message) });
    }

    /// Typographic characters outside comments and quotes, where nobody writes them by hand.
    fn characters(&mut self, lines: &Lines<'_>) {
        let text = lines.text();
        // They start with one of these octets, which are rare in zones. Each line is looked at once for each pair.
        for (one, other) in TYPOGRAPHIC_LEADS {
            let (mut line, mut counted, mut next) = (1, 0, 0);
            for at in memchr2_iter(one, other, text) {
                if at < next {
                    continue;
                }
                let start = memrchr2(b'\n', b'\r', &text[next..at]).map_or(next, |end| next + end + 1);
                let mut pieces = Vec::new();
                next = syntax::entry(text, start, &mut pieces).max(at + 1);
                let Some((at, character, plain)) = pieces.iter().find_map(|piece| typographic(text, piece, one, other))
                else {
                    continue;
                };
                line += line_ends(&text[counted..at]);
                counted = at;
                let number = u32::from(character);
                let message =
                    format!("the character U+{number:04X} within a word, as web pages and word processors write it");
                let place = lines.label_at(line, at..at + character.len_utf8());
                let help = Some(format!("write {plain} instead, or put the text into quotes if it is meant"));
                self.push(Diagnostic { place: Some(place), help, ..Diagnostic::new(&rules::LOST_CHARACTER, message) });
            }
        }
    }
}

/// The first typographic character of a word that starts with one of two octets, where it is, and what it stands for.
fn typographic(text: &[u8], piece: &Piece, one: u8, other: u8) -> Option<(usize, char, &'static str)> {
    if piece.kind != PieceKind::Word {
        return None;
    }
    let mut at = piece.span.start;
    for chunk in text[piece.span.clone()].utf8_chunks() {
        for character in chunk.valid().chars() {
            let is_one = text[at] == one || text[at] == other;
            if let Some(plain) = explain::plain(character).filter(|_| is_one) {
                return Some((at, character, plain));
            }
            at += character.len_utf8();
        }
        at += chunk.invalid().len();
    }
    None
}

/// A record that is looked at, and where it stands.
struct At<'a, 'r, 't> {
    linter: &'a mut Linter,
    record: Record<'r>,
    line: u32,
    lines: &'a mut Lines<'t>,
}

impl At<'_, '_, '_> {
    fn warn(&mut self, rule: &'static Rule, part: Part, message: String, help: String) {
        let diagnostic = self.diagnostic(rule, part, message, help);
        self.linter.push(diagnostic);
    }

    fn diagnostic(&mut self, rule: &'static Rule, part: Part, message: String, help: String) -> Diagnostic {
        let place = self.lines.label(self.line, part);
        Diagnostic { place, help: Some(help), ..Diagnostic::new(rule, message) }
    }

    /// The word of the text at a part of the record; `None` for generated records and generic data.
    fn word(&mut self, part: Part) -> Option<String> {
        let (_, outline) = self.lines.outline(self.line).filter(|(_, outline)| !outline.is_directive)?;
        let n = match part {
            Part::Owner => outline.owner?,
            Part::Field(n) => {
                let first = outline.words.get(outline.data())?;
                if self.lines.text()[first.span.clone()] == *b"\\#" {
                    return None;
                }
                outline.data() + n
            }
            Part::Ttl | Part::Type | Part::Data => return None,
        };
        let piece = outline.words.get(n).filter(|piece| piece.kind == PieceKind::Word)?;
        str::from_utf8(&self.lines.text()[piece.span.clone()]).ok().map(str::to_owned)
    }

    /// Whether the text at a part is, or may be if it is not kept, a relative name.
    fn is_relative(&mut self, part: Part) -> bool {
        !self.lines.is_kept() || self.word(part).is_some_and(|word| !word.ends_with('.') && word != "@")
    }

    /// The text at a part, to say what is odd about it.
    fn written(&mut self, part: Part) -> String {
        if self.lines.is_kept() { self.word(part).unwrap_or_default() } else { String::new() }
    }

    fn owner(&mut self) {
        let owner = self.record.owner;
        if memchr(b'*', owner.as_wire()).is_some() {
            let is_odd = |(n, label): (usize, &[u8])| memchr(b'*', label).is_some() && (n > 0 || label != b"*");
            if owner.labels().enumerate().any(is_odd) {
                self.warn(
                    &rules::ODD_WILDCARD,
                    Part::Owner,
                    format!("{owner} is no wildcard: it stands for itself alone"),
                    "a wildcard is a * that is the whole first label, such as *.sub; it covers any number of labels"
                        .into(),
                );
            }
        }
        if self.repeats_apex(owner) && self.is_relative(Part::Owner) {
            self.repeated_origin(Part::Owner, owner);
        } else if self.is_lost_owner() {
            self.warn(
                &rules::LOST_OWNER,
                Part::Owner,
                format!("the line starts with what looks like a class or a TTL, and so the record belongs to {owner}"),
                "start the line with a blank to go on with the name above, or with the name".into(),
            );
        }
    }

    fn is_lost_owner(&mut self) -> bool {
        let Some(label) = self.record.owner.labels().next() else { return false };
        let is_short = label.len() <= 6;
        let looks_so = is_short && (label == b"IN" || label == b"CH" || self.is_seconds(label));
        looks_so && self.word(Part::Owner).is_some_and(|word| word.as_bytes() == label)
    }

    /// Numbers from a minute on are no usual host names, but are so below `arpa`.
    fn is_seconds(&self, label: &[u8]) -> bool {
        let is_reverse = self.record.owner.labels().last().is_some_and(|last| last.eq_ignore_ascii_case(b"arpa"));
        let number = label.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(label).ok()?.parse().ok());
        !is_reverse && number.flatten().is_some_and(|seconds: u32| seconds >= 300)
    }

    /// Whether the name ends in the zone's name twice.
    fn repeats_apex(&self, name: Name<'_>) -> bool {
        let apex = self.linter.apex.as_name();
        let Some((_root, labels)) = apex.as_wire().split_last().filter(|(_, labels)| !labels.is_empty()) else {
            return false;
        };
        let before = name.wire_len().saturating_sub(apex.wire_len());
        let Some(start) = before.checked_sub(labels.len()) else { return false };
        let looks_so = name.as_wire()[start..before].eq_ignore_ascii_case(labels) && name.is_below(apex);
        // The octets may agree by chance in the middle of a label.
        looks_so
            && name.suffix(2 * apex.label_count()).is_some_and(|suffix| suffix.wire_len() == name.wire_len() - start)
    }

    fn repeated_origin(&mut self, part: Part, name: Name<'_>) {
        let word = self.written(part);
        let diagnostic = self.diagnostic(
            &rules::REPEATED_ORIGIN,
            part,
            format!("\"{word}\" without a final dot is {name}"),
            format!("write {word}. with a dot at its end, or leave the zone's name out"),
        );
        self.linter.push(diagnostic);
    }

    /// The names of the data: final dots, addresses, URLs and underscores.
    fn names(&mut self) {
        let (rtype, data) = (self.record.rtype, self.record.rdata);
        if !has_target(rtype) {
            return;
        }
        let fields = rdata::info(rtype).map_or(&[][..], |info| info.fields);
        let indices = fields.iter().enumerate().filter(|(_, field)| matches!(field.kind, Kind::Name(_)));
        for ((n, _), name) in indices.zip(rdata::names(rtype, data)) {
            self.name(Part::Field(n), name.name);
        }
    }

    fn name(&mut self, part: Part, name: Name<'_>) {
        let rtype = self.record.rtype;
        let Some(first) = name.labels().next() else { return };
        if is_address(name, self.linter.apex.as_name()) {
            return self.warn(
                &rules::ADDRESS_AS_NAME,
                part,
                format!("{rtype} wants the name of a host, and this is read as the name {name}"),
                match rtype {
                    RType::CNAME => "write an A or AAAA record with this address instead of the CNAME".into(),
                    _ => format!("give a name such as mail an A or AAAA record with this address, and write that name behind {rtype}"),
                },
            );
        }
        if first.windows(2).any(|pair| pair == b"//") {
            return self.warn(
                &rules::URL_AS_NAME,
                part,
                format!("{rtype} wants a name, and this is read as the name {name}"),
                "write the host of the URL alone, with a final dot; DNS cannot redirect to a page".into(),
            );
        }
        if matches!(rtype, RType::NS | RType::MX | RType::SRV) && has_underscore(name) {
            self.warn(
                &rules::UNDERSCORE_HOST,
                part,
                format!("{name} is no host name, for host names have no underscores"),
                "use a name of letters, digits and hyphens".into(),
            );
        }
        if !name.is_below(self.linter.apex.as_name()) {
            return;
        }
        if self.repeats_apex(name) && self.is_relative(part) {
            self.repeated_origin(part, name);
        } else if self.seems_dotless(name) && self.is_relative(part) {
            let word = self.written(part);
            let diagnostic = self.diagnostic(
                &rules::MISSING_FINAL_DOT,
                part,
                format!("\"{word}\" without a final dot is {name}, where this zone has no records"),
                format!("write {word}. with a dot at its end"),
            );
            if self.linter.dotless.len() < LINTS_MAX {
                self.linter.dotless.push((name.to_buf(), diagnostic));
            } else {
                self.linter.found.left_out += 1;
            }
        }
    }

    /// Whether what stands before the apex is a name that ends in a top-level domain.
    fn seems_dotless(&self, name: Name<'_>) -> bool {
        let before = name.label_count().saturating_sub(self.linter.apex.as_name().label_count());
        before >= 2 && name.labels().nth(before - 1).is_some_and(is_top_level)
    }

    fn host_owner(&mut self) {
        let owner = self.record.owner;
        if has_underscore(owner) {
            self.warn(
                &rules::UNDERSCORE_HOST,
                Part::Owner,
                format!("{owner} has an address, but host names have no underscores"),
                "use a name of letters, digits and hyphens".into(),
            );
        }
    }

    fn spf_type(&mut self) {
        self.warn(
            &rules::SPF_TYPE,
            Part::Type,
            "nobody looks at records of the type SPF any more".into(),
            "write TXT instead of SPF".into(),
        );
    }

    fn soa(&mut self) {
        let data = self.record.rdata;
        let mut names = rdata::names(RType::SOA, data);
        let mailbox = names.nth(1).map(|part| part.name);
        if let Some(first) = mailbox.and_then(|name| name.labels().next())
            && memchr(b'@', first).is_some()
        {
            let word = self.word(Part::Field(1)).unwrap_or_default();
            self.warn(
                &rules::MAILBOX_AT,
                Part::Field(1),
                "the mailbox of a SOA record is written as a name, with a dot instead of the @".into(),
                format!("write {}.", word.replacen('@', ".", 1).trim_end_matches('.')),
            );
        }
        let Some(&serial) = data.len().checked_sub(20).and_then(|at| data[at..].first_chunk::<4>()) else { return };
        let serial = u32::from_be_bytes(serial);
        if let Some(now) = self.linter.options.now
            && is_date_to_come(serial, now)
        {
            let today = date(now);
            self.warn(
                &rules::SERIAL_IN_FUTURE,
                Part::Field(2),
                format!("the serial {serial} is a date to come; today is {today}"),
                format!("write {today}00, unless secondaries have the greater serial already: to them a smaller one is older"),
            );
        }
    }

    fn txt(&mut self) {
        let data = self.record.rdata;
        let first_size = usize::from(data.first().copied().unwrap_or(0));
        let is_single = first_size + 1 == data.len();
        let is_tagged = data.get(1..3).is_some_and(|start| start.eq_ignore_ascii_case(b"v="));
        if !is_single {
            self.unquoted_blanks();
        }
        // With a blank or a semicolon in it the text was in quotes.
        if is_tagged && is_single && memchr2(b' ', b';', data).is_none() {
            self.unquoted_semicolon();
        }
        if is_spf(data) {
            self.spf();
        }
        if is_tagged && self.record.owner.labels().any(|label| label.eq_ignore_ascii_case(b"_domainkey")) {
            self.dkim();
        }
    }

    /// Several strings without quotes are one text without the blanks between them.
    fn unquoted_blanks(&mut self) {
        let Some((_, outline)) = self.lines.outline(self.line).filter(|(_, outline)| !outline.is_directive) else {
            return;
        };
        let words = outline.words.get(outline.data()..).unwrap_or_default();
        let text = self.lines.text();
        let (Some(first), Some(last)) = (words.first(), words.last()) else { return };
        let is_generic = text[first.span.clone()] == *b"\\#";
        if is_generic || words.len() < 2 || words.iter().any(|word| word.kind != PieceKind::Word) {
            return;
        }
        // Over several lines a text is cut by intent.
        if memchr(b'\n', &text[first.span.start..last.span.end]).is_some() {
            return;
        }
        let written = String::from_utf8_lossy(&text[first.span.start..last.span.end]);
        let help = format!("write \"{}\" with quotes around it", written.escape_debug());
        let message = format!("{} strings, which are read as one text without the blanks between them", words.len());
        self.warn(&rules::UNQUOTED_BLANKS, Part::Data, message, help);
    }

    /// `v=DKIM1; p=…` without quotes ends at the semicolon, for the rest is a comment.
    fn unquoted_semicolon(&mut self) {
        let Some((_, outline)) = self.lines.outline(self.line).filter(|(_, outline)| !outline.is_directive) else {
            return;
        };
        let text = self.lines.text();
        let Some(last) = outline.words.last().filter(|last| last.kind == PieceKind::Word) else { return };
        if text.get(last.span.end) == Some(&b';') {
            let end = syntax::line_end(text, last.span.end);
            let first = outline.words.get(outline.data()).unwrap_or(last);
            let written = String::from_utf8_lossy(&text[first.span.start..end]).into_owned();
            self.warn(
                &rules::UNQUOTED_SEMICOLON,
                Part::Data,
                "the text ends before the ; because what follows is a comment".into(),
                format!("write \"{}\" with quotes around it", written.trim_end()),
            );
        }
    }

    fn spf(&mut self) {
        let owner = hash(self.record.owner);
        match self.linter.spf.get(&owner).cloned() {
            Some(first) => {
                let message = format!("a second SPF record at {}: mail servers then heed neither", self.record.owner);
                let help = "put the mechanisms of both into one record, before its \"all\"".to_owned();
                let mut diagnostic = self.diagnostic(&rules::SEVERAL_SPF, Part::Data, message, help);
                diagnostic.related.extend(first.map(|label| label.with_note("the first one")));
                self.linter.push(diagnostic);
            }
            // Who has SPF records at more names than this has no use for the linter's memory.
            None if self.linter.spf.len() < LINTS_MAX => {
                let label = self.lines.label(self.line, Part::Data);
                self.linter.spf.insert(owner, label);
            }
            None => {}
        }
    }

    fn dkim(&mut self) {
        let mut text = Vec::new();
        let mut rest = self.record.rdata;
        while let Some((&size, tail)) = rest.split_first() {
            let (string, behind) = tail.split_at(usize::from(size).min(tail.len()));
            text.extend_from_slice(string);
            rest = behind;
        }
        let key = text.split(|&octet| octet == b';').map(<[u8]>::trim_ascii).find_map(|tag| tag.strip_prefix(b"p="));
        let what = match key {
            None => "has no key: there is no p=",
            Some(key) if !is_base64(key) => "has a key that is no Base64: a part of it is lost, or something is in it",
            Some(_) => return,
        };
        let message = format!("the DKIM record {what}");
        let help = "write the key in strings of at most 255 characters, each in quotes, in parentheses over as many lines as you like".into();
        self.warn(&rules::BROKEN_DKIM_KEY, Part::Data, message, help);
    }
}

/// Types whose data names something that people write by hand.
fn has_target(rtype: RType) -> bool {
    matches!(
        rtype,
        RType::NS
            | RType::CNAME
            | RType::DNAME
            | RType::PTR
            | RType::MX
            | RType::SRV
            | RType::SOA
            | RType::SVCB
            | RType::HTTPS
            | RType::AFSDB
            | RType::KX
            | RType::NAPTR
            | RType::RP
    )
}

/// Whether the name, or what stands before the apex in it, is an IP address.
fn is_address(name: Name<'_>, apex: Name<'_>) -> bool {
    let count = match name.label_count().checked_sub(apex.label_count()) {
        Some(before) if name.is_below(apex) => before,
        _ => name.label_count(),
    };
    let mut labels = name.labels().take(count);
    let is_octet = |label: &[u8]| str::from_utf8(label).is_ok_and(|text| text.parse::<u8>().is_ok());
    match count {
        1 => labels.next().and_then(|it| str::from_utf8(it).ok()).is_some_and(|it| it.parse::<Ipv6Addr>().is_ok()),
        4 => labels.all(is_octet),
        _ => false,
    }
}

fn has_underscore(name: Name<'_>) -> bool {
    memchr(b'_', name.as_wire()).is_some()
}

fn is_spf(data: &[u8]) -> bool {
    let start = data.get(1..7).is_some_and(|start| start.eq_ignore_ascii_case(b"v=spf1"));
    // The version is the whole string, or a blank parts it from the rest of it (RFC 7208 §4.5).
    start && (data[0] == 6 || data.get(7) == Some(&b' '))
}

/// Base64 with its padding; blanks are allowed, and an empty key revokes (RFC 6376 §3.6.1).
fn is_base64(key: &[u8]) -> bool {
    let digits: Vec<u8> = key.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let padding = digits.iter().rev().take_while(|&&octet| octet == b'=').count();
    let is_digit = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    // Some leave the padding out, and all verifiers take it.
    let is_whole = digits.len().is_multiple_of(4) || (padding == 0 && digits.len() % 4 != 1);
    padding <= 2 && is_whole && digits[..digits.len() - padding].iter().all(is_digit)
}

/// Whether the serial is written `YYYYMMDDnn` and its day has not begun anywhere on Earth.
fn is_date_to_come(serial: u32, now: u64) -> bool {
    let (day, month, year) = (serial / 100 % 100, serial / 10_000 % 100, serial / 1_000_000);
    // The day begins 14 hours before UTC on the islands of Kiribati.
    let latest = date(now + 14 * 3600);
    (1..=31).contains(&day) && (1..=12).contains(&month) && (1980..=2999).contains(&year) && serial / 100 > latest
}

/// The date in UTC as the number `YYYYMMDD`.
fn date(now: u64) -> u32 {
    // The civil calendar from days, with years that begin in March so that the leap day is the last one.
    let days = now / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    u32::try_from((year_of_era + era * 400 + carry) * 10_000 + month * 100 + day).unwrap_or(u32::MAX)
}

/// A hash of a name in any letter case; who makes two names collide only loses a warning.
fn hash(name: Name<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for octet in name.as_wire() {
        octet.to_ascii_lowercase().hash(&mut hasher);
    }
    hasher.finish()
}

/// Whether a label is a top-level domain that people use: all of countries, and the larger generic ones.
fn is_top_level(label: &[u8]) -> bool {
    static ALL: LazyLock<HashSet<&[u8]>> = LazyLock::new(|| {
        let all = [COUNTRIES, GENERIC].into_iter().flat_map(str::split_ascii_whitespace);
        all.map(str::as_bytes).collect()
    });
    let mut lowercase = [0; TOP_LEVEL_SIZE_MAX];
    let Some(lowercase) = lowercase.get_mut(..label.len()) else { return false };
    lowercase.copy_from_slice(label);
    lowercase.make_ascii_lowercase();
    ALL.contains(&*lowercase)
}

/// Octets of the longest top-level domain below.
const TOP_LEVEL_SIZE_MAX: usize = 10;

/// The domains of ISO 3166 countries that are delegated.
const COUNTRIES: &str = "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by \
    bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga \
    gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh \
    ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my \
    mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg \
    sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc \
    ve vg vi vn vu wf ws ye yt za zm zw";

/// Generic domains with very many names, and those of infrastructure and examples.
const GENERIC: &str = "com net org info biz edu gov mil int arpa name pro mobi aero asia cat coop jobs museum tel travel post \
    app dev page cloud online site website shop store tech xyz top club live life work world space fun blog email host \
    hosting network systems solutions services digital agency design media studio group team company business center zone \
    news wiki link click icu vip win bid loan men date party review trade stream science download racing cricket faith \
    accountant webcam city today guru expert support technology software game games social chat video photos gallery \
    berlin hamburg koeln cologne wien london paris nyc tokyo amsterdam swiss ist istanbul moscow africa example test invalid";

#[cfg(test)]
mod tests;
