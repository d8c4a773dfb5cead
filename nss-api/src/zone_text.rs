//! Is a text the zone that it should be?

use std::collections::BTreeSet;

use nss_wire::{Name, NameBuf, RType};
use nss_zonefile::{Options, Reader};
use nssd::check::{Include, Method, Rejected, SignatureOptions, Signed};
use nssd::control::{Change, Finding, Source, ZoneStatus, ZoneText};

use crate::domain::Domain;
use crate::key::Label;
use crate::ownership::label_before;

/// What a text that makes a zone says about its ownership.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ZoneWord {
    /// The labels of keys in front of our names in its own NS set.
    pub(crate) labels: BTreeSet<Label>,
    /// What its signatures show, if it is signed.
    pub(crate) signed: Option<Signed>,
}

/// Why a text is not the zone that it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAZone {
    /// Octets that are no UTF-8.
    NotUtf8(Box<Finding>),
    /// A text that can be read, and has no NS record at all; and what else it has not.
    NoNameServers { findings: Vec<Finding>, left_out: u64 },
    /// Mistakes in the text, or records that make no zone.
    Findings { findings: Vec<Finding>, left_out: u64, errors: u64, is_one_line: bool },
    /// A zone whose NS set at the apex lacks some of our name servers.
    NameServersMissing { missing: Vec<String>, present: Vec<String> },
}

/// Checks that `text` makes the zone `domain`, and that its own NS set names all of `name_servers`, each as it is or
/// with the label of a key; `now` is for its signatures. Whose key does not matter here: what counts is what the parent says.
///
/// It is the same check that `nssd` makes before it serves a zone; warnings are left to that.
pub(crate) fn check(domain: &Domain, text: &[u8], name_servers: &[NameBuf], now: u64) -> Result<ZoneWord, NotAZone> {
    if let Some(error) = nss_zonefile::Error::not_utf_8(text) {
        return Err(NotAZone::NotUtf8(Box::new(Finding::from(&error.diagnostic()))));
    }
    // A machine whose clock was never set knows no time.
    let signatures = (now > 0).then(|| SignatureOptions::of_upload(now));
    let method = Method { include: Include::Refuse, seed: None, lints: None, signatures };
    let diagnosis = nssd::check::diagnose(domain.name(), text, method);
    let accepted = diagnosis.into_result().map_err(|rejected| refused(domain, text, rejected))?;
    let servers = accepted.zone.rrset(domain.name(), RType::NS);
    let present: Vec<NameBuf> = servers.iter().flat_map(|servers| servers.rdatas()).filter_map(name_of).collect();
    let stands_for =
        |name: &NameBuf, server: &NameBuf| name == server || label_before(name.as_name(), server.as_name()).is_some();
    let is_missing = |server: &&NameBuf| !present.iter().any(|name| stands_for(name, server));
    let missing: Vec<String> = name_servers.iter().filter(is_missing).map(NameBuf::to_string).collect();
    if missing.is_empty() {
        let labels = present
            .iter()
            .flat_map(|name| name_servers.iter().filter_map(|server| label_before(name.as_name(), server.as_name())));
        return Ok(ZoneWord { labels: labels.collect(), signed: accepted.signed });
    }
    Err(NotAZone::NameServersMissing { missing, present: present.iter().map(NameBuf::to_string).collect() })
}

/// What there is to say of a zone that is stored and not served.
pub(crate) fn parked(domain: &Domain, stored: ZoneText) -> ZoneStatus {
    // As at a start of the server: what was accepted once is looked at for its records alone.
    let method = Method { include: Include::Refuse, seed: None, lints: None, signatures: None };
    let accepted = nssd::check::diagnose(domain.name(), &stored.text, method).into_result().ok();
    ZoneStatus {
        zone: domain.name().to_string(),
        serial: accepted.as_ref().map_or(0, |accepted| accepted.zone.serial()),
        generation: 0,
        etag: stored.etag,
        records: accepted.map_or(0, |accepted| accepted.zone.record_count() as u64),
        memory_bytes: 0,
        source: Source::Upload,
        uploaded_at: None,
        pending_until: None,
        change: Change::None,
        findings: Vec::new(),
        stale: None,
    }
}

fn refused(domain: &Domain, text: &[u8], rejected: Rejected) -> NotAZone {
    if rejected.lacks_ns && !has_ns_records(domain, text) {
        return NotAZone::NoNameServers { findings: rejected.findings, left_out: rejected.findings_left_out };
    }
    NotAZone::Findings {
        errors: rejected.errors,
        left_out: rejected.findings_left_out,
        findings: rejected.findings,
        is_one_line: !text.trim_ascii_end().contains(&b'\n'),
    }
}

/// Whether a readable text has NS records anywhere, be it below the apex or outside the zone.
fn has_ns_records(domain: &Domain, text: &[u8]) -> bool {
    let mut reader = Reader::new(text, &Options::for_zone(domain.name()));
    while let Some(entry) = reader.next() {
        if entry.is_ok_and(|entry| entry.record.rtype == RType::NS) {
            return true;
        }
    }
    false
}

fn name_of(rdata: &[u8]) -> Option<NameBuf> {
    Name::from_wire_exact(rdata).ok().map(Name::to_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "$TTL 60\n@ SOA ns1.dns.example.net. hostmaster 1 2 3 4 5\n";

    fn check_text(text: &[u8]) -> Result<usize, NotAZone> {
        let ours = ["ns1.dns.example.net", "ns2.dns.example.net"].map(|name| name.parse().unwrap());
        check(&Domain::parse("example.com").unwrap(), text, &ours, 1_800_000_000).map(|word| word.labels.len())
    }

    #[test]
    fn a_zone_names_all_our_servers_and_may_name_others() {
        let text = format!("{ZONE}@ NS NS1.dns.example.net.\n@ NS ns2.dns.example.net.\n");
        assert_eq!(check_text(text.as_bytes()), Ok(0));
        assert_eq!(check_text(format!("{text}@ NS ns.example.org.\n").as_bytes()), Ok(0));
        let keyed = format!("k-{}", "a".repeat(32));
        let text = format!("{ZONE}@ NS {keyed}.NS1.dns.example.net.\n@ NS ns2.dns.example.net.\n");
        assert_eq!(check_text(text.as_bytes()), Ok(1));
        let odd = text.replace("k-a", "k-1");
        assert!(matches!(check_text(odd.as_bytes()), Err(NotAZone::NameServersMissing { .. })));
        let one = format!("{ZONE}@ NS ns1.dns.example.net.\nsub NS ns2.dns.example.net.\n");
        let missing = NotAZone::NameServersMissing {
            missing: vec!["ns2.dns.example.net.".into()],
            present: vec!["ns1.dns.example.net.".into()],
        };
        assert_eq!(check_text(one.as_bytes()), Err(missing));
    }

    #[test]
    fn only_a_text_without_any_ns_record_has_no_ns_records() {
        for text in ["", ZONE, "$TTL 60\nwww A 192.0.2.1\n"] {
            let Err(NotAZone::NoNameServers { findings, .. }) = check_text(text.as_bytes()) else { panic!("{text}") };
            assert!(findings.iter().any(|it| it.name.as_deref() == Some("no-ns") && it.code.is_some()), "{findings:?}");
        }
        for text in [format!("{ZONE}sub NS ns\n"), format!("{ZONE}@ NT ns\n"), "$TTL 1\nexample.org. NS ns\n".into()] {
            assert!(matches!(check_text(text.as_bytes()), Err(NotAZone::Findings { .. })), "{text}");
        }
    }

    #[test]
    fn what_is_no_utf_8_breaks_a_rule_at_its_line() {
        let Err(NotAZone::NotUtf8(finding)) = check_text(b"\n\n\nab\xe2\x82x") else { panic!("it is no UTF-8") };
        assert_eq!((finding.code.as_deref(), finding.name.as_deref()), (Some("Z0011"), Some("not-utf-8")));
        assert_eq!((finding.line, finding.column, finding.start, finding.end), (Some(4), Some(3), Some(5), Some(7)));
    }
}
