//! A flood over UDP: packets from many addresses, as many as one core sends, and what comes back.

use std::io::{ErrorKind, IoSlice};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

use nssd::mmsg::{BATCH_SIZE, Batch, send_connected};

use super::packets::Packets;
use super::table::Traffic;
use crate::failure::{Context, Failure, Outcome};

/// Sockets with different source addresses that send the same packets in turn.
pub(super) struct Flood<'p> {
    packets: &'p Packets,
    sockets: Vec<UdpSocket>,
    next_packet: usize,
    next_socket: usize,
    /// Packets in a second at most.
    rate: Option<u32>,
    begin: Instant,
    traffic: Traffic,
    batch: Batch,
}

impl<'p> Flood<'p> {
    /// One socket for each source address, which may be there more than once.
    pub(super) fn new(
        target: SocketAddr,
        sources: impl Iterator<Item = IpAddr>,
        packets: &'p Packets,
        rate: Option<u32>,
    ) -> Outcome<Flood<'p>> {
        let open = |source: IpAddr| {
            let socket = UdpSocket::bind((source, 0)).context(format_args!("cannot bind {source}"))?;
            socket.connect(target).context(target)?;
            socket.set_nonblocking(true).context(target)?;
            Ok(socket)
        };
        let sockets = sources.map(open).collect::<Outcome<Vec<_>>>()?;
        if sockets.is_empty() || packets.is_empty() {
            return Err(Failure::new("a flood needs a source and a packet"));
        }
        Ok(Flood {
            packets,
            sockets,
            next_packet: 0,
            next_socket: 0,
            rate,
            begin: Instant::now(),
            traffic: Traffic::default(),
            batch: Batch::new(REPLY_SIZE),
        })
    }

    /// Sends one batch, if it is time for it, and takes what has come for its socket.
    pub(super) fn step(&mut self, now: Instant) -> Outcome {
        let is_due = self.rate.is_none_or(|rate| {
            let due = (now - self.begin).as_secs_f64() * f64::from(rate);
            self.traffic.sent as f64 + BATCH_SIZE as f64 <= due
        });
        let at = self.next_socket;
        self.next_socket = (at + 1) % self.sockets.len();
        self.receive(at)?;
        if is_due { self.send(at) } else { Ok(()) }
    }

    /// Takes what is still waiting, on all sockets, until nothing is.
    pub(super) fn drain(&mut self) -> Outcome {
        loop {
            let before = self.traffic.replies;
            for at in 0..self.sockets.len() {
                self.receive(at)?;
            }
            if self.traffic.replies == before {
                return Ok(());
            }
        }
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn send(&mut self, at: usize) -> Outcome {
        let mut datagrams = [IoSlice::new(&[]); BATCH_SIZE];
        for (i, datagram) in datagrams.iter_mut().enumerate() {
            *datagram = IoSlice::new(&self.packets[(self.next_packet + i) % self.packets.len()]);
        }
        let sent = match send_connected(&self.sockets[at], &datagrams) {
            Ok(sent) => sent,
            Err(error) if is_congestion(error.kind()) => return Ok(()),
            Err(error) => return Err(error).context("the server is gone"),
        };
        self.traffic.sent += sent as u64;
        self.traffic.octets_sent += datagrams[..sent].iter().map(|datagram| datagram.len() as u64).sum::<u64>();
        self.next_packet = (self.next_packet + sent) % self.packets.len();
        Ok(())
    }

    fn receive(&mut self, at: usize) -> Outcome {
        loop {
            let received = match self.batch.receive(&self.sockets[at]) {
                Ok(received) => received,
                Err(error) if is_congestion(error.kind()) => return Ok(()),
                Err(error) => return Err(error).context("the server is gone"),
            };
            self.traffic.replies += received as u64;
            self.traffic.octets_received += self.batch.requests().map(|reply| reply.len() as u64).sum::<u64>();
            if received < BATCH_SIZE {
                return Ok(());
            }
        }
    }
}

fn is_congestion(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::OutOfMemory)
}

/// A flood sends nothing with a batch that it has received.
const REPLY_SIZE: usize = 1;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn packets_leave_from_all_sources_and_replies_are_counted() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let packets = vec![vec![1; 3], vec![2; 5]];
        let sources = ["127.0.0.2", "127.0.0.3"].map(|source| source.parse().unwrap());
        let mut flood = Flood::new(server.local_addr().unwrap(), sources.into_iter(), &packets, None).unwrap();
        flood.step(Instant::now()).unwrap();
        flood.step(Instant::now()).unwrap();
        let mut seen = Vec::new();
        for _ in 0..2 * BATCH_SIZE {
            let mut buffer = [0; 8];
            let (len, from) = server.recv_from(&mut buffer).unwrap();
            seen.push((from.ip(), len));
            server.send_to(&buffer[..1], from).unwrap();
        }
        assert!(sources.iter().all(|source| seen.contains(&(*source, 3)) && seen.contains(&(*source, 5))));
        flood.drain().unwrap();
        let (traffic, sent) = (flood.traffic(), 2 * BATCH_SIZE as u64);
        assert_eq!((traffic.sent, traffic.octets_sent), (sent, 4 * sent));
        assert_eq!((traffic.replies, traffic.octets_received), (sent, sent));
    }

    #[test]
    fn a_flood_keeps_to_its_rate() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let packets = vec![vec![0; 1]];
        let source = [IpAddr::from([127, 0, 0, 2])];
        let mut flood =
            Flood::new(server.local_addr().unwrap(), source.into_iter(), &packets, Some(BATCH_SIZE as u32)).unwrap();
        let begin = flood.begin;
        for (seconds, sent) in [(0, 0), (1, 1), (1, 1), (3, 2), (3, 3), (3, 3)] {
            flood.step(begin + Duration::from_secs(seconds)).unwrap();
            assert_eq!(flood.traffic().sent, sent * BATCH_SIZE as u64, "after {seconds} s");
        }
    }
}
