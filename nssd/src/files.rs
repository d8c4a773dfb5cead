//! The operator's zone files: one by one (`[[zone]]`), or a directory of them (`[[zone_directory]]`).
//!
//! They are read at the start and at each reload. A file that no longer makes a zone keeps the zone that is served;
//! a file that is gone withdraws it.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use nss_authority::HashSeed;
use nss_wire::NameBuf;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::check::{self, Accepted, Include, Method, TEXT_SIZE_KEPT};
use crate::config::Config;
use crate::control::{BrokenZone, Change, REPORT_ZONES_MAX, ReloadReport, Source, ZoneStatus};
use crate::zones::{self, Digest, FilePath, Input, Ticket, ZONE_SUFFIX, ZoneFile, Zones};

/// Reads zone files; what was read of them is remembered with the zones.
#[derive(Debug)]
pub(crate) struct ZoneFiles {
    /// Held by who reads.
    reading: Mutex<()>,
    seed: HashSeed,
    /// Key of the digests, so that nobody can make two texts that count as one.
    digest_key: [u64; 2],
    /// Set when the daemon stops: a reload in progress need not come to its end.
    is_stopping: AtomicBool,
}

/// Where the zones should come from, by the configuration and the directories as they are now.
#[derive(Debug, Default)]
struct Wanted {
    /// The files by the names of their zones as text, in their order.
    files: Vec<(Box<str>, FilePath)>,
    /// Directories that could not be read: what came from them stays.
    unreadable: Vec<PathBuf>,
    broken: Vec<BrokenZone>,
    notes: Vec<String>,
}

impl ZoneFiles {
    pub(crate) fn new(seed: HashSeed, digest_key: [u64; 2]) -> ZoneFiles {
        ZoneFiles { reading: Mutex::default(), seed, digest_key, is_stopping: AtomicBool::new(false) }
    }

    /// Ends a reload that is in progress after the files in hand, and any further one at once.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Relaxed);
    }

    /// Reads all files again and has `zones` serve what they say now. Blocks until all is done.
    ///
    /// Two reloads at once come one after the other.
    pub(crate) fn reload(&self, zones: &Arc<Zones>, config: &Config) -> ReloadReport {
        let _one_at_a_time = lock(&self.reading);
        let Wanted { files, unreadable, broken, notes } = Wanted::from(config);
        let tally = Mutex::new(Tally { notes, ..Tally::default() });
        broken.into_iter().for_each(|broken| lock(&tally).break_one(broken));
        for (key, file) in zones.files_other_than(files.iter().map(|(key, _)| &**key)) {
            if unreadable.iter().any(|unreadable| Some(unreadable.as_path()) == file.path.directory()) {
                file_stays(zones, &tally, &key, &file);
                continue;
            }
            match key.parse().map_or(Ok(()), |apex| zones.withdraw_file(apex)) {
                Ok(()) => {
                    tracing::info!(zone = %key, "the zone's file is gone; zone withdrawn");
                    lock(&tally).withdrawn.add(key.into());
                }
                Err(problem) => lock(&tally).notes.push(format!("{key}: {problem}")),
            }
        }
        let queue = Mutex::new(files.into_iter());
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    // Zones are read while those before them are published: a thread that waited for each would
                    // mostly sleep and wake.
                    let mut begun: VecDeque<Begun> = VecDeque::with_capacity(BEGUN_MAX);
                    while !self.is_stopping.load(Relaxed)
                        && let Some((key, path)) = lock(&queue).next()
                    {
                        begun.extend(self.begin_one(zones, &tally, key, path));
                        if begun.len() == BEGUN_MAX
                            && let Some(first) = begun.pop_front()
                        {
                            first.end(&tally);
                        }
                    }
                    begun.into_iter().for_each(|begun| begun.end(&tally));
                });
            }
        });
        tally.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).into()
    }

    /// Reads one file, if it has changed, and begins to publish its zone, if it makes one.
    fn begin_one(&self, zones: &Zones, tally: &Mutex<Tally>, key: Box<str>, path: FilePath) -> Option<Begun> {
        let place = path.of(&key);
        if let Some(before) = zones.file(&key)
            && before.path == path
            && before.digest.is_some_and(|digest| self.is_unchanged(&place, digest))
            && before.included().iter().all(|input| self.is_unchanged(&input.path, input.digest))
        {
            file_stays(zones, tally, &key, &before);
            return None;
        }
        let (mut digest, mut included) = (None, Vec::new());
        let apex = key.parse::<NameBuf>().map_err(|error| error.to_string());
        let loaded = apex.and_then(|apex| self.load(&apex, &place, &mut digest, &mut included));
        let mut file = ZoneFile::new(path, digest, included);
        match loaded {
            Ok(accepted) => Some(Begun { ticket: zones.put_file(key, file, accepted), place }),
            Err(reason) => {
                let place = place.display();
                tracing::error!(zone = %key, file = %place, %reason, "a zone file makes no zone; the one before stays");
                file.set_broken(&reason);
                match zones.put_broken_file(key.clone(), file) {
                    Ok(broken) => lock(tally).break_one(broken),
                    Err(problem) => lock(tally).notes.push(format!("{key}: {problem}")),
                }
                None
            }
        }
    }

    fn load(
        &self,
        apex: &NameBuf,
        path: &Path,
        digest: &mut Option<Digest>,
        included: &mut Vec<Input>,
    ) -> Result<Accepted, String> {
        let cannot_read = |error: io::Error| format!("cannot be read: {error}");
        let (name, seed) = (apex.as_name(), Some(self.seed));
        if fs::metadata(path).map_err(cannot_read)?.len() > TEXT_SIZE_KEPT {
            let mut text = Digested { file: open_bounded(path).map_err(cannot_read)?, hasher: self.hasher() };
            let mut read = |name: &str| self.include(path, name, included);
            let method = Method { include: Include::Read(&mut read), seed, lints: None, signatures: None };
            let zone = check::accept(name, &mut text, method).map_err(cannot_read)?;
            if let Some(zone) = zone {
                *digest = Some(digest_of(&text.hasher));
                return Ok(Accepted { zone, findings: Vec::new(), findings_left_out: 0, signed: None });
            }
            // There is something to say about it, for which the text is needed.
            included.clear();
        }
        let text = read_bounded(path).map_err(cannot_read)?;
        *digest = Some(self.digest(&text));
        let mut read = |name: &str| self.include(path, name, included);
        check::check_with(name, &text, Include::Read(&mut read), seed).map_err(|rejected| rejected.summary())
    }

    /// The text of a file that the one at `path` includes.
    fn include(&self, path: &Path, name: &str, included: &mut Vec<Input>) -> Result<Vec<u8>, String> {
        let path = path.parent().unwrap_or(Path::new("")).join(name);
        let text = read_bounded(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        included.push(Input { digest: self.digest(&text), path });
        Ok(text)
    }

    fn is_unchanged(&self, path: &Path, digest: Digest) -> bool {
        let digest_now = open_bounded(path).and_then(|file| {
            let mut text = Digested { file, hasher: self.hasher() };
            io::copy(&mut text, &mut io::sink())?;
            Ok(digest_of(&text.hasher))
        });
        digest_now.is_ok_and(|now| now == digest)
    }

    fn hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.digest_key[0], self.digest_key[1])
    }

    fn digest(&self, text: &[u8]) -> Digest {
        let mut hasher = self.hasher();
        hasher.write(text);
        digest_of(&hasher)
    }
}

fn digest_of(hasher: &SipHasher13) -> Digest {
    let octets = hasher.finish128().as_bytes();
    let (parts, _) = octets.as_chunks::<4>();
    std::array::from_fn(|i| u32::from_ne_bytes(parts[i]))
}

/// A file whose zone is on its way.
struct Begun {
    place: PathBuf,
    ticket: Ticket<ZoneStatus>,
}

impl Begun {
    /// Waits for what became of it.
    fn end(self, tally: &Mutex<Tally>) {
        let Begun { place, ticket } = self;
        let place = place.display();
        match ticket.wait() {
            Ok(ZoneStatus { zone, serial, records, change, .. }) => {
                tracing::info!(%zone, file = %place, serial, records, "zone read from its file");
                let mut tally = lock(tally);
                if change == Change::Created { tally.created.add(zone) } else { tally.replaced.add(zone) }
            }
            Err(problem) => lock(tally).notes.push(format!("{place}: {problem}")),
        }
    }
}

impl Wanted {
    fn from(config: &Config) -> Wanted {
        let mut wanted = Wanted::default();
        let zones = config.zones.iter();
        let zones = zones.map(|zone| (zones::key(zone.name.as_name()).into(), FilePath::at(zone.file.clone())));
        wanted.files.extend(zones);
        for directory in &config.zone_directories {
            if let Err(error) = wanted.add_directory(&Arc::new(directory.path.clone())) {
                let note = format!("the zone directory {} cannot be read: {error}", directory.path.display());
                tracing::error!("{note}");
                wanted.notes.push(note);
                wanted.unreadable.push(directory.path.clone());
            }
        }
        let Wanted { files, notes, .. } = &mut wanted;
        // What was added first stays first among those of one zone. One directory is in order already, and to sort takes memory.
        if !files.is_sorted_by(|(a, _), (b, _)| a <= b) {
            files.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        files.dedup_by(|(key, path), (before, kept)| {
            let is_second = key == before;
            if is_second {
                let (path, kept) = (path.of(key), kept.of(key));
                notes.push(format!(
                    "{key} is read from {} and not from {}: a [[zone]] goes before a [[zone_directory]], and what is \
                     named first before what follows",
                    kept.display(),
                    path.display()
                ));
            }
            is_second
        });
        wanted
    }

    fn add_directory(&mut self, directory: &Arc<PathBuf>) -> io::Result<()> {
        let first = self.files.len();
        for entry in fs::read_dir(&**directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((name, apex)) = name.to_str().and_then(|name| Some((name, name.strip_suffix(ZONE_SUFFIX)?)))
            else {
                continue;
            };
            // Editors put their copies beside the file under such names; "..zone" is the root.
            if apex.starts_with('.') && apex != "." {
                continue;
            }
            // A directory of that name is no zone file; what can't be looked at will fail to be read, and is reported.
            if fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()) {
                continue;
            }
            match apex.parse::<NameBuf>() {
                Ok(apex) => {
                    let key: Box<str> = zones::key(apex.as_name()).into();
                    let path = FilePath::in_directory(directory, name, &key);
                    self.files.push((key, path));
                }
                Err(error) => self.broken.push(BrokenZone {
                    zone: name.to_owned(),
                    source: Source::File(entry.path().display().to_string()),
                    still_served: false,
                    reason: format!("\"{apex}\" is not a domain name: {error}"),
                }),
            }
        }
        // A directory lists its files in no order, and may have several for one zone.
        self.files[first..]
            .sort_unstable_by(|(a, path), (b, other)| a.cmp(b).then_with(|| path.of(a).cmp(&other.of(b))));
        Ok(())
    }
}

fn file_stays(zones: &Zones, tally: &Mutex<Tally>, key: &str, file: &ZoneFile) {
    match file.broken() {
        None => lock(tally).unchanged += 1,
        Some(reason) => lock(tally).break_one(BrokenZone {
            zone: key.to_owned(),
            source: file.source(key),
            still_served: zones.is_served(key),
            reason: reason.to_owned(),
        }),
    }
}

/// What a reload has found so far.
#[derive(Debug, Default)]
struct Tally {
    created: Counted,
    replaced: Counted,
    withdrawn: Counted,
    unchanged: u64,
    broken: Vec<BrokenZone>,
    broken_count: u64,
    notes: Vec<String>,
}

/// Zones, the first of them by name.
#[derive(Debug, Default)]
struct Counted {
    names: BTreeSet<String>,
    count: u64,
}

impl Counted {
    fn add(&mut self, name: String) {
        self.count += 1;
        self.names.insert(name);
        if self.names.len() > REPORT_ZONES_MAX {
            self.names.pop_last();
        }
    }
}

impl Tally {
    fn break_one(&mut self, broken: BrokenZone) {
        self.broken_count += 1;
        if self.broken.len() < REPORT_ZONES_MAX {
            self.broken.push(broken);
        }
    }
}

impl From<Tally> for ReloadReport {
    fn from(tally: Tally) -> ReloadReport {
        let Tally { created, replaced, withdrawn, unchanged, mut broken, broken_count, notes } = tally;
        broken.sort_by(|a, b| a.zone.cmp(&b.zone));
        ReloadReport {
            created_count: created.count,
            created: created.names.into_iter().collect(),
            replaced_count: replaced.count,
            replaced: replaced.names.into_iter().collect(),
            withdrawn_count: withdrawn.count,
            withdrawn: withdrawn.names.into_iter().collect(),
            unchanged,
            broken_count,
            broken,
            notes,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Files of one thread whose zones are being published; as many hide the time that this takes.
const BEGUN_MAX: usize = 64;

/// Octets of a zone file at most: the largest top-level zones have some gigabytes as text, and the
/// zone itself has to fit in memory beside it.
const ZONE_FILE_SIZE_MAX: u64 = 4 << 30;

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    open_bounded(path)?.read_to_end(&mut text)?;
    Ok(text)
}

/// A zone file, with an error at the end of what is too large.
fn open_bounded(path: &Path) -> io::Result<Bounded> {
    let file = File::open(path)?;
    // A pipe would never end, and a device be something else each time.
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(Bounded { file, left: ZONE_FILE_SIZE_MAX })
}

/// A file that has at most so many octets.
struct Bounded {
    file: File,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.file.read(buffer)?;
        match self.left.checked_sub(size as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(format!("it is larger than {} GiB", ZONE_FILE_SIZE_MAX >> 30))),
        }
        Ok(size)
    }
}

/// A file whose digest is taken as it is read.
struct Digested {
    file: Bounded,
    hasher: SipHasher13,
}

impl Read for Digested {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.file.read(buffer)?;
        self.hasher.write(&buffer[..size]);
        Ok(size)
    }
}
