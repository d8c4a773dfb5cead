//! Addresses that come each time with another one first, and nothing else that changes.

mod story;

use nss_authority::{Reply, Transport};
use nss_wire::RType;
use nss_wire::message::{EdnsFlags, Rcode};
use story::{EdnsWish, Story};

const EXAMPLE: &str = "
    example.        SOA   ns.other. host.example. 1 3600 900 604800 300
    example.        NS    ns.other.
    a.example.      A     192.0.2.1
    a.example.      A     192.0.2.2
    a.example.      A     192.0.2.3
    a.example.      RRSIG A example.
    a.example.      AAAA  2001:db8::1
    a.example.      AAAA  2001:db8::2
    a.example.      TXT   one
    a.example.      TXT   two
    one.example.    A     192.0.2.9
    alias.example.  CNAME further.along.example.
    further.along.example. CNAME a.example.
    *.w.example.    A     192.0.2.1
    *.w.example.    A     192.0.2.2
    mail.example.   MX    10 a.example.
    sub.example.    NS    ns.sub.example.
    ns.sub.example. A     192.0.2.4
    ns.sub.example. A     192.0.2.5";

fn rotating() -> Story {
    let mut story = Story::new(&[EXAMPLE]);
    story.policy.rotate = true;
    story
}

fn request(name: &str, rtype: RType, edns: Option<EdnsWish>) -> Vec<u8> {
    story::query(&name.parse().unwrap(), rtype, edns)
}

/// The addresses of an answer in their order, by their last octets.
fn addresses(story: &mut Story, name: &str, rtype: RType) -> String {
    let (_, octets) = story.ask(&request(name, rtype, story.edns));
    let lines = story::render(&octets);
    let is_address = |line: &&String| line.contains(&format!(" {rtype} ")) && !line.contains("RRSIG");
    lines.iter().filter(is_address).map(|line| line.chars().next_back().unwrap()).collect()
}

#[test]
fn each_answer_starts_with_the_next_address() {
    for edns in [None, Some(EdnsWish { payload_size: 1232, flags: EdnsFlags::DO })] {
        for transport in [Transport::Udp, Transport::Tcp] {
            for name in ["a.example.", "A.Example.", "alias.example."] {
                let mut story = rotating();
                (story.edns, story.transport) = (edns, transport);
                let orders: Vec<String> = (0..4).map(|_| addresses(&mut story, name, RType::A)).collect();
                assert_eq!(orders, ["123", "231", "312", "123"], "{name}");
            }
        }
    }
    let mut story = rotating();
    assert_eq!([(); 3].map(|()| addresses(&mut story, "x.w.example.", RType::A)), ["12", "21", "12"]);
}

#[test]
fn who_asks_for_both_families_gets_every_order_of_both() {
    let mut story = rotating();
    let both = [(); 3].map(|()| ["one.example.", "a.example."].map(|name| addresses(&mut story, name, RType::AAAA)));
    assert_eq!(both.map(|[_, order]| order), ["12", "21", "12"], "answers without addresses take no turn");
    let both = [(); 3].map(|()| [RType::A, RType::AAAA].map(|rtype| addresses(&mut story, "a.example.", rtype)));
    assert_eq!(both, [["123", "21"], ["231", "12"], ["312", "21"]]);
}

#[test]
fn nothing_rotates_unless_it_is_asked_for_and_nothing_but_the_addresses_of_the_answer() {
    let mut still = Story::new(&[EXAMPLE]);
    assert_eq!([(); 2].map(|()| addresses(&mut still, "a.example.", RType::A)), ["123", "123"]);
    let mut story = rotating();
    for edns in [None, Some(EdnsWish { payload_size: 1232, flags: EdnsFlags::DO })] {
        for (name, rtype) in [
            ("a.example.", RType::TXT),
            ("one.example.", RType::A),
            ("mail.example.", RType::MX),
            ("x.sub.example.", RType::A),
            ("no.example.", RType::A),
            ("a.example.", RType::MX),
            ("example.", RType::ANY),
            ("test.", RType::A),
        ] {
            let request = request(name, rtype, edns);
            for _ in 0..3 {
                let ((reply, octets), (expected, expected_octets)) = (story.ask(&request), still.ask(&request));
                // What rotates says of nothing that everybody gets it.
                let expected = Reply { is_for_everybody: false, ..expected };
                assert_eq!((reply, octets), (expected, expected_octets), "{name} {rtype}");
            }
        }
    }
}

#[test]
fn an_rrset_of_any_size_has_all_its_addresses_in_each_order() {
    // The longest RRsets go over TCP; the owner's name stands in the message or is what an alias leads to.
    let many =
        |n: usize| (0..n).map(move |i| format!("\nm{n}.example. A 10.1.{}.{}", i / 256, i % 256)).collect::<String>();
    let sizes = [1, 2, 3, 7, 300, 4000];
    let zone: String = sizes.iter().map(|&n| format!("{}\nto{n}.example. CNAME m{n}.example.", many(n))).collect();
    let zone = format!("{EXAMPLE}{zone}");
    for n in sizes {
        for name in [format!("m{n}.example."), format!("to{n}.example.")] {
            let question = request(&name, RType::A, None);
            let mut still = Story::new(&[&zone]).over_tcp();
            let (reply, octets) = still.ask(&question);
            assert_eq!((reply.rcode, reply.is_truncated), (Rcode::NOERROR, false));
            let plain = story::render(&octets);
            let mut story = Story::new(&[&zone]).over_tcp();
            story.policy.rotate = true;
            let first_address = plain.len() - n;
            for turn in 0..n.min(5) + 2 {
                let (_, octets) = story.ask(&question);
                let mut expected = plain.clone();
                expected[first_address..].rotate_left(turn % n);
                assert!(story::render(&octets) == expected, "{name} {turn}");
            }
        }
    }
}
