//! What NSEC and NSEC3 records prove about a name: that no DS records stand at a cut, or that there is no cut
//! (RFC 4035 §5.4, RFC 5155 §8).

use aws_lc_rs::digest;
use nss_wire::nsec3::{HASH_SIZE, hash_of_owner};
use nss_wire::rdata::presentation::types_in_bitmap;
use nss_wire::{Name, NameBuf, RType};

use super::keys::Keys;
use super::records::Records;
use super::{Budget, Denied, Fault, Limit};

/// The NSEC and NSEC3 records of one reply whose signatures are good.
pub(super) struct Denial<'r> {
    zone: NameBuf,
    nsec: Vec<Nsec<'r>>,
    nsec3: Vec<Nsec3<'r>>,
    /// What all of the NSEC3 records hash with.
    hashing: Option<Hashing<'r>>,
    /// There are NSEC3 records of the zone that hash more often than the limit.
    has_too_many_iterations: bool,
}

struct Nsec<'r> {
    owner: Name<'r>,
    next: Name<'r>,
    types: &'r [u8],
}

struct Nsec3<'r> {
    hash: Hash,
    next: Hash,
    is_opt_out: bool,
    types: &'r [u8],
}

/// How names are hashed (RFC 5155 §3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hashing<'r> {
    iterations: u16,
    salt: &'r [u8],
}

type Hash = [u8; HASH_SIZE];

impl<'r> Denial<'r> {
    /// Reads those that `keys` have signed; what is not signed is left out.
    pub(super) fn read(
        records: &'r Records,
        zone: Name<'_>,
        keys: &Keys,
        now: u64,
        iterations_max: u16,
        budget: &mut Budget,
    ) -> Result<Denial<'r>, Fault> {
        let mut denial = Denial {
            zone: zone.to_buf(),
            nsec: Vec::new(),
            nsec3: Vec::new(),
            hashing: None,
            has_too_many_iterations: false,
        };
        let sets = records.of_type(RType::NSEC).chain(records.of_type(RType::NSEC3));
        // There is one NSEC record at a name (RFC 4034 §4), and one NSEC3 record for each way to hash.
        let single = sets.filter_map(|set| match &set.rdatas[..] {
            [rdata] => Some((set, rdata)),
            _ => None,
        });
        for (set, rdata) in single.take(SETS_MAX) {
            match keys.verify(set, zone, now, budget) {
                Ok(_) if set.rtype == RType::NSEC => denial.nsec.extend(Nsec::read(set.owner.as_name(), rdata)),
                Ok(_) => denial.add_nsec3(set.owner.as_name(), rdata, iterations_max),
                Err(Fault::Bogus(_)) => {}
                Err(Fault::Budget(limit)) => return Err(Fault::Budget(limit)),
            }
        }
        Ok(denial)
    }

    fn add_nsec3(&mut self, owner: Name<'r>, rdata: &'r [u8], iterations_max: u16) {
        if owner.parent().is_none_or(|parent| parent != self.zone.as_name()) {
            return;
        }
        let Some((nsec3, hashing)) = Nsec3::read(owner, rdata) else { return };
        if hashing.iterations > iterations_max {
            self.has_too_many_iterations = true;
        } else if *self.hashing.get_or_insert(hashing) == hashing {
            self.nsec3.push(nsec3);
        }
    }

    /// What the records say about `name`, whose hashes are computed once.
    pub(super) fn about<'d>(&'d self, name: Name<'d>, budget: &mut Budget) -> Result<About<'d, 'r>, Fault> {
        let by_nsec3 = match self.hashing {
            Some(hashing) => self.find(name, hashing, budget)?,
            None => ByNsec3::Nothing,
        };
        Ok(About { denial: self, name, by_nsec3 })
    }

    fn find(&self, name: Name<'_>, hashing: Hashing<'_>, budget: &mut Budget) -> Result<ByNsec3<'_, 'r>, Fault> {
        let mut hash = hashing.hash(name, budget)?;
        if let Some(nsec3) = self.matching(hash) {
            return Ok(ByNsec3::Matches(nsec3));
        }
        let mut closer = name;
        for _ in 0..ENCLOSERS_MAX {
            let Some(above) = closer.parent().filter(|_| closer.is_below(self.zone.as_name())) else { break };
            let hash_above = hashing.hash(above, budget)?;
            if let Some(encloser) = self.matching(hash_above) {
                // What stands below a cut or a DNAME record is not this zone's.
                let may_have_names_below = !is_delegating(encloser.types);
                let cover = self.nsec3.iter().find(|nsec3| may_have_names_below && nsec3.covers(hash));
                return Ok(cover.map_or(ByNsec3::Nothing, ByNsec3::CoversNextCloser));
            }
            (closer, hash) = (above, hash_above);
        }
        Ok(ByNsec3::Nothing)
    }

    /// Whether `name` does not exist, nor the name above it that has one label more than `encloser` (RFC 5155 §8.8).
    pub(super) fn name_below(&self, encloser: usize, name: Name<'_>, budget: &mut Budget) -> Result<bool, Fault> {
        let by_nsec = self.nsec.iter().any(|nsec| nsec.covers(name, self.zone.as_name()));
        let by_nsec3 = match (self.hashing, name.suffix(encloser + 1)) {
            (Some(hashing), Some(closer)) if !by_nsec => {
                let hash = hashing.hash(closer, budget)?;
                self.nsec3.iter().any(|nsec3| nsec3.covers(hash))
            }
            _ => false,
        };
        Ok(by_nsec || by_nsec3 || self.has_too_many_iterations)
    }

    fn matching(&self, hash: Hash) -> Option<&Nsec3<'r>> {
        self.nsec3.iter().find(|nsec3| nsec3.hash == hash)
    }
}

/// What the records of a reply say about one name.
pub(super) struct About<'d, 'r> {
    denial: &'d Denial<'r>,
    name: Name<'d>,
    by_nsec3: ByNsec3<'d, 'r>,
}

/// The NSEC3 record that says something about a name.
enum ByNsec3<'d, 'r> {
    /// It is the name's own.
    Matches(&'d Nsec3<'r>),
    /// It covers the next closer name, which is proven not to exist (RFC 5155 §8.3).
    CoversNextCloser(&'d Nsec3<'r>),
    /// There is none.
    Nothing,
}

impl About<'_, '_> {
    /// That there are no DS records at a cut here; `None` when it is not proven.
    pub(super) fn ds(&self) -> Option<Denied> {
        // The parent's record of a cut has NS and no SOA; with SOA it is the child's, which knows of no DS.
        let is_bare_cut =
            |types: &[u8]| has(types, RType::NS) && ![RType::SOA, RType::DS].iter().any(|&rtype| has(types, rtype));
        let by_nsec = self.denial.nsec.iter().any(|nsec| nsec.owner == self.name && is_bare_cut(nsec.types));
        let by_nsec3 = match self.by_nsec3 {
            ByNsec3::Matches(nsec3) => is_bare_cut(nsec3.types),
            // RFC 5155 §8.6: a span with Opt-Out may hide cuts, of which none has DS records.
            ByNsec3::CoversNextCloser(cover) => cover.is_opt_out,
            ByNsec3::Nothing => false,
        };
        match by_nsec || by_nsec3 {
            true => Some(Denied::Proven),
            false => self.denial.has_too_many_iterations.then_some(Denied::TooManyIterations),
        }
    }

    /// Whether there is no signed cut here: the name has no NS records, or does not exist, or is a wildcard's.
    pub(super) fn has_no_cut(&self) -> bool {
        let zone = self.denial.zone.as_name();
        let by_nsec = self.denial.nsec.iter().any(|nsec| match nsec.owner == self.name {
            true => !has(nsec.types, RType::NS),
            // What stands below a cut or a DNAME record is not this record's to deny (RFC 6840 §4.1).
            false => nsec.covers(self.name, zone) && !(self.name.is_below(nsec.owner) && is_delegating(nsec.types)),
        });
        let by_nsec3 = match self.by_nsec3 {
            ByNsec3::Matches(nsec3) => !has(nsec3.types, RType::NS),
            ByNsec3::CoversNextCloser(_) => true,
            ByNsec3::Nothing => false,
        };
        by_nsec || by_nsec3 || self.denial.has_too_many_iterations
    }
}

impl<'r> Nsec<'r> {
    fn read(owner: Name<'r>, rdata: &'r [u8]) -> Option<Nsec<'r>> {
        let (next, types) = Name::from_wire(rdata).ok()?;
        Some(Nsec { owner, next, types })
    }

    /// Whether `name` does not exist, or has names below it and no records: it stands between the owner and the next name.
    fn covers(&self, name: Name<'_>, zone: Name<'_>) -> bool {
        // The last record's next name is the apex.
        let is_before_next = name < self.next || self.next == zone;
        name.is_below(zone) && self.owner < name && is_before_next
    }
}

impl<'r> Nsec3<'r> {
    fn read(owner: Name<'r>, rdata: &'r [u8]) -> Option<(Nsec3<'r>, Hashing<'r>)> {
        let &[SHA1, flags, high, low, salt_size, ref rest @ ..] = rdata else { return None };
        // RFC 5155 §8.2: other flags may mean anything.
        if flags & !OPT_OUT > 0 {
            return None;
        }
        let (salt, rest) = rest.split_at_checked(usize::from(salt_size))?;
        let (&hash_size, rest) = rest.split_first()?;
        let (next, types) = rest.split_first_chunk::<HASH_SIZE>().filter(|_| usize::from(hash_size) == HASH_SIZE)?;
        let hashing = Hashing { iterations: u16::from_be_bytes([high, low]), salt };
        Some((Nsec3 { hash: hash_of_owner(owner)?, next: *next, is_opt_out: flags & OPT_OUT > 0, types }, hashing))
    }

    fn covers(&self, hash: Hash) -> bool {
        match self.hash < self.next {
            true => self.hash < hash && hash < self.next,
            // The last one goes around to the first; the only one covers all but itself.
            false => self.hash < hash || hash < self.next,
        }
    }
}

impl Hashing<'_> {
    /// RFC 5155 §5.
    fn hash(&self, name: Name<'_>, budget: &mut Budget) -> Result<Hash, Limit> {
        let cost = |size: usize| (size + self.salt.len() + SHA1_PADDING).next_multiple_of(SHA1_BLOCK);
        budget.hash(cost(name.wire_len()) + usize::from(self.iterations) * cost(HASH_SIZE))?;
        let step = |octets: &[u8]| -> Hash {
            let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
            context.update(octets);
            context.update(self.salt);
            let digest = context.finish();
            *digest.as_ref().first_chunk().expect("a digest of SHA-1 has 20 octets")
        };
        let mut hash = step(name.to_lowercase().as_name().as_wire());
        for _ in 0..self.iterations {
            hash = step(&hash);
        }
        Ok(hash)
    }
}

/// Whether a type stands in a bitmap (RFC 4034 §4.1.2).
fn has(types: &[u8], rtype: RType) -> bool {
    types_in_bitmap(types).any(|listed| listed == rtype)
}

/// Whether the names below one with these types are not in the zone, or are aliases.
fn is_delegating(types: &[u8]) -> bool {
    has(types, RType::DNAME) || has(types, RType::NS) && !has(types, RType::SOA)
}

const SHA1: u8 = 1;

/// Octets that SHA-1 takes at a time, and those that it adds at the least (FIPS 180-4 §5).
const SHA1_BLOCK: usize = 64;
const SHA1_PADDING: usize = 9;

/// The flag of a span that may hide cuts without DS records (RFC 5155 §3.1.2.1).
const OPT_OUT: u8 = 1;

/// Names above the one in question that are hashed: all of a name in ip6.arpa (CVE-2023-50868).
const ENCLOSERS_MAX: usize = 34;

/// NSEC and NSEC3 RRsets of one reply that are looked at: no proof needs more than three.
const SETS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    /// A bitmap of types below 256.
    fn types(rtypes: &[RType]) -> Vec<u8> {
        let mut bits = [0u8; 32];
        rtypes.iter().for_each(|rtype| bits[usize::from(rtype.0 / 8)] |= 0x80 >> (rtype.0 % 8));
        [&[0, 32][..], &bits].concat()
    }

    const CUT: [RType; 2] = [RType::NS, RType::NSEC];
    const HOST: [RType; 2] = [RType::A, RType::NSEC];
    const APEX: [RType; 3] = [RType::NS, RType::SOA, RType::NSEC];

    /// What one NSEC record in com. says about example.com: that there is no DS at it, and that there is no cut.
    fn by_nsec(owner: &str, next: &str, rtypes: &[RType]) -> (bool, bool) {
        let (owner, next, types) = (name(owner), name(next), types(rtypes));
        let nsec = Nsec { owner: owner.as_name(), next: next.as_name(), types: &types };
        let denial = Denial {
            zone: name("com"),
            nsec: vec![nsec],
            nsec3: Vec::new(),
            hashing: None,
            has_too_many_iterations: false,
        };
        let example = name("example.com");
        let about = denial.about(example.as_name(), &mut Budget::new(&Limits::default())).unwrap();
        (about.ds().is_some(), about.has_no_cut())
    }

    #[test]
    fn an_nsec_record_at_the_name_denies_what_it_does_not_list() {
        assert_eq!(by_nsec("example.com", "f.com", &CUT), (true, false));
        assert_eq!(by_nsec("example.com", "f.com", &[RType::NS, RType::DS]), (false, false));
        assert_eq!(by_nsec("example.com", "f.com", &HOST), (false, true));
        assert_eq!(by_nsec("example.com", "f.com", &APEX), (false, false), "the child's");
    }

    #[test]
    fn an_nsec_record_around_the_name_denies_the_name_and_no_ds_records_of_a_cut() {
        assert_eq!(by_nsec("d.com", "f.com", &HOST), (false, true));
        assert_eq!(by_nsec("d.com", "com", &HOST), (false, true), "the last one");
        assert_eq!(by_nsec("d.com", "a.example.com", &HOST), (false, true), "an empty non-terminal");
        assert_eq!(by_nsec("com", "f.com", &APEX), (false, true));
        assert_eq!(by_nsec("a.com", "d.com", &HOST), (false, false));
        assert_eq!(by_nsec("f.com", "g.com", &HOST), (false, false));
        assert_eq!(by_nsec("d.com", "example.com", &HOST), (false, false), "which says that it is there");
    }

    #[test]
    fn a_record_above_a_cut_denies_nothing_below_it() {
        let denial = |rtypes: &[RType]| {
            let (owner, next, types) = (name("example.com"), name("f.com"), types(rtypes));
            let nsec = Nsec { owner: owner.as_name(), next: next.as_name(), types: &types };
            let denial = Denial {
                zone: name("com"),
                nsec: vec![nsec],
                nsec3: Vec::new(),
                hashing: None,
                has_too_many_iterations: false,
            };
            let www = name("www.example.com");
            denial.about(www.as_name(), &mut Budget::new(&Limits::default())).unwrap().has_no_cut()
        };
        assert!(denial(&HOST));
        assert!(!denial(&CUT));
        assert!(!denial(&[RType::DNAME]));
    }

    /// What NSEC3 records in com. say about a name; each matches or covers the name at its place.
    fn by_nsec3(records: &[(&str, Place, u8, &[RType])], about: &str) -> (bool, bool) {
        let hashing = Hashing { iterations: 2, salt: &[0xab, 0xcd] };
        let maps: Vec<Vec<u8>> = records.iter().map(|(.., rtypes)| types(rtypes)).collect();
        let nsec3 = records.iter().zip(&maps).map(|(&(at, place, flags, _), types)| {
            let hash = hashing.hash(name(at).as_name(), &mut Budget::new(&Limits::default())).unwrap();
            let beside = |by: i8| {
                let mut hash = hash;
                hash[HASH_SIZE - 1] = hash[HASH_SIZE - 1].wrapping_add_signed(by);
                hash
            };
            let hash = match place {
                Place::At => hash,
                Place::Around => beside(-1),
            };
            Nsec3 { hash, next: beside(1), is_opt_out: flags & OPT_OUT > 0, types }
        });
        let denial = Denial {
            zone: name("com"),
            nsec: Vec::new(),
            nsec3: nsec3.collect(),
            hashing: Some(hashing),
            has_too_many_iterations: false,
        };
        let about = name(about);
        let about = denial.about(about.as_name(), &mut Budget::new(&Limits::default())).unwrap();
        (about.ds().is_some(), about.has_no_cut())
    }

    #[derive(Clone, Copy)]
    enum Place {
        At,
        Around,
    }

    #[test]
    fn rfc_5155_section_8_6_a_match_or_an_opt_out_span_denies_ds_records() {
        use Place::{Around, At};
        let example = "example.com";
        assert_eq!(by_nsec3(&[(example, At, 0, &CUT)], example), (true, false));
        assert_eq!(by_nsec3(&[(example, At, 1, &CUT)], example), (true, false));
        assert_eq!(by_nsec3(&[(example, At, 0, &[RType::NS, RType::DS])], example), (false, false));
        assert_eq!(by_nsec3(&[(example, At, 0, &APEX)], example), (false, false));
        assert_eq!(by_nsec3(&[(example, At, 0, &HOST)], example), (false, true));

        let apex = ("com", At, 0, &APEX[..]);
        assert_eq!(by_nsec3(&[apex, (example, Around, 1, &HOST)], example), (true, true), "hidden or not there");
        assert_eq!(by_nsec3(&[apex, (example, Around, 0, &HOST)], example), (false, true));
        assert_eq!(by_nsec3(&[(example, Around, 1, &HOST)], example), (false, false), "no closest encloser");
        assert_eq!(by_nsec3(&[apex, ("other.com", Around, 1, &HOST)], example), (false, false));
    }

    #[test]
    fn rfc_5155_section_8_3_the_next_closer_name_is_covered_below_an_encloser_that_is_no_cut() {
        use Place::{Around, At};
        let apex = ("com", At, 0, &APEX[..]);
        assert_eq!(by_nsec3(&[apex, ("b.com", Around, 1, &HOST)], "a.b.com"), (true, true));
        assert_eq!(by_nsec3(&[apex, ("a.b.com", Around, 1, &HOST)], "a.b.com"), (false, false), "b.com may be there");
        let encloser = |rtypes: &'static [RType]| ("b.com", At, 0, rtypes);
        assert_eq!(by_nsec3(&[encloser(&HOST), ("a.b.com", Around, 1, &HOST)], "a.b.com"), (true, true));
        assert_eq!(by_nsec3(&[encloser(&CUT), ("a.b.com", Around, 1, &HOST)], "a.b.com"), (false, false));
        assert_eq!(by_nsec3(&[encloser(&[RType::DNAME]), ("a.b.com", Around, 1, &HOST)], "a.b.com"), (false, false));
    }

    #[test]
    fn a_name_is_hashed_once_whatever_is_asked_about_it_and_within_the_budget() {
        let hashing = Hashing { iterations: 150, salt: &[7; 255] };
        let denial = Denial {
            zone: name("com"),
            nsec: Vec::new(),
            nsec3: Vec::new(),
            hashing: Some(hashing),
            has_too_many_iterations: false,
        };
        let deep = name(&format!("{}com", "x.".repeat(60)));
        let limits = Limits::default();
        let mut budget = Budget::new(&limits);
        let about = denial.about(deep.as_name(), &mut budget).unwrap();
        assert_eq!((about.ds(), about.has_no_cut()), (None, false));
        let spent = limits.hashed_octets_max - budget.octets;
        // The name and those above it: 150 times five blocks for 20 octets and the salt, and before that up to seven.
        assert!((35 * (150 * 5 + 5) * 64..=35 * (150 * 5 + 7) * 64).contains(&spent), "{spent}");
        let replies = std::iter::from_fn(|| denial.about(deep.as_name(), &mut budget).ok()).count();
        assert_eq!(replies, 1, "the next would be too many");
    }

    #[test]
    fn rfc_5155_appendix_a_names_are_hashed_with_salt_and_iterations() {
        let hashing = Hashing { iterations: 12, salt: &[0xaa, 0xbb, 0xcc, 0xdd] };
        for (text, label) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.Example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            let hash = hashing.hash(name(text).as_name(), &mut Budget::new(&Limits::default())).unwrap();
            assert_eq!(Some(hash), hash_of_owner(name(label).as_name()), "{text}");
        }
    }
}
