//! Names against an independent implementation, and against what RFC 1035, 4034 and 4343 say.

use std::hash::{BuildHasher, RandomState};

use hickory_proto::rr;
use hickory_proto::serialize::binary::{BinDecodable, BinEncodable};
use nss_wire::{Name, NameBuf, NameError};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::generator;

fn theirs(name: Name<'_>) -> rr::Name {
    rr::Name::from_bytes(name.as_wire()).unwrap()
}

/// The name with the case of some of its letters changed.
fn recased(name: &NameBuf, bits: &[bool]) -> NameBuf {
    let mut octets = name.as_name().as_wire().to_vec();
    for (octet, &is_changed) in octets.iter_mut().zip(bits.iter().cycle()) {
        if is_changed && octet.is_ascii_alphabetic() {
            *octet ^= 0x20;
        }
    }
    Name::from_wire_exact(&octets).unwrap().to_buf()
}

proptest! {
    #[test]
    fn octets_are_a_name_for_both_or_for_neither(octets in vec(prop_oneof![0..4u8, any::<u8>()], 0..300)) {
        let ours = Name::from_wire(&octets);
        match ours {
            Ok((name, rest)) => {
                prop_assert_eq!([name.as_wire(), rest].concat(), octets.clone());
                let parsed = rr::Name::from_bytes(&octets);
                prop_assert!(parsed.is_ok());
                prop_assert_eq!(parsed.unwrap().to_bytes().unwrap(), name.as_wire());
            }
            // The other implementation follows pointers here; it is asked only where there is none.
            Err(NameError::LabelType) => {}
            Err(_) => prop_assert!(rr::Name::from_bytes(&octets).is_err()),
        }
    }

    #[test]
    fn text_reads_back_to_the_same_octets(name in generator::name()) {
        let text = name.to_string();
        prop_assert!(text.is_ascii() && text.ends_with('.'));
        let read: NameBuf = text.parse().unwrap();
        prop_assert_eq!(read.as_name().as_wire(), name.as_name().as_wire());
        let relative = text.strip_suffix('.').filter(|text| !text.is_empty());
        if let Some(relative) = relative.filter(|text| !text.ends_with('\\')) {
            let read = NameBuf::from_presentation(relative.as_bytes(), Name::ROOT).unwrap();
            // `@` alone stands for the origin.
            prop_assert!(relative == "@" || read == name);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a.\\\\@0-9é\"]{0,300}", octets in vec(any::<u8>(), 0..300)) {
        for text in [text.as_bytes(), &octets] {
            match NameBuf::from_presentation(text, Name::ROOT) {
                Ok(name) => prop_assert_eq!(name.to_string().parse::<NameBuf>(), Ok(name)),
                Err((_, offset)) => prop_assert!(offset <= text.len()),
            }
        }
    }

    #[test]
    fn order_and_equality_are_canonical(a in generator::name(), b in generator::name(), bits in vec(any::<bool>(), 1..9)) {
        prop_assert_eq!(a.cmp(&b), theirs(a.as_name()).cmp(&theirs(b.as_name())), "{} {}", a, b);
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        let folded = recased(&a, &bits);
        prop_assert!(folded == a && folded.cmp(&a).is_eq());
        let hasher = RandomState::new();
        prop_assert_eq!(hasher.hash_one(&folded), hasher.hash_one(&a));
        prop_assert!(a == b || hasher.hash_one(&a) != hasher.hash_one(&b));
        let lowercase = folded.as_name().to_lowercase();
        prop_assert_eq!(lowercase.as_name().as_wire(), a.as_name().as_wire().to_ascii_lowercase());
    }

    #[test]
    fn ancestors_are_ends_at_a_label(a in generator::name(), b in generator::name()) {
        let (x, y) = (a.as_name(), b.as_name());
        prop_assert_eq!(x.is_at_or_below(y), theirs(y).zone_of(&theirs(x)));
        let shared = x.common_labels(y);
        prop_assert_eq!(x.suffix(shared), y.suffix(shared));
        if shared < x.label_count().min(y.label_count()) {
            prop_assert_ne!(x.suffix(shared + 1), y.suffix(shared + 1));
        }
        prop_assert_eq!(x.labels().count(), x.label_count());
        prop_assert_eq!(x.parent().map(Name::label_count), x.label_count().checked_sub(1));
        prop_assert_eq!(x.is_below(y), x.is_at_or_below(y) && x != y);
    }

    #[test]
    fn a_suffix_is_replaced_once_and_back(prefix in generator::name(), old in generator::name(), new in generator::name()) {
        let mut builder = nss_wire::NameBuilder::new();
        let fits = prefix.as_name().labels().try_for_each(|label| builder.push_label(label));
        if let (Ok(()), Ok(whole)) = (fits, builder.append(old.as_name())) {
            match whole.as_name().with_suffix_replaced(old.as_name(), new.as_name()) {
                Ok(moved) => prop_assert_eq!(moved.as_name().with_suffix_replaced(new.as_name(), old.as_name()), Ok(whole)),
                Err(error) => prop_assert_eq!(error, NameError::NameTooLong),
            }
        }
    }
}
