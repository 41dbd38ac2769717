//! Flow (e) on the machine: the planned change of its key, a change because the key is known to others, and
//! moving the next key to a file elsewhere.
//!
//! One record in the database says which keys are meant, so writing it is the change, in one transaction: the
//! new keys are on the disk before ([`prepare`]), the files follow after ([`super::identity::settle`], finished by
//! the next start where a crash came between). What runs takes the new key with the next connection; who is
//! connected stays under the key that it came by, and is told. Called by `verbs` of a running host and by
//! [`OfflineHost`](super::OfflineHost).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::identity::{self, COMING_IDENTITY_FILE, COMING_NEXT_FILE, IDENTITY_KEY_FILE, NEXT_KEY_FILE, pin_of};
use super::shared::{Shared, lock};
use super::views::{KeysChanged, KeysView};
use super::{Host, HostError};
use crate::clock::UnixMillis;
use crate::error::KeyError;
use crate::handshake::RotateDraft;
use crate::identity::{KeyPair, MachineId, Pin, PublicKey};
use crate::net::tls;
use crate::store::host::keys::{self, KeyState};
use crate::store::host::{audit, meta, tokens};
use crate::store::{StateDir, StoreError, outside};
use crate::wire::{CloseCode, Closing, DeviceEvent, Rotate};

/// The setting in which a printed recovery sheet leaves its public key.
const RECOVERY_SETTING: &str = "recovery.key";

/// What is to become of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChangeKind {
    /// The announced next key takes the identity key's place; devices follow by themselves.
    Planned,
    /// The identity key is known to others: no device follows by itself, each scans once more.
    Compromised,
    /// Nothing but the next private key's place.
    MoveNext,
}

/// A change of keys, as the person asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// What.
    pub kind: KeyChangeKind,
    /// The file outside the state directory in which the next private key is, if it is kept elsewhere, and will
    /// be; an absolute path.
    pub next_key: Option<PathBuf>,
}

/// The key under which a machine answers, as one thing: a connection keeps the one that it began with.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) state: KeyState,
    pub(super) tls: Arc<rustls::ServerConfig>,
}

impl Identity {
    pub(super) fn new(state: KeyState, key: &KeyPair, now: UnixMillis) -> Result<Self, HostError> {
        let tls = tls::machine_config(key, now).map_err(|error| HostError::Certificate(error.to_string()))?;
        Ok(Self { state, tls })
    }

    /// What a device that knows `before` has to be told to follow; `None` where it cannot follow by itself.
    pub(super) fn rotated_from(&self, before: &Self) -> Option<Box<Rotate>> {
        let rotated = self.state.rotated.as_ref()?;
        let follows = rotated.epoch == before.state.epoch.saturating_add(1);
        (follows && Pin::of_key(&rotated.old_key) == before.state.pin).then(|| rotated.clone())
    }
}

/// A change whose new keys are on the disk, and which is not decided yet.
pub(super) struct Plan {
    kind: KeyChangeKind,
    before: KeyState,
    pub(super) after: KeyState,
    identity: KeyPair,
}

/// Puts the new keys beside the old ones. Nothing is changed by that: the next start, or the next change, clears
/// it away.
pub(super) fn prepare(
    dir: &StateDir,
    machine: MachineId,
    before: &KeyState,
    change: &KeyChange,
    now: UnixMillis,
) -> Result<Plan, HostError> {
    let place = change.next_key.as_deref().map(as_text).transpose()?;
    identity::settle(dir, before)?;
    if place.is_some() && before.next_kept.is_some() {
        // What a crash left of the change before may stand there, at a place that was out of reach since.
        identity::settle(dir, &KeyState { next_kept: place.clone(), ..before.clone() })?;
    }
    let old = identity::read_identity(dir)?.ok_or_else(|| HostError::KeyMissing(dir.path(IDENTITY_KEY_FILE)))?;
    if pin_of(&old)? != before.pin {
        return Err(HostError::KeyIsOther(dir.path(IDENTITY_KEY_FILE)));
    }
    if let Some(path) = &change.next_key {
        check_place(path, before)?;
    }
    let next = match change.kind {
        KeyChangeKind::Planned | KeyChangeKind::MoveNext => Some(announced(dir, before, change)?),
        // One that is kept here may be as well known as the identity key.
        KeyChangeKind::Compromised if before.next_kept.is_some() && place.is_some() => {
            Some(announced(dir, before, change)?)
        }
        KeyChangeKind::Compromised => None,
    };
    if change.kind == KeyChangeKind::MoveNext {
        let (Some(path), Some(next)) = (&change.next_key, &next) else {
            return Err(HostError::BadKeyPath(PathBuf::new()));
        };
        put_outside(path, before, next)?;
        let after = KeyState { next_kept: place, ..before.clone() };
        return Ok(Plan { kind: change.kind, before: before.clone(), after, identity: old });
    }

    let generate = || KeyPair::generate().map_err(|cause| HostError::Key { path: dir.path(IDENTITY_KEY_FILE), cause });
    let is_here = next.is_some() && before.next_kept.is_none();
    let identity = next.map_or_else(generate, Ok)?;
    if !is_here {
        identity::write(dir, COMING_IDENTITY_FILE, &identity)?;
    }
    let stays = change.kind == KeyChangeKind::Compromised && before.next_kept.is_some() && place.is_none();
    let (next_pin, next_kept) = if stays {
        (before.next_pin, before.next_kept.clone())
    } else {
        let coming = generate()?;
        match &change.next_key {
            Some(path) => put_outside(path, before, &coming)?,
            None => identity::write(dir, COMING_NEXT_FILE, &coming)?,
        }
        (pin_of(&coming)?, place)
    };
    let (epoch, rotated) = match change.kind {
        KeyChangeKind::Planned => {
            let epoch = before.epoch.saturating_add(1);
            (epoch, Some(Box::new(sign(machine, epoch, &old, &identity, next_pin).map_err(wrong_key(dir))?)))
        }
        _ => (before.epoch, None),
    };
    let after = KeyState { epoch, pin: pin_of(&identity)?, next_pin, next_kept, rotated, changed_at: Some(now) };
    crate::fault_point!("rotate-prepared", after);
    Ok(Plan { kind: change.kind, before: before.clone(), after, identity })
}

fn wrong_key(dir: &StateDir) -> impl Fn(KeyError) -> HostError {
    let path = dir.path(IDENTITY_KEY_FILE);
    move |cause| HostError::Key { path: path.clone(), cause }
}

fn sign(machine: MachineId, epoch: u64, old: &KeyPair, new: &KeyPair, next_pin: Pin) -> Result<Rotate, KeyError> {
    let public = |key: &KeyPair| -> Result<PublicKey, KeyError> { key.public_key() };
    let draft = RotateDraft { machine, epoch, old_key: public(old)?, new_key: public(new)?, next_pin };
    let message = draft.to_sign();
    Ok(draft.signed(old.sign(&message)?, new.sign(&message)?))
}

/// The announced next key, from where it is.
fn announced(dir: &StateDir, before: &KeyState, change: &KeyChange) -> Result<KeyPair, HostError> {
    let found = match (&before.next_kept, &change.next_key) {
        (None, _) => identity::read_next(dir)?.ok_or_else(|| HostError::NextKeyMissing(dir.path(NEXT_KEY_FILE)))?,
        (Some(kept), None) => return Err(HostError::NextKeyElsewhere(kept.clone())),
        (Some(kept), Some(path)) => identity::read_outside(path)?
            .ok_or_else(|| HostError::NoNextKey { path: path.clone(), kept: kept.clone() })?,
    };
    if pin_of(&found)? == before.next_pin { Ok(found) } else { Err(HostError::KeyIsOther(dir.path(NEXT_KEY_FILE))) }
}

/// A file that is there has to be the announced next key, which is the one thing that may be overwritten.
fn check_place(path: &Path, before: &KeyState) -> Result<(), HostError> {
    let not_ours = || HostError::NotTheNextKey(path.to_owned());
    match identity::read_outside(path) {
        Ok(None) => Ok(()),
        Ok(Some(key)) if pin_of(&key)? == before.next_pin => Ok(()),
        Ok(Some(_)) | Err(HostError::Key { .. }) => Err(not_ours()),
        Err(error) => Err(error),
    }
}

/// Puts a key beside the place that it is to have, under a name of our own.
fn put_outside(path: &Path, before: &KeyState, key: &KeyPair) -> Result<(), HostError> {
    let fresh = outside::fresh_beside(path);
    let is_announced = |key: KeyPair| pin_of(&key).is_ok_and(|pin| pin == before.next_pin);
    // What a change left that never came about. The announced key has been moved to its place before.
    if !identity::read_outside(&fresh).ok().flatten().is_some_and(is_announced) {
        outside::remove(&fresh)?;
        identity::write_outside(&fresh, key)?;
    }
    Ok(())
}

fn as_text(path: &Path) -> Result<String, HostError> {
    let text = path.to_str().filter(|text| path.is_absolute() && !text.chars().any(char::is_control));
    match (text, path.file_name()) {
        (Some(text), Some(_)) => Ok(text.to_owned()),
        _ => Err(HostError::BadKeyPath(path.to_owned())),
    }
}

impl Plan {
    /// The transaction: from its commit on the keys are others. Says no where they are not those that the plan
    /// was made for.
    pub(super) fn commit(&self, connection: &Connection, now: UnixMillis) -> Result<bool, StoreError> {
        if keys::get(connection)?.as_ref() != Some(&self.before) {
            return Ok(false);
        }
        keys::put(connection, &self.after)?;
        let (pin, epoch) = (self.after.pin.fingerprint(), self.after.epoch);
        let text = match self.kind {
            KeyChangeKind::Planned => format!("the key was changed as planned, fingerprint {pin}, epoch {epoch}"),
            KeyChangeKind::Compromised => {
                tokens::delete_all(connection)?;
                format!("the key was replaced because it may be known to others, fingerprint {pin}: every device scans")
            }
            KeyChangeKind::MoveNext => "the next key was moved out of the state directory".to_owned(),
        };
        meta::bump_counter(connection)?;
        audit::append(connection, now, "key", None, &text)?;
        Ok(true)
    }

    /// Whether every token goes.
    pub(super) fn drops_tokens(&self) -> bool {
        self.kind == KeyChangeKind::Compromised
    }
}

/// Whether a recovery sheet was printed, which names the keys of before.
pub(super) fn has_sheet(connection: &Connection) -> Result<bool, StoreError> {
    Ok(meta::setting(connection, RECOVERY_SETTING)?.is_some())
}

/// The keys, as they are shown.
pub(super) fn view(state: &KeyState) -> KeysView {
    KeysView {
        epoch: state.epoch,
        pin: state.pin,
        next_pin: state.next_pin,
        next_kept: state.next_kept.clone(),
        changed_at: state.changed_at,
    }
}

impl Host {
    /// The machine's keys.
    pub fn keys(&self) -> KeysView {
        view(&self.shared.identity().state)
    }

    /// Changes the machine's keys. Returns when it is decided and done: the next connection is under the new
    /// key, and who is connected is told, or cut where that key is known to others.
    ///
    /// In one piece, whatever becomes of the caller.
    ///
    /// # Errors
    /// Where the next key is not at hand, the file named for it holds something else, or the state cannot be
    /// written: nothing was changed then.
    pub async fn change_keys(&self, change: KeyChange) -> Result<KeysChanged, HostError> {
        let host = self.clone();
        let piece = tokio::spawn(async move { host.changed_keys(change).await });
        piece.await.map_err(|_| StoreError::Closed)?
    }

    async fn changed_keys(self, change: KeyChange) -> Result<KeysChanged, HostError> {
        let shared = &self.shared;
        let _turn = shared.key_turn.lock().await;
        let (before, now, machine) = (shared.identity(), shared.now(), shared.machine);
        let dir = lock(&shared.lock).as_ref().map(|(dir, _)| dir.clone()).ok_or(StoreError::Closed)?;
        let (place, state) = (dir.clone(), before.state.clone());
        let plan = blocking(move || prepare(&place, machine, &state, &change, now)).await?;
        // Made before anything is decided: what can fail, fails here.
        let identity = Arc::new(Identity::new(plan.after.clone(), &plan.identity, now)?);
        let (kind, drops) = (plan.kind, plan.drops_tokens());
        let sheet = move |connection: &Connection| Ok((plan.commit(connection, now)?, has_sheet(connection)?));
        let (done, recovery_sheet) = shared.book.change_keys(drops, sheet).await?;
        if !done {
            return Err(HostError::KeysChanged);
        }
        crate::fault_point!("rotate-committed", identity.state);
        shared.set_identity(Arc::clone(&identity));
        let state = identity.state.clone();
        if let Err(error) = blocking(move || identity::settle(&dir, &state)).await {
            tracing::error!(%error, "the key files could not be put in place, the next start of pairpin serve does it");
        }
        let (mut offers_withdrawn, mut joins_ended, mut connections_cut) = (0, 0, 0);
        if kind != KeyChangeKind::MoveNext {
            // Their links, codes and numbers name the key of before.
            offers_withdrawn = self.cancel_all_offers();
            joins_ended = shared.joins.joins().end_waiting();
            shared.joins.decided();
        }
        let online = shared.book.registry.online();
        if kind == KeyChangeKind::Compromised {
            let closing = Closing { code: CloseCode::KeyReplaced, by: None, at: now, reason: None };
            connections_cut = shared.book.registry.cut_all(&closing).await;
        } else if let Some(rotate) = identity.rotated_from(&before) {
            shared.tell(DeviceEvent::KeyRotated { rotate });
        }
        shared.tell_last_audit().await;
        let devices = shared.book.counts().0;
        let keys = view(&identity.state);
        Ok(KeysChanged { keys, devices, online, offers_withdrawn, joins_ended, connections_cut, recovery_sheet })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HostError> + Send + 'static,
) -> Result<T, HostError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
}

impl Shared {
    /// The key under which the machine answers now.
    pub(super) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn set_identity(&self, identity: Arc<Identity>) {
        *self.identity.write().unwrap_or_else(std::sync::PoisonError::into_inner) = identity;
    }
}
