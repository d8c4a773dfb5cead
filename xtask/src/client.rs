//! A small DNS client: questions over UDP or TCP, one at a time or many under way.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use nss_wire::{Class, Name, NameBuf, RType};

use crate::failure::{Context, Outcome};

/// Over loopback an answer takes microseconds; a busy machine may deschedule the server for a while.
const REPLY_TIME: Duration = Duration::from_secs(2);

/// Of many queries a server may leave some unanswered on purpose; those are asked again with more patience.
const FIRST_REPLY_TIME: Duration = Duration::from_millis(300);

/// The carrier of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// The OPT record of a query (RFC 6891 §6.1.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edns {
    pub(crate) payload_size: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
}

/// One question.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) id: u16,
    pub(crate) opcode: u8,
    pub(crate) qname: NameBuf,
    pub(crate) qtype: RType,
    pub(crate) qclass: Class,
    pub(crate) flags: Flags,
    pub(crate) edns: Option<Edns>,
    pub(crate) transport: Transport,
}

/// The bits of a query's header that are the asker's to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// RD (RFC 1035 §4.1.1).
    pub(crate) recursion_desired: bool,
    /// AD (RFC 6840 §5.7).
    pub(crate) authentic_data: bool,
    /// CD (RFC 4035 §3.2.2).
    pub(crate) checking_disabled: bool,
}

impl Query {
    /// A plain question over UDP.
    pub(crate) fn new(qname: Name<'_>, qtype: RType) -> Query {
        Query {
            id: 0x1035,
            opcode: 0,
            qname: qname.to_buf(),
            qtype,
            qclass: Class::IN,
            flags: Flags::default(),
            edns: None,
            transport: Transport::Udp,
        }
    }

    /// The message in wire form.
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        let mut wire = self.id.to_be_bytes().to_vec();
        let Flags { recursion_desired, authentic_data, checking_disabled } = self.flags;
        let flags = u8::from(authentic_data) << 5 | u8::from(checking_disabled) << 4;
        wire.extend([
            self.opcode << 3 | u8::from(recursion_desired),
            flags,
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            u8::from(self.edns.is_some()),
        ]);
        wire.extend(self.qname.as_name().as_wire());
        wire.extend(self.qtype.0.to_be_bytes());
        wire.extend(self.qclass.0.to_be_bytes());
        if let Some(edns) = self.edns {
            wire.push(0);
            wire.extend(RType::OPT.0.to_be_bytes());
            wire.extend(edns.payload_size.to_be_bytes());
            wire.extend([0, edns.version, u8::from(edns.dnssec_ok) << 7, 0, 0, 0]);
        }
        wire
    }
}

/// Sockets to one server.
pub(crate) struct Client {
    address: SocketAddr,
    udp: UdpSocket,
    tcp: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Outcome<Client> {
        let any = SocketAddr::new(if address.is_ipv4() { [0, 0, 0, 0].into() } else { IpAddr::from([0u16; 8]) }, 0);
        let udp = UdpSocket::bind(any).context("cannot bind a UDP socket")?;
        udp.connect(address).context(address)?;
        udp.set_read_timeout(Some(REPLY_TIME)).context(address)?;
        Ok(Client { address, udp, tcp: None, buffer: vec![0; 65535] })
    }

    /// Sends a query without waiting for the reply.
    pub(crate) fn send(&mut self, query: &[u8], transport: Transport) -> io::Result<()> {
        match transport {
            Transport::Udp => self.udp.send(query).map(drop),
            Transport::Tcp => {
                let length = u16::try_from(query.len()).map_err(io::Error::other)?;
                let framed = [&length.to_be_bytes()[..], query].concat();
                // A server may have closed an idle connection since the last query (RFC 7766 §6.2.3).
                for _ in 0..2 {
                    if let Some(stream) = &mut self.tcp {
                        let mut probe = [0; 1];
                        stream.set_nonblocking(true)?;
                        // Replies to earlier queries may be waiting.
                        let open = match stream.peek(&mut probe) {
                            Ok(waiting) => waiting > 0,
                            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
                        };
                        stream.set_nonblocking(false)?;
                        if open && stream.write_all(&framed).is_ok() {
                            return Ok(());
                        }
                    }
                    let stream = TcpStream::connect_timeout(&self.address, REPLY_TIME)?;
                    stream.set_read_timeout(Some(REPLY_TIME))?;
                    stream.set_nodelay(true)?;
                    self.tcp = Some(stream);
                }
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
    }

    /// The reply to the query with this id; none if the server stays silent, closes, or was never reached.
    pub(crate) fn receive(&mut self, id: u16, transport: Transport) -> Option<Vec<u8>> {
        let start = Instant::now();
        while start.elapsed() < REPLY_TIME {
            let reply = self.receive_any(transport).ok()?;
            // A late reply to an earlier query is not ours.
            if reply.starts_with(&id.to_be_bytes()) {
                return Some(reply);
            }
        }
        None
    }

    fn receive_stream(&mut self) -> io::Result<Vec<u8>> {
        let stream = self.tcp.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut reply)?;
        Ok(reply)
    }

    /// Asks many at once; the replies come in the order of the queries, whose IDs have to be different.
    ///
    /// Queries that stay without reply are asked once more, since UDP may lose packets.
    pub(crate) fn ask_many(&mut self, queries: &[Query]) -> Vec<Option<Vec<u8>>> {
        let mut replies = vec![None; queries.len()];
        for time in [FIRST_REPLY_TIME, REPLY_TIME] {
            for (transport, window) in [(Transport::Udp, UDP_WINDOW), (Transport::Tcp, TCP_WINDOW)] {
                let is_wanted = |at: &usize| queries[*at].transport == transport && replies[*at].is_none();
                let wanted: Vec<usize> = (0..queries.len()).filter(is_wanted).collect();
                for window in wanted.chunks(window) {
                    self.ask_window(queries, window, transport, time, &mut replies);
                }
            }
        }
        replies
    }

    fn ask_window(
        &mut self,
        queries: &[Query],
        window: &[usize],
        transport: Transport,
        time: Duration,
        replies: &mut [Option<Vec<u8>>],
    ) {
        if self.set_reply_time(transport, time).is_err() {
            return;
        }
        for &at in window {
            if self.send(&queries[at].to_wire(), transport).is_err() {
                return;
            }
        }
        let by_id: HashMap<[u8; 2], usize> = window.iter().map(|&at| (queries[at].id.to_be_bytes(), at)).collect();
        let mut missing = window.len();
        while missing > 0 {
            let Ok(reply) = self.receive_any(transport) else { break };
            let at = reply.first_chunk().and_then(|id| by_id.get(id));
            // Late replies to earlier queries are passed over.
            if let Some(&at) = at
                && replies[at].replace(reply).is_none()
            {
                missing -= 1;
            }
        }
        // A socket that cannot be set so cannot be asked either.
        let _ = self.set_reply_time(transport, REPLY_TIME);
    }

    fn set_reply_time(&mut self, transport: Transport, time: Duration) -> io::Result<()> {
        match (transport, &self.tcp) {
            (Transport::Udp, _) => self.udp.set_read_timeout(Some(time)),
            (Transport::Tcp, Some(stream)) => stream.set_read_timeout(Some(time)),
            (Transport::Tcp, None) => Ok(()),
        }
    }

    /// The next message from the server, whatever it answers.
    fn receive_any(&mut self, transport: Transport) -> io::Result<Vec<u8>> {
        match transport {
            Transport::Udp => {
                let length = self.udp.recv(&mut self.buffer)?;
                Ok(self.buffer[..length].to_vec())
            }
            Transport::Tcp => self.receive_stream().inspect_err(|_| self.tcp = None),
        }
    }

    /// Asks and waits.
    pub(crate) fn ask(&mut self, query: &Query) -> Option<Vec<u8>> {
        self.send(&query.to_wire(), query.transport).ok()?;
        self.receive(query.id, query.transport)
    }
}

/// Queries on the way at once over UDP: their replies fit into the buffer that Linux gives a socket.
const UDP_WINDOW: usize = 48;

/// Queries on the way at once over TCP: short enough for the server to take them all before it has to write.
const TCP_WINDOW: usize = 8;

/// The RCODE of a reply, without the upper bits in its OPT record.
pub(crate) fn rcode(reply: &[u8]) -> Option<u8> {
    reply.get(3).map(|flags| flags & 15)
}

/// A port that is free for UDP and TCP on all of the addresses.
pub(crate) fn free_port(addresses: &[IpAddr]) -> Outcome<u16> {
    loop {
        let first = *addresses.first().unwrap_or(&IpAddr::from([127, 0, 0, 1]));
        let socket = UdpSocket::bind((first, 0)).context("cannot bind a UDP socket")?;
        let port = socket.local_addr().context("cannot bind a UDP socket")?.port();
        drop(socket);
        if addresses.iter().all(|address| is_free(SocketAddr::new(*address, port))) {
            return Ok(port);
        }
    }
}

/// Whether a server could listen there, for UDP and TCP.
pub(crate) fn is_free(address: SocketAddr) -> bool {
    UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_what_the_rfc_says() {
        let mut query = Query::new(Name::ROOT, RType::NS);
        assert_eq!(query.to_wire(), [0x10, 0x35, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]);
        query.edns = Some(Edns { payload_size: 1232, version: 0, dnssec_ok: true });
        assert_eq!(query.to_wire()[17..], [0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 0]);
    }

    #[test]
    fn flags_are_where_the_rfc_has_them() {
        let mut query = Query::new(Name::ROOT, RType::NS);
        query.flags = Flags { recursion_desired: true, authentic_data: false, checking_disabled: true };
        assert_eq!(query.to_wire()[2..4], [0x01, 0x10]);
        query.flags = Flags { recursion_desired: false, authentic_data: true, checking_disabled: false };
        assert_eq!(query.to_wire()[2..4], [0x00, 0x20]);
    }

    #[test]
    fn replies_find_their_queries_in_any_order() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut client = Client::new(server.local_addr().unwrap()).unwrap();
        let replying = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for _ in 0..3 {
                let mut query = [0; 64];
                let (_, from) = server.recv_from(&mut query).unwrap();
                asked.push((from, [query[0], query[1], 9]));
            }
            for (from, reply) in asked.iter().rev() {
                server.send_to(reply, from).unwrap();
            }
        });
        let queries: Vec<Query> = (0..3).map(|id| Query { id, ..Query::new(Name::ROOT, RType::NS) }).collect();
        let replies = client.ask_many(&queries);
        assert_eq!(replies, [Some(vec![0, 0, 9]), Some(vec![0, 1, 9]), Some(vec![0, 2, 9])]);
        replying.join().unwrap();
    }

    #[test]
    fn a_reply_to_another_query_is_passed_over() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut client = Client::new(server.local_addr().unwrap()).unwrap();
        client.send(&[0, 1], Transport::Udp).unwrap();
        let (_, from) = server.recv_from(&mut [0; 2]).unwrap();
        server.send_to(&[0, 9, 9], from).unwrap();
        server.send_to(&[0, 1, 7], from).unwrap();
        assert_eq!(client.receive(1, Transport::Udp), Some(vec![0, 1, 7]));
    }
}
