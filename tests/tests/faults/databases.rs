//! Databases that are cut short, older, without their -wal file or without the key beside them.

use std::fs;

use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::process::run;
use pairpin_tests::sqlite;

use crate::scene::says;

/// A machine and its paired device, stopped.
fn stopped() -> (Machine, Device) {
    let (mut machine, device) = (Machine::started(), Device::new());
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    machine.stop().expect(0);
    (machine, device)
}

#[test]
fn a_database_that_is_cut_short_is_refused_left_as_it_is_and_goes_on_when_restored() {
    let (mut machine, device) = stopped();
    let path = machine.file("machine.db");
    let good = fs::read(&path).unwrap();
    for length in [0, 50, 100, 4096, good.len() / 2, good.len() - 4096, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        let refused = run(&mut machine.serve_command(), "").expect(1);
        says(&refused.stderr, &["machine.db is damaged", "was left as it is", "restore it from a backup"]);
        assert_eq!(fs::read(&path).unwrap(), good[..length], "the database of {length} bytes was changed");
    }
    // The control: whole, it is believed.
    fs::write(&path, &good).unwrap();
    machine.start();
    assert!(device.is_welcome());
}

#[test]
fn a_devices_database_that_is_cut_short_is_refused_and_left_as_it_is() {
    let machine = Machine::started();
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    let path = device.state().join("device.db");
    let good = fs::read(&path).unwrap();
    for length in [0, 100, good.len() / 2, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        says(
            &device.run(&["machines", "list"]).expect(1).stderr,
            &["device.db is damaged", "restore it from a backup"],
        );
        assert_eq!(fs::read(&path).unwrap(), good[..length]);
    }
    fs::write(&path, &good).unwrap();
    assert!(device.is_welcome());
}

#[test]
fn an_older_copy_of_the_database_is_told_to_the_devices_it_does_not_know_and_a_fresh_offer_helps() {
    let (mut machine, first) = stopped();
    let older = fs::read(machine.file("machine.db")).unwrap();
    machine.start();
    let second = Device::new();
    second.join(machine.offer(&["--name", "second"]).link_text()).expect(0);
    machine.stop().expect(0);
    fs::write(machine.file("machine.db"), older).unwrap();
    machine.start();
    assert!(first.is_welcome(), "the older copy knows the first device");
    let unknown = second.run(&["machines", "list"]);
    says(
        &format!("{}{}", unknown.stdout, unknown.stderr),
        &["no record of this device", "an older backup", "machines forget homebox"],
    );
    second.run(&["machines", "forget", "homebox", "--yes"]).expect(0);
    second.join(machine.offer(&[]).link_text()).expect(0);
    assert!(first.is_welcome() && second.is_welcome());
}

/// What the daemon says at its start about lost writes, as its log line and in the audit log.
fn lost_writes(machine: &mut Machine) -> (bool, bool) {
    let audited = machine.audit_kinds().contains(&"database".to_owned());
    let said = machine.stop().expect(0).stderr;
    if said.contains("machine.db-wal is gone") {
        says(&said, &["did not stop cleanly", "what was stored last is lost", "revoke again", "restore both files"]);
    }
    (said.contains("machine.db-wal is gone"), audited)
}

#[test]
fn a_wal_that_is_gone_after_a_crash_is_said_with_what_may_be_lost() {
    let (mut machine, device) = stopped();
    machine.start();
    let second = Device::new();
    second.join(machine.offer(&["--name", "second"]).link_text()).expect(0);
    machine.crash();
    fs::remove_file(machine.file("machine.db-wal")).unwrap();
    machine.start();
    assert!(device.is_welcome(), "what the database itself has goes on");
    assert_eq!(lost_writes(&mut machine), (true, true));
    // Said once; and a fresh offer brings back who was lost.
    machine.start();
    second.run(&["machines", "forget", "homebox", "--yes"]).expect(0);
    second.join(machine.offer(&[]).link_text()).expect(0);
    assert!(second.is_welcome());
    sqlite::sound_in_use(&machine.file("machine.db")).unwrap();
}

/// The control: with its -wal a crash loses nothing and nothing is said; nor after a verb that has read it.
#[test]
fn nothing_is_said_of_a_crash_whose_wal_is_there() {
    let (mut machine, device) = stopped();
    machine.start();
    machine.crash();
    machine.start();
    assert!(device.is_welcome());
    assert_eq!(lost_writes(&mut machine), (false, false));
    machine.start();
    machine.crash();
    machine.run(&["devices", "list"]).expect(0);
    assert!(!machine.file("machine.db-wal").exists(), "the verb has not put the database in order: no control");
    machine.start();
    assert_eq!(lost_writes(&mut machine), (false, false));
}

#[test]
fn a_key_that_is_gone_beside_a_database_is_named_and_no_new_one_is_made() {
    let (mut machine, device) = stopped();
    let (key, away) = (machine.file("identity.key"), machine.file("identity.away"));
    fs::rename(&key, &away).unwrap();
    let refused = run(&mut machine.serve_command(), "").expect(1);
    says(&refused.stderr, &["identity.key is missing beside an existing database", "restore the file", "--new-key"]);
    assert!(!key.exists());
    fs::rename(&away, &key).unwrap();
    machine.start();
    assert!(device.is_welcome());
}

#[test]
fn a_next_key_that_is_gone_beside_a_database_is_named_and_made_anew_only_when_asked_to() {
    let (mut machine, device) = stopped();
    let (key, away) = (machine.file("next.key"), machine.file("next.away"));
    fs::rename(&key, &away).unwrap();
    let refused = run(&mut machine.serve_command(), "").expect(1);
    let named =
        ["next.key is missing beside an existing database", "restore the file", "--new-key", "nobody has to scan"];
    says(&refused.stderr, &named);
    assert!(!key.exists());
    says(&machine.run(&["doctor"]).expect(1).stdout, &["next.key is missing", "--new-key"]);
    fs::rename(&away, &key).unwrap();
    machine.start();
    assert!(device.is_welcome());
    // Lost for good, and the identity key with it or not.
    machine.stop().expect(0);
    fs::remove_file(&key).unwrap();
    machine.arguments = vec!["--new-key".into()];
    machine.start();
    machine.arguments.clear();
    assert!(device.is_welcome(), "a new next key costs nobody a scan");
    assert!(machine.audit_kinds().contains(&"key".to_owned()));
}
