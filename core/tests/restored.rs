//! A machine restored from a backup and its real devices: who was revoked since is in again, until an owner device
//! that knew of it connects (docs/protocol.md, section 16).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Device, Machine, pair_of_both, until};
use pairpin_core::client::MachineState;
use pairpin_core::host::{DATABASE_FILE, SHELL};
use pairpin_core::wire::limits;
use rusqlite::Connection;

fn online(state: &MachineState) -> bool {
    matches!(state, MachineState::Online { .. })
}

/// A backup of the running machine's database, as `sqlite3 .backup` makes one.
fn back_up(machine: &Machine) -> PathBuf {
    let to = machine.dir.path().join("backup.db");
    let conn = Connection::open(machine.state().join(DATABASE_FILE)).unwrap();
    conn.execute("VACUUM INTO ?1", [to.to_str().unwrap()]).unwrap();
    to
}

async fn restore(machine: &mut Machine, backup: &Path) {
    machine
        .restart(false, |state| {
            for left in ["-wal", "-shm"] {
                let _ = std::fs::remove_file(state.join(format!("{DATABASE_FILE}{left}")));
            }
            // Into the file that is there: its mode stays.
            std::fs::write(state.join(DATABASE_FILE), std::fs::read(backup).unwrap()).unwrap();
        })
        .await;
}

fn count(machine: &Machine, sql: &str) -> i64 {
    let conn = Connection::open(machine.state().join(DATABASE_FILE)).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn counter(machine: &Machine) -> i64 {
    count(machine, "SELECT coalesce(max(value), 0) FROM meta WHERE key = 'counter'")
}

async fn state(device: &Device) -> MachineState {
    let row = device.client.machines().await.unwrap()[0].row;
    device.client.check(row).await.unwrap().state
}

/// An owner and another device, a backup, and the other revoked since.
async fn revoked_since() -> (Machine, Device, Device, PathBuf) {
    let (machine, owner) = pair_of_both().await;
    owner.pair(&machine).await;
    let phone = Device::new(&machine.clock);
    phone.pair(&machine).await;
    let backup = back_up(&machine);
    let id = machine.host().find_device("laptop 2").unwrap().id;
    machine.host().revoke(id, SHELL, Some("lost it".into())).await.unwrap();
    (machine, owner, phone, backup)
}

#[tokio::test]
async fn an_owner_that_knew_of_a_revocation_brings_it_back_and_the_control_without_one_stays_in() {
    let (mut machine, owner, phone, backup) = revoked_since().await;
    assert!(online(&state(&owner).await));
    let seen = counter(&machine);
    restore(&mut machine, &backup).await;
    assert!(counter(&machine) < seen);
    assert!(online(&state(&phone).await), "the control: nobody has told the machine yet");
    let row = phone.client.machines().await.unwrap()[0].row;
    let watch = phone.client.watch(row).await.unwrap();
    until(&watch, online).await;

    let begun = Instant::now();
    assert!(online(&state(&owner).await));
    let MachineState::Revoked(told) = until(&watch, |state| matches!(state, MachineState::Revoked(_))).await else {
        panic!("not revoked")
    };
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!((told.by.as_deref(), told.reason.as_deref()), (Some(SHELL), Some("lost it")), "as it was");
    let view = owner.client.machines().await.unwrap().remove(0);
    assert_eq!(view.restored.map(|restored| (restored.from, restored.taken)), Some((seen as u64, 1)));
    assert!(counter(&machine) > seen, "past the highest one that was shown");
    let said = "SELECT count(*) FROM audit WHERE kind = 'restored' AND text LIKE '%restored from a backup%'";
    assert_eq!(count(&machine, said), 1);

    // For good, and once: handing back again changes nothing.
    let before = counter(&machine);
    machine.restart(false, |_| ()).await;
    assert!(online(&state(&owner).await));
    assert_eq!((counter(&machine), count(&machine, said)), (before, 1));
    assert_eq!(machine.host().devices().len(), 1);
    assert_eq!(machine.host().tombstones()[0].reason.as_deref(), Some("lost it"));
}

#[tokio::test]
async fn an_owner_that_is_connected_keeps_a_revocation_at_once() {
    let (machine, owner) = pair_of_both().await;
    let row = owner.pair(&machine).await.machine.row;
    let phone = Device::new(&machine.clock);
    phone.pair(&machine).await;
    let watch = owner.client.watch(row).await.unwrap();
    until(&watch, online).await;
    let id = machine.host().find_device("laptop 2").unwrap().id;
    machine.host().revoke(id, SHELL, None).await.unwrap();
    let conn = Connection::open(owner.dir.path().join("state/device.db")).unwrap();
    let kept = || conn.query_row("SELECT count(*) FROM kept_tombstones", [], |row| row.get::<_, i64>(0)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while kept() == 0 {
        assert!(Instant::now() < deadline, "it was not kept");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(conn.query_row("SELECT counter FROM kept_counters", [], |row| row.get::<_, i64>(0)), Ok(1));
}

#[tokio::test]
async fn a_revocation_under_the_same_counter_is_told_from_the_one_that_was_lost() {
    let (mut machine, owner, phone, backup) = revoked_since().await;
    assert!(online(&state(&owner).await));
    let seen = counter(&machine);
    restore(&mut machine, &backup).await;
    // Somebody else is revoked meanwhile: the counter is where it was.
    let other = Device::new(&machine.clock);
    other.pair(&machine).await;
    let id = machine.host().find_device("laptop 3").unwrap().id;
    machine.host().revoke(id, SHELL, None).await.unwrap();
    assert_eq!(counter(&machine), seen);
    assert!(online(&state(&phone).await), "the control");
    assert!(online(&state(&owner).await));
    for device in [&phone, &other] {
        assert!(matches!(state(device).await, MachineState::Revoked(_)));
    }
    assert_eq!(machine.host().tombstones().len(), 2);
}

#[tokio::test]
async fn an_owner_whose_token_a_restored_machine_has_never_seen_hands_back_and_a_fresh_offer_lets_it_in() {
    let (mut machine, owner, phone, backup) = revoked_since().await;
    for _ in 0..2 {
        machine.clock.advance(limits::TOKEN_AGE + Duration::from_secs(1));
        assert!(online(&state(&owner).await) && online(&state(&owner).await));
    }
    let seen = counter(&machine);
    restore(&mut machine, &backup).await;
    assert!(online(&state(&phone).await), "the control");
    let MachineState::Lost { why } = state(&owner).await else { panic!("{:?}", state(&owner).await) };
    for said in ["restored from a backup", "a revocation that it had lost was handed back", "a fresh offer from there"]
    {
        assert!(why.contains(said), "{why}");
    }
    assert!(matches!(state(&phone).await, MachineState::Revoked(_)));
    assert!(counter(&machine) > seen);
    assert_eq!(owner.client.machines().await.unwrap()[0].restored.map(|restored| restored.taken), Some(1));
    assert!(machine.host().devices()[0].suspended.is_none(), "a token never seen is no theft");

    // Again: there is nothing left to hand back.
    let before = counter(&machine);
    let MachineState::Lost { why } = state(&owner).await else { panic!() };
    assert!(!why.contains("handed back"), "{why}");
    assert_eq!(counter(&machine), before);

    let id = machine.host().devices()[0].id;
    owner.pair(&machine).await;
    assert!(online(&state(&owner).await));
    assert_eq!(machine.host().devices().iter().map(|device| device.id).collect::<Vec<_>>(), [id], "in its row");
}

#[tokio::test]
async fn a_device_that_is_told_of_its_own_revocation_keeps_nothing_of_the_machine() {
    let (machine, owner, _phone, _backup) = revoked_since().await;
    assert!(online(&state(&owner).await));
    let conn = Connection::open(owner.dir.path().join("state/device.db")).unwrap();
    let kept = || conn.query_row("SELECT count(*) FROM kept_tombstones", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(kept(), 1, "the control");
    let id = machine.host().devices()[0].id;
    machine.host().revoke(id, SHELL, None).await.unwrap();
    assert!(matches!(state(&owner).await, MachineState::Revoked(_)));
    assert_eq!(kept(), 0);
}
