//! The task of an app: one watch for each live row, and the snapshot made of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::inbox::Inbox;
use super::news::Paper;
use super::{AppState, Wish};
use crate::client::Client;
use crate::client::error::ClientError;
use crate::client::inbox::InboxItem;
use crate::client::machines::{MachineState, MachineView};
use crate::client::watch::MachineWatch;
use crate::wire::{DeviceEvent, Method};

/// News that wait for the task, at most: a machine that tells more waits until it was heard.
const NEWS: usize = 32;

/// How soon a list that could not be read is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a follower passes on of its machine's row.
enum News {
    State,
    Told(i64, Box<DeviceEvent>),
    Inbox(i64, Vec<InboxItem>),
    Disconnected(i64),
}

/// The watches, for whoever asks a machine something.
#[derive(Default)]
pub(super) struct Lines(Mutex<BTreeMap<i64, Arc<MachineWatch>>>);

impl Lines {
    /// The one of that row.
    pub(super) fn get(&self, row: i64) -> Option<Arc<MachineWatch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&row).cloned()
    }

    fn set(&self, watches: BTreeMap<i64, Arc<MachineWatch>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = watches;
    }
}

/// A watch, and the task that follows it.
struct Watched {
    watch: Arc<MachineWatch>,
    follower: JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

/// Keeps the snapshot right until the app is over or nobody holds it any more.
pub(super) async fn keep(
    client: Client,
    state: watch::Sender<Arc<AppState>>,
    mut wish: watch::Receiver<Wish>,
    mut over: watch::Receiver<bool>,
    lines: Arc<Lines>,
) {
    let (tell, mut news) = mpsc::channel(NEWS);
    let mut changes = client.changes();
    let mut watched: BTreeMap<i64, Watched> = BTreeMap::new();
    let (mut inbox, mut paper) = (Inbox::default(), Paper::default());
    loop {
        // Before the rows are read: what changes meanwhile is looked at in the next round.
        changes.borrow_and_update();
        let wished = *wish.borrow();
        let read = client.machines().await;
        let unread = read.is_err();
        if let Ok(mut stored) = read {
            stored.sort_by_key(|machine| machine.row);
            watched.retain(|row, _| stored.iter().any(|machine| machine.row == *row && is_live(&machine.state)));
            inbox.keep(|row| watched.contains_key(&row));
            for machine in stored.iter().filter(|machine| is_live(&machine.state)) {
                if !watched.contains_key(&machine.row)
                    && let Some(one) = begin(&client, machine.row, wished, &tell).await
                {
                    watched.insert(machine.row, one);
                }
            }
            lines.set(watched.iter().map(|(row, one)| (*row, Arc::clone(&one.watch))).collect());
            show(&state, stored, &watched, &inbox, &paper);
        }
        tokio::select! {
            Some(one) = news.recv() => heard(&mut inbox, &mut paper, one, client.inner.clock.wall_ms()),
            changed = changes.changed() => if changed.is_err() { return },
            // What could not be read is not to be shown for ever as it was.
            () = tokio::time::sleep(AGAIN), if unread => {}
            changed = wish.changed() => {
                if changed.is_err() {
                    return;
                }
                let wish = *wish.borrow_and_update();
                watched.values().for_each(|one| apply(&one.watch, wish));
            }
            _ = over.wait_for(|over| *over) => {
                lines.set(BTreeMap::new());
                return;
            }
        }
    }
}

fn heard(inbox: &mut Inbox, paper: &mut Paper, news: News, now: crate::clock::UnixMillis) {
    match news {
        News::State => {}
        News::Told(row, event) => {
            inbox.told(row, &event);
            paper.told(row, &event, now);
        }
        News::Inbox(row, items) => inbox.listed(row, items, now),
        News::Disconnected(row) => {
            inbox.disconnected(row);
        }
    }
}

/// Whether a row wants a connection: it is paired, whatever the last dial said.
fn is_live(stored: &MachineState) -> bool {
    !matches!(stored, MachineState::Unfinished | MachineState::Revoked(_))
}

async fn begin(client: &Client, row: i64, wish: Wish, tell: &mpsc::Sender<News>) -> Option<Watched> {
    // The row went meanwhile: the next round sees that.
    let watch = Arc::new(client.watch(row).await.ok()?);
    if wish.paused {
        watch.suspend();
    }
    let follower = tokio::spawn(follow(Arc::clone(&watch), tell.clone()));
    Some(Watched { watch, follower })
}

/// Passes on what becomes of a machine, and what waits there.
async fn follow(watch: Arc<MachineWatch>, tell: mpsc::Sender<News>) {
    let row = watch.row();
    loop {
        let (news, look) = tokio::select! {
            state = watch.changed() => match state {
                Some(MachineState::Online { .. }) => (News::State, true),
                Some(_) => (News::Disconnected(row), false),
                None => break,
            },
            event = watch.event() => match event {
                Some(event) => {
                    let look = Inbox::default().told(row, &event);
                    (News::Told(row, Box::new(event)), look)
                }
                None => break,
            },
        };
        if tell.send(news).await.is_err() {
            return;
        }
        // A connection that ends meanwhile says so by its state.
        if look
            && let Ok(items) = listed(&watch).await
            && tell.send(News::Inbox(row, items)).await.is_err()
        {
            return;
        }
    }
    let _ = tell.send(News::Disconnected(row)).await;
}

/// What waits there, as far as this device's role lets it see.
async fn listed(watch: &MachineWatch) -> Result<Vec<InboxItem>, ClientError> {
    let mut session = watch.session().await?;
    if Method::Inbox.is_allowed(session.role()) { session.inbox().await } else { Ok(Vec::new()) }
}

fn apply(watch: &MachineWatch, wish: Wish) {
    if wish.paused { watch.suspend() } else { watch.resume() }
}

fn show(
    state: &watch::Sender<Arc<AppState>>,
    stored: Vec<MachineView>,
    watched: &BTreeMap<i64, Watched>,
    inbox: &Inbox,
    paper: &Paper,
) {
    let machines = stored.into_iter().map(|machine| match watched.get(&machine.row) {
        // Whatever the connection is still for: it was forgotten here, and that it says.
        Some(_) if matches!(machine.state, MachineState::Leaving { .. }) => machine,
        // The role that was told on the connection is newer than the stored one.
        Some(one) => {
            MachineView { state: one.watch.current(), role: one.watch.role().unwrap_or(machine.role), ..machine }
        }
        None => machine,
    });
    let machines: Vec<MachineView> = machines.collect();
    let newest = AppState { waiting: inbox.waiting(&machines), ended: inbox.ends(), news: paper.all(), machines };
    state.send_if_modified(|current| {
        let other = **current != newest;
        if other {
            *current = Arc::new(newest);
        }
        other
    });
}
