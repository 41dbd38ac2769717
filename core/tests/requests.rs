//! What a device may ask for on its session, over real TLS: by its role, and by a statement of its approval
//! key. Each refusal stands beside a control: the same request, rightly made, is done.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Device, Machine, TestClock, pair_of_both};
use pairpin_core::client::{Act, ClientError, MachineSession};
use pairpin_core::host::DeviceChange;
use pairpin_core::identity::{DeviceId, KeyPair};
use pairpin_core::role::Role;
use pairpin_core::wire::{ApprovalGuard, DeviceEvent, limits};
use std::sync::Arc;
use std::time::Duration;

/// An owner, a second device of this role, and the machine.
async fn with_a_second(role: Role) -> (Machine, Device, Device, DeviceId) {
    let (machine, owner) = pair_of_both().await;
    owner.pair(&machine).await;
    let second = Device::new(&machine.clock);
    second.pair(&machine).await;
    let id = machine.host().find_device("laptop 2").unwrap().id;
    let change = DeviceChange { role: Some(role), ..DeviceChange::default() };
    machine.host().set_device(id, change).await.unwrap();
    (machine, owner, second, id)
}

async fn session(device: &Device) -> MachineSession {
    let row = device.client.machines().await.unwrap()[0].row;
    device.client.open_session(row).await.unwrap()
}

fn revoke(device: DeviceId) -> Act {
    Act::Revoke { device, reason: Some("lost on a train".to_owned()) }
}

async fn event(session: &mut MachineSession) -> DeviceEvent {
    tokio::time::timeout(Duration::from_secs(10), session.event()).await.expect("told in time").unwrap()
}

#[tokio::test]
async fn an_owner_revokes_another_device_which_is_told_who_and_why() {
    let (machine, owner, second, id) = with_a_second(Role::Operator).await;
    let mut other = session(&second).await;
    let mut here = session(&owner).await;
    assert!(here.enrol_here().await.unwrap(), "brought for the first time");
    assert!(!here.enrol_here().await.unwrap());
    here.act_here(revoke(id)).await.unwrap();
    let told = other.event().await.unwrap_err();
    let ClientError::Revoked { told, .. } = told else { panic!("{told}") };
    assert_eq!((told.by.as_deref(), told.reason.as_deref()), (Some("“laptop”"), Some("lost on a train")));
    assert!(machine.host().find_device("laptop 2").is_err());
    // The first thing that happened since is the enrolment's; it is nobody's event.
    assert!(matches!(event(&mut here).await, DeviceEvent::Tombstone { .. }), "what owners keep comes first");
    assert!(
        matches!(event(&mut here).await, DeviceEvent::DeviceRevoked { device, by, .. } if device == id && by == "“laptop”")
    );
    let again = here.act_here(revoke(id)).await.unwrap_err();
    assert!(matches!(again, ClientError::NotThere { .. }), "{again}");
}

#[tokio::test]
async fn the_session_key_alone_lets_nobody_out() {
    let (machine, owner, _second, id) = with_a_second(Role::Operator).await;
    let mut here = session(&owner).await;
    let unprepared = here.prepare(revoke(id)).await.unwrap_err();
    assert!(matches!(unprepared, ClientError::NoApprovalKey { .. }), "{unprepared}");
    here.enrol_here().await.unwrap();
    // Signed by a key that is not the enrolled one, the session key or any other.
    let prepared = here.prepare(revoke(id)).await.unwrap();
    let signature = KeyPair::generate().unwrap().sign(prepared.to_sign()).unwrap();
    let refused = here.submit(prepared, signature).await.unwrap_err();
    assert!(matches!(refused, ClientError::StatementRefused { .. }), "{refused}");
    // By the right key, over another act.
    let (other, prepared) =
        (here.prepare(Act::Revoke { device: id, reason: None }).await.unwrap(), here.prepare(revoke(id)).await);
    let signature = here.sign_here(&other).await.unwrap();
    let refused = here.submit(prepared.unwrap(), signature).await.unwrap_err();
    assert!(matches!(refused, ClientError::StatementRefused { .. }), "{refused}");
    assert!(machine.host().find_device("laptop 2").is_ok());
    here.act_here(revoke(id)).await.expect("the control");
}

#[tokio::test]
async fn a_statement_is_good_once_in_its_time_on_its_connection() {
    let (machine, owner, _second, id) = with_a_second(Role::Operator).await;
    let (mut here, mut elsewhere) = (session(&owner).await, session(&owner).await);
    here.enrol_here().await.unwrap();
    let mut elsewhere_again = session(&owner).await;
    let nobody = DeviceId::from_bytes([9; 16]);
    // Another connection of the same device.
    let prepared = here.prepare(revoke(id)).await.unwrap();
    let signature = here.sign_here(&prepared).await.unwrap();
    let refused = elsewhere_again.submit(prepared, signature).await.unwrap_err();
    assert!(matches!(refused, ClientError::StatementTooLate { .. }), "{refused}");
    // Too late.
    let prepared = here.prepare(revoke(id)).await.unwrap();
    machine.clock.advance(limits::NONCE_TIME + Duration::from_secs(1));
    let signature = here.sign_here(&prepared).await.unwrap();
    let refused = here.submit(prepared, signature).await.unwrap_err();
    assert!(matches!(refused, ClientError::StatementTooLate { .. }), "{refused}");
    // Twice: the first time it is about nobody, and the nonce is spent all the same.
    let prepared = here.prepare(revoke(nobody)).await.unwrap();
    let signature = here.sign_here(&prepared).await.unwrap();
    let (first, second) = here.submit_twice(prepared, signature).await;
    assert!(matches!(first, Err(ClientError::NotThere { .. })), "{first:?}");
    assert!(matches!(second, Err(ClientError::StatementTooLate { .. })), "{second:?}");
    assert!(machine.host().find_device("laptop 2").is_ok());
    here.act_here(revoke(id)).await.expect("the control");
    assert!(elsewhere.devices().await.is_ok());
}

#[tokio::test]
async fn only_an_owner_sees_the_list_and_takes_access_away() {
    for role in [Role::Viewer, Role::Operator] {
        let (machine, owner, second, _) = with_a_second(role).await;
        let mut there = session(&second).await;
        there.enrol_here().await.unwrap();
        let owner_id = machine.host().find_device("laptop").unwrap().id;
        assert!(matches!(there.devices().await, Err(ClientError::NotAllowed { .. })));
        assert!(matches!(there.prepare(revoke(owner_id)).await, Err(ClientError::NotAllowed { .. })));
        assert!(machine.host().find_device("laptop").is_ok());
        let mut here = session(&owner).await;
        assert_eq!(here.devices().await.unwrap().len(), 2, "the control");
    }
}

/// A device that was an owner when it connected, and is none any more: the machine looks at what it is now.
#[tokio::test]
async fn a_role_that_was_taken_away_is_felt_on_the_open_connection() {
    let (machine, _owner, second, id) = with_a_second(Role::Owner).await;
    let mut there = session(&second).await;
    there.enrol_here().await.unwrap();
    assert_eq!(there.devices().await.unwrap().len(), 2, "the control");
    let change = DeviceChange { role: Some(Role::Viewer), ..DeviceChange::default() };
    machine.host().set_device(id, change).await.unwrap();
    assert!(matches!(there.devices().await, Err(ClientError::NotAllowed { .. })));
    let owner_id = machine.host().find_device("laptop").unwrap().id;
    let refused = there.act_here(revoke(owner_id)).await.unwrap_err();
    assert!(matches!(refused, ClientError::NotAllowed { .. }), "{refused}");
}

#[tokio::test]
async fn a_second_approval_key_needs_a_fresh_offer() {
    let (machine, owner) = pair_of_both().await;
    owner.pair(&machine).await;
    session(&owner).await.enrol_here().await.unwrap();
    let mut here = session(&owner).await;
    let other = KeyPair::generate().unwrap();
    let enrol = || Act::Enrol { key: other.public_key().unwrap(), guard: ApprovalGuard::Lock };
    let prepared = here.prepare(enrol()).await.unwrap();
    let signature = other.sign(prepared.to_sign()).unwrap();
    let refused = here.submit(prepared, signature).await.unwrap_err();
    assert!(matches!(refused, ClientError::OtherApprovalKey { .. }), "{refused}");
    owner.pair(&machine).await;
    let mut here = session(&owner).await;
    assert_eq!(here.enrolled(), None, "the scan took the first one away");
    let prepared = here.prepare(enrol()).await.unwrap();
    let signature = other.sign(prepared.to_sign()).unwrap();
    here.submit(prepared, signature).await.expect("the control");
    let mut here = session(&owner).await;
    assert!(matches!(here.enrol_here().await, Err(ClientError::OtherApprovalKey { .. })));
}

/// Whoever enrols a key must hold it.
#[tokio::test]
async fn a_key_is_enrolled_only_by_who_holds_it_and_never_the_session_key() {
    let (machine, owner) = pair_of_both().await;
    owner.pair(&machine).await;
    let mut here = session(&owner).await;
    let (claimed, held) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let prepared =
        here.prepare(Act::Enrol { key: claimed.public_key().unwrap(), guard: ApprovalGuard::Lock }).await.unwrap();
    let signature = held.sign(prepared.to_sign()).unwrap();
    assert!(matches!(here.submit(prepared, signature).await, Err(ClientError::StatementRefused { .. })));
    let pkcs8 =
        owner.store.0.lock().unwrap().iter().find(|(name, _)| name.starts_with("session-key")).unwrap().1.clone();
    let session_key = KeyPair::from_pkcs8(pkcs8).unwrap();
    let prepared =
        here.prepare(Act::Enrol { key: session_key.public_key().unwrap(), guard: ApprovalGuard::Lock }).await.unwrap();
    let signature = session_key.sign(prepared.to_sign()).unwrap();
    assert!(matches!(here.submit(prepared, signature).await, Err(ClientError::Protocol)));
    assert_eq!(session(&owner).await.enrolled(), None);
}

#[tokio::test]
async fn what_a_revoked_device_held_to_answer_with_is_erased() {
    let (machine, owner, second, id) = with_a_second(Role::Operator).await;
    let mut there = session(&second).await;
    there.enrol_here().await.unwrap();
    assert!(second.store.names().iter().any(|name| name.starts_with("approval-key")), "the control");
    let mut here = session(&owner).await;
    here.enrol_here().await.unwrap();
    here.act_here(revoke(id)).await.unwrap();
    assert!(there.event().await.is_err());
    assert!(second.store.names().is_empty(), "{:?}", second.store.names());
    drop(machine);
}

#[tokio::test]
async fn owners_are_told_of_new_devices_and_others_are_not() {
    let (machine, owner, second, _) = with_a_second(Role::Operator).await;
    let (mut here, mut there) = (session(&owner).await, session(&second).await);
    let third = Device::new(&machine.clock);
    third.pair(&machine).await;
    assert!(matches!(event(&mut here).await, DeviceEvent::DeviceAdded { name, .. } if name == "laptop 3"));
    // Whatever an operator is told next is not the new device: it hears of the machine's end first.
    let clock: Arc<TestClock> = machine.clock.clone();
    drop(clock);
    machine.host().stop().await;
    assert!(matches!(there.event().await, Err(ClientError::Interrupted { .. })));
}

/// What an owner has offered ends with it, also where the disk keeps its revoke from being stored.
#[tokio::test]
async fn an_owner_whose_revoke_could_not_be_stored_leaves_no_offer() {
    let (machine, owner) = pair_of_both().await;
    owner.pair(&machine).await;
    let mut here = session(&owner).await;
    here.enrol_here().await.unwrap();
    here.invite_here(Role::Viewer, None, None).await.unwrap();
    let minted = |machine: &Machine| machine.host().offers().iter().filter(|offer| offer.minted_by.is_some()).count();
    assert_eq!(minted(&machine), 1, "the control");
    let beside = rusqlite::Connection::open(machine.state().join(pairpin_core::host::DATABASE_FILE)).unwrap();
    let fail = "CREATE TRIGGER fail BEFORE INSERT ON tombstones BEGIN SELECT RAISE(ABORT, 'no tombstone'); END";
    beside.execute_batch(fail).unwrap();
    let id = machine.host().find_device("laptop").unwrap().id;
    let failed = machine.host().revoke(id, pairpin_core::host::SHELL, None).await;
    assert!(failed.is_err(), "it was stored: {failed:?}");
    assert_eq!(minted(&machine), 0);
}
