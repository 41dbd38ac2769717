//! A machine changes its key: devices that are connected follow, those that slept follow when they come back,
//! and whoever cannot follow stops hard and is in again by a scan, in its row.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod attacks;
mod kept;

use std::path::PathBuf;
use std::time::Duration;

use common::{Device, Machine, pair_of_both, until};
use pairpin_core::client::{ClientError, MachineState, PairQuestion};
use pairpin_core::host::{HostError, KeyChange, KeyChangeKind, KeysChanged, OfflineHost};
use pairpin_core::identity::Pin;
use pairpin_core::role::Role;
use pairpin_core::wire::DeviceEvent;
use rusqlite::Connection;

fn planned() -> KeyChange {
    KeyChange { kind: KeyChangeKind::Planned, next_key: None }
}

fn compromised() -> KeyChange {
    KeyChange { kind: KeyChangeKind::Compromised, next_key: None }
}

fn with(kind: KeyChangeKind, file: &std::path::Path) -> KeyChange {
    KeyChange { kind, next_key: Some(PathBuf::from(file)) }
}

async fn rotate(machine: &Machine) -> KeysChanged {
    machine.host().change_keys(planned()).await.unwrap()
}

/// What the device's row says of the machine's keys.
fn known(device: &Device) -> (Pin, Option<Pin>, u64) {
    let conn = Connection::open(device.dir.path().join("state/device.db")).unwrap();
    let sql = "SELECT pin, next_pin, epoch FROM machines WHERE state <> 'revoked'";
    conn.query_row(sql, [], |row| {
        let pin =
            |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<Vec<u8>>>(at)?.and_then(|pin| Pin::from_slice(&pin)));
        Ok((pin(0)?.unwrap(), pin(1)?, row.get::<_, i64>(2)? as u64))
    })
    .unwrap()
}

/// Waits until a device has stored a key.
async fn follows(device: &Device, pin: Pin) {
    let following = async {
        while known(device).0 != pin {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), following).await.expect("the device follows");
}

fn keys_of(machine: &Machine) -> (Pin, Option<Pin>, u64) {
    let keys = machine.host().keys();
    (keys.pin, Some(keys.next_pin), keys.epoch)
}

async fn row_of(device: &Device) -> i64 {
    let rows = device.client.machines().await.unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].row
}

async fn is_online(device: &Device) -> bool {
    matches!(state(device).await, MachineState::Online { .. })
}

async fn state(device: &Device) -> MachineState {
    device.client.check(row_of(device).await).await.unwrap().state
}

/// Pairs again by a fresh offer; the machine has to be known by R.
async fn scan_again(device: &Device, machine: &Machine) {
    let preview = device.client.preview(machine.offer().link.as_ref().unwrap()).await.unwrap();
    assert!(matches!(preview.question, PairQuestion::ReplaceKey { .. }), "{:?}", preview.question);
    device.client.pair(preview).await.unwrap();
}

#[tokio::test]
async fn a_connected_device_follows_at_once_and_stays_connected() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let before = machine.host().keys();
    let row = row_of(&device).await;
    let watch = device.client.watch(row).await.unwrap();
    until(&watch, |state| matches!(state, MachineState::Online { .. })).await;
    let done = rotate(&machine).await;
    assert_eq!((done.keys.pin, done.keys.epoch, done.online), (before.next_pin, 1, 1));
    follows(&device, done.keys.pin).await;
    assert_eq!(known(&device), keys_of(&machine));
    assert!(matches!(watch.current(), MachineState::Online { .. }));
    assert_eq!(machine.host().devices()[0].connected, 1, "the connection of before lives on");
    // And the next one is under the new key, from here and from a restarted machine.
    assert!(is_online(&device).await);
    let second = rotate(&machine).await;
    follows(&device, second.keys.pin).await;
    drop(watch);
    assert!(is_online(&device).await);
    assert_eq!(known(&device), keys_of(&machine));
}

#[tokio::test]
async fn a_device_that_slept_follows_by_the_welcome_also_after_a_restart() {
    let (mut machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let before = known(&device);
    rotate(&machine).await;
    machine.restart(false, |_| ()).await;
    assert_eq!(known(&device), before, "it slept");
    assert!(is_online(&device).await);
    assert_eq!((known(&device), known(&device).2), (keys_of(&machine), 1));
    assert!(is_online(&device).await, "and again, under the new key");
    // A machine that was stopped can be changed too.
    machine.stop().await;
    let stopped = OfflineHost::open(&machine.state()).unwrap().unwrap();
    assert_eq!(stopped.change_keys(&planned()).unwrap().keys.epoch, 2);
    drop(stopped);
    machine.restart(false, |_| ()).await;
    assert!(is_online(&device).await);
    assert_eq!((known(&device), known(&device).2), (keys_of(&machine), 2));
}

#[tokio::test]
async fn two_changes_slept_through_stop_hard_and_a_scan_brings_the_row_to_the_right_epoch() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let (before, row) = (known(&device), row_of(&device).await);
    rotate(&machine).await;
    rotate(&machine).await;
    let MachineState::KeyChanged { seen } = state(&device).await else { panic!("not a hard stop") };
    assert_eq!((seen, known(&device)), (machine.host().keys().pin, before));
    scan_again(&device, &machine).await;
    assert_eq!((known(&device), row_of(&device).await), (keys_of(&machine), row));
    assert_eq!((known(&device).2, machine.host().devices().len()), (2, 1));
    // It is no stranger to the changes after that.
    rotate(&machine).await;
    assert!(is_online(&device).await);
    assert_eq!((known(&device), known(&device).2), (keys_of(&machine), 3));
}

#[tokio::test]
async fn a_scan_instead_of_a_reconnect_after_one_change_works_too() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    rotate(&machine).await;
    scan_again(&device, &machine).await;
    assert_eq!((known(&device), known(&device).2), (keys_of(&machine), 1));
    assert!(is_online(&device).await);
}

#[tokio::test]
async fn a_statement_is_for_the_key_of_its_own_connection() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let row = row_of(&device).await;
    let mut session = device.client.open_session(row).await.unwrap();
    session.enrol_here().await.unwrap();
    rotate(&machine).await;
    // The device is told first, and stores it; this connection stays what it was.
    assert!(matches!(session.event().await.unwrap(), DeviceEvent::KeyRotated { .. }));
    assert_eq!(known(&device), keys_of(&machine));
    let invite = || pairpin_core::client::Act::Invite { role: Role::Viewer, name: None, lifetime: None };
    session.act_here(invite()).await.unwrap();
    let mut after = device.client.open_session(row).await.unwrap();
    after.act_here(invite()).await.unwrap();
    rotate(&machine).await;
    session.act_here(invite()).await.unwrap();
}

#[tokio::test]
async fn processes_of_one_device_share_what_one_of_them_followed() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let row = row_of(&device).await;
    let other = device.other_process();
    rotate(&machine).await;
    assert!(is_online(&device).await);
    let told = other.check(row).await.unwrap();
    assert!(matches!(told.state, MachineState::Online { .. }));
    assert_eq!((told.pin, known(&device)), (machine.host().keys().pin, keys_of(&machine)));
}

#[tokio::test]
async fn a_revoked_device_that_slept_is_told_so_under_the_new_key() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let id = machine.host().devices()[0].id;
    let row = row_of(&device).await;
    machine.host().revoke(id, "shell", None).await.unwrap();
    rotate(&machine).await;
    assert!(matches!(device.client.check(row).await.unwrap().state, MachineState::Revoked(_)));
}

#[tokio::test]
async fn offers_and_joins_that_name_the_key_of_before_end_with_it() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let offer = machine.offer();
    let asker = Device::new(&machine.clock);
    let asked = asker.client.ask_to_join(machine.address()).await.unwrap();
    let shown = async {
        while machine.host().joins().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), shown).await.expect("the join is shown");
    let done = rotate(&machine).await;
    assert_eq!((done.offers_withdrawn, done.joins_ended, machine.host().offers().len()), (1, 1, 0));
    let Err(ended) = asked.wait().await else { panic!("let in without a word") };
    assert!(matches!(ended, ClientError::JoinExpired), "{ended}");
    assert!(machine.host().joins().is_empty());
    let newcomer = Device::new(&machine.clock);
    let refused = newcomer.client.preview(offer.link.as_ref().unwrap()).await.unwrap_err();
    assert!(matches!(refused, ClientError::OtherKey { .. }), "{refused}");
    newcomer.pair(&machine).await;
    assert_eq!(known(&newcomer), keys_of(&machine));
}

#[tokio::test]
async fn a_compromised_key_takes_every_session_along_and_a_scan_brings_each_back_in_its_row() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let asleep = Device::new(&machine.clock);
    asleep.pair(&machine).await;
    let (rows, before) = (machine.host().devices(), machine.host().keys());
    let mut session = device.client.open_session(row_of(&device).await).await.unwrap();
    let done = machine.host().change_keys(compromised()).await.unwrap();
    assert_eq!((done.connections_cut, done.keys.epoch), (1, 0));
    assert!(![before.pin, before.next_pin].contains(&done.keys.pin) && done.keys.next_pin != before.next_pin);
    let told = loop {
        if let Err(error) = session.event().await {
            break error;
        }
    };
    assert!(matches!(told, ClientError::KeyReplaced { .. }), "{told}");
    for device in [&device, &asleep] {
        assert!(matches!(state(device).await, MachineState::KeyChanged { .. }));
        scan_again(device, &machine).await;
        assert!(is_online(device).await);
        assert_eq!(known(device), keys_of(&machine));
    }
    let after = machine.host().devices();
    let of = |rows: &[pairpin_core::host::DeviceView]| rows.iter().map(|row| (row.id, row.role)).collect::<Vec<_>>();
    assert_eq!(of(&after), of(&rows), "the same rows, and their roles");
}

#[tokio::test]
async fn what_was_decided_is_not_decided_twice() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let (one, two) = tokio::join!(machine.host().change_keys(planned()), machine.host().change_keys(planned()));
    assert_eq!(one.unwrap().keys.epoch + two.unwrap().keys.epoch, 3, "they take turns");
    let stopped = OfflineHost::open(&machine.state());
    assert!(matches!(stopped, Err(HostError::AlreadyRunning(_))));
}
