//! Whether a reply proves what a validator wants to see proved, judged by the zone (RFC 4035 §5.4, RFC 5155 §8).
//!
//! Signatures are not looked at: they come with the records that they cover, and the signers are not under test.

use nss_wire::{Name, NameBuf, RType};
use sha1::{Digest, Sha1};

use super::answer::{Answer, Rr};
use super::hosted::{Found, ZoneData};

/// The denials of a reply.
pub(crate) struct Proof<'a> {
    apex: Name<'a>,
    zone: &'a ZoneData,
    nsec: Vec<&'a Rr>,
    nsec3: Vec<Nsec3<'a>>,
}

impl<'a> Proof<'a> {
    /// All that a zone has.
    pub(crate) fn of_zone(apex: Name<'a>, zone: &'a ZoneData) -> Proof<'a> {
        let denials = |rtype| zone.records().filter(move |rr| rr.is(rtype));
        let nsec3 = denials(RType::NSEC3).filter_map(|rr| Nsec3::read(apex, rr)).collect();
        Proof { apex, zone, nsec: denials(RType::NSEC).collect(), nsec3 }
    }

    /// Those of the authority section that are in the zone.
    pub(crate) fn new(apex: Name<'a>, zone: &'a ZoneData, answer: &'a Answer) -> Proof<'a> {
        let denials = |rtype| {
            let of_zone = move |rr: &&Rr| rr.is(rtype) && zone.rrset(rr.owner.as_name(), rtype.0).contains(rr);
            answer.authority.iter().filter(of_zone)
        };
        let nsec3 = denials(RType::NSEC3).filter_map(|rr| Nsec3::read(apex, rr)).collect();
        Proof { apex, zone, nsec: denials(RType::NSEC).collect(), nsec3 }
    }

    /// Whether all is there that has to be said about a name and type: about what there is not, and about the wildcard
    /// that stands for it.
    pub(crate) fn is_complete(&self, name: Name<'_>, qtype: RType) -> bool {
        let lacks = |source: Name<'_>| {
            !self.zone.has_type(source, qtype) && !self.zone.has_type(source, RType::CNAME) && qtype != RType::ANY
        };
        match self.zone.find(self.apex, name) {
            Found::Node(source) if lacks(source.as_name()) => self.denies_type(source.as_name(), qtype),
            Found::Node(_) | Found::Dname(_) => true,
            Found::Cut(cut) if qtype == RType::DS && cut.as_name() == name => {
                self.zone.has_type(name, RType::DS) || self.denies_type(name, RType::DS)
            }
            Found::Cut(cut) => {
                self.zone.has_type(cut.as_name(), RType::DS) || self.denies_type(cut.as_name(), RType::DS)
            }
            Found::Wildcard(source) => {
                if !lacks(source.as_name()) {
                    return self.denies_closer(name, Use::Expansion).is_some();
                }
                self.denies_closer(name, Use::Denial).is_some() && self.denies_type(source.as_name(), qtype)
            }
            Found::Nobody => {
                let wildcard = self.denies_closer(name, Use::Denial).and_then(wildcard);
                wildcard.is_some_and(|wildcard| self.denies_name(wildcard.as_name()))
            }
        }
    }

    /// The longest existing name above or at a name.
    pub(crate) fn encloser<'n>(&self, name: Name<'n>) -> Name<'n> {
        let ancestors = (self.apex.label_count()..=name.label_count()).filter_map(|labels| name.suffix(labels));
        ancestors.take_while(|ancestor| self.zone.has_name(*ancestor)).last().unwrap_or(name)
    }

    /// Whether there is an NSEC3 record for a name; opt-out leaves out empty non-terminals above delegations only.
    pub(crate) fn matches(&self, name: Name<'_>) -> bool {
        self.nsec3.iter().any(|nsec3| nsec3.matches(name))
    }

    /// That the name below the closest encloser on the way to `name` is not there.
    ///
    /// With NSEC3 that is the closest encloser that can be proved (RFC 5155 §7.2.1), which is returned; where a wildcard
    /// answers, the labels of its signature say which it is (§8.8).
    fn denies_closer<'n>(&self, name: Name<'n>, use_of: Use) -> Option<Name<'n>> {
        let encloser = self.encloser(name);
        // The NSEC record that covers the name shows by its neighbours that nothing is between.
        if self.nsec.iter().any(|rr| nsec_covers(rr, name)) {
            return Some(encloser);
        }
        let is_covered = |closer: Name<'_>, opt_out: bool| {
            self.nsec3.iter().any(|nsec3| nsec3.covers(closer) && (nsec3.is_opt_out || !opt_out))
        };
        match use_of {
            Use::Expansion => is_covered(name.suffix(encloser.label_count() + 1)?, false).then_some(encloser),
            Use::Denial => (self.apex.label_count()..=encloser.label_count()).rev().find_map(|labels| {
                let (provable, closer) = (name.suffix(labels)?, name.suffix(labels + 1)?);
                (self.matches(provable) && is_covered(closer, provable != encloser)).then_some(provable)
            }),
        }
    }

    fn denies_name(&self, name: Name<'_>) -> bool {
        self.nsec.iter().any(|rr| nsec_covers(rr, name)) || self.nsec3.iter().any(|nsec3| nsec3.covers(name))
    }

    /// That an existing name has no records of a type and no alias.
    fn denies_type(&self, name: Name<'_>, rtype: RType) -> bool {
        let lacks = |types: &[u8]| !has_type(types, rtype) && (!has_type(types, RType::CNAME) || rtype == RType::CNAME);
        let by_nsec = self.nsec.iter().any(|rr| match next_and_types(rr) {
            Some((_, types)) if rr.owner.as_name() == name => lacks(types),
            // An empty non-terminal: the next name is below it (RFC 4035 §5.4).
            Some((next, _)) => nsec_covers(rr, name) && next.is_below(name),
            None => false,
        });
        let by_hash = self.nsec3.iter().any(|nsec3| nsec3.matches(name) && lacks(nsec3.types));
        // A delegation that opt-out leaves out (RFC 5155 §8.6): its closest provable encloser, and the name below that.
        by_nsec || by_hash || rtype == RType::DS && self.is_opted_out(name)
    }

    fn is_opted_out(&self, name: Name<'_>) -> bool {
        (self.apex.label_count()..name.label_count()).any(|labels| {
            let (Some(encloser), Some(closer)) = (name.suffix(labels), name.suffix(labels + 1)) else { return false };
            self.nsec3.iter().any(|nsec3| nsec3.matches(encloser))
                && self.nsec3.iter().any(|nsec3| nsec3.covers(closer) && nsec3.is_opt_out)
        })
    }
}

/// What it is said for that a name is not there.
#[derive(Clone, Copy)]
enum Use {
    /// A wildcard stands for it.
    Expansion,
    /// There is no answer.
    Denial,
}

fn wildcard(encloser: Name<'_>) -> Option<NameBuf> {
    format!("*.{encloser}").parse().ok()
}

fn next_and_types(nsec: &Rr) -> Option<(Name<'_>, &[u8])> {
    Name::from_wire(&nsec.rdata).ok()
}

/// Whether a name is between the owner and the next name in canonical order, or behind the last one.
fn nsec_covers(nsec: &Rr, name: Name<'_>) -> bool {
    let Some((next, _)) = next_and_types(nsec) else { return false };
    let owner = nsec.owner.as_name();
    owner < name && (name < next || next <= owner)
}

/// An NSEC3 record, read (RFC 5155 §3.2).
struct Nsec3<'a> {
    hash: Vec<u8>,
    next: &'a [u8],
    types: &'a [u8],
    is_opt_out: bool,
    iterations: u16,
    salt: &'a [u8],
}

impl<'a> Nsec3<'a> {
    fn read(apex: Name<'_>, rr: &'a Rr) -> Option<Nsec3<'a>> {
        let (&[1, flags, high, low, salt_size], rest) = rr.rdata.split_first_chunk()? else { return None };
        let (salt, rest) = rest.split_at_checked(salt_size.into())?;
        let (&hash_size, rest) = rest.split_first()?;
        let (next, types) = rest.split_at_checked(hash_size.into())?;
        let owner = rr.owner.as_name();
        let label = owner.labels().next().filter(|_| owner.parent() == Some(apex))?;
        let iterations = u16::from_be_bytes([high, low]);
        Some(Nsec3 { hash: from_base32hex(label)?, next, types, is_opt_out: flags & 1 != 0, iterations, salt })
    }

    /// RFC 5155 §5.
    fn hash_of(&self, name: Name<'_>) -> Vec<u8> {
        let mut hash = name.to_lowercase().as_name().as_wire().to_vec();
        for _ in 0..=self.iterations {
            hash = Sha1::new().chain_update(&hash).chain_update(self.salt).finalize().to_vec();
        }
        hash
    }

    fn matches(&self, name: Name<'_>) -> bool {
        self.hash_of(name) == self.hash
    }

    fn covers(&self, name: Name<'_>) -> bool {
        let hash = self.hash_of(name);
        let (hash, owner) = (hash.as_slice(), self.hash.as_slice());
        if owner < self.next { owner < hash && hash < self.next } else { owner < hash || hash < self.next }
    }
}

/// Whether a type is in a bitmap of windows (RFC 4034 §4.1.2).
fn has_type(mut bitmap: &[u8], rtype: RType) -> bool {
    let [window, low] = rtype.0.to_be_bytes();
    while let [number, size, rest @ ..] = bitmap {
        let Some((bits, behind)) = rest.split_at_checked(usize::from(*size)) else { return false };
        if *number == window {
            return bits.get(usize::from(low / 8)).is_some_and(|octet| octet & (0x80 >> (low % 8)) != 0);
        }
        bitmap = behind;
    }
    false
}

/// Base 32 with the extended hexadecimal alphabet (RFC 4648 §7), without padding.
fn from_base32hex(text: &[u8]) -> Option<Vec<u8>> {
    let (mut octets, mut held, mut bits) = (Vec::new(), 0u32, 0);
    for digit in text {
        held = held << 5 | char::from(*digit).to_digit(32)?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            octets.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Section, sections};
    use super::*;

    const NSEC: &str = "example. 60 SOA ns.example. host.example. 1 2 3 4 5
example. 60 NS ns.example.net.
example. 60 NSEC a.b.example. NS SOA NSEC
a.b.example. 60 TXT x
a.b.example. 60 NSEC *.w.example. TXT NSEC
*.w.example. 60 TXT x
*.w.example. 60 NSEC example. TXT NSEC
";

    /// The hashes are those of `ldns-nsec3-hash`, without salt and iterations.
    const NSEC3: &str = "example. 60 SOA ns.example. host.example. 1 2 3 4 5
example. 60 NS ns.example.net.
sub.example. 60 NS ns.sub.example.
3msev9usmd4br9s97v51r2tdvmr9iqo1.example. 60 NSEC3 1 1 0 - 3msev9usmd4br9s97v51r2tdvmr9iqo1 NS SOA
";

    /// Whether the denials of the owners in `with` prove what is to be said of a name and type.
    fn check(text: &str, name: &str, qtype: RType, with: &[&str]) -> bool {
        let apex: NameBuf = "example".parse().unwrap();
        let zone = ZoneData::read(&apex, text.as_bytes()).unwrap();
        let is_wanted = |rr: &&Rr| rr.is(RType::NSEC) || rr.is(RType::NSEC3);
        let chosen = |rr: &&Rr| with.iter().any(|owner| rr.owner == owner.parse().unwrap());
        let denials: Section = zone.records().filter(is_wanted).filter(chosen).cloned().collect();
        let answer = Answer { authority: denials, ..sections([&[], &[], &[]]) };
        let name: NameBuf = name.parse().unwrap();
        Proof::new(apex.as_name(), &zone, &answer).is_complete(name.as_name(), qtype)
    }

    #[test]
    fn a_name_that_is_not_there_is_denied_with_its_wildcard() {
        assert!(check(NSEC, "c.example", RType::A, &["example", "a.b.example"]));
        assert!(!check(NSEC, "c.example", RType::A, &["a.b.example"]), "nothing says that there is no *.example");
        assert!(!check(NSEC, "c.example", RType::A, &["example"]));
    }

    #[test]
    fn a_type_is_denied_by_the_record_of_the_name_or_one_before_an_empty_non_terminal() {
        assert!(check(NSEC, "a.b.example", RType::A, &["a.b.example"]));
        assert!(!check(NSEC, "a.b.example", RType::A, &["example"]));
        assert!(check(NSEC, "b.example", RType::A, &["example"]));
        assert!(!check(NSEC, "b.example", RType::A, &["a.b.example"]));
    }

    #[test]
    fn a_wildcard_answers_only_where_nothing_is_closer() {
        assert!(check(NSEC, "x.w.example", RType::TXT, &["*.w.example"]));
        assert!(!check(NSEC, "x.w.example", RType::TXT, &["a.b.example"]));
        assert!(check(NSEC, "x.w.example", RType::A, &["*.w.example"]));
        assert!(check(NSEC, "a.b.example", RType::TXT, &[]), "what is there needs no proof");
    }

    #[test]
    fn hashes_deny_in_a_ring() {
        let apex = "3msev9usmd4br9s97v51r2tdvmr9iqo1.example";
        assert!(check(NSEC3, "c.example", RType::A, &[apex]), "one hash covers all others");
        assert!(!check(NSEC3, "c.example", RType::A, &[]));
        assert!(check(NSEC3, "example", RType::A, &[apex]));
        assert!(check(NSEC3, "www.sub.example", RType::A, &[apex]), "the delegation is opted out");
        assert!(!check(&NSEC3.replace(" 1 1 0 ", " 1 0 0 "), "www.sub.example", RType::A, &[apex]));
    }
}
