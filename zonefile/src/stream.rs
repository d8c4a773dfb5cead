//! Zone text that comes in pieces.

use std::borrow::Cow;

use crate::error::Error;
use crate::reader::{Entry, Inclusion, Options, Reader};

/// Reads zone text piece by piece, in memory that does not grow with the text.
///
/// What is read is what [`Reader`] reads of the whole text, wherever the pieces end: the same records and mistakes in
/// the same order. What is kept is one piece and at most one entry, of
/// [`entry_size_max`](crate::Limits::entry_size_max) octets. Only the line of text that a mistake shows may end where a
/// piece ends, and so may the span of a token that makes an entry too long; the error that counts others may stand there.
///
/// ```
/// use nss_zonefile::{Options, StreamReader};
///
/// let mut reader = StreamReader::new(&Options::default());
/// let mut records = Vec::new();
/// let pieces = ["www.example. 300 A 192", ".0.2.1\nftp.example. 300 A 192.0.2.2"];
/// for piece in pieces {
///     reader.feed(piece.as_bytes());
///     while let Some(entry) = reader.next() {
///         records.push(entry?.record.to_string());
///     }
/// }
/// let mut rest = reader.finish();
/// while let Some(entry) = rest.next() {
///     records.push(entry?.record.to_string());
/// }
/// assert_eq!(records, ["www.example. 300 IN A 192.0.2.1", "ftp.example. 300 IN A 192.0.2.2"]);
/// # Ok::<(), nss_zonefile::Error>(())
/// ```
///
/// Pieces of 64 KiB are read as fast as a text that is all there.
pub struct StreamReader<'t> {
    reader: Reader<'t>,
}

impl<'t> StreamReader<'t> {
    /// Reads a text of which nothing has come yet; `$INCLUDE` is an error.
    pub fn new(options: &Options) -> StreamReader<'t> {
        StreamReader { reader: Reader::open(options) }
    }

    /// Allows `$INCLUDE`, as [`Reader::with_includes`] does; included texts come whole.
    #[must_use]
    pub fn with_includes(
        self,
        supply: impl FnMut(Inclusion<'_>) -> Result<Cow<'t, [u8]>, String> + 't,
    ) -> StreamReader<'t> {
        StreamReader { reader: self.reader.with_includes(supply) }
    }

    /// The next piece of the text.
    ///
    /// Pieces are kept until [`StreamReader::next`] has gone through them: feed when it has returned `None`.
    pub fn feed(&mut self, piece: &[u8]) {
        self.reader.extend(piece);
    }

    /// Says that the last piece was fed; returns the reader of what is left.
    #[must_use]
    pub fn finish(mut self) -> Reader<'t> {
        self.reader.close();
        self.reader
    }

    /// The next record or mistake; `None` when more text is needed, or [`StreamReader::finish`].
    ///
    /// # Errors
    ///
    /// As [`Reader::next`].
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "an entry borrows from the reader, which no Iterator allows")]
    pub fn next(&mut self) -> Option<Result<Entry<'_>, Error>> {
        self.reader.next()
    }

    /// The name of an included text by its number, as the `$INCLUDE` entry wrote it.
    pub fn file_name(&self, file: u32) -> Option<&str> {
        self.reader.file_name(file)
    }
}
