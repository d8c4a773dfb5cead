//! Client connections: how many, how long, and HTTP/1.1 on each.
//!
//! When all places are taken, the connection that was quiet the longest makes room: a few hosts that open connections
//! and say nothing keep nobody out.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::CONNECTION;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Sleep, sleep};

use crate::network::{CLIENTS_PER_SITE, Network};
use crate::stream::{Activity, ClientStream};

/// Octets of a request's header section at most. Browsers send some hundreds, cookies none; also what a connection
/// costs in memory before its request is known.
pub(crate) const HEADER_SIZE_MAX: usize = 16 << 10;

/// Header fields of a request at most; browsers behind proxies send about thirty.
pub(crate) const HEADER_COUNT_MAX: usize = 64;

/// How long one connection is used. Clients that keep connections for good make no server stop or balance easily.
const LIFETIME: Duration = Duration::from_secs(600);

/// How long a connection lives on after its end was announced, for the request that runs.
const LAST_REQUEST: Duration = Duration::from_secs(120);

/// The time limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionTimeouts {
    pub(crate) header: Duration,
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
}

/// Serves HTTP/1.1 on `stream` until the client, a time limit, `stop` or somebody who needs the place ends it.
pub(crate) async fn serve<A, F>(
    stream: TcpStream,
    place: &Place,
    timeouts: ConnectionTimeouts,
    mut stop: watch::Receiver<bool>,
    answer: A,
) where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let activity = &place.activity;
    let stream = ClientStream::new(stream, Arc::clone(activity), timeouts.write);
    let service = service_fn(|request| {
        let in_flight = activity.request();
        let answered = in_flight.is_some().then(|| answer(request));
        async move {
            let (Some(in_flight), Some(answered)) = (in_flight, answered) else { return Err(Evicted) };
            let response = answered.await;
            // An answer that ends the connection leaves octets of its request unread.
            if !response.headers().contains_key(CONNECTION) {
                in_flight.settle();
            }
            Ok(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.header)
        .max_headers(HEADER_COUNT_MAX)
        .max_buf_size(HEADER_SIZE_MAX)
        // `printf … | nc` closes its side first and still wants the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);

    let mut idle = pin!(sleep(timeouts.idle));
    let mut lifetime = pin!(sleep(LIFETIME));
    let mut end = pin!(sleep(LIFETIME));
    let mut is_ending = false;
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = idle.as_mut() => match activity.idle_since() {
                Some(since) if since.elapsed() >= timeouts.idle => {
                    connection.as_mut().graceful_shutdown();
                    idle.as_mut().reset(Instant::now() + timeouts.idle);
                }
                Some(since) => idle.as_mut().reset(since + timeouts.idle),
                None => idle.as_mut().reset(Instant::now() + timeouts.idle),
            },
            () = place.wanted.notified() => return,
            // Once its end is announced the connection only finishes the request that runs.
            () = end.as_mut(), if is_ending => return,
            () = ending(&mut stop, lifetime.as_mut()), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
                end.as_mut().reset(Instant::now() + LAST_REQUEST);
            }
        }
    }
}

/// Waits until the server stops or the connection has had its time.
async fn ending(stop: &mut watch::Receiver<bool>, lifetime: Pin<&mut Sleep>) {
    tokio::select! {
        // An error means that the server is gone altogether.
        _ = stop.wait_for(|stop| *stop) => {}
        () = lifetime => {}
    }
}

/// Ends a connection whose request came when somebody else had its place already.
#[derive(Debug)]
struct Evicted;

impl fmt::Display for Evicted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection has made room for another")
    }
}

impl std::error::Error for Evicted {}

/// Refuses a connection with a few octets that the kernel takes at once, or not at all.
pub(crate) fn turn_away(stream: &TcpStream, refused: Refused) {
    let (status, text) = match refused {
        Refused::Full => ("503 Service Unavailable", "too many connections; try again in some seconds\n"),
        Refused::FullForClient => {
            ("429 Too Many Requests", "too many connections from your address or network; close some\n")
        }
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nRetry-After: 5\r\n\
         Connection: close\r\n\r\n{text}",
        text.len()
    );
    // A fresh socket's send buffer is empty and larger than this answer.
    let _ = stream.try_write(answer.as_bytes());
}

/// The open connections, all and each client's.
pub(crate) struct Connections {
    max: usize,
    per_client_max: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    last_id: u64,
    places: HashMap<u64, Arc<Place>>,
    /// Holds only clients that have a connection, and so at most `max`; likewise the sites.
    per_client: HashMap<Network, usize>,
    per_site: HashMap<Network, usize>,
}

/// The place of one connection among all.
pub(crate) struct Place {
    id: u64,
    client: Option<Network>,
    site: Option<Network>,
    activity: Arc<Activity>,
    /// Told when another connection needs the place.
    wanted: Notify,
}

/// Why a connection was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// All clients together have as many as there may be, and each has a request that is being answered.
    Full,
    /// This client, or its site, has as many as one may have.
    FullForClient,
}

impl Connections {
    pub(crate) fn new(max: usize, per_client_max: usize) -> Arc<Connections> {
        Arc::new(Connections { max, per_client_max, open: Mutex::default() })
    }

    /// Counts one connection more, until the permit is dropped; at the expense of the quietest one if need be. One without a
    /// client is a trusted proxy's, which many share.
    pub(crate) fn admit(self: &Arc<Connections>, client: Option<IpAddr>) -> Result<Permit, Refused> {
        let (client, site) = (client.map(Network::host), client.and_then(Network::site));
        let per_site_max = self.per_client_max.saturating_mul(CLIENTS_PER_SITE.get() as usize);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = client.and_then(|client| open.per_client.get(&client)).copied().unwrap_or_default();
        let of_site = site.and_then(|site| open.per_site.get(&site)).copied().unwrap_or_default();
        if own >= self.per_client_max || of_site >= per_site_max {
            return Err(Refused::FullForClient);
        }
        while open.places.len() >= self.max {
            let quiet = open.places.values().filter_map(|place| Some((place.activity.quiet_since()?, place)));
            let quietest = quiet.min_by_key(|(since, place)| (*since, place.id)).map(|(_, place)| Arc::clone(place));
            let quietest = quietest.ok_or(Refused::Full)?;
            // Otherwise a request has come meanwhile, and it is no candidate any more.
            if quietest.activity.evict() {
                open.remove(&quietest);
                quietest.wanted.notify_one();
            }
        }
        open.last_id += 1;
        let activity = Arc::new(Activity::new());
        let place = Arc::new(Place { id: open.last_id, client, site, activity, wanted: Notify::new() });
        open.places.insert(place.id, Arc::clone(&place));
        let open = &mut *open;
        for (counts, network) in [(&mut open.per_client, client), (&mut open.per_site, site)] {
            if let Some(network) = network {
                *counts.entry(network).or_default() += 1;
            }
        }
        Ok(Permit { connections: Arc::clone(self), place })
    }
}

impl Open {
    /// Frees a place, unless it made room already.
    fn remove(&mut self, place: &Place) {
        if self.places.remove(&place.id).is_none() {
            return;
        }
        for (counts, network) in [(&mut self.per_client, place.client), (&mut self.per_site, place.site)] {
            let Some(network) = network else { continue };
            if let Some(count) = counts.get_mut(&network) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&network);
                }
            }
        }
    }
}

/// A counted connection.
pub(crate) struct Permit {
    connections: Arc<Connections>,
    place: Arc<Place>,
}

impl Permit {
    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connections.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_client_has_its_share_of_connections_and_all_have_the_rest() {
        let connections = Connections::new(3, 2);
        let (a, b, c) = (client("192.0.2.1"), client("192.0.2.2"), client("192.0.2.3"));
        let first = connections.admit(a).unwrap();
        let second = connections.admit(a).unwrap();
        assert_eq!(connections.admit(a).err(), Some(Refused::FullForClient));
        let third = connections.admit(b).unwrap();
        let requests = [&first, &second, &third].map(|permit| permit.place.activity.request().unwrap());
        assert_eq!(connections.admit(c).err(), Some(Refused::Full));
        drop((requests, first));
        assert!(connections.admit(c).is_ok());
    }

    #[test]
    fn a_site_has_four_clients_worth_of_connections() {
        let connections = Connections::new(100, 2);
        let host = |n: u32| client(&format!("2001:db8:5:{n:x}::1"));
        let permits: Vec<Permit> = (0..8).map(|n| connections.admit(host(n)).unwrap()).collect();
        assert_eq!(connections.admit(host(8)).err(), Some(Refused::FullForClient));
        let neighbour = connections.admit(client("2001:db8:6::1")).unwrap();
        drop(permits);
        assert!(connections.admit(host(8)).is_ok());
        drop(neighbour);
        assert!(connections.open.lock().unwrap().per_site.is_empty());
    }

    #[test]
    fn a_trusted_proxy_has_as_many_connections_as_there_are() {
        let connections = Connections::new(3, 1);
        let permits = [(); 3].map(|()| connections.admit(None).unwrap());
        let requests = permits.each_ref().map(|permit| permit.place.activity.request().unwrap());
        assert_eq!(connections.admit(None).err(), Some(Refused::Full));
        drop((requests, permits));
        assert!(connections.open.lock().unwrap().places.is_empty());
    }

    #[tokio::test]
    async fn the_quietest_connection_makes_room_and_none_that_is_being_answered() {
        let connections = Connections::new(3, 3);
        let permits = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| connections.admit(client(text)).unwrap());
        let _request = permits[0].place.activity.request().unwrap();
        let newcomer = connections.admit(client("192.0.2.4")).unwrap();
        permits[1].place.wanted.notified().await;
        assert!(permits[1].place.activity.request().is_none(), "it is too late for a request");
        let open = connections.open.lock().unwrap();
        let mut ids: Vec<u64> = open.places.keys().copied().collect();
        ids.sort();
        assert_eq!(ids, [permits[0].place.id, permits[2].place.id, newcomer.place.id]);
        assert_eq!(open.per_client.len(), 3);
        drop(open);
        // Who made room frees no second place when it ends.
        drop(permits);
        assert_eq!(connections.open.lock().unwrap().places.len(), 1);
    }

    #[test]
    fn a_client_without_connections_leaves_nothing_behind() {
        let connections = Connections::new(3, 2);
        drop(connections.admit(client("2001:db8::1")));
        let open = connections.open.lock().unwrap();
        assert!(open.places.is_empty() && open.per_client.is_empty());
    }
}
