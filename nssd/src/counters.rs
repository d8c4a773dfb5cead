//! Counters of the DNS sockets.
//!
//! Each UDP worker has counters of its own that nobody else writes, so that counting is a plain load and a plain store;
//! the sums are made when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nss_wire::message::Rcode;

use crate::control::Counters;

/// The counters of one UDP worker, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct WorkerCounters {
    pub(crate) queries: Tally,
    pub(crate) answers: Tally,
    pub(crate) silent: Tally,
    pub(crate) rate_limited: Tally,
    pub(crate) slipped: Tally,
    pub(crate) send_errors: Tally,
    pub(crate) panics: Tally,
    pub(crate) rcodes: Rcodes,
}

/// A number that one thread counts up and any thread may read.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicU64);

impl Tally {
    /// Adds `n`; to be called by the owner alone.
    pub(crate) fn add(&self, n: u64) {
        // Not fetch_add: a locked instruction per query is what these counters are there to avoid.
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Answers by response code.
#[derive(Debug, Default)]
pub(crate) struct Rcodes {
    /// Codes 0 to 23, BADCOOKIE being the last one assigned (IANA), and all others.
    tallies: [Tally; RCODES + 1],
}

const RCODES: usize = 24;

impl Rcodes {
    /// Counts one answer; to be called by the owner alone.
    pub(crate) fn count(&self, rcode: Rcode) {
        self.tallies[usize::from(rcode.0).min(RCODES)].add(1);
    }

    #[cfg(test)]
    pub(crate) fn get(&self, rcode: Rcode) -> u64 {
        self.tallies[usize::from(rcode.0).min(RCODES)].get()
    }

    fn add_to(&self, counters: &mut Counters) {
        for (code, tally) in self.tallies.iter().enumerate().filter(|(_, tally)| tally.get() > 0) {
            let mnemonic = if code == RCODES { "other".to_owned() } else { Rcode(code as u16).to_string() };
            *counters.rcodes.entry(mnemonic).or_default() += tally.get();
        }
    }
}

/// The counters that all connections of one kind share: there a locked instruction is nothing beside the system calls.
#[derive(Debug, Default)]
pub(crate) struct StreamCounters {
    pub(crate) queries: AtomicU64,
    pub(crate) answers: AtomicU64,
    pub(crate) silent: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) shed: AtomicU64,
    pub(crate) transfers: AtomicU64,
    pub(crate) transfers_refused: AtomicU64,
    pub(crate) rcodes: std::sync::Mutex<Rcodes>,
}

/// What became of TLS handshakes.
#[derive(Debug, Default)]
pub(crate) struct HandshakeCounters {
    pub(crate) done: AtomicU64,
    pub(crate) resumed: AtomicU64,
    pub(crate) failed: AtomicU64,
}

impl StreamCounters {
    /// Counts one answer by its response code.
    pub(crate) fn count_rcode(&self, rcode: Rcode) {
        self.rcodes.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).count(rcode);
    }
}

/// The sums over all UDP workers.
pub(crate) fn sum<'a>(workers: impl Iterator<Item = &'a WorkerCounters>) -> Counters {
    let mut sum = Counters::default();
    for worker in workers {
        sum.udp_queries += worker.queries.get();
        sum.udp_answers += worker.answers.get();
        sum.silent += worker.silent.get();
        sum.rate_limited += worker.rate_limited.get();
        sum.slipped += worker.slipped.get();
        sum.send_errors += worker.send_errors.get();
        sum.panics += worker.panics.get();
        worker.rcodes.add_to(&mut sum);
    }
    sum
}

impl Counters {
    /// Adds what happened on TCP, of which `connections` are open now.
    pub(crate) fn add_tcp(&mut self, tcp: &StreamCounters, connections: usize) {
        self.tcp_queries += tcp.queries.load(Relaxed);
        self.tcp_answers += tcp.answers.load(Relaxed);
        self.tcp_connections += connections as u64;
        self.tcp_accepted += tcp.accepted.load(Relaxed);
        self.tcp_shed += tcp.shed.load(Relaxed);
        self.add_stream(tcp);
    }

    /// Adds what happened on TLS, of which `connections` are open now.
    pub(crate) fn add_tls(&mut self, tls: &StreamCounters, handshakes: &HandshakeCounters, connections: usize) {
        self.tls_queries += tls.queries.load(Relaxed);
        self.tls_answers += tls.answers.load(Relaxed);
        self.tls_connections += connections as u64;
        self.tls_accepted += tls.accepted.load(Relaxed);
        self.tls_shed += tls.shed.load(Relaxed);
        self.tls_handshakes += handshakes.done.load(Relaxed);
        self.tls_resumed += handshakes.resumed.load(Relaxed);
        self.tls_handshakes_failed += handshakes.failed.load(Relaxed);
        self.add_stream(tls);
    }

    /// Adds what is counted for all streams together.
    fn add_stream(&mut self, stream: &StreamCounters) {
        self.silent += stream.silent.load(Relaxed);
        self.panics += stream.panics.load(Relaxed);
        self.transfers += stream.transfers.load(Relaxed);
        self.transfers_refused += stream.transfers_refused.load(Relaxed);
        stream.rcodes.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).add_to(self);
    }
}
