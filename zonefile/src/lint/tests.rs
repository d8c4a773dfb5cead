use super::*;
use crate::{Options, Reader};

/// The names of the rules that a text of the zone example.com breaks, with what is marked.
fn lints(text: &str) -> Vec<(&'static str, String)> {
    let apex: NameBuf = "example.com".parse().unwrap();
    // 2026-11-25.
    let mut linter = Linter::new(apex.as_name(), LintOptions { now: Some(1_795_564_800) });
    let mut lines = Lines::new(text.as_bytes());
    let mut reader =
        Reader::new(text.as_bytes(), &Options { default_ttl: Some(60), ..Options::for_zone(apex.as_name()) });
    while let Some(entry) = reader.next() {
        let entry = entry.unwrap_or_else(|error| panic!("{}", error.report()));
        linter.record(entry.record, entry.position, &mut lines);
    }
    linter.text(&lines);
    let found = linter.finish(records_of(text)).diagnostics.into_iter();
    found.map(|it| (it.rule.name, it.place.unwrap().marked().to_owned())).collect()
}

/// Says whether the text of the zone example.com has a record at a name.
fn records_of(text: &str) -> impl FnMut(Name<'_>, Option<RType>) -> bool {
    let apex: NameBuf = "example.com".parse().unwrap();
    let options = Options { default_ttl: Some(60), ..Options::for_zone(apex.as_name()) };
    let (mut reader, mut owners) = (Reader::new(text.as_bytes(), &options), Vec::new());
    while let Some(entry) = reader.next() {
        let record = entry.unwrap().record;
        owners.push((record.owner.to_buf(), record.rtype));
    }
    move |name, wanted| {
        let fits = |rtype| wanted.is_none_or(|wanted| wanted == rtype);
        owners.iter().any(|(owner, rtype)| owner.as_name() == name && fits(*rtype))
    }
}

/// Checks that the wrong text breaks a rule at `mark` and no other, and that the right one breaks none.
#[track_caller]
fn check(rule: &str, mark: &str, wrong: &str, right: &str) {
    let found = lints(wrong);
    assert_eq!(found.iter().map(|(rule, mark)| (*rule, mark.as_str())).collect::<Vec<_>>(), [(rule, mark)]);
    assert_eq!(lints(right), [], "{right}");
}

#[test]
fn a_full_name_without_its_final_dot_is_missed_where_nothing_stands() {
    let rule = "missing-final-dot";
    check(rule, "ns1.elk.gg", "@ NS ns1.elk.gg\n", "@ NS ns1.elk.gg.\n");
    check(rule, "mx.example.net", "@ MX 10 mx.example.net\n", "@ MX 10 mx.example.net.\n");
    check(rule, "a.example.org", "www CNAME a.example.org\n", "www CNAME a.lan\n");
    check(rule, "c.co.uk", "_x._tcp SRV 0 0 5 c.co.uk\n", "_x._tcp SRV 0 0 5 c.uk\nc.uk A 192.0.2.1\n");
    check(rule, "h.example.net", "@ SOA ns h.example.net 1 2 3 4 5\n", "@ SOA ns host 1 2 3 4 5\n");
    check(rule, "lb.eu", "www CNAME lb.eu\n* A 192.0.2.1\n", "www CNAME lb.eu.\n* A 192.0.2.1\n");
    for there in ["lb.eu A 192.0.2.1", "*.eu A 192.0.2.1", "eu NS ns.example.net."] {
        assert_eq!(lints(&format!("www CNAME lb.eu\n{there}\n")), [], "{there}");
    }
}

#[test]
fn the_zones_name_twice_is_hardly_meant() {
    let rule = "repeated-origin";
    check(rule, "www.example.com", "www.example.com A 192.0.2.1\n", "www A 192.0.2.1\n");
    check(rule, "example.com", "example.com NS ns.example.net.\n", "example.com. NS ns.example.net.\n");
    check(rule, "mail.Example.com", "@ MX 10 mail.Example.com\n", "@ MX 10 mail.Example.com.\n");
    assert_eq!(lints("www.example.com.example.com. A 192.0.2.1\n"), [], "written out it is meant");
    assert_eq!(lints("wwwexample.com A 192.0.2.1\n"), []);
}

#[test]
fn a_text_without_quotes_loses_its_blanks_and_what_is_behind_a_semicolon() {
    check("unquoted-blanks", "v=spf1 mx -all", "@ TXT v=spf1 mx -all\n", "@ TXT \"v=spf1 mx -all\"\n");
    assert_eq!(lints("@ TXT a \"b\"\n@ TXT ( abc\n def )\n@ TXT \\# 3 02 4141\n"), []);
    let (wrong, right) = ("_dmarc TXT v=DMARC1; p=none\n", "_dmarc TXT \"v=DMARC1; p=none\"\n");
    check("unquoted-semicolon", "v=DMARC1", wrong, right);
    assert_eq!(lints("_dmarc TXT v=DMARC1 ; a comment\n"), []);
}

#[test]
fn typographic_characters_are_found_outside_quotes_and_comments() {
    check("typographic-character", "\u{a0}", "a\u{a0}b A 192.0.2.1\n", "a-b A 192.0.2.1 ; \u{201c}c\u{201d}\n");
    check("typographic-character", "\u{201c}", "a TXT \u{201c}x\u{201d}\n", "a TXT \"\u{201c}x\u{201d}\"\n");
}

#[test]
fn a_class_or_ttl_as_owner_has_lost_its_blank() {
    check("class-as-owner", "IN", "IN NS ns.example.net.\n", "@ IN NS ns.example.net.\n");
    check("class-as-owner", "3600", "3600 IN NS ns.example.net.\n", "a 3600 IN NS ns.example.net.\n12 A 192.0.2.1\n");
}

#[test]
fn line_ends_of_two_kinds_are_told_once() {
    check(
        "mixed-line-ends",
        "",
        "a A 192.0.2.1\r\nb A 192.0.2.1\nc A 192.0.2.1\n",
        "a A 192.0.2.1\r\nb A 192.0.2.1\r\n",
    );
}

#[test]
fn an_address_or_a_url_is_no_name() {
    for target in ["192.0.2.1", "192.0.2.1.", "2001:db8::1"] {
        check("address-as-name", target, &format!("@ MX 10 {target}\n"), "@ MX 10 mail\n");
    }
    assert_eq!(lints("10 PTR 1.2.3.4.example.net.\n"), []);
    check("url-as-name", "https://example.net/", "www CNAME https://example.net/\n", "www CNAME example.net.\n");
}

#[test]
fn hosts_have_no_underscores() {
    check("underscore-host", "my_pc", "my_pc A 192.0.2.1\n", "my-pc A 192.0.2.1\n_dmarc TXT x\n");
    check("underscore-host", "mail_1", "@ MX 10 mail_1\n", "a CNAME b_c\n");
}

#[test]
fn a_serial_is_a_date_that_has_come() {
    let soa = |serial: u32| format!("@ SOA ns host {serial} 2 3 4 5\n");
    check("serial-in-future", "2026112800", &soa(2_026_112_800), &soa(2_026_112_599));
    check("serial-in-future", "2027010101", &soa(2_027_010_101), &soa(2_027_990_101));
    for serial in [1, 4_294_967_295, 1_795_564_800, 20_270_101] {
        assert_eq!(lints(&soa(serial)), [], "{serial}");
    }
    assert_eq!((date(0), date(951_782_400), date(1_795_564_800)), (19_700_101, 20_000_229, 20_261_125));
}

#[test]
fn mail_records_are_what_mail_servers_heed() {
    let spf = "@ TXT \"v=spf1 mx -all\"\n";
    check(
        "several-spf",
        "\"v=spf1 a ~all\"",
        &format!("{spf}@ TXT \"v=spf1 a ~all\"\n"),
        &format!("{spf}a {}", &spf[2..]),
    );
    check("spf-type", "SPF", "@ SPF \"v=spf1 mx -all\"\n", spf);
    let right = "k._domainkey TXT \"v=DKIM1; p=MIGf\" \"MA0G\"\nr._domainkey TXT \"v=DKIM1; p=\"\n";
    check("broken-dkim-key", "\"v=DKIM1; p=MIGfM\"", "k._domainkey TXT \"v=DKIM1; p=MIGfM\"\n", right);
    check("broken-dkim-key", "\"v=DKIM1; k=rsa\"", "k._domainkey TXT \"v=DKIM1; k=rsa\"\n", right);
    check(
        "mailbox-at",
        "host@example.com.",
        "@ SOA ns host@example.com. 1 2 3 4 5\n",
        "@ SOA ns host.example.com. 1 2 3 4 5\n",
    );
}

#[test]
fn an_asterisk_is_a_wildcard_as_a_whole_first_label_only() {
    check("odd-wildcard", "www*", "www* A 192.0.2.1\n", "* A 192.0.2.1\n");
    check("odd-wildcard", "a.*", "a.* A 192.0.2.1\n", "*.a A 192.0.2.1\n");
}

#[test]
fn more_oddities_than_the_limit_are_counted() {
    let text = "a_b A 192.0.2.1\nc_d A 192.0.2.1\n".repeat(LINTS_MAX);
    let apex: NameBuf = "example.com".parse().unwrap();
    let (mut linter, mut lines) = (Linter::new(apex.as_name(), LintOptions::default()), Lines::new(text.as_bytes()));
    let mut reader =
        Reader::new(text.as_bytes(), &Options { default_ttl: Some(60), ..Options::for_zone(apex.as_name()) });
    while let Some(entry) = reader.next() {
        let entry = entry.unwrap();
        linter.record(entry.record, entry.position, &mut lines);
    }
    let lints = linter.finish(|_, _| false);
    assert_eq!((lints.diagnostics.len(), lints.left_out), (LINTS_MAX, LINTS_MAX as u64));
}

#[test]
fn hostile_texts_cost_no_more_than_their_size() {
    // Each of these would take minutes if a line were looked at for each finding in it.
    let blanks = format!("a A 192.0.2.1 ; {}\n", "\u{a0}".repeat(1_000_000));
    assert_eq!(lints(&blanks), []);
    let word = format!("a TXT {}\n", "\u{201c}\u{3002}".repeat(40));
    assert_eq!(lints(&word).len(), 2);
    let generated = format!("$GENERATE 0-65535 a_$ A 192.0.2.1 ; {}\n", "x".repeat(1_000_000));
    assert_eq!(lints(&generated), [("underscore-host", "a_$".to_owned())]);
}

#[test]
fn top_level_domains_are_known_in_any_case() {
    for label in ["de", "COM", "accountant", "xyz"] {
        assert!(is_top_level(label.as_bytes()), "{label}");
    }
    for label in ["xx", "lan", "accountants", "a-label-of-more-octets-than-any-domain"] {
        assert!(!is_top_level(label.as_bytes()), "{label}");
    }
    let longest = [COUNTRIES, GENERIC].into_iter().flat_map(str::split_ascii_whitespace).map(str::len).max();
    assert_eq!(longest, Some(TOP_LEVEL_SIZE_MAX));
}

#[test]
fn a_text_that_is_not_kept_is_missed_where_it_may_be_odd() {
    let apex: NameBuf = "example.com".parse().unwrap();
    let is_suspicious = |text: &str| {
        let (mut linter, mut lines) = (Linter::new(apex.as_name(), LintOptions::default()), Lines::of_stream());
        let options = Options { default_ttl: Some(60), ..Options::for_zone(apex.as_name()) };
        let mut reader = Reader::new(text.as_bytes(), &options);
        while let Some(entry) = reader.next() {
            let entry = entry.unwrap();
            linter.record(entry.record, entry.position, &mut lines);
        }
        lines.pass(text.as_bytes());
        lines.is_missed() || linter.has_found() || !linter.finish(|_, _| false).diagnostics.is_empty()
    };
    for text in [
        "@ NS ns1.elk.gg\n",
        "@ TXT v=spf1 mx -all\n",
        "_dmarc TXT v=DMARC1; p=none\n",
        "@ SPF \"v=spf1 -all\"\n",
        "a_b A 192.0.2.1\n",
        "www.example.com A 192.0.2.1\n",
        "a A 192.0.2.1\r\nb A 192.0.2.1\n",
        "a A 192.0.2.1 ; \u{201c}\n",
        "@ TXT \"v=spf1 mx -all\"\n@ TXT \"v=spf1 a -all\"\n",
    ] {
        assert!(is_suspicious(text), "{text}");
    }
    for text in
        ["@ TXT \"v=spf1 mx -all\"\n", "@ NS ns1.elk.gg.\nwww A 192.0.2.1\n", "@ MX 10 mail\nx TXT \"\u{e9}\"\n"]
    {
        assert!(!is_suspicious(text), "{text}");
    }
}
