//! RDATA of every type: what is made from the table is accepted, an independent implementation reads the same, and
//! broken octets are refused without harm.

use crate::generator;
use hickory_proto::op::Message;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use nss_wire::message::{Compression, Compressor, Section, Writer};
use nss_wire::rdata::{self, Presentation};
use nss_wire::{Class, RType};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Calls everything that takes RDATA; none of it may panic, whatever the octets are.
fn use_all(rtype: RType, octets: &[u8]) {
    let is_good = rdata::check(rtype, octets).is_ok();
    let text = Presentation { rtype, rdata: octets }.to_string();
    assert!(!text.is_empty() && text.is_ascii());
    assert!(is_good || text.starts_with("\\# "));
    for part in rdata::names(rtype, octets) {
        assert!(octets[part.offset..].starts_with(part.name.as_wire()));
    }
    let mut canonical = octets.to_vec();
    rdata::canonicalize(rtype, &mut canonical);
    assert!(canonical.eq_ignore_ascii_case(octets));
    assert!(rdata::canonical_octets(rtype, octets).eq(canonical.iter().copied()));
    let mut again = canonical.clone();
    rdata::canonicalize(rtype, &mut again);
    assert_eq!(again, canonical);
    assert!(rdata::compare(rtype, octets, &canonical).is_eq());
    let mut out = Vec::new();
    let range = 0..octets.len();
    // In RDATA that stands at the start of the message no pointer can be right.
    assert_eq!(rdata::decompress(rtype, octets, range, &mut out).is_ok(), is_good);
    assert_eq!(out, if is_good { octets } else { &[] });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_the_table_describes_is_accepted((rtype, octets) in generator::typed_rdata()) {
        prop_assert_eq!(rdata::check(rtype, &octets), Ok(()), "{}", rtype);
        use_all(rtype, &octets);
    }

    #[test]
    fn broken_octets_do_no_harm(
        (rtype, mut octets) in generator::typed_rdata(),
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in any::<Option<Index>>(),
    ) {
        for (at, octet) in changes {
            if !octets.is_empty() {
                *at.get_mut(&mut octets) = octet;
            }
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len() + 1));
        }
        use_all(rtype, &octets);
    }

    #[test]
    fn any_octets_do_no_harm(rtype in 0..270u16, octets in vec(prop_oneof![0..5u8, any::<u8>()], 0..60)) {
        use_all(RType(rtype), &octets);
    }

    #[test]
    fn order_is_that_of_the_canonical_forms((rtype, a) in generator::typed_rdata(), change in any::<Option<(Index, u8)>>()) {
        let mut b = a.clone();
        if let Some((at, octet)) = change && !b.is_empty() {
            *at.get_mut(&mut b) = octet;
        }
        let (mut x, mut y) = (a.clone(), b.clone());
        rdata::canonicalize(rtype, &mut x);
        rdata::canonicalize(rtype, &mut y);
        prop_assert_eq!(rdata::compare(rtype, &a, &b), x.cmp(&y));
    }

    #[test]
    fn an_independent_implementation_reads_and_writes_the_same((rtype, octets) in generator::typed_rdata()) {
        let (mut buffer, mut compressor) = (vec![0; 65535], Compressor::new());
        let mut writer = Writer::new(&mut buffer, 65535, &mut compressor).unwrap();
        writer.compression = Compression::KeepCase;
        writer.record(Section::Answer, nss_wire::Name::ROOT, rtype, Class::IN, 300, &octets).unwrap();
        let size = writer.finish();
        match Message::from_vec(&buffer[..size]) {
            // It knows nothing of MINFO and so leaves its second name compressed.
            Ok(_) if rtype == RType::MINFO => {}
            Ok(message) => {
                let mut theirs = Vec::new();
                let mut encoder = BinEncoder::new(&mut theirs);
                encoder.set_name_encoding(NameEncoding::Uncompressed);
                message.answers[0].data.emit(&mut encoder).unwrap();
                prop_assert_eq!(theirs, octets, "{}", rtype);
            }
            Err(error) => prop_assert!(is_refused_by_them(rtype, &octets), "{rtype} {octets:02x?}: {error}"),
        }
    }
}

/// Well-formed RDATA that the other implementation does not take.
fn is_refused_by_them(rtype: RType, octets: &[u8]) -> bool {
    match rtype {
        // It takes empty RDATA for a part of an update.
        RType::APL => octets.is_empty(),
        // Unassigned flag bits, which RFC 7477 §2.1.1.2 wants ignored.
        RType::CSYNC => octets[4] != 0 || octets[5] & !3 != 0,
        // Flags that are not letters or digits.
        RType::NAPTR => true,
        // Protocol identifiers that are not UTF-8, and a last parameter without value.
        RType::SVCB | RType::HTTPS => true,
        // It wants SIG only where SIG(0) stands.
        RType::SIG => true,
        _ => false,
    }
}
