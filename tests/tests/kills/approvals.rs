//! `kill -9` while somebody is let in, and while an ask is answered: no decision that was told is lost, and none is
//! invented. [`judge_join`] and [`judge_ask`] say what is wrong; their controls are below.

use std::net::Ipv4Addr;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use pairpin_core::host::DATABASE_FILE;
use pairpin_core::identity::DeviceId;
use pairpin_core::wire::{JoinHow, JoinTranscript};
use pairpin_tests::block_on;
use pairpin_tests::machine::Machine;
use pairpin_tests::process::Background;
use pairpin_tests::swarm::joiner::{self, Asked};
use pairpin_tests::swarm::owner::{Approval, NotDone, Owner};
use pairpin_tests::swarm::paired::{Door, Lost, Paired};
use pairpin_tests::swarm::rows;
use pairpin_tests::told::World;
use rusqlite::Connection;

use crate::cycles_or;

/// Cycles of each of the two kinds in CI.
const CYCLES: u64 = 10;
/// Nobody waits longer for an answer of a machine that may be dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// The owner's device and its approval key.
struct Judge {
    owner: Paired,
    approval: Approval,
}

impl Judge {
    /// An owner for a machine that anybody on it may ask to be let in.
    fn new(world: &mut World) -> Self {
        world.machine.arguments = ["--join-from", "loopback"].map(Into::into).into();
        world.machine.stop().expect(0);
        let owner = rows::fill(&world.machine.file(DATABASE_FILE), 1).remove(0);
        world.machine.start();
        let approval = Approval::generate();
        // Its key is enrolled by that.
        let connected = block_on(Owner::connect(Door::of(&world.machine), &owner, &approval));
        connected.unwrap_or_else(|why| panic!("the owner: {why:?}"));
        Self { owner, approval }
    }
}

/// What the person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Yes,
    /// Another QR is scanned.
    Wrong,
    No,
    Nothing,
}

const DECISIONS: [Decision; 6] =
    [Decision::Yes, Decision::Yes, Decision::Yes, Decision::Wrong, Decision::No, Decision::Nothing];

/// What is known of a join when the machine stands again.
#[derive(Debug)]
struct Joined {
    device: DeviceId,
    decision: Decision,
    /// What the joiner stored, once the right digits were typed.
    paired: Option<Paired>,
    /// Its acknowledgement was answered.
    told: bool,
}

/// A join by one that the owner's device is shown.
async fn ready(judge: &Judge, door: Door, source: Ipv4Addr) -> (Owner, Asked) {
    let owner = Owner::connect(door, &judge.owner, &judge.approval).await;
    let mut owner = owner.unwrap_or_else(|why| panic!("the owner: {why:?}"));
    let asked = joiner::ask(door, source, "laptop").await.unwrap_or_else(|lost| panic!("a join: {lost:?}"));
    let join = asked.waiting.join();
    while owner.joins().await.expect("the joins").iter().all(|listed| listed.join != join) {}
    (owner, asked)
}

/// Decides, and lets the joiner do its part. Either may be cut off anywhere.
async fn decide(mut owner: Owner, asked: Asked, decision: Decision) -> (Option<Paired>, bool) {
    let (join, key, transcript) = (asked.waiting.join(), asked.public, asked.waiting.qr().transcript);
    let accepted = match decision {
        Decision::Yes => owner.approve(join, key, JoinHow::Scan(transcript)).await,
        Decision::Wrong => owner.approve(join, key, JoinHow::Scan(JoinTranscript::from_bytes([9; 32]))).await,
        Decision::No => {
            let _ = owner.deny(join).await;
            return (None, false);
        }
        Decision::Nothing => {
            let _ = asked.granted(Duration::from_millis(300)).await;
            return (None, false);
        }
    };
    let Ok(accepted) = accepted else { return (None, false) };
    let Ok(held) = asked.granted(PATIENCE).await else { return (None, false) };
    let Some(typed) = held.typed(&accepted.digits) else { return (None, false) };
    let (paired, answer) = typed.acknowledge(PATIENCE).await;
    (Some(paired), answer.is_ok())
}

fn count(machine: &Machine, sql: &str, device: DeviceId) -> i64 {
    let database = Connection::open(machine.file(DATABASE_FILE)).expect("a database");
    database.query_row(sql, [device.as_bytes()], |row| row.get(0)).expect("a count")
}

/// What is wrong with a join after a kill.
fn judge_join(machine: &Machine, joined: &Joined) -> Result<(), String> {
    let rows = count(machine, "SELECT count(*) FROM devices WHERE id = ?1", joined.device);
    let lines = count(machine, "SELECT count(*) FROM audit WHERE device = ?1 AND kind = 'let-in'", joined.device);
    if rows != lines {
        return Err(format!("half: {rows} rows, {lines} lines of the log: {joined:?}"));
    }
    let is_in = match &joined.paired {
        Some(paired) => match block_on(paired.dial(Door::of(machine), Ipv4Addr::LOCALHOST)) {
            Ok(_) => true,
            Err(Lost::Stranger) => false,
            Err(other) => return Err(format!("half: a dial ended with {other:?}")),
        },
        None => rows > 0,
    };
    match (joined.told, is_in, rows) {
        (true, false, _) | (true, _, 0) => Err(format!("lost: its acknowledgement was answered: {joined:?}")),
        (_, true, 1) if joined.decision == Decision::Yes && joined.paired.is_some() => Ok(()),
        (_, true, 1) => Err(format!("invented: it is in without a yes and its digits: {joined:?}")),
        (false, false, 0) => Ok(()),
        (_, is_in, rows) => Err(format!("half: {rows} rows, and it comes in: {is_in}")),
    }
}

#[test]
fn kills_of_the_machine_while_somebody_is_let_in() {
    let (mut judge, mut whole) = (None, Duration::ZERO);
    cycles_or(CYCLES, "let in", |world, chance, number| {
        let judge = judge.get_or_insert_with(|| Judge::new(world));
        let door = Door::of(&world.machine);
        if number == 0 {
            for host in 1..=3 {
                block_on(async {
                    let (owner, asked) = ready(judge, door, Ipv4Addr::new(127, 0, 47, host)).await;
                    let begun = Instant::now();
                    assert!(decide(owner, asked, Decision::Yes).await.1, "an undisturbed join");
                    whole = whole.max(begun.elapsed());
                });
            }
        }
        let decision = DECISIONS[chance.below(DECISIONS.len())];
        let source = Ipv4Addr::new(127, 0, 46, 1 + (number % 200) as u8);
        let (send, asked) = channel();
        let (device, (paired, told)) = thread::scope(|scope| {
            let judge = &*judge;
            let deciding = scope.spawn(move || {
                block_on(async {
                    let (owner, asked) = ready(judge, door, source).await;
                    send.send(DeviceId::of(&asked.public)).expect("somebody waits");
                    decide(owner, asked, decision).await
                })
            });
            let device = asked.recv().expect("it asks");
            // The delay is what is tested; nothing is waited for.
            thread::sleep(chance.time(whole.mul_f64(4.0)));
            world.crash();
            (device, deciding.join().expect("it decides"))
        });
        world.stands_again(None)?;
        // Who asked before is shown, and nothing lets it in.
        let listed = world.machine.json(&["devices", "--json"]);
        if listed["joins"].as_array().is_some_and(|joins| joins.iter().any(|join| join["before_restart"] != true)) {
            return Err("invented: a join waits after a restart".to_owned());
        }
        judge_join(&world.machine, &Joined { device, decision, paired, told })?;
        Ok(!told)
    });
}

/// What is known of an ask when everything stands again.
#[derive(Debug)]
struct Answered {
    id: String,
    decision: Decision,
    /// The device was told that its answer was taken.
    taken: bool,
    /// The exit code of `ask`; none where it was killed.
    code: Option<i32>,
    /// Whether the command ran.
    ran: bool,
}

/// What is wrong with an ask after a kill.
fn judge_ask(machine: &Machine, answered: &Answered) -> Result<(), String> {
    let lines: Vec<String> = machine
        .audit()
        .iter()
        .filter(|entry| entry["kind"] == "answered")
        .filter_map(|entry| entry["text"].as_str().map(str::to_owned))
        .filter(|text| text.contains(&answered.id))
        .collect();
    let yes = lines.iter().filter(|line| line.contains("answered yes")).count();
    let no = lines.iter().filter(|line| line.contains("answered no")).count();
    if yes + no > 1 || (yes > 0 && answered.decision != Decision::Yes) || (no > 0 && answered.decision != Decision::No)
    {
        return Err(format!("invented: {lines:?}: {answered:?}"));
    }
    if (answered.ran || answered.code == Some(0)) && yes == 0 {
        return Err(format!("invented: the command ran, and the log has no yes: {answered:?}"));
    }
    if answered.taken && yes + no == 0 {
        return Err(format!("lost: the answer was taken, and the log has none: {answered:?}"));
    }
    Ok(())
}

#[test]
fn kills_while_an_ask_is_answered() {
    let (mut judge, mut whole) = (None, Duration::ZERO);
    cycles_or(CYCLES, "answer", |world, chance, number| {
        let judge = judge.get_or_insert_with(|| Judge::new(world));
        if number == 0 {
            for number in 0..3 {
                let begun = Instant::now();
                let (mut ask, id) = asks(&world.machine, &format!("first {number}"));
                block_on(answer(judge, Door::of(&world.machine), &id, Decision::Yes));
                ask.end().expect(0);
                whole = whole.max(begun.elapsed() / 4);
            }
        }
        let decision = [Decision::Yes, Decision::Yes, Decision::No, Decision::Nothing][chance.below(4)];
        let name = format!("ran {number}");
        let (mut ask, id) = asks(&world.machine, &name);
        let killed_is_the_ask = chance.below(3) == 0;
        let taken = thread::scope(|scope| {
            let (judge, door, id) = (&*judge, Door::of(&world.machine), id.clone());
            let answering = scope.spawn(move || block_on(answer(judge, door, &id, decision)));
            thread::sleep(chance.time(whole.mul_f64(2.0)));
            if killed_is_the_ask {
                ask.kill();
            } else {
                world.crash();
            }
            answering.join().expect("it answers")
        });
        // One that nobody answers would wait for minutes: Ctrl-C, which is no yes either.
        if killed_is_the_ask || ask_is_stuck(&mut ask) {
            ask.kill();
        }
        let code = ask.end().code;
        world.stands_again(None)?;
        let ran = world.machine.home().join(&name).exists();
        judge_ask(&world.machine, &Answered { id, decision, taken, code, ran })?;
        if !world.machine.json(&["asks", "--json"])["asks"].as_array().is_none_or(Vec::is_empty) && !killed_is_the_ask {
            return Err("invented: an ask waits after a restart".to_owned());
        }
        Ok(!taken)
    });
}

/// Whether it goes on although the machine is gone: it must not.
fn ask_is_stuck(ask: &mut Background) -> bool {
    let until = Instant::now() + PATIENCE;
    while ask.is_running() {
        if Instant::now() > until {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Asks for a command that leaves a file; gives its id once it waits.
fn asks(machine: &Machine, file: &str) -> (Background, String) {
    let mut command = machine.command(&["ask", "--json", "Deploy?", "--", "touch", file]);
    let mut ask = Background::start(&mut command, None);
    let asked = ask.event("asked");
    let id = asked["ask"]["id"].as_str().unwrap_or_else(|| panic!("no id in {asked}")).to_owned();
    (ask, id)
}

/// Answers; whether the answer was taken, as the device was told.
async fn answer(judge: &Judge, door: Door, id: &str, decision: Decision) -> bool {
    let answering = async {
        let mut owner = Owner::connect(door, &judge.owner, &judge.approval).await?;
        let asks = owner.inbox().await?;
        let Some(ask) = asks.iter().find(|ask| pairpin_tests::swarm::owner::id_of(ask) == id) else {
            return Ok(false);
        };
        let answered = match decision {
            Decision::Yes => owner.accept(ask).await?,
            Decision::No => owner.refuse(ask).await?,
            Decision::Wrong | Decision::Nothing => return Ok(false),
        };
        Ok::<bool, NotDone>(answered.taken)
    };
    tokio::time::timeout(PATIENCE, answering).await.is_ok_and(|taken| taken.unwrap_or(false))
}

#[track_caller]
fn reports(verdict: Result<(), String>, wanted: &str) {
    let wrong = verdict.expect_err("nothing is reported");
    assert!(wrong.starts_with(wanted), "{wrong}");
}

/// The controls: a decision that the database forgets, and one that nobody made.
#[test]
fn a_join_that_is_lost_or_invented_is_reported() {
    let mut world = World::new();
    let judge = Judge::new(&mut world);
    let (device, (paired, told)) = block_on(async {
        let (owner, asked) = ready(&judge, Door::of(&world.machine), Ipv4Addr::new(127, 0, 46, 1)).await;
        (DeviceId::of(&asked.public), decide(owner, asked, Decision::Yes).await)
    });
    let mut joined = Joined { device, decision: Decision::Yes, paired, told };
    judge_join(&world.machine, &joined).unwrap();
    joined.decision = Decision::Nothing;
    reports(judge_join(&world.machine, &joined), "invented");
    joined.decision = Decision::Yes;
    let tamper = |machine: &Machine, sql: &str| {
        let database = Connection::open(machine.file(DATABASE_FILE)).unwrap();
        database.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
    };
    tamper(&world.machine, "DELETE FROM tokens; DELETE FROM devices WHERE name = 'laptop'");
    reports(judge_join(&world.machine, &joined), "half");
    world.crash();
    tamper(&world.machine, "DELETE FROM audit WHERE kind = 'let-in'");
    world.stands_again(None).unwrap();
    reports(judge_join(&world.machine, &joined), "lost");
}

#[test]
fn an_answer_that_is_lost_or_invented_is_reported() {
    let mut world = World::new();
    let judge = Judge::new(&mut world);
    let (mut ask, id) = asks(&world.machine, "ran");
    let taken = block_on(answer(&judge, Door::of(&world.machine), &id, Decision::Yes));
    let code = ask.end().code;
    let ran = world.machine.home().join("ran").exists();
    let mut answered = Answered { id, decision: Decision::Yes, taken, code, ran };
    assert!(taken && ran && code == Some(0));
    judge_ask(&world.machine, &answered).unwrap();
    answered.decision = Decision::No;
    reports(judge_ask(&world.machine, &answered), "invented");
    answered.decision = Decision::Yes;
    answered.id = "another".to_owned();
    reports(judge_ask(&world.machine, &answered), "invented");
    (answered.ran, answered.code) = (false, None);
    reports(judge_ask(&world.machine, &answered), "lost");
}
