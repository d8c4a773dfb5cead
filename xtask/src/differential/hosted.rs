//! What all servers hold: the records of the zone files, as they stand there, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use nss_wire::{Class, Name, NameBuf, RType, RecordBuf};

use super::answer::Rr;
use crate::failure::{Failure, Outcome};

/// The zones of a run.
#[derive(Default)]
pub(crate) struct Hosted {
    zones: BTreeMap<NameBuf, ZoneData>,
}

/// A zone as its file has it.
#[derive(Default)]
pub(crate) struct ZoneData {
    rrsets: BTreeMap<(NameBuf, u16), Vec<Rr>>,
    /// Owners and empty non-terminals, those of what is occluded too.
    names: BTreeSet<NameBuf>,
}

impl Hosted {
    /// Takes a zone in the form in which the servers get it.
    pub(crate) fn add(&mut self, apex: &NameBuf, zone: ZoneData) {
        self.zones.insert(apex.clone(), zone);
    }

    pub(crate) fn zone(&self, apex: Name<'_>) -> Option<&ZoneData> {
        self.zones.get(&apex.to_buf())
    }

    /// The zone that a name is in: the one with the longest apex.
    pub(crate) fn zone_of(&self, name: Name<'_>) -> Option<(&NameBuf, &ZoneData)> {
        let suffixes = (0..=name.label_count()).rev().filter_map(|labels| name.suffix(labels));
        suffixes.filter_map(|suffix| self.zones.get_key_value(&suffix.to_buf())).next()
    }

    /// The zone that the parent of an apex is in.
    pub(crate) fn zone_above(&self, apex: Name<'_>) -> Option<(&NameBuf, &ZoneData)> {
        self.zone_of(apex.parent()?)
    }

    /// A name and those that aliases in its zone lead to, one after the other.
    pub(crate) fn chain(&self, qname: Name<'_>) -> Chain {
        let mut chain = Chain { names: vec![qname.to_buf()], ends: true };
        let Some((apex, zone)) = self.zone_of(qname) else { return chain };
        while let Some(target) = zone.alias(apex.as_name(), chain.end()) {
            if chain.names.len() > CHAIN_MAX || chain.names.contains(&target) {
                chain.ends = false;
                break;
            }
            chain.names.push(target);
        }
        chain
    }

    /// Whether a CNAME record of the name's own zone leads to it.
    pub(crate) fn is_alias_for(&self, name: Name<'_>) -> bool {
        let target = name.to_lowercase();
        let leads_there = |rr: &Rr| rr.is(RType::CNAME) && rr.rdata == target.as_name().as_wire();
        self.zone_of(name).is_some_and(|(_, zone)| zone.records().any(leads_there))
    }

    /// All records of an owner and type in any of the zones; those at a cut stand in two of them.
    pub(crate) fn rrset(&self, owner: Name<'_>, rtype: u16) -> impl Iterator<Item = &Rr> {
        let above = self.zones.iter().filter(move |(apex, _)| owner.is_at_or_below(apex.as_name()));
        above.flat_map(move |(_, zone)| zone.rrset(owner, rtype))
    }

    /// Whether a record is in a zone, or made from a wildcard of one, be its TTL what it may.
    pub(crate) fn has(&self, rr: &Rr) -> bool {
        self.sources(rr).next().is_some()
    }

    /// The TTLs that the RRset of a record has in each of the zone files that have the name.
    pub(crate) fn ttls(&self, rr: &Rr) -> Vec<BTreeSet<u32>> {
        let Some(owner) = self.sources(rr).next().map(|source| source.owner.as_name()) else { return Vec::new() };
        let ttls = |zone: &ZoneData| zone.rrset(owner, rr.rtype).iter().map(|rr| rr.ttl).collect();
        self.zones.iter().filter(|(apex, _)| owner.is_at_or_below(apex.as_name())).map(|(_, zone)| ttls(zone)).collect()
    }

    /// The records of zone files that a record of a reply may be, the nearest first.
    fn sources<'a>(&'a self, rr: &'a Rr) -> impl Iterator<Item = &'a Rr> {
        let wildcards = (0..rr.owner.as_name().label_count()).rev().filter_map(|labels| {
            let encloser = rr.owner.as_name().suffix(labels)?;
            format!("*.{}", if encloser.is_root() { String::new() } else { encloser.to_string() }).parse().ok()
        });
        let owners: Vec<NameBuf> = std::iter::once(rr.owner.clone()).chain(wildcards).collect();
        owners.into_iter().flat_map(move |owner| {
            let same = self.zones.iter().filter(|(apex, _)| owner.as_name().is_at_or_below(apex.as_name()));
            let found: Vec<&Rr> = same
                .flat_map(|(_, zone)| zone.rrset(owner.as_name(), rr.rtype))
                .filter(|source| (source.class, &source.rdata) == (rr.class, &rr.rdata))
                .collect();
            found
        })
    }
}

impl ZoneData {
    /// Reads a zone file.
    pub(crate) fn read(apex: &NameBuf, text: &[u8]) -> Outcome<ZoneData> {
        let options = nss_zonefile::Options::for_zone(apex.as_name());
        let records = nss_zonefile::read(text, &options).map_err(|errors| {
            let errors = errors.iter().map(|error| error.report().to_string()).collect::<String>();
            Failure::new(format!("the zone file of {apex} cannot be read:\n{errors}"))
        })?;
        let mut zone = ZoneData::default();
        for (record, _) in records {
            zone.add(apex, rr(&record).map_err(Failure::new)?);
        }
        Ok(zone)
    }

    fn add(&mut self, apex: &NameBuf, rr: Rr) {
        // The owners of NSEC3 records are no names of the zone (RFC 5155 §7.2.8).
        let mut name = Some(rr.owner.as_name()).filter(|_| !rr.is_or_signs(RType::NSEC3));
        while let Some(existing) = name.filter(|name| name.is_at_or_below(apex.as_name())) {
            self.names.insert(existing.to_buf());
            name = existing.parent();
        }
        let rrset = self.rrsets.entry((rr.owner.clone(), rr.rtype)).or_default();
        // One record may be there with several TTLs.
        if !rrset.contains(&rr) {
            rrset.push(rr);
        }
    }

    pub(crate) fn rrset(&self, owner: Name<'_>, rtype: u16) -> &[Rr] {
        self.rrsets.get(&(owner.to_buf(), rtype)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn has_type(&self, owner: Name<'_>, rtype: RType) -> bool {
        !self.rrset(owner, rtype.0).is_empty()
    }

    /// Whether a record is here, be its TTL what it may.
    pub(crate) fn has(&self, rr: &Rr) -> bool {
        self.rrset(rr.owner.as_name(), rr.rtype).iter().any(|own| (own.class, &own.rdata) == (rr.class, &rr.rdata))
    }

    /// Whether a name exists in the sense of RFC 4592 §2.2.2.
    pub(crate) fn has_name(&self, name: Name<'_>) -> bool {
        self.names.contains(&name.to_buf())
    }

    /// Whether each record of another zone is here too; signers may give the SOA record another serial.
    pub(crate) fn has_all_of(&self, other: &ZoneData) -> bool {
        other.records().all(|rr| rr.is(RType::SOA) || self.has(rr))
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &Rr> {
        self.rrsets.values().flatten()
    }
}

/// What a zone has for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The records of the name itself, maybe none.
    Node(NameBuf),
    /// Those of the wildcard that stands for it.
    Wildcard(NameBuf),
    /// It is at or below this zone cut.
    Cut(NameBuf),
    /// It is below the owner of this DNAME record.
    Dname(NameBuf),
    Nobody,
}

/// Names that follow each other by aliases.
pub(crate) struct Chain {
    pub(crate) names: Vec<NameBuf>,
    /// Whether the last one is no alias; they are in a circle otherwise, or too many.
    pub(crate) ends: bool,
}

impl Chain {
    pub(crate) fn end(&self) -> Name<'_> {
        self.names.last().expect("it starts with one").as_name()
    }

    pub(crate) fn has_alias(&self) -> bool {
        self.names.len() > 1
    }
}

/// None of the servers follows more aliases.
const CHAIN_MAX: usize = 16;

impl ZoneData {
    /// What a name is an alias for, by a CNAME or a DNAME record.
    fn alias(&self, apex: Name<'_>, name: Name<'_>) -> Option<NameBuf> {
        if !name.is_at_or_below(apex) {
            return None;
        }
        let target = |owner: &NameBuf, rtype: RType| {
            let rr = self.rrset(owner.as_name(), rtype.0).first()?;
            Name::from_wire_exact(&rr.rdata).ok()
        };
        match self.find(apex, name) {
            Found::Node(owner) | Found::Wildcard(owner) => target(&owner, RType::CNAME).map(|target| target.to_buf()),
            Found::Dname(owner) => name.with_suffix_replaced(owner.as_name(), target(&owner, RType::DNAME)?).ok(),
            Found::Cut(_) | Found::Nobody => None,
        }
    }

    /// RFC 1034 §4.3.2 step 3 with RFC 4592 and RFC 6672.
    pub(crate) fn find(&self, apex: Name<'_>, name: Name<'_>) -> Found {
        let mut encloser = apex;
        for labels in apex.label_count()..=name.label_count() {
            let ancestor = name.suffix(labels).expect("no more labels than there are");
            if !self.has_name(ancestor) {
                break;
            }
            encloser = ancestor;
            if ancestor != apex && self.has_type(ancestor, RType::NS) {
                return Found::Cut(ancestor.to_buf());
            }
            if ancestor != name && self.has_type(ancestor, RType::DNAME) {
                return Found::Dname(ancestor.to_buf());
            }
        }
        if encloser == name {
            return Found::Node(name.to_buf());
        }
        match format!("*.{encloser}").parse::<NameBuf>() {
            Ok(wildcard) if self.has_name(wildcard.as_name()) => Found::Wildcard(wildcard),
            _ => Found::Nobody,
        }
    }
}

fn rr(record: &RecordBuf) -> Result<Rr, String> {
    let mut wire = record.owner.as_name().as_wire().to_vec();
    wire.extend(record.rtype.0.to_be_bytes());
    wire.extend(Class::IN.0.to_be_bytes());
    wire.extend(record.ttl.to_be_bytes());
    wire.extend(u16::try_from(record.rdata.len()).map_err(|_| "the data is too long")?.to_be_bytes());
    wire.extend(&record.rdata);
    Rr::from_wire(&wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "example. 60 IN SOA a.example. b.example. 1 2 3 4 60
example. 60 IN NS ns.test.
a.b.example. 60 IN TXT x
*.b.example. 60 IN CNAME a.old.example.
old.example. 60 IN DNAME b.example.
sub.example. 60 IN NS ns.test.
under.sub.example. 60 IN TXT x
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. 60 IN NSEC3 1 1 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr
";

    fn hosted() -> Hosted {
        let apex: NameBuf = "example".parse().unwrap();
        let mut hosted = Hosted::default();
        hosted.add(&apex, ZoneData::read(&apex, ZONE.as_bytes()).unwrap());
        hosted
    }

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_found_as_the_rfc_has_it() {
        let hosted = hosted();
        let (apex, zone) = hosted.zone_of(name("x.example").as_name()).unwrap();
        for (asked, expected) in [
            ("example", Found::Node(name("example"))),
            ("b.example", Found::Node(name("b.example"))),
            ("A.B.example", Found::Node(name("a.b.example"))),
            ("c.b.example", Found::Wildcard(name("*.b.example"))),
            ("c.a.b.example", Found::Nobody),
            ("x.example", Found::Nobody),
            ("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example", Found::Nobody),
            ("sub.example", Found::Cut(name("sub.example"))),
            ("under.sub.example", Found::Cut(name("sub.example"))),
            ("old.example", Found::Node(name("old.example"))),
            ("x.old.example", Found::Dname(name("old.example"))),
        ] {
            assert_eq!(zone.find(apex.as_name(), name(asked).as_name()), expected, "{asked}");
        }
    }

    #[test]
    fn aliases_are_followed_until_they_end_or_come_back() {
        let hosted = hosted();
        let chain = hosted.chain(name("c.b.example").as_name());
        let names: Vec<String> = chain.names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["c.b.example.", "a.old.example.", "a.b.example."]);
        assert!(chain.ends && chain.has_alias());
        let apex = name("test");
        let mut hosted = Hosted::default();
        hosted
            .add(&apex, ZoneData::read(&apex, b"a.test. 60 IN CNAME b.test.\nb.test. 60 IN CNAME a.test.\n").unwrap());
        assert!(!hosted.chain(name("a.test").as_name()).ends);
    }

    #[test]
    fn a_record_is_there_by_itself_or_by_a_wildcard() {
        let hosted = hosted();
        let (_, zone) = hosted.zone_of(name("example").as_name()).unwrap();
        let cname = zone.rrset(name("*.b.example").as_name(), RType::CNAME.0)[0].clone();
        assert!(hosted.has(&cname) && hosted.has(&Rr { owner: name("x.y.b.example"), ttl: 7, ..cname.clone() }));
        assert!(!hosted.has(&Rr { owner: name("x.example"), ..cname.clone() }));
        assert!(!hosted.has(&Rr { rdata: vec![0], ..cname.clone() }));
        assert_eq!(hosted.ttls(&cname), [BTreeSet::from([60])]);
    }
}
