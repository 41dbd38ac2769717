//! Rules that could be broken without a test's noticing: each was taken out of the code, and what let
//! that pass is held here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod peer;

use std::time::Duration;

use pairpin_core::handshake::{AwaitPreview, CodeAwaitShare, GrantReceived, MacKey};
use pairpin_core::host::*;
use pairpin_core::net::socket::{Incoming, Socket};
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::secrets::{Secret, TypedCode};
use pairpin_core::wire::*;
use peer::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Holds the database's write lock for longer than the machine waits for it.
fn hold(machine: &Machine) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(machine.dir.path().join("state").join(DATABASE_FILE)).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

#[tokio::test]
async fn an_acknowledgement_that_cannot_be_written_uses_no_offer_up() {
    let machine = Machine::new().await;
    let link = offer(&machine.host).link.unwrap();
    let phone = Device::new("phone");
    let (mut socket, received) = phone.get_grant(&link).await.unwrap();
    let held = hold(&machine);
    let params = serde_json::to_value(received.acknowledge()).unwrap();
    socket.send(Frame::Request { id: 1, method: "acknowledge".into(), params }).await.unwrap();
    let ended = async { while let Ok(Some(Incoming::Ping | Incoming::Pong)) = socket.recv().await {} };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("no end of it");
    held.execute_batch("ROLLBACK").unwrap();
    assert!(machine.host.devices().is_empty());
    phone.pair(&link).await.expect("the claim did not stand again");
}

/// The device acknowledges, and the machine has taken that: nobody reads the answer yet.
async fn acknowledges(machine: &Machine, socket: &mut Socket, received: &GrantReceived) {
    let params = serde_json::to_value(received.acknowledge()).unwrap();
    socket.send(Frame::Request { id: 1, method: "acknowledge".into(), params }).await.unwrap();
    let taken = async {
        while !machine.host.offers().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), taken).await.expect("the acknowledgement was not taken");
}

#[tokio::test]
async fn an_offer_that_is_withdrawn_while_its_use_cannot_be_written_stays_withdrawn() {
    for all in [false, true] {
        let machine = Machine::new().await;
        let offer = offer(&machine.host);
        let link = offer.link.unwrap();
        let phone = Device::new("phone");
        let (mut socket, received) = phone.get_grant(&link).await.unwrap();
        let held = hold(&machine);
        acknowledges(&machine, &mut socket, &received).await;
        if all {
            assert_eq!(machine.host.cancel_all_offers(), 0, "it is not withdrawn yet");
        } else {
            let told = machine.host.cancel_offer(offer.number).unwrap_err();
            assert!(matches!(told, HostError::OfferInUse(number) if number == offer.number), "{told}");
        }
        let mut watch = machine.host.watch_offer(offer.number).unwrap();
        let ended = async { while !watch.next().await.is_last() {} };
        tokio::time::timeout(Duration::from_secs(30), ended).await.expect("nobody is told that it is withdrawn");
        held.execute_batch("ROLLBACK").unwrap();
        assert!(machine.host.devices().is_empty() && machine.host.offers().is_empty());
        for device in [&phone, &Device::new("another")] {
            assert_eq!(device.pair(&link).await.err(), Some(Refused::Told(RefusalCode::OfferWithdrawn)));
        }
        // Nor is the token that it was granted good for anything.
        assert!(phone.resume(&machine.host, &session(&received)).await.is_err());
        assert!(machine.host.devices().is_empty());
    }
}

/// The control: the same wish, and a disk that comes to itself in time. The device is paired, as was said.
#[tokio::test]
async fn an_offer_that_is_being_used_is_not_called_withdrawn() {
    let machine = Machine::new().await;
    let offer = offer(&machine.host);
    let phone = Device::new("phone");
    let (mut socket, received) = phone.get_grant(&offer.link.unwrap()).await.unwrap();
    let held = hold(&machine);
    acknowledges(&machine, &mut socket, &received).await;
    assert!(matches!(machine.host.cancel_offer(offer.number), Err(HostError::OfferInUse(_))));
    held.execute_batch("ROLLBACK").unwrap();
    let mut watch = machine.host.watch_offer(offer.number).unwrap();
    event(&mut watch, |event| matches!(event, OfferEvent::Paired(_)).then_some(())).await;
    assert_eq!(machine.host.devices().len(), 1);
    assert!(matches!(machine.host.cancel_offer(offer.number), Err(HostError::NoOffer(_))), "and that is over");
}

#[tokio::test]
async fn a_token_that_could_not_be_written_is_not_given_out() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.clock.pass(25 * HOUR);
    let held = hold(&machine);
    let mut dialled = connect(&addresses(&machine.host), PinCheck::Exact(vec![machine.host.status().pin])).await;
    let draft = pairpin_core::handshake::ResumeDraft::new(&dialled.channel, session.device, &session.token).unwrap();
    let signature = phone.key.sign(&draft.to_sign()).unwrap();
    let (envelope, wait) = draft.signed(signature, &session.r);
    assert!(matches!(request(&mut dialled.stream, Flow::Resume, &envelope).await, Ok(Response::Switched)));
    let mut socket = Socket::device(dialled.stream).await;
    let Some(Frame::Handshake(answer)) = next_frame(&mut socket).await else { panic!("no welcome") };
    let welcome = wait.receive(&answer).unwrap();
    held.execute_batch("ROLLBACK").unwrap();
    assert!(welcome.token.is_none(), "the machine would not know it");
}

#[tokio::test]
async fn a_welcome_under_a_new_token_whose_use_could_not_be_written_says_so() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, old, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.clock.pass(25 * HOUR);
    let (_, welcome) = phone.resume(&machine.host, &old).await.unwrap();
    assert!(!welcome.unsettled, "what it says of the token in use is on the disk");
    let new = Session { token: welcome.token.unwrap(), ..old.clone() };
    let held = hold(&machine);
    let (_, welcome) = phone.resume(&machine.host, &new).await.expect("a disk that fails keeps nobody out");
    assert!(welcome.unsettled, "the device would forget the token by which the machine still goes");
    held.execute_batch("ROLLBACK").unwrap();
    let (_, welcome) = phone.resume(&machine.host, &old).await.expect("the one before is still the machine's");
    assert!(!welcome.unsettled);

    // The control: the same token, and a disk that works.
    let (_, welcome) = phone.resume(&machine.host, &new).await.unwrap();
    assert!(!welcome.unsettled);
    let refused = phone.resume(&machine.host, &old).await.err();
    assert_eq!(refused, Some(Refused::Told(RefusalCode::TokenReplaced)), "and now it is settled");
}

#[tokio::test]
async fn a_device_whose_revoke_cannot_be_stored_is_kept_out_until_it_is() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let beside = rusqlite::Connection::open(machine.dir.path().join("state").join(DATABASE_FILE)).unwrap();
    let fail = "CREATE TRIGGER fail BEFORE INSERT ON tombstones BEGIN SELECT RAISE(ABORT, 'no tombstone'); END";
    beside.execute_batch(fail).unwrap();
    let failed = machine.host.revoke(phone.id(), SHELL, None).await;
    assert!(matches!(failed, Err(HostError::NotRevoked { .. })), "{failed:?}");
    // Its row stands, yet neither its token nor a fresh offer lets it in.
    assert_eq!(machine.host.devices().len(), 1);
    let unavailable = Some(Refused::Told(RefusalCode::Unavailable));
    assert_eq!(phone.resume(&machine.host, &session).await.err(), unavailable);
    assert_eq!(phone.get_grant(&offer(&machine.host).link.unwrap()).await.err(), unavailable);
    beside.execute_batch("DROP TRIGGER fail").unwrap();
    machine.host.revoke(phone.id(), SHELL, None).await.unwrap();
    let revoked = Some(Refused::Told(RefusalCode::Revoked));
    assert_eq!(phone.resume(&machine.host, &session).await.err(), revoked);
}

#[tokio::test]
async fn a_second_grant_to_a_row_voids_the_token_of_the_first() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let link = offer(&machine.host).link.unwrap();
    let (_first, one) = phone.get_grant(&link).await.unwrap();
    let (_second, two) = phone.get_grant(&link).await.unwrap();
    let refused = phone.resume(&machine.host, &session(&one)).await.err();
    assert_eq!(refused, Some(Refused::Told(RefusalCode::TokenReplaced)));
    phone.resume(&machine.host, &session(&two)).await.unwrap();
}

#[tokio::test]
async fn who_has_not_the_key_is_not_told_of_its_revocation() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.host.revoke(phone.id(), SHELL, None).await.unwrap();
    let thief = Device::new("thief of the token");
    assert_eq!(thief.resume(&machine.host, &session).await.err(), Some(Refused::Stranger));
    assert_eq!(phone.resume(&machine.host, &session).await.err(), Some(Refused::Told(RefusalCode::Revoked)));
}

#[tokio::test]
async fn an_offer_that_is_claimed_is_previewed_as_used() {
    let machine = Machine::new().await;
    let link = offer(&machine.host).link.unwrap();
    let _claimed = Device::new("phone").get_grant(&link).await.unwrap();
    let mut dialled = connect(&link.addresses, PinCheck::Prefix(link.pin)).await;
    let (asked, wait) = AwaitPreview::request(&dialled.channel, MacKey::of_offer(&link.secret), None).unwrap();
    let answer = request(&mut dialled.stream, Flow::Preview, &asked).await.unwrap();
    let Response::Refused(refused) = answer else { panic!("{answer:?}") };
    assert_eq!(wait.refused(&refused).unwrap().code, RefusalCode::OfferUsed);
}

#[tokio::test]
async fn a_device_that_unpairs_itself_loses_its_other_connections_too() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (mut one, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let (mut other, _) = phone.resume(&machine.host, &session).await.unwrap();
    one.send(Frame::Request { id: 1, method: "unpair".into(), params: serde_json::Value::Null }).await.unwrap();
    let closing = next_frame(&mut other).await;
    assert!(matches!(closing, Some(Frame::Closing(ref c)) if c.code == CloseCode::Revoked), "{closing:?}");
}

/// Runs the PAKE to the machine's confirmation; the person is being asked then.
async fn confirmed(
    host: &Host,
    device: &Device,
    code: &TypedCode,
) -> Option<(Socket, pairpin_core::handshake::CodeMet)> {
    let mut dialled = connect(&addresses(host), PinCheck::Provisional).await;
    let (share, wait) = CodeAwaitShare::start(&dialled.channel, code, &Secret::generate().unwrap()).unwrap();
    let Ok(Response::Switched) = request(&mut dialled.stream, Flow::Code, &share).await else { return None };
    let mut socket = Socket::device(dialled.stream).await;
    let Some(Frame::Handshake(answer)) = next_frame(&mut socket).await else { return None };
    let draft = wait.receive(&answer, &device.details()).unwrap();
    let signature = device.key.sign(&draft.to_sign()).unwrap();
    let (confirm, wait) = draft.signed(signature);
    socket.send(Frame::Handshake(confirm)).await.ok()?;
    let Frame::Handshake(machine) = next_frame(&mut socket).await? else { return None };
    Some((socket, wait.receive(&machine).unwrap()))
}

#[tokio::test]
async fn a_try_that_held_is_given_back() {
    let machine = Machine::new().await;
    let code = offer(&machine.host).code.unwrap();
    let laptop = Device::new("laptop");
    for _ in 0..(2 * limits::CODE_TRIES) {
        assert!(confirmed(&machine.host, &laptop, &code).await.is_some());
    }
}

#[tokio::test]
async fn a_confirmed_code_leaves_the_person_time_to_answer() {
    let machine = Machine::new().await;
    let ten_seconds = OfferRequest { code: true, lifetime: Some(Duration::from_secs(10)), ..OfferRequest::default() };
    let code = machine.host.create_offer(ten_seconds).unwrap().code.unwrap();
    let laptop = Device::new("laptop");
    let (mut socket, met) = confirmed(&machine.host, &laptop, &code).await.unwrap();
    machine.clock.pass(Duration::from_secs(50));
    let (proceed, wait) = met.proceed(&laptop.details()).unwrap();
    socket.send(Frame::Handshake(proceed)).await.unwrap();
    let Some(Frame::Handshake(grant)) = next_frame(&mut socket).await else { panic!("no Grant") };
    assert!(wait.receive(&grant).is_ok());
}

/// The person is asked, and the connection lives, for so long by the machine's timers; whether it lives still.
async fn unanswered(socket: &mut Socket, time: Duration) -> bool {
    // Nothing waits for a disk here, so that only the timers are moved.
    tokio::time::pause();
    let lives = async { while let Ok(Some(Incoming::Ping | Incoming::Pong)) = socket.recv().await {} };
    let ended = tokio::time::timeout(time, lives).await;
    tokio::time::resume();
    ended.is_err()
}

#[tokio::test]
async fn the_machine_waits_a_minute_for_the_persons_yes_and_then_it_hangs_up() {
    let second = Duration::from_secs(1);
    let machine = Machine::new().await;
    let code = offer(&machine.host).code.unwrap();
    let laptop = Device::new("laptop");
    let (mut socket, _) = confirmed(&machine.host, &laptop, &code).await.unwrap();
    assert!(!unanswered(&mut socket, limits::CODE_ANSWER_TIME + second).await, "it waits for ever");
    assert!(machine.host.devices().is_empty());
    // The control: just before the end of it.
    let (mut socket, met) = confirmed(&machine.host, &laptop, &code).await.unwrap();
    assert!(unanswered(&mut socket, limits::CODE_ANSWER_TIME - 2 * second).await, "it does not wait for a minute");
    let (proceed, wait) = met.proceed(&laptop.details()).unwrap();
    socket.send(Frame::Handshake(proceed)).await.unwrap();
    let Some(Frame::Handshake(grant)) = next_frame(&mut socket).await else { panic!("no Grant") };
    assert!(wait.receive(&grant).is_ok());
}
