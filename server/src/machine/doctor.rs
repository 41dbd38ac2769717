//! `pairpin doctor`: looks for what keeps devices from pairing or connecting, and says what to do.
//!
//! Each check is a function that gives findings; `doctor_checks` has them.

use std::path::Path;

use serde::Serialize;

use super::Machine;
use super::doctor_checks as checks;
use crate::admin::client::AdminClient;
use crate::admin::protocol::Request;
use crate::admin::views::MachineRecord;
use crate::cli::DoctorArgs;
use crate::exit::{Exit, Failure};
use crate::output::style::Style;
use crate::output::{json, say};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something to do.
    Finding,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which check.
    pub check: &'static str,
    /// How much it matters.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub next: Option<String>,
}

impl Check {
    /// As it should be.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, text: text.into(), next: None }
    }

    /// Worth knowing.
    pub fn note(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, level: Level::Note, text: text.into(), next: None }
    }

    /// Something to do.
    pub fn finding(check: &'static str, text: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, level: Level::Finding, text: text.into(), next: Some(next.into()) }
    }

    fn line(&self, style: Style) -> String {
        let mark = match self.level {
            Level::Ok => style.good("ok"),
            Level::Note => "--".into(),
            Level::Finding => style.loud("!!"),
        };
        let next = self.next.as_deref().map(|next| format!(": {next}")).unwrap_or_default();
        format!("{mark}  {:<12}{}{next}", self.check, self.text)
    }
}

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    checks: &'a [Check],
}

/// Runs it.
///
/// # Errors
/// Exit code 1 where something is to do.
pub async fn run(state_dir: &Path, args: DoctorArgs) -> Result<(), Failure> {
    if args.reset_clock {
        let () = Machine::find(state_dir).await?.ask(Request::ResetClock).await?;
        return say("the latest time seen is forgotten, sessions are judged by the clock as it is now");
    }
    let found = look(state_dir).await;
    let ok = found.iter().all(|check| check.level != Level::Finding);
    if args.json.json {
        say(json::line(&Report { ok, checks: &found })?)?;
    } else {
        let style = Style::of(&std::io::stdout());
        for check in &found {
            say(check.line(style))?;
        }
    }
    if ok { Ok(()) } else { Err(Failure::quiet(Exit::Failed)) }
}

async fn look(state_dir: &Path) -> Vec<Check> {
    let (mut found, machine) = daemon(state_dir).await;
    let daemon = machine.as_ref().and_then(|machine| machine.daemon.as_ref());
    found.extend(checks::addresses(daemon));
    found.extend(checks::port(daemon));
    found.extend(checks::clock(state_dir, daemon));
    found.extend(checks::disk(state_dir));
    let next_kept = checks::next_key_kept(state_dir, machine.as_ref());
    let files = checks::permissions(state_dir, next_kept.as_deref());
    // What others can open is not opened here either, and has been found already.
    let sound = files.iter().all(|check| check.level != Level::Finding);
    found.extend(files);
    if sound {
        found.extend(checks::keys(state_dir));
        found.extend(checks::place(state_dir, daemon.is_some()));
        if daemon.is_none() {
            found.extend(checks::database(state_dir));
        }
    }
    found.extend(checks::terminal());
    found
}

async fn daemon(state_dir: &Path) -> (Vec<Check>, Option<MachineRecord>) {
    let asked = match AdminClient::find(state_dir).await {
        Ok(None) => return (vec![Check::note("daemon", "not running, start it with `pairpin serve`")], None),
        Ok(Some(client)) => Machine::Running(client).ask::<MachineRecord>(Request::Status).await,
        Err(failure) => Err(failure),
    };
    match asked {
        Ok(machine) => (vec![Check::ok("daemon", "running")], Some(machine)),
        Err(failure) => (vec![Check::finding("daemon", failure.message, "then look again")], None),
    }
}
