//! The fast path reads what the grammar reads, and nothing else.

use std::borrow::Cow;

use nss_wire::NameBuf;
use proptest::prelude::*;

use crate::reader::Found;
use crate::{Error, Limits, Options, Position, Reader};

/// A record or a mistake, with all that can be seen of it.
#[derive(Debug, PartialEq)]
enum Event {
    Record { owner: Vec<u8>, rtype: u16, class: u16, ttl: u32, rdata: Vec<u8>, position: Position },
    Mistake(Error),
}

fn options() -> Options {
    let limits = Limits { errors_max: 20, entry_size_max: 2000, generated_records_max: 50, ..Limits::default() };
    Options { origin: Some("example".parse::<NameBuf>().unwrap()), limits, ..Options::default() }
}

fn events(mut reader: Reader<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(result) = reader.next() {
        events.push(match result {
            Ok(entry) => Event::Record {
                owner: entry.record.owner.as_wire().to_vec(),
                rtype: entry.record.rtype.0,
                class: entry.record.class.0,
                ttl: entry.record.ttl,
                rdata: entry.record.rdata.to_vec(),
                position: entry.position,
            },
            Err(error) => Event::Mistake(error),
        });
    }
    events
}

/// Both paths give the same records and mistakes in the same order, wherever in the text a line stands.
fn agree(text: &[u8], options: &Options) {
    // Lines at the end of the text are left to the grammar, those before others are not.
    for padding in [0, 200] {
        let text = [b"; start\n", text, &[b'\n'].repeat(padding)].concat();
        let reader = || {
            Reader::new(&text, options).with_includes(|inclusion| match inclusion.path {
                "missing" => Err("no such file".into()),
                _ => Ok(Cow::Owned([LINES.as_bytes(), &[b'\n'].repeat(200)].concat())),
            })
        };
        let (both, grammar) = (events(reader()), events(reader().by_grammar_alone()));
        for (ours, theirs) in both.iter().zip(&grammar) {
            assert_eq!(ours, theirs, "in {}", text.escape_ascii());
        }
        assert_eq!(both.len(), grammar.len(), "in {}", text.escape_ascii());
    }
}

/// How many of the lines are read on the fast path.
fn plain_lines(text: &str) -> usize {
    let text = format!("; start\n{text}{}", "\n".repeat(200));
    let options = Options { default_ttl: Some(60), ..options() };
    let mut reader = Reader::new(text.as_bytes(), &options);
    let mut count = 0;
    while let Some(result) = reader.advance() {
        let found = result.unwrap_or_else(|error| panic!("{}", error.report()));
        count += usize::from(matches!(found, Found::Plain(_)));
    }
    count
}

/// A record of every type that is read from plain lines, in the layouts that are common.
const LINES: &str = "\
a.example. 3600 IN NS ns1.b.example.
a\t3600\tIN\tNS\t@
@ NS .
. 7 NS a
  IN 300 A 192.0.2.1
ns1 A 255.0.10.99 ; a comment
* 1 in aaaa 2001:db8::1
b   \t 5 AAAA    ::ffff:c000:201   \t
c AAAA 1:2:3:4:5:6:7:8\r
_sip._tcp SRV 0 65535 5060 ns1.a.
d MX 10 mail
e CNAME @
f PTR 1.2.0.192.in-addr.arpa.
g DNAME z.
h DS 1 13 2 0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef
h CDS 1 13 1 0123456789abcdef0123 456789abcdef01234567
i RRSIG DS 13 2 3600 20260131000000 20240229235959 1 example. Zm9vYmFyYmF6 cXV4Zg==
i 3600 IN RRSIG TXT 8 2 3600 19700101000000 21060207062816 65535 . Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmE=
j DNSKEY 257 3 13 Zm9v YmFy Zg==
j CDNSKEY 256 3 8 Zm9vYmFy
k NSEC l.example. A NS SOA AAAA RRSIG NSEC
l NSEC .
m NSEC3 1 1 0 - vs0fu07v NS DS RRSIG
n NSEC3 1 0 65535 aabb vs0fu07vvs0fu07vvs0fu07vvs0fu07v
o TXT \"v=spf1 -all\"
o 300 IN TXT \"\"   \"a;b (c) $ @\tx é\" \"d\"; comment
p CAA 0 issue \"ca.example; k=v\"
p CAA 128 iodef \"\" \t
";

#[test]
fn plain_lines_are_read_on_the_fast_path() {
    for line in LINES.split_inclusive('\n') {
        if !line.starts_with(' ') {
            assert_eq!(plain_lines(line), 1, "{line}");
        }
    }
    assert_eq!(plain_lines(LINES), LINES.lines().count());
    assert_eq!(plain_lines(&LINES.replace('\n', "\r\n").replace("\r\r", "\r")), LINES.lines().count());
}

#[test]
fn what_is_unusual_is_left_to_the_grammar() {
    for line in [
        "a NS ( b )\n",
        "\\097 A 192.0.2.1\n",
        "a TXT x\n",
        "a TXT \"x\\065\"\n",
        "a TXT \"x\"y\n",
        "a TXT \"x\" y\n",
        "a TXT (\"x\")\n",
        "a CAA 0 issue ca.example\n",
        "a 1h A 192.0.2.1\n",
        "a A \\# 4 c0000201\n",
        "a type1 192.0.2.1\n",
        "a class1 A 192.0.2.1\n",
        "a AAAA ::192.0.2.1\n",
        "a!b A 192.0.2.1\n",
        "a DS 1 RSASHA256 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
    ] {
        assert_eq!(plain_lines(line), 0, "{line}");
    }
    // The last line of a text, where too few octets follow.
    let options = Options { default_ttl: Some(60), ..options() };
    let mut reader = Reader::new(b"\na A 192.0.2.1\n", &options);
    assert!(matches!(reader.advance(), Some(Ok(Found::Drafted(_)))));
}

#[test]
fn both_paths_agree_wherever_the_text_is_cut() {
    for cut in 0..=LINES.len() {
        agree(&LINES.as_bytes()[..cut], &options());
    }
}

#[test]
fn both_paths_agree_wherever_blocks_end() {
    for line in LINES.split_inclusive('\n') {
        for gap in (1..70).chain(120..130) {
            let (blanks, word) = (" ".repeat(gap), "x".repeat(gap));
            for first in 0..line.matches([' ', '\t']).count() {
                let at = line.match_indices([' ', '\t']).nth(first).unwrap().0;
                let (before, behind) = line.split_at(at);
                agree(format!("a 1 A 192.0.2.1\n{before}{blanks}{behind}{line}").as_bytes(), &options());
            }
            agree(format!("{word}.{line}{line}").as_bytes(), &options());
        }
    }
}

#[test]
fn both_paths_agree_on_each_octet_at_each_place() {
    for line in ["a.b 60 IN NS c.example.\n", "a 1 TXT \"b c\" \"\"\n", "a 1 CAA 0 issue \"b;\" \n"] {
        for at in 0..line.len() {
            for octet in 0..=255 {
                let mut text = line.as_bytes().to_vec();
                text[at] = octet;
                agree(&[&text, line.as_bytes(), &text].concat(), &options());
            }
        }
    }
}

#[test]
fn a_head_that_is_known_is_not_the_start_of_another() {
    for first in ["a 60 IN NS\n", "a 60 IN NS b\n", "a 60 IN NS  b\n", "a IN A 192.0.2.1\n", "a 6\n", "a IN\n"] {
        for second in [
            "a 60 IN NSEC\n",
            "a 60 IN NSEC b\n",
            "a 60 IN NS  b\n",
            "a 60 IN NS\tb\n",
            "a 60 IN NS;\n",
            "a IN AAAA ::\n",
        ] {
            agree(format!("{first}{second}{first}{second}").as_bytes(), &options());
        }
    }
    // More heads than are kept.
    let text: String = (0..40).map(|i| format!("a {} IN A 192.0.2.{i}\n", i * 7 % 23)).collect();
    agree(text.repeat(2).as_bytes(), &options());
    assert_eq!(plain_lines(&text), 40);
}

#[test]
fn both_paths_agree_on_fields_that_are_nearly_right() {
    let digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let mut data: Vec<String> = Vec::new();
    for address in
        ["192.0.02.1", "00.0.0.0", "192.0.2.256", "192.0.2", "192.0.2.1.", "1.2.3.4.5", ".1.2.3", "1..2.3", "0.0.0.0"]
    {
        data.push(format!("A {address}"));
    }
    for address in [
        "::",
        ":",
        ":::",
        "1::2::3",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8:9",
        "1::2:3:4:5:6:7:8",
        "12345::",
        "::g",
        ":1",
        "1:",
    ] {
        data.push(format!("AAAA {address}"));
    }
    for (kind, size) in [(0, 64), (1, 40), (1, 38), (2, 64), (2, 63), (2, 62), (3, 64), (4, 64), (5, 64), (256, 64)] {
        data.push(format!("DS 1 13 {kind} {}", &digest[..size]));
        data.push(format!("DS 1 13 {kind} {} {}", &digest[..size - 7], &digest[size - 7..size]));
        data.push(format!("DS 65536 256 {kind} {}g", &digest[..size - 1]));
    }
    for key in [
        "Zg==",
        "Zh==",
        "Zm8=",
        "Zm9=",
        "Zm9v",
        "Zm9",
        "Zm",
        "Z",
        "=",
        "====",
        "Zg===",
        "Zg==Zg==",
        "Zg== Zg==",
        "Zm9v=",
        "Zm8=x",
        "Zm9v Zm8",
        "Zm9v- ",
        "Zg=a",
    ] {
        data.push(format!("DNSKEY 257 3 13 {key}"));
        data.push(format!("DNSKEY 257 3 13 Zm9v{key}"));
        data.push(format!("RRSIG DS 13 2 3600 20260131000000 20240229235959 1 . {key}"));
    }
    for time in [
        "20260230000000",
        "20260131240000",
        "20260131006000",
        "20260131000060",
        "19691231235959",
        "22430101000000",
        "20261301000000",
        "2026013100000",
        "4294967295",
    ] {
        data.push(format!("RRSIG DS 13 2 3600 {time} 20240229235959 1 . Zm9v"));
    }
    for hash in ["vs0fu07v", "vs0fu07", "vs0fu0", "vs0fu", "vs", "v0", "v", "w", "VS0FU07V", "vs0fu07v="] {
        data.push(format!("NSEC3 1 0 0 - {hash} A"));
        data.push(format!("NSEC3 1 0 0 {} {hash}", "abc".get(..hash.len() % 4).unwrap_or("-")));
    }
    for list in ["NS NS", "TYPE1", "CAA", "X", "AAAAA", "", "NSEC3PARAM", "NS;", "\"NS\""] {
        data.push(format!("NSEC . {list}"));
    }
    for size in [0, 1, 63, 64, 65, 254, 255, 256, 257, 1000, 1010, 1015, 1020, 1022, 1023, 1024, 1025, 1030] {
        let long = "x".repeat(size);
        data.push(format!("TXT \"{long}\""));
        data.push(format!("TXT \"y\" \"{long}\" \"\""));
        data.push(format!("CAA 0 issue \"{long}\""));
        data.push(format!("CAA 0 {long} \"y\""));
        data.push(format!("TXT {}", "\"\" ".repeat(size)));
    }
    for string in [
        "\"",
        "\"\"\"",
        "\"a\"b",
        "b\"a\"",
        "\"a\\\"\"",
        "\"\\\"",
        "\"a\\",
        "\"\t\"",
        "\"\u{1}\"",
        "\"\u{7f}\"",
        "\\#",
        "\"\\#\" 0",
    ] {
        for comment in ["", ";", " ;\"", "(", ")", " ( )"] {
            data.push(format!("TXT {string}{comment}"));
            data.push(format!("TXT \"a\" {string}{comment}"));
            data.push(format!("CAA 0 issue {string}{comment}"));
        }
    }
    for caa in [
        "256 issue \"a\"",
        "0 is-sue \"a\"",
        "0 \"issue\" \"a\"",
        "0 ISSUE \"a\" \"b\"",
        "0 issue",
        "0 issue a",
        "00 i9 \"a\"",
        "0 é \"a\"",
    ] {
        data.push(format!("CAA {caa}"));
    }
    for data in data {
        agree(format!("a 1 {data}\n  {data}\nb 1 A 192.0.2.1\n").as_bytes(), &options());
    }
}

#[test]
fn both_paths_agree_at_the_limits() {
    let entry = |size: usize| format!("a 1 A 192.0.2.1{}\nb 1 A 192.0.2.1\n", " ".repeat(size - 15));
    let comment = |size: usize| format!("a 1 A 192.0.2.1 ;{}\nb 1 A 192.0.2.1\n", "x".repeat(size - 17));
    for size_max in [15, 16, 17, 18, 40] {
        let limits = Limits { entry_size_max: size_max, ..Limits::default() };
        for size in 17..50 {
            agree(entry(size).as_bytes(), &Options { limits, ..options() });
            agree(comment(size).as_bytes(), &Options { limits, ..options() });
        }
    }
    // Beyond the limit of errors records are not told, and behind a hopeless text nothing is.
    agree(format!("a B\n{LINES}").repeat(30).as_bytes(), &options());
    agree(format!("a ( b\n{LINES}").repeat(30).as_bytes(), &options());
    let key = "Zm9v".repeat(400);
    for size in 1300..1500 {
        agree(format!("a 1 DNSKEY 257 3 13 {}\nb 1 A 192.0.2.1\n", &key[..size]).as_bytes(), &options());
    }
    for size in 1..260 {
        let origin = "abcdefg.".repeat(24);
        agree(format!("$ORIGIN {origin}\n{0} 1 NS {0}\na 1 MX 1 {0}", "x".repeat(size)).as_bytes(), &options());
    }
}

#[test]
fn both_paths_agree_without_origin_or_ttl_and_in_other_classes() {
    for origin in [None, Some("example".parse().unwrap())] {
        for class in [nss_wire::Class::IN, nss_wire::Class::CH] {
            for default_ttl in [None, Some(5)] {
                let options = Options { origin: origin.clone(), class, default_ttl, ..options() };
                agree(LINES.as_bytes(), &options);
                for line in LINES.split_inclusive('\n') {
                    agree(format!("{line} A 192.0.2.1\na A 192.0.2.1\n").as_bytes(), &options);
                }
            }
        }
    }
}

/// Lines as they are or nearly are.
fn line() -> impl Strategy<Value = String> {
    let blanks = || prop_oneof![8 => Just(" "), 3 => Just("\t"), 1 => Just("  "), 1 => Just(" \t ")];
    let name = || {
        prop_oneof![
            6 => "[a-z0-9_*-]{1,9}(\\.[a-z]{1,5}){0,2}\\.?",
            1 => "[a-z.]{0,70}",
            1 => Just("@".to_owned()),
            1 => Just(".".to_owned()),
            1 => "[a-z\\\\0-9.@$!é-]{1,9}",
        ]
    };
    let owner = prop_oneof![8 => name(), 2 => Just(String::new()), 1 => Just("$ORIGIN".to_owned()), 1 => Just("$TTL".to_owned())];
    let head = "(([0-9]{1,5}|[0-9]{9,10}|1h) ){0,1}((IN|in|CH|CLASS1) ){0,1}(([0-9]{1,4}) ){0,1}";
    let rtype = "(NS|ns|A|AAAA|DS|RRSIG|NSEC3?|MX|CNAME|SRV|PTR|DNSKEY|TXT|txt|CAA|SOA|TYPE1|X){1}";
    let number = || "[0-9]{1,5}";
    let address = || {
        prop_oneof![
            "(([0-9]|1[0-9]{2})\\.){3}[0-9]{1,3}",
            "[0-9.]{1,15}",
            "([0-9a-f]{1,4}:){0,7}:?([0-9a-f]{1,4}:){0,7}[0-9a-f]{0,4}",
            "[0-9a-f:]{1,20}"
        ]
    };
    let data = prop_oneof![
        4 => name(),
        4 => address(),
        2 => (number(), name()).prop_map(|(number, name)| format!("{number} {name}")),
        1 => (number(), number(), number(), name()).prop_map(|(a, b, c, name)| format!("{a} {b} {c} {name}")),
        2 => (number(), "[0-9]{1,3}", "[1-5]", "[0-9a-f]{40}|[0-9a-f]{64}|[0-9A-F]{96}|[0-9a-f ]{1,99}")
            .prop_map(|(tag, algorithm, kind, digest)| format!("{tag} {algorithm} {kind} {digest}")),
        1 => "25[5-7] 3 (13|8) ([A-Za-z0-9+/]{4}){1,30}( ([A-Za-z0-9+/]{4}){1,9}){0,2}([A-Z][AQgw]==|[A-Z]{2}[AEIMQUYc]=)?",
        1 => "25[5-7] 3 13 [A-Za-z0-9+/= ]{1,40}",
        1 => "(NS|A|DS|X) 13 2 3600 20[0-9]{2}[01][0-9][0-3][0-9][0-2][0-9][0-6][0-9][0-6][0-9] 20260101000000 1 a\\. ([A-Za-z0-9+/]{4}){1,30}",
        1 => (name(), "( (NS|A|DS|RRSIG|NSEC|SOA|TXT|CAA|TYPE300|AAAA)){0,6}").prop_map(|(next, types)| format!("{next}{types}")),
        1 => "1 [01] [0-9]{1,5} (-|[0-9a-f]{1,8}) [0-9a-v]{1,32}( (NS|A|DS|RRSIG|NSEC|SOA)){0,4}",
        3 => "(\"[ -!#-\\[\\]-~\té]{0,30}\"[ \t]?){1,4}",
        2 => "[0-9]{1,3} [a-zA-Z0-9-]{1,10} \"[ -!#-\\[\\]-~]{0,30}\"( x)?",
        1 => "[ -~]{0,40}",
    ];
    let end = prop_oneof![
        12 => Just("\n"), 2 => Just(" \n"), 2 => Just("\r\n"), 1 => Just("\r"), 1 => Just(" ; x\n"), 1 => Just(";\r\n"),
        1 => Just(" x\n"), 1 => Just(" (\n )\n"), 1 => Just("")
    ];
    (owner, blanks(), head, rtype, blanks(), data, end)
        .prop_map(|(owner, a, head, rtype, b, data, end)| format!("{owner}{a}{head}{rtype}{b}{data}{end}"))
}

proptest! {
    #[test]
    fn both_paths_agree_on_lines(lines in prop::collection::vec(line(), 1..12)) {
        agree(lines.concat().as_bytes(), &options());
    }

    #[test]
    fn both_paths_agree_on_lines_with_octets_changed(
        lines in prop::collection::vec(line(), 1..6),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut text = lines.concat().into_bytes();
        for (at, octet) in changes {
            let at = at.index(text.len());
            text[at] = octet;
        }
        agree(&text, &options());
    }

    #[test]
    fn both_paths_agree_on_a_zone_with_octets_changed(
        changes in prop::collection::vec((0..LINES.len(), prop_oneof![any::<u8>(), prop::sample::select(b" \t\n;().0:-=\"\\".to_vec())]), 0..8)
    ) {
        let mut text = LINES.as_bytes().to_vec();
        for (at, octet) in changes {
            text[at] = octet;
        }
        agree(&text, &options());
    }

    #[test]
    fn both_paths_agree_on_a_zone_with_its_words_shuffled(order in prop::collection::vec(0..LINES.split(' ').count(), 0..60)) {
        let words: Vec<&str> = LINES.split(' ').collect();
        let text: Vec<&str> = order.into_iter().map(|at| words[at]).collect();
        agree(text.join(" ").as_bytes(), &options());
    }

    #[test]
    fn both_paths_agree_on_any_octets(text in prop::collection::vec(any::<u8>(), 0..300)) {
        agree(&text, &options());
    }

    #[test]
    fn both_paths_agree_on_characters_that_mean_something(text in "[ \\t\\r\\n\"\\\\();$@.#{},/0-9a-cAINS\u{0}é:=-]{0,300}") {
        agree(text.as_bytes(), &options());
    }

    #[test]
    fn both_paths_agree_on_every_type(data in "[.:/=,+0-9a-zA-Z -]{0,60}", number in 0..nss_wire::RType::REGISTERED.len()) {
        let rtype = nss_wire::RType::REGISTERED[number];
        agree(format!("a 1 {rtype} {data}\nb 1 {rtype} {data}\n").as_bytes(), &options());
    }
}
