//! A zone file of a given size, the same in every run.

use std::fmt::Write as _;

use crate::tree::NAME_SERVERS;

/// The zone file of a domain, whose serial can be changed in place.
pub(super) struct Text {
    octets: Vec<u8>,
    serial_at: usize,
}

/// Digits of a serial; as people write them, a date and a count.
const SERIAL_DIGITS: usize = 10;

impl Text {
    /// A zone with what small companies have, and hosts with addresses and some text until it has `size` octets.
    pub(super) fn new(domain: &str, size: usize) -> Text {
        let [ns1, ns2] = NAME_SERVERS;
        let mut text = format!("$ORIGIN {domain}.\n$TTL 3600\n@ SOA {ns1}. hostmaster.{domain}. ");
        let serial_at = text.len();
        let _ = write!(
            text,
            "{:0SERIAL_DIGITS$} 7200 3600 1209600 300\n@ NS {ns1}.\n@ NS {ns2}.\n@ A 192.0.2.80\n@ MX 10 mail\n\
             mail A 192.0.2.25\n@ TXT \"v=spf1 mx -all\"\n",
            0
        );
        for host in 0.. {
            let [a, b] = [host / 250, host % 250 + 1];
            let lines = format!(
                "host{host} A 198.51.{a}.{b} ; rack {a}\nhost{host} AAAA 2001:db8:{a:x}::{b:x}\n\
                 www.host{host} CNAME host{host}\nhost{host} TXT \"owner=team{} purpose=web\"\n",
                host % 17
            );
            if text.len() + lines.len() > size {
                break;
            }
            text.push_str(&lines);
        }
        Text { octets: text.into_bytes(), serial_at }
    }

    /// The file with another serial.
    pub(super) fn with_serial(&mut self, serial: u32) -> &[u8] {
        let digits = format!("{serial:0SERIAL_DIGITS$}");
        self.octets[self.serial_at..self.serial_at + SERIAL_DIGITS].copy_from_slice(digits.as_bytes());
        &self.octets
    }
}

#[cfg(test)]
mod tests {
    use nss_wire::{NameBuf, RType};
    use nss_zonefile::{Options, read};

    use super::*;

    #[test]
    fn a_text_has_its_size_and_its_serial() {
        let mut text = Text::new("d1.com", 10_000);
        let apex: NameBuf = "d1.com".parse().unwrap();
        for serial in [7, u32::MAX] {
            let octets = text.with_serial(serial);
            assert!((9_800..=10_000).contains(&octets.len()), "{}", octets.len());
            let records = read(octets, &Options::for_zone(apex.as_name())).unwrap();
            let soa = records.iter().find(|(record, _)| record.rtype == RType::SOA).unwrap();
            let rdata = soa.0.rdata.as_slice();
            assert_eq!(rdata[rdata.len() - 20..rdata.len() - 16], serial.to_be_bytes());
            assert!(records.len() > 200, "{}", records.len());
        }
    }
}
