//! The way on when a device's own database is damaged: it is moved aside, and the next [`Client::open`] begins with an
//! empty list. For a shell on which nobody can move files; asked for by a person, never done by itself.
//!
//! [`Client::open`]: super::Client::open

use std::path::Path;

use super::error::ClientError;
use super::ledger::LOCK;
use crate::store::{Database, Kind, StateDir, StoreError};

/// The files of the database.
const FILES: [&str; 3] = ["device.db", "device.db-wal", "device.db-shm"];
/// Damaged databases that are kept, at most.
const KEPT: usize = 100;

/// Moves a damaged database aside, within its directory, as `device.db.damaged-1` and so on. The machines in it are
/// paired again by their offers; they keep listing the old keys of this device until somebody revokes them.
///
/// # Errors
/// [`ClientError::State`]: it is not damaged, and stays; or it cannot be moved.
pub fn start_anew(state_dir: &Path) -> Result<(), ClientError> {
    let dir = StateDir::open(state_dir)?;
    let _lock = dir.wait_lock(LOCK)?;
    match Database::open(&dir.path(FILES[0]), Kind::Device) {
        Err(StoreError::Corrupt { .. }) => {}
        Err(other) => return Err(other.into()),
        Ok(_) => return Err(ClientError::State("the list of machines is not damaged: start the app again".into())),
    }
    let aside = |file: &str, number: usize| format!("{file}.damaged-{number}");
    let number = (1..=KEPT).find(|number| !dir.path(&aside(FILES[0], *number)).exists()).ok_or_else(|| {
        ClientError::State("too many damaged databases are kept: remove the app's data and pair again".into())
    })?;
    for file in FILES {
        dir.rename(file, &aside(file, number))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Kind;

    #[test]
    fn only_a_damaged_list_is_moved_aside_and_nothing_of_it_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let file = state.join("device.db");
        let open = || Database::open(&file, Kind::Device);
        StateDir::open(&state).unwrap();
        drop(open().unwrap());
        assert!(matches!(start_anew(&state), Err(ClientError::State(_))), "a sound list stays");
        assert!(open().is_ok());

        for number in 1..=2 {
            for extra in ["device.db-wal", "device.db-shm"] {
                let _ = std::fs::remove_file(state.join(extra));
            }
            std::fs::write(&file, b"this is no database, and long enough to be looked at as one").unwrap();
            assert!(matches!(open(), Err(StoreError::Corrupt { .. })));
            start_anew(&state).unwrap();
            let kept = std::fs::read(state.join(format!("device.db.damaged-{number}"))).unwrap();
            assert!(kept.starts_with(b"this is no database"));
            drop(open().unwrap());
        }
    }
}
