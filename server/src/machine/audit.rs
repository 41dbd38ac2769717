//! `pairpin audit`: the append-only log.

use std::path::Path;

use super::signals::Signals;
use super::{Machine, reach};
use crate::admin::client::Line;
use crate::admin::protocol::Request;
use crate::admin::views::AuditRecord;
use crate::cli::AuditArgs;
use crate::exit::Failure;
use crate::output::style::printable;
use crate::output::{json, note, say};

/// Runs it.
///
/// # Errors
/// The machine cannot be asked, or has stopped while its log was followed.
pub async fn run(state_dir: &Path, args: AuditArgs) -> Result<(), Failure> {
    let as_json = args.json.json;
    if args.follow {
        // Asked first: who follows a stopped machine is told so before anything is printed.
        let daemon = reach::daemon(state_dir).await?;
        let last = print(Machine::Running(daemon), args.lines, as_json).await?;
        let mut signals = Signals::new()?;
        let mut replies = reach::daemon(state_dir).await?.send(&Request::FollowAudit { after: last }).await?;
        loop {
            let line = tokio::select! {
                line = replies.next::<AuditRecord, ()>() => line?,
                // Whoever follows ends it so: nothing has failed.
                () = signals.any() => return Ok(()),
            };
            match line {
                Line::Event(line) => say(shown(&line, as_json)?)?,
                Line::Last(()) => break,
            }
        }
        note("pairpin serve has stopped");
        return Ok(());
    }
    print(Machine::find(state_dir).await?, args.lines, as_json).await.map(drop)
}

/// Prints the last lines; the number of the very last.
async fn print(machine: Machine, lines: usize, as_json: bool) -> Result<i64, Failure> {
    let records: Vec<AuditRecord> = machine.ask(Request::Audit { lines }).await?;
    if records.is_empty() && !as_json {
        note("nothing has happened here yet");
    }
    for record in &records {
        say(shown(record, as_json)?)?;
    }
    Ok(records.last().map_or(0, |record| record.seq))
}

fn shown(record: &AuditRecord, as_json: bool) -> Result<String, Failure> {
    if as_json { json::line(record) } else { Ok(text(record)) }
}

/// One line of the log, as `audit` and the daemon's own output have it. The kind is for programs:
/// the text says it.
pub fn text(record: &AuditRecord) -> String {
    format!("{}  {}", record.at.local(), printable(&record.text))
}
