//! The invariants, looked at when the weather is fair again. [`judge`] says all that is wrong.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use pairpin_core::handshake::{KnownKeys, RotateDraft};
use pairpin_core::identity::{DeviceId, Pin};
use pairpin_core::store::host::devices::PairedHow;
use pairpin_core::wire::{AskEnd, JoinHow, RefusalCode, Rotate};
use pairpin_tests::swarm::joiner;
use pairpin_tests::swarm::keys::{Came, Keys};
use pairpin_tests::swarm::paired::{Lost, Paired, Session};

use crate::world::World;

/// Everybody gets this long, in fair weather.
const FAIR: Duration = Duration::from_secs(5);

/// What is wrong; nothing, where all of this holds:
///
/// 1. *No device without its own yes*: every device that came by a join is one for which an owner signed a yes to
///    exactly what stood on its screen, and into which the right digits were typed. So nothing is let in by silence, a
///    crash or a restart.
/// 2. *No yes without an answer*: an ask ended with yes only if a device signed one for it.
/// 3. *Revoked is out*: no request that a device made after its revoke was answered is served, it has no row, is told
///    the cause, and nobody whom it let in is in who acknowledged later.
/// 4. *No lock-out*: who was told that it is in, and who was in before, comes in; who does not know comes in or
///    is not listed afterwards; and a new joiner is let in.
/// 5. *No key but the announced one*: the machine's epochs go up by one, each to the key announced before; what a
///    device trusts is a key of that line, to which it was led by the change that both keys signed, or by a
///    person's scan; and a device stops hard, so that it needs one, only where it slept through two changes.
pub async fn judge(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let known = known(world);
    asks(world, &mut wrong);
    revoked(world, &mut wrong).await;
    ways_in(world, &mut wrong).await;
    // Of those too who came in just now.
    approvals(world, &mut wrong).await;
    // What is true must be true after one more crash.
    let before = listed(world);
    world.ends(true).await;
    world.starts_again().await;
    if listed(world) != before {
        wrong.push(format!("a crash in fair weather changed who is paired: {before:?}, {:?}", listed(world)));
    }
    if let Err(why) = one_more(world).await {
        wrong.push(format!("lock-out: a new joiner is not let in: {why}"));
    }
    keys(world, &known, &mut wrong);
    wrong
}

/// Every device that ever was, or may be.
pub fn known(world: &World) -> Vec<(DeviceId, Keys)> {
    let ledger = world.ledger();
    let all = world.devices.iter().chain(&ledger.told_in).chain(&ledger.unsure);
    all.map(|paired| (paired.device, paired.keys.clone())).collect()
}

fn keys(world: &World, known: &[(DeviceId, Keys)], wrong: &mut Vec<String>) {
    let ledger = world.ledger();
    for pair in ledger.keys.windows(2) {
        if (pair[1].epoch, pair[1].pin) != (pair[0].epoch + 1, pair[0].next_pin) {
            wrong.push(format!("keys: the machine went from {:?} to {:?}", pair[0], pair[1]));
        }
    }
    let is_ours = |keys: &KnownKeys| ledger.keys.iter().any(|ours| (ours.epoch, ours.pin) == (keys.epoch, keys.pin));
    for (device, keys) in known {
        let trusted = keys.trusted();
        if let Some(other) =
            trusted.iter().map(|trusted| trusted.keys).chain([keys.known()]).find(|keys| !is_ours(keys))
        {
            wrong.push(format!("followed: {device:?} trusts a key that never was the machine's: {other:?}"));
        }
        for pair in trusted.windows(2) {
            let (before, after) = (&pair[0].keys, &pair[1].keys);
            let stop = |(of, at, epoch): &(DeviceId, KnownKeys, u64)| {
                (of, at.pin, *epoch) == (device, before.pin, after.epoch)
            };
            let is_good = match &pair[1].came {
                Came::Scanned => ledger.stops.iter().any(stop),
                Came::Told(rotate) | Came::Asleep(rotate) => is_signed(before, after, rotate),
            };
            if !is_good || after.epoch < before.epoch {
                wrong.push(format!("followed: {device:?} went from {before:?} to {:?}", pair[1]));
            }
        }
    }
    let listed = listed(world);
    for (device, at, epoch) in &ledger.stops {
        // Who never came in is a stranger, whom the machine tells nothing.
        let is_known = listed.contains(device) || ledger.revoke_asked.contains(device);
        if is_known && *epoch < at.epoch + 2 {
            wrong.push(format!("stopped: {device:?} knew {at:?}, and the machine was at epoch {epoch}"));
        }
    }
}

/// By the signatures and the announcement, and not by what the device found.
fn is_signed(before: &KnownKeys, after: &KnownKeys, rotate: &Rotate) -> bool {
    let &Rotate { machine, epoch, old_key, new_key, next_pin, .. } = rotate;
    let signed = RotateDraft { machine, epoch, old_key, new_key, next_pin }.to_sign();
    let pins = (Pin::of_key(&old_key), Some(Pin::of_key(&new_key)));
    (pins, epoch) == ((before.pin, before.next_pin), after.epoch)
        && pins.1 == Some(after.pin)
        && old_key.verify(&signed, &rotate.by_old)
        && new_key.verify(&signed, &rotate.by_new)
}

/// In fair weather; after a hard stop once more, since its person has scanned.
async fn dials(world: &World, paired: &Paired) -> Result<Session, Lost> {
    match world.dials(paired).await {
        Err(Lost::Stopped(_)) => world.dials(paired).await,
        dialled => dialled,
    }
}

fn listed(world: &World) -> Vec<DeviceId> {
    let (host, _) = world.machine.host().expect("it runs");
    let mut listed: Vec<DeviceId> = host.devices().iter().map(|device| device.id).collect();
    listed.sort();
    listed
}

async fn approvals(world: &World, wrong: &mut Vec<String>) {
    let (host, _) = world.machine.host().expect("it runs");
    let lines = host.audit_tail(500).await.unwrap_or_else(|error| panic!("{error}"));
    let at = |kind: &str, device: DeviceId| {
        lines.iter().find(|line| line.kind == kind && line.device == Some(device)).map(|line| line.seq)
    };
    let ledger = world.ledger();
    for device in host.devices().into_iter().filter(|device| device.paired_how == PairedHow::Join) {
        let yes = |yes: &&crate::world::Yes| yes.device == device.id && yes.right && ledger.typed.contains(&yes.join);
        let Some(_) = ledger.yeses.iter().find(yes) else {
            wrong.push(format!("unapproved: {} is a device, and nobody signed that or typed its digits", device.name));
            continue;
        };
        let by = device.let_in.and_then(|let_in| let_in.device);
        let right = ledger.yeses.iter().filter(yes).any(|yes| Some(yes.by) == by);
        if !right {
            wrong.push(format!("unapproved: {} is listed as let in by {by:?}, who signed no yes for it", device.name));
        }
        if let (Some(let_in), Some(out)) = (at("let-in", device.id), by.and_then(|by| at("revoked", by)))
            && out < let_in
        {
            wrong.push(format!("revoked: {} came in by a device that was revoked before", device.name));
        }
    }
}

fn asks(world: &World, wrong: &mut Vec<String>) {
    let ledger = world.ledger();
    for (id, end) in &ledger.asks {
        if matches!(end, Some(AskEnd::Yes { .. })) && !ledger.answers.contains(id) {
            wrong.push(format!("yes: ask {id} ended with one, and nobody signed it"));
        }
    }
}

async fn revoked(world: &World, wrong: &mut Vec<String>) {
    let out = world.ledger().revoked.clone();
    for (device, at) in out {
        for (_, began, what) in world.ledger().served.iter().filter(|(of, ..)| *of == device) {
            if *began > at {
                wrong.push(format!("revoked: {what} was served, {:?} after the revoke was answered", *began - at));
            }
        }
        if listed(world).contains(&device) {
            wrong.push("revoked: it has a row".to_owned());
        }
        let paired = world.devices.iter().find(|paired| paired.device == device).expect("one of ours");
        match tokio::time::timeout(FAIR, dials(world, paired)).await {
            Ok(Err(Lost::Told(refusal))) if refusal.code == RefusalCode::Revoked => {}
            other => wrong.push(format!("revoked: a dial was answered with {other:?}")),
        }
    }
}

async fn ways_in(world: &World, wrong: &mut Vec<String>) {
    let asked = world.ledger().revoke_asked.clone();
    let (told_in, unsure) = {
        let mut ledger = world.ledger();
        (std::mem::take(&mut ledger.told_in), std::mem::take(&mut ledger.unsure))
    };
    let before = world.devices.iter().filter(|paired| !asked.contains(&paired.device));
    for paired in before.chain(&told_in) {
        if let Err(lost) = comes_in(world, paired).await {
            wrong.push(format!("lock-out: {:?} should be in, and is answered {lost}", paired.device));
        }
    }
    for paired in &unsure {
        let before = listed(world).contains(&paired.device);
        let came = comes_in(world, paired).await;
        // A reconnect acknowledges too, as long as the approver's yes stands: it can bring the row, and never takes it.
        let after = listed(world).contains(&paired.device);
        if after != came.is_ok() {
            wrong.push(format!("half in: listed {before}, then {after}, and a dial ended {came:?}"));
        }
    }
}

async fn comes_in(world: &World, paired: &Paired) -> Result<(), String> {
    // Its heartbeat's time would be too long here: what was cut off is dialled again.
    match tokio::time::timeout(FAIR, dials(world, paired)).await {
        Ok(Ok(mut session)) => session.round_trip().await.map_err(|lost| format!("{lost:?}")),
        Ok(Err(lost)) => Err(format!("{lost:?}")),
        Err(_) => Err("nothing".to_owned()),
    }
}

/// A joiner in fair weather, let in by the first owner.
async fn one_more(world: &World) -> Result<(), String> {
    let told = |what: &'static str| move |why: &dyn std::fmt::Debug| format!("{what}: {why:?}");
    let mut owner = world.connects(0).await.map_err(|why| told("the owner")(&why))?;
    let asked = joiner::ask(world.door, Ipv4Addr::new(127, 0, 45, 1), "one more").await;
    let asked = asked.map_err(|why| told("asked")(&why))?;
    let (qr, key, until) = (asked.waiting.qr(), asked.public, Instant::now() + FAIR);
    while owner.joins().await.map_err(|why| told("joins")(&why))?.iter().all(|listed| listed.join != qr.join) {
        if Instant::now() > until {
            return Err("it is not shown".to_owned());
        }
    }
    let accepted = owner.approve(qr.join, key, JoinHow::Scan(qr.transcript)).await;
    let accepted = accepted.map_err(|why| told("approved")(&why))?;
    let held = asked.granted(FAIR).await.map_err(|why| told("granted")(&why))?;
    let typed = held.typed(&accepted.digits).ok_or("other digits")?;
    let (_, answer) = typed.acknowledge(FAIR).await;
    answer.map(drop).map_err(|why| told("acknowledged")(&why))
}
