//! Texts that are not kept: one thread reads them in pieces, while another one puts their records together.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::{io, mem, thread};

use nss_authority::{Zone, ZoneBuilder};
use nss_wire::{Class, Name, RType, Record};
use nss_zonefile::{Entry, Error, Lines, Linter, Options, StreamReader};

use super::{Include, Method, random_seed, signatures};

/// As [`diagnose`](super::diagnose), for a text that is not kept: memory has the zone alone.
///
/// `None` if there is anything to say about the text, be it an error or a warning: saying it needs the text.
///
/// # Errors
///
/// What reading the text says.
pub(crate) fn accept(apex: Name<'_>, text: &mut impl io::Read, method: Method<'_>) -> io::Result<Option<Zone>> {
    let Method { include, seed, lints, signatures } = method;
    let mut builder = ZoneBuilder::new(apex, Class::IN).with_seed(seed.unwrap_or_else(random_seed)).with_both(both);
    let (full, batches) = mpsc::sync_channel(BATCHES_MAX);
    let (used, empty) = mpsc::channel();
    let linter = lints.map(|options| Linter::new(apex, options));
    let scout = Scout { linter, lines: Lines::of_stream(), batch: Batch::default(), full, empty };
    let (scouted, mut builder) = thread::scope(|scope| {
        let building = scope.spawn(move || {
            build(&mut builder, &batches, &used);
            builder
        });
        // There are no more batches when the scout is gone, so that the other thread ends too.
        let scouted = scout.read(apex, text, include);
        (scouted, building.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    let Some(linter) = scouted? else { return Ok(None) };
    let lints = linter.map(|linter| linter.finish(|name, rtype| builder.has(name, rtype)));
    if lints.is_some_and(|lints| !lints.diagnostics.is_empty()) {
        return Ok(None);
    }
    let built = builder.build().ok().filter(|(_, findings)| findings.is_empty());
    let zone = built.map(|(zone, _)| zone);
    let is_right = |zone: &Zone| signatures.is_none_or(|options| signatures::check(zone, &options).0.is_empty());
    Ok(zone.filter(is_right))
}

/// Does two pieces of work at once.
fn both(one: &mut (dyn FnMut() + Send), other: &mut (dyn FnMut() + Send)) {
    thread::scope(|scope| {
        scope.spawn(one);
        other();
    });
}

/// Adds what comes to the zone.
fn build(builder: &mut ZoneBuilder, batches: &Receiver<Batch>, used: &Sender<Batch>) {
    for mut batch in batches {
        batch.for_each(|record| builder.add(record, 0));
        batch.clear();
        // The reader may have come to its end.
        let _ = used.send(batch);
    }
}

/// Looks through a text for what there is to say, and sends the records on as long as there is nothing.
struct Scout {
    linter: Option<Linter>,
    lines: Lines<'static>,
    batch: Batch,
    full: SyncSender<Batch>,
    /// Batches that can be filled again.
    empty: Receiver<Batch>,
}

impl Scout {
    /// Reads the text to its end; `None` if there is something to say about it, or else the linter if there is one.
    fn read(
        mut self,
        apex: Name<'_>,
        text: &mut impl io::Read,
        include: Include<'_>,
    ) -> io::Result<Option<Option<Linter>>> {
        let has_included = Cell::new(false);
        let mut reader = StreamReader::new(&Options::for_zone(apex));
        if let Include::Read(read) = include {
            reader = reader.with_includes(|inclusion| {
                has_included.set(true);
                Ok(read(inclusion.path)?.into())
            });
        }
        let mut piece = vec![0; PIECE_SIZE];
        loop {
            let size = text.read(&mut piece)?;
            if size == 0 {
                break;
            }
            self.lines.pass(&piece[..size]);
            reader.feed(&piece[..size]);
            while let Some(entry) = reader.next() {
                if !self.take(&entry) {
                    return Ok(None);
                }
            }
            // Included texts as a whole are not looked at here.
            if self.has_found() || (self.linter.is_some() && has_included.get()) {
                return Ok(None);
            }
        }
        let mut reader = reader.finish();
        while let Some(entry) = reader.next() {
            if !self.take(&entry) {
                return Ok(None);
            }
        }
        let has_found = self.has_found() || (self.linter.is_some() && has_included.get());
        Ok((!has_found && self.send()).then_some(self.linter))
    }

    fn has_found(&self) -> bool {
        self.linter.as_ref().is_some_and(|linter| linter.has_found() || self.lines.is_missed())
    }

    /// Whether an entry could be read and was sent on.
    fn take(&mut self, entry: &Result<Entry<'_>, Error>) -> bool {
        let Ok(Entry { record, position, .. }) = *entry else { return false };
        if let Some(linter) = &mut self.linter {
            linter.record(record, position, &mut self.lines);
        }
        self.batch.push(record);
        !self.batch.is_full() || self.send()
    }

    /// Whether the records at hand could be sent.
    fn send(&mut self) -> bool {
        let next = self.empty.try_recv().unwrap_or_default();
        self.full.send(mem::replace(&mut self.batch, next)).is_ok()
    }
}

/// Records on their way from one thread to another.
#[derive(Default)]
struct Batch {
    /// Owners and RDATA.
    octets: Vec<u8>,
    records: Vec<Held>,
    /// Where the last owner stands in the octets.
    owner: (usize, usize),
}

/// A record without its octets.
struct Held {
    /// 0 where the owner is that of the record before.
    owner_size: usize,
    rtype: RType,
    class: Class,
    ttl: u32,
    rdata_size: usize,
}

impl Batch {
    fn push(&mut self, record: Record<'_>) {
        let Record { owner, rtype, class, ttl, rdata } = record;
        let (start, end) = self.owner;
        let is_same = !self.records.is_empty() && self.octets[start..end] == *owner.as_wire();
        let owner_size = if is_same { 0 } else { owner.wire_len() };
        if !is_same {
            self.owner = (self.octets.len(), self.octets.len() + owner_size);
            self.octets.extend_from_slice(owner.as_wire());
        }
        self.octets.extend_from_slice(rdata);
        self.records.push(Held { owner_size, rtype, class, ttl, rdata_size: rdata.len() });
    }

    fn is_full(&self) -> bool {
        self.octets.len() >= BATCH_SIZE
    }

    fn clear(&mut self) {
        self.octets.clear();
        self.records.clear();
    }

    fn for_each(&self, mut work: impl FnMut(Record<'_>)) {
        let (mut owner, mut rest) = (Name::ROOT, &self.octets[..]);
        for &Held { owner_size, rtype, class, ttl, rdata_size } in &self.records {
            if owner_size > 0 {
                (owner, rest) = Name::from_wire(rest).expect("the owner was a name when it came");
            }
            let (rdata, behind) = rest.split_at(rdata_size);
            rest = behind;
            work(Record { owner, rtype, class, ttl, rdata });
        }
    }
}

/// Octets of a zone file that is read as a whole; a larger one comes in pieces, so that there is no second copy of it
/// in memory beside the zone.
pub(crate) const TEXT_SIZE_KEPT: u64 = 1 << 20;

/// Octets of a text that are read at once: enough for the calls not to count.
const PIECE_SIZE: usize = 1 << 18;

/// Octets of records that are sent at once, about.
const BATCH_SIZE: usize = 1 << 17;

/// Batches that wait at most: enough for neither thread to wait for the other as long as both have work.
const BATCHES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use nss_zonefile::LintOptions;

    use super::*;
    use crate::check::{canonical_text, check};

    fn zone_text(hosts: usize) -> String {
        let mut text = "$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n".to_owned();
        for i in 0..hosts {
            text += &format!("h{i} A 192.0.2.1\n  AAAA 2001:db8::{i:x}\nns A 192.0.2.{}\n", i % 200 + 2);
        }
        text
    }

    fn accepted(text: &str, include: Include<'_>, lints: Option<LintOptions>) -> Option<String> {
        let apex = "example.com".parse::<nss_wire::NameBuf>().unwrap();
        let method = Method { include, seed: None, lints, signatures: None };
        let zone = accept(apex.as_name(), &mut text.as_bytes(), method).unwrap();
        zone.map(|zone| canonical_text(&zone))
    }

    #[test]
    fn a_text_that_is_not_kept_makes_the_same_zone() {
        let apex = "example.com".parse::<nss_wire::NameBuf>().unwrap();
        // Less than a batch, and some batches, without what would be said about duplicates.
        for hosts in [1, 190] {
            let text = zone_text(hosts);
            let kept = check(apex.as_name(), text.as_bytes()).unwrap();
            let lints = Some(LintOptions::default());
            assert_eq!(accepted(&text, Include::Refuse, lints), Some(canonical_text(&kept.zone)));
        }
        let many: String = (0..30_000).map(|i| format!("n{i} TXT \"some text\"\n")).collect();
        let text = zone_text(1) + &many;
        let kept = check(apex.as_name(), text.as_bytes()).unwrap();
        assert_eq!(accepted(&text, Include::Refuse, None), Some(canonical_text(&kept.zone)));
    }

    #[test]
    fn a_text_is_kept_if_there_is_anything_to_say_about_it() {
        let lints = Some(LintOptions::default());
        let says = |text: &str, lints| accepted(&(zone_text(1) + text), Include::Refuse, lints).is_none();
        for text in ["x A 192.0.2.256\n", "x CNAME ns\nx A 192.0.2.1\n", "x MX 10 nowhere\n", "$INCLUDE y\n"] {
            assert!(says(text, None) && says(text, lints), "{text}");
        }
        for text in ["x NS ns1.elk.gg\n", "x TXT v=spf1 mx -all\n", "x A 192.0.2.1\r\n", "a_b A 192.0.2.1\n"] {
            assert!(says(text, lints), "{text}");
            assert!(!says(&text.replace("ns1.elk.gg", "ns"), None), "{text}");
        }
        assert!(!says("x CNAME lb.eu\nlb.eu A 192.0.2.1\n", lints), "a name that is there lacks no dot");
    }

    #[test]
    fn included_texts_are_looked_at_with_the_others() {
        let text = zone_text(1) + "$INCLUDE y\n";
        let mut read = |_: &str| Ok(b"x A 192.0.2.1\n".to_vec());
        assert!(accepted(&text, Include::Read(&mut read), None).unwrap().contains("\nx.example.com. "));
        assert_eq!(accepted(&text, Include::Read(&mut read), Some(LintOptions::default())), None);
    }
}
