//! `pairpin pair`: an offer, shown to the person who asked for it, and what becomes of it.
//!
//! The daemon makes the offer; its secrets cross the admin socket for this verb alone. While it
//! waits, going away withdraws it.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::link::Link;

use super::live::Stage;
use super::offering::{Ended, Offering, Step, ended_text, join_command};
use super::qr_out::{QrFile, terminal_rows};
use super::reach;
use super::screen::Standing;
use super::signals::Signals;
use crate::admin::client::{AdminClient, Line, Replies, parse};
use crate::admin::protocol::{PairRequest, Request};
use crate::admin::views::{MachineRecord, NewOfferRecord, PairEvent};
use crate::cli::{PairArgs, QrFormat};
use crate::exit::{Exit, Failure};
use crate::output::time::countdown;
use crate::output::{json, note, say, say_lines};

/// Runs it.
///
/// # Errors
/// Exit code 3 where the offer expired, 1 where it was withdrawn, 5 without a daemon.
pub async fn run(state_dir: &Path, args: PairArgs) -> Result<(), Failure> {
    let file = QrFile::of(args.qr_out.as_deref(), args.qr_format, args.json.json)?;
    let mut signals = Signals::new()?;
    let daemon = reach::daemon(state_dir).await?;
    let machine: MachineRecord = parse(daemon.ask(&Request::Status).await?)?;
    let request = Request::Pair(PairRequest {
        link: !args.code,
        role: args.role,
        name: args.name.clone(),
        ttl_seconds: args.ttl.map(|ttl| ttl.as_secs()),
        wait: !args.no_wait,
    });
    if args.no_wait {
        let offer: NewOfferRecord = parse(daemon.ask(&request).await?)?;
        return Shower::open(machine, offer, file.as_ref(), &args)?.leave();
    }
    let mut replies = daemon.send(&request).await?;
    let offer = match replies.next::<PairEvent, PairEvent>().await? {
        Line::Event(PairEvent::Offer(offer)) => offer,
        _ => return Err(Failure::failed("the running pairpin serve is another version, restart it")),
    };
    let number = offer.number;
    let shown = wait(Shower::open(machine, offer, file.as_ref(), &args), &mut replies, &mut signals).await;
    if !matches!(shown, Ok(Some(_))) {
        withdraw(&daemon, number).await;
    }
    match shown? {
        Some(ended) => outcome(&ended, args.code),
        None => Err(Failure::failed("the offer is withdrawn")),
    }
}

/// Follows the offer to its end; `None` where a signal came first.
async fn wait(
    shower: Result<Shower<'_>, Failure>,
    replies: &mut Replies,
    signals: &mut Signals,
) -> Result<Option<Ended>, Failure> {
    let mut shower = shower?;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        let event = tokio::select! {
            line = replies.next::<PairEvent, PairEvent>() => match line? {
                Line::Event(event) | Line::Last(event) => event,
            },
            _ = second.tick() => {
                shower.redraw()?;
                continue;
            }
            () = signals.any() => return Ok(None),
        };
        if let Some(ended) = shower.take(event)? {
            return Ok(Some(ended));
        }
    }
}

/// Closing the connection withdraws it too; this returns when that is done.
async fn withdraw(daemon: &AdminClient, number: u32) {
    let _ = daemon.ask(&Request::CancelOffer { number }).await;
}

fn outcome(ended: &Ended, code_only: bool) -> Result<(), Failure> {
    let again = if code_only { "pairpin pair --code" } else { "pairpin pair" };
    match ended {
        Ended::Paired(_) => Ok(()),
        Ended::Expired => Err(Failure::new(Exit::Expired, format!("the offer expired, make another with `{again}`"))),
        Ended::Withdrawn | Ended::CodeGone(_) => Err(Failure::failed(ended_text(ended))),
    }
}

/// Where the offer is shown.
enum Shower<'a> {
    /// On the terminal, redrawn in place.
    Stage { stage: Stage, machine: MachineRecord, offering: Offering, qr: Vec<String>, wants_qr: bool },
    /// As lines; `to_stdout` unless the QR has stdout for itself.
    Lines { offering: Offering, to_stdout: bool, args: &'a PairArgs },
    /// As JSON lines.
    Json { offering: Offering },
}

impl<'a> Shower<'a> {
    fn open(
        machine: MachineRecord,
        offer: NewOfferRecord,
        file: Option<&QrFile>,
        args: &'a PairArgs,
    ) -> Result<Self, Failure> {
        let link = offer.link.as_ref().map(|link| Link::parse(link.expose())).transpose();
        let link = link.map_err(|error| Failure::failed(error.to_string()))?;
        if let (Some(file), Some(link)) = (file, &link) {
            file.write(link)?;
            if !file.is_stdout() {
                note(format!("the QR is in {}, delete it when the device is paired", file.place()));
            }
        }
        let offering = Offering::new(offer, SystemClock.elapsed());
        if args.json.json {
            let shower = Self::Json { offering };
            shower.announce(&machine)?;
            return Ok(shower);
        }
        let stage = if args.no_wait { None } else { Stage::of_stdout() };
        if let Some(stage) = stage {
            let wants_qr = file.is_none();
            let qr = if wants_qr { link.map(|link| terminal_rows(&link, args.qr_format)) } else { None };
            let mut shower = Self::Stage { stage, machine, offering, qr: qr.unwrap_or_default(), wants_qr };
            shower.redraw()?;
            return Ok(shower);
        }
        let shower = Self::Lines { offering, to_stdout: !file.is_some_and(QrFile::is_stdout), args };
        shower.announce(&machine)?;
        Ok(shower)
    }

    /// Prints the offer where it is not a picture that is redrawn.
    fn announce(&self, machine: &MachineRecord) -> Result<(), Failure> {
        let (offering, args) = match self {
            Self::Stage { .. } | Self::Lines { to_stdout: false, .. } => return Ok(()),
            Self::Json { offering } => return say(json::line(&PairEvent::Offer(offering.offer.clone()))?),
            Self::Lines { offering, args, .. } => (offering, args),
        };
        let offer = &offering.offer;
        if let Some(link) = &offer.link {
            say(link.expose())?;
            // On a terminal, or where a drawing was asked for by name.
            let drawn = args.qr_out.is_none() && (args.qr_format != QrFormat::Auto || io::stdout().is_terminal());
            if drawn {
                let link = Link::parse(link.expose()).map_err(|error| Failure::failed(error.to_string()))?;
                say_lines(&terminal_rows(&link, args.qr_format))?;
            }
        }
        if let Some(code) = &offer.code {
            say(format!("code {}", code.expose()))?;
            let addresses = machine.daemon.as_ref().map(|daemon| daemon.addresses.as_slice()).unwrap_or_default();
            note(format!("on the other device run: {}", join_command(addresses)));
        }
        note(format!("role {}, expires in {}", offer.role, countdown(offer.lifetime())));
        Ok(())
    }

    fn redraw(&mut self) -> Result<(), Failure> {
        let Self::Stage { stage, machine, offering, qr, wants_qr } = self else { return Ok(()) };
        let standing = offering.standing(SystemClock.elapsed());
        stage.show(&offering.screen(machine, qr.clone(), *wants_qr, standing))
    }

    /// Shows what happened; the end, if it is one.
    fn take(&mut self, event: PairEvent) -> Result<Option<Ended>, Failure> {
        let line = matches!(self, Self::Json { .. }).then(|| json::line(&event)).transpose()?;
        let (Self::Stage { offering, .. } | Self::Lines { offering, .. } | Self::Json { offering }) = self;
        let step = offering.take(event, SystemClock.elapsed());
        match (&step, line) {
            (_, Some(line)) => say(line)?,
            (Step::Redraw, None) => {}
            (Step::Alarm(text), None) => match self {
                Self::Stage { stage, .. } => stage.alarm(text)?,
                _ => note(text),
            },
            (Step::Ended(ended), None) => self.end(ended)?,
        }
        self.redraw_unless_ended(&step)?;
        Ok(if let Step::Ended(ended) = step { Some(ended) } else { None })
    }

    fn redraw_unless_ended(&mut self, step: &Step) -> Result<(), Failure> {
        if matches!(step, Step::Ended(_)) { Ok(()) } else { self.redraw() }
    }

    fn end(&mut self, ended: &Ended) -> Result<(), Failure> {
        let text = ended_text(ended);
        match self {
            Self::Stage { stage, machine, offering, qr, wants_qr } => {
                let standing = if matches!(ended, Ended::Paired(_)) {
                    Standing::Good(text)
                } else {
                    Standing::Over("this offer is over".into())
                };
                stage.show(&offering.screen(machine, qr.clone(), *wants_qr, standing))
            }
            // A failure is said by whoever ends the process.
            Self::Lines { .. } if !matches!(ended, Ended::Paired(_)) => Ok(()),
            Self::Lines { to_stdout: true, .. } => say(text),
            Self::Lines { .. } | Self::Json { .. } => {
                note(text);
                Ok(())
            }
        }
    }

    /// Leaves the offer live, for `--no-wait`.
    fn leave(self) -> Result<(), Failure> {
        let (Self::Stage { offering, .. } | Self::Lines { offering, .. } | Self::Json { offering }) = self;
        note(format!("the offer stays live, withdraw it with `pairpin offers cancel {}`", offering.offer.number));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_exit_code() {
        assert_eq!(outcome(&Ended::Expired, false).unwrap_err().exit, Exit::Expired);
        assert_eq!(outcome(&Ended::Withdrawn, false).unwrap_err().exit, Exit::Failed);
        let burnt = Ended::CodeGone("its code is burnt".into());
        assert_eq!(outcome(&burnt, true).unwrap_err().exit, Exit::Failed);
        assert!(outcome(&Ended::Expired, true).unwrap_err().message.contains("pair --code"));
    }
}
