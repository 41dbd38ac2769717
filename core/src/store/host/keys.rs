//! Which keys the machine has, in one record: their pins, how many planned changes there have been, and the
//! last of these, for devices that slept. The private keys are in files; what this record says is what counts,
//! and the files are brought in line with it (`host::identity`), so that writing it *is* a change of keys.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::meta;
use crate::clock::UnixMillis;
use crate::identity::Pin;
use crate::store::StoreError;
use crate::wire::Rotate;

const SETTING: &str = "keys";

/// The keys of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyState {
    /// Planned changes so far; it never goes down.
    pub epoch: u64,
    /// The pin of the identity key.
    pub pin: Pin,
    /// The announced pin of the key that the next planned change brings.
    pub next_pin: Pin,
    /// The file with the next private key, where it is not kept in the state directory; an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_kept: Option<String>,
    /// The planned change that brought the identity key, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated: Option<Box<Rotate>>,
    /// When the identity key was last changed, planned or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<UnixMillis>,
}

/// The record; `None` in a database that was never served.
///
/// # Errors
/// The database, or somebody else wrote the record.
pub fn get(conn: &Connection) -> Result<Option<KeyState>, StoreError> {
    let Some(text) = meta::setting(conn, SETTING)? else { return Ok(None) };
    let read = serde_json::from_str(&text);
    let wrong = |error: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    };
    Ok(Some(read.map_err(wrong)?))
}

/// Writes the record.
///
/// # Errors
/// The database; or its epoch would go down.
pub fn put(conn: &Connection, state: &KeyState) -> Result<(), StoreError> {
    if get(conn)?.is_some_and(|before| before.epoch > state.epoch) {
        return Err(StoreError::Internal("an epoch never goes down".to_owned()));
    }
    let text = serde_json::to_string(state).map_err(|error| StoreError::Internal(error.to_string()))?;
    meta::set_setting(conn, SETTING, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Kind, fresh};

    #[test]
    fn the_record_is_read_as_it_was_written_and_its_epoch_never_goes_down() {
        let conn = Connection::open_in_memory().unwrap();
        fresh(Kind::Host, &conn);
        assert_eq!(get(&conn).unwrap(), None);
        let (pin, next_pin) = (Pin::from_bytes([1; 32]), Pin::from_bytes([2; 32]));
        let mut state = KeyState { epoch: 2, pin, next_pin, next_kept: None, rotated: None, changed_at: None };
        put(&conn, &state).unwrap();
        state.next_kept = Some("/media/key".to_owned());
        put(&conn, &state).unwrap();
        assert_eq!(get(&conn).unwrap(), Some(state.clone()));
        assert!(put(&conn, &KeyState { epoch: 1, ..state.clone() }).is_err());
        assert_eq!(get(&conn).unwrap(), Some(state), "the control");
        meta::set_setting(&conn, SETTING, "{}").unwrap();
        assert!(matches!(get(&conn), Err(StoreError::Corrupt { .. })));
    }
}
