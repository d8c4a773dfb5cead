//! What is written down of a zone's standing at its parent: the daemon keeps it and parks zones; who asks the parents decides.

use serde::{Deserialize, Serialize};

use super::Pending;

/// What a check at the parent zone found, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// When it was, in seconds since 1970.
    pub checked_at: u64,
    /// What the parent says.
    pub verdict: CheckVerdict,
    /// Since when the parent has delegated the zone elsewhere; absent while it delegates it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adrift_since: Option<u64>,
    /// Since when the zone is not served for that; only an upload ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked_since: Option<u64>,
    /// When the next one is due.
    pub next_check_at: u64,
    /// Who was asked and what they said, one sentence each; at most [`EVIDENCE_LINES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

/// What the parent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// It delegates the zone here.
    Delegated,
    /// It names some server of ours and not all that a change takes: resolvers are sent here.
    Partly,
    /// It does not.
    NotDelegated,
    /// It could not be found out.
    Unknown,
}

/// What happens to the zone with a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckAction {
    /// Nothing.
    Keep,
    /// It is not served any more; its text and its pin stay. Nothing happens to what is not served anyway.
    Park,
    /// Its text, its pin and all that is known of it are deleted; of a claim all but the pin that was there before.
    Purge,
    /// A pending zone is one like all others from now on, pinned to the key that claimed it.
    Activate,
}

/// A check, handed over to be written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The version of the zone that it was made for; absent when there is none, as in [`DueCheck::etag`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When the check before it was; absent for the first one of this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<u64>,
    /// What was found.
    pub check: Check,
    /// What happens to the zone.
    pub action: CheckAction,
}

/// Zones whose next check is due: claims before a delegation first, then those that wait longest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueChecks {
    /// At most as many as asked for.
    pub zones: Vec<DueCheck>,
}

/// A zone, the pin of a withdrawn one, or a contested claim, whose next check is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueCheck {
    /// The apex, absolute, in lower case, with the final dot.
    pub zone: String,
    /// Its version; absent when nothing of it is served: it was withdrawn and only its pin is left, or its claim is contested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The check before; absent when there was none since the upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Check>,
    /// The claim that it is served by, or not served for being contested, as long as its parent does not delegate it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// Sentences of evidence in one check: a walk asks some ten servers, and a hundred at most.
pub const EVIDENCE_LINES_MAX: usize = 120;

/// Octets of a report in JSON: as many sentences of the longest names.
pub const CHECK_REPORT_SIZE_MAX: usize = 256 << 10;
