//! Entries that are no records: `$ORIGIN`, `$INCLUDE` (RFC 1035 §5.1), `$TTL` (RFC 2308 §4) and `$GENERATE` (BIND).

use nss_wire::NameBuf;

use crate::error::ErrorKind;
use crate::generate::Generate;
use crate::number;
use crate::record::Context;
use crate::tokens::{Lexeme, Parsed, Tokens};

/// A directive, ready to be carried out.
pub(crate) enum Directive<'a> {
    Origin(NameBuf),
    Ttl(u32),
    Include { path: Lexeme<'a>, origin: Option<NameBuf> },
    Generate(Box<Generate>),
}

impl Context {
    /// Reads the entry of a directive; `$` starts its first token.
    pub(crate) fn directive<'a>(&mut self, tokens: Tokens<'a>) -> Parsed<'a, Directive<'a>> {
        let (rest, word) = tokens.expect(|| ErrorKind::UnknownDirective)?;
        let is = |name: &str| word.text.eq_ignore_ascii_case(name.as_bytes());
        if is(ORIGIN) {
            let (rest, lexeme) = argument(rest, ORIGIN, "a name")?;
            let origin = self.name(lexeme)?;
            end(rest, ORIGIN, Directive::Origin(origin))
        } else if is(TTL) {
            let (rest, lexeme) = argument(rest, TTL, "a number of seconds")?;
            let seconds = number::ttl(lexeme.text).map_err(|kind| {
                // Records that count on this default must not be reported for the want of one.
                self.default_ttl.get_or_insert(0);
                lexeme.refuse(kind)
            })?;
            end(rest, TTL, Directive::Ttl(seconds))
        } else if is(INCLUDE) {
            let (rest, path) = argument(rest, INCLUDE, "the name of a file")?;
            let (rest, origin) = match rest.split_first() {
                Some((rest, lexeme)) => (rest, Some(self.name(lexeme)?)),
                None => (rest, None),
            };
            end(rest, INCLUDE, Directive::Include { path, origin })
        } else if is(GENERATE) {
            let (rest, range) = argument(rest, GENERATE, "a range such as 1-254")?;
            let (rest, owner) = argument(rest, GENERATE, "an owner such as host-$")?;
            let (rest, head) = self.head(rest)?;
            rest.expect(|| missing(GENERATE, "data such as 192.0.2.$"))?;
            let generate = Generate::new(range, owner, head, rest)?;
            Ok((rest, Directive::Generate(Box::new(generate))))
        } else {
            Err(word.refuse(ErrorKind::UnknownDirective))
        }
    }
}

const ORIGIN: &str = "$ORIGIN";
const TTL: &str = "$TTL";
const INCLUDE: &str = "$INCLUDE";
const GENERATE: &str = "$GENERATE";

fn missing(directive: &'static str, argument: &'static str) -> ErrorKind {
    ErrorKind::MissingArgument { directive, argument }
}

fn argument<'a>(tokens: Tokens<'a>, directive: &'static str, what: &'static str) -> Parsed<'a, Lexeme<'a>> {
    tokens.expect(|| missing(directive, what))
}

fn end<'a>(rest: Tokens<'a>, name: &'static str, directive: Directive<'a>) -> Parsed<'a, Directive<'a>> {
    let (rest, ()) = rest.expect_end(|| ErrorKind::ExtraArgument { directive: name })?;
    Ok((rest, directive))
}
