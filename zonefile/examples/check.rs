//! Prints the records of a zone file one a line, or all its mistakes: `check example.com example.com.zone`.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use nss_wire::NameBuf;
use nss_zonefile::{Options, Reader};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(apex), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: check APEX FILE".into());
    };
    let apex: NameBuf = apex.parse()?;
    let text = std::fs::read(&path)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut errors = 0;
    let mut reader = Reader::new(&text, &Options::for_zone(apex.as_name()));
    while let Some(result) = reader.next() {
        match result {
            Ok(entry) => writeln!(out, "{}", entry.record)?,
            Err(error) => {
                errors += 1;
                writeln!(std::io::stderr(), "{path}: {}\n", error.report())?;
            }
        }
    }
    out.flush()?;
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
