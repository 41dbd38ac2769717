//! Floods of strangers, and a revocation under traffic: what is promised holds, and each judge
//! catches a twin that is broken. CI runs the short form; `cargo xtask flood` the long one, with the
//! release build.

use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pairpin_core::host::DATABASE_FILE;
use pairpin_core::wire::DEFAULT_PORT;
use pairpin_tests::block_on;
use pairpin_tests::machine::Machine;
use pairpin_tests::scratch;
use pairpin_tests::swarm::bare::{Bare, Mode};
use pairpin_tests::swarm::flood::{self, Bars, Size};
use pairpin_tests::swarm::paired::{Door, Paired};
use pairpin_tests::swarm::revocation::{self, How};
use pairpin_tests::swarm::rows;
use pairpin_tests::swarm::spread::Spread;
use rusqlite::{Connection, OpenFlags};

/// One at a time: each measures.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_long() -> bool {
    env::var_os("PAIRPIN_FLOOD").is_some_and(|form| form == "long")
}

fn size() -> Size {
    if is_long() {
        Size { connects: 5_000, slow: 800, working: 100, dialling: 40, arrival: Duration::from_secs(15) }
    } else {
        Size { connects: 1_000, slow: 160, working: 20, dialling: 8, arrival: Duration::from_secs(4) }
    }
}

/// The short form runs wherever CI runs, beside whatever else is there: what a busy machine does to
/// every round trip, flooded or not, is none of the strangers' doing.
fn bars() -> Bars {
    if is_long() {
        Bars::PROMISED
    } else {
        Bars { of_calm: 10.0, stay: Duration::from_secs(15), dial: Duration::from_secs(15), ..Bars::PROMISED }
    }
}

fn shared(devices: Vec<Paired>) -> Vec<Arc<Paired>> {
    devices.into_iter().map(Arc::new).collect()
}

#[test]
fn a_flood_of_strangers_costs_little_and_disturbs_no_paired_device() {
    let _alone = alone();
    let (mut machine, devices) = rows::machine_with(size().working + size().dialling);
    let (door, pid) = (Door::of(&machine), machine.daemon().id());
    let report = block_on(flood::run(door, pid, shared(devices), size()));
    println!("{report}");
    assert_eq!(flood::judge(&report, size(), bars()), Vec::<String>::new(), "{report}");
}

/// Floods a twin; gives what the judge says of it.
fn flooded_twin(mode: Mode) -> Vec<String> {
    // Only for the devices and their keys: the twin knows nobody.
    let mut machine = Machine::started();
    machine.stop().expect(0);
    let size = Size { connects: 400, slow: 120, working: 10, dialling: 4, arrival: Duration::from_secs(2) };
    let devices = rows::fill(&machine.file(DATABASE_FILE), size.working + size.dialling);
    let address = SocketAddr::from((scratch::loopback(), DEFAULT_PORT));
    let twin = Bare::start(Path::new(env!("CARGO_BIN_EXE_bare")), mode, address);
    let report = block_on(flood::run(twin.door, twin.process.id(), shared(devices), size));
    println!("{report}");
    // With the bars of the real machine's own run.
    flood::judge(&report, size, bars())
}

#[track_caller]
fn misses(wrong: &[String], bars: &[&str]) {
    for bar in bars {
        assert!(wrong.iter().any(|complaint| complaint.starts_with(bar)), "{bar} is not missed: {wrong:#?}");
    }
}

#[test]
fn the_judge_of_floods_catches_a_server_without_limits() {
    let _alone = alone();
    misses(&flooded_twin(Mode::Hoarding), &["memory", "strangers"]);
}

#[test]
fn the_judge_of_floods_catches_a_server_that_works_for_strangers() {
    let _alone = alone();
    misses(&flooded_twin(Mode::Costly), &["round trips", "strangers"]);
}

/// Rows, and lines of the audit log after the revocation, that the machine has of a device.
fn record_of(machine: &Machine, device: &Paired) -> (i64, i64, i64) {
    let file = machine.file(DATABASE_FILE);
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let count = |sql: &str| -> i64 { database.query_row(sql, [device.device.as_bytes()], |row| row.get(0)).unwrap() };
    let rows =
        count("SELECT (SELECT count(*) FROM devices WHERE id = ?1) + (SELECT count(*) FROM tokens WHERE device = ?1)");
    let tombstones = count("SELECT count(*) FROM tombstones WHERE device = ?1");
    let later = count(
        "SELECT count(*) FROM audit WHERE device = ?1
         AND seq > (SELECT max(seq) FROM audit WHERE device = ?1 AND kind = 'revoked')",
    );
    (rows, tombstones, later)
}

#[test]
fn a_device_that_is_revoked_under_its_own_traffic_is_out_at_once() {
    let _alone = alone();
    let trials = if is_long() { 50 } else { 10 };
    // One more, so that an owner is left.
    let (machine, devices) = rows::machine_with(trials + 1);
    let door = Door::of(&machine);
    let mut devices = shared(devices);
    let kept = devices.remove(0);
    let mut done = Vec::new();
    for (number, device) in devices.iter().enumerate() {
        let trial = block_on(revocation::trial(&machine, door, Arc::clone(device), How::Revoke));
        assert_eq!(revocation::judge(&trial), Vec::<String>::new(), "trial {number}: {trial:#?}");
        assert_eq!(record_of(&machine, device), (0, 1, 0), "the machine's record of trial {number}");
        done.push(trial);
    }
    let closes = Spread::of_ms(done.iter().map(|trial| trial.took + trial.last_close));
    let answers: u64 = done.iter().map(|trial| trial.before).sum();
    println!("{trials} trials, {answers} answers before; from the command to the last close, ms: {closes}");
    // The control: nobody else was touched.
    block_on(async { kept.dial(door, std::net::Ipv4Addr::LOCALHOST).await.unwrap().round_trip().await.unwrap() });
}

#[test]
fn the_judge_of_revocations_catches_one_that_only_marks_the_row() {
    let _alone = alone();
    let (machine, devices) = rows::machine_with(2);
    let device = shared(devices).remove(1);
    let trial = block_on(revocation::trial(&machine, Door::of(&machine), device, How::OnlyMark));
    misses(&revocation::judge(&trial), &["answered", "welcomed", "open", "told"]);
}
