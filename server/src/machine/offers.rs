//! `pairpin offers`: what waits for a device, without its secrets.

use std::path::Path;
use std::time::Duration;

use super::reach;
use crate::admin::client::parse;
use crate::admin::protocol::Request;
use crate::admin::views::OfferRecord;
use crate::cli::OffersVerb;
use crate::exit::Failure;
use crate::output::style::printable;
use crate::output::table::Table;
use crate::output::time::countdown;
use crate::output::{json, note, say, say_table};

/// Runs it.
///
/// # Errors
/// The daemon does not run, or there is no such offer.
pub async fn run(state_dir: &Path, verb: Option<OffersVerb>, as_json: bool) -> Result<(), Failure> {
    let daemon = reach::daemon(state_dir).await?;
    match verb {
        None => list(parse(daemon.ask(&Request::Offers).await?)?, as_json),
        Some(OffersVerb::List(options)) => list(parse(daemon.ask(&Request::Offers).await?)?, as_json || options.json),
        Some(OffersVerb::Cancel { number: Some(number), .. }) => {
            daemon.ask(&Request::CancelOffer { number }).await?;
            say(format!("offer {number} withdrawn"))
        }
        Some(OffersVerb::Cancel { number: None, .. }) => {
            let count: usize = parse(daemon.ask(&Request::CancelOffers).await?)?;
            say(match count {
                0 => "no offer was waiting".into(),
                1 => "1 offer withdrawn".into(),
                count => format!("{count} offers withdrawn"),
            })
        }
    }
}

fn list(offers: Vec<OfferRecord>, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return say(json::member("offers", &offers)?);
    }
    if offers.is_empty() {
        note("no offer is waiting, make one with `pairpin pair`");
        return Ok(());
    }
    let mut table = Table::new(&["OFFER", "KIND", "ROLE", "FOR", "MADE BY", "EXPIRES IN", "USED BY"]);
    for offer in offers {
        let kind = match (offer.link, offer.code) {
            (true, true) => "link and code",
            (true, false) => "link",
            (false, _) => "code",
        };
        table.row(vec![
            offer.number.to_string(),
            kind.into(),
            offer.role.to_string(),
            offer.name.as_deref().map_or_else(|| "any device".into(), printable),
            offer.minted_by.as_deref().map_or_else(|| "this shell".into(), printable),
            countdown(Duration::from_secs(offer.expires_in_seconds)),
            offer.claimed_by.as_deref().map(printable).unwrap_or_default(),
        ]);
    }
    say_table(&table)
}
