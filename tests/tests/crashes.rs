//! `kill -9` at any point of a pairing, on either side: nobody is locked out, nothing answered is
//! lost, and doing the same again ends with one row on each side.
//!
//! The points are of two kinds: delays from nothing to a bit more than an undisturbed pairing took
//! in the same run, and events, which hit a step exactly. Every checker has a control: a party that
//! says "stored" too early must be reported by it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pairpin_core::wire::{Frame, Grant};
use pairpin_tests::block_on;
use pairpin_tests::cut::{Cut, From};
use pairpin_tests::device::{Device, is_online};
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::{Identity, Peer, Refused, acknowledge};
use pairpin_tests::process::Background;
use rusqlite::Connection;

/// Kills by delay in one sweep.
const STEPS: u32 = 16;

/// Starts the real `join`, the link on its stdin.
fn joining(device: &Device, link: &str) -> Background {
    Background::start(&mut device.command(&["join", "-", "--yes"]), Some(&format!("{link}\n")))
}

/// How long an undisturbed pairing takes here and now: the slowest of three.
fn undisturbed(machine: &Machine) -> Duration {
    let one = |_| {
        let (device, offer) = (Device::new(), machine.offer(&[]));
        let begun = Instant::now();
        device.join(offer.link_text()).expect(0);
        begun.elapsed()
    };
    (0..3).map(one).max().unwrap_or_default()
}

/// Delays from nothing to a fifth more than `whole`.
fn delays(whole: Duration) -> impl Iterator<Item = Duration> {
    (0..STEPS).map(move |step| whole.mul_f64(1.2 * f64::from(step) / f64::from(STEPS - 1)))
}

fn alarms(machine: &Machine) -> usize {
    machine.audit_kinds().iter().filter(|kind| *kind == "alarm").count()
}

/// Does the same again after a kill, and says what is not as it must be then: paired, one row on
/// each side, no alarm, online.
fn same_again(machine: &Machine, device: &Device, name: &str, link: &str) -> Result<(), String> {
    let joined = device.join(link);
    if joined.code != Some(0) {
        return Err(format!("lost: the same link again ended with {joined:#?}, alarms: {}", alarms(machine)));
    }
    one_row_each(machine, device, name)
}

fn one_row_each(machine: &Machine, device: &Device, name: &str) -> Result<(), String> {
    // A second row would have the name with a suffix.
    let devices = machine.devices();
    let rows = devices.iter().filter(|row| row["name"].as_str().is_some_and(|row| row.starts_with(name))).count();
    if rows != 1 {
        return Err(format!("{rows} rows of {name} on the machine"));
    }
    let machines = device.machines();
    if machines.len() != 1 || !is_online(&machines[0]) {
        return Err(format!("not one machine that is online: {machines:#?}"));
    }
    match alarms(machine) {
        0 => Ok(()),
        alarms => Err(format!("{alarms} false alarms")),
    }
}

#[test]
fn a_join_that_is_killed_at_any_time_is_finished_by_the_same_link() {
    let machine = Machine::started();
    let whole = undisturbed(&machine);
    for (step, delay) in delays(whole).enumerate() {
        // A letter at the end: no name may begin as another does.
        let (device, name) = (Device::new(), format!("step {step}x"));
        let offer = machine.offer(&["--name", &name]);
        let mut join = joining(&device, offer.link_text());
        // The delay is what is tested; nothing is waited for.
        thread::sleep(delay);
        join.kill();
        same_again(&machine, &device, &name, offer.link_text())
            .unwrap_or_else(|wrong| panic!("killed after {delay:?} of {whole:?}: {wrong}"));
    }
}

#[test]
fn a_join_that_is_killed_at_a_step_is_finished_by_the_same_link() {
    let machine = Machine::started();
    for event in ["previewed", "claimed", "paired"] {
        for round in 0..5 {
            let (device, name) = (Device::new(), format!("{event} {round}x"));
            let mut offer = machine.offer_and_wait(&["--name", &name]);
            let mut join = joining(&device, offer.link_text());
            offer.event(event);
            join.kill();
            same_again(&machine, &device, &name, offer.link_text())
                .unwrap_or_else(|wrong| panic!("killed when {event}, round {round}: {wrong}"));
        }
    }
}

/// Runs `join` over a wire that holds it at a record; whether it came that far.
fn killed_at_record(device: &Device, link: &str, cut: Cut) -> bool {
    let mut join = joining(device, &cut.through(link));
    loop {
        if cut.reached(Duration::from_millis(20)) {
            join.kill();
            return true;
        }
        if !join.is_running() {
            join.end().expect(0);
            return false;
        }
    }
}

#[test]
fn a_join_that_is_killed_at_any_record_of_either_side_is_finished_by_the_same_link() {
    let machine = Machine::started();
    for from in [From::Device, From::Machine] {
        let mut stored = BTreeSet::new();
        let mut records = 0;
        loop {
            let (device, name) = (Device::new(), format!("{from:?} {records}x"));
            let offer = machine.offer(&["--name", &name]);
            let cut = Cut::after(records, from, machine.address);
            if !killed_at_record(&device, offer.link_text(), cut) {
                break;
            }
            stored.insert(stored_state(&device));
            same_again(&machine, &device, &name, offer.link_text())
                .unwrap_or_else(|wrong| panic!("killed before record {records} of the {from:?}: {wrong}"));
            records += 1;
        }
        // Two connections: the sweep has been through the handshakes, the Grant and its answer.
        eprintln!("{records} records of the {from:?}, what a killed join left behind: {stored:?}");
        assert!(records >= 8, "{records}");
        for state in ["nothing", "unfinished", "granted"] {
            assert!(stored.contains(state), "no kill left {state} behind, but {stored:?}");
        }
    }
}

/// What a killed join has left in its database: the state of its row.
fn stored_state(device: &Device) -> String {
    let Ok(database) = Connection::open(device.state().join("device.db")) else { return "nothing".to_owned() };
    let state = database.query_row("SELECT state FROM machines", [], |row| row.get::<_, String>(0));
    state.unwrap_or_else(|_| "nothing".to_owned())
}

#[test]
fn a_paired_device_that_is_killed_while_it_scans_again_keeps_its_row_and_its_session() {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    let listed = machine.only_device();
    // What a reconnect stores in between (here, or by a `watch` in another process) must not spoil
    // the second join, and the old session must not depend on that join.
    for (from, looked) in [(From::Device, false), (From::Machine, false), (From::Device, true), (From::Machine, true)] {
        for records in 0.. {
            let offer = machine.offer(&[]);
            if !killed_at_record(&device, offer.link_text(), Cut::after(records, from, machine.address)) {
                assert!(records >= 8, "{records}");
                break;
            }
            if looked {
                assert!(device.is_welcome(), "killed before record {records} of the {from:?}: the session is lost");
            }
            same_again(&machine, &device, "laptop", offer.link_text())
                .unwrap_or_else(|wrong| panic!("killed before record {records} of the {from:?}: {wrong}"));
        }
    }
    assert_eq!(machine.only_device()["id"], listed["id"]);
}

/// The control of [`same_again`]: a device that acknowledges before it has stored anything.
#[test]
fn the_check_reports_a_device_that_acknowledges_before_it_stores() {
    let machine = Machine::started();
    let (device, offer) = (Device::new(), machine.offer(&["--name", "broken"]));
    device.join(offer.link_text()).expect(0);
    fs::remove_dir_all(device.state()).unwrap();
    let wrong = same_again(&machine, &device, "broken", offer.link_text()).unwrap_err();
    assert!(wrong.starts_with("lost") && wrong.contains("alarms: 1"), "{wrong}");
}

/// Where the machine is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The device has the Grant and has not acknowledged it.
    Grant,
    /// The acknowledgement has been sent; whether it was read is a matter of luck.
    Sent,
    /// The acknowledgement has been answered.
    Answered,
}

/// Pairs by hand up to a point, and kills the machine there.
fn pair_and_crash(machine: &mut Machine, phone: &Identity, at: At) -> Grant {
    let secret = machine.offer(&[]).link().secret;
    block_on(async {
        let peer = Peer::connect(machine.address).await.unwrap();
        let (received, mut session) = phone.prove(peer, &secret).await.unwrap();
        match at {
            At::Grant => {}
            At::Sent => {
                let params = serde_json::to_value(received.acknowledge()).unwrap();
                session.send(&Frame::Request { id: 1, method: "acknowledge".to_owned(), params }).await.unwrap();
            }
            At::Answered => acknowledge(&received, &mut session).await.unwrap(),
        }
        machine.crash();
        received.grant
    })
}

/// What the phone finds after the restart: `Ok` says whether it was paired.
fn after_restart(machine: &Machine, phone: &Identity, grant: &Grant, at: At) -> Result<bool, String> {
    let name = &phone.details.name;
    let rows = || machine.devices().iter().filter(|row| row["name"] == **name).count();
    let listed = rows();
    let resumed = block_on(async {
        let peer = Peer::connect(machine.address).await?;
        phone.resume(peer, grant, &grant.token, &grant.recognition_key).await
    });
    match (listed, resumed) {
        (1, Ok(_)) => Ok(true),
        (0, Err(Refused::Stranger)) if at == At::Answered => Err("an answered pairing is lost".to_owned()),
        (0, Err(Refused::Stranger)) => {
            // Unknown: it must be able to scan again at once, with the very same key.
            let secret = machine.offer(&[]).link().secret;
            let again = block_on(async { phone.pair(Peer::connect(machine.address).await?, &secret).await });
            match again {
                Ok(_) if rows() == 1 => Ok(false),
                other => Err(format!("it cannot scan again: {other:?}, {} rows", rows())),
            }
        }
        (listed, resumed) => Err(format!("{listed} rows, and to the phone the machine says {resumed:?}")),
    }
}

#[test]
fn a_machine_that_is_killed_while_it_pairs_locks_nobody_out_and_loses_nothing_it_answered() {
    let mut machine = Machine::started();
    let mut paired = 0;
    for round in 0..5 {
        for at in [At::Grant, At::Sent, At::Answered] {
            let phone = Identity::new(&format!("{at:?} {round}"));
            let grant = pair_and_crash(&mut machine, &phone, at);
            machine.start();
            let known = after_restart(&machine, &phone, &grant, at)
                .unwrap_or_else(|wrong| panic!("killed at {at:?}, round {round}: {wrong}"));
            assert!(at != At::Grant || !known, "a device is listed that has not acknowledged");
            paired += usize::from(known);
        }
    }
    assert!(paired >= 5, "{paired}");
    assert_eq!(alarms(&machine), 0);
}

/// The control of [`after_restart`]: a machine that answers before it has written anything.
#[test]
fn the_check_reports_a_machine_that_answers_before_it_stores() {
    let mut machine = Machine::started();
    machine.stop().expect(0);
    let database = fs::read(machine.file("machine.db")).unwrap();
    machine.start();
    let phone = Identity::new("phone");
    let grant = pair_and_crash(&mut machine, &phone, At::Answered);
    for file in ["machine.db-wal", "machine.db-shm"] {
        remove(&machine.file(file));
    }
    fs::write(machine.file("machine.db"), database).unwrap();
    machine.start();
    let wrong = after_restart(&machine, &phone, &grant, At::Answered).unwrap_err();
    assert!(wrong.contains("lost"), "{wrong}");
}

fn remove(path: &Path) {
    if path.exists() {
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_machine_that_is_killed_at_any_time_leaves_the_real_device_one_way_in() {
    let mut machine = Machine::started();
    let whole = undisturbed(&machine);
    for (step, delay) in delays(whole).enumerate().step_by(2) {
        let (device, name) = (Device::new(), format!("step {step}x"));
        let offer = machine.offer(&["--name", &name]);
        let mut join = joining(&device, offer.link_text());
        thread::sleep(delay);
        machine.crash();
        let first = join.end();
        machine.start();
        let listed = machine.devices().iter().any(|row| row["name"] == *name);
        assert!(listed || first.code != Some(0), "killed after {delay:?}: an answered pairing is lost: {first:#?}");
        if listed {
            // Paired: the old link is enough to go on.
            device.join(offer.link_text()).expect(0);
        } else {
            // A restart has withdrawn the offer, and the device is told so and not more.
            device.join(offer.link_text()).expect(3).says("restarted");
            device.join(machine.offer(&["--name", &name]).link_text()).expect(0);
        }
        one_row_each(&machine, &device, &name)
            .unwrap_or_else(|wrong| panic!("killed after {delay:?} of {whole:?}: {wrong}"));
    }
}
