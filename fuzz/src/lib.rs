//! The bodies of the fuzz targets: each takes any octets and asserts what must hold for all of them.
#![forbid(unsafe_code)]

mod config;
mod http_params;
mod model;
mod packet;
mod reply;
mod round_trip;
mod zonefile;

use nss_wire::message::Reader;
use nss_wire::{Name, NameBuf};

pub use config::config;
pub use http_params::http_params;
pub use packet::packet;
pub use reply::reply;
pub use round_trip::round_trip;
pub use zonefile::{generate, includes, stream};

/// The reader's fast path and the grammar alone give the same records and mistakes in the same order.
fn both_paths_agree(text: &[u8], options: &nss_zonefile::Options) {
    let mut both = nss_zonefile::Reader::new(text, options);
    let mut grammar = nss_zonefile::Reader::new(text, options).by_grammar_alone();
    loop {
        match (both.next(), grammar.next()) {
            (None, None) => return,
            (Some(Ok(ours)), Some(Ok(theirs))) => {
                assert_eq!((ours.record.to_buf(), ours.position), (theirs.record.to_buf(), theirs.position));
                assert_eq!(ours.record.owner.as_wire(), theirs.record.owner.as_wire());
            }
            (Some(Err(ours)), Some(Err(theirs))) => assert_eq!(ours, theirs),
            (ours, theirs) => panic!("{ours:?} on the fast path, {theirs:?} by the grammar"),
        }
    }
}

/// Any text gives records that can be written and read again, and errors within limits.
pub fn zone_text(text: &[u8]) {
    let apex: NameBuf = "example.".parse().expect("a name");
    let options = nss_zonefile::Options::for_zone(apex.as_name());
    both_paths_agree(text, &options);
    let Ok(records) = nss_zonefile::read(text, &options) else { return };
    let mut written = String::new();
    for (record, _) in &records {
        written += &format!("{record}\n");
    }
    let again = nss_zonefile::read(written.as_bytes(), &options).expect("what was written can be read");
    let is_same = |other: &[(nss_wire::RecordBuf, nss_zonefile::Position)]| {
        records.iter().map(|(record, _)| record).eq(other.iter().map(|(record, _)| record))
    };
    assert!(is_same(&again));
    // A text that is put in order keeps its records, and is in order then.
    let formatted = nss_zonefile::format(text).expect("what can be read can be put in order");
    let again = nss_zonefile::read(&formatted, &options).expect("what was put in order can be read");
    assert!(is_same(&again));
    assert_eq!(nss_zonefile::format(&formatted).as_ref(), Ok(&formatted));
}

/// Any wire form that is a name is the same name after it was text.
pub fn name(octets: &[u8]) {
    let Ok((name, rest)) = Name::from_wire(octets) else { return };
    assert_eq!(name.wire_len() + rest.len(), octets.len());
    let text = name.to_string();
    let again: NameBuf = text.parse().expect("a name that was written can be read");
    assert_eq!(again.as_name().as_wire(), name.as_wire());
    assert!(again.as_name().cmp(&name).is_eq());
}

/// Any octets can be walked over; what can be read does not depend on the way.
pub fn message(octets: &[u8]) {
    let Ok(mut reader) = Reader::new(octets) else { return };
    let _ = reader.clone().edns();
    let mut rdata = Vec::new();
    while let Ok(Some(record)) = reader.record() {
        rdata.clear();
        if record.rdata(&mut rdata).is_ok() {
            nss_wire::rdata::check(record.rtype, &rdata).expect("what was read is well-formed");
        }
    }
}

/// A target's name and body.
pub type Target = (&'static str, fn(&[u8]));

/// All targets by name.
pub const TARGETS: [Target; 11] = [
    ("config", config),
    ("generate", generate),
    ("http_params", http_params),
    ("includes", includes),
    ("message", message),
    ("name", name),
    ("packet", packet),
    ("reply", reply),
    ("round_trip", round_trip),
    ("stream", stream),
    ("zone_text", zone_text),
];
