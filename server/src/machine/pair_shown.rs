//! How `pairpin pair` shows its offer: as a picture that is redrawn, as lines, or as JSON lines.

use std::io::{self, IsTerminal as _};

use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::link::Link;

use super::live::Stage;
use super::offering::{Ended, Offering, Step, ended_text, join_command};
use super::screen::Standing;
use super::status::{NO_NETWORK, offers_have_address};
use crate::admin::views::{MachineRecord, NewOfferRecord, PairEvent};
use crate::cli::{PairArgs, QrFormat};
use crate::exit::Failure;
use crate::output::qr_out::{QrFile, terminal_rows};
use crate::output::time::countdown;
use crate::output::{json, note, say, say_lines};

/// An offer and where it is shown.
pub struct Shower {
    offering: Offering,
    machine: MachineRecord,
    link: Option<Link>,
    face: Face,
}

enum Face {
    /// On the terminal, redrawn in place.
    Stage { stage: Stage, qr: Vec<String>, wants_qr: bool },
    /// As lines, on stdout unless the QR has it for itself.
    Lines { to_stdout: bool },
    /// As JSON lines.
    Json,
}

impl Shower {
    /// Shows a new offer as the flags ask.
    ///
    /// # Errors
    /// The QR or the output cannot be written; the offer is of no use then.
    pub fn open(
        machine: MachineRecord,
        offer: NewOfferRecord,
        file: Option<&QrFile>,
        args: &PairArgs,
    ) -> Result<Self, Failure> {
        let link = offer.link.as_ref().map(|link| Link::parse(link.expose())).transpose();
        let link = link.map_err(|error| Failure::failed(error.to_string()))?;
        let of_use = machine.daemon.as_ref().is_none_or(offers_have_address);
        if let (Some(file), Some(link)) = (file, &link) {
            if !of_use {
                return Err(Failure::failed(NO_NETWORK));
            }
            file.write(link)?;
            if !file.is_stdout() {
                note(format!("the QR is in {}, delete it when the device is paired", file.place()));
            }
        }
        let stage = if args.no_wait || args.json.json { None } else { Stage::of_stdout() };
        let face = match stage {
            Some(stage) => {
                let wants_qr = file.is_none();
                let qr = link.as_ref().filter(|_| wants_qr).map(|link| terminal_rows(link, args.qr_format));
                Face::Stage { stage, qr: qr.unwrap_or_default(), wants_qr }
            }
            None if args.json.json => Face::Json,
            None => Face::Lines { to_stdout: !file.is_some_and(QrFile::is_stdout) },
        };
        if !of_use && !matches!(face, Face::Stage { .. }) {
            note(format!("warning: {NO_NETWORK}"));
        }
        let mut shower = Self { offering: Offering::new(offer, SystemClock.elapsed()), machine, link, face };
        match shower.face {
            Face::Stage { .. } => shower.redraw()?,
            Face::Json => say(json::line(&PairEvent::Offer(shower.offering.offer.clone()))?)?,
            // On a terminal, or where a drawing was asked for by name.
            Face::Lines { to_stdout: true } => {
                let drawn = args.qr_format != QrFormat::Auto || io::stdout().is_terminal();
                shower.print((drawn && file.is_none()).then_some(args.qr_format))?;
            }
            Face::Lines { to_stdout: false } => {}
        }
        Ok(shower)
    }

    /// Prints the offer as lines: secrets on stdout, what to do with them on stderr.
    fn print(&self, drawn: Option<QrFormat>) -> Result<(), Failure> {
        let offer = &self.offering.offer;
        if let Some(link) = &offer.link {
            say(link.expose())?;
        }
        if let (Some(link), Some(format)) = (&self.link, drawn) {
            say_lines(&terminal_rows(link, format))?;
        }
        if let Some(code) = &offer.code {
            say(format!("code {}", code.expose()))?;
            if let Some(daemon) = self.machine.daemon.as_ref().filter(|daemon| offers_have_address(daemon)) {
                note(format!("on the other device run: {}", join_command(&daemon.addresses)));
            }
        }
        note(format!("role {}, expires in {}", offer.role, countdown(offer.lifetime())));
        Ok(())
    }

    /// Draws the countdown anew.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn redraw(&mut self) -> Result<(), Failure> {
        self.draw(self.offering.standing(SystemClock.elapsed()))
    }

    fn draw(&mut self, standing: Standing) -> Result<(), Failure> {
        let Face::Stage { stage, qr, wants_qr } = &mut self.face else { return Ok(()) };
        stage.show(&self.offering.screen(&self.machine, qr.clone(), *wants_qr, standing))
    }

    /// Shows what happened; the end, if it is one.
    ///
    /// # Errors
    /// The output is gone.
    pub fn take(&mut self, event: PairEvent) -> Result<Option<Ended>, Failure> {
        if matches!(self.face, Face::Json) {
            say(json::line(&event)?)?;
        }
        match self.offering.take(event, SystemClock.elapsed()) {
            Step::Redraw => self.redraw()?,
            Step::Alarm(text) => match &mut self.face {
                Face::Stage { stage, .. } => stage.alarm(&text)?,
                Face::Lines { .. } => note(text),
                Face::Json => {}
            },
            Step::Ended(ended) => {
                self.end(&ended)?;
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// Shows the outcome. A failure is said once more, with its next step, by whoever ends the process.
    fn end(&mut self, ended: &Ended) -> Result<(), Failure> {
        let paired = matches!(ended, Ended::Paired(_));
        match self.face {
            Face::Stage { .. } if paired => self.draw(Standing::Good(ended_text(ended))),
            Face::Stage { .. } => self.draw(Standing::Over("this offer is over".into())),
            Face::Lines { to_stdout: true } if paired => say(ended_text(ended)),
            Face::Lines { to_stdout: false } if paired => {
                note(ended_text(ended));
                Ok(())
            }
            Face::Lines { .. } | Face::Json => Ok(()),
        }
    }

    /// Leaves the offer live, for `--no-wait`.
    pub fn leave(self) {
        let number = self.offering.offer.number;
        note(format!("the offer stays live, withdraw it with `pairpin offers cancel {number}`"));
    }
}
