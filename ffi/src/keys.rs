//! What a platform brings: a store for secrets and the keys of its chip. Calls come from the engine's own
//! blocking threads, one at a time for each machine, and may take as long as the platform needs.

use std::sync::Arc;

use pairpin_core::client::SessionSigner as CoreSigner;
use pairpin_core::identity::{PublicKey, Signature};
use pairpin_core::secrets::{KeyKind, SecretBytes, SecretStore as CoreStore, SecretStoreError};

/// What holds a device's keys, told to the machine and shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum KeyHolder {
    /// A secure element or trusted execution environment.
    Hardware,
    /// The system's own secret service.
    Keyring,
    /// A file that only its user can read.
    File,
}

impl From<KeyHolder> for KeyKind {
    fn from(holder: KeyHolder) -> Self {
        match holder {
            KeyHolder::Hardware => Self::Hardware,
            KeyHolder::Keyring => Self::Keyring,
            KeyHolder::File => Self::File,
        }
    }
}

impl From<KeyKind> for KeyHolder {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Hardware => Self::Hardware,
            KeyKind::Keyring => Self::Keyring,
            KeyKind::File => Self::File,
        }
    }
}

/// A platform's store or chip failed.
#[derive(Debug, Clone, thiserror::Error, uniffi::Error)]
pub enum StoreError {
    /// It cannot be used; the text names the cause and the next step, and never a secret.
    #[error("{why}")]
    Failed {
        /// For a person.
        why: String,
    },
}

// What the shell's code throws beside its own errors: its text may hold anything, so it is not passed on.
impl From<uniffi::UnexpectedUniFFICallbackError> for StoreError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { why: "this phone's key store failed in an unexpected way: start the app again".to_owned() }
    }
}

impl From<StoreError> for SecretStoreError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// Where a phone keeps tokens and recognition keys: encrypted, out of backups and device transfers. A store that
/// cannot be opened is an error, never an empty store.
#[uniffi::export(foreign)]
pub trait SecretStore: Send + Sync {
    /// What encrypts it.
    fn holder(&self) -> KeyHolder;
    /// The secret under `name`, or none.
    fn get(&self, name: String) -> Result<Option<Vec<u8>>, StoreError>;
    /// Stores the secret under `name`, replacing any older one in one step; on return it is durable.
    fn put(&self, name: String, secret: Vec<u8>) -> Result<(), StoreError>;
    /// Removes the secret under `name`; no error if there is none.
    fn delete(&self, name: String) -> Result<(), StoreError>;
}

/// A phone's chip: one P-256 key for each machine, which never leaves it and asks nobody.
#[uniffi::export(foreign)]
pub trait SessionSigner: Send + Sync {
    /// What holds the keys.
    fn holder(&self) -> KeyHolder;
    /// Makes a key under `label` and gives its public half, 65 bytes (SEC 1, uncompressed). A key is never
    /// replaced: one that is there is an error.
    fn create(&self, label: String) -> Result<Vec<u8>, StoreError>;
    /// The public half of the key under `label`, or none.
    fn public_key(&self, label: String) -> Result<Option<Vec<u8>>, StoreError>;
    /// Signs `message` (ECDSA with SHA-256) and gives the DER form, as both platforms' chips do.
    fn sign(&self, label: String, message: Vec<u8>) -> Result<Vec<u8>, StoreError>;
    /// Removes the key under `label`; no error if there is none.
    fn delete(&self, label: String) -> Result<(), StoreError>;
}

/// A shell's store, as the engine sees it.
pub(crate) struct Store(pub(crate) Arc<dyn SecretStore>);

impl CoreStore for Store {
    fn kind(&self) -> KeyKind {
        self.0.holder().into()
    }

    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretStoreError> {
        Ok(self.0.get(name.to_owned())?.map(SecretBytes::new))
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), SecretStoreError> {
        Ok(self.0.put(name.to_owned(), secret.expose().to_vec())?)
    }

    fn delete(&self, name: &str) -> Result<(), SecretStoreError> {
        Ok(self.0.delete(name.to_owned())?)
    }
}

/// A shell's chip, as the engine sees it.
pub(crate) struct Signer(pub(crate) Arc<dyn SessionSigner>);

fn unreadable(what: &str) -> SecretStoreError {
    SecretStoreError(format!("this phone's key store gave {what} that cannot be read: start the app again"))
}

impl CoreSigner for Signer {
    fn kind(&self) -> KeyKind {
        self.0.holder().into()
    }

    fn create(&self, label: &str) -> Result<PublicKey, SecretStoreError> {
        PublicKey::from_slice(&self.0.create(label.to_owned())?).ok_or_else(|| unreadable("a key"))
    }

    fn public_key(&self, label: &str) -> Result<Option<PublicKey>, SecretStoreError> {
        let key = self.0.public_key(label.to_owned())?;
        key.map(|key| PublicKey::from_slice(&key).ok_or_else(|| unreadable("a key"))).transpose()
    }

    fn sign(&self, label: &str, message: &[u8]) -> Result<Signature, SecretStoreError> {
        let der = self.0.sign(label.to_owned(), message.to_vec())?;
        Signature::from_der(&der).ok_or_else(|| unreadable("a signature"))
    }

    fn delete(&self, label: &str) -> Result<(), SecretStoreError> {
        Ok(self.0.delete(label.to_owned())?)
    }
}
