//! The one thread that changes what is stored and served.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use nss_wire::NameBuf;
use tokio::sync::{mpsc, oneshot};

use super::file::ZoneFile;
use super::index::{Checked, Hosted, Index, Origin, Tombstone, Upload, serial_finding};
use super::pending::{Admission, At, contested};
use super::{Zones, key, not_found, storage_problem};
use crate::check::Accepted;
use crate::control::{
    BrokenZone, Change, CheckAction, CheckReport, FINDINGS_MAX, Pending, Pin, PinChange, Precondition, Problem,
    ProblemCode, PutOptions, Source, ZoneStatus,
};
use crate::store::{Signers, Version, Write};

pub(super) type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// One change, in the queue of the publisher.
#[derive(Debug)]
pub(super) enum Job {
    Put { apex: NameBuf, text: Bytes, accepted: Box<Accepted>, options: Box<PutOptions>, reply: Reply<ZoneStatus> },
    Delete { apex: NameBuf, precondition: Precondition, pin: PinChange, claim: Option<Pin>, reply: Reply<ZoneStatus> },
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

/// A change that goes into the next commit.
struct Planned {
    apex: NameBuf,
    once_durable: OnceDurable,
    reply: Reply<ZoneStatus>,
}

/// What happens to a zone once the commit is durable.
enum OnceDurable {
    Publish {
        accepted: Box<Accepted>,
        version: Version,
        /// The claim that it is served by, if it is by one.
        claim: Option<Box<Pending>>,
        /// Claims around it, which end.
        ended: Vec<NameBuf>,
    },
    Withdraw(Version),
    Contest(Version, Box<Pending>),
    /// Only what is stored beside the zone has changed.
    Nothing(ZoneStatus),
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
                // Claims are counted, and what is around them looked at, when all that came before is done.
                Job::Put { ref options, .. } if options.pending.is_some() && !planned.is_empty() => {
                    self.waiting.push_front(job);
                    break;
                }
                Job::Put { apex, text, accepted, options, reply } => {
                    let claim = match zones.may_put(&apex, &options) {
                        Ok(Admission::Proved) => None,
                        Ok(Admission::Claimed(pending)) => Some(Box::new(pending)),
                        Ok(Admission::Contested(pending)) => {
                            generation += 1;
                            let version = Version { generation, uploaded_at: zones.store.now() };
                            writes.push(Write::Contest { apex: apex.clone(), pending: pending.clone(), generation });
                            let once_durable = OnceDurable::Contest(version, Box::new(pending));
                            planned.push(Planned { apex, once_durable, reply });
                            break;
                        }
                        Err(problem) => {
                            let _ = reply.send(Err(problem));
                            continue;
                        }
                    };
                    let pin = options.pin;
                    let is_claimed = zones.index().pending.contains_key(key(apex.as_name()).as_str());
                    if is_claimed == claim.is_some()
                        && let Some(status) = unchanged(zones, &apex, &text)
                    {
                        // Anybody can send what everybody can get: it is no reason to change a pin that DS records prove it.
                        let set = pin.set.filter(|_| options.ds.is_none());
                        match set.filter(|&pin| zones.store.pin(apex.as_name()).ok().flatten() != Some(pin)) {
                            Some(pin) => {
                                writes.push(Write::SetPin { apex: apex.clone(), pin });
                                planned.push(Planned { apex, once_durable: OnceDurable::Nothing(status), reply });
                            }
                            None => {
                                let _ = reply.send(Ok(status));
                            }
                        }
                        continue;
                    }
                    if let Err(problem) = zones.check_serial(&apex, &accepted, options.ds.as_ref()) {
                        let _ = reply.send(Err(problem));
                        continue;
                    }
                    generation += 1;
                    octets += text.len();
                    let version = Version { generation, uploaded_at: zones.store.now() };
                    let ended = match claim {
                        Some(_) => Vec::new(),
                        None => zones.index().claims_around(&key(apex.as_name()), At::LeftOut),
                    };
                    writes.extend(ended.iter().map(|apex| Write::Purge { apex: apex.clone(), generation }));
                    let pending = claim.as_deref().cloned();
                    // A claim proves nothing, and so must not stand in the way of what is proved.
                    let signed = accepted.signed.as_ref().filter(|_| claim.is_none());
                    let signers = signed.map(|signed| signed.entry_keys().map(Box::from).collect());
                    let serial = accepted.zone.serial();
                    let signers = Signers { keys: signers.unwrap_or_default(), serial };
                    writes.push(Write::Put { apex: apex.clone(), text, version, pin: pin.set, pending, signers });
                    let is_claim = claim.is_some();
                    planned.push(Planned {
                        apex,
                        once_durable: OnceDurable::Publish { accepted, version, claim, ended },
                        reply,
                    });
                    if is_claim {
                        break;
                    }
                }
                Job::Delete { apex, precondition, pin, claim, reply } => {
                    let allowed = {
                        let index = zones.index();
                        let pending = index.pending.get(key(apex.as_name()).as_str());
                        let is_of_claim = claim.is_none() || claim == pending.map(|pending| pending.pin);
                        let hosted = index.zones.get(key(apex.as_name()).as_str());
                        match hosted {
                            Some(hosted) if hosted.upload.is_some() || hosted.file.is_some() => match is_of_claim {
                                true => index.check(&apex, &precondition),
                                false => {
                                    let detail = format!("{} is not served by this claim", apex.as_name());
                                    Err(Problem::new(ProblemCode::PinChanged, detail))
                                }
                            },
                            _ => Err(not_found(apex.as_name())),
                        }
                    };
                    if let Err(problem) = allowed.and_then(|()| zones.check_pin(&apex, &pin)) {
                        let _ = reply.send(Err(problem));
                        continue;
                    }
                    generation += 1;
                    writes.push(Write::Delete { apex: apex.clone(), generation, pin: pin.set });
                    let version = Version { generation, uploaded_at: zones.store.now() };
                    planned.push(Planned { apex, once_durable: OnceDurable::Withdraw(version), reply });
                }
                Job::Check { .. } | Job::PutFile { .. } | Job::BreakFile { .. } | Job::WithdrawFile { .. }
                    if !planned.is_empty() =>
                {
                    self.waiting.push_front(job);
                    break;
                }
                Job::Check { apex, report, reply } => {
                    let result = write_check(zones, &apex, *report);
                    // What is planned from now on counts from the generation that this one may have changed.
                    generation = zones.index().generation;
                    let _ = reply.send(result);
                }
                Job::PutFile { key, file, accepted, reply } => {
                    let status = put_file(zones, key, file, *accepted);
                    // Claims that gave way to the file count as a change.
                    generation = zones.index().generation;
                    let _ = reply.send(Ok(status));
                }
                Job::BreakFile { key, file, reply } => {
                    let _ = reply.send(Ok(break_file(zones, key, file)));
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
                    let _ = plan.reply.send(carry_out(zones, &plan.apex, plan.once_durable));
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
    let status = zones.index().status(&key, Change::Unchanged)?;
    // A store that can't be read will say so when it is written to.
    let (stored, _) = zones.store.text(apex.as_name()).ok()??;
    (stored == text).then_some(status)
}

/// Makes visible what the store has made durable.
fn carry_out(zones: &Zones, apex: &NameBuf, change: OnceDurable) -> Result<ZoneStatus, Problem> {
    let key = key(apex.as_name());
    let before = zones.index().zones.get(key.as_str()).and_then(|hosted| hosted.served.clone());
    let (hosted, claim, status, generation) = match change {
        OnceDurable::Nothing(status) => return Ok(status),
        OnceDurable::Contest(version, pending) => {
            zones.catalog.withdraw(apex.as_name());
            tracing::info!(zone = %key, generation = version.generation, "two keys claim a zone, and neither is served");
            (Hosted::default(), Some(pending), Err(contested(&key)), version.generation)
        }
        OnceDurable::Publish { mut accepted, version, claim, ended } => {
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
                upload: Some(Box::new(Upload { version, broken: None, checked: None })),
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
    let is_gone = hosted.upload.is_none();
    let has_pin = is_gone && zones.store.pin(apex.as_name()).ok().flatten().is_some();
    let mut index = zones.index_mut();
    match has_pin {
        true => index.bury(&key, Tombstone { since: zones.store.now(), checked: None }),
        false => index.unbury(&key),
    }
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
    let (version, before, generation) = {
        let index = zones.index();
        let generation = index.generation + 1;
        match etag {
            Some(etag) => {
                index.check(apex, &Precondition::Version(etag))?;
                let upload = index.zones.get(key.as_str()).and_then(|hosted| hosted.upload.as_ref());
                let upload = upload.ok_or_else(overtaken)?;
                (Some(upload.version), upload.checked, generation)
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
    let write = match action {
        CheckAction::Keep | CheckAction::Park => Write::Check { apex: apex.clone(), check },
        CheckAction::Purge => Write::Purge { apex: apex.clone(), generation },
        CheckAction::Activate => {
            let pin = zones.index().pending.get(key.as_str()).map(|pending| pending.pin).ok_or_else(overtaken)?;
            Write::Activate { apex: apex.clone(), pin, check }
        }
    };
    zones.store.commit(&[write]).map_err(|error| storage_problem(&error))?;
    match (action, version) {
        (CheckAction::Keep | CheckAction::Park, None) => {
            if let Some(tombstone) = zones.index_mut().tombstones.get_mut(key.as_str()) {
                tombstone.checked = Some(checked);
            }
        }
        (CheckAction::Activate, _) => {
            tracing::info!(zone = %key, "a pending zone is active: its parent names its key");
            let mut index = zones.index_mut();
            let upload = version.map(|version| Box::new(Upload { version, broken: None, checked: Some(checked) }));
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
        (CheckAction::Park, Some(version)) => {
            zones.catalog.withdraw(apex.as_name());
            tracing::info!(zone = %key, "zone parked: its parent delegates it elsewhere");
            let upload = Some(Box::new(Upload { version, broken: None, checked: Some(checked) }));
            zones.index_mut().set(key, Hosted { upload, ..Hosted::default() });
        }
        (CheckAction::Purge, version) => {
            tracing::info!(zone = %key, generation, "zone purged: its parent does not delegate it here");
            let mut index = zones.index_mut();
            index.unbury(&key);
            index.generation = generation;
            match version {
                Some(_) => {
                    index.set_claimed(key, Hosted::default(), None);
                    drop(index);
                    zones.catalog.withdraw(apex.as_name());
                }
                // A pin alone, or contested claims; a file of the operator's may stand beside it, which stays.
                None => drop(index.pending.remove(key.as_str())),
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

/// Octets of text in one commit, one text more or less: redb keeps the changed pages of a commit in memory.
const COMMIT_OCTETS_MAX: usize = 64 << 20;
