//! Splits zone text into entries, and entries into tokens (RFC 1035 §5.1).
//!
//! An entry is a line, or several lines that parentheses hold together. The lexer knows of blanks, line ends,
//! comments, quotes, parentheses and escapes and of nothing else; what the tokens mean is for `tokens` and above.

use memchr::memchr2;

use crate::error::ErrorKind;

/// One piece of an entry, between blanks; offsets count from the start of the entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// The first octet; for a quoted string, its opening quote.
    pub(crate) start: u32,
    /// The octet behind the last; for a quoted string, behind its closing quote.
    pub(crate) end: u32,
    /// Whether this is a quoted string.
    pub(crate) is_quoted: bool,
    /// Whether nothing stands between the token before and this one, as in `key="value"`.
    pub(crate) is_glued: bool,
}

/// What [`scan`] found at a line start.
#[derive(Debug)]
pub(crate) enum Scan {
    /// The text is used up.
    End,
    /// An entry, whose tokens were pushed; none for a line that is blank or a comment.
    Entry(Extent),
    /// An entry that is no row of tokens, because of the fault.
    Broken(Extent, LexFault),
}

/// Where an entry reaches to.
#[derive(Debug)]
pub(crate) struct Extent {
    /// The line start behind the entry.
    pub(crate) next: usize,
    /// Line ends in the entry.
    pub(crate) lines: u32,
    /// Whether the entry starts with a blank, so that it has no owner of its own.
    pub(crate) is_indented: bool,
    /// Whether the text ended within the entry, so that more text would make another entry of it.
    pub(crate) cut: Option<Cut>,
}

/// Where the text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Within a line, no parenthesis being open.
    Line,
    /// Behind a CR, which a LF may follow.
    LineEnd,
    /// Within what a parenthesis holds together, in a line.
    Parenthesis,
    /// The same, at a line start.
    ParenthesisLine,
}

/// A mistake that the lexer found; offsets count from the start of the text.
#[derive(Debug)]
pub(crate) struct LexFault {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: ErrorKind,
}

/// Reads the entry at `from`, which has to be a line start, and pushes its tokens.
///
/// Entries of more than `size_max` octets, comments behind the last token left out, are a fault; no token beyond that
/// size is pushed, so that the tokens take bounded memory.
pub(crate) fn scan(text: &[u8], from: usize, size_max: u32, tokens: &mut Vec<Token>) -> Scan {
    let entry = &text[from..];
    let Some(&first) = entry.first() else { return Scan::End };
    let mut scanner = Scanner { entry, at: 0, lines: 0, size_max: size_max as usize, open: None, fault: None };
    let is_closed = scanner.run(tokens);
    let mut is_cut = scanner.at == entry.len();
    if !is_closed {
        let open = scanner.open.expect("only an open parenthesis keeps an entry from its end");
        if scanner.is_too_long() {
            // Whatever may come behind it, the parenthesis closes too late.
            is_cut = false;
        }
        scanner.lines = 0;
        scanner.at = after_unclosed(entry, open, &mut scanner.lines);
        is_cut |= scanner.at == entry.len();
        // A mistake within what the parenthesis swallowed says less than the parenthesis itself.
        let kind = match scanner.fault {
            Some((_, _, kind @ ErrorKind::EntryTooLong { .. })) => kind,
            _ => ErrorKind::UnclosedParenthesis,
        };
        scanner.fault = Some((open, open + 1, kind));
    }
    let cut = match (is_cut, is_closed, entry.last()) {
        (false, _, _) | (true, true, Some(b'\n')) => None,
        (true, _, Some(b'\r')) => Some(Cut::LineEnd),
        (true, true, _) => Some(Cut::Line),
        (true, false, Some(b'\n')) => Some(Cut::ParenthesisLine),
        (true, false, _) => Some(Cut::Parenthesis),
    };
    let is_indented = class_of(first) == Class::Blank;
    let extent = Extent { next: from + scanner.at, lines: scanner.lines, is_indented, cut };
    match scanner.fault {
        None => Scan::Entry(extent),
        Some((start, end, kind)) => Scan::Broken(extent, LexFault { start: from + start, end: from + end, kind }),
    }
}

struct Scanner<'a> {
    entry: &'a [u8],
    at: usize,
    lines: u32,
    size_max: usize,
    /// Where the parenthesis stands that is open now.
    open: Option<usize>,
    /// The first mistake: start, end, and what it is.
    fault: Option<(usize, usize, ErrorKind)>,
}

impl Scanner<'_> {
    /// Goes to the end of the entry; returns whether there is one: `false` when a parenthesis stays open.
    fn run(&mut self, tokens: &mut Vec<Token>) -> bool {
        let mut last_end = usize::MAX;
        while let Some(&octet) = self.entry.get(self.at) {
            let start = self.at;
            match class_of(octet) {
                Class::Blank => {
                    self.pass_while(|class| class == Class::Blank);
                    if self.is_too_long() {
                        return self.give_up();
                    }
                }
                Class::Plain | Class::Escape | Class::Control => {
                    self.pass_word();
                    if !self.push(tokens, start, false, last_end) {
                        return self.give_up();
                    }
                    last_end = self.at;
                }
                Class::Quote => {
                    self.pass_quoted();
                    if !self.push(tokens, start, true, last_end) {
                        return self.give_up();
                    }
                    last_end = self.at;
                }
                Class::Comment => {
                    let rest = &self.entry[self.at..];
                    self.at += memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                }
                Class::Open => {
                    match self.open {
                        None => self.open = Some(start),
                        Some(_) => self.note(start, start + 1, ErrorKind::NestedParenthesis),
                    }
                    self.at += 1;
                    if self.is_too_long() {
                        return self.give_up();
                    }
                }
                Class::Close => {
                    // After a nested parenthesis the first one that closes ends the entry too; nothing is gained by counting.
                    if self.open.take().is_none() {
                        self.note(start, start + 1, ErrorKind::UnopenedParenthesis);
                    }
                    self.at += 1;
                    if self.is_too_long() {
                        return self.give_up();
                    }
                }
                Class::LineEnd => {
                    self.pass_line_end();
                    if self.open.is_none() {
                        return true;
                    }
                    if self.is_too_long() {
                        return self.give_up();
                    }
                }
            }
        }
        self.open.is_none()
    }

    /// An unquoted token: everything up to the next octet that ends one.
    fn pass_word(&mut self) {
        loop {
            self.pass_while(|class| class == Class::Plain);
            let Some(&octet) = self.entry.get(self.at) else { return };
            match class_of(octet) {
                Class::Escape => self.pass_escape(),
                Class::Control => self.pass_control(octet),
                Class::Plain
                | Class::Blank
                | Class::LineEnd
                | Class::Quote
                | Class::Open
                | Class::Close
                | Class::Comment => return,
            }
        }
    }

    fn pass_quoted(&mut self) {
        let start = self.at;
        self.at += 1;
        loop {
            self.pass_while(|class| !matches!(class, Class::Quote | Class::Escape | Class::LineEnd | Class::Control));
            let Some(&octet) = self.entry.get(self.at) else { break };
            match class_of(octet) {
                Class::Quote => {
                    self.at += 1;
                    return;
                }
                Class::Escape => self.pass_escape(),
                Class::Control => self.pass_control(octet),
                Class::LineEnd | Class::Plain | Class::Blank | Class::Open | Class::Close | Class::Comment => break,
            }
        }
        self.note(start, start + 1, ErrorKind::UnclosedQuote);
    }

    /// Goes on over octets of some classes, which is where the time goes.
    #[inline]
    fn pass_while(&mut self, is_passed: impl Fn(Class) -> bool) {
        let rest = &self.entry[self.at..];
        self.at += rest.iter().position(|&octet| !is_passed(class_of(octet))).unwrap_or(rest.len());
    }

    fn pass_control(&mut self, octet: u8) {
        self.note(self.at, self.at + 1, ErrorKind::ControlCharacter { octet });
        self.at += 1;
    }

    /// `\` and the character behind it; a line end cannot be escaped.
    fn pass_escape(&mut self) {
        match self.entry.get(self.at + 1).copied().map(class_of) {
            None | Some(Class::LineEnd) => {
                self.note(self.at, self.at + 1, ErrorKind::EscapedLineEnd);
                self.at += 1;
            }
            Some(Class::Control) => {
                // The control character is reported on its own.
                self.at += 1;
            }
            Some(_) => self.at += 2,
        }
    }

    /// LF, CR LF, or CR alone: one line end each.
    fn pass_line_end(&mut self) {
        let is_pair = self.entry[self.at..].starts_with(b"\r\n");
        self.at += if is_pair { 2 } else { 1 };
        self.lines += 1;
    }

    /// Pushes the token that ends here; `false` when the entry has become too long.
    fn push(&mut self, tokens: &mut Vec<Token>, start: usize, is_quoted: bool, last_end: usize) -> bool {
        if self.at > self.size_max {
            self.note(start, self.at, ErrorKind::EntryTooLong { octets_max: self.size_max });
            return false;
        }
        let is_glued = start == last_end;
        // Both fit: an entry is at most `size_max` octets long, which is a u32.
        tokens.push(Token { start: start as u32, end: self.at as u32, is_quoted, is_glued });
        true
    }

    /// Leaves an entry that is too long: at the line's end, or to be sought by the caller when a parenthesis is open.
    fn give_up(&mut self) -> bool {
        if self.open.is_some() {
            return false;
        }
        let rest = &self.entry[self.at..];
        self.at += memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        if self.at < self.entry.len() {
            self.pass_line_end();
        }
        true
    }

    /// Keeps the first mistake of the entry; beyond the size limit there is no other than that.
    #[cold]
    fn note(&mut self, start: usize, end: usize, kind: ErrorKind) {
        let is_within = start < self.size_max && self.at <= self.size_max;
        if is_within || matches!(kind, ErrorKind::EntryTooLong { .. }) {
            self.fault.get_or_insert((start, end, kind));
        }
    }

    /// Whether the entry has passed the size limit, which is noted then.
    fn is_too_long(&mut self) -> bool {
        let is_too_long = self.at > self.size_max;
        if is_too_long {
            self.note(self.size_max, self.size_max, ErrorKind::EntryTooLong { octets_max: self.size_max });
        }
        is_too_long
    }
}

/// Where reading goes on after a parenthesis at `open` that nobody closed: at the next line that does not look
/// like the inside of parentheses, for those are indented. Counts the line ends up to there.
fn after_unclosed(entry: &[u8], open: usize, lines: &mut u32) -> usize {
    // The entry may have begun lines earlier, with a parenthesis that was closed.
    let mut scanner = Scanner { entry, at: 0, lines: 0, size_max: 0, open: None, fault: None };
    loop {
        let rest = &entry[scanner.at..];
        scanner.at += memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        if scanner.at == entry.len() {
            break;
        }
        scanner.pass_line_end();
        let is_inside = entry.get(scanner.at).is_some_and(|&octet| is_inside(octet));
        if scanner.at > open && !is_inside {
            break;
        }
    }
    *lines = scanner.lines;
    scanner.at
}

/// Goes over the rest of an entry that was given up at a cut; returns how many octets and line ends that are, and
/// where in the entry the text ends again, if it does.
pub(crate) fn pass_rest(rest: &[u8], cut: Cut) -> (usize, u32, Option<Cut>) {
    let mut scanner = Scanner { entry: rest, at: 0, lines: 0, size_max: 0, open: None, fault: None };
    let mut is_line_start = cut == Cut::ParenthesisLine;
    loop {
        if is_line_start && cut != Cut::Line {
            match rest.get(scanner.at) {
                None => return (scanner.at, scanner.lines, Some(Cut::ParenthesisLine)),
                Some(&octet) if !is_inside(octet) => return (scanner.at, scanner.lines, None),
                Some(_) => {}
            }
        }
        let line = &rest[scanner.at..];
        scanner.at += memchr2(b'\n', b'\r', line).unwrap_or(line.len());
        // Whether a CR at the end is all of the line end is not known yet.
        if matches!(&rest[scanner.at..], [] | [b'\r']) {
            let cut = if cut == Cut::Line { Cut::Line } else { Cut::Parenthesis };
            return (scanner.at, scanner.lines, Some(cut));
        }
        scanner.pass_line_end();
        if cut == Cut::Line {
            return (scanner.at, scanner.lines, None);
        }
        is_line_start = true;
    }
}

/// Whether a line that starts with the octet looks like the inside of parentheses.
fn is_inside(octet: u8) -> bool {
    match class_of(octet) {
        Class::Plain | Class::Escape | Class::Control | Class::Quote | Class::Open => false,
        Class::Blank | Class::LineEnd | Class::Comment | Class::Close => true,
    }
}

/// What an octet means outside quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Plain,
    Blank,
    LineEnd,
    Quote,
    Open,
    Close,
    Comment,
    Escape,
    /// NUL and the other control characters: never meant, and the mark of files that are no text.
    Control,
}

fn class_of(octet: u8) -> Class {
    CLASSES[usize::from(octet)]
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut octet = 0;
    while octet < 0x20 {
        classes[octet] = Class::Control;
        octet += 1;
    }
    classes[0x7f] = Class::Control;
    classes[b' ' as usize] = Class::Blank;
    classes[b'\t' as usize] = Class::Blank;
    classes[b'\n' as usize] = Class::LineEnd;
    classes[b'\r' as usize] = Class::LineEnd;
    classes[b'"' as usize] = Class::Quote;
    classes[b'(' as usize] = Class::Open;
    classes[b')' as usize] = Class::Close;
    classes[b';' as usize] = Class::Comment;
    classes[b'\\' as usize] = Class::Escape;
    classes
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens of the first entry, quoted ones with their quotes, glued ones with a `+` before them.
    fn tokens(text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        match scan(text.as_bytes(), 0, 1000, &mut tokens) {
            Scan::Entry(_) => {}
            other => panic!("{other:?}"),
        }
        let word = |token: &Token| {
            let glue = if token.is_glued { "+" } else { "" };
            format!("{glue}{}", &text[token.start as usize..token.end as usize])
        };
        tokens.iter().map(word).collect()
    }

    /// Kind, offset and the rest of the text after recovery.
    fn fault(text: &str) -> (ErrorKind, usize, &str) {
        match scan(text.as_bytes(), 0, 40, &mut Vec::new()) {
            Scan::Broken(extent, fault) => {
                assert_eq!(extent.lines as usize, text[..extent.next].matches('\n').count());
                (fault.kind, fault.start, &text[extent.next..])
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn blanks_parentheses_quotes_and_comments_part_tokens() {
        assert_eq!(tokens("a  b\tc ; d\ne"), ["a", "b", "c"]);
        assert_eq!(tokens("a(b\n;x )\n c)d\ne"), ["a", "b", "c", "d"]);
        assert_eq!(tokens("a \"b ; ( c\" d\\ e"), ["a", "\"b ; ( c\"", "d\\ e"]);
        assert_eq!(tokens("k=\"v\"\"w\"x \"y\""), ["k=", "+\"v\"", "+\"w\"", "+x", "\"y\""]);
        assert_eq!(tokens("\"a\\\"b\" c\\\"d"), ["\"a\\\"b\"", "c\\\"d"]);
        assert_eq!(tokens("; only\n"), Vec::<String>::new());
    }

    #[test]
    fn lf_cr_lf_and_cr_each_end_a_line() {
        let text = b"a\nb\r\nc\rd;\re";
        let (mut at, mut lines, mut tokens) = (0, Vec::new(), Vec::new());
        while let Scan::Entry(extent) = scan(text, at, 100, &mut tokens) {
            lines.push((at, extent.lines));
            at = extent.next;
        }
        // BIND, NSD and Knot read a comment on to the next LF.
        assert_eq!(lines, [(0, 1), (2, 1), (5, 1), (7, 1), (10, 0)]);
    }

    #[test]
    fn a_mistake_ends_with_the_entry() {
        assert_eq!(fault("a \"b\nc"), (ErrorKind::UnclosedQuote, 2, "c"));
        assert_eq!(fault("a ( \"b\nc )\nd"), (ErrorKind::UnclosedQuote, 4, "d"));
        assert_eq!(fault("a ) b\nc"), (ErrorKind::UnopenedParenthesis, 2, "c"));
        assert_eq!(fault("a ( ( b )\nc"), (ErrorKind::NestedParenthesis, 4, "c"));
        assert_eq!(fault("a \\\nc"), (ErrorKind::EscapedLineEnd, 2, "c"));
        assert_eq!(fault("a \0b \u{1}\nc"), (ErrorKind::ControlCharacter { octet: 0 }, 2, "c"));
    }

    #[test]
    fn after_an_unclosed_parenthesis_reading_goes_on_at_the_next_line_that_is_not_indented() {
        assert_eq!(fault("a (\n b\n; c\n\nd\n"), (ErrorKind::UnclosedParenthesis, 2, "d\n"));
        assert_eq!(fault("a (\n b"), (ErrorKind::UnclosedParenthesis, 2, ""));
        assert_eq!(fault("a (\nb) (\n c\nd"), (ErrorKind::UnclosedParenthesis, 7, "d"));
    }

    #[test]
    fn an_entry_ends_at_the_size_limit() {
        let word = "x".repeat(38);
        assert_eq!(tokens(&format!("a {word}")).len(), 2);
        let too_long = ErrorKind::EntryTooLong { octets_max: 40 };
        assert_eq!(fault(&format!("a {word}x\nb")), (too_long.clone(), 2, "b"));
        assert_eq!(fault(&format!("a ( {word}\n )\nb")), (too_long.clone(), 2, "b"));
        assert_eq!(fault(&format!("a ({}\n)\nb", "\n ".repeat(20))), (too_long, 2, "b"));
    }
}
