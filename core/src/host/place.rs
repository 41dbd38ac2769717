//! Which system a machine's state belongs to. A state that serves on two systems at once would be one machine in two
//! places: devices could not tell them apart, and a revoke in one would not hold in the other. So the state
//! remembers, by a hash, the system it serves on, and serves on no other before a person has said what it is there.

use std::fmt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use super::engine::take_lock;
use super::identity::{COMING_IDENTITY_FILE, COMING_NEXT_FILE};
use super::{DATABASE_FILE, HostError, IDENTITY_KEY_FILE, NEXT_KEY_FILE, WAL_FILE};
use crate::clock::UnixMillis;
use crate::store::host::{audit, meta};
use crate::store::{Database, Kind, StateDir, StoreError};

/// A system, by a hash of what it is called: machine-id(5) is not to be given away, and not to be kept either.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SystemId([u8; 32]);

impl fmt::Debug for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemId")
    }
}

impl SystemId {
    /// The system of this machine-id; `None` for what is no such id (machine-id(5): 32 hexadecimal digits), as in an
    /// image that has not been started yet.
    pub fn of(machine_id: &str) -> Option<Self> {
        let id = machine_id.trim().to_ascii_lowercase();
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) || id.bytes().all(|byte| byte == b'0') {
            return None;
        }
        // Keyed by the id, as that page has it: from the hash nobody learns the id, and no other program's is alike.
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, id.as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(ring::hmac::sign(&key, b"pairpin v1 system").as_ref());
        Some(Self(hash))
    }

    fn text(self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

/// Where a host is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// The system; `None` where it has no name of its own: then nothing is compared.
    pub system: Option<SystemId>,
    /// The person says that the state was moved here, and serves nowhere else.
    pub moved: bool,
}

const SETTING: &str = "system";

/// Whether a state belongs to another system than this one.
fn is_elsewhere(db: &Database, system: Option<SystemId>) -> Result<bool, StoreError> {
    let Some(system) = system else { return Ok(false) };
    let stored = db.read_blocking(|connection| meta::setting(connection, SETTING))?;
    Ok(stored.is_some_and(|stored| stored != system.text()))
}

/// As [`is_elsewhere`], as an error: for whoever would write.
pub(super) fn refuse_elsewhere(dir: &StateDir, db: &Database, system: Option<SystemId>) -> Result<(), HostError> {
    if is_elsewhere(db, system)? { Err(HostError::OtherSystem(dir.as_path().to_owned())) } else { Ok(()) }
}

/// The state serves here from now on, or not at all. Called before anything else is written.
pub(super) fn settle(dir: &StateDir, db: &Database, place: Place, now: UnixMillis) -> Result<(), HostError> {
    let elsewhere = is_elsewhere(db, place.system)?;
    let Some(system) = place.system.filter(|_| elsewhere || !place.moved) else {
        return if place.moved { Err(HostError::NotMoved(dir.as_path().to_owned())) } else { Ok(()) };
    };
    if elsewhere && !place.moved {
        return Err(HostError::OtherSystem(dir.as_path().to_owned()));
    }
    Ok(db.write_blocking(move |connection| {
        if meta::setting(connection, SETTING)?.as_deref() == Some(&system.text()) {
            return Ok(());
        }
        meta::set_setting(connection, SETTING, &system.text())?;
        if elsewhere {
            let text = "this machine's state was moved here from another system, which must not serve it any more";
            audit::append(connection, now, "moved", None, text)?;
        }
        Ok(())
    })?)
}

/// Makes room for a machine of its own where a copy of another's state is: keys and database are moved into a
/// directory beside, which is returned. Nothing of them is kept: the next start makes new ones.
///
/// # Errors
/// [`HostError::NotACopy`]: the state is this system's own, or there is none. [`HostError::AlreadyRunning`],
/// [`HostError::Store`]: what was moved before stays moved, the database is the last: try again.
pub fn new_identity(state_dir: &Path, system: Option<SystemId>) -> Result<PathBuf, HostError> {
    let not_a_copy = || HostError::NotACopy(state_dir.to_owned());
    if !state_dir.join(DATABASE_FILE).exists() {
        return Err(not_a_copy());
    }
    let dir = StateDir::open(state_dir)?;
    let _lock = take_lock(&dir)?;
    let db = Database::open(&dir.path(DATABASE_FILE), Kind::Host)?;
    // Where systems have no names the person's word has to do.
    if system.is_some() && !is_elsewhere(&db, system)? {
        return Err(not_a_copy());
    }
    // Closed, so that all of it is in the one file.
    drop(db);
    let aside = (1..).map(|number| dir.path(&format!("old-identity-{number}"))).find(|path| !path.exists());
    let aside = StateDir::open(&aside.unwrap_or_else(|| dir.path("old-identity")))?;
    // The keys first: a database without keys does not serve, keys without a database would.
    let files = [
        IDENTITY_KEY_FILE,
        NEXT_KEY_FILE,
        COMING_IDENTITY_FILE,
        COMING_NEXT_FILE,
        super::marker::FILE,
        WAL_FILE,
        SHM_FILE,
        DATABASE_FILE,
    ];
    for file in files {
        match std::fs::rename(dir.path(file), aside.path(file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(HostError::NotSetAside { path: dir.path(file), cause: error.to_string() });
            }
            _ => {}
        }
    }
    Ok(aside.as_path().to_owned())
}

/// SQLite's index of the -wal file.
const SHM_FILE: &str = "machine.db-shm";

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "0123456789abcdef0123456789abcdef";
    const THERE: &str = "fedcba9876543210fedcba9876543210";

    fn place(machine_id: &str, moved: bool) -> Place {
        Place { system: SystemId::of(machine_id), moved }
    }

    fn state() -> (tempfile::TempDir, StateDir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = StateDir::open(&temp.path().join("state")).unwrap();
        (temp, dir)
    }

    fn open(dir: &StateDir) -> Database {
        Database::open(&dir.path(DATABASE_FILE), Kind::Host).unwrap()
    }

    #[test]
    fn what_is_kept_of_a_system_says_nothing_of_its_id_and_what_is_no_id_is_none() {
        let id = SystemId::of(&format!("{HERE}\n")).unwrap();
        assert_eq!(Some(id), SystemId::of(&HERE.to_uppercase()));
        assert_ne!(Some(id), SystemId::of(THERE));
        assert!(!id.text().contains(HERE) && !format!("{id:?}").contains(&id.text()));
        for none in ["", "uninitialized", "0123", &"0".repeat(32), &"x".repeat(32)] {
            assert_eq!(SystemId::of(none), None, "{none}");
        }
    }

    #[test]
    fn a_state_serves_where_it_served_first_and_elsewhere_only_when_it_was_moved() {
        let (_temp, dir) = state();
        let db = open(&dir);
        let settle = |place| settle(&dir, &db, place, 5);
        settle(place(HERE, false)).unwrap();
        settle(place(HERE, false)).unwrap();
        let refused = settle(place(THERE, false)).unwrap_err();
        for said in ["another", "--moved", "--new-identity"] {
            assert!(refused.to_string().contains(said), "{refused}");
        }
        assert!(matches!(refuse_elsewhere(&dir, &db, SystemId::of(THERE)), Err(HostError::OtherSystem(_))));
        settle(place("", false)).expect("where systems have no names nothing is compared");
        for stays in [place(HERE, true), place("", true)] {
            assert!(matches!(settle(stays), Err(HostError::NotMoved(_))), "a flag that is left in must not do");
        }
        settle(place(THERE, true)).unwrap();
        settle(place(THERE, false)).unwrap();
        assert!(matches!(settle(place(HERE, false)), Err(HostError::OtherSystem(_))), "the old place is out");
        let lines = db.read_blocking(|connection| audit::last(connection, 9)).unwrap();
        assert_eq!(lines.iter().filter(|line| line.kind == "moved").count(), 1);
    }

    #[test]
    fn a_copy_that_becomes_a_machine_of_its_own_keeps_everything_aside() {
        let (_temp, dir) = state();
        let at = dir.as_path();
        assert!(matches!(new_identity(at, SystemId::of(THERE)), Err(HostError::NotACopy(_))), "there is nothing");
        settle(&dir, &open(&dir), place(HERE, false), 5).unwrap();
        dir.write_private(IDENTITY_KEY_FILE, b"key").unwrap();
        assert!(matches!(new_identity(at, SystemId::of(HERE)), Err(HostError::NotACopy(_))), "it is this system's own");
        let aside = new_identity(at, SystemId::of(THERE)).unwrap();
        assert_eq!(std::fs::read(aside.join(IDENTITY_KEY_FILE)).unwrap(), b"key");
        for gone in [IDENTITY_KEY_FILE, DATABASE_FILE, WAL_FILE, SHM_FILE] {
            assert!(!dir.path(gone).exists(), "{gone}");
        }
        let old = StateDir::open(&aside).unwrap();
        assert!(matches!(settle(&old, &open(&old), place(THERE, false), 6), Err(HostError::OtherSystem(_))));
        settle(&dir, &open(&dir), place(THERE, false), 6).expect("a state of its own");
    }
}
