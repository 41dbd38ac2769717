//! Flow (f) from the machine's shell: whoever is revoked is out before the prompt returns, and
//! stays out until a person pairs it again.

use std::time::{Duration, Instant};

use pairpin_core::wire::{CloseCode, Frame, RefusalCode};
use pairpin_tests::block_on;
use pairpin_tests::device::{Device, is_online};
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::{Event, Identity, Peer, Refused};
use tokio::net::TcpSocket;
use tokio::time::timeout;

async fn connect(machine: &Machine) -> Peer {
    Peer::connect(machine.address).await.unwrap()
}

#[test]
fn when_revoke_returns_the_connections_are_cut_and_the_device_has_been_told() {
    let machine = Machine::started();
    let phone = Identity::new("phone");
    block_on(async {
        let secret = machine.offer(&[]).link().secret;
        let (grant, mut first) = phone.pair(connect(&machine).await, &secret).await.unwrap();
        let (_, mut second) =
            phone.resume(connect(&machine).await, &grant, &grant.token, &grant.recognition_key).await.unwrap();
        let revoked = machine.run(&["devices", "revoke", "phone", "--yes", "--reason", "lost it"]).expect(0);
        drop(revoked);
        // Nothing has to be waited for: what was sent is here, and then the end.
        for session in [&mut first, &mut second] {
            let mut told = None;
            loop {
                match session.next_within(Duration::from_secs(1)).await.expect("the connection is open after revoke") {
                    Event::Frame(pairpin_core::wire::Frame::Closing(closing)) => told = Some(closing),
                    Event::Frame(_) => {}
                    Event::Closed(code) => {
                        assert_eq!(code, Some(4001));
                        break;
                    }
                }
            }
            let told = told.expect("the device was not told");
            assert_eq!((told.code, told.reason.as_deref()), (CloseCode::Revoked, Some("lost it")));
            assert!(told.by.is_some());
        }
        assert_eq!(machine.devices().len(), 0);
    });
}

#[test]
fn a_revoked_key_stays_out_through_restarts_and_is_told_why() {
    let mut machine = Machine::started();
    let phone = Identity::new("phone");
    block_on(async {
        let secret = machine.offer(&[]).link().secret;
        let (grant, _session) = phone.pair(connect(&machine).await, &secret).await.unwrap();
        machine.run(&["devices", "revoke", "phone", "--yes", "--reason", "lost it"]).expect(0);
        for round in 0..2 {
            match phone.resume(connect(&machine).await, &grant, &grant.token, &grant.recognition_key).await {
                Err(Refused::Told(refusal)) => {
                    assert_eq!(refusal.code, RefusalCode::Revoked);
                    assert_eq!(refusal.reason.as_deref(), Some("lost it"));
                    assert!(refusal.by.is_some() && refusal.at.is_some());
                }
                other => panic!("round {round}: a revoked key was answered with {other:?}"),
            }
            machine.crash();
            machine.start();
        }
        // Not even a fresh offer lets the same key in.
        let secret = machine.offer(&[]).link().secret;
        match phone.pair(connect(&machine).await, &secret).await {
            Err(Refused::Told(refusal)) => assert_eq!(refusal.code, RefusalCode::Revoked),
            other => panic!("a revoked key with a fresh offer was answered with {other:?}"),
        }
        assert_eq!(machine.devices().len(), 0);
    });
}

#[test]
fn a_revoked_device_erases_its_key_says_who_and_pairs_again_in_one_go() {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    machine.run(&["devices", "revoke", "laptop", "--yes", "--reason", "sold"]).expect(0);
    let row = device.only_machine();
    assert_eq!(row["state"], "revoked");
    assert!(row.to_string().contains("sold"), "the reason is not in {row}");
    let kept = secrets_of(&device);
    assert_eq!(kept, Vec::<String>::new(), "the erased device still has secrets");

    let offer = machine.offer(&["--name", "laptop"]);
    device.join(offer.link_text()).expect(0);
    let listed = machine.only_device();
    assert_eq!(listed["name"], "laptop", "the revoked device's name must be free again");
    assert!(device.is_welcome());
    let revoked = machine.json(&["devices", "list", "--revoked", "--json"]);
    assert!(revoked.to_string().contains("sold"), "no tombstone in {revoked}");
}

/// Files of the device's secret store.
fn secrets_of(device: &Device) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(device.state().join("secrets")) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

#[test]
fn a_watching_device_learns_at_once_that_it_was_revoked() {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    let mut watch = device.start(&["machines", "watch", "--json"]);
    watch.line("online", |line| line.contains("\"state\":\"online\""));
    machine.run(&["devices", "revoke", "laptop", "--yes"]).expect(0);
    watch.line("revoked", |line| line.contains("revoked"));
}

#[test]
fn revoking_one_machines_device_leaves_the_other_machine_alone() {
    let (attic, cellar) = (Machine::started(), Machine::started());
    let device = Device::new();
    for machine in [&attic, &cellar] {
        device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    }
    attic.run(&["devices", "revoke", "laptop", "--yes"]).expect(0);
    let online: Vec<bool> = device.machines().iter().map(is_online).collect();
    assert_eq!(online.iter().filter(|online| **online).count(), 1, "{online:?}");
    assert_eq!(cellar.devices().len(), 1);
}

#[test]
fn without_yes_and_without_a_terminal_nobody_is_revoked() {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    machine.run(&["devices", "revoke", "laptop"]).expect(2).says("--yes");
    machine.run(&["devices", "revoke", "--all"]).expect(2);
    machine.run(&["devices", "revoke", "nobody", "--yes"]).expect(1).says("nobody");
    assert!(device.is_welcome());
}

#[test]
fn a_stopped_machine_revokes_too() {
    let mut machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    machine.stop().expect(0);
    machine.run(&["devices", "revoke", "laptop", "--yes"]).expect(0);
    machine.start();
    assert_eq!(machine.devices().len(), 0);
    assert_eq!(device.only_machine()["state"], "revoked");
}

#[test]
fn all_devices_are_revoked_with_one_command() {
    let machine = Machine::started();
    let devices = [Device::new(), Device::new(), Device::new()];
    for device in &devices {
        device.join(machine.offer(&[]).link_text()).expect(0);
    }
    machine.run(&["devices", "revoke", "--all", "--yes"]).expect(0);
    assert_eq!(machine.devices().len(), 0);
    for device in &devices {
        assert_eq!(device.only_machine()["state"], "revoked");
    }
}

#[test]
fn a_device_that_reads_nothing_is_cut_within_a_second_all_the_same() {
    let machine = Machine::started();
    let phone = Identity::new("phone");
    block_on(async {
        let secret = machine.offer(&[]).link().secret;
        let (grant, paired) = phone.pair(connect(&machine).await, &secret).await.unwrap();
        drop(paired);
        let resume = async |peer| phone.resume(peer, &grant, &grant.token, &grant.recognition_key).await.unwrap().1;
        // As little as the system allows to wait in the device's own buffer.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        let peer = Peer::over(socket.connect(machine.address).await.unwrap()).await.unwrap();
        let mut stalled = resume(peer).await;
        // Answers that nobody reads fill every buffer between the two, until the machine is stuck.
        let request = Frame::Request { id: 1, method: "x".repeat(4096), params: serde_json::Value::Null };
        let mut sent = 0;
        while timeout(Duration::from_millis(500), stalled.send(&request)).await.is_ok_and(|sent| sent.is_ok()) {
            sent += 1;
            assert!(sent < 100_000, "the machine never gets stuck");
        }
        wait_for_one_connection(&machine).await;
        let begun = Instant::now();
        let revoked = machine.run(&["devices", "revoke", "phone", "--yes"]).expect(0);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(1), "revoke took {took:?} with a stalled device ({sent} requests sent)");
        assert!(revoked.stdout.contains("1 connection cut"), "{revoked:?}");
        assert_eq!(machine.status()["online"], 0);
        eprintln!("stuck after {sent} requests, revoke took {took:?}");
        // The control: it was connected until then, and is not any more.
        let cut = timeout(Duration::from_secs(5), stalled.end()).await.expect("the socket is still open");
        assert!(cut.is_ok(), "{cut:?}");
    });
}

/// The connection of the pairing itself ends in its own time.
async fn wait_for_one_connection(machine: &Machine) {
    let until = Instant::now() + Duration::from_secs(10);
    while machine.only_device()["connected"] != 1 {
        assert!(Instant::now() < until, "{}", machine.only_device());
    }
}
