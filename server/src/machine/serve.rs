//! `pairpin serve`: the daemon. Starts the host and the admin socket, shows how to pair the first
//! device, then writes a line for whatever happens, until a signal ends it.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::host::{Host, HostConfig, HostError, HostEvent, Place, new_identity};
use pairpin_core::net::listen::BindError;

use super::audit;
use super::first_device;
use super::live::Stage;
use super::logging;
use super::offering::{alarm_text, paired_text};
use super::signals::Signals;
use super::status::{address_lines, out_of_reach};
use crate::admin::ask_socket::{self, AskListener};
use crate::admin::server;
use crate::admin::socket::AdminListener;
use crate::admin::views::{AuditRecord, MachineRecord};
use crate::cli::ServeArgs;
use crate::exit::Failure;
use crate::output::style::{Style, printable};
use crate::output::time::Moment;
use crate::output::{confirm, note, say, say_lines};
use crate::platform;

/// Kinds of audit lines that have an event of their own, said in other words.
const SAID_ALREADY: [&str; 2] = ["paired", "alarm"];

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// It cannot start; the text says what to do.
pub async fn run(state_dir: &Path, args: ServeArgs) -> Result<(), Failure> {
    logging::start();
    // Caught from here on: a signal during the start ends it cleanly.
    let mut signals = Signals::new()?;
    let system = platform::system_id();
    if args.new_identity {
        let (shown, question) = (state_dir.display(), "its keys are set aside, no device and no revocation is kept");
        confirm(&format!("Make a machine of its own where the copy in {shown} is ({question})?"), args.yes)?;
        let aside = new_identity(state_dir, system).map_err(|error| cannot_start(&error))?;
        note(format!("the copy is in {} now, and may be deleted", aside.display()));
    }
    let asks = match (args.ask_group, args.ask_socket) {
        (None, _) => None,
        (Some(group), Some(file)) => Some((file, group)),
        (Some(group), None) => Some((ask_socket::default_path().map_err(Failure::usage)?, group)),
    };
    let host = Host::start(HostConfig {
        state_dir: state_dir.to_owned(),
        bind: args.bind,
        port: args.port,
        name: args.name,
        platform: platform::description(),
        advertise: args.advertise,
        new_key: args.new_key,
        join_from: args.join_from,
        place: Place { system, moved: args.moved },
        clock: Arc::new(SystemClock),
    })
    .await
    .map_err(|error| cannot_start(&error))?;
    if args.moved {
        note("this machine's state belongs here from now on: where it came from it must never serve again");
    }
    let result = attend(&host, state_dir, asks, &mut signals).await;
    notify("STOPPING=1");
    host.stop().await;
    result
}

/// Adds the flag that mends it, where there is one.
fn cannot_start(error: &HostError) -> Failure {
    let flag = match error {
        HostError::Bind(BindError::PortInUse(_) | BindError::NotPermitted(_)) => ": `pairpin serve --port PORT`",
        HostError::Bind(BindError::NotLocal(_)) => ": `pairpin serve --bind ADDRESS`",
        _ => "",
    };
    Failure::failed(format!("{error}{flag}"))
}

/// Where the second socket is to be, and for which group.
type AskSocket = Option<(PathBuf, String)>;

async fn attend(host: &Host, state_dir: &Path, asks: AskSocket, signals: &mut Signals) -> Result<(), Failure> {
    let listener = AdminListener::bind(state_dir).map_err(|error| {
        Failure::failed(format!("cannot open the admin socket in {}: {error}", state_dir.display()))
    })?;
    let asks = match asks {
        Some((file, group)) => {
            let listener = AskListener::bind(&file, &group)
                .map_err(|error| Failure::failed(format!("cannot open the socket for asks: {error}")))?;
            let place = file.display();
            note(format!("asks of group {} come in at {place}: `pairpin ask --socket {place}`", printable(&group)));
            if let Err(error) = platform::owned_by(&file, &[0, platform::effective_uid()], false) {
                note(format!("somebody else could take that place while this daemon is down: {error}"));
            }
            Some(listener)
        }
        None => None,
    };
    let show = async {
        // A closed stdout, or an offer that cannot be made, ends what is shown, not what is served.
        if let Err(failure) = show(host).await {
            tracing::warn!("nothing more is shown here: {}", failure.message);
        }
        std::future::pending::<()>().await;
    };
    let admin = server::run(listener, host.clone());
    let asks = async {
        match asks {
            Some(listener) => ask_socket::run(listener, host.clone()).await,
            None => std::future::pending().await,
        }
    };
    notify("READY=1");
    tokio::select! {
        () = show => {}
        () = admin => {}
        () = asks => {}
        () = signals.any() => {}
    }
    Ok(())
}

fn notify(state: &str) {
    if let Err(error) = platform::notify(state) {
        tracing::warn!(%error, "the service manager could not be told {state}");
    }
}

async fn show(host: &Host) -> Result<(), Failure> {
    let mut events = host.events();
    let machine = MachineRecord::from(host.status());
    let stage = if machine.devices == 0 { Stage::of_stdout() } else { None };
    let said = match stage {
        Some(stage) => first_device::offer(host, machine, stage, &mut events).await?,
        None => {
            introduce(&machine)?;
            None
        }
    };
    let style = Style::of(&io::stdout());
    loop {
        match events.next().await {
            HostEvent::Paired(paired) if said == Some(paired.offer) => {}
            HostEvent::Paired(paired) => say(stamped(&style.good(&paired_text(&paired.into()))))?,
            HostEvent::Alarm(alarm) => say(stamped(&style.loud(&alarm_text(&alarm.into()))))?,
            HostEvent::Audit(line) if SAID_ALREADY.contains(&line.kind.as_str()) => {}
            HostEvent::Audit(line) => say(audit::text(&AuditRecord::from(line)))?,
            HostEvent::RecoveryUsed { from, revoked } => {
                let devices = if revoked == 1 { "a device" } else { "devices" };
                let text = format!(
                    "ALARM: the recovery sheet was used from {from} and revoked {devices}, if that was \
                    not you print another: pairpin recovery print"
                );
                say(stamped(&style.loud(&text)))?;
            }
            HostEvent::Presence { .. } => {}
            HostEvent::Stopping => return Ok(()),
        }
    }
}

fn stamped(text: &str) -> String {
    format!("{}  {text}", Moment(SystemClock.wall_ms()).local())
}

/// What the daemon says of itself where there is no picture: no QR and no secret.
fn introduce(machine: &MachineRecord) -> Result<(), Failure> {
    let Some(daemon) = &machine.daemon else { return Ok(()) };
    let style = Style::of(&io::stdout());
    let mut lines = vec![style.bold(&printable(&daemon.name)), format!("key fingerprint  {}", machine.key.fingerprint)];
    lines.extend(address_lines(&daemon.addresses).into_iter().map(|address| format!("reachable at     {address}")));
    if let Some(why) = out_of_reach(daemon) {
        lines.push(why.into());
    }
    if machine.devices == 0 {
        lines.push("no device is paired, pair one with `pairpin pair`".into());
    } else if io::stdout().is_terminal() {
        let devices = if machine.devices == 1 { "1 device".into() } else { format!("{} devices", machine.devices) };
        lines.push(format!("{devices} paired, pair another with `pairpin pair`"));
    }
    say_lines(&lines)
}
