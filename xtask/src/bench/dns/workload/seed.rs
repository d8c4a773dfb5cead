//! One small zone and `example.com A`, the classic of server benchmarks: next to nothing but the kernel's work.

use nss_wire::RType;

use super::{Drawn, ZoneText, name};
use crate::bench::dns::pool::{Expected, Pool};

/// Every server answers with the one address of the apex.
const ZONE: &str = "$TTL 3600
@ IN SOA ns1 hostmaster 1 7200 3600 1209600 300
@ IN NS ns1
@ IN NS ns2
@ IN A 192.0.2.1
ns1 IN A 192.0.2.53
ns2 IN A 192.0.2.54
";

const APEX: &str = "example.com";

pub(super) fn draw() -> Drawn {
    let mut pool = Pool::default();
    // Without EDNS, as dnsperf asks by default.
    pool.push(name(APEX).as_name(), RType::A, None, Expected::Records(1));
    let zones = vec![ZoneText { name: APEX.to_owned(), text: ZONE.to_owned() }];
    Drawn { title: "seed: one small zone, `example.com A`".to_owned(), zones, pool }
}
