//! Hosting: very many small zones, each asked for as rarely as the others.

use nss_wire::RType;
use rand::RngExt;
use rand::rngs::StdRng;

use super::{Drawn, Size, ZoneText, edns, label, name};
use crate::bench::dns::pool::{Expected, Pool};

/// The tops of the names, some of them oftener than others.
const TOPS: [&str; 6] = ["com", "com", "com", "net", "org", "example"];

pub(super) fn draw(rng: &mut StdRng, size: Size) -> Drawn {
    let zones: Vec<ZoneText> = (0..size.pick(100_000, 300)).map(|index| zone(rng, index)).collect();
    let mut pool = Pool::default();
    for _ in 0..size.queries() {
        let apex = &zones[rng.random_range(0..zones.len())].name;
        let (qname, qtype, expected) = match rng.random_range(0..100) {
            0..25 => (apex.clone(), RType::A, Expected::Records(1)),
            25..50 => (format!("www.{apex}"), RType::A, Expected::Records(1)),
            50..60 => (apex.clone(), RType::AAAA, Expected::Records(1)),
            60..70 => (apex.clone(), RType::MX, Expected::Records(1)),
            70..75 => (format!("mail.{apex}"), RType::A, Expected::Records(1)),
            75..80 => (apex.clone(), RType::NS, Expected::Records(2)),
            80..90 => (format!("{}.{apex}", label(rng, 0)), RType::A, Expected::NxDomain),
            90..95 => (format!("www.{apex}"), RType::AAAA, Expected::NoData),
            _ => (format!("www.{}.invalid", label(rng, 0)), RType::A, Expected::Refused),
        };
        pool.push(name(&qname).as_name(), qtype, edns(false), expected);
    }
    let title = format!(
        "zones: {} zones of 8 records; 80 % hits, 10 % NXDOMAIN, 5 % NODATA, 5 % REFUSED, at random",
        zones.len()
    );
    Drawn { title, zones, pool }
}

fn zone(rng: &mut StdRng, index: usize) -> ZoneText {
    let (label, top) = (label(rng, index), TOPS[rng.random_range(0..TOPS.len())]);
    let (low, high) = (rng.random_range(1..255), rng.random_range(0..256));
    let text = format!(
        "$TTL 3600
@ IN SOA ns1.hoster.example. hostmaster.hoster.example. {} 7200 3600 1209600 300
@ IN NS ns1.hoster.example.
@ IN NS ns2.hoster.example.
@ IN A 198.18.{high}.{low}
@ IN AAAA 2001:db8:{high:x}::{low:x}
@ IN MX 10 mail
www IN A 198.18.{high}.{low}
mail IN A 198.19.{high}.{low}
",
        2_026_000_000 + index
    );
    ZoneText { name: format!("{label}.{top}"), text }
}
