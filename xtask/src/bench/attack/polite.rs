//! A polite client: a few questions a second from an address of its own, and how long each answer takes.
//!
//! Over UDP it has one socket and sends back the cookie that it got, as resolvers do. Over TCP and TLS it makes a connection for
//! each question, which is what a client has to do that has none yet. It never waits: the attacker runs on the same thread, and
//! lets it look at its sockets after each batch of packets.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nss_wire::message::{OptionCode, Reader};
use rustls::{ClientConfig, ClientConnection};

use super::crowd::connect;
use super::packets::framed;
use super::table::Service;
use crate::bench::connections::SERVER_NAME;
use crate::bench::dns::pool::{Pool, Prepared, Replier};
use crate::failure::{Context, Failure, Outcome};

/// Where the polite client is; a network that no flood comes from, except one in its name.
pub(super) const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 9, 9, 9));

/// How it asks.
#[derive(Clone, Debug)]
pub(super) enum Way {
    Udp,
    Tcp,
    Tls(Arc<ClientConfig>),
}

/// The client and its outstanding questions.
pub(super) struct Polite<'p> {
    server: SocketAddr,
    way: Way,
    questions: &'p Pool,
    udp: UdpSocket,
    /// The client's part, and that of the server once it is known.
    cookie: Vec<u8>,
    interval: Duration,
    due: Instant,
    /// Which question is next, and its id.
    next: u16,
    outstanding: Vec<Asked>,
    pub(super) service: Service,
}

/// A question without its answer.
struct Asked {
    id: u16,
    question: usize,
    at: Instant,
    /// The connection that it goes over, unless it is UDP.
    dialogue: Option<Dialogue>,
}

/// One question over a connection of its own.
struct Dialogue {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What has not been sent yet.
    output: Vec<u8>,
    input: Vec<u8>,
}

impl<'p> Polite<'p> {
    pub(super) fn new(server: SocketAddr, way: Way, questions: &'p Pool, rate: u32) -> Outcome<Polite<'p>> {
        let udp = UdpSocket::bind((ADDRESS, 0)).context(format_args!("cannot bind {ADDRESS}"))?;
        udp.connect(server).context(server)?;
        udp.set_nonblocking(true).context(server)?;
        Ok(Polite {
            server,
            way,
            questions,
            udp,
            cookie: CLIENT_COOKIE.to_vec(),
            interval: Duration::from_secs(1) / rate.max(1),
            due: Instant::now(),
            next: 0,
            outstanding: Vec::new(),
            service: Service::default(),
        })
    }

    /// Asks if it is time for it, and takes the answers that are there.
    pub(super) fn step(&mut self, now: Instant) -> Outcome {
        if now >= self.due {
            self.due = now.max(self.due + self.interval);
            self.ask(now)?;
        }
        self.listen(now)
    }

    /// Takes the answers that are there, and asks nothing more; whether all questions are answered or given up.
    pub(super) fn finish(&mut self, now: Instant) -> Outcome<bool> {
        self.listen(now)?;
        Ok(self.outstanding.is_empty())
    }

    /// Forgets what was counted so far; what is outstanding counts for nothing.
    pub(super) fn begin(&mut self) {
        self.outstanding.clear();
        self.service = Service::default();
        self.due = Instant::now();
    }

    /// Asks one question after the other, each one again if no answer comes.
    ///
    /// # Errors
    /// One was not answered however often it was asked.
    pub(super) fn insist(&mut self, count: usize) -> Outcome {
        for done in 0..count {
            let mut tries = 0;
            loop {
                self.begin();
                self.ask(Instant::now())?;
                while !self.finish(Instant::now())? {
                    std::thread::yield_now();
                }
                tries += 1;
                if self.service.latencies_ms.len() == 1 {
                    break;
                }
                if tries == TRIES {
                    let way = &self.way;
                    return Err(Failure::new(format!("after the attack question {done} had no answer over {way:?}")));
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, now: Instant) -> Outcome {
        let (id, question) = (self.next, usize::from(self.next) % self.questions.len());
        self.next = self.next.wrapping_add(1);
        let packet = self.questions.get(question).with_id(id);
        let dialogue = match &self.way {
            Way::Udp => {
                match self.udp.send(&with_cookie(packet, &self.cookie)) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error).context("the server is gone"),
                }
                None
            }
            Way::Tcp => Some(Dialogue::new(self.server, &packet, None)?),
            Way::Tls(config) => Some(Dialogue::new(self.server, &packet, Some(config))?),
        };
        self.outstanding.push(Asked { id, question, at: now, dialogue });
        self.service.asked += 1;
        Ok(())
    }

    fn listen(&mut self, now: Instant) -> Outcome {
        if self.outstanding.is_empty() {
            return Ok(());
        }
        let mut buffer = [0; 4096];
        loop {
            match self.udp.recv(&mut buffer) {
                Ok(len) => self.take(&buffer[..len], now),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => break,
                Err(error) => return Err(error).context("the server is gone"),
            }
        }
        let (questions, service) = (self.questions, &mut self.service);
        self.outstanding.retain_mut(|asked| {
            if now.saturating_duration_since(asked.at) > REPLY_TIME {
                return false;
            }
            let Some(dialogue) = &mut asked.dialogue else { return true };
            match dialogue.step() {
                Ok(None) => true,
                Ok(Some(reply)) => {
                    asked.settle(questions, &reply, now, service);
                    false
                }
                // The server has closed it: there will be no answer.
                Err(_) => false,
            }
        });
        Ok(())
    }

    /// A reply over UDP.
    fn take(&mut self, reply: &[u8], now: Instant) {
        let Some(&id) = reply.first_chunk() else { return };
        let id = u16::from_be_bytes(id);
        let Some(at) = self.outstanding.iter().position(|asked| asked.id == id && asked.dialogue.is_none()) else {
            return;
        };
        let asked = self.outstanding.swap_remove(at);
        asked.settle(self.questions, reply, now, &mut self.service);
        if let Some(cookie) = cookie(reply) {
            self.cookie = cookie;
        }
    }
}

impl Asked {
    /// Counts a reply if it is right.
    fn settle(&self, questions: &Pool, reply: &[u8], now: Instant, service: &mut Service) {
        let question: Prepared<'_> = questions.get(self.question);
        if reply.starts_with(&self.id.to_be_bytes()) && question.is_answered_by(reply, Replier::Server) {
            service.latencies_ms.push(now.saturating_duration_since(self.at).as_secs_f64() * 1000.0);
        }
    }
}

impl Dialogue {
    fn new(server: SocketAddr, packet: &[u8], config: Option<&Arc<ClientConfig>>) -> Outcome<Dialogue> {
        let stream = connect(ADDRESS, server)?;
        let mut output = framed(packet);
        let tls = match config {
            None => None,
            Some(config) => {
                let name = SERVER_NAME.try_into().expect("the constant is a name");
                let mut tls = Box::new(ClientConnection::new(config.clone(), name).context("TLS")?);
                // It keeps this until the handshake is done.
                tls.writer().write_all(&output).context("TLS")?;
                output.clear();
                Some(tls)
            }
        };
        Ok(Dialogue { stream, tls, output, input: Vec::new() })
    }

    /// Goes on as far as it can without waiting; the reply, when all of it is there.
    fn step(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut buffer = [0; 4096];
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                if would_wait(tls.write_tls(&mut self.stream))?.is_none() {
                    break;
                }
            }
            match would_wait(tls.read_tls(&mut self.stream))? {
                None => {}
                Some(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Some(_) => {
                    tls.process_new_packets().map_err(std::io::Error::other)?;
                }
            }
            if let Some(len) = would_wait(tls.reader().read(&mut buffer))? {
                self.input.extend(&buffer[..len]);
            }
        } else {
            if !self.output.is_empty()
                && let Some(written) = would_wait(self.stream.write(&self.output))?
            {
                self.output.drain(..written);
            }
            match would_wait(self.stream.read(&mut buffer))? {
                None => {}
                Some(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Some(len) => self.input.extend(&buffer[..len]),
            }
        }
        let Some((length, rest)) = self.input.split_first_chunk() else { return Ok(None) };
        Ok(rest.get(..usize::from(u16::from_be_bytes(*length))).map(<[u8]>::to_vec))
    }
}

/// None for what has to wait, a connection that is being made included.
pub(super) fn would_wait(result: std::io::Result<usize>) -> std::io::Result<Option<usize>> {
    match result {
        Ok(len) => Ok(Some(len)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected => Ok(None),
            _ => Err(error),
        },
    }
}

/// A query without EDNS, with an OPT record that holds a cookie (RFC 7873 §4).
fn with_cookie(mut packet: Vec<u8>, cookie: &[u8]) -> Vec<u8> {
    packet[11] = 1;
    packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4 + cookie.len() as u8]);
    packet.extend(OptionCode::COOKIE.0.to_be_bytes());
    packet.extend([0, cookie.len() as u8]);
    packet.extend(cookie);
    packet
}

/// The whole cookie in a reply, if it is one that was made for us.
fn cookie(reply: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(reply).ok()?;
    reader.question().ok()?;
    let cookie = reader.edns().ok()??.option(OptionCode::COOKIE)?;
    (cookie.starts_with(&CLIENT_COOKIE) && (16..=40).contains(&cookie.len())).then(|| cookie.to_vec())
}

/// Its own part of the cookie, which would be a secret anywhere else.
const CLIENT_COOKIE: [u8; 8] = *b"polite!!";

/// Who has no answer after this time asks again or somebody else: of the order of what resolvers wait.
pub(super) const REPLY_TIME: Duration = Duration::from_secs(1);

/// How often a question is asked before its server counts as one that does not answer.
const TRIES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::attack::tenants;

    /// Answers with one record and the cookie `server`, whatever was asked.
    fn answer(query: &[u8], server: &[u8]) -> Vec<u8> {
        let mut reader = Reader::new(query).unwrap();
        reader.question().unwrap();
        let question_end = reader.offset();
        let mut reply = query[..question_end].to_vec();
        (reply[2], reply[7]) = (0x84, 1);
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1]);
        with_cookie(reply, &[&CLIENT_COOKIE, server].concat())
    }

    #[test]
    fn an_answer_in_time_counts_and_its_cookie_is_sent_back() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let questions = tenants::polite_questions();
        let mut polite = Polite::new(server.local_addr().unwrap(), Way::Udp, &questions, 1).unwrap();
        let mut buffer = [0; 512];
        for expected_cookie in [&b""[..], b"12345678"] {
            polite.begin();
            polite.step(polite.due).unwrap();
            let (len, from) = server.recv_from(&mut buffer).unwrap();
            assert_eq!(from.ip(), ADDRESS);
            assert!(buffer[..len].ends_with(&[&CLIENT_COOKIE, expected_cookie].concat()));
            server.send_to(&answer(&buffer[..len], b"12345678"), from).unwrap();
            while !polite.finish(Instant::now()).unwrap() {}
            assert_eq!((polite.service.asked, polite.service.latencies_ms.len()), (1, 1));
        }
    }

    #[test]
    fn a_wrong_answer_and_a_late_one_do_not_count() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let questions = tenants::polite_questions();
        let mut polite = Polite::new(server.local_addr().unwrap(), Way::Udp, &questions, 1).unwrap();
        let mut buffer = [0; 512];
        let now = polite.due;
        polite.step(now).unwrap();
        let (len, from) = server.recv_from(&mut buffer).unwrap();
        let mut refused = answer(&buffer[..len], b"12345678");
        refused[3] = 5;
        server.send_to(&refused, from).unwrap();
        while !polite.finish(now).unwrap() {}
        polite.step(now + Duration::from_secs(1)).unwrap();
        assert!(!polite.finish(now + Duration::from_secs(2)).unwrap());
        assert!(polite.finish(now + Duration::from_secs(3)).unwrap());
        assert_eq!((polite.service.asked, polite.service.latencies_ms.len()), (2, 0));
    }

    #[test]
    fn each_question_over_tcp_has_a_connection_of_its_own() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2 {
                    let mut stream = server.accept().unwrap().0;
                    let mut length = [0; 2];
                    stream.read_exact(&mut length).unwrap();
                    let mut query = vec![0; u16::from_be_bytes(length).into()];
                    stream.read_exact(&mut query).unwrap();
                    stream.write_all(&framed(&answer(&query, b""))).unwrap();
                }
                // The third one gets nothing, five times.
                for _ in 0..TRIES {
                    drop(server.accept().unwrap());
                }
            });
            let questions = tenants::polite_questions();
            let mut polite = Polite::new(address, Way::Tcp, &questions, 1).unwrap();
            let error = polite.insist(3).unwrap_err().to_string();
            assert!(error.contains("question 2 had no answer"), "{error}");
        });
    }
}
