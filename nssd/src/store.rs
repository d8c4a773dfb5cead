//! The store: the text of every uploaded zone, octet for octet, in one redb file.
//!
//! A commit is durable when it returns: the process may be killed and the power may fail at any moment, the store
//! then has either all of the commit or nothing of it. Two-phase commits are on because the text comes from
//! strangers: with redb's default a torn commit is told from a whole one by a checksum that is not made to
//! withstand who chooses the data.

use std::path::PathBuf;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use nss_wire::{Name, NameBuf};
use redb::{Database, ReadableDatabase, TableDefinition};
use serde::{Deserialize, Serialize};

pub use self::error::{StoreError, StoreErrorKind};
use self::open::open_database;
pub use self::signers::{Signer, Signers};
pub use self::write::Write;
use self::write::write;
use crate::clock::Clock;
use crate::control::{Check, Pending, Pin};

mod error;
mod open;
mod signers;
mod write;

/// The uploaded zones on disk.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// `None` after a failed commit until the file could be opened again: redb refuses all work after an I/O error.
    database: RwLock<Option<Database>>,
    clock: Clock,
}

/// What is known of a stored text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Counts the changes of the whole store.
    pub generation: u64,
    /// Seconds since 1970.
    pub uploaded_at: u64,
}

impl Store {
    /// The store, with times by another clock.
    pub fn with_clock(self, clock: Clock) -> Store {
        Store { clock, ..self }
    }

    /// The time that is written down, in seconds since 1970.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// The generation of the last change, 0 when there was none.
    ///
    /// # Errors
    ///
    /// A file that can't be read.
    pub fn generation(&self) -> Result<u64, StoreError> {
        self.read(|transaction| Ok(transaction.open_table(STATE)?.get(GENERATION)?.map_or(0, |value| value.value())))
    }

    /// The text of a zone, if there is one.
    ///
    /// # Errors
    ///
    /// A file that can't be read.
    pub fn text(&self, apex: Name<'_>) -> Result<Option<(Bytes, Version)>, StoreError> {
        let key = apex.to_lowercase();
        let key = key.as_name().as_wire();
        self.read(|transaction| {
            let texts = transaction.open_table(TEXTS)?;
            let versions = transaction.open_table(VERSIONS)?;
            let (Some(text), Some(version)) = (texts.get(key)?, versions.get(key)?) else { return Ok(None) };
            Ok(Some((Bytes::copy_from_slice(text.value()), Version::from(version.value()))))
        })
    }

    /// The hash of the key that a zone is pinned to, be it stored now or deleted.
    ///
    /// # Errors
    ///
    /// A file that can't be read.
    pub fn pin(&self, apex: Name<'_>) -> Result<Option<Pin>, StoreError> {
        let key = apex.to_lowercase();
        self.read(|transaction| {
            let pin = transaction.open_table(PINS)?.get(key.as_name().as_wire())?;
            Ok(pin.map(|pin| Pin::from(*pin.value())))
        })
    }

    /// When a zone was pinned to its present key last, in seconds since 1970; `None` without a pin, and for one of an older format.
    ///
    /// # Errors
    ///
    /// A file that can't be read.
    pub fn pinned_at(&self, apex: Name<'_>) -> Result<Option<u64>, StoreError> {
        let key = apex.to_lowercase();
        self.read(|transaction| {
            let time = transaction.open_table(PIN_TIMES)?.get(key.as_name().as_wire())?;
            Ok(time.map(|time| time.value()))
        })
    }

    /// The apexes whose zones were deleted and whose pins are still there.
    ///
    /// # Errors
    ///
    /// A file that can't be read.
    pub fn pins_alone(&self) -> Result<Vec<NameBuf>, StoreError> {
        self.read(|transaction| {
            let texts = transaction.open_table(TEXTS)?;
            let mut alone = Vec::new();
            for entry in transaction.open_table(PINS)?.range::<&[u8]>(..)? {
                let (key, _) = entry?;
                let Ok(apex) = Name::from_wire_exact(key.value()) else { continue };
                if texts.get(key.value())?.is_none() {
                    alone.push(apex.to_buf());
                }
            }
            Ok(alone)
        })
    }

    /// What the last check at the parent found, if there was one since the upload; of one that can't be read nothing is known.
    ///
    /// # Errors
    ///
    /// A file that can't be read.
    pub fn check(&self, apex: Name<'_>) -> Result<Option<Check>, StoreError> {
        let key = apex.to_lowercase();
        self.read(|transaction| {
            let check = transaction.open_table(CHECKS)?.get(key.as_name().as_wire())?;
            Ok(check.and_then(|check| serde_json::from_slice(check.value()).ok()))
        })
    }

    /// The keys that have signed a zone, as RDATA of their DNSKEY records, each with the newest serial that it signed; be the zone stored
    /// now or deleted.
    ///
    /// # Errors
    ///
    /// A file that can't be read.
    pub fn signers(&self, apex: Name<'_>) -> Result<Vec<Signer>, StoreError> {
        let key = apex.to_lowercase();
        self.read(|transaction| {
            let signers = transaction.open_table(SIGNERS)?.get(key.as_name().as_wire())?;
            Ok(signers.map_or_else(Vec::new, |signers| signers::read(signers.value())))
        })
    }

    /// As [`Store::check`], for who serves the zone.
    ///
    /// # Errors
    ///
    /// A file that can't be read, and a check or a claim: who can't read that a zone is parked, or until when it is claimed, must not serve it.
    pub fn standing(&self, apex: Name<'_>) -> Result<Option<Check>, StoreError> {
        let key = apex.to_lowercase();
        let key = key.as_name().as_wire();
        let (check, has_claim) = self.read(|transaction| {
            let check = transaction.open_table(CHECKS)?.get(key)?;
            let claim = transaction.open_table(PENDING)?.get(key)?;
            let check = check.map(|check| serde_json::from_slice::<Check>(check.value()));
            let claim = claim.map(|claim| serde_json::from_slice::<StoredClaim>(claim.value()));
            Ok((check.transpose(), claim.transpose().map(drop)))
        })?;
        let unreadable = |what: &str| StoreError {
            path: self.path.clone(),
            kind: StoreErrorKind::Damaged,
            reason: format!("has a {what} of {apex} that makes no sense; upload the zone again, or delete it"),
        };
        has_claim.map_err(|_| unreadable("claim"))?;
        check.map_err(|_| unreadable("check"))
    }

    /// All claims on names that are not delegated here; `None` for one that can't be read.
    ///
    /// # Errors
    ///
    /// A file that can't be read.
    pub fn pending(&self) -> Result<Vec<(NameBuf, Option<Pending>)>, StoreError> {
        self.read(|transaction| {
            let mut all = Vec::new();
            for entry in transaction.open_table(PENDING)?.range::<&[u8]>(..)? {
                let (key, pending) = entry?;
                let Ok(apex) = Name::from_wire_exact(key.value()) else { continue };
                let claim = serde_json::from_slice::<StoredClaim>(pending.value()).ok();
                all.push((apex.to_buf(), claim.map(|claim| claim.pending)));
            }
            Ok(all)
        })
    }

    /// Up to `count` zones with their texts, in the order of their keys, from the first behind `after` on; fewer when their texts have
    /// `octets` together, and one in any case.
    ///
    /// A key that is no name, which only a foreign program could have written, is passed over.
    ///
    /// # Errors
    ///
    /// A file that can't be read.
    pub fn page(
        &self,
        after: Option<Name<'_>>,
        count: usize,
        octets: usize,
    ) -> Result<Vec<(NameBuf, Bytes, Version)>, StoreError> {
        use std::ops::Bound;
        let after = after.map(|name| name.to_lowercase());
        let start = match &after {
            Some(name) => Bound::Excluded(name.as_name().as_wire()),
            None => Bound::Unbounded,
        };
        self.read(|transaction| {
            let texts = transaction.open_table(TEXTS)?;
            let versions = transaction.open_table(VERSIONS)?;
            let (mut page, mut size) = (Vec::new(), 0);
            for entry in texts.range::<&[u8]>((start, Bound::Unbounded))? {
                let (key, text) = entry?;
                let Ok(apex) = Name::from_wire_exact(key.value()) else { continue };
                let Some(version) = versions.get(key.value())? else { continue };
                size += text.value().len();
                page.push((apex.to_buf(), Bytes::copy_from_slice(text.value()), Version::from(version.value())));
                if page.len() == count || size >= octets {
                    break;
                }
            }
            Ok(page)
        })
    }

    /// Makes all of `writes` durable in one transaction, or none of them.
    ///
    /// # Errors
    ///
    /// A disk that is full or can't be written. What was in the store before is still there.
    pub fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        let error = {
            // Readers go on meanwhile: redb gives them what was committed before.
            let slot = self.opened()?;
            let Some(database) = &*slot else { return Err(self.unavailable()) };
            match write(database, writes, self.now()) {
                Ok(()) => return Ok(()),
                Err(error) => StoreError::from_redb(&self.path, error),
            }
        };
        let mut slot = self.lock_for_write();
        // Only what is closed can be opened; when that fails now, the next call tries again.
        *slot = None;
        *slot = open_database(&self.path).ok();
        Err(error)
    }

    fn read<T>(&self, work: impl Fn(&redb::ReadTransaction) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let slot = self.opened()?;
        let Some(database) = &*slot else { return Err(self.unavailable()) };
        let result = database.begin_read().map_err(redb::Error::from).and_then(|transaction| work(&transaction));
        result.map_err(|error| StoreError::from_redb(&self.path, error))
    }

    /// The database, opened again if an error had closed it.
    fn opened(&self) -> Result<RwLockReadGuard<'_, Option<Database>>, StoreError> {
        let slot = self.lock_for_read();
        if slot.is_some() {
            return Ok(slot);
        }
        drop(slot);
        let mut slot = self.lock_for_write();
        if slot.is_none() {
            *slot = Some(open_database(&self.path)?);
        }
        drop(slot);
        Ok(self.lock_for_read())
    }

    /// Another thread has closed the database between two looks at it.
    fn unavailable(&self) -> StoreError {
        StoreError {
            path: self.path.clone(),
            kind: StoreErrorKind::Failed,
            reason: "is being opened again after an error; try again".to_owned(),
        }
    }

    // A panic while the lock was held left `None` or a whole database, so that a poisoned lock is as good as another.
    fn lock_for_read(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn lock_for_write(&self) -> RwLockWriteGuard<'_, Option<Database>> {
        self.database.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl From<(u64, u64)> for Version {
    fn from((generation, uploaded_at): (u64, u64)) -> Version {
        Version { generation, uploaded_at }
    }
}

/// A claim as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredClaim {
    #[serde(flatten)]
    pending: Pending,
    /// Who signed the zone, to be remembered once it is more than a claim.
    #[serde(default)]
    signers: Signers,
}

/// Apex in lower-case wire form to text.
const TEXTS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("texts");

/// Apex in lower-case wire form to generation and time of upload.
const VERSIONS: TableDefinition<'_, &[u8], (u64, u64)> = TableDefinition::new("versions");

/// Apex in lower-case wire form to the last check at the parent since the upload, in JSON.
const CHECKS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("checks");

/// Apex in lower-case wire form to the hash of the key that may change the zone.
const PINS: TableDefinition<'_, &[u8], &[u8; 32]> = TableDefinition::new("pins");

/// Apex in lower-case wire form to when the zone was pinned to this key last, in seconds since 1970; nothing for pins of older formats.
const PIN_TIMES: TableDefinition<'_, &[u8], u64> = TableDefinition::new("pin times");

/// Apex in lower-case wire form to the claim by which the zone is served before its parent delegates it, in JSON.
const PENDING: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pending");

/// Apex in lower-case wire form to the keys that have signed the zone, those that did last first: for each the newest serial, the size of the
/// DNSKEY record's RDATA, and that.
const SIGNERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("signers");

/// [`GENERATION`] and [`open::FORMAT`].
const STATE: TableDefinition<'_, &str, u64> = TableDefinition::new("state");

const GENERATION: &str = "generation";

#[cfg(test)]
mod tests;
