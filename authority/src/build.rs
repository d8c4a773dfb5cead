//! From the nodes of a zone, as they came, to the zone: what depends on other names is decided here.

use std::collections::BTreeMap;

use hashbrown::HashTable;
use nss_wire::name::NAME_SIZE_MAX;
use nss_wire::{Name, NameBuf, RType};

use crate::additional;
use crate::arena::{NODE_OVERHEAD, NODES_AT, Node, NodeKind, Writer};
use crate::builder::{ZONE_SIZE_MAX, ZoneBuilder};
use crate::check::{self, NodeCheck};
use crate::denial;
use crate::finding::{Finding, FindingKind};
use crate::lookup::{self, InTable, Tables};
use crate::memory::{Header, Places};
use crate::order::{self, Keyed};
use crate::rrset::RRset;
use crate::suffixes::Suffixes;
use crate::table::Slots;
use crate::zone::{Zone, soa_minimum, soa_serial};

/// Nodes that are approached at once: about as many as a core can wait for.
const AHEAD: usize = 32;

/// Nodes that are looked at before the table is: most names have two or three hosts of their own at most.
const BESIDE_MAX: usize = 3;

/// Octets of empty non-terminals by those of the names with records, at most. Names of addresses in ip6.arpa. that stand far from each other
/// have some thirteen times as many as records; names that somebody made up have seventy times as many, and a zone file of 16 MiB made a zone
/// of a gigabyte.
const SHARE_MAX: usize = 16;

/// Octets that names with records count as, if they have fewer.
const SIZE_FREE: usize = 1 << 20;

/// Octets of nodes that others have taken the place of are left where they are up to this part of the arena.
const GAPS_MAX: usize = 16;

/// The end of building a zone.
pub(crate) struct Build {
    builder: ZoneBuilder,
    apex_labels: usize,
    shadows: Vec<Shadow>,
}

/// An empty non-terminal beside a wildcard, which does not cover it.
struct Shadow {
    /// The first node with records below it, which is why it exists.
    below: u32,
    name: u32,
    wildcard: u32,
}

/// A node that those after it may stand below.
struct Ancestor {
    offset: u32,
    labels: usize,
    /// What occludes its descendants.
    cut: Option<u32>,
}

impl Build {
    pub(crate) fn new(builder: ZoneBuilder) -> Build {
        let apex_labels = builder.apex.as_name().label_count();
        Build { builder, apex_labels, shadows: Vec::new() }
    }

    pub(crate) fn run(mut self) -> Result<(Zone, Vec<Finding>), Vec<Finding>> {
        let mut nodes = self.merge();
        let apex = self.apex();
        let both = self.builder.both;
        order::canonical(self.builder.writer.bytes(), &mut nodes, self.builder.apex.as_name(), both);
        // The keys are not needed any more, and the room that they take is.
        let mut sorted: Vec<u32> = nodes.into_iter().map(|(_, node)| node).collect();
        sorted.shrink_to_fit();
        let size_max = self.builder.writer.len().max(SIZE_FREE).saturating_mul(1 + SHARE_MAX).min(ZONE_SIZE_MAX);
        let order = match self.structure(apex, &sorted, size_max) {
            Ok(order) => order,
            Err(deep) => {
                let ZoneBuilder { apex, mut findings, writer, .. } = self.builder;
                let owner = Node::at(writer.bytes(), deep).owner().to_buf();
                findings.push(FindingKind::DeepNames { limit: size_max }, &owner, 0);
                return Err(findings.finish(&apex));
            }
        };
        drop(sorted);
        self.check(apex, order.len());
        let Build { builder, apex_labels, .. } = self;
        let ZoneBuilder {
            apex: apex_name, class, hasher, mut findings, writer, table, record_count, has_nsec3, ..
        } = builder;
        let is_asked_for = |offset| !has_nsec3 || !is_nsec3(Node::at(writer.bytes(), offset));
        let slots = table.finish(is_asked_for);
        let denial = denial::make(writer.bytes(), apex, &order, Slots(&slots));
        let (places, size) = Places::new(writer.len(), order.len(), slots.len(), denial.octets.len());
        if size > ZONE_SIZE_MAX {
            findings.push(FindingKind::ZoneTooLarge { limit: ZONE_SIZE_MAX }, &apex_name, 0);
        }
        let has_errors = findings.has_errors();
        let found = findings.finish(&apex_name);
        if has_errors {
            return Err(found);
        }
        let apex_node = Node::at(writer.bytes(), apex);
        let soa = apex_node.rrset(RType::SOA).expect("a zone without a SOA record has an error");
        let rdata = soa.rdatas().next().unwrap_or_default();
        let header = Header {
            seed: hasher.seed(),
            apex,
            // All of these count what stands in ZONE_SIZE_MAX octets at most.
            slot_count: slots.len() as u32,
            node_count: order.len() as u32,
            record_count: record_count as u32,
            places,
            class,
            apex_labels: apex_labels as u8,
            is_signed: apex_node.rrset(RType::DNSKEY).is_some(),
            denial: denial.kind,
            serial: soa_serial(rdata),
            // RFC 2308 §5: a negative answer lives as long as the smaller of the two.
            negative_ttl: soa.ttl().min(soa_minimum(rdata)),
        };
        Ok((Zone::new(writer.finish(&header, order, &slots, &denial.octets)), found))
    }

    /// Gives each owner one node, and returns all of them in the order of the arena.
    fn merge(&mut self) -> Vec<Keyed> {
        let mut nodes = std::mem::take(&mut self.builder.nodes);
        let again = std::mem::take(&mut self.builder.again);
        if again.is_empty() {
            return nodes;
        }
        let mut linked: Vec<u32> = again.iter().map(|&node| self.builder.writer.link(node)).collect();
        linked.sort_unstable();
        let first_records = self.first_records(&again, &linked);
        let mut merged = Vec::new();
        // The last node of an owner is the one that no other links to. Both are in the order of the arena.
        let mut left = linked.iter().peekable();
        for newest in &again {
            while left.next_if(|node| *node < newest).is_some() {}
            if left.peek() != Some(&newest) {
                merged.push(self.merge_one(*newest, &first_records));
            }
        }
        // What was odd about a merged node is known of the node in its place.
        let ZoneBuilder { writer, odd_ttls, .. } = &mut self.builder;
        odd_ttls.retain(|odd| !Node::at(writer.bytes(), odd.node).is_dead());
        let mut dead = [again, linked].concat();
        dead.sort_unstable();
        dead.dedup();
        let gaps = Gaps::new(writer.bytes(), &dead);
        // Both are in the order of the arena.
        let mut dead = dead.into_iter().peekable();
        nodes.retain(|(_, node)| dead.next_if_eq(node).is_none());
        nodes.append(&mut merged);
        if gaps.size() * GAPS_MAX > self.builder.writer.len() {
            self.compact(&mut nodes, &gaps);
        }
        nodes
    }

    /// Which record of the arena is the first one of each node that shares its owner with another, by the nodes; nothing
    /// if no lines are known, for records are only counted to find these.
    fn first_records(&self, again: &[u32], linked: &[u32]) -> BTreeMap<u32, usize> {
        if !self.builder.lines.are_known() {
            return BTreeMap::new();
        }
        let mut first_records: BTreeMap<u32, usize> = again.iter().chain(linked).map(|&node| (node, 0)).collect();
        let mut record = 0;
        let mut wanted = first_records.iter_mut().peekable();
        let mut at = NODES_AT;
        while at < self.builder.writer.len() {
            let node = Node::at(self.builder.writer.bytes(), at as u32);
            if let Some((_, first)) = wanted.next_if(|(wanted, _)| **wanted == node.offset()) {
                *first = record;
            }
            record += node.rrsets().map(check::parts).sum::<usize>();
            at = node.end();
        }
        first_records
    }

    /// Replaces the nodes of one owner by a node with the records of all of them.
    fn merge_one(&mut self, newest: u32, first_records: &BTreeMap<u32, usize>) -> Keyed {
        let mut chain = vec![newest];
        while let Some(&node) = chain.last()
            && self.builder.writer.link(node) > 0
        {
            chain.push(self.builder.writer.link(node));
        }
        let owner = Node::at(self.builder.writer.bytes(), chain[chain.len() - 1]).owner().to_buf();
        self.builder.begin_again(owner.as_name());
        for &node in chain.iter().rev() {
            self.stage(node, first_records.get(&node).copied().unwrap_or(0));
            self.builder.writer.kill(node);
        }
        let node = self.builder.write_run();
        let hash = self.builder.hash(owner.as_name());
        self.builder.table.replace(hash, newest, node);
        (order::first_key(owner.as_name().as_wire(), self.builder.apex.as_name().wire_len()), node)
    }

    /// Hands the records of a node back to the builder.
    fn stage(&mut self, node: u32, first_record: usize) {
        let builder = &mut self.builder;
        let (mut record, mut staged) = (first_record, Vec::new());
        // Nodes are written one behind the other, so that these are sorted by them, and those of a node by type.
        let first_odd = builder.odd_ttls.partition_point(|odd| odd.node < node);
        let mut odd_ttls = builder.odd_ttls[first_odd..].iter().take_while(|odd| odd.node == node).peekable();
        for rrset in Node::at(builder.writer.bytes(), node).rrsets() {
            let odd = odd_ttls.next_if(|odd| odd.rtype == rrset.rtype);
            let odd_line = odd.map(|odd| odd.line);
            for rdata in rrset.rdatas() {
                let line = builder.lines.of(record);
                staged.push((rrset.rtype, rrset.ttl(), rdata.to_vec(), line, odd_line == Some(line)));
                record += 1;
            }
            for rdata in rrset.signatures() {
                staged.push((RType::RRSIG, rrset.signature_ttl(), rdata.to_vec(), builder.lines.of(record), false));
                record += 1;
            }
        }
        builder.record_count -= staged.len();
        for (rtype, ttl, rdata, line, is_odd) in staged {
            builder.stage_again(rtype, ttl, &rdata, line, is_odd);
        }
    }

    /// Closes the gaps that merged nodes have left; `nodes` are those that stay.
    fn compact(&mut self, nodes: &mut [Keyed], gaps: &Gaps) {
        let ZoneBuilder { writer, lines, table, odd_ttls, .. } = &mut self.builder;
        if lines.are_known() {
            let (mut at, mut record, mut kept) = (NODES_AT, 0, 0);
            while at < writer.len() {
                let node = Node::at(writer.bytes(), at as u32);
                let count = node.rrsets().map(check::parts).sum();
                if !node.is_dead() {
                    lines.move_down(record, count, kept);
                    kept += count;
                }
                record += count;
                at = node.end();
            }
            lines.truncate(kept);
        }
        // Until they are moved, nodes say where they go, which is no search for any of the many that ask. Nothing links to
        // or from the nodes that stay yet.
        let mut passed = 0;
        for (_, node) in &mut *nodes {
            let new = gaps.new_place(*node, &mut passed);
            writer.set_link(*node, new);
        }
        table.relocate(|node| writer.link(node));
        for odd in odd_ttls {
            odd.node = writer.link(odd.node);
        }
        for (_, node) in &mut *nodes {
            let new = writer.link(*node);
            writer.set_link(*node, 0);
            *node = new;
        }
        gaps.close(writer);
    }

    /// The node of the apex; one without records if it has none.
    fn apex(&mut self) -> u32 {
        let builder = &mut self.builder;
        let (bytes, name) = (builder.writer.bytes(), builder.apex.as_name());
        let node = builder.table.slots().find(builder.apex_hash, |offset| Node::at(bytes, offset).owner() == name);
        node.unwrap_or_else(|| {
            let node = builder.writer.begin_node(NodeKind::Apex, builder.apex.as_name());
            builder.table.insert(builder.apex_hash, node);
            node
        })
    }

    /// Decides what each node is, and adds those of empty non-terminals; returns all in canonical order, or the node with
    /// whose empty non-terminals all would have more than `size_max` octets.
    fn structure(&mut self, apex: u32, sorted: &[u32], size_max: usize) -> Result<Vec<u32>, u32> {
        let mut order = Vec::with_capacity(sorted.len() + 1);
        let mut ancestors = vec![Ancestor { offset: apex, labels: self.apex_labels, cut: None }];
        self.builder.writer.set_kind(apex, NodeKind::Apex);
        ancestors[0].cut = self.cut_at(apex);
        order.push(apex);
        for (i, &offset) in sorted.iter().enumerate().filter(|(_, offset)| **offset != apex) {
            if i % AHEAD == 0 {
                self.approach(&sorted[i..sorted.len().min(i + AHEAD)]);
            }
            let bytes = self.builder.writer.bytes();
            let labels = loop {
                let encloser = ancestors.last().expect("all owners are below the apex");
                match labels_below(bytes, offset, encloser.offset) {
                    Some(count) => break encloser.labels + count,
                    None => ancestors.pop(),
                };
            };
            let parent = ancestors.last().expect("all owners are below the apex");
            if labels > parent.labels + 1 {
                if self.builder.writer.len() + (labels - parent.labels) * (NODE_OVERHEAD + NAME_SIZE_MAX) > size_max {
                    return Err(offset);
                }
                self.empty_non_terminals(offset, labels, &mut ancestors, &mut order);
            }
            let parent = ancestors.last().expect("all owners are below the apex");
            let kind = self.kind(offset, parent.cut);
            self.builder.writer.set_kind(offset, kind);
            self.link(offset, parent);
            let cut = parent.cut.or_else(|| self.cut_at(offset));
            ancestors.push(Ancestor { offset, labels, cut });
            order.push(offset);
        }
        Ok(order)
    }

    /// Has nodes come into the cache together, rather than one after the other when each is needed.
    fn approach(&self, nodes: &[u32]) {
        let bytes = self.builder.writer.bytes();
        // The compiler must not leave out a sum that nobody wants.
        std::hint::black_box(nodes.iter().fold(0, |sum, &node| sum ^ bytes[node as usize]));
    }

    /// Writes the names between the last ancestor and a node, which have no records.
    fn empty_non_terminals(&mut self, below: u32, labels: usize, ancestors: &mut Vec<Ancestor>, order: &mut Vec<u32>) {
        let owner = Node::at(self.builder.writer.bytes(), below).owner().to_buf();
        while let Some(parent) = ancestors.last()
            && parent.labels + 1 < labels
        {
            let count = parent.labels + 1;
            let name = owner.as_name().suffix(count).expect("the owner has more labels");
            let kind = if parent.cut.is_some() { NodeKind::Occluded } else { NodeKind::EmptyNonTerminal };
            let offset = self.builder.writer.begin_node(kind, name);
            let hash = self.builder.hash(name);
            self.builder.table.insert(hash, offset);
            self.link(offset, parent);
            // Only beside a wildcard does the parent link to a node, and only where nothing is occluded. Nobody expects
            // an address at _tcp or _domainkey.
            let wildcard = self.builder.writer.link(parent.offset);
            if parent.cut.is_none() && wildcard > 0 && !name.labels().next().is_some_and(|it| it.starts_with(b"_")) {
                self.shadows.push(Shadow { below, name: offset, wildcard });
            }
            order.push(offset);
            ancestors.push(Ancestor { offset, labels: count, cut: parent.cut });
        }
    }

    fn kind(&self, offset: u32, outer: Option<u32>) -> NodeKind {
        if outer.is_some() {
            return NodeKind::Occluded;
        }
        let mut kind = NodeKind::Ordinary;
        for rrset in Node::at(self.builder.writer.bytes(), offset).rrsets().filter(|rrset| !rrset.is_empty()) {
            match rrset.rtype {
                RType::NS => return NodeKind::Delegation,
                RType::DNAME => kind = NodeKind::Dname,
                _ => {}
            }
        }
        kind
    }

    /// Tells a node of its cut, or the parent of a `*` about it.
    fn link(&mut self, offset: u32, parent: &Ancestor) {
        let writer = &mut self.builder.writer;
        match parent.cut {
            Some(cut) => writer.set_link(offset, cut),
            None if Node::at(writer.bytes(), offset).owner().is_wildcard() => writer.set_link(parent.offset, offset),
            None => {}
        }
    }

    /// The node itself if it occludes what stands below it.
    fn cut_at(&self, offset: u32) -> Option<u32> {
        Node::at(self.builder.writer.bytes(), offset).is_cut().then_some(offset)
    }

    /// Checks all nodes, and resolves the targets of their records now that all are known.
    fn check(&mut self, apex: u32, names: usize) {
        let odd_ttls = std::mem::take(&mut self.builder.odd_ttls);
        for odd in odd_ttls {
            let node = Node::at(self.builder.writer.bytes(), odd.node);
            let lowest = node.rrset(odd.rtype).map_or(0, |rrset| rrset.ttl());
            let (kind, owner) = (FindingKind::TtlsDiffer { rtype: odd.rtype, lowest }, node.owner().to_buf());
            self.builder.findings.push_related(kind, &owner, odd.line, odd.lowest_line);
        }
        let mut targets = Targets { suffixes: Suffixes::new(), seen: HashTable::new(), found: Vec::new() };
        let (mut record, mut sets) = (0, Vec::new());
        let mut shadows = std::mem::take(&mut self.shadows);
        // By their place in the arena, as the nodes are visited, the first one last.
        shadows.sort_unstable_by_key(|shadow| std::cmp::Reverse((shadow.below, shadow.name)));
        let mut at = NODES_AT;
        while at < self.builder.writer.len() {
            let builder = &mut self.builder;
            let node = Node::at(builder.writer.bytes(), at as u32);
            let (offset, is_dead) = (node.offset(), node.is_dead());
            if !is_dead {
                let ZoneBuilder { lines, findings, .. } = builder;
                NodeCheck { node, lines, first_record: record, names, findings }.run();
            }
            while let Some(shadow) = shadows.pop_if(|shadow| shadow.below == offset) {
                let line = builder.lines.of(record);
                check::shadow(builder.writer.bytes(), shadow.name, shadow.wildcard, line, &mut builder.findings);
            }
            sets.clear();
            let mut rrsets = node.rrsets();
            for rrset in &mut rrsets {
                if !is_dead && rrset.targets_at().is_some() {
                    sets.push((rrset.start(), record));
                }
                record += check::parts(rrset);
            }
            at = rrsets.end();
            for &(start, record) in &sets {
                self.targets(&mut targets, apex, Place { node: offset, end: at, start, first_record: record });
            }
        }
    }

    /// Resolves the targets of an RRset.
    fn targets(&mut self, targets: &mut Targets, apex: u32, place: Place) {
        let Place { node, end, start, first_record } = place;
        let ZoneBuilder { writer, table, lines, findings, hasher, apex_hash, apex: apex_name, .. } = &mut self.builder;
        let (bytes, apex_name) = (writer.bytes(), apex_name.as_name());
        let tables = Tables { arena: bytes, slots: table.slots(), apex, apex_labels: self.apex_labels };
        let owner = Node::at(bytes, node);
        let rrset = RRset::read(bytes, start).expect("the RRset was there a moment ago");
        let Some(mut place) = rrset.targets_at() else { return };
        let hash = |name: Name<'_>| hasher.below(*apex_hash, name, apex_name.wire_len());
        targets.seen.clear();
        targets.found.clear();
        for (n, rdata) in rrset.rdatas().enumerate() {
            targets.found.push(0);
            let Some(target) = additional::target(rrset.rtype, rdata) else { continue };
            let name = target.name.unwrap_or_else(|| owner.owner());
            if !name.is_at_or_below(apex_name) || targets.is_repeated(rrset.rtype, name, hash) {
                continue;
            }
            let mut found = Some(owner).filter(|_| target.name.is_none());
            if found.is_none() {
                let there = beside(bytes, end, name).map_or_else(
                    || {
                        targets.suffixes.set(name, hasher);
                        lookup::in_table(tables, &targets.suffixes)
                    },
                    InTable::Exact,
                );
                let line = lines.of(first_record + n);
                found = check::target(rrset.rtype, owner, name, there, line, findings);
            }
            let found = found.filter(|node| target.types.iter().any(|&rtype| node.rrset(rtype).is_some()));
            targets.found[n] = found.map_or(0, Node::offset);
        }
        for &found in &targets.found {
            writer.set_target(place, found);
            place += 4;
        }
    }
}

/// Where nodes have died, in the order of the arena.
struct Gaps {
    /// Where each one starts and ends, and the octets of all up to its end.
    gaps: Vec<(u32, u32, u32)>,
}

impl Gaps {
    fn new(arena: &[u8], dead: &[u32]) -> Gaps {
        let mut size = 0;
        let gap = |&node: &u32| {
            let end = Node::at(arena, node).end() as u32;
            size += end - node;
            (node, end, size)
        };
        Gaps { gaps: dead.iter().map(gap).collect() }
    }

    fn size(&self) -> usize {
        self.gaps.last().map_or(0, |&(.., size)| size as usize)
    }

    /// Where what stands at `old` goes when the gaps are closed; `passed` counts those before it, and so is for places
    /// that do not go back.
    fn new_place(&self, old: u32, passed: &mut usize) -> u32 {
        while self.gaps.get(*passed).is_some_and(|&(start, ..)| start <= old) {
            *passed += 1;
        }
        passed.checked_sub(1).map_or(old, |last| old - self.gaps[last].2)
    }

    fn close(&self, writer: &mut Writer) {
        let ends = self.gaps.iter().skip(1).map(|&(start, ..)| start as usize).chain([writer.len()]);
        for (&(_, start, size), end) in self.gaps.iter().zip(ends.collect::<Vec<_>>()) {
            writer.move_down(start as usize..end, start as usize - size as usize);
        }
        writer.truncate(writer.len() - self.size());
    }
}

/// How many labels the owner of a node has before that of another, if it stands below it.
fn labels_below(arena: &[u8], node: u32, other: u32) -> Option<usize> {
    let (owner, above) = (Node::at(arena, node).owner_octets(), Node::at(arena, other).owner_octets());
    let start = owner.len().checked_sub(above.len())?;
    if !owner[start..].eq_ignore_ascii_case(above) {
        return None;
    }
    // The octets may agree by chance in the middle of a label.
    let (mut at, mut count) = (0, 0);
    while at < start {
        at += 1 + usize::from(owner[at]);
        count += 1;
    }
    (at == start && count > 0).then_some(count)
}

/// The node of a name, if it is one of the next behind `end`: hosts mostly stand behind the names that they serve.
fn beside<'z>(arena: &'z [u8], end: usize, name: Name<'_>) -> Option<Node<'z>> {
    let mut at = end;
    for _ in 0..BESIDE_MAX {
        let node = Some(at).filter(|at| *at < arena.len()).map(|at| Node::at(arena, at as u32))?;
        if !node.is_dead() && node.owner() == name {
            return Some(node);
        }
        at = node.end();
    }
    None
}

/// Whether a node has nothing but NSEC3 records, whose owners are no names to be asked for (RFC 5155 §7.2.8).
fn is_nsec3(node: Node<'_>) -> bool {
    let mut rrsets = node.rrsets().filter(|rrset| !rrset.is_empty()).peekable();
    rrsets.peek().is_some() && rrsets.all(|rrset| rrset.rtype == RType::NSEC3)
}

/// Where an RRset is.
#[derive(Clone, Copy)]
struct Place {
    node: u32,
    /// Where the node ends.
    end: usize,
    start: usize,
    /// The number of its first record in the arena.
    first_record: usize,
}

/// What is needed to resolve targets.
struct Targets {
    suffixes: Suffixes,
    /// The names that the RRset at hand has led to.
    seen: HashTable<NameBuf>,
    /// The nodes that they lead to.
    found: Vec<u32>,
}

impl Targets {
    /// Whether another record of the RRset leads to the name: additional data has each RRset once.
    fn is_repeated(&mut self, rtype: RType, name: Name<'_>, hash: impl Fn(Name<'_>) -> u64) -> bool {
        // Two NS records of one name are one record.
        if rtype == RType::NS {
            return false;
        }
        let own_hash = hash(name);
        let is_repeated = self.seen.find(own_hash, |other| other.as_name() == name).is_some();
        if !is_repeated {
            self.seen.insert_unique(own_hash, name.to_buf(), |name| hash(name.as_name()));
        }
        is_repeated
    }
}
