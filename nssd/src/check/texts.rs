//! The texts that make one zone, and where in them its records stand.
//!
//! The builder of a zone keeps 32 bits for each record to say where it came from. With includes these number the lines
//! of all texts, one text behind the other, so that nothing more is kept for a record than its line.

use std::cell::OnceCell;

use nss_zonefile::{Label, Lines, Part, Position};

/// A text and those that it includes, which are added while it is read.
pub(super) struct Texts<'t> {
    text: &'t [u8],
    first: OnceCell<Box<Included>>,
}

/// An included text, and those included behind it. What was added stays where it is, so that readers can borrow it.
struct Included {
    name: Box<str>,
    text: Vec<u8>,
    /// Lines of all texts before this one.
    lines_before: u32,
    next: OnceCell<Box<Included>>,
}

impl<'t> Texts<'t> {
    pub(super) fn new(text: &'t [u8]) -> Texts<'t> {
        Texts { text, first: OnceCell::new() }
    }

    /// Adds an included text.
    pub(super) fn add(&self, name: &str, text: Vec<u8>) -> &[u8] {
        let (mut cell, mut lines_before) = (&self.first, lines(self.text));
        while let Some(included) = cell.get() {
            lines_before = included.lines_before.saturating_add(lines(&included.text));
            cell = &included.next;
        }
        let next = OnceCell::new();
        &cell.get_or_init(|| Box::new(Included { name: name.into(), text, lines_before, next })).text
    }

    /// The text that was given.
    pub(super) fn text(&self) -> &'t [u8] {
        self.text
    }

    /// The included texts in their order, which is that of every reading.
    pub(super) fn included_texts(&self) -> impl Iterator<Item = &[u8]> {
        let first = self.first.get().map(|included| &**included);
        std::iter::successors(first, |included| included.next.get().map(|next| &**next))
            .map(|included| &included.text[..])
    }

    pub(super) fn places(&self) -> Places<'_> {
        Places { texts: self, lines: vec![(Lines::new(self.text), 0)] }
    }

    /// The included text with a number, counted from 1.
    fn included(&self, file: usize) -> Option<&Included> {
        let mut included = self.first.get()?;
        for _ in 1..file {
            included = included.next.get()?;
        }
        Some(included)
    }
}

/// Finds the fields of records in the texts.
pub(super) struct Places<'t> {
    texts: &'t Texts<'t>,
    /// Each text that was met, with the lines before it.
    lines: Vec<(Lines<'t>, u32)>,
}

impl<'t> Places<'t> {
    /// The number that the builder keeps for a record; 0, which is none, where there are too many lines.
    pub(super) fn record_line(&mut self, position: Position) -> u32 {
        let file = self.meet(position.file);
        self.lines[file].1.checked_add(position.line).unwrap_or(0)
    }

    /// The text with a number.
    pub(super) fn lines(&mut self, file: u32) -> &mut Lines<'t> {
        let file = self.meet(file);
        &mut self.lines[file].0
    }

    /// All texts that records came from.
    pub(super) fn all(&self) -> impl Iterator<Item = &Lines<'t>> {
        self.lines.iter().map(|(lines, _)| lines)
    }

    /// A label at a part of the record that the builder keeps `line` for.
    pub(super) fn label(&mut self, line: u32, part: Part) -> Option<Label> {
        let behind = self.lines.partition_point(|(_, before)| *before < line);
        let (lines, before) = self.lines.get_mut(behind.checked_sub(1)?)?;
        lines.label(line - *before, part)
    }

    /// Takes up the texts as far as the one with a number.
    fn meet(&mut self, file: u32) -> usize {
        let file = file as usize;
        while self.lines.len() <= file {
            let number = self.lines.len();
            let included = self.texts.included(number).expect("the reader numbers what was added");
            let lines = Lines::of_included(&included.text, number as u32, &included.name);
            self.lines.push((lines, included.lines_before));
        }
        file
    }
}

/// Lines of a text, at least one.
fn lines(text: &[u8]) -> u32 {
    u32::try_from(text.iter().filter(|&&octet| octet == b'\n' || octet == b'\r').count())
        .unwrap_or(u32::MAX)
        .saturating_add(1)
}
