//! The machine's keys on disk: the identity key, and the next one.
//!
//! Each is a PKCS #8 PEM file, 0600. A key that is missing beside a database is an error with a next step,
//! never a silently new one: every device would take another identity key for an attack, and the devices
//! have stored the pin of the next one, so that a planned change to another would leave them behind.

use std::path::Path;

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
    /// Whether the next key was made just now.
    pub(super) is_next_new: bool,
}

/// Reads the keys; makes them where the state is new, or where the person said that what is missing is
/// lost (`new_key`).
pub(super) fn load_or_make(dir: &StateDir, has_database: bool, new_key: bool) -> Result<MachineKeys, HostError> {
    let (identity, next) = (read_identity(dir)?, read_next(dir)?);
    match (&identity, &next) {
        (Some(_), Some(_)) if has_database && new_key => {
            return Err(HostError::KeyNotMissing(dir.path(IDENTITY_KEY_FILE)));
        }
        (None, _) if has_database && !new_key => return Err(HostError::KeyMissing(dir.path(IDENTITY_KEY_FILE))),
        (_, None) if has_database && !new_key => return Err(HostError::NextKeyMissing(dir.path(NEXT_KEY_FILE))),
        _ => {}
    }
    let (is_new, is_next_new) = (identity.is_none(), next.is_none());
    let or_new = |key: Option<KeyPair>, file| key.map_or_else(|| make(dir, file), Ok);
    let keys = MachineKeys {
        identity: or_new(identity, IDENTITY_KEY_FILE)?,
        next: or_new(next, NEXT_KEY_FILE)?,
        is_new,
        is_next_new,
    };
    crate::fault_point!("machine-keys", keys);
    Ok(keys)
}

/// What is wrong with the keys in a state directory, whether a daemon runs on it or not: those that are there
/// and cannot be read. Changes nothing and takes no lock.
pub fn unreadable_keys(state_dir: &Path) -> Vec<HostError> {
    match StateDir::find(state_dir) {
        Ok(Some(dir)) => [IDENTITY_KEY_FILE, NEXT_KEY_FILE].iter().filter_map(|file| read(&dir, file).err()).collect(),
        Ok(None) => Vec::new(),
        Err(error) => vec![error.into()],
    }
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

    /// Which of the two keys were there, and what became of a start.
    fn start(there: (bool, bool), has_database: bool, new_key: bool) -> Result<(bool, bool), HostError> {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::open(&temp.path().join("state")).unwrap();
        for (file, _) in [(IDENTITY_KEY_FILE, there.0), (NEXT_KEY_FILE, there.1)].into_iter().filter(|it| it.1) {
            make(&dir, file).unwrap();
        }
        let before = [read_identity(&dir).unwrap(), read_next(&dir).unwrap()];
        let loaded = load_or_make(&dir, has_database, new_key);
        let after = [read_identity(&dir).unwrap(), read_next(&dir).unwrap()];
        for (before, after) in before.iter().zip(&after) {
            match before {
                Some(key) => assert_eq!(after.as_ref().map(KeyPair::pkcs8), Some(key.pkcs8()), "a key was replaced"),
                None => assert_eq!(after.is_some(), loaded.is_ok(), "a key was made by a start that failed"),
            }
        }
        loaded.map(|keys| (keys.is_new, keys.is_next_new))
    }

    #[test]
    fn no_key_is_made_beside_a_database_unless_the_person_says_that_it_is_lost() {
        for (there, made) in
            [((true, true), (false, false)), ((true, false), (false, true)), ((false, true), (true, false))]
        {
            // The control: nobody is paired where there is no database.
            assert_eq!(start(there, false, false).unwrap(), made, "{there:?}");
            if there == (true, true) {
                assert_eq!(start(there, true, false).unwrap(), made);
                assert!(matches!(start(there, true, true), Err(HostError::KeyNotMissing(_))), "nothing is lost");
            } else {
                let refused = start(there, true, false).unwrap_err();
                let named = if there.0 { NEXT_KEY_FILE } else { IDENTITY_KEY_FILE };
                let words = [named, "is missing beside an existing database", "from a backup", "--new-key"];
                assert!(words.iter().all(|word| refused.to_string().contains(word)), "{refused}");
                assert_eq!(start(there, true, true).unwrap(), made, "{there:?}: exactly what is lost is made");
            }
        }
        assert!(
            matches!(start((false, false), true, false), Err(HostError::KeyMissing(_))),
            "the dearer loss is named"
        );
        assert_eq!(start((false, false), true, true).unwrap(), (true, true));
    }

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
