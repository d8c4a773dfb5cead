//! Forms of RDATA that people write and the writer does not, and mistakes in each kind of field.

use nss_wire::rdata::presentation::Hex;

use crate::{Options, read};

/// `line` without owner gives the RDATA with these hexadecimal digits; blanks in them are for the eye.
fn check(line: &str, expected: &str) {
    let text = format!("$ORIGIN example.\na 1 {line}");
    match read(text.as_bytes(), &Options::default()) {
        Ok(records) => assert_eq!(Hex(&records[0].0.rdata).to_string(), expected.replace(' ', ""), "{line}"),
        Err(errors) => panic!("{}", errors[0].report()),
    }
}

/// `line` without owner is refused with this message; the column counts from the start of `line`.
fn refused(line: &str, column: u32, message: &str) {
    let text = format!("$ORIGIN example.\na 1 {line}");
    match read(text.as_bytes(), &Options::default()) {
        Ok(records) => panic!("{line}: {}", records[0].0),
        Err(errors) => {
            assert_eq!(errors.len(), 1, "{line}");
            assert_eq!((errors[0].column - 4, errors[0].kind.to_string().as_str()), (column, message), "{line}");
        }
    }
}

/// `line` and `same` give the same RDATA.
fn same(line: &str, same: &str) {
    let rdata = |line: &str| {
        let text = format!("$ORIGIN example.\na 1 {line}");
        read(text.as_bytes(), &Options::default()).unwrap_or_else(|errors| panic!("{}", errors[0].report()))[0]
            .0
            .rdata
            .clone()
    };
    assert_eq!(rdata(line), rdata(same), "{line}");
}

#[test]
fn numbers_periods_and_mnemonics() {
    same("SOA m r 1 1h 30M 2w 0060", "SOA m.example. r.example. 1 3600 1800 1209600 60");
    same(
        "DS 1 ecdsap256sha256 sha-1 00112233445566778899aabbccddeeff00112233",
        "DS 1 13 1 00112233445566778899aabbccddeeff00112233",
    );
    same("CERT pkix 1 rsasha256 AAAA", "CERT 1 1 8 AAAA");
    // One label, and a signer of two.
    check("RRSIG A 13 1 60 3 2 1 b.c. AAAA", "0001 0d 01 0000003c 00000003 00000002 0001 01 62 01 63 00 000000");
    same(
        "RRSIG A 8 2 1h 20231114221320 1700000000 1 @ AAAA",
        "RRSIG TYPE1 8 2 3600 1700000000 20231114221320 1 example. AAAA",
    );
    same("IPN 1.2", "IPN 4294967298");
    same("DSYNC CDS notify 5300 s", "DSYNC TYPE59 1 5300 s.example.");
    refused("MX 65536 a", 4, "MX preference: expected a number from 0 to 65535");
    refused("MX \"1\" a", 4, "MX preference: a quoted string where a plain word is expected");
    refused("SOA m r 1h 2 3 4 5", 9, "SOA serial: expected a number from 0 to 4294967295");
    refused("CERT X 1 8 AAAA", 6, "CERT type: expected a certificate type as number or mnemonic");
    refused(
        "RRSIG A 8 2 1 20230229000000 0 1 @ AAAA",
        15,
        "RRSIG expiration: expected a time as in 20261231235959 (UTC), or seconds since 1970",
    );
}

#[test]
fn addresses() {
    same("AAAA 2001:DB8:0::192.0.2.1", "AAAA 2001:db8::c000:201");
    check("APL 1:192.0.2.0/24 !2:2001:db8::/32 1:0.0.0.0/0", "0001 18 03 c00002 0002 20 84 20010db8 0001 00 00");
    check("APL", "");
    same("WKS 192.0.2.1 tcp smtp FTP 25", "WKS 192.0.2.1 6 21 25");
    same("NSAP 0x47.0005.80", "NSAP 0x47000580");
    same("ATMA 47.0005.80", "ATMA 47000580");
    same("NID 1 14:4FFF:ff20:ee64", "NID 1 0014:4fff:ff20:ee64");
    check("A6 64 ::1 b", "40 0000000000000001 0162076578616d706c6500");
    check("IPSECKEY 10 0 0 .", "0a 00 00");
    check("AMTRELAY 10 1 3 b.", "0a 83 016200");
    refused("A 192.0.2.01", 3, "A address: expected an IPv4 address such as 192.0.2.1");
    refused("AAAA fe80::1%eth0", 6, "AAAA address: expected an IPv6 address such as 2001:db8::1");
    refused(
        "APL 1:192.0.2.0/24 1:192.0.2.0/33",
        20,
        "APL address prefixes: expected [!]family:address/length such as 1:192.0.2.0/24 or !2:2001:db8::/32",
    );
    refused("IPSECKEY 10 1 2 b AAAA", 17, "IPSECKEY gateway: expected an IPv4 address such as 192.0.2.1");
    refused("IPSECKEY 10 4 2 b AAAA", 17, "IPSECKEY gateway: expected a type from 0 to 3 before this field");
    refused("AMTRELAY 10 2 3 b", 13, "AMTRELAY relay: expected a number from 0 to 1");
    refused("ATMA 47.", 6, "ATMA address: expected + and the digits of a telephone number, or hexadecimal digits");
    refused("A6 64 2001:db8::1 b", 7, "A6 address: expected an address whose bits within the prefix are zero");
}

#[test]
fn strings_and_texts() {
    check("TXT a\"b\" \\065\\\"\\;", "01 61 01 62 03 41 22 3b");
    check("TXT \"\" é", "00 02 c3a9");
    same("HINFO PC UNIX", "HINFO \"PC\" \"UNIX\"");
    same("CAA 0 issue ca.example", "CAA 0 issue \"ca.example\"");
    same("URI 1 2 https://example.net/", "URI 1 2 \"https://example.net/\"");
    check("NAPTR 1 2 u x \"!(!no-end\" .", "0001 0002 01 75 01 78 09 21 28 21 6e 6f 2d 65 6e 64 00");
    check("ISDN 1", "01 31");
    refused("ISDN 1 2 3", 10, "ISDN data should end here");
    refused("TXT", 4, "TXT data ends before the text");
    refused(
        "TXT a \"b\\256\"",
        9,
        "TXT text: \"\\\" has to be followed by one character or by three digits up to 255 (RFC 1035 §5.1)",
    );
    let longest = "\\065".repeat(255);
    assert!(read(format!(". 1 TXT \"{longest}\"").as_bytes(), &Options::default()).is_ok());
    refused(&format!("TXT a {longest}x"), 7, "TXT text: the string is longer than 255 octets (RFC 1035 §3.3)");
    refused("CAA 0 is-sue x", 7, "CAA tag: expected up to 255 letters and digits such as issue");
}

#[test]
fn octets_in_pieces() {
    same("DNSKEY 257 3 13 Zm9 vYm Fy", "DNSKEY 257 3 13 Zm9vYmFy");
    same("TLSA 3 1 1 0 1 ab CD", "TLSA 3 1 1 01abcd");
    check("KEY 49152 3 5", "c000 03 05");
    check("KEY 49152 3 5 AAAA", "c000 03 05 000000");
    refused(
        "KEY 256 3 5",
        12,
        "KEY public key: there is no key, and flags below 49152 do not say so (RFC 2535 §3.1.2)",
    );
    refused(
        "KEY \\# 4 00000305",
        5,
        "KEY data: public key at octet 4 of the RDATA: there is no key, and flags below 49152 do not say so (RFC 2535 §3.1.2)",
    );
    check("DOA 0 1 2 \"\" -", "00000000 00000001 02 00");
    refused("TLSA 3 1 1 01 0", 15, "TLSA certificate association data: expected an even number of hexadecimal digits");
    refused("TLSA 3 1 1 01 0g", 16, "TLSA certificate association data: expected hexadecimal digits");
    refused("TLSA 3 1 1", 11, "TLSA data ends before the certificate association data");
    refused(
        "DNSKEY 257 3 13 Zm9v Yg=",
        22,
        "DNSKEY public key: expected Base64 that ends in a whole group of four characters",
    );
    refused(
        "DNSKEY 257 3 13 Zm*v",
        19,
        "DNSKEY public key: expected Base64: A to Z, a to z, 0 to 9, + and /, with = at the end only",
    );
    refused("NSEC3PARAM 1 0 0 abc", 18, "NSEC3PARAM salt: expected up to 510 hexadecimal digits, or - for none");
    refused("DS 1 13 2 00", 11, "DS digest: a digest of 1 octets where its algorithm gives 32");
}

#[test]
fn type_lists_in_any_order() {
    check("NSEC . TYPE1234 A mx", "00 00 02 4001 04 1b 000000000000000000000000000000000000000000000000000020");
    check("NSEC .", "00");
    same("NSEC . A A", "NSEC . A");
    check("NXT . MX A", "00 4001");
    refused("NSEC . A BOGUS", 10, "NSEC types: expected a record type such as A or TYPE65280");
    refused("NXT . A CAA", 9, "NXT types: expected a record type from 1 to 127");
}

#[test]
fn places_on_earth() {
    // RFC 1876 §4.
    check("LOC 42 21 54 N 71 06 18 W -24m 30m", "00 33 16 13 89172dd0 70be15f0 00988d20");
    same("LOC 52 N 4 E 1", "LOC 52 0 0.000 N 4 0 0.000 E 1.00m 1.00m 10000.00m 10.00m");
    same("LOC 52 14 5.5 s 4 29 w 1.5m 25m", "LOC 52 14 5.500 S 4 29 0.000 W 1.50m 20.00m 10000.00m 10.00m");
    check("LOC 90 S 180 W -100000m 0m 0 90000000.00m", "00 00 00 99 6cb02700 59604e00 00000000");
    refused("LOC 91 N 4 E 1", 5, "LOC location: expected a latitude such as 52 14 5.5 N");
    refused("LOC 90 0 0.001 N 4 E 1", 5, "LOC location: expected a latitude such as 52 14 5.5 N");
    refused("LOC 52 60 N 4 E 1", 8, "LOC location: expected a latitude such as 52 14 5.5 N");
    refused("LOC 52 1.5 N 4 E 1", 8, "LOC location: expected a latitude such as 52 14 5.5 N");
    refused("LOC 52 1 1 1 N 4 E 1", 12, "LOC location: expected a latitude such as 52 14 5.5 N");
    refused("LOC 52 N 4 N 1", 12, "LOC location: expected a longitude such as 4 29 0 E");
    refused(
        "LOC 52 N 4 E -100000.01m",
        14,
        "LOC location: expected an altitude in metres from -100000.00m to 42849672.95m",
    );
    refused(
        "LOC 52 N 4 E 1 90000000.01m",
        16,
        "LOC location: expected a size or precision in metres from 0 to 90000000.00m",
    );
    refused("LOC 52 N 4 E 1M", 14, "LOC location: expected an altitude in metres from -100000.00m to 42849672.95m");
    refused("LOC 52 N 4 E", 13, "LOC data ends before the location");
}

#[test]
fn service_parameters_as_in_rfc_9460_appendix_d() {
    check("SVCB 0 foo.example.com.", "0000 03666f6f076578616d706c6503636f6d00");
    check("SVCB 16 foo. port=53", "0010 03666f6f00 0003 0002 0035");
    check("SVCB 1 foo. key667=hello", "0001 03666f6f00 029b 0005 68656c6c6f");
    check("SVCB 1 foo. key667=\"hello\\210qoo\"", "0001 03666f6f00 029b 0009 68656c6c6fd2716f6f");
    check(
        "SVCB 1 foo. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
        "0001 03666f6f00 0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001",
    );
    check(
        "SVCB 16 foo. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1 )",
        "0010 03666f6f00 0000 0004 0001 0004 0001 0009 02 6832 05 68332d3139 0004 0004 c0000201",
    );
    let escaped = "0010 03666f6f00 0001 000c 08 665c6f6f2c626172 02 6832";
    check("SVCB 16 foo. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"", escaped);
    check("SVCB 16 foo. alpn=f\\\\\\092oo\\092,bar,h2", escaped);
}

#[test]
fn mistakes_in_service_parameters() {
    let parameters = "SVCB parameters: expected ";
    // The failure cases of RFC 9460 Appendix D.3.
    refused("SVCB 1 a key123=abc key123=def", 21, &format!("{parameters}each service parameter only once"));
    refused("SVCB 1 a key123=abc port=1 key123=def", 28, &format!("{parameters}each service parameter only once"));
    refused("SVCB 1 a mandatory", 10, &format!("{parameters}= and a value behind this key"));
    refused("SVCB 1 a port=", 15, &format!("{parameters}a number from 0 to 65535"));
    refused("SVCB 1 a no-default-alpn=abc", 10, &format!("{parameters}no value, and no = behind this key"));
    let lonely = "SVCB parameters: no-default-alpn needs alpn beside it (RFC 9460 §7.1.1)";
    refused("SVCB 1 a no-default-alpn", 10, lonely);
    assert!(read(b". 1 SVCB 1 a. no-default-alpn alpn=h2", &Options::default()).is_ok());
    for line in ["mandatory=key123", "mandatory=mandatory", "mandatory=key123,key123 key123=abc"] {
        assert!(read(format!(". 1 SVCB 1 a. {line}").as_bytes(), &Options::default()).is_err(), "{line}");
    }
    let word = "a service parameter such as alpn=h2, port=8443 or key65280=text";
    refused("SVCB 1 a bogus=1", 10, &format!("{parameters}{word}"));
    refused("SVCB 1 a key01=1", 10, &format!("{parameters}{word}"));
    refused("SVCB 1 a ALPN=h2", 10, &format!("{parameters}{word}"));
    refused("SVCB 1 a ipv4hint=192.0.2.1,192.0.2.256", 29, &format!("{parameters}IPv4 addresses parted by commas"));
    refused("SVCB 1 a ipv6hint=\"::1,x\"", 24, &format!("{parameters}IPv6 addresses parted by commas"));
    refused("SVCB 1 a alpn=h2,,h3", 15, &format!("{parameters}strings of 1 to 255 octets parted by commas"));
    refused("SVCB 1 a ech=A", 14, &format!("{parameters}Base64 in one piece"));
    refused("SVCB 1 a key9999=a\"b\"", 19, &format!("{parameters}the value either wholly in quotes or without any"));
    refused("SVCB 1 a alpn= \"h2\"", 15, &format!("{parameters}strings of 1 to 255 octets parted by commas"));
    // Behind keyNNNNN stand the octets of the wire form.
    same("SVCB 1 a key3=\\0005", "SVCB 1 a port=53");
}

#[test]
fn generic_data_is_read_for_every_type_and_checked_for_known_ones() {
    check("A \\# 4 c0000201", "c0000201");
    check("TYPE65280 \\# 3 a bc de f", "abcdef");
    check("TYPE65280 \\# 0", "");
    same("TYPE15 10 b", "MX 10 b");
    refused("TYPE65280 x", 11, "TYPE65280 has no text form of its own, its data starts with \\# (RFC 3597 §5)");
    refused("NULL", 5, "NULL has no text form of its own, its data starts with \\# (RFC 3597 §5)");
    refused("TYPE65280 \\# 2 ab", 16, "the data has 1 octets, 2 were announced (RFC 3597 §5)");
    refused("TYPE65280 \\# 1 abc", 16, "the data has 2 octets, 1 were announced (RFC 3597 §5)");
    refused("TYPE65280 \\# x", 14, "TYPE65280 generic data: expected a number from 0 to 65535");
    refused("TYPE65280 \\# 65536 00", 14, "TYPE65280 generic data: expected a number from 0 to 65535");
    refused("TYPE65280 \\# 1 0g", 17, "TYPE65280 generic data: expected hexadecimal digits");
    refused("A \\# 3 c00002", 3, "A data: address at octet 3 of the RDATA: the RDATA ends within the field");
    refused(
        "NS \\# 2 c00c",
        4,
        "NS data: name server at octet 0 of the RDATA: a label of a reserved type, or a compression pointer where none may be",
    );
    // A quoted string is no mark of generic data.
    check("TXT \"\\#\" 1 00", "01 23 01 31 02 3030");
}

#[test]
fn rdata_ends_at_65535_octets() {
    let strings = |count: usize, last: usize| {
        format!(". 1 TXT {}{}", format!("{} ", "x".repeat(255)).repeat(count), "y".repeat(last))
    };
    let size = |text: &str| read(text.as_bytes(), &Options::default()).map(|records| records[0].0.rdata.len());
    assert_eq!(size(&strings(255, 254)), Ok(65_535));
    let errors = size(&strings(255, 255)).unwrap_err();
    assert_eq!(errors[0].kind, crate::ErrorKind::RdataTooLong);
}
