//! Which zones are due for a check at their parents.

use nss_wire::NameBuf;

use super::index::{Checked, etag};
use super::{Zones, storage_problem};
use crate::control::{DueCheck, DueChecks, Problem, jittered};

impl Zones {
    /// Up to `limit` uploaded zones, and pins of withdrawn ones, whose next check at the parent is due: claims first, which are few and
    /// have an end, and then those that wait longest.
    ///
    /// # Errors
    ///
    /// A store that can't be read.
    pub(crate) fn due_checks(&self, now: u64, uploaded_before: u64, limit: usize) -> Result<DueChecks, Problem> {
        let pause = now.saturating_sub(uploaded_before);
        // The first check is about as long after an upload as checks are apart.
        let changed_at =
            |key: &str, since: u64| Unchecked { since, due_at: since.saturating_add(jittered(pause, key, since)) };
        let mut due: Vec<(Turn, u64, Box<str>, Option<String>)> = {
            let index = self.index();
            let uploads = index.zones.iter().filter(|(_, hosted)| hosted.file.is_none());
            let uploads = uploads.filter_map(|(key, hosted)| Some((key, hosted.upload.as_ref()?)));
            let due = uploads.filter_map(|(key, upload)| {
                let (turn, unchecked) = match index.pending.get(key) {
                    Some(pending) => (Turn::Claim, Unchecked { since: pending.since, due_at: pending.check_at }),
                    None => (Turn::Zone, changed_at(key, upload.version.uploaded_at)),
                };
                let since = due_since(upload.checked, unchecked, now)?;
                Some((turn, since, key.clone(), Some(etag(upload.version.generation))))
            });
            let pins = index.tombstones.iter().filter_map(|(key, tombstone)| {
                let since = due_since(tombstone.checked, changed_at(key, tombstone.since), now)?;
                Some((Turn::Zone, since, key.clone(), None))
            });
            let contested = index.pending.iter().filter(|(_, pending)| pending.is_contested && pending.until <= now);
            let contested = contested.map(|(key, pending)| (Turn::Claim, pending.until, key.clone(), None));
            due.chain(pins).chain(contested).collect()
        };
        due.sort();
        due.truncate(limit);
        let mut zones = Vec::with_capacity(due.len());
        for (_, _, zone, etag) in due {
            let Ok(apex) = zone.parse::<NameBuf>() else { continue };
            let last = self.store.check(apex.as_name()).map_err(|error| storage_problem(&error))?;
            let pending = self.index().pending.get(&zone).cloned();
            zones.push(DueCheck { zone: zone.into(), etag, last, pending });
        }
        Ok(DueChecks { zones })
    }
}

/// Whose turn it is for a check, the first one first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Claim,
    Zone,
}

/// What has not been checked yet.
#[derive(Clone, Copy, Debug)]
struct Unchecked {
    /// When it was changed: seconds since 1970.
    since: u64,
    /// When its first check is due.
    due_at: u64,
}

/// Since when the next check is due, if it is.
fn due_since(checked: Option<Checked>, unchecked: Unchecked, now: u64) -> Option<u64> {
    let (made_at, due_at) = match checked {
        Some(checked) => (checked.at, checked.next),
        None => (unchecked.since, unchecked.due_at),
    };
    // What lies ahead was written down while a clock was wrong, and when the next check is due is as wrong.
    let is_ahead = made_at > now.saturating_add(CLOCK_SKEW_MAX);
    (due_at <= now || is_ahead).then_some(due_at.min(now))
}

/// Seconds that the clocks of two machines may differ by, as `nss-api check-setup` takes one for right.
const CLOCK_SKEW_MAX: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_due_at_its_time_and_when_it_lies_ahead_of_all_clocks() {
        const NOW: u64 = 1_000_000;
        const YEAR: u64 = 365 * 86_400;
        let checked =
            |at, next| due_since(Some(Checked { at, next, is_parked: false }), Unchecked { since: 0, due_at: 0 }, NOW);
        assert_eq!(checked(NOW - 100, NOW + 1), None);
        assert_eq!(checked(NOW - 100, NOW), Some(NOW));
        assert_eq!(checked(NOW - 100, NOW - 7), Some(NOW - 7));
        assert_eq!(checked(NOW + CLOCK_SKEW_MAX, NOW + YEAR), None);
        assert_eq!(checked(NOW + YEAR, NOW + YEAR + 100), Some(NOW));
        assert_eq!(checked(u64::MAX, u64::MAX), Some(NOW));
        let unchecked = |since, due_at| due_since(None, Unchecked { since, due_at }, NOW);
        assert_eq!(unchecked(NOW - 100, NOW + 500), None);
        assert_eq!(unchecked(NOW - 100, NOW - 1), Some(NOW - 1));
        assert_eq!(unchecked(NOW + YEAR, NOW + YEAR + 600), Some(NOW));
        assert_eq!(due_since(None, Unchecked { since: u64::MAX, due_at: u64::MAX }, u64::MAX), Some(u64::MAX));
    }
}
