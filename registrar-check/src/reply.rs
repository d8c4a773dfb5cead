//! What a reply means to somebody who asks the servers of one zone.

use hickory_proto::op::Message;
use hickory_proto::rr::{DNSClass, Name as ProtoName, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;
use nss_wire::{Name, NameBuf, NameBuilder, RType};

use crate::config::Limits;
use crate::dnssec::key_tag;
use crate::evidence::{Lame, NameServer, Said};

/// The response code with its extended bits.
pub(crate) fn rcode(message: &Message) -> u16 {
    u16::from(message.metadata.response_code)
}

/// Reads `message` as the reply of a server of `zone` to the question for `qname` and `qtype`.
pub(crate) fn read(message: &Message, zone: Name<'_>, qname: Name<'_>, qtype: RType, limits: &Limits) -> Said {
    let is_nxdomain = match rcode(message) {
        NOERROR => false,
        NXDOMAIN => true,
        _ => return Said::Failed,
    };
    let is_authoritative = message.metadata.authoritative;
    let asked = answers_to(message, qname, qtype);
    if !asked.is_empty() {
        return match (is_authoritative, is_nxdomain) {
            (false, _) => Said::Lame(Lame::NotAuthoritative),
            (true, true) => Said::Garbled("it has the records and says that the name does not exist"),
            (true, false) => answer(message, zone, qtype, &asked, limits),
        };
    }
    if let Some((owner, rtype)) = alias(message, qname) {
        return match is_authoritative {
            // An alias above the zone is not this server's to give.
            true if owner.as_name().is_at_or_below(zone) => Said::Alias { owner, rtype },
            true => Said::Lame(Lame::AnswersFrom(owner)),
            false => Said::Lame(Lame::NotAuthoritative),
        };
    }
    if !message.answers.is_empty() {
        return Said::Garbled("it answers another question");
    }
    match (soa_owner(message), referral_owner(message)) {
        (Err(Unclear), _) => Said::Garbled("it has the SOA records of several zones"),
        (_, Err(Unclear)) => Said::Garbled("it refers to several zones"),
        (Ok(Some(soa)), Ok(_)) => match is_authoritative {
            false => Said::Lame(Lame::NotAuthoritative),
            // A "no" counts when it comes from the zone that was asked for.
            true if soa.as_name() != zone => Said::Lame(Lame::AnswersFrom(soa)),
            true if is_nxdomain => Said::NxDomain,
            true => Said::NoData,
        },
        (Ok(None), Ok(Some(cut))) => {
            let is_downwards = cut.as_name().is_below(zone) && qname.is_at_or_below(cut.as_name());
            if !is_downwards || is_nxdomain {
                return Said::Lame(Lame::ReferralTo(cut));
            }
            let set: Vec<&Record> = message.authorities.iter().filter(|record| is_in(record, RecordType::NS)).collect();
            match name_servers(message, zone, &set, limits) {
                Some(name_servers) => {
                    let ds = message.authorities.iter().filter(|record| is_in(record, RecordType::DS));
                    let of_cut = ds.filter(|record| name(&record.name).is_some_and(|owner| owner == cut));
                    // A set beyond the limits is left out, so that it does not hide the NS set.
                    let ds = ds_records(of_cut, limits).unwrap_or_default();
                    Said::Referral { zone: cut, name_servers, others: 0, ds }
                }
                None => Said::Garbled("its NS set is larger than the limit"),
            }
        }
        (Ok(None), Ok(None)) if is_authoritative => Said::Lame(Lame::NoSoa),
        (Ok(None), Ok(None)) => Said::Lame(Lame::NotAuthoritative),
    }
}

fn answer(message: &Message, zone: Name<'_>, qtype: RType, asked: &[&Record], limits: &Limits) -> Said {
    match qtype {
        RType::NS => match name_servers(message, zone, asked, limits) {
            Some(name_servers) => Said::Apex { name_servers, others: 0 },
            None => Said::Garbled("its NS set is larger than the limit"),
        },
        RType::DS => match ds_records(asked.iter().copied(), limits) {
            Some(records) => Said::Ds(records),
            None => Said::Garbled("its DS set is larger than the limit"),
        },
        RType::DNSKEY => {
            let rdatas = asked.iter().take(limits.dnskeys_max).filter_map(|record| record.data.to_bytes().ok());
            Said::Keys(rdatas.map(|rdata| key_tag(&rdata)).collect())
        }
        _ => {
            let addresses = asked.iter().filter_map(|record| record.data.ip_addr());
            Said::Addresses(addresses.take(limits.addresses_per_server_max).collect())
        }
    }
}

/// The records in the answer section that were asked for.
fn answers_to<'m>(message: &'m Message, qname: Name<'_>, qtype: RType) -> Vec<&'m Record> {
    let of_type = message.answers.iter().filter(|record| is_in(record, RecordType::from(qtype.0)));
    of_type.filter(|record| name(&record.name).is_some_and(|owner| owner.as_name() == qname)).collect()
}

/// The DNAME above `qname` or the CNAME at it; a CNAME made from the DNAME is not the cause (RFC 6672 §3.1).
fn alias(message: &Message, qname: Name<'_>) -> Option<(NameBuf, RType)> {
    let owners = |rtype| message.answers.iter().filter(move |record| is_in(record, rtype));
    let mut dname = owners(RecordType::from(RType::DNAME.0)).filter_map(|record| name(&record.name));
    let dname = dname.find(|owner| qname.is_below(owner.as_name()));
    let mut cname = owners(RecordType::CNAME).filter_map(|record| name(&record.name));
    match dname {
        Some(owner) => Some((owner, RType::DNAME)),
        None => cname.find(|owner| owner.as_name() == qname).map(|owner| (owner, RType::CNAME)),
    }
}

/// There are several where one is meant.
struct Unclear;

/// The zone that a negative answer comes from (RFC 2308 §2).
fn soa_owner(message: &Message) -> Result<Option<NameBuf>, Unclear> {
    one_owner(message, RecordType::SOA)
}

/// The zone that the NS records in the authority section belong to.
fn referral_owner(message: &Message) -> Result<Option<NameBuf>, Unclear> {
    one_owner(message, RecordType::NS)
}

fn one_owner(message: &Message, rtype: RecordType) -> Result<Option<NameBuf>, Unclear> {
    let mut only = None;
    for record in message.authorities.iter().filter(|record| is_in(record, rtype)) {
        let owner = name(&record.name).ok_or(Unclear)?;
        match &only {
            Some(first) if *first != owner => return Err(Unclear),
            Some(_) => {}
            None => only = Some(owner),
        }
    }
    Ok(only)
}

/// The NS records `set` with the addresses that the reply gives; `None` when there are more than the limit.
///
/// A server may only speak for names in `zone`, which its referrals come from: what it says about other names'
/// addresses is ignored, or any zone could send the walk to servers of its choice.
fn name_servers(message: &Message, zone: Name<'_>, set: &[&Record], limits: &Limits) -> Option<Vec<NameServer>> {
    let mut servers: Vec<NameServer> = Vec::new();
    for record in set {
        let RData::NS(target) = &record.data else { continue };
        let Some(name) = name(&target.0) else { continue };
        if servers.iter().all(|server| server.name != name) {
            servers.push(NameServer { name, addresses: Vec::new() });
        }
        if servers.len() > limits.name_servers_max {
            return None;
        }
    }
    for record in message.additionals.iter().filter(|record| record.dns_class == DNSClass::IN) {
        let (Some(address), Some(owner)) = (record.data.ip_addr(), name(&record.name)) else { continue };
        let Some(server) = servers.iter_mut().find(|server| server.name == owner) else { continue };
        let has_room = server.addresses.len() < limits.addresses_per_server_max;
        if has_room && owner.as_name().is_at_or_below(zone) && !server.addresses.contains(&address) {
            server.addresses.push(address);
        }
    }
    servers.sort_by(|a, b| a.name.cmp(&b.name));
    servers.iter_mut().for_each(|server| server.addresses.sort());
    Some(servers)
}

/// The RDATA of DS records in canonical order (RFC 4034 §6.3), each once; `None` beyond the limits.
fn ds_records<'m>(records: impl Iterator<Item = &'m Record>, limits: &Limits) -> Option<Vec<Vec<u8>>> {
    let mut rdatas = Vec::new();
    for record in records {
        let rdata = record.data.to_bytes().ok()?;
        // Some of them may be there twice; what is left out would make another set of the rest.
        if rdata.len() > limits.ds_size_max || rdatas.len() == limits.ds_records_max * 2 {
            return None;
        }
        rdatas.push(rdata);
    }
    rdatas.sort();
    rdatas.dedup();
    (rdatas.len() <= limits.ds_records_max).then_some(rdatas)
}

/// Whether a record is of this type in the Internet class.
fn is_in(record: &Record, rtype: RecordType) -> bool {
    record.record_type() == rtype && record.dns_class == DNSClass::IN
}

fn name(name: &ProtoName) -> Option<NameBuf> {
    let mut builder = NameBuilder::new();
    for label in name.iter() {
        builder.push_label(&label.to_ascii_lowercase()).ok()?;
    }
    Some(builder.finish())
}

/// RFC 1035 §4.1.1.
const NOERROR: u16 = 0;

/// RFC 1035 §4.1.1, "name error".
const NXDOMAIN: u16 = 3;
