//! The controls of [`pairpin_tests::told`]: for each of its properties a machine that breaks it, made
//! by putting its database back to before a commit or by altering it. The same judge must say so.

use std::fs;
use std::path::PathBuf;

use pairpin_tests::device::Device;
use pairpin_tests::told::{Told, World};
use rusqlite::Connection;

/// The database's files as they are now, of a machine that is down.
fn kept(world: &World) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let files = ["machine.db", "machine.db-wal", "machine.db-shm"].map(|name| world.machine.file(name));
    files.into_iter().map(|path| (path.clone(), fs::read(path).ok())).collect()
}

fn put_back(files: &[(PathBuf, Option<Vec<u8>>)]) {
    for (path, bytes) in files {
        match bytes {
            Some(bytes) => fs::write(path, bytes).unwrap(),
            None => drop(fs::remove_file(path)),
        }
    }
}

/// A world whose database can be put back to now.
fn with_copy(world: &mut World) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    world.crash();
    let files = kept(world);
    world.stands_again(None).unwrap();
    files
}

fn tamper(world: &mut World, sql: &str) {
    world.crash();
    let database = Connection::open(world.machine.file("machine.db")).unwrap();
    database.pragma_update(None, "foreign_keys", false).unwrap();
    database.execute_batch(sql).unwrap();
}

#[track_caller]
fn reports(verdict: Result<(), String>, wanted: &str) {
    let wrong = verdict.expect_err("nothing is reported");
    assert!(wrong.contains(wanted), "{wrong}");
}

#[test]
fn a_pairing_answered_before_it_is_stored_is_reported() {
    let mut world = World::new();
    let before = with_copy(&mut world);
    let (device, offer) = (Device::new(), world.machine.offer(&["--name", "laptop"]));
    let told = Told::of_join(&device.join(offer.link_text()));
    assert_eq!(told, Told::Paired);
    world.crash();
    put_back(&before);
    world.stands_again(Some(&device)).unwrap();
    reports(world.pairing(&device, "laptop", told, &offer), "lost");
}

#[test]
fn a_revoke_announced_before_it_is_stored_is_reported() {
    let mut world = World::new();
    let phone = world.phone("phone");
    let before = with_copy(&mut world);
    let told = Told::of_revoke(&world.machine.run(&["devices", "revoke", "phone", "--yes"]));
    assert_eq!(told, Told::Revoked);
    world.crash();
    put_back(&before);
    world.stands_again(None).unwrap();
    reports(world.revoked_phone(phone, told), "a revoked device is back");
}

#[test]
fn a_tombstone_dropped_at_a_restart_is_reported() {
    let mut world = World::new();
    let phone = world.phone("phone");
    world.machine.run(&["devices", "revoke", "phone", "--yes"]).expect(0);
    world.revoked_phone(phone, Told::Revoked).unwrap();
    // Nobody asks about it again before the end.
    tamper(&mut world, "DELETE FROM tombstones");
    world.stands_again(None).unwrap();
    reports(world.at_the_end(), "a revoked device is back");
}

#[test]
fn a_revoke_that_keeps_the_row_is_reported() {
    let mut world = World::new();
    let phone = world.phone("phone");
    tamper(
        &mut world,
        "INSERT INTO tombstones SELECT id, session_key, name, platform, role, recognition_key, paired_at, 1, 'x', NULL, 1
         FROM devices",
    );
    world.stands_again(None).unwrap();
    reports(world.revoked_phone(phone, Told::Nothing), "half a revoke");
}

#[test]
fn a_device_whose_token_is_lost_is_reported() {
    let mut world = World::new();
    let device = Device::new();
    device.join(world.machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    world.welcome(&device).unwrap();
    tamper(&mut world, "DELETE FROM tokens");
    world.stands_again(Some(&device)).unwrap();
    reports(world.welcome(&device), "locked out");
}

#[test]
fn an_offer_that_lets_two_in_is_reported() {
    let mut world = World::new();
    // Two rows of the name that one offer gives.
    world.phone("laptop");
    let (device, offer) = (Device::new(), world.machine.offer(&["--name", "laptop"]));
    device.join(offer.link_text()).expect(0);
    reports(world.pairing(&device, "laptop", Told::Paired, &offer), "used twice");
    // An offer that is still open after a device was told that it used it.
    let fresh = world.machine.offer(&[]);
    reports(world.is_used_up(&[fresh.link().secret]), "used twice");
}

#[test]
fn a_false_alarm_is_reported() {
    let mut world = World::new();
    let (device, offer) = (Device::new(), world.machine.offer(&["--name", "laptop"]));
    device.join(offer.link_text()).expect(0);
    // Somebody else tries it before the judge does.
    let mut other = World::new();
    std::mem::swap(&mut world.machine, &mut other.machine);
    other.is_used_up(&[offer.link().secret]).unwrap();
    std::mem::swap(&mut world.machine, &mut other.machine);
    reports(world.pairing(&device, "laptop", Told::Paired, &offer), "false alarm");
}

#[test]
fn a_damaged_database_and_a_stray_row_are_reported() {
    let mut world = World::new();
    world.phone("phone");
    tamper(
        &mut world,
        "INSERT INTO tokens (hash, device, state, created_at, changed_at) VALUES (zeroblob(32), zeroblob(16), 'voided', 1, 1)",
    );
    world.crash();
    reports(world.stands_again(None), "foreign_key_check");
    tamper(&mut world, "DELETE FROM tokens WHERE state = 'voided'");
    let path = world.machine.file("machine.db");
    let mut bytes = fs::read(&path).unwrap();
    // A page of an index, most likely: whichever it is, something does not add up any more.
    let from = bytes.len() - 4096;
    bytes[from..].fill(0xAA);
    fs::write(&path, bytes).unwrap();
    world.crash();
    reports(world.stands_again(None), "machine.db");
}
