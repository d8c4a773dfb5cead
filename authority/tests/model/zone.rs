//! Names, records and zones as plain as can be: lists, looked through from one end to the other.

use std::fmt;

use nss_wire::RType;

/// A name as a list of its labels, the deepest first and the root none.
#[derive(Clone)]
pub(crate) struct Name(pub(crate) Vec<String>);

impl Name {
    pub(crate) fn new(text: &str) -> Name {
        Name(text.split('.').filter(|label| !label.is_empty()).map(str::to_owned).collect())
    }

    pub(crate) fn child(&self, label: &str) -> Name {
        Name([&[label.to_owned()], &self.0[..]].concat())
    }

    pub(crate) fn parent(&self) -> Name {
        Name(self.0[1..].to_vec())
    }

    pub(crate) fn is_at_or_below(&self, other: &Name) -> bool {
        let more = self.0.len().checked_sub(other.0.len());
        more.is_some_and(|more| are_equal(&self.0[more..], &other.0))
    }

    pub(crate) fn is_below(&self, other: &Name) -> bool {
        self.is_at_or_below(other) && self != other
    }

    /// The name and all above it, the root first.
    pub(crate) fn ancestry(&self) -> impl Iterator<Item = Name> {
        (0..=self.0.len()).rev().map(|n| Name(self.0[n..].to_vec()))
    }

    pub(crate) fn wire(&self) -> Vec<u8> {
        let labels = self.0.iter().flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
        labels.chain([0]).collect()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        are_equal(&self.0, &other.0)
    }
}

fn are_equal(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|label| write!(f, "{label}."))?;
        f.write_str(if self.0.is_empty() { "." } else { "" })
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) owner: Name,
    pub(crate) ttl: u32,
    pub(crate) data: Data,
}

impl fmt::Debug for Record {
    /// One line, however deep in what is being printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = format!("{:?}", self.data);
        write!(f, "{} {} {data}", self.owner, self.ttl)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Soa {
        minimum: u32,
        server: Name,
        mailbox: Name,
    },
    A(u8),
    Aaaa(u8),
    Ns(Name),
    Cname(Name),
    Dname(Name),
    Mx(u8, Name),
    Srv(u8, Name),
    /// SVCB or HTTPS with a priority, which is 0 for an alias.
    Service(RType, u8, Name),
    /// With the flag `a` or `s` or none.
    Naptr(&'static str, Name),
    /// One string of so many octets.
    Txt(u8),
    Ds(u8),
    Dnskey,
    /// A signature of a type, by a key with this tag.
    Rrsig(RType, u8),
}

impl Data {
    pub(crate) fn rtype(&self) -> RType {
        match self {
            Data::Soa { .. } => RType::SOA,
            Data::A(_) => RType::A,
            Data::Aaaa(_) => RType::AAAA,
            Data::Ns(_) => RType::NS,
            Data::Cname(_) => RType::CNAME,
            Data::Dname(_) => RType::DNAME,
            Data::Mx(..) => RType::MX,
            Data::Srv(..) => RType::SRV,
            Data::Service(rtype, ..) => *rtype,
            Data::Naptr(..) => RType::NAPTR,
            Data::Txt(_) => RType::TXT,
            Data::Ds(_) => RType::DS,
            Data::Dnskey => RType::DNSKEY,
            Data::Rrsig(..) => RType::RRSIG,
        }
    }

    pub(crate) fn wire(&self) -> Vec<u8> {
        match self {
            Data::Soa { minimum, server, mailbox } => {
                let names = [server.wire(), mailbox.wire()].concat();
                [&names[..], &[0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0, 9, 0, 0], &minimum.to_be_bytes()].concat()
            }
            Data::A(n) => vec![192, 0, 2, *n],
            Data::Aaaa(n) => [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[*n]].concat(),
            Data::Ns(name) | Data::Cname(name) | Data::Dname(name) => name.wire(),
            Data::Mx(n, name) | Data::Service(_, n, name) => [&[0, *n][..], &name.wire()].concat(),
            Data::Srv(n, name) => [&[0, *n, 0, 0, 0, 1][..], &name.wire()].concat(),
            Data::Naptr(flag, name) => {
                [&[0, 1, 0, 1, flag.len() as u8][..], flag.as_bytes(), &[0, 0], &name.wire()].concat()
            }
            Data::Txt(size) => [&[*size][..], &vec![b't'; usize::from(*size)]].concat(),
            Data::Ds(n) => [&[0, *n, 8, 2][..], &[1; 32]].concat(),
            Data::Dnskey => vec![1, 1, 3, 8, 1, 2, 3],
            Data::Rrsig(covered, tag) => {
                let numbers = [8, 2, 0, 0, 14, 16, 0, 0, 0, 2, 0, 0, 0, 1, 0, *tag];
                [&covered.0.to_be_bytes()[..], &numbers, &Name::new("signer.test").wire(), b"sig"].concat()
            }
        }
    }
}

/// A zone in the order in which its records came.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) apex: Name,
    pub(crate) records: Vec<Record>,
}

impl Zone {
    pub(crate) fn at<'a>(&'a self, owner: &'a Name) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| record.owner == *owner)
    }

    pub(crate) fn has(&self, owner: &Name, rtype: RType) -> bool {
        self.at(owner).any(|record| record.data.rtype() == rtype)
    }

    /// Whether a record can be added to what is there: RFC 2181 §10.1, RFC 6672 §2.3 and §2.4.
    pub(crate) fn has_place_for(&self, new: &Record) -> bool {
        let is_beside_cname = |data: &Data| matches!(data, Data::Rrsig(..));
        let is_good_neighbour = |old: &Data| match (old, &new.data) {
            (Data::Cname(old), Data::Cname(new)) | (Data::Dname(old), Data::Dname(new)) => old == new,
            (Data::Cname(_), other) | (other, Data::Cname(_)) => is_beside_cname(other),
            (Data::Ns(_), Data::Dname(_)) | (Data::Dname(_), Data::Ns(_)) => new.owner == self.apex,
            (Data::Soa { .. }, Data::Soa { .. }) => false,
            _ => true,
        };
        let is_dname = |data: &Data| matches!(data, Data::Dname(_));
        new.owner.is_at_or_below(&self.apex)
            && self.records.iter().all(|old| match (old.owner == new.owner, &old.owner, &new.owner) {
                (true, _, _) => is_good_neighbour(&old.data),
                (false, old_owner, new_owner) if new_owner.is_below(old_owner) => !is_dname(&old.data),
                (false, old_owner, new_owner) if old_owner.is_below(new_owner) => !is_dname(&new.data),
                _ => true,
            })
    }
}
