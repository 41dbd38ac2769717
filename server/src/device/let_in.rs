//! Letting a device in from an owner device: `pairpin approve --image FILE`, `approve ID --number N`, and the
//! no. What was scanned or typed is decided on by the machine and the core; here it is read and printed.

use std::path::Path;

use pairpin_core::client::{Client, JoinTerms, MachineSession};
use pairpin_core::join_qr::JoinQr;
use pairpin_core::wire::{DenyThen, JoinAccepted, JoinListed};
use serde::Serialize;

use super::approving;
use super::cli::{ApproveArgs, DenyArgs};
use super::link_in::from_picture;
use crate::admin::views::AcceptedRecord;
use crate::exit::Failure;
use crate::output::style::quoted;
use crate::output::{json, note, say};

/// `approve --json` of a join.
#[derive(Serialize)]
struct AcceptedJson<'a> {
    machine: &'a str,
    accepted: AcceptedRecord,
}

fn terms(args: &ApproveArgs) -> JoinTerms {
    JoinTerms { role: args.role, name: args.name.clone(), absolute_seconds: args.expires.map(|life| life.as_secs()) }
}

/// `approve --image FILE`: the machine is found by what the joiner's QR says of it.
pub async fn scanned(client: &Client, picture: &Path, args: &ApproveArgs) -> Result<(), Failure> {
    let text = from_picture(picture).await?;
    let qr = JoinQr::parse(&text).map_err(|error| Failure::failed(error.to_string()))?;
    let machine = client.machine_of_join(&qr).await?;
    let mut session = client.open_session(machine.row).await?;
    approving::ready(&mut session).await?;
    let act = session.approve_scanned(&qr, terms(args)).await?;
    let accepted = session.let_in_here(act).await?;
    let told = told(session.name(), accepted, args.json);
    session.close().await;
    told
}

/// `approve ID --number N`.
pub async fn numbered(session: &mut MachineSession, join: &JoinListed, args: &ApproveArgs) -> Result<(), Failure> {
    let Some(number) = args.number else {
        return Err(Failure::usage(format!(
            "{} asks to be let in: type the seven digits that it shows, pairpin approve {} --number NUMBER, or scan its \
             QR, pairpin approve --image FILE",
            quoted(&join.name),
            join.join
        )));
    };
    approving::ready(session).await?;
    let act = session.approve_number(join.join, number, terms(args)).await?;
    let accepted = session.let_in_here(act).await?;
    told(session.name(), accepted, args.json)
}

fn told(machine: &str, accepted: JoinAccepted, as_json: bool) -> Result<(), Failure> {
    let accepted = AcceptedRecord::from(accepted);
    if as_json {
        return say(json::line(&AcceptedJson { machine, accepted })?);
    }
    say(format!(
        "let in {} on {machine} as {}, check {}",
        quoted(&accepted.name),
        accepted.role,
        accepted.check_digits
    ))?;
    note("type these four digits on the device within 2 minutes: only then is it paired");
    Ok(())
}

/// `deny ID` of a join.
pub async fn denied(session: &mut MachineSession, join: &JoinListed, args: &DenyArgs) -> Result<(), Failure> {
    let then = match (args.block_source, args.close) {
        (true, _) => Some(DenyThen::BlockSource),
        (_, true) => Some(DenyThen::Close),
        _ => None,
    };
    session.deny_join(join.join, then).await?;
    let besides = match then {
        None => "",
        Some(DenyThen::BlockSource) => ", nobody from there may ask for an hour",
        Some(DenyThen::Close) => ", nobody may ask for an hour",
    };
    say(format!("denied {} on {}{besides}", quoted(&join.name), session.name()))
}
