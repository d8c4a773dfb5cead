//! `cargo xtask interop`: random zones and queries through NSD, Knot, BIND and nssd; where the three agree, we agree.

mod answer;
mod compare;
mod edns;
mod files;
mod queries;
mod raw;
mod rdata;
mod sign;
mod signed;
mod text;
mod tls;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub(crate) use answer::{Answer, Rr};
use answer::{Reply, Section};
use clap::Args;
use compare::{Aspect, Explanation, Verdict, judge, unwitnessed};
use nss_wire::{Name, NameBuf, RType};
use zones::Zone;

use crate::client::{Client, Query, Transport, rcode};
use crate::failure::{Context, Failure, Outcome};
use crate::packages;
use crate::process::Folder;
use crate::servers::{Kind, Server, Zones};
use crate::workspace::{Daemons, Profile};

/// What `cargo xtask interop` is asked to do.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Repeats an earlier run; a fresh one is drawn and printed otherwise
    #[arg(long)]
    seed: Option<u64>,
    /// Zones that all servers hold
    #[arg(long, default_value_t = 200)]
    zones: usize,
    /// Queries about each zone
    #[arg(long, default_value_t = 500)]
    queries: usize,
    /// Zone files, half of them broken, that all checkers read
    #[arg(long, default_value_t = 10_000)]
    files: usize,
    /// Signed zones, nearly all with a change, that all verifiers look at
    #[arg(long, default_value_t = 2_000)]
    signed: usize,
    /// Disagreements printed in full
    #[arg(long, default_value_t = 20)]
    reports: usize,
    /// Also print queries on which the peers differ and nssd is like none of them
    #[arg(long)]
    unsettled: bool,
    /// Keep to one zone of the run, by its name without the final dot
    #[arg(long)]
    zone: Option<String>,
}

impl Default for Options {
    /// The share of CI, where a change waits for it.
    fn default() -> Options {
        Options {
            seed: None,
            zones: 200,
            queries: 500,
            files: 300,
            signed: 300,
            reports: 20,
            unsettled: false,
            zone: None,
        }
    }
}

/// Compares answers, then verdicts on zone files and on signed zones, then asks over TLS; fails if there is a disagreement that is not explained.
pub(crate) fn run(options: &Options) -> Outcome {
    packages::install_missing()?;
    let daemons = Daemons::build(Profile::Dev)?;
    let seed = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let Options { zones, queries, files, signed, .. } = options;
    println!(
        "seed {seed} (cargo xtask interop --seed {seed} --zones {zones} --queries {queries} --files {files} --signed {signed})"
    );
    let answers = if *zones > 0 { compare_answers(seed, options, &daemons) } else { Ok(()) };
    // All parts run even if the first one fails: each tells something by itself.
    let verdicts = if *files > 0 { files::run(seed, *files, options.reports, &daemons) } else { Ok(()) };
    let signatures = if *signed > 0 { signed::run(seed, *signed, options.reports, &daemons) } else { Ok(()) };
    let signed = answers.and(verdicts).and(signatures);
    signed.and(edns::run(seed, options.reports, &daemons)).and(tls::run(&daemons))
}

fn compare_answers(seed: u64, options: &Options, daemons: &Daemons) -> Outcome {
    let start = Instant::now();
    let folder = Folder::new("interop")?;
    let mut zones = zones::generate(seed, options.zones);
    let files = Zones { folder: folder.folder("zones")?, names: zones.iter().map(|zone| zone.name.clone()).collect() };
    for zone in &zones {
        let path = files.folder.join(format!("{}.zone", zone.name));
        std::fs::write(&path, &zone.text).context(path.display())?;
    }
    let keys = folder.folder("keys")?;
    let mut signed = 0;
    for zone in &mut zones {
        if let Some(signing) = zone.signing {
            let is_signed = sign::sign(zone, signing, &files.folder.join(format!("{}.zone", zone.name)), &keys)?;
            signed += usize::from(is_signed);
            if !is_signed {
                zone.signing = None;
            }
        }
    }
    let mut fleet = Fleet::start(&files, &folder, daemons)?;
    let time = start.elapsed().as_secs_f64();
    println!("{} zones, {signed} of them signed, four servers started after {time:.1} s", zones.len());

    let mut table = Table::default();
    for zone in &zones {
        match fleet.loaded(zone)? {
            Loaded::Everywhere => table.zones += 1,
            Loaded::RefusedBy(peers) => {
                table.refused.push(format!("{}: refused by {peers}", zone.name));
                continue;
            }
            Loaded::NotByUs => {
                table.unloaded.push(format!("{}: all peers load it, nssd does not", zone.name));
                continue;
            }
        }
        if options.zone.as_ref().is_some_and(|name| *name != zone.name) {
            continue;
        }
        for query in queries::generate(seed, zone, options.queries) {
            let replies = fleet.ask(&query)?;
            let [nsd, knot, bind, ours] = &replies;
            let witnessed = fleet.witnesses(unwitnessed([nsd, knot, bind], ours));
            let mut verdict = judge(&query, zone.apex.as_name(), [nsd, knot, bind], ours, &witnessed);
            if verdict == (Verdict::Different { aspect: Aspect::Truncated }) {
                // Names are compressed more or less well. What fits only for us has to be all that there is (RFC 2181 §9).
                let query = Query { transport: Transport::Tcp, ..query.clone() };
                let [nsd, knot, bind] = fleet.ask_peers(&query);
                verdict = judge(&query, zone.apex.as_name(), [&nsd, &knot, &bind], ours, &witnessed);
            }
            table.count(options, zone, &query, &replies, &verdict);
        }
    }
    table.print(start, options);
    fleet.stop()?;
    if !table.unloaded.is_empty() || table.different > 0 {
        let zones = table.unloaded.len();
        return Err(Failure::new(format!(
            "{} replies and {zones} zones differ where all peers agree",
            table.different
        )));
    }
    if options.zone.is_none() && table.zones * 10 < options.zones * 9 {
        return Err(Failure::new("more than a tenth of the zones is refused by a peer: the generator must avoid them"));
    }
    Ok(())
}

/// The four servers and a client of each, in the order of [`Kind::ALL`].
struct Fleet<'a> {
    files: &'a Zones,
    folder: &'a Folder,
    daemons: &'a Daemons,
    servers: Vec<(Server, Client)>,
    /// Peers that hung on a query and were started anew, and on which.
    restarts: Vec<String>,
}

/// A peer that hangs again and again is no judge; each time costs seconds.
const RESTARTS_MAX: usize = 10;

enum Loaded {
    Everywhere,
    RefusedBy(String),
    NotByUs,
}

impl<'a> Fleet<'a> {
    fn start(files: &'a Zones, folder: &'a Folder, daemons: &'a Daemons) -> Outcome<Fleet<'a>> {
        let mut fleet = Fleet { files, folder, daemons, servers: Vec::new(), restarts: Vec::new() };
        for kind in Kind::ALL {
            let server = fleet.start_one(kind)?;
            fleet.servers.push(server);
        }
        Ok(fleet)
    }

    fn start_one(&self, kind: Kind) -> Outcome<(Server, Client)> {
        let server = Server::start(kind, self.files, self.folder, &self.daemons.nssd)?;
        let client = Client::new(server.address)?;
        Ok((server, client))
    }

    /// Whether each server answers for a zone. Loading may still be under way, which is SERVFAIL at first.
    fn loaded(&mut self, zone: &Zone) -> Outcome<Loaded> {
        let query = Query::new(zone.apex.as_name(), RType::SOA);
        let mut refusing = Vec::new();
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            match (is_loaded(&mut self.servers[index].1, &query), kind) {
                (Some(true), _) => {}
                (Some(false), Kind::Nssd) if refusing.is_empty() => return Ok(Loaded::NotByUs),
                (None, Kind::Nssd) => {
                    return Err(Failure::new(format!("nssd is silent about the SOA of {}", zone.name)));
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
        self.servers[index] = self.start_one(kind)?;
        Ok(())
    }

    /// Sends to all, then waits for all; one that stays silent is asked once more, since UDP may lose a packet.
    fn ask(&mut self, query: &Query) -> Outcome<[Reply; 4]> {
        let wire = query.to_wire();
        for (_, client) in &mut self.servers {
            // What could not be sent is not answered either.
            let _ = client.send(&wire, query.transport);
        }
        let mut replies = [const { Reply::Silence }; 4];
        for ((_, client), reply) in self.servers.iter_mut().zip(&mut replies) {
            let received = client.receive(query.id, query.transport).or_else(|| client.ask(query));
            *reply = Reply::read(&wire, received.as_deref());
        }
        let probe = Query { transport: query.transport, ..Query::new(Name::ROOT, RType::SOA) };
        for (index, reply) in replies.iter().take(Kind::PEERS.len()).enumerate() {
            if *reply == Reply::Silence && self.servers[index].1.ask(&probe).is_none() {
                self.restart(index, query)?;
            }
        }
        Ok(replies)
    }

    /// What the peers say.
    fn ask_peers(&mut self, query: &Query) -> [Reply; 3] {
        let wire = query.to_wire();
        let mut replies = [const { Reply::Silence }; 3];
        for ((_, client), reply) in self.servers.iter_mut().zip(&mut replies) {
            *reply = Reply::read(&wire, client.ask(query).as_deref());
        }
        replies
    }

    /// What the peers say about names and types when they are asked for each by itself, without a limit of size.
    fn witnesses(&mut self, wanted: BTreeSet<(NameBuf, RType)>) -> Section {
        let mut witnessed = Section::new();
        for (owner, rtype) in wanted {
            let query = Query { transport: Transport::Tcp, ..Query::new(owner.as_name(), rtype) };
            for reply in self.ask_peers(&query) {
                if let Reply::Answer(answer) = reply {
                    witnessed.extend(answer.records().cloned());
                }
            }
        }
        witnessed
    }

    /// Ends all; nssd must do so cleanly.
    fn stop(self) -> Outcome {
        for (server, _) in self.servers {
            let log = server.process.log_tail();
            if server.kind == Kind::Nssd && server.process.stop()?.is_none_or(|status| !status.success()) {
                return Err(Failure::new(format!("nssd did not stop cleanly on SIGTERM; its log ends with:\n{log}")));
            }
        }
        Ok(())
    }
}

/// None: the server is silent.
fn is_loaded(client: &mut Client, query: &Query) -> Option<bool> {
    // Two seconds: all zones load in less on a busy machine, and refused ones are few.
    for _ in 0..100 {
        let reply = client.ask(query).or_else(|| client.ask(query))?;
        // AA: a server that holds only the parent refers.
        if rcode(&reply) == Some(0) && reply[2] & 4 != 0 {
            return Some(true);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(false)
}

/// What came of it.
#[derive(Default)]
struct Table {
    zones: usize,
    refused: Vec<String>,
    unloaded: Vec<String>,
    queries: usize,
    same: usize,
    different: usize,
    explained: BTreeMap<&'static str, (usize, &'static str)>,
    differ: usize,
    like: [usize; 3],
    like_none: usize,
    by_aspect: BTreeMap<String, usize>,
    reports: Vec<String>,
}

impl Table {
    fn count(&mut self, options: &Options, zone: &Zone, query: &Query, replies: &[Reply; 4], verdict: &Verdict) {
        self.queries += 1;
        match verdict {
            Verdict::Same => self.same += 1,
            Verdict::Explained { by: Explanation { name, reference, .. } } => {
                self.explained.entry(name).or_insert((0, reference)).0 += 1;
            }
            Verdict::PeersDiffer { aspect, like } => {
                self.differ += 1;
                for (count, like) in self.like.iter_mut().zip(like) {
                    *count += usize::from(*like);
                }
                if !like.contains(&true) {
                    self.like_none += 1;
                    if options.unsettled {
                        self.report(options, zone, query, replies, "peers differ, nssd is like none", *aspect);
                    }
                }
            }
            Verdict::Different { aspect } => {
                self.different += 1;
                *self.by_aspect.entry(format!("{aspect:?}")).or_default() += 1;
                self.report(options, zone, query, replies, "DIFFERENT from all peers", *aspect);
            }
        }
    }

    fn report(
        &mut self,
        options: &Options,
        zone: &Zone,
        query: &Query,
        replies: &[Reply; 4],
        what: &str,
        aspect: Aspect,
    ) {
        if self.reports.len() >= options.reports {
            return;
        }
        let edns = query.edns.map_or("no EDNS".to_owned(), |edns| {
            format!("EDNS{} size {}{}", edns.version, edns.payload_size, if edns.dnssec_ok { " DO" } else { "" })
        });
        let transport = if query.transport == Transport::Tcp { "TCP" } else { "UDP" };
        let mut text = format!(
            "--- {what} in {aspect:?}: zone {}, {} {} {} {transport} {edns}",
            zone.name, query.qname, query.qclass, query.qtype
        );
        for (kind, reply) in Kind::ALL.iter().zip(replies) {
            text.push_str(&format!("\n  {}\n{reply}", kind.name()));
        }
        self.reports.push(text);
    }

    fn print(&self, start: Instant, options: &Options) {
        for report in &self.reports {
            println!("{report}");
        }
        for line in self.unloaded.iter().take(options.reports) {
            println!("--- {line}");
        }
        for line in self.refused.iter().take(3) {
            println!("    {line}");
        }
        println!("zones compared           {:>8}   refused by a peer {}", self.zones, self.refused.len());
        println!("queries                  {:>8}   in {:.1} s", self.queries, start.elapsed().as_secs_f64());
        println!("peers agree, so do we    {:>8}", self.same);
        println!("peers agree, we differ   {:>8}   {:?}", self.different, self.by_aspect);
        for (name, (count, reference)) in &self.explained {
            println!("explained                {count:>8}   {name}: {reference}");
        }
        let [nsd, knot, bind] = self.like;
        println!(
            "peers differ             {:>8}   nssd like NSD {nsd}, Knot {knot}, BIND {bind}, none {}",
            self.differ, self.like_none
        );
    }
}
