//! What happens to a machine's row, one function for each event. Callers find them in
//! [`machines`](super::machines).

use rusqlite::{Connection, params};

use super::machines::{Revocation, is_live_name};
use crate::clock::UnixMillis;
use crate::identity::{MachineId, Pin};
use crate::names;
use crate::role::Role;
use crate::store::StoreError;
use crate::store::values::to_integer;
use crate::wire::{Address, OfferId, limits};

/// What a Grant says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The machine's id.
    pub machine_id: MachineId,
    /// What it calls itself.
    pub machine_name: String,
    /// Its platform.
    pub platform: String,
    /// This device's name there.
    pub device_name: String,
    /// What this device may do there.
    pub role: Role,
    /// The pin of the key that a planned change would bring.
    pub next_pin: Pin,
    /// How many planned key changes there have been.
    pub epoch: u64,
    /// The machine's state counter.
    pub counter: u64,
    /// Seconds that the session may stay unused.
    pub idle_seconds: u64,
    /// When the session ends, by the machine's clock.
    pub expires_at: UnixMillis,
    /// Where the machine may be reached, best first.
    pub addresses: Vec<Address>,
}

/// What a believed welcome says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcomed {
    /// When it came, by this device's clock.
    pub at: UnixMillis,
    /// The address that worked.
    pub address: Address,
    /// What the machine calls itself.
    pub machine_name: String,
    /// This device's name there.
    pub device_name: String,
    /// What this device may do there.
    pub role: Role,
    /// The pin of the key that a planned change would bring.
    pub next_pin: Pin,
    /// How many planned key changes there have been.
    pub epoch: u64,
    /// The machine's state counter.
    pub counter: u64,
    /// Seconds that the session may stay unused.
    pub idle_seconds: u64,
    /// When the session ends, by the machine's clock.
    pub expires_at: UnixMillis,
    /// Where the machine may be reached, best first.
    pub addresses: Vec<Address>,
}

/// Notes the offer that is about to be used for a row that exists already (pairing again).
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_offer(conn: &Connection, row: i64, offer: Option<&OfferId>) -> Result<(), StoreError> {
    found(conn.execute("UPDATE machines SET offer_id = ?2 WHERE row = ?1", params![row, offer])?)
}

/// Stores a Grant, before it is acknowledged. An unfinished row becomes granted; an active one stays so, and one that
/// was about to leave does not leave.
/// Epoch and counter never go down, and what was announced before a change is not announced after it.
///
/// # Errors
/// [`StoreError::NotFound`], also for a revoked row.
pub fn grant(conn: &Connection, row: i64, granted: &Granted) -> Result<(), StoreError> {
    let sql = "UPDATE machines SET
                   state = CASE state WHEN 'unfinished' THEN 'granted' ELSE state END,
                   machine_id = ?2, machine_name = ?3, platform = ?4, device_name = ?5, role = ?6,
                   next_pin = CASE WHEN next_pin IS NULL OR ?8 >= epoch THEN ?7 ELSE next_pin END,
                   epoch = max(epoch, ?8), counter = max(counter, ?9), idle_seconds = ?10, expires_at = ?11,
                   addresses = ?12, leaving_at = NULL
               WHERE row = ?1 AND state <> 'revoked'";
    found(conn.execute(
        sql,
        params![
            row,
            granted.machine_id,
            names::clean_machine_name(&granted.machine_name),
            names::clean_platform(&granted.platform),
            names::clean_name(&granted.device_name),
            granted.role,
            granted.next_pin,
            to_integer(granted.epoch),
            to_integer(granted.counter),
            to_integer(granted.idle_seconds),
            granted.expires_at,
            write_addresses(&granted.addresses)?,
        ],
    )?)
}

/// The acknowledgement was answered: the device is paired. A hard stop over the key is over, and so is
/// the offer.
///
/// # Errors
/// [`StoreError::NotFound`], also for a row without a Grant.
pub fn activate(conn: &Connection, row: i64, device_name: &str, role: Role, at: UnixMillis) -> Result<(), StoreError> {
    let sql = "UPDATE machines SET state = 'active', device_name = ?2, role = ?3, paired_at = coalesce(paired_at, ?4),
                   offer_id = NULL, key_changed_at = NULL, key_changed_seen = NULL
               WHERE row = ?1 AND state IN ('granted', 'active')";
    found(conn.execute(sql, params![row, names::clean_name(device_name), role, at])?)
}

/// Stores a believed welcome: the machine is online, and a granted row is active (a first reconnect
/// acknowledges too). To a row that was active already it says nothing of an offer that is being used
/// for it: that stays. Epoch and counter never go down: compare before, to say a lower one aloud.
///
/// # Errors
/// [`StoreError::NotFound`], also for a row without a Grant.
pub fn welcome(conn: &Connection, row: i64, welcomed: &Welcomed) -> Result<(), StoreError> {
    let sql = "UPDATE machines SET
                   offer_id = CASE state WHEN 'active' THEN offer_id END,
                   state = 'active', paired_at = coalesce(paired_at, ?2),
                   last_online = ?2, offline_since = NULL, offline_reason = NULL, last_address = ?3,
                   machine_name = ?4, device_name = ?5, role = ?6,
                   next_pin = CASE WHEN next_pin IS NULL OR ?8 >= epoch THEN ?7 ELSE next_pin END, epoch = max(epoch, ?8),
                   counter = max(counter, ?9), idle_seconds = ?10, expires_at = ?11, addresses = ?12
               WHERE row = ?1 AND state IN ('granted', 'active')";
    found(conn.execute(
        sql,
        params![
            row,
            welcomed.at,
            welcomed.address.to_string(),
            names::clean_machine_name(&welcomed.machine_name),
            names::clean_name(&welcomed.device_name),
            welcomed.role,
            welcomed.next_pin,
            to_integer(welcomed.epoch),
            to_integer(welcomed.counter),
            to_integer(welcomed.idle_seconds),
            welcomed.expires_at,
            write_addresses(&welcomed.addresses)?,
        ],
    )?)
}

/// The machine was heard at `at`; it is not offline.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn online(conn: &Connection, row: i64, at: UnixMillis, address: &Address) -> Result<(), StoreError> {
    let sql = "UPDATE machines SET last_online = ?2, last_address = ?3, offline_since = NULL, offline_reason = NULL
               WHERE row = ?1";
    found(conn.execute(sql, params![row, at, address.to_string()])?)
}

/// The machine is offline; since `at`, unless it was offline before. The latest reason stands.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn offline(conn: &Connection, row: i64, at: UnixMillis, reason: &str) -> Result<(), StoreError> {
    let sql = "UPDATE machines SET offline_since = coalesce(offline_since, ?2), offline_reason = ?3 WHERE row = ?1";
    found(conn.execute(sql, params![row, at, names::clean_sentence(reason)])?)
}

/// The machine said where it can be reached.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_addresses(conn: &Connection, row: i64, addresses: &[Address]) -> Result<(), StoreError> {
    let sql = "UPDATE machines SET addresses = ?2 WHERE row = ?1";
    found(conn.execute(sql, params![row, write_addresses(addresses)?])?)
}

/// Gives a machine another name here, cleaned. Returns the name as stored.
///
/// # Errors
/// [`StoreError::NameEmpty`], [`StoreError::NameTaken`] or [`StoreError::NotFound`].
pub fn rename(conn: &Connection, row: i64, name: &str) -> Result<String, StoreError> {
    let name = names::clean(name, limits::NAME).ok_or(StoreError::NameEmpty)?;
    if is_live_name(conn, &name, Some(row))? {
        return Err(StoreError::NameTaken(name));
    }
    let sql = "UPDATE machines SET name = ?2, name_key = ?3 WHERE row = ?1";
    found(conn.execute(sql, params![row, name, names::name_key(&name)])?)?;
    Ok(name)
}

/// The machine said that it revoked this device; whether the row was live. The first cause stands.
///
/// # Errors
/// The database.
pub fn revoke(conn: &Connection, row: i64, revocation: &Revocation) -> Result<bool, StoreError> {
    let sql = "UPDATE machines SET state = 'revoked', revoked_by = ?2, revoked_at = ?3, revoked_reason = ?4,
                   offer_id = NULL
               WHERE row = ?1 AND state <> 'revoked'";
    let by = revocation.by.as_deref().and_then(|by| names::clean(by, limits::NAME));
    let reason = revocation.reason.as_deref().and_then(names::clean_sentence);
    Ok(conn.execute(sql, params![row, by, revocation.at, reason])? == 1)
}

/// The row's secrets are gone from the secret store.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn set_erased(conn: &Connection, row: i64) -> Result<(), StoreError> {
    found(conn.execute("UPDATE machines SET erased = 1 WHERE row = ?1", [row])?)
}

/// The machine proved by R that its key was replaced: `new` takes the place of `old`. Returns whether it
/// did; nothing changes if the row's pin is not `old` any more.
///
/// # Errors
/// [`StoreError::Exists`] if another live row has the new pin.
pub fn repin(conn: &Connection, row: i64, old: &Pin, new: &Pin) -> Result<bool, StoreError> {
    if super::machines::by_pin(conn, new)?.is_some_and(|other| other.row != row) {
        return Err(StoreError::Exists("machine"));
    }
    let sql = "UPDATE machines SET pin = ?3, next_pin = NULL, key_changed_at = NULL, key_changed_seen = NULL
               WHERE row = ?1 AND pin = ?2 AND state <> 'revoked'";
    Ok(conn.execute(sql, params![row, old, new])? == 1)
}

/// A planned change of a machine's key, as it was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// The pin before.
    pub old: Pin,
    /// The pin from now on.
    pub pin: Pin,
    /// The pin of the key after that.
    pub next_pin: Pin,
    /// How many changes there have been, this one counted.
    pub epoch: u64,
}

/// The machine changed its key as it had announced. In the row's own step: nothing changes unless its pin and
/// epoch are those that the change follows.
///
/// # Errors
/// [`StoreError::Exists`] if another live row has the new pin; [`StoreError::NotFound`].
pub fn rotate(conn: &Connection, row: i64, change: &Rotated) -> Result<(), StoreError> {
    if super::machines::by_pin(conn, &change.pin)?.is_some_and(|other| other.row != row) {
        return Err(StoreError::Exists("machine"));
    }
    let sql = "UPDATE machines SET pin = ?3, next_pin = ?4, epoch = ?5, key_changed_at = NULL, key_changed_seen = NULL
               WHERE row = ?1 AND pin = ?2 AND epoch = ?5 - 1 AND next_pin = ?3 AND state <> 'revoked'";
    found(conn.execute(sql, params![row, change.old, change.pin, change.next_pin, to_integer(change.epoch)])?)
}

/// A hard stop: where `pin` was expected, a key with the pin `seen` answered (the same, if R was not
/// proven). The first sighting stands. A row that was re-pinned meanwhile has nothing to do with it.
///
/// # Errors
/// The database.
pub fn key_changed(conn: &Connection, row: i64, pin: &Pin, at: UnixMillis, seen: &Pin) -> Result<(), StoreError> {
    let sql = "UPDATE machines SET key_changed_at = coalesce(key_changed_at, ?3),
                   key_changed_seen = coalesce(key_changed_seen, ?4)
               WHERE row = ?1 AND pin = ?2";
    conn.execute(sql, params![row, pin, at, seen])?;
    Ok(())
}

/// The hard stop is over: the machine was reached with its own key again.
///
/// # Errors
/// [`StoreError::NotFound`].
pub fn clear_key_changed(conn: &Connection, row: i64) -> Result<(), StoreError> {
    let sql = "UPDATE machines SET key_changed_at = NULL, key_changed_seen = NULL WHERE row = ?1";
    found(conn.execute(sql, [row])?)
}

/// The machine is forgotten here, and is to be told. The first time stands.
///
/// # Errors
/// [`StoreError::NotFound`], also for a revoked row.
pub fn leave(conn: &Connection, row: i64, at: UnixMillis) -> Result<(), StoreError> {
    let sql = "UPDATE machines SET leaving_at = coalesce(leaving_at, ?2) WHERE row = ?1 AND state <> 'revoked'";
    found(conn.execute(sql, params![row, at])?)
}

/// Forgets a machine; whether there was such a row. Erase its secrets first.
///
/// # Errors
/// The database.
pub fn delete(conn: &Connection, row: i64) -> Result<bool, StoreError> {
    Ok(conn.execute("DELETE FROM machines WHERE row = ?1", [row])? == 1)
}

/// Forgets a row that never got its Grant, or whose Grant was refused; an active one stays. Returns
/// whether it went.
///
/// # Errors
/// The database.
pub fn drop_unfinished(conn: &Connection, row: i64) -> Result<bool, StoreError> {
    let sql = "DELETE FROM machines WHERE row = ?1 AND state IN ('unfinished', 'granted')";
    Ok(conn.execute(sql, [row])? == 1)
}

/// The column's form, at most [`limits::ADDRESSES`] of them.
pub(super) fn write_addresses(addresses: &[Address]) -> Result<String, StoreError> {
    let kept = addresses.get(..limits::ADDRESSES).unwrap_or(addresses);
    serde_json::to_string(kept).map_err(|error| StoreError::Internal(error.to_string()))
}

fn found(changed: usize) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::NotFound("machine")) }
}
