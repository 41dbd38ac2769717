//! What happens to a device's row, one function for each event. Callers find them in
//! [`devices`](super::devices).

use rusqlite::{Connection, params};

use super::devices::is_taken;
use crate::clock::UnixMillis;
use crate::identity::{DeviceId, PublicKey};
use crate::names;
use crate::role::Role;
use crate::secrets::KeyKind;
use crate::store::StoreError;
use crate::store::values::to_integer;
use crate::wire::{ApprovalGuard, limits};

/// Gives a device another name, cleaned. Returns the name as stored.
///
/// # Errors
/// [`StoreError::NameEmpty`], [`StoreError::NameTaken`] or [`StoreError::NotFound`].
pub fn rename(conn: &Connection, id: &DeviceId, name: &str) -> Result<String, StoreError> {
    let name = names::clean(name, limits::NAME).ok_or(StoreError::NameEmpty)?;
    if is_taken(conn, &name, Some(id))? {
        return Err(StoreError::NameTaken(name));
    }
    found(conn.execute(
        "UPDATE devices SET name = ?2, name_key = ?3 WHERE id = ?1",
        params![id, name, names::name_key(&name)],
    )?)?;
    Ok(name)
}

/// Notes whose offer let a device in.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_invited_by(conn: &Connection, id: &DeviceId, by: &DeviceId, name: &str) -> Result<(), StoreError> {
    let sql = "UPDATE devices SET let_in_offer_device = ?2, let_in_offer_by = ?3 WHERE id = ?1";
    found(conn.execute(sql, params![id, by, name])?)
}

/// Changes what a device may do.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_role(conn: &Connection, id: &DeviceId, role: Role) -> Result<(), StoreError> {
    found(conn.execute("UPDATE devices SET role = ?2 WHERE id = ?1", params![id, role])?)
}

/// Changes what a device may do, unless that leaves no owner who may act. One statement: two owners that demote
/// themselves at once do not both succeed. `false` where it would.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_role_guarded(conn: &Connection, id: &DeviceId, role: Role) -> Result<bool, StoreError> {
    let sql = "UPDATE devices SET role = ?2 WHERE id = ?1 AND (?2 = ?3 OR role <> ?3
                   OR EXISTS (SELECT 1 FROM devices WHERE role = ?3 AND id <> ?1 AND suspended_at IS NULL))";
    if conn.execute(sql, params![id, role, Role::Owner])? == 1 {
        return Ok(true);
    }
    let known = conn.query_row("SELECT EXISTS (SELECT 1 FROM devices WHERE id = ?1)", [id], |row| row.get(0))?;
    if known { Ok(false) } else { Err(StoreError::NotFound("device")) }
}

/// Stores the approval key that a device brought. `false` where it has one, or where that key is another
/// device's: nothing is changed then, unless it is the very same.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn enrol(
    conn: &Connection,
    id: &DeviceId,
    key: &PublicKey,
    guard: ApprovalGuard,
    now: UnixMillis,
) -> Result<bool, StoreError> {
    let sql = "UPDATE devices SET approval_key = ?2, approval_guard = ?3, approval_at = coalesce(approval_at, ?4)
               WHERE id = ?1 AND (approval_key IS NULL OR approval_key = ?2)
                   AND NOT EXISTS (SELECT 1 FROM devices WHERE approval_key = ?2 AND id <> ?1)";
    if conn.execute(sql, params![id, key, guard, now])? == 1 {
        return Ok(true);
    }
    let known = conn.query_row("SELECT EXISTS (SELECT 1 FROM devices WHERE id = ?1)", [id], |row| row.get(0))?;
    if known { Ok(false) } else { Err(StoreError::NotFound("device")) }
}

/// Lets a device bring another approval key: it has paired again by a fresh offer, or somebody who may said
/// so. Until then it answers nothing.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn forget_approval_key(conn: &Connection, id: &DeviceId) -> Result<(), StoreError> {
    let sql = "UPDATE devices SET approval_key = NULL, approval_guard = NULL, approval_at = NULL WHERE id = ?1";
    found(conn.execute(sql, [id])?)
}

/// Changes a session's lifetimes, in seconds; `None` leaves one as it is.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_lifetimes(
    conn: &Connection,
    id: &DeviceId,
    idle_seconds: Option<u64>,
    absolute_seconds: Option<u64>,
) -> Result<(), StoreError> {
    let sql = "UPDATE devices SET idle_seconds = coalesce(?2, idle_seconds),
                   absolute_seconds = coalesce(?3, absolute_seconds) WHERE id = ?1";
    found(conn.execute(sql, params![id, idle_seconds.map(to_integer), absolute_seconds.map(to_integer)])?)
}

/// Notes that a device was seen at `at` from `address`.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn touch(conn: &Connection, id: &DeviceId, at: UnixMillis, address: &str) -> Result<(), StoreError> {
    let sql = "UPDATE devices SET last_seen = ?2, last_address = ?3 WHERE id = ?1";
    found(conn.execute(sql, params![id, at, address])?)
}

/// Updates what a device says of itself when it pairs again with the same key.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_facts(conn: &Connection, id: &DeviceId, platform: &str, key_kind: KeyKind) -> Result<(), StoreError> {
    let sql = "UPDATE devices SET platform = ?2, key_kind = ?3 WHERE id = ?1";
    found(conn.execute(sql, params![id, names::clean_platform(platform), key_kind])?)
}

/// Begins the session anew: its cap counts from `at`.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn restart_session(conn: &Connection, id: &DeviceId, at: UnixMillis) -> Result<(), StoreError> {
    found(conn.execute("UPDATE devices SET session_started_at = ?2 WHERE id = ?1", params![id, at])?)
}

/// Takes back what a wrong clock noted: no session began or was used, no token changed, after `at`.
///
/// # Errors
/// The database.
pub fn forget_later_than(conn: &Connection, at: UnixMillis) -> Result<(), StoreError> {
    let devices = "UPDATE devices SET last_seen = min(last_seen, ?1), session_started_at = min(session_started_at, ?1)";
    let tokens = "UPDATE tokens SET created_at = min(created_at, ?1), changed_at = min(changed_at, ?1)";
    for sql in [devices, tokens] {
        conn.execute(sql, [at])?;
    }
    Ok(())
}

/// Suspends a device; whether it was not suspended before. The first cause stands.
///
/// # Errors
/// The database.
pub fn suspend(conn: &Connection, id: &DeviceId, at: UnixMillis, why: &str) -> Result<bool, StoreError> {
    let sql = "UPDATE devices SET suspended_at = ?2, suspended_why = ?3 WHERE id = ?1 AND suspended_at IS NULL";
    Ok(conn.execute(sql, params![id, at, why])? == 1)
}

/// Lifts a suspension; whether there was one.
///
/// # Errors
/// The database.
pub fn unsuspend(conn: &Connection, id: &DeviceId) -> Result<bool, StoreError> {
    let sql = "UPDATE devices SET suspended_at = NULL, suspended_why = NULL
               WHERE id = ?1 AND suspended_at IS NOT NULL";
    Ok(conn.execute(sql, [id])? == 1)
}

/// Removes a device and all its token hashes; whether there was one. To keep its key out as well, see
/// [`tombstones::bury`](super::tombstones::bury).
///
/// # Errors
/// The database.
pub fn delete(conn: &Connection, id: &DeviceId) -> Result<bool, StoreError> {
    Ok(conn.execute("DELETE FROM devices WHERE id = ?1", [id])? == 1)
}

fn found(changed: usize) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::NotFound("device")) }
}
