//! A server of its own for each test, and a client that reads answers with an independent implementation.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RecordType};
use nss_wire::NameBuf;
use nssd::config::Config;
use nssd::control::{Client, ClientError, Precondition, Problem, PutOptions, ZoneStatus};
use nssd::server::Server;
use tempfile::TempDir;

/// The longest that anything on loopback may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) directory: TempDir,
}

impl TestServer {
    /// A server on free ports of 127.0.0.1 and ::1, with `more` behind the usual configuration.
    pub(crate) async fn start(more: &str) -> TestServer {
        TestServer::start_in(tempfile::tempdir().unwrap(), more).await
    }

    /// The same in a directory that has files already.
    pub(crate) async fn start_in(directory: TempDir, more: &str) -> TestServer {
        let path = write_config(directory.path(), "[\"127.0.0.1:0\", \"[::1]:0\"]", more);
        let server = Server::start(Config::read(&path).unwrap()).await.unwrap();
        let client = Client::new(server.control_socket());
        TestServer { server, client, directory }
    }

    /// The address over IPv4.
    pub(crate) fn v4(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    /// The address over IPv6.
    pub(crate) fn v6(&self) -> SocketAddr {
        self.server.addresses()[1]
    }

    pub(crate) async fn put(&self, zone: &str, text: &str) -> Result<ZoneStatus, ClientError> {
        put(&self.client, zone, text).await
    }

    pub(crate) async fn delete(&self, zone: &str) -> Result<ZoneStatus, ClientError> {
        self.client.delete_zone(name(zone).as_name(), &Precondition::None, &Default::default()).await
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// Replaces the configuration file.
    pub(crate) fn write_config(&self, more: &str) {
        write_config(self.directory.path(), "[\"127.0.0.1:0\", \"[::1]:0\"]", more);
    }
}

/// Writes `nssd.toml` into `directory`, everything else of the server stays in there, too.
pub(crate) fn write_config(directory: &Path, listen: &str, more: &str) -> PathBuf {
    let path = directory.join("nssd.toml");
    let server = "state_directory = \"state\"\ncontrol_socket = \"control.sock\"\nworkers = 2\n";
    std::fs::write(&path, format!("[server]\nlisten = {listen}\n{server}{more}")).unwrap();
    path
}

pub(crate) async fn put(client: &Client, zone: &str, text: &str) -> Result<ZoneStatus, ClientError> {
    client.put_zone(name(zone).as_name(), text.to_owned().into(), &PutOptions::default()).await
}

/// The problem of a call that has to be refused.
pub(crate) fn problem<T: std::fmt::Debug>(result: Result<T, ClientError>) -> Problem {
    match result {
        Err(ClientError::Refused(problem)) => *problem,
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

/// A zone with the serial, and `www` at the address.
pub(crate) fn zone(serial: u32, address: &str) -> String {
    format!(
        "$TTL 3600\n@ SOA ns hostmaster {serial} 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.53\nwww A {address}\n"
    )
}

/// A query with a random id.
pub(crate) fn query(qname: &str, qtype: RecordType) -> Message {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(qname).unwrap(), qtype));
    message
}

/// Gives a query an OPT record with an option, or one more.
pub(crate) fn add_option(query: &mut Message, code: u16, value: &[u8]) {
    let edns = query.edns.get_or_insert_with(Edns::new);
    edns.options_mut().insert(EdnsOption::Unknown(code, value.to_vec()));
}

/// The value of an option of an answer.
pub(crate) fn option(answer: &Message, code: u16) -> Option<Vec<u8>> {
    match answer.edns.as_ref()?.option(EdnsCode::from(code))? {
        EdnsOption::Unknown(_, value) => Some(value.clone()),
        other => panic!("not octets: {other:?}"),
    }
}

/// Asks over UDP until an answer comes.
pub(crate) fn ask(server: SocketAddr, qname: &str, qtype: RecordType) -> Message {
    exchange(server, &query(qname, qtype))
}

/// Sends a query over UDP until an answer comes: even loopback loses datagrams when buffers are full.
pub(crate) fn exchange(server: SocketAddr, query: &Message) -> Message {
    let own: IpAddr = if server.is_ipv4() { "127.0.0.1".parse().unwrap() } else { "::1".parse().unwrap() };
    let socket = UdpSocket::bind((own, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    exchange_from(&socket, server, query)
}

/// The same from a socket that has a read timeout.
pub(crate) fn exchange_from(socket: &UdpSocket, server: SocketAddr, query: &Message) -> Message {
    let deadline = Instant::now() + PATIENCE;
    loop {
        socket.send_to(&query.to_vec().unwrap(), server).unwrap();
        let mut buffer = [0; 4096];
        match socket.recv_from(&mut buffer) {
            // What another test still sends to who had this port before is no answer; nor is one from another address of the server's.
            Ok((_, from)) if from != server => assert!(Instant::now() < deadline, "no answer but from {from}"),
            Ok((len, _)) => {
                let answer = Message::from_vec(&buffer[..len]).unwrap();
                assert_eq!((answer.metadata.id, &answer.queries), (query.metadata.id, &query.queries));
                return answer;
            }
            Err(error) => assert!(Instant::now() < deadline, "no answer: {error}"),
        }
    }
}

/// The data of the answer section, sorted.
pub(crate) fn data(message: &Message) -> Vec<String> {
    let mut data: Vec<_> = message.answers.iter().map(|record| record.data.to_string()).collect();
    data.sort();
    data
}

/// A TCP connection that sends and receives whole messages.
pub(crate) struct Tcp {
    pub(crate) stream: TcpStream,
}

impl Tcp {
    pub(crate) fn connect(server: SocketAddr) -> Tcp {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Tcp { stream }
    }

    pub(crate) fn send(&mut self, message: &Message) {
        self.stream.write_all(&framed(message)).unwrap();
    }

    /// The next message, `None` when the server has closed the connection.
    pub(crate) fn receive(&mut self) -> Option<Message> {
        receive(&mut self.stream)
    }
}

/// The next message of a stream, `None` when the server has closed it.
pub(crate) fn receive(stream: &mut impl Read) -> Option<Message> {
    let mut prefix = [0; 2];
    match stream.read_exact(&mut prefix) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer: {error}"),
        Err(_) => return None,
    }
    let mut message = vec![0; u16::from_be_bytes(prefix).into()];
    stream.read_exact(&mut message).unwrap();
    Some(Message::from_vec(&message).unwrap())
}

/// A message behind its length.
pub(crate) fn framed(message: &Message) -> Vec<u8> {
    let message = message.to_vec().unwrap();
    let mut framed = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    framed.extend(message);
    framed
}

/// Waits until `done` says true.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
