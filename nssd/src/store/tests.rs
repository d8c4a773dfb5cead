use std::fs;

use super::open::{FILE_NAME, FORMAT, FORMAT_FIRST, FORMAT_VERSION};
use super::*;

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

fn put(apex: &str, text: &'static str, generation: u64) -> Write {
    Write::Put {
        apex: name(apex),
        text: Bytes::from_static(text.as_bytes()),
        version: Version { generation, uploaded_at: 1 },
        pin: None,
        pending: None,
        signers: Signers::default(),
    }
}

impl Store {
    /// Writes what makes no sense in the place of what is kept of a zone in one of the tables.
    pub(crate) fn scribble(&self, table: &str, apex: Name<'_>) {
        let slot = self.database.read().unwrap();
        let transaction = slot.as_ref().unwrap().begin_write().unwrap();
        let key = apex.to_lowercase();
        let table = TableDefinition::<&[u8], &[u8]>::new(table);
        let before =
            transaction.open_table(table).unwrap().insert(key.as_name().as_wire(), &b"{}"[..]).unwrap().is_some();
        assert!(before, "there is something to be overwritten");
        transaction.commit().unwrap();
    }
}

fn claim(pin: Pin) -> Pending {
    let (label, network) = ("k-a".into(), "n".into());
    Pending { pin, label, network, site: None, since: 1, until: 2, check_at: 1, is_contested: false }
}

#[test]
fn what_was_committed_is_there_after_the_store_was_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.generation().unwrap(), 0);
    store.commit(&[put("Example.com", "; one\n", 1), put("example.org", "; two\n", 2)]).unwrap();
    store
        .commit(&[
            put("example.com", "; three\n", 3),
            Write::Delete { apex: name("EXAMPLE.org"), generation: 4, pin: None },
        ])
        .unwrap();
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    let (text, version) = store.text(name("EXAMPLE.COM").as_name()).unwrap().unwrap();
    assert_eq!((&text[..], version.generation), (&b"; three\n"[..], 3));
    assert_eq!(store.text(name("example.org").as_name()).unwrap(), None);
    assert_eq!(store.generation().unwrap(), 4);
}

#[test]
fn a_pin_is_written_with_its_zone_and_outlives_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let apex = name("Example.com");
    let [a, b, c] = [1, 2, 3].map(|octet| Pin::from([octet; 32]));
    let with_pin = |generation, pin| match put("example.com", "; text\n", generation) {
        Write::Put { apex, text, version, pending, signers, .. } => {
            Write::Put { apex, text, version, pin, pending, signers }
        }
        other => other,
    };
    assert_eq!(store.pin(apex.as_name()).unwrap(), None);
    store.commit(&[with_pin(1, Some(a))]).unwrap();
    store.commit(&[with_pin(2, None)]).unwrap();
    assert_eq!(store.pin(apex.as_name()).unwrap(), Some(a));
    store.commit(&[Write::SetPin { apex: apex.clone(), pin: b }]).unwrap();
    assert_eq!((store.pin(apex.as_name()).unwrap(), store.generation().unwrap()), (Some(b), 2));
    store.commit(&[Write::Delete { apex: apex.clone(), generation: 3, pin: None }]).unwrap();
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.text(apex.as_name()).unwrap(), None);
    assert_eq!(store.pin(apex.as_name()).unwrap(), Some(b));
    assert_eq!(store.pins_alone().unwrap(), std::slice::from_ref(&apex));
    store.commit(&[with_pin(4, Some(c))]).unwrap();
    assert_eq!(store.pin(apex.as_name()).unwrap(), Some(c));
    assert!(store.pins_alone().unwrap().is_empty());
    assert_eq!(store.pin(name("example.org").as_name()).unwrap(), None);
}

#[test]
fn a_pin_has_the_time_at_which_it_was_set_last() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let apex = name("Example.com");
    let pin = |octet| Write::SetPin { apex: apex.clone(), pin: Pin::from([octet; 32]) };
    let set_time = |time: u64| {
        let slot = store.database.read().unwrap();
        let transaction = slot.as_ref().unwrap().begin_write().unwrap();
        let key = apex.as_name().to_lowercase();
        transaction.open_table(PIN_TIMES).unwrap().insert(key.as_name().as_wire(), time).unwrap();
        transaction.commit().unwrap();
    };
    assert_eq!(store.pinned_at(apex.as_name()).unwrap(), None);
    store.commit(&[pin(1)]).unwrap();
    assert!(store.pinned_at(apex.as_name()).unwrap().is_some_and(|time| time > 7));
    for (key, write) in [("the same key", pin(1)), ("another key", pin(2))] {
        set_time(7);
        store.commit(&[put("example.com", "; text\n", 1)]).unwrap();
        assert_eq!(store.pinned_at(apex.as_name()).unwrap(), Some(7), "nobody set it");
        store.commit(&[write]).unwrap();
        assert!(store.pinned_at(apex.as_name()).unwrap().is_some_and(|time| time > 7), "{key}");
    }
    store.commit(&[Write::Purge { apex: apex.clone(), generation: 1 }]).unwrap();
    assert_eq!(store.pinned_at(apex.as_name()).unwrap(), None);
}

#[test]
fn a_claim_is_written_with_its_zone_and_ends_with_any_change_that_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let apex = name("Example.com");
    let pin = Pin::from([1; 32]);
    let pending = claim(pin);
    let claimed = |generation| match put("example.com", "; text\n", generation) {
        Write::Put { apex, text, version, pin, signers, .. } => {
            Write::Put { apex, text, version, pin, pending: Some(pending.clone()), signers }
        }
        other => other,
    };
    let check = Check {
        checked_at: 1,
        verdict: crate::control::CheckVerdict::Delegated,
        adrift_since: None,
        parked_since: None,
        next_check_at: 2,
        evidence: Vec::new(),
    };
    let store = Store::open(directory.path()).unwrap();
    for end in [
        put("example.com", "; text\n", 2),
        Write::Delete { apex: apex.clone(), generation: 2, pin: None },
        Write::Purge { apex: apex.clone(), generation: 2 },
        Write::Activate { apex: apex.clone(), pin, check },
    ] {
        store.commit(&[claimed(1)]).unwrap();
        assert_eq!(store.pending().unwrap(), [(name("example.com"), Some(pending.clone()))]);
        store.commit(&[end]).unwrap();
        assert!(store.pending().unwrap().is_empty());
    }
    assert_eq!(store.pin(apex.as_name()).unwrap(), Some(pin), "it was activated last");
    let contested = Pending { is_contested: true, ..pending.clone() };
    store
        .commit(&[claimed(3), Write::Contest { apex: apex.clone(), pending: contested.clone(), generation: 4 }])
        .unwrap();
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.pending().unwrap(), [(name("example.com"), Some(contested))]);
    assert_eq!((store.text(apex.as_name()).unwrap(), store.generation().unwrap()), (None, 4));
}

#[test]
fn who_signed_a_zone_is_remembered_with_the_newest_serial_as_long_as_its_pin() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let apex = name("Example.com");
    let signed = |serial: u32, keys: &[u8], pin: Option<Pin>| match put("example.com", "; text\n", 1) {
        Write::Put { apex, text, version, pending, .. } => {
            let keys = keys.iter().map(|&key| Box::from([key; 68])).collect();
            Write::Put { apex, text, version, pin, pending, signers: Signers { keys, serial } }
        }
        other => other,
    };
    let serials = || {
        let signers = store.signers(apex.as_name()).unwrap();
        signers.into_iter().map(|(key, serial)| (key[0], serial)).collect::<Vec<_>>()
    };
    assert_eq!(serials(), []);
    store.commit(&[signed(u32::MAX, &[1], None), signed(7, &[], None)]).unwrap();
    assert_eq!(serials(), [(1, u32::MAX)], "who did not sign is not written down");
    store.commit(&[signed(5, &[2, 1], None)]).unwrap();
    store.commit(&[signed(u32::MAX - 1, &[1], None)]).unwrap();
    assert_eq!(serials(), [(1, 5), (2, 5)], "5 comes after 2^32 - 1, and what is older changes nothing");
    store.commit(&[Write::Delete { apex: apex.clone(), generation: 2, pin: None }]).unwrap();
    assert_eq!(serials(), []);
    store.commit(&[signed(9, &[1], Some(Pin::from([1; 32])))]).unwrap();
    store.commit(&[Write::Delete { apex: apex.clone(), generation: 3, pin: None }]).unwrap();
    assert_eq!(serials(), [(1, 9)]);
    for key in 2..=40 {
        store.commit(&[signed(9, &[key], None)]).unwrap();
    }
    assert_eq!((serials().len(), serials()[0]), (16, (40, 9)));
    store.commit(&[Write::Purge { apex: apex.clone(), generation: 4 }]).unwrap();
    assert_eq!(serials(), []);
}

#[test]
fn who_signed_a_claim_is_remembered_once_it_is_a_zone() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let apex = name("Example.com");
    let pin = Pin::from([1; 32]);
    let pending = claim(pin);
    let signed = |key: Option<u8>, serial, pin, pending| {
        let signers = Signers { keys: key.iter().map(|&key| Box::from([key; 68])).collect(), serial };
        let version = Version { generation: 1, uploaded_at: 1 };
        Write::Put { apex: apex.clone(), text: Bytes::from_static(b"; text\n"), version, pin, pending, signers }
    };
    let check = Check {
        checked_at: 1,
        verdict: crate::control::CheckVerdict::Delegated,
        adrift_since: None,
        parked_since: None,
        next_check_at: 2,
        evidence: Vec::new(),
    };
    let activate = Write::Activate { apex: apex.clone(), pin, check };
    let contest = Write::Contest { apex: apex.clone(), pending: pending.clone(), generation: 2 };
    let delete = Write::Delete { apex: apex.clone(), generation: 2, pin: None };
    for (end, remembered) in [
        (&[activate][..], &[(1, 7)][..]),
        (&[signed(None, 9, Some(pin), None)], &[(1, 7)]),
        (&[signed(Some(2), 9, Some(pin), None)], &[(2, 9), (1, 7)]),
        (&[signed(Some(1), 6, Some(pin), None)], &[(1, 7)]),
        (&[signed(Some(1), 6, Some(Pin::NOBODY), None)], &[(1, 6)]),
        (&[signed(None, 9, None, None)], &[]),
        (&[contest, signed(None, 9, Some(pin), None)], &[]),
        (&[delete, signed(None, 9, Some(pin), None)], &[]),
    ] {
        store.commit(&[signed(Some(1), 7, None, Some(pending.clone()))]).unwrap();
        assert_eq!(store.signers(apex.as_name()).unwrap(), [], "a claim");
        store.commit(end).unwrap();
        let signers = store.signers(apex.as_name()).unwrap();
        let signers: Vec<_> = signers.into_iter().map(|(key, serial)| (key[0], serial)).collect();
        assert_eq!(signers, remembered, "{end:?}");
        store.commit(&[Write::Purge { apex: apex.clone(), generation: 3 }]).unwrap();
    }
}

#[test]
fn a_store_from_before_there_were_pins_keeps_its_zones() {
    let directory = tempfile::tempdir().unwrap();
    let apex = name("example.com");
    {
        let database = Database::create(directory.path().join(FILE_NAME)).unwrap();
        let transaction = database.begin_write().unwrap();
        let key = apex.as_name().as_wire();
        transaction.open_table(TEXTS).unwrap().insert(key, &b"; text\n"[..]).unwrap();
        transaction.open_table(VERSIONS).unwrap().insert(key, (7, 1)).unwrap();
        let mut state = transaction.open_table(STATE).unwrap();
        state.insert(GENERATION, 7).unwrap();
        state.insert(FORMAT, FORMAT_FIRST).unwrap();
        drop(state);
        transaction.commit().unwrap();
    }
    let store = Store::open(directory.path()).unwrap();
    assert_eq!((store.generation().unwrap(), store.pin(apex.as_name()).unwrap()), (7, None));
    assert_eq!(&store.text(apex.as_name()).unwrap().unwrap().0[..], b"; text\n");
    store.commit(&[Write::SetPin { apex: apex.clone(), pin: Pin::from([1; 32]) }]).unwrap();
    assert!(store.pin(apex.as_name()).unwrap().is_some() && store.check(apex.as_name()).unwrap().is_none());
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    {
        let database = Database::create(directory.path().join(FILE_NAME)).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(STATE).unwrap().insert(FORMAT, FORMAT_VERSION + 1).unwrap();
        transaction.commit().unwrap();
    }
    let error = Store::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("has format 8, this version of nssd reads format 7"), "{error}");
}

#[test]
fn pages_go_through_all_zones_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let writes: Vec<_> = (0..25).map(|i| put(&format!("z{i}.example"), "", i)).collect();
    store.commit(&writes).unwrap();
    let (mut seen, mut after) = (Vec::new(), None::<NameBuf>);
    loop {
        let page = store.page(after.as_ref().map(NameBuf::as_name), 10, usize::MAX).unwrap();
        let Some((last, ..)) = page.last() else { break };
        after = Some(last.clone());
        seen.extend(page.into_iter().map(|(apex, ..)| apex));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 25);
}

#[test]
fn a_page_ends_with_the_text_that_fills_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    const MIB: usize = 1 << 20;
    let text = Bytes::from(vec![b'\n'; MIB]);
    for i in 0..10 {
        let version = Version { generation: i, uploaded_at: 1 };
        let (apex, text, signers) = (name(&format!("z{i}.example")), text.clone(), Signers::default());
        store.commit(&[Write::Put { apex, text, version, pin: None, pending: None, signers }]).unwrap();
    }
    for (octets, zones) in [(3 * MIB, 3), (3 * MIB + 1, 4), (0, 1), (usize::MAX, 10)] {
        assert_eq!(store.page(None, 100, octets).unwrap().len(), zones, "{octets}");
    }
}

#[test]
fn a_store_is_open_only_once() {
    let directory = tempfile::tempdir().unwrap();
    let _first = Store::open(directory.path()).unwrap();
    let error = Store::open(directory.path()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::InUse);
    assert!(error.to_string().contains("is nssd running already?"), "{error}");
}

#[test]
fn a_store_that_is_let_go_in_time_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let first = Store::open(directory.path()).unwrap();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| Store::open(directory.path()));
        drop(first);
        second.join().unwrap().unwrap();
    });
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    fs::write(&path, "example.com. IN SOA\n").unwrap();
    let error = Store::open(directory.path()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Damaged, "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"example.com. IN SOA\n");
}

#[test]
fn a_damaged_store_is_refused_and_not_replaced_by_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.commit(&[put("example.com", "; text\n", 1)]).unwrap();
    drop(store);
    let path = directory.path().join(FILE_NAME);
    let mut octets = fs::read(&path).unwrap();
    // Both commit slots of the header, behind the magic number.
    for octet in &mut octets[32..512] {
        *octet = !*octet;
    }
    fs::write(&path, &octets).unwrap();
    let error = Store::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("zones.redb"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), octets);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 32, ..Default::default() })]

    #[test]
    fn the_store_is_a_map_that_survives_being_closed(
        commits in proptest::collection::vec(
            proptest::collection::vec((0..6_u8, proptest::option::of(0..40_000_usize)), 1..5),
            1..8,
        ),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut model = std::collections::BTreeMap::new();
        let mut generation = 0;
        for commit in commits {
            let store = Store::open(directory.path()).unwrap();
            let writes: Vec<_> = commit
                .into_iter()
                .map(|(zone, size)| {
                    generation += 1;
                    let apex = name(&format!("z{zone}.example"));
                    match size {
                        Some(size) => {
                            let text = Bytes::from(vec![zone; size]);
                            let version = Version { generation, uploaded_at: 7 };
                            model.insert(apex.clone(), (text.clone(), version));
                            Write::Put {
                                apex,
                                text,
                                version,
                                pin: None,
                                pending: None,
                                signers: Signers::default(),
                            }
                        }
                        None => {
                            model.remove(&apex);
                            Write::Delete { apex, generation, pin: None }
                        }
                    }
                })
                .collect();
            store.commit(&writes).unwrap();
            drop(store);
            let store = Store::open(directory.path()).unwrap();
            let mut stored = store.page(None, 100, usize::MAX).unwrap();
            stored.sort_by(|a, b| a.0.cmp(&b.0));
            let entry = |(apex, (text, version)): (&NameBuf, &(Bytes, Version))| (apex.clone(), text.clone(), *version);
            let wanted: Vec<_> = model.iter().map(entry).collect();
            proptest::prop_assert_eq!(stored, wanted);
            proptest::prop_assert_eq!(store.generation().unwrap(), generation);
        }
    }
}
