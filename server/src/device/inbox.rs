//! `pairpin inbox`: what waits for an answer on the paired machines.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use pairpin_core::client::{
    AskItem, Client, ClientError, ErrorKind, InboxItem, JoinItem, MachineSession, MachineState, clean_end,
};
use pairpin_core::clock::{Clock as _, SystemClock};
use pairpin_core::role::Role;
use pairpin_core::wire::{AskEnd, DeviceEvent, JoinEnd};
use serde::Serialize;
use tokio::sync::mpsc;

use super::cli::InboxArgs;
use super::open;
use crate::admin::views::{AskRecord, JoinRecord};
use crate::exit::{Exit, Failure};
use crate::output::style::{printable, quoted};
use crate::output::time::Moment;
use crate::output::{facts, json, note, say, say_lines};

/// Machines that are dialled at once, at most.
const AT_ONCE: usize = 16;
/// Items of a machine that are known not to be new, at most; a machine has far fewer waiting.
const KNOWN: usize = 1024;
/// The first pause before a machine is dialled again; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Something that waits, in `--json`. Another kind is another variant.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ItemJson {
    Ask {
        machine: String,
        #[serde(flatten)]
        ask: AskRecord,
    },
    Join {
        machine: String,
        #[serde(flatten)]
        join: JoinRecord,
    },
}

impl ItemJson {
    pub fn of(machine: &str, item: &InboxItem) -> Self {
        match item {
            InboxItem::Ask(ask) => Self::Ask { machine: machine.to_owned(), ask: record(ask) },
            InboxItem::Join(join) => Self::Join { machine: machine.to_owned(), join: join.listed.clone().into() },
        }
    }
}

/// The lines that show an item to a person.
pub fn shown(machine: &str, item: &InboxItem) -> Vec<String> {
    match item {
        InboxItem::Ask(ask) => facts::lines(&record(ask), machine),
        InboxItem::Join(join) => join_lines(&join.listed.clone().into(), machine),
    }
}

/// What is known of a device that asks to be let in, and what it says of itself.
fn join_lines(join: &JoinRecord, machine: &str) -> Vec<String> {
    let network = if join.same_network { "the machine's own network" } else { "another network" };
    let mut lines = vec![
        format!("{}  a device asks to be let in on {}", join.id, quoted(machine)),
        format!("  known     from {} ({}), {network}", printable(&join.from), join.network.as_str()),
        format!("  it says   it is called {}, on {}", quoted(&join.name), printable(&join.platform)),
    ];
    if let Some(by) = &join.revoked_by {
        lines.push(format!("  REVOKED   its key was revoked here by {}, it cannot be let in", printable(by)));
    }
    if let Some(name) = &join.known_as {
        lines.push(format!(
            "  paired    its key is paired there already as {}: this gives it another session",
            quoted(name)
        ));
    }
    if join.before_restart {
        lines.push(
            "  OVER      it asked before the machine restarted, nobody can let it in by that: ask again there"
                .to_owned(),
        );
        return lines;
    }
    lines.push(match join.number {
        true => {
            format!("  let it in by what IT shows: pairpin approve {} --number NUMBER, or --image PICTURE", join.id)
        }
        false => "  let it in by what IT shows: pairpin approve --image PICTURE".to_owned(),
    });
    lines
}

fn record(ask: &AskItem) -> AskRecord {
    AskRecord::of(ask.shown.clone(), ask.left)
}

/// A machine that could not be asked.
#[derive(Debug, Serialize)]
pub struct Unasked {
    pub machine: String,
    pub why: String,
    /// What kind of failure it is.
    #[serde(skip)]
    pub kind: ErrorKind,
}

/// The exit code where no machine could be asked: that nobody was there only if one of them was not.
pub fn exit_of(unasked: &[Unasked]) -> Exit {
    let any = |kind| unasked.iter().any(|unasked| unasked.kind == kind);
    if any(ErrorKind::IdentityChanged) {
        Exit::IdentityChanged
    } else if any(ErrorKind::NotReachable) {
        Exit::Nobody
    } else if any(ErrorKind::Failed) {
        Exit::Failed
    } else {
        Exit::Expired
    }
}

#[derive(Serialize)]
struct ListJson {
    items: Vec<ItemJson>,
    unasked: Vec<Unasked>,
}

/// A machine that was reached, and what waits there.
pub struct Reached {
    pub session: MachineSession,
    pub items: Vec<InboxItem>,
}

/// Dials the machines, all of them or one, and reads what waits there.
pub async fn look(client: &Client, on: Option<&str>) -> Result<(Vec<Reached>, Vec<Unasked>), Failure> {
    let machines = match on {
        Some(selector) => vec![client.find(selector).await?],
        None => client.machines().await?,
    };
    let live = machines.into_iter().filter(|machine| !matches!(machine.state, MachineState::Revoked(_)));
    let looks = live.map(|machine| async move {
        let reached = reach(client, machine.row).await;
        reached.map_err(|error| Unasked { machine: machine.name, why: error.to_string(), kind: error.kind() })
    });
    let (mut reached, mut unasked) = (Vec::new(), Vec::new());
    let mut looks = futures_util::stream::iter(looks).buffered(AT_ONCE);
    while let Some(look) = looks.next().await {
        match look {
            Ok(found) => reached.push(found),
            Err(why) => unasked.push(why),
        }
    }
    Ok((reached, unasked))
}

async fn reach(client: &Client, row: i64) -> Result<Reached, ClientError> {
    let mut session = client.open_session(row).await?;
    let items = session.inbox().await?;
    Ok(Reached { session, items })
}

/// Runs `pairpin inbox`.
///
/// # Errors
/// What to tell the person; where no machine could be asked, exit code 4 if one was not there, else 1 and the like.
pub async fn run_inbox(state_dir: &Path, args: InboxArgs) -> Result<(), Failure> {
    let (client, _) = open(state_dir, args.store.secret_store, None)?;
    if args.follow {
        return follow(&client, args.json).await;
    }
    let (reached, unasked) = look(&client, None).await?;
    let all = |reached: &Reached| -> Vec<(String, InboxItem)> {
        let name = reached.session.name().to_owned();
        reached.items.iter().map(|item| (name.clone(), item.clone())).collect()
    };
    let items: Vec<(String, InboxItem)> = reached.iter().flat_map(all).collect();
    let nobody = reached.is_empty() && !unasked.is_empty();
    let failed = exit_of(&unasked);
    for reached in reached {
        reached.session.close().await;
    }
    unasked.iter().for_each(|unasked| note(format!("{}: {}", printable(&unasked.machine), unasked.why)));
    if args.json {
        let items = items.iter().map(|(machine, item)| ItemJson::of(machine, item)).collect();
        say(json::line(&ListJson { items, unasked })?)?;
    } else if items.is_empty() {
        if !nobody {
            note("nothing is waiting for an answer");
        }
    } else {
        for (machine, item) in &items {
            say_lines(&shown(machine, item))?;
        }
        note("answer with `pairpin approve ID` or `pairpin deny ID`");
    }
    if nobody { Err(Failure::quiet(failed)) } else { Ok(()) }
}

/// A line of `inbox --follow --json`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Pending {
        item: ItemJson,
    },
    Gone {
        machine: String,
        id: String,
        how: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    Notice {
        machine: String,
        at: Moment,
        uid: u32,
        user: Option<String>,
        text: String,
    },
    DeviceChanged {
        machine: String,
        at: Moment,
        device: String,
        name: String,
        role: Role,
        suspended: bool,
        by: String,
    },
    SessionEnding {
        machine: String,
        device: String,
        name: String,
        ends_at: Moment,
        unused: bool,
    },
    RecoveryUsed {
        machine: String,
        at: Moment,
        from: String,
        revoked: usize,
    },
    Online {
        machine: String,
    },
    Offline {
        machine: String,
        why: String,
    },
}

/// What a follower tells: the event, and its lines for a person.
type Told = (Event, Vec<String>);

async fn follow(client: &Client, as_json: bool) -> Result<(), Failure> {
    let (send, mut told) = mpsc::channel(64);
    for machine in client.machines().await? {
        if !matches!(machine.state, MachineState::Revoked(_)) {
            let follower =
                Follower { client: client.clone(), row: machine.row, name: machine.name, send: send.clone() };
            tokio::spawn(follower.run());
        }
    }
    drop(send);
    let mut any = false;
    while let Some((event, lines)) = told.recv().await {
        any = true;
        if as_json {
            say(json::line(&event)?)?;
        } else if matches!(event, Event::Online { .. } | Event::Offline { .. }) {
            lines.iter().for_each(note);
        } else {
            say_lines(&lines)?;
        }
    }
    if any { Ok(()) } else { Err(Failure::failed("no machine is paired with this device: run pairpin join here")) }
}

/// Follows one machine, and comes back to it until this device has no business there any more.
struct Follower {
    client: Client,
    row: i64,
    name: String,
    send: mpsc::Sender<Told>,
}

impl Follower {
    async fn run(self) {
        let (mut pause, mut warned) = (PAUSE, HashSet::new());
        loop {
            let error = match self.connected(&mut pause, &mut warned).await {
                Ok(()) => return,
                Err(error) => error,
            };
            let (machine, why) = (self.name.clone(), error.to_string());
            let line = format!("{}: {why}", printable(&machine));
            let heard = self.send.send((Event::Offline { machine, why }, vec![line])).await;
            let over = !matches!(error, ClientError::Unreachable { .. } | ClientError::Interrupted { .. });
            if heard.is_err() || over {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// One connection, from its welcome to its end. `Ok` where nobody listens to this any more.
    ///
    /// `warned` outlives it: a machine that comes and goes warns at each connection, and a person wants it once.
    async fn connected(&self, pause: &mut Duration, warned: &mut HashSet<Vec<String>>) -> Result<(), ClientError> {
        let mut session = self.client.open_session(self.row).await?;
        let mut known = HashSet::new();
        let waiting = session.inbox().await?;
        *pause = PAUSE;
        let online = Event::Online { machine: self.name.clone() };
        let mut all = vec![(online, vec![format!("{}: connected", printable(&self.name))])];
        all.extend(waiting.iter().filter_map(|item| self.pending(item, &mut known)));
        loop {
            for told in all.drain(..) {
                if self.send.send(told).await.is_err() {
                    return Ok(());
                }
            }
            match session.event().await? {
                DeviceEvent::AskPending { ask } => {
                    let item = AskItem::of(&ask).map(InboxItem::Ask);
                    all.extend(item.and_then(|item| self.pending(&item, &mut known)));
                }
                DeviceEvent::JoinPending(listed) => {
                    let item = InboxItem::Join(JoinItem::new(*listed));
                    all.extend(self.pending(&item, &mut known));
                }
                DeviceEvent::JoinGone { join, end, by } => {
                    known.remove(&join.text());
                    all.push(self.join_gone(join.text(), end, by));
                }
                DeviceEvent::AskGone { id, end } => {
                    known.remove(&id);
                    all.push(self.gone(id, end));
                }
                DeviceEvent::Notice { known, text, at } => {
                    let (user, text) = (known.user.as_deref().map(printable), printable(&text));
                    let who = user.clone().unwrap_or_else(|| format!("#{}", known.uid));
                    let line = format!("{}: {who} says {}", printable(&self.name), quoted(&text));
                    let (machine, at, uid) = (self.name.clone(), Moment(at), known.uid);
                    all.push((Event::Notice { machine, at, uid, user, text }, vec![line]));
                }
                event @ DeviceEvent::DeviceChanged { .. } => all.extend(self.changed(event)),
                event @ DeviceEvent::SessionEnding { .. } => {
                    all.extend(self.ending(event).filter(|(_, lines)| warned.insert(lines.clone())));
                }
                DeviceEvent::RecoveryUsed { from, at, revoked } => {
                    let (machine, from) = (self.name.clone(), printable(&from));
                    let line = format!(
                        "ALARM: the recovery sheet of {} was used from {from}, devices revoked: {revoked}",
                        printable(&machine)
                    );
                    all.push((Event::RecoveryUsed { machine, at: Moment(at), from, revoked }, vec![line]));
                }
                DeviceEvent::Missed => {
                    let waiting = session.inbox().await?;
                    all.extend(waiting.iter().filter_map(|item| self.pending(item, &mut known)));
                }
                _ => {}
            }
        }
    }

    /// What a device may do was changed.
    fn changed(&self, event: DeviceEvent) -> Option<Told> {
        let DeviceEvent::DeviceChanged { device, name, role, suspended, by, at, .. } = event else { return None };
        let (machine, name, by) = (self.name.clone(), printable(&name), printable(&by));
        let what = if suspended { "is suspended".to_owned() } else { format!("is {role}") };
        let line = format!("{}: {} {what}, by {by}", printable(&machine), quoted(&name));
        let (at, device) = (Moment(at), device.text());
        Some((Event::DeviceChanged { machine, at, device, name, role, suspended, by }, vec![line]))
    }

    /// A session ends soon.
    fn ending(&self, event: DeviceEvent) -> Option<Told> {
        let DeviceEvent::SessionEnding { device, name, ends_at, unused } = event else { return None };
        let (machine, name) = (self.name.clone(), printable(&name));
        let when = Moment(ends_at).ahead(SystemClock.wall_ms());
        let next = match unused {
            true => "it is not used, and connecting with it is enough",
            false => "to go on, pair it again with a fresh offer; name and role stay",
        };
        let line = format!("{}: the session of {} ends {when}: {next}", printable(&machine), quoted(&name));
        let (device, ends_at) = (device.text(), Moment(ends_at));
        Some((Event::SessionEnding { machine, device, name, ends_at, unused }, vec![line]))
    }

    /// Told once; again where the machine has named more than any can have waiting.
    fn pending(&self, item: &InboxItem, known: &mut HashSet<String>) -> Option<Told> {
        if known.len() >= KNOWN {
            known.clear();
        }
        let new = known.insert(item.id().to_owned());
        new.then(|| (Event::Pending { item: ItemJson::of(&self.name, item) }, shown(&self.name, item)))
    }

    fn join_gone(&self, id: String, end: JoinEnd, by: Option<String>) -> Told {
        let by = by.as_deref().map(printable);
        let (how, text) = match end {
            JoinEnd::Accepted => ("yes", "let in"),
            JoinEnd::Denied => ("no", "denied"),
            JoinEnd::Withdrawn => ("withdrawn", "let in by somebody who may not any more, and not paired"),
            JoinEnd::Over => ("expired", "asks no more"),
            JoinEnd::Unknown => ("unknown", "ended, in a way that this version does not know"),
        };
        let who = by.as_deref().map(|by| format!(" by {}", quoted(by))).unwrap_or_default();
        let line = format!("{id}  on {}: {text}{who}", printable(&self.name));
        (Event::Gone { machine: self.name.clone(), id, how, by }, vec![line])
    }

    fn gone(&self, id: String, end: AskEnd) -> Told {
        let (id, end) = (printable(&id), clean_end(end));
        let (how, by) = how(&end);
        let line = format!("{id}  on {}: {}", printable(&self.name), end_text(&end));
        (Event::Gone { machine: self.name.clone(), id, how, by }, vec![line])
    }
}

/// How an ask ended, in words for programs.
pub fn how(end: &AskEnd) -> (&'static str, Option<String>) {
    match end {
        AskEnd::Yes { by } => ("yes", Some(by.clone())),
        AskEnd::No { by } => ("no", Some(by.clone())),
        AskEnd::Withdrawn => ("withdrawn", None),
        AskEnd::Expired => ("expired", None),
        AskEnd::Unknown => ("unknown", None),
    }
}

/// The same for people.
pub fn end_text(end: &AskEnd) -> String {
    match end {
        AskEnd::Yes { by } => format!("answered yes by {}", quoted(by)),
        AskEnd::No { by } => format!("answered no by {}", quoted(by)),
        AskEnd::Withdrawn => "withdrawn, who asked has gone away".into(),
        AskEnd::Expired => "not answered in time".into(),
        AskEnd::Unknown => "ended, in a way that this version does not know".into(),
    }
}
