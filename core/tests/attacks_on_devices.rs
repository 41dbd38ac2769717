//! Attacks on a device: what a false machine, or one that lies, could make of the rows it has. Each
//! test is one attempt.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod faults;
mod peer;

use std::sync::Arc;

use common::{Device, Machine, TestClock, pair_of_both};
use faults::false_machine::{FalseMachine, Manner, Odd};
use pairpin_core::client::{ClientError, MachineState, PairQuestion, Paired};
use pairpin_core::host::{DATABASE_FILE, SHELL};
use pairpin_core::secrets::TypedCode;

/// A paired device whose machine has revoked it, says so, and does not know R: what a thief of the TLS
/// key alone can say.
async fn revoked_without_r() -> (Machine, Device, Paired) {
    let (mut machine, device) = pair_of_both().await;
    let paired = device.pair(&machine).await;
    let id = machine.host().devices()[0].id;
    machine.host().revoke(id, SHELL, None).await.unwrap();
    machine
        .restart(false, |state| {
            let conn = rusqlite::Connection::open(state.join(DATABASE_FILE)).unwrap();
            assert_eq!(conn.execute("UPDATE tombstones SET recognition_key = ?1", [&[7_u8; 32][..]]).unwrap(), 1);
        })
        .await;
    (machine, device, paired)
}

/// The row and its secrets are as they were, under a hard stop, and nothing was paired.
async fn stands(machine: &Machine, device: &Device, paired: &Paired, secrets: &[String]) {
    assert_eq!(device.store.names(), secrets, "its keys were erased");
    let rows = device.client.machines().await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].row, &rows[0].state), (paired.machine.row, &MachineState::KeyCopied));
    assert!(machine.host().devices().is_empty());
}

#[tokio::test]
async fn a_thief_of_the_tls_key_cannot_make_a_scan_erase_the_row_and_take_its_place() {
    let (machine, device, paired) = revoked_without_r().await;
    let secrets = device.store.names();
    let preview = device.client.preview(machine.offer().link.as_ref().unwrap()).await.unwrap();
    assert_eq!(preview.question, PairQuestion::Again { known_as: "homebox".into() });
    let error = device.client.pair(preview).await.unwrap_err();
    assert_eq!(error, ClientError::KeyCopied { name: "homebox".into() });
    stands(&machine, &device, &paired, &secrets).await;
}

#[tokio::test]
async fn nor_can_he_with_a_typed_code() {
    let (machine, device, paired) = revoked_without_r().await;
    let secrets = device.store.names();
    let code = machine.offer().code.unwrap();
    let code = TypedCode::parse(&code.expose_groups()).unwrap();
    let preview = device.client.begin_code(machine.address(), code).await.unwrap();
    let error = preview.confirm().await.unwrap_err();
    assert_eq!(error, ClientError::KeyCopied { name: "homebox".into() });
    stands(&machine, &device, &paired, &secrets).await;
}

#[tokio::test]
async fn a_revoked_device_pairs_anew_where_the_machine_has_moved_to() {
    let (mut machine, device) = pair_of_both().await;
    let paired = device.pair(&machine).await;
    let id = machine.host().devices()[0].id;
    machine.host().revoke(id, SHELL, None).await.unwrap();
    // The row knows no address at which it is told under R: the link does.
    machine.move_to(0).await;
    let preview = device.client.preview(&moved(&machine)).await.unwrap();
    let again = device.client.pair(preview).await.unwrap();
    assert!(again.revoked_before.is_some());
    assert_ne!(again.machine.row, paired.machine.row);
    assert_eq!(device.client.machines().await.unwrap().len(), 1);
}

/// A link to where the machine listens now.
fn moved(machine: &Machine) -> pairpin_core::link::Link {
    let mut link = machine.offer().link.unwrap();
    link.addresses = machine.host().status().listening.iter().map(|at| (*at).into()).collect();
    link
}

#[tokio::test]
async fn a_machine_of_ours_at_one_address_does_not_hide_a_strangers_key_at_another() {
    let (mut first, device) = pair_of_both().await;
    let second = Machine::start(&first.clock).await;
    let row = device.pair(&first).await.machine.row;
    device.pair(&second).await;
    let stranger = Machine::start(&first.clock).await;
    first.stop().await;
    let addresses = serde_json::to_string(&[second.address(), stranger.address()]).unwrap();
    let conn = rusqlite::Connection::open(device.dir.path().join("state").join("device.db")).unwrap();
    let sql = "UPDATE machines SET addresses = ?2, last_address = ?3 WHERE row = ?1";
    assert_eq!(conn.execute(sql, (row, addresses, second.address().to_string())).unwrap(), 1);
    let view = device.client.check(row).await.unwrap();
    assert_eq!(view.state, MachineState::KeyChanged { seen: stranger.host().status().pin });
}

#[tokio::test]
async fn a_machine_that_was_never_paired_is_no_excuse_for_another_key_at_a_paired_ones_address() {
    let (mut first, device) = pair_of_both().await;
    let row = device.pair(&first).await.machine.row;
    // The person said yes to a second machine, which has gone before it granted anything.
    let mut second = Machine::start(&first.clock).await;
    let preview = device.client.preview(second.offer().link.as_ref().unwrap()).await.unwrap();
    second.stop().await;
    let error = device.client.pair(preview).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    let rows = device.client.machines().await.unwrap();
    let unfinished = rows.iter().find(|other| other.row != row).unwrap();
    assert_eq!(unfinished.state, MachineState::Unfinished, "there is no such row, so nothing was tried");
    // It sits at the first one's address now.
    first.stop().await;
    second.move_to(first.port).await;
    let seen = second.host().status().pin;
    let view = device.client.check(row).await.unwrap();
    assert_eq!(view.state, MachineState::KeyChanged { seen });

    // The control: once it is paired, the address is its own.
    device.pair(&second).await;
    let view = device.client.check(row).await.unwrap();
    assert!(matches!(&view.state, MachineState::Offline { why: Some(why), .. } if why.contains("'s now")), "{view:?}");
}

#[tokio::test]
async fn a_yes_that_comes_a_minute_late_pairs_nobody() {
    for (waited, late) in [(50, false), (61, true)] {
        let (machine, device) = pair_of_both().await;
        let code = TypedCode::parse(&machine.offer().code.unwrap().expose_groups()).unwrap();
        let preview = device.client.begin_code(machine.address(), code).await.unwrap();
        machine.clock.advance(std::time::Duration::from_secs(waited));
        let answered = preview.confirm().await;
        assert_eq!(matches!(answered, Err(ClientError::AnswerTooLate)), late, "{answered:?}");
        assert_eq!(machine.host().devices().is_empty(), late);
    }
}

#[tokio::test]
async fn a_link_makes_a_device_dial_sixteen_places_and_no_more() {
    let (machine, device) = pair_of_both().await;
    let mut link = machine.offer().link.unwrap();
    let refused = |port: usize| format!("127.0.0.1:{port}").parse().unwrap();
    // Ports of the system's at which nothing listens here.
    link.addresses = (1..=16).map(refused).chain([machine.address()]).collect();
    let error = device.client.preview(&link).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { ref tried, .. } if tried.len() == 16), "{error:?}");
    link.addresses.remove(0);
    device.client.preview(&link).await.expect("the sixteenth is dialled");
}

/// Who has seen the QR can be at the address when the person has said yes to another.
#[tokio::test]
async fn a_key_that_changes_between_the_question_and_the_proof_gets_nothing() {
    let (machine, device) = (FalseMachine::start().await, Device::new(&Arc::new(TestClock::default())));
    let mut preview = device.client.preview(&machine.link).await.unwrap();
    let (asked, seen) = (machine.asked(), machine.change_key());
    let error = device.client.pair(preview.clone()).await.unwrap_err();
    assert_eq!(error, ClientError::OtherKey { address: machine.address.clone(), seen });
    assert_eq!(machine.asked(), asked, "a Proof went to a key that the person was not asked about");
    // The twin: a device that goes by whichever key is there now would be paired with it.
    preview.pin = seen;
    assert_eq!(device.client.pair(preview).await.unwrap().machine.pin, seen);
}

#[tokio::test]
async fn a_key_that_changes_between_two_runs_of_a_typed_code_gets_nothing() {
    for and_changes in [false, true] {
        let (machine, device) = (FalseMachine::start().await, Device::new(&Arc::new(TestClock::default())));
        machine.set(Manner { odd: Some(Odd::Revokes { and_changes }), ..Manner::default() });
        let preview = device.client.begin_code(machine.address.clone(), machine.code.clone()).await.unwrap();
        let agreed = preview.pin;
        // Told that its key is out for ever, the device comes again with a new one by itself.
        let ended = preview.confirm().await;
        if and_changes {
            assert!(matches!(ended, Err(ClientError::OtherKey { seen, .. }) if seen != agreed), "{ended:?}");
            let rows = device.client.machines().await.unwrap();
            assert!(rows.iter().all(|row| matches!(row.state, MachineState::Revoked(_))), "{rows:?}");
            assert_eq!(device.store.names(), Vec::<String>::new(), "a key that was made for the other one stays");
        } else {
            // The control: by the same key it is paired.
            let paired = ended.unwrap();
            assert_eq!((paired.machine.pin, paired.revoked_before.is_some()), (agreed, true));
        }
    }
}
