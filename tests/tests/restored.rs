//! Backups that come back, with the real binary: who was revoked since is in again until an owner's device connects;
//! and a state that turns up on another system serves there only when a person has said what it is.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use pairpin_core::wire::{Grant, RefusalCode};
use pairpin_tests::block_on;
use pairpin_tests::device::Device;
use pairpin_tests::machine::{Machine, binary};
use pairpin_tests::peer::{Identity, Peer, Refused, Session};
use pairpin_tests::process::{Output, run};
use pairpin_tests::sqlite;
use rustix::process::geteuid;

const DATABASE: &str = "machine.db";

/// Stops the machine, copies its database, and starts it again.
fn back_up(machine: &mut Machine) -> Vec<u8> {
    machine.stop().expect(0);
    assert!(!machine.file("machine.db-wal").exists(), "a stopped machine has everything in one file");
    let backup = fs::read(machine.file(DATABASE)).unwrap();
    machine.start();
    backup
}

fn restore(machine: &mut Machine, backup: &[u8]) {
    machine.stop().expect(0);
    fs::write(machine.file(DATABASE), backup).unwrap();
    machine.start();
}

fn counter(machine: &Machine) -> i64 {
    sqlite::count(&machine.file(DATABASE), "SELECT coalesce(max(value), 0) FROM meta WHERE key = 'counter'")
}

async fn resume(machine: &Machine, phone: &Identity, grant: &Grant) -> Result<Session, Refused> {
    let peer = Peer::connect(machine.address).await.unwrap();
    phone.resume(peer, grant, &grant.token, &grant.recognition_key).await.map(|(_, session)| session)
}

/// A machine with an owner's laptop and a phone; a backup of it; the phone revoked since, which the laptop may have
/// heard of.
async fn revoked_since(heard: bool) -> (Machine, Device, Identity, Grant, Vec<u8>) {
    let mut machine = Machine::started();
    let (laptop, phone) = (Device::new(), Identity::new("phone"));
    laptop.join(machine.offer(&[]).link_text()).expect(0);
    let secret = machine.offer(&[]).link().secret;
    let (grant, session) = phone.pair(Peer::connect(machine.address).await.unwrap(), &secret).await.unwrap();
    drop(session);
    let backup = back_up(&mut machine);
    machine.run(&["devices", "revoke", "phone", "--yes", "--reason", "lost it"]).expect(0);
    if heard {
        assert!(laptop.is_welcome());
    }
    (machine, laptop, phone, grant, backup)
}

#[test]
fn a_restored_backup_lets_the_revoked_in_until_an_owner_that_knew_connects() {
    block_on(async {
        let (mut machine, laptop, phone, grant, backup) = revoked_since(true).await;
        let seen = counter(&machine);
        restore(&mut machine, &backup);
        let mut back = resume(&machine, &phone, &grant).await.expect("the control: nobody has handed anything back");
        assert!(counter(&machine) < seen);

        let begun = Instant::now();
        laptop.run(&["machines"]).expect(0).says("restored from a backup").says("handed back a revocation");
        let (closing, code) = back.end().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1), "cut after {:?}", begun.elapsed());
        assert_eq!((code, closing.and_then(|closing| closing.reason).as_deref()), (Some(4001), Some("lost it")));
        assert_eq!(laptop.only_machine()["restored"]["handed_back"], 1);
        assert!(counter(&machine) > seen, "the counter is not past the highest one that was shown");
        assert!(machine.audit_kinds().contains(&"restored".to_owned()));

        for round in 0..2 {
            match resume(&machine, &phone, &grant).await {
                Err(Refused::Told(refusal)) => assert_eq!(refusal.code, RefusalCode::Revoked),
                other => panic!("round {round}: {other:?}"),
            }
            machine.crash();
            machine.start();
        }
        assert_eq!(machine.devices().len(), 1);
    });
}

#[test]
fn a_watching_owner_hands_back_by_itself_when_the_machine_comes_back_and_says_so_once() {
    block_on(async {
        let (mut machine, laptop, phone, grant, backup) = revoked_since(true).await;
        let mut watch = laptop.start(&["machines", "watch", "--json"]);
        watch.line("online", |line| line.contains("\"state\":\"online\""));
        restore(&mut machine, &backup);
        let said = watch.line("restored", |line| line.contains("\"event\":\"restored\""));
        assert!(said.contains("\"handed_back\":1"), "{said}");
        assert!(
            matches!(resume(&machine, &phone, &grant).await, Err(Refused::Told(refusal)) if refusal.code == RefusalCode::Revoked)
        );
        machine.restart();
        watch.line("online again", |line| line.contains("\"state\":\"online\""));
        assert_eq!(watch.terminate().stdout.matches("\"event\":\"restored\"").count(), 1);
    });
}

#[test]
fn control_an_owner_that_did_not_know_has_nothing_to_hand_back() {
    block_on(async {
        let (mut machine, laptop, phone, grant, backup) = revoked_since(false).await;
        restore(&mut machine, &backup);
        assert!(laptop.is_welcome());
        assert!(resume(&machine, &phone, &grant).await.is_ok(), "it was revoked by nobody");
        assert!(laptop.only_machine()["restored"].is_null());
    });
}

#[test]
fn an_owner_whose_token_is_newer_than_the_backup_hands_back_all_the_same_and_a_fresh_offer_lets_it_in() {
    block_on(async {
        let (mut machine, laptop, phone, grant, backup) = revoked_since(true).await;
        // A scan more gives it a token that the backup has never seen.
        laptop.join(machine.offer(&[]).link_text()).expect(0);
        assert!(laptop.is_welcome());
        restore(&mut machine, &backup);
        assert!(resume(&machine, &phone, &grant).await.is_ok(), "the control");
        let told = laptop.only_machine();
        assert_eq!((&told["state"], &told["restored"]["handed_back"]), (&"lost".into(), &1.into()), "{told}");
        let why = told["why"].as_str().unwrap_or_default();
        assert!(why.contains("restored from a backup") && why.contains("a fresh offer from there"), "{why}");
        assert!(
            matches!(resume(&machine, &phone, &grant).await, Err(Refused::Told(refusal)) if refusal.code == RefusalCode::Revoked)
        );
        let id = machine.only_device()["id"].clone();
        laptop.join(machine.offer(&[]).link_text()).expect(0);
        assert!(laptop.is_welcome());
        assert_eq!(machine.only_device()["id"], id, "in its row");
    });
}

/// What starts a program as if it were on another system: `None`, and said aloud, where that cannot be had.
fn elsewhere(home: &Path) -> Option<Vec<String>> {
    let file = home.join("another-machine-id");
    fs::write(&file, "fedcba9876543210fedcba9876543210\n").unwrap();
    let script = format!("mount --bind {} /etc/machine-id && exec \"$@\"", file.display());
    let starter: Vec<String> = ["unshare", "-m", "sh", "-c", &script, "sh"].map(Into::into).into();
    let can = geteuid().is_root()
        && Path::new("/etc/machine-id").exists()
        && Command::new(&starter[0]).args(&starter[1..]).arg("true").status().is_ok_and(|status| status.success());
    if !can {
        eprintln!("SKIPPED: another machine-id needs root, mount namespaces and an /etc/machine-id");
        return None;
    }
    Some(starter)
}

fn run_by(starter: &[String], machine: &Machine, arguments: &[&str]) -> Output {
    let mut command = Command::new(&starter[0]);
    command.args(&starter[1..]).arg(binary()).args(arguments).env("HOME", machine.home());
    run(command.env("PAIRPIN_STATE_DIR", machine.state()), "")
}

#[test]
fn a_state_on_another_system_serves_there_only_when_it_was_moved_or_becomes_a_machine_of_its_own() {
    let mut machine = Machine::started();
    let Some(starter) = elsewhere(machine.home()) else { return };
    let device = Device::new();
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    let pin = machine.pin();
    machine.stop().expect(0);
    let files = |machine: &Machine| fs::read(machine.file("identity.key")).unwrap();
    let key = files(&machine);

    // There: refused, and nothing is written from the shell either.
    machine.starter = starter.clone();
    run(&mut machine.serve_command(), "").expect(1).says("--moved").says("--new-identity");
    run_by(&starter, &machine, &["devices", "revoke", "laptop", "--yes"]).expect(1).says("belongs to another machine");
    assert!(run_by(&starter, &machine, &["devices"]).expect(0).stdout.contains("laptop"), "it can be looked at");
    assert!(run_by(&starter, &machine, &["doctor", "--json"]).stdout.contains("belongs to another machine"));
    assert_eq!(files(&machine), key);

    // The control: here it serves as before, and was not moved.
    machine.starter = Vec::new();
    machine.start();
    assert!(device.is_welcome());
    machine.stop().expect(0);
    machine.arguments = vec!["--moved".into()];
    run(&mut machine.serve_command(), "").expect(1).says("was not moved");

    // Moved: the same machine there, and no more here.
    machine.starter = starter.clone();
    machine.start();
    assert!(device.is_welcome());
    machine.stop().expect(0);
    machine.arguments = Vec::new();
    machine.start();
    machine.stop().expect(0);
    machine.starter = Vec::new();
    run(&mut machine.serve_command(), "").expect(1).says("--moved");

    // A copy of it becomes a machine of its own here, once, and nothing is lost.
    machine.arguments = vec!["--new-identity".into()];
    run(&mut machine.serve_command(), "").expect(2).says("--yes");
    assert_eq!(files(&machine), key, "nobody was asked");
    machine.arguments.push("--yes".into());
    machine.start();
    assert_ne!(machine.pin(), pin);
    assert!(machine.devices().is_empty());
    machine.stop().expect(0);
    let aside = machine.state().join("old-identity-1");
    assert_eq!(fs::read(aside.join("identity.key")).unwrap(), key);
    assert_eq!(sqlite::count(&aside.join(DATABASE), "SELECT count(*) FROM devices"), 1);
    run(&mut machine.serve_command(), "").expect(1).says("leave --new-identity out");
    machine.arguments = Vec::new();
    machine.start();
}
