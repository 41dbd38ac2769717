//! The approval key of this device, before a decision: its passphrase is asked for on the terminal where it has one, and
//! the machine is brought the key where it has none. And `pairpin machines passphrase`, which sets one.
//!
//! A passphrase is typed, never an argument or a variable: those are seen by others.

use pairpin_core::client::{Client, ClientError, MachineSession, Passphrase};
use serde::Serialize;
use zeroize::Zeroizing;

use super::ask;
use super::cli::PassphraseArgs;
use crate::exit::Failure;
use crate::output::{json, note, say};

/// How often a passphrase may be mistyped in one run.
const TYPINGS: u32 = 3;

/// Makes the approval key ready to sign on this session, and sees to it that the machine has it.
///
/// # Errors
/// It has a passphrase and there is no terminal to ask on, or it was mistyped too often; the machine does not take it.
pub async fn ready(session: &mut MachineSession) -> Result<(), Failure> {
    if session.is_locked().await? {
        let name = session.name().to_owned();
        for typing in 1.. {
            let passphrase = passphrase(&name).await?;
            match session.unlock(passphrase).await {
                Ok(()) => break,
                Err(error @ ClientError::PassphraseWrong { .. }) if typing < TYPINGS => note(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
    }
    if session.enrol_here().await? {
        let who = match session.is_locked().await? || session.enrolled_guard().is_some_and(is_guarded) {
            true => "who knows its passphrase can make them",
            false => "whoever uses it can make them (a passphrase: pairpin machines passphrase)",
        };
        note(format!("{} takes decisions of this device from now on; {who}", session.name()));
    }
    Ok(())
}

fn is_guarded(guard: pairpin_core::wire::ApprovalGuard) -> bool {
    guard != pairpin_core::wire::ApprovalGuard::Nothing
}

/// Asks for the passphrase of a key that has one.
async fn passphrase(name: &str) -> Result<Passphrase, Failure> {
    if !ask::possible() {
        return Err(Failure::usage(ClientError::ApprovalLocked { name: name.to_owned() }.to_string()));
    }
    let typed = ask::hidden(&format!("passphrase of this device's approval key for {name}: ")).await?;
    Passphrase::new(typed).ok_or_else(|| Failure::failed("no passphrase was typed, nothing was done"))
}

/// `machines passphrase --json`.
#[derive(Serialize)]
struct PassphraseJson<'a> {
    machine: &'a str,
    /// "passphrase" or "nothing".
    approval_guard: &'static str,
    /// Why the machine has not heard of it yet; absent where it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    untold: Option<String>,
}

/// `machines passphrase NAME`.
///
/// # Errors
/// There is no terminal; the passphrase is wrong, or the two typings differ; the machine is needed and not there.
pub async fn run_passphrase(client: &Client, args: PassphraseArgs, as_json: bool) -> Result<(), Failure> {
    let machine = client.find(&args.machine).await?;
    let name = machine.name.clone();
    if !ask::possible() {
        let text = "a passphrase is typed on a terminal, never in arguments or the environment: run this in one";
        return Err(Failure::usage(text));
    }
    let locked = client.has_passphrase(machine.row).await?;
    let old = if locked && !args.forgotten { Some(passphrase(&name).await?) } else { None };
    let new = chosen(&name).await?;
    let guard = if new.is_some() { "passphrase" } else { "nothing" };
    let untold = if args.forgotten {
        client.replace_approval_key(machine.row, new).await?;
        None
    } else {
        client.set_passphrase(machine.row, old, new).await?.untold
    };
    if let Some(why) = &untold {
        note(format!("{name} still lists the key as it was, and is told with the next decision: {why}"));
    }
    if as_json {
        let untold = untold.map(|why| why.to_string());
        return say(json::line(&PassphraseJson { machine: &name, approval_guard: guard, untold })?);
    }
    say(match (guard, args.forgotten) {
        ("passphrase", false) => format!("decisions on {name} need the passphrase from now on"),
        ("passphrase", true) => format!("this device has a new approval key for {name}, under the new passphrase"),
        (_, false) => format!("decisions on {name} need no passphrase: whoever uses this device can make them"),
        (_, true) => format!("this device has a new approval key for {name}, under no passphrase"),
    })
}

/// A new passphrase, typed twice; nothing takes it away.
async fn chosen(name: &str) -> Result<Option<Passphrase>, Failure> {
    let first = ask::hidden(&format!("new passphrase for {name} (nothing takes it away): ")).await?;
    let again = ask::hidden("the same again: ").await?;
    if *first != *again {
        return Err(Failure::failed("the two differ, nothing was changed: start again"));
    }
    if first.is_empty() {
        return Ok(None);
    }
    let long = || Failure::usage("a passphrase has 1,024 bytes at most, nothing was changed: choose a shorter one");
    Passphrase::new(Zeroizing::clone(&first)).map(Some).ok_or_else(long)
}
