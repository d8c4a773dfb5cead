//! Datagrams by the batch: `recvmmsg` and `sendmmsg` of Linux, and what a processor can be told about a batch. The only file of
//! the workspace with unsafe code.
//!
//! A [`Batch`] owns its buffers for life. All pointers that the kernel gets are made anew for each call from those
//! buffers and live no longer than the call, so that a batch can be moved between calls.
//!
//! A server receives a batch, answers each [`Exchange`] of it and sends the batch; a client hands queries to
//! [`send_connected`] and receives the replies as a batch.
//!
//! ```
//! use std::io::IoSlice;
//! use std::net::UdpSocket;
//!
//! use nssd::mmsg::{Batch, send_connected};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = UdpSocket::bind("127.0.0.1:0")?;
//! let client = UdpSocket::bind("127.0.0.1:0")?;
//! client.connect(server.local_addr()?)?;
//! send_connected(&client, &[IoSlice::new(b"ping")])?;
//!
//! let mut batch = Batch::new(512);
//! assert_eq!(batch.receive(&server)?, 1);
//! let exchange = batch.exchange(0).expect("one came");
//! exchange.reply[..4].copy_from_slice(b"pong");
//! exchange.answer(4);
//! batch.send(&server);
//!
//! assert_eq!(client.recv(&mut [0; 16])?, 4);
//! # Ok(())
//! # }
//! ```
#![expect(unsafe_code, reason = "no safe interface batches datagrams, sets the source of each reply, or fetches ahead")]
#![allow(clippy::unnecessary_cast, reason = "musl and glibc differ in the types of lengths in message headers")]

mod sendings;

use std::io::{self, IoSlice};
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr::null_mut;

use self::sendings::{Reply, Sendings};

use libc::{c_int, c_uint, cmsghdr, iovec, mmsghdr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};

/// Datagrams in a batch at most. More gains nothing measurable; with 64 the buffers of a batch stay within a core's
/// L2 cache.
pub const BATCH_SIZE: usize = 64;

/// How often [`Batch::receive_soon`] looks before it waits.
const LOOKS: u32 = 8;

/// Octets of a request at most. A query is a name and an OPT record; what is longer than this is cut off and dropped.
pub const REQUEST_SIZE_MAX: usize = 4096;

/// Octets from one request to the next: a cache line more than a page, so that the first lines of all requests, which are all that most of
/// them have, do not compete for the same few places of a cache.
const REQUEST_ROOM: usize = REQUEST_SIZE_MAX + 64;

/// Up to [`BATCH_SIZE`] requests and the replies to them.
#[derive(Debug)]
pub struct Batch {
    requests: Box<[[u8; REQUEST_ROOM]]>,
    replies: Box<[u8]>,
    reply_size_max: usize,
    slots: Box<[Slot]>,
    received: usize,
    /// Whether the last call brought several datagrams.
    is_busy: bool,
    joining: Joining,
    sendings: Box<Sendings>,
}

/// Whether replies to one client are sent together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joining {
    Off,
    /// On, if the kernel can do it.
    Wanted,
    On,
}

/// What belongs to one datagram besides its octets.
#[derive(Clone, Copy)]
struct Slot {
    address: sockaddr_storage,
    address_len: socklen_t,
    /// The address, if it is one of IP.
    peer: Option<SocketAddr>,
    control: ControlBuffer,
    control_len: usize,
    request_len: usize,
    /// 0: there is nothing to send.
    reply_len: usize,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("peer", &self.peer).field("request_len", &self.request_len).finish_non_exhaustive()
    }
}

/// Room for two control messages with their headers: `in6_pktinfo`, the largest that is asked for, takes 40 octets, and the size of
/// segments 24.
type ControlBuffer = Aligned<[u8; 64]>;

/// Control messages start with a `cmsghdr`, which has the alignment of a word.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Aligned<T>(T);

impl Batch {
    /// An empty batch whose replies have at most `reply_size_max` octets.
    pub fn new(reply_size_max: usize) -> Batch {
        let slot = Slot {
            // SAFETY: a sockaddr_storage is made of integers only, for which zeros are values.
            address: unsafe { zeroed() },
            address_len: 0,
            peer: None,
            control: Aligned([0; 64]),
            control_len: 0,
            request_len: 0,
            reply_len: 0,
        };
        Batch {
            requests: vec![[0; REQUEST_ROOM]; BATCH_SIZE].into_boxed_slice(),
            replies: vec![0; BATCH_SIZE * reply_size_max].into_boxed_slice(),
            reply_size_max,
            slots: vec![slot; BATCH_SIZE].into_boxed_slice(),
            received: 0,
            is_busy: false,
            joining: Joining::Off,
            sendings: Box::new(Sendings::new()),
        }
    }

    /// The batch with replies to one client sent as one message, which the kernel cuts into datagrams, where it is able to.
    ///
    /// Clients see no difference, but that replies may come in another order.
    pub fn with_joined_replies(self, joins: bool) -> Batch {
        Batch { joining: if joins { Joining::Wanted } else { Joining::Off }, ..self }
    }

    /// Waits for a first datagram and takes along what else is there; returns how many came.
    ///
    /// # Errors
    ///
    /// What `recvmmsg` says; `WouldBlock` when the socket's receive timeout has passed.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.take(socket, 0)
    }

    /// As [`Batch::receive`], but while datagrams come by the batch it looks some more times whether the next one is there
    /// before it begins to wait.
    ///
    /// To fall asleep and to be woken costs this thread, and whoever wakes it, far more than to look: some microseconds, and more
    /// in a virtual machine.
    ///
    /// # Errors
    ///
    /// As [`Batch::receive`].
    pub fn receive_soon(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.take(socket, if self.is_busy { LOOKS } else { 0 })
    }

    fn take(&mut self, socket: &UdpSocket, looks: u32) -> io::Result<usize> {
        self.received = 0;
        let mut vectors = [const { EMPTY_VECTOR }; BATCH_SIZE];
        let mut headers = [const { MaybeUninit::<mmsghdr>::uninit() }; BATCH_SIZE];
        for (((slot, request), vector), header) in
            self.slots.iter_mut().zip(&mut self.requests).zip(&mut vectors).zip(&mut headers)
        {
            *vector = iovec { iov_base: request.as_mut_ptr().cast(), iov_len: REQUEST_SIZE_MAX };
            // The kernel shortens both lengths to what it wrote, so that each call has to state them anew.
            header.write(message(
                (&raw mut slot.address).cast(),
                size_of::<sockaddr_storage>() as socklen_t,
                &raw mut *vector,
                slot.control.0.as_mut_ptr(),
                slot.control.0.len(),
            ));
        }
        let mut call = |flags: c_int| {
            // SAFETY: `headers` holds BATCH_SIZE initialised headers (the loop above visits all of them: slots,
            // requests, vectors and headers all have BATCH_SIZE elements). Each points to an address, a vector, a
            // request and a control buffer of its own, with their true lengths, which a call that brings nothing leaves
            // alone; all of them outlive the call, and nothing else refers to them during it. The descriptor is open as
            // long as `socket` is borrowed. A null timeout means none.
            let n = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    headers.as_mut_ptr().cast(),
                    BATCH_SIZE as c_uint,
                    flags as _,
                    null_mut(),
                )
            };
            usize::try_from(n).map_err(|_| io::Error::last_os_error())
        };
        let looked = (0..looks)
            .map(|_| call(libc::MSG_DONTWAIT))
            .find(|result| !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        let n = looked.unwrap_or_else(|| call(libc::MSG_WAITFORONE))?.min(BATCH_SIZE);
        self.is_busy = n > 1;
        for (slot, header) in self.slots.iter_mut().zip(&headers[..n]) {
            // SAFETY: all headers were initialised above, and the kernel only changes fields of them.
            let header = unsafe { header.assume_init_ref() };
            let flags = header.msg_hdr.msg_flags;
            slot.reply_len = 0;
            slot.address_len = header.msg_hdr.msg_namelen;
            slot.request_len =
                if flags & libc::MSG_TRUNC == 0 { (header.msg_len as usize).min(REQUEST_SIZE_MAX) } else { 0 };
            slot.control_len = if flags & libc::MSG_CTRUNC == 0 {
                (header.msg_hdr.msg_controllen as usize).min(slot.control.0.len())
            } else {
                0
            };
            slot.let_the_route_choose_the_interface();
            slot.peer = slot.read_peer();
        }
        self.received = n;
        Ok(n)
    }

    /// The `i`-th request that the last [`Batch::receive`] brought, with room for its reply; `None` when there is
    /// no such request, or none that can be answered.
    pub fn exchange(&mut self, i: usize) -> Option<Exchange<'_>> {
        let slot = self.slots[..self.received].get_mut(i)?;
        let peer = slot.peer?;
        let request = self.requests.get(i)?.get(..slot.request_len)?;
        let reply = self.replies.chunks_exact_mut(self.reply_size_max).nth(i)?;
        Some(Exchange { request, peer, reply, reply_len: &mut slot.reply_len })
    }

    /// As [`Batch::exchange`], with the first `len` octets that stand in the room of an `earlier` one already there, with this
    /// request's message ID; `None` as well when there is no such room, or it has less.
    pub fn exchange_again(&mut self, i: usize, earlier: usize, len: usize) -> Option<Exchange<'_>> {
        let (from, to) = (earlier * self.reply_size_max, i * self.reply_size_max);
        if i.max(earlier) >= self.received || len > self.reply_size_max {
            return None;
        }
        self.replies.copy_within(from..from + len, to);
        let exchange = self.exchange(i)?;
        let (id, place) = (exchange.request.first_chunk::<2>()?, exchange.reply.first_chunk_mut()?);
        *place = *id;
        Some(exchange)
    }

    /// The `i`-th request that the last [`Batch::receive`] brought; empty if there is none.
    pub fn request(&self, i: usize) -> &[u8] {
        let slot = self.slots[..self.received].get(i);
        slot.and_then(|slot| self.requests.get(i)?.get(..slot.request_len)).unwrap_or_default()
    }

    /// The requests that the last [`Batch::receive`] brought.
    pub fn requests(&self) -> impl Iterator<Item = &[u8]> {
        let slots = self.slots[..self.received].iter();
        slots.zip(&self.requests).map(|(slot, request)| request.get(..slot.request_len).unwrap_or_default())
    }

    /// Sends all replies, each from the address that its request came to.
    pub fn send(&mut self, socket: &UdpSocket) -> Sent {
        let slots = &self.slots[..std::mem::take(&mut self.received)];
        let leaving = slots.iter().enumerate().filter(|(_, slot)| slot.reply_len > 0);
        let leaving = leaving.map(|(i, slot)| (Reply::new(i, slot.reply_len), slot));
        if self.joining == Joining::Wanted {
            self.joining = if has_segments(socket) { Joining::On } else { Joining::Off };
        }
        if self.joining != Joining::On {
            self.sendings.single(leaving.map(|(reply, _)| reply));
            return self.transmit(socket).0;
        }
        let numbered = leaving.map(|(reply, slot)| (reply, slot.number()));
        self.sendings.join(numbered, |a, b| slots[a].leaves_with(&slots[b]));
        let (mut sent, refused) = self.transmit(socket);
        let Some(Refused { replies, count, is_for_joining }) = refused else { return sent };
        self.sendings.single(replies[..count].iter().copied());
        let (alone, _) = self.transmit(socket);
        sent.add(alone);
        if is_for_joining && alone.replies > 0 {
            // It was not the client's address: something on the way there can't cut messages, and there is nothing to gain.
            self.joining = Joining::Off;
        }
        sent
    }

    /// Hands the sendings to the kernel; returns what became of them, without the replies of joined ones that it refused.
    fn transmit(&mut self, socket: &UdpSocket) -> (Sent, Option<Refused>) {
        for replies in self.sendings.iter() {
            if let &[first, _, ..] = replies {
                self.slots[first.slot()].ask_for_segments();
            }
        }
        let mut vectors = [const { EMPTY_VECTOR }; BATCH_SIZE];
        let mut headers = [const { MaybeUninit::<mmsghdr>::uninit() }; BATCH_SIZE];
        let mut rest = &mut vectors[..];
        let mut n = 0;
        // All pointers come from shared borrows that live until the last call: sendmmsg writes to none of these places.
        let (slots, octets) = (&*self.slots, &*self.replies);
        for (replies, header) in self.sendings.iter().zip(&mut headers) {
            let Some(these) = rest.split_off_mut(..replies.len()) else { break };
            for (vector, reply) in these.iter_mut().zip(replies) {
                let reply = reply.slot();
                let octets = &octets[reply * self.reply_size_max..][..slots[reply].reply_len];
                *vector = iovec { iov_base: octets.as_ptr().cast_mut().cast(), iov_len: octets.len() };
            }
            let slot = &slots[replies[0].slot()];
            let mut message = message(
                (&raw const slot.address).cast_mut().cast(),
                slot.address_len,
                these.as_mut_ptr(),
                slot.control.0.as_ptr().cast_mut(),
                if these.len() > 1 { slot.control_len + SEGMENT_CONTROL_SIZE } else { slot.control_len },
            );
            message.msg_hdr.msg_iovlen = these.len() as _;
            header.write(message);
            n += 1;
        }
        let mut sent = Sent::default();
        let mut refused: Option<Refused> = None;
        let mut left = self.sendings.iter();
        let mut at = 0;
        while at < n {
            let rest = &mut headers[at..n];
            // SAFETY: the loop above initialised the headers up to `n`. Each points to an address as long as the
            // kernel had written it, to vectors of its own over replies, and to control messages that the kernel or
            // `ask_for_segments` had written (their length is 0 otherwise); all of them outlive the call, which
            // only reads them, and nothing writes to them during it. The descriptor is open as long as `socket` is borrowed.
            let done = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr().cast(), rest.len() as c_uint, 0) };
            match usize::try_from(done) {
                Ok(done) if done > 0 => {
                    sent.replies += left.by_ref().take(done).map(|replies| replies.len() as u64).sum::<u64>();
                    at += done;
                }
                _ => {
                    let error = io::Error::last_os_error();
                    if error.kind() == io::ErrorKind::Interrupted {
                        continue;
                    }
                    // The error is that of the first message of the rest: the others go on.
                    match left.next() {
                        Some(replies @ [_, _, ..]) => refused.get_or_insert_default().add(replies, &error),
                        Some(_) | None => sent.errors += 1,
                    }
                    at += 1;
                }
            }
        }
        (sent, refused)
    }
}

/// Replies that the kernel did not take together.
struct Refused {
    replies: [Reply; BATCH_SIZE],
    count: usize,
    /// Whether it may be the joining that it can't do.
    is_for_joining: bool,
}

impl Default for Refused {
    fn default() -> Refused {
        Refused { replies: [Reply::default(); BATCH_SIZE], count: 0, is_for_joining: false }
    }
}

impl Refused {
    fn add(&mut self, replies: &[Reply], error: &io::Error) {
        for (place, &reply) in self.replies[self.count..].iter_mut().zip(replies) {
            *place = reply;
        }
        self.count += replies.len();
        // No checksums by the network's hardware, IPsec, a network of small packets, an old kernel.
        self.is_for_joining |= matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EOPNOTSUPP));
    }
}

impl Slot {
    /// Where the datagram came from; `None` when the kernel gave no IP address.
    fn read_peer(&self) -> Option<SocketAddr> {
        let len = self.address_len as usize;
        match c_int::from(self.address.ss_family) {
            libc::AF_INET if len >= size_of::<sockaddr_in>() => {
                // SAFETY: the kernel wrote a whole sockaddr_in, as family and length say; sockaddr_storage is at
                // least as large and as aligned as every address.
                let address = unsafe { &*(&raw const self.address).cast::<sockaddr_in>() };
                let ip = Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(ip, u16::from_be(address.sin_port)).into())
            }
            libc::AF_INET6 if len >= size_of::<sockaddr_in6>() => {
                // SAFETY: as above, with sockaddr_in6.
                let address = unsafe { &*(&raw const self.address).cast::<sockaddr_in6>() };
                let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(ip, u16::from_be(address.sin6_port), 0, address.sin6_scope_id).into())
            }
            _ => None,
        }
    }

    /// A number for the client and the address that it asked: one of its own, if they are of IPv4 and there is but one such address.
    fn number(&self) -> u64 {
        match self.peer {
            Some(SocketAddr::V4(peer)) => u64::from(peer.ip().to_bits()) << 16 | u64::from(peer.port()),
            Some(SocketAddr::V6(peer)) => {
                let bits = peer.ip().to_bits();
                (bits as u64 ^ (bits >> 64) as u64).rotate_left(16) ^ u64::from(peer.port())
            }
            None => 0,
        }
    }

    /// Whether replies to clients of one number go to one client from one address.
    fn leaves_with(&self, other: &Slot) -> bool {
        let is_told = matches!((self.peer, other.peer), (Some(SocketAddr::V4(_)), Some(SocketAddr::V4(_))));
        (is_told || self.peer == other.peer)
            && self.control_len == other.control_len
            && self.control_len + SEGMENT_CONTROL_SIZE <= self.control.0.len()
            && (self.control_len == 0 || self.control() == other.control())
    }

    fn control(&self) -> &[u8] {
        &self.control.0[..self.control_len]
    }

    /// Puts a control message behind the others that has the kernel cut what is sent into segments as long as this reply.
    fn ask_for_segments(&mut self) {
        // SAFETY: a cmsghdr is made of integers only, for which zeros are values; on some systems it has padding fields that can't be
        // named.
        let mut header: cmsghdr = unsafe { zeroed() };
        header.cmsg_len = SEGMENT_CONTROL_LEN as _;
        (header.cmsg_level, header.cmsg_type) = (libc::SOL_UDP, libc::UDP_SEGMENT);
        let room = &mut self.control.0[self.control_len..][..SEGMENT_CONTROL_SIZE];
        // SAFETY: the room is longer than a header. Unaligned access asks for nothing more.
        unsafe { room.as_mut_ptr().cast::<cmsghdr>().write_unaligned(header) };
        // A reply that is joined with others is short.
        let size = (self.reply_len as u16).to_ne_bytes();
        room[SEGMENT_CONTROL_LEN - size.len()..SEGMENT_CONTROL_LEN].copy_from_slice(&size);
    }

    /// Turns the control message of the request into the one of the reply.
    ///
    /// The packet information that came with the request names the address it was sent to: sent back, it makes that
    /// address the source of the reply. The interface is another matter. The way back may lead out of another one,
    /// so that only a link-local address, which means nothing without its interface, keeps it.
    fn let_the_route_choose_the_interface(&mut self) {
        let mut nothing = EMPTY_VECTOR;
        let header = message(null_mut(), 0, &raw mut nothing, self.control.0.as_mut_ptr(), self.control_len).msg_hdr;
        // SAFETY: only `msg_control` and `msg_controllen` are read; they describe the buffer of this slot, which
        // the kernel has filled up to `control_len`. The result is null or points to a whole cmsghdr in it.
        let control = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
        if control.is_null() {
            self.control_len = 0;
            return;
        }
        // SAFETY: not null, and so a cmsghdr within the buffer; the buffer has the alignment of a cmsghdr.
        let cmsghdr { cmsg_len, cmsg_level, cmsg_type, .. } = unsafe { *control };
        // SAFETY: arithmetic only: the data starts a fixed distance behind the header.
        let data = unsafe { libc::CMSG_DATA(control) };
        let fits = |size: usize| {
            // SAFETY: arithmetic on numbers only.
            let needed = unsafe { libc::CMSG_LEN(size as c_uint) } as usize;
            cmsg_len as usize >= needed && self.control_len >= needed
        };
        if (cmsg_level, cmsg_type) == (libc::IPPROTO_IP, libc::IP_PKTINFO) && fits(size_of::<libc::in_pktinfo>()) {
            let info = data.cast::<libc::in_pktinfo>();
            // SAFETY: level and type say that the data is an in_pktinfo, and `fits` that all of it is within the
            // buffer. Unaligned access asks for nothing more.
            unsafe {
                let mut value = info.read_unaligned();
                if !Ipv4Addr::from(value.ipi_spec_dst.s_addr.to_ne_bytes()).is_link_local() {
                    value.ipi_ifindex = 0;
                }
                info.write_unaligned(value);
            }
        } else if (cmsg_level, cmsg_type) == (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
            && fits(size_of::<libc::in6_pktinfo>())
        {
            let info = data.cast::<libc::in6_pktinfo>();
            // SAFETY: as above, with in6_pktinfo.
            unsafe {
                let mut value = info.read_unaligned();
                if !Ipv6Addr::from(value.ipi6_addr.s6_addr).is_unicast_link_local() {
                    value.ipi6_ifindex = 0;
                }
                info.write_unaligned(value);
            }
        } else {
            self.control_len = 0;
        }
    }
}

/// One request and the room for its reply.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The datagram; empty when it was longer than [`REQUEST_SIZE_MAX`].
    pub request: &'a [u8],
    /// Who sent it.
    pub peer: SocketAddr,
    /// Where the reply is written to.
    pub reply: &'a mut [u8],
    reply_len: &'a mut usize,
}

impl Exchange<'_> {
    /// Has the first `len` octets of the room sent as the reply.
    pub fn answer(self, len: usize) {
        *self.reply_len = len.min(self.reply.len());
    }
}

/// What became of the replies of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Replies handed to the network.
    pub replies: u64,
    /// Replies that the network refused.
    pub errors: u64,
}

impl Sent {
    fn add(&mut self, other: Sent) {
        self.replies += other.replies;
        self.errors += other.errors;
    }
}

/// Sends datagrams to the peer that `socket` is connected to, the first [`BATCH_SIZE`] of them; returns how many went.
///
/// # Errors
///
/// What `sendmmsg` says of the first one; `WouldBlock` when a non-blocking socket has no room for it.
pub fn send_connected(socket: &UdpSocket, datagrams: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut headers = [const { MaybeUninit::<mmsghdr>::uninit() }; BATCH_SIZE];
    let n = datagrams.len().min(BATCH_SIZE);
    for (header, datagram) in headers.iter_mut().zip(datagrams) {
        // An IoSlice has the layout of an iovec, as its documentation promises. The kernel only reads what it points to.
        let vector = std::ptr::from_ref(datagram).cast_mut().cast::<iovec>();
        header.write(message(null_mut(), 0, vector, null_mut(), 0));
    }
    // SAFETY: the loop above initialised the first `n` headers. Each points to one of `datagrams`, which is an iovec of
    // octets that are borrowed for the call, and to neither an address nor control messages; sendmmsg writes to nothing
    // but the length in each header. The descriptor is open as long as `socket` is borrowed.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr().cast(), n as c_uint, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Has the processor fetch the cache line of an address, and does not wait for it.
///
/// It is a hint that no address makes fail. Among 100,000 zones what an answer takes besides the kernel's work is a sixth less with it
/// than with reading what is to come into the cache: a processor that waits for something it reads soon has no room to go on.
#[inline(always)]
pub fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction accesses no memory, be the address valid or not, and all processors of x86-64 have it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above, for all processors of AArch64.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{at}]", at = in(reg) at, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = at;
}

/// What the system call options of a UDP socket that serves DNS are, beyond what safe code can set.
///
/// # Errors
///
/// What `setsockopt` says.
pub fn prepare(socket: &UdpSocket) -> io::Result<()> {
    let local = socket.local_addr()?;
    let on: c_int = 1;
    match local {
        SocketAddr::V4(address) => {
            // Answers stay below the smallest MTU there is. OMIT leaves the Don't Fragment bit off and ignores the
            // path MTU that an attacker could have forged to get at fragments
            // (draft-ietf-dnsop-avoid-fragmentation, RFC 9715 §3.1).
            set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)?;
            if address.ip().is_unspecified() {
                set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, on)?;
            }
        }
        SocketAddr::V6(address) => {
            set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)?;
            if address.ip().is_unspecified() {
                set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, on)?;
            }
        }
    }
    Ok(())
}

/// Whether the kernel cuts messages into segments, which Linux does from 4.18 on; others would send them in one piece.
fn has_segments(socket: &UdpSocket) -> bool {
    let (mut value, mut len) = (0 as c_int, size_of::<c_int>() as socklen_t);
    // SAFETY: value and length are a c_int and its size, and outlive the call; the descriptor is open as long as `socket` is
    // borrowed.
    let result = unsafe {
        let (value, len) = ((&raw mut value).cast(), &raw mut len);
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, value, len)
    };
    result == 0
}

fn set_option(socket: &UdpSocket, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the value is one c_int that outlives the call, and the length says so; the descriptor is open as long as
    // `socket` is borrowed.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size_of::<c_int>() as socklen_t)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Octets of the control message that states the size of segments, and with the padding behind it.
// SAFETY: arithmetic on numbers only.
const SEGMENT_CONTROL_LEN: usize = unsafe { libc::CMSG_LEN(size_of::<u16>() as c_uint) } as usize;
// SAFETY: as above.
const SEGMENT_CONTROL_SIZE: usize = unsafe { libc::CMSG_SPACE(size_of::<u16>() as c_uint) } as usize;

const EMPTY_VECTOR: iovec = iovec { iov_base: null_mut(), iov_len: 0 };

fn message(
    address: *mut libc::c_void,
    address_len: socklen_t,
    vector: *mut iovec,
    control: *mut u8,
    control_len: usize,
) -> mmsghdr {
    // SAFETY: an mmsghdr is made of integers and raw pointers only, for which zeros are values; on some systems it has
    // padding fields that can't be named.
    let mut message: mmsghdr = unsafe { zeroed() };
    message.msg_hdr.msg_name = address;
    message.msg_hdr.msg_namelen = address_len;
    message.msg_hdr.msg_iov = vector;
    message.msg_hdr.msg_iovlen = 1;
    message.msg_hdr.msg_control = control.cast();
    message.msg_hdr.msg_controllen = control_len as _;
    message
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn echo(batch: &mut Batch, server: &UdpSocket) -> usize {
        let n = batch.receive(server).unwrap();
        for i in 0..n {
            let Some(exchange) = batch.exchange(i) else { continue };
            let len = exchange.request.len().min(exchange.reply.len());
            exchange.reply[..len].copy_from_slice(&exchange.request[..len]);
            exchange.answer(len);
        }
        n
    }

    fn server(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        prepare(&socket).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }

    fn client(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }

    #[test]
    fn who_is_busy_looks_for_more_and_then_waits_as_long_as_the_socket_says() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        let mut batch = Batch::new(512);
        for datagrams in [&[IoSlice::new(b"one")][..], &[IoSlice::new(b"two"), IoSlice::new(b"three")]] {
            let sent = send_connected(&client, datagrams).unwrap();
            let mut received = 0;
            while received < sent {
                received += batch.receive_soon(&server).unwrap();
            }
            assert_eq!(batch.receive_soon(&server).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        send_connected(&client, &[IoSlice::new(b"four")]).unwrap();
        assert_eq!(batch.receive_soon(&server).unwrap(), 1);
        assert_eq!(batch.exchange(0).unwrap().request, b"four");
    }

    #[test]
    fn many_requests_are_answered_each_to_its_sender() {
        let server = server("127.0.0.1:0");
        let clients: Vec<_> = (0..100).map(|_| client("127.0.0.1:0")).collect();
        for (i, client) in clients.iter().enumerate() {
            client.send_to(format!("request {i}").as_bytes(), server.local_addr().unwrap()).unwrap();
        }
        let mut batch = Batch::new(512);
        let (mut received, mut sent) = (0, Sent::default());
        while received < clients.len() {
            let n = echo(&mut batch, &server);
            assert!((1..=BATCH_SIZE).contains(&n));
            received += n;
            sent.replies += batch.send(&server).replies;
        }
        assert_eq!(sent.replies, 100);
        for (i, client) in clients.iter().enumerate() {
            let mut buffer = [0; 64];
            let (len, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..len], from), (format!("request {i}").as_bytes(), server.local_addr().unwrap()));
        }
    }

    /// Takes `n` requests, which are there, into one batch and answers them.
    fn echo_all(batch: &mut Batch, server: &UdpSocket, n: usize) {
        assert_eq!(echo(batch, server), n, "they were there before");
    }

    #[test]
    fn joined_replies_come_apart_whole_each_to_its_sender() {
        let mut batch = Batch::new(4096).with_joined_replies(true);
        for (listen, own) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:0", "[::1]:0"),
            ("0.0.0.0:0", "127.0.0.1:0"),
            ("[::]:0", "[::1]:0"),
        ] {
            let server = server(listen);
            let clients: Vec<_> = (0..5).map(|_| client(own)).collect();
            let port = server.local_addr().unwrap().port();
            // On loopback every address of 127/8 can be asked.
            let targets = clients[0].local_addr().map(|own| match (own.is_ipv4(), listen.starts_with("0.0")) {
                (true, true) => vec!["127.0.0.1", "127.0.0.3"],
                (true, false) => vec!["127.0.0.1"],
                (false, _) => vec!["::1"],
            });
            let targets: Vec<SocketAddr> =
                targets.unwrap().iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect();
            let sizes = [40, 41, 40, 700, 12, 1300, 40, 1300, 13, 700, 40, 1232];
            let mut expected = vec![Vec::new(); clients.len()];
            for i in 0..BATCH_SIZE {
                // A client has no rhythm in common with the sizes.
                let (client, target) = (i % clients.len(), targets[i / 3 % targets.len()]);
                let text = vec![i as u8; sizes[i % sizes.len()]];
                clients[client].send_to(&text, target).unwrap();
                expected[client].push((text, target));
            }
            echo_all(&mut batch, &server, BATCH_SIZE);
            assert_eq!(batch.send(&server), Sent { replies: BATCH_SIZE as u64, errors: 0 });
            assert_eq!(batch.joining, Joining::On, "Linux has segments since 4.18");
            for (client, mut expected) in clients.iter().zip(expected) {
                let mut buffer = [0; 4096];
                let mut received: Vec<(Vec<u8>, SocketAddr)> = (0..expected.len())
                    .map(|_| client.recv_from(&mut buffer).map(|(len, from)| (buffer[..len].to_vec(), from)).unwrap())
                    .collect();
                received.sort();
                expected.sort();
                assert_eq!(received, expected);
            }
        }
    }

    #[test]
    fn what_can_not_be_sent_together_is_sent_alone_and_no_more_is_joined() {
        let server = server("127.0.0.1:0");
        let client = client("127.0.0.1:0");
        // Segments need a checksum each.
        set_option(&server, libc::SOL_SOCKET, libc::SO_NO_CHECK, 1).unwrap();
        let mut batch = Batch::new(512).with_joined_replies(true);
        for _ in 0..2 {
            for request in [&b"one"[..], b"two", b"three"] {
                client.send_to(request, server.local_addr().unwrap()).unwrap();
            }
            echo_all(&mut batch, &server, 3);
            assert_eq!(batch.send(&server), Sent { replies: 3, errors: 0 });
            assert_eq!(batch.joining, Joining::Off);
            let mut replies: Vec<usize> = (0..3).map(|_| client.recv(&mut [0; 16]).unwrap()).collect();
            replies.sort_unstable();
            assert_eq!(replies, [3, 3, 5]);
        }
    }

    #[test]
    fn a_reply_is_given_again_under_another_id_and_only_if_there_is_one() {
        let server = server("127.0.0.1:0");
        let client = client("127.0.0.1:0");
        let mut batch = Batch::new(512);
        for request in [&b"1st"[..], b"2nd"] {
            client.send_to(request, server.local_addr().unwrap()).unwrap();
        }
        echo_all(&mut batch, &server, 2);
        assert!(batch.exchange_again(1, 2, 3).is_none() && batch.exchange_again(2, 0, 3).is_none());
        assert!(batch.exchange_again(1, 0, 513).is_none());
        batch.exchange_again(1, 0, 3).unwrap().answer(3);
        assert_eq!(batch.send(&server), Sent { replies: 2, errors: 0 });
        for expected in [b"1st", b"2nt"] {
            let mut buffer = [0; 16];
            assert_eq!(client.recv(&mut buffer).map(|len| buffer[..len].to_vec()).unwrap(), expected);
        }
    }

    #[test]
    fn a_client_that_can_not_be_replied_to_takes_no_joining_away() {
        let server = server("127.0.0.1:0");
        let client = client("127.0.0.1:0");
        let mut batch = Batch::new(512).with_joined_replies(true);
        for _ in 0..2 {
            client.send_to(b"query", server.local_addr().unwrap()).unwrap();
        }
        echo_all(&mut batch, &server, 2);
        for slot in &mut batch.slots[..2] {
            // SAFETY: the client's address is an IPv4 address, and so a sockaddr_in. Port 0 can't be sent to.
            unsafe { (*(&raw mut slot.address).cast::<sockaddr_in>()).sin_port = 0 };
        }
        assert_eq!(batch.send(&server), Sent { replies: 0, errors: 2 });
        assert_eq!(batch.joining, Joining::On);
    }

    #[test]
    fn behind_a_wildcard_the_reply_leaves_from_the_address_that_was_asked() {
        let mut batch = Batch::new(512);
        for (wildcard, own, asked) in [
            ("0.0.0.0:0", "127.0.0.1:0", "127.0.0.3"),
            ("[::]:0", "[::1]:0", "::1"),
            ("0.0.0.0:0", "127.0.0.9:0", "127.0.0.1"),
        ] {
            let server = server(wildcard);
            let client = client(own);
            let target = SocketAddr::new(asked.parse().unwrap(), server.local_addr().unwrap().port());
            client.send_to(b"query", target).unwrap();
            assert_eq!(echo(&mut batch, &server), 1);
            assert_eq!(batch.send(&server), Sent { replies: 1, errors: 0 });
            assert_eq!(client.recv_from(&mut [0; 64]).unwrap(), (5, target));
        }
    }

    #[test]
    fn a_request_that_is_too_long_comes_out_empty_and_the_next_one_whole() {
        let server = server("127.0.0.1:0");
        let client = client("127.0.0.1:0");
        let mut batch = Batch::new(512);
        for (size, left) in [(REQUEST_SIZE_MAX + 1, 0), (REQUEST_SIZE_MAX, REQUEST_SIZE_MAX), (0, 0), (1, 1)] {
            client.send_to(&vec![7; size], server.local_addr().unwrap()).unwrap();
            assert_eq!(batch.receive(&server).unwrap(), 1);
            assert_eq!(batch.exchange(0).unwrap().request.len(), left);
        }
    }

    #[test]
    fn a_reply_that_cannot_be_sent_does_not_hold_up_the_others() {
        let server = server("127.0.0.1:0");
        let client = client("127.0.0.1:0");
        for _ in 0..3 {
            client.send_to(b"query", server.local_addr().unwrap()).unwrap();
        }
        let mut batch = Batch::new(512);
        let mut received = 0;
        while received < 3 {
            received += echo(&mut batch, &server);
            if received < 3 {
                batch.send(&server);
            }
        }
        // Port 0 can't be sent to.
        let last = batch.received - 1;
        // SAFETY: the client's address is an IPv4 address, and so a sockaddr_in.
        unsafe { (*(&raw mut batch.slots[last].address).cast::<sockaddr_in>()).sin_port = 0 };
        let expected = batch.received as u64 - 1;
        assert_eq!(batch.send(&server), Sent { replies: expected, errors: 1 });
    }

    #[test]
    fn a_connected_socket_sends_a_batch_to_its_peer_in_order() {
        let (server, client) = (server("127.0.0.1:0"), client("127.0.0.1:0"));
        client.connect(server.local_addr().unwrap()).unwrap();
        let texts: Vec<String> = (0..BATCH_SIZE + 1).map(|i| format!("query {i}")).collect();
        let datagrams: Vec<_> = texts.iter().map(|text| IoSlice::new(text.as_bytes())).collect();
        assert_eq!(send_connected(&client, &datagrams).unwrap(), BATCH_SIZE);
        for text in &texts[..BATCH_SIZE] {
            let mut buffer = [0; 64];
            let (len, from) = server.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..len], from), (text.as_bytes(), client.local_addr().unwrap()));
        }
        assert_eq!(send_connected(&client, &[]).unwrap(), 0);
    }

    #[test]
    fn a_socket_without_a_peer_sends_nothing() {
        let error = send_connected(&client("127.0.0.1:0"), &[IoSlice::new(b"query")]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EDESTADDRREQ));
    }

    #[test]
    fn a_silent_socket_times_out() {
        let server = server("127.0.0.1:0");
        server.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        assert_eq!(Batch::new(512).receive(&server).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
