//! A session key before it has a row: made for a pairing, or for a typed code, where the machine says
//! who it is only after the key has been used.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;

use super::super::error::ClientError;
use super::{Keys, Ledger};
use crate::identity::{Pin, PublicKey, Signature};
use crate::secrets::{KeyKind, random_bytes};
use crate::store::device::machines::MachineRow;
use crate::store::{Lock, StoreError};

/// Names the key of a typing that has no row yet.
const CODE_DRAFT: &str = "code-draft";
/// Held for as long as that key may be used.
const CODE_DRAFT_LOCK: &str = "code-draft.lock";
/// Names the key of a join that has no row yet.
const JOIN_DRAFT: &str = "join-draft";
/// Held for as long as that key may be used.
const JOIN_DRAFT_LOCK: &str = "join-draft.lock";
/// Names the key of a scan that has no row yet; the device's lock is held meanwhile.
const SCAN_DRAFT: &str = "scan-draft";

/// A session key, with the row it belongs to where there is one already. A key without a row is this
/// device's only one, for as long as a clone of this lives: what is left behind by a process that
/// ended meanwhile is erased before the next is made.
#[derive(Clone)]
pub(in crate::client) struct KeyDraft {
    pub(in crate::client) row: Option<MachineRow>,
    /// Keeps other processes away while a key has no row.
    _alone: Option<Arc<Lock>>,
    /// Where the key is noted until it has a row.
    pub(super) note: Option<&'static str>,
    pub(super) label: String,
    pub(in crate::client) key: PublicKey,
    pub(in crate::client) key_kind: KeyKind,
}

impl Ledger {
    /// The key for a machine of which no more than the pin is known: its row's, or a new one
    /// without a row, to be [adopted](Self::adopt) or [discarded](Self::discard).
    pub(in crate::client) fn draft_key(&self, pin: &Pin) -> Result<KeyDraft, ClientError> {
        if let Some(row) = self.live_by_pin(pin)? {
            return self.draft_of(row);
        }
        let alone = self.draft_lock(CODE_DRAFT_LOCK, "pairing by code")?;
        // Whoever held it may have given its key a row meanwhile.
        if let Some(row) = self.live_by_pin(pin)? {
            return self.draft_of(row);
        }
        Ok(KeyDraft { _alone: Some(Arc::new(alone)), ..self.new_draft(CODE_DRAFT)? })
    }

    /// The same for a join, which may wait for minutes.
    pub(in crate::client) fn join_draft_key(&self, pin: &Pin) -> Result<KeyDraft, ClientError> {
        if let Some(row) = self.live_by_pin(pin)? {
            return self.draft_of(row);
        }
        let alone = self.draft_lock(JOIN_DRAFT_LOCK, "join")?;
        if let Some(row) = self.live_by_pin(pin)? {
            return self.draft_of(row);
        }
        Ok(KeyDraft { _alone: Some(Arc::new(alone)), ..self.new_draft(JOIN_DRAFT)? })
    }

    /// The same for a pairing that gives it its row before the device's lock is let go.
    pub(super) fn draft(&self, pin: &Pin) -> Result<KeyDraft, ClientError> {
        match self.live_by_pin(pin)? {
            Some(row) => self.draft_of(row),
            None => self.new_draft(SCAN_DRAFT),
        }
    }

    /// A new key, noted before it is made, so that no key is ever unknown.
    fn new_draft(&self, note: &'static str) -> Result<KeyDraft, ClientError> {
        self.erase_left_draft(note)?;
        let label = new_label()?;
        self.dir.write_private(note, label.as_bytes())?;
        let keys = self.new_keys()?;
        let key = keys.signer.create(&label)?;
        Ok(KeyDraft { row: None, _alone: None, note: Some(note), label, key, key_kind: keys.signer.kind() })
    }

    /// Waits a little for a step of a dropped future; a typing that is under way keeps the lock.
    fn draft_lock(&self, lock: &str, what: &str) -> Result<Lock, ClientError> {
        for _ in 0..100 {
            match self.dir.lock(lock) {
                Err(StoreError::Locked { .. }) => std::thread::sleep(std::time::Duration::from_millis(20)),
                other => return Ok(other?),
            }
        }
        Err(ClientError::State(format!("another {what} is under way on this device, finish it or stop it first")))
    }

    /// At the start: what a killed process left behind goes. A typing that is under way in another
    /// process keeps its own.
    pub(super) fn forget_left_drafts(&self) -> Result<(), ClientError> {
        let _lock = self.lock()?;
        self.erase_left_draft(SCAN_DRAFT)?;
        for (lock, note) in [(CODE_DRAFT_LOCK, CODE_DRAFT), (JOIN_DRAFT_LOCK, JOIN_DRAFT)] {
            if let Ok(_alone) = self.dir.lock(lock) {
                self.erase_left_draft(note)?;
            }
        }
        Ok(())
    }

    /// Erases the noted key if it never got a row.
    fn erase_left_draft(&self, note: &str) -> Result<(), ClientError> {
        let Some(left) = self.dir.read_private(note)? else { return Ok(()) };
        let label = String::from_utf8_lossy(left.expose()).into_owned();
        if !self.rows()?.iter().any(|row| row.label == label) {
            self.new_keys()?.signer.delete(&label)?;
        }
        Ok(self.dir.delete_private(note)?)
    }

    pub(super) fn draft_of(&self, row: MachineRow) -> Result<KeyDraft, ClientError> {
        let signer = &self.keys_of(&row)?.signer;
        let key = signer.public_key(&row.label)?.ok_or_else(|| Self::missing(&row))?;
        Ok(KeyDraft {
            _alone: None,
            note: None,
            label: row.label.clone(),
            key,
            key_kind: signer.kind(),
            row: Some(row),
        })
    }

    pub(super) fn new_keys(&self) -> Result<&Keys, ClientError> {
        self.keys.first().ok_or_else(|| ClientError::Secrets("no secret store is open, choose one".into()))
    }

    /// Signs with a draft's key.
    pub(in crate::client) fn sign_draft(&self, draft: &KeyDraft, message: &[u8]) -> Result<Signature, ClientError> {
        match &draft.row {
            Some(row) => self.sign(row, message),
            None => Ok(self.new_keys()?.signer.sign(&draft.label, message)?),
        }
    }

    /// Lets go of a draft that led nowhere. A key that has a row stays.
    pub(in crate::client) fn discard(&self, draft: KeyDraft) -> Result<(), ClientError> {
        draft.note.map_or(Ok(()), |note| self.erase_left_draft(note))
    }
}

/// A fresh name for a row's secrets.
fn new_label() -> Result<String, ClientError> {
    let random = random_bytes::<15>().map_err(|error| ClientError::State(error.to_string()))?;
    Ok(BASE32_NOPAD.encode(&random).to_ascii_lowercase())
}
