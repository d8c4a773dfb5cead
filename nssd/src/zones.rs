//! All hosted zones: where each came from, what is served of it, and the one thread that changes that.
//!
//! ```text
//! upload ──> check, build ──┐
//! upload ──> check, build ──┼──> queue ──> publisher: precondition ─> one durable commit ─> publish ─> acknowledge
//! reload ──> check, build ──┘
//! ```
//!
//! Texts are checked and built by many threads at once; changes are made by one, in the order they were queued. So two uploads of one
//! zone never mix, uploads that come together share one sync of the disk, and the disk is written before
//! the zone is served.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use nss_authority::Catalog;
use nss_wire::{Name, NameBuf};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::check::{self, Accepted, Include, Rejected};
use crate::control::{
    BrokenZone, Change, FINDINGS_MAX, Finding, Precondition, Problem, ProblemCode, Severity, Source, ZoneList,
    ZoneStatus,
};
use crate::store::{Store, StoreError, StoreErrorKind, Version, Write};

/// The hosted zones, for everybody but the queries.
#[derive(Debug)]
pub(crate) struct Zones {
    catalog: Arc<Catalog>,
    store: Store,
    index: RwLock<Index>,
    queue: mpsc::Sender<Job>,
    builds: Semaphore,
}

impl Zones {
    /// Serves what `store` holds through `catalog`, and starts the thread that makes changes.
    ///
    /// A stored zone that does not build, which only an older version can have accepted, is reported by [`Zones::broken`] and left in the store.
    /// The thread ends when the last reference to the zones is dropped.
    ///
    /// # Errors
    ///
    /// A store that can't be read.
    pub(crate) fn start(catalog: Arc<Catalog>, store: Store) -> Result<(Arc<Zones>, JoinHandle<()>), StoreError> {
        let (queue, jobs) = mpsc::channel(QUEUE_SIZE_MAX);
        let index = RwLock::new(Index { generation: store.generation()?, ..Index::default() });
        let builds = Semaphore::new(threads());
        let zones = Arc::new(Zones { catalog, store, index, queue, builds });
        zones.load()?;
        let publisher = Publisher { zones: Arc::downgrade(&zones), jobs, waiting: VecDeque::new() };
        let thread = std::thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || publisher.run())
            .expect("the system has a thread left at the start");
        Ok((zones, thread))
    }

    /// Checks and builds an uploaded text, and unless that is all that is asked for, stores and serves it.
    ///
    /// # Errors
    ///
    /// What the caller has to know, with findings when the text makes no zone.
    pub(crate) async fn put(
        self: &Arc<Zones>,
        apex: NameBuf,
        text: Bytes,
        precondition: Precondition,
        extent: Extent,
    ) -> Result<ZoneStatus, Problem> {
        // Refused before the work of building, and looked at again when it is this job's turn.
        self.index().check(&apex, &precondition)?;
        let accepted = self.build(apex.clone(), text.clone()).await?;
        match extent {
            Extent::DryRun => {
                let index = self.index();
                index.check(&apex, &precondition)?;
                Ok(index.dry_run(&apex, &accepted))
            }
            Extent::Serve => {
                self.submit(|reply| Job::Put { apex, text, accepted: Box::new(accepted), precondition, reply }).await
            }
        }
    }

    /// Withdraws an uploaded zone and deletes its text.
    ///
    /// # Errors
    ///
    /// What the caller has to know.
    pub(crate) async fn delete(&self, apex: NameBuf, precondition: Precondition) -> Result<ZoneStatus, Problem> {
        self.submit(|reply| Job::Delete { apex, precondition, reply }).await
    }

    /// The text of a zone as uploaded, with its entity tag; for a zone from a file, what is served, in canonical form.
    ///
    /// # Errors
    ///
    /// No such zone, or a store that can't be read.
    pub(crate) fn text(&self, apex: Name<'_>) -> Result<(Bytes, Option<String>), Problem> {
        let from_file = {
            let index = self.index();
            let hosted = index.zones.get(key(apex).as_str()).ok_or_else(|| not_found(apex))?;
            hosted.served.as_ref().is_some_and(|served| served.origin == Origin::File)
        };
        if from_file {
            let zone = self.catalog.get(apex).ok_or_else(|| not_found(apex))?;
            return Ok((check::canonical_text(&zone).into(), None));
        }
        match self.store.text(apex).map_err(|error| storage_problem(&error))? {
            Some((text, version)) => Ok((text, Some(etag(version.generation)))),
            None => Err(not_found(apex)),
        }
    }

    /// What is served for a zone.
    ///
    /// # Errors
    ///
    /// No such zone, or a stored text that makes no zone.
    pub(crate) fn status(&self, apex: Name<'_>) -> Result<ZoneStatus, Problem> {
        let index = self.index();
        let key = key(apex);
        let hosted = index.zones.get(key.as_str()).ok_or_else(|| not_found(apex))?;
        hosted.status(&key, Change::None).ok_or_else(|| {
            let reason = hosted.broken().unwrap_or("it is not served");
            Problem::new(ProblemCode::NotFound, format!("{key} is known, but not served: {reason}"))
        })
    }

    /// Up to `limit` served zones whose names as text follow `after`.
    pub(crate) fn list(&self, after: Option<&str>, limit: usize) -> ZoneList {
        let index = self.index();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut zones = Vec::new();
        let mut next = None;
        for (key, hosted) in index.zones.range::<str, _>((start, Bound::Unbounded)) {
            let Some(mut status) = hosted.status(key, Change::None) else { continue };
            if zones.len() == limit {
                next = zones.last().map(|last: &ZoneStatus| last.zone.clone());
                break;
            }
            status.findings.clear();
            zones.push(status);
        }
        ZoneList { zones, next }
    }

    /// The zones that are known and not served, or served in an older version, in the order of their names; the first `limit`.
    pub(crate) fn broken(&self, limit: usize) -> Vec<BrokenZone> {
        let index = self.index();
        let broken = index.broken.iter().filter_map(|key| Some((key, index.zones.get(key)?)));
        broken.filter_map(|(key, hosted)| hosted.broken_zone(key)).take(limit).collect()
    }

    /// Numbers about all zones.
    pub(crate) fn totals(&self) -> Totals {
        let index = self.index();
        Totals { generation: index.generation, ..index.totals }
    }

    /// Builds a zone on a thread for such work; as many at once as there are cores.
    async fn build(self: &Arc<Zones>, apex: NameBuf, text: Bytes) -> Result<Accepted, Problem> {
        let zones = self.clone();
        let permit = self.builds.acquire().await.map_err(|_| dropped())?;
        let built = tokio::task::spawn_blocking(move || zones.check(&apex, &text)).await;
        drop(permit);
        match built {
            Ok(result) => result.map_err(|rejected| rejected.problem()),
            Err(error) => {
                tracing::error!(%error, "building a zone panicked");
                Err(Problem::new(ProblemCode::Unknown, "this zone text triggered a bug in nssd; it was not accepted"))
            }
        }
    }

    /// Serves a zone from the operator's file, instead of an upload if there is one. Blocks.
    pub(crate) fn put_file(&self, apex: NameBuf, path: &Path, accepted: Accepted) -> Result<ZoneStatus, Problem> {
        let path = path.to_string_lossy().into();
        self.submit_blocking(|reply| Job::PutFile { apex, path, accepted: Box::new(accepted), reply })
    }

    /// Notes that the operator's file makes no zone; what is served stays. Blocks.
    pub(crate) fn put_broken_file(&self, apex: NameBuf, path: &Path, reason: &str) -> Result<BrokenZone, Problem> {
        let (path, reason) = (path.to_string_lossy().into(), reason.into());
        self.submit_blocking(|reply| Job::BreakFile { apex, path, reason, reply })
    }

    /// Withdraws a zone whose file is gone; an upload that the file went before is served again. Blocks.
    pub(crate) fn withdraw_file(&self, apex: NameBuf) -> Result<(), Problem> {
        self.submit_blocking(|reply| Job::WithdrawFile { apex, reply })
    }

    async fn submit<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(job(reply)).await.map_err(|_| dropped())?;
        answer.await.unwrap_or_else(|_| Err(dropped()))
    }

    fn submit_blocking<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Problem> {
        let (reply, answer) = oneshot::channel();
        self.queue.blocking_send(job(reply)).map_err(|_| dropped())?;
        answer.blocking_recv().unwrap_or_else(|_| Err(dropped()))
    }

    /// Builds and serves all stored zones.
    fn load(&self) -> Result<(), StoreError> {
        let mut after: Option<NameBuf> = None;
        loop {
            let page = self.store.page(after.as_ref().map(NameBuf::as_name), LOAD_PAGE_SIZE)?;
            let Some((last, ..)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            std::thread::scope(|scope| {
                for part in page.chunks(page.len().div_ceil(threads())) {
                    scope.spawn(move || {
                        for (apex, text, version) in part {
                            self.load_one(apex, text, *version);
                        }
                    });
                }
            });
        }
    }

    fn load_one(&self, apex: &NameBuf, text: &Bytes, version: Version) {
        let hosted = self.restored(apex, text, version);
        self.index_mut().set(key(apex.as_name()), hosted);
    }

    /// Serves a stored text, or says why not.
    fn restored(&self, apex: &NameBuf, text: &Bytes, version: Version) -> Hosted {
        match self.check(apex, text) {
            Ok(accepted) => {
                let served = self.publish(accepted, Origin::Upload);
                Hosted { served: Some(served), upload: Some(Upload { version, broken: None }), file: None }
            }
            Err(rejected) => {
                let reason = rejected.summary();
                tracing::error!(zone = %apex, %reason, "a stored zone no longer builds and is not served");
                let upload = Upload { version, broken: Some(reason.into()) };
                Hosted { served: None, upload: Some(upload), file: None }
            }
        }
    }

    fn check(&self, apex: &NameBuf, text: &[u8]) -> Result<Accepted, Rejected> {
        check::check_with(apex.as_name(), text, Include::Refuse, Some(self.catalog.seed()))
    }

    fn publish(&self, accepted: Accepted, origin: Origin) -> Served {
        let Accepted { zone, findings, .. } = accepted;
        let served = Served {
            origin,
            serial: zone.serial(),
            records: zone.record_count() as u64,
            memory_bytes: zone.memory_size() as u64,
            findings: findings.into(),
        };
        self.catalog.publish(Arc::new(zone));
        served
    }

    // A panic while the lock was held can't have left half a change: each change of the index is one insertion.
    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Whether a text is only checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Check and build, change nothing.
    DryRun,
    /// Check, build, store and serve.
    Serve,
}

/// Numbers about all zones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Zones served.
    pub(crate) zones: u64,
    /// Zones served that came from uploads.
    pub(crate) zones_uploaded: u64,
    /// Octets of memory that they occupy.
    pub(crate) memory_bytes: u64,
    /// The version of the last upload.
    pub(crate) generation: u64,
}

/// What is known of every zone, by name as text.
#[derive(Debug, Default)]
struct Index {
    zones: BTreeMap<Box<str>, Hosted>,
    broken: BTreeSet<Box<str>>,
    totals: Totals,
    generation: u64,
}

impl Index {
    /// Replaces what is known of a zone, and keeps the sums.
    fn set(&mut self, key: String, hosted: Hosted) {
        let key: Box<str> = key.into();
        if hosted.broken().is_some() {
            self.broken.insert(key.clone());
        } else {
            self.broken.remove(&key);
        }
        let after = hosted.totals();
        let before = if hosted.is_known() { self.zones.insert(key, hosted) } else { self.zones.remove(&key) };
        let before = before.as_ref().map_or(Totals::default(), Hosted::totals);
        let totals = &mut self.totals;
        totals.zones = totals.zones - before.zones + after.zones;
        totals.zones_uploaded = totals.zones_uploaded - before.zones_uploaded + after.zones_uploaded;
        totals.memory_bytes = totals.memory_bytes - before.memory_bytes + after.memory_bytes;
    }

    /// Whether an upload or a deletion may happen to the zone as it is now.
    fn check(&self, apex: &NameBuf, precondition: &Precondition) -> Result<(), Problem> {
        let key = key(apex.as_name());
        let hosted = self.zones.get(key.as_str());
        if let Some(file) = hosted.and_then(|hosted| hosted.file.as_ref()) {
            let detail = format!("{key} is served from the operator's file {}; change it there and reload", file.path);
            return Err(Problem::new(ProblemCode::Conflict, detail));
        }
        let upload = hosted.and_then(|hosted| hosted.upload.as_ref());
        let current = upload.map(|upload| etag(upload.version.generation));
        let detail = match (precondition, current) {
            (Precondition::None, _) | (Precondition::Exists, Some(_)) | (Precondition::Absent, None) => return Ok(()),
            (Precondition::Version(wanted), Some(current)) if *wanted == current => return Ok(()),
            (Precondition::Version(_), Some(current)) => {
                format!("{key} is in version {current} now; look at it again before you replace it")
            }
            (Precondition::Version(_) | Precondition::Exists, None) => format!("{key} is not hosted here"),
            (Precondition::Absent, Some(current)) => format!("{key} exists already, in version {current}"),
        };
        Err(Problem::new(ProblemCode::PreconditionFailed, detail))
    }

    fn dry_run(&self, apex: &NameBuf, accepted: &Accepted) -> ZoneStatus {
        let key = key(apex.as_name());
        let before = self.zones.get(key.as_str()).and_then(|hosted| hosted.served.as_ref());
        let mut findings = accepted.findings.clone();
        if let Some(finding) = before.and_then(|before| serial_finding(before.serial, accepted.zone.serial())) {
            findings.insert(0, finding);
        }
        ZoneStatus {
            zone: key,
            serial: accepted.zone.serial(),
            generation: 0,
            etag: None,
            records: accepted.zone.record_count() as u64,
            memory_bytes: accepted.zone.memory_size() as u64,
            source: Source::Upload,
            uploaded_at: None,
            change: Change::None,
            findings,
            stale: None,
        }
    }
}

/// What is known of one zone.
#[derive(Debug, Default)]
struct Hosted {
    served: Option<Served>,
    /// The operator's file that names this zone: uploads are refused as long as there is one.
    file: Option<ZoneFile>,
    /// What the store holds.
    upload: Option<Upload>,
}

#[derive(Clone, Debug)]
struct Served {
    origin: Origin,
    serial: u32,
    records: u64,
    memory_bytes: u64,
    findings: Box<[Finding]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Upload,
    File,
}

#[derive(Clone, Debug)]
struct ZoneFile {
    path: Box<str>,
    broken: Option<Box<str>>,
}

#[derive(Clone, Debug)]
struct Upload {
    version: Version,
    broken: Option<Box<str>>,
}

impl Hosted {
    fn is_known(&self) -> bool {
        self.served.is_some() || self.file.is_some() || self.upload.is_some()
    }

    fn totals(&self) -> Totals {
        let Some(served) = &self.served else { return Totals::default() };
        Totals {
            zones: 1,
            zones_uploaded: u64::from(served.origin == Origin::Upload),
            memory_bytes: served.memory_bytes,
            generation: 0,
        }
    }

    /// Why what ought to be served is not.
    fn broken(&self) -> Option<&str> {
        match (&self.file, &self.upload) {
            (Some(file), _) => file.broken.as_deref(),
            (None, Some(upload)) => upload.broken.as_deref(),
            (None, None) => None,
        }
    }

    fn broken_zone(&self, key: &str) -> Option<BrokenZone> {
        let source = self.file.as_ref().map_or(Source::Upload, |file| Source::File(file.path.as_ref().to_owned()));
        Some(BrokenZone {
            zone: key.to_owned(),
            source,
            still_served: self.served.is_some(),
            reason: self.broken()?.to_owned(),
        })
    }

    fn status(&self, key: &str, change: Change) -> Option<ZoneStatus> {
        let served = self.served.as_ref()?;
        let version = self.upload.as_ref().filter(|_| served.origin == Origin::Upload).map(|upload| upload.version);
        let source = match (served.origin, &self.file) {
            (Origin::File, Some(file)) => Source::File(file.path.as_ref().to_owned()),
            (Origin::File | Origin::Upload, _) => Source::Upload,
        };
        Some(ZoneStatus {
            zone: key.to_owned(),
            serial: served.serial,
            generation: version.map_or(0, |version| version.generation),
            etag: version.map(|version| etag(version.generation)),
            records: served.records,
            memory_bytes: served.memory_bytes,
            source,
            uploaded_at: version.map(|version| version.uploaded_at),
            change,
            findings: served.findings.to_vec(),
            stale: self.broken().map(str::to_owned),
        })
    }
}

type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// One change, in the queue of the publisher.
#[derive(Debug)]
enum Job {
    Put { apex: NameBuf, text: Bytes, accepted: Box<Accepted>, precondition: Precondition, reply: Reply<ZoneStatus> },
    Delete { apex: NameBuf, precondition: Precondition, reply: Reply<ZoneStatus> },
    PutFile { apex: NameBuf, path: Box<str>, accepted: Box<Accepted>, reply: Reply<ZoneStatus> },
    BreakFile { apex: NameBuf, path: Box<str>, reason: Box<str>, reply: Reply<BrokenZone> },
    WithdrawFile { apex: NameBuf, reply: Reply<()> },
}

/// The one thread that changes what is stored and served.
struct Publisher {
    /// Weak, so that the queue closes when everybody else is gone.
    zones: std::sync::Weak<Zones>,
    jobs: mpsc::Receiver<Job>,
    /// Taken from the queue and not done yet.
    waiting: VecDeque<Job>,
}

/// A change that goes into the next commit.
struct Planned {
    apex: NameBuf,
    /// What is published once the commit is durable; `None` withdraws.
    accepted: Option<Box<Accepted>>,
    version: Version,
    reply: Reply<ZoneStatus>,
}

impl Publisher {
    fn run(mut self) {
        loop {
            if self.waiting.is_empty() {
                match self.jobs.blocking_recv() {
                    Some(job) => self.waiting.push_back(job),
                    None => return,
                }
            }
            while self.waiting.len() < COMMIT_SIZE_MAX
                && let Ok(job) = self.jobs.try_recv()
            {
                self.waiting.push_back(job);
            }
            let Some(zones) = self.zones.upgrade() else { return };
            // Unwind safe: jobs are taken out of the queue before they are begun, and the index changes by whole entries. The callers of the
            // jobs in hand are told by their dropped channels.
            if catch_unwind(AssertUnwindSafe(|| self.work(&zones))).is_err() {
                tracing::error!("changing a zone panicked; this is a bug of nssd");
            }
        }
    }

    /// Does all uploads and deletions at the head of the queue in one commit, or one change of a file.
    fn work(&mut self, zones: &Zones) {
        let mut writes = Vec::new();
        let mut planned: Vec<Planned> = Vec::new();
        let mut octets = 0;
        let mut generation = zones.index().generation;
        while let Some(job) = self.waiting.pop_front() {
            match job {
                // What one job of a commit does to a zone is what the next job's precondition is about: it has to wait.
                Job::Put { ref apex, .. } | Job::Delete { ref apex, .. }
                    if octets > COMMIT_OCTETS_MAX || planned.iter().any(|plan| plan.apex == *apex) =>
                {
                    self.waiting.push_front(job);
                    break;
                }
                Job::Put { apex, text, accepted, precondition, reply } => {
                    if let Err(problem) = zones.index().check(&apex, &precondition) {
                        let _ = reply.send(Err(problem));
                        continue;
                    }
                    if let Some(status) = unchanged(zones, &apex, &text) {
                        let _ = reply.send(Ok(status));
                        continue;
                    }
                    generation += 1;
                    octets += text.len();
                    let version = Version { generation, uploaded_at: now() };
                    writes.push(Write::Put { apex: apex.clone(), text, version });
                    planned.push(Planned { apex, accepted: Some(accepted), version, reply });
                }
                Job::Delete { apex, precondition, reply } => {
                    let allowed = {
                        let index = zones.index();
                        let hosted = index.zones.get(key(apex.as_name()).as_str());
                        match hosted {
                            Some(hosted) if hosted.upload.is_some() || hosted.file.is_some() => {
                                index.check(&apex, &precondition)
                            }
                            _ => Err(not_found(apex.as_name())),
                        }
                    };
                    if let Err(problem) = allowed {
                        let _ = reply.send(Err(problem));
                        continue;
                    }
                    generation += 1;
                    writes.push(Write::Delete { apex: apex.clone(), generation });
                    let version = Version { generation, uploaded_at: now() };
                    planned.push(Planned { apex, accepted: None, version, reply });
                }
                Job::PutFile { .. } | Job::BreakFile { .. } | Job::WithdrawFile { .. } if !planned.is_empty() => {
                    self.waiting.push_front(job);
                    break;
                }
                Job::PutFile { apex, path, accepted, reply } => {
                    let _ = reply.send(Ok(put_file(zones, &apex, path, *accepted)));
                }
                Job::BreakFile { apex, path, reason, reply } => {
                    let _ = reply.send(Ok(break_file(zones, &apex, path, reason)));
                }
                Job::WithdrawFile { apex, reply } => {
                    let _ = reply.send(withdraw_file(zones, &apex));
                }
            }
        }
        if planned.is_empty() {
            return;
        }
        match zones.store.commit(&writes) {
            Ok(()) => {
                drop(writes);
                for plan in planned {
                    let status = carry_out(zones, &plan.apex, plan.accepted, plan.version);
                    let _ = plan.reply.send(Ok(status));
                }
            }
            Err(error) => {
                tracing::error!(%error, uploads = planned.len(), "the store refused a commit; nothing was changed");
                for plan in planned {
                    let _ = plan.reply.send(Err(storage_problem(&error)));
                }
            }
        }
    }
}

/// The status of a zone that is served with just this text already.
fn unchanged(zones: &Zones, apex: &NameBuf, text: &Bytes) -> Option<ZoneStatus> {
    let key = key(apex.as_name());
    let status = zones.index().zones.get(key.as_str())?.status(&key, Change::Unchanged)?;
    // A store that can't be read will say so when it is written to.
    let (stored, _) = zones.store.text(apex.as_name()).ok()??;
    (stored == text).then_some(status)
}

/// Makes visible what the store has made durable.
fn carry_out(zones: &Zones, apex: &NameBuf, accepted: Option<Box<Accepted>>, version: Version) -> ZoneStatus {
    let key = key(apex.as_name());
    let before = zones.index().zones.get(key.as_str()).and_then(|hosted| hosted.served.clone());
    let (hosted, status) = match accepted {
        Some(mut accepted) => {
            let change = if before.is_some() { Change::Replaced } else { Change::Created };
            if let Some(finding) = before.and_then(|before| serial_finding(before.serial, accepted.zone.serial())) {
                accepted.findings.insert(0, finding);
                accepted.findings.truncate(FINDINGS_MAX);
            }
            let served = zones.publish(*accepted, Origin::Upload);
            let hosted = Hosted { served: Some(served), file: None, upload: Some(Upload { version, broken: None }) };
            let status = hosted.status(&key, change).expect("it is served");
            tracing::info!(zone = %key, serial = status.serial, records = status.records, generation = version.generation, "zone {}", if change == Change::Created { "added" } else { "replaced" });
            (hosted, status)
        }
        None => {
            zones.catalog.withdraw(apex.as_name());
            tracing::info!(zone = %key, generation = version.generation, "zone deleted");
            let status = ZoneStatus {
                zone: key.clone(),
                serial: before.as_ref().map_or(0, |before| before.serial),
                generation: version.generation,
                etag: None,
                records: before.as_ref().map_or(0, |before| before.records),
                memory_bytes: before.as_ref().map_or(0, |before| before.memory_bytes),
                source: Source::Upload,
                uploaded_at: None,
                change: Change::Withdrawn,
                findings: Vec::new(),
                stale: None,
            };
            (Hosted::default(), status)
        }
    };
    let mut index = zones.index_mut();
    index.set(key, hosted);
    index.generation = version.generation;
    status
}

fn put_file(zones: &Zones, apex: &NameBuf, path: Box<str>, accepted: Accepted) -> ZoneStatus {
    let key = key(apex.as_name());
    let served = zones.publish(accepted, Origin::File);
    let mut index = zones.index_mut();
    let before = index.zones.get(key.as_str());
    let change = if before.is_some_and(|hosted| hosted.served.is_some()) { Change::Replaced } else { Change::Created };
    let upload = before.and_then(|hosted| hosted.upload.clone());
    let hosted = Hosted { served: Some(served), file: Some(ZoneFile { path, broken: None }), upload };
    let status = hosted.status(&key, change).expect("it is served");
    index.set(key, hosted);
    status
}

fn break_file(zones: &Zones, apex: &NameBuf, path: Box<str>, reason: Box<str>) -> BrokenZone {
    let key = key(apex.as_name());
    let mut index = zones.index_mut();
    let before = index.zones.get(key.as_str());
    let served = before.and_then(|hosted| hosted.served.clone());
    let upload = before.and_then(|hosted| hosted.upload.clone());
    let hosted = Hosted { served, file: Some(ZoneFile { path, broken: Some(reason) }), upload };
    let broken = hosted.broken_zone(&key).expect("it is broken");
    index.set(key, hosted);
    broken
}

fn withdraw_file(zones: &Zones, apex: &NameBuf) -> Result<(), Problem> {
    let key = key(apex.as_name());
    let upload = {
        let index = zones.index();
        let Some(hosted) = index.zones.get(key.as_str()).filter(|hosted| hosted.file.is_some()) else { return Ok(()) };
        hosted.upload.clone()
    };
    let stored = match upload {
        Some(_) => zones.store.text(apex.as_name()).map_err(|error| storage_problem(&error))?,
        None => None,
    };
    let hosted = match stored {
        Some((text, version)) => zones.restored(apex, &text, version),
        None => Hosted::default(),
    };
    if hosted.served.is_none() {
        zones.catalog.withdraw(apex.as_name());
    }
    zones.index_mut().set(key, hosted);
    Ok(())
}

/// A warning when secondaries will not notice that the zone has changed.
fn serial_finding(before: u32, after: u32) -> Option<Finding> {
    // RFC 1982 §3.2: the difference as a signed number says which is later.
    let grows = after.wrapping_sub(before).cast_signed() > 0;
    let message = if after == before {
        format!("the zone changes, but its serial is {after} as before: secondaries will not fetch it")
    } else {
        format!("the serial goes back from {before} to {after}: secondaries will not fetch the zone")
    };
    (!grows).then(|| Finding {
        severity: Severity::Warning,
        line: None,
        column: None,
        message,
        reference: Some("RFC 1982 §3.2".to_owned()),
        report: None,
    })
}

/// Jobs that may wait for the publisher; a caller waits when there are more.
const QUEUE_SIZE_MAX: usize = 1024;

/// Jobs in one commit at most: a sync of the disk is shared by enough of them for its cost to vanish.
const COMMIT_SIZE_MAX: usize = 256;

/// Octets of text in one commit, one text more or less: redb keeps the changed pages of a commit in memory.
const COMMIT_OCTETS_MAX: usize = 64 << 20;

/// Zones that are read from the store at once at the start.
const LOAD_PAGE_SIZE: usize = 256;

/// The name of a zone as text: lower case, with the final dot.
fn key(apex: Name<'_>) -> String {
    apex.to_lowercase().to_string()
}

fn etag(generation: u64) -> String {
    format!("\"{generation}\"")
}

fn not_found(apex: Name<'_>) -> Problem {
    Problem::new(ProblemCode::NotFound, format!("{apex} is not hosted here"))
}

fn dropped() -> Problem {
    Problem::new(
        ProblemCode::Busy,
        "the daemon is stopping, or met a bug and logged it; the call may or may not have had effect",
    )
}

fn storage_problem(error: &StoreError) -> Problem {
    let code = match error.kind() {
        StoreErrorKind::Full => ProblemCode::StorageFull,
        StoreErrorKind::Damaged | StoreErrorKind::InUse | StoreErrorKind::Failed => ProblemCode::StorageFailed,
    };
    Problem::new(code, error.to_string())
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_that_does_not_grow_is_worth_a_warning() {
        assert!(serial_finding(1, 2).is_none());
        assert!(serial_finding(u32::MAX, 0).is_none());
        assert!(serial_finding(7, 7).unwrap().message.contains("is 7 as before"));
        assert!(serial_finding(7, 6).unwrap().message.contains("from 7 to 6"));
        // Exactly half way round is not defined (RFC 1982 §3.2), and so not later.
        assert!(serial_finding(0, 0x8000_0000).is_some());
    }
}
