//! `pairpin asks`: what waits for an answer, and taking it back. There is no answering at the shell.

use std::path::Path;
use std::time::Duration;

use super::ask_cli::AsksVerb;
use super::reach;
use crate::admin::client::parse;
use crate::admin::protocol::Request;
use crate::admin::views::AskRecord;
use crate::exit::Failure;
use crate::output::facts;
use crate::output::style::printable;
use crate::output::table::Table;
use crate::output::time::countdown;
use crate::output::{json, note, say, say_lines, say_table};

/// Runs it.
///
/// # Errors
/// There is no daemon, or no such ask.
pub async fn run(state_dir: &Path, verb: Option<AsksVerb>, outer_json: bool) -> Result<(), Failure> {
    let daemon = reach::daemon(state_dir).await?;
    match verb {
        None => list(parse(daemon.ask(&Request::Asks).await?)?, outer_json),
        Some(AsksVerb::List(json)) => list(parse(daemon.ask(&Request::Asks).await?)?, outer_json || json.json),
        Some(AsksVerb::Show { id, json }) => {
            let ask: AskRecord = parse(daemon.ask(&Request::ShowAsk { id }).await?)?;
            if outer_json || json.json {
                return say(json::member("ask", &ask)?);
            }
            say_lines(&facts::lines(&ask, "this machine"))
        }
        Some(AsksVerb::Cancel { id }) => {
            daemon.ask(&Request::CancelAsk { id: id.clone() }).await?;
            say(format!("{} is taken back", printable(&id)))
        }
    }
}

fn list(asks: Vec<AskRecord>, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return say(json::member("asks", &asks)?);
    }
    if asks.is_empty() {
        note("no ask is waiting");
        return Ok(());
    }
    let mut table = Table::new(&["ASK", "USER", "LEFT", "TEXT"]);
    for ask in asks {
        let user = ask.known.user.as_deref().map_or_else(|| format!("#{}", ask.known.uid), printable);
        let left = countdown(Duration::from_secs(ask.expires_in_seconds));
        table.row(vec![printable(&ask.id), user, left, printable(&ask.claimed.text)]);
    }
    say_table(&table)
}
