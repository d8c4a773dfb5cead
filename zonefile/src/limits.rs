//! How much a zone text may ask for.

/// What one reading may take; text that asks for more gives an error that names the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The mistakes that are told before the rest is only counted.
    pub errors_max: u32,
    /// The octets of one entry with all its lines, a comment behind its last token left out; never more than 2^31.
    ///
    /// A reader of text in pieces keeps no more of an entry than this.
    pub entry_size_max: u32,
    /// How deep `$INCLUDE` may be nested.
    pub include_depth_max: u32,
    /// The `$INCLUDE` entries of a text and all that it includes.
    pub includes_max: u32,
    /// The records that all `$GENERATE` entries together may give; one counts again for each 1024 octets of its text.
    pub generated_records_max: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            errors_max: ERRORS_MAX,
            entry_size_max: ENTRY_SIZE_MAX,
            include_depth_max: INCLUDE_DEPTH_MAX,
            includes_max: INCLUDES_MAX,
            generated_records_max: GENERATED_RECORDS_MAX,
        }
    }
}

/// More than a person mends in one go.
pub const ERRORS_MAX: u32 = 100;

/// RDATA of 65,535 octets takes 262,140 octets as `\DDD`; four times that leaves room for blanks and comments.
pub const ENTRY_SIZE_MAX: u32 = 1 << 20;

/// Ten files in one another is what BIND and NSD manage in practice; nobody nests by hand more than two or three.
pub const INCLUDE_DEPTH_MAX: u32 = 10;

/// A file for each of many customers is common; two files that include each other twice must end soon.
pub const INCLUDES_MAX: u32 = 1000;

/// A reverse zone of 16 bits.
pub const GENERATED_RECORDS_MAX: u32 = 65_536;

/// The octets of a generated record for which it counts once more: without that, a megabyte of text could become
/// gigabytes of records. What is generated in practice has less than 100.
pub(crate) const GENERATED_SIZE: usize = 1024;

/// The mistakes that are counted beyond those that are told: reading on only to count more helps nobody.
pub(crate) const ERRORS_COUNTED_MAX: u64 = 10_000;

/// The parentheses left open that are read over: each may cost a look at as many octets as an entry can have.
pub(crate) const UNCLOSED_MAX: u32 = 16;
