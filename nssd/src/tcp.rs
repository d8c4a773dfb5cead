//! TCP in the clear: the sockets that connections come in by.

use std::io;
use std::net::{IpAddr, SocketAddr};

use nss_authority::Transport;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::stream::{Entrance, Stream};

/// Binds one address.
///
/// # Errors
///
/// An address that can't be bound, or one that another server listens on.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Without it an address can't be bound again while old connections linger; it does not let two servers share one.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    #[cfg(target_os = "linux")]
    // Connections inherit it. Who does not read what is sent can't have the kernel keep megabytes of it.
    socket.set_tcp_notsent_lowat(UNSENT_SIZE_MAX)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Lets every connection in.
#[derive(Debug)]
pub(crate) struct InTheClear;

impl Entrance for InTheClear {
    type Stream = TcpStream;

    async fn enter(&self, stream: TcpStream, _: IpAddr) -> io::Result<TcpStream> {
        Ok(stream)
    }
}

impl Stream for TcpStream {
    const TRANSPORT: Transport = Transport::Tcp;

    async fn readable(&self) -> io::Result<()> {
        self.readable().await
    }
}

/// Connections that may wait to be accepted; the system has a limit of its own (`net.core.somaxconn`).
const BACKLOG: i32 = 1024;

/// Octets that the kernel takes of a connection beyond those on their way: two of the largest messages.
#[cfg(target_os = "linux")]
const UNSENT_SIZE_MAX: u32 = 128 << 10;
