//! Entries that are no records: `$ORIGIN`, `$INCLUDE` (RFC 1035 §5.1), `$TTL` (RFC 2308 §4) and `$GENERATE` (BIND).

use nom::Parser;
use nom::branch::alt;
use nom::combinator::opt;
use nss_wire::NameBuf;

use crate::error::ErrorKind;
use crate::generate::Generate;
use crate::number;
use crate::record::Context;
use crate::tokens::{Fault, Lexeme, Parsed, Tokens};

/// A directive, ready to be carried out.
pub(crate) enum Directive {
    Origin(NameBuf),
    Ttl(u32),
    Include {
        path: Vec<u8>,
        /// Where the path stands, from the start of the entry.
        extent: (u32, u32),
        origin: Option<NameBuf>,
    },
    Generate(Box<Generate>),
}

impl Context {
    /// Reads the entry of a directive; `$` starts its first token.
    pub(crate) fn directive<'a>(&mut self, tokens: Tokens<'a>) -> Parsed<'a, Directive> {
        let mut word = alt((keyword(ORIGIN), keyword(TTL), keyword(INCLUDE), keyword(GENERATE)));
        let (rest, word) = word.parse(tokens)?;
        let (rest, directive) = match word {
            ORIGIN => {
                let (rest, name) = argument(ORIGIN, "a name").parse(rest)?;
                (rest, Directive::Origin(self.name(name)?))
            }
            TTL => {
                let (rest, seconds) = argument(TTL, "a number of seconds").parse(rest)?;
                (rest, Directive::Ttl(self.default(seconds)?))
            }
            INCLUDE => {
                let (rest, path) = argument(INCLUDE, "the name of a file").parse(rest)?;
                let (rest, origin) = opt(argument(INCLUDE, "an origin")).parse(rest)?;
                let origin = origin.map(|lexeme| self.name(lexeme)).transpose()?;
                let extent = (path.token.start, path.token.end);
                (rest, Directive::Include { path: path.text.to_vec(), extent, origin })
            }
            _ => return self.generate(rest),
        };
        let (rest, ()) = rest.expect_end(|| ErrorKind::ExtraArgument { directive: word })?;
        Ok((rest, directive))
    }

    /// What stands behind `$TTL`.
    fn default(&mut self, lexeme: Lexeme<'_>) -> Result<u32, nom::Err<Fault>> {
        number::ttl(lexeme.text).map_err(|kind| {
            // Records that count on this default must not be reported for the want of one.
            self.default_ttl.get_or_insert(0);
            lexeme.refuse(kind)
        })
    }

    /// What stands behind `$GENERATE`.
    fn generate<'a>(&mut self, tokens: Tokens<'a>) -> Parsed<'a, Directive> {
        let range = argument(GENERATE, "a range such as 1-254");
        let owner = argument(GENERATE, "an owner such as host-$");
        let (rest, (range, owner)) = (range, owner).parse(tokens)?;
        let (rest, head) = self.head(rest)?;
        argument(GENERATE, "data such as 192.0.2.$").parse(rest)?;
        let generate = Generate::new(range, owner, head, rest)?;
        Ok((rest, Directive::Generate(Box::new(generate))))
    }
}

const ORIGIN: &str = "$ORIGIN";
const TTL: &str = "$TTL";
const INCLUDE: &str = "$INCLUDE";
const GENERATE: &str = "$GENERATE";

/// The word that begins a directive, in any letter case.
fn keyword<'a>(word: &'static str) -> impl Parser<Tokens<'a>, Output = &'static str, Error = Fault> {
    move |tokens: Tokens<'a>| {
        let is_it = |it: Lexeme<'_>| it.text.eq_ignore_ascii_case(word.as_bytes()).then_some(word);
        tokens.map(is_it, || ErrorKind::UnknownDirective)
    }
}

/// The next token, which is `argument` of `directive`.
fn argument<'a>(
    directive: &'static str,
    argument: &'static str,
) -> impl Parser<Tokens<'a>, Output = Lexeme<'a>, Error = Fault> {
    move |tokens: Tokens<'a>| tokens.map(Some, || ErrorKind::MissingArgument { directive, argument })
}
