//! `pairpin approve` and `pairpin deny`: one item of the inbox, by its id.

use std::path::Path;

use pairpin_core::client::InboxItem;
use pairpin_core::wire::AskAnswered;
use serde::Serialize;

use super::cli::AnswerArgs;
use super::inbox::{ItemJson, Reached, Unasked, end_text, how, look, shown};
use super::open;
use crate::exit::{Exit, Failure};
use crate::output::style::{printable, quoted};
use crate::output::{json, note, say};

/// What the person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Approve,
    /// No.
    Deny,
}

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

/// Runs `pairpin approve` or `pairpin deny`.
///
/// # Errors
/// Nothing of this id waits; it was answered before; the machine does not take it.
pub async fn run_answer(state_dir: &Path, args: AnswerArgs, decision: Decision) -> Result<(), Failure> {
    let (client, _) = open(state_dir, args.store.secret_store, None)?;
    let wanted = args.id.trim().to_lowercase();
    let (reached, unasked) = look(&client, args.on.as_deref()).await?;
    let (mut found, others): (Vec<Reached>, Vec<Reached>) =
        reached.into_iter().partition(|reached| reached.items.iter().any(|item| item.id() == wanted));
    for other in others {
        other.session.close().await;
    }
    if found.len() > 1 {
        return Err(Failure::usage(format!("{wanted} waits on more than one machine, say which with --on MACHINE")));
    }
    let Some(Reached { mut session, items }) = found.pop() else { return Err(absent(&wanted, &unasked)) };
    let Some(item) = items.into_iter().find(|item| item.id() == wanted) else { return Err(absent(&wanted, &unasked)) };
    let machine = session.name().to_owned();
    if !args.json {
        shown(&machine, &item).iter().for_each(note);
    }
    // An item of another kind is answered in its own way: here is the one place that looks.
    let answered = match (&item, decision) {
        (InboxItem::Ask(_), Decision::Approve) => session.accept_here(&item).await,
        (InboxItem::Ask(_), Decision::Deny) => session.deny(&item).await,
    };
    session.close().await;
    finished(&machine, &item, answered?, args.json)
}

fn finished(machine: &str, item: &InboxItem, answered: AskAnswered, as_json: bool) -> Result<(), Failure> {
    let text = end_text(&answered.end);
    if as_json {
        let (how, by) = how(&answered.end);
        say(json::line(&AnsweredJson { item: ItemJson::of(machine, item), taken: answered.taken, how, by })?)?;
    } else if answered.taken {
        say(format!("{} on {}: {text}", item.id(), quoted(machine)))?;
    }
    if answered.taken {
        return Ok(());
    }
    Err(Failure::failed(format!("too late, {} is over: {text}", item.id())))
}

fn absent(id: &str, unasked: &[Unasked]) -> Failure {
    let text = format!("nothing called {} waits for an answer, see `pairpin inbox`", quoted(id));
    if unasked.is_empty() {
        return Failure::failed(format!("{text}: it was answered, withdrawn or has expired"));
    }
    unasked.iter().for_each(|unasked| note(format!("{}: {}", printable(&unasked.machine), unasked.why)));
    Failure::new(Exit::Nobody, format!("{text}; not every machine could be asked"))
}
