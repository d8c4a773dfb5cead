//! The gate between an uploaded text and the name server: every check, in the order in which refusals help most.
//!
//! Cheap checks come before dear ones, and what the uploader can mend alone before what needs the registrar: a broken
//! file never costs the parent's servers a query.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

use crate::body::BodyType;
use crate::config::{Config, Ownership, milliseconds};
use crate::domain::Domain;
use crate::front::{Changed, Proof, What};
use crate::key::Key;
use crate::new_key::keyed_names;
use crate::ownership::{self, DsWord, Entered, Grant};
use crate::parents::{Parents, Unasked};
use crate::pending::{self, Early, Prospect};
use crate::problem::Problem;
use crate::query::Options;
use crate::quota::{Exceeded, Quotas};
use crate::rdap::Rdap;
use crate::rounds::Rounds;
use crate::share::Shares;
use crate::standing::{HostedZone, Served, Standing};
use crate::zone_server;
use crate::zone_text::{self, NotAZone, ZoneWord};

/// When to ask again what a parent could not tell: its own cache of failures is shorter.
const RETRY_PARENT: Duration = Duration::from_secs(10);

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
        let parses = config.limits.parses_max.map_or(cores, |n| n.get());
        Gate {
            parents: config.delegation_check.then(|| Arc::new(Parents::new(&config, zone_server.clone()))),
            zone_server,
            parses: Arc::new(Semaphore::new(parses)),
            quotas: Quotas::new(&config.quotas),
            rdap,
            asks: Semaphore::new(config.limits.parent_checks_max.get().div_ceil(ASKS_SHARE)),
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
            match grant {
                // Who claims a name has not shown to be its owner, and counts for the network alone.
                Grant::Pending(_) => {}
                // Anybody has copies of a signed zone: only what is newer counts, and that is known afterwards.
                Grant::Ds => self.check_domain_quota(domain)?,
                Grant::Open | Grant::Keyed(_) | Grant::Pinned(_) | Grant::First => self.admit_domain(domain)?,
            }
        }
        let fresh = match (grant, &key) {
            (Grant::First, None) if !options.dry_run => Some(Key::generate().map_err(|error| no_randomness(&error))?),
            (Grant::Open | Grant::Keyed(_) | Grant::Pinned(_) | Grant::First | Grant::Ds | Grant::Pending(_), _) => {
                None
            }
        };
        let first = key.as_ref().or(fresh.as_ref()).map(|key| key.pin(domain.name()));
        let pin = grant.pin_change(first);
        let pending = match (grant, &key) {
            (Grant::Pending(_), Some(key)) => Some(pending::claim(domain, key, client, &self.config)),
            (Grant::Open | Grant::Keyed(_) | Grant::Pinned(_) | Grant::First | Grant::Ds | Grant::Pending(_), _) => {
                None
            }
        };
        let enter = match (&pending, &key) {
            (Some(_), Some(key)) => keyed_names(key.label(), &self.config.name_servers),
            (None, _) | (_, None) => Vec::new(),
        };
        let put = PutOptions { dry_run: options.dry_run, precondition, pin, ds, pending };
        let status = self.zone_server.put_zone(domain.name(), text, &put).await;
        let status = status.map_err(|error| zone_server::problem(&error))?;
        if grant == Grant::Ds && matches!(status.change, Change::Created | Change::Replaced) {
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
        if let Some(key) = key
            && let Some(claim) = self.claim_of(domain).await?
            && claim.pin == key.pin(domain.name())
        {
            // Whoever the domain is delegated to by now, this claim is the caller's own.
            if !options.dry_run {
                let withdrawn = self.zone_server.delete_pending_zone(domain.name(), precondition, claim.pin).await;
                let status = withdrawn.map_err(|error| zone_server::problem(&error))?;
                return Ok(changed(domain, options, status, Grant::Pending(claim.pin)));
            }
            return Ok(changed(domain, options, status, Grant::Pending(claim.pin)));
        }
        let Owned { grant, .. } = self.check_owner(domain, key, client, &Early::No(None), None).await?;
        if options.dry_run {
            return Ok(changed(domain, options, status, grant));
        }
        self.admit_domain(domain)?;
        let pin = grant.pin_change(key.map(|key| key.pin(domain.name())));
        let withdrawn = self.zone_server.delete_zone(domain.name(), precondition, &pin).await;
        let withdrawn = withdrawn.map_err(|error| zone_server::problem(&error))?;
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

    /// The claim by which a domain is served before its delegation, if it is by one.
    async fn claim_of(&self, domain: &Domain) -> Result<Option<nssd::control::Pending>, Problem> {
        let claim = self.zone_server.claim(domain.name()).await.map_err(|error| zone_server::problem(&error))?;
        Ok(claim.pending)
    }

    /// The rounds that this server makes, if it makes any; with the walks of the uploads, and what they found.
    pub(crate) fn rounds(&self) -> Option<Rounds> {
        let parents = self.parents.as_ref().filter(|_| self.config.makes_rounds())?;
        Some(Rounds::with(Arc::clone(parents), self.zone_server.clone(), &self.config))
    }

    /// Counts a request for a change, before anything else is done for it.
    pub(crate) fn admit_client(&self, client: IpAddr) -> Result<(), Problem> {
        self.quotas.admit_client(client, self.started.elapsed()).map_err(|exceeded| too_many_uploads(exceeded, None))
    }

    /// Counts a change that the domain's owner asks for.
    fn admit_domain(&self, domain: &Domain) -> Result<(), Problem> {
        let admitted = self.quotas.admit_domain(domain.as_str(), self.started.elapsed());
        admitted.map_err(|exceeded| too_many_uploads(exceeded, Some(domain)))
    }

    /// Whether a change of a domain could be counted.
    fn check_domain_quota(&self, domain: &Domain) -> Result<(), Problem> {
        let left = self.quotas.check_domain(domain.as_str(), self.started.elapsed());
        left.map_err(|exceeded| too_many_uploads(exceeded, Some(domain)))
    }

    /// What the parent says about a domain, and who may change its zone.
    pub(crate) async fn standing(&self, domain: &Domain, key: Option<&Key>) -> Result<Standing, Problem> {
        let Ok(_turn) = self.asks.try_acquire() else {
            let detail = "too many domains are being asked about; try again in some seconds";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
                .retry_after(milliseconds(self.config.timeouts.queue_ms)));
        };
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
    pub(crate) async fn hosted(&self, domain: &Domain) -> Result<HostedZone, Problem> {
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
        let mut standing = self.standing(domain, None).await?;
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
                let detail = format!(
                    "could not find out which DS records {domain} has at its parent, and nothing else allows this; nothing was changed\n{reason}"
                );
                Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "delegation-unknown", detail)
                    .retry_after(RETRY_PARENT))
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
        let Ok(Ok(turn)) = timeout(milliseconds(self.config.timeouts.queue_ms), parses).await else {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "too many zone files are waiting to be checked; try again in some seconds",
            )
            .retry_after(milliseconds(self.config.timeouts.queue_ms)));
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
            Ok(Err(refused)) => Err(bad_zone(domain, refused, body_type)),
            Err(error) => {
                tracing::error!(%error, %domain, "checking a zone panicked");
                Err(Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "bug",
                    "this zone file met a bug in the server; nothing was changed",
                ))
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
            let detail =
                "too many domains are being checked for your network; nothing was changed, try again in some seconds";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).retry_after(patience));
        };
        let sight = parents.look(domain.name(), wanted).await.map_err(|unasked| self.unasked(domain, &unasked))?;
        match sight.verdict() {
            Verdict::Delegated { delegation, .. } => Ok(Word::Delegated(delegation, sight.entered)),
            Verdict::NotDelegated { .. } => {
                let ours: String = self.config.name_servers.iter().map(|name| format!("  {name}\n")).collect();
                let (reason, odd) = (sight.sentence(), odd_names(&sight.entered));
                let before = match early {
                    Early::Claim(key) => match Prospect::of(&sight, key.label(), &self.config.name_servers) {
                        Prospect::Open => return Ok(Word::Claimed(key.pin(domain.name()))),
                        Prospect::Closed => pending::CLOSED,
                        // The domain is not delegated to us, so that it cannot be named, and that was found out.
                        Prospect::Named | Prospect::Unknown => "",
                    },
                    Early::No(reason) => reason.as_deref().unwrap_or_default(),
                };
                let detail = format!(
                    "{domain} is not delegated to our name servers; nothing was changed\nwhat its parent zone says: {reason}\n{odd}\
                     at the domain's registrar, enter these name servers, then send the zone again:\n{ours}{before}\
                     who was asked:"
                );
                Err(Problem::new(StatusCode::FORBIDDEN, "not-delegated", detail).with_evidence(sight.evidence()))
            }
            Verdict::Unknown { ref reason, .. } => {
                Err(unknown(domain, &format!("{reason}\nwho was asked:")).with_evidence(sight.evidence()))
            }
        }
    }

    fn unasked(&self, domain: &Domain, unasked: &Unasked) -> Problem {
        match unasked {
            Unasked::Busy => {
                let wait = milliseconds(self.config.timeouts.queue_ms);
                unknown(domain, "too many checks are waiting").retry_after(wait)
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

/// Names below ours that are no key's, with what is wrong with them.
fn odd_names(entered: &Entered) -> String {
    entered.odd.iter().map(|name| format!("{name} has no label of a key: {LABEL_FORM}\n")).collect()
}

/// One in so many of the walks may be for who only asks, so that domains whose servers keep us waiting cannot take all.
const ASKS_SHARE: usize = 4;

/// One in so many may be for the uploads of one network, for the same reason.
const WALKS_SHARE: usize = 4;

/// What a label looks like, for who mistyped one.
const LABEL_FORM: &str = "one is k- and 32 letters or digits, directly in front of a name server";

/// The system gives no random numbers.
pub(crate) fn no_randomness(error: &str) -> Problem {
    tracing::error!(error, "cannot make a key");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-randomness", "no key can be made now; tell the operator")
}

fn too_many_uploads((exceeded, wait): (Exceeded, Duration), domain: Option<&Domain>) -> Problem {
    let whose = match (exceeded, domain) {
        (Exceeded::Domain, Some(domain)) => format!("{domain} was changed too often"),
        (Exceeded::Domain, None) => "the domain was changed too often".to_owned(),
        (Exceeded::Network, _) => "too many uploads from your network".to_owned(),
        (Exceeded::Total, _) => "too many uploads at this moment".to_owned(),
    };
    let detail = format!("{whose}; nothing was changed, try again in {} s", wait.as_secs() + 1);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-uploads", detail).retry_after(wait)
}

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

/// `"…"` with visible characters and no quote inside (RFC 9110 §8.8.3).
fn is_strong_etag(tag: &str) -> bool {
    let inner = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'"'))
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
        proof: match grant {
            Grant::Open => Proof::Open,
            Grant::Keyed(_) => Proof::Keyed,
            Grant::Pinned(_) => Proof::Pinned,
            Grant::First => Proof::First,
            Grant::Ds => Proof::Ds,
            Grant::Pending(_) => Proof::Pending,
        },
        pending_until: status.pending_until,
        enter: Vec::new(),
        key: None,
        diagnostics: status.findings,
    }
}

fn bad_zone(domain: &Domain, refused: NotAZone, body_type: BodyType) -> Problem {
    let bad = |code, detail: String| Problem::new(StatusCode::BAD_REQUEST, code, detail);
    match refused {
        // These very words, without a line end, are what callers have always compared with.
        NotAZone::NoNameServers { findings, left_out } => {
            bad("no-ns-records", "no NS records".into()).bare().with_diagnostics(findings, left_out)
        }
        NotAZone::NotUtf8(finding) => {
            let detail = format!("{domain}: the zone file is no UTF-8; nothing was changed");
            bad("not-utf-8", detail).with_diagnostics(vec![*finding], 0)
        }
        NotAZone::Findings { findings, left_out, errors, is_one_line } => {
            let errors = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
            let mut detail = format!("{domain}: {errors} in the zone file; nothing was changed");
            if is_one_line && body_type == BodyType::Form {
                detail.push_str("\nthe file has no line breaks: curl -d removes them, --data-binary @FILE keeps them");
            }
            bad("bad-zone", detail).with_diagnostics(findings, left_out)
        }
        NotAZone::NameServersMissing { missing, present } => {
            let list = |names: &[String]| names.join(", ");
            let detail = format!(
                "the NS records of {domain} lack {}; nothing was changed\nthey name {}; add our name servers, as in\n\n\
                 @ IN NS {}",
                list(&missing),
                list(&present),
                missing.first().map_or("", String::as_str)
            );
            bad("name-servers-missing", detail)
        }
    }
}

fn unknown(domain: &Domain, reason: &str) -> Problem {
    let detail = format!("could not find out where {domain} is delegated to; nothing was changed\n{reason}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "delegation-unknown", detail).retry_after(RETRY_PARENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(more: &str) -> Gate {
        let config = format!("name_servers = [\"ns1.dns.example.net\"]\n{more}");
        Gate::new(Config::from_toml(&config).unwrap(), ZoneServer::new("/nonexistent/control.sock"), None)
    }

    #[tokio::test]
    async fn a_text_that_waits_too_long_for_its_turn_is_sent_back() {
        let gate = gate("[limits]\nparses_max = 1\n[timeouts]\nqueue_ms = 1\n");
        let domain = Domain::parse("example.com").unwrap();
        let turn = gate.parses.acquire().await.unwrap();
        let refused = gate.check_text(&domain, Bytes::new(), BodyType::Plain).await.unwrap_err();
        assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "busy"));
        drop(turn);
        let refused = gate.check_text(&domain, Bytes::new(), BodyType::Plain).await.unwrap_err();
        assert_eq!(refused.code(), "no-ns-records");
    }

    #[tokio::test]
    async fn who_only_asks_takes_a_part_of_the_walks_and_no_more() {
        let gate = gate("[limits]\nparent_checks_max = 5\n");
        let domain = Domain::parse("example.com").unwrap();
        let turns = gate.asks.try_acquire_many(2).expect("a quarter of five, rounded up");
        let refused = gate.standing(&domain, None).await.unwrap_err();
        assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "busy"));
        drop(turns);
        assert_eq!(gate.asks.available_permits(), 2);
    }

    #[tokio::test]
    async fn uploads_of_one_network_take_a_part_of_the_walks_and_no_more() {
        // Nobody answers at the root of this tree, and no walk is begun.
        let gate = gate(
            "[parent]\nroot_hints = [\"127.0.0.1\"]\ndns_port = 1\n[limits]\nparent_checks_max = 4\n[timeouts]\nqueue_ms = 1\n",
        );
        let domain = Domain::parse("example.com").unwrap();
        let client: IpAddr = "2001:db8:5::1".parse().unwrap();
        let place = gate.walks.take("2001:db8:5:ff00::1".parse().unwrap(), Duration::from_secs(60)).await.unwrap();
        let check = || gate.check_delegation(&domain, client, &Early::No(None), Wanted::NameServers);
        let Err(refused) = check().await else { panic!("accepted") };
        assert_eq!((refused.status(), refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "busy"));
        drop(place);
        let Err(refused) = check().await else { panic!("accepted") };
        assert_eq!(refused.code(), "delegation-unknown");
    }

    #[test]
    fn the_operators_own_zone_comes_in_over_http_in_open_mode_only() {
        let domain = Domain::parse("dns.example.net").unwrap();
        assert_eq!(gate("").check_domain(&domain).unwrap_err().code(), "operators-domain");
        assert!(gate("ownership = \"open\"\n").check_domain(&domain).is_ok());
    }
}
