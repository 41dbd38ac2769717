//! Whoever let a device in, and may not any more before it has acknowledged: the join ends at that moment, and the joiner
//! is told why.

use std::time::Duration;

use pairpin_core::client::{Act, ClientError, JoinGranted, JoinTerms, MachineSession};
use pairpin_core::host::{DATABASE_FILE, DeviceChange, SHELL};
use pairpin_core::identity::DeviceId;
use pairpin_core::role::Role;
use pairpin_core::wire::{DeviceEvent, JoinEnd};

use crate::common::{Device, Machine, pair_of_both};
use crate::{approver, asks, secrets};

/// An owner has let a joiner in, which has not typed the digits yet. Another owner looks on.
struct LetIn {
    machine: Machine,
    approver: DeviceId,
    joiner: Device,
    granted: JoinGranted,
    digits: String,
    onlooker: MachineSession,
    _owners: (Device, Device),
}

async fn let_in() -> LetIn {
    let (machine, first) = pair_of_both().await;
    let mut session = approver(&machine, &first).await;
    let approver_id = machine.host().find_device("laptop").unwrap().id;
    let second = Device::new(&machine.clock);
    let mut onlooker = approver(&machine, &second).await;
    let other = machine.host().find_device("laptop 2").unwrap().id;
    session.act_here(Act::SetRole { device: other, role: Role::Owner }).await.unwrap();
    while onlooker.role() != Role::Owner {
        onlooker.event().await.unwrap();
    }
    let (joiner, asked) = asks(&machine).await;
    let join = asked.qr.join;
    let act = session.approve_number(join, asked.number.unwrap(), JoinTerms::default()).await.unwrap();
    let accepted = session.let_in_here(act).await.unwrap();
    let granted = asked.wait().await.unwrap();
    let digits = accepted.digits;
    LetIn { machine, approver: approver_id, joiner, granted, digits, onlooker, _owners: (first, second) }
}

/// The join is over at once, without anybody typing: told to the joiner and to the owners that are left.
async fn is_withdrawn(scene: &mut LetIn, after: &str) {
    let told = tokio::time::timeout(Duration::from_secs(10), scene.granted.ended()).await;
    let told = told.unwrap_or_else(|_| panic!("after {after} the joiner is not told"));
    assert_eq!(told, ClientError::JoinWithdrawn, "after {after}");
    assert_eq!(secrets(&scene.joiner), Vec::<String>::new(), "after {after}");
    let gone = async {
        loop {
            if let DeviceEvent::JoinGone { end: JoinEnd::Withdrawn, by, .. } = scene.onlooker.event().await.unwrap() {
                return by;
            }
        }
    };
    let by = tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the others are told");
    assert_eq!(by.as_deref(), Some("“laptop”"), "after {after}");
    let names: Vec<String> = scene.machine.host().devices().into_iter().map(|device| device.name).collect();
    assert!(!names.iter().any(|name| name == "laptop 3"), "after {after}: {names:?}");
}

#[tokio::test]
async fn a_join_that_was_let_in_comes_in_while_its_owner_stands() {
    let scene = let_in().await;
    // Changes that leave the owner as it was take nothing away.
    let change = DeviceChange { idle: Some(Duration::from_secs(86_400)), lift: true, ..DeviceChange::default() };
    scene.machine.host().set_device(scene.approver, change).await.unwrap();
    scene.machine.host().rename_device(scene.approver, "phone").await.unwrap();
    scene.granted.typed(&scene.digits).await.expect("the control");
    assert!(scene.machine.host().find_device("laptop").is_ok());
}

#[tokio::test]
async fn a_revoke_by_another_owner_or_at_the_shell_withdraws_it() {
    let mut scene = let_in().await;
    let device = scene.approver;
    scene.onlooker.act_here(Act::Revoke { device, reason: None }).await.unwrap();
    is_withdrawn(&mut scene, "a revoke by another owner").await;
    let mut scene = let_in().await;
    scene.machine.host().revoke(scene.approver, SHELL, None).await.unwrap();
    is_withdrawn(&mut scene, "a revoke at the shell").await;
}

#[tokio::test]
async fn an_owner_that_unpairs_itself_withdraws_what_it_let_in() {
    let mut scene = let_in().await;
    let row = scene._owners.0.client.machines().await.unwrap()[0].row;
    scene._owners.0.client.forget(row).await.unwrap();
    is_withdrawn(&mut scene, "its own goodbye").await;
}

#[tokio::test]
async fn a_demotion_and_the_loss_of_its_approval_key_withdraw_it() {
    for (act, after) in [
        (Act::SetRole { device: DeviceId::from_bytes([0; 16]), role: Role::Operator }, "a demotion"),
        (Act::ForgetKey { device: DeviceId::from_bytes([0; 16]) }, "its approval key was forgotten"),
    ] {
        let mut scene = let_in().await;
        let device = scene.approver;
        let act = match act {
            Act::SetRole { role, .. } => Act::SetRole { device, role },
            _ => Act::ForgetKey { device },
        };
        scene.onlooker.change_here(act).await.unwrap();
        is_withdrawn(&mut scene, after).await;
    }
}

#[tokio::test]
async fn a_fresh_offer_to_its_owner_withdraws_it_with_the_key_that_said_yes() {
    let mut scene = let_in().await;
    scene._owners.0.pair(&scene.machine).await;
    is_withdrawn(&mut scene, "its owner paired again").await;
}

#[tokio::test]
async fn a_suspension_withdraws_it() {
    let mut scene = let_in().await;
    // Its token becomes one that was replaced long ago, and is used again.
    let owner = &scene._owners.0;
    let copy = owner.store.0.lock().unwrap().clone();
    let row = owner.client.machines().await.unwrap()[0].row;
    for _ in 0..2 {
        scene.machine.clock.advance(Duration::from_secs(25 * 60 * 60));
        let _ = owner.client.check(row).await.unwrap();
    }
    // The clock's leap has ended the join's own two minutes: it is let in anew.
    drop(scene.granted);
    let (joiner, asked) = asks(&scene.machine).await;
    let mut session = owner.client.open_session(row).await.unwrap();
    let act = session.approve_number(asked.qr.join, asked.number.unwrap(), JoinTerms::default()).await.unwrap();
    scene.digits = session.let_in_here(act).await.unwrap().digits;
    scene.granted = asked.wait().await.unwrap();
    scene.joiner = joiner;
    scene.onlooker = {
        let row = scene._owners.1.client.machines().await.unwrap()[0].row;
        scene._owners.1.client.open_session(row).await.unwrap()
    };
    scene.machine.clock.advance(Duration::from_secs(61));
    *owner.store.0.lock().unwrap() = copy;
    let suspended = owner.other_process().open_session(row).await.err();
    assert!(matches!(suspended, Some(ClientError::Suspended { .. })), "{suspended:?}");
    is_withdrawn(&mut scene, "a suspension").await;
}

/// A revoke that could not be stored keeps the device out all the same, and what it let in.
#[tokio::test]
async fn a_revoke_that_could_not_be_stored_withdraws_it_too() {
    let mut scene = let_in().await;
    let beside = rusqlite::Connection::open(scene.machine.state().join(DATABASE_FILE)).unwrap();
    let fail = "CREATE TRIGGER fail BEFORE INSERT ON tombstones BEGIN SELECT RAISE(ABORT, 'no tombstone'); END";
    beside.execute_batch(fail).unwrap();
    assert!(scene.machine.host().revoke(scene.approver, SHELL, None).await.is_err());
    is_withdrawn(&mut scene, "a revoke that could not be stored").await;
}

/// The digits typed and the owner revoked in the same moment: either a device by an owner that stood, or nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoke_and_the_digits_at_once_leave_a_device_only_where_it_was_there_first() {
    for round in 0..6 {
        let scene = let_in().await;
        let host = scene.machine.host().clone();
        let revoke = async {
            for _ in 0..round * 40 {
                tokio::task::yield_now().await;
            }
            host.revoke(scene.approver, SHELL, None).await.unwrap();
        };
        let (typed, ()) = tokio::join!(scene.granted.typed(&scene.digits), revoke);
        let lines = host.audit_tail(10).await.unwrap();
        let at = |kind: &str| lines.iter().position(|line| line.kind == kind);
        match at("let-in") {
            Some(let_in) => assert!(Some(let_in) < at("revoked"), "{lines:?}"),
            None => assert!(typed.is_err(), "{typed:?}"),
        }
    }
}
