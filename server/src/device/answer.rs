//! `pairpin approve` and `pairpin deny`: one item of the inbox, by its id.

use std::path::Path;

use pairpin_core::client::{AskItem, Client, InboxItem, MachineSession};
use pairpin_core::wire::AskAnswered;
use serde::Serialize;

use super::cli::{ApproveArgs, DenyArgs};
use super::inbox::{ItemJson, Reached, Unasked, end_text, exit_of, how, look, shown};
use super::{approving, let_in, open};
use crate::exit::Failure;
use crate::output::style::{printable, quoted};
use crate::output::{json, note, say};

/// `approve --json` and `deny --json`.
#[derive(Serialize)]
struct AnsweredJson {
    item: ItemJson,
    /// Whether this answer is the one that counts.
    taken: bool,
    how: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

/// Runs `pairpin approve`.
///
/// # Errors
/// Nothing of this id waits; it was answered before; the machine does not take it.
pub async fn run_approve(state_dir: &Path, args: ApproveArgs) -> Result<(), Failure> {
    let (client, _) = open(state_dir, args.store.secret_store, None)?;
    if let Some(picture) = &args.image {
        return let_in::scanned(&client, picture, &args).await;
    }
    let (mut session, item) = find(&client, args.id.as_deref().unwrap_or_default(), args.on.as_deref()).await?;
    let machine = session.name().to_owned();
    if !args.json {
        shown(&machine, &item).iter().for_each(note);
    }
    let done = match &item {
        InboxItem::Ask(ask) => {
            let answered = accepted(&mut session, ask).await;
            answered.and_then(|answered| finished(&machine, &item, answered, args.json))
        }
        InboxItem::Join(join) => let_in::numbered(&mut session, &join.listed, &args).await,
    };
    session.close().await;
    done
}

async fn accepted(session: &mut MachineSession, ask: &AskItem) -> Result<AskAnswered, Failure> {
    approving::ready(session).await?;
    Ok(session.accept_here(ask).await?)
}

/// Runs `pairpin deny`.
///
/// # Errors
/// As [`run_approve`].
pub async fn run_deny(state_dir: &Path, args: DenyArgs) -> Result<(), Failure> {
    let (client, _) = open(state_dir, args.store.secret_store, None)?;
    let (mut session, item) = find(&client, &args.id, args.on.as_deref()).await?;
    let machine = session.name().to_owned();
    if !args.json {
        shown(&machine, &item).iter().for_each(note);
    }
    let done = match &item {
        InboxItem::Ask(ask) => {
            let answered = session.deny(ask).await;
            answered.map_err(Failure::from).and_then(|answered| finished(&machine, &item, answered, args.json))
        }
        InboxItem::Join(join) => let_in::denied(&mut session, &join.listed, &args).await,
    };
    session.close().await;
    done
}

/// The item of this id, wherever it waits.
async fn find(client: &Client, id: &str, on: Option<&str>) -> Result<(MachineSession, InboxItem), Failure> {
    let wanted = id.trim().to_lowercase();
    let (reached, unasked) = look(client, on).await?;
    let (mut found, others): (Vec<Reached>, Vec<Reached>) =
        reached.into_iter().partition(|reached| reached.items.iter().any(|item| item.id() == wanted));
    for other in others {
        other.session.close().await;
    }
    if found.len() > 1 {
        return Err(Failure::usage(format!("{wanted} waits on more than one machine, say which with --on MACHINE")));
    }
    let Some(Reached { session, items }) = found.pop() else { return Err(absent(&wanted, &unasked)) };
    let item = items.into_iter().find(|item| item.id() == wanted);
    item.map(|item| (session, item)).ok_or_else(|| absent(&wanted, &unasked))
}

fn finished(machine: &str, item: &InboxItem, answered: AskAnswered, as_json: bool) -> Result<(), Failure> {
    let text = end_text(&answered.end);
    let said = if as_json {
        let (how, by) = how(&answered.end);
        say(json::line(&AnsweredJson { item: ItemJson::of(machine, item), taken: answered.taken, how, by })?)
    } else if answered.taken {
        say(format!("{} on {}: {text}", item.id(), quoted(machine)))
    } else {
        Ok(())
    };
    if answered.taken {
        return said;
    }
    Err(Failure::failed(format!("too late, {} is over: {text}", item.id())))
}

fn absent(id: &str, unasked: &[Unasked]) -> Failure {
    let text = format!("nothing called {} waits for an answer, see `pairpin inbox`", quoted(id));
    if unasked.is_empty() {
        return Failure::failed(format!("{text}: it was answered, withdrawn or has expired"));
    }
    unasked.iter().for_each(|unasked| note(format!("{}: {}", printable(&unasked.machine), unasked.why)));
    Failure::new(exit_of(unasked), format!("{text}; not every machine could be asked"))
}
