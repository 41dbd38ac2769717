//! Device and machine together: pairing by scan and by code, again, after a revocation, after the
//! machine's key was replaced; and against a machine that is not the one it claims to be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Device, Machine, TestClock, pair_of_both};
use pairpin_core::client::{ClientError, ErrorKind, MachineState, PairQuestion};
use pairpin_core::host::OfferEvent;
use pairpin_core::role::Role;
use pairpin_core::secrets::TypedCode;
use pairpin_core::wire::limits;

async fn digits_on_the_machine(watch: &mut pairpin_core::host::OfferWatch) -> String {
    loop {
        if let OfferEvent::Paired(paired) = watch.next().await {
            return paired.digits;
        }
    }
}

#[tokio::test]
async fn a_scan_pairs_and_both_ends_show_the_same_digits() {
    let (machine, device) = pair_of_both().await;
    let offer = machine.offer();
    let mut watch = machine.host().watch_offer(offer.number).unwrap();
    let preview = device.client.preview(offer.link.as_ref().unwrap()).await.unwrap();
    assert_eq!(preview.question, PairQuestion::New);
    assert_eq!((preview.name.as_str(), preview.role), ("homebox", Role::Owner));
    assert_eq!(preview.pin, machine.host().status().pin);
    assert!(machine.host().devices().is_empty(), "a preview pairs nobody");

    let paired = device.client.pair(preview).await.unwrap();
    assert_eq!(paired.digits.unwrap(), digits_on_the_machine(&mut watch).await);
    assert_eq!(paired.role, Role::Owner);
    assert_eq!(machine.host().devices().len(), 1);
    assert_eq!(machine.host().devices()[0].name, "laptop");

    let view = device.client.check(paired.machine.row).await.unwrap();
    assert_eq!(view.state, MachineState::Online { address: machine.address() });
}

#[tokio::test]
async fn a_used_offer_lets_nobody_else_in() {
    let (machine, device) = pair_of_both().await;
    let offer = machine.offer();
    let preview = device.client.preview(offer.link.as_ref().unwrap()).await.unwrap();
    device.client.pair(preview).await.unwrap();
    let second = Device::new(&machine.clock);
    assert_eq!(second.client.preview(offer.link.as_ref().unwrap()).await.unwrap_err(), ClientError::OfferUsed);
    assert!(second.client.machines().await.unwrap().is_empty());
    assert_eq!(second.store.names(), Vec::<String>::new());
    // The owner, beaten by a photographer of his QR, must not be the only one to know.
    assert_eq!(alarms(&machine, offer.number).await, 1);
}

/// How often the alarm has rung so far for an offer.
async fn alarms(machine: &Machine, offer: u32) -> usize {
    let log = machine.host().audit(0, 1000).await.unwrap();
    let told = format!("tried offer {offer} after it was used");
    log.iter().filter(|line| line.kind == "alarm" && line.text.contains(&told)).count()
}

#[tokio::test]
async fn a_used_offer_shown_by_the_device_that_used_it_is_no_alarm() {
    let (machine, device) = pair_of_both().await;
    let offer = machine.offer();
    let link = offer.link.as_ref().unwrap();
    device.client.pair(device.client.preview(link).await.unwrap()).await.unwrap();
    let newer = machine.offer();
    device.client.pair(device.client.preview(newer.link.as_ref().unwrap()).await.unwrap()).await.unwrap();
    // Its row has the newer offer now, so the older one is asked for as a stranger's would be.
    assert_eq!(device.client.preview(link).await.unwrap_err(), ClientError::OfferUsed);
    assert_eq!(alarms(&machine, offer.number).await, 0);
}

#[tokio::test]
async fn the_same_link_again_on_the_paired_device_says_that_it_is_paired() {
    let (machine, device) = pair_of_both().await;
    let offer = machine.offer();
    let link = offer.link.as_ref().unwrap();
    let paired = device.client.pair(device.client.preview(link).await.unwrap()).await.unwrap();
    let again = device.client.preview(link).await.unwrap();
    let PairQuestion::AlreadyPaired(known) = &again.question else { panic!("{:?}", again.question) };
    assert_eq!(known.digits, paired.digits);
    assert_eq!(device.client.pair(again).await.unwrap().machine.row, paired.machine.row);
}

#[tokio::test]
async fn a_refused_unfinished_row_is_dropped_with_its_key() {
    let (machine, device) = pair_of_both().await;
    let offer = machine.offer();
    let preview = device.client.preview(offer.link.as_ref().unwrap()).await.unwrap();
    machine.host().cancel_offer(offer.number).unwrap();
    assert_eq!(device.client.pair(preview).await.unwrap_err(), ClientError::OfferWithdrawn);
    assert!(device.client.machines().await.unwrap().is_empty());
    assert_eq!(device.store.names(), Vec::<String>::new());
}

#[tokio::test]
async fn a_code_pairs_and_a_wrong_one_costs_a_try() {
    let (machine, device) = pair_of_both().await;
    let offer = machine.offer();
    let mut watch = machine.host().watch_offer(offer.number).unwrap();
    let code = offer.code.unwrap();
    let wrong = [b'0', b'9'].map(|digit| TypedCode::parse(&String::from_utf8(vec![digit; 8]).unwrap()).unwrap());
    let wrong = wrong.into_iter().find(|other| *other != code).unwrap();
    let refused = device.client.begin_code(machine.address(), wrong).await.err().unwrap();
    assert_eq!(refused, ClientError::CodeWrong { tries_left: 2 });
    assert_eq!(device.store.names(), Vec::<String>::new(), "a machine that does not know the code leaves nothing");

    let preview = device.client.begin_code(machine.address(), code).await.unwrap();
    assert_eq!((preview.question.clone(), preview.pin), (PairQuestion::New, machine.host().status().pin));
    assert!(device.client.machines().await.unwrap().is_empty(), "nothing is stored before the person said yes");
    let paired = preview.confirm().await.unwrap();
    assert_eq!(paired.digits.unwrap(), digits_on_the_machine(&mut watch).await);
    let view = device.client.check(paired.machine.row).await.unwrap();
    assert_eq!(view.state, MachineState::Online { address: machine.address() });
}

#[tokio::test]
async fn a_device_stops_after_three_wrong_codes() {
    let (machine, device) = pair_of_both().await;
    let code = machine.offer().code.unwrap();
    let guesses = ["00000000", "11111111", "22222222", "33333333"].map(|text| TypedCode::parse(text).unwrap());
    let mut left = Vec::new();
    for guess in guesses.into_iter().filter(|guess| *guess != code).take(3) {
        match device.client.begin_code(machine.address(), guess).await.err().unwrap() {
            ClientError::CodeWrong { tries_left } => left.push(tries_left),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(left, [2, 1, 0]);
    let fourth = device.client.begin_code(machine.address(), code).await.err().unwrap();
    assert_eq!(fourth, ClientError::CodeClosed);
}

#[tokio::test]
async fn a_scan_while_paired_keeps_row_and_key() {
    let (machine, device) = pair_of_both().await;
    let first = device.pair(&machine).await;
    let before = device.store.names();
    let preview = device.client.preview(machine.offer().link.as_ref().unwrap()).await.unwrap();
    assert_eq!(preview.question, PairQuestion::Again { known_as: "homebox".into() });
    let again = device.client.pair(preview).await.unwrap();
    assert_eq!(again.machine.row, first.machine.row);
    assert_eq!(device.store.names(), before);
    assert_eq!(machine.host().devices().len(), 1);
    let view = device.client.check(again.machine.row).await.unwrap();
    assert_eq!(view.state, MachineState::Online { address: machine.address() });
}

#[tokio::test]
async fn a_code_while_paired_keeps_the_row_too() {
    let (machine, device) = pair_of_both().await;
    let first = device.pair(&machine).await;
    let preview = device.client.begin_code(machine.address(), machine.offer().code.unwrap()).await.unwrap();
    assert_eq!(preview.question, PairQuestion::Again { known_as: "homebox".into() });
    assert_eq!(preview.confirm().await.unwrap().machine.row, first.machine.row);
    assert_eq!(machine.host().devices().len(), 1);
}

#[tokio::test]
async fn a_revoked_device_pairs_anew_in_one_go_with_a_new_key() {
    for by_code in [false, true] {
        let (machine, device) = pair_of_both().await;
        let first = device.pair(&machine).await;
        let old = machine.host().devices()[0].id;
        device.client.rename(first.machine.row, "attic").await.unwrap();
        machine.host().revoke(old, "the machine's shell", Some("lost".into())).await.unwrap();

        let offer = machine.offer();
        let paired = if by_code {
            device.client.begin_code(machine.address(), offer.code.unwrap()).await.unwrap().confirm().await.unwrap()
        } else {
            let preview = device.client.preview(offer.link.as_ref().unwrap()).await.unwrap();
            device.client.pair(preview).await.unwrap()
        };
        let told = paired.revoked_before.expect("the device is told");
        assert_eq!((told.by.as_deref(), told.reason.as_deref()), (Some("the machine's shell"), Some("lost")));
        assert_ne!(machine.host().devices()[0].id, old, "a tombstoned key stays out for ever");
        assert_eq!(machine.host().devices()[0].name, "laptop", "the name is free again");
        let machines = device.client.machines().await.unwrap();
        assert_eq!(machines.len(), 1, "the new row takes the old one's place");
        assert_eq!(machines[0].name, "attic", "and its name");
        assert_eq!(device.store.names().len(), 2, "one key and one record: {:?}", device.store.names());
        let view = device.client.check(machines[0].row).await.unwrap();
        assert_eq!(view.state, MachineState::Online { address: machine.address() });
    }
}

#[tokio::test]
async fn a_replaced_key_is_a_hard_stop_until_a_scan_that_proves_r_re_pins_the_row() {
    let (mut machine, device) = pair_of_both().await;
    let paired = device.pair(&machine).await;
    let old_pin = machine.host().status().pin;
    machine
        .restart(true, |state| std::fs::remove_file(state.join(pairpin_core::host::IDENTITY_KEY_FILE)).unwrap())
        .await;
    let new_pin = machine.host().status().pin;
    assert_ne!(old_pin, new_pin);
    let view = device.client.check(paired.machine.row).await.unwrap();
    assert_eq!(view.state, MachineState::KeyChanged { seen: new_pin });
    assert!(device.client.machines().await.unwrap()[0].state.identity_changed(), "it is remembered");

    let preview = device.client.preview(machine.offer().link.as_ref().unwrap()).await.unwrap();
    let expected = PairQuestion::ReplaceKey { known_as: "homebox".into(), old_fingerprint: old_pin.fingerprint() };
    assert_eq!(preview.question, expected);
    let again = device.client.pair(preview).await.unwrap();
    assert_eq!((again.machine.row, again.machine.pin), (paired.machine.row, new_pin));
    assert_eq!(device.client.machines().await.unwrap().len(), 1);
    assert_eq!(machine.host().devices().len(), 1, "one device key is one row");
    let view = device.client.check(again.machine.row).await.unwrap();
    assert_eq!(view.state, MachineState::Online { address: machine.address() });
}

/// A machine that claims the id of another and cannot prove it: its database is not that one's.
async fn with_id_of(victim: &Machine, clock: &Arc<TestClock>) -> Machine {
    let id = victim.host().status().machine;
    let mut other = Machine::start(clock).await;
    other
        .restart(false, |state| {
            let conn = rusqlite::Connection::open(state.join(pairpin_core::host::DATABASE_FILE)).unwrap();
            let changed =
                conn.execute("UPDATE meta SET value = ?1 WHERE key = 'machine_id'", [&id.as_bytes()[..]]).unwrap();
            assert_eq!(changed, 1);
        })
        .await;
    assert_eq!(other.host().status().machine, id);
    other
}

#[tokio::test]
async fn a_machine_that_only_claims_a_known_id_gets_a_row_of_its_own() {
    let (machine, device) = pair_of_both().await;
    let paired = device.pair(&machine).await;
    let other = with_id_of(&machine, &machine.clock).await;
    let preview = device.client.preview(other.offer().link.as_ref().unwrap()).await.unwrap();
    assert_eq!(preview.question, PairQuestion::NewSameId { known_as: "homebox".into() });
    let second = device.client.pair(preview).await.unwrap();
    assert_ne!(second.machine.row, paired.machine.row);
    assert_eq!(second.machine.name, "homebox 2");
    // The first is what it was.
    let view = device.client.check(paired.machine.row).await.unwrap();
    assert_eq!((view.state, view.pin), (MachineState::Online { address: machine.address() }, paired.machine.pin));
}

#[tokio::test]
async fn the_key_without_r_is_a_hard_stop_at_reconnect_and_at_a_scan() {
    let (mut machine, device) = pair_of_both().await;
    let paired = device.pair(&machine).await;
    // The control: a restart alone changes nothing.
    machine.restart(false, |_| ()).await;
    let view = device.client.check(paired.machine.row).await.unwrap();
    assert_eq!(view.state, MachineState::Online { address: machine.address() });
    machine
        .restart(false, |state| {
            let conn = rusqlite::Connection::open(state.join(pairpin_core::host::DATABASE_FILE)).unwrap();
            assert_eq!(conn.execute("UPDATE devices SET recognition_key = ?1", [&[7_u8; 32][..]]).unwrap(), 1);
        })
        .await;
    let view = device.client.check(paired.machine.row).await.unwrap();
    assert_eq!(view.state, MachineState::KeyCopied);
    assert_eq!(device.client.machines().await.unwrap()[0].state, MachineState::KeyCopied);
    let preview = device.client.preview(machine.offer().link.as_ref().unwrap()).await.unwrap();
    let error = device.client.pair(preview).await.unwrap_err();
    assert_eq!(
        (&error, error.kind()),
        (&ClientError::KeyCopied { name: "homebox".into() }, ErrorKind::IdentityChanged)
    );
}

#[tokio::test]
async fn another_key_at_the_links_address_gets_nothing() {
    let (machine, device) = pair_of_both().await;
    let other = Machine::start(&machine.clock).await;
    let mut offer = machine.offer();
    let link = offer.link.as_mut().unwrap();
    link.addresses = vec![other.address()];
    let error = device.client.preview(link).await.unwrap_err();
    assert_eq!(error, ClientError::OtherKey { address: other.address(), seen: other.host().status().pin });
    assert!(device.client.machines().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_machine_at_another_machines_old_address_is_no_changed_key() {
    let (mut first, device) = pair_of_both().await;
    let mut second = Machine::start(&first.clock).await;
    let row = device.pair(&first).await.machine.row;
    device.pair(&second).await;
    // The second machine gets the first one's address.
    first.stop().await;
    second.move_to(first.port).await;
    let view = device.client.check(row).await.unwrap();
    assert!(
        matches!(&view.state, MachineState::Offline { why: Some(why), .. } if why.contains("homebox 2")),
        "{view:?}"
    );
    // The control: a machine that this device does not know is a hard stop there.
    second.stop().await;
    let mut stranger = Machine::start(&first.clock).await;
    stranger.move_to(first.port).await;
    let view = device.client.check(row).await.unwrap();
    assert_eq!(view.state, MachineState::KeyChanged { seen: stranger.host().status().pin });
}

#[tokio::test]
async fn a_scan_while_paired_raises_the_role_even_if_it_was_cut_short() {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let second = Device::new(&machine.clock);
    let row = second.pair(&machine).await.machine.row;
    assert_eq!(machine.host().devices().iter().filter(|device| device.role == Role::Owner).count(), 1);
    for polls in 0..40 {
        let offer = machine
            .host()
            .create_offer(pairpin_core::host::OfferRequest {
                link: true,
                role: Some(Role::Owner),
                ..Default::default()
            })
            .unwrap();
        let link = offer.link.as_ref().unwrap();
        let join = async || second.client.pair(second.client.preview(link).await?).await;
        let finished = common::dropped_after(polls, join()).await;
        let paired = join().await.unwrap();
        assert_eq!((paired.machine.row, paired.role), (row, Role::Owner), "after {polls} polls");
        assert_eq!(machine.host().devices().iter().filter(|device| device.role == Role::Owner).count(), 2);
        if finished {
            return;
        }
        let id = machine.host().devices().into_iter().find(|device| device.name != "laptop").unwrap().id;
        let change = pairpin_core::host::DeviceChange { role: Some(Role::Operator), ..Default::default() };
        machine.host().set_device(id, change).await.unwrap();
    }
    panic!("it never finished");
}

#[tokio::test]
async fn a_pairing_that_the_machine_finished_survives_its_restart_and_another_try() {
    let (mut machine, device) = pair_of_both().await;
    let offer = machine.offer();
    let mut watch = machine.host().watch_offer(offer.number).unwrap();
    let preview = device.client.preview(offer.link.as_ref().unwrap()).await.unwrap();
    tokio::select! {
        biased;
        _ = digits_on_the_machine(&mut watch) => {}
        _ = device.client.pair(preview.clone()) => panic!("the answer came before the machine had said so"),
    }
    machine.restart(false, |_| ()).await;
    // The machine has forgotten the offer, and not the device.
    assert_eq!(device.client.pair(preview).await.unwrap_err(), ClientError::OfferUnknown);
    let row = device.client.machines().await.unwrap()[0].row;
    let view = device.client.check(row).await.unwrap();
    assert_eq!(view.state, MachineState::Online { address: machine.address() });
    assert_eq!(machine.host().devices().len(), 1);
}

/// Scans again up to the Grant, which the device stores and the machine lets nobody acknowledge. With `stored`
/// false the device does not come to store it.
async fn scan_in_vain(machine: &Machine, device: &Device, stored: bool) {
    let offer = machine.offer();
    let mut watch = machine.host().watch_offer(offer.number).unwrap();
    let preview = device.client.preview(offer.link.as_ref().unwrap()).await.unwrap();
    let mut pairing = std::pin::pin!(device.client.pair(preview));
    loop {
        tokio::select! {
            biased;
            event = watch.next() => match event {
                OfferEvent::Claimed { .. } if !stored => return,
                OfferEvent::Claimed { .. } => machine.host().cancel_offer(offer.number).unwrap(),
                _ => {}
            },
            ended = &mut pairing => {
                assert!(ended.is_err(), "{ended:?}");
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_device_whose_scans_again_go_unanswered_one_after_the_other_stays_in() {
    let (machine, device) = pair_of_both().await;
    let row = device.pair(&machine).await.machine.row;
    // Acknowledged, and the answer is lost.
    let offer = machine.offer();
    let mut watch = machine.host().watch_offer(offer.number).unwrap();
    let preview = device.client.preview(offer.link.as_ref().unwrap()).await.unwrap();
    tokio::select! {
        biased;
        _ = digits_on_the_machine(&mut watch) => {}
        _ = device.client.pair(preview) => panic!("the answer came before the machine had said so"),
    }
    // Three more, of which the machine writes no acknowledgement.
    for stored in [true, true, false] {
        scan_in_vain(&machine, &device, stored).await;
    }
    machine.clock.advance(limits::SUPERSEDED_GRACE + Duration::from_secs(1));
    let view = device.client.check(row).await.unwrap();
    assert_eq!(view.state, MachineState::Online { address: machine.address() });
    assert!(machine.host().devices()[0].suspended.is_none());
}

#[tokio::test]
async fn a_revoked_device_that_shows_the_offer_it_used_is_told_and_rings_no_alarm() {
    let (machine, device) = pair_of_both().await;
    let offer = machine.offer();
    let link = offer.link.as_ref().unwrap();
    device.client.pair(device.client.preview(link).await.unwrap()).await.unwrap();
    let id = machine.host().devices()[0].id;
    machine.host().revoke(id, "the machine's shell", None).await.unwrap();
    let told = match device.client.preview(link).await {
        Ok(preview) => device.client.pair(preview).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(told, ClientError::Revoked { .. }), "{told:?}");
    assert_eq!(alarms(&machine, offer.number).await, 0);
    assert!(device.store.names().is_empty(), "its key is erased");
}
