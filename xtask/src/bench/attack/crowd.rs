//! A crowd of TCP connections from many addresses: idle, slow, cut off in a handshake, or asking for zones.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Protocol, Socket, Type};

use super::polite::would_wait;
use super::table::Traffic;
use crate::bench::connections::SERVER_NAME;
use crate::failure::{Context, Outcome};

/// What everybody in a crowd does.
#[derive(Clone, Debug)]
pub(super) enum Habit {
    /// Nothing.
    Idle,
    /// A query's length at once, and then an octet of it each second.
    Slow,
    /// A TLS handshake up to one of several places; with the message that begins it.
    CutOff(Vec<u8>),
    /// One and the same query, with its length in front, again as soon as there is a reply.
    Asking(Vec<u8>),
}

/// Connections to one server, each from an address of its own. Those that the server closes are made again.
pub(super) struct Crowd {
    target: SocketAddr,
    habit: Habit,
    guests: Vec<Guest>,
    next: usize,
    /// Connections that are made in a second at most.
    rate: u32,
    begin: Instant,
    traffic: Traffic,
}

/// One address and its connection.
struct Guest {
    address: IpAddr,
    stream: Option<TcpStream>,
    /// How often it has connected.
    visits: usize,
    /// Octets sent over this connection.
    sent: usize,
    /// Octets of the reply that are there, or whether there was one.
    received: Vec<u8>,
    /// When the next octet is to be sent.
    due: Instant,
}

/// Whether a connection goes on.
enum Next {
    Stay,
    Leave,
}

impl Crowd {
    pub(super) fn new(target: SocketAddr, habit: Habit, size: usize, rate: u32) -> Crowd {
        let begin = Instant::now();
        let guest =
            |i| Guest { address: address(i), stream: None, visits: 0, sent: 0, received: Vec::new(), due: begin };
        Crowd {
            target,
            habit,
            guests: (0..size).map(guest).collect(),
            next: 0,
            rate,
            begin,
            traffic: Traffic::default(),
        }
    }

    /// Lets some of them go on.
    pub(super) fn step(&mut self, now: Instant) -> Outcome {
        for _ in 0..TURN.min(self.guests.len()) {
            let at = self.next;
            self.next = (at + 1) % self.guests.len();
            let guest = &mut self.guests[at];
            if let Some(stream) = &mut guest.stream {
                let mut life = Life {
                    stream,
                    sent: &mut guest.sent,
                    received: &mut guest.received,
                    due: &mut guest.due,
                    traffic: &mut self.traffic,
                };
                // A connection that breaks is one that the server has closed.
                if let Ok(Next::Stay) = life.step(&self.habit, guest.visits, now) {
                    continue;
                }
                guest.stream = None;
            }
            let allowed = (now - self.begin).as_secs_f64() * f64::from(self.rate);
            if (self.traffic.sent as f64) < allowed {
                self.traffic.sent += 1;
                guest.stream = Some(connect(guest.address, self.target)?);
                guest.visits += 1;
                (guest.sent, guest.due) = (0, now);
                guest.received.clear();
            }
        }
        Ok(())
    }

    /// Closes all connections.
    pub(super) fn leave(&mut self) {
        self.guests.iter_mut().for_each(|guest| guest.stream = None);
    }

    /// Connections that are open, as far as this side knows.
    pub(super) fn open(&self) -> usize {
        self.guests.iter().filter(|guest| guest.stream.is_some()).count()
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.traffic
    }
}

/// A connection and what there is to know about it.
struct Life<'g> {
    stream: &'g mut TcpStream,
    sent: &'g mut usize,
    received: &'g mut Vec<u8>,
    due: &'g mut Instant,
    traffic: &'g mut Traffic,
}

impl Life<'_> {
    fn step(&mut self, habit: &Habit, visits: usize, now: Instant) -> io::Result<Next> {
        match habit {
            Habit::Idle => Ok(if self.read()?.is_some_and(|len| len == 0) { Next::Leave } else { Next::Stay }),
            Habit::Slow => {
                if now >= *self.due {
                    let octets = if *self.sent == 0 { &SLOW_LENGTH[..] } else { &[0] };
                    if self.write(octets)? > 0 {
                        *self.due = now + SLOW_INTERVAL;
                    }
                }
                Ok(if self.read()?.is_some_and(|len| len == 0) { Next::Leave } else { Next::Stay })
            }
            Habit::CutOff(hello) => self.cut_off(hello, visits),
            Habit::Asking(query) => self.ask(query),
        }
    }

    /// Goes on to one of several places of a handshake and leaves there.
    fn cut_off(&mut self, hello: &[u8], visits: usize) -> io::Result<Next> {
        let place = CUTS[visits % CUTS.len()];
        let wanted = match place {
            Cut::Connected => 0,
            Cut::InHello | Cut::Hanging => hello.len() / 2,
            Cut::AfterHello | Cut::AfterServer => hello.len(),
        };
        if *self.sent < wanted {
            self.write(&hello[*self.sent..wanted])?;
            return Ok(Next::Stay);
        }
        let read = self.read()?;
        Ok(match (place, read) {
            (Cut::Connected | Cut::InHello | Cut::AfterHello, _) => Next::Leave,
            (Cut::Hanging | Cut::AfterServer, None) => Next::Stay,
            (Cut::Hanging, Some(_)) => Next::Leave,
            (Cut::AfterServer, Some(_)) => {
                // Nothing that the keys could open.
                self.write(&[23, 3, 3, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
                Next::Leave
            }
        })
    }

    fn ask(&mut self, query: &[u8]) -> io::Result<Next> {
        if *self.sent < query.len() {
            self.write(&query[*self.sent..])?;
            return Ok(Next::Stay);
        }
        if self.read()?.is_some_and(|len| len == 0) {
            return Ok(Next::Leave);
        }
        let Some((length, rest)) = self.received.split_first_chunk() else { return Ok(Next::Stay) };
        let length = usize::from(u16::from_be_bytes(*length));
        if rest.len() >= length {
            self.received.drain(..2 + length);
            self.traffic.replies += 1;
            *self.sent = 0;
        }
        Ok(Next::Stay)
    }

    /// Sends some of it; how much.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = would_wait(self.stream.write(octets))?.unwrap_or(0);
        *self.sent += written;
        self.traffic.octets_sent += written as u64;
        Ok(written)
    }

    /// Reads what is there; none if that is nothing yet, 0 if it is the end.
    fn read(&mut self) -> io::Result<Option<usize>> {
        let mut buffer = [0; 4096];
        let read = would_wait(self.stream.read(&mut buffer))?;
        if let Some(len) = read {
            self.received.extend(&buffer[..len]);
            self.traffic.octets_received += len as u64;
        }
        Ok(read)
    }
}

/// Begins a connection from this address, without waiting until there is one.
pub(super) fn connect(from: IpAddr, to: SocketAddr) -> Outcome<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).context("no more sockets")?;
    socket.set_nonblocking(true).context(to)?;
    socket.set_tcp_nodelay(true).context(to)?;
    socket.bind(&SocketAddr::new(from, 0).into()).context(format_args!("cannot bind {from}"))?;
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32) => {}
        Err(error) => return Err(error).context("the server is gone"),
    }
    Ok(socket.into())
}

/// The message that begins a TLS handshake.
pub(super) fn client_hello(config: &Arc<ClientConfig>) -> Outcome<Vec<u8>> {
    let name = SERVER_NAME.try_into().expect("the constant is a name");
    let mut tls = ClientConnection::new(config.clone(), name).context("TLS")?;
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).context("TLS")?;
    Ok(hello)
}

/// The address of the `i`-th in a crowd: 127.64.0.0/10 has four million of them.
fn address(i: usize) -> IpAddr {
    IpAddr::from([127, 64 | (i >> 16 & 63) as u8, (i >> 8) as u8, i as u8])
}

/// Where a handshake is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Before the first octet.
    Connected,
    /// In the middle of the client's first message.
    InHello,
    /// Behind it, while the server works.
    AfterHello,
    /// Behind the server's answer, with nonsense.
    AfterServer,
    /// In the middle of the first message, without an end.
    Hanging,
}

/// One after the other.
const CUTS: [Cut; 5] = [Cut::Connected, Cut::InHello, Cut::AfterHello, Cut::AfterServer, Cut::Hanging];

/// Connections that are looked at in a step, so that the polite client is not kept waiting.
const TURN: usize = 64;

/// A message of 256 octets.
const SLOW_LENGTH: [u8; 2] = [1, 0];

const SLOW_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn each_guest_has_an_address_and_comes_back_when_it_is_sent_away() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut crowd = Crowd::new(server.local_addr().unwrap(), Habit::Idle, 3, 6);
        let begin = crowd.begin;
        crowd.step(begin + Duration::from_millis(500)).unwrap();
        assert_eq!((crowd.open(), crowd.traffic().sent), (3, 3));
        let mut seen = BTreeSet::new();
        for _ in 0..3 {
            seen.insert(server.accept().unwrap().1.ip());
        }
        assert_eq!(seen, (0..3).map(address).collect());
        while crowd.traffic().sent < 6 {
            crowd.step(begin + Duration::from_secs(60)).unwrap();
        }
        assert_eq!(seen, (0..3).map(|_| server.accept().unwrap().1.ip()).collect());
    }

    #[test]
    fn the_slow_send_a_length_and_then_an_octet_each_second() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut crowd = Crowd::new(server.local_addr().unwrap(), Habit::Slow, 1, 1000);
        let begin = crowd.begin;
        for (seconds, octets) in [(1, 0), (1, 2), (1, 2), (2, 3), (2, 3), (3, 4)] {
            crowd.step(begin + Duration::from_secs(seconds)).unwrap();
            assert_eq!(crowd.traffic().octets_sent, octets, "after {seconds} s");
        }
    }

    #[test]
    fn a_reply_makes_room_for_the_next_question() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut crowd = Crowd::new(server.local_addr().unwrap(), Habit::Asking(b"\0\x03abc".to_vec()), 1, 1000);
        let now = crowd.begin + Duration::from_secs(1);
        crowd.step(now).unwrap();
        let mut stream = server.accept().unwrap().0;
        for replies in 1..=3 {
            while crowd.guests[0].sent < 5 {
                crowd.step(now).unwrap();
            }
            let mut query = [0; 5];
            stream.read_exact(&mut query).unwrap();
            assert_eq!(&query, b"\0\x03abc");
            stream.write_all(b"\0\x01x").unwrap();
            while crowd.traffic().replies < replies {
                crowd.step(now).unwrap();
            }
        }
    }
}
