//! The rules of zone text: Z0001 to Z0199 for what cannot be read, Z0200 to Z0299 for what can be read and is odd.
//!
//! `docs/diagnostics.md` explains each, with a wrong and a right example.

nss_wire::rules! {
    BYTE_ORDER_MARK = 1 "byte-order-mark", Error, "RFC 3629 §6", "the file starts with a byte order mark";
    UTF_16 = 2 "utf-16", Error, "", "the file is in UTF-16";
    CONTROL_CHARACTER = 3 "control-character", Error, "", "a NUL or another control character";
    UNCLOSED_QUOTE = 4 "unclosed-quote", Error, "RFC 1035 §5.1", "a quote that is not closed on its line";
    UNCLOSED_PARENTHESIS = 5 "unclosed-parenthesis", Error, "RFC 1035 §5.1", "a parenthesis that is never closed";
    UNOPENED_PARENTHESIS = 6 "unopened-parenthesis", Error, "RFC 1035 §5.1", "a parenthesis that was never opened";
    NESTED_PARENTHESIS = 7 "nested-parenthesis", Error, "RFC 1035 §5.1", "a parenthesis within parentheses";
    TRAILING_BACKSLASH = 8 "trailing-backslash", Error, "RFC 1035 §5.1", "a backslash at the end of a line";
    ENTRY_TOO_LONG = 9 "entry-too-long", Error, "", "an entry longer than the limit";
    PASTED_CHARACTER = 10 "pasted-character", Error, "RFC 1035 §5.1", "a typographic quote, dash or blank from a web page";
    NOT_UTF_8 = 11 "not-utf-8", Error, "RFC 3629 §3", "an upload that is no UTF-8";

    NO_OWNER = 20 "no-owner", Error, "RFC 1035 §5.1", "a first record that starts with a blank";
    NO_ORIGIN = 21 "no-origin", Error, "RFC 1035 §5.1", "a relative name where no origin is known";
    BAD_NAME = 22 "bad-name", Error, "RFC 1035 §2.3.4", "text that is no domain name";
    UNEXPECTED_QUOTES = 23 "unexpected-quotes", Error, "RFC 1035 §5.1", "a quoted string where a word is wanted";
    MISSING_TYPE = 24 "missing-type", Error, "RFC 1035 §5.1", "a record without a type";
    UNKNOWN_TYPE = 25 "unknown-type", Error, "RFC 3597 §5", "neither TTL, class nor type";
    META_TYPE = 26 "meta-type", Error, "RFC 6895 §3.1", "a type that stands in messages only";
    TTL_TWICE = 27 "ttl-twice", Error, "RFC 1035 §5.1", "a second TTL";
    CLASS_TWICE = 28 "class-twice", Error, "RFC 1035 §5.1", "a second class, as in IN IN";
    OTHER_CLASS = 29 "other-class", Error, "RFC 1035 §5.2", "a class that is not the zone's";
    BAD_TTL = 30 "bad-ttl", Error, "RFC 2308 §4", "text that starts as a TTL does and is none";
    TTL_TOO_LARGE = 31 "ttl-too-large", Error, "RFC 2181 §8", "a TTL over 2147483647";
    NO_TTL = 32 "no-ttl", Error, "RFC 2308 §4", "a record without TTL where there is no $TTL";
    UNEXPECTED_TOKEN = 33 "unexpected-token", Error, "RFC 1035 §5.1", "an entry that goes on as none does";
    MISSING_BLANK = 34 "missing-blank", Error, "RFC 1035 §5.1", "two fields without a blank between them";
    LOST_INDENT = 35 "lost-indent", Error, "RFC 1035 §5.1", "a type at the start of a line, where the owner stands";

    MISSING_FIELD = 40 "missing-field", Error, "", "data that ends too early";
    EXTRA_FIELD = 41 "extra-field", Error, "", "something behind the end of the data";
    BAD_NUMBER = 42 "bad-number", Error, "", "text that is no number of the range";
    BAD_ESCAPE = 43 "bad-escape", Error, "RFC 1035 §5.1", "a backslash that escapes nothing";
    STRING_TOO_LONG = 44 "string-too-long", Error, "RFC 1035 §3.3", "a character string over 255 octets";
    BAD_MNEMONIC = 45 "bad-mnemonic", Error, "", "neither a number nor a mnemonic of the registry";
    BAD_FIELD = 46 "bad-field", Error, "", "a field that is not written as its type wants it";
    IPV4_IN_AAAA = 47 "ipv4-in-aaaa", Error, "RFC 3596 §2.4", "an AAAA record with an IPv4 address";
    IPV6_IN_A = 48 "ipv6-in-a", Error, "RFC 1035 §3.4.1", "an A record with an IPv6 address";
    NAME_AS_ADDRESS = 49 "name-as-address", Error, "RFC 1035 §3.4.1", "an address record with a host name";
    BAD_ADDRESS = 50 "bad-address", Error, "RFC 1035 §3.4.1", "text that is no address";
    BAD_RDATA = 51 "bad-rdata", Error, "", "fields that do not fit each other";
    BAD_GENERIC_RDATA = 52 "bad-generic-rdata", Error, "RFC 3597 §5", "generic data that is not what its type wants";
    RDATA_TOO_LONG = 53 "rdata-too-long", Error, "RFC 1035 §3.2.1", "data of more than 65535 octets";
    GENERIC_EXPECTED = 54 "generic-expected", Error, "RFC 3597 §5", "a type without a text form of its own";
    GENERIC_LENGTH = 55 "generic-length", Error, "RFC 3597 §5", "generic data of another length than announced";

    UNKNOWN_DIRECTIVE = 60 "unknown-directive", Error, "RFC 1035 §5.1", "a word with $ that is no directive";
    MISSING_ARGUMENT = 61 "missing-argument", Error, "RFC 1035 §5.1", "a directive that ends too early";
    EXTRA_ARGUMENT = 62 "extra-argument", Error, "RFC 1035 §5.1", "something behind the end of a directive";
    INCLUDE_REFUSED = 63 "include-refused", Error, "", "$INCLUDE where it is not allowed";
    INCLUDE_FAILED = 64 "include-failed", Error, "RFC 1035 §5.1", "an included file that cannot be read";
    INCLUDE_DEPTH = 65 "include-depth", Error, "", "includes nested deeper than the limit";
    INCLUDE_COUNT = 66 "include-count", Error, "", "more includes than the limit";
    GENERATE_RANGE = 67 "generate-range", Error, "", "a $GENERATE range that is none";
    GENERATE_MODIFIER = 68 "generate-modifier", Error, "", "a ${...} in $GENERATE that is none";
    GENERATE_VALUE = 69 "generate-value", Error, "", "a $GENERATE value that cannot be written";
    GENERATE_COUNT = 70 "generate-count", Error, "", "more generated records than the limit";
    TOO_MANY_ERRORS = 99 "too-many-errors", Error, "", "more mistakes than are shown";

    MISSING_FINAL_DOT = 200 "missing-final-dot", Warning, "RFC 1035 §5.1", "a full name without its final dot";
    REPEATED_ORIGIN = 201 "repeated-origin", Warning, "RFC 1035 §5.1", "a name that ends in the zone's name twice";
    UNQUOTED_BLANKS = 202 "unquoted-blanks", Warning, "RFC 1035 §5.1", "a text with blanks and without quotes";
    UNQUOTED_SEMICOLON = 203 "unquoted-semicolon", Warning, "RFC 1035 §5.1", "a text that ends at a ; for want of quotes";
    LOST_CHARACTER = 204 "typographic-character", Warning, "RFC 1035 §5.1", "a typographic quote or blank within a word";
    LOST_OWNER = 205 "class-as-owner", Warning, "RFC 1035 §5.1", "a class or TTL where the owner stands";
    MIXED_LINE_ENDS = 206 "mixed-line-ends", Warning, "", "line ends of DOS and of Unix in one file";
    ADDRESS_AS_NAME = 207 "address-as-name", Warning, "RFC 1035 §3.3", "an address where a host name is wanted";
    UNDERSCORE_HOST = 208 "underscore-host", Warning, "RFC 1123 §2.1", "an underscore in the name of a host";
    SERIAL_IN_FUTURE = 209 "serial-in-future", Warning, "RFC 1912 §2.2", "a serial that is a date to come";
    SEVERAL_SPF = 210 "several-spf", Warning, "RFC 7208 §3.2", "two SPF records at one name";
    SPF_TYPE = 211 "spf-type", Warning, "RFC 7208 §3.1", "a record of the type SPF";
    BROKEN_DKIM_KEY = 212 "broken-dkim-key", Warning, "RFC 6376 §3.6.1", "a DKIM key that is no Base64";
    ODD_WILDCARD = 213 "odd-wildcard", Warning, "RFC 4592 §2.1.1", "an asterisk that makes no wildcard";
    URL_AS_NAME = 214 "url-as-name", Warning, "RFC 1035 §3.3", "a URL where a name is wanted";
    MAILBOX_AT = 215 "mailbox-at", Warning, "RFC 1035 §8", "an @ in the SOA record's mailbox";
}
