//! The approval key of a device without a chip: PKCS #8 in the row's secret store, used in memory.
//!
//! It is another key than the session key, so that a machine can tell what a person decided from what the
//! device does by itself. Nothing guards it here: whoever uses this device approves, and machines list it so.

use super::{Ledger, MachineRow};
use crate::client::error::ClientError;
use crate::identity::{KeyPair, PublicKey, Signature};

pub(super) fn approval_name(label: &str) -> String {
    format!("approval-key-{label}")
}

impl Ledger {
    /// The public half; made at the first call.
    pub(in crate::client) fn approval_key(&self, row: &MachineRow) -> Result<PublicKey, ClientError> {
        // Two processes at once must not make two.
        let _lock = self.lock()?;
        if let Some(pair) = self.load_approval(row)? {
            return pair.public_key().map_err(unusable);
        }
        let pair = KeyPair::generate().map_err(unusable)?;
        self.keys_of(row)?.store.put(&approval_name(&row.label), pair.pkcs8())?;
        pair.public_key().map_err(unusable)
    }

    /// Signs with it.
    pub(in crate::client) fn sign_approval(&self, row: &MachineRow, message: &[u8]) -> Result<Signature, ClientError> {
        let pair = self.load_approval(row)?.ok_or_else(|| Self::missing(row))?;
        pair.sign(message).map_err(unusable)
    }

    fn load_approval(&self, row: &MachineRow) -> Result<Option<KeyPair>, ClientError> {
        let Some(pkcs8) = self.keys_of(row)?.store.get(&approval_name(&row.label))? else { return Ok(None) };
        KeyPair::from_pkcs8(pkcs8).map(Some).map_err(unusable)
    }
}

fn unusable(error: crate::error::KeyError) -> ClientError {
    ClientError::Secrets(format!("this device's approval key cannot be used ({error}), pair again with a fresh offer"))
}
