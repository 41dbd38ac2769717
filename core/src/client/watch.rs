//! A live connection to one machine that comes back by itself, and what it says about its state.
//!
//! One task for each [`MachineWatch`]: dial, stay (`connection`), and when that ends dial again
//! with a growing, jittered pause. It stops for good when the device was revoked, and at a hard
//! stop until the row was re-pinned or it is told to go on. Dropping the watch ends the task.

use std::time::Duration;

use tokio::sync::{Mutex, broadcast, watch};
use tokio::time::Instant;

use super::Client;
use super::connection::End;
use super::error::ClientError;
use super::forget::is_leaving;
use super::live::{self, Line};
use super::machines::{MachineState, MachineView};
use super::session::MachineSession;
use crate::role::Role;
use crate::secrets::random_bytes;
use crate::store::device::machines::MachineRow;
use crate::wire::{DeviceEvent, WaitingApproval};

/// The first pause after a failed dial; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A connection that lasted this long starts the pauses anew; a shorter one may be the next of many.
const STEADY: Duration = Duration::from_secs(10);

/// What the handle tells its task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) cancelled: bool,
    pub(super) paused: bool,
    /// Counts the calls that ask to look at once.
    pub(super) pokes: u64,
}

/// A connection that is kept alive, and its state. Drop it to end the connection.
pub struct MachineWatch {
    row: i64,
    wish: watch::Sender<Wish>,
    current: watch::Receiver<MachineState>,
    waiting: watch::Receiver<Vec<WaitingApproval>>,
    seen: Mutex<watch::Receiver<MachineState>>,
    client: Client,
    line: watch::Receiver<Option<Line>>,
    told: Mutex<broadcast::Receiver<DeviceEvent>>,
}

impl MachineWatch {
    /// The row that is watched.
    pub fn row(&self) -> i64 {
        self.row
    }

    /// The state now.
    pub fn current(&self) -> MachineState {
        self.current.borrow().clone()
    }

    /// This device's role there, as the machine said last on the present connection.
    pub fn role(&self) -> Option<Role> {
        self.line.borrow().as_ref().map(|line| line.standing().role)
    }

    /// What waited for this device's answer at its last welcome, as far as that said: there is something to look
    /// for in `inbox`.
    pub fn waiting(&self) -> Vec<WaitingApproval> {
        self.waiting.borrow().clone()
    }

    /// Waits for another state and gives it; `None` once the watch has ended. States that came and
    /// went between two calls are passed over. May be dropped and called again.
    pub async fn changed(&self) -> Option<MachineState> {
        let mut seen = self.seen.lock().await;
        seen.changed().await.ok()?;
        Some(seen.borrow_and_update().clone())
    }

    /// A session over the connection that is kept, for requests and acts; it ends with that connection.
    ///
    /// # Errors
    /// [`ClientError::Interrupted`]: there is no connection now. No such row.
    pub async fn session(&self) -> Result<MachineSession, ClientError> {
        let id = self.row;
        let row = self.client.durable(move |ledger| ledger.row(id)).await?;
        let line = self.line.borrow().clone();
        let line = line.ok_or_else(|| ClientError::Interrupted { name: row.name.clone() })?;
        Ok(MachineSession::over(self.client.clone(), row, line))
    }

    /// The next thing that the machine tells, over whichever connection; `None` once the watch has ended. What
    /// nobody read in time is told as [`DeviceEvent::Missed`]. May be dropped and called again.
    pub async fn event(&self) -> Option<DeviceEvent> {
        live::next_event(&mut *self.told.lock().await).await
    }

    /// Closes the connection until [`resume`](Self::resume): the app goes to the background.
    pub fn suspend(&self) {
        self.wish.send_modify(|wish| wish.paused = true);
    }

    /// Connects again at once, also after a hard stop.
    pub fn resume(&self) {
        self.wish.send_modify(|wish| {
            wish.paused = false;
            wish.pokes += 1;
        });
    }

    /// The device's network has changed: see at once whether the connection still lives, or dial
    /// without waiting for the pause to end.
    pub fn network_changed(&self) {
        self.wish.send_modify(|wish| wish.pokes += 1);
    }

    /// Ends the connection and the watch.
    pub fn cancel(&self) {
        self.wish.send_modify(|wish| wish.cancelled = true);
    }
}

impl Client {
    /// Keeps a connection to the machine of `row`. Call it inside a tokio runtime. Two watches are
    /// two connections.
    ///
    /// # Errors
    /// No such row, or the device's state cannot be read.
    pub async fn watch(&self, row: i64) -> Result<MachineWatch, ClientError> {
        let stored = self.durable(move |ledger| ledger.row(row)).await?;
        let (wish, wished) = watch::channel(Wish::default());
        let (state, current) = watch::channel(MachineView::of(&stored).state);
        let seen = Mutex::new(current.clone());
        let (kept, line) = watch::channel(None);
        let (waits, waiting) = watch::channel(Vec::new());
        let tell = live::events();
        let told = Mutex::new(tell.subscribe());
        let (client, wish_seen) = (self.clone(), wished);
        let mut keeper =
            Keeper { client: client.clone(), row, wish: wish_seen, state, waits, failures: 0, line: kept, tell };
        tokio::spawn(async move { while keeper.round().await.is_some() {} });
        Ok(MachineWatch { row, wish, current, waiting, seen, client, line, told })
    }
}

/// The task of a watch.
struct Keeper {
    client: Client,
    row: i64,
    wish: watch::Receiver<Wish>,
    state: watch::Sender<MachineState>,
    waits: watch::Sender<Vec<WaitingApproval>>,
    failures: u32,
    /// The line of the present connection.
    line: watch::Sender<Option<Line>>,
    tell: broadcast::Sender<DeviceEvent>,
}

/// What to do after a connection or a dial has ended.
enum Then {
    Dial,
    Pause(Duration),
    /// Until the handle or the row changes.
    HardStop,
}

impl Keeper {
    /// One dial and what comes of it. `None`: the watch is over.
    async fn round(&mut self) -> Option<()> {
        let wish = *self.wish.borrow_and_update();
        if wish.cancelled {
            return None;
        }
        if wish.paused {
            self.say(MachineState::Paused);
            return self.wish.changed().await.ok();
        }
        self.say(MachineState::Connecting);
        let dialled = tokio::select! {
            dialled = self.client.resume_row(self.row) => dialled,
            // Paused, cancelled, or another network: this dial is of no use any more.
            changed = self.wish.changed() => return changed.ok(),
        };
        let then = match dialled {
            Ok(session) => {
                let since = Instant::now();
                let id = self.row;
                let stored = self.client.durable(move |ledger| ledger.row(id)).await.ok();
                // The row went meanwhile: the connection ends by that.
                let Some(stored) = stored else { return Some(()) };
                let (line, served) = live::open(stored.device_id, &session, self.tell.clone());
                // Before the state: who hears of that asks on the one, and looks for the other.
                self.line.send_replace(Some(line));
                self.waits.send_replace(session.welcome.approvals.clone());
                self.say(MachineState::Online { address: session.address.clone() });
                let left = until(self.client.clone(), self.row, |row| row.is_none_or(|row| row.leaving_at.is_some()));
                let end = tokio::select! {
                    end = self.client.stay(self.row, session, &mut self.wish, served) => end,
                    // Forgotten here: the next dial tells the machine, if whoever forgot it has not.
                    () = left => End::Wished,
                };
                self.line.send_replace(None);
                if since.elapsed() >= STEADY {
                    self.failures = 0;
                }
                self.ended(end)?
            }
            Err(error) => self.failed(&error).await?,
        };
        match then {
            Then::Dial => Some(()),
            Then::Pause(pause) => {
                let leaving = matches!(*self.state.borrow(), MachineState::Leaving { .. });
                tokio::select! {
                    () = tokio::time::sleep(pause) => Some(()),
                    changed = self.wish.changed() => {
                        self.failures = 0;
                        changed.ok()
                    }
                    // Paired anew: what it waited to say is not to be said any more.
                    () = until(self.client.clone(), self.row, |row| !row.is_some_and(is_leaving)), if leaving => {
                        self.failures = 0;
                        Some(())
                    }
                }
            }
            Then::HardStop => self.hard_stop().await,
        }
    }

    fn ended(&mut self, end: End) -> Option<Then> {
        match end {
            End::Wished => Some(Then::Dial),
            End::Over(state) => {
                let over = matches!(state, MachineState::Revoked(_));
                let patient = !matches!(state, MachineState::Offline { .. });
                self.say(state);
                if over {
                    return None;
                }
                Some(Then::Pause(if patient { jittered(PAUSE_MAX) } else { self.next_pause() }))
            }
        }
    }

    async fn failed(&mut self, error: &ClientError) -> Option<Then> {
        let id = self.row;
        let row = self.client.durable(move |ledger| ledger.row(id)).await.ok();
        let since = row.as_ref().and_then(|row| row.leaving_at.or(row.offline_since).or(row.last_online));
        let state = MachineState::after(error, since);
        if matches!(state, MachineState::Forgotten { .. }) && row.is_some_and(|row| row.leaving_at.is_none()) {
            // What was left is told; the row was paired anew meanwhile, and stays.
            return Some(Then::Dial);
        }
        self.say(state.clone());
        match state {
            MachineState::Revoked(_) | MachineState::Forgotten { .. } => None,
            MachineState::KeyChanged { .. } | MachineState::KeyCopied => Some(Then::HardStop),
            _ if matches!(error, ClientError::NoSuchMachine(_) | ClientError::Unfinished { .. }) => None,
            MachineState::Offline { .. } | MachineState::Leaving { .. } => Some(Then::Pause(self.next_pause())),
            // Lifted by somebody at the machine, if at all: no hurry.
            _ => Some(Then::Pause(jittered(PAUSE_MAX))),
        }
    }

    /// Waits until the person says go on, or the row was re-pinned or forgotten.
    async fn hard_stop(&mut self) -> Option<()> {
        let mut changes = self.client.changes();
        loop {
            tokio::select! {
                changed = self.wish.changed() => return changed.ok(),
                changed = changes.changed() => changed.ok()?,
            }
            let id = self.row;
            let row = self.client.durable(move |ledger| ledger.row(id)).await.ok()?;
            if row.key_changed.is_none() {
                return Some(());
            }
        }
    }

    fn next_pause(&mut self) -> Duration {
        let doubled = PAUSE.saturating_mul(2_u32.saturating_pow(self.failures.min(8)));
        self.failures = self.failures.saturating_add(1);
        jittered(doubled.min(PAUSE_MAX))
    }

    fn say(&self, state: MachineState) {
        self.state.send_if_modified(|current| {
            let other = *current != state;
            *current = state;
            other
        });
    }
}

/// Resolves once the row is as wanted; it may be gone.
async fn until(client: Client, id: i64, wanted: fn(Option<&MachineRow>) -> bool) {
    let mut changes = client.changes();
    loop {
        changes.borrow_and_update();
        let is_so = match client.durable(move |ledger| ledger.row(id)).await {
            Ok(row) => wanted(Some(&row)),
            Err(ClientError::NoSuchMachine(_)) => wanted(None),
            // What cannot be read now is read at the next change.
            Err(_) => false,
        };
        if is_so || changes.changed().await.is_err() {
            return;
        }
    }
}

/// Between half of `pause` and all of it, so that a thousand devices do not come back as one.
fn jittered(pause: Duration) -> Duration {
    let random = random_bytes::<2>().map_or(u16::MAX, u16::from_be_bytes);
    pause.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_jittered_and_never_longer_than_it_says() {
        let pauses: Vec<Duration> = (0..64).map(|_| jittered(PAUSE_MAX)).collect();
        assert!(pauses.iter().all(|pause| *pause >= PAUSE_MAX / 2 && *pause <= PAUSE_MAX));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
