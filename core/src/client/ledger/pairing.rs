//! The durable steps of a pairing: key before Proof, Grant before acknowledgement, active after.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;

use super::super::error::ClientError;
use super::super::record::Record;
use super::{Keys, Ledger, record_name};
use crate::handshake::GrantReceived;
use crate::identity::{DeviceId, MachineId, Pin, PublicKey, Signature};
use crate::names;
use crate::role::Role;
use crate::secrets::{KeyKind, random_bytes};
use crate::store::device::machines::{self, Granted, MachineRow, MachineState as RowState, NewMachine};
use crate::store::{Lock, StoreError};
use crate::wire::{Acknowledged, Address, OfferId, limits};

/// Names the key of a typing that has no row yet.
const DRAFT: &str = "code-draft";
/// Held for as long as that key may be used.
const DRAFT_LOCK: &str = "code-draft.lock";

/// What the person agreed to.
#[derive(Debug, Clone)]
pub(in crate::client) struct Pairing {
    /// The pin that TLS proved.
    pub(in crate::client) pin: Pin,
    /// The offer; none for a typed code.
    pub(in crate::client) offer: Option<OfferId>,
    /// The machine's id, as it said.
    pub(in crate::client) machine: MachineId,
    pub(in crate::client) name: String,
    pub(in crate::client) platform: String,
    pub(in crate::client) role: Role,
    pub(in crate::client) address: Address,
    pub(in crate::client) addresses: Vec<Address>,
    /// The row whose key is to be replaced: it proved R in the preview.
    pub(in crate::client) replaces: Option<i64>,
}

/// A session key, with the row it belongs to where there is one already. A key without a row is this
/// device's only one, for as long as a clone of this lives: what is left behind by a process that
/// ended meanwhile is erased before the next is made.
#[derive(Clone)]
pub(in crate::client) struct KeyDraft {
    pub(in crate::client) row: Option<MachineRow>,
    alone: Option<Arc<Lock>>,
    label: String,
    pub(in crate::client) key: PublicKey,
    pub(in crate::client) key_kind: KeyKind,
}

/// A row with a key, ready for Proof.
#[derive(Debug, Clone)]
pub(in crate::client) struct Prepared {
    pub(in crate::client) row: MachineRow,
    pub(in crate::client) key: PublicKey,
    pub(in crate::client) key_kind: KeyKind,
}

impl Ledger {
    /// The row and key to pair with: those there are, or new ones. The same call again gives the
    /// same key.
    pub(in crate::client) fn prepare(&self, pairing: &Pairing) -> Result<Prepared, ClientError> {
        let _lock = self.lock()?;
        let draft = match pairing.replaces {
            Some(id) => self.draft_of(self.row(id)?)?,
            None => self.draft(&pairing.pin)?,
        };
        self.adopt_locked(draft, pairing)
    }

    /// The key for a machine of which no more than the pin is known: its row's, or a new one
    /// without a row, to be [adopted](Self::adopt) or [discarded](Self::discard).
    pub(in crate::client) fn draft_key(&self, pin: &Pin) -> Result<KeyDraft, ClientError> {
        if let Some(row) = self.live_by_pin(pin)? {
            return self.draft_of(row);
        }
        let alone = self.draft_lock()?;
        self.erase_left_draft()?;
        let label = new_label()?;
        // Noted before the key is made, so that no key is ever unknown.
        self.dir.write_private(DRAFT, label.as_bytes())?;
        let draft = self.new_draft(label)?;
        Ok(KeyDraft { alone: Some(Arc::new(alone)), ..draft })
    }

    fn draft(&self, pin: &Pin) -> Result<KeyDraft, ClientError> {
        match self.live_by_pin(pin)? {
            Some(row) => self.draft_of(row),
            None => self.new_draft(new_label()?),
        }
    }

    fn new_draft(&self, label: String) -> Result<KeyDraft, ClientError> {
        let keys = self.new_keys()?;
        let key = keys.signer.create(&label)?;
        Ok(KeyDraft { row: None, alone: None, label, key, key_kind: keys.signer.kind() })
    }

    /// Waits a little for a step of a dropped future; a typing that is under way keeps the lock.
    fn draft_lock(&self) -> Result<Lock, ClientError> {
        for _ in 0..100 {
            match self.dir.lock(DRAFT_LOCK) {
                Err(StoreError::Locked { .. }) => std::thread::sleep(std::time::Duration::from_millis(20)),
                other => return Ok(other?),
            }
        }
        Err(ClientError::State(
            "another pairing by code is under way on this device, finish it or stop it first".into(),
        ))
    }

    /// At the start: what a typing left behind goes, unless one is under way in another process.
    pub(super) fn forget_left_draft(&self) {
        if let Ok(_alone) = self.dir.lock(DRAFT_LOCK) {
            // A store that is locked now is tried again at the next start.
            let _ = self.erase_left_draft();
        }
    }

    /// Erases the key of a typing that was cut short before it had a row.
    fn erase_left_draft(&self) -> Result<(), ClientError> {
        let Some(left) = self.dir.read_private(DRAFT)? else { return Ok(()) };
        let label = String::from_utf8_lossy(left.expose()).into_owned();
        if !self.rows()?.iter().any(|row| row.label == label) {
            self.new_keys()?.signer.delete(&label)?;
        }
        Ok(self.dir.delete_private(DRAFT)?)
    }

    fn draft_of(&self, row: MachineRow) -> Result<KeyDraft, ClientError> {
        let signer = &self.keys_of(&row)?.signer;
        let key = signer.public_key(&row.label)?.ok_or_else(|| Self::missing(&row))?;
        Ok(KeyDraft { alone: None, label: row.label.clone(), key, key_kind: signer.kind(), row: Some(row) })
    }

    fn new_keys(&self) -> Result<&Keys, ClientError> {
        self.keys.first().ok_or_else(|| ClientError::Secrets("no secret store is open, choose one".into()))
    }

    /// Signs with a draft's key.
    pub(in crate::client) fn sign_draft(&self, draft: &KeyDraft, message: &[u8]) -> Result<Signature, ClientError> {
        match &draft.row {
            Some(row) => self.sign(row, message),
            None => Ok(self.new_keys()?.signer.sign(&draft.label, message)?),
        }
    }

    /// Gives a draft its row, unfinished, before anything that proves the key to be used leaves.
    pub(in crate::client) fn adopt(&self, draft: KeyDraft, pairing: &Pairing) -> Result<Prepared, ClientError> {
        let _lock = self.lock()?;
        self.adopt_locked(draft, pairing)
    }

    fn adopt_locked(&self, draft: KeyDraft, pairing: &Pairing) -> Result<Prepared, ClientError> {
        let (key, key_kind) = (draft.key, draft.key_kind);
        let row = match draft.row {
            Some(row) if row.state == RowState::Unfinished => {
                let (id, offer) = (row.row, pairing.offer);
                self.write(move |conn| machines::set_offer(conn, id, offer.as_ref()))?;
                self.row(id)?
            }
            Some(row) => row,
            None => {
                let new = NewMachine {
                    label: draft.label.clone(),
                    machine_id: pairing.machine,
                    machine_name: pairing.name.clone(),
                    platform: pairing.platform.clone(),
                    pin: pairing.pin,
                    device_id: DeviceId::of(&key),
                    device_name: self.device_name.clone(),
                    role: pairing.role,
                    offer_id: pairing.offer,
                    addresses: pairing.addresses.clone(),
                    last_address: Some(pairing.address.clone()),
                    secret_store: self.new_keys()?.store.kind(),
                };
                match self.write(move |conn| machines::insert(conn, &new)) {
                    Ok(row) => {
                        if draft.alone.is_some() {
                            self.dir.delete_private(DRAFT)?;
                        }
                        row
                    }
                    Err(error) => {
                        self.new_keys()?.signer.delete(&draft.label)?;
                        return Err(error);
                    }
                }
            }
        };
        Ok(Prepared { row, key, key_kind })
    }

    /// Lets go of a draft that led nowhere. A key that has a row stays.
    pub(in crate::client) fn discard(&self, draft: KeyDraft) -> Result<(), ClientError> {
        if draft.row.is_none() { self.erase_left_draft() } else { Ok(()) }
    }

    /// Stores a Grant whose MAC holds, before it is acknowledged. Gives the row as it is then.
    pub(in crate::client) fn granted(
        &self,
        row: &MachineRow,
        pairing: &Pairing,
        received: GrantReceived,
    ) -> Result<MachineRow, ClientError> {
        let _lock = self.lock()?;
        let row = self.row(row.row)?;
        let grant = &received.grant;
        if grant.device != row.device_id || grant.machine != pairing.machine {
            return Err(ClientError::Protocol);
        }
        let mut record = if row.state == RowState::Active {
            // A machine that knows this pair repeats R; one that replaced its key proves it too.
            let mut record = self.record(&row)?;
            let proven = pairing.replaces.is_none() || received.recognised(&record.recognition_key);
            if record.recognition_key != grant.recognition_key || !proven {
                return Err(ClientError::KeyCopied { name: row.name });
            }
            record.granted(grant.token.clone());
            record
        } else if pairing.replaces.is_some() {
            return Err(ClientError::Protocol);
        } else {
            Record::new(grant.token.clone(), grant.recognition_key.clone())
        };
        record.digits = Some(received.digits.to_string());
        record.offer = pairing.offer;
        self.put_record(&row, &record)?;

        let granted = Granted {
            machine_id: grant.machine,
            machine_name: grant.name.clone(),
            platform: names::clean(&grant.platform, limits::NAME).unwrap_or_default(),
            device_name: names::clean_name(&grant.device_name),
            role: grant.role,
            next_pin: grant.next_pin,
            epoch: grant.epoch,
            counter: grant.counter,
            idle_seconds: grant.idle_seconds,
            expires_at: grant.expires_at,
            addresses: grant.addresses.clone(),
        };
        let (id, old, new) = (row.row, row.pin, pairing.pin);
        if old != new {
            self.make_room(id, &new)?;
        }
        self.write(move |conn| {
            if old != new && !machines::repin(conn, id, &old, &new)? {
                return Err(StoreError::NotFound("machine"));
            }
            machines::grant(conn, id, &granted)
        })?;
        self.row(id)
    }

    /// A begun pairing under the new pin gives way to the row that is re-pinned.
    fn make_room(&self, id: i64, pin: &Pin) -> Result<(), ClientError> {
        match self.live_by_pin(pin)? {
            Some(other) if other.row != id => self.drop_locked(&other),
            _ => Ok(()),
        }
    }

    /// The acknowledgement was answered.
    pub(in crate::client) fn activated(
        &self,
        row: &MachineRow,
        acknowledged: &Acknowledged,
        address: &Address,
    ) -> Result<MachineRow, ClientError> {
        let (id, at, address) = (row.row, self.clock.wall_ms(), address.clone());
        let (name, role) = (names::clean_name(&acknowledged.device_name), acknowledged.role);
        self.write(move |conn| {
            machines::activate(conn, id, &name, role, at)?;
            machines::online(conn, id, at, &address)?;
            replace_revoked(conn, id)
        })?;
        self.row(id)
    }

    /// The machine refused: a row that never became active goes, with its secrets.
    pub(in crate::client) fn drop_unfinished(&self, row: &MachineRow) -> Result<(), ClientError> {
        let _lock = self.lock()?;
        self.drop_locked(row)
    }

    fn drop_locked(&self, row: &MachineRow) -> Result<(), ClientError> {
        let id = row.row;
        if self.write(move |conn| machines::drop_unfinished(conn, id))? {
            let keys = self.keys_of(row)?;
            keys.signer.delete(&row.label)?;
            keys.store.delete(&record_name(&row.label))?;
        }
        Ok(())
    }
}

/// A fresh name for a row's secrets.
fn new_label() -> Result<String, ClientError> {
    let random = random_bytes::<15>().map_err(|error| ClientError::State(error.to_string()))?;
    Ok(BASE32_NOPAD.encode(&random).to_ascii_lowercase())
}

/// A live row takes the place, and the name, of rows in which this device was revoked under the same
/// pin. Their secrets are erased already.
pub(super) fn replace_revoked(conn: &rusqlite::Connection, id: i64) -> Result<(), StoreError> {
    let Some(row) = machines::get(conn, id)? else { return Ok(()) };
    let former = machines::list(conn)?;
    let former = former.iter().filter(|old| old.state == RowState::Revoked && old.erased && old.pin == row.pin);
    let mut name = None;
    for old in former {
        machines::delete(conn, old.row)?;
        name = Some(old.name.clone());
    }
    match name.map(|name| machines::rename(conn, id, &name)) {
        // Another machine has that name by now: this one keeps its own.
        None | Some(Ok(_) | Err(StoreError::NameTaken(_))) => Ok(()),
        Some(Err(error)) => Err(error),
    }
}
