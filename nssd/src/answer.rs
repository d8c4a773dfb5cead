//! From the sockets to the answer algorithm: who answers, by which policy, and what is counted of it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nss_authority::{Catalog, Outcome, Peer, Policy, ReplyKind, Transport, View};
use nss_wire::RType;
use nss_wire::message::{Flags, HEADER_SIZE, Header, MESSAGE_SIZE_MAX, Rcode, Reader};

use crate::config::ServerConfig;
use crate::cookie_secrets::{SecretsVersion, SharedSecrets};

/// What a UDP worker answers with.
pub(crate) trait Answer {
    /// Called before each batch, so that what needs a system call is done once for all its queries.
    fn begin_batch(&mut self);

    /// Prepares for the queries of a batch, with what has the processor fetch an address.
    fn approach<'r>(&mut self, requests: impl Iterator<Item = &'r [u8]>, prefetch: impl Fn(*const u8));

    /// Answers one query over UDP.
    fn answer_udp(&mut self, request: &[u8], client: IpAddr, reply: &mut [u8]) -> Answered;

    /// Called in the thread that answers before its first query, so that it allocates what it needs for good, and after a panic,
    /// to leave nothing half done behind.
    fn start_afresh(&mut self);
}

/// What becomes of a query over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// A reply was written.
    Reply(Written),
    /// There is no reply.
    Silent,
}

/// A reply that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Its octets.
    pub(crate) len: usize,
    /// Its response code.
    pub(crate) rcode: Rcode,
    /// What it says.
    pub(crate) kind: ReplyKind,
    /// How many labels of the question's name it is about.
    pub(crate) subject_labels: u8,
    /// Whether the client has proved its address, and so needs no rate limit (RFC 7873 §5.2.3).
    pub(crate) is_trusted: bool,
    /// Whether everybody with the same request gets it.
    pub(crate) is_for_everybody: bool,
}

/// Answers from the zones of a catalog.
#[derive(Debug)]
pub(crate) struct Authority {
    view: View,
    policy: Policy,
    refreshed_at: u32,
    secrets: Arc<SharedSecrets>,
    secrets_version: SecretsVersion,
}

impl Authority {
    /// `policy` has no secrets of cookies: they are taken over from `secrets` before each batch.
    pub(crate) fn new(catalog: &Arc<Catalog>, policy: Policy, secrets: Arc<SharedSecrets>) -> Authority {
        let secrets_version = SecretsVersion::default();
        Authority { view: catalog.view(), policy, refreshed_at: 0, secrets, secrets_version }
    }

    fn respond(&mut self, request: &[u8], client: IpAddr, transport: Transport, reply: &mut [u8]) -> Outcome {
        let peer = Peer { transport, address: client };
        self.view.respond(request, &peer, &self.policy, reply)
    }
}

impl Answer for Authority {
    fn begin_batch(&mut self) {
        self.policy.now = now();
        self.secrets.update(&mut self.policy.cookies, &mut self.secrets_version);
        // Once a second, so that zones that were replaced leave the memory although nobody asks for them.
        if self.policy.now != self.refreshed_at {
            self.view.refresh();
            self.refreshed_at = self.policy.now;
        }
    }

    fn approach<'r>(&mut self, requests: impl Iterator<Item = &'r [u8]>, prefetch: impl Fn(*const u8)) {
        self.view.approach(requests, prefetch);
    }

    #[inline]
    fn answer_udp(&mut self, request: &[u8], client: IpAddr, reply: &mut [u8]) -> Answered {
        match self.respond(request, client, Transport::Udp, reply) {
            Outcome::Reply(reply) => Answered::Reply(Written {
                len: reply.len,
                rcode: reply.rcode,
                kind: reply.kind,
                subject_labels: reply.subject_labels,
                is_trusted: reply.has_valid_cookie,
                is_for_everybody: reply.is_for_everybody,
            }),
            // A transfer over UDP gets an ordinary reply (RFC 1995 §2, RFC 5936 §4.2), so that there is none to see
            // here.
            Outcome::Silent | Outcome::Transfer(_) => Answered::Silent,
        }
    }

    fn start_afresh(&mut self) {
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
    secrets: Arc<SharedSecrets>,
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

    /// Answers a request for a transfer that the client may not have, as [`Desk::answer`] does.
    pub(crate) fn refuse_transfer(
        &mut self,
        request: &[u8],
        client: IpAddr,
        transport: Transport,
        output: &mut Vec<u8>,
    ) -> Outcome {
        let Authority { view, policy, .. } = &mut self.authority;
        let outcome = view.refuse_transfer(request, &Peer { transport, address: client }, policy, &mut self.reply);
        if let Outcome::Reply(reply) = &outcome {
            append(&self.reply[..reply.len], output);
        }
        outcome
    }

    /// Leaves nothing half done behind.
    pub(crate) fn clear(&mut self) {
        self.authority.start_afresh();
    }
}

impl Authorities {
    pub(crate) fn new(catalog: Arc<Catalog>, policy: Policy, secrets: Arc<SharedSecrets>) -> Authorities {
        Authorities { catalog, policy, secrets, idle: Mutex::new(Vec::new()) }
    }

    /// A desk for the messages of one connection that are there now; goes back by [`Authorities::put_back`].
    ///
    /// Who asks is told that the connection may stay idle for `idle_timeout`.
    pub(crate) fn desk(&self, idle_timeout: Duration) -> Desk {
        let idle = self.lock().pop();
        let mut desk = idle.unwrap_or_else(|| Desk {
            authority: Authority::new(&self.catalog, self.policy.clone(), self.secrets.clone()),
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

/// The policy that the configuration asks for, without the secrets of cookies, which may change.
pub(crate) fn policy(config: &ServerConfig) -> Policy {
    Policy {
        now: now(),
        udp_payload_size_max: config.udp_payload_size_max,
        nsid: config.nsid.as_ref().map(|nsid| nsid.as_bytes().into()),
        identity: config.identity.as_ref().map(|text| text.as_bytes().into()),
        version: config.version.as_ref().map(|text| text.as_bytes().into()),
        rotate: config.rotate,
        cookies: None,
        stream_idle_timeout: None,
    }
}

/// Cuts a reply down to header, question and OPT record, and marks it as truncated; returns its octets, `None` when it
/// makes no sense.
///
/// The OPT record stays because a client that sent a cookie may not believe an answer without (RFC 7873 §5.3).
pub(crate) fn truncate(reply: &mut [u8]) -> Option<usize> {
    let mut header = Header::read(reply)?;
    let (mut end, opt) = {
        let mut reader = Reader::new(reply).ok()?;
        while reader.question().ok()?.is_some() {}
        let end = reader.offset();
        let opt = loop {
            let start = reader.offset();
            match reader.record().ok()? {
                Some(record) if record.rtype == RType::OPT => break Some(start..reader.offset()),
                Some(_) => {}
                None => break None,
            }
        };
        (end, opt)
    };
    header.flags = header.flags.with(Flags::TC);
    header.record_counts = [0, 0, u16::from(opt.is_some())];
    reply.get_mut(..HEADER_SIZE)?.copy_from_slice(&header.to_wire());
    if let Some(opt) = opt {
        let size = opt.len();
        reply.copy_within(opt, end);
        end += size;
    }
    Some(end)
}

/// The wire form of the last `labels` labels of the name in the question of a reply of ours.
///
/// All of the name when it has not as many; nothing when there is no question.
pub(crate) fn subject(reply: &[u8], labels: u8) -> &[u8] {
    let name = reply.get(HEADER_SIZE..).unwrap_or_default();
    let mut count = 0;
    let mut end = 0;
    // A name that was answered is uncompressed and ends with the root.
    while let Some(&length @ 1..) = name.get(end) {
        end += 1 + usize::from(length);
        count += 1;
    }
    let mut start = 0;
    for _ in usize::from(labels)..count {
        start += 1 + usize::from(name[start]);
    }
    name.get(start..=end).unwrap_or_default()
}

/// Tenths of a second, as RFC 7828 §3.1 counts, and never more than there are.
fn tenths(time: Duration) -> u16 {
    u16::try_from(time.as_millis() / 100).unwrap_or(u16::MAX)
}

/// Seconds since 1970 as cookies count them: modulo 2^32 (RFC 9018 §4.3).
fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Message;
    use hickory_proto::rr::RecordType;

    use super::*;

    /// An answer about `www.example.` with an address and, if `has_opt`, an OPT record with a cookie.
    fn reply(has_opt: bool) -> Vec<u8> {
        let question = b"\x03www\x07example\0\0\x01\0\x01";
        let record = b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\xc0\0\x02\x01";
        let opt: &[u8] = if has_opt { b"\0\0\x29\x04\xd0\0\0\0\0\0\x0c\0\x0a\0\x08client!!" } else { b"" };
        let header = [0x12, 0x34, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, u8::from(has_opt)];
        [&header[..], question, record, opt].concat()
    }

    #[test]
    fn a_truncated_reply_keeps_question_and_opt_record_alone() {
        for has_opt in [false, true] {
            let mut reply = reply(has_opt);
            let len = truncate(&mut reply).unwrap();
            let message = Message::from_vec(&reply[..len]).unwrap();
            assert!(message.metadata.truncation && message.metadata.authoritative);
            assert_eq!(message.queries[0].query_type(), RecordType::A);
            assert_eq!((message.answers.len(), message.edns.is_some()), (0, has_opt));
            assert_eq!(reply[..len].ends_with(b"client!!"), has_opt);
        }
        assert_eq!(truncate(&mut reply(true)[..40]), None);
        assert_eq!(truncate(&mut [0; 11]), None);
    }

    #[test]
    fn a_subject_is_the_end_of_the_name() {
        let reply = reply(true);
        assert_eq!(subject(&reply, 2), b"\x03www\x07example\0");
        assert_eq!(subject(&reply, 3), b"\x03www\x07example\0");
        assert_eq!(subject(&reply, 1), b"\x07example\0");
        assert_eq!(subject(&reply, 0), b"\0");
        // An answer without question.
        assert_eq!((subject(&reply[..12], 0), subject(&[], 0)), (&b""[..], &b""[..]));
    }
}
