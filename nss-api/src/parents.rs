//! What the parent zone says about a domain: asked of its own name servers, or, where those are ours, of the zone that
//! they serve.
//!
//! A server of both the parent and the child answers questions about the child from the child, which hides the delegation.
//! When all of the parent's servers do so, nobody can see it from outside. If they are ours, `nssd` holds the parent's zone
//! and tells what it delegates; but only as long as that zone itself is delegated to us, for a zone that moved away and is
//! still stored here speaks for nobody.

use std::sync::Arc;
use std::time::Duration;

use nss_registrar_check::{
    AddressPolicy, Checker, Delegation, DsRecords, Findings, NameServer, NotDelegated, Outcome, Said, Security,
    Unknown, Verdict, Wanted,
};
use nss_wire::{Name, NameBuf, RType};
use nssd::control::{Client as ZoneServer, ClientError, Cut, EVIDENCE_LINES_MAX};
use tokio::time::timeout;

use crate::config::{Config, milliseconds};
use crate::ownership::Entered;

/// Asks parents, and our own name server where it is one.
pub(crate) struct Parents {
    checker: Checker,
    zone_server: ZoneServer,
    name_servers: Vec<NameBuf>,
    patience: Duration,
}

/// What the parent says about a domain.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) findings: Arc<Findings>,
    /// What it has of our name servers.
    pub(crate) entered: Entered,
    /// What our own name server said, where it had to be asked.
    pub(crate) own_word: Option<String>,
}

/// Why nothing can be said at all.
#[derive(Debug)]
pub(crate) enum Unasked {
    /// Too many checks wait for their turn.
    Busy,
    /// Our own name server is not there.
    ZoneServer(ClientError),
}

impl Parents {
    pub(crate) fn new(config: &Config, zone_server: ZoneServer) -> Parents {
        Parents {
            checker: Checker::new(checker_config(config)),
            zone_server,
            name_servers: config.name_servers.clone(),
            patience: milliseconds(config.timeouts.queue_ms) + milliseconds(config.timeouts.parent_check_ms),
        }
    }

    /// Asks about `domain`.
    pub(crate) async fn look(&self, domain: Name<'_>, wanted: Wanted) -> Result<Sight, Unasked> {
        timeout(self.patience, self.look_up(domain, wanted)).await.unwrap_or(Err(Unasked::Busy))
    }

    async fn look_up(&self, domain: Name<'_>, wanted: Wanted) -> Result<Sight, Unasked> {
        let mut findings = self.find(domain, wanted).await;
        let is_no = matches!(self.sight(Arc::clone(&findings), None).verdict(), Verdict::NotDelegated { .. });
        if is_no && self.doubt(domain) {
            findings = self.find(domain, wanted).await;
        }
        let Outcome::Unknown(Unknown::Hidden { parent }) = &findings.outcome else {
            return Ok(self.sight(findings, None));
        };
        let claim = self.zone_server.claim(domain).await.map_err(Unasked::ZoneServer)?;
        let Some(enclosing) = claim.enclosing.filter(|enclosing| enclosing.zone == parent.to_string()) else {
            return Ok(self.sight(findings, None));
        };
        // One label up at least each time, so that it ends.
        let above = Box::pin(self.look_up(parent.as_name(), Wanted::NameServers)).await?;
        if !matches!(above.verdict(), Verdict::Delegated { .. }) || is_contradicted(&findings, enclosing.cut.as_ref()) {
            return Ok(self.sight(findings, None));
        }
        let (outcome, word) = match enclosing.cut {
            Some(cut) => match delegation(domain, parent, &cut) {
                Some(delegation) => (Outcome::Delegation(delegation.clone()), delegation.to_string()),
                None => return Ok(self.sight(findings, None)),
            },
            None => {
                let reason = NotDelegated::NoCut { parent: parent.clone() };
                (Outcome::NotDelegated(reason.clone()), reason.to_string())
            }
        };
        let own_word =
            format!("{parent} is served here, as its own parent says, and read from our name server: {word}");
        let findings = Findings { domain: findings.domain.clone(), outcome, evidence: findings.evidence.clone() };
        Ok(self.sight(Arc::new(findings), Some(own_word)))
    }

    async fn find(&self, domain: Name<'_>, wanted: Wanted) -> Arc<Findings> {
        match wanted {
            Wanted::NameServers => self.checker.findings(domain).await,
            Wanted::NameServersAndDs => self.checker.findings_with_ds(domain).await,
        }
    }

    /// Takes note that what is known of `domain` made for a "no"; whether it is so old that asking again may make for another answer.
    pub(crate) fn doubt(&self, domain: Name<'_>) -> bool {
        self.checker.doubt(domain)
    }

    fn sight(&self, findings: Arc<Findings>, own_word: Option<String>) -> Sight {
        let entered = match &findings.outcome {
            Outcome::Delegation(delegation) => Entered::read(delegation, &self.name_servers),
            Outcome::NotDelegated(_) | Outcome::Unknown(_) => Entered::none(&self.name_servers),
        };
        Sight { findings, entered, own_word }
    }
}

impl Sight {
    /// Whether the domain is delegated to us.
    pub(crate) fn verdict(&self) -> Verdict {
        self.findings.judge(&self.entered.required())
    }

    /// Whether resolvers are sent to us by any name of ours or below one, though not by all that an upload needs.
    pub(crate) fn is_partly_delegated(&self) -> bool {
        match self.verdict() {
            Verdict::NotDelegated { reason: NotDelegated::Elsewhere { present, .. }, .. } => {
                !present.is_empty() || !self.entered.odd.is_empty()
            }
            Verdict::NotDelegated { .. } | Verdict::Delegated { .. } | Verdict::Unknown { .. } => false,
        }
    }

    /// Who was asked and what they said, one sentence each, as far as there is room for it.
    pub(crate) fn evidence(&self) -> Vec<String> {
        let asked = self.findings.evidence.to_string();
        bounded(self.own_word.iter().map(String::as_str).chain(asked.lines()).map(str::to_owned).collect())
    }

    /// What the parent says, in one sentence.
    pub(crate) fn sentence(&self) -> String {
        bounded(vec![self.verdict().to_string()]).concat()
    }

    /// When the parent was asked, in seconds since 1970: now, or up to a minute ago.
    pub(crate) fn asked_at(&self) -> u64 {
        self.findings.evidence.asked_at
    }
}

/// Evidence as it is kept and shown: hostile parents can make it long.
pub(crate) fn bounded(mut evidence: Vec<String>) -> Vec<String> {
    evidence.truncate(EVIDENCE_LINES_MAX);
    for line in &mut evidence {
        if line.len() > LINE_SIZE_MAX {
            line.truncate(line.floor_char_boundary(LINE_SIZE_MAX));
            line.push('…');
        }
    }
    evidence
}

/// Octets of one sentence of evidence: the NS set of a large zone. Twice as many of all of them, as JSON escapes them, fit
/// into a report.
const LINE_SIZE_MAX: usize = 1000;

/// The delegation of `domain` that a cut in its parent is; `None` when the cut is above it, or its names are none.
fn delegation(domain: Name<'_>, parent: &NameBuf, cut: &Cut) -> Option<Delegation> {
    if cut.owner != domain.to_lowercase().to_string() {
        return None;
    }
    let server = |text: &String| Some(NameServer { name: text.parse().ok()?, addresses: Vec::new() });
    let mut name_servers = cut.name_servers.iter().map(server).collect::<Option<Vec<NameServer>>>()?;
    name_servers.sort_by(|a, b| a.name.cmp(&b.name));
    let mut records: Vec<Vec<u8>> = cut.ds.iter().map(<[u8]>::to_vec).collect();
    records.sort();
    let ds = if records.is_empty() { DsRecords::Absent } else { DsRecords::Present(records) };
    Some(Delegation {
        zone: domain.to_lowercase(),
        parent: parent.clone(),
        name_servers,
        ds,
        security: Security::Unchecked,
    })
}

/// Whether a server of the parent that is not ours sees something else than what we have stored.
fn is_contradicted(findings: &Findings, cut: Option<&Cut>) -> bool {
    let domain = findings.domain.as_name();
    let about = findings.evidence.steps.iter().filter(|step| step.qname.as_name() == domain && step.qtype == RType::NS);
    let mut about = about.map(|step| &step.said);
    about.any(|said| match (said, cut) {
        (Said::Referral { zone, name_servers, others, ds }, Some(cut)) if zone.as_name() == domain => {
            let is_in_cut = |server: &NameServer| cut.name_servers.contains(&server.name.to_string());
            let has_other_ds = ds.iter().any(|ds| !cut.ds.iter().any(|known| known == ds.as_slice()));
            // What was left out of the evidence cannot be compared, and so may contradict.
            *others > 0
                || name_servers.len() != cut.name_servers.len()
                || !name_servers.iter().all(is_in_cut)
                || has_other_ds
        }
        (Said::Referral { zone, .. }, None) => zone.as_name() == domain,
        (Said::NoData | Said::NxDomain | Said::Alias { .. }, cut) => cut.is_some(),
        _ => false,
    })
}

pub(crate) fn checker_config(config: &Config) -> nss_registrar_check::Config {
    let mut checks = nss_registrar_check::Config::default();
    if !config.parent.root_hints.is_empty() {
        checks.root_hints.clone_from(&config.parent.root_hints);
        // Nobody signs a private root with IANA's keys.
        checks.trust_anchors.clear();
    }
    if let Some(anchors) = &config.parent.trust_anchors {
        checks.trust_anchors.clone_from(anchors);
    }
    checks.port = config.parent.dns_port;
    if config.parent.allow_private_addresses {
        checks.addresses = AddressPolicy::AnyUnicast;
    }
    checks.query_interval = Duration::from_secs(1) / config.parent.queries_per_second.get();
    checks.outstanding_max = config.parent.outstanding_max.get();
    checks.servers_min = config.parent.servers_min.get();
    checks.limits.time_max = milliseconds(config.timeouts.parent_check_ms);
    checks.cache.delegated_ttl = Duration::from_secs(config.parent.cache_s.get().into());
    checks.cache.not_delegated_ttl = checks.cache.not_delegated_ttl.min(checks.cache.delegated_ttl);
    checks.cache.walks_max = config.limits.parent_checks_max.get();
    checks
}

#[cfg(test)]
mod tests {
    use nss_registrar_check::Evidence;
    use nssd::control::{CHECK_REPORT_SIZE_MAX, Check, CheckAction, CheckReport, CheckVerdict};

    use super::*;

    #[test]
    fn the_longest_evidence_fits_into_a_report() {
        let evidence = bounded(vec!["\\".repeat(100_000); 1000]);
        assert_eq!((evidence.len(), evidence[0].chars().count()), (EVIDENCE_LINES_MAX, LINE_SIZE_MAX + 1));
        let check = Check {
            checked_at: u64::MAX,
            verdict: CheckVerdict::NotDelegated,
            adrift_since: Some(u64::MAX),
            parked_since: Some(u64::MAX),
            next_check_at: u64::MAX,
            evidence,
        };
        let report = CheckReport { etag: Some("\"1\"".into()), follows: Some(1), check, action: CheckAction::Keep };
        assert!(serde_json::to_vec(&report).unwrap().len() <= CHECK_REPORT_SIZE_MAX);
        assert_eq!(bounded(vec!["short".into()]), ["short"]);
        assert!(bounded(vec!["ü".repeat(1000)])[0].len() <= LINE_SIZE_MAX + 3);
    }

    #[test]
    fn what_a_parent_with_a_thousand_name_servers_says_has_an_end_wherever_it_is_shown() {
        let server = |n: usize| NameServer { name: format!("ns{n}.example").parse().unwrap(), addresses: Vec::new() };
        let delegation = Delegation {
            zone: "example.com".parse().unwrap(),
            parent: "com".parse().unwrap(),
            name_servers: (0..1000).map(server).collect(),
            ds: DsRecords::Unasked,
            security: Security::Unchecked,
        };
        let domain = "example.com".parse().unwrap();
        let word = delegation.to_string();
        let findings = Findings { domain, outcome: Outcome::Delegation(delegation), evidence: Evidence::default() };
        let sight = Sight { findings: Arc::new(findings), entered: Entered::none(&[]), own_word: Some(word) };
        let longest = LINE_SIZE_MAX + '…'.len_utf8();
        assert_eq!((sight.sentence().len(), sight.evidence()[0].len()), (longest, longest));
    }
}
