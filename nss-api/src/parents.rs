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
use nssd::control::{Client as ZoneServer, ClientError, Cut};
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
        let findings = match wanted {
            Wanted::NameServers => self.checker.findings(domain).await,
            Wanted::NameServersAndDs => self.checker.findings_with_ds(domain).await,
        };
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

    /// Who was asked and what they said, one sentence each.
    pub(crate) fn evidence(&self) -> Vec<String> {
        let asked = self.findings.evidence.to_string();
        asked.lines().map(str::to_owned).chain(self.own_word.clone()).collect()
    }
}

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
        (Said::Referral { zone, name_servers, ds }, Some(cut)) if zone.as_name() == domain => {
            let is_in_cut = |server: &NameServer| cut.name_servers.contains(&server.name.to_string());
            let has_other_ds = ds.iter().any(|ds| !cut.ds.iter().any(|known| known == ds.as_slice()));
            name_servers.len() != cut.name_servers.len() || !name_servers.iter().all(is_in_cut) || has_other_ds
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
    checks.servers_min = config.parent.servers_min.get();
    checks.limits.time_max = milliseconds(config.timeouts.parent_check_ms);
    checks.cache.walks_max = config.limits.parent_checks_max.get();
    checks
}
