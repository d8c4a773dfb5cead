//! What floods are made of: packets that are drawn before the flood, the same in each run.

use nss_wire::RType;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::tenants::{ALIASES, CHAIN, LARGE, POLITE, SIGNED, name};
use crate::client::{Edns, Query};

/// Packets of a flood, sent in this order over and over.
pub(super) type Packets = Vec<Vec<u8>>;

/// Everything that is no DNS message, or nearly one.
pub(super) fn malformed() -> Packets {
    let mut rng = StdRng::seed_from_u64(RANDOM_SEED);
    (0..PACKETS).map(|i| FLAWS[i % FLAWS.len()](&mut rng)).collect()
}

/// Answers that nobody asked for, well-formed and not.
pub(super) fn unasked_answers() -> Packets {
    let mut rng = StdRng::seed_from_u64(RANDOM_SEED);
    let flawed = (0..PACKETS).map(|i| FLAWS[i % FLAWS.len()](&mut rng)).filter(|packet| packet.len() > 2);
    let mut packets: Packets = flawed.chain((0..PACKETS).map(|i| plain(i, None))).collect();
    for packet in &mut packets {
        packet[2] |= QR;
    }
    packets
}

/// The same valid query, with all ids.
pub(super) fn one_name() -> Packets {
    (0..PACKETS)
        .map(|id| Query { id: id as u16, ..question(&format!("host0.{POLITE}"), RType::A, None) }.to_wire())
        .collect()
}

/// Names that do not exist in the signed zone, with DO: each needs up to three NSEC3 records and their signatures.
pub(super) fn random_subdomains() -> Packets {
    let mut rng = StdRng::seed_from_u64(RANDOM_SEED);
    let mut label = || (0..12).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect::<String>();
    (0..SUBDOMAINS).map(|_| question(&format!("{}.{SIGNED}", label()), RType::A, EDNS).to_wire()).collect()
}

/// Valid queries whose additional section is as much work to read as fits into 4096 octets: owners that are pointers to
/// pointers, names of 127 labels spelled as one label and a pointer to the name before, and an OPT record behind them.
pub(super) fn bombs() -> Packets {
    (0..BOMBS).map(|i| if i % 2 == 0 { pointers_to_pointers(i) } else { growing_names(i) }).collect()
}

/// Questions about chains of aliases: within a zone, to another one's zone and back, and of DNAME.
pub(super) fn aliases() -> Packets {
    let mut names: Vec<String> = (1..=CHAIN).flat_map(|i| [format!("a{i}"), format!("x{i}")]).collect();
    names.extend(["www.d", "a.b.c.d", "x1.d", "www.grow", "a.b.grow2"].map(str::to_owned));
    let questions = names.iter().flat_map(|name| [(name, RType::A), (name, RType::MX)]);
    questions.map(|(name, qtype)| question(&format!("{name}.{ALIASES}"), qtype, EDNS).to_wire()).collect()
}

/// ANY for the name that has the most, by who claims to take large answers.
pub(super) fn any() -> Packets {
    let edns = Some(Edns { payload_size: 4096, version: 0, dnssec_ok: true });
    (0..PACKETS).map(|id| Query { id: id as u16, ..question(LARGE, RType::ANY, edns) }.to_wire()).collect()
}

/// Whole zones, which are not given to everybody, with the length in front that TCP wants.
pub(super) fn transfer() -> Vec<u8> {
    framed(&question(SIGNED, RType::AXFR, None).to_wire())
}

/// A message with its length in front (RFC 1035 §4.2.2).
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("queries are small");
    [&length.to_be_bytes()[..], message].concat()
}

fn question(qname: &str, qtype: RType, edns: Option<Edns>) -> Query {
    Query { edns, ..Query::new(name(qname).as_name(), qtype) }
}

fn plain(i: usize, edns: Option<Edns>) -> Vec<u8> {
    Query { id: i as u16, ..question(&format!("host{}.{POLITE}", i % 64), RType::A, edns) }.to_wire()
}

/// A way to be malformed.
type Flaw = fn(&mut StdRng) -> Vec<u8>;

const FLAWS: &[Flaw] = &[
    // Noise.
    |rng| (0..rng.random_range(0..512)).map(|_| rng.random()).collect(),
    // A header, then noise.
    |rng| {
        let noise: Vec<u8> = (0..rng.random_range(1..200)).map(|_| rng.random()).collect();
        [&plain(0, None)[..HEADER_SIZE], &noise].concat()
    },
    // Cut off somewhere.
    |rng| {
        let packet = plain(0, EDNS);
        packet[..rng.random_range(0..packet.len())].to_vec()
    },
    // A label of a type that is none (RFC 6891 §5).
    |rng| with(plain(0, None), HEADER_SIZE, if rng.random() { 0x41 } else { 0x80 }),
    // Counts that lie.
    |rng| {
        let at = 4 + 2 * rng.random_range(0..4);
        let packet = with(plain(0, EDNS), at, rng.random());
        with(packet, at + 1, rng.random_range(2..=255))
    },
    // A question that is a pointer: to itself, forwards, into the header.
    |rng| {
        let packet = with(plain(0, None), HEADER_SIZE, 0xc0);
        with(packet, HEADER_SIZE + 1, [12, 14, 200, 0, 2][rng.random_range(0..5)])
    },
    // Two OPT records.
    |_| {
        let packet = plain(0, EDNS);
        let opt = packet[packet.len() - OPT_SIZE..].to_vec();
        with([packet, opt].concat(), 11, 2)
    },
    // An option that is longer than the record, a record that is longer than the packet.
    |rng| {
        let option = [0, 10, 0, rng.random_range(9..=255), 1, 2, 3, 4, 5, 6, 7, 8];
        let mut packet = [&plain(0, EDNS)[..], &option].concat();
        let at = packet.len() - option.len() - 1;
        packet[at] = if rng.random() { 12 } else { 200 };
        packet
    },
    // A name of more than 255 octets.
    |_| {
        let mut packet = plain(0, None)[..HEADER_SIZE].to_vec();
        packet.extend([&[63][..], &[b'x'; 63]].concat().repeat(5));
        packet.extend([0, 0, 1, 0, 1]);
        packet
    },
    // More than servers make room for.
    |rng| {
        let mut packet = plain(0, None);
        packet.resize(rng.random_range(4097..9000), 0);
        packet
    },
    // Opcodes and classes of nobody.
    |rng| {
        let packet = with(plain(0, EDNS), 2, rng.random_range(0..16) << 3);
        let class = packet.len() - OPT_SIZE - 1;
        with(packet, class, rng.random())
    },
];

fn with(mut packet: Vec<u8>, at: usize, octet: u8) -> Vec<u8> {
    packet[at] = octet;
    packet
}

/// Each owner points to the pointer that the record before has as its owner.
fn pointers_to_pointers(i: usize) -> Vec<u8> {
    let packet = plain(i, None);
    let (mut last, mut jumps) = (HEADER_SIZE, 1);
    additional(packet, move |at| {
        let owner = pointer(last);
        (last, jumps) = if jumps == JUMPS { (HEADER_SIZE, 1) } else { (at, jumps + 1) };
        owner.to_vec()
    })
}

/// Each owner is a label before the owner of the record before, until the name is as long as one may be.
fn growing_names(i: usize) -> Vec<u8> {
    let packet = plain(i, None);
    let mut last = HEADER_SIZE;
    let mut labels = 0;
    additional(packet, move |at| {
        if labels == LABELS {
            return pointer(last).to_vec();
        }
        labels += 1;
        let owner = [&[1, b'x'][..], &pointer(last)].concat();
        last = at;
        owner
    })
}

/// Fills the additional section with records of these owners, made for the place where each stands, and ends it with OPT.
fn additional(mut packet: Vec<u8>, mut owner: impl FnMut(usize) -> Vec<u8>) -> Vec<u8> {
    let mut count: u16 = 1;
    while packet.len() + 4 + RECORD_SIZE + OPT_SIZE <= BOMB_SIZE {
        let owner = owner(packet.len());
        packet.extend(owner);
        // TXT, IN, no TTL and no data.
        packet.extend([0, 16, 0, 1, 0, 0, 0, 0, 0, 0]);
        count += 1;
    }
    packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    packet[10..12].copy_from_slice(&count.to_be_bytes());
    packet
}

fn pointer(to: usize) -> [u8; 2] {
    (0xc000 | u16::try_from(to).expect("a bomb has 4096 octets")).to_be_bytes()
}

const EDNS: Option<Edns> = Some(Edns { payload_size: 1232, version: 0, dnssec_ok: true });
const HEADER_SIZE: usize = 12;
const OPT_SIZE: usize = 11;
/// The bit that says that a message is an answer, in its third octet.
const QR: u8 = 0x80;
/// With it, each run draws the same.
const RANDOM_SEED: u64 = 1035;
/// Drawn packets: enough that all flaws come in many sizes.
const PACKETS: usize = 4096;
/// Drawn names that do not exist, more than caches of a processor hold the answers to.
const SUBDOMAINS: usize = 65_536;
const BOMBS: usize = 64;
/// A query of more octets is not read by nssd.
const BOMB_SIZE: usize = 4096;
/// A record with a pointer and no data.
const RECORD_SIZE: usize = 12;
/// Pointers that lead to each other; a name has 127 labels at most, and who follows more pointers than that reads nonsense.
const JUMPS: usize = 100;
/// Labels of one octet that fit into 255 octets before `hostNN.polite.example`.
const LABELS: usize = 110;

#[cfg(test)]
mod tests {
    use nss_wire::message::{Reader, Section};

    use super::*;

    /// Reads all of a message; records of the additional section.
    fn read(packet: &[u8]) -> Option<usize> {
        let mut reader = Reader::new(packet).ok()?;
        reader.question().ok()??;
        let mut count = 0;
        while let Some(record) = reader.record().ok()? {
            count += usize::from(record.section == Section::Additional);
        }
        Some(count)
    }

    #[test]
    fn each_run_draws_the_same() {
        for draw in [malformed, unasked_answers, one_name, random_subdomains, bombs, aliases, any] {
            assert_eq!(draw(), draw());
        }
    }

    #[test]
    fn bombs_are_valid_queries_of_many_records_and_not_too_long() {
        for bomb in bombs() {
            assert!(bomb.len() <= BOMB_SIZE && read(&bomb) > Some(250), "{} {:?}", bomb.len(), read(&bomb));
            let mut reader = Reader::new(&bomb).unwrap();
            reader.question().unwrap().unwrap();
            assert!(reader.edns().unwrap().is_some());
        }
    }

    #[test]
    fn all_unasked_answers_say_that_they_are_answers_and_no_query_does() {
        assert!(unasked_answers().iter().all(|packet| packet[2] & QR != 0));
        for draw in [one_name, random_subdomains, bombs, aliases, any] {
            assert!(draw().iter().all(|packet| packet[2] & QR == 0 && read(packet).is_some()));
        }
    }

    #[test]
    fn most_malformed_packets_cannot_be_read() {
        let packets = malformed();
        let unreadable = packets.iter().filter(|packet| read(packet).is_none()).count();
        assert!(unreadable * 2 > packets.len(), "{unreadable} of {}", packets.len());
        assert!(packets.iter().any(|packet| packet.len() > 4096) && packets.iter().any(|packet| packet.len() < 12));
    }
}
