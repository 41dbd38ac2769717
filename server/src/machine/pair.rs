//! `pairpin pair`: an offer, shown to the person who asked for it, and what becomes of it.
//!
//! The daemon makes the offer; its secrets cross the admin socket for this verb alone. While it
//! waits, going away withdraws it.

use std::path::Path;
use std::time::Duration;

use super::offering::{Ended, ended_text};
use super::pair_shown::Shower;
use super::qr_out::QrFile;
use super::reach;
use super::signals::Signals;
use crate::admin::client::{AdminClient, Line, Replies, parse};
use crate::admin::protocol::{PairRequest, Request};
use crate::admin::views::{MachineRecord, NewOfferRecord, PairEvent};
use crate::cli::{PairArgs, QrFormat};
use crate::exit::{Exit, Failure};

/// Runs it.
///
/// # Errors
/// Exit code 3 where the offer expired, 1 where it was withdrawn, 5 without a daemon.
pub async fn run(state_dir: &Path, args: PairArgs) -> Result<(), Failure> {
    if args.code && args.qr_format != QrFormat::Auto {
        return Err(Failure::usage("a code is typed and has no QR: leave out --code or --qr-format"));
    }
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
        let number = offer.number;
        return match Shower::open(machine, offer, file.as_ref(), &args) {
            Ok(shower) => {
                shower.leave();
                Ok(())
            }
            Err(failure) => {
                // Nobody has seen it, so nobody may use it; a reader that left (`| head -1`) has its link.
                if failure.exit != Exit::Ok {
                    let _ = withdraw(&daemon, number).await;
                }
                Err(failure)
            }
        };
    }
    let mut replies = daemon.send(&request).await?;
    let offer = match replies.next::<PairEvent, PairEvent>().await? {
        Line::Event(PairEvent::Offer(offer)) => offer,
        _ => return Err(Failure::failed("the running pairpin serve is another version, restart it")),
    };
    let number = offer.number;
    let shown = wait(Shower::open(machine, offer, file.as_ref(), &args), &mut replies, &mut signals).await;
    let withdrawn = if matches!(shown, Ok(Some(_))) { Ok(()) } else { withdraw(&daemon, number).await };
    match shown? {
        Some(ended) => outcome(&ended, args.code),
        // A device may be using it at this very moment.
        None => Err(withdrawn.err().unwrap_or_else(|| Failure::failed("the offer is withdrawn"))),
    }
}

/// Follows the offer to its end; `None` where a signal came first.
async fn wait(
    shower: Result<Shower, Failure>,
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

/// Closing the connection withdraws it too; this returns when that is done, or with why it is not.
async fn withdraw(daemon: &AdminClient, number: u32) -> Result<(), Failure> {
    daemon.ask(&Request::CancelOffer { number }).await.map(|_| ())
}

fn outcome(ended: &Ended, code_only: bool) -> Result<(), Failure> {
    let again = if code_only { "pairpin pair --code" } else { "pairpin pair" };
    match ended {
        Ended::Paired(_) => Ok(()),
        Ended::Expired => Err(Failure::new(Exit::Expired, format!("the offer expired, make another with `{again}`"))),
        Ended::Withdrawn | Ended::CodeGone(_) => Err(Failure::failed(ended_text(ended))),
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
