//! Who does something in the simulation: joiners, owners, somebody at the machine who asks, the owner who revokes
//! another, and the weather. Each draws from a stream of its own, so that a seed repeats what they want to do.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pairpin_core::host::{KeyChange, KeyChangeKind, Question};
use pairpin_core::identity::DeviceId;
use pairpin_core::store::host::devices::{self, LetIn, LetInHow, NewDevice, PairedHow};
use pairpin_core::store::host::keys::{self, KeyState};
use pairpin_core::store::host::tombstones;
use pairpin_core::store::{Database, Kind};
use pairpin_core::wire::{AskClaimed, AskEnd, AskKnown, JoinHow, JoinListed, JoinNumber, JoinTranscript, PendingAsk};
use pairpin_tests::chance::Chance;
use pairpin_tests::swarm::joiner;
use pairpin_tests::swarm::owner::{NotDone, Owner, id_of};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::world::{Card, Twin, World, Yes, pause, start};

/// Nobody waits longer for one answer.
const PATIENCE: Duration = Duration::from_millis(400);
/// Nor for another person.
const PEOPLE: Duration = Duration::from_millis(250);

/// A device without an offer: asks, shows its screen, and types what it is told, now and then wrongly.
pub async fn joiner(world: Arc<World>, number: u8, mut chance: Chance) {
    for _ in 0..3 {
        pause(&mut chance, 15).await;
        let source = Ipv4Addr::new(127, 0, 44, number);
        let asked = timeout(PATIENCE, joiner::ask(world.door, source, &format!("laptop {number}"))).await;
        let Ok(Ok(asked)) = asked else { continue };
        let (send, digits) = oneshot::channel();
        let (join, qr) = (asked.waiting.join(), asked.waiting.qr());
        let number = asked.waiting.number();
        world.cards().push(Card { join, transcript: qr.transcript, number, digits: Some(send) });
        let Ok(held) = asked.granted(PEOPLE).await else { continue };
        // The person at the approver reads them out, or never does.
        let Ok(Ok(digits)) = timeout(PEOPLE, digits).await else { continue };
        pause(&mut chance, 5).await;
        let digits = if chance.below(8) == 0 { "0000".to_owned() } else { digits };
        let Some(typed) = held.typed(&digits) else { continue };
        world.ledger().typed.push(join);
        let (paired, answer) = typed.acknowledge(PATIENCE).await;
        match answer {
            Ok(_) => {
                world.ledger().told_in.push(paired);
                return;
            }
            Err(_) => world.ledger().unsure.push(paired),
        }
    }
}

/// One of the three devices: decides on joins and asks as chance has it, and comes back whenever it is cut off.
pub async fn device(world: Arc<World>, which: usize, mut chance: Chance) {
    let mut decided = Vec::new();
    while !world.is_over() {
        let began = Instant::now();
        let connected = timeout(PATIENCE, world.connects(which)).await;
        let Ok(Ok(mut owner)) = connected else {
            pause(&mut chance, 8).await;
            continue;
        };
        world.served(owner.device(), began, "a dial");
        while !world.is_over()
            && timeout(2 * PATIENCE, turn(&world, &mut owner, &mut decided, &mut chance)).await == Ok(true)
        {
            pause(&mut chance, 4).await;
        }
    }
}

/// Looks once at what waits. `false`: the connection is gone.
async fn turn(world: &World, owner: &mut Owner, decided: &mut Vec<String>, chance: &mut Chance) -> bool {
    let began = Instant::now();
    match owner.joins().await {
        Ok(listed) => {
            world.served(owner.device(), began, "joins");
            for listed in listed {
                let name = listed.join.text();
                if !decided.contains(&name) {
                    decided.push(name);
                    if !decide(world, owner, &listed, chance).await {
                        return false;
                    }
                }
            }
        }
        // An operator's device is not told of joins.
        Err(NotDone::Refused(_)) => {}
        Err(NotDone::Lost(_)) => return false,
    }
    let began = Instant::now();
    let Ok(asks) = owner.inbox().await else { return false };
    world.served(owner.device(), began, "inbox");
    for ask in asks {
        let name = id_of(&ask);
        if !decided.contains(&name) {
            decided.push(name);
            if !answer(world, owner, &ask, chance).await {
                return false;
            }
        }
    }
    true
}

/// Yes by the scan or the number, by those of another screen, no, or nothing.
async fn decide(world: &World, owner: &mut Owner, listed: &JoinListed, chance: &mut Chance) -> bool {
    let shown = world.cards().iter().find(|card| card.join == listed.join).map(|card| (card.transcript, card.number));
    let Some((transcript, number)) = shown else { return true };
    let (how, right) = match chance.below(6) {
        0 | 1 => (JoinHow::Scan(transcript), true),
        2 => number.map_or((JoinHow::Scan(transcript), true), |number| (JoinHow::Number(number), true)),
        3 => match other(number) {
            Some(number) => (JoinHow::Number(number), false),
            None => (JoinHow::Scan(JoinTranscript::from_bytes([9; 32])), false),
        },
        4 => return !matches!(owner.deny(listed.join).await, Err(NotDone::Lost(_))),
        _ => return true,
    };
    let (join, device, by) = (listed.join, DeviceId::of(&listed.key), owner.device());
    world.ledger().yeses.push(Yes { join, device, by, right });
    let began = Instant::now();
    match owner.approve(listed.join, listed.key, how).await {
        Ok(accepted) => {
            world.served(by, began, "approve-join");
            let card = world.cards().iter_mut().find(|card| card.join == join).and_then(|card| card.digits.take());
            if let Some(digits) = card {
                let _ = digits.send(accepted.digits);
            }
            true
        }
        Err(NotDone::Refused(_)) => true,
        Err(NotDone::Lost(_)) => false,
    }
}

fn other(number: Option<JoinNumber>) -> Option<JoinNumber> {
    let digits = number?.digits();
    let first = if digits.starts_with('0') { "1" } else { "0" };
    JoinNumber::parse(&format!("{first}{}", &digits[1..]))
}

async fn answer(world: &World, owner: &mut Owner, ask: &PendingAsk, chance: &mut Chance) -> bool {
    let began = Instant::now();
    let answered = match chance.below(4) {
        0 | 1 => {
            world.ledger().answers.push(id_of(ask));
            owner.accept(ask).await
        }
        2 => owner.refuse(ask).await,
        _ => return true,
    };
    match answered {
        Ok(answered) => {
            if answered.taken {
                world.served(owner.device(), began, "an answer");
            }
            true
        }
        Err(NotDone::Refused(_)) => true,
        Err(NotDone::Lost(_)) => false,
    }
}

/// Somebody at the machine, who asks, waits, and now and then gives up.
pub async fn asker(world: Arc<World>, mut chance: Chance) {
    while !world.is_over() {
        pause(&mut chance, 20).await;
        let Some((host, runtime)) = world.machine.host() else { continue };
        let patience = (chance.below(5) == 0).then(|| chance.time(Duration::from_millis(40)));
        let shared = Arc::clone(&world);
        // In the machine's own runtime: it dies with it, as its connection would.
        let asking = runtime.spawn(async move {
            let claimed = AskClaimed { text: "Deploy?".into(), detail: None };
            let known = AskKnown { uid: 1000, ..AskKnown::default() };
            let question = Question { known, claimed, time: Some(Duration::from_secs(1)), ..Question::default() };
            let Ok(mut waiting) = host.ask(question).await else { return };
            let id = waiting.shown().id.clone();
            shared.ledger().asks.push((id.clone(), None));
            let end = match patience {
                Some(patience) => timeout(patience, waiting.end()).await.ok(),
                None => Some(waiting.end().await),
            };
            let end = match end {
                Some(AskEnd::Expired) if shared.twin == Twin::SilenceIsYes => Some(AskEnd::Yes { by: "nobody".into() }),
                end => end,
            };
            let mut ledger = shared.ledger();
            ledger.asks.iter_mut().filter(|(known, _)| *known == id).for_each(|(_, told)| told.clone_from(&end));
        });
        let _ = timeout(Duration::from_secs(2), asking).await;
    }
}

/// The first owner revokes one of the others, and does not rest until it knows that it is done.
pub async fn revoker(world: Arc<World>, mut chance: Chance) {
    pause(&mut chance, 150).await;
    let victim = world.devices[1 + chance.below(2)].device;
    world.ledger().revoke_asked.push(victim);
    if world.twin == Twin::RevokeOnlyMarks {
        let database = world.machine.database();
        let marking = tokio::task::spawn_blocking(move || {
            let db = Database::open(&database, Kind::Host)?;
            db.write_blocking(move |connection| tombstones::bury(connection, &victim, 0, "nobody", None).map(drop))
        });
        marking.await.expect("it is written").unwrap_or_else(|error| panic!("{error}"));
        world.ledger().revoked.push((victim, Instant::now()));
        return;
    }
    loop {
        let revoking = async { world.connects(0).await?.revoke(victim).await };
        match timeout(2 * PATIENCE, revoking).await {
            // 4: not there any more. It was done, and the answer was lost.
            Ok(Ok(()) | Err(NotDone::Refused(4))) => break,
            _ => pause(&mut chance, 8).await,
        }
    }
    world.ledger().revoked.push((victim, Instant::now()));
}

/// Partitions, cuts, crashes, restarts, time, and planned changes of the machine's key: told to whoever is connected,
/// slept through, and begun right before an end.
pub async fn weather(world: Arc<World>, mut chance: Chance) {
    let first = world.twin == Twin::RestartForgets;
    let database = world.machine.database();
    let kept = first.then(|| std::fs::read(&database).expect("a database"));
    for _ in 0..8 {
        pause(&mut chance, 30).await;
        match chance.below(9) {
            0 | 1 => {
                world.relay.pass(false);
                pause(&mut chance, 40).await;
                world.relay.pass(true);
            }
            2 => world.relay.cut(),
            kind @ (3 | 4) => {
                let waits: Vec<JoinListed> = world.machine.host().map(|(host, _)| host.joins()).unwrap_or_default();
                if !first && chance.below(3) == 0 {
                    begins_change(&world);
                    // It takes some milliseconds: done, or somewhere in it.
                    if chance.below(3) == 0 {
                        pause(&mut chance, 6).await;
                    }
                }
                world.ends(kind == 3).await;
                if world.twin == Twin::RestartLetsIn {
                    let_in(&world, waits);
                }
                change_of_a_twin(&world).await;
                pause(&mut chance, 10).await;
                world.starts_again().await;
            }
            5 => world.machine.clock.ahead(Duration::from_secs(1 + chance.below(3) as u64)),
            6 => world.machine.clock.ahead(Duration::from_secs(130)),
            // The state that this twin goes back to would not fit the keys.
            _ if first => {}
            // Who is connected is told.
            7 => world.changes_keys().await,
            // Everybody sleeps through one, seldom through two.
            _ => {
                world.relay.pass(false);
                world.relay.cut();
                world.changes_keys().await;
                if chance.below(4) == 0 {
                    world.changes_keys().await;
                }
                pause(&mut chance, 10).await;
                world.relay.pass(true);
            }
        }
    }
    if let Some(kept) = kept {
        world.ends(true).await;
        for file in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{file}", database.display()));
        }
        std::fs::write(&database, kept).expect("it is put back");
        world.starts_again().await;
    }
}

/// A planned change that may not be done when the machine ends.
fn begins_change(world: &World) {
    if let Some((host, runtime)) = world.machine.host() {
        let change = KeyChange { kind: KeyChangeKind::Planned, next_key: None };
        drop(runtime.spawn(async move { host.change_keys(change).await }));
    }
}

/// What the twins that change keys wrongly do while nobody can connect.
async fn change_of_a_twin(world: &World) {
    let machine = Arc::clone(&world.machine);
    match world.twin {
        Twin::ChangesToAnother | Twin::DevicesBelieveAnything => {
            let starting = tokio::task::spawn_blocking(move || machine.start_with_another_next());
            starting.await.unwrap_or_else(|error| panic!("{error}"));
        }
        Twin::ChangesUntold => drop(start(&machine).await),
        _ => return,
    }
    // A change that was begun before the end may have come about.
    world.notes_keys();
    world.changes_keys().await;
    world.ends(false).await;
    if world.twin == Twin::ChangesUntold {
        let database = world.machine.database();
        let untold = tokio::task::spawn_blocking(move || {
            let db = Database::open(&database, Kind::Host)?;
            db.write_blocking(|connection| match keys::get(connection)? {
                Some(state) => keys::put(connection, &KeyState { rotated: None, ..state }),
                None => Ok(()),
            })
        });
        untold.await.expect("it is written").unwrap_or_else(|error| panic!("{error}"));
    }
}

/// The twin's doing.
fn let_in(world: &World, waits: Vec<JoinListed>) {
    let database = world.machine.database();
    tokio::task::block_in_place(move || {
        let db = Database::open(&database, Kind::Host).unwrap_or_else(|error| panic!("{error}"));
        for listed in waits {
            let (by, over) = ("nobody".to_owned(), "loopback".to_owned());
            let new = NewDevice {
                session_key: listed.key,
                name: listed.name,
                platform: listed.platform,
                role: pairpin_core::role::Role::Operator,
                key_kind: pairpin_core::secrets::KeyKind::File,
                recognition_key: pairpin_core::secrets::RecognitionKey::from_bytes([1; 32]),
                paired_at: 0,
                paired_how: PairedHow::Join,
                paired_from: listed.from,
                idle_seconds: 3_600,
                absolute_seconds: 3_600,
                let_in: Some(LetIn { device: None, by, how: LetInHow::Scan, over }),
            };
            // One that an earlier restart has let in is listed still.
            let id = DeviceId::of(&new.session_key);
            let written = db.write_blocking(move |connection| match devices::get(connection, &id)? {
                Some(_) => Ok(()),
                None => devices::insert(connection, &new).map(drop),
            });
            written.unwrap_or_else(|error| panic!("{error}"));
        }
    });
}
