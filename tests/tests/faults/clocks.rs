//! Clocks that are ten years off, at the start and while running, on the machine and on the device.

use std::fs;

use pairpin_tests::device::Device;
use pairpin_tests::faketime::{running_clock, wall_clock};
use pairpin_tests::machine::Machine;
use pairpin_tests::process::{Output, run};
use pairpin_tests::sqlite;

use crate::scene::says;

fn paired() -> (Machine, Device) {
    let (machine, device) = (Machine::started(), Device::new());
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    assert!(device.is_welcome());
    (machine, device)
}

fn promises(machine: &Machine) -> String {
    sqlite::promises(&machine.file("machine.db"))
}

/// What the device reads under a clock that has run ahead: the clock is named, with its next step.
#[track_caller]
fn is_told_of_the_clock(device: &Device) {
    assert_eq!(device.only_machine()["state"], "expired");
    let Output { stdout, stderr, .. } = device.run(&["machines", "list"]).expect(0);
    says(&format!("{stdout}{stderr}"), &["clock", "ahead of this device's", "set the wrong one right first"]);
}

#[test]
fn a_machine_that_starts_ten_years_off_deletes_nothing_and_set_right_it_goes_on() {
    let (mut machine, device) = paired();
    machine.stop().expect(0);
    let before = promises(&machine);
    for (offset, refused) in [("+10y", true), ("-10y", false)] {
        machine.environment = wall_clock(offset);
        machine.start();
        if refused {
            is_told_of_the_clock(&device)
        } else {
            assert!(device.is_welcome(), "kept out at {offset}")
        }
        assert_eq!(promises(&machine), before, "a clock at {offset} has changed something");
        machine.stop().expect(0);
        machine.environment.clear();
        machine.start();
        assert!(device.is_welcome(), "the clock is right again after {offset}");
        assert_eq!(promises(&machine), before);
        machine.stop().expect(0);
    }
}

#[test]
fn a_clock_that_leaps_ten_years_while_the_daemon_runs_deletes_nothing_and_set_right_it_goes_on() {
    let mut machine = Machine::new();
    let clock = machine.state().with_extension("clock");
    fs::write(&clock, "+0").unwrap();
    machine.environment = running_clock(&clock);
    machine.start();
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    assert!(device.is_welcome());
    let before = promises(&machine);
    for (offset, refused) in [("+10y", true), ("+0", false), ("-10y", false), ("+10y", true), ("+0", false)] {
        fs::write(&clock, offset).unwrap();
        if refused {
            is_told_of_the_clock(&device)
        } else {
            assert!(device.is_welcome(), "kept out at {offset}")
        }
        assert_eq!(promises(&machine), before, "a clock at {offset} has changed something");
    }
    // Pairing works under any clock: offers are on another one.
    fs::write(&clock, "-10y").unwrap();
    let other = Device::new();
    other.join(machine.offer(&["--name", "other"]).link_text()).expect(0);
    fs::write(&clock, "+0").unwrap();
    assert!(device.is_welcome() && other.is_welcome());
    assert_eq!(promises(&machine).lines().count(), 2);
}

/// The control of both: the clock is really another one for the daemon, and comes back.
#[test]
fn the_moved_clock_is_what_the_daemon_goes_by() {
    let mut machine = Machine::new();
    let clock = machine.state().with_extension("clock");
    fs::write(&clock, "+10y").unwrap();
    machine.environment = running_clock(&clock);
    machine.start();
    let offered =
        |machine: &Machine| machine.offer(&[]).record["expires_at"].as_str().unwrap_or_default()[..4].parse::<i32>();
    let ahead = offered(&machine).unwrap();
    fs::write(&clock, "-10y").unwrap();
    let behind = offered(&machine).unwrap();
    assert!((19..=21).contains(&(ahead - behind)), "{behind} to {ahead}");
}

#[test]
fn a_device_whose_clock_is_ten_years_off_is_welcome_and_pairs() {
    let (machine, device) = paired();
    for offset in ["+10y", "-10y"] {
        let mut list = device.command(&["machines", "list", "--json"]);
        list.envs(wall_clock(offset));
        let listed = run(&mut list, "").expect(0).json();
        assert_eq!(listed["machines"][0]["state"], "online", "{offset}: {listed}");
        assert!(device.is_welcome(), "set right after {offset}");
        let other = Device::new();
        let mut join = other.command(&["join", "-", "--yes"]);
        join.envs(wall_clock(offset));
        run(&mut join, &format!("{}\n", machine.offer(&[]).link_text())).expect(0);
        assert!(other.is_welcome());
    }
}
