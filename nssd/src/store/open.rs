//! How the file of the store is opened, created and brought to the present format.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::RwLock;
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase};

use super::{CHECKS, PENDING, PIN_TIMES, PINS, SIGNERS, STATE, Store, StoreError, StoreErrorKind, TEXTS, VERSIONS};
use crate::clock::Clock;

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
}

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

pub(super) fn open_database(path: &Path) -> Result<Database, StoreError> {
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

pub(super) const FILE_NAME: &str = "zones.redb";

/// Says how the tables are to be read.
pub(super) const FORMAT: &str = "format";
pub(super) const FORMAT_VERSION: u64 = 7;

/// The first format. It had texts alone; the second one added pins, the third one checks, the fourth one times of pins, the fifth one claims,
/// the sixth one signers, the seventh one those of claims. All become the present one when they are opened, and an older version of the program,
/// which would ignore what it does not know, then refuses them.
pub(super) const FORMAT_FIRST: u64 = 1;

/// Time that another process may take to let go of the file: a killed one frees its memory first.
const IN_USE_TIME_MAX: Duration = Duration::from_secs(1);
const IN_USE_PAUSE: Duration = Duration::from_millis(10);

/// Octets of redb's page cache. Texts are read once at the start and seldom after.
const CACHE_SIZE: usize = 32 << 20;
