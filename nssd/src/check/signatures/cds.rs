//! The records by which a zone tells its parent what DS records it wants (RFC 7344): they have to be of its keys.

use aws_lc_rs::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384};
use nss_authority::{RRset, Zone};
use nss_wire::RType;

use super::super::rules;
use super::{Fault, Faults, dnskeys};

/// Notes CDS or CDNSKEY records none of which is of a DNSKEY record: the parent would cut the zone off, or ignore them.
pub(super) fn check(zone: &Zone, faults: &mut Faults) {
    let is_digest = |cds: &[u8]| dnskeys(zone).take(RECORDS_MAX).any(|key| is_digest(zone, cds, key));
    let is_key = |cdnskey: &[u8]| dnskeys(zone).any(|key| key == cdnskey);
    for (rtype, algorithm_at) in [(RType::CDS, 2), (RType::CDNSKEY, 3)] {
        let rdatas = zone.rrset(zone.apex(), rtype).into_iter().flat_map(RRset::rdatas).take(RECORDS_MAX);
        // Algorithm 0 asks for no DS records at all (RFC 8078 §4).
        let mut wanted = rdatas.filter(|rdata| rdata.get(algorithm_at) != Some(&0)).peekable();
        let is_of_key = |rdata: &[u8]| if rtype == RType::CDS { is_digest(rdata) } else { is_key(rdata) };
        if wanted.peek().is_some() && !wanted.any(is_of_key) {
            let message = format!("none of the {rtype} records is of a DNSKEY record of the zone");
            let help = "make them anew from the keys that the zone has";
            faults.push(Fault::new(&rules::CDS_OF_NO_KEY, zone.apex(), rtype, message, help));
        }
    }
}

/// Whether a CDS record has the digest of a key (RFC 4034 §5.1.4); of a kind of digest that is not known it may be.
fn is_digest(zone: &Zone, cds: &[u8], key: &[u8]) -> bool {
    let &[_, _, algorithm, kind, ref digest @ ..] = cds else { return false };
    let kind: &'static Algorithm = match kind {
        1 => &SHA1_FOR_LEGACY_USE_ONLY,
        2 => &SHA256,
        4 => &SHA384,
        _ => return true,
    };
    let mut context = Context::new(kind);
    context.update(zone.apex().to_lowercase().as_name().as_wire());
    context.update(key);
    key.get(3) == Some(&algorithm) && context.finish().as_ref() == digest
}

/// Records of each type that are compared with each other: far more than there are, and few enough for each with each.
const RECORDS_MAX: usize = 32;
