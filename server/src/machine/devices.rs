//! `pairpin devices`: who is paired, and taking it away again. Works on a stopped machine too.

use std::path::Path;
use std::time::Duration;

use pairpin_core::clock::{Clock as _, SystemClock, UnixMillis};
use pairpin_core::role::Role;
use serde::Serialize;

use super::{Machine, joins};
use crate::admin::protocol::{Change, Request};
use crate::admin::views::{ApproverRecord, DeviceRecord, JoinRecord, RevokedRecord, TombstoneRecord};
use crate::cli::{DevicesVerb, ListArgs, RevokeArgs, SetArgs};
use crate::device;
use crate::exit::Failure;
use crate::output::style::{printable, quoted};
use crate::output::table::{Table, fields};
use crate::output::time::span;
use crate::output::{confirm, json, note, say, say_lines, say_table};

/// Runs it.
///
/// # Errors
/// The machine cannot be asked, or says no.
pub async fn run(state_dir: &Path, verb: Option<DevicesVerb>, outer: ListArgs) -> Result<(), Failure> {
    let verb = match from_afar(state_dir, verb, &outer).await? {
        Some(verb) => verb,
        None => return Ok(()),
    };
    let machine = Machine::find(state_dir).await?;
    match verb {
        DevicesVerb::List(options) => {
            let as_json = outer.json.json || options.json.json;
            if outer.approvers || options.approvers {
                approvers(&machine, as_json).await
            } else if outer.revoked || options.revoked {
                revoked(&machine, as_json).await
            } else {
                list(&machine, as_json).await
            }
        }
        DevicesVerb::Show { device, json, .. } => {
            let device: DeviceRecord = machine.ask(Request::Device { device }).await?;
            let lines: Vec<ApproverRecord> = machine.ask(Request::Approvers).await?;
            let approver = lines.into_iter().find(|line| line.device == device.id);
            show(&device, approver.map(|line| line.line), json.json || outer.json.json)
        }
        DevicesVerb::Rename { device, name } => {
            let old: DeviceRecord = machine.ask(Request::Device { device }).await?;
            let new: DeviceRecord = machine.ask(Request::Rename { device: old.id, name }).await?;
            say(format!("{} is now {}", quoted(&old.name), quoted(&new.name)))
        }
        DevicesVerb::Set(args) => set(&machine, args, outer.json.json).await,
        DevicesVerb::Revoke(args) => revoke(&machine, args, outer.json.json).await,
        DevicesVerb::Approve(args) => joins::approve(&machine, args, outer.json.json).await,
        DevicesVerb::Deny(args) => joins::deny(&machine, args).await,
    }
}

/// Does what is asked for on another machine; gives the verb back where it is about this one.
async fn from_afar(
    state_dir: &Path,
    verb: Option<DevicesVerb>,
    outer: &ListArgs,
) -> Result<Option<DevicesVerb>, Failure> {
    let verb = verb.unwrap_or_else(|| DevicesVerb::List(outer.clone()));
    match verb {
        DevicesVerb::List(ListArgs { on: Some(on), json, .. }) => {
            device::devices::list(state_dir, &on, json.json || outer.json.json).await?;
        }
        DevicesVerb::Show { on: Some(on), device, json } => {
            device::devices::show(state_dir, &on, &device, json.json || outer.json.json).await?;
        }
        DevicesVerb::Set(SetArgs { on: Some(on), device, role, lift, forget_approval_key, json, .. }) => {
            let json = json.json || outer.json.json;
            let change = device::devices::Change { device, role, lift, forget_approval_key, json };
            device::devices::set(state_dir, &on, change).await?;
        }
        DevicesVerb::Revoke(RevokeArgs { on: Some(on), devices, reason, yes, json, .. }) => {
            let json = json.json || outer.json.json;
            device::devices::revoke(state_dir, &on, device::devices::Revoke { devices, reason, yes, json }).await?;
        }
        verb => return Ok(Some(verb)),
    }
    Ok(None)
}

async fn set(machine: &Machine, args: SetArgs, as_json: bool) -> Result<(), Failure> {
    let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs());
    let before: DeviceRecord = machine.ask(Request::Device { device: args.device }).await?;
    let change = Change {
        role: args.role,
        idle_seconds: seconds(args.idle),
        absolute_seconds: seconds(args.absolute),
        lift: args.lift,
        forget_approval_key: args.forget_approval_key,
    };
    let device: DeviceRecord = machine.ask(Request::Set { device: before.id.clone(), change }).await?;
    if as_json || args.json.json {
        return say(json::line(&One { device: &device, approver: None })?);
    }
    let (idle, absolute) = (lifetime(device.idle_seconds), lifetime(device.absolute_seconds));
    let name = quoted(&device.name);
    say(format!("{name}: role {}, session ends after {idle} unused or {absolute} in all", device.role))?;
    if args.lift {
        say(match before.suspended {
            Some(_) => format!("{name} is suspended no more"),
            None => format!("{name} was not suspended"),
        })?;
    }
    if args.forget_approval_key {
        say(match before.approval_guard {
            Some(_) => format!("the approval key of {name} is forgotten, it answers nothing until it brings one"),
            None => format!("{name} had no approval key"),
        })?;
    }
    Ok(())
}

fn lifetime(seconds: u64) -> String {
    span(Duration::from_secs(seconds))
}

async fn list(machine: &Machine, as_json: bool) -> Result<(), Failure> {
    let devices: Vec<DeviceRecord> = machine.ask(Request::Devices).await?;
    let joins: Vec<JoinRecord> = machine.ask(Request::Joins).await?;
    if as_json {
        return say(json::line(&Listing { devices, joins })?);
    }
    if devices.is_empty() {
        note("no device is paired, pair one with `pairpin pair`");
        return joins::show(&joins);
    }
    let now = SystemClock.wall_ms();
    let mut table = Table::new(&["NAME", "ROLE", "SEEN", "FROM", "ID", "PLATFORM"]);
    for device in &devices {
        table.row(vec![
            printable(&device.name),
            device.role.to_string(),
            standing(device, now),
            device.last_address.as_deref().map(printable).unwrap_or_default(),
            // Enough to name one of many on the command line.
            device.id.chars().take(8).collect(),
            printable(&device.platform),
        ]);
    }
    say_table(&table)?;
    devices.iter().filter_map(|device| renewal(device, now)).for_each(note);
    joins::show(&joins)
}

/// How a session that ends soon is renewed.
fn renewal(device: &DeviceRecord, now: UnixMillis) -> Option<String> {
    let (name, when) = (quoted(&device.name), device.expires_at.ahead(now));
    match device.ending.as_deref()? {
        "unused" => Some(format!("{name} is not used, its session ends {when}: connecting with it is enough")),
        _ => Some(format!(
            "the session of {name} ends {when}: to go on with it, pair it again before or after that with a fresh offer, \
             pairpin pair; name and role stay"
        )),
    }
}

#[derive(Serialize)]
struct Listing {
    devices: Vec<DeviceRecord>,
    joins: Vec<JoinRecord>,
}

/// What a listing says about a device in one cell.
fn standing(device: &DeviceRecord, now: UnixMillis) -> String {
    match device {
        DeviceRecord { suspended: Some(_), .. } => "suspended".into(),
        DeviceRecord { expired: true, .. } => "session ended".into(),
        DeviceRecord { connected: 1.., ending: Some(_), .. } => {
            format!("online, ends {}", device.expires_at.ahead(now))
        }
        DeviceRecord { connected: 1.., .. } => "online".into(),
        DeviceRecord { ending: Some(_), .. } => format!("{}, ends {}", seen(device, now), device.expires_at.ahead(now)),
        _ => seen(device, now),
    }
}

fn seen(device: &DeviceRecord, now: UnixMillis) -> String {
    device.last_seen.map_or_else(|| "never".into(), |seen| seen.ago(now))
}

async fn revoked(machine: &Machine, as_json: bool) -> Result<(), Failure> {
    let tombstones: Vec<TombstoneRecord> = machine.ask(Request::Tombstones).await?;
    if as_json {
        return say(json::member("revoked", &tombstones)?);
    }
    if tombstones.is_empty() {
        note("no device was revoked");
        return Ok(());
    }
    let now = SystemClock.wall_ms();
    let mut table = Table::new(&["NAME", "ROLE", "REVOKED", "BY", "ID", "REASON"]);
    for tombstone in &tombstones {
        table.row(vec![
            printable(&tombstone.name),
            tombstone.role.to_string(),
            tombstone.revoked_at.ago(now),
            printable(&tombstone.revoked_by),
            tombstone.id.chars().take(8).collect(),
            tombstone.reason.as_deref().map(printable).unwrap_or_default(),
        ]);
    }
    say_table(&table)
}

/// The lines for root's list of those whose answers it believes.
async fn approvers(machine: &Machine, as_json: bool) -> Result<(), Failure> {
    let approvers: Vec<ApproverRecord> = machine.ask(Request::Approvers).await?;
    if as_json {
        return say(json::member("approvers", &approvers)?);
    }
    if approvers.is_empty() {
        note("no device is paired that may answer, pair one as owner or operator with `pairpin pair`");
    }
    say_lines(&approvers.into_iter().map(|approver| approver.line).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct One<'a> {
    device: &'a DeviceRecord,
    /// Its line for a list of approvers, where it may answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    approver: Option<String>,
}

fn show(device: &DeviceRecord, approver: Option<String>, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return say(json::line(&One { device, approver })?);
    }
    let now = SystemClock.wall_ms();
    let connection = match (&device.connection, device.connected) {
        (None, _) => "none".to_owned(),
        (Some(how), 1) => how.clone(),
        (Some(how), count) => format!("{how}, {count} of them"),
    };
    let from = device.last_address.as_deref().map(|from| format!(", from {}", printable(from))).unwrap_or_default();
    let let_in = device.let_in.as_deref().map(printable).unwrap_or_else(|| "an offer".into());
    let mut rows = vec![
        ("name", printable(&device.name)),
        ("id", device.id.clone()),
        ("role", device.role.to_string()),
        ("platform", printable(&device.platform)),
        ("key kept in", device.key_kind.clone()),
        ("approval key", approval(device)),
        ("as an approver", approver.unwrap_or_else(|| "it may not answer".into())),
        (
            "paired",
            format!("{} by {} from {}", device.paired_at.local(), device.paired_how, printable(&device.paired_from)),
        ),
        ("let in by", let_in),
        ("connection", connection),
        ("last seen", format!("{}{from}", seen(device, now))),
        (
            "session",
            if device.expired {
                "ended, a fresh offer starts another".into()
            } else {
                format!("ends {} if unused", device.expires_at.ahead(now))
            },
        ),
        ("unused at most", lifetime(device.idle_seconds)),
        ("in all at most", lifetime(device.absolute_seconds)),
    ];
    if let Some(why) = &device.suspended {
        let id: String = device.id.chars().take(8).collect();
        let how = format!("a fresh offer lifts it, or pairpin devices set {id} --lift");
        rows.push(("suspended", format!("{}, {how}", printable(why))));
    }
    say_lines(&fields(&rows))
}

/// What stands between whoever holds the device and its yes.
fn approval(device: &DeviceRecord) -> String {
    match device.approval_guard.as_deref() {
        None => "none: it answers nothing".into(),
        Some("lock") => "guarded by its lock".into(),
        Some("nothing") => "guarded by nothing: whoever uses it answers".into(),
        Some(other) => format!("guarded by a {}", printable(other)),
    }
}

async fn revoke(machine: &Machine, args: RevokeArgs, as_json: bool) -> Result<(), Failure> {
    let as_json = as_json || args.json.json;
    let all: Vec<DeviceRecord> = machine.ask(Request::Devices).await?;
    let chosen = if args.all {
        all.clone()
    } else {
        let mut chosen: Vec<DeviceRecord> = Vec::new();
        for device in args.devices {
            let device: DeviceRecord = machine.ask(Request::Device { device }).await?;
            if !chosen.iter().any(|other| other.id == device.id) {
                chosen.push(device);
            }
        }
        chosen
    };
    if chosen.is_empty() {
        if as_json {
            return say(json::member("revoked", &chosen)?);
        }
        note("no device is paired, nothing to revoke");
        return Ok(());
    }
    confirm(&question(&chosen, &all), args.yes)?;
    let mut done: Vec<RevokedRecord> = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();
    for device in chosen {
        // By id: what was asked about is what goes, whatever was renamed meanwhile.
        let asked = machine.ask(Request::Revoke { device: device.id, reason: args.reason.clone() }).await;
        let revoked: RevokedRecord = match asked {
            Ok(revoked) => revoked,
            // Who wants several out wants the others out all the more.
            Err(failure) => {
                failures.push(failure);
                continue;
            }
        };
        if !as_json {
            say(outcome(&revoked))?;
        }
        done.push(revoked);
    }
    if as_json {
        say(json::member("revoked", &done)?)?;
    }
    let messages: Vec<&str> = failures.iter().map(|failure| failure.message.as_str()).collect();
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(first.exit, messages.join("\npairpin: "))),
    }
}

pub(super) fn question(chosen: &[DeviceRecord], all: &[DeviceRecord]) -> String {
    let names: Vec<String> = chosen.iter().map(|device| quoted(&device.name)).collect();
    let owners = |devices: &[DeviceRecord]| devices.iter().filter(|device| device.role == Role::Owner).count();
    let mut text = format!("Revoke {}?", names.join(", "));
    if owners(chosen) > 0 && owners(chosen) == owners(all) {
        let which = if owners(chosen) == 1 { "It is the last owner" } else { "No owner is left then" };
        text.push_str(&format!(" {which}: the next device paired at this shell will be owner."));
    }
    text
}

pub(super) fn outcome(revoked: &RevokedRecord) -> String {
    let cut = match revoked.connections_cut {
        0 => "it had no open connection".to_owned(),
        1 => "1 connection cut".to_owned(),
        count => format!("{count} connections cut"),
    };
    let mut text = format!("revoked {}, {cut}", quoted(&revoked.device.name));
    match revoked.offers_withdrawn {
        0 => {}
        1 => text.push_str(", an offer of its making withdrawn"),
        count => text.push_str(&format!(", {count} offers of its making withdrawn")),
    }
    match revoked.joins_taken_back {
        0 => {}
        1 => text.push_str(", a device that it was letting in is not in"),
        count => text.push_str(&format!(", {count} devices that it was letting in are not in")),
    }
    if revoked.last_owner {
        text.push_str("; no owner is left, the next device paired here will be owner: `pairpin pair`");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::views::tests::device;

    #[test]
    fn revoking_the_last_owner_says_what_follows() {
        let (owner, other) = (device("Pixel", Role::Owner), device("laptop", Role::Operator));
        let all = [owner.clone(), other.clone()];
        let text = question(std::slice::from_ref(&owner), &all);
        assert!(text.contains("\"Pixel\"") && text.contains("last owner") && text.contains("next device"), "{text}");
        assert_eq!(question(std::slice::from_ref(&other), &all), "Revoke \"laptop\"?");
        let two = [owner.clone(), device("iPad", Role::Owner)];
        assert!(!question(std::slice::from_ref(&owner), &two).contains("last owner"));
        assert!(question(&two, &two).contains("No owner is left"));
    }

    #[test]
    fn a_listing_is_honest_about_who_can_connect() {
        let mut row = device("x", Role::Owner);
        assert_eq!(standing(&row, 1_800_000_180_000), "2 min ago");
        row.connected = 1;
        assert_eq!(standing(&row, 0), "online");
        row.suspended = Some("token reuse".into());
        assert_eq!(standing(&row, 0), "suspended");
    }

    #[test]
    fn a_revocation_counts_what_it_cut() {
        let mut revoked = RevokedRecord {
            device: device("x", Role::Owner),
            connections_cut: 2,
            last_owner: false,
            offers_withdrawn: 0,
            joins_taken_back: 0,
        };
        assert_eq!(outcome(&revoked), "revoked \"x\", 2 connections cut");
        (revoked.offers_withdrawn, revoked.joins_taken_back) = (2, 1);
        let text = outcome(&revoked);
        assert!(
            text.ends_with("2 offers of its making withdrawn, a device that it was letting in is not in"),
            "{text}"
        );
        revoked.last_owner = true;
        assert!(outcome(&revoked).contains("will be owner"));
    }
}
