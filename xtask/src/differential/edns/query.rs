//! Queries that are odd in one or two ways.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::client::Transport;

/// A query of which all is free to choose.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) id: u16,
    pub(super) opcode: u8,
    /// The bits of the header's flags but QR and the opcode.
    pub(super) flags: u16,
    pub(super) has_question: bool,
    pub(super) qname: &'static str,
    pub(super) qtype: u16,
    pub(super) qclass: u16,
    pub(super) edns: Option<Edns>,
    /// Whether the first cookie of its options is one that counts.
    pub(super) has_cookie: bool,
    pub(super) transport: Transport,
}

#[derive(Clone, Debug)]
pub(super) struct Edns {
    pub(super) payload_size: u16,
    pub(super) version: u8,
    pub(super) flags: u16,
    pub(super) options: Vec<(u16, Vec<u8>)>,
}

impl Default for Edns {
    fn default() -> Edns {
        Edns { payload_size: 1232, version: 0, flags: 0, options: Vec::new() }
    }
}

impl Query {
    pub(super) fn plain() -> Query {
        Query {
            id: 0,
            opcode: 0,
            flags: 0,
            has_question: true,
            qname: "www.example.com.",
            qtype: A,
            qclass: IN,
            edns: None,
            has_cookie: false,
            transport: Transport::Udp,
        }
    }

    /// Odd in one or two ways; `cookie` is one that counts.
    pub(super) fn random(rng: &mut StdRng, id: u16, cookie: &[u8]) -> Query {
        let transport = if rng.random_bool(0.3) { Transport::Tcp } else { Transport::Udp };
        let qname = *["www.example.com.", "example.com.", "no.example.com.", "www.example.net."]
            .choose(rng)
            .expect("not empty");
        let qtype = *[A, A, TXT, SOA, ANY].choose(rng).expect("not empty");
        let mut query = Query { id, qname, qtype, transport, ..Query::plain() };
        if rng.random_bool(0.2) {
            // AA, TC, RD, RA, Z, AD, CD.
            query.flags = rng.random::<u16>() & 0x07f0;
        }
        match rng.random_range(0..40) {
            0 => query.opcode = *[1, 2, 3, 6, 7, 15].choose(rng).expect("not empty"),
            1 => {
                query.qclass = CH;
                query.qtype = *[TXT, TXT, TXT, ANY, A].choose(rng).expect("not empty");
                query.qname = *CHAOS_NAMES.choose(rng).expect("not empty");
            }
            2 => query.qclass = *[4, 2, 254, 1000].choose(rng).expect("not empty"),
            _ => {}
        }
        if rng.random_bool(0.8) {
            let count = rng.random_range(0..4);
            let mut options: Vec<(u16, Vec<u8>)> = (0..count).map(|_| option(rng, cookie)).collect();
            // What is there twice is read differently by everyone.
            options.sort();
            options.dedup_by_key(|option| option.0);
            query.has_cookie = options.iter().any(|option| *option == (COOKIE, cookie.to_vec()));
            query.edns = Some(Edns {
                payload_size: *[0, 512, 1232, 4096, 65535].choose(rng).expect("not empty"),
                version: if rng.random_bool(0.05) { rng.random_range(1..=255) } else { 0 },
                flags: if rng.random_bool(0.2) { rng.random() } else { 0 },
                options,
            });
        }
        query
    }

    pub(super) fn to_wire(&self) -> Vec<u8> {
        let mut wire = self.id.to_be_bytes().to_vec();
        wire.extend((self.flags | u16::from(self.opcode) << 11).to_be_bytes());
        wire.extend([0, u8::from(self.has_question), 0, 0, 0, 0, 0, u8::from(self.edns.is_some())]);
        if self.has_question {
            wire.extend(self.question());
        }
        if let Some(Edns { payload_size, version, flags, options }) = &self.edns {
            let options: Vec<u8> = options
                .iter()
                .flat_map(|(code, value)| {
                    [&code.to_be_bytes(), &(value.len() as u16).to_be_bytes(), &value[..]].concat()
                })
                .collect();
            wire.extend([0, 0, 41]);
            wire.extend(payload_size.to_be_bytes());
            wire.extend([0, *version]);
            wire.extend(flags.to_be_bytes());
            wire.extend((options.len() as u16).to_be_bytes());
            wire.extend(options);
        }
        wire
    }

    pub(super) fn question(&self) -> Vec<u8> {
        let labels = self.qname.trim_end_matches('.').split('.');
        let name: Vec<u8> = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
        [&name[..], &[0], &self.qtype.to_be_bytes(), &self.qclass.to_be_bytes()].concat()
    }
}

fn option(rng: &mut StdRng, cookie: &[u8]) -> (u16, Vec<u8>) {
    match rng.random_range(0..9) {
        0 => (NSID, Vec::new()),
        1 => (COOKIE, b"client!!".to_vec()),
        2 => (COOKIE, cookie.to_vec()),
        3 => (COOKIE, vec![7; rng.random_range(0..=42)]),
        4 => (KEEPALIVE, Vec::new()),
        5 => (ZONEVERSION, Vec::new()),
        6 => (PADDING, vec![0; rng.random_range(0..50)]),
        // Assigned to nobody, and for local use (RFC 6891 §9).
        7 => (rng.random_range(40..26946), vec![1; rng.random_range(0..9)]),
        _ => (rng.random_range(65001..=65534), vec![1; rng.random_range(0..9)]),
    }
}

const CHAOS_NAMES: [&str; 6] =
    ["id.server.", "hostname.bind.", "version.bind.", "version.server.", "other.bind.", "www.example.com."];

pub(super) const A: u16 = 1;
pub(super) const SOA: u16 = 6;
pub(super) const TXT: u16 = 16;
pub(super) const ANY: u16 = 255;
pub(super) const IN: u16 = 1;
pub(super) const CH: u16 = 3;

/// Bits of the header's flags (RFC 1035 §4.1.1, RFC 4035 §3.2.2).
pub(super) const AA: u16 = 0x0400;
pub(super) const CD: u16 = 0x0010;

pub(super) const NSID: u16 = 3;
pub(super) const COOKIE: u16 = 10;
pub(super) const KEEPALIVE: u16 = 11;
pub(super) const PADDING: u16 = 12;
pub(super) const EXTENDED_ERROR: u16 = 15;
pub(super) const ZONEVERSION: u16 = 19;

pub(super) const FORMERR: u16 = 1;
pub(super) const NOTIMP: u16 = 4;
pub(super) const REFUSED: u16 = 5;
pub(super) const BADVERS: u16 = 16;
pub(super) const BADCOOKIE: u16 = 23;
