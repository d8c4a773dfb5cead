//! RFC 6672: a whole subtree under another name.

mod story;

use story::Story;

const HEAD: &str = "
    example. SOA ns.other. host.example. 1 3600 900 604800 300
    example. NS  ns.other.";
const SOA: &str = "authority example. 300 SOA";

/// Served with `HEAD`, a DNAME record and what else there is.
fn story(records: &str) -> Story {
    Story::new(&[&format!("{HEAD}\n{records}")])
}

#[test]
fn section_2_2_the_table_of_substitutions() {
    // Name asked for, owner, target, and what it becomes; nothing where the owner does not match.
    let table = [
        ("com.", "example.com.", "example.net.", None),
        ("example.com.", "example.com.", "example.net.", None),
        ("a.example.com.", "example.com.", "example.net.", Some("a.example.net.")),
        ("a.b.example.com.", "example.com.", "example.net.", Some("a.b.example.net.")),
        ("ab.example.com.", "b.example.com.", "example.net.", None),
        ("foo.example.com.", "example.com.", "example.net.", Some("foo.example.net.")),
        ("a.x.example.com.", "x.example.com.", "example.net.", Some("a.example.net.")),
        ("a.example.com.", "example.com.", "y.example.net.", Some("a.y.example.net.")),
        ("cyc.example.com.", "example.com.", "example.com.", Some("cyc.example.com.")),
        ("cyc.example.com.", "example.com.", "c.example.com.", Some("cyc.c.example.com.")),
        ("shortloop.x.x.", "x.", ".", Some("shortloop.x.")),
        ("shortloop.x.", "x.", ".", Some("shortloop.")),
    ];
    for (qname, owner, target, becomes) in table {
        let zone = format!(". SOA ns.test. host.test. 1 3600 900 604800 300\n. NS ns.test.\n{owner} DNAME {target}");
        let mut story = Story::new(&[&zone]);
        let lines = story.lines(&format!("{qname} CNAME"));
        let cname = becomes.map(|name| format!("answer {qname} CNAME {name}"));
        let found = lines.iter().find(|line| line.contains(" CNAME ")).cloned();
        assert_eq!(found, cname, "{qname} {owner} {target}");
        assert_eq!(lines.contains(&format!("answer {owner} DNAME {target}")), becomes.is_some(), "{qname}");
    }
}

#[test]
fn section_2_3_the_owner_itself_is_not_redirected() {
    let mut story = story("old.example. DNAME new.example.\nold.example. TXT here");
    story.check("old.example. TXT", "NOERROR aa\nanswer old.example. TXT \"here\"");
    story.check("old.example. A", &format!("NOERROR aa\n{SOA}"));
    story.check("old.example. DNAME", "NOERROR aa\nanswer old.example. DNAME new.example.");
}

#[test]
fn rfc_2181_section_5_a_dname_that_leads_to_its_own_owner_is_there_once() {
    let mut story = story("old.example. DNAME example.");
    let expected = "NOERROR aa\nanswer old.example. DNAME example.\nanswer old.old.example. CNAME old.example.";
    story.check("old.old.example. DNAME", expected);
    // Behind another alias, too.
    let mut story = self::story("old.example. DNAME example.\na.example. CNAME old.old.example.");
    let expected = format!("NOERROR aa\nanswer a.example. CNAME old.old.example.{}", &expected["NOERROR aa".len()..]);
    story.check("a.example. DNAME", &expected);
}

#[test]
fn signatures_of_a_dname_that_leads_to_its_own_owner_are_there_once() {
    let mut story = story("old.example. DNAME example.\nold.example. RRSIG DNAME example.");
    story.edns = Some(story::EdnsWish { payload_size: 1232, flags: nss_wire::message::EdnsFlags::DO });
    let lines = story.lines("old.old.example. RRSIG");
    let signatures: Vec<&String> = lines.iter().filter(|line| line.contains("RRSIG")).collect();
    assert_eq!(signatures.len(), 1, "{lines:?}");
}

#[test]
fn section_2_3_a_dname_at_the_apex_leaves_the_apex_itself_alone() {
    let mut story = story("example. DNAME other.");
    story.check("example. NS", "NOERROR aa\nanswer example. NS ns.other.");
    story.check("a.b.example. A", "NOERROR aa\nanswer example. DNAME other.\nanswer a.b.example. CNAME a.b.other.");
}

#[test]
fn section_3_1_the_synthesized_cname_has_the_ttl_of_the_dname() {
    let mut story = story("old.example. 77 DNAME other.");
    let request = story::query(&"a.old.example.".parse().unwrap(), nss_wire::RType::A, None);
    let (_, octets) = story.ask(&request);
    let mut reader = nss_wire::message::Reader::new(&octets).unwrap();
    let ttls = [reader.record().unwrap().unwrap().ttl, reader.record().unwrap().unwrap().ttl];
    assert_eq!(ttls, [77, 77]);
}

#[test]
fn section_3_2_the_new_name_is_looked_up_in_the_zone() {
    let mut story =
        story("old.example. DNAME new.example.\nwww.new.example. A 192.0.2.1\nmx.new.example. CNAME www.new.example.");
    let dname = "answer old.example. DNAME new.example.";
    story.check(
        "www.old.example. A",
        &format!(
            "NOERROR aa\n{dname}\nanswer www.old.example. CNAME www.new.example.\nanswer www.new.example. A 192.0.2.1"
        ),
    );
    story.check(
        "www.old.example. TXT",
        &format!("NOERROR aa\n{dname}\nanswer www.old.example. CNAME www.new.example.\n{SOA}"),
    );
    // RFC 6604 §3: the code is about the last name.
    story.check(
        "no.old.example. A",
        &format!("NXDOMAIN aa\n{dname}\nanswer no.old.example. CNAME no.new.example.\n{SOA}"),
    );
    story.check(
        "mx.old.example. A",
        &format!(
            "NOERROR aa\n{dname}
             answer mx.old.example. CNAME mx.new.example.
             answer mx.new.example. CNAME www.new.example.
             answer www.new.example. A 192.0.2.1"
        ),
    );
}

#[test]
fn section_3_2_the_alias_is_all_that_a_question_for_aliases_gets() {
    let mut story = story("old.example. DNAME new.example.\nwww.new.example. CNAME x.example.");
    for rtype in ["CNAME", "ANY"] {
        story.check(
            &format!("www.old.example. {rtype}"),
            "NOERROR aa
             answer old.example. DNAME new.example.
             answer www.old.example. CNAME www.new.example.",
        );
    }
}

#[test]
fn section_2_2_a_name_that_becomes_too_long_is_yxdomain_and_one_octet_less_is_not() {
    let label = "l".repeat(63);
    // 3 × 64 octets, then `t.example.` with its 11.
    let mut story = story(&format!("old.example. DNAME {label}.{label}.{label}.t.example.")).over_tcp();
    let dname = format!("answer old.example. DNAME {label}.{label}.{label}.t.example.");
    // 255 octets less 203 leave 52: a label of 51.
    let (fits, long) = ("x".repeat(51), "x".repeat(52));
    story.check(
        &format!("{fits}.old.example. A"),
        &format!(
            "NXDOMAIN aa\n{dname}\nanswer {fits}.old.example. CNAME {fits}.{label}.{label}.{label}.t.example.\n{SOA}"
        ),
    );
    story.check(&format!("{long}.old.example. A"), &format!("YXDOMAIN aa\n{dname}"));
}

#[test]
fn a_loop_ends_where_it_closes() {
    let mut story = story("a.example. DNAME b.example.\nb.example. DNAME a.example.");
    story.check(
        "x.a.example. A",
        "NOERROR aa
         answer a.example. DNAME b.example.
         answer x.a.example. CNAME x.b.example.
         answer b.example. DNAME a.example.
         answer x.b.example. CNAME x.a.example.",
    );
}

#[test]
fn a_name_that_grows_each_time_ends_after_16_aliases_with_one_dname() {
    let lines = story("a.example. DNAME y.a.example.").lines("x.a.example. A");
    assert_eq!(lines[0], "NOERROR aa");
    assert_eq!(lines.iter().filter(|line| line.contains(" DNAME ")).count(), 1);
    assert_eq!(lines.iter().filter(|line| line.contains(" CNAME ")).count(), 17);
}

#[test]
fn section_5_3_1_signatures_come_with_the_dname_and_not_with_the_alias_made_from_it() {
    let zone = format!("{HEAD}\nold.example. DNAME other.\nold.example. RRSIG DNAME example.");
    Story::new(&[&zone]).with_edns(1232, nss_wire::message::EdnsFlags::DO).check(
        "a.old.example. A",
        "NOERROR aa
         answer old.example. DNAME other.
         answer old.example. RRSIG DNAME
         answer a.old.example. CNAME a.other.",
    );
}

#[test]
fn section_2_4_what_may_not_stand_beside_or_below_a_dname_is_refused() {
    let is_accepted = |records: &str| story::build(&format!("{HEAD}\n{records}")).is_ok();
    let both_sides = [
        ("a.example. DNAME b.\na.example. DNAME c.", "a.example. DNAME b.\nb.example. DNAME c."),
        ("a.example. DNAME b.\na.example. CNAME b.", "a.example. DNAME b.\na.example. TXT b"),
        ("a.example. DNAME b.\na.example. NS b.", "example. DNAME b."),
        ("a.example. DNAME b.\nx.a.example. A 192.0.2.1", "a.example. DNAME b.\nxa.example. A 192.0.2.1"),
    ];
    for (refused, accepted) in both_sides {
        assert!(!is_accepted(refused), "{refused}");
        assert!(is_accepted(accepted), "{accepted}");
    }
}
