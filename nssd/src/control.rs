//! The control socket: HTTP/1.1 with JSON over a Unix socket, its types and its client.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `PUT /v1/zones/{apex}` | the zone's text | 200 or 201 [`ZoneStatus`] |
//! | `PUT /v1/zones/{apex}?dry_run=true` | the zone's text | 200 [`ZoneStatus`], nothing changed |
//! | `GET /v1/zones/{apex}` | | the text as uploaded, `text/dns` |
//! | `GET /v1/zones/{apex}/status` | | [`ZoneStatus`] |
//! | `GET /v1/zones/{apex}/claim` | | [`Claim`]: who may change the zone, hosted or not |
//! | `PUT /v1/zones/{apex}/check` | [`CheckReport`] | 204, written down, and the zone parked or purged if it says so |
//! | `GET /v1/checks/due?now=&uploaded_before=&limit=` | | [`DueChecks`] |
//! | `DELETE /v1/zones/{apex}` | | 200 [`ZoneStatus`] of what was withdrawn |
//! | `GET /v1/zones?after=&limit=` | | [`ZoneList`] |
//! | `GET /v1/status` | | [`ServerStatus`] |
//! | `POST /v1/reload` | | [`ReloadReport`] |
//!
//! HTTP, because `curl --unix-socket` then is a complete client and large bodies stream; no framework and no
//! generated code, because there are eleven calls. A call that is refused answers with a [`Problem`]
//! (RFC 9457, `application/problem+json`).
//!
//! A successful `PUT` or `DELETE` means: on disk, and visible to every query that arrives from now on. An entity
//! tag names one version of a zone; send it back in `If-Match` and the call fails with 412 when somebody
//! else was faster. `If-None-Match: *` creates and never replaces.
//!
//! Beside a zone the store keeps a [`Pin`], the hash of a key, and when it was set last. `Pin-Set:` with its 64 hexadecimal digits sets it in the
//! same commit as the zone, also to what it is; `Pin-Match:` with the digits or `none` makes the call fail with 409 when the pin is
//! another one. A deleted zone keeps its pin.
//!
//! `Ds-Match:` with the DS records of the parent, a [`DsSet`], makes the call fail unless these prove the zone to its last record, and its
//! serial is newer than that of any zone of the same signers that was stored before.
//!
//! `Pending:` with a [`PendingClaim`] has a zone served that nobody has proved to be the uploader's: it is refused wherever another zone
//! could suffer, and withdrawn when a zone at, above or below it is uploaded without that. `DELETE` takes `Pending-Match:` with the pin
//! of the claim.
//!
//! The version is in the path. Within `v1` answers may gain members, never lose them; readers ignore what they do
//! not know.

mod check;
mod client;
mod ds;
#[cfg(feature = "daemon")]
mod headers;
mod jitter;
mod pending;
mod pin;
mod problem;
#[cfg(feature = "daemon")]
pub(crate) mod service;
#[cfg(feature = "daemon")]
pub(crate) mod socket;

pub use check::{
    CHECK_REPORT_SIZE_MAX, Check, CheckAction, CheckReport, CheckVerdict, DueCheck, DueChecks, EVIDENCE_LINES_MAX,
};
pub use client::{Client, ClientError, Precondition, PutOptions, ZoneText};
pub use ds::{DS_RECORDS_MAX, DS_SIZE_MAX, DsSet, NotDsRecords};
pub use jitter::jittered;
pub use pending::{Pending, PendingClaim};
pub use pin::{NotAPin, Pin, PinChange};
pub use problem::{Finding, Problem, ProblemCode, Severity};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The largest zone text that a `PUT` may carry, in octets: over a million records of 50 octets each.
///
/// Larger zones belong in the operator's own files, which are read without this limit.
pub const ZONE_TEXT_SIZE_MAX: usize = 64 << 20;

/// Zones in one answer to a listing at most; about 300 KB of JSON.
pub const LIST_LIMIT_MAX: usize = 1000;

/// Zones in one answer to a listing that names no limit.
pub const LIST_LIMIT_DEFAULT: usize = 100;

/// Findings in one answer at most: more than anybody reads at once, and bounded for a zone with a million errors.
pub const FINDINGS_MAX: usize = 100;

/// Media type of zone text (RFC 4027).
pub const MEDIA_TYPE_ZONE: &str = "text/dns";

/// One zone as it is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneStatus {
    /// The apex, absolute, in lower case, with the final dot.
    pub zone: String,
    /// SOA serial.
    pub serial: u32,
    /// Counts the versions of all uploaded zones, and so grows with each change; 0 for a zone from a file and for a
    /// dry run.
    pub generation: u64,
    /// Entity tag of this version for `If-Match`; absent for a zone from a file and for a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Resource records, the SOA included.
    pub records: u64,
    /// Octets of memory that the zone occupies.
    pub memory_bytes: u64,
    /// Where the text came from.
    pub source: Source,
    /// When it was uploaded, in seconds since 1970; absent for a zone from a file and for a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded_at: Option<u64>,
    /// Until when it is served without being delegated here; absent for a zone that is no mere claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_until: Option<u64>,
    /// What the call did.
    pub change: Change,
    /// Warnings about this version; they do not keep it from being served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Why a newer version is not served although there is one: the file no longer makes a zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<String>,
}

/// Where a zone's text came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// A `PUT` on the control socket; the text is in the store.
    Upload,
    /// The operator's file at this path. It goes before an upload of the same apex.
    File(String),
}

/// What a call did to a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// Nothing; the call only asked, or it was a dry run.
    None,
    /// The zone was not served before.
    Created,
    /// Another version was served before.
    Replaced,
    /// The text is the one that was served before, octet for octet, and so nothing was written.
    Unchanged,
    /// The zone is served no longer.
    Withdrawn,
}

/// What decides who may change a zone, be it hosted here or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The apex, absolute, in lower case, with the final dot.
    pub zone: String,
    /// The hash of the key that the zone is pinned to, or was when it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// When it was pinned to this key last, in seconds since 1970, be it pinned to it before; for a pin from before that was written down, when
    /// the zone was uploaded last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_at: Option<u64>,
    /// The deepest zone above it that is served here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enclosing: Option<Enclosing>,
    /// The last check at the parent since the upload, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// The claim by which a zone is served here before its parent delegates it, or two claims that keep each other from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// A zone above a name, and whether that name is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enclosing {
    /// The apex, absolute, in lower case, with the final dot.
    pub zone: String,
    /// The zone cut at the name or above it; absent when the zone itself is authoritative for the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
}

/// A delegation in a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The delegated name, absolute, in lower case, with the final dot.
    pub owner: String,
    /// The names of its NS records, in the same form.
    pub name_servers: Vec<String>,
    /// Its DS records.
    #[serde(default, skip_serializing_if = "DsSet::is_empty")]
    pub ds: DsSet,
}

/// One page of a listing, ordered by the zones' names as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneList {
    /// At most `limit` zones; their `findings` are left out.
    pub zones: Vec<ZoneStatus>,
    /// To be sent as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The daemon as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Version of the daemon.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// UDP and TCP addresses that are answered on.
    pub listen: Vec<String>,
    /// TLS addresses that are answered on.
    #[serde(default)]
    pub listen_tls: Vec<String>,
    /// Zones served.
    pub zones: u64,
    /// Zones served that came from uploads.
    pub zones_uploaded: u64,
    /// Octets of memory that all zones occupy.
    pub memory_bytes: u64,
    /// Zones that are stored from uploads, those included that are parked or that a file goes before.
    #[serde(default)]
    pub uploads: u64,
    /// How many there may be.
    #[serde(default)]
    pub uploads_max: u64,
    /// Octets that they take, their tables in memory and their texts on disk together.
    #[serde(default)]
    pub uploads_size: u64,
    /// How many that may be.
    #[serde(default)]
    pub uploads_size_max: u64,
    /// The version of the last upload.
    pub generation: u64,
    /// Zones that are stored or configured and not served, or served in an older version, with the reason; the
    /// first 100.
    pub broken: Vec<BrokenZone>,
    /// Since the start.
    pub counters: Counters,
}

/// A zone whose text does not make a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenZone {
    /// The apex, absolute, or the name of the file when that is no name.
    pub zone: String,
    /// Where the text is.
    pub source: Source,
    /// Whether an older version is still served.
    pub still_served: bool,
    /// The first error and how many there are.
    pub reason: String,
}

/// What happened on the DNS sockets since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Messages that arrived over UDP.
    pub udp_queries: u64,
    /// Messages that were sent over UDP.
    pub udp_answers: u64,
    /// Messages that arrived over TCP.
    pub tcp_queries: u64,
    /// Messages that were sent over TCP, transfers left out.
    pub tcp_answers: u64,
    /// Messages that got no answer, because one would amplify or was not asked for.
    pub silent: u64,
    /// Answers held back by the rate limit.
    pub rate_limited: u64,
    /// Answers that the rate limit sent empty and truncated, so that a real client comes back over TCP.
    pub slipped: u64,
    /// UDP answers that could not be sent.
    pub send_errors: u64,
    /// Queries that made the answer code panic; each is a bug.
    pub panics: u64,
    /// TCP connections open now.
    pub tcp_connections: u64,
    /// TCP connections accepted.
    pub tcp_accepted: u64,
    /// TCP connections closed early to make room for others.
    pub tcp_shed: u64,
    /// Messages that arrived over TLS.
    pub tls_queries: u64,
    /// Messages that were sent over TLS, transfers left out.
    pub tls_answers: u64,
    /// TLS connections open now, those in a handshake included.
    pub tls_connections: u64,
    /// TLS connections accepted.
    pub tls_accepted: u64,
    /// TLS connections closed early to make room for others.
    pub tls_shed: u64,
    /// TLS handshakes that came to their end, resumed sessions included.
    pub tls_handshakes: u64,
    /// TLS handshakes that went on with the keys of an earlier session.
    pub tls_resumed: u64,
    /// TLS handshakes that failed, took too long or had to make room.
    pub tls_handshakes_failed: u64,
    /// Zones sent in a transfer.
    pub transfers: u64,
    /// Transfers refused.
    pub transfers_refused: u64,
    /// Answers by response code, as mnemonic.
    pub rcodes: BTreeMap<String, u64>,
}

/// What a reload found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Zones from files that are served now and were not before, the first [`REPORT_ZONES_MAX`] of them by name.
    pub created: Vec<String>,
    /// How many they are.
    pub created_count: u64,
    /// Zones from files that are served in another version than before, the first [`REPORT_ZONES_MAX`] of them by name.
    pub replaced: Vec<String>,
    /// How many they are.
    pub replaced_count: u64,
    /// Zones whose file is gone or no longer configured, the first [`REPORT_ZONES_MAX`] of them by name.
    pub withdrawn: Vec<String>,
    /// How many they are.
    pub withdrawn_count: u64,
    /// Files whose content did not change.
    pub unchanged: u64,
    /// Files that do not make a zone, up to [`REPORT_ZONES_MAX`]; what was served before goes on being served.
    pub broken: Vec<BrokenZone>,
    /// How many they are.
    pub broken_count: u64,
    /// What else the operator should know: a configuration that can't be read, or settings that need a restart.
    pub notes: Vec<String>,
}

/// Zones of one kind that a [`ReloadReport`] names: more than anybody reads, and little beside what a hundred thousand would take.
pub const REPORT_ZONES_MAX: usize = 1000;
