//! What the machine knows of itself: its id, the key of its own MACs, its state counter, the latest
//! welcome. The identity key is not here: it has a file of its own, so that one theft does not take
//! both.

use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OptionalExtension as _};

use crate::clock::UnixMillis;
use crate::identity::MachineId;
use crate::secrets::{Secret, random_bytes};
use crate::store::StoreError;
use crate::store::values::{from_integer, to_integer};

/// The machine's id; made at the first call, which therefore must be a write.
///
/// # Errors
/// The database, or no random source.
pub fn machine_id(conn: &Connection) -> Result<MachineId, StoreError> {
    get_or_insert(conn, "machine_id", || Ok(MachineId::from_bytes(random_bytes()?)))
}

/// The key under which the machine MACs its counter and tombstones; made at the first call, which
/// therefore must be a write.
///
/// # Errors
/// The database, or no random source.
pub fn mac_key(conn: &Connection) -> Result<Secret<32>, StoreError> {
    get_or_insert(conn, "mac_key", || Ok(Secret::generate()?))
}

/// The state counter; 0 at first.
///
/// # Errors
/// The database.
pub fn counter(conn: &Connection) -> Result<u64, StoreError> {
    Ok(from_integer(get(conn, "counter")?.unwrap_or(0)))
}

/// Raises the state counter by one and returns it.
///
/// # Errors
/// The database.
pub fn bump_counter(conn: &Connection) -> Result<u64, StoreError> {
    let sql = "INSERT INTO meta (key, value) VALUES ('counter', 1)
               ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value";
    Ok(from_integer(conn.query_row(sql, [], |row| row.get(0))?))
}

/// Raises the state counter to at least `least` (a device has seen that one) and returns it.
///
/// # Errors
/// The database.
pub fn raise_counter(conn: &Connection, least: u64) -> Result<u64, StoreError> {
    Ok(from_integer(raise(conn, "counter", to_integer(least))?))
}

/// The latest time, by the wall clock, at which a device got a welcome.
///
/// # Errors
/// The database.
pub fn latest_welcome(conn: &Connection) -> Result<Option<UnixMillis>, StoreError> {
    get(conn, "latest_welcome")
}

/// Notes a welcome at `at`; an earlier time changes nothing. Returns the latest.
///
/// # Errors
/// The database.
pub fn raise_latest_welcome(conn: &Connection, at: UnixMillis) -> Result<UnixMillis, StoreError> {
    raise(conn, "latest_welcome", at)
}

/// Sets the latest welcome back to `at`: the console says that the clock had been wrong.
///
/// # Errors
/// The database.
pub fn reset_latest_welcome(conn: &Connection, at: UnixMillis) -> Result<(), StoreError> {
    put(conn, "latest_welcome", &at)
}

/// A small setting by name, such as the epoch or the system that the state belongs to.
///
/// # Errors
/// The database.
pub fn setting(conn: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    get(conn, &format!("setting.{name}"))
}

/// Keeps a small setting.
///
/// # Errors
/// The database.
pub fn set_setting(conn: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    put(conn, &format!("setting.{name}"), &value)
}

fn get<T: FromSql>(conn: &Connection, key: &str) -> Result<Option<T>, StoreError> {
    Ok(conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()?)
}

fn put(conn: &Connection, key: &str, value: &dyn ToSql) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    conn.execute(sql, [&key as &dyn ToSql, value])?;
    Ok(())
}

fn raise(conn: &Connection, key: &str, least: i64) -> Result<i64, StoreError> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2)
               ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value) RETURNING value";
    Ok(conn.query_row(sql, (key, least), |row| row.get(0))?)
}

fn get_or_insert<T: FromSql + ToSql>(
    conn: &Connection,
    key: &str,
    make: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if let Some(found) = get(conn, key)? {
        return Ok(found);
    }
    let made = make()?;
    conn.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", (key, &made))?;
    Ok(made)
}
