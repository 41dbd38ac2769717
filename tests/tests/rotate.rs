//! `pairpin key rotate` with the real program: who is connected, who sleeps, who slept too long, and what a crash
//! in the middle leaves.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pairpin_tests::device::{Device, is_online};
use pairpin_tests::machine::Machine;
use pairpin_tests::process::{Background, DEADLINE};
use pairpin_tests::pty::Terminal;
use rusqlite::Connection;
use serde_json::Value;

fn pair() -> (Machine, Device) {
    let (machine, device) = (Machine::started(), Device::new());
    device.join(machine.offer(&["--role", "owner"]).link_text()).expect(0);
    (machine, device)
}

fn rotate(machine: &Machine, arguments: &[&str]) -> Value {
    machine.json(&[&["key", "rotate", "--yes", "--json"], arguments].concat())
}

fn keys(machine: &Machine) -> Value {
    machine.json(&["key", "show", "--json"])
}

/// Scans a fresh offer and says yes to the question whether to replace the key.
fn scan_again(machine: &Machine, device: &Device) {
    let offer = machine.offer(&[]);
    let mut terminal = Terminal::start(&device.command(&["join"]));
    terminal.wait("the question for the link", |screen| !screen.text().trim().is_empty());
    terminal.type_keys(&format!("{}\n", offer.link_text()));
    terminal.wait("the question whether to replace the key", |screen| screen.text().to_lowercase().contains("replace"));
    terminal.type_keys("y\n");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
}

/// The epoch in the device's row.
fn epoch_at(device: &Device) -> i64 {
    let database = Connection::open(device.state().join("device.db")).unwrap();
    database.query_row("SELECT epoch FROM machines", [], |row| row.get(0)).unwrap()
}

fn wait_for(what: &str, fits: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !fits() {
        assert!(Instant::now() < end, "{what} did not come");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn who_is_connected_follows_at_once_and_who_sleeps_when_it_comes_back() {
    let (mut machine, awake) = pair();
    let asleep = Device::new();
    asleep.join(machine.offer(&[]).link_text()).expect(0);
    let before = keys(&machine);
    let mut watching = awake.start(&["machines", "watch", "--json"]);
    watching.line("the machine is online", |line| line.contains("\"online\""));
    let changed = rotate(&machine, &[]);
    assert_eq!((&changed["key"], &changed["epoch"]), (&before["next_key"], &1.into()));
    assert_eq!((&changed["online"], &changed["devices"]), (&1.into(), &2.into()));
    wait_for("the change at the device", || epoch_at(&awake) == 1);
    assert_eq!((machine.devices().len(), epoch_at(&asleep)), (2, 0));
    assert!(watching.is_running());
    assert_eq!(machine.status()["online"], 1, "the connection lives on");
    // Across a restart, under the new key.
    machine.restart();
    assert_eq!(keys(&machine)["key"], changed["key"]);
    for device in [&awake, &asleep] {
        assert!(device.is_welcome());
        assert_eq!(
            (epoch_at(device), device.only_machine()["fingerprint"].clone()),
            (1, changed["key"]["fingerprint"].clone())
        );
    }
    assert!(machine.audit_kinds().contains(&"key".to_owned()));
    let shown = machine.run(&["key", "show"]).expect(0).stdout;
    assert!(shown.contains("next.key") && shown.contains("planned changes"), "{shown}");
    // A stopped machine can be changed too, and a question is asked where nobody said --yes.
    machine.stop().expect(0);
    machine.run(&["key", "rotate"]).expect(2).says("--yes");
    rotate(&machine, &[]);
    machine.start();
    assert!(awake.is_welcome() && asleep.is_welcome());
    assert_eq!((epoch_at(&awake), keys(&machine)["epoch"].clone()), (2, 2.into()));
}

#[test]
fn two_changes_slept_through_end_in_a_hard_stop_and_a_scan_keeps_the_row() {
    let (machine, device) = pair();
    let row = machine.only_device();
    rotate(&machine, &[]);
    rotate(&machine, &[]);
    assert_eq!(device.only_machine()["state"], "key_changed");
    device.run(&["devices", "--on", "homebox"]).expect(6).says("more than once");
    scan_again(&machine, &device);
    assert!(device.is_welcome());
    assert_eq!((machine.only_device()["id"].clone(), epoch_at(&device)), (row["id"].clone(), 2));
    device.run(&["devices", "--on", "homebox"]).expect(0);
}

#[test]
fn a_compromised_key_is_replaced_after_a_word_of_what_follows_and_every_device_scans() {
    let (machine, device) = pair();
    let (row, before) = (machine.only_device(), keys(&machine));
    let mut watching = device.start(&["machines", "watch", "--json"]);
    watching.line("the machine is online", |line| line.contains("\"online\""));
    let mut terminal = Terminal::start(&machine.command(&["key", "rotate", "--compromised"]));
    terminal.wait("what will happen, and the question", |screen| {
        let text = screen.text();
        text.contains("every session ends") && text.contains("[y/N]")
    });
    terminal.type_keys("y\n");
    assert_eq!(terminal.end(), Some(0), "{}", terminal.screen.text());
    watching.line("the hard stop", |line| line.contains("key_changed"));
    let after = keys(&machine);
    assert!(after["key"] != before["key"] && after["key"] != before["next_key"]);
    assert_ne!(after["next_key"], before["next_key"]);
    device.run(&["devices", "--on", "homebox"]).expect(6).says("scan a new offer");
    drop(watching);
    scan_again(&machine, &device);
    assert!(device.is_welcome());
    let now = machine.only_device();
    assert_eq!((&now["id"], &now["role"]), (&row["id"], &row["role"]));
    device.run(&["devices", "--on", "homebox"]).expect(0);
}

#[test]
fn the_next_key_can_be_kept_elsewhere_and_brings_the_machine_back_when_the_rest_is_known_to_others() {
    let (mut machine, device) = pair();
    let file = machine.home().join("stick.pem");
    let path = file.to_str().unwrap().to_owned();
    let moved = machine.json(&["key", "move-next", &path, "--json"]);
    assert_eq!(moved["next_key_kept"], path.as_str());
    assert!(!machine.file("next.key").exists());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    // It starts without, says where it is, and does not take that for a loss.
    machine.restart();
    machine.run(&["key", "rotate", "--yes"]).expect(1).says(&path);
    assert!(machine.run(&["doctor"]).stdout.contains(&path));
    assert!(machine.run(&["key", "show"]).expect(0).stdout.contains(&path));
    // What is not the announced key is neither taken nor overwritten.
    let other = machine.home().join("other.pem");
    fs::copy(machine.file("identity.key"), &other).unwrap();
    let content = fs::read(&other).unwrap();
    machine.run(&["key", "rotate", "--yes", "--next-key", other.to_str().unwrap()]).expect(1).says("not overwritten");
    assert_eq!((fs::read(&other).unwrap(), keys(&machine)["epoch"].clone()), (content, 0.into()));
    let before = (fs::read(&file).unwrap(), keys(&machine)["next_key"].clone());
    let changed = rotate(&machine, &["--next-key", &path]);
    assert_eq!((changed["key"].clone(), changed["next_key_kept"].clone()), (before.1, path.as_str().into()));
    assert_ne!(fs::read(&file).unwrap(), before.0);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(device.is_welcome());
    assert_eq!(epoch_at(&device), 1);
    assert_eq!(leftovers(&machine), Vec::<String>::new());
    // The key on the stick was never on the machine: it is the new identity when the rest is stolen. A device that
    // knows its pin still believes nothing but a scan.
    let announced = keys(&machine)["next_key"].clone();
    let replaced = rotate(&machine, &["--compromised", "--next-key", &path]);
    assert_eq!(replaced["key"], announced);
    device.run(&["devices", "--on", "homebox"]).expect(6).says("announced");
    scan_again(&machine, &device);
    machine.restart();
    assert!(device.is_welcome());
}

/// Files in the state directory, or beside the key kept elsewhere, that a change leaves in its middle only.
fn leftovers(machine: &Machine) -> Vec<String> {
    let names = |dir: &Path| {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let all = [names(&machine.state()), names(machine.home())].concat();
    all.into_iter().filter(|name| name.contains("coming") || name.contains("pairpin-new")).collect()
}

#[test]
fn a_machine_that_is_killed_in_the_middle_of_a_change_is_before_or_after_it() {
    /// Kills in one sweep.
    const STEPS: u32 = 10;
    let (mut machine, device) = pair();
    let begun = Instant::now();
    rotate(&machine, &[]);
    let whole = begun.elapsed();
    assert!(device.is_welcome());
    let (mut before, mut after) = (0, 0);
    for step in 0..STEPS {
        let known = keys(&machine);
        let mut rotating = Background::start(&mut machine.command(&["key", "rotate", "--yes"]), None);
        // The delay is what is tested; nothing is waited for.
        thread::sleep(whole.mul_f64(1.2 * f64::from(step) / f64::from(STEPS - 1)));
        machine.crash();
        rotating.end();
        machine.start();
        let now = keys(&machine);
        if now["epoch"] == known["epoch"] {
            assert_eq!((&now["key"], &now["next_key"]), (&known["key"], &known["next_key"]), "step {step}");
            before += 1;
        } else {
            assert_eq!(now["key"], known["next_key"], "step {step}");
            after += 1;
        }
        assert!(device.is_welcome(), "killed at step {step}: the device is locked out");
        assert_eq!(now["epoch"], epoch_at(&device));
        assert_eq!(leftovers(&machine), Vec::<String>::new(), "step {step}");
    }
    eprintln!("killed {before} times before, {after} times after the decision, within {whole:?}");
    assert!(is_online(&device.only_machine()));
}

/// The control of the one above: a machine whose key was changed without a record is one that no device accepts.
#[test]
fn the_check_reports_a_change_that_was_not_recorded() {
    let (mut machine, device) = pair();
    machine.stop().expect(0);
    let database = Connection::open(machine.file("machine.db")).unwrap();
    database.execute("DELETE FROM meta WHERE key = 'setting.keys'", []).unwrap();
    drop(database);
    fs::rename(machine.file("next.key"), machine.file("identity.key")).unwrap();
    machine.arguments = vec!["--new-key".into()];
    machine.start();
    assert!(!device.is_welcome());
}
