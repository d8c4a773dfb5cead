//! Builds a zone of three records and answers a query from it: `cargo run -p nss-authority --example answer`.

use std::sync::Arc;

use nss_authority::{Catalog, HashSeed, Outcome, Peer, Policy, Transport};
use nss_wire::{Class, NameBuf, RType, Record};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let apex: NameBuf = "example.".parse()?;
    let server: NameBuf = "ns.example.".parse()?;
    let name = server.as_name().as_wire();
    let numbers = [1_u32, 3600, 900, 604_800, 300].map(u32::to_be_bytes).concat();
    let soa = [name, name, &numbers].concat();

    // A real server takes 64 random bits for the seed.
    let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
    let mut builder = catalog.zone_builder(apex.as_name(), Class::IN);
    let record = |owner, rtype, rdata| Record { owner, rtype, class: Class::IN, ttl: 3600, rdata };
    builder.add(record(apex.as_name(), RType::SOA, &soa), 1);
    builder.add(record(apex.as_name(), RType::NS, name), 2);
    builder.add(record(server.as_name(), RType::A, &[192, 0, 2, 1]), 3);
    let (zone, findings) = builder.build().map_err(|findings| format!("{findings:?}"))?;
    println!("{zone:?}, {} warnings", findings.len());
    catalog.publish(zone);

    let question = [name, &[0, 1, 0, 1]].concat();
    let query = [&[0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &question].concat();
    let peer = Peer { transport: Transport::Udp, address: [192, 0, 2, 53].into() };
    let mut answer = [0; 1232];
    if let Outcome::Reply(reply) = catalog.view().respond(&query, &peer, &Policy::default(), &mut answer) {
        println!("{} in {} octets: {:02x?}", reply.rcode, reply.len, &answer[..reply.len]);
    }
    Ok(())
}
