//! What an owner's device changes about others from afar, over real TLS: roles, suspensions, approval keys. Who may
//! not is refused in each cell that the table of requests has, and stands beside a control.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod hand;

use std::time::Duration;

use common::{Device, Machine};
use hand::{ByHand, addressee, device, kept, machine, question, rightly_made};
use pairpin_core::client::{Act, ClientError, MachineSession};
use pairpin_core::handshake::{Stated, Statement};
use pairpin_core::host::{DATABASE_FILE, DeviceChange};
use pairpin_core::identity::{DeviceId, KeyPair, PublicKey};
use pairpin_core::role::Role;
use pairpin_core::wire::*;
use serde_json::{Value, json};

async fn session(device: &Device) -> MachineSession {
    let row = device.client.machines().await.unwrap()[0].row;
    device.client.open_session(row).await.unwrap()
}

fn role(machine: &Machine, device: DeviceId) -> Role {
    machine.host().find_device(&device.text()).unwrap().role
}

async fn last_line(machine: &Machine) -> String {
    machine.host().audit_tail(1).await.unwrap().pop().unwrap().text
}

/// The next event that `wanted` picks.
async fn event<T>(session: &mut MachineSession, wanted: impl Fn(DeviceEvent) -> Option<T>) -> T {
    let told = async {
        loop {
            if let Some(found) = wanted(session.event().await.unwrap()) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("told in time")
}

fn changed(event: DeviceEvent) -> Option<(DeviceId, Role, bool, String)> {
    match event {
        DeviceEvent::DeviceChanged { device, role, suspended, by, .. } => Some((device, role, suspended, by)),
        _ => None,
    }
}

#[tokio::test]
async fn a_role_set_from_afar_is_felt_on_the_open_connection_in_both_directions() {
    let machine = machine().await;
    let (_phone, mut owner, _) = device(&machine, Role::Owner).await;
    let (_laptop, mut other, id) = device(&machine, Role::Viewer).await;
    assert!(matches!(other.devices().await, Err(ClientError::NotAllowed { role: Role::Viewer, .. })), "the control");
    let set = owner.change_here(Act::SetRole { device: id, role: Role::Owner }).await.unwrap();
    assert_eq!((set.name.as_str(), set.role, set.changed), ("laptop 2", Role::Owner, true));
    assert_eq!(event(&mut other, changed).await, (id, Role::Owner, false, "“laptop”".to_owned()));
    assert_eq!((other.role(), other.devices().await.unwrap().len()), (Role::Owner, 2));
    assert_eq!(last_line(&machine).await, "set “laptop 2” to role owner, by “laptop”");
    owner.change_here(Act::SetRole { device: id, role: Role::Operator }).await.unwrap();
    // Not the device's own sense of it alone: the machine refuses what it is asked all the same.
    let refused = other.ask_anything("devices", json!({})).await.unwrap();
    assert_eq!(refused.unwrap_err(), RequestError::Role.code());
    assert_eq!(event(&mut other, changed).await.1, Role::Operator);
    let again = owner.change_here(Act::SetRole { device: id, role: Role::Operator }).await.unwrap();
    assert!(!again.changed);
}

/// Writes beside the stopped machine.
fn beside(machine: &std::path::Path, sql: &str) {
    rusqlite::Connection::open(machine.join(DATABASE_FILE)).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_suspended_device_is_listed_so_from_afar_and_lifted() {
    let mut machine = machine().await;
    let (phone, _, _) = device(&machine, Role::Owner).await;
    let (laptop, _, id) = device(&machine, Role::Operator).await;
    let sql = "UPDATE devices SET suspended_at = 5, suspended_why = 'its token was used again' WHERE role = 'operator'";
    machine.restart(false, |state| beside(&state, sql)).await;
    let row = laptop.client.machines().await.unwrap()[0].row;
    assert!(matches!(laptop.client.open_session(row).await, Err(ClientError::Suspended { .. })), "the control");
    let mut owner = session(&phone).await;
    let listed = owner.devices().await.unwrap().into_iter().find(|device| device.id == id).unwrap();
    assert_eq!(listed.suspended.as_deref(), Some("its token was used again"));
    assert!(owner.change_here(Act::Lift { device: id }).await.unwrap().changed);
    assert_eq!(last_line(&machine).await, "“laptop 2” is suspended no more, by “laptop”");
    assert!(owner.devices().await.unwrap().iter().all(|device| device.suspended.is_none()));
    laptop.client.open_session(row).await.unwrap();
    assert!(!owner.change_here(Act::Lift { device: id }).await.unwrap().changed, "it was not suspended any more");
    let gone = owner.change_here(Act::Lift { device: DeviceId::from_bytes([9; 16]) }).await.unwrap_err();
    assert!(matches!(gone, ClientError::NotThere { .. }), "{gone}");
}

#[tokio::test]
async fn the_last_owner_demotes_itself_never_and_any_other_when_it_stays() {
    let machine = machine().await;
    let (_phone, mut first, one) = device(&machine, Role::Owner).await;
    let demote = |device| Act::SetRole { device, role: Role::Operator };
    let refused = first.change_here(demote(one)).await.unwrap_err();
    assert!(matches!(refused, ClientError::LastOwner { .. }), "{refused}");
    let (_tablet, mut second, two) = device(&machine, Role::Owner).await;
    first.change_here(demote(two)).await.expect("another, while it stays");
    assert!(matches!(second.change_here(demote(one)).await, Err(ClientError::NotAllowed { .. })));
    let refused = first.change_here(demote(one)).await.unwrap_err();
    assert!(matches!(refused, ClientError::LastOwner { .. }), "{refused}");
    first.change_here(Act::SetRole { device: two, role: Role::Owner }).await.unwrap();
    first.change_here(demote(one)).await.expect("the control: itself, while another is owner");
    assert_eq!((role(&machine, one), role(&machine, two)), (Role::Operator, Role::Owner));
}

/// A suspended owner cannot act: it does not count as the one that is left.
#[tokio::test]
async fn an_owner_that_is_suspended_is_not_the_one_that_is_left() {
    let mut machine = machine().await;
    let (phone, _, one) = device(&machine, Role::Owner).await;
    let (_tablet, _, _) = device(&machine, Role::Owner).await;
    let sql = "UPDATE devices SET suspended_at = 5, suspended_why = 'theft' WHERE name = 'laptop 2'";
    machine.restart(false, |state| beside(&state, sql)).await;
    let mut first = session(&phone).await;
    let refused = first.change_here(Act::SetRole { device: one, role: Role::Viewer }).await.unwrap_err();
    assert!(matches!(refused, ClientError::LastOwner { .. }), "{refused}");
}

/// Two owners, all four pairs of demotes at once: one owner is left, whoever comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_owners_that_demote_at_once_leave_one() {
    let machine = machine().await;
    let (_phone, mut first, one) = device(&machine, Role::Owner).await;
    let (_tablet, mut second, two) = device(&machine, Role::Owner).await;
    let (mut refused_as_last, mut refused_as_fallen) = (0, 0);
    for round in 0..12 {
        // Each of itself, each of the other, both of the same one.
        let (by_first, by_second) = [(one, two), (two, one), (one, one), (two, two)][round % 4];
        let sign = async |session: &mut MachineSession, device| {
            let prepared = session.prepare(Act::SetRole { device, role: Role::Operator }).await.unwrap();
            let signature = session.sign_here(&prepared).await.unwrap();
            (prepared, signature)
        };
        let (a, b) = (sign(&mut first, by_first).await, sign(&mut second, by_second).await);
        let (a, b) = tokio::join!(first.submit(a.0, a.1), second.submit(b.0, b.1));
        let owners = machine.host().status().owners;
        assert!(owners >= 1, "round {round}: {a:?}, {b:?}");
        for outcome in [a, b] {
            match outcome {
                Ok(_) => {}
                Err(ClientError::LastOwner { .. }) => refused_as_last += 1,
                Err(ClientError::NotAllowed { .. }) => refused_as_fallen += 1,
                Err(other) => panic!("{other}"),
            }
        }
        for device in [one, two] {
            let change = DeviceChange { role: Some(Role::Owner), ..DeviceChange::default() };
            machine.host().set_device(device, change).await.unwrap();
        }
        for session in [&mut first, &mut second] {
            while session.role() != Role::Owner {
                session.event().await.unwrap();
            }
        }
    }
    assert!(refused_as_last >= 3 && refused_as_fallen >= 3, "{refused_as_last} {refused_as_fallen}");
}

#[tokio::test]
async fn what_is_about_oneself_is_refused_where_it_takes_another() {
    let machine = machine().await;
    let (_phone, mut owner, own) = device(&machine, Role::Owner).await;
    let (_tablet, _, other) = device(&machine, Role::Owner).await;
    let forget = owner.change_here(Act::ForgetKey { device: own }).await.unwrap_err();
    assert!(matches!(forget, ClientError::Itself { .. }), "{forget}");
    let revoke = owner.act_here(Act::Revoke { device: own, reason: None }).await.unwrap_err();
    assert!(matches!(revoke, ClientError::Itself { .. }), "{revoke}");
    assert!(machine.host().find_device(&own.text()).unwrap().approval.is_some());
    assert!(owner.change_here(Act::ForgetKey { device: other }).await.unwrap().changed, "the control");
}

/// Brings another approval key on this session.
async fn bring(session: &mut MachineSession) -> Result<PublicKey, ClientError> {
    let pair = KeyPair::generate().unwrap();
    let key = pair.public_key().unwrap();
    let prepared = session.prepare(Act::Enrol { key, guard: ApprovalGuard::Lock }).await?;
    let signature = pair.sign(prepared.to_sign()).unwrap();
    session.submit(prepared, signature).await.map(|_| key)
}

#[tokio::test]
async fn a_second_approval_key_needs_a_fresh_offer_another_owner_or_the_console_and_nothing_else_does() {
    let mut machine = machine().await;
    let (_phone, mut owner, _) = device(&machine, Role::Owner).await;
    let (laptop, mut there, id) = device(&machine, Role::Operator).await;
    let refused = |result: Result<PublicKey, ClientError>, after: &str| {
        assert!(matches!(result, Err(ClientError::OtherApprovalKey { .. })), "after {after}: {result:?}");
    };
    refused(bring(&mut there).await, "nothing");
    // What else happens to a device takes its key not away.
    for role in [Role::Viewer, Role::Owner, Role::Operator] {
        owner.change_here(Act::SetRole { device: id, role }).await.unwrap();
        refused(bring(&mut there).await, "another role");
    }
    let change = DeviceChange { idle: Some(Duration::from_secs(600)), lift: true, ..DeviceChange::default() };
    machine.host().set_device(id, change).await.unwrap();
    machine.host().rename_device(id, "other").await.unwrap();
    owner.change_here(Act::Lift { device: id }).await.unwrap();
    refused(bring(&mut there).await, "a lift, a name, a lifetime");
    refused(bring(&mut session(&laptop).await).await, "a new connection");
    machine.restart(false, |_| ()).await;
    let mut there = session(&laptop).await;
    refused(bring(&mut there).await, "a restart");
    // The console.
    let forget = DeviceChange { forget_approval_key: true, ..DeviceChange::default() };
    machine.host().set_device(id, forget.clone()).await.unwrap();
    assert_eq!(last_line(&machine).await, "the approval key of “other” is forgotten");
    bring(&mut there).await.expect("the console");
    refused(bring(&mut there).await, "the console's once");
    // Another owner.
    let mut owner = session(&_phone).await;
    assert!(owner.change_here(Act::ForgetKey { device: id }).await.unwrap().changed);
    assert_eq!(last_line(&machine).await, "the approval key of “other” is forgotten, by “laptop”");
    bring(&mut there).await.expect("another owner");
    // A fresh offer.
    laptop.pair(&machine).await;
    let mut there = session(&laptop).await;
    assert_eq!(there.enrolled(), None);
    bring(&mut there).await.expect("a fresh offer");
    refused(bring(&mut there).await, "the fresh offer's once");
}

/// The same key, guarded by something else, is no second key.
#[tokio::test]
async fn a_device_says_how_its_key_is_guarded_from_now_on_by_that_very_key() {
    let machine = machine().await;
    let (phone, mut there, id) = device(&machine, Role::Owner).await;
    let guard = || machine.host().find_device(&id.text()).unwrap().approval;
    assert_eq!(guard(), Some(ApprovalGuard::Nothing));
    let key = there.enrolled().unwrap();
    let prepared = there.prepare(Act::Enrol { key, guard: ApprovalGuard::Passphrase }).await.unwrap();
    let forged = KeyPair::generate().unwrap().sign(prepared.to_sign()).unwrap();
    let refused = there.submit(prepared, forged).await.unwrap_err();
    assert!(matches!(refused, ClientError::StatementRefused { .. }), "{refused}");
    assert_eq!(guard(), Some(ApprovalGuard::Nothing));
    let prepared = there.prepare(Act::Enrol { key, guard: ApprovalGuard::Passphrase }).await.unwrap();
    let signature = there.sign_here(&prepared).await.unwrap();
    there.submit(prepared, signature).await.unwrap();
    assert_eq!(guard(), Some(ApprovalGuard::Passphrase));
    let welcomed = session(&phone).await;
    assert_eq!((welcomed.enrolled(), welcomed.enrolled_guard()), (Some(key), Some(ApprovalGuard::Passphrase)));
}

/// What anybody's act could have changed.
fn standing(machine: &Machine) -> String {
    let mut devices = machine.host().devices();
    devices.iter_mut().for_each(|device| (device.last_seen, device.expires_at, device.connected) = (None, 0, 0));
    format!("{devices:?} {:?} {}", machine.host().tombstones(), machine.host().offers().len())
}

#[tokio::test]
async fn an_operator_with_an_approval_key_of_its_own_does_none_of_an_owners_acts() {
    for role in [Role::Operator, Role::Viewer] {
        let machine = machine().await;
        let (_phone, mut owner, owner_id) = device(&machine, Role::Owner).await;
        let (laptop, mut there, id) = device(&machine, role).await;
        let key = kept(&laptop, "approval-key");
        let before = standing(&machine);
        let acts: Vec<Method> =
            Method::ALL.iter().copied().filter(|method| method.least_role() == Role::Owner).collect();
        assert!(acts.len() >= 9, "{acts:?}");
        for method in acts.iter().copied().filter(|method| method.statement().is_some()) {
            for about in [owner_id, id] {
                let (stated, params) = rightly_made(method, id, about, key.public_key().unwrap(), "");
                let mut hand = ByHand { session: &mut there, addressee: addressee(&machine) };
                let refused = hand.send(method, &stated, &params, &key).await;
                assert_eq!(refused, Some(RequestError::Role), "{method:?} by {role} about {about:?}");
            }
        }
        for method in acts.iter().filter(|method| method.statement().is_none()) {
            let answer = there.ask_anything(method.as_str(), json!({ "join": JoinId::from_bytes([7; 5]) })).await;
            assert_eq!(answer.unwrap().unwrap_err(), RequestError::Role.code(), "{method:?} by {role}");
        }
        assert_eq!(standing(&machine), before);
        let control = owner.change_here(Act::SetRole { device: id, role: Role::Owner }).await;
        assert!(control.unwrap().changed, "the control");
    }
}

#[tokio::test]
async fn an_owners_session_key_without_its_approval_key_states_nothing() {
    let machine = machine().await;
    let (phone, mut there, own) = device(&machine, Role::Owner).await;
    let (_laptop, _, other) = device(&machine, Role::Operator).await;
    let (session_key, approval_key) = (kept(&phone, "session-key"), kept(&phone, "approval-key"));
    let waiting = machine.host().ask(question()).await.unwrap();
    let ask = waiting.shown().id.clone();
    let before = standing(&machine);
    let stated: Vec<Method> = Method::ALL.iter().copied().filter(|method| method.statement().is_some()).collect();
    assert!(stated.len() >= 8, "{stated:?}");
    for method in stated.iter().copied() {
        let (words, params) = rightly_made(method, own, other, approval_key.public_key().unwrap(), &ask);
        let mut hand = ByHand { session: &mut there, addressee: addressee(&machine) };
        let refused = hand.send(method, &words, &params, &session_key).await;
        assert_eq!(refused, Some(RequestError::Statement), "{method:?} by the session key");
        let unsigned = there.ask_anything(method.as_str(), params).await.unwrap();
        assert_eq!(unsigned.unwrap_err(), RequestError::Params.code(), "{method:?} without a signature");
    }
    assert_eq!(standing(&machine), before);
    assert_eq!(machine.host().asks().len(), 1, "nobody has said yes");
    // The control: the same words by the right key are no matter of the signature. Revoke comes last of all.
    let last = |method: &&Method| **method == Method::Revoke;
    for method in stated.iter().filter(|method| !last(method)).chain(stated.iter().filter(last)).copied() {
        let (words, params) = rightly_made(method, own, other, approval_key.public_key().unwrap(), &ask);
        let mut hand = ByHand { session: &mut there, addressee: addressee(&machine) };
        let answer = hand.send(method, &words, &params, &approval_key).await;
        let wanted = match method {
            // Of another hash than was shown.
            Method::Accept => Some(RequestError::Statement),
            Method::ApproveJoin => Some(RequestError::Gone),
            _ => None,
        };
        assert_eq!(answer, wanted, "{method:?}");
    }
}

#[tokio::test]
async fn a_statement_for_a_role_is_good_for_its_device_its_role_its_machine_and_once() {
    let (machine, elsewhere) = (machine().await, machine().await);
    let (phone, mut there, _) = device(&machine, Role::Owner).await;
    let (_laptop, _, laptop) = device(&machine, Role::Operator).await;
    let (_tablet, _, tablet) = device(&machine, Role::Operator).await;
    // Paired with a second machine, whose approval key is, for once, the very same.
    let key = kept(&phone, "approval-key");
    phone.pair(&elsewhere).await;
    let second = phone.client.machines().await.unwrap().into_iter().map(|machine| machine.row).max().unwrap();
    let mut there_too = phone.client.open_session(second).await.unwrap();
    let enrol = Act::Enrol { key: key.public_key().unwrap(), guard: ApprovalGuard::Nothing };
    let prepared = there_too.prepare(enrol).await.unwrap();
    let signature = key.sign(prepared.to_sign()).unwrap();
    there_too.submit(prepared, signature).await.unwrap();

    let words = Stated::SetRole { device: laptop, role: Role::Viewer };
    let params = |device: DeviceId, role: Role| json!({ "device": device, "role": role });
    let mut hand = ByHand { session: &mut there, addressee: addressee(&machine) };
    for (device, role) in [(tablet, Role::Viewer), (laptop, Role::Owner)] {
        let refused = hand.send(Method::SetRole, &words, &params(device, role), &key).await;
        assert_eq!(refused, Some(RequestError::Statement), "{device:?} {role}");
    }
    // The same words as another act.
    let lift = hand.send(Method::Lift, &words, &json!({ "device": laptop }), &key).await;
    assert_eq!(lift, Some(RequestError::Statement));
    let given = hand.nonce().await;
    let statement = Statement::new(&hand.addressee, given, &words);
    let signed = statement.signed(key.sign(statement.to_sign()).unwrap());
    // Shown to the second machine, with this one's nonce and with its own.
    let mut other = ByHand { session: &mut there_too, addressee: addressee(&machine) };
    let shown = other.send_signed(Method::SetRole, &params(laptop, Role::Viewer), &signed).await;
    assert_eq!(shown, Some(RequestError::Nonce));
    let shown = other.send(Method::SetRole, &words, &params(laptop, Role::Viewer), &key).await;
    assert_eq!(shown, Some(RequestError::Statement), "signed for another machine");
    other.addressee = addressee(&elsewhere);
    let shown = other.send(Method::SetRole, &words, &params(laptop, Role::Viewer), &key).await;
    assert_eq!(shown, Some(RequestError::Gone), "the control: it holds, and nobody there is called so");
    // Once.
    assert_eq!(role(&machine, laptop), Role::Operator);
    let mut hand = ByHand { session: &mut there, addressee: addressee(&machine) };
    let first = hand.send_signed(Method::SetRole, &params(laptop, Role::Viewer), &signed).await;
    assert_eq!((first, role(&machine, laptop)), (None, Role::Viewer), "the control");
    let change = DeviceChange { role: Some(Role::Operator), ..DeviceChange::default() };
    machine.host().set_device(laptop, change).await.unwrap();
    let again = hand.send_signed(Method::SetRole, &params(laptop, Role::Viewer), &signed).await;
    assert_eq!((again, role(&machine, laptop)), (Some(RequestError::Nonce), Role::Operator));
}

/// What was signed by an owner that is none any more when it arrives.
#[tokio::test]
async fn a_statement_in_flight_of_an_owner_that_has_fallen_changes_nothing() {
    for fall in [
        DeviceChange { role: Some(Role::Operator), ..DeviceChange::default() },
        DeviceChange { forget_approval_key: true, ..DeviceChange::default() },
    ] {
        let machine = machine().await;
        let (_phone, _first, _) = device(&machine, Role::Owner).await;
        let (_tablet, mut second, id) = device(&machine, Role::Owner).await;
        let (_laptop, _, other) = device(&machine, Role::Viewer).await;
        for act in [
            Act::SetRole { device: other, role: Role::Owner },
            Act::ForgetKey { device: other },
            Act::Lift { device: other },
            Act::Revoke { device: other, reason: None },
        ] {
            let prepared = second.prepare(act.clone()).await.unwrap();
            let signature = second.sign_here(&prepared).await.unwrap();
            machine.host().set_device(id, fall.clone()).await.unwrap();
            let refused = second.submit(prepared, signature).await.unwrap_err();
            let fits = matches!(refused, ClientError::NotAllowed { .. } | ClientError::StatementRefused { .. });
            assert!(fits, "{act:?}: {refused}");
            let view = machine.host().find_device(&other.text()).unwrap();
            assert!(view.role == Role::Viewer && view.approval.is_some(), "{act:?}");
            let change = DeviceChange { role: Some(Role::Owner), ..DeviceChange::default() };
            machine.host().set_device(id, change).await.unwrap();
            second = session(&_tablet).await;
            second.enrol_here().await.unwrap();
        }
        second.act_here(Act::Revoke { device: other, reason: None }).await.expect("the control");
    }
}

async fn warned(session: &mut MachineSession) -> Option<(DeviceId, bool)> {
    // What comes after the warnings: an answer, whatever it is.
    session.ask_anything("nonce", Value::Null).await.unwrap().unwrap();
    let next = tokio::time::timeout(
        Duration::ZERO,
        event(session, |event| match event {
            DeviceEvent::SessionEnding { device, unused, .. } => Some((device, unused)),
            _ => None,
        }),
    );
    next.await.ok()
}

#[tokio::test]
async fn a_session_that_ends_within_a_week_is_told_to_its_device_and_to_the_owners() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let machine = machine().await;
    let (phone, _, _) = device(&machine, Role::Owner).await;
    let (laptop, _, id) = device(&machine, Role::Viewer).await;
    let (tablet, _, _) = device(&machine, Role::Viewer).await;
    let change = DeviceChange { absolute: Some(40 * DAY), ..DeviceChange::default() };
    machine.host().set_device(id, change).await.unwrap();
    for days in 0..33 {
        // Everybody looks in once a day.
        let both = (session(&phone).await, session(&laptop).await, session(&tablet).await);
        let (mut owner, mut own, mut other) = both;
        let (by_owner, by_itself) = (warned(&mut owner).await, warned(&mut own).await);
        assert_eq!((by_owner, by_itself), (None, None), "day {days}");
        assert_eq!(warned(&mut other).await, None);
        machine.clock.advance(DAY);
    }
    let (mut owner, mut own, mut other) = (session(&phone).await, session(&laptop).await, session(&tablet).await);
    assert_eq!(warned(&mut owner).await, Some((id, false)));
    assert_eq!(warned(&mut own).await, Some((id, false)));
    assert_eq!(warned(&mut other).await, None, "a viewer hears of its own alone");
    let listed = owner.devices().await.unwrap();
    let ends = |wanted: DeviceId| listed.iter().find(|device| device.id == wanted).unwrap().ends_at.is_some();
    assert!(ends(id) && listed.iter().filter(|device| device.ends_at.is_some()).count() == 1);
    // A fresh offer begins it anew.
    laptop.pair(&machine).await;
    assert_eq!(warned(&mut session(&phone).await).await, None);
    assert_eq!(warned(&mut session(&laptop).await).await, None);
}

#[tokio::test]
async fn a_device_that_is_away_for_long_is_told_of_to_the_owners() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let machine = machine().await;
    let (phone, _, _) = device(&machine, Role::Owner).await;
    let (_laptop, there, id) = device(&machine, Role::Viewer).await;
    there.close().await;
    while machine.host().find_device(&id.text()).unwrap().connected > 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..2 {
        machine.clock.advance(11 * DAY);
        assert_eq!(warned(&mut session(&phone).await).await, None, "the control");
    }
    machine.clock.advance(2 * DAY);
    let mut owner = session(&phone).await;
    assert_eq!(warned(&mut owner).await, Some((id, true)));
    assert_eq!(warned(&mut owner).await, None, "told once");
}
