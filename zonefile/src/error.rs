//! What can be wrong with a zone file, as data.

use core::fmt;
use core::ops::Range;

use nss_wire::rdata::Mnemonics;
use nss_wire::rdata::RdataError;
use nss_wire::{Class, NameError, RType, Rule};

use crate::diagnostic::{Diagnostic, Label};
use crate::explain;
use crate::limits::GENERATED_SIZE;
use crate::lines::line_ends;
use crate::report::{Excerpt, Report};
use crate::rules;

/// One mistake in a zone file: what it is and where.
///
/// `Display` gives one line, [`Error::diagnostic`] several with the text and a mark below the mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The text: 0 for the one given to the reader, from 1 on for included ones in the order of their inclusion.
    pub file: u32,
    /// The name of an included text, as the `$INCLUDE` entry wrote it; `None` for the text given to the reader.
    pub file_name: Option<Box<str>>,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1; an octet that is no UTF-8 and a tab count as one.
    pub column: u32,
    /// The octets of the text that are wrong; empty where something is missing.
    pub span: Range<usize>,
    pub(crate) excerpt: Excerpt,
}

impl Error {
    /// The first octets of `text` that are no UTF-8, for programs that take no other text; [`Reader`](crate::Reader) takes
    /// any octets.
    pub fn not_utf_8(text: &[u8]) -> Option<Error> {
        let error = core::str::from_utf8(text).err()?;
        let start = error.valid_up_to();
        let span = start..error.error_len().map_or(text.len(), |size| start + size);
        let (excerpt, column) = Excerpt::new(text, span.clone());
        let line = 1 + line_ends(&text[..start]);
        Some(Error { kind: ErrorKind::NotUtf8, file: 0, file_name: None, line, column, span, excerpt })
    }

    /// The rule that is broken: that of the kind, or a narrower one where the text shows what was meant.
    pub fn rule(&self) -> &'static Rule {
        explain::narrower(&self.kind, &self.excerpt).map_or_else(|| self.kind.rule(), |narrower| narrower.rule)
    }

    /// All there is to say: the code, the message, the line of the file with a mark, and what to write instead.
    pub fn diagnostic(&self) -> Diagnostic {
        let place = Label {
            file: self.file,
            file_name: self.file_name.clone(),
            line: self.line,
            column: self.column,
            span: self.span.clone(),
            excerpt: self.excerpt.clone(),
            note: String::new(),
        };
        let narrower = explain::narrower(&self.kind, &self.excerpt);
        let (rule, message, help) = match narrower {
            Some(it) => (it.rule, it.message, Some(it.help)),
            None => {
                let help = explain::help(&self.kind, &self.excerpt);
                (self.kind.rule(), self.message(), help.or_else(|| self.kind.help().map(str::to_owned)))
            }
        };
        Diagnostic {
            rule,
            severity: rule.severity,
            message,
            reference: match explain::reference(&self.kind) {
                own if rule.reference.is_empty() || *rule == rules::BAD_ADDRESS => own,
                _ => rule.reference,
            },
            place: Some(place),
            related: Vec::new(),
            help,
        }
    }

    /// The same for people: several lines with the text and a mark below the mistake.
    pub fn report(&self) -> Report {
        self.diagnostic().report()
    }

    /// What is wrong, without the place: `MX preference: expected a number from 0 to 65535, found "ten"`.
    pub fn message(&self) -> String {
        let found = self.excerpt.marked();
        if found.is_empty() || !self.kind.is_about_a_token() {
            self.kind.to_string()
        } else if found.starts_with('"') {
            format!("{}, found {found}", self.kind)
        } else {
            format!("{}, found \"{found}\"", self.kind)
        }
    }
}

impl fmt::Display for Error {
    /// `line 12, column 5: MX preference: expected a number from 0 to 65535, found "ten"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.file_name {
            write!(f, "{}, ", name.escape_debug())?;
        }
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message())
    }
}

impl core::error::Error for Error {}

/// What is wrong; `Display` is a sentence that also says what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Octets that are no UTF-8; readers take them, [`Error::not_utf_8`] finds them.
    NotUtf8,
    /// The text starts with the UTF-8 byte order mark, which some editors write.
    ByteOrderMark,
    /// The text is in UTF-16; nothing of it is read.
    Utf16,
    /// A NUL or another control character, which text files have no use for.
    ControlCharacter {
        /// The character.
        octet: u8,
    },
    /// The line ends within a quoted string that starts here.
    UnclosedQuote,
    /// The text ends within the parenthesis that opens here.
    UnclosedParenthesis,
    /// A closing parenthesis without an opening one.
    UnopenedParenthesis,
    /// A parenthesis within parentheses.
    NestedParenthesis,
    /// A `\` at the end of a line.
    EscapedLineEnd,
    /// An entry is longer than [`Limits::entry_size_max`](crate::Limits::entry_size_max).
    EntryTooLong {
        /// The octets that an entry may have.
        octets_max: usize,
    },

    /// An entry without an owner, and no entry before it has one.
    NoOwner,
    /// A relative name, and no origin is known.
    NoOrigin,
    /// Text that is not a domain name.
    Name(NameError),
    /// A quoted string where none may be.
    Quoted,
    /// An entry without a type.
    MissingType,
    /// Neither TTL, class nor type.
    UnknownType,
    /// A type that only stands in questions or messages (RFC 6895 §3.1).
    MetaType(RType),
    /// A second TTL.
    TtlTwice,
    /// A second class.
    ClassTwice,
    /// A class other than that of the zone (RFC 1035 §5.2).
    ClassMismatch {
        /// The class of the zone.
        expected: Class,
    },
    /// Text that starts as a TTL does, but is none.
    BadTtl,
    /// A TTL over 2^31 - 1 seconds (RFC 2181 §8).
    TtlTooLarge,
    /// No TTL in the entry, none before it, and no `$TTL`.
    NoTtl,

    /// RDATA that ends too early.
    MissingField {
        /// The type of the record.
        rtype: RType,
        /// The field that is missing, in words.
        field: &'static str,
    },
    /// Something after the end of the RDATA.
    ExtraField {
        /// The type of the record.
        rtype: RType,
    },
    /// A field of the RDATA that is wrong.
    Field {
        /// The type of the record.
        rtype: RType,
        /// The field, in words.
        field: &'static str,
        /// What is wrong with it.
        error: FieldError,
    },
    /// RDATA whose fields are right, but which is not what its type wants.
    Rdata {
        /// The type of the record.
        rtype: RType,
        /// What is wrong with it.
        error: RdataError,
    },
    /// Generic RDATA of a known type that is not what the type wants.
    GenericRdata {
        /// The type of the record.
        rtype: RType,
        /// What is wrong with it.
        error: RdataError,
    },
    /// RDATA of more than 65,535 octets (RFC 1035 §3.2.1).
    RdataTooLong,
    /// RDATA of a type without a text form that does not start with `\#` (RFC 3597 §5).
    GenericExpected {
        /// The type of the record.
        rtype: RType,
    },
    /// Generic RDATA of another length than it announces (RFC 3597 §5).
    GenericLength {
        /// The octets that the number behind `\#` announces.
        announced: u16,
        /// The octets that follow.
        found: usize,
    },

    /// A `$` word that is no directive.
    UnknownDirective,
    /// A directive without one of its arguments.
    MissingArgument {
        /// The directive, with its `$`.
        directive: &'static str,
        /// The argument, in words.
        argument: &'static str,
    },
    /// More arguments than the directive takes.
    ExtraArgument {
        /// The directive, with its `$`.
        directive: &'static str,
    },
    /// `$INCLUDE` where the caller has not allowed it.
    IncludeRefused,
    /// The caller could not supply the included text.
    IncludeFailed(Box<str>),
    /// Includes within includes beyond [`Limits::include_depth_max`](crate::Limits::include_depth_max).
    IncludeDepth {
        /// The depth that is allowed.
        depth_max: u32,
    },
    /// More includes than [`Limits::includes_max`](crate::Limits::includes_max).
    IncludeCount {
        /// The includes that one text may have.
        includes_max: u32,
    },
    /// A `$GENERATE` range that is not `start-stop` or `start-stop/step`.
    GenerateRange,
    /// A `${…}` in `$GENERATE` that is not `${offset}`, `${offset,width}` or `${offset,width,base}`.
    GenerateModifier,
    /// A `$GENERATE` whose value, offset added, is negative or too large for its base.
    GenerateValue,
    /// More generated records than [`Limits::generated_records_max`](crate::Limits::generated_records_max).
    GenerateCount {
        /// The records that all `$GENERATE` entries of a text may give together.
        records_max: u32,
    },
    /// A record that a `$GENERATE` entry gives is wrong; no more of that entry is read.
    Generated {
        /// The value of the iteration.
        value: u32,
        /// What is wrong with the record.
        kind: Box<ErrorKind>,
    },

    /// An entry that does not go on as it should.
    UnexpectedToken,
    /// More mistakes than [`Limits::errors_max`](crate::Limits::errors_max): the last error of a reader.
    TooManyErrors {
        /// How many were found but not told.
        more: u64,
        /// Whether the text was read to its end, so that `more` is all there is.
        is_complete: bool,
    },
}

/// What is wrong with a field of the RDATA.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldError {
    /// Not a decimal number in the range.
    Number {
        /// The largest number.
        max: u64,
    },
    /// Not a domain name.
    Name(NameError),
    /// A relative name, and no origin is known.
    NoOrigin,
    /// A quoted string where none may be.
    Quoted,
    /// A `\` that is followed by neither one character nor three digits up to 255.
    Escape,
    /// A character string over 255 octets (RFC 1035 §3.3).
    StringTooLong,
    /// Neither a number nor a mnemonic of the registry.
    Code(&'static Mnemonics),
    /// Not written as the field wants it.
    Form {
        /// What was expected, with an example.
        expected: &'static str,
    },
}

impl ErrorKind {
    /// The rule that is broken.
    pub fn rule(&self) -> &'static Rule {
        match self {
            ErrorKind::NotUtf8 => &rules::NOT_UTF_8,
            ErrorKind::ByteOrderMark => &rules::BYTE_ORDER_MARK,
            ErrorKind::Utf16 => &rules::UTF_16,
            ErrorKind::ControlCharacter { .. } => &rules::CONTROL_CHARACTER,
            ErrorKind::UnclosedQuote => &rules::UNCLOSED_QUOTE,
            ErrorKind::UnclosedParenthesis => &rules::UNCLOSED_PARENTHESIS,
            ErrorKind::UnopenedParenthesis => &rules::UNOPENED_PARENTHESIS,
            ErrorKind::NestedParenthesis => &rules::NESTED_PARENTHESIS,
            ErrorKind::EscapedLineEnd => &rules::TRAILING_BACKSLASH,
            ErrorKind::EntryTooLong { .. } => &rules::ENTRY_TOO_LONG,
            ErrorKind::NoOwner => &rules::NO_OWNER,
            ErrorKind::NoOrigin => &rules::NO_ORIGIN,
            ErrorKind::Name(_) => &rules::BAD_NAME,
            ErrorKind::Quoted => &rules::UNEXPECTED_QUOTES,
            ErrorKind::MissingType => &rules::MISSING_TYPE,
            ErrorKind::UnknownType => &rules::UNKNOWN_TYPE,
            ErrorKind::MetaType(_) => &rules::META_TYPE,
            ErrorKind::TtlTwice => &rules::TTL_TWICE,
            ErrorKind::ClassTwice => &rules::CLASS_TWICE,
            ErrorKind::ClassMismatch { .. } => &rules::OTHER_CLASS,
            ErrorKind::BadTtl => &rules::BAD_TTL,
            ErrorKind::TtlTooLarge => &rules::TTL_TOO_LARGE,
            ErrorKind::NoTtl => &rules::NO_TTL,
            ErrorKind::MissingField { .. } => &rules::MISSING_FIELD,
            ErrorKind::ExtraField { .. } => &rules::EXTRA_FIELD,
            ErrorKind::Field { error, .. } => error.rule(),
            ErrorKind::Rdata { .. } => &rules::BAD_RDATA,
            ErrorKind::GenericRdata { .. } => &rules::BAD_GENERIC_RDATA,
            ErrorKind::RdataTooLong => &rules::RDATA_TOO_LONG,
            ErrorKind::GenericExpected { .. } => &rules::GENERIC_EXPECTED,
            ErrorKind::GenericLength { .. } => &rules::GENERIC_LENGTH,
            ErrorKind::UnknownDirective => &rules::UNKNOWN_DIRECTIVE,
            ErrorKind::MissingArgument { .. } => &rules::MISSING_ARGUMENT,
            ErrorKind::ExtraArgument { .. } => &rules::EXTRA_ARGUMENT,
            ErrorKind::IncludeRefused => &rules::INCLUDE_REFUSED,
            ErrorKind::IncludeFailed(_) => &rules::INCLUDE_FAILED,
            ErrorKind::IncludeDepth { .. } => &rules::INCLUDE_DEPTH,
            ErrorKind::IncludeCount { .. } => &rules::INCLUDE_COUNT,
            ErrorKind::GenerateRange => &rules::GENERATE_RANGE,
            ErrorKind::GenerateModifier => &rules::GENERATE_MODIFIER,
            ErrorKind::GenerateValue => &rules::GENERATE_VALUE,
            ErrorKind::GenerateCount { .. } => &rules::GENERATE_COUNT,
            ErrorKind::Generated { kind, .. } => kind.rule(),
            ErrorKind::UnexpectedToken => &rules::UNEXPECTED_TOKEN,
            ErrorKind::TooManyErrors { .. } => &rules::TOO_MANY_ERRORS,
        }
    }

    /// What to write instead, where the message does not say so already.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            ErrorKind::NotUtf8 => {
                "save the file as UTF-8, or write each of these octets as \\ and its three decimal digits"
            }
            ErrorKind::ByteOrderMark => "save the file as UTF-8 without a byte order mark",
            ErrorKind::Utf16 => "save the file as UTF-8 without a byte order mark",
            ErrorKind::ControlCharacter { .. } => "remove it, or write it as \\ and its three decimal digits",
            ErrorKind::UnclosedQuote => {
                "close it with \" on the same line; a line break within the string is written \\010, a quote \\\""
            }
            ErrorKind::UnclosedParenthesis => "close it with ) behind the last field",
            ErrorKind::UnopenedParenthesis => "remove it, or open it with ( on an earlier line",
            ErrorKind::NestedParenthesis => "one pair of parentheses is enough for any number of lines",
            ErrorKind::EscapedLineEnd => "to continue on the next line put the fields in parentheses",
            ErrorKind::NoOwner => "begin the line with the name that the record belongs to, or with @ for the origin",
            ErrorKind::NoOrigin => "end the name in a dot, or write $ORIGIN and the zone's name before it",
            ErrorKind::Quoted => "remove the quotes",
            ErrorKind::MissingType => "a record is: owner, TTL, class, type, data; such as \"www 3600 IN A 192.0.2.1\"",
            ErrorKind::UnknownType => "a type without a mnemonic is written TYPEnnn (RFC 3597 §5)",
            ErrorKind::ClassMismatch { .. } => "leave the class out, or keep records of other classes in other files",
            ErrorKind::TtlTwice | ErrorKind::ClassTwice => "remove one of the two",
            ErrorKind::NoTtl => "put $TTL 3600 at the top of the file, or a TTL in this record",
            ErrorKind::Rdata { .. }
            | ErrorKind::GenericRdata { .. }
            | ErrorKind::RdataTooLong
            | ErrorKind::MetaType(_) => return None,
            ErrorKind::GenericExpected { .. } => {
                "write \\#, the number of octets, and the octets in hexadecimal digits; such as \"\\# 2 c0de\""
            }
            ErrorKind::GenericLength { .. } => "correct the number, or the digits",
            ErrorKind::UnknownDirective => {
                "the directives are $ORIGIN, $TTL, $INCLUDE and $GENERATE; a name that starts with $ is written \\$"
            }
            ErrorKind::IncludeRefused => "put the records of the included file in this one",
            ErrorKind::GenerateRange => "write it as 1-254 or 0-100/2; the step is at least 1",
            ErrorKind::GenerateModifier => "bases are d, o, x, X, n and N; such as ${0,3,d}. A $ itself is written \\$",
            ErrorKind::GenerateValue => {
                "choose an offset that keeps the values from 0 to 2147483647; only base d may go below 0"
            }
            ErrorKind::GenerateCount { .. } => {
                "narrow the range or shorten its text; what is needed beyond can be written out, one record a line"
            }
            ErrorKind::Generated { kind, .. } => return kind.help(),
            ErrorKind::Field { error, .. } => return error.help(),
            ErrorKind::EntryTooLong { .. }
            | ErrorKind::Name(_)
            | ErrorKind::BadTtl
            | ErrorKind::TtlTooLarge
            | ErrorKind::MissingField { .. }
            | ErrorKind::ExtraField { .. }
            | ErrorKind::MissingArgument { .. }
            | ErrorKind::ExtraArgument { .. }
            | ErrorKind::IncludeFailed(_)
            | ErrorKind::IncludeDepth { .. }
            | ErrorKind::IncludeCount { .. }
            | ErrorKind::UnexpectedToken
            | ErrorKind::TooManyErrors { .. } => return None,
        })
    }

    /// Whether the marked text is a token that is wrong, which is worth being repeated in the message.
    fn is_about_a_token(&self) -> bool {
        match self {
            ErrorKind::Name(_)
            | ErrorKind::NoOrigin
            | ErrorKind::Quoted
            | ErrorKind::UnknownType
            | ErrorKind::ClassMismatch { .. }
            | ErrorKind::TtlTwice
            | ErrorKind::ClassTwice
            | ErrorKind::BadTtl
            | ErrorKind::TtlTooLarge
            | ErrorKind::ExtraField { .. }
            | ErrorKind::Field { .. }
            | ErrorKind::GenericExpected { .. }
            | ErrorKind::UnknownDirective
            | ErrorKind::ExtraArgument { .. }
            | ErrorKind::IncludeRefused
            | ErrorKind::IncludeFailed(_)
            | ErrorKind::IncludeDepth { .. }
            | ErrorKind::IncludeCount { .. }
            | ErrorKind::GenerateRange
            | ErrorKind::GenerateModifier
            | ErrorKind::GenerateValue
            | ErrorKind::Generated { .. }
            | ErrorKind::UnexpectedToken => true,
            ErrorKind::NotUtf8
            | ErrorKind::ByteOrderMark
            | ErrorKind::Utf16
            | ErrorKind::ControlCharacter { .. }
            | ErrorKind::UnclosedQuote
            | ErrorKind::UnclosedParenthesis
            | ErrorKind::UnopenedParenthesis
            | ErrorKind::NestedParenthesis
            | ErrorKind::EscapedLineEnd
            | ErrorKind::EntryTooLong { .. }
            | ErrorKind::NoOwner
            | ErrorKind::MissingType
            | ErrorKind::MetaType(_)
            | ErrorKind::NoTtl
            | ErrorKind::MissingField { .. }
            | ErrorKind::Rdata { .. }
            | ErrorKind::GenericRdata { .. }
            | ErrorKind::RdataTooLong
            | ErrorKind::GenericLength { .. }
            | ErrorKind::MissingArgument { .. }
            | ErrorKind::GenerateCount { .. }
            | ErrorKind::TooManyErrors { .. } => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::NotUtf8 => f.write_str("a zone file is UTF-8 text, and this is no UTF-8"),
            ErrorKind::ByteOrderMark => f.write_str("the file starts with a UTF-8 byte order mark"),
            ErrorKind::Utf16 => f.write_str("the file is in UTF-16, not in ASCII or UTF-8"),
            ErrorKind::ControlCharacter { octet: 0 } => f.write_str("a NUL character: is this a text file?"),
            ErrorKind::ControlCharacter { octet } => write!(f, "a control character, decimal {octet}"),
            ErrorKind::UnclosedQuote => f.write_str("the quote that opens here is not closed on this line"),
            ErrorKind::UnclosedParenthesis => f.write_str("the parenthesis that opens here is never closed"),
            ErrorKind::UnopenedParenthesis => f.write_str("this parenthesis closes, but none was opened"),
            ErrorKind::NestedParenthesis => f.write_str("a parenthesis within parentheses (RFC 1035 §5.1 has none)"),
            ErrorKind::EscapedLineEnd => f.write_str("a \\ at the end of a line"),
            ErrorKind::EntryTooLong { octets_max } => {
                write!(f, "the entry is longer than {octets_max} octets, the limit of this reader")
            }
            ErrorKind::NoOwner => f.write_str("the first record has no owner: the line starts with a blank"),
            ErrorKind::NoOrigin => f.write_str("a relative name, but no origin is known"),
            ErrorKind::Name(error) => error.fmt(f),
            ErrorKind::Quoted => f.write_str("a quoted string where a plain word is expected"),
            ErrorKind::MissingType => f.write_str("the record ends before its type"),
            ErrorKind::UnknownType => f.write_str("expected a TTL, a class or a type"),
            ErrorKind::MetaType(rtype) => {
                write!(f, "{rtype} only stands in questions or messages, not in zones (RFC 6895 §3.1)")
            }
            ErrorKind::TtlTwice => f.write_str("a second TTL"),
            ErrorKind::ClassTwice => f.write_str("a second class"),
            ErrorKind::ClassMismatch { expected } => {
                write!(f, "another class than the zone's, which is {expected} (RFC 1035 §5.2)")
            }
            ErrorKind::BadTtl => f.write_str("expected a TTL: seconds such as 3600, or with units such as 1h30m"),
            ErrorKind::TtlTooLarge => f.write_str("the TTL exceeds 2147483647 (RFC 2181 §8)"),
            ErrorKind::NoTtl => f.write_str("the record has no TTL, and there is no $TTL before it (RFC 2308 §4)"),
            ErrorKind::MissingField { rtype, field } => write!(f, "{rtype} data ends before the {field}"),
            ErrorKind::ExtraField { rtype } => write!(f, "{rtype} data should end here"),
            ErrorKind::Field { rtype, field, error } => write!(f, "{rtype} {field}: {error}"),
            ErrorKind::Rdata { rtype, error } => write!(f, "{rtype} {}: {}", error.field, error.kind),
            ErrorKind::GenericRdata { rtype, error } => write!(f, "{rtype} data: {error}"),
            ErrorKind::RdataTooLong => f.write_str("the data has more than 65535 octets (RFC 1035 §3.2.1)"),
            ErrorKind::GenericExpected { rtype } => {
                write!(f, "{rtype} has no text form of its own, its data starts with \\# (RFC 3597 §5)")
            }
            ErrorKind::GenericLength { announced, found } => {
                write!(f, "the data has {found} octets, {announced} were announced (RFC 3597 §5)")
            }
            ErrorKind::UnknownDirective => f.write_str("no such directive"),
            ErrorKind::MissingArgument { directive, argument } => write!(f, "{directive} needs {argument}"),
            ErrorKind::ExtraArgument { directive } => write!(f, "{directive} should end here"),
            ErrorKind::IncludeRefused => f.write_str("$INCLUDE is not allowed here"),
            ErrorKind::IncludeFailed(why) => write!(f, "cannot include: {why}"),
            ErrorKind::IncludeDepth { depth_max } => {
                write!(f, "$INCLUDE is nested more than {depth_max} deep, the limit of this reader")
            }
            ErrorKind::IncludeCount { includes_max } => {
                write!(f, "more than {includes_max} $INCLUDE entries, the limit of this reader")
            }
            ErrorKind::GenerateRange => f.write_str("expected a range start-stop or start-stop/step"),
            ErrorKind::GenerateModifier => f.write_str("expected ${offset}, ${offset,width} or ${offset,width,base}"),
            ErrorKind::GenerateValue => f.write_str("the values leave the range that can be written"),
            ErrorKind::GenerateCount { records_max } => write!(
                f,
                "the records of all $GENERATE entries up to here count more than {records_max}, each once, and once more \
                 for every {GENERATED_SIZE} octets of its text"
            ),
            ErrorKind::Generated { value, kind } => write!(f, "$GENERATE, value {value}: {kind}"),
            ErrorKind::UnexpectedToken => f.write_str("the entry should not go on like this"),
            ErrorKind::TooManyErrors { more: 0, .. } => f.write_str("the rest of the text was not read"),
            ErrorKind::TooManyErrors { more, is_complete } => {
                write!(f, "{more} more {} not shown", if *more == 1 { "error is" } else { "errors are" })?;
                f.write_str(if *is_complete { "" } else { ", and the rest of the text was not read" })
            }
        }
    }
}

impl FieldError {
    fn rule(&self) -> &'static Rule {
        match self {
            FieldError::Number { .. } => &rules::BAD_NUMBER,
            FieldError::Name(_) => &rules::BAD_NAME,
            FieldError::NoOrigin => &rules::NO_ORIGIN,
            FieldError::Quoted => &rules::UNEXPECTED_QUOTES,
            FieldError::Escape => &rules::BAD_ESCAPE,
            FieldError::StringTooLong => &rules::STRING_TOO_LONG,
            FieldError::Code(_) => &rules::BAD_MNEMONIC,
            FieldError::Form { expected } if expected.starts_with("an IPv") => &rules::BAD_ADDRESS,
            FieldError::Form { .. } => &rules::BAD_FIELD,
        }
    }

    fn help(&self) -> Option<&'static str> {
        Some(match self {
            FieldError::NoOrigin => "end the name in a dot, or write $ORIGIN and the zone's name before it",
            FieldError::Quoted => "remove the quotes",
            FieldError::StringTooLong => "split it into several strings of at most 255 octets, each in quotes",
            FieldError::Number { .. }
            | FieldError::Name(_)
            | FieldError::Escape
            | FieldError::Code(_)
            | FieldError::Form { .. } => return None,
        })
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldError::Number { max } => write!(f, "expected a number from 0 to {max}"),
            FieldError::Name(error) => error.fmt(f),
            FieldError::NoOrigin => f.write_str("a relative name, but no origin is known"),
            FieldError::Quoted => f.write_str("a quoted string where a plain word is expected"),
            FieldError::Escape => NameError::Escape.fmt(f),
            FieldError::StringTooLong => f.write_str("the string is longer than 255 octets (RFC 1035 §3.3)"),
            FieldError::Code(registry) => write!(f, "expected a {} as number or mnemonic", registry.what),
            FieldError::Form { expected } => write!(f, "expected {expected}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf_8_is_found_at_its_line_and_column() {
        for (text, place) in [
            (&b"\xff"[..], Some((1, 1, 0..1))),
            (b"a\r\n\xc3\xbc\xc3", Some((2, 2, 5..6))),
            (b"\n\n\nab\xe2\x82x", Some((4, 3, 5..7))),
            ("gr\u{fc}n\n".as_bytes(), None),
            (b"", None),
        ] {
            let error = Error::not_utf_8(text);
            assert_eq!(error.as_ref().map(|it| (it.line, it.column, it.span.clone())), place, "{text:?}");
            assert!(error.is_none_or(|it| it.rule() == &rules::NOT_UTF_8 && it.diagnostic().help.is_some()));
        }
    }
}
