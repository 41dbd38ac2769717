//! The durable steps of a session: which token to dial with, what a welcome or a refusal leaves.

use super::super::error::{ClientError, Told};
use super::super::resume::known_keys;
use super::approval::approval_name;
use super::pairing::replace_revoked;
use super::{Ledger, record_name};
use crate::handshake::KnownKeys;
use crate::identity::Pin;
use crate::names;
use crate::store::device::kept;
use crate::store::device::machines::{self, MachineRow, MachineState as RowState, Revocation, Rotated, Welcomed};
use crate::token::{SessionToken, TokenHash};
use crate::wire::{Address, Rotate, Welcome, limits};

impl Ledger {
    /// The row, and the newest token that has not been refused in this attempt: read afresh, since
    /// another process of this device may have stored a newer one.
    pub(in crate::client) fn token_to_try(
        &self,
        id: i64,
        refused: &[TokenHash],
    ) -> Result<(MachineRow, Option<SessionToken>), ClientError> {
        let _lock = self.lock()?;
        let row = self.row(id)?;
        match row.state {
            RowState::Unfinished => return Err(ClientError::Unfinished { name: row.name }),
            RowState::Revoked => {
                return Err(ClientError::Revoked { told: told(&row), name: row.name });
            }
            RowState::Granted | RowState::Active => {}
        }
        let token = self.record(&row)?.token_to_try(refused).cloned();
        Ok((row, token))
    }

    /// Stores a welcome that proved R: its new token first, then what it says.
    pub(in crate::client) fn welcomed(
        &self,
        id: i64,
        used: &TokenHash,
        refused: &[TokenHash],
        welcome: &Welcome,
        address: &Address,
    ) -> Result<(), ClientError> {
        let _lock = self.lock()?;
        let row = self.row(id)?;
        let mut record = self.record(&row)?;
        let before = record.clone();
        // Unsettled, the machine still goes by the token before: nothing may be forgotten.
        if !welcome.unsettled {
            record.welcomed(used, refused, welcome.token.clone());
            // To a device without a row the machine gives a welcome only as the answer to its Grant.
            record.acknowledged |= row.state == RowState::Granted;
        }
        crate::fault_point!("device-welcome", record, welcome);
        if record != before {
            self.put_record(&row, &record)?;
        }
        if welcome.epoch < row.epoch {
            tracing::warn!(machine = row.name, "the machine knows of fewer changes of its key than this device");
        }
        let welcomed = Welcomed {
            at: self.clock.wall_ms(),
            address: address.clone(),
            machine_name: welcome.name.clone(),
            device_name: names::clean_name(&welcome.device_name),
            role: welcome.role,
            next_pin: welcome.next_pin,
            epoch: welcome.epoch,
            counter: welcome.counter,
            idle_seconds: welcome.idle_seconds,
            expires_at: welcome.expires_at,
            addresses: welcome.addresses.clone(),
        };
        self.write(move |conn| {
            machines::welcome(conn, id, &welcomed)?;
            machines::clear_key_changed(conn, id)?;
            replace_revoked(conn, id)
        })
    }

    /// The machine told of a change of its key: the row has the new one from here on. Whether it had not before.
    ///
    /// # Errors
    /// [`ClientError::NotRotated`]: the change does not hold, and nothing was stored.
    pub(in crate::client) fn rotated(&self, id: i64, rotate: &Rotate) -> Result<bool, ClientError> {
        let _lock = self.lock()?;
        let row = self.row(id)?;
        if row.state == RowState::Revoked {
            return Ok(false);
        }
        let known = known_keys(&row);
        if known.is_after(rotate) {
            return Ok(false);
        }
        let seen = Pin::of_key(&rotate.new_key);
        let unproven = |_| ClientError::NotRotated { name: row.name.clone(), seen };
        let KnownKeys { pin, epoch, .. } = known.after(rotate).map_err(unproven)?;
        self.make_room(&pin)?;
        let change = Rotated { old: row.pin, pin, next_pin: rotate.next_pin, epoch };
        self.write(move |conn| machines::rotate(conn, id, &change))?;
        Ok(true)
    }

    /// What a failed reconnect leaves in the row.
    pub(in crate::client) fn failed(&self, row: &MachineRow, error: &ClientError) -> Result<(), ClientError> {
        let (id, at, reason) = (row.row, self.clock.wall_ms(), error.to_string());
        match error {
            ClientError::Revoked { told, .. } => self.revoked(row, told),
            ClientError::KeyChanged { seen, .. } | ClientError::NotRotated { seen, .. } => {
                let (dialled, seen) = (row.pin, *seen);
                self.write(move |conn| machines::key_changed(conn, id, &dialled, at, &seen))
            }
            ClientError::KeyCopied { .. } => {
                let own = row.pin;
                self.write(move |conn| machines::key_changed(conn, id, &own, at, &own))
            }
            // These say nothing about the machine.
            ClientError::State(_)
            | ClientError::Secrets(_)
            | ClientError::SecretsMissing { .. }
            | ClientError::SecretsElsewhere { .. } => Ok(()),
            _ => self.write(move |conn| machines::offline(conn, id, at, &reason)),
        }
    }

    /// The connection was lost, or the machine said that it goes.
    pub(in crate::client) fn offline(&self, id: i64, since: i64, why: &str) -> Result<(), ClientError> {
        let why = why.to_owned();
        self.write(move |conn| machines::offline(conn, id, since, &why))
    }

    /// The machine said where else it can be reached; whether that was news. What is known is not written
    /// again: a write waits for the disk.
    pub(in crate::client) fn addresses(&self, id: i64, addresses: &[Address]) -> Result<bool, ClientError> {
        let kept = addresses.get(..limits::ADDRESSES).unwrap_or(addresses).to_vec();
        if self.row(id)?.addresses == kept {
            return Ok(false);
        }
        self.write(move |conn| machines::set_addresses(conn, id, &kept))?;
        Ok(true)
    }

    /// This device was revoked there: the row says so first, then key, token and R are erased. A row that is
    /// leaving goes: the machine has heard it, or heard it from somebody else.
    pub(in crate::client) fn revoked(&self, row: &MachineRow, told: &Told) -> Result<(), ClientError> {
        let _lock = self.lock()?;
        let row = &self.row(row.row)?;
        if row.leaving_at.is_some() {
            return self.delete_locked(row);
        }
        let at = told.at.unwrap_or_else(|| self.clock.wall_ms());
        let revocation = Revocation { by: told.by.clone(), at, reason: told.reason.clone() };
        let id = row.row;
        self.write(move |conn| {
            kept::forget(conn, id)?;
            machines::revoke(conn, id, &revocation)
        })?;
        self.erase(row)
    }

    /// Forgets a row where `over` holds of it as it is now, whatever another process made of it. Gives that row.
    pub(in crate::client) fn delete_if(
        &self,
        id: i64,
        over: impl FnOnce(&MachineRow) -> bool,
    ) -> Result<MachineRow, ClientError> {
        let _lock = self.lock()?;
        let row = self.row(id)?;
        if over(&row) {
            self.delete_locked(&row)?;
        }
        Ok(row)
    }

    /// Its secrets first, so that none is left behind without a row.
    fn delete_locked(&self, row: &MachineRow) -> Result<(), ClientError> {
        if !row.erased {
            let keys = self.keys_of(row)?;
            keys.signer.delete(&row.label)?;
            keys.store.delete(&record_name(&row.label))?;
            keys.store.delete(&approval_name(&row.label))?;
        }
        let id = row.row;
        self.write(move |conn| machines::delete(conn, id).map(|_| ()))
    }

    /// Forgets a row whose machine is to be told: nothing is left to be done with it but that, so what decides for
    /// a person goes at once. One that was revoked meanwhile has nobody to tell.
    pub(in crate::client) fn leave(&self, id: i64) -> Result<MachineRow, ClientError> {
        let _lock = self.lock()?;
        let (row, at) = (self.row(id)?, self.clock.wall_ms());
        if row.state == RowState::Revoked {
            return Ok(row);
        }
        self.write(move |conn| machines::leave(conn, id, at))?;
        self.keys_of(&row)?.store.delete(&approval_name(&row.label))?;
        self.row(id)
    }
}

/// Who revoked, as the row has it.
pub(in crate::client) fn told(row: &MachineRow) -> Told {
    row.revoked.as_ref().map_or_else(Told::default, |revoked| Told {
        by: revoked.by.clone(),
        at: Some(revoked.at),
        reason: revoked.reason.clone(),
    })
}
