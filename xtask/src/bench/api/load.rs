//! Many owners who upload at one time, and what that costs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::text::Text;
use crate::failure::{Failure, Outcome};

/// A domain and what is served of it.
pub(super) struct Domain {
    pub(super) name: String,
    pub(super) text: Text,
    /// The serial that was acknowledged last.
    pub(super) serial: u32,
}

/// What is uploaded, and what has to come of it.
#[derive(Clone, Copy)]
pub(super) struct Upload<'k> {
    pub(super) key: &'k str,
    pub(super) is_dry: bool,
    pub(super) status: u16,
}

/// How long it goes on.
#[derive(Clone, Copy)]
pub(super) enum Until {
    EachOnce,
    Passed(Duration),
}

/// Uploads domains over `connections`, each of which has one upload on its way and domains of its own; how many
/// milliseconds each took.
///
/// # Errors
/// A response that is not what it has to be: a figure of something else would mislead.
pub(super) fn drive(
    http: SocketAddr,
    domains: &mut [&mut Domain],
    connections: usize,
    upload: Upload<'_>,
    until: Until,
) -> Outcome<Vec<f64>> {
    let share = domains.len().div_ceil(connections.max(1)).max(1);
    let begin = Instant::now();
    let results: Vec<Outcome<Vec<f64>>> = std::thread::scope(|scope| {
        let owner = |domains| scope.spawn(move || own(http, domains, upload, until, begin));
        let owners: Vec<_> = domains.chunks_mut(share).map(owner).collect();
        let ended = owners.into_iter().map(|owner| owner.join());
        ended.map(|result| result.unwrap_or_else(|_| Err(Failure::new("an uploading thread panicked")))).collect()
    });
    Ok(results.into_iter().collect::<Outcome<Vec<_>>>()?.concat())
}

/// One connection's uploads.
fn own(
    http: SocketAddr,
    domains: &mut [&mut Domain],
    upload: Upload<'_>,
    until: Until,
    begin: Instant,
) -> Outcome<Vec<f64>> {
    let mut connection = Connection::open(http)?;
    let mut times = Vec::new();
    loop {
        for domain in domains.iter_mut() {
            if matches!(until, Until::Passed(time) if begin.elapsed() >= time) {
                return Ok(times);
            }
            let target = format!("/v1/zones/{}{}", domain.name, if upload.is_dry { "?dry_run=true" } else { "" });
            let serial = domain.serial + 1;
            let start = Instant::now();
            let status = connection.put(&target, upload.key, domain.text.with_serial(serial))?;
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            if status != upload.status {
                return Err(Failure::new(format!("PUT {target}: {status} {}", connection.body())));
            }
            if status == 200 && !upload.is_dry {
                domain.serial = serial;
            }
        }
        if matches!(until, Until::EachOnce) {
            return Ok(times);
        }
    }
}
