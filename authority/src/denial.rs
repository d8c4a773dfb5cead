//! Which NSEC or NSEC3 records prove that something does not exist (RFC 4035 §3.1.3, RFC 5155 §7.2).
//!
//! What can be known when the zone is built is: the chain in its order, and for each existing name the NSEC3 records that
//! match or cover the name and the wildcard below it. So a query costs one hash at most, that of the next closer name.

use nss_wire::nsec3::{HASH_SIZE, hash_of_owner};
use nss_wire::{Name, NameBuf, RType};
use sha1::{Digest, Sha1};

use crate::arena::{Node, NodeKind, read_u32};
use crate::order;
use crate::suffixes::Suffixes;
use crate::table::Slots;

/// Additional iterations of the NSEC3 hash that a zone may ask for: each is paid for by the server with every question
/// for a name that does not exist. RFC 9276 §3.1 wants none; 150 is where other servers draw the line.
pub const NSEC3_ITERATIONS_MAX: u16 = 150;

/// Names of a zone, those of its NSEC3 records too, times additional iterations of the NSEC3 hash. The names are hashed when
/// the zone is built, twice each, which takes two or three seconds for so many; strangers upload zones and do not pay for it.
/// A million names with as many NSEC3 records can still have five iterations, and any number of names none.
pub const NSEC3_WORK_MAX: usize = 10_000_000;

/// NSEC3PARAM records that are looked at: one is usual, and two while a zone changes from one salt to another. The names of
/// the zone are gone through for each.
const PARAMETERS_MAX: usize = 4;

/// How the names of a zone are denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DenialKind {
    /// The zone has no complete way of doing it.
    None = 0,
    Nsec = 1,
    Nsec3 = 2,
}

impl DenialKind {
    pub(crate) fn from_octet(octet: u8) -> DenialKind {
        match octet {
            1 => DenialKind::Nsec,
            2 => DenialKind::Nsec3,
            _ => DenialKind::None,
        }
    }
}

/// What the names of a zone are denied with.
///
/// ```text
/// NSEC    NSEC records in canonical order: first eight octets of what its owner is sorted by, node (12 each)
/// NSEC3   records (4) | iterations (2) | octets of the salt (1) | salt | records in the order of their hashes (24 each)
///         | what is known of the name in each slot of the hash table (8 each)
/// ```
#[derive(Clone, Copy)]
pub(crate) enum Denial<'z> {
    None,
    Nsec { links: &'z [[u8; NSEC_SIZE]] },
    Nsec3 { hash: Nsec3Hash<'z>, links: Links<'z>, known: &'z [u8] },
}

impl<'z> Denial<'z> {
    /// Reads what [`make`] has made.
    pub(crate) fn read(kind: DenialKind, octets: &'z [u8]) -> Denial<'z> {
        match kind {
            DenialKind::None => Denial::None,
            DenialKind::Nsec => Denial::Nsec { links: octets.as_chunks().0 },
            DenialKind::Nsec3 => Denial::read_nsec3(octets).expect("the builder writes all parts"),
        }
    }

    fn read_nsec3(octets: &'z [u8]) -> Option<Denial<'z>> {
        let (count, rest) = octets.split_first_chunk()?;
        let &[low, high, salt_size, ref rest @ ..] = rest else { return None };
        let (salt, rest) = rest.split_at_checked(salt_size.into())?;
        let (links, known) = rest.split_at_checked(LINK_SIZE * u32::from_le_bytes(*count) as usize)?;
        let hash = Nsec3Hash { iterations: u16::from_le_bytes([low, high]), salt };
        Some(Denial::Nsec3 { hash, links: Links { octets: links }, known })
    }
}

/// The parameters of NSEC3 (RFC 5155 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nsec3Hash<'z> {
    pub(crate) iterations: u16,
    salt: &'z [u8],
}

impl<'z> Nsec3Hash<'z> {
    /// Reads NSEC3PARAM RDATA, or the beginning of NSEC3 RDATA; `None` for algorithms other than SHA-1.
    pub(crate) fn read(rdata: &'z [u8]) -> Option<Nsec3Hash<'z>> {
        let &[1, _, high, low, salt_size, ref rest @ ..] = rdata else { return None };
        let salt = rest.get(..usize::from(salt_size))?;
        Some(Nsec3Hash { iterations: u16::from_be_bytes([high, low]), salt })
    }

    /// What [`NSEC3_WORK_MAX`] limits.
    pub(crate) fn work(&self, names: usize) -> usize {
        names.saturating_mul(usize::from(self.iterations))
    }

    /// The hash of a name in lower case (RFC 5155 §5).
    fn hash(&self, wire: &[u8]) -> [u8; HASH_SIZE] {
        let step = |octets: &[u8]| Sha1::new().chain_update(octets).chain_update(self.salt).finalize();
        let mut hash = step(wire);
        for _ in 0..self.iterations {
            hash = step(&hash);
        }
        hash.into()
    }
}

/// An NSEC3 record of the chain that was decided on.
struct Link {
    hash: [u8; HASH_SIZE],
    node: u32,
}

/// What is made of a zone's records.
pub(crate) struct Made {
    pub(crate) kind: DenialKind,
    /// What [`Denial::read`] reads.
    pub(crate) octets: Vec<u8>,
}

const NONE_MADE: Made = Made { kind: DenialKind::None, octets: Vec::new() };

/// Looks through the nodes of a signed zone.
pub(crate) fn make(arena: &[u8], apex: u32, order: &[u32], slots: Slots<'_>) -> Made {
    let apex = Node::at(arena, apex);
    if apex.rrset(RType::DNSKEY).is_none() {
        return NONE_MADE;
    }
    let parameters = apex.rrset(RType::NSEC3PARAM).into_iter().flat_map(|rrset| rrset.rdatas());
    for hash in parameters.filter_map(Nsec3Hash::read).take(PARAMETERS_MAX) {
        // The check of the apex has told of it.
        if hash.iterations > NSEC3_ITERATIONS_MAX || hash.work(order.len()) > NSEC3_WORK_MAX {
            continue;
        }
        let chain = chain(arena, order, hash);
        if !chain.is_empty() {
            return nsec3(arena, order, slots, hash, &chain);
        }
    }
    let is_linked = |node: &Node<'_>| node.kind() != NodeKind::Occluded && node.rrset(RType::NSEC).is_some();
    let nodes: Vec<u32> =
        order.iter().map(|&offset| Node::at(arena, offset)).filter(is_linked).map(Node::offset).collect();
    if nodes.is_empty() {
        return NONE_MADE;
    }
    let mut octets = Vec::with_capacity(NSEC_SIZE * nodes.len());
    for node in nodes {
        octets.extend_from_slice(&search_key(Node::at(arena, node).owner(), apex.owner_octets().len()).to_be_bytes());
        octets.extend_from_slice(&node.to_le_bytes());
    }
    Made { kind: DenialKind::Nsec, octets }
}

/// The NSEC3 records with these parameters by their hashes.
fn chain(arena: &[u8], order: &[u32], hash: Nsec3Hash<'_>) -> Vec<Link> {
    let mut chain = Vec::new();
    for node in order.iter().map(|&offset| Node::at(arena, offset)) {
        let Some(rrset) = node.rrset(RType::NSEC3) else { continue };
        let is_ours = |rdata| Nsec3Hash::read(rdata).is_some_and(|other| other == hash);
        if let Some(hash) = hash_of_owner(node.owner()).filter(|_| rrset.rdatas().any(is_ours)) {
            chain.push(Link { hash, node: node.offset() });
        }
    }
    chain.sort_unstable_by_key(|link| link.hash);
    chain
}

/// What is known of an existing name: which NSEC3 record matches or covers it, and which the wildcard below it.
#[derive(Clone, Copy)]
struct Known {
    own: u32,
    wildcard: u32,
}

/// Set in a member of [`Known`] if the record matches; it covers otherwise.
const MATCHES: u32 = 1 << 31;
/// Nothing is known.
const NOTHING: u32 = MATCHES - 1;
const KNOWN_SIZE: usize = 8;
const LINK_SIZE: usize = HASH_SIZE + 4;

fn nsec3(arena: &[u8], order: &[u32], slots: Slots<'_>, hash: Nsec3Hash<'_>, chain: &[Link]) -> Made {
    let head_size = 7 + hash.salt.len();
    let mut octets = Vec::with_capacity(head_size + LINK_SIZE * chain.len() + KNOWN_SIZE * slots.0.len());
    octets.extend_from_slice(&(chain.len() as u32).to_le_bytes());
    octets.extend_from_slice(&hash.iterations.to_le_bytes());
    octets.push(hash.salt.len() as u8);
    octets.extend_from_slice(hash.salt);
    for link in chain {
        octets.extend_from_slice(&link.hash);
        octets.extend_from_slice(&link.node.to_le_bytes());
    }
    let links = Links { octets: &octets[head_size..] };
    let mut known = vec![Known { own: NOTHING, wildcard: NOTHING }; slots.0.len()];
    let hashed: std::collections::HashSet<u32> = order.iter().copied().collect();
    for (place, node) in slots.nodes().filter(|(_, offset)| hashed.contains(offset)) {
        let node = Node::at(arena, node);
        if node.kind() == NodeKind::Occluded {
            continue;
        }
        let owner = node.owner().to_lowercase();
        known[place].own = links.at(&hash.hash(owner.as_name().as_wire()));
        if let Some(wildcard) = wildcard_below(owner.as_name()) {
            known[place].wildcard = links.at(&hash.hash(wildcard.as_name().as_wire()));
        }
    }
    for Known { own, wildcard } in known {
        octets.extend_from_slice(&own.to_le_bytes());
        octets.extend_from_slice(&wildcard.to_le_bytes());
    }
    Made { kind: DenialKind::Nsec3, octets }
}

/// `*` below a name, if there is room for it.
fn wildcard_below(name: Name<'_>) -> Option<NameBuf> {
    let wire = name.as_wire();
    let mut octets = [0; nss_wire::name::NAME_SIZE_MAX];
    let octets = octets.get_mut(..2 + wire.len())?;
    octets[..2].copy_from_slice(b"\x01*");
    octets[2..].copy_from_slice(wire);
    Name::from_wire_exact(octets).ok().map(|name| name.to_buf())
}

/// NSEC3 records in the order of their hashes.
#[derive(Clone, Copy)]
pub(crate) struct Links<'z> {
    octets: &'z [u8],
}

impl Links<'_> {
    /// Which record matches a hash, then with [`MATCHES`], or covers it.
    fn at(self, hash: &[u8; HASH_SIZE]) -> u32 {
        let (links, _) = self.octets.as_chunks::<LINK_SIZE>();
        let after = self.after(hash);
        // What comes before the first is covered by the last (RFC 5155 §1.3).
        let Some(before) = after.checked_sub(1) else { return links.len() as u32 - 1 };
        let matches = if links[before][..HASH_SIZE] == hash[..] { MATCHES } else { 0 };
        before as u32 | matches
    }

    /// How many records have no greater hash.
    ///
    /// Hashes are spread evenly, so that a hash says nearly where it stands, which saves most of the waiting for memory
    /// that halving all of the chain would cost. A stranger may have made a chain that is not even; that costs some steps more.
    fn after(self, hash: &[u8; HASH_SIZE]) -> usize {
        let (links, _) = self.octets.as_chunks::<LINK_SIZE>();
        let is_before = |at: usize| links.get(at).is_some_and(|link| link[..HASH_SIZE] <= hash[..]);
        let share = |value: u64| ((u128::from(value) * links.len() as u128) >> 64) as usize;
        let wanted = leading(hash);
        let mut near = share(wanted);
        if let Some(found) = links.get(near).map(|link| leading(link)) {
            near = match wanted.checked_sub(found) {
                Some(ahead) => near.saturating_add(share(ahead)).min(links.len()),
                None => near.saturating_sub(share(found - wanted)),
            };
        }
        let (mut low, mut high, mut step) = (near, near, 1);
        if is_before(near) {
            while is_before(high) {
                low = high + 1;
                high = high.saturating_add(step);
                step *= 2;
            }
        } else {
            while low > 0 && !is_before(low - 1) {
                high = low - 1;
                low = low.saturating_sub(step);
                step *= 2;
            }
        }
        let high = high.min(links.len());
        low + links[low.min(high)..high].partition_point(|link| link[..HASH_SIZE] <= hash[..])
    }

    fn node(self, at: u32) -> Option<u32> {
        let start = LINK_SIZE * (at & !MATCHES) as usize + HASH_SIZE;
        self.octets.get(start..start + 4).map(|octets| read_u32(octets, 0))
    }
}

/// The first octets of a hash as a number.
fn leading(hash: &[u8]) -> u64 {
    hash.first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets))
}

/// What has to be proved about the name that is held by [`Suffixes`].
#[derive(Clone, Copy)]
pub(crate) enum Claim {
    /// Neither it nor a wildcard for it exists; its closest encloser has so many labels.
    NoName { encloser: usize },
    /// It exists, and the type does not. Also a cut without DS, which has so many labels.
    NoType { labels: usize, node: u32 },
    /// It does not exist and the wildcard for it is used.
    Expanded { encloser: usize },
    /// It does not exist and the wildcard for it has not the type.
    NoTypeAtWildcard { encloser: usize, wildcard: u32 },
}

/// The nodes whose NSEC or NSEC3 records are the proofs of an answer, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proofs {
    nodes: [u32; Proofs::MAX],
    len: usize,
}

impl Proofs {
    /// One for each alias that a wildcard made, and three for the end of the chain.
    const MAX: usize = crate::answer::CHAIN_MAX + 4;

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn nodes(&self) -> &[u32] {
        &self.nodes[..self.len]
    }

    fn push(&mut self, node: Option<u32>) {
        if let Some(node) = node.filter(|node| !self.nodes().contains(node))
            && let Some(place) = self.nodes.get_mut(self.len)
        {
            *place = node;
            self.len += 1;
        }
    }
}

/// What the records that deny something are found with.
#[derive(Clone, Copy)]
pub(crate) struct Denier<'z> {
    pub(crate) arena: &'z [u8],
    pub(crate) slots: Slots<'z>,
    pub(crate) apex_size: usize,
    pub(crate) denial: Denial<'z>,
}

impl<'z> Denier<'z> {
    /// The type of the records that prove something.
    pub(crate) fn rtype(self) -> RType {
        match self.denial {
            Denial::None | Denial::Nsec { .. } => RType::NSEC,
            Denial::Nsec3 { .. } => RType::NSEC3,
        }
    }

    /// The NSEC3 records, if names are denied by them.
    pub(crate) fn nsec3_check(self) -> Option<Nsec3Check<'z>> {
        match self.denial {
            Denial::None | Denial::Nsec { .. } => None,
            Denial::Nsec3 { hash, links, known } => {
                Some(Nsec3Check { nsec3s: Nsec3s { denier: self, hash, links, known } })
            }
        }
    }

    /// Adds the proofs of a claim.
    pub(crate) fn prove(self, claim: Claim, suffixes: &Suffixes, proofs: &mut Proofs) {
        match self.denial {
            Denial::None => {}
            Denial::Nsec { links } => {
                Nsecs { arena: self.arena, apex_size: self.apex_size, links }.prove(claim, suffixes, proofs);
            }
            Denial::Nsec3 { hash, links, known } => {
                Nsec3s { denier: self, hash, links, known }.prove(claim, suffixes, proofs);
            }
        }
    }
}

/// The NSEC3 records of a zone as their check wants them.
pub(crate) struct Nsec3Check<'z> {
    nsec3s: Nsec3s<'z>,
}

/// What there is in an NSEC3 record behind its parameters.
#[derive(Clone, Copy)]
pub(crate) struct Nsec3Record<'z> {
    pub(crate) flags: u8,
    pub(crate) next: &'z [u8],
    pub(crate) bitmap: &'z [u8],
}

impl<'z> Nsec3Check<'z> {
    /// How many records the chain has.
    pub(crate) fn len(&self) -> usize {
        self.nsec3s.links.octets.len() / LINK_SIZE
    }

    /// The place in the chain of the record that matches an existing name, or else of the one that covers it.
    pub(crate) fn find(&self, suffixes: &Suffixes) -> Option<(usize, bool)> {
        let own = self.nsec3s.known(suffixes, suffixes.label_count()).own;
        (own != NOTHING).then_some(((own & !MATCHES) as usize, own & MATCHES > 0))
    }

    /// The owner of the record at a place.
    pub(crate) fn node(&self, place: usize) -> Option<Node<'z>> {
        self.nsec3s.links.node(place as u32).map(|node| Node::at(self.nsec3s.denier.arena, node))
    }

    /// The record at a place; `None` if there are several of these parameters.
    pub(crate) fn record(&self, place: usize) -> Option<Nsec3Record<'z>> {
        let is_ours = |rdata: &&[u8]| Nsec3Hash::read(rdata).is_some_and(|other| other == self.nsec3s.hash);
        let mut ours = self.node(place)?.rrset(RType::NSEC3)?.rdatas().filter(is_ours);
        let (Some(&[_, flags, _, _, salt_size, ref rest @ ..]), None) = (ours.next(), ours.next()) else { return None };
        let (&next_size, rest) = rest.get(usize::from(salt_size)..)?.split_first()?;
        let (next, bitmap) = rest.split_at_checked(usize::from(next_size))?;
        Some(Nsec3Record { flags, next, bitmap })
    }

    /// Whether `next` is the hash of the record behind that at a place.
    pub(crate) fn leads_on(&self, place: usize, next: &[u8]) -> bool {
        let (links, _) = self.nsec3s.links.octets.as_chunks::<LINK_SIZE>();
        links[(place + 1) % links.len()][..HASH_SIZE] == *next
    }
}

/// NSEC records in canonical order.
struct Nsecs<'z> {
    arena: &'z [u8],
    apex_size: usize,
    links: &'z [[u8; NSEC_SIZE]],
}

impl Nsecs<'_> {
    /// RFC 4035 §3.1.3.
    fn prove(&self, claim: Claim, suffixes: &Suffixes, proofs: &mut Proofs) {
        let labels = suffixes.label_count();
        match claim {
            Claim::NoName { encloser } => {
                proofs.push(self.at(name(suffixes, labels)));
                if let Some(wildcard) = wildcard_below(name(suffixes, encloser)) {
                    proofs.push(self.at(wildcard.as_name()));
                }
            }
            Claim::NoType { node, .. } => proofs.push(self.of(node)),
            Claim::Expanded { .. } => proofs.push(self.at(name(suffixes, labels))),
            Claim::NoTypeAtWildcard { wildcard, .. } => {
                proofs.push(self.of(wildcard));
                proofs.push(self.at(name(suffixes, labels)));
            }
        }
    }

    /// The node whose NSEC record says what types another one has.
    ///
    /// An empty non-terminal, be it a wildcard or not, has none of its own; the one before it says that there is something
    /// below.
    fn of(&self, node: u32) -> Option<u32> {
        let owner = Node::at(self.arena, node);
        if owner.rrset(RType::NSEC).is_some() { Some(node) } else { self.at(owner.owner()) }
    }

    /// The node whose NSEC record matches or covers a name.
    ///
    /// Nearly always the keys decide, so that few owners have to be fetched and read.
    fn at(&self, name: Name<'_>) -> Option<u32> {
        let key = search_key(name, self.apex_size);
        let start = self.links.partition_point(|link| nsec_key(link) < key);
        let same = self.links[start..].partition_point(|link| nsec_key(link) == key);
        let is_before = |link: &[u8; NSEC_SIZE]| Node::at(self.arena, nsec_node(link)).owner() <= name;
        let after = start + self.links[start..start + same].partition_point(is_before);
        self.links.get(after.checked_sub(1)?).map(nsec_node)
    }
}

/// Octets of what is known of an NSEC record.
const NSEC_SIZE: usize = 12;

/// What a name at or below the apex is searched for by; names with one key are to be compared.
fn search_key(name: Name<'_>, apex_size: usize) -> u64 {
    let [high, low] = order::first_key(name.as_wire(), apex_size);
    u64::from(high) << 32 | u64::from(low)
}

fn nsec_key(link: &[u8; NSEC_SIZE]) -> u64 {
    link.first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets))
}

fn nsec_node(link: &[u8; NSEC_SIZE]) -> u32 {
    read_u32(link, 8)
}

fn name(suffixes: &Suffixes, labels: usize) -> Name<'_> {
    Name::from_wire(suffixes.wire(labels)).expect("the suffix of a name is a name").0
}

struct Nsec3s<'z> {
    denier: Denier<'z>,
    hash: Nsec3Hash<'z>,
    links: Links<'z>,
    known: &'z [u8],
}

impl Nsec3s<'_> {
    /// RFC 5155 §7.2.
    fn prove(&self, claim: Claim, suffixes: &Suffixes, proofs: &mut Proofs) {
        match claim {
            Claim::NoName { encloser } => {
                let encloser = self.encloser(encloser, suffixes, proofs);
                proofs.push(self.links.node(self.known(suffixes, encloser).wildcard));
            }
            Claim::NoType { labels, .. } => {
                let own = self.known(suffixes, labels).own;
                if own & MATCHES > 0 {
                    proofs.push(self.links.node(own));
                } else if labels > 0 {
                    // Opt-out: the name is not in the chain (RFC 5155 §7.2.4).
                    self.encloser(labels - 1, suffixes, proofs);
                }
            }
            Claim::Expanded { encloser } => proofs.push(self.covering(encloser + 1, suffixes)),
            Claim::NoTypeAtWildcard { encloser, .. } => {
                let encloser = self.encloser(encloser, suffixes, proofs);
                proofs.push(self.links.node(self.known(suffixes, encloser).wildcard));
            }
        }
    }

    /// The closest encloser proof (RFC 5155 §7.2.1); returns the labels of the encloser that has a matching record.
    ///
    /// That is not the closest encloser itself where opt-out leaves empty non-terminals out of the chain.
    fn encloser(&self, labels: usize, suffixes: &Suffixes, proofs: &mut Proofs) -> usize {
        let mut encloser = labels;
        loop {
            let own = self.known(suffixes, encloser).own;
            if own & MATCHES > 0 {
                proofs.push(self.links.node(own));
                break;
            }
            match encloser.checked_sub(1) {
                Some(above) => encloser = above,
                None => return labels,
            }
        }
        proofs.push(self.covering(encloser + 1, suffixes));
        encloser
    }

    /// The node whose NSEC3 record covers a suffix.
    fn covering(&self, labels: usize, suffixes: &Suffixes) -> Option<u32> {
        let known = self.known(suffixes, labels).own;
        let at = if known == NOTHING { self.links.at(&self.hash.hash(suffixes.wire(labels))) } else { known };
        self.links.node(at)
    }

    fn known(&self, suffixes: &Suffixes, labels: usize) -> Known {
        let Denier { arena, slots, .. } = self.denier;
        let wire = suffixes.wire(labels);
        let place = slots.place(suffixes.hash(labels), |offset| Node::at(arena, offset).is_owned_by(wire));
        let Some(place) = place else { return Known { own: NOTHING, wildcard: NOTHING } };
        let at = KNOWN_SIZE * place;
        Known { own: read_u32(self.known, at), wildcard: read_u32(self.known, at + 4) }
    }
}

#[cfg(test)]
mod tests {
    use nss_wire::{Class, Record};
    use proptest::prelude::*;

    use super::*;
    use crate::ZoneBuilder;

    /// Labels that sort oddly, and such that only their ends tell apart.
    fn label() -> impl Strategy<Value = Vec<u8>> {
        let octet = prop_oneof![Just(0), Just(1), Just(2), Just(b'*'), Just(b'a'), Just(b'B'), Just(b'b')];
        let short = proptest::collection::vec(octet, 1..4);
        (any::<bool>(), short).prop_map(|(is_long, end)| if is_long { [&b"Aaaaaaaa"[..], &end].concat() } else { end })
    }

    /// A name of such labels, below `example.` or the root.
    fn name_below(labels: &[Vec<u8>], apex: &NameBuf) -> NameBuf {
        let own = labels.iter().flat_map(|label| [&[label.len() as u8][..], label].concat());
        let wire: Vec<u8> = own.chain(apex.as_name().as_wire().iter().copied()).collect();
        Name::from_wire_exact(&wire).unwrap().to_buf()
    }

    proptest! {
        #[test]
        fn the_nsec_record_that_covers_a_name_is_that_of_the_last_owner_before_it(
            is_root in any::<bool>(),
            owners in proptest::collection::vec(proptest::collection::vec(label(), 1..4), 0..40),
            asked in proptest::collection::vec(proptest::collection::vec(label(), 0..4), 1..20),
        ) {
            let apex: NameBuf = if is_root { "." } else { "example." }.parse().unwrap();
            let mut builder = ZoneBuilder::new(apex.as_name(), Class::IN);
            let mut add = |owner: &NameBuf, rtype, rdata: &[u8]| {
                builder.add(Record { owner: owner.as_name(), rtype, class: Class::IN, ttl: 60, rdata }, 0);
            };
            add(&apex, RType::SOA, &[0; 22]);
            add(&apex, RType::NS, b"\x02ns\x04test\0");
            add(&apex, RType::DNSKEY, &[1, 1, 3, 13, 0]);
            let mut linked = vec![apex.clone()];
            linked.extend(owners.iter().map(|labels| name_below(labels, &apex)));
            linked.iter().for_each(|owner| add(owner, RType::NSEC, b"\0\0\x01\x40"));
            let (zone, _) = builder.build().unwrap();
            let zone = zone.open();
            let Denier { arena, apex_size, denial: Denial::Nsec { links }, .. } = zone.denier() else { panic!() };
            let nsecs = Nsecs { arena, apex_size, links };
            for name in asked.iter().chain(&owners).map(|labels| name_below(labels, &apex)) {
                let expected = linked.iter().filter(|owner| owner.as_name() <= name.as_name()).max_by_key(|owner| owner.as_name());
                let found = nsecs.at(name.as_name()).map(|node| zone.node_at_offset(node).owner());
                prop_assert_eq!(found, expected.map(NameBuf::as_name), "{}", name);
            }
        }

        #[test]
        fn a_hash_is_found_where_halving_the_chain_finds_it(
            mut hashes in proptest::collection::vec(
                prop_oneof![any::<[u8; HASH_SIZE]>(), (0..9u8).prop_map(|last| {
                    let mut hash = [0x7f; HASH_SIZE];
                    hash[HASH_SIZE - 1] = last;
                    hash
                })],
                1..200,
            ),
            others in proptest::collection::vec(any::<[u8; HASH_SIZE]>(), 1..20),
        ) {
            hashes.sort_unstable();
            hashes.dedup();
            let octets: Vec<u8> = hashes.iter().flat_map(|hash| hash.iter().copied().chain([0; 4])).collect();
            let links = Links { octets: &octets };
            for hash in hashes.iter().chain(&others).chain(&[[0; HASH_SIZE], [0xff; HASH_SIZE]]) {
                prop_assert_eq!(links.after(hash), hashes.partition_point(|other| other <= hash));
            }
        }
    }

    #[test]
    fn rfc_5155_appendix_a_names_are_hashed_with_salt_and_iterations() {
        let hash = Nsec3Hash { iterations: 12, salt: &[0xaa, 0xbb, 0xcc, 0xdd] };
        for (name, label) in [
            ("example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
            ("x.y.w.example.", "2vptu5timamqttgl4luu9kg21e0aor3s"),
        ] {
            let name: NameBuf = name.parse().unwrap();
            let owner: NameBuf = format!("{label}.example.").parse().unwrap();
            assert_eq!(hash_of_owner(owner.as_name()), Some(hash.hash(name.as_name().as_wire())), "{name}");
        }
        let other: NameBuf = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tow.example.".parse().unwrap();
        assert_eq!(hash_of_owner(other.as_name()), None);
    }

    #[test]
    fn a_hash_is_matched_or_covered_by_the_one_before_it_around_the_end() {
        let mut octets = Vec::new();
        for (first, node) in [(10u8, 4u32), (20, 5), (30, 6)] {
            octets.extend_from_slice(&[first; HASH_SIZE]);
            octets.extend_from_slice(&node.to_le_bytes());
        }
        let links = Links { octets: &octets };
        for (first, at, node) in [(10, MATCHES, 4), (11, 0, 4), (20, 1 | MATCHES, 5), (31, 2, 6), (9, 2, 6)] {
            let found = links.at(&[first; HASH_SIZE]);
            assert_eq!((found, links.node(found)), (at, Some(node)), "{first}");
        }
    }
}
