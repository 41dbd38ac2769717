//! The task of an app: one watch for each live row, and the snapshot made of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::{AppState, Wish};
use crate::client::Client;
use crate::client::machines::{MachineState, MachineView};
use crate::client::watch::MachineWatch;

/// A watch, and the task that passes on what it says.
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
) {
    let news = Arc::new(Notify::new());
    let mut changes = client.changes();
    let mut watched: BTreeMap<i64, Watched> = BTreeMap::new();
    loop {
        // Before the rows are read: what changes meanwhile is looked at in the next round.
        changes.borrow_and_update();
        let wished = *wish.borrow();
        if let Ok(stored) = client.machines().await {
            watched.retain(|row, _| stored.iter().any(|machine| machine.row == *row && is_live(&machine.state)));
            for machine in stored.iter().filter(|machine| is_live(&machine.state)) {
                if !watched.contains_key(&machine.row)
                    && let Some(one) = begin(&client, machine.row, wished, &news).await
                {
                    watched.insert(machine.row, one);
                }
            }
            show(&state, stored, &watched);
        }
        tokio::select! {
            () = news.notified() => {}
            changed = changes.changed() => if changed.is_err() { return },
            changed = wish.changed() => {
                if changed.is_err() {
                    return;
                }
                let wish = *wish.borrow_and_update();
                watched.values().for_each(|one| apply(&one.watch, wish));
            }
            _ = over.wait_for(|over| *over) => return,
        }
    }
}

/// Whether a row wants a connection: it is paired, whatever the last dial said.
fn is_live(stored: &MachineState) -> bool {
    !matches!(stored, MachineState::Unfinished | MachineState::Revoked(_))
}

async fn begin(client: &Client, row: i64, wish: Wish, news: &Arc<Notify>) -> Option<Watched> {
    // The row went meanwhile: the next round sees that.
    let watch = Arc::new(client.watch(row).await.ok()?);
    if wish.paused {
        watch.suspend();
    }
    let (followed, news) = (Arc::clone(&watch), Arc::clone(news));
    let follower = tokio::spawn(async move {
        while followed.changed().await.is_some() {
            news.notify_one();
        }
        news.notify_one();
    });
    Some(Watched { watch, follower })
}

fn apply(watch: &MachineWatch, wish: Wish) {
    if wish.paused { watch.suspend() } else { watch.resume() }
}

fn show(state: &watch::Sender<Arc<AppState>>, stored: Vec<MachineView>, watched: &BTreeMap<i64, Watched>) {
    let machines = stored.into_iter().map(|machine| match watched.get(&machine.row) {
        Some(one) => MachineView { state: one.watch.current(), ..machine },
        None => machine,
    });
    let newest = AppState { machines: machines.collect() };
    state.send_if_modified(|current| {
        let other = **current != newest;
        if other {
            *current = Arc::new(newest);
        }
        other
    });
}
