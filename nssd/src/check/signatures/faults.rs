//! What is wrong or odd in the signatures of a zone: a few of each kind, and how many more there are.

use std::collections::BTreeMap;

use nss_wire::{Name, NameBuf, RType, Record, Rule, Severity};
use nss_zonefile::Part;

/// One thing to say about the signatures of a zone.
pub(crate) struct Fault {
    pub(crate) rule: &'static Rule,
    pub(crate) owner: NameBuf,
    /// The record that it is about: of this type, and with this data if there is any.
    pub(crate) rtype: RType,
    pub(crate) rdata: Option<Box<[u8]>>,
    /// The part of the record.
    pub(crate) part: Part,
    pub(crate) message: String,
    /// What to do; may be empty.
    pub(crate) help: &'static str,
}

impl Fault {
    /// About the first record of a type.
    pub(super) fn new(
        rule: &'static Rule,
        owner: Name<'_>,
        rtype: RType,
        message: impl Into<String>,
        help: &'static str,
    ) -> Fault {
        Fault { rule, owner: owner.to_buf(), rtype, rdata: None, part: Part::Type, message: message.into(), help }
    }

    /// About one record.
    pub(super) fn at_record(
        rule: &'static Rule,
        owner: Name<'_>,
        rtype: RType,
        rdata: &[u8],
        message: impl Into<String>,
        help: &'static str,
    ) -> Fault {
        Fault { rdata: Some(rdata.into()), ..Fault::new(rule, owner, rtype, message, help) }
    }

    /// Whether a record is the one that it is about. Faults that are at no record of their own are at any of their name.
    pub(crate) fn is_about(&self, record: Record<'_>) -> bool {
        let is_type = self.rtype == record.rtype || self.rtype == RType::ANY;
        is_type && self.rdata.as_ref().is_none_or(|rdata| **rdata == *record.rdata)
    }

    pub(super) fn in_field(self, field: usize) -> Fault {
        self.in_part(Part::Field(field))
    }

    pub(super) fn in_part(self, part: Part) -> Fault {
        Fault { part, ..self }
    }
}

/// The faults of a zone by their rules.
#[derive(Default)]
pub(crate) struct Faults {
    kept: BTreeMap<u16, Kept>,
}

#[derive(Default)]
struct Kept {
    faults: Vec<Fault>,
    left_out: u64,
}

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        let kept = self.kept.entry(fault.rule.code.0).or_default();
        if kept.faults.len() < KEPT_MAX {
            kept.faults.push(fault);
        } else {
            kept.left_out += 1;
        }
    }

    pub(super) fn extend(&mut self, faults: impl IntoIterator<Item = Fault>) {
        faults.into_iter().for_each(|fault| self.push(fault));
    }

    /// Adds those of names behind the names of these.
    pub(super) fn append(&mut self, other: Faults) {
        for (code, mut kept) in other.kept {
            let own = self.kept.entry(code).or_default();
            let room = KEPT_MAX.saturating_sub(own.faults.len());
            own.left_out += kept.left_out + kept.faults.len().saturating_sub(room) as u64;
            own.faults.extend(kept.faults.drain(..).take(room));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Those that are kept.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.kept.values().flat_map(|kept| &kept.faults)
    }

    /// How many of a severity are not kept.
    pub(crate) fn left_out(&self, severity: Severity) -> u64 {
        let of = |kept: &&Kept| kept.faults.first().is_some_and(|fault| fault.rule.severity == severity);
        self.kept.values().filter(of).map(|kept| kept.left_out).sum()
    }
}

/// Faults of one rule that are listed: a zone that was signed wrongly once is wrong at all its names.
const KEPT_MAX: usize = 10;
