//! Records in, a zone out: what one name has is put together as it comes, and what depends on other names at the end.

use core::cmp::Ordering;

use nss_wire::record::TTL_MAX;
use nss_wire::{Class, Name, NameBuf, RType, Record, rdata};

use crate::additional;
use crate::arena::{NODE_OVERHEAD, Node, NodeKind, RRSET_OVERHEAD, RRsetAt, Writer};
use crate::build::Build;
use crate::finding::{Finding, FindingKind, Findings, RRSET_SIZE_MAX};
use crate::links::{self, LINK_SIZE};
use crate::order::{self, Both, Keyed};
use crate::rrset::RRset;
use crate::suffixes::{HashSeed, NameHasher};
use crate::table::Table;
use crate::zone::Zone;

/// Records of a zone at most: at 86 octets for an average record they fill the 4 GiB that offsets of 32 bits reach.
pub const RECORD_COUNT_MAX: usize = 50_000_000;

/// Octets of a zone at most: what offsets of 32 bits reach.
pub const ZONE_SIZE_MAX: usize = u32::MAX as usize;

/// New nodes that wait to be put into the table: about as many as a core can wait for at once.
const NEW_MAX: usize = 64;

/// Collects the records of one zone, in any order.
///
/// The records of one name take least time and memory if they come one after the other, as they do in zone files.
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
    pub(crate) apex: NameBuf,
    pub(crate) class: Class,
    pub(crate) hasher: NameHasher,
    pub(crate) apex_hash: u64,
    pub(crate) writer: Writer,
    pub(crate) table: Table,
    /// The nodes in the order of the arena, each with what it is sorted by first.
    pub(crate) nodes: Vec<Keyed>,
    /// Nodes that are not in the table yet, and the hashes of their owners.
    new: Vec<(u64, u32)>,
    pub(crate) lines: RecordLines,
    /// Whether there is an NSEC3 record.
    pub(crate) has_nsec3: bool,
    /// Nodes whose owner had a node before, which their link leads to.
    pub(crate) again: Vec<u32>,
    /// RRsets whose records have different TTLs.
    pub(crate) odd_ttls: Vec<OddTtl>,
    pub(crate) record_count: usize,
    pub(crate) findings: Findings,
    pub(crate) both: Both,
    run: Run,
    /// Those of the RRset at hand.
    links: Vec<u8>,
    /// Whether a limit was passed; the findings say so once.
    is_full: bool,
}

/// The line of each record in the arena, in the arena's order.
#[derive(Default)]
pub(crate) struct RecordLines {
    /// Those behind the last known line are left out.
    lines: Vec<u32>,
    /// Records in the arena.
    records: usize,
}

/// Records of one owner that came one after the other.
#[derive(Default)]
pub(crate) struct Run {
    owner: Vec<u8>,
    records: Vec<Staged>,
    bytes: Vec<u8>,
}

/// A record that waits for its node to be written.
#[derive(Clone, Copy)]
struct Staged {
    rdata: u32,
    rdata_size: u16,
    rtype: RType,
    ttl: u32,
    line: u32,
    /// Whether it is known that the record had another TTL than others of its RRset.
    has_odd_ttl: bool,
}

/// An RRset whose records had different TTLs.
#[derive(Clone, Copy)]
pub(crate) struct OddTtl {
    pub(crate) node: u32,
    pub(crate) rtype: RType,
    /// Of the first record whose TTL is not the lowest.
    pub(crate) line: u32,
    /// Of a record with the lowest TTL.
    pub(crate) lowest_line: u32,
}

impl ZoneBuilder {
    /// A zone without records.
    ///
    /// It is hashed without a secret, so that whoever writes the zone could make its names hard to find. For zones of
    /// strangers, and for zones to be served, there is a seed: [`Catalog::zone_builder`](crate::Catalog::zone_builder)
    /// or [`ZoneBuilder::with_seed`].
    pub fn new(apex: Name<'_>, class: Class) -> ZoneBuilder {
        let hasher = HashSeed::new(0).hasher();
        ZoneBuilder {
            apex: apex.to_buf(),
            class,
            apex_hash: hasher.name(apex),
            hasher,
            writer: Writer::new(),
            table: Table::default(),
            nodes: Vec::new(),
            new: Vec::new(),
            lines: RecordLines::default(),
            has_nsec3: false,
            again: Vec::new(),
            odd_ttls: Vec::new(),
            record_count: 0,
            findings: Findings::default(),
            both: |one, other| {
                one();
                other();
            },
            run: Run::default(),
            links: Vec::new(),
            is_full: false,
        }
    }

    /// Hashes the names of the zone with a secret. Only before the first record.
    ///
    /// # Panics
    ///
    /// If a record was added already.
    pub fn with_seed(self, seed: HashSeed) -> ZoneBuilder {
        assert!(self.run.records.is_empty() && self.lines.records == 0, "the seed comes before the records");
        let hasher = seed.hasher();
        ZoneBuilder { apex_hash: hasher.name(self.apex.as_name()), hasher, ..self }
    }

    /// Has pieces of work that do not depend on each other done by `both`, on two threads for example.
    #[must_use]
    pub fn with_both(self, both: Both) -> ZoneBuilder {
        ZoneBuilder { both, ..self }
    }

    /// Adds a record; `line` is where it came from, 0 if that isn't known.
    ///
    /// What is wrong with the record is told by [`ZoneBuilder::build`].
    pub fn add(&mut self, record: Record<'_>, line: u32) {
        let Record { owner, rtype, class, ttl, rdata } = record;
        let is_new = self.run.owner != owner.as_wire();
        if let Some(kind) = self.refusal(&record, is_new) {
            return self.findings.push(kind, &owner.to_buf(), line);
        }
        if self.is_full {
            return;
        }
        if is_new {
            self.flush();
            self.run.owner.extend_from_slice(owner.as_wire());
        }
        if self.lines.records + self.run.records.len() >= RECORD_COUNT_MAX {
            self.is_full = true;
            return self.findings.push(FindingKind::TooManyRecords { limit: RECORD_COUNT_MAX }, &self.apex, line);
        }
        let size = self.writer.len() + self.run.size_max() + rdata.len() + RRSET_OVERHEAD;
        if size > ZONE_SIZE_MAX {
            self.is_full = true;
            return self.findings.push(FindingKind::ZoneTooLarge { limit: ZONE_SIZE_MAX }, &self.apex, line);
        }
        debug_assert_eq!(class, self.class);
        // RFC 2181 §8: a TTL with its most significant bit set counts as zero.
        let in_range = ttl <= TTL_MAX;
        if !in_range {
            self.findings.push(FindingKind::TtlOutOfRange { found: ttl }, &owner.to_buf(), line);
        }
        self.run.push(rtype, if in_range { ttl } else { 0 }, rdata, line, false);
    }

    /// Checks the zone and builds its tables.
    ///
    /// # Errors
    ///
    /// The zone can't be served. All findings are told, errors first, each severity in the order of lines and up to
    /// [`FINDINGS_MAX`](crate::finding::FINDINGS_MAX) of it.
    pub fn build(mut self) -> Result<(Zone, Vec<Finding>), Vec<Finding>> {
        self.flush();
        self.enter();
        Build::new(self).run()
    }

    /// Whether a record with this owner was added, one of this type if there is one.
    ///
    /// It costs least when no more records are added.
    pub fn has(&mut self, owner: Name<'_>, rtype: Option<RType>) -> bool {
        if !owner.is_at_or_below(self.apex.as_name()) {
            return false;
        }
        self.flush();
        self.enter();
        let bytes = self.writer.bytes();
        let is_it = |offset| Node::at(bytes, offset).owner() == owner;
        let mut next = self.table.slots().find(self.hash(owner), is_it);
        // The nodes of one owner are linked as long as the zone is not built.
        while let Some(node) = next {
            let fits = |rrset: RRset<'_>| rtype.is_none_or(|rtype| rrset.rtype() == rtype && !rrset.is_empty());
            if Node::at(bytes, node).rrsets().any(fits) {
                return true;
            }
            next = Some(self.writer.link(node)).filter(|&before| before > 0);
        }
        false
    }

    /// Why a record can't be in the zone whatever else is.
    fn refusal(&self, record: &Record<'_>, is_new: bool) -> Option<FindingKind> {
        if record.class != self.class {
            return Some(FindingKind::ClassMismatch { found: record.class, expected: self.class });
        }
        // The owner of a run was looked at with its first record.
        if is_new && !record.owner.is_at_or_below(self.apex.as_name()) {
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

    /// Writes the node of the records that came last.
    fn flush(&mut self) {
        if self.run.records.is_empty() {
            return self.run.owner.clear();
        }
        let owner = Name::from_wire(&self.run.owner).expect("the owner was a name when it came").0;
        let hash = self.hash(owner);
        let key = order::first_key(owner.as_wire(), self.apex.as_name().wire_len());
        let node = self.write_run();
        self.nodes.push((key, node));
        self.new.push((hash, node));
        if self.new.len() == NEW_MAX {
            self.enter();
        }
    }

    /// Puts the new nodes into the table, all at once, because most of the time goes into waiting for its memory.
    fn enter(&mut self) {
        let ZoneBuilder { writer, table, new, again, .. } = self;
        table.approach(new.iter().map(|(hash, _)| *hash));
        for (hash, node) in new.drain(..) {
            let bytes = writer.bytes();
            let owner = Node::at(bytes, node).owner();
            match table.slots().find(hash, |offset| Node::at(bytes, offset).owner() == owner) {
                Some(before) => {
                    writer.set_link(node, before);
                    table.replace(hash, before, node);
                    again.push(node);
                }
                None => table.insert(hash, node),
            }
        }
    }

    /// The hash of a name in the zone.
    pub(crate) fn hash(&self, name: Name<'_>) -> u64 {
        self.hasher.below(self.apex_hash, name, self.apex.as_name().wire_len())
    }

    /// Takes an earlier record up again, to be written with others of its owner by [`ZoneBuilder::write_run`].
    pub(crate) fn stage_again(&mut self, rtype: RType, ttl: u32, rdata: &[u8], line: u32, has_odd_ttl: bool) {
        self.run.push(rtype, ttl, rdata, line, has_odd_ttl);
    }

    /// Starts a run of earlier records.
    pub(crate) fn begin_again(&mut self, owner: Name<'_>) {
        self.run.owner.extend_from_slice(owner.as_wire());
    }

    /// Writes a node for the records at hand, and makes room for other records.
    pub(crate) fn write_run(&mut self) -> u32 {
        let mut run = std::mem::take(&mut self.run);
        let wire = std::mem::take(&mut run.owner);
        let owner = Name::from_wire(&wire).expect("the owner was a name when it came").0;
        self.sort(&mut run, owner);
        self.record_count += run.records.len();
        let first_signature = run.records.partition_point(|record| record.rtype != RType::RRSIG);
        let (data, signatures) = run.records.split_at(first_signature);
        let node = self.writer.begin_node(NodeKind::Ordinary, owner);
        let mut count: u16 = 0;
        let mut signatures = signatures;
        // Both are in the order of types, the SOA record first.
        let mut sets = data.chunk_by(|a, b| a.rtype == b.rtype).peekable();
        loop {
            let covered = signatures.first().map(|record| run.covered(record));
            let (set, rtype) = match (sets.peek(), covered) {
                (None, None) => break,
                (Some(set), Some(covered)) if rank(covered) < rank(set[0].rtype) => (&[][..], covered),
                (Some(set), _) => {
                    let set = *set;
                    sets.next();
                    (set, set[0].rtype)
                }
                (None, Some(covered)) => (&[][..], covered),
            };
            let split = signatures.partition_point(|record| rank(run.covered(record)) <= rank(rtype));
            let (own, rest) = signatures.split_at(split);
            signatures = rest;
            match count.checked_add(1) {
                Some(next) if self.rrset(&run, set, own, node, owner) => count = next,
                Some(_) => {}
                None => {
                    let line = set.first().or(own.first()).map_or(0, |record| record.line);
                    self.findings.push(FindingKind::TooManyTypes { limit: count.into() }, &owner.to_buf(), line);
                    break;
                }
            }
        }
        self.writer.set_rrset_count(node, count);
        run.owner = wire;
        run.clear();
        self.run = run;
        node
    }

    /// Writes one RRset and the signatures that cover it, if they fit into messages.
    fn rrset(&mut self, run: &Run, set: &[Staged], signatures: &[Staged], node: u32, owner: Name<'_>) -> bool {
        let fits = self.fits(run, set, owner) & self.fits(run, signatures, owner);
        if !fits {
            return false;
        }
        let rtype = set.first().map_or(RType::RRSIG, |record| record.rtype);
        self.has_nsec3 |= rtype == RType::NSEC3;
        let ttl = self.ttl(set, node);
        let mut at = self.writer.begin_rrset(rtype, set.len() as u16, ttl);
        self.records(run, set, &at);
        if !signatures.is_empty() {
            let ttl = self.ttl(signatures, node);
            self.writer.begin_signatures(&mut at, signatures.len() as u16, ttl);
            self.records(run, signatures, &at);
        }
        if additional::has_targets(rtype) && set.iter().any(|record| self.leads_into_zone(run, record, owner)) {
            self.writer.add_targets(&at);
        }
        links::find(owner, rtype, set.iter().map(|record| run.rdata(record)), &mut self.links);
        if !self.links.is_empty() {
            self.writer.add_links(&at, &self.links);
        }
        true
    }

    fn records(&mut self, run: &Run, set: &[Staged], at: &RRsetAt) {
        for record in set {
            self.writer.rdata(run.rdata(record));
            self.lines.push(record.line);
        }
        self.writer.end_part(at);
    }

    /// The TTL of records of one type: different ones are an error, and the lowest is the safe reading (RFC 2181 §5.2).
    fn ttl(&mut self, set: &[Staged], node: u32) -> u32 {
        let ttl = set.iter().map(|record| record.ttl).min().unwrap_or(0);
        if let Some(odd) = set.iter().find(|record| record.ttl != ttl || record.has_odd_ttl)
            && odd.rtype != RType::RRSIG
        {
            let lowest = set.iter().find(|record| record.ttl == ttl && !record.has_odd_ttl);
            let lowest_line = lowest.map_or(0, |record| record.line);
            self.odd_ttls.push(OddTtl { node, rtype: odd.rtype, line: odd.line, lowest_line });
        }
        ttl
    }

    /// Whether records of one owner and type fit into a message.
    fn fits(&mut self, run: &Run, set: &[Staged], owner: Name<'_>) -> bool {
        // The owner is a compression pointer to the question.
        let header = 2 + crate::arena::RECORD_HEADER_SIZE;
        let size: usize = set.iter().map(|record| header + usize::from(record.rdata_size)).sum();
        let question = owner.wire_len() + 4;
        let Some(first) = set.first().filter(|_| size + question > RRSET_SIZE_MAX) else { return true };
        debug_assert_eq!(run.rdata(first).len(), usize::from(first.rdata_size));
        self.findings.push(FindingKind::RRsetTooLarge { rtype: first.rtype, size }, &owner.to_buf(), first.line);
        false
    }

    fn leads_into_zone(&self, run: &Run, record: &Staged, owner: Name<'_>) -> bool {
        additional::target(record.rtype, run.rdata(record))
            .is_some_and(|target| target.name.unwrap_or(owner).is_at_or_below(self.apex.as_name()))
    }

    /// Sorts the records of a run and drops what is there twice.
    fn sort(&mut self, run: &mut Run, owner: Name<'_>) {
        if run.records.len() < 2 {
            return;
        }
        let mut records = std::mem::take(&mut run.records);
        // Of one record twice the first is kept: that with the lower TTL (RFC 2181 §5.2).
        records.sort_by(|a, b| run.compare(a, b).then(a.ttl.cmp(&b.ttl)).then(a.line.cmp(&b.line)));
        records.dedup_by(|later, earlier| {
            let is_same = run.compare(later, earlier).is_eq();
            if is_same {
                let kind = FindingKind::Duplicate(later.rtype);
                self.findings.push_related(kind, &owner.to_buf(), later.line, earlier.line);
            }
            is_same
        });
        run.records = records;
    }
}

impl RecordLines {
    /// Adds the line of one more record, 0 if it isn't known.
    fn push(&mut self, line: u32) {
        if line > 0 {
            self.lines.resize(self.records, 0);
            self.lines.push(line);
        }
        self.records += 1;
    }

    /// Whether any line is known.
    pub(crate) fn are_known(&self) -> bool {
        !self.lines.is_empty()
    }

    /// The line of a record, 0 if it isn't known.
    pub(crate) fn of(&self, record: usize) -> u32 {
        self.lines.get(record).copied().unwrap_or(0)
    }

    /// The lines of `count` records from the `first` on; as many as are known.
    pub(crate) fn of_some(&self, first: usize, count: usize) -> &[u32] {
        let end = self.lines.len().min(first + count);
        self.lines.get(first..end).unwrap_or_default()
    }

    /// Puts the lines of `count` records from the `first` on to a lower place.
    pub(crate) fn move_down(&mut self, first: usize, count: usize, to: usize) {
        let end = self.lines.len().min(first + count);
        if first < end {
            self.lines.copy_within(first..end, to);
        }
        // What stood there were the lines of others.
        let stale = to + end.saturating_sub(first)..(to + count).min(self.lines.len());
        self.lines[stale].fill(0);
    }

    /// Forgets the lines behind those of the first `count` records.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.lines.truncate(count);
        self.records = count;
    }
}

impl Run {
    fn push(&mut self, rtype: RType, ttl: u32, rdata: &[u8], line: u32, has_odd_ttl: bool) {
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(rdata);
        self.records.push(Staged { rdata: at, rdata_size: rdata.len() as u16, rtype, ttl, line, has_odd_ttl });
    }

    /// Octets that the node will have at most.
    fn size_max(&self) -> usize {
        // A size, a target and links for each record, which may also be the only one of its type.
        let record = RRSET_OVERHEAD + 6 + 2 * LINK_SIZE;
        NODE_OVERHEAD + self.owner.len() + self.bytes.len() + record * (self.records.len() + 1)
    }

    fn rdata(&self, record: &Staged) -> &[u8] {
        &self.bytes[record.rdata as usize..][..usize::from(record.rdata_size)]
    }

    /// The type that a signature covers (RFC 4034 §3.1.1); of other records their own.
    fn covered(&self, record: &Staged) -> RType {
        match (record.rtype, self.rdata(record)) {
            (RType::RRSIG, [high, low, ..]) => RType(u16::from_be_bytes([*high, *low])),
            (rtype, _) => rtype,
        }
    }

    /// SOA, the other types, the signatures by what they cover; within a type the canonical order of RDATA.
    fn compare(&self, a: &Staged, b: &Staged) -> Ordering {
        let place = |record: &Staged| (record.rtype == RType::RRSIG, rank(self.covered(record)));
        place(a).cmp(&place(b)).then_with(|| rdata::compare(a.rtype, self.rdata(a), self.rdata(b)))
    }

    fn clear(&mut self) {
        self.owner.clear();
        self.records.clear();
        self.bytes.clear();
    }
}

/// Where the RRset of a type stands in its node: SOA first.
fn rank(rtype: RType) -> (bool, RType) {
    (rtype != RType::SOA, rtype)
}
