//! Whatever a text holds, reading it ends, within the limits, and points into the text.

use nss_wire::NameBuf;
use nss_zonefile::{Diagnostic, ErrorKind, Limits, Lines, LintOptions, Linter, Options, Part, Reader};
use proptest::prelude::*;

/// A zone with something of everything, to be broken.
const ZONE: &str = "\
$ORIGIN example.
$TTL 1h
@ IN SOA ns hostmaster (
  1 ; serial
  1d 2h 4w 1h )
  NS ns
  MX 10 mail.example.
ns A 192.0.2.1
   AAAA 2001:db8::1
txt TXT \"a \\\"b\\\" ; c\" d\\;e \\# \\065
_sip._tcp SRV 0 5 5060 ns
caa CAA 0 issue \"ca.example; account=1\"
svc HTTPS 1 . alpn=\"h2,h3\" ipv4hint=192.0.2.1 key65280=x
loc LOC 52 14 5.5 N 4 29 0 E 1m 2m
apl APL 1:192.0.2.0/24 !2:2001:db8::/32
key DNSKEY 257 3 13 Zm9v YmFy
ds DS 1 13 2 0123456789abcdef0123456789abcdef 0123456789abcdef0123456789abcdef
n3 NSEC3 1 0 0 ab vs0fu07v A TYPE65280
gen TYPE65280 \\# 3 ab cdef
$GENERATE 1-9/3 h${1,2,x} A 192.0.2.$
$INCLUDE other.zone sub
";

/// Reads all of `text`, and checks what holds for every text.
fn survive(text: &[u8]) {
    let limits = Limits { errors_max: 5, entry_size_max: 500, generated_records_max: 50, ..Limits::default() };
    let options = Options { origin: Some("example".parse::<NameBuf>().unwrap()), limits, ..Options::default() };
    let included = b"a A 192.0.2.1\n$INCLUDE again\n\xff B (";
    let mut reader = Reader::new(text, &options).with_includes(|inclusion| match inclusion.path {
        "missing" => Err("no such file".into()),
        _ => Ok(included.as_slice().into()),
    });
    let mut errors = 0;
    let apex: NameBuf = "example".parse().unwrap();
    let mut linter = Linter::new(apex.as_name(), LintOptions { now: Some(0) });
    let mut places = Lines::new(text);
    while let Some(result) = reader.next() {
        match result {
            Ok(entry) => {
                // Whatever stands in a line, there is something to point at.
                if entry.position.file == 0 {
                    linter.record(entry.record, entry.position, &mut places);
                    for part in [Part::Owner, Part::Ttl, Part::Type, Part::Data, Part::Field(0), Part::Field(9)] {
                        let label = places.label(entry.position.line, part).expect("a record stands in the line");
                        assert!(label.span.start < label.span.end && label.span.end <= text.len(), "{label:?}");
                        assert_eq!(label.line as usize, 1 + lines(&text[..label.span.start]), "{label:?}");
                    }
                }
                let record = entry.record;
                assert!(nss_wire::rdata::check(record.rtype, record.rdata).is_ok(), "{record}");
                assert!(record.ttl <= nss_wire::record::TTL_MAX && record.rdata.len() <= 65_535);
                assert!(entry.position.line >= 1);
            }
            Err(error) => {
                errors += 1;
                assert!(errors <= 6, "more errors than the limit allows");
                let source = if error.file == 0 { text } else { included };
                assert!(error.span.start <= error.span.end && error.span.end <= source.len(), "{error:?}");
                if !matches!(error.kind, ErrorKind::TooManyErrors { .. }) {
                    let before = &source[..error.span.start];
                    assert_eq!(error.line as usize, 1 + lines(before), "{error:?}");
                }
                assert!(error.column >= 1);
                let report = error.report().to_string();
                assert!(report.chars().all(|it| it == '\n' || !it.is_control()), "{report:?}");
                assert!(report.lines().all(|line| line.chars().count() < 400), "{report}");
            }
        }
    }
    assert!(reader.next().is_none(), "a reader that has ended goes on");
    linter.text(&places);
    linter.finish(|_, _| false).diagnostics.iter().for_each(is_fit_for_a_terminal);
    if let Ok(formatted) = nss_zonefile::format(text) {
        assert_eq!(nss_zonefile::format(&formatted).as_ref(), Ok(&formatted));
    }
}

fn is_fit_for_a_terminal(diagnostic: &Diagnostic) {
    let report = diagnostic.to_string();
    assert!(report.chars().all(|it| it == '\n' || !it.is_control()), "{report:?}");
}

/// Line ends in `text`: LF, CR LF, or CR alone.
fn lines(text: &[u8]) -> usize {
    let lone = |&at: &usize| text[at] == b'\n' || (text[at] == b'\r' && text.get(at + 1) != Some(&b'\n'));
    (0..text.len()).filter(lone).count()
}

proptest! {
    #[test]
    fn arbitrary_octets(text: Vec<u8>) {
        survive(&text);
    }

    #[test]
    fn characters_that_mean_something(text in "[ \\t\\r\\n\"\\\\();$@.#{},/0-9a-cA\u{0}é-]{0,200}") {
        survive(text.as_bytes());
    }

    #[test]
    fn a_zone_with_octets_changed(changes in prop::collection::vec((0..ZONE.len(), any::<u8>()), 0..6)) {
        let mut text = ZONE.as_bytes().to_vec();
        for (at, octet) in changes {
            text[at] = octet;
        }
        survive(&text);
    }

    #[test]
    fn a_zone_with_its_tokens_shuffled(order in prop::collection::vec(0..ZONE.split(' ').count(), 0..60)) {
        let tokens: Vec<&str> = ZONE.split(' ').collect();
        let text: Vec<&str> = order.into_iter().map(|at| tokens[at]).collect();
        survive(text.join(" ").as_bytes());
    }

    #[test]
    fn every_type_with_arbitrary_fields(data in "[ \"\\\\.:/=,!+0-9a-zA-Z-]{0,60}", number in 0usize..nss_wire::RType::REGISTERED.len()) {
        let rtype = nss_wire::RType::REGISTERED[number];
        survive(format!("a 1 {rtype} {data}").as_bytes());
    }
}

#[test]
fn the_zone_is_right_before_it_is_broken() {
    let options = Options::default();
    let mut reader = Reader::new(ZONE.as_bytes(), &options).with_includes(|_| Ok(b"x TXT y".as_slice().into()));
    let mut records = 0;
    while let Some(result) = reader.next() {
        if let Err(error) = result {
            panic!("{}", error.report());
        }
        records += 1;
    }
    assert_eq!(records, 19);
}

#[test]
fn a_text_of_one_kind_of_octet_costs_no_more_than_its_size() {
    for octet in [b'(', b')', b'"', b'\\', b'\n', b';', b'a', b'.', b' ', 0, 0xff, b'$'] {
        survive(&vec![octet; 100_000]);
    }
    for line in ["a (\n", "a \"\n", "(\n;", "a TXT ( \"\n", "$GENERATE 1-9 ( a\n", "$INCLUDE x\n", "\\\n"] {
        survive(line.repeat(10_000).as_bytes());
    }
}
