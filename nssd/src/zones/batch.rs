//! Uploads and deletions that share one commit.

use bytes::Bytes;
use nss_wire::NameBuf;

use super::pending::{Admission, At};
use super::publisher::{Reply, carry_out};
use super::room::Uploads;
use super::{Zones, key, memory_size, not_found, storage_problem};
use crate::check::{Accepted, Signed};
use crate::control::{Change, Pending, Pin, PinChange, Precondition, Problem, ProblemCode, PutOptions, ZoneStatus};
use crate::store::{Signers, Version, Write};

/// An upload in the queue of the publisher.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) apex: NameBuf,
    pub(super) text: Bytes,
    pub(super) accepted: Box<Accepted>,
    pub(super) options: Box<PutOptions>,
    pub(super) reply: Reply<ZoneStatus>,
}

/// A deletion in the queue of the publisher.
#[derive(Debug)]
pub(super) struct Delete {
    pub(super) apex: NameBuf,
    pub(super) precondition: Precondition,
    pub(super) pin: PinChange,
    /// Only if the zone is served by the claim with this pin.
    pub(super) claim: Option<Pin>,
    pub(super) reply: Reply<ZoneStatus>,
}

/// What goes into the next commit.
pub(super) struct Batch<'z> {
    zones: &'z Zones,
    writes: Vec<Write>,
    planned: Vec<Planned>,
    /// Of all texts.
    octets: usize,
    generation: u64,
    /// What uploads take more once it is done; what they take less does not count before.
    added: Uploads,
    /// Whether the next job has to see this commit done.
    is_closed: bool,
}

/// What one job becomes.
struct Planned {
    apex: NameBuf,
    once_durable: OnceDurable,
    reply: Reply<ZoneStatus>,
}

/// What happens to a zone once the commit is durable.
pub(super) enum OnceDurable {
    Publish {
        accepted: Box<Accepted>,
        text_size: usize,
        version: Version,
        /// The claim that it is served by, if it is by one.
        claim: Option<Box<Pending>>,
        /// Claims around it, which end.
        ended: Vec<NameBuf>,
    },
    Withdraw(Version),
    Contest(Version, Box<Pending>),
    /// Only what is stored beside the zone has changed.
    Keep {
        status: ZoneStatus,
        forgets_check: bool,
    },
}

impl<'z> Batch<'z> {
    pub(super) fn new(zones: &'z Zones) -> Batch<'z> {
        let generation = zones.index().generation;
        let added = Uploads::default();
        Batch { zones, writes: Vec::new(), planned: Vec::new(), octets: 0, generation, added, is_closed: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    /// Plans an upload, refuses it, or gives it back because it has to wait for this commit.
    pub(super) fn put(&mut self, put: Put) -> Option<Put> {
        // Claims are counted, and what is around them looked at, when all that came before is done.
        if self.has_to_wait(&put.apex) || (put.options.pending.is_some() && !self.is_empty()) {
            return Some(put);
        }
        let zones = self.zones;
        let claim = match zones.may_put(&put.apex, &put.options) {
            Ok(Admission::Proved) => None,
            Ok(Admission::Claimed(pending)) => Some(Box::new(pending)),
            Ok(Admission::Contested(pending)) => {
                self.contest(put, pending);
                return None;
            }
            Err(problem) => return refuse(put.reply, problem),
        };
        let is_claimed = zones.index().pending.contains_key(key(put.apex.as_name()).as_str());
        if is_claimed == claim.is_some()
            && let Some(status) = unchanged(zones, &put.apex, &put.text)
        {
            self.keep(put, status, is_claimed);
            return None;
        }
        if let Err(problem) = zones.check_serial(&put.apex, &put.accepted, put.options.ds.as_ref()) {
            return refuse(put.reply, problem);
        }
        let ended = match claim {
            Some(_) => Vec::new(),
            None => zones.index().claims_around(&key(put.apex.as_name()), At::LeftOut),
        };
        // A claim that this commit replaces by a zone of better right is none any more once it is done.
        if ended.iter().any(|apex| self.is_planned(apex)) {
            return Some(put);
        }
        let size = (put.text.len() + memory_size(&put.accepted)) as u64;
        let before: Vec<&NameBuf> = ended.iter().chain([&put.apex]).collect();
        let added = zones.room.add(&zones.index(), self.added, size, &before);
        match added {
            Ok(added) => self.added = self.added.plus(added),
            // What is planned may make room, or its failure.
            Err(_) if !self.is_empty() => return Some(put),
            Err(problem) => return refuse(put.reply, problem),
        }
        self.replace(put, claim, ended);
        None
    }

    /// Plans a deletion, refuses it, or gives it back because it has to wait for this commit.
    pub(super) fn delete(&mut self, delete: Delete) -> Option<Delete> {
        if self.has_to_wait(&delete.apex) {
            return Some(delete);
        }
        let Delete { apex, precondition, pin, claim, reply } = delete;
        let zones = self.zones;
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
            return refuse(reply, problem);
        }
        let version = self.next_version();
        self.writes.push(Write::Delete { apex: apex.clone(), generation: version.generation, pin: pin.set });
        self.planned.push(Planned { apex, once_durable: OnceDurable::Withdraw(version), reply });
        None
    }

    /// Makes all that is planned durable, and then visible.
    pub(super) fn commit(self) {
        let Batch { zones, writes, planned, .. } = self;
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

    /// What one job of a commit does to a zone is what the next job's precondition is about.
    fn has_to_wait(&self, apex: &NameBuf) -> bool {
        self.is_closed || self.octets > COMMIT_OCTETS_MAX || self.is_planned(apex)
    }

    fn is_planned(&self, apex: &NameBuf) -> bool {
        self.planned.iter().any(|plan| plan.apex == *apex)
    }

    fn next_version(&mut self) -> Version {
        self.generation += 1;
        Version { generation: self.generation, uploaded_at: self.zones.store.now() }
    }

    /// A second key claims the name of a zone.
    fn contest(&mut self, put: Put, pending: Pending) {
        let Put { apex, reply, .. } = put;
        let version = self.next_version();
        let generation = version.generation;
        self.writes.push(Write::Contest { apex: apex.clone(), pending: pending.clone(), generation });
        let once_durable = OnceDurable::Contest(version, Box::new(pending));
        self.planned.push(Planned { apex, once_durable, reply });
        self.is_closed = true;
    }

    /// A zone is served with this text already.
    fn keep(&mut self, put: Put, status: ZoneStatus, is_claim: bool) {
        let Put { apex, accepted, options, reply, .. } = put;
        let before = self.writes.len();
        // Anybody can send what everybody can get: it is no reason to change a pin that DS records prove it.
        if let Some(pin) = options.pin.set.filter(|_| options.ds.is_none()) {
            self.writes.push(Write::SetPin { apex: apex.clone(), pin });
        }
        let hosted_is_checked = |key: &str| {
            let index = self.zones.index();
            let upload = index.zones.get(key).and_then(|hosted| hosted.upload.as_ref());
            upload.is_some_and(|upload| upload.checked.is_some())
        };
        // Who uploads has just shown that the zone is delegated here, whatever was found before.
        let forgets_check = !is_claim && hosted_is_checked(&key(apex.as_name()));
        if forgets_check {
            self.writes.push(Write::ForgetCheck { apex: apex.clone() });
        }
        let signers = signers(&accepted);
        let known = self.zones.store.signers(apex.as_name()).unwrap_or_default();
        let is_known = |signer: &[u8]| known.iter().any(|(known, _)| **known == *signer);
        if !is_claim && !signers.keys.iter().all(|signer| is_known(signer)) {
            self.writes.push(Write::Remember { apex: apex.clone(), signers });
        }
        if self.writes.len() == before {
            let _ = reply.send(Ok(status));
            return;
        }
        self.planned.push(Planned { apex, once_durable: OnceDurable::Keep { status, forgets_check }, reply });
    }

    /// A zone is added or replaced, and claims around it end.
    fn replace(&mut self, put: Put, claim: Option<Box<Pending>>, ended: Vec<NameBuf>) {
        let Put { apex, text, accepted, options, reply } = put;
        let text_size = text.len();
        self.octets += text_size;
        self.is_closed = claim.is_some();
        let version = self.next_version();
        let generation = version.generation;
        self.writes.extend(ended.iter().map(|apex| Write::Delete { apex: apex.clone(), generation, pin: None }));
        let pending = claim.as_deref().cloned();
        let signers = signers(&accepted);
        self.writes.push(Write::Put { apex: apex.clone(), text, version, pin: options.pin.set, pending, signers });
        let once_durable = OnceDurable::Publish { accepted, text_size, version, claim, ended };
        self.planned.push(Planned { apex, once_durable, reply });
    }
}

fn refuse<T>(reply: Reply<ZoneStatus>, problem: Problem) -> Option<T> {
    let _ = reply.send(Err(problem));
    None
}

/// Who signed a zone.
fn signers(accepted: &Accepted) -> Signers {
    let keys = accepted.signed.iter().flat_map(Signed::entry_keys).map(Box::from).collect();
    Signers { keys, serial: accepted.zone.serial() }
}

/// The status of a zone that is served with just this text already.
fn unchanged(zones: &Zones, apex: &NameBuf, text: &Bytes) -> Option<ZoneStatus> {
    let key = key(apex.as_name());
    let status = zones.index().status(&key, Change::Unchanged)?;
    // A store that can't be read will say so when it is written to.
    let (stored, _) = zones.store.text(apex.as_name()).ok()??;
    (stored == text).then_some(status)
}

/// Octets of text in one commit, one text more or less: redb keeps the changed pages of a commit in memory.
const COMMIT_OCTETS_MAX: usize = 64 << 20;
