//! Asking the owner and operator devices: what drives [`Asks`] for who asks. The answers are in `answering`.
//!
//! The daemon calls [`Host::ask`] for a caller and waits with [`AskWaiting`]; dropping that takes the ask
//! back everywhere. Everything is in memory: a stop, a crash or silence answers nothing with yes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::answering::stands;
use super::asks::{Asks, Waiting};
use super::questions::{self, AskError, Question, caller};
use super::shared::{Shared, lock};
use super::{Host, HostError, sessions};
use crate::names::quoted;
use crate::role::Role;
use crate::secrets::random_bytes;
use crate::store::host::devices::DeviceRow;
use crate::wire::{AnswerProof, AskEnd, AskKnown, AskMessage, DeviceEvent, limits};

/// How often waiting asks are looked at for their end. With none, nothing wakes up.
const TICK: Duration = Duration::from_millis(250);

/// The time in which asks and notices are counted.
const COUNTED: Duration = Duration::from_secs(60);

/// What the host keeps of asks and notices.
#[derive(Debug, Default)]
pub(super) struct Asking {
    desk: Mutex<Desk>,
    opened: Notify,
    /// Answers are taken one at a time: who comes second is told how the first ended.
    pub(super) turn: tokio::sync::Mutex<()>,
    asked: Mutex<Recent>,
    noticed: Mutex<Recent>,
}

/// What users did lately: who asks and takes back, again and again, would fill logs and screens.
#[derive(Debug, Default)]
struct Recent(VecDeque<(Duration, u32)>);

impl Recent {
    /// Counts one more; `false` where that is too many, of this user or in all.
    fn takes(&mut self, uid: u32, now: Duration, of_user: usize, in_all: usize) -> bool {
        self.0.retain(|(at, _)| now.saturating_sub(*at) < COUNTED);
        if self.0.len() >= in_all || self.0.iter().filter(|(_, by)| *by == uid).count() >= of_user {
            return false;
        }
        self.0.push_back((now, uid));
        true
    }
}

/// How an ask ended, and for a yes the statement that said so.
type Ended = (AskEnd, Option<AnswerProof>);

#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) asks: Asks,
    callers: HashMap<String, oneshot::Sender<Ended>>,
}

impl Desk {
    /// Tells who asked. Under the same lock as the end itself.
    pub(super) fn ended(&mut self, id: &str, end: &AskEnd, proof: Option<AnswerProof>) {
        if let Some(caller) = self.callers.remove(id) {
            let _ = caller.send((end.clone(), proof));
        }
    }
}

impl Asking {
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }
}

/// The devices that may answer: paired as owner or operator, in good standing, with an approval key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answerers {
    /// How many.
    pub paired: usize,
    /// How many of them are connected now.
    pub online: usize,
}

/// An ask that waits, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskView {
    /// What devices are shown.
    pub shown: AskMessage,
    /// Time that is left.
    pub left: Duration,
}

/// An ask of one caller. Dropping it takes the ask back.
pub struct AskWaiting {
    host: Host,
    shown: AskMessage,
    end: oneshot::Receiver<Ended>,
    proof: Option<AnswerProof>,
    over: bool,
}

impl AskWaiting {
    /// What devices are shown.
    pub fn shown(&self) -> &AskMessage {
        &self.shown
    }

    /// Waits for the end. Only [`AskEnd::Yes`] is a yes. May be dropped and called again.
    pub async fn end(&mut self) -> AskEnd {
        let mut stopping = self.host.shared.stopping.subscribe();
        let end = tokio::select! {
            biased;
            ended = &mut self.end => match ended {
                Ok((end, proof)) => {
                    self.proof = proof;
                    end
                }
                Err(_) => AskEnd::Withdrawn,
            },
            _ = stopping.wait_for(|stopping| *stopping) => return AskEnd::Withdrawn,
        };
        self.over = true;
        end
    }

    /// After a yes: the statement that said so, for a caller that checks it itself.
    pub fn proof(&self) -> Option<&AnswerProof> {
        self.proof.as_ref()
    }
}

impl Drop for AskWaiting {
    fn drop(&mut self) {
        if !self.over {
            self.host.shared.withdraw(&self.shown.id, "who asked has gone away");
        }
    }
}

impl Host {
    /// The devices that may answer an ask now.
    pub fn answerers(&self) -> Answerers {
        let (book, now) = (&self.shared.book, self.shared.judged_now());
        let may = |row: &DeviceRow| {
            stands(row, None) && row.approval.is_some() && !sessions::is_expired(row, now) && !book.is_barred(row.id)
        };
        let rows: Vec<DeviceRow> = book.rows().into_iter().filter(may).collect();
        let online = rows.iter().filter(|row| book.registry.count(row.id) > 0).count();
        Answerers { paired: rows.len(), online }
    }

    /// Asks the owner and operator devices.
    ///
    /// # Errors
    /// [`AskError::Nobody`] at once where no device is paired that may answer; what is wrong with the question.
    pub async fn ask(&self, question: Question) -> Result<AskWaiting, AskError> {
        let shared = &self.shared;
        let time = question.time()?;
        let id = new_id().map_err(HostError::Random)?;
        let (shown, message) = question.shown(id.clone(), shared.now(), time)?;
        if self.answerers().paired == 0 {
            return Err(AskError::Nobody);
        }
        let (send, end) = oneshot::channel();
        let (uid, now) = (shown.known.uid, shared.clock.elapsed());
        // What waits is told first: it says what to do.
        shared.asking.desk().asks.room_for(uid)?;
        if !lock(&shared.asking.asked).takes(uid, now, limits::ASKS_A_MINUTE_PER_USER, limits::ASKS_A_MINUTE) {
            return Err(AskError::Often);
        }
        {
            let mut desk = shared.asking.desk();
            desk.asks.open(shown.clone(), message, now + time)?;
            desk.callers.insert(id.clone(), send);
        }
        // From here on it is taken back if this is dropped.
        let waiting = AskWaiting { host: self.clone(), shown, end, proof: None, over: false };
        let (text, who) = (quoted(&waiting.shown.claimed.text), caller(&waiting.shown.known));
        shared.audit("asked", None, format!("{who} asks {text}, as {id}")).await?;
        let pending = shared.asking.desk().asks.waiting(now).find(|ask| ask.shown.id == id).map(|ask| ask.pending(now));
        if let Some(ask) = pending {
            shared.tell(DeviceEvent::AskPending { ask });
        }
        shared.asking.opened.notify_one();
        Ok(waiting)
    }

    /// The asks that wait, oldest first.
    pub fn asks(&self) -> Vec<AskView> {
        let now = self.shared.clock.elapsed();
        let view = |ask: &Waiting| AskView { shown: ask.shown.clone(), left: ask.ends.saturating_sub(now) };
        self.shared.asking.desk().asks.waiting(now).map(view).collect()
    }

    /// Takes an ask back, at the machine's shell.
    ///
    /// # Errors
    /// [`AskError::NoAsk`].
    pub fn cancel_ask(&self, id: &str) -> Result<(), AskError> {
        let gone = self.shared.withdraw(id, "at the machine's shell");
        if gone { Ok(()) } else { Err(AskError::NoAsk(id.to_owned())) }
    }

    /// Tells the connected owner and operator devices something that needs no answer. Gives how many are
    /// connected.
    ///
    /// # Errors
    /// The text is empty or too long; too many within a minute.
    pub fn notify(&self, known: AskKnown, text: &str) -> Result<usize, AskError> {
        let shared = &self.shared;
        let text = questions::text(text)?;
        let now = shared.clock.elapsed();
        let (of_user, in_all) = (limits::NOTICES_PER_USER, limits::NOTICES);
        if !lock(&shared.asking.noticed).takes(known.uid, now, of_user, in_all) {
            return Err(AskError::Often);
        }
        shared.tell(DeviceEvent::Notice { known: questions::known(known), text, at: shared.now() });
        let rows = shared.book.rows();
        let online = |row: &&DeviceRow| row.role >= Role::Operator && shared.book.registry.count(row.id) > 0;
        Ok(rows.iter().filter(online).count())
    }
}

impl Shared {
    /// Ends an ask that nobody waits for any more; `false` if it was none.
    fn withdraw(self: &Arc<Self>, id: &str, why: &'static str) -> bool {
        let gone = {
            let mut desk = self.asking.desk();
            let gone = desk.asks.withdraw(id);
            desk.ended(id, &AskEnd::Withdrawn, None);
            gone
        };
        let Some(gone) = gone else { return false };
        let text = format!("{} was withdrawn: {why}", named(&gone));
        self.ask_gone(gone, AskEnd::Withdrawn, "ask-withdrawn", text);
        true
    }

    /// Tells the devices, and writes a line that nobody waits for.
    fn ask_gone(self: &Arc<Self>, gone: Waiting, end: AskEnd, kind: &'static str, text: String) {
        self.tell(DeviceEvent::AskGone { id: gone.shown.id, end });
        let shared = Arc::clone(self);
        self.spawn(async move {
            if let Err(error) = shared.audit(kind, None, text).await {
                tracing::warn!(%error, "the end of an ask could not be recorded");
            }
        });
    }
}

/// Ends asks whose time is over.
pub(super) async fn end_asks(shared: Arc<Shared>) {
    loop {
        let (ended, empty) = {
            let mut desk = shared.asking.desk();
            let ended = desk.asks.expire(shared.clock.elapsed());
            ended.iter().for_each(|ask| desk.ended(&ask.shown.id, &AskEnd::Expired, None));
            (ended, desk.asks.is_empty())
        };
        for ask in ended {
            let text = format!("{} was not answered in time", named(&ask));
            shared.ask_gone(ask, AskEnd::Expired, "ask-expired", text);
        }
        if empty {
            shared.asking.opened.notified().await;
        } else {
            tokio::time::sleep(TICK).await;
        }
    }
}

pub(super) fn named(ask: &Waiting) -> String {
    format!("{} ({})", quoted(&ask.shown.claimed.text), ask.shown.id)
}

/// Eight letters, to be typed by people.
fn new_id() -> Result<String, crate::error::RandomError> {
    Ok(data_encoding::BASE32_NOPAD.encode(&random_bytes::<5>()?).to_lowercase())
}
