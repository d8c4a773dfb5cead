//! Our names as the world sees them: from the root hints down, asked of everybody's own servers.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use nss_registrar_check::{
    AddressPolicy, Checker, Delegation, DsRecords, Findings, NotDelegated, Outcome, Said, Security, Unknown,
};
use nss_wire::{Name, NameBuf, RType};

use super::question::ask;
use crate::domain::{Domain, DomainError};

/// Looks from outside.
pub(super) struct World {
    pub(super) checker: Checker,
    pub(super) policy: AddressPolicy,
    pub(super) port: u16,
}

/// A zone cut above a name.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) delegation: Delegation,
    /// The parent's servers serve the zone as well, and so its own NS set was seen instead of the delegation.
    pub(super) is_hidden: bool,
    /// Servers of the parent that were asked.
    pub(super) parent_servers: Vec<SocketAddr>,
}

/// Why no zone was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// There is none.
    Nowhere(String),
    /// It could not be found out.
    Unknown(String),
}

impl World {
    /// The zone that `name` is in, as its parent delegates it.
    pub(super) async fn cut_above(&self, name: Name<'_>) -> Result<Cut, Lost> {
        let mut at = name.to_lowercase();
        let mut reason = None;
        loop {
            let findings = self.checker.findings(at.as_name()).await;
            let above = match &findings.outcome {
                // The walk up has come to where others register: the operator's own zone was passed, or is not there.
                Outcome::Delegation(delegation) if is_registry(&delegation.zone) => {
                    let nowhere = format!("{} does not delegate it", delegation.zone);
                    return Err(reason.map_or(Lost::Nowhere(nowhere), Lost::Unknown));
                }
                Outcome::Delegation(delegation) => return Ok(cut(&findings, delegation.clone(), false)),
                Outcome::Unknown(Unknown::Hidden { parent }) => {
                    let Some(name_servers) = own_name_servers(&findings) else {
                        return Err(Lost::Unknown(findings_text(&findings)));
                    };
                    let (ds, security) = (DsRecords::Unasked, Security::Unchecked);
                    let delegation = Delegation { zone: at, parent: parent.clone(), name_servers, ds, security };
                    return Ok(cut(&findings, delegation, true));
                }
                Outcome::NotDelegated(NotDelegated::NoCut { parent } | NotDelegated::NoSuchName { parent })
                    if parent.as_name().label_count() < at.as_name().label_count() =>
                {
                    Some(parent.clone())
                }
                Outcome::NotDelegated(reason) => return Err(Lost::Nowhere(reason.to_string())),
                // One of the zone's own servers may be silent, which is found out further up.
                Outcome::Unknown(unknown) => {
                    reason.get_or_insert(unknown.to_string());
                    at.as_name().parent().map(Name::to_buf)
                }
            };
            match above.filter(|above| !above.as_name().is_root()) {
                Some(above) => at = above,
                None => {
                    return Err(match reason {
                        Some(reason) => Lost::Unknown(reason),
                        None => Lost::Nowhere(findings_text(&findings)),
                    });
                }
            }
        }
    }

    /// The addresses of `name` as the servers of its zone give them; empty when they give none or say nothing.
    pub(super) async fn addresses(&self, name: Name<'_>, depth: usize) -> BTreeSet<IpAddr> {
        let Ok(cut) = self.cut_above(name).await else { return BTreeSet::new() };
        for server in &cut.delegation.name_servers {
            let servers = self.server_addresses(server.name.as_name(), &server.addresses, depth).await;
            for address in servers {
                let to = SocketAddr::new(address, self.port);
                let (v4, v6) = tokio::join!(ask(to, name, RType::A), ask(to, name, RType::AAAA));
                if let (Ok(v4), Ok(v6)) = (v4, v6)
                    && v4.is_authoritative
                {
                    return v4.addresses.into_iter().chain(v6.addresses).collect();
                }
            }
        }
        BTreeSet::new()
    }

    /// The addresses of a name server: its glue, or else what its own zone says.
    pub(super) async fn server_addresses(&self, name: Name<'_>, glue: &[IpAddr], depth: usize) -> Vec<IpAddr> {
        let mut found: BTreeSet<IpAddr> = glue.iter().copied().collect();
        if found.is_empty() && depth < DEPTH_MAX {
            found = Box::pin(self.addresses(name, depth + 1)).await;
        }
        found.retain(|&address| self.policy.permits(address));
        found.into_iter().take(ADDRESSES_MAX).collect()
    }
}

/// Whether others register domains in a zone.
fn is_registry(zone: &NameBuf) -> bool {
    matches!(Domain::parse(&zone.to_string()), Err(DomainError::OneLabel | DomainError::PublicSuffix))
}

fn cut(findings: &Findings, delegation: Delegation, is_hidden: bool) -> Cut {
    let steps = findings.evidence.steps.iter().filter(|step| step.zone == delegation.parent && step.rcode.is_some());
    let mut parent_servers: Vec<SocketAddr> = steps.map(|step| step.server).collect();
    parent_servers.sort();
    parent_servers.dedup();
    Cut { delegation, is_hidden, parent_servers }
}

/// The NS set at the apex, as a server of both the parent and the zone gives it.
fn own_name_servers(findings: &Findings) -> Option<Vec<nss_registrar_check::NameServer>> {
    let steps = findings.evidence.steps.iter().filter(|step| step.qname == findings.domain);
    steps.rev().find_map(|step| match &step.said {
        Said::Apex { name_servers, .. } => Some(name_servers.clone()),
        _ => None,
    })
}

fn findings_text(findings: &Findings) -> String {
    match &findings.outcome {
        Outcome::Delegation(delegation) => delegation.to_string(),
        Outcome::NotDelegated(reason) => reason.to_string(),
        Outcome::Unknown(reason) => reason.to_string(),
    }
}

/// Name servers whose own zone has to be found to find a zone: three providers that depend on each other.
const DEPTH_MAX: usize = 3;

/// Addresses of one name server that are asked, both families together.
const ADDRESSES_MAX: usize = 8;
