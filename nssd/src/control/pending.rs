//! Zones that are served before their parents delegate them.
//!
//! Some registries delegate a domain only once its new name servers answer for it. So who presents a key may have a zone served for
//! a while, on the strength of nothing but that key's label in the zone's own NS set. That proves nothing about the domain: a pending
//! zone gives way to whatever is proved, and of two keys that want one name neither is served.

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::Pin;

/// A claim on a name that its parent does not delegate here yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The hash of the key that claims it; becomes the zone's pin when the parent names the label.
    pub pin: Pin,
    /// The label of that key.
    pub label: String,
    /// Where the claim came from: one word for each network.
    pub network: String,
    /// The wider network around that one, where it is of a family that has such: one word for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// When it was made, in seconds since 1970.
    pub since: u64,
    /// When it ends, unless the parent names the label before.
    pub until: u64,
    /// When the parent is asked about it for the first time.
    pub check_at: u64,
    /// Another key claims the name, too, so that nothing is served until the claims end.
    #[serde(default)]
    pub is_contested: bool,
}

/// An upload that claims a name, and how many claims there may be; sent as JSON in the header field `Pending`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingClaim {
    /// The claim. One that stands already keeps its times.
    pub pending: Pending,
    /// Claims at one time.
    pub zones_max: u32,
    /// Claims from one network at one time.
    pub zones_per_network_max: u32,
    /// Claims from one site at one time; as many as there are when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones_per_site_max: Option<u32>,
}

/// Carries a [`PendingClaim`].
pub(super) const PENDING: HeaderName = HeaderName::from_static("pending");

/// Says which pin the claim has to be of that a call withdraws.
pub(super) const PENDING_MATCH: HeaderName = HeaderName::from_static("pending-match");
