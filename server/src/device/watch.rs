//! `pairpin machines watch`: stays connected and prints what changes.

use std::collections::HashMap;

use pairpin_core::client::{Client, MachineState, MachineView, MachineWatch};
use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::wire::WaitingApproval;
use serde::Serialize;
use tokio::sync::mpsc;

use super::views::{MachineJson, explained, restored_text, state_text};
use crate::exit::{Exit, Failure};
use crate::output::time::Moment;
use crate::output::{json, note, say};

#[derive(Serialize)]
struct Event {
    event: &'static str,
    at: Moment,
    machine: MachineJson,
    /// What waits there for this device's answer, as its welcome said; only beside a state that is online.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<WaitingApproval>,
}

/// Watches one machine, or all that are not revoked, until all of them have ended.
pub async fn run(client: &Client, selector: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let machines = match selector {
        Some(selector) => vec![client.find(selector).await?],
        None => client.machines().await?,
    };
    let (send, mut states) = mpsc::channel(64);
    for machine in machines.iter().filter(|machine| !matches!(machine.state, MachineState::Revoked(_))) {
        let watch = client.watch(machine.row).await?;
        tokio::spawn(follow(watch, send.clone()));
    }
    drop(send);
    let mut known: HashMap<_, _> =
        machines.iter().map(|machine| (machine.row, machine.restored.map(|restored| restored.at))).collect();
    let mut changed = false;
    let mut any = false;
    while let Some((row, state, waiting)) = states.recv().await {
        any = true;
        changed |= state.identity_changed();
        // The row is read again: a welcome may have brought another name or role.
        let views = client.machines().await?;
        // One that was told that it is forgotten has no row any more.
        let found = views.into_iter().find(|view| view.row == row);
        let found = found.or_else(|| machines.iter().find(|machine| machine.row == row).cloned());
        let Some(view) = found else { continue };
        // What was known when this began is no event.
        let at = view.restored.map(|restored| restored.at);
        let news = at.is_some() && known.insert(row, at) != Some(at);
        told(MachineView { state, ..view.clone() }, waiting, as_json)?;
        if news {
            restored(&view, as_json)?;
        }
    }
    if !any {
        note("there is no machine to watch, see pairpin machines");
    }
    if changed { Err(Failure::quiet(Exit::IdentityChanged)) } else { Ok(()) }
}

async fn follow(watch: MachineWatch, states: mpsc::Sender<(i64, MachineState, Vec<WaitingApproval>)>) {
    while let Some(state) = watch.changed().await {
        // A hard stop: nothing goes on until a person has scanned again, so this ends with exit code 6.
        let stopped = state.identity_changed();
        let online = matches!(state, MachineState::Online { .. });
        let waiting = if online { watch.waiting() } else { Vec::new() };
        if states.send((watch.row(), state, waiting)).await.is_err() || stopped {
            return;
        }
    }
}

/// A machine came back from a backup.
fn restored(view: &MachineView, as_json: bool) -> Result<(), Failure> {
    let now = SystemClock.wall_ms();
    if as_json {
        let event = Event { event: "restored", at: Moment(now), machine: view.into(), waiting: Vec::new() };
        return say(json::line(&event)?);
    }
    restored_text(view, now).into_iter().for_each(note);
    Ok(())
}

fn told(view: MachineView, waiting: Vec<WaitingApproval>, as_json: bool) -> Result<(), Failure> {
    let now = SystemClock.wall_ms();
    if as_json {
        return say(json::line(&Event { event: "state", at: Moment(now), machine: (&view).into(), waiting })?);
    }
    say(format!("{}  {}  {}", Moment(now).local(), view.name, state_text(&view.state, now)))?;
    if !waiting.is_empty() {
        let count = waiting.len();
        let (things, wait) = if count == 1 { ("thing", "waits") } else { ("things", "wait") };
        note(format!("{count} {things} there {wait} for your answer: pairpin inbox"));
    }
    if let Some(text) = explained(&view) {
        note(text);
    }
    Ok(())
}
