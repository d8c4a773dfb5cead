//! The gate between an uploaded text and the name server: every check, in the order in which refusals help most.
//!
//! Cheap checks come before dear ones, and what the uploader can mend alone before what needs the registrar: a broken
//! file never costs the parent's servers a query.

mod refusal;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use hyper::body::Bytes;
use nss_registrar_check::{Delegation, Verdict, Wanted};
use nss_wire::NameBuf;
use nssd::check::Signed;
use nssd::control::{
    Change, Claim, Client as ZoneServer, ClientError, DsSet, Pin, Precondition, PutOptions, ZoneStatus,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub(crate) use self::refusal::no_randomness;
use crate::body::BodyType;
use crate::config::{Config, Ownership, milliseconds};
use crate::domain::Domain;
use crate::front::{Changed, What};
use crate::key::Key;
use crate::new_key::keyed_names;
use crate::ownership::{self, DsWord, Entered, Grant, Quota};
use crate::parents::{Parents, Unasked};
use crate::pending::{self, Early, Prospect};
use crate::problem::Problem;
use crate::query::Options;
use crate::quota::Quotas;
use crate::rdap::Rdap;
use crate::rounds::Rounds;
use crate::share::Shares;
use crate::standing::{HostedZone, Served, Standing};
use crate::zone_server;
use crate::zone_text::{self, ZoneWord};

/// Decides who may change what.
pub(crate) struct Gate {
    config: Config,
    zone_server: ZoneServer,
    /// `None` when the delegation is not checked.
    parents: Option<Arc<Parents>>,
    parses: Arc<Semaphore>,
    quotas: Quotas,
    /// `None` when registries are not asked.
    rdap: Option<Rdap>,
    /// Walks for who only asks: whatever they ask about, most of the walks are left for uploads.
    asks: Semaphore,
    /// Of these, what each network may have.
    asks_of_each: Shares,
    /// Walks for the uploads of each network: those of domains whose servers keep us waiting leave the rest for others.
    walks: Shares,
    /// Where the times of the quotas are counted from.
    started: Instant,
}

/// What came with an upload.
pub(crate) struct Upload {
    pub(crate) text: Bytes,
    pub(crate) body_type: BodyType,
    pub(crate) key: Option<Key>,
    pub(crate) client: IpAddr,
}

impl Gate {
    pub(crate) fn new(config: Config, zone_server: ZoneServer, rdap: Option<Rdap>) -> Gate {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        let asks = config.limits.parent_checks_max.get().div_ceil(ASKS_SHARE);
        let parses = config.limits.parses_max.map_or(cores, |n| n.get());
        Gate {
            parents: config.delegation_check.then(|| Arc::new(Parents::new(&config, zone_server.clone()))),
            zone_server,
            parses: Arc::new(Semaphore::new(parses)),
            quotas: Quotas::new(&config.quotas),
            rdap,
            asks: Semaphore::new(asks),
            asks_of_each: Shares::new(asks.div_ceil(WALKS_SHARE)),
            walks: Shares::new(config.limits.parent_checks_max.get().div_ceil(WALKS_SHARE)),
            started: Instant::now(),
            config,
        }
    }

    /// The names that owners enter at their registrar.
    pub(crate) fn name_servers(&self) -> &[NameBuf] {
        &self.config.name_servers
    }

    /// Refuses domains that are the operator's.
    pub(crate) fn check_domain(&self, domain: &Domain) -> Result<(), Problem> {
        // In a private network the operator's own zone comes the same way as all others.
        if self.config.ownership == Ownership::Open {
            return Ok(());
        }
        match domain.conflicts_with(&self.config.name_servers) {
            None => Ok(()),
            Some(server) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "operators-domain",
                format!("{domain} is the operator's: the name server {server} is in it"),
            )),
        }
    }

    /// Checks an uploaded text, and unless that is all that is asked for, publishes it.
    pub(crate) async fn upload(
        &self,
        domain: &Domain,
        options: Options,
        precondition: Precondition,
        upload: Upload,
    ) -> Result<Changed, Problem> {
        let Upload { text, body_type, key, client } = upload;
        let word = self.check_text(domain, text.clone(), body_type).await?;
        let early = Early::of(domain, &word, key.as_ref(), text.len(), &self.config);
        let Owned { grant, ds } = self.check_owner(domain, key.as_ref(), client, &early, word.signed.as_ref()).await?;
        if !options.dry_run {
            match grant.quota() {
                Quota::Network => {}
                Quota::DomainAfterwards => self.check_domain_quota(domain)?,
                Quota::Domain => self.admit_domain(domain)?,
            }
        }
        let fresh = match &key {
            None if grant.pins_first_key() && !options.dry_run => {
                Some(Key::generate().map_err(|error| no_randomness(&error))?)
            }
            None | Some(_) => None,
        };
        let first = key.as_ref().or(fresh.as_ref()).map(|key| key.pin(domain.name()));
        let pin = grant.pin_change(first);
        let claimant = key.as_ref().filter(|_| grant.is_claim());
        let pending = claimant.map(|key| pending::claim(domain, key, client, &self.config));
        let enter = claimant.map(|key| keyed_names(key.label(), &self.config.name_servers)).unwrap_or_default();
        let put = PutOptions { dry_run: options.dry_run, precondition, pin, ds, pending };
        let status = match self.zone_server.put_zone(domain.name(), text, &put).await {
            Ok(status) => status,
            Err(error) => return Err(zone_server::change_problem(&error, domain, fresh)),
        };
        if grant.quota() == Quota::DomainAfterwards && matches!(status.change, Change::Created | Change::Replaced) {
            // Had another change been counted meanwhile, this one would have been too many, and is done all the same.
            let _ = self.admit_domain(domain);
        }
        Ok(Changed { key: fresh, enter, ..changed(domain, options, status, grant) })
    }

    /// Withdraws a zone, on the same proof that an upload takes.
    pub(crate) async fn delete(
        &self,
        domain: &Domain,
        options: Options,
        precondition: &Precondition,
        key: Option<&Key>,
        client: IpAddr,
    ) -> Result<Changed, Problem> {
        self.check_domain(domain)?;
        // Asked first: the parent's servers need not be bothered about zones that are not here.
        let status = self.withdrawable(domain).await?;
        if let Some(claim) = self.own_claim(domain, key).await? {
            // Whoever the domain is delegated to by now, this claim is the caller's own.
            let status = match options.dry_run {
                true => status,
                false => {
                    let withdrawn = self.zone_server.delete_pending_zone(domain.name(), precondition, claim).await;
                    withdrawn.map_err(|error| zone_server::change_problem(&error, domain, None))?
                }
            };
            return Ok(changed(domain, options, status, Grant::Pending(claim)));
        }
        let Owned { grant, .. } = self.check_owner(domain, key, client, &Early::No(None), None).await?;
        if options.dry_run {
            return Ok(changed(domain, options, status, grant));
        }
        self.admit_domain(domain)?;
        let pin = grant.pin_change(key.map(|key| key.pin(domain.name())));
        let withdrawn = self.zone_server.delete_zone(domain.name(), precondition, &pin).await;
        let withdrawn = withdrawn.map_err(|error| zone_server::change_problem(&error, domain, None))?;
        let withdrawn = match withdrawn.records {
            // It was parked, and what it had only its text knew.
            0 => ZoneStatus { serial: status.serial, records: status.records, ..withdrawn },
            _ => withdrawn,
        };
        Ok(changed(domain, options, withdrawn, grant))
    }

    /// What there is to withdraw: a zone that is served, or one that is parked, of which only its text tells.
    async fn withdrawable(&self, domain: &Domain) -> Result<ZoneStatus, Problem> {
        let problem = match self.zone_server.zone_status(domain.name()).await {
            Ok(status) if status.etag.is_some() => return Ok(status),
            Ok(_) => return Err(zone_server::not_found(domain)),
            Err(error) => zone_server::problem(&error),
        };
        let claim = self.zone_server.claim(domain.name()).await.map_err(|error| zone_server::problem(&error))?;
        if problem.status() != StatusCode::NOT_FOUND || claim.check.is_none_or(|check| check.parked_since.is_none()) {
            return Err(problem);
        }
        let parked = self.zone_server.get_zone(domain.name()).await.map_err(|error| zone_server::problem(&error))?;
        let parses = self.parses.acquire().await;
        let apex = domain.clone();
        let read = tokio::task::spawn_blocking(move || zone_text::parked(&apex, parked)).await;
        drop(parses);
        read.map_err(|error| {
            tracing::error!(%error, %domain, "reading a parked zone panicked");
            problem
        })
    }

    /// The pin of the claim by which a domain is served before its delegation, if it is by one of this key's.
    async fn own_claim(&self, domain: &Domain, key: Option<&Key>) -> Result<Option<Pin>, Problem> {
        let Some(key) = key else { return Ok(None) };
        let claim = self.zone_server.claim(domain.name()).await.map_err(|error| zone_server::problem(&error))?;
        Ok(claim.pending.map(|pending| pending.pin).filter(|pin| *pin == key.pin(domain.name())))
    }

    /// The rounds that this server makes, if it makes any; with the walks of the uploads, and what they found.
    pub(crate) fn rounds(&self) -> Option<Rounds> {
        let parents = self.parents.as_ref().filter(|_| self.config.makes_rounds())?;
        Some(Rounds::with(Arc::clone(parents), self.zone_server.clone(), &self.config))
    }

    /// Counts a request for a change, before anything else is done for it.
    pub(crate) fn admit_client(&self, client: IpAddr) -> Result<(), Problem> {
        self.quotas
            .admit_client(client, self.started.elapsed())
            .map_err(|exceeded| refusal::too_many_uploads(exceeded, None))
    }

    /// Counts a change that the domain's owner asks for.
    fn admit_domain(&self, domain: &Domain) -> Result<(), Problem> {
        let admitted = self.quotas.admit_domain(domain.as_str(), self.started.elapsed());
        admitted.map_err(|exceeded| refusal::too_many_uploads(exceeded, Some(domain)))
    }

    /// Whether a change of a domain could be counted.
    fn check_domain_quota(&self, domain: &Domain) -> Result<(), Problem> {
        let left = self.quotas.check_domain(domain.as_str(), self.started.elapsed());
        left.map_err(|exceeded| refusal::too_many_uploads(exceeded, Some(domain)))
    }

    /// What the parent says about a domain, and who may change its zone.
    pub(crate) async fn standing(
        &self,
        domain: &Domain,
        key: Option<&Key>,
        client: IpAddr,
    ) -> Result<Standing, Problem> {
        let patience = milliseconds(self.config.timeouts.queue_ms);
        let busy = || refusal::busy("too many domains are being asked about", patience);
        let _place = self.asks_of_each.take(client, patience).await.ok_or_else(busy)?;
        let _turn = self.asks.try_acquire().map_err(|_| busy())?;
        let sight = match &self.parents {
            Some(parents) => {
                let sight = parents.look(domain.name(), Wanted::NameServersAndDs).await;
                Some(sight.map_err(|unasked| self.unasked(domain, &unasked))?)
            }
            None => None,
        };
        let claim = self.zone_server.claim(domain.name()).await.map_err(|error| zone_server::problem(&error))?;
        let (rule, label) = (self.config.ownership, key.map(Key::label));
        Ok(Standing::new(domain, rule, sight.as_ref(), &claim, label, &self.config.name_servers))
    }

    /// A zone that was uploaded here, and how it stands.
    pub(crate) async fn hosted(&self, domain: &Domain, client: IpAddr) -> Result<HostedZone, Problem> {
        let claim = self.zone_server.claim(domain.name()).await.map_err(|error| zone_server::problem(&error))?;
        let is_parked = claim.check.as_ref().is_some_and(|check| check.parked_since.is_some());
        let is_contested = claim.pending.as_ref().is_some_and(|pending| pending.is_contested);
        let status = match is_parked || is_contested {
            true => Served::Parked,
            false => match self.zone_server.zone_status(domain.name()).await {
                Ok(status) if status.etag.is_some() => Served::Yes(Box::new(status)),
                Ok(_) => return Err(zone_server::not_found(domain)),
                Err(error) => match zone_server::problem(&error) {
                    problem if problem.status() == StatusCode::NOT_FOUND && self.is_withdrawn(&claim, domain).await => {
                        Served::Withdrawn
                    }
                    problem => return Err(problem),
                },
            },
        };
        let mut standing = self.standing(domain, None, client).await?;
        if let Some(rdap) = &self.rdap {
            standing.registration = rdap.sentences(domain, claim.pinned_at).await;
        }
        let makes_rounds = self.config.makes_rounds().then_some(self.config.lifecycle.recheck_hours.get());
        Ok(HostedZone::new(status, claim.check, claim.pending.as_ref(), standing, makes_rounds))
    }

    /// Whether a zone that is not served is none because its owner withdrew it, so that there is a pin and no text.
    async fn is_withdrawn(&self, claim: &Claim, domain: &Domain) -> bool {
        let is_gone = |error: &ClientError| zone_server::problem(error).status() == StatusCode::NOT_FOUND;
        claim.pin.is_some() && self.zone_server.get_zone(domain.name()).await.is_err_and(|error| is_gone(&error))
    }

    /// The key that came with a request; where nobody needs one, nobody looks at it.
    pub(crate) fn presented_key(&self, headers: &HeaderMap) -> Result<Option<Key>, Problem> {
        match self.config.ownership {
            Ownership::Open => Ok(None),
            Ownership::Pinned | Ownership::Keyed => ownership::presented_key(headers),
        }
    }

    /// Asks the parent zone whether the domain is delegated to us, and whether the caller may change it.
    async fn check_owner(
        &self,
        domain: &Domain,
        key: Option<&Key>,
        client: IpAddr,
        early: &Early<'_>,
        signed: Option<&Signed>,
    ) -> Result<Owned, Problem> {
        // Only what is signed can be proved by DS records.
        let wanted = if signed.is_some() { Wanted::NameServersAndDs } else { Wanted::NameServers };
        let (delegation, entered) = match self.check_delegation(domain, client, early, wanted).await? {
            Word::Unasked => return Ok(Owned { grant: Grant::Open, ds: None }),
            Word::Claimed(pin) => {
                return self.ask_registry(domain, Owned { grant: Grant::Pending(pin), ds: None }, None).await;
            }
            Word::Delegated(delegation, entered) => (delegation, entered),
        };
        let (pin, pinned_at) = match self.config.ownership {
            Ownership::Pinned if entered.labels.is_empty() => {
                let claim = self.zone_server.claim(domain.name()).await;
                let claim = claim.map_err(|error| zone_server::problem(&error))?;
                (claim.pin, claim.pinned_at)
            }
            Ownership::Pinned | Ownership::Keyed | Ownership::Open => (None, None),
        };
        let word = DsWord::of(&delegation, signed);
        let is_proved = matches!(word, DsWord::Proved(_));
        match (ownership::decide(self.config.ownership, &entered.labels, key, pin, domain.name(), is_proved), word) {
            (Ok(Grant::Ds), DsWord::Proved(ds)) => {
                self.ask_registry(domain, Owned { grant: Grant::Ds, ds: Some(ds) }, pinned_at).await
            }
            (Ok(grant), _) => self.ask_registry(domain, Owned { grant, ds: None }, pinned_at).await,
            (Err(_), DsWord::Unknown(ref reason)) if entered.labels.is_empty() => {
                Err(refusal::ds_unknown(domain, &reason.to_string()))
            }
            // The owner may have just entered another key.
            (Err(_), _) if self.parents.as_ref().is_some_and(|parents| parents.doubt(domain.name())) => {
                Box::pin(self.check_owner(domain, key, client, early, signed)).await
            }
            (Err(denial), word) => {
                Err(denial.problem(domain, &delegation, &entered, key, &self.config.name_servers, &word))
            }
        }
    }

    /// Gives back why an upload goes in, unless the registry's word stands against it.
    async fn ask_registry(&self, domain: &Domain, owned: Owned, pinned_at: Option<u64>) -> Result<Owned, Problem> {
        if let Some(rdap) = &self.rdap {
            rdap.check(domain, owned.grant, pinned_at).await?;
        }
        Ok(owned)
    }

    /// Parses and builds the zone on a thread for such work, and looks at its NS set.
    async fn check_text(&self, domain: &Domain, text: Bytes, body_type: BodyType) -> Result<ZoneWord, Problem> {
        let parses = Arc::clone(&self.parses).acquire_owned();
        let patience = milliseconds(self.config.timeouts.queue_ms);
        let Ok(Ok(turn)) = timeout(patience, parses).await else {
            return Err(refusal::busy("too many zone files are waiting to be checked", patience));
        };
        let apex = domain.clone();
        let (name_servers, now) = (self.config.name_servers.clone(), self.config.clock.now());
        let checked = tokio::task::spawn_blocking(move || {
            // Given back when the work is done, even if nobody waits for it any more.
            let _turn = turn;
            zone_text::check(&apex, &text, &name_servers, now)
        })
        .await;
        match checked {
            Ok(Ok(word)) => Ok(word),
            Ok(Err(refused)) => Err(refusal::bad_zone(domain, refused, body_type)),
            Err(error) => {
                tracing::error!(%error, %domain, "checking a zone panicked");
                Err(refusal::bug())
            }
        }
    }

    /// Asks the parent zone whether the domain is delegated to us.
    async fn check_delegation(
        &self,
        domain: &Domain,
        client: IpAddr,
        early: &Early<'_>,
        wanted: Wanted,
    ) -> Result<Word, Problem> {
        let Some(parents) = &self.parents else { return Ok(Word::Unasked) };
        let patience = milliseconds(self.config.timeouts.queue_ms);
        let Some(_place) = self.walks.take(client, patience).await else {
            return Err(refusal::busy("too many domains are being checked for your network", patience));
        };
        let sight = parents.look(domain.name(), wanted).await.map_err(|unasked| self.unasked(domain, &unasked))?;
        match sight.verdict() {
            Verdict::Delegated { delegation, .. } => Ok(Word::Delegated(delegation, sight.entered)),
            Verdict::NotDelegated { .. } => {
                let before = match early {
                    Early::Claim(key) => match Prospect::of(&sight, key.label(), &self.config.name_servers) {
                        Prospect::Open => return Ok(Word::Claimed(key.pin(domain.name()))),
                        Prospect::Closed => pending::CLOSED,
                        // The domain is not delegated to us, so that it cannot be named, and that was found out.
                        Prospect::Named | Prospect::Unknown => "",
                    },
                    Early::No(reason) => reason.as_deref().unwrap_or_default(),
                };
                Err(refusal::not_delegated(domain, &sight, &self.config.name_servers, before))
            }
            Verdict::Unknown { ref reason, .. } => {
                Err(refusal::unknown(domain, &format!("{reason}\nwho was asked:")).with_evidence(sight.evidence()))
            }
        }
    }

    fn unasked(&self, domain: &Domain, unasked: &Unasked) -> Problem {
        match unasked {
            Unasked::Busy => {
                let wait = milliseconds(self.config.timeouts.queue_ms);
                refusal::unknown(domain, "too many checks are waiting").retry_after(wait)
            }
            Unasked::ZoneServer(error) => zone_server::problem(error),
        }
    }
}

/// Why an upload goes in.
struct Owned {
    grant: Grant,
    /// The DS records that prove the zone, where that is the reason.
    ds: Option<DsSet>,
}

/// What the parent says about a domain.
#[expect(clippy::large_enum_variant, reason = "one value an upload, matched by its caller")]
enum Word {
    /// Nobody was asked.
    Unasked,
    /// It delegates it here.
    Delegated(Delegation, Entered),
    /// It does not, and the upload may be served before by the claim of the key with this pin.
    Claimed(Pin),
}

/// One in so many of the walks may be for who only asks, so that domains whose servers keep us waiting cannot take all.
const ASKS_SHARE: usize = 4;

/// One in so many may be for the uploads of one network, for the same reason; and of those for who only asks, for one network's questions.
const WALKS_SHARE: usize = 4;

/// Reads `If-Match` and `If-None-Match` as far as they make sense for a change (RFC 9110 §13.1).
pub(crate) fn preconditions(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let single = |name| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value.map(|value| value.to_str().unwrap_or_default().trim().to_owned())),
            (_, Some(_)) => Err(()),
        }
    };
    match (single(IF_MATCH), single(IF_NONE_MATCH)) {
        (Ok(None), Ok(None)) => Ok(Precondition::None),
        (Ok(Some(tag)), Ok(None)) if tag == "*" => Ok(Precondition::Exists),
        (Ok(Some(tag)), Ok(None)) if is_strong_etag(&tag) => Ok(Precondition::Version(tag)),
        (Ok(None), Ok(Some(tag))) if tag == "*" => Ok(Precondition::Absent),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad-precondition",
            "either If-Match with one entity tag, as GET shows it, or with *; or If-None-Match with *",
        )),
    }
}

/// `"…"` with visible characters and no quote inside (RFC 9110 §8.8.3). Ours are never empty, and a comma in one stands for a mistyped list.
fn is_strong_etag(tag: &str) -> bool {
    let inner = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|inner| !inner.is_empty());
    inner.is_some_and(|inner| inner.bytes().all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'"' | b',')))
}

fn changed(domain: &Domain, options: Options, status: ZoneStatus, grant: Grant) -> Changed {
    let change = match status.change {
        _ if options.dry_run => What::Checked,
        Change::Created => What::Created,
        Change::Unchanged => What::Unchanged,
        Change::Withdrawn => What::Withdrawn,
        // The enum is open; whatever else a change is called, the zone was replaced.
        Change::Replaced | Change::None | _ => What::Replaced,
    };
    Changed {
        domain: domain.to_string(),
        serial: status.serial,
        records: status.records,
        change,
        etag: status.etag.filter(|_| change != What::Withdrawn),
        proof: grant.proof(),
        pending_until: status.pending_until,
        enter: Vec::new(),
        key: None,
        diagnostics: status.findings,
    }
}
