//! Device and machine together, after the pairing: reconnecting, token rotation, revocation live and
//! away, forgetting, and futures that are dropped at every point of a pairing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{Device, dropped_after, pair_of_both, until};
use pairpin_core::client::{Client, ClientError, ErrorKind, MachineState};
use pairpin_core::host::LOCK_FILE;
use pairpin_core::link::Link;
use pairpin_core::store::{StateDir, StoreError};
use pairpin_core::wire::limits;

fn online(state: &MachineState) -> bool {
    matches!(state, MachineState::Online { .. })
}

async fn record(device: &Device) -> Vec<u8> {
    let secrets = device.store.0.lock().unwrap();
    let record = secrets.iter().find(|(name, _)| !name.starts_with("session-key")).unwrap();
    record.1.expose().to_vec()
}

#[tokio::test]
async fn tokens_rotate_and_two_processes_of_one_device_share_them() {
    let (machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    let other = device.other_process();
    let granted = record(&device).await;
    for _ in 0..3 {
        machine.clock.advance(limits::TOKEN_AGE + Duration::from_secs(1));
        let before = record(&device).await;
        assert!(online(&device.client.check(row).await.unwrap().state));
        assert_ne!(record(&device).await, before, "a welcome brought a new token");
        // The other process finds the new token in the shared record.
        assert!(online(&other.check(row).await.unwrap().state));
        assert!(online(&device.client.check(row).await.unwrap().state));
    }
    assert_ne!(record(&device).await, granted);
    assert!(machine.host().devices()[0].suspended.is_none());
}

#[tokio::test]
async fn a_device_restored_from_a_backup_is_told_so_and_a_scan_lets_it_in_again() {
    let (machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    let backup = device.store.0.lock().unwrap().clone();
    for _ in 0..2 {
        machine.clock.advance(limits::TOKEN_AGE + Duration::from_secs(1));
        assert!(online(&device.client.check(row).await.unwrap().state));
        assert!(online(&device.client.check(row).await.unwrap().state));
    }
    *device.store.0.lock().unwrap() = backup;
    // Its old token was replaced long ago: to the machine that is a thief's copy.
    let view = device.client.check(row).await.unwrap();
    assert!(matches!(view.state, MachineState::Suspended(_)), "{:?}", view.state);
    let paired = device.pair(&machine).await;
    assert_eq!(paired.machine.row, row);
    assert!(online(&device.client.check(row).await.unwrap().state));
}

#[tokio::test]
async fn an_expired_session_is_told_and_a_scan_starts_another_in_the_same_row() {
    let (machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    // The pairing's own connection is seen to end before the clock moves.
    while machine.host().devices()[0].connected > 0 {
        tokio::task::yield_now().await;
    }
    machine.clock.advance(limits::IDLE_LIFETIME + Duration::from_secs(1));
    let view = device.client.check(row).await.unwrap();
    assert!(matches!(view.state, MachineState::Expired { .. }), "{:?}", view.state);
    assert_eq!(device.pair(&machine).await.machine.row, row);
    assert!(online(&device.client.check(row).await.unwrap().state));
}

#[tokio::test]
async fn a_live_connection_ends_at_once_when_the_device_is_revoked_and_nothing_secret_stays() {
    let (machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    let watch = device.client.watch(row).await.unwrap();
    until(&watch, online).await;
    let id = machine.host().devices()[0].id;
    machine.host().revoke(id, "the machine's shell", Some("lost".into())).await.unwrap();
    let state = until(&watch, |state| matches!(state, MachineState::Revoked(_))).await;
    let MachineState::Revoked(told) = state else { panic!("{state:?}") };
    assert_eq!((told.by.as_deref(), told.reason.as_deref()), (Some("the machine's shell"), Some("lost")));
    while watch.changed().await.is_some() {}
    assert!(matches!(watch.current(), MachineState::Revoked(_)), "the watch has ended: it does not come back");
    assert_eq!(device.store.names(), Vec::<String>::new());
    let machines = device.client.machines().await.unwrap();
    assert!(matches!(machines[0].state, MachineState::Revoked(_)), "the row stays and says so");
}

#[tokio::test]
async fn a_device_revoked_while_away_is_told_at_its_next_dial_and_erases() {
    let (machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    let id = machine.host().devices()[0].id;
    machine.host().revoke(id, "Ana", None).await.unwrap();
    let view = device.client.check(row).await.unwrap();
    let MachineState::Revoked(told) = view.state else { panic!("{:?}", view.state) };
    assert_eq!(told.by.as_deref(), Some("Ana"));
    assert!(told.at.is_some());
    assert_eq!(device.store.names(), Vec::<String>::new());
    device.client.forget(row).await.unwrap();
    assert!(device.client.machines().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_watch_comes_back_after_the_machine_restarts_and_says_offline_meanwhile() {
    let (mut machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    let watch = device.client.watch(row).await.unwrap();
    until(&watch, online).await;
    machine.stop().await;
    let state = until(&watch, |state| matches!(state, MachineState::Offline { .. })).await;
    assert!(matches!(state, MachineState::Offline { since: Some(_), why: Some(_) }), "{state:?}");
    machine.restart(false, |_| ()).await;
    watch.network_changed();
    until(&watch, online).await;
    watch.suspend();
    until(&watch, |state| *state == MachineState::Paused).await;
    watch.resume();
    until(&watch, online).await;
    watch.cancel();
    while watch.changed().await.is_some() {}
}

#[tokio::test]
async fn a_watch_at_a_hard_stop_goes_on_once_the_row_is_re_pinned() {
    let (mut machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    let watch = device.client.watch(row).await.unwrap();
    until(&watch, online).await;
    machine
        .restart(true, |state| std::fs::remove_file(state.join(pairpin_core::host::IDENTITY_KEY_FILE)).unwrap())
        .await;
    watch.network_changed();
    until(&watch, MachineState::identity_changed).await;
    assert_eq!(device.pair(&machine).await.machine.row, row);
    until(&watch, online).await;
}

#[tokio::test]
async fn forgetting_takes_the_device_off_the_machines_list() {
    let (machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    let forgotten = device.client.forget(row).await.unwrap();
    assert_eq!(forgotten.still_listed, None);
    assert!(machine.host().devices().is_empty());
    assert!(device.client.machines().await.unwrap().is_empty());
    assert_eq!(device.store.names(), Vec::<String>::new());
    // And it may come again.
    device.pair(&machine).await;
    assert_eq!(machine.host().devices().len(), 1);
}

#[tokio::test]
async fn forgetting_an_unreachable_machine_at_once_says_that_it_still_lists_the_device() {
    let (mut machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    machine.stop().await;
    let forgotten = device.client.forget_now(row).await.unwrap();
    assert!(forgotten.still_listed.is_some() && !forgotten.told_later);
    assert!(device.client.machines().await.unwrap().is_empty());
    assert_eq!(device.store.names(), Vec::<String>::new());
}

#[tokio::test]
async fn an_unreachable_machine_is_an_error_that_names_what_was_tried() {
    let (mut machine, device) = pair_of_both().await;
    let offer = machine.offer();
    machine.stop().await;
    let error = device.client.preview(offer.link.as_ref().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReachable);
    assert!(error.to_string().contains(&machine.address().to_string()), "{error}");
}

#[tokio::test]
async fn a_missing_key_beside_a_row_is_an_error_and_never_a_new_key() {
    let (machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    let lost = std::mem::take(&mut *device.store.0.lock().unwrap());
    let view = device.client.check(row).await.unwrap();
    assert!(matches!(&view.state, MachineState::KeysGone { why } if why.contains("forget")), "{:?}", view.state);
    let preview = device.client.preview(machine.offer().link.as_ref().unwrap()).await.unwrap();
    let error = device.client.pair(preview).await.unwrap_err();
    assert!(matches!(error, ClientError::SecretsMissing { .. }), "{error:?}");
    // The control: with its key back it goes on.
    *device.store.0.lock().unwrap() = lost;
    assert!(online(&device.client.check(row).await.unwrap().state));
}

#[tokio::test]
async fn a_welcome_that_cannot_be_stored_opens_a_session_yet_finishes_no_pairing() {
    let (machine, device) = pair_of_both().await;
    let preview = device.client.preview(machine.offer().link.as_ref().unwrap()).await.unwrap();
    let beside = rusqlite::Connection::open(device.dir.path().join("state/device.db")).unwrap();
    let fail = "CREATE TRIGGER fail BEFORE UPDATE ON machines WHEN NEW.state = 'active'
                BEGIN SELECT RAISE(ABORT, 'no space'); END";
    beside.execute_batch(fail).unwrap();
    device.client.pair(preview).await.unwrap_err();
    assert_eq!(machine.host().devices().len(), 1, "it was acknowledged");
    let row = device.client.machines().await.unwrap()[0].row;
    let state = device.client.check(row).await.unwrap().state;
    assert!(!online(&state), "online with a row that is not active: {state:?}");
    beside.execute_batch("DROP TRIGGER fail").unwrap();
    assert!(online(&device.client.check(row).await.unwrap().state));
    // The row is active now: its session does not need this disk.
    beside.execute_batch(fail).unwrap();
    let state = device.client.check(row).await.unwrap().state;
    assert!(online(&state), "{state:?}");
}

async fn join(client: &Client, link: &Link) -> Result<(), ClientError> {
    let preview = client.preview(link).await?;
    client.pair(preview).await.map(|_| ())
}

/// Pairs with a future that is dropped after `polls` polls, then again with the same link.
async fn drop_and_retry(polls: usize, by_code: bool) -> bool {
    let (machine, device) = pair_of_both().await;
    let offer = machine.offer();
    let (link, code) = (offer.link.unwrap(), offer.code.unwrap());
    let client = &device.client;
    let by_code_once = async || -> Result<(), ClientError> {
        client.begin_code(machine.address(), code.clone()).await?.confirm().await.map(|_| ())
    };
    let finished = if by_code {
        dropped_after(polls, by_code_once()).await
    } else {
        dropped_after(polls, join(client, &link)).await
    };
    // Another process of the same device, as after a kill; a machine that is still writing what the
    // first run did may need to be asked twice.
    let again = device.other_process();
    let mut last = None;
    for _ in 0..20 {
        last = if by_code { by_code_once().await.err() } else { join(&again, &link).await.err() };
        let paired = again.machines().await.unwrap();
        if last.is_none() || (by_code && !machine.host().devices().is_empty() && paired.len() == 1) {
            last = None;
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(last, None, "after {polls} polls");
    let machines = again.machines().await.unwrap();
    assert_eq!((machines.len(), machine.host().devices().len()), (1, 1), "after {polls} polls");
    assert!(online(&again.check(machines[0].row).await.unwrap().state), "after {polls} polls");
    assert_eq!(device.store.names().len(), 2, "one key and one record after {polls} polls");
    finished
}

/// Drops after 0, 1, 2 … polls until the undisturbed run has been seen often enough: how many polls
/// it takes differs from run to run.
async fn drop_everywhere(by_code: bool) {
    let mut finished = 0;
    for polls in 0.. {
        if drop_and_retry(polls, by_code).await {
            finished += 1;
            assert!(polls >= 5, "{polls} polls: the drops were not in the middle of it");
        }
        if finished == 4 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_is_dropped_anywhere_ends_paired_when_it_is_run_again() {
    drop_everywhere(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_code_that_is_dropped_anywhere_ends_paired_when_it_is_typed_again() {
    drop_everywhere(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_re_pin_that_is_dropped_anywhere_ends_in_the_same_row_when_it_is_run_again() {
    let mut finished = 0;
    for polls in 0.. {
        let (mut machine, device) = pair_of_both().await;
        let row = device.pair(&machine).await.machine.row;
        machine
            .restart(true, |state| std::fs::remove_file(state.join(pairpin_core::host::IDENTITY_KEY_FILE)).unwrap())
            .await;
        let link = machine.offer().link.unwrap();
        finished += u32::from(dropped_after(polls, join(&device.client, &link)).await);
        let again = device.other_process();
        join(&again, &link).await.unwrap_or_else(|error| panic!("after {polls} polls: {error}"));
        let machines = again.machines().await.unwrap();
        assert_eq!(machines.iter().map(|machine| machine.row).collect::<Vec<_>>(), [row], "after {polls} polls");
        assert_eq!(machines[0].pin, machine.host().status().pin);
        assert_eq!(machine.host().devices().len(), 1);
        assert!(online(&again.check(row).await.unwrap().state), "after {polls} polls");
        if finished == 3 {
            return;
        }
    }
}

#[tokio::test]
async fn a_daemon_that_starts_waits_for_a_verb_that_looks_into_its_state_and_not_for_another_daemon() {
    let (mut machine, _device) = pair_of_both().await;
    let dir = StateDir::open(&machine.state()).unwrap();
    machine.stop().await;
    let looked = dir.lock(LOCK_FILE).unwrap();
    let reader = std::thread::spawn(move || {
        // Long enough that the start finds it held; too short, and the test shows less.
        std::thread::sleep(Duration::from_millis(200));
        drop(looked);
    });
    machine.restart(false, |_| ()).await;
    reader.join().unwrap();
    // The control: a daemon keeps it, and the next one gives up.
    let held = dir.lock(LOCK_FILE).unwrap_err();
    assert!(matches!(held, StoreError::Locked { .. }), "{held}");
}
