//! Open connections, and which of them makes room when there are too many.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::prefix::masked;

/// All connections of one kind.
///
/// Nobody is refused: when all places are taken, the connection that was quiet the longest makes room. An activity
/// is noted without a lock; the order of activities is put right when somebody has to go.
#[derive(Debug)]
pub(crate) struct Connections {
    open: Mutex<Open>,
    count: AtomicUsize,
    most: usize,
    most_per_client: usize,
    started: Instant,
}

#[derive(Debug, Default)]
struct Open {
    last_id: u64,
    places: HashMap<u64, Arc<Place>>,
    /// When each place was last known to be active, in microseconds, and its number.
    order: BTreeSet<(u64, u64)>,
    /// The same for each client.
    clients: HashMap<IpAddr, BTreeSet<(u64, u64)>>,
}

/// The place of one connection among all.
#[derive(Debug)]
struct Place {
    id: u64,
    client: IpAddr,
    /// When it last did something, in microseconds.
    active_us: AtomicU64,
    /// What [`Open::order`] has for it; changed under the lock alone.
    ordered_us: AtomicU64,
    /// Told to make room.
    close: Notify,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    connections: Arc<Connections>,
    place: Arc<Place>,
}

impl Connections {
    /// Room for so many connections, and so many of each client; both are at least 1.
    pub(crate) fn new(most: usize, most_per_client: usize) -> Arc<Connections> {
        Arc::new(Connections {
            open: Mutex::default(),
            count: AtomicUsize::new(0),
            most,
            most_per_client,
            started: Instant::now(),
        })
    }

    /// Gives a connection a place, if need be that of the one that was quiet the longest; says whether it was.
    pub(crate) fn admit(self: &Arc<Connections>, peer: IpAddr) -> (Seat, bool) {
        let client = client_of(peer);
        let mut open = self.lock();
        let of_client = open.clients.get(&client).map_or(0, BTreeSet::len);
        let quietest = if of_client >= self.most_per_client {
            // Who has too many makes room itself.
            open.quietest(Some(client))
        } else if open.places.len() >= self.most {
            open.quietest(None)
        } else {
            None
        };
        if let Some(place) = &quietest {
            open.remove(place);
            place.close.notify_one();
        }
        open.last_id += 1;
        let now_us = self.now_us();
        let place = Arc::new(Place {
            id: open.last_id,
            client,
            active_us: AtomicU64::new(now_us),
            ordered_us: AtomicU64::new(now_us),
            close: Notify::new(),
        });
        open.insert(place.clone());
        self.count.store(open.places.len(), Relaxed);
        (Seat { connections: self.clone(), place }, quietest.is_some())
    }

    /// Connections that are open now.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// How long a connection may be idle now: `full` while at most half of the places are taken, and shrinking from
    /// there to a tenth when all are.
    pub(crate) fn idle_timeout(&self, full: Duration) -> Duration {
        let (half, free) = (self.most.div_ceil(2), self.most.saturating_sub(self.count()));
        if free >= half {
            return full;
        }
        let least = full / 10;
        least + (full - least).mul_f64(free as f64 / half as f64)
    }

    fn now_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing that can panic happens under this lock.
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Open {
    fn insert(&mut self, place: Arc<Place>) {
        let entry = (place.ordered_us.load(Relaxed), place.id);
        self.order.insert(entry);
        self.clients.entry(place.client).or_default().insert(entry);
        self.places.insert(place.id, place);
    }

    /// Frees a place, unless it made room already.
    fn remove(&mut self, place: &Place) {
        if self.places.remove(&place.id).is_none() {
            return;
        }
        let entry = (place.ordered_us.load(Relaxed), place.id);
        self.order.remove(&entry);
        if let Some(of_client) = self.clients.get_mut(&place.client) {
            of_client.remove(&entry);
            if of_client.is_empty() {
                self.clients.remove(&place.client);
            }
        }
    }

    /// The place, among all or of one client, whose last activity is the longest ago.
    ///
    /// Each step but the last moves a place that was active since it was moved last, so that all steps together are not
    /// more than the activities.
    fn quietest(&mut self, client: Option<IpAddr>) -> Option<Arc<Place>> {
        loop {
            let order = match client {
                Some(client) => self.clients.get(&client)?,
                None => &self.order,
            };
            let (ordered_us, id) = order.first()?;
            let place = self.places.get(id)?.clone();
            let active_us = place.active_us.load(Relaxed);
            if active_us == *ordered_us {
                return Some(place);
            }
            self.remove(&place);
            place.ordered_us.store(active_us, Relaxed);
            self.insert(place);
        }
    }
}

impl Seat {
    /// Notes that the connection has done something.
    pub(crate) fn touch(&self) {
        self.place.active_us.store(self.connections.now_us(), Relaxed);
    }

    /// Waits until the connection has to make room.
    pub(crate) async fn shed(&self) {
        self.place.close.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.remove(&self.place);
        self.connections.count.store(open.places.len(), Relaxed);
    }
}

/// What counts as one client: an IPv6 host has at least a /64 to itself.
fn client_of(peer: IpAddr) -> IpAddr {
    let peer = peer.to_canonical();
    if peer.is_ipv4() { peer } else { masked(peer, 64).unwrap_or(peer) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_open(all: &Connections, seat: &Seat) -> bool {
        all.lock().places.contains_key(&seat.place.id)
    }

    #[test]
    fn the_quietest_connection_makes_room() {
        let all = Connections::new(2, 2);
        let (first, _) = all.admit(ip("192.0.2.1"));
        let (second, _) = all.admit(ip("192.0.2.2"));
        first.place.active_us.store(u64::MAX, Relaxed);
        let (third, has_shed) = all.admit(ip("192.0.2.3"));
        assert_eq!((has_shed, all.count()), (true, 2));
        assert!(is_open(&all, &first) && is_open(&all, &third) && !is_open(&all, &second));
    }

    #[test]
    fn a_client_with_too_many_connections_makes_room_itself() {
        let all = Connections::new(10, 1);
        let (other, _) = all.admit(ip("192.0.2.1"));
        // Both addresses are of one /64.
        let (old, _) = all.admit(ip("2001:db8::1"));
        let (new, has_shed) = all.admit(ip("2001:db8::2"));
        assert!(has_shed && is_open(&all, &other) && is_open(&all, &new) && !is_open(&all, &old));
        // The next /64 is another client.
        assert!(!all.admit(ip("2001:db8:0:1::1")).1);
        drop((old, new, other));
        let open = all.lock();
        assert!(open.places.is_empty() && open.order.is_empty() && open.clients.is_empty());
        assert_eq!(all.count(), 0);
    }

    #[tokio::test]
    async fn who_has_to_make_room_is_told() {
        let all = Connections::new(1, 1);
        let (first, _) = all.admit(ip("192.0.2.1"));
        let (_second, _) = all.admit(ip("192.0.2.2"));
        first.shed().await;
    }

    #[test]
    fn the_idle_timeout_shrinks_when_half_of_the_places_are_taken_and_never_to_nothing() {
        let all = Connections::new(10, 10);
        let full = Duration::from_secs(10);
        let mut seats = Vec::new();
        let mut timeouts = Vec::new();
        for _ in 0..=10 {
            timeouts.push(all.idle_timeout(full).as_millis());
            seats.push(all.admit(ip("192.0.2.1")));
        }
        assert_eq!(timeouts, [10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 8_200, 6_400, 4_600, 2_800, 1_000]);
        let one = Connections::new(1, 1);
        assert_eq!(one.idle_timeout(full), full);
        let _seat = one.admit(ip("192.0.2.1"));
        assert_eq!(one.idle_timeout(full), full / 10);
    }

    /// What a client does.
    #[derive(Clone, Debug)]
    enum Act {
        Come(u8),
        Touch(prop::sample::Index),
        Leave(prop::sample::Index),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..4_u8).prop_map(Act::Come),
            any::<prop::sample::Index>().prop_map(Act::Touch),
            any::<prop::sample::Index>().prop_map(Act::Leave),
        ]
    }

    proptest! {
        /// The model looks at all connections, each with client and last activity.
        #[test]
        fn who_goes_is_whom_a_look_at_all_connections_finds(acts in prop::collection::vec(act(), 1..200)) {
            let (most, most_per_client) = (6, 3);
            let all = Connections::new(most, most_per_client);
            let mut seats: Vec<(Seat, u8, u64)> = Vec::new();
            for (now, act) in (1_000_000_u64..).zip(acts) {
                match act {
                    Act::Come(client) => {
                        let of_client = seats.iter().filter(|seat| seat.1 == client).count();
                        let candidates = seats.iter().enumerate().filter(|(_, seat)| {
                            of_client < most_per_client || seat.1 == client
                        });
                        let is_full = of_client >= most_per_client || seats.len() >= most;
                        let expected = candidates.min_by_key(|(_, seat)| seat.2).map(|(i, _)| i).filter(|_| is_full);
                        let (seat, has_shed) = all.admit(IpAddr::from([192, 0, 2, client]));
                        seat.place.active_us.store(now, Relaxed);
                        prop_assert_eq!(has_shed, expected.is_some());
                        if let Some(i) = expected {
                            prop_assert!(!is_open(&all, &seats[i].0));
                            seats.remove(i);
                        }
                        seats.push((seat, client, now));
                    }
                    Act::Touch(index) if !seats.is_empty() => {
                        let seat = index.index(seats.len());
                        seats[seat].0.place.active_us.store(now, Relaxed);
                        seats[seat].2 = now;
                    }
                    Act::Leave(index) if !seats.is_empty() => drop(seats.remove(index.index(seats.len()))),
                    Act::Touch(_) | Act::Leave(_) => {}
                }
                prop_assert!(seats.iter().all(|(seat, ..)| is_open(&all, seat)));
                prop_assert_eq!(all.count(), seats.len());
            }
        }
    }
}
