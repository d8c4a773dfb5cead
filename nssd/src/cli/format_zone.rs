//! `nssd format-zone`: zone files in order.

use std::io::{self, Write};
use std::path::Path;

use nss_wire::Record;
use nss_zonefile::{Options, Reader};

use super::FormatZone;
use super::run::{Exit, Failure, is_stdin, print, read};

pub(super) fn run(arguments: &FormatZone) -> Result<Exit, Failure> {
    let mut exit = Exit::Success;
    for file in &arguments.files {
        let text = read(file)?;
        let formatted = match nss_zonefile::format(&text) {
            Ok(formatted) => formatted,
            Err(errors) => {
                refuse(file, &errors)?;
                exit = Exit::Refused;
                continue;
            }
        };
        if !has_same_records(&text, &formatted) {
            let message = "formatting would change the records, which is a bug of nssd; the file stays as it is";
            return Err(Failure::new(Exit::Failed, format!("{}: {message}", file.display())));
        }
        match (arguments.check, formatted == text) {
            (true, true) => {}
            (true, false) => {
                print(&format!("{}\n", file.display()))?;
                exit = Exit::Refused;
            }
            (false, _) if is_stdin(file) => io::stdout().write_all(&formatted)?,
            (false, true) => {}
            (false, false) => replace(file, &formatted)?,
        }
    }
    Ok(exit)
}

/// Whether both texts read to the same records, letter case and all: looked at once more before somebody's file is replaced.
fn has_same_records(one: &[u8], other: &[u8]) -> bool {
    let origin = "origin.invalid".parse().ok();
    let options = Options { origin, default_ttl: Some(0), ..Options::default() };
    let reader = |text| Reader::new(text, &options).with_includes(|_| Ok(Vec::new().into()));
    let (mut ones, mut others) = (reader(one), reader(other));
    loop {
        let (one, other) = match (ones.next(), others.next()) {
            (None, None) => return true,
            (Some(Ok(one)), Some(Ok(other))) => (one.record, other.record),
            _ => return false,
        };
        let rest = |record: Record<'_>| (record.rtype, record.class, record.ttl);
        if one.owner.as_wire() != other.owner.as_wire() || rest(one) != rest(other) || one.rdata != other.rdata {
            return false;
        }
    }
}

fn refuse(file: &Path, errors: &[nss_zonefile::Error]) -> io::Result<()> {
    let mut report = String::new();
    for error in errors {
        let mut diagnostic = error.diagnostic();
        diagnostic.name_text(&file.display().to_string());
        report.push_str(&format!("{diagnostic}\n"));
    }
    report.push_str(&format!("{}: has mistakes and stays as it is\n", file.display()));
    io::stderr().write_all(report.as_bytes())
}

/// Writes the text beside the file and then in its place, so that there always is a whole file.
fn replace(file: &Path, text: &[u8]) -> Result<(), Failure> {
    let fail = |error: io::Error| Failure::new(Exit::Failed, format!("{}: {error}", file.display()));
    // What a link leads to is what is replaced.
    let file = std::fs::canonicalize(file).map_err(fail)?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".formatting");
    let beside = file.with_file_name(name);
    let written = std::fs::metadata(&file).and_then(|metadata| {
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        out.write_all(text)?;
        out.set_permissions(metadata.permissions())?;
        out.sync_all()?;
        std::fs::rename(&beside, &file)
    });
    written.map_err(|error| {
        // The one in the way may be somebody else's; only what was made here is removed.
        if error.kind() != io::ErrorKind::AlreadyExists {
            let _ = std::fs::remove_file(&beside);
        }
        Failure::new(Exit::Failed, format!("{}: {error}", beside.display()))
    })
}
