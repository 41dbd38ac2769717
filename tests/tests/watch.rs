//! `machines watch` through whatever a machine can do to it, and beside other processes of the same
//! device.

use std::fs;
use std::time::{Duration, Instant};

use pairpin_tests::device::{Device, is_online};
use pairpin_tests::machine::Machine;
use pairpin_tests::process::Background;
use pairpin_tests::scratch;
use rusqlite::Connection;
use serde_json::Value;

fn paired() -> (Machine, Device) {
    let (machine, device) = (Machine::started(), Device::new());
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    (machine, device)
}

fn watching(device: &Device) -> Background {
    let mut watch = device.start(&["machines", "watch", "--json"]);
    state(&mut watch, "online");
    watch
}

/// The next event with this state.
#[track_caller]
fn state(watch: &mut Background, wanted: &str) -> Value {
    let of = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default();
    let line = watch.line(wanted, |line| {
        let event = of(line);
        event["v"] == 1 && event["event"] == "state" && event["machine"]["state"] == wanted
    });
    of(&line)["machine"].clone()
}

fn secrets(device: &Device) -> usize {
    fs::read_dir(device.secrets()).map_or(0, Iterator::count)
}

#[test]
fn a_watch_says_connecting_and_then_online_and_by_which_address() {
    let (machine, device) = paired();
    let mut watch = device.start(&["machines", "watch", "--json"]);
    assert_eq!(state(&mut watch, "connecting")["name"], "homebox");
    let online = state(&mut watch, "online");
    assert_eq!(online["address"], machine.address.to_string());
    assert_eq!(machine.only_device()["connected"], 1);
}

#[test]
fn a_watch_says_within_a_second_who_revoked_it_and_why_erases_its_keys_and_ends() {
    let (machine, device) = paired();
    let mut watch = watching(&device);
    assert!(secrets(&device) > 0);
    let begun = Instant::now();
    machine.run(&["devices", "revoke", "laptop", "--yes", "--reason", "left in a train"]).expect(0);
    let told = state(&mut watch, "revoked");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "it was said after {took:?}");
    assert_eq!(told["revoked"]["reason"], "left in a train");
    assert_eq!(told["revoked"]["by"], "the machine's shell");
    assert!(told["revoked"]["at"].is_string(), "{told}");
    // Nothing is left to watch: it does not knock again.
    assert_eq!(watch.end().code, Some(0));
    assert_eq!(secrets(&device), 0, "the erased device still has secrets");
    assert_eq!(device.only_machine()["state"], "revoked");
}

#[test]
fn a_watch_comes_back_by_itself_when_the_machine_was_stopped_and_started() {
    let (mut machine, device) = paired();
    let mut watch = watching(&device);
    machine.stop().expect(0);
    let offline = state(&mut watch, "offline");
    assert_eq!(offline["why"], "the machine stopped");
    assert!(offline["since"].is_string(), "{offline}");
    machine.start();
    state(&mut watch, "online");
    assert_eq!(machine.only_device()["connected"], 1);
}

#[test]
fn a_watch_learns_where_a_machine_will_be_and_follows_it_there() {
    let (mut machine, device) = paired();
    let mut watch = watching(&device);
    let mut next = machine.address;
    next.set_ip(scratch::loopback().into());
    next.set_port(17747);
    let known = |machine: &Value| machine["addresses"].to_string().contains(&next.to_string());
    assert!(!known(&device.only_machine()));

    // It will move: it says so to every device that comes by.
    machine.arguments = vec!["--advertise".to_owned(), next.to_string()];
    machine.restart();
    state(&mut watch, "offline");
    assert!(known(&state(&mut watch, "online")), "the new address was not stored");
    machine.stop().expect(0);
    state(&mut watch, "offline");
    let old = machine.address;
    machine.address = next;
    machine.arguments.clear();
    machine.start();
    let moved = state(&mut watch, "online");
    assert_eq!(moved["address"], next.to_string());
    let listed = device.only_machine();
    assert!(is_online(&listed));
    assert!(!listed["addresses"].to_string().contains(&old.to_string()), "the old address is still listed: {listed}");
}

/// Moves the times of all tokens back while the machine is stopped.
fn age_tokens(machine: &mut Machine, seconds: i64) {
    machine.stop().expect(0);
    let database = Connection::open(machine.file("machine.db")).unwrap();
    let by = seconds * 1000;
    let sql = "UPDATE tokens SET created_at = created_at - ?1, changed_at = changed_at - ?1";
    assert!(database.execute(sql, [by]).unwrap() > 0);
    drop(database);
    machine.start();
}

/// Runs several lists at once; what each says of the one machine.
fn lists(device: &Device, count: usize) -> Vec<String> {
    let mut all: Vec<Background> = (0..count).map(|_| device.start(&["machines", "list", "--json"])).collect();
    let word = |list: &mut Background| list.end().expect(0).json()["machines"][0]["state"].as_str().unwrap().to_owned();
    all.iter_mut().map(word).collect()
}

#[test]
fn processes_that_share_one_record_go_through_rotations_together() {
    let (mut machine, device) = paired();
    let id = machine.only_device()["id"].clone();
    for round in 0..4 {
        // New ones each time: the pauses of a watch grow with each short connection.
        let mut watches = [watching(&device), watching(&device)];
        // More than a day: everybody is given a new token at once, more than may be pending.
        age_tokens(&mut machine, 25 * 3600);
        let first = lists(&device, 6);
        assert!(first.iter().all(|state| state == "online"), "round {round}: {first:?}");
        for watch in &mut watches {
            state(watch, "offline");
            state(watch, "online");
        }
        // More than a minute: an old token would be taken for a thief's now.
        age_tokens(&mut machine, 120);
        let second = lists(&device, 2);
        assert!(second.iter().all(|state| state == "online"), "round {round}, after the rotation: {second:?}");
        for watch in &mut watches {
            state(watch, "offline");
            state(watch, "online");
        }
    }
    let row = machine.only_device();
    assert_eq!((&row["id"], &row["suspended"]), (&id, &Value::Null));
    let kinds = machine.audit_kinds();
    assert_eq!(
        kinds.iter().filter(|kind| *kind != "started" && *kind != "stopped").collect::<Vec<_>>(),
        ["paired", "approval-key"]
    );
}
