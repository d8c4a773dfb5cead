//! What an answer takes besides the kernel's work for sockets, from zones that are larger than a core's cache.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use nss_authority::ahead::AHEAD_MAX;
use nss_authority::{Catalog, HashSeed, Outcome as Answered, Peer, Policy, Transport, View};
use nssd::mmsg::prefetch;

use super::pool::{Pool, Prepared, Replier};
use super::workload::{Size, Workload};
use crate::bench::{machine, median, publish};
use crate::failure::{Failure, Outcome};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Rounds of each way, by turns
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// How large the workloads are
    #[arg(long, value_enum, default_value_t = Size::Full)]
    size: Size,
}

impl Options {
    /// Seconds, to see that it works.
    pub(in crate::bench) fn small() -> Options {
        Options { rounds: 1, size: Size::Small }
    }
}

/// How a batch is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Each query as if it were alone.
    OneByOne,
    /// All are looked ahead at first.
    Ahead,
    /// The same, and the same few hundred queries again and again, so that all they need is in the cache.
    Cached,
}

impl Way {
    const ALL: [Way; 3] = [Way::OneByOne, Way::Ahead, Way::Cached];
}

pub(crate) fn run(options: &Options) -> Outcome {
    println!("{}\n", machine());
    println!("| workload | one by one, ns | looked ahead at, ns | of which looking, ns | all in the cache, ns |");
    println!("|---|--:|--:|--:|--:|");
    for workload in [Workload::Zones, Workload::Delegations] {
        let drawn = workload.draw(options.size);
        let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
        for zone in &drawn.zones {
            publish(&catalog, &zone.name, &zone.text)?;
        }
        let mut desk = Desk::new(&catalog, &drawn.pool, options.size);
        let mut spent: [Vec<Spent>; 3] = Default::default();
        for _ in 0..options.rounds.max(1) {
            for (way, spent) in Way::ALL.into_iter().zip(&mut spent) {
                spent.push(desk.round(way)?);
            }
        }
        let median_of =
            |way: usize, part: fn(&Spent) -> f64| median(&mut spent[way].iter().map(part).collect::<Vec<_>>());
        let [one_by_one, ahead, cached] = [0, 1, 2].map(|way| median_of(way, Spent::total));
        let looking = median_of(1, |spent| spent.looking);
        println!("| `{}` | {one_by_one:.0} | {ahead:.0} | {looking:.0} | {cached:.0} |", workload.name());
    }
    Ok(())
}

/// Nanoseconds for each answer.
struct Spent {
    looking: f64,
    answering: f64,
}

impl Spent {
    fn total(&self) -> f64 {
        self.looking + self.answering
    }
}

/// Answers a pool's queries, batch by batch.
struct Desk<'p> {
    view: View,
    policy: Policy,
    peer: Peer,
    pool: &'p Pool,
    /// The query with which the next round begins.
    next: usize,
    batches: usize,
    requests: Vec<Vec<u8>>,
    replies: Vec<Vec<u8>>,
    swept: Vec<u8>,
}

impl<'p> Desk<'p> {
    fn new(catalog: &Arc<Catalog>, pool: &'p Pool, size: Size) -> Desk<'p> {
        Desk {
            view: catalog.view(),
            policy: Policy::default(),
            peer: Peer { transport: Transport::Udp, address: [192, 0, 2, 53].into() },
            pool,
            next: 0,
            batches: size.pick(1_500, 10),
            requests: vec![Vec::new(); AHEAD_MAX],
            replies: vec![vec![0; 1232]; AHEAD_MAX],
            swept: vec![0; SWEPT_SIZE],
        }
    }

    fn round(&mut self, way: Way) -> Outcome<Spent> {
        let (mut looking, mut answering) = (Duration::ZERO, Duration::ZERO);
        for batch in 0..self.batches {
            let start = match way {
                Way::OneByOne | Way::Ahead => self.next + batch * AHEAD_MAX,
                Way::Cached => batch % CACHED_BATCHES * AHEAD_MAX,
            };
            let queries: Vec<Prepared<'p>> =
                (start..start + AHEAD_MAX).map(|number| self.pool.get(number % self.pool.len())).collect();
            for (request, query) in self.requests.iter_mut().zip(&queries) {
                request.clear();
                request.extend_from_slice(query.packet);
            }
            if way != Way::Cached {
                // What the kernel does between two batches takes cache, too.
                self.swept.iter_mut().step_by(64).for_each(|octet| *octet = octet.wrapping_add(1));
            }
            let begin = Instant::now();
            if way != Way::OneByOne {
                self.view.approach(self.requests.iter().map(Vec::as_slice), prefetch);
            }
            let looked = Instant::now();
            let mut sizes = [0; AHEAD_MAX];
            for ((request, reply), size) in self.requests.iter().zip(&mut self.replies).zip(&mut sizes) {
                if let Answered::Reply(written) = self.view.respond(request, &self.peer, &self.policy, reply) {
                    *size = written.len;
                }
            }
            answering += looked.elapsed();
            looking += looked - begin;
            for ((query, reply), size) in queries.iter().zip(&self.replies).zip(sizes) {
                if !query.is_answered_by(&reply[..size], Replier::Server) {
                    return Err(Failure::new(query.complaint(&reply[..size])));
                }
            }
        }
        if way != Way::Cached {
            self.next += self.batches * AHEAD_MAX;
        }
        let answers = (self.batches * AHEAD_MAX) as f64;
        let each = |time: Duration| time.as_nanos() as f64 / answers;
        Ok(Spent { looking: each(looking), answering: each(answering) })
    }
}

/// Octets that are swept through the cache between two batches: half of a core's own cache, and more than the kernel touches.
const SWEPT_SIZE: usize = 1 << 20;

/// Batches whose queries are asked again and again.
const CACHED_BATCHES: usize = 10;
