//! The operator's zone files: one by one (`[[zone]]`), or a directory of them (`[[zone_directory]]`).
//!
//! They are read at the start and at each reload. A file that no longer makes a zone keeps the zone that is served;
//! a file that is gone withdraws it.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use nss_authority::HashSeed;
use nss_wire::{Name, NameBuf};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::check::{self, Accepted, Include, Method, TEXT_SIZE_KEPT};
use crate::config::Config;
use crate::control::{BrokenZone, Change, ReloadReport, Source, ZoneStatus};
use crate::zones::{Pending, Zones};

/// What was read at the last reload.
#[derive(Debug)]
pub(crate) struct ZoneFiles {
    known: Mutex<BTreeMap<Apex, Known>>,
    seed: HashSeed,
    /// Key of the digests, so that nobody can make two texts that count as one.
    digest_key: [u64; 2],
    /// Set when the daemon stops: a reload in progress need not come to its end.
    is_stopping: AtomicBool,
}

/// The name of a zone as there are many of them: in lower-case wire form, and no longer than that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Apex(Box<[u8]>);

impl Apex {
    fn new(name: &NameBuf) -> Apex {
        Apex(name.as_name().to_lowercase().as_name().as_wire().into())
    }

    fn name(&self) -> NameBuf {
        Name::from_wire_exact(&self.0).expect("an apex is made of a name").to_buf()
    }
}

/// What is known of one zone file.
#[derive(Debug)]
struct Known {
    /// Shared with the index of zones.
    path: Arc<Path>,
    /// Of its text as it was read; `None` if it could not be.
    digest: Option<Digest>,
    /// The files that it includes.
    included: Box<[Input]>,
    /// Why it makes no zone.
    broken: Option<Box<str>>,
}

/// A digest, in halves so that it needs no more room than they do.
type Digest = [u64; 2];

/// One file as it was read.
#[derive(Debug, PartialEq, Eq)]
struct Input {
    path: PathBuf,
    digest: Digest,
}

/// Where the zones should come from, by the configuration and the directories as they are now.
#[derive(Debug, Default)]
struct Wanted {
    files: BTreeMap<Apex, Arc<Path>>,
    /// Directories that could not be read: what came from them stays.
    unreadable: Vec<PathBuf>,
    broken: Vec<BrokenZone>,
    notes: Vec<String>,
}

impl ZoneFiles {
    pub(crate) fn new(seed: HashSeed, digest_key: [u64; 2]) -> ZoneFiles {
        ZoneFiles { known: Mutex::default(), seed, digest_key, is_stopping: AtomicBool::new(false) }
    }

    /// Ends a reload that is in progress after the files in hand, and any further one at once.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Relaxed);
    }

    /// Reads all files again and has `zones` serve what they say now. Blocks until all is done.
    ///
    /// Two reloads at once come one after the other.
    pub(crate) fn reload(&self, zones: &Arc<Zones>, config: &Config) -> ReloadReport {
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let wanted = Wanted::from(config);
        let report = Mutex::new(ReloadReport { notes: wanted.notes, broken: wanted.broken, ..ReloadReport::default() });
        let before = std::mem::take(&mut *known);
        let (mut kept, mut gone) = (BTreeMap::new(), Vec::new());
        for (apex, known) in before {
            let directory = known.path.parent();
            if wanted.files.contains_key(&apex) {
                kept.insert(apex, known);
            } else if wanted.unreadable.iter().any(|unreadable| Some(unreadable.as_path()) == directory) {
                known_stays(zones, &report, &apex, &known);
                kept.insert(apex, known);
            } else {
                gone.push(apex);
            }
        }
        for apex in gone.iter().map(Apex::name) {
            match zones.withdraw_file(apex.clone()) {
                Ok(()) => {
                    tracing::info!(zone = %apex, "the zone's file is gone; zone withdrawn");
                    lock(&report).withdrawn.push(apex.to_string());
                }
                Err(problem) => lock(&report).notes.push(format!("{apex}: {problem}")),
            }
        }
        let queue = Mutex::new(wanted.files.into_iter());
        let (kept, results) = (Mutex::new(kept), Mutex::new(Vec::new()));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    // Zones are read while those before them are published: a thread that waited for each would
                    // mostly sleep and wake.
                    let mut begun = VecDeque::with_capacity(BEGUN_MAX);
                    let end = |begun: Begun| {
                        let (apex, known) = begun.end(zones, &report);
                        lock(&results).push((apex, known));
                    };
                    while !self.is_stopping.load(Relaxed)
                        && let Some((apex, path)) = lock(&queue).next()
                    {
                        let before = lock(&kept).remove(&apex);
                        begun.push_back(self.begin_one(zones, apex, path, before));
                        if begun.len() == BEGUN_MAX {
                            begun.pop_front().map(end);
                        }
                    }
                    begun.into_iter().for_each(end);
                });
            }
        });
        let results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        let kept = kept.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        // A tree that is made at once has no nodes that are half empty.
        *known = results.into_iter().chain(kept).collect();
        let mut report = report.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        report.created.sort();
        report.replaced.sort();
        report.broken.sort_by(|a, b| a.zone.cmp(&b.zone));
        report
    }

    /// Reads one file, if it has changed, and begins to publish its zone.
    fn begin_one(&self, zones: &Zones, apex: Apex, path: Arc<Path>, before: Option<Known>) -> Begun {
        if let Some(before) = before
            && before.path == path
            && before.digest.is_some_and(|digest| self.is_unchanged(&path, digest))
            && before.included.iter().all(|input| self.is_unchanged(&input.path, input.digest))
        {
            return Begun { apex, known: before, published: None };
        }
        let name = apex.name();
        let (mut digest, mut included) = (None, Vec::new());
        let loaded = self.load(&name, &path, &mut digest, &mut included);
        let published = loaded.map(|accepted| zones.put_file(name, &path, accepted));
        let known = Known { path, digest, included: included.into(), broken: None };
        Begun { apex, known, published: Some(published) }
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
                *digest = Some(halves(text.hasher));
                return Ok(Accepted { zone, findings: Vec::new(), findings_left_out: 0 });
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
            Ok(halves(text.hasher))
        });
        digest_now.is_ok_and(|now| now == digest)
    }

    fn hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.digest_key[0], self.digest_key[1])
    }

    fn digest(&self, text: &[u8]) -> Digest {
        let mut hasher = self.hasher();
        hasher.write(text);
        halves(hasher)
    }
}

fn halves(hasher: SipHasher13) -> Digest {
    let digest = hasher.finish128();
    [digest.h1, digest.h2]
}

/// A file that was looked at.
struct Begun {
    apex: Apex,
    known: Known,
    /// Its zone on the way, or why it makes none; `None` if the file is as it was.
    published: Option<Result<Pending<ZoneStatus>, String>>,
}

impl Begun {
    /// Waits for what became of it, and reports it.
    fn end(self, zones: &Zones, report: &Mutex<ReloadReport>) -> (Apex, Known) {
        let Begun { apex, mut known, published } = self;
        let Some(published) = published else {
            known_stays(zones, report, &apex, &known);
            return (apex, known);
        };
        let (name, file) = (apex.name(), known.path.display());
        match published.and_then(|pending| pending.wait().map_err(|problem| problem.to_string())) {
            Ok(status) => {
                let (serial, records) = (status.serial, status.records);
                tracing::info!(zone = %name, %file, serial, records, "zone read from its file");
                let mut report = lock(report);
                let list = if status.change == Change::Created { &mut report.created } else { &mut report.replaced };
                list.push(status.zone);
            }
            Err(reason) => {
                tracing::error!(zone = %name, %file, %reason, "a zone file makes no zone; the one before stays");
                match zones.put_broken_file(name.clone(), &known.path, &reason) {
                    Ok(broken) => lock(report).broken.push(broken),
                    Err(problem) => lock(report).notes.push(format!("{name}: {problem}")),
                }
                known.broken = Some(reason.into());
            }
        }
        (apex, known)
    }
}

impl Wanted {
    fn from(config: &Config) -> Wanted {
        let mut wanted = Wanted::default();
        for directory in &config.zone_directories {
            if let Err(error) = wanted.add_directory(&directory.path) {
                let note = format!("the zone directory {} cannot be read: {error}", directory.path.display());
                tracing::error!("{note}");
                wanted.notes.push(note);
                wanted.unreadable.push(directory.path.clone());
            }
        }
        for zone in &config.zones {
            if let Some(other) = wanted.files.insert(Apex::new(&zone.name), zone.file.as_path().into()) {
                wanted.notes.push(format!(
                    "{} is read from {} and not from {}: a [[zone]] goes before a [[zone_directory]]",
                    zone.name,
                    zone.file.display(),
                    other.display()
                ));
            }
        }
        wanted
    }

    fn add_directory(&mut self, directory: &Path) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let Some(apex) = name.strip_suffix(ZONE_SUFFIX) else { continue };
            // Editors put their copies beside the file under such names; "..zone" is the root.
            if apex.starts_with('.') && apex != "." {
                continue;
            }
            // A directory of that name is no zone file; what can't be looked at will fail to be read, and is reported.
            if fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
                continue;
            }
            match apex.parse::<NameBuf>() {
                Ok(name) => {
                    let apex = Apex::new(&name);
                    if let Some(other) = self.files.get(&apex) {
                        let note = format!("{name} is read from {} and not from {}", other.display(), path.display());
                        self.notes.push(note);
                    } else {
                        self.files.insert(apex, path.into());
                    }
                }
                Err(error) => self.broken.push(BrokenZone {
                    zone: name.to_owned(),
                    source: Source::File(path.display().to_string()),
                    still_served: false,
                    reason: format!("\"{apex}\" is not a domain name: {error}"),
                }),
            }
        }
        Ok(())
    }
}

fn known_stays(zones: &Zones, report: &Mutex<ReloadReport>, apex: &Apex, known: &Known) {
    match &known.broken {
        None => lock(report).unchanged += 1,
        Some(reason) => lock(report).broken.push(BrokenZone {
            zone: apex.name().to_string(),
            source: Source::File(known.path.display().to_string()),
            still_served: zones.status(apex.name().as_name()).is_ok(),
            reason: reason.to_string(),
        }),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Files of one thread whose zones are being published; as many hide the time that this takes.
const BEGUN_MAX: usize = 64;

const ZONE_SUFFIX: &str = ".zone";

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
