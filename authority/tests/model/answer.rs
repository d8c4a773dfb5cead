//! The answer algorithm of RFC 1034 §4.3.2, as later RFCs leave it, by looking through all records for every question.
//!
//! It knows nothing of what the library builds beforehand: no table of names, no kinds of nodes, no stored targets.

use std::fmt;

use nss_wire::RType;
use nss_wire::message::Rcode;

use super::zone::{Data, Name, Record, Zone};

/// Aliases that are followed, as the library's documentation has it.
const CHAIN_MAX: usize = 16;

/// What an answer must be.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) rcode: Rcode,
    pub(crate) is_authoritative: bool,
    pub(crate) answer: Vec<Item>,
    /// One of these is in the answer section too: of all RRsets at a name, the server picks one (RFC 8482 §4.1).
    pub(crate) picks: Vec<Vec<Item>>,
    pub(crate) authority: Vec<Item>,
    /// What may be in the authority section.
    pub(crate) authority_allowed: Vec<Item>,
    /// Without these the answer is truncated (RFC 9471 §3.1).
    pub(crate) glue: Vec<Item>,
    /// The same with what the server may take for such glue.
    pub(crate) glue_allowed: Vec<Item>,
    /// RRsets that are there if there is room.
    pub(crate) additional: Vec<Vec<Item>>,
    /// What may be in the additional section.
    pub(crate) additional_allowed: Vec<Item>,
}

/// A record of an answer, fit for comparing: names in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) owner: String,
    pub(crate) rtype: u16,
    /// 0 for signatures.
    pub(crate) ttl: u32,
    pub(crate) rdata: Vec<u8>,
}

impl Item {
    pub(crate) fn new(owner: &str, rtype: RType, ttl: u32, rdata: &[u8]) -> Item {
        let ttl = if rtype == RType::RRSIG { 0 } else { ttl };
        Item { owner: owner.to_ascii_lowercase(), rtype: rtype.0, ttl, rdata: rdata.to_ascii_lowercase() }
    }

    /// Octets in a message that compresses nothing.
    pub(crate) fn size(&self) -> usize {
        let owner = if self.owner == "." { 1 } else { self.owner.len() + 1 };
        owner + 10 + self.rdata.len()
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.owner, self.ttl, RType(self.rtype), self.rdata.escape_ascii())
    }
}

/// What is to be answered to a question of class IN.
pub(crate) fn respond(zones: &[Zone], qname: &Name, qtype: RType, wants_signatures: bool) -> Expected {
    let mut expected = Expected {
        rcode: Rcode::NOERROR,
        is_authoritative: true,
        answer: Vec::new(),
        picks: Vec::new(),
        authority: Vec::new(),
        authority_allowed: Vec::new(),
        glue: Vec::new(),
        glue_allowed: Vec::new(),
        additional: Vec::new(),
        additional_allowed: Vec::new(),
    };
    let nearest = |is_candidate: &dyn Fn(&Zone) -> bool| {
        zones.iter().filter(|zone| is_candidate(zone)).max_by_key(|zone| zone.apex.0.len())
    };
    let Some(mut zone) = nearest(&|zone| qname.is_at_or_below(&zone.apex)) else {
        return Expected { rcode: Rcode::REFUSED, is_authoritative: false, ..expected };
    };
    // RFC 4035 §3.1.4.1.
    if qtype == RType::DS && *qname == zone.apex {
        zone = nearest(&|zone| qname.is_below(&zone.apex)).unwrap_or(zone);
    }
    Walk { zone, qtype, wants_signatures, seen: vec![qname.clone()], expected: &mut expected }.run();
    expected
}

struct Walk<'a> {
    zone: &'a Zone,
    qtype: RType,
    wants_signatures: bool,
    /// The name in the question and those that aliases led to.
    seen: Vec<Name>,
    expected: &'a mut Expected,
}

/// Whose records a name has.
enum Source {
    /// Those of the name itself, or of the wildcard that stands for it.
    Owner(Name),
    /// At or below this zone cut.
    Cut(Name),
    /// Below the owner of this DNAME record.
    Dname(Name),
    Nobody,
}

impl Walk<'_> {
    fn run(mut self) {
        while let Some(target) = self.step() {
            let is_loop = self.seen.contains(&target);
            if is_loop || self.seen.len() > CHAIN_MAX || !target.is_at_or_below(&self.zone.apex) {
                return;
            }
            self.seen.push(target);
        }
    }

    /// Answers for the last name seen; returns the name that an alias leads to.
    fn step(&mut self) -> Option<Name> {
        let name = self.seen.last().unwrap().clone();
        match self.source(&name, self.qtype == RType::DS) {
            Source::Owner(source) => self.data(&name, &source),
            Source::Cut(cut) => self.referral(&cut),
            Source::Dname(owner) => self.redirect(&name, &owner),
            Source::Nobody => {
                self.expected.rcode = Rcode::NXDOMAIN;
                self.negative()
            }
        }
    }

    fn source(&self, name: &Name, is_for_ds: bool) -> Source {
        let zone = self.zone;
        if !name.is_at_or_below(&zone.apex) {
            return Source::Nobody;
        }
        let inside = || name.ancestry().filter(|ancestor| ancestor.is_at_or_below(&zone.apex));
        for ancestor in inside() {
            let is_cut = ancestor != zone.apex && zone.has(&ancestor, RType::NS);
            if is_cut && !(ancestor == *name && is_for_ds) {
                return Source::Cut(ancestor);
            }
            if ancestor != *name && zone.has(&ancestor, RType::DNAME) {
                return Source::Dname(ancestor);
            }
        }
        // RFC 4592 §2.2.2: a name exists if it or anything below it has a record.
        let exists = |name: &Name| zone.records.iter().any(|record| record.owner.is_at_or_below(name));
        let closest_encloser = inside().filter(exists).last().expect("the apex exists");
        if closest_encloser == *name {
            return Source::Owner(closest_encloser);
        }
        let wildcard = closest_encloser.child("*");
        if exists(&wildcard) { Source::Owner(wildcard) } else { Source::Nobody }
    }

    /// Steps 3a and 3c.
    fn data(&mut self, name: &Name, source: &Name) -> Option<Name> {
        if let RType::ANY | RType::RRSIG = self.qtype {
            return self.pick(name, source);
        }
        let asked = self.rrset(source, self.qtype, name);
        if !asked.is_empty() {
            // A DNAME may have led to its own owner.
            if !self.expected.answer.contains(&asked[0]) {
                self.expected.answer.extend(asked);
            }
            self.additional(name, source);
            return None;
        }
        let alias = self.zone.at(source).find_map(|record| match &record.data {
            Data::Cname(target) => Some(target.clone()),
            _ => None,
        });
        match alias {
            Some(target) => {
                let cname = self.rrset(source, RType::CNAME, name);
                self.expected.answer.extend(cname);
                Some(target)
            }
            None => self.negative(),
        }
    }

    fn pick(&mut self, name: &Name, source: &Name) -> Option<Name> {
        let mut types: Vec<RType> = self.zone.at(source).map(|record| record.data.rtype()).collect();
        types.retain(|&rtype| rtype != RType::RRSIG);
        if types.contains(&RType::CNAME) {
            types = vec![RType::CNAME];
        }
        if self.qtype == RType::ANY && !types.is_empty() {
            self.expected.picks = types.iter().map(|&rtype| self.rrset(source, rtype, name)).collect();
            return None;
        }
        let covered = |record: &Record| match record.data {
            Data::Rrsig(covered, _) => Some(covered),
            _ => None,
        };
        let mut covered_types: Vec<RType> = self.zone.at(source).filter_map(covered).collect();
        covered_types.sort();
        covered_types.dedup();
        let is_orphan = |rtype: &RType| !self.zone.has(source, *rtype);
        let orphans: Vec<RType> = covered_types.iter().copied().filter(is_orphan).collect();
        let mut picks: Vec<Vec<Item>> =
            covered_types.iter().map(|&rtype| self.signatures(source, rtype, name)).collect();
        // Signatures of nothing may count as one set.
        picks.push(orphans.iter().flat_map(|&rtype| self.signatures(source, rtype, name)).collect());
        if covered_types.is_empty() {
            return self.negative();
        }
        self.expected.picks = picks;
        None
    }

    /// RFC 6672 §3.2.
    fn redirect(&mut self, name: &Name, owner: &Name) -> Option<Name> {
        let is_dname = |record: &&Record| record.data.rtype() == RType::DNAME;
        let record = self.zone.at(owner).find(is_dname).unwrap();
        let Data::Dname(target) = &record.data else { unreachable!() };
        let dname = self.rrset(owner, RType::DNAME, owner);
        let ttl = dname[0].ttl;
        if !self.expected.answer.contains(&dname[0]) {
            self.expected.answer.extend(dname);
        }
        let moved = Name([&name.0[..name.0.len() - owner.0.len()], &target.0[..]].concat());
        if moved.wire().len() > 255 {
            self.expected.rcode = Rcode::YXDOMAIN;
            return None;
        }
        self.expected.answer.push(Item::new(&name.to_string(), RType::CNAME, ttl, &moved.wire()));
        (!matches!(self.qtype, RType::CNAME | RType::ANY)).then_some(moved)
    }

    /// RFC 2308 §2 and §5.
    fn negative(&mut self) -> Option<Name> {
        let apex = &self.zone.apex;
        let minimum = self.zone.at(apex).find_map(|record| match record.data {
            Data::Soa { minimum, .. } => Some(minimum),
            _ => None,
        });
        let mut soa = self.rrset(apex, RType::SOA, apex);
        soa[0].ttl = soa[0].ttl.min(minimum.unwrap());
        self.expected.authority = soa;
        None
    }

    /// Step 3b.
    fn referral(&mut self, cut: &Name) -> Option<Name> {
        if self.seen.len() == 1 {
            self.expected.is_authoritative = false;
        }
        let of_type = |items: Vec<Item>, rtype: RType| items.into_iter().filter(move |item| item.rtype == rtype.0);
        let servers = self.rrset(cut, RType::NS, cut);
        self.expected.authority_allowed.extend(servers.clone());
        self.expected.authority.extend(of_type(servers, RType::NS));
        if self.wants_signatures {
            let ds = self.rrset(cut, RType::DS, cut);
            // RFC 4035 §3.1.4 is about signed zones; nobody minds DS records from others.
            if self.zone.has(&self.zone.apex, RType::DNSKEY) {
                self.expected.authority.extend(ds.clone());
            }
            self.expected.authority_allowed.extend(ds);
        }
        for record in self.zone.at(cut) {
            let Data::Ns(server) = &record.data else { continue };
            for rtype in [RType::A, RType::AAAA] {
                if server.is_at_or_below(cut) {
                    let glue = self.rrset(server, rtype, server);
                    self.expected.glue.extend(of_type(glue.clone(), rtype));
                    self.expected.glue_allowed.extend(glue);
                } else if matches!(self.source(server, false), Source::Owner(source) if source == *cut) {
                    // RFC 4592 §4.2 leaves open what an NS RRset at a wildcard means to the names it stands for.
                    let found = self.rrset(cut, rtype, server);
                    self.expected.glue_allowed.extend(found);
                } else {
                    self.help(server, rtype, true, false);
                }
            }
        }
        None
    }

    /// Step 6, for the RRset of the question's type at `source`, answered as `name`.
    fn additional(&mut self, name: &Name, source: &Name) {
        let addresses = &[RType::A, RType::AAAA][..];
        let (zone, qtype) = (self.zone, self.qtype);
        for record in zone.at(source).filter(|record| record.data.rtype() == qtype) {
            let (target, types) = match &record.data {
                Data::Ns(target) | Data::Mx(_, target) | Data::Srv(_, target) => (target, addresses),
                Data::Naptr("a", target) => (target, addresses),
                Data::Naptr("s", target) => (target, &[RType::SRV][..]),
                Data::Service(rtype, 0, target) => (target, &[*rtype, RType::A, RType::AAAA][..]),
                // RFC 9460 §2.5.2: the root stands for the owner.
                Data::Service(_, _, target) if target.0.is_empty() => {
                    for &rtype in addresses {
                        let found = self.rrset(source, rtype, name);
                        self.expected.additional.push(found);
                    }
                    continue;
                }
                Data::Service(_, _, target) => (target, addresses),
                _ => continue,
            };
            for &rtype in types {
                self.help(target, rtype, qtype == RType::NS, rtype == qtype);
            }
        }
    }

    /// Additional records of a type for a target; `is_server` if glue must be given, `is_optional` if nothing must.
    fn help(&mut self, target: &Name, rtype: RType, is_server: bool, is_optional: bool) {
        // The root is no host but "nothing" (RFC 7505 §3, RFC 2782).
        if target.0.is_empty() {
            return;
        }
        let (found, is_glue) = match self.source(target, false) {
            Source::Owner(source) => (self.rrset(&source, rtype, target), false),
            Source::Cut(_) => (self.rrset(target, rtype, target), true),
            Source::Dname(_) | Source::Nobody => return,
        };
        if is_optional || is_glue && !is_server {
            self.expected.additional_allowed.extend(found);
        } else if is_glue {
            // Glue need not come with signatures, which nobody makes for it.
            self.expected.additional_allowed.extend(found.clone());
            self.expected.additional.push(found.into_iter().filter(|item| item.rtype == rtype.0).collect());
        } else {
            self.expected.additional.push(found);
        }
    }

    /// The RRset of an owner as records of `name`, with its signatures if they are wanted.
    fn rrset(&self, owner: &Name, rtype: RType, name: &Name) -> Vec<Item> {
        let records = || self.zone.at(owner).filter(|record| record.data.rtype() == rtype);
        // RFC 2181 §5.2.
        let ttl = records().map(|record| record.ttl).min().unwrap_or(0);
        let mut datas: Vec<&Data> = Vec::new();
        for record in records() {
            // In types after RFC 4034 §6.2 the letter case of a name makes another record.
            let is_same = |data: &&Data| match data {
                Data::Service(..) => data.wire() == record.data.wire(),
                _ => **data == record.data,
            };
            if !datas.iter().any(is_same) {
                datas.push(&record.data);
            }
        }
        let mut items: Vec<Item> =
            datas.iter().map(|data| Item::new(&name.to_string(), rtype, ttl, &data.wire())).collect();
        if self.wants_signatures && !items.is_empty() {
            items.extend(self.signatures(owner, rtype, name));
        }
        items
    }

    fn signatures(&self, owner: &Name, rtype: RType, name: &Name) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        for record in self.zone.at(owner) {
            let item = Item::new(&name.to_string(), RType::RRSIG, 0, &record.data.wire());
            if matches!(record.data, Data::Rrsig(covered, _) if covered == rtype) && !items.contains(&item) {
                items.push(item);
            }
        }
        items
    }
}
