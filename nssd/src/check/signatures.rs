//! Whether resolvers that validate would accept a signed zone (RFC 4035 §5.3), and for how long.
//!
//! What such a resolver would take for a forgery is an error: the zone can be served, but nobody who validates sees it. What
//! the parent zone says of the keys is not known here.
//!
//! Each RRset is looked at by itself, so that several threads can do it. Verifying a signature costs some 50 µs, thousands of
//! times what everything else does; so strangers' zones are verified up to a number of signatures, and of larger ones as many
//! that are drawn at random, which their authors cannot know.

mod cds;
mod faults;
mod keys;
mod numbers;
mod rrsig;

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use nss_authority::{DenialFault, DenialFaultKind, NodeKind, RRset, Zone};
use nss_wire::rdata::presentation::Time;
use nss_wire::{Name, RType};
use nss_zonefile::Part;

pub(super) use self::faults::{Fault, Faults};
use self::keys::{Key, Keys, Verdict, algorithm_words};
pub(super) use self::keys::{is_weak, tag};
use self::numbers::{Numbers, Span};
use self::rrsig::{Rrsig, Validity};
use super::proof::{Gap, Signed};
use super::rules;

/// What the check of signatures has to know beyond the zone.
#[derive(Clone, Debug)]
pub struct SignatureOptions {
    /// Seconds since 1970.
    pub now: u64,
    /// Signatures that are verified; of a zone with more of them about as many are drawn at random.
    pub verifications_max: u64,
    /// Threads that verify at once.
    pub threads: usize,
    /// What the signatures are drawn by, fresh for each run and the same for all zones in it.
    pub draw: RandomState,
}

impl SignatureOptions {
    /// For a zone that a stranger sends, on the one thread that it is built on.
    pub fn of_upload(now: u64) -> SignatureOptions {
        SignatureOptions { now, verifications_max: UPLOAD_VERIFICATIONS_MAX, threads: 1, draw: RandomState::new() }
    }

    /// For a zone whose owner waits for the answer: all signatures are verified.
    pub fn of_file(now: u64, threads: usize) -> SignatureOptions {
        SignatureOptions { now, verifications_max: u64::MAX, threads, draw: RandomState::new() }
    }
}

/// All that is wrong or odd in the signatures of a zone, nothing if it is not signed; and what they show about who made it.
pub(super) fn check(zone: &Zone, options: &SignatureOptions) -> (Faults, Option<Signed>) {
    let mut faults = Faults::default();
    if !zone.is_signed() {
        let soa = zone.rrset(zone.apex(), RType::SOA);
        if let Some(rdata) = soa.and_then(|soa| soa.signatures().next()) {
            let message = "the zone has signatures, and no DNSKEY records at its apex";
            let help = "add the DNSKEY records, or remove the signatures";
            faults.push(Fault::at_record(&rules::NO_DNSKEY, zone.apex(), RType::RRSIG, rdata, message, help));
        }
        return (faults, None);
    }
    let names = 0..zone.name_count();
    let work = Work::of(zone, names.clone());
    if work.signatures == 0 {
        let message = "the zone has DNSKEY records, and no signatures";
        let help = "sign it, or remove the DNSKEY records";
        faults.push(Fault::new(&rules::NOT_SIGNED, zone.apex(), RType::DNSKEY, message, help));
        return (faults, None);
    }
    let keys = Keys::read(dnskeys(zone));
    check_keys(zone, &keys, &mut faults);
    cds::check(zone, &mut faults);
    zone.check_denial(|fault| faults.push(denial(&fault)));
    let threads = options.threads.clamp(1, THREADS_MAX).min(names.len());
    let part = names.len().div_ceil(threads);
    let is_drawn = Draw::new(options, work.verifications);
    let (keys, is_drawn) = (&keys, &is_drawn);
    let check = |part: Range<usize>| {
        let mut check = Check {
            zone,
            keys,
            is_drawn,
            now: options.now as u32,
            faults: Faults::default(),
            numbers: Numbers::default(),
            message: Vec::new(),
            good: Vec::new(),
            entry_keys: Vec::new(),
        };
        check.run(part);
        (check.faults, check.numbers, check.entry_keys)
    };
    let (mut numbers, mut entry_keys) = (Numbers::default(), Vec::new());
    std::thread::scope(|scope| {
        let parts = names.clone().step_by(part).map(|start| start..names.end.min(start + part));
        let running: Vec<_> = parts.map(|part| scope.spawn(|| check(part))).collect();
        for thread in running {
            let (found, counted, keys) = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            faults.append(found);
            numbers.append(counted);
            entry_keys.extend(keys);
        }
    });
    let (proved, gap) = (numbers.proved, numbers.gap.take());
    numbers.tell(zone, &work, is_drawn.threshold.is_some(), &mut faults);
    let gap = match work.unsigned {
        Some((owner, rtype)) => Some(Gap::Unsigned { owner: Box::new(owner.to_buf()), rtype }),
        None if work.has_opt_out => Some(Gap::OptOut),
        None if proved < work.rrsets => Some(Gap::NotVerified { rrsets: work.rrsets - proved }),
        None => gap,
    };
    (faults, Some(Signed { apex: zone.apex().to_buf(), entry_keys, gap }))
}

fn dnskeys(zone: &Zone) -> impl Iterator<Item = &[u8]> {
    zone.rrset(zone.apex(), RType::DNSKEY).into_iter().flat_map(RRset::rdatas)
}

/// What there is to say about the keys themselves.
fn check_keys(zone: &Zone, keys: &Keys<'_>, faults: &mut Faults) {
    let apex = zone.apex();
    if keys.all().is_empty() {
        let message = "no DNSKEY record can sign the zone: all lack its flag or are revoked";
        faults.push(Fault::new(&rules::NO_ZONE_KEY, apex, RType::DNSKEY, message, "add the key that signs the zone"));
    }
    for same in keys.all().chunk_by(|one, other| (one.tag, one.algorithm) == (other.tag, other.algorithm)) {
        if same.len() > SAME_TAG_MAX {
            let message = format!(
                "{} DNSKEY records have the tag {}, of which resolvers try {SAME_TAG_MAX} at most",
                same.len(),
                same[0].tag
            );
            let rdata = same[SAME_TAG_MAX].rdata;
            faults.push(Fault::at_record(
                &rules::TOO_MANY_KEYS,
                apex,
                RType::DNSKEY,
                rdata,
                message,
                "remove the keys that sign nothing",
            ));
        }
    }
    for key in keys.all() {
        if is_weak(key.algorithm) {
            let message = format!(
                "the key {} is of {}, whose signatures many resolvers do not count",
                key.tag,
                algorithm_words(key.algorithm)
            );
            let help = "sign with ECDSAP256SHA256 (13)";
            faults.push(
                Fault::at_record(&rules::WEAK_ALGORITHM, apex, RType::DNSKEY, key.rdata, message, help).in_field(2),
            );
        } else if let Some(size) = key.rsa_size.filter(|size| *size < RSA_SIZE_USUAL_MIN) {
            let message = format!("the key {} has {size} bits, where RSA needs {RSA_SIZE_USUAL_MIN}", key.tag);
            let help = "make a longer key, or sign with ECDSAP256SHA256 (13)";
            faults.push(Fault::at_record(&rules::WEAK_KEY, apex, RType::DNSKEY, key.rdata, message, help).in_field(3));
        }
    }
}

/// The same as a fault of the zone's signatures.
fn denial(fault: &DenialFault) -> Fault {
    let (rule, rtype) = match &fault.kind {
        DenialFaultKind::TypeNotListed { record, .. } | DenialFaultKind::TypeListed { record, .. } => {
            (&rules::DENIED_TYPES, *record)
        }
        DenialFaultKind::NothingDenies => (&rules::BROKEN_CHAIN, RType::DNSKEY),
        DenialFaultKind::SeveralNsecs | DenialFaultKind::NsecNext { .. } => (&rules::BROKEN_CHAIN, RType::NSEC),
        DenialFaultKind::Nsec3Next | DenialFaultKind::Nsec3OfNothing | DenialFaultKind::Nsec3Flags => {
            (&rules::BROKEN_CHAIN, RType::NSEC3)
        }
        // At no record of its own.
        _ => (&rules::BROKEN_CHAIN, RType::ANY),
    };
    Fault::new(rule, fault.owner.as_name(), rtype, fault.kind.to_string(), SIGN_AGAIN)
}

/// Whether the zone has to have a signature of an RRset (RFC 4035 §2.2): not of what is a child's, nor of glue.
fn is_to_be_signed(kind: NodeKind, rrset: RRset<'_>) -> bool {
    let rtype = rrset.rtype();
    !rrset.is_empty()
        && rtype != RType::RRSIG
        && match kind {
            NodeKind::Apex | NodeKind::Ordinary | NodeKind::EmptyNonTerminal | NodeKind::Dname => true,
            NodeKind::Delegation => matches!(rtype, RType::DS | RType::NSEC | RType::NSEC3),
            // Below a DNAME record at the apex (RFC 5155 §3).
            NodeKind::Occluded => rtype == RType::NSEC3,
        }
}

/// How much there is to verify.
#[derive(Default)]
struct Work<'z> {
    rrsets: u64,
    signatures: u64,
    /// Verifications that it may take.
    verifications: u64,
    /// The first records that have no signature and need none.
    unsigned: Option<(Name<'z>, RType)>,
    /// Whether delegations may be missing in the NSEC3 records (RFC 5155 §3.1.2.1).
    has_opt_out: bool,
}

impl<'z> Work<'z> {
    fn of(zone: &'z Zone, names: Range<usize>) -> Work<'z> {
        let mut work = Work::default();
        for (owner, kind, rrset) in zone.rrsets(names) {
            if is_to_be_signed(kind, rrset) {
                work.rrsets += 1;
                work.signatures += rrset.signature_count() as u64;
                work.verifications += rrset.signature_count().min(ATTEMPTS_MAX) as u64;
                work.has_opt_out |= rrset.rtype() == RType::NSEC3
                    && rrset.rdatas().any(|rdata| rdata.get(1).is_none_or(|flags| flags & 1 > 0));
            } else if !rrset.is_empty() && rrset.rtype() != RType::RRSIG {
                work.unsigned.get_or_insert((owner, rrset.rtype()));
            }
        }
        work
    }
}

/// Which RRsets are verified.
struct Draw<'o> {
    options: &'o SignatureOptions,
    /// Of hashes, those below; `None` for all.
    threshold: Option<u64>,
}

impl<'o> Draw<'o> {
    fn new(options: &'o SignatureOptions, verifications: u64) -> Draw<'o> {
        let max = options.verifications_max;
        let threshold =
            (verifications > max).then(|| (u128::from(max) * u128::from(u64::MAX) / u128::from(verifications)) as u64);
        Draw { options, threshold }
    }

    fn has(&self, owner: Name<'_>, kind: NodeKind, rtype: RType) -> bool {
        let Some(threshold) = self.threshold else { return true };
        // Without these nothing of the zone is believed.
        let is_needed = kind == NodeKind::Apex && matches!(rtype, RType::SOA | RType::NS | RType::DNSKEY);
        is_needed || self.options.draw.hash_one((owner.as_wire(), rtype.0)) < threshold
    }
}

/// The check of some names.
struct Check<'a> {
    zone: &'a Zone,
    keys: &'a Keys<'a>,
    is_drawn: &'a Draw<'a>,
    now: u32,
    faults: Faults,
    numbers: Numbers,
    message: Vec<u8>,
    /// Algorithms with a good signature of the RRset at hand.
    good: Vec<u8>,
    /// RDATA of the keys that sign all keys.
    entry_keys: Vec<Box<[u8]>>,
}

/// Why a signature is none, the nearer to a good one the later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Signer,
    Labels,
    NoKey,
    Before(u32),
    After(u32),
    Wrong,
    TooMany,
}

impl<'a> Check<'a> {
    fn run(&mut self, names: Range<usize>) {
        let zone = self.zone;
        for (owner, kind, rrset) in zone.rrsets(names) {
            if is_to_be_signed(kind, rrset) {
                self.rrset(owner, kind, rrset);
            } else if rrset.rtype() == RType::RRSIG {
                self.numbers.stray(owner, RType::RRSIG);
            }
        }
    }

    fn rrset(&mut self, owner: Name<'_>, kind: NodeKind, rrset: RRset<'_>) {
        let is_drawn = self.is_drawn.has(owner, kind, rrset.rtype());
        let is_keys = kind == NodeKind::Apex && rrset.rtype() == RType::DNSKEY;
        // A `*` does not count, so that what a wildcard stands for has the same signature (RFC 4034 §3.1.3).
        let labels = owner.label_count() - usize::from(owner.is_wildcard());
        let (mut nearest, mut left, mut odd_ttl, mut attempts) = (None, None, None, 0);
        let (mut has_entry_point, mut is_verified, mut is_proved, mut not_verified) = (false, false, false, None);
        self.good.clear();
        let mut has_other_ttl = rrset.signature_count() > 0 && rrset.signature_ttl() != rrset.ttl();
        for signature in rrset.signatures().filter_map(Rrsig::read) {
            let outcome = self.signature(owner, labels, rrset, &signature, is_drawn, &mut attempts);
            match outcome {
                Ok((seconds, key, verdict)) => {
                    if !self.good.contains(&signature.algorithm) {
                        self.good.push(signature.algorithm);
                    }
                    has_entry_point |= key.is_entry_point;
                    if is_drawn && verdict == Verdict::Good && !is_weak(key.algorithm) {
                        is_proved = true;
                        if is_keys && !self.entry_keys.iter().any(|known| **known == *key.rdata) {
                            self.entry_keys.push(key.rdata.into());
                        }
                    }
                    match verdict {
                        Verdict::Unknown => {
                            not_verified = Some((signature, key));
                            self.numbers.stray(owner, rrset.rtype());
                        }
                        Verdict::Good | Verdict::Wrong => is_verified |= is_drawn,
                    }
                    if left.is_none_or(|(longest, _)| seconds > longest) {
                        left = Some((seconds, signature));
                    }
                    has_other_ttl |= signature.original_ttl != rrset.ttl();
                    if signature.original_ttl != rrset.ttl() && odd_ttl.is_none() {
                        odd_ttl = Some(signature);
                    }
                }
                Err(reason) => {
                    self.numbers.stray(owner, rrset.rtype());
                    if nearest.is_none_or(|(other, _)| reason > other) {
                        nearest = Some((reason, signature));
                    }
                }
            }
        }
        if let Some(signature) = odd_ttl {
            self.numbers.ttl.note(|| original_ttl(owner, rrset, &signature));
        }
        if has_other_ttl {
            self.numbers.other_ttl(owner, rrset.rtype());
        }
        match (left, nearest) {
            (Some((seconds, signature)), _) => {
                self.numbers.verified += u64::from(is_verified);
                self.numbers.proved += u64::from(is_proved);
                if let Some((signature, key)) = not_verified {
                    self.numbers.unknown.note(|| unknown(owner, rrset, &signature, key));
                }
                if seconds < EXPIRES_SOON {
                    self.numbers.soon(seconds, || expires_soon(owner, rrset, &signature));
                }
                if self.keys.algorithms().iter().any(|algorithm| !self.good.contains(algorithm)) {
                    self.numbers.incomplete.note(|| incomplete(owner, rrset, self.keys, &self.good));
                }
                if is_keys && self.keys.have_entry_point() && !has_entry_point {
                    let message = "no key with the flag SEP signs the DNSKEY records, and the parent zone points to such a key as a rule";
                    self.faults.push(Fault::new(
                        &rules::NO_KEY_SIGNING_KEY,
                        owner,
                        RType::DNSKEY,
                        message,
                        "sign the DNSKEY records with the key that the parent zone has a DS record of",
                    ));
                }
            }
            (None, Some((reason, signature))) => self.faults.push(bad(owner, rrset, &signature, reason, self.now)),
            (None, None) => {
                let message = format!("the {} records have no signature", rrset.rtype());
                self.faults.push(Fault::new(&rules::MISSING_SIGNATURE, owner, rrset.rtype(), message, SIGN_AGAIN));
            }
        }
    }

    /// For how many seconds a signature is good, and by which key.
    fn signature(
        &mut self,
        owner: Name<'_>,
        labels: usize,
        rrset: RRset<'_>,
        signature: &Rrsig<'_>,
        is_drawn: bool,
        attempts: &mut usize,
    ) -> Result<(u32, &'a Key<'a>, Verdict), Reason> {
        if signature.signer != self.zone.apex() {
            return Err(Reason::Signer);
        }
        if usize::from(signature.labels) != labels {
            return Err(Reason::Labels);
        }
        let keys: &'a [Key<'a>] = self.keys.of(signature.tag, signature.algorithm);
        let first = keys.first().ok_or(Reason::NoKey)?;
        let left = match signature.validity(self.now) {
            Validity::During(left) => left,
            Validity::Before(seconds) => return Err(Reason::Before(seconds)),
            Validity::After(seconds) => return Err(Reason::After(seconds)),
        };
        if !is_drawn {
            return Ok((left, first, if first.is_supported() { Verdict::Good } else { Verdict::Unknown }));
        }
        for (n, key) in keys.iter().enumerate() {
            if *attempts == ATTEMPTS_MAX {
                return Err(Reason::TooMany);
            }
            if n == 0 {
                signature.write_message(owner, rrset, &mut self.message);
            }
            *attempts += usize::from(key.is_supported());
            match key.verify(&self.message, signature.signature) {
                Verdict::Wrong => {}
                verdict @ (Verdict::Good | Verdict::Unknown) => return Ok((left, key, verdict)),
            }
        }
        Err(Reason::Wrong)
    }
}

/// What there is to say about an RRset without a good signature: what is wrong with that which came nearest.
fn bad(owner: Name<'_>, rrset: RRset<'_>, signature: &Rrsig<'_>, reason: Reason, now: u32) -> Fault {
    let Rrsig { tag, algorithm, labels, signer, .. } = *signature;
    let what = format!("the signature of the {} records", rrset.rtype());
    let (rule, field, message) = match reason {
        Reason::Signer => (&rules::UNFIT_SIGNATURE, 7, format!("{what} is by {signer}, and not by the zone")),
        Reason::Labels => (&rules::UNFIT_SIGNATURE, 2, format!("{what} is for a name of {labels} labels")),
        Reason::NoKey => {
            let of = algorithm_words(algorithm);
            (
                &rules::SIGNATURE_WITHOUT_KEY,
                6,
                format!("{what} is by a key {tag} of {of}, which the zone does not have"),
            )
        }
        Reason::Before(seconds) => {
            let from = Time(now.wrapping_add(seconds));
            (&rules::SIGNATURE_NOT_YET_VALID, 5, format!("{what} is valid from {from} on, in {}", Span(seconds)))
        }
        Reason::After(seconds) => {
            let until = Time(now.wrapping_sub(seconds));
            (&rules::EXPIRED_SIGNATURE, 4, format!("{what} expired {} ago, at {until}", Span(seconds)))
        }
        Reason::TooMany => {
            let message = format!(
                "the first {ATTEMPTS_MAX} signatures of the {} records are wrong, and resolvers try no more",
                rrset.rtype()
            );
            (&rules::WRONG_SIGNATURE, 8, message)
        }
        Reason::Wrong => {
            let message = format!("{what} is wrong: the records or the key {tag} are not those of when it was made");
            (&rules::WRONG_SIGNATURE, 8, message)
        }
    };
    Fault::at_record(rule, owner, RType::RRSIG, signature.rdata, message, SIGN_AGAIN).in_field(field)
}

fn original_ttl(owner: Name<'_>, rrset: RRset<'_>, signature: &Rrsig<'_>) -> Fault {
    let (ttl, signed) = (rrset.ttl(), signature.original_ttl);
    let message = format!("the {} records have the TTL {ttl} and were signed with {signed}", rrset.rtype());
    Fault::new(&rules::ORIGINAL_TTL, owner, rrset.rtype(), message, SIGN_AGAIN).in_part(Part::Ttl)
}

fn unknown(owner: Name<'_>, rrset: RRset<'_>, signature: &Rrsig<'_>, key: &Key<'_>) -> Fault {
    let of = match key.rsa_size {
        Some(size) => format!("a key of {size} bits"),
        None => algorithm_words(signature.algorithm),
    };
    let message = format!("the signature of the {} records is of {of}, which is not verified here", rrset.rtype());
    Fault::at_record(&rules::UNKNOWN_ALGORITHM, owner, RType::RRSIG, signature.rdata, message, "").in_field(1)
}

fn expires_soon(owner: Name<'_>, rrset: RRset<'_>, signature: &Rrsig<'_>) -> Fault {
    let message = format!("the signature of the {} records", rrset.rtype());
    Fault::at_record(&rules::EXPIRES_SOON, owner, RType::RRSIG, signature.rdata, message, SIGN_AGAIN).in_field(4)
}

fn incomplete(owner: Name<'_>, rrset: RRset<'_>, keys: &Keys<'_>, good: &[u8]) -> Fault {
    let lacking = keys.algorithms().iter().find(|algorithm| !good.contains(algorithm)).copied().unwrap_or_default();
    let message = format!(
        "the {} records have no good signature of {}, of which the zone has a key",
        rrset.rtype(),
        algorithm_words(lacking)
    );
    Fault::new(
        &rules::INCOMPLETE_ALGORITHM,
        owner,
        rrset.rtype(),
        message,
        "sign all records with each algorithm that the zone has keys of",
    )
}

const SIGN_AGAIN: &str = "sign the zone again as it is now";

/// Signatures of an upload that are verified: all of a zone with 10,000 names, which for P-256 takes some two seconds of one core.
const UPLOAD_VERIFICATIONS_MAX: u64 = 25_000;

/// Threads that verify one zone: more would wait for each other's memory.
const THREADS_MAX: usize = 16;

/// Keys of one tag and algorithm: a signature names no more than these two, so that it may be of any of them. Resolvers try
/// four of them at most since CVE-2023-50387.
const SAME_TAG_MAX: usize = 4;

/// Signatures of one RRset that are verified until one is good. Resolvers try eight to sixteen since CVE-2023-50387.
const ATTEMPTS_MAX: usize = 8;

/// Seconds of validity left that are few: who signs again in time leaves a week, and resolvers keep what they have for a day.
const EXPIRES_SOON: u32 = 3 * 86_400;

/// Bits that an RSA key should have (NIST SP 800-57 part 1 §5.6.1).
const RSA_SIZE_USUAL_MIN: usize = 2048;
