//! What is counted over all names of a zone, and told once.

use std::fmt;

use nss_authority::Zone;
use nss_wire::{Name, RType};

use super::super::proof::Gap;
use super::super::rules;
use super::{EXPIRES_SOON, Fault, Faults, Work};

/// What is counted, and told once for the whole zone.
#[derive(Default)]
pub(super) struct Numbers {
    /// RRsets that were verified.
    pub(super) verified: u64,
    /// RRsets with a good signature of an algorithm that counts.
    pub(super) proved: u64,
    soon: Counted,
    /// Seconds that the first of them has left.
    soonest: Option<u32>,
    pub(super) incomplete: Counted,
    pub(super) unknown: Counted,
    pub(super) ttl: Counted,
    /// The first thing that DS records do not prove although it stands beside what they do.
    pub(super) gap: Option<Gap>,
}

/// How often something was found, and where first.
#[derive(Default)]
pub(super) struct Counted {
    count: u64,
    first: Option<Fault>,
}

impl Counted {
    pub(super) fn note(&mut self, fault: impl FnOnce() -> Fault) {
        self.count += 1;
        self.first.get_or_insert_with(fault);
    }

    fn append(&mut self, other: Counted) {
        self.count += other.count;
        self.first = self.first.take().or(other.first);
    }

    fn tell(self, faults: &mut Faults) {
        if let Some(mut first) = self.first {
            if let more @ 1.. = self.count - 1 {
                first.message += &format!("; {more} more RRsets are like this");
            }
            faults.push(first);
        }
    }
}

impl Numbers {
    pub(super) fn soon(&mut self, seconds: u32, fault: impl FnOnce() -> Fault) {
        self.soon.count += 1;
        if self.soonest.is_none_or(|soonest| seconds < soonest) {
            (self.soonest, self.soon.first) = (Some(seconds), Some(fault()));
        }
    }

    /// A signature is none.
    pub(super) fn stray(&mut self, owner: Name<'_>, rtype: RType) {
        self.gap.get_or_insert_with(|| Gap::StraySignature { owner: Box::new(owner.to_buf()), rtype });
    }

    /// Records or their signatures have another TTL than was signed.
    pub(super) fn other_ttl(&mut self, owner: Name<'_>, rtype: RType) {
        self.gap.get_or_insert_with(|| Gap::OtherTtl { owner: Box::new(owner.to_buf()), rtype });
    }

    pub(super) fn append(&mut self, other: Numbers) {
        let Numbers { verified, proved, soon, soonest, incomplete, unknown, ttl, gap } = other;
        self.gap = self.gap.take().or(gap);
        self.verified += verified;
        self.proved += proved;
        self.incomplete.append(incomplete);
        self.unknown.append(unknown);
        self.ttl.append(ttl);
        self.soon.count += soon.count;
        if soonest.is_some_and(|seconds| self.soonest.is_none_or(|soonest| seconds < soonest)) {
            (self.soonest, self.soon.first) = (soonest, soon.first);
        }
    }

    pub(super) fn tell(mut self, zone: &Zone, work: &Work<'_>, is_sample: bool, faults: &mut Faults) {
        if let (Some(first), Some(seconds)) = (&mut self.soon.first, self.soonest) {
            let (soon, rrsets) = (self.soon.count, work.rrsets);
            first.message += &format!(
                " expires in {}; so do those of {soon} of {rrsets} RRsets within {}",
                Span(seconds),
                Span(EXPIRES_SOON)
            );
        }
        faults.extend(self.soon.first);
        for counted in [self.incomplete, self.unknown, self.ttl] {
            counted.tell(faults);
        }
        if is_sample {
            let (verified, rrsets) = (self.verified, work.rrsets);
            let message = format!("the signatures of {verified} of {rrsets} RRsets were verified, drawn at random");
            let help = "nssd check-zone verifies those of all";
            faults.push(Fault::new(&rules::SAMPLED_SIGNATURES, zone.apex(), RType::SOA, message, help));
        }
    }
}

/// A time as people say it, in its largest unit.
#[derive(Clone, Copy)]
pub(super) struct Span(pub(super) u32);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
        let (size, word) = units.into_iter().find(|(size, _)| self.0 >= *size).unwrap_or((1, "second"));
        let count = self.0 / size;
        write!(f, "{count} {word}{}", if count == 1 { "" } else { "s" })
    }
}
