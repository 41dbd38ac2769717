//! What outlives a joiner's connection: its Grant for two minutes, the row that its key may have, and after a
//! restart of the machine a line in a list.

use std::time::Duration;

use pairpin_core::client::{ClientError, InboxItem, JoinTerms, MachineState};
use pairpin_core::handshake::GrantReceived;
use pairpin_core::host::{DATABASE_FILE, HostError, OfferRequest, Question, SHELL};
use pairpin_core::net::socket::Socket;
use pairpin_core::role::Role;
use pairpin_core::wire::*;

use crate::attacks::{waits, yes};
use crate::common::{Device, Machine, pair_of_both};
use crate::owner::Owner;
use crate::peer::{self, Refused, next_frame};
use crate::{approver, asks, shown};

/// Lets a joiner made of parts in, as far as the digits; it has not acknowledged.
async fn granted(machine: &Machine, owner: &mut Owner, device: &peer::Device) -> (Socket, GrantReceived) {
    let (mut socket, waiting) = waits(&[machine.address()], device).await;
    let listed = shown(machine.host(), 1).await.remove(0);
    let accepted = owner.approve(&yes(&listed, JoinHow::Scan(waiting.qr().transcript))).await.unwrap();
    let Some(Frame::Handshake(grant)) = next_frame(&mut socket).await else { panic!("no Grant") };
    let Ok(received) = waiting.receive(&grant).unwrap().typed(&accepted.digits) else { panic!("other digits") };
    (socket, received)
}

fn let_in(machine: &Machine) -> usize {
    machine.host().devices().iter().filter(|device| device.let_in.is_some()).count()
}

/// What the disk does, from outside.
fn disk(machine: &Machine, sql: &str) {
    rusqlite::Connection::open(machine.state().join(DATABASE_FILE)).unwrap().execute_batch(sql).unwrap();
}

const FAIL: &str = "CREATE TRIGGER fail BEFORE INSERT ON devices BEGIN SELECT RAISE(ABORT, 'no row'); END";

#[tokio::test]
async fn a_joiners_first_reconnect_acknowledges_as_long_as_its_approver_stands_and_in_its_time() {
    enum Then {
        Nothing,
        AnotherToken,
        ApproverRevoked,
        ApproverDemoted,
        TooLate,
    }
    for (then, welcome) in [
        (Then::Nothing, true),
        (Then::AnotherToken, false),
        (Then::ApproverRevoked, false),
        (Then::ApproverDemoted, false),
        (Then::TooLate, false),
    ] {
        let (machine, other) = pair_of_both().await;
        let mut owner = Owner::new(machine.host()).await;
        let device = peer::Device::new("laptop");
        let (socket, received) = granted(&machine, &mut owner, &device).await;
        // Its connection ends, and it has acknowledged nothing.
        drop(socket);
        let mut session = peer::session(&received);
        match then {
            Then::Nothing => {}
            Then::AnotherToken => session.token = pairpin_core::token::SessionToken::generate().unwrap(),
            Then::ApproverRevoked => drop(machine.host().revoke(owner.device, SHELL, None).await.unwrap()),
            Then::ApproverDemoted => {
                let second = OfferRequest { link: true, role: Some(Role::Owner), ..OfferRequest::default() };
                let link = machine.host().create_offer(second).unwrap().link.unwrap();
                let preview = other.client.preview(&link).await.unwrap();
                other.client.pair(preview).await.unwrap();
                let change = pairpin_core::host::DeviceChange { role: Some(Role::Viewer), ..Default::default() };
                machine.host().set_device(owner.device, change).await.unwrap();
            }
            Then::TooLate => machine.clock.advance(limits::JOIN_ACKNOWLEDGE_TIME),
        }
        assert_eq!(let_in(&machine), 0, "not before it comes back");
        let back = device.resume(machine.host(), &session).await;
        assert_eq!((back.is_ok(), let_in(&machine)), (welcome, usize::from(welcome)));
        if welcome {
            // It is a device like any other now: nothing is left to acknowledge.
            device.resume(machine.host(), &session).await.unwrap();
            assert_eq!(let_in(&machine), 1);
        }
    }
}

#[tokio::test]
async fn a_disk_that_fails_at_the_acknowledgement_uses_no_approval_up() {
    let (machine, _) = pair_of_both().await;
    let mut owner = Owner::new(machine.host()).await;
    let device = peer::Device::new("laptop");
    let (mut socket, received) = granted(&machine, &mut owner, &device).await;
    disk(&machine, FAIL);
    assert!(peer::acknowledge(&mut socket, &received).await.is_none());
    let session = peer::session(&received);
    let refused = device.resume(machine.host(), &session).await.err();
    assert!(refused == Some(Refused::Told(RefusalCode::Unavailable)), "{refused:?}");
    disk(&machine, "DROP TRIGGER fail");
    device.resume(machine.host(), &session).await.expect("the disk is well again");
    assert_eq!(let_in(&machine), 1);
}

#[tokio::test]
async fn a_joiner_that_missed_the_answer_finds_itself_paired() {
    let (machine, _) = pair_of_both().await;
    let (joiner, asked) = asks(&machine).await;
    let accepted = machine.host().approve_join(asked.qr.join, asked.number.unwrap(), None, None).await.unwrap();
    let granted = asked.wait().await.unwrap();
    // The machine cannot write: the joiner has stored its Grant and hears no yes.
    disk(&machine, FAIL);
    let typed = granted.typed(&accepted.digits).await;
    assert!(typed.is_err(), "{typed:?}");
    disk(&machine, "DROP TRIGGER fail");
    let again = joiner.client.ask_to_join(machine.address()).await.err();
    assert!(matches!(again, Some(ClientError::AlreadyPaired { .. })), "{again:?}");
    assert_eq!(let_in(&machine), 1);
}

#[tokio::test]
async fn a_key_that_has_a_row_gets_another_session_in_it_and_never_a_lower_role() {
    let (machine, phone) = pair_of_both().await;
    let mut owner = Owner::new(machine.host()).await;
    let first = phone.pair(&machine).await;
    let count = machine.host().devices().len();
    let held = phone.store.0.lock().unwrap().clone();
    // Its session has ended; nobody makes it an offer.
    let change = pairpin_core::host::DeviceChange { idle: Some(limits::IDLE_LIFETIME * 3), ..Default::default() };
    machine.host().set_device(owner.device, change).await.unwrap();
    machine.clock.advance(limits::IDLE_LIFETIME + Duration::from_secs(60));
    assert!(matches!(phone.client.check(first.machine.row).await.unwrap().state, MachineState::Expired { .. }));
    let asked = phone.client.ask_to_join(machine.address()).await.unwrap();
    let listed = shown(machine.host(), 1).await.remove(0);
    assert_eq!(listed.known_as.as_deref(), Some("laptop"));
    let mut said = yes(&listed, JoinHow::Number(asked.number.unwrap()));
    said.role = Role::Viewer;
    let accepted = owner.approve(&said).await.unwrap();
    assert_eq!(
        (accepted.name.as_str(), accepted.role),
        ("laptop", Role::Operator),
        "who lets it in is told what it is"
    );
    let paired = asked.wait().await.unwrap().typed(&accepted.digits).await.unwrap();
    assert_eq!((paired.role, paired.machine.row), (Role::Operator, first.machine.row));
    assert_eq!(machine.host().devices().len(), count, "one key is one row");
    assert!(matches!(phone.client.check(paired.machine.row).await.unwrap().state, MachineState::Online { .. }));
    assert_eq!(phone.store.names(), held.keys().cloned().collect::<Vec<_>>(), "and one key");
}

#[tokio::test]
async fn a_row_keeps_its_session_until_its_join_is_acknowledged_by_leave_of_who_let_it_in() {
    for revoked in [true, false] {
        let (machine, _) = pair_of_both().await;
        let mut owner = Owner::new(machine.host()).await;
        let device = peer::Device::new("laptop");
        let (_, before, _) = device.pair(&peer::offer(machine.host()).link.unwrap()).await.unwrap();
        let (socket, received) = granted(&machine, &mut owner, &device).await;
        assert_eq!(received.grant.recognition_key, before.r, "R is repeated");
        assert_eq!(received.grant.current, Some(pairpin_core::token::TokenHash::of(&before.token)));
        drop(socket);
        device.resume(machine.host(), &before).await.expect("the session before goes on");
        if revoked {
            machine.host().revoke(owner.device, SHELL, None).await.unwrap();
        }
        // The new token is one by the acknowledgement alone, and never a sign of theft.
        let after = peer::session(&received);
        assert_eq!(device.resume(machine.host(), &after).await.is_ok(), !revoked);
        assert_eq!(device.resume(machine.host(), &before).await.is_ok(), revoked);
        assert!(machine.host().devices().iter().all(|device| device.suspended.is_none()));
    }
}

#[tokio::test]
async fn who_asked_before_a_restart_is_shown_and_can_be_let_in_by_nobody() {
    let (mut machine, owner) = pair_of_both().await;
    let row = owner.pair(&machine).await.machine.row;
    let (_joiner, asked) = asks(&machine).await;
    let (_another, denied) = asks(&machine).await;
    machine.host().deny_join(denied.qr.join, None).await.unwrap();
    let number = asked.number.unwrap();
    machine.restart(false, |_| ()).await;
    let listed = machine.host().joins();
    assert_eq!(listed.len(), 1, "what was decided is not shown: {listed:?}");
    assert!(listed[0].before_restart && listed[0].join == asked.qr.join && !listed[0].number);
    assert!(listed[0].seconds_left > 0 && listed[0].seconds_left <= 600);
    // Neither by its number nor by its QR, here or from afar.
    let error = machine.host().approve_join(asked.qr.join, number, None, None).await.unwrap_err();
    assert!(matches!(error, HostError::JoinBeforeRestart) && error.to_string().contains("ask again"), "{error}");
    let mut session = owner.client.open_session(row).await.unwrap();
    session.enrol_here().await.unwrap();
    assert!(session.waiting().is_empty(), "it waits for no answer");
    let items = session.inbox().await.unwrap();
    assert!(matches!(&items[..], [InboxItem::Join(join)] if join.listed.before_restart), "{items:?}");
    let scanned = session.approve_scanned(&asked.qr, JoinTerms::default()).await;
    assert!(matches!(scanned, Err(ClientError::NotThere { .. })), "{scanned:?}");
    assert!(matches!(machine.host().find_join(&asked.qr.join.text()), Ok(found) if found.before_restart));
    // It ages, over a second restart too; a no takes it off at once.
    machine.restart(false, |_| ()).await;
    assert_eq!(machine.host().joins().len(), 1);
    machine.clock.advance(limits::JOIN_TIME);
    assert!(machine.host().joins().is_empty());
    let (_joiner, asked) = asks(&machine).await;
    machine.restart(false, |_| ()).await;
    machine.host().deny_join(asked.qr.join, None).await.unwrap();
    assert!(machine.host().joins().is_empty());
    machine.restart(false, |_| ()).await;
    assert!(machine.host().joins().is_empty(), "and for good");
}

#[tokio::test]
async fn a_welcome_names_what_waits_for_this_device() {
    let (machine, owner) = pair_of_both().await;
    approver(&machine, &owner).await.close().await;
    let mut rows = vec![(Role::Owner, owner.client.machines().await.unwrap()[0].row, owner)];
    for role in [Role::Operator, Role::Viewer] {
        let device = Device::new(&machine.clock);
        let request = OfferRequest { link: true, role: Some(role), ..OfferRequest::default() };
        let link = machine.host().create_offer(request).unwrap().link.unwrap();
        let preview = device.client.preview(&link).await.unwrap();
        rows.push((role, device.client.pair(preview).await.unwrap().machine.row, device));
    }
    let claimed = AskClaimed { text: "Deploy?".into(), detail: None };
    let ask = machine.host().ask(Question { claimed, ..Question::default() }).await.unwrap();
    let (_joiner, asked) = asks(&machine).await;
    let wanted_ask = WaitingApproval { kind: WaitingKind::Ask, id: ask.shown().id.clone() };
    let wanted_join = WaitingApproval { kind: WaitingKind::Join, id: asked.qr.join.text() };
    for (role, row, device) in &rows {
        let session = device.client.open_session(*row).await.unwrap();
        let wanted = match role {
            Role::Owner => vec![wanted_ask.clone(), wanted_join.clone()],
            Role::Operator => vec![wanted_ask.clone()],
            Role::Viewer => vec![],
        };
        assert_eq!(session.waiting(), wanted, "{role}");
        session.close().await;
    }
    drop(ask);
    machine.host().deny_join(asked.qr.join, None).await.unwrap();
    let session = rows[0].2.client.open_session(rows[0].1).await.unwrap();
    assert!(session.waiting().is_empty(), "the control");
}
