//! Lists of record types as bitmaps.

use nss_wire::RType;

use super::Rdata;
use crate::record;
use crate::tokens::{Fault, Parsed, Tokens};

const EXPECTED: &str = "a record type such as A or TYPE65280";

/// The octets of a window block: one bit for each of 256 types (RFC 4034 §4.1.2).
const WINDOW_SIZE: usize = 32;

/// NXT bitmaps end at type 127 (RFC 2535 §5.2).
const NXT_TYPE_MAX: u16 = 127;

impl Rdata<'_> {
    /// Types in any order, as window blocks.
    pub(super) fn type_bitmap<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        // Nearly all lists only have types of the first two windows: all that are registered but TA and DLV.
        let mut first = [0; 2 * WINDOW_SIZE];
        let mut others: Option<Box<[u8; 256 * WINDOW_SIZE]>> = None;
        let rest = self.each_type(i, |rtype| {
            let (at, bit) = (usize::from(rtype.0 / 8), 0x80 >> (rtype.0 % 8));
            match first.get_mut(at) {
                Some(octet) => *octet |= bit,
                None => others.get_or_insert_with(|| Box::new([0; 256 * WINDOW_SIZE]))[at] |= bit,
            }
            true
        })?;
        let others = others.iter().flat_map(|all| all[first.len()..].chunks(WINDOW_SIZE));
        for (number, window) in first.chunks(WINDOW_SIZE).chain(others).enumerate() {
            self.window(number as u8, window);
        }
        Ok((rest, ()))
    }

    /// Appends a window block unless no type is in it.
    fn window(&mut self, number: u8, bits: &[u8]) {
        let size = bits.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
        if size > 0 {
            self.out.extend_from_slice(&[number, size as u8]);
            self.out.extend_from_slice(&bits[..size]);
        }
    }

    /// Types up to 127 in any order, as one bitmap.
    pub(super) fn nxt_bitmap<'a>(&mut self, i: Tokens<'a>) -> Parsed<'a, ()> {
        let mut bits = [0; 16];
        let rest = self.each_type(i, |rtype| {
            let is_right = (1..=NXT_TYPE_MAX).contains(&rtype.0);
            if is_right {
                bits[usize::from(rtype.0 / 8)] |= 0x80 >> (rtype.0 % 8);
            }
            is_right
        })?;
        let size = bits.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
        self.out.extend_from_slice(&bits[..size]);
        Ok((rest, ()))
    }

    /// Hands each type to `take`, which says whether it may be in the list.
    fn each_type<'a>(
        &self,
        mut tokens: Tokens<'a>,
        mut take: impl FnMut(RType) -> bool,
    ) -> Result<Tokens<'a>, nom::Err<Fault>> {
        while !tokens.is_empty() {
            let (rest, lexeme) = self.plain(tokens)?;
            let rtype = record::rtype(lexeme.text).ok_or_else(|| self.refuse(lexeme, EXPECTED))?;
            if !take(rtype) {
                return Err(self.refuse(lexeme, "a record type from 1 to 127"));
            }
            tokens = rest;
        }
        Ok(tokens)
    }
}
