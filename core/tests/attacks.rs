//! Attacks on a running host: what a stranger, a second holder of an offer, a thief of a device's
//! keys or a wrong clock could gain if one rule slipped. Each test is one attempt.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod peer;

use std::time::Duration;

use pairpin_core::handshake::{CodeAwaitMachine, CodeAwaitShare, CodeMet, MacKey};
use pairpin_core::host::*;
use pairpin_core::net::socket::Socket;
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::role::Role;
use pairpin_core::secrets::{Secret, TypedCode};
use pairpin_core::wire::*;
use peer::*;

const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

/// A run of the PAKE, held before the device confirms.
struct Run {
    socket: Socket,
    confirm: Envelope,
    wait: CodeAwaitMachine,
}

impl Run {
    async fn begin(host: &Host, device: &Device, code: &TypedCode) -> Self {
        let mut dialled = connect(&addresses(host), PinCheck::Provisional).await;
        let (envelope, wait) = CodeAwaitShare::start(&dialled.channel, code, &Secret::generate().unwrap()).unwrap();
        let response = request(&mut dialled.stream, Flow::Code, &envelope).await.unwrap();
        assert!(matches!(response, Response::Switched));
        let mut socket = Socket::device(dialled.stream).await;
        let Some(Frame::Handshake(share)) = next_frame(&mut socket).await else { panic!("no share") };
        let draft = wait.receive(&share, &device.details()).unwrap();
        let signature = device.key.sign(&draft.to_sign()).unwrap();
        let (confirm, wait) = draft.signed(signature);
        Self { socket, confirm, wait }
    }

    /// The device confirms; `None` where the machine closed without a word.
    async fn confirm(mut self) -> Option<(Socket, CodeMet)> {
        self.socket.send(Frame::Handshake(self.confirm)).await.ok()?;
        let Frame::Handshake(machine) = next_frame(&mut self.socket).await? else { return None };
        Some((self.socket, self.wait.receive(&machine).unwrap()))
    }
}

fn another(code: &TypedCode) -> TypedCode {
    TypedCode::parse(if code.expose() == b"00000000" { "00000001" } else { "00000000" }).unwrap()
}

fn alarms(events: &[OfferEvent]) -> usize {
    events.iter().filter(|event| matches!(event, OfferEvent::Alarm(_))).count()
}

#[tokio::test]
async fn a_run_begun_before_its_code_was_burnt_is_worth_nothing_when_there_is_a_new_code() {
    let machine = Machine::new().await;
    let first = offer(&machine.host);
    let code = first.code.unwrap();
    let thief = Device::new("thief");
    // Guesses are prepared while the code lives, and held back.
    let right = Run::begin(&machine.host, &thief, &code).await;
    let wrong = Run::begin(&machine.host, &thief, &another(&code)).await;
    for _ in 0..3 {
        assert!(thief.type_code(&machine.host, &another(&code)).await.is_none());
    }
    // The person makes another offer, whose code has three tries of its own.
    let second = offer(&machine.host);
    assert!(right.confirm().await.is_none(), "a burnt code pairs nobody");
    assert!(wrong.confirm().await.is_none());
    let told = events_so_far(&machine.host, second.number).await;
    assert!(!told.iter().any(|event| matches!(event, OfferEvent::WrongCode { .. })));
    let laptop = Device::new("laptop");
    for _ in 0..2 {
        assert!(laptop.type_code(&machine.host, &another(second.code.as_ref().unwrap())).await.is_none());
    }
    let paired = laptop.type_code(&machine.host, &second.code.unwrap()).await;
    assert!(paired.is_some(), "the old runs cost the new code no try");
}

#[tokio::test]
async fn a_code_used_while_its_owner_reads_the_question_rings_the_alarm() {
    let machine = Machine::new().await;
    let offer = offer(&machine.host);
    let code = offer.code.unwrap();
    let (owner, thief) = (Device::new("owner"), Device::new("thief"));
    let (mut socket, met) = Run::begin(&machine.host, &owner, &code).await.confirm().await.unwrap();
    thief.type_code(&machine.host, &code).await.unwrap();
    let (proceed, wait) = met.proceed(&owner.details()).unwrap();
    socket.send(Frame::Handshake(proceed)).await.unwrap();
    let Some(Frame::Refused(refused)) = next_frame(&mut socket).await else { panic!("not refused") };
    assert_eq!(wait.refused(&refused).unwrap().code, RefusalCode::OfferUsed);
    assert_eq!(alarms(&events_so_far(&machine.host, offer.number).await), 1);
}

/// Pairs, lets a token be superseded for long, and presents it: the device is suspended.
async fn suspended(machine: &Machine, phone: &Device) -> Session {
    let (_, old, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.clock.pass(25 * HOUR);
    let (_, welcome) = phone.resume(&machine.host, &old).await.unwrap();
    let new = Session { token: welcome.token.unwrap(), ..old.clone() };
    phone.resume(&machine.host, &new).await.unwrap();
    machine.clock.pass(Duration::from_secs(61));
    let refused = phone.resume(&machine.host, &old).await.err();
    assert_eq!(refused, Some(Refused::Told(RefusalCode::Suspended)));
    old
}

#[tokio::test]
async fn a_first_reconnect_acknowledges_a_grant_to_a_row_too() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    suspended(&machine, &phone).await;
    let fresh = offer(&machine.host);
    let link = fresh.link.unwrap();
    let (socket, received) = phone.get_grant(&link).await.unwrap();
    drop(socket);
    // The acknowledgement never left; the device comes back under the token that it stored.
    let (_socket, welcome) = phone.resume(&machine.host, &session(&received)).await.expect("a fresh offer lifts it");
    assert_eq!(welcome.role, Role::Owner);
    assert!(machine.host.devices()[0].suspended.is_none());
    let events = events_so_far(&machine.host, fresh.number).await;
    assert!(events.iter().any(|event| matches!(event, OfferEvent::Paired(view) if view.again)), "the offer is used");
    assert_eq!(Device::new("thief").pair(&link).await.err(), Some(Refused::Told(RefusalCode::OfferUsed)));
    assert_eq!(alarms(&events_so_far(&machine.host, fresh.number).await), 1);
}

#[tokio::test]
async fn a_thief_of_a_suspended_device_cannot_fill_the_audit_log() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let old = suspended(&machine, &phone).await;
    let before = machine.host.audit(0, 1000).await.unwrap().len();
    for _ in 0..5 {
        let refused = phone.resume(&machine.host, &old).await.err();
        assert_eq!(refused, Some(Refused::Told(RefusalCode::Suspended)));
    }
    assert_eq!(machine.host.audit(0, 1000).await.unwrap().len(), before);
}

#[tokio::test]
async fn a_device_that_never_takes_its_new_token_makes_nothing_grow() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, old, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.clock.pass(25 * HOUR);
    for _ in 0..30 {
        assert!(phone.resume(&machine.host, &old).await.unwrap().1.token.is_some());
        machine.clock.pass(Duration::from_secs(61));
    }
    let most = 1 + limits::PENDING_TOKENS + limits::OLD_TOKENS;
    let tokens = machine.count("SELECT count(*) FROM tokens");
    assert!(tokens <= most as i64, "{tokens} tokens of one device");
    phone.resume(&machine.host, &old).await.unwrap();
}

/// Holds the database's write lock, so that whatever is to be written waits.
fn hold(machine: &Machine) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(machine.dir.path().join("state").join(DATABASE_FILE)).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

#[tokio::test]
async fn two_connections_that_bring_the_same_new_token_are_both_welcome() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, old, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.clock.pass(25 * HOUR);
    let token = phone.resume(&machine.host, &old).await.unwrap().1.token.unwrap();
    let new = Session { token, ..old };
    let held = hold(&machine);
    let release = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        held.execute_batch("ROLLBACK").unwrap();
    };
    let (one, two, ()) = tokio::join!(phone.resume(&machine.host, &new), phone.resume(&machine.host, &new), release);
    assert_eq!((one.err(), two.err()), (None, None));
}

#[tokio::test]
async fn a_device_whose_acknowledgement_is_still_being_written_is_no_stranger() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (mut socket, received) = phone.get_grant(&offer(&machine.host).link.unwrap()).await.unwrap();
    let held = hold(&machine);
    let params = serde_json::to_value(received.acknowledge()).unwrap();
    socket.send(Frame::Request { id: 1, method: "acknowledge".into(), params }).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(socket);
    let release = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        held.execute_batch("ROLLBACK").unwrap();
    };
    let granted = session(&received);
    let (welcomed, ()) = tokio::join!(phone.resume(&machine.host, &granted), release);
    assert_eq!(welcomed.err(), None);
}

#[tokio::test]
async fn a_key_that_is_revoked_before_it_acknowledges_uses_no_offer_up() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let again = offer(&machine.host);
    let link = again.link.unwrap();
    let (mut socket, received) = phone.get_grant(&link).await.unwrap();
    machine.host.revoke(phone.id(), SHELL, None).await.unwrap();
    assert!(acknowledge(&mut socket, &received).await.is_none());
    assert!(machine.host.devices().is_empty(), "a tombstoned key stays out");
    // The same phone comes with a new key, at once and without an alarm.
    Device::new("phone").pair(&link).await.unwrap();
    assert!(!events_so_far(&machine.host, again.number).await.iter().any(|e| matches!(e, OfferEvent::Alarm(_))));
}

#[tokio::test]
async fn a_revoke_whose_caller_goes_away_cuts_the_device_all_the_same() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (mut socket, ..) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let revoking = machine.host.revoke(phone.id(), SHELL, None);
    // Begun, and dropped at its first wait.
    assert!(tokio::time::timeout(Duration::ZERO, revoking).await.is_err());
    let closing = next_frame(&mut socket).await;
    assert!(matches!(closing, Some(Frame::Closing(ref c)) if c.code == CloseCode::Revoked), "{closing:?}");
}

#[tokio::test]
async fn a_device_that_asks_and_never_reads_is_cut_before_the_revoke_returns() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (mut socket, ..) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let ask = || Frame::Request { id: 9, method: "nothing".into(), params: serde_json::Value::Null };
    // Until the machine can write no more and so has stopped reading.
    while tokio::time::timeout(Duration::from_millis(700), socket.send(ask())).await.is_ok() {}
    machine.host.revoke(phone.id(), SHELL, None).await.unwrap();
    assert_eq!(machine.host.status().online, 0, "its socket is still open");
}

#[tokio::test]
async fn a_leap_of_the_clock_leaves_no_trace_in_a_connected_device_either() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (socket, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let leap = 100 * DAY.as_millis() as i64;
    machine.clock.leap(leap);
    drop(socket);
    disconnected(&machine.host).await;
    machine.clock.leap(-leap);
    machine.clock.pass(31 * DAY);
    let refused = phone.resume(&machine.host, &session).await.err();
    assert_eq!(refused, Some(Refused::Told(RefusalCode::Expired)), "30 days unused");
}

#[tokio::test]
async fn a_reason_is_told_whole_and_a_blank_one_is_none() {
    let machine = Machine::new().await;
    let long = "lost in the train to Vienna, seat 61, in the second carriage from the front";
    for (given, told) in [(Some(long), Some(long)), (Some(" "), None), (None, None)] {
        let phone = Device::new("phone");
        let (mut socket, ..) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
        machine.host.revoke(phone.id(), SHELL, given.map(str::to_owned)).await.unwrap();
        let Some(Frame::Closing(closing)) = next_frame(&mut socket).await else { panic!("no closing") };
        assert_eq!(closing.reason.as_deref(), told);
        let stone = machine.host.tombstones().into_iter().find(|stone| stone.id == phone.id()).unwrap();
        assert_eq!(stone.reason.as_deref(), told);
    }
}

#[tokio::test]
async fn silent_connections_do_not_push_out_a_device_that_is_speaking() {
    let machine = Machine::new().await;
    let link = offer(&machine.host).link.unwrap();
    let mut dialled = connect(&link.addresses, PinCheck::Prefix(link.pin)).await;
    let mut silent = Vec::new();
    for _ in 0..(2 * limits::STRANGERS_PER_SOURCE) {
        silent.push(tokio::net::TcpStream::connect(machine.host.status().listening[0]).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let key = MacKey::of_offer(&link.secret);
    let (envelope, _) = pairpin_core::handshake::AwaitPreview::request(&dialled.channel, key, None).unwrap();
    let answered = request(&mut dialled.stream, Flow::Preview, &envelope).await;
    assert!(matches!(answered, Ok(Response::Answered(_))), "{answered:?}");
}

#[tokio::test]
async fn a_clock_that_is_reset_keeps_no_session_from_its_future() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let leap = 100 * DAY.as_millis() as i64;
    machine.clock.leap(leap);
    let (socket, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    drop(socket);
    disconnected(&machine.host).await;
    machine.clock.leap(-leap);
    machine.host.reset_clock().await.unwrap();
    phone.resume(&machine.host, &session).await.unwrap();
    disconnected(&machine.host).await;
    machine.clock.pass(31 * DAY);
    let refused = phone.resume(&machine.host, &session).await.err();
    assert_eq!(refused, Some(Refused::Told(RefusalCode::Expired)), "30 days unused");
}

#[tokio::test]
async fn a_device_that_names_itself_by_the_id_of_another_is_not_taken_for_it() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let short: String = phone.id().text().chars().take(8).collect();
    for name in [phone.id().text(), short.clone()] {
        Device::new(&name).pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    }
    assert_eq!(machine.host.find_device(&phone.id().text()).unwrap().id, phone.id(), "a whole id is that device");
    assert!(matches!(machine.host.find_device(&short), Err(HostError::Ambiguous(_))));
    assert_eq!(machine.host.find_device("phone").unwrap().id, phone.id());
}

#[tokio::test]
async fn many_connections_at_once_leave_a_device_no_void_tokens() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, old, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.clock.pass(25 * HOUR);
    let mut tokens = Vec::new();
    for _ in 0..5 {
        tokens.extend(phone.resume(&machine.host, &old).await.unwrap().1.token);
    }
    // Whichever of them its processes stored last, it lets the device in.
    assert_eq!(tokens.len(), limits::PENDING_TOKENS);
    let oldest = Session { token: tokens[0].clone(), ..old };
    phone.resume(&machine.host, &oldest).await.unwrap();
}

#[tokio::test]
async fn an_offer_shows_no_code_that_the_closed_door_would_refuse() {
    let machine = Machine::new().await;
    let laptop = Device::new("laptop");
    let mut failures = 0;
    while failures < limits::CODE_FAILURES_AN_HOUR {
        let code = offer(&machine.host).code.expect("the door is open");
        for _ in 0..limits::CODE_TRIES {
            assert!(laptop.type_code(&machine.host, &another(&code)).await.is_none());
            failures += 1;
        }
    }
    let closed = offer(&machine.host);
    assert!(closed.code.is_none() && closed.link.is_some(), "scanning is never closed");
    let events = events_so_far(&machine.host, closed.number).await;
    assert!(events.iter().any(|event| matches!(event, OfferEvent::CodeBurnt { closed: true })), "and it says so");
    let request = OfferRequest { link: false, code: true, ..OfferRequest::default() };
    let opened = machine.host.create_offer(request).unwrap();
    assert!(laptop.type_code(&machine.host, &opened.code.unwrap()).await.is_some());
}

#[tokio::test]
async fn who_holds_a_used_offer_cannot_hold_the_machines_sockets_nor_push_out_who_used_it() {
    let machine = Machine::new().await;
    let link = offer(&machine.host).link.unwrap();
    let phone = Device::new("phone");
    let (mut socket, received) = phone.get_grant(&link).await.unwrap();
    // Each proves the same secret and then reads nothing; the machine is left with a bounded number.
    let mut crowd = Vec::new();
    for number in 0..100 {
        let device = Device::new(&format!("thief {number}"));
        crowd.push(device.prove(&link).await);
    }
    assert!(acknowledge(&mut socket, &received).await.is_some(), "the one that used it is not pushed out");
}
