//! RFC 4592: which names a wildcard stands for.

mod story;

use story::Story;

/// The zone of §2.2.1.
const EXAMPLE: &str = "
    example.                 SOA   ns.example.com. host.example. 1 3600 900 604800 300
    example.                 NS    ns.example.com.
    example.                 NS    ns.example.net.
    *.example.               TXT   wildcard
    *.example.               MX    10 host1.example.
    sub.*.example.           TXT   not-a-wildcard
    host1.example.           A     192.0.2.1
    _ssh._tcp.host1.example. SRV   0 0 22 host1.example.
    _ssh._tcp.host2.example. SRV   0 0 22 host1.example.
    subdel.example.          NS    ns.example.com.
    subdel.example.          NS    ns.example.net.
";

const NODATA: &str = "NOERROR aa\nauthority example. 300 SOA";
const NXDOMAIN: &str = "NXDOMAIN aa\nauthority example. 300 SOA";

#[test]
fn section_2_2_1_these_answers_are_synthesized_from_the_wildcard() {
    let mut story = Story::new(&[EXAMPLE]);
    story.check(
        "host3.example. MX",
        "NOERROR aa
         answer host3.example. MX 10 host1.example.
         additional host1.example. A 192.0.2.1",
    );
    story.check("host3.example. A", NODATA);
    story.check("foo.bar.example. TXT", "NOERROR aa\nanswer foo.bar.example. TXT \"wildcard\"");
}

#[test]
fn section_2_2_1_these_answers_are_not() {
    let mut story = Story::new(&[EXAMPLE]);
    story.check("host1.example. MX", NODATA);
    story.check("sub.*.example. MX", NODATA);
    story.check("_telnet._tcp.host1.example. SRV", NXDOMAIN);
    let referral = "
        NOERROR
        authority subdel.example. NS ns.example.com.
        authority subdel.example. NS ns.example.net.";
    story.check("host.subdel.example. A", referral);
    story.check("ghost.*.example. MX", NXDOMAIN);
}

#[test]
fn section_2_2_1_the_wildcard_itself_can_be_asked_for() {
    let mut story = Story::new(&[EXAMPLE]);
    story.check("*.example. TXT", "NOERROR aa\nanswer *.example. TXT \"wildcard\"");
    story.check("sub.*.example. TXT", "NOERROR aa\nanswer sub.*.example. TXT \"not-a-wildcard\"");
}

#[test]
fn section_2_2_2_an_empty_non_terminal_exists_and_keeps_the_wildcard_away() {
    let mut story = Story::new(&[EXAMPLE]);
    story.check("_tcp.host1.example. TXT", NODATA);
    // host2.example. has no records; it exists because of the SRV record below it.
    story.check("host2.example. TXT", NODATA);
    story.check("x.host2.example. TXT", NXDOMAIN);
}

#[test]
fn section_2_2_2_a_wildcard_can_be_an_empty_non_terminal() {
    let zone = "
        example.     SOA ns.other. host.example. 1 3600 900 604800 300
        example.     NS  ns.other.
        a.*.example. TXT x";
    let mut story = Story::new(&[zone]);
    story.check("b.example. TXT", NODATA);
    story.check("a.b.example. TXT", NODATA);
    story.check("b.*.example. TXT", NXDOMAIN);
}

#[test]
fn section_3_3_1_a_wildcard_stands_for_a_name_of_several_labels_but_not_above_its_encloser() {
    let zone = "
        example.     SOA ns.other. host.example. 1 3600 900 604800 300
        example.     NS  ns.other.
        *.w.example. A   192.0.2.1
        x.w.example. A   192.0.2.2";
    let mut story = Story::new(&[zone]);
    story.check("a.b.c.w.example. A", "NOERROR aa\nanswer a.b.c.w.example. A 192.0.2.1");
    story.check("a.x.w.example. A", NXDOMAIN);
    story.check("w.example. A", NODATA);
    story.check("v.example. A", NXDOMAIN);
}

#[test]
fn section_2_1_1_a_label_in_the_middle_or_with_more_than_an_asterisk_is_no_wildcard() {
    let zone = "
        example.       SOA ns.other. host.example. 1 3600 900 604800 300
        example.       NS  ns.other.
        *a.example.    TXT x
        **.example.    TXT y
        b.*.c.example. TXT z";
    let mut story = Story::new(&[zone]);
    for name in ["xa", "x", "a.x"] {
        story.check(&format!("{name}.example. TXT"), NXDOMAIN);
    }
    story.check("b.x.c.example. TXT", NODATA);
}

#[test]
fn section_4_2_ns_at_a_wildcard_delegates_the_name_with_the_asterisk_alone() {
    let zone = "
        example.   SOA ns.other. host.example. 1 3600 900 604800 300
        example.   NS  ns.other.
        *.example. NS  ns.wild.other.";
    let mut story = Story::new(&[zone]);
    story.check("*.example. A", "NOERROR\nauthority *.example. NS ns.wild.other.");
    story.check("a.*.example. A", "NOERROR\nauthority *.example. NS ns.wild.other.");
    story.check("a.example. A", NODATA);
}

#[test]
fn section_4_3_a_cname_at_a_wildcard_is_followed_from_the_name_asked_for() {
    let zone = "
        example.     SOA   ns.other. host.example. 1 3600 900 604800 300
        example.     NS    ns.other.
        *.example.   CNAME www.example.
        www.example. A     192.0.2.1";
    let mut story = Story::new(&[zone]);
    story.check(
        "a.b.example. A",
        "NOERROR aa
         answer a.b.example. CNAME www.example.
         answer www.example. A 192.0.2.1",
    );
    story.check("a.example. CNAME", "NOERROR aa\nanswer a.example. CNAME www.example.");
}

#[test]
fn section_4_5_srv_at_a_wildcard_keeps_its_additional_addresses() {
    let zone = "
        example.     SOA ns.other. host.example. 1 3600 900 604800 300
        example.     NS  ns.other.
        *.example.   SRV 0 0 22 ssh.example.
        ssh.example. A   192.0.2.1";
    Story::new(&[zone]).check(
        "a.example. SRV",
        "NOERROR aa
         answer a.example. SRV 0 0 22 ssh.example.
         additional ssh.example. A 192.0.2.1",
    );
}

#[test]
fn section_4_6_ds_at_a_wildcard_is_synthesized_like_any_other_type() {
    let ds = "DS 1 8 2 00000000000000000000000000000000000000000000000000000000000000ff";
    let zone = format!(
        "example.   SOA ns.other. host.example. 1 3600 900 604800 300
         example.   NS  ns.other.
         *.example. {ds}"
    );
    Story::new(&[&zone]).check("a.example. DS", &format!("NOERROR aa\nanswer a.example. {ds}"));
}
