//! Datagrams one by one, for systems without `recvmmsg`: what `mmsg.rs` does, with the plain calls and no unsafe code.
//!
//! The plain calls don't tell the address that a request was sent to. On a host with several addresses list each of
//! them instead of a wildcard, or replies may leave from another address than the one asked.

use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Octets of a request at most. A query is a name and an OPT record; what is longer than this is cut off.
pub(crate) const REQUEST_SIZE_MAX: usize = 4096;

/// Nothing: a batch of one has nothing to wait for at once.
#[cfg(not(target_os = "linux"))]
pub(crate) fn prefetch(_: *const u8) {}

/// One request and the reply to it.
#[derive(Debug)]
pub(crate) struct Batch {
    request: Box<[u8]>,
    reply: Box<[u8]>,
    received: Option<(usize, SocketAddr)>,
    reply_len: usize,
}

impl Batch {
    /// An empty batch whose reply has at most `reply_size_max` octets.
    pub(crate) fn new(reply_size_max: usize) -> Batch {
        Batch {
            request: vec![0; REQUEST_SIZE_MAX].into_boxed_slice(),
            reply: vec![0; reply_size_max].into_boxed_slice(),
            received: None,
            reply_len: 0,
        }
    }

    /// Waits for a datagram; returns how many came.
    ///
    /// # Errors
    ///
    /// What `recvfrom` says; `WouldBlock` when the socket's receive timeout has passed.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.reply_len = 0;
        self.received = None;
        self.received = Some(socket.recv_from(&mut self.request)?);
        Ok(1)
    }

    /// The same; other systems have no call that looks without waiting and leaves the socket as it is.
    ///
    /// # Errors
    ///
    /// As [`Batch::receive`].
    pub(crate) fn receive_soon(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.receive(socket)
    }

    /// The request that the last [`Batch::receive`] brought, with room for its reply, when `i` is 0.
    pub(crate) fn exchange(&mut self, i: usize) -> Option<Exchange<'_>> {
        let (len, peer) = self.received.filter(|_| i == 0)?;
        Some(Exchange { request: &self.request[..len], peer, reply: &mut self.reply, reply_len: &mut self.reply_len })
    }

    /// The same; there is nothing to join.
    pub(crate) fn with_joined_replies(self, _: bool) -> Batch {
        self
    }

    /// Nothing: of one request none is an earlier one.
    pub(crate) fn exchange_again(&mut self, _: usize, _: usize, _: usize) -> Option<Exchange<'_>> {
        None
    }

    /// The request that the last [`Batch::receive`] brought; empty if there is none or `i` is not 0.
    pub(crate) fn request(&self, i: usize) -> &[u8] {
        self.received.filter(|_| i == 0).map_or(&[], |(len, _)| &self.request[..len])
    }

    /// The request that the last [`Batch::receive`] brought.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &[u8]> {
        self.received.iter().map(|(len, _)| &self.request[..*len])
    }

    /// Sends the reply.
    pub(crate) fn send(&mut self, socket: &UdpSocket) -> Sent {
        let Some((_, peer)) = self.received.take().filter(|_| self.reply_len > 0) else { return Sent::default() };
        match socket.send_to(&self.reply[..self.reply_len], peer) {
            Ok(_) => Sent { replies: 1, errors: 0 },
            Err(_) => Sent { replies: 0, errors: 1 },
        }
    }
}

/// One request and the room for its reply.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    /// The datagram.
    pub(crate) request: &'a [u8],
    /// Who sent it.
    pub(crate) peer: SocketAddr,
    /// Where the reply is written to.
    pub(crate) reply: &'a mut [u8],
    reply_len: &'a mut usize,
}

impl Exchange<'_> {
    /// Has the first `len` octets of the room sent as the reply.
    pub(crate) fn answer(self, len: usize) {
        *self.reply_len = len.min(self.reply.len());
    }
}

/// What became of the replies of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Replies handed to the network.
    pub(crate) replies: u64,
    /// Replies that the network refused.
    pub(crate) errors: u64,
}

/// There is nothing to set that safe code has not set.
///
/// # Errors
///
/// None.
pub(crate) fn prepare(_: &UdpSocket) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_to_its_sender() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        prepare(&server).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"ping", server.local_addr().unwrap()).unwrap();
        let mut batch = Batch::new(512).with_joined_replies(true);
        assert_eq!(batch.receive_soon(&server).unwrap(), 1);
        assert_eq!(batch.requests().collect::<Vec<_>>(), [b"ping"]);
        assert_eq!([batch.request(0), batch.request(1)], [&b"ping"[..], b""]);
        assert!(batch.exchange_again(0, 0, 4).is_none());
        let exchange = batch.exchange(0).unwrap();
        assert_eq!((exchange.request, exchange.peer), (&b"ping"[..], client.local_addr().unwrap()));
        exchange.reply[..4].copy_from_slice(b"pong");
        exchange.answer(4);
        assert_eq!(batch.send(&server), Sent { replies: 1, errors: 0 });
        let mut buffer = [0; 16];
        let (len, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (&b"pong"[..], server.local_addr().unwrap()));
    }
}
