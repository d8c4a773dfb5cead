//! What happens when an answer has no room: RFC 2181 §9, RFC 9471.

mod story;

use nss_authority::Reply;
use nss_wire::message::EdnsFlags;
use story::Story;

const HEAD: &str = "
    example. SOA ns.other. host.example. 1 3600 900 604800 300
    example. NS  ns.other.\n";

fn addresses(owner: &str, count: usize) -> String {
    (0..count).map(|i| format!("{owner} A 192.0.2.{i}\n")).collect()
}

/// The answer over UDP without EDNS, so in 512 octets.
fn ask(records: &str, question: &str) -> (Reply, Vec<String>) {
    let mut story = Story::new(&[&format!("{HEAD}{records}")]);
    let (name, rtype) = question.split_once(' ').unwrap();
    let (reply, octets) = story.ask(&story::query(&name.parse().unwrap(), rtype.parse().unwrap(), None));
    assert!(octets.len() <= 512);
    (reply, story::render(&octets))
}

fn count(lines: &[String], start: &str) -> usize {
    lines.iter().filter(|line| line.starts_with(start)).count()
}

#[test]
fn rfc_2181_section_9_an_answer_that_does_not_fit_is_truncated_without_a_part_of_the_rrset() {
    // 12 octets of header, 15 of question, 16 for each address: 30 of them fit.
    let (reply, lines) = ask(&addresses("a.example.", 30), "a.example. A");
    assert_eq!((reply.is_truncated, count(&lines, "answer")), (false, 30));
    let (reply, lines) = ask(&addresses("a.example.", 31), "a.example. A");
    assert_eq!((reply.is_truncated, &lines[..]), (true, &["NOERROR aa tc".to_owned()][..]));
}

#[test]
fn over_tcp_it_fits() {
    let zone = format!("{HEAD}{}", addresses("a.example.", 200));
    let lines = Story::new(&[&zone]).over_tcp().lines("a.example. A");
    assert_eq!((lines[0].as_str(), lines.len()), ("NOERROR aa", 201));
}

#[test]
fn an_opt_record_takes_its_room_first() {
    let zone = format!("{HEAD}{}", addresses("a.example.", 30));
    let lines = Story::new(&[&zone]).with_edns(512, EdnsFlags(0)).lines("a.example. A");
    assert_eq!(lines, ["NOERROR aa tc"]);
    let lines = Story::new(&[&zone]).with_edns(523, EdnsFlags(0)).lines("a.example. A");
    assert_eq!(lines.len(), 31);
}

#[test]
fn rfc_2181_section_9_additional_records_are_left_out_without_tc() {
    let zone = format!("a.example. MX 1 b.example.\n{}", addresses("b.example.", 40));
    let (reply, lines) = ask(&zone, "a.example. MX");
    assert_eq!((reply.is_truncated, lines.len()), (false, 2));
}

#[test]
fn an_alias_is_kept_when_what_it_leads_to_has_no_room() {
    let zone = format!("a.example. CNAME b.example.\n{}", addresses("b.example.", 40));
    let (reply, lines) = ask(&zone, "a.example. A");
    assert_eq!((reply.is_truncated, &lines[1..]), (true, &["answer a.example. CNAME b.example.".to_owned()][..]));
}

#[test]
fn rfc_9471_section_3_1_a_referral_without_all_in_domain_glue_is_truncated() {
    let zone = |glue: usize| {
        format!(
            "sub.example. NS ns1.sub.example.\nsub.example. NS ns2.sub.example.\nns1.sub.example. A 192.0.2.1\n{}",
            addresses("ns2.sub.example.", glue)
        )
    };
    let (reply, lines) = ask(&zone(20), "www.sub.example. A");
    assert_eq!((reply.is_truncated, count(&lines, "additional")), (false, 21));
    let (reply, lines) = ask(&zone(40), "www.sub.example. A");
    assert_eq!((reply.is_truncated, lines[0].as_str()), (true, "NOERROR tc"));
    assert_eq!(count(&lines, "authority"), 2);
}

#[test]
fn rfc_9471_section_3_2_sibling_glue_is_left_out_without_tc_and_after_all_in_domain_glue() {
    let zone = format!(
        "sub.example. NS ns.sister.example.
         sub.example. NS ns.sub.example.
         sister.example. NS ns.sister.example.
         {}{}",
        addresses("ns.sister.example.", 20),
        addresses("ns.sub.example.", 20)
    );
    let (reply, lines) = ask(&zone, "www.sub.example. A");
    assert!(!reply.is_truncated);
    assert_eq!((count(&lines, "additional ns.sub."), count(&lines, "additional ns.sister.")), (20, 0));
}

#[test]
fn a_name_server_set_that_does_not_fit_is_truncated() {
    let servers: String =
        (0..30).map(|i| format!("sub.example. NS ns{i}.{}.test.\n", format!("{i:03}").repeat(8))).collect();
    let (reply, lines) = ask(&servers, "www.sub.example. A");
    assert_eq!((reply.is_truncated, &lines[..]), (true, &["NOERROR tc".to_owned()][..]));
}
