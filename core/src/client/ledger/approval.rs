//! The approval key of a device without a chip: in the row's secret store, as PKCS #8 or sealed under a passphrase
//! (`sealed`), used in memory.
//!
//! It is another key than the session key, so that a machine can tell what a person decided from what the
//! device does by itself. Without a passphrase nothing guards it: whoever uses this device approves, and machines
//! list it so. Each machine's key has its own passphrase or none: the key is that machine's, the guard is shown there,
//! and a change is one record, written in one step, whatever becomes of this process meanwhile.

use std::sync::Arc;

use super::{Ledger, MachineRow};
use crate::client::error::ClientError;
use crate::client::sealed::{self, Passphrase, Unopened};
use crate::identity::{KeyPair, PublicKey, Signature};
use crate::secrets::SecretBytes;
use crate::store::device::machines::MachineState as RowState;
use crate::wire::ApprovalGuard;

pub(super) fn approval_name(label: &str) -> String {
    format!("approval-key-{label}")
}

impl Ledger {
    /// The public half, and what guards the key; made at the first call, guarded by nothing.
    pub(in crate::client) fn approval_key(&self, row: &MachineRow) -> Result<(PublicKey, ApprovalGuard), ClientError> {
        // Two processes at once must not make two.
        let _lock = self.lock()?;
        let row = &self.row_in_use(row.row)?;
        if let Some(record) = self.approval_record(row)? {
            if sealed::is_sealed(&record) {
                let key = sealed::public_half(&record).ok_or_else(|| unusable("it is damaged"))?;
                return Ok((key, ApprovalGuard::Passphrase));
            }
            let pair = KeyPair::from_pkcs8(record).map_err(unusable)?;
            return Ok((pair.public_key().map_err(unusable)?, ApprovalGuard::Nothing));
        }
        let pair = KeyPair::generate().map_err(unusable)?;
        self.keys_of(row)?.store.put(&approval_name(&row.label), pair.pkcs8())?;
        Ok((pair.public_key().map_err(unusable)?, ApprovalGuard::Nothing))
    }

    /// Whether a passphrase is needed to sign.
    pub(in crate::client) fn is_approval_sealed(&self, row: &MachineRow) -> Result<bool, ClientError> {
        Ok(self.approval_record(row)?.is_some_and(|record| sealed::is_sealed(&record)))
    }

    /// The key itself: by its passphrase where it has one.
    pub(in crate::client) fn open_approval(
        &self,
        row: &MachineRow,
        passphrase: Option<&Passphrase>,
    ) -> Result<Arc<KeyPair>, ClientError> {
        let record = self.approval_record(row)?.ok_or_else(|| Self::missing(row))?;
        if !sealed::is_sealed(&record) {
            return KeyPair::from_pkcs8(record).map(Arc::new).map_err(unusable);
        }
        let name = || row.name.clone();
        let passphrase = passphrase.ok_or_else(|| ClientError::ApprovalLocked { name: name() })?;
        sealed::open(&record, passphrase).map(Arc::new).map_err(|error| match error {
            Unopened::Passphrase => ClientError::PassphraseWrong { name: name() },
            Unopened::Damaged => unusable("it is damaged"),
            Unopened::System => unusable("there is not enough memory"),
        })
    }

    /// Puts this key in the place of the row's, under a passphrase or none; in one step.
    pub(in crate::client) fn put_approval(
        &self,
        row: &MachineRow,
        pair: &KeyPair,
        passphrase: Option<&Passphrase>,
    ) -> Result<(), ClientError> {
        // Derived before the lock is taken: it takes its time.
        let record = match passphrase {
            Some(passphrase) => {
                sealed::seal(pair, passphrase).map_err(|_| unusable("there is not enough memory to guard it"))?
            }
            None => pair.pkcs8().clone(),
        };
        let _lock = self.lock()?;
        let row = &self.row_in_use(row.row)?;
        Ok(self.keys_of(row)?.store.put(&approval_name(&row.label), &record)?)
    }

    /// Signs with the key: the one that was opened, or the row's where nothing guards it.
    pub(in crate::client) fn sign_approval(
        &self,
        row: &MachineRow,
        opened: Option<&KeyPair>,
        message: &[u8],
    ) -> Result<Signature, ClientError> {
        match opened {
            Some(pair) => pair.sign(message).map_err(unusable),
            None => self.open_approval(row, None)?.sign(message).map_err(unusable),
        }
    }

    /// The row as it is now. One that was forgotten or revoked meanwhile gets no key that nobody would erase.
    fn row_in_use(&self, id: i64) -> Result<MachineRow, ClientError> {
        let row = self.row(id)?;
        if row.state == RowState::Revoked {
            return Err(ClientError::Revoked { told: super::told(&row), name: row.name });
        }
        if row.leaving_at.is_some() {
            return Err(ClientError::Leaving { name: row.name, why: "it was forgotten here".into() });
        }
        Ok(row)
    }

    fn approval_record(&self, row: &MachineRow) -> Result<Option<SecretBytes>, ClientError> {
        Ok(self.keys_of(row)?.store.get(&approval_name(&row.label))?)
    }
}

fn unusable(error: impl std::fmt::Display) -> ClientError {
    ClientError::Secrets(format!("this device's approval key cannot be used ({error}), pair again with a fresh offer"))
}
