//! From the sockets to the answer algorithm: who answers, by which policy, and what is counted of it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nss_authority::{Catalog, CookieSecrets, Outcome, Peer, Policy, ReplyKind, Transport, View};
use nss_wire::message::{Flags, HEADER_SIZE, Header, MESSAGE_SIZE_MAX, Rcode, Reader};

use crate::config::ServerConfig;

/// What a UDP worker answers with.
pub(crate) trait Answer {
    /// Called before each batch, so that what needs a system call is done once for all its queries.
    fn begin_batch(&mut self);

    /// Prepares for the queries of a batch.
    fn approach<'r>(&mut self, requests: impl Iterator<Item = &'r [u8]>);

    /// Answers one query over UDP.
    fn answer_udp(&mut self, request: &[u8], client: IpAddr, reply: &mut [u8]) -> Answered;

    /// Called after a panic, to leave nothing half done behind.
    fn recover(&mut self);
}

/// What becomes of a query over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// A reply was written.
    Reply {
        /// Its octets.
        len: usize,
        /// Its response code.
        rcode: Rcode,
        /// What the rate limit counts by.
        kind: u8,
        /// Whether the client has proved its address, and so needs no rate limit (RFC 7873 §5.2.3).
        is_trusted: bool,
    },
    /// There is no reply.
    Silent,
}

/// Answers from the zones of a catalog.
#[derive(Debug)]
pub(crate) struct Authority {
    view: View,
    policy: Policy,
    refreshed_at: u32,
}

impl Authority {
    pub(crate) fn new(catalog: &Arc<Catalog>, policy: Policy) -> Authority {
        Authority { view: catalog.view(), policy, refreshed_at: 0 }
    }

    fn respond(&mut self, request: &[u8], client: IpAddr, transport: Transport, reply: &mut [u8]) -> Outcome {
        let peer = Peer { transport, address: client };
        self.view.respond(request, &peer, &self.policy, reply)
    }
}

impl Answer for Authority {
    fn begin_batch(&mut self) {
        self.policy.now = now();
        // Once a second, so that zones that were replaced leave the memory although nobody asks for them.
        if self.policy.now != self.refreshed_at {
            self.view.refresh();
            self.refreshed_at = self.policy.now;
        }
    }

    fn approach<'r>(&mut self, requests: impl Iterator<Item = &'r [u8]>) {
        self.view.approach(requests);
    }

    fn answer_udp(&mut self, request: &[u8], client: IpAddr, reply: &mut [u8]) -> Answered {
        match self.respond(request, client, Transport::Udp, reply) {
            Outcome::Reply(reply) => Answered::Reply {
                len: reply.len,
                rcode: reply.rcode,
                kind: kind_number(reply.kind),
                is_trusted: reply.has_valid_cookie,
            },
            // A transfer over UDP gets an ordinary reply (RFC 1995 §2, RFC 5936 §4.2), so that there is none to see
            // here.
            Outcome::Silent | Outcome::Transfer(_) => Answered::Silent,
        }
    }

    fn recover(&mut self) {
        let catalog = self.view.catalog().clone();
        self.view = catalog.view();
    }
}

/// Authorities for the connections over streams, which come and go and work on any thread.
///
/// There are as many as were needed at once, which is not more than there are threads.
#[derive(Debug)]
pub(crate) struct Authorities {
    catalog: Arc<Catalog>,
    policy: Policy,
    idle: Mutex<Vec<Desk>>,
}

/// An authority and the room it writes to.
#[derive(Debug)]
pub(crate) struct Desk {
    authority: Authority,
    reply: Box<[u8]>,
}

impl Desk {
    /// Answers one message over a stream; a reply is appended to `output` behind its length.
    ///
    /// After a panic `output` is as before, and [`Desk::clear`] has to be called.
    pub(crate) fn answer(
        &mut self,
        request: &[u8],
        client: IpAddr,
        transport: Transport,
        output: &mut Vec<u8>,
    ) -> Outcome {
        let outcome = self.authority.respond(request, client, transport, &mut self.reply);
        if let Outcome::Reply(reply) = &outcome {
            append(&self.reply[..reply.len], output);
        }
        outcome
    }

    /// Leaves nothing half done behind.
    pub(crate) fn clear(&mut self) {
        self.authority.recover();
    }
}

impl Authorities {
    pub(crate) fn new(catalog: Arc<Catalog>, policy: Policy) -> Authorities {
        Authorities { catalog, policy, idle: Mutex::new(Vec::new()) }
    }

    /// A desk for the messages of one connection that are there now; goes back by [`Authorities::put_back`].
    ///
    /// Who asks is told that the connection may stay idle for `idle_timeout`.
    pub(crate) fn desk(&self, idle_timeout: Duration) -> Desk {
        let idle = self.lock().pop();
        let mut desk = idle.unwrap_or_else(|| Desk {
            authority: Authority::new(&self.catalog, self.policy.clone()),
            reply: vec![0; MESSAGE_SIZE_MAX].into_boxed_slice(),
        });
        desk.authority.begin_batch();
        desk.authority.policy.stream_idle_timeout = Some(tenths(idle_timeout));
        desk
    }

    /// Takes a desk that nobody works at any more.
    pub(crate) fn put_back(&self, desk: Desk) {
        self.lock().push(desk);
    }

    /// Lets go of zones that are not served any more.
    pub(crate) fn rest(&self) {
        for desk in self.lock().iter_mut() {
            desk.authority.begin_batch();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Desk>> {
        // Nothing that can panic happens under this lock.
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Appends a message behind its length (RFC 1035 §4.2.2).
pub(crate) fn append(message: &[u8], output: &mut Vec<u8>) {
    let length = u16::try_from(message.len()).expect("a message is no longer than its room, MESSAGE_SIZE_MAX");
    output.extend_from_slice(&length.to_be_bytes());
    output.extend_from_slice(message);
}

/// The policy that the configuration asks for; `random` is the cookie secret when none is set.
pub(crate) fn policy(config: &ServerConfig, random: [u8; 16]) -> Policy {
    Policy {
        now: now(),
        udp_payload_size_max: config.udp_payload_size_max,
        nsid: config.nsid.as_ref().map(|nsid| nsid.as_bytes().into()),
        cookies: config
            .cookies
            .then(|| CookieSecrets { current: config.cookie_secret.unwrap_or(random), previous: None }),
        stream_idle_timeout: None,
    }
}

/// Cuts a reply down to header and question and marks it as truncated; returns its octets, `None` when it makes no
/// sense.
pub(crate) fn truncate(reply: &mut [u8]) -> Option<usize> {
    let mut header = Header::read(reply)?;
    let end = {
        let mut reader = Reader::new(reply).ok()?;
        while reader.question().ok()?.is_some() {}
        reader.offset()
    };
    header.flags = header.flags.with(Flags::TC);
    header.record_counts = [0; 3];
    reply.get_mut(..HEADER_SIZE)?.copy_from_slice(&header.to_wire());
    Some(end)
}

/// Tenths of a second, as RFC 7828 §3.1 counts, and never more than there are.
fn tenths(time: Duration) -> u16 {
    u16::try_from(time.as_millis() / 100).unwrap_or(u16::MAX)
}

fn kind_number(kind: ReplyKind) -> u8 {
    match kind {
        ReplyKind::Answer => 0,
        ReplyKind::NoData => 1,
        ReplyKind::NxDomain => 2,
        ReplyKind::Referral => 3,
        ReplyKind::Error => 4,
    }
}

/// Seconds since 1970 as cookies count them: modulo 2^32 (RFC 9018 §4.3).
fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}
