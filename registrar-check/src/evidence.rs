//! What a walk saw: who was asked, how, and what they said, in order.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nss_wire::{Name, NameBuf, RType};

use crate::question::Transport;

/// Everything that a verdict rests on; its `Display` is one line for each step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// When the walk began, in seconds since 1970.
    pub asked_at: u64,
    /// The zone whose servers were known from an earlier check; `None` when the walk began at the root hints.
    pub known_zone: Option<NameBuf>,
    /// The questions in the order in which they were settled.
    pub steps: Vec<Step>,
}

impl Evidence {
    /// Adds a step of a walk to `domain`; of long lists no more than there is room for.
    pub(crate) fn push(&mut self, mut step: Step, domain: Name<'_>) {
        let kept = |list: fn(&Said) -> usize| self.steps.iter().map(|step| list(&step.said)).sum::<usize>();
        match &mut step.said {
            Said::Referral { name_servers, others, .. } | Said::Apex { name_servers, others } => {
                let room = NAME_SERVERS_MAX.saturating_sub(kept(Said::name_servers));
                // Who decides by the evidence does so by what is said of the domain itself.
                let most = if step.qname.as_name() == domain { room } else { room.min(NAME_SERVERS_OF_OTHERS_MAX) };
                *others += name_servers.len().saturating_sub(most);
                name_servers.truncate(most);
                name_servers.shrink_to_fit();
            }
            _ => {}
        }
        match &mut step.said {
            Said::Referral { ds, .. } | Said::Ds(ds) if kept(Said::ds) + ds.len() > DS_RECORDS_MAX => *ds = Vec::new(),
            _ => {}
        }
        self.steps.push(step);
    }
}

impl Said {
    fn name_servers(&self) -> usize {
        match self {
            Said::Referral { name_servers, .. } | Said::Apex { name_servers, .. } => name_servers.len(),
            _ => 0,
        }
    }

    fn ds(&self) -> usize {
        match self {
            Said::Referral { ds, .. } | Said::Ds(ds) => ds.len(),
            _ => 0,
        }
    }
}

/// Name servers kept in the evidence of one walk, 300 octets each: those of ten top-level domains with all their servers.
const NAME_SERVERS_MAX: usize = 128;

/// Name servers kept of a set that is not the domain's own: enough to see whose they are.
const NAME_SERVERS_OF_OTHERS_MAX: usize = 8;

/// DS records kept in the evidence of one walk, 100 octets each: some of every zone on the way, and a dozen of the domain
/// from each of two servers.
const DS_RECORDS_MAX: usize = 64;

/// One question to one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The address that was asked.
    pub server: SocketAddr,
    /// The name that led to the address; the root hints have none.
    pub server_name: Option<NameBuf>,
    /// The zone for which it was asked.
    pub zone: NameBuf,
    /// The name in question.
    pub qname: NameBuf,
    /// The type in question.
    pub qtype: RType,
    /// What carried the question.
    pub transport: Transport,
    /// From when the query was sent, or handed out where nobody said when it was sent, to what is said here.
    pub latency: Duration,
    /// The response code (RFC 6895 §2.3, extended bits included); `None` when there was no reply.
    pub rcode: Option<u16>,
    /// The AA bit.
    pub is_authoritative: bool,
    /// What the reply means.
    pub said: Said,
}

/// A name server of a delegation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServer {
    /// Its name.
    pub name: NameBuf,
    /// The addresses given with it; addresses of names outside the zone that was asked are left out.
    pub addresses: Vec<IpAddr>,
}

/// What a reply means, or that there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Said {
    /// Not here: `zone` is delegated to these.
    Referral {
        /// The name at the cut.
        zone: NameBuf,
        /// Its NS set with glue, or as much of it as is kept.
        name_servers: Vec<NameServer>,
        /// How many more there are in the set.
        others: usize,
        /// The RDATA of its DS records in canonical order; empty where the server sent none with the NS set, and where there is
        /// no more room for them.
        ds: Vec<Vec<u8>>,
    },
    /// The name is the apex of a zone that this server serves as well; these are the NS records there.
    Apex {
        /// The apex NS set, or as much of it as is kept.
        name_servers: Vec<NameServer>,
        /// How many more there are in the set.
        others: usize,
    },
    /// The addresses asked for.
    Addresses(Vec<IpAddr>),
    /// The name has these DS records, as RDATA in canonical order.
    Ds(Vec<Vec<u8>>),
    /// The zone has DNSKEY records with these tags.
    Keys(Vec<u16>),
    /// The reply may be true, and its signatures do not prove it although the zone is signed: why not.
    Bogus(String),
    /// The name exists or has names below it, but nothing of the type: for NS, there is no cut.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// The name is an alias by a record at `owner`.
    Alias {
        /// The owner of the CNAME, the name itself, or of the DNAME, a name above it.
        owner: NameBuf,
        /// CNAME or DNAME.
        rtype: RType,
    },
    /// The reply did not fit; asked again over TCP.
    Truncated,
    /// The reply came without our cookie or in another letter case; asked again over TCP.
    Unproven,
    /// The server wants its cookie with the question; asked again.
    BadCookie,
    /// The server cannot read EDNS; asked again without.
    NoEdns,
    /// The server did not answer the question; the response code says why.
    Failed,
    /// The server does not serve the zone that it was asked for.
    Lame(Lame),
    /// A reply that cannot be read, or contradicts itself.
    Garbled(&'static str),
    /// So many packets that were not the answer that the query was given up; asked again over TCP.
    Strays,
    /// No answer in time.
    Timeout,
    /// The address could not be reached, or the connection broke.
    Unreachable(io::ErrorKind),
    /// The address policy forbids to ask this address.
    NotPermitted,
}

/// How a server showed that it does not serve the zone that it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lame {
    /// The reply is neither authoritative nor a referral downwards.
    NotAuthoritative,
    /// A referral to the same zone, to one above it, or to one that the name is not in.
    ReferralTo(NameBuf),
    /// A "no" out of another zone.
    AnswersFrom(NameBuf),
    /// A "no" without SOA: it cannot be told from which zone (RFC 2308 §2).
    NoSoa,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.known_zone {
            Some(zone) => writeln!(f, "the servers of {zone} are known from a check shortly before")?,
            None => writeln!(f, "from the root hints")?,
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.server.ip())?;
        if let Some(name) = &self.server_name {
            write!(f, " ({name})")?;
        }
        write!(f, " for {}, {} {}", self.zone, self.qname, self.qtype)?;
        if self.said != Said::NotPermitted {
            write!(f, ", {} {:.1} ms", self.transport, self.latency.as_secs_f64() * 1e3)?;
        }
        f.write_str(": ")?;
        match (&self.said, self.rcode) {
            (Said::Failed, Some(rcode)) => write!(f, "{}", RcodeName(rcode)),
            (said, _) => write!(f, "{said}"),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::Referral { zone, name_servers, others, ds } => {
                write!(f, "{zone} is delegated to ")?;
                write_list_of_more(f, name_servers, *others)?;
                if !ds.is_empty() {
                    write!(f, ", with {}", DsWords(ds))?;
                }
                Ok(())
            }
            Said::Apex { name_servers, others } => {
                f.write_str("serves this zone as well, with NS ")?;
                write_list_of_more(f, name_servers, *others)
            }
            Said::Addresses(addresses) => write_list(f, addresses),
            Said::Keys(tags) => {
                f.write_str("DNSKEY of key ")?;
                write_list(f, tags)
            }
            Said::Bogus(what) => write!(f, "not proven: {what}"),
            Said::Ds(records) => write!(f, "{}", DsWords(records)),
            Said::NoData => f.write_str("no records of this type"),
            Said::NxDomain => f.write_str("no such name"),
            Said::Alias { owner, rtype } => write!(f, "an alias by the {rtype} record of {owner}"),
            Said::Truncated => f.write_str("truncated; asked again over TCP"),
            Said::Unproven => f.write_str("answered without proof of its origin; asked again over TCP"),
            Said::BadCookie => f.write_str("wants its cookie; asked again"),
            Said::NoEdns => f.write_str("cannot read EDNS; asked again without"),
            Said::Failed => f.write_str("failed"),
            Said::Lame(lame) => write!(f, "{lame}"),
            Said::Garbled(what) => write!(f, "unusable reply: {what}"),
            Said::Strays => f.write_str("too many packets that are not the answer; asked again over TCP"),
            Said::Timeout => f.write_str("no answer"),
            Said::Unreachable(io::ErrorKind::ResourceBusy) => {
                f.write_str("not asked: it was asked too often at this moment")
            }
            Said::Unreachable(kind) => write!(f, "unreachable: {kind}"),
            Said::NotPermitted => f.write_str("not asked: the address is not a permitted one"),
        }
    }
}

/// DS records in few words: their key tags (RFC 4034 §5.1.1).
struct DsWords<'a>(&'a [Vec<u8>]);

impl fmt::Display for DsWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("DS records that are not kept");
        }
        f.write_str("DS of key ")?;
        let tags = self.0.iter().filter_map(|rdata| rdata.first_chunk::<2>());
        let tags: Vec<u16> = tags.map(|&tag| u16::from_be_bytes(tag)).collect();
        write_list(f, &tags)
    }
}

impl fmt::Display for Lame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lame::NotAuthoritative => f.write_str("lame: the answer is not authoritative"),
            Lame::ReferralTo(zone) => write!(f, "lame: refers to {zone}, which is not further down"),
            Lame::AnswersFrom(zone) => write!(f, "lame: answers from the zone {zone}"),
            Lame::NoSoa => f.write_str("lame: a negative answer without SOA"),
        }
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if !self.addresses.is_empty() {
            f.write_str(" [")?;
            for (i, address) in self.addresses.iter().enumerate() {
                write!(f, "{}{address}", if i == 0 { "" } else { " " })?;
            }
            f.write_str("]")?;
        }
        Ok(())
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        })
    }
}

/// The mnemonic of a response code (RFC 6895 §2.3).
struct RcodeName(u16);

impl fmt::Display for RcodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            9 => "NOTAUTH",
            16 => "BADVERS",
            23 => "BADCOOKIE",
            rcode => return write!(f, "RCODE{rcode}"),
        })
    }
}

/// Items with commas between, of which some are left out.
fn write_list_of_more<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T], others: usize) -> fmt::Result {
    write_list(f, items)?;
    match (items.len(), others) {
        (_, 0) => Ok(()),
        (0, _) => write!(f, "{others} name servers"),
        (1.., _) => write!(f, " and {others} more"),
    }
}

/// Items with commas between.
pub(crate) fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    items.iter().enumerate().try_for_each(|(i, item)| write!(f, "{}{item}", if i == 0 { "" } else { ", " }))
}
