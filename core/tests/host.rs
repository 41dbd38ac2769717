//! The host engine over real TLS sockets and a real SQLite file, against devices that a test plays
//! step by step.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod peer;

use std::time::Duration;

use pairpin_core::host::*;
use pairpin_core::role::Role;
use pairpin_core::secrets::TypedCode;
use pairpin_core::token::TokenHash;
use pairpin_core::wire::*;
use peer::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn a_device_pairs_by_scan_and_comes_back() {
    let machine = Machine::new().await;
    let offer = offer(&machine.host);
    assert_eq!(offer.role, Role::Owner, "no owner is paired yet");
    let mut watch = machine.host.watch_offer(offer.number).unwrap();
    let phone = Device::new("phone");
    let (socket, session, digits) = phone.pair(offer.link.as_ref().unwrap()).await.unwrap();
    let paired = event(&mut watch, |event| match event {
        OfferEvent::Paired(view) => Some(view),
        _ => None,
    })
    .await;
    assert_eq!(paired.digits, digits.to_string(), "both ends show the same");
    assert_eq!((paired.device.name.as_str(), paired.device.role, paired.again), ("phone", Role::Owner, false));
    assert_eq!(machine.host.devices()[0].connected, 1, "the connection lives on");
    drop(socket);

    let (_socket, welcome) = phone.resume(&machine.host, &session).await.unwrap();
    assert_eq!((welcome.role, welcome.token), (Role::Owner, None));
    assert_eq!(peer::offer(&machine.host).role, Role::Operator, "an owner is paired now");
}

#[tokio::test]
async fn a_used_offer_rings_the_alarm_for_another_device_and_not_for_its_own() {
    let machine = Machine::new().await;
    let offer = offer(&machine.host);
    let link = offer.link.unwrap();
    let (phone, thief) = (Device::new("phone"), Device::new("thief"));
    phone.pair(&link).await.unwrap();
    assert_eq!(phone.pair(&link).await.err(), Some(Refused::Told(RefusalCode::OfferUsed)));
    let rings = |events: Vec<OfferEvent>| events.iter().filter(|e| matches!(e, OfferEvent::Alarm(_))).count();
    assert_eq!(rings(events_so_far(&machine.host, offer.number).await), 0);
    assert_eq!(thief.pair(&link).await.err(), Some(Refused::Told(RefusalCode::OfferUsed)));
    let events = events_so_far(&machine.host, offer.number).await;
    let alarm = events.iter().find_map(|event| match event {
        OfferEvent::Alarm(alarm) => Some(alarm.clone()),
        _ => None,
    });
    assert_eq!(alarm.unwrap().name.as_deref(), Some("phone"), "it names whom to revoke");
    assert_eq!(machine.host.devices().len(), 1);
}

#[tokio::test]
async fn a_pairing_that_breaks_off_anywhere_is_finished_by_trying_again() {
    let machine = Machine::new().await;
    for (step, name) in ["after Proof", "after the Grant", "after the acknowledgement"].into_iter().enumerate() {
        let offer = offer(&machine.host);
        let link = offer.link.unwrap();
        let device = Device::new(name);
        let mut granted = None;
        match step {
            0 => drop(device.prove(&link).await),
            1 => granted = Some(session(&device.get_grant(&link).await.unwrap().1)),
            _ => {
                let (mut socket, received) = device.get_grant(&link).await.unwrap();
                let params = serde_json::to_value(received.acknowledge()).unwrap();
                socket.send(Frame::Request { id: 1, method: "acknowledge".into(), params }).await.unwrap();
                granted = Some(session(&received));
                let mut watch = machine.host.watch_offer(offer.number).unwrap();
                event(&mut watch, |event| matches!(event, OfferEvent::Paired(_)).then_some(())).await;
            }
        }
        match granted {
            // A first reconnect under the granted token is an acknowledgement too.
            Some(session) => drop(device.resume(&machine.host, &session).await.unwrap()),
            None => drop(device.pair(&link).await.unwrap()),
        }
        let rows = machine.host.devices().into_iter().filter(|row| row.name == name).count();
        assert_eq!(rows, 1, "{name}");
        let events = events_so_far(&machine.host, offer.number).await;
        assert!(!events.iter().any(|event| matches!(event, OfferEvent::Alarm(_))), "{name}: no alarm");
    }
}

#[tokio::test]
async fn a_device_that_never_acknowledges_is_none() {
    let machine = Machine::new().await;
    let link = offer(&machine.host).link.unwrap();
    let device = Device::new("phone");
    let (_socket, received) = device.get_grant(&link).await.unwrap();
    assert!(machine.host.devices().is_empty());
    assert_eq!(received.grant.current, None, "nor is any token of it");
    machine.clock.pass(Duration::from_secs(61));
    assert_eq!(device.resume(&machine.host, &session(&received)).await.err(), Some(Refused::Stranger));
    assert!(machine.host.devices().is_empty());
}

#[tokio::test]
async fn a_spent_offer_names_its_cause_to_who_holds_it() {
    let machine = Machine::new().await;
    let device = Device::new("phone");
    let withdrawn = offer(&machine.host);
    machine.host.cancel_offer(withdrawn.number).unwrap();
    let told = |code| Some(Refused::Told(code));
    assert_eq!(device.pair(&withdrawn.link.unwrap()).await.err(), told(RefusalCode::OfferWithdrawn));
    let expired = offer(&machine.host);
    machine.clock.pass(Duration::from_secs(121));
    let link = expired.link.unwrap();
    assert_eq!(device.pair(&link).await.err(), told(RefusalCode::OfferExpired));
    machine.clock.pass(DAY);
    assert_eq!(device.pair(&link).await.err(), Some(Refused::Stranger), "a day later it is forgotten");
}

#[tokio::test]
async fn a_revoked_device_is_cut_told_and_stays_out_through_a_restart() {
    let mut machine = Machine::new().await;
    let phone = Device::new("phone");
    let (mut socket, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let revoked = machine.host.revoke(phone.id(), SHELL, Some("lost".into())).await.unwrap();
    assert_eq!((revoked.connections_cut, revoked.last_owner), (1, true));
    assert!(machine.host.devices().is_empty());
    let closing = next_frame(&mut socket).await;
    let Some(Frame::Closing(closing)) = closing else { panic!("{closing:?}") };
    assert_eq!(
        (closing.code, closing.by.as_deref(), closing.reason.as_deref()),
        (CloseCode::Revoked, Some(SHELL), Some("lost"))
    );
    assert!(next_frame(&mut socket).await.is_none(), "the socket is closed");

    let told = Some(Refused::Told(RefusalCode::Revoked));
    assert_eq!(phone.resume(&machine.host, &session).await.err(), told);
    machine.restart().await;
    assert_eq!(phone.resume(&machine.host, &session).await.err(), told, "a restart forgets nothing");

    // Its old key is told, without spending the offer; a new key pairs at once.
    let fresh = offer(&machine.host);
    let link = fresh.link.unwrap();
    assert_eq!(phone.pair(&link).await.err(), told);
    let again = Device::new("phone");
    again.pair(&link).await.unwrap();
    assert_eq!(machine.host.devices().len(), 1);
    assert_eq!(machine.host.devices()[0].name, "phone", "the name is free again");
    assert_eq!(machine.host.tombstones().len(), 1);
}

#[tokio::test]
async fn scanning_again_keeps_the_row_and_never_lowers_the_role() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, first, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let request = OfferRequest { link: true, role: Some(Role::Viewer), ..OfferRequest::default() };
    let link = machine.host.create_offer(request).unwrap().link.unwrap();
    let (mut socket, received) = phone.get_grant(&link).await.unwrap();
    assert!(received.recognised(&first.r), "the Grant proves R");
    assert_eq!((received.grant.role, &received.grant.recognition_key), (Role::Owner, &first.r));
    let current = |session: &Session| Some(TokenHash::of(&session.token));
    assert_eq!(received.grant.current, current(&first), "and says which token is current");
    // Until it is acknowledged the old token serves.
    phone.resume(&machine.host, &first).await.unwrap();
    acknowledge(&mut socket, &received).await.unwrap();
    assert_eq!(machine.host.devices().len(), 1);
    assert_eq!(machine.host.devices()[0].role, Role::Owner);
    phone.resume(&machine.host, &session(&received)).await.unwrap();
    let (_, third) = phone.get_grant(&offer(&machine.host).link.unwrap()).await.unwrap();
    assert_eq!(third.grant.current, current(&session(&received)));
}

#[tokio::test]
async fn a_grant_that_another_offers_replaced_is_void_and_no_failure_of_the_disk() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let (_one, first) = phone.get_grant(&offer(&machine.host).link.unwrap()).await.unwrap();
    let (_two, second) = phone.get_grant(&offer(&machine.host).link.unwrap()).await.unwrap();
    // Told "unavailable", the device would not try another token for as long as the first offer lives.
    let replaced = Some(Refused::Told(RefusalCode::TokenReplaced));
    assert_eq!(phone.resume(&machine.host, &session(&first)).await.err(), replaced);
    phone.resume(&machine.host, &session(&second)).await.unwrap();
}

#[tokio::test]
async fn tokens_rotate_and_a_replaced_one_used_late_suspends() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, old, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    machine.clock.pass(25 * HOUR);
    let (_s, welcome) = phone.resume(&machine.host, &old).await.unwrap();
    let new = Session { token: welcome.token.expect("a day has passed"), ..old.clone() };
    // The device may crash before it uses the new one: the old one serves until then.
    phone.resume(&machine.host, &old).await.unwrap();
    phone.resume(&machine.host, &new).await.unwrap();
    let replaced = Some(Refused::Told(RefusalCode::TokenReplaced));
    assert_eq!(phone.resume(&machine.host, &old).await.err(), replaced, "within a minute it is no theft");
    machine.clock.pass(Duration::from_secs(61));
    let (mut live, _) = phone.resume(&machine.host, &new).await.unwrap();
    let suspended = Some(Refused::Told(RefusalCode::Suspended));
    assert_eq!(phone.resume(&machine.host, &old).await.err(), suspended);
    // It may have been told before that it is suspended.
    let closing = loop {
        match next_frame(&mut live).await {
            Some(Frame::Event(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(closing, Some(Frame::Closing(ref c)) if c.code == CloseCode::Suspended), "{closing:?}");
    assert_eq!(phone.resume(&machine.host, &new).await.err(), suspended);
    assert!(machine.host.devices()[0].suspended.is_some(), "the row stays");
    // A fresh offer lifts it.
    let (_, lifted, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    phone.resume(&machine.host, &lifted).await.unwrap();
}

#[tokio::test]
async fn a_token_never_seen_changes_nothing_and_a_bad_signature_tells_nothing() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, good, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let never = Session { token: pairpin_core::token::SessionToken::from_bytes([0; 32]), ..good.clone() };
    assert_eq!(phone.resume(&machine.host, &never).await.err(), Some(Refused::Told(RefusalCode::TokenUnknown)));
    let thief = Device::new("thief");
    assert_eq!(thief.resume(&machine.host, &good).await.err(), Some(Refused::Stranger), "a stolen token alone");
    let nobody = Session { device: thief.id(), ..good.clone() };
    assert_eq!(thief.resume(&machine.host, &nobody).await.err(), Some(Refused::Stranger), "an unknown id");
    phone.resume(&machine.host, &good).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_leaps_welcomes_nobody_and_set_right_it_has_left_no_trace() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let ten_years = 10 * 365 * DAY.as_millis() as i64;
    machine.clock.leap(ten_years);
    assert_eq!(phone.resume(&machine.host, &session).await.err(), Some(Refused::Told(RefusalCode::Expired)));
    machine.clock.leap(-2 * ten_years);
    phone.resume(&machine.host, &session).await.unwrap();
    machine.clock.leap(ten_years);
    phone.resume(&machine.host, &session).await.unwrap();
}

#[tokio::test]
async fn a_pairing_under_a_wrong_clock_ends_no_other_session() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let ten_years = 10 * 365 * DAY.as_millis() as i64;
    machine.clock.leap(ten_years);
    Device::new("laptop").pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    disconnected(&machine.host).await;
    machine.clock.leap(-ten_years);
    phone.resume(&machine.host, &session).await.unwrap();
}

#[tokio::test]
async fn sessions_slide_on_use_and_end_at_their_cap() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, mut session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let expired = Some(Refused::Told(RefusalCode::Expired));
    for _ in 0..6 {
        machine.clock.pass(29 * DAY);
        let (_, welcome) = phone.resume(&machine.host, &session).await.unwrap();
        session.token = welcome.token.unwrap_or(session.token);
    }
    machine.clock.pass(7 * DAY);
    assert_eq!(phone.resume(&machine.host, &session).await.err(), expired, "180 days whatever happens");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    disconnected(&machine.host).await;
    machine.clock.pass(31 * DAY);
    assert_eq!(phone.resume(&machine.host, &session).await.err(), expired, "30 days unused");
    phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    assert_eq!(machine.host.devices().len(), 1, "nothing is deleted by a clock, and the row stays");
}

#[tokio::test]
async fn a_typed_code_pairs_and_spends_the_link_of_its_offer() {
    let machine = Machine::new().await;
    let offer = offer(&machine.host);
    let laptop = Device::new("laptop");
    let code = offer.code.unwrap();
    let (socket, session) = laptop.type_code(&machine.host, &code).await.unwrap();
    drop(socket);
    laptop.resume(&machine.host, &session).await.unwrap();
    assert!(Device::new("x").type_code(&machine.host, &code).await.is_none(), "the code is spent");
    let told = Device::new("y").pair(&offer.link.unwrap()).await.err();
    assert_eq!(told, Some(Refused::Told(RefusalCode::OfferUsed)), "and so is the link");
}

#[tokio::test]
async fn three_wrong_codes_burn_the_code_and_leave_the_link() {
    let machine = Machine::new().await;
    let offer = offer(&machine.host);
    let code = offer.code.unwrap();
    let wrong = TypedCode::parse(if code.expose() == b"00000000" { "00000001" } else { "00000000" }).unwrap();
    let laptop = Device::new("laptop");
    for _ in 0..3 {
        assert!(laptop.type_code(&machine.host, &wrong).await.is_none());
    }
    assert!(laptop.type_code(&machine.host, &code).await.is_none(), "the right code comes too late");
    let events = events_so_far(&machine.host, offer.number).await;
    let tries: Vec<u32> = events
        .iter()
        .filter_map(|event| match event {
            OfferEvent::WrongCode { tries_left, .. } => Some(*tries_left),
            _ => None,
        })
        .collect();
    assert_eq!(tries, [2, 1, 0]);
    laptop.pair(&offer.link.unwrap()).await.unwrap();
}

#[tokio::test]
async fn an_exchange_that_stops_before_it_confirms_costs_no_try() {
    let machine = Machine::new().await;
    let offer = offer(&machine.host);
    let code = offer.code.unwrap();
    for _ in 0..5 {
        let mut dialled = connect(&addresses(&machine.host), pairpin_core::net::tls::PinCheck::Provisional).await;
        let entropy = pairpin_core::secrets::Secret::generate().unwrap();
        let (envelope, _) = pairpin_core::handshake::CodeAwaitShare::start(&dialled.channel, &code, &entropy).unwrap();
        pairpin_core::net::upgrade::request(&mut dialled.stream, Flow::Code, &envelope).await.unwrap();
    }
    assert!(Device::new("laptop").type_code(&machine.host, &code).await.is_some());
}

#[tokio::test]
async fn a_device_may_unpair_itself() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (mut socket, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    socket.send(Frame::Request { id: 9, method: "unpair".into(), params: serde_json::Value::Null }).await.unwrap();
    let answer = next_frame(&mut socket).await;
    assert!(matches!(answer, Some(Frame::Answer { id: 9, result: Ok(_) })), "{answer:?}");
    assert_eq!(phone.resume(&machine.host, &session).await.err(), Some(Refused::Told(RefusalCode::Revoked)));
}

#[tokio::test]
async fn the_last_owner_cannot_be_demoted() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let demote = DeviceChange { role: Some(Role::Viewer), ..DeviceChange::default() };
    let refused = machine.host.set_device(phone.id(), demote.clone()).await;
    assert!(matches!(refused, Err(HostError::LastOwner(_))));
    let request = OfferRequest { link: true, role: Some(Role::Owner), ..OfferRequest::default() };
    let link = machine.host.create_offer(request).unwrap().link.unwrap();
    Device::new("tablet").pair(&link).await.unwrap();
    assert_eq!(machine.host.set_device(phone.id(), demote).await.unwrap().role, Role::Viewer);
}

#[tokio::test]
async fn two_first_devices_at_once_do_not_both_become_owner() {
    let machine = Machine::new().await;
    let (one, two) = (offer(&machine.host).link.unwrap(), offer(&machine.host).link.unwrap());
    let (first, second) = (Device::new("first"), Device::new("second"));
    let (mut a, granted_a) = first.get_grant(&one).await.unwrap();
    let (mut b, granted_b) = second.get_grant(&two).await.unwrap();
    let roles =
        [acknowledge(&mut a, &granted_a).await.unwrap().role, acknowledge(&mut b, &granted_b).await.unwrap().role];
    assert_eq!(roles, [Role::Owner, Role::Operator]);
}

#[tokio::test]
async fn a_host_that_stops_says_so_and_devices_come_back() {
    let mut machine = Machine::new().await;
    let phone = Device::new("phone");
    let (mut socket, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let pin = machine.host.status().pin;
    machine.restart().await;
    let closing = next_frame(&mut socket).await;
    assert!(matches!(closing, Some(Frame::Closing(ref c)) if c.code == CloseCode::Stopping), "{closing:?}");
    assert_eq!(machine.host.status().pin, pin, "a new certificate, the same key");
    phone.resume(&machine.host, &session).await.unwrap();
}

#[tokio::test]
async fn a_missing_next_key_is_never_silently_a_new_one_for_devices_have_stored_its_pin() {
    let machine = Machine::new().await;
    let phone = Device::new("phone");
    let (_, session, _) = phone.pair(&offer(&machine.host).link.unwrap()).await.unwrap();
    let promised = machine.host.status().keys.next_pin;
    machine.host.stop().await;
    let (state, clock) = (machine.dir.path().join("state"), machine.clock.clone());
    drop(machine.host);
    let (key, away) = (state.join(NEXT_KEY_FILE), state.join("next.away"));
    std::fs::rename(&key, &away).unwrap();
    let Err(error) = try_start(&state, &clock).await else { panic!("another next key was made") };
    assert!(matches!(error, HostError::NextKeyMissing(_)), "{error}");
    assert!(!key.exists());
    let stopped = OfflineHost::open(&state).unwrap().unwrap();
    assert!(matches!(stopped.keys(), Err(HostError::NextKeyMissing(_))));
    drop(stopped);

    // Restored, it is the one that was promised.
    std::fs::rename(&away, &key).unwrap();
    let host = start(&state, &clock).await;
    let (_, welcome) = phone.resume(&host, &session).await.unwrap();
    assert_eq!(welcome.next_pin, promised);
    host.stop().await;
    drop(host);

    // Lost for good: a new one is made where a person says so, in the audit log, and told in each welcome.
    std::fs::remove_file(&key).unwrap();
    let host = start_anew(&state, &clock).await.unwrap();
    let made = host.status().keys.next_pin;
    assert_ne!(made, promised);
    let audited = host.audit_tail(10).await.unwrap();
    assert!(audited.iter().any(|line| line.kind == "key" && line.text.contains(&made.fingerprint())), "{audited:?}");
    let (_, welcome) = phone.resume(&host, &session).await.unwrap();
    assert_eq!(welcome.next_pin, made, "and nobody had to scan");
    host.stop().await;
    drop(host);
    let Err(error) = start_anew(&state, &clock).await else { panic!("the flag makes new keys each time") };
    assert!(matches!(error, HostError::KeyNotMissing(_)), "{error}");
}

#[tokio::test]
async fn a_missing_key_beside_a_database_is_never_silently_a_new_one() {
    let machine = Machine::new().await;
    machine.host.stop().await;
    let state = machine.dir.path().join("state");
    let clock = machine.clock.clone();
    drop(machine.host);
    std::fs::remove_file(state.join(IDENTITY_KEY_FILE)).unwrap();
    let Err(error) = try_start(&state, &clock).await else { panic!("a new key was made") };
    assert!(matches!(error, HostError::KeyMissing(_)), "{error}");
    assert!(!state.join(IDENTITY_KEY_FILE).exists());
}
