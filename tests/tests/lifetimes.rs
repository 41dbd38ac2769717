//! Tokens are replaced, sessions end, clocks are wrong: each is said in words with the next step,
//! nothing is deleted, and a fresh scan always helps.
//!
//! Instead of waiting for days, the times in the stopped machine's database are moved.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pairpin_tests::device::{Device, is_online};
use pairpin_tests::faketime::wall_clock;
use pairpin_tests::machine::Machine;
use pairpin_tests::process::Output;
use rusqlite::Connection;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

fn paired() -> (Machine, Device) {
    let (machine, device) = (Machine::started(), Device::new());
    device.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
    (machine, device)
}

/// Works on the database while the daemon is stopped.
fn while_stopped<T>(machine: &mut Machine, work: impl FnOnce(&Connection) -> T) -> T {
    machine.stop().expect(0);
    let database = Connection::open(machine.file("machine.db")).unwrap();
    let result = work(&database);
    drop(database);
    machine.start();
    result
}

fn change(machine: &mut Machine, sql: &str) {
    let changed = while_stopped(machine, |database| database.execute(sql, []).unwrap());
    assert!(changed > 0, "nothing was changed by {sql}");
}

/// Makes every token so much older, as if that time had passed without a word.
fn age_tokens(machine: &mut Machine, by: i64) {
    change(machine, &format!("UPDATE tokens SET created_at = created_at - {by}, changed_at = changed_at - {by}"));
}

/// All tokens of the one device: state and hash, oldest first.
fn tokens(machine: &mut Machine) -> Vec<(String, Vec<u8>)> {
    while_stopped(machine, |database| {
        let mut statement = database.prepare("SELECT state, hash FROM tokens ORDER BY seq").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    })
}

fn states(tokens: &[(String, Vec<u8>)]) -> Vec<&str> {
    tokens.iter().map(|(state, _)| state.as_str()).collect()
}

/// The hashes of the tokens that the device has, newest first.
fn held(device: &Device) -> Vec<Vec<u8>> {
    let files = fs::read_dir(device.secrets()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let record =
        files.filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok()).find(|it| it["tokens"].is_array());
    let tokens = record.expect("the device has no tokens")["tokens"].clone();
    let hash = |token: &Value| Sha256::digest(URL_SAFE_NO_PAD.decode(token.as_str().unwrap()).unwrap()).to_vec();
    tokens.as_array().unwrap().iter().map(hash).collect()
}

/// Keeps or brings back a copy of a directory, as a backup does.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let made = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(made.success());
}

/// `machines list` as people see it: results and chatter.
fn seen(device: &Device) -> String {
    let Output { stdout, stderr, .. } = device.run(&["machines", "list"]).expect(0);
    format!("{stdout}{stderr}")
}

#[track_caller]
fn says(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is not said in:\n{text}");
    }
}

/// The device is told that its session has ended, keeps its row on both sides, and comes back to it by
/// a fresh scan.
fn has_expired(machine: &Machine, device: &Device) {
    let before = machine.only_device();
    assert_eq!(before["expired"], true, "{before}");
    assert_eq!(device.only_machine()["state"], "expired");
    says(&seen(device), &["expired", "pair again with a fresh offer"]);
    says(&machine.run(&["devices", "list"]).expect(0).stdout, &["laptop", "session ended"]);
    says(&machine.run(&["devices", "show", "laptop"]).expect(0).stdout, &["ended", "a fresh offer"]);
    device.join(machine.offer(&[]).link_text()).expect(0);
    assert!(device.is_welcome());
    let after = machine.only_device();
    assert_eq!((&after["id"], &after["name"], &after["role"]), (&before["id"], &before["name"], &before["role"]));
    assert_eq!((&after["expired"], &after["idle_seconds"]), (&false.into(), &before["idle_seconds"]));
}

#[test]
fn a_token_older_than_a_day_is_replaced_on_both_sides() {
    let (mut machine, device) = paired();
    let first = held(&device);
    assert!(device.is_welcome());
    assert_eq!((states(&tokens(&mut machine)), held(&device)), (vec!["current"], first.clone()), "a young token stays");
    age_tokens(&mut machine, 25 * HOUR);
    assert!(device.is_welcome());
    let waiting = tokens(&mut machine);
    assert_eq!(states(&waiting), ["current", "pending"]);
    assert_eq!(
        held(&device),
        [waiting[1].1.clone(), first[0].clone()],
        "the old one stays until the new one has worked"
    );
    assert!(device.is_welcome());
    let replaced = tokens(&mut machine);
    assert_eq!(states(&replaced), ["superseded", "current"]);
    assert_eq!((&replaced[0].1, &replaced[1].1), (&first[0], &waiting[1].1));
    assert_eq!(held(&device), [replaced[1].1.clone()], "the old one is let go of");
}

/// Rotates, and then brings the device's secrets back as they were before, the machine's tokens being
/// replaced `ago`.
fn restored(ago: i64) -> (Machine, Device) {
    let (mut machine, device) = paired();
    let backup = device.state().with_file_name("backup");
    copy(&device.secrets(), &backup);
    age_tokens(&mut machine, 25 * HOUR);
    assert!(device.is_welcome() && device.is_welcome());
    age_tokens(&mut machine, ago);
    copy(&backup, &device.secrets());
    (machine, device)
}

#[test]
fn an_old_copy_of_a_devices_secrets_suspends_it_in_words_and_a_fresh_offer_lifts_that() {
    let (machine, device) = restored(2 * 60 * SECOND);
    let before = machine.only_device();
    let told = device.only_machine();
    assert_eq!(told["state"], "suspended", "{told}");
    let row = machine.only_device();
    assert_eq!(row["id"], before["id"]);
    says(row["suspended"].as_str().unwrap(), &["replaced token", "copied"]);
    assert!(machine.audit_kinds().contains(&"suspended".to_owned()), "{:?}", machine.audit_kinds());
    says(&machine.run(&["devices", "list"]).expect(0).stdout, &["laptop", "suspended"]);
    says(&machine.run(&["devices", "show", "laptop"]).expect(0).stdout, &["copied", "a fresh offer lifts it"]);
    says(&seen(&device), &["suspended", "fresh offer"]);
    // Not lifted by trying.
    assert_eq!(device.only_machine()["state"], "suspended");
    device.join(machine.offer(&[]).link_text()).expect(0);
    assert!(device.is_welcome());
    let after = machine.only_device();
    assert_eq!((&after["id"], &after["suspended"]), (&before["id"], &Value::Null));
}

/// The control: the same copy within a minute is a lost answer, not a thief.
#[test]
fn a_token_that_was_replaced_a_moment_ago_suspends_nobody() {
    let (machine, device) = restored(20 * SECOND);
    assert_eq!(device.only_machine()["state"], "lost");
    assert_eq!(machine.only_device()["suspended"], Value::Null);
    says(&seen(&device), &["restored from a backup", "fresh offer"]);
    device.join(machine.offer(&[]).link_text()).expect(0);
    assert!(device.is_welcome());
    assert_eq!(machine.devices().len(), 1);
}

#[test]
fn a_session_that_was_not_used_for_a_month_has_ended() {
    let (mut machine, device) = paired();
    let unused = |days: i64| {
        let by = days * DAY;
        format!("UPDATE devices SET last_seen = last_seen - {by}, session_started_at = session_started_at - {by}")
    };
    change(&mut machine, &unused(29));
    assert!(device.is_welcome(), "29 days are not a month");
    change(&mut machine, &unused(31));
    has_expired(&machine, &device);
}

#[test]
fn a_session_that_is_half_a_year_old_has_ended_however_much_it_was_used() {
    let (mut machine, device) = paired();
    let older = |days: i64| format!("UPDATE devices SET session_started_at = session_started_at - {}", days * DAY);
    change(&mut machine, &older(179));
    assert!(device.is_welcome(), "179 days are not half a year");
    change(&mut machine, &older(2));
    has_expired(&machine, &device);
}

#[test]
fn lifetimes_of_a_devices_own_are_honoured_and_survive_a_fresh_scan() {
    let both = |by: i64| {
        format!("UPDATE devices SET last_seen = last_seen - {by}, session_started_at = session_started_at - {by}")
    };
    for (flags, older) in [
        (["--idle", "1h"], both(2 * HOUR)),
        (["--absolute", "31d"], format!("UPDATE devices SET session_started_at = session_started_at - {}", 32 * DAY)),
    ] {
        let (mut machine, device) = paired();
        let other = Device::new();
        other.join(machine.offer(&["--name", "other"]).link_text()).expect(0);
        machine.run(&[&["devices", "set", "laptop"][..], &flags].concat()).expect(0);
        change(&mut machine, &older);
        assert!(other.is_welcome(), "{flags:?}: the other device has the usual lifetimes");
        machine.run(&["devices", "revoke", "other", "--yes"]).expect(0);
        has_expired(&machine, &device);
    }
    // Longer than usual works as well.
    let (mut machine, device) = paired();
    machine.run(&["devices", "set", "laptop", "--idle", "100d", "--absolute", "300d"]).expect(0);
    change(&mut machine, &both(99 * DAY));
    assert!(device.is_welcome());
    for nonsense in [["--idle", "30s"], ["--absolute", "1h"], ["--absolute", "8000d"]] {
        machine.run(&[&["devices", "set", "laptop"][..], &nonsense].concat()).expect(2).says("lifetimes");
    }
    assert_eq!(machine.only_device()["idle_seconds"], 100 * DAY / SECOND);
}

fn with_clock(machine: &mut Machine, offset: Option<&str>) {
    machine.stop().expect(0);
    machine.environment = offset.map(wall_clock).unwrap_or_default();
    machine.start();
}

#[test]
fn a_clock_far_ahead_is_named_as_the_cause_and_nothing_is_lost_by_it() {
    let (mut machine, device) = paired();
    let before = machine.only_device();
    with_clock(&mut machine, Some("+400d"));
    let told = device.only_machine();
    assert_eq!(told["state"], "expired");
    says(&seen(&device), &["clock", "ahead of this device's", "set the wrong one right"]);
    assert_eq!(machine.only_device()["id"], before["id"], "a clock has deleted a device");
    with_clock(&mut machine, None);
    assert!(device.is_welcome(), "the clock is right again");
    assert_eq!(machine.only_device()["paired_at"], before["paired_at"]);
}

#[test]
fn a_device_that_came_while_the_clock_was_ahead_does_not_lock_out_the_others_for_good() {
    let (mut machine, device) = paired();
    with_clock(&mut machine, Some("+400d"));
    let other = Device::new();
    other.join(machine.offer(&["--name", "other"]).link_text()).expect(0);
    // Its pairing alone leaves the others be; its welcome moves the clock's floor.
    assert!(other.is_welcome());
    with_clock(&mut machine, None);
    // A clock that was set back is not believed until somebody says so.
    assert!(!device.is_welcome());
    assert!(other.is_welcome());
    let found = machine.run(&["doctor"]);
    says(&found.stdout, &["clock", "a device was welcomed at", "--reset-clock"]);
    assert_eq!(found.code, Some(1));
    machine.run(&["doctor", "--reset-clock"]).expect(0);
    assert!(device.is_welcome() && other.is_welcome());
    says(&machine.audit_kinds().join(" "), &["clock"]);
    machine.restart();
    assert!(device.is_welcome(), "it was forgotten in memory only");
    assert!(is_online(&other.only_machine()));
}

#[test]
fn a_stopped_machine_forgets_a_wrong_clock_too() {
    let (mut machine, device) = paired();
    assert!(device.is_welcome());
    let later = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap() + 400 * DAY;
    change(&mut machine, &format!("UPDATE meta SET value = {later} WHERE key = 'latest_welcome'"));
    assert!(!device.is_welcome());
    machine.stop().expect(0);
    says(&machine.run(&["doctor"]).stdout, &["a device was welcomed at", "--reset-clock"]);
    machine.run(&["doctor", "--reset-clock"]).expect(0);
    machine.start();
    assert!(device.is_welcome());
}
