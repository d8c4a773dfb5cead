//! A connection to nss-api that stays open: one upload after the other, in as few system calls as there can be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::failure::{Context, Failure, Outcome};

/// What takes longer than this is broken.
const RESPONSE_TIME: Duration = Duration::from_secs(30);

/// Octets of a response: a line and some warnings.
const RESPONSE_SIZE_MAX: usize = 64 << 10;

/// A connection that is kept.
pub(super) struct Connection {
    server: SocketAddr,
    stream: TcpStream,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Connection {
    pub(super) fn open(server: SocketAddr) -> Outcome<Connection> {
        let stream = TcpStream::connect_timeout(&server, RESPONSE_TIME).context(server)?;
        stream.set_read_timeout(Some(RESPONSE_TIME)).context(server)?;
        stream.set_nodelay(true).context(server)?;
        Ok(Connection { server, stream, request: Vec::new(), response: Vec::new() })
    }

    /// Puts a body; the status of the response, whose body [`Connection::body`] has.
    pub(super) fn put(&mut self, target: &str, key: &str, body: &[u8]) -> Outcome<u16> {
        self.request.clear();
        let (server, size) = (self.server, body.len());
        write!(
            self.request,
            "PUT {target} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {key}\r\nContent-Type: text/dns\r\n\
             Content-Length: {size}\r\n\r\n"
        )
        .context(target)?;
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).context(target)?;
        self.response.clear();
        loop {
            if let Some((status, end)) = end_of_response(&self.response)
                && self.response.len() >= end
            {
                return Ok(status);
            }
            if self.response.len() > RESPONSE_SIZE_MAX {
                return Err(Failure::new(format!("{target}: the response is longer than {RESPONSE_SIZE_MAX} octets")));
            }
            let mut octets = [0; 4096];
            let size = self.stream.read(&mut octets).context(target)?;
            if size == 0 {
                return Err(Failure::new(format!("{target}: the connection ended before the response")));
            }
            self.response.extend_from_slice(&octets[..size]);
        }
    }

    /// What the last response said.
    pub(super) fn body(&self) -> String {
        let text = String::from_utf8_lossy(&self.response);
        text.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.trim().to_owned())
    }
}

/// Status and length of a response whose head is there.
fn end_of_response(response: &[u8]) -> Option<(u16, usize)> {
    let head = response.windows(4).position(|octets| octets == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&response[..head]).ok()?;
    let status = text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1;
    Some((status, head + length.parse::<usize>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_ends_where_its_length_says() {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\nHTTP/1.1";
        assert_eq!(end_of_response(response), Some((200, response.len() - 8)));
        assert_eq!(end_of_response(&response[..30]), None);
        assert_eq!(end_of_response(b"HTTP/1.1 200 OK\r\n\r\n"), None, "no length");
    }
}
