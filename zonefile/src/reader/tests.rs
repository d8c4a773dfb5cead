//! Stories of zone files, right and wrong ones.

use super::*;

/// Reads `text` with the origin `example.` and returns its records as lines.
fn records(text: &str) -> Vec<String> {
    match read(text.as_bytes(), &options()) {
        Ok(records) => records.iter().map(|(record, _)| record.to_string()).collect(),
        Err(errors) => panic!("{text:?}: {errors:?}"),
    }
}

/// Records and errors as lines, each error as it displays.
fn everything(reader: Reader<'_>) -> (Vec<String>, Vec<String>) {
    let mut reader = reader;
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    while let Some(result) = reader.next() {
        match result {
            Ok(entry) => records.push(entry.record.to_string()),
            Err(error) => errors.push(error.to_string()),
        }
    }
    (records, errors)
}

fn errors(text: &str) -> Vec<String> {
    everything(Reader::new(text.as_bytes(), &options())).1
}

/// Line, column and kind of the only error.
fn error(text: &str) -> (u32, u32, ErrorKind) {
    match read(text.as_bytes(), &options()) {
        Err(errors) if errors.len() == 1 => (errors[0].line, errors[0].column, errors[0].kind.clone()),
        other => panic!("{text:?}: {other:?}"),
    }
}

fn options() -> Options {
    Options { default_ttl: Some(60), ..Options::for_zone("example".parse::<NameBuf>().unwrap().as_name()) }
}

#[test]
fn the_example_of_rfc_1035_section_5_3() {
    let text = "\
@   IN  SOA     VENERA      Action\\.domains (
                                 20     ; SERIAL
                                 7200   ; REFRESH
                                 600    ; RETRY
                                 3600000; EXPIRE
                                 60)    ; MINIMUM

        NS      A.ISI.EDU.
        NS      VENERA
        NS      VAXA
        MX      10      VENERA
        MX      20      VAXA

A       A       26.3.0.103

VENERA  A       10.1.0.52
        A       128.9.0.32

$INCLUDE ISI-MAILBOXES.TXT";
    let mailboxes = "\
MOE     MB      A.ISI.EDU.
LARRY   MB      A.ISI.EDU.
CURLEY  MB      A.ISI.EDU.
STOOGES MG      MOE
        MG      LARRY
        MG      CURLEY";
    let options = Options::for_zone("ISI.EDU".parse::<NameBuf>().unwrap().as_name());
    let reader = Reader::new(text.as_bytes(), &options).with_includes(|inclusion| {
        assert_eq!((inclusion.path, inclusion.from), ("ISI-MAILBOXES.TXT", None));
        Ok(Cow::Borrowed(mailboxes.as_bytes()))
    });
    let (records, errors) = everything(reader);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(
        records,
        [
            "ISI.EDU. 60 IN SOA VENERA.ISI.EDU. Action\\.domains.ISI.EDU. 20 7200 600 3600000 60",
            "ISI.EDU. 60 IN NS A.ISI.EDU.",
            "ISI.EDU. 60 IN NS VENERA.ISI.EDU.",
            "ISI.EDU. 60 IN NS VAXA.ISI.EDU.",
            "ISI.EDU. 60 IN MX 10 VENERA.ISI.EDU.",
            "ISI.EDU. 60 IN MX 20 VAXA.ISI.EDU.",
            "A.ISI.EDU. 60 IN A 26.3.0.103",
            "VENERA.ISI.EDU. 60 IN A 10.1.0.52",
            "VENERA.ISI.EDU. 60 IN A 128.9.0.32",
            "MOE.ISI.EDU. 60 IN MB A.ISI.EDU.",
            "LARRY.ISI.EDU. 60 IN MB A.ISI.EDU.",
            "CURLEY.ISI.EDU. 60 IN MB A.ISI.EDU.",
            "STOOGES.ISI.EDU. 60 IN MG MOE.ISI.EDU.",
            "STOOGES.ISI.EDU. 60 IN MG LARRY.ISI.EDU.",
            "STOOGES.ISI.EDU. 60 IN MG CURLEY.ISI.EDU.",
        ]
    );
}

#[test]
fn ttl_and_class_stand_in_any_order_or_not_at_all() {
    for line in ["a 5 IN A 192.0.2.1", "a IN 5 A 192.0.2.1", "a 5 A 192.0.2.1", "a 5s class1 type1 192.0.2.1"] {
        assert_eq!(records(line), ["a.example. 5 IN A 192.0.2.1"], "{line}");
    }
    assert_eq!(records("a IN A 192.0.2.1"), ["a.example. 60 IN A 192.0.2.1"]);
    assert_eq!(error("a 5 IN 5 A 192.0.2.1"), (1, 8, ErrorKind::TtlTwice));
    assert_eq!(error("a IN 5 IN A 192.0.2.1"), (1, 8, ErrorKind::ClassTwice));
    assert_eq!(error("a CH TXT x"), (1, 3, ErrorKind::ClassMismatch { expected: Class::IN }));
}

#[test]
fn words_of_the_grammar_are_owners_at_the_start_of_a_line() {
    assert_eq!(
        records("IN A 192.0.2.1\nA A 192.0.2.1\n300 A 192.0.2.1\n\\$TTL A 192.0.2.1"),
        [
            "IN.example. 60 IN A 192.0.2.1",
            "A.example. 60 IN A 192.0.2.1",
            "300.example. 60 IN A 192.0.2.1",
            "\\$TTL.example. 60 IN A 192.0.2.1"
        ]
    );
}

#[test]
fn a_line_that_starts_with_a_blank_has_the_last_owner() {
    assert_eq!(
        records("a A 192.0.2.1\n\tA 192.0.2.2\n\n ; no record\n ( A 192.0.2.3 )"),
        ["a.example. 60 IN A 192.0.2.1", "a.example. 60 IN A 192.0.2.2", "a.example. 60 IN A 192.0.2.3"]
    );
    assert_eq!(error(" A 192.0.2.1\n A 192.0.2.2"), (1, 2, ErrorKind::NoOwner));
    // The second line is not reported: its owner is only unknown because the first is broken.
    assert_eq!(error("a..b A 192.0.2.1\n A 192.0.2.2").0, 1);
}

#[test]
fn a_ttl_comes_from_the_record_then_from_the_default_then_from_the_record_before() {
    let soa = "@ SOA ns h 1 2 3 4 55\n";
    let options = Options { default_ttl: None, ..options() };
    let ttls = |text: &str| match read(text.as_bytes(), &options) {
        Ok(records) => Ok(records.iter().map(|(record, _)| record.ttl).collect::<Vec<_>>()),
        Err(errors) => Err(errors.into_iter().map(|error| (error.line, error.kind)).collect::<Vec<_>>()),
    };
    assert_eq!(
        ttls("a 5 A 192.0.2.1\nb A 192.0.2.1\n$TTL 9\nc A 192.0.2.1\nd 7 A 192.0.2.1\ne A 192.0.2.1"),
        Ok(vec![5, 5, 9, 7, 9])
    );
    assert_eq!(ttls(&format!("{soa}a A 192.0.2.1\nb 5 A 192.0.2.1\nc A 192.0.2.1")), Ok(vec![55, 55, 5, 55]));
    assert_eq!(ttls("@ 7 SOA ns h 1 2 3 4 55\na A 192.0.2.1"), Ok(vec![7, 7]));
    assert_eq!(ttls("a A 192.0.2.1\nb A 192.0.2.1"), Err(vec![(1, ErrorKind::NoTtl)]));
    assert_eq!(ttls("$TTL 1x\na A 192.0.2.1"), Err(vec![(1, ErrorKind::BadTtl)]));
    assert_eq!(ttls("a 1x A 192.0.2.1\nb A 192.0.2.1"), Err(vec![(1, ErrorKind::BadTtl)]));
}

#[test]
fn a_ttl_ends_at_2147483647() {
    assert_eq!(records("a 2147483647 A 192.0.2.1"), ["a.example. 2147483647 IN A 192.0.2.1"]);
    assert_eq!(error("a 2147483648 A 192.0.2.1"), (1, 3, ErrorKind::TtlTooLarge));
    assert_eq!(error("$TTL 2147483648\na A 192.0.2.1"), (1, 6, ErrorKind::TtlTooLarge));
}

#[test]
fn an_origin_completes_names_until_the_next_one() {
    assert_eq!(
        records("a NS b\n$ORIGIN sub\na NS @\n$origin org.\n@ NS a.b."),
        ["a.example. 60 IN NS b.example.", "a.sub.example. 60 IN NS sub.example.", "org. 60 IN NS a.b."]
    );
    assert_eq!(error("$ORIGIN a..b"), (1, 11, ErrorKind::Name(nss_wire::NameError::EmptyLabel)));
    assert_eq!(error("$ORIGIN"), (1, 8, ErrorKind::MissingArgument { directive: "$ORIGIN", argument: "a name" }));
    assert_eq!(error("$ORIGIN a b"), (1, 11, ErrorKind::ExtraArgument { directive: "$ORIGIN" }));
    let none = Options { origin: None, ..options() };
    let kinds =
        |text: &str| read(text.as_bytes(), &none).unwrap_err().into_iter().map(|it| it.kind).collect::<Vec<_>>();
    assert_eq!(kinds("a A 192.0.2.1\nb A 192.0.2.1"), [ErrorKind::NoOrigin]);
    assert!(read(b"$ORIGIN example.\na A 192.0.2.1", &none).is_ok());
}

#[test]
fn directives_start_a_line_and_nothing_else_starts_with_a_dollar_sign() {
    assert_eq!(error("$FOO x"), (1, 1, ErrorKind::UnknownDirective));
    assert_eq!(error("a A 192.0.2.1\n $TTL 5"), (2, 2, ErrorKind::UnknownType));
}

#[test]
fn an_include_is_refused_unless_the_caller_supplies_the_text() {
    assert_eq!(error("$INCLUDE /etc/passwd"), (1, 10, ErrorKind::IncludeRefused));
    let options = options();
    let reader = Reader::new(b"$INCLUDE a", &options).with_includes(|_| Err("no such file".into()));
    assert_eq!(everything(reader).1, ["line 1, column 10: cannot include: no such file, found \"a\""]);
}

#[test]
fn origin_and_owner_hold_again_behind_an_include_but_a_ttl_goes_on() {
    let options = options();
    let reader = Reader::new(b"z TXT 1\n$INCLUDE \"a b\" sub\n TXT 2\nw TXT 3", &options).with_includes(|inclusion| {
        assert_eq!(inclusion.path, "a b");
        Ok(Cow::Borrowed(b" TXT 4\nx TXT 5\n$ORIGIN deep.\n$TTL 7\ny TXT 6 ;"))
    });
    let (records, errors) = everything(reader);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(
        records,
        [
            "z.example. 60 IN TXT \"1\"",
            "z.example. 60 IN TXT \"4\"",
            "x.sub.example. 60 IN TXT \"5\"",
            "y.deep. 7 IN TXT \"6\"",
            "z.example. 7 IN TXT \"2\"",
            "w.example. 7 IN TXT \"3\"",
        ]
    );
}

#[test]
fn a_mistake_in_an_included_text_names_it() {
    let options = options();
    let reader =
        Reader::new(b"a TXT 1\n$INCLUDE f\nb B", &options).with_includes(|_| Ok(Cow::Borrowed(b"c TXT 1\n\nd D")));
    assert_eq!(
        everything(reader).1,
        [
            "f, line 3, column 3: expected a TTL, a class or a type, found \"D\"",
            "line 3, column 3: expected a TTL, a class or a type, found \"B\""
        ]
    );
}

#[test]
fn includes_end_at_their_depth_and_at_their_number() {
    let limits = Limits { include_depth_max: 2, includes_max: 3, ..Limits::default() };
    let options = Options { limits, ..options() };
    let kinds = |text: &str, supply: fn(&str) -> &'static [u8]| {
        let mut kinds = Vec::new();
        let mut reader = Reader::new(text.as_bytes(), &options).with_includes(|it| Ok(Cow::Borrowed(supply(it.path))));
        while let Some(result) = reader.next() {
            kinds.extend(result.err().map(|error| error.kind));
        }
        kinds
    };
    let chain: fn(&str) -> &'static [u8] = |path| match path {
        "1" => b"$INCLUDE 2",
        "2" => b"$INCLUDE 3",
        _ => b"",
    };
    assert_eq!(kinds("$INCLUDE 2", chain), []);
    assert_eq!(kinds("$INCLUDE 1", chain), [ErrorKind::IncludeDepth { depth_max: 2 }]);
    assert_eq!(kinds("$INCLUDE x\n$INCLUDE x\n$INCLUDE x", |_| b""), []);
    let too_many = ErrorKind::IncludeCount { includes_max: 3 };
    assert_eq!(kinds("$INCLUDE x\n$INCLUDE x\n$INCLUDE x\n$INCLUDE x", |_| b""), [too_many]);
}

#[test]
fn generate_gives_a_record_for_each_number() {
    assert_eq!(
        records("$GENERATE 1-5/2 h$ 5 IN A 192.0.2.$"),
        ["h1.example. 5 IN A 192.0.2.1", "h3.example. 5 IN A 192.0.2.3", "h5.example. 5 IN A 192.0.2.5"]
    );
    assert_eq!(
        records("$GENERATE 1-2 h MX \"1$ mail$\"\n$GENERATE 3-3 h MX 1 ( mail$ )"),
        [
            "h.example. 60 IN MX 11 mail1.example.",
            "h.example. 60 IN MX 12 mail2.example.",
            "h.example. 60 IN MX 1 mail3.example."
        ]
    );
    assert_eq!(records("$GENERATE 9-9 \\$$ TXT \"\\\"$ $\\\" \\$\""), ["\\$9.example. 60 IN TXT \"9 9\" \"$\""]);
}

#[test]
fn the_owner_above_generate_holds_again_behind_it_and_its_ttl_goes_on() {
    assert_eq!(
        records("a 5 A 192.0.2.1\n$GENERATE 1-2 h$ 6 A 192.0.2.$\n  A 192.0.2.9"),
        [
            "a.example. 5 IN A 192.0.2.1",
            "h1.example. 6 IN A 192.0.2.1",
            "h2.example. 6 IN A 192.0.2.2",
            "a.example. 60 IN A 192.0.2.9"
        ]
    );
    let text = "@ 5 SOA a b 1 2 3 4 5\n$GENERATE 1-1 h$ 6 A 192.0.2.$\n  NS a";
    let read = read(text.as_bytes(), &Options { default_ttl: None, ..options() }).unwrap();
    assert_eq!(read[2].0.to_string(), "example. 6 IN NS a.example.");
    // Also behind one that ends in a mistake, and where there is none above it.
    let (records, mistakes) =
        everything(Reader::new(b"a 5 A 192.0.2.1\n$GENERATE 5-6 h$ A 192.0.2.25$\n 5 A 192.0.2.9", &options()));
    assert_eq!(records[records.len() - 1], "a.example. 5 IN A 192.0.2.9");
    assert_eq!(mistakes.len(), 1);
    assert_eq!(error("$GENERATE 1-2 h$ A 192.0.2.$\n A 192.0.2.9"), (2, 2, ErrorKind::NoOwner));
}

#[test]
fn a_mistake_in_generate_is_told_once() {
    assert_eq!(error("$GENERATE 2-1 h$ A 192.0.2.$").2, ErrorKind::GenerateRange);
    assert_eq!(error("$GENERATE 1-2 h${x} A 192.0.2.$"), (1, 16, ErrorKind::GenerateModifier));
    assert_eq!(
        error("$GENERATE 1-2 h$ A").2,
        ErrorKind::MissingArgument { directive: "$GENERATE", argument: "data such as 192.0.2.$" }
    );
    assert_eq!(
        errors("$GENERATE 254-300 h$ A 192.0.2.$\na B"),
        [
            "line 1, column 24: $GENERATE, value 256: A address: expected an IPv4 address such as 192.0.2.1, \
             found \"192.0.2.$\"",
            "line 2, column 3: expected a TTL, a class or a type, found \"B\""
        ]
    );
}

#[test]
fn all_generate_entries_together_end_at_the_limit() {
    let limits = Limits { generated_records_max: 3, ..Limits::default() };
    let options = Options { limits, ..options() };
    let count =
        |text: &str| read(text.as_bytes(), &options).map(|records| records.len()).map_err(|it| it[0].kind.clone());
    assert_eq!(count("$GENERATE 1-2 h$ A 192.0.2.$\n$GENERATE 3-3 h$ A 192.0.2.$"), Ok(3));
    let too_many = ErrorKind::GenerateCount { records_max: 3 };
    assert_eq!(count("$GENERATE 1-2 h$ A 192.0.2.$\n$GENERATE 3-4 h$ A 192.0.2.$"), Err(too_many.clone()));
    assert_eq!(count("$GENERATE 0-2147483647 h$ A 192.0.2.$"), Err(too_many.clone()));

    // Two long ones count four times.
    let long = format!("$GENERATE 1-2 h$ TXT {}", "\"0123456789\" ".repeat(100));
    assert_eq!(count(&long), Err(too_many));
    let error = read(long.as_bytes(), &options).unwrap_err().remove(0);
    assert_eq!(
        error.message(),
        "the records of all $GENERATE entries up to here count more than 3, each once, and once more for every 1024 octets \
         of its text"
    );
    assert!(error.diagnostic().help.is_some_and(|help| help.contains("narrow the range")));
}

#[test]
fn all_mistakes_are_told_each_where_it_stands() {
    let text = "\
@ SOA ns h ( 1 2
  3 four 5 )
a  A 192.0.2.256
\tMX ten mail
b TXT \"open
c ) A 192.0.2.1
d A 192.0.2.1 192.0.2.2
e BOGUS x
f A
g MX 10 a..b
h ANY x
é A \u{1}
i TXT (";
    assert_eq!(
        errors(text),
        [
            "line 2, column 5: SOA expire: expected seconds such as 3600, or a period such as 1h30m, found \"four\"",
            "line 3, column 6: A address: expected an IPv4 address such as 192.0.2.1, found \"192.0.2.256\"",
            "line 4, column 5: MX preference: expected a number from 0 to 65535, found \"ten\"",
            "line 5, column 7: the quote that opens here is not closed on this line",
            "line 6, column 3: this parenthesis closes, but none was opened",
            "line 7, column 15: A data should end here, found \"192.0.2.2\"",
            "line 8, column 3: expected a TTL, a class or a type, found \"BOGUS\"",
            "line 9, column 4: A data ends before the address",
            "line 10, column 11: MX exchange: the name has an empty label: two dots in a row, or a dot at the start, found \".b\"",
            "line 11, column 3: ANY only stands in questions or messages, not in zones (RFC 6895 §3.1)",
            "line 12, column 5: a control character, decimal 1",
            "line 13, column 7: the parenthesis that opens here is never closed",
        ]
    );
}

#[test]
fn errors_are_told_up_to_the_limit_and_then_counted() {
    let limits = Limits { errors_max: 2, ..Limits::default() };
    let options = Options { limits, ..options() };
    let told = |lines: usize| everything(Reader::new("a B\n".repeat(lines).as_bytes(), &options)).1;
    assert_eq!(told(2).len(), 2);
    assert_eq!(told(3)[2], "line 4, column 1: 1 more error is not shown");
    let hopeless = &told(100_000)[2];
    assert!(hopeless.ends_with("10000 more errors are not shown, and the rest of the text was not read"), "{hopeless}");
}

#[test]
fn a_text_full_of_open_parentheses_is_given_up() {
    let text = "a ( b\n".repeat(1000);
    let (_, errors) = everything(Reader::new(text.as_bytes(), &options()));
    assert!(errors.len() < 20 && errors.last().unwrap().ends_with("the rest of the text was not read"), "{errors:?}");
}

#[test]
fn byte_order_marks_are_named() {
    assert_eq!(error("\u{feff}a A 192.0.2.1"), (1, 1, ErrorKind::ByteOrderMark));
    let utf16: Vec<u8> = "\u{feff}a A 192.0.2.1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let errors = read(&utf16, &options()).unwrap_err();
    assert_eq!((errors.len(), &errors[0].kind), (1, &ErrorKind::Utf16));
}

#[test]
fn dos_line_ends_and_a_missing_last_one_are_fine() {
    assert_eq!(
        records("a TXT x\r\nb TXT (\r\ny )\r\nc TXT z"),
        ["a.example. 60 IN TXT \"x\"", "b.example. 60 IN TXT \"y\"", "c.example. 60 IN TXT \"z\""]
    );
    assert_eq!(error("a TXT x\r\n\r\nb B\r\n").0, 3);
}

#[test]
fn a_record_knows_where_it_stands() {
    let lines =
        |text: &str| read(text.as_bytes(), &options()).unwrap().iter().map(|(_, at)| at.line).collect::<Vec<_>>();
    assert_eq!(lines("a TXT x\n\n; c\nb TXT (\n y\n)\nc TXT z\n$GENERATE 1-2 d$ TXT x\ne TXT x"), [1, 4, 7, 8, 8, 9]);
}
