//! One connection for everything: a machine that is watched is asked, listened to and decided on over the same
//! connection. What a phone does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{Device, Machine, pair_of_both, until};
use pairpin_core::client::{Act, ClientError, MachineState, MachineWatch};
use pairpin_core::wire::DeviceEvent;

async fn watched() -> (Machine, Device, MachineWatch) {
    let (machine, device) = pair_of_both().await;
    device.pair(&machine).await;
    let row = device.client.machines().await.unwrap()[0].row;
    let watch = device.client.watch(row).await.unwrap();
    until(&watch, |state| matches!(state, MachineState::Online { .. })).await;
    (machine, device, watch)
}

fn connections(machine: &Machine, name: &str) -> usize {
    machine.host().find_device(name).unwrap().connected
}

async fn in_time<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), step).await.expect("in time")
}

#[tokio::test]
async fn a_watched_machine_is_asked_and_decided_on_over_the_one_connection() {
    let (machine, _device, watch) = watched().await;
    let mut session = watch.session().await.unwrap();
    assert_eq!(session.devices().await.unwrap().len(), 1);
    assert!(session.enrol_here().await.unwrap());
    let offer = session.invite_here(pairpin_core::role::Role::Viewer, None, None).await.unwrap();
    assert!(offer.link.is_some());
    // Another session over it knows the key, and hears what the watch hears.
    let mut another = watch.session().await.unwrap();
    assert!(!another.enrol_here().await.unwrap());
    let second = Device::new(&machine.clock);
    second.pair(&machine).await;
    for event in [in_time(watch.event()).await.unwrap(), in_time(another.event()).await.unwrap()] {
        assert!(matches!(&event, DeviceEvent::DeviceAdded { name, .. } if name == "laptop 2"), "{event:?}");
    }
    assert_eq!(connections(&machine, "laptop"), 1, "all of it took one connection");
    session.close().await;
    assert!(matches!(watch.current(), MachineState::Online { .. }), "a session that is closed leaves it");
}

#[tokio::test]
async fn a_session_ends_with_its_connection_and_the_next_connection_gives_another() {
    let (mut machine, _device, watch) = watched().await;
    let mut session = watch.session().await.unwrap();
    session.enrol_here().await.unwrap();
    let prepared = session.prepare(Act::Invite { role: pairpin_core::role::Role::Viewer, name: None, lifetime: None });
    let prepared = prepared.await.unwrap();
    machine.restart(false, |_| ()).await;
    let signature = session.sign_here(&prepared).await.unwrap();
    let lost = in_time(session.submit(prepared, signature)).await.unwrap_err();
    assert!(matches!(lost, ClientError::Interrupted { .. }), "{lost}");
    watch.resume();
    until(&watch, |state| matches!(state, MachineState::Online { .. })).await;
    let anew = in_time(async {
        loop {
            match watch.session().await {
                Ok(session) => return session,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    let mut anew = anew.await;
    assert_eq!(anew.devices().await.unwrap().len(), 1);
}

#[tokio::test]
async fn while_nothing_is_connected_there_is_no_session() {
    let (_machine, _device, watch) = watched().await;
    watch.suspend();
    until(&watch, |state| matches!(state, MachineState::Paused)).await;
    assert!(matches!(watch.session().await, Err(ClientError::Interrupted { .. })));
}
