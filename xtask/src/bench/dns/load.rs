//! The load: a generator that costs less than any server, so that the server is what is measured.
//!
//! Packets are taken from a [`Pool`] and sent by the batch from connected sockets. Each reply makes room for the next
//! query on its socket, so that a fixed number is outstanding at all times. The thread never sleeps: a server that had to
//! wake it up would be charged for that. Every reply is held to what its query must bring.

use std::array;
use std::io::{ErrorKind, IoSlice};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nssd::mmsg::{Batch, send_connected};

use super::pool::{Pool, Replier};
use crate::failure::{Context, Failure, Outcome};

/// Sockets with queries to one server.
pub(super) struct Load<'p> {
    pool: &'p Pool,
    replier: Replier,
    /// The query that goes next.
    next: usize,
    lanes: Vec<Lane>,
    batch: Batch,
}

/// What came of some time of load.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) answers: u64,
    /// Octets of all replies.
    pub(super) octets: u64,
    /// Queries without a reply in time; each is replaced by another query.
    pub(super) lost: u64,
    /// Replies that are not what they must be, and the first of them in words.
    pub(super) wrong: u64,
    pub(super) first_wrong: Option<String>,
    pub(super) time: Duration,
}

/// One socket and its outstanding queries.
struct Lane {
    socket: UdpSocket,
    slots: [Slot; WINDOW],
    /// The slots without a query: the first `free_count` of `free`.
    free: [u8; WINDOW],
    free_count: usize,
    /// How many slots are used.
    window: usize,
    sequence: u16,
}

/// Room for one outstanding query.
struct Slot {
    packet: [u8; QUERY_SIZE_MAX],
    len: usize,
    /// Which one of the pool it is.
    query: usize,
    /// When it was sent; none when the slot is free.
    sent: Option<Instant>,
}

impl<'p> Load<'p> {
    /// Opens so many sockets, which share the queries that are outstanding; the first query that will be sent is the `first`-th of the
    /// pool.
    pub(super) fn new(
        target: SocketAddr,
        sockets: u8,
        pool: &'p Pool,
        replier: Replier,
        first: usize,
    ) -> Outcome<Load<'p>> {
        let lanes = (0..sockets)
            .map(|_| Lane::new(target, OUTSTANDING / usize::from(sockets)))
            .collect::<Outcome<Vec<Lane>>>()?;
        Ok(Load { pool, replier, next: first % pool.len(), lanes, batch: Batch::new(QUERY_SIZE_MAX) })
    }

    /// Keeps the server busy for `time`. What is outstanding at the end stays so, for the next call.
    ///
    /// # Errors
    /// The server is gone.
    pub(super) fn run(&mut self, time: Duration) -> Outcome<Tally> {
        let mut tally = Tally::default();
        let start = Instant::now();
        let (mut now, mut swept) = (start, start);
        while now - start < time {
            let before = tally.answers;
            for lane in &mut self.lanes {
                lane.receive(&mut self.batch, self.pool, self.replier, &mut tally)?;
                lane.send(self.pool, &mut self.next, now)?;
            }
            if tally.answers == before {
                std::thread::yield_now();
            }
            now = Instant::now();
            if now - swept > LOSS_TIME / 4 {
                swept = now;
                tally.lost += self.lanes.iter_mut().map(|lane| lane.give_up(now)).sum::<u64>();
            }
        }
        tally.time = start.elapsed();
        Ok(tally)
    }
}

impl Lane {
    fn new(target: SocketAddr, window: usize) -> Outcome<Lane> {
        let any = if target.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0u16; 8]) };
        let socket = UdpSocket::bind((any, 0)).context("cannot bind a UDP socket")?;
        socket.connect(target).context(target)?;
        socket.set_nonblocking(true).context(target)?;
        let slots = array::from_fn(|_| Slot { packet: [0; QUERY_SIZE_MAX], len: 0, query: 0, sent: None });
        // Small enough for any integer.
        Ok(Lane { socket, slots, free: array::from_fn(|slot| slot as u8), free_count: window, window, sequence: 0 })
    }

    /// Takes what has come.
    fn receive(&mut self, batch: &mut Batch, pool: &Pool, replier: Replier, tally: &mut Tally) -> Outcome {
        if self.free_count == self.window {
            return Ok(());
        }
        let received = match batch.receive(&self.socket) {
            Ok(received) => received,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(()),
            Err(error) => return Err(error).context("the server is gone"),
        };
        for i in 0..received {
            let Some(reply) = batch.exchange(i).map(|exchange| exchange.request) else { continue };
            let Some(&[high, low]) = reply.first_chunk() else { continue };
            let at = usize::from(low) % SLOTS_NUMBERED;
            let Some(slot) = self.slots.get_mut(at) else { continue };
            // A late reply, whose query was given up, is not counted.
            if slot.sent.is_none() || slot.packet[..2] != [high, low] {
                continue;
            }
            slot.sent = None;
            self.free[self.free_count] = at as u8;
            self.free_count += 1;
            tally.answers += 1;
            tally.octets += reply.len() as u64;
            let query = pool.get(slot.query);
            if !query.is_answered_by(reply, replier) {
                tally.wrong += 1;
                tally.first_wrong.get_or_insert_with(|| query.complaint(reply));
            }
        }
        Ok(())
    }

    /// Fills all free slots and sends what is in them.
    fn send(&mut self, pool: &Pool, next: &mut usize, now: Instant) -> Outcome {
        if self.free_count == 0 {
            return Ok(());
        }
        let free = &self.free[..self.free_count];
        let mut query = *next;
        for &at in free {
            let slot = &mut self.slots[usize::from(at)];
            let packet = pool.get(query).packet;
            slot.packet[..packet.len()].copy_from_slice(packet);
            let id = self.sequence << SLOT_BITS | u16::from(at);
            slot.packet[..2].copy_from_slice(&id.to_be_bytes());
            (slot.len, slot.query) = (packet.len(), query);
            self.sequence = self.sequence.wrapping_add(1);
            query = if query + 1 == pool.len() { 0 } else { query + 1 };
        }
        let mut datagrams = [IoSlice::new(&[]); WINDOW];
        for (datagram, &at) in datagrams.iter_mut().zip(free) {
            let slot = &self.slots[usize::from(at)];
            *datagram = IoSlice::new(&slot.packet[..slot.len]);
        }
        let sent = match send_connected(&self.socket, &datagrams[..free.len()]) {
            Ok(sent) => sent,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error).context("the server is gone"),
        };
        for &at in &free[..sent] {
            self.slots[usize::from(at)].sent = Some(now);
        }
        *next = (*next + sent) % pool.len();
        self.free.copy_within(sent..self.free_count, 0);
        self.free_count -= sent;
        Ok(())
    }

    /// Frees the slots whose queries were sent too long ago; how many.
    fn give_up(&mut self, now: Instant) -> u64 {
        let mut lost = 0;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.sent.is_some_and(|sent| now - sent > LOSS_TIME) {
                slot.sent = None;
                self.free[self.free_count] = at as u8;
                self.free_count += 1;
                lost += 1;
            }
        }
        lost
    }
}

impl Tally {
    /// Counts one with the others.
    pub(super) fn add(&mut self, other: Tally) {
        self.answers += other.answers;
        self.octets += other.octets;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.first_wrong = self.first_wrong.take().or(other.first_wrong);
        self.time += other.time;
    }

    /// A server that answered wrongly, or not at all, has not been measured.
    pub(super) fn check(&self, name: &str) -> Outcome {
        match &self.first_wrong {
            Some(complaint) => Err(Failure::new(format!(
                "{} of {} replies of {name} are wrong: {complaint}",
                self.wrong, self.answers
            ))),
            None if self.answers == 0 => Err(Failure::new(format!("{name} answered none of {} queries", self.lost))),
            None => Ok(()),
        }
    }
}

/// Sockets, unless told otherwise, and queries outstanding on all of them: 10 clients and 200 queries, as dnsperf is usually run with.
pub(super) const SOCKETS: u8 = 10;
const OUTSTANDING: usize = 200;

/// Queries outstanding on one socket at most.
const WINDOW: usize = OUTSTANDING / SOCKETS as usize;

/// Bits of an id that say which slot it is; the others count.
const SLOT_BITS: u32 = 5;
const SLOTS_NUMBERED: usize = 1 << SLOT_BITS;
const _: () = assert!(WINDOW <= SLOTS_NUMBERED, "every slot has a number");

/// Octets of a query at most: header, longest name, type and class, OPT record.
const QUERY_SIZE_MAX: usize = 12 + 255 + 4 + 11;

/// After this time a query is lost: a thousand times what an answer takes when the server is busy, and longer than a
/// server is off its core on a shared machine.
const LOSS_TIME: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use nss_wire::{NameBuf, RType};

    use super::super::echo;
    use super::super::pool::Expected;
    use super::*;

    fn pool() -> Pool {
        let mut pool = Pool::default();
        for i in 0..50 {
            let qname: NameBuf = format!("name{i}.example").parse().unwrap();
            pool.push(qname.as_name(), RType::A, None, Expected::Records(1));
        }
        pool
    }

    /// Loads an echo until it has answered enough.
    fn load_echo(replier: Replier, sockets: u8) -> Tally {
        let (pool, stop) = (pool(), AtomicBool::new(false));
        let socket = echo::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::scope(|scope| {
            let echo = scope.spawn(|| echo::serve(&socket, &stop));
            let mut load = Load::new(address, sockets, &pool, replier, 7).unwrap();
            let mut tally = Tally::default();
            while tally.answers < 10_000 {
                tally.add(load.run(Duration::from_millis(5)).unwrap());
            }
            stop.store(true, Relaxed);
            echo.join().unwrap().unwrap();
            tally
        })
    }

    #[test]
    fn an_echo_answers_all_and_each_octet_is_counted() {
        for sockets in [SOCKETS, 200] {
            let tally = load_echo(Replier::Echo, sockets);
            tally.check("echo").unwrap();
            let sizes: Vec<u64> = pool().iter().map(|query| query.packet.len() as u64).collect();
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!((least * tally.answers..=most * tally.answers).contains(&tally.octets), "{tally:?}");
        }
    }

    #[test]
    fn a_server_that_only_echoes_is_found_out() {
        let tally = load_echo(Replier::Server, SOCKETS);
        assert_eq!(tally.wrong, tally.answers);
        let error = tally.check("echo").unwrap_err().to_string();
        assert!(error.contains("name7.example. A") && error.contains("Records(1)"), "{error}");
    }

    #[test]
    fn lost_queries_are_replaced_and_counted() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let pool = pool();
        let mut load = Load::new(server.local_addr().unwrap(), SOCKETS, &pool, Replier::Server, 0).unwrap();
        let mut tally = Tally::default();
        while tally.lost < OUTSTANDING as u64 * 2 {
            tally.add(load.run(LOSS_TIME).unwrap());
        }
        assert_eq!((tally.answers, tally.wrong), (0, 0));
        assert!(tally.check("nobody").unwrap_err().to_string().contains("answered none"));
    }

    #[test]
    fn a_server_that_is_gone_ends_the_load() {
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let pool = pool();
        let mut load = Load::new(address, SOCKETS, &pool, Replier::Server, 0).unwrap();
        assert!(load.run(Duration::from_secs(60)).unwrap_err().to_string().contains("gone"));
    }
}
