//! The one thread that changes what is stored and served.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nss_wire::NameBuf;
use tokio::sync::{mpsc, oneshot};

use super::batch::{Batch, Delete, OnceDurable, Put};
use super::file::ZoneFile;
use super::index::{Checked, Hosted, Index, Origin, Upload, serial_finding};
use super::pending::{At, contested};
use super::{Zones, key, storage_problem};
use crate::check::Accepted;
use crate::control::{
    BrokenZone, Change, CheckAction, CheckReport, FINDINGS_MAX, Precondition, Problem, ProblemCode, Source, ZoneStatus,
};
use crate::store::Write;

pub(super) type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// One change, in the queue of the publisher.
#[derive(Debug)]
pub(super) enum Job {
    Put(Put),
    Delete(Delete),
    Check { apex: NameBuf, report: Box<CheckReport>, reply: Reply<()> },
    PutFile { key: Box<str>, file: ZoneFile, accepted: Box<Accepted>, reply: Reply<ZoneStatus> },
    BreakFile { key: Box<str>, file: ZoneFile, reply: Reply<BrokenZone> },
    WithdrawFile { apex: NameBuf, reply: Reply<()> },
}

/// The one thread that changes what is stored and served.
pub(super) struct Publisher {
    /// Weak, so that the queue closes when everybody else is gone.
    pub(super) zones: std::sync::Weak<Zones>,
    pub(super) jobs: mpsc::Receiver<Job>,
    /// Taken from the queue and not done yet.
    pub(super) waiting: VecDeque<Job>,
}

impl Publisher {
    pub(super) fn run(mut self) {
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
            // Unwind safe: jobs are taken out of the queue before they are begun, and the index changes by whole
            // entries. The callers of the jobs in hand are told by their dropped channels.
            if catch_unwind(AssertUnwindSafe(|| self.work(&zones))).is_err() {
                tracing::error!("changing a zone panicked; this is a bug of nssd");
            }
        }
    }

    /// Does all uploads and deletions at the head of the queue in one commit, or one change of a file.
    pub(super) fn work(&mut self, zones: &Zones) {
        let mut batch = Batch::new(zones);
        while let Some(job) = self.waiting.pop_front() {
            let wait = match job {
                Job::Put(put) => batch.put(put).map(Job::Put),
                Job::Delete(delete) => batch.delete(delete).map(Job::Delete),
                Job::Check { .. } | Job::PutFile { .. } | Job::BreakFile { .. } | Job::WithdrawFile { .. }
                    if !batch.is_empty() =>
                {
                    Some(job)
                }
                Job::Check { apex, report, reply } => {
                    let _ = reply.send(write_check(zones, &apex, *report));
                    // What is planned from now on counts from the generation that this one may have changed.
                    batch = Batch::new(zones);
                    None
                }
                Job::PutFile { key, file, accepted, reply } => {
                    let _ = reply.send(Ok(put_file(zones, key, file, *accepted)));
                    // Claims that gave way to the file count as a change.
                    batch = Batch::new(zones);
                    None
                }
                Job::BreakFile { key, file, reply } => {
                    let _ = reply.send(Ok(break_file(zones, key, file)));
                    None
                }
                Job::WithdrawFile { apex, reply } => {
                    let _ = reply.send(withdraw_file(zones, &apex));
                    None
                }
            };
            if let Some(job) = wait {
                self.waiting.push_front(job);
                break;
            }
        }
        batch.commit();
    }
}

/// Makes visible what the store has made durable.
pub(super) fn carry_out(zones: &Zones, apex: &NameBuf, change: OnceDurable) -> Result<ZoneStatus, Problem> {
    let key = key(apex.as_name());
    let before = zones.index().zones.get(key.as_str()).and_then(|hosted| hosted.served.clone());
    let (hosted, claim, status, generation) = match change {
        OnceDurable::Keep { status, forgets_check } => {
            let mut index = zones.index_mut();
            let hosted = index.zones.get_mut(key.as_str()).filter(|_| forgets_check);
            if let Some(upload) = hosted.and_then(|hosted| hosted.upload.as_mut()) {
                upload.checked = None;
            }
            return Ok(status);
        }
        OnceDurable::Contest(version, pending) => {
            zones.catalog.withdraw(apex.as_name());
            tracing::info!(zone = %key, generation = version.generation, "two keys claim a zone, and neither is served");
            (Hosted::default(), Some(pending), Err(contested(&key)), version.generation)
        }
        OnceDurable::Publish { mut accepted, text_size, version, claim, ended } => {
            zones.forget_claims(&ended);
            let change = if before.is_some() { Change::Replaced } else { Change::Created };
            if let Some(finding) = before.and_then(|before| serial_finding(before.serial, accepted.zone.serial())) {
                accepted.findings.insert(0, finding);
                accepted.findings.truncate(FINDINGS_MAX);
            }
            let served = zones.publish(*accepted, Origin::Upload);
            let hosted = Hosted {
                served: Some(served),
                file: None,
                upload: Some(Box::new(Upload::new(version, text_size, None))),
            };
            let pending_until = claim.as_ref().map(|pending| pending.until);
            let status = hosted.status(&key, change).expect("it is served");
            let status = ZoneStatus { pending_until, ..status };
            let what = if change == Change::Created { "zone added" } else { "zone replaced" };
            let (serial, records) = (status.serial, status.records);
            tracing::info!(zone = %key, serial, records, pending_until, generation = version.generation, "{what}");
            (hosted, claim, Ok(status), version.generation)
        }
        OnceDurable::Withdraw(version) => {
            zones.catalog.withdraw(apex.as_name());
            tracing::info!(zone = %key, generation = version.generation, "zone deleted");
            let status = ZoneStatus {
                zone: key.clone(),
                serial: before.as_ref().map_or(0, |before| before.serial),
                generation: version.generation,
                etag: None,
                records: before.as_ref().map_or(0, |before| before.records.into()),
                memory_bytes: before.as_ref().map_or(0, |before| before.memory_bytes.into()),
                source: Source::Upload,
                uploaded_at: None,
                pending_until: None,
                change: Change::Withdrawn,
                findings: Vec::new(),
                stale: None,
            };
            (Hosted::default(), None, Ok(status), version.generation)
        }
    };
    match &hosted.upload {
        Some(_) => zones.index_mut().unbury(&key),
        None => zones.bury(apex),
    }
    let mut index = zones.index_mut();
    index.set_claimed(key, hosted, claim.map(|claim| *claim));
    index.generation = generation;
    status
}

/// Writes a check down and parks or purges the zone; checks are rare, so that each has a commit of its own.
fn write_check(zones: &Zones, apex: &NameBuf, report: CheckReport) -> Result<(), Problem> {
    let CheckReport { etag, follows, check, action } = report;
    let key = key(apex.as_name());
    let checked = Checked::from(&check);
    let overtaken = || {
        let detail = format!("{key} was changed or checked by somebody else meanwhile");
        Problem::new(ProblemCode::PreconditionFailed, detail)
    };
    let (upload, before, generation) = {
        let index = zones.index();
        let generation = index.generation + 1;
        match etag {
            Some(etag) => {
                index.check(apex, &Precondition::Version(etag))?;
                let upload = index.zones.get(key.as_str()).and_then(|hosted| hosted.upload.as_ref());
                let upload = upload.ok_or_else(overtaken)?;
                (Some(upload.clone()), upload.checked, generation)
            }
            None => match index.tombstones.get(key.as_str()) {
                Some(tombstone) => (None, tombstone.checked, generation),
                // Of contested claims only the end is written down.
                None if is_contested(&index, &key) && action == CheckAction::Purge => (None, None, generation),
                None => return Err(overtaken()),
            },
        }
    };
    if before.map(|before| before.at) != follows {
        return Err(overtaken());
    }
    let is_claim = zones.index().pending.contains_key(key.as_str());
    let write = match action {
        CheckAction::Keep | CheckAction::Park => Write::Check { apex: apex.clone(), check },
        // A pin was there before the claim, and nothing is known against it.
        CheckAction::Purge if is_claim => Write::Delete { apex: apex.clone(), generation, pin: None },
        CheckAction::Purge => Write::Purge { apex: apex.clone(), generation },
        CheckAction::Activate => {
            let pin = zones.index().pending.get(key.as_str()).map(|pending| pending.pin).ok_or_else(overtaken)?;
            Write::Activate { apex: apex.clone(), pin, check }
        }
    };
    zones.store.commit(&[write]).map_err(|error| storage_problem(&error))?;
    match (action, upload) {
        (CheckAction::Keep | CheckAction::Park, None) => {
            if let Some(tombstone) = zones.index_mut().tombstones.get_mut(key.as_str()) {
                tombstone.checked = Some(checked);
            }
        }
        (CheckAction::Activate, upload) => {
            tracing::info!(zone = %key, "a pending zone is active: its parent names its key");
            let mut index = zones.index_mut();
            let upload = upload.map(|upload| Box::new(upload.after(checked)));
            let served = index.zones.get(key.as_str()).and_then(|hosted| hosted.served.clone());
            index.set_claimed(key.clone(), Hosted { served, upload, ..Hosted::default() }, None);
            let around = index.claims_around(&key, At::LeftOut);
            drop(index);
            zones.end_claims(&around);
        }
        (CheckAction::Keep, Some(_)) => {
            let mut index = zones.index_mut();
            let upload = index.zones.get_mut(key.as_str()).and_then(|hosted| hosted.upload.as_mut());
            if let Some(upload) = upload {
                upload.checked = Some(checked);
            }
        }
        (CheckAction::Park, Some(upload)) => {
            zones.catalog.withdraw(apex.as_name());
            tracing::info!(zone = %key, "zone parked: its parent delegates it elsewhere");
            let upload = Some(Box::new(upload.after(checked)));
            zones.index_mut().set(key, Hosted { upload, ..Hosted::default() });
        }
        (CheckAction::Purge, upload) => {
            tracing::info!(zone = %key, generation, "zone purged: its parent does not delegate it here");
            let mut index = zones.index_mut();
            index.unbury(&key);
            index.generation = generation;
            match upload {
                Some(_) => {
                    index.set_claimed(key, Hosted::default(), None);
                    drop(index);
                    zones.catalog.withdraw(apex.as_name());
                }
                // A pin alone, or contested claims; a file of the operator's may stand beside it, which stays.
                None => {
                    index.pending.remove(key.as_str());
                    drop(index);
                }
            }
            if is_claim {
                zones.bury(apex);
            }
        }
    }
    Ok(())
}

fn is_contested(index: &Index, key: &str) -> bool {
    index.pending.get(key).is_some_and(|pending| pending.is_contested)
}

fn put_file(zones: &Zones, key: Box<str>, file: ZoneFile, accepted: Accepted) -> ZoneStatus {
    let around = zones.index().claims_around(&key, At::Included);
    zones.end_claims(&around);
    let served = zones.publish(accepted, Origin::File);
    let mut index = zones.index_mut();
    let before = index.zones.get(&key);
    let change = if before.is_some_and(|hosted| hosted.served.is_some()) { Change::Replaced } else { Change::Created };
    let upload = before.and_then(|hosted| hosted.upload.clone());
    let hosted = Hosted { served: Some(served), file: Some(file), upload };
    let status = hosted.status(&key, change).expect("it is served");
    index.set(key, hosted);
    status
}

fn break_file(zones: &Zones, key: Box<str>, file: ZoneFile) -> BrokenZone {
    let mut index = zones.index_mut();
    let before = index.zones.get(&key);
    let served = before.and_then(|hosted| hosted.served.clone());
    let upload = before.and_then(|hosted| hosted.upload.clone());
    let hosted = Hosted { served, file: Some(file), upload };
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

/// Jobs in one commit at most: a sync of the disk is shared by enough of them for its cost to vanish.
const COMMIT_SIZE_MAX: usize = 256;
