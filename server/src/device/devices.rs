//! `pairpin devices … --on MACHINE`: an owner device looks at a machine's list from afar, and takes access
//! away. What may be done is decided in the core; here it is asked and printed.

use std::path::Path;

use pairpin_core::client::{Act, MachineSession};
use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::names::{self, Unselected};
use pairpin_core::role::Role;
use pairpin_core::wire::{ApprovalGuard, DeviceListed};
use serde::Serialize;

use super::{approving, open};
use crate::exit::Failure;
use crate::output::style::{printable, quoted};
use crate::output::table::{Table, fields};
use crate::output::time::Moment;
use crate::output::{confirm, json, note, say, say_lines, say_table};
use crate::secret_store::Choice;

/// A device in a list from afar.
#[derive(Debug, Serialize)]
struct DeviceJson {
    id: String,
    name: String,
    platform: String,
    role: Role,
    connected: usize,
    paired_at: Moment,
    last_seen: Option<Moment>,
    suspended: Option<String>,
    expired: bool,
    ends_at: Option<Moment>,
    approval_guard: Option<&'static str>,
}

impl From<&DeviceListed> for DeviceJson {
    fn from(device: &DeviceListed) -> Self {
        Self {
            id: device.id.text(),
            name: device.name.clone(),
            platform: device.platform.clone(),
            role: device.role,
            connected: device.connected,
            paired_at: Moment(device.paired_at),
            last_seen: device.last_seen.map(Moment),
            suspended: device.suspended.clone(),
            expired: device.expired,
            ends_at: device.ends_at.map(Moment),
            approval_guard: device.approval.map(ApprovalGuard::as_str),
        }
    }
}

async fn session(state_dir: &Path, machine: &str) -> Result<MachineSession, Failure> {
    let (client, _) = open(state_dir, Choice::Auto, None)?;
    let machine = client.find(machine).await?;
    Ok(client.open_session(machine.row).await?)
}

/// `devices list --on MACHINE`.
///
/// # Errors
/// The machine cannot be reached, or this device is no owner there.
pub async fn list(state_dir: &Path, machine: &str, as_json: bool) -> Result<(), Failure> {
    let mut session = session(state_dir, machine).await?;
    let devices = session.devices().await?;
    session.close().await;
    if as_json {
        return say(json::member("devices", &devices.iter().map(DeviceJson::from).collect::<Vec<_>>())?);
    }
    let now = SystemClock.wall_ms();
    let mut table = Table::new(&["NAME", "ROLE", "SEEN", "ID", "PLATFORM"]);
    for device in &devices {
        table.row(vec![
            printable(&device.name),
            device.role.to_string(),
            standing(device, now),
            device.id.text().chars().take(8).collect(),
            printable(&device.platform),
        ]);
    }
    say_table(&table)?;
    let suspended = devices.iter().filter(|device| device.suspended.is_some());
    suspended.for_each(|device| note(lifting(device, machine)));
    devices.iter().filter_map(|device| renewal(device, now)).for_each(note);
    Ok(())
}

fn standing(device: &DeviceListed, now: i64) -> String {
    let seen = match device {
        DeviceListed { suspended: Some(_), .. } => return "suspended".into(),
        DeviceListed { expired: true, .. } => return "session ended".into(),
        DeviceListed { connected: 1.., .. } => "online".into(),
        _ => device.last_seen.map_or_else(|| "never".into(), |seen| Moment(seen).ago(now)),
    };
    match device.ends_at {
        Some(at) => format!("{seen}, ends {}", Moment(at).ahead(now)),
        None => seen,
    }
}

/// Why a device is suspended, and what to do about it.
fn lifting(device: &DeviceListed, machine: &str) -> String {
    let (name, why) = (quoted(&device.name), device.suspended.as_deref().map(printable).unwrap_or_default());
    let id: String = device.id.text().chars().take(8).collect();
    format!("{name} is suspended: {why}; if you know why: pairpin devices set {id} --lift --on {machine}")
}

/// How a session that ends soon is renewed.
fn renewal(device: &DeviceListed, now: i64) -> Option<String> {
    let (name, when) = (quoted(&device.name), Moment(device.ends_at?).ahead(now));
    Some(format!(
        "the session of {name} ends {when}: if it is not used, connecting with it is enough; else pair it again with a \
         fresh offer, name and role stay"
    ))
}

#[derive(Serialize)]
struct OneJson {
    device: DeviceJson,
}

/// `devices show NAME --on MACHINE`.
///
/// # Errors
/// As [`list`]; nobody of that name.
pub async fn show(state_dir: &Path, machine: &str, selector: &str, as_json: bool) -> Result<(), Failure> {
    let mut session = session(state_dir, machine).await?;
    let devices = session.devices().await?;
    let device = select(&devices, selector, session.name())?;
    session.close().await;
    if as_json {
        return say(json::line(&OneJson { device: device.into() })?);
    }
    let now = SystemClock.wall_ms();
    let guard = match device.approval {
        None => "none: it answers nothing".to_owned(),
        Some(ApprovalGuard::Nothing) => "guarded by nothing: whoever uses it answers".to_owned(),
        Some(ApprovalGuard::Lock) => "guarded by its lock".to_owned(),
        Some(ApprovalGuard::Passphrase) => "guarded by a passphrase".to_owned(),
    };
    say_lines(&fields(&[
        ("name", printable(&device.name)),
        ("id", device.id.text()),
        ("role", device.role.to_string()),
        ("platform", printable(&device.platform)),
        ("approval key", guard),
        ("paired", Moment(device.paired_at).local()),
        ("seen", standing(device, now)),
    ]))?;
    if device.suspended.is_some() {
        note(lifting(device, machine));
    }
    renewal(device, now).into_iter().for_each(note);
    Ok(())
}

/// What is to be changed about a device.
pub struct Change {
    /// Its name, its id, or the beginning of its id.
    pub device: String,
    /// Its new role.
    pub role: Option<Role>,
    /// Lift its suspension.
    pub lift: bool,
    /// Forget its approval key.
    pub forget_approval_key: bool,
    /// Print JSON.
    pub json: bool,
}

#[derive(Serialize)]
struct SetJson {
    id: String,
    name: String,
    role: Role,
    changed: Vec<&'static str>,
}

/// `devices set NAME … --on MACHINE`.
///
/// # Errors
/// The machine cannot be reached or does not let this device do it; nobody of that name.
pub async fn set(state_dir: &Path, machine: &str, asked: Change) -> Result<(), Failure> {
    let mut session = session(state_dir, machine).await?;
    let all = session.devices().await?;
    let device = select(&all, &asked.device, session.name())?;
    let (id, before) = (device.id, quoted(&device.name));
    approving::ready(&mut session).await?;
    let (mut done, mut changed, mut lines) = (None, Vec::new(), Vec::new());
    // What takes a role away comes last: after its own the device may do nothing else.
    let mut acts = Vec::new();
    if asked.lift {
        acts.push((Act::Lift { device: id }, "suspension", "is suspended no more", "was not suspended"));
    }
    if asked.forget_approval_key {
        let forgotten = "answers nothing until it brings an approval key, which may be another";
        acts.push((Act::ForgetKey { device: id }, "approval_key", forgotten, "had no approval key"));
    }
    if let Some(role) = asked.role {
        acts.push((Act::SetRole { device: id, role }, "role", "", ""));
    }
    for (act, what, new, old) in acts {
        let answer = session.change_here(act).await?;
        lines.push(match what {
            "role" if answer.changed => format!("{before} is {} on {} now", answer.role, session.name()),
            "role" => format!("{before} was {} on {} already", answer.role, session.name()),
            _ if answer.changed => format!("{before} {new} on {}", session.name()),
            _ => format!("{before} {old} on {}", session.name()),
        });
        if answer.changed {
            changed.push(what);
        }
        done = Some(answer);
    }
    session.close().await;
    if let (true, Some(answer)) = (asked.json, done) {
        let set = SetJson { id: id.text(), name: answer.name, role: answer.role, changed };
        return say(json::member("set", &set)?);
    }
    say_lines(&lines)
}

/// What is to be revoked, and how.
pub struct Revoke {
    /// Names, ids, or beginnings of ids.
    pub devices: Vec<String>,
    /// Why; the devices are told.
    pub reason: Option<String>,
    /// Do not ask.
    pub yes: bool,
    /// Print JSON.
    pub json: bool,
}

#[derive(Serialize)]
struct RevokedJson {
    id: String,
    name: String,
    connections_cut: u64,
}

/// `devices revoke NAME --on MACHINE`.
///
/// # Errors
/// The machine cannot be reached or does not let this device do it; nobody of that name; the person said no.
pub async fn revoke(state_dir: &Path, machine: &str, asked: Revoke) -> Result<(), Failure> {
    let mut session = session(state_dir, machine).await?;
    let all = session.devices().await?;
    let mut chosen: Vec<&DeviceListed> = Vec::new();
    for selector in &asked.devices {
        let device = select(&all, selector, session.name())?;
        if !chosen.iter().any(|other| other.id == device.id) {
            chosen.push(device);
        }
    }
    let names: Vec<String> = chosen.iter().map(|device| quoted(&device.name)).collect();
    confirm(&format!("Revoke {} on {}?", names.join(", "), session.name()), asked.yes)?;
    approving::ready(&mut session).await?;
    let mut done = Vec::new();
    for device in chosen {
        let act = Act::Revoke { device: device.id, reason: asked.reason.clone() };
        let answer = session.act_here(act).await?;
        let cut = answer.get("connections_cut").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if !asked.json {
            let connections = match cut {
                0 => "it had no open connection".to_owned(),
                1 => "1 connection cut".to_owned(),
                count => format!("{count} connections cut"),
            };
            say(format!("revoked {} on {}, {connections}", quoted(&device.name), session.name()))?;
        }
        done.push(RevokedJson { id: device.id.text(), name: device.name.clone(), connections_cut: cut });
    }
    session.close().await;
    if asked.json { say(json::member("revoked", &done)?) } else { Ok(()) }
}

fn select<'a>(all: &'a [DeviceListed], selector: &str, machine: &str) -> Result<&'a DeviceListed, Failure> {
    names::select(all, selector, |device| (device.id, &device.name)).map_err(|error| {
        Failure::failed(match error {
            Unselected::Several => {
                format!("{selector:?} fits several devices, type more of the id or the whole name")
            }
            Unselected::Nobody => {
                format!("no device is called {selector:?} on {machine}, see `pairpin devices --on {machine}`")
            }
        })
    })
}
