use std::collections::BTreeMap;
use std::path::Path;

use nss_authority::HashSeed;
use proptest::prelude::*;

use super::batch::Batch;
use super::*;
use crate::control::{Check, CheckAction, CheckVerdict, Pending, PendingClaim};

/// What may happen to one of a few zones.
#[derive(Clone, Copy, Debug)]
enum Event {
    Upload(u32),
    /// By the key with this number.
    Claim(u8, u32),
    Delete,
    FileAppears(u32),
    FileBreaks,
    FileGoes,
    /// To all zones at once.
    Restart,
}

/// What the rules make of a zone: a file goes before an upload, a broken file changes nothing but refuses uploads.
#[derive(Clone, Copy, Debug, Default)]
struct Model {
    has_file: bool,
    is_file_broken: bool,
    upload: Option<u32>,
    served: Option<(Origin, u32)>,
    claim: Option<Claimed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claimed {
    By(u8),
    Contested,
}

impl Model {
    fn apply(&mut self, event: Event) -> Result<(), ProblemCode> {
        match event {
            Event::Upload(_) | Event::Claim(..) | Event::Delete if self.has_file => {
                return Err(ProblemCode::Conflict);
            }
            Event::Upload(serial) => {
                self.upload = Some(serial);
                self.served = Some((Origin::Upload, serial));
                self.claim = None;
            }
            Event::Claim(key, serial) => match self.claim {
                None if self.upload.is_some() => return Err(ProblemCode::Occupied),
                None => {
                    (self.upload, self.claim) = (Some(serial), Some(Claimed::By(key)));
                    self.served = Some((Origin::Upload, serial));
                }
                Some(Claimed::By(standing)) if standing == key => {
                    self.upload = Some(serial);
                    self.served = Some((Origin::Upload, serial));
                }
                Some(Claimed::By(_) | Claimed::Contested) => {
                    (self.upload, self.served, self.claim) = (None, None, Some(Claimed::Contested));
                    return Err(ProblemCode::Contested);
                }
            },
            Event::Delete if self.upload.is_none() => return Err(ProblemCode::NotFound),
            Event::Delete => *self = Model::default(),
            Event::FileAppears(serial) => {
                if self.claim.take().is_some() {
                    self.upload = None;
                }
                (self.has_file, self.is_file_broken) = (true, false);
                self.served = Some((Origin::File, serial));
            }
            Event::FileBreaks => (self.has_file, self.is_file_broken) = (true, true),
            Event::FileGoes if !self.has_file => {}
            Event::FileGoes | Event::Restart => {
                (self.has_file, self.is_file_broken) = (false, false);
                self.served = self.upload.map(|serial| (Origin::Upload, serial));
            }
        }
        Ok(())
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..9_u32).prop_map(Event::Upload),
        3 => (0..2_u8, 20..29_u32).prop_map(|(key, serial)| Event::Claim(key, serial)),
        2 => Just(Event::Delete),
        2 => (10..19_u32).prop_map(Event::FileAppears),
        1 => Just(Event::FileBreaks),
        2 => Just(Event::FileGoes),
        1 => Just(Event::Restart),
    ]
}

fn text(serial: u32) -> String {
    format!("$TTL 60\n@ SOA ns hostmaster {serial} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
}

struct Running {
    catalog: Arc<Catalog>,
    zones: Arc<Zones>,
    publisher: JoinHandle<()>,
}

/// The claim of the key with this number.
fn claim(key: u8) -> PendingClaim {
    let pending = Pending {
        pin: Pin::from([key; 32]),
        label: String::new(),
        network: String::new(),
        site: None,
        since: 1,
        until: 2,
        check_at: 1,
        is_contested: false,
    };
    PendingClaim { pending, zones_max: 9, zones_per_network_max: 9, zones_per_site_max: None }
}

/// More than any of these zones takes.
const ROOM: Room = Room { zones_max: 10, size_max: 1 << 20 };

fn start(directory: &Path) -> Running {
    let catalog = Arc::new(Catalog::new(HashSeed::new(7)));
    let (zones, publisher) = Zones::start(catalog.clone(), Store::open(directory).unwrap(), ROOM).unwrap();
    Running { catalog, zones, publisher }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_zone_is_what_the_rules_say(
        events in proptest::collection::vec((0..3_u8, event()), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut running = start(directory.path());
        let mut models = BTreeMap::<u8, Model>::new();
        for (number, event) in events {
            let apex: NameBuf = format!("z{number}.example").parse().unwrap();
            let zones = &running.zones;
            let file = ZoneFile::new(FilePath::at("file".into()), None, Vec::new());
            let key: Box<str> = key(apex.as_name()).into();
            let result = match event {
                Event::Upload(serial) => {
                    let put = zones.put(
                        apex.clone(),
                        text(serial).into(),
                        PutOptions::default(),
                    );
                    runtime.block_on(put).map(drop)
                }
                Event::Claim(key, serial) => {
                    let options = PutOptions { pending: Some(claim(key)), ..PutOptions::default() };
                    runtime.block_on(zones.put(apex.clone(), text(serial).into(), options)).map(drop)
                }
                Event::Delete => {
                    let delete = zones.delete(apex.clone(), Precondition::None, PinChange::default(), None);
                    runtime.block_on(delete).map(drop)
                },
                Event::FileAppears(serial) => {
                    let accepted = zones.check(&apex, text(serial).as_bytes(), None, None).unwrap();
                    zones.put_file(key, file, accepted).wait().map(drop)
                }
                Event::FileBreaks => {
                    let mut file = file;
                    file.set_broken("it is broken");
                    zones.put_broken_file(key, file).map(drop)
                }
                Event::FileGoes => zones.withdraw_file(apex.clone()),
                Event::Restart => {
                    let Running { zones, publisher, .. } = running;
                    drop(zones);
                    publisher.join().unwrap();
                    running = start(directory.path());
                    models.values_mut().for_each(|model| model.apply(Event::Restart).unwrap());
                    Ok(())
                }
            };
            let expected = match event {
                Event::Restart => Ok(()),
                _ => models.entry(number).or_default().apply(event),
            };
            prop_assert_eq!(result.map_err(|problem| problem.code), expected, "{:?}", event);

            let (mut served, mut uploaded, mut stored, mut broken, mut rightful) = (0, 0, 0, 0, 0);
            for (number, model) in &models {
                let apex: NameBuf = format!("z{number}.example").parse().unwrap();
                let serial = model.served.map(|(_, serial)| serial);
                let status = running.zones.status(apex.as_name()).ok();
                prop_assert_eq!(status.as_ref().map(|status| status.serial), serial);
                prop_assert_eq!(status.is_some_and(|status| status.stale.is_some()), serial.is_some() && model.is_file_broken);
                prop_assert_eq!(running.catalog.get(apex.as_name()).map(|zone| zone.serial()), serial);
                served += u64::from(serial.is_some());
                uploaded += u64::from(matches!(model.served, Some((Origin::Upload, _))));
                stored += u64::from(model.upload.is_some());
                broken += usize::from(model.is_file_broken);
                rightful += u32::from(model.has_file || (model.upload.is_some() && model.claim.is_none()));
                prop_assert_eq!(running.zones.claim(apex.as_name()).unwrap().pending.is_some(), model.claim.is_some());
            }
            let totals = running.zones.totals();
            prop_assert_eq!((totals.zones, totals.zones_uploaded), (served, uploaded));
            prop_assert_eq!(totals.uploads.zones, stored);
            prop_assert_eq!(totals.uploads.size > 0, stored > 0);
            prop_assert_eq!(running.zones.list(None, 10).zones.len() as u64, served);
            prop_assert_eq!(running.zones.broken(10).len(), broken);
            let counted = running.zones.index().rightful_below.get("example.").copied().unwrap_or_default();
            prop_assert_eq!(counted, rightful);
        }
    }
}

#[test]
fn an_upload_whose_signatures_have_expired_since_is_served_after_a_restart() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let Running { zones, publisher, .. } = start(directory.path());
    let apex: NameBuf = "example.com".parse().unwrap();
    let expired = include_str!("../../tests/signatures/nsec.zone").replace("20560101000000", "20260102000000");
    let text = Bytes::from(expired.into_bytes());
    let put = zones.put(apex.clone(), text.clone(), PutOptions::default());
    assert_eq!(runtime.block_on(put).unwrap_err().code, ProblemCode::InvalidZone);
    // As if it had been uploaded in time.
    let accepted = Box::new(zones.check(&apex, &text, None, None).unwrap());
    let options = Box::new(PutOptions::default());
    let job = |reply| Job::Put(Put { apex: apex.clone(), text, accepted, options, reply });
    runtime.block_on(zones.submit(job)).unwrap();
    drop(zones);
    publisher.join().unwrap();
    let running = start(directory.path());
    assert_eq!(running.zones.status(apex.as_name()).unwrap().serial, 1);
    assert!(running.zones.broken(1).is_empty());
}

/// A publisher with these jobs, which does them when it is told to.
fn publisher(zones: &Arc<Zones>, waiting: impl IntoIterator<Item = Job>) -> Publisher {
    let (_, jobs) = mpsc::channel(1);
    Publisher { zones: Arc::downgrade(zones), jobs, waiting: waiting.into_iter().collect() }
}

/// An upload in the queue, and where its answer comes.
fn put_job(zones: &Zones, apex: &str, text: String, options: PutOptions) -> (Job, Ticket<ZoneStatus>) {
    let apex: NameBuf = apex.parse().unwrap();
    let accepted = Box::new(zones.check(&apex, text.as_bytes(), None, None).unwrap());
    let (reply, answer) = oneshot::channel();
    let put = Put { apex, text: text.into(), accepted, options: Box::new(options), reply };
    (Job::Put(put), Ticket { answer })
}

#[test]
fn of_uploads_in_one_commit_none_ends_the_claim_that_another_has_just_made_a_zone() {
    let directory = tempfile::tempdir().unwrap();
    let Running { catalog, zones, .. } = start(directory.path());
    let apex: NameBuf = "example.com".parse().unwrap();
    let claimed = PutOptions { pending: Some(claim(1)), ..PutOptions::default() };
    let (job, answer) = put_job(&zones, "example.com", text(1), claimed);
    publisher(&zones, [job]).work(&zones);
    answer.wait().unwrap();
    let (above, above_answer) = put_job(&zones, "example.com", text(2), PutOptions::default());
    let (below, below_answer) = put_job(&zones, "sub.example.com", text(3), PutOptions::default());
    let mut publisher = publisher(&zones, [above, below]);
    while !publisher.waiting.is_empty() {
        publisher.work(&zones);
    }
    assert_eq!((above_answer.wait().unwrap().serial, below_answer.wait().unwrap().serial), (2, 3));
    assert_eq!(catalog.get(apex.as_name()).map(|zone| zone.serial()), Some(2));
    assert_eq!(zones.store.text(apex.as_name()).unwrap().unwrap().0, text(2));
}

#[test]
fn a_label_at_the_parent_renews_its_pin_even_with_the_text_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let Running { zones, .. } = start(directory.path());
    let with_pin = |expected, set| PutOptions { pin: PinChange { expected, set }, ..PutOptions::default() };
    let pin = Pin::from([1; 32]);
    let commits = |options| {
        let (job, answer) = put_job(&zones, "example.com", text(1), options);
        let Job::Put(put) = job else { unreachable!() };
        let mut batch = Batch::new(&zones);
        assert!(batch.put(put).is_none());
        let commits = !batch.is_empty();
        batch.commit();
        (answer.wait().unwrap().change, commits)
    };
    assert_eq!(commits(with_pin(Some(None), Some(pin))), (Change::Created, true));
    // A label sets its pin whatever there is; who has the pinned key sets none.
    assert_eq!(commits(with_pin(None, Some(pin))), (Change::Unchanged, true));
    assert_eq!(commits(with_pin(Some(Some(pin)), None)), (Change::Unchanged, false));
}

/// A check that parks the version of a zone.
fn park(etag: Option<String>) -> CheckReport {
    let check = Check {
        checked_at: 1,
        verdict: CheckVerdict::NotDelegated,
        adrift_since: Some(1),
        parked_since: Some(1),
        next_check_at: 2,
        evidence: Vec::new(),
    };
    CheckReport { etag, follows: None, check, action: CheckAction::Park }
}

#[test]
fn a_zone_whose_claim_or_check_makes_no_sense_is_not_served_until_it_is_uploaded_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let apex: NameBuf = "example.com".parse().unwrap();
    let proved = PutOptions::default();
    let claimed = |key| PutOptions { pending: Some(claim(key)), ..PutOptions::default() };
    for (table, options) in [("pending", claimed(1)), ("checks", proved.clone())] {
        let directory = tempfile::tempdir().unwrap();
        let Running { zones, publisher, .. } = start(directory.path());
        let status = runtime.block_on(zones.put(apex.clone(), text(1).into(), options)).unwrap();
        let park = park(status.etag);
        runtime.block_on(zones.report_check(apex.clone(), park)).unwrap();
        zones.store.scribble(table, apex.as_name());
        drop(zones);
        publisher.join().unwrap();
        let Running { catalog, zones, .. } = start(directory.path());
        assert!(catalog.get(apex.as_name()).is_none(), "{table}");
        assert!(zones.broken(10)[0].reason.contains("makes no sense"), "{:?}", zones.broken(10));
        let refused = runtime.block_on(zones.put(apex.clone(), text(2).into(), claimed(2))).unwrap_err();
        assert_eq!(refused.code, ProblemCode::Occupied);
        runtime.block_on(zones.put(apex.clone(), text(1).into(), proved.clone())).unwrap();
        assert!(catalog.get(apex.as_name()).is_some() && zones.broken(10).is_empty());
    }
}

#[test]
fn what_nobody_took_changed_nothing_and_what_somebody_took_is_uncertain() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let Running { zones, .. } = start(directory.path());
    let (queue, mut jobs) = mpsc::channel(1);
    let zones = Zones { queue, ..Arc::into_inner(zones).unwrap() };
    let apex: NameBuf = "example.com".parse().unwrap();
    let delete = || zones.delete(apex.clone(), Precondition::None, PinChange::default(), None);
    let taken = async { tokio::join!(delete(), async { drop(jobs.recv().await) }).0 };
    assert_eq!(runtime.block_on(taken).unwrap_err().code, ProblemCode::Uncertain);
    drop(jobs);
    assert_eq!(runtime.block_on(delete()).unwrap_err().code, ProblemCode::Busy);
}

const A1: &str = include_str!("../../tests/signatures/owner/a1.zone");
const A2: &str = include_str!("../../tests/signatures/owner/a2.zone");
const A3: &str = include_str!("../../tests/signatures/owner/a3.zone");
const B4: &str = include_str!("../../tests/signatures/owner/b4.zone");

/// The DS record of the key that signs the first three.
const DS_A: &str = "2b680d0286c3e680b487614adcd71b6ceac812acf22035909e3edd60b29bf6ec65e083c5";

#[test]
fn where_nobody_wrote_down_who_signed_a_zone_its_own_serial_counts() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let apex: NameBuf = "example.com".parse().unwrap();
    let (proof, key) = (PutOptions { ds: Some(DS_A.parse().unwrap()), ..PutOptions::default() }, PutOptions::default());
    // As a store is from before signers were: signatures are not looked at, and so nobody is known.
    let start_with = |text: &str| {
        let directory = tempfile::tempdir().unwrap();
        let Running { zones, .. } = start(directory.path());
        let (job, answer) = put_job(&zones, "example.com", text.to_owned(), PutOptions::default());
        publisher(&zones, [job]).work(&zones);
        answer.wait().unwrap();
        assert!(zones.store.signers(apex.as_name()).unwrap().is_empty());
        (zones, directory)
    };
    let put = |zones: &Arc<Zones>, text: &'static str, options: &PutOptions| {
        let put = zones.put(apex.clone(), text.into(), options.clone());
        runtime.block_on(put).map(|status| status.serial).map_err(|problem| problem.code)
    };
    let (zones, _directory) = start_with(A2);
    assert_eq!(put(&zones, A1, &proof), Err(ProblemCode::SerialNotNewer));
    // The same text again has its signers written down, so that it is old when the owner has gone on.
    assert_eq!(put(&zones, A2, &key), Ok(2));
    assert!(!zones.store.signers(apex.as_name()).unwrap().is_empty());
    let (job, answer) = put_job(&zones, "example.com", text(9), PutOptions::default());
    publisher(&zones, [job]).work(&zones);
    answer.wait().unwrap();
    assert_eq!(put(&zones, A2, &proof), Err(ProblemCode::SerialNotNewer));
    assert_eq!(put(&zones, A3, &proof), Ok(3));
    // Parked it is as old.
    let (zones, _directory) = start_with(A2);
    let etag = zones.status(apex.as_name()).unwrap().etag;
    runtime.block_on(zones.report_check(apex.clone(), park(etag))).unwrap();
    assert_eq!(put(&zones, A2, &proof), Err(ProblemCode::SerialNotNewer));
    assert_eq!(put(&zones, A3, &proof), Ok(3));
    // What others signed, or nobody, has no serial that counts.
    for other in [B4, &text(9)] {
        let (zones, _directory) = start_with(other);
        assert_eq!(put(&zones, A2, &proof), Ok(2));
    }
}
