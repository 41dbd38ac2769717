//! The screen of a daemon with no device paired: an offer with link, QR and code, renewed in place
//! for a while. Called by `serve` on a terminal.

use std::time::Duration;

use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::host::{EventWatch, Host, HostEvent, OfferNumber, OfferRequest, OfferWatch};

use super::live::Stage;
use super::offering::{Ended, Offering, Step, alarm_text, ended_text, paired_text};
use super::screen::Standing;
use super::status::offers_have_address;
use crate::admin::views::{MachineRecord, NewOfferRecord};
use crate::cli::QrFormat;
use crate::exit::Failure;
use crate::output::qr_out::terminal_rows;

/// How long offers are renewed: a screen that nobody looks at must not offer for ever.
const RENEWED: Duration = Duration::from_secs(10 * 60);

/// The offer on the screen, with what draws it.
struct Shown {
    offering: Offering,
    qr: Vec<String>,
    watch: OfferWatch,
}

impl Shown {
    fn make(host: &Host) -> Result<Self, Failure> {
        let request = OfferRequest { link: true, code: true, ..OfferRequest::default() };
        let offer = host.create_offer(request).map_err(|error| Failure::failed(error.to_string()))?;
        let watch = host.watch_offer(offer.number).ok_or_else(|| Failure::failed("the offer ended as it was made"))?;
        let qr = offer.link.as_ref().map(|link| terminal_rows(link, QrFormat::Auto)).unwrap_or_default();
        Ok(Self { offering: Offering::new(NewOfferRecord::from(&offer), SystemClock.elapsed()), qr, watch })
    }
}

fn has_address(machine: &MachineRecord) -> bool {
    machine.daemon.as_ref().is_none_or(offers_have_address)
}

/// Shows offers until a device is paired, by them or otherwise, or nobody came. Returns the offer
/// whose pairing it has shown, which `events` may tell once more.
///
/// # Errors
/// The terminal is gone.
pub async fn offer(
    host: &Host,
    mut machine: MachineRecord,
    mut stage: Stage,
    events: &mut EventWatch,
) -> Result<Option<OfferNumber>, Failure> {
    let until = SystemClock.elapsed() + RENEWED;
    let mut shown = Shown::make(host)?;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (end, paired_by) = loop {
        let step = tokio::select! {
            event = shown.watch.next() => shown.offering.take(event.into(), SystemClock.elapsed()),
            _ = second.tick() => {
                if !has_address(&machine) {
                    // Made without an address, the offer is of no use: another as soon as there is one.
                    machine = MachineRecord::from(host.status());
                    if has_address(&machine) {
                        let useless = std::mem::replace(&mut shown, Shown::make(host)?);
                        let _ = host.cancel_offer(useless.offering.offer.number);
                    }
                }
                Step::Redraw
            }
            event = events.next() => match event {
                // By another offer, made with `pairpin pair`: this one has done its part.
                HostEvent::Paired(paired) if paired.offer != shown.offering.offer.number => {
                    let _ = host.cancel_offer(shown.offering.offer.number);
                    break (Standing::Good(paired_text(&paired.clone().into())), Some(paired.offer));
                }
                // Its own alarms come by its own watch.
                HostEvent::Alarm(alarm) if alarm.offer != shown.offering.offer.number => {
                    Step::Alarm(alarm_text(&alarm.into()))
                }
                HostEvent::Stopping => return Ok(None),
                _ => continue,
            },
        };
        match step {
            Step::Redraw => {}
            Step::Alarm(text) => stage.alarm(&text)?,
            Step::Ended(Ended::Expired) if SystemClock.elapsed() < until => {
                shown = Shown::make(host)?;
                // Addresses may have changed meanwhile.
                machine = MachineRecord::from(host.status());
            }
            // It named the key of before.
            Step::Ended(Ended::Withdrawn) if host.keys().pin != machine.key.pin => {
                shown = Shown::make(host)?;
                machine = MachineRecord::from(host.status());
            }
            Step::Ended(ended @ Ended::Paired(_)) => {
                break (Standing::Good(ended_text(&ended)), Some(shown.offering.offer.number));
            }
            Step::Ended(ended) => break (Standing::Over(ended_text(&ended)), None),
        }
        let standing = shown.offering.standing(SystemClock.elapsed());
        stage.show(&shown.offering.screen(&machine, shown.qr.clone(), true, standing))?;
    };
    stage.show(&shown.offering.screen(&machine, shown.qr, true, end))?;
    Ok(paired_by)
}
