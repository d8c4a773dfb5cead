//! A registry: one huge zone that delegates everything below it.

use std::fmt::Write as _;

use nss_wire::RType;
use rand::RngExt;
use rand::rngs::StdRng;

use super::{Drawn, Size, ZoneText, edns, label, name};
use crate::bench::dns::pool::{Expected, Pool};

const APEX: &str = "registry";

/// Hosters that serve the delegations without servers of their own.
const HOSTERS: usize = 5_000;

pub(super) fn draw(rng: &mut StdRng, size: Size) -> Drawn {
    let count = size.pick(1_000_000, 2_000);
    let mut text = "$TTL 3600
@ IN SOA a.nic hostmaster.nic 1 1800 900 604800 900
@ IN NS a.nic
@ IN NS b.nic
a.nic IN A 192.0.2.53
b.nic IN A 192.0.2.54
"
    .to_owned();
    let (mut names, mut secure) = (Vec::with_capacity(count), Vec::new());
    for index in 0..count {
        let label = label(rng, index);
        delegation(rng, &mut text, &label);
        if rng.random_bool(0.1) {
            let _ = write!(text, "{label} IN DS {} 13 2 ", rng.random::<u16>());
            for _ in 0..4 {
                let _ = write!(text, "{:016x}", rng.random::<u64>());
            }
            text.push('\n');
            secure.push(index);
        }
        names.push(label);
    }
    let mut pool = Pool::default();
    for _ in 0..size.queries() {
        let child = &names[rng.random_range(0..names.len())];
        let (qname, qtype, expected) = match rng.random_range(0..100) {
            0..50 => (format!("www.{child}.{APEX}"), RType::A, Expected::Referral),
            50..65 => (format!("{child}.{APEX}"), RType::A, Expected::Referral),
            65..75 => {
                let child = &names[secure[rng.random_range(0..secure.len())]];
                (format!("{child}.{APEX}"), RType::DS, Expected::Records(1))
            }
            // No index is that high.
            75..95 => (format!("{}.{APEX}", label(rng, count)), RType::A, Expected::NxDomain),
            95..98 => (APEX.to_owned(), RType::NS, Expected::Records(2)),
            _ => (APEX.to_owned(), RType::SOA, Expected::Records(1)),
        };
        pool.push(name(&qname).as_name(), qtype, edns(false), expected);
    }
    let title = format!(
        "delegations: one zone, {count} delegations; 50 % below a cut, 15 % at it, 10 % DS, 20 % NXDOMAIN, 5 % apex"
    );
    Drawn { title, zones: vec![ZoneText { name: APEX.to_owned(), text }], pool }
}

/// Two servers: its own one with glue beside a hoster's, or two of a hoster.
fn delegation(rng: &mut StdRng, text: &mut String, label: &str) {
    let hoster = rng.random_range(0..HOSTERS);
    let _ = if rng.random_bool(0.3) {
        let (low, high) = (rng.random_range(1..255), rng.random_range(0..256));
        let _ = write!(
            text,
            "{label} IN NS ns1.{label}\n{label} IN NS ns1.hoster{hoster}.example.\nns1.{label} IN A 198.18.{high}.{low}\n"
        );
        match rng.random_bool(0.25) {
            true => writeln!(text, "ns1.{label} IN AAAA 2001:db8:{high:x}::{low:x}"),
            false => Ok(()),
        }
    } else {
        write!(text, "{label} IN NS ns1.hoster{hoster}.example.\n{label} IN NS ns2.hoster{hoster}.example.\n")
    };
}
