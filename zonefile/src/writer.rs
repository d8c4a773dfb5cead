//! Records to zone text.

use core::fmt;

use nss_wire::rdata::Presentation;
use nss_wire::{Name, NameBuf, Record};

/// Writes records as zone text, one a line, that reads back to the same records.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    style: Style,
    /// The owner of the last record.
    owner: Option<NameBuf>,
}

/// How a [`Writer`] writes owners.
#[derive(Clone, Debug)]
enum Style {
    /// In full in every line, so that lines can be sorted and compared.
    Absolute,
    /// Relative to the origin, and left out where it is the one of the line before.
    Grouped(Box<NameBuf>),
}

impl<W: fmt::Write> Writer<W> {
    /// Every line stands alone: absolute owner, TTL, class, type and data, parted by single blanks.
    pub fn new(out: W) -> Writer<W> {
        Writer { out, style: Style::Absolute, owner: None }
    }

    /// For people: begins with `$ORIGIN`, owners are relative to it, and an owner is written only where it changes.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn grouped(mut out: W, origin: Name<'_>) -> Result<Writer<W>, fmt::Error> {
        writeln!(out, "$ORIGIN {origin}")?;
        Ok(Writer { out, style: Style::Grouped(Box::new(origin.to_buf())), owner: None })
    }

    /// Writes one record.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&mut self, record: Record<'_>) -> fmt::Result {
        let Style::Grouped(origin) = &self.style else { return writeln!(self.out, "{record}") };
        // The letter case of an owner is kept, so that only a repetition to the letter is left out.
        let is_repeated = self.owner.as_ref().is_some_and(|last| last.as_name().as_wire() == record.owner.as_wire());
        if !is_repeated {
            write_relative(&mut self.out, record.owner, origin.as_name())?;
            self.owner = Some(record.owner.to_buf());
        }
        let Record { ttl, class, rtype, rdata, .. } = record;
        writeln!(self.out, "\t{ttl}\t{class}\t{rtype}\t{}", Presentation { rtype, rdata })
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Writes `name` without the labels of `origin`, when reading it back gives the same octets.
fn write_relative(out: &mut impl fmt::Write, name: Name<'_>, origin: Name<'_>) -> fmt::Result {
    let is_suffix = name.as_wire().ends_with(origin.as_wire()) && name.is_at_or_below(origin);
    if !is_suffix || origin.is_root() {
        return write!(out, "{name}");
    }
    let prefix = name.wire_len() - origin.wire_len();
    if prefix == 0 {
        return out.write_char('@');
    }
    // A name of the labels before the origin: shorter than one that is a name.
    let relative = [&name.as_wire()[..prefix], &[0]].concat();
    let relative = Name::from_wire_exact(&relative).map_err(|_| fmt::Error)?.to_string();
    out.write_str(relative.strip_suffix('.').unwrap_or(&relative))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, read};

    #[test]
    fn owners_are_relative_to_the_origin_and_written_once() {
        let text = "a.example. 60 IN A 192.0.2.1\na.example. 60 IN A 192.0.2.2\nA.example. 60 IN A 192.0.2.3\n\
                    example. 60 IN A 192.0.2.4\nb. 60 IN A 192.0.2.5\nc.Example. 60 IN NS \\@.example.\n\
                    \\@.example. 60 IN A 192.0.2.6\nd\\..example. 60 IN A 192.0.2.7\n";
        let records = read(text.as_bytes(), &Options::default()).unwrap();
        let mut grouped = Writer::grouped(String::new(), "example".parse::<NameBuf>().unwrap().as_name()).unwrap();
        let mut absolute = Writer::new(String::new());
        for (record, _) in &records {
            grouped.write(record.as_record()).unwrap();
            absolute.write(record.as_record()).unwrap();
        }
        let grouped = grouped.into_inner();
        assert_eq!(
            grouped,
            "$ORIGIN example.\na\t60\tIN\tA\t192.0.2.1\n\t60\tIN\tA\t192.0.2.2\nA\t60\tIN\tA\t192.0.2.3\n\
             @\t60\tIN\tA\t192.0.2.4\nb.\t60\tIN\tA\t192.0.2.5\nc.Example.\t60\tIN\tNS\t\\@.example.\n\
             \\@\t60\tIN\tA\t192.0.2.6\nd\\.\t60\tIN\tA\t192.0.2.7\n"
        );
        assert_eq!(absolute.into_inner(), text);
        let again = read(grouped.as_bytes(), &Options::default()).unwrap();
        let octets = |records: &[(nss_wire::RecordBuf, crate::Position)]| {
            records.iter().map(|(record, _)| record.owner.as_name().as_wire().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(octets(&again), octets(&records));
    }
}
