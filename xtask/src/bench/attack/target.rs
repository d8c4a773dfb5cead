//! One server under attack, and what has to hold for nssd whatever comes.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nss_wire::RType;
use nss_wire::message::Reader;

use super::crowd::{self, Crowd, Habit};
use super::flood::Flood;
use super::packets::{self, Packets};
use super::polite::{self, Polite, Way};
use super::table::{Figures, Traffic, mebibytes};
use super::{Attack, Ground, Options, tenants};
use crate::bench::dns::contestant::{Contestant, Kind, Setup, Tls};
use crate::bench::dns::family::Family;
use crate::client::{Client, Transport, free_port};
use crate::failure::{Context, Failure, Outcome};

/// A server that is going to be attacked.
pub(super) struct Target<'g> {
    pub(super) contestant: Contestant,
    tls: SocketAddr,
    ground: &'g Ground,
}

/// What the attacker does it with.
enum Force<'p> {
    Nothing,
    Flood(Flood<'p>),
    Crowd(Crowd),
}

impl<'g> Target<'g> {
    pub(super) fn start(kind: Kind, ground: &'g Ground) -> Outcome<Target<'g>> {
        let loopback = [127, 0, 0, 1].into();
        let tls = SocketAddr::new(loopback, free_port(&[loopback])?);
        let setup = Setup::Exposed(Tls { address: tls, folder: ground.folder.path() });
        let contestant = Contestant::start(kind, setup, &ground.zones, &ground.probes, &ground.folder, &ground.nssd)?;
        contestant.family().pin(ground.cores.servers)?;
        Ok(Target { contestant, tls, ground })
    }

    /// Attacks it; what came of it, and how many connections of a crowd were open at the end.
    ///
    /// # Errors
    /// It is gone, or it is nssd and does what it must not do whatever comes.
    pub(super) fn attack(&self, attack: Attack, options: &Options) -> Outcome<(Figures, Option<usize>)> {
        let (address, family) = (self.contestant.address, self.contestant.family());
        let packets = attack.packets();
        let amplification = match &packets {
            Some(packets) if attack.is_amplified() => self.amplification(&packets[0])?,
            Some(_) | None => None,
        };
        let way = attack.way(&self.ground.tls);
        let to = if matches!(way, Way::Tls(_)) { self.tls } else { address };
        let mut polite = Polite::new(to, way, &self.ground.questions, options.questions_per_second)?;
        let begin = Instant::now();
        while begin.elapsed() < QUIET_TIME {
            polite.step(Instant::now())?;
        }
        polite.begin();
        let memory = family.proportional_memory()?;
        let mut force = self.force(attack, options, packets.as_ref())?;

        let cpu_before = family.cpu_time_us()?;
        let begin = Instant::now();
        let memory_peak = with_memory_peak(family, || {
            let time = Duration::from_millis(options.attack_ms);
            loop {
                let now = Instant::now();
                force.step(now)?;
                if now - begin < time {
                    polite.step(now)?;
                } else if polite.finish(now)? {
                    return Ok(());
                }
            }
        })?;
        let time = begin.elapsed();
        let cpu = (family.cpu_time_us()? - cpu_before) / 1e6;
        let open = force.open();
        let service = std::mem::take(&mut polite.service);
        let mut figures =
            Figures { time, traffic: Traffic::default(), service, cpu, memory, memory_peak, amplification };
        if self.contestant.kind == Kind::Nssd {
            // A crowd goes home first.
            let mut force = force.end();
            polite.insist(QUESTIONS_AFTERWARDS)?;
            Polite::new(address, Way::Udp, &self.ground.questions, options.questions_per_second)?
                .insist(QUESTIONS_AFTERWARDS)?;
            force.drain()?;
            figures.traffic = force.traffic();
            self.hold(attack, &figures)?;
        } else {
            force.drain()?;
            figures.traffic = force.traffic();
        }
        Ok((figures, open))
    }

    fn force<'p>(&self, attack: Attack, options: &Options, packets: Option<&'p Packets>) -> Outcome<Force<'p>> {
        let address = self.contestant.address;
        let rate = (options.packets_per_second > 0).then_some(options.packets_per_second);
        if let Some(packets) = packets {
            let flood = if attack == Attack::Forged {
                Flood::new(address, std::iter::repeat_n(polite::ADDRESS, FORGED_SOCKETS), packets, rate)?
            } else {
                Flood::new(address, (0..SOURCES).map(source), packets, rate)?
            };
            return Ok(Force::Flood(flood));
        }
        let (address, habit) = match attack {
            Attack::Idle => (address, Habit::Idle),
            Attack::Slow => (address, Habit::Slow),
            Attack::Transfers => (address, Habit::Asking(packets::transfer())),
            Attack::Handshakes => (self.tls, Habit::CutOff(crowd::client_hello(&self.ground.tls)?)),
            Attack::None
            | Attack::Malformed
            | Attack::Answers
            | Attack::Spoofed
            | Attack::Forged
            | Attack::Subdomains
            | Attack::Bombs
            | Attack::Aliases
            | Attack::Any => return Ok(Force::Nothing),
        };
        let size = attack.crowd_size(options.size).min(self.ground.connections_max);
        Ok(Force::Crowd(Crowd::new(address, habit, size, options.connections_per_second)))
    }

    /// Octets of the reply by the octets of the query, if there is one.
    fn amplification(&self, packet: &[u8]) -> Outcome<Option<f64>> {
        let mut client = Client::new(self.contestant.address)?;
        client.send(packet, Transport::Udp).context(&self.contestant.title)?;
        let id = u16::from_be_bytes([packet[0], packet[1]]);
        Ok(client.receive(id, Transport::Udp).map(|reply| reply.len() as f64 / packet.len() as f64))
    }

    /// Asks for all aliases and looks whether an answer holds records of another one's zone.
    ///
    /// # Errors
    /// nssd sends such records, or says nothing.
    pub(super) fn leave_no_tenant(&self) -> Outcome<Option<String>> {
        let mut client = Client::new(self.contestant.address)?;
        let (mut foreign, packets) = (0, packets::aliases());
        for (id, mut packet) in (0_u16..).zip(packets) {
            packet[..2].copy_from_slice(&id.to_be_bytes());
            // Over TCP there is no limit, of rate or size.
            client.send(&packet, Transport::Tcp).context(&self.contestant.title)?;
            let reply = client.receive(id, Transport::Tcp);
            let records = reply.as_deref().map(foreign_records).transpose()?;
            match records {
                Some(records) => foreign += records,
                None => return Err(Failure::new(format!("{} says nothing to an alias", self.contestant.title))),
            }
        }
        match foreign {
            0 => Ok(None),
            _ if self.contestant.kind == Kind::Nssd => {
                Err(Failure::new(format!("nssd answers with {foreign} records of a zone of another owner")))
            }
            _ => Ok(Some(format!(
                "{} follows aliases to zones of other owners, and answered with {foreign} of their records.",
                self.contestant.title
            ))),
        }
    }

    /// What holds for nssd on any machine.
    fn hold(&self, attack: Attack, figures: &Figures) -> Outcome {
        let panics = panics(&self.contestant.state)?;
        if panics > 0 {
            return Err(Failure::new(format!("{attack:?} made nssd panic {panics} times")));
        }
        if figures.growth() > GROWTH_MAX {
            let growth = mebibytes(figures.growth());
            return Err(Failure::new(format!("{attack:?} made nssd grow by {growth:.0} MiB")));
        }
        if attack == Attack::Answers && figures.traffic.replies > 0 {
            return Err(Failure::new(format!("nssd replied to {} answers", figures.traffic.replies)));
        }
        Ok(())
    }
}

impl<'p> Force<'p> {
    fn step(&mut self, now: Instant) -> Outcome {
        match self {
            Force::Nothing => Ok(()),
            Force::Flood(flood) => flood.step(now),
            Force::Crowd(crowd) => crowd.step(now),
        }
    }

    /// Closes all connections; what has been sent by then is still counted.
    fn end(self) -> Force<'p> {
        match self {
            Force::Nothing | Force::Flood(_) => self,
            Force::Crowd(mut crowd) => {
                crowd.leave();
                Force::Crowd(crowd)
            }
        }
    }

    fn drain(&mut self) -> Outcome {
        match self {
            Force::Nothing | Force::Crowd(_) => Ok(()),
            Force::Flood(flood) => flood.drain(),
        }
    }

    fn open(&self) -> Option<usize> {
        match self {
            Force::Nothing | Force::Flood(_) => None,
            Force::Crowd(crowd) => Some(crowd.open()),
        }
    }

    fn traffic(&self) -> Traffic {
        match self {
            Force::Nothing => Traffic::default(),
            Force::Flood(flood) => flood.traffic(),
            Force::Crowd(crowd) => crowd.traffic(),
        }
    }
}

/// The `i`-th source of a flood, each in a /24 of its own.
fn source(i: usize) -> IpAddr {
    IpAddr::from([127, 16 + (i >> 8) as u8, i as u8, 1])
}

/// Records of an answer whose owners are not in the zone of aliases.
fn foreign_records(reply: &[u8]) -> Outcome<usize> {
    let home = tenants::name(tenants::ALIASES);
    let broken = |error: nss_wire::message::MessageError| Failure::new(format!("a reply cannot be read: {error}"));
    let mut reader = Reader::new(reply).map_err(broken)?;
    reader.question().map_err(broken)?;
    let mut foreign = 0;
    while let Some(record) = reader.record().map_err(broken)? {
        let is_foreign = !record.owner.to_buf().as_name().is_at_or_below(home.as_name());
        foreign += usize::from(is_foreign && record.rtype != RType::OPT);
    }
    Ok(foreign)
}

/// Does the work and meanwhile looks at the memory of a server; the most there was.
fn with_memory_peak(family: Family, work: impl FnOnce() -> Outcome) -> Outcome<u64> {
    let (stop, stopped) = channel::<()>();
    std::thread::scope(|scope| {
        let looker = scope.spawn(move || {
            let mut peak = family.proportional_memory()?;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(MEMORY_INTERVAL) {
                peak = peak.max(family.proportional_memory()?);
            }
            Ok(peak.max(family.proportional_memory()?))
        });
        let worked = work();
        drop(stop);
        let peak = looker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        worked.and(peak)
    })
}

/// Panics that nssd has counted, from its control socket.
fn panics(state: &Path) -> Outcome<u64> {
    let path = state.join("control.sock");
    let mut stream = UnixStream::connect(&path).context(path.display())?;
    stream
        .write_all(b"GET /v1/status HTTP/1.1\r\nHost: nssd\r\nConnection: close\r\n\r\n")
        .context("cannot ask for the status")?;
    let mut response = String::new();
    stream.read_to_string(&mut response).context("cannot read the status")?;
    let body = response.split_once("\r\n\r\n").map(|(_, body)| body);
    let body = body.ok_or_else(|| Failure::new("the status has no body"))?;
    let status: serde_json::Value = serde_json::from_str(body).context("the status is no JSON")?;
    status["counters"]["panics"].as_u64().ok_or_else(|| Failure::new("the status does not tell of panics"))
}

/// Networks that floods come from: with fewer, limits on answers to one network would do more than they do on the Internet.
pub(super) const SOURCES: usize = 1000;

/// Sockets that a flood in the polite client's name leaves from.
const FORGED_SOCKETS: usize = 100;

/// How often memory is looked at during an attack.
const MEMORY_INTERVAL: Duration = Duration::from_millis(100);

/// Time before an attack in which the polite client is alone.
const QUIET_TIME: Duration = Duration::from_millis(200);

/// Questions that nssd has to answer once an attack is over, over UDP and over what was attacked.
const QUESTIONS_AFTERWARDS: usize = 100;

/// Octets that nssd may grow by under any of these attacks: 1024 connections each over TCP and TLS, of 16 KiB with the buffers of
/// a handshake, and as much again.
const GROWTH_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_source_has_a_network_of_its_own_and_none_is_the_polite_client() {
        let networks: BTreeSet<_> = (0..SOURCES)
            .map(|i| match source(i) {
                IpAddr::V4(address) => address.octets()[..3].to_vec(),
                IpAddr::V6(_) => Vec::new(),
            })
            .collect();
        assert_eq!(networks.len(), SOURCES);
        assert!(!networks.contains(&vec![127, 9, 9]));
    }

    #[test]
    fn records_of_another_owner_are_seen() {
        let mut reply = packets::aliases().swap_remove(0);
        let question = reply.len() - 11;
        let opt = reply.split_off(question);
        assert_eq!(foreign_records(&[&reply[..], &opt].concat()).unwrap(), 0);
        reply[7] = 2;
        // One whose owner is the question's name, one of the root.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 0]);
        reply.extend([0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 0]);
        assert_eq!(foreign_records(&[&reply[..], &opt].concat()).unwrap(), 1);
        assert!(foreign_records(&reply).is_err(), "the OPT record is missing");
    }
}
