//! The store: the text of every uploaded zone, octet for octet, in one redb file.
//!
//! A commit is durable when it returns: the process may be killed and the power may fail at any moment, the store
//! then has either all of the commit or nothing of it. Two-phase commits are on because the text comes from
//! strangers: with redb's default a torn commit is told from a whole one by a checksum that is not made to
//! withstand who chooses the data.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nss_wire::{Name, NameBuf};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

pub use self::signers::{Signer, Signers};
use crate::clock::Clock;
use crate::control::{Check, Pending, Pin};

mod signers;

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

/// One change of the store.
#[derive(Clone, Debug)]
pub enum Write {
    /// Adds or replaces a text.
    Put {
        /// The apex.
        apex: NameBuf,
        /// The zone's text.
        text: Bytes,
        /// What is known of it.
        version: Version,
        /// What the zone's pin becomes; `None` leaves it.
        pin: Option<Pin>,
        /// The claim that it is served by before its parent delegates it; `None` ends one.
        pending: Option<Pending>,
        /// Who signed it, to be remembered with the newest serial of each; of a claim once it is more than that.
        signers: Signers,
    },
    /// Deletes a text and its claim. The zone's pin stays: else anybody could take the name who is faster than its owner.
    Delete {
        /// The apex.
        apex: NameBuf,
        /// The change.
        generation: u64,
        /// What the zone's pin becomes; `None` leaves it.
        pin: Option<Pin>,
    },
    /// Writes down what a check at the parent found.
    Check {
        /// The apex.
        apex: NameBuf,
        /// What was found.
        check: Check,
    },
    /// Forgets what a check at the parent found.
    ForgetCheck {
        /// The apex.
        apex: NameBuf,
    },
    /// Writes down who signed a zone, and nothing else.
    Remember {
        /// The apex.
        apex: NameBuf,
        /// Who signed it.
        signers: Signers,
    },
    /// Deletes a text and all that is kept beside it, the pin too.
    Purge {
        /// The apex.
        apex: NameBuf,
        /// The change.
        generation: u64,
    },
    /// Changes the pin of a zone and nothing else.
    SetPin {
        /// The apex.
        apex: NameBuf,
        /// What it becomes.
        pin: Pin,
    },
    /// Deletes the text of a claimed zone, because another key claims the name as well.
    Contest {
        /// The apex.
        apex: NameBuf,
        /// What is kept of the claims.
        pending: Pending,
        /// The change.
        generation: u64,
    },
    /// Makes a claimed zone one like all others, pinned to the key that claimed it.
    Activate {
        /// The apex.
        apex: NameBuf,
        /// The pin.
        pin: Pin,
        /// What the check found that made it one.
        check: Check,
    },
}

impl Store {
    /// Opens the store in `directory`, or creates both.
    ///
    /// # Errors
    ///
    /// A directory or file that can't be created, opened or read; a file that is damaged, of another program or
    /// of a newer version, or that another process has open. The file is left as it is then.
    pub fn open(directory: &Path) -> Result<Store, StoreError> {
        let path = directory.join(FILE_NAME);
        fs::create_dir_all(directory).map_err(|error| StoreError::io(directory, error))?;
        if !path.exists() {
            create(directory, &path)?;
        }
        let give_up_at = Instant::now() + IN_USE_TIME_MAX;
        let database = loop {
            match open_database(&path) {
                // A daemon that was killed a moment ago still has the file until the kernel has cleaned up behind it.
                Err(error) if error.kind == StoreErrorKind::InUse && Instant::now() < give_up_at => {
                    std::thread::sleep(IN_USE_PAUSE);
                }
                opened => break opened?,
            }
        };
        Ok(Store { path, database: RwLock::new(Some(database)), clock: Clock::default() })
    }

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

/// Why the store can't do something.
#[derive(Clone, Debug)]
pub struct StoreError {
    path: PathBuf,
    kind: StoreErrorKind,
    reason: String,
}

impl StoreError {
    /// Whose fault it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    fn io(path: &Path, error: io::Error) -> StoreError {
        StoreError::from_redb(path, redb::Error::Io(error))
    }

    fn from_redb(path: &Path, error: redb::Error) -> StoreError {
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

const FILE_NAME: &str = "zones.redb";

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

/// [`GENERATION`] and [`FORMAT`].
const STATE: TableDefinition<'_, &str, u64> = TableDefinition::new("state");

const GENERATION: &str = "generation";

/// Says how the tables are to be read.
const FORMAT: &str = "format";
const FORMAT_VERSION: u64 = 7;

/// The first format. It had texts alone; the second one added pins, the third one checks, the fourth one times of pins, the fifth one claims,
/// the sixth one signers, the seventh one those of claims. All become the present one when they are opened, and an older version of the program, which would ignore what it
/// does not know, then refuses them.
const FORMAT_FIRST: u64 = 1;

/// Time that another process may take to let go of the file: a killed one frees its memory first.
const IN_USE_TIME_MAX: Duration = Duration::from_secs(1);
const IN_USE_PAUSE: Duration = Duration::from_millis(10);

/// Octets of redb's page cache. Texts are read once at the start and seldom after.
const CACHE_SIZE: usize = 32 << 20;

/// Makes an empty store appear at `path` as a whole: killed in between, it would look like a damaged one.
fn create(directory: &Path, path: &Path) -> Result<(), StoreError> {
    let draft = directory.join(format!("{FILE_NAME}.{}", std::process::id()));
    let failed = |error| StoreError::io(&draft, error);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    drop(open_database(&draft)?);
    // A link, unlike a rename, does not replace what another process has put there meanwhile.
    match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A file system without links; most likely there is no other process either.
            fs::rename(&draft, path).map_err(failed)?;
        }
        _ => fs::remove_file(&draft).map_err(failed)?,
    }
    // The file survives a power failure only when the directory that names it is on disk, too.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| StoreError::io(directory, error))
}

fn open_database(path: &Path) -> Result<Database, StoreError> {
    // redb promises errors, not panics, for files that it did not write; a file that proves it wrong is still just
    // a damaged file.
    let opened = std::panic::catch_unwind(|| {
        let database = redb::Builder::new().set_cache_size(CACHE_SIZE).create(path)?;
        let format = prepare(&database)?;
        Ok::<_, redb::Error>((database, format))
    });
    match opened {
        Ok(Ok((database, FORMAT_VERSION))) => Ok(database),
        Ok(Ok((_, format))) => Err(StoreError {
            path: path.to_owned(),
            kind: StoreErrorKind::Failed,
            reason: format!("has format {format}, this version of nssd reads format {FORMAT_VERSION}"),
        }),
        Ok(Err(error)) => Err(StoreError::from_redb(path, error)),
        Err(_) => Err(StoreError::from_redb(path, redb::Error::Corrupted("its structure makes no sense".to_owned()))),
    }
}

/// Creates the tables of a new store; returns the format of the store.
fn prepare(database: &Database) -> Result<u64, redb::Error> {
    match database.begin_read()?.open_table(STATE) {
        Ok(state) => match state.get(FORMAT)?.map_or(0, |format| format.value()) {
            FORMAT_FIRST..FORMAT_VERSION => {}
            format => return Ok(format),
        },
        Err(redb::TableError::TableDoesNotExist(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    transaction.open_table(TEXTS)?;
    transaction.open_table(VERSIONS)?;
    transaction.open_table(PINS)?;
    transaction.open_table(CHECKS)?;
    transaction.open_table(PIN_TIMES)?;
    transaction.open_table(PENDING)?;
    transaction.open_table(SIGNERS)?;
    transaction.open_table(STATE)?.insert(FORMAT, FORMAT_VERSION)?;
    transaction.commit()?;
    Ok(FORMAT_VERSION)
}

fn write(database: &Database, writes: &[Write], now: u64) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // Two-phase, and with the free pages noted down, so that the start after a crash does not have to walk the
    // whole file.
    transaction.set_quick_repair(true);
    {
        let mut texts = transaction.open_table(TEXTS)?;
        let mut versions = transaction.open_table(VERSIONS)?;
        let mut pins = Pins { keys: transaction.open_table(PINS)?, times: transaction.open_table(PIN_TIMES)?, now };
        let mut checks = transaction.open_table(CHECKS)?;
        let mut claims = transaction.open_table(PENDING)?;
        let mut signed = transaction.open_table(SIGNERS)?;
        let mut state = transaction.open_table(STATE)?;
        for write in writes {
            let generation = match write {
                Write::SetPin { apex, pin } => {
                    pins.set(apex, Some(*pin))?;
                    continue;
                }
                Write::Check { apex, check } => {
                    let key = apex.as_name().to_lowercase();
                    checks.insert(key.as_name().as_wire(), json(check).as_slice())?;
                    continue;
                }
                Write::ForgetCheck { apex } => {
                    let key = apex.as_name().to_lowercase();
                    checks.remove(key.as_name().as_wire())?;
                    continue;
                }
                Write::Remember { apex, signers } => {
                    signers::remember(&mut signed, apex, signers)?;
                    continue;
                }
                Write::Activate { apex, pin, check } => {
                    pins.set(apex, Some(*pin))?;
                    let key = apex.as_name().to_lowercase();
                    checks.insert(key.as_name().as_wire(), json(check).as_slice())?;
                    if let Some(claim) = end_claim(&mut claims, apex)? {
                        signers::remember(&mut signed, apex, &claim.signers)?;
                    }
                    continue;
                }
                Write::Contest { apex, pending, generation } => {
                    let key = apex.as_name().to_lowercase();
                    texts.remove(key.as_name().as_wire())?;
                    versions.remove(key.as_name().as_wire())?;
                    checks.remove(key.as_name().as_wire())?;
                    let claim = StoredClaim { pending: pending.clone(), signers: Signers::default() };
                    claims.insert(key.as_name().as_wire(), json(&claim).as_slice())?;
                    *generation
                }
                Write::Purge { apex, generation } => {
                    let key = apex.as_name().to_lowercase();
                    texts.remove(key.as_name().as_wire())?;
                    versions.remove(key.as_name().as_wire())?;
                    checks.remove(key.as_name().as_wire())?;
                    pins.keys.remove(key.as_name().as_wire())?;
                    pins.times.remove(key.as_name().as_wire())?;
                    claims.remove(key.as_name().as_wire())?;
                    signed.remove(key.as_name().as_wire())?;
                    *generation
                }
                Write::Put { apex, text, version, pin, pending, signers } => {
                    pins.set(apex, *pin)?;
                    let key = apex.as_name().to_lowercase();
                    // Who uploads has just shown that the zone is delegated here, or what it waits for.
                    checks.remove(key.as_name().as_wire())?;
                    match pending {
                        // A claim proves nothing, and so must not stand in the way of what is proved.
                        Some(pending) => {
                            let claim = StoredClaim { pending: pending.clone(), signers: signers.clone() };
                            claims.insert(key.as_name().as_wire(), json(&claim).as_slice())?;
                        }
                        None => {
                            // Of the claim of the key that has now shown itself to be right, what was signed is as old as any other.
                            let claim = end_claim(&mut claims, apex)?.filter(|claim| Some(claim.pending.pin) == *pin);
                            for signers in claim.iter().map(|claim| &claim.signers).chain([signers]) {
                                signers::remember(&mut signed, apex, signers)?;
                            }
                        }
                    }
                    texts.insert(key.as_name().as_wire(), text.as_ref())?;
                    versions.insert(key.as_name().as_wire(), (version.generation, version.uploaded_at))?;
                    version.generation
                }
                Write::Delete { apex, generation, pin } => {
                    pins.set(apex, *pin)?;
                    let key = apex.as_name().to_lowercase();
                    checks.remove(key.as_name().as_wire())?;
                    texts.remove(key.as_name().as_wire())?;
                    versions.remove(key.as_name().as_wire())?;
                    claims.remove(key.as_name().as_wire())?;
                    // Without a pin nothing would ever forget them.
                    if pins.keys.get(key.as_name().as_wire())?.is_none() {
                        signed.remove(key.as_name().as_wire())?;
                    }
                    *generation
                }
            };
            state.insert(GENERATION, generation)?;
        }
    }
    transaction.commit()?;
    Ok(())
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

/// Deletes a claim; returns what it was, if there was one.
fn end_claim(
    claims: &mut redb::Table<'_, &'static [u8], &'static [u8]>,
    apex: &NameBuf,
) -> Result<Option<StoredClaim>, redb::Error> {
    let key = apex.as_name().to_lowercase();
    let claim = claims.remove(key.as_name().as_wire())?;
    Ok(claim.and_then(|claim| serde_json::from_slice(claim.value()).ok()))
}

/// The tables of pins in a commit.
struct Pins<'t> {
    keys: redb::Table<'t, &'static [u8], &'static [u8; 32]>,
    times: redb::Table<'t, &'static [u8], u64>,
    now: u64,
}

impl Pins<'_> {
    /// Pins a zone to a key, from now on even if it is the one before: who sets it has just proved to be the owner without it.
    fn set(&mut self, apex: &NameBuf, pin: Option<Pin>) -> Result<(), redb::Error> {
        let Some(pin) = pin else { return Ok(()) };
        let apex = apex.as_name().to_lowercase();
        self.keys.insert(apex.as_name().as_wire(), pin.as_octets())?;
        self.times.insert(apex.as_name().as_wire(), self.now)?;
        Ok(())
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the control types have string keys only")
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

#[cfg(test)]
mod tests;
