//! What a checker of zones can have to say: each mistake under a code and a name that last.
//!
//! `nss-zonefile` knows what is wrong with a text and `nss-authority` what is wrong with a zone. They do not know each
//! other; what they tell is told in these words.

use core::fmt;
use core::str::FromStr;

/// Whether a zone can be served nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The zone is refused.
    Error,
    /// The zone is served, but probably not as its author meant.
    Warning,
}

/// The number of a rule: never reused and never given another meaning. Written as `Z0123`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

/// One thing that can be wrong or odd in a zone.
#[derive(Debug)]
pub struct Rule {
    /// The number.
    pub code: Code,
    /// A name of lower-case words with hyphens, which stays as the code does.
    pub name: &'static str,
    /// What it means for the zone, unless somebody says otherwise.
    pub severity: Severity,
    /// The text that decides, such as `RFC 1035 §5.2`; empty where none does.
    pub reference: &'static str,
    /// What is wrong, in some words.
    pub summary: &'static str,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        self.code == other.code
    }
}

impl Eq for Rule {}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Z{:04}", self.0)
    }
}

impl FromStr for Code {
    type Err = NotACode;

    /// Reads `Z0123`; the letter may be small.
    fn from_str(text: &str) -> Result<Code, NotACode> {
        let digits = text.strip_prefix(['Z', 'z']).ok_or(NotACode)?;
        let is_number = digits.len() == 4 && digits.bytes().all(|octet| octet.is_ascii_digit());
        digits.parse().ok().filter(|_| is_number).map(Code).ok_or(NotACode)
    }
}

/// The text is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACode;

impl fmt::Display for NotACode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code is Z and four digits, such as Z0123")
    }
}

impl core::error::Error for NotACode {}

/// Defines rules, and `ALL`, the table of them: `NAME = number "name", Severity, "reference", "summary";`.
#[macro_export]
macro_rules! rules {
    ($($name:ident = $code:literal $word:literal, $severity:ident, $reference:literal, $summary:literal;)*) => {
        $(
            #[doc = $summary]
            pub static $name: $crate::Rule = $crate::Rule {
                code: $crate::rule::Code($code),
                name: $word,
                severity: $crate::Severity::$severity,
                reference: $reference,
                summary: $summary,
            };
        )*

        /// All rules, by code.
        pub static ALL: &[&$crate::Rule] = &[$(&$name),*];
    };
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_written() {
        for code in [0, 7, 123, 9999].map(Code) {
            assert_eq!(code.to_string().parse(), Ok(code));
        }
        assert_eq!("z0042".parse(), Ok(Code(42)));
        for text in ["", "Z", "Z1", "Z00001", "0001", "E0001", "Z+001", "Zé01"] {
            assert_eq!(text.parse::<Code>(), Err(NotACode), "{text}");
        }
    }
}
