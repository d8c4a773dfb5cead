//! The four servers with the same zones, and everything that is asked of them.

use std::time::{Duration, Instant};

use nss_wire::{Name, NameBuf, RType};

use super::answer::Reply;
use super::programs::{Host, Programs};
use super::site::Site;
use crate::client::{Client, Query, Transport, rcode};
use crate::failure::{Failure, Outcome};
use crate::servers::Kind;

/// The servers and a client of each, in the order of [`Kind::ALL`].
pub(crate) struct Fleet<'a> {
    pub(crate) site: Site,
    programs: &'a dyn Programs,
    members: Vec<Member>,
    /// Peers that hung on a query and were started anew, and on which.
    restarts: Vec<String>,
}

struct Member {
    host: Box<dyn Host>,
    client: Client,
}

/// What the four answered to one query, in the order of [`Kind::ALL`].
pub(crate) type Replies = [Reply; 4];

/// Whether a zone is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    Everywhere,
    RefusedBy(String),
    NotByUs,
}

/// A peer that hangs again and again is no judge; each time costs seconds.
const RESTARTS_MAX: usize = 40;

impl<'a> Fleet<'a> {
    /// Starts all of them at once.
    pub(crate) fn start(site: Site, programs: &'a dyn Programs) -> Outcome<Fleet<'a>> {
        let place = &site;
        let started: Vec<Outcome<Member>> = std::thread::scope(|scope| {
            let starting: Vec<_> =
                Kind::ALL.into_iter().map(|kind| scope.spawn(move || Member::start(kind, place, programs))).collect();
            starting.into_iter().map(|member| member.join().expect("starting a server does not panic")).collect()
        });
        let members = started.into_iter().collect::<Outcome<_>>()?;
        Ok(Fleet { site, programs, members, restarts: Vec::new() })
    }

    /// Whether each server answers for a zone. Loading may still be under way, which is SERVFAIL at first.
    pub(crate) fn loaded(&mut self, apex: &NameBuf, patience: Duration) -> Outcome<Loaded> {
        let query = Query::new(apex.as_name(), RType::SOA);
        let mut refusing = Vec::new();
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            match (is_loaded(&mut self.members[index].client, &query, patience), kind) {
                (Some(true), _) => {}
                (Some(false), Kind::Nssd) if refusing.is_empty() => return Ok(Loaded::NotByUs),
                (None, Kind::Nssd) => {
                    return Err(Failure::new(format!("nssd is silent about the SOA of {apex}")));
                }
                (None, _) => {
                    self.restart(index, &query)?;
                    refusing.push(kind.name());
                }
                (Some(false), _) => refusing.push(kind.name()),
            }
        }
        Ok(if refusing.is_empty() { Loaded::Everywhere } else { Loaded::RefusedBy(refusing.join(", ")) })
    }

    fn restart(&mut self, index: usize, query: &Query) -> Outcome {
        let kind = Kind::ALL[index];
        let what = format!("{} hung on {} {} and is started again", kind.name(), query.qname, query.qtype);
        println!("{what}");
        self.restarts.push(what);
        if self.restarts.len() > RESTARTS_MAX {
            return Err(Failure::new(self.restarts.join("\n")));
        }
        self.members[index] = Member::start(kind, &self.site, self.programs)?;
        Ok(())
    }

    /// Asks all four everything; the queries get IDs of their own.
    pub(crate) fn ask(&mut self, queries: &mut [Query]) -> Outcome<Vec<Replies>> {
        for (query, id) in queries.iter_mut().zip(1..) {
            query.id = id;
        }
        let queries = &*queries;
        let mut by_server: Vec<Vec<Reply>> = std::thread::scope(|scope| {
            let asking: Vec<_> = self.members.iter_mut().map(|member| scope.spawn(|| member.ask(queries))).collect();
            asking.into_iter().map(|replies| replies.join().expect("asking does not panic")).collect()
        });
        for (index, replies) in by_server.iter_mut().enumerate().take(Kind::PEERS.len()) {
            let Some(first) = replies.iter().position(|reply| *reply == Reply::Silence) else { continue };
            if self.members[index].is_alive(queries[first].transport) {
                continue;
            }
            // It hung on one of many that were on the way: asked one by one, they show which.
            self.restart(index, &queries[first])?;
            for (query, reply) in queries.iter().zip(replies).filter(|(_, reply)| **reply == Reply::Silence) {
                let asked = self.members[index].ask(std::slice::from_ref(query)).pop();
                *reply = asked.unwrap_or(Reply::Silence);
                if *reply == Reply::Silence && !self.members[index].is_alive(query.transport) {
                    *reply = Reply::Hung;
                    self.restart(index, query)?;
                }
            }
        }
        let mut by_server: Vec<_> = by_server.into_iter().map(Vec::into_iter).collect();
        let mut next = |server: usize| by_server[server].next().expect("one reply for each query");
        Ok(queries.iter().map(|_| [0, 1, 2, 3].map(&mut next)).collect())
    }

    /// Ends all.
    pub(crate) fn stop(self) -> Outcome {
        self.members.into_iter().try_for_each(|member| member.host.stop())
    }
}

impl Member {
    fn start(kind: Kind, site: &Site, programs: &dyn Programs) -> Outcome<Member> {
        let host = programs.launch(kind, &site.files, &site.folder)?;
        let client = Client::new(host.address())?;
        Ok(Member { host, client })
    }

    fn is_alive(&mut self, transport: Transport) -> bool {
        self.client.ask(&Query { transport, ..Query::new(Name::ROOT, RType::SOA) }).is_some()
    }

    fn ask(&mut self, queries: &[Query]) -> Vec<Reply> {
        let replies = self.client.ask_many(queries);
        let read = |(query, reply): (&Query, Option<Vec<u8>>)| Reply::read(&query.to_wire(), reply.as_deref());
        queries.iter().zip(replies).map(read).collect()
    }
}

/// None: the server is silent.
fn is_loaded(client: &mut Client, query: &Query, patience: Duration) -> Option<bool> {
    let start = Instant::now();
    loop {
        let reply = client.ask(query).or_else(|| client.ask(query))?;
        // AA: a server that holds only the parent refers.
        if rcode(&reply) == Some(0) && reply[2] & 4 != 0 {
            return Some(true);
        }
        if start.elapsed() > patience {
            return Some(false);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The same question where nothing limits the size of the reply.
pub(crate) fn over_tcp(query: &Query) -> Query {
    Query { transport: Transport::Tcp, ..query.clone() }
}
