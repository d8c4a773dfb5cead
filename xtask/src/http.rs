//! One HTTP/1.1 request at a time (RFC 9112), as a domain owner's script sends it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::failure::{Context, Failure, Outcome};

/// The parent check of nss-api gives up after ten seconds; what takes longer than this is broken.
const RESPONSE_TIME: Duration = Duration::from_secs(30);

/// A response's status and body.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Posts a body, with a zone key or without, and reads the response; the connection is closed after it.
pub(crate) fn post(server: SocketAddr, target: &str, key: Option<&str>, body: &[u8]) -> Outcome<Response> {
    let what = format!("POST http://{server}{target}");
    let mut stream = TcpStream::connect_timeout(&server, RESPONSE_TIME).context(&what)?;
    stream.set_read_timeout(Some(RESPONSE_TIME)).context(&what)?;
    stream.set_nodelay(true).context(&what)?;
    let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    let mut request = format!(
        "POST {target} HTTP/1.1\r\nHost: {server}\r\n{key}Content-Type: text/dns\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    stream.write_all(&request).context(&what)?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).context(&what)?;
    parse(&response).ok_or_else(|| Failure::new(format!("{what}: the response is not HTTP")))
}

fn parse(response: &[u8]) -> Option<Response> {
    let text = String::from_utf8_lossy(response);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Response { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_a_status_and_a_body() {
        let response = parse(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n").unwrap();
        assert_eq!((response.status, response.body.as_str()), (403, "no\n"));
        assert!(parse(b"SSH-2.0-x\r\n").is_none());
    }
}
