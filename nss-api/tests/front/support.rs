//! What the tests share: the front, the name servers behind it and above it, all in this process, and an HTTP client
//! that sends what it is told octet for octet.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use nss_api::config::Config;
use nss_api::server::Server;
use tokio::runtime::Runtime;

/// How long a test waits before it fails. Long, because the machine may be busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The front on a port of its own.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    server: Option<Server>,
    runtime: Runtime,
}

impl Api {
    /// Starts a front with `config`, to which a free port is added.
    pub(crate) fn start(config: &str) -> Api {
        Api::start_with(Config::from_toml(config).unwrap())
    }

    /// As [`Api::start`], with what no file can say.
    pub(crate) fn start_with(mut config: Config) -> Api {
        config.listen = Some(vec!["127.0.0.1:0".parse().unwrap()]);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(Server::start(config)).unwrap();
        Api { address: server.addresses()[0], server: Some(server), runtime }
    }

    /// A front without a name server behind it, and `more` lines of configuration.
    pub(crate) fn alone(more: &str) -> Api {
        Api::start(&format!(
            "name_servers = [\"ns1.dns.example.net\", \"ns2.dns.example.net\"]\n\
             control_socket = \"/nonexistent/control.sock\"\n{more}"
        ))
    }

    /// Sends one request on a connection of its own.
    pub(crate) fn call(&self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Reply {
        self.connect().call(method, target, headers, body)
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    /// Stops the server; what is left to do is done when it returns.
    pub(crate) fn stop(mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

/// A client's side of a connection.
pub(crate) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream, unread: Vec::new() }
    }

    /// Sends a request with a body of known length, and reads the reply.
    pub(crate) fn call(&mut self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Reply {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        // The server may have refused already: what counts is its reply.
        let _ = self.try_send(head.as_bytes()) && self.try_send(body);
        self.reply(method)
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        assert!(self.try_send(octets), "the server closed the connection");
    }

    /// Whether the server still takes octets.
    pub(crate) fn try_send(&mut self, octets: &[u8]) -> bool {
        self.stream.write_all(octets).is_ok()
    }

    /// Whether the server sends something, or closes the connection, within `time`.
    pub(crate) fn is_readable_within(&mut self, time: Duration) -> bool {
        if !self.unread.is_empty() {
            return true;
        }
        self.stream.set_read_timeout(Some(time)).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        !matches!(peeked, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// As [`Connection::call`] without a body; `None` when the connection ends without a reply.
    pub(crate) fn try_call(&mut self, method: &str, target: &str) -> Option<Reply> {
        self.try_send(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        while !self.unread.windows(4).any(|octets| octets == b"\r\n\r\n") {
            if !self.fill() {
                return None;
            }
        }
        Some(self.reply(method))
    }

    /// Reads one reply.
    pub(crate) fn reply(&mut self, method: &str) -> Reply {
        let head_end = loop {
            if let Some(at) = self.unread.windows(4).position(|octets| octets == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.fill(), "the connection ended before a reply: {:?}", String::from_utf8_lossy(&self.unread));
        };
        let head = String::from_utf8(self.unread.drain(..head_end).collect()).unwrap();
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap();
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: Vec::new() };
        if method != "HEAD" && status != 204 && status != 304 && status >= 200 {
            let length: usize = reply.header("content-length").expect("every reply has a length").parse().unwrap();
            while self.unread.len() < length {
                assert!(self.fill(), "the connection ended within a reply");
            }
            reply.body = self.unread.drain(..length).collect();
        }
        reply
    }

    /// Waits until the server closes the connection; what it sent before is given back.
    pub(crate) fn until_closed(mut self) -> Vec<u8> {
        while self.fill() {}
        self.unread
    }

    /// Reads more; `false` at the end of the connection.
    fn fill(&mut self) -> bool {
        let mut octets = [0; 65536];
        match self.stream.read(&mut octets) {
            Ok(0) => false,
            Ok(n) => {
                self.unread.extend_from_slice(&octets[..n]);
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => false,
            Err(error) => panic!("no answer in time: {error}"),
        }
    }
}

/// A reply as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Fails unless the status is `status` and the text contains all `words`.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16, words: &[&str]) -> &Reply {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        for word in words {
            assert!(self.text().contains(word), "{word:?} is not in:\n{}", self.text());
        }
        self
    }
}
