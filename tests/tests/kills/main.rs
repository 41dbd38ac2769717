//! `kill -9` at random points of pairing by scan and by code, of the acknowledgement, of a reconnect
//! that replaces the token, of a revoke, and ([`approvals`]) of letting somebody in and answering an ask; on the side of the machine, of the device, and of the
//! command at the shell. After each: nothing that anybody was told is untrue.
//!
//! [`pairpin_tests::told`] judges; [`controls`] breaks each of its properties on purpose and sees it
//! reported. Seed and length: `cargo xtask crashes --cycles N --seed S`; without, 40 cycles of each
//! of five kinds and 10 of approvals' two. `crashes.rs` has the kills at exact steps.

mod approvals;
mod controls;

use std::thread;
use std::time::{Duration, Instant};

use pairpin_core::wire::Frame;
use pairpin_tests::block_on;
use pairpin_tests::chance::{self, Chance};
use pairpin_tests::device::Device;
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::{Identity, Peer};
use pairpin_tests::process::{Background, Output};
use pairpin_tests::sqlite;
use pairpin_tests::told::{self, Told, World};
use rusqlite::Connection;

/// Cycles of each of the five kinds: 200 in all.
const CYCLES: u64 = 40;

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Machine,
    Device,
    Shell,
}

/// Runs the cycles of one kind and says which seed repeats them.
fn cycles(kind: &str, cycle: impl FnMut(&mut World, &mut Chance, u64) -> Result<bool, String>) {
    cycles_or(CYCLES, kind, cycle);
}

/// The same, where so many of this kind are enough for CI.
fn cycles_or(short: u64, kind: &str, mut cycle: impl FnMut(&mut World, &mut Chance, u64) -> Result<bool, String>) {
    let mut chance = Chance::from_environment();
    let count = chance::number("PAIRPIN_CYCLES").unwrap_or(short);
    let mut world = World::new();
    let mut early = 0;
    let begun = Instant::now();
    for number in 0..count {
        let outcome = cycle(&mut world, &mut chance, number);
        let before = outcome.unwrap_or_else(|wrong| {
            panic!("{kind}, cycle {number} of {count}, PAIRPIN_SEED={}: {wrong}", chance.seed);
        });
        early += u64::from(before);
    }
    world.at_the_end().unwrap_or_else(|wrong| panic!("{kind}, PAIRPIN_SEED={}: {wrong}", chance.seed));
    let took = begun.elapsed().as_secs_f64();
    eprintln!("{kind}: {count} kills in {took:.0} s, {early} before anything was told, PAIRPIN_SEED={}", chance.seed);
    // Kills that are all too late, or all too early, would prove nothing.
    if count >= CYCLES {
        assert!(early > 0 && early < count, "{early} of {count} kills came before anything was told");
    }
}

/// How long something takes when nobody disturbs it: the slowest of three.
fn undisturbed(mut one: impl FnMut()) -> Duration {
    let time = |_| {
        let begun = Instant::now();
        one();
        begun.elapsed()
    };
    (0..3).map(time).max().unwrap_or_default()
}

/// Kills the machine or the device's program somewhere in the time that the work takes, and gives what
/// the program said.
fn strike(world: &mut World, chance: &mut Chance, whole: Duration, victim: Victim, program: &mut Background) -> Output {
    // The delay is what is tested; nothing is waited for.
    thread::sleep(chance.time(whole.mul_f64(1.4)));
    match victim {
        Victim::Machine => world.crash(),
        Victim::Device | Victim::Shell => program.kill(),
    }
    program.end()
}

#[test]
fn kills_at_random_points_of_a_pairing_by_scan() {
    let mut whole = Duration::ZERO;
    cycles("scan", |world, chance, number| {
        if number == 0 {
            whole = undisturbed(|| drop(Device::new().join(world.machine.offer(&[]).link_text()).expect(0)));
        }
        let victim = [Victim::Machine, Victim::Device][chance.below(2)];
        let (device, name) = (Device::new(), format!("scan {number}x"));
        let offer = world.machine.offer(&["--name", &name]);
        let mut join = device.start_join(offer.link_text());
        let said = strike(world, chance, whole, victim, &mut join);
        let told = Told::of_join(&said);
        world.stands_again(Some(&device))?;
        world.pairing(&device, &name, told, &offer)?;
        Ok(told == Told::Nothing)
    });
}

#[test]
fn kills_at_random_points_of_a_pairing_by_code() {
    let mut whole = Duration::ZERO;
    cycles("code", |world, chance, number| {
        let address = world.machine.address.to_string();
        if number == 0 {
            whole = undisturbed(|| {
                drop(Device::new().join_by_code(&address, world.machine.offer(&["--code"]).code()).expect(0));
            });
        }
        let victim = [Victim::Machine, Victim::Device][chance.below(2)];
        let (device, name) = (Device::new(), format!("code {number}x"));
        let offer = world.machine.offer(&["--code", "--name", &name]);
        let mut join = device.start_join_by_code(&address, offer.code());
        let said = strike(world, chance, whole, victim, &mut join);
        let told = Told::of_join(&said);
        world.stands_again(Some(&device))?;
        world.pairing(&device, &name, told, &offer)?;
        Ok(told == Told::Nothing)
    });
}

/// Makes every token a day older, in the database of a machine that is down.
fn age_tokens(machine: &Machine) {
    let database = Connection::open(machine.file("machine.db")).unwrap();
    let by = 25 * 3600 * 1000;
    let sql = format!("UPDATE tokens SET created_at = created_at - {by}, changed_at = changed_at - {by}");
    database.execute(&sql, []).unwrap();
}

#[test]
fn kills_at_random_points_of_a_reconnect_that_replaces_the_token() {
    let device = Device::new();
    let mut whole = Duration::ZERO;
    cycles("rotation", |world, chance, number| {
        if number == 0 {
            device.join(world.machine.offer(&["--name", "laptop"]).link_text()).expect(0);
            whole = undisturbed(|| assert!(device.is_welcome()));
        }
        world.crash();
        age_tokens(&world.machine);
        world.stands_again(None)?;
        let tokens = "SELECT max(seq) FROM tokens";
        let before = sqlite::count(&world.machine.file("machine.db"), tokens);
        let victim = [Victim::Machine, Victim::Device][chance.below(2)];
        strike(world, chance, whole, victim, &mut device.start(&["machines", "list"]));
        world.stands_again(Some(&device))?;
        let replaced = sqlite::count(&world.machine.file("machine.db"), tokens) > before;
        // A second one now and then: at the first use of the new token.
        if chance.below(2) == 0 {
            strike(world, chance, whole, victim, &mut device.start(&["machines", "list"]));
            world.stands_again(Some(&device))?;
        }
        world.welcome(&device)?;
        world.welcome(&device)?;
        Ok(!replaced)
    });
}

/// Starts the revoke, and kills.
fn revoke(world: &mut World, chance: &mut Chance, whole: Duration, victim: Victim, name: &str) -> Background {
    let mut shell = Background::start(&mut world.machine.command(&["devices", "revoke", name, "--yes"]), None);
    if victim != Victim::Device {
        strike(world, chance, whole, victim, &mut shell);
    }
    shell
}

#[test]
fn kills_at_random_points_of_a_revoke() {
    let mut whole = Duration::ZERO;
    cycles("revoke", |world, chance, number| {
        if number == 0 {
            whole = undisturbed(|| drop(world.machine.run(&["devices", "revoke", "nobody", "--yes"]).expect(1)));
        }
        let name = format!("revoked {number}x");
        let told = match [Victim::Machine, Victim::Machine, Victim::Shell, Victim::Device][chance.below(4)] {
            // A real device that watches, and is killed while it is told.
            Victim::Device => {
                let laptop = Device::new();
                laptop.join(world.machine.offer(&["--name", &name]).link_text()).expect(0);
                let mut watch = laptop.start(&["machines", "watch", "--json"]);
                watch.line("online", |line| line.contains("\"state\":\"online\""));
                let mut shell = revoke(world, chance, whole, Victim::Device, &name);
                strike(world, chance, whole, Victim::Device, &mut watch);
                let told = Told::of_revoke(&shell.end());
                world.stands_again(Some(&laptop))?;
                world.revoked_laptop(&laptop, &name, told)?;
                told
            }
            victim => {
                let phone = world.phone(&name);
                let told = Told::of_revoke(&revoke(world, chance, whole, victim, &name).end());
                world.stands_again(None)?;
                let mut settled = told;
                if (victim, told) == (Victim::Shell, Told::Nothing) {
                    // The daemon may still be at it, so nothing is certain until it is asked again.
                    let again = world.machine.run(&["devices", "revoke", &name, "--yes"]);
                    assert!(again.code == Some(0) || again.stderr.contains("no device is called"), "{again:?}");
                    settled = Told::Revoked;
                }
                world.revoked_phone(phone, settled)?;
                told
            }
        };
        Ok(told == Told::Nothing)
    });
}

#[test]
fn kills_of_the_machine_at_random_points_of_an_acknowledgement() {
    let mut whole = Duration::ZERO;
    cycles("acknowledgement", |world, chance, number| {
        if number == 0 {
            whole = undisturbed(|| drop(world.phone("undisturbed")));
        }
        let name = format!("phone {number}x");
        let identity = Identity::new(&name);
        let offer = world.machine.offer(&["--name", &name]);
        let (secret, address) = (offer.link().secret, world.machine.address);
        let (granted, told) = thread::scope(|scope| {
            let phone = scope.spawn(|| {
                block_on(async {
                    let proven = identity.prove(Peer::connect(address).await?, &secret).await;
                    let (received, mut session) = proven.map_err(|_| std::io::Error::other("refused"))?;
                    let params = serde_json::to_value(received.acknowledge()).map_err(std::io::Error::other)?;
                    let sent = session.send(&Frame::Request { id: 1, method: "acknowledge".to_owned(), params }).await;
                    let answered = match sent {
                        Ok(()) => told::answered(&mut session).await,
                        Err(_) => false,
                    };
                    std::io::Result::Ok((received.grant, answered))
                })
            });
            thread::sleep(chance.time(whole.mul_f64(1.4)));
            world.crash();
            match phone.join().unwrap() {
                Ok((grant, answered)) => (Some(grant), if answered { Told::Paired } else { Told::Nothing }),
                Err(_) => (None, Told::Nothing),
            }
        });
        world.stands_again(None)?;
        world.acknowledged(identity, granted, &name, told, &secret)?;
        Ok(told == Told::Nothing)
    });
}
