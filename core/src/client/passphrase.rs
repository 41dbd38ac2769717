//! The passphrase of a software approval key: opening the key for a session, setting, changing and taking the passphrase
//! away. The sealing is in `sealed`, the record in the ledger's `approval`.
//!
//! A machine's list never says "passphrase" of a key that has none: the key is sealed before the machine hears of it,
//! and the machine hears of it before the passphrase is taken away.

use std::sync::Arc;

use super::Client;
use super::acts::Act;
use super::error::ClientError;
use super::sealed::Passphrase;
use super::session::MachineSession;
use crate::identity::KeyPair;
use crate::store::device::machines::{MachineRow, MachineState as RowState};
use crate::wire::ApprovalGuard;

/// What became of a new passphrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassphraseSet {
    /// Why the machine has not been told how the key is guarded now; it is with the next decision. None where it was.
    pub untold: Option<ClientError>,
}

impl Client {
    /// Whether this device's approval key for the machine of `row` needs a passphrase.
    ///
    /// # Errors
    /// No such row; the secret store cannot be opened.
    pub async fn has_passphrase(&self, row: i64) -> Result<bool, ClientError> {
        self.durable(move |ledger| ledger.is_approval_sealed(&ledger.row(row)?)).await
    }

    /// Gives the approval key for the machine of `row` a passphrase, another one, or with `new` none, none. `old` opens it
    /// where it has one. Nothing is lost by a wrong one, nor by a crash at any point: the key is under the old or the new.
    ///
    /// # Errors
    /// [`ClientError::PassphraseWrong`], [`ClientError::ApprovalLocked`]: nothing is changed. Taking it away needs the
    /// machine, which lists how the key is guarded: as [`open_session`](Self::open_session).
    pub async fn set_passphrase(
        &self,
        row: i64,
        old: Option<Passphrase>,
        new: Option<Passphrase>,
    ) -> Result<PassphraseSet, ClientError> {
        let (stored, pair) = self
            .durable(move |ledger| {
                let stored = usable(ledger.row(row)?)?;
                ledger.approval_key(&stored)?;
                let pair = ledger.open_approval(&stored, old.as_ref())?;
                Ok((stored, pair))
            })
            .await?;
        let Some(new) = new else {
            let mut session = self.open_session(row).await?;
            session.opened = Some(pair.clone());
            // Told first: from here on it is listed as guarded by nothing, whatever happens.
            session.tell_guard(&pair, ApprovalGuard::Nothing).await?;
            session.close().await;
            self.durable(move |ledger| ledger.put_approval(&stored, &pair, None)).await?;
            return Ok(PassphraseSet { untold: None });
        };
        let sealed = pair.clone();
        self.durable(move |ledger| ledger.put_approval(&stored, &sealed, Some(&new))).await?;
        let told = async {
            let mut session = self.open_session(row).await?;
            let told = session.tell_guard(&pair, ApprovalGuard::Passphrase).await;
            session.close().await;
            told
        };
        Ok(PassphraseSet { untold: told.await.err() })
    }

    /// The passphrase is lost: makes another approval key for the machine of `row`, under `new` or none, and brings it. Only
    /// where the machine has let go of the one before: else whoever holds the session key could do it.
    ///
    /// # Errors
    /// [`ClientError::ApprovalKeyStands`]: it has not; nothing is changed. As [`open_session`](Self::open_session).
    pub async fn replace_approval_key(&self, row: i64, new: Option<Passphrase>) -> Result<(), ClientError> {
        let mut session = self.open_session(row).await?;
        if session.enrolled().is_some() {
            let (name, device) = (session.row.name.clone(), session.row.device_name.clone());
            session.close().await;
            return Err(ClientError::ApprovalKeyStands { name, device });
        }
        let stored = session.row.clone();
        let guard = if new.is_some() { ApprovalGuard::Passphrase } else { ApprovalGuard::Nothing };
        let pair = self
            .durable(move |ledger| {
                let pair = KeyPair::generate().map_err(|error| ClientError::Secrets(error.to_string()))?;
                ledger.put_approval(&stored, &pair, new.as_ref())?;
                Ok(Arc::new(pair))
            })
            .await?;
        let told = session.tell_guard(&pair, guard).await;
        session.close().await;
        told
    }
}

/// The row, if this device is paired there.
fn usable(row: MachineRow) -> Result<MachineRow, ClientError> {
    match row.state {
        RowState::Active => Ok(row),
        RowState::Unfinished | RowState::Granted => Err(ClientError::Unfinished { name: row.name }),
        RowState::Revoked => Err(ClientError::Revoked { told: super::ledger::told(&row), name: row.name }),
    }
}

impl MachineSession {
    /// Whether the approval key needs its passphrase before this session can sign with it.
    ///
    /// # Errors
    /// The secret store cannot be opened.
    pub async fn is_locked(&self) -> Result<bool, ClientError> {
        if self.opened.is_some() {
            return Ok(false);
        }
        self.client.has_passphrase(self.row.row).await
    }

    /// Opens the approval key for this session; it is wiped with it.
    ///
    /// # Errors
    /// [`ClientError::PassphraseWrong`].
    pub async fn unlock(&mut self, passphrase: Passphrase) -> Result<(), ClientError> {
        let row = self.row.clone();
        let pair = self.client.durable(move |ledger| ledger.open_approval(&row, Some(&passphrase))).await?;
        self.opened = Some(pair);
        Ok(())
    }

    /// Tells the machine how the key is guarded, signed by the key itself.
    async fn tell_guard(&mut self, pair: &KeyPair, guard: ApprovalGuard) -> Result<(), ClientError> {
        let key = pair.public_key().map_err(|error| ClientError::Secrets(error.to_string()))?;
        match self.enrolled() {
            Some(known) if known == key && self.enrolled_guard() == Some(guard) => return Ok(()),
            Some(known) if known != key => {
                return Err(ClientError::OtherApprovalKey { name: self.row.name.clone() });
            }
            _ => {}
        }
        let prepared = self.prepare(Act::Enrol { key, guard }).await?;
        let signature = pair.sign(prepared.to_sign()).map_err(|error| ClientError::Secrets(error.to_string()))?;
        self.submit(prepared, signature).await?;
        self.now_enrolled(key, guard);
        Ok(())
    }
}
