//! What a connection costs, as counts that are the same on every machine: round trips, and waits for
//! the disk. What it costs in time and memory is measured by `cargo xtask bench`.

use std::net::SocketAddr;

use pairpin_core::wire::DEFAULT_PORT;
use pairpin_tests::block_on;
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::{Identity, Peer, acknowledge};
use pairpin_tests::scratch;
use pairpin_tests::swarm::disk;
use pairpin_tests::swarm::paired::Door;
use pairpin_tests::swarm::rows;
use pairpin_tests::swarm::trips::Wire;

async fn wire(machine: &Machine) -> Wire {
    Wire::to(machine.address, SocketAddr::from((scratch::loopback(), DEFAULT_PORT))).await.unwrap()
}

#[test]
fn a_reconnect_is_ready_after_three_round_trips() {
    let (machine, devices) = rows::machine_with(1);
    block_on(async {
        let wire = wire(&machine).await;
        let door = Door { address: wire.address, ..Door::of(&machine) };
        for _ in 0..5 {
            let mut session = devices[0].dial(door, std::net::Ipv4Addr::LOCALHOST).await.unwrap();
            assert_eq!(wire.trips.take(), 3, "TCP, TLS, and the upgrade with its proof");
            // The control: one exchange more is one more.
            session.round_trip().await.unwrap();
            assert_eq!(wire.trips.take(), 1);
        }
    });
}

#[test]
fn a_scan_has_its_grant_after_three_round_trips_and_is_paired_after_four() {
    let machine = Machine::started();
    block_on(async {
        let wire = wire(&machine).await;
        for name in ["one", "two", "three"] {
            let secret = machine.offer(&[]).link().secret;
            let phone = Identity::new(name);
            let peer = Peer::connect(wire.address).await.unwrap();
            let (grant, mut session) = phone.prove(peer, &secret).await.unwrap();
            assert_eq!(wire.trips.take(), 3, "TCP, TLS, and the upgrade with its Proof");
            acknowledge(&grant, &mut session).await.unwrap();
            assert_eq!(wire.trips.take(), 1, "the acknowledgement");
        }
    });
}

#[test]
fn no_reconnect_waits_for_the_disk() {
    let home = scratch::directory();
    let log = home.path().join("syncs");
    let (machine, devices) = rows::with_devices(disk::traced(&log), 4);
    let counted = disk::count(&machine, &devices, &log, 200, false);
    println!("{counted:?}");
    assert_eq!(disk::judge(&counted), Vec::<String>::new());
    // The control: the same judge, where each reconnect is followed by one write.
    let counted = disk::count(&machine, &devices, &log, 60, true);
    println!("{counted:?}");
    assert!(counted.calls >= 60, "a durable write without a call: {counted:?}");
    assert!(!disk::judge(&counted).is_empty());
}
