//! The state of an app: every machine with its live connection and what waits there, in one snapshot that is always the present one.
//!
//! A phone's shell starts an [`App`] and shows what [`App::state`] holds; [`App::changes`] tells it of the next.
//! Whoever comes late sees the present state first, whoever is slow the newest, never a queue. What a person
//! may do with a machine, and why not, is decided in `actions`; what a shell adds is layout and language.

mod actions;
mod device_actions;
mod diagnostics;
mod inbox;
mod keeper;
mod news;

use std::sync::Arc;

use tokio::sync::watch;

use super::Client;
use super::error::ClientError;
use super::inbox::{AskItem, InboxItem};
use super::machines::MachineView;
use super::session::MachineSession;

pub use actions::{Action, WhyNot};
pub use device_actions::{DeviceAction, WhyNotDevice};
pub use inbox::{Ended, How, Waiting};
pub use news::{News, Tidings};

/// What an app shows. Two equal ones look the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AppState {
    /// The machines, in the order in which they were paired.
    pub machines: Vec<MachineView>,
    /// What waits for an answer on those that are connected, soonest over first.
    pub waiting: Vec<Waiting>,
    /// How things ended that had waited, the latest last.
    pub ended: Vec<Ended>,
    /// What machines told that waits for no answer, the newest last.
    pub news: Vec<News>,
}

/// What the app wishes for all of its connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wish {
    paused: bool,
    /// Counts the calls that ask to look at once.
    pokes: u64,
}

/// A running app: it keeps a connection to every paired machine. Drop it, or [`cancel`](Self::cancel) it, to end
/// them all.
pub struct App {
    client: Client,
    state: watch::Receiver<Arc<AppState>>,
    wish: watch::Sender<Wish>,
    over: watch::Sender<bool>,
    lines: Arc<keeper::Lines>,
}

impl App {
    /// Reads the stored list and begins to connect. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// The device's state cannot be read.
    pub async fn start(client: Client) -> Result<Self, ClientError> {
        let mut machines = client.machines().await?;
        machines.sort_by_key(|machine| machine.row);
        let (state, shown) = watch::channel(Arc::new(AppState { machines, ..AppState::default() }));
        let (wish, wished) = watch::channel(Wish::default());
        let (over, ended) = watch::channel(false);
        let lines = Arc::new(keeper::Lines::default());
        tokio::spawn(keeper::keep(client.clone(), state, wished, ended, Arc::clone(&lines)));
        Ok(Self { client, state: shown, wish, over, lines })
    }

    /// The engine, for what a person does.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A session over the connection that is kept to the machine of `row`.
    ///
    /// # Errors
    /// [`ClientError::NoSuchMachine`]; [`ClientError::Interrupted`]: it is not connected now.
    pub async fn session(&self, row: i64) -> Result<MachineSession, ClientError> {
        let watch = self.lines.get(row).ok_or_else(|| ClientError::NoSuchMachine(row.to_string()))?;
        watch.session().await
    }

    /// What waits under that id on the machine of `row`, as it is shown.
    ///
    /// # Errors
    /// [`ClientError::NotThere`]: it was answered, withdrawn or has expired.
    pub fn waiting(&self, row: i64, id: &str) -> Result<Waiting, ClientError> {
        let state = self.state();
        let found = state.waiting.iter().find(|waiting| waiting.row == row && waiting.item.id() == id);
        let name = || state.machines.iter().find(|machine| machine.row == row).map(|machine| machine.name.clone());
        found.cloned().ok_or_else(|| ClientError::NotThere { name: name().unwrap_or_default() })
    }

    /// The ask under that id on the machine of `row`, if it is the very one that was shown: a yes is never to other
    /// words than the person saw, whatever the machine lists by now.
    ///
    /// # Errors
    /// [`ClientError::NotThere`]: it was answered, withdrawn, has expired, or is another question now.
    pub fn ask_as_shown(&self, row: i64, id: &str, shown: &str) -> Result<AskItem, ClientError> {
        let waiting = self.waiting(row, id)?;
        match waiting.item {
            InboxItem::Ask(ask) if ask.shown_as() == shown => Ok(ask),
            _ => Err(ClientError::NotThere { name: waiting.machine }),
        }
    }

    /// A few lines for whoever helps this device's person: no secret, no name, no address, no key.
    pub fn diagnostics(&self) -> String {
        diagnostics::of(&self.state(), &self.client.inner.platform)
    }

    /// The present state.
    pub fn state(&self) -> Arc<AppState> {
        self.state.borrow().clone()
    }

    /// Tells of every next state; ends when the app does.
    pub fn changes(&self) -> watch::Receiver<Arc<AppState>> {
        self.state.clone()
    }

    /// The app is not looked at any more: the connections end until [`foreground`](Self::foreground).
    pub fn background(&self) {
        self.wish.send_modify(|wish| wish.paused = true);
    }

    /// The app is looked at again: connects at once, also after a hard stop.
    pub fn foreground(&self) {
        self.wish.send_modify(|wish| {
            wish.paused = false;
            wish.pokes += 1;
        });
    }

    /// The phone's network has changed: each connection is looked at, each waiting dial done at once.
    pub fn network_changed(&self) {
        self.wish.send_modify(|wish| wish.pokes += 1);
    }

    /// Ends every connection, and the changes.
    pub fn cancel(&self) {
        self.over.send_replace(true);
    }
}
