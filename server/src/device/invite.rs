//! `pairpin invite MACHINE`: an owner device makes an offer on a machine from afar, and shows it itself.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use pairpin_core::client::{ClientError, MachineSession};
use pairpin_core::link::Link;
use pairpin_core::role::Role;
use pairpin_core::wire::{DeviceEvent, MintedOffer};
use serde::Serialize;
use tokio::time::Instant;

use super::cli::InviteArgs;
use super::{approving, open};
use crate::exit::{Exit, Failure};
use crate::output::qr_out::{QrFile, terminal_rows};
use crate::output::style::{printable, quoted};
use crate::output::time::countdown;
use crate::output::{json, note, say, say_lines};

/// A little more than the offer's life: a device may have used it in its last second, and then has a minute.
const ACKNOWLEDGING: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct OfferJson<'a> {
    event: &'static str,
    machine: &'a str,
    number: u32,
    link: Option<&'a str>,
    code: Option<&'a str>,
    role: Role,
    expires_in_seconds: u64,
}

#[derive(Serialize)]
struct PairedJson<'a> {
    event: &'static str,
    device: &'a str,
    role: Role,
    from: &'a str,
    check_digits: &'a str,
}

/// Runs it.
///
/// # Errors
/// The machine cannot be reached or does not let this device do it; nobody used the offer in time.
pub async fn run_invite(state_dir: &Path, args: InviteArgs) -> Result<(), Failure> {
    let file = QrFile::of(args.qr_out.as_deref(), args.qr_format, args.json)?;
    let (client, _) = open(state_dir, args.store.secret_store, None)?;
    let machine = client.find(&args.machine).await?;
    let mut session = client.open_session(machine.row).await?;
    approving::ready(&mut session).await?;
    let offer = session.invite_here(args.role, args.name.clone(), args.ttl).await?;
    show(&session, &offer, &args, file.as_ref())?;
    let life = Duration::from_secs(offer.expires_in_seconds) + ACKNOWLEDGING;
    match tokio::time::timeout_at(Instant::now() + life, used(&mut session, offer.number)).await {
        Ok(paired) => {
            let outcome = outcome(paired?, args.json);
            session.close().await;
            outcome
        }
        Err(_) => Err(Failure::new(Exit::Expired, "nobody used the offer in time, make another one: pairpin invite")),
    }
}

fn show(
    session: &MachineSession,
    offer: &MintedOffer,
    args: &InviteArgs,
    file: Option<&QrFile>,
) -> Result<(), Failure> {
    let link = offer.link.as_deref().map(Link::parse).transpose();
    let link = link.map_err(|error| Failure::failed(error.to_string()))?;
    if let (Some(file), Some(link)) = (file, &link) {
        file.write(link)?;
    }
    if args.json {
        return say(json::line(&OfferJson {
            event: "offer",
            machine: session.name(),
            number: offer.number,
            link: offer.link.as_deref(),
            code: offer.code.as_deref(),
            role: args.role,
            expires_in_seconds: offer.expires_in_seconds,
        })?);
    }
    if !file.is_some_and(QrFile::is_stdout) {
        if let Some(text) = &offer.link {
            say(text)?;
        }
        if let Some(link) = link.as_ref().filter(|_| io::stdout().is_terminal() && file.is_none()) {
            say_lines(&terminal_rows(link, args.qr_format))?;
        }
        if let Some(code) = &offer.code {
            say(format!("code {code}"))?;
        }
    }
    let life = countdown(Duration::from_secs(offer.expires_in_seconds));
    note(format!(
        "scan it with the new device: role {} on {}, expires in {life}; withdraw it there with `pairpin offers cancel {}`",
        args.role,
        session.name(),
        offer.number
    ));
    Ok(())
}

/// Waits until a device has used the offer.
async fn used(session: &mut MachineSession, number: u32) -> Result<DeviceEvent, ClientError> {
    loop {
        match session.event().await? {
            event @ DeviceEvent::DeviceAdded { offer, .. } if offer == Some(number) => return Ok(event),
            DeviceEvent::Alarm { from, name, .. } => note(format!(
                "ALARM: a second device, at {}, holds an offer that {} used: somebody else has seen it; if that \
                 device is not yours, revoke it now",
                printable(&from),
                name.as_deref().map_or_else(|| "another".to_owned(), quoted)
            )),
            _ => {}
        }
    }
}

fn outcome(event: DeviceEvent, as_json: bool) -> Result<(), Failure> {
    let DeviceEvent::DeviceAdded { name, role, from, check_digits, .. } = event else { return Ok(()) };
    if as_json {
        let (device, from, check_digits) = (name.as_str(), from.as_str(), check_digits.as_str());
        return say(json::line(&PairedJson { event: "paired", device, role, from, check_digits })?);
    }
    say(format!(
        "paired {} as {role} from {}, check digits {}",
        quoted(&name),
        printable(&from),
        printable(&check_digits)
    ))?;
    note("the same four digits are on the new device; if not, revoke it now");
    Ok(())
}
