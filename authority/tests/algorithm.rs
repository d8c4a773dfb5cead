//! RFC 1034 §4.3.2 as later RFCs leave it: a zone, a question, the answer.

mod story;

use nss_authority::ReplyKind;
use nss_wire::message::EdnsFlags;
use nss_wire::{NameBuf, RType};
use story::Story;

const EXAMPLE: &str = "
    example.            SOA   ns.example. host.example. 1 3600 900 604800 300
    example.            NS    ns.example.
    example.            NS    ns.other.
    example.            MX    10 mail.example.
    ns.example.         A     192.0.2.1
    ns.example.         AAAA  2001:db8::1
    mail.example.       A     192.0.2.2
    www.example.        CNAME web.example.
    web.example.        A     192.0.2.3
    web.example.        TXT   hello
    away.example.       CNAME www.other.
    broken.example.     CNAME missing.example.
    nodata.example.     CNAME mail.example.
    into.example.       CNAME a.sub.example.
    one.example.        CNAME two.example.
    two.example.        CNAME one.example.
    self.example.       CNAME self.example.
    a.b.ent.example.    A     192.0.2.4
    sub.example.        NS    ns.sub.example.
    sub.example.        NS    ns.sister.example.
    sub.example.        NS    ns.example.
    sub.example.        NS    ns.other.
    sub.example.        TXT   occluded
    ns.sub.example.     A     192.0.2.5
    ns.sub.example.     TXT   occluded
    sister.example.     NS    ns.sister.example.
    ns.sister.example.  A     192.0.2.6
    signed.example.     NS    ns.other.
    signed.example.     DS    1 8 2 00000000000000000000000000000000000000000000000000000000000000ff
";

#[test]
fn rfc_1034_section_4_3_2_step_3a_an_exact_match_is_answered_with_its_rrset() {
    let mut story = Story::new(&[EXAMPLE]);
    story.check("web.example. A", "NOERROR aa\nanswer web.example. A 192.0.2.3");
    story.check("WEB.eXample. TXT", "NOERROR aa\nanswer WEB.eXample. TXT \"hello\"");
}

#[test]
fn rfc_1034_section_3_7_1_addresses_of_targets_are_additional() {
    Story::new(&[EXAMPLE]).check(
        "example. MX",
        "NOERROR aa
         answer example. MX 10 mail.example.
         additional mail.example. A 192.0.2.2",
    );
    Story::new(&[EXAMPLE]).check(
        "example. NS",
        "NOERROR aa
         answer example. NS ns.example.
         answer example. NS ns.other.
         additional ns.example. A 192.0.2.1
         additional ns.example. AAAA 2001:db8::1",
    );
}

#[test]
fn rfc_2308_section_2_2_a_missing_type_is_nodata_with_the_soa_at_the_negative_ttl() {
    Story::new(&[EXAMPLE]).check("web.example. AAAA", "NOERROR aa\nauthority example. 300 SOA");
}

#[test]
fn rfc_2308_section_2_1_a_missing_name_is_nxdomain_with_the_soa_at_the_negative_ttl() {
    Story::new(&[EXAMPLE]).check("no.example. A", "NXDOMAIN aa\nauthority example. 300 SOA");
    Story::new(&[EXAMPLE]).check("x.web.example. A", "NXDOMAIN aa\nauthority example. 300 SOA");
}

#[test]
fn rfc_2308_section_5_the_soa_ttl_limits_the_negative_ttl() {
    let zone = "
        example. 60 SOA ns.other. host.example. 1 3600 900 604800 300
        example. NS ns.other.";
    Story::new(&[zone]).check("no.example. A", "NXDOMAIN aa\nauthority example. 60 SOA");
    // Asked for, the SOA record has its own TTL.
    Story::new(&[&zone.replace("60 SOA", "7200 SOA")]).check("example. SOA", "NOERROR aa\nanswer example. 7200 SOA");
}

#[test]
fn rfc_4592_section_2_2_2_an_empty_non_terminal_exists() {
    let mut story = Story::new(&[EXAMPLE]);
    story.check("ent.example. A", "NOERROR aa\nauthority example. 300 SOA");
    story.check("b.ent.example. A", "NOERROR aa\nauthority example. 300 SOA");
    story.check("c.ent.example. A", "NXDOMAIN aa\nauthority example. 300 SOA");
}

#[test]
fn rfc_1034_section_3_6_2_a_cname_is_followed_within_the_zone() {
    Story::new(&[EXAMPLE]).check(
        "www.example. A",
        "NOERROR aa
         answer www.example. CNAME web.example.
         answer web.example. A 192.0.2.3",
    );
    Story::new(&[EXAMPLE]).check("www.example. CNAME", "NOERROR aa\nanswer www.example. CNAME web.example.");
}

#[test]
fn a_cname_is_not_followed_into_another_zone_even_if_it_is_served_here() {
    let other = "
        other.     SOA ns.other. host.other. 1 3600 900 604800 300
        other.     NS  ns.other.
        www.other. A   192.0.2.66";
    Story::new(&[EXAMPLE, other]).check("away.example. A", "NOERROR aa\nanswer away.example. CNAME www.other.");
}

#[test]
fn rfc_6604_section_3_the_code_is_about_the_last_name_of_the_chain() {
    Story::new(&[EXAMPLE]).check(
        "broken.example. A",
        "NXDOMAIN aa
         answer broken.example. CNAME missing.example.
         authority example. 300 SOA",
    );
    Story::new(&[EXAMPLE]).check(
        "nodata.example. AAAA",
        "NOERROR aa
         answer nodata.example. CNAME mail.example.
         authority example. 300 SOA",
    );
}

#[test]
fn a_cname_loop_ends_where_it_closes() {
    Story::new(&[EXAMPLE]).check(
        "one.example. A",
        "NOERROR aa
         answer one.example. CNAME two.example.
         answer two.example. CNAME one.example.",
    );
    Story::new(&[EXAMPLE]).check("self.example. A", "NOERROR aa\nanswer self.example. CNAME self.example.");
}

#[test]
fn a_cname_chain_ends_after_16_aliases() {
    let mut zone = String::from(
        "example. SOA ns.other. host.example. 1 3600 900 604800 300
         example. NS ns.other.
         n40.example. A 192.0.2.1",
    );
    for i in 0..40 {
        zone += &format!("\nn{i}.example. CNAME n{}.example.", i + 1);
    }
    let mut story = Story::new(&[&zone]);
    let followed =
        |from: usize| (from..=40 - 1).map(move |i| format!("answer n{i}.example. CNAME n{}.example.\n", i + 1));
    let complete: String = followed(24).collect();
    story.check("n24.example. A", &format!("NOERROR aa\n{complete}answer n40.example. A 192.0.2.1"));
    let cut: String = followed(23).take(17).collect();
    story.check("n23.example. A", &format!("NOERROR aa\n{cut}"));
}

#[test]
fn rfc_1034_section_4_3_2_step_3b_a_name_at_or_below_a_cut_is_a_referral_without_aa() {
    let referral = "
        NOERROR
        authority sub.example. NS ns.sub.example.
        authority sub.example. NS ns.sister.example.
        authority sub.example. NS ns.example.
        authority sub.example. NS ns.other.
        additional ns.sub.example. A 192.0.2.5
        additional ns.sister.example. A 192.0.2.6
        additional ns.example. A 192.0.2.1
        additional ns.example. AAAA 2001:db8::1";
    let mut story = Story::new(&[EXAMPLE]);
    story.check("sub.example. A", referral);
    story.check("sub.example. NS", referral);
    story.check("deep.below.sub.example. MX", referral);
}

#[test]
fn rfc_2136_section_7_18_occluded_data_is_not_found() {
    let mut story = Story::new(&[EXAMPLE]);
    for question in ["ns.sub.example. A", "ns.sub.example. TXT", "sub.example. TXT", "sub.example. ANY"] {
        let (name, rtype) = question.split_once(' ').unwrap();
        let request = story::query(&name.parse().unwrap(), rtype.parse().unwrap(), None);
        let lines = story::render(&story.ask(&request).1);
        assert_eq!(lines[0], "NOERROR", "{question}");
        assert!(lines.iter().all(|line| !line.starts_with("answer")), "{question}: {lines:?}");
    }
}

#[test]
fn rfc_1034_section_4_3_2_a_chain_that_comes_to_a_cut_ends_in_a_referral_with_aa() {
    Story::new(&[EXAMPLE]).check(
        "into.example. A",
        "NOERROR aa
         answer into.example. CNAME a.sub.example.
         authority sub.example. NS ns.sub.example.
         authority sub.example. NS ns.sister.example.
         authority sub.example. NS ns.example.
         authority sub.example. NS ns.other.
         additional ns.sub.example. A 192.0.2.5
         additional ns.sister.example. A 192.0.2.6
         additional ns.example. A 192.0.2.1
         additional ns.example. AAAA 2001:db8::1",
    );
}

#[test]
fn rfc_4035_section_3_1_4_1_ds_at_a_cut_is_answered_by_the_parent() {
    let mut story = Story::new(&[EXAMPLE]);
    let ds = "DS 1 8 2 00000000000000000000000000000000000000000000000000000000000000ff";
    story.check("signed.example. DS", &format!("NOERROR aa\nanswer signed.example. {ds}"));
    story.check("sub.example. DS", "NOERROR aa\nauthority example. 300 SOA");
    // Below the cut it is the child's business again.
    story.check("a.signed.example. DS", "NOERROR\nauthority signed.example. NS ns.other.");
}

#[test]
fn rfc_4035_section_3_1_4_1_ds_is_the_parents_when_parent_and_child_are_both_served() {
    let child = "
        signed.example. SOA ns.other. host.other. 1 3600 900 604800 300
        signed.example. NS  ns.other.
        signed.example. TXT child";
    let mut story = Story::new(&[EXAMPLE, child]);
    story.check(
        "signed.example. DS",
        "NOERROR aa
         answer signed.example. DS 1 8 2 00000000000000000000000000000000000000000000000000000000000000ff",
    );
    story.check("signed.example. TXT", "NOERROR aa\nanswer signed.example. TXT \"child\"");
    story.check("no.signed.example. DS", "NXDOMAIN aa\nauthority signed.example. 300 SOA");
}

#[test]
fn rfc_4035_section_3_1_4_1_a_child_alone_says_that_it_has_no_ds() {
    Story::new(&[EXAMPLE]).check("example. DS", "NOERROR aa\nauthority example. 300 SOA");
}

#[test]
fn rfc_4035_section_3_1_4_a_referral_of_a_signed_zone_has_the_ds_for_who_wants_dnssec() {
    let signed = format!("{EXAMPLE}\nexample. DNSKEY \\# 5 0101030d00");
    let servers = "NOERROR\nauthority signed.example. NS ns.other.";
    Story::new(&[&signed]).check("www.signed.example. A", servers);
    Story::new(&[&signed]).with_edns(1232, EdnsFlags::DO).check(
        "www.signed.example. A",
        "NOERROR
         authority signed.example. NS ns.other.
         authority signed.example. DS 1 8 2 00000000000000000000000000000000000000000000000000000000000000ff",
    );
    Story::new(&[EXAMPLE]).with_edns(1232, EdnsFlags::DO).check("www.signed.example. A", servers);
}

#[test]
fn rfc_2181_section_5_additional_data_has_each_rrset_once() {
    let zone = "
        example.     SOA   ns.other. host.example. 1 3600 900 604800 300
        example.     NS    ns.other.
        example.     MX    10 mx.example.
        example.     MX    20 mx.example.
        example.     MX    30 a.w.example.
        example.     MX    40 b.w.example.
        mx.example.  A     192.0.2.1
        *.w.example. A     192.0.2.2
        example.     HTTPS 1 .
        example.     HTTPS 2 .
        example.     A     192.0.2.3";
    Story::new(&[zone]).check(
        "example. MX",
        "NOERROR aa
         answer example. MX 10 mx.example.
         answer example. MX 20 mx.example.
         answer example. MX 30 a.w.example.
         answer example. MX 40 b.w.example.
         additional mx.example. A 192.0.2.1
         additional a.w.example. A 192.0.2.2
         additional b.w.example. A 192.0.2.2",
    );
    let (_, octets) = Story::new(&[zone]).ask(&story::query(&"example.".parse().unwrap(), RType::HTTPS, None));
    assert_eq!(octets[6..12], [0, 2, 0, 0, 0, 1], "two answers, one address");
}

#[test]
fn rfc_4035_section_3_1_1_signatures_come_with_what_they_cover_for_who_wants_dnssec() {
    let zone = "
        example. SOA ns.other. host.example. 1 3600 900 604800 300
        example. RRSIG SOA example.
        example. NS ns.other.
        a.example. A 192.0.2.1
        a.example. RRSIG A example.
        a.example. TXT x
        a.example. RRSIG TXT example.";
    Story::new(&[zone]).check("a.example. A", "NOERROR aa\nanswer a.example. A 192.0.2.1");
    let mut story = Story::new(&[zone]).with_edns(1232, EdnsFlags::DO);
    story.check("a.example. A", "NOERROR aa\nanswer a.example. A 192.0.2.1\nanswer a.example. RRSIG A");
    story.check("a.example. MX", "NOERROR aa\nauthority example. 300 SOA\nauthority example. RRSIG SOA");
}

#[test]
fn rfc_8482_section_4_1_any_is_answered_with_one_rrset() {
    let mut story = Story::new(&[EXAMPLE]);
    story.check("web.example. ANY", "NOERROR aa\nanswer web.example. A 192.0.2.3");
    story.check("www.example. ANY", "NOERROR aa\nanswer www.example. CNAME web.example.");
    story.check("ent.example. ANY", "NOERROR aa\nauthority example. 300 SOA");
    story.check("no.example. ANY", "NXDOMAIN aa\nauthority example. 300 SOA");
}

#[test]
fn the_root_is_a_zone_like_any_other() {
    let root = "
        .           SOA ns.test. host.test. 1 3600 900 604800 300
        .           NS  ns.test.
        test.       NS  ns.test.
        ns.test.    A   192.0.2.1";
    let mut story = Story::new(&[root]);
    story.check(". SOA", "NOERROR aa\nanswer . 3600 SOA");
    story.check(". NS", "NOERROR aa\nanswer . NS ns.test.\nadditional ns.test. A 192.0.2.1");
    story.check("a.test. A", "NOERROR\nauthority test. NS ns.test.\nadditional ns.test. A 192.0.2.1");
    story.check("invalid. A", "NXDOMAIN aa\nauthority . 300 SOA");
    story.check(". DS", "NOERROR aa\nauthority . 300 SOA");
}

#[test]
fn rfc_8906_section_3_1_1_a_name_outside_all_zones_is_refused() {
    Story::new(&[EXAMPLE]).check("example.net. A", "REFUSED");
    Story::new(&[EXAMPLE]).check(". NS", "REFUSED");
    Story::new(&[]).check("example. SOA", "REFUSED");
}

#[test]
fn rfc_8906_section_3_1_2_an_unknown_type_is_looked_up_like_any_other() {
    let zone = r"
        example.   SOA ns.other. host.example. 1 3600 900 604800 300
        example.   NS  ns.other.
        a.example. TYPE65280 \# 2 abcd";
    Story::new(&[zone]).check(
        "a.example. TYPE65280",
        r"NOERROR aa
        answer a.example. TYPE65280 \# 2 abcd",
    );
    Story::new(&[zone]).check("a.example. TYPE1000", "NOERROR aa\nauthority example. 300 SOA");
}

#[test]
fn rfc_2181_section_5_2_a_record_twice_is_served_once_with_the_lower_ttl() {
    for ttls in [[60, 3600], [3600, 60]] {
        let zone = format!(
            "example. SOA ns.other. host.example. 1 3600 900 604800 300
             example. NS ns.other.
             example. {} A 192.0.2.1
             example. {} A 192.0.2.1",
            ttls[0], ttls[1]
        );
        let (zone, _) = story::build(&zone).unwrap();
        let rrset = zone.rrset(zone.apex(), RType::A).unwrap();
        assert_eq!((rrset.len(), rrset.ttl()), (1, 60));
    }
}

#[test]
fn rfc_4034_section_3_a_signature_in_a_negative_answer_has_the_ttl_of_the_soa_there() {
    let zone = "
        example. 3600 SOA   ns.other. host.example. 1 3600 900 604800 300
        example. 3600 RRSIG SOA example.
        example. 3600 NS    ns.other.";
    let mut story = Story::new(&[zone]).with_edns(1232, EdnsFlags::DO);
    let request = story::query(&"no.example.".parse().unwrap(), RType::A, story.edns);
    let (_, octets) = story.ask(&request);
    let mut reader = nss_wire::message::Reader::new(&octets).unwrap();
    for rtype in [RType::SOA, RType::RRSIG] {
        let record = reader.record().unwrap().unwrap();
        assert_eq!((record.rtype, record.ttl), (rtype, 300));
    }
}

#[test]
fn all_names_that_get_what_is_really_one_answer_have_one_subject() {
    let more = "
        *.wild.example.  A     192.0.2.9
        *.alias.example. CNAME mail.example.
        old.example.     DNAME new.example.";
    let mut story = Story::new(&[&format!("{EXAMPLE}{more}")]);
    for (question, kind, subject) in [
        ("ns.example. A", ReplyKind::Answer, "ns.example."),
        ("example. NS", ReplyKind::Answer, "example."),
        ("www.example. A", ReplyKind::Answer, "www.example."),
        ("a.wild.example. A", ReplyKind::Answer, "wild.example."),
        ("b.c.wild.example. A", ReplyKind::Answer, "wild.example."),
        ("x.alias.example. A", ReplyKind::Answer, "alias.example."),
        ("y.alias.example. TXT", ReplyKind::NoData, "alias.example."),
        ("a.b.old.example. A", ReplyKind::NxDomain, "old.example."),
        ("ns.example. TXT", ReplyKind::NoData, "ns.example."),
        ("b.ent.example. A", ReplyKind::NoData, "b.ent.example."),
        ("a.wild.example. TXT", ReplyKind::NoData, "wild.example."),
        ("missing.example. A", ReplyKind::NxDomain, "example."),
        ("missing.web.example. A", ReplyKind::NxDomain, "example."),
        ("broken.example. A", ReplyKind::NxDomain, "broken.example."),
        ("sub.example. A", ReplyKind::Referral, "sub.example."),
        ("a.b.sub.example. A", ReplyKind::Referral, "sub.example."),
        ("into.example. A", ReplyKind::Referral, "into.example."),
        ("other.test. A", ReplyKind::Error, "."),
    ] {
        let (name, rtype) = question.split_once(' ').unwrap();
        let (name, rtype): (NameBuf, RType) = (name.parse().unwrap(), rtype.parse().unwrap());
        let (reply, _) = story.ask(&story::query(&name, rtype, None));
        let subject: NameBuf = subject.parse().unwrap();
        let labels = usize::from(reply.subject_labels);
        assert_eq!((reply.kind, labels), (kind, subject.as_name().label_count()), "{question}");
    }
}
