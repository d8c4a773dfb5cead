//! Uploads in a second: durable, and checked at the parent, over connections that stay open.
//!
//! The whole service runs on loopback as for the demo, with quotas that do not count. What is uploaded differs from what is
//! served each time, so that nothing is spared; and at the end every domain has to be answered with the serial that was
//! acknowledged last.

mod connection;
mod load;
mod text;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nss_wire::{NameBuf, RType};

use self::load::{Domain, Until, Upload, drive};
use self::text::Text;
use super::dns::family::Family;
use super::{machine, median, percentile};
use crate::client::{Client, Query};
use crate::demo::make_key;
use crate::differential::Answer;
use crate::failure::{Context, Failure, Outcome};
use crate::tree::{Delegation, To, Tree};
use crate::workspace::{Daemons, Profile};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Seconds that each kind of upload goes on
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Domains; half of them with the label of the key at the parent
    #[arg(long, default_value_t = 400)]
    domains: usize,
    /// Connections that stay open, each with one upload on its way
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Octets of a zone file
    #[arg(long, default_value_t = 10_000)]
    size: usize,
}

impl Options {
    /// So small that it says nothing but whether it works.
    pub(crate) fn small() -> Options {
        Options { seconds: 1, domains: 16, connections: 4, size: 10_000 }
    }
}

pub(super) fn run(options: &Options, profile: Profile) -> Outcome {
    let daemons = Daemons::build(profile)?;
    let ((key, label), (other_key, _)) = (make_key(&daemons)?, make_key(&daemons)?);
    let name = |index: usize| format!("d{index}.com");
    let to = |index: usize| if index.is_multiple_of(2) { To::Us } else { To::UsWithLabel(label.clone()) };
    let delegations = (0..options.domains).map(|index| Delegation { domain: name(index), to: to(index) });
    let tree = Tree::start(&daemons, &delegations.collect::<Vec<_>>())?;
    let domain =
        |index| Domain { name: name(index), text: Text::new(&name(index), options.size), serial: 2_026_010_100 };
    let (mut pinned, mut keyed): (Vec<Domain>, Vec<Domain>) = (Vec::new(), Vec::new());
    for index in 0..options.domains {
        if index.is_multiple_of(2) { &mut pinned } else { &mut keyed }.push(domain(index));
    }

    let right = Upload { key: &key, is_dry: false, status: 200 };
    let dry = Upload { is_dry: true, ..right };
    let refused = Upload { key: &other_key, status: 403, ..right };
    let some = Until::Passed(Duration::from_secs(options.seconds));
    let bench = Bench { tree: &tree, connections: options.connections };
    let mut all: Vec<&mut Domain> = pinned.iter_mut().chain(&mut keyed).collect();
    let mut rows = vec![bench.measure("first uploads, the parent is asked", &mut all, right, Until::EachOnce)?];
    let kinds = |title, domains: &mut Vec<Domain>, upload| {
        let mut domains: Vec<&mut Domain> = domains.iter_mut().collect();
        bench.measure(title, &mut domains, upload, some)
    };
    rows.push(kinds("replaced, with the pinned key", &mut pinned, right)?);
    rows.push(kinds("replaced, with the key at the parent", &mut keyed, right)?);
    rows.push(kinds("dry run: all but the store", &mut pinned, dry)?);
    rows.push(kinds("another key, refused: what nss-api does alone", &mut pinned, refused)?);
    rows.iter_mut().for_each(|row| row.times.sort_by(f64::total_cmp));

    for domain in pinned.iter().chain(&keyed) {
        is_served(&tree, domain)?;
    }
    let sync = median(&mut sync_times(tree.folder.path())?);
    println!(
        "\n{} Zone files of {} octets, {} domains, {} connections, all on these cores; one fdatasync of 4 KiB takes \
         {sync:.2} ms.\n\n{}",
        machine(),
        options.size,
        options.domains,
        options.connections,
        table(&mut rows)
    );
    Ok(())
}

/// The service that is measured.
struct Bench<'t> {
    tree: &'t Tree,
    connections: usize,
}

/// What one kind of upload came to.
struct Row {
    title: &'static str,
    /// Milliseconds of each upload.
    times: Vec<f64>,
    seconds: f64,
    spent: Spent,
}

/// What was spent so far.
#[derive(Clone, Copy)]
struct Spent {
    /// CPU time in microseconds.
    nss_api: f64,
    nssd: f64,
    /// The part of it of the thread that stores and publishes.
    publisher: f64,
    generator: f64,
    /// Octets that the kernel was given to write to the disk by nssd.
    written: f64,
}

impl Bench<'_> {
    fn measure(
        &self,
        title: &'static str,
        domains: &mut [&mut Domain],
        upload: Upload<'_>,
        until: Until,
    ) -> Outcome<Row> {
        eprintln!("{title}");
        let before = self.spent()?;
        let begin = Instant::now();
        let times = drive(self.tree.http, domains, self.connections, upload, until)?;
        let seconds = begin.elapsed().as_secs_f64();
        let after = self.spent()?;
        let spent = Spent {
            nss_api: after.nss_api - before.nss_api,
            nssd: after.nssd - before.nssd,
            publisher: after.publisher - before.publisher,
            generator: after.generator - before.generator,
            written: after.written - before.written,
        };
        Ok(Row { title, times, seconds, spent })
    }

    fn spent(&self) -> Outcome<Spent> {
        let (nssd, nss_api) = (Family(self.tree.hosting()), Family(self.tree.front()));
        let own = getrusage(UsageWho::RUSAGE_SELF).context("cannot read the time of this process")?;
        let path = format!("/proc/{}/io", nssd.0);
        let io = std::fs::read_to_string(&path).context(&path)?;
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok());
        Ok(Spent {
            nss_api: nss_api.cpu_time_us()?,
            nssd: nssd.cpu_time_us()?,
            publisher: nssd.cpu_time_of_us("publisher"),
            generator: microseconds(own.user_time()) + microseconds(own.system_time()),
            written: written.ok_or_else(|| Failure::new(format!("{path} has no write_bytes")))?,
        })
    }
}

fn table(rows: &mut [Row]) -> String {
    let mut text =
        "| | uploads/s | median, ms | p99, ms | CPU of nss-api, us | of nssd, us | of it store and publish, us \
                    | of the generator, us | written, KiB |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"
        .to_owned();
    for row in rows {
        let count = row.times.len() as f64;
        let (middle, late) = (median(&mut row.times), percentile(&mut row.times, 99));
        let _ = writeln!(
            text,
            "| {} | {:.0} | {middle:.1} | {late:.1} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} |",
            row.title,
            count / row.seconds,
            row.spent.nss_api / count,
            row.spent.nssd / count,
            row.spent.publisher / count,
            row.spent.generator / count,
            row.spent.written / count / 1024.0
        );
    }
    text
}

/// Whether the serial that was acknowledged last is what is answered.
fn is_served(tree: &Tree, domain: &Domain) -> Outcome {
    let apex: NameBuf = domain.name.parse().context(&domain.name)?;
    let query = Query::new(apex.as_name(), RType::SOA);
    let reply = Client::new(tree.dns)?.ask(&query);
    let answer = reply.and_then(|reply| Answer::read(&query.to_wire(), &reply).ok());
    let serial = domain.serial.to_string();
    let has_serial = |rr: &dyn std::fmt::Display| rr.to_string().split_whitespace().any(|word| word == serial);
    if answer.is_some_and(|answer| answer.answer.iter().any(|rr| has_serial(rr))) {
        return Ok(());
    }
    Err(Failure::new(format!("{} was acknowledged with serial {serial}, and is not answered with it", domain.name)))
}

/// Milliseconds that the disk takes to have a page safe, which every commit waits for at least twice.
fn sync_times(folder: &Path) -> Outcome<Vec<f64>> {
    let path = folder.join("page");
    let mut file = File::create(&path).context(path.display())?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        file.write_all(&[7; 4096]).context(path.display())?;
        let begin = Instant::now();
        file.sync_data().context(path.display())?;
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

fn microseconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64
}

/// Enough for a median.
const SYNCS: usize = 50;
