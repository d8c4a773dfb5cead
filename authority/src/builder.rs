//! Records in, a zone out: sorts, checks and decides everything that can be decided before a query comes.

use core::cmp::Ordering;
use std::ops::Range;

use hashbrown::HashTable;
use nss_wire::record::TTL_MAX;
use nss_wire::{Class, Name, NameBuf, RType, Record, rdata};

use crate::additional;
use crate::arena::{APEX_AT, NODE_OVERHEAD, Node, NodeKind, RECORD_HEADER_SIZE, RRSET_OVERHEAD, Writer};
use crate::check;
use crate::finding::{Finding, FindingKind, Findings};
use crate::lookup;
use crate::suffixes::{HashSeed, NameHasher, Suffixes};
use crate::zone::Zone;

/// Records of a zone at most: at 86 octets for an average record they fill the 4 GiB that offsets of 32 bits reach.
pub const RECORD_COUNT_MAX: usize = 50_000_000;

/// Octets of a zone at most, and of its records while it is built: what offsets of 32 bits reach.
pub const ZONE_SIZE_MAX: usize = u32::MAX as usize;

/// Collects the records of one zone, in any order.
///
/// ```
/// use nss_authority::ZoneBuilder;
/// use nss_wire::{Class, NameBuf};
///
/// let apex: NameBuf = "example.".parse().unwrap();
/// let findings = ZoneBuilder::new(apex.as_name(), Class::IN).build().unwrap_err();
/// assert_eq!(findings[0].to_string(), "example.: no SOA record at the apex; add one (RFC 1035 §5.2)");
/// ```
pub struct ZoneBuilder {
    apex: NameBuf,
    class: Class,
    seed: HashSeed,
    /// Owners and RDATA of the staged records.
    bytes: Vec<u8>,
    records: Vec<Staged>,
    findings: Findings,
    /// Whether a limit was passed; the findings say so once.
    is_full: bool,
}

/// A record that waits for the build.
#[derive(Clone, Copy)]
pub(crate) struct Staged {
    owner: u32,
    rdata: u32,
    pub(crate) line: u32,
    pub(crate) ttl: u32,
    rdata_size: u16,
    pub(crate) rtype: RType,
}

impl ZoneBuilder {
    /// A zone without records.
    ///
    /// It is hashed without a secret, which is right for zones that are only checked. A zone to be served has the seed
    /// of its catalog: [`Catalog::zone_builder`](crate::Catalog::zone_builder) or [`ZoneBuilder::with_seed`].
    pub fn new(apex: Name<'_>, class: Class) -> ZoneBuilder {
        ZoneBuilder {
            apex: apex.to_buf(),
            class,
            seed: HashSeed::new(0),
            bytes: Vec::new(),
            records: Vec::new(),
            findings: Findings::default(),
            is_full: false,
        }
    }

    /// Hashes the names of the zone with a secret.
    pub fn with_seed(self, seed: HashSeed) -> ZoneBuilder {
        ZoneBuilder { seed, ..self }
    }

    /// Adds a record; `line` is where it came from, 0 if that isn't known.
    ///
    /// What is wrong with the record is told by [`ZoneBuilder::build`].
    pub fn add(&mut self, record: Record<'_>, line: u32) {
        let Record { owner, rtype, class, ttl, rdata } = record;
        if let Some(kind) = self.refusal(&record) {
            return self.findings.push(kind, &owner.to_buf(), line);
        }
        if self.is_full {
            return;
        }
        if self.records.len() == RECORD_COUNT_MAX {
            self.is_full = true;
            return self.findings.push(FindingKind::TooManyRecords { limit: RECORD_COUNT_MAX }, &self.apex, line);
        }
        if self.bytes.len() + owner.wire_len() + rdata.len() > ZONE_SIZE_MAX {
            self.is_full = true;
            return self.findings.push(FindingKind::ZoneTooLarge { limit: ZONE_SIZE_MAX }, &self.apex, line);
        }
        debug_assert_eq!(class, self.class);
        // RFC 2181 §8: a TTL with its most significant bit set counts as zero.
        let in_range = ttl <= TTL_MAX;
        if !in_range {
            self.findings.push(FindingKind::TtlOutOfRange { found: ttl }, &owner.to_buf(), line);
        }
        let owner_at = self.stage_owner(owner);
        let rdata_at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(rdata);
        let ttl = if in_range { ttl } else { 0 };
        let rdata_size = rdata.len() as u16;
        self.records.push(Staged { owner: owner_at, rdata: rdata_at, line, ttl, rdata_size, rtype });
    }

    /// Checks the zone and builds its tables.
    ///
    /// # Errors
    ///
    /// The zone can't be served. All findings are told, errors first, each severity in the order of lines and up to
    /// [`FINDINGS_MAX`](crate::finding::FINDINGS_MAX) of it.
    pub fn build(self) -> Result<(Zone, Vec<Finding>), Vec<Finding>> {
        let ZoneBuilder { apex, class, seed, bytes, records, findings, .. } = self;
        let staged = StagedRecords { bytes, records };
        let mut build = Build {
            estimate: staged.arena_estimate(),
            writer: Writer::with_capacity(staged.arena_estimate()),
            apex: &apex,
            class,
            staged: &staged,
            findings,
            pending: Vec::new(),
            scratch: Vec::new(),
            record_count: 0,
        };
        let fits = build.estimate <= ZONE_SIZE_MAX;
        if !fits {
            build.findings.push(FindingKind::ZoneTooLarge { limit: ZONE_SIZE_MAX }, &apex, 0);
            return Err(build.findings.finish(&apex));
        }
        build.nodes();
        let hasher = seed.hasher();
        let table = hash_nodes(build.writer.bytes(), build.writer.order(), &hasher);
        build.targets(&table, &hasher);
        let Build { writer, findings, record_count, .. } = build;
        let has_errors = findings.has_errors();
        let found = findings.finish(&apex);
        if has_errors {
            return Err(found);
        }
        let node_count = writer.order().len();
        let (arena, order_at) = writer.finish();
        Ok((Zone::assemble(arena, order_at, node_count, table, class, seed, record_count), found))
    }

    /// Why a record can't be in the zone whatever else is.
    fn refusal(&self, record: &Record<'_>) -> Option<FindingKind> {
        if record.class != self.class {
            return Some(FindingKind::ClassMismatch { found: record.class, expected: self.class });
        }
        if !record.owner.is_at_or_below(self.apex.as_name()) {
            return Some(FindingKind::OutsideZone { apex: Box::new(self.apex.clone()) });
        }
        // Type 0 is reserved and no zone's (RFC 6895 §3.1).
        if record.rtype.is_meta() || record.rtype == RType(0) {
            return Some(FindingKind::MetaType(record.rtype));
        }
        if record.rdata.len() > usize::from(u16::MAX) {
            return Some(FindingKind::RRsetTooLarge { rtype: record.rtype, size: record.rdata.len() });
        }
        rdata::check(record.rtype, record.rdata).err().map(|error| FindingKind::Rdata(record.rtype, error))
    }

    /// The offset of the owner's octets, which neighbours share.
    fn stage_owner(&mut self, owner: Name<'_>) -> u32 {
        if let Some(last) = self.records.last() {
            let at = last.owner as usize;
            if self.bytes[at..].starts_with(owner.as_wire()) {
                return last.owner;
            }
        }
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(owner.as_wire());
        at
    }
}

/// All records that came.
pub(crate) struct StagedRecords {
    bytes: Vec<u8>,
    records: Vec<Staged>,
}

impl StagedRecords {
    pub(crate) fn record(&self, i: u32) -> &Staged {
        &self.records[i as usize]
    }

    pub(crate) fn owner(&self, record: &Staged) -> Name<'_> {
        Name::from_wire(&self.bytes[record.owner as usize..]).expect("owners are staged as names").0
    }

    pub(crate) fn rdata(&self, record: &Staged) -> &[u8] {
        &self.bytes[record.rdata as usize..][..usize::from(record.rdata_size)]
    }

    /// Octets of the arena, not less than it will have but for empty non-terminals.
    fn arena_estimate(&self) -> usize {
        let overhead = RECORD_HEADER_SIZE + RRSET_OVERHEAD + NODE_OVERHEAD + 4;
        self.bytes.len() + overhead * self.records.len()
    }

    /// Runs of records with one owner, by the canonical order of their owners.
    fn groups(&self, apex: Name<'_>) -> Groups {
        let mut keys = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        let mut last_owner = None;
        for (i, record) in self.records.iter().enumerate() {
            let i = i as u32;
            if last_owner != Some(record.owner) {
                let start = keys.len();
                push_key(self.owner(record), apex, &mut keys);
                groups.push(Group { key: start..keys.len(), records: i..i });
                last_owner = Some(record.owner);
            }
            groups.last_mut().expect("a group was just pushed").records.end = i + 1;
        }
        groups.sort_by(|a, b| keys[a.key.clone()].cmp(&keys[b.key.clone()]));
        Groups { keys, groups }
    }
}

/// Groups of records, in the canonical order of owners and then of arrival.
struct Groups {
    keys: Vec<u8>,
    groups: Vec<Group>,
}

struct Group {
    key: Range<usize>,
    records: Range<u32>,
}

/// The writing of the arena.
struct Build<'a> {
    apex: &'a NameBuf,
    class: Class,
    staged: &'a StagedRecords,
    findings: Findings,
    estimate: usize,
    writer: Writer,
    /// Targets to be resolved when all nodes are known.
    pending: Vec<Pending>,
    /// The records of the node at hand.
    scratch: Vec<u32>,
    record_count: usize,
}

/// A target that isn't resolved yet.
struct Pending {
    /// Where in the arena its place is.
    at: u32,
    record: u32,
    /// The node of the record.
    node: u32,
}

/// A node that those after it may stand below.
struct Ancestor {
    /// The key of its owner, a prefix of the keys of its descendants.
    key: Range<usize>,
    offset: u32,
    /// What occludes its descendants.
    cut: Option<Cut>,
}

/// The owner of NS records below the apex, or of a DNAME record.
#[derive(Clone, Copy)]
struct Cut {
    node: u32,
    is_dname: bool,
}

impl Build<'_> {
    /// Writes all nodes in canonical order.
    fn nodes(&mut self) {
        let Groups { keys, groups } = self.staged.groups(self.apex.as_name());
        let mut ancestors: Vec<Ancestor> = Vec::new();
        let mut rest = &groups[..];
        if rest.first().is_none_or(|group| !group.key.is_empty()) {
            // Nothing stands at the apex: the checks say what is missing, and its descendants need an ancestor.
            self.scratch.clear();
            let offset = self.node(self.apex.as_name(), None, true);
            ancestors.push(Ancestor { key: 0..0, offset, cut: None });
        }
        while let Some(first) = rest.first() {
            let key = &keys[first.key.clone()];
            let same = rest.iter().take_while(|group| &keys[group.key.clone()] == key).count();
            self.scratch.clear();
            self.scratch.extend(rest[..same].iter().flat_map(|group| group.records.clone()));
            let owner = self.staged.owner(self.staged.record(first.records.start));
            while ancestors.last().is_some_and(|ancestor| !key.starts_with(&keys[ancestor.key.clone()])) {
                ancestors.pop();
            }
            self.empty_non_terminals(owner, &first.key, &keys, &mut ancestors);
            let parent = ancestors.last();
            let outer = parent.and_then(|parent| parent.cut);
            let parent = parent.map(|parent| parent.offset);
            let offset = self.node(owner, outer, key.is_empty());
            self.link_wildcard(owner, offset, parent, outer);
            let cut = outer.or_else(|| self.cut_at(offset));
            ancestors.push(Ancestor { key: first.key.clone(), offset, cut });
            rest = &rest[same..];
        }
    }

    /// Writes the names between the last ancestor and `owner`, which have no records.
    fn empty_non_terminals(&mut self, owner: Name<'_>, key: &Range<usize>, keys: &[u8], ancestors: &mut Vec<Ancestor>) {
        while let Some(parent) = ancestors.last() {
            // One label further than the parent's key.
            let start = key.start + parent.key.len();
            let Some(end) = keys[start..key.end].iter().position(|&octet| octet == LABEL_END) else { return };
            let end = start + end + 1;
            if end == key.end {
                return;
            }
            let left = keys[end..key.end].iter().filter(|&&octet| octet == LABEL_END).count();
            let name = owner.suffix(owner.label_count() - left).expect("the key has no more labels than its owner");
            let (outer, parent) = (parent.cut, parent.offset);
            let kind = if outer.is_some() { NodeKind::Occluded } else { NodeKind::EmptyNonTerminal };
            let link = outer.map_or(0, |cut| cut.node);
            let offset = self.writer.begin_node(kind, 0, link, name.as_wire());
            self.link_wildcard(name, offset, Some(parent), outer);
            ancestors.push(Ancestor { key: key.start..end, offset, cut: outer });
        }
    }

    /// Tells the parent of a `*` about it.
    fn link_wildcard(&mut self, owner: Name<'_>, offset: u32, parent: Option<u32>, outer: Option<Cut>) {
        // Below a cut nothing is synthesized, and the place holds the cut.
        if let (true, Some(parent), None) = (owner.is_wildcard(), parent, outer) {
            self.writer.set_wildcard(parent, offset);
        }
    }

    /// Whether a node occludes what stands below it.
    fn cut_at(&self, offset: u32) -> Option<Cut> {
        let node = Node::at(self.writer.bytes(), offset);
        match node.kind() {
            NodeKind::Delegation => Some(Cut { node: offset, is_dname: false }),
            NodeKind::Dname => Some(Cut { node: offset, is_dname: true }),
            NodeKind::Apex => node.rrset(RType::DNAME).map(|_| Cut { node: offset, is_dname: true }),
            NodeKind::Ordinary | NodeKind::EmptyNonTerminal | NodeKind::Occluded => None,
        }
    }

    /// Writes the node of the records in `scratch`.
    fn node(&mut self, owner: Name<'_>, outer: Option<Cut>, is_apex: bool) -> u32 {
        let staged = self.staged;
        let mut order = std::mem::take(&mut self.scratch);
        // Of one record twice the first is kept: that with the lower TTL (RFC 2181 §5.2).
        order.sort_by(|&a, &b| {
            let (a, b) = (staged.record(a), staged.record(b));
            staged.cmp_at_one_owner(a, b).then(a.ttl.cmp(&b.ttl))
        });
        self.remove_duplicates(&mut order, owner);
        self.record_count += order.len();
        let first_signature = order.partition_point(|&i| staged.record(i).rtype != RType::RRSIG);
        let (data, signatures) = order.split_at(first_signature);
        let has = |rtype| data.iter().any(|&i| staged.record(i).rtype == rtype);
        let kind = match (outer, is_apex) {
            (Some(_), _) => NodeKind::Occluded,
            (None, true) => NodeKind::Apex,
            (None, false) if has(RType::NS) => NodeKind::Delegation,
            (None, false) if has(RType::DNAME) => NodeKind::Dname,
            (None, false) => NodeKind::Ordinary,
        };
        let cut = outer.map(|cut| check::Cut {
            owner: Node::at(self.writer.bytes(), cut.node).owner().to_buf(),
            is_dname: cut.is_dname,
        });
        check::NodeCheck { staged, owner: &owner.to_buf(), kind, cut, data, findings: &mut self.findings }.run();

        let sets = || data.chunk_by(|&a, &b| staged.record(a).rtype == staged.record(b).rtype);
        let covered = |i: u32| staged.covered(staged.record(i));
        let is_orphan = |i: u32| !has(covered(i));
        let orphans: Vec<u32> = signatures.iter().copied().filter(|&i| is_orphan(i)).collect();
        let rrset_count = sets().count() + usize::from(!orphans.is_empty());
        let link = outer.map_or(0, |cut| cut.node);
        let node = self.writer.begin_node(kind, rrset_count as u16, link, owner.as_wire());
        for set in sets() {
            let rtype = staged.record(set[0]).rtype;
            let start = signatures.partition_point(|&i| covered(i) < rtype);
            let end = signatures.partition_point(|&i| covered(i) <= rtype);
            self.rrset(rtype, set, &signatures[start..end], node, owner);
        }
        if !orphans.is_empty() {
            self.rrset(RType::RRSIG, &[], &orphans, node, owner);
        }
        self.scratch = order;
        node
    }

    /// Writes one RRset and the signatures that cover it.
    fn rrset(&mut self, rtype: RType, set: &[u32], signatures: &[u32], node: u32, owner: Name<'_>) {
        let staged = self.staged;
        // RFC 2181 §5.2: different TTLs are an error, and the lowest is the safe reading.
        let ttl = set.iter().map(|&i| staged.record(i).ttl).min().unwrap_or(0);
        check::sizes(staged, rtype, set, owner, &mut self.findings);
        check::sizes(staged, RType::RRSIG, signatures, owner, &mut self.findings);
        let at = self.writer.begin_rrset(rtype, set.len() as u16, signatures.len() as u16);
        for &i in set {
            self.writer.record(rtype, self.class, ttl, staged.rdata(staged.record(i)));
        }
        let signatures_start = self.writer.end_records(&at);
        for &i in signatures {
            let record = staged.record(i);
            self.writer.record(RType::RRSIG, self.class, record.ttl, staged.rdata(record));
        }
        let targets = if additional::has_targets(rtype) { set.len() } else { 0 };
        let first = self.writer.end_rrset(&at, signatures_start, targets);
        let places = (0..targets as u32).map(|n| first + 4 * n);
        self.pending.extend(places.zip(set).map(|(at, &record)| Pending { at, record, node }));
    }

    fn remove_duplicates(&mut self, order: &mut Vec<u32>, owner: Name<'_>) {
        let staged = self.staged;
        order.dedup_by(|&mut later, &mut earlier| {
            let (a, b) = (staged.record(later), staged.record(earlier));
            let is_same = staged.cmp_at_one_owner(a, b).is_eq();
            if is_same {
                self.findings.push(FindingKind::Duplicate(a.rtype), &owner.to_buf(), a.line);
            }
            is_same
        });
    }

    /// Resolves the targets of records now that all nodes are known.
    fn targets(&mut self, table: &HashTable<u32>, hasher: &NameHasher) {
        let apex_labels = self.apex.as_name().label_count();
        let mut suffixes = Suffixes::new();
        // The names that the RRset at hand has led to: its additional data has each once.
        let mut seen: HashTable<Name<'_>> = HashTable::new();
        let mut rrset = None;
        for Pending { at, record, node } in std::mem::take(&mut self.pending) {
            let staged = self.staged;
            let record = staged.record(record);
            let Some(target) = additional::target(record.rtype, staged.rdata(record)) else { continue };
            let name = target.name.unwrap_or_else(|| staged.owner(record));
            if !name.is_at_or_below(self.apex.as_name()) {
                continue;
            }
            suffixes.set(name, hasher);
            // Two NS records of one name are one record.
            if record.rtype != RType::NS {
                if rrset.replace((node, record.rtype)) != Some((node, record.rtype)) {
                    seen.clear();
                }
                let hash = suffixes.hash(suffixes.label_count());
                if seen.find(hash, |other| *other == name).is_some() {
                    continue;
                }
                seen.insert_unique(hash, name, |name| hasher.name(*name));
            }
            if target.name.is_none() {
                self.writer.set_target(at, node);
                continue;
            }
            let arena = self.writer.bytes();
            let found = lookup::in_table(arena, table, &suffixes, apex_labels);
            let owner = Node::at(arena, node);
            let found_node = check::target(record, staged.owner(record), owner, name, found, &mut self.findings);
            if let Some(offset) =
                found_node.filter(|n| target.types.iter().any(|&t| n.rrset(t).is_some())).map(Node::offset)
            {
                self.writer.set_target(at, offset);
            }
        }
    }
}

impl StagedRecords {
    /// The type that a signature covers (RFC 4034 §3.1.1); of other records their own.
    fn covered(&self, record: &Staged) -> RType {
        match (record.rtype, self.rdata(record)) {
            (RType::RRSIG, [high, low, ..]) => RType(u16::from_be_bytes([*high, *low])),
            (rtype, _) => rtype,
        }
    }

    /// SOA, the other types, the signatures by what they cover; within a type the canonical order of RDATA.
    fn cmp_at_one_owner(&self, a: &Staged, b: &Staged) -> Ordering {
        let rank = |record: &Staged| (record.rtype == RType::RRSIG, record.rtype != RType::SOA, self.covered(record));
        rank(a).cmp(&rank(b)).then_with(|| rdata::compare(a.rtype, self.rdata(a), self.rdata(b)))
    }
}

/// The table that finds each node by the hash of its owner.
pub(crate) fn hash_nodes(arena: &[u8], order: &[u32], hasher: &NameHasher) -> HashTable<u32> {
    let hash = |offset: &u32| hasher.name(Node::at(arena, *offset).owner());
    let mut table = HashTable::with_capacity(order.len());
    for &offset in order {
        table.insert_unique(hash(&offset), offset, hash);
    }
    table
}

/// Appends to `keys` octets that sort as owners do in canonical order (RFC 4034 §6.1), the labels of the apex left out.
///
/// Labels go from the right, in lower case, each ended by [`LABEL_END`], which sorts before all octets of labels.
fn push_key(owner: Name<'_>, apex: Name<'_>, keys: &mut Vec<u8>) {
    let mut starts = [0; nss_wire::name::LABEL_COUNT_MAX];
    let mut count = 0;
    let wire = owner.as_wire();
    let mut at = 0;
    while at < wire.len() - apex.wire_len() {
        starts[count] = at;
        count += 1;
        at += 1 + usize::from(wire[at]);
    }
    for &start in starts[..count].iter().rev() {
        let size = usize::from(wire[start]);
        for octet in &wire[start + 1..start + 1 + size] {
            match octet.to_ascii_lowercase() {
                // Two octets for each of the two lowest keep their order, and the end of a label below both.
                low @ (0 | 1) => keys.extend([1, 1 + low]),
                octet => keys.push(octet),
            }
        }
        keys.push(LABEL_END);
    }
}

const LABEL_END: u8 = 0;

const _: () = assert!(APEX_AT > 0, "offset 0 means none");
