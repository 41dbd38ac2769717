//! `pairpin ask`: a question to the owner and operator devices, whose answer is the exit code. And `notify`.
//!
//! Only a line that says yes is a yes: a daemon that stops, a line that makes no sense, and time give none.
//! As root it does not take the daemon's word for it (`root_ask`).
//! Going away (Ctrl-C, a kill) closes the connection, and by that the daemon takes the ask back.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pairpin_core::host::Question;
use pairpin_core::secrets::random_bytes;
use pairpin_core::wire::{AskClaimed, AskFresh, AskKnown};

use super::ask_cli::{AskArgs, NotifyArgs};
use super::reach;
use super::root_ask::{self, RootAsk};
use crate::admin::client::{AdminClient, Line, Replies, parse};
use crate::admin::protocol::{AskRequest, Request};
use crate::admin::views::{Answer, AskEvent};
use crate::exit::{Exit, Failure};
use crate::output::style::{printable, quoted};
use crate::output::time::span;
use crate::output::{json, note, say};
use crate::platform::{effective_uid, own_looks, user_name};

/// The longest text and the longest detail that are sent (bytes); the daemon says how much of them fits.
const LONGEST: usize = 4 * 1024;
/// How much longer than the ask itself its answer is waited for: the daemon ends it, unless it hangs.
const LONGER: Duration = Duration::from_secs(15);

/// Runs it.
///
/// # Errors
/// Exit code 1 for a no, or where the answer cannot be written; 3 where nobody answered in time, 4 where no device may answer, 5 without a daemon.
pub async fn run(state_dir: &Path, args: AskArgs) -> Result<(), Failure> {
    let root = RootAsk::look(args.approvers.as_deref(), args.socket.as_deref())?;
    let detail = args.detail.as_deref().map(detail).transpose()?;
    let detail = detail.or_else(|| root.as_ref().and_then(RootAsk::detail));
    let text = bounded("the text", args.text.clone())?;
    let daemon = reach::daemon_at(state_dir, args.socket.as_deref()).await?;
    // Rounded up: a part of a second is not nothing.
    let timeout_seconds = args.timeout.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
    let fresh = AskFresh::from_bytes(random_bytes().map_err(|error| Failure::failed(error.to_string()))?);
    let claimed = AskClaimed { text: text.clone(), detail: detail.clone() };
    let asked = Asked { question: own_question(claimed, timeout_seconds, fresh), root, checked: false };
    let request = Request::Ask(AskRequest { text, detail, timeout_seconds, fresh: Some(fresh) });
    let (mut replies, asked) =
        send(&daemon, &request, asked, &root_ask::place(args.socket.as_deref(), state_dir)).await?;
    if args.socket.is_some() {
        // Whose word the answer is: a path alone does not say who listens there.
        let user = replies.daemon().map(|uid| user_name(uid).unwrap_or_else(|| format!("#{uid}")));
        note(format!("asking the daemon of user {}", user.as_deref().unwrap_or("unknown")));
    }
    let as_json = args.json.json;
    let end = tokio::time::timeout(args.timeout.saturating_add(LONGER), wait(&mut replies, &asked, as_json)).await;
    let end =
        end.map_err(|_| Failure::new(Exit::Expired, "pairpin serve does not answer any more, look at its log"))??;
    match end {
        AskEvent::Answered { answer: Answer::Yes, by, .. } => {
            if !as_json {
                note(format!("yes, by {}", quoted(&by)));
            }
            // The connection has said all that it will.
            drop(replies);
            follow(&args)
        }
        AskEvent::Answered { answer: Answer::No, by, .. } => Err(Failure::failed(format!("no, by {}", quoted(&by)))),
        AskEvent::Expired => {
            let waited = span(args.timeout);
            Err(Failure::new(
                Exit::Expired,
                format!("nobody answered within {waited}, ask again or give it more --timeout"),
            ))
        }
        AskEvent::Withdrawn => Err(Failure::failed("the ask was taken back at the machine, so it is no yes")),
        AskEvent::Asked { .. } => Err(Failure::failed("the answer makes no sense, so it is no yes")),
    }
}

/// What this process asks, and by what right it believes an answer.
struct Asked {
    question: Question,
    root: Option<RootAsk>,
    /// The answer is held against root's list.
    checked: bool,
}

impl Asked {
    /// The end, as it may be believed: a yes whose signature was to be seen names who stands in the list.
    fn believed(&self, end: AskEvent) -> Result<AskEvent, Failure> {
        match (&self.root, end) {
            (Some(root), AskEvent::Answered { answer: Answer::Yes, proof, .. }) if self.checked => {
                let by = root.answer(&self.question, proof.as_deref())?;
                Ok(AskEvent::Answered { answer: Answer::Yes, by, proof })
            }
            (_, end) => Ok(end),
        }
    }
}

/// What the daemon should make of this ask: what is sent, and what this process knows of itself.
fn own_question(claimed: AskClaimed, timeout_seconds: u64, fresh: AskFresh) -> Question {
    let uid = effective_uid();
    let known = AskKnown { uid, user: user_name(uid), process: Some(std::process::id()) };
    let time = Some(Duration::from_secs(timeout_seconds));
    Question { known, observed: own_looks(), claimed, time, fresh: Some(fresh) }
}

/// Sends it, once the daemon was looked at where that is called for.
async fn send(
    daemon: &AdminClient,
    request: &Request,
    mut asked: Asked,
    place: &Path,
) -> Result<(Replies, Asked), Failure> {
    let place = std::path::absolute(place).map_err(|error| Failure::usage(format!("--socket: {error}")))?;
    let mut checked = false;
    let look = |uid| {
        if let Some(root) = &asked.root {
            checked = root.daemon(uid, &place)?;
        }
        Ok(())
    };
    let replies = daemon.send_to(request, look).await?;
    asked.checked = checked;
    Ok((replies, asked))
}

/// Says what happens until there is an end.
async fn wait(replies: &mut Replies, asked: &Asked, as_json: bool) -> Result<AskEvent, Failure> {
    loop {
        let (happened, last) = match replies.next::<AskEvent, AskEvent>().await? {
            Line::Event(happened) => (happened, false),
            // Before anybody is told.
            Line::Last(happened) => (asked.believed(happened)?, true),
        };
        if as_json {
            // Elsewhere a reader that has gone away is no failure; here that would be the exit code of a yes.
            say(json::line(&happened)?).map_err(Failure::of_unfinished)?;
        } else if let AskEvent::Asked { ask, may_answer, online } = &happened {
            // The daemon may be another user's.
            note(asked_text(&printable(&ask.id), *may_answer, *online));
        }
        if last {
            return Ok(happened);
        }
    }
}

fn asked_text(id: &str, may_answer: usize, online: usize) -> String {
    let devices = |count: usize| if count == 1 { "1 device".into() } else { format!("{count} devices") };
    if online == 0 {
        return format!(
            "asked as {id}: none of the {} that may answer is online, waiting for one to come online",
            devices(may_answer)
        );
    }
    format!("asked {} as {id}, waiting for an answer", devices(online))
}

/// Becomes the command, where there is one.
fn follow(args: &AskArgs) -> Result<(), Failure> {
    let Some((program, arguments)) = args.command.split_first() else { return Ok(()) };
    let error = Command::new(program).args(arguments).exec();
    Err(Failure::failed(format!("the answer was yes, but {} cannot be run: {error}", program.to_string_lossy())))
}

fn detail(given: &str) -> Result<String, Failure> {
    let Some(file) = given.strip_prefix('@') else { return bounded("--detail", given.to_owned()) };
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|opened| opened.take(LONGEST as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Failure::usage(format!("--detail: cannot read {file}: {error}")))?;
    bounded("--detail", String::from_utf8_lossy(&bytes).into_owned())
}

/// Refused here where it could not even be sent: a text that was cut could say something else.
fn bounded(what: &str, text: String) -> Result<String, Failure> {
    if text.len() > LONGEST { Err(Failure::usage(format!("{what} is far too long, shorten it"))) } else { Ok(text) }
}

/// Runs `notify`.
///
/// # Errors
/// The text is too long, too many within a minute, or there is no daemon.
pub async fn notify(state_dir: &Path, args: NotifyArgs) -> Result<(), Failure> {
    let daemon = reach::daemon_at(state_dir, args.socket.as_deref()).await?;
    let text = bounded("the text", args.text)?;
    let told: usize = parse(daemon.ask(&Request::Notify { text }).await?)?;
    match told {
        0 => note("no owner or operator device is online, so nobody was told"),
        1 => note("told 1 device"),
        told => note(format!("told {told} devices")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_a_text_or_a_file_that_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("diff");
        std::fs::write(&file, "one\ntwo\n").unwrap();
        assert_eq!(detail("plain").unwrap(), "plain");
        assert_eq!(detail(&format!("@{}", file.display())).unwrap(), "one\ntwo\n");
        std::fs::write(&file, "x".repeat(LONGEST + 1)).unwrap();
        assert_eq!(detail(&format!("@{}", file.display())).unwrap_err().exit, Exit::Usage, "never cut");
        assert_eq!(detail("@/nowhere/at/all").unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn who_asks_hears_whether_somebody_is_there() {
        assert!(asked_text("k7pq", 2, 0).contains("none of the 2 devices that may answer is online"));
        assert_eq!(asked_text("k7pq", 2, 1), "asked 1 device as k7pq, waiting for an answer");
    }
}
