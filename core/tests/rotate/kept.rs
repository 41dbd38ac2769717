//! The next key in a file elsewhere, and files that were exchanged by hand.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pairpin_core::host::{HostError, KeyChangeKind, NEXT_KEY_FILE, OfflineHost};
use rusqlite::Connection;

use crate::common::{Machine, pair_of_both};
use crate::{compromised, is_online, keys_of, known, planned, rotate, scan_again, state, with};

/// What a change leaves beside its keys in its middle only.
fn leftovers(machine: &Machine) -> Vec<String> {
    let names = |dir| {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let all = [names(machine.state()), names(machine.dir.path().to_owned())].concat();
    all.into_iter().filter(|name| name.contains("coming") || name.contains("pairpin-new")).collect()
}

#[tokio::test]
async fn the_next_key_goes_to_a_file_and_comes_from_there_at_each_change() {
    let (mut machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let file = machine.dir.path().join("next.pem");
    // The first change takes the next key from the state directory, and puts the one after it into the file.
    machine.host().change_keys(with(KeyChangeKind::Planned, &file)).await.unwrap();
    assert!(!machine.state().join(NEXT_KEY_FILE).exists() && file.exists());
    machine.restart(false, |_| ()).await;
    assert!(is_online(&device).await);
    assert_eq!((known(&device), known(&device).2), (keys_of(&machine), 1));
    let without = machine.host().change_keys(planned()).await.unwrap_err();
    assert!(matches!(&without, HostError::NextKeyElsewhere(kept) if *kept == file.to_string_lossy()), "{without}");
    machine.host().change_keys(with(KeyChangeKind::Planned, &file)).await.unwrap();
    assert!(is_online(&device).await);
    // It may have moved meanwhile.
    let moved = machine.dir.path().join("moved.pem");
    fs::rename(&file, &moved).unwrap();
    let gone = machine.host().change_keys(with(KeyChangeKind::Planned, &file)).await.unwrap_err();
    assert!(matches!(gone, HostError::NoNextKey { .. }), "{gone}");
    machine.host().change_keys(with(KeyChangeKind::Planned, &moved)).await.unwrap();
    assert!(is_online(&device).await);
    assert_eq!((known(&device), known(&device).2), (keys_of(&machine), 3));
    assert_eq!(leftovers(&machine), Vec::<String>::new());
}

#[tokio::test]
async fn no_file_is_overwritten_or_believed_but_the_announced_key() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let before = keys_of(&machine);
    let file = machine.dir.path().join("letter.txt");
    for content in [&b"Dear Ana"[..], &fs::read(machine.state().join("identity.key")).unwrap()] {
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        for kind in [KeyChangeKind::Planned, KeyChangeKind::Compromised, KeyChangeKind::MoveNext] {
            let refused = machine.host().change_keys(with(kind, &file)).await.unwrap_err();
            assert!(matches!(refused, HostError::NotTheNextKey(_)), "{kind:?}: {refused}");
            assert_eq!((fs::read(&file).unwrap(), keys_of(&machine)), (content.to_vec(), before));
        }
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(machine.host().change_keys(with(KeyChangeKind::Planned, &file)).await.is_err(), "others may read it");
    let relative = with(KeyChangeKind::Planned, std::path::Path::new("next.pem"));
    assert!(matches!(machine.host().change_keys(relative).await, Err(HostError::BadKeyPath(_))));
    assert!(is_online(&device).await);
    assert_eq!((keys_of(&machine), leftovers(&machine)), (before, Vec::new()));
    rotate(&machine).await;
}

#[tokio::test]
async fn a_key_kept_elsewhere_survives_a_compromise_and_one_that_lay_beside_it_does_not() {
    let (mut machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let file = machine.dir.path().join("next.pem");
    machine.host().change_keys(with(KeyChangeKind::MoveNext, &file)).await.unwrap();
    assert!(!machine.state().join(NEXT_KEY_FILE).exists());
    let kept = machine.host().keys().next_pin;
    // Without the file at hand the next key stays what it is.
    let done = machine.host().change_keys(compromised()).await.unwrap();
    assert_eq!((done.keys.next_pin, done.keys.next_kept.as_deref()), (kept, file.to_str()));
    scan_again(&device, &machine).await;
    // With it, it is the identity key, and no device takes that for a planned change.
    let done = machine.host().change_keys(with(KeyChangeKind::Compromised, &file)).await.unwrap();
    assert_eq!(done.keys.pin, kept);
    assert!(state(&device).await.identity_changed());
    scan_again(&device, &machine).await;
    machine.restart(false, |_| ()).await;
    assert!(is_online(&device).await);
    assert_eq!(known(&device), keys_of(&machine));
}

#[tokio::test]
async fn a_database_older_than_the_keys_goes_on_with_the_epoch_that_the_devices_know() {
    let (mut machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    machine.stop().await;
    let old = fs::read(machine.state().join("machine.db")).unwrap();
    machine.restart(false, |_| ()).await;
    rotate(&machine).await;
    assert!(is_online(&device).await);
    machine
        .restart(false, |state| {
            for file in ["machine.db-wal", "machine.db-shm"] {
                let _ = fs::remove_file(state.join(file));
            }
            fs::write(state.join("machine.db"), &old).unwrap();
        })
        .await;
    assert_eq!(machine.host().keys().epoch, 1);
    assert!(is_online(&device).await);
    assert_eq!(known(&device), keys_of(&machine));
}

#[tokio::test]
async fn a_key_that_was_exchanged_by_hand_is_refused_until_a_person_says_so() {
    let (mut machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    machine.stop().await;
    let other = pair_of_both().await.0;
    let stolen = fs::read(other.state().join("identity.key")).unwrap();
    fs::write(machine.state().join("identity.key"), &stolen).unwrap();
    let stopped = OfflineHost::open(&machine.state()).unwrap().unwrap();
    assert!(matches!(stopped.keys(), Err(HostError::KeyIsOther(_))));
    drop(stopped);
    machine.restart(true, |_| ()).await;
    assert_eq!(machine.host().keys().pin, other.host().keys().pin);
    assert!(state(&device).await.identity_changed());
    scan_again(&device, &machine).await;
    let conn = Connection::open(machine.state().join("machine.db")).unwrap();
    let lines: i64 = conn.query_row("SELECT count(*) FROM audit WHERE kind = 'key'", [], |row| row.get(0)).unwrap();
    assert_eq!(lines, 1);
}
