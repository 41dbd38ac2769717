//! `pairpin devices … --on MACHINE`: an owner device looks at a machine's list from afar, and takes access
//! away. What may be done is decided in the core; here it is asked and printed.

use std::path::Path;

use pairpin_core::client::{Act, MachineSession};
use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::names::{self, Unselected};
use pairpin_core::role::Role;
use pairpin_core::wire::DeviceListed;
use serde::Serialize;

use super::open;
use crate::exit::Failure;
use crate::output::style::{printable, quoted};
use crate::output::table::Table;
use crate::output::time::Moment;
use crate::output::{confirm, json, note, say, say_table};
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
    say_table(&table)
}

fn standing(device: &DeviceListed, now: i64) -> String {
    match device {
        DeviceListed { suspended: Some(_), .. } => "suspended".into(),
        DeviceListed { expired: true, .. } => "session ended".into(),
        DeviceListed { connected: 1.., .. } => "online".into(),
        _ => device.last_seen.map_or_else(|| "never".into(), |seen| Moment(seen).ago(now)),
    }
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
    if session.enrol_here().await? {
        note(format!("{} takes decisions of this device from now on; whoever uses it can make them", session.name()));
    }
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
