//! A disk that is full, that fails, or that is read-only.

use pairpin_tests::device::Device;
use pairpin_tests::fault::{Calls, Disk, LooksReadOnly};
use pairpin_tests::machine::Machine;
use pairpin_tests::process::run;

use crate::scene::{Scene, says};

const FULL: [&str; 2] = ["is full", "free some space and try again"];
const FAILS: [&str; 2] = ["fails (disk I/O error)", "look for disk errors in the system's log (dmesg)"];
const READ_ONLY: [&str; 2] = ["machine.db cannot be written", "that the disk is not mounted read-only"];

const EIO: i32 = 5;
const EROFS: i32 = 30;

#[test]
fn a_full_disk_is_named_keeps_nobody_out_and_loses_nothing() {
    let mut scene = Scene::new(|_| {});
    scene.disk.fill();
    let unstored = scene.cannot_write(&FULL);
    scene.disk.free();
    scene.goes_on(unstored);
}

/// The control of [`Scene::cannot_write`]: a machine that can.
#[test]
#[should_panic(expected = "wrong exit code")]
fn the_check_reports_a_disk_that_is_not_full() {
    Scene::new(|_| {}).cannot_write(&FULL);
}

/// The control of "nothing is lost".
#[test]
#[should_panic(expected = "something was stored, or is lost")]
fn the_check_reports_a_row_that_is_lost() {
    let mut scene = Scene::new(|_| {});
    scene.disk.fill();
    let before = scene.promises();
    scene.disk.free();
    scene.machine.stop().expect(0);
    let database = rusqlite::Connection::open(scene.machine.file("machine.db")).unwrap();
    database.execute("DELETE FROM devices WHERE name = 'laptop'", []).unwrap();
    assert_eq!(scene.promises(), before, "something was stored, or is lost");
}

#[test]
fn a_revoke_that_was_not_stored_is_over_with_a_restart_as_it_was_said() {
    let mut scene = Scene::new(|_| {});
    scene.disk.fill();
    scene
        .machine
        .run(&["devices", "revoke", "--all", "--yes"])
        .expect(1)
        .says("\"laptop\" is NOT")
        .says("\"phone\" is NOT");
    assert!(!scene.laptop.is_welcome() && !scene.phone.is_welcome(&scene.machine), "all were to be revoked");
    assert_eq!(scene.laptop.only_machine()["state"], "offline", "it must not erase its keys");
    scene.machine.crash();
    scene.disk.free();
    scene.machine.start();
    scene.both_are_welcome();
    scene.machine.run(&["devices", "revoke", "--all", "--yes"]).expect(0);
    assert_eq!(scene.laptop.only_machine()["state"], "revoked");
}

#[test]
fn a_machine_that_starts_on_a_full_disk_says_so_and_starts_when_there_is_space() {
    let mut scene = Scene::new(|_| {});
    scene.machine.stop().expect(0);
    scene.disk.fill();
    let before = std::fs::read(scene.machine.file("machine.db")).unwrap();
    says(&run(&mut scene.machine.serve_command(), "").expect(1).stderr, &FULL);
    // A verb that needs no daemon says the same.
    says(&scene.machine.run(&["devices", "revoke", "phone", "--yes"]).expect(1).stderr, &FULL);
    assert_eq!(std::fs::read(scene.machine.file("machine.db")).unwrap(), before);
    scene.disk.free();
    scene.machine.start();
    scene.both_are_welcome();
}

#[test]
fn a_machine_that_has_never_run_says_that_its_disk_is_full_and_leaves_nothing_half_made() {
    let mut machine = Machine::new();
    let disk = Disk::on(&machine.state(), "4m");
    disk.fill();
    says(&run(&mut machine.serve_command(), "").expect(1).stderr, &FULL);
    disk.free();
    machine.start();
    Device::new().join(machine.offer(&[]).link_text()).expect(0);
    drop((disk, machine));
}

#[test]
fn a_machine_that_crashed_starts_again_on_a_full_disk() {
    let mut scene = Scene::new(|_| {});
    scene.disk.fill();
    scene.machine.crash();
    scene.machine.start();
    scene.both_are_welcome();
    scene.disk.free();
    scene.machine.run(&["devices", "revoke", "phone", "--yes"]).expect(0);
}

#[test]
fn a_disk_that_is_read_only_at_the_start_is_named_and_nothing_is_lost() {
    let mut scene = Scene::new(|_| {});
    scene.machine.stop().expect(0);
    scene.disk.read_only(true);
    let words = ["cannot be written", "not mounted read-only"];
    says(&run(&mut scene.machine.serve_command(), "").expect(1).stderr, &words);
    says(&scene.machine.run(&["devices", "list"]).expect(1).stderr, &words);
    scene.disk.read_only(false);
    scene.machine.start();
    scene.both_are_welcome();
}

/// Writes of the running daemon fail; `words` name it; they succeed again.
fn fails_and_heals(call: &str, errno: i32, words: &[&str], looks_read_only: bool) {
    let mut calls = None;
    let mut scene = Scene::new(|machine| {
        let made = Calls::of(&machine.state());
        machine.environment = made.environment();
        calls = Some(made);
    });
    let calls = calls.unwrap();
    calls.fail(scene.machine.daemon(), call, errno);
    let looks = looks_read_only.then(|| LooksReadOnly::on(&scene.machine.state()));
    let unstored = scene.cannot_write(words);
    calls.heal(scene.machine.daemon(), call);
    drop(looks);
    scene.goes_on(unstored);
}

#[test]
fn a_disk_that_fails_to_write_is_named_keeps_nobody_out_and_loses_nothing() {
    fails_and_heals("rw/pwrite", EIO, &FAILS, false);
}

#[test]
fn a_disk_that_fails_to_sync_is_named_keeps_nobody_out_and_loses_nothing() {
    fails_and_heals("sync/fsync", EIO, &FAILS, false);
}

#[test]
fn a_disk_that_is_remounted_read_only_is_named_keeps_nobody_out_and_loses_nothing() {
    fails_and_heals("rw/pwrite", EROFS, &READ_ONLY, true);
}

/// The control of the three above: libfiu is there, and nothing is told to fail.
#[test]
#[should_panic(expected = "wrong exit code")]
fn the_check_reports_a_disk_that_does_not_fail() {
    let environment = |machine: &mut Machine| machine.environment = Calls::of(&machine.state()).environment();
    Scene::new(environment).cannot_write(&FAILS);
}

#[test]
fn a_devices_full_disk_is_named_uses_no_offer_up_and_loses_no_pairing() {
    let (attic, cellar) = (Machine::started(), Machine::started());
    let device = Device::new();
    let disk = Disk::on(&device.state(), "4m");
    device.join(attic.offer(&["--name", "laptop"]).link_text()).expect(0);
    // Kept open, as an app does: its connection goes on whatever the disk does.
    let mut watch = device.start(&["machines", "watch", "--json"]);
    watch.line("online", |line| line.contains("\"state\":\"online\""));
    disk.fill();
    let offer = cellar.offer(&[]);
    says(&device.join(offer.link_text()).expect(1).stderr, &FULL);
    assert_eq!(cellar.devices().len(), 0);
    assert!(watch.is_running() && attic.only_device()["connected"] == 1);
    disk.free();
    device.join(offer.link_text()).expect(0);
    assert_eq!(device.machines().iter().filter(|machine| machine["state"] == "online").count(), 2);
}

#[test]
fn a_devices_read_only_disk_is_named_and_loses_no_pairing() {
    let machine = Machine::started();
    let device = Device::new();
    let disk = Disk::on(&device.state(), "4m");
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    disk.read_only(true);
    says(&device.run(&["machines", "list"]).expect(1).stderr, &["cannot be written", "not mounted read-only"]);
    disk.read_only(false);
    assert!(device.is_welcome());
}
