//! The durable steps, with the machine faked: what a Grant, a welcome and a refusal leave.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use super::super::config::ClientConfig;
use super::super::error::{ClientError, Told};
use super::super::fakes::MemoryStore;
use super::{Ledger, Pairing};
use crate::handshake::{Channel, GrantReceived, MacKey, ScanDraft, ScanOpened};
use crate::identity::{DeviceId, MachineId, Pin, PublicKey};
use crate::role::Role;
use crate::secrets::{KeyKind, OfferSecret, RecognitionKey, Secret, SecretBytes, SecretStore, SecretStoreError};
use crate::store::device::machines::{MachineRow, MachineState as RowState};
use crate::token::{SessionToken, TokenHash};
use crate::wire::{Acknowledged, Grant, VERSION, Welcome};

/// A store that fails when told to, as a keyring that was locked meanwhile.
#[derive(Default)]
struct Locking {
    inner: MemoryStore,
    locked: AtomicBool,
}

impl Locking {
    fn open(&self) -> Result<(), SecretStoreError> {
        if self.locked.load(Ordering::SeqCst) { Err(SecretStoreError("locked".into())) } else { Ok(()) }
    }

    fn names(&self) -> Vec<String> {
        self.inner.0.lock().unwrap().keys().cloned().collect()
    }
}

impl SecretStore for Locking {
    fn kind(&self) -> KeyKind {
        KeyKind::Keyring
    }

    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretStoreError> {
        self.open()?;
        self.inner.get(name)
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), SecretStoreError> {
        self.open()?;
        self.inner.put(name, secret)
    }

    fn delete(&self, name: &str) -> Result<(), SecretStoreError> {
        self.open()?;
        self.inner.delete(name)
    }
}

fn open(dir: &Path, store: Arc<dyn SecretStore>) -> Ledger {
    Ledger::open(&ClientConfig::new(dir.join("state"), store, "laptop".into(), "Linux".into())).unwrap()
}

fn pin(n: u8) -> Pin {
    Pin::from_bytes([n; 32])
}

fn r(n: u8) -> RecognitionKey {
    RecognitionKey::from_bytes([n; 32])
}

fn token(n: u8) -> SessionToken {
    SessionToken::from_bytes([n; 32])
}

fn pairing(n: u8) -> Pairing {
    Pairing {
        pin: pin(n),
        offer: Some(offer().offer_id()),
        machine: MachineId::from_bytes([1; 16]),
        name: "homebox".into(),
        platform: "Debian".into(),
        role: Role::Owner,
        address: "192.168.1.2".parse().unwrap(),
        addresses: vec!["192.168.1.2".parse().unwrap()],
        replaces: None,
    }
}

fn offer() -> MacKey {
    MacKey::of_offer(&OfferSecret::from_bytes([3; 16]))
}

/// A Grant as the machine's side of the handshake makes it; `row` is the R of a row it has.
fn grant(ledger: &Ledger, row: &MachineRow, pin: Pin, n: u8, own: RecognitionKey, proves: bool) -> GrantReceived {
    let channel = Channel { exporter: Secret::from_bytes([5; 32]), pin };
    let key = ledger.draft_key(&row.pin).unwrap().key;
    let details = crate::handshake::DeviceDetails {
        key,
        key_kind: KeyKind::File,
        name: "laptop".into(),
        platform: "Linux".into(),
    };
    let draft = ScanDraft::new(&channel, offer(), &details).unwrap();
    let signature = ledger.sign(row, &draft.to_sign()).unwrap();
    let (proof, wait) = draft.signed(signature);
    let proven = ScanOpened::open(&channel, proof).unwrap().verify(&offer()).unwrap();
    let grant = Grant {
        version: VERSION,
        token: token(n),
        current: None,
        device: DeviceId::of(&key),
        device_name: "laptop".into(),
        role: Role::Owner,
        machine: MachineId::from_bytes([1; 16]),
        name: "homebox".into(),
        platform: "Debian".into(),
        recognition_key: own.clone(),
        addresses: vec!["192.168.1.3".parse().unwrap()],
        next_pin: Pin::from_bytes([99; 32]),
        epoch: 0,
        counter: 1,
        idle_seconds: 10,
        expires_at: 1_000,
    };
    let (envelope, _) = proven.grant(&grant, proves.then_some(&own)).unwrap();
    wait.receive(&envelope).unwrap()
}

fn welcome(new: Option<SessionToken>) -> Welcome {
    Welcome {
        version: VERSION,
        role: Role::Operator,
        name: "homebox".into(),
        device_name: "laptop".into(),
        addresses: vec!["192.168.1.4".parse().unwrap()],
        token: new,
        next_pin: Pin::from_bytes([98; 32]),
        epoch: 0,
        counter: 2,
        idle_seconds: 10,
        expires_at: 1_000,
        approvals: Vec::new(),
        approval_key: None,
        approval_guard: None,
        unsettled: false,
        standing: None,
        rotated: None,
    }
}

fn acknowledged() -> Acknowledged {
    Acknowledged { device_name: "laptop".into(), role: Role::Owner }
}

/// An active row.
fn paired(ledger: &Ledger, n: u8) -> MachineRow {
    let pairing = pairing(n);
    let row = ledger.prepare(&pairing).unwrap().row;
    let received = grant(ledger, &row, pin(n), 1, r(7), false);
    let token = received.acknowledge().token;
    let row = ledger.granted(&row, &pairing, received).unwrap();
    ledger.activated(&row, &token, &acknowledged(), &pairing.address).unwrap()
}

fn address() -> crate::wire::Address {
    "192.168.1.2".parse().unwrap()
}

#[test]
fn a_row_goes_from_unfinished_over_granted_to_active_with_one_key_all_along() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let first = ledger.prepare(&pairing(1)).unwrap();
    assert_eq!(first.row.state, RowState::Unfinished);
    // A killed run is taken up with the same key and row.
    let again = ledger.prepare(&pairing(1)).unwrap();
    assert_eq!((again.key, again.row.row), (first.key, first.row.row));
    assert!(matches!(ledger.token_to_try(first.row.row, &[]), Err(ClientError::Unfinished { .. })));

    let received = grant(&ledger, &first.row, pin(1), 1, r(7), false);
    let digits = received.digits.to_string();
    let granted = ledger.granted(&first.row, &pairing(1), received).unwrap();
    assert_eq!(granted.state, RowState::Granted);
    assert_eq!(ledger.record(&granted).unwrap().digits, Some(digits));
    let by_offer = ledger.by_offer(offer().offer_id(), pin(1).prefix()).unwrap();
    assert_eq!(by_offer.map(|used| (used.row.row, used.take_up)), Some((granted.row, true)));

    // A welcome under the granted token acknowledges as well as the answer does.
    let (_, used) = ledger.token_to_try(granted.row, &[]).unwrap();
    ledger.welcomed(granted.row, &TokenHash::of(&used.unwrap()), &[], &welcome(None), &address()).unwrap();
    let active = ledger.row(granted.row).unwrap();
    assert_eq!((active.state, active.role), (RowState::Active, Role::Operator));
    assert!(active.paired_at.is_some());
}

#[test]
fn a_welcome_acknowledges_the_grant_of_a_row_that_was_not_active_and_no_other() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let row = ledger.prepare(&pairing(1)).unwrap().row;
    let row = ledger.granted(&row, &pairing(1), grant(&ledger, &row, pin(1), 1, r(7), false)).unwrap();
    // It was answered, and the row could not be written.
    let mut record = ledger.record(&row).unwrap();
    record.acknowledged = true;
    ledger.put_record(&row, &record).unwrap();
    let takes_up = || ledger.by_offer(offer().offer_id(), pin(1).prefix()).unwrap().unwrap().take_up;
    for _ in 0..2 {
        ledger.welcomed(row.row, &TokenHash::of(&token(1)), &[], &welcome(None), &address()).unwrap();
        assert_eq!(ledger.row(row.row).unwrap().state, RowState::Active);
        assert!(takes_up(), "the same link again");
    }
    let again = grant(&ledger, &row, pin(1), 2, r(7), false);
    ledger.granted(&row, &pairing(1), again).unwrap();
    ledger.welcomed(row.row, &TokenHash::of(&token(1)), &[], &welcome(None), &address()).unwrap();
    assert!(!takes_up(), "a session under the token before says nothing of the Grant");
}

#[test]
fn a_pairing_anew_takes_the_place_of_the_revoked_row_under_its_key_and_of_no_other() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let told = Told { by: None, at: Some(5), reason: None };
    let [old, other] = [1, 2].map(|n| {
        let row = paired(&ledger, n);
        ledger.revoked(&row, &told).unwrap();
        ledger.row(row.row).unwrap()
    });
    let new = paired(&ledger, 1);
    let rows: Vec<_> = ledger.rows().unwrap().iter().map(|row| row.row).collect();
    assert!(rows.contains(&other.row) && rows.contains(&new.row) && !rows.contains(&old.row), "{rows:?}");
    assert_eq!(new.name, old.name);
}

#[test]
fn a_grant_for_another_device_or_machine_is_refused() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let row = ledger.prepare(&pairing(1)).unwrap().row;
    let other = Pairing { machine: MachineId::from_bytes([2; 16]), ..pairing(1) };
    let received = grant(&ledger, &row, pin(1), 1, r(7), false);
    assert_eq!(ledger.granted(&row, &other, received).unwrap_err(), ClientError::Protocol);
    assert_eq!(ledger.row(row.row).unwrap().state, RowState::Unfinished);
}

#[test]
fn another_grant_of_a_claim_leaves_its_first_token_and_one_of_another_claim_does_not() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let row = ledger.prepare(&pairing(1)).unwrap().row;
    let then = |n, own| {
        let received = grant(&ledger, &row, pin(1), n, own, false);
        let granted = ledger.granted(&row, &pairing(1), received).unwrap();
        let record = ledger.record(&granted).unwrap();
        (record.tokens().to_vec(), record.recognition_key)
    };
    assert_eq!(then(1, r(7)), (vec![token(1)], r(7)));
    assert_eq!(then(2, r(7)), (vec![token(2), token(1)], r(7)));
    // The machine has withdrawn that claim, and knows nothing of its tokens.
    assert_eq!(then(3, r(8)), (vec![token(3)], r(8)));
}

#[test]
fn a_scan_while_paired_must_repeat_r() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let row = paired(&ledger, 1);
    let other = grant(&ledger, &row, pin(1), 2, r(8), false);
    let refused = ledger.granted(&row, &pairing(1), other).unwrap_err();
    assert!(matches!(refused, ClientError::KeyCopied { .. }));
    let (_, kept) = ledger.token_to_try(row.row, &[]).unwrap();
    assert_eq!(kept, Some(token(1)), "nothing of it is stored");
    // The control: the same Grant with R goes in, and the older token stays.
    let same = grant(&ledger, &row, pin(1), 2, r(7), false);
    ledger.granted(&row, &pairing(1), same).unwrap();
    assert_eq!(ledger.token_to_try(row.row, &[]).unwrap().1, Some(token(2)));
    assert_eq!(ledger.token_to_try(row.row, &[TokenHash::of(&token(2))]).unwrap().1, Some(token(1)));
}

#[test]
fn a_row_is_re_pinned_only_by_a_grant_that_proves_r() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let row = paired(&ledger, 1);
    let replace = Pairing { pin: pin(2), replaces: Some(row.row), ..pairing(1) };
    assert_eq!(ledger.prepare(&replace).unwrap().row.row, row.row);
    // It repeats R, which a thief of the token's transport could, and does not prove it over T.
    let unproven = grant(&ledger, &row, pin(2), 2, r(7), false);
    assert!(matches!(ledger.granted(&row, &replace, unproven), Err(ClientError::KeyCopied { .. })));
    assert_eq!(ledger.row(row.row).unwrap().pin, pin(1));
    let proven = grant(&ledger, &row, pin(2), 2, r(7), true);
    assert_eq!(ledger.granted(&row, &replace, proven).unwrap().pin, pin(2));
    // Another process had dialled the old key meanwhile, and found the new one.
    let changed = ClientError::KeyChanged { name: row.name.clone(), seen: pin(2) };
    ledger.failed(&row, &changed).unwrap();
    assert_eq!(ledger.row(row.row).unwrap().key_changed, None, "a hard stop over the key that was agreed to");
}

#[test]
fn a_begun_pairing_under_the_new_key_gives_way_to_the_row_that_is_re_pinned() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store.clone());
    let row = paired(&ledger, 1);
    let begun = ledger.prepare(&pairing(2)).unwrap().row;
    assert_ne!(begun.row, row.row);
    let replace = Pairing { pin: pin(2), replaces: Some(row.row), ..pairing(1) };
    let proven = grant(&ledger, &row, pin(2), 2, r(7), true);
    assert_eq!(ledger.granted(&row, &replace, proven).unwrap().pin, pin(2));
    assert_eq!(ledger.rows().unwrap().iter().map(|row| row.row).collect::<Vec<_>>(), [row.row]);
    assert_eq!(store.0.lock().unwrap().len(), 2, "the key and the record of one row");
}

#[test]
fn an_offer_finds_the_row_it_was_begun_for_by_offer_and_key_together() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let row = paired(&ledger, 1);
    let second = MacKey::of_offer(&OfferSecret::from_bytes([4; 16])).offer_id();
    let replace = Pairing { pin: pin(2), offer: Some(second), replaces: Some(row.row), ..pairing(1) };
    ledger.prepare(&replace).unwrap();
    let found = |offer, key: u8| {
        ledger.by_offer(offer, pin(key).prefix()).unwrap().map(|used| (used.row.row, used.pin, used.take_up))
    };
    assert_eq!(found(second, 2), Some((row.row, pin(2), false)), "the key change that was agreed to");
    assert_eq!(found(offer().offer_id(), 1), Some((row.row, pin(1), true)), "the offer that paired it");
    assert_eq!(found(offer().offer_id(), 2), None, "that offer is another key's");
    assert_eq!(found(second, 3), None, "an offer of a key that nobody agreed to");
    assert_eq!(found(MacKey::of_offer(&OfferSecret::from_bytes([5; 16])).offer_id(), 2), None);
}

#[test]
fn only_an_active_row_under_another_key_is_asked_whether_it_is_the_same_machine() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let active = paired(&ledger, 1);
    let unfinished = ledger.prepare(&pairing(2)).unwrap().row;
    let machine = pairing(1).machine;
    let rows = |key: u8| -> Vec<i64> {
        ledger.live_by_machine(&machine, &pin(key)).unwrap().iter().map(|row| row.row).collect()
    };
    assert_eq!(rows(3), [active.row], "not the unfinished one");
    assert_eq!(rows(1), [] as [i64; 0], "nor one under this very key");
    // And only a key that is paired may stand where another was expected: anything else is a hard stop.
    assert!(super::super::resume::is_paired(&active) && !super::super::resume::is_paired(&unfinished));
}

#[test]
fn every_address_of_a_row_is_dialled_once_and_the_one_that_worked_last_first() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let mut row = paired(&ledger, 1);
    let [one, two, three] =
        ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|text| text.parse::<crate::wire::Address>().unwrap());
    row.addresses = vec![one.clone(), two.clone()];
    row.last_address = Some(two.clone());
    assert_eq!(super::super::resume::in_order(&row, None), [two.clone(), one.clone()]);
    row.last_address = Some(three.clone());
    assert_eq!(super::super::resume::in_order(&row, None), [three, one.clone(), two.clone()]);
    row.last_address = None;
    assert_eq!(super::super::resume::in_order(&row, None), [one, two]);
}

#[test]
fn a_row_says_since_when_its_machine_is_away_and_where_it_may_be() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let row = paired(&ledger, 1);
    let away = || ledger.row(row.row).map(|row| (row.offline_since, row.offline_reason)).unwrap();
    ledger.failed(&row, &ClientError::State("no space".into())).unwrap();
    assert_eq!(away(), (None, None), "this disk says nothing about the machine");
    ledger.offline(row.row, 7, "it goes").unwrap();
    assert_eq!(away(), (Some(7), Some("it goes".into())));
    let unknown = ClientError::UnknownDevice { name: row.name.clone() };
    ledger.failed(&row, &unknown).unwrap();
    assert_eq!(away().0, Some(7), "since it was first away");
    assert_ne!(away().1, Some("it goes".into()));
    let elsewhere = vec!["10.0.0.9".parse().unwrap()];
    ledger.addresses(row.row, &elsewhere).unwrap();
    assert_eq!(ledger.row(row.row).unwrap().addresses, elsewhere);
}

#[test]
fn a_revocation_erases_key_token_and_r_and_keeps_the_row() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(Locking::default()));
    let ledger = open(dir.path(), store.clone());
    let row = paired(&ledger, 1);
    let told = Told { by: Some("Ana".into()), at: Some(5), reason: Some("lost".into()) };
    // The keyring is locked at that moment: the row says so, and the erasing is made up for.
    store.locked.store(true, Ordering::SeqCst);
    assert!(ledger.revoked(&row, &told).is_err());
    let after = ledger.row(row.row).unwrap();
    assert_eq!((after.state, after.erased), (RowState::Revoked, false));
    let unused = ledger.token_to_try(row.row, &[]).map(|_| ());
    assert_eq!(unused, Err(ClientError::Revoked { told: told.clone(), name: row.name.clone() }), "it is not used");
    store.locked.store(false, Ordering::SeqCst);
    drop(ledger);
    let ledger = open(dir.path(), store.clone());
    assert!(ledger.row(row.row).unwrap().erased);
    assert_eq!(store.names(), Vec::<String>::new());
}

#[test]
fn what_is_left_is_not_listed_as_revoked_and_what_is_revoked_is_not_left() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(Locking::default()));
    let ledger = open(dir.path(), store.clone());
    let told = Told { by: Some("laptop".into()), at: Some(5), reason: Some("unpaired".into()) };
    let gone = |row: &MachineRow| matches!(ledger.row(row.row), Err(ClientError::NoSuchMachine(_)));
    let left = paired(&ledger, 1);
    let (approval, _) = ledger.approval_key(&left).unwrap();
    ledger.leave(left.row).unwrap();
    // Who read the row before it was left makes no key that nobody would erase.
    assert!(matches!(ledger.approval_key(&left), Err(ClientError::Leaving { .. })), "{approval:?}");
    // As it was read before it was left.
    ledger.revoked(&left, &told).unwrap();
    assert!(gone(&left) && store.names().is_empty(), "{:?}", store.names());
    let revoked = paired(&ledger, 2);
    ledger.revoked(&revoked, &told).unwrap();
    assert_eq!(ledger.leave(revoked.row).unwrap().state, RowState::Revoked, "there is nobody to tell");
    ledger.delete_if(revoked.row, |_| true).unwrap();
    assert!(gone(&revoked));
}

#[test]
fn a_refused_row_goes_with_its_secrets_and_an_active_one_stays() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(Locking::default()));
    let ledger = open(dir.path(), store.clone());
    let unfinished = ledger.prepare(&pairing(1)).unwrap().row;
    ledger.drop_unfinished(&unfinished).unwrap();
    assert!(ledger.rows().unwrap().is_empty());
    assert_eq!(store.names(), Vec::<String>::new());
    let active = paired(&ledger, 1);
    ledger.drop_unfinished(&active).unwrap();
    assert_eq!(ledger.row(active.row).unwrap().state, RowState::Active);
    assert_eq!(store.names().len(), 2);
}

#[test]
fn a_row_whose_store_is_not_open_is_an_error_that_names_it() {
    let (dir, keyring) = (tempfile::tempdir().unwrap(), Arc::new(Locking::default()));
    let row = paired(&open(dir.path(), keyring.clone()), 1);
    let files = Arc::new(MemoryStore::default());
    let ledger = open(dir.path(), files.clone());
    let error = ledger.token_to_try(row.row, &[]).unwrap_err();
    assert!(matches!(&error, ClientError::SecretsElsewhere { store, .. } if store == "keyring"), "{error:?}");
    let mut config = ClientConfig::new(dir.path().join("state"), files, "laptop".into(), "Linux".into());
    config.other_stores = vec![keyring];
    let both = Ledger::open(&config).unwrap();
    assert_eq!(both.token_to_try(row.row, &[]).unwrap().1, Some(token(1)));
}

#[test]
fn a_key_without_a_row_is_erased_at_the_next_start() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(Locking::default()));
    let ledger = open(dir.path(), store.clone());
    let draft = ledger.draft_key(&pin(1)).unwrap();
    assert_eq!(store.names().len(), 1);
    // As long as it is in use, another process leaves it alone.
    drop(open(dir.path(), store.clone()));
    assert_eq!(store.names().len(), 1);
    let key: PublicKey = draft.key;
    drop(draft);
    drop(open(dir.path(), store.clone()));
    assert_eq!(store.names(), Vec::<String>::new());
    // An adopted one stays.
    let draft = ledger.draft_key(&pin(1)).unwrap();
    assert_ne!(draft.key, key);
    let row = ledger.adopt(draft, &pairing(1)).unwrap().row;
    drop(open(dir.path(), store.clone()));
    assert_eq!(store.names().len(), 1);
    // Also where the process ended before the note of it was gone; and only that one.
    ledger.dir.write_private("code-draft", row.label.as_bytes()).unwrap();
    drop(open(dir.path(), store.clone()));
    assert_eq!(store.names().len(), 1);
    drop(ledger.draft_key(&pin(2)).unwrap());
    assert_eq!(store.names().len(), 2);
    drop(open(dir.path(), store.clone()));
    assert_eq!(store.names().len(), 1);
    ledger.draft_key(&pin(1)).expect("the key of the row is gone");
}

#[test]
fn who_waited_for_a_key_that_got_its_row_meanwhile_goes_on_with_that_row() {
    for draft in [Ledger::draft_key, Ledger::join_draft_key] {
        let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(Locking::default()));
        let ledger = open(dir.path(), store.clone());
        let first = draft(&ledger, &pin(1)).unwrap();
        let (asked, begun) = std::sync::mpsc::channel();
        let second = thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                asked.send(()).unwrap();
                draft(&ledger, &pin(1)).unwrap()
            });
            begun.recv().unwrap();
            // Long enough that it looked for a row before there was one; too short, and the test shows less.
            thread::sleep(std::time::Duration::from_millis(50));
            ledger.adopt(first, &pairing(1)).unwrap();
            waiting.join().unwrap()
        });
        assert!(second.row.is_some(), "a second key for a machine that has one");
        ledger.adopt(second, &pairing(1)).expect("the machine is stored once");
    }
}

/// A store that notices when somebody else reads between one's reading and writing of a record.
#[derive(Default)]
struct Overlap {
    inner: MemoryStore,
    reader: Mutex<Option<ThreadId>>,
    overlapped: AtomicBool,
}

impl SecretStore for Overlap {
    fn kind(&self) -> KeyKind {
        KeyKind::File
    }

    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretStoreError> {
        *self.reader.lock().unwrap() = Some(thread::current().id());
        thread::yield_now();
        self.inner.get(name)
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), SecretStoreError> {
        if *self.reader.lock().unwrap() != Some(thread::current().id()) {
            self.overlapped.store(true, Ordering::SeqCst);
        }
        self.inner.put(name, secret)
    }

    fn delete(&self, name: &str) -> Result<(), SecretStoreError> {
        self.inner.delete(name)
    }
}

/// Four threads, each with its own ledger as a process has, that store new tokens for one machine.
/// Whether one of them read a record while another was changing it.
fn overlap(change: impl Fn(&Ledger, i64, u8) + Send + Sync + 'static) -> bool {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(Overlap::default()));
    let row = paired(&open(dir.path(), store.clone()), 1).row;
    store.overlapped.store(false, Ordering::SeqCst);
    let change = Arc::new(change);
    let threads: Vec<_> = (0..4_u8)
        .map(|n| {
            let (path, store, change) = (dir.path().to_path_buf(), store.clone(), change.clone());
            thread::spawn(move || {
                let ledger = open(&path, store);
                (0..16).for_each(|round| change(&ledger, row, 100 + n * 16 + round));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    store.overlapped.load(Ordering::SeqCst)
}

#[test]
fn a_welcome_that_is_not_settled_forgets_no_token() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(MemoryStore::default()));
    let ledger = open(dir.path(), store);
    let row = paired(&ledger, 1).row;
    let first = ledger.token_to_try(row, &[]).unwrap().1.unwrap();
    let new = token(2);
    ledger.welcomed(row, &TokenHash::of(&first), &[], &welcome(Some(new.clone())), &address()).unwrap();
    let newest = || ledger.token_to_try(row, &[]).unwrap().1;
    let before = || ledger.token_to_try(row, &[TokenHash::of(&new)]).unwrap().1;
    assert_eq!((newest(), before()), (Some(new.clone()), Some(first.clone())));
    let unsettled = Welcome { unsettled: true, ..welcome(None) };
    ledger.welcomed(row, &TokenHash::of(&new), &[], &unsettled, &address()).unwrap();
    assert_eq!((newest(), before()), (Some(new.clone()), Some(first)));
    // The control: a settled one forgets the older.
    ledger.welcomed(row, &TokenHash::of(&new), &[], &welcome(None), &address()).unwrap();
    assert_eq!((newest(), before()), (Some(new.clone()), None));
}

#[test]
fn processes_change_a_machines_record_one_after_the_other() {
    let locked = overlap(|ledger, row, n| {
        let used = ledger.token_to_try(row, &[]).unwrap().1.unwrap();
        ledger.welcomed(row, &TokenHash::of(&used), &[], &welcome(Some(token(n))), &address()).unwrap();
    });
    assert!(!locked);
    // The control: the same without the lock is noticed, sooner or later.
    let unlocked = || {
        overlap(|ledger, row, n| {
            let row = ledger.row(row).unwrap();
            let mut record = ledger.record(&row).unwrap();
            thread::yield_now();
            record.granted(token(n), None);
            ledger.put_record(&row, &record).unwrap();
        })
    };
    assert!((0..50).any(|_| unlocked()));
}
