//! What is known of every zone: what is served, what the store holds, what the operator's file says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use nss_wire::NameBuf;
use nss_zonefile::Diagnostic;

use super::file::ZoneFile;
use super::pending::ancestors;
use super::room::Uploads;
use super::{Totals, key, memory_size};

use crate::check::{self, Accepted};
use crate::control::{
    BrokenZone, Change, Check, Finding, Pending, Precondition, Problem, ProblemCode, Source, ZoneStatus,
};
use crate::store::Version;

/// What is known of every zone, by name as text.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) zones: BTreeMap<Box<str>, Box<Hosted>>,
    pub(super) broken: BTreeSet<Box<str>>,
    /// Zones that were withdrawn and whose pins are left; see [`Index::bury`].
    pub(super) tombstones: BTreeMap<Box<str>, Tombstone>,
    /// Claims on names that are not delegated here; nothing is served by those that are contested. Changed by [`Index::set_claimed`].
    pub(super) pending: BTreeMap<Box<str>, Pending>,
    /// How many zones that are here by more than a claim stand below a name, with withdrawn ones whose pins are left.
    pub(super) rightful_below: HashMap<Box<str>, u32>,
    pub(super) totals: Totals,
    pub(super) generation: u64,
}

/// What is known of a withdrawn zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tombstone {
    /// When it was withdrawn, as far as it is known: seconds since 1970.
    pub(super) since: u64,
    pub(super) checked: Option<Checked>,
}

impl Index {
    /// Replaces what is known of a zone and the claim that it is there by, and keeps the sums.
    pub(super) fn set_claimed(&mut self, key: impl Into<Box<str>>, hosted: Hosted, claim: Option<Pending>) {
        let key: Box<str> = key.into();
        let was_rightful = self.is_rightful(&key);
        let is_rightful = hosted.file.is_some() || (hosted.upload.is_some() && claim.is_none());
        match (was_rightful, is_rightful) {
            (false, true) => self.count(&key),
            (true, false) => self.uncount(&key),
            (false, false) | (true, true) => {}
        }
        match claim {
            Some(claim) => drop(self.pending.insert(key.clone(), claim)),
            None => drop(self.pending.remove(&key)),
        }
        // The key itself: there may be very many, and copies of them would leave as many holes.
        self.replace(key, hosted);
    }

    /// Replaces what is known of a zone, and keeps the sums and the claim that it is there by, if it is by one.
    pub(super) fn set(&mut self, key: impl Into<Box<str>>, hosted: Hosted) {
        let key: Box<str> = key.into();
        let claim = self.pending.get(&key).cloned();
        self.set_claimed(key, hosted, claim);
    }

    /// Whether a zone is here by more than a claim, served or not.
    pub(super) fn is_rightful(&self, key: &str) -> bool {
        let Some(hosted) = self.zones.get(key) else { return false };
        hosted.file.is_some() || (hosted.upload.is_some() && !self.pending.contains_key(key))
    }

    fn replace(&mut self, key: Box<str>, hosted: Hosted) {
        if hosted.broken().is_some() {
            self.broken.insert(key.clone());
        } else {
            self.broken.remove(&key);
        }
        let after = hosted.totals();
        // In boxes, because a tree that grows in the order of its keys leaves half of its nodes empty.
        let before = if hosted.is_known() { self.zones.insert(key, Box::new(hosted)) } else { self.zones.remove(&key) };
        let before = before.map_or(Totals::default(), |before| before.totals());
        let totals = &mut self.totals;
        totals.zones = totals.zones - before.zones + after.zones;
        totals.zones_uploaded = totals.zones_uploaded - before.zones_uploaded + after.zones_uploaded;
        totals.memory_bytes = totals.memory_bytes - before.memory_bytes + after.memory_bytes;
        totals.uploads.zones = totals.uploads.zones - before.uploads.zones + after.uploads.zones;
        totals.uploads.size = totals.uploads.size - before.uploads.size + after.uploads.size;
    }

    /// Notes that nothing but the pin is left of a zone.
    pub(super) fn bury(&mut self, key: &str, tombstone: Tombstone) {
        if self.tombstones.insert(key.into(), tombstone).is_none() {
            self.count(key);
        }
    }

    /// Forgets that there is a pin alone.
    pub(super) fn unbury(&mut self, key: &str) {
        if self.tombstones.remove(key).is_some() {
            self.uncount(key);
        }
    }

    fn count(&mut self, key: &str) {
        for name in ancestors(key) {
            match self.rightful_below.get_mut(name) {
                Some(count) => *count += 1,
                None => drop(self.rightful_below.insert(name.into(), 1)),
            }
        }
    }

    fn uncount(&mut self, key: &str) {
        for name in ancestors(key) {
            let Some(count) = self.rightful_below.get_mut(name) else { continue };
            *count -= 1;
            if *count == 0 {
                self.rightful_below.remove(name);
            }
        }
    }

    /// What is served of a zone, for who asks or has changed it.
    pub(super) fn status(&self, key: &str, change: Change) -> Option<ZoneStatus> {
        let hosted = self.zones.get(key)?;
        let status = hosted.status(key, change)?;
        let pending = self.pending.get(key).filter(|_| status.source == Source::Upload);
        Some(ZoneStatus { pending_until: pending.map(|pending| pending.until), ..status })
    }

    /// Whether an upload or a deletion may happen to the zone as it is now.
    pub(super) fn check(&self, apex: &NameBuf, precondition: &Precondition) -> Result<(), Problem> {
        let key = key(apex.as_name());
        let hosted = self.zones.get(key.as_str());
        if let Some(file) = hosted.and_then(|hosted| hosted.file.as_ref()) {
            let path = file.path.of(&key);
            let path = path.display();
            let detail = format!("{key} is served from the operator's file {path}; change it there and reload");
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

    pub(super) fn dry_run(&self, apex: &NameBuf, accepted: &Accepted) -> ZoneStatus {
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
            memory_bytes: memory_size(accepted) as u64,
            source: Source::Upload,
            uploaded_at: None,
            pending_until: None,
            change: Change::None,
            findings,
            stale: None,
        }
    }
}

/// What is known of one zone.
#[derive(Debug, Default)]
pub(super) struct Hosted {
    pub(super) served: Option<Served>,
    /// The operator's file that names this zone: uploads are refused as long as there is one.
    pub(super) file: Option<ZoneFile>,
    /// What the store holds.
    pub(super) upload: Option<Box<Upload>>,
}

#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) findings: Box<[Finding]>,
    pub(super) serial: u32,
    pub(super) records: u32,
    pub(super) memory_bytes: u32,
    pub(super) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Upload,
    File,
}

#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) version: Version,
    /// In a box, because there are very many uploads, and few of them are broken.
    broken: Option<Box<Box<str>>>,
    /// Octets of the text; [`ZONE_TEXT_SIZE_MAX`](crate::control::ZONE_TEXT_SIZE_MAX) is less than 2^32.
    text_size: u32,
    /// The last check at the parent since the upload.
    pub(super) checked: Option<Checked>,
}

/// What is known of the last check without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) at: u64,
    pub(super) next: u64,
    /// The zone is not served because of it.
    pub(super) is_parked: bool,
}

impl From<&Check> for Checked {
    fn from(check: &Check) -> Checked {
        Checked { at: check.checked_at, next: check.next_check_at, is_parked: check.parked_since.is_some() }
    }
}

impl Upload {
    pub(super) fn new(version: Version, text_size: usize, checked: Option<Checked>) -> Upload {
        Upload { version, broken: None, text_size: u32::try_from(text_size).unwrap_or(u32::MAX), checked }
    }

    /// The same after a check at the parent.
    pub(super) fn after(self, checked: Checked) -> Upload {
        Upload { broken: None, checked: Some(checked), ..self }
    }

    /// The same, whose text makes no zone.
    pub(super) fn broken(self, reason: &str) -> Upload {
        Upload { broken: Some(Box::new(reason.into())), ..self }
    }

    pub(super) fn is_parked(&self) -> bool {
        self.checked.is_some_and(|checked| checked.is_parked)
    }
}

impl Hosted {
    pub(super) fn is_known(&self) -> bool {
        self.served.is_some() || self.file.is_some() || self.upload.is_some()
    }

    pub(super) fn totals(&self) -> Totals {
        let uploads = self.uploads();
        let Some(served) = &self.served else { return Totals { uploads, ..Totals::default() } };
        Totals {
            zones: 1,
            zones_uploaded: u64::from(served.origin == Origin::Upload),
            memory_bytes: served.memory_bytes.into(),
            generation: 0,
            uploads,
        }
    }

    /// What it counts for among uploads.
    pub(super) fn uploads(&self) -> Uploads {
        let Some(upload) = &self.upload else { return Uploads::default() };
        let served = self.served.as_ref().filter(|served| served.origin == Origin::Upload);
        Uploads::one(u64::from(upload.text_size) + served.map_or(0, |served| served.memory_bytes.into()))
    }

    /// Why what ought to be served is not.
    pub(super) fn broken(&self) -> Option<&str> {
        match (&self.file, &self.upload) {
            (Some(file), _) => file.broken(),
            (None, Some(upload)) => upload.broken.as_deref().map(|reason| &**reason),
            (None, None) => None,
        }
    }

    pub(super) fn broken_zone(&self, key: &str) -> Option<BrokenZone> {
        let source = self.file.as_ref().map_or(Source::Upload, |file| file.source(key));
        Some(BrokenZone {
            zone: key.to_owned(),
            source,
            still_served: self.served.is_some(),
            reason: self.broken()?.to_owned(),
        })
    }

    pub(super) fn status(&self, key: &str, change: Change) -> Option<ZoneStatus> {
        let served = self.served.as_ref()?;
        let version = self.upload.as_ref().filter(|_| served.origin == Origin::Upload).map(|upload| upload.version);
        let source = match (served.origin, &self.file) {
            (Origin::File, Some(file)) => file.source(key),
            (Origin::File | Origin::Upload, _) => Source::Upload,
        };
        Some(ZoneStatus {
            zone: key.to_owned(),
            serial: served.serial,
            generation: version.map_or(0, |version| version.generation),
            etag: version.map(|version| etag(version.generation)),
            records: served.records.into(),
            memory_bytes: served.memory_bytes.into(),
            source,
            uploaded_at: version.map(|version| version.uploaded_at),
            pending_until: None,
            change,
            findings: served.findings.to_vec(),
            stale: self.broken().map(str::to_owned),
        })
    }
}

/// A warning when secondaries will not notice that the zone has changed.
pub(super) fn serial_finding(before: u32, after: u32) -> Option<Finding> {
    let grows = is_newer(after, before);
    let message = if after == before {
        format!("the zone changes, but its serial is {after} as before: secondaries will not fetch it")
    } else {
        format!("the serial goes back from {before} to {after}: secondaries will not fetch the zone")
    };
    let rule = &check::rules::SERIAL_NOT_GREATER;
    (!grows).then(|| Finding::from(&Diagnostic::new(rule, message)))
}

/// Whether a serial is newer than another one (RFC 1982 §3.2): the difference as a signed number says so.
pub(crate) fn is_newer(after: u32, before: u32) -> bool {
    after.wrapping_sub(before).cast_signed() > 0
}

pub(super) fn etag(generation: u64) -> String {
    format!("\"{generation}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_zone_fits_into_88_octets() {
        // The next larger piece of memory would be a sixth more, for each of very many zones.
        assert!(size_of::<Hosted>() <= 88, "{}", size_of::<Hosted>());
        assert!(size_of::<Upload>() <= 56, "{}", size_of::<Upload>());
    }

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
