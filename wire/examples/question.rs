//! Writes a query, sends it to itself, and reads it: `cargo run -p nss-wire --example question www.example.com AAAA`.

use std::error::Error;

use nss_wire::message::{Compressor, EdnsFlags, Flags, Question, Reader, Writer};
use nss_wire::{Class, NameBuf, RType};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let qname: NameBuf = arguments.next().as_deref().unwrap_or("www.example.com").parse()?;
    let qtype: RType = arguments.next().as_deref().unwrap_or("A").parse()?;

    let (mut buffer, mut compressor) = ([0; 512], Compressor::new());
    let mut writer = Writer::new(&mut buffer, 512, &mut compressor)?;
    writer.id = 4711;
    writer.flags = Flags::RD;
    writer.question(Question { qname: qname.as_name(), qtype, qclass: Class::IN })?;
    writer.opt(1232, EdnsFlags::DO, &[])?;
    let size = writer.finish();

    let mut reader = Reader::new(&buffer[..size])?;
    println!("{size} octets, {:?}", reader.header().flags);
    while let Some(question) = reader.question()? {
        println!("{} {} {}", question.qname, question.qclass, question.qtype);
    }
    if let Some(edns) = reader.edns()? {
        println!("EDNS version {}, UDP payload up to {} octets", edns.version, edns.udp_payload_size);
    }
    Ok(())
}
