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

mod batch;
mod due;
mod file;
mod index;
mod load;
mod pending;
mod publisher;
mod room;

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use bytes::Bytes;
use nss_authority::{Catalog, NodeKind, Zone};
use nss_wire::{Name, NameBuf, RType};
use nss_zonefile::LintOptions;
use tokio::sync::{Semaphore, mpsc, oneshot};

use self::batch::{Delete, Put};
pub(crate) use self::file::{Digest, FilePath, Input, ZONE_SUFFIX, ZoneFile};
pub(crate) use self::index::is_newer;
use self::index::{Index, Origin, Served, etag};
use self::pending::{Admission, At, contested};
use self::publisher::{Job, Publisher, Reply};
pub(crate) use self::room::{Room, Uploads};
use crate::check::{self, Accepted, Include, Method, Rejected, SignatureOptions, Unproved};
use crate::control::{
    BrokenZone, Change, CheckReport, Claim, Cut, DsSet, Enclosing, Finding, Pin, PinChange, Precondition, Problem,
    ProblemCode, PutOptions, ZoneList, ZoneStatus,
};
use crate::store::{Signer, Store, StoreError, StoreErrorKind};

/// The hosted zones, for everybody but the queries.
#[derive(Debug)]
pub(crate) struct Zones {
    catalog: Arc<Catalog>,
    store: Store,
    index: RwLock<Index>,
    queue: mpsc::Sender<Job>,
    builds: Semaphore,
    room: Room,
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
    pub(crate) fn start(
        catalog: Arc<Catalog>,
        store: Store,
        room: Room,
    ) -> Result<(Arc<Zones>, JoinHandle<()>), StoreError> {
        let (queue, jobs) = mpsc::channel(QUEUE_SIZE_MAX);
        let index = RwLock::new(Index { generation: store.generation()?, ..Index::default() });
        let builds = Semaphore::new(threads());
        let zones = Arc::new(Zones { catalog, store, index, queue, builds, room });
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
        let text_size = text.len();
        // Refused before the work of building, and looked at again when it is this job's turn.
        let may_put = move |zones: &Zones| {
            zones.may_put(&apex, &options)?;
            zones.check_room(&apex, text_size)?;
            Ok((apex, options))
        };
        let (apex, options) = self.blocking(may_put).await?;
        let accepted = self.build(apex.clone(), text.clone()).await?;
        prove(&accepted, options.ds.as_ref())?;
        if !options.dry_run {
            let (accepted, options) = (Box::new(accepted), Box::new(options));
            return self.submit(|reply| Job::Put(Put { apex, text, accepted, options, reply })).await;
        }
        self.blocking(move |zones| zones.dry_run(&apex, text_size, &accepted, &options)).await
    }

    /// What an upload would do.
    fn dry_run(
        &self,
        apex: &NameBuf,
        text_size: usize,
        accepted: &Accepted,
        options: &PutOptions,
    ) -> Result<ZoneStatus, Problem> {
        self.check_serial(apex, accepted, options.ds.as_ref())?;
        self.check_room(apex, text_size + memory_size(accepted))?;
        match self.may_put(apex, options)? {
            Admission::Contested(_) => Err(contested(&key(apex.as_name()))),
            Admission::Proved => Ok(self.index().dry_run(apex, accepted)),
            Admission::Claimed(pending) => {
                let status = self.index().dry_run(apex, accepted);
                Ok(ZoneStatus { pending_until: Some(pending.until), ..status })
            }
        }
    }

    /// Does what reads the store on a thread for such work.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Zones>,
        work: impl FnOnce(&Zones) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let zones = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&zones)).await;
        done.unwrap_or_else(|error| {
            tracing::error!(%error, "looking at a zone panicked");
            Err(Problem::new(ProblemCode::Unknown, "this call triggered a bug in nssd; nothing was changed"))
        })
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
        let mut signers = self.store.signers(apex.as_name()).map_err(|error| storage_problem(&error))?;
        if signers.is_empty() {
            signers = self.stored_signers(apex)?;
        }
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

    /// The keys of the zone that is stored, each with its serial: who signed one of an older store was not written down. What is served by a
    /// claim proves nothing.
    fn stored_signers(&self, apex: &NameBuf) -> Result<Vec<Signer>, Problem> {
        if self.index().pending.contains_key(key(apex.as_name()).as_str()) {
            return Ok(Vec::new());
        }
        let zone = match self.catalog.get(apex.as_name()) {
            Some(zone) => Some(zone),
            // It may be parked.
            None => {
                let stored = self.store.text(apex.as_name()).map_err(|error| storage_problem(&error))?;
                stored.and_then(|(text, _)| self.check(apex, &text, None, None).ok()).map(|it| it.zone)
            }
        };
        let Some(zone) = zone else { return Ok(Vec::new()) };
        let keys = zone.rrset(apex.as_name(), RType::DNSKEY);
        Ok(keys.iter().flat_map(|keys| keys.rdatas()).map(|key| (key.into(), zone.serial())).collect())
    }

    /// Whether there is room for a zone that takes so many octets.
    fn check_room(&self, apex: &NameBuf, size: usize) -> Result<(), Problem> {
        let index = self.index();
        let around = index.claims_around(&key(apex.as_name()), At::LeftOut);
        let before: Vec<&NameBuf> = around.iter().chain([apex]).collect();
        self.room.add(&index, Uploads::default(), size as u64, &before).map(drop)
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
        self.submit(|reply| Job::Delete(Delete { apex, precondition, pin, claim, reply })).await
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
        let is_claimed = |zone: &Zone| self.index().pending.contains_key(key(zone.apex()).as_str());
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
            // What is wrong with the operator's file, and where it is, is the operator's to read, in the status of the daemon.
            let reason = match (&hosted.file, &hosted.upload) {
                (Some(_), _) => "the operator's file makes no zone",
                (None, Some(upload)) if upload.is_parked() => "it is parked: its parent delegates it elsewhere",
                (None, Some(_)) => "what is stored of it can no longer be used; upload it again",
                (None, None) => "there is nothing of it left",
            };
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

    /// How much may be uploaded.
    pub(crate) fn room(&self) -> Room {
        self.room
    }

    /// Numbers about all zones.
    pub(crate) fn totals(&self) -> Totals {
        let index = self.index();
        Totals { generation: index.generation, ..index.totals }
    }

    /// Builds a zone on a thread for such work; as many at once as there are cores.
    async fn build(self: &Arc<Zones>, apex: NameBuf, text: Bytes) -> Result<Accepted, Problem> {
        let zones = self.clone();
        let permit = self.builds.acquire().await.map_err(|_| stopping())?;
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
    /// Blocks only while too many changes wait; what became of this one is for [`Ticket::wait`] to say.
    pub(crate) fn put_file(&self, key: Box<str>, file: ZoneFile, accepted: Accepted) -> Ticket<ZoneStatus> {
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
        self.queue.send(job(reply)).await.map_err(|_| stopping())?;
        answer.await.unwrap_or_else(|_| Err(uncertain()))
    }

    fn submit_blocking<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Problem> {
        self.begin(job).wait()
    }

    fn begin<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Ticket<T> {
        let (reply, answer) = oneshot::channel();
        // A job that could not be queued is dropped, and with it the sender that the answer would come from.
        let _ = self.queue.blocking_send(job(reply));
        Ticket { answer }
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
        let memory_size = memory_size(&accepted);
        let Accepted { zone, findings, .. } = accepted;
        let served = Served {
            findings: findings.into(),
            serial: zone.serial(),
            // RECORD_COUNT_MAX is less, and a zone larger by a few octets than ZONE_SIZE_MAX is as good as that.
            records: zone.record_count() as u32,
            memory_bytes: u32::try_from(memory_size).unwrap_or(u32::MAX),
            origin,
        };
        self.catalog.publish(zone.packed());
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

/// Octets of memory that a zone takes, with what there is to say about it.
fn memory_size(accepted: &Accepted) -> usize {
    accepted.zone.memory_size() + accepted.findings.iter().map(Finding::memory_size).sum::<usize>()
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
    /// What is stored.
    pub(crate) uploads: Uploads,
}

/// Jobs that may wait for the publisher; a caller waits when there are more.
const QUEUE_SIZE_MAX: usize = 1024;

/// The name of a zone as text: lower case, with the final dot.
pub(crate) fn key(apex: Name<'_>) -> String {
    apex.to_lowercase().to_string()
}

fn not_found(apex: Name<'_>) -> Problem {
    Problem::new(ProblemCode::NotFound, format!("{apex} is not hosted here"))
}

/// A change that was asked for, and that may not be done yet.
#[derive(Debug)]
pub(crate) struct Ticket<T> {
    answer: oneshot::Receiver<Result<T, Problem>>,
}

impl<T> Ticket<T> {
    /// Blocks until the change is visible, or was refused.
    pub(crate) fn wait(self) -> Result<T, Problem> {
        self.answer.blocking_recv().unwrap_or_else(|_| Err(uncertain()))
    }
}

/// Nobody takes work any more.
fn stopping() -> Problem {
    Problem::new(ProblemCode::Busy, "the daemon is stopping; nothing was changed, try again in some seconds")
}

/// A job was taken, and nobody says what became of it.
fn uncertain() -> Problem {
    let detail = "the daemon is stopping, or met a bug and logged it; the call may or may not have had effect, so look at the zone or make it again";
    Problem::new(ProblemCode::Uncertain, detail)
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
mod tests;
