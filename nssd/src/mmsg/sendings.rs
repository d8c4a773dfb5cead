//! Which replies of a batch leave together.
//!
//! The kernel takes several datagrams to one client as one message and cuts it into segments of one size, of which the last may be
//! shorter (UDP generic segmentation offload, udp(7): `UDP_SEGMENT`). What it spends on a message, from the route to the
//! delivery, it then spends once. Whoever asks from one port, as load balancers and forwarders do, gets replies so; resolvers
//! take another port for each query, and for them there is nothing to join.

use super::BATCH_SIZE;
use crate::trial::Trial;

/// Octets of a reply that is joined with others at most: with headers it fits the smallest MTU of IPv6 (RFC 8200 §5), and so is no
/// longer than any network takes without fragments.
const SEGMENT_SIZE_MAX: usize = 1232;

/// Octets of a message at most: an IPv4 packet with its headers has 65,535.
const MESSAGE_SIZE_MAX: usize = 65_000;

/// The replies of a batch, put in the order in which they leave.
#[derive(Debug)]
pub(super) struct Sendings {
    /// The replies, those that leave together next to each other.
    order: [Reply; BATCH_SIZE],
    /// How many of `order` each sending takes.
    counts: [u8; BATCH_SIZE],
    len: usize,
    /// The last reply to each client, found by its number.
    last: [u8; CLIENTS],
    /// The reply to the same client before this one.
    before: [u8; BATCH_SIZE],
    trial: Trial,
}

/// A reply: one in front of another that is shorter, or stands behind it in the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reply(u32);

impl Reply {
    /// The reply in a slot of the batch, which has some octets.
    pub(super) fn new(slot: usize, size: usize) -> Reply {
        Reply((SIZE_MAX - (size as u32).min(SIZE_MAX)) << SLOT_BITS | slot as u32)
    }

    pub(super) fn slot(self) -> usize {
        (self.0 & ((1 << SLOT_BITS) - 1)) as usize
    }

    fn size(self) -> usize {
        (SIZE_MAX - (self.0 >> SLOT_BITS)) as usize
    }
}

const SLOT_BITS: u32 = 8;
const _: () = assert!(BATCH_SIZE <= 1 << SLOT_BITS, "every slot has a number");

/// Octets of a datagram at most.
const SIZE_MAX: u32 = u16::MAX as u32;

/// Places for clients: twice as many as there are clients in a batch, so that few of them meet.
const CLIENTS: usize = 2 * BATCH_SIZE;

/// In place of a reply.
const NONE: u8 = u8::MAX;
const _: () = assert!(BATCH_SIZE < NONE as usize, "no reply has this number");

impl Sendings {
    pub(super) fn new() -> Sendings {
        Sendings {
            order: [Reply::default(); BATCH_SIZE],
            counts: [0; BATCH_SIZE],
            len: 0,
            last: [NONE; CLIENTS],
            before: [NONE; BATCH_SIZE],
            trial: Trial::default(),
        }
    }

    /// The sendings: the replies of each, the longest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[Reply]> {
        let mut rest = &self.order[..];
        self.counts[..self.len].iter().map(move |&count| {
            let (these, behind) = rest.split_at(count.into());
            rest = behind;
            these
        })
    }

    /// Puts replies in order, each by itself.
    pub(super) fn single(&mut self, replies: impl Iterator<Item = Reply>) {
        self.len = 0;
        for ((reply, place), count) in replies.zip(&mut self.order).zip(&mut self.counts) {
            (*place, *count) = (reply, 1);
            self.len += 1;
        }
    }

    /// Puts replies in order, joined where they may be, unless there has been nothing to join for a while.
    ///
    /// Each comes with a number of its client, which another one may have too; `is_same` says of two slots with the same number whether
    /// their replies go to one client from one address.
    pub(super) fn join(&mut self, replies: impl Iterator<Item = (Reply, u64)>, is_same: impl Fn(usize, usize) -> bool) {
        if !self.trial.is_due() {
            return self.single(replies.map(|(reply, _)| reply));
        }
        self.last.fill(NONE);
        let mut sizes = [Reply::default(); BATCH_SIZE];
        let mut numbers = [0; BATCH_SIZE];
        let mut taken = [0; BATCH_SIZE];
        let mut clients = 0;
        for (reply, number) in replies.take(BATCH_SIZE) {
            let slot = reply.slot();
            (sizes[slot], numbers[slot]) = (reply, number);
            let mut at = (number.wrapping_mul(FACTOR) >> 32) as usize % CLIENTS;
            let last = loop {
                let last = self.last[at];
                if last == NONE {
                    taken[clients] = at as u8;
                    clients += 1;
                    break last;
                }
                if numbers[usize::from(last)] == number && is_same(last.into(), slot) {
                    break last;
                }
                at = (at + 1) % CLIENTS;
            };
            self.before[slot] = last;
            self.last[at] = slot as u8;
        }
        self.len = 0;
        let mut start = 0;
        for &at in &taken[..clients] {
            let mut end = start;
            let mut slot = self.last[usize::from(at)];
            while slot != NONE {
                self.order[end] = sizes[usize::from(slot)];
                end += 1;
                slot = self.before[usize::from(slot)];
            }
            self.cut(start, end);
            start = end;
        }
        self.trial.learn(self.len < start);
    }

    /// Cuts the replies to one client into sendings.
    fn cut(&mut self, start: usize, end: usize) {
        let replies = &mut self.order[start..end];
        if replies.len() > 1 {
            // The longest first, so that each sending may take a shorter one along.
            replies.sort_unstable();
        }
        let mut rest = &*replies;
        while let Some(&first) = rest.first() {
            let size = first.size();
            let segments_max = if size > SEGMENT_SIZE_MAX { 1 } else { MESSAGE_SIZE_MAX / size.max(1) };
            let equal = rest.iter().take(segments_max).take_while(|reply| reply.size() == size).count();
            let count = if equal < rest.len().min(segments_max) { equal + 1 } else { equal };
            self.counts[self.len] = count as u8;
            self.len += 1;
            rest = &rest[count..];
        }
    }
}

/// Spreads numbers that differ in few bits: 2^64 by the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A client, and the octets of a reply to it.
    type To = (u64, usize);

    fn joined(replies: &[To], number: impl Fn(u64) -> u64) -> Vec<Vec<To>> {
        let mut sendings = Sendings::new();
        // What pays is tried again.
        sendings.join([(Reply::new(0, 1), 0), (Reply::new(1, 1), 0)].into_iter(), |_, _| true);
        let numbered =
            replies.iter().enumerate().map(|(slot, &(client, size))| (Reply::new(slot, size), number(client)));
        sendings.join(numbered, |a, b| replies[a].0 == replies[b].0);
        sendings.iter().map(|sent| sent.iter().map(|reply| replies[reply.slot()]).collect()).collect()
    }

    #[test]
    fn replies_to_one_client_leave_together_as_long_as_they_are_of_one_size() {
        let sendings =
            joined(&[(1, 80), (2, 50), (1, 90), (1, 80), (3, 10), (1, 90), (1, 70), (1, 60)], |client| client);
        let expected: [&[To]; 4] = [&[(1, 90), (1, 90), (1, 80)], &[(1, 80), (1, 70)], &[(1, 60)], &[(2, 50)]];
        assert_eq!(sendings[..4], expected);
        assert_eq!(sendings[4..], [[(3, 10)]]);
    }

    #[test]
    fn what_is_long_leaves_alone_and_no_message_is_longer_than_a_packet() {
        assert_eq!(joined(&[(1, 1233), (1, 1233), (1, 4096), (1, 1232)], |client| client).len(), 4);
        assert_eq!(joined(&[(1, 1232), (1, 1232)], |client| client).len(), 1);
        let lengths: Vec<usize> = joined(&[(1, 1232); BATCH_SIZE], |client| client).iter().map(Vec::len).collect();
        assert_eq!(lengths, [52, 12]);
    }

    proptest! {
        #[test]
        fn every_reply_leaves_once_with_others_that_the_kernel_can_cut_from_it(
            replies in prop::collection::vec((0..12_u64, prop_oneof![1..6_usize, 1200..1300_usize]), 0..=BATCH_SIZE),
            places in 1..20_u64,
        ) {
            // Few places: clients collide.
            let sendings = joined(&replies, |client| client % places);
            let mut left: Vec<To> = sendings.iter().flatten().copied().collect();
            let mut all = replies.clone();
            left.sort_unstable();
            all.sort_unstable();
            prop_assert_eq!(left, all);
            for sending in &sendings {
                let (client, size) = sending[0];
                let (last, equal) = sending.split_last().unwrap();
                prop_assert!(sending.iter().all(|reply| reply.0 == client));
                prop_assert!(equal.iter().all(|reply| reply.1 == size) && last.1 <= size);
                prop_assert!(sending.len() == 1 || size <= SEGMENT_SIZE_MAX);
                prop_assert!(sending.iter().map(|reply| reply.1).sum::<usize>() <= MESSAGE_SIZE_MAX);
            }
        }
    }
}
