//! `pairpin lost`: a device is gone. Takes its access away first, and then says what it may have done while somebody
//! else held it, and whom it let in. Works on a stopped machine too.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::role::Role;
use serde::Serialize;

use super::{Machine, audit, devices};
use crate::admin::protocol::Request;
use crate::admin::views::{DeviceRecord, LossRecord, RevokedRecord};
use crate::cli::Json;
use crate::exit::Failure;
use crate::output::style::{printable, quoted};
use crate::output::time::{parse_duration, span};
use crate::output::{confirm, json, note, say};

/// What is told as the reason where none is given.
const REASON: &str = "lost";

/// `pairpin lost`.
#[derive(Debug, Args)]
pub struct LostArgs {
    /// Its name, its id, or the beginning of its id
    pub device: String,
    /// Revoke those that it let in too, and those that they let in
    #[arg(long, env = "PAIRPIN_LOST_WITH_LET_IN", hide_env = true, value_parser = BoolishValueParser::new())]
    pub with_let_in: bool,
    /// Show what it did in this time, as 2h or 30d
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = parse_duration, env = "PAIRPIN_LOST_SINCE", hide_env = true)]
    pub since: Duration,
    /// Why; the device is told [default: lost]
    #[arg(long, value_name = "TEXT", env = "PAIRPIN_LOST_REASON", hide_env = true)]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(long, short, env = "PAIRPIN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    #[command(flatten)]
    pub json: Json,
}

/// `lost --json`.
#[derive(Serialize)]
struct LostJson {
    /// Who was revoked just now, the lost device first.
    revoked: Vec<RevokedRecord>,
    #[serde(flatten)]
    loss: LossRecord,
}

/// Runs it.
///
/// # Errors
/// The machine cannot be asked, or says no.
pub async fn run(state_dir: &Path, args: LostArgs) -> Result<(), Failure> {
    let machine = Machine::find(state_dir).await?;
    let since =
        SystemClock.wall_ms().saturating_sub_unsigned(u64::try_from(args.since.as_millis()).unwrap_or(u64::MAX));
    let before: LossRecord = machine.ask(Request::Loss { device: args.device.clone(), since }).await?;
    let mut chosen: Vec<DeviceRecord> = before.device.iter().cloned().collect();
    if args.with_let_in {
        chosen.extend(before.let_in.iter().cloned());
    }
    if !chosen.is_empty() {
        let all: Vec<DeviceRecord> = machine.ask(Request::Devices).await?;
        confirm(&question(&before, &chosen, &all), args.yes)?;
    }
    let (mut revoked, mut failed) = (Vec::new(), None);
    for device in chosen {
        // By id: what was asked about is what goes.
        let reason = Some(args.reason.clone().unwrap_or_else(|| REASON.to_owned()));
        match machine.ask::<RevokedRecord>(Request::Revoke { device: device.id, reason }).await {
            Ok(done) => {
                if !args.json.json {
                    say(devices::outcome(&done))?;
                }
                revoked.push(done);
            }
            // Who wants several out wants the others out all the more.
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    // Looked at again: somebody may have come in by it until a moment ago.
    let id = before.device.as_ref().map(|device| device.id.clone());
    let id = id.or_else(|| before.tombstone.as_ref().map(|tombstone| tombstone.id.clone())).unwrap_or(args.device);
    let loss: LossRecord = machine.ask(Request::Loss { device: id.clone(), since }).await?;
    if args.json.json {
        say(json::line(&LostJson { revoked, loss })?)?;
    } else {
        tell(&before, &loss, &id, args.since)?;
    }
    failed.map_or(Ok(()), Err)
}

/// What is asked before, with everybody who goes.
fn question(before: &LossRecord, chosen: &[DeviceRecord], all: &[DeviceRecord]) -> String {
    let mut text = devices::question(chosen, all);
    if let Some(tombstone) = &before.tombstone {
        let name = quoted(&tombstone.name);
        text = format!("{name} is revoked already, these it let in: {text}");
    }
    text
}

fn tell(before: &LossRecord, after: &LossRecord, id: &str, time: Duration) -> Result<(), Failure> {
    let (name, platform) = match (&before.device, &before.tombstone) {
        (Some(device), _) => (quoted(&device.name), printable(&device.platform)),
        (_, Some(tombstone)) => (quoted(&tombstone.name), printable(&tombstone.platform)),
        (None, None) => return Ok(()),
    };
    if let Some(tombstone) = &before.tombstone {
        let by = printable(&tombstone.revoked_by);
        say(format!("{name} was revoked before, by {by} on {}", tombstone.revoked_at.local()))?;
    }
    if let Some(device) = &before.device {
        let from = device.last_address.as_deref().map(|from| format!(" from {}", printable(from))).unwrap_or_default();
        let seen = device.last_seen.map_or_else(|| "never".to_owned(), |seen| format!("on {}{from}", seen.local()));
        say(format!("{name} ({platform}) was last seen here {seen}"))?;
    }
    say(format!("what it did in the last {}, and what was done about it:", span(time)))?;
    if after.earlier > 0 {
        say(format!("  … and {} earlier entries, see `pairpin audit`", after.earlier))?;
    }
    for line in &after.acts {
        say(format!("  {}", audit::text(line)))?;
    }
    if after.acts.is_empty() {
        say("  nothing")?;
    }
    if after.let_in.is_empty() {
        return say("nobody that it let in is paired here");
    }
    say("it let these in, and they are paired still:")?;
    for device in &after.let_in {
        let how = device.let_in.as_deref().map(printable).unwrap_or_default();
        say(format!("  {} as {}, let in by {how} on {}", quoted(&device.name), device.role, device.paired_at.local()))?;
    }
    note(format!("if you do not know them all, revoke them too: pairpin lost {id} --with-let-in"));
    if after.let_in.iter().any(|device| device.role == Role::Owner) {
        note("an owner among them can let others in meanwhile");
    }
    Ok(())
}
