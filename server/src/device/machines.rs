//! `pairpin machines`: the list, and the verbs on one machine.

use std::path::Path;

use pairpin_core::client::{Client, Forgotten, MachineState, MachineView};
use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::role::Role;
use serde::Serialize;

use super::cli::{MachinesArgs, MachinesVerb};
use super::views::{MachineJson, explained, no_owner, renewal, restored_text, state_text};
use super::{approving, open, watch};
use crate::exit::{Exit, Failure};
use crate::output::style::quoted;
use crate::output::time::Moment;
use crate::output::{self, json, note, say, say_table, table};

/// Runs `pairpin machines`.
///
/// # Errors
/// What to tell the person, with the exit code.
pub async fn run_machines(state_dir: &Path, args: MachinesArgs) -> Result<(), Failure> {
    let (client, _) = open(state_dir, args.store.secret_store, None)?;
    match args.verb {
        None | Some(MachinesVerb::List) => list(&client, args.json).await,
        Some(MachinesVerb::Watch { machine }) => watch::run(&client, machine.as_deref(), args.json).await,
        Some(MachinesVerb::Rename { machine, name }) => {
            let found = client.find(&machine).await?;
            let renamed = client.rename(found.row, &name).await?;
            if args.json {
                return say(json::member("machine", &MachineJson::from(&renamed))?);
            }
            say(format!("{} is called {} here from now on", found.name, renamed.name))
        }
        Some(MachinesVerb::Passphrase(asked)) => approving::run_passphrase(&client, asked, args.json).await,
        Some(MachinesVerb::Forget { machine, now, yes }) => {
            forget(&client, &machine, Forget { now, yes, as_json: args.json }).await
        }
    }
}

async fn list(client: &Client, as_json: bool) -> Result<(), Failure> {
    let machines = client.check_all().await?;
    if as_json {
        let views: Vec<MachineJson> = machines.iter().map(MachineJson::from).collect();
        say(json::member("machines", &views)?)?;
    } else if machines.is_empty() {
        note("no machine is paired with this device: run pairpin pair on one, then pairpin join here");
    } else {
        say_table(&listed(&machines))?;
        machines.iter().filter_map(explained).for_each(note);
        let now = SystemClock.wall_ms();
        machines.iter().filter_map(|machine| renewal(machine, now)).for_each(note);
        machines.iter().filter_map(|machine| restored_text(machine, now)).for_each(note);
    }
    if machines.iter().any(|machine| machine.state.identity_changed()) {
        return Err(Failure::quiet(Exit::IdentityChanged));
    }
    Ok(())
}

fn listed(machines: &[MachineView]) -> table::Table {
    let now = SystemClock.wall_ms();
    let mut table = table::Table::new(&["NAME", "STATE", "ROLE", "ADDRESS", "KEY FINGERPRINT"]);
    for machine in machines {
        table.row(vec![
            machine.name.clone(),
            match &machine.state {
                // By which address is in a column of its own.
                MachineState::Online { .. } => match machine.ends_soon(now) {
                    Some(at) => format!("online, ends {}", Moment(at).ahead(now)),
                    None => "online".into(),
                },
                state => state_text(state, now),
            },
            machine.role.to_string(),
            machine.last_address.as_ref().map(ToString::to_string).unwrap_or_default(),
            machine.fingerprint(),
        ]);
    }
    table
}

/// `machines forget --json`.
#[derive(Serialize)]
struct ForgottenJson {
    forgotten: MachineJson,
    /// Why the machine still lists this device; absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    still_listed: Option<String>,
    /// It is told as soon as it answers; the row stays until then.
    told_later: bool,
    /// No owner is left there.
    last_owner: bool,
}

struct Forget {
    now: bool,
    yes: bool,
    as_json: bool,
}

async fn forget(client: &Client, selector: &str, how: Forget) -> Result<(), Failure> {
    let found = client.find(selector).await?;
    let question = format!("Forget {} ({}) and erase its keys here?", found.name, found.fingerprint());
    output::confirm(&question, how.yes)?;
    let forgotten = if how.now { client.forget_now(found.row).await? } else { client.forget(found.row).await? };
    if forgotten.told_later {
        return told_later(forgotten, how.as_json);
    }
    if let Some(why) = &forgotten.still_listed {
        note(format!(
            "{} still lists this device as {}, take it off there with `pairpin devices revoke`: {why}",
            found.name,
            quoted(&found.device_name)
        ));
    }
    if forgotten.last_owner {
        note(no_owner(&found.name));
    }
    if how.as_json {
        return say(json::line(&ForgottenJson::from(&forgotten))?);
    }
    say(format!("{} is forgotten, its keys here are erased", found.name))
}

fn told_later(forgotten: Forgotten, as_json: bool) -> Result<(), Failure> {
    let name = &forgotten.machine.name;
    if let Some(why) = &forgotten.still_listed {
        note(format!("{name} could not be told: {why}"));
    }
    note(format!(
        "it is told as soon as this device sees it again (pairpin machines, or machines watch), and its keys are kept \
         here for that alone; to erase them now, and leave this device on its list: pairpin machines forget {name} --now"
    ));
    if forgotten.machine.role == Role::Owner {
        note(format!(
            "if no other owner is paired with {name} then, the next device paired at its shell will be owner"
        ));
    }
    if as_json {
        return say(json::line(&ForgottenJson::from(&forgotten))?);
    }
    say(format!("{name} is forgotten here, and not told yet"))
}

impl From<&Forgotten> for ForgottenJson {
    fn from(forgotten: &Forgotten) -> Self {
        Self {
            forgotten: (&forgotten.machine).into(),
            still_listed: forgotten.still_listed.clone(),
            told_later: forgotten.told_later,
            last_owner: forgotten.last_owner,
        }
    }
}
