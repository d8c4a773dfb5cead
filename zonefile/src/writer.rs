//! Records to zone text.

use core::fmt;

use nss_wire::rdata::{self, Kind, Presentation};
use nss_wire::{Name, NameBuf, RType, Record};

use crate::syntax;

/// Writes records as zone text that reads back to the same records.
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
    /// As a person would write it.
    Pretty {
        origin: Box<NameBuf>,
        /// The TTL that records without one have.
        ttl: u32,
    },
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

    /// As a person would write it: begins with `$ORIGIN` and `$TTL`, leaves out what they say and the class, has names
    /// within data relative, too, and the fields of the SOA record on lines of their own with comments.
    ///
    /// [`format()`](crate::format()) puts the text into columns.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    ///
    /// ```
    /// use nss_wire::NameBuf;
    /// use nss_zonefile::{Options, Writer, format, read};
    ///
    /// let text = b"$TTL 1h\n@ SOA ns host 7 1d 2h 4w 10m\n@ NS ns\nns A 192.0.2.1\n";
    /// let origin: NameBuf = "example.com".parse()?;
    /// let mut writer = Writer::pretty(String::new(), origin.as_name(), 3600)?;
    /// for (record, _) in read(text, &Options::for_zone(origin.as_name())).unwrap() {
    ///     writer.write(record.as_record())?;
    /// }
    /// let pretty = format(writer.into_inner().as_bytes()).unwrap();
    /// assert_eq!(
    ///     String::from_utf8(pretty)?,
    ///     "\
    /// $ORIGIN example.com.
    /// $TTL 1h
    /// @        SOA  ns host (
    ///               7   ; serial
    ///               1d  ; refresh
    ///               2h  ; retry
    ///               4w  ; expire
    ///               10m ; negative answers
    ///               )
    ///          NS   ns
    /// ns       A    192.0.2.1
    /// "
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pretty(mut out: W, origin: Name<'_>, ttl: u32) -> Result<Writer<W>, fmt::Error> {
        writeln!(out, "$ORIGIN {origin}\n$TTL {}", Period(ttl))?;
        Ok(Writer { out, style: Style::Pretty { origin: Box::new(origin.to_buf()), ttl }, owner: None })
    }

    /// Writes one record.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&mut self, record: Record<'_>) -> fmt::Result {
        let (origin, default_ttl) = match &self.style {
            Style::Absolute => return writeln!(self.out, "{record}"),
            Style::Grouped(origin) => (origin, None),
            Style::Pretty { origin, ttl } => (origin, Some(*ttl)),
        };
        // The letter case of an owner is kept, so that only a repetition to the letter is left out.
        let is_repeated = self.owner.as_ref().is_some_and(|last| last.as_name().as_wire() == record.owner.as_wire());
        if !is_repeated {
            write_relative(&mut self.out, record.owner, origin.as_name())?;
            self.owner = Some(record.owner.to_buf());
        }
        let Record { ttl, class, rtype, rdata, .. } = record;
        let Some(default_ttl) = default_ttl else {
            return writeln!(self.out, "\t{ttl}\t{class}\t{rtype}\t{}", Presentation { rtype, rdata });
        };
        if ttl != default_ttl {
            write!(self.out, "\t{}", Period(ttl))?;
        }
        write!(self.out, "\t{rtype}\t")?;
        write_pretty(&mut self.out, rtype, rdata, origin.as_name())?;
        self.out.write_char('\n')
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Writes data with its names relative to the origin, where each field before a name is one word.
fn write_pretty(out: &mut impl fmt::Write, rtype: RType, rdata: &[u8], origin: Name<'_>) -> fmt::Result {
    let text = Presentation { rtype, rdata }.to_string();
    let fields = rdata::info(rtype).map_or(&[][..], |info| info.fields);
    let mut pieces = Vec::new();
    syntax::entry(text.as_bytes(), 0, &mut pieces);
    let mut names = rdata::names(rtype, rdata);
    let has_names = matches!(
        rtype,
        RType::NS
            | RType::CNAME
            | RType::DNAME
            | RType::PTR
            | RType::MX
            | RType::SRV
            | RType::SOA
            | RType::SVCB
            | RType::HTTPS
    );
    if !has_names || text.starts_with("\\#") {
        return out.write_str(&text);
    }
    let comments: &[&str] = match rtype {
        RType::SOA => &["serial", "refresh", "retry", "expire", "negative answers"],
        _ => &[],
    };
    for (n, piece) in pieces.iter().enumerate() {
        let comment = n.checked_sub(2).and_then(|n| comments.get(n));
        match (n, comment) {
            (0, _) => {}
            (2, Some(_)) => out.write_str(" (\n\t")?,
            (_, Some(_)) => out.write_str("\n\t")?,
            // Parameters of SVCB may have quotes directly behind their key.
            (n, None) if pieces[n - 1].span.end == piece.span.start => {}
            (_, None) => out.write_char(' ')?,
        }
        let word = &text[piece.span.clone()];
        match fields.get(n).map(|field| field.kind) {
            Some(Kind::Name(_)) => write_relative(out, names.next().ok_or(fmt::Error)?.name, origin)?,
            Some(Kind::Period) => write!(out, "{}", Period(word.parse().map_err(|_| fmt::Error)?))?,
            _ => out.write_str(word)?,
        }
        if let Some(comment) = comment {
            write!(out, " ; {comment}")?;
        }
    }
    if comments.is_empty() { Ok(()) } else { out.write_str("\n\t)") }
}

/// Seconds with units: `1h30m`.
struct Period(u32);

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        for (seconds, unit) in [(604_800, 'w'), (86_400, 'd'), (3600, 'h'), (60, 'm')] {
            // Three weeks are a common period, and 14 days are told better than two weeks and some.
            if rest >= seconds && (unit != 'w' || rest.is_multiple_of(seconds)) {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        match rest {
            0 if self.0 > 0 => Ok(()),
            0 => f.write_str("0"),
            rest if rest == self.0 => write!(f, "{rest}"),
            rest => write!(f, "{rest}s"),
        }
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
    use proptest::prelude::*;

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

    #[test]
    fn periods_have_units() {
        let all = [(0, "0"), (59, "59"), (60, "1m"), (90, "1m30s"), (5400, "1h30m"), (86_400, "1d"), (1_209_600, "2w")];
        for (seconds, text) in [&all[..], &[(788_645, "9d3h4m5s"), (u32::MAX, "49710d6h28m15s")]].concat() {
            assert_eq!(Period(seconds).to_string(), text);
            assert_eq!(crate::number::period(text.as_bytes()), Some(seconds));
        }
    }

    proptest! {
        /// What a person would write reads back to the same records, before and after it is put into columns.
        #[test]
        fn pretty_text_reads_back(
            names in prop::collection::vec("([a-b@\\.]{1,3}|\\\\@|\\\\.|\\$)(\\.example\\.)?", 1..8),
            numbers in prop::collection::vec(any::<u16>(), 8),
            kinds in prop::collection::vec(0usize..7, 8),
        ) {
            let origin: NameBuf = "example".parse().unwrap();
            let mut text = String::new();
            for ((name, number), kind) in names.iter().zip(&numbers).zip(kinds) {
                let ttl = u32::from(*number) * 7;
                text += &match kind {
                    0 => format!("{name} {ttl} SOA {name} a 1 2 {ttl} 4 5\n"),
                    1 => format!("{name} {ttl} MX {number} {name}\n"),
                    2 => format!("{name} 3600 NS {name}\n"),
                    3 => format!("{name} {ttl} HTTPS 1 {name} alpn=\"h2\" key65280=\"a b\"\n"),
                    4 => format!("{name} {ttl} TXT \"; a\" b\n"),
                    5 => format!("{name} {ttl} SRV 1 2 3 {name}\n"),
                    _ => format!("{name} {ttl} RP {name} {name}\n"),
                };
            }
            let Ok(records) = read(text.as_bytes(), &Options::for_zone(origin.as_name())) else { return Ok(()) };
            let mut writer = Writer::pretty(String::new(), origin.as_name(), 3600).unwrap();
            for (record, _) in &records {
                writer.write(record.as_record()).unwrap();
            }
            let pretty = writer.into_inner();
            let formatted = crate::format(pretty.as_bytes()).unwrap();
            for text in [pretty.as_bytes(), &formatted] {
                let again = read(text, &Options::default()).unwrap();
                prop_assert!(again.iter().map(|it| &it.0).eq(records.iter().map(|it| &it.0)), "{}", pretty);
            }
        }
    }
}
