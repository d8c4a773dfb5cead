//! The zones that are served under attack, as if each were another owner's, and what a polite client asks of them.

use std::fmt::Write as _;
use std::path::Path;

use nss_wire::{NameBuf, RType};

use crate::bench::dns::pool::{Expected, Pool};
use crate::bench::dns::workload::{Size, ZoneText, signed};
use crate::failure::{Context, Outcome};
use crate::servers::Zones;

/// The zone that the polite client asks for.
pub(super) const POLITE: &str = "polite.example";

/// A signed zone with NSEC3.
pub(super) const SIGNED: &str = "signed.example";

/// A zone whose apex has much of everything.
pub(super) const LARGE: &str = "large.example";

/// A zone of aliases, some of which lead to [`OTHER`].
pub(super) const ALIASES: &str = "tenant-a.example";

/// Another one's zone, with aliases that lead back.
pub(super) const OTHER: &str = "tenant-b.example";

/// Names that the polite client asks for.
const POLITE_NAMES: usize = 64;

/// Aliases between the first name of a chain and its address.
pub(super) const CHAIN: usize = 16;

/// Writes all zones into `folder`.
pub(super) fn write(folder: &Path, size: Size) -> Outcome<Zones> {
    let signed_zone = ZoneText { name: SIGNED.to_owned(), text: hosts(size.pick(10_000, 200)) };
    signed::write(&signed_zone, &folder.join(format!("{SIGNED}.zone")), signed::Denial::Nsec3)?;
    for (name, text) in
        [(POLITE, hosts(POLITE_NAMES)), (LARGE, large()), (ALIASES, aliases(OTHER)), (OTHER, aliases(ALIASES))]
    {
        let path = folder.join(format!("{name}.zone"));
        std::fs::write(&path, text).context(path.display())?;
    }
    let names = [POLITE, SIGNED, LARGE, ALIASES, OTHER].map(str::to_owned).to_vec();
    Ok(Zones { folder: folder.to_owned(), names })
}

/// What the polite client asks: each name has one address.
pub(super) fn polite_questions() -> Pool {
    let mut pool = Pool::default();
    for i in 0..POLITE_NAMES {
        pool.push(name(&format!("host{i}.{POLITE}")).as_name(), RType::A, None, Expected::Records(1));
    }
    pool
}

/// What a server has to answer that has loaded all zones.
pub(super) fn probes() -> Pool {
    let mut pool = Pool::default();
    for apex in [POLITE, SIGNED, LARGE, ALIASES, OTHER] {
        pool.push(name(apex).as_name(), RType::SOA, None, Expected::Records(1));
    }
    pool
}

pub(super) fn name(text: &str) -> NameBuf {
    text.parse().expect("names of these zones are short and made of letters, digits and hyphens")
}

const APEX: &str = "$TTL 3600
@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300
@ IN NS ns1
@ IN NS ns2
ns1 IN A 192.0.2.53
ns2 IN A 192.0.2.54
";

fn hosts(count: usize) -> String {
    let mut text = APEX.to_owned();
    for i in 0..count {
        let _ = writeln!(text, "host{i} IN A 198.18.{}.{}", i / 256 % 256, i % 256);
    }
    text
}

/// Some 5000 octets at the apex, as whoever wants to amplify would upload.
fn large() -> String {
    let mut text = APEX.to_owned();
    for i in 0..16 {
        let _ = writeln!(text, "@ IN A 198.18.0.{i}\n@ IN AAAA 2001:db8::{i:x}\n@ IN MX {i} mail{i}");
        let _ = writeln!(text, "@ IN TXT \"{i} {}\"", "x".repeat(200));
    }
    text
}

/// Chains of aliases within the zone, to the other one and back, and DNAME records that lead to each other.
fn aliases(other: &str) -> String {
    let mut text = APEX.to_owned();
    for i in 1..CHAIN {
        let _ = writeln!(text, "a{i} IN CNAME a{}", i + 1);
        let _ = writeln!(text, "x{i} IN CNAME x{i}.{other}.");
    }
    let _ = writeln!(text, "a{CHAIN} IN CNAME target\ntarget IN A 192.0.2.1\nx{CHAIN} IN A 192.0.2.2");
    let _ = writeln!(text, "d IN DNAME d.{other}.\ngrow IN DNAME longer.longer.longer.grow2\ngrow2 IN DNAME grow");
    text
}

#[cfg(test)]
mod tests {
    use nss_zonefile::{Options, read};

    use super::*;

    #[test]
    fn the_zones_are_zones_and_aliases_lead_to_the_other_tenant_and_back() {
        for (apex, text) in [(LARGE, large()), (ALIASES, aliases(OTHER)), (OTHER, aliases(ALIASES))] {
            let apex = name(apex);
            assert!(read(text.as_bytes(), &Options::for_zone(apex.as_name())).unwrap().len() > 30);
        }
        assert!(aliases(OTHER).contains("x1 IN CNAME x1.tenant-b.example."));
        assert!(aliases(ALIASES).contains("d IN DNAME d.tenant-a.example."));
        assert_eq!((polite_questions().len(), probes().len()), (64, 5));
    }
}
