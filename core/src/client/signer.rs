//! Who signs with a device's session keys: a chip where there is one, software elsewhere.
//!
//! The engine asks a [`SessionSigner`] for a key per machine, under the label of that machine's
//! row. Phones implement it over Android Keystore or the Secure Enclave; [`SoftwareSigner`] keeps
//! PKCS #8 keys in a [`SecretStore`]. The records beside the keys are in `record`.

use std::sync::Arc;

use crate::identity::{KeyPair, PublicKey, Signature};
use crate::secrets::{KeyKind, SecretStore, SecretStoreError};

/// Makes, holds and uses session keys (ES256), one for each machine.
///
/// Calls are synchronous and may block; the engine makes them off its async threads.
pub trait SessionSigner: Send + Sync {
    /// What holds the keys, told to the machine.
    fn kind(&self) -> KeyKind;

    /// Makes a key under `label`; on return it is durable.
    ///
    /// # Errors
    /// The store cannot be opened, or there is a key under that label: a key is never replaced.
    fn create(&self, label: &str) -> Result<PublicKey, SecretStoreError>;

    /// The public half of the key under `label`, or `None` where there is no such key.
    ///
    /// # Errors
    /// The store cannot be opened or the key is damaged.
    fn public_key(&self, label: &str) -> Result<Option<PublicKey>, SecretStoreError>;

    /// Signs `message` with ES256 under the key of `label`.
    ///
    /// # Errors
    /// The store cannot be opened, or there is no such key.
    fn sign(&self, label: &str, message: &[u8]) -> Result<Signature, SecretStoreError>;

    /// Removes the key under `label`; no error if there is none.
    ///
    /// # Errors
    /// The store cannot be opened.
    fn delete(&self, label: &str) -> Result<(), SecretStoreError>;
}

/// Session keys as PKCS #8 in a [`SecretStore`], used in memory.
pub struct SoftwareSigner {
    store: Arc<dyn SecretStore>,
}

impl SoftwareSigner {
    /// A signer whose keys are in `store`.
    pub fn new(store: Arc<dyn SecretStore>) -> Self {
        Self { store }
    }

    fn load(&self, label: &str) -> Result<Option<KeyPair>, SecretStoreError> {
        let Some(pkcs8) = self.store.get(&key_name(label))? else { return Ok(None) };
        crate::fault_point!("device-key", pkcs8);
        KeyPair::from_pkcs8(pkcs8).map(Some).map_err(|error| SecretStoreError(error.to_string()))
    }
}

fn key_name(label: &str) -> String {
    format!("session-key-{label}")
}

impl SessionSigner for SoftwareSigner {
    fn kind(&self) -> KeyKind {
        self.store.kind()
    }

    fn create(&self, label: &str) -> Result<PublicKey, SecretStoreError> {
        if self.store.get(&key_name(label))?.is_some() {
            return Err(SecretStoreError("there is a session key under that label already, try again".into()));
        }
        let pair = KeyPair::generate().map_err(|error| SecretStoreError(error.to_string()))?;
        let key = pair.public_key().map_err(|error| SecretStoreError(error.to_string()))?;
        self.store.put(&key_name(label), pair.pkcs8())?;
        Ok(key)
    }

    fn public_key(&self, label: &str) -> Result<Option<PublicKey>, SecretStoreError> {
        let pair = self.load(label)?;
        pair.map(|pair| pair.public_key()).transpose().map_err(|error| SecretStoreError(error.to_string()))
    }

    fn sign(&self, label: &str, message: &[u8]) -> Result<Signature, SecretStoreError> {
        let pair = self.load(label)?.ok_or_else(|| {
            SecretStoreError("the session key is gone, forget the machine here and pair again by scanning".into())
        })?;
        pair.sign(message).map_err(|error| SecretStoreError(error.to_string()))
    }

    fn delete(&self, label: &str) -> Result<(), SecretStoreError> {
        self.store.delete(&key_name(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fakes::MemoryStore;

    #[test]
    fn a_key_signs_for_its_label_and_is_gone_once_deleted() {
        let signer = SoftwareSigner::new(Arc::new(MemoryStore::default()));
        let key = signer.create("a").unwrap();
        assert_eq!(signer.public_key("a").unwrap(), Some(key));
        assert!(key.verify(b"m", &signer.sign("a", b"m").unwrap()));
        assert_eq!(signer.public_key("b").unwrap(), None);
        signer.delete("a").unwrap();
        assert_eq!(signer.public_key("a").unwrap(), None);
        assert!(signer.sign("a", b"m").is_err());
    }

    #[test]
    fn a_key_is_never_replaced_silently() {
        let signer = SoftwareSigner::new(Arc::new(MemoryStore::default()));
        let key = signer.create("a").unwrap();
        assert!(signer.create("a").is_err());
        assert_eq!(signer.public_key("a").unwrap(), Some(key));
    }
}
