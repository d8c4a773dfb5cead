//! Why the store can't do something.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the store can't do something.
#[derive(Clone, Debug)]
pub struct StoreError {
    pub(super) path: PathBuf,
    pub(super) kind: StoreErrorKind,
    pub(super) reason: String,
}

impl StoreError {
    /// Whose fault it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    pub(super) fn io(path: &Path, error: io::Error) -> StoreError {
        StoreError::from_redb(path, redb::Error::Io(error))
    }

    pub(super) fn from_redb(path: &Path, error: redb::Error) -> StoreError {
        let (kind, reason) = match error {
            redb::Error::Io(error) if is_full(&error) => {
                (StoreErrorKind::Full, format!("cannot grow: {error}; free space on its disk"))
            }
            redb::Error::Corrupted(reason) => (
                StoreErrorKind::Damaged,
                format!("is damaged ({reason}); restore it from a backup, or move it away to start empty"),
            ),
            redb::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => (
                StoreErrorKind::Damaged,
                format!(
                    "is no store or is damaged ({error}); restore it from a backup, or move it away to start empty"
                ),
            ),
            redb::Error::DatabaseAlreadyOpen => {
                (StoreErrorKind::InUse, "is open in another process; is nssd running already?".to_owned())
            }
            error => (StoreErrorKind::Failed, format!("cannot be used: {error}")),
        };
        StoreError { path: path.to_owned(), kind, reason }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for StoreError {}

/// Whose fault it is that the store can't do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The disk, a quota or a limit on file sizes.
    Full,
    /// The file is not what was written.
    Damaged,
    /// Another process has the file.
    InUse,
    /// Anything else.
    Failed,
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
