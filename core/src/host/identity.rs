//! The machine's keys on disk: the identity key, and the next one.
//!
//! Each is a PKCS #8 PEM file, 0600. A missing identity key beside a database that has devices is an
//! error with a next step, never a silently new key: every device would take it for an attack.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::HostError;
use crate::error::KeyError;
use crate::identity::KeyPair;
use crate::secrets::SecretBytes;
use crate::store::StateDir;

/// The identity key's file in the state directory.
pub const IDENTITY_KEY_FILE: &str = "identity.key";

/// The file of the key that a planned change would bring.
pub const NEXT_KEY_FILE: &str = "next.key";

/// The keys of a machine.
#[derive(Debug)]
pub(super) struct MachineKeys {
    pub(super) identity: KeyPair,
    pub(super) next: KeyPair,
    /// Whether the identity key was made just now.
    pub(super) is_new: bool,
}

/// Reads the keys; makes them where the state is new, or where the person said that the old one is
/// lost (`new_key`).
pub(super) fn load_or_make(dir: &StateDir, has_database: bool, new_key: bool) -> Result<MachineKeys, HostError> {
    let (identity, is_new) = match (read(dir, IDENTITY_KEY_FILE)?, has_database, new_key) {
        (Some(_), true, true) => return Err(HostError::KeyNotMissing(dir.path(IDENTITY_KEY_FILE))),
        (Some(key), ..) => (key, false),
        (None, true, false) => return Err(HostError::KeyMissing(dir.path(IDENTITY_KEY_FILE))),
        (None, ..) => (make(dir, IDENTITY_KEY_FILE)?, true),
    };
    let next = match read(dir, NEXT_KEY_FILE)? {
        Some(key) => key,
        None => make(dir, NEXT_KEY_FILE)?,
    };
    let keys = MachineKeys { identity, next, is_new };
    crate::fault_point!("machine-keys", keys);
    Ok(keys)
}

/// Reads the identity key of a machine that may be stopped; `None` where there is none.
pub(super) fn read_identity(dir: &StateDir) -> Result<Option<KeyPair>, HostError> {
    read(dir, IDENTITY_KEY_FILE)
}

/// Reads the next key of a machine that may be stopped; `None` where there is none.
pub(super) fn read_next(dir: &StateDir) -> Result<Option<KeyPair>, HostError> {
    read(dir, NEXT_KEY_FILE)
}

fn read(dir: &StateDir, file: &str) -> Result<Option<KeyPair>, HostError> {
    let Some(pem) = dir.read_private(file)? else { return Ok(None) };
    let wrong = |error| HostError::Key { path: dir.path(file), cause: error };
    let pkcs8 = from_pem(pem.expose()).ok_or_else(|| wrong(KeyError::Malformed))?;
    KeyPair::from_pkcs8(pkcs8).map(Some).map_err(wrong)
}

fn make(dir: &StateDir, file: &str) -> Result<KeyPair, HostError> {
    let key = KeyPair::generate().map_err(|error| HostError::Key { path: dir.path(file), cause: error })?;
    dir.write_private(file, to_pem(key.pkcs8()).as_bytes())?;
    Ok(key)
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// RFC 7468 section 10.
pub(super) fn to_pem(pkcs8: &SecretBytes) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(pkcs8.expose()));
    let mut pem = Zeroizing::new(String::with_capacity(body.len() + 80));
    pem.push_str(BEGIN);
    pem.push('\n');
    for (index, letter) in body.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push('\n');
    pem.push_str(END);
    pem.push('\n');
    pem
}

pub(super) fn from_pem(pem: &[u8]) -> Option<SecretBytes> {
    let text = std::str::from_utf8(pem).ok()?.trim();
    let body = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    STANDARD.decode(body.as_bytes()).ok().map(SecretBytes::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file_form_and_a_damaged_one_does_not() {
        let key = KeyPair::generate().unwrap();
        let pem = to_pem(key.pkcs8());
        assert_eq!(from_pem(pem.as_bytes()).unwrap(), *key.pkcs8());
        assert!(pem.lines().all(|line| line.len() <= 64));
        for damaged in [&pem[..pem.len() - 40], &pem[30..], "", "-----BEGIN PRIVATE KEY-----"] {
            assert!(from_pem(damaged.as_bytes()).is_none());
        }
    }
}
