//! Flow (c) over real TLS, real sockets and real SQLite: a device without an offer asks, an owner's device or
//! the machine's shell lets it in. What must go wrong for whom is in `attacks`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
#[path = "../common/mod.rs"]
mod common;
#[path = "../faults/mod.rs"]
mod faults;
mod owner;
#[path = "../peer/mod.rs"]
mod peer;
mod returns;
mod statements;
mod withdrawn;

use std::time::Duration;

use common::{Device, Machine, pair_of_both};
use pairpin_core::client::{ClientError, JoinAsked, JoinTerms, MachineSession, MachineState};
use pairpin_core::host::{Host, HostError};
use pairpin_core::join_qr::JoinQr;
use pairpin_core::qr::{QrCode, decode_image_file_bytes};
use pairpin_core::role::Role;
use pairpin_core::wire::{DenyThen, DeviceEvent, JoinEnd, JoinListed, JoinNumber, limits};

/// Waits until so many joins are shown.
pub async fn shown(host: &Host, count: usize) -> Vec<JoinListed> {
    let waiting = async {
        loop {
            let joins = host.joins();
            if joins.len() == count {
                return joins;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("not shown within 20 s")
}

/// An owner's session whose approval key is enrolled.
pub async fn approver(machine: &Machine, owner: &Device) -> MachineSession {
    let row = owner.pair(machine).await.machine.row;
    let mut session = owner.client.open_session(row).await.unwrap();
    session.enrol_here().await.unwrap();
    session
}

/// A fresh device that asks, and is shown.
pub async fn asks(machine: &Machine) -> (Device, JoinAsked) {
    let joiner = Device::new(&machine.clock);
    let before = machine.host().joins().len();
    let asked = joiner.client.ask_to_join(machine.address()).await.unwrap();
    shown(machine.host(), before + 1).await;
    (joiner, asked)
}

/// Another number than this one.
pub fn another(number: JoinNumber) -> JoinNumber {
    let digits = number.digits();
    let first = if digits.starts_with('0') { "1" } else { "0" };
    JoinNumber::parse(&format!("{first}{}", &digits[1..])).unwrap()
}

fn other_digits(digits: &str) -> String {
    format!("{}{}", if digits.starts_with('0') { "1" } else { "0" }, &digits[1..])
}

/// What it keeps in its secret store, by name.
fn secrets(device: &Device) -> Vec<String> {
    device.store.names()
}

async fn last_lines(machine: &Machine) -> Vec<String> {
    machine.host().audit_tail(20).await.unwrap().into_iter().map(|line| line.text).collect()
}

#[tokio::test]
async fn a_device_is_let_in_by_its_number_with_the_role_name_and_life_that_the_owner_gives() {
    let (machine, owner) = pair_of_both().await;
    let mut session = approver(&machine, &owner).await;
    let (joiner, asked) = asks(&machine).await;
    // Told at once on the live connection.
    let DeviceEvent::JoinPending(listed) = session.event().await.unwrap() else { panic!("not told") };
    assert_eq!((listed.name.as_str(), listed.from.as_str()), ("laptop", "127.0.0.1"));
    assert!(!listed.same_network && listed.number && listed.seconds_left <= 600 && listed.revoked_by.is_none());
    assert_eq!(session.joins().await.unwrap()[0].join, asked.qr.join);

    let terms =
        JoinTerms { role: Some(Role::Viewer), name: Some("guest".into()), absolute_seconds: Some(7 * 24 * 60 * 60) };
    let act = session.approve_number(listed.join, asked.number.unwrap(), terms).await.unwrap();
    let accepted = session.let_in_here(act).await.unwrap();
    assert_eq!((accepted.name.as_str(), accepted.role), ("guest", Role::Viewer));
    let granted = asked.wait().await.unwrap();
    assert!(machine.host().devices().iter().all(|device| device.name != "guest"), "not before the digits");
    assert!(!secrets(&joiner).iter().any(|name| !name.starts_with("session-key")), "nothing but a key in making");
    let paired = granted.typed(&accepted.digits).await.unwrap();
    assert_eq!((paired.role, paired.digits.as_deref()), (Role::Viewer, Some(accepted.digits.as_str())));

    let device = machine.host().devices().into_iter().find(|device| device.name == "guest").unwrap();
    assert_eq!((device.absolute_seconds, device.paired_how.as_str()), (7 * 24 * 60 * 60, "join"));
    let let_in = device.let_in.unwrap();
    assert_eq!((let_in.how.as_str(), let_in.over.as_str()), ("number", "loopback"));
    assert!(let_in.device.is_some());
    let lines = last_lines(&machine).await;
    let said = format!("paired “guest” as viewer from 127.0.0.1, let in by “{}”, by number, loopback", let_in.by);
    assert!(lines.iter().any(|line| line.contains(&said)), "{lines:?}");
    // It is a device like any other now.
    assert!(matches!(joiner.client.check(paired.machine.row).await.unwrap().state, MachineState::Online { .. }));
    let gone = session.event().await.unwrap();
    assert!(matches!(gone, DeviceEvent::JoinGone { end: JoinEnd::Accepted, .. }), "{gone:?}");
    assert!(matches!(session.event().await.unwrap(), DeviceEvent::DeviceAdded { .. }));
}

#[tokio::test]
async fn an_owner_may_let_in_another_owner() {
    let (machine, owner) = pair_of_both().await;
    let mut session = approver(&machine, &owner).await;
    let (_joiner, asked) = asks(&machine).await;
    let terms = JoinTerms { role: Some(Role::Owner), ..JoinTerms::default() };
    let act = session.approve_number(asked.qr.join, asked.number.unwrap(), terms).await.unwrap();
    assert_eq!(session.let_in_here(act).await.unwrap().role, Role::Owner);
}

#[tokio::test]
async fn a_device_is_let_in_by_a_picture_of_its_qr() {
    let (machine, owner) = pair_of_both().await;
    let mut session = approver(&machine, &owner).await;
    let (_joiner, asked) = asks(&machine).await;
    let picture = QrCode::of_join(&asked.qr).unwrap().render_png(8);
    let qr = JoinQr::parse(&decode_image_file_bytes(&picture).unwrap()).unwrap();
    let found = owner.client.machine_of_join(&qr).await.unwrap();
    assert_eq!(found.pin, machine.host().status().pin);
    let act = session.approve_scanned(&qr, JoinTerms::default()).await.unwrap();
    let accepted = session.let_in_here(act).await.unwrap();
    let paired = asked.wait().await.unwrap().typed(&accepted.digits).await.unwrap();
    assert_eq!(paired.role, Role::Operator);
    let device = machine.host().devices().into_iter().find(|device| device.let_in.is_some()).unwrap();
    assert_eq!(device.let_in.unwrap().how.as_str(), "scan");
}

#[tokio::test]
async fn the_shell_lets_a_device_in_by_its_number_and_not_by_another() {
    let (machine, _) = pair_of_both().await;
    let (_joiner, asked) = asks(&machine).await;
    let (join, number) = (asked.qr.join, asked.number.unwrap());
    assert_eq!(machine.host().find_join(&join.text()[..4]).unwrap().join, join);
    let accepted = machine.host().approve_join(join, number, None, Some("desk")).await.unwrap();
    assert_eq!(accepted.role, Role::Owner, "the first device, as with an offer");
    asked.wait().await.unwrap().typed(&accepted.digits).await.unwrap();
    let device = machine.host().devices().remove(0);
    assert_eq!((device.name.as_str(), device.let_in.unwrap().by.as_str()), ("desk", pairpin_core::host::SHELL));

    let (joiner, asked) = asks(&machine).await;
    let (join, number) = (asked.qr.join, asked.number.unwrap());
    let error = machine.host().approve_join(join, another(number), None, None).await.unwrap_err();
    assert!(matches!(error, HostError::NotThatJoin), "{error}");
    let error = machine.host().approve_join(join, number, None, None).await.unwrap_err();
    assert!(matches!(error, HostError::NoJoin(_)), "one attempt: {error}");
    assert!(matches!(asked.wait().await, Err(ClientError::JoinDenied)));
    assert_eq!(secrets(&joiner), Vec::<String>::new());
    assert_eq!(machine.host().devices().len(), 1);
}

#[tokio::test]
async fn of_two_that_the_shell_lets_in_as_the_first_device_one_is_owner() {
    let (machine, _) = pair_of_both().await;
    let mut granted = Vec::new();
    for _ in 0..2 {
        let (joiner, asked) = asks(&machine).await;
        let accepted = machine.host().approve_join(asked.qr.join, asked.number.unwrap(), None, None).await.unwrap();
        let waiting = asked.wait().await.unwrap();
        assert_eq!((accepted.role, waiting.role), (Role::Owner, Role::Owner), "as things stand then");
        granted.push((joiner, waiting, accepted.digits));
    }
    let mut roles = Vec::new();
    for (_joiner, waiting, digits) in granted {
        roles.push(waiting.typed(&digits).await.unwrap().role);
    }
    assert_eq!(roles, [Role::Owner, Role::Operator]);
    // A role that was named is that role: the control.
    let (_joiner, asked) = asks(&machine).await;
    let (join, number) = (asked.qr.join, asked.number.unwrap());
    let accepted = machine.host().approve_join(join, number, Some(Role::Owner), None).await.unwrap();
    assert_eq!(asked.wait().await.unwrap().typed(&accepted.digits).await.unwrap().role, Role::Owner);
}

#[tokio::test]
async fn a_no_reaches_the_joiner_and_may_close_the_door() {
    let (machine, owner) = pair_of_both().await;
    let mut session = approver(&machine, &owner).await;
    let (joiner, asked) = asks(&machine).await;
    session.deny_join(asked.qr.join, Some(DenyThen::BlockSource)).await.unwrap();
    assert!(matches!(asked.wait().await, Err(ClientError::JoinDenied)));
    assert_eq!(secrets(&joiner), Vec::<String>::new());
    let asked = joiner.client.ask_to_join(machine.address()).await;
    assert!(matches!(asked, Err(ClientError::NoJoins)), "an hour long");
    assert_eq!(secrets(&joiner), Vec::<String>::new());
    machine.clock.advance(limits::JOIN_CLOSED_TIME);
    let asked = joiner.client.ask_to_join(machine.address()).await.unwrap();
    shown(machine.host(), 1).await;
    let error = session.deny_join(pairpin_core::wire::JoinId::from_bytes([1; 5]), None).await.unwrap_err();
    assert!(matches!(error, ClientError::NotThere { .. }), "{error:?}");
    drop(asked);
    shown(machine.host(), 0).await;
}

#[tokio::test]
async fn nobody_answers_for_ten_minutes_and_the_join_is_over() {
    let (machine, owner) = pair_of_both().await;
    let mut session = approver(&machine, &owner).await;
    let (joiner, asked) = asks(&machine).await;
    let (join, number) = (asked.qr.join, asked.number.unwrap());
    let act = session.approve_number(join, number, JoinTerms::default()).await.unwrap();
    machine.clock.advance(limits::JOIN_TIME);
    assert!(matches!(asked.wait().await, Err(ClientError::JoinExpired)));
    assert!(matches!(session.let_in_here(act).await, Err(ClientError::NotThere { .. })));
    assert_eq!((secrets(&joiner), machine.host().devices().len()), (Vec::new(), 1));
}

#[tokio::test]
async fn who_is_let_in_and_does_not_type_in_time_is_no_device() {
    let (machine, owner) = pair_of_both().await;
    let mut session = approver(&machine, &owner).await;
    let (joiner, asked) = asks(&machine).await;
    let act = session.approve_number(asked.qr.join, asked.number.unwrap(), JoinTerms::default()).await.unwrap();
    let accepted = session.let_in_here(act).await.unwrap();
    let granted = asked.wait().await.unwrap();
    machine.clock.advance(limits::JOIN_ACKNOWLEDGE_TIME);
    // The machine hangs up by itself; typing then, or a little before it has, comes to the same.
    let late = granted.typed(&accepted.digits).await;
    assert!(matches!(late, Err(ClientError::JoinExpired)), "{late:?}");
    assert_eq!((secrets(&joiner), machine.host().devices().len()), (Vec::new(), 1));
    // What is left of it does not stand in the way.
    machine.clock.advance(limits::JOIN_TIME);
    let asked = joiner.client.ask_to_join(machine.address()).await.unwrap();
    let listed = shown(machine.host(), 1).await;
    let accepted = machine.host().approve_join(listed[0].join, asked.number.unwrap(), None, None).await.unwrap();
    asked.wait().await.unwrap().typed(&accepted.digits).await.unwrap();
    assert_eq!(machine.host().devices().len(), 2);
}

#[tokio::test]
async fn wrong_digits_store_nothing_on_either_side() {
    let (machine, _) = pair_of_both().await;
    let (joiner, asked) = asks(&machine).await;
    let accepted = machine.host().approve_join(asked.qr.join, asked.number.unwrap(), None, None).await.unwrap();
    let granted = asked.wait().await.unwrap();
    let error = granted.typed(&other_digits(&accepted.digits)).await.unwrap_err();
    assert!(matches!(error, ClientError::JoinDigitsWrong), "{error:?}");
    assert_eq!((secrets(&joiner), machine.host().devices().len()), (Vec::new(), 0));
    assert!(joiner.client.machines().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_device_that_is_paired_is_told_so_and_asks_nobody() {
    let (machine, owner) = pair_of_both().await;
    owner.pair(&machine).await;
    let error = owner.client.ask_to_join(machine.address()).await.err().unwrap();
    assert!(matches!(error, ClientError::AlreadyPaired { .. }), "{error:?}");
    assert!(machine.host().joins().is_empty());
}

#[tokio::test]
async fn the_fourth_of_a_source_in_an_hour_is_shown_to_nobody_and_told_so() {
    let (machine, _) = pair_of_both().await;
    let mut kept = Vec::new();
    for _ in 0..limits::JOIN_PROMPTS_PER_SOURCE {
        kept.push(asks(&machine).await);
    }
    let joiner = Device::new(&machine.clock);
    let asked = joiner.client.ask_to_join(machine.address()).await.unwrap();
    assert_eq!(asked.number, None, "and it takes no slot");
    assert!(matches!(asked.wait().await, Err(ClientError::JoinNotShown)));
    assert_eq!(machine.host().joins().len(), limits::JOIN_PROMPTS_PER_SOURCE);
}

#[tokio::test]
async fn a_waiting_joiner_outlives_the_time_of_strangers() {
    let (machine, _) = pair_of_both().await;
    let (_joiner, asked) = asks(&machine).await;
    let waiting = tokio::spawn(asked.wait());
    let ended = tokio::time::timeout(limits::STRANGER_TIME + Duration::from_secs(2), async {
        while !waiting.is_finished() {
            tokio::task::yield_now().await;
        }
    });
    assert!(ended.await.is_err(), "it was cut as a stranger");
    assert_eq!(machine.host().joins().len(), 1);
}
