//! One question to one address, as a resolver asks it, and what the reply says.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nss_wire::message::{Compressor, EdnsFlags, Flags, OptionCode, Question, Rcode, Reader, Section, Writer};
use nss_wire::{Class, Name, NameBuf, RType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// What carries a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// What a reply says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) rcode: Rcode,
    pub(super) is_authoritative: bool,
    is_truncated: bool,
    /// Of the SOA record in the answer section.
    pub(super) serial: Option<u32>,
    /// Of the A and AAAA records in the answer section, in order.
    pub(super) addresses: Vec<IpAddr>,
    /// Of the NS records in the answer section, in order.
    pub(super) name_servers: Vec<NameBuf>,
    /// What the server's clock said when it made the cookie, in seconds since 1970 modulo 2^32 (RFC 9018 §4.3).
    pub(super) cookie_time: Option<u32>,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing came in time, or the server refused the connection.
    NoAnswer,
    /// What came is no reply to the question.
    Garbled,
    /// This machine has no way there, which says nothing about others.
    NoPath,
}

/// Asks over UDP, twice if need be, and over TCP when the reply does not fit.
pub(super) async fn ask(server: SocketAddr, qname: Name<'_>, qtype: RType) -> Result<Reply, Silence> {
    match ask_over(server, qname, qtype, Transport::Udp).await {
        Ok(reply) if reply.is_truncated => ask_over(server, qname, qtype, Transport::Tcp).await,
        other => other,
    }
}

/// Asks over one transport; over UDP a lost packet is sent again.
pub(super) async fn ask_over(
    server: SocketAddr,
    qname: Name<'_>,
    qtype: RType,
    transport: Transport,
) -> Result<Reply, Silence> {
    let tries = match transport {
        Transport::Udp => 2,
        Transport::Tcp => 1,
    };
    let mut last = Silence::NoAnswer;
    for _ in 0..tries {
        let id: u16 = rand::random();
        let query = query(id, qname, qtype);
        let exchanged = timeout(REPLY_TIME, async {
            match transport {
                Transport::Udp => exchange_udp(server, &query).await,
                Transport::Tcp => exchange_tcp(server, &query).await,
            }
        });
        match exchanged.await {
            Ok(Ok(message)) => return read(&message, id, qname, qtype).ok_or(Silence::Garbled),
            Ok(Err(error)) => last = silence(&error),
            Err(_) => last = Silence::NoAnswer,
        }
    }
    Err(last)
}

async fn exchange_udp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut message = vec![0; usize::from(UDP_PAYLOAD_SIZE)];
    loop {
        let size = socket.recv(&mut message).await?;
        // Another id is a reply to the packet before, or somebody else's.
        if size >= 2 && message[..2] == query[..2] {
            message.truncate(size);
            return Ok(message);
        }
    }
}

async fn exchange_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], query].concat()).await?;
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

fn silence(error: &io::Error) -> Silence {
    match error.kind() {
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::Unsupported
        | io::ErrorKind::PermissionDenied => Silence::NoPath,
        _ if error.raw_os_error() == Some(nix::errno::Errno::EAFNOSUPPORT as i32) => Silence::NoPath,
        _ => Silence::NoAnswer,
    }
}

fn query(id: u16, qname: Name<'_>, qtype: RType) -> Vec<u8> {
    let mut buffer = [0; QUERY_SIZE_MAX];
    let mut compressor = Compressor::default();
    let mut writer =
        Writer::new(&mut buffer, QUERY_SIZE_MAX, &mut compressor).expect("a header is shorter than a query");
    writer.id = id;
    let question = Question { qname, qtype, qclass: Class::IN };
    writer.question(question).expect("the longest name fits");
    let cookie: [u8; 8] = rand::random();
    let options = [(OptionCode::COOKIE, &cookie[..])];
    writer.opt(UDP_PAYLOAD_SIZE, EdnsFlags::default(), &options).expect("one option fits behind the longest name");
    let size = writer.finish();
    buffer[..size].to_vec()
}

/// `None` for what is no reply to the question.
fn read(message: &[u8], id: u16, qname: Name<'_>, qtype: RType) -> Option<Reply> {
    let mut reader = Reader::new(message).ok()?;
    let header = reader.header();
    let question = reader.question().ok()??;
    if header.id != id || !header.flags.contains(Flags::QR) || question.qname != qname || question.qtype != qtype {
        return None;
    }
    let mut reply = Reply {
        rcode: header.flags.rcode(),
        is_authoritative: header.flags.contains(Flags::AA),
        is_truncated: header.flags.contains(Flags::TC),
        ..Reply::default()
    };
    if let Ok(Some(edns)) = reader.clone().edns()
        && let Some([_, _, _, _, _, _, _, _, 1, _, _, _, time @ ..]) = edns.option(OptionCode::COOKIE)
        && let Some((time, hash)) = time.split_first_chunk::<4>()
        && hash.len() == 8
    {
        reply.cookie_time = Some(u32::from_be_bytes(*time));
    }
    let mut rdata = Vec::new();
    while let Some(record) = reader.record().ok()? {
        if record.section != Section::Answer || record.class != Class::IN {
            continue;
        }
        rdata.clear();
        record.rdata(&mut rdata).ok()?;
        match record.rtype {
            RType::A => reply.addresses.push(IpAddr::from(<[u8; 4]>::try_from(&rdata[..]).ok()?)),
            RType::AAAA => reply.addresses.push(IpAddr::from(<[u8; 16]>::try_from(&rdata[..]).ok()?)),
            RType::NS => reply.name_servers.push(Name::from_wire_exact(&rdata).ok()?.to_lowercase()),
            // Five numbers stand behind the two names (RFC 1035 §3.3.13).
            RType::SOA => reply.serial = Some(u32::from_be_bytes(*rdata.last_chunk::<20>()?.first_chunk()?)),
            _ => {}
        }
    }
    reply.addresses.sort();
    reply.name_servers.sort();
    Some(reply)
}

/// How long a reply is waited for: around the world, and a handshake before it.
const REPLY_TIME: Duration = Duration::from_secs(2);

/// No fragments on any path (RFC 9715).
const UDP_PAYLOAD_SIZE: u16 = 1232;

/// A header, the longest name, type and class, and an OPT record with a client's cookie.
const QUERY_SIZE_MAX: usize = 12 + 255 + 4 + 11 + 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> NameBuf {
        text.parse().unwrap()
    }

    /// A reply to `query` with one A record and a cookie of the given time.
    fn reply(query: &[u8], time: u32) -> Vec<u8> {
        let question_end = query.len() - 11 - 12;
        let mut reply = query[..question_end].to_vec();
        reply[2] |= 0x84;
        reply[7] = 1;
        reply.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\x00\x02\x01");
        let mut opt = query[question_end..].to_vec();
        opt[10] = 28;
        opt[14] = 24;
        reply.extend(opt);
        reply.extend([1, 0, 0, 0]);
        reply.extend(time.to_be_bytes());
        reply.extend([7; 8]);
        reply
    }

    #[test]
    fn a_reply_is_read_with_its_addresses_and_the_servers_clock() {
        let qname = name("ns1.example.net");
        let query = query(7, qname.as_name(), RType::A);
        let message = reply(&query, 1_800_000_000);
        let read = |message: &[u8], id| read(message, id, qname.as_name(), RType::A);
        let reply = read(&message, 7).unwrap();
        assert_eq!(reply.addresses, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        assert!(reply.is_authoritative && !reply.is_truncated);
        assert_eq!(reply.cookie_time, Some(1_800_000_000));
        assert_eq!(read(&message, 8), None, "another id");
        let mut other = message.clone();
        other[13] = b'x';
        assert_eq!(read(&other, 7), None, "another name");
        for size in 0..message.len() {
            let _ = read(&message[..size], 7);
        }
    }

    #[test]
    fn the_longest_name_can_be_asked_about() {
        let long = name(&[63, 63, 63, 61].map(|size| "a".repeat(size)).join("."));
        assert_eq!(long.as_name().wire_len(), 255);
        assert_eq!(query(1, long.as_name(), RType::A).len(), QUERY_SIZE_MAX);
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_is_no_answer() {
        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        drop(taken);
        let root = name(".");
        for transport in [Transport::Udp, Transport::Tcp] {
            let asked = ask_over(address, root.as_name(), RType::SOA, transport).await;
            assert_eq!(asked, Err(Silence::NoAnswer), "{transport:?}");
        }
    }
}
