//! An owner is revoked from afar while it mints offers, answers asks and lets somebody in, as fast as it can: nothing is
//! accepted after the commit, and what it had begun goes with it. Fifty trials with `cargo xtask flood`, five in CI.

use std::env;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use pairpin_core::host::DATABASE_FILE;
use pairpin_core::identity::DeviceId;
use pairpin_core::role::Role;
use pairpin_core::store::host::devices;
use pairpin_core::store::{Database, Kind};
use pairpin_tests::block_on;
use pairpin_tests::chance::Chance;
use pairpin_tests::machine::Machine;
use pairpin_tests::process::Background;
use pairpin_tests::swarm::owner::Approval;
use pairpin_tests::swarm::owner_out::{self, Trial};
use pairpin_tests::swarm::paired::Paired;
use pairpin_tests::swarm::revocation::How;
use pairpin_tests::swarm::rows;
use pairpin_tests::swarm::spread::Spread;
use rusqlite::Connection;

/// Joins are shown to people ten times in an hour: then the daemon starts anew.
const ROUND: usize = 9;

/// A machine whose devices are all owners.
fn owners(count: usize) -> (Machine, Vec<Paired>) {
    let mut machine = Machine::new();
    machine.arguments = ["--join-from", "loopback"].map(Into::into).into();
    let (mut machine, paired) = rows::with_devices(machine, count);
    machine.stop().expect(0);
    let ids: Vec<DeviceId> = paired.iter().map(|one| one.device).collect();
    let db = Database::open(&machine.file(DATABASE_FILE), Kind::Host).unwrap();
    db.write_blocking(move |connection| ids.iter().try_for_each(|id| devices::set_role(connection, id, Role::Owner)))
        .unwrap();
    drop(db);
    machine.start();
    (machine, paired)
}

/// What the machine's own record says that is wrong.
fn record(machine: &Machine, victim: &Paired, trial: &Trial, ask: &mut Background) -> Vec<String> {
    let database = Connection::open(machine.file(DATABASE_FILE)).unwrap();
    let last = |kind: &str, device: &DeviceId| -> i64 {
        let sql = "SELECT coalesce(max(seq), 0) FROM audit WHERE kind = ?1 AND device = ?2";
        database.query_row(sql, (kind, device.as_bytes()), |row| row.get(0)).unwrap()
    };
    let mut wrong = Vec::new();
    let out = last("revoked", &victim.device);
    if out == 0 || last("answered", &victim.device) > out {
        wrong.push("record: an answer after the revocation".to_owned());
    }
    let name = victim.name();
    let offers = machine.json(&["offers", "list", "--json"]);
    let live = |offer: &&serde_json::Value| offer["minted_by"] == *name;
    if offers["offers"].as_array().is_some_and(|offers| offers.iter().any(|offer| live(&offer))) {
        wrong.push(format!("record: its offers are still good: {offers}"));
    }
    if let Some((joiner, told)) = trial.joined {
        let let_in = last("let-in", &joiner);
        if let_in > out || (told && let_in == 0) {
            wrong.push(format!("record: told {told}, let in by line {let_in}, revoked by line {out}"));
        }
    }
    if ask.is_running() {
        // Nobody answered it in time, and that is no yes.
        ask.kill();
    }
    if ask.end().code == Some(0) && last("answered", &victim.device) == 0 {
        wrong.push("record: an ask ended with yes, and the log has none".to_owned());
    }
    wrong
}

#[test]
fn an_owner_that_is_revoked_in_the_middle_of_its_work_is_out_at_once_with_what_it_began() {
    let trials = if env::var_os("PAIRPIN_FLOOD").is_some_and(|form| form == "long") { 50 } else { 5 };
    let (mut machine, mut paired) = owners(trials + 1);
    let (first, approval) = (paired.remove(0), Approval::generate());
    let (mut chance, mut closes, mut kinds, mut joined) = (Chance::from_environment(), Vec::new(), Vec::new(), 0);
    for (number, victim) in paired.into_iter().map(Arc::new).enumerate() {
        if number > 0 && number % ROUND == 0 {
            machine.restart();
        }
        let arguments = ["ask", "--json", "Deploy?", "--timeout", "20s"];
        let mut ask = Background::start(&mut machine.command(&arguments), None);
        let came = (Ipv4Addr::new(127, 0, 48, 1 + (number / 3) as u8), chance.time(Duration::from_millis(30)));
        let by = (&first, &approval);
        let trial = block_on(owner_out::trial(&machine, by, Arc::clone(&victim), came, How::Revoke));
        let wrong = [owner_out::judge(&trial), record(&machine, &victim, &trial, &mut ask)].concat();
        assert_eq!(wrong, Vec::<String>::new(), "trial {number}, PAIRPIN_SEED={}: {trial:#?}", chance.seed);
        closes.push(trial.took + trial.last_close);
        joined += usize::from(trial.joined.is_some_and(|(_, told)| told));
        kinds.extend(trial.before);
    }
    let count = |kind: &str| kinds.iter().filter(|other| **other == kind).count();
    let (mints, answers, yeses) = (count("mint"), count("accept"), count("approve-join"));
    println!(
        "{trials} trials, {} answers before ({mints} offers, {answers} answers to asks, {yeses} joiners, {joined} in); \
         from the command to the last close, ms: {}",
        kinds.len(),
        Spread::of_ms(closes)
    );
    assert!(mints > 0 && answers > 0, "it did not do what it was to do");
}

#[test]
fn the_judge_catches_a_revocation_that_only_marks_the_row() {
    let (machine, mut paired) = owners(2);
    let (first, approval) = (paired.remove(0), Approval::generate());
    let came = (Ipv4Addr::new(127, 0, 48, 1), Duration::from_millis(5));
    let victim = Arc::new(paired.remove(0));
    let trial = block_on(owner_out::trial(&machine, (&first, &approval), victim, came, How::OnlyMark));
    let wrong = owner_out::judge(&trial);
    for bar in ["served", "open", "told"] {
        assert!(wrong.iter().any(|complaint| complaint.starts_with(bar)), "{bar} is not missed: {wrong:#?}");
    }
}
