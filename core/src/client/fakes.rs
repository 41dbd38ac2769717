//! Fakes for the tests of this room.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::machines::{MachineState, MachineView};
use crate::identity::Pin;
use crate::role::Role;
use crate::secrets::{KeyKind, SecretBytes, SecretStore, SecretStoreError};
use crate::wire::{AskClaimed, AskKnown, AskMessage, AskObserved};

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

/// A machine, to be varied.
pub(super) fn machine_view() -> MachineView {
    MachineView {
        row: 1,
        name: "homebox".into(),
        machine_name: "homebox".into(),
        platform: "linux".into(),
        pin: Pin::from_bytes([1; 32]),
        role: Role::Owner,
        device_name: "phone".into(),
        state: MachineState::Paused,
        last_address: None,
        addresses: Vec::new(),
        paired_at: None,
        last_online: None,
        expires_at: None,
        secret_store: KeyKind::Hardware,
        restored: None,
    }
}

/// An ask as a machine sends it.
pub(super) fn ask_message(id: &str) -> String {
    let known = AskKnown { uid: 0, user: Some("root".into()), process: Some(1) };
    let claimed = AskClaimed { text: "Deploy?".into(), detail: None };
    let message = AskMessage {
        id: id.to_owned(),
        asked_at: 0,
        expires_at: 1,
        known,
        observed: AskObserved::default(),
        claimed,
        fresh: None,
    };
    message.encode().unwrap()
}
