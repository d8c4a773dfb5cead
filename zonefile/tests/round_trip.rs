//! Text to records to text to records gives the same records, for every type of the table.

use nss_wire::rdata::svcb::{SvcKey, SvcValue};
use nss_wire::rdata::table::ROWS;
use nss_wire::rdata::{self, Generic, Kind, TypeInfo};
use nss_wire::{Class, Name, NameBuf, RType, RecordBuf};
use nss_zonefile::{Options, Reader, Writer, read};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One record of each type, its RDATA made of random field values.
    #[test]
    fn every_type_is_read_as_it_is_written(seed: u64) {
        let mut random = Random(seed);
        for row in ROWS {
            let record = random.record(row);
            prop_assert_eq!(rdata::check(row.rtype, &record.rdata), Ok(()), "{} {:02x?}", row.rtype, &record.rdata);
            let line = record.to_string();
            assert_reads(&line, &record);

            // The layout is free: blanks, comments, line ends within parentheses.
            let head = line.split(' ').take(4).collect::<Vec<_>>().join(" \t ");
            let data = rdata::Presentation { rtype: row.rtype, rdata: &record.rdata }.to_string();
            assert_reads(&format!("{head} (\r\n{} ; last )\n )\n", spread(&data)), &record);

            // RFC 3597 §5: the generic form is understood for every type.
            let generic = Generic(&record.rdata);
            assert_reads(&format!("{} {} IN {} {generic}", record.owner, record.ttl, row.rtype), &record);
        }
    }

    /// Many records of one zone, owners relative and repeated.
    #[test]
    fn a_grouped_zone_is_read_as_it_is_written(seed: u64) {
        let mut random = Random(seed);
        let mut records: Vec<RecordBuf> = ROWS.iter().map(|row| random.record(row)).collect();
        for i in 1..records.len() {
            if random.below(2) == 0 {
                records[i].owner = records[i - 1].owner.clone();
            }
        }
        let origin = records[0].owner.as_name().parent().unwrap_or(Name::ROOT).to_buf();
        let mut writer = Writer::grouped(String::new(), origin.as_name()).unwrap();
        records.iter().try_for_each(|record| writer.write(record.as_record())).unwrap();
        let text = writer.into_inner();
        let again = read(text.as_bytes(), &Options::default()).unwrap();
        prop_assert_eq!(again.len(), records.len());
        for ((again, _), record) in again.iter().zip(&records) {
            assert_same(&text, again, record);
        }
    }

    /// Types without a row in the table have the generic form only.
    #[test]
    fn unknown_types_are_read_as_they_are_written(number: u16, data in prop::collection::vec(any::<u8>(), 0..300)) {
        let rtype = RType(number);
        prop_assume!(rdata::info(rtype).is_none() && !rtype.is_meta() && number != 0);
        let record = RecordBuf { owner: "a.example".parse().unwrap(), rtype, class: Class::IN, ttl: 1, rdata: data };
        assert_reads(&record.to_string(), &record);
    }
}

fn assert_reads(text: &str, expected: &RecordBuf) {
    let options = Options::default();
    let mut reader = Reader::new(text.as_bytes(), &options);
    match reader.next() {
        Some(Ok(entry)) => assert_same(text, &entry.record.to_buf(), expected),
        Some(Err(error)) => panic!("{}\n{text}", error.report()),
        None => panic!("no record in {text}"),
    }
    assert!(reader.next().is_none(), "more than one record in {text}");
}

/// As `==`, but the letter case of the owner counts.
fn assert_same(text: &str, record: &RecordBuf, expected: &RecordBuf) {
    assert_eq!(record, expected, "{text}");
    assert_eq!(record.owner.as_name().as_wire(), expected.owner.as_name().as_wire(), "{text}");
}

/// Puts each field on a line of its own.
fn spread(data: &str) -> String {
    let (mut spread, mut is_quoted, mut is_escaped) = (String::new(), false, false);
    for character in data.chars() {
        match character {
            ' ' if !is_quoted && !is_escaped => spread.push_str(" ; \"( comment\n\t"),
            _ => spread.push(character),
        }
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
    }
    spread
}

/// Random numbers (splitmix64), so that one seed gives one record of every type.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn octets(&mut self, low: usize, high: usize) -> Vec<u8> {
        let size = low + self.below(high - low + 1);
        (0..size).map(|_| self.next() as u8).collect()
    }

    fn name(&mut self) -> NameBuf {
        let mut builder = nss_wire::NameBuilder::new();
        for _ in 0..self.below(5) {
            let label = if self.below(2) == 0 { self.octets(1, 20) } else { b"Label-1"[..1 + self.below(7)].to_vec() };
            builder.push_label(&label).unwrap();
        }
        builder.finish()
    }

    fn string(&mut self, low: usize, out: &mut Vec<u8>) {
        let octets = if self.below(8) == 0 { self.octets(low, 255) } else { self.octets(low, 12) };
        out.push(octets.len() as u8);
        out.extend(octets);
    }

    fn record(&mut self, row: &TypeInfo) -> RecordBuf {
        let mut rdata = Vec::new();
        for field in row.fields {
            self.field(row.rtype, field.kind, &mut rdata);
        }
        let ttl = (self.next() as u32) >> 1;
        RecordBuf { owner: self.name(), rtype: row.rtype, class: Class::IN, ttl, rdata }
    }

    /// Appends a well-formed value of the kind.
    fn field(&mut self, rtype: RType, kind: Kind, out: &mut Vec<u8>) {
        let start = out.len();
        match kind {
            Kind::Name(_) => out.extend(self.name().as_name().as_wire()),
            Kind::Names => (0..self.below(3)).for_each(|_| out.extend(self.name().as_name().as_wire())),
            Kind::U8 | Kind::Code8(_) => out.extend(self.octets(1, 1)),
            Kind::U16 | Kind::Type | Kind::Code16(_) => out.extend(self.octets(2, 2)),
            Kind::U32 | Kind::Period | Kind::Time | Kind::Ipv4 => out.extend(self.octets(4, 4)),
            Kind::NodeNumber | Kind::Eui64 | Kind::Ilnp64 => out.extend(self.octets(8, 8)),
            Kind::Eui48 => out.extend(self.octets(6, 6)),
            Kind::Ipv6 => out.extend(self.octets(16, 16)),
            Kind::String => self.string(0, out),
            Kind::OptionalString => (0..self.below(2)).for_each(|_| self.string(0, out)),
            Kind::Strings => (0..1 + self.below(3)).for_each(|_| self.string(0, out)),
            Kind::Tag => {
                let tag = &b"issueWild0"[..1 + self.below(10)];
                out.push(tag.len() as u8);
                out.extend(tag);
            }
            Kind::Text => out.extend(self.octets(0, 300)),
            Kind::Base64 | Kind::Base64OrNoKey | Kind::Nsap => out.extend(self.octets(1, 40)),
            Kind::Base64OrNothing | Kind::Base64OrDash => out.extend(self.octets(0, 40)),
            Kind::Hex => {
                let size = match (rtype, out.as_slice()) {
                    (RType::DS | RType::CDS | RType::DLV | RType::TA, &[.., 1]) | (RType::SSHFP, &[.., 1]) => 20,
                    (RType::DS | RType::CDS | RType::DLV | RType::TA, &[.., 2 | 3]) | (RType::SSHFP, &[.., 2]) => 32,
                    (RType::DS | RType::CDS | RType::DLV | RType::TA, &[.., 4]) | (RType::ZONEMD, &[.., 1]) => 48,
                    (RType::ZONEMD, &[.., 2]) => 64,
                    _ => 12 + self.below(20),
                };
                out.extend(self.octets(size, size));
            }
            Kind::Salt => self.string(0, out),
            Kind::HashedOwner => self.string(1, out),
            Kind::TypeBitmap => {
                let mut windows: Vec<u8> = self.octets(0, 3);
                windows.sort_unstable();
                windows.dedup();
                for window in windows {
                    let mut bits = self.octets(1, 32);
                    *bits.last_mut().unwrap() |= 1;
                    out.extend([window, bits.len() as u8]);
                    out.extend(bits);
                }
            }
            Kind::NxtBitmap => {
                let mut bits = self.octets(1, 16);
                *bits.last_mut().unwrap() |= 1;
                bits[0] &= 0x7f;
                out.extend(bits);
            }
            Kind::Location => {
                out.push(0);
                for _ in 0..3 {
                    let (digit, power) = (self.below(10) as u8, self.below(10) as u8);
                    out.push(digit << 4 | if digit == 0 { 0 } else { power });
                }
                for limit in [90, 180] {
                    let distance = self.below(limit * 3_600_000 * 2 + 1) as u32;
                    out.extend((0x8000_0000 - limit as u32 * 3_600_000 + distance).to_be_bytes());
                }
                out.extend(self.octets(4, 4));
            }
            Kind::AddressPrefixes => {
                for _ in 0..self.below(4) {
                    let (family, size) = if self.below(2) == 0 { (1, 4) } else { (2, 16) };
                    let mut address = self.octets(0, size);
                    address.iter_mut().last().into_iter().for_each(|last| *last |= 1);
                    let negation = if self.below(2) == 0 { 0 } else { 0x80 };
                    out.extend([0, family, self.below(size * 8 + 1) as u8, negation | address.len() as u8]);
                    out.extend(address);
                }
            }
            Kind::Services => {
                out.push(self.next() as u8);
                let mut bits = self.octets(0, 40);
                bits.iter_mut().last().into_iter().for_each(|last| *last |= 1);
                out.extend(bits);
            }
            Kind::SvcParams => self.svc_params(out),
            Kind::AtmAddress if self.below(2) == 0 => out.extend(b"\x0131207654321"),
            Kind::AtmAddress => {
                out.push(0);
                out.extend(self.octets(1, 20));
            }
            Kind::A6 => {
                let prefix = self.below(129);
                out.push(prefix as u8);
                out.extend(self.octets(16 - prefix / 8, 16 - prefix / 8));
                if let Some(first) = out.get_mut(start + 1) {
                    *first &= (0xff_u16 >> (prefix % 8)) as u8;
                }
                if prefix > 0 {
                    out.extend(self.name().as_name().as_wire());
                }
            }
            Kind::Gateway => {
                out[1] %= 4;
                self.gateway(out[1], out);
            }
            Kind::Relay => {
                let relay_type = self.below(4) as u8;
                out.push(relay_type | (self.below(2) as u8) << 7);
                self.gateway(relay_type, out);
            }
            Kind::Hip => {
                let (tag, key) = (self.octets(1, 20), self.octets(1, 40));
                out.extend([tag.len() as u8, self.next() as u8, 0, key.len() as u8]);
                out.extend(tag);
                out.extend(key);
            }
        }
    }

    fn gateway(&mut self, gateway_type: u8, out: &mut Vec<u8>) {
        match gateway_type {
            0 => {}
            1 => out.extend(self.octets(4, 4)),
            2 => out.extend(self.octets(16, 16)),
            _ => out.extend(self.name().as_name().as_wire()),
        }
    }

    fn svc_params(&mut self, out: &mut Vec<u8>) {
        let mut has_alpn = false;
        for key in (0..13).chain([300, 65_534]).map(SvcKey) {
            if self.below(3) != 0 || (key == SvcKey::NO_DEFAULT_ALPN && !has_alpn) {
                continue;
            }
            let mut value = Vec::new();
            match key.value() {
                // The keys it may list are not known yet.
                SvcValue::Keys => continue,
                SvcValue::StringList => (0..1 + self.below(3)).for_each(|_| self.string(1, &mut value)),
                SvcValue::PathSegments => (0..self.below(3)).for_each(|_| self.string(1, &mut value)),
                SvcValue::Nothing => {}
                SvcValue::U16 => value.extend(self.octets(2, 2)),
                SvcValue::U16List => value.extend([0, 1, 0, 2, 0xff, self.next() as u8]),
                SvcValue::Ipv4List => (0..1 + self.below(3)).for_each(|_| value.extend(self.octets(4, 4))),
                SvcValue::Ipv6List => (0..1 + self.below(3)).for_each(|_| value.extend(self.octets(16, 16))),
                SvcValue::Base64 => value.extend(self.octets(1, 40)),
                SvcValue::Utf8 => value.extend("/é\"\\, {?dns}".bytes()),
                SvcValue::Opaque => value.extend(self.octets(0, 40)),
            }
            has_alpn |= key == SvcKey::ALPN;
            out.extend(key.0.to_be_bytes());
            out.extend((value.len() as u16).to_be_bytes());
            out.extend(value);
        }
    }
}
