//! What is remembered of an operator's zone file: where it is, what was read, and why it may make no zone.
//!
//! There may be as many as there are zones, so that each is kept short.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::control::Source;

/// A zone file as it was read last.
#[derive(Clone, Debug)]
pub(crate) struct ZoneFile {
    pub(crate) path: FilePath,
    /// Of its text; `None` if it could not be read.
    pub(crate) digest: Option<Digest>,
    more: Option<Box<More>>,
}

/// What few zone files have.
#[derive(Clone, Debug, Default)]
struct More {
    /// The files that it includes.
    included: Box<[Input]>,
    /// Why it makes no zone.
    broken: Option<Box<str>>,
}

/// A file that another one includes, as it was read last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
}

/// A digest of 128 bits, in parts that need no room between them.
pub(crate) type Digest = [u32; 4];

impl ZoneFile {
    pub(crate) fn new(path: FilePath, digest: Option<Digest>, included: Vec<Input>) -> ZoneFile {
        let more = (!included.is_empty()).then(|| Box::new(More { included: included.into(), broken: None }));
        ZoneFile { path, digest, more }
    }

    /// Why it makes no zone.
    pub(crate) fn broken(&self) -> Option<&str> {
        self.more.as_ref()?.broken.as_deref()
    }

    pub(crate) fn set_broken(&mut self, reason: &str) {
        self.more.get_or_insert_default().broken = Some(reason.into());
    }

    /// What `key`, the zone that it is read for, comes from.
    pub(crate) fn source(&self, key: &str) -> Source {
        Source::File(self.path.of(key).display().to_string())
    }

    /// The files that it includes.
    pub(crate) fn included(&self) -> &[Input] {
        self.more.as_ref().map_or(&[], |more| &more.included)
    }
}

/// Where the file of a zone is. In a directory with a file for each of many zones its name needs no place in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FilePath {
    /// In this directory, under the name of its zone as [`ZONE_SUFFIX`] tells.
    Named(Arc<PathBuf>),
    /// Anywhere.
    At(Box<PathBuf>),
}

impl FilePath {
    pub(crate) fn at(path: PathBuf) -> FilePath {
        FilePath::At(Box::new(path))
    }

    /// The file of that name in a directory, for the zone that is called `key` as text.
    pub(crate) fn in_directory(directory: &Arc<PathBuf>, name: &str, key: &str) -> FilePath {
        match name.strip_suffix(ZONE_SUFFIX) {
            Some(apex) if key.strip_suffix('.') == Some(apex) => FilePath::Named(directory.clone()),
            _ => FilePath::at(directory.join(name)),
        }
    }

    /// The path, for the zone that is called `key` as text.
    pub(crate) fn of(&self, key: &str) -> PathBuf {
        match self {
            FilePath::Named(directory) => {
                directory.join(format!("{}{ZONE_SUFFIX}", key.strip_suffix('.').unwrap_or(key)))
            }
            FilePath::At(path) => path.as_path().to_owned(),
        }
    }

    /// The directory that it is in.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            FilePath::Named(directory) => Some(directory),
            FilePath::At(path) => path.parent(),
        }
    }
}

/// What follows the name of a zone, written without its final dot, in the name of its file.
pub(crate) const ZONE_SUFFIX: &str = ".zone";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_whether_it_is_kept_or_made() {
        let directory = Arc::new(PathBuf::from("/etc/zones"));
        let cases = [
            ("example.com.zone", "example.com.", true),
            ("EXAMPLE.com.zone", "example.com.", false),
            ("example.com..zone", "example.com.", false),
            ("0\\04725.example.zone", "0/25.example.", false),
            ("..zone", ".", false),
            (".zone", ".", true),
        ];
        for (name, key, is_named) in cases {
            let path = FilePath::in_directory(&directory, name, key);
            assert_eq!(path.of(key), directory.join(name), "{name}");
            assert_eq!(path.directory(), Some(directory.as_path()), "{name}");
            assert_eq!(matches!(path, FilePath::Named(_)), is_named, "{name}");
        }
    }

    #[test]
    fn a_file_that_includes_nothing_and_makes_a_zone_needs_little() {
        let mut file = ZoneFile::new(FilePath::at("zone".into()), Some([0; 4]), Vec::new());
        assert!(file.more.is_none() && size_of::<Option<ZoneFile>>() <= 48);
        file.set_broken("line 1: what");
        assert_eq!((file.broken(), file.included()), (Some("line 1: what"), &[][..]));
    }
}
