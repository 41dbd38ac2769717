//! Secrets in the desktop's keyring (Secret Service, Keychain), through the `keyring` crate.

use std::sync::mpsc;
use std::time::Duration;

use keyring::v1::{Entry, Error};
use pairpin_core::secrets::{KeyKind, SecretBytes, SecretStore, SecretStoreError};
use zeroize::Zeroizing;

/// The service under which the entries stand.
const SERVICE: &str = "pairpin";

/// How long a keyring may take to say that it is there. A session bus without a keyring may wait for
/// one to be started.
const ANSWER_TIME: Duration = Duration::from_secs(3);

/// The keyring of this session.
pub struct KeyringStore;

impl KeyringStore {
    /// Looks whether a keyring answers.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open() -> Result<Self, SecretStoreError> {
        let (said, answer) = mpsc::channel();
        // On a thread of its own: a bus that never answers must not keep the command waiting, and
        // the library may not be started from inside an async runtime.
        std::thread::spawn(move || {
            let looked = Entry::new(SERVICE, "probe").and_then(|entry| match entry.get_secret() {
                Ok(_) | Err(Error::NoEntry) => Ok(()),
                Err(error) => Err(error),
            });
            // Nobody listens any more if it took too long.
            let _ = said.send(looked.map_err(|error| said_of(&error)));
        });
        answer.recv_timeout(ANSWER_TIME).unwrap_or_else(|_| Err(none()))?;
        Ok(Self)
    }
}

fn none() -> SecretStoreError {
    SecretStoreError("no keyring answers in this session, unlock or start one, or use --secret-store file".into())
}

fn said_of(error: &Error) -> SecretStoreError {
    match error {
        Error::NoDefaultStore => none(),
        // The library's texts may hold what was stored: only their kind is told.
        Error::NoStorageAccess(_) => SecretStoreError("the keyring is locked, unlock it and try again".into()),
        Error::PlatformFailure(_) => {
            SecretStoreError("the keyring failed, unlock it and try again, or use --secret-store file".into())
        }
        _ => SecretStoreError("the keyring holds something unreadable under pairpin's name, remove it there".into()),
    }
}

fn entry(name: &str) -> Result<Entry, SecretStoreError> {
    Entry::new(SERVICE, name).map_err(|error| said_of(&error))
}

impl SecretStore for KeyringStore {
    fn kind(&self) -> KeyKind {
        KeyKind::Keyring
    }

    fn get(&self, name: &str) -> Result<Option<SecretBytes>, SecretStoreError> {
        match entry(name)?.get_secret() {
            Ok(secret) => Ok(Some(SecretBytes::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(said_of(&error)),
        }
    }

    fn put(&self, name: &str, secret: &SecretBytes) -> Result<(), SecretStoreError> {
        let secret = Zeroizing::new(secret.expose().to_vec());
        entry(name)?.set_secret(&secret).map_err(|error| said_of(&error))
    }

    fn delete(&self, name: &str) -> Result<(), SecretStoreError> {
        match entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(said_of(&error)),
        }
    }
}
