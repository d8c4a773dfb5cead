//! What a server tells of itself in class CH (RFC 4892).

mod story;

use nss_authority::{ReplyKind, Transport};
use nss_wire::message::{OptionCode, Reader};
use nss_wire::{Class, RType};
use story::Story;

/// Asks in class CH, with an OPT record that has these octets of options, if any.
fn ask(story: &mut Story, name: &str, rtype: RType, options: Option<&[u8]>) -> Vec<String> {
    let mut request = story::query(&name.parse().unwrap(), rtype, None);
    let end = request.len();
    request[end - 2..].copy_from_slice(&Class::CH.0.to_be_bytes());
    if let Some(options) = options {
        request[11] = 1;
        request.extend([&[0, 0, 41, 2, 0, 0, 0, 0, 0, 0, options.len() as u8], options].concat());
    }
    let (reply, octets) = story.ask(&request);
    assert!(reply.len <= 512 && !reply.is_truncated);
    assert_eq!(reply.kind == ReplyKind::Answer, reply.subject_labels == 2, "{reply:?}");
    story::render(&octets)
}

fn story() -> Story {
    let mut story = Story::new(&[]);
    story.policy.identity = Some(Box::from(&b"ns1.example.net"[..]));
    story.policy.version = Some(Box::from(&b"none of your business"[..]));
    story
}

#[test]
fn rfc_4892_section_2_the_server_tells_what_the_operator_wants_it_to() {
    let mut story = story();
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        story.transport = transport;
        for rtype in [RType::TXT, RType::ANY] {
            for name in ["id.server.", "hostname.bind.", "HOSTNAME.Bind."] {
                let expected = ["NOERROR aa", &format!("answer {name} CH TXT \"ns1.example.net\"")];
                assert_eq!(ask(&mut story, name, rtype, None), expected);
            }
            for name in ["version.server.", "version.bind."] {
                let expected = ["NOERROR aa", &format!("answer {name} CH TXT \"none of your business\"")];
                assert_eq!(ask(&mut story, name, rtype, Some(b"")), expected);
            }
        }
    }
}

#[test]
fn what_the_operator_has_not_set_is_refused_and_so_is_everything_else() {
    for name in ["id.server.", "hostname.bind.", "version.server.", "version.bind."] {
        assert_eq!(ask(&mut Story::new(&[]), name, RType::TXT, None), ["REFUSED"], "{name}");
    }
    let mut one = Story::new(&[]);
    one.policy.identity = Some(Box::from(&b"x"[..]));
    assert_eq!(ask(&mut one, "version.bind.", RType::TXT, None), ["REFUSED"]);
    assert_eq!(ask(&mut one, "id.server.", RType::TXT, None).len(), 2);
    for name in ["authors.bind.", "server.", "x.id.server.", "id.server.example.", "."] {
        assert_eq!(ask(&mut story(), name, RType::TXT, None), ["REFUSED"], "{name}");
    }
    for rtype in [RType::A, RType::SOA, RType::NS] {
        assert_eq!(ask(&mut story(), "id.server.", rtype, None), ["REFUSED"], "{rtype}");
    }
    // In class IN these are names like any other.
    story().check("version.bind. TXT", "REFUSED");
}

#[test]
fn the_longest_text_fits_into_a_small_datagram_with_all_options() {
    let mut story = Story::new(&[]);
    // One octet too many is left out: a string has no room for it.
    story.policy.identity = Some(vec![b'i'; 256].into());
    story.policy.nsid = Some(vec![b'n'; nss_authority::policy::NSID_SIZE_MAX].into());
    story.policy.cookies = nss_authority::CookieSecrets::new(&[[1; 16]]);
    let options = [&[0, 3, 0, 0, 0, 10, 0, 8][..], b"client!!", &[0, 19, 0, 0]].concat();
    let lines = ask(&mut story, "hostname.bind.", RType::TXT, Some(&options));
    assert_eq!(lines[1], format!("answer hostname.bind. CH TXT \"{}\"", "i".repeat(255)));
}

#[test]
fn rfc_9660_section_3_2_no_zone_no_version() {
    let mut request = story::query(&"id.server.".parse().unwrap(), RType::TXT, None);
    let end = request.len();
    request[end - 1] = 3;
    request[11] = 1;
    request.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 19, 0, 0]);
    let (_, octets) = story().ask(&request);
    assert_eq!(Reader::new(&octets).unwrap().edns().unwrap().unwrap().option(OptionCode::ZONEVERSION), None);
}
