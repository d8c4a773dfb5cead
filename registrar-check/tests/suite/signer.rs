//! Signs the zones of the tests' internet when they are asked, and denies what they do not have.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use hickory_proto::op::Message;
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use nss_wire::NameBuf;

use crate::internet::NOW;

/// How a zone says that it has no such name or type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    Nsec,
    Nsec3 { opt_out: bool, iterations: u16 },
}

/// The key of a zone.
pub(crate) struct Signer {
    apex: Name,
    denial: Denial,
    key: EcdsaKeyPair,
    /// Seconds since 1970.
    pub(crate) inception: u64,
    pub(crate) expiration: u64,
}

impl Signer {
    pub(crate) fn new(apex: &Name, denial: Denial) -> Signer {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Signer { apex: apex.clone(), denial, key, inception: NOW - 3600, expiration: NOW + 86_400 }
    }

    pub(crate) fn dnskey(&self) -> RData {
        // X9.62 has an octet in front of the point that DNSKEY leaves out (RFC 6605 §4).
        opaque(RecordType::DNSKEY, [&[1, 1, 3, 13][..], &self.key.public_key().as_ref()[1..]].concat())
    }

    pub(crate) fn ds(&self) -> Vec<u8> {
        let dnskey = self.dnskey().to_bytes().unwrap();
        let digest = digest::digest(&digest::SHA256, &[wire(&self.apex), dnskey].concat());
        [&self.tag().to_be_bytes()[..], &[13, 2], digest.as_ref()].concat()
    }

    /// RFC 4034 appendix B.
    fn tag(&self) -> u16 {
        let dnskey = self.dnskey().to_bytes().unwrap();
        let sum: u32 =
            dnskey.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
        (sum + (sum >> 16)) as u16
    }

    /// Adds what a signed zone's reply has beyond an unsigned one's.
    pub(crate) fn complete(&self, reply: &mut Message, qname: &Name, zone: &[(Name, RData)]) {
        let is_referral = !reply.metadata.authoritative;
        let about = match (is_referral, reply.authorities.first()) {
            (true, Some(cut)) => cut.name.clone(),
            _ => qname.clone(),
        };
        let has_ds = reply.authorities.iter().any(|record| record.record_type() == RecordType::DS);
        if reply.answers.is_empty() && !has_ds {
            let denial = self.deny(&about, zone);
            reply.authorities.extend(denial);
        }
        let is_signed = |record: &Record| !(is_referral && record.record_type() == RecordType::NS);
        let answers = self.signatures(&reply.answers, is_signed);
        let authorities = self.signatures(&reply.authorities, is_signed);
        reply.answers.extend(answers);
        reply.authorities.extend(authorities);
    }

    /// The signature of each RRset among `records`.
    pub(crate) fn signatures(&self, records: &[Record], is_signed: impl Fn(&Record) -> bool) -> Vec<Record> {
        let mut sets: Vec<(&Name, RecordType, Vec<Vec<u8>>)> = Vec::new();
        for record in records.iter().filter(|record| is_signed(record)) {
            let rdata = record.data.to_bytes().unwrap();
            let found =
                sets.iter_mut().find(|(owner, rtype, _)| (*owner, *rtype) == (&record.name, record.record_type()));
            match found {
                Some((.., rdatas)) => rdatas.push(rdata),
                None => sets.push((&record.name, record.record_type(), vec![rdata])),
            }
        }
        sets.into_iter().map(|(owner, rtype, rdatas)| self.signature(owner, rtype, rdatas)).collect()
    }

    pub(crate) fn signature(&self, owner: &Name, rtype: RecordType, mut rdatas: Vec<Vec<u8>>) -> Record {
        rdatas.sort();
        let fields = [
            &u16::from(rtype).to_be_bytes()[..],
            &[13, owner.num_labels()],
            &TTL.to_be_bytes(),
            &(self.expiration as u32).to_be_bytes(),
            &(self.inception as u32).to_be_bytes(),
            &self.tag().to_be_bytes(),
            &wire(&self.apex),
        ]
        .concat();
        let mut message = fields.clone();
        for rdata in rdatas {
            message.extend(wire(owner));
            message.extend(u16::from(rtype).to_be_bytes());
            message.extend([0, 1]);
            message.extend(TTL.to_be_bytes());
            message.extend((rdata.len() as u16).to_be_bytes());
            message.extend(rdata);
        }
        let signature = self.key.sign(&SystemRandom::new(), &message).unwrap();
        Record::from_rdata(owner.clone(), TTL, opaque(RecordType::RRSIG, [&fields, signature.as_ref()].concat()))
    }

    /// The records that prove what the zone has not at or below `name`.
    fn deny(&self, name: &Name, zone: &[(Name, RData)]) -> Vec<Record> {
        let types_at = |owner: &Name| {
            let at = zone.iter().filter(|(name, _)| name == owner);
            at.map(|(_, data)| data.record_type()).collect::<Vec<RecordType>>()
        };
        let is_cut = |owner: &Name| *owner != self.apex && types_at(owner).contains(&RecordType::NS);
        let above = |owner: &Name| {
            let labels = self.apex.num_labels()..owner.num_labels();
            labels.map(|labels| owner.trim_to(usize::from(labels))).collect::<Vec<_>>()
        };
        let mut owners: Vec<Name> = zone.iter().map(|(owner, _)| owner.clone()).collect();
        owners.push(self.apex.clone());
        owners.retain(|owner| !above(owner).iter().any(is_cut));
        let types = |owner: &Name| {
            let mut types = types_at(owner);
            if *owner == self.apex {
                types.extend([RecordType::SOA, RecordType::NS]);
            }
            types
        };
        match self.denial {
            Denial::Nsec => {
                let mut names: Vec<NameBuf> = owners.iter().map(name_buf).collect();
                names.sort();
                names.dedup();
                let at = names.partition_point(|owner| *owner <= name_buf(name)).saturating_sub(1);
                let owner = Name::from_ascii(names[at].to_string()).unwrap();
                let next = &names[(at + 1) % names.len()];
                let rdata = [next.as_name().as_wire(), &bitmap(&types(&owner))].concat();
                vec![Record::from_rdata(owner, TTL, opaque(RecordType::NSEC, rdata))]
            }
            Denial::Nsec3 { opt_out, iterations } => {
                // Empty non-terminals have records, cuts without DS none where the zone opts out.
                owners.extend(owners.clone().iter().flat_map(above).filter(|owner| self.apex.zone_of(owner)));
                owners.sort();
                owners.dedup();
                let has_ds = |owner: &Name| types_at(owner).contains(&RecordType::DS);
                owners.retain(|owner| !opt_out || !is_cut(owner) || has_ds(owner));
                let mut chain: Vec<([u8; 20], Name)> =
                    owners.into_iter().map(|owner| (hash(&owner, iterations), owner)).collect();
                chain.sort();
                let exists = |name: &Name| chain.iter().any(|(_, owner)| owner == name);
                let record = |at: usize| {
                    let (own, owner) = &chain[at];
                    let next = chain[(at + 1) % chain.len()].0;
                    let [high, low] = iterations.to_be_bytes();
                    let fixed = [&[1, u8::from(opt_out), high, low, 0, 20][..], &next].concat();
                    let rdata = [fixed, bitmap(&types(owner))].concat();
                    let owner = Name::from_ascii(base32hex(own)).unwrap().append_domain(&self.apex).unwrap();
                    Record::from_rdata(owner, TTL, opaque(RecordType::NSEC3, rdata))
                };
                let matching = |name: &Name| chain.iter().position(|(_, owner)| owner == name);
                let covering = |name: &Name| {
                    let after = chain.partition_point(|(own, _)| *own < hash(name, iterations));
                    (after + chain.len() - 1) % chain.len()
                };
                if exists(name) {
                    return matching(name).map(record).into_iter().collect();
                }
                let mut closer = name.clone();
                while !exists(&closer.base_name()) {
                    closer = closer.base_name();
                }
                let mut places = vec![matching(&closer.base_name()).unwrap(), covering(&closer)];
                places.dedup();
                places.into_iter().map(record).collect()
            }
        }
    }
}

/// RDATA as octets, whatever hickory-proto knows of its type.
pub(crate) fn opaque(rtype: RecordType, rdata: Vec<u8>) -> RData {
    RData::Unknown { code: rtype, rdata: NULL::with(rdata) }
}

fn name_buf(name: &Name) -> NameBuf {
    name.to_ascii().parse().unwrap()
}

fn wire(name: &Name) -> Vec<u8> {
    name_buf(name).as_name().to_lowercase().as_name().as_wire().to_vec()
}

/// RFC 4034 §4.1.2, of types below 256.
fn bitmap(types: &[RecordType]) -> Vec<u8> {
    let mut bits = [0u8; 32];
    types.iter().map(|&rtype| u16::from(rtype)).for_each(|rtype| bits[usize::from(rtype / 8)] |= 0x80 >> (rtype % 8));
    match bits.iter().rposition(|&octet| octet > 0) {
        Some(last) => [&[0, last as u8 + 1][..], &bits[..=last]].concat(),
        None => Vec::new(),
    }
}

/// RFC 5155 §5, without salt.
fn hash(name: &Name, iterations: u16) -> [u8; 20] {
    let step = |octets: &[u8]| digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, octets).as_ref().try_into().unwrap();
    let first: [u8; 20] = step(&wire(name));
    (0..iterations).fold(first, |hash, _| step(&hash))
}

fn base32hex(octets: &[u8; 20]) -> String {
    let digit = |bits: u64| char::from(b"0123456789abcdefghijklmnopqrstuv"[(bits & 31) as usize]);
    let group = |five: &[u8]| {
        let bits = five.iter().fold(0u64, |bits, &octet| bits << 8 | u64::from(octet));
        (0..8).rev().map(move |at| digit(bits >> (5 * at))).collect::<String>()
    };
    octets.chunks(5).map(group).collect()
}

/// The TTL of everything in the tests' internet.
const TTL: u32 = 3600;
