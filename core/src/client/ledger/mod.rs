//! What a device has durably: rows in `device.db`, keys and records in the secret stores.
//!
//! Each public step here is one piece: it runs to its end even if the caller's future is dropped
//! (the engine runs it on a blocking thread), and under one lock that all processes of this device
//! share, so that two of them never change one machine's secrets at once. `drafts` and `pairing` hold
//! the steps of flows (a) and (b), `session` those of (d) and what follows.

mod approval;
mod drafts;
mod kept;
mod pairing;
mod session;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::Connection;
use tokio::sync::watch;

use super::config::ClientConfig;
use super::error::ClientError;
use super::record::Record;
use super::signer::{SessionSigner, SoftwareSigner};
use crate::clock::Clock;
use crate::identity::{MachineId, Pin, PinPrefix, Signature};
use crate::names;
use crate::secrets::SecretStore;
use crate::store::device::machines::{self, MachineRow, MachineState as RowState};
use crate::store::{Database, Kind, Lock, StateDir, StoreError};
use crate::wire::OfferId;

pub(super) use drafts::KeyDraft;
pub(super) use kept::Kept;
pub(super) use pairing::Pairing;
pub(super) use session::told;

/// The lock file that all processes of this device share.
pub(super) const LOCK: &str = "device.lock";

/// One place for keys and records.
struct Keys {
    store: Arc<dyn SecretStore>,
    signer: Arc<dyn SessionSigner>,
}

/// A row that used an offer before.
pub(super) struct UsedBefore {
    pub(super) row: MachineRow,
    /// The key that TLS proved then: the row's, or the one that is to replace it.
    pub(super) pin: Pin,
    /// A reconnect is enough to finish it; otherwise Proof has to be made again.
    pub(super) take_up: bool,
}

/// Rows, keys and records. Calls block.
pub(super) struct Ledger {
    dir: StateDir,
    db: Database,
    /// The first is for new machines.
    keys: Vec<Keys>,
    clock: Arc<dyn Clock>,
    device_name: RwLock<String>,
    /// Counts what was written.
    changes: watch::Sender<u64>,
}

impl From<StoreError> for ClientError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NameTaken(name) => Self::BadName(name),
            // Forgotten by another call while this one ran.
            StoreError::NotFound(_) => Self::NoSuchMachine("that row".into()),
            damaged @ StoreError::Corrupt { .. } => Self::Damaged(damaged.to_string()),
            other => Self::State(other.to_string()),
        }
    }
}

impl Ledger {
    pub(super) fn open(config: &ClientConfig) -> Result<Self, ClientError> {
        let dir = StateDir::open(&config.state_dir)?;
        let db = Database::open(&dir.path("device.db"), Kind::Device)?;
        let mut keys = vec![Keys { store: config.secret_store.clone(), signer: config.signer.clone() }];
        keys.extend(
            config
                .other_stores
                .iter()
                .map(|store| Keys { store: store.clone(), signer: Arc::new(SoftwareSigner::new(store.clone())) }),
        );
        let device_name = RwLock::new(names::clean_name(&config.device_name));
        let ledger = Self { dir, db, keys, clock: config.clock.clone(), device_name, changes: watch::Sender::new(0) };
        ledger.finish_erasing();
        // A store that is locked now is tried again at the next start.
        let _ = ledger.forget_left_drafts();
        Ok(ledger)
    }

    /// A revocation that was cut short between the row and its secrets.
    fn finish_erasing(&self) {
        let rows = self.rows().unwrap_or_default();
        for row in rows.iter().filter(|row| row.state == RowState::Revoked && !row.erased) {
            // A store that is locked now is tried again at the next start.
            let _ = self.erase(row);
        }
    }

    /// The name that this device gives itself when it pairs.
    pub(super) fn device_name(&self) -> String {
        self.device_name.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_device_name(&self, name: &str) {
        *self.device_name.write().unwrap_or_else(PoisonError::into_inner) = names::clean_name(name);
    }

    fn lock(&self) -> Result<Lock, ClientError> {
        Ok(self.dir.wait_lock(LOCK)?)
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let written = self.db.write_blocking(work)?;
        // Here and not by who asked for the step: that one may be gone, while the step runs to its end.
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        Ok(written)
    }

    /// Told whenever something was written.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ClientError> {
        Ok(self.db.read_blocking(work)?)
    }

    /// All rows.
    pub(super) fn rows(&self) -> Result<Vec<MachineRow>, ClientError> {
        self.read(machines::list)
    }

    /// One row.
    pub(super) fn row(&self, id: i64) -> Result<MachineRow, ClientError> {
        self.read(move |conn| machines::get(conn, id))?.ok_or_else(|| ClientError::NoSuchMachine(format!("row {id}")))
    }

    /// The live row of a pin that TLS proved.
    pub(super) fn live_by_pin(&self, pin: &Pin) -> Result<Option<MachineRow>, ClientError> {
        let pin = *pin;
        self.read(move |conn| machines::by_pin(conn, &pin))
    }

    /// The rows that were once paired with a machine of this id under another pin.
    pub(super) fn live_by_machine(&self, id: &MachineId, pin: &Pin) -> Result<Vec<MachineRow>, ClientError> {
        let id = *id;
        let mut rows = self.read(move |conn| machines::by_machine_id(conn, &id))?;
        rows.retain(|row| row.state == RowState::Active && row.pin != *pin);
        Ok(rows)
    }

    /// The row that used this offer before: begun with it, granted by it, or paired by it. The pin
    /// in the row is one that TLS proved; the offer is only known to who holds its secret.
    pub(super) fn by_offer(&self, offer: OfferId, pin: PinPrefix) -> Result<Option<UsedBefore>, ClientError> {
        for row in self.rows()?.into_iter().filter(|row| row.state != RowState::Revoked) {
            // A row whose secrets are out of reach says so when it is used.
            let record = if row.state == RowState::Unfinished { None } else { self.record(&row).ok() };
            let repin = record.as_ref().and_then(|record| record.repin);
            if let Some(repin) = repin.filter(|repin| repin.offer == offer && repin.pin.prefix() == pin) {
                return Ok(Some(UsedBefore { pin: repin.pin, take_up: false, row }));
            }
            if row.pin.prefix() != pin {
                continue;
            }
            let granted = record.filter(|record| record.offer == Some(offer));
            if granted.is_some() || row.offer_id == Some(offer) {
                // To a row that was there before the offer, a welcome says nothing of this Grant,
                // unless it was acknowledged.
                let take_up = granted.is_some_and(|it| it.acknowledged || row.state == RowState::Granted);
                return Ok(Some(UsedBefore { pin: row.pin, take_up, row }));
            }
        }
        Ok(None)
    }

    /// Gives a row another name.
    pub(super) fn rename(&self, id: i64, name: &str) -> Result<MachineRow, ClientError> {
        let name = name.to_owned();
        self.write(move |conn| machines::rename(conn, id, &name).map(|_| ()))?;
        self.row(id)
    }

    /// Where a row's secrets are.
    fn keys_of(&self, row: &MachineRow) -> Result<&Keys, ClientError> {
        self.keys.iter().find(|keys| keys.store.kind() == row.secret_store).ok_or_else(|| {
            ClientError::SecretsElsewhere { name: row.name.clone(), store: row.secret_store.as_str().to_owned() }
        })
    }

    fn missing(row: &MachineRow) -> ClientError {
        ClientError::SecretsMissing { name: row.name.clone(), store: row.secret_store.as_str() }
    }

    /// Tokens and R of a row that has a Grant.
    pub(super) fn record(&self, row: &MachineRow) -> Result<Record, ClientError> {
        let bytes = self.keys_of(row)?.store.get(&record_name(&row.label))?.ok_or_else(|| Self::missing(row))?;
        Ok(Record::decode(&bytes)?)
    }

    fn put_record(&self, row: &MachineRow, record: &Record) -> Result<(), ClientError> {
        Ok(self.keys_of(row)?.store.put(&record_name(&row.label), &record.encode()?)?)
    }

    /// Signs with a row's session key.
    pub(super) fn sign(&self, row: &MachineRow, message: &[u8]) -> Result<Signature, ClientError> {
        let signer = &self.keys_of(row)?.signer;
        if signer.public_key(&row.label)?.is_none() {
            return Err(Self::missing(row));
        }
        Ok(signer.sign(&row.label, message)?)
    }

    /// Erases a row's key and record; the row stays, marked so.
    fn erase(&self, row: &MachineRow) -> Result<(), ClientError> {
        let keys = self.keys_of(row)?;
        keys.signer.delete(&row.label)?;
        keys.store.delete(&record_name(&row.label))?;
        keys.store.delete(&approval::approval_name(&row.label))?;
        let id = row.row;
        self.write(move |conn| machines::set_erased(conn, id))
    }
}

fn record_name(label: &str) -> String {
    format!("session-{label}")
}
