//! All hosted zones: where each came from, what is served of it, and the one thread that changes that.
//!
//! ```text
//! upload ──> check, build ──┐
//! upload ──> check, build ──┼──> queue ──> publisher: precondition ─> one durable commit ─> publish ─> acknowledge
//! reload ──> check, build ──┘
//! ```
//!
//! Texts are checked and built by many threads at once; changes are made by one, in the order they were queued. So
//! two uploads of one zone never mix, uploads that come together share one sync of the disk, and the disk is
//! written before the zone is served.

mod file;
mod index;
mod pending;
mod publisher;

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use bytes::Bytes;
use nss_authority::{Catalog, NodeKind, Zone};
use nss_wire::{Name, NameBuf, RType};
use nss_zonefile::LintOptions;
use tokio::sync::{Semaphore, mpsc, oneshot};

pub(crate) use self::file::{Digest, FilePath, Input, ZONE_SUFFIX, ZoneFile};
pub(crate) use self::index::is_newer;
use self::index::{Checked, Hosted, Index, Origin, Served, Tombstone, Upload, due_since, etag};
use self::pending::{Admission, contested};
use self::publisher::{Job, Publisher, Reply};
use crate::check::{self, Accepted, Include, Method, Rejected, SignatureOptions, Unproved};
use crate::control::{
    BrokenZone, Change, CheckReport, Claim, Cut, DsSet, DueCheck, DueChecks, Enclosing, Pin, PinChange, Precondition,
    Problem, ProblemCode, PutOptions, ZoneList, ZoneStatus,
};
use crate::store::{Store, StoreError, StoreErrorKind, Version};

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
    /// A stored zone that does not build, which only an older version can have accepted, is reported by
    /// [`Zones::broken`] and left in the store. The thread ends when the last reference to the zones is dropped.
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
        options: PutOptions,
    ) -> Result<ZoneStatus, Problem> {
        // Refused before the work of building, and looked at again when it is this job's turn.
        self.may_put(&apex, &options)?;
        let accepted = self.build(apex.clone(), text.clone()).await?;
        prove(&accepted, options.ds.as_ref())?;
        if !options.dry_run {
            let (accepted, options) = (Box::new(accepted), Box::new(options));
            return self.submit(|reply| Job::Put { apex, text, accepted, options, reply }).await;
        }
        self.check_serial(&apex, &accepted, options.ds.as_ref())?;
        match self.may_put(&apex, &options)? {
            Admission::Contested(_) => Err(contested(&key(apex.as_name()))),
            Admission::Proved => Ok(self.index().dry_run(&apex, &accepted)),
            Admission::Claimed(pending) => {
                let status = self.index().dry_run(&apex, &accepted);
                Ok(ZoneStatus { pending_until: Some(pending.until), ..status })
            }
        }
    }

    /// Whether an upload may happen to a zone as it is now.
    fn may_put(&self, apex: &NameBuf, options: &PutOptions) -> Result<Admission, Problem> {
        self.index().check(apex, &options.precondition)?;
        self.check_pin(apex, &options.pin)?;
        self.admit(apex, options.pending.as_ref())
    }

    /// Whether a zone that DS records prove is a newer one than all that were here of the same signers: an older one may be anybody's copy.
    fn check_serial(&self, apex: &NameBuf, accepted: &Accepted, ds: Option<&DsSet>) -> Result<(), Problem> {
        let Some(ds) = ds else { return Ok(()) };
        let serial = accepted.zone.serial();
        let signers = self.store.signers(apex.as_name()).map_err(|error| storage_problem(&error))?;
        for (key, last) in signers {
            let is_of = ds.iter().any(|ds| check::is_of(ds, apex.as_name(), &key));
            if is_of && !is_newer(serial, last) {
                let detail = format!(
                    "serial {serial} is not newer than {last}, which {} had already with a signer of these DS records",
                    apex.as_name()
                );
                return Err(Problem::new(ProblemCode::SerialNotNewer, detail));
            }
        }
        Ok(())
    }

    /// Withdraws an uploaded zone and deletes its text; with `claim` only if it is served by the claim with this pin.
    ///
    /// # Errors
    ///
    /// What the caller has to know.
    pub(crate) async fn delete(
        &self,
        apex: NameBuf,
        precondition: Precondition,
        pin: PinChange,
        claim: Option<Pin>,
    ) -> Result<ZoneStatus, Problem> {
        self.submit(|reply| Job::Delete { apex, precondition, pin, claim, reply }).await
    }

    /// What decides who may change the zone at `apex`, hosted or not.
    ///
    /// # Errors
    ///
    /// A store that can't be read.
    pub(crate) fn claim(&self, apex: Name<'_>) -> Result<Claim, Problem> {
        let pin = self.store.pin(apex).map_err(|error| storage_problem(&error))?;
        let check = self.store.check(apex).map_err(|error| storage_problem(&error))?;
        let pinned_at = match pin {
            Some(_) => self.store.pinned_at(apex).map_err(|error| storage_problem(&error))?.or_else(|| {
                let uploaded = self.index().zones.get(key(apex).as_str())?.upload.as_ref()?.version.uploaded_at;
                Some(uploaded)
            }),
            None => None,
        };
        let zone = key(apex);
        let pending = self.index().pending.get(zone.as_str()).cloned();
        Ok(Claim { zone, pin, pinned_at, enclosing: self.enclosing(apex), check, pending })
    }

    /// Up to `limit` uploaded zones, and pins of withdrawn ones, whose next check at the parent is due, those that wait longest first.
    ///
    /// # Errors
    ///
    /// A store that can't be read.
    pub(crate) fn due_checks(&self, now: u64, uploaded_before: u64, limit: usize) -> Result<DueChecks, Problem> {
        let mut due: Vec<(u64, Box<str>, Option<String>)> = {
            let index = self.index();
            let uploads = index.zones.iter().filter(|(_, hosted)| hosted.file.is_none());
            let uploads = uploads.filter_map(|(key, hosted)| Some((key, hosted.upload.as_ref()?)));
            let due = uploads.filter_map(|(key, upload)| {
                let since = match index.pending.get(key) {
                    Some(pending) => due_since(key, upload.checked, pending.check_at, now, now),
                    None => due_since(key, upload.checked, upload.version.uploaded_at, now, uploaded_before),
                }?;
                Some((since, key.clone(), Some(etag(upload.version.generation))))
            });
            let pins = index.tombstones.iter().filter_map(|(key, tombstone)| {
                let since = due_since(key, tombstone.checked, tombstone.since, now, uploaded_before)?;
                Some((since, key.clone(), None))
            });
            let contested = index.pending.iter().filter(|(_, pending)| pending.is_contested && pending.until <= now);
            let contested = contested.map(|(key, pending)| (pending.until, key.clone(), None));
            due.chain(pins).chain(contested).collect()
        };
        due.sort();
        due.truncate(limit);
        let mut zones = Vec::with_capacity(due.len());
        for (_, zone, etag) in due {
            let Ok(apex) = zone.parse::<NameBuf>() else { continue };
            let last = self.store.check(apex.as_name()).map_err(|error| storage_problem(&error))?;
            let pending = self.index().pending.get(&zone).cloned();
            zones.push(DueCheck { zone: zone.into(), etag, last, pending });
        }
        Ok(DueChecks { zones })
    }

    /// Writes a check at the parent down, and does what it says to the zone.
    ///
    /// # Errors
    ///
    /// A zone that was changed or checked meanwhile, and a store that can't be written.
    pub(crate) async fn report_check(&self, apex: NameBuf, report: CheckReport) -> Result<(), Problem> {
        self.submit(|reply| Job::Check { apex, report: Box::new(report), reply }).await
    }

    /// The deepest zone served above `apex`, and whether `apex` is delegated in it.
    fn enclosing(&self, apex: Name<'_>) -> Option<Enclosing> {
        let above = std::iter::successors(apex.parent(), |name| name.parent());
        // What is served by a claim alone says nothing about anybody.
        let is_claimed = |zone: &Arc<Zone>| self.index().pending.contains_key(key(zone.apex()).as_str());
        let zone = above.filter_map(|name| self.catalog.get(name)).find(|zone| !is_claimed(zone))?;
        let above = zone.apex().label_count();
        // From the zone's apex downwards: the first cut hides all below it.
        let names = (above + 1..=apex.label_count()).filter_map(|labels| apex.suffix(labels));
        let cut = names.filter(|&name| zone.node_kind(name) == Some(NodeKind::Delegation)).find_map(|name| {
            let servers = zone.rrset(name, RType::NS)?;
            let name_servers = servers.rdatas().filter_map(|rdata| Name::from_wire_exact(rdata).ok());
            let ds = zone.rrset(name, RType::DS);
            let ds = DsSet::new(ds.iter().flat_map(|ds| ds.rdatas()));
            Some(Cut { owner: key(name), name_servers: name_servers.map(key).collect(), ds })
        });
        Some(Enclosing { zone: key(zone.apex()), cut })
    }

    /// Whether the pin is what whoever asks for a change takes it to be.
    fn check_pin(&self, apex: &NameBuf, change: &PinChange) -> Result<(), Problem> {
        let Some(expected) = change.expected else { return Ok(()) };
        let pin = self.store.pin(apex.as_name()).map_err(|error| storage_problem(&error))?;
        if pin == expected {
            return Ok(());
        }
        let detail = format!("the pin of {} is not the expected one: somebody else was faster", apex.as_name());
        Err(Problem::new(ProblemCode::PinChanged, detail))
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
        index.status(&key, Change::None).ok_or_else(|| {
            let is_parked = hosted.upload.as_ref().is_some_and(|upload| upload.is_parked());
            let reason = if is_parked { "it is parked: its parent delegates it elsewhere" } else { "it is not served" };
            let reason = hosted.broken().unwrap_or(reason);
            Problem::new(ProblemCode::NotFound, format!("{key} is known, but not served: {reason}"))
        })
    }

    /// Up to `limit` served zones whose names as text follow `after`.
    pub(crate) fn list(&self, after: Option<&str>, limit: usize) -> ZoneList {
        let index = self.index();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut zones = Vec::new();
        let mut next = None;
        for (key, _) in index.zones.range::<str, _>((start, Bound::Unbounded)) {
            let Some(mut status) = index.status(key, Change::None) else { continue };
            if zones.len() == limit {
                next = zones.last().map(|last: &ZoneStatus| last.zone.clone());
                break;
            }
            status.findings.clear();
            zones.push(status);
        }
        ZoneList { zones, next }
    }

    /// The zones that are known and not served, or served in an older version, in the order of their names; the
    /// first `limit`.
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
        let built = tokio::task::spawn_blocking(move || zones.check_upload(&apex, &text)).await;
        drop(permit);
        match built {
            Ok(result) => result.map_err(|rejected| rejected.problem()),
            Err(error) => {
                tracing::error!(%error, "building a zone panicked");
                Err(Problem::new(ProblemCode::Unknown, "this zone text triggered a bug in nssd; it was not accepted"))
            }
        }
    }

    /// What was read of the file of the zone that is called `key`, if it has one.
    pub(crate) fn file(&self, key: &str) -> Option<ZoneFile> {
        self.index().zones.get(key)?.file.clone()
    }

    /// The files of all zones but the `wanted` ones, whose names as text come in their order.
    pub(crate) fn files_other_than<'k>(&self, wanted: impl Iterator<Item = &'k str>) -> Vec<(Box<str>, ZoneFile)> {
        let mut wanted = wanted.peekable();
        let index = self.index();
        let others = index.zones.iter().filter_map(|(key, hosted)| {
            while wanted.next_if(|wanted| **wanted < **key).is_some() {}
            let file = hosted.file.as_ref().filter(|_| wanted.peek() != Some(&&**key))?;
            Some((key.clone(), file.clone()))
        });
        others.collect()
    }

    /// Whether the zone that is called `key` is served.
    pub(crate) fn is_served(&self, key: &str) -> bool {
        self.index().zones.get(key).is_some_and(|hosted| hosted.served.is_some())
    }

    /// Serves a zone from the operator's file, instead of an upload if there is one.
    ///
    /// Blocks only while too many changes wait; what became of this one is for [`Pending::wait`] to say.
    pub(crate) fn put_file(&self, key: Box<str>, file: ZoneFile, accepted: Accepted) -> Pending<ZoneStatus> {
        self.begin(|reply| Job::PutFile { key, file, accepted: Box::new(accepted), reply })
    }

    /// Notes that the operator's file makes no zone; what is served stays. Blocks.
    pub(crate) fn put_broken_file(&self, key: Box<str>, file: ZoneFile) -> Result<BrokenZone, Problem> {
        self.submit_blocking(|reply| Job::BreakFile { key, file, reply })
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
        self.begin(job).wait()
    }

    fn begin<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Pending<T> {
        let (reply, answer) = oneshot::channel();
        // A job that could not be queued is dropped, and with it the sender that the answer would come from.
        let _ = self.queue.blocking_send(job(reply));
        Pending { answer }
    }

    /// Builds and serves all stored zones.
    fn load(&self) -> Result<(), StoreError> {
        for (apex, pending) in self.store.pending()? {
            self.index_mut().pending.insert(key(apex.as_name()).into(), pending);
        }
        let mut after: Option<NameBuf> = None;
        loop {
            let page = self.store.page(after.as_ref().map(NameBuf::as_name), LOAD_PAGE_SIZE)?;
            let Some((last, ..)) = page.last() else { break };
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
        for apex in self.store.pins_alone()? {
            let checked = self.store.check(apex.as_name())?.map(|check| Checked::from(&check));
            // When it was withdrawn is known until the daemon ends: then it is time for a check.
            let tombstone = Tombstone { since: 0, checked };
            self.index_mut().bury(&key(apex.as_name()), tombstone);
        }
        Ok(())
    }

    fn load_one(&self, apex: &NameBuf, text: &Bytes, version: Version) {
        let hosted = self.restored(apex, text, version);
        self.index_mut().set(key(apex.as_name()), hosted);
    }

    /// Serves a stored text, or says why not.
    fn restored(&self, apex: &NameBuf, text: &Bytes, version: Version) -> Hosted {
        // A store that can't be read here was read a moment ago, and a check that is not known is made again.
        let checked = self.store.check(apex.as_name()).ok().flatten().map(|check| Checked::from(&check));
        let upload = Some(Box::new(Upload { version, broken: None, checked }));
        if checked.is_some_and(|checked| checked.is_parked) {
            return Hosted { served: None, upload, file: None };
        }
        match self.check(apex, text, None, None) {
            Ok(accepted) => {
                let served = self.publish(accepted, Origin::Upload);
                Hosted { served: Some(served), upload, file: None }
            }
            Err(rejected) => {
                let reason = rejected.summary();
                tracing::error!(zone = %apex, %reason, "a stored zone no longer builds and is not served");
                let upload = Upload { version, broken: Some(reason.into()), checked };
                Hosted { served: None, upload: Some(Box::new(upload)), file: None }
            }
        }
    }

    /// Builds a zone; who uploads it also hears what was hardly meant, and of signatures that nobody would believe.
    fn check_upload(&self, apex: &NameBuf, text: &[u8]) -> Result<Accepted, Rejected> {
        // A machine whose clock was never set knows no time.
        let now = Some(self.store.now()).filter(|&now| now > 0);
        self.check(apex, text, Some(LintOptions { now }), now.map(SignatureOptions::of_upload))
    }

    fn check(
        &self,
        apex: &NameBuf,
        text: &[u8],
        lints: Option<LintOptions>,
        signatures: Option<SignatureOptions>,
    ) -> Result<Accepted, Rejected> {
        let method = Method { include: Include::Refuse, seed: Some(self.catalog.seed()), lints, signatures };
        check::diagnose(apex.as_name(), text, method).into_result()
    }

    fn publish(&self, accepted: Accepted, origin: Origin) -> Served {
        let Accepted { zone, findings, .. } = accepted;
        let served = Served {
            findings: findings.into(),
            serial: zone.serial(),
            // RECORD_COUNT_MAX is less, and a zone larger by a few octets than ZONE_SIZE_MAX is as good as that.
            records: zone.record_count() as u32,
            memory_bytes: u32::try_from(zone.memory_size()).unwrap_or(u32::MAX),
            origin,
        };
        self.catalog.publish(Arc::new(zone.packed()));
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
/// Whether DS records prove a zone, if there are any that have to.
fn prove(accepted: &Accepted, ds: Option<&DsSet>) -> Result<(), Problem> {
    let Some(ds) = ds else { return Ok(()) };
    let proved = accepted.signed.as_ref().ok_or(Unproved::NotSigned).and_then(|signed| signed.prove(ds.iter()));
    proved.map_err(|unproved| Problem::new(ProblemCode::NotProved, unproved.to_string()))
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

/// Jobs that may wait for the publisher; a caller waits when there are more.
const QUEUE_SIZE_MAX: usize = 1024;

/// Zones that are read from the store at once at the start.
const LOAD_PAGE_SIZE: usize = 256;

/// The name of a zone as text: lower case, with the final dot.
pub(crate) fn key(apex: Name<'_>) -> String {
    apex.to_lowercase().to_string()
}

fn not_found(apex: Name<'_>) -> Problem {
    Problem::new(ProblemCode::NotFound, format!("{apex} is not hosted here"))
}

/// A change that was asked for, and that may not be done yet.
#[derive(Debug)]
pub(crate) struct Pending<T> {
    answer: oneshot::Receiver<Result<T, Problem>>,
}

impl<T> Pending<T> {
    /// Blocks until the change is visible, or was refused.
    pub(crate) fn wait(self) -> Result<T, Problem> {
        self.answer.blocking_recv().unwrap_or_else(|_| Err(dropped()))
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use nss_authority::HashSeed;
    use proptest::prelude::*;

    use super::*;
    use crate::control::{Pending, PendingClaim};

    /// What may happen to one of a few zones.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        Upload(u32),
        /// By the key with this number.
        Claim(u8, u32),
        Delete,
        FileAppears(u32),
        FileBreaks,
        FileGoes,
        /// To all zones at once.
        Restart,
    }

    /// What the rules make of a zone: a file goes before an upload, a broken file changes nothing but refuses uploads.
    #[derive(Clone, Copy, Debug, Default)]
    struct Model {
        has_file: bool,
        is_file_broken: bool,
        upload: Option<u32>,
        served: Option<(Origin, u32)>,
        claim: Option<Claimed>,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Claimed {
        By(u8),
        Contested,
    }

    impl Model {
        fn apply(&mut self, event: Event) -> Result<(), ProblemCode> {
            match event {
                Event::Upload(_) | Event::Claim(..) | Event::Delete if self.has_file => {
                    return Err(ProblemCode::Conflict);
                }
                Event::Upload(serial) => {
                    self.upload = Some(serial);
                    self.served = Some((Origin::Upload, serial));
                    self.claim = None;
                }
                Event::Claim(key, serial) => match self.claim {
                    None if self.upload.is_some() => return Err(ProblemCode::Occupied),
                    None => {
                        (self.upload, self.claim) = (Some(serial), Some(Claimed::By(key)));
                        self.served = Some((Origin::Upload, serial));
                    }
                    Some(Claimed::By(standing)) if standing == key => {
                        self.upload = Some(serial);
                        self.served = Some((Origin::Upload, serial));
                    }
                    Some(Claimed::By(_) | Claimed::Contested) => {
                        (self.upload, self.served, self.claim) = (None, None, Some(Claimed::Contested));
                        return Err(ProblemCode::Contested);
                    }
                },
                Event::Delete if self.upload.is_none() => return Err(ProblemCode::NotFound),
                Event::Delete => *self = Model::default(),
                Event::FileAppears(serial) => {
                    if self.claim.take().is_some() {
                        self.upload = None;
                    }
                    (self.has_file, self.is_file_broken) = (true, false);
                    self.served = Some((Origin::File, serial));
                }
                Event::FileBreaks => (self.has_file, self.is_file_broken) = (true, true),
                Event::FileGoes if !self.has_file => {}
                Event::FileGoes | Event::Restart => {
                    (self.has_file, self.is_file_broken) = (false, false);
                    self.served = self.upload.map(|serial| (Origin::Upload, serial));
                }
            }
            Ok(())
        }
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => (1..9_u32).prop_map(Event::Upload),
            3 => (0..2_u8, 20..29_u32).prop_map(|(key, serial)| Event::Claim(key, serial)),
            2 => Just(Event::Delete),
            2 => (10..19_u32).prop_map(Event::FileAppears),
            1 => Just(Event::FileBreaks),
            2 => Just(Event::FileGoes),
            1 => Just(Event::Restart),
        ]
    }

    fn text(serial: u32) -> String {
        format!("$TTL 60\n@ SOA ns hostmaster {serial} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
    }

    struct Running {
        catalog: Arc<Catalog>,
        zones: Arc<Zones>,
        publisher: JoinHandle<()>,
    }

    fn start(directory: &Path) -> Running {
        let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
        let (zones, publisher) = Zones::start(catalog.clone(), Store::open(directory).unwrap()).unwrap();
        Running { catalog, zones, publisher }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn whatever_happens_a_zone_is_what_the_rules_say(
            events in proptest::collection::vec((0..3_u8, event()), 1..40),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let directory = tempfile::tempdir().unwrap();
            let mut running = start(directory.path());
            let mut models = BTreeMap::<u8, Model>::new();
            for (number, event) in events {
                let apex: NameBuf = format!("z{number}.example").parse().unwrap();
                let zones = &running.zones;
                let file = ZoneFile::new(FilePath::at("file".into()), None, Vec::new());
                let key: Box<str> = key(apex.as_name()).into();
                let result = match event {
                    Event::Upload(serial) => {
                        let put = zones.put(
                            apex.clone(),
                            text(serial).into(),
                            PutOptions::default(),
                        );
                        runtime.block_on(put).map(drop)
                    }
                    Event::Claim(key, serial) => {
                        let pending = Pending {
                            pin: Pin::from([key; 32]),
                            label: String::new(),
                            network: String::new(),
                            site: None,
                            since: 1,
                            until: 2,
                            check_at: 1,
                            is_contested: false,
                        };
                        let claim = PendingClaim { pending, zones_max: 9, zones_per_network_max: 9, zones_per_site_max: None };
                        let options = PutOptions { pending: Some(claim), ..PutOptions::default() };
                        runtime.block_on(zones.put(apex.clone(), text(serial).into(), options)).map(drop)
                    }
                    Event::Delete => {
                        let delete = zones.delete(apex.clone(), Precondition::None, PinChange::default(), None);
                        runtime.block_on(delete).map(drop)
                    },
                    Event::FileAppears(serial) => {
                        let accepted = zones.check(&apex, text(serial).as_bytes(), None, None).unwrap();
                        zones.put_file(key, file, accepted).wait().map(drop)
                    }
                    Event::FileBreaks => {
                        let mut file = file;
                        file.set_broken("it is broken");
                        zones.put_broken_file(key, file).map(drop)
                    }
                    Event::FileGoes => zones.withdraw_file(apex.clone()),
                    Event::Restart => {
                        let Running { zones, publisher, .. } = running;
                        drop(zones);
                        publisher.join().unwrap();
                        running = start(directory.path());
                        models.values_mut().for_each(|model| model.apply(Event::Restart).unwrap());
                        Ok(())
                    }
                };
                let expected = match event {
                    Event::Restart => Ok(()),
                    _ => models.entry(number).or_default().apply(event),
                };
                prop_assert_eq!(result.map_err(|problem| problem.code), expected, "{:?}", event);

                let (mut served, mut uploaded, mut broken, mut rightful) = (0, 0, 0, 0);
                for (number, model) in &models {
                    let apex: NameBuf = format!("z{number}.example").parse().unwrap();
                    let serial = model.served.map(|(_, serial)| serial);
                    let status = running.zones.status(apex.as_name()).ok();
                    prop_assert_eq!(status.as_ref().map(|status| status.serial), serial);
                    prop_assert_eq!(status.is_some_and(|status| status.stale.is_some()), serial.is_some() && model.is_file_broken);
                    prop_assert_eq!(running.catalog.get(apex.as_name()).map(|zone| zone.serial()), serial);
                    served += u64::from(serial.is_some());
                    uploaded += u64::from(matches!(model.served, Some((Origin::Upload, _))));
                    broken += usize::from(model.is_file_broken);
                    rightful += u32::from(model.has_file || (model.upload.is_some() && model.claim.is_none()));
                    prop_assert_eq!(running.zones.claim(apex.as_name()).unwrap().pending.is_some(), model.claim.is_some());
                }
                let totals = running.zones.totals();
                prop_assert_eq!((totals.zones, totals.zones_uploaded), (served, uploaded));
                prop_assert_eq!(running.zones.list(None, 10).zones.len() as u64, served);
                prop_assert_eq!(running.zones.broken(10).len(), broken);
                let counted = running.zones.index().rightful_below.get("example.").copied().unwrap_or_default();
                prop_assert_eq!(counted, rightful);
            }
        }
    }

    #[test]
    fn an_upload_whose_signatures_have_expired_since_is_served_after_a_restart() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let Running { zones, publisher, .. } = start(directory.path());
        let apex: NameBuf = "example.com".parse().unwrap();
        let expired = include_str!("../tests/signatures/nsec.zone").replace("20560101000000", "20260102000000");
        let text = Bytes::from(expired.into_bytes());
        let put = zones.put(apex.clone(), text.clone(), PutOptions::default());
        assert_eq!(runtime.block_on(put).unwrap_err().code, ProblemCode::InvalidZone);
        // As if it had been uploaded in time.
        let accepted = Box::new(zones.check(&apex, &text, None, None).unwrap());
        let options = Box::new(PutOptions::default());
        let job = |reply| Job::Put { apex: apex.clone(), text, accepted, options, reply };
        runtime.block_on(zones.submit(job)).unwrap();
        drop(zones);
        publisher.join().unwrap();
        let running = start(directory.path());
        assert_eq!(running.zones.status(apex.as_name()).unwrap().serial, 1);
        assert!(running.zones.broken(1).is_empty());
    }
}
