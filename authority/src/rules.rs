//! The rules of zones: Z0300 to Z0339 for what no server should serve, Z0340 to Z0399 for what is served with a warning.
//!
//! `docs/diagnostics.md` explains each, with a wrong and a right example.

nss_wire::rules! {
    NO_SOA = 300 "no-soa", Error, "RFC 1035 §5.2", "no SOA record at the apex";
    SEVERAL_SOAS = 301 "several-soas", Error, "RFC 1035 §5.2", "a second SOA record";
    SOA_BELOW_APEX = 302 "soa-below-apex", Error, "RFC 1034 §4.2.1", "a SOA record below the apex";
    NO_NS = 303 "no-ns", Error, "RFC 1034 §4.2.1", "no NS records at the apex";
    OUTSIDE_ZONE = 304 "outside-zone", Error, "RFC 1035 §5.2", "a name that is not in the zone";
    CLASS_MISMATCH = 305 "class-mismatch", Error, "RFC 1035 §5.2", "a record of another class than the zone";
    META_TYPE = 306 "meta-type-in-zone", Error, "RFC 6895 §3.1", "a record of a type for messages";
    MALFORMED_RDATA = 307 "malformed-rdata", Error, "RFC 1035 §3.2.1", "octets that are no data of their type";
    CNAME_AND_OTHER = 308 "cname-and-other", Error, "RFC 2181 §10.1, RFC 4035 §2.5", "a CNAME record beside other data";
    SEVERAL_CNAMES = 309 "several-cnames", Error, "RFC 2181 §10.1", "a second CNAME record";
    SEVERAL_DNAMES = 310 "several-dnames", Error, "RFC 6672 §2.4", "a second DNAME record";
    DNAME_AND_NS = 311 "dname-and-ns", Error, "RFC 6672 §2.3", "a DNAME record at a zone cut";
    DATA_BELOW_DNAME = 312 "data-below-dname", Error, "RFC 6672 §2.4", "a record below a DNAME record";
    RRSET_TOO_LARGE = 313 "rrset-too-large", Error, "RFC 1035 §4.2.2", "records that fit into no message";
    TOO_MANY_RECORDS = 314 "too-many-records", Error, "a limit of this server", "more records than the limit";
    ZONE_TOO_LARGE = 315 "zone-too-large", Error, "a limit of this server", "more octets than the limit";
    CNAME_AT_APEX = 316 "cname-at-apex", Error, "RFC 1912 §2.4, RFC 2181 §10.1", "a CNAME record at the apex";
    NSEC3_ITERATIONS = 317 "nsec3-iterations", Error, "RFC 9276 §3.1", "NSEC3 with more iterations than the limit";
    TOO_MANY_TYPES = 318 "too-many-types", Error, "a limit of this server", "more types at one name than the limit";
    NSEC3_WORK = 319 "nsec3-work", Error, "RFC 9276 §3.1", "NSEC3 with more iterations than the limit for so many names";
    DEEP_NAMES = 320 "deep-names", Error, "a limit of this server", "names of so many labels that most of the zone is empty non-terminals";

    DUPLICATE = 340 "duplicate", Warning, "RFC 2181 §5", "one record twice";
    TTLS_DIFFER = 341 "ttls-differ", Warning, "RFC 2181 §5.2", "different TTLs in one RRset";
    TTL_OUT_OF_RANGE = 342 "ttl-out-of-range", Warning, "RFC 2181 §8", "a TTL over 2147483647";
    MISSING_GLUE = 343 "missing-glue", Warning, "RFC 1034 §4.2.1, RFC 9471 §2.1", "a delegation without the address it needs";
    MISSING_ADDRESS = 344 "missing-address", Warning, "RFC 1912 §2.4", "a target in the zone without an address";
    TARGET_IS_CNAME = 345 "target-is-cname", Warning, "RFC 2181 §10.3", "a target that is a CNAME";
    DS_WITHOUT_NS = 346 "ds-without-ns", Warning, "RFC 4035 §2.4", "a DS record without a delegation";
    DS_AT_APEX = 347 "ds-at-apex", Warning, "RFC 4035 §2.4", "a DS record at the apex";
    BELONGS_TO_CHILD = 348 "belongs-to-child", Warning, "RFC 1034 §4.2.1", "a record of the child at a zone cut";
    BELOW_CUT = 349 "below-cut", Warning, "RFC 1034 §4.2.1", "a record below a zone cut";
    WILDCARD_NS = 350 "wildcard-ns", Warning, "RFC 4592 §4.2", "NS records at a wildcard";
    WILDCARD_DNAME = 351 "wildcard-dname", Warning, "RFC 4592 §4.4", "a DNAME record at a wildcard";
    LONG_NEGATIVE_TTL = 352 "long-negative-ttl", Warning, "RFC 2308 §5", "negative answers that are cached for long";
    SHADOWED_WILDCARD = 353 "shadowed-wildcard", Warning, "RFC 4592 §2.2.2", "a name that a wildcard does not cover";
}
