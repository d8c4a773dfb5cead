//! nssd, NSD and Knot under attack: what a polite client still gets, and what the attack costs in time and memory.
//!
//! Each server is started afresh for each attack and has the first core to itself; the attacker and the polite client have the
//! second one, on one thread, so that the client is never kept waiting by more than one batch of the attacker's packets.
//! Everything stays on loopback, where any address of 127.0.0.0/8 can be the source of a packet.

mod crowd;
mod flood;
mod packets;
mod polite;
mod table;
mod target;
mod tenants;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use rustls::ClientConfig;

use super::dns::contestant::Kind;
use super::dns::family::{Cores, pin_this_thread};
use super::dns::pool::Pool;
use super::dns::workload::Size;
use super::{connections, dns, machine};
use crate::failure::Outcome;
use crate::process::Folder;
use crate::servers::Zones;
use crate::workspace::{Profile, build_program};
use packets::Packets;
use polite::Way;
use table::Row;
use target::{SOURCES, Target};

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Keep to these attacks; all of them otherwise
    #[arg(long, value_enum, value_delimiter = ',')]
    attack: Vec<Attack>,
    /// How much of them
    #[arg(long, value_enum, default_value_t = Size::Full)]
    size: Size,
    /// Length of each attack on each server
    #[arg(long, default_value_t = 5000)]
    attack_ms: u64,
    /// Packets of a flood in a second at most; 0: as many as one core sends
    #[arg(long, default_value_t = PACKETS_PER_SECOND)]
    packets_per_second: u32,
    /// Connections that the attacker makes in a second at most
    #[arg(long, default_value_t = 5000)]
    connections_per_second: u32,
    /// Questions of the polite client in a second
    #[arg(long, default_value_t = 100)]
    questions_per_second: u32,
}

/// What is done to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Attack {
    /// Nothing, for comparison
    None,
    /// Packets that are no DNS messages, or nearly
    Malformed,
    /// Answers that nobody asked for
    Answers,
    /// Valid queries for one name, from 1000 networks
    Spoofed,
    /// The same, all from the polite client's own address
    Forged,
    /// Names that do not exist in a signed zone with NSEC3
    Subdomains,
    /// Valid queries with hundreds of records whose names are pointers to pointers
    Bombs,
    /// Chains of aliases, within a zone and between those of different owners
    Aliases,
    /// ANY for a name with much of everything
    Any,
    /// Connections that say nothing
    Idle,
    /// Connections that send an octet a second
    Slow,
    /// Zone transfers, which are refused
    Transfers,
    /// TLS handshakes that are cut off at five places
    Handshakes,
}

impl Options {
    /// A run of seconds that holds what does not depend on the machine.
    pub(super) fn small() -> Options {
        Options {
            attack: Vec::new(),
            size: Size::Small,
            attack_ms: 200,
            packets_per_second: PACKETS_PER_SECOND,
            connections_per_second: 5000,
            questions_per_second: 100,
        }
    }

    fn attacks(&self) -> &[Attack] {
        if self.attack.is_empty() { Attack::value_variants() } else { &self.attack }
    }
}

/// Who is attacked, in the order of the tables.
const KINDS: [Kind; 3] = [Kind::Nsd, Kind::Knot, Kind::Nssd];

/// Packets of a flood in a second: no server here answers so many of the costly ones with one core, and all should manage the cheap
/// ones. The same for all, since an attacker does not send less because a server answers less.
const PACKETS_PER_SECOND: u32 = 300_000;

/// Open files that are not connections of a crowd: sockets of the polite client, of the servers, files.
const OTHER_FILES: usize = 500;

pub(super) fn run(options: &Options) -> Outcome {
    let profile = match options.size {
        Size::Full => Profile::Release,
        Size::Small => Profile::Dev,
    };
    if cfg!(debug_assertions) && options.size == Size::Full {
        return dns::run_optimised();
    }
    let ground = Ground::prepare(options, build_program("nssd", profile)?)?;
    println!("{}\n", machine());
    if options.size == Size::Small {
        println!("Small size: the figures say that the bench works, and nothing about speed.\n");
    }
    for attack in options.attacks() {
        attack.run(options, &ground)?;
    }
    Ok(())
}

/// What all attacks have in common.
struct Ground {
    folder: Folder,
    zones: Zones,
    questions: Pool,
    probes: Pool,
    nssd: PathBuf,
    cores: Cores,
    tls: Arc<ClientConfig>,
    connections_max: usize,
}

impl Ground {
    fn prepare(options: &Options, nssd: PathBuf) -> Outcome<Ground> {
        let cores = Cores::of_this_machine()?;
        let files = connections::raise_open_files()?;
        let folder = Folder::new("attack")?;
        let zones = tenants::write(&folder.folder("zones")?, options.size)?;
        let tls = Arc::new(connections::tls_config(&connections::write_certificate(folder.path())?)?);
        let (questions, probes) = (tenants::polite_questions(), tenants::probes());
        let connections_max = files.saturating_sub(OTHER_FILES);
        Ok(Ground { folder, zones, questions, probes, nssd, cores, tls, connections_max })
    }
}

impl Attack {
    /// One sentence for the reader of the table.
    fn title(self, options: &Options) -> String {
        let crowd = self.crowd_size(options.size);
        match self {
            Attack::None => "no attack".to_owned(),
            Attack::Malformed => "malformed packets".to_owned(),
            Attack::Answers => "answers that nobody asked for (QR=1)".to_owned(),
            Attack::Spoofed => format!("valid queries for one name, from {SOURCES} networks"),
            Attack::Forged => "valid queries for one name, in the polite client's name".to_owned(),
            Attack::Subdomains => "names that do not exist in a signed zone, NSEC3, DO set".to_owned(),
            Attack::Bombs => "valid queries with 300 records whose names are pointers to pointers".to_owned(),
            Attack::Aliases => "chains of aliases, within a zone and between owners".to_owned(),
            Attack::Any => "ANY for a name with 5000 octets of records".to_owned(),
            Attack::Idle => format!("{crowd} connections that say nothing; the polite client asks over TCP"),
            Attack::Slow => format!("{crowd} connections that send an octet a second; the polite client asks over TCP"),
            Attack::Transfers => {
                format!("zone transfers, refused, over {crowd} connections; the polite client asks over TCP")
            }
            Attack::Handshakes => {
                format!("TLS handshakes cut off at five places, {crowd} at a time; the polite client asks over TLS")
            }
        }
    }

    /// Packets of a flood; none for what is done with connections.
    fn packets(self) -> Option<Packets> {
        match self {
            Attack::Malformed => Some(packets::malformed()),
            Attack::Answers => Some(packets::unasked_answers()),
            Attack::Spoofed | Attack::Forged => Some(packets::one_name()),
            Attack::Subdomains => Some(packets::random_subdomains()),
            Attack::Bombs => Some(packets::bombs()),
            Attack::Aliases => Some(packets::aliases()),
            Attack::Any => Some(packets::any()),
            Attack::None | Attack::Idle | Attack::Slow | Attack::Transfers | Attack::Handshakes => None,
        }
    }

    /// Connections at the same time.
    fn crowd_size(self, size: Size) -> usize {
        match self {
            Attack::Idle => size.pick(10_000, 1500),
            Attack::Slow => size.pick(2000, 200),
            Attack::Transfers => size.pick(256, 32),
            Attack::Handshakes => size.pick(256, 64),
            Attack::None
            | Attack::Malformed
            | Attack::Answers
            | Attack::Spoofed
            | Attack::Forged
            | Attack::Subdomains
            | Attack::Bombs
            | Attack::Aliases
            | Attack::Any => 0,
        }
    }

    /// How the polite client asks meanwhile.
    fn way(self, tls: &Arc<ClientConfig>) -> Way {
        match self {
            Attack::Idle | Attack::Slow | Attack::Transfers => Way::Tcp,
            Attack::Handshakes => Way::Tls(tls.clone()),
            Attack::None
            | Attack::Malformed
            | Attack::Answers
            | Attack::Spoofed
            | Attack::Forged
            | Attack::Subdomains
            | Attack::Bombs
            | Attack::Aliases
            | Attack::Any => Way::Udp,
        }
    }

    /// Whether one such query brings a reply whose size says something.
    fn is_amplified(self) -> bool {
        match self {
            Attack::Spoofed | Attack::Forged | Attack::Subdomains | Attack::Bombs | Attack::Aliases | Attack::Any => {
                true
            }
            Attack::None
            | Attack::Malformed
            | Attack::Answers
            | Attack::Idle
            | Attack::Slow
            | Attack::Transfers
            | Attack::Handshakes => false,
        }
    }

    /// Does it to each server and prints a table.
    fn run(self, options: &Options, ground: &Ground) -> Outcome {
        let title = self.title(options);
        eprintln!("{title}");
        let (mut rows, mut notes, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for kind in KINDS {
            let target = Target::start(kind, ground)?;
            let name = target.contestant.title.clone();
            // It has TLS from 3.4 on, and Debian 12 has 3.2.
            if self == Attack::Handshakes && kind == Kind::Knot {
                rows.push(Row { title: name, outcome: None });
                continue;
            }
            if self == Attack::Aliases {
                notes.extend(target.leave_no_tenant()?);
            }
            // A thread of its own, so that its core is not inherited by anything that is started later.
            let (figures, left) = std::thread::scope(|scope| {
                let attacked = scope.spawn(|| {
                    pin_this_thread(ground.cores.load)?;
                    target.attack(self, options)
                });
                attacked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })?;
            eprintln!("{name}: {:.1} % of the polite client's questions answered", figures.service.share());
            open.extend(left.map(|left| format!("{left} at {name}")));
            rows.push(Row { title: name, outcome: Some(figures) });
        }
        let unit = if self.crowd_size(options.size) > 0 { "connections" } else { "packets" };
        println!("### {title}\n\n{}", table::table(unit, &mut rows));
        if !open.is_empty() {
            notes.push(format!("Connections that the attacker had at the end: {}.", open.join(", ")));
        }
        for note in notes {
            println!("{note}\n");
        }
        Ok(())
    }
}
