//! Tombstones: the keys of revoked devices, which stay out for ever.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{devices, meta};
use crate::clock::UnixMillis;
use crate::identity::{DeviceId, PublicKey};
use crate::names;
use crate::role::Role;
use crate::secrets::RecognitionKey;
use crate::store::StoreError;
use crate::store::values::{device_and_key, from_integer, to_integer};

/// A revoked device: what is needed to keep its key out, and to tell it who revoked it, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// Its id.
    pub device: DeviceId,
    /// Its session public key.
    pub session_key: PublicKey,
    /// Its name when it was revoked.
    pub name: String,
    /// What it said it ran on.
    pub platform: String,
    /// What it could do.
    pub role: Role,
    /// R, under which it is told.
    pub recognition_key: RecognitionKey,
    /// When it was paired.
    pub paired_at: UnixMillis,
    /// When it was revoked.
    pub revoked_at: UnixMillis,
    /// By whom: a device's name, or "the machine's shell".
    pub revoked_by: String,
    /// The reason, where one was given.
    pub reason: Option<String>,
    /// The machine's state counter with this revocation.
    pub counter: u64,
}

const COLUMNS: &str = "device, session_key, name, platform, role, recognition_key, paired_at, revoked_at, revoked_by,
    reason, counter";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Tombstone> {
    let (device, session_key) = device_and_key(row, 0, 1)?;
    Ok(Tombstone {
        device,
        session_key,
        name: row.get(2)?,
        platform: row.get(3)?,
        role: row.get(4)?,
        recognition_key: row.get(5)?,
        paired_at: row.get(6)?,
        revoked_at: row.get(7)?,
        revoked_by: row.get(8)?,
        reason: row.get(9)?,
        counter: from_integer(row.get(10)?),
    })
}

/// Revokes a device in one step: its row and token hashes go, the state counter rises, the tombstone
/// stands. `None` where there is no such device.
///
/// # Errors
/// The database.
pub fn bury(
    conn: &Connection,
    device: &DeviceId,
    at: UnixMillis,
    by: &str,
    reason: Option<&str>,
) -> Result<Option<Tombstone>, StoreError> {
    let Some(row) = devices::get(conn, device)? else { return Ok(None) };
    devices::delete(conn, device)?;
    let tombstone = Tombstone {
        device: row.id,
        session_key: row.session_key,
        name: row.name,
        platform: row.platform,
        role: row.role,
        recognition_key: row.recognition_key,
        paired_at: row.paired_at,
        revoked_at: at,
        revoked_by: names::clean_name(by),
        reason: reason.and_then(names::clean_sentence),
        counter: meta::bump_counter(conn)?,
    };
    insert(conn, &tombstone)?;
    Ok(Some(tombstone))
}

/// Adds a tombstone and removes the row of its key, if there is one; whether the tombstone is new. One
/// that stands already is left as it is.
///
/// # Errors
/// The database.
pub fn insert(conn: &Connection, tombstone: &Tombstone) -> Result<bool, StoreError> {
    conn.execute("DELETE FROM devices WHERE session_key = ?1", [tombstone.session_key])?;
    let sql = "INSERT INTO tombstones (device, session_key, name, platform, role, recognition_key, paired_at,
                   revoked_at, revoked_by, reason, counter)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
    let inserted = conn.execute(
        sql,
        params![
            tombstone.device,
            tombstone.session_key,
            tombstone.name,
            tombstone.platform,
            tombstone.role,
            tombstone.recognition_key,
            tombstone.paired_at,
            tombstone.revoked_at,
            tombstone.revoked_by,
            tombstone.reason,
            to_integer(tombstone.counter),
        ],
    )?;
    Ok(inserted == 1)
}

/// Says when the device was revoked, where that is known better than by when it was stored.
///
/// # Errors
/// The database.
pub fn set_revoked_at(conn: &Connection, device: &DeviceId, at: UnixMillis) -> Result<(), StoreError> {
    conn.execute("UPDATE tombstones SET revoked_at = ?2 WHERE device = ?1", params![device, at])?;
    Ok(())
}

/// The tombstone of this device id.
///
/// # Errors
/// The database.
pub fn get(conn: &Connection, device: &DeviceId) -> Result<Option<Tombstone>, StoreError> {
    Ok(conn.query_row(&format!("SELECT {COLUMNS} FROM tombstones WHERE device = ?1"), [device], from_row).optional()?)
}

/// The tombstone of this session key.
///
/// # Errors
/// The database.
pub fn by_key(conn: &Connection, key: &PublicKey) -> Result<Option<Tombstone>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tombstones WHERE session_key = ?1");
    Ok(conn.query_row(&sql, [key], from_row).optional()?)
}

/// All tombstones, the newest last.
///
/// # Errors
/// The database.
pub fn list(conn: &Connection) -> Result<Vec<Tombstone>, StoreError> {
    let mut statement = conn.prepare(&format!("SELECT {COLUMNS} FROM tombstones ORDER BY counter, revoked_at"))?;
    let rows = statement.query_map([], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
