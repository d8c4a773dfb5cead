//! EDNS (RFC 6891): cookies (RFC 7873), the server's identifier (RFC 5001), idle streams (RFC 7828), padding (RFC 7830),
//! extended errors (RFC 8914) and versions of zones (RFC 9660).

mod story;

use nss_authority::{CookieSecrets, Outcome, Peer, Reply, Transport};
use nss_wire::message::{EdnsFlags, OptionCode, Rcode, Reader};
use story::Story;

const EXAMPLE: &str = "
    example.      SOA ns.other. host.example. 1 3600 900 604800 300
    example.      NS  ns.other.
    a.example.    A   192.0.2.1";

const COOKIE: OptionCode = OptionCode::COOKIE;

/// An OPT record: payload size, version and flags, options.
fn opt(size: u16, version: u8, flags: u16, options: &[(OptionCode, &[u8])]) -> Vec<u8> {
    let options: Vec<u8> = options
        .iter()
        .flat_map(|(code, octets)| [&code.0.to_be_bytes()[..], &(octets.len() as u16).to_be_bytes(), octets].concat())
        .collect();
    let (flags, len) = (flags.to_be_bytes(), (options.len() as u16).to_be_bytes());
    [&[0, 0, 41][..], &size.to_be_bytes(), &[0, version], &flags, &len, &options].concat()
}

/// A question for the address of `a.example.` with additional records, or no question at all.
fn request(has_question: bool, additional: &[Vec<u8>]) -> Vec<u8> {
    let question: &[u8] = if has_question { b"\x01a\x07example\0\0\x01\0\x01" } else { b"" };
    let counts = [0, u8::from(has_question), 0, 0, 0, 0, 0, additional.len() as u8];
    [&[0x12, 0x34, 0, 0][..], &counts, question, &additional.concat()].concat()
}

/// What an OPT record of an answer says.
#[derive(Debug, PartialEq)]
struct Opt {
    size: u16,
    version: u8,
    flags: EdnsFlags,
    options: Vec<(OptionCode, Vec<u8>)>,
}

fn ask(story: &mut Story, request: &[u8]) -> (Reply, Option<Opt>) {
    let (reply, octets) = story.ask(request);
    let edns = Reader::new(&octets).unwrap().edns().unwrap();
    let opt = edns.map(|edns| Opt {
        size: edns.udp_payload_size,
        version: edns.version,
        flags: edns.flags,
        options: edns.options().map(|(code, octets)| (code, octets.to_vec())).collect(),
    });
    (reply, opt)
}

fn plain(flags: EdnsFlags) -> Option<Opt> {
    Some(Opt { size: 1232, version: 0, flags, options: Vec::new() })
}

#[test]
fn rfc_6891_section_7_opt_is_in_the_answer_if_and_only_if_it_was_in_the_request() {
    let mut story = Story::new(&[EXAMPLE]);
    let (reply, opt_record) = ask(&mut story, &request(true, &[]));
    assert_eq!((reply.rcode, opt_record), (Rcode::NOERROR, None));
    let (reply, opt_record) = ask(&mut story, &request(true, &[opt(1232, 0, 0, &[])]));
    assert_eq!((reply.rcode, opt_record), (Rcode::NOERROR, plain(EdnsFlags(0))));
}

#[test]
fn rfc_3225_section_3_do_is_copied_and_no_other_flag_is() {
    let (_, opt_record) = ask(&mut Story::new(&[EXAMPLE]), &request(true, &[opt(1232, 0, 0xffff, &[])]));
    assert_eq!(opt_record, plain(EdnsFlags::DO));
}

#[test]
fn rfc_6891_section_6_1_3_a_later_version_is_badvers_with_version_0() {
    for version in [1, 255] {
        let (reply, opt_record) = ask(&mut Story::new(&[EXAMPLE]), &request(true, &[opt(1232, version, 0, &[])]));
        assert_eq!((reply.rcode, opt_record), (Rcode::BADVERS, plain(EdnsFlags(0))));
    }
}

#[test]
fn rfc_6891_section_6_1_2_unknown_options_are_ignored() {
    let unknown: (OptionCode, &[u8]) = (OptionCode(65001), b"x");
    let (reply, opt_record) = ask(&mut Story::new(&[EXAMPLE]), &request(true, &[opt(1232, 0, 0, &[unknown])]));
    assert_eq!((reply.rcode, opt_record), (Rcode::NOERROR, plain(EdnsFlags(0))));
}

#[test]
fn rfc_6891_section_6_1_1_a_second_opt_is_formerr() {
    let twice = [opt(1232, 0, 0, &[]), opt(1232, 0, 0, &[])];
    assert_eq!(ask(&mut Story::new(&[EXAMPLE]), &request(true, &twice)).0.rcode, Rcode::FORMERR);
    assert_eq!(ask(&mut Story::new(&[EXAMPLE]), &request(true, &twice[..1])).0.rcode, Rcode::NOERROR);
}

#[test]
fn rfc_6891_section_6_2_3_less_than_512_octets_mean_512_and_more_than_the_policy_means_the_policy() {
    // Names with 1 to 50 addresses: the largest answer that comes whole shows the size, to an address of 16 octets.
    let addresses = |n: usize| (0..n).map(move |i| format!("\nm{n:02}.example. A 192.0.2.{i}"));
    let zone = format!("{EXAMPLE}{}", (1..=50).flat_map(addresses).collect::<String>());
    for (size, limit) in [(None, 512), (Some(0), 512), (Some(511), 512), (Some(560), 560), (Some(4096), 600)] {
        let mut story = Story::new(&[&zone]);
        story.edns = size.map(|payload_size| story::EdnsWish { payload_size, flags: EdnsFlags(0) });
        story.policy.udp_payload_size_max = 600;
        let mut whole = |n: usize| {
            let name = format!("m{n:02}.example.").parse().unwrap();
            let (reply, _) = story.ask(&story::query(&name, nss_wire::RType::A, story.edns));
            if reply.is_truncated { 0 } else { reply.len }
        };
        let largest = (1..=50).map(&mut whole).max().unwrap();
        assert!(largest <= limit && largest + 16 > limit, "{size:?}: {largest}");
    }
}

#[test]
fn rfc_5001_the_identifier_is_told_to_who_asks_for_it() {
    let mut story = Story::new(&[EXAMPLE]);
    let wish = request(true, &[opt(1232, 0, 0, &[(OptionCode::NSID, b"")])]);
    assert_eq!(ask(&mut story, &wish).1.unwrap().options, []);
    story.policy.nsid = Some(Box::from(&b"ns1"[..]));
    assert_eq!(ask(&mut story, &wish).1.unwrap().options, [(OptionCode::NSID, b"ns1".to_vec())]);
    assert_eq!(ask(&mut story, &request(true, &[opt(1232, 0, 0, &[])])).1.unwrap().options, []);
}

fn story_with_cookies() -> Story {
    let mut story = Story::new(&[EXAMPLE]);
    story.policy.cookies = CookieSecrets::new(&[[7; 16]]);
    story.policy.now = 1_700_000_000;
    story
}

fn with_cookie(has_question: bool, cookie: &[u8]) -> Vec<u8> {
    request(has_question, &[opt(1232, 0, 0, &[(COOKIE, cookie)])])
}

/// The cookie that a client gets for its own, and a story in which it counts.
fn learned(story: &mut Story) -> Vec<u8> {
    let (reply, opt_record) = ask(story, &with_cookie(true, b"client!!"));
    assert!(!reply.has_valid_cookie);
    let [(COOKIE, cookie)] = &opt_record.unwrap().options[..] else { panic!("no cookie") };
    assert!(cookie.len() == 24 && cookie.starts_with(b"client!!"));
    cookie.clone()
}

#[test]
fn a_reply_is_for_everybody_as_long_as_nothing_in_it_depends_on_who_asks_and_how_often() {
    let mut story = story_with_cookies();
    let plain = [request(true, &[]), request(true, &[opt(1232, 0, 0, &[])])];
    for request in &plain {
        let (reply, octets) = story.ask(request);
        assert!(reply.is_for_everybody);
        let mut again = request.clone();
        again[..2].copy_from_slice(&[0xbe, 0xef]);
        let other = Peer { address: [198, 51, 100, 1].into(), ..story.peer() };
        let mut out = vec![0; 1232];
        let Outcome::Reply(reply) = story.view.respond(&again, &other, &story.policy, &mut out) else { panic!() };
        assert_eq!((&out[..2], &out[2..reply.len]), (&[0xbe, 0xef][..], &octets[2..]));
    }
    assert!(!ask(&mut story, &with_cookie(true, b"client!!")).0.is_for_everybody);
    story.policy.rotate = true;
    assert!(plain.iter().all(|request| !ask(&mut story, request).0.is_for_everybody));
}

#[test]
fn rfc_7873_section_5_2_3_a_client_cookie_is_answered_with_a_server_cookie_that_counts_next_time() {
    let mut story = story_with_cookies();
    let cookie = learned(&mut story);
    let (reply, opt_record) = ask(&mut story, &with_cookie(true, &cookie));
    assert_eq!((reply.rcode, reply.has_valid_cookie), (Rcode::NOERROR, true));
    assert_eq!(opt_record.unwrap().options, [(COOKIE, cookie)]);
}

#[test]
fn rfc_7873_section_5_2_4_a_wrong_server_cookie_gets_an_answer_and_a_right_one_with_it() {
    let mut story = story_with_cookies();
    let cookie = learned(&mut story);
    let wrong = [&cookie[..23], &[cookie[23] ^ 1]].concat();
    let (reply, opt_record) = ask(&mut story, &with_cookie(true, &wrong));
    assert_eq!((reply.rcode, reply.has_valid_cookie), (Rcode::NOERROR, false));
    assert_eq!(opt_record.unwrap().options, [(COOKIE, cookie)]);
}

#[test]
fn rfc_7873_section_5_2_2_a_cookie_of_a_wrong_size_is_formerr() {
    for (size, rcode) in [(7, Rcode::FORMERR), (8, Rcode::NOERROR), (9, Rcode::FORMERR), (15, Rcode::FORMERR)] {
        let (reply, opt_record) = ask(&mut story_with_cookies(), &with_cookie(true, &vec![1; size]));
        assert_eq!(reply.rcode, rcode, "{size}");
        assert_eq!(opt_record.unwrap().options.len(), usize::from(rcode == Rcode::NOERROR), "{size}");
    }
    for (size, rcode) in [(16, Rcode::NOERROR), (40, Rcode::NOERROR), (41, Rcode::FORMERR)] {
        assert_eq!(ask(&mut story_with_cookies(), &with_cookie(true, &vec![1; size])).0.rcode, rcode, "{size}");
    }
}

#[test]
fn rfc_7873_section_5_4_without_a_question_the_cookie_is_the_question() {
    let mut story = story_with_cookies();
    let cookie = learned(&mut story);
    for (cookie, rcode) in [(&b"client!!"[..], Rcode::NOERROR), (&cookie, Rcode::NOERROR), (&[9; 24], Rcode::BADCOOKIE)]
    {
        let (reply, opt_record) = ask(&mut story, &with_cookie(false, cookie));
        assert_eq!(reply.rcode, rcode);
        assert_eq!(opt_record.unwrap().options.len(), 1);
    }
    // Without a cookie there is nothing to ask for, and without secrets there are no cookies.
    assert_eq!(ask(&mut story, &request(false, &[opt(1232, 0, 0, &[])])).0.rcode, Rcode::FORMERR);
    assert_eq!(ask(&mut Story::new(&[EXAMPLE]), &with_cookie(false, b"client!!")).0.rcode, Rcode::FORMERR);
}

#[test]
fn rfc_7873_section_5_2_without_secrets_the_option_is_ignored() {
    let (reply, opt_record) = ask(&mut Story::new(&[EXAMPLE]), &with_cookie(true, b"short"));
    assert_eq!((reply.rcode, opt_record.unwrap().options.len()), (Rcode::NOERROR, 0));
}

#[test]
fn cookies_count_over_tcp_too() {
    let mut story = story_with_cookies();
    let cookie = learned(&mut story);
    story.transport = Transport::Tcp;
    assert!(ask(&mut story, &with_cookie(true, &cookie)).0.has_valid_cookie);
}

#[test]
fn rfc_7828_section_3_2_over_a_stream_the_idle_timeout_is_told_to_who_asks_as_a_client_does() {
    let mut story = Story::new(&[EXAMPLE]);
    let mut options = |transport, policy: Option<u16>, option: &[u8]| {
        (story.transport, story.policy.stream_idle_timeout) = (transport, policy);
        ask(&mut story, &request(true, &[opt(1232, 0, 0, &[(OptionCode::TCP_KEEPALIVE, option)])])).1.unwrap().options
    };
    for transport in [Transport::Tcp, Transport::Tls] {
        assert_eq!(options(transport, Some(300), b""), [(OptionCode::TCP_KEEPALIVE, vec![1, 44])]);
        assert_eq!(options(transport, Some(0), b""), [(OptionCode::TCP_KEEPALIVE, vec![0, 0])]);
        assert_eq!(options(transport, None, b""), []);
        // A timeout is the server's to say.
        assert_eq!(options(transport, Some(300), b"\0\x64"), []);
    }
    assert_eq!(options(Transport::Udp, Some(300), b""), []);
}

#[test]
fn an_idle_timeout_that_nobody_asked_for_is_not_told() {
    let mut story = Story::new(&[EXAMPLE]).over_tcp();
    story.policy.stream_idle_timeout = Some(300);
    assert_eq!(ask(&mut story, &request(true, &[])).1, None);
    assert_eq!(ask(&mut story, &request(true, &[opt(1232, 0, 0, &[])])).1, plain(EdnsFlags(0)));
}

#[test]
fn rfc_8467_section_4_1_over_tls_answers_fill_blocks_of_468_octets_if_the_request_was_padded() {
    let addresses = |n: usize| (0..n).map(move |i| format!("\nm{n:04}.example. A 10.{n}.{}.{}", i / 256, i % 256));
    let sizes: Vec<usize> = (1..=60).chain([4_050, 4_093]).collect();
    let zone = format!("{EXAMPLE}{}", sizes.iter().copied().flat_map(addresses).collect::<String>());
    let zone = zone.replace("10.4050.", "10.1.").replace("10.4093.", "10.1.");
    let mut story = Story::new(&[&zone]);
    let mut seen = std::collections::BTreeSet::new();
    for n in sizes {
        let question = [&b"\x05"[..], format!("m{n:04}").as_bytes(), b"\x07example\0\0\x01\0\x01"].concat();
        let padded = |padding: &[u8]| {
            let opt = opt(1232, 0, 0, &[(OptionCode::PADDING, padding), (OptionCode::NSID, b"")]);
            [&[0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1][..], &question, &opt].concat()
        };
        story.transport = Transport::Tcp;
        let clear = story.ask(&padded(b"\0\0\0\0")).0;
        story.transport = Transport::Tls;
        for padding in [&b""[..], &[0; 300]] {
            let (reply, octets) = story.ask(&padded(padding));
            let blocks = (clear.len + 4).div_ceil(468);
            assert_eq!((reply.len, reply.is_truncated), ((468 * blocks).min(65535), false), "{n} addresses");
            assert_eq!(octets.len(), reply.len);
            let edns = Reader::new(&octets).unwrap().edns().unwrap().unwrap();
            assert!(edns.option(OptionCode::PADDING).unwrap().iter().all(|&octet| octet == 0));
            seen.insert(blocks);
        }
    }
    assert!(seen.contains(&1) && seen.contains(&3) && seen.contains(&141), "{seen:?}");
}

#[test]
fn rfc_7830_section_4_nothing_is_padded_in_the_clear_or_unless_the_request_is() {
    let mut story = Story::new(&[EXAMPLE]);
    for (transport, options) in [
        (Transport::Udp, &[(OptionCode::PADDING, &b"\0\0"[..])][..]),
        (Transport::Tcp, &[(OptionCode::PADDING, &b"\0\0"[..])][..]),
        (Transport::Tls, &[]),
    ] {
        story.transport = transport;
        assert_eq!(ask(&mut story, &request(true, &[opt(1232, 0, 0, options)])).1, plain(EdnsFlags(0)));
    }
}

#[test]
fn errors_over_tls_are_padded_too() {
    let mut story = Story::new(&[EXAMPLE]);
    story.transport = Transport::Tls;
    let padding: (OptionCode, &[u8]) = (OptionCode::PADDING, b"");
    let (reply, _) = ask(&mut story, &request(false, &[opt(1232, 0, 0, &[padding])]));
    assert_eq!((reply.rcode, reply.len), (Rcode::FORMERR, 468));
}

/// The options of the answer to a question of class IN with these, and its response code.
fn options(
    story: &mut Story,
    question: &str,
    opcode: u8,
    options: &[(OptionCode, &[u8])],
) -> (Rcode, Vec<(OptionCode, Vec<u8>)>) {
    let (name, rtype) = question.split_once(' ').unwrap();
    let mut request = story::query(&name.parse().unwrap(), rtype.parse().unwrap(), None);
    (request[2], request[11]) = (opcode << 3, 1);
    request.extend(opt(1232, 0, 0, options));
    let (reply, opt) = ask(story, &request);
    (reply.rcode, opt.unwrap().options)
}

#[test]
fn rfc_8914_section_4_an_error_says_more_if_there_is_more_to_say() {
    let mut story = Story::new(&[EXAMPLE]);
    let error = |code: u8| vec![(OptionCode::EXTENDED_ERROR, vec![0, code])];
    for (question, opcode, rcode, said) in [
        // §4.21: nobody's zone.
        ("a.test. A", 0, Rcode::REFUSED, error(20)),
        // §4.22: NOTIFY, UPDATE, STATUS; and a type of the eighties.
        ("example. SOA", 4, Rcode::NOTIMP, error(21)),
        ("example. SOA", 5, Rcode::NOTIMP, error(21)),
        ("example. SOA", 2, Rcode::NOTIMP, error(21)),
        ("example. MAILB", 0, Rcode::NOTIMP, error(21)),
        // These codes say it all, and these are no errors.
        ("a.example. OPT", 0, Rcode::FORMERR, Vec::new()),
        ("test. AXFR", 0, Rcode::NOTAUTH, Vec::new()),
        ("no.example. A", 0, Rcode::NXDOMAIN, Vec::new()),
        ("a.example. TXT", 0, Rcode::NOERROR, Vec::new()),
        ("a.example. A", 0, Rcode::NOERROR, Vec::new()),
    ] {
        assert_eq!(options(&mut story, question, opcode, &[]), (rcode, said), "{question}");
    }
    // A class that nobody here has zones of.
    let mut chaos = request(true, &[opt(1232, 0, 0, &[])]);
    chaos[26] = 3;
    let (reply, opt_record) = ask(&mut story, &chaos);
    assert_eq!((reply.rcode, opt_record.unwrap().options), (Rcode::REFUSED, error(20)));
}

#[test]
fn rfc_8914_section_3_without_edns_there_is_nothing_to_say_it_with() {
    let (reply, octets) = Story::new(&[]).ask(&request(true, &[]));
    assert_eq!((reply.rcode, reply.len, octets.len()), (Rcode::REFUSED, 27, 27));
    assert_eq!(Reader::new(&octets).unwrap().edns().unwrap(), None);
}

#[test]
fn rfc_9660_section_3_2_every_answer_from_a_zone_tells_its_version_to_who_asks() {
    let zone = EXAMPLE.replace("host.example. 1 ", "host.example. 4294967295 ");
    let more = "
        alias.example.  CNAME a.example.
        sub.example.    NS    ns.sub.example.
        ns.sub.example. A     192.0.2.2
        *.w.example.    TXT   x
        d.example.      DNAME a.example.
    ";
    let child = "sub.example. SOA ns.other. host.other. 258 2 3 4 5\nsub.example. NS ns.other.";
    let long = format!("{}.example. A 192.0.2.3", ["x".repeat(63), "x".repeat(63), "x".repeat(63)].join("."));
    let root = ". SOA ns.other. host.other. 7 2 3 4 5\n. NS ns.other.";
    let mut story = Story::new(&[&format!("{zone}{more}{long}")]);
    let version =
        |labels: u8, serial: u32| (OptionCode::ZONEVERSION, [&[labels, 0], &serial.to_be_bytes()[..]].concat());
    let versions =
        |story: &mut Story, question: &str, asked: &[(OptionCode, &[u8])]| options(story, question, 0, asked).1;
    let wish: &[(OptionCode, &[u8])] = &[(OptionCode::ZONEVERSION, b"")];
    // Answers, NODATA, NXDOMAIN, aliases, wildcards, ANY and referrals; a name that DNAME makes too long is an error.
    let too_long =
        format!("{}.d.example. A", ["y".repeat(63), "y".repeat(63), "y".repeat(63), "y".repeat(50)].join("."));
    for question in [
        "a.example. A",
        "a.example. TXT",
        "no.example. A",
        "alias.example. A",
        "x.w.example. TXT",
        "example. ANY",
        "example. SOA",
        "x.sub.example. A",
        "sub.example. DS",
        "x.d.example. A",
        &too_long,
    ] {
        assert_eq!(versions(&mut story, question, wish), [version(1, u32::MAX)], "{question}");
    }
    // Not unasked, nor where no zone of ours encloses the name, nor in another class.
    assert_eq!(versions(&mut story, "a.example. A", &[]), []);
    assert_eq!(versions(&mut story, "a.test. A", wish), [(OptionCode::EXTENDED_ERROR, vec![0, 20])]);
    assert_eq!(versions(&mut story, "example. MAILB", wish), [(OptionCode::EXTENDED_ERROR, vec![0, 21])]);
    // Whatever stands in the option is ignored.
    assert_eq!(
        versions(&mut story, "a.example. A", &[(OptionCode::ZONEVERSION, b"\x01\0abcd")]),
        [version(1, u32::MAX)]
    );
    // The deepest zone, and the root, which has no labels.
    let mut story = Story::new(&[&format!("{zone}{more}"), child, root]);
    assert_eq!(versions(&mut story, "x.sub.example. A", wish), [version(2, 258)]);
    assert_eq!(versions(&mut story, "sub.example. DS", wish), [version(1, u32::MAX)]);
    assert_eq!(versions(&mut story, "test. A", wish), [version(0, 7)]);
}

#[test]
fn all_options_together_fit_beside_the_longest_question_and_an_answer_keeps_its_limit() {
    let longest = [&"a".repeat(63), &"b".repeat(63), &"c".repeat(63), &"d".repeat(53)].map(String::as_str).join(".");
    let zone = format!("{EXAMPLE}\n{longest}.example. A 192.0.2.9");
    let mut story = story_with_cookies();
    story.catalog.publish(story::build(&zone).unwrap().0);
    story.policy.nsid = Some(vec![b'n'; nss_authority::policy::NSID_SIZE_MAX].into());
    let wishes: &[(OptionCode, &[u8])] = &[
        (OptionCode::NSID, b""),
        (OptionCode::COOKIE, b"client!!"),
        (OptionCode::ZONEVERSION, b""),
        (OptionCode::TCP_KEEPALIVE, b""),
        (OptionCode::PADDING, b""),
    ];
    let name: nss_wire::NameBuf = format!("{longest}.example.").parse().unwrap();
    assert_eq!(name.as_name().wire_len(), 255);
    for rtype in [nss_wire::RType::A, nss_wire::RType::TXT] {
        let mut request = story::query(&name, rtype, None);
        request[11] = 1;
        request.extend(opt(512, 0, 0, wishes));
        let (reply, opt_record) = ask(&mut story, &request);
        assert!(reply.len <= 512 && !reply.is_truncated, "{rtype}: {reply:?}");
        assert_eq!(opt_record.unwrap().options.len(), 3, "over UDP neither keepalive nor padding");
    }
}
