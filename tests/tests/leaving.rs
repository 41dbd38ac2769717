//! A machine is forgotten while it is away: it is told as soon as it answers, and nothing else is done with the key
//! that is kept for that. The real binary on both sides.

use std::path::Path;
use std::time::{Duration, Instant};

use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::process::Output;
use pairpin_tests::sqlite;
use rustix::process::Signal;

fn paired() -> (Machine, Device) {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    (machine, device)
}

fn forget(device: &Device, more: &[&str]) -> Output {
    device.run(&[&["machines", "forget", "homebox", "--yes"], more].concat())
}

/// Files of the device's secret store.
fn secrets(device: &Device) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(device.secrets()) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

fn state(device: &Device) -> String {
    device.only_machine()["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_machine_that_was_away_is_told_at_the_next_look_and_the_keys_are_gone_then() {
    let (mut machine, device) = paired();
    // It has brought an approval key, which decides for a person: that one goes at once.
    let owner_of = |device: &Device| device.run(&["devices", "revoke", "nobody", "--on", "homebox", "--yes"]);
    owner_of(&device).expect(1);
    assert!(secrets(&device).iter().any(|name| name.contains("approval")), "{:?}", secrets(&device));
    machine.stop().expect(0);
    let said = forget(&device, &[]).expect(0);
    assert!(said.stdout.contains("homebox is forgotten here, and not told yet"), "{}", said.stdout);
    said.says("the next device paired at its shell will be owner");
    let listed = device.run(&["machines"]).expect(0);
    assert!(listed.stdout.contains("forgotten here, not told yet"), "{}", listed.stdout);
    assert_eq!(state(&device), "leaving");
    assert!(!secrets(&device).is_empty(), "the session key tells the machine");
    assert!(!secrets(&device).iter().any(|name| name.contains("approval")), "{:?}", secrets(&device));

    machine.start();
    assert_eq!(machine.devices().len(), 1, "it was not told yet");
    // Whatever is done with it ends in the telling, and in nothing else.
    let refused = owner_of(&device).expect(1);
    refused.says("was forgotten here and has now been told");
    assert_eq!((machine.devices().len(), device.machines().len()), (0, 0));
    assert_eq!(secrets(&device), Vec::<String>::new());
    let revoked = machine.json(&["devices", "--revoked", "--json"]);
    assert!(revoked.to_string().contains("unpaired") && revoked.to_string().contains("itself"), "{revoked}");

    // As was said: whoever is paired next is owner.
    Device::new().join(machine.offer(&[]).link_text()).expect(0);
    assert_eq!(machine.only_device()["role"], "owner");
}

#[test]
fn a_list_tells_it_and_says_that_no_owner_is_left() {
    let (mut machine, device) = paired();
    machine.stop().expect(0);
    forget(&device, &[]).expect(0);
    machine.start();
    let told = device.run(&["machines"]).expect(0);
    assert!(told.stdout.contains("forgotten, and told"), "{}", told.stdout);
    told.says("no owner is left on homebox: the next device paired at its shell will be owner");
    assert!(machine.devices().is_empty() && device.machines().is_empty());
}

#[test]
fn a_watch_that_goes_on_tells_it_when_the_machine_comes_back() {
    let (mut machine, device) = paired();
    machine.stop().expect(0);
    let mut watch = device.start(&["machines", "watch", "--json"]);
    watch.line("offline", |line| line.contains("\"state\":\"offline\""));
    forget(&device, &[]).expect(0);
    watch.line("leaving", |line| line.contains("\"state\":\"leaving\""));
    machine.start();
    watch.line("forgotten", |line| line.contains("\"state\":\"forgotten\""));
    assert!(watch.end().code == Some(0) && machine.devices().is_empty() && device.machines().is_empty());
}

#[test]
fn now_erases_at_once_and_says_that_the_machine_lists_it() {
    let (mut machine, device) = paired();
    machine.stop().expect(0);
    forget(&device, &["--now"]).expect(0).says("still lists this device");
    assert!(device.machines().is_empty() && secrets(&device).is_empty());
    machine.start();
    assert_eq!(machine.devices().len(), 1);
}

#[test]
fn one_that_was_revoked_meanwhile_and_one_that_knows_nobody_any_more_end_it_too() {
    for unknown in [false, true] {
        let (mut machine, device) = paired();
        machine.stop().expect(0);
        forget(&device, &[]).expect(0);
        if unknown {
            wipe(&machine.state());
        } else {
            machine.run(&["devices", "revoke", "laptop", "--yes"]).expect(0);
        }
        machine.start();
        device.run(&["machines"]).expect(0);
        assert!(device.machines().is_empty() && secrets(&device).is_empty(), "unknown: {unknown}");
    }
}

/// The machine keeps its key, and nothing else.
fn wipe(state: &Path) {
    for file in ["machine.db", "machine.db-wal", "machine.db-shm"] {
        let _ = std::fs::remove_file(state.join(file));
    }
}

#[test]
fn a_fresh_offer_takes_it_back() {
    let (mut machine, device) = paired();
    machine.stop().expect(0);
    forget(&device, &[]).expect(0);
    machine.start();
    device.join(machine.offer(&[]).link_text()).expect(0);
    assert!(device.is_welcome());
    assert_eq!(machine.only_device()["name"], "laptop", "the same row");
}

#[test]
fn killed_while_it_tells_a_device_tells_it_later() {
    let (mut machine, device) = paired();
    // It takes the connection and answers nothing.
    machine.daemon().signal(Signal::STOP);
    let mut forgetting = device.start(&["machines", "forget", "homebox", "--yes"]);
    let database = device.state().join("device.db");
    let until = Instant::now() + Duration::from_secs(10);
    while sqlite::count(&database, "SELECT count(*) FROM machines WHERE leaving_at IS NOT NULL") == 0 {
        assert!(Instant::now() < until, "it was never noted");
    }
    forgetting.kill();
    machine.daemon().signal(Signal::CONT);
    assert_eq!(machine.devices().len(), 1, "the control: it was not told");
    device.run(&["machines"]).expect(0);
    assert!(machine.devices().is_empty() && device.machines().is_empty() && secrets(&device).is_empty());
}
