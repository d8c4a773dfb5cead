//! The table of record types: one row per type with a presentation format (IANA registry "Resource Record (RR) TYPEs").
//!
//! NULL, UINFO, UID, GID and UNSPEC have no presentation format and no row: text writes them as RFC 3597 §5 says.

use super::mnemonic::{ALGORITHM, CERTIFICATE, DIGEST, SCHEME};
use super::{Field, Kind, NameRule, TypeInfo};
use crate::RType;

/// The row of a type; `None` for types that are unknown, that only stand in questions, or that have no text form of their own.
pub fn info(rtype: RType) -> Option<&'static TypeInfo> {
    let row = match rtype {
        RType::TA => ROWS.len() - 2,
        RType::DLV => ROWS.len() - 1,
        _ => usize::from(*ROW_OF.get(usize::from(rtype.0))?),
    };
    ROWS.get(row)
}

const COMPRESS: Kind = Kind::Name(NameRule::Compress);
const TOLERATE: Kind = Kind::Name(NameRule::Tolerate);
const LOWERCASE: Kind = Kind::Name(NameRule::Lowercase);
const VERBATIM: Kind = Kind::Name(NameRule::Verbatim);
const ALGORITHM_CODE: Kind = Kind::Code8(&ALGORITHM);

macro_rules! rows {
    ($($rtype:ident: $($field:literal $kind:expr),+;)*) => {
        &[$(TypeInfo { rtype: RType::$rtype, fields: &[$(Field { name: $field, kind: $kind }),+] }),*]
    };
}

/// All rows, in ascending order of type; [`info`] counts on TA and DLV, far above all others, being the last.
pub static ROWS: &[TypeInfo] = rows! {
    A: "address" Kind::Ipv4;
    NS: "name server" COMPRESS;
    MD: "mail agent" COMPRESS;
    MF: "mail agent" COMPRESS;
    CNAME: "canonical name" COMPRESS;
    SOA: "primary server" COMPRESS, "mailbox" COMPRESS, "serial" Kind::U32, "refresh" Kind::Period,
        "retry" Kind::Period, "expire" Kind::Period, "minimum" Kind::Period;
    MB: "mailbox host" COMPRESS;
    MG: "mailbox" COMPRESS;
    MR: "mailbox" COMPRESS;
    WKS: "address" Kind::Ipv4, "services" Kind::Services;
    PTR: "name" COMPRESS;
    HINFO: "CPU" Kind::String, "operating system" Kind::String;
    MINFO: "responsible mailbox" COMPRESS, "error mailbox" COMPRESS;
    MX: "preference" Kind::U16, "exchange" COMPRESS;
    TXT: "text" Kind::Strings;
    RP: "mailbox" TOLERATE, "TXT name" TOLERATE;
    AFSDB: "subtype" Kind::U16, "host" TOLERATE;
    X25: "PSDN address" Kind::String;
    ISDN: "ISDN address" Kind::String, "subaddress" Kind::OptionalString;
    RT: "preference" Kind::U16, "intermediate host" TOLERATE;
    NSAP: "address" Kind::Nsap;
    NSAP_PTR: "name" VERBATIM;
    SIG: "type covered" Kind::Type, "algorithm" ALGORITHM_CODE, "labels" Kind::U8, "original TTL" Kind::Period,
        "expiration" Kind::Time, "inception" Kind::Time, "key tag" Kind::U16, "signer's name" TOLERATE,
        "signature" Kind::Base64;
    KEY: "flags" Kind::U16, "protocol" Kind::U8, "algorithm" ALGORITHM_CODE, "public key" Kind::Base64OrNoKey;
    PX: "preference" Kind::U16, "MAP822" TOLERATE, "MAPX400" TOLERATE;
    GPOS: "longitude" Kind::String, "latitude" Kind::String, "altitude" Kind::String;
    AAAA: "address" Kind::Ipv6;
    LOC: "location" Kind::Location;
    NXT: "next name" TOLERATE, "types" Kind::NxtBitmap;
    EID: "endpoint identifier" Kind::Hex;
    NIMLOC: "Nimrod locator" Kind::Hex;
    SRV: "priority" Kind::U16, "weight" Kind::U16, "port" Kind::U16, "target" TOLERATE;
    ATMA: "address" Kind::AtmAddress;
    NAPTR: "order" Kind::U16, "preference" Kind::U16, "flags" Kind::String, "services" Kind::String,
        "regular expression" Kind::String, "replacement" TOLERATE;
    KX: "preference" Kind::U16, "exchanger" LOWERCASE;
    CERT: "type" Kind::Code16(&CERTIFICATE), "key tag" Kind::U16, "algorithm" ALGORITHM_CODE,
        "certificate" Kind::Base64;
    A6: "address" Kind::A6;
    DNAME: "target" LOWERCASE;
    SINK: "meaning" Kind::U8, "coding" Kind::U8, "subcoding" Kind::U8, "data" Kind::Base64OrNothing;
    APL: "address prefixes" Kind::AddressPrefixes;
    DS: "key tag" Kind::U16, "algorithm" ALGORITHM_CODE, "digest type" Kind::Code8(&DIGEST), "digest" Kind::Hex;
    SSHFP: "algorithm" Kind::U8, "fingerprint type" Kind::U8, "fingerprint" Kind::Hex;
    IPSECKEY: "precedence" Kind::U8, "gateway type" Kind::U8, "algorithm" Kind::U8, "gateway" Kind::Gateway,
        "public key" Kind::Base64OrNothing;
    RRSIG: "type covered" Kind::Type, "algorithm" ALGORITHM_CODE, "labels" Kind::U8, "original TTL" Kind::Period,
        "expiration" Kind::Time, "inception" Kind::Time, "key tag" Kind::U16, "signer's name" LOWERCASE,
        "signature" Kind::Base64;
    NSEC: "next name" VERBATIM, "types" Kind::TypeBitmap;
    DNSKEY: "flags" Kind::U16, "protocol" Kind::U8, "algorithm" ALGORITHM_CODE, "public key" Kind::Base64;
    DHCID: "identifier" Kind::Base64;
    NSEC3: "hash algorithm" Kind::U8, "flags" Kind::U8, "iterations" Kind::U16, "salt" Kind::Salt,
        "next hashed owner name" Kind::HashedOwner, "types" Kind::TypeBitmap;
    NSEC3PARAM: "hash algorithm" Kind::U8, "flags" Kind::U8, "iterations" Kind::U16, "salt" Kind::Salt;
    TLSA: "certificate usage" Kind::U8, "selector" Kind::U8, "matching type" Kind::U8,
        "certificate association data" Kind::Hex;
    SMIMEA: "certificate usage" Kind::U8, "selector" Kind::U8, "matching type" Kind::U8,
        "certificate association data" Kind::Hex;
    HIP: "host identity" Kind::Hip, "rendezvous servers" Kind::Names;
    NINFO: "zone status" Kind::Strings;
    RKEY: "flags" Kind::U16, "protocol" Kind::U8, "algorithm" ALGORITHM_CODE, "public key" Kind::Base64;
    TALINK: "previous name" VERBATIM, "next name" VERBATIM;
    CDS: "key tag" Kind::U16, "algorithm" ALGORITHM_CODE, "digest type" Kind::Code8(&DIGEST), "digest" Kind::Hex;
    CDNSKEY: "flags" Kind::U16, "protocol" Kind::U8, "algorithm" ALGORITHM_CODE, "public key" Kind::Base64;
    OPENPGPKEY: "public key" Kind::Base64;
    CSYNC: "serial" Kind::U32, "flags" Kind::U16, "types" Kind::TypeBitmap;
    ZONEMD: "serial" Kind::U32, "scheme" Kind::U8, "hash algorithm" Kind::U8, "digest" Kind::Hex;
    SVCB: "priority" Kind::U16, "target" VERBATIM, "parameters" Kind::SvcParams;
    HTTPS: "priority" Kind::U16, "target" VERBATIM, "parameters" Kind::SvcParams;
    DSYNC: "type" Kind::Type, "scheme" Kind::Code8(&SCHEME), "port" Kind::U16, "target" VERBATIM;
    HHIT: "host identity" Kind::Base64;
    BRID: "broadcast remote ID" Kind::Base64;
    SPF: "text" Kind::Strings;
    NID: "preference" Kind::U16, "node identifier" Kind::Ilnp64;
    L32: "preference" Kind::U16, "locator" Kind::Ipv4;
    L64: "preference" Kind::U16, "locator" Kind::Ilnp64;
    LP: "preference" Kind::U16, "name" VERBATIM;
    EUI48: "address" Kind::Eui48;
    EUI64: "address" Kind::Eui64;
    URI: "priority" Kind::U16, "weight" Kind::U16, "target" Kind::Text;
    CAA: "flags" Kind::U8, "tag" Kind::Tag, "value" Kind::Text;
    AVC: "text" Kind::Strings;
    DOA: "enterprise" Kind::U32, "type" Kind::U32, "location" Kind::U8, "media type" Kind::String,
        "data" Kind::Base64OrDash;
    AMTRELAY: "precedence" Kind::U8, "relay" Kind::Relay;
    RESINFO: "text" Kind::Strings;
    WALLET: "text" Kind::Strings;
    CLA: "text" Kind::Strings;
    IPN: "node number" Kind::NodeNumber;
    TA: "key tag" Kind::U16, "algorithm" ALGORITHM_CODE, "digest type" Kind::Code8(&DIGEST), "digest" Kind::Hex;
    DLV: "key tag" Kind::U16, "algorithm" ALGORITHM_CODE, "digest type" Kind::Code8(&DIGEST), "digest" Kind::Hex;
};

/// No type has this row number.
const NO_ROW: u8 = 0xff;

/// The row number of every type up to IPN, the last of the types in one block; computed by the compiler.
static ROW_OF: [u8; RType::IPN.0 as usize + 1] = {
    let mut row_of = [NO_ROW; RType::IPN.0 as usize + 1];
    let mut row = 0;
    while row < ROWS.len() - 2 {
        row_of[ROWS[row].rtype.0 as usize] = row as u8;
        row += 1;
    }
    row_of
};

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn each_type_finds_its_own_row_and_no_other() {
        for number in 0..=u16::MAX {
            let linear = ROWS.iter().find(|row| row.rtype == RType(number));
            assert_eq!(info(RType(number)).map(|row| row.rtype), linear.map(|row| row.rtype));
        }
        assert!(ROWS.is_sorted_by(|a, b| a.rtype < b.rtype) && ROWS.len() < usize::from(NO_ROW));
    }

    #[test]
    fn every_registered_type_is_in_the_table_unless_it_has_no_text_form() {
        for &rtype in RType::REGISTERED {
            let generic = [RType::NULL, RType::UINFO, RType::UID, RType::GID, RType::UNSPEC].contains(&rtype);
            assert_eq!(info(rtype).is_none(), generic || rtype.is_meta(), "{rtype}");
        }
    }

    /// The types with a name of which `is_so` holds.
    fn types_with_names(is_so: impl Fn(NameRule) -> bool) -> Vec<RType> {
        let has =
            |row: &&TypeInfo| row.fields.iter().any(|field| matches!(field.kind, Kind::Name(rule) if is_so(rule)));
        ROWS.iter().filter(has).map(|row| row.rtype).collect()
    }

    #[test]
    fn names_are_compressed_in_the_types_of_rfc_1035_only() {
        let types = ["NS", "MD", "MF", "CNAME", "SOA", "MB", "MG", "MR", "PTR", "MINFO", "MX"];
        assert_eq!(types_with_names(NameRule::is_compressible), types.map(|rtype| rtype.parse().unwrap()));
    }

    #[test]
    fn pointers_are_followed_in_the_types_that_rfc_3597_lists_besides() {
        let is_so = |rule: NameRule| rule.may_hold_pointer() && !rule.is_compressible();
        let types = ["RP", "AFSDB", "RT", "SIG", "PX", "NXT", "SRV", "NAPTR"];
        assert_eq!(types_with_names(is_so), types.map(|rtype| rtype.parse().unwrap()));
    }

    #[test]
    fn canonical_form_folds_the_types_that_rfc_4034_lists_but_nsec() {
        let mut types: Vec<RType> =
            "NS MD MF CNAME SOA MB MG MR PTR MINFO MX RP AFSDB RT SIG PX NXT NAPTR KX SRV DNAME RRSIG"
                .split(' ')
                .map(|rtype| rtype.parse().unwrap())
                .collect();
        types.sort();
        // A6, which is in the list too, is a kind of its own; HINFO, which is in it twice, has no name.
        assert_eq!(types_with_names(NameRule::is_lowercased), types);
    }
}
