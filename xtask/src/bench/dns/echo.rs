//! The floor: a server that answers nothing and sends each query back, by the batch and each by itself.
//!
//! What this costs is the kernel's; a server on sockets is cheaper only if it has the kernel work less.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use nssd::mmsg::{Batch, prepare};
use socket2::SockRef;

use super::pool::{HEADER_SIZE, QR};
use crate::failure::{Context, Outcome};

/// Echoes on `address` until the process is killed.
pub(crate) fn run(address: SocketAddr) -> Outcome {
    serve(&bind(address)?, &AtomicBool::new(false))
}

/// A socket like one of nssd's.
pub(super) fn bind(address: SocketAddr) -> Outcome<UdpSocket> {
    let socket = UdpSocket::bind(address).context(address)?;
    // The system may grant less.
    let _ = SockRef::from(&socket).set_recv_buffer_size(BUFFER_SIZE);
    let _ = SockRef::from(&socket).set_send_buffer_size(BUFFER_SIZE);
    socket.set_read_timeout(Some(STOP_CHECK_INTERVAL)).context(address)?;
    prepare(&socket).context(address)?;
    Ok(socket)
}

/// Sends queries back, the QR bit set, until told to stop.
pub(super) fn serve(socket: &UdpSocket, stop: &AtomicBool) -> Outcome {
    let mut batch = Batch::new(REPLY_SIZE_MAX);
    while !stop.load(Relaxed) {
        let received = match batch.receive_soon(socket) {
            Ok(received) => received,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error).context("the echo cannot receive"),
        };
        for i in 0..received {
            let Some(exchange) = batch.exchange(i) else { continue };
            let len = exchange.request.len().min(exchange.reply.len());
            if len < HEADER_SIZE {
                continue;
            }
            exchange.reply[..len].copy_from_slice(&exchange.request[..len]);
            exchange.reply[2] |= QR;
            exchange.answer(len);
        }
        batch.send(socket);
    }
    Ok(())
}

/// Octets of nssd's socket buffers.
const BUFFER_SIZE: usize = 4 << 20;

/// Octets of an echo at most, as of an answer of nssd.
const REPLY_SIZE_MAX: usize = 1232;

const STOP_CHECK_INTERVAL: Duration = Duration::from_secs(1);
