//! `pairpin recovery use`: the printed sheet takes a lost device's access away. On any computer: no pairing is needed,
//! and nothing is kept.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use pairpin_core::client::use_sheet;
use pairpin_core::recovery_sheet::{RecoverySheet, SheetError};
use pairpin_core::wire::{Address, RecoveryAct, RecoveryAnswer, RecoveryDevice, RecoveryRevoked};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{ask, link_in};
use crate::exit::{Exit, Failure};
use crate::output::style::quoted;
use crate::output::time::Moment;
use crate::output::{confirm, json, note, say};

/// Lines that are asked for, at most.
const LINES: usize = 16;

/// `pairpin recovery use`.
#[derive(Debug, Args)]
pub struct RecoveryUseArgs {
    /// Read the sheet from standard input, its lines or its QR's text [default: asks for its lines]
    #[arg(value_name = "-", value_parser = ["-"])]
    pub sheet: Option<String>,
    /// Read its QR from a picture (PNG or JPEG)
    #[arg(long, value_name = "FILE", conflicts_with = "sheet", env = "PAIRPIN_RECOVERY_USE_IMAGE", hide_env = true)]
    pub image: Option<PathBuf>,
    /// Where the machine is reached [default: the addresses on the sheet]
    #[arg(long, value_name = "HOST[:PORT]", env = "PAIRPIN_RECOVERY_USE_HOST", hide_env = true)]
    pub host: Option<Address>,
    /// The lost device: its name, its id, or the beginning of its id [default: asks]
    #[arg(long, value_name = "DEVICE", conflicts_with = "all", env = "PAIRPIN_RECOVERY_USE_REVOKE", hide_env = true)]
    pub revoke: Option<String>,
    /// All devices of the machine
    #[arg(long, env = "PAIRPIN_RECOVERY_USE_ALL", hide_env = true, value_parser = BoolishValueParser::new())]
    pub all: bool,
    /// Do not ask
    #[arg(long, short, env = "PAIRPIN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    /// Print JSON (docs/json.md)
    #[arg(long, env = "PAIRPIN_JSON", hide_env = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// `recovery use --json`.
#[derive(Serialize)]
struct RecoveryJson {
    machine: String,
    /// Whether the sheet is void now.
    spent: bool,
    revoked: Vec<RevokedJson>,
    /// Who is paired there now.
    devices: Vec<DeviceJson>,
    more_revoked: usize,
    more_devices: usize,
}

#[derive(Serialize)]
struct RevokedJson {
    id: String,
    name: String,
    role: pairpin_core::role::Role,
    connections_cut: usize,
}

#[derive(Serialize)]
struct DeviceJson {
    id: String,
    name: String,
    platform: String,
    role: pairpin_core::role::Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<Moment>,
}

/// Runs it.
///
/// # Errors
/// What to tell the person; 4 where the machine is not reached, 6 where it is another one.
pub async fn run_recovery_use(args: RecoveryUseArgs) -> Result<(), Failure> {
    let sheet = sheet(&args).await?;
    let addresses: Vec<Address> = args.host.iter().cloned().collect();
    if addresses.is_empty() && sheet.addresses.is_empty() {
        return Err(Failure::usage("no address is on this sheet: say where the machine is with --host HOST[:PORT]"));
    }
    let act = match (&args.revoke, args.all) {
        (Some(device), _) => RecoveryAct::Revoke(device.clone()),
        (None, true) => RecoveryAct::All,
        (None, false) => RecoveryAct::List,
    };
    let asks = act == RecoveryAct::List;
    if asks && args.yes {
        return Err(Failure::usage("say which device is lost: --revoke NAME, or --all"));
    }
    if !asks {
        let whom = args.revoke.as_deref().map_or_else(|| "ALL devices".to_owned(), quoted);
        confirm(&format!("Revoke {whom} on the machine of this sheet? The sheet is void then."), args.yes)?;
    }
    let mut answer = use_sheet(&sheet, &addresses, act).await?;
    if asks && ask::possible() && !args.json {
        list(&answer);
        let device = ask::line("which of them is lost? (its name; nothing to stop) ").await?;
        if device.trim().is_empty() {
            return Err(Failure::failed("nothing was changed, the sheet is as good as before"));
        }
        answer = use_sheet(&sheet, &addresses, RecoveryAct::Revoke(device.trim().to_owned())).await?;
    }
    tell(&args, answer)
}

fn tell(args: &RecoveryUseArgs, answer: RecoveryAnswer) -> Result<(), Failure> {
    let spent = answer.spent;
    if args.json {
        say(json::line(&RecoveryJson::from(answer))?)?;
    } else if spent {
        for revoked in &answer.revoked {
            let name = quoted(&revoked.name);
            say(format!("revoked {name} on {}, connections cut: {}", answer.name, revoked.connections_cut))?;
        }
        if answer.more_revoked > 0 {
            say(format!("and {} more", answer.more_revoked))?;
        }
        note("the sheet is void now: print another with pairpin recovery print at the machine's shell");
        if !answer.devices.iter().any(|device| device.role == pairpin_core::role::Role::Owner)
            && answer.more_devices == 0
        {
            note(format!("no owner is left on {}: the next device paired at its shell will be owner", answer.name));
        }
    } else {
        list(&answer);
    }
    match (&args.revoke, spent) {
        (Some(name), false) => Err(Failure::new(
            Exit::Failed,
            format!(
                "no device of {} is called {}, and the sheet is as good as before",
                answer_name(args),
                quoted(name)
            ),
        )),
        (None, false) if args.all => {
            Err(Failure::failed("no device is paired there, and the sheet is as good as before"))
        }
        (None, false) => Err(Failure::usage("say which device is lost: --revoke NAME, or --all")),
        _ => Ok(()),
    }
}

fn answer_name(args: &RecoveryUseArgs) -> String {
    args.host.as_ref().map_or_else(|| "that machine".to_owned(), ToString::to_string)
}

fn list(answer: &RecoveryAnswer) {
    if answer.devices.is_empty() {
        note(format!("no device is paired with {}", answer.name));
        return;
    }
    note(format!("paired with {}:", answer.name));
    for device in &answer.devices {
        let seen = device.last_seen.map_or_else(|| "never seen".into(), |at| format!("seen {}", Moment(at).local()));
        note(format!("  {}  {}, {}, {seen}", quoted(&device.name), device.role, device.platform));
    }
    if answer.more_devices > 0 {
        note(format!("  and {} more", answer.more_devices));
    }
}

/// The sheet: from a picture, standard input, or a person's hand.
async fn sheet(args: &RecoveryUseArgs) -> Result<RecoverySheet, Failure> {
    let parse = |text: &str| RecoverySheet::parse(text).map_err(|error| Failure::failed(error.to_string()));
    if let Some(path) = &args.image {
        return parse(&link_in::from_picture(path).await?);
    }
    if args.sheet.is_some() {
        return parse(&ask::all_of_stdin().await?);
    }
    if !ask::possible() {
        return Err(Failure::usage("no terminal to ask on: pipe the sheet into pairpin recovery use -"));
    }
    note("type the lines of the sheet, each with Enter; capitals and spaces do not matter");
    typed().await
}

/// Line by line: a slip is said at once, and only its line is typed again.
async fn typed() -> Result<RecoverySheet, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(2048));
    for number in 1..=LINES {
        loop {
            let line = ask::line(&format!("{number:>2}: ")).await?;
            if line.trim().is_empty() {
                return RecoverySheet::parse(&text).map_err(|error| Failure::failed(error.to_string()));
            }
            let kept = text.len();
            text.push_str(line.trim());
            text.push('\n');
            match RecoverySheet::parse(&text) {
                Ok(sheet) => return Ok(sheet),
                // So far so good.
                Err(SheetError::Short(_)) => break,
                Err(error @ (SheetError::Line(_) | SheetError::NotASheet)) if number > 1 || line.len() > 8 => {
                    text.truncate(kept);
                    let error = if number == 1 { SheetError::Line(1) } else { error };
                    note(format!("{error}, and type it again (or Enter to stop)"));
                }
                Err(error) => return Err(Failure::failed(error.to_string())),
            }
        }
    }
    RecoverySheet::parse(&text).map_err(|error| Failure::failed(error.to_string()))
}

impl From<RecoveryAnswer> for RecoveryJson {
    fn from(answer: RecoveryAnswer) -> Self {
        let revoked = |revoked: RecoveryRevoked| RevokedJson {
            id: revoked.device.text(),
            name: revoked.name,
            role: revoked.role,
            connections_cut: revoked.connections_cut,
        };
        let device = |device: RecoveryDevice| DeviceJson {
            id: device.device.text(),
            name: device.name,
            platform: device.platform,
            role: device.role,
            last_seen: device.last_seen.map(Moment),
        };
        Self {
            machine: answer.name,
            spent: answer.spent,
            revoked: answer.revoked.into_iter().map(revoked).collect(),
            devices: answer.devices.into_iter().map(device).collect(),
            more_revoked: answer.more_revoked,
            more_devices: answer.more_devices,
        }
    }
}
