//! `pairpin devices approve` and `deny`, and the joins in `pairpin devices`: devices that ask to be let in.

use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::wire::{DenyThen, JoinNumber};

use super::Machine;
use crate::admin::protocol::Request;
use crate::admin::views::{AcceptedRecord, JoinRecord};
use crate::cli::{ApproveArgs, DenyArgs};
use crate::exit::Failure;
use crate::output::style::{printable, quoted};
use crate::output::table::Table;
use crate::output::time::countdown;
use crate::output::{json, note, say, say_table};

/// Reads `--number`.
pub fn parse_number(text: &str) -> Result<JoinNumber, String> {
    JoinNumber::parse(text).ok_or_else(|| "type the seven digits that the device shows".to_owned())
}

/// Lets a device in by its number; says what is to be typed there.
pub async fn approve(machine: &Machine, args: ApproveArgs, as_json: bool) -> Result<(), Failure> {
    let ApproveArgs { join, number, role, name, json } = args;
    let request = Request::ApproveJoin { join, number: number.digits(), role, name };
    let accepted: AcceptedRecord = machine.ask(request).await?;
    if as_json || json.json {
        return say(json::member("accepted", &accepted)?);
    }
    say(format!("let in {} as {}, check {}", quoted(&accepted.name), accepted.role, accepted.check_digits))?;
    note("type these four digits on the device within 2 minutes: only then is it paired");
    Ok(())
}

/// Says no.
pub async fn deny(machine: &Machine, args: DenyArgs) -> Result<(), Failure> {
    let then = match (args.block_source, args.close) {
        (true, _) => Some(DenyThen::BlockSource),
        (_, true) => Some(DenyThen::Close),
        _ => None,
    };
    let denied: JoinRecord = machine.ask(Request::DenyJoin { join: args.join, then }).await?;
    let besides = match then {
        None => "",
        Some(DenyThen::BlockSource) => ", nobody from there may ask for an hour",
        Some(DenyThen::Close) => ", nobody may ask for an hour",
    };
    say(format!("denied {}{besides}", quoted(&denied.name)))
}

/// What waits, below the list of devices.
pub fn show(joins: &[JoinRecord]) -> Result<(), Failure> {
    if joins.is_empty() {
        return Ok(());
    }
    let now = SystemClock.wall_ms();
    let mut table = Table::new(&["ASKS TO BE LET IN", "FROM", "NETWORK", "ASKED", "WAITS", "ID", "PLATFORM"]);
    for join in joins {
        let name = match &join.revoked_by {
            Some(by) => format!("{} (revoked by {})", printable(&join.name), printable(by)),
            None => match &join.known_as {
                Some(name) => format!("{} (paired here as {})", printable(&join.name), quoted(name)),
                None => printable(&join.name),
            },
        };
        let waits = if join.before_restart {
            "asked before the restart: ask again".to_owned()
        } else {
            countdown(std::time::Duration::from_secs(join.seconds_left))
        };
        table.row(vec![
            name,
            join.from.clone(),
            join.network.as_str().to_owned(),
            join.asked_at.ago(now),
            waits,
            join.id.clone(),
            printable(&join.platform),
        ]);
    }
    say_table(&table)?;
    if joins.iter().all(|join| join.before_restart) {
        return Ok(());
    }
    note("names and platforms are what they say of themselves; if you expect one, type the number it shows:");
    note("pairpin devices approve ID --number NUMBER, else pairpin devices deny ID");
    Ok(())
}
