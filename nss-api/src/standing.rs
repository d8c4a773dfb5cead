//! How a domain stands with its parent and with us, as its owner and programs read it.

use std::fmt::Write;

use nss_registrar_check::{Delegation, DsRecords, NotDelegated, Outcome, Verdict};
use nss_wire::NameBuf;
use nssd::control::{Check, Claim, Pending, Pin, ZoneStatus, jittered};
use serde::Serialize;

use crate::config::Ownership;
use crate::domain::Domain;
use crate::key::Label;
use crate::new_key::keyed_name;
use crate::parents::Sight;
use crate::time::utc;

/// What the parent says about a domain, and what to enter at the registrar.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    domain: String,
    state: State,
    /// One sentence: what the parent zone says, or why that could not be found out.
    parent_says: String,
    /// Who may change the zone.
    owner: Owner,
    /// The labels of keys in the parent's NS set.
    labels: Vec<String>,
    /// Name servers of ours that the parent does not name.
    missing: Vec<String>,
    /// Names below ours that are no key's, and so count for nothing.
    not_a_key: Vec<String>,
    /// The parent's DS records, as a zone file has them.
    ds: Vec<String>,
    /// It is not delegated to us as a change takes it, and resolvers are sent here all the same.
    #[serde(skip)]
    is_partly: bool,
    /// The claim by which the zone is served before its delegation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<StandingClaim>,
    /// What to enter at the registrar.
    enter: Vec<String>,
    /// When the parent was asked, in seconds since 1970: for this answer, or up to a minute before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_at: Option<u64>,
    /// Who was asked and what they said.
    evidence: Vec<String>,
    /// What the registry says, where registries are asked; one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) registration: Vec<String>,
}

/// A claim on a name that is not delegated to us, as far as it is anybody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StandingClaim {
    /// When it ends, in seconds since 1970.
    until: u64,
    /// Two keys claim the name, so that nothing is served by either.
    is_contested: bool,
}

impl From<&Pending> for StandingClaim {
    fn from(pending: &Pending) -> StandingClaim {
        StandingClaim { until: pending.until, is_contested: pending.is_contested }
    }
}

/// Whether a domain is delegated to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Delegated,
    NotDelegated,
    /// It could not be found out.
    Unknown,
    /// This server asks no parents.
    Unchecked,
}

/// Who may change the zone of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Owner {
    /// Who has the key of a label at the parent.
    Label,
    /// Who has the key that is pinned.
    Pin,
    /// Who uploads first.
    First,
    /// Who signs it with the key of a DS record at the parent.
    Ds,
    /// Who has the key that claims it before its delegation.
    Claimant,
    /// Anybody.
    Anybody,
    /// Nobody, until the parent says otherwise.
    Nobody,
}

impl Standing {
    /// What `sight` means by the rule of this server; `label` is that of the key that the asker presented.
    pub(crate) fn new(
        domain: &Domain,
        rule: Ownership,
        sight: Option<&Sight>,
        claim: &Claim,
        label: Option<Label>,
        ours: &[NameBuf],
    ) -> Standing {
        let enter = |name: &NameBuf| label.map_or_else(|| name.to_string(), |label| keyed_name(label, name));
        let mut standing = Standing {
            domain: domain.to_string(),
            state: State::Unchecked,
            parent_says: "this server does not ask the parent zone".into(),
            owner: Owner::Anybody,
            labels: Vec::new(),
            missing: Vec::new(),
            not_a_key: Vec::new(),
            ds: Vec::new(),
            is_partly: false,
            pending: claim.pending.as_ref().map(StandingClaim::from),
            enter: ours.iter().map(enter).collect(),
            checked_at: None,
            evidence: Vec::new(),
            registration: Vec::new(),
        };
        let Some(sight) = sight else { return standing };
        let verdict = sight.verdict();
        standing.parent_says = sight.sentence();
        standing.checked_at = Some(sight.asked_at());
        standing.labels = sight.entered.labels.iter().map(Label::to_string).collect();
        if let Outcome::Delegation(Delegation { ds: DsRecords::Present(records), .. }) = &sight.findings.outcome {
            standing.ds = records.iter().filter_map(|record| presentation(record)).collect();
        }
        standing.not_a_key = sight.entered.odd.iter().map(NameBuf::to_string).collect();
        standing.evidence = sight.evidence();
        standing.state = match &verdict {
            Verdict::Delegated { .. } => State::Delegated,
            Verdict::NotDelegated { .. } => State::NotDelegated,
            Verdict::Unknown { .. } => State::Unknown,
        };
        standing.is_partly = sight.is_partly_delegated();
        standing.missing = match verdict {
            Verdict::NotDelegated { reason: NotDelegated::Elsewhere { missing, .. }, .. } => {
                missing.iter().map(NameBuf::to_string).collect()
            }
            Verdict::NotDelegated { .. } => ours.iter().map(NameBuf::to_string).collect(),
            Verdict::Delegated { .. } | Verdict::Unknown { .. } => Vec::new(),
        };
        standing.owner = match (standing.state, rule) {
            (State::NotDelegated, _) if standing.pending.is_some_and(|it| !it.is_contested) => Owner::Claimant,
            (State::NotDelegated | State::Unknown, _) => Owner::Nobody,
            (State::Delegated | State::Unchecked, Ownership::Open) => Owner::Anybody,
            (State::Delegated | State::Unchecked, _) if !standing.labels.is_empty() => Owner::Label,
            (State::Delegated | State::Unchecked, Ownership::Keyed) if !standing.ds.is_empty() => Owner::Ds,
            (State::Delegated | State::Unchecked, Ownership::Keyed) => Owner::Nobody,
            (State::Delegated | State::Unchecked, Ownership::Pinned) if claim.pin == Some(Pin::NOBODY) => Owner::Ds,
            (State::Delegated | State::Unchecked, Ownership::Pinned) if claim.pin.is_some() => Owner::Pin,
            (State::Delegated | State::Unchecked, Ownership::Pinned) => Owner::First,
        };
        standing
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let Standing { domain, parent_says, .. } = self;
        let mut text = match self.state {
            State::Delegated => format!("{domain} is delegated to our name servers\n"),
            State::NotDelegated => format!("{domain} is not delegated to our name servers\n"),
            State::Unknown => format!("whether {domain} is delegated to our name servers is not known\n"),
            State::Unchecked => format!("whether {domain} is delegated to our name servers does not matter here\n"),
        };
        let _ = writeln!(text, "what its parent zone says: {parent_says}");
        write_names(&mut text, "missing there:", &self.missing);
        write_names(
            &mut text,
            "no key has such a label (k- and 32 letters or digits, directly in front):",
            &self.not_a_key,
        );
        text.push_str(self.owner.sentence());
        write_names(&mut text, "", &self.labels);
        if !self.ds.is_empty() {
            if matches!(self.owner, Owner::Pin | Owner::First) {
                text.push_str("or who signs it with the key of a DS record at the parent\n");
            }
            write_names(&mut text, "DS records at the parent:", &self.ds);
        }
        match self.pending {
            Some(StandingClaim { until, is_contested: false }) => {
                let _ = writeln!(text, "it is served before its delegation until {}", utc(until));
            }
            Some(StandingClaim { until, is_contested: true }) => {
                let _ = writeln!(
                    text,
                    "two keys claim it before its delegation, so neither is served until {}",
                    utc(until)
                );
            }
            None => {}
        }
        if matches!(self.owner, Owner::Nobody | Owner::Claimant) || self.state == State::Unchecked {
            write_names(&mut text, "to be entered at the domain's registrar:", &self.enter);
        }
        if self.owner == Owner::First {
            text.push_str(
                "enter names with the label of a key of yours at the registrar (POST /v1/keys), and nobody else can\n",
            );
        }
        write_names(&mut text, "what the registry says:", &self.registration);
        let asked = self.checked_at.map_or("who was asked:".to_owned(), |when| format!("who was asked {}:", utc(when)));
        write_names(&mut text, &asked, &self.evidence);
        text
    }
}

impl Owner {
    fn sentence(self) -> &'static str {
        match self {
            Owner::Label => "who may change the zone: who has the key with this label\n",
            Owner::Pin => "who may change the zone: who has the key that its first upload pinned\n",
            Owner::First => "who may change the zone: anybody, until the first upload pins a key\n",
            Owner::Ds => "who may change the zone: who signs it with the key of a DS record at the parent\n",
            Owner::Claimant => "who may change the zone: who has the key that claims it before its delegation\n",
            Owner::Anybody => "who may change the zone: anybody\n",
            Owner::Nobody => "who may change the zone: nobody, as things stand\n",
        }
    }
}

/// A hosted zone and how it stands.
#[derive(Debug, Serialize)]
pub(crate) struct HostedZone {
    /// `active` while it is delegated to us, `partly` when to some of our name servers, `adrift` when to none, `unknown` when that could not be found out,
    /// `parked` when it is not served any more for having been adrift too long, `pending` before its delegation, `contested` when
    /// two keys claim it before that, `withdrawn` when only its pin is left.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    uploaded_at: Option<u64>,
    /// The check that was made for this answer, or shortly before it.
    check: Standing,
    /// The last check that was made by itself since the upload, with its evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_check: Option<Check>,
    /// Seconds since 1970; absent where nothing is checked by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_check_at: Option<u64>,
}

/// What there is of a zone that was uploaded.
#[derive(Debug)]
pub(crate) enum Served {
    Yes(Box<ZoneStatus>),
    /// Its text and its pin: it was adrift too long, or its claim is contested.
    Parked,
    /// Its pin alone.
    Withdrawn,
}

impl HostedZone {
    /// `status` is that of a zone that is served, `recheck_hours` the pause between the checks that are made by themselves.
    pub(crate) fn new(
        status: Served,
        last_check: Option<Check>,
        pending: Option<&Pending>,
        check: Standing,
        recheck_hours: Option<u32>,
    ) -> HostedZone {
        let (status, otherwise) = match status {
            Served::Yes(status) => (Some(*status), ""),
            Served::Parked => (None, "parked"),
            Served::Withdrawn => (None, "withdrawn"),
        };
        let uploaded_at = status.as_ref().and_then(|status| status.uploaded_at);
        let next_check_at = recheck_hours.and_then(|hours| match (&last_check, pending) {
            (Some(last), _) => Some(last.next_check_at),
            (None, Some(pending)) if pending.is_contested => Some(pending.until),
            (None, Some(pending)) => Some(pending.check_at),
            (None, None) => {
                let uploaded_at = uploaded_at?;
                Some(uploaded_at + jittered(u64::from(hours) * 3600, &status.as_ref()?.zone, uploaded_at))
            }
        });
        HostedZone {
            state: match (check.state, &status) {
                _ if pending.is_some_and(|pending| pending.is_contested) => "contested",
                _ if pending.is_some() => "pending",
                (_, None) => otherwise,
                (State::Delegated | State::Unchecked, Some(_)) => "active",
                (State::NotDelegated, Some(_)) if check.is_partly => "partly",
                (State::NotDelegated, Some(_)) => "adrift",
                (State::Unknown, Some(_)) => "unknown",
            },
            serial: status.as_ref().map(|status| status.serial),
            records: status.as_ref().map(|status| status.records),
            etag: status.and_then(|status| status.etag),
            uploaded_at,
            check,
            last_check,
            next_check_at,
        }
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let domain = &self.check.domain;
        let mut text = match (self.serial, self.records) {
            (Some(serial), Some(records)) => format!("{domain}: {}, serial {serial}, {records} records\n", self.state),
            _ if self.state == "contested" => format!("{domain}: contested, not served\n"),
            _ if self.state == "withdrawn" => format!(
                "{domain}: withdrawn, not served; what is pinned to it stays so as long as its parent points here\n"
            ),
            _ => format!("{domain}: {}, not served; upload it again to have it served\n", self.state),
        };
        if self.state == "partly" {
            text.push_str(
                "resolvers are sent here by some of our names: it stays served, and is changed once its parent names all\n",
            );
        }
        let last = self.last_check.as_ref();
        for (what, when) in [
            ("uploaded", self.uploaded_at),
            ("last check", last.map(|last| last.checked_at)),
            ("delegated elsewhere since", last.and_then(|last| last.adrift_since)),
            ("parked since", last.and_then(|last| last.parked_since)),
            ("next check", self.next_check_at),
        ] {
            if let Some(when) = when {
                let _ = writeln!(text, "{what} {}", utc(when));
            }
        }
        let _ = write!(text, "\n{}", self.check.text());
        if let Some(last) = last {
            write_names(&mut text, &format!("\nwhat the last check found {}:", utc(last.checked_at)), &last.evidence);
        }
        text
    }
}

/// The RDATA of a DS record as a zone file has it (RFC 4034 §5.3).
fn presentation(rdata: &[u8]) -> Option<String> {
    let (&[high, low, algorithm, digest_type], digest) = rdata.split_first_chunk()?;
    let mut text = format!("{} {algorithm} {digest_type} ", u16::from_be_bytes([high, low]));
    for octet in digest {
        let _ = write!(text, "{octet:02X}");
    }
    Some(text)
}

fn write_names(text: &mut String, title: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    if !title.is_empty() {
        let _ = writeln!(text, "{title}");
    }
    for name in names {
        let _ = writeln!(text, "  {name}");
    }
}
