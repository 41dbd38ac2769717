//! More attacks on a running host: connections that are pushed out or stand still at the worst
//! moment, and a thief who covers his tracks. Each test is one attempt.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod peer;

use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt as _;
use pairpin_core::handshake::{CodeAwaitShare, ResumeDraft};
use pairpin_core::host::*;
use pairpin_core::identity::{DeviceId, PublicKey};
use pairpin_core::net::dial::Dialled;
use pairpin_core::net::socket::{Incoming, Socket};
use pairpin_core::net::tls::PinCheck;
use pairpin_core::net::upgrade::{Response, request};
use pairpin_core::secrets::Secret;
use pairpin_core::wire::*;
use peer::*;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role as Side;

const HOUR: Duration = Duration::from_secs(3600);
const A_WHILE: Duration = Duration::from_secs(20);

/// Holds the database's write lock, so that whatever is to be written waits.
fn hold(machine: &Machine) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(machine.dir.path().join("state").join(DATABASE_FILE)).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

/// A reconnect whose answer nobody waits for.
async fn begin_resume(phone: &Device, host: &Host, session: &Session) -> Dialled {
    let mut dialled = connect(&addresses(host), PinCheck::Exact(vec![host.status().pin])).await;
    let draft = ResumeDraft::new(&dialled.channel, session.device, &session.token).unwrap();
    let signature = phone.key.sign(&draft.to_sign()).unwrap();
    let (envelope, _) = draft.signed(signature, &session.r);
    let answer = request(&mut dialled.stream, Flow::Resume, &envelope);
    let _ = tokio::time::timeout(Duration::from_millis(1), answer).await;
    dialled
}

/// Waits until no connection of any device is left.
async fn all_cut(host: &Host) -> bool {
    // A connection that was never served ends without an event.
    let cut = async {
        while host.status().online > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(A_WHILE, cut).await.is_ok()
}

#[tokio::test]
async fn a_suspension_cuts_every_connection_whatever_becomes_of_the_one_that_brought_it() {
    let machine = Machine::new().await;
    let phone = Arc::new(Device::new("phone"));
    let (_, old, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.clock.pass(25 * HOUR);
    let token = phone.resume(&machine.host, &old).await.unwrap().1.token.unwrap();
    // A thief has copied key and token, and is connected.
    let stolen = Session { token, ..old.clone() };
    let _session = phone.resume(&machine.host, &stolen).await.unwrap();
    machine.clock.pass(25 * HOUR);
    let held = hold(&machine);
    // The device itself comes with the token that was replaced: the theft is seen.
    let coming = tokio::spawn({
        let (phone, host) = (phone.clone(), machine.host.clone());
        async move { begin_resume(&phone, &host, &old).await.stream.shutdown_read().await }
    });
    // The thief takes its place before that is on the disk: a key has 16 places.
    let mut crowd = Vec::new();
    for _ in 0..64 {
        crowd.push(begin_resume(&phone, &machine.host, &stolen).await);
        if coming.is_finished() {
            break;
        }
    }
    assert!(coming.is_finished(), "the device was not pushed out, so nothing was tried");
    held.execute_batch("ROLLBACK").unwrap();
    assert!(all_cut(&machine.host).await, "{:?}", machine.host.devices());
    assert!(machine.host.devices()[0].suspended.is_some());
}

/// Reads until the machine hangs up.
trait UntilGone {
    async fn shutdown_read(self);
}

impl<S: tokio::io::AsyncRead + Unpin> UntilGone for S {
    async fn shutdown_read(mut self) {
        use tokio::io::AsyncReadExt as _;
        let mut read = [0; 1024];
        while matches!(self.read(&mut read).await, Ok(1..)) {}
    }
}

#[tokio::test]
async fn a_pairing_is_told_whatever_becomes_of_the_connection_that_acknowledged() {
    let machine = Machine::new().await;
    let (first, second) = (offer(&machine.host), offer(&machine.host));
    let thief = Device::new("thief");
    let (mut socket, received) = thief.get_grant(&first.link.unwrap()).await.unwrap();
    let held = hold(&machine);
    let params = serde_json::to_value(received.acknowledge()).unwrap();
    socket.send(Frame::Request { id: 1, method: "acknowledge".into(), params }).await.unwrap();
    // With another offer, the same key takes the places of its own connections.
    let link = second.link.unwrap();
    let gone = tokio::spawn(async move { next_frame(&mut socket).await });
    let mut crowd = Vec::new();
    for _ in 0..64 {
        crowd.push(thief.prove(&link).await);
        if gone.is_finished() {
            break;
        }
    }
    assert_eq!(gone.await.unwrap(), None, "the connection was pushed out before it was answered");
    held.execute_batch("ROLLBACK").unwrap();
    let mut watch = machine.host.watch_offer(first.number).unwrap();
    let paired = event(&mut watch, |event| if let OfferEvent::Paired(paired) = event { Some(paired) } else { None });
    let paired = paired.await;
    assert_eq!((paired.device.id, paired.digits), (thief.id(), received.digits.to_string()));
}

#[tokio::test]
async fn a_device_that_comes_and_goes_without_end_pushes_no_alarm_out() {
    let machine = Machine::new().await;
    let link = offer(&machine.host).link.unwrap();
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&link).await.unwrap();
    // Who watches is slow, or asleep.
    let mut watch = machine.host.events();
    Device::new("thief").pair(&link).await.err().expect("the offer is used");
    for _ in 0..160 {
        phone.resume(&machine.host, &session).await.unwrap();
    }
    disconnected(&machine.host).await;
    let first = async {
        loop {
            match watch.next().await {
                HostEvent::Alarm(alarm) => return alarm.name,
                HostEvent::Presence { .. } | HostEvent::Audit(_) | HostEvent::Paired(_) => {}
                HostEvent::RecoveryUsed { .. } => {}
                HostEvent::Stopping => panic!("it stops"),
            }
        }
    };
    let rung = tokio::time::timeout(A_WHILE, first).await.expect("the alarm was pushed out");
    assert_eq!(rung.as_deref(), Some("phone"));
}

#[tokio::test]
async fn a_thief_cannot_make_the_machine_forget_the_token_that_would_give_him_away() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, old, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.clock.pass(25 * HOUR);
    // Whoever has copied key and token lets the machine issue tokens that are voided by the next ones.
    let mut last = None;
    for _ in 0..(2 * limits::OLD_TOKENS) {
        last = phone.resume(&machine.host, &old).await.unwrap().1.token;
        machine.clock.pass(Duration::from_secs(61));
    }
    let stolen = Session { token: last.unwrap(), ..old.clone() };
    phone.resume(&machine.host, &stolen).await.unwrap();
    machine.clock.pass(Duration::from_secs(61));
    // The device itself, which knows of none of this.
    let refused = phone.resume(&machine.host, &old).await.err();
    assert_eq!(refused, Some(Refused::Told(RefusalCode::Suspended)));
}

#[tokio::test]
async fn a_thief_who_comes_daily_is_found_out_when_the_device_comes_back_after_a_month() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, old, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let mut stolen = old.clone();
    for _ in 0..30 {
        machine.clock.pass(25 * HOUR);
        stolen.token = phone.resume(&machine.host, &stolen).await.unwrap().1.token.unwrap();
        phone.resume(&machine.host, &stolen).await.unwrap();
    }
    machine.clock.pass(Duration::from_secs(61));
    let refused = phone.resume(&machine.host, &old).await.err();
    assert_eq!(refused, Some(Refused::Told(RefusalCode::Suspended)));
}

#[tokio::test]
async fn who_knows_the_code_brings_no_key_but_his_own() {
    let machine = Machine::new().await;
    let offer = offer(&machine.host);
    let code = offer.code.unwrap();
    let (thief, victim) = (Device::new("thief"), Device::new("victim"));
    for unsigned in [true, false] {
        let mut dialled = connect(&addresses(&machine.host), PinCheck::Provisional).await;
        let (share, wait) = CodeAwaitShare::start(&dialled.channel, &code, &Secret::generate().unwrap()).unwrap();
        assert!(matches!(request(&mut dialled.stream, Flow::Code, &share).await, Ok(Response::Switched)));
        let mut socket = Socket::device(dialled.stream).await;
        let Some(Frame::Handshake(answer)) = next_frame(&mut socket).await else { panic!("no share") };
        // The victim's public key, under the right MAC, with the thief's signature or none.
        let draft = wait.receive(&answer, &victim.details()).unwrap();
        let signature = thief.key.sign(&draft.to_sign()).unwrap();
        let (mut confirm, _) = draft.signed(signature);
        confirm.signature = confirm.signature.filter(|_| !unsigned);
        socket.send(Frame::Handshake(confirm)).await.unwrap();
        assert_eq!(next_frame(&mut socket).await, None, "the machine confirmed to a key that did not prove itself");
    }
    assert!(machine.host.devices().is_empty());
    // The control: the victim itself, with the one try that is left.
    assert!(victim.type_code(&machine.host, &code).await.is_some());
}

#[tokio::test]
async fn a_fresh_offer_begins_the_session_anew_past_its_cap() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let short = DeviceChange { idle: Some(HOUR), absolute: Some(2 * HOUR), ..DeviceChange::default() };
    machine.host.set_device(phone.id(), short).await.unwrap();
    machine.clock.pass(3 * HOUR);
    assert_eq!(phone.resume(&machine.host, &session).await.err(), Some(Refused::Told(RefusalCode::Expired)));
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    phone.resume(&machine.host, &session).await.unwrap();
    machine.clock.pass(3 * HOUR);
    assert_eq!(phone.resume(&machine.host, &session).await.err(), Some(Refused::Told(RefusalCode::Expired)));
}

#[tokio::test]
async fn a_void_token_that_comes_back_late_suspends_nobody() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, old, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.clock.pass(25 * HOUR);
    let void = phone.resume(&machine.host, &old).await.unwrap().1.token.unwrap();
    let new = phone.resume(&machine.host, &old).await.unwrap().1.token.unwrap();
    phone.resume(&machine.host, &Session { token: new, ..old.clone() }).await.unwrap();
    machine.clock.pass(HOUR);
    let refused = phone.resume(&machine.host, &Session { token: void, ..old }).await.err();
    assert_eq!(refused, Some(Refused::Told(RefusalCode::TokenReplaced)));
    assert!(machine.host.devices()[0].suspended.is_none());
}

#[tokio::test]
async fn a_machine_that_is_full_says_so_and_the_offer_stays() {
    let mut machine = Machine::new().await;
    machine.host.stop().await;
    let conn = rusqlite::Connection::open(machine.dir.path().join("state").join(DATABASE_FILE)).unwrap();
    let sql =
        "INSERT INTO devices (id, session_key, name, name_key, platform, role, key_kind, recognition_key, paired_at,
            paired_how, paired_from, idle_seconds, absolute_seconds, session_started_at)
        VALUES (?1, ?2, 'd' || ?3, 'd' || ?3, 'x', 'viewer', 'file', randomblob(32), 0, 'scan', '', 60, 60, 0)";
    conn.execute_batch("BEGIN").unwrap();
    for number in 1..=limits::DEVICES {
        let mut bytes = [4; 65];
        bytes[1..9].copy_from_slice(&number.to_be_bytes());
        let key = PublicKey::from_bytes(bytes);
        conn.execute(sql, rusqlite::params![DeviceId::of(&key), key, number as i64]).unwrap();
    }
    conn.execute_batch("COMMIT").unwrap();
    drop(conn);
    machine.host = start(&machine.dir.path().join("state"), &machine.clock).await;
    let link = offer(&machine.host).link.unwrap();
    let phone = Device::new("phone");
    assert_eq!(phone.pair(&link).await.err(), Some(Refused::Told(RefusalCode::Full)));
    machine.host.revoke(machine.host.find_device("d1").unwrap().id, SHELL, None).await.unwrap();
    phone.pair(&link).await.expect("the offer was used up");
}

#[tokio::test]
async fn a_revoked_key_stays_out_though_its_row_and_token_come_back() {
    let mut machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    disconnected(&machine.host).await;
    let file = machine.dir.path().join("state").join(DATABASE_FILE);
    let keep = "CREATE TABLE kept_devices AS SELECT * FROM devices; CREATE TABLE kept_tokens AS SELECT * FROM tokens;";
    rusqlite::Connection::open(&file).unwrap().execute_batch(keep).unwrap();
    machine.host.revoke(phone.id(), SHELL, None).await.unwrap();
    machine.host.stop().await;
    // Somebody puts them back by hand, and takes away what the schema has against that.
    let restore = "DROP TRIGGER devices_stay_revoked; INSERT INTO devices SELECT * FROM kept_devices;
                   INSERT INTO tokens SELECT * FROM kept_tokens;";
    rusqlite::Connection::open(&file).unwrap().execute_batch(restore).unwrap();
    machine.host = start(&machine.dir.path().join("state"), &machine.clock).await;
    assert_eq!(machine.count("SELECT count(*) FROM tokens"), 1, "nothing came back, so nothing was tried");
    assert_eq!(phone.resume(&machine.host, &session).await.err(), Some(Refused::Told(RefusalCode::Revoked)));
    let again = phone.pair(&offer(&machine.host).link.unwrap()).await.err();
    assert_eq!(again, Some(Refused::Told(RefusalCode::Revoked)));
}

#[tokio::test]
async fn a_device_that_never_hangs_up_is_sent_away_when_its_session_ends() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (mut socket, ..) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let short = DeviceChange { idle: Some(HOUR), absolute: Some(2 * HOUR), ..DeviceChange::default() };
    machine.host.set_device(phone.id(), short).await.unwrap();
    machine.clock.pass(3 * HOUR);
    // The machine looks at every heartbeat.
    let closing = async {
        loop {
            match socket.recv().await.unwrap().expect("it hung up without a word") {
                Incoming::Frame(Frame::Closing(closing)) => return closing.code,
                _ => continue,
            }
        }
    };
    let closing = tokio::time::timeout(4 * limits::HEARTBEAT, closing).await;
    assert_eq!(closing.expect("the session lives on"), CloseCode::Expired);
}

#[tokio::test]
async fn the_clocks_floor_outlives_the_device_whose_welcome_set_it() {
    let mut machine = Machine::new().await;
    let (lost, other) = (Device::new("lost"), Device::new("other"));
    let (_, session, _) = lost.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let (_, others, _) = other.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    disconnected(&machine.host).await;
    // Whatever was seen so far is on the disk, and takes no floor along later.
    machine.restart().await;
    let long = DeviceChange { idle: Some(60 * 24 * HOUR), ..DeviceChange::default() };
    machine.host.set_device(other.id(), long).await.unwrap();
    // The session of the lost device ends; another is welcomed after that, and taken off the list.
    machine.clock.pass(31 * 24 * HOUR);
    other.resume(&machine.host, &others).await.unwrap();
    machine.host.revoke(other.id(), SHELL, None).await.unwrap();
    machine.restart().await;
    // Whoever feeds the machine its clock turns it back.
    machine.clock.leap(-(2 * 24 * HOUR.as_millis() as i64));
    let refused = lost.resume(&machine.host, &session).await.err();
    assert_eq!(refused, Some(Refused::Told(RefusalCode::Expired)));
}

#[tokio::test]
async fn a_device_that_reads_no_answer_to_its_acknowledgement_is_cut_before_the_revoke_returns() {
    let machine = Machine::new().await;
    let offer = offer(&machine.host);
    let phone = Device::new("phone");
    let (dialled, response, wait) = phone.prove(&offer.link.unwrap()).await;
    assert!(matches!(response, Response::Switched));
    let mut socket = WebSocketStream::from_raw_socket(dialled.stream, Side::Client, None).await;
    let grant = futures_util::StreamExt::next(&mut socket).await.unwrap().unwrap();
    let Frame::Handshake(grant) = Frame::decode(grant.to_text().unwrap()).unwrap() else { panic!("no Grant") };
    let received = wait.receive(&grant).unwrap();
    // Each ping wants an answer; none is read, until the machine cannot write any more.
    for _ in 0..PINGS {
        socket.feed(Message::Ping(vec![0; 125].into())).await.unwrap();
    }
    let params = serde_json::to_value(received.acknowledge()).unwrap();
    let acknowledge = Frame::Request { id: 1, method: "acknowledge".into(), params }.encode().unwrap();
    socket.send(Message::text(acknowledge)).await.unwrap();
    let mut watch = machine.host.watch_offer(offer.number).unwrap();
    event(&mut watch, |event| matches!(event, OfferEvent::Paired(_)).then_some(())).await;
    machine.host.revoke(phone.id(), SHELL, None).await.unwrap();
    assert_eq!(machine.host.status().online, 0, "its socket is still open");
}

/// More answers than any buffer between the two holds.
const PINGS: usize = 60_000;
