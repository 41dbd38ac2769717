//! Flow (d): a paired device comes back, through restarts and crashes; nobody else does.

use pairpin_core::secrets::Secret;
use pairpin_core::wire::{Grant, RefusalCode};
use pairpin_tests::block_on;
use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::{Identity, Peer, Refused, Session};

async fn connect(machine: &Machine) -> Peer {
    Peer::connect(machine.address).await.unwrap()
}

async fn paired(machine: &Machine, phone: &Identity) -> (Grant, Session) {
    let secret = machine.offer(&[]).link().secret;
    phone.pair(connect(machine).await, &secret).await.unwrap()
}

#[test]
fn a_paired_device_comes_back_after_a_restart_and_after_a_crash() {
    let mut machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&[]).link_text()).expect(0);
    let listed = machine.only_device();
    machine.restart();
    assert!(device.is_welcome());
    machine.crash();
    machine.start();
    assert!(device.is_welcome());
    assert_eq!(machine.only_device()["id"], listed["id"]);
}

#[test]
fn a_machine_that_is_off_is_said_to_be_offline_and_is_not_lost() {
    let mut machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&[]).link_text()).expect(0);
    assert!(device.is_welcome());
    machine.stop().expect(0);
    assert!(!device.is_welcome());
    machine.start();
    assert!(device.is_welcome());
}

#[test]
fn a_watched_machine_goes_offline_and_comes_back_by_itself() {
    let mut machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&[]).link_text()).expect(0);
    let mut watch = device.start(&["machines", "watch", "--json"]);
    let state = |wanted: &'static str| move |line: &str| line.contains(&format!("\"state\":\"{wanted}\""));
    watch.line("online", state("online"));
    machine.crash();
    watch.line("offline", state("offline"));
    machine.start();
    watch.line("online again", state("online"));
}

#[test]
fn a_signature_by_another_key_is_a_strangers() {
    let machine = Machine::started();
    let phone = Identity::new("phone");
    block_on(async {
        let (grant, _session) = paired(&machine, &phone).await;
        let thief = Identity::new("thief");
        let stolen = thief.resume(connect(&machine).await, &grant, &grant.token, &grant.recognition_key).await;
        assert!(matches!(stolen, Err(Refused::Stranger)), "a stolen token without the key: {stolen:?}");
        // The control: with the key the same token is welcome.
        phone.resume(connect(&machine).await, &grant, &grant.token, &grant.recognition_key).await.unwrap();
    });
}

#[test]
fn a_token_never_seen_is_refused_with_its_cause_and_suspends_nobody() {
    let machine = Machine::started();
    let phone = Identity::new("phone");
    block_on(async {
        let (grant, _session) = paired(&machine, &phone).await;
        let unknown = Secret::generate().unwrap();
        let refused = phone.resume(connect(&machine).await, &grant, &unknown, &grant.recognition_key).await;
        match refused {
            Err(Refused::Told(refusal)) => assert_eq!(refusal.code, RefusalCode::TokenUnknown),
            other => panic!("a token never seen was answered with {other:?}"),
        }
        assert_eq!(machine.only_device()["suspended"], serde_json::Value::Null);
        phone.resume(connect(&machine).await, &grant, &grant.token, &grant.recognition_key).await.unwrap();
    });
}

#[test]
fn renaming_shows_on_both_sides_and_keeps_the_session() {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&["--name", "old"]).link_text()).expect(0);
    machine.run(&["devices", "rename", "old", "new"]).expect(0);
    assert_eq!(machine.only_device()["name"], "new");
    device.run(&["machines", "rename", "homebox", "attic"]).expect(0);
    assert_eq!(device.only_machine()["name"], "attic");
    assert!(device.is_welcome());
}

#[test]
fn a_forgotten_machine_can_be_paired_again() {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&[]).link_text()).expect(0);
    device.run(&["machines", "forget", "homebox"]).expect(2).says("--yes");
    assert_eq!(device.machines().len(), 1);
    device.run(&["machines", "forget", "homebox", "--yes"]).expect(0);
    assert_eq!(device.machines().len(), 0);
    device.join(machine.offer(&[]).link_text()).expect(0);
    assert!(device.is_welcome());
}

#[test]
fn a_device_that_scans_again_keeps_its_one_row() {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&[]).link_text()).expect(0);
    let before = machine.only_device();
    device.join(machine.offer(&[]).link_text()).expect(0);
    let after = machine.only_device();
    assert_eq!((&before["id"], &before["role"]), (&after["id"], &after["role"]));
    assert_eq!(device.machines().len(), 1);
    assert!(device.is_welcome());
}
