//! One line of text as a row of words between blanks.

use nss_wire::name::{BLOCK_SIZE, PlainText};

use super::marks::{Marks, blanks};

/// A line that is being read, and a look at 64 octets of it.
///
/// Every step gives `None` at anything that is not a word of plain octets, and near the end of the text.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    /// Where the window starts.
    base: usize,
    /// The octets that the marks speak of, and as many behind them.
    window: &'a [u8; WINDOW_SIZE],
    /// The next word, or what stands there instead, counted from `base`; below 64.
    next: u32,
    marks: Marks,
}

/// A word that starts in the first half has a whole block from its start on in the window.
const WINDOW_SIZE: usize = 2 * BLOCK_SIZE;

/// A word without quotes and escapes.
#[derive(Clone, Copy)]
pub(super) struct Word<'a> {
    /// The text from the word on.
    pub(super) block: &'a [u8; BLOCK_SIZE],
    /// The octets of the word, from 1 to 63.
    pub(super) len: usize,
    /// The dots of the block from the word on, as far as they were looked at.
    pub(super) dots: u64,
}

impl<'a> Line<'a> {
    #[inline(always)]
    pub(super) fn new(text: &'a [u8], at: usize) -> Option<Line<'a>> {
        let window: &[u8; WINDOW_SIZE] = text.get(at..)?.first_chunk()?;
        Some(Line { text, base: at, window, next: 0, marks: Marks::of(window.first_chunk()?) })
    }

    /// Whether the line starts with a blank; if so, the blanks are passed.
    #[inline(always)]
    pub(super) fn pass_indent(&mut self) -> Option<bool> {
        if !is_blank(self.window[0]) {
            return Some(false);
        }
        self.pass_blanks(0)?;
        Some(true)
    }

    /// The word that stands here, which is passed with the blanks behind it.
    #[inline(always)]
    pub(super) fn word(&mut self) -> Option<Word<'a>> {
        let mut ends = self.marks.ends >> self.next;
        if ends == 0 {
            self.look_from(self.base + self.next as usize)?;
            ends = self.marks.ends;
        }
        // Of a longer word no end is seen: 64 of no bits.
        let len = ends.trailing_zeros();
        if len == 0 || len == u64::BITS {
            return None;
        }
        let word = Word { block: self.block(), len: len as usize, dots: self.marks.dots >> self.next };
        let end = self.next + len;
        let is_one_blank = ends >> len & 2 == 0 && end + 1 < u64::BITS;
        match is_blank(self.window[end as usize % WINDOW_SIZE]) {
            true if is_one_blank => self.next = end + 1,
            true => self.pass_blanks(end)?,
            false => self.next = end,
        }
        Some(word)
    }

    /// The first octet that is not read.
    #[inline(always)]
    pub(super) fn at(&self) -> usize {
        self.base + self.next as usize
    }

    /// The text from there on.
    #[inline(always)]
    pub(super) fn block(&self) -> &'a [u8; BLOCK_SIZE] {
        self.window[self.next as usize % BLOCK_SIZE..].first_chunk().expect("two blocks hold one from any place on")
    }

    /// Goes on behind `size` octets, at most 16, that are known to be words and blanks behind them; `None` when another
    /// blank follows.
    #[inline(always)]
    pub(super) fn pass_known(&mut self, size: u32) -> Option<()> {
        let mut next = self.next + size;
        if next >= u64::BITS {
            self.look_from(self.base + next as usize)?;
            next = 0;
        }
        self.next = next;
        (!is_blank(self.window[next as usize])).then_some(())
    }

    #[inline(always)]
    fn pass_blanks(&mut self, from: u32) -> Option<()> {
        self.next = others_from(self.window, from);
        if self.next >= u64::BITS {
            self.look_from(self.base + from as usize)?;
            self.next = others_from(self.window, 0);
        }
        (self.next < u64::BITS).then_some(())
    }

    /// Looks at other octets. By value, so that a line whose octets all are in one block stays in registers.
    #[inline(always)]
    fn look_from(&mut self, at: usize) -> Option<()> {
        *self = look(self.text, at)?;
        Some(())
    }
}

fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// The first place from `from` on, which is below 64, where no blank stands; from 64 on when there is none in the block.
#[inline(never)]
fn others_from(window: &[u8; WINDOW_SIZE], from: u32) -> u32 {
    let block = window.first_chunk().expect("a window is two blocks");
    from + (!blanks(block) >> from).trailing_zeros()
}

#[cold]
#[inline(never)]
fn look(text: &[u8], at: usize) -> Option<Line<'_>> {
    Line::new(text, at)
}

impl<'a> Word<'a> {
    /// The text of a name other than `.` and `@`.
    #[inline(always)]
    pub(super) fn name(self) -> Option<PlainText<'a>> {
        PlainText::new(self.block, self.len, self.dots)
    }

    /// Whether the word is this one octet.
    #[inline(always)]
    pub(super) fn is(self, octet: u8) -> bool {
        self.len == 1 && self.block[0] == octet
    }

    /// Letters in upper case and digits turned into something else, in one number; `None` for longer words.
    ///
    /// No two words of letters, digits and hyphens that differ in more than letter case have the same key.
    #[inline(always)]
    pub(super) fn key(self) -> Option<u64> {
        if self.len > 8 {
            return None;
        }
        Some(self.head() & CASE & u64::MAX >> (64 - 8 * self.len))
    }

    /// The first eight octets, the first one in the lowest place; behind the word anything.
    #[inline(always)]
    pub(super) fn head(self) -> u64 {
        u64::from_le_bytes(*self.block.first_chunk().expect("a block has more than eight octets"))
    }
}

/// All bits but the one that tells lower from upper case.
const CASE: u64 = u64::from_le_bytes([!0x20; 8]);

/// The [`Word::key`] of a word in upper case.
pub(super) const fn key(word: &str) -> u64 {
    let (word, mut key, mut i) = (word.as_bytes(), 0, 0);
    while i < word.len() {
        key |= (word[i] as u64) << (8 * i);
        i += 1;
    }
    key & CASE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words before the first place where there is none, and that place.
    fn words(text: &str) -> (Vec<String>, usize) {
        let padded = format!("{text}{}", "\n".repeat(WINDOW_SIZE));
        let mut line = Line::new(padded.as_bytes(), 0).unwrap();
        let mut words = Vec::new();
        let mut next = line.pass_indent().and_then(|_| line.word());
        while let Some(word) = next {
            words.push(String::from_utf8_lossy(&word.block[..word.len]).into_owned());
            next = line.word();
        }
        (words, line.at())
    }

    #[test]
    fn words_stand_between_blanks_wherever_blocks_end() {
        for gap in 0..130 {
            let blanks = " ".repeat(gap);
            let (found, at) = words(&format!("{blanks}ab\t cd  e"));
            let expected: &[&str] = if gap < 64 { &["ab", "cd", "e"] } else { &[] };
            assert_eq!(found, expected, "{gap}");
            assert!(gap >= 64 || at == gap + 9);
        }
        for len in 1..130 {
            let long = "x".repeat(len);
            let (found, _) = words(&format!("{long} b"));
            assert_eq!(found.len(), if len < 64 { 2 } else { 0 }, "{len}");
            let (found, _) = words(&format!("{} {long} b", "a".repeat(30)));
            assert_eq!(found.len(), if len < 64 { 3 } else { 1 }, "{len}");
        }
    }

    #[test]
    fn anything_special_ends_a_row_of_words() {
        for special in ["(", ")", "\"", "\\", ";", "\r", "\n", "\0", "\u{7f}"] {
            assert_eq!(words(&format!("a b{special}c d")), (vec!["a".into(), "b".into()], 3), "{special:?}");
        }
    }

    #[test]
    fn a_key_is_the_same_in_any_case() {
        let of = |text: &str| {
            let padded = format!("{text} {}", "x".repeat(WINDOW_SIZE));
            Line::new(padded.as_bytes(), 0).unwrap().word().unwrap().key()
        };
        assert_eq!(
            (of("nsec3"), of("NSEC3"), of("Nsec3")),
            (Some(key("NSEC3")), Some(key("NSEC3")), Some(key("NSEC3")))
        );
        assert_ne!(of("nsec4"), Some(key("NSEC3")));
        assert_eq!((of("nsec3par"), of("nsec3para")), (Some(key("NSEC3PAR")), None));
    }
}
