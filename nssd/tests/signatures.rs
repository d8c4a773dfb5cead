//! Signed zones, as BIND's signer made them and with something changed since: what resolvers would take for a forgery is refused.
//!
//! The zones were made by dnssec-signzone and written in canonical form by `nssd check-zone --print`; they are valid until 2056.

use nss_wire::{NameBuf, Severity};
use nssd::check::{Diagnosis, Gap, Include, Method, SignatureOptions, Unproved, diagnose};

const NSEC: &str = include_str!("signatures/nsec.zone");
const NSEC3: &str = include_str!("signatures/nsec3.zone");
const TWO_ALGORITHMS: &str = include_str!("signatures/two.zone");

/// 2026-11-25.
const NOW: u64 = 1_795_564_800;
/// 2026-01-01 and 2056-01-01, between which the signatures are valid.
const INCEPTION: u64 = 1_767_225_600;
const EXPIRATION: u64 = 2_713_910_400;

fn diagnosis(text: &str, options: Option<SignatureOptions>) -> Diagnosis {
    let apex: NameBuf = "example.com".parse().unwrap();
    let method = Method { include: Include::Refuse, seed: None, lints: None, signatures: options };
    diagnose(apex.as_name(), text.as_bytes(), method)
}

/// What rules of signatures a text breaks, each once, with the severity of the worst.
fn broken(text: &str, now: u64) -> Vec<&'static str> {
    let diagnosis = diagnosis(text, Some(SignatureOptions::of_file(now, 2)));
    let has_error = diagnosis.diagnostics.iter().any(|it| it.severity == Severity::Error);
    assert_eq!(diagnosis.zone.is_none(), has_error, "an error refuses the zone: {:?}", diagnosis.diagnostics);
    let mut names: Vec<&str> = diagnosis.diagnostics.iter().map(|it| it.rule.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The zone breaks no rule, and with something else in the place of a part of it these.
#[track_caller]
fn check(zone: &str, part: &str, instead: &str, expected: &[&str]) {
    assert!(zone.contains(part), "{part}");
    assert_eq!(broken(&zone.replacen(part, instead, 1), NOW), expected, "{part} -> {instead}");
}

/// The line that begins so, with its end.
#[track_caller]
fn line<'z>(zone: &'z str, start: &str) -> &'z str {
    zone.split_inclusive('\n').find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}"))
}

#[test]
fn a_zone_that_was_signed_well_is_accepted_with_each_algorithm() {
    for zone in [NSEC, NSEC3, TWO_ALGORITHMS] {
        assert_eq!(broken(zone, NOW), [""; 0]);
    }
    for zone in [
        include_str!("signatures/p384.zone"),
        include_str!("signatures/rsasha256.zone"),
        include_str!("signatures/rsasha512.zone"),
    ] {
        assert_eq!(broken(zone, NOW), [""; 0]);
        check(zone, "hostmaster.example.com. 1 ", "hostmaster.example.com. 2 ", &["wrong-signature"]);
    }
}

#[test]
fn old_algorithms_and_short_keys_are_verified_with_a_warning() {
    let (sha1, short) = (include_str!("signatures/rsasha1.zone"), include_str!("signatures/rsa1024.zone"));
    assert_eq!(broken(sha1, NOW), ["weak-algorithm"]);
    assert_eq!(broken(short, NOW), ["weak-key"]);
    for (zone, warning) in [(sha1, "weak-algorithm"), (short, "weak-key")] {
        check(zone, "hostmaster.example.com. 1 ", "hostmaster.example.com. 2 ", &[warning, "wrong-signature"]);
    }
}

#[test]
fn signatures_of_an_algorithm_that_is_not_known_are_not_verified_but_their_fields_are_looked_at() {
    let zone = include_str!("signatures/ed448.zone");
    assert_eq!(broken(zone, NOW), ["unknown-algorithm"]);
    check(zone, "hostmaster.example.com. 1 ", "hostmaster.example.com. 2 ", &["unknown-algorithm"]);
    check(zone, "SOA 16 2 3600", "SOA 16 1 3600", &["unfit-signature", "unknown-algorithm"]);
    assert_eq!(broken(zone, EXPIRATION + 1), ["expired-signature"]);
}

#[test]
fn one_octet_of_a_record_or_a_signature_makes_it_wrong() {
    check(NSEC, "A 192.0.2.1", "A 192.0.2.2", &["wrong-signature"]);
    check(NSEC, "TXT \"wild\"", "TXT \"wile\"", &["wrong-signature"]);
    check(NSEC, "DS 12345 13 2 00", "DS 12345 13 2 01", &["wrong-signature"]);
    check(NSEC, "AUu8I5Fim", "AUu8I5Fin", &["wrong-signature"]);
    check(
        NSEC,
        "ns.example.com. 3600 IN A",
        "ns.example.com. 3600 IN A 192.0.2.9\nns.example.com. 3600 IN A",
        &["wrong-signature"],
    );
    check(NSEC3, "A 192.0.2.1", "A 192.0.2.2", &["wrong-signature"]);
    check(NSEC3, "TXT \"wild\"", "TXT \"wile\"", &["wrong-signature"]);
    // Glue and the NS records of a child are not signed (RFC 4035 §2.2).
    check(NSEC, "A 192.0.2.5", "A 192.0.2.6", &[]);
    check(NSEC, "NS ns.example.net.", "NS ns2.example.net.", &[]);
}

#[test]
fn letter_case_counts_only_where_the_canonical_form_keeps_it() {
    check(NSEC, "ns.example.com. 3600 IN A", "NS.Example.com. 3600 IN A", &[]);
    check(NSEC, "Mail.Example.Net.", "mail.example.net.", &[]);
    check(NSEC, "Mail.Example.Net.", "mail.example.org.", &["wrong-signature"]);
    // RFC 6840 §5.1: the name in an NSEC record keeps its letter case.
    check(NSEC, "NSEC a.b.example.com.", "NSEC A.b.example.com.", &["wrong-signature"]);
}

#[test]
fn a_signature_that_is_missing_or_of_something_else_is_refused() {
    check(NSEC, line(NSEC, "ns.example.com. 3600 IN RRSIG A "), "", &["missing-signature"]);
    check(NSEC, line(NSEC, "secure.example.com. 3600 IN RRSIG DS "), "", &["missing-signature"]);
    check(NSEC, "RRSIG A 15 3 ", "RRSIG A 15 2 ", &["unfit-signature"]);
    check(NSEC, "RRSIG A 15 3 ", "RRSIG A 15 4 ", &["unfit-signature"]);
    check(NSEC, "RRSIG TXT 15 3 ", "RRSIG TXT 15 4 ", &["unfit-signature"]);
    check(
        NSEC,
        "RRSIG A 15 3 3600 20560101000000 20260101000000 40656 example.com.",
        "RRSIG A 15 3 3600 20560101000000 20260101000000 40656 com.",
        &["unfit-signature"],
    );
    check(
        NSEC,
        "RRSIG A 15 3 3600 20560101000000 20260101000000 40656",
        "RRSIG A 15 3 3600 20560101000000 20260101000000 40657",
        &["signature-without-key"],
    );
    check(NSEC, "RRSIG A 15 ", "RRSIG A 13 ", &["signature-without-key"]);
    // Another original TTL than that which was signed.
    check(NSEC, "RRSIG A 15 3 3600", "RRSIG A 15 3 3601", &["wrong-signature"]);
}

#[test]
fn times_are_those_of_the_clock_that_is_given_and_both_ends_count() {
    assert_eq!(broken(NSEC, INCEPTION - 1), ["signature-not-yet-valid"]);
    assert_eq!(broken(NSEC, INCEPTION), [""; 0]);
    let day = 86_400;
    assert_eq!(broken(NSEC, EXPIRATION - 3 * day), [""; 0]);
    assert_eq!(broken(NSEC, EXPIRATION - 3 * day + 1), ["expires-soon"]);
    assert_eq!(broken(NSEC, EXPIRATION), ["expires-soon"]);
    assert_eq!(broken(NSEC, EXPIRATION + 1), ["expired-signature"]);
    let soon = diagnosis(NSEC, Some(SignatureOptions::of_file(EXPIRATION - 7200, 1)));
    let message = &soon.diagnostics[0].message;
    assert!(message.contains("expires in 2 hours; so do those of 13 of 13 RRsets within 3 days"), "{message}");
    // A good signature beside an expired one is enough.
    let old = line(NSEC, "ns.example.com. 3600 IN RRSIG A ");
    let expired = old.replace("20560101000000", "20260102000000");
    check(NSEC, old, &format!("{expired}{old}"), &[]);
}

#[test]
fn all_that_is_wrong_is_counted_and_some_of_it_shown() {
    let diagnosis = diagnosis(NSEC, Some(SignatureOptions::of_file(EXPIRATION + 1, 2)));
    assert_eq!((diagnosis.diagnostics.len(), diagnosis.errors_left_out), (10, 3));
    let place = diagnosis.diagnostics[0].place.as_ref().unwrap();
    assert_eq!((place.line, place.marked()), (2, "20560101000000"));
}

#[test]
fn the_keys_have_to_be_signed_by_one_of_them() {
    let (zsk, ksk) = ("example.com. 3600 IN DNSKEY 256 ", "example.com. 3600 IN DNSKEY 257 ");
    check(NSEC, "UIxzjk7X", "UIxzjk7Y", &["signature-without-key", "wrong-signature"]);
    check(NSEC, line(NSEC, zsk), "", &["signature-without-key", "wrong-signature"]);
    check(NSEC, line(NSEC, ksk), "", &["wrong-signature"]);
    // By the zone-signing key alone: who has a DS record of the other finds no way to it.
    check(
        NSEC,
        line(NSEC, "example.com. 3600 IN RRSIG DNSKEY 15 2 3600 20560101000000 20260101000000 35761"),
        "",
        &["no-key-signing-key"],
    );
    let without_zone_flag = NSEC.replace("DNSKEY 256 ", "DNSKEY 0 ").replace("DNSKEY 257 ", "DNSKEY 1 ");
    assert_eq!(broken(&without_zone_flag, NOW), ["no-zone-key", "signature-without-key"]);
    let revoked = NSEC.replace("DNSKEY 256 ", "DNSKEY 384 ");
    assert_eq!(broken(&revoked, NOW), ["signature-without-key", "wrong-signature"]);
}

#[test]
fn what_the_parent_is_asked_for_is_of_one_of_the_keys() {
    let zone = include_str!("signatures/cds.zone");
    assert_eq!(broken(zone, NOW), [""; 0]);
    check(zone, "15 2 049c", "15 2 149c", &["wrong-signature"]);
    let none = zone.replace("15 2 049c", "15 2 149c").replace("15 4 e9e8", "15 4 f9e8");
    assert_eq!(broken(&none, NOW), ["cds-of-no-key", "wrong-signature"]);
    check(zone, "CDNSKEY 257 3 15 XJ8G", "CDNSKEY 257 3 15 YJ8G", &["cds-of-no-key", "wrong-signature"]);
    // No DS records are wanted (RFC 8078 §4).
    check(
        zone,
        line(zone, "example.com. 3600 IN CDNSKEY"),
        "example.com. 3600 IN CDNSKEY 0 3 0 AA==\n",
        &["wrong-signature"],
    );
}

#[test]
fn each_algorithm_should_sign_everything() {
    let ed25519 = line(TWO_ALGORITHMS, "example.com. 3600 IN RRSIG NS 15 ");
    check(TWO_ALGORITHMS, ed25519, "", &["incomplete-algorithm"]);
    let p256 = line(TWO_ALGORITHMS, "example.com. 3600 IN RRSIG NS 13 ");
    check(TWO_ALGORITHMS, p256, "", &["incomplete-algorithm"]);
    assert_eq!(broken(&TWO_ALGORITHMS.replace(p256, "").replace(ed25519, ""), NOW), ["missing-signature"]);
    let wrong = p256.replacen("20560101000000 ", "20560101000001 ", 1);
    check(TWO_ALGORITHMS, p256, &wrong, &["incomplete-algorithm"]);
}

#[test]
fn a_name_or_type_that_the_chain_does_not_know_is_refused() {
    let (mx, own) = ("a.b.example.com. 3600 IN MX", &["broken-chain", "missing-signature"]);
    check(NSEC, mx, &format!("new.example.com. 60 IN A 192.0.2.1\n{mx}"), own);
    check(NSEC3, mx, &format!("new.example.com. 60 IN A 192.0.2.1\n{mx}"), own);
    let own = &["denied-types", "missing-signature"];
    check(NSEC, "ns.example.com. 3600 IN A", "ns.example.com. 60 IN TXT x\nns.example.com. 3600 IN A", own);
    check(NSEC3, "ns.example.com. 3600 IN A", "ns.example.com. 60 IN TXT x\nns.example.com. 3600 IN A", own);
    // An unsigned delegation may be left out with opt-out, and only then.
    check(NSEC, mx, &format!("new.example.com. 60 IN NS ns.example.net.\n{mx}"), &["broken-chain"]);
    check(NSEC3, mx, &format!("new.example.com. 60 IN NS ns.example.net.\n{mx}"), &[]);
    let without: String = NSEC.split_inclusive('\n').filter(|line| !line.contains(" NSEC ")).collect();
    assert_eq!(broken(&without, NOW), ["broken-chain"]);
    let gone: String = NSEC.split_inclusive('\n').filter(|line| !line.starts_with("a.b.")).collect();
    assert_eq!(broken(&gone, NOW), ["broken-chain"]);
    let parameters = line(NSEC3, "example.com. 0 IN NSEC3PARAM");
    check(NSEC3, parameters, "", &["broken-chain"]);
}

#[test]
fn keys_without_signatures_and_signatures_without_keys_are_told_once() {
    let unsigned: String = NSEC.split_inclusive('\n').filter(|line| !line.contains(" RRSIG ")).collect();
    assert_eq!(broken(&unsigned.replace(" RRSIG", ""), NOW), ["not-signed"]);
    let keyless: String = NSEC.split_inclusive('\n').filter(|line| !line.contains(" DNSKEY ")).collect();
    assert_eq!(broken(&keyless, NOW), ["no-dnskey"]);
    let plain: String = keyless.split_inclusive('\n').filter(|line| !line.contains(" RRSIG ")).collect();
    assert_eq!(broken(&plain, NOW), [""; 0]);
}

#[test]
fn a_ttl_other_than_the_signed_one_is_warned_of_for_resolvers_correct_it() {
    let higher = "ns.example.com. 7200 IN A";
    check(NSEC, "ns.example.com. 3600 IN A", higher, &["original-ttl"]);
    check(NSEC, "ns.example.com. 3600 IN A", "ns.example.com. 60 IN A", &["original-ttl"]);
}

/// Keys of one tag: the tag is a sum of pairs of octets, whose order does not matter.
fn keys_of_one_tag(count: usize) -> String {
    let key = line(NSEC, "example.com. 3600 IN DNSKEY 256 ");
    let material = "UIxzjk7X+QJyZIshOUMXb6MmjUA3sGZFWRZX4CVGm/o=";
    assert!(key.contains(material));
    // Four characters are three octets, so that eight are three pairs.
    let turned = |n: usize| format!("{}{}", &material[8 * n..40], &material[..8 * n]) + &material[40..];
    (1..=count).map(|n| key.replace(material, &turned(n))).collect()
}

#[test]
fn more_keys_of_one_tag_than_resolvers_try_are_refused() {
    // The set of keys is another than the signed one.
    let key = line(NSEC, "example.com. 3600 IN DNSKEY 256 ");
    check(NSEC, key, &format!("{key}{}", keys_of_one_tag(3)), &["wrong-signature"]);
    check(NSEC, key, &format!("{key}{}", keys_of_one_tag(4)), &["too-many-keys", "wrong-signature"]);
}

#[test]
fn no_more_signatures_of_an_rrset_are_tried_than_resolvers_try() {
    let good = line(NSEC, "ns.example.com. 3600 IN RRSIG A ");
    // In the order of the expiration, which comes first in what is compared.
    let wrong = |n: usize| good.replace("20560101000000", &format!("205001010000{n:02}"));
    let many = |count: usize| (0..count).map(wrong).collect::<String>() + good;
    check(NSEC, good, &many(7), &[]);
    check(NSEC, good, &many(8), &["wrong-signature"]);
}

#[test]
fn of_many_signatures_some_are_drawn_and_those_of_the_apex_always() {
    let options = |verifications_max| SignatureOptions { verifications_max, ..SignatureOptions::of_upload(NOW) };
    let names = |text: &str, max: u64| {
        let diagnosis = diagnosis(text, Some(options(max)));
        diagnosis.diagnostics.iter().map(|it| it.rule.name).collect::<Vec<_>>()
    };
    // 13 RRsets, of which the keys have two signatures.
    assert_eq!(names(NSEC, 14), [""; 0]);
    let diagnosis = diagnosis(NSEC, Some(options(0)));
    assert!(diagnosis.zone.is_some());
    assert!(
        diagnosis.diagnostics[0].message.contains("of 3 of 13 RRsets were verified"),
        "{:?}",
        diagnosis.diagnostics
    );
    assert_eq!(names(&NSEC.replace("com. 1 3600", "com. 2 3600"), 0), ["wrong-signature", "sampled-signatures"]);
    let wrong = NSEC.replace("A 192.0.2.1", "A 192.0.2.2");
    assert_eq!(names(&wrong, 0), ["sampled-signatures"], "what is not drawn is not verified");
    let found = (0..200).filter(|_| names(&wrong, 7).contains(&"wrong-signature")).count();
    assert!((1..200).contains(&found), "about half of the draws find it: {found}");
    // What costs nothing is looked at everywhere.
    assert_eq!(names(&NSEC.replace("RRSIG A 15 3 ", "RRSIG A 15 2 "), 0), ["unfit-signature", "sampled-signatures"]);
}

#[test]
fn a_zone_that_is_loaded_is_not_asked_for_its_signatures() {
    let wrong = NSEC.replace("A 192.0.2.1", "A 192.0.2.2");
    assert!(diagnosis(&wrong, None).zone.is_some_and(|zone| zone.is_signed()));
}

/// DS records of the keys A, B and C as registrars show them; the zones in `signatures/owner` are signed by the keys in their names.
const DS_A: &str = "11112 13 2 86C3E680B487614ADCD71B6CEAC812ACF22035909E3EDD60B29BF6EC65E083C5";
const DS_A_384: &str =
    "11112 13 4 C49C0EBC40F8A9CA583EFF1A108429168596896D1C3EE00D31FDD191403865C1D93D4F94ADA579D9B94637AED09FC2C7";
const DS_A_SHA_1: &str = "11112 13 1 CDFC073071C3CCABD1042B4E91C37F1B38CE8DA8";
const DS_B: &str = "29937 13 2 7CD7DF920B2C770149DB624FB3FA1347DACEF0C4BDDC38E0D38F576C6C4E1D80";
const DS_C: &str = "2662 14 2 61E6E7DEA1E0D5C593643CA863C5F5C4AAAF446835AABD64A0F2608FA9D8CB84";

/// The RDATA of a DS record.
fn ds(text: &str) -> Vec<u8> {
    let [tag, algorithm, digest_type, digest] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
    let mut rdata = tag.parse::<u16>().unwrap().to_be_bytes().to_vec();
    rdata.extend([algorithm, digest_type].map(|number| number.parse::<u8>().unwrap()));
    let (pairs, []) = digest.as_bytes().as_chunks::<2>() else { panic!("{digest}") };
    rdata.extend(pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()));
    rdata
}

/// Whether DS records prove a zone.
fn proved(zone: &str, records: &[&str]) -> Result<(), Unproved> {
    let options = SignatureOptions { threads: 2, ..SignatureOptions::of_upload(NOW) };
    let diagnosis = diagnosis(zone, Some(options));
    assert!(diagnosis.zone.is_some(), "{:?}", diagnosis.diagnostics);
    let records: Vec<Vec<u8>> = records.iter().map(|text| ds(text)).collect();
    diagnosis.signed.ok_or(Unproved::NotSigned)?.prove(records.iter().map(Vec::as_slice))
}

#[test]
fn a_ds_record_of_a_key_that_signs_the_keys_proves_a_zone() {
    let (a, ab, c) = (
        include_str!("signatures/owner/a1.zone"),
        include_str!("signatures/owner/ab3.zone"),
        include_str!("signatures/owner/c3.zone"),
    );
    for (zone, records) in
        [(a, &[DS_A][..]), (a, &[DS_A_384]), (a, &[DS_B, DS_A_SHA_1, DS_A]), (ab, &[DS_A]), (ab, &[DS_B]), (c, &[DS_C])]
    {
        assert_eq!(proved(zone, records), Ok(()), "{records:?}");
    }
    for (zone, records, reason) in [
        (a, &[DS_B][..], Unproved::OtherKeys),
        (include_str!("signatures/owner/b4.zone"), &[DS_A, DS_A_384], Unproved::OtherKeys),
        (ab, &[DS_C], Unproved::OtherKeys),
        // A collision of SHA-1 is a key that looks like the owner's.
        (a, &[DS_A_SHA_1], Unproved::Unsupported),
        (a, &[], Unproved::Unsupported),
    ] {
        assert_eq!(proved(zone, records), Err(reason), "{records:?}");
    }
    let plain = "$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";
    assert_eq!(proved(plain, &[DS_A]), Err(Unproved::NotSigned));
}

#[test]
fn a_ds_record_is_that_of_one_key_and_one_zone_to_its_last_octet() {
    let zone = include_str!("signatures/owner/a1.zone");
    for (part, other) in
        [("11112", "11113"), (" 13 ", " 15 "), (" 2 ", " 4 "), ("86C3", "86C4"), ("83C5", "83C4"), ("83C5", "83")]
    {
        let changed = DS_A.replacen(part, other, 1);
        assert_ne!(changed, DS_A);
        assert!(proved(zone, &[&changed]).is_err(), "{changed}");
    }
    // A key that signs the zone and not its keys is not what a DS record is about.
    let options = SignatureOptions::of_upload(NOW);
    let signed = diagnosis(zone, Some(options)).signed.unwrap();
    let keys: Vec<&[u8]> = signed.entry_keys().collect();
    assert_eq!((keys.len(), &keys[0][..4]), (1, &[1, 1, 3, 13][..]));
}

#[test]
fn what_nobody_signs_or_verifies_is_proved_by_no_ds_record() {
    let cut = proved(include_str!("signatures/owner/cut3.zone"), &[DS_A]).unwrap_err();
    let Unproved::Gap(Gap::Unsigned { owner, rtype }) = &cut else { panic!("{cut:?}") };
    assert_eq!((owner.to_string().as_str(), rtype.to_string().as_str()), ("sub.example.com.", "NS"));
    // Without that delegation the zone is complete by what its NSEC3 records say, and may lack others.
    let opt_out = include_str!("signatures/owner/optout3.zone");
    let without: String = opt_out.split_inclusive('\n').filter(|line| !line.starts_with("sub.example.com.")).collect();
    assert_ne!(without, opt_out);
    assert_eq!(proved(&without, &[DS_A]), Err(Unproved::Gap(Gap::OptOut)));
    // Of too many signatures those that are not needed are drawn, here none of them.
    let zone = include_str!("signatures/owner/a1.zone");
    let options = SignatureOptions { verifications_max: 0, ..SignatureOptions::of_upload(NOW) };
    let signed = diagnosis(zone, Some(options)).signed.unwrap();
    let (some, all) = (signed.prove([&ds(DS_A)[..]]), proved(zone, &[DS_A]));
    assert!(matches!(some, Err(Unproved::Gap(Gap::NotVerified { .. }))) && all.is_ok(), "{some:?}");
    let old =
        diagnosis(include_str!("signatures/rsasha1.zone"), Some(SignatureOptions::of_upload(NOW))).signed.unwrap();
    assert_eq!(old.entry_keys().count(), 0, "SHA-1 again");
}

#[test]
fn what_was_changed_beside_what_is_signed_is_proved_by_no_ds_record() {
    let zone = include_str!("signatures/owner/a1.zone");
    let gap = |zone: &str| match proved(zone, &[DS_A]) {
        Err(Unproved::Gap(gap)) => gap,
        other => panic!("{other:?}"),
    };
    let www = || Box::new("www.example.com".parse::<NameBuf>().unwrap());
    let (a, nsec, rrsig) = (nss_wire::RType::A, nss_wire::RType::NSEC, nss_wire::RType::RRSIG);
    // TTLs are not signed as they are, but as they were (RFC 4034 §3.1.4); those of signatures are not signed at all.
    let longer = zone.replacen("www.example.com.\t300", "www.example.com.\t604800", 1);
    let longer = longer.replacen("\t300\tRRSIG\tA 13", "\t604800\tRRSIG\tA 13", 1);
    assert_eq!(gap(&longer), Gap::OtherTtl { owner: www(), rtype: a });
    let signature = zone.replacen("\t300\tRRSIG\tNSEC 13 3", "\t604800\tRRSIG\tNSEC 13 3", 1);
    assert_eq!(gap(&signature), Gap::OtherTtl { owner: www(), rtype: nsec });
    // Signatures beside good ones: wrong, of another key, of another algorithm, expired, of nothing.
    let of = |fields: &str| format!("www.example.com. 300 IN RRSIG {fields} example.com. {}==\n", "A".repeat(86));
    for fields in [
        "A 13 3 300 20560101000000 20260101000000 61421",
        "A 13 3 300 20560101000000 20260101000000 1",
        "A 16 3 300 20560101000000 20260101000000 61421",
        "A 13 3 300 20260102000000 20260101000000 61421",
        "A 13 2 300 20560101000000 20260101000000 61421",
    ] {
        assert_eq!(gap(&format!("{zone}{}", of(fields))), Gap::StraySignature { owner: www(), rtype: a }, "{fields}");
    }
    let of_nothing = of("TXT 13 3 300 20560101000000 20260101000000 61421");
    assert_eq!(gap(&format!("{zone}{of_nothing}")), Gap::StraySignature { owner: www(), rtype: rrsig });
    // The zone goes in by a key all the same: resolvers believe it.
    assert!(diagnosis(&longer, Some(SignatureOptions::of_upload(NOW))).zone.is_some());
}
