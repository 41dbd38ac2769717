//! The one snapshot that a phone shows: what a machine tells of this device, of others and of what waits is in it as
//! soon as it was heard, and a role that was taken away takes its inbox along.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Device, Machine, pair_of_both};
use pairpin_core::client::app::{Action, App, AppState, Tidings, WhyNot};
use pairpin_core::client::{ClientError, InboxItem, MachineState, MachineView};
use pairpin_core::host::{AskWaiting, DeviceChange, Question, SHELL};
use pairpin_core::role::Role;
use pairpin_core::wire::{AskClaimed, AskKnown, AskObserved};

/// Waits for a state that fits.
async fn until(app: &App, what: &str, fits: impl Fn(&AppState) -> bool) -> Arc<AppState> {
    let mut changes = app.changes();
    let found = tokio::time::timeout(Duration::from_secs(10), changes.wait_for(|state| fits(state))).await;
    match found {
        Ok(state) => state.unwrap().clone(),
        Err(_) => panic!("not in time: {what}; it is {:?}", app.state()),
    }
}

async fn running() -> (Machine, Device, App) {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let app = App::start(device.client.clone()).await.unwrap();
    let online = until(&app, "online", |state| matches!(state.machines[0].state, MachineState::Online { .. })).await;
    let mut session = app.session(online.machines[0].row).await.expect("a machine that is shown online is asked");
    // Who can answer nothing is asked nothing.
    session.enrol_here().await.unwrap();
    (machine, device, app)
}

async fn ask(machine: &Machine) -> AskWaiting {
    let question = Question {
        known: AskKnown { uid: 1000, user: Some("ana".into()), process: Some(7) },
        observed: AskObserved::default(),
        claimed: AskClaimed { text: "Deploy?".into(), detail: None },
        time: None,
        fresh: None,
    };
    machine.host().ask(question).await.unwrap()
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_shown_at_once_and_takes_the_inbox_along() {
    let (machine, _device, app) = running().await;
    let second = Device::new(&machine.clock);
    second.pair(&machine).await;
    let other = machine.host().find_device("laptop 2").unwrap().id;
    let owner = DeviceChange { role: Some(Role::Owner), ..DeviceChange::default() };
    machine.host().set_device(other, owner).await.unwrap();
    let waiting = ask(&machine).await;
    let asked = until(&app, "the ask waits", |state| state.waiting.len() == 1).await;
    assert_eq!(Action::Answer.allowed(&asked.machines[0]), Ok(()));

    let own = machine.host().find_device("laptop").unwrap().id;
    let viewer = DeviceChange { role: Some(Role::Viewer), ..DeviceChange::default() };
    machine.host().set_device(own, viewer).await.unwrap();
    let fallen = until(&app, "a viewer, without an inbox", |state| {
        state.machines[0].role == Role::Viewer && state.waiting.is_empty()
    });
    let fallen = fallen.await;
    assert_eq!(Action::Answer.allowed(&fallen.machines[0]), Err(WhyNot::Role(Role::Operator)));
    assert!(matches!(fallen.machines[0].state, MachineState::Online { .. }), "the connection stays");
    drop(waiting);

    // And back: what waits is seen again without another connection.
    let operator = DeviceChange { role: Some(Role::Operator), ..DeviceChange::default() };
    machine.host().set_device(own, operator).await.unwrap();
    let _again = ask(&machine).await;
    until(&app, "an operator, with an inbox", |state| {
        state.machines[0].role == Role::Operator && state.waiting.len() == 1
    })
    .await;
}

#[tokio::test]
async fn who_came_and_went_is_told_in_order_to_owners_and_a_late_listener_finds_it() {
    let (machine, _device, app) = running().await;
    let second = Device::new(&machine.clock);
    let digits = second.pair(&machine).await.digits;
    let id = machine.host().find_device("laptop 2").unwrap().id;
    machine.host().revoke(id, SHELL, Some("sold".into())).await.unwrap();
    until(&app, "both are told", |state| state.news.len() == 2).await;
    // Asked only now, as by a screen that is opened late.
    let late = app.changes().borrow().clone();
    assert_eq!(late.news.iter().map(|news| news.number).collect::<Vec<_>>(), [1, 2]);
    let Tidings::DeviceAdded { name, digits: told, offer, .. } = &late.news[0].what else { panic!("{late:?}") };
    assert_eq!((name.as_str(), told, offer.is_some()), ("laptop 2", &digits, true));
    let Tidings::DeviceRevoked { name, reason, .. } = &late.news[1].what else { panic!("{late:?}") };
    assert_eq!((name.as_str(), reason.as_deref()), ("laptop 2", Some("sold")));
}

#[tokio::test]
async fn a_name_that_is_changed_is_given_at_the_next_pairing_and_not_before() {
    let (machine, device, app) = running().await;
    app.client().set_device_name("Ana's\u{202E} new phone");
    assert_eq!(app.client().device_name(), "Ana's new phone");
    assert!(machine.host().find_device("laptop").is_ok(), "a machine that is paired keeps its name for it");
    let another = Machine::start(&machine.clock).await;
    device.pair(&another).await;
    assert!(another.host().find_device("Ana's new phone").is_ok());
}

#[tokio::test]
async fn a_step_whose_caller_has_gone_is_shown_all_the_same() {
    let (machine, device, app) = running().await;
    let row = app.state().machines[0].row;
    let mut seen = 0;
    // Given up after each of its awaits in turn, until one of them was late enough for the step to be done.
    for polls in 1..200 {
        let done = common::dropped_after(polls, app.client().rename(row, &format!("box {polls}"))).await;
        let shown = async {
            // The step may still be under way: read again until both say the same.
            loop {
                let stored = device.client.machines().await.unwrap()[0].name.clone();
                if app.state().machines[0].name == stored {
                    return stored;
                }
            }
        };
        let shown = tokio::time::timeout(Duration::from_secs(10), shown).await.expect("what is stored is shown");
        seen += usize::from(!done && shown == format!("box {polls}"));
        if done {
            break;
        }
    }
    assert!(seen > 0, "none was given up after its step had begun");
    drop(machine);
}

#[tokio::test]
async fn machines_stand_in_the_order_in_which_they_were_paired() {
    let (machine, device, app) = running().await;
    let second = Machine::start(&machine.clock).await;
    let paired = device.pair(&second).await.machine;
    device.client.rename(paired.row, "a first name").await.unwrap();
    let shown = until(&app, "both", |state| state.machines.iter().any(|one| one.name == "a first name")).await;
    assert_eq!(shown.machines.iter().map(|one| one.row).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_yes_is_only_ever_to_what_was_shown() {
    let (machine, _device, app) = running().await;
    let _waiting = ask(&machine).await;
    let asked = until(&app, "the ask waits", |state| state.waiting.len() == 1).await;
    let (row, InboxItem::Ask(item)) = (asked.waiting[0].row, &asked.waiting[0].item) else { panic!("{asked:?}") };
    let id = &item.shown.id;
    assert_eq!(app.ask_as_shown(row, id, &item.shown_as()).unwrap(), *item);
    for other in ["", "AAAA", &item.shown_as()[1..]] {
        assert!(matches!(app.ask_as_shown(row, id, other), Err(ClientError::NotThere { .. })), "{other:?}");
    }
    assert!(app.ask_as_shown(row + 1, id, &item.shown_as()).is_err());
}

#[tokio::test]
async fn a_machine_that_is_forgotten_and_could_not_be_told_is_told_although_a_connection_stands() {
    let (machine, device, app) = running().await;
    let row = app.state().machines[0].row;
    let beside = rusqlite::Connection::open(device.dir.path().join("state/device.db")).unwrap();
    let dial = |address: &str| {
        let sql = "UPDATE machines SET addresses = json_array(?1), last_address = ?1";
        beside.execute(sql, [address]).unwrap();
    };
    // The kept connection stands; a dial of its own finds nobody.
    dial("127.0.0.1:1");
    let forgotten = app.client().forget(row).await.unwrap();
    assert!(forgotten.told_later && forgotten.still_listed.is_some(), "{forgotten:?}");
    let leaving =
        |state: &AppState| matches!(state.machines[..], [] | [MachineView { state: MachineState::Leaving { .. }, .. }]);
    until(&app, "it is shown as leaving, not as online", leaving).await;
    dial(&machine.address().to_string());
    until(&app, "it is told, and gone", |state| state.machines.is_empty()).await;
    assert!(machine.host().devices().is_empty(), "the machine lists it no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_forgets_a_machine_hears_what_it_says_to_that_and_not_the_connection_beside_it() {
    let (machine, device) = pair_of_both().await;
    let app = App::start(device.client.clone()).await.unwrap();
    for round in 0..10 {
        let row = device.pair(&machine).await.machine.row;
        until(&app, "online", |state| {
            matches!(state.machines[..], [ref one] if one.row == row && matches!(one.state, MachineState::Online { .. }))
        })
        .await;
        let forgotten = app.client().forget(row).await.unwrap();
        assert!(forgotten.last_owner && forgotten.still_listed.is_none(), "round {round}: {forgotten:?}");
        until(&app, "gone", |state| state.machines.is_empty()).await;
    }
}
