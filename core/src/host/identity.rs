//! The machine's keys on disk: the identity key, and the next one.
//!
//! Each is a PKCS #8 PEM file, 0600. A key that is missing beside a database is an error with a next step,
//! never a silently new one: every device would take another identity key for an attack, and the devices
//! have stored the pin of the next one, so that a planned change to another would leave them behind.
//!
//! Which keys are meant is in the database ([`KeyState`]); a change of keys puts the new ones beside the old
//! ones, writes that record, and then [`settle`] moves the files. A crash between any two steps is finished,
//! or undone, by the same call at the next start. The next key may be kept in a file elsewhere.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::HostError;
use crate::clock::UnixMillis;
use crate::error::KeyError;
use crate::identity::{KeyPair, Pin};
use crate::secrets::SecretBytes;
use crate::store::host::keys::KeyState;
use crate::store::{StateDir, outside};

/// The identity key's file in the state directory.
pub const IDENTITY_KEY_FILE: &str = "identity.key";

/// The file of the key that a planned change would bring.
pub const NEXT_KEY_FILE: &str = "next.key";

/// Where a change of keys puts an identity key that is not the next one of the state directory.
pub(super) const COMING_IDENTITY_FILE: &str = "coming-identity.key";

/// Where it puts the next key after that.
pub(super) const COMING_NEXT_FILE: &str = "coming-next.key";

/// The keys of a machine.
#[derive(Debug)]
pub(super) struct MachineKeys {
    pub(super) identity: KeyPair,
    /// Whether the identity key was made just now, or taken for a lost one.
    pub(super) is_new: bool,
    /// Whether the next key was.
    pub(super) is_next_new: bool,
    /// The files are of a later planned change than the database, which was restored from a backup.
    pub(super) is_ahead: bool,
    /// What the record is to say of them.
    pub(super) state: KeyState,
}

/// Reads the keys that the record `known` names; makes them where the state is new, or where the person said
/// that what is missing is lost (`new_key`).
pub(super) fn load_or_make(
    dir: &StateDir,
    has_database: bool,
    known: Option<&KeyState>,
    new_key: bool,
    now: UnixMillis,
) -> Result<MachineKeys, HostError> {
    if let Some(known) = known {
        settle(dir, known)?;
    }
    let pin_in = |key: &Option<KeyPair>| key.as_ref().map(pin_of).transpose();
    let (identity, next) = (read_identity(dir)?, read_next(dir)?);
    let (pin, next_pin) = (pin_in(&identity)?, pin_in(&next)?);
    let is_ahead = known.is_some_and(|known| pin == Some(known.next_pin));
    let is_other = !is_ahead && known.is_some_and(|known| pin.is_some_and(|pin| pin != known.pin));
    // One that is the identity key already is no next one.
    let next = next.filter(|_| next_pin != pin);
    let kept = known.and_then(|known| known.next_kept.clone()).filter(|_| next.is_none() && !is_ahead);
    let is_other_next = !is_ahead && next.is_some() && known.is_some_and(|known| next_pin != Some(known.next_pin));
    if has_database {
        let path = |file| dir.path(file);
        match (&identity, next.is_some() || kept.is_some()) {
            (Some(_), true) if new_key && !is_other && !is_other_next => {
                return Err(HostError::KeyNotMissing(path(IDENTITY_KEY_FILE)));
            }
            _ if new_key => {}
            (None, _) => return Err(HostError::KeyMissing(path(IDENTITY_KEY_FILE))),
            (Some(_), _) if is_other => return Err(HostError::KeyIsOther(path(IDENTITY_KEY_FILE))),
            (_, false) => return Err(HostError::NextKeyMissing(path(NEXT_KEY_FILE))),
            _ if is_other_next => return Err(HostError::KeyIsOther(path(NEXT_KEY_FILE))),
            _ => {}
        }
    }
    let is_new = identity.is_none() || is_other;
    let is_next_new = (next.is_none() && kept.is_none()) || is_other_next;
    let or_new = |key: Option<KeyPair>, file| key.map_or_else(|| make(dir, file), Ok);
    let identity = or_new(identity, IDENTITY_KEY_FILE)?;
    let next_pin = match (&kept, known) {
        (Some(_), Some(known)) => known.next_pin,
        _ => pin_of(&or_new(next, NEXT_KEY_FILE)?)?,
    };
    let pin = pin_of(&identity)?;
    let same = known.filter(|known| known.pin == pin);
    let state = KeyState {
        epoch: known.map_or(0, |known| known.epoch).saturating_add(is_ahead.into()),
        pin,
        next_pin,
        next_kept: kept,
        rotated: same.and_then(|known| known.rotated.clone()),
        changed_at: if known.is_some() && same.is_none() { Some(now) } else { known.and_then(|it| it.changed_at) },
    };
    let keys = MachineKeys { identity, is_new, is_next_new, is_ahead, state };
    crate::fault_point!("machine-keys", keys);
    Ok(keys)
}

/// Brings the files in line with the record. Each step leaves files with which it can be run again.
pub(super) fn settle(dir: &StateDir, state: &KeyState) -> Result<(), HostError> {
    STEPS.iter().try_for_each(|step| step(dir, state))
}

pub(super) type Step = fn(&StateDir, &KeyState) -> Result<(), HostError>;

/// The steps of [`settle`], one write of a file each.
pub(super) const STEPS: [Step; 6] =
    [place_identity, place_next, place_kept, clear_next, clear_coming_identity, clear_coming_next];

fn place_identity(dir: &StateDir, state: &KeyState) -> Result<(), HostError> {
    if is_in(dir, IDENTITY_KEY_FILE, &state.pin)? {
        return Ok(());
    }
    crate::fault_point!("settle-identity", state);
    move_in(dir, &[COMING_IDENTITY_FILE, NEXT_KEY_FILE], &state.pin, IDENTITY_KEY_FILE)
}

fn place_next(dir: &StateDir, state: &KeyState) -> Result<(), HostError> {
    // The identity key may still be in the next one's place, and nowhere else.
    if state.next_kept.is_some() || is_in(dir, NEXT_KEY_FILE, &state.next_pin)? || !is_settled(dir, state)? {
        return Ok(());
    }
    crate::fault_point!("settle-next", state);
    move_in(dir, &[COMING_NEXT_FILE], &state.next_pin, NEXT_KEY_FILE)
}

/// A next key that is kept elsewhere takes its place there, if the place can be reached now.
fn place_kept(dir: &StateDir, state: &KeyState) -> Result<(), HostError> {
    let Some(path) = state.next_kept.as_deref().map(Path::new).filter(|_| is_settled(dir, state).unwrap_or(false))
    else {
        return Ok(());
    };
    let fresh = outside::fresh_beside(path);
    let pin_at = |path: &Path| read_outside(path).ok().flatten().and_then(|key| pin_of(&key).ok());
    // What is there is the key that is the machine's own now, or nothing; else it is not for us to overwrite.
    let is_free = matches!(outside::read(path), Ok(None)) || pin_at(path) == Some(state.pin);
    if pin_at(&fresh) == Some(state.next_pin) && is_free {
        outside::replace(&fresh, path)?;
    }
    Ok(())
}

/// The state directory keeps no next key that is kept elsewhere: once it is there for certain.
fn clear_next(dir: &StateDir, state: &KeyState) -> Result<(), HostError> {
    let Some(path) = state.next_kept.as_deref() else { return Ok(()) };
    let is_identity = is_in(dir, NEXT_KEY_FILE, &state.pin)? && is_settled(dir, state)?;
    let is_there =
        || Some(state.next_pin) == read_outside(Path::new(path)).ok().flatten().and_then(|it| pin_of(&it).ok());
    if is_identity || (is_in(dir, NEXT_KEY_FILE, &state.next_pin)? && is_there()) {
        dir.delete_private(NEXT_KEY_FILE)?;
    }
    Ok(())
}

fn clear_coming_identity(dir: &StateDir, state: &KeyState) -> Result<(), HostError> {
    clear(dir, state, COMING_IDENTITY_FILE)
}

fn clear_coming_next(dir: &StateDir, state: &KeyState) -> Result<(), HostError> {
    clear(dir, state, COMING_NEXT_FILE)
}

/// What was put beside the keys goes when each of them is in its place, also where the change never came about.
fn clear(dir: &StateDir, state: &KeyState, file: &str) -> Result<(), HostError> {
    let has_next = state.next_kept.is_some() || is_in(dir, NEXT_KEY_FILE, &state.next_pin)?;
    if is_settled(dir, state)? && has_next && dir.is_there(file) {
        dir.delete_private(file)?;
    }
    Ok(())
}

fn is_settled(dir: &StateDir, state: &KeyState) -> Result<bool, HostError> {
    is_in(dir, IDENTITY_KEY_FILE, &state.pin)
}

fn is_in(dir: &StateDir, file: &str, pin: &Pin) -> Result<bool, HostError> {
    Ok(match read(dir, file)? {
        Some(key) => pin_of(&key)? == *pin,
        None => false,
    })
}

/// Puts the key of that pin, if one of the files has it, in the place of another file.
fn move_in(dir: &StateDir, from: &[&str], pin: &Pin, to: &str) -> Result<(), HostError> {
    for file in from {
        if let Some(key) = read(dir, file)?
            && pin_of(&key)? == *pin
        {
            return write(dir, to, &key);
        }
    }
    Ok(())
}

/// The pin of a key that was just read or made.
pub(super) fn pin_of(key: &KeyPair) -> Result<Pin, HostError> {
    let public = key.public_key().map_err(|error| HostError::Certificate(error.to_string()))?;
    Ok(Pin::of_key(&public))
}

/// Reads a key that is kept outside the state directory; `None` where there is no such file.
pub(super) fn read_outside(path: &Path) -> Result<Option<KeyPair>, HostError> {
    outside::read(path)?.map(|pem| parse(&pem, path)).transpose()
}

/// Makes a file with a key outside the state directory.
pub(super) fn write_outside(path: &Path, key: &KeyPair) -> Result<(), HostError> {
    Ok(outside::write_new(path, to_pem(key.pkcs8()).as_bytes())?)
}

/// Writes a key into the state directory.
pub(super) fn write(dir: &StateDir, file: &str, key: &KeyPair) -> Result<(), HostError> {
    Ok(dir.write_private(file, to_pem(key.pkcs8()).as_bytes())?)
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
    dir.read_private(file)?.map(|pem| parse(&pem, &dir.path(file))).transpose()
}

fn parse(pem: &SecretBytes, path: &Path) -> Result<KeyPair, HostError> {
    let wrong = |error| HostError::Key { path: path.to_owned(), cause: error };
    let pkcs8 = from_pem(pem.expose()).ok_or_else(|| wrong(KeyError::Malformed))?;
    KeyPair::from_pkcs8(pkcs8).map_err(wrong)
}

fn make(dir: &StateDir, file: &str) -> Result<KeyPair, HostError> {
    let key = KeyPair::generate().map_err(|error| HostError::Key { path: dir.path(file), cause: error })?;
    write(dir, file, &key)?;
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
        let loaded = load_or_make(&dir, has_database, None, new_key, 0);
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
