//! What a server of a signed parent answers, or somebody on the path makes of its answer.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use nss_registrar_check::{AddressPolicy, Config, DsRecords, Outcome, Query, Security, Walk, Wanted};
use nss_wire::message::Reader;
use nss_wire::{NameBuf, RType};

/// Whatever com. is made to say of a domain, its DS records are those that it has signed, or that there are none where it has
/// signed that; and that the domain is not delegated is nothing that anybody proves.
///
/// The first octet says what becomes of the true answer and which one that is, the second one how many records follow.
pub fn reply(octets: &[u8]) {
    let &[choice, count, ref rest @ ..] = octets else { return };
    static TREE: OnceLock<Tree> = OnceLock::new();
    let tree = TREE.get_or_init(Tree::new);
    let (is_signed, is_hashed) = (choice & 4 > 0, choice & 16 > 0);
    let wanted = if choice & 8 > 0 { Wanted::NameServersAndDs } else { Wanted::NameServers };
    let domain = name(if is_signed { "signed.com" } else { "plain.com" });
    let mut walk = Walk::new(Arc::clone(&tree.config), domain.as_name(), wanted, NOW, [7; 32]);
    let mut now = Duration::ZERO;
    loop {
        while let Some(query) = walk.next_query(now) {
            now += Duration::from_millis(1);
            let about = Reader::new(&query.packet).and_then(|mut reader| reader.question());
            let asked = about.expect("a query can be read").expect("a query has a question");
            let mut sections = tree.answer(&asked.qname.to_lowercase(), asked.qtype, is_hashed);
            if asked.qname != domain.as_name() {
                walk.answer(query.token, query.server, &packet(&query, sections), now);
                continue;
            }
            let packet = match choice & 3 {
                0 => {
                    sections.authority.1 += u16::from(count);
                    sections.authority.0.extend_from_slice(rest);
                    packet(&query, sections)
                }
                1 => {
                    sections.answer.1 += u16::from(count);
                    sections.answer.0.extend_from_slice(rest);
                    packet(&query, sections)
                }
                2 => {
                    let mut packet = packet(&query, sections);
                    for change in rest.as_chunks::<3>().0 {
                        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % packet.len();
                        packet[at] = change[2];
                    }
                    packet
                }
                _ => [&query.packet[..2], rest].concat(),
            };
            walk.answer(query.token, query.server, &packet, now);
        }
        match walk.deadline() {
            Some(deadline) => {
                now = deadline;
                walk.expire(now);
            }
            None => break,
        }
    }
    let findings = walk.findings().expect("a walk without a deadline has ended");
    let _ = findings.evidence.to_string();
    match &findings.outcome {
        Outcome::Delegation(delegation) => {
            assert_eq!(delegation.security, Security::Secure, "\n{}", findings.evidence);
            let expected = if is_signed { DsRecords::Present(vec![tree.ds.clone()]) } else { DsRecords::Absent };
            assert_eq!(delegation.ds, expected, "\n{}", findings.evidence);
        }
        Outcome::Unknown(reason) if choice & 3 < 3 && count == 0 && rest.is_empty() => {
            panic!("{reason}: that was the truth")
        }
        Outcome::NotDelegated(reason) => panic!("{reason}\n{}", findings.evidence),
        Outcome::Unknown(_) => {}
    }
}

/// A root and com., signed, with one server each, and what they answer.
struct Tree {
    config: Arc<Config>,
    root: Signer,
    com: Signer,
    /// That of signed.com.
    ds: Vec<u8>,
}

/// Records as octets, and how many.
type Records = (Vec<u8>, u16);

#[derive(Default)]
struct Sections {
    answer: Records,
    authority: Records,
    additional: Records,
}

impl Tree {
    fn new() -> Tree {
        let (root, com) = (Signer::new(".", 1), Signer::new("com", 2));
        let anchor = root.ds();
        let digits: String = anchor[4..].iter().map(|octet| format!("{octet:02x}")).collect();
        let anchor = format!("{} 15 2 {digits}", u16::from_be_bytes([anchor[0], anchor[1]]));
        let config = Config {
            root_hints: vec![[192, 0, 2, 1].into()],
            trust_anchors: vec![anchor.parse().expect("a trust anchor")],
            addresses: AddressPolicy::AnyUnicast,
            servers_min: 1,
            ..Config::default()
        };
        Tree { config: Arc::new(config), root, com, ds: [&[0, 1, 15, 2][..], &[0xbb; 32]].concat() }
    }

    /// The truth.
    fn answer(&self, qname: &NameBuf, qtype: RType, is_hashed: bool) -> Sections {
        let mut sections = Sections::default();
        let text = qname.to_string();
        match (&*text, qtype) {
            (".", RType::DNSKEY) => self.root.add(&mut sections.answer, qname, RType::DNSKEY, &self.root.key()),
            ("com.", RType::DNSKEY) => self.com.add(&mut sections.answer, qname, RType::DNSKEY, &self.com.key()),
            ("com.", _) => {
                add(&mut sections.authority, qname, RType::NS, name("ns.com").as_name().as_wire());
                self.root.add(&mut sections.authority, qname, RType::DS, &self.com.ds());
                add(&mut sections.additional, &name("ns.com"), RType::A, &[192, 0, 2, 2]);
            }
            ("signed.com.", RType::DS) => self.com.add(&mut sections.answer, qname, RType::DS, &self.ds),
            _ => {
                match qtype {
                    RType::DS => {
                        let soa = [b"\0\0".as_slice(), &[0; 20]].concat();
                        self.com.add(&mut sections.authority, &name("com"), RType::SOA, &soa);
                    }
                    _ => add(&mut sections.authority, qname, RType::NS, name("ns.example.net").as_name().as_wire()),
                }
                match (&*text, is_hashed) {
                    ("signed.com.", _) => self.com.add(&mut sections.authority, qname, RType::DS, &self.ds),
                    // NS and RRSIG are all that is there, with NSEC where there is such a record.
                    (_, false) => {
                        let next = [b"\x01\0", qname.as_name().as_wire()].concat();
                        let nsec = [&next[..], &[0, 6, 0x20, 0, 0, 0, 0, 3]].concat();
                        self.com.add(&mut sections.authority, qname, RType::NSEC, &nsec);
                    }
                    (_, true) => {
                        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, qname.as_name().as_wire());
                        let owner = name(&format!("{}.com", base32hex(hash.as_ref())));
                        let nsec3 = [&[1, 1, 0, 0, 0, 20][..], &[0xff; 20], &[0, 6, 0x20, 0, 0, 0, 0, 2]].concat();
                        self.com.add(&mut sections.authority, &owner, RType::NSEC3, &nsec3);
                    }
                }
            }
        }
        sections
    }
}

/// An answer to `query`, with its cookie.
fn packet(query: &Query, sections: Sections) -> Vec<u8> {
    let mut reader = Reader::new(&query.packet).expect("a query can be read");
    let _ = reader.question();
    let (question, edns) = query.packet.split_at(reader.offset());
    let Sections { answer, authority, additional } = sections;
    let is_authoritative = answer.1 > 0 || authority.0.windows(2).any(|octets| octets == [0, 6]);
    let mut packet = question.to_vec();
    packet[2] = 0x80 | u8::from(is_authoritative) << 2;
    packet[6..8].copy_from_slice(&answer.1.to_be_bytes());
    packet[8..10].copy_from_slice(&authority.1.to_be_bytes());
    packet[10..12].copy_from_slice(&(additional.1 + 1).to_be_bytes());
    [packet, answer.0, authority.0, additional.0, edns.to_vec()].concat()
}

/// The key of a zone.
struct Signer {
    apex: NameBuf,
    key: Ed25519KeyPair,
}

impl Signer {
    fn new(apex: &str, seed: u8) -> Signer {
        let key = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed of 32 octets");
        Signer { apex: name(apex), key }
    }

    /// The RDATA of the DNSKEY record.
    fn key(&self) -> Vec<u8> {
        [&[1, 1, 3, 15][..], self.key.public_key().as_ref()].concat()
    }

    fn tag(&self) -> u16 {
        // RFC 4034 appendix B; the RDATA has an even number of octets.
        let sum: u32 = self.key().as_chunks::<2>().0.iter().map(|&pair| u32::from(u16::from_be_bytes(pair))).sum();
        (sum + (sum >> 16)) as u16
    }

    fn ds(&self) -> Vec<u8> {
        let digest = digest::digest(&digest::SHA256, &[self.apex.as_name().as_wire(), &self.key()].concat());
        [&self.tag().to_be_bytes()[..], &[15, 2], digest.as_ref()].concat()
    }

    /// Adds a record with its signature.
    fn add(&self, records: &mut Records, owner: &NameBuf, rtype: RType, rdata: &[u8]) {
        add(records, owner, rtype, rdata);
        let fields = [
            &rtype.0.to_be_bytes()[..],
            &[15, owner.as_name().label_count() as u8],
            &TTL.to_be_bytes(),
            &(NOW as u32 + 86_400).to_be_bytes(),
            &(NOW as u32 - 3600).to_be_bytes(),
            &self.tag().to_be_bytes(),
            self.apex.as_name().as_wire(),
        ]
        .concat();
        let mut signed = (fields.clone(), 0);
        add(&mut signed, owner, rtype, rdata);
        let signature = self.key.sign(&signed.0);
        add(records, owner, RType::RRSIG, &[&fields, signature.as_ref()].concat());
    }
}

fn add(records: &mut Records, owner: &NameBuf, rtype: RType, rdata: &[u8]) {
    records.0.extend_from_slice(owner.as_name().as_wire());
    records.0.extend_from_slice(&rtype.0.to_be_bytes());
    records.0.extend_from_slice(&[0, 1]);
    records.0.extend_from_slice(&TTL.to_be_bytes());
    records.0.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
    records.0.extend_from_slice(rdata);
    records.1 += 1;
}

fn name(text: &str) -> NameBuf {
    text.parse().expect("a name")
}

fn base32hex(octets: &[u8]) -> String {
    let digit = |bits: u64| char::from(b"0123456789abcdefghijklmnopqrstuv"[(bits & 31) as usize]);
    let group = |five: &[u8]| {
        let bits = five.iter().fold(0u64, |bits, &octet| bits << 8 | u64::from(octet));
        (0..8).rev().map(move |at| digit(bits >> (5 * at))).collect::<String>()
    };
    octets.chunks(5).map(group).collect()
}

/// When the walks begin, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

const TTL: u32 = 3600;
