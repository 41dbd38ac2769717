//! Backups that come back: what this device keeps for its machines, and how a machine that has lost some of it
//! gets it again (docs/protocol.md, section 16).
//!
//! `resume` calls [`Client::compare`] after every welcome, and [`Client::hand_back`] where a machine has never seen
//! this device's tokens. Whatever goes wrong here costs no session: it is done again at the next dial. What
//! a live connection tells is kept by `connection` and `session`, through [`Heard`].

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::Client;
use super::error::ClientError;
use super::ledger::Kept;
use super::line::{self, DialFailed, FirstAnswer};
use super::refused::of_pairing_refusal;
use super::resume::{Session, in_order, unproven};
use crate::handshake::HandBackDraft;
use crate::net::socket::Socket;
use crate::net::tls::PinCheck;
use crate::store::device::machines::MachineRow;
use crate::wire::{
    CounterProof, DeviceEvent, Flow, HandBack, HandedBack, Method, Standing, TombstoneProof, TombstonesAfter,
    TombstonesHash, TombstonesPage, limits,
};

/// Requests that this module makes bear numbers from here on: a session counts from 1.
const FIRST_NUMBER: u64 = 1 << 32;

/// What a live connection tells is written at once, and then once in this time: how often a machine tells is its
/// own choice, and a write waits for the disk.
const PAUSE: Duration = Duration::from_secs(1);
/// Tombstones that wait to be written, at most; what is left out is fetched at the next welcome.
const WAITING: usize = 64;

impl Client {
    /// Compares what a welcome said with what is kept, and hands back what the machine has lost. `before` is the
    /// row as it was before the welcome.
    pub(super) async fn compare(&self, before: &MachineRow, session: &mut Session) {
        let comparing = self.compared(before, session);
        match tokio::time::timeout(limits::HAND_BACK_TIME, comparing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, machine = before.name, "it could not be compared with its past"),
            Err(_) => tracing::warn!(machine = before.name, "it took too long to compare with its past"),
        }
    }

    async fn compared(&self, before: &MachineRow, session: &mut Session) -> Result<(), ClientError> {
        let (id, standing, seen) = (before.row, session.welcome.standing, session.welcome.counter);
        let (kept_counter, kept_hash) = self.durable(move |ledger| ledger.kept_standing(id)).await?;
        let had = before.counter.max(kept_counter.map_or(0, |kept| kept.counter));
        let lower = seen < had;
        let differs = standing.is_some_and(|standing| standing.tombstones != kept_hash);
        if !lower && !differs {
            let news = standing.map(|standing| standing.counter).filter(|counter| Some(*counter) != kept_counter);
            return match news {
                Some(counter) => self.durable(move |ledger| ledger.keep(id, Some(counter), Vec::new())).await,
                None => Ok(()),
            };
        }
        let kept = self.durable(move |ledger| ledger.kept(id)).await?;
        let mut requests = Requests { name: &before.name, socket: &mut session.socket, next: FIRST_NUMBER };
        // Who may not ask what the machine has gives it all.
        let has = match standing {
            Some(standing) => Some(self.fetch(id, standing, &mut requests).await?),
            None => None,
        };
        let is_lost = |proof: &TombstoneProof| {
            has.as_ref().map_or(lower, |has: &Vec<TombstoneProof>| !has.iter().any(|theirs| theirs.key == proof.key))
        };
        let lost: Vec<TombstoneProof> = kept.tombstones.into_iter().filter(is_lost).collect();
        let given = Kept { counter: kept.counter.filter(|_| lower), tombstones: lost };
        let back = requests.hand_back(given).await?;
        self.restored(before, lower, had, back).await
    }

    /// Reads what the machine has, and keeps it.
    async fn fetch(
        &self,
        id: i64,
        standing: Standing,
        requests: &mut Requests<'_>,
    ) -> Result<Vec<TombstoneProof>, ClientError> {
        let (mut all, mut after): (Vec<TombstoneProof>, _) = (Vec::new(), None);
        while all.len() < limits::KEPT_TOMBSTONES {
            let page: TombstonesPage = requests.ask(Method::Tombstones, &TombstonesAfter { after }).await?;
            after = page.tombstones.last().map(TombstoneProof::device);
            all.extend(page.tombstones);
            if !page.more || after.is_none() {
                break;
            }
        }
        all.truncate(limits::KEPT_TOMBSTONES);
        let fetched = all.clone();
        self.durable(move |ledger| ledger.keep(id, Some(standing.counter), fetched)).await?;
        Ok(all)
    }

    /// Says it, once.
    async fn restored(&self, row: &MachineRow, lower: bool, had: u64, back: HandedBack) -> Result<(), ClientError> {
        if !lower && back.taken == 0 {
            return Ok(());
        }
        let id = row.row;
        if self.durable(move |ledger| ledger.note_restored(id, had, back.taken)).await? {
            tracing::warn!(
                machine = row.name,
                taken = back.taken,
                "the machine's state is older than it was: it was restored from a backup, and was handed back what it had lost"
            );
        }
        Ok(())
    }

    /// Hands back what is kept for a machine that gives this device no session, because it has never seen its
    /// tokens. Gives what it took.
    ///
    /// # Errors
    /// It could not be reached, does not prove R, or refuses: this device was revoked.
    pub(super) async fn hand_back(&self, row: &MachineRow) -> Result<HandedBack, ClientError> {
        let (id, name) = (row.row, &row.name);
        let kept = self.durable(move |ledger| ledger.kept(id)).await?;
        if kept.is_empty() {
            return Ok(HandedBack::default());
        }
        let check = PinCheck::Exact(vec![row.pin]);
        let dialled = line::dial(name, &in_order(row, None), check).await.map_err(|error| match error {
            DialFailed::Other(error) => error,
            DialFailed::WrongKey { seen, .. } => ClientError::KeyChanged { name: name.clone(), seen },
        })?;
        let (row_now, channel) = (row.clone(), dialled.channel.clone());
        let asking = self.durable(move |ledger| {
            let draft = HandBackDraft::new(&channel, row_now.device_id)?;
            let signature = ledger.sign(&row_now, &draft.to_sign())?;
            Ok(draft.signed(signature, &ledger.record(&row_now)?.recognition_key))
        });
        let (envelope, wait) = asking.await?;
        let (mut socket, ready) = match line::ask(name, dialled, Flow::HandBack, &envelope).await? {
            FirstAnswer::Opened(socket, answer) => {
                (*socket, wait.receive(&answer).map_err(|error| unproven(error, name))?)
            }
            FirstAnswer::Refused(answer) => {
                let refusal = wait.refused(&answer).map_err(|error| unproven(error, name))?;
                return Err(of_pairing_refusal(&refusal, name));
            }
            FirstAnswer::Stranger { .. } => return Err(ClientError::UnknownDevice { name: name.clone() }),
            FirstAnswer::Answered(_) => return Err(ClientError::Protocol),
        };
        let had = kept.counter.map_or(0, |kept| kept.counter);
        let lower = ready.counter < had;
        let back = if lower || differs(&kept, ready.tombstones) {
            let mut requests = Requests { name, socket: &mut socket, next: FIRST_NUMBER };
            requests.hand_back(kept).await?
        } else {
            HandedBack::default()
        };
        let _ = line::in_time(name, socket.close(crate::wire::CloseCode::Stopping, "")).await;
        self.restored(row, lower, had, back).await?;
        Ok(back)
    }

    /// Keeps what a live connection has told so far.
    pub(super) async fn keep_heard(&self, id: i64, heard: &mut Heard) {
        let (counter, tombstones) = (heard.counter.take(), std::mem::take(&mut heard.tombstones));
        let restored = std::mem::take(&mut heard.restored);
        heard.due = Instant::now() + PAUSE;
        let step = self.durable(move |ledger| {
            ledger.keep(id, counter, tombstones)?;
            // What another device handed back is not counted here; what this one did is known.
            if restored { ledger.hear_restored(id) } else { Ok(false) }
        });
        match step.await {
            Ok(_) => {}
            // The next welcome brings it again.
            Err(error) => tracing::warn!(%error, "what a machine told could not be kept"),
        }
    }
}

fn differs(kept: &Kept, theirs: TombstonesHash) -> bool {
    let keys = kept.tombstones.iter().map(|proof| proof.key).collect();
    crate::handshake::tombstones_hash(keys) != theirs
}

/// What a live connection has told, until it is written.
#[derive(Debug)]
pub(super) struct Heard {
    counter: Option<CounterProof>,
    tombstones: Vec<TombstoneProof>,
    /// The machine took something back, from this device or another.
    restored: bool,
    /// When it may be written.
    pub(super) due: Instant,
}

impl Heard {
    pub(super) fn new() -> Self {
        Self { counter: None, tombstones: Vec::new(), restored: false, due: Instant::now() }
    }

    /// Takes in an event, if it is one of those; whether it was.
    pub(super) fn take(&mut self, event: &DeviceEvent) -> bool {
        match event {
            DeviceEvent::Tombstone { standing, tombstone } => {
                self.counter = Some(standing.counter);
                if self.tombstones.len() < WAITING {
                    self.tombstones.push((**tombstone).clone());
                }
                true
            }
            DeviceEvent::Restored { .. } => {
                self.restored = true;
                true
            }
            _ => false,
        }
    }

    /// Whether something waits to be written.
    pub(super) fn waits(&self) -> bool {
        self.counter.is_some() || self.restored
    }
}

/// Requests on a connection that nobody else uses yet.
struct Requests<'a> {
    name: &'a str,
    socket: &'a mut Socket,
    next: u64,
}

impl Requests<'_> {
    async fn ask<P: Serialize, A: DeserializeOwned>(&mut self, method: Method, params: &P) -> Result<A, ClientError> {
        self.next += 1;
        let params = serde_json::to_value(params).map_err(|_| ClientError::Protocol)?;
        let answer = line::request(self.name, self.socket, self.next, method.as_str(), params).await?;
        match answer {
            Ok(value) => serde_json::from_value(value).map_err(|_| ClientError::Protocol),
            Err((code, _)) if code == crate::wire::RequestError::Failed.code() => Err(ClientError::MachineFailed),
            Err(_) => Err(ClientError::Protocol),
        }
    }

    /// Gives it all, the oldest first: whatever is cut short is then the rest of it at the next dial.
    async fn hand_back(&mut self, given: Kept) -> Result<HandedBack, ClientError> {
        let (mut counter, mut rest) = (given.counter, given.tombstones);
        let mut back = HandedBack::default();
        while counter.is_some() || !rest.is_empty() {
            let from = rest.len().saturating_sub(limits::TOMBSTONES_PAGE);
            let handed = HandBack { counter: counter.take(), tombstones: rest.split_off(from) };
            let taken: HandedBack = self.ask(Method::HandBack, &handed).await?;
            back = HandedBack {
                counter: taken.counter,
                taken: back.taken.saturating_add(taken.taken),
                revoked: back.revoked.saturating_add(taken.revoked),
            };
        }
        Ok(back)
    }
}
