//! Fakes for the tests of this room.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::secrets::{KeyKind, SecretBytes, SecretStore, SecretStoreError};

/// Secrets in memory.
#[derive(Default)]
pub(super) struct MemoryStore(pub(super) Mutex<BTreeMap<String, SecretBytes>>);

impl SecretStore for MemoryStore {
    fn kind(&self) -> KeyKind {
        KeyKind::File
    }

    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretStoreError> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), SecretStoreError> {
        self.0.lock().unwrap().insert(name.to_owned(), secret.clone());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), SecretStoreError> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }
}
