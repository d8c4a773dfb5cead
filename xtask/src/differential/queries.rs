//! Random questions about a generated zone.

use nss_wire::{Class, NameBuf, RType};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::zones::{QTYPES, Zone, has_room};
use crate::client::{Edns, Flags, Query, Transport};

/// Makes `count` queries; the same seed and zone give the same ones.
pub(crate) fn generate(seed: u64, zone: &Zone, count: usize) -> Vec<Query> {
    let mut rng =
        StdRng::seed_from_u64(seed ^ zone.name.bytes().fold(0, |sum: u64, b| sum.rotate_left(7) ^ u64::from(b)));
    (0..count).map(|_| query(&mut rng, zone)).collect()
}

fn query(rng: &mut StdRng, zone: &Zone) -> Query {
    let qname = qname(rng, zone);
    let qtype = if rng.random_bool(0.02) {
        RType(rng.random_range(256..65280))
    } else {
        *QTYPES.choose(rng).expect("not empty")
    };
    // Signed zones are there to be asked for their signatures.
    let (edns, dnssec_ok) = if zone.signing.is_some() { (0.9, 0.8) } else { (0.5, 0.3) };
    let edns = rng.random_bool(edns).then(|| Edns {
        payload_size: *[0, 512, 700, 1232, 1232, 4096].choose(rng).expect("not empty"),
        version: u8::from(rng.random_bool(0.02)),
        dnssec_ok: rng.random_bool(dnssec_ok),
    });
    Query {
        id: rng.random(),
        opcode: 0,
        qname: if rng.random_bool(0.2) { mix_case(rng, &qname) } else { qname },
        qtype: if is_transfer(qtype) { RType::A } else { qtype },
        flags: Flags {
            recursion_desired: rng.random_bool(0.2),
            authentic_data: rng.random_bool(0.1),
            checking_disabled: rng.random_bool(0.1),
        },
        qclass: if rng.random_bool(0.003) { Class(rng.random_range(2..250)) } else { Class::IN },
        edns,
        transport: if rng.random_bool(0.15) { Transport::Tcp } else { Transport::Udp },
    }
}

/// Types that are no question about data (RFC 6895 §3.1), of which ANY is asked on purpose elsewhere.
fn is_transfer(qtype: RType) -> bool {
    (128..=255).contains(&qtype.0) && qtype != RType::ANY
}

fn qname(rng: &mut StdRng, zone: &Zone) -> NameBuf {
    let known = zone.names.choose(rng).expect("the apex is there").clone();
    let label = *zone.labels.choose(rng).expect("not empty");
    let below = |name: &NameBuf, label: &str| format!("{label}.{name}").parse().unwrap_or_else(|_| name.clone());
    match rng.random_range(0..20) {
        0..=8 => known,
        9..=11 if has_room(known.as_name()) => below(&known, label),
        12 => known.as_name().parent().map_or_else(|| known.clone(), |parent| below(&parent.to_buf(), label)),
        13 => known.as_name().parent().map_or_else(|| known.clone(), |parent| parent.to_buf()),
        14 => below(&below(&known, label), zone.labels.choose(rng).expect("not empty")),
        15 => zone.apex.clone(),
        16..=18 => below(&below(&zone.apex, label), zone.labels.choose(rng).expect("not empty")),
        _ => below(&zone.apex, label),
    }
}

/// Any mix of case asks for the same name (RFC 4343).
fn mix_case(rng: &mut StdRng, name: &NameBuf) -> NameBuf {
    let text: String = name
        .to_string()
        .chars()
        .map(|c| if rng.random_bool(0.5) { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    text.parse().unwrap_or_else(|_| name.clone())
}
