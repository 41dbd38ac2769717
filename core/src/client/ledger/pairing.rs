//! The durable steps of a pairing: key before Proof, Grant before acknowledgement, active after.

use super::super::error::ClientError;
use super::super::record::{Record, Repin};
use super::drafts::KeyDraft;
use super::{Ledger, record_name};
use crate::handshake::GrantReceived;
use crate::identity::{DeviceId, MachineId, Pin, PublicKey};
use crate::names;
use crate::role::Role;
use crate::secrets::KeyKind;
use crate::store::StoreError;
use crate::store::device::machines::{self, Granted, MachineRow, MachineState as RowState, NewMachine};
use crate::token::TokenHash;
use crate::wire::{Acknowledged, Address, Grant, OfferId, limits};

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
            Some(id) => {
                let row = self.row(id)?;
                if let Some(offer) = pairing.offer {
                    let mut record = self.record(&row)?;
                    record.repin = Some(Repin { offer, pin: pairing.pin });
                    self.put_record(&row, &record)?;
                }
                self.draft_of(row)?
            }
            None => self.draft(&pairing.pin)?,
        };
        self.adopt_locked(draft, pairing)
    }

    /// Gives a draft its row, unfinished, before anything that proves the key to be used leaves.
    pub(in crate::client) fn adopt(&self, draft: KeyDraft, pairing: &Pairing) -> Result<Prepared, ClientError> {
        let _lock = self.lock()?;
        self.adopt_locked(draft, pairing)
    }

    fn adopt_locked(&self, draft: KeyDraft, pairing: &Pairing) -> Result<Prepared, ClientError> {
        let (key, key_kind) = (draft.key, draft.key_kind);
        let row = match draft.row {
            Some(row) => {
                let (id, offer) = (row.row, pairing.offer);
                self.write(move |conn| machines::set_offer(conn, id, offer.as_ref()))?;
                self.row(id)?
            }
            None => {
                let new = NewMachine {
                    label: draft.label.clone(),
                    machine_id: pairing.machine,
                    machine_name: pairing.name.clone(),
                    platform: pairing.platform.clone(),
                    pin: pairing.pin,
                    device_id: DeviceId::of(&key),
                    device_name: self.device_name(),
                    role: pairing.role,
                    offer_id: pairing.offer,
                    addresses: pairing.addresses.clone(),
                    last_address: Some(pairing.address.clone()),
                    secret_store: self.new_keys()?.store.kind(),
                };
                match self.write(move |conn| machines::insert(conn, &new)) {
                    Ok(row) => {
                        if let Some(note) = draft.note {
                            self.dir.delete_private(note)?;
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

    /// Stores a Grant whose MAC holds, before it is acknowledged. Gives the row as it is then.
    pub(in crate::client) fn granted(
        &self,
        row: &MachineRow,
        pairing: &Pairing,
        received: GrantReceived,
    ) -> Result<MachineRow, ClientError> {
        let _lock = self.lock()?;
        let row = self.row(row.row)?;
        if row.state == RowState::Revoked {
            // Told on another connection while this Grant was on its way: nothing secret comes back.
            return Err(ClientError::Revoked { told: super::told(&row), name: row.name });
        }
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
            record.granted(grant.token.clone(), grant.current.as_ref());
            record
        } else if pairing.replaces.is_some() {
            return Err(ClientError::Protocol);
        } else {
            self.first_grant(&row, grant)?
        };
        record.digits = Some(received.digits.to_string());
        record.offer = pairing.offer;
        record.acknowledged = false;
        record.repin = None;
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
            self.make_room(&new)?;
        }
        self.write(move |conn| {
            if old != new && !machines::repin(conn, id, &old, &new)? {
                return Err(StoreError::NotFound("machine"));
            }
            machines::grant(conn, id, &granted)
        })?;
        self.row(id)
    }

    /// The record of a row that never was active. Where another run of this pairing has stored a Grant of
    /// the same claim, its token stays: that run may be about to acknowledge it.
    fn first_grant(&self, row: &MachineRow, grant: &Grant) -> Result<Record, ClientError> {
        if row.state == RowState::Granted {
            let mut record = self.record(row)?;
            if record.recognition_key == grant.recognition_key {
                record.granted(grant.token.clone(), grant.current.as_ref());
                return Ok(record);
            }
        }
        Ok(Record::new(grant.token.clone(), grant.recognition_key.clone()))
    }

    /// A begun pairing under the new pin gives way to the row that is re-pinned, which has the old one still.
    pub(super) fn make_room(&self, pin: &Pin) -> Result<(), ClientError> {
        self.live_by_pin(pin)?.map_or(Ok(()), |begun| self.drop_locked(&begun))
    }

    /// The acknowledgement was answered.
    pub(in crate::client) fn activated(
        &self,
        row: &MachineRow,
        token: &TokenHash,
        acknowledged: &Acknowledged,
        address: &Address,
    ) -> Result<MachineRow, ClientError> {
        let _lock = self.lock()?;
        let mut record = self.record(row)?;
        record.acknowledged(token);
        self.put_record(row, &record)?;
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
