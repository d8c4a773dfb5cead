//! Well-formed names and RDATA of every type, made at random from the table of types.

use std::collections::BTreeSet;

use nss_wire::rdata::svcb::{SvcKey, SvcValue};
use nss_wire::rdata::{self, Kind, TypeInfo};
use nss_wire::{NameBuf, NameBuilder, RType};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

/// Octets in wire form.
type Octets = BoxedStrategy<Vec<u8>>;

/// A name of any kind: few labels from a small stock, so that names have ends in common, or octets of any kind.
pub(crate) fn name() -> BoxedStrategy<NameBuf> {
    let stock = select(vec!["a", "B", "www", "WWW", "ns1", "Example", "example", "com", "*", "xn--nxasmq6b"]);
    let label = prop_oneof![
        8 => stock.prop_map(|label| label.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..=63),
    ];
    let labels = prop_oneof![9 => vec(label.clone(), 0..6), 1 => vec(label, 0..130)];
    labels
        .prop_map(|labels| {
            let mut builder = NameBuilder::new();
            for label in labels {
                // A name that is full is done.
                if builder.push_label(&label).is_err() {
                    break;
                }
            }
            builder.finish()
        })
        .boxed()
}

/// Any type that has a row in the table, and well-formed RDATA of it.
pub(crate) fn typed_rdata() -> BoxedStrategy<(RType, Vec<u8>)> {
    let rows: Vec<&'static TypeInfo> = rdata::table::ROWS.iter().collect();
    select(rows).prop_flat_map(|row| (Just(row.rtype), rdata_of(row.rtype))).boxed()
}

/// Well-formed RDATA of a type; any octets for a type without a row.
pub(crate) fn rdata_of(rtype: RType) -> Octets {
    let Some(info) = rdata::info(rtype) else { return octets(0..40) };
    match rtype {
        RType::IPSECKEY => {
            let with_type = |gateway_type: u8, gateway: Octets| {
                joined(vec![array::<1>(), Just(vec![gateway_type]).boxed(), array::<1>(), gateway, octets(0..40)])
            };
            prop_oneof![
                with_type(0, octets(0..1)),
                with_type(1, array::<4>()),
                with_type(2, array::<16>()),
                with_type(3, wire_name())
            ]
            .boxed()
        }
        RType::DS | RType::CDS | RType::DLV | RType::TA => digest(3, &[(1, 20), (2, 32), (4, 48), (200, 7)]),
        RType::SSHFP => digest(1, &[(1, 20), (2, 32), (200, 7)]),
        RType::ZONEMD => digest(5, &[(1, 48), (2, 64), (200, 12)]),
        _ => joined(info.fields.iter().map(|field| of_kind(field.kind)).collect()),
    }
}

fn of_kind(kind: Kind) -> Octets {
    match kind {
        Kind::Name(_) => wire_name(),
        Kind::Names => vec(wire_name(), 0..3).prop_map(|names| names.concat()).boxed(),
        Kind::U8 | Kind::Code8(_) => array::<1>(),
        Kind::U16 | Kind::Type | Kind::Code16(_) => array::<2>(),
        Kind::U32 | Kind::Period | Kind::Time | Kind::Ipv4 => array::<4>(),
        Kind::Eui48 => array::<6>(),
        Kind::NodeNumber | Kind::Eui64 | Kind::Ilnp64 => array::<8>(),
        Kind::Ipv6 => array::<16>(),
        Kind::String | Kind::Salt => counted(octets(0..20)),
        Kind::OptionalString => prop_oneof![Just(Vec::new()), counted(octets(0..20))].boxed(),
        Kind::Strings => vec(counted(octets(0..256)), 1..4).prop_map(|strings| strings.concat()).boxed(),
        Kind::Tag => counted("[a-zA-Z0-9]{1,15}".prop_map(String::into_bytes).boxed()),
        Kind::HashedOwner => counted(octets(1..33)),
        Kind::Text => octets(0..300),
        Kind::Base64OrNothing | Kind::Base64OrDash => octets(0..40),
        Kind::Base64 | Kind::Base64OrNoKey | Kind::Hex | Kind::Nsap => octets(1..40),
        Kind::TypeBitmap => {
            btree_set(prop_oneof![0..300u16, any::<u16>()], 0..20).prop_map(|types| window_blocks(&types)).boxed()
        }
        Kind::NxtBitmap => btree_set(1..128u16, 0..20).prop_map(|set| bitmap(&set)).boxed(),
        Kind::Location => {
            let size = (0..10u8, 0..10u8).prop_map(|(digit, power)| vec![digit << 4 | power]).boxed();
            let angle =
                |limit: u32| (0..=2 * limit).prop_map(move |a| (a + (1 << 31) - limit).to_be_bytes().to_vec()).boxed();
            joined(vec![
                Just(vec![0]).boxed(),
                size.clone(),
                size.clone(),
                size,
                angle(90 * 3_600_000),
                angle(180 * 3_600_000),
                array::<4>(),
            ])
        }
        Kind::AddressPrefixes => {
            let item = |family: u8, size: usize| {
                (0..=8 * size as u8, any::<bool>(), vec(any::<u8>(), 0..=size)).prop_map(
                    move |(prefix, negated, mut address)| {
                        while address.last() == Some(&0) {
                            address.pop();
                        }
                        let length = address.len() as u8 | if negated { 0x80 } else { 0 };
                        [&[0, family, prefix, length], &address[..]].concat()
                    },
                )
            };
            vec(prop_oneof![item(1, 4), item(2, 16)], 0..4).prop_map(|items| items.concat()).boxed()
        }
        Kind::Services => joined(vec![array::<1>(), octets(0..40)]),
        Kind::SvcParams => svc_params(),
        Kind::AtmAddress => prop_oneof![
            "\u{1}[0-9]{1,15}".prop_map(String::into_bytes),
            octets(1..20).prop_map(|address| [&[0], &address[..]].concat()),
        ]
        .boxed(),
        Kind::A6 => (0..=128u8, any::<[u8; 16]>(), wire_name())
            .prop_map(|(prefix, mut address, name)| {
                let start = usize::from(prefix / 8);
                if let Some(first) = address.get_mut(start) {
                    *first &= 0xff >> (prefix % 8);
                }
                [&[prefix][..], &address[start..], if prefix == 0 { &[] } else { &name }].concat()
            })
            .boxed(),
        Kind::Gateway => unreachable!("depends on an octet before it"),
        Kind::Relay => {
            let with_type = |relay_type: u8, relay: Octets| {
                joined(vec![prop_oneof![Just(vec![relay_type]), Just(vec![0x80 | relay_type])].boxed(), relay])
            };
            prop_oneof![
                with_type(0, octets(0..1)),
                with_type(1, array::<4>()),
                with_type(2, array::<16>()),
                with_type(3, wire_name())
            ]
            .boxed()
        }
        Kind::Hip => (octets(1..20), any::<u8>(), octets(1..40))
            .prop_map(|(hit, algorithm, key)| {
                [&[hit.len() as u8, algorithm, 0, key.len() as u8], &hit[..], &key[..]].concat()
            })
            .boxed(),
    }
}

fn svc_params() -> Octets {
    let keys = prop_oneof![1..13u16, 65280..65290u16];
    (btree_set(keys, 0..6), any::<u8>())
        .prop_flat_map(|(mut keys, mandatory_bits)| {
            if keys.contains(&SvcKey::NO_DEFAULT_ALPN.0) {
                keys.insert(SvcKey::ALPN.0);
            }
            let mandatory: Vec<u8> = keys
                .iter()
                .enumerate()
                .filter(|(i, _)| mandatory_bits >> i & 1 == 1)
                .flat_map(|(_, key)| key.to_be_bytes())
                .collect();
            let mut parts: Vec<Octets> = Vec::new();
            if !mandatory.is_empty() {
                parts.push(svc_param(0, Just(mandatory).boxed()));
            }
            parts.extend(keys.into_iter().map(|key| svc_param(key, svc_value(SvcKey(key)))));
            joined(parts)
        })
        .boxed()
}

fn svc_param(key: u16, value: Octets) -> Octets {
    value.prop_map(move |value| [&key.to_be_bytes(), &(value.len() as u16).to_be_bytes(), &value[..]].concat()).boxed()
}

fn svc_value(key: SvcKey) -> Octets {
    let list = |item: Octets| vec(item, 1..4).prop_map(|items| items.concat()).boxed();
    match key.value() {
        SvcValue::Keys => unreachable!("depends on the other keys"),
        SvcValue::StringList => list(counted(octets(1..10))),
        SvcValue::PathSegments => vec(counted(octets(1..10)), 0..4).prop_map(|items| items.concat()).boxed(),
        SvcValue::Nothing => octets(0..1),
        SvcValue::U16 => array::<2>(),
        SvcValue::U16List => {
            btree_set(any::<u16>(), 1..5).prop_map(|set| set.into_iter().flat_map(u16::to_be_bytes).collect()).boxed()
        }
        SvcValue::Ipv4List => list(array::<4>()),
        SvcValue::Ipv6List => list(array::<16>()),
        SvcValue::Base64 => octets(1..40),
        SvcValue::Utf8 => "/[a-zé\"\\\\,; ]{0,10}\\{\\?dns\\}".prop_map(String::into_bytes).boxed(),
        SvcValue::Opaque => octets(0..20),
    }
}

/// `front` octets, the last of which is the digest's algorithm, and a digest of its size.
fn digest(algorithm_at: usize, sizes: &'static [(u8, usize)]) -> Octets {
    select(sizes)
        .prop_flat_map(move |(algorithm, size)| {
            joined(vec![
                vec(any::<u8>(), algorithm_at).boxed(),
                Just(vec![algorithm]).boxed(),
                vec(any::<u8>(), size).boxed(),
            ])
        })
        .boxed()
}

fn window_blocks(types: &BTreeSet<u16>) -> Vec<u8> {
    let windows: BTreeSet<u8> = types.iter().map(|rtype| (rtype >> 8) as u8).collect();
    windows
        .into_iter()
        .flat_map(|window| {
            let low = types.iter().filter(|&&rtype| (rtype >> 8) as u8 == window).map(|rtype| rtype & 0xff).collect();
            let bits = bitmap(&low);
            [&[window, bits.len() as u8], &bits[..]].concat()
        })
        .collect()
}

fn bitmap(bits: &BTreeSet<u16>) -> Vec<u8> {
    let mut octets = vec![0; bits.last().map_or(0, |&bit| usize::from(bit) / 8 + 1)];
    bits.iter().for_each(|&bit| octets[usize::from(bit) / 8] |= 0x80 >> (bit % 8));
    octets
}

fn wire_name() -> Octets {
    name().prop_map(|name| name.as_name().as_wire().to_vec()).boxed()
}

fn octets(size: std::ops::Range<usize>) -> Octets {
    vec(any::<u8>(), size).boxed()
}

fn array<const N: usize>() -> Octets {
    vec(any::<u8>(), N).boxed()
}

fn counted(octets: Octets) -> Octets {
    octets.prop_map(|octets| [&[octets.len() as u8], &octets[..]].concat()).boxed()
}

fn joined(parts: Vec<Octets>) -> Octets {
    parts.prop_map(|parts| parts.concat()).boxed()
}
