//! The daily check of every hosted zone at its parent, a little of it every minute.
//!
//! Which zones are due, and what was found, is kept by `nssd`, so that this process can be restarted or run three times: of two
//! who check a zone at one moment one writes it down, and the other one's work is lost. The clock is the configuration's, so that
//! years go by in a test.

use std::sync::Arc;

use nss_registrar_check::{Verdict, Wanted};
use nss_wire::NameBuf;
use nssd::clock::Clock;
use nssd::control::{CheckReport, CheckVerdict, Client as ZoneServer, ClientError, DueCheck};
use tokio::task::{JoinError, JoinSet};

use crate::config::{Config, Lifecycle, Pending, milliseconds};
use crate::key::Label;
use crate::lifecycle::{self, Kept, Step};
use crate::parents::{Parents, Unasked, bounded};
use crate::pending::{self, Prospect};

/// Makes rounds.
pub struct Rounds {
    parents: Arc<Parents>,
    zone_server: ZoneServer,
    periods: Lifecycle,
    pending: Pending,
    name_servers: Vec<NameBuf>,
    clock: Clock,
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundReport {
    /// Zones whose check was written down.
    pub checked: usize,
    /// Zones that could not be asked about or written down, and will be due again.
    pub failed: usize,
}

impl Rounds {
    /// Rounds with walks of their own, as `config` has them.
    pub fn new(config: &Config) -> Rounds {
        let zone_server =
            ZoneServer::new(&config.control_socket).with_timeout(milliseconds(config.timeouts.control_ms));
        let parents = Arc::new(Parents::new(config, zone_server.clone()));
        Rounds::with(parents, zone_server, config)
    }

    pub(crate) fn with(parents: Arc<Parents>, zone_server: ZoneServer, config: &Config) -> Rounds {
        Rounds {
            parents,
            zone_server,
            periods: config.lifecycle.clone(),
            pending: config.pending.clone(),
            name_servers: config.name_servers.clone(),
            clock: config.clock.clone(),
        }
    }

    /// Checks zones until none is due, or something could not be written down.
    ///
    /// With much to do it takes hours, and claims become due in minutes: what time it is, and who is due then, is asked for each
    /// hundred of them.
    ///
    /// # Errors
    ///
    /// A name server that cannot be asked which ones are.
    pub async fn round(self: &Arc<Rounds>) -> Result<RoundReport, ClientError> {
        let mut report = RoundReport::default();
        loop {
            let now = self.clock.now();
            let uploaded_before = now.saturating_sub(u64::from(self.periods.recheck_hours.get()) * 3600);
            let due = self.zone_server.due_checks(now, uploaded_before, BATCH).await?.zones;
            let before = report;
            let mut checks = JoinSet::new();
            for zone in due {
                if checks.len() >= CHECKS_MAX
                    && let Some(done) = checks.join_next().await
                {
                    report.count(&done);
                }
                let rounds = Arc::clone(self);
                checks.spawn(async move { rounds.check(zone, now).await });
            }
            while let Some(done) = checks.join_next().await {
                report.count(&done);
            }
            // What could not be written down is due still; it waits for the next round.
            if report.checked == before.checked || report.failed > before.failed {
                return Ok(report);
            }
        }
    }

    /// Checks one zone and writes down what was found; whether that worked.
    async fn check(&self, due: DueCheck, now: u64) -> bool {
        let Ok(apex) = due.zone.parse::<NameBuf>() else { return false };
        let label = due.pending.as_ref().map(|pending| Label::from_octets(pending.label.as_bytes()));
        let (verdict, prospect, evidence) = match self.parents.look(apex.as_name(), Wanted::NameServers).await {
            Ok(sight) => {
                let verdict = sight.verdict();
                let mut evidence = sight.evidence();
                evidence.insert(0, verdict.to_string());
                let evidence = bounded(evidence);
                let prospect = match label {
                    Some(Some(label)) => Prospect::of(&sight, label, &self.name_servers),
                    // No key has such a label, so that the parent can never name it.
                    Some(None) | None => Prospect::Closed,
                };
                let verdict = match verdict {
                    Verdict::Delegated { .. } => CheckVerdict::Delegated,
                    Verdict::NotDelegated { .. } if sight.is_partly_delegated() => CheckVerdict::Partly,
                    Verdict::NotDelegated { .. } => CheckVerdict::NotDelegated,
                    Verdict::Unknown { .. } => CheckVerdict::Unknown,
                };
                (verdict, prospect, evidence)
            }
            // Whatever took so long must not be the first one in every round.
            Err(Unasked::Busy) => {
                (CheckVerdict::Unknown, Prospect::Unknown, vec!["the check took too long".to_owned()])
            }
            Err(Unasked::ZoneServer(error)) => {
                tracing::debug!(zone = due.zone, %error, "a due zone was not checked");
                return false;
            }
        };
        let kept = if due.etag.is_some() { Kept::Zone } else { Kept::PinAlone };
        let Step { check, action } = match &due.pending {
            Some(pending) => pending::step(&apex, pending, prospect, verdict, evidence, now, &self.pending),
            None => lifecycle::step(apex.as_name(), kept, due.last.as_ref(), verdict, evidence, now, &self.periods),
        };
        let report = CheckReport { etag: due.etag, follows: due.last.map(|last| last.checked_at), check, action };
        match self.zone_server.report_check(apex.as_name(), &report).await {
            Ok(()) => {
                tracing::info!(zone = due.zone, ?verdict, ?action, "checked at its parent");
                true
            }
            Err(error) => {
                tracing::debug!(zone = due.zone, %error, "a check was not written down");
                false
            }
        }
    }
}

impl RoundReport {
    fn count(&mut self, done: &Result<bool, JoinError>) {
        match done {
            Ok(true) => self.checked += 1,
            Ok(false) | Err(_) => self.failed += 1,
        }
    }
}

/// Zones fetched at once; a few seconds' work.
const BATCH: usize = 100;

/// Zones checked at once. A parent that does not answer takes ten seconds: with a tenth of 100,000 zones behind such
/// parents, sixteen get through them in two hours.
const CHECKS_MAX: usize = 16;
